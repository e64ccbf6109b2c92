//! The run itself: rounds over accounts, changes of an account side by side, steps of a change in order.
//!
//! What waits for a change in another account is done in a later round, so that no account's turn is held up by another's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use tokio::sync::Semaphore;

use super::lag::{Created, by_chance, is_lag};
use super::{ChangeResult, Event, Outcome, RunReport, Settings, Writer};
use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AwsError};
use crate::plan::{self, AccountPlan, Change, Convergence, Plan, ResourceKind};
use crate::read::{Others, Reader, Scope, Wanted, WantedGrants};
use crate::resource::Tags;
use crate::resource::name::{PolicyArn, PolicyName};
use crate::resource::step::Step;

/// Changes of one account that are written at once. IAM's rate limits are per account, and steps of one role never overlap.
const CHANGES_AT_ONCE: usize = 4;

/// Accounts that are looked at at once, before writing and after; those that are written to are fewer.
const LOOKS_AT_ONCE: usize = 64;

/// Equal reads in a row before a change is called done: one may come from a replica that is ahead.
const EQUAL_READS: usize = 2;

/// Runs every change of `plan` that has steps, and says what became of each.
pub async fn execute<W, R>(
    plan: &Plan,
    accounts: &BTreeMap<AccountId, Account>,
    writer: Arc<W>,
    reader: Arc<R>,
    settings: &Settings,
    on_event: Arc<dyn Fn(Event) + Send + Sync>,
) -> RunReport
where
    W: Writer + 'static,
    R: Reader + 'static,
{
    let created = Mutex::new(Created::of(plan));
    let parallelism = settings.parallelism.max(1);
    let (writing, looking) = (Semaphore::new(parallelism), Semaphore::new(LOOKS_AT_ONCE));
    let shared = Arc::new(Shared {
        writer,
        reader,
        settings: settings.clone(),
        on_event,
        grants: PolicyName::of_grants(&plan.name),
        created,
        writing,
        looking,
    });
    let mut turns: Vec<Turn> = plan.accounts.iter().filter_map(|part| Turn::new(part, accounts)).collect();
    let mut outcomes = Arc::new(BTreeMap::new());
    let mut results = BTreeMap::new();
    loop {
        let round: Vec<Turn> = turns.iter_mut().filter_map(|turn| turn.round(&outcomes)).collect();
        if round.is_empty() {
            break;
        }
        let runs = round.into_iter().map(|turn| run_turn(Arc::clone(&shared), turn, Arc::clone(&outcomes)));
        let finished: Vec<Finished> = stream::iter(runs).buffer_unordered(settings.parallelism.max(1)).collect().await;
        let known = Arc::make_mut(&mut outcomes);
        for Finished { account, stale, results: of_turn } in finished {
            known.extend(of_turn.iter().map(|result| (result.address.clone(), result.outcome)));
            for result in of_turn {
                add(&mut results, result);
            }
            if let Some(turn) = turns.iter_mut().find(|turn| turn.part.id == account) {
                turn.stale = Some(stale);
                turn.tell_if_finished(&results, &shared.on_event);
            }
        }
    }
    let changes = plan.accounts.iter().flat_map(planned);
    let results = changes.map(|change| {
        let circle = || result(change, Outcome::NotReached, Some("waits for a change that waits for it".to_owned()));
        results.remove(&change.address).unwrap_or_else(circle)
    });
    RunReport::new(settings.run.clone(), results.collect())
}

fn planned(part: &AccountPlan) -> impl Iterator<Item = &Change> + Clone {
    part.changes.iter().filter(|change| !change.steps.is_empty())
}

fn result(change: &Change, outcome: Outcome, error: Option<String>) -> ChangeResult {
    ChangeResult { address: change.address.clone(), action: change.action, outcome, error }
}

fn all(changes: &[Change], outcome: Outcome, error: &str) -> Vec<ChangeResult> {
    changes.iter().map(|change| result(change, outcome, Some(error.to_owned()))).collect()
}

