//! Whether anybody can enter by one statement of a trust policy, and what is in the way where no one can.

use std::collections::BTreeSet;

use super::entrant::{Entrant, is_variable};

use super::keys::Key;
use super::keys::{Kind, never_sent, spelled};
use super::truth::Truth;
use super::{Decision, Request, Scene, Why, explain, federated, member};
use crate::resource::issuer;
use crate::resource::policy::operator::{Operator, Test};
use crate::resource::policy::pattern::{Variables, matches, may_overlap, tokens};
use crate::resource::policy::{PolicyDocument, Statement};

/// Whether a caller can enter by a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It can.
    Open,
    /// It is not known.
    Unsure,
    /// It cannot, whatever it brings.
    Closed(Obstacle),
}

/// What keeps everyone out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// No request of this kind has the key.
    NotSent {
        /// The key, in lower case.
        key: String,
    },
    /// The operator knows no wildcards, and no request has a value with one.
    Wildcard {
        /// The key, in lower case.
        key: String,
        /// The operator, as written.
        operator: String,
        /// The value.
        value: String,
    },
    /// No value that the key can have passes the condition.
    NoValue {
        /// The key, in lower case.
        key: String,
        /// The operator, as written.
        operator: String,
        /// What it asks for.
        values: BTreeSet<String>,
    },
    /// No value of the key passes all of its conditions.
    Apart {
        /// The key, in lower case.
        key: String,
    },
    /// Another statement denies it.
    Denied(Why),
}

impl Obstacle {
    /// It in words, for callers who come as the principal `name` of this kind.
    pub fn words(&self, kind: &str, name: &str) -> String {
        match self {
            Self::NotSent { key } => not_sent(kind, name, key),
            Self::Wildcard {
                key,
                operator,
                value,
            } => format!(
                "`{operator}` does not support wildcards, so `{}` would have to equal `{value}` literally; \
                 use `StringLike`, or `ArnLike` for an ARN",
                spelled(key)
            ),
            Self::NoValue {
                key,
                operator,
                values,
            } => {
                let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                format!(
                    "no value of `{}` that the caller can have passes `{operator}` {}",
                    spelled(key),
                    values.join(" or ")
                )
            }
            Self::Apart { key } => format!(
                "no value of `{}` passes all conditions of the statement",
                spelled(key)
            ),
            Self::Denied(why) => {
                let place = why.statement.map_or(0, |place| place + 1);
                match &why.sid {
                    Some(sid) => format!("statement {place} (`{sid}`) denies it"),
                    None => format!("statement {place} denies it"),
                }
            }
        }
    }
}

/// Why no request has a key.
fn not_sent(kind: &str, name: &str, key: &str) -> String {
    let (vendor, claim) = key.split_once(':').unwrap_or(("", key));
    let url = issuer::url_of(name).filter(|_| kind == "Federated");
    match url.map(str::to_lowercase) {
        Some(url) if vendor == url => {
            let issuer = issuer::issuer(&url).name;
            format!("IAM does not read the claim `{claim}` of {issuer}, so no request has `{key}`")
        }
        Some(url) if !["aws", "sts", "saml", "iam"].contains(&vendor) => format!(
            "`{key}` is a key of another provider; the keys of this provider begin with `{url}:`"
        ),
        _ => format!("its requests never have `{}`", spelled(key)),
    }
}

/// Whoever a principal of a trust policy may stand for, of whom no more is known than that; `None` for a kind of principal
/// that enters no role.
pub fn expected(trust: &PolicyDocument, kind: &str, name: &str) -> Option<Entrant> {
    match Kind::of(kind, name)? {
        Kind::WebIdentity | Kind::Saml => federated::expected(trust, name),
        Kind::Principal => Some(member(trust, name)),
        Kind::Service => {
            let entrant = Entrant::new(Kind::Service, name);
            let lacks = never_sent(name).iter();
            Some(lacks.fold(entrant, |entrant, key| entrant.with(key, Key::Absent)))
        }
    }
}

