//! States in a directory and in a bucket that is a map.

mod lease;
mod places;
mod records;
mod runs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;

use super::backend::Exclusion;

use super::error::Failure;
use super::*;
use crate::execute::{Halt, Outcome, RunSummary};
use crate::plan::{Action, Attribute, Converged, Summary};

/// A bucket: versions, conditions, segments, and an endpoint that may vanish.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    objects: Mutex<BTreeMap<String, (Vec<u8>, u64)>>,
    gone: AtomicBool,
    calls: AtomicUsize,
    overtaken: AtomicBool,
    read_only: AtomicBool,
}

impl Bucket {
    fn vanish(&self, gone: bool) {
        self.gone.store(gone, Ordering::Relaxed);
    }

    /// How many calls there were since this was asked last.
    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }

    /// Lets someone else write what the next writer is about to write, right before him.
    fn overtake(&self) {
        self.overtaken.store(true, Ordering::Relaxed);
    }

    fn vanish_for_writers(&self, gone: bool) {
        self.read_only.store(gone, Ordering::Relaxed);
    }

    fn answer<'a, T: Send + 'a>(&self, answer: T) -> BoxFuture<'a, Result<T, Failure>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let gone = self.gone.load(Ordering::Relaxed);
        Box::pin(async move {
            if gone {
                Err(Failure::Other("no route to host".to_owned()))
            } else {
                Ok(answer)
            }
        })
    }

    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    fn change(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut objects = self.objects.lock().unwrap();
        let (bytes, version) = objects.get_mut(key).unwrap();
        change(bytes);
        *version += 1;
    }
}

impl Backend for Bucket {
    fn place(&self, key: &str) -> String {
        format!("s3://bucket/{key}")
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>, Failure>> {
        let found = self.objects.lock().unwrap().get(key).cloned();
        self.answer(found.map(|(bytes, version)| Object {
            bytes,
            version: Version(version.to_string()),
        }))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, Failure>> {
        if self.gone.load(Ordering::Relaxed) {
            return self.answer(Version(String::new()));
        }
        if self.read_only.load(Ordering::Relaxed) {
            return Box::pin(async { Err(Failure::Other("no space left".to_owned())) });
        }
        let mut objects = self.objects.lock().unwrap();
        if self.overtaken.swap(false, Ordering::Relaxed) {
            objects.get_mut(key).unwrap().1 += 1;
        }
        let now = objects.get(key).map(|(_, version)| *version);
        let holds = match condition {
            Condition::Absent => now.is_none(),
            Condition::Version(expected) => now.is_some_and(|now| now.to_string() == expected.0),
        };
        if !holds {
            return Box::pin(async { Err(Failure::Conflict) });
        }
        let version = now.unwrap_or(0) + 1;
        objects.insert(key.to_owned(), (bytes, version));
        self.answer(Version(version.to_string()))
    }

    /// One call for each thousand names, as S3 answers.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        let below = self
            .keys()
            .into_iter()
            .filter_map(|key| key.strip_prefix(prefix).map(str::to_owned));
        let below = below.filter(|rest| rest.as_str() > after);
        let mut names: Vec<String> = below
            .map(|rest| {
                rest.split_once('/')
                    .map_or(rest.clone(), |(name, _)| format!("{name}/"))
            })
            .collect();
        names.dedup();
        self.calls.fetch_add(names.len() / 1000, Ordering::Relaxed);
        self.answer(names)
    }

    fn append<'a>(
        &'a self,
        log: &'a str,
        part: u32,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.put(&format!("{log}/{part:08}.jsonl"), bytes, Condition::Absent)
                .await
                .map(drop)
        })
    }

    fn parts<'a>(&'a self, log: &'a str) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        let prefix = format!("{log}/");
        let keys = self
            .keys()
            .into_iter()
            .filter(|key| key.starts_with(&prefix))
            .collect();
        self.answer(keys)
    }

    fn exclusion(&self) -> Exclusion {
        Exclusion::Lease
    }
}

/// Waits without a word.
pub(super) fn quietly() -> Waiting<'static> {
    static HALT: std::sync::LazyLock<Halt> = std::sync::LazyLock::new(Halt::default);
    Waiting {
        tell: &|_| {},
        halt: &HALT,
    }
}

/// A clock that stands still until it is told how much time has passed.
#[derive(Debug)]
pub(super) struct Manual {
    /// What everyone who sleeps waits for.
    awake: watch::Sender<Duration>,
    /// What this clock shows more than has passed: someone set it, in seconds.
    set: std::sync::atomic::AtomicI64,
    /// How long the machine slept, in seconds.
    asleep: std::sync::atomic::AtomicU64,
}

