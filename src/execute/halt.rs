//! Why a run stops early, and until when it may write.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Told when the run is to end: what is on its way to AWS is waited for, nothing else is sent. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Halt {
    token: CancellationToken,
    why: Arc<OnceLock<Why>>,
    deadline: Arc<OnceLock<Deadline>>,
}

/// The end of a lease, unless it is renewed. Clones are the same.
#[derive(Clone)]
pub struct Deadline {
    uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// In milliseconds of that clock.
    at: Arc<AtomicU64>,
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Deadline {
    /// A deadline that is over already, until it is [put off](Self::put_off).
    ///
    /// `uptime` is a clock that cannot be set and that does not stand still while the machine sleeps: a run that was
    /// suspended must see at once that its lease has ended.
    pub fn new(uptime: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            uptime: Arc::new(uptime),
            at: Arc::default(),
        }
    }

    /// Moves it to `at`, as that clock shows it.
    pub fn put_off(&self, at: Duration) {
        self.at.store(
            u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            Ordering::SeqCst,
        );
    }

    /// How long it is until then; zero once it is over.
    pub fn left(&self) -> Duration {
        Duration::from_millis(self.at.load(Ordering::SeqCst)).saturating_sub((self.uptime)())
    }
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
    /// Binds the run to a lease: after `deadline` it is halted. A run is bound once.
    pub fn bind(&self, deadline: Deadline) {
        _ = self.deadline.set(deadline);
    }

    /// Says whether a write may be sent at this very moment.
    ///
    /// # Errors
    /// Why not. A run whose lease has ended is halted by this, whatever else noticed it or did not.
    pub fn may_send(&self) -> Result<(), Why> {
        if self
            .deadline
            .get()
            .is_some_and(|deadline| deadline.left().is_zero())
        {
            self.stop(Why::Lease);
        }
        self.why().map_or(Ok(()), |why| Err(why.clone()))
    }

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

    /// Waits for `duration`, or until it is halted.
    pub async fn sleep(&self, duration: Duration) {
        // Which of both it was is seen by whoever asks `why` next.
        _ = tokio::time::timeout(duration, self.stopped()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_may_be_sent_once_the_lease_is_over_though_nobody_was_told() {
        let clock = Arc::new(AtomicU64::new(5_000));
        let uptime = Arc::clone(&clock);
        let deadline = Deadline::new(move || Duration::from_millis(uptime.load(Ordering::SeqCst)));
        let halt = Halt::default();
        assert_eq!(halt.may_send(), Ok(()), "a run that is bound to no lease");
        halt.bind(deadline.clone());
        deadline.put_off(Duration::from_secs(9));
        assert_eq!(
            (halt.may_send(), deadline.left()),
            (Ok(()), Duration::from_secs(4))
        );
        clock.store(8_999, Ordering::SeqCst);
        assert_eq!(halt.may_send(), Ok(()));
        clock.store(9_000, Ordering::SeqCst);
        assert_eq!(halt.may_send(), Err(Why::Lease));
        halt.stopped().await;
        deadline.put_off(Duration::from_mins(5));
        assert_eq!(
            halt.may_send(),
            Err(Why::Lease),
            "a run that was halted stays so"
        );
    }
}
