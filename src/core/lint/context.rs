//! One role as lints see it: who can assume it from outside, and what it shares with other roles.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::settings::Settings;
use crate::evaluate::{Answer, Entrant, federated, outsider, stranger};
use crate::org::AccountId;
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::name::RoleName;
use crate::resource::policy::pattern::{self, Variables, segments};
use crate::resource::policy::{Effect, PolicyDocument, Statement};
use crate::resource::role::{PolicyRef, Role};

/// The condition key of external ids.
pub(super) const EXTERNAL_ID: &str = "sts:externalid";

/// Roles whose sessions have transitive tags, by account and key of the name.
pub(super) type Tagged = BTreeSet<(AccountId, String)>;

/// One role and what is around it.
pub(super) struct Context<'a> {
    pub(super) settings: &'a Settings,
    pub(super) role: &'a Role,
    /// The desired customer managed policies that the role names, its boundary among them.
    pub(super) policies: &'a [&'a Arc<ManagedPolicy>],
    pub(super) shared: &'a SharedIds<'a>,
    /// Roles whose sessions pass their tags on.
    pub(super) tagged: &'a Tagged,
    /// Accounts outside the organization that may come in, given the right external id, with the ARNs trusted.
    pub(super) outsiders: BTreeMap<AccountId, BTreeSet<String>>,
    /// Whether everyone may come in.
    pub(super) is_public: bool,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        planned: &BTreeSet<AccountId>,
        (shared, tagged): (&'a SharedIds<'a>, &'a Tagged),
        role: &'a Role,
        policies: &'a [&'a Arc<ManagedPolicy>],
    ) -> Self {
        let outsiders = outsiders(
            settings.organization.as_ref().unwrap_or(planned),
            &role.trust,
        );
        Self {
            settings,
            role,
            policies,
            shared,
            tagged,
            outsiders,
            is_public: is_public(&role.trust),
        }
    }

    /// Accounts in words: `account 999999999999 (Name)`.
    pub(super) fn accounts(&self, accounts: &[AccountId]) -> String {
        described_accounts(self.settings, accounts)
    }
}

/// The accounts that are not among `insiders` and may come in, given the right external id, with the ARNs trusted.
pub(super) fn outsiders(
    insiders: &BTreeSet<AccountId>,
    trust: &PolicyDocument,
) -> BTreeMap<AccountId, BTreeSet<String>> {
    let mut outsiders: BTreeMap<AccountId, BTreeSet<String>> = BTreeMap::new();
    for arn in principals(trust, "AWS") {
        let Some(account) = account_of(arn).filter(|account| !insiders.contains(account)) else {
            continue;
        };
        if is_let_in(&outsider(trust, arn, account.as_str()), trust) {
            outsiders.entry(account).or_default().insert(arn.to_owned());
        }
    }
    outsiders
}

/// Whether everyone may come in.
pub(super) fn is_public(trust: &PolicyDocument) -> bool {
    allows(trust).any(names_everybody) && is_let_in(&stranger(trust), trust)
}

/// The issuers whose other customers may come in.
pub(super) fn open_issuers(trust: &PolicyDocument) -> Vec<String> {
    principals(trust, "Federated")
        .into_iter()
        .filter_map(|provider| federated::open(trust, provider))
        .filter(|open| open.outsiders != Answer::Refused)
        .map(|open| open.url)
        .collect()
}

/// Whether a trust policy trusts a principal, as far as is known.
pub(super) fn is_let_in(entrant: &Entrant, trust: &PolicyDocument) -> bool {
    entrant.ask(trust) != Answer::Refused
}

/// The values that any statement asks a key (in lower case) for.
pub(super) fn wanted<'a>(trust: &'a PolicyDocument, key: &str) -> impl Iterator<Item = &'a str> {
    let conditions = trust
        .statements()
        .iter()
        .flat_map(|statement| statement.conditions.values());
    conditions
        .filter_map(move |keys| keys.get(key))
        .flatten()
        .map(String::as_str)
}

/// Accounts in words: `account 999999999999 (Name)`.
pub(super) fn described_accounts(settings: &Settings, accounts: &[AccountId]) -> String {
    let named: Vec<String> = accounts
        .iter()
        .map(|id| match settings.known_accounts.get(id) {
            Some(name) => format!("{id} ({name})"),
            None => id.to_string(),
        })
        .collect();
    let word = if named.len() == 1 {
        "account"
    } else {
        "accounts"
    };
    let known = |id| settings.known_accounts.contains_key(id);
    let unsure = match &settings.organization {
        Some(_) => " outside the organization",
        // Without AWS it is unknown who belongs to the organization, except for those known not to.
        None if accounts.iter().all(known) => "",
        None => " (unless that is in your organization)",
    };
    format!("{word} {}{unsure}", listed(&named))
}

