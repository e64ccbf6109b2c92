//! A run: a plan is made, shown and approved while no other run on the same state can write, and then written.

use std::collections::BTreeSet;

use super::judgement::{What, ending, refusal, result_of};
use super::task::{Task, Written};
use crate::aws;
use crate::execute::{ChangeResult, RunReport, Wave, Why};
use crate::exit::Exit;
use crate::ops::plan::has_changes;
use crate::ops::record::Record;
use crate::ops::saved::SavedPlan;
use crate::ops::{
    Error, Interruption, LeaseOptions, Observer, Selection, Survey, plan, resume, rollback, state,
};
use crate::plan::{self as planned, Extras, Intent, Plan, Reproduced, Status};
use crate::report::run::Extent;
use crate::store::{Access, LeaseError, Store};

/// How many differences between a saved plan and one that is made now are shown.
const SHOWN: usize = 20;

/// Whether a run continues where another one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// It continues the last run.
    Last,
    /// It starts a new run.
    No,
}

/// What to apply, and how.
#[derive(Clone)]
pub struct Options<'a> {
    /// What is applied.
    pub what: What<'a>,
    /// Whether another run is continued.
    pub resume: Resume,
    /// Where.
    pub selection: Selection,
    /// Where the state is, if it is not beside the configuration.
    pub state: Option<String>,
    /// How other runs are kept away.
    pub lease: LeaseOptions,
}

/// What a run is called, and of which survey it is.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// `apply`, `destroy` or `rollback RUN`.
    pub command: &'a str,
    /// What the run knows.
    pub survey: &'a Survey,
}

/// Whoever a run is for. The lease is held while it is asked and told.
pub trait Operator {
    /// Shows a fresh plan and the waves it is rolled out in.
    ///
    /// # Errors
    /// It could not be shown, and so must not be applied.
    fn show(&self, plan: &Plan, waves: &[Wave]) -> Result<(), Error>;

    /// Approves a fresh plan.
    ///
    /// # Errors
    /// It is not approved.
    fn approve(&self, plan: &Plan) -> impl Future<Output = Result<(), Error>>;

    /// Reports what was done. That it could not be reported does not change how the run ended.
    fn report(&self, run: &RunReport, extent: Extent);

    /// Notifies others of how the run ended.
    fn notify(
        &self,
        context: &Context<'_>,
        run: &RunReport,
        exit: Exit,
    ) -> impl Future<Output = ()>;
}

/// Applies, while no other run on the same state does.
///
/// # Errors
/// It ended before anything was written.
pub async fn run<O: Operator>(
    options: &Options<'_>,
    aws: aws::Settings,
    interruption: &Interruption,
    operator: &O,
    observer: &dyn Observer,
) -> Result<Exit, Error> {
    // On the heap, as what follows: the future of the command would hold all of them.
    let selection = match options.what {
        What::Saved(saved) => saved.selection(&options.selection)?,
        What::Desired | What::Destroy | What::Rollback(_) => options.selection.clone(),
    };
    let survey = Box::pin(Survey::new(&selection, aws.clone(), observer));
    let mut survey = interruption.unless_requested(survey).await?;
    (survey.settings.intent, survey.settings.extras) = match options.what {
        What::Desired | What::Saved(_) => (Intent::Converge, survey.settings.extras),
        What::Destroy => (Intent::Destroy, Extras::Remove),
        What::Rollback(_) => (Intent::Restore, Extras::Remove),
    };
    if matches!(options.what, What::Rollback(_)) {
        // What was found comes back, whatever is accepted now.
        survey.settings.accepts.clear();
    }
    let location = options.state.as_deref();
    let opening = Box::pin(state::open(location, &survey, aws, Access::Write));
    let store = interruption.unless_requested(opening).await?;
    Run {
        command: command(options.what),
        options,
        selection,
        survey: &survey,
        store: &store,
        operator,
        observer,
        interruption,
        id: run_id(),
    }
    .leased()
    .await
}

fn command(what: What<'_>) -> String {
    match what {
        What::Desired | What::Saved(_) => "apply".to_owned(),
        What::Destroy => "destroy".to_owned(),
        What::Rollback(run) => format!("rollback {run}"),
    }
}

/// One run, from the lease to the report.
pub(super) struct Run<'a, O> {
    pub(super) command: String,
    pub(super) options: &'a Options<'a>,
    /// What is planned.
    pub(super) selection: Selection,
    pub(super) survey: &'a Survey,
    pub(super) store: &'a Store,
    pub(super) operator: &'a O,
    pub(super) observer: &'a dyn Observer,
    pub(super) interruption: &'a Interruption,
    pub(super) id: String,
}

