//! The lint of sessions that cannot begin: a principal is trusted and still cannot assume the role.
//!
//! To begin a session with tags or a source identity takes an action of its own, and tags that are transitive go along
//! with every role that is assumed from there.
//! Sources: Amazon EKS User Guide, "Create IAM role with trust policy required by EKS Pod Identity" and "Grant Pods access
//! to AWS resources based on tags"; IAM Roles Anywhere User Guide, "Trust policy"; IAM User Guide, "Pass session tags in
//! AWS STS", chaining roles with session tags.

use std::collections::BTreeSet;

use super::context::{Context, Tagged, named};
use crate::org::AccountId;
use crate::resource::policy::operator::{Operator, Quantifier};
use crate::resource::policy::pattern::{self, Variables, segments};
use crate::resource::policy::{Effect, PolicyDocument, Statement};
use crate::resource::role::Role;

const PODS: &str = "pods.eks.amazonaws.com";

/// What services need beside `sts:AssumeRole`.
const NEEDED: &[(&str, &[&str])] = &[
    (PODS, &["sts:TagSession"]),
    (
        "rolesanywhere.amazonaws.com",
        &["sts:TagSession", "sts:SetSourceIdentity"],
    ),
];

/// The roles that EKS Pod Identity enters: its session tags are transitive.
pub(super) fn tagged<'a>(roles: impl Iterator<Item = (AccountId, &'a Role)>) -> Tagged {
    let entered = roles.filter(|(_, role)| {
        services(&role.trust)
            .iter()
            .any(|(_, service)| service.trim_end_matches(".cn") == PODS)
    });
    entered
        .map(|(account, role)| (account, role.name.key()))
        .collect()
}

/// A principal that the trust names cannot begin a session.
pub(super) fn locked_out(context: &Context<'_>, said: &mut Vec<String>) {
    let trust = &context.role.trust;
    for (statement, service) in services(trust) {
        let name = service.trim_end_matches(".cn");
        let needed = NEEDED
            .iter()
            .filter(|(known, _)| *known == name)
            .flat_map(|(_, needed)| *needed);
        for action in needed.filter(|action| !permits(trust, "Service", service, action)) {
            said.push(format!(
                "trusts `{service}` without `{action}`, which each of its sessions needs"
            ));
        }
        if name == PODS && demands(statement, "aws:sourcearn") {
            said.push(format!(
                "demands `aws:SourceArn` of `{service}`, which does not send it"
            ));
        }
    }
    let chained: BTreeSet<&str> = allows(trust)
        .flat_map(|statement| named(statement, "AWS"))
        .filter(|arn| role_of(arn).is_some_and(|role| context.tagged.contains(&role)))
        .filter(|arn| permits(trust, "AWS", arn, "sts:AssumeRole"))
        .filter(|arn| !permits(trust, "AWS", arn, "sts:TagSession"))
        .collect();
    for arn in chained {
        said.push(format!(
            "trusts `{arn}` without `sts:TagSession`: EKS Pod Identity enters that role, and its tags go along"
        ));
    }
}

/// The statements that let a service assume the role, with each service.
fn services(trust: &PolicyDocument) -> Vec<(&Statement, &str)> {
    let assume = allows(trust).filter(|statement| speaks_of(statement, "sts:AssumeRole"));
    assume
        .flat_map(|statement| named(statement, "Service").map(move |service| (statement, service)))
        .collect()
}

fn allows(trust: &PolicyDocument) -> impl Iterator<Item = &Statement> {
    trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
}

/// Whether some statement allows a principal the action, its conditions aside.
fn permits(trust: &PolicyDocument, kind: &str, name: &str, action: &str) -> bool {
    allows(trust).any(|statement| {
        named(statement, kind).any(|other| other == name) && speaks_of(statement, action)
    })
}

fn speaks_of(statement: &Statement, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let mut patterns = statement
        .actions
        .patterns
        .iter()
        .map(|text| pattern::tokens(text, Variables::Literal));
    patterns.any(|pattern| pattern::matches(&pattern, &action)) != statement.actions.negated
}

/// Whether a statement does not apply without a key (in lower case).
fn demands(statement: &Statement, key: &str) -> bool {
    let operators = statement
        .conditions
        .iter()
        .filter(|(_, keys)| keys.contains_key(key));
    operators
        .filter_map(|(name, _)| Operator::parse(name))
        .any(|operator| {
            !operator.if_exists
                && !operator.negated
                && operator.quantifier != Some(Quantifier::ForAllValues)
        })
}

/// The account of a role's ARN, and the key of its name.
fn role_of(arn: &str) -> Option<(AccountId, String)> {
    let &["arn", _, "iam", "", account, resource] = segments(arn).as_slice() else {
        return None;
    };
    let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
    Some((AccountId::parse(account).ok()?, name.to_ascii_lowercase()))
}
