//! Additive management: our statements are in a document, those of others stay as they are.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Body, PolicyDocument, Statement, Version, compact};

impl PolicyDocument {
    /// This document with every statement of `ours` that it lacks added: additive management.
    ///
    /// The statements that are there stay as written. A `Sid` of ours that is taken here by a statement of another
    /// meaning is left out, for IAM wants them unique. `Version` rises to ours only where a statement of ours needs
    /// policy variables. A document that [is not understood](Self::is_understood) is returned as it is.
    #[must_use]
    pub fn with_statements_of(&self, ours: &Self) -> Self {
        let (Some(body), Some(other)) = (&self.body, &ours.body) else {
            return self.clone();
        };
        let needs_variables = other.statements.iter().any(Statement::uses_variables);
        let version = if needs_variables {
            body.version.max(other.version)
        } else {
            body.version
        };
        let present: BTreeSet<_> = body.statements.iter().map(Statement::meaning).collect();
        let written = other.statements.iter().zip(ours.written_statements());
        let missing: Vec<_> = written
            .filter(|(statement, _)| !present.contains(&statement.meaning()))
            .collect();
        if missing.is_empty() && version == body.version {
            return self.clone();
        }
        let mut merged = Body {
            version,
            ..(**body).clone()
        };
        let mut statements = self.written_statements();
        for (statement, written) in missing {
            let (statement, written) = with_free_sid(statement, written, &merged.statements);
            merged.statements.push(statement);
            statements.push(written);
        }
        let text = text_with(&self.to_value(), version, statements);
        Self {
            text: text.into(),
            body: Some(Arc::new(merged)),
        }
    }
}

/// The statement, without its `Sid` where one of `others` has it.
fn with_free_sid(
    statement: &Statement,
    mut written: Value,
    others: &[Statement],
) -> (Statement, Value) {
    let mut statement = statement.clone();
    if others
        .iter()
        .any(|other| other.sid.is_some() && other.sid == statement.sid)
    {
        statement.sid = None;
        if let Value::Object(members) = &mut written {
            members.shift_remove("Sid");
        }
    }
    (statement, written)
}

fn text_with(document: &Value, version: Version, statements: Vec<Value>) -> String {
    let mut members: Map<String, Value> = document.as_object().cloned().unwrap_or_default();
    if version == Version::V2012 {
        members.insert("Version".to_owned(), "2012-10-17".into());
    }
    members.insert("Statement".to_owned(), Value::Array(statements));
    compact(&Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::Partition;
    use crate::resource::policy::PolicyKind;

    #[track_caller]
    fn check(live: &str, ours: &str, expect: &str) {
        let [live, ours] = [live, ours]
            .map(|text| PolicyDocument::live(text, PolicyKind::Trust, &Partition::default()));
        let merged = live.with_statements_of(&ours);
        assert_eq!(merged.text(), expect);
        assert_eq!(
            merged.with_statements_of(&ours).text(),
            expect,
            "adding again adds nothing"
        );
        let read = PolicyDocument::live(merged.text(), PolicyKind::Trust, &Partition::default());
        assert_eq!(
            merged.difference(&read),
            crate::resource::policy::Difference::None
        );
    }

    const THEIRS: &str = r#"{"Sid":"S","Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
    const OURS: &str =
        r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}"#;

    fn document(statements: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#)
    }

    #[test]
    fn a_missing_statement_is_added_after_theirs() {
        check(
            &document(THEIRS),
            &document(OURS),
            &document(&format!("[{THEIRS},{OURS}]")),
        );
    }

    #[test]
    fn a_statement_that_is_there_in_other_words_is_not_added() {
        let there = document(&format!(
            "[{THEIRS},{}]",
            OURS.replace("111122223333", "arn:aws:iam::111122223333:root")
        ));
        check(&there, &document(OURS), &there);
    }

    #[test]
    fn a_sid_that_is_taken_is_left_out() {
        let ours = OURS.replacen('{', r#"{"Sid":"S","#, 1);
        check(
            &document(THEIRS),
            &document(&ours),
            &document(&format!("[{THEIRS},{OURS}]")),
        );
    }

    #[test]
    fn the_version_rises_only_for_variables() {
        let live = format!(r#"{{"Statement":[{THEIRS}]}}"#);
        check(
            &live,
            &document(OURS),
            &format!(r#"{{"Statement":[{THEIRS},{OURS}]}}"#),
        );
        let with_variable = OURS.replacen(
            '{',
            r#"{"Condition":{"StringEquals":{"sts:RoleSessionName":"${aws:username}"}},"#,
            1,
        );
        check(
            &live,
            &document(&with_variable),
            &document(&format!("[{THEIRS},{with_variable}]")),
        );
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        check("not JSON", &document(OURS), "not JSON");
    }
}
