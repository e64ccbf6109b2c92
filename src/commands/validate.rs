//! `rolecall validate`: reads the directory alone, without AWS.

use std::io::{self, Write};

use serde::Serialize;

use super::{Console, Error, options};
use crate::cli::{DesiredArgs, Format};
use crate::config::{Config, Counts, Problem, problem};
use crate::exit::Exit;
use crate::ops;
use crate::plan::{self, Finding, Severity};
use crate::report::style::{Tone, count};

/// Checks the desired state and says what is wrong with it, all at once.
pub fn run(args: &DesiredArgs, format: Format, console: &Console) -> Result<Exit, Error> {
    let loaded = ops::load(&options::sources(args));
    if let Ok(config) = &loaded {
        console.conceal(config.secrets());
    }
    let findings: Vec<Finding> = loaded.iter().flat_map(found).collect();
    let refused = findings
        .iter()
        .any(|finding| finding.severity == Severity::Stop);
    let exit = if refused { Exit::Refused } else { Exit::Done };
    match format {
        Format::Text => {
            let config = loaded?;
            console.warnings(config.warnings());
            text(&config, &findings, console)?;
            Ok(exit)
        }
        Format::Json => {
            let ((problems, more_problems), exit) = match &loaded {
                Ok(config) => (problem::first(config.warnings()), exit),
                Err(Error::Desired(problems)) => (problems.shown(), Exit::Error),
                Err(_) => return loaded.map(|_| Exit::Done),
            };
            let valid = exit == Exit::Done;
            let said = Said {
                format: "rolecall-validate/1",
                valid,
                problems,
                more_problems,
                findings: &findings,
            };
            console.json(&said)?;
            Ok(exit)
        }
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Said<'a> {
    format: &'static str,
    valid: bool,
    problems: Vec<&'a Problem>,
    /// Problems beside those in the list.
    #[serde(skip_serializing_if = "is_zero")]
    more_problems: usize,
    findings: &'a [Finding],
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// What the directory's own checks and lints say.
fn found(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config
        .findings()
        .iter()
        .cloned()
        .map(ops::finding)
        .collect();
    findings.extend(plan::lints_alone(
        &ops::lints(config, None),
        config.stand_in(),
        config.secrets(),
    ));
    findings.sort();
    findings
}

fn text(config: &Config, findings: &[Finding], console: &Console) -> io::Result<()> {
    let mut out = console.data();
    for Finding {
        code,
        severity,
        message,
        ..
    } in findings
    {
        let (tone, word) = match severity {
            Severity::Stop => (Tone::Alarm, "stop"),
            Severity::Warn => (Tone::Changed, "warn"),
        };
        writeln!(out, "{} {code}: {message}", console.out.paint(tone, word))?;
    }
    if findings
        .iter()
        .all(|finding| finding.severity != Severity::Stop)
    {
        let counts = config.resources();
        let (name, valid) = (config.name(), console.out.paint(Tone::Added, "valid"));
        let Counts {
            roles,
            policies,
            files,
        } = counts;
        let (roles, files) = (count(roles, "role"), count(files, "file"));
        let policies = if policies == 1 {
            "1 policy".to_owned()
        } else {
            format!("{policies} policies")
        };
        writeln!(out, "{valid} {name}: {roles} and {policies} in {files}")?;
    }
    out.flush()
}
