//! A word to a webhook once a run has ended.
//!
//! Who knows the address of a webhook can post to it, so the address is a secret: it is never printed or logged, not
//! even in errors. A webhook that fails changes nothing about the run.

use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// How often a notice is sent until it is taken.
const ATTEMPTS: u32 = 3;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The wait after the first attempt; it doubles.
const WAIT: Duration = Duration::from_millis(300);

/// Why a notice was not taken. It never says where it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The address is no URL of HTTP.
    #[error("its address is no http or https URL")]
    Address,
    /// Nobody answered.
    #[error("it cannot be reached")]
    Unreachable,
    /// Nobody answered in time.
    #[error("it did not answer within {} seconds", PATIENCE.as_secs())]
    Late,
    /// It was refused.
    #[error("it answered with HTTP status {0}")]
    Status(u16),
}

impl Failure {
    /// Whether another attempt may end otherwise.
    fn may_pass(self) -> bool {
        match self {
            Self::Address => false,
            Self::Unreachable | Self::Late => true,
            Self::Status(status) => status >= 500 || status == 429 || status == 408,
        }
    }
}

/// Posts `notice` to `url`, a few times where it is not taken.
pub async fn post(url: &str, notice: &Value) -> Result<(), Failure> {
    let connector = connector();
    let mut wait = WAIT;
    let mut attempt = 1;
    loop {
        let outcome = tokio::time::timeout(PATIENCE, once(&connector, url, notice)).await;
        match outcome.unwrap_or(Err(Failure::Late)) {
            Err(failure) if attempt < ATTEMPTS && failure.may_pass() => tokio::time::sleep(wait).await,
            outcome => return outcome,
        }
        attempt += 1;
        wait *= 2;
    }
}

/// The SDK's own HTTP, which goes through the environment's proxies as every other call does.
fn connector() -> Connector {
    let builder = ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    builder.proxy_config(ProxyConfig::from_env()).build()
}

async fn once(connector: &Connector, url: &str, notice: &Value) -> Result<(), Failure> {
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(Failure::Address);
    }
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .header("user-agent", concat!("rolecall/", env!("CARGO_PKG_VERSION")))
        .body(SdkBody::from(notice.to_string()))
        .map_err(|_| Failure::Address)?;
    let request = HttpRequest::try_from(request).map_err(|_| Failure::Address)?;
    let answer = connector.call(request).await.map_err(|_| Failure::Unreachable)?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(Failure::Status(status.as_u16())) }
}
