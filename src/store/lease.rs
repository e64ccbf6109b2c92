//! The lease: of two runs on one state, one waits or is refused.
//!
//! In a directory it is an operating-system lock, which ends with its process; what stands in the file only tells whose
//! it is. In a bucket it is an object, written on condition that nobody else wrote it, with a time at which it runs out.
//! Its holder renews it every third of its life, and is told to stop when that did not succeed before the end. When that
//! is it asks a clock that nobody sets and that runs while the machine sleeps; others go by the time that is written, and
//! by watching. Clocks of
//! two machines differ, so one that has run out is watched for half its life before it is taken: a holder that is alive
//! would have renewed it within that time, whatever its clock says.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backend::{Backend, Condition, Exclusion, Failure, Object, Version};
use super::clock::{Clock, written};
use super::directory::parent;
use super::key::LEASE;
use super::{StoreError, seal};
use crate::execute::Deadline;

/// How often a held lease is asked for again.
const POLL: Duration = Duration::from_secs(1);

/// Who wants a lease, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseSettings {
    /// Who: the caller's ARN.
    pub holder: String,
    /// On which machine.
    pub host: String,
    /// For which run.
    pub run: String,
    /// How long it lasts unless it is renewed. A lock of a directory lasts as long as its process.
    pub ttl: Duration,
    /// How long to wait for somebody else's to end.
    pub lock_timeout: Duration,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who.
    pub holder: String,
    /// On which machine.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// For which run.
    pub run: String,
    /// Since when, RFC 3339 UTC.
    pub since: String,
    /// Until when unless it is renewed, RFC 3339 UTC; `None` for as long as its process lives.
    pub until: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { holder, host, pid, run, since, until } = self;
        write!(f, "{holder} on {host} (process {pid}) for run {run} since {since}")?;
        match until {
            Some(until) => write!(f, ", until {until} unless renewed"),
            None => f.write_str(", until that process ends"),
        }
    }
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds it.
    #[error("the state `{place}` is held by {holder}")]
    Held {
        /// Where the lease lies.
        place: String,
        /// Who.
        holder: Box<Holder>,
    },
    /// It could not be asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose lease may be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// One that has run out.
    Expired,
    /// One that may be alive, too.
    Any,
}

/// What came of taking a lease away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlocked {
    /// Nobody held it.
    Free,
    /// Somebody did, and does no more.
    Taken(Holder),
    /// Somebody does, still: it has not run out, or it is a lock, which only the end of its process ends.
    Held(Holder),
}

/// A lease that is held until it is released or dropped.
#[derive(Debug)]
pub struct Lease {
    lost: CancellationToken,
    deadline: Option<Deadline>,
    pub(super) kept: Kept,
}

/// What ends a lease.
#[derive(Debug)]
pub(super) enum Kept {
    Lock(Lock),
    Renewed { stop: DropGuard, task: JoinHandle<Result<(), StoreError>> },
}

impl Lease {
    /// Cancelled once the lease could not be renewed in time: somebody else may hold it, so nothing more may be written.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// When it ends unless it is renewed; to be asked before each write, because whoever renews it may have been asleep.
    /// `None` where it is a lock, which lasts as long as this process.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline.clone()
    }

    /// Gives it back. Dropping it does the same, as far as the runtime lives long enough.
    ///
    /// # Errors
    /// It cannot be written that it is free: it is once it has run out.
    pub async fn release(self) -> Result<(), StoreError> {
        match self.kept {
            Kept::Lock(lock) => {
                drop(lock);
                Ok(())
            }
            Kept::Renewed { stop, task } => {
                drop(stop);
                // The task ends otherwise only with the runtime.
                task.await.unwrap_or(Ok(()))
            }
        }
    }
}

/// Takes the lease of the state in `backend`.
pub(super) async fn take(
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    settings: LeaseSettings,
) -> Result<Lease, LeaseError> {
    let LeaseSettings { holder, host, run, ttl, lock_timeout } = settings;
    let since = written(clock.now());
    let me = Holder { holder, host, pid: std::process::id(), run, since, until: None };
    let end = later(clock.now(), lock_timeout);
    match backend.exclusion() {
        Exclusion::Lock(path) => {
            let lock = wait(&*clock, end, || async { Lock::take(&path, &me) }).await?;
            Ok(Lease { lost: CancellationToken::new(), deadline: None, kept: Kept::Lock(lock) })
        }
        Exclusion::Lease => {
            let deadline = {
                let clock = Arc::clone(&clock);
                Deadline::new(move || clock.uptime())
            };
            let keeper = Keeper { backend, clock, ttl, deadline: deadline.clone() };
            let claim = Claim { holder: me, ttl_ms: millis(ttl), token: uuid::Uuid::new_v4().to_string() };
            let held = wait(&*keeper.clock, end, || keeper.take(&claim)).await?;
            let (stop, lost) = (CancellationToken::new(), CancellationToken::new());
            let task = tokio::spawn(keeper.keep(held, stop.clone(), lost.clone()));
            Ok(Lease { lost, deadline: Some(deadline), kept: Kept::Renewed { stop: stop.drop_guard(), task } })
        }
    }
}

