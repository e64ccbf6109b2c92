//! Evaluating a live trust policy: intended principals can assume it, and no other.
//!
//! Each principal that the desired trust names comes once as its statement demands it, and must get in; then once
//! otherwise for each condition that the statement sets, and must not. Whether it must not is asked of the desired trust
//! itself, for another of its statements may let the principal in. The external id is the exception: a trust that names
//! one and trusts the same principal without it protects nothing, so that fails even where it is desired.
//!
//! Then come strangers, each with whatever any statement demands: they know every external id and have MFA.

use std::collections::BTreeSet;

use super::request::{
    Attempt, CURRENT_TIME, EXTERNAL_ID, MFA, PRINCIPAL_ACCOUNT, WRONG_EXTERNAL_ID, account_of,
    action, covers,
};
use super::request::{keys, other_than, principals, spelled};
use super::{Check, Outcome, Probe, Setting, Subject};
use crate::evaluate::{Decision, Why};
use crate::org::AccountId;
use crate::resource::policy::operator::Operator;
use crate::resource::policy::{Effect, PolicyDocument};
use crate::resource::role::Mode;

/// An account that no organization has.
const OUTSIDE: &str = "000000000000";

/// How many principals a message names before it counts the rest.
const NAMED: usize = 5;

/// Holds the live trust of a role against the desired one.
pub fn check(setting: Setting<'_>, subject: Subject<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for (statement, kind, name) in principals(&subject.desired.trust) {
        if action(kind, name).is_some_and(|action| covers(statement, action)) {
            let attempt = Attempt::meeting(setting, subject, kind, name, statement);
            checks.extend(principal(subject, name, &attempt));
        }
    }
    checks.push(nobody_else(setting, subject));
    checks
}

