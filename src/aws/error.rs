//! Any failure of the SDK as an [`AwsError`].
//!
//! The SDK's own `Display` says `service error` or `dispatch failure` and hides the reason in its sources. Here the
//! reason comes out: AWS's code and message where it answered, else the chain of causes. Bodies are never shown, not
//! even those of answers: a proxy may echo a request in them, and requests hold secrets.

use std::error::Error;

use aws_sdk_iam::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::org::{AccountId, AwsError};
use crate::resource::operation::Operation;

/// One call, as far as an error must name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// Where it was made; `None` before any account is known.
    pub account: Option<AccountId>,
    /// The API operation.
    pub operation: Operation,
    /// What it is about.
    pub resource: Option<&'a str>,
}

impl Call<'_> {
    /// The error of this call, from the SDK's.
    pub fn failed<E>(self, error: &SdkError<E, HttpResponse>) -> AwsError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        AwsError {
            code: error.code().map(str::to_owned),
            request_id: error.request_id().map(str::to_owned),
            ..self.because(reason(error))
        }
    }

    /// The error of this call where the SDK has none: `message` says what is wrong.
    pub fn because(self, message: impl Into<String>) -> AwsError {
        AwsError {
            account: self.account,
            operation: self.operation.to_string(),
            resource: self.resource.map(str::to_owned),
            code: None,
            message: message.into(),
            request_id: None,
        }
    }

    /// A member that the API promises, or an error that says that the answer lacks it.
    pub fn required<T>(self, member: &str, value: Option<T>) -> Result<T, AwsError> {
        value.ok_or_else(|| self.because(format!("the response has no `{member}`")))
    }
}

/// What went wrong, in words.
fn reason<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(answer) => match (answer.err().message(), answer.err().code()) {
            (Some(message), _) if !message.is_empty() => message.to_owned(),
            (_, Some(_)) => "AWS gave no message".to_owned(),
            (_, None) if answer.raw().status().is_success() => unreadable(answer.raw(), error),
            (_, None) => foreign_answer(answer.raw()),
        },
        SdkError::ResponseError(answer) => unreadable(answer.raw(), error),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            format!("no response in time: {}", chain(error))
        }
        // The run itself stopped the call: AWS was not asked.
        SdkError::DispatchFailure(failure) if failure.is_user() => chain(error),
        SdkError::DispatchFailure(_) => format!("cannot reach AWS: {}", chain(error)),
        SdkError::TimeoutError(_) => format!("no response in time: {}", chain(error)),
        SdkError::ConstructionFailure(_) => {
            format!("cannot build the request: {}", chain(error))
        }
        _ => chain(error),
    }
}

/// An answer whose body is not what the API promises.
fn unreadable(response: &HttpResponse, error: &(dyn Error + 'static)) -> String {
    format!(
        "HTTP status {}: cannot read the response: {}",
        response.status(),
        chain(error)
    )
}

/// An error status whose body is not AWS's: a proxy's or an emulator's HTML page.
fn foreign_answer(response: &HttpResponse) -> String {
    let kind = response
        .headers()
        .get("content-type")
        .unwrap_or("no content type");
    format!(
        "HTTP status {} without an AWS error code ({kind}): is a proxy answering in place of AWS?",
        response.status()
    )
}

/// The causes of `error`, outermost first. The SDK's own generic first sentence is left out.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Many wrappers repeat what they wrap.
        if causes.last().is_none_or(|last| !last.contains(&text)) {
            causes.push(text);
        }
        next = cause.source();
    }
    if causes.is_empty() {
        error.to_string()
    } else {
        causes.join(": ")
    }
}

/// Whether the credentials of the call had run out: entering the account again may help.
pub(super) fn is_expired(error: &AwsError) -> bool {
    error.is("ExpiredToken") || error.is("ExpiredTokenException")
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::operation::get_account_summary::GetAccountSummaryError;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::super::testing::{Fake, account, default, refusal};
    use super::*;
    use crate::read::Reader;

    /// What a user reads where `GetAccountSummary` is answered so.
    async fn told(answer: (u16, String)) -> String {
        let fake = Fake::new(move |asked| match asked.operation.as_str() {
            "GetAccountSummary" => answer.clone(),
            _ => default(),
        });
        fake.accounts()
            .await
            .reading()
            .quotas(&account("222222222222"))
            .await
            .unwrap_err()
            .to_string()
    }

    #[tokio::test]
    async fn an_error_says_where_what_and_why() {
        let prefix = "account 222222222222: GetAccountSummary: ";
        let empty = (
            200,
            "<GetAccountSummaryResponse></GetAccountSummaryResponse>".to_owned(),
        );
        for (answer, expect) in [
            (empty, "HTTP status 200: cannot read the response: "),
            (
                refusal(
                    403,
                    "AccessDenied",
                    "explicit deny in a service control policy",
                ),
                "AccessDenied: explicit deny in a service control policy",
            ),
            (
                refusal(400, "ValidationError", ""),
                "ValidationError: AWS gave no message",
            ),
            (
                (403, "<html>secret-in-body</html>".to_owned()),
                "HTTP status 403 without an AWS error code (no content type): is a proxy answering in place of AWS?",
            ),
        ] {
            let text = told(answer).await;
            assert!(text.starts_with(&format!("{prefix}{expect}")), "{text}");
            assert!(!text.contains("secret-in-body"), "{text}");
        }
    }

    #[test]
    fn a_call_without_an_answer_tells_every_cause_once() {
        type Failure = SdkError<GetAccountSummaryError, HttpResponse>;
        let cause = || std::io::Error::other(std::io::Error::other("connection refused"));
        for (failure, expect) in [
            (
                Failure::dispatch_failure(ConnectorError::io(cause().into())),
                "cannot reach AWS: io error: connection refused",
            ),
            (
                Failure::dispatch_failure(ConnectorError::timeout(cause().into())),
                "no response in time: timeout: connection refused",
            ),
            (
                Failure::timeout_error(cause()),
                "no response in time: connection refused",
            ),
            (
                Failure::construction_failure(cause()),
                "cannot build the request: connection refused",
            ),
        ] {
            let call = Call {
                account: None,
                operation: Operation::GetAccountSummary,
                resource: Some("r"),
            };
            assert_eq!(
                call.failed(&failure).to_string(),
                format!("GetAccountSummary `r`: {expect}")
            );
        }
    }
}
