//! What is retried, and how often.
//!
//! | answer | means | so |
//! |---|---|---|
//! | a code of [`THROTTLED`], or status 429 | nothing was done, too many calls | again, and the account slows down ([`super::pace`]) |
//! | a code of [`NOT_NOW`] | nothing was done, something else was in the way | again |
//! | none: reset, no response in time; one that ends early; status 500, 502, 503 or 504 | it is unknown | again, and a write is looked after ([`super::lost`]) |
//! | `ExpiredToken` | nothing was done | the account is entered again, once ([`super::accounts`]) |
//! | anything else: `AccessDenied`, `LimitExceeded`, `MalformedPolicyDocument`, … | no | never again |
//!
//! Whether `NoSuchEntity`, `DeleteConflict` or `Invalid principal` will heal depends on what the run itself has just
//! done, which only the engine knows.
//!
//! The SDK waits between attempts, by chance up to a limit that doubles, and gives up after three minutes. The budget of
//! retries is per account: the SDK's default is one per process, which a few throttled accounts empty for all others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_types::retry::RetryConfig;

use super::guard::Guard;
use super::http::https;
use super::pace::{Pace, Paced};
use crate::org::{AccountId, AwsError};

/// Attempts of one call, the first included, where `AWS_MAX_ATTEMPTS` does not say otherwise.
const MAX_ATTEMPTS: u32 = 10;

/// Codes that mean "too many calls".
///
/// Source: AWS SDKs and Tools Reference Guide, Retry behavior. `LimitExceeded` of IAM is a quota and is not among them.
const THROTTLED: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
    "SlowDown",
];

/// Codes that mean "not now" and that the SDK gives up on.
///
/// Sources: IAM API Reference, common errors of `CreateRole` and `TagRole`; Organizations API Reference,
/// `ConcurrentModificationException`; S3 User Guide, conditional writes.
const NOT_NOW: &[&str] = &[
    "ConcurrentModification",
    "ConcurrentModificationException",
    "ConditionalRequestConflict",
    "EntityTemporarilyUnmodifiable",
    "EntityTemporarilyUnmodifiableException",
];

/// The retry settings of every client: those of the environment where it has any, else ours.
///
/// `env` looks up an environment variable. A value that AWS's own tools would refuse is refused here too.
pub(super) fn config(env: impl Fn(&str) -> Option<String>) -> Result<RetryConfig, AwsError> {
    let refuse = |name: &str, value: &str, expect: &str| {
        Err(AwsError::before_any_call(
            "configuration",
            Some(name),
            format!("`{value}` is not {expect}"),
        ))
    };
    let config = match env("AWS_RETRY_MODE").as_deref() {
        None | Some("" | "standard" | "legacy") => RetryConfig::standard(),
        Some("adaptive") => RetryConfig::adaptive(),
        Some(other) => return refuse("AWS_RETRY_MODE", other, "`standard` or `adaptive`"),
    };
    let attempts = match env("AWS_MAX_ATTEMPTS").as_deref() {
        None | Some("") => MAX_ATTEMPTS,
        Some(text) => match text.trim().parse() {
            Ok(attempts) if attempts > 0 => attempts,
            _ => return refuse("AWS_MAX_ATTEMPTS", text, "a number above 0"),
        },
    };
    Ok(config
        .with_max_attempts(attempts)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(20)))
}

/// Whether an answer was lost since a task began. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost(Arc<AtomicBool>);

impl Lost {
    /// Takes note of a lost answer.
    pub fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether one was.
    pub fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Begins anew.
    pub fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// What is remembered of the calls that share one limit of AWS's.
#[derive(Debug)]
pub(super) struct Retries {
    /// The budget of retries.
    pub partition: RetryPartition,
    pace: Arc<Pace>,
}

impl Retries {
    /// For one account: 500 tokens, 5 a retry, of which 5 a second come back, so that a long apply in a throttled account
    /// slows down instead of failing.
    pub fn of_account(account: AccountId) -> Self {
        let tokens = TokenBucket::builder()
            .capacity(500)
            .refill_rate(5.0)
            .build();
        let partition = RetryPartition::custom(format!("iam-{account}"))
            .token_bucket(tokens)
            .build();
        Self {
            partition,
            pace: Arc::default(),
        }
    }

    /// Where one client works for all accounts: only the attempts of each call bound its retries.
    pub fn unbounded(name: &'static str) -> Self {
        let partition = RetryPartition::custom(name)
            .token_bucket(TokenBucket::unlimited())
            .build();
        Self {
            partition,
            pace: Arc::default(),
        }
    }

