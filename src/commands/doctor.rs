//! `rolecall doctor`: what has to be right before the first plan. It writes nothing, to AWS or to the state.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Console, Error, options, permissions};
use crate::aws::{self, Aws, Probing};
use crate::cli::{Format, ScopeArgs, StateArgs};
use crate::exit::Exit;
use crate::ops::{self, Observer as _, Selection, Survey, each_account, state, wait};
use crate::org::{Account, AwsError};
use crate::permissions::Trial;
use crate::report::doctor::{self, Check, Doctor, Health};
use crate::report::style::count;
use crate::store::Store;
use crate::store::backend::Location;

/// Accounts that are entered at once, unless `--parallelism` says otherwise.
const AT_ONCE: usize = 32;

/// How far the local clock may be off. AWS refuses requests signed more than five minutes off; the SDK corrects the time
/// it signs with, but leases and run records have the local time.
const SKEW: Duration = Duration::from_mins(1);

/// How long AWS keeps a session open for which no duration is asked.
///
/// Source: STS API Reference, `AssumeRole`, `DurationSeconds`.
const SESSION: Duration = Duration::from_hours(1);

/// Checks everything, as far as what comes before allows.
pub async fn run(
    args: &ScopeArgs,
    of_state: &StateArgs,
    format: Format,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Error> {
    let selection = options::selection(args);
    let config = ops::load(&selection.sources)?;
    console.conceal(config.secrets());
    console.warnings(config.warnings());
    let mut checks = Vec::new();
    let connecting = Box::pin(Aws::connect(aws.clone()));
    let connected = wait("STS to identify the caller", console, connecting).await;
    let connected = match connected {
        Ok(connected) => connected,
        Err(error) => {
            let hint = "rolecall uses the standard AWS settings: AWS_PROFILE, AWS_REGION, `aws sso login`, …";
            checks.push(failed(
                "caller",
                String::new(),
                error.to_string(),
                Some(hint),
            ));
            return finish(checks, Exit::Error, format, console);
        }
    };
    checks.push(passed(
        "caller",
        String::new(),
        connected.caller().arn.clone(),
    ));
    let survey = match Box::pin(Survey::over(&selection, config, connected, None, console)).await {
        Ok(survey) => survey,
        Err(Error::Aws(error)) => {
            let hint = "use credentials of the management account, or of an account that is a delegated administrator and may list the organization; `rolecall permissions` prints the policy";
            checks.push(failed(
                "organization",
                String::new(),
                error.to_string(),
                Some(hint),
            ));
            return finish(checks, Exit::Error, format, console);
        }
        Err(stop) => return Err(stop),
    };
    let accounts = survey.to_read();
    checks.push(passed(
        "organization",
        survey.organization.id.clone(),
        format!(
            "{}, {} targeted",
            count(survey.organization.accounts.len(), "account"),
            accounts.len()
        ),
    ));
    let of_accounts = look_at_accounts(&survey, &accounts, &selection, console).await;
    let entered = of_accounts
        .iter()
        .filter(|check| check.check == "account" && check.health == Health::Ok)
        .count();
    checks.extend(of_accounts);
    checks.push(look_at_state(of_state.state.as_deref(), &survey, aws).await);
    let exit = if entered == 0 && !accounts.is_empty() {
        Exit::Error
    } else if checks.iter().any(|check| check.health == Health::Failed) {
        Exit::Partial
    } else {
        Exit::Done
    };
    finish(checks, exit, format, console)
}

fn finish(
    checks: Vec<Check>,
    exit: Exit,
    format: Format,
    console: &Console,
) -> Result<Exit, Error> {
    let doctor = Doctor::new(checks);
    let mut out = console.data();
    match format {
        Format::Text => doctor::table(&doctor, &console.out, &mut out)?,
        Format::Json => console.json(&doctor)?,
    }
    out.flush()?;
    Ok(exit)
}

/// Enters each account, in the order of their ids.
async fn look_at_accounts(
    survey: &Survey,
    accounts: &[Account],
    selection: &Selection,
    console: &Console,
) -> Vec<Check> {
    let policy = permissions::of_access_role(&survey.config, &survey.organization.partition);
    let probing = survey.accounts.probing();
    let phase = console.phase("Accessing accounts", u64::try_from(accounts.len()).ok());
    let at_once = selection.parallelism.unwrap_or(AT_ONCE);
    let accounts = accounts.iter().map(|account| (account, ()));
    let checks = each_account(accounts, at_once, async |account, ()| {
        let checks = look_at(&probing, account, &policy.trials(account.id)).await;
        phase.tick();
        Ok(checks)
    })
    .await;
    phase.finish();
    checks
        .into_iter()
        .flat_map(|(_, checks)| checks.unwrap_or_default())
        .collect()
}

async fn look_at(probing: &Probing, account: &Account, trials: &[Trial]) -> Vec<Check> {
    let subject = format!("{} ({})", account.name, account.id);
    let entry = match probing.enter(account).await {
        Ok(entry) => entry,
        Err(error) => {
            let hint = why_not_entered(&error);
            return vec![failed("account", subject, error.to_string(), Some(hint))];
        }
    };
    let Some(entry) = entry else {
        let detail = "the caller's own account; entered as the caller";
        return vec![passed("account", subject, detail.to_owned())];
    };
    let mut checks = vec![passed(
        "account",
        subject.clone(),
        format!("entered as {}", entry.role_arn),
    )];
    checks.extend(skew(entry.expiry, SystemTime::now(), &subject));
    checks.push(permitted(probing, account, &entry.role_arn, trials, subject).await);
    checks
}

/// What AWS's refusal says of its reason. A role that does not exist and a trust that does not name the caller get the same
/// answer.
///
/// Source: IAM User Guide, "Troubleshoot access denied error messages".
fn why_not_entered(error: &AwsError) -> &'static str {
    let says = |words: &str| error.message.contains(words);
    if says("explicit deny in a service control policy") || says("no service control policy allows")
    {
        "a service control policy of the organization denies it"
    } else if says("explicit deny in a resource control policy") {
        "a resource control policy of the organization denies it"
    } else if says("no identity-based policy allows") {
        "the caller's own policies do not allow sts:AssumeRole on this role; `rolecall permissions` prints the policy"
    } else if says("no resource-based policy allows") {
        "the trust policy of the role does not admit the caller: check its principal and `[organization] external_id`"
    } else if error.code.as_deref() == Some("AccessDenied") {
        "the role does not exist, its trust policy does not admit the caller, or requires another external id; AWS does not say which. [organization] access_role and [account.NAME] access_role set it"
    } else {
        "AWS could not be asked; try again"
    }
}

