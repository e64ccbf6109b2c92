//! Remarks as SARIF, which code scanning services read.
//!
//! Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; what GitHub takes of it: "SARIF support
//! for code scanning", which shows a result only with a location and takes at most 5,000 results of a run.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::group::shortened;
use super::json;
use super::remark::{Level, Remark};
use super::unread::{Accounts, unreadable};
use crate::plan::Plan;
use crate::resource::secret::Secrets;

/// The most results of one run that GitHub shows.
const LIMIT: usize = 5_000;

/// What stays as it is in the path of a URI.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'.')
    .remove(b'-')
    .remove(b'_')
    .remove(b'~');

/// Writes the remarks about a plan, and the accounts that could not be read, as one SARIF log.
pub fn write(
    remarks: &[Remark],
    plan: &Plan,
    secrets: &Secrets,
    out: &mut dyn Write,
) -> io::Result<()> {
    let codes: BTreeSet<&str> = remarks.iter().map(|remark| remark.code.as_str()).collect();
    let rules: Vec<Value> = codes
        .into_iter()
        .map(|code| {
            json!({
                "id": code,
                "shortDescription": { "text": code },
                "help": { "text": format!("`rolecall help findings` explains `{code}`.") },
            })
        })
        .collect();
    let shown = remarks.iter().take(LIMIT);
    let mut notes: Vec<Value> = unreadable(plan, Accounts::Together)
        .iter()
        .map(|unread| {
            let accounts = shortened(&unread.accounts, true).join(", ");
            let text = secrets.mask(&format!("not read: {accounts}: {}", unread.why));
            json!({ "level": "error", "message": { "text": text } })
        })
        .collect();
    let complete = notes.is_empty();
    if remarks.len() > LIMIT {
        let text = format!("{} more results are left out", remarks.len() - LIMIT);
        notes.push(json!({ "level": "note", "message": { "text": text } }));
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "rolecall",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [{
                "executionSuccessful": complete,
                "toolExecutionNotifications": notes,
            }],
            "results": shown.map(result).collect::<Vec<_>>(),
        }],
    });
    json::write(&log, out)
}

fn result(remark: &Remark) -> Value {
    let level = match remark.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(&remark.origin.file) },
            "region": { "startLine": remark.origin.line },
        },
    });
    if let (Some(address), Some(location)) = (&remark.address, location.as_object_mut()) {
        let logical = json!([{ "fullyQualifiedName": address, "kind": "resource" }]);
        location.insert("logicalLocations".to_owned(), logical);
    }
    json!({
        "ruleId": remark.code,
        "level": level,
        "message": { "text": remark.text },
        "locations": [location],
    })
}

/// A relative path as it is, so that a service finds the file in its checkout; another one as a `file:` URI.
fn uri(file: &str) -> String {
    let path = utf8_percent_encode(file, PATH).to_string();
    if Path::new(file).is_absolute() {
        format!("file://{path}")
    } else {
        path
    }
}
