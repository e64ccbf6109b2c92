//! Fingerprints of live resources, and what they tell before and after writing.
//!
//! A fingerprint is a digest, in canonical form, of what a change is about ([`Coverage`]): what the desired state manages
//! and what the steps depend on. What IAM spells otherwise or numbers by itself (unique ids, times) is left out, so a
//! resource as the steps leave it has a fingerprint before it exists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::coverage::{Coverage, Extent, statements};
use super::digest::{canonical, digest};
use super::predict::predict;
use super::{AccountPlan, Change, ResourceKind};
use crate::diff::is_system_tag;
use crate::live::LiveAccount;
use crate::org::Partition;
use crate::resource::Tags;
use crate::resource::attachment::Placed;
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::PolicyName;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::{LiveRole, RoleDetails};
use crate::resource::step::Step;

/// What a fingerprint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To know again what was read.
    Seen,
    /// To know it again right before it is written: a document that is written as a whole counts as a whole.
    Written,
    /// To know what the steps leave.
    Expected,
}

/// Whether a change has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Convergence {
    /// Live IAM is as the steps should have left it.
    Converged,
    /// It is not, and this is what is seen.
    Differs(String),
}

/// The ARNs, by unique id, of the roles that a run deletes.
///
/// IAM shows the id of a deleted role in the trust policies that named its ARN. Where the run itself deleted the role, as
/// it does to replace it, that is not someone else's change.
pub type Deleted = BTreeMap<String, String>;

/// The roles that `plan` deletes or replaces, as `live` has them.
pub fn deleted(plan: &AccountPlan, live: &LiveAccount) -> Deleted {
    let steps = plan.changes.iter().flat_map(|change| &change.steps);
    let roles = steps.filter_map(|step| match step {
        Step::DeleteRole { role } => live.roles.get(&role.key()),
        _ => None,
    });
    roles
        .map(|role| (role.id.clone(), role.arn.clone()))
        .collect()
}

/// The addresses of changes in `plan` whose resource is no longer as the plan saw it.
///
/// # Guarantees
/// - An address that is not returned had, when `live` was read, exactly the fingerprint that the plan was made from.
/// - Changes without steps are never returned: nothing is written for them.
///
/// # Assumptions
/// - `live` has the resources of all changes, with the tags of policies, and with details where a change has them. A
///   resource that is missing from `live` counts as deleted.
pub fn recheck(plan: &AccountPlan, live: &LiveAccount, deleted: &Deleted) -> BTreeSet<String> {
    let now = |change: &Change| {
        now(
            &change.address,
            &change.watch.covers,
            live,
            deleted,
            Purpose::Written,
        )
    };
    let stale = |change: &&Change| now(change).is_none_or(|now| now.digest != change.watch.found);
    let touched = plan
        .changes
        .iter()
        .filter(|change| !change.steps.is_empty());
    touched
        .filter(stale)
        .map(|change| change.address.clone())
        .collect()
}

/// What a run knows of an account when it looks there again.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// What it found before its first write there.
    pub first: &'a LiveAccount,
    /// What it wrote there since.
    pub wrote: &'a [Step],
    /// The inline policy that holds the directory's grants.
    pub grants: &'a PolicyName,
    /// The partition of the run.
    pub partition: &'a Partition,
}

/// The addresses of `changes` whose resource is neither as it was found first nor as the run itself left it since.
///
/// `live` must hold what [`recheck`] asks for.
pub fn recheck_later<'a>(
    changes: impl IntoIterator<Item = &'a Change>,
    earlier: Earlier<'_>,
    live: &LiveAccount,
    deleted: &Deleted,
) -> BTreeSet<String> {
    let Earlier {
        first,
        wrote,
        grants,
        partition,
    } = earlier;
    let left = predict(first, wrote, grants, partition);
    let of = |change: &Change, live: &LiveAccount| {
        now(
            &change.address,
            &change.watch.covers,
            live,
            deleted,
            Purpose::Written,
        )
        .map(|now| now.digest)
    };
    let stale =
        |change: &&Change| of(change, live).is_none_or(|now| Some(now) != of(change, &left));
    changes
        .into_iter()
        .filter(stale)
        .map(|change| change.address.clone())
        .collect()
}

