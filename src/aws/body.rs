//! An answer must be whole before it is believed.
//!
//! IAM and STS answer in XML, and the SDK's parser accepts a body that ends early: of a `ListRoles` answer cut at any
//! byte, most cuts are read as a shorter list without `IsTruncated`. A role missing from such a list looks deleted. So
//! a success must end with the closing tag of its operation; anything else, an HTML page with status 200 included, is
//! an error. Answers in JSON (Organizations) need no such guard: JSON that ends early does not parse.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Refuses a success of IAM or STS whose body does not end with `</{Operation}Response>`.
#[derive(Debug)]
pub(super) struct WholeBody;

/// A body that ends early.
#[derive(Debug, thiserror::Error)]
#[error(
    "the answer is incomplete: its {bytes} bytes do not end with `</{operation}Response>`, so nothing in it is believed"
)]
struct Incomplete {
    operation: String,
    bytes: usize,
}

impl Intercept for WholeBody {
    fn name(&self) -> &'static str {
        "WholeBody"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let operation = config.load::<Metadata>().map_or("", Metadata::name);
        let body = response.body().bytes().unwrap_or_default();
        if response.status().is_success() && !is_whole(body, operation) {
            return Err(Incomplete { operation: operation.to_owned(), bytes: body.len() }.into());
        }
        Ok(())
    }
}

/// Whether `body` ends with the closing tag of the answer to `operation`.
fn is_whole(body: &[u8], operation: &str) -> bool {
    body.trim_ascii_end()
        .strip_suffix(b"Response>")
        .and_then(|rest| rest.strip_suffix(operation.as_bytes()))
        .is_some_and(|rest| rest.ends_with(b"</"))
}
