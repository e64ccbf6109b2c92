//! What the desired state's own checks, its lints and its selectors say of a plan.

use super::granted_roles::GrantedRoles;
use super::{Survey, selectors};
use crate::config::{CheckFinding, Weight};
use crate::desired::Desired;
use crate::plan::{self, Action, Finding, Intent, Plan, ResourceKind, Severity};
use crate::resource::grant::OutsideGrant;

/// Adds what lints say, and what the desired state's own checks do: over roles and policies, and over the plan.
pub(super) fn add(plan: Plan, survey: &Survey, granted: &GrantedRoles) -> Plan {
    if survey.settings.intent == Intent::Destroy {
        let kept = kept(&plan, &survey.expansion.desired);
        return plan.with_findings(kept);
    }
    let whole = survey.config.plan_checks(
        || plan.shown(&survey.settings.secrets),
        &survey.organization,
    );
    let found = survey.expansion.findings.iter().cloned().chain(whole);
    let desired = &survey.expansion.desired;
    let settle = |outside: &OutsideGrant| OutsideGrant {
        grant: granted.settle(outside.grant.clone()),
        ..outside.clone()
    };
    let outside: Vec<OutsideGrant> = desired.outside.iter().map(settle).collect();
    let lints = plan::lints(&survey.settings, &desired.accounts);
    let selectors = selectors::findings(&plan, survey);
    plan.with_findings(
        found
            .map(finding)
            .chain(lints)
            .chain(selectors)
            .chain(plan::outside(&outside, &desired.secrets)),
    )
}

/// The findings on what is destroyed although it must never be deleted.
fn kept(plan: &Plan, desired: &Desired) -> Vec<Finding> {
    let deletions = plan
        .accounts
        .iter()
        .flat_map(|part| part.changes.iter().map(move |change| (part.id, change)));
    let found = deletions
        .filter(|(_, change)| change.action == Action::Delete)
        .filter_map(|(account, change)| {
            let held = desired.accounts.get(&account)?;
            let (kind, name, kept) = match change.resource()? {
                ResourceKind::Role(name) => (
                    "role",
                    name.to_string(),
                    held.roles.get(&name.key())?.prevent_destroy,
                ),
                ResourceKind::Policy(name) => (
                    "policy",
                    name.to_string(),
                    held.policies.get(&name.key())?.prevent_destroy,
                ),
                ResourceKind::Grant(_) | ResourceKind::Attachment(_) => return None,
            };
            kept.then(|| plan::prevent_destroy(kind, &name, &change.address, "delete"))
        });
    found.collect()
}

/// What a check found, as a plan says it.
pub fn finding(found: CheckFinding) -> Finding {
    let CheckFinding {
        code,
        severity,
        address,
        message,
    } = found;
    let severity = match severity {
        Weight::Stop => Severity::Stop,
        Weight::Warn => Severity::Warn,
    };
    Finding {
        code,
        severity,
        address,
        message,
    }
}