/// The external ids of roles: which other roles have the same one.
pub(super) struct SharedIds<'a>(BTreeMap<&'a str, BTreeMap<String, &'a Role>>);

impl<'a> SharedIds<'a> {
    /// Learns the ids of all desired roles. Roles of one name in several accounts are one.
    pub(super) fn of(roles: impl Iterator<Item = &'a Arc<Role>>) -> Self {
        let mut seen = BTreeSet::new();
        let mut ids: BTreeMap<&str, BTreeMap<String, &Role>> = BTreeMap::new();
        for role in roles.filter(|role| seen.insert(Arc::as_ptr(role))) {
            for id in wanted_by_allows(&role.trust) {
                ids.entry(id).or_default().insert(role.name.key(), role);
            }
        }
        Self(ids)
    }

    /// The other roles that have an external id of this one.
    pub(super) fn others(&self, role: &Role) -> BTreeMap<String, &'a Role> {
        let key = role.name.key();
        let roles = wanted_by_allows(&role.trust)
            .filter_map(|id| self.0.get(id))
            .flatten();
        roles
            .filter(|(other, _)| **other != key)
            .map(|(other, role)| (other.clone(), *role))
            .collect()
    }
}

fn wanted_by_allows(trust: &PolicyDocument) -> impl Iterator<Item = &str> {
    let conditions = allows(trust).flat_map(|statement| statement.conditions.values());
    conditions
        .filter_map(|keys| keys.get(EXTERNAL_ID))
        .flatten()
        .map(String::as_str)
}

/// The statements that let someone in.
pub(super) fn allows(trust: &PolicyDocument) -> impl Iterator<Item = &Statement> {
    trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow && assumes(statement))
}

/// Whether a statement speaks of any of the three ways to assume a role.
pub(super) fn assumes(statement: &Statement) -> bool {
    [
        "sts:AssumeRole",
        "sts:AssumeRoleWithWebIdentity",
        "sts:AssumeRoleWithSAML",
    ]
    .iter()
    .any(|action| speaks_of(statement, action))
}

/// Whether a statement speaks of an action.
pub(super) fn speaks_of(statement: &Statement, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let named = statement
        .actions
        .patterns
        .iter()
        .any(|text| pattern::matches(&pattern::tokens(text, Variables::Literal), &action));
    named != statement.actions.negated
}

/// The principals of a kind that a trust policy lets in, each once.
pub(super) fn principals<'a>(trust: &'a PolicyDocument, kind: &'a str) -> BTreeSet<&'a str> {
    allows(trust)
        .flat_map(|statement| named(statement, kind))
        .collect()
}

/// The principals of a kind that a statement names.
pub(super) fn named<'a>(
    statement: &'a Statement,
    kind: &str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let principals = statement
        .principals
        .iter()
        .filter(|principals| !principals.negated);
    let names = principals
        .filter_map(|principals| principals.kinds.get(kind))
        .flatten();
    names.map(String::as_str).collect::<Vec<_>>().into_iter()
}

/// Whether a statement is about everyone, or everyone but some.
pub(super) fn names_everybody(statement: &Statement) -> bool {
    let everybody = |names: &BTreeSet<String>| names.contains("*");
    statement.principals.as_ref().is_some_and(|principals| {
        principals.negated || principals.kinds.get("AWS").is_some_and(everybody)
    })
}

/// The account of an ARN of IAM or STS.
fn account_of(arn: &str) -> Option<AccountId> {
    match segments(arn).as_slice() {
        ["arn", _, "iam" | "sts", _, account, _] => AccountId::parse(account).ok(),
        _ => None,
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(items: &[String]) -> String {
    match items.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// A role in words, with where it is written.
pub(super) fn described(name: &RoleName, role: &Role) -> String {
    if role.origin.file.is_empty() {
        format!("`{name}`")
    } else {
        format!("`{name}` ({})", role.origin)
    }
}

/// Whether a reference, be it the full ARN, means a customer managed policy of the role's account.
pub(super) fn is_meant(policy: &ManagedPolicy, reference: &PolicyRef) -> bool {
    match reference {
        PolicyRef::Local(name) => name.key() == policy.name.key(),
        PolicyRef::Arn(arn) => {
            let path = policy.path.clone().unwrap_or_default();
            !arn.is_aws_managed()
                && arn
                    .as_str()
                    .ends_with(&format!(":policy{path}{}", policy.name))
        }
    }
}
