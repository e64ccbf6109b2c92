//! IAM's operations, with the refusals that AWS documents.
//!
//! One function per operation over the IAM of one account. Reads see what is visible after the world's lag, writes
//! and the checks before them act on the truth. Sources: IAM API Reference 2010-05-08 (patterns, errors per
//! operation), IAM User Guide (quotas, policy grammar, principals and their unique ids).

mod document;
mod entity;
mod page;
mod role;
mod rules;
mod trust;

#[cfg(test)]
mod tests;

use super::wire::{ApiError, Params, Xml};
use super::world::World;
use crate::org::AccountId;
use entity::Iam;
pub use trust::trust_policy;

type Operation = fn(&mut Iam<'_>, &Params) -> Result<Xml, ApiError>;

const OPERATIONS: &[(&str, Operation)] = &[
    ("CreateRole", role::create),
    ("DeleteRole", role::delete),
    ("GetRole", role::get),
    ("ListRoleTags", role::list_tags),
    ("ListRoles", role::list),
    ("TagRole", role::tag),
    ("UntagRole", role::untag),
    ("UpdateAssumeRolePolicy", role::update_trust),
    ("UpdateRole", role::update),
    ("UpdateRoleDescription", role::update_description),
];

/// Performs one IAM operation in `account`, or answers with the error AWS documents for it.
///
/// The answer is the content of `<OpResult>`. An operation that is not modelled is a clean `InvalidAction`, and an
/// account that the world does not know is `InvalidClientTokenId`.
pub fn call(world: &mut World, account: AccountId, operation: &str, params: &Params) -> Result<Xml, ApiError> {
    let Some((_, run)) = OPERATIONS.iter().find(|(name, _)| *name == operation) else {
        let message = format!("Could not find operation {operation} for version 2010-05-08");
        return Err(ApiError::new(400, "InvalidAction", message));
    };
    let Some(state) = world.accounts.get_mut(&account).map(|account| std::mem::take(&mut account.iam)) else {
        let message = "The security token included in the request is invalid.";
        return Err(ApiError::new(403, "InvalidClientTokenId", message));
    };
    let now = world.clock.now();
    let mut iam = Iam { world, account, state, now };
    let answer = run(&mut iam, params);
    let Iam { world, state, .. } = iam;
    if let Some(account) = world.accounts.get_mut(&account) {
        account.iam = state;
    }
    answer
}
