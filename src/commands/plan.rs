//! `rolecall plan`: what differs, and what apply would do.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::survey::Survey;
use super::{Console, Stop, ledger, notify, planning, saved, shell};
use crate::aws;
use crate::cli::{NotifyArgs, PlanFormat, ScopeArgs, StateArgs};
use crate::exit::Exit;
use crate::files;
use crate::plan::{self, Plan, Status};
use crate::report;
use crate::store::Access;

/// What becomes of the plan.
#[derive(Debug)]
pub struct Options {
    /// Where to save it.
    pub out: Option<PathBuf>,
    /// How to print it.
    pub format: PlanFormat,
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
    // Who closed standard output did not close the file and the webhook.
    let printed = print(&plan, options.format, &survey, console);
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
    // Each form but text masks what it shows where it makes it.
    let mut out = console.bare();
    match format {
        PlanFormat::Text => {
            let mut out = console.data();
            report::human::plan(plan, &console.out, &mut out)?;
            out.flush()?;
        }
        PlanFormat::Json => report::json::write(&plan.shown(&survey.settings.secrets), &mut out)?,
        PlanFormat::Html => {
            let trusts = plan::trusts(
                &survey.settings,
                &survey.expansion.desired,
                &survey.organization,
            );
            report::html::plan(plan, &trusts, &survey.settings.secrets, &mut out)?;
        }
        PlanFormat::Markdown => report::markdown::plan(plan, &survey.settings.secrets, &mut out)?,
    }
    Ok(out.flush()?)
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
