//! One account: read again, written, read back. Changes run in parallel, the steps of a change in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use super::lag::{Created, by_chance, is_lag};
use super::turn::{Finished, Seen, Turn, add, all, is_first_pass, is_second_pass, planned, result};
use super::{ChangeResult, Doers, Event, Journal, Outcome, Patience, Settings, Why, Writer};
use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AwsError};
use crate::plan::{self, AccountPlan, Action, Change, Convergence, Deleted, Earlier, ResourceKind};
use crate::read::Reader;
use crate::resource::Tags;
use crate::resource::name::{PolicyArn, PolicyName};
use crate::resource::step::Step;

/// Changes of one account that are written at once. IAM's rate limits are per account, and steps of one role never
/// overlap.
const CHANGES_AT_ONCE: usize = 6;

/// Equal reads in a row before a change is called done: one may come from a replica that is ahead.
const EQUAL_READS: usize = 2;

/// What was read back already and differs now was changed, or one replica is behind the others for a moment.
pub(super) const SETTLED: Patience = Patience {
    first: Duration::from_millis(250),
    longest: Duration::from_secs(1),
    total: Duration::from_secs(4),
};

pub(super) struct Shared<W, R, J> {
    pub(super) doers: Doers<W, R, J>,
    pub(super) settings: Settings,
    pub(super) on_event: Arc<dyn Fn(Event) + Send + Sync>,
    /// The inline policy that the directory's grants are.
    pub(super) grants: PolicyName,
    pub(super) created: Mutex<Created>,
    /// The roles that were found and that this run deletes or replaces.
    pub(super) deleted: Mutex<Deleted>,
    /// Who may write: so many accounts at once.
    pub(super) writing: Semaphore,
    /// Who may look; an account that is looked at takes no place from those that are written to.
    pub(super) looking: Semaphore,
    /// Accounts in which something failed.
    pub(super) failed: Mutex<BTreeSet<AccountId>>,
    /// How many accounts may have failed when another is started.
    pub(super) max_failures: Option<usize>,
}

impl<W: Writer, R: Reader, J: Journal> Shared<W, R, J> {
    pub(super) async fn run_account(
        &self,
        turn: Turn,
        outcomes: &BTreeMap<String, Outcome>,
    ) -> Finished {
        let (account, open) = (turn.part.id, turn.open.clone());
        let (seen, results) = self.try_account(turn, outcomes).await;
        if results
            .iter()
            .any(|result| result.outcome == Outcome::Failed)
        {
            self.failed().insert(account);
        }
        let finished: BTreeSet<&str> = open
            .iter()
            .filter(|change| !is_first_pass(change))
            .map(|change| change.address.as_str())
            .collect();
        let ended = |result: &&ChangeResult| {
            result.outcome != Outcome::Done || finished.contains(&*result.address)
        };
        for ChangeResult {
            address,
            action: _,
            outcome,
            error,
        } in results.iter().filter(ended)
        {
            let (address, outcome, error) = (address.clone(), *outcome, error.clone());
            (self.on_event)(Event::ChangeFinished {
                address,
                outcome,
                error,
            });
        }
        Finished {
            account,
            seen,
            results,
        }
    }

    async fn try_account(
        &self,
        turn: Turn,
        outcomes: &BTreeMap<String, Outcome>,
    ) -> (Seen, Vec<ChangeResult>) {
        let Turn {
            part,
            account,
            open,
            seen,
            wrote,
        } = turn;
        let Some(account) = account else {
            return (
                Seen::default(),
                all(
                    &open,
                    Outcome::Failed,
                    "the account is no longer in the organization",
                ),
            );
        };
        if let Some(why) = self.halted(seen.is_some()) {
            return (Seen::default(), all(&open, Outcome::NotReached, &why));
        }
        // Each round depends on a read of its own: what was read in an earlier one is as old as whatever lay between.
        let looked = match &seen {
            Some(seen) => self.look_again(&account, &open, seen, &wrote).await,
            None => self.begin(&account, &part).await,
        };
        let seen = match looked {
            Ok(seen) => seen,
            Err((outcome, why)) => return (seen.unwrap_or_default(), all(&open, outcome, &why)),
        };
        let results = self.run_changes(&open, &account, &seen, outcomes).await;
        (seen, results)
    }

