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
    let mut found: BTreeMap<Entry, BTreeSet<AccountId>> = BTreeMap::new();
    for (account, desired) in &desired.accounts {
        let roles =
            desired.roles.values().filter(|role| role.ensure == Ensure::Present && settings.selects(&role.name));
        for role in roles {
            for (caller, words) in callers(&role.trust) {
                found.entry((caller, role.name.to_string(), words)).or_default().insert(*account);
            }
        }
    }
    let trusts: Vec<Trust> = found
        .into_iter()
        .map(|((caller, role, Words { principals, conditions }), accounts)| Trust {
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

/// A caller, a role, and what the role's trust policy says of the caller.
type Entry = (Caller, String, Words);

/// What a trust policy says of one caller.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Words {
    principals: BTreeSet<String>,
    /// The keys that all its statements for the caller have.
    conditions: BTreeSet<String>,
}

fn callers(trust: &PolicyDocument) -> BTreeMap<Caller, Words> {
    let mut callers: BTreeMap<Caller, Words> = BTreeMap::new();
    for statement in trust.statements().iter().filter(|statement| statement.effect == Effect::Allow) {
        let conditions: BTreeSet<String> = statement.conditions.values().flat_map(BTreeMap::keys).cloned().collect();
        for (caller, names) in principals(statement) {
            let words = callers
                .entry(caller)
                .and_modify(|words| words.conditions.retain(|key| conditions.contains(key)))
                .or_insert_with(|| Words { principals: BTreeSet::new(), conditions: conditions.clone() });
            words.principals.extend(names);
        }
    }
    callers
}

/// Who a statement names, by caller: a statement may name several roles of one account.
fn principals(statement: &Statement) -> BTreeMap<Caller, BTreeSet<String>> {
    let Some(principals) = &statement.principals else { return BTreeMap::new() };
    if principals.negated {
        return BTreeMap::from([(Caller::Anyone, BTreeSet::from(["NotPrincipal".to_owned()]))]);
    }
    let mut named: BTreeMap<Caller, BTreeSet<String>> = BTreeMap::new();
    for (kind, names) in &principals.kinds {
        for name in names {
            named.entry(caller(kind, name)).or_default().insert(name.clone());
        }
    }
    named
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::org::Partition;
    use crate::resource::policy::PolicyKind;

    fn document(statements: &Value) -> PolicyDocument {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        PolicyDocument::parse(&text, PolicyKind::Trust, &Partition::default()).unwrap()
    }

    #[test]
    fn callers_are_told_apart_and_keep_the_keys_that_all_their_statements_have() {
        let guarded = json!({"StringEquals": {"sts:ExternalId": "x", "aws:PrincipalOrgID": "o-1"}});
        let statements = json!([
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": guarded,
             "Principal": {"AWS": ["111111111111", "arn:aws:iam::111111111111:role/a"], "Service": "ec2.amazonaws.com"}},
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"STS:externalid": "x"}},
             "Principal": {"AWS": "arn:aws:iam::111111111111:root"}},
            {"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": {"AWS": "222222222222"}},
            {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {
                "Federated": ["arn:aws:iam::333333333333:oidc-provider/example.com/x", "accounts.google.com"]}},
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}},
        ]);
        let callers = callers(&document(&statements));
        let said: Vec<(&Caller, usize, Vec<&str>)> = callers
            .iter()
            .map(|(caller, words)| {
                (caller, words.principals.len(), words.conditions.iter().map(String::as_str).collect())
            })
            .collect();
        let account = Caller::Account(AccountId::parse("111111111111").unwrap());
        assert_eq!(
            said,
            [
                (&Caller::Anyone, 1, vec![]),
                (&account, 2, vec!["sts:externalid"]),
                (&Caller::Provider("accounts.google.com".into()), 1, vec![]),
                (&Caller::Provider("example.com/x".into()), 1, vec![]),
                (&Caller::Service("ec2.amazonaws.com".into()), 1, vec!["aws:principalorgid", "sts:externalid"]),
            ]
        );
    }
}
