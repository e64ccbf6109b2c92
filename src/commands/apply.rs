//! `rolecall apply`: shows what will be done, asks, writes, reads back.

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::survey::Survey;
use super::{Console, Stop, plan, planning};
use crate::aws;
use crate::cli::{Format, ScopeArgs};
use crate::execute::{self, Patience, RunReport};
use crate::exit::Exit;
use crate::plan::{self as planned, Plan};
use crate::report;

/// Accounts that are written to at once, unless `--parallelism` says otherwise.
const APPLY_AT_ONCE: usize = 16;

/// Who says that a fresh plan may be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// The command line did: `--auto-approve`.
    Given,
    /// A person at the terminal is asked.
    Ask,
    /// Nobody may be asked: `--no-input`.
    Nobody,
}

impl Approval {
    /// Reads the two flags.
    pub fn new(auto_approve: bool, no_input: bool) -> Self {
        match (auto_approve, no_input) {
            (true, _) => Self::Given,
            (false, true) => Self::Nobody,
            (false, false) => Self::Ask,
        }
    }
}

/// How an apply is run.
#[derive(Debug)]
pub struct Options<'a> {
    /// A saved plan; without one a fresh plan is made.
    pub plan: Option<&'a Path>,
    /// Who approves a fresh plan.
    pub approval: Approval,
    /// How the run report is printed.
    pub format: Format,
}

/// Applies a saved plan, or a fresh one after asking.
pub async fn run(args: &ScopeArgs, options: &Options<'_>, aws: aws::Settings, console: &Console) -> Result<Exit, Stop> {
    let survey = Survey::new(args, aws, console).await?;
    let plan = match options.plan {
        Some(path) => match saved(path, &survey)? {
            Saved::Usable(plan) => *plan,
            Saved::Stale(why) => {
                console.error(&why);
                console.hint("make a new plan and have it reviewed");
                return Ok(Exit::Refused);
            }
        },
        None => planning::plan(&survey, args.parallelism.map(usize::from), console).await,
    };
    show(&plan, options, console)?;
    let reading = plan::reading(&plan);
    if let Some(refusal) = refusal(&plan, &survey, options) {
        console.error(&refusal);
        return Ok(Exit::Refused);
    }
    if reading == Exit::Error || !plan::has_changes(&plan) {
        report(&RunReport::new(run_id(), Vec::new()), options, console)?;
        return Ok(reading);
    }
    if options.plan.is_none() {
        approve(options.approval, &plan, console)?;
    }
    let (run, interrupted) = execute(&plan, &survey, args, console).await;
    report(&run, options, console)?;
    Ok(ending(&run, interrupted).and(reading))
}

/// Says what speaks against the plan. A fresh plan has shown each finding already, so there the codes are enough.
fn refusal(plan: &Plan, survey: &Survey, options: &Options<'_>) -> Option<String> {
    let stops = plan.stops(&survey.settings.allow);
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for stop in &stops {
        *codes.entry(&stop.code).or_default() += 1;
    }
    let codes: Vec<String> = codes.iter().map(|(code, n)| format!("{code} ({n})")).collect();
    let mut text = format!("the plan is refused, nothing was written: {}", codes.join(", "));
    if options.plan.is_some() {
        for stop in &stops {
            text += "\n  ";
            text += &stop.code;
            text += ": ";
            text += &stop.message;
        }
    }
    (!stops.is_empty()).then_some(text)
}

enum Saved {
    Usable(Box<Plan>),
    Stale(String),
}

/// Loads a saved plan and holds it against the organization and the desired state of today.
fn saved(path: &Path, survey: &Survey) -> Result<Saved, Stop> {
    let shown = path.display();
    let bytes =
        std::fs::read(path).map_err(|error| Stop::because(format!("cannot read the plan `{shown}`: {error}")))?;
    let plan = planned::load(&bytes, &survey.settings.secrets).map_err(|error| {
        Stop::with_hint(format!("cannot use the plan `{shown}`: {error}"), "save one with `rolecall plan --out FILE`")
    })?;
    let here = &survey.organization.id;
    if plan.organization_id != *here {
        return Err(Stop::because(format!(
            "the plan `{shown}` is for organization {}, the credentials belong to {here}",
            plan.organization_id
        )));
    }
    if plan.name != survey.settings.name {
        return Err(Stop::because(format!(
            "the plan `{shown}` was made by `{}`, this directory is `{}`",
            plan.name, survey.settings.name
        )));
    }
    if plan.desired_digest != survey.expansion.desired.digest {
        return Ok(Saved::Stale(format!(
            "the plan `{shown}` is stale: the desired state or its variables have changed since"
        )));
    }
    Ok(Saved::Usable(Box::new(plan)))
}

