//! The lints of conditions that do not do what they look like: those that no one can meet, and set operators whose
//! condition is met by whoever lacks the key.

use std::collections::BTreeSet;

use super::context::{Context, assumes, listed, speaks_of};
use crate::evaluate::{Kind, Way, expected, way};
use crate::resource::policy::operator::{Operator, Quantifier};
use crate::resource::policy::{Effect, PolicyDocument, Statement};

/// No one gets in as one of the principals that a statement names.
pub(super) fn dead_trust(context: &Context<'_>, said: &mut Vec<String>) {
    let trust = &context.role.trust;
    for (place, statement, kind, name) in named(trust) {
        let Some(entrant) = expected(trust, kind, name).filter(|_| enters(statement, kind, name))
        else {
            continue;
        };
        if let Way::Closed(obstacle) = way(trust, place, &entrant) {
            said.push(format!(
                "trusts `{name}`, but no request of it can assume the role: {}",
                obstacle.words(kind, name)
            ));
        }
    }
    said.sort();
    said.dedup();
}

/// The principals that statements let in, each with its statement and that statement's place.
fn named(trust: &PolicyDocument) -> impl Iterator<Item = (usize, &Statement, &str, &str)> {
    let allows = trust
        .statements()
        .iter()
        .enumerate()
        .filter(|(_, statement)| statement.effect == Effect::Allow && assumes(statement));
    allows.flat_map(|(place, statement)| {
        let principals = statement
            .principals
            .iter()
            .filter(|principals| !principals.negated);
        principals
            .flat_map(|principals| &principals.kinds)
            .flat_map(move |(kind, names)| {
                names
                    .iter()
                    .map(move |name| (place, statement, kind.as_str(), name.as_str()))
            })
    })
}

/// Whether the statement speaks of the action by which the principal enters.
fn enters(statement: &Statement, kind: &str, name: &str) -> bool {
    Kind::of(kind, name).is_some_and(|kind| speaks_of(statement, kind.action()))
}

/// Keys of several values.
///
/// Source: IAM User Guide, "Single-valued vs. multivalued context keys", and the type of each key.
const SETS: &[&str] = &[
    "aws:calledvia",
    "aws:principalorgpaths",
    "aws:principalservicenameslist",
    "aws:resourceorgpaths",
    "aws:sourceorgpaths",
    "aws:tagkeys",
    "aws:vpceorgpaths",
    "sts:requestcontextproviders",
    "sts:transitivetagkeys",
];

/// A set operator that is met where the key is absent stands on a key that has one value, in a statement that allows.
pub(super) fn loose_condition(context: &Context<'_>, said: &mut Vec<String>) {
    let trust = &context.role.trust;
    let allows = trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow && assumes(statement));
    let loose: BTreeSet<String> = allows
        .flat_map(|statement| &statement.conditions)
        .filter(|(operator, _)| {
            Operator::parse(operator)
                .is_some_and(|operator| operator.quantifier == Some(Quantifier::ForAllValues))
        })
        .flat_map(|(operator, keys)| keys.keys().map(move |key| (operator, key)))
        .filter(|(_, key)| {
            !SETS.contains(&key.as_str()) && !key.ends_with(":amr") && !key.starts_with("saml:")
        })
        .map(|(operator, key)| format!("`{operator}` on `{key}`"))
        .collect();
    if !loose.is_empty() {
        said.push(format!(
            "allows callers that lack the key, by {}",
            listed(&loose.into_iter().collect::<Vec<_>>())
        ));
    }
}
