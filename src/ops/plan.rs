//! From a survey to a plan: accounts are read side by side, and what only all of them together tell is added.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tracing::Instrument as _;

use super::granted_roles::{self, GrantedRoles};
use super::planner::Planner;
use super::state::Past;
use super::{
    Error, Observer, Phase, Survey, checks, each_account, principals, resume, state, trusting,
};
use crate::aws::Reading;
use crate::exit::Exit;
use crate::org::{Account, AccountId, AwsError};
use crate::plan::{
    self, AccountPlan, Change, Header, Intent, Plan, Records, Settings, Standings, Status,
};
use crate::store::{Store, StoreError};

/// Accounts that are read at once, unless `--parallelism` says otherwise.
pub const READ_AT_ONCE: usize = 64;

/// Reads every account of the survey and plans it.
///
/// With a state the plan says who moved, and accounts on record are read though they are no longer targeted.
///
/// # Errors
/// The state cannot be read.
pub async fn plan(
    survey: &Survey,
    parallelism: Option<usize>,
    state: Option<&Store>,
    observer: &dyn Observer,
) -> Result<Plan, Error> {
    Ok(plan_beside(survey, parallelism, state, None, observer)
        .await?
        .0)
}

/// As [`plan()`]; says of the changes of a plan that was `saved` how their resources are found now.
///
/// # Errors
/// The state cannot be read.
pub async fn plan_beside(
    survey: &Survey,
    parallelism: Option<usize>,
    state: Option<&Store>,
    saved: Option<&Plan>,
    observer: &dyn Observer,
) -> Result<(Plan, Standings), Error> {
    let mut to_read = survey.to_read();
    let mut earlier = Past::default();
    if let Some(store) = state {
        let accounts = store.accounts().await?;
        if accounts.is_empty() {
            earlier.begun = resume::ever_begun(store).await?;
        } else {
            earlier.records = Records::Some;
        }
        to_read.extend(on_record(survey, store, accounts).await?);
    }
    let desired = &survey.expansion.desired;
    let at_once = parallelism.unwrap_or(READ_AT_ONCE);
    let reader = survey.accounts.reading();
    let phase = observer.phase("Reading accounts", Some(to_read.len() as u64));
    let granted = granted_roles::find(&reader, &survey.organization, desired, at_once).await;
    let mut planner = Planner::new(survey, state);
    (planner.saved, planner.past) = (claims(saved), earlier);
    let planner = Arc::new(planner);
    let mut parts = read_and_plan(survey, &to_read, &planner, &granted, at_once, &phase).await;
    phase.finish();
    let standings = match Arc::into_inner(planner) {
        Some(planner) => planner.into_standings()?,
        None => Standings::new(),
    };
    if let Some(store) = state {
        name_the_dead(&mut parts, store).await?;
    }
    let organization = &survey.organization;
    let untold = trusting::name_trusting_roles(&reader, organization, &mut parts, at_once).await;
    let (missing, unchecked) = principals::missing(&reader, organization, &parts, at_once).await;
    for (what, errors) in [
        ("the paths of granted roles are unknown", &granted.unread),
        (
            "trust policies that name a replaced role are not listed",
            &untold,
        ),
        (
            "the roles named in trust policies were not checked",
            &unchecked,
        ),
    ] {
        say_unread(what, errors, &parts, observer);
    }
    for (id, why) in &desired.skipped {
        if let Some(account) = survey.organization.accounts.get(id) {
            parts.push(plan::skipped(account, why.clone()));
        }
    }
    let settings = Settings {
        begun: begun(survey, &parts, state).await?,
        ..survey.settings.clone()
    };
    let plan = plan::build(header(survey), &settings, parts).with_findings(missing);
    let mut plan = checks::add(plan, survey, &granted);
    for finding in &mut plan.findings {
        finding.message = settings.secrets.mask(&finding.message);
    }
    Ok((plan, standings))
}

/// The changes of a saved plan, by account.
fn claims(saved: Option<&Plan>) -> BTreeMap<AccountId, Vec<Change>> {
    saved
        .iter()
        .flat_map(|plan| &plan.accounts)
        .map(|part| (part.id, part.changes.clone()))
        .collect()
}

/// What an unfinished run of the same desired state began. It is asked for only where the limits would stop the plan.
async fn begun(
    survey: &Survey,
    parts: &[AccountPlan],
    state: Option<&Store>,
) -> Result<BTreeSet<String>, Error> {
    let command = match survey.settings.intent {
        Intent::Converge => "apply",
        Intent::Destroy => "destroy",
        Intent::Restore => return Ok(BTreeSet::new()),
    };
    match state {
        Some(store) if plan::exceeds_limits(&survey.settings, parts) => {
            resume::begun(store, command, &survey.expansion.desired.digest).await
        }
        _ => Ok(BTreeSet::new()),
    }
}

