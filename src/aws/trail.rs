//! Who changed a resource: the event history of CloudTrail, which every account has without a trail.
//!
//! IAM is a global service, so its events are in the history of one region, whatever region the caller is in:
//! `us-east-1` (CloudTrail User Guide, "Global service events"), and in other partitions the one that IAM's endpoint
//! is in (AWS General Reference, "IAM endpoints and quotas"). An event is found by what its request names: a role,
//! user or group by its name, a customer managed policy by its ARN.
//!
//! The history answers two calls a second for each account and region, one attribute and 50 events a call, 90 days back
//! and up to 15 minutes late (CloudTrail API Reference, `LookupEvents`). So calls of one account come one after
//! another, and after the first that fails nothing more is asked there: what answers nothing once costs nothing twice.

use std::time::Duration;

use aws_config::Region;
use aws_config::identity::IdentityCache;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_smithy_types::DateTime;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::accounts::{Accounts, Iam};
use super::credentials::REFRESH_BEFORE;
use super::retry::Lost;
use super::retry::Retries;
use super::trace::Trace;
use super::{Aws, Reading};
use crate::org::{Account, AwsError, Partition};
use crate::resource::event::{Event, History, Subject};
use crate::resource::operation::Operation;

/// The time from one call to the next, by the limit of two a second.
const PACE: Duration = Duration::from_millis(500);

/// Pages of 50 events that are read for one name.
pub const PAGES: usize = 10;

/// Attempts of one call. Who it was is good to know and worth seconds, not minutes.
const ATTEMPTS: u32 = 5;

/// How long one call may take, all attempts together.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked about one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The shell changes.
    pub subject: Subject,
    /// The names that events may know it by. A later one is asked for where those before it tell nothing; each costs a
    /// call at least.
    pub names: Vec<String>,
    /// From when on; CloudTrail knows 90 days.
    pub since: Option<Timestamp>,
}

impl Reading {
    /// Who changed these resources of one account, an answer for each question.
    ///
    /// What this run's own identity did in the very second of `since` is not reported: it is what made the resource
    /// converge.
    pub async fn changes(
        &self,
        account: &Account,
        questions: &[Question],
    ) -> Vec<Result<History, AwsError>> {
        let mut turns = interval(PACE);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (turns, retries) = (Mutex::new(turns), Retries::unbounded("cloudtrail"));
        let own = self.0.identity(account);
        let mut answers: Vec<Result<History, AwsError>> = Vec::new();
        for question in questions {
            let look = |iam: Iam| {
                let look = Look {
                    client: client(self.0.aws(), &iam, &retries),
                    iam,
                    turns: &turns,
                    own: &own,
                };
                async move { look.history(question).await }
            };
            let answer = match answers.last() {
                Some(Err(error)) => Err(error.clone()),
                _ => self.0.within(account, look).await,
            };
            answers.push(answer);
        }
        answers
    }
}

/// The region whose history holds the events of IAM.
fn home(partition: &Partition) -> Option<Region> {
    let name = match partition.0.as_str() {
        "aws" => "us-east-1",
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        _ => return None,
    };
    Some(Region::new(name))
}

fn client(aws: &Aws, iam: &Iam, retries: &Retries) -> Client {
    let retry = aws
        .base
        .retry_config()
        .cloned()
        .unwrap_or_else(RetryConfig::standard);
    let attempts = retry.max_attempts().min(ATTEMPTS);
    let timeouts = aws
        .base
        .timeout_config()
        .map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
    let mut config = aws_sdk_cloudtrail::config::Builder::from(&aws.base)
        .credentials_provider(iam.session())
        .identity_cache(IdentityCache::lazy().buffer_time(REFRESH_BEFORE).build())
        .retry_config(retry.with_max_attempts(attempts))
        .timeout_config(timeouts.operation_timeout(PATIENCE).build())
        .retry_partition(retries.partition.clone())
        .retry_classifier(retries.classifier(Lost::default()))
        .http_client(retries.paced(&aws.base, None))
        .interceptor(Trace {
            account: Some(iam.account),
        });
    config.set_region(home(&iam.partition).or_else(|| aws.base.region().cloned()));
    Client::from_conf(config.build())
}

