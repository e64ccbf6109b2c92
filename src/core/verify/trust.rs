//! Evaluating a live trust policy: intended principals can assume it, and no other.
//!
//! Each principal that the desired trust names comes once as its statement demands it, and must get in; then once
//! otherwise for each condition that the statement sets, and must not. Whether it must not is asked of the desired trust
//! itself, for another of its statements may let the principal in. The external id is the exception: a trust that names
//! one and trusts the same principal without it protects nothing, so that fails even where it is desired.
//!
//! A request that the caller cannot make, or of which that cannot be known, proves nothing: a claim that IAM does not read, a
//! value with a wildcard. Then come strangers.

use std::collections::BTreeSet;

use super::request::{
    Attempt, CURRENT_TIME, EXTERNAL_ID, MFA, WRONG_EXTERNAL_ID, action, covers, entrant,
    is_circumstance, keys, other_than, principals, spelled,
};
use super::{Check, Outcome, Probe, Setting, Subject, others};
use crate::evaluate::{Decision, Key, Request, Way, Why, evaluate, way};
use crate::resource::policy::operator::Operator;
use crate::resource::policy::{Effect, PolicyDocument, Statement};

/// Holds the live trust of a role against the desired one.
pub fn check(setting: Setting<'_>, subject: Subject<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let desired = &subject.desired.trust;
    let enters = |statement, kind: &str, name: &str| {
        action(kind, name).is_some_and(|action| covers(statement, action))
    };
    let mut stuck = BTreeSet::new();
    for (statement, kind, name) in principals(desired) {
        if enters(statement, kind, name) {
            let one = Principal {
                statement,
                kind,
                name,
            };
            checks.extend(principal(setting, subject, one));
        } else if !principals(desired)
            .any(|(other, k, n)| (k, n) == (kind, name) && enters(other, kind, name))
        {
            stuck.insert((kind, name));
        }
    }
    checks.extend(
        stuck
            .into_iter()
            .map(|(kind, name)| without_action(kind, name)),
    );
    checks.push(others::check(setting, subject));
    checks
}

/// A principal that a statement of the desired trust names.
#[derive(Clone, Copy)]
struct Principal<'a> {
    statement: &'a Statement,
    kind: &'a str,
    name: &'a str,
}

/// That a principal cannot enter by any of the actions that the desired trust allows it.
fn without_action(kind: &str, name: &str) -> Check {
    let action = action(kind, name).unwrap_or("sts:AssumeRole");
    let message = format!(
        "the desired trust names `{name}`, but no statement allows it `{action}`, by which it would assume the role"
    );
    Check::new(Probe::Allowed, Outcome::Failed, message)
}

/// What one principal may do, in the right way and in wrong ones.
fn principal(setting: Setting<'_>, subject: Subject<'_>, principal: Principal<'_>) -> Vec<Check> {
    let Principal {
        statement,
        kind,
        name,
    } = principal;
    let attempt = Attempt::meeting(setting, subject, kind, name, statement);
    let right = match in_the_right_way(subject, &attempt) {
        Some(right) if !is_impossible(setting, subject, &right) => right,
        _ => match another_way(setting, subject, principal) {
            Ok(right) => right,
            Err(check) => return vec![check.unwrap_or_else(|| unknown(subject, name, &attempt))],
        },
    };
    let mut checks = vec![allowed(subject, name, &right)];
    checks.extend(other_values(subject, principal, &right));
    for (probe, key, value, how) in variations(subject, &right) {
        checks.extend(refused(
            subject,
            name,
            probe,
            &right.with(&key, value),
            &how,
        ));
    }
    checks.extend(without_keys(setting, subject, principal, &right));
    checks
}

fn unknown(subject: Subject<'_>, name: &str, attempt: &Attempt) -> Check {
    let message = format!("no request of `{name}` is known to be allowed by the desired trust");
    let message = open(message, attempt, &subject.desired.trust);
    Check::new(Probe::Allowed, Outcome::NotProvable, message)
}

/// Whether the attempt brings a value that such a caller does not have, or maybe not, so that allowing it proves nothing.
fn is_impossible(setting: Setting<'_>, subject: Subject<'_>, right: &Attempt) -> bool {
    let desired = &subject.desired.trust;
    let Some((kind, name)) = right.names.first() else {
        return false;
    };
    let Some(entrant) = entrant(setting, subject, desired, (kind, name)) else {
        return false;
    };
    keys(desired).iter().any(|key| {
        let Some(value) = right.get(key) else {
            return false;
        };
        value.contains(['*', '?'])
            || match entrant.key(key) {
                Key::Absent => true,
                Key::OneOf(values) | Key::OneOfOrAbsent(values) => {
                    !values.iter().any(|one| one == value)
                }
                Key::Unknown => kind == "Federated" && !key.starts_with("aws:"),
                Key::Chosen | Key::ChosenOrAbsent => false,
            }
    })
}

