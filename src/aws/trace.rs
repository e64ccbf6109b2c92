//! One span and one debug line per call: which operation, in which account, after how many attempts. Never a body.
//!
//! Source of the span's attributes: OpenTelemetry semantic conventions, "AWS SDK".

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tracing::Span;
use tracing::field::{self, Empty};

use crate::org::AccountId;

/// Tells of every call of one client.
#[derive(Debug)]
pub(super) struct Trace {
    /// The account the client is for, where it is known.
    pub account: Option<AccountId>,
}

/// The span of a call. It ends with the call's configuration.
#[derive(Debug)]
struct Call(Span);

impl Storable for Call {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Trace {
    fn name(&self) -> &'static str {
        "Trace"
    }

    /// The operation is not known before.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = config
            .load::<Metadata>()
            .map_or(("", ""), |call| (call.service(), call.name()));
        let span = tracing::info_span!(
            "call",
            otel.name = format!("{service}.{operation}"),
            otel.kind = "client",
            otel.status_code = Empty,
            rpc.system = "aws-api",
            rpc.service = service,
            rpc.method = operation,
            account = self.account.map(field::display),
            attempts = Empty,
            http.response.status_code = Empty,
            aws.request_id = Empty,
        );
        config.interceptor_state().store_put(Call(span));
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempts = config
            .load::<RequestAttempts>()
            .map_or(0, RequestAttempts::attempts);
        let status = context
            .response()
            .map(|response| response.status().as_u16());
        if let Some(Call(span)) = config.load::<Call>() {
            span.record("attempts", attempts);
            span.record("http.response.status_code", status);
            span.record(
                "aws.request_id",
                context
                    .response()
                    .and_then(|response| response.headers().get("x-amzn-requestid")),
            );
            if !matches!(context.output_or_error(), Some(Ok(_))) {
                span.record("otel.status_code", "ERROR");
            }
        }
        tracing::debug!(
            account = self.account.map(field::display),
            operation = config.load::<Metadata>().map_or("", Metadata::name),
            attempts,
            status,
            "called AWS"
        );
        Ok(())
    }
}
