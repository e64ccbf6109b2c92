//! `rolecall verify`: proves that only the intended principals can assume the roles, and that the roles allow what they are for.

use std::io::Write;

use super::{Console, Error, options};
use crate::aws;
use crate::cli::{Format, ScopeArgs};
use crate::exit::Exit;
use crate::ops::Survey;
use crate::ops::verify::{self, Judges, Options, Sts};
use crate::report;
use crate::verify::Verification;

/// Reads `--offline`.
pub fn sts(offline: bool) -> Sts {
    if offline { Sts::NotAsked } else { Sts::Asked }
}

/// Reads `--skip-account-check` and `--simulate`, of which the command line takes one.
pub fn judges(skip_account_check: bool, simulate: bool) -> Judges {
    match (skip_account_check, simulate) {
        (true, _) => Judges::None,
        (false, true) => Judges::EvaluationAndIam,
        (false, false) => Judges::Evaluation,
    }
}

/// Verifies the roles in scope.
pub async fn run(
    args: &ScopeArgs,
    options: &Options<'_>,
    format: Format,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Error> {
    // Before AWS is called.
    verify::session(options.session_name)?;
    let survey = Survey::new(&options::selection(args), aws, console).await?;
    let verification = verify::verify(&survey, options, console).await?;
    let mut out = console.data();
    match format {
        Format::Text => report::verify::verification(&verification, &console.out, &mut out)?,
        Format::Json => console.json(&verification)?,
    }
    out.flush()?;
    Ok(ending(&verification))
}

/// Something that is not as it should be is 2.
pub fn ending(verification: &Verification) -> Exit {
    let summary = verification.summary;
    let reading = match summary.unreadable {
        0 => Exit::Done,
        unreadable if unreadable == summary.accounts => Exit::Error,
        _ => Exit::Partial,
    };
    if summary.failed > 0 {
        reading.and(Exit::Changes)
    } else {
        reading
    }
}