/// One query of the history of an account.
struct Look<'a> {
    client: Client,
    iam: Iam,
    turns: &'a Mutex<Interval>,
    /// The ARN that this run has there.
    own: &'a str,
}

impl Look<'_> {
    async fn history(&self, question: &Question) -> Result<History, AwsError> {
        let mut history = History::default();
        for name in &question.names {
            let found = self.by_name(question, name).await?;
            history.is_cut |= found.is_cut;
            if !found.changes.is_empty() {
                history.changes = found.changes;
                break;
            }
        }
        Ok(history)
    }

    async fn by_name(&self, question: &Question, name: &str) -> Result<History, AwsError> {
        let call = self.iam.call(Operation::LookupEvents, Some(name));
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::ResourceName)
            .attribute_value(name);
        let attribute = attribute
            .build()
            .map_err(|error| call.because(error.to_string()))?;
        // Events have whole seconds.
        let start = question.since.map(Timestamp::as_second);
        let request = self.client.lookup_events().lookup_attributes(attribute);
        let request = request.set_start_time(start.map(DateTime::from_secs));
        let (mut changes, mut token) = (Vec::new(), None);
        for _ in 0..PAGES {
            self.turns.lock().await.tick().await;
            let page = request
                .clone()
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| call.failed(&error))?;
            let told = page.events.unwrap_or_default();
            let read = told.iter().filter_map(|event| {
                Event::change_of(
                    &question.subject,
                    event.cloud_trail_event()?,
                    event.username(),
                )
            });
            changes.extend(
                read.filter(|change| start.is_none_or(|start| self.is_after(change, start))),
            );
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        changes.sort_by(|a, b| b.time.cmp(&a.time));
        Ok(History {
            changes,
            is_cut: token.is_some(),
        })
    }

    /// Whether it was done after the second `start`, or in it by someone else.
    fn is_after(&self, change: &Event, start: i64) -> bool {
        let time = change
            .time
            .parse::<Timestamp>()
            .map_or(i64::MAX, Timestamp::as_second);
        time > start || time == start && change.user != self.own
    }
}

