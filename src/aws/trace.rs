//! One debug line per call: which operation, in which account, after how many attempts. Never a body.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::org::AccountId;

/// Logs every call of one client when it has ended.
#[derive(Debug)]
pub(super) struct Trace {
    /// The account the client is for, where it is known.
    pub account: Option<AccountId>,
}

impl Intercept for Trace {
    fn name(&self) -> &'static str {
        "Trace"
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        tracing::debug!(
            account = self.account.map(tracing::field::display),
            operation = config.load::<Metadata>().map_or("", Metadata::name),
            attempts = config.load::<RequestAttempts>().map_or(0, RequestAttempts::attempts),
            status = context.response().map(|response| response.status().as_u16()),
            "called AWS"
        );
        Ok(())
    }
}
