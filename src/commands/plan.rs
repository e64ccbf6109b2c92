//! `rolecall plan`: what differs, and what apply would do.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::reports::{Form, Report};
use super::survey::Survey;
use super::{Console, Stop, ledger, notify, planning, saved, shell};
use crate::aws;
use crate::cli::{NotifyArgs, PlanFormat, ReportArgs, ScopeArgs, StateArgs};
use crate::exit::Exit;
use crate::files;
use crate::plan::{Plan, Status};
use crate::report;
use crate::store::Access;

/// What becomes of the plan.
#[derive(Debug)]
pub struct Options {
    /// Where to save it.
    pub out: Option<PathBuf>,
    /// How to print it.
    pub format: PlanFormat,
    /// Which forms of it to write to files.
    pub reports: ReportArgs,
    /// Whether changes are exit code 2.
    pub detailed_exitcode: bool,
    /// Where it is remembered what was applied.
    pub state: StateArgs,
    /// Whom to notify.
    pub notify: NotifyArgs,
}

/// Makes a plan, prints it, and saves it where that was asked for.
pub async fn run(
    args: &ScopeArgs,
    options: &Options,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Stop> {
    let survey = Survey::new(args, aws.clone(), console).await?;
    let state = ledger::open(&options.state, &survey, aws, Access::Read).await?;
    let plan = planning::plan(
        &survey,
        args.parallelism.map(usize::from),
        Some(&state),
        console,
    )
    .await?;
    let report = Report::Plan(&plan);
    // Who closed standard output did not close the files and the webhook.
    let printed = print(&plan, options.format, &survey, console);
    report.save(&options.reports, &survey)?;
    report.annotate(&survey, console);
    if let Some(path) = &options.out {
        save(&plan, &survey, path)?;
        console.say(&format!(
            "\nSaved the plan. To apply exactly this: rolecall apply {}{}",
            shell::file(path),
            shell::same_directory(&args.desired, &options.state)
        ));
    }
    let changes = if options.detailed_exitcode && has_changes(&plan) {
        Exit::Changes
    } else {
        Exit::Done
    };
    let ending = printed
        .as_ref()
        .map_or_else(Stop::exit, |()| changes.and(reading(&plan)));
    notify::post(
        &options.notify,
        ("plan", ending),
        &survey,
        |run| run.plan(&plan),
        console,
    )
    .await;
    printed.map(|()| ending)
}

fn print(plan: &Plan, format: PlanFormat, survey: &Survey, console: &Console) -> Result<(), Stop> {
    let Some(form) = form(format) else {
        let mut out = console.data();
        report::human::plan(plan, &console.out, &mut out)?;
        return Ok(out.flush()?);
    };
    let mut out = console.bare();
    Report::Plan(plan).write(form, survey, &mut out)?;
    Ok(out.flush()?)
}

/// The form that a format is; none for text, which the console masks.
pub fn form(format: PlanFormat) -> Option<Form> {
    match format {
        PlanFormat::Text => None,
        PlanFormat::Json => Some(Form::Json),
        PlanFormat::Markdown => Some(Form::Markdown),
        PlanFormat::Html => Some(Form::Html),
    }
}

/// Whether applying the plan would write anything.
pub fn has_changes(plan: &Plan) -> bool {
    plan.summary.steps > 0
}

/// How reading ended: all accounts, some, or none.
pub fn reading(plan: &Plan) -> Exit {
    let read = plan
        .accounts
        .iter()
        .any(|account| account.status == Status::Read);
    match plan.summary.unreadable {
        0 => Exit::Done,
        _ if read => Exit::Partial,
        _ => Exit::Error,
    }
}

/// Writes the plan for its owner's eyes alone.
fn save(plan: &Plan, survey: &Survey, path: &Path) -> Result<(), Stop> {
    let failed = |error: std::io::Error| {
        Stop::because(format!(
            "cannot save the plan to `{}`: {error}",
            path.display()
        ))
    };
    let bytes = saved::bytes(plan, survey).map_err(|error| failed(error.into()))?;
    files::write(path, &bytes, 0o600).map_err(failed)
}
