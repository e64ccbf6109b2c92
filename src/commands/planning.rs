//! From a survey to a plan: accounts are read side by side, and each one's live state is dropped once its part stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::OnceCell;

use super::survey::Survey;
use super::{Console, principals};
use crate::config::{CheckFinding, Weight};
use crate::desired::AccountDesired;
use crate::live::LiveAccount;
use crate::org::{Account, AwsError};
use crate::plan::{self, AccountPlan, Extras, Finding, Header, Needs, Plan, Settings, Severity};
use crate::read::{Others, Reader, Scope, Wanted, WantedGrants};
use crate::resource::name::{PolicyArn, PolicyName, RoleName};

/// Accounts that are read at once, unless `--parallelism` says otherwise.
const READ_AT_ONCE: usize = 64;

/// Reads every account of the survey and plans it.
pub async fn plan(survey: &Survey, parallelism: Option<usize>, console: &Console) -> Plan {
    let to_read = survey.to_read();
    let progress = Arc::new(console.progress());
    progress.phase("Reading accounts", Some(to_read.len() as u64));
    let shared = Arc::new(Shared {
        reader: survey.accounts.reading(),
        settings: survey.settings.clone(),
        existing: Mutex::default(),
    });
    let desired = &survey.expansion.desired;
    let tasks = to_read.into_iter().map(|account| {
        let (shared, progress) = (Arc::clone(&shared), Arc::clone(&progress));
        let desired = desired.accounts.get(&account.id).cloned();
        async move {
            let fallback = account.clone();
            let task = tokio::spawn(async move { shared.plan_account(&account, desired.as_ref()).await });
            let part = task.await.unwrap_or_else(|broken| plan::unreadable(&fallback, internal(&fallback, &broken)));
            match &part.error {
                Some(error) => {
                    progress.failure(&format!("{}: {error}", part.name));
                    progress.tick();
                }
                None => progress.account_done(&part.name, part.id, &changes(&part)),
            }
            part
        }
    });
    let mut parts: Vec<AccountPlan> =
        stream::iter(tasks).buffer_unordered(parallelism.unwrap_or(READ_AT_ONCE)).collect().await;
    progress.finish();
    let missing = principals::missing(
        &survey.accounts.reading(),
        &survey.organization,
        &parts,
        parallelism.unwrap_or(READ_AT_ONCE),
    )
    .await;
    for (id, why) in &desired.skipped {
        if let Some(account) = survey.organization.accounts.get(id) {
            parts.push(plan::skipped(account, why.clone()));
        }
    }
    let header = Header {
        organization_id: survey.organization.id.clone(),
        created_at: jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string(),
        desired_digest: desired.digest.clone(),
    };
    checked(plan::build(header, &survey.settings, parts).with_findings(missing), survey)
}

/// Adds what lints say, and what the desired state's own checks do: over roles and policies, and over the plan.
fn checked(plan: Plan, survey: &Survey) -> Plan {
    let whole = survey.config.plan_checks(|| plan.shown(&survey.settings.secrets), &survey.organization);
    let found = survey.expansion.findings.iter().cloned().chain(whole);
    let desired = &survey.expansion.desired;
    let lints = plan::lints(&survey.settings, &desired.accounts);
    plan.with_findings(found.map(finding).chain(lints).chain(plan::outside(desired)))
}

/// What a check found, as a plan says it.
pub fn finding(found: CheckFinding) -> Finding {
    let CheckFinding { code, severity, address, message } = found;
    let severity = match severity {
        Weight::Stop => Severity::Stop,
        Weight::Warn => Severity::Warn,
    };
    Finding { code, severity, address, message }
}

fn internal(account: &Account, broken: &tokio::task::JoinError) -> AwsError {
    AwsError {
        account: Some(account.id),
        operation: "reading the account".to_owned(),
        resource: None,
        code: None,
        message: format!("internal error: {broken}"),
        request_id: None,
    }
}

