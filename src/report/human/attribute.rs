//! What differs in a resource, attribute by attribute.
//!
//! What is created or deleted is shown by what it will hold or held; what is changed by what comes and what goes.

use std::io;

use serde_json::{Map, Value};

use super::document;
use super::margin::widens_mark;
use crate::plan::{Action, Attribute, AttributeDiff, Change};
use crate::report::style::{Page, Tone, columns};

/// Writes the attributes of a change.
pub fn attributes(change: &Change, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    match change.action {
        Action::Create => holding(&change.diffs, Side::After, indent, page),
        Action::Delete => holding(&change.diffs, Side::Before, indent, page),
        Action::Update | Action::Replace | Action::Adopt => differing(&change.diffs, indent, page),
    }
}

/// Which end of a difference is shown.
#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

fn name_width<'a>(diffs: impl Iterator<Item = &'a AttributeDiff>) -> usize {
    diffs
        .map(|diff| columns(diff.attribute.name()))
        .max()
        .unwrap_or(0)
}

/// Tells what a resource holds on one side, in two columns.
fn holding(
    diffs: &[AttributeDiff],
    side: Side,
    indent: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let width = name_width(diffs.iter());
    for diff in diffs {
        let (value, sign, tone) = match side {
            Side::Before => (&diff.before, '-', Tone::Removed),
            Side::After => (&diff.after, '+', Tone::Added),
        };
        if page.style.is_verbose() && is_document(diff.attribute) {
            page.line(indent, diff.attribute.name())?;
            document::whole(value, sign, tone, indent + 2, page)?;
            continue;
        }
        let mut label = diff.attribute.name();
        for content in contents(diff.attribute, value) {
            page.entry(indent, label, width, &content)?;
            label = "";
        }
    }
    Ok(())
}

fn is_document(attribute: Attribute) -> bool {
    matches!(
        attribute,
        Attribute::Trust | Attribute::Document | Attribute::InlinePolicies
    )
}

/// What a value holds, in lines short enough to read.
fn contents(attribute: Attribute, value: &Value) -> Vec<String> {
    let lines = match (attribute, value) {
        (Attribute::Trust, document) => document::trust_summary(document),
        (Attribute::Document, document) => document::summary(document),
        (Attribute::InlinePolicies, Value::Object(policies)) => policies
            .iter()
            .flat_map(|(policy, document)| {
                document::summary(document)
                    .into_iter()
                    .map(move |line| format!("{policy}: {line}"))
            })
            .collect(),
        (Attribute::Tags, Value::Object(tags)) => tags
            .iter()
            .map(|(key, value)| format!("{key} = {}", plain(value)))
            .collect(),
        (_, Value::Array(items)) => items.iter().map(plain).collect(),
        (attribute, value) => vec![scalar(attribute, value)],
    };
    if lines.is_empty() {
        vec!["(none)".to_owned()]
    } else {
        lines
    }
}

/// Tells what comes and goes: attributes of one value in two columns first, then lists, then documents.
fn differing(diffs: &[AttributeDiff], indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    let (scalars, parts): (Vec<&AttributeDiff>, Vec<&AttributeDiff>) =
        diffs.iter().partition(|diff| is_scalar(diff));
    let width = name_width(scalars.iter().copied());
    for diff in scalars {
        scalar_difference(diff, width, indent, page)?;
    }
    for diff in parts {
        heading(diff, indent, page)?;
        match diff.attribute {
            Attribute::Tags => tags(diff, indent + 2, page)?,
            attribute if is_document(attribute) => document::differences(diff, indent + 2, page)?,
            _ => list(diff, indent + 2, page)?,
        }
    }
    Ok(())
}

fn is_scalar(diff: &AttributeDiff) -> bool {
    let simple = |value: &Value| !value.is_object() && !value.is_array();
    !is_document(diff.attribute) && simple(&diff.before) && simple(&diff.after)
}

/// The attribute's name, and what is to be said of all of it.
fn heading(diff: &AttributeDiff, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    let mut line = diff.attribute.name().to_owned();
    if diff.cosmetic {
        line += &page.paint(Tone::Faint, "  ≈ spelling only");
    }
    let marked_within = diff
        .documents
        .iter()
        .flat_map(|document| &document.statements)
        .any(|s| s.widens);
    if diff.widens && !marked_within {
        line += &widens_mark(page);
    }
    page.line(indent, &line)
}

/// `name  before → after`, or a line for each where one is too long.
fn scalar_difference(
    diff: &AttributeDiff,
    width: usize,
    indent: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let (before, after) = (
        scalar(diff.attribute, &diff.before),
        scalar(diff.attribute, &diff.after),
    );
    let fits = indent + width + columns(&before) + columns(&after) + 5 <= page.style.width;
    if !fits {
        heading(diff, indent, page)?;
        signed('-', Tone::Removed, &before, indent + 2, page)?;
        return signed('+', Tone::Added, &after, indent + 2, page);
    }
    let mut line = format!(
        "{:width$}  {} → {}",
        diff.attribute.name(),
        page.paint(Tone::Removed, &before),
        page.paint(Tone::Added, &after)
    );
    if diff.cosmetic {
        line += &page.paint(Tone::Faint, "  ≈ means the same");
    }
    if diff.widens {
        line += &widens_mark(page);
    }
    page.line(indent, &line)
}

fn signed(
    sign: char,
    tone: Tone,
    text: &str,
    indent: usize,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let line = page.paint(tone, &format!("{sign} {text}"));
    page.line(indent, &line)
}

/// What is attached and what is detached.
fn list(diff: &AttributeDiff, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    let items = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(plain).collect()
    };
    let (before, after) = (items(&diff.before), items(&diff.after));
    for gone in before.iter().filter(|item| !after.contains(item)) {
        signed('-', Tone::Removed, gone, indent, page)?;
    }
    for come in after.iter().filter(|item| !before.contains(item)) {
        signed('+', Tone::Added, come, indent, page)?;
    }
    Ok(())
}

/// Tags that go, change and come, each kind by key.
fn tags(diff: &AttributeDiff, indent: usize, page: &mut Page<'_>) -> io::Result<()> {
    let none = Map::new();
    let before = diff.before.as_object().unwrap_or(&none);
    let after = diff.after.as_object().unwrap_or(&none);
    for (key, value) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        signed(
            '-',
            Tone::Removed,
            &format!("{key} = {}", plain(value)),
            indent,
            page,
        )?;
    }
    for (key, value) in after {
        match before.get(key) {
            Some(old) if old == value => {}
            Some(old) => {
                signed(
                    '~',
                    Tone::Changed,
                    &format!("{key} = {} → {}", plain(old), plain(value)),
                    indent,
                    page,
                )?;
            }
            None => signed(
                '+',
                Tone::Added,
                &format!("{key} = {}", plain(value)),
                indent,
                page,
            )?,
        }
    }
    Ok(())
}

fn scalar(attribute: Attribute, value: &Value) -> String {
    match (attribute, value) {
        (_, Value::Null) => "(none)".to_owned(),
        (Attribute::Description, value) => value.to_string(),
        (_, value) => plain(value),
    }
}

/// A value without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}
