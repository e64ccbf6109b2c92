//! A saved plan is a claim, not an order: only what a plan made now confirms is written.
//!
//! A saved plan passes from the job that may read to the job that may write, so whoever can replace the file could
//! otherwise write IAM. Apply therefore plans again from the desired state and live IAM. A change that both plans hold in
//! the same words is applied, from the fresh plan. A change whose resource moved since is stale and left alone, and so is
//! one of an account that was suspended, closed or moved since. A change that a fresh plan does not make although nothing
//! moved cannot be explained by time: then nothing of the plan is applied.
//!
//! The same words are those about what the plan manages: what it leaves to others may have changed in between.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::coverage::Extent;
use super::fingerprint::{Sighting, sight};
use super::{AccountPlan, Attribute, AttributeDiff, Change, Plan, Status};
use crate::live::LiveAccount;
use crate::org::{Account, Organization};
use crate::resource::step::Step;

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
    /// What is to be said of accounts that are not as they were when the plan was made.
    pub notes: Vec<String>,
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
/// `standings` are those of the claimed changes; `finished` are the addresses that the run to be resumed finished;
/// `organization` is as it is now.
///
/// # Errors
/// What differs although nothing moved, a line each.
pub fn reproduce(
    claimed: &Plan,
    mut fresh: Plan,
    standings: &Standings,
    finished: &BTreeSet<String>,
    organization: &Organization,
) -> Result<Reproduced, Vec<String>> {
    let (mut kept, mut left, mut differs) = (BTreeSet::new(), BTreeMap::new(), Vec::new());
    let mut notes = Vec::new();
    for part in &claimed.accounts {
        let now = fresh.accounts.iter().find(|now| now.id == part.id);
        let account = organization.accounts.get(&part.id);
        let moved = moved(part, account);
        if part.status == Status::Read {
            notes.extend(moved.clone());
        }
        let prefix = format!("{}/", part.id);
        for change in part
            .changes
            .iter()
            .filter(|change| !change.steps.is_empty())
        {
            let address = &change.address;
            // Time does not give an account another name and place, nor a change another account.
            let is_it = address.starts_with(&prefix)
                && account.is_none_or(|account| account.name == part.name);
            let verdict = if is_it {
                judge(change, now, moved.as_ref(), standings, finished)
            } else {
                Verdict::Differs("its account is not the one that the plan names")
            };
            match verdict {
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
    notes.extend(new_accounts(claimed, &fresh));
    for part in &mut fresh.accounts {
        part.changes.retain(|change| kept.contains(&change.address));
    }
    fresh.recount();
    Ok(Reproduced {
        plan: fresh,
        left,
        notes,
    })
}

/// What became of an account since the plan was made; `None` where it is as it was.
fn moved(part: &AccountPlan, now: Option<&Account>) -> Option<String> {
    let account = format!("account {} ({})", part.name, part.id);
    let Some(now) = now else {
        return Some(format!(
            "{account} left the organization since the plan was made"
        ));
    };
    if part.status != Status::Skipped && !now.status.is_active() {
        let what = match now.status.0.as_str() {
            "SUSPENDED" => "was suspended".to_owned(),
            "CLOSED" | "PENDING_CLOSURE" => "was closed".to_owned(),
            status => format!("became {status}"),
        };
        return Some(format!("{account} {what} since the plan was made"));
    }
    let unit = |path: &str| {
        if path.is_empty() {
            "the root".to_owned()
        } else {
            format!("`{path}`")
        }
    };
    let here = now.ou.to_string();
    (part.ou != here).then(|| {
        format!(
            "{account} moved from {} to {} since the plan was made, or its unit was renamed",
            unit(&part.ou),
            unit(&here)
        )
    })
}

/// Says which accounts a fresh plan writes to and `claimed` does not know: nothing is written there.
fn new_accounts(claimed: &Plan, fresh: &Plan) -> Vec<String> {
    let known: BTreeSet<_> = claimed.accounts.iter().map(|part| part.id).collect();
    let new = fresh
        .accounts
        .iter()
        .filter(|part| !known.contains(&part.id));
    new.filter(|part| part.changes.iter().any(|change| !change.steps.is_empty()))
        .map(|part| {
            format!(
                "account {} ({}) is new since the plan was made, and nothing is written there; plan again",
                part.name, part.id
            )
        })
        .collect()
}

enum Verdict {
    Same,
    Left(Left),
    Differs(&'static str),
}

fn judge(
    change: &Change,
    now: Option<&AccountPlan>,
    moved: Option<&String>,
    standings: &Standings,
    finished: &BTreeSet<String>,
) -> Verdict {
    let stale = |why: String| Verdict::Left(Left::Stale(why));
    let Some(now) = now else {
        return match moved {
            Some(moved) => stale(format!("{moved}, and is no longer a target")),
            None => stale("this directory no longer targets its account".to_owned()),
        };
    };
    let reason = || {
        now.error
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    match now.status {
        Status::Unreadable => return Verdict::Left(Left::Unreadable(reason())),
        Status::Skipped => return stale(moved.cloned().unwrap_or_else(reason)),
        Status::Read => {}
    }
    let fresh = now
        .changes
        .iter()
        .find(|fresh| fresh.address == change.address);
    if fresh.is_some_and(|fresh| is_same(change, fresh)) {
        return Verdict::Same;
    }
    match (standings.get(&change.address), fresh, moved) {
        (Some(Sighting::AsExpected), ..) if finished.contains(&change.address) => {
            Verdict::Left(Left::Finished)
        }
        (_, None, Some(moved)) => stale(format!("{moved}, and is no longer a target of it")),
        (_, Some(_), Some(moved)) => stale(format!("{moved}, and the change differs there now")),
        (Some(Sighting::AsExpected | Sighting::Moved), ..) => {
            stale("changed since the plan was made; plan again".to_owned())
        }
        (_, Some(_), None) => Verdict::Differs("a plan made now would do something else"),
        (_, None, None) => Verdict::Differs("a plan made now does not change it"),
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
        rolled_back: _,
        accepted,
        fingerprint,
        expected,
        details,
        watch,
        after: _,
        finish_after: _,
        diffs,
        steps,
    } = claimed;
    (address, action, cosmetic, fingerprint)
        == (
            &fresh.address,
            &fresh.action,
            &fresh.cosmetic,
            &fresh.fingerprint,
        )
        && (expected, details, accepted, &watch.covers)
            == (
                &fresh.expected,
                &fresh.details,
                &fresh.accepted,
                &fresh.watch.covers,
            )
        && steps_of_ours(steps, &watch.covers.trust)
            == steps_of_ours(&fresh.steps, &watch.covers.trust)
        && ours(diffs, change_extent(claimed)) == ours(&fresh.diffs, change_extent(fresh))
}

/// How much of each attribute a change is about.
fn change_extent<'a>(change: &'a Change) -> impl Fn(Attribute) -> &'a Extent {
    let covers = &change.watch.covers;
    move |attribute| match attribute {
        Attribute::Trust => &covers.trust,
        Attribute::ManagedPolicies => &covers.managed_policies,
        Attribute::InlinePolicies => &covers.inline_policies,
        Attribute::Tags => &covers.tags,
        _ => &Extent::Whole,
    }
}

/// The differences without what is left to others, and without who moved.
fn ours<'a>(
    diffs: &[AttributeDiff],
    extent: impl Fn(Attribute) -> &'a Extent,
) -> Vec<AttributeDiff> {
    let one = |diff: &AttributeDiff| {
        let (before, after) = match extent(diff.attribute) {
            // The statements that differ are in the documents.
            Extent::Parts(_) if diff.attribute == Attribute::Trust => (Value::Null, Value::Null),
            Extent::Parts(_) => (
                without(&diff.before, &diff.after),
                without(&diff.after, &diff.before),
            ),
            Extent::Whole | Extent::Nothing => (diff.before.clone(), diff.after.clone()),
        };
        AttributeDiff {
            cause: None,
            before,
            after,
            ..diff.clone()
        }
    };
    diffs.iter().map(one).collect()
}

/// The items or members of `value` that `other` has not.
fn without(value: &Value, other: &Value) -> Value {
    match (value, other) {
        (Value::Array(items), Value::Array(others)) => items
            .iter()
            .filter(|item| !others.contains(item))
            .cloned()
            .collect(),
        (Value::Object(members), Value::Object(others)) => members
            .iter()
            .filter(|(key, value)| others.get(*key) != Some(*value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => value.clone(),
    }
}

/// The steps; where statements of others stay in a trust policy that is written, without its text: what changes in it
/// is among the differences.
fn steps_of_ours(steps: &[Step], trust: &Extent) -> Vec<Step> {
    let one = |step: &Step| match (step, trust) {
        (Step::UpdateAssumeRolePolicy { role, .. }, Extent::Parts(_)) => {
            Step::UpdateAssumeRolePolicy {
                role: role.clone(),
                document: String::new(),
            }
        }
        _ => step.clone(),
    };
    steps.iter().map(one).collect()
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