    /// Judges failed attempts, and tells `lost` of answers that were.
    pub fn classifier(&self, lost: Lost) -> NotNow {
        NotNow {
            pace: Arc::clone(&self.pace),
            lost,
        }
    }

    /// The HTTP client of `base`, at the pace of these calls. With a `guard` each request passes it once its turn has
    /// come.
    pub fn paced(&self, base: &SdkConfig, guard: Option<&Guard>) -> SharedHttpClient {
        let client = base.http_client().unwrap_or_else(https);
        let client = match guard {
            Some(guard) => guard.client(client),
            None => client,
        };
        SharedHttpClient::new(Paced {
            client,
            pace: Arc::clone(&self.pace),
        })
    }
}

/// Why an attempt failed, where trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Throttled,
    InTheWay,
    /// The answer was lost: whether the call did anything is unknown.
    Lost,
}

fn reason(context: &InterceptorContext) -> Option<Reason> {
    let Some(Err(error)) = context.output_or_error() else {
        return None;
    };
    let answer = context.response().filter(|_| !error.is_timeout_error());
    let Some(answer) = answer else {
        let broken = error
            .as_connector_error()
            .is_some_and(|failure| !failure.is_user());
        return (broken || error.is_timeout_error() || error.is_response_error())
            .then_some(Reason::Lost);
    };
    // The error's type is erased here and differs per operation, so the code is taken from the answer itself.
    let body = answer.body().bytes().unwrap_or_default();
    let code = error_code(answer.headers().get("x-amzn-errortype"), body);
    let is_in = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
    match answer.status().as_u16() {
        429 => Some(Reason::Throttled),
        _ if is_in(THROTTLED) => Some(Reason::Throttled),
        _ if is_in(NOT_NOW) => Some(Reason::InTheWay),
        500 | 502 | 503 | 504 => Some(Reason::Lost),
        // The only interceptor that fails once an answer is there is the one that demands a whole body.
        200..=299 if error.is_interceptor_error() || error.is_response_error() => {
            Some(Reason::Lost)
        }
        200..=299 if !body.trim_ascii_end().ends_with(b"}") && !body.ends_with(b">") => {
            Some(Reason::Lost)
        }
        _ => None,
    }
}

/// Retries by [`Reason`].
#[derive(Debug)]
pub(super) struct NotNow {
    pace: Arc<Pace>,
    lost: Lost,
}

impl ClassifyRetry for NotNow {
    fn name(&self) -> &'static str {
        "NotNow"
    }

    fn priority(&self) -> RetryClassifierPriority {
        after_the_sdks()
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match reason(context) {
            None => RetryAction::NoActionIndicated,
            Some(Reason::Throttled) => {
                self.pace.throttled();
                RetryAction::throttling_error()
            }
            Some(Reason::InTheWay) => RetryAction::server_error(),
            Some(Reason::Lost) => {
                self.lost.note();
                RetryAction::transient_error()
            }
        }
    }
}

fn after_the_sdks() -> RetryClassifierPriority {
    RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
}

/// For a write that must not be sent again unseen: a lost answer ends the call.
#[derive(Debug)]
pub(super) struct NotUnseen;

impl ClassifyRetry for NotUnseen {
    fn name(&self) -> &'static str {
        "NotUnseen"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(after_the_sdks())
    }

    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match reason(context) {
            Some(Reason::Lost) => RetryAction::RetryForbidden,
            Some(Reason::Throttled | Reason::InTheWay) | None => RetryAction::NoActionIndicated,
        }
    }
}

