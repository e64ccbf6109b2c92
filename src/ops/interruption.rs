//! A request to stop, as a signal makes one, and how much time is left after it.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::Error;
use crate::execute::{Halt, Why};

/// How long after the request the steps in progress may take.
const STEPS: Duration = Duration::from_secs(15);

/// How long after the request the record of the run may take; the rest is for the webhook and the lease.
const RECORD: Duration = Duration::from_secs(17);

/// A request to stop that may come at any time. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Interruption {
    /// What an operation that writes is halted by.
    pub halt: Halt,
    requested: CancellationToken,
    at: Arc<OnceLock<Instant>>,
    noticed: CancellationToken,
}

impl Interruption {
    /// Requests it, and returns when it was requested first.
    pub fn request(&self) -> Instant {
        let first = *self.at.get_or_init(Instant::now);
        self.halt.stop(Why::Interrupted);
        self.requested.cancel();
        first
    }

    /// Does what may be given up at any moment.
    ///
    /// # Errors
    /// The request came first.
    pub async fn unless_requested<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            () = self.requested.cancelled() => {
                self.noticed.cancel();
                Err(Error::interrupted())
            }
            outcome = work => outcome,
        }
    }

    /// Resolves once it is requested.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// Resolves once [work was given up](Self::unless_requested) because of it.
    pub async fn noticed(&self) {
        self.noticed.cancelled().await;
    }

    /// Resolves when the steps in progress have had the time there is for them since the request.
    pub async fn steps_are_late(&self) {
        self.late(STEPS).await;
    }

    /// Resolves when the record has had the time there is for it since the request.
    pub async fn record_is_late(&self) {
        self.late(RECORD).await;
    }

    async fn late(&self, time: Duration) {
        self.requested.cancelled().await;
        let passed = self.at.get().map(Instant::elapsed).unwrap_or_default();
        tokio::time::sleep(time.saturating_sub(passed)).await;
    }
}