/// Whether `entrant` can enter by the statement at `place` of `trust`.
pub fn way(trust: &PolicyDocument, place: usize, entrant: &Entrant) -> Way {
    let Some(statement) = trust.statements().get(place) else {
        return Way::Unsure;
    };
    let requests = entrant.requests(&[trust]);
    let scene = |request| Scene {
        request,
        version: trust.version(),
    };
    let applying: Vec<(&Request, Truth)> = requests
        .iter()
        .map(|request| (request, scene(request).applies(statement)))
        .filter(|(_, truth)| *truth != Truth::No)
        .collect();
    if applying.is_empty() {
        return closed(statement, entrant, &requests, &|request| scene(request));
    }
    let mut denied = None;
    let mut unsure = false;
    for (request, truth) in applying {
        match explain(&[trust], request) {
            (Decision::ExplicitDeny, why) => denied = denied.or(why),
            (Decision::Allow, _) if truth == Truth::Yes => return Way::Open,
            _ => unsure = true,
        }
    }
    match denied {
        Some(why) if !unsure => Way::Closed(Obstacle::Denied(why)),
        _ => Way::Unsure,
    }
}

/// What is in the way of a statement that applies to none of `requests`.
fn closed<'a>(
    statement: &Statement,
    entrant: &Entrant,
    requests: &'a [Request],
    scene: &dyn Fn(&'a Request) -> Scene<'a>,
) -> Way {
    for (operator, keys) in &statement.conditions {
        for (key, values) in keys {
            let passes = |request| scene(request).condition(operator, key, values) != Truth::No;
            if requests.iter().any(passes) {
                continue;
            }
            return Way::Closed(obstacle(operator, key, values, entrant));
        }
    }
    let keys: BTreeSet<&String> = statement
        .conditions
        .values()
        .flat_map(|keys| keys.keys())
        .collect();
    let apart = keys.into_iter().find(|key| are_apart(statement, key));
    apart.map_or(Way::Unsure, |key| {
        Way::Closed(Obstacle::Apart { key: key.clone() })
    })
}

/// Why no value passes one condition.
fn obstacle(operator: &str, key: &str, values: &BTreeSet<String>, entrant: &Entrant) -> Obstacle {
    let (key, operator) = (key.to_owned(), operator.to_owned());
    if entrant.key(&key) == Key::Absent {
        return Obstacle::NotSent { key };
    }
    let literal = Operator::parse(&operator).is_some_and(|operator| {
        matches!(
            operator.test,
            Test::StringEquals | Test::StringEqualsIgnoreCase
        )
    });
    let wild = values.iter().find(|value| value.contains(['*', '?']));
    match wild {
        Some(value) if literal => Obstacle::Wildcard {
            key,
            operator,
            value: value.clone(),
        },
        _ => Obstacle::NoValue {
            key,
            operator,
            values: values.clone(),
        },
    }
}

/// Whether two conditions of the statement on one key surely have no value in common.
fn are_apart(statement: &Statement, key: &str) -> bool {
    let demands: Vec<(Test, &BTreeSet<String>)> = statement
        .conditions
        .iter()
        .filter_map(|(operator, keys)| Some((Operator::parse(operator)?, keys.get(key)?)))
        .filter(|(operator, _)| {
            !operator.negated && operator.quantifier.is_none() && !operator.passes_without_key()
        })
        .map(|(operator, values)| (operator.test, values))
        .collect();
    demands.iter().enumerate().any(|(place, (test, values))| {
        demands.iter().skip(place + 1).any(|(other_test, others)| {
            values.iter().all(|value| {
                others
                    .iter()
                    .all(|other| differ(*test, value, *other_test, other))
            })
        })
    })
}

/// Whether surely no text passes both.
fn differ(test: Test, value: &str, other_test: Test, other: &str) -> bool {
    if is_variable(value) || is_variable(other) {
        return false;
    }
    let wild = |test| matches!(test, Test::StringLike | Test::Arn);
    let exact = |test| test == Test::StringEquals;
    match (wild(test), wild(other_test)) {
        (true, true) => !may_overlap(
            &tokens(value, Variables::Literal),
            &tokens(other, Variables::Literal),
        ),
        (true, false) if exact(other_test) => !matches(&tokens(value, Variables::Literal), other),
        (false, true) if exact(test) => !matches(&tokens(other, Variables::Literal), value),
        (false, false) if exact(test) && exact(other_test) => value != other,
        _ => false,
    }
}
