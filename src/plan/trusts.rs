//! Who may enter which account: what the trust policies of the desired roles name, for a map of it.
//!
//! Statements that allow are taken at their word, with the keys of their conditions; whether a condition keeps a caller
//! out is for lints and `verify` to say.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use crate::desired::Desired;
use crate::org::{AccountId, Organization};
use crate::resource::policy::pattern::segments;
use crate::resource::policy::{Effect, PolicyDocument, Statement};
use crate::resource::role::Ensure;

/// The desired trusts, and the accounts they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustMap {
    /// Equal trusts of many accounts are one.
    pub trusts: Vec<Trust>,
    /// Every account that trusts or is trusted.
    pub places: BTreeMap<AccountId, Place>,
}

/// One caller that a role lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Who, as far as a map shows it.
    pub caller: Caller,
    /// Who, as the policies write it.
    pub principals: BTreeSet<String>,
    /// The keys of the conditions, in lower case.
    pub conditions: BTreeSet<String>,
    /// The role that is entered.
    pub role: String,
    /// The accounts where that role is.
    pub accounts: BTreeSet<AccountId>,
}

/// Who comes in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// `*`, or everybody but some.
    Anyone,
    /// An account, or roles and users in it.
    Account(AccountId),
    /// A provider of OIDC or SAML identities: what its ARN or name says of it.
    Provider(String),
    /// A service of AWS.
    Service(String),
    /// Anything else, as written.
    Other(String),
}

/// Where an account belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Place {
    /// In the organization.
    Member { name: String, ou: String },
    /// Outside of it, with the name that `[lints] known_accounts` gives.
    Outsider { name: Option<String> },
}

/// The trusts of the desired roles in scope.
pub fn trusts(settings: &Settings, desired: &Desired, organization: &Organization) -> TrustMap {
    let mut found: BTreeMap<(Caller, String, BTreeSet<String>, BTreeSet<String>), BTreeSet<AccountId>> =
        BTreeMap::new();
    for (account, desired) in &desired.accounts {
        let roles =
            desired.roles.values().filter(|role| role.ensure == Ensure::Present && settings.selects(&role.name));
        for role in roles {
            for (caller, (principals, conditions)) in callers(&role.trust) {
                let key = (caller, role.name.to_string(), principals, conditions);
                found.entry(key).or_default().insert(*account);
            }
        }
    }
    let trusts: Vec<Trust> = found
        .into_iter()
        .map(|((caller, role, principals, conditions), accounts)| Trust {
            caller,
            principals,
            conditions,
            role,
            accounts,
        })
        .collect();
    let callers = trusts.iter().filter_map(|trust| match trust.caller {
        Caller::Account(id) => Some(id),
        Caller::Anyone | Caller::Provider(_) | Caller::Service(_) | Caller::Other(_) => None,
    });
    let places = trusts.iter().flat_map(|trust| trust.accounts.iter().copied()).chain(callers);
    let places = places.map(|id| (id, place(id, settings, organization))).collect();
    TrustMap { trusts, places }
}

fn place(id: AccountId, settings: &Settings, organization: &Organization) -> Place {
    match organization.accounts.get(&id) {
        Some(account) => Place::Member { name: account.name.clone(), ou: account.ou.0.clone() },
        None => Place::Outsider { name: settings.lints.known_accounts.get(&id).cloned() },
    }
}

/// What a trust policy names of each caller: principals, and the condition keys that all its statements for them have.
fn callers(trust: &PolicyDocument) -> BTreeMap<Caller, (BTreeSet<String>, BTreeSet<String>)> {
    let mut callers: BTreeMap<Caller, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for statement in trust.statements().iter().filter(|statement| statement.effect == Effect::Allow) {
        let conditions: BTreeSet<String> = statement.conditions.values().flat_map(BTreeMap::keys).cloned().collect();
        for (caller, principal) in principals(statement) {
            callers
                .entry(caller)
                .and_modify(|(_, common)| common.retain(|key| conditions.contains(key)))
                .or_insert_with(|| (BTreeSet::new(), conditions.clone()))
                .0
                .insert(principal);
        }
    }
    callers
}

fn principals(statement: &Statement) -> Vec<(Caller, String)> {
    let Some(principals) = &statement.principals else { return Vec::new() };
    if principals.negated {
        return vec![(Caller::Anyone, "NotPrincipal".to_owned())];
    }
    let named = principals.kinds.iter().flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)));
    named.map(|(kind, name)| (caller(kind, name), name.clone())).collect()
}

fn caller(kind: &str, name: &str) -> Caller {
    match (kind, segments(name).as_slice()) {
        ("AWS", ["*"]) => Caller::Anyone,
        ("AWS", ["arn", _, "iam" | "sts", _, account, _]) => {
            AccountId::parse(account).map_or_else(|_| Caller::Other(name.to_owned()), Caller::Account)
        }
        ("Service", _) => Caller::Service(name.to_owned()),
        // arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com
        ("Federated", ["arn", _, _, _, _, resource]) => {
            Caller::Provider(resource.split_once('/').map_or(*resource, |(_, name)| name).to_owned())
        }
        ("Federated", _) => Caller::Provider(name.to_owned()),
        _ => Caller::Other(name.to_owned()),
    }
}