/// What the session's end says of the local clock; nothing where it is right.
fn skew(expiry: Option<SystemTime>, now: SystemTime, subject: &str) -> Option<Check> {
    let expected = now + SESSION;
    let expiry = expiry?;
    let off = expiry
        .duration_since(expected)
        .or_else(|_| expected.duration_since(expiry))
        .ok()?;
    (off > SKEW).then(|| {
        failed(
            "clock",
            subject.to_owned(),
            format!(
                "the local clock and AWS's differ by about {} s",
                off.as_secs()
            ),
            Some("set the clock: leases and the record of runs have the local time"),
        )
    })
}

async fn permitted(
    probing: &Probing,
    account: &Account,
    role_arn: &str,
    trials: &[Trial],
    subject: String,
) -> Check {
    let mut denied = Vec::new();
    for trial in trials {
        match probing.denied(account, role_arn, trial).await {
            Ok(actions) => denied.extend(actions),
            Err(error) => {
                return Check {
                    check: "permissions",
                    subject,
                    health: Health::Unknown,
                    detail: format!("not checked: {error}"),
                    hint: Some(
                        "allow the access role iam:SimulatePrincipalPolicy on itself to have them checked"
                            .to_owned(),
                    ),
                };
            }
        }
    }
    denied.sort();
    denied.dedup();
    if denied.is_empty() {
        let detail = "the access role may do what this directory needs".to_owned();
        return passed("permissions", subject, detail);
    }
    failed(
        "permissions",
        subject,
        format!("the access role may not {}", denied.join(", ")),
        Some("`rolecall permissions` prints the policy it needs"),
    )
}

async fn look_at_state(location: Option<&str>, survey: &Survey, aws: aws::Settings) -> Check {
    let directory = survey.config.directory();
    let looked = async {
        let backend = state::place(location, directory, aws).await?;
        let place = backend.place("");
        let id = Some(survey.organization.id.as_str());
        let store = Store::inspect(backend, &survey.settings.name, id).await?;
        Ok::<_, Error>((place, store.is_some()))
    };
    let (place, is_there) = match looked.await {
        Ok(found) => found,
        Err(stop) => return failed("state", String::new(), stop.why(), None),
    };
    let found = if is_there {
        "readable"
    } else {
        "nothing was applied from here yet"
    };
    match Location::parse(location, directory) {
        Ok(Location::Directory(path)) if !is_writable(&path) => failed(
            "state",
            place,
            format!("{found}, but not writable"),
            Some("apply writes here: fix the permissions, or set --state"),
        ),
        Ok(Location::Directory(_)) => passed("state", place, format!("{found}, writable")),
        _ => passed(
            "state",
            place,
            format!("{found}; writing is not tried, because doctor writes nothing"),
        ),
    }
}

/// Whether the directory, or the one it would be created in, may be written to.
fn is_writable(directory: &Path) -> bool {
    let Some(existing) = directory.ancestors().find(|path| path.exists()) else {
        return rustix::fs::access(".", rustix::fs::Access::WRITE_OK).is_ok();
    };
    rustix::fs::access(existing, rustix::fs::Access::WRITE_OK).is_ok()
}

fn passed(check: &'static str, subject: String, detail: String) -> Check {
    Check {
        check,
        subject,
        health: Health::Ok,
        detail,
        hint: None,
    }
}

fn failed(check: &'static str, subject: String, detail: String, hint: Option<&str>) -> Check {
    Check {
        check,
        subject,
        health: Health::Failed,
        detail,
        hint: hint.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_from_one_that_is_right() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        for (off, is_wrong) in [
            (0, false),
            (59, false),
            (-59, false),
            (61, true),
            (-600, true),
        ] {
            let shift = Duration::from_secs(i64::unsigned_abs(off));
            let expiry = if off < 0 {
                now + SESSION - shift
            } else {
                now + SESSION + shift
            };
            assert_eq!(skew(Some(expiry), now, "a").is_some(), is_wrong, "{off}");
        }
        assert_eq!(skew(None, now, "a"), None);
    }
}
