//! Policy documents: canonical on construction, so `==` is meaning.
//!
//! IAM hands a document back in other words than it was given: members in another order, an account id as its root
//! ARN, a list of one as a string. Comparing texts would find drift where there is none, so a document is read once
//! into statements of sets, and those are compared. The author's text stays for display and for sending.
//!
//! Sources: IAM User Guide, "Grammar of the IAM JSON policy language" and "IAM JSON policy element reference".

mod additive;
mod check;
mod contradiction;
mod doubt;
mod json;
mod meaning;
pub mod operator;
mod parse;
pub mod pattern;
mod principal;
mod read;
pub mod service;
mod statement_diff;
pub mod value;
mod widening;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

pub use json::json_without_duplicates;
pub use principal::{Federation, federation};
pub use widening::widens;

/// What a document is for: the rules of the two differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// A role's trust policy: principals, no resources.
    Trust,
    /// An identity policy, managed or inline: resources, no principals.
    Identity,
}

/// `Allow` or `Deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Effect {
    Allow,
    Deny,
}

/// `Version` of a document. Missing means the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// `2008-10-17`: policy variables are literal text.
    V2008,
    /// `2012-10-17`
    V2012,
}

/// A list of patterns of actions or resources, or everything but them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Patterns {
    /// `NotAction`, `NotResource`.
    pub negated: bool,
    /// The patterns; actions in lower case.
    pub patterns: BTreeSet<String>,
}

/// The principals of a statement, by kind (`AWS`, `Service`, `Federated`, `CanonicalUser`).
///
/// An account id stands as its root ARN. `"*"` alone stands as `AWS: *`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principals {
    /// `NotPrincipal`.
    pub negated: bool,
    /// The principals by kind; a kind without principals is not here.
    pub kinds: BTreeMap<String, BTreeSet<String>>,
}

/// One statement in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    /// `Sid`; never empty.
    pub sid: Option<String>,
    /// `Effect`
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`.
    pub principals: Option<Principals>,
    /// `Action` or `NotAction`.
    pub actions: Patterns,
    /// `Resource` or `NotResource`.
    pub resources: Option<Patterns>,
    /// `Condition`: operator as written, then key in lower case, then values. Operators without keys are not here.
    pub conditions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// A policy document. Two are equal when they mean the same.
#[derive(Debug, Clone)]
pub struct PolicyDocument {
    text: Arc<str>,
    /// What the text says; `None` for a live document that cannot be understood.
    body: Option<Arc<Body>>,
}

/// What a document says, statements in the author's order.
#[derive(Debug, Clone)]
struct Body {
    version: Version,
    id: Option<String>,
    statements: Vec<Statement>,
}

/// One thing wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentProblem {
    /// Where, as a JSON pointer: `/Statement/0/Action`.
    pub pointer: String,
    /// What IAM would refuse.
    pub message: String,
    /// How to fix it.
    pub hint: Option<String>,
}

/// How two documents differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Not at all, or only in spelling that has no name: order, case, scalar or list.
    None,
    /// In spelling that is kept but means nothing: `Sid`, `Id`, `Version` where no policy variable stands, `ArnEquals` for `ArnLike`, `/32`, duplicates.
    Cosmetic,
    /// In meaning.
    Semantic,
}

/// What happened to one statement.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StatementDiff {
    /// The statement before, as written; `None` where it was added.
    pub before: Option<Value>,
    /// The statement after, as written; `None` where it was removed.
    pub after: Option<Value>,
    /// Whether access widens by it.
    pub widens: bool,
    /// Whether the two mean the same.
    pub cosmetic: bool,
}

/// Meaning alone: [`Difference::None`] or [`Difference::Cosmetic`].
impl PartialEq for PolicyDocument {
    fn eq(&self, other: &Self) -> bool {
        self.difference(other) != Difference::Semantic
    }
}

impl Eq for PolicyDocument {}

impl PolicyDocument {
    fn of(value: &Value, body: Body) -> Self {
        Self {
            text: compact(value).into(),
            body: Some(Arc::new(body)),
        }
    }

    /// The text to send: compact JSON, `Version` first, otherwise as the author wrote it.
    ///
    /// IAM's legacy parser has refused documents whose `Version` does not come first and texts with leading space.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The document as JSON, as the author wrote it; a string where a live document is not understood.
    pub fn to_value(&self) -> Value {
        match self.body {
            Some(_) => serde_json::from_str(&self.text).unwrap_or_default(),
            None => Value::String(self.text.to_string()),
        }
    }

    /// Its size as quotas count it: the characters (not bytes) of the compact text.
    ///
    /// Quotas leave white space out; between tokens there is none here. The rare space inside a string, as in
    /// `${aws:PrincipalTag/team, 'none'}`, is counted, so that the size is never too low.
    /// Source: IAM User Guide, "IAM and AWS STS quotas".
    pub fn size(&self) -> usize {
        self.text.chars().count()
    }

    /// The statements in canonical form, in the author's order; none where [`is_understood`](Self::is_understood) is
    /// false.
    pub fn statements(&self) -> &[Statement] {
        self.body.as_ref().map_or(&[], |body| &body.statements)
    }

    /// The document's `Version`.
    pub fn version(&self) -> Version {
        self.body
            .as_ref()
            .map_or(Version::V2008, |body| body.version)
    }

    /// Whether the document could be read. Only one from [`live`](Self::live) may not be.
    pub fn is_understood(&self) -> bool {
        self.body.is_some()
    }

    /// Each statement as written, with its pointer.
    fn written_with_pointers(&self) -> Vec<(String, Value)> {
        let listed = self.body.is_some()
            && matches!(self.to_value().get("Statement"), Some(Value::Array(_)));
        let statements = self.written_statements().into_iter().enumerate();
        statements
            .map(|(index, statement)| {
                let at = if listed {
                    format!("/Statement/{index}")
                } else {
                    "/Statement".to_owned()
                };
                (at, statement)
            })
            .collect()
    }

    /// The statements as written, one for each of [`statements`](Self::statements).
    fn written_statements(&self) -> Vec<Value> {
        match self.to_value() {
            Value::Object(mut members) => match members.remove("Statement") {
                Some(Value::Array(statements)) => statements,
                Some(statement) => vec![statement],
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

impl Body {
    /// Whether its `Version` decides what it means: with the older one policy variables are plain text.
    ///
    /// Source: IAM User Guide, "IAM JSON policy elements: Version".
    fn uses_variables(&self) -> bool {
        self.statements.iter().any(Statement::uses_variables)
    }
}

impl Statement {
    /// Whether a policy variable (`${…}`) stands anywhere in it where `Version` decides what that means.
    fn uses_variables(&self) -> bool {
        let resources = self
            .resources
            .iter()
            .flat_map(|resources| &resources.patterns);
        let values = self
            .conditions
            .values()
            .flat_map(BTreeMap::values)
            .flatten();
        resources.chain(values).any(|text| text.contains("${"))
    }
}

/// Compact JSON with `Version` first.
fn compact(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut ordered: Map<String, Value> = Map::with_capacity(members.len());
            ordered.extend(
                members
                    .get("Version")
                    .map(|version| ("Version".to_owned(), version.clone())),
            );
            ordered.extend(
                members
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
            Value::Object(ordered).to_string()
        }
        other => other.to_string(),
    }
}
