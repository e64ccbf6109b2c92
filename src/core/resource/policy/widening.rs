//! Whether a change of a statement gives more access than before.
//!
//! It is said to, unless it surely does not: a review that is asked for once too often costs a minute, a wider trust
//! that passes for a narrower one costs more.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::meaning::{Condition, Meaning};
use super::operator::{Comparison, Operator, Test};
use super::pattern::{self, Token, Variables, covers, may_overlap, segments};
use super::principal::is_unique_id;
use super::value::{Network, compare_numbers, compare_times};
use super::{Effect, Patterns, Principals, Statement};
use crate::org::AccountId;

/// Whether access may widen by the step from `before` to `after`; `None` is a statement that is not there.
///
/// A statement that comes or goes is judged alone: whether another one covers it is for the caller to know.
///
/// `home` is the account that holds the document, where it is known. The root of that account lets in whom its policies
/// let come; a role or user of it that the trust names itself comes without any.
pub fn widens(
    before: Option<&Statement>,
    after: Option<&Statement>,
    home: Option<AccountId>,
) -> bool {
    match (before, after) {
        (None, None) => false,
        (None, Some(added)) => added.effect == Effect::Allow,
        (Some(removed), None) => removed.effect == Effect::Deny,
        (Some(before), Some(after)) => match (before.effect, after.effect) {
            (Effect::Allow, Effect::Allow) => !before.covers(after, home),
            (Effect::Deny, Effect::Deny) => !after.covers(before, home),
            (Effect::Deny, Effect::Allow) => true,
            (Effect::Allow, Effect::Deny) => false,
        },
    }
}

impl Statement {
    /// Whether every request that `inner` speaks of is one that this speaks of, whatever their effects; sure where it
    /// says yes.
    pub(super) fn covers(&self, inner: &Self, home: Option<AccountId>) -> bool {
        let (outer, inner) = (self.meaning(), inner.meaning());
        let Meaning {
            effect: _,
            principals,
            actions,
            resources,
            conditions,
        } = &outer;
        let resources = match (resources, &inner.resources) {
            (Some(outer), Some(inner)) => patterns_cover(outer, inner),
            (None, None) => true,
            _ => false,
        };
        let principals = match (principals, &inner.principals) {
            (Some(outer), Some(inner)) => principals_cover(outer, inner, home),
            (None, None) => true,
            _ => false,
        };
        let implied =
            |outer: &Condition| inner.conditions.iter().any(|inner| implies(inner, outer));
        resources
            && principals
            && patterns_cover(actions, inner.actions)
            && conditions.iter().all(implied)
    }
}

fn read(text: &str) -> Vec<Token<'_>> {
    pattern::tokens(text, Variables::Read)
}

fn has_variable(text: &str) -> bool {
    read(text)
        .iter()
        .any(|token| matches!(token, Token::Variable(_)))
}

fn patterns_cover(outer: &Patterns, inner: &Patterns) -> bool {
    match (outer.negated, inner.negated) {
        (false, false) => each_covered(&outer.patterns, &inner.patterns),
        // What the outer leaves out, the inner must leave out too. Where a variable has no value, the outer speaks of
        // nothing, and the inner only where it has the same variable.
        (true, true) => {
            let mut with_variables = outer.patterns.iter().filter(|text| has_variable(text));
            with_variables.all(|text| inner.patterns.contains(text))
                && each_covered(&inner.patterns, &outer.patterns)
        }
        (false, true) => outer.patterns.contains("*"),
        (true, false) if outer.patterns.iter().any(|text| has_variable(text)) => false,
        (true, false) => {
            let left_out: Vec<_> = outer.patterns.iter().map(|text| read(text)).collect();
            let apart = |inner: &String| {
                left_out
                    .iter()
                    .all(|outer| !may_overlap(outer, &read(inner)))
            };
            inner.patterns.iter().all(apart)
        }
    }
}

/// Whether each of `inner` is covered by one of `outer`.
fn each_covered(outer: &BTreeSet<String>, inner: &BTreeSet<String>) -> bool {
    let rest: Vec<_> = inner.difference(outer).collect();
    if rest.is_empty() {
        return true;
    }
    let outer: Vec<_> = outer.iter().map(|text| read(text)).collect();
    rest.into_iter().all(|text| {
        let inner = read(text);
        outer.iter().any(|outer| covers(outer, &inner))
    })
}