/// How a run ended.
struct Ended {
    exit: Exit,
    /// Whether a request may still be on its way to AWS.
    in_flight: bool,
}

/// What a run is about to do.
enum Prepared {
    /// To write this.
    Write(Box<Task>),
    /// Nothing, and this is how it ends.
    End(Exit),
}

impl<O: Operator> Run<'_, O> {
    fn context(&self) -> Context<'_> {
        Context {
            command: &self.command,
            survey: self.survey,
        }
    }

    async fn leased(&self) -> Result<Exit, Error> {
        let halt = &self.interruption.halt;
        let lease = state::lease(
            self.store,
            self.options.lease,
            &self.id,
            self.survey,
            halt,
            self.observer,
        )
        .await;
        let lease = lease.map_err(|error| match error {
            LeaseError::Held { .. } => Error::Ended {
                exit: Exit::Refused,
                message: format!("{error}; nothing was written"),
                hint: Some(
                    "wait for it with --lock-timeout, or see `rolecall state unlock`".to_owned(),
                ),
            },
            LeaseError::Halted => Error::interrupted(),
            LeaseError::Store(error) => error.into(),
        })?;
        if let Some(deadline) = lease.deadline() {
            halt.bind(deadline);
        }
        let (lost, halt) = (lease.lost(), halt.clone());
        let watch = tokio::spawn(async move {
            lost.cancelled().await;
            halt.stop(Why::Lease);
        });
        let outcome = self.prepared().await;
        watch.abort();
        if outcome.as_ref().is_ok_and(|ended| ended.in_flight) {
            lease.leave();
        } else if let Err(error) = lease.release().await {
            self.observer
                .error(&format!("{error}; the lease expires by itself"));
        }
        outcome.map(|ended| ended.exit)
    }

    async fn prepared(&self) -> Result<Ended, Error> {
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared?,
            () = self.interruption.halt.stopped() => return Err(self.halted_early()),
        };
        let task = match prepared {
            Prepared::Write(task) => *task,
            Prepared::End(exit) => {
                let nothing = RunReport::new(self.id.clone(), Vec::new());
                self.operator.notify(&self.context(), &nothing, exit).await;
                return Ok(Ended {
                    exit,
                    in_flight: false,
                });
            }
        };
        let Written { report, in_flight } = self.write(&task).await?;
        let exit = self
            .halted()
            .unwrap_or_else(|| ending(&report))
            .and(plan::reading(&task.plan));
        self.operator.report(
            &report,
            if exit == Exit::Done {
                Extent::Whole
            } else {
                Extent::Part
            },
        );
        self.operator.notify(&self.context(), &report, exit).await;
        Ok(Ended { exit, in_flight })
    }

    /// Why a run ends that was halted before it wrote anything.
    fn halted_early(&self) -> Error {
        match self.interruption.halt.why() {
            None | Some(Why::Interrupted) => Error::interrupted(),
            Some(why @ (Why::Lease | Why::Record(_))) => Error::Ended {
                exit: Exit::Partial,
                message: format!("the run {why}; nothing was written"),
                hint: None,
            },
        }
    }

    /// Plans, shows, and asks.
    async fn prepare(&self) -> Result<Prepared, Error> {
        let Self {
            survey, observer, ..
        } = self;
        let earlier = match self.options.resume {
            Resume::No => None,
            Resume::Last => Some(resume::last(self.store, &survey.expansion.desired.digest).await?),
        };
        let at_once = self.selection.parallelism;
        let mut left = Vec::new();
        let plan = match self.options.what {
            What::Saved(saved) => {
                let finished = earlier.as_ref().map(|earlier| &earlier.finished);
                let (plan, not_written) = self.reproduced(saved, at_once, finished).await?;
                left = not_written;
                plan
            }
            What::Rollback(run) => rollback::plan(survey, self.store, run).await?,
            What::Desired | What::Destroy => {
                plan::plan(survey, at_once, Some(self.store), *observer).await?
            }
        };
        if let (Some(earlier), What::Desired) = (&earlier, self.options.what) {
            earlier.say(&plan, *observer);
        }
        if !matches!(self.options.what, What::Saved(_)) {
            self.operator.show(&plan, &self.waves(&plan))?;
        }
        let reading = plan::reading(&plan);
        if let Some(refusal) = refusal(&plan, survey, self.options.what) {
            observer.error(&refusal);
            if let What::Saved(saved) = self.options.what
                && let Some(hint) = saved.uncounted(&self.selection)
            {
                observer.hint(&hint);
            }
            return Ok(Prepared::End(Exit::Refused));
        }
        if !left.is_empty() && !has_changes(&plan) {
            let report = RunReport::new(self.id.clone(), left);
            self.operator.report(&report, Extent::Part);
            return Ok(Prepared::End(ending(&report).and(reading)));
        }
        if reading == Exit::Error || !has_changes(&plan) {
            if reading != Exit::Error {
                Record::note(self.store, &plan, &self.id).await?;
            }
            self.operator
                .report(&RunReport::new(self.id.clone(), Vec::new()), Extent::Whole);
            return Ok(Prepared::End(reading));
        }
        if !matches!(self.options.what, What::Saved(_)) {
            self.operator.approve(&plan).await?;
        }
        let finished = earlier.map(|earlier| earlier.finished).unwrap_or_default();
        Ok(Prepared::Write(Box::new(Task {
            plan,
            left,
            finished,
        })))
    }

    /// The saved plan, as far as a plan made now makes the same changes; and what is reported of the rest.
    async fn reproduced(
        &self,
        saved: &SavedPlan,
        at_once: Option<usize>,
        finished: Option<&BTreeSet<String>>,
    ) -> Result<(Plan, Vec<ChangeResult>), Error> {
        let claimed = saved.load(self.survey)?;
        let beside = plan::plan_beside(
            self.survey,
            at_once,
            Some(self.store),
            Some(&claimed),
            self.observer,
        );
        let (fresh, standings) = beside.await?;
        let nothing = BTreeSet::new();
        let finished = finished.unwrap_or(&nothing);
        let organization = &self.survey.organization;
        match planned::reproduce(&claimed, fresh, &standings, finished, organization) {
            Ok(Reproduced { plan, left, notes }) => {
                for note in &notes {
                    self.observer.warning(note);
                }
                let changes = claimed.accounts.iter().flat_map(|part| &part.changes);
                let left = changes
                    .filter_map(|change| Some(result_of(change, left.get(&change.address)?)));
                Ok((plan, left.collect()))
            }
            Err(differs) => {
                let hint = saved.uncounted(&self.selection);
                let more = differs.len().saturating_sub(SHOWN);
                let mut lines: Vec<String> = differs.into_iter().take(SHOWN).collect();
                if more > 0 {
                    lines.push(format!("… and {more} more"));
                }
                Err(Error::refused(
                    format!(
                        "the saved plan differs from a plan made now; nothing was written\n  {}",
                        lines.join("\n  ")
                    ),
                    hint.unwrap_or_else(|| "create a new plan and have it reviewed".to_owned()),
                ))
            }
        }
    }

    /// The waves of the rollout, over the accounts that were read.
    pub(super) fn waves(&self, plan: &Plan) -> Vec<Wave> {
        let read = plan
            .accounts
            .iter()
            .filter(|part| part.status == Status::Read)
            .map(|part| part.id)
            .collect();
        let waves = self
            .survey
            .config
            .rollout()
            .resolve(&read, &self.survey.organization);
        waves
            .into_iter()
            .map(|(title, accounts)| Wave { title, accounts })
            .collect()
    }

    /// How a run that was halted ends, once it is said why.
    fn halted(&self) -> Option<Exit> {
        let why = self.interruption.halt.why()?;
        if *why == Why::Interrupted {
            return Some(Exit::Interrupted);
        }
        self.observer.error(&format!("the run {why}"));
        self.observer
            .hint("see what it did with `rolecall state history`, then apply again");
        Some(Exit::Partial)
    }
}

/// The time, so that ids sort by it, and chance: runs of one moment on two machines are two.
fn run_id() -> String {
    let (_, chance, ..) = uuid::Uuid::new_v4().as_fields();
    format!(
        "{}-{chance:04x}",
        jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ")
    )
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn runs_in_a_row_are_told_apart_and_sort_by_time() {
        let ids: Vec<String> = (0..3)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(2));
                run_id()
            })
            .collect();
        assert!(
            ids.is_sorted() && ids[0] != ids[1] && ids[1] != ids[2],
            "{ids:?}"
        );
        assert_eq!(ids[0].len(), "20270102T030405.678Z-1a2b".len(), "{ids:?}");
    }
}
