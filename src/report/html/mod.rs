//! A plan or a drift as one self-contained page for reviewers.
//!
//! The page loads nothing: style, script and data are in it, and its Content-Security-Policy lets
//! nothing else in. The data is JSON in a script element that is never run, with equal changes folded and equal
//! differences written once; the script makes text of it, never markup, and makes the details of a change when
//! someone opens it. Without scripts the page says the same in a plain table.

mod data;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::group;
use super::style::{self, clean_lines, count};
use super::subject::{Listed, SIGNS, Subject, View, words};
use super::who::Extent;
use crate::drift::Drift;
use crate::plan::{Plan, TrustMap};
use crate::resource::secret::Secrets;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Rows of the table for readers without scripts.
const ROWS: usize = 500;

/// Writes a plan, with the trusts of the whole desired state; `secrets` are masked wherever they stand.
pub fn plan(
    plan: &Plan,
    trusts: &TrustMap,
    secrets: &Secrets,
    out: &mut dyn Write,
) -> io::Result<()> {
    write(&Subject::of_plan(plan), trusts, secrets, out)
}

/// Writes what drifted, and whose doing it is; the rest as [`plan`].
pub fn drift(
    drift: &Drift,
    trusts: &TrustMap,
    secrets: &Secrets,
    out: &mut dyn Write,
) -> io::Result<()> {
    write(
        &Subject::of_drift(drift, &super::drift::parts(drift), Extent::All),
        trusts,
        secrets,
        out,
    )
}

fn write(
    subject: &Subject<'_>,
    trusts: &TrustMap,
    secrets: &Secrets,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Subject {
        view,
        plan,
        summary,
        changes,
    } = subject;
    let data = visible(secrets.mask_texts(&data::data(subject, trusts, secrets), &data::WORDS));
    let text = |text: &str| escaped(&clean_lines(&secrets.mask(text)));
    let either = |of_plan: &str, of_drift: &str| {
        if *view == View::Plan {
            of_plan
        } else {
            of_drift
        }
        .to_owned()
    };
    fill(PAGE, out, &|place| match place {
        "TITLE" => text(&format!("rolecall {} {}", view.heading(), plan.name)),
        "VIEW" => view.command().to_owned(),
        "WHEN" => either("planned", "checked"),
        "LIST" => either("Changes", "What differs"),
        "ACTION" => either("Action", "What"),
        "SIGNS" => either("", SIGNS),
        "NAME" => text(&plan.name),
        "ORGANIZATION" => text(&plan.organization_id),
        "CREATED" => text(&plan.created_at),
        "SUMMARY" => text(summary),
        "STYLE" => STYLE.to_owned(),
        "SCRIPT" => SCRIPT.to_owned(),
        "STYLE_HASH" => hash(STYLE),
        "SCRIPT_HASH" => hash(SCRIPT),
        "ROWS" => rows(changes, &text),
        "DATA" => json(&data),
        _ => String::new(),
    })
}

/// Writes the template, each `@NAME@` replaced. What is put in is not searched again.
fn fill(template: &str, out: &mut dyn Write, content: &dyn Fn(&str) -> String) -> io::Result<()> {
    for (n, part) in template.split('@').enumerate() {
        let part = if n % 2 == 0 { part } else { &content(part) };
        out.write_all(part.as_bytes())?;
    }
    Ok(())
}

/// JSON that cannot end the element it is in. Source: HTML Standard, "Restrictions for contents of script elements".
fn json(data: &Value) -> String {
    data.to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// What begins and ends a tone in the lines of a diff.
const TONES: [char; 2] = [style::OPEN, style::CLOSE];

/// The same, with what is not seen made visible in all of its texts.
fn visible(data: Value) -> Value {
    match data {
        // What marks the tones of a diff is the page's own: what is inside was cleaned when it was written.
        Value::String(text) if text.contains(TONES) => {
            let parts = text
                .split_inclusive(TONES)
                .map(|part| match part.strip_suffix(TONES) {
                    Some(inside) => {
                        clean_lines(inside).into_owned()
                            + part.get(inside.len()..).unwrap_or_default()
                    }
                    None => clean_lines(part).into_owned(),
                });
            Value::String(parts.collect())
        }
        Value::String(text) => Value::String(clean_lines(&text).into_owned()),
        Value::Array(items) => items.into_iter().map(visible).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (clean_lines(&key).into_owned(), visible(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => data,
    }
}

/// Source: Content Security Policy Level 3, "hash-source".
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// The changes as rows of a table, for readers without scripts.
fn rows(changes: &[Listed<'_>], text: &dyn Fn(&str) -> String) -> String {
    let row = |listed: &Listed<'_>| {
        let (kind, name) = listed.group.resource();
        let standing = listed
            .standing
            .map(|standing| format!("{}: ", words(standing).1))
            .unwrap_or_default();
        let accounts = group::shortened(&listed.group.accounts, false).join(", ");
        let why: Vec<String> = [listed.reason()]
            .iter()
            .chain(listed.who.iter().flatten())
            .map(|line| text(line))
            .collect();
        format!(
            "<tr><td>{standing}{}</td><td>{} {}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            listed.does(),
            text(kind),
            text(name),
            text(&accounts),
            listed.widens().unwrap_or_default(),
            why.join("<br>")
        )
    };
    let more = changes.len().saturating_sub(ROWS);
    let rest = || {
        format!(
            "<tr><td colspan=\"5\">and {} more</td></tr>\n",
            count(more, "change")
        )
    };
    changes
        .iter()
        .take(ROWS)
        .map(row)
        .chain((more > 0).then(rest))
        .collect()
}

#[cfg(test)]
mod tests;
