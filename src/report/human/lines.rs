//! The lines of two JSON values that differ.
//!
//! A changed statement shows its meaning only: members stand in IAM's usual order, lists are sorted, and where the
//! two sides spell one thing in two ways (the case of an action, an account's id for its root ARN) the new spelling
//! depends on both. A comma that comes because a line follows is not a change. A long value shows its changes with
//! the members they are in.

use std::io;
use std::ops::Range;

use serde_json::{Map, Value};
use similar::{Algorithm, ChangeTag, DiffOp, InlineChange, InlineChangeOptions, TextDiff};

use crate::report::style::{Page, Tone};

/// Unchanged lines shown around a change of a long value.
const CONTEXT: usize = 2;

/// A value of so many lines is shown as a whole.
const SHORT: usize = 24;

/// The order in which a statement's members are read.
const MEMBERS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

/// Writes the lines that differ, with some around them and the differing words of a line emphasized.
pub fn difference(
    before: &Value,
    after: &Value,
    indent: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let (before, after) = (
        indented(before, Layout::Long, 0),
        indented(after, Layout::Long, 0),
    );
    let (before, after): (Vec<&str>, Vec<&str>) =
        (before.lines().collect(), after.lines().collect());
    let (old, new): (Vec<&str>, Vec<&str>) = (without_commas(&before), without_commas(&after));
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Patience)
        .diff_slices(&old, &new);
    let context = if before.len().max(after.len()) <= SHORT {
        SHORT
    } else {
        CONTEXT
    };
    let hunks = diff.grouped_ops(context);
    if hunks.is_empty() {
        // The version of the document alone differs: the statement is shown, for its meaning does.
        return whole_unchanged(&after, indent, page);
    }
    let mut shown = 0;
    for hunk in hunks {
        let first = hunk.first().map_or(0, |op| op.new_range().start);
        enclosing(&after, shown..first, indent, page)?;
        for op in &hunk {
            for change in
                diff.iter_inline_changes_with_options_deadline(op, InlineChangeOptions::new(), None)
            {
                let original = match change.tag() {
                    ChangeTag::Delete => change.old_index().and_then(|at| before.get(at)),
                    ChangeTag::Equal | ChangeTag::Insert => {
                        change.new_index().and_then(|at| after.get(at))
                    }
                };
                let line = changed_line(
                    &change,
                    original.is_some_and(|line| line.ends_with(',')),
                    page,
                );
                page.line(indent, &line)?;
            }
        }
        shown = hunk.last().map_or(shown, |op: &DiffOp| op.new_range().end);
    }
    Ok(())
}

fn whole_unchanged(lines: &[&str], indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    for line in lines {
        let line = page.paint(Tone::Faint, &format!("  {line}"));
        page.line(indent, &line)?;
    }
    Ok(())
}

fn without_commas<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    lines
        .iter()
        .map(|line| line.strip_suffix(',').unwrap_or(line))
        .collect()
}

/// Writes the lines of a gap that open what the next shown line is in, and a mark for the others.
fn enclosing(
    lines: &[&str],
    gap: Range<usize>,
    indent: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut inside = lines.get(gap.end).map_or(0, |line| depth(line));
    let mut openers: Vec<(usize, &str)> = Vec::new();
    for (at, line) in lines.iter().enumerate().take(gap.end).skip(gap.start).rev() {
        if depth(line) < inside {
            inside = depth(line);
            openers.push((at, line));
        }
    }
    openers.reverse();
    let mut next = gap.start;
    for (at, line) in openers.into_iter().chain([(gap.end, "")]) {
        if at > next {
            let skipped = page.paint(
                Tone::Faint,
                &format!(
                    "  {:1$}…",
                    "",
                    depth(lines.get(next).copied().unwrap_or(""))
                ),
            );
            page.line(indent, &skipped)?;
        }
        if !line.is_empty() {
            let line = page.paint(Tone::Faint, &format!("  {line}"));
            page.line(indent, &line)?;
        }
        next = at + 1;
    }
    Ok(())
}

fn changed_line(change: &InlineChange<'_, str>, comma: bool, page: &Page<'_>) -> String {
    let comma = if comma { "," } else { "" };
    let (sign, tone, part) = match change.tag() {
        ChangeTag::Equal => ("  ", Tone::Faint, Tone::Faint),
        ChangeTag::Delete => ("- ", Tone::Removed, Tone::RemovedPart),
        ChangeTag::Insert => ("+ ", Tone::Added, Tone::AddedPart),
    };
    let mut line = String::new();
    let mut plain = sign.to_owned();
    for (emphasized, text) in change.iter_strings_lossy() {
        if emphasized && part != tone {
            line += &page.paint(tone, &std::mem::take(&mut plain));
            line += &page.paint(part, &text);
        } else {
            plain += &text;
        }
    }
    plain += comma;
    line += &page.paint(tone, &plain);
    line
}