/// Adds the result of a change, or of its second pass where the first is done.
fn add(results: &mut BTreeMap<String, ChangeResult>, result: ChangeResult) {
    let first = results.entry(result.address.clone()).or_insert_with(|| result.clone());
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
        second = Some(Change { steps, after, finish_after: BTreeSet::new(), ..change.clone() });
    }
    [Some(first), second].into_iter().flatten()
}

/// Whether a second pass follows.
fn is_first_pass(change: &Change) -> bool {
    !change.finish_after.is_empty()
}

/// Whether a first pass came before; nobody waits for a second one.
fn is_second_pass(change: &Change) -> bool {
    change.after.contains(&change.address)
}

/// What one account has to do, and in one round of it may do.
#[derive(Clone)]
struct Turn {
    part: Arc<AccountPlan>,
    account: Option<Account>,
    /// What is not begun yet; in a round what is to be done in it.
    open: Vec<Change>,
    /// Addresses that changed since the plan was made, once that was looked at.
    stale: Option<BTreeSet<String>>,
}

struct Finished {
    account: AccountId,
    stale: BTreeSet<String>,
    results: Vec<ChangeResult>,
}

impl Turn {
    fn new(part: &AccountPlan, accounts: &BTreeMap<AccountId, Account>) -> Option<Self> {
        let open: Vec<Change> = planned(part).flat_map(passes).collect();
        let account = accounts.get(&part.id).cloned();
        (!open.is_empty()).then(|| Self { part: Arc::new(part.clone()), account, open, stale: None })
    }

    /// Takes out what can be done now: changes that wait for nothing, or for what is finished or in the same round.
    fn round(&mut self, outcomes: &BTreeMap<String, Outcome>) -> Option<Self> {
        let prefix = format!("{}/", self.part.id);
        let (mut ready, mut later): (Vec<Change>, Vec<Change>) = self.open.drain(..).partition(|change| {
            change.after.iter().all(|address| address.starts_with(&prefix) || outcomes.contains_key(address))
        });
        loop {
            let awaited = later.iter().filter(|other| !is_second_pass(other)).map(|other| &other.address);
            let waits = |change: &Change| awaited.clone().any(|address| change.after.contains(address));
            let Some(at) = ready.iter().position(waits) else { break };
            later.push(ready.remove(at));
        }
        self.open = later;
        (!ready.is_empty()).then(|| Self { open: ready, ..self.clone() })
    }

    fn tell_if_finished(&self, results: &BTreeMap<String, ChangeResult>, on_event: &Arc<dyn Fn(Event) + Send + Sync>) {
        if self.open.is_empty() {
            let ended: Vec<&ChangeResult> =
                planned(&self.part).filter_map(|change| results.get(&change.address)).collect();
            let done = ended.iter().filter(|result| result.outcome == Outcome::Done).count();
            let not_done = ended.len() - done;
            on_event(Event::AccountFinished { account: self.part.id, name: self.part.name.clone(), done, not_done });
        }
    }
}

async fn run_turn<W, R>(shared: Arc<Shared<W, R>>, turn: Turn, outcomes: Arc<BTreeMap<String, Outcome>>) -> Finished
where
    W: Writer + 'static,
    R: Reader + 'static,
{
    let (account, open, stale) = (turn.part.id, turn.open.clone(), turn.stale.clone().unwrap_or_default());
    match tokio::spawn(async move { shared.run_account(turn, &outcomes).await }).await {
        Ok(finished) => finished,
        Err(broken) => {
            let results = all(&open, Outcome::Failed, &format!("internal error: {broken}"));
            Finished { account, stale, results }
        }
    }
}

struct Shared<W, R> {
    writer: Arc<W>,
    reader: Arc<R>,
    settings: Settings,
    on_event: Arc<dyn Fn(Event) + Send + Sync>,
    /// The inline policy that the directory's grants are.
    grants: PolicyName,
    created: Mutex<Created>,
    /// Who may write: so many accounts at once.
    writing: Semaphore,
    /// Who may look; an account that is looked at takes no place from those that are written to.
    looking: Semaphore,
}

