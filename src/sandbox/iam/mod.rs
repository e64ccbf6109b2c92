//! IAM's operations, with the refusals that AWS documents.
//!
//! One function per operation over the IAM of one account. Reads see what is visible after the world's lag, writes
//! and the checks before them act on the truth. Sources: IAM API Reference 2010-05-08 (patterns, errors per
//! operation), IAM User Guide (quotas, policy grammar, principals and their unique ids).

mod access_key;
mod condition;
mod details;
mod document;
mod entity;
mod holder;
mod page;
mod parameters;
mod policy;
mod principal;
mod principals;
mod profile;
mod provider;
mod resource;
mod role;
mod role_policy;
mod rules;
mod simulate;
mod trust;
mod xml;

#[cfg(test)]
mod tests;

use super::wire::{ApiError, Params, Xml};
use super::world::World;
use entity::Iam;
use holder::Holder;
pub use principals::BUILT_IN;
use rolecall_core::org::AccountId;
pub use rules::is_quota;
pub use trust::trust_policy;

type Operation = fn(&mut Iam<'_>, &Params) -> Result<Xml, ApiError>;

const OPERATIONS: &[(&str, Operation)] = &[
    ("AddRoleToInstanceProfile", profile::add_role),
    ("AddUserToGroup", principal::add_user_to_group),
    ("AttachGroupPolicy", |iam, params| {
        role_policy::attach(iam, params, Holder::Group)
    }),
    ("AttachRolePolicy", |iam, params| {
        role_policy::attach(iam, params, Holder::Role)
    }),
    ("AttachUserPolicy", |iam, params| {
        role_policy::attach(iam, params, Holder::User)
    }),
    ("CreateAccessKey", access_key::create),
    ("CreateGroup", principal::create_group),
    ("CreateInstanceProfile", profile::create),
    ("CreateOpenIDConnectProvider", provider::create_oidc),
    ("CreatePolicy", policy::create),
    ("CreatePolicyVersion", policy::create_version),
    ("CreateRole", role::create),
    ("CreateSAMLProvider", provider::create_saml),
    ("CreateServiceLinkedRole", role::create_service_linked),
    ("CreateUser", principal::create_user),
    ("DeleteAccessKey", access_key::delete),
    ("DeleteGroup", principal::delete_group),
    ("DeleteGroupPolicy", |iam, params| {
        role_policy::delete(iam, params, Holder::Group)
    }),
    ("DeleteInstanceProfile", profile::delete),
    ("DeleteOpenIDConnectProvider", provider::delete),
    ("DeletePolicy", policy::delete),
    ("DeletePolicyVersion", policy::delete_version),
    ("DeleteRole", role::delete),
    (
        "DeleteRolePermissionsBoundary",
        role_policy::delete_boundary,
    ),
    ("DeleteRolePolicy", |iam, params| {
        role_policy::delete(iam, params, Holder::Role)
    }),
    ("DeleteSAMLProvider", provider::delete),
    ("DeleteUser", principal::delete_user),
    ("DeleteUserPolicy", |iam, params| {
        role_policy::delete(iam, params, Holder::User)
    }),
    ("DetachGroupPolicy", |iam, params| {
        role_policy::detach(iam, params, Holder::Group)
    }),
    ("DetachRolePolicy", |iam, params| {
        role_policy::detach(iam, params, Holder::Role)
    }),
    ("DetachUserPolicy", |iam, params| {
        role_policy::detach(iam, params, Holder::User)
    }),
    (
        "GetAccountAuthorizationDetails",
        details::authorization_details,
    ),
    ("GetAccountSummary", details::summary),
    ("GetGroup", principal::get_group),
    ("GetGroupPolicy", |iam, params| {
        role_policy::get(iam, params, Holder::Group)
    }),
    ("GetInstanceProfile", profile::get),
    ("GetPolicy", policy::get),
    ("GetPolicyVersion", policy::get_version),
    ("GetRole", role::get),
    ("GetRolePolicy", |iam, params| {
        role_policy::get(iam, params, Holder::Role)
    }),
    ("GetUser", principal::get_user),
    ("GetUserPolicy", |iam, params| {
        role_policy::get(iam, params, Holder::User)
    }),
    ("ListAccessKeys", access_key::list),
    ("ListAttachedGroupPolicies", |iam, params| {
        role_policy::list_attached(iam, params, Holder::Group)
    }),
    ("ListAttachedRolePolicies", |iam, params| {
        role_policy::list_attached(iam, params, Holder::Role)
    }),
    ("ListAttachedUserPolicies", |iam, params| {
        role_policy::list_attached(iam, params, Holder::User)
    }),
    ("ListEntitiesForPolicy", policy::list_entities),
    ("ListGroupPolicies", |iam, params| {
        role_policy::list(iam, params, Holder::Group)
    }),
    ("ListGroups", principal::list_groups),
    ("ListGroupsForUser", principal::list_groups_for_user),
    ("ListInstanceProfiles", profile::list),
    ("ListInstanceProfilesForRole", profile::list_for_role),
    ("ListOpenIDConnectProviders", |iam, _| {
        Ok(provider::list(
            iam,
            ":oidc-provider/",
            "OpenIDConnectProviderList",
        ))
    }),
    ("ListPolicies", policy::list),
    ("ListPolicyTags", policy::list_tags),
    ("ListPolicyVersions", policy::list_versions),
    ("ListRolePolicies", |iam, params| {
        role_policy::list(iam, params, Holder::Role)
    }),
    ("ListRoleTags", role::list_tags),
    ("ListRoles", role::list),
    ("ListSAMLProviders", |iam, _| {
        Ok(provider::list(iam, ":saml-provider/", "SAMLProviderList"))
    }),
    ("ListUserPolicies", |iam, params| {
        role_policy::list(iam, params, Holder::User)
    }),
    ("ListUsers", principal::list_users),
    ("PutGroupPolicy", |iam, params| {
        role_policy::put(iam, params, Holder::Group)
    }),
    ("PutRolePermissionsBoundary", role_policy::put_boundary),
    ("PutRolePolicy", |iam, params| {
        role_policy::put(iam, params, Holder::Role)
    }),
    ("PutUserPolicy", |iam, params| {
        role_policy::put(iam, params, Holder::User)
    }),
    ("RemoveRoleFromInstanceProfile", profile::remove_role),
    ("RemoveUserFromGroup", principal::remove_user_from_group),
    ("SetDefaultPolicyVersion", policy::set_default_version),
    ("SimulatePrincipalPolicy", simulate::principal_policy),
    ("TagPolicy", policy::tag),
    ("TagRole", role::tag),
    ("UntagPolicy", policy::untag),
    ("UntagRole", role::untag),
    ("UpdateAssumeRolePolicy", role::update_trust),
    ("UpdateRole", role::update),
    ("UpdateRoleDescription", role::update_description),
];

/// Performs one IAM operation in `account`, or answers with the error AWS documents for it.
///
/// The answer is the content of `<OpResult>`. An operation that is not modelled is a clean `InvalidAction`, and an
/// account that the world does not know is `InvalidClientTokenId`.
pub fn call(
    world: &mut World,
    account: AccountId,
    operation: &str,
    params: &Params,
) -> Result<Xml, ApiError> {
    let Some((_, run)) = OPERATIONS.iter().find(|(name, _)| *name == operation) else {
        let message = format!("Could not find operation {operation} for version 2010-05-08");
        return Err(ApiError::new(400, "InvalidAction", message));
    };
    parameters::check(operation, params)?;
    let Some(state) = world
        .accounts
        .get_mut(&account)
        .map(|account| std::mem::take(&mut account.iam))
    else {
        let message = "The security token included in the request is invalid.";
        return Err(ApiError::new(403, "InvalidClientTokenId", message));
    };
    let now = world.clock.now();
    let mut iam = Iam {
        world,
        account,
        state,
        now,
    };
    let answer = run(&mut iam, params);
    let Iam { world, state, .. } = iam;
    if let Some(account) = world.accounts.get_mut(&account) {
        account.iam = state;
    }
    answer
}