/// The error code of an answer: `<Code>` of the query protocol, or the type of the JSON protocol without its namespace.
fn error_code(type_header: Option<&str>, body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    if let Some((_, rest)) = body.split_once("<Code>") {
        return rest
            .split_once("</Code>")
            .map(|(code, _)| code.trim().to_owned());
    }
    let json = serde_json::from_str::<serde_json::Value>(body).unwrap_or_default();
    let name = type_header.or_else(|| json.get("__type")?.as_str())?;
    let name = name.split(':').next().unwrap_or(name);
    Some(name.rsplit('#').next().unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::testing::{Fake, account, default, refusal, xml};
    use super::*;
    use crate::execute::Writer;
    use crate::read::Reader;
    use crate::resource::name::RoleName;
    use crate::resource::step::Step;

    #[tokio::test]
    async fn what_means_not_now_is_tried_again_and_the_rest_is_not() {
        for (status, code, attempts) in [
            (409, "ConcurrentModification", 2),
            (409, "EntityTemporarilyUnmodifiable", 2),
            (429, "", 2),
            (400, "Throttling", 2),
            (503, "ServiceUnavailable", 2),
            (409, "LimitExceeded", 1),
            (409, "DeleteConflict", 1),
            (403, "AccessDenied", 1),
            (400, "MalformedPolicyDocument", 1),
            (404, "NoSuchEntity", 1),
        ] {
            let failed = AtomicUsize::new(0);
            let fake = Fake::new(move |asked| match asked.operation.as_str() {
                "DeleteRole" if failed.fetch_add(1, Ordering::Relaxed) == 0 => {
                    refusal(status, code, "not now")
                }
                "DeleteRole" => (200, "<DeleteRoleResponse></DeleteRoleResponse>".to_owned()),
                _ => default(),
            });
            let step = Step::DeleteRole {
                role: RoleName::parse("r").unwrap(),
            };
            let outcome = fake
                .accounts()
                .await
                .writing(crate::execute::Halt::default())
                .write(&account("222222222222"), &step)
                .await;
            assert_eq!(
                (fake.count("DeleteRole"), outcome.is_ok()),
                (attempts, attempts == 2),
                "{code} {outcome:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_is_asked_for_again() {
        let asked_before = AtomicUsize::new(0);
        let fake = Fake::new(move |asked| match asked.operation.as_str() {
            "GetCallerIdentity" if asked_before.fetch_add(1, Ordering::Relaxed) == 0 => {
                (200, "<GetCaller".to_owned())
            }
            _ => default(),
        });
        fake.aws().await;
        assert_eq!(fake.count("GetCallerIdentity"), 2);
    }

    /// Each account spends 10 tokens for good; the SDK's one budget of 500 would be empty after the first fifty.
    #[tokio::test]
    async fn throttled_accounts_do_not_use_up_the_retries_of_others() {
        let asked_before = Mutex::new(BTreeMap::<String, usize>::new());
        let fake = Fake::new(move |asked| {
            if asked.operation != "GetAccountSummary" {
                return default();
            }
            let mut asked_before = asked_before.lock().unwrap();
            let times = asked_before.entry(asked.key.clone()).or_default();
            *times += 1;
            if *times <= 3 {
                return refusal(400, "Throttling", "Rate exceeded");
            }
            xml("GetAccountSummary", "<SummaryMap></SummaryMap>")
        });
        let reading = fake.accounts().await.reading();
        let accounts: Vec<_> = (0..150).map(|i| account(&format!("{i:012}"))).collect();
        let outcomes =
            futures_util::future::join_all(accounts.iter().map(|account| reading.quotas(account)))
                .await;
        assert_eq!(
            outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
            150
        );
    }

    #[test]
    fn the_code_is_found_in_both_protocols() {
        for (header, body, expect) in [
            (
                None,
                "<ErrorResponse><Error><Code>ConcurrentModification</Code>",
                Some("ConcurrentModification"),
            ),
            (
                None,
                r#"{"__type":"com.amazonaws.organizations#TooManyRequestsException"}"#,
                Some("TooManyRequestsException"),
            ),
            (
                Some("ConcurrentModificationException:http://internal/"),
                "{}",
                Some("ConcurrentModificationException"),
            ),
            (None, "<html>502</html>", None),
            (None, "", None),
        ] {
            assert_eq!(
                error_code(header, body.as_bytes()).as_deref(),
                expect,
                "{body}"
            );
        }
    }

    #[test]
    fn the_environments_attempts_come_first() {
        let of = |name: &'static str, value: &'static str| {
            config(move |asked| (asked == name).then(|| value.to_owned()))
                .map(|config| config.max_attempts())
        };
        assert_eq!(of("NONE", ""), Ok(10));
        assert_eq!(of("AWS_MAX_ATTEMPTS", "3"), Ok(3));
        assert_eq!(of("AWS_RETRY_MODE", "adaptive"), Ok(10));
        assert!(
            of("AWS_MAX_ATTEMPTS", "0")
                .unwrap_err()
                .to_string()
                .contains("AWS_MAX_ATTEMPTS")
        );
        assert!(of("AWS_MAX_ATTEMPTS", "many").is_err() && of("AWS_RETRY_MODE", "eager").is_err());
    }
}
