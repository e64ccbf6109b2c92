//! Roles, as desired and as seen.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::name::{IamPath, PolicyArn, PolicyName, RoleName};
use super::policy::PolicyDocument;
use super::{Origin, Tags};

/// The default of `MaxSessionDuration`, in seconds.
pub const DEFAULT_MAX_SESSION: u32 = 3600;

/// A role as the desired state wants it in one account.
///
/// `None` in an `Option` means: not written, so not managed and never drift. An empty collection means: exclusively none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the desired state"
)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// Its path; a role that exists keeps its own where this is `None`, a new one gets `/`.
    pub path: Option<IamPath>,
    /// Its description; `Some("")` means none.
    pub description: Option<String>,
    /// Its maximum session duration in seconds.
    pub max_session_duration: Option<u32>,
    /// Who may assume it.
    pub trust: PolicyDocument,
    /// The attached managed policies.
    pub managed_policies: Option<BTreeSet<PolicyRef>>,
    /// The inline policies by name.
    pub inline_policies: Option<BTreeMap<PolicyName, PolicyDocument>>,
    /// The permissions boundary; `Some(None)` means none.
    pub permissions_boundary: Option<Option<PolicyRef>>,
    /// Its tags, the owner's mark aside.
    pub tags: Option<Tags>,
    /// Which attributes are managed exclusively.
    pub manage: Manage,
    /// Whether a role of this name that has no ownership tag may be taken over.
    pub adopt: bool,
    /// Whether it is created where it does not exist.
    pub create: bool,
    /// Whether it should exist.
    pub ensure: Ensure,
    /// Whether someone else owns it: compared and reported, never written.
    pub external: bool,
    /// Whether a plan that deletes or replaces it is refused.
    pub prevent_destroy: bool,
    /// The CloudFormation stack that made it and no longer manages it, by its name or a glob over that.
    pub former_stack: Option<String>,
    /// The day from whose 00:00 UTC on it should not exist.
    pub expires: Option<Date>,
    /// What it must and must not be able to do: proven by `verify`, never written to AWS.
    pub expect: Vec<Expectation>,
    /// Where it is written.
    pub origin: Origin,
}

/// What a role must and must not be able to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// Actions that must be allowed, each with the resource it is done on. `*` and `?` in an action mean all of them.
    pub allow: Vec<(String, String)>,
    /// Actions that must be refused, each with the resource it is done on.
    pub deny: Vec<(String, String)>,
    /// The condition keys of the request, with their values.
    pub context: BTreeMap<String, Vec<String>>,
}

/// A reference to a managed policy, resolved against the account it is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyRef {
    /// `aws:NAME` or a full ARN.
    Arn(PolicyArn),
    /// `local:NAME`: a customer managed policy of the same account, desired here or already there.
    Local(PolicyName),
}

/// For each attribute with many parts, whether others' parts are removed or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manage {
    /// The statements of the trust policy.
    pub trust: Mode,
    /// The attached policies.
    pub managed_policies: Mode,
    /// The inline policies.
    pub inline_policies: Mode,
    /// The tags.
    pub tags: Mode,
}

impl Default for Manage {
    fn default() -> Self {
        Self {
            trust: Mode::Exclusive,
            managed_policies: Mode::Exclusive,
            inline_policies: Mode::Exclusive,
            tags: Mode::Additive,
        }
    }
}

/// Whether what we do not desire is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Exactly what is desired.
    Exclusive,
    /// At least what is desired; others' parts stay.
    Additive,
}

/// Whether a role should exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensure {
    /// It should.
    Present,
    /// It should not; only a role that this directory manages is deleted.
    Absent,
}

/// A role as one read saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRole {
    /// Its name.
    pub name: RoleName,
    /// Its unique id, `AROA…`.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its path.
    pub path: IamPath,
    /// Description and duration, where they were read: `GetAccountAuthorizationDetails` lacks them.
    pub details: Option<RoleDetails>,
    /// Who may assume it.
    pub trust: PolicyDocument,
    /// The attached managed policies.
    pub managed_policies: BTreeSet<PolicyArn>,
    /// The inline policies by name.
    pub inline_policies: BTreeMap<PolicyName, PolicyDocument>,
    /// The permissions boundary.
    pub permissions_boundary: Option<PolicyArn>,
    /// Its tags, AWS's own (`aws:…`) included.
    pub tags: Tags,
    /// The instance profiles that hold it, by name.
    pub instance_profiles: BTreeSet<String>,
}

/// What only `GetRole` and `ListRoles` tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDetails {
    /// The description; empty where there is none.
    pub description: String,
    /// The maximum session duration in seconds.
    pub max_session_duration: u32,
}
