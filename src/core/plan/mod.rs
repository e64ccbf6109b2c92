//! The plan: what differs, what will be written, and its findings.
//!
//! [`needs`] says what the bulk read of an account leaves open, [`plan_account`] plans one account, [`build`] puts the
//! accounts together, and [`recheck`] and [`converged`] tell before and after writing whether live IAM is as the plan
//! has it. All of it is pure, and the same input gives the same bytes.
//!
//! A change that a stop finding speaks against is in the plan all the same, because a reviewer must see what would
//! be written before allowing it; apply refuses the whole plan while [`Plan::stops`] is not empty. Three findings leave
//! no change behind: `foreign-owner` and `protected-role`, which nothing allows, and `adopt`, as long as it is not
//! allowed. `adopt-path` leaves none either: adoption never replaces.
//!
//! The order of one account's changes is in the list and, for those who run changes side by side, in [`Change::after`].
//! A resource that is replaced is one change; where a policy is replaced, its change detaches it from the roles that
//! hold it, and the changes of those roles, which come after, attach the new one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod account;
mod attachment;
mod claim;
mod context;
mod coverage;
mod digest;
mod disposition;
mod file;
mod fingerprint;
mod grant;
mod guard;
mod lints;
mod mask;
mod memory;
mod order;
mod planner;
mod policy;
mod power;
mod predict;
mod principals;
mod quota;
mod remark;
mod reproduce;
mod restore;
mod role;
mod settings;
mod show;

mod steps;
mod tally;
mod trusts;

pub use account::{Needs, needs, plan_account, skipped, unreadable};
pub use claim::prevent_destroy;
pub use coverage::{Coverage, Extent};
pub use file::{LoadError, Signature, load, load_masked, save, signature};
pub use fingerprint::{
    Convergence, Deleted, Earlier, Sighting, converged, deleted, recheck, recheck_later,
};
pub use grant::outside;
pub use guard::{build, exceeds_limits};
pub use lints::{lints, lints_alone};
pub use memory::{Converged, Items, Memory, Records, RolledBack, Since, found, remember};
pub use remark::unmanaged_permissions;
pub use reproduce::{Left, Reproduced, Scope, Standings, reproduce, standings};
pub use restore::{Found, WayBack, way_back};
pub use settings::{Acceptance, Extras, Header, Intent, RoleKey, Settings, Unmanaged};
pub use show::differ;
pub use trusts::{Caller, Demand, Place, Trust, TrustMap, trusts};

use crate::org::{AccountId, AwsError};
use crate::resource::attachment::AttachmentId;
use crate::resource::grant::Principal;
use crate::resource::name::{PolicyName, RoleName};
use crate::resource::policy::StatementDiff;
use crate::resource::step::Step;

/// The version of the plan's JSON.
pub const FORMAT: &str = "rolecall-plan/1";

/// A whole plan. Immutable: the reviewed thing is the applied thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: String,
    /// The directory's `name`.
    pub name: String,
    /// The organization it was made for.
    pub organization_id: String,
    /// When, RFC 3339 UTC.
    pub created_at: String,
    /// The digest of the desired state.
    pub desired_digest: String,
    /// What it was narrowed to, and whether it prunes.
    #[serde(default, skip_serializing_if = "Scope::is_default")]
    pub scope: Scope,
    /// Accounts in order of id.
    pub accounts: Vec<AccountPlan>,
    /// What guards say.
    pub findings: Vec<Finding>,
    /// The codes of stop findings that `--allow` named when the plan was made.
    pub allowed: BTreeSet<String>,
    /// The counts.
    pub summary: Summary,
}

/// One account's part of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountPlan {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its OU's path.
    pub ou: String,
    /// Whether it was read.
    pub status: Status,
    /// Why it was not read or skipped.
    pub error: Option<Reason>,
    /// What changes, in the order it is done.
    pub changes: Vec<Change>,
    /// Guards' words about this account; moved into the plan's list when it is built.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// Resources that are as desired.
    #[serde(skip)]
    pub unchanged: usize,
    /// Resources that this directory manages.
    #[serde(skip)]
    pub owned: usize,
    /// Resources that this directory manages, does not declare, and keeps.
    #[serde(skip)]
    pub orphans: usize,
    /// Resources that the desired state speaks of, including those that should be absent.
    #[serde(skip)]
    pub desired: usize,
    /// What is as desired and not remembered so, by address. Only where there is a memory.
    #[serde(skip)]
    pub seen: BTreeMap<String, Converged>,
    /// Addresses that are remembered, no longer there and not desired.
    #[serde(skip)]
    pub gone: BTreeSet<String>,
}

/// Whether an account was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The account was read.
    Read,
    /// It could not be.
    Unreadable,
    /// It is not active.
    Skipped,
}