/// What one principal may do, in the right way and in wrong ones.
fn principal(subject: Subject<'_>, name: &str, attempt: &Attempt) -> Vec<Check> {
    let Some(right) = in_the_right_way(subject, attempt) else {
        let message = format!("no request of `{name}` is known to be allowed by the desired trust");
        return vec![Check::new(
            Probe::Allowed,
            Outcome::NotProvable,
            open(message, attempt, &subject.desired.trust),
        )];
    };
    let mut checks = vec![allowed(subject, name, &right)];
    for (probe, key, value, how) in variations(subject, &right) {
        checks.extend(refused(
            subject,
            name,
            probe,
            &right.with(&key, value),
            &how,
        ));
    }
    checks
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

/// Those whom the desired trust refuses and the live one does not.
#[derive(Default)]
struct Strangers {
    let_in: Vec<String>,
    undecided: Vec<String>,
}

/// No other principal gets in: those that the live trust names and the desired one does not, whom other roles of the
/// directory trust, every other account of the organization, and the world outside.
fn nobody_else(setting: Setting<'_>, subject: Subject<'_>) -> Check {
    let mut met = Strangers::default();
    for (kind, name) in strangers(setting, subject) {
        meet(setting, subject, &kind, &name, &mut met);
    }
    let Strangers { let_in, undecided } = met;
    if !let_in.is_empty() {
        return match subject.desired.manage.trust {
            Mode::Exclusive => {
                let message = format!(
                    "{} allowed by the live trust but not by the desired trust",
                    listed(&let_in)
                );
                Check::new(Probe::NobodyElse, Outcome::Failed, message)
            }
            Mode::Additive => {
                let message = format!(
                    "{} allowed by statements that this directory does not manage; `manage.trust` keeps them",
                    listed(&let_in)
                );
                Check::new(Probe::NobodyElse, Outcome::NotProvable, message)
            }
        };
    }
    if !undecided.is_empty() {
        let message = format!("cannot determine whether {} refused", listed(&undecided));
        return Check::new(Probe::NobodyElse, Outcome::NotProvable, message);
    }
    Check::new(
        Probe::NobodyElse,
        Outcome::Proven,
        everybody(setting, subject),
    )
}

/// Who is refused, counted.
fn everybody(setting: Setting<'_>, subject: Subject<'_>) -> String {
    let desired = &subject.desired.trust;
    let (named, within) = (principals_of(desired), accounts_of(desired));
    let others = setting.principals.difference(&named).count();
    let organization = &setting.organization.accounts;
    let accounts = organization.len()
        - within
            .iter()
            .filter(|account| organization.contains_key(account))
            .count();
    let accounts = match accounts {
        // Whom a condition lets in cannot be counted.
        _ if is_wild(desired) => "each account that its conditions do not name".to_owned(),
        1 => "1 other account of the organization".to_owned(),
        accounts => format!("{accounts} other accounts of the organization"),
    };
    let others = match others {
        0 => String::new(),
        1 => ", 1 principal that other roles trust".to_owned(),
        others => format!(", {others} principals that other roles trust"),
    };
    format!("everyone else is refused: {accounts}{others}, and accounts outside")
}

/// Whom to try: no caller whose answer follows from another's, or a run over thousands of accounts would not end.
///
/// A live trust without wildcards lets in whom it names and whoever is in an account that it names, so only those are
/// worth a try. For one with wildcards, accounts that neither trust mentions differ by their place alone, so one of each
/// place represents all, unless a condition asks for the account itself.
fn strangers(setting: Setting<'_>, subject: Subject<'_>) -> BTreeSet<(String, String)> {
    let (desired, live) = (&subject.desired.trust, &subject.live.trust);
    let named = principals_of(desired);
    let accounts = &setting.organization.accounts;
    let within = accounts_of(live);
    let wild = is_wild(live);
    let mut strangers = principals_of(live);
    strangers.extend(
        setting
            .principals
            .iter()
            .filter(|(_, name)| match account_of(name) {
                Some(account) if wild => !accounts.contains_key(&account),
                Some(account) => within.contains(&account),
                None => wild,
            })
            .cloned(),
    );
    let mut roots = vec![OUTSIDE];
    if wild {
        let each = [desired, live]
            .iter()
            .any(|trust| keys(trust).contains(PRINCIPAL_ACCOUNT));
        let is_mentioned = |id: &AccountId| {
            [desired, live]
                .iter()
                .any(|trust| trust.text().contains(id.as_str()))
        };
        let mut places: BTreeSet<&[String]> = BTreeSet::new();
        let differ = accounts
            .values()
            .filter(|account| each || is_mentioned(&account.id) || places.insert(&account.parents));
        roots.extend(differ.map(|account| account.id.as_str()));
    }
    let root = |account| format!("arn:{}:iam::{account}:root", setting.organization.partition);
    strangers.extend(
        roots
            .into_iter()
            .map(|account| ("AWS".to_owned(), root(account))),
    );
    // A unique id shows where its principal is gone, and no caller can have that id any more.
    let gone = live.dead_principals();
    strangers.retain(|stranger| {
        stranger.1 != "*" && !named.contains(stranger) && !gone.contains(&stranger.1)
    });
    strangers
}

/// Whether the trust lets in someone whom it does not name.
fn is_wild(trust: &PolicyDocument) -> bool {
    let allows = trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow);
    allows
        .filter_map(|statement| statement.principals.as_ref())
        .any(|principals| {
            principals.negated
                || principals
                    .kinds
                    .get("AWS")
                    .is_some_and(|names| names.contains("*"))
        })
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

/// The accounts whose identities a trust lets in.
pub fn accounts_of(trust: &PolicyDocument) -> BTreeSet<AccountId> {
    principals(trust)
        .filter(|(_, kind, _)| *kind == "AWS")
        .filter_map(|(_, _, name)| account_of(name))
        .collect()
}

/// The principals that a trust lets in, with their kinds.
pub fn principals_of(trust: &PolicyDocument) -> BTreeSet<(String, String)> {
    principals(trust)
        .map(|(_, kind, name)| (kind.to_owned(), name.to_owned()))
        .collect()
}

/// Tries a stranger with what each statement of either trust demands.
fn meet(setting: Setting<'_>, subject: Subject<'_>, kind: &str, name: &str, met: &mut Strangers) {
    let (desired, live) = (&subject.desired.trust, &subject.live.trust);
    let mut decision = Decision::ImplicitDeny;
    for statement in desired.statements().iter().chain(live.statements()) {
        let attempt = Attempt::meeting(setting, subject, kind, name, statement);
        for attempt in [attempt.with(MFA, Some("true".to_owned())), attempt] {
            if !is_refused(&attempt, desired, &subject.live.arn) {
                continue;
            }
            match attempt.decide(live, &subject.live.arn).0 {
                Decision::Allow => decision = Decision::Allow,
                Decision::Undecided if decision != Decision::Allow => {
                    decision = Decision::Undecided
                }
                _ => {}
            }
        }
    }
    match decision {
        Decision::Allow => met.let_in.push(name.to_owned()),
        Decision::Undecided => met.undecided.push(name.to_owned()),
        _ => {}
    }
}

/// `a`, `b` and 3 more are
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    match (names.len(), names.len().saturating_sub(NAMED)) {
        (1, _) => format!("{} is", shown.join("")),
        (_, 0) => format!("{} are", shown.join(", ")),
        (_, more) => format!("{} and {more} more are", shown.join(", ")),
    }
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
mod tests {
    use super::super::testing::{Bench, trust};
    use super::*;
    use Outcome::{Failed, NotProvable, Proven};

    const B: &str = r#""AWS":"222222222222""#;
    const OUTPOST: &str = r#""AWS":"arn:aws:iam::650000000001:role/outpost_role""#;
    const ID: &str = r#""StringEquals":{"sts:ExternalId":"right-id"}"#;
    const FEDERATED: &str =
        r#""Federated":"arn:aws:iam::111111111111:oidc-provider/token.example.com""#;

    /// The outcomes of all probes of a role whose trust is as desired, in order.
    #[track_caller]
    fn outcomes(desired: &str, live: &str) -> Vec<(Probe, Outcome)> {
        let bench = Bench::new(desired, live);
        check(bench.setting(), bench.subject())
            .into_iter()
            .map(|check| (check.probe, check.outcome))
            .collect()
    }

    #[test]
    fn a_trust_that_is_as_desired_is_proven_from_both_sides() {
        use Probe::{Allowed, Condition, NoExternalId, NoMfa, NobodyElse, WrongExternalId};
        let mfa = r#""Bool":{"aws:MultiFactorAuthPresent":"true"}"#;
        let session = r#""StringEquals":{"sts:RoleSessionName":"log-reader"}"#;
        let audience = r#""StringEquals":{"token.example.com:aud":"sts.amazonaws.com"}"#;
        let org = r#""StringEquals":{"aws:PrincipalOrgID":"o-test"}"#;
        let source = r#""StringEquals":{"aws:SourceAccount":"222222222222"}"#;
        for (principal, condition, expect) in [
            (B, "", vec![Allowed]),
            (OUTPOST, ID, vec![Allowed, NoExternalId, WrongExternalId]),
            (B, mfa, vec![Allowed, NoMfa, NoMfa]),
            (B, session, vec![Allowed, Condition]),
            (FEDERATED, audience, vec![Allowed, Condition]),
            (r#""AWS":"*""#, org, vec![Allowed, Condition]),
            (
                r#""Service":"ec2.amazonaws.com""#,
                source,
                vec![Allowed, Condition],
            ),
        ] {
            let document = trust(principal, condition);
            let mut expect: Vec<(Probe, Outcome)> =
                expect.into_iter().map(|probe| (probe, Proven)).collect();
            expect.push((NobodyElse, Proven));
            assert_eq!(outcomes(&document, &document), expect, "{document}");
        }
    }

    #[test]
    fn what_is_not_as_desired_fails_the_probe_it_is_about() {
        let two = |a: &str, b: &str| trust(&format!(r#""AWS":[{a},{b}]"#), "");
        let like = |value: &str| format!(r#""StringLike":{{"sts:ExternalId":"{value}"}}"#);
        for (desired, live, expect) in [
            (
                trust(OUTPOST, ID),
                trust(OUTPOST, ""),
                vec![Probe::NoExternalId, Probe::WrongExternalId],
            ),
            (
                trust(OUTPOST, ID),
                trust(OUTPOST, &ID.replace("right", "drifted")),
                vec![Probe::Allowed],
            ),
            (
                trust(OUTPOST, ID),
                trust(OUTPOST, &like("*")),
                vec![Probe::WrongExternalId],
            ),
            (
                trust(OUTPOST, &like("*")),
                trust(OUTPOST, &like("*")),
                vec![Probe::WrongExternalId],
            ),
            (
                trust(B, ""),
                two("\"222222222222\"", "\"333333333333\""),
                vec![Probe::NobodyElse],
            ),
            (
                trust(B, ""),
                trust(r#""AWS":"*""#, ""),
                vec![Probe::NobodyElse],
            ),
            (
                trust(B, ""),
                trust(r#""AWS":"333333333333""#, ""),
                vec![Probe::Allowed, Probe::NobodyElse],
            ),
            (
                trust(B, ""),
                trust(r#""AWS":"AROAABCDEFGHIJKLMNOPQ""#, ""),
                vec![Probe::Allowed],
            ),
        ] {
            let failed: Vec<Probe> = outcomes(&desired, &live)
                .into_iter()
                .filter(|(_, outcome)| *outcome != Proven)
                .map(|(probe, _)| probe)
                .collect();
            assert_eq!(failed, expect, "{live}");
        }
    }

    #[test]
    fn what_hangs_on_an_unknown_key_is_not_provable() {
        let document = trust(B, r#""NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#);
        let bench = Bench::new(&document, &document);
        let checks = check(bench.setting(), bench.subject());
        assert_eq!(checks[0].outcome, NotProvable);
        assert!(
            checks[0].message.contains("depends on `aws:SourceIp`"),
            "{}",
            checks[0].message
        );
        assert_eq!(
            outcomes(&trust(B, ""), "not json")[0],
            (Probe::Allowed, NotProvable)
        );
    }

    #[test]
    fn strangers_of_an_additive_trust_are_told_and_fail_nothing() {
        let (desired, live) = (
            trust(B, ""),
            trust(r#""AWS":["222222222222","333333333333"]"#, ""),
        );
        let mut bench = Bench::new(&desired, &live);
        bench.desired.manage.trust = Mode::Additive;
        let last = check(bench.setting(), bench.subject()).pop().unwrap();
        assert_eq!((last.probe, last.outcome), (Probe::NobodyElse, NotProvable));
        assert!(last.message.contains("333333333333"), "{}", last.message);
    }

    #[test]
    fn of_many_accounts_those_are_tried_that_differ() {
        let org = |id: &str| format!(r#""StringEquals":{{"aws:PrincipalOrgID":"{id}"}}"#);
        let everybody = r#""AWS":"*""#;
        let account = r#""StringEquals":{"aws:PrincipalAccount":"222222222222"}"#;
        for (desired, live, expect) in [
            (trust(B, ""), trust(B, ""), 1),
            (
                trust(everybody, &org("o-test")),
                trust(everybody, &org("o-test")),
                2,
            ),
            (trust(B, ""), trust(everybody, &org("o-test")), 2),
            (trust(everybody, account), trust(everybody, account), 5),
        ] {
            let bench = Bench::new(&desired, &live);
            assert_eq!(
                strangers(bench.setting(), bench.subject()).len(),
                expect,
                "{live}"
            );
        }
        assert_eq!(
            outcomes(&trust(everybody, account), &trust(everybody, "")).pop(),
            Some((Probe::NobodyElse, Failed))
        );
        let paths = r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-test/r-root/ou-a/*"}"#;
        let mut bench = Bench::new(&trust(everybody, paths), &trust(everybody, &org("o-test")));
        let inside = bench
            .organization
            .accounts
            .values_mut()
            .skip(2)
            .map(|account| account.parents.push("ou-a".to_owned()));
        assert_eq!(inside.count(), 2);
        let last = check(bench.setting(), bench.subject()).pop().unwrap();
        assert_eq!(last.outcome, Failed);
        assert!(
            last.message.contains("111111111111") && !last.message.contains("444444444444"),
            "{}",
            last.message
        );
    }

    #[test]
    fn whom_other_roles_trust_is_a_stranger_here() {
        let mut bench = Bench::new(
            &trust(B, ""),
            &trust(
                r#""AWS":["222222222222","arn:aws:iam::650000000001:role/outpost_role"]"#,
                "",
            ),
        );
        bench.principals.insert((
            "AWS".to_owned(),
            "arn:aws:iam::650000000001:role/outpost_role".to_owned(),
        ));
        let last = check(bench.setting(), bench.subject()).pop().unwrap();
        assert_eq!(last.outcome, Failed);
        assert!(
            last.message
                .contains("outpost_role` is allowed by the live trust"),
            "{}",
            last.message
        );
    }
}