fn principals_cover(outer: &Principals, inner: &Principals, home: Option<AccountId>) -> bool {
    let within = |outer: &Principals, inner: &Principals| {
        inner.kinds.iter().all(|(kind, names)| {
            let Some(outer) = outer.kinds.get(kind) else {
                return names.is_empty();
            };
            names.iter().all(|name| {
                outer.contains(name) || (kind == "AWS" && aws_covers(outer, name, home))
            })
        })
    };
    match (outer.negated, inner.negated) {
        (false, false) => within(outer, inner),
        (true, true) => outer
            .kinds
            .iter()
            .all(|(kind, names)| inner.kinds.get(kind).is_some_and(|i| names.is_subset(i))),
        _ => false,
    }
}

/// Everyone covers anyone, and the root of another account covers who is in it: it needs its account's policies either
/// way. No caller has the unique id of a principal that no longer exists.
///
/// Source: IAM User Guide, "Policy evaluation for requests within a single account".
fn aws_covers(outer: &BTreeSet<String>, name: &str, home: Option<AccountId>) -> bool {
    let root = match segments(name).as_slice() {
        ["arn", partition, "iam" | "sts", _, account, _]
            if home.is_none_or(|home| *account != home.as_str()) =>
        {
            Some(format!("arn:{partition}:iam::{account}:root"))
        }
        _ => None,
    };
    is_unique_id(name) || outer.contains("*") || root.is_some_and(|root| outer.contains(&root))
}

/// Whether a request that meets `inner` surely meets `outer`.
fn implies(inner: &Condition, outer: &Condition) -> bool {
    let ((inner_name, inner_key, inner), (outer_name, outer_key, outer)) = (inner, outer);
    if inner_key != outer_key {
        return false;
    }
    let (Some(inner_operator), Some(outer_operator)) =
        (Operator::parse(inner_name), Operator::parse(outer_name))
    else {
        return inner_name == outer_name && inner == outer;
    };
    // `IfExists` only adds requests without the key; a negated test alone holds for those anyway.
    let absent = !inner_operator.if_exists
        || outer_operator.if_exists
        || (outer_operator.negated && outer_operator.quantifier.is_none());
    let comparable = absent
        && inner_operator.quantifier == outer_operator.quantifier
        && inner_operator.negated == outer_operator.negated
        && stricter(
            exact(inner_operator.test, inner),
            exact(outer_operator.test, outer),
            inner_operator.negated,
        );
    comparable
        && if inner_operator.negated {
            // What the outer keeps out, the inner must keep out too.
            outer.iter().all(|value| {
                inner
                    .iter()
                    .any(|wide| value_within(inner_operator.test, value, wide))
            })
        } else {
            inner.iter().all(|value| {
                outer
                    .iter()
                    .any(|wide| value_within(outer_operator.test, value, wide))
            })
        }
}

/// A pattern without a wildcard, and without a variable whose value might hold one, is matched as a text.
fn exact(test: Test, values: &BTreeSet<String>) -> Test {
    let is_plain = |value: &String| !value.contains(['*', '?', '$']);
    if test == Test::StringLike && values.iter().all(is_plain) {
        return Test::StringEquals;
    }
    test
}

/// Whether the values of two tests can be compared: the same test, or a stricter one of strings.
fn stricter(inner: Test, outer: Test, negated: bool) -> bool {
    let (narrow, wide) = if negated {
        (outer, inner)
    } else {
        (inner, outer)
    };
    narrow == wide
        || (narrow == Test::StringEquals && wide == Test::StringEqualsIgnoreCase)
        || (narrow == Test::StringEquals && wide == Test::StringLike)
}

