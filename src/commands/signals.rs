//! SIGINT, SIGTERM and SIGHUP end every command.
//!
//! The handlers are installed before the command begins. As process 1 of a container a process receives no signal
//! that it has no handler for, so a command without one could only be killed. A command that writes nothing to AWS
//! ends at once. One that writes finishes the steps in hand, but not for longer than a supervisor waits before it
//! kills: Kubernetes gives 30 seconds.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Console, Stop};
use crate::execute::{Halt, Why};
use crate::exit::Exit;

/// How long after the first signal the process ends, whatever it is doing.
const END: Duration = Duration::from_secs(20);

/// How long after the first signal the steps in hand may take.
const STEPS: Duration = Duration::from_secs(15);

/// How long after the first signal the record of the run may take; the rest is for the webhook and the lease.
const RECORD: Duration = Duration::from_secs(17);

/// How long a command that only reads may not react: by then it is computing and does not wait for anything.
const REACTION: Duration = Duration::from_secs(1);

/// How long after the first signal another one is the same one: `timeout` signals the process and then its group, a
/// terminal that closes is reported by the kernel and by the shell, and systemd may send SIGHUP right after SIGTERM.
const ECHO: Duration = Duration::from_secs(1);

/// Whether a command changes anything that a signal must not cut in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It only reads AWS.
    Reads,
    /// It writes to AWS or to the lease.
    Writes,
    /// It runs another command, which decides what Ctrl-C means: a terminal sends it to both.
    Hosts,
}

/// The signals of the process. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// What a command that writes is halted by.
    pub halt: Halt,
    interrupted: CancellationToken,
    at: Arc<OnceLock<Instant>>,
    noticed: CancellationToken,
}

impl Signals {
    /// Installs the handlers. The first signal interrupts the command; the second one ends the process at once, and so
    /// does the time when the first had no effect.
    pub fn watch(work: Work, console: &Console) -> Self {
        let signals = Self::default();
        let interrupt = installed(SignalKind::interrupt());
        // A handler stays installed, so Ctrl-C that no one waits for does not end the process.
        let watched = interrupt
            .filter(|_| work != Work::Hosts)
            .into_iter()
            .chain(kinds().filter_map(installed))
            .collect();
        tokio::spawn(attend(watched, signals.clone(), work, console.clone()));
        signals
    }

    /// Does what may be given up at any moment.
    ///
    /// # Errors
    /// A signal came first.
    pub async fn unless_interrupted<T>(
        &self,
        work: impl Future<Output = Result<T, Stop>>,
    ) -> Result<T, Stop> {
        tokio::select! {
            biased;
            () = self.interrupted.cancelled() => {
                self.noticed.cancel();
                Err(Stop::interrupted())
            }
            outcome = work => outcome,
        }
    }

    /// Resolves once a signal has come.
    pub async fn interrupted(&self) {
        self.interrupted.cancelled().await;
    }

    /// Resolves when the steps in hand have had the time there is for them since a signal came.
    pub async fn steps_are_late(&self) {
        self.late(STEPS).await;
    }

    /// Resolves when the record has had the time there is for it since a signal came.
    pub async fn record_is_late(&self) {
        self.late(RECORD).await;
    }

    async fn late(&self, time: Duration) {
        self.interrupted.cancelled().await;
        let passed = self.at.get().map(Instant::elapsed).unwrap_or_default();
        tokio::time::sleep(time.saturating_sub(passed)).await;
    }
}

/// The signals that end every command.
fn kinds() -> impl Iterator<Item = SignalKind> {
    // `nohup` has SIGHUP ignored, and means it.
    let hangup = (!ignored(SignalKind::hangup())).then_some(SignalKind::hangup());
    std::iter::once(SignalKind::terminate()).chain(hangup)
}

fn installed(kind: SignalKind) -> Option<Signal> {
    let installed = signal(kind);
    installed
        .inspect_err(|error| tracing::warn!(signal = kind.as_raw_value(), %error, "cannot watch for a signal"))
        .ok()
}

/// Whether the process was started with a signal ignored, as far as the system says.
///
/// Source: proc(5), `SigIgn` in `/proc/[pid]/status`: a hexadecimal mask whose lowest bit is signal 1.
fn ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default();
    let bit = u32::try_from(kind.as_raw_value() - 1).unwrap_or(u32::MAX);
    mask.checked_shr(bit).unwrap_or_default() & 1 == 1
}

async fn attend(mut watched: Vec<Signal>, signals: Signals, work: Work, console: Console) {
    next(&mut watched).await;
    let first = *signals.at.get_or_init(Instant::now);
    signals.halt.stop(Why::Interrupted);
    signals.interrupted.cancel();
    let end = async {
        if work != Work::Writes {
            tokio::select! {
                () = signals.noticed.cancelled() => {}
                () = tokio::time::sleep(REACTION) => return Stop::interrupted(),
            }
        }
        tokio::time::sleep(END).await;
        Stop::ended_late(END)
    };
    let insisted = async {
        while first.elapsed() < ECHO {
            next(&mut watched).await;
        }
    };
    tokio::select! {
        () = insisted => {}
        stop = end => {
            console.stop(&stop);
        }
    }
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Waits for one of the signals.
async fn next(watched: &mut [Signal]) {
    let received: Vec<_> = watched
        .iter_mut()
        .map(|signal| Box::pin(signal.recv()))
        .collect();
    if received.is_empty() {
        std::future::pending::<()>().await;
    }
    futures_util::future::select_all(received).await;
}
