//! Reading accounts: what to ask for, and who can answer.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use crate::live::{LiveAccount, Quotas};
use crate::org::{Account, AwsError};
use crate::resource::Tags;
use crate::resource::grant::Principal;
use crate::resource::name::{PolicyArn, PolicyName, RoleName};

/// What to read of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which roles and policies.
    pub scope: Scope,
    /// Whether roles' descriptions and durations are needed.
    pub details: bool,
    /// Which grants; `None` reads none.
    pub grants: Option<WantedGrants>,
}

impl Wanted {
    /// All roles and policies of an account, without details and grants.
    pub fn everything() -> Self {
        Self {
            scope: Scope::All,
            details: false,
            grants: None,
        }
    }

    /// Only these roles, without details and grants.
    pub fn roles(names: impl IntoIterator<Item = RoleName>) -> Self {
        let scope = Scope::Only {
            roles: names.into_iter().collect(),
            policies: BTreeSet::new(),
        };
        Self {
            scope,
            ..Self::everything()
        }
    }
}

/// Which grants to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedGrants {
    /// The inline policy that a directory's grants are.
    pub policy: PolicyName,
    /// The principals that are looked at, by [`Principal::key`]: one call each, two where the policy is missing, none
    /// where the bulk read tells.
    pub principals: BTreeMap<String, Principal>,
    /// Who else is.
    pub others: Others,
}

/// Which principals besides the named ones are looked at for a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// None, but for roles that are read anyway.
    Unseen,
    /// Every user and group of the account, in the bulk read: no call of their own, but pages of a thousand entries more.
    All,
}

/// Which roles and policies to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of the account: what is managed by this directory but no longer declared must be found.
    All,
    /// Only these; a cheaper read of single entities may be chosen.
    Only {
        /// Roles by name.
        roles: BTreeSet<RoleName>,
        /// Customer managed policies by name.
        policies: BTreeSet<PolicyName>,
    },
}

/// Someone who can read accounts. It holds no way to write.
pub trait Reader: Send + Sync {
    /// Reads one account.
    ///
    /// # Guarantees
    /// - The result is complete for `wanted`: every page was read, or this is an error. Nothing is ever left out.
    /// - It may hold more than was asked for.
    ///
    /// # Errors
    /// The account cannot be accessed, a call failed after its retries, or a response could not be understood.
    fn read(
        &self,
        account: &Account,
        wanted: &Wanted,
    ) -> impl Future<Output = Result<LiveAccount, AwsError>> + Send;

    /// Reads the tags of a customer managed policy, which the bulk read lacks.
    fn policy_tags(
        &self,
        account: &Account,
        arn: &PolicyArn,
    ) -> impl Future<Output = Result<Tags, AwsError>> + Send;

    /// Whether a managed policy exists, seen from this account.
    fn policy_exists(
        &self,
        account: &Account,
        arn: &PolicyArn,
    ) -> impl Future<Output = Result<bool, AwsError>> + Send;

    /// Lists the policies that AWS manages, seen from this account.
    fn aws_policies(
        &self,
        account: &Account,
    ) -> impl Future<Output = Result<BTreeSet<PolicyArn>, AwsError>> + Send;

    /// Reads the account's own quotas.
    fn quotas(&self, account: &Account) -> impl Future<Output = Result<Quotas, AwsError>> + Send;
}

/// How to read one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All of the account in bulk; what was not asked for is dropped.
    Bulk,
    /// Entity by entity.
    Single,
}

/// Entries on one page of a bulk listing.
const PAGE: usize = 1000;

/// Chooses the way that costs fewer calls. `seen` is how many roles and policies an earlier read of the run found in
/// the account; one page is assumed where there was none.
///
/// | way | calls |
/// |---|---|
/// | bulk | one `GetAccountAuthorizationDetails` a page; with details, which it lacks, one `ListRoles` a page as well |
/// | single, each role | `GetRole`, and where it exists `ListAttachedRolePolicies`, `ListRolePolicies`, `ListInstanceProfilesForRole` and one `GetRolePolicy` for each inline policy: taken as 5 |
/// | single, policies | one `ListPolicies` a page, because a name alone gives no ARN; each that exists `GetPolicy`, `GetPolicyVersion` and `ListPolicyVersions` |
///
/// So bulk is cheaper in any account of one page, and the single way pays when a few entities of a large account are
/// read again: before an apply and after it. [`Scope::All`] has no other way than bulk.
pub fn way(wanted: &Wanted, seen: Option<usize>) -> Way {
    let Scope::Only { roles, policies } = &wanted.scope else {
        return Way::Bulk;
    };
    let pages = seen.map_or(1, |entities| entities.div_ceil(PAGE).max(1));
    let bulk = if wanted.details { 2 * pages } else { pages };
    let listed = if policies.is_empty() { 0 } else { pages };
    let single = 5 * roles.len() + listed + 3 * policies.len();
    if single < bulk {
        Way::Single
    } else {
        Way::Bulk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_with_fewer_calls_is_chosen() {
        let names = |n: usize| {
            (0..n)
                .map(|i| RoleName::parse(&format!("r{i}")).unwrap())
                .collect()
        };
        let policies = |n: usize| {
            (0..n)
                .map(|i| PolicyName::parse(&format!("p{i}")).unwrap())
                .collect()
        };
        for (roles, wanted_policies, details, seen, expect) in [
            (0, 0, false, None, Way::Single),
            (1, 0, true, None, Way::Bulk),
            (1, 0, true, Some(1000), Way::Bulk),
            (1, 0, true, Some(2001), Way::Single),
            (1, 0, false, Some(5000), Way::Bulk),
            (1, 0, false, Some(5001), Way::Single),
            (2, 0, true, Some(5000), Way::Bulk),
            (2, 0, true, Some(5001), Way::Single),
            (0, 1, false, Some(9000), Way::Bulk),
            (0, 1, true, Some(4000), Way::Single),
        ] {
            let scope = Scope::Only {
                roles: names(roles),
                policies: policies(wanted_policies),
            };
            assert_eq!(
                way(
                    &Wanted {
                        scope,
                        details,
                        ..Wanted::everything()
                    },
                    seen
                ),
                expect,
                "{roles} {wanted_policies} {details} {seen:?}"
            );
        }
        assert_eq!(way(&Wanted::everything(), Some(9000)), Way::Bulk);
    }
}
