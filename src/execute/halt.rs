//! Why a run ends before its end.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Told when the run is to end: the steps in hand are finished, nothing else is started. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Halt {
    token: CancellationToken,
    why: Arc<OnceLock<Why>>,
}

/// Why a run is halted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The user wants it.
    Interrupted,
    /// The lease ran out: another run may have begun.
    Lease,
    /// What happens cannot be recorded any more, with the reason.
    Record(String),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted"),
            Self::Lease => f.write_str("stopped because the lease could not be renewed"),
            Self::Record(error) => write!(f, "stopped because the run cannot be recorded: {error}"),
        }
    }
}

impl Halt {
    /// Halts the run; the first reason counts.
    pub fn stop(&self, why: Why) {
        _ = self.why.set(why);
        self.token.cancel();
    }

    /// Why it is halted; `None` as long as it is not.
    pub fn why(&self) -> Option<&Why> {
        self.why.get()
    }

    /// Waits until it is halted.
    pub async fn stopped(&self) {
        self.token.cancelled().await;
    }
}
