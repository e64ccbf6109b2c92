//! `drift --who`: asks each account's event history who changed what drifted there. No answer fails anything.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{Error, Observer, Survey, each_account};
use crate::aws::trail::Question;
use crate::drift::Drift;
use crate::drift::who::Who;
use crate::org::{AccountId, AwsError};
use crate::plan::{Change, ResourceKind};
use crate::resource::attachment::Item;
use crate::resource::event::{History, Subject};
use crate::resource::grant::Principal;
use crate::resource::name::PolicyName;
use crate::store::{ResourceRecord, Store};

/// Accounts asked at once, where nothing else is said.
const AT_ONCE: usize = 16;

/// How far back the history goes (CloudTrail User Guide, "Working with CloudTrail event history").
const HISTORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Who did it, for each change that needs attention. What `before` found about the same change is asked again only
/// where it may have come too early.
pub async fn ask(
    drift: &Drift,
    before: Option<&Drift>,
    (survey, state): (&Survey, &Store),
    parallelism: Option<usize>,
    observer: &dyn Observer,
) -> Result<BTreeMap<String, Who>, Error> {
    let now = Timestamp::now();
    let known = before
        .map(|before| drift.known_from(before))
        .unwrap_or_default();
    let is_open = |change: &&Change| {
        drift.is_culpable(change)
            && known
                .get(change.address.as_str())
                .is_none_or(|who| who.is_open(now))
    };
    let mut open: BTreeMap<AccountId, Vec<(String, Question)>> = BTreeMap::new();
    for part in &drift.plan.accounts {
        let changes: Vec<&Change> = part.changes.iter().filter(is_open).collect();
        if changes.is_empty() {
            continue;
        }
        let records = state.account(part.id).await?.resources;
        let questions = changes.into_iter().filter_map(|change| {
            let question = question(change, part.id, records.get(&change.address), survey, now)?;
            Some((change.address.clone(), question))
        });
        open.insert(part.id, questions.collect());
    }
    let at_once = parallelism.unwrap_or(AT_ONCE);
    let answers = answers(open, survey, at_once, observer).await;
    let mut who: BTreeMap<String, Who> = known
        .iter()
        .map(|(address, who)| ((*address).to_owned(), (*who).clone()))
        .collect();
    for Answer {
        address,
        since,
        history,
    } in answers
    {
        let asked_at = known.get(address.as_str()).map_or(now, |who| who.asked_at);
        who.insert(
            address,
            Who::new(history, since, asked_at, &survey.settings.secrets),
        );
    }
    Ok(who)
}

/// What the history of an account says about a change.
struct Answer {
    address: String,
    /// From when on it was asked about.
    since: Option<Timestamp>,
    history: Result<History, String>,
}

async fn answers(
    open: BTreeMap<AccountId, Vec<(String, Question)>>,
    survey: &Survey,
    at_once: usize,
    observer: &dyn Observer,
) -> Vec<Answer> {
    if open.is_empty() {
        return Vec::new();
    }
    let phase = observer.phase("Asking CloudTrail", Some(open.len() as u64));
    let reading = survey.accounts.reading();
    let accounts = open
        .into_iter()
        .filter_map(|(id, asked)| Some((survey.organization.accounts.get(&id)?, asked)));
    let answers = each_account(accounts, at_once, async |account, asked| {
        let (addresses, questions): (Vec<String>, Vec<Question>) = asked.into_iter().unzip();
        let answers = reading.changes(account, &questions).await;
        phase.tick();
        let answers = addresses.into_iter().zip(questions).zip(answers);
        let answers = answers.map(|((address, question), answer)| Answer {
            address,
            since: question.since,
            history: answer.map_err(why),
        });
        Ok(answers.collect::<Vec<_>>())
    })
    .await;
    phase.finish();
    answers
        .into_iter()
        .flat_map(|(_, answers)| answers.unwrap_or_default())
        .collect()
}

/// Why nothing is known, without what is another in each account: equal answers are reported once.
fn why(error: AwsError) -> String {
    let denied = error.is("AccessDeniedException") || error.is("AccessDenied");
    let error = AwsError {
        account: None,
        resource: None,
        request_id: None,
        ..error
    };
    if denied {
        format!(
            "CloudTrail is not readable in this account: the access role needs `cloudtrail:LookupEvents`: {error}"
        )
    } else {
        format!("CloudTrail could not be read: {error}")
    }
}

/// What is asked about a change, since its resource was last converged.
fn question(
    change: &Change,
    account: AccountId,
    record: Option<&ResourceRecord>,
    survey: &Survey,
    now: Timestamp,
) -> Option<Question> {
    let (subject, names) = match change.resource()? {
        ResourceKind::Role(role) => {
            let name = role.as_str().to_owned();
            (Subject::Role(role), vec![name])
        }
        ResourceKind::Policy(policy) => {
            let arn = record.and_then(|record| record.converged.arn.clone());
            let partition = &survey.organization.partition;
            let arn =
                arn.unwrap_or_else(|| format!("arn:{partition}:iam::{account}:policy/{policy}"));
            let name = policy.as_str().to_owned();
            (Subject::Policy(policy), vec![arn, name])
        }
        ResourceKind::Grant(principal) => {
            let name = principal.name().to_owned();
            (
                Subject::Inline(principal, PolicyName::of_grants(&survey.settings.name)),
                vec![name],
            )
        }
        ResourceKind::Attachment(id) => {
            let name = id.role.as_str().to_owned();
            let subject = match id.policy {
                Item::Inline(policy) => Subject::Inline(Principal::Role(id.role), policy),
                Item::Managed(policy) => Subject::Attached(id.role, policy),
            };
            (subject, vec![name])
        }
    };
    let since = record.and_then(|record| record.converged_at.parse().ok());
    Some(Question {
        subject,
        names,
        since: since.filter(|since| now.duration_since(*since) < HISTORY),
    })
}