fn changes(part: &AccountPlan) -> String {
    match part.changes.iter().filter(|change| !change.cosmetic).count() {
        0 => "as desired".to_owned(),
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    }
}

struct Shared<R> {
    reader: R,
    settings: Settings,
    /// Whether AWS's managed policies exist: the same in every account, so each is asked for once.
    existing: Mutex<BTreeMap<PolicyArn, Arc<OnceCell<bool>>>>,
}

impl<R: Reader> Shared<R> {
    async fn plan_account(&self, account: &Account, desired: Option<&AccountDesired>) -> AccountPlan {
        match self.try_plan(account, desired).await {
            Ok(part) => part,
            Err(error) => plan::unreadable(account, error),
        }
    }

    async fn try_plan(&self, account: &Account, desired: Option<&AccountDesired>) -> Result<AccountPlan, AwsError> {
        let mut live = self.reader.read(account, &self.wanted(desired)).await?;
        // What was read may open further questions; each round answers all that are open.
        loop {
            let needs = plan::needs(&self.settings, account, desired, &live);
            if needs.is_empty() {
                break;
            }
            self.answer(account, needs, &mut live).await?;
        }
        Ok(plan::plan_account(&self.settings, account, desired, &live, None))
    }

    async fn answer(&self, account: &Account, needs: Needs, live: &mut LiveAccount) -> Result<(), AwsError> {
        let Needs { policy_tags, managed_policies, quotas, details } = needs;
        for arn in policy_tags {
            let tags = self.reader.policy_tags(account, &arn).await?;
            if let Some(policy) = live.policies.values_mut().find(|policy| policy.arn == arn) {
                policy.tags = Some(tags);
            }
        }
        for arn in managed_policies {
            let exists = self.exists(account, &arn).await?;
            live.known_policies.insert(arn, exists);
        }
        if quotas {
            live.quotas = Some(self.reader.quotas(account).await?);
        }
        if details {
            let scope = Scope::Only {
                roles: live.roles.values().map(|role| role.name.clone()).collect(),
                policies: BTreeSet::new(),
            };
            let again = self.reader.read(account, &Wanted { scope, details, grants: None }).await?;
            live.roles = again.roles;
        }
        Ok(())
    }

    /// What to read: everything, for what is ours and no longer desired must be found; or, where `--role` names exact
    /// roles, those alone.
    fn wanted(&self, desired: Option<&AccountDesired>) -> Wanted {
        let details = desired.is_some_and(AccountDesired::needs_details);
        let named: Option<_> = self.settings.roles.iter().map(|role| RoleName::parse(role).ok()).collect();
        let scope = match (named, self.settings.extras) {
            (Some(roles), Extras::Keep) if !self.settings.roles.is_empty() => {
                let policies = desired.iter().flat_map(|desired| desired.policies.values());
                Scope::Only { roles, policies: policies.map(|policy| policy.name.clone()).collect() }
            }
            _ => Scope::All,
        };
        Wanted { scope, details, grants: Some(self.grants(desired)) }
    }

    /// Which grants to read: those that are desired, and with prune whatever users and groups are left with.
    fn grants(&self, desired: Option<&AccountDesired>) -> WantedGrants {
        let desired = desired.iter().flat_map(|desired| desired.grants.values());
        let principals: BTreeMap<_, _> =
            desired.map(|grant| (grant.principal.key(), grant.principal.clone())).collect();
        let prunes = self.settings.extras == Extras::Remove && self.settings.roles.is_empty();
        let others = if prunes { Others::All } else { Others::Unseen };
        WantedGrants { policy: PolicyName::of_grants(&self.settings.name), principals, others }
    }

    async fn exists(&self, account: &Account, arn: &PolicyArn) -> Result<bool, AwsError> {
        if !arn.is_aws_managed() {
            return self.reader.policy_exists(account, arn).await;
        }
        let cell = {
            let mut existing = self.existing.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(existing.entry(arn.clone()).or_default())
        };
        cell.get_or_try_init(|| self.reader.policy_exists(account, arn)).await.copied()
    }
}
