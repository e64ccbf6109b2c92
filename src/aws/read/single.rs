//! One role or policy at a time, for a few of a large account.
//!
//! An entity that vanishes between two of its calls is simply absent.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::entity;
use crate::aws::accounts::Iam;
use crate::live::LiveAccount;
use crate::org::AwsError;
use crate::read::{Scope, Wanted};
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::{IamPath, PolicyArn, PolicyName, RoleName};
use crate::resource::operation::Operation;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::LiveRole;

/// Entities of one account read at a time: IAM throttles each account by itself.
const PARALLEL: usize = 4;

/// Reads what is `wanted` of the account; of [`Scope::All`] nothing, because single reads need names.
pub(super) async fn read(iam: &Iam, wanted: &Wanted) -> Result<LiveAccount, AwsError> {
    let Scope::Only { roles, policies } = &wanted.scope else {
        return Ok(LiveAccount::default());
    };
    let roles = a_few_at_a_time(roles.iter().map(|name| role(iam, name)).collect()).await?;
    let arns = policy_arns(iam, policies).await?;
    let policies = a_few_at_a_time(arns.iter().map(|arn| policy(iam, arn)).collect()).await?;
    Ok(LiveAccount {
        roles: roles
            .into_iter()
            .map(|role| (role.name.key(), role))
            .collect(),
        policies: policies
            .into_iter()
            .map(|policy| (policy.name.key(), policy))
            .collect(),
        ..LiveAccount::default()
    })
}

/// Runs `reads` side by side and keeps what was there.
pub(super) async fn a_few_at_a_time<T>(
    reads: Vec<impl Future<Output = Result<Option<T>, AwsError>>>,
) -> Result<Vec<T>, AwsError> {
    stream::iter(reads)
        .buffer_unordered(PARALLEL)
        .try_filter_map(async |found| Ok(found))
        .try_collect()
        .await
}

/// Reads one role with everything it has; `None` where there is none.
pub(in crate::aws) async fn role(iam: &Iam, role: &RoleName) -> Result<Option<LiveRole>, AwsError> {
    let call = iam.call(Operation::GetRole, Some(role.as_str()));
    let answer = iam.client.get_role().role_name(role.as_str()).send().await;
    let Some(answer) = entity::absent_is_none(answer.map_err(|error| call.failed(&error)))? else {
        return Ok(None);
    };
    let parts = tokio::try_join!(
        attached(iam, role),
        inline_policies(iam, role),
        profiles(iam, role)
    );
    let Some((managed_policies, inline_policies, instance_profiles)) =
        entity::absent_is_none(parts)?
    else {
        return Ok(None);
    };
    let given = call.required("Role", answer.role)?;
    let trust = call.required(
        "AssumeRolePolicyDocument",
        given.assume_role_policy_document,
    )?;
    Ok(Some(LiveRole {
        name: entity::name(call, RoleName::parse(&given.role_name))?,
        id: given.role_id,
        arn: given.arn,
        path: entity::name(call, IamPath::parse(&given.path))?,
        details: Some(entity::details(
            given.description,
            given.max_session_duration,
        )),
        trust: entity::document(&trust, PolicyKind::Trust, &iam.partition),
        managed_policies,
        inline_policies,
        permissions_boundary: entity::boundary(call, given.permissions_boundary)?,
        tags: entity::tags(given.tags),
        instance_profiles,
    }))
}

async fn attached(iam: &Iam, role: &RoleName) -> Result<BTreeSet<PolicyArn>, AwsError> {
    let call = iam.call(Operation::ListAttachedRolePolicies, Some(role.as_str()));
    let mut found = BTreeSet::new();
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    loop {
        let request = iam
            .client
            .list_attached_role_policies()
            .role_name(role.as_str())
            .set_marker(marker);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        found.extend(entity::attached(call, page.attached_policies)?);
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(found);
        }
    }
}

async fn profiles(iam: &Iam, role: &RoleName) -> Result<BTreeSet<String>, AwsError> {
    let call = iam.call(Operation::ListInstanceProfilesForRole, Some(role.as_str()));
    let mut found = BTreeSet::new();
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    loop {
        let request = iam
            .client
            .list_instance_profiles_for_role()
            .role_name(role.as_str())
            .set_marker(marker);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        found.extend(entity::profiles(Some(page.instance_profiles)));
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(found);
        }
    }
}

async fn inline_policies(
    iam: &Iam,
    role: &RoleName,
) -> Result<BTreeMap<PolicyName, PolicyDocument>, AwsError> {
    let names = inline_names(iam, role).await?;
    let documents = a_few_at_a_time(
        names
            .iter()
            .map(|name| inline_document(iam, role, name))
            .collect(),
    )
    .await?;
    Ok(documents.into_iter().collect())
}

async fn inline_names(iam: &Iam, role: &RoleName) -> Result<Vec<PolicyName>, AwsError> {
    let call = iam.call(Operation::ListRolePolicies, Some(role.as_str()));
    let mut names = Vec::new();
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    loop {
        let request = iam
            .client
            .list_role_policies()
            .role_name(role.as_str())
            .set_marker(marker);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        for name in &page.policy_names {
            names.push(entity::name(call, PolicyName::parse(name))?);
        }
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(names);
        }
    }
}