impl<W: Writer, R: Reader> Shared<W, R> {
    async fn run_account(&self, turn: Turn, outcomes: &BTreeMap<String, Outcome>) -> Finished {
        let Turn { part, account, open, stale } = turn;
        let begun = stale.is_some();
        let (stale, results) = match (account, stale) {
            (None, _) => (BTreeSet::new(), all(&open, Outcome::Failed, "the account is no longer in the organization")),
            _ if self.settings.cancel.is_cancelled() => {
                (BTreeSet::new(), all(&open, Outcome::NotReached, "interrupted"))
            }
            (Some(account), stale) => {
                if !begun {
                    (self.on_event)(Event::AccountStarted { account: part.id, name: part.name.clone() });
                }
                let stale = if let Some(stale) = stale {
                    Ok(stale)
                } else {
                    let live = self.look(&account, planned(&part), &BTreeMap::new()).await;
                    live.map(|live| plan::recheck(&part, &live))
                };
                match stale {
                    Ok(stale) => {
                        let results = self.run_changes(&open, &account, &stale, outcomes).await;
                        (stale, results)
                    }
                    Err(error) => (BTreeSet::new(), all(&open, Outcome::Failed, &error.to_string())),
                }
            }
        };
        let finished: BTreeSet<&str> =
            open.iter().filter(|change| !is_first_pass(change)).map(|change| change.address.as_str()).collect();
        let ended = |result: &&ChangeResult| result.outcome != Outcome::Done || finished.contains(&*result.address);
        for ChangeResult { address, action: _, outcome, error } in results.iter().filter(ended) {
            let (address, outcome, error) = (address.clone(), *outcome, error.clone());
            (self.on_event)(Event::ChangeFinished { address, outcome, error });
        }
        Finished { account: part.id, stale, results }
    }

