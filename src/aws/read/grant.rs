//! Reads the inline policies of a directory's grants.
//!
//! | principal | calls |
//! |---|---|
//! | any, its account read whole with [`Others::All`] | none: the bulk read tells its inline policies |
//! | a role, its account read whole | none, for the same reason |
//! | any other | `GetUserPolicy`, `GetGroupPolicy` or `GetRolePolicy`; where that finds nothing also `GetUser`, `GetGroup` or `GetRole`, because IAM answers `NoSuchEntity` for a missing policy and for a missing principal alike |

use std::collections::BTreeMap;

use aws_sdk_iam::types as api;

use super::{entity, single};
use crate::aws::accounts::Iam;
use crate::live::LiveAccount;
use crate::org::AwsError;
use crate::read::{Others, Scope, Wanted, WantedGrants};
use crate::resource::grant::{GrantState, LiveGrant, Principal};
use crate::resource::name::PolicyName;
use crate::resource::operation::Operation;
use crate::resource::policy::PolicyKind;

impl Wanted {
    /// The grants to look for in users and groups while all of the account is read.
    pub(super) fn grants_in_bulk(&self) -> Option<&WantedGrants> {
        self.grants
            .as_ref()
            .filter(|grants| self.scope == Scope::All && grants.others == Others::All)
    }
}

/// Adds to `live` the wanted grants that reading roles and policies did not return.
pub(super) async fn complete(
    iam: &Iam,
    wanted: &Wanted,
    mut live: LiveAccount,
) -> Result<LiveAccount, AwsError> {
    let Some(grants) = &wanted.grants else {
        return Ok(live);
    };
    if wanted.scope == Scope::All {
        of_roles(grants, &mut live);
    }
    let is_told = |principal: &Principal| match principal {
        Principal::Role(_) => wanted.scope == Scope::All,
        Principal::User(_) | Principal::Group(_) => wanted.grants_in_bulk().is_some(),
    };
    let unknown = grants
        .principals
        .iter()
        .filter(|(key, _)| !live.grants.contains_key(*key));
    let (told, open): (Vec<&Principal>, Vec<&Principal>) = unknown
        .map(|(_, principal)| principal)
        .partition(|principal| is_told(principal));
    let gone = told
        .into_iter()
        .map(|principal| found(principal.clone(), GrantState::NoPrincipal));
    let read = single::a_few_at_a_time(
        open.into_iter()
            .map(|principal| one(iam, &grants.policy, principal))
            .collect(),
    );
    let read = read.await?.into_iter();
    live.grants.extend(gone.chain(read).collect::<Vec<_>>());
    Ok(live)
}

fn found(principal: Principal, state: GrantState) -> (String, LiveGrant) {
    (principal.key(), LiveGrant { principal, state })
}

/// Finds the grants of roles that were read with all they have.
fn of_roles(grants: &WantedGrants, live: &mut LiveAccount) {
    let mut found = std::mem::take(&mut live.grants);
    for role in live.roles.values() {
        let state = match role.inline_policies.get(&grants.policy) {
            Some(document) => GrantState::Granted(document.clone()),
            None => GrantState::NoPolicy,
        };
        keep(
            grants,
            Principal::Role(role.name.clone()),
            state,
            &mut found,
        );
    }
    live.grants = found;
}

/// Keeps a principal that was asked for or that holds the policy.
pub(super) fn keep(
    grants: &WantedGrants,
    principal: Principal,
    state: GrantState,
    found: &mut BTreeMap<String, LiveGrant>,
) {
    let key = principal.key();
    if state.document().is_some() || grants.principals.contains_key(&key) {
        found.insert(key, LiveGrant { principal, state });
    }
}

/// What the inline policies of a user or group, as the bulk read tells them, say of a grant.
pub(super) fn state(
    iam: &Iam,
    policy: &PolicyName,
    inline: Option<Vec<api::PolicyDetail>>,
) -> Result<GrantState, AwsError> {
    let call = iam.call(
        Operation::GetAccountAuthorizationDetails,
        Some(policy.as_str()),
    );
    let mut inline = inline.unwrap_or_default().into_iter();
    match inline.find(|detail| detail.policy_name.as_deref() == Some(policy.as_str())) {
        None => Ok(GrantState::NoPolicy),
        Some(detail) => Ok(granted(
            iam,
            &call.required("PolicyDocument", detail.policy_document)?,
        )),
    }
}

fn granted(iam: &Iam, text: &str) -> GrantState {
    GrantState::Granted(entity::document(text, PolicyKind::Identity, &iam.partition))
}

async fn one(
    iam: &Iam,
    policy: &PolicyName,
    principal: &Principal,
) -> Result<Option<(String, LiveGrant)>, AwsError> {
    let state = match entity::absent_is_none(document(iam, policy, principal).await)? {
        Some(text) => granted(iam, &text),
        None => match entity::absent_is_none(look(iam, principal).await)? {
            Some(()) => GrantState::NoPolicy,
            None => GrantState::NoPrincipal,
        },
    };
    Ok(Some(found(principal.clone(), state)))
}

async fn document(
    iam: &Iam,
    policy: &PolicyName,
    principal: &Principal,
) -> Result<String, AwsError> {
    let (aws, name) = (&iam.client, principal.name());
    let call = |operation| iam.call(operation, Some(name));
    match principal {
        Principal::User(_) => {
            let answer = aws
                .get_user_policy()
                .user_name(name)
                .policy_name(policy.as_str())
                .send()
                .await;
            Ok(answer
                .map_err(|error| call(Operation::GetUserPolicy).failed(&error))?
                .policy_document)
        }
        Principal::Group(_) => {
            let answer = aws
                .get_group_policy()
                .group_name(name)
                .policy_name(policy.as_str())
                .send()
                .await;
            Ok(answer
                .map_err(|error| call(Operation::GetGroupPolicy).failed(&error))?
                .policy_document)
        }
        Principal::Role(_) => {
            let answer = aws
                .get_role_policy()
                .role_name(name)
                .policy_name(policy.as_str())
                .send()
                .await;
            Ok(answer
                .map_err(|error| call(Operation::GetRolePolicy).failed(&error))?
                .policy_document)
        }
    }
}

/// Fails with `NoSuchEntity` where there is no such principal.
async fn look(iam: &Iam, principal: &Principal) -> Result<(), AwsError> {
    let (aws, name) = (&iam.client, principal.name());
    let call = |operation| iam.call(operation, Some(name));
    match principal {
        Principal::User(_) => {
            let answer = aws.get_user().user_name(name).send().await;
            answer
                .map(drop)
                .map_err(|error| call(Operation::GetUser).failed(&error))
        }
        Principal::Group(_) => {
            // Its members are not asked about: one is the least that a page may hold.
            let answer = aws.get_group().group_name(name).max_items(1).send().await;
            answer
                .map(drop)
                .map_err(|error| call(Operation::GetGroup).failed(&error))
        }
        Principal::Role(_) => {
            let answer = aws.get_role().role_name(name).send().await;
            answer
                .map(drop)
                .map_err(|error| call(Operation::GetRole).failed(&error))
        }
    }
}
