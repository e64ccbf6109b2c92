//! `rolecall drift`: what was changed by hand.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::reports::{Form, Report};
use super::{Console, Error, notify, options};
use crate::aws;
use crate::cli::DriftArgs;
use crate::drift::Drift;
use crate::exit::Exit;
use crate::files;
use crate::ops::Survey;
use crate::ops::drift::{Options, ending, look};
use crate::report;
use crate::report::metrics::Rounds;

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
pub async fn run(args: &DriftArgs, aws: aws::Settings, console: &Console) -> Result<Exit, Error> {
    let start = Instant::now();
    let selection = options::selection(&args.scope);
    let mut survey = Survey::new(&selection, aws.clone(), console).await?;
    let drift = look(&of(args), &mut survey, &aws, None, console).await?;
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

/// What to look at.
pub fn of(args: &DriftArgs) -> Options {
    Options {
        unmanaged: args.unmanaged,
        who: args.who,
        state: args.state.state.clone(),
        parallelism: args.scope.parallelism.map(usize::from),
    }
}

/// Prints a drift, and tells the webhook: once, or while watching when it is another than before.
pub async fn tell(
    args: &DriftArgs,
    drift: &Drift,
    seen: Seen,
    survey: &Survey,
    console: &Console,
) -> Result<(), Error> {
    // Who closed standard output did not close the files and the webhook.
    let printed = print(args, drift, seen, survey, console);
    let report = Report::Drift(drift);
    let reported = printed.and(report.save(&args.reports, survey));
    if seen != Seen::Same {
        report.annotate(survey, console);
    }
    let is_news = match seen {
        Seen::First => args.watch.is_none() || ending(drift) != Exit::Done,
        Seen::Same => false,
        Seen::Other => true,
    };
    if is_news {
        let ending = reported
            .as_ref()
            .map_or_else(Error::exit, |()| ending(drift));
        notify::post(
            args.notify.notify.as_ref(),
            ("drift", ending),
            survey,
            |run| run.drift(drift),
            console,
        )
        .await;
    }
    reported
}

fn print(
    args: &DriftArgs,
    drift: &Drift,
    seen: Seen,
    survey: &Survey,
    console: &Console,
) -> Result<(), Error> {
    let form = Form::of(args.format);
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

/// Writes the metrics for any user to read: `node_exporter` is another one.
pub fn save_metrics(path: &Path, text: &str) -> Result<(), Error> {
    files::write(path, text.as_bytes(), 0o644).map_err(|error| {
        Error::because(format!(
            "cannot write the metrics to `{}`: {error}",
            path.display()
        ))
    })
}
