//! How fast to call when AWS throttles: each account at its own pace.
//!
//! IAM limits calls per account and does not say at what rate, so the rate is found out: a throttled call slows its
//! account down by a factor, each answer speeds it up by a constant, and who was never throttled waits for nothing. A
//! pace belongs to one account (STS and Organizations have one each, because their limits are the caller's), so an
//! account that throttles slows down itself alone. The SDK's adaptive mode falls to one call in two seconds where some
//! calls are throttled at any rate; this does not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::time::Instant;

/// Calls per second after the first throttled one; at four times as many there is no limit any more.
const FIRST: f64 = 10.0;

/// Calls per second that are made however much is throttled: the wait for one stays far below the time an attempt has.
const LEAST: f64 = 2.0;

/// What is left of the rate when a call is throttled.
const CUT: f64 = 0.7;

/// By how much a second of answers raises the rate.
const RAISE: f64 = 10.0;

/// Calls that were under way together are throttled together: that slows down once.
const ONCE_WITHIN: Duration = Duration::from_millis(200);

/// The pace of the calls that share one limit of AWS's.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Calls per second; `None` means no limit.
    rate: Option<f64>,
    /// When the next call may start.
    next: Option<Instant>,
    /// When the rate was last cut.
    cut: Option<Instant>,
}

impl Pace {
    /// Waits for the turn of one call.
    async fn turn(&self) {
        let turn = self.state().reserve(Instant::now());
        if let Some(turn) = turn {
            tokio::time::sleep_until(turn).await;
        }
    }

    /// A call was throttled.
    pub fn throttled(&self) {
        self.state().slow_down(Instant::now());
    }

    /// A call was answered.
    fn answered(&self) {
        self.state().speed_up();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reserve(&mut self, now: Instant) -> Option<Instant> {
        let rate = self.rate?;
        let turn = self.next.map_or(now, |next| next.max(now));
        self.next = Some(turn + Duration::from_secs_f64(1.0 / rate));
        Some(turn)
    }

    fn slow_down(&mut self, now: Instant) {
        if self
            .cut
            .is_none_or(|cut| now.duration_since(cut) >= ONCE_WITHIN)
        {
            self.cut = Some(now);
            self.rate = Some(self.rate.map_or(FIRST, |rate| (rate * CUT).max(LEAST)));
        }
    }

    fn speed_up(&mut self) {
        let raised = self.rate.map(|rate| rate + RAISE / rate);
        self.rate = raised.filter(|rate| *rate <= 4.0 * FIRST);
    }
}

/// An HTTP client that keeps a pace.
#[derive(Debug)]
pub(super) struct Paced {
    /// Who carries the requests.
    pub client: SharedHttpClient,
    /// The pace.
    pub pace: Arc<Pace>,
}

impl HttpClient for Paced {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(PacedConnector {
            connector,
            pace: Arc::clone(&self.pace),
        })
    }
}

#[derive(Debug)]
struct PacedConnector {
    connector: SharedHttpConnector,
    pace: Arc<Pace>,
}

impl HttpConnector for PacedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, pace) = (self.connector.clone(), Arc::clone(&self.pace));
        HttpConnectorFuture::new(async move {
            pace.turn().await;
            let answer = connector.call(request).await;
            if answer
                .as_ref()
                .is_ok_and(|answer| answer.status().is_success())
            {
                pace.answered();
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The calls of one second at the pace of `state`.
    fn calls_in_a_second(state: &mut State, now: Instant) -> usize {
        let end = now + Duration::from_secs(1);
        std::iter::from_fn(|| state.reserve(now))
            .take_while(|turn| *turn < end)
            .count()
    }

    #[tokio::test]
    async fn who_was_never_throttled_waits_for_nothing() {
        assert_eq!(State::default().reserve(Instant::now()), None);
    }

    #[tokio::test]
    async fn a_throttled_call_slows_down_once_and_answers_speed_up_step_by_step() {
        let (mut state, start) = (State::default(), Instant::now());
        (0..16).for_each(|_| state.slow_down(start));
        assert_eq!(
            calls_in_a_second(&mut state.clone(), start),
            10,
            "calls under way together count once"
        );
        (1..100).for_each(|n| state.slow_down(start + ONCE_WITHIN * n));
        assert_eq!(
            calls_in_a_second(&mut state.clone(), start),
            2,
            "never slower than that"
        );
        let mut rates = Vec::new();
        while let Some(rate) = state.rate {
            rates.push(rate);
            state.speed_up();
        }
        assert!(
            rates.is_sorted() && rates.len() > 50,
            "{} steps",
            rates.len()
        );
        assert_eq!(
            state.reserve(start),
            None,
            "in the end nothing is waited for"
        );
    }
}
