//! The lease: of two runs on one state, one waits or is refused.
//!
//! In a directory it is an operating-system lock, which ends with its process; what is in the file only tells whose
//! it is. In a bucket it is an object, written on condition that no one else wrote it, with a time at which it runs out.
//! Its holder renews it every third of its life, and is stopped when that did not succeed before the end. When that
//! is it asks a clock that cannot be set and that runs while the machine sleeps.
//!
//! Others go by the time that is written, and by watching. Clocks of two machines differ, so a clock only decides whether
//! it is worth looking on. A lease that changes while someone looks is alive. One that was not renewed for its whole life
//! while someone looked is over: its holder has stopped by then, whatever the clocks say.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::backend::{Backend, Condition, Exclusion, Object, Version};

use super::clock::{Clock, written};
use super::directory::parent;
use super::error::Failure;
use super::key::LEASE;
use super::{StoreError, seal};
use crate::execute::{Deadline, Halt};
use crate::files::{self, Links};

/// How often a held lease is looked at again.
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
    /// How long to wait for someone else's to end.
    pub lock_timeout: Duration,
}

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user and program that hold it.
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
        let Self {
            holder,
            host,
            pid,
            run,
            since,
            until,
        } = self;
        write!(
            f,
            "{holder} on {host} (process {pid}) for run {run} since {since}"
        )?;
        match until {
            Some(until) => write!(f, ", until {until} unless renewed"),
            None => f.write_str(", until that process ends"),
        }
    }
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Someone else holds it.
    #[error("the state `{place}` is held by {holder}")]
    Held {
        /// Where the lease lies.
        place: String,
        /// The run that holds it.
        holder: Box<Holder>,
    },
    /// The run was halted while it waited.
    #[error("halted while waiting for the lease")]
    Halted,
    /// It could not be asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What someone who wants a lease waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// That it is given back: for so long at most.
    Release(Box<Holder>, Duration),
    /// Whether its holder still renews it: known after so long at most.
    Renewal(Box<Holder>, Duration),
}

impl std::fmt::Display for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Rounded up: no one should believe that less than a second is nothing.
        let seconds = |time: &Duration| time.as_millis().div_ceil(1000);
        match self {
            Self::Release(holder, time) => {
                write!(
                    f,
                    "the state is held by {holder}; waiting at most {} s for it to be released",
                    seconds(time)
                )
            }
            Self::Renewal(holder, time) => {
                let Holder {
                    holder, host, run, ..
                } = &**holder;
                let lease = format!("the lease of {holder} on {host} for run {run}");
                write!(
                    f,
                    "waiting {} s to see whether {lease} is still renewed",
                    seconds(time)
                )
            }
        }
    }
}

/// How the wait for another lease is reported, and what ends it.
#[derive(Clone, Copy)]
pub struct Waiting<'a> {
    /// Told once what is waited for, and again when that changes.
    pub tell: &'a (dyn Fn(&Wait) + Send + Sync),
    /// Ends the wait.
    pub halt: &'a Halt,
}

/// The shell lease may be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlock {
    /// One that is no longer renewed.
    Expired,
    /// One that may be alive, too.
    Any,
}

/// What came of taking a lease away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unlocked {
    /// No one held it.
    Free,
    /// Someone did, and does no more.
    Taken(Holder),
    /// Someone does, still: it is renewed or has not run out, or it is a lock, which only the end of its process ends.
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
    Renewed {
        stop: DropGuard,
        task: JoinHandle<Result<(), StoreError>>,
    },
}

impl Lease {
    /// Cancelled once the lease could not be renewed in time: someone else may hold it, so nothing more may be written.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// When it ends unless it is renewed; to be asked before each write, because whoever renews it may have been asleep.
    /// `None` where it is a lock, which lasts as long as this process.
    pub fn deadline(&self) -> Option<Deadline> {
        self.deadline.clone()
    }

