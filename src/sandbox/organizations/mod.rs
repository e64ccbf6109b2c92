//! Organizations: what it holds, read and changed through its JSON API.
//!
//! The management account may do everything, a delegated administrator may read, and any other member may only ask
//! which organization it is in. Delegation is kept per account, not per service: whoever is registered for one
//! service is listed for every service. Source: Organizations API Reference.

mod input;
mod read;
mod write;

use input::{Input, error};
use rolecall_core::org::AccountId;
use serde_json::Value;

use super::wire::ApiError;
use super::world::World;

/// Performs one Organizations operation for a caller of `account`, or answers with the error AWS documents for it.
pub fn call(
    world: &mut World,
    account: AccountId,
    operation: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let input = Input::parse(operation, body)?;
    if world.member(account).is_none() {
        let sentence = "Your account is not a member of an organization.";
        return Err(error("AWSOrganizationsNotInUseException", sentence));
    }
    if !allowed(world, account, operation) {
        return Err(error(
            "AccessDeniedException",
            "You don't have permissions to access this resource.",
        ));
    }
    match operation {
        "DescribeOrganization" => Ok(read::describe_organization(world)),
        "ListRoots" => read::list_roots(world, &input),
        "ListAccounts" => read::list_accounts(world, &input),
        "ListAccountsForParent" => read::list_accounts_for_parent(world, &input),
        "ListOrganizationalUnitsForParent" => read::list_units_for_parent(world, &input),
        "ListParents" => read::list_parents(world, &input),
        "ListChildren" => read::list_children(world, &input),
        "DescribeAccount" => read::describe_account(world, &input),
        "DescribeOrganizationalUnit" => read::describe_unit(world, &input),
        "DescribeCreateAccountStatus" => read::describe_create_account_status(world, &input),
        "ListTagsForResource" => read::list_tags_for_resource(world, &input),
        "ListDelegatedAdministrators" => read::list_delegated_administrators(world, &input),
        "TagResource" => write::tag_resource(world, &input),
        "UntagResource" => write::untag_resource(world, &input),
        "CreateOrganizationalUnit" => write::create_unit(world, &input),
        "CreateAccount" => write::create_account(world, &input),
        "RemoveAccountFromOrganization" => write::remove_account(world, &input),
        "UpdateOrganizationalUnit" => write::update_unit(world, &input),
        "MoveAccount" => write::move_account(world, &input),
        "CloseAccount" => write::close_account(world, &input),
        "RegisterDelegatedAdministrator" => write::register_delegated_administrator(world, &input),
        _ => Err(error("UnknownOperationException", "")),
    }
}

fn allowed(world: &World, account: AccountId, operation: &str) -> bool {
    let organization = &world.organization;
    let reads = operation.starts_with("List") || operation.starts_with("Describe");
    account == organization.management_account
        || operation == "DescribeOrganization"
        || (reads && organization.delegated_administrators.contains(&account))
}

#[cfg(test)]
mod tests;