    /// Reads what `changes` touch, tags of policies and grants to principals included. Tags in `known`, by the key of
    /// their policy, are not read.
    async fn look<'a>(
        &self,
        account: &Account,
        changes: impl Iterator<Item = &'a Change> + Clone,
        known: &BTreeMap<String, Tags>,
    ) -> Result<LiveAccount, AwsError> {
        let details = changes.clone().any(|change| change.details);
        let (mut roles, mut policies, mut principals) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for change in changes {
            match change.resource() {
                Some(ResourceKind::Role(name)) => _ = roles.insert(name),
                Some(ResourceKind::Policy(name)) => _ = policies.insert(name),
                Some(ResourceKind::Grant(principal)) => _ = principals.insert(principal.key(), principal),
                None => {}
            }
        }
        let grants = WantedGrants { policy: self.grants.clone(), principals, others: Others::Unseen };
        let scope = Scope::Only { roles, policies: policies.clone() };
        let wanted = Wanted { scope, details, grants: Some(grants) };
        // Never closed, so a place is always had.
        let _place = self.looking.acquire().await;
        let mut live = self.reader.read(account, &wanted).await?;
        let touched: Vec<(String, PolicyArn)> = policies
            .iter()
            .filter(|name| !known.contains_key(&name.key()))
            .filter_map(|name| Some((name.key(), live.policies.get(&name.key())?.arn.clone())))
            .collect();
        let tags =
            futures_util::future::try_join_all(touched.iter().map(|(_, arn)| self.reader.policy_tags(account, arn)));
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
        stale: &BTreeSet<String>,
        outcomes: &BTreeMap<String, Outcome>,
    ) -> Vec<ChangeResult> {
        let mut ended = Ended { earlier: outcomes, results: BTreeMap::new() };
        let (gone, mut waiting): (Vec<&Change>, Vec<&Change>) =
            changes.iter().partition(|change| stale.contains(&change.address));
        for change in gone {
            let why = "changed since the plan was made; plan again".to_owned();
            ended.add(result(change, Outcome::Stale, Some(why)));
        }
        let here: BTreeSet<&str> =
            changes.iter().filter(|change| !is_second_pass(change)).map(|change| change.address.as_str()).collect();
        let place = self.writing.acquire().await;
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < CHANGES_AT_ONCE
                && let Some(ready) = waiting.iter().position(|change| ended.has_all(&change.after, &here))
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
            let why = "waits for a change that waits for it".to_owned();
            ended.add(result(change, Outcome::NotReached, Some(why)));
        }
        drop(place);
        let mut results = ended.results;
        self.read_back(changes, account, &mut results).await;
        changes.iter().filter_map(|change| results.remove(&change.address)).collect()
    }

    /// Why `change` is not started: the run was interrupted, or what it waits for is not done.
    fn blocked(&self, change: &Change, ended: &Ended<'_>) -> Option<ChangeResult> {
        let why = if self.settings.cancel.is_cancelled() {
            "interrupted".to_owned()
        } else {
            let not_done = |address: &&String| ended.outcome(address).is_some_and(|outcome| outcome != Outcome::Done);
            format!("waits for {}, which is not done", change.after.iter().find(not_done)?)
        };
        Some(result(change, Outcome::NotReached, Some(why)))
    }

    async fn run_change(&self, account: &Account, change: &Change) -> ChangeResult {
        for (done, step) in change.steps.iter().enumerate() {
            if done > 0 && self.settings.cancel.is_cancelled() {
                let why = format!("interrupted after {done} of {} steps; apply again to finish", change.steps.len());
                return result(change, Outcome::NotReached, Some(why));
            }
            let after_own_writes = done > 0 || !change.after.is_empty();
            if let Err(error) = self.write(account, step, after_own_writes).await {
                return result(change, Outcome::Failed, Some(error.to_string()));
            }
        }
        result(change, Outcome::Done, None)
    }

    /// Performs one step, waiting where IAM does not see yet what this run just did.
    async fn write(&self, account: &Account, step: &Step, after_own_writes: bool) -> Result<(), AwsError> {
        let mut waits = self.settings.patience.waits();
        loop {
            let error = match self.writer.write(account, step).await {
                Ok(()) => {
                    self.created().remember(account.id, step);
                    return Ok(());
                }
                Err(error) => error,
            };
            let lag = is_lag(account.id, step, &error, &self.created(), after_own_writes);
            match waits.next() {
                Some(wait) if lag => {
                    tracing::debug!(account = %account.id, error = %error, "waiting for IAM to see an earlier step");
                    tokio::time::sleep(by_chance(wait)).await;
                }
                _ => return Err(error),
            }
        }
    }

    fn created(&self) -> std::sync::MutexGuard<'_, Created> {
        self.created.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what was written until it is as the plan expects, and marks as failed what never is.
    async fn read_back(&self, changes: &[Change], account: &Account, results: &mut BTreeMap<String, ChangeResult>) {
        let is_done = |change: &&Change| {
            !is_first_pass(change) && results.get(&change.address).is_some_and(|r| r.outcome == Outcome::Done)
        };
        let written: Vec<&Change> = changes.iter().filter(is_done).collect();
        let mut waits = self.settings.patience.waits();
        let mut equal = 0;
        while !written.is_empty() && equal < EQUAL_READS {
            let differs = self.differing(account, &written).await;
            if differs.is_empty() {
                equal += 1;
                continue;
            }
            equal = 0;
            let Some(wait) = waits.next() else {
                for (change, why) in differs {
                    let why = format!("written, but not seen when read back: {why}");
                    results.insert(change.address.clone(), result(change, Outcome::Failed, Some(why)));
                }
                return;
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn differing<'a>(&self, account: &Account, written: &[&'a Change]) -> Vec<(&'a Change, String)> {
        match self.look(account, written.iter().copied(), &tags_of_created(written)).await {
            Ok(live) => written
                .iter()
                .filter_map(|change| match plan::converged(change, &live) {
                    Convergence::Converged => None,
                    Convergence::Differs(what) => Some((*change, what)),
                })
                .collect(),
            Err(error) => written.iter().map(|change| (*change, error.to_string())).collect(),
        }
    }
}

/// The tags of policies that this run created: they rode on `CreatePolicy`, so what is there bears them.
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
        self.results.get(address).map(|result| result.outcome).or_else(|| self.earlier.get(address).copied())
    }

    /// Whether all of `addresses` that are `here`, in this round and account, have ended.
    fn has_all(&self, addresses: &BTreeSet<String>, here: &BTreeSet<&str>) -> bool {
        addresses.iter().all(|address| !here.contains(address.as_str()) || self.results.contains_key(address))
    }
}
