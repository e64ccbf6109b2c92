//! SIGINT, SIGTERM and SIGHUP end every command.
//!
//! The handlers are installed before the command begins. As process 1 of a container a process receives no signal
//! that it has no handler for, so a command without one could only be killed. A command that writes nothing to AWS
//! ends at once. One that writes finishes the steps in hand, but not for longer than a supervisor waits before it
//! kills: Kubernetes gives 30 seconds.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Console, Error};
use crate::exit::Exit;
use crate::ops::Interruption;

/// How long after the first signal the process ends, whatever it is doing.
const END: Duration = Duration::from_secs(20);

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

/// Installs the handlers. The first signal interrupts the command; the second one ends the process at once, and so does
/// the time when the first had no effect.
pub fn watch(work: Work, console: &Console) -> Interruption {
    let interruption = Interruption::default();
    let interrupt = installed(SignalKind::interrupt());
    // A handler stays installed, so Ctrl-C that no one waits for does not end the process.
    let watched = interrupt
        .filter(|_| work != Work::Hosts)
        .into_iter()
        .chain(kinds().filter_map(installed))
        .collect();
    tokio::spawn(attend(watched, interruption.clone(), work, console.clone()));
    interruption
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

async fn attend(
    mut watched: Vec<Signal>,
    interruption: Interruption,
    work: Work,
    console: Console,
) {
    next(&mut watched).await;
    let first = interruption.request();
    let end = async {
        if work != Work::Writes {
            tokio::select! {
                () = interruption.noticed() => {}
                () = tokio::time::sleep(REACTION) => return Error::interrupted(),
            }
        }
        tokio::time::sleep(END).await;
        Error::ended_late(END)
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
