//! Policy documents for a reader: statement by statement, as JSON that changes line by line.
//!
//! The lines of a changed statement show its meaning only: members stand in IAM's usual order, lists are sorted, and where the two
//! sides spell one thing in two ways (the case of an action, an account's id for its root ARN) the new spelling stands on both.

use std::io;

use serde_json::{Map, Value};
use similar::{Algorithm, ChangeTag, InlineChange, InlineChangeOptions, TextDiff};

use super::widens_mark;
use crate::plan::AttributeDiff;
use crate::report::style::{Page, Tone};
use crate::resource::policy::StatementDiff;

/// Unchanged lines shown around a change.
const CONTEXT: usize = 2;

/// Names shown of a list before the rest is counted.
const NAMED: usize = 4;

/// The order in which a statement's members are read.
const MEMBERS: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

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

fn whole_difference(before: &Value, after: &Value, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    match (before.is_null(), after.is_null()) {
        (true, _) => whole(after, '+', Tone::Added, indent, page),
        (_, true) => whole(before, '-', Tone::Removed, indent, page),
        _ => lines_difference(&pretty(before), &pretty(after), indent, page),
    }
}

/// Writes a whole document, each line with a sign.
pub fn whole(document: &Value, sign: char, tone: Tone, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    for line in pretty(document).lines() {
        let line = page.paint(tone, &format!("{sign} {line}"));
        page.line(indent, &line)?;
    }
    Ok(())
}

fn statement_difference(diff: &StatementDiff, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    let StatementDiff { before, after, widens, cosmetic } = diff;
    let (sign, tone) = match (before, after) {
        _ if *cosmetic => ('≈', Tone::Faint),
        (None, _) => ('+', Tone::Added),
        (_, None) => ('-', Tone::Removed),
        _ => ('~', Tone::Changed),
    };
    let sid = after.as_ref().or(before.as_ref()).and_then(|statement| statement.get("Sid")).and_then(Value::as_str);
    let label = sid.map_or_else(|| format!("{sign} statement"), |sid| format!("{sign} statement {sid}"));
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
        (Some(before), Some(after)) if *cosmetic => lines_difference(&pretty(before), &pretty(after), indent + 2, page),
        (Some(before), Some(after)) => {
            let (mut before, mut after) = (ordered(before), ordered(after));
            align_statement(&mut before, &mut after);
            lines_difference(&pretty(&before), &pretty(&after), indent + 2, page)
        }
    }
}

/// Writes the lines that differ, with some around them and the differing words of a line emphasized.
fn lines_difference(before: &str, after: &str, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    let diff = TextDiff::configure().algorithm(Algorithm::Patience).diff_lines(before, after);
    for (at, hunk) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if at > 0 {
            let gap = page.paint(Tone::Faint, "  …");
            page.line(indent, &gap)?;
        }
        for op in hunk {
            for change in diff.iter_inline_changes_with_options_deadline(op, InlineChangeOptions::new(), None) {
                let line = changed_line(&change, page);
                page.line(indent, &line)?;
            }
        }
    }
    Ok(())
}

fn changed_line(change: &InlineChange<'_, str>, page: &Page<'_>) -> String {
    let (sign, tone, part) = match change.tag() {
        ChangeTag::Equal => (" ", Tone::Faint, Tone::Faint),
        ChangeTag::Delete => ("-", Tone::Removed, Tone::RemovedPart),
        ChangeTag::Insert => ("+", Tone::Added, Tone::AddedPart),
    };
    let mut line = page.paint(tone, &format!("{sign} "));
    for (emphasized, text) in change.iter_strings_lossy() {
        line += &page.paint(if emphasized { part } else { tone }, text.trim_end_matches('\n'));
    }
    line
}

/// A statement with its members in the usual order and lists of one entry as that entry.
fn ordered(statement: &Value) -> Value {
    let Value::Object(members) = statement else { return statement.clone() };
    let usual = MEMBERS.iter().filter_map(|name| members.get_key_value(*name));
    let others = members.iter().filter(|(name, _)| !MEMBERS.contains(&name.as_str()));
    Value::Object(usual.chain(others).map(|(name, value)| (name.clone(), without_lists_of_one(value))).collect())
}

