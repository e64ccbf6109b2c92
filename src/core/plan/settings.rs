//! The decisions of a run before it plans.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::desired::Limits;
use crate::lint;
use crate::org::{AccountId, Partition, glob};
use crate::resource::Origin;
use crate::resource::name::RoleName;
use crate::resource::secret::Secrets;

/// A role's name as IAM tells names apart: [`RoleName::key`].
pub type RoleKey = String;

/// What planning an account depends on, besides the account.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory's `name`: the ownership tag of what it manages.
    pub name: String,
    /// The partition of the caller.
    pub partition: Partition,
    /// The organization's management account.
    pub management_account: AccountId,
    /// What happens to what is managed and not desired.
    pub extras: Extras,
    /// The codes of stop findings that `--allow` names.
    pub allow: BTreeSet<String>,
    /// How much a plan may do before a guard stops it.
    pub limits: Limits,
    /// Roles that the run itself goes through: the access role of each account, the caller's own role.
    pub protected: BTreeSet<(AccountId, RoleKey)>,
    /// Globs over role names; what matches none is out of scope. Empty is everything.
    pub roles: Vec<String>,
    /// How much lints weigh, and who belongs to the organization.
    pub lints: lint::Settings,
    /// The values that are never shown.
    pub secrets: Secrets,
    /// What the plan is for.
    pub intent: Intent,
    /// The day it is made, in UTC.
    pub today: Date,
    /// What happens to roles that this directory does not manage.
    pub unmanaged: Unmanaged,
    /// The differences that are accepted on that day: they are left as they are.
    pub accepts: Vec<Acceptance>,
    /// Addresses that an unfinished run of the same desired state began. The limits judged them when it did, and do not
    /// count them again.
    pub begun: BTreeSet<String>,
}

/// A difference that is accepted for a while: an `[[accept]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The address of the resource; `*` stands for any run of characters.
    pub address: String,
    /// The name of an attribute.
    pub attribute: String,
    /// Why.
    pub reason: String,
    /// The last day it holds.
    pub until: Date,
    /// Where it is written.
    pub origin: Origin,
}

/// What becomes of roles that this directory does not manage and does not declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmanaged {
    /// Nothing is said of them.
    Left,
    /// Those that trust someone outside the organization are listed.
    Listed,
}

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Live IAM becomes as desired.
    Converge,
    /// Everything this directory manages is deleted.
    Destroy,
    /// Resources become what a run found: what is desired are whole resources, their marks included.
    Restore,
}

impl Settings {
    /// Whether `--role` leaves this role in scope.
    pub(super) fn selects(&self, role: &RoleName) -> bool {
        self.roles.is_empty()
            || self
                .roles
                .iter()
                .any(|pattern| glob(pattern, role.as_str()))
    }

    pub(super) fn allows(&self, code: &str) -> bool {
        self.allow.contains(code)
    }
}

/// Why a resource that is not desired is deleted.
pub(super) const LEFT: &str = "no longer in the desired state";

impl Intent {
    /// Why a resource goes that is managed and not desired.
    pub(super) fn why_extras_go(self) -> &'static str {
        match self {
            Self::Converge => LEFT,
            Self::Destroy => "everything this directory manages is destroyed",
            Self::Restore => "did not exist before the run",
        }
    }
}

/// What happens to resources that this directory manages but does not declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extras {
    /// They stay, and are listed as orphans.
    Keep,
    /// They are deleted: `--prune`, or `prune = true`.
    Remove,
}

/// What a plan says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The organization it is for.
    pub organization_id: String,
    /// When it is made, RFC 3339 UTC.
    pub created_at: String,
    /// The digest of the desired state.
    pub desired_digest: String,
    /// What it is narrowed to, and whether it prunes.
    pub scope: super::Scope,
}