/// Tries until it succeeds, fails otherwise than by somebody's lease, or `end` has come.
async fn wait<T, F>(clock: &dyn Clock, end: Timestamp, attempt: impl Fn() -> F) -> Result<T, LeaseError>
where
    F: Future<Output = Result<T, LeaseError>>,
{
    loop {
        let result = attempt().await;
        let left = Duration::try_from(end.duration_since(clock.now())).unwrap_or_default();
        if left.is_zero() || !matches!(result, Err(LeaseError::Held { .. })) {
            return result;
        }
        clock.sleep(left.min(POLL)).await;
    }
}

/// Takes a lease from whoever left it behind.
pub(super) async fn unlock(backend: &dyn Backend, clock: &dyn Clock, which: Unlock) -> Result<Unlocked, StoreError> {
    let place = backend.place(LEASE);
    if let Exclusion::Lock(path) = backend.exclusion() {
        return Lock::look(&path).map_err(|failure| StoreError::read(path.display().to_string(), failure));
    }
    let found = backend.get(LEASE).await.map_err(|failure| StoreError::read(place.clone(), failure))?;
    let Some(Object { bytes, version }) = found else { return Ok(Unlocked::Free) };
    let holder = match seal::unseal::<LeaseFile>(&place, &bytes) {
        Ok(LeaseFile { claim: None }) => return Ok(Unlocked::Free),
        Ok(LeaseFile { claim: Some(claim) }) if which == Unlock::Expired && !claim.is_over(clock.now()) => {
            return Ok(Unlocked::Held(claim.holder));
        }
        Ok(LeaseFile { claim: Some(claim) }) => claim.holder,
        // Whoever insists need not know whose it was.
        Err(StoreError::Damaged { .. }) if which == Unlock::Any => unknown(),
        Err(error) => return Err(error),
    };
    let free = seal::seal(&LeaseFile { claim: None })
        .map_err(|error| StoreError::Write { place: place.clone(), reason: error.to_string() })?;
    let put = backend.put(LEASE, free, Condition::Version(version)).await;
    put.map_err(|failure| StoreError::write(place, failure))?;
    Ok(Unlocked::Taken(holder))
}

/// Somebody of whom nothing can be read.
fn unknown() -> Holder {
    let text = || "unknown".to_owned();
    Holder { holder: text(), host: text(), pid: 0, run: text(), since: text(), until: None }
}

/// An operating-system lock on a file that says whose it is. Closing the file ends the lock.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    fn take(path: &Path, me: &Holder) -> Result<Self, LeaseError> {
        let place = path.display().to_string();
        let failed = |error: std::io::Error| {
            LeaseError::Store(StoreError::Write { place: place.clone(), reason: error.to_string() })
        };
        parent(path).map_err(failed)?;
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let mut file = opened.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LeaseError::Held { place: place.clone(), holder: Box::new(read(&mut file)) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let text = serde_json::to_string(me).map_err(|error| failed(error.into()))?;
        file.set_len(0).and_then(|()| writeln!(file, "{text}")).map_err(failed)?;
        Ok(Self(file))
    }

    /// Who holds the lock, if anybody does.
    fn look(path: &Path) -> Result<Unlocked, Failure> {
        let mut file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Unlocked::Free),
            Err(error) => return Err(error.into()),
        };
        match file.try_lock() {
            Ok(()) => Ok(Unlocked::Free),
            Err(TryLockError::WouldBlock) => Ok(Unlocked::Held(read(&mut file))),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stands in a file that nobody has locked is not looked at.
        _ = self.0.set_len(0);
    }
}

/// What a locked file says. Its owner may be about to write it.
fn read(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_else(unknown)
}

/// `lease.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LeaseFile {
    /// `None` where it was given back.
    claim: Option<Claim>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    holder: Holder,
    /// Its life, in milliseconds.
    ttl_ms: u64,
    /// No two claims are equal.
    token: String,
}

impl Claim {
    fn is_over(&self, now: Timestamp) -> bool {
        let until = self.holder.until.as_deref().and_then(|until| until.parse::<Timestamp>().ok());
        until.is_some_and(|until| until < now)
    }
}

/// A lease in a bucket as it was last written.
struct Held {
    claim: Claim,
    version: Version,
}