    /// Why nothing is started any more: the run was halted or, for an account that was not `begun`, too many others
    /// failed.
    fn halted(&self, begun: bool) -> Option<String> {
        let failed = self.failed().len();
        let over = self
            .max_failures
            .filter(|allowed| !begun && failed > *allowed);
        let budget = || over.map(|allowed| super::over_budget(failed, allowed));
        self.settings
            .halt
            .why()
            .map(ToString::to_string)
            .or_else(budget)
    }

    /// Looks at an account before the first write, and has it recorded as it was found.
    async fn begin(
        &self,
        account: &Account,
        part: &AccountPlan,
    ) -> Result<Seen, (Outcome, String)> {
        (self.on_event)(Event::AccountStarted {
            account: part.id,
            name: part.name.clone(),
        });
        let live = self.look(account, planned(part), &BTreeMap::new()).await;
        let live = live.map_err(|error| (Outcome::Failed, error.to_string()))?;
        self.deleted().extend(plan::deleted(part, &live));
        let is_done = |change: &&Change| {
            self.settings.finished.contains(&change.address)
                && plan::converged(change, &live) == Convergence::Converged
        };
        let finished: BTreeSet<String> = planned(part)
            .filter(is_done)
            .map(|change| change.address.clone())
            .collect();
        let stale = &plan::recheck(part, &live, &self.deleted()) - &finished;
        let left_alone = |change: &&Change| {
            stale.contains(&change.address) || finished.contains(&change.address)
        };
        let fresh: Vec<&Change> = planned(part).filter(|change| !left_alone(change)).collect();
        let kept = self.doers.journal.found(part.id, &fresh, &live).await;
        self.recorded(kept)
            .map_err(|why| (Outcome::NotReached, why))?;
        Ok(Seen {
            stale,
            finished,
            first: Arc::new(live),
        })
    }

    /// Looks at what is `open` in a later round of an account in which this run `wrote` already.
    async fn look_again(
        &self,
        account: &Account,
        open: &[Change],
        seen: &Seen,
        wrote: &[Step],
    ) -> Result<Seen, (Outcome, String)> {
        let earlier = Earlier {
            first: &seen.first,
            wrote,
            grants: &self.grants,
            partition: &self.settings.partition,
        };
        let writable = open.iter().filter(|change| {
            !seen.stale.contains(&change.address) && !seen.finished.contains(&change.address)
        });
        // What this run wrote may not be seen everywhere yet; a change made by someone else does not go away.
        let mut waits = if wrote.is_empty() {
            Patience::NONE
        } else {
            SETTLED
        }
        .waits();
        loop {
            let live = self.look(account, writable.clone(), &BTreeMap::new()).await;
            let live = live.map_err(|error| (Outcome::Failed, error.to_string()))?;
            let moved = plan::recheck_later(writable.clone(), earlier, &live, &self.deleted());
            match waits.next() {
                Some(wait) if !moved.is_empty() => self.settings.halt.sleep(wait).await,
                _ => {
                    return Ok(Seen {
                        stale: &seen.stale | &moved,
                        ..seen.clone()
                    });
                }
            }
        }
    }

    /// Halts the run where its record cannot be kept.
    fn recorded(&self, kept: Result<(), String>) -> Result<(), String> {
        kept.map_err(|error| {
            self.settings.halt.stop(Why::Record(error));
            self.settings
                .halt
                .why()
                .map(ToString::to_string)
                .unwrap_or_default()
        })
    }

