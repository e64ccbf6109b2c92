//! Running a plan: accounts in parallel, the steps of a resource in order, then reading back.
//!
//! Execute never decides: every write and every order stands in the plan. What it adds is safety at the moment of
//! writing. A resource that is no longer as the plan saw it is stale and left alone; the first failed step ends its
//! resource and whatever waits for it; and nothing is called done before it was read back as the plan expects it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AwsError};
use crate::plan::{self, AccountPlan, Action, Change, Convergence, Plan, ResourceKind};
use crate::read::{Reader, Scope, Wanted};
use crate::resource::step::Step;

/// Somebody who can write. Not to write is not to be given one.
pub trait Writer: Send + Sync {
    /// Performs one step, once; throttling and broken connections are retried below.
    fn write(&self, account: &Account, step: &Step) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// The version of the run report's JSON.
pub const FORMAT: &str = "rolecall-run/1";

/// What a run did, change by change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`FORMAT`].
    pub format: String,
    /// The run's id.
    pub run: String,
    /// Every change of the plan that has steps, in the plan's order.
    pub results: Vec<ChangeResult>,
    /// The counts.
    pub summary: RunSummary,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeResult {
    /// The resource.
    pub address: String,
    /// What was to be done.
    pub action: Action,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it is not done.
    pub error: Option<String>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Written and read back.
    Done,
    /// A step failed, or the result was not seen in time.
    Failed,
    /// The resource changed after the plan was made; nothing was written.
    Stale,
    /// The run ended, or what it waits for failed, before its turn.
    NotReached,
}

/// The counts of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RunSummary {
    pub done: usize,
    pub failed: usize,
    pub stale: usize,
    pub not_reached: usize,
}

impl RunReport {
    /// Counts the results.
    pub fn new(run: String, results: Vec<ChangeResult>) -> Self {
        let mut summary = RunSummary::default();
        for result in &results {
            *match result.outcome {
                Outcome::Done => &mut summary.done,
                Outcome::Failed => &mut summary.failed,
                Outcome::Stale => &mut summary.stale,
                Outcome::NotReached => &mut summary.not_reached,
            } += 1;
        }
        Self { format: FORMAT.to_owned(), run, results, summary }
    }
}

/// What happens during a run, for progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An account's turn has come.
    AccountStarted {
        /// The account.
        account: AccountId,
        /// Its name.
        name: String,
    },
    /// A change has ended.
    ChangeFinished {
        /// The resource.
        address: String,
        /// What became of it.
        outcome: Outcome,
        /// Why it is not done.
        error: Option<String>,
    },
    /// All changes of an account have ended.
    AccountFinished {
        /// The account.
        account: AccountId,
        /// Its name.
        name: String,
        /// Changes done.
        done: usize,
        /// Changes not done, for whatever reason.
        not_done: usize,
    },
}

/// How a plan is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The run's id.
    pub run: String,
    /// Accounts at once.
    pub parallelism: usize,
    /// How long eventual consistency may take.
    pub patience: Patience,
    /// Told when the user wants the run to end: the step in hand is finished, nothing else is started.
    pub cancel: CancellationToken,
}

/// How long to wait for IAM to agree with itself.
///
/// IAM is eventually consistent: changes are usually seen within seconds, sometimes after more than half a minute.
/// Source: IAM User Guide, "Changes that I make are not always immediately visible".
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The first wait; each further one is twice as long.
    pub first: Duration,
    /// The longest single wait.
    pub longest: Duration,
    /// The end of all waiting for one thing.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(8), total: Duration::from_secs(120) }
    }
}

impl Patience {
    /// The waits, one after another, until [`total`](Self::total) is used up.
    fn waits(self) -> impl Iterator<Item = Duration> + Send {
        let mut next = self.first;
        let mut left = self.total;
        std::iter::from_fn(move || {
            if left.is_zero() {
                return None;
            }
            let wait = next.min(self.longest).min(left);
            next = next.saturating_mul(2);
            left -= wait;
            Some(wait)
        })
    }
}

/// Changes of one account that are written at once. IAM's rate limits are per account, and steps of one role never overlap.
const CHANGES_AT_ONCE: usize = 4;

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
    let shared = Arc::new(Shared { writer, reader, settings: settings.clone(), on_event, created: Mutex::default() });
    let work = plan.accounts.iter().filter(|part| part.changes.iter().any(|change| !change.steps.is_empty()));
    let runs = work.map(|part| {
        let (shared, part, account) = (Arc::clone(&shared), part.clone(), accounts.get(&part.id).cloned());
        async move {
            let fallback = part.clone();
            match tokio::spawn(async move { shared.run_account(&part, account).await }).await {
                Ok(results) => results,
                Err(broken) => all(&fallback, Outcome::Failed, &format!("internal error: {broken}")),
            }
        }
    });
    let results: Vec<Vec<ChangeResult>> = stream::iter(runs).buffered(settings.parallelism.max(1)).collect().await;
    RunReport::new(settings.run.clone(), results.into_iter().flatten().collect())
}