/// Whether all that `value` lets match, `wide` does too.
fn value_within(test: Test, value: &str, wide: &str) -> bool {
    value == wide
        || match test {
            Test::StringLike => covers(&read(wide), &read(value)),
            Test::Arn => arn_covers(wide, value),
            Test::StringEqualsIgnoreCase => value.to_lowercase() == wide.to_lowercase(),
            Test::IpAddress => match (Network::parse(wide), Network::parse(value)) {
                (Some(wide), Some(value)) => wide.contains(&value),
                _ => false,
            },
            Test::Numeric(comparison) => {
                compare_numbers(value, wide).is_some_and(|order| bound(comparison, order))
            }
            Test::Date(comparison) => {
                compare_times(value, wide).is_some_and(|order| bound(comparison, order))
            }
            Test::StringEquals | Test::Bool | Test::Binary | Test::Null => false,
        }
}

/// ARNs are matched part by part.
fn arn_covers(wide: &str, value: &str) -> bool {
    let (wide_parts, value_parts) = (segments(wide), segments(value));
    wide == "*"
        || (wide_parts.len() == value_parts.len()
            && wide_parts
                .into_iter()
                .zip(value_parts)
                .all(|(wide, value)| covers(&read(wide), &read(value))))
}

/// Whether a bound that is in `order` to another is within it.
fn bound(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Equals => order.is_eq(),
        Comparison::LessThan | Comparison::LessThanEquals => order.is_le(),
        Comparison::GreaterThan | Comparison::GreaterThanEquals => order.is_ge(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::Partition;
    use crate::resource::policy::{PolicyDocument, PolicyKind};

    fn statement(members: &str) -> Option<Statement> {
        let text = format!(r#"{{"Statement":{{{members}}}}}"#);
        let document = PolicyDocument::live(&text, PolicyKind::Trust, &Partition::default());
        assert!(document.is_understood(), "{text}");
        document.statements().first().cloned()
    }

    #[track_caller]
    fn check(before: &str, after: &str, forth: bool, back: bool) {
        let (before, after) = (statement(before), statement(after));
        assert_eq!(
            widens(before.as_ref(), after.as_ref(), None),
            forth,
            "{before:?} to {after:?}"
        );
        assert_eq!(
            widens(after.as_ref(), before.as_ref(), None),
            back,
            "{after:?} back to {before:?}"
        );
    }

    fn identity(effect: &str, more: &str) -> String {
        format!(r#""Effect":"{effect}",{more}"#)
    }

    /// From the wide to the narrow form of an Allow and back, and of a Deny.
    #[track_caller]
    fn narrows(wide: &str, narrow: &str) {
        check(
            &identity("Allow", wide),
            &identity("Allow", narrow),
            false,
            true,
        );
        check(
            &identity("Deny", wide),
            &identity("Deny", narrow),
            true,
            false,
        );
    }

    /// Neither covers the other, or it is unknown.
    #[track_caller]
    fn unsure(a: &str, b: &str) {
        check(&identity("Allow", a), &identity("Allow", b), true, true);
        check(&identity("Deny", a), &identity("Deny", b), true, true);
    }

    fn when(block: &str) -> String {
        format!(r#""Action":"s3:Get","Resource":"*","Condition":{block}"#)
    }

    fn who(principal: &str) -> String {
        format!(r#""Action":"sts:AssumeRole","Principal":{principal}"#)
    }

    #[test]
    fn statements_that_come_go_or_turn() {
        let (allow, deny) = (
            statement(&identity("Allow", r#""Action":"a:b","Resource":"*""#)),
            statement(&identity("Deny", r#""Action":"a:b","Resource":"*""#)),
        );
        for (before, after, expect) in [
            (None, None, false),
            (None, allow.as_ref(), true),
            (allow.as_ref(), None, false),
            (None, deny.as_ref(), false),
            (deny.as_ref(), None, true),
            (deny.as_ref(), allow.as_ref(), true),
            (allow.as_ref(), deny.as_ref(), false),
            (allow.as_ref(), allow.as_ref(), false),
        ] {
            assert_eq!(
                widens(before, after, None),
                expect,
                "{before:?} to {after:?}"
            );
        }
    }

    #[test]
    fn actions_and_resources() {
        let star = |actions: &str| format!(r#"{actions},"Resource":"*""#);
        let pairs = [
            (r#""Action":"s3:*""#, r#""Action":"s3:Get*""#),
            (r#""Action":["s3:Get","s3:Put"]"#, r#""Action":"S3:get""#),
            (r#""NotAction":"iam:*""#, r#""NotAction":["iam:*","s3:*"]"#),
            (r#""NotAction":"iam:Get*""#, r#""NotAction":"iam:*""#),
            (r#""NotAction":"iam:*""#, r#""Action":"s3:Get*""#),
            (r#""Action":"*""#, r#""NotAction":"iam:*""#),
        ];
        for (wide, narrow) in pairs {
            narrows(&star(wide), &star(narrow));
        }
        unsure(
            &star(r#""Action":"s3:Get*""#),
            &star(r#""Action":"s3:*Object""#),
        );
        unsure(
            &star(r#""NotAction":"iam:*""#),
            &star(r#""Action":["iam:Get","s3:Get"]"#),
        );
        let on = |resources: &str| format!(r#""Action":"s3:Get",{resources}"#);
        narrows(
            &on(r#""Resource":"*""#),
            &on(r#""Resource":"arn:aws:s3:::b/*""#),
        );
        narrows(
            &on(r#""Resource":"arn:aws:s3:::b/*""#),
            &on(r#""Resource":"arn:aws:s3:::b/${aws:username}""#),
        );
        narrows(
            &on(r#""NotResource":"arn:aws:s3:::b""#),
            &on(r#""Resource":"arn:aws:s3:::c""#),
        );
        // Where a variable has no value, what leaves it out speaks of nothing.
        for inner in [
            r#""NotResource":"arn:aws:s3:::b/*""#,
            r#""NotResource":["arn:aws:s3:::b/x","arn:aws:s3:::b/*"]"#,
            r#""Resource":"arn:aws:s3:::c""#,
        ] {
            let outer = on(r#""NotResource":"arn:aws:s3:::b/${aws:username}""#);
            check(
                &identity("Allow", &outer),
                &identity("Allow", &on(inner)),
                true,
                true,
            );
        }
        narrows(
            &on(r#""NotResource":"arn:aws:s3:::b/${aws:username}""#),
            &on(r#""NotResource":["arn:aws:s3:::b/${aws:username}","arn:aws:s3:::c"]"#),
        );
        unsure(
            &on(r#""Resource":"arn:aws:s3:::B""#),
            &on(r#""Resource":"arn:aws:s3:::b""#),
        );
        unsure(
            &on(r#""Resource":"arn:aws:s3:::b/${aws:username}""#),
            &on(r#""Resource":"arn:aws:s3:::b/x""#),
        );
    }

    #[test]
    fn principals() {
        let role = "arn:aws:iam::111122223333:role/r";
        narrows(&who(r#"{"AWS":"*"}"#), &who(r#"{"AWS":"111122223333"}"#));
        narrows(
            &who(r#"{"AWS":"111122223333"}"#),
            &who(&format!(r#"{{"AWS":"{role}"}}"#)),
        );
        narrows(
            &who(r#"{"AWS":["111122223333","444455556666"]}"#),
            &who(r#"{"AWS":"444455556666"}"#),
        );
        narrows(
            &who(&format!(
                r#"{{"AWS":"{role}","Service":"ec2.amazonaws.com"}}"#
            )),
            &who(&format!(r#"{{"AWS":"{role}"}}"#)),
        );
        unsure(
            &who(r#"{"AWS":"111122223333"}"#),
            &who(r#"{"AWS":"arn:aws:iam::444455556666:role/r"}"#),
        );
        // Nobody comes by the id of somebody who is gone.
        narrows(
            &who(r#"{"AWS":"111122223333"}"#),
            &who(r#"{"AWS":"AROAEXAMPLEID12345678"}"#),
        );
        unsure(
            &who(r#"{"AWS":"*"}"#),
            &who(r#"{"Federated":"accounts.google.com"}"#),
        );
    }

    #[test]
    fn the_root_of_the_own_account_does_not_cover_who_is_named_in_it() {
        let root = identity("Allow", &who(r#"{"AWS":"111122223333"}"#));
        for (name, expect) in [("role/ci", true), ("user/ann", true), ("root", false)] {
            let named = who(&format!(r#"{{"AWS":"arn:aws:iam::111122223333:{name}"}}"#));
            let (before, after) = (statement(&root), statement(&identity("Allow", &named)));
            let at = |home: &str| {
                let home = AccountId::parse(home).ok();
                widens(before.as_ref(), after.as_ref(), home)
            };
            assert_eq!(at("111122223333"), expect, "{name}");
            assert!(!at("444455556666"), "{name}");
        }
        let session = who(r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/ci/x"}"#);
        let after = statement(&identity("Allow", &session));
        let home = AccountId::parse("111122223333").ok();
        assert!(widens(statement(&root).as_ref(), after.as_ref(), home));
    }

    #[test]
    fn conditions() {
        for (wide, narrow) in [
            ("{}", r#"{"StringEquals":{"k":"v"}}"#),
            (
                r#"{"StringEquals":{"k":"v"}}"#,
                r#"{"StringEquals":{"k":"v","l":"w"}}"#,
            ),
            (
                r#"{"StringEquals":{"k":["v","w"]}}"#,
                r#"{"StringEquals":{"K":"v"}}"#,
            ),
            (
                r#"{"StringNotEquals":{"k":"v"}}"#,
                r#"{"StringNotEquals":{"k":["v","w"]}}"#,
            ),
            (
                r#"{"StringLike":{"k":"a*"}}"#,
                r#"{"StringLike":{"k":"ab*"}}"#,
            ),
            (
                r#"{"StringLike":{"k":"a*"}}"#,
                r#"{"StringEquals":{"k":"ab"}}"#,
            ),
            (
                r#"{"StringNotLike":{"k":"ab*"}}"#,
                r#"{"StringNotLike":{"k":"a*"}}"#,
            ),
            (
                r#"{"StringNotEquals":{"k":"ab"}}"#,
                r#"{"StringNotLike":{"k":"a*"}}"#,
            ),
            (
                r#"{"StringEqualsIgnoreCase":{"k":"V"}}"#,
                r#"{"StringEquals":{"k":"v"}}"#,
            ),
            (
                r#"{"StringEqualsIfExists":{"k":"v"}}"#,
                r#"{"StringEquals":{"k":"v"}}"#,
            ),
            (
                r#"{"IpAddress":{"k":"10.0.0.0/8"}}"#,
                r#"{"IpAddress":{"k":"10.1.0.0/16"}}"#,
            ),
            (
                r#"{"NotIpAddress":{"k":"10.1.2.3"}}"#,
                r#"{"NotIpAddress":{"k":"10.0.0.0/8"}}"#,
            ),
            (
                r#"{"NumericLessThan":{"k":"3600"}}"#,
                r#"{"NumericLessThan":{"k":1800}}"#,
            ),
            (
                r#"{"DateGreaterThan":{"k":"2026-01-01"}}"#,
                r#"{"DateGreaterThan":{"k":"2026-06-01T00:00:00Z"}}"#,
            ),
            (
                r#"{"ArnLike":{"k":"arn:aws:iam::111122223333:role/*"}}"#,
                r#"{"ArnEquals":{"k":"arn:aws:iam::111122223333:role/x"}}"#,
            ),
        ] {
            narrows(&when(wide), &when(narrow));
        }
        for (a, b) in [
            (
                r#"{"StringEquals":{"k":"v"}}"#,
                r#"{"StringEquals":{"k":"V"}}"#,
            ),
            (
                r#"{"StringEquals":{"k":"v"}}"#,
                r#"{"StringEquals":{"l":"v"}}"#,
            ),
            (
                r#"{"StringEquals":{"k":"a*"}}"#,
                r#"{"StringLike":{"k":"b*"}}"#,
            ),
            (
                r#"{"ForAnyValue:StringEquals":{"k":"v"}}"#,
                r#"{"ForAllValues:StringEquals":{"k":"v"}}"#,
            ),
            (
                r#"{"StringEquals":{"k":"v"}}"#,
                r#"{"StringNotEquals":{"k":"v"}}"#,
            ),
            (r#"{"Bool":{"k":"true"}}"#, r#"{"Bool":{"k":"false"}}"#),
        ] {
            unsure(&when(a), &when(b));
        }
        // Without the key both hold.
        check(
            &identity("Allow", &when(r#"{"StringNotEquals":{"k":"v"}}"#)),
            &identity("Allow", &when(r#"{"StringNotEqualsIfExists":{"k":"v"}}"#)),
            false,
            false,
        );
    }
}
