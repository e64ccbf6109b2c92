//! Fingerprints of live resources, and what they tell before and after writing.
//!
//! A fingerprint is a digest of everything we could write, in canonical form: what IAM spells otherwise or numbers by
//! itself (unique ids, version numbers, times) is left out, so a resource as the steps leave it has a fingerprint before
//! it exists. The fingerprint of what was read also covers what the steps were chosen by and would stumble over: a
//! policy's stored versions and a role's instance profiles. Descriptions and durations are part of it only where the plan
//! read them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::predict::predict;
use super::{AccountPlan, Change, ResourceKind};
use crate::diff::is_system_tag;
use crate::live::LiveAccount;
use crate::org::Partition;
use crate::resource::Tags;
use crate::resource::attachment::Placed;
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::PolicyName;
use crate::resource::policy::{Effect, Patterns, PolicyDocument, Principals, Statement, Version};
use crate::resource::role::LiveRole;
use crate::resource::step::Step;

/// What a fingerprint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To know again what was read.
    Seen,
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
            change.details,
            live,
            deleted,
            Purpose::Seen,
        )
    };
    let stale = |change: &&Change| now(change).is_none_or(|now| now.digest != change.fingerprint);
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
            change.details,
            live,
            deleted,
            Purpose::Seen,
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
        change.details,
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
        change.details,
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

/// Whether the resource at `address` has the fingerprint that steps were to leave.
pub(super) fn is_as_left(address: &str, details: bool, expected: &str, live: &LiveAccount) -> bool {
    now(address, details, live, &Deleted::new(), Purpose::Expected)
        .is_some_and(|now| now.digest == expected)
}

struct Now {
    exists: bool,
    digest: String,
}

fn now(
    address: &str,
    details: bool,
    live: &LiveAccount,
    deleted: &Deleted,
    purpose: Purpose,
) -> Option<Now> {
    let mut ids = ids(live);
    ids.extend(deleted.iter().map(|(id, arn)| (id.as_str(), arn.as_str())));
    let (exists, digest) = match super::resource_at(address)? {
        ResourceKind::Role(name) => {
            let role = live.roles.get(&name.key());
            (role.is_some(), of_role(role, &ids, details, purpose))
        }
        ResourceKind::Policy(name) => {
            let policy = live.policies.get(&name.key());
            (policy.is_some(), of_policy(policy, purpose))
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
    with_details: bool,
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
    let details = details.as_ref().filter(|_| with_details);
    let trust = trust.resolve_principals(&|id| ids.get(id).map(|arn| (*arn).to_owned()));
    let inline: BTreeMap<&str, Value> = inline_policies
        .iter()
        // A grant to this role, or an attachment, is a resource of its own, which the same run may write.
        .filter(|(name, _)| purpose == Purpose::Seen || !name.is_known_by_name())
        .map(|(name, document)| (name.as_str(), canonical(document)))
        .collect();
    digest(&json!({
        "path": path,
        "details": details.map(|details| json!([details.description, details.max_session_duration])),
        "trust": canonical(&trust),
        "managed_policies": managed_policies,
        "inline_policies": inline,
        "permissions_boundary": permissions_boundary,
        "tags": own(tags),
        "instance_profiles": (purpose == Purpose::Seen).then_some(instance_profiles),
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

pub(super) fn of_policy(policy: Option<&LivePolicy>, purpose: Purpose) -> String {
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
        "document": canonical(document),
        "tags": tags.as_ref().map(own),
        "versions": (purpose == Purpose::Seen).then_some(versions),
    }))
}

fn own(tags: &Tags) -> BTreeMap<&String, &String> {
    tags.iter().filter(|(key, _)| !is_system_tag(key)).collect()
}

/// A document's meaning. Sids are left out: they mean nothing.
pub(super) fn canonical(document: &PolicyDocument) -> Value {
    if document.statements().is_empty() {
        return json!({ "text": document.text() });
    }
    let version = match document.version() {
        Version::V2008 => "2008-10-17",
        Version::V2012 => "2012-10-17",
    };
    let statements: BTreeSet<String> = document
        .statements()
        .iter()
        .map(|one| statement(one).to_string())
        .collect();
    json!({ "version": version, "statements": statements })
}

pub(super) fn statement(statement: &Statement) -> Value {
    let Statement {
        sid: _,
        effect,
        principals,
        actions,
        resources,
        conditions,
    } = statement;
    let effect = match effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    json!({
        "effect": effect,
        "principals": principals.as_ref().map(|Principals { negated, kinds }| json!([negated, kinds])),
        "actions": patterns(actions),
        "resources": resources.as_ref().map(patterns),
        "conditions": conditions,
    })
}

fn patterns(Patterns { negated, patterns }: &Patterns) -> Value {
    json!([negated, patterns])
}

fn digest(value: &Value) -> String {
    format!("sha256:{}", sha256(value.to_string().as_bytes()))
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a `String` cannot fail.
            _ = write!(text, "{byte:02x}");
            text
        })
}
