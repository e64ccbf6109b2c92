//! A saved plan is a claim, not an order: only what a plan made now confirms is written.
//!
//! A saved plan passes from the job that may read to the job that may write, so whoever can replace the file could
//! otherwise write IAM. Apply therefore plans again from the desired state and live IAM. A change that both plans hold in
//! the same words is applied, from the fresh plan. A change whose resource moved since is stale and left alone. A change
//! that a fresh plan does not make although nothing moved cannot be explained by time: then nothing of the plan is
//! applied.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fingerprint::{Sighting, sight};
use super::{AccountPlan, AttributeDiff, Change, Plan, Status};
use crate::live::LiveAccount;

/// What a plan was narrowed to when it was made, and whether it prunes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The selectors of `--account`; none: every account.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The globs of `--role`; none: every role.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whether what is managed and no longer desired is deleted.
    #[serde(default)]
    pub prune: bool,
}

impl Scope {
    /// Whether it is everything, without pruning.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Why a change of a saved plan is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Its resource changed since the plan was made, with the reason.
    Stale(String),
    /// Its account cannot be read now, with the reason.
    Unreadable(String),
    /// An earlier run finished it.
    Finished,
    /// It waits for a change that is not written.
    Waits(String),
}

/// A saved plan that can be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Reproduced {
    /// What is written: changes of the fresh plan.
    pub plan: Plan,
    /// What is not, by address.
    pub left: BTreeMap<String, Left>,
}

/// How the resources of a saved plan's changes were found, by address.
pub type Standings = BTreeMap<String, Sighting>;

/// How the resources of an account's claimed changes are found in `live`.
pub fn standings<'a>(
    claimed: impl IntoIterator<Item = &'a Change>,
    live: &LiveAccount,
) -> Standings {
    claimed
        .into_iter()
        .map(|change| (change.address.clone(), sight(change, live)))
        .collect()
}

/// Holds `claimed`, a saved plan, against `fresh`, the plan that the same desired state makes now.
///
/// `standings` are those of the claimed changes; `finished` are the addresses that the run to be resumed finished.
///
/// # Errors
/// What differs although nothing moved, a line each.
pub fn reproduce(
    claimed: &Plan,
    mut fresh: Plan,
    standings: &Standings,
    finished: &BTreeSet<String>,
) -> Result<Reproduced, Vec<String>> {
    let (mut kept, mut left, mut differs) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
    for part in &claimed.accounts {
        let now = fresh.accounts.iter().find(|now| now.id == part.id);
        for change in part
            .changes
            .iter()
            .filter(|change| !change.steps.is_empty())
        {
            let address = &change.address;
            match judge(change, now, standings, finished) {
                Verdict::Same => _ = kept.insert(address.clone()),
                Verdict::Left(why) => _ = left.insert(address.clone(), why),
                Verdict::Differs(how) => differs.push(format!("{address}: {how}")),
            }
        }
    }
    if !differs.is_empty() {
        return Err(differs);
    }
    for (address, on) in waiting(&fresh, &mut kept) {
        left.insert(address, Left::Waits(on));
    }
    for part in &mut fresh.accounts {
        part.changes.retain(|change| kept.contains(&change.address));
    }
    fresh.recount();
    Ok(Reproduced { plan: fresh, left })
}

enum Verdict {
    Same,
    Left(Left),
    Differs(&'static str),
}

fn judge(
    change: &Change,
    now: Option<&AccountPlan>,
    standings: &Standings,
    finished: &BTreeSet<String>,
) -> Verdict {
    let Some(now) = now else {
        return Verdict::Differs("this directory no longer targets its account");
    };
    let reason = || {
        now.error
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    match now.status {
        Status::Unreadable => return Verdict::Left(Left::Unreadable(reason())),
        Status::Skipped => return Verdict::Left(Left::Stale(reason())),
        Status::Read => {}
    }
    let fresh = now
        .changes
        .iter()
        .find(|fresh| fresh.address == change.address);
    if fresh.is_some_and(|fresh| is_same(change, fresh)) {
        return Verdict::Same;
    }
    let stale = || {
        Verdict::Left(Left::Stale(
            "changed since the plan was made; plan again".to_owned(),
        ))
    };
    match (standings.get(&change.address), fresh) {
        (Some(Sighting::AsExpected), _) if finished.contains(&change.address) => {
            Verdict::Left(Left::Finished)
        }
        (Some(Sighting::AsExpected | Sighting::Moved), _) => stale(),
        (_, Some(_)) => Verdict::Differs("a plan made now would do something else"),
        (_, None) => Verdict::Differs("a plan made now does not change it"),
    }
}

/// Whether two plans make the same change. Who moved and what comes first may differ: another run may have done a part.
fn is_same(claimed: &Change, fresh: &Change) -> bool {
    let Change {
        address,
        action,
        reason: _,
        cosmetic,
        cause: _,
        fingerprint,
        expected,
        details,
        after: _,
        finish_after: _,
        diffs,
        steps,
    } = claimed;
    let shown = |diffs: &[AttributeDiff]| -> Vec<AttributeDiff> {
        diffs
            .iter()
            .map(|diff| AttributeDiff {
                cause: None,
                ..diff.clone()
            })
            .collect()
    };
    (address, action, cosmetic, fingerprint)
        == (
            &fresh.address,
            &fresh.action,
            &fresh.cosmetic,
            &fresh.fingerprint,
        )
        && (expected, details, steps) == (&fresh.expected, &fresh.details, &fresh.steps)
        && shown(diffs) == shown(&fresh.diffs)
}

/// Takes out of `kept` what waits, directly or not, for a change of `fresh` that is not kept; with what it waits for.
fn waiting(fresh: &Plan, kept: &mut BTreeSet<String>) -> Vec<(String, String)> {
    let changes: Vec<&Change> = fresh
        .accounts
        .iter()
        .flat_map(|part| &part.changes)
        .collect();
    let writes: BTreeSet<&String> = changes
        .iter()
        .filter(|change| !change.steps.is_empty())
        .map(|change| &change.address)
        .collect();
    let mut waiting = Vec::new();
    loop {
        let next = changes
            .iter()
            .filter(|change| kept.contains(&change.address))
            .find_map(|change| {
                let mut needed = change.after.iter().chain(&change.finish_after);
                let missing =
                    needed.find(|needed| writes.contains(needed) && !kept.contains(*needed))?;
                Some((change.address.clone(), missing.clone()))
            });
        let Some((address, on)) = next else {
            return waiting;
        };
        kept.remove(&address);
        waiting.push((address, on));
    }
}