/// How the resource of a change is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// As the plan saw it.
    AsSeen,
    /// As its steps would leave it.
    AsExpected,
    /// Otherwise.
    Moved,
}

/// How `live` holds the resource of `change`.
pub(super) fn sight(change: &Change, live: &LiveAccount) -> Sighting {
    let seen = now(
        &change.address,
        &change.watch.covers,
        live,
        &Deleted::new(),
        Purpose::Seen,
    );
    match seen {
        // What names no resource cannot have moved.
        None => Sighting::AsSeen,
        Some(seen) if seen.digest == change.fingerprint => Sighting::AsSeen,
        Some(_) if converged(change, live) == Convergence::Converged => Sighting::AsExpected,
        Some(_) => Sighting::Moved,
    }
}

/// Whether the resource of `change` is as its steps should have left it.
///
/// # Guarantees
/// - [`Convergence::Converged`] only for what is in `live`: a write that IAM accepted and does not show yet differs.
///
/// # Assumptions
/// - `live` was read after the last step, with the same details as the plan.
pub fn converged(change: &Change, live: &LiveAccount) -> Convergence {
    let Some(now) = now(
        &change.address,
        &change.watch.covers,
        live,
        &Deleted::new(),
        Purpose::Expected,
    ) else {
        return Convergence::Differs(format!(
            "`{}` is not a role, policy, grant or attachment",
            change.address
        ));
    };
    if now.digest == change.expected {
        Convergence::Converged
    } else {
        let gone = change.expected == absent();
        Convergence::Differs(match (now.exists, gone) {
            (false, _) => "it does not exist".to_owned(),
            (true, true) => "it still exists".to_owned(),
            (true, false) => "it differs from what was written".to_owned(),
        })
    }
}

/// Whether all of the resource at `address` is as steps were to leave it.
pub(super) fn is_as_left(address: &str, details: bool, expected: &str, live: &LiveAccount) -> bool {
    let whole = Coverage::whole(details);
    now(address, &whole, live, &Deleted::new(), Purpose::Expected)
        .is_some_and(|now| now.digest == expected)
}

struct Now {
    exists: bool,
    digest: String,
}

fn now(
    address: &str,
    covers: &Coverage,
    live: &LiveAccount,
    deleted: &Deleted,
    purpose: Purpose,
) -> Option<Now> {
    let mut ids = ids(live);
    ids.extend(deleted.iter().map(|(id, arn)| (id.as_str(), arn.as_str())));
    let (exists, digest) = match super::resource_at(address)? {
        ResourceKind::Role(name) => {
            let role = live.roles.get(&name.key());
            (role.is_some(), of_role(role, &ids, covers, purpose))
        }
        ResourceKind::Policy(name) => {
            let policy = live.policies.get(&name.key());
            (policy.is_some(), of_policy(policy, covers, purpose))
        }
        ResourceKind::Grant(principal) => {
            let document = live
                .grants
                .get(&principal.key())
                .and_then(|grant| grant.state.document());
            (document.is_some(), of_grant(document))
        }
        ResourceKind::Attachment(id) => {
            let placed = live
                .roles
                .get(&id.role.key())
                .and_then(|role| id.find(role));
            (placed.is_some(), of_attachment(placed))
        }
    };
    Some(Now { exists, digest })
}

/// The ARNs of an account's roles by their unique ids.
pub(super) fn ids(live: &LiveAccount) -> BTreeMap<&str, &str> {
    live.roles
        .values()
        .map(|role| (role.id.as_str(), role.arn.as_str()))
        .collect()
}

/// The fingerprint of what does not exist.
pub(super) fn absent() -> String {
    digest(&Value::Null)
}