/// A request of the principal that the desired trust allows, of all that it may make. Where there is none, the check that
/// says so; nothing where that is unknown.
fn another_way(
    setting: Setting<'_>,
    subject: Subject<'_>,
    principal: Principal<'_>,
) -> Result<Attempt, Option<Check>> {
    let desired = &subject.desired.trust;
    let Principal {
        statement,
        kind,
        name,
    } = principal;
    let entrant = entrant(setting, subject, desired, (kind, name)).ok_or(None)?;
    // Where its requests come from is not in the hand of whoever is named.
    let circumstances = keys(desired).into_iter().filter(|key| is_circumstance(key));
    let entrant = circumstances.fold(entrant, |entrant, key| match entrant.key(&key) {
        Key::Chosen | Key::ChosenOrAbsent => entrant.with(&key, Key::Unknown),
        _ => entrant,
    });
    let place = desired
        .statements()
        .iter()
        .position(|one| std::ptr::eq(one, statement))
        .ok_or(None)?;
    match way(desired, place, &entrant) {
        Way::Open => {
            let allows = |request: &Request| evaluate(&[desired], request) == Decision::Allow;
            let request = entrant.requests(&[desired]).into_iter().find(allows);
            request.map(Attempt::from).ok_or(None)
        }
        Way::Unsure => Err(None),
        Way::Closed(obstacle) => {
            let message = format!(
                "no request of `{name}` is allowed by the desired trust: {}",
                obstacle.words(kind, name)
            );
            Err(Some(Check::new(Probe::Allowed, Outcome::Failed, message)))
        }
    }
}

/// Each other value that the statement takes for a key, where the live trust does not take it: it means several external
/// ids, or several subjects.
fn other_values(subject: Subject<'_>, principal: Principal<'_>, right: &Attempt) -> Vec<Check> {
    let mut checks = Vec::new();
    for (operator, keys) in &principal.statement.conditions {
        let several = keys.iter().filter(|(_, values)| values.len() > 1);
        for (key, values) in several {
            for (number, value) in values.iter().enumerate() {
                let Some(other) = right.with_value(operator, key, value) else {
                    continue;
                };
                if other.decide(&subject.desired.trust, &subject.live.arn).0 != Decision::Allow {
                    continue;
                }
                let check = allowed(subject, principal.name, &other);
                if check.outcome != Outcome::Proven {
                    let which = if key == EXTERNAL_ID {
                        format!("external id {} of {}", number + 1, values.len())
                    } else {
                        format!("`{}` `{value}`", spelled(key))
                    };
                    checks.push(Check {
                        message: format!("with {which}: {}", check.message),
                        ..check
                    });
                }
            }
        }
    }
    checks
}

/// What the principal may lack: told where the desired trust keeps it out without, and the live one does not.
fn without_keys(
    setting: Setting<'_>,
    subject: Subject<'_>,
    principal: Principal<'_>,
    right: &Attempt,
) -> Vec<Check> {
    let Principal { kind, name, .. } = principal;
    let Some(entrant) = entrant(setting, subject, &subject.live.trust, (kind, name)) else {
        return Vec::new();
    };
    let lacked = keys(&subject.desired.trust).into_iter().filter(|key| {
        key != EXTERNAL_ID
            && key != MFA
            && right.get(key).is_some()
            && matches!(
                entrant.key(key),
                Key::ChosenOrAbsent | Key::OneOfOrAbsent(_)
            )
    });
    lacked
        .filter_map(|key| {
            let how = format!("without `{}`", spelled(&key));
            refused(
                subject,
                name,
                Probe::Condition,
                &right.with(&key, None),
                &how,
            )
        })
        .filter(|check| check.outcome != Outcome::Proven)
        .collect()
}

/// The attempt, or the same with MFA: the first that the desired trust allows.
pub(super) fn in_the_right_way(subject: Subject<'_>, attempt: &Attempt) -> Option<Attempt> {
    let arn = &subject.live.arn;
    let mut ways = [attempt.clone(), attempt.with(MFA, Some("true".to_owned()))].into_iter();
    ways.find(|way| way.decide(&subject.desired.trust, arn).0 == Decision::Allow)
}

fn allowed(subject: Subject<'_>, name: &str, right: &Attempt) -> Check {
    let with = match (right.get(EXTERNAL_ID), right.get(MFA)) {
        (Some(_), Some("true")) => " with the external id and MFA",
        (Some(_), _) => " with the external id",
        (None, Some("true")) => " with MFA",
        (None, _) => "",
    };
    let live = &subject.live.trust;
    let (outcome, message) = match right.decide(live, &subject.live.arn) {
        (Decision::Allow, why) => (
            Outcome::Proven,
            format!("`{name}` may assume it{with}{}", by(why)),
        ),
        (Decision::Undecided, _) => {
            let message = format!("cannot determine whether `{name}` may assume it{with}");
            (Outcome::NotProvable, open(message, right, live))
        }
        (Decision::ExplicitDeny, why) => (
            Outcome::Failed,
            format!("`{name}` is denied{with}{}", by(why)),
        ),
        (Decision::ImplicitDeny, _) => {
            let message = format!(
                "`{name}` is refused{with}: no statement of the live trust allows it{}",
                dead(live)
            );
            (Outcome::Failed, message)
        }
    };
    Check::new(Probe::Allowed, outcome, message)
}

