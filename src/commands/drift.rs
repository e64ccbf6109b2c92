//! `rolecall drift`: what somebody changed by hand. It holds no writer.

use std::io::Write;

use super::survey::Survey;
use super::{Console, Stop, ledger, plan, planning};
use crate::aws;
use crate::cli::{DriftArgs, Format};
use crate::drift::{self, Drift, Scope};
use crate::exit::Exit;
use crate::plan::Unmanaged;
use crate::report;
use crate::store::{Access, Store};

/// Compares live IAM with the desired state and with what was last applied, and says who moved.
pub async fn run(args: &DriftArgs, aws: aws::Settings, console: &Console) -> Result<Exit, Stop> {
    let mut survey = Survey::new(&args.scope, aws.clone(), console).await?;
    let state = ledger::open(&args.state, &survey, aws, Access::Read).await?;
    let drift = look(args, &mut survey, &state, console).await?;
    print(&drift, args.format, &survey, console)?;
    Ok(ending(&drift))
}

/// Reads the accounts and judges what differs.
pub async fn look(args: &DriftArgs, survey: &mut Survey, state: &Store, console: &Console) -> Result<Drift, Stop> {
    // A resource that lost its mark by hand is drift. A plan leaves it alone unless adoption is allowed.
    survey.settings.allow.insert("adopt".to_owned());
    survey.settings.unmanaged = if args.unmanaged { Unmanaged::Listed } else { Unmanaged::Left };
    let mut plan = planning::plan(survey, args.scope.parallelism.map(usize::from), Some(state), console).await?;
    let findings = std::mem::take(&mut plan.findings);
    for part in plan.accounts.iter_mut().filter(|part| drift::may_overlook(part, &findings)) {
        let record = state.account(part.id).await?.resources;
        let remembered = record.into_iter().map(|(address, record)| (address, record.converged)).collect();
        part.changes.extend(drift::overlooked(part, &findings, &remembered));
    }
    let scope = if args.scope.account.is_empty() && args.scope.role.is_empty() { Scope::Whole } else { Scope::Part };
    let plan = plan.with_findings(findings);
    Ok(drift::judge(plan, survey.config.accepts(), survey.settings.today, scope))
}

fn print(drift: &Drift, format: Format, survey: &Survey, console: &Console) -> Result<(), Stop> {
    let mut out = console.data();
    match format {
        Format::Text => report::drift::drift(drift, &console.out, &mut out)?,
        Format::Json => report::json::write(&drift.shown(&survey.settings.secrets), &mut out)?,
    }
    Ok(out.flush()?)
}

/// Drift is 2; what only the file changed is pending, and no drift.
pub fn ending(drift: &Drift) -> Exit {
    let drifted = if drift.summary.drifted() > 0 { Exit::Changes } else { Exit::Done };
    drifted.and(plan::reading(&drift.plan))
}
