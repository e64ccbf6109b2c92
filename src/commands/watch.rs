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
use super::survey::Survey;
use super::{Console, Stop};
use crate::aws;
use crate::cli::DriftArgs;
use crate::drift::Drift;
use crate::exit::Exit;
use crate::report::metrics::{self, Rounds};

/// So many intervals without a look that came to an end, and the process is not healthy.
const PATIENCE: u32 = 3;

/// What the endpoints tell.
#[derive(Debug)]
struct Pulse {
    metrics: String,
    rounds: Rounds,
    /// When the last look came to an end, or the watch began.
    last: Instant,
    every: Duration,
}

type Shared = Arc<Mutex<Pulse>>;

/// Looks every so often, until it is interrupted or has checked as often as it should.
pub async fn run(
    args: &DriftArgs,
    every: Duration,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Stop> {
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| Stop::because(format!("cannot listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr()?;
    let pulse = Pulse {
        metrics: String::new(),
        rounds: Rounds::default(),
        last: Instant::now(),
        every,
    };
    let pulse = Arc::new(Mutex::new(pulse));
    let server = tokio::spawn(serve(listener, Arc::clone(&pulse)));
    console.say(&format!(
        "watching; status at http://{address}/healthz and http://{address}/metrics"
    ));
    let outcome = Box::pin(rounds(args, every, aws, &pulse, console)).await;
    server.abort();
    outcome
}

async fn rounds(
    args: &DriftArgs,
    every: Duration,
    aws: aws::Settings,
    pulse: &Shared,
    console: &Console,
) -> Result<Exit, Stop> {
    let mut survey = Survey::new(&args.scope, aws.clone(), console).await?;
    let mut before: Option<Drift> = None;
    let mut round = 1;
    loop {
        let start = Instant::now();
        let outcome = one(args, &mut survey, (round, &aws), before.as_ref(), console).await;
        let ended = match outcome {
            Ok(drift) => {
                told(pulse, args, &survey, Look::Done(&drift, start), console).await;
                let exit = drift::ending(&drift);
                before = Some(drift);
                Ok(exit)
            }
            // No one reads what the next looks would print.
            Err(Stop::ClosedPipe) => return Err(Stop::ClosedPipe),
            // What cannot work the first time will not work later.
            Err(stop) if before.is_none() => return Err(stop),
            Err(stop) => {
                told(pulse, args, &survey, Look::Failed(before.as_ref()), console).await;
                Err(stop)
            }
        };
        if args.rounds == Some(round) {
            return ended;
        }
        if let Err(stop) = &ended {
            _ = console.stop(stop);
        }
        round += 1;
        tokio::time::sleep(every.saturating_sub(start.elapsed())).await;
    }
}

async fn one(
    args: &DriftArgs,
    survey: &mut Survey,
    (round, aws): (u64, &aws::Settings),
    before: Option<&Drift>,
    console: &Console,
) -> Result<Drift, Stop> {
    if round > 1 {
        *survey = survey.again(&args.scope, console).await?;
    }
    let drift = drift::look(args, survey, aws, before, console).await?;
    let seen = match before {
        None => Seen::First,
        Some(before) if before.is_same(&drift) => Seen::Same,
        Some(_) => Seen::Other,
    };
    drift::tell(args, &drift, seen, survey, console).await?;
    Ok(drift)
}

/// How a look ended.
enum Look<'a> {
    /// With this drift; it began then.
    Done(&'a Drift, Instant),
    /// It failed; the last one that did not found this.
    Failed(Option<&'a Drift>),
}

/// Brings the metrics up to date. After a look that failed, the numbers of the last one that did not stay.
async fn told(
    pulse: &Shared,
    args: &DriftArgs,
    survey: &Survey,
    look: Look<'_>,
    console: &Console,
) {
    let metrics = {
        let mut pulse = pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let drift = match look {
            Look::Done(drift, start) => {
                pulse.last = Instant::now();
                pulse.rounds.done += 1;
                pulse.rounds.took = start.elapsed().as_secs_f64();
                pulse.rounds.ended_at = jiff::Timestamp::now().as_second();
                Some(drift)
            }
            Look::Failed(drift) => {
                pulse.rounds.failed += 1;
                drift
            }
        };
        pulse.metrics = metrics::text(&survey.settings.name, drift, pulse.rounds);
        pulse.metrics.clone()
    };
    let Some(path) = args.metrics_file.clone() else {
        return;
    };
    // Writing to a FIFO waits for a reader; the signals that end the watch must still be heard.
    let saved = tokio::task::spawn_blocking(move || drift::save_metrics(&path, &metrics)).await;
    // The endpoints still tell, and the next look may find the disk free again.
    if let Some(why) = saved
        .ok()
        .and_then(Result::err)
        .and_then(|stop| stop.summary())
    {
        console.warn(&why);
    }
}

async fn serve(listener: TcpListener, pulse: Shared) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let pulse = Arc::clone(&pulse);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let answer = answered(&request, &pulse);
                async move { Ok::<_, Infallible>(answer) }
            });
            // A client that breaks off is not an error.
            _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn answered(request: &hyper::Request<Incoming>, pulse: &Shared) -> hyper::Response<Full<Bytes>> {
    let pulse = pulse.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, text) = match request.uri().path() {
        "/metrics" => (200, pulse.metrics.clone()),
        // A first look that hangs is not healthy, however short a time it does.
        "/healthz" if pulse.rounds.done == 0 => (
            503,
            format!(
                "the first check has not completed after {} s\n",
                pulse.last.elapsed().as_secs()
            ),
        ),
        "/healthz" if pulse.last.elapsed() <= pulse.every * PATIENCE + Duration::from_mins(1) => (
            200,
            format!(
                "ok: {} checks completed, {} failed\n",
                pulse.rounds.done, pulse.rounds.failed
            ),
        ),
        "/healthz" => (
            503,
            format!(
                "no check has completed for {} s\n",
                pulse.last.elapsed().as_secs()
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