/// Says of dead principals which roles they were, as far as the state knows.
async fn name_the_dead(parts: &mut [AccountPlan], store: &Store) -> Result<(), StoreError> {
    let findings = parts.iter_mut().flat_map(|part| &mut part.findings);
    let mut dead = findings
        .filter(|finding| finding.code == "dead-principal")
        .peekable();
    if dead.peek().is_none() {
        return Ok(());
    }
    let names = state::names(store).await?;
    for finding in dead {
        let known = names
            .iter()
            .filter(|(id, _)| finding.message.contains(&format!("`{id}`")));
        let known: Vec<String> = known
            .map(|(id, arn)| format!("; `{id}` was `{arn}`"))
            .collect();
        finding.message += &known.concat();
    }
    Ok(())
}

/// What a plan made now says about itself.
pub fn header(survey: &Survey) -> Header {
    Header {
        organization_id: survey.organization.id.clone(),
        created_at: jiff::Timestamp::now()
            .round(jiff::Unit::Second)
            .unwrap_or_default()
            .to_string(),
        desired_digest: survey.expansion.desired.digest.clone(),
        scope: survey.scope.clone(),
    }
}

/// Active accounts in scope that have managed resources as far as the state knows, and that are not targeted.
async fn on_record(
    survey: &Survey,
    store: &Store,
    known: Vec<AccountId>,
) -> Result<Vec<Account>, StoreError> {
    let mut accounts = Vec::new();
    for id in known {
        let Some(account) = survey
            .organization
            .accounts
            .get(&id)
            .filter(|account| survey.may_read(account))
        else {
            continue;
        };
        if !survey.is_read(account) && !store.account(id).await?.resources.is_empty() {
            accounts.push(account.clone());
        }
    }
    Ok(accounts)
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
    match part
        .changes
        .iter()
        .filter(|change| !change.cosmetic)
        .count()
    {
        0 => "as desired".to_owned(),
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    }
}

/// Reads and plans the accounts side by side; each one's live state is dropped once its part stands.
async fn read_and_plan(
    survey: &Survey,
    accounts: &[Account],
    planner: &Arc<Planner<Reading>>,
    granted: &GrantedRoles,
    at_once: usize,
    phase: &Arc<dyn Phase>,
) -> Vec<AccountPlan> {
    let desired = &survey.expansion.desired.accounts;
    let questions = accounts
        .iter()
        .map(|account| (account, desired.get(&account.id)));
    let answers = each_account(questions, at_once, async |account, desired| {
        let desired = desired.map(|desired| granted.settle_account(desired.clone()));
        let (planner, of_task) = (Arc::clone(planner), account.clone());
        let span = tracing::error_span!("plan account", account = %account.id);
        let work = async move { planner.plan_account(&of_task, desired.as_ref()).await };
        // A task of its own, so that a panic costs one account, and accounts are planned on all cores.
        let answer = tokio::spawn(work.instrument(span))
            .await
            .unwrap_or_else(|broken| Err(internal(account, &broken)));
        match &answer {
            Ok(part) => phase.account_done(&part.name, part.id, &changes(part)),
            Err(error) => {
                phase.failure(&format!("{}: {error}", account.name));
                phase.tick();
            }
        }
        answer
    })
    .await;
    answers
        .into_iter()
        .map(|(account, answer)| answer.unwrap_or_else(|error| plan::unreadable(account, error)))
        .collect()
}

/// Says what is not known because accounts could not be read again. Those that the plan shows as unreadable say so there.
fn say_unread(what: &str, errors: &[AwsError], parts: &[AccountPlan], observer: &dyn Observer) {
    let shown: BTreeSet<AccountId> = parts
        .iter()
        .filter(|part| part.error.is_some())
        .map(|part| part.id)
        .collect();
    for error in errors {
        if error
            .account
            .is_none_or(|account| !shown.contains(&account))
        {
            observer.warning(&format!("{what}: {error}"));
        }
    }
}

/// Whether applying the plan would write anything.
pub fn has_changes(plan: &Plan) -> bool {
    plan.summary.steps > 0
}

/// How reading ended: all accounts, some, or none.
pub fn reading(plan: &Plan) -> Exit {
    let read = plan
        .accounts
        .iter()
        .any(|account| account.status == Status::Read);
    match plan.summary.unreadable {
        0 => Exit::Done,
        _ if read => Exit::Partial,
        _ => Exit::Error,
    }
}
