//! From text to a document.

use serde_json::Value;

use super::{DocumentProblem, PolicyDocument, PolicyKind, check, json, read};
use crate::org::Partition;

impl PolicyDocument {
    /// Parses JSON text that a user wrote.
    ///
    /// # Errors
    /// Every problem of the document at once: what IAM would refuse, and what it would take but read otherwise than
    /// it was meant, such as a member that is there twice.
    pub fn parse(
        text: &str,
        kind: PolicyKind,
        partition: &Partition,
    ) -> Result<Self, Vec<DocumentProblem>> {
        let json = json::read(text);
        let mut problems = json.problems;
        let Some(value) = json.value else {
            return Err(problems);
        };
        match Self::from_value(&value, kind, partition) {
            Ok(document) if problems.is_empty() => Ok(document),
            Ok(_) => Err(problems),
            Err(more) => {
                problems.extend(more);
                Err(problems)
            }
        }
    }

    /// Like [`parse`](Self::parse), for a document that is already a value (TOML statements, YAML).
    ///
    /// # Errors
    /// As [`parse`](Self::parse), except for duplicate members, which a value cannot have.
    pub fn from_value(
        value: &Value,
        kind: PolicyKind,
        partition: &Partition,
    ) -> Result<Self, Vec<DocumentProblem>> {
        let read::Reading { body, mut problems } = read::read(value, kind, partition);
        problems.extend(check::texts(value));
        match body {
            Some(body) if problems.is_empty() => Ok(Self::of(value, body)),
            _ => Err(problems),
        }
    }

    /// Reads a document that AWS returned (already percent-decoded). Never fails: what cannot be understood is
    /// kept as text and equals only the same text.
    pub fn live(text: &str, kind: PolicyKind, partition: &Partition) -> Self {
        let json = json::read(text);
        let value = json.value.filter(|_| json.problems.is_empty());
        let body = value
            .as_ref()
            .and_then(|value| read::read(value, kind, partition).body);
        match (&value, body) {
            (Some(value), Some(body)) => Self::of(value, body),
            _ => Self {
                text: text.into(),
                body: None,
            },
        }
    }
}
