//! Of a run whose lease has ended, or that another run followed, no write arrives: whatever happens to its process, its
//! clocks, the bucket and AWS.
//!
//! Each run has a runtime and a thread of its own. While a task of it sleeps without giving the thread back nothing
//! of the run proceeds, and time passes: that is what happens to a process that is stopped, or whose machine sleeps.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;

use super::Stage;
use crate::execute::{Halt, RunReport, Why};
use crate::sandbox::ids::Ids;
use crate::store::Failure;
use crate::store::backend::{Backend, Condition, Exclusion, Object, Version};
use crate::store::tests::{Bucket, Skewed, open_skewed, uptime};
use crate::store::{LeaseSettings, Waiting};

/// How many cases `cargo test` tries, and how many a soak.
const CASES: [u64; 2] = [200, 5_000];

/// Cases that run at once: they sleep most of the time.
const AT_ONCE: u64 = 8;

/// Who holds the lease, as the bucket knows it.
#[derive(Debug, Default)]
struct Truth {
    holder: Option<String>,
    until: Duration,
    /// Writes that should not have arrived.
    violations: Vec<String>,
    writes: usize,
}

/// One run's way to the bucket, which may be away.
#[derive(Debug)]
struct Witness {
    bucket: Arc<Bucket>,
    truth: Arc<Mutex<Truth>>,
    away: Arc<AtomicBool>,
    ttl: Duration,
}

impl Witness {
    fn reach<'a, T: Send + 'a>(
        &'a self,
        answer: BoxFuture<'a, Result<T, Failure>>,
    ) -> BoxFuture<'a, Result<T, Failure>> {
        if self.away.load(Ordering::SeqCst) {
            return Box::pin(async { Err(Failure::Other("no route to host".to_owned())) });
        }
        answer
    }
}

impl Backend for Witness {
    fn place(&self, key: &str) -> String {
        self.bucket.place(key)
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>, Failure>> {
        self.reach(self.bucket.get(key))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        on: Condition,
    ) -> BoxFuture<'a, Result<Version, Failure>> {
        let file: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        self.reach(Box::pin(async move {
            // Nothing comes between a write of the lease and what is known of it.
            let mut truth = self.truth.lock().unwrap();
            let written =
                futures_util::FutureExt::now_or_never(self.bucket.put(key, bytes, on)).unwrap()?;
            if key == "lease.json" {
                let text = file.to_string();
                let run = text
                    .split(r#""run":""#)
                    .nth(1)
                    .and_then(|rest| rest.split('"').next());
                (truth.holder, truth.until) = (run.map(str::to_owned), uptime() + self.ttl);
            }
            Ok(written)
        }))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        self.reach(self.bucket.list(prefix, after))
    }

    fn append<'a>(
        &'a self,
        log: &'a str,
        part: u32,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        self.reach(self.bucket.append(log, part, bytes))
    }

    fn parts<'a>(&'a self, log: &'a str) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        self.reach(self.bucket.parts(log))
    }

    fn exclusion(&self) -> Exclusion {
        self.bucket.exclusion()
    }
}

/// One run's way to AWS: connections take a while, and each write that arrives is held against the truth.
#[derive(Clone)]
struct Wire {
    inner: SharedHttpClient,
    run: String,
    truth: Arc<Mutex<Truth>>,
    chance: Arc<AtomicU64>,
    /// Of a thousand calls so many are throttled, and half as many are done without an answer.
    faults: u64,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.run)
    }
}

impl Wire {
    fn arrived(&self, body: &[u8]) {
        let mut params = form_urlencoded::parse(body);
        let action = params
            .find(|(key, _)| key == "Action")
            .map(|(_, action)| action.into_owned())
            .unwrap_or_default();
        if action.is_empty()
            || ["Get", "List", "Assume"]
                .iter()
                .any(|start| action.starts_with(start))
        {
            return;
        }
        let mut truth = self.truth.lock().unwrap();
        truth.writes += 1;
        let late = uptime()
            .checked_sub(truth.until)
            .filter(|late| !late.is_zero());
        if truth.holder.as_deref() != Some(&self.run) || late.is_some() {
            let found = format!(
                "{action} of {} while {:?} holds the lease, late by {late:?}",
                self.run, truth.holder
            );
            truth.violations.push(found);
        }
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(WireConnector {
            wire: self.clone(),
            inner,
        })
    }
}