/// Why an account was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reason {
    /// AWS refused.
    Aws(AwsError),
    /// It was left out, with the reason.
    Text(String),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Aws(error) => error.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// One resource's change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `<account-id>/role/<name>`, `<account-id>/policy/<name>`, `<account-id>/grant/<user|group|role>/<principal>` or
    /// `<account-id>/attachment/<role>/<managed|inline>/<policy>`.
    pub address: String,
    /// What is done.
    pub action: Action,
    /// Why, in words.
    pub reason: String,
    /// Whether nothing changes in meaning; then there are no steps.
    pub cosmetic: bool,
    /// Who moved.
    pub cause: Cause,
    /// The rollback that changed the resource, if nothing else changed it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<String>,
    /// Attributes that differ, and that an `[[accept]]` leaves as they are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accepted: BTreeSet<Attribute>,
    /// `sha256:…` of what this change is about, as it was read.
    pub fingerprint: String,
    /// `sha256:…` of the same as the steps leave it.
    pub expected: String,
    /// Whether descriptions and durations were read.
    pub details: bool,
    /// What this change is about, and how it is known again. Not shown. A plan that was saved before there was this has
    /// none, and its changes are stale.
    #[serde(default)]
    pub watch: Watch,
    /// Addresses of changes that must be done before this one; they may be in other accounts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<String>,
    /// Addresses of changes that must be done before the last step, which writes the trust policy of a role that closes a
    /// circle of trust. Whoever waits for this change waits only for the steps before that one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub finish_after: BTreeSet<String>,
    /// What differs, sensitive values masked.
    pub diffs: Vec<AttributeDiff>,
    /// The writes, in order.
    pub steps: Vec<Step>,
}

/// What a change is about, and how it is known again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// What of the resource counts.
    pub covers: Coverage,
    /// `sha256:…` of that as it was read, with documents that the steps write as a whole.
    pub found: String,
    /// `sha256:…` of all of the resource as the steps leave it.
    pub leaves: String,
}

impl Change {
    /// The role, policy, grant or attachment that this changes.
    pub fn resource(&self) -> Option<ResourceKind> {
        resource_at(&self.address)
    }
}

/// The resource at `address`, within its account.
pub fn resource_at(address: &str) -> Option<ResourceKind> {
    let mut parts = address.splitn(3, '/').skip(1);
    match (parts.next()?, parts.next()?) {
        ("role", name) => RoleName::parse(name).ok().map(ResourceKind::Role),
        ("policy", name) => PolicyName::parse(name).ok().map(ResourceKind::Policy),
        ("grant", principal) => {
            let (kind, name) = principal.split_once('/')?;
            Principal::parse(kind, name)?.ok().map(ResourceKind::Grant)
        }
        ("attachment", id) => AttachmentId::parse(id).map(ResourceKind::Attachment),
        _ => None,
    }
}

/// The resource at an address, within its account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A role.
    Role(RoleName),
    /// A customer managed policy.
    Policy(PolicyName),
    /// What the directory grants to a principal.
    Grant(Principal),
    /// A policy on a role of another owner.
    Attachment(AttachmentId),
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Action {
    Create,
    Update,
    Replace,
    Delete,
    Adopt,
}

/// The cause: the file, the live resource, both, or unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Cause {
    Desired,
    Drift,
    Both,
    Unknown,
}

impl Cause {
    /// The combined cause of two things. An unknown cause of one does not hide the known cause of the other.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, known) | (known, Self::Unknown) => known,
            (one, other) if one == other => one,
            _ => Self::Both,
        }
    }
}

/// One attribute that differs. For display: sensitive values are masked already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeDiff {
    /// The attribute that differs.
    pub attribute: Attribute,
    /// Whether the two mean the same.
    pub cosmetic: bool,
    /// Whether access widens.
    pub widens: bool,
    /// Whether access would widen by taking the difference back, where the two sides do not show it: a policy that denies
    /// is attached.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reverse_widens: bool,
    /// Who moved this attribute; only where the resource is remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// What was read; `null` where there was nothing.
    pub before: Value,
    /// What is desired; `null` for nothing.
    pub after: Value,
    /// Documents, statement by statement: trust and document have one entry, inline policies one for each that differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<DocumentDiff>,
}

/// One document's difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentDiff {
    /// The inline policy's name.
    pub policy: Option<String>,
    /// What happened to its statements.
    pub statements: Vec<StatementDiff>,
}

/// An attribute of a role or policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Attribute {
    Path,
    Trust,
    Document,
    ManagedPolicies,
    InlinePolicies,
    PermissionsBoundary,
    MaxSessionDuration,
    Description,
    Tags,
}

impl Attribute {
    /// Its name, as the desired state and the JSON write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Trust => "trust",
            Self::Document => "document",
            Self::ManagedPolicies => "managed_policies",
            Self::InlinePolicies => "inline_policies",
            Self::PermissionsBoundary => "permissions_boundary",
            Self::MaxSessionDuration => "max_session_duration",
            Self::Description => "description",
            Self::Tags => "tags",
        }
    }
}

/// A guard's or a lint's word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finding {
    /// Stable.
    pub code: String,
    /// Whether apply is refused.
    pub severity: Severity,
    /// The resource it is about, or `null` for the whole plan.
    pub address: Option<String>,
    /// What, and how to fix it.
    pub message: String,
}

impl Finding {
    pub(crate) fn stop(code: &str, address: &str, message: String) -> Self {
        Self {
            code: code.to_owned(),
            severity: Severity::Stop,
            address: Some(address.to_owned()),
            message,
        }
    }

    pub(crate) fn warn(code: &str, address: &str, message: String) -> Self {
        Self {
            severity: Severity::Warn,
            ..Self::stop(code, address, message)
        }
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Apply is refused unless allowed.
    Stop,
    /// Shown.
    Warn,
}

/// The counts of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Summary {
    /// Accounts in the plan that are active: read or unreadable.
    pub accounts: usize,
    pub unreadable: usize,
    pub create: usize,
    pub update: usize,
    pub replace: usize,
    pub delete: usize,
    pub adopt: usize,
    pub unchanged: usize,
    pub cosmetic: usize,
    pub orphans: usize,
    pub steps: usize,
}

#[cfg(test)]
mod tests;
