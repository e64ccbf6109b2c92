//! All of an account with one paged call, or two where descriptions and durations are wanted.
//!
//! `GetAccountAuthorizationDetails` tells everything of a role but these two, `ListRoles` tells them and little else.
//! Both lag behind writes, each in its own way: a role that only one of them shows is read by itself.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::EntityType;

use super::{entity, single};
use crate::aws::accounts::Iam;
use crate::live::LiveAccount;
use crate::org::AwsError;
use crate::read::{Scope, Wanted};
use crate::resource::name::{PolicyArn, PolicyName, RoleName};
use crate::resource::role::RoleDetails;

/// The most entries that a page may hold.
const PAGE: i32 = 1000;

/// Reads what is `wanted` of the account.
pub(super) async fn read(iam: &Iam, wanted: &Wanted) -> Result<LiveAccount, AwsError> {
    let filter = Filter::new(&wanted.scope);
    if !wanted.details {
        return authorization_details(iam, &filter).await;
    }
    let (mut live, details) = tokio::try_join!(authorization_details(iam, &filter), role_details(iam, &filter))?;
    let mut alone: Vec<RoleName> = Vec::new();
    for (key, (name, details)) in details {
        match live.roles.get_mut(&key) {
            Some(role) => role.details = Some(details),
            None => alone.push(name),
        }
    }
    alone.extend(live.roles.values().filter(|role| role.details.is_none()).map(|role| role.name.clone()));
    for name in alone {
        match single::role(iam, &name).await? {
            Some(role) => live.roles.insert(name.key(), role),
            None => live.roles.remove(&name.key()),
        };
    }
    Ok(live)
}

/// Which entities to keep, by key.
enum Filter {
    All,
    Only { roles: BTreeSet<String>, policies: BTreeSet<String> },
}

impl Filter {
    fn new(scope: &Scope) -> Self {
        match scope {
            Scope::All => Self::All,
            Scope::Only { roles, policies } => Self::Only {
                roles: roles.iter().map(RoleName::key).collect(),
                policies: policies.iter().map(PolicyName::key).collect(),
            },
        }
    }

    fn keeps_role(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only { roles, .. } => roles.contains(&name.to_ascii_lowercase()),
        }
    }

    fn keeps_policy(&self, arn: &PolicyArn) -> bool {
        match self {
            // Some emulators ignore the filter of the request and answer with AWS's own policies as well.
            Self::All => !arn.is_aws_managed(),
            Self::Only { policies, .. } => !arn.is_aws_managed() && policies.contains(&arn.name().to_ascii_lowercase()),
        }
    }
}

async fn authorization_details(iam: &Iam, filter: &Filter) -> Result<LiveAccount, AwsError> {
    let call = iam.call("GetAccountAuthorizationDetails", None);
    let mut live = LiveAccount::default();
    let mut seen = 0;
    let mut marker = None;
    loop {
        let request = iam.client.get_account_authorization_details().max_items(PAGE).set_marker(marker);
        let request = request.filter(EntityType::Role).filter(EntityType::LocalManagedPolicy);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        let (roles, policies) = (page.role_detail_list.unwrap_or_default(), page.policies.unwrap_or_default());
        seen += roles.len() + policies.len();
        for role in roles {
            if filter.keeps_role(call.required("RoleName", role.role_name.as_deref())?) {
                let role = entity::role(iam, role)?;
                live.roles.insert(role.name.key(), role);
            }
        }
        for policy in policies {
            let arn = call.required("Arn", policy.arn.as_deref())?;
            if filter.keeps_policy(&entity::name(call, PolicyArn::parse(arn))?) {
                let policy = entity::policy(iam, policy)?;
                live.policies.insert(policy.name.key(), policy);
            }
        }
        marker = entity::next_page(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            iam.saw(seen);
            return Ok(live);
        }
    }
}

async fn role_details(iam: &Iam, filter: &Filter) -> Result<BTreeMap<String, (RoleName, RoleDetails)>, AwsError> {
    let call = iam.call("ListRoles", None);
    let mut found = BTreeMap::new();
    let mut marker = None;
    loop {
        let request = iam.client.list_roles().max_items(PAGE).set_marker(marker);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        for role in page.roles.into_iter().filter(|role| filter.keeps_role(&role.role_name)) {
            let name = entity::name(call, RoleName::parse(&role.role_name))?;
            found.insert(name.key(), (name, entity::details(role.description, role.max_session_duration)));
        }
        marker = entity::next_page(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(found);
        }
    }
}
