//! HTTP to services other than AWS: webhooks and trace collectors.
//!
//! Their addresses may be secrets, so no failure says where something was sent.

use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The address is not an HTTP URL.
    #[error("its address is not an http or https URL")]
    Address,
    /// No one answered.
    #[error("it cannot be reached")]
    Unreachable,
    /// No one answered in time.
    #[error("it did not answer within {} seconds", .0.as_secs())]
    Late(Duration),
}

/// The SDK's own HTTP, which goes through the environment's proxies as every other call does.
#[derive(Debug)]
pub struct Web(Connector);

impl Default for Web {
    fn default() -> Self {
        let builder = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::Ring));
        Self(builder.proxy_config(ProxyConfig::from_env()).build())
    }
}

impl Web {
    /// Sends one request and reads the whole answer, within `patience`.
    ///
    /// # Errors
    /// There is no answer. One that refuses is an answer.
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        patience: Duration,
    ) -> Result<http::Response<Vec<u8>>, Failure> {
        tokio::time::timeout(patience, self.exchange(request))
            .await
            .unwrap_or(Err(Failure::Late(patience)))
    }

    async fn exchange(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, Failure> {
        if !matches!(request.uri().scheme_str(), Some("http" | "https")) {
            return Err(Failure::Address);
        }
        let request =
            HttpRequest::try_from(request.map(SdkBody::from)).map_err(|_| Failure::Address)?;
        let answer = self
            .0
            .call(request)
            .await
            .map_err(|_| Failure::Unreachable)?;
        let status = answer.status().as_u16();
        let body = ByteStream::new(answer.into_body())
            .collect()
            .await
            .map_err(|_| Failure::Unreachable)?;
        http::Response::builder()
            .status(status)
            .body(body.to_vec())
            .map_err(|_| Failure::Unreachable)
    }
}
