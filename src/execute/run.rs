//! The run itself: waves over the organization, rounds over the accounts of a wave.
//!
//! What waits for a change in another account is done in a later round, so that no account's turn is held up by
//! another's. A wave begins when the one before is done, has been read back, was left alone for a while and still
//! holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::account::{SETTLED, Shared};
use super::lag::Created;
use super::turn::{Finished, Seen, Turn, add, all, planned, result};
use super::{
    ChangeResult, Doers, Event, Journal, Outcome, RunReport, Settings, WaveEvent, Writer, waves,
};
use crate::org::{Account, AccountId};
use crate::plan::{Change, Plan};
use crate::read::Reader;
use crate::resource::name::PolicyName;

/// Accounts that are looked at at once, before writing and after; those that are written to are fewer.
const LOOKS_AT_ONCE: usize = 64;

/// Runs every change of `plan` that has steps, and reports the outcome of each.
///
/// # Guarantees
/// - It chooses nothing: each write is a step of the plan, sent in the plan's order.
/// - A resource that changed since the plan, or since an earlier wave, is not written; its change is stale.
/// - What is about to be written is recorded before the first write to its account, each step before and after it.
/// - A change is done only if the resource was read back as its steps leave it.
/// - The first failed step ends its change, never another account, until `max_failures` is exceeded.
/// - Every change with steps has exactly one outcome in the report, also after a halt or an interruption.
///
/// # Assumptions
/// - The plan has no stop finding that was not allowed, and the caller holds the lease for as long as this runs.
///
/// # Errors
/// None: failures are outcomes. A journal that cannot record halts the run.
pub async fn execute<W, R, J>(
    plan: &Plan,
    accounts: &BTreeMap<AccountId, Account>,
    doers: Doers<W, R, J>,
    settings: &Settings,
    on_event: Arc<dyn Fn(Event) + Send + Sync>,
) -> RunReport
where
    W: Writer + 'static,
    R: Reader + 'static,
    J: Journal + 'static,
{
    let turns: Vec<Turn> = plan
        .accounts
        .iter()
        .filter_map(|part| Turn::new(part, accounts))
        .collect();
    let shared = Arc::new(Shared {
        doers,
        settings: settings.clone(),
        on_event,
        grants: PolicyName::of_grants(&plan.name),
        created: Mutex::new(Created::of(plan)),
        deleted: Mutex::default(),
        writing: Semaphore::new(settings.parallelism.max(1)),
        looking: Semaphore::new(LOOKS_AT_ONCE),
        failed: Mutex::default(),
        max_failures: settings.max_failures.map(|budget| budget.of(turns.len())),
    });
    let mut rollout = Rollout {
        shared,
        accounts,
        turns,
        outcomes: Arc::default(),
        results: BTreeMap::new(),
    };
    let open = waves::of_changes(plan, &settings.waves);
    let mut not_begun = None;
    for (number, open) in open.iter().enumerate() {
        not_begun = rollout.not_begun(number);
        if not_begun.is_some() {
            break;
        }
        rollout.wave(number, open).await;
    }
    rollout.rest(not_begun);
    let Rollout { mut results, .. } = rollout;
    let changes = plan.accounts.iter().flat_map(planned);
    let results = changes.map(|change| {
        let circle = || {
            result(
                change,
                Outcome::NotReached,
                Some("depends on a change that depends on it".to_owned()),
            )
        };
        results.remove(&change.address).unwrap_or_else(circle)
    });
    RunReport::new(settings.run.clone(), results.collect())
}

struct Rollout<'a, W, R, J> {
    shared: Arc<Shared<W, R, J>>,
    accounts: &'a BTreeMap<AccountId, Account>,
    turns: Vec<Turn>,
    outcomes: Arc<BTreeMap<String, Outcome>>,
    results: BTreeMap<String, ChangeResult>,
}

