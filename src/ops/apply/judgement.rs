//! What speaks against a plan, what is said of changes that are not written, and how a run ended.

use std::collections::BTreeMap;

use crate::execute::{ChangeResult, Outcome, RunReport};
use crate::exit::Exit;
use crate::ops::Survey;
use crate::ops::saved::SavedPlan;
use crate::plan::{Change, Left, Plan};

/// What is applied.
#[derive(Clone, Copy)]
pub enum What<'a> {
    /// A fresh plan of the desired state.
    Desired,
    /// What a saved plan and a plan made now agree on.
    Saved(&'a SavedPlan),
    /// The deletion of everything this directory manages.
    Destroy,
    /// The way back to what this run found.
    Rollback(&'a str),
}

/// What is reported of a change of a saved plan that is not written.
pub(super) fn result_of(change: &Change, left: &Left) -> ChangeResult {
    let (outcome, error) = match left {
        Left::Stale(why) => (Outcome::Stale, Some(why.clone())),
        Left::Unreadable(why) => (Outcome::Failed, Some(why.clone())),
        Left::Finished => (Outcome::Done, None),
        Left::Waits(on) => (
            Outcome::NotReached,
            Some(format!("depends on {on}, which is not done")),
        ),
    };
    ChangeResult {
        address: change.address.clone(),
        action: change.action,
        outcome,
        error,
    }
}

/// Says what speaks against the plan. A fresh plan has shown each finding already, so there the codes are enough.
pub(super) fn refusal(plan: &Plan, survey: &Survey, what: What<'_>) -> Option<String> {
    let stops = plan.stops(&survey.settings.allow);
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for stop in &stops {
        *codes.entry(&stop.code).or_default() += 1;
    }
    let codes: Vec<String> = codes
        .iter()
        .map(|(code, n)| format!("{code} ({n})"))
        .collect();
    let mut text = format!(
        "the plan is refused; nothing was written: {}",
        codes.join(", ")
    );
    if matches!(what, What::Saved(_)) {
        for stop in &stops {
            text += "\n  ";
            text += &stop.code;
            text += ": ";
            text += &stop.message;
        }
    }
    (!stops.is_empty()).then_some(text)
}

pub(super) fn ending(run: &RunReport) -> Exit {
    let summary = run.summary;
    if summary.failed > 0 || summary.not_reached > 0 && summary.stale == 0 {
        Exit::Partial
    } else if summary.stale > 0 {
        if summary.done > 0 {
            Exit::Partial
        } else {
            Exit::Refused
        }
    } else {
        Exit::Done
    }
}
