//! Lints: findings about a desired role.
//!
//! A lint looks at what is desired, never at what is live, so it says the same before and after an apply. A trust
//! policy is not searched for suspicious words: callers who must stay out (a stranger, a vendor's other customer, a
//! service at work for someone else) are put to it, and [`evaluate`](crate::evaluate) says whether it lets them in.
//! That way a condition counts for what it does: `IfExists`, `ForAllValues`, negation, wildcards and `Deny` included.
//! A key that a caller may lack is tried absent and present.
//!
//! Each lint has a stable code, a default [`Level`] and one sentence that says how to fix it. Of them only
//! `public-trust` stops, because nothing in a trust of everyone can be meant.

mod context;
mod dead;
mod oidc;
mod powers;
mod session;
mod settings;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use context::{Context, SharedIds, is_meant};

use crate::desired::AccountDesired;
use crate::org::AccountId;
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::name::RoleName;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::{Ensure, Role};

pub use settings::{Level, Settings};

/// A lint's word about one role of one account.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The lint's code.
    pub code: &'static str,
    /// How much it weighs; never [`Level::Off`].
    pub level: Level,
    /// The account.
    pub account: AccountId,
    /// The role; equal roles of many accounts are one.
    pub role: Arc<Role>,
    /// What, and how to fix it. The same for the same role in every account. Sensitive values are not masked.
    pub message: Arc<str>,
}

/// Whom from outside the organization a live trust policy lets in, in words; `None` where there is none.
pub fn outsiders(settings: &Settings, trust: &PolicyDocument) -> Option<String> {
    if context::is_public(trust) {
        return Some("everyone".to_owned());
    }
    let none = BTreeSet::new();
    let outsiders = context::outsiders(settings.organization.as_ref().unwrap_or(&none), trust);
    let accounts: Vec<AccountId> = outsiders.into_keys().collect();
    let accounts = (!accounts.is_empty()).then(|| context::described_accounts(settings, &accounts));
    let issuers = context::open_issuers(trust)
        .into_iter()
        .map(|url| format!("anyone with a token of `{url}`"));
    let all: Vec<String> = accounts.into_iter().chain(issuers).collect();
    (!all.is_empty()).then(|| context::listed(&all))
}