/// Shows a fresh plan. Where the run report is JSON the plan goes to standard error, so that standard output is one object.
fn show(plan: &Plan, options: &Options<'_>, console: &Console) -> Result<(), Stop> {
    if options.plan.is_some() {
        return Ok(());
    }
    match options.format {
        Format::Text => {
            let mut out = console.data();
            report::human::plan(plan, &console.out, &mut out)?;
            out.flush()?;
        }
        Format::Json => {
            let mut text = Vec::new();
            report::human::plan(plan, &console.err, &mut text)?;
            console.say(String::from_utf8_lossy(&text).trim_end());
        }
    }
    Ok(())
}

/// Asks the person at the terminal. Nothing but `yes` is yes.
fn approve(approval: Approval, plan: &Plan, console: &Console) -> Result<(), Stop> {
    let refused =
        |message: &str| Err(Stop::with_hint(message, "nothing was written; --auto-approve applies without asking"));
    match approval {
        Approval::Given => return Ok(()),
        Approval::Nobody => return refused("apply needs approval, and --no-input forbids to ask for it"),
        Approval::Ask if !io::stdin().is_terminal() => {
            return refused("apply needs approval, and there is no terminal to ask for it");
        }
        Approval::Ask => {}
    }
    let steps = plan.summary.steps;
    _ = write!(io::stderr(), "\nApply these {steps} steps? Only `yes` is yes: ");
    _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    console.say("");
    Err(Stop::because("not approved; nothing was written"))
}

fn run_id() -> String {
    let now = jiff::Timestamp::now();
    format!("{}-{:04x}", now.strftime("%Y%m%dT%H%M%SZ"), std::process::id() & 0xffff)
}

async fn execute(plan: &Plan, survey: &Survey, args: &ScopeArgs, console: &Console) -> (RunReport, bool) {
    let cancel = CancellationToken::new();
    let watch = tokio::spawn(watch_signals(cancel.clone(), console.clone()));
    let parallelism =
        args.parallelism.map(usize::from).or(survey.config.rollout().parallelism).unwrap_or(APPLY_AT_ONCE);
    let settings =
        execute::Settings { run: run_id(), parallelism, patience: Patience::default(), cancel: cancel.clone() };
    let progress = Arc::new(console.progress());
    progress.phase("Applying", Some(accounts_with_steps(plan) as u64));
    let on_event = {
        let progress = Arc::clone(&progress);
        Arc::new(move |event| progress.event(&event))
    };
    let (writer, reader) = (Arc::new(survey.accounts.writing()), Arc::new(survey.accounts.reading()));
    let run = execute::execute(plan, &survey.organization.accounts, writer, reader, &settings, on_event).await;
    progress.finish();
    watch.abort();
    (run, cancel.is_cancelled())
}

fn accounts_with_steps(plan: &Plan) -> usize {
    plan.accounts.iter().filter(|part| part.changes.iter().any(|change| !change.steps.is_empty())).count()
}

/// The first signal lets the steps in hand finish, the second ends the process.
async fn watch_signals(cancel: CancellationToken, console: Console) {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "cannot watch for SIGTERM");
            return;
        }
    };
    for first in [true, false] {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        if !first {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        console.say("interrupted: finishing the steps in hand; once more ends at once");
        cancel.cancel();
    }
}

fn report(run: &RunReport, options: &Options<'_>, console: &Console) -> Result<(), Stop> {
    let mut out = console.data();
    match options.format {
        Format::Text if run.results.is_empty() => {}
        Format::Text => report::run::run(run, &console.out, &mut out)?,
        Format::Json => report::json::write(run, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

fn ending(run: &RunReport, interrupted: bool) -> Exit {
    let summary = run.summary;
    if interrupted {
        Exit::Interrupted
    } else if summary.failed > 0 || summary.not_reached > 0 && summary.stale == 0 {
        Exit::Partial
    } else if summary.stale > 0 {
        if summary.done > 0 { Exit::Partial } else { Exit::Refused }
    } else {
        Exit::Done
    }
}
