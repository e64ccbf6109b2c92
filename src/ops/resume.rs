//! `--resume`: what the run before this one finished.

use std::collections::BTreeSet;

use super::{Error, Observer};
use crate::execute::Outcome;
use crate::plan::Plan;
use crate::report::style::count;
use crate::store::{Entry, RunOutline, Store};

/// What is known of a run that did not come to its end.
#[derive(Debug)]
pub struct Earlier {
    run: String,
    /// Addresses whose changes it finished.
    pub finished: BTreeSet<String>,
    /// Addresses whose changes it began.
    begun: BTreeSet<String>,
}

/// The last run, which must be an apply of the desired state as it is now that was cut off or left something undone.
pub async fn last(store: &Store, digest: &str) -> Result<Earlier, Error> {
    let Some(last) = store.last_run().await? else {
        return Err(Error::because(format!(
            "there is no run to resume: nothing is recorded in `{}`",
            store.place()
        )));
    };
    let run = last.header.run.clone();
    if last
        .ended()
        .is_some_and(|summary| summary.failed + summary.not_reached + summary.stale == 0)
    {
        return Err(Error::with_hint(
            format!("there is no run to resume: the last one, {run}, was completed"),
            "apply without --resume",
        ));
    }
    if last.header.command != "apply" {
        return Err(Error::with_hint(
            format!(
                "there is no run to resume: the last one, {run}, was a {}",
                last.header.command
            ),
            "apply without --resume",
        ));
    }
    if last.header.desired_digest != digest {
        return Err(Error::with_hint(
            format!(
                "run {run} cannot be resumed: the desired state or its variables have changed since"
            ),
            "apply without --resume: a new plan sees what that run finished",
        ));
    }
    let mut finished = BTreeSet::new();
    let mut begun = BTreeSet::new();
    for logged in last.entries {
        match logged.entry {
            Entry::ChangeStarted { address, .. } => _ = begun.insert(address),
            Entry::ChangeFinished {
                address,
                outcome: Outcome::Done,
                ..
            } => _ = finished.insert(address),
            _ => {}
        }
    }
    Ok(Earlier {
        run,
        finished,
        begun,
    })
}

/// Unfinished runs that are looked at, the newest first: who is cut off more often in a row has another problem.
const RUNS: usize = 20;

/// What the runs of `command` since the last one that came to its end began and did not finish, as long as they were of
/// this desired state.
pub async fn begun(store: &Store, command: &str, digest: &str) -> Result<BTreeSet<String>, Error> {
    let (mut begun, mut finished) = (BTreeSet::new(), BTreeSet::new());
    for outline in store.runs(RUNS).await?.outlines {
        let RunOutline {
            header,
            finished: ended,
        } = outline;
        let whole =
            ended.is_some_and(|summary| summary.failed + summary.not_reached + summary.stale == 0);
        if whole || header.command != command || header.desired_digest != digest {
            break;
        }
        let mut here = BTreeSet::new();
        for logged in store.run(&header.run).await?.entries {
            match logged.entry {
                Entry::ChangeStarted { address, .. } => _ = here.insert(address),
                Entry::ChangeFinished {
                    address,
                    outcome: Outcome::Done,
                    ..
                } => {
                    here.remove(&address);
                    finished.insert(address);
                }
                _ => {}
            }
        }
        // What a later run finished is finished.
        begun.extend(here.difference(&finished).cloned());
    }
    Ok(begun)
}

/// Every address that a run on record began to write, whatever became of it. For a state without records of what was
/// converged, where runs are few.
pub async fn ever_begun(store: &Store) -> Result<BTreeSet<String>, Error> {
    let mut begun = BTreeSet::new();
    for outline in store.runs(RUNS).await?.outlines {
        let entries = store.run(&outline.header.run).await?.entries;
        begun.extend(entries.into_iter().filter_map(|logged| match logged.entry {
            Entry::ChangeStarted { address, .. } => Some(address),
            _ => None,
        }));
    }
    Ok(begun)
}

impl Earlier {
    /// Says what still holds of it, going by a fresh plan.
    pub fn say(&self, plan: &Plan, observer: &dyn Observer) {
        let planned: BTreeSet<&String> = plan
            .accounts
            .iter()
            .flat_map(|part| &part.changes)
            .filter(|change| !change.cosmetic)
            .map(|change| &change.address)
            .collect();
        // What was written whole before the run was cut off is done, whether or not that was recorded.
        let holds = self
            .begun
            .iter()
            .filter(|address| !planned.contains(address))
            .count();
        let begun = count(self.begun.len(), "change");
        observer.note(&format!(
            "Resuming run {}: of the {begun} it started, {holds} are done and still in place",
            self.run
        ));
        for address in self
            .finished
            .iter()
            .filter(|address| planned.contains(address))
        {
            observer.note(&format!(
                "  {address} was done but is no longer in place: it is planned again"
            ));
        }
    }
}