    /// Leaves it to run out: a request may still be under way, so no other run may begin before that.
    pub fn leave(self) {
        match self.kept {
            // Ends with the process, as the requests do.
            Kept::Lock(lock) => std::mem::forget(lock),
            Kept::Renewed { stop, task } => {
                task.abort();
                drop(stop);
            }
        }
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
    waiting: Waiting<'_>,
) -> Result<Lease, LeaseError> {
    let LeaseSettings {
        holder,
        host,
        run,
        ttl,
        lock_timeout,
    } = settings;
    let since = written(clock.now());
    let me = Holder {
        holder,
        host,
        pid: std::process::id(),
        run,
        since,
        until: None,
    };
    match backend.exclusion() {
        Exclusion::Lock(path) => {
            let lock = wait(&*clock, lock_timeout, waiting, || Lock::take(&path, &me)).await?;
            Ok(Lease {
                lost: CancellationToken::new(),
                deadline: None,
                kept: Kept::Lock(lock),
            })
        }
        Exclusion::Lease => {
            let deadline = {
                let clock = Arc::clone(&clock);
                Deadline::new(move || clock.uptime())
            };
            let mut watch = Watch::new(&*backend, &*clock, lock_timeout, waiting);
            let (backend, clock) = (Arc::clone(&backend), Arc::clone(&clock));
            let keeper = Keeper {
                backend,
                clock,
                ttl,
                deadline: deadline.clone(),
            };
            let claim = Claim {
                holder: me,
                ttl_ms: millis(ttl),
                token: uuid::Uuid::new_v4().to_string(),
            };
            let held = keeper.take(&claim, &mut watch).await?;
            let (stop, lost) = (CancellationToken::new(), CancellationToken::new());
            let task = tokio::spawn(keeper.keep(held, stop.clone(), lost.clone()));
            Ok(Lease {
                lost,
                deadline: Some(deadline),
                kept: Kept::Renewed {
                    stop: stop.drop_guard(),
                    task,
                },
            })
        }
    }
}

/// Tries to lock until it succeeds, fails otherwise than by someone's lock, or `lock_timeout` is over.
async fn wait<T>(
    clock: &dyn Clock,
    lock_timeout: Duration,
    Waiting { tell, halt }: Waiting<'_>,
    attempt: impl Fn() -> Result<T, LeaseError>,
) -> Result<T, LeaseError> {
    let mut timeout = clock.sleep(lock_timeout);
    let mut out_of_time = lock_timeout.is_zero();
    let mut told = false;
    loop {
        match attempt() {
            Err(LeaseError::Held { holder, .. }) if !out_of_time => {
                if !told {
                    tell(&Wait::Release(holder, lock_timeout));
                    told = true;
                }
            }
            result => return result,
        }
        tokio::select! {
            biased;
            () = halt.stopped() => return Err(LeaseError::Halted),
            () = &mut timeout => out_of_time = true,
            () = clock.sleep(POLL) => {}
        }
    }
}

/// Takes a lease from whoever left it behind.
pub(super) async fn unlock(
    backend: &dyn Backend,
    clock: &dyn Clock,
    which: Unlock,
    waiting: Waiting<'_>,
) -> Result<Unlocked, LeaseError> {
    if let Exclusion::Lock(path) = backend.exclusion() {
        let looked = Lock::look(&path);
        return Ok(looked.map_err(|failure| StoreError::read(path.display().to_string(), failure))?);
    }
    let mut watch = Watch::new(backend, clock, Duration::ZERO, waiting);
    loop {
        let found = match which {
            Unlock::Expired => watch.vacancy().await,
            Unlock::Any => standing(backend).await.map_err(LeaseError::from),
        };
        let (version, holder) = match found {
            Ok(
                Vacancy { left_by: None, .. }
                | Vacancy {
                    condition: Condition::Absent,
                    ..
                },
            ) => {
                return Ok(Unlocked::Free);
            }
            Ok(Vacancy {
                condition,
                left_by: Some(holder),
            }) => (condition, holder),
            Err(LeaseError::Held { holder, .. }) => return Ok(Unlocked::Held(*holder)),
            Err(error) => return Err(error),
        };
        match put(backend, &LeaseFile { claim: None }, version).await {
            Ok(_) => return Ok(Unlocked::Taken(holder)),
            // It was written in this very moment: what is there now is looked at anew.
            Err(Failure::Conflict) => {}
            Err(failure) => return Err(StoreError::write(backend.place(LEASE), failure).into()),
        }
    }
}

/// The lease as it stands, whoever holds it and whether or not that can be read.
async fn standing(backend: &dyn Backend) -> Result<Vacancy, StoreError> {
    let place = backend.place(LEASE);
    let found = backend
        .get(LEASE)
        .await
        .map_err(|failure| StoreError::read(place.clone(), failure))?;
    let Some(Object { bytes, version }) = found else {
        return Ok(Vacancy::ABSENT);
    };
    let left_by = match seal::unseal::<LeaseFile>(&place, &bytes) {
        Ok(file) => file.claim.map(|claim| claim.holder),
        // Whoever insists need not know whose it was.
        Err(StoreError::Damaged { .. }) => Some(unknown()),
        Err(error) => return Err(error),
    };
    Ok(Vacancy {
        condition: Condition::Version(version),
        left_by,
    })
}

/// Someone of whom nothing can be read.
fn unknown() -> Holder {
    let text = || "unknown".to_owned();
    Holder {
        holder: text(),
        host: text(),
        pid: 0,
        run: text(),
        since: text(),
        until: None,
    }
}

/// An operating-system lock on a file that says whose it is. Closing the file ends the lock.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    fn take(path: &Path, me: &Holder) -> Result<Self, LeaseError> {
        let place = path.display().to_string();
        let failed = |error: std::io::Error| {
            LeaseError::Store(StoreError::Write {
                place: place.clone(),
                reason: error.to_string(),
            })
        };
        parent(path).map_err(failed)?;
        let mut options = OpenOptions::new();
        let options = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let opened = files::open(path, options, Links::Refused);
        let mut file = opened.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LeaseError::Held {
                    place: place.clone(),
                    holder: Box::new(read(&mut file)),
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let text = serde_json::to_string(me).map_err(|error| failed(error.into()))?;
        file.set_len(0)
            .and_then(|()| writeln!(file, "{text}"))
            .map_err(failed)?;
        Ok(Self(file))
    }

