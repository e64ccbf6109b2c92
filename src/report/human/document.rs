//! Policy documents for a reader: what changes statement by statement, and what a whole document says in a few words.

use std::io;

use serde_json::{Map, Value};

use super::lines::{self, ordered, pretty};
use super::margin::widens_mark;
use crate::plan::AttributeDiff;
use crate::report::style::{Page, Tone};
use crate::resource::policy::StatementDiff;

/// Names shown of a list before the rest is counted.
const NAMED: usize = 4;

/// Writes what differs in the documents of an attribute.
pub fn differences(diff: &AttributeDiff, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    if diff.documents.is_empty() {
        return whole_difference(&diff.before, &diff.after, indent, page);
    }
    for document in &diff.documents {
        let mut indent = indent;
        if let Some(policy) = &document.policy {
            let (sign, tone) = match (diff.before.get(policy), diff.after.get(policy)) {
                (None, Some(_)) => ('+', Tone::Added),
                (Some(_), None) => ('-', Tone::Removed),
                _ => ('~', Tone::Changed),
            };
            let line = page.paint(tone, &format!("{sign} {policy}"));
            page.line(indent, &line)?;
            indent += 2;
        }
        for statement in &document.statements {
            statement_difference(statement, indent, page)?;
        }
    }
    Ok(())
}

fn whole_difference(
    before: &Value,
    after: &Value,
    indent: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    match (before.is_null(), after.is_null()) {
        (true, _) => whole(after, '+', Tone::Added, indent, page),
        (_, true) => whole(before, '-', Tone::Removed, indent, page),
        _ => lines::difference(before, after, indent, page),
    }
}

/// Writes a whole document, each line with a sign.
pub fn whole(
    document: &Value,
    sign: char,
    tone: Tone,
    indent: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    for line in pretty(document).lines() {
        let line = page.paint(tone, &format!("{sign} {line}"));
        page.line(indent, &line)?;
    }
    Ok(())
}

fn statement_difference(
    diff: &StatementDiff,
    indent: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let StatementDiff {
        before,
        after,
        widens,
        cosmetic,
    } = diff;
    let (sign, tone) = match (before, after) {
        _ if *cosmetic => ('≈', Tone::Faint),
        (None, _) => ('+', Tone::Added),
        (_, None) => ('-', Tone::Removed),
        _ => ('~', Tone::Changed),
    };
    let statement = after.as_ref().or(before.as_ref()).unwrap_or(&Value::Null);
    let sid = statement
        .get("Sid")
        .and_then(Value::as_str)
        .map_or_else(String::new, |sid| format!(" {sid}"));
    let label = format!("{sign} {}statement{sid}", denial(statement));
    let mut line = page.paint(tone, &label);
    if *widens {
        line += &widens_mark(page);
    }
    page.line(indent, &line)?;
    if *cosmetic && !page.style.is_verbose() {
        return Ok(());
    }
    match (before, after) {
        (None, None) => Ok(()),
        (None, Some(after)) => whole(&ordered(after), '+', Tone::Added, indent + 2, page),
        (Some(before), None) => whole(&ordered(before), '-', Tone::Removed, indent + 2, page),
        (Some(before), Some(after)) if *cosmetic => {
            lines::difference(before, after, indent + 2, page)
        }
        (Some(before), Some(after)) => {
            let (before, after) = lines::aligned(before, after);
            lines::difference(&before, &after, indent + 2, page)
        }
    }
}

/// Who a trust policy lets in, and under which condition keys: one line for each statement.
pub fn trust_summary(document: &Value) -> Vec<String> {
    statements(document)
        .map(|statement| {
            let who = match (statement.get("Principal"), statement.get("NotPrincipal")) {
                (Some(who), _) => names(&leaves(who)),
                (None, Some(others)) => format!("everyone but {}", names(&leaves(others))),
                (None, None) => "no principal".to_owned(),
            };
            format!("{}{who}{}", denial(statement), conditions(statement))
        })
        .collect()
}

/// What a policy allows and denies: one line for each statement.
pub fn summary(document: &Value) -> Vec<String> {
    statements(document)
        .map(|statement| {
            let what = match (statement.get("Action"), statement.get("NotAction")) {
                (Some(actions), _) => names(&leaves(actions)),
                (None, Some(others)) => format!("everything but {}", names(&leaves(others))),
                (None, None) => "nothing".to_owned(),
            };
            let on = match (statement.get("Resource"), statement.get("NotResource")) {
                (Some(resources), _) => format!(" on {}", names(&leaves(resources))),
                (None, Some(others)) => format!(" on everything but {}", names(&leaves(others))),
                (None, None) => String::new(),
            };
            let verb = if denial(statement).is_empty() {
                "allow "
            } else {
                "deny "
            };
            format!("{verb}{what}{on}{}", conditions(statement))
        })
        .collect()
}

/// The statements of a document: a list, or a single one.
fn statements(document: &Value) -> impl Iterator<Item = &Value> {
    let (many, single) = match document.get("Statement") {
        Some(Value::Array(items)) => (items.as_slice(), None),
        single => (&[][..], single),
    };
    many.iter().chain(single)
}

fn denial(statement: &Value) -> &'static str {
    if statement.get("Effect").and_then(Value::as_str) == Some("Deny") {
        "deny "
    } else {
        ""
    }
}

/// The condition keys; their values are left to the whole document.
fn conditions(statement: &Value) -> String {
    let operators = statement
        .get("Condition")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::values);
    let keys: Vec<&str> = operators
        .filter_map(Value::as_object)
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    if keys.is_empty() {
        String::new()
    } else {
        format!(" if {}", keys.join(", "))
    }
}

/// The strings in a value, however deep.
fn leaves(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(leaves).collect(),
        Value::Object(members) => members.values().flat_map(leaves).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn names(all: &[&str]) -> String {
    let shown = if all.len() > NAMED + 1 {
        NAMED
    } else {
        all.len()
    };
    let text = all
        .iter()
        .take(shown)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > shown {
        format!("{text} + {} more", all.len() - shown)
    } else {
        text
    }
}
