//! Conditions of one statement that no request meets together.
//!
//! Only what is certain is said: plain operators on one key, of which each demands that the key is there and has a value
//! of some kind. A key of several values may meet two such conditions by two of them, so those that AWS gives several
//! values are left out, as is everything with `ForAllValues:`, `ForAnyValue:` or `IfExists`.

use std::collections::BTreeSet;

use super::json::child;
use super::operator::{Operator, Test};
use super::pattern::{Token, Variables, may_overlap, segments, tokens};
use super::value::Network;
use super::{DocumentProblem, Effect, PolicyDocument, Statement, Version};

impl PolicyDocument {
    /// Statements whose conditions no request meets, because two of them exclude each other.
    pub fn contradictions(&self) -> Vec<DocumentProblem> {
        contradictions(self)
    }
}

/// Keys that have several values in one request.
///
/// Source: IAM User Guide, "AWS global condition context keys"; Amazon Cognito, `amr`.
const MULTIVALUED: &[&str] = &[
    "aws:tagkeys",
    "aws:principalorgpaths",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:calledvia",
    "aws:principalservicenameslist",
];

/// One condition on a key.
struct Demand<'a> {
    operator: &'a str,
    parsed: Operator,
    values: &'a BTreeSet<String>,
}

pub(super) fn contradictions(document: &PolicyDocument) -> Vec<DocumentProblem> {
    let written = document.written_with_pointers();
    let each = written.into_iter().zip(document.statements());
    each.filter_map(|((at, _), statement)| contradiction(statement, &at, document.version()))
        .collect()
}

fn contradiction(statement: &Statement, at: &str, version: Version) -> Option<DocumentProblem> {
    let demands = || {
        statement.conditions.iter().flat_map(|(operator, keys)| {
            let parsed = Operator::parse(operator)
                .filter(|operator| operator.quantifier.is_none() && !operator.if_exists);
            keys.iter().filter_map(move |(key, values)| {
                Some((
                    key.as_str(),
                    Demand {
                        operator,
                        parsed: parsed?,
                        values,
                    },
                ))
            })
        })
    };
    let all: Vec<(&str, Demand<'_>)> = demands()
        .filter(|(key, demand)| {
            !demand.values.is_empty() && !MULTIVALUED.contains(key) && !key.ends_with(":amr")
        })
        .collect();
    for (index, (key, one)) in all.iter().enumerate() {
        let others = all.iter().skip(index + 1).filter(|(other, _)| other == key);
        for (_, other) in others {
            if !excludes(one, other, version) && !excludes(other, one, version) {
                continue;
            }
            let what = match statement.effect {
                Effect::Allow => "the statement allows nothing",
                Effect::Deny => "the statement denies nothing",
            };
            return Some(DocumentProblem {
                pointer: child(at, "Condition"),
                message: format!(
                    "no request meets both `{}` and `{}` on `{key}`, so {what}",
                    one.operator, other.operator
                ),
                hint: Some(
                    "all conditions of a statement must hold; alternatives are values of one operator, or statements of \
                     their own"
                        .to_owned(),
                ),
            });
        }
    }
    None
}

/// Whether no value meets both.
fn excludes(one: &Demand<'_>, other: &Demand<'_>, version: Version) -> bool {
    let pairs = || {
        one.values
            .iter()
            .flat_map(|a| other.values.iter().map(move |b| (a, b)))
    };
    let says = |demand: &Demand<'_>, word: &str| {
        !demand.values.is_empty()
            && demand
                .values
                .iter()
                .all(|value| value.eq_ignore_ascii_case(word))
    };
    match (one.parsed.test, other.parsed.test) {
        // The key must be absent, and the other condition needs it.
        (Test::Null, test) => test != Test::Null && says(one, "true") && !other.parsed.negated,
        (Test::Bool, Test::Bool) => {
            (says(one, "true") && says(other, "false"))
                || (says(one, "false") && says(other, "true"))
        }
        (Test::IpAddress, Test::IpAddress) if !one.parsed.negated && !other.parsed.negated => {
            pairs().all(|(a, b)| match (Network::parse(a), Network::parse(b)) {
                (Some(a), Some(b)) => !a.overlaps(&b),
                _ => false,
            })
        }
        (a, b) if is_text(a) && is_text(b) => match (one.parsed.negated, other.parsed.negated) {
            (false, false) => pairs().all(|pair| disjoint(a, b, pair, version)),
            // Every value that is wanted is one that is not.
            (false, true) => one.values.iter().all(|wanted| {
                a == Test::StringEquals && b == Test::StringEquals && other.values.contains(wanted)
            }),
            _ => false,
        },
        _ => false,
    }
}

fn is_text(test: Test) -> bool {
    matches!(test, Test::StringEquals | Test::StringLike | Test::Arn)
}

/// Whether no text meets the value of one operator and that of the other.
fn disjoint(a: Test, b: Test, (one, other): (&String, &String), version: Version) -> bool {
    let variables = if version == Version::V2012 {
        Variables::Read
    } else {
        Variables::Literal
    };
    let whole =
        |one: &str, other: &str| !may_overlap(&read(a, one, variables), &read(b, other, variables));
    // A `*` of `StringLike` goes beyond colons; in an ARN it stays in its part.
    let (parts, others) = (segments(one), segments(other));
    let by_parts = (a == Test::Arn || b == Test::Arn)
        && a != Test::StringLike
        && b != Test::StringLike
        && parts.len() == 6
        && others.len() == 6;
    if by_parts {
        parts
            .iter()
            .zip(others)
            .any(|(one, other)| whole(one, other))
    } else {
        whole(one, other)
    }
}

/// A value as a pattern; where the operator knows no wildcards they are characters.
fn read(of: Test, text: &str, variables: Variables) -> Vec<Token<'_>> {
    let literal = of == Test::StringEquals;
    let as_written = |token| match token {
        Token::Any if literal => Token::Char('*'),
        Token::One if literal => Token::Char('?'),
        token => token,
    };
    tokens(text, variables)
        .into_iter()
        .map(as_written)
        .collect()
}
