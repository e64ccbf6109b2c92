//! `rolecall plan`: what differs, and what apply would do.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::reports::{Form, Report};
use super::{Console, Error, notify, options, reports, shell};
use crate::aws;
use crate::cli::{NotifyArgs, PlanFormat, ReportArgs, ScopeArgs, StateArgs};
use crate::exit::Exit;
use crate::files;
use crate::ops::plan::{has_changes, reading};
use crate::ops::{self, Survey, saved, state};
use crate::plan::Plan;
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
) -> Result<Exit, Error> {
    reports::check(&options.reports, ("--out", options.out.as_ref()))?;
    let selection = options::selection(args);
    let survey = Survey::new(&selection, aws.clone(), console).await?;
    let location = options.state.state.as_deref();
    let state = state::open(location, &survey, aws, Access::Read).await?;
    let plan = ops::plan::plan(&survey, selection.parallelism, Some(&state), console).await?;
    let report = Report::Plan(&plan);
    // Who closed standard output did not close the files and the webhook.
    let printed = print(&plan, options.format, &survey, console);
    let reported = printed.and(report.save(&options.reports, &survey));
    report.annotate(&survey, console);
    if let Some(path) = &options.out {
        save(&plan, &survey, path)?;
        console.say(&format!(
            "\nSaved the plan. To apply exactly this: rolecall apply {}{}",
            shell::file(path),
            shell::same_directory(&args.desired, &options.state)
        ));
    }
    let ending = reported
        .as_ref()
        .map_or_else(Error::exit, |()| ending(&plan, options.detailed_exitcode));
    notify::post(
        options.notify.notify.as_ref(),
        ("plan", ending),
        &survey,
        |run| run.plan(&plan),
        console,
    )
    .await;
    reported.map(|()| ending)
}

/// How the command ends; changes count where they are `asked` for.
pub fn ending(plan: &Plan, asked: bool) -> Exit {
    let changes = if asked && has_changes(plan) {
        Exit::Changes
    } else {
        Exit::Done
    };
    changes.and(reading(plan))
}

/// Prints a plan to standard output.
pub fn print(
    plan: &Plan,
    format: PlanFormat,
    survey: &Survey,
    console: &Console,
) -> Result<(), Error> {
    let Some(form) = Form::of(format) else {
        let mut out = console.data();
        report::human::plan(plan, &console.out, &mut out)?;
        return Ok(out.flush()?);
    };
    let mut out = console.bare();
    Report::Plan(plan).write(form, survey, &mut out)?;
    Ok(out.flush()?)
}

/// Writes the plan for its owner's eyes alone.
fn save(plan: &Plan, survey: &Survey, path: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        Error::because(format!(
            "cannot save the plan to `{}`: {error}",
            path.display()
        ))
    };
    let bytes = saved::bytes(plan, survey).map_err(|error| failed(error.into()))?;
    files::write(path, &bytes, 0o600).map_err(failed)
}