impl Manual {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            awake: watch::Sender::new(Duration::ZERO),
            set: 0.into(),
            asleep: 0.into(),
        })
    }

    /// Sets what the clock shows, forward or back.
    fn set(&self, by: i64) {
        self.set.fetch_add(by, Ordering::Relaxed);
    }

    /// Lets the machine sleep: time passes and no one notices.
    fn suspend(&self, seconds: u64) {
        self.asleep.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Lets time pass in small steps, and everyone act in between.
    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.awake
                .send_modify(|awake| *awake += Duration::from_millis(100));
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }
}

impl Clock for Manual {
    fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        start + self.uptime() + jiff::SignedDuration::from_secs(self.set.load(Ordering::Relaxed))
    }

    fn uptime(&self) -> Duration {
        *self.awake.borrow() + Duration::from_secs(self.asleep.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut awake = self.awake.subscribe();
        let end = *awake.borrow() + duration;
        Box::pin(async move {
            _ = awake.wait_for(|now| *now >= end).await;
        })
    }
}

/// The machine's clock, whose time someone sets; by how much, in seconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skewed(pub(crate) Arc<std::sync::atomic::AtomicI64>);

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        System.now() + jiff::SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn uptime(&self) -> Duration {
        System.uptime()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        System.sleep(duration)
    }
}

/// A state that lies in `backend`, by a clock that may be wrong.
pub(crate) async fn open_skewed(backend: Arc<dyn Backend>, clock: Skewed) -> Store {
    open(backend, Arc::new(clock)).await
}

/// How long the machine has been up.
pub(crate) fn uptime() -> Duration {
    System.uptime()
}

pub(super) fn identity() -> Identity {
    Identity {
        organization: "o-example".to_owned(),
        name: "vendor-roles".to_owned(),
    }
}

async fn open(backend: Arc<dyn Backend>, clock: Arc<dyn Clock>) -> Store {
    Store {
        clock,
        ..Store::open(backend, identity(), Access::Write)
            .await
            .unwrap()
    }
}

/// A state in a directory and one in a bucket: what holds must hold in both.
async fn both() -> (tempfile::TempDir, [Store; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let local: Arc<dyn Backend> = Arc::new(Directory::new(directory.path().join("state")));
    let stores = [
        open(local, Manual::new()).await,
        open(Arc::new(Bucket::default()), Manual::new()).await,
    ];
    (directory, stores)
}

fn account(id: &str) -> AccountId {
    AccountId::parse(id).unwrap()
}

fn record(id: &str, run: &str) -> AccountRecord {
    let resource = ResourceRecord {
        converged_at: "2026-01-01T00:00:00.000Z".to_owned(),
        run: run.to_owned(),
        rollback: None,
        converged: Converged {
            unique_id: Some("AROAEXAMPLE".to_owned()),
            arn: Some(format!("arn:aws:iam::{id}:role/Reader+1")),
            values: json!({"description": "ein Stück", "max_session_duration": 3600, "ratio": 0.1}),
            items: [(
                Attribute::Path,
                [(String::new(), "0123456789abcdef".to_owned())].into(),
            )]
            .into(),
        },
    };
    AccountRecord {
        account: account(id),
        resources: [(format!("{id}/role/Reader+1"), resource)].into(),
    }
}

fn header(run: &str) -> RunHeader {
    RunHeader {
        run: run.to_owned(),
        who: "arn:aws:iam::111111111111:user/alice".to_owned(),
        host: "laptop".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        version: "0.1.0".to_owned(),
        desired_digest: "sha256:11".to_owned(),
        command: "apply".to_owned(),
        plan: Summary {
            create: 1,
            ..Summary::default()
        },
    }
}

fn step(step: usize) -> Entry {
    Entry::StepStarted {
        address: "222222222222/role/X".to_owned(),
        step,
        op: "CreateRole".to_owned(),
    }
}

fn every_entry() -> Vec<Entry> {
    let address = "222222222222/role/X".to_owned();
    vec![
        Entry::WaveStarted {
            wave: 0,
            accounts: vec![account("222222222222")],
        },
        Entry::ChangeStarted {
            address: address.clone(),
            action: Action::Create,
            before: json!(null),
            expected: "sha256:22".to_owned(),
            details: false,
            steps: 1,
        },
        step(0),
        Entry::StepFinished {
            address: address.clone(),
            step: 0,
            error: Some("a\nline".to_owned()),
        },
        Entry::ChangeFinished {
            address,
            outcome: Outcome::Failed,
            error: None,
        },
        Entry::WaveFinished {
            wave: 0,
            accounts: vec![account("222222222222")],
        },
        Entry::RunFinished {
            summary: RunSummary {
                failed: 1,
                ..RunSummary::default()
            },
        },
    ]
}
