//! A user, group or role with all that gives it permissions: what `verify` holds the caller's side against.
//!
//! Users and groups are found in the bulk read, which tells their policies, groups and boundaries with them: one call for
//! each thousand entries, where asking for one user alone takes a call for each of its policies and groups.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{AttachedPolicy, EntityType, GroupDetail, PolicyDetail, UserDetail};

use super::accounts::Iam;
use super::probe::Probing;
use super::read::{Pages, boundary, document, name, role, tags};
use crate::org::{Account, AwsError};
use crate::resource::Tags;
use crate::resource::grant::Principal;
use crate::resource::name::PolicyArn;
use crate::resource::operation::Operation;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::LiveRole;

/// What a principal was seen to hold. The documents of managed policies are read apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holding {
    /// Its ARN.
    pub arn: String,
    /// Inline policies with their names; those of a user's groups too.
    pub inline: Vec<(String, PolicyDocument)>,
    /// Attached policies; those of a user's groups too.
    pub attached: Vec<PolicyArn>,
    /// The permissions boundary.
    pub boundary: Option<PolicyArn>,
    /// Its tags.
    pub tags: Tags,
}

impl Probing {
    /// Reads a principal; `None` where there is none of that name.
    pub async fn principal(
        &self,
        account: &Account,
        principal: &Principal,
    ) -> Result<Option<Holding>, AwsError> {
        self.accounts()
            .within(account, |iam| Box::pin(read(iam, principal)))
            .await
    }
}

async fn read(iam: Iam, principal: &Principal) -> Result<Option<Holding>, AwsError> {
    match principal {
        Principal::Role(name) => Ok(role(&iam, name).await?.map(of_role)),
        Principal::User(wanted) => {
            let People { users, groups } = people(&iam).await?;
            let user = users
                .into_iter()
                .find(|user| is_called(user.user_name.as_deref(), wanted.as_str()));
            user.map(|user| of_user(&iam, &user, &groups)).transpose()
        }
        Principal::Group(wanted) => {
            let found = people(&iam)
                .await?
                .groups
                .remove(&wanted.as_str().to_ascii_lowercase());
            found.map(|group| of_group(&iam, &group)).transpose()
        }
    }
}

fn of_role(role: LiveRole) -> Holding {
    let LiveRole {
        arn,
        inline_policies,
        managed_policies,
        permissions_boundary,
        tags,
        ..
    } = role;
    Holding {
        arn,
        inline: inline_policies
            .into_iter()
            .map(|(name, document)| (name.to_string(), document))
            .collect(),
        attached: managed_policies.into_iter().collect(),
        boundary: permissions_boundary,
        tags,
    }
}

/// Users, and groups by name in lower case.
#[derive(Default)]
struct People {
    users: Vec<UserDetail>,
    groups: BTreeMap<String, GroupDetail>,
}

fn is_called(name: Option<&str>, wanted: &str) -> bool {
    name.is_some_and(|name| name.eq_ignore_ascii_case(wanted))
}

async fn people(iam: &Iam) -> Result<People, AwsError> {
    let call = iam.call(Operation::GetAccountAuthorizationDetails, None);
    let mut found = People::default();
    let (mut pages, mut marker) = (Pages::default(), None);
    loop {
        let request = iam
            .client
            .get_account_authorization_details()
            .max_items(1000)
            .set_marker(marker);
        let request = request.filter(EntityType::User).filter(EntityType::Group);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        found
            .users
            .extend(page.user_detail_list.unwrap_or_default());
        for group in page.group_detail_list.unwrap_or_default() {
            let name = call
                .required("GroupName", group.group_name.as_deref())?
                .to_ascii_lowercase();
            found.groups.insert(name, group);
        }
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(found);
        }
    }
}

fn of_user(
    iam: &Iam,
    user: &UserDetail,
    groups: &BTreeMap<String, GroupDetail>,
) -> Result<Holding, AwsError> {
    let call = iam.call(
        Operation::GetAccountAuthorizationDetails,
        user.user_name.as_deref(),
    );
    let mut held = Holding {
        arn: call.required("Arn", user.arn.clone())?,
        inline: inline(iam, user.user_policy_list.clone())?,
        attached: attached(iam, user.attached_managed_policies.clone())?,
        boundary: boundary(call, user.permissions_boundary.clone())?,
        tags: tags(user.tags.clone()),
    };
    for group in user.group_list.iter().flatten() {
        if let Some(group) = groups.get(&group.to_ascii_lowercase()) {
            let Holding {
                inline, attached, ..
            } = of_group(iam, group)?;
            held.inline.extend(inline);
            held.attached.extend(attached);
        }
    }
    Ok(held)
}

fn of_group(iam: &Iam, group: &GroupDetail) -> Result<Holding, AwsError> {
    let call = iam.call(
        Operation::GetAccountAuthorizationDetails,
        group.group_name.as_deref(),
    );
    Ok(Holding {
        arn: call.required("Arn", group.arn.clone())?,
        inline: inline(iam, group.group_policy_list.clone())?,
        attached: attached(iam, group.attached_managed_policies.clone())?,
        ..Holding::default()
    })
}

fn inline(
    iam: &Iam,
    policies: Option<Vec<PolicyDetail>>,
) -> Result<Vec<(String, PolicyDocument)>, AwsError> {
    let call = iam.call(Operation::GetAccountAuthorizationDetails, None);
    let policy = |policy: PolicyDetail| {
        let text = call.required("PolicyDocument", policy.policy_document)?;
        let name = call.required("PolicyName", policy.policy_name)?;
        Ok((name, document(&text, PolicyKind::Identity, &iam.partition)))
    };
    policies
        .unwrap_or_default()
        .into_iter()
        .map(policy)
        .collect()
}

fn attached(iam: &Iam, policies: Option<Vec<AttachedPolicy>>) -> Result<Vec<PolicyArn>, AwsError> {
    let call = iam.call(Operation::GetAccountAuthorizationDetails, None);
    let policies = policies.unwrap_or_default().into_iter();
    policies
        .map(|policy| {
            name(
                call,
                PolicyArn::parse(&call.required("PolicyArn", policy.policy_arn)?),
            )
        })
        .collect()
}
