//! `rolecall verify`: proves that only the intended principals can assume the roles, and that the roles allow what they are for.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Instant;

use super::callers::Callers;
use super::survey::Survey;
use super::verifying::Verifier;
use super::{Console, Stop};
use crate::aws;
use crate::cli::{Format, ScopeArgs};
use crate::exit::Exit;
use crate::report;
use crate::resource::role::Role;
use crate::verify::{SessionName, Setting, Verification, live};

/// What is verified, and how that is printed.
#[derive(Debug)]
pub struct Options<'a> {
    /// Whether STS is asked.
    pub sts: Sts,
    /// The session name to enter roles by.
    pub session_name: Option<&'a str>,
    /// Who judges `[[role.expect]]`.
    pub judges: Judges,
    /// How the verification is printed.
    pub format: Format,
}

/// Whether roles are entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sts {
    /// STS is asked to let the caller in.
    Ask,
    /// It is not: `--offline`.
    Leave,
}

/// Who judges what a role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judges {
    /// No one: `--skip-account-check`.
    Nobody,
    /// Our own evaluation of the live policies.
    Evaluation,
    /// That and `iam:SimulatePrincipalPolicy`: `--simulate`.
    EvaluationAndIam,
}

impl Sts {
    /// Reads the flag.
    pub fn new(offline: bool) -> Self {
        if offline { Self::Leave } else { Self::Ask }
    }
}

impl Judges {
    /// Reads the two flags, of which the command line takes one.
    pub fn new(skip_account_check: bool, simulate: bool) -> Self {
        match (skip_account_check, simulate) {
            (true, _) => Self::Nobody,
            (false, true) => Self::EvaluationAndIam,
            (false, false) => Self::Evaluation,
        }
    }
}

/// Verifies the roles in scope.
pub async fn run(
    args: &ScopeArgs,
    options: &Options<'_>,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Stop> {
    let session = options.session_name.map(SessionName::parse).transpose();
    let session = session.map_err(|error| Stop::because(error.to_string()))?;
    let survey = Survey::new(args, aws, console).await?;
    if let Some(why) =
        live::cannot_assume(&survey.organization.caller).filter(|_| options.sts == Sts::Ask)
    {
        return Err(Stop::with_hint(
            why,
            "run as a user or a role, or verify with --offline",
        ));
    }
    let principals = trusted(&survey);
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let verifier = Verifier {
        name: survey.config.name(),
        setting: Setting {
            organization: &survey.organization,
            principals: &principals,
            now: &now,
        },
        sts: options.sts,
        judges: options.judges,
        session,
        reader: survey.accounts.reading(),
        probing: survey.accounts.probing(),
        callers: Callers::new(&survey),
        began: Instant::now(),
    };
    let verification = verifier
        .verify(&survey, args.parallelism.map(usize::from), console)
        .await;
    let mut out = console.data();
    match options.format {
        Format::Text => report::verify::verification(&verification, &console.out, &mut out)?,
        Format::Json => console.json(&verification)?,
    }
    out.flush()?;
    Ok(ending(&verification))
}

fn ending(verification: &Verification) -> Exit {
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

/// Every principal that a role of the directory trusts.
fn trusted(survey: &Survey) -> BTreeSet<(String, String)> {
    let roles = survey
        .expansion
        .desired
        .accounts
        .values()
        .flat_map(|account| account.roles.values());
    // Most accounts share their roles, so each document is looked at once.
    let trusts: BTreeMap<&str, &Role> = roles
        .map(|role| (role.trust.text(), role.as_ref()))
        .collect();
    trusts
        .values()
        .flat_map(|role| crate::verify::principals_of(&role.trust))
        .collect()
}