    /// Who holds the lock, if anybody does.
    fn look(path: &Path) -> Result<Unlocked, Failure> {
        let mut file = match files::open(
            path,
            OpenOptions::new().read(true).write(true),
            Links::Refused,
        ) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Unlocked::Free);
            }
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
        // What is in a file that is not locked is ignored.
        _ = self.0.set_len(0);
    }
}

/// What a locked file says. Its owner may be about to write it.
fn read(file: &mut File) -> Holder {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    read.ok()
        .and_then(|_| serde_json::from_str(&text).ok())
        .unwrap_or_else(unknown)
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
    fn ttl(&self) -> Duration {
        Duration::from_millis(self.ttl_ms)
    }

    /// Whether it should be alive by a clock that may differ from its holder's. One that lasts for much longer than a
    /// lease does was written by a clock that is ahead, so it says nothing.
    fn seems_alive(&self, now: Timestamp) -> bool {
        let until = self
            .holder
            .until
            .as_deref()
            .and_then(|until| until.parse::<Timestamp>().ok());
        until.is_some_and(|until| until >= now && until <= later(now, self.ttl().saturating_mul(2)))
    }
}

/// A lease that may be written.
struct Vacancy {
    /// On which condition.
    condition: Condition,
    /// The shell it was, where it was not given back.
    left_by: Option<Holder>,
}

impl Vacancy {
    const ABSENT: Self = Self {
        condition: Condition::Absent,
        left_by: None,
    };
}

/// Someone who looks at a lease in a bucket until it may be taken, or it is known that it may not.
struct Watch<'a> {
    backend: &'a dyn Backend,
    clock: &'a dyn Clock,
    lock_timeout: Duration,
    /// The end of the time to wait for someone who is alive.
    timeout: BoxFuture<'static, ()>,
    out_of_time: bool,
    seen: Option<Seen>,
    waiting: Waiting<'a>,
    told: Option<Wait>,
}

/// A version of a lease, looked at.
struct Seen {
    version: Version,
    /// The end of its life, counted from the first look.
    end: BoxFuture<'static, ()>,
    is_over: bool,
    /// Whether it came after another one: someone writes it.
    is_renewed: bool,
}

impl<'a> Watch<'a> {
    fn new(
        backend: &'a dyn Backend,
        clock: &'a dyn Clock,
        lock_timeout: Duration,
        waiting: Waiting<'a>,
    ) -> Self {
        let (timeout, out_of_time) = (clock.sleep(lock_timeout), lock_timeout.is_zero());
        Self {
            backend,
            clock,
            lock_timeout,
            timeout,
            out_of_time,
            seen: None,
            waiting,
            told: None,
        }
    }

    /// Waits until the lease may be taken: it is free, or was not renewed for its whole life.
    ///
    /// Whoever seems to be alive is waited for until the time is over. Who does not is watched for one life of the lease,
    /// and no longer once it shows that he is.
    async fn vacancy(&mut self) -> Result<Vacancy, LeaseError> {
        let halt = self.waiting.halt;
        tokio::select! {
            biased;
            () = halt.stopped() => Err(LeaseError::Halted),
            vacancy = self.look_on() => vacancy,
        }
    }

    async fn look_on(&mut self) -> Result<Vacancy, LeaseError> {
        loop {
            let Some((file, version)) = get(self.backend).await? else {
                return Ok(Vacancy::ABSENT);
            };
            let ttl = file.claim.as_ref().map(Claim::ttl).unwrap_or_default();
            let left_by = file.claim.as_ref().map(|claim| claim.holder.clone());
            let mut seen = self.seen(version.clone(), ttl);
            let Some(claim) = file.claim.filter(|_| !seen.is_over) else {
                self.seen = Some(seen);
                return Ok(Vacancy {
                    condition: Condition::Version(version),
                    left_by,
                });
            };
            let is_alive = seen.is_renewed || claim.seems_alive(self.clock.now());
            if is_alive && self.out_of_time {
                return Err(LeaseError::Held {
                    place: self.backend.place(LEASE),
                    holder: Box::new(claim.holder),
                });
            }
            self.tell(&claim, is_alive);
            tokio::select! {
                biased;
                () = &mut seen.end => seen.is_over = true,
                () = &mut self.timeout, if !self.out_of_time => self.out_of_time = true,
                () = self.clock.sleep(POLL) => {}
            }
            self.seen = Some(seen);
        }
    }