impl<W, R, J> Rollout<'_, W, R, J>
where
    W: Writer + 'static,
    R: Reader + 'static,
    J: Journal + 'static,
{
    /// Why the wave of this number is not begun.
    fn not_begun(&self, number: usize) -> Option<String> {
        let failed = self.shared.failed().len();
        let over = self
            .shared
            .max_failures
            .filter(|allowed| number > 0 && failed > *allowed)?;
        Some(format!(
            "wave {} was not started: {}",
            number + 1,
            super::over_budget(failed, over)
        ))
    }

    async fn wave(&mut self, number: usize, open: &BTreeSet<String>) {
        let settings = self.shared.settings.clone();
        self.tell(number, WaveEvent::Started);
        self.rounds(open).await;
        let more = number + 1 < settings.waves.len();
        if more && !settings.bake.is_zero() && settings.halt.why().is_none() {
            self.tell(number, WaveEvent::Baking(settings.bake));
            tokio::select! {
                () = tokio::time::sleep(settings.bake) => self.verify(open).await,
                () = settings.halt.stopped() => {}
            }
        }
        self.tell(number, WaveEvent::Finished);
    }

    fn tell(&self, number: usize, event: WaveEvent) {
        let waves = &self.shared.settings.waves;
        if let Some(wave) = waves.get(number) {
            self.shared.doers.journal.wave(number, wave, event);
            (self.shared.on_event)(Event::Wave {
                number,
                of: waves.len(),
                title: wave.title.clone(),
                event,
            });
        }
    }

    async fn rounds(&mut self, open: &BTreeSet<String>) {
        loop {
            let round: Vec<Turn> = self
                .turns
                .iter_mut()
                .filter_map(|turn| turn.round(&self.outcomes, open))
                .collect();
            if round.is_empty() {
                break;
            }
            let runs = round
                .into_iter()
                .map(|turn| run_turn(Arc::clone(&self.shared), turn, Arc::clone(&self.outcomes)));
            let at_once = self.shared.settings.parallelism.max(1);
            let finished: Vec<Finished> =
                stream::iter(runs).buffer_unordered(at_once).collect().await;
            for finished in finished {
                self.finish(finished);
            }
        }
    }

    fn finish(
        &mut self,
        Finished {
            account,
            seen,
            results,
        }: Finished,
    ) {
        let known = Arc::make_mut(&mut self.outcomes);
        known.extend(
            results
                .iter()
                .map(|result| (result.address.clone(), result.outcome)),
        );
        for result in results {
            add(&mut self.results, result);
        }
        if let Some(turn) = self.turns.iter_mut().find(|turn| turn.part.id == account) {
            // Kept for a later round alone: memory grows with what is left to do.
            let first = if turn.open.is_empty() {
                Arc::default()
            } else {
                Arc::clone(&seen.first)
            };
            turn.seen = Some(Seen { first, ..seen });
            turn.tell_if_finished(&self.results, &self.shared.on_event);
        }
    }

    /// Looks again at what a wave wrote; what does not hold any more has failed.
    async fn verify(&mut self, open: &BTreeSet<String>) {
        let shared = &self.shared;
        let looks = self.turns.iter().filter_map(|turn| {
            let account = self.accounts.get(&turn.part.id)?;
            let is_done = |change: &&Change| {
                open.contains(&change.address)
                    && self
                        .results
                        .get(&change.address)
                        .is_some_and(|result| result.outcome == Outcome::Done)
            };
            // Both passes of a circle are over.
            let whole = |change: &Change| Change {
                finish_after: BTreeSet::new(),
                ..change.clone()
            };
            let written: Vec<Change> = planned(&turn.part).filter(is_done).map(whole).collect();
            let mut results: BTreeMap<String, ChangeResult> = written
                .iter()
                .map(|change| (change.address.clone(), result(change, Outcome::Done, None)))
                .collect();
            Some(async move {
                shared
                    .read_back(&written, account, &mut results, SETTLED)
                    .await;
                if results
                    .values()
                    .any(|result| result.outcome != Outcome::Done)
                {
                    shared.failed().insert(account.id);
                }
                results
            })
        });
        let looks: Vec<BTreeMap<String, ChangeResult>> = stream::iter(looks.collect::<Vec<_>>())
            .buffer_unordered(LOOKS_AT_ONCE)
            .collect()
            .await;
        self.results.extend(looks.into_iter().flatten());
    }

    /// What was never begun.
    fn rest(&mut self, not_begun: Option<String>) {
        let why = self
            .shared
            .settings
            .halt
            .why()
            .map(ToString::to_string)
            .or(not_begun);
        for turn in &mut self.turns {
            let in_no_wave =
                || "no wave selects the account; add \"all\" as the last one".to_owned();
            let waves = &self.shared.settings.waves;
            let listed = waves.is_empty()
                || waves
                    .iter()
                    .any(|wave| wave.accounts.contains(&turn.part.id));
            let why = match &why {
                _ if !listed => in_no_wave(),
                Some(why) => why.clone(),
                None => continue,
            };
            let rest = std::mem::take(&mut turn.open);
            for result in all(&rest, Outcome::NotReached, &why) {
                let ChangeResult {
                    address,
                    action: _,
                    outcome,
                    error,
                } = result.clone();
                (self.shared.on_event)(Event::ChangeFinished {
                    address,
                    outcome,
                    error,
                });
                add(&mut self.results, result);
            }
        }
    }
}

async fn run_turn<W, R, J>(
    shared: Arc<Shared<W, R, J>>,
    turn: Turn,
    outcomes: Arc<BTreeMap<String, Outcome>>,
) -> Finished
where
    W: Writer + 'static,
    R: Reader + 'static,
    J: Journal + 'static,
{
    let (account, open, seen) = (
        turn.part.id,
        turn.open.clone(),
        turn.seen.clone().unwrap_or_default(),
    );
    let span = tracing::error_span!("apply account", %account);
    match tokio::spawn(async move { shared.run_account(turn, &outcomes).await }.instrument(span))
        .await
    {
        Ok(finished) => finished,
        Err(broken) => {
            let results = all(&open, Outcome::Failed, &format!("internal error: {broken}"));
            Finished {
                account,
                seen,
                results,
            }
        }
    }
}
