//! `rolecall drift`: what was changed by hand. It holds no writer.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::reports::{Form, Report};
use super::survey::Survey;
use super::{Console, Stop, ledger, notify, plan, planning, watch, who};
use crate::aws;
use crate::cli::DriftArgs;
use crate::drift::{self, Drift, History, Scope};
use crate::exit::Exit;
use crate::files;
use crate::plan::Unmanaged;
use crate::report;
use crate::report::metrics::Rounds;
use crate::store::Access;

/// How a look compares with the one before it in the same process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// There was none.
    First,
    /// It found the same.
    Same,
    /// It found something else.
    Other,
}

/// Compares live IAM with the desired state and with what was last applied, and says who moved.
pub async fn run(args: &DriftArgs, aws: aws::Settings, console: &Console) -> Result<Exit, Stop> {
    if let Some(every) = args.watch {
        return Box::pin(watch::run(args, every, aws, console)).await;
    }
    let start = Instant::now();
    let mut survey = Survey::new(&args.scope, aws.clone(), console).await?;
    let drift = look(args, &mut survey, &aws, None, console).await?;
    let saved = args.metrics_file.as_ref().map_or(Ok(()), |path| {
        let ended_at = jiff::Timestamp::now().as_second();
        let rounds = Rounds {
            done: 1,
            failed: 0,
            ended_at,
            took: start.elapsed().as_secs_f64(),
        };
        save_metrics(
            path,
            &report::metrics::text(&survey.settings.name, Some(&drift), rounds),
        )
    });
    // Metrics that cannot be written do not keep the report from being printed.
    tell(args, &drift, Seen::First, &survey, console).await?;
    saved.map(|()| ending(&drift))
}

/// Reads the accounts and judges what differs. Authors that the check `before` found are not looked up again.
pub async fn look(
    args: &DriftArgs,
    survey: &mut Survey,
    aws: &aws::Settings,
    before: Option<&Drift>,
    console: &Console,
) -> Result<Drift, Stop> {
    // A resource that lost its mark by hand is drift. A plan leaves it alone unless adoption is allowed.
    survey.settings.allow.insert("adopt".to_owned());
    // What is accepted is reported as such, not left out.
    survey.settings.accepts.clear();
    survey.settings.unmanaged = if args.unmanaged {
        Unmanaged::Listed
    } else {
        Unmanaged::Left
    };
    let state = ledger::open(&args.state, survey, aws.clone(), Access::Read).await?;
    let mut plan = planning::plan(
        survey,
        args.scope.parallelism.map(usize::from),
        Some(&state),
        console,
    )
    .await?;
    let findings = std::mem::take(&mut plan.findings);
    for part in plan
        .accounts
        .iter_mut()
        .filter(|part| drift::may_overlook(part, &findings))
    {
        let record = state.account(part.id).await?.resources;
        let remembered = record
            .into_iter()
            .map(|(address, record)| (address, record.converged))
            .collect();
        part.changes
            .extend(drift::overlooked(part, &findings, &remembered));
    }
    let scope = if args.scope.account.is_empty() && args.scope.role.is_empty() {
        Scope::Whole
    } else {
        Scope::Part
    };
    let plan = plan.with_findings(findings);
    let history = if state.accounts().await?.is_empty() {
        History::None
    } else {
        History::Some
    };
    let mut drift = drift::judge(
        plan,
        survey.config.accepts(),
        survey.settings.today,
        (scope, history),
    );
    if args.who {
        drift.who = who::ask(
            &drift,
            before,
            (survey, &state),
            args.scope.parallelism,
            console,
        )
        .await?;
    }
    Ok(drift)
}

/// Prints a drift, and tells the webhook: once, or while watching when it is another than before.
pub async fn tell(
    args: &DriftArgs,
    drift: &Drift,
    seen: Seen,
    survey: &Survey,
    console: &Console,
) -> Result<(), Stop> {
    // Who closed standard output did not close the files and the webhook.
    let printed = print(args, drift, seen, survey, console);
    let report = Report::Drift(drift);
    report.save(&args.reports, survey)?;
    if seen != Seen::Same {
        report.annotate(survey, console);
    }
    let is_news = match seen {
        Seen::First => args.watch.is_none() || ending(drift) != Exit::Done,
        Seen::Same => false,
        Seen::Other => true,
    };
    if is_news {
        let ending = printed.as_ref().map_or_else(Stop::exit, |()| ending(drift));
        notify::post(
            &args.notify,
            ("drift", ending),
            survey,
            |run| run.drift(drift),
            console,
        )
        .await;
    }
    printed
}

fn print(
    args: &DriftArgs,
    drift: &Drift,
    seen: Seen,
    survey: &Survey,
    console: &Console,
) -> Result<(), Stop> {
    let form = plan::form(args.format);
    if seen == Seen::Same && form != Some(Form::Json) {
        return Ok(());
    }
    let Some(form) = form else {
        let mut out = console.data();
        report::drift::drift(drift, &console.out, &mut out)?;
        return Ok(out.flush()?);
    };
    let mut out = console.bare();
    if form == Form::Json && args.watch.is_some() {
        // One line for each look.
        report::json::line(&drift.shown(&survey.settings.secrets), &mut out)?;
    } else {
        Report::Drift(drift).write(form, survey, &mut out)?;
    }
    Ok(out.flush()?)
}

/// Drift is 2; what only the file changed is pending, and no drift.
pub fn ending(drift: &Drift) -> Exit {
    let drifted = if drift.summary.drifted() > 0 {
        Exit::Changes
    } else {
        Exit::Done
    };
    drifted.and(plan::reading(&drift.plan))
}

/// Writes the metrics for any user to read: `node_exporter` is another one.
pub fn save_metrics(path: &Path, text: &str) -> Result<(), Stop> {
    files::write(path, text.as_bytes(), 0o644).map_err(|error| {
        Stop::because(format!(
            "cannot write the metrics to `{}`: {error}",
            path.display()
        ))
    })
}
