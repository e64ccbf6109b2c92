//! What the state knows of a resource, and what changed since.
//!
//! A resource is taken apart into items: a tag, an attached policy, a statement, a description. For each item that
//! differs now, it was changed by hand if live IAM is not as remembered, and the file did if what is desired is not.
//! Items are remembered as salted digests, so a sensitive value can be compared and not be read.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::digest::{canonical, sha256, statement};
use super::{Action, Attribute, AttributeDiff, Cause, Change, ResourceKind, mask};
use crate::diff::is_system_tag;
use crate::live::LiveAccount;
use crate::resource::Tags;
use crate::resource::attachment::Placed;
use crate::resource::managed_policy::LivePolicy;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::LiveRole;
use crate::resource::secret::Secrets;

/// What is remembered of one account's resources.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Goes into every digest.
    pub salt: String,
    /// The recorded resources, by address.
    pub resources: BTreeMap<String, Converged>,
    /// Whether anything was ever remembered; before that the cause is unknown.
    pub since: Since,
    /// Whether anything is on record, in this account or in another.
    pub records: Records,
    /// Addresses that some run of this state began to write, where nothing is on record: it may have ended before it could
    /// record what it made.
    pub begun: BTreeSet<String>,
    /// What rollbacks left, by address, of resources that were not brought to the desired state since.
    pub rolled_back: BTreeMap<String, RolledBack>,
}

/// How a rollback left a resource. Neither the file nor the resource was changed by anything else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The run that was the rollback.
    pub run: String,
    /// The resource as it left it; `None` where it deleted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Converged>,
}

/// Since when there is a memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Since {
    /// An earlier run.
    #[default]
    Before,
    /// This one.
    Now,
}

/// Whether a state holds records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Records {
    /// It holds none: what is not on record may be anybody's.
    #[default]
    None,
    /// It holds some: what this directory wrote is among them.
    Some,
}

/// A resource as it was when it was last seen as desired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Converged {
    /// Its unique id, `AROA…`; policies, grants and attachments have none that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_id: Option<String>,
    /// Its ARN; a grant and an attachment have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// Its attributes, for people; sensitive values are salted digests.
    pub values: Value,
    /// Digests of its items, by attribute.
    pub items: Items,
}

impl Converged {
    /// The same with these attributes as they were `known`: what differs there now is not as desired.
    #[must_use]
    pub fn keeping(mut self, known: Option<&Self>, attributes: &BTreeSet<Attribute>) -> Self {
        for attribute in attributes {
            self.items.remove(attribute);
            let was = known.and_then(|known| known.items.get(attribute));
            self.items
                .extend(was.map(|items| (*attribute, items.clone())));
            let was = known.and_then(|known| known.values.get(attribute.name()));
            if let (Some(was), Some(members)) = (was, self.values.as_object_mut()) {
                members.insert(attribute.name().to_owned(), was.clone());
            }
        }
        self
    }
}

/// The items of a resource by attribute and name, each with its value or a digest of it.
pub type Items = BTreeMap<Attribute, BTreeMap<String, String>>;

