//! A plan as one self-contained page for reviewers.
//!
//! The page asks nobody for anything: style, script and data stand in it, and its Content-Security-Policy lets nothing else
//! in. The data is JSON in a script element that is never run, with equal changes folded and equal differences written once;
//! the script makes text of it, never markup, and makes the details of a change when somebody opens it. Without scripts the
//! page says the same in a plain table.

mod data;

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::group::{self, Group};
use super::human;
use super::style::count;
use crate::plan::{Plan, TrustMap};
use crate::resource::secret::Secrets;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Rows of the table for readers without scripts.
const ROWS: usize = 500;

/// Writes a plan, with the trusts of the whole desired state; `secrets` are masked wherever they stand.
pub fn plan(plan: &Plan, trusts: &TrustMap, secrets: &Secrets, out: &mut dyn Write) -> io::Result<()> {
    let groups = group::groups(plan);
    let data = secrets.mask_value(&data::data(plan, &groups, trusts));
    let text = |text: &str| escaped(&secrets.mask(text));
    fill(PAGE, out, &|place| match place {
        "TITLE" => text(&format!("rolecall plan for {}", plan.name)),
        "NAME" => text(&plan.name),
        "ORGANIZATION" => text(&plan.organization_id),
        "CREATED" => text(&plan.created_at),
        "SUMMARY" => text(&human::summary_line(plan).1),
        "STYLE" => STYLE.to_owned(),
        "SCRIPT" => SCRIPT.to_owned(),
        "STYLE_HASH" => hash(STYLE),
        "SCRIPT_HASH" => hash(SCRIPT),
        "ROWS" => rows(&groups, &text),
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

/// JSON that cannot end the element it stands in. Source: HTML Standard, "Restrictions for contents of script elements".
fn json(data: &Value) -> String {
    data.to_string().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Source: Content Security Policy Level 3, "hash-source".
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// The changes as rows of a table, for readers without scripts.
fn rows(groups: &[Group<'_>], text: &dyn Fn(&str) -> String) -> String {
    let row = |group: &Group<'_>| {
        let (kind, name) = group.resource();
        let mark = if group.widens() { "widens access" } else { "" };
        let accounts = group::shortened(&group.accounts, false).join(", ");
        format!(
            "<tr><td>{}</td><td>{} {}</td><td>{}</td><td>{mark}</td></tr>\n",
            data::action(&group.change),
            text(kind),
            text(name),
            text(&accounts)
        )
    };
    let more = groups.len().saturating_sub(ROWS);
    let rest = || format!("<tr><td colspan=\"4\">and {} more</td></tr>\n", count(more, "change"));
    groups.iter().take(ROWS).map(row).chain((more > 0).then(rest)).collect()
}

#[cfg(test)]
mod tests;
