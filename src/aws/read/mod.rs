//! Reading accounts, in bulk or entity by entity, whichever costs fewer calls.

mod bulk;
mod entity;
mod grant;
mod single;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use aws_sdk_iam::types::SummaryKeyType as Key;

use super::accounts::{Accounts, Iam};
use crate::live::{LiveAccount, Quotas};
use crate::org::{Account, AwsError};
use crate::read::{Reader, Wanted, Way, way};
use crate::resource::Tags;
use crate::resource::name::PolicyArn;
use crate::resource::operation::Operation;

pub(super) use entity::{Pages, absent_is_none, boundary, document, name, tags};
pub(super) use single::{policy, role, version_document};

/// Someone who can read the accounts and has no way to write.
#[derive(Debug, Clone)]
pub struct Reading(pub(super) Accounts);

impl Accounts {
    /// Someone who can read the accounts and has no way to write.
    pub fn reading(&self) -> Reading {
        Reading(self.clone())
    }
}

impl Reader for Reading {
    async fn read(&self, account: &Account, wanted: &Wanted) -> Result<LiveAccount, AwsError> {
        self.0
            .within(account, |iam| Box::pin(choose(iam, wanted)))
            .await
    }

    async fn policy_tags(&self, account: &Account, arn: &PolicyArn) -> Result<Tags, AwsError> {
        self.0.within(account, |iam| tags_of(iam, arn)).await
    }

    async fn policy_exists(&self, account: &Account, arn: &PolicyArn) -> Result<bool, AwsError> {
        self.0.within(account, |iam| exists(iam, arn)).await
    }

    async fn aws_policies(&self, account: &Account) -> Result<BTreeSet<PolicyArn>, AwsError> {
        self.0.within(account, single::aws_policies).await
    }

    async fn quotas(&self, account: &Account) -> Result<Quotas, AwsError> {
        self.0.within(account, quotas).await
    }
}

async fn choose(iam: Iam, wanted: &Wanted) -> Result<LiveAccount, AwsError> {
    let live = match way(wanted, iam.entities()) {
        Way::Bulk => bulk::read(&iam, wanted).await?,
        Way::Single => single::read(&iam, wanted).await?,
    };
    grant::complete(&iam, wanted, live).await
}

async fn tags_of(iam: Iam, arn: &PolicyArn) -> Result<Tags, AwsError> {
    let call = iam.call(Operation::ListPolicyTags, Some(arn.as_str()));
    let mut tags = Tags::new();
    let (mut pages, mut marker) = (entity::Pages::default(), None);
    loop {
        let request = iam
            .client
            .list_policy_tags()
            .policy_arn(arn.as_str())
            .set_marker(marker);
        let page = request.send().await.map_err(|error| call.failed(&error))?;
        tags.extend(entity::tags(Some(page.tags)));
        marker = pages.next(call, page.is_truncated, page.marker)?;
        if marker.is_none() {
            return Ok(tags);
        }
    }
}

async fn exists(iam: Iam, arn: &PolicyArn) -> Result<bool, AwsError> {
    let call = iam.call(Operation::GetPolicy, Some(arn.as_str()));
    let answer = iam
        .client
        .get_policy()
        .policy_arn(arn.as_str())
        .send()
        .await;
    Ok(entity::absent_is_none(answer.map_err(|error| call.failed(&error)))?.is_some())
}

/// The quotas of the account; what the summary does not tell is taken from the documented defaults.
async fn quotas(iam: Iam) -> Result<Quotas, AwsError> {
    let call = iam.call(Operation::GetAccountSummary, None);
    let answer = iam
        .client
        .get_account_summary()
        .send()
        .await
        .map_err(|error| call.failed(&error))?;
    let summary = answer.summary_map.unwrap_or_default();
    let quota = |key: Key, default: usize| {
        summary
            .get(&key)
            .and_then(|value| usize::try_from(*value).ok())
            .filter(|value| *value > 0)
            .unwrap_or(default)
    };
    let default = Quotas::default();
    Ok(Quotas {
        attached_policies_per_role: quota(
            Key::AttachedPoliciesPerRoleQuota,
            default.attached_policies_per_role,
        ),
        trust_policy_size: quota(Key::AssumeRolePolicySizeQuota, default.trust_policy_size),
        managed_policy_size: quota(Key::PolicySizeQuota, default.managed_policy_size),
        inline_policies_size: quota(Key::RolePolicySizeQuota, default.inline_policies_size),
        roles: quota(Key::RolesQuota, default.roles),
        policies: quota(Key::PoliciesQuota, default.policies),
    })
}
