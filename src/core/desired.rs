//! What each account should have.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::org::AccountId;
use crate::resource::Origin;
use crate::resource::attachment::Attachment;
use crate::resource::grant::{Grant, OutsideGrant};
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::role::{Ensure, Role};
use crate::resource::secret::Secrets;

/// The desired state, expanded over the organization.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The directory's `name`: the owner's mark.
    pub name: String,
    /// `sha256:…` over the files and the variables.
    pub digest: String,
    /// What each targeted active account should hold. Roles equal in many accounts share one `Arc`.
    pub accounts: BTreeMap<AccountId, AccountDesired>,
    /// Grants to principals in accounts outside the organization, where nothing can be written.
    pub outside: Vec<OutsideGrant>,
    /// Targeted accounts that are not active, with their status as the reason.
    pub skipped: BTreeMap<AccountId, String>,
    /// The sensitive values of this run.
    pub secrets: Secrets,
}

impl Desired {
    /// Where the resource at an address is written, such as `111111111111/role/Audit`; nothing for what is not declared.
    pub fn origin(&self, address: &str) -> Option<&Origin> {
        let (account, resource) = address.split_once('/')?;
        let (kind, name) = resource.split_once('/')?;
        let held = self.accounts.get(&AccountId::parse(account).ok()?)?;
        let key = name.to_ascii_lowercase();
        match kind {
            "role" => held.roles.get(&key).map(|role| &role.origin),
            "policy" => held.policies.get(&key).map(|policy| &policy.origin),
            "grant" => held
                .grants
                .values()
                .find(|grant| grant.principal.to_string() == name)
                .map(|grant| &grant.origin),
            "attachment" => held
                .attachments
                .values()
                .find(|attachment| attachment.id.to_string() == name)
                .map(|attachment| &attachment.origin),
            _ => None,
        }
    }
}

/// `[limits]`: how much a plan may do before a guard stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deletions and replacements in one plan.
    pub max_deletes: usize,
    /// Updates, replacements and deletions in percent of what is owned, once more than 10 resources are.
    pub max_change_percent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_deletes: 10,
            max_change_percent: 30,
        }
    }
}

/// What one account should hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountDesired {
    /// Roles by [`RoleName::key`](crate::resource::name::RoleName::key).
    pub roles: BTreeMap<String, Arc<Role>>,
    /// Customer managed policies by [`PolicyName::key`](crate::resource::name::PolicyName::key).
    pub policies: BTreeMap<String, Arc<ManagedPolicy>>,
    /// Grants to principals of this account by [`Principal::key`](crate::resource::grant::Principal::key).
    pub grants: BTreeMap<String, Arc<Grant>>,
    /// Policies on roles of other owners by [`AttachmentId::key`](crate::resource::attachment::AttachmentId::key).
    pub attachments: BTreeMap<String, Arc<Attachment>>,
}

impl AccountDesired {
    /// Whether any role here needs `Description` or `MaxSessionDuration`, which the bulk read lacks.
    pub fn needs_details(&self) -> bool {
        self.roles.values().any(|role| needs_details(role))
    }
}

/// Whether comparing this role needs its description or duration.
pub fn needs_details(role: &Role) -> bool {
    role.ensure == Ensure::Present
        && (role.description.is_some() || role.max_session_duration.is_some())
}