fn without_lists_of_one(value: &Value) -> Value {
    match value {
        Value::Array(items) => match items.as_slice() {
            [single] => single.clone(),
            _ => value.clone(),
        },
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), without_lists_of_one(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn align_statement(before: &mut Value, after: &mut Value) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else { return };
    for (name, old) in before {
        let Some(new) = after.get_mut(name) else { continue };
        match name.as_str() {
            "Action" | "NotAction" => align(old, new, str::eq_ignore_ascii_case),
            "Principal" | "NotPrincipal" => align(old, new, same_principal),
            _ => align(old, new, str::eq),
        }
    }
}

/// Gives both sides one shape, one order and, where `same` says two entries mean the same, one spelling.
fn align(before: &mut Value, after: &mut Value, same: fn(&str, &str) -> bool) {
    if let (Value::Object(before), Value::Object(after)) = (&mut *before, &mut *after) {
        *before = in_order_of(before, after);
        for (name, old) in before {
            if let Some(new) = after.get_mut(name) {
                align(old, new, same);
            }
        }
        return;
    }
    if !before.is_array() && !after.is_array() {
        respell(before, std::slice::from_ref(after), same);
        return;
    }
    let (mut old, mut new) = (list(before), list(after));
    for item in &mut old {
        respell(item, &new, same);
    }
    old.sort_by_key(Value::to_string);
    new.sort_by_key(Value::to_string);
    (*before, *after) = (Value::Array(old), Value::Array(new));
}

/// The members of `members`, those that `like` has too first and in its order.
fn in_order_of(members: &Map<String, Value>, like: &Map<String, Value>) -> Map<String, Value> {
    let shared = like.keys().filter_map(|name| members.get_key_value(name));
    let others = members.iter().filter(|(name, _)| !like.contains_key(*name));
    shared.chain(others).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![value.clone()],
    }
}

fn respell(item: &mut Value, others: &[Value], same: fn(&str, &str) -> bool) {
    let Some(text) = item.as_str() else { return };
    let other = others.iter().find(|other| other.as_str().is_some_and(|other| same(text, other)));
    if let Some(other) = other {
        *item = other.clone();
    }
}

/// A bare account id is its root ARN. Source: IAM User Guide, JSON policy elements: Principal.
fn same_principal(a: &str, b: &str) -> bool {
    let account = |text: &str| -> String {
        let root = text.strip_suffix(":root").and_then(|arn| arn.rsplit(':').next());
        root.unwrap_or(text).to_owned()
    };
    account(a) == account(b)
}

/// JSON with two spaces of indent; an object of one plain entry stays on its line.
fn pretty(value: &Value) -> String {
    indented(value, 0)
}

fn indented(value: &Value, indent: usize) -> String {
    let inner = indent + 2;
    let block = |open: char, entries: Vec<String>, close: char| {
        let entries = entries.join(&format!(",\n{:inner$}", ""));
        format!("{open}\n{:inner$}{entries}\n{:indent$}{close}", "", "")
    };
    let member =
        |(name, value): (&String, &Value)| format!("{}: {}", Value::from(name.as_str()), indented(value, inner));
    match value {
        Value::Object(members) if is_short(members) => {
            format!("{{ {} }}", members.iter().map(member).collect::<String>())
        }
        Value::Object(members) if !members.is_empty() => block('{', members.iter().map(member).collect(), '}'),
        Value::Array(items) if !items.is_empty() => {
            block('[', items.iter().map(|item| indented(item, inner)).collect(), ']')
        }
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            value.to_string()
        }
    }
}

fn is_short(members: &Map<String, Value>) -> bool {
    members.len() == 1 && members.values().all(|value| !value.is_object() && !value.is_array())
}

/// Who a trust policy lets in, and under which condition keys: one line for each statement.
pub fn trust_summary(document: &Value) -> Vec<String> {
    statements(document)
        .map(|statement| {
            let who = match (statement.get("Principal"), statement.get("NotPrincipal")) {
                (Some(who), _) => names(&leaves(who)),
                (None, Some(others)) => format!("everyone but {}", names(&leaves(others))),
                (None, None) => "nobody".to_owned(),
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
            let verb = if denial(statement).is_empty() { "allow " } else { "deny " };
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
    if statement.get("Effect").and_then(Value::as_str) == Some("Deny") { "deny " } else { "" }
}

/// The condition keys; their values are left to the whole document.
fn conditions(statement: &Value) -> String {
    let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flat_map(Map::values);
    let keys: Vec<&str> = operators.filter_map(Value::as_object).flat_map(Map::keys).map(String::as_str).collect();
    if keys.is_empty() { String::new() } else { format!(" if {}", keys.join(", ")) }
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
    let shown = if all.len() > NAMED + 1 { NAMED } else { all.len() };
    let text = all.iter().take(shown).copied().collect::<Vec<_>>().join(", ");
    if all.len() > shown { format!("{text} + {} more", all.len() - shown) } else { text }
}