/// What to try otherwise: what that proves, the key, its value, and in words.
fn variations(
    subject: Subject<'_>,
    right: &Attempt,
) -> Vec<(Probe, String, Option<String>, String)> {
    let mut variations = Vec::new();
    if right.get(EXTERNAL_ID).is_some() {
        let wrong = Some(WRONG_EXTERNAL_ID.to_owned());
        variations.push((
            Probe::NoExternalId,
            EXTERNAL_ID.to_owned(),
            None,
            "without the external id".to_owned(),
        ));
        variations.push((
            Probe::WrongExternalId,
            EXTERNAL_ID.to_owned(),
            wrong,
            "with a wrong external id".to_owned(),
        ));
    }
    let desired = &subject.desired.trust;
    let keys: BTreeSet<&String> = desired
        .statements()
        .iter()
        .flat_map(|statement| statement.conditions.values())
        .flat_map(|keys| keys.keys())
        .collect();
    for key in keys {
        let Some(value) = right
            .get(key)
            .filter(|_| key != EXTERNAL_ID && key != CURRENT_TIME)
        else {
            continue;
        };
        if key == MFA {
            variations.push((
                Probe::NoMfa,
                key.clone(),
                Some(other_than(value)),
                "without MFA".to_owned(),
            ));
            variations.push((
                Probe::NoMfa,
                key.clone(),
                None,
                "with credentials that carry no MFA context".to_owned(),
            ));
        } else {
            let how = format!("with another `{}`", spelled(key));
            variations.push((Probe::Condition, key.clone(), Some(other_than(value)), how));
        }
    }
    variations
}

/// The check that `wrong` is refused; `None` where the desired trust does not refuse it.
fn refused(
    subject: Subject<'_>,
    name: &str,
    probe: Probe,
    wrong: &Attempt,
    how: &str,
) -> Option<Check> {
    let always = matches!(probe, Probe::NoExternalId | Probe::WrongExternalId);
    if !always && !is_refused(wrong, &subject.desired.trust, &subject.live.arn) {
        return None;
    }
    let live = &subject.live.trust;
    let (outcome, message) = match wrong.decide(live, &subject.live.arn) {
        (Decision::Allow, why) => (
            Outcome::Failed,
            format!("`{name}` may assume it {how}{}", by(why)),
        ),
        (Decision::Undecided, _) => {
            let message = format!("cannot determine whether `{name}` is refused {how}");
            (Outcome::NotProvable, open(message, wrong, live))
        }
        (Decision::ExplicitDeny | Decision::ImplicitDeny, _) => {
            (Outcome::Proven, format!("`{name}` is refused {how}"))
        }
    };
    Some(Check::new(probe, outcome, message))
}

fn is_refused(attempt: &Attempt, trust: &PolicyDocument, arn: &str) -> bool {
    matches!(
        attempt.decide(trust, arn).0,
        Decision::ImplicitDeny | Decision::ExplicitDeny
    )
}

/// The external ids that a trust demands, as written.
pub fn external_ids(trust: &PolicyDocument) -> BTreeSet<String> {
    let allows = trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow);
    let conditions = allows.flat_map(|statement| &statement.conditions);
    let demanded = conditions.filter(|(operator, _)| {
        Operator::parse(operator).is_some_and(|operator| !operator.negated)
    });
    demanded
        .filter_map(|(_, keys)| keys.get(EXTERNAL_ID))
        .flatten()
        .cloned()
        .collect()
}

/// Which statement decided.
pub(super) fn by(why: Option<Why>) -> String {
    match why {
        Some(Why {
            statement: Some(place),
            sid: Some(sid),
            ..
        }) => format!(" by statement {} (`{sid}`)", place + 1),
        Some(Why {
            statement: Some(place),
            ..
        }) => format!(" by statement {}", place + 1),
        _ => String::new(),
    }
}

pub(super) fn dead(live: &PolicyDocument) -> String {
    let dead: Vec<String> = live.dead_principals().into_iter().collect();
    if dead.is_empty() {
        String::new()
    } else {
        format!(
            "; it names {}, whose principal no longer exists",
            dead.join(", ")
        )
    }
}

/// `message`, and the condition keys that it depends on.
fn open(message: String, attempt: &Attempt, trust: &PolicyDocument) -> String {
    let keys: Vec<String> = attempt
        .open_keys(trust)
        .iter()
        .map(|key| format!("`{}`", spelled(key)))
        .collect();
    match (trust.is_understood(), keys.is_empty()) {
        (false, _) => format!("{message}: the live trust policy cannot be evaluated"),
        (true, true) => message,
        (true, false) => format!("{message}: it depends on {}", keys.join(", ")),
    }
}

#[cfg(test)]
mod tests;
