//! What was read from an account.

use std::collections::BTreeMap;

use crate::org::AwsError;
use crate::resource::grant::LiveGrant;
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::PolicyArn;
use crate::resource::role::LiveRole;

/// The outcome of reading one account. A failed read is data: such an account gets no change, ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountLive {
    /// Everything that was asked for was read.
    Read(LiveAccount),
    /// It was not, and this is why.
    Unreadable(AwsError),
}

/// What one account holds, as far as was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveAccount {
    /// Roles by [`RoleName::key`](crate::resource::name::RoleName::key).
    pub roles: BTreeMap<String, LiveRole>,
    /// Customer managed policies by [`PolicyName::key`](crate::resource::name::PolicyName::key).
    pub policies: BTreeMap<String, LivePolicy>,
    /// What the directory's grants were seen to be, by [`Principal::key`](crate::resource::grant::Principal::key): those
    /// asked for, and others that the same calls showed.
    pub grants: BTreeMap<String, LiveGrant>,
    /// Whether managed policies that a plan would attach exist; only those that were asked for.
    pub known_policies: BTreeMap<PolicyArn, bool>,
    /// For AWS managed policies that do not exist, the one that was probably meant.
    pub similar_policies: BTreeMap<PolicyArn, PolicyArn>,
    /// The account's quotas, where a plan needed them.
    pub quotas: Option<Quotas>,
}

/// Quotas of IAM in one account.
///
/// Source: IAM User Guide, IAM and AWS STS quotas; `iam:GetAccountSummary` tells an account's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quotas {
    /// Managed policies attached to one role.
    pub attached_policies_per_role: usize,
    /// Characters of a trust policy.
    pub trust_policy_size: usize,
    /// Characters of a managed policy.
    pub managed_policy_size: usize,
    /// Characters of all inline policies of one role together.
    pub inline_policies_size: usize,
    /// Roles in the account.
    pub roles: usize,
    /// Customer managed policies in the account.
    pub policies: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            attached_policies_per_role: 10,
            trust_policy_size: 2048,
            managed_policy_size: 6144,
            inline_policies_size: 10240,
            roles: 1000,
            policies: 1500,
        }
    }
}
