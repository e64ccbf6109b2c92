//! All of an account with one paged call, or two where descriptions and durations are wanted.
//!
//! `GetAccountAuthorizationDetails` tells everything of a role but these two, `ListRoles` tells them and little else.
//! Both lag behind writes, each in its own way: a role that only one of them shows is read by itself.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{EntityType, GroupDetail, UserDetail};

use super::{entity, grant, single};
use crate::aws::accounts::Iam;
use crate::live::LiveAccount;
use crate::org::AwsError;
use crate::read::{Scope, Wanted, WantedGrants};
use crate::resource::grant::{LiveGrant, Principal};
use crate::resource::name::{GroupName, PolicyArn, PolicyName, RoleName, UserName};
use crate::resource::operation::Operation;
use crate::resource::role::RoleDetails;

/// The most entries that a page may hold.
const PAGE: i32 = 1000;

/// Reads what is `wanted` of the account.
pub(super) async fn read(iam: &Iam, wanted: &Wanted) -> Result<LiveAccount, AwsError> {
    let filter = Filter::new(&wanted.scope);
    let grants = wanted.grants_in_bulk();
    if !wanted.details {
        return authorization_details(iam, &filter, grants).await;
    }
    let (mut live, details) = tokio::try_join!(
        authorization_details(iam, &filter, grants),
        role_details(iam, &filter)
    )?;
    let mut alone: Vec<RoleName> = Vec::new();
    for (key, (name, details)) in details {
        match live.roles.get_mut(&key) {
            Some(role) => role.details = Some(details),
            None => alone.push(name),
        }
    }
    alone.extend(
        live.roles
            .values()
            .filter(|role| role.details.is_none())
            .map(|role| role.name.clone()),
    );
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
    Only {
        roles: BTreeSet<String>,
        policies: BTreeSet<String>,
    },
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
            Self::Only { policies, .. } => {
                !arn.is_aws_managed() && policies.contains(&arn.name().to_ascii_lowercase())
            }
        }
    }
}

/// The inline policies of users and groups come along where `grants` are looked for in all of them.
async fn authorization_details(
    iam: &Iam,
    filter: &Filter,
    grants: Option<&WantedGrants>,
) -> Result<LiveAccount, AwsError> {
    let call = iam.call(Operation::GetAccountAuthorizationDetails, None);
    let mut live = LiveAccount::default();
    let mut seen = 0;
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    loop {
        let request = iam
            .client
            .get_account_authorization_details()
            .max_items(PAGE)
            .set_marker(marker);
        let request = request
            .filter(EntityType::Role)
            .filter(EntityType::LocalManagedPolicy);
        let request = match grants {
            Some(_) => request.filter(EntityType::User).filter(EntityType::Group),
            None => request,
        };
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        if let Some(grants) = grants {
            let (users, groups) = (
                page.user_detail_list.unwrap_or_default(),
                page.group_detail_list.unwrap_or_default(),
            );
            principals(iam, grants, users, groups, &mut live.grants)?;
        }
        let (roles, policies) = (
            page.role_detail_list.unwrap_or_default(),
            page.policies.unwrap_or_default(),
        );
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
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            iam.saw(seen);
            return Ok(live);
        }
    }
}

fn principals(
    iam: &Iam,
    grants: &WantedGrants,
    users: Vec<UserDetail>,
    groups: Vec<GroupDetail>,
    found: &mut BTreeMap<String, LiveGrant>,
) -> Result<(), AwsError> {
    let call = iam.call(Operation::GetAccountAuthorizationDetails, None);
    for user in users {
        let name = entity::name(
            call,
            UserName::parse(&call.required("UserName", user.user_name)?),
        )?;
        let state = grant::state(iam, &grants.policy, user.user_policy_list)?;
        grant::keep(grants, Principal::User(name), state, found);
    }
    for group in groups {
        let name = entity::name(
            call,
            GroupName::parse(&call.required("GroupName", group.group_name)?),
        )?;
        let state = grant::state(iam, &grants.policy, group.group_policy_list)?;
        grant::keep(grants, Principal::Group(name), state, found);
    }
    Ok(())
}

async fn role_details(
    iam: &Iam,
    filter: &Filter,
) -> Result<BTreeMap<String, (RoleName, RoleDetails)>, AwsError> {
    let call = iam.call(Operation::ListRoles, None);
    let mut found = BTreeMap::new();
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    loop {
        let request = iam.client.list_roles().max_items(PAGE).set_marker(marker);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        for role in page
            .roles
            .into_iter()
            .filter(|role| filter.keeps_role(&role.role_name))
        {
            let name = entity::name(call, RoleName::parse(&role.role_name))?;
            found.insert(
                name.key(),
                (
                    name,
                    entity::details(role.description, role.max_session_duration),
                ),
            );
        }
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(found);
        }
    }
}