/// A statement with its members in the usual order and lists of one entry as that entry.
pub fn ordered(statement: &Value) -> Value {
    let Value::Object(members) = statement else {
        return statement.clone();
    };
    let usual = MEMBERS
        .iter()
        .filter_map(|name| members.get_key_value(*name));
    let others = members
        .iter()
        .filter(|(name, _)| !MEMBERS.contains(&name.as_str()));
    Value::Object(
        usual
            .chain(others)
            .map(|(name, value)| (name.clone(), without_lists_of_one(value)))
            .collect(),
    )
}

fn without_lists_of_one(value: &Value) -> Value {
    match value {
        Value::Array(items) => match items.as_slice() {
            [single] => single.clone(),
            _ => value.clone(),
        },
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), without_lists_of_one(value)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Two statements with what means the same spelled the same.
pub fn aligned(before: &Value, after: &Value) -> (Value, Value) {
    let (mut before, mut after) = (ordered(before), ordered(after));
    if let (Value::Object(before), Value::Object(after)) = (&mut before, &mut after) {
        for (name, old) in before {
            let Some(new) = after.get_mut(name) else {
                continue;
            };
            match name.as_str() {
                "Action" | "NotAction" => align(old, new, str::eq_ignore_ascii_case),
                "Principal" | "NotPrincipal" => align(old, new, same_principal),
                _ => align(old, new, str::eq),
            }
        }
    }
    (before, after)
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
    shared
        .chain(others)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            vec![value.clone()]
        }
    }
}

fn respell(item: &mut Value, others: &[Value], same: fn(&str, &str) -> bool) {
    let Some(text) = item.as_str() else { return };
    let other = others
        .iter()
        .find(|other| other.as_str().is_some_and(|other| same(text, other)));
    if let Some(other) = other {
        *item = other.clone();
    }
}

/// A bare account id is its root ARN. Source: IAM User Guide, JSON policy elements: Principal.
fn same_principal(a: &str, b: &str) -> bool {
    let account = |text: &str| -> String {
        let root = text
            .strip_suffix(":root")
            .and_then(|arn| arn.rsplit(':').next());
        root.unwrap_or(text).to_owned()
    };
    account(a) == account(b)
}

/// JSON with two spaces of indent; an object of one plain entry stays on its line.
pub fn pretty(value: &Value) -> String {
    indented(value, Layout::Short, 0)
}

/// Whether an object of one plain entry stays on its line. Where lines are compared it would hide that an entry
/// joined it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Short,
    Long,
}

fn indented(value: &Value, layout: Layout, indent: usize) -> String {
    let inner = indent + 2;
    let block = |open: char, entries: Vec<String>, close: char| {
        let entries = entries.join(&format!(",\n{:inner$}", ""));
        format!("{open}\n{:inner$}{entries}\n{:indent$}{close}", "", "")
    };
    let member = |(name, value): (&String, &Value)| {
        format!(
            "{}: {}",
            Value::from(name.as_str()),
            indented(value, layout, inner)
        )
    };
    match value {
        Value::Object(members) if layout == Layout::Short && is_short(members) => {
            format!("{{ {} }}", members.iter().map(member).collect::<String>())
        }
        Value::Object(members) if !members.is_empty() => {
            block('{', members.iter().map(member).collect(), '}')
        }
        Value::Array(items) if !items.is_empty() => block(
            '[',
            items
                .iter()
                .map(|item| indented(item, layout, inner))
                .collect(),
            ']',
        ),
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => value.to_string(),
    }
}

fn is_short(members: &Map<String, Value>) -> bool {
    members.len() == 1
        && members
            .values()
            .all(|value| !value.is_object() && !value.is_array())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_means_the_same_is_spelled_the_same() {
        let before = json!({"Action": ["S3:getobject", "s3:PutObject"], "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Resource": ["b", "a"],
            "Condition": {"StringEquals": {"b": "1", "a": ["2"]}}});
        let after = json!({"Effect": "Allow", "Principal": {"AWS": ["111111111111"]}, "Resource": ["a", "b"],
            "Action": ["s3:PutObject", "s3:GetObject"], "Condition": {"StringEquals": {"a": "2", "b": ["1"]}}});
        let (before, after) = aligned(&before, &after);
        assert_eq!(pretty(&before), pretty(&after));
    }

    #[test]
    fn what_means_something_else_still_differs() {
        for (member, before, after) in [
            ("Resource", json!("arn:aws:s3:::A"), json!("arn:aws:s3:::a")),
            (
                "Principal",
                json!({"AWS": "arn:aws:iam::111111111111:root"}),
                json!({"AWS": "arn:aws:iam::111111111111:role/x"}),
            ),
            (
                "Principal",
                json!({"AWS": "111111111111"}),
                json!({"AWS": "222222222222"}),
            ),
            (
                "Condition",
                json!({"StringEquals": {"k": "A"}}),
                json!({"StringEquals": {"k": "a"}}),
            ),
            ("Action", json!(["s3:Get", "s3:Put"]), json!(["s3:Get"])),
        ] {
            let (before, after) = aligned(&json!({ member: before }), &json!({ member: after }));
            assert_ne!(pretty(&before), pretty(&after), "{member}");
        }
    }
}