/// Takes and renews a lease in a bucket.
struct Keeper {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    /// The end of the lease that is held.
    deadline: Deadline,
}

impl Keeper {
    async fn take(&self, claim: &Claim) -> Result<Held, LeaseError> {
        loop {
            let condition = self.vacancy().await?;
            match self.put(claim, condition).await {
                Ok(held) => return Ok(held),
                // Somebody was faster; now it is theirs.
                Err(Failure::Conflict) => {}
                Err(failure) => return Err(StoreError::write(self.place(), failure).into()),
            }
        }
    }

    /// On which condition the lease may be written, where nobody holds it.
    async fn vacancy(&self) -> Result<Condition, LeaseError> {
        let mut watched: Option<Version> = None;
        loop {
            let Some((file, version)) = self.get().await? else { return Ok(Condition::Absent) };
            let Some(claim) = file.claim else { return Ok(Condition::Version(version)) };
            if watched.as_ref() == Some(&version) {
                return Ok(Condition::Version(version));
            }
            if !claim.is_over(self.clock.now()) {
                return Err(LeaseError::Held { place: self.place(), holder: Box::new(claim.holder) });
            }
            self.clock.sleep(Duration::from_millis(claim.ttl_ms / 2)).await;
            watched = Some(version);
        }
    }

    /// Renews the lease until it is to be given back, or lost.
    async fn keep(self, mut held: Held, stop: CancellationToken, lost: CancellationToken) -> Result<(), StoreError> {
        let mut pause = self.ttl / 3;
        loop {
            tokio::select! {
                () = stop.cancelled() => return self.give_back(&held).await,
                () = self.clock.sleep(pause.min(self.deadline.left())) => {}
            }
            let left = self.deadline.left();
            // Once its time is over a lease is lost, whatever a renewal would still say.
            let renewed = if left.is_zero() {
                Err(Failure::Conflict)
            } else {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return self.give_back(&held).await,
                    () = self.clock.sleep(left) => Err(Failure::Conflict),
                    renewed = self.put(&held.claim, Condition::Version(held.version.clone())) => renewed,
                }
            };
            match renewed {
                Ok(again) => (held, pause) = (again, self.ttl / 3),
                Err(Failure::Conflict) => {
                    tracing::error!("the lease is lost");
                    lost.cancel();
                    return Ok(());
                }
                Err(Failure::Other(reason)) => {
                    tracing::warn!(reason, "the lease could not be renewed yet");
                    pause = self.ttl / 12;
                }
            }
        }
    }

    /// Writes that nobody holds the lease, where it is still ours; for no longer than it would last anyway.
    async fn give_back(&self, held: &Held) -> Result<(), StoreError> {
        let give_back = async {
            // The last renewal may have been written without being answered, so the version is asked for.
            let Some((file, version)) = self.get().await? else { return Ok(()) };
            if file.claim.is_none_or(|claim| claim.token != held.claim.token) {
                return Ok(());
            }
            match self.write(&LeaseFile { claim: None }, Condition::Version(version)).await {
                Ok(_) | Err(Failure::Conflict) => Ok(()),
                Err(failure) => Err(StoreError::write(self.place(), failure)),
            }
        };
        tokio::select! {
            result = give_back => result,
            () = self.clock.sleep(self.ttl) => Ok(()),
        }
    }

    async fn put(&self, claim: &Claim, condition: Condition) -> Result<Held, Failure> {
        // Counted from before it is written: its life begins no later than anybody can see it.
        let (until, end) = (later(self.clock.now(), self.ttl), self.clock.uptime().saturating_add(self.ttl));
        let holder = Holder { until: Some(written(until)), ..claim.holder.clone() };
        let claim = Claim { holder, ..claim.clone() };
        let version = self.write(&LeaseFile { claim: Some(claim.clone()) }, condition).await?;
        self.deadline.put_off(end);
        Ok(Held { claim, version })
    }

    async fn write(&self, file: &LeaseFile, condition: Condition) -> Result<Version, Failure> {
        let bytes = seal::seal(file).map_err(|error| Failure::Other(error.to_string()))?;
        self.backend.put(LEASE, bytes, condition).await
    }

    async fn get(&self) -> Result<Option<(LeaseFile, Version)>, StoreError> {
        let got = self.backend.get(LEASE).await.map_err(|failure| StoreError::read(self.place(), failure))?;
        let Some(Object { bytes, version }) = got else { return Ok(None) };
        Ok(Some((seal::unseal(&self.place(), &bytes)?, version)))
    }

    fn place(&self) -> String {
        self.backend.place(LEASE)
    }
}

/// `duration` after `time`; the end of time where there is none.
fn later(time: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
