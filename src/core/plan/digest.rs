//! Digests of values and documents, by their meaning.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::resource::policy::{Effect, Patterns, PolicyDocument, Principals, Statement, Version};

/// A document's meaning. Sids are left out: they mean nothing.
pub(super) fn canonical(document: &PolicyDocument) -> Value {
    if document.statements().is_empty() {
        return json!({ "text": document.text() });
    }
    let version = match document.version() {
        Version::V2008 => "2008-10-17",
        Version::V2012 => "2012-10-17",
    };
    let statements: BTreeSet<String> = document
        .statements()
        .iter()
        .map(|one| statement(one).to_string())
        .collect();
    json!({ "version": version, "statements": statements })
}

pub(super) fn statement(statement: &Statement) -> Value {
    let Statement {
        sid: _,
        effect,
        principals,
        actions,
        resources,
        conditions,
    } = statement;
    let effect = match effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    json!({
        "effect": effect,
        "principals": principals.as_ref().map(|Principals { negated, kinds }| json!([negated, kinds])),
        "actions": patterns(actions),
        "resources": resources.as_ref().map(patterns),
        "conditions": conditions,
    })
}

fn patterns(Patterns { negated, patterns }: &Patterns) -> Value {
    json!([negated, patterns])
}

pub(super) fn digest(value: &Value) -> String {
    format!("sha256:{}", sha256(value.to_string().as_bytes()))
}

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            // Writing to a `String` cannot fail.
            _ = write!(text, "{byte:02x}");
            text
        })
}