/// One lint.
struct Lint {
    code: &'static str,
    level: Level,
    /// How to fix it, as the end of a sentence.
    fix: &'static str,
    /// What there is to say about a role, each as the middle of a sentence: role `x` … .
    check: fn(&Context<'_>, &mut Vec<String>),
}

const LINTS: &[Lint] = &[
    Lint {
        code: "public-trust",
        level: Level::Stop,
        fix: "name the accounts or roles that may assume it, or require `aws:PrincipalOrgID`",
        check: trust::public_trust,
    },
    Lint {
        code: "no-external-id",
        level: Level::Warn,
        fix: "ask the other party for an external id that is unique to you, and set `external_id`",
        check: trust::no_external_id,
    },
    Lint {
        code: "shared-external-id",
        level: Level::Warn,
        fix: "an external id must be unique: ask for one for each role",
        check: trust::shared_external_id,
    },
    Lint {
        code: "mfa-on-machine",
        level: Level::Warn,
        fix: "remove `require_mfa` and conditions on `aws:MultiFactorAuth…`: software cannot use MFA",
        check: trust::mfa_on_machine,
    },
    Lint {
        code: "confused-service",
        level: Level::Warn,
        fix: "require `aws:SourceAccount` (or `aws:SourceArn`, `aws:SourceOrgID`) in the trust",
        check: trust::confused_service,
    },
    Lint {
        code: "oidc-open",
        level: Level::Warn,
        fix: "restrict the identity, for example to `repo:ORGANIZATION/REPOSITORY:ref:refs/heads/main` in `…:sub` for GitHub",
        check: oidc::oidc_open,
    },
    Lint {
        code: "dead-trust",
        level: Level::Warn,
        fix: "change the condition or the principal, or remove the statement",
        check: dead::dead_trust,
    },
    Lint {
        code: "loose-condition",
        level: Level::Warn,
        fix: "remove `ForAllValues:`: it is for keys of several values, and it is true if the key is absent",
        check: dead::loose_condition,
    },
    Lint {
        code: "admin-to-outsider",
        level: Level::Warn,
        fix: "grant only what the other party needs, or set a permissions boundary",
        check: powers::admin_to_outsider,
    },
    Lint {
        code: "escalation",
        level: Level::Warn,
        fix: "limit these actions to named resources (`iam:PassRole` also by `iam:PassedToService`), or deny at least one action of each combination",
        check: powers::escalation,
    },
    Lint {
        code: "locked-out",
        level: Level::Warn,
        fix: "allow what their sessions need beside `sts:AssumeRole`, and demand only keys that they send",
        check: session::locked_out,
    },
];

/// The code of the lint on changes: it needs the live trust, so a plan asks for it.
pub const TRUST_WIDENED: &str = "trust-widened";

/// What to say of a role whose trust policy will let in more than it does; `None` where that is off.
pub fn trust_widened(settings: &Settings, role: &RoleName) -> Option<(Level, String)> {
    let level = settings.level(TRUST_WIDENED).unwrap_or(Level::Warn);
    let message = format!(
        "the trust policy of role `{role}` will allow callers that it refuses now; review its diff, and remove the new statement or principal if it is not intended"
    );
    (level != Level::Off).then_some((level, message))
}

/// Runs every lint over every desired role.
///
/// A role that is the same in many accounts is looked at once: ten thousand accounts cost little more than one.
/// Roles that should be absent, and external roles, are not checked.
pub fn run(accounts: &BTreeMap<AccountId, AccountDesired>, settings: &Settings) -> Vec<Finding> {
    let shared = SharedIds::of(accounts.values().flat_map(looked_at));
    let insiders: BTreeSet<AccountId> = accounts.keys().copied().collect();
    let tagged = session::tagged(accounts.iter().flat_map(|(account, desired)| {
        looked_at(desired).map(move |role| (*account, role.as_ref()))
    }));
    let mut known: HashMap<Key, Vec<Word>> = HashMap::new();
    let mut findings = Vec::new();
    for (account, desired) in accounts {
        for role in looked_at(desired) {
            let policies = policies(role, desired);
            let key = (
                Arc::as_ptr(role),
                policies.iter().map(|policy| Arc::as_ptr(policy)).collect(),
            );
            let words = known.entry(key).or_insert_with(|| {
                words(&Context::new(
                    settings,
                    &insiders,
                    (&shared, &tagged),
                    role,
                    &policies,
                ))
            });
            findings.extend(words.iter().map(|(lint, level, message)| Finding {
                code: lint.code,
                level: *level,
                account: *account,
                role: Arc::clone(role),
                message: Arc::clone(message),
            }));
        }
    }
    findings
}

/// A lint, how much it weighs, and what it says.
type Word = (&'static Lint, Level, Arc<str>);

/// A role and the policies of its account that it names, by where they are kept.
type Key = (*const Role, Vec<*const ManagedPolicy>);

fn looked_at(desired: &AccountDesired) -> impl Iterator<Item = &Arc<Role>> {
    desired
        .roles
        .values()
        .filter(|role| role.ensure == Ensure::Present && !role.external)
}

/// The desired customer managed policies that a role names, its boundary among them.
fn policies<'a>(role: &Role, desired: &'a AccountDesired) -> Vec<&'a Arc<ManagedPolicy>> {
    let boundary = role.permissions_boundary.iter().flatten();
    let references = role.managed_policies.iter().flatten().chain(boundary);
    references
        .filter_map(|reference| {
            desired
                .policies
                .values()
                .find(|policy| is_meant(policy, reference))
        })
        .collect()
}

fn words(context: &Context<'_>) -> Vec<Word> {
    let mut words = Vec::new();
    for lint in LINTS {
        let level = context.settings.level(lint.code).unwrap_or(lint.level);
        if level == Level::Off {
            continue;
        }
        let mut said = Vec::new();
        (lint.check)(context, &mut said);
        let message = |what| format!("role `{}` {what}; {}", context.role.name, lint.fix);
        words.extend(
            said.into_iter()
                .map(|what| (lint, level, message(what).into())),
        );
    }
    words
}