async fn inline_document(
    iam: &Iam,
    role: &RoleName,
    name: &PolicyName,
) -> Result<Option<(PolicyName, PolicyDocument)>, AwsError> {
    let call = iam.call(Operation::GetRolePolicy, Some(role.as_str()));
    let answer = iam
        .client
        .get_role_policy()
        .role_name(role.as_str())
        .policy_name(name.as_str())
        .send()
        .await;
    let answer = entity::absent_is_none(answer.map_err(|error| call.failed(&error)))?;
    Ok(answer.map(|answer| {
        (
            name.clone(),
            entity::document(
                &answer.policy_document,
                PolicyKind::Identity,
                &iam.partition,
            ),
        )
    }))
}

/// The ARNs of the wanted policies that exist. A name alone gives no ARN: that has the path in it.
async fn policy_arns(iam: &Iam, wanted: &BTreeSet<PolicyName>) -> Result<Vec<PolicyArn>, AwsError> {
    let call = iam.call(Operation::ListPolicies, None);
    let wanted: BTreeSet<String> = wanted.iter().map(PolicyName::key).collect();
    let mut arns = Vec::new();
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    // Names are unique in an account, so once all are found the remaining pages cannot tell anything.
    while arns.len() < wanted.len() {
        let request = iam
            .client
            .list_policies()
            .scope(aws_sdk_iam::types::PolicyScopeType::Local)
            .max_items(1000);
        let page = request
            .set_marker(marker)
            .send()
            .await
            .map_err(|error| call.failed(&error))?;
        for policy in page.policies.unwrap_or_default() {
            let arn = entity::name(call, PolicyArn::parse(&call.required("Arn", policy.arn)?))?;
            if wanted.contains(&arn.name().to_ascii_lowercase()) {
                arns.push(arn);
            }
        }
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            break;
        }
    }
    Ok(arns)
}

/// The policies that AWS manages.
pub(super) async fn aws_policies(iam: Iam) -> Result<BTreeSet<PolicyArn>, AwsError> {
    let call = iam.call(Operation::ListPolicies, None);
    let mut arns = BTreeSet::new();
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    loop {
        let request = iam
            .client
            .list_policies()
            .scope(aws_sdk_iam::types::PolicyScopeType::Aws)
            .max_items(1000);
        let page = request
            .set_marker(marker)
            .send()
            .await
            .map_err(|error| call.failed(&error))?;
        for policy in page.policies.unwrap_or_default() {
            arns.insert(entity::name(
                call,
                PolicyArn::parse(&call.required("Arn", policy.arn)?),
            )?);
        }
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(arns);
        }
    }
}

/// Reads one customer managed policy with its tags; `None` where there is none.
pub(in crate::aws) async fn policy(
    iam: &Iam,
    arn: &PolicyArn,
) -> Result<Option<LivePolicy>, AwsError> {
    let call = iam.call(Operation::GetPolicy, Some(arn.as_str()));
    let answer = iam
        .client
        .get_policy()
        .policy_arn(arn.as_str())
        .send()
        .await;
    let Some(answer) = entity::absent_is_none(answer.map_err(|error| call.failed(&error)))? else {
        return Ok(None);
    };
    let given = call.required("Policy", answer.policy)?;
    let default = call.required("DefaultVersionId", given.default_version_id)?;
    let parts = tokio::try_join!(
        version_document(iam, arn, &default),
        stored_versions(iam, arn)
    );
    let Some((document, stored)) = entity::absent_is_none(parts)? else {
        return Ok(None);
    };
    Ok(Some(LivePolicy {
        arn: arn.clone(),
        name: entity::name(call, PolicyName::parse(arn.name()))?,
        path: entity::name(call, IamPath::parse(&call.required("Path", given.path)?))?,
        description: Some(given.description.unwrap_or_default()),
        document,
        versions: entity::versions(call, &stored)?,
        attachments: entity::count(given.attachment_count),
        boundaries: entity::count(given.permissions_boundary_usage_count),
        tags: Some(entity::tags(given.tags)),
    }))
}

/// The document of one version of a managed policy.
pub(in crate::aws) async fn version_document(
    iam: &Iam,
    arn: &PolicyArn,
    version: &str,
) -> Result<PolicyDocument, AwsError> {
    let call = iam.call(Operation::GetPolicyVersion, Some(arn.as_str()));
    let request = iam
        .client
        .get_policy_version()
        .policy_arn(arn.as_str())
        .version_id(version);
    let answer = request.send().await.map_err(|error| call.failed(&error))?;
    let text = call.required(
        "Document",
        answer.policy_version.and_then(|version| version.document),
    )?;
    Ok(entity::document(
        &text,
        PolicyKind::Identity,
        &iam.partition,
    ))
}

async fn stored_versions(
    iam: &Iam,
    arn: &PolicyArn,
) -> Result<Vec<aws_sdk_iam::types::PolicyVersion>, AwsError> {
    let call = iam.call(Operation::ListPolicyVersions, Some(arn.as_str()));
    let mut found = Vec::new();
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    loop {
        let request = iam
            .client
            .list_policy_versions()
            .policy_arn(arn.as_str())
            .set_marker(marker);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        found.extend(page.versions.unwrap_or_default());
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(found);
        }
    }
}
