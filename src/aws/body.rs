//! A response must be complete before it is used.
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
    "incomplete response: its {bytes} bytes do not end with `</{operation}Response>`, so it is discarded"
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
            return Err(Incomplete {
                operation: operation.to_owned(),
                bytes: body.len(),
            }
            .into());
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

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;
    use aws_smithy_types::retry::RetryConfig;

    use super::super::testing::{Fake, xml};
    use super::*;

    const ROLES: &str = "<IsTruncated>true</IsTruncated><Roles>\
        <member><Path>/</Path><RoleName>a</RoleName><RoleId>AROAA</RoleId><Arn>arn:aws:iam::111111111111:role/a</Arn>\
        <CreateDate>2026-01-01T00:00:00Z</CreateDate></member>\
        <member><Path>/</Path><RoleName>b</RoleName><RoleId>AROAB</RoleId><Arn>arn:aws:iam::111111111111:role/b</Arn>\
        <CreateDate>2026-01-01T00:00:00Z</CreateDate></member></Roles><Marker>next</Marker>";

    /// A client without retries, so that each cut costs one call.
    fn client(body: &str) -> aws_sdk_iam::Client {
        let body = body.to_owned();
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(aws_sdk_iam::config::Region::new("us-east-1"))
            .credentials_provider(aws_credential_types::Credentials::new(
                "k", "s", None, None, "test",
            ))
            .http_client(Fake::new(move |_| (200, body.clone())).http())
            .retry_config(RetryConfig::disabled())
            .interceptor(WholeBody)
            .build();
        aws_sdk_iam::Client::from_conf(config)
    }

    #[tokio::test]
    async fn a_listing_cut_anywhere_is_never_read_as_a_shorter_one() {
        let (_, whole) = xml("ListRoles", ROLES);
        let answer = client(&whole).list_roles().send().await.unwrap();
        assert_eq!((answer.roles.len(), answer.is_truncated), (2, true));
        // The final line break is not part of the document.
        for end in 0..whole.trim_end().len() {
            assert!(
                client(&whole[..end]).list_roles().send().await.is_err(),
                "{}",
                &whole[..end]
            );
        }
    }

    #[tokio::test]
    async fn a_page_of_html_is_no_success_of_a_write() {
        let outcome = client("<html>please log in</html>")
            .delete_role()
            .role_name("a")
            .send()
            .await;
        let error = super::super::error::chain(&outcome.unwrap_err());
        assert!(
            error.contains("do not end with `</DeleteRoleResponse>`"),
            "{error}"
        );
    }
}
