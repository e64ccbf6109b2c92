//! `[lints]`: the severity of lints and of `[[check]]`s, and the names of known outside accounts.

use std::collections::BTreeMap;

use super::problem::{Problem, Problems, did_you_mean};
use super::tree::{Node, Table};
use crate::org::AccountId;

/// The codes of the lints.
pub const CODES: [&str; 12] = [
    "no-external-id",
    "mfa-on-machine",
    "public-trust",
    "confused-service",
    "oidc-open",
    "dead-trust",
    "loose-condition",
    "shared-external-id",
    "admin-to-outsider",
    "escalation",
    "trust-widened",
    "locked-out",
];

/// How much a finding may weigh.
pub const SEVERITIES: [&str; 3] = ["off", "warn", "stop"];

/// What `[lints]` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lints {
    /// `off`, `warn` or `stop`, by code.
    pub severities: BTreeMap<String, String>,
    /// The names of accounts outside of the organization.
    pub known_accounts: BTreeMap<AccountId, String>,
}

/// Reads `[lints]`; `checks` are the codes of the `[[check]]`s.
pub fn read<'a>(
    table: &'a Table,
    checks: impl Iterator<Item = &'a str>,
    problems: &mut Problems,
) -> Lints {
    let known: Vec<&str> = CODES
        .into_iter()
        .chain(checks)
        .chain(["known_accounts"])
        .collect();
    let mut lints = Lints::default();
    for (key, node) in &table.entries {
        if key.text == "known_accounts" {
            lints.known_accounts = known_accounts(node, problems);
        } else if !known.contains(&key.text.as_str()) {
            let hint = did_you_mean(&key.text, known.iter().copied());
            let hint = hint.unwrap_or_else(|| {
                format!(
                    "known codes: {}; guards are overridden with --allow",
                    CODES.join(", ")
                )
            });
            let message = format!("`{}` is not the code of a lint or check", key.text);
            problems.push(Problem::error("unknown-key", &key.place, message).hint(hint));
        } else if let Some(severity) = node.as_str().filter(|text| SEVERITIES.contains(text)) {
            lints
                .severities
                .insert(key.text.clone(), severity.to_owned());
        } else {
            let message = format!("`{}` must be \"off\", \"warn\" or \"stop\"", key.text);
            let hint = node
                .as_str()
                .and_then(|text| did_you_mean(text, SEVERITIES));
            problems.push(Problem::error("value", &node.place, message).maybe_hint(hint));
        }
    }
    lints
}

fn known_accounts(node: &Node, problems: &mut Problems) -> BTreeMap<AccountId, String> {
    let mut known = BTreeMap::new();
    let Some(table) = node.as_table() else {
        let problem = Problem::error(
            "type",
            &node.place,
            format!("`known_accounts` must be a table, not {}", node.kind()),
        );
        problems.push(problem.hint("known_accounts = { \"123456789012\" = \"Vendor\" }"));
        return known;
    };
    for (key, node) in &table.entries {
        match (AccountId::parse(&key.text), node.as_str()) {
            (Ok(id), Some(name)) => {
                known.insert(id, name.to_owned());
            }
            (Err(_), _) => {
                let message = format!(
                    "`{}` is not an account id: it must be 12 digits, in a string",
                    key.text
                );
                problems.push(Problem::error("value", &key.place, message));
            }
            (Ok(_), None) => {
                let message = format!(
                    "the name of account {} must be a string, not {}",
                    key.text,
                    node.kind()
                );
                problems.push(Problem::error("type", &node.place, message));
            }
        }
    }
    known
}
