//! One account as its plan sees it: what is desired and in scope, what is there, and what names mean here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::memory::Seen;
use super::tally::Tally;
use super::{
    Acceptance, Action, Attribute, AttributeDiff, Cause, Finding, Intent, Memory, Records,
    Settings, fingerprint,
};
use crate::desired::AccountDesired;
use crate::diff::role::{self, Names, Target};
use crate::diff::{Owner, owner};
use crate::live::LiveAccount;
use crate::org::{Account, glob};
use crate::resource::attachment::{Attachment, AttachmentId, Item};
use crate::resource::grant::Principal;
use crate::resource::managed_policy::{LivePolicy, ManagedPolicy};
use crate::resource::name::{IamPath, PolicyArn, PolicyName};
use crate::resource::role::{Ensure, LiveRole, PolicyRef, Role};

/// The code of findings on what has the tag and no record.
const CODE: &str = "unrecorded";

/// Everything that planning one account looks at.
pub(super) struct Context<'a> {
    pub(super) settings: &'a Settings,
    pub(super) account: &'a Account,
    pub(super) desired: &'a AccountDesired,
    pub(super) live: &'a LiveAccount,
    /// ARNs of the account's roles by unique id.
    pub(super) ids: BTreeMap<&'a str, &'a str>,
    /// What is remembered of the account.
    pub(super) memory: Option<&'a Memory>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        account: &'a Account,
        desired: &'a AccountDesired,
        live: &'a LiveAccount,
    ) -> Self {
        Self {
            settings,
            account,
            desired,
            live,
            ids: fingerprint::ids(live),
            memory: None,
        }
    }

    /// Who moved, as far as that is remembered: the resource, and each of its attributes that differ.
    pub(super) fn blame(
        &self,
        address: &str,
        action: Action,
        (before, after): (Option<Seen<'_>>, Option<Seen<'_>>),
        diffs: &mut [AttributeDiff],
    ) -> Cause {
        let cause = self.memory.map_or(Cause::Unknown, |memory| {
            memory.blame(address, action, (before, after), diffs)
        });
        // That a directory is destroyed is no change of its files.
        match (self.settings.intent, cause) {
            (Intent::Destroy, Cause::Desired) => Cause::Unknown,
            (Intent::Destroy, Cause::Both) => Cause::Drift,
            (_, cause) => cause,
        }
    }

    /// The rollback that made a resource differ.
    pub(super) fn rolled_back(
        &self,
        address: &str,
        cause: Cause,
        before: Option<Seen<'_>>,
    ) -> Option<String> {
        self.memory?.rolled_back(address, cause, before)
    }

    /// The attributes of an existing resource whose difference is accepted, each with a finding: they are not changed.
    /// What the file alone changed is not drift, so it is written.
    pub(super) fn accepted(
        &self,
        address: &str,
        (before, after): (Seen<'_>, Seen<'_>),
        mut diffs: Vec<AttributeDiff>,
        tally: &mut Tally,
    ) -> BTreeSet<Attribute> {
        let speaks = |accept: &&Acceptance| glob(&accept.address, address);
        if !self.settings.accepts.iter().any(|accept| speaks(&accept)) {
            return BTreeSet::new();
        }
        let sides = (Some(before), Some(after));
        let whole = self.blame(address, Action::Update, sides, &mut diffs);
        let mut accepted = BTreeSet::new();
        for diff in diffs.iter().filter(|diff| !diff.cosmetic) {
            let cause = diff.cause.unwrap_or(whole);
            let name = diff.attribute.name();
            let mut accepts = self.settings.accepts.iter().filter(speaks);
            let Some(accept) = accepts
                .find(|accept| accept.attribute == name)
                .filter(|_| cause != Cause::Desired)
            else {
                continue;
            };
            let Acceptance {
                reason,
                until,
                origin,
                ..
            } = accept;
            let held_back = if cause == Cause::Both {
                "; what the file changed there is not written either"
            } else {
                ""
            };
            let message = format!(
                "`{name}` of `{address}` differs and is left as it is: accepted until {until} at {origin}: {reason}{held_back}"
            );
            tally
                .findings
                .push(Finding::warn("accepted", address, message));
            accepted.insert(diff.attribute);
        }
        accepted
    }

    /// Takes note of a resource that is as desired, `accepted` attributes aside, where it is not remembered so.
    pub(super) fn note(
        &self,
        address: &str,
        seen: Seen<'_>,
        accepted: &BTreeSet<Attribute>,
        tally: &mut Tally,
    ) {
        let Some(memory) = self.memory else { return };
        let known = memory.resources.get(address);
        let now = seen.converged(&memory.salt, &self.settings.secrets);
        let mut now = now.keeping(known, accepted);
        // What was not read this time is still as it was.
        for (attribute, items) in known.iter().flat_map(|known| &known.items) {
            now.items.entry(*attribute).or_insert_with(|| items.clone());
        }
        if memory.rolled_back.contains_key(address)
            || known.is_none_or(|known| {
                (&known.items, &known.unique_id) != (&now.items, &now.unique_id)
            })
        {
            tally.seen.insert(address.to_owned(), now);
        }
    }

    /// Takes note of what has this directory's tag and is not desired, where nothing is on record yet and it is allowed
    /// to rely on the tag alone: what a run does not get to delete must not be unknown to the next.
    pub(super) fn note_extra(&self, address: &str, seen: Seen<'_>, tally: &mut Tally) {
        let by_tag = |memory: &Memory| {
            memory.records == Records::None
                && (self.settings.allows(CODE) || memory.begun.contains(address))
        };
        if self.memory.is_some_and(by_tag) {
            self.note(address, seen, &BTreeSet::new(), tally);
        }
    }

    /// The finding on changing a resource that has this directory's tag, where the state holds no record of anything: it
    /// is another directory of the same name that made it, or the state is another one.
    pub(super) fn never_made(&self, what: &str, address: &str) -> Option<Finding> {
        let memory = self
            .memory
            .filter(|_| self.settings.intent != Intent::Restore)?;
        let known = memory.records == Records::Some || memory.begun.contains(address);
        (!known).then(|| {
            let (account, name) = (self.account.id, &self.settings.name);
            let message = format!(
                "{what} in account {account} is tagged `{name}`, but the state of this directory has no records: another \
                 directory of that name, or another state, may manage it; choose another `name`, use the right state \
                 (`--state`), or rely on the tag with `--allow {CODE}` if the state was lost"
            );
            Finding::stop(CODE, address, message)
        })
    }

    /// The finding on deleting a resource that has this directory's tag, though no run recorded it. Whoever may
    /// only tag a resource would have it deleted.
    pub(super) fn unrecorded(&self, what: &str, address: &str) -> Option<Finding> {
        let memory = self
            .memory
            .filter(|_| self.settings.intent != Intent::Restore)?;
        if memory.records == Records::None {
            return self.never_made(what, address);
        }
        (!memory.resources.contains_key(address)).then(|| {
            let message = format!(
                "{what} in account {} is tagged as managed by this directory, but no run recorded it: it may have been tagged by hand, or left by a failed run; remove the tag, or delete it with `--allow unrecorded`",
                self.account.id
            );
            Finding::stop(CODE, address, message)
        })
    }

    pub(super) fn role_address(&self, name: impl std::fmt::Display) -> String {
        format!("{}/role/{name}", self.account.id)
    }

    pub(super) fn policy_address(&self, name: impl std::fmt::Display) -> String {
        format!("{}/policy/{name}", self.account.id)
    }

    pub(super) fn grant_address(&self, principal: &Principal) -> String {
        format!("{}/grant/{principal}", self.account.id)
    }

    pub(super) fn attachment_address(&self, id: &AttachmentId) -> String {
        format!("{}/attachment/{id}", self.account.id)
    }

    /// Desired attachments to roles in scope.
    pub(super) fn desired_attachments(&self) -> impl Iterator<Item = &'a Attachment> {
        let desired: &'a AccountDesired = self.desired;
        desired
            .attachments
            .values()
            .map(Arc::as_ref)
            .filter(|attachment| self.settings.selects(&attachment.id.role))
    }

    /// The desired role of this key, where it is in scope.
    pub(super) fn desired_role(&self, key: &str) -> Option<&'a Role> {
        self.desired
            .roles
            .get(key)
            .map(Arc::as_ref)
            .filter(|role| self.settings.selects(&role.name))
    }

    /// The live role of this key, where it is in scope.
    pub(super) fn live_role(&self, key: &str) -> Option<&'a LiveRole> {
        self.live
            .roles
            .get(key)
            .filter(|role| self.settings.selects(&role.name))
    }

    /// Why a role should not exist.
    pub(super) fn unwanted(&self, desired: &Role) -> Option<&'static str> {
        if desired.ensure == Ensure::Absent {
            return Some("`ensure` is `absent`");
        }
        let over = desired
            .expires
            .is_some_and(|expires| expires <= self.settings.today);
        over.then_some("it has expired")
    }

    /// Desired roles in scope.
    pub(super) fn desired_roles(&self) -> impl Iterator<Item = &'a Role> {
        let desired: &'a AccountDesired = self.desired;
        desired
            .roles
            .values()
            .map(Arc::as_ref)
            .filter(|role| self.settings.selects(&role.name))
    }

    /// The desired policy of this key, where it is in scope: a run narrowed to some roles takes their policies along.
    pub(super) fn desired_policy(&self, key: &str) -> Option<&'a ManagedPolicy> {
        let policy = self.desired.policies.get(key)?;
        (self.settings.roles.is_empty() || self.is_referred_to(key)).then_some(policy)
    }

    /// Whether a desired role or attachment in scope names the policy of this key.
    pub(super) fn is_referred_to(&self, key: &str) -> bool {
        self.desired_roles()
            .flat_map(references)
            .any(|reference| match reference {
                PolicyRef::Local(name) => name.key() == key,
                PolicyRef::Arn(arn) => self
                    .live
                    .policies
                    .get(key)
                    .is_some_and(|live| live.arn == *arn),
            })
            || self.desired_attachments().any(|attachment| {
                matches!(&attachment.id.policy, Item::Managed(name) if name.key() == key)
            })
    }

    /// The ARN that a reference represents; a local policy that is nowhere gets the one it would have at `/`.
    pub(super) fn resolve(&self, reference: &PolicyRef) -> PolicyArn {
        match reference {
            PolicyRef::Arn(arn) => arn.clone(),
            PolicyRef::Local(name) => self.local(name),
        }
    }

    fn local(&self, name: &PolicyName) -> PolicyArn {
        let live = self.live.policies.get(&name.key());
        match (self.desired_policy(&name.key()), live) {
            (Some(desired), live) => self.policy_arn(desired, live),
            (None, Some(live)) => live.arn.clone(),
            (None, None) => self.arn_at(&IamPath::default(), name),
        }
    }

    /// The ARN that a desired policy has or will have. Only what is managed ever moves to another path.
    pub(super) fn policy_arn(
        &self,
        desired: &ManagedPolicy,
        live: Option<&LivePolicy>,
    ) -> PolicyArn {
        let is_ours = |live: &LivePolicy| {
            live.tags
                .as_ref()
                .is_none_or(|tags| owner(tags, &self.settings.name) == Owner::Us)
        };
        match (live, &desired.path) {
            (Some(live), Some(path)) if *path != live.path && is_ours(live) => {
                self.arn_at(path, &desired.name)
            }
            (Some(live), _) => live.arn.clone(),
            (None, path) => self.arn_at(&path.clone().unwrap_or_default(), &desired.name),
        }
    }

    fn arn_at(&self, path: &IamPath, name: &PolicyName) -> PolicyArn {
        PolicyArn::customer(&self.settings.partition, self.account.id, path, name)
    }

    /// What `desired` is to become, given what is there.
    pub(super) fn target(&self, desired: &Role, live: Option<&LiveRole>) -> Target {
        let names = Names {
            partition: &self.settings.partition,
            mark: (!desired.external && self.settings.intent != Intent::Restore)
                .then_some(self.settings.name.as_str()),
            policy: &|reference| self.resolve(reference),
            principal: &|id| self.ids.get(id).map(|arn| (*arn).to_owned()),
            role: &|role| {
                let path = role.path.clone().unwrap_or_default();
                format!(
                    "arn:{}:iam::{}:role{path}{}",
                    self.settings.partition, self.account.id, role.name
                )
            },
        };
        role::target(desired, live, names)
    }
}

/// The policies that a role names: attached ones and its boundary.
pub(super) fn references(role: &Role) -> impl Iterator<Item = &PolicyRef> {
    role.managed_policies
        .iter()
        .flatten()
        .chain(role.permissions_boundary.iter().flatten())
}
