//! What a document means: its canonical statements less everything that IAM keeps but never reads.

use std::collections::{BTreeMap, BTreeSet};

use super::operator::{Operator, Test};
use super::{Body, Difference, Effect, Patterns, PolicyDocument, Principals, Statement};

/// One condition: operator, key, values.
///
/// A set of these, and no map from operators: `ArnEquals` and `ArnLike` on one key are two conditions that must both
/// hold, also once they have one name.
pub(super) type Condition<'a> = (String, &'a str, BTreeSet<String>);

/// A statement without `Sid`, each condition in one spelling.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Meaning<'a> {
    pub(super) effect: Effect,
    pub(super) principals: Option<&'a Principals>,
    pub(super) actions: &'a Patterns,
    pub(super) resources: Option<&'a Patterns>,
    pub(super) conditions: BTreeSet<Condition<'a>>,
}

impl Statement {
    pub(super) fn meaning(&self) -> Meaning<'_> {
        let Self {
            sid: _,
            effect,
            principals,
            actions,
            resources,
            conditions,
        } = self;
        let conditions = conditions.iter().flat_map(|(operator, keys)| {
            keys.iter()
                .map(move |(key, values)| condition(operator, key, values))
        });
        Meaning {
            effect: *effect,
            principals: principals.as_ref(),
            actions,
            resources: resources.as_ref(),
            conditions: conditions.collect(),
        }
    }
}

fn condition<'a>(operator: &str, key: &'a str, values: &BTreeSet<String>) -> Condition<'a> {
    let spell: fn(&str) -> String = match Operator::parse(operator).map(|operator| operator.test) {
        Some(Test::Bool | Test::StringEqualsIgnoreCase) => |value| value.to_lowercase(),
        Some(Test::IpAddress) => with_prefix_length,
        _ => str::to_owned,
    };
    let operator = operator
        .replace("ArnLike", "ArnEquals")
        .replace("ArnNotLike", "ArnNotEquals");
    (
        operator,
        key,
        values.iter().map(|value| spell(value)).collect(),
    )
}

/// An address alone is a network of one: `/32`, and `/128` for IPv6.
fn with_prefix_length(address: &str) -> String {
    match (address.contains('/'), address.contains(':')) {
        (true, _) => address.to_owned(),
        (false, false) => format!("{address}/32"),
        (false, true) => format!("{address}/128"),
    }
}

impl PolicyDocument {
    /// How this document differs from `after`.
    pub fn difference(&self, after: &Self) -> Difference {
        if self.text == after.text {
            return Difference::None;
        }
        match (&self.body, &after.body) {
            (Some(before), Some(after)) => difference(before, after),
            _ => Difference::Semantic,
        }
    }
}

fn difference(before: &Body, after: &Body) -> Difference {
    let version_counts = || [before, after].iter().any(|body| body.uses_variables());
    if meanings(before) != meanings(after) || (before.version != after.version && version_counts())
    {
        Difference::Semantic
    } else if (before.version, &before.id) == (after.version, &after.id)
        && spellings(before) == spellings(after)
    {
        Difference::None
    } else {
        Difference::Cosmetic
    }
}

/// Evaluation knows no order and no repeats.
fn meanings(body: &Body) -> BTreeSet<Meaning<'_>> {
    body.statements.iter().map(Statement::meaning).collect()
}

/// Each statement and how often it is there.
fn spellings(body: &Body) -> BTreeMap<&Statement, usize> {
    let mut counts = BTreeMap::new();
    for statement in &body.statements {
        *counts.entry(statement).or_insert(0) += 1;
    }
    counts
}
