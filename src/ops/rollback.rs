//! The way back to what a run found.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{READ_AT_ONCE, header};
use super::planner::Planner;
use super::{Error, Survey, each_account};
use crate::aws::Reading;
use crate::execute;
use crate::org::{Account, AccountId, AwsError};
use crate::plan::{self, AccountPlan, Found, Plan};
use crate::read::Reader as _;
use crate::resource::name::PolicyName;
use crate::store::{Entry, RunRecord, Store};

/// Plans the way back of a recorded run.
///
/// # Errors
/// There is no such run, or it cannot be read.
pub async fn plan(survey: &Survey, store: &Store, run: &str) -> Result<Plan, Error> {
    let found = found(store.run(run).await?);
    if found.is_empty() {
        return Err(Error::because(format!(
            "run {run} wrote nothing: there is nothing to roll back"
        )));
    }
    let planner = Planner::new(survey, None);
    let questions = found.into_iter().filter_map(|(id, found)| {
        let account = survey.organization.accounts.get(&id)?;
        survey.may_read(account).then_some((account, found))
    });
    let answers = each_account(questions, READ_AT_ONCE, async |account, found| {
        part(&planner, store, account, &found).await
    })
    .await;
    let parts = answers
        .into_iter()
        .map(|(account, answer)| answer.unwrap_or_else(|error| plan::unreadable(account, error)));
    Ok(plan::build(
        header(survey),
        &survey.settings,
        parts.collect(),
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
    planner: &Planner<Reading>,
    store: &Store,
    account: &Account,
    found: &[Found],
) -> Result<AccountPlan, AwsError> {
    let Planner {
        reader, settings, ..
    } = planner;
    let resources = found
        .iter()
        .filter_map(|found| plan::resource_at(&found.address));
    let wanted = execute::wanted(resources, PolicyName::of_grants(&settings.name), true);
    let mut live = reader.read(account, &wanted).await?;
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
    planner
        .complete(account, Some(desired), &mut back.live, None)
        .await?;
    let mut part = plan::plan_account(settings, account, Some(desired), &back.live, None);
    part.findings.append(&mut back.left);
    Ok(part)
}