#[derive(Debug)]
struct WireConnector {
    wire: Wire,
    inner: SharedHttpConnector,
}

impl HttpConnector for WireConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let (wire, inner) = (self.wire.clone(), self.inner.clone());
        HttpConnectorFuture::new(async move {
            let chance = Ids(wire.chance.fetch_add(1, Ordering::Relaxed)).roll();
            tokio::time::sleep(Duration::from_millis(chance % 12)).await;
            let die = (chance >> 20) % 1000;
            let body = std::mem::replace(request.body_mut(), SdkBody::empty())
                .collect()
                .await;
            let body = body.map_err(ConnectorError::user)?.to_bytes();
            wire.arrived(&body);
            if die < wire.faults {
                let body = "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
                return Ok(HttpResponse::new(
                    400.try_into().unwrap(),
                    SdkBody::from(body),
                ));
            }
            *request.body_mut() = SdkBody::from(body);
            let answer = inner.call(request).await;
            if die < wire.faults * 3 / 2 {
                Err(ConnectorError::io("connection reset by peer".into()))
            } else {
                answer
            }
        })
    }
}

/// What happens to one of the runs, in milliseconds since it has the lease.
#[derive(Debug, Clone, Copy)]
struct Fate {
    /// When it begins, since the case did.
    begins: u64,
    /// It is stopped.
    frozen: Option<(u64, u64)>,
    /// The bucket is out of its reach.
    cut_off: Option<(u64, u64)>,
    /// Someone sets its clock, by so many seconds.
    clock: Option<(u64, i64)>,
}

/// Numbers by chance, from a seed.
struct Dice(Ids);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0.0 += 1;
        self.0.roll() % end
    }

    fn maybe<T>(&mut self, of_ten: u64, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(10) < of_ten).then(|| value(self))
    }

    fn fate(&mut self, begins: u64) -> Fate {
        let span = |dice: &mut Self| (dice.below(250), 50 + dice.below(900));
        Fate {
            begins: self.below(begins),
            frozen: self.maybe(6, span),
            cut_off: self.maybe(5, span),
            clock: self.maybe(4, |dice| {
                let by = if dice.below(2) == 0 { -3600 } else { 3600 };
                (dice.below(300), by)
            }),
        }
    }
}

fn desired(policies: &str) -> String {
    format!(
        r#"
name = "shared"
[[role]]
name = "Audit"
managed_policies = [{policies}]
targets = [{{ ou = "Workloads/Prod" }}]
[[role.trust]]
aws = ["111111111111"]
"#
    )
}

/// What every run of a case shares.
struct Case {
    bucket: Arc<Bucket>,
    truth: Arc<Mutex<Truth>>,
    seed: u64,
}