    /// Reads what `changes` touch, tags of policies and grants to principals included. Tags in `known`, by the key of
    /// their policy, are not read.
    pub(super) async fn look<'a>(
        &self,
        account: &Account,
        changes: impl Iterator<Item = &'a Change> + Clone,
        known: &BTreeMap<String, Tags>,
    ) -> Result<LiveAccount, AwsError> {
        // What is deleted could not be made again without them.
        let details = changes
            .clone()
            .any(|change| change.details || change.action == Action::Delete);
        let resources: Vec<ResourceKind> = changes.filter_map(Change::resource).collect();
        let policies: BTreeSet<PolicyName> = resources
            .iter()
            .filter_map(|resource| match resource {
                ResourceKind::Policy(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let wanted = super::wanted(resources, self.grants.clone(), details);
        // Never closed, so a place is always had.
        let _place = self.looking.acquire().await;
        let mut live = self.doers.reader.read(account, &wanted).await?;
        let touched: Vec<(String, PolicyArn)> = policies
            .iter()
            .filter(|name| !known.contains_key(&name.key()))
            .filter_map(|name| Some((name.key(), live.policies.get(&name.key())?.arn.clone())))
            .collect();
        let tags = futures_util::future::try_join_all(
            touched
                .iter()
                .map(|(_, arn)| self.doers.reader.policy_tags(account, arn)),
        );
        for ((key, _), tags) in touched.iter().zip(tags.await?) {
            if let Some(policy) = live.policies.get_mut(key) {
                policy.tags = Some(tags);
            }
        }
        for (key, tags) in known {
            if let Some(policy) = live.policies.get_mut(key) {
                policy.tags = Some(tags.clone());
            }
        }
        Ok(live)
    }

    async fn run_changes(
        &self,
        changes: &[Change],
        account: &Account,
        seen: &Seen,
        outcomes: &BTreeMap<String, Outcome>,
    ) -> Vec<ChangeResult> {
        let mut ended = Ended {
            earlier: outcomes,
            results: BTreeMap::new(),
        };
        let mut waiting = Vec::new();
        for change in changes {
            if seen.stale.contains(&change.address) {
                let why = "changed since the plan was made; plan again".to_owned();
                ended.add(result(change, Outcome::Stale, Some(why)));
            } else if seen.finished.contains(&change.address) {
                ended.add(result(change, Outcome::Done, None));
            } else {
                waiting.push(change);
            }
        }
        let here: BTreeSet<&str> = changes
            .iter()
            .filter(|change| !is_second_pass(change))
            .map(|change| change.address.as_str())
            .collect();
        let place = self.writing.acquire().await;
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < CHANGES_AT_ONCE
                && let Some(ready) = waiting
                    .iter()
                    .position(|change| ended.has_all(&change.after, &here))
            {
                let change = waiting.remove(ready);
                match self.blocked(change, &ended) {
                    Some(blocked) => ended.add(blocked),
                    None => running.push(self.run_change(account, change)),
                }
            }
            match running.next().await {
                Some(outcome) => ended.add(outcome),
                None => break,
            }
        }
        for change in waiting {
            let why = "depends on a change that depends on it".to_owned();
            ended.add(result(change, Outcome::NotReached, Some(why)));
        }
        drop(place);
        let mut results = ended.results;
        let live = self
            .read_back(changes, account, &mut results, self.settings.patience)
            .await;
        // What is remembered of an account belongs to whoever holds the lease.
        let live = live.filter(|_| self.settings.halt.why() != Some(&Why::Lease));
        let whole: Vec<&ChangeResult> = changes
            .iter()
            .filter(|change| !is_first_pass(change))
            .filter_map(|change| results.get(&change.address))
            .collect();
        // Why the run is halted is reported with it.
        _ = self.recorded(
            self.doers
                .journal
                .ended(account.id, &whole, live.as_ref())
                .await,
        );
        changes
            .iter()
            .filter_map(|change| results.remove(&change.address))
            .collect()
    }

    /// Why `change` is not started: the run was interrupted, or what it waits for is not done.
    fn blocked(&self, change: &Change, ended: &Ended<'_>) -> Option<ChangeResult> {
        let why = if let Some(why) = self.settings.halt.why() {
            why.to_string()
        } else {
            let not_done = |address: &&String| {
                ended
                    .outcome(address)
                    .is_some_and(|outcome| outcome != Outcome::Done)
            };
            format!(
                "depends on {}, which is not done",
                change.after.iter().find(not_done)?
            )
        };
        Some(result(change, Outcome::NotReached, Some(why)))
    }

    #[tracing::instrument(name = "change", level = "error", skip_all, fields(resource = change.address))]
    async fn run_change(&self, account: &Account, change: &Change) -> ChangeResult {
        for (done, step) in change.steps.iter().enumerate() {
            if let Some(why) = self.settings.halt.why().filter(|_| done > 0) {
                let why = format!(
                    "{why} after {done} of {} steps; apply again to finish",
                    change.steps.len()
                );
                return result(change, Outcome::NotReached, Some(why));
            }
            let after_own_writes = done > 0 || !change.after.is_empty();
            self.doers.journal.step(&change.address, done, step, None);
            let written = self.write(account, step, after_own_writes).await;
            self.doers
                .journal
                .step(&change.address, done, step, Some(written.as_ref().copied()));
            if let Err(error) = written {
                // Without an answer of AWS's: the run itself ended the attempts.
                let halted = self.settings.halt.why().filter(|_| error.code.is_none());
                let outcome = if halted.is_some() {
                    Outcome::NotReached
                } else {
                    Outcome::Failed
                };
                return result(change, outcome, Some(error.to_string()));
            }
        }
        result(change, Outcome::Done, None)
    }

    /// Performs one step, waiting where IAM does not see yet what this run just did.
    async fn write(
        &self,
        account: &Account,
        step: &Step,
        after_own_writes: bool,
    ) -> Result<(), AwsError> {
        let mut waits = self.settings.patience.waits();
        loop {
            let error = match self.doers.writer.write(account, step).await {
                Ok(()) => {
                    self.created().remember(account.id, step);
                    return Ok(());
                }
                Err(error) => error,
            };
            let lag = is_lag(account.id, step, &error, &self.created(), after_own_writes);
            match waits.next() {
                Some(wait) if lag && self.settings.halt.why().is_none() => {
                    tracing::debug!(account = %account.id, error = %error, "waiting for IAM to see an earlier step");
                    self.settings.halt.sleep(by_chance(wait)).await;
                }
                _ => return Err(error),
            }
        }
    }

    pub(super) fn failed(&self) -> std::sync::MutexGuard<'_, BTreeSet<AccountId>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deleted(&self) -> std::sync::MutexGuard<'_, Deleted> {
        self.deleted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn created(&self) -> std::sync::MutexGuard<'_, Created> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what was written until it is as the plan expects, and marks as failed what never is. Gives what was seen
    /// last.
    pub(super) async fn read_back(
        &self,
        changes: &[Change],
        account: &Account,
        results: &mut BTreeMap<String, ChangeResult>,
        patience: Patience,
    ) -> Option<LiveAccount> {
        let mut seen = None;
        let is_done = |change: &&Change| {
            !is_first_pass(change)
                && results
                    .get(&change.address)
                    .is_some_and(|r| r.outcome == Outcome::Done)
        };
        let written: Vec<&Change> = changes.iter().filter(is_done).collect();
        let mut waits = patience.waits();
        let mut equal = 0;
        while !written.is_empty() && equal < EQUAL_READS {
            let (live, differs) = self.differing(account, &written).await;
            seen = live.or(seen);
            if differs.is_empty() {
                equal += 1;
                continue;
            }
            equal = 0;
            let Some(wait) = waits.next().filter(|_| self.settings.halt.why().is_none()) else {
                for (change, why) in differs {
                    let why = format!("written, but not visible when read back: {why}");
                    results.insert(
                        change.address.clone(),
                        result(change, Outcome::Failed, Some(why)),
                    );
                }
                break;
            };
            self.settings.halt.sleep(wait).await;
        }
        seen
    }

    async fn differing<'a>(
        &self,
        account: &Account,
        written: &[&'a Change],
    ) -> (Option<LiveAccount>, Vec<(&'a Change, String)>) {
        match self
            .look(account, written.iter().copied(), &tags_of_created(written))
            .await
        {
            Ok(live) => {
                let differs =
                    written
                        .iter()
                        .filter_map(|change| match plan::converged(change, &live) {
                            Convergence::Converged => None,
                            Convergence::Differs(what) => Some((*change, what)),
                        });
                let differs = differs.collect();
                (Some(live), differs)
            }
            Err(error) => (
                None,
                written
                    .iter()
                    .map(|change| (*change, error.to_string()))
                    .collect(),
            ),
        }
    }
}

/// The tags of policies that this run created: they rode on `CreatePolicy`, so what exists has them.
fn tags_of_created(written: &[&Change]) -> BTreeMap<String, Tags> {
    let steps = written.iter().flat_map(|change| &change.steps);
    steps
        .filter_map(|step| match step {
            Step::CreatePolicy { name, tags, .. } => Some((name.key(), tags.clone())),
            _ => None,
        })
        .collect()
}

/// What has ended: in earlier rounds, and in this one.
struct Ended<'a> {
    earlier: &'a BTreeMap<String, Outcome>,
    results: BTreeMap<String, ChangeResult>,
}

impl Ended<'_> {
    fn add(&mut self, result: ChangeResult) {
        add(&mut self.results, result);
    }

    fn outcome(&self, address: &str) -> Option<Outcome> {
        self.results
            .get(address)
            .map(|result| result.outcome)
            .or_else(|| self.earlier.get(address).copied())
    }

    /// Whether all of `addresses` that are `here`, in this round and account, have ended.
    fn has_all(&self, addresses: &BTreeSet<String>, here: &BTreeSet<&str>) -> bool {
        addresses
            .iter()
            .all(|address| !here.contains(address.as_str()) || self.results.contains_key(address))
    }
}