impl Accounts {
    /// The ARN that this run has in an account.
    fn identity(&self, account: &Account) -> String {
        let aws = self.aws();
        if account.id == aws.caller().account {
            return aws.caller().arn.clone();
        }
        let (role, session) = self.role_and_session(account);
        let name = role.rsplit('/').next().unwrap_or(&role);
        format!(
            "arn:{}:sts::{}:assumed-role/{name}/{session}",
            aws.partition(),
            account.id
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{Fake, account, default};
    use super::*;
    use crate::resource::name::RoleName;

    const SINCE: &str = "2026-05-04T02:10:00.700Z";

    fn question(names: &[&str]) -> Question {
        Question {
            subject: Subject::Role(RoleName::parse("Vendor").unwrap()),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            since: SINCE.parse().ok(),
        }
    }

    fn event(user: &str, time: &str) -> Value {
        let record = json!({
            "userIdentity": { "arn": user }, "eventTime": time, "eventSource": "iam.amazonaws.com",
            "eventName": "TagRole", "sourceIPAddress": "203.0.113.7", "eventID": "e",
            "requestParameters": { "roleName": "Vendor" },
        });
        json!({ "EventId": "e", "CloudTrailEvent": record.to_string() })
    }

    fn page(events: &[Value], token: Option<&str>) -> (u16, String) {
        (
            200,
            json!({ "Events": events, "NextToken": token }).to_string(),
        )
    }

    async fn ask(fake: &Fake, questions: &[Question]) -> Vec<Result<History, AwsError>> {
        fake.accounts()
            .await
            .reading()
            .changes(&account("222222222222"), questions)
            .await
    }

    fn asked(fake: &Fake) -> Vec<String> {
        let log = fake.log();
        let looks = log.iter().filter(|asked| asked.operation == "LookupEvents");
        looks
            .map(|asked| asked.get("LookupAttributes").to_owned())
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn pages_are_read_one_after_another_up_to_a_bound() {
        let fake = Fake::new(|asked| match asked.operation.as_str() {
            "LookupEvents" => page(&[event("ann", "2026-05-05T00:00:00Z")], Some("more")),
            _ => default(),
        });
        let start = tokio::time::Instant::now();
        let history = ask(&fake, &[question(&["Vendor"])])
            .await
            .remove(0)
            .unwrap();
        assert_eq!(
            (history.changes.len(), history.is_cut, asked(&fake).len()),
            (PAGES, true, PAGES)
        );
        assert!(start.elapsed() >= PACE * 9, "two calls a second");
        assert_eq!(fake.log().last().unwrap().get("NextToken"), "more");
    }

    #[tokio::test(start_paused = true)]
    async fn what_made_it_converge_is_not_told_and_what_followed_in_the_same_second_is() {
        let own = "arn:aws-cn:sts::222222222222:assumed-role/Entry/rolecall";
        let fake = Fake::new(move |asked| match asked.operation.as_str() {
            "LookupEvents" => {
                assert_eq!(asked.get("StartTime"), "1777860600");
                page(
                    &[
                        event(own, "2026-05-04T02:10:00Z"),
                        event("ann", "2026-05-04T02:10:00Z"),
                        event(own, "2026-05-04T02:10:01Z"),
                        event("ann", "2026-05-04T02:09:59Z"),
                    ],
                    None,
                )
            }
            _ => default(),
        });
        let history = ask(&fake, &[question(&["Vendor"])])
            .await
            .remove(0)
            .unwrap();
        let told: Vec<&str> = history
            .changes
            .iter()
            .map(|change| change.user.as_str())
            .collect();
        assert_eq!(told, [own, "ann"], "the newest first");
    }

    #[tokio::test(start_paused = true)]
    async fn another_name_is_asked_for_where_the_first_tells_nothing() {
        let fake = Fake::new(|asked| match asked.operation.as_str() {
            "LookupEvents" if asked.get("LookupAttributes").contains("\"second\"") => {
                page(&[event("ann", "2026-05-05T00:00:00Z")], None)
            }
            "LookupEvents" => page(&[], None),
            _ => default(),
        });
        let history = ask(&fake, &[question(&["first", "second", "third"])])
            .await
            .remove(0)
            .unwrap();
        assert_eq!((history.changes.len(), asked(&fake).len()), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_first_failure_nothing_more_is_asked_in_the_account() {
        for (status, code, calls) in [
            (400, "AccessDeniedException", 1),
            (400, "ThrottlingException", 5),
            (501, "NotImplemented", 1),
        ] {
            let fake = Fake::new(move |asked| match asked.operation.as_str() {
                "LookupEvents" => (
                    status,
                    json!({ "__type": code, "Message": "no" }).to_string(),
                ),
                _ => default(),
            });
            let answers = ask(
                &fake,
                &[question(&["a"]), question(&["b"]), question(&["c"])],
            )
            .await;
            assert!(
                answers
                    .iter()
                    .all(|answer| answer.as_ref().is_err_and(|error| error.is(code))),
                "{answers:?}"
            );
            assert_eq!(asked(&fake).len(), calls, "{code}");
        }
    }

    #[test]
    fn each_partition_keeps_the_events_of_iam_in_one_region() {
        let home = |name: &str| home(&Partition(name.to_owned())).map(|region| region.to_string());
        assert_eq!(home("aws").as_deref(), Some("us-east-1"));
        assert_eq!(home("aws-us-gov").as_deref(), Some("us-gov-west-1"));
        assert_eq!(home("aws-cn").as_deref(), Some("cn-north-1"));
        assert_eq!(home("aws-new"), None);
    }
}
