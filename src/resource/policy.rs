//! Policy documents: canonical on construction, so `==` is meaning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::org::Partition;

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
    /// The principals by kind.
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
    /// `Condition`: operator, then key in lower case, then values.
    pub conditions: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// A policy document. Two are equal when they mean the same.
#[derive(Debug, Clone)]
pub struct PolicyDocument {
    text: Arc<str>,
    version: Version,
    statements: Arc<[Statement]>,
}

/// One thing wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentProblem {
    /// Where, as a JSON pointer: `/Statement/0/Action`.
    pub pointer: String,
    /// What.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// How two documents differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Not at all, or only in spelling that has no name: order, case, scalar or list.
    None,
    /// In spelling that is kept but means nothing: Sid, Id, ArnEquals for ArnLike, `/32`, duplicates.
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

impl PartialEq for PolicyDocument {
    fn eq(&self, _other: &Self) -> bool {
        unimplemented!()
    }
}

impl Eq for PolicyDocument {}

#[allow(unused_variables, missing_docs)]
impl PolicyDocument {
    /// Parses JSON text that a user wrote: every problem at once.
    pub fn parse(text: &str, kind: PolicyKind, partition: &Partition) -> Result<Self, Vec<DocumentProblem>> {
        unimplemented!()
    }

    /// Like [`parse`](Self::parse), for a document that is already a value (TOML statements, YAML).
    pub fn from_value(value: &Value, kind: PolicyKind, partition: &Partition) -> Result<Self, Vec<DocumentProblem>> {
        unimplemented!()
    }

    /// Reads a document that AWS returned (already percent-decoded). Never fails: what cannot be understood is
    /// kept as text and equals only the same text.
    pub fn live(text: &str, kind: PolicyKind, partition: &Partition) -> Self {
        unimplemented!()
    }

    /// The text to send: compact JSON, `Version` first, otherwise as the author wrote it.
    pub fn text(&self) -> &str {
        unimplemented!()
    }

    /// The document as JSON, as the author wrote it.
    pub fn to_value(&self) -> Value {
        unimplemented!()
    }

    /// Its size as quotas count it: characters without white space.
    pub fn size(&self) -> usize {
        unimplemented!()
    }

    /// The statements in canonical form.
    pub fn statements(&self) -> &[Statement] {
        unimplemented!()
    }

    pub fn version(&self) -> Version {
        unimplemented!()
    }

    /// How this document differs from `after`.
    pub fn difference(&self, after: &Self) -> Difference {
        unimplemented!()
    }

    /// What changed, statement by statement: widening first, then narrowing, then cosmetic.
    pub fn statement_diffs(&self, after: &Self) -> Vec<StatementDiff> {
        unimplemented!()
    }

    /// The principals of kind `AWS` in any statement, canonical (root ARNs, role and user ARNs, `*`, unique ids).
    pub fn aws_principals(&self) -> BTreeSet<String> {
        unimplemented!()
    }

    /// The principals that are bare unique ids of deleted entities: `AROA…`, `AIDA…`.
    pub fn dead_principals(&self) -> BTreeSet<String> {
        unimplemented!()
    }

    /// The same document with each `AWS` principal that `resolve` knows replaced, where the id of a live entity shows.
    #[must_use]
    pub fn resolve_principals(&self, resolve: &dyn Fn(&str) -> Option<String>) -> Self {
        unimplemented!()
    }

    /// This document with every statement of `ours` that it lacks added: additive management.
    #[must_use]
    pub fn with_statements_of(&self, ours: &Self) -> Self {
        unimplemented!()
    }
}
