//! Running a plan: accounts in parallel, the steps of a resource in order, then reading back.
//!
//! Execute never decides: every write and every order is in the plan. What it adds is safety at the moment of
//! writing. A resource that is no longer as the plan saw it is stale and left alone; the first failed step ends its
//! resource and whatever waits for it; and nothing is called done before it was read back as the plan expects it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AwsError, Budget, Partition};
use crate::plan::{Action, Change};
use crate::resource::step::Step;
use serde::{Deserialize, Serialize};

mod account;
mod halt;
mod lag;
mod run;
mod turn;
mod wanted;
mod waves;

pub use halt::{Deadline, Halt, Why};
pub use run::execute;
pub use wanted::wanted;
pub use waves::Wave;

/// Someone who can write. Not to write is not to be given one.
pub trait Writer: Send + Sync {
    /// Performs one step, once; throttling and broken connections are retried below.
    fn write(
        &self,
        account: &Account,
        step: &Step,
    ) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// Someone who keeps the record of a run.
pub trait Journal: Send + Sync {
    /// Keeps how the resources of `changes` were found, before the first of them is written. It is kept once this
    /// returns.
    fn found(
        &self,
        account: AccountId,
        changes: &[&Change],
        live: &LiveAccount,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Notes that the step of this number is about to be written or, with its answer, was.
    fn step(
        &self,
        address: &str,
        number: usize,
        step: &Step,
        answer: Option<Result<(), &AwsError>>,
    );

    /// Keeps what became of changes, and how their resources were seen last.
    fn ended(
        &self,
        account: AccountId,
        results: &[&ChangeResult],
        live: Option<&LiveAccount>,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Notes where the rollout stands.
    fn wave(&self, number: usize, wave: &Wave, event: WaveEvent);
}

/// Who does what a run asks for.
#[derive(Debug)]
pub struct Doers<W, R, J> {
    /// Writes to the accounts.
    pub writer: Arc<W>,
    /// Reads the accounts again, before and after writing.
    pub reader: Arc<R>,
    /// Keeps the record.
    pub journal: Arc<J>,
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
        Self {
            format: FORMAT.to_owned(),
            run,
            results,
            summary,
        }
    }
}

/// What happens during a run, for progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A wave of the rollout begins, waits or ends.
    Wave {
        /// Index of the wave, from 0.
        number: usize,
        /// How many there are.
        of: usize,
        /// What selects it.
        title: String,
        /// What happens.
        event: WaveEvent,
    },
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

/// What happens to a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaveEvent {
    /// Its accounts may be begun.
    Started,
    /// All that could be done is done, and is left alone for a while.
    Baking(Duration),
    /// It is over.
    Finished,
}

/// Why a budget is used up.
fn over_budget(failed: usize, allowed: usize) -> String {
    let accounts = if failed == 1 {
        "1 account".to_owned()
    } else {
        format!("{failed} accounts")
    };
    format!("{accounts} failed, and `max_failures` is {allowed}")
}

/// How a plan is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The run's id.
    pub run: String,
    /// The partition that its accounts are in.
    pub partition: Partition,
    /// Accounts at once.
    pub parallelism: usize,
    /// How long eventual consistency may take.
    pub patience: Patience,
    /// Ends the run before its end.
    pub halt: Halt,
    /// The waves, in order; none: everything at once.
    pub waves: Vec<Wave>,
    /// How long to wait after a wave before it is checked again and the next one begins.
    pub bake: Duration,
    /// Addresses that an earlier run of the same plan finished: where they are as the plan expects, they are done.
    pub finished: BTreeSet<String>,
    /// Past so many failed accounts no further one is started; `None`: however many fail.
    pub max_failures: Option<Budget>,
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
        Self {
            first: Duration::from_millis(250),
            longest: Duration::from_secs(8),
            total: Duration::from_mins(2),
        }
    }
}

impl Patience {
    /// No waiting at all.
    const NONE: Self = Self {
        first: Duration::ZERO,
        longest: Duration::ZERO,
        total: Duration::ZERO,
    };

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