fn planned(part: &AccountPlan) -> impl Iterator<Item = &Change> + Clone {
    part.changes.iter().filter(|change| !change.steps.is_empty())
}

fn result(change: &Change, outcome: Outcome, error: Option<String>) -> ChangeResult {
    ChangeResult { address: change.address.clone(), action: change.action, outcome, error }
}

fn all(part: &AccountPlan, outcome: Outcome, error: &str) -> Vec<ChangeResult> {
    planned(part).map(|change| result(change, outcome, Some(error.to_owned()))).collect()
}

struct Shared<W, R> {
    writer: Arc<W>,
    reader: Arc<R>,
    settings: Settings,
    on_event: Arc<dyn Fn(Event) + Send + Sync>,
    /// ARNs of what this run created: only for these is "does not exist" a matter of waiting.
    created: Mutex<BTreeSet<String>>,
}

impl<W: Writer, R: Reader> Shared<W, R> {
    async fn run_account(&self, part: &AccountPlan, account: Option<Account>) -> Vec<ChangeResult> {
        let Some(account) = account else {
            return all(part, Outcome::Failed, "the account is no longer in the organization");
        };
        if self.settings.cancel.is_cancelled() {
            return all(part, Outcome::NotReached, "interrupted");
        }
        (self.on_event)(Event::AccountStarted { account: part.id, name: part.name.clone() });
        let results = match self.look(&account, planned(part)).await {
            Ok(live) => self.run_changes(part, &account, &live).await,
            Err(error) => all(part, Outcome::Failed, &error.to_string()),
        };
        for ChangeResult { address, action: _, outcome, error } in &results {
            (self.on_event)(Event::ChangeFinished {
                address: address.clone(),
                outcome: *outcome,
                error: error.clone(),
            });
        }
        let done = results.iter().filter(|result| result.outcome == Outcome::Done).count();
        let not_done = results.len() - done;
        (self.on_event)(Event::AccountFinished { account: part.id, name: part.name.clone(), done, not_done });
        results
    }

