//! Running a plan.

use std::future::Future;

use serde::{Deserialize, Serialize};

use crate::org::{Account, AccountId, AwsError};
use crate::plan::Action;
use crate::resource::step::Step;

/// The version of the run report's JSON.
pub const FORMAT: &str = "rolecall-run/1";

/// Somebody who can write. Not to write is not to be given one.
pub trait Writer: Sync {
    /// Performs one step, once; retries are the SDK's.
    fn write(&self, account: &Account, step: &Step) -> impl Future<Output = Result<(), AwsError>> + Send;
}

/// What became of every change of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`FORMAT`].
    pub format: String,
    /// The run's id, as the state records it.
    pub run: String,
    /// One for each change, in the plan's order.
    pub results: Vec<ChangeResult>,
    /// The counts.
    pub summary: RunSummary,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeResult {
    /// The change's address.
    pub address: String,
    /// What was planned.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed, is stale or was not reached.
    pub error: Option<String>,
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All steps were done and the resource was seen as desired.
    Done,
    /// A step failed, or the resource was not seen as desired in time.
    Failed,
    /// The resource changed since it was planned; nothing was written.
    Stale,
    /// The run ended before it.
    NotReached,
}

/// How many changes ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RunSummary {
    pub done: usize,
    pub failed: usize,
    pub stale: usize,
    pub not_reached: usize,
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
