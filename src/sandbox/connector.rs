//! An HTTP client for the SDK whose other end is the sandbox.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;

use super::Sandbox;
use super::protocol::Request;

impl Sandbox {
    /// An HTTP client for the SDK; every request of every service ends here and none leaves the process.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(Connector(self.clone()))
    }
}

#[derive(Debug, Clone)]
struct Connector(Sandbox);

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sandbox = self.0.clone();
        HttpConnectorFuture::new(async move {
            let header = |name| request.headers().get(name).map(str::to_owned);
            let (authorization, token) = (header("authorization"), header("x-amz-security-token"));
            let target = header("x-amz-target");
            let body = request
                .into_body()
                .collect()
                .await
                .map_err(ConnectorError::user)?
                .to_bytes()
                .to_vec();
            let request = Request {
                authorization,
                token,
                target,
                body,
            };
            let answer = sandbox
                .answer(&request)
                .await
                .map_err(|reset| ConnectorError::io(reset.into()))?;
            let answer = http::Response::builder()
                .status(answer.status)
                .header("content-type", answer.content_type)
                .header("x-amzn-requestid", answer.request_id)
                .body(SdkBody::from(answer.body))
                .map_err(|error| ConnectorError::other(error.into(), None))?;
            HttpResponse::try_from(answer)
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