/// A resource of one kind or another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Seen<'a> {
    Role(&'a LiveRole, &'a BTreeMap<&'a str, &'a str>),
    Policy(&'a LivePolicy),
    Grant(&'a PolicyDocument),
    Attachment(Placed<'a>),
}

impl Seen<'_> {
    /// Everything about it that we could write, in words of the plan's JSON.
    fn values(self) -> Value {
        match self {
            Self::Role(role, _) => json!({
                "path": role.path,
                "description": role.details.as_ref().map(|details| &details.description),
                "max_session_duration": role.details.as_ref().map(|details| details.max_session_duration),
                "trust": role.trust.to_value(),
                "managed_policies": role.managed_policies,
                "inline_policies": role.inline_policies.iter()
                    .map(|(name, document)| (name.to_string(), document.to_value())).collect::<BTreeMap<_, _>>(),
                "permissions_boundary": role.permissions_boundary,
                "tags": own(&role.tags),
            }),
            Self::Policy(policy) => json!({
                "path": policy.path,
                "description": policy.description,
                "document": policy.document.to_value(),
                "tags": policy.tags.as_ref().map(own),
            }),
            Self::Grant(document) => json!({ "document": document.to_value() }),
            Self::Attachment(placed) => placed.to_value(),
        }
    }

    /// Its items, as they are.
    fn items(self) -> Items {
        let one = |value: &dyn ToString| BTreeMap::from([(String::new(), value.to_string())]);
        match self {
            Self::Role(role, ids) => {
                let trust = role
                    .trust
                    .resolve_principals(&|id| ids.get(id).map(|arn| (*arn).to_owned()));
                let mut items = Items::from([
                    (Attribute::Path, one(&role.path)),
                    (Attribute::Trust, statements(&trust)),
                    (
                        Attribute::ManagedPolicies,
                        role.managed_policies
                            .iter()
                            .map(|arn| (arn.to_string(), String::new()))
                            .collect(),
                    ),
                    (
                        Attribute::InlinePolicies,
                        role.inline_policies
                            .iter()
                            .filter(|(name, _)| !name.is_known_by_name())
                            .map(|(name, document)| {
                                (name.to_string(), canonical(document).to_string())
                            })
                            .collect(),
                    ),
                    (
                        Attribute::PermissionsBoundary,
                        role.permissions_boundary
                            .iter()
                            .map(|arn| (String::new(), arn.to_string()))
                            .collect(),
                    ),
                    (Attribute::Tags, tags(&role.tags)),
                ]);
                if let Some(details) = &role.details {
                    items.insert(Attribute::Description, one(&details.description));
                    items.insert(
                        Attribute::MaxSessionDuration,
                        one(&details.max_session_duration),
                    );
                }
                items
            }
            Self::Policy(policy) => {
                let mut items = Items::from([
                    (Attribute::Path, one(&policy.path)),
                    (Attribute::Document, statements(&policy.document)),
                ]);
                items.extend(
                    policy
                        .tags
                        .as_ref()
                        .map(|found| (Attribute::Tags, tags(found))),
                );
                items
            }
            Self::Grant(document) | Self::Attachment(Placed::Inline(document)) => {
                Items::from([(Attribute::Document, statements(document))])
            }
            Self::Attachment(Placed::Managed(arn)) => Items::from([(
                Attribute::ManagedPolicies,
                BTreeMap::from([(arn.to_string(), String::new())]),
            )]),
        }
    }

    fn digests(self, salt: &str) -> Items {
        let digest = |text: &str| digest(salt, text);
        let part = |(name, value): (String, String)| match value.as_str() {
            // The name says it all, and is one of AWS's own.
            "" => (name, value),
            _ => (name, digest(&value)),
        };
        let parts = |(attribute, parts): (Attribute, BTreeMap<String, String>)| match attribute {
            // The name is the statement.
            Attribute::Trust | Attribute::Document => (
                attribute,
                parts
                    .into_keys()
                    .map(|name| (digest(&name), String::new()))
                    .collect(),
            ),
            _ => (attribute, parts.into_iter().map(part).collect()),
        };
        self.items().into_iter().map(parts).collect()
    }

    /// What is remembered of it.
    pub(super) fn converged(self, salt: &str, secrets: &Secrets) -> Converged {
        let (unique_id, arn) = match self {
            Self::Role(role, _) => (Some(role.id.clone()), Some(role.arn.clone())),
            Self::Policy(policy) => (None, Some(policy.arn.to_string())),
            Self::Grant(_) | Self::Attachment(_) => (None, None),
        };
        let mut items = self.digests(salt);
        for names in items.values_mut() {
            *names = std::mem::take(names)
                .into_iter()
                .map(|(name, value)| {
                    (
                        if secrets.occurs_in(&name) {
                            digest(salt, &name)
                        } else {
                            name
                        },
                        value,
                    )
                })
                .collect();
        }
        Converged {
            unique_id,
            arn,
            values: secrets.hide(&self.values(), salt),
            items,
        }
    }
}

fn digest(salt: &str, text: &str) -> String {
    sha256(format!("{salt}:{text}").as_bytes())
        .chars()
        .take(DIGEST)
        .collect()
}

/// `seen` with the names that are remembered as digests, because they hold a sensitive value, as digests.
fn named_alike(known: &Items, mut seen: Items, salt: &str) -> Items {
    for (attribute, names) in &mut seen {
        let Some(known) = known.get(attribute) else {
            continue;
        };
        let unseen: BTreeSet<&String> = known
            .keys()
            .filter(|name| !names.contains_key(*name))
            .collect();
        if unseen.is_empty() {
            continue;
        }
        let renamed = |(name, value): (String, String)| {
            let digest = digest(salt, &name);
            (
                if unseen.contains(&digest) {
                    digest
                } else {
                    name
                },
                value,
            )
        };
        *names = std::mem::take(names).into_iter().map(renamed).collect();
    }
    seen
}

/// Characters of a digest: 64 bits, to tell a few values of one item apart.
const DIGEST: usize = 16;

fn own(tags: &Tags) -> BTreeMap<&String, &String> {
    tags.iter().filter(|(key, _)| !is_system_tag(key)).collect()
}

fn tags(tags: &Tags) -> BTreeMap<String, String> {
    own(tags)
        .into_iter()
        .map(|(key, value)| (key.to_lowercase(), format!("={value}")))
        .collect()
}

fn statements(document: &PolicyDocument) -> BTreeMap<String, String> {
    let written = document
        .statements()
        .iter()
        .map(|one| (statement(one).to_string(), String::new()));
    if document.statements().is_empty() {
        [(document.text().to_owned(), String::new())].into()
    } else {
        written.collect()
    }
}

impl Memory {
    /// Who moved, given a resource as it is and as it is to become; and who moved each attribute, where it is known.
    pub(super) fn blame(
        &self,
        address: &str,
        action: Action,
        (before, after): (Option<Seen<'_>>, Option<Seen<'_>>),
        diffs: &mut [AttributeDiff],
    ) -> Cause {
        if self.since == Since::Now {
            return Cause::Unknown;
        }
        let known = self.resources.get(address);
        let [before, after] = [before, after].map(|seen| {
            let seen = seen.map(|seen| seen.digests(&self.salt));
            match known {
                Some(known) => seen.map(|seen| named_alike(&known.items, seen, &self.salt)),
                None => seen,
            }
        });
        if let (Some(known), Some(before), Some(after)) = (known, &before, &after) {
            for diff in diffs {
                diff.cause = blame(&known.items, before, after)
                    .get(&diff.attribute)
                    .copied();
            }
        }
        match (known, before, after) {
            // What was never seen as desired is new in the file.
            (None, None, Some(_)) => Cause::Desired,
            (None, Some(_), Some(_)) if action == Action::Adopt => Cause::Desired,
            (None, ..) | (Some(_), None, None) => Cause::Unknown,
            (Some(known), None, Some(after)) => {
                if moved(&known.items, &after).is_empty() {
                    Cause::Drift
                } else {
                    Cause::Both
                }
            }
            (Some(known), Some(before), None) => {
                if moved(&known.items, &before).is_empty() {
                    Cause::Desired
                } else {
                    Cause::Both
                }
            }
            (Some(known), Some(before), Some(after)) => {
                let causes = blame(&known.items, &before, &after);
                causes
                    .into_values()
                    .reduce(Cause::and)
                    .unwrap_or(Cause::Unknown)
            }
        }
    }

    /// The rollback that made a resource differ, going by who moved and how the resource is now.
    pub(super) fn rolled_back(
        &self,
        address: &str,
        cause: Cause,
        before: Option<Seen<'_>>,
    ) -> Option<String> {
        let RolledBack { run, left } = self.rolled_back.get(address)?;
        if !matches!(cause, Cause::Drift | Cause::Both) {
            return None;
        }
        let is_as_left = match (left, before.map(|seen| seen.digests(&self.salt))) {
            (None, None) => true,
            (Some(left), Some(now)) => {
                moved(&left.items, &named_alike(&left.items, now, &self.salt)).is_empty()
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_as_left.then(|| run.clone())
    }

    /// Addresses that are remembered and no longer there.
    pub(super) fn gone(&self, changes: &[Change], live: &LiveAccount) -> BTreeSet<String> {
        let stays = |address: &&String| {
            find(address, live).is_some()
                || changes.iter().any(|change| change.address == **address)
        };
        self.resources
            .keys()
            .filter(|address| !stays(address))
            .cloned()
            .collect()
    }
}

/// Items that are not alike, where both sides know the attribute.
fn moved<'a>(one: &'a Items, other: &'a Items) -> BTreeSet<(Attribute, &'a str)> {
    let mut found = BTreeSet::new();
    for (attribute, here) in one {
        let Some(there) = other.get(attribute) else {
            continue;
        };
        let names = here
            .keys()
            .chain(there.keys())
            .filter(|name| here.get(*name) != there.get(*name));
        found.extend(names.map(|name| (*attribute, name.as_str())));
    }
    found
}

/// Who moved each attribute that differs.
fn blame(known: &Items, before: &Items, after: &Items) -> BTreeMap<Attribute, Cause> {
    let by_hand = moved(known, before);
    let by_file = moved(known, after);
    let mut causes = BTreeMap::new();
    for item in moved(before, after) {
        let cause = match (by_hand.contains(&item), by_file.contains(&item)) {
            (true, true) => Cause::Both,
            (true, false) => Cause::Drift,
            (false, true) => Cause::Desired,
            (false, false) => Cause::Unknown,
        };
        causes
            .entry(item.0)
            .and_modify(|known: &mut Cause| *known = known.and(cause))
            .or_insert(cause);
    }
    causes
}

/// The resource at `address`, as far as it is there.
fn find<'a>(address: &str, live: &'a LiveAccount) -> Option<Found<'a>> {
    match super::resource_at(address)? {
        ResourceKind::Role(name) => live.roles.get(&name.key()).map(Found::Role),
        ResourceKind::Policy(name) => live.policies.get(&name.key()).map(Found::Policy),
        ResourceKind::Grant(principal) => live
            .grants
            .get(&principal.key())
            .and_then(|grant| grant.state.document())
            .map(Found::Grant),
        ResourceKind::Attachment(id) => live
            .roles
            .get(&id.role.key())
            .and_then(|role| id.find(role))
            .map(Found::Attachment),
    }
}