    /// Reads what `changes` touch, tags of policies included.
    async fn look<'a>(
        &self,
        account: &Account,
        changes: impl Iterator<Item = &'a Change> + Clone,
    ) -> Result<LiveAccount, AwsError> {
        let details = changes.clone().any(|change| change.details);
        let (mut roles, mut policies) = (BTreeSet::new(), BTreeSet::new());
        for change in changes {
            match change.resource() {
                Some(ResourceKind::Role(name)) => _ = roles.insert(name),
                Some(ResourceKind::Policy(name)) => _ = policies.insert(name),
                None => {}
            }
        }
        let wanted = Wanted { scope: Scope::Only { roles, policies: policies.clone() }, details };
        let mut live = self.reader.read(account, &wanted).await?;
        for name in policies {
            if let Some(policy) = live.policies.get_mut(&name.key()) {
                policy.tags = Some(self.reader.policy_tags(account, &policy.arn).await?);
            }
        }
        Ok(live)
    }

    async fn run_changes(&self, part: &AccountPlan, account: &Account, live: &LiveAccount) -> Vec<ChangeResult> {
        let stale = plan::recheck(part, live);
        let mut results: BTreeMap<&str, ChangeResult> = BTreeMap::new();
        let mut waiting: Vec<&Change> = Vec::new();
        for change in planned(part) {
            if stale.contains(&change.address) {
                let why = "changed since the plan was made; plan again";
                results.insert(&change.address, result(change, Outcome::Stale, Some(why.to_owned())));
            } else {
                waiting.push(change);
            }
        }
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < CHANGES_AT_ONCE
                && let Some(ready) = waiting.iter().position(|change| {
                    change.after.iter().all(|address| {
                        results.contains_key(address.as_str())
                            || !part.changes.iter().any(|c| c.address == *address && !c.steps.is_empty())
                    })
                })
            {
                let change = waiting.remove(ready);
                match self.blocked(change, &results) {
                    Some(blocked) => _ = results.insert(&change.address, blocked),
                    None => running.push(async move { (change, self.run_change(account, change).await) }),
                }
            }
            match running.next().await {
                Some((change, outcome)) => _ = results.insert(&change.address, outcome),
                None => break,
            }
        }
        for change in waiting {
            let why = "waits for a change that waits for it".to_owned();
            results.insert(&change.address, result(change, Outcome::NotReached, Some(why)));
        }
        drop(running);
        self.read_back(part, account, &mut results).await;
        planned(part).filter_map(|change| results.remove(change.address.as_str())).collect()
    }

    /// Why `change` is not started: the run was interrupted, or what it waits for is not done.
    fn blocked(&self, change: &Change, results: &BTreeMap<&str, ChangeResult>) -> Option<ChangeResult> {
        let why = if self.settings.cancel.is_cancelled() {
            "interrupted".to_owned()
        } else {
            let address = change
                .after
                .iter()
                .find(|address| results.get(address.as_str()).is_some_and(|result| result.outcome != Outcome::Done))?;
            format!("waits for {address}, which is not done")
        };
        Some(result(change, Outcome::NotReached, Some(why)))
    }

    async fn run_change(&self, account: &Account, change: &Change) -> ChangeResult {
        for (done, step) in change.steps.iter().enumerate() {
            if done > 0 && self.settings.cancel.is_cancelled() {
                let why = format!("interrupted after {done} of {} steps; apply again to finish", change.steps.len());
                return result(change, Outcome::Failed, Some(why));
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
                    self.remember(account, step);
                    return Ok(());
                }
                Err(error) => error,
            };
            let created = self.created.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match waits.next() {
                Some(wait) if is_lag(account, step, &error, &created, after_own_writes) => {
                    tracing::debug!(account = %account.id, error = %error, "waiting for IAM to see an earlier step");
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }

    fn remember(&self, account: &Account, step: &Step) {
        let arn = match step {
            Step::CreateRole { path, role, .. } => format!("{}:role{path}{role}", account.id),
            Step::CreatePolicy { path, name, .. } => format!("{}:policy{path}{name}", account.id),
            _ => return,
        };
        self.created.lock().unwrap_or_else(PoisonError::into_inner).insert(arn);
    }

    /// Reads what was written until it is as the plan expects, and marks as failed what never is.
    async fn read_back<'a>(
        &self,
        part: &'a AccountPlan,
        account: &Account,
        results: &mut BTreeMap<&'a str, ChangeResult>,
    ) {
        let mut open: Vec<&Change> = planned(part)
            .filter(|change| results.get(change.address.as_str()).is_some_and(|r| r.outcome == Outcome::Done))
            .collect();
        let mut waits = self.settings.patience.waits();
        let mut equal = 0;
        while !open.is_empty() {
            let differs: BTreeMap<&str, String> = match self.look(account, open.iter().copied()).await {
                Ok(live) => open
                    .iter()
                    .filter_map(|change| match plan::converged(change, &live) {
                        Convergence::Converged => None,
                        Convergence::Differs(what) => Some((change.address.as_str(), what)),
                    })
                    .collect(),
                Err(error) => open.iter().map(|change| (change.address.as_str(), error.to_string())).collect(),
            };
            if differs.is_empty() {
                equal += 1;
                if equal == EQUAL_READS {
                    return;
                }
                continue;
            }
            equal = 0;
            let Some(wait) = waits.next() else {
                open.retain(|change| differs.contains_key(change.address.as_str()));
                for change in open {
                    let why = differs.get(change.address.as_str()).map_or("", String::as_str);
                    let why = format!("written, but not seen when read back: {why}");
                    results.insert(&change.address, result(change, Outcome::Failed, Some(why)));
                }
                return;
            };
            tokio::time::sleep(wait).await;
        }
    }
}

/// Whether AWS refuses only because it does not see yet what this run itself did.
///
/// Anything else, a typing error in a principal above all, fails at once.
fn is_lag(
    account: &Account,
    step: &Step,
    error: &AwsError,
    created: &BTreeSet<String>,
    after_own_writes: bool,
) -> bool {
    let created_here = |kind: &str, name: &str| {
        created.iter().any(|arn| {
            arn.strip_prefix(account.id.as_str())
                .and_then(|rest| rest.strip_prefix(kind))
                .is_some_and(|rest| rest.rsplit('/').next().is_some_and(|last| last == name))
        })
    };
    match error.code.as_deref() {
        Some("NoSuchEntity") => match step {
            Step::AttachRolePolicy { role, arn } => {
                created_here(":role", role.as_str()) || created_here(":policy", arn.name())
            }
            Step::PutRolePermissionsBoundary { role, arn } => {
                created_here(":role", role.as_str()) || created_here(":policy", arn.name())
            }
            Step::CreateRole { permissions_boundary: Some(arn), .. } => created_here(":policy", arn.name()),
            Step::PutRolePolicy { role, .. }
            | Step::TagRole { role, .. }
            | Step::UpdateRole { role, .. }
            | Step::UpdateAssumeRolePolicy { role, .. } => created_here(":role", role.as_str()),
            _ => false,
        },
        Some("MalformedPolicyDocument") => {
            error.message.contains("Invalid principal")
                && created.iter().any(|arn| error.message.contains(arn.as_str()))
        }
        // What stood in the way was detached a moment ago.
        Some("DeleteConflict") => {
            after_own_writes && matches!(step, Step::DeleteRole { .. } | Step::DeletePolicy { .. })
        }
        _ => false,
    }
}
