//! A planned change reversed: from what repairs live IAM to what was done to it.

use serde_json::Value;

use crate::org::{AccountId, Partition};
use crate::plan::{Action, Attribute, AttributeDiff, Change, DocumentDiff};
use crate::resource::policy::{PolicyDocument, PolicyKind, StatementDiff};

/// What was done, given what would undo it.
pub fn reversed(mut change: Change) -> Change {
    change.action = match change.action {
        Action::Create => Action::Delete,
        Action::Delete => Action::Create,
        same @ (Action::Update | Action::Replace | Action::Adopt) => same,
    };
    let account = change.address.split('/').next().unwrap_or_default();
    let home = AccountId::parse(account).ok();
    let reversed = |diff| reversed_diff(home, diff);
    change.diffs = change.diffs.into_iter().map(reversed).collect();
    change
}

fn reversed_diff(home: Option<AccountId>, diff: AttributeDiff) -> AttributeDiff {
    let AttributeDiff {
        attribute,
        cosmetic,
        widens: _,
        reverse_widens,
        cause,
        before: live,
        after: desired,
        documents,
    } = diff;
    let documents: Vec<DocumentDiff> = documents
        .into_iter()
        .map(|document| {
            let (desired, live) = (
                part(&desired, document.policy.as_deref()),
                part(&live, document.policy.as_deref()),
            );
            let statements = statements((attribute, home), desired, live)
                .unwrap_or_else(|| turned(document.statements));
            DocumentDiff {
                policy: document.policy,
                statements,
            }
        })
        .collect();
    let widens = documents
        .iter()
        .flat_map(|document| &document.statements)
        .any(|statement| statement.widens)
        || reverse_widens;
    AttributeDiff {
        attribute,
        cosmetic,
        widens,
        reverse_widens: false,
        cause,
        before: desired,
        after: live,
        documents,
    }
}

fn part<'a>(value: &'a Value, policy: Option<&str>) -> Option<&'a Value> {
    match policy {
        Some(name) => value.get(name),
        None => Some(value),
    }
}

/// The differences between two documents that are there and understood.
fn statements(
    (attribute, home): (Attribute, Option<AccountId>),
    desired: Option<&Value>,
    live: Option<&Value>,
) -> Option<Vec<StatementDiff>> {
    let kind = if attribute == Attribute::Trust {
        PolicyKind::Trust
    } else {
        PolicyKind::Identity
    };
    let read = |value: &Value| PolicyDocument::from_value(value, kind, &Partition::default()).ok();
    let found = read(desired?)?.statement_diffs_in(home, &read(live?)?);
    // Where sensitive values are masked on both sides nothing may be left to see.
    (!found.is_empty()).then_some(found)
}

/// Statement by statement the other way round; what then comes is taken to widen, unless it denies.
fn turned(statements: Vec<StatementDiff>) -> Vec<StatementDiff> {
    let denies = |value: &Value| value.get("Effect").and_then(Value::as_str) == Some("Deny");
    statements
        .into_iter()
        .map(
            |StatementDiff {
                 before: live,
                 after: desired,
                 widens: _,
                 cosmetic,
             }| StatementDiff {
                widens: live.as_ref().is_some_and(|live| !denies(live))
                    || desired.as_ref().is_some_and(denies),
                before: desired,
                after: live,
                cosmetic,
            },
        )
        .collect()
}
