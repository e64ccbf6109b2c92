//! Posts the result of a run to a webhook.
//!
//! Who knows the address of a webhook can post to it, so the address is a secret: it is never printed or logged, not
//! even in errors. A webhook that fails changes nothing about the run.

use std::time::Duration;

use serde_json::Value;

use crate::web::{self, Web};

/// How often a notice is sent until it is taken.
const ATTEMPTS: u32 = 3;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The wait after the first attempt; it doubles.
const WAIT: Duration = Duration::from_millis(300);

/// Why a notice was not taken. It never says where it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There was no answer.
    #[error(transparent)]
    Silent(#[from] web::Failure),
    /// It was refused.
    #[error("it answered with HTTP status {0}")]
    Status(u16),
}

impl Failure {
    /// Whether another attempt may end otherwise.
    fn may_pass(self) -> bool {
        match self {
            Self::Silent(failure) => failure != web::Failure::Address,
            Self::Status(status) => status >= 500 || status == 429 || status == 408,
        }
    }
}

/// Posts `notice` to `url`, a few times where it is not taken.
pub async fn post(url: &str, notice: &Value) -> Result<(), Failure> {
    let web = Web::default();
    let mut wait = WAIT;
    let mut attempt = 1;
    loop {
        match once(&web, url, notice).await {
            Err(failure) if attempt < ATTEMPTS && failure.may_pass() => {
                tokio::time::sleep(wait).await;
            }
            outcome => return outcome,
        }
        attempt += 1;
        wait *= 2;
    }
}

async fn once(web: &Web, url: &str, notice: &Value) -> Result<(), Failure> {
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .header(
            "user-agent",
            concat!("rolecall/", env!("CARGO_PKG_VERSION")),
        )
        .body(notice.to_string().into_bytes())
        .map_err(|_| web::Failure::Address)?;
    let status = web.send(request, PATIENCE).await?.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(Failure::Status(status.as_u16()))
    }
}
