//! What was changed manually since it was last applied. It holds no writer.

use super::{Error, Observer, Survey, history, plan, state};
use crate::aws;
use crate::drift::{self, Drift, History, Scope};
use crate::exit::Exit;
use crate::plan::Unmanaged;
use crate::store::Access;

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether unmanaged roles that trust a principal outside the organization are listed.
    pub unmanaged: bool,
    /// Whether CloudTrail is asked for the authors.
    pub who: bool,
    /// Where the state is, if it is not beside the configuration.
    pub state: Option<String>,
    /// Accounts at once.
    pub parallelism: Option<usize>,
}

/// Reads the accounts and judges what differs. Authors that the check `before` found are not looked up again.
pub async fn look(
    options: &Options,
    survey: &mut Survey,
    aws: &aws::Settings,
    before: Option<&Drift>,
    observer: &dyn Observer,
) -> Result<Drift, Error> {
    // A resource that lost its mark by hand is drift. A plan leaves it alone unless adoption is allowed.
    survey.settings.allow.insert("adopt".to_owned());
    // What is accepted is reported as such, not left out.
    survey.settings.accepts.clear();
    survey.settings.unmanaged = if options.unmanaged {
        Unmanaged::Listed
    } else {
        Unmanaged::Left
    };
    let state = state::open(options.state.as_deref(), survey, aws.clone(), Access::Read).await?;
    let mut plan = plan::plan(survey, options.parallelism, Some(&state), observer).await?;
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
    let scope = if survey.scope.accounts.is_empty() && survey.scope.roles.is_empty() {
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
    if options.who {
        drift.who = history::ask(
            &drift,
            before,
            (survey, &state),
            options.parallelism,
            observer,
        )
        .await?;
    }
    Ok(drift)
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
