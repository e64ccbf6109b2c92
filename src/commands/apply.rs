//! `rolecall apply`: shows what will be done, asks, writes, reads back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use super::ledger::{self, Ledger, RunKind};
use super::saved::SavedPlan;
use super::signals::Signals;
use super::survey::Survey;
use super::{Console, Stop, notify, plan, planning, resume, rollback};
use crate::cli::{Format, RunArgs, ScopeArgs};
use crate::execute::{self, ChangeResult, Doers, Outcome, Patience, RunReport, Wave, Why};
use crate::exit::Exit;
use crate::plan::{self as planned, Change, Extras, Intent, Left, Plan, Reproduced, Status};
use crate::store::{Access, LeaseError, Store, StoreError};
use crate::{aws, report};
use report::run::Extent;

/// Accounts that are written to at once, unless `--parallelism` says otherwise.
const APPLY_AT_ONCE: usize = 16;

/// How many differences between a saved plan and one that is made now are shown.
const SHOWN: usize = 20;

/// Who says that a fresh plan may be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// The command line did: `--auto-approve`.
    Given,
    /// A person at the terminal is asked.
    Ask,
    /// No one may be asked: `--no-input`.
    Nobody,
}

impl Approval {
    /// Reads the two flags.
    fn new(args: &RunArgs) -> Self {
        match (args.auto_approve, args.no_input) {
            (true, _) => Self::Given,
            (false, true) => Self::Nobody,
            (false, false) => Self::Ask,
        }
    }
}

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

/// Whether a run continues where another one ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resume {
    /// It continues the last run: `--resume`.
    Last,
    /// It starts a new run.
    No,
}

/// Applies a plan, while no other run on the same state does.
pub async fn run(
    what: What<'_>,
    resume: Resume,
    args: &RunArgs,
    aws: aws::Settings,
    signals: &Signals,
    console: &Console,
) -> Result<Exit, Stop> {
    // On the heap, as what follows: the future of the command would hold all of them.
    let scope = match what {
        What::Saved(saved) => saved.scope(&args.scope)?,
        What::Desired | What::Destroy | What::Rollback(_) => args.scope.clone(),
    };
    let survey = Box::pin(Survey::new(&scope, aws.clone(), console));
    let mut survey = signals.unless_interrupted(survey).await?;
    (survey.settings.intent, survey.settings.extras) = match what {
        What::Desired | What::Saved(_) => (Intent::Converge, survey.settings.extras),
        What::Destroy => (Intent::Destroy, Extras::Remove),
        What::Rollback(_) => (Intent::Restore, Extras::Remove),
    };
    if matches!(what, What::Rollback(_)) {
        // What was found comes back, whatever is accepted now.
        survey.settings.accepts.clear();
    }
    let store = signals
        .unless_interrupted(Box::pin(ledger::open(
            &args.state,
            &survey,
            aws,
            Access::Write,
        )))
        .await?;
    Run {
        what,
        scope,
        resume,
        survey: &survey,
        store: &store,
        args,
        console,
        signals,
        id: run_id(),
    }
    .leased()
    .await
}

/// One run, from the lease to the report.
struct Run<'a> {
    what: What<'a>,
    /// What is planned.
    scope: ScopeArgs,
    resume: Resume,
    survey: &'a Survey,
    store: &'a Store,
    args: &'a RunArgs,
    console: &'a Console,
    signals: &'a Signals,
    id: String,
}

/// How a run ended.
struct Ended {
    exit: Exit,
    /// Whether a request may still be on its way to AWS.
    in_flight: bool,
}

