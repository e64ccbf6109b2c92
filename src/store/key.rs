//! The names of the objects of a state.

use jiff::{SignedDuration, Timestamp};

use crate::org::AccountId;

/// The shell state it is.
pub(super) const IDENTITY: &str = "state.json";

/// Who may write to it.
pub(super) const LEASE: &str = "lease.json";

/// The accounts.
pub(super) const ACCOUNTS: &str = "accounts/";

/// The runs.
pub(super) const RUNS: &str = "runs/";

/// The record of an account.
pub(super) fn account(account: AccountId) -> String {
    format!("{ACCOUNTS}{account}.json")
}

/// The account whose record has this name.
pub(super) fn account_of(name: &str) -> Option<AccountId> {
    AccountId::parse(name.strip_suffix(".json")?).ok()
}

/// The log of a run.
pub(super) fn log(run: &str) -> String {
    format!("{RUNS}{run}")
}

/// The run whose file or directory of segments has this name.
pub(super) fn run_of(name: &str) -> Option<&str> {
    name.strip_suffix(".jsonl")
        .or_else(|| name.strip_suffix('/'))
}

/// What the id of every run sorts after that began less than so many days before `now`.
pub(super) fn run_at(now: Timestamp, days: i64) -> String {
    let time = now
        .checked_sub(SignedDuration::from_hours(24 * days))
        .unwrap_or(Timestamp::MIN);
    time.strftime("%Y%m%dT").to_string()
}