impl Case {
    /// Runs as `apply` does, and gives the report where it came to write.
    fn run(&self, stage: &Stage, name: &str, ttl: Duration, fate: Fate) -> Option<RunReport> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (skew, away) = (
            Arc::new(AtomicI64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let Fate {
            begins,
            frozen,
            cut_off,
            clock,
        } = fate;
        let millis = Duration::from_millis;
        let (set, gone) = (Arc::clone(&skew), Arc::clone(&away));
        runtime.block_on(async move {
            tokio::time::sleep(millis(begins)).await;
            let (bucket, truth) = (Arc::clone(&self.bucket), Arc::clone(&self.truth));
            let witness = Witness {
                bucket,
                truth,
                away: Arc::new(AtomicBool::new(false)),
                ttl,
            };
            // Whose state it is was written before.
            let store = open_skewed(Arc::new(Witness { away, ..witness }), Skewed(skew)).await;
            // Planned beforehand, so that what happens falls into the writing: what is planned is read again anyway.
            let plan = stage.plan().await;
            let wants = LeaseSettings {
                holder: name.to_owned(),
                host: "test".to_owned(),
                run: name.to_owned(),
                ttl,
                lock_timeout: ttl * 6,
            };
            let halt = Halt::default();
            let lease = store
                .lease(
                    wants,
                    Waiting {
                        tell: &|_| {},
                        halt: &halt,
                    },
                )
                .await
                .ok()?;
            halt.bind(lease.deadline().unwrap());
            if let Some((at, length)) = frozen {
                tokio::spawn(async move {
                    tokio::time::sleep(millis(at)).await;
                    std::thread::sleep(millis(length));
                });
            }
            if let Some((at, length)) = cut_off {
                tokio::spawn(async move {
                    tokio::time::sleep(millis(at)).await;
                    gone.store(true, Ordering::SeqCst);
                    tokio::time::sleep(millis(length)).await;
                    gone.store(false, Ordering::SeqCst);
                });
            }
            if let Some((at, by)) = clock {
                tokio::spawn(async move {
                    tokio::time::sleep(millis(at)).await;
                    set.store(by, Ordering::SeqCst);
                });
            }
            let (lost, told) = (lease.lost(), halt.clone());
            tokio::spawn(async move {
                lost.cancelled().await;
                told.stop(Why::Lease);
            });
            let report = stage
                .roll_out(&plan, |settings| settings.halt = halt.clone(), |_| {})
                .await;
            _ = lease.release().await;
            Some(report)
        })
    }

    fn stage(&self, like: &Stage, name: &str, policies: &str, faults: u64) -> Stage {
        let wire = Wire {
            inner: like.sandbox.http_client(),
            run: name.to_owned(),
            truth: Arc::clone(&self.truth),
            chance: Arc::new(AtomicU64::new(self.seed << 20)),
            faults,
        };
        let http = SharedHttpClient::new(wire);
        Stage {
            sandbox: like.sandbox.clone(),
            http,
            ..Stage::new(&desired(policies))
        }
    }
}

/// Two runs that want different things, and sometimes a third that puts the organization right; gives how many writes
/// arrived.
fn try_case(seed: u64) -> usize {
    let mut dice = Dice(Ids(seed << 32));
    let ttl = Duration::from_millis(180 + dice.below(200));
    let case = Case {
        bucket: Arc::default(),
        truth: Arc::default(),
        seed,
    };
    let world = Stage::new(&desired(""));
    world
        .sandbox
        .set_latency(Duration::from_millis(dice.below(12)));
    let (fates, faults) = ([dice.fate(1), dice.fate(500)], dice.below(150));
    std::thread::scope(|scope| {
        let one = case.stage(
            &world,
            "one",
            r#""aws:SecurityAudit", "aws:ReadOnlyAccess""#,
            faults,
        );
        let other = case.stage(&world, "other", "", faults);
        let (case, [first, second]) = (&case, fates);
        scope.spawn(move || case.run(&one, "one", ttl, first));
        scope.spawn(move || case.run(&other, "other", ttl, second));
    });
    if seed.is_multiple_of(10) {
        let calm = Fate {
            begins: 0,
            frozen: None,
            cut_off: None,
            clock: None,
        };
        let last = case.stage(&world, "last", "", 0);
        let report = case
            .run(&last, "last", Duration::from_secs(20), calm)
            .expect("the lease is free or left behind");
        assert_eq!(
            report.summary.done,
            report.results.len(),
            "seed {seed}: {report:#?}"
        );
    }
    let truth = case.truth.lock().unwrap();
    assert!(
        truth.violations.is_empty(),
        "seed {seed}, {ttl:?}, {fates:?}: {:#?}",
        truth.violations
    );
    truth.writes
}

#[test]
fn no_write_arrives_from_a_run_without_a_lease() {
    let cases = CASES[usize::from(std::env::var_os("SOAK").is_some())];
    let next = AtomicU64::new(0);
    let writes = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= cases {
                        break;
                    }
                    writes.fetch_add(try_case(seed) as u64, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(writes.into_inner() > cases, "the runs hardly wrote");
}
