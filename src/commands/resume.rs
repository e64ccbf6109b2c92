//! `--resume`: what the run before this one finished.

use std::collections::BTreeSet;

use super::{Console, Stop};
use crate::execute::Outcome;
use crate::plan::Plan;
use crate::report::style::count;
use crate::store::{Entry, Store};

/// What is known of a run that did not come to its end.
#[derive(Debug)]
pub struct Earlier {
    run: String,
    /// Addresses whose changes it finished.
    pub finished: BTreeSet<String>,
    /// How many changes it had begun to look at.
    begun: usize,
}

/// The last run, which must be an apply of the desired state as it is now that was cut off or left something undone.
pub async fn last(store: &Store, digest: &str) -> Result<Earlier, Stop> {
    let Some(last) = store.last_run().await? else {
        return Err(Stop::because(format!("there is no run to resume: nothing is recorded in `{}`", store.place())));
    };
    let run = last.header.run.clone();
    if last.ended().is_some_and(|summary| summary.failed + summary.not_reached + summary.stale == 0) {
        return Err(Stop::with_hint(
            format!("there is no run to resume: the last one, {run}, did all it set out to do"),
            "apply without --resume",
        ));
    }
    if last.header.command != "apply" {
        return Err(Stop::with_hint(
            format!("there is no run to resume: the last one, {run}, was a {}", last.header.command),
            "apply without --resume",
        ));
    }
    if last.header.desired_digest != digest {
        return Err(Stop::with_hint(
            format!("run {run} cannot be resumed: the desired state or its variables have changed since"),
            "apply without --resume: what it finished is seen as it is",
        ));
    }
    let mut finished = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for logged in last.entries {
        match logged.entry {
            Entry::ChangeStarted { address, .. } => _ = begun.insert(address),
            Entry::ChangeFinished { address, outcome: Outcome::Done, .. } => _ = finished.insert(address),
            _ => {}
        }
    }
    Ok(Earlier { run, finished, begun: begun.len() })
}

impl Earlier {
    /// Says what still holds of it, going by a fresh plan.
    pub fn say(&self, plan: &Plan, console: &Console) {
        let planned: BTreeSet<&String> = plan
            .accounts
            .iter()
            .flat_map(|part| &part.changes)
            .filter(|change| !change.cosmetic)
            .map(|change| &change.address)
            .collect();
        let (moved, holds): (Vec<&String>, Vec<&String>) =
            self.finished.iter().partition(|address| planned.contains(address));
        let begun = count(self.begun, "change");
        console.say(&format!(
            "Resuming run {}: of {begun} that it began, {} are done and still hold",
            self.run,
            holds.len()
        ));
        for address in moved {
            console.say(&format!("  {address} was done and does not hold any more: it is planned again"));
        }
    }
}
