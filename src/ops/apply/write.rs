//! Writing an approved plan, until it is done, halted or given up.

use std::sync::Arc;

use super::judgement::What;
use super::run::{Operator, Run};
use super::task::{Task, Written};
use crate::execute::{self, Doers, Patience, Why};
use crate::ops::Error;
use crate::ops::record::{Record, RunKind};
use crate::plan::Plan;
use crate::store::StoreError;

/// Accounts that are written to at once, unless the options or the configuration say otherwise.
const APPLY_AT_ONCE: usize = 16;

impl<O: Operator> Run<'_, O> {
    /// Writes, for as long as nothing ends it.
    pub(super) async fn write(&self, task: &Task) -> Result<Written, Error> {
        let Self {
            survey, observer, ..
        } = self;
        let Task { plan, finished, .. } = task;
        let kind = match self.options.what {
            What::Rollback(_) => RunKind::RollsBack,
            What::Desired | What::Saved(_) | What::Destroy => RunKind::Converges,
        };
        let run = (self.command.as_str(), kind);
        let record = Box::pin(Record::begin(self.store, plan, survey, &self.id, run));
        let record = Arc::new(self.interruption.unless_requested(record).await?);
        let rollout = survey.config.rollout();
        let parallelism = self
            .selection
            .parallelism
            .or(rollout.parallelism)
            .unwrap_or(APPLY_AT_ONCE);
        let settings = execute::Settings {
            run: self.id.clone(),
            partition: survey.settings.partition.clone(),
            parallelism,
            patience: Patience::default(),
            halt: self.interruption.halt.clone(),
            waves: self.waves(plan),
            bake: rollout.bake.try_into().unwrap_or_default(),
            max_failures: rollout.budget(),
            finished: finished.clone(),
        };
        let phase = observer.phase("Applying", Some(accounts_with_steps(plan) as u64));
        let on_event = {
            let phase = Arc::clone(&phase);
            Arc::new(move |event| phase.event(&event))
        };
        let doers = Doers {
            writer: Arc::new(survey.accounts.writing(self.interruption.halt.clone())),
            reader: Arc::new(survey.accounts.reading()),
            journal: Arc::clone(&record),
        };
        let (broken, halt) = (record.broken(), self.interruption.halt.clone());
        let watch = tokio::spawn(async move { halt.stop(Why::Record(broken.await.to_string())) });
        let hurry = async {
            self.interruption.requested().await;
            observer.note("interrupted: finishing the steps in progress; press Ctrl-C again to stop immediately");
            self.interruption.steps_are_late().await;
        };
        let run = tokio::select! {
            run = execute::execute(plan, &survey.organization.accounts, doers, &settings, on_event) => Some(run),
            () = hurry => None,
        };
        phase.finish();
        let written = match run {
            Some(report) => {
                let report = task.whole(report);
                if let Err(error) = self.kept(record.finish(&report)).await {
                    self.interruption.halt.stop(Why::Record(error));
                }
                Written {
                    report,
                    in_flight: false,
                }
            }
            None => self.given_up(task, &record).await,
        };
        watch.abort();
        Ok(written)
    }

    /// What is known of a run that does not end in the time there is.
    async fn given_up(&self, task: &Task, record: &Record) -> Written {
        let (report, in_flight) = record.given_up(&task.plan);
        let report = task.whole(report);
        for step in &in_flight {
            self.observer
                .error(&format!("{step} got no response; it may have been done"));
        }
        self.observer
            .error("interrupted: the run stopped before its end");
        self.observer
            .hint("run apply again: it reads what was done and finishes the rest");
        // Why it is not is said where it fails.
        _ = self.kept(record.flush()).await;
        Written {
            report,
            in_flight: true,
        }
    }

    /// Waits until something is recorded, for as long as there is time after a signal.
    async fn kept(
        &self,
        record: impl Future<Output = Result<(), StoreError>>,
    ) -> Result<(), String> {
        tokio::select! {
            kept = record => kept.map_err(|error| error.to_string()),
            () = self.interruption.record_is_late() => {
                let error = format!("the state `{}` does not respond", self.store.place());
                self.observer.error(&format!("cannot record the end of the run: {error}"));
                Err(error)
            }
        }
    }
}

fn accounts_with_steps(plan: &Plan) -> usize {
    plan.accounts
        .iter()
        .filter(|part| part.changes.iter().any(|change| !change.steps.is_empty()))
        .count()
}
