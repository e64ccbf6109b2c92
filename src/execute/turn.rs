//! The changes of one account, divided into those that can run now and those that come later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ChangeResult, Event, Outcome};
use crate::live::LiveAccount;
use crate::org::{Account, AccountId};
use crate::plan::{AccountPlan, Change};
use crate::resource::step::Step;

pub(super) fn planned(part: &AccountPlan) -> impl Iterator<Item = &Change> + Clone {
    part.changes
        .iter()
        .filter(|change| !change.steps.is_empty())
}

pub(super) fn result(change: &Change, outcome: Outcome, error: Option<String>) -> ChangeResult {
    ChangeResult {
        address: change.address.clone(),
        action: change.action,
        outcome,
        error,
    }
}

pub(super) fn all(changes: &[Change], outcome: Outcome, error: &str) -> Vec<ChangeResult> {
    changes
        .iter()
        .map(|change| result(change, outcome, Some(error.to_owned())))
        .collect()
}

/// Adds the result of a change, or of its second pass where the first is done.
pub(super) fn add(results: &mut BTreeMap<String, ChangeResult>, result: ChangeResult) {
    let first = results
        .entry(result.address.clone())
        .or_insert_with(|| result.clone());
    if first.outcome == Outcome::Done {
        *first = result;
    }
}

/// A change, or its two passes where it closes a circle of trust.
///
/// The first pass ends before the trust policy, so that the roles it names can be created in between.
fn passes(change: &Change) -> impl Iterator<Item = Change> {
    let mut first = change.clone();
    let mut second = None;
    if is_first_pass(change) {
        let steps = first.steps.split_off(change.steps.len().saturating_sub(1));
        let mut after = change.finish_after.clone();
        after.insert(change.address.clone());
        second = Some(Change {
            steps,
            after,
            finish_after: BTreeSet::new(),
            ..change.clone()
        });
    }
    [Some(first), second].into_iter().flatten()
}

/// Whether a second pass follows.
pub(super) fn is_first_pass(change: &Change) -> bool {
    !change.finish_after.is_empty()
}

/// Whether a first pass came before; nothing waits for a second one.
pub(super) fn is_second_pass(change: &Change) -> bool {
    change.after.contains(&change.address)
}

/// What one account has to do, and in one round of it may do.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) part: Arc<AccountPlan>,
    pub(super) account: Option<Account>,
    /// What is not begun yet; in a round what is to be done in it.
    pub(super) open: Vec<Change>,
    /// What was found before the first write, once that was looked at.
    pub(super) seen: Option<Seen>,
    /// In a round: what earlier rounds wrote here.
    pub(super) wrote: Vec<Step>,
}

/// What was found in an account. Neither what is stale nor what is finished is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Addresses that someone else changed since the plan was made or, in a later round, since they were first seen.
    pub(super) stale: BTreeSet<String>,
    /// Addresses that an earlier run finished.
    pub(super) finished: BTreeSet<String>,
    /// How the account was before the first write, for as long as there is something left to do.
    pub(super) first: Arc<LiveAccount>,
}

pub(super) struct Finished {
    pub(super) account: AccountId,
    pub(super) seen: Seen,
    pub(super) results: Vec<ChangeResult>,
}

impl Turn {
    pub(super) fn new(part: &AccountPlan, accounts: &BTreeMap<AccountId, Account>) -> Option<Self> {
        let open: Vec<Change> = planned(part).flat_map(passes).collect();
        let account = accounts.get(&part.id).cloned();
        let part = Arc::new(part.clone());
        (!open.is_empty()).then(|| Self {
            part,
            account,
            open,
            seen: None,
            wrote: Vec::new(),
        })
    }

    /// Takes out what can be done now: of the changes that are `open` in this wave those that wait for nothing, or
    /// for what is finished or in the same round.
    pub(super) fn round(
        &mut self,
        outcomes: &BTreeMap<String, Outcome>,
        open: &BTreeSet<String>,
    ) -> Option<Self> {
        let prefix = format!("{}/", self.part.id);
        let (mut ready, mut later): (Vec<Change>, Vec<Change>) =
            self.open.drain(..).partition(|change| {
                open.contains(&change.address)
                    && change.after.iter().all(|address| {
                        address.starts_with(&prefix) || outcomes.contains_key(address)
                    })
            });
        // What a change comes after in its own account may be in this very round: the account runs its changes in order.
        // But only if that one is itself ready, so what is not pulls its followers out, until nothing moves any more.
        loop {
            let awaited = later
                .iter()
                .filter(|other| !is_second_pass(other))
                .map(|other| &other.address);
            let waits = |change: &Change| {
                awaited
                    .clone()
                    .any(|address| change.after.contains(address))
            };
            let Some(at) = ready.iter().position(waits) else {
                break;
            };
            later.push(ready.remove(at));
        }
        self.open = later;
        (!ready.is_empty()).then(|| {
            let wrote = self.wrote(&ready, outcomes);
            Self {
                open: ready,
                wrote,
                ..self.clone()
            }
        })
    }

    /// The steps of what is done, without the last one of a change whose second pass is still to come.
    fn wrote(&self, ready: &[Change], outcomes: &BTreeMap<String, Outcome>) -> Vec<Step> {
        let Some(seen) = &self.seen else {
            return Vec::new();
        };
        let is_done = |change: &&Change| {
            outcomes.get(&change.address) == Some(&Outcome::Done)
                && !seen.finished.contains(&change.address)
        };
        let to_come: BTreeSet<&str> = ready
            .iter()
            .chain(&self.open)
            .filter(|change| is_second_pass(change))
            .map(|change| &*change.address)
            .collect();
        let steps = planned(&self.part).filter(is_done).flat_map(|change| {
            let last = usize::from(to_come.contains(&*change.address));
            change
                .steps
                .iter()
                .take(change.steps.len().saturating_sub(last))
        });
        steps.cloned().collect()
    }

    pub(super) fn tell_if_finished(
        &self,
        results: &BTreeMap<String, ChangeResult>,
        on_event: &Arc<dyn Fn(Event) + Send + Sync>,
    ) {
        if self.open.is_empty() {
            let ended: Vec<&ChangeResult> = planned(&self.part)
                .filter_map(|change| results.get(&change.address))
                .collect();
            let done = ended
                .iter()
                .filter(|result| result.outcome == Outcome::Done)
                .count();
            let not_done = ended.len() - done;
            on_event(Event::AccountFinished {
                account: self.part.id,
                name: self.part.name.clone(),
                done,
                not_done,
            });
        }
    }
}
