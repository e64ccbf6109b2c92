//! `rolecall rollback RUN`: the way back to what a run found.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream;

use super::Stop;
use super::planning::{self, READ_AT_ONCE};
use super::survey::Survey;
use crate::aws::Reading;
use crate::org::{Account, AccountId, AwsError};
use crate::plan::{self, AccountPlan, Found, Plan, ResourceKind};
use crate::read::{Others, Reader as _, Scope, Wanted, WantedGrants};
use crate::resource::name::PolicyName;
use crate::store::{Entry, RunRecord, Store};

/// Plans the way back of a recorded run.
///
/// # Errors
/// There is no such run, or it cannot be read.
pub async fn plan(survey: &Survey, store: &Store, run: &str) -> Result<Plan, Stop> {
    let found = found(store.run(run).await?);
    if found.is_empty() {
        return Err(Stop::because(format!(
            "run {run} wrote nothing: there is nothing to roll back"
        )));
    }
    let shared = planning::Shared::new(survey, None);
    let parts = found.into_iter().filter_map(|(id, found)| {
        let account = survey
            .organization
            .accounts
            .get(&id)
            .filter(|account| survey.may_read(account))?;
        Some(part(&shared, store, account, found))
    });
    let parts: Vec<AccountPlan> = stream::iter(parts.collect::<Vec<_>>())
        .buffer_unordered(READ_AT_ONCE)
        .collect()
        .await;
    Ok(plan::build(
        planning::header(survey),
        &survey.settings,
        parts,
    ))
}

/// What a run wrote, by account. What it only looked at is as it was; of a run that was cut off it is unknown which
/// that is, because the last of its steps may have come before their record.
fn found(record: RunRecord) -> BTreeMap<AccountId, Vec<Found>> {
    let mut looked_at = BTreeMap::new();
    let mut written = BTreeSet::new();
    for logged in record.entries {
        match logged.entry {
            Entry::ChangeStarted {
                address,
                before,
                expected,
                details,
                ..
            } => {
                looked_at.insert(
                    address.clone(),
                    Found {
                        address,
                        before,
                        expected,
                        details,
                    },
                );
            }
            Entry::StepStarted { address, .. } => _ = written.insert(address),
            _ => {}
        }
    }
    let mut by_account: BTreeMap<AccountId, Vec<Found>> = BTreeMap::new();
    let may_be_written = |address: &String| !record.finished || written.contains(address);
    for (address, found) in looked_at
        .into_iter()
        .filter(|(address, _)| may_be_written(address))
    {
        if let Some(account) = address
            .split('/')
            .next()
            .and_then(|id| AccountId::parse(id).ok())
        {
            by_account.entry(account).or_default().push(found);
        }
    }
    by_account
}

async fn part(
    shared: &planning::Shared<Reading>,
    store: &Store,
    account: &Account,
    found: Vec<Found>,
) -> AccountPlan {
    match try_part(shared, store, account, &found).await {
        Ok(part) => part,
        Err(error) => plan::unreadable(account, error),
    }
}

async fn try_part(
    shared: &planning::Shared<Reading>,
    store: &Store,
    account: &Account,
    found: &[Found],
) -> Result<AccountPlan, AwsError> {
    let planning::Shared {
        reader, settings, ..
    } = shared;
    let mut live = reader.read(account, &wanted(&settings.name, found)).await?;
    let arns: Vec<_> = live
        .policies
        .iter()
        .map(|(key, policy)| (key.clone(), policy.arn.clone()))
        .collect();
    for (key, arn) in arns {
        let tags = reader.policy_tags(account, &arn).await?;
        if let Some(policy) = live.policies.get_mut(&key) {
            policy.tags = Some(tags);
        }
    }
    let mut back = plan::way_back(settings, found, &live, store.salt());
    let desired = &back.desired;
    shared
        .complete(account, Some(desired), &mut back.live, None)
        .await?;
    let mut part = plan::plan_account(settings, account, Some(desired), &back.live, None);
    part.findings.append(&mut back.left);
    Ok(part)
}

fn wanted(name: &str, found: &[Found]) -> Wanted {
    let (mut roles, mut policies, mut principals) =
        (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for one in found {
        match plan::resource_at(&one.address) {
            Some(ResourceKind::Role(name)) => _ = roles.insert(name),
            Some(ResourceKind::Policy(name)) => _ = policies.insert(name),
            Some(ResourceKind::Grant(principal)) => {
                _ = principals.insert(principal.key(), principal);
            }
            Some(ResourceKind::Attachment(id)) => _ = roles.insert(id.role),
            None => {}
        }
    }
    let policy = PolicyName::of_grants(name);
    let grants = Some(WantedGrants {
        policy,
        principals,
        others: Others::Unseen,
    });
    Wanted {
        scope: Scope::Only { roles, policies },
        details: true,
        grants,
    }
}
