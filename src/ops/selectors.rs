//! What selectors that match nothing mean for a plan: a finding in every format, and a stop where a resource would be
//! deleted because of one.

use std::collections::BTreeSet;
use std::path::Path;

use super::Survey;
use crate::config::{Expansion, Problem, Unmatched};
use crate::desired::AccountDesired;
use crate::plan::{Action, Change, Extras, Finding, Intent, Plan, ResourceKind, Severity};

/// The findings on the selectors of a desired state.
pub fn findings(plan: &Plan, survey: &Survey) -> Vec<Finding> {
    let warnings = survey
        .config
        .warnings()
        .iter()
        .chain(&survey.expansion.warnings);
    let told = warnings
        .filter(|problem| problem.code == "selector")
        .map(|problem| warning(problem, survey.config.directory()));
    let prunes =
        survey.settings.extras == Extras::Remove && survey.settings.intent == Intent::Converge;
    let deleted = if prunes {
        deletions(plan, &survey.expansion)
    } else {
        Vec::new()
    };
    told.chain(deleted).collect()
}

fn warning(problem: &Problem, directory: &Path) -> Finding {
    // Wherever the directory lies, the plan says the same.
    let file = Path::new(&problem.file);
    let file = file.strip_prefix(directory).unwrap_or(file).display();
    let place = match problem.line {
        0 => file.to_string(),
        line => format!("{file}:{line}"),
    };
    let hint = problem
        .hint
        .as_ref()
        .map(|hint| format!("; {hint}"))
        .unwrap_or_default();
    Finding {
        code: "selector".to_owned(),
        severity: Severity::Warn,
        address: None,
        message: format!("{place}: {}{hint}", problem.message),
    }
}

/// The stop findings on resources that are no longer desired, perhaps because a selector of theirs matches no account.
/// What goes with a role, its policies and grants, may go for the same reason.
fn deletions(plan: &Plan, expansion: &Expansion) -> Vec<Finding> {
    let unmatched = &expansion.unmatched;
    let mut found = Vec::new();
    for part in &plan.accounts {
        let desired = expansion.desired.accounts.get(&part.id);
        let gone = part
            .changes
            .iter()
            .filter(|change| change.action == Action::Delete && !is_named(change, desired));
        let with_role: BTreeSet<&str> = gone
            .clone()
            .filter_map(|change| cause(change, unmatched))
            .map(|one| one.of.as_str())
            .collect();
        for change in gone {
            let one = cause(change, unmatched).or_else(|| {
                let role =
                    |one: &&Unmatched| one.kind == "role" && with_role.contains(one.of.as_str());
                let is_role = matches!(change.resource(), Some(ResourceKind::Role(_)));
                unmatched.iter().find(role).filter(|_| !is_role)
            });
            found.extend(one.map(|one| stop(change, one)));
        }
    }
    found
}

/// Whether the desired state names a resource that is deleted: as absent, or as expired.
fn is_named(change: &Change, desired: Option<&AccountDesired>) -> bool {
    desired.is_some_and(|desired| match change.resource() {
        Some(ResourceKind::Role(name)) => desired.roles.contains_key(&name.key()),
        Some(ResourceKind::Policy(name)) => desired.policies.contains_key(&name.key()),
        Some(ResourceKind::Grant(principal)) => desired.grants.contains_key(&principal.key()),
        Some(ResourceKind::Attachment(id)) => desired.attachments.contains_key(&id.key()),
        None => false,
    })
}

/// The selector because of which a resource is not desired any more.
fn cause<'a>(change: &Change, unmatched: &'a [Unmatched]) -> Option<&'a Unmatched> {
    let (kind, name) = match change.resource()? {
        ResourceKind::Role(name) => ("role", Some(name.key())),
        ResourceKind::Policy(name) => ("policy", Some(name.key())),
        ResourceKind::Grant(_) => ("grant", None),
        ResourceKind::Attachment(_) => ("attachment", None),
    };
    unmatched.iter().find(|one| {
        let is_it = |wanted: &String| {
            name.as_ref()
                .is_none_or(|name| *name == wanted.to_ascii_lowercase())
        };
        one.kind == kind && one.name.as_ref().is_none_or(is_it)
    })
}

fn stop(change: &Change, unmatched: &Unmatched) -> Finding {
    let Unmatched { selector, of, .. } = unmatched;
    let selector = if selector.is_empty() {
        "its empty `targets`".to_owned()
    } else {
        format!("the selector {{ {selector} }}")
    };
    Finding {
        code: "selector-deletes".to_owned(),
        severity: Severity::Stop,
        address: Some(change.address.clone()),
        message: format!(
            "`{}` would be deleted, and {selector} of {of} matches no account: where a renamed account or a changed tag is \
             the reason, fix the selector; where it is meant, take the selector away or use `--allow selector-deletes`",
            change.address
        ),
    }
}