enum Found<'a> {
    Role(&'a LiveRole),
    Policy(&'a LivePolicy),
    Grant(&'a PolicyDocument),
    Attachment(Placed<'a>),
}

/// The attributes of a change's resource as it was found, for the record of the run; `null` where it was not there.
///
/// `known` is what was remembered of it. Sensitive values are salted digests, and so is whatever stood where a sensitive
/// value is written now or was remembered: it is a secret that is being replaced.
pub fn found(
    change: &Change,
    live: &LiveAccount,
    salt: &str,
    secrets: &Secrets,
    known: Option<&Converged>,
) -> Value {
    let Some(found) = remember(&change.address, live, salt, secrets) else {
        return Value::Null;
    };
    let is_secret = |text: &str| secrets.occurs_in(text);
    let hidden = mask::conceal(
        &found.values,
        &mask::written(&change.steps),
        &is_secret,
        salt,
    );
    match known {
        Some(known) => mask::conceal(&hidden, &known.values, &Secrets::is_sealed, salt),
        None => hidden,
    }
}

/// What is to be remembered of the resource at `address`; `None` where it is not there.
pub fn remember(
    address: &str,
    live: &LiveAccount,
    salt: &str,
    secrets: &Secrets,
) -> Option<Converged> {
    let ids = super::fingerprint::ids(live);
    let seen = match find(address, live)? {
        Found::Role(role) => Seen::Role(role, &ids),
        Found::Policy(policy) => Seen::Policy(policy),
        Found::Grant(document) => Seen::Grant(document),
        Found::Attachment(placed) => Seen::Attachment(placed),
    };
    Some(seen.converged(salt, secrets))
}
