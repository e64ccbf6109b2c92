//! Reading accounts: what to ask for, and who can answer.

use std::collections::BTreeSet;
use std::future::Future;

use crate::live::{LiveAccount, Quotas};
use crate::org::{Account, AwsError};
use crate::resource::Tags;
use crate::resource::name::{PolicyArn, PolicyName, RoleName};

/// What to read of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which roles and policies.
    pub scope: Scope,
    /// Whether roles' descriptions and durations are needed.
    pub details: bool,
}

/// Which roles and policies to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of the account: what is ours and no longer desired must be found.
    All,
    /// Only these; a cheaper read of single entities may be chosen.
    Only {
        /// Roles by name.
        roles: BTreeSet<RoleName>,
        /// Customer managed policies by name.
        policies: BTreeSet<PolicyName>,
    },
}

/// Somebody who can read accounts. It holds no way to write.
pub trait Reader: Send + Sync {
    /// Reads one account.
    fn read(&self, account: &Account, wanted: &Wanted) -> impl Future<Output = Result<LiveAccount, AwsError>> + Send;

    /// Reads the tags of a customer managed policy, which the bulk read lacks.
    fn policy_tags(&self, account: &Account, arn: &PolicyArn) -> impl Future<Output = Result<Tags, AwsError>> + Send;

    /// Whether a managed policy exists, seen from this account.
    fn policy_exists(&self, account: &Account, arn: &PolicyArn) -> impl Future<Output = Result<bool, AwsError>> + Send;

    /// Reads the account's own quotas.
    fn quotas(&self, account: &Account) -> impl Future<Output = Result<Quotas, AwsError>> + Send;
}