pub(super) fn of_role(
    role: Option<&LiveRole>,
    ids: &BTreeMap<&str, &str>,
    covers: &Coverage,
    purpose: Purpose,
) -> String {
    let Some(role) = role else { return absent() };
    let LiveRole {
        name: _,
        id: _,
        arn: _,
        path,
        details,
        trust,
        managed_policies,
        inline_policies,
        permissions_boundary,
        tags,
        instance_profiles,
    } = role;
    let detail = |extent: &Extent, value: fn(&RoleDetails) -> Value| {
        details
            .as_ref()
            .filter(|_| *extent == Extent::Whole)
            .map(value)
    };
    let trust = trust.resolve_principals(&|id| ids.get(id).map(|arn| (*arn).to_owned()));
    let trust = match &covers.trust {
        Extent::Nothing => Value::Null,
        Extent::Parts(ours) if !(purpose == Purpose::Written && covers.writes_trust) => {
            let there: BTreeSet<String> = statements(&trust).collect();
            json!(there.intersection(ours).collect::<Vec<_>>())
        }
        _ => canonical(&trust),
    };
    // A grant to this role, or an attachment, is a resource of its own, which the same run may write.
    let grants = covers.grants && purpose != Purpose::Expected;
    let inline: BTreeMap<&str, Value> = inline_policies
        .iter()
        .filter(|(name, _)| {
            covers.inline_policies.has(name.as_str()) && (grants || !name.is_known_by_name())
        })
        .map(|(name, document)| (name.as_str(), canonical(document)))
        .collect();
    let attached: Vec<String> = managed_policies
        .iter()
        .map(ToString::to_string)
        .filter(|arn| covers.managed_policies.has(arn))
        .collect();
    let boundary = permissions_boundary
        .as_ref()
        .filter(|_| covers.permissions_boundary == Extent::Whole);
    digest(&json!({
        "path": path,
        "description": detail(&covers.description, |details| json!(details.description)),
        "max_session_duration": detail(&covers.max_session_duration, |details| json!(details.max_session_duration)),
        "trust": trust,
        "managed_policies": attached,
        "inline_policies": inline,
        "permissions_boundary": boundary,
        "tags": own(tags, &covers.tags),
        "instance_profiles": (covers.instance_profiles == Extent::Whole).then_some(instance_profiles),
    }))
}

pub(super) fn of_grant(document: Option<&PolicyDocument>) -> String {
    document.map_or_else(absent, |document| {
        digest(&json!({ "document": canonical(document) }))
    })
}

pub(super) fn of_attachment(placed: Option<Placed<'_>>) -> String {
    match placed {
        None => absent(),
        Some(Placed::Inline(document)) => of_grant(Some(document)),
        Some(Placed::Managed(arn)) => digest(&json!({ "managed_policies": [arn] })),
    }
}

pub(super) fn of_policy(
    policy: Option<&LivePolicy>,
    covers: &Coverage,
    purpose: Purpose,
) -> String {
    let Some(policy) = policy else {
        return absent();
    };
    let LivePolicy {
        arn: _,
        name: _,
        path,
        description: _,
        document,
        versions,
        attachments: _,
        boundaries: _,
        tags,
    } = policy;
    let versions: BTreeMap<&str, bool> = versions
        .iter()
        .map(|v| (v.id.as_str(), v.is_default))
        .collect();
    digest(&json!({
        "path": path,
        "document": (covers.trust != Extent::Nothing).then(|| canonical(document)),
        "tags": tags.as_ref().map(|tags| own(tags, &covers.tags)),
        "versions": (purpose != Purpose::Expected && covers.versions == Extent::Whole).then_some(versions),
    }))
}

fn own<'a>(tags: &'a Tags, covers: &Extent) -> BTreeMap<&'a String, &'a String> {
    tags.iter()
        .filter(|(key, _)| !is_system_tag(key) && covers.has(&key.to_lowercase()))
        .collect()
}