/// What a run did.
struct Written {
    report: RunReport,
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

/// What a run writes.
struct Task {
    plan: Plan,
    /// The changes of a saved plan that are not written, and what is reported of them.
    left: Vec<ChangeResult>,
    /// Addresses that an earlier run finished.
    finished: BTreeSet<String>,
}

impl Task {
    /// The report of the whole saved plan, given that of what was written.
    fn whole(&self, written: RunReport) -> RunReport {
        let mut results = [written.results, self.left.clone()].concat();
        // As a plan has them: by account. Within one the order of what was written stays.
        results.sort_by(|one, other| account_of(one).cmp(account_of(other)));
        RunReport::new(written.run, results)
    }
}

fn account_of(result: &ChangeResult) -> &str {
    result.address.split('/').next().unwrap_or_default()
}

impl Run<'_> {
    async fn leased(&self) -> Result<Exit, Stop> {
        let halt = &self.signals.halt;
        let lease = ledger::lease(
            self.store,
            &self.args.lease,
            &self.id,
            self.survey,
            (halt, self.console),
        )
        .await;
        let lease = lease.map_err(|error| match error {
            LeaseError::Held { .. } => Stop::Ended {
                exit: Exit::Refused,
                message: format!("{error}; nothing was written"),
                hint: Some(
                    "wait for it with --lock-timeout, or see `rolecall state unlock`".to_owned(),
                ),
            },
            LeaseError::Halted => Stop::interrupted(),
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
            self.console
                .error(&format!("{error}; the lease expires by itself"));
        }
        outcome.map(|ended| ended.exit)
    }

    async fn prepared(&self) -> Result<Ended, Stop> {
        let prepared = tokio::select! {
            prepared = self.prepare() => prepared?,
            () = self.signals.halt.stopped() => return Err(self.halted_early()),
        };
        let task = match prepared {
            Prepared::Write(task) => *task,
            Prepared::End(exit) => {
                self.notify(&RunReport::new(self.id.clone(), Vec::new()), exit)
                    .await;
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
        self.report(
            &report,
            if exit == Exit::Done {
                Extent::Whole
            } else {
                Extent::Part
            },
        );
        self.notify(&report, exit).await;
        Ok(Ended { exit, in_flight })
    }

    /// Why a run ends that was halted before it wrote anything.
    fn halted_early(&self) -> Stop {
        match self.signals.halt.why() {
            None | Some(Why::Interrupted) => Stop::interrupted(),
            Some(why @ (Why::Lease | Why::Record(_))) => Stop::Ended {
                exit: Exit::Partial,
                message: format!("the run {why}; nothing was written"),
                hint: None,
            },
        }
    }

    async fn notify(&self, report: &RunReport, ending: Exit) {
        let Self {
            args,
            survey,
            console,
            ..
        } = self;
        let command = self.command();
        notify::post(
            &args.notify,
            (&command, ending),
            survey,
            |run| run.applied(report),
            console,
        )
        .await;
    }

    /// Plans, shows, and asks.
    async fn prepare(&self) -> Result<Prepared, Stop> {
        let Self {
            survey, console, ..
        } = self;
        let earlier = match self.resume {
            Resume::No => None,
            Resume::Last => Some(resume::last(self.store, &survey.expansion.desired.digest).await?),
        };
        let at_once = self.args.scope.parallelism.map(usize::from);
        let mut left = Vec::new();
        let plan = match self.what {
            What::Saved(saved) => {
                let finished = earlier.as_ref().map(|earlier| &earlier.finished);
                let (plan, not_written) = self.reproduced(saved, at_once, finished).await?;
                left = not_written;
                plan
            }
            What::Rollback(run) => rollback::plan(survey, self.store, run).await?,
            What::Desired | What::Destroy => {
                planning::plan(survey, at_once, Some(self.store), console).await?
            }
        };
        if let (Some(earlier), What::Desired) = (&earlier, self.what) {
            earlier.say(&plan, console);
        }
        if let Err(unseen) = self.show(&plan) {
            // Who was to approve it did not see it; who approved it beforehand did not want to.
            if !self.args.auto_approve {
                return Err(Stop::because(format!(
                    "the plan could not be shown: {}; nothing was written",
                    unseen.why()
                )));
            }
            console.warn(&format!("the plan could not be shown: {}", unseen.why()));
        }
        let reading = plan::reading(&plan);
        if let Some(refusal) = refusal(&plan, survey, self.what) {
            console.error(&refusal);
            if let What::Saved(saved) = self.what
                && let Some(hint) = saved.uncounted(&self.scope)
            {
                console.hint(&hint);
            }
            return Ok(Prepared::End(Exit::Refused));
        }
        if !left.is_empty() && !plan::has_changes(&plan) {
            let report = RunReport::new(self.id.clone(), left);
            self.report(&report, Extent::Part);
            return Ok(Prepared::End(ending(&report).and(reading)));
        }
        if reading == Exit::Error || !plan::has_changes(&plan) {
            if reading != Exit::Error {
                Ledger::note(self.store, &plan, &self.id).await?;
            }
            self.report(&RunReport::new(self.id.clone(), Vec::new()), Extent::Whole);
            return Ok(Prepared::End(reading));
        }
        if !matches!(self.what, What::Saved(_)) {
            approve(Approval::new(self.args), &plan, console).await?;
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
    ) -> Result<(Plan, Vec<ChangeResult>), Stop> {
        let claimed = saved.load(self.survey)?;
        let beside = planning::plan_beside(
            self.survey,
            at_once,
            Some(self.store),
            Some(&claimed),
            self.console,
        );
        let (fresh, standings) = beside.await?;
        let nothing = BTreeSet::new();
        let finished = finished.unwrap_or(&nothing);
        let organization = &self.survey.organization;
        match planned::reproduce(&claimed, fresh, &standings, finished, organization) {
            Ok(Reproduced { plan, left, notes }) => {
                for note in &notes {
                    self.console.warn(note);
                }
                let changes = claimed.accounts.iter().flat_map(|part| &part.changes);
                let left = changes
                    .filter_map(|change| Some(result_of(change, left.get(&change.address)?)));
                Ok((plan, left.collect()))
            }
            Err(differs) => {
                let hint = saved.uncounted(&self.scope);
                let more = differs.len().saturating_sub(SHOWN);
                let mut lines: Vec<String> = differs.into_iter().take(SHOWN).collect();
                if more > 0 {
                    lines.push(format!("… and {more} more"));
                }
                Err(Stop::refused(
                    format!(
                        "the saved plan differs from a plan made now; nothing was written\n  {}",
                        lines.join("\n  ")
                    ),
                    hint.unwrap_or_else(|| "create a new plan and have it reviewed".to_owned()),
                ))
            }
        }
    }

    /// Shows a plan that was not saved. Where the run report is JSON the plan goes to standard error, so that standard
    /// output is one object.
    fn show(&self, plan: &Plan) -> Result<(), Stop> {
        let Self { console, .. } = self;
        if matches!(self.what, What::Saved(_)) {
            return Ok(());
        }
        let waves = self.waves(plan);
        let (style, mut text) = match self.args.format {
            Format::Text => (&console.out, Vec::new()),
            Format::Json => (&console.err, Vec::new()),
        };
        report::human::plan(plan, style, &mut text)?;
        report::run::waves(&waves, style, &mut text)?;
        match self.args.format {
            Format::Text => {
                let mut out = console.data();
                out.write_all(&text)?;
                out.flush()?;
            }
            Format::Json => console.say(String::from_utf8_lossy(&text).trim_end()),
        }
        Ok(())
    }

    /// The waves of the rollout, over the accounts that were read.
    fn waves(&self, plan: &Plan) -> Vec<Wave> {
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

    /// Writes, for as long as nothing ends it.
    async fn write(&self, task: &Task) -> Result<Written, Stop> {
        let Self {
            survey, console, ..
        } = self;
        let Task { plan, finished, .. } = task;
        let command = self.command();
        let kind = match self.what {
            What::Rollback(_) => RunKind::RollsBack,
            What::Desired | What::Saved(_) | What::Destroy => RunKind::Converges,
        };
        let run = (command.as_str(), kind);
        let ledger = Box::pin(Ledger::begin(self.store, plan, survey, &self.id, run));
        let ledger = Arc::new(self.signals.unless_interrupted(ledger).await?);
        let rollout = survey.config.rollout();
        let parallelism = self
            .args
            .scope
            .parallelism
            .map(usize::from)
            .or(rollout.parallelism)
            .unwrap_or(APPLY_AT_ONCE);
        let settings = execute::Settings {
            run: self.id.clone(),
            partition: survey.settings.partition.clone(),
            parallelism,
            patience: Patience::default(),
            halt: self.signals.halt.clone(),
            waves: self.waves(plan),
            bake: rollout.bake.try_into().unwrap_or_default(),
            max_failures: rollout.budget(),
            finished: finished.clone(),
        };
        let progress = Arc::new(console.progress());
        progress.phase("Applying", Some(accounts_with_steps(plan) as u64));
        let on_event = {
            let progress = Arc::clone(&progress);
            Arc::new(move |event| progress.event(&event))
        };
        let doers = Doers {
            writer: Arc::new(survey.accounts.writing(self.signals.halt.clone())),
            reader: Arc::new(survey.accounts.reading()),
            journal: Arc::clone(&ledger),
        };
        let (broken, halt) = (ledger.broken(), self.signals.halt.clone());
        let watch = tokio::spawn(async move { halt.stop(Why::Record(broken.await.to_string())) });
        let hurry = async {
            self.signals.interrupted().await;
            console.say("interrupted: finishing the steps in progress; press Ctrl-C again to stop immediately");
            self.signals.steps_are_late().await;
        };
        let run = tokio::select! {
            run = execute::execute(plan, &survey.organization.accounts, doers, &settings, on_event) => Some(run),
            () = hurry => None,
        };
        progress.finish();
        let written = match run {
            Some(report) => {
                let report = task.whole(report);
                if let Err(error) = self.kept(ledger.finish(&report)).await {
                    self.signals.halt.stop(Why::Record(error));
                }
                Written {
                    report,
                    in_flight: false,
                }
            }
            None => self.given_up(task, &ledger).await,
        };
        watch.abort();
        Ok(written)
    }

    /// What is known of a run that does not end in the time there is.
    async fn given_up(&self, task: &Task, ledger: &Ledger) -> Written {
        let (report, in_flight) = ledger.given_up(&task.plan);
        let report = task.whole(report);
        for step in &in_flight {
            self.console
                .error(&format!("{step} got no response; it may have been done"));
        }
        self.console
            .error("interrupted: the run stopped before its end");
        self.console
            .hint("run apply again: it reads what was done and finishes the rest");
        // Why it is not is said where it fails.
        _ = self.kept(ledger.flush()).await;
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
            () = self.signals.record_is_late() => {
                let error = format!("the state `{}` does not respond", self.store.place());
                self.console.error(&format!("cannot record the end of the run: {error}"));
                Err(error)
            }
        }
    }

    fn command(&self) -> String {
        match self.what {
            What::Desired | What::Saved(_) => "apply".to_owned(),
            What::Destroy => "destroy".to_owned(),
            What::Rollback(run) => format!("rollback {run}"),
        }
    }

    /// How a run that was halted ends, once it is said why.
    fn halted(&self) -> Option<Exit> {
        let why = self.signals.halt.why()?;
        if *why == Why::Interrupted {
            return Some(Exit::Interrupted);
        }
        self.console.error(&format!("the run {why}"));
        self.console
            .hint("see what it did with `rolecall state history`, then apply again");
        Some(Exit::Partial)
    }

    /// Prints what the run did. A closed output does not change how the run ended.
    fn report(&self, run: &RunReport, extent: Extent) {
        if let Err(unread) = self.try_report(run, extent) {
            let id = &self.id;
            self.console.warn(&format!(
                "the report could not be written: {}",
                Stop::from(unread).why()
            ));
            if !run.results.is_empty() {
                self.console.hint(&format!(
                    "`rolecall state history {id}` shows what the run did"
                ));
            }
        }
    }

    fn try_report(&self, run: &RunReport, extent: Extent) -> io::Result<()> {
        let mut out = self.console.data();
        match self.args.format {
            Format::Text if run.results.is_empty() => {}
            Format::Text => report::run::run(run, extent, &self.console.out, &mut out)?,
            Format::Json => self.console.json(run)?,
        }
        out.flush()
    }
}

/// What is reported of a change of a saved plan that is not written.
fn result_of(change: &Change, left: &Left) -> ChangeResult {
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
fn refusal(plan: &Plan, survey: &Survey, what: What<'_>) -> Option<String> {
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

/// Asks the person at the terminal. Nothing but `yes` is yes.
async fn approve(approval: Approval, plan: &Plan, console: &Console) -> Result<(), Stop> {
    let refused = |message: &str| {
        Err(Stop::with_hint(
            message,
            "nothing was written; --auto-approve applies without asking",
        ))
    };
    match approval {
        Approval::Given => return Ok(()),
        Approval::Nobody => {
            return refused("apply needs approval, but --no-input disables the prompt");
        }
        Approval::Ask if !io::stdin().is_terminal() => {
            return refused("apply needs approval, but there is no terminal to ask on");
        }
        Approval::Ask => {}
    }
    let steps = plan.summary.steps;
    _ = write!(
        io::stderr(),
        "\nApply these {steps} steps? Type `yes` to apply: "
    );
    _ = io::stderr().flush();
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = answer.await.map_err(io::Error::other)??;
    if answer.trim() == "yes" {
        return Ok(());
    }
    console.say("");
    Err(Stop::because("not approved; nothing was written"))
}

/// The time, so that ids sort by it, and chance: runs of one moment on two machines are two.
fn run_id() -> String {
    let (_, chance, ..) = uuid::Uuid::new_v4().as_fields();
    format!(
        "{}-{chance:04x}",
        jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ")
    )
}

fn accounts_with_steps(plan: &Plan) -> usize {
    plan.accounts
        .iter()
        .filter(|part| part.changes.iter().any(|change| !change.steps.is_empty()))
        .count()
}

fn ending(run: &RunReport) -> Exit {
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
