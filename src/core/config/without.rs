//! `without`: takes actions away from a document that someone else wrote.
//!
//! Only what an Allow gives is taken: to take an action from a Deny would give it. An action goes where a pattern
//! covers all of it.

use super::place::Place;
use super::problem::{Problem, Problems};
use super::tree::{Node, Table, Value};
use crate::resource::policy::pattern::{self, Variables};

/// Takes the actions that match any of the patterns in `without` from `document`.
pub fn apply(document: &mut Node, without: &Node, title: &str, problems: &mut Problems) {
    let patterns = without.strings();
    let mut used = vec![false; patterns.len()];
    let mut kept = Vec::new();
    let Value::Table(table) = &mut document.value else {
        return;
    };
    let Some((_, statements)) = table
        .entries
        .iter_mut()
        .find(|(key, _)| key.text == "Statement")
    else {
        return;
    };
    if statements.items().is_empty() {
        return;
    }
    for mut statement in statements.items().to_vec() {
        if take(&mut statement, &patterns, &mut used, title, problems) == Left::Something {
            kept.push(statement);
        }
    }
    if kept.is_empty() {
        let message =
            format!("{title} has no statement left: `without` drops everything that it allows");
        let problem = Problem::error("value", &without.place, message);
        return problems.push(problem.hint("leave the policy out with `when`, or drop less"));
    }
    statements.value = Value::Array(kept);
    for ((text, place), _) in patterns.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!("{title}: `without` names `{text}`, which matches no action");
        problems.push(
            Problem::warning("without", place, message)
                .hint("a pattern drops only actions that it covers completely"),
        );
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Something,
    Nothing,
}

fn take(
    statement: &mut Node,
    patterns: &[(&str, &Place)],
    used: &mut [bool],
    title: &str,
    problems: &mut Problems,
) -> Left {
    let Value::Table(table) = &mut statement.value else {
        return Left::Something;
    };
    if table.get("Effect").and_then(Node::as_str) != Some("Allow") {
        return Left::Something;
    }
    if let Some((key, _)) = table.entry("NotAction") {
        let message = format!("{title}: `without` does not change a statement with NotAction");
        problems.push(
            Problem::warning("without", &key.place, message)
                .hint("add the actions to its NotAction"),
        );
    }
    let Some(actions) = member(table, "Action") else {
        return Left::Something;
    };
    let mut kept = Vec::new();
    for action in actions.items() {
        match action.as_str().map(|text| covered(text, patterns, used)) {
            Some(true) => {}
            _ => kept.push(action.clone()),
        }
    }
    if kept.is_empty() {
        return Left::Nothing;
    }
    if actions.as_array().is_some() {
        actions.value = Value::Array(kept);
    }
    Left::Something
}

fn member<'a>(table: &'a mut Table, name: &str) -> Option<&'a mut Node> {
    table
        .entries
        .iter_mut()
        .find(|(key, _)| key.text == name)
        .map(|(_, node)| node)
}

/// Whether any pattern covers the action; notes every one that does.
fn covered(action: &str, patterns: &[(&str, &Place)], used: &mut [bool]) -> bool {
    let action = action.to_ascii_lowercase();
    let action = pattern::tokens(&action, Variables::Literal);
    let mut any = false;
    for ((text, _), used) in patterns.iter().zip(used) {
        let text = text.to_ascii_lowercase();
        let covers = pattern::covers(&pattern::tokens(&text, Variables::Literal), &action);
        *used |= covers;
        any |= covers;
    }
    any
}
