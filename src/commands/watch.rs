//! `rolecall drift --watch`: checks repeatedly in one process, and reports its status on loopback.
//!
//! The caller's identity and the sessions of the accounts are kept from one look to the next; the desired state, the
//! organization and the state are read anew each time.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::drift::{self, Seen};
use super::{Console, Error, options};
use crate::aws;
use crate::cli::DriftArgs;
use crate::drift::Drift;
use crate::exit::Exit;
use crate::ops::Survey;
use crate::ops::drift::{ending, look};
use crate::report::metrics::{self, Rounds};

/// So many intervals without a completed check, and the process is not healthy.
const MISSED_INTERVALS: u32 = 3;

/// What the endpoints show.
#[derive(Debug)]
struct Health {
    every: Duration,
    shown: Mutex<Shown>,
}

#[derive(Debug)]
struct Shown {
    metrics: String,
    rounds: Rounds,
    /// When the last check was completed, or the watch began.
    last: Instant,
}

/// Checks at every interval, until it is interrupted or has checked as often as it should.
pub async fn run(
    args: &DriftArgs,
    every: Duration,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Error> {
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Error::because(format!("cannot listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr()?;
    let health = Arc::new(Health {
        every,
        shown: Mutex::new(Shown {
            metrics: String::new(),
            rounds: Rounds::default(),
            last: Instant::now(),
        }),
    });
    let server = tokio::spawn(serve(listener, Arc::clone(&health)));
    console.say(&format!(
        "watching; status at http://{address}/healthz and http://{address}/metrics"
    ));
    let watch = Watch {
        args,
        aws,
        console,
        health,
    };
    let outcome = Box::pin(watch.run_rounds()).await;
    server.abort();
    outcome
}

/// One process that checks again and again.
struct Watch<'a> {
    args: &'a DriftArgs,
    aws: aws::Settings,
    console: &'a Console,
    health: Arc<Health>,
}

impl Watch<'_> {
    async fn run_rounds(&self) -> Result<Exit, Error> {
        let mut survey = Survey::new(
            &options::selection(&self.args.scope),
            self.aws.clone(),
            self.console,
        )
        .await?;
        let mut before: Option<Drift> = None;
        let mut round = 1;
        loop {
            let start = Instant::now();
            let outcome = self.run_round(&mut survey, round, before.as_ref()).await;
            let ended = match outcome {
                Ok(drift) => {
                    self.record_round(&survey, Round::Done(&drift, start)).await;
                    let exit = ending(&drift);
                    before = Some(drift);
                    Ok(exit)
                }
                // No one reads what the next rounds would print.
                Err(Error::ClosedPipe) => return Err(Error::ClosedPipe),
                // What cannot work the first time will not work later.
                Err(error) if before.is_none() => return Err(error),
                Err(error) => {
                    self.record_round(&survey, Round::Failed(before.as_ref()))
                        .await;
                    Err(error)
                }
            };
            if self.args.rounds == Some(round) {
                return ended;
            }
            if let Err(error) = &ended {
                _ = self.console.stop(error);
            }
            round += 1;
            tokio::time::sleep(self.health.every.saturating_sub(start.elapsed())).await;
        }
    }

    async fn run_round(
        &self,
        survey: &mut Survey,
        round: u64,
        before: Option<&Drift>,
    ) -> Result<Drift, Error> {
        let Self {
            args, aws, console, ..
        } = self;
        if round > 1 {
            *survey = survey
                .again(&options::selection(&args.scope), *console)
                .await?;
        }
        let drift = look(&drift::of(args), survey, aws, before, *console).await?;
        let seen = match before {
            None => Seen::First,
            Some(before) if before.is_same(&drift) => Seen::Same,
            Some(_) => Seen::Other,
        };
        drift::tell(args, &drift, seen, survey, console).await?;
        Ok(drift)
    }

    /// Brings the metrics up to date. After a round that failed, the numbers of the last one that did not stay.
    async fn record_round(&self, survey: &Survey, round: Round<'_>) {
        let metrics = self.health.record(&survey.settings.name, round);
        let Some(path) = self.args.metrics_file.clone() else {
            return;
        };
        // Writing to a FIFO waits for a reader; the signals that end the watch must still be heard.
        let saved = tokio::task::spawn_blocking(move || drift::save_metrics(&path, &metrics)).await;
        // The endpoints still work, and the next round may find the disk free again.
        if let Some(why) = saved
            .ok()
            .and_then(Result::err)
            .and_then(|error| error.summary())
        {
            self.console.warn(&why);
        }
    }
}

/// How a round ended.
enum Round<'a> {
    /// With this drift; it began then.
    Done(&'a Drift, Instant),
    /// It failed; the last one that did not found this.
    Failed(Option<&'a Drift>),
}

impl Health {
    /// Takes in how a round ended, and gives the metrics.
    fn record(&self, name: &str, round: Round<'_>) -> String {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let drift = match round {
            Round::Done(drift, start) => {
                shown.last = Instant::now();
                shown.rounds.done += 1;
                shown.rounds.took = start.elapsed().as_secs_f64();
                shown.rounds.ended_at = jiff::Timestamp::now().as_second();
                Some(drift)
            }
            Round::Failed(drift) => {
                shown.rounds.failed += 1;
                drift
            }
        };
        shown.metrics = metrics::text(name, drift, shown.rounds);
        shown.metrics.clone()
    }
}

async fn serve(listener: TcpListener, health: Arc<Health>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let health = Arc::clone(&health);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let answer = health_response(&request, &health);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A client that breaks off is not an error.
            _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn health_response(
    request: &hyper::Request<Incoming>,
    health: &Health,
) -> hyper::Response<Full<Bytes>> {
    let shown = health.shown.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, text) = match request.uri().path() {
        "/metrics" => (200, shown.metrics.clone()),
        // A first round that hangs is not healthy, however short a time it does.
        "/healthz" if shown.rounds.done == 0 => (
            503,
            format!(
                "the first check has not completed after {} s\n",
                shown.last.elapsed().as_secs()
            ),
        ),
        "/healthz"
            if shown.last.elapsed() <= health.every * MISSED_INTERVALS + Duration::from_mins(1) =>
        {
            (
                200,
                format!(
                    "ok: {} checks completed, {} failed\n",
                    shown.rounds.done, shown.rounds.failed
                ),
            )
        }
        "/healthz" => (
            503,
            format!(
                "no check has completed for {} s\n",
                shown.last.elapsed().as_secs()
            ),
        ),
        _ => (404, "not found: use /healthz or /metrics\n".to_owned()),
    };
    let mut answer = hyper::Response::new(Full::from(text));
    *answer.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    answer
}