    /// What is known of this version of the lease.
    fn seen(&mut self, version: Version, ttl: Duration) -> Seen {
        match self.seen.take() {
            Some(seen) if seen.version == version => seen,
            earlier => Seen {
                version,
                end: self.clock.sleep(ttl),
                is_over: false,
                is_renewed: earlier.is_some(),
            },
        }
    }

    fn tell(&mut self, claim: &Claim, is_alive: bool) {
        let holder = Box::new(claim.holder.clone());
        let wait = if is_alive {
            Wait::Release(holder, self.lock_timeout)
        } else {
            Wait::Renewal(holder, claim.ttl())
        };
        // Each renewal changes until when it is held, and needs no message.
        let same = |told: &Wait| match (told, &wait) {
            (Wait::Release(told, _), Wait::Release(now, _))
            | (Wait::Renewal(told, _), Wait::Renewal(now, _)) => told.run == now.run,
            _ => false,
        };
        if !self.told.as_ref().is_some_and(same) {
            (self.waiting.tell)(&wait);
            self.told = Some(wait);
        }
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
    async fn take(&self, claim: &Claim, watch: &mut Watch<'_>) -> Result<Held, LeaseError> {
        loop {
            let Vacancy { condition, .. } = watch.vacancy().await?;
            match self.put(claim, condition).await {
                Ok(held) => return Ok(held),
                // Someone was faster; now it is theirs.
                Err(Failure::Conflict) => {}
                Err(failure) => return Err(StoreError::write(self.place(), failure).into()),
            }
        }
    }

    /// Renews the lease until it is to be given back, or lost.
    async fn keep(
        self,
        mut held: Held,
        stop: CancellationToken,
        lost: CancellationToken,
    ) -> Result<(), StoreError> {
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

    /// Writes that the lease is free, where this run still holds it; for no longer than it would last anyway.
    async fn give_back(&self, held: &Held) -> Result<(), StoreError> {
        let give_back = async {
            // The last renewal may have been written without being answered, so the version is asked for.
            let Some((file, version)) = self.get().await? else {
                return Ok(());
            };
            if file
                .claim
                .is_none_or(|claim| claim.token != held.claim.token)
            {
                return Ok(());
            }
            match self
                .write(&LeaseFile { claim: None }, Condition::Version(version))
                .await
            {
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
        // Counted from before it is written: its life begins no later than anybody can see it. Its holder stops a sixth
        // of its life early, because a request needs time to arrive.
        let (until, end) = (
            later(self.clock.now(), self.ttl),
            self.clock.uptime().saturating_add(self.ttl / 6 * 5),
        );
        let holder = Holder {
            until: Some(written(until)),
            ..claim.holder.clone()
        };
        let claim = Claim {
            holder,
            ..claim.clone()
        };
        let version = self
            .write(
                &LeaseFile {
                    claim: Some(claim.clone()),
                },
                condition,
            )
            .await?;
        self.deadline.put_off(end);
        Ok(Held { claim, version })
    }

    async fn write(&self, file: &LeaseFile, condition: Condition) -> Result<Version, Failure> {
        put(&*self.backend, file, condition).await
    }

    async fn get(&self) -> Result<Option<(LeaseFile, Version)>, StoreError> {
        get(&*self.backend).await
    }

    fn place(&self) -> String {
        self.backend.place(LEASE)
    }
}

async fn put(
    backend: &dyn Backend,
    file: &LeaseFile,
    condition: Condition,
) -> Result<Version, Failure> {
    let bytes = seal::seal(file).map_err(|error| Failure::Other(error.to_string()))?;
    backend.put(LEASE, bytes, condition).await
}

async fn get(backend: &dyn Backend) -> Result<Option<(LeaseFile, Version)>, StoreError> {
    let place = || backend.place(LEASE);
    let got = backend
        .get(LEASE)
        .await
        .map_err(|failure| StoreError::read(place(), failure))?;
    let Some(Object { bytes, version }) = got else {
        return Ok(None);
    };
    Ok(Some((seal::unseal(&place(), &bytes)?, version)))
}

/// `duration` after `time`; the end of time where there is none.
fn later(time: Timestamp, duration: Duration) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
