//! Who may assume roles in which account: what the trust policies of the desired roles name, for a map of it.
//!
//! Statements that allow are taken at their word, with their conditions; whether a condition keeps a caller
//! out is for lints and `verify` to say.

use std::collections::{BTreeMap, BTreeSet};

use super::Settings;
use crate::desired::Desired;
use crate::org::{AccountId, Organization};
use crate::resource::policy::operator::Operator;
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
    /// What the conditions demand, by their keys in lower case. Where trusts of several accounts differ in what is
    /// demanded of a key, everything that any of them demands.
    pub conditions: Conditions,
    /// The role that is entered.
    pub role: String,
    /// The accounts where that role is.
    pub accounts: BTreeSet<AccountId>,
}

impl Trust {
    /// The keys whose conditions a caller passes that lacks the key: they keep nobody out.
    pub fn loose(&self) -> BTreeSet<&str> {
        let is_loose = |demands: &BTreeSet<Demand>| {
            demands.iter().all(|demand| {
                Operator::parse(&demand.operator).is_none_or(Operator::passes_without_key)
                    || (demand.operator == "Null"
                        && demand
                            .values
                            .iter()
                            .any(|value| value.eq_ignore_ascii_case("true")))
            })
        };
        let loose = self
            .conditions
            .iter()
            .filter(|(_, demands)| is_loose(demands));
        loose.map(|(key, _)| key.as_str()).collect()
    }
}

/// Conditions by their keys.
pub type Conditions = BTreeMap<String, BTreeSet<Demand>>;

/// What a condition demands of its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    /// The operator, as written.
    pub operator: String,
    /// The values, of which one must fit.
    pub values: BTreeSet<String>,
}

/// Who comes in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Caller {
    /// `*`, or everyone but some.
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
    let mut found: BTreeMap<Entry, (BTreeSet<AccountId>, Conditions)> = BTreeMap::new();
    for (account, desired) in &desired.accounts {
        let roles = desired
            .roles
            .values()
            .filter(|role| role.ensure == Ensure::Present && settings.selects(&role.name));
        for role in roles {
            for (
                caller,
                Words {
                    principals,
                    conditions,
                },
            ) in callers(&role.trust)
            {
                let keys = conditions.keys().cloned().collect();
                let (accounts, demands) = found
                    .entry((caller, role.name.to_string(), principals, keys))
                    .or_default();
                accounts.insert(*account);
                merge(demands, conditions);
            }
        }
    }
    let trusts: Vec<Trust> = found
        .into_iter()
        .map(
            |((caller, role, principals, _), (accounts, conditions))| Trust {
                caller,
                principals,
                conditions,
                role,
                accounts,
            },
        )
        .collect();
    let callers = trusts.iter().filter_map(|trust| match trust.caller {
        Caller::Account(id) => Some(id),
        Caller::Anyone | Caller::Provider(_) | Caller::Service(_) | Caller::Other(_) => None,
    });
    let places = trusts
        .iter()
        .flat_map(|trust| trust.accounts.iter().copied())
        .chain(callers);
    let places = places
        .map(|id| (id, place(id, settings, organization)))
        .collect();
    TrustMap { trusts, places }
}

fn place(id: AccountId, settings: &Settings, organization: &Organization) -> Place {
    match organization.accounts.get(&id) {
        Some(account) => Place::Member {
            name: account.name.clone(),
            ou: account.ou.0.clone(),
        },
        None => Place::Outsider {
            name: settings.lints.known_accounts.get(&id).cloned(),
        },
    }
}

/// A caller, a role, how the role's trust policy writes the caller, and the keys of its conditions. What is demanded of
/// them may be another for each account, and keeps no trusts apart.
type Entry = (Caller, String, BTreeSet<String>, BTreeSet<String>);

/// What a trust policy says of one caller.
struct Words {
    principals: BTreeSet<String>,
    /// Those whose keys all its statements for the caller have.
    conditions: Conditions,
}

fn merge(demands: &mut Conditions, more: Conditions) {
    for (key, more) in more {
        demands.entry(key).or_default().extend(more);
    }
}

fn conditions(statement: &Statement) -> Conditions {
    let mut conditions = Conditions::new();
    for (operator, keys) in &statement.conditions {
        for (key, values) in keys {
            let demand = Demand {
                operator: operator.clone(),
                values: values.clone(),
            };
            conditions.entry(key.clone()).or_default().insert(demand);
        }
    }
    conditions
}

fn callers(trust: &PolicyDocument) -> BTreeMap<Caller, Words> {
    let mut callers: BTreeMap<Caller, Words> = BTreeMap::new();
    for statement in trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
    {
        let conditions = conditions(statement);
        for (caller, names) in principals(statement) {
            let words = callers
                .entry(caller)
                .and_modify(|words| {
                    words
                        .conditions
                        .retain(|key, _| conditions.contains_key(key));
                    let keys = &words.conditions;
                    let common = conditions.iter().filter(|(key, _)| keys.contains_key(*key));
                    let common = common
                        .map(|(key, demands)| (key.clone(), demands.clone()))
                        .collect();
                    merge(&mut words.conditions, common);
                })
                .or_insert_with(|| Words {
                    principals: BTreeSet::new(),
                    conditions: conditions.clone(),
                });
            words.principals.extend(names);
        }
    }
    callers
}

/// Who a statement names, by caller: a statement may name several roles of one account.
fn principals(statement: &Statement) -> BTreeMap<Caller, BTreeSet<String>> {
    let Some(principals) = &statement.principals else {
        return BTreeMap::new();
    };
    if principals.negated {
        return BTreeMap::from([(Caller::Anyone, BTreeSet::from(["NotPrincipal".to_owned()]))]);
    }
    let mut named: BTreeMap<Caller, BTreeSet<String>> = BTreeMap::new();
    for (kind, names) in &principals.kinds {
        for name in names {
            named
                .entry(caller(kind, name))
                .or_default()
                .insert(name.clone());
        }
    }
    named
}

fn caller(kind: &str, name: &str) -> Caller {
    match (kind, segments(name).as_slice()) {
        ("AWS", ["*"]) => Caller::Anyone,
        ("AWS", ["arn", _, "iam" | "sts", _, account, _]) => AccountId::parse(account)
            .map_or_else(|_| Caller::Other(name.to_owned()), Caller::Account),
        ("Service", _) => Caller::Service(name.to_owned()),
        // arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com
        ("Federated", ["arn", _, _, _, _, resource]) => Caller::Provider(
            resource
                .split_once('/')
                .map_or(*resource, |(_, name)| name)
                .to_owned(),
        ),
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
    fn a_condition_that_holds_without_its_key_keeps_no_caller_out() {
        let conditions = json!({
            "StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1", "sts:ExternalId": "x"},
            "StringEquals": {"sts:ExternalId": "x", "aws:SourceAccount": "111111111111"},
            "ForAllValues:StringEquals": {"aws:TagKeys": "team"},
            "ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"},
            "Null": {"aws:SourceVpc": "true", "aws:SourceVpce": "false"},
            "StringNotEquals": {"aws:PrincipalAccount": "222222222222"},
        });
        let statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"},
            "Condition": conditions});
        let trust = document(&statement);
        let (caller, words) = callers(&trust).pop_first().unwrap();
        let trust = Trust {
            caller,
            principals: words.principals,
            conditions: words.conditions,
            role: "X".to_owned(),
            accounts: BTreeSet::new(),
        };
        let loose: Vec<&str> = trust.loose().into_iter().collect();
        assert_eq!(
            loose,
            [
                "aws:principalaccount",
                "aws:principalorgid",
                "aws:sourcevpc",
                "aws:tagkeys"
            ]
        );
    }

    #[test]
    fn callers_are_told_apart_and_keep_what_all_their_statements_have_conditions_on() {
        let guarded = json!({"StringEquals": {"sts:ExternalId": "x", "aws:PrincipalOrgID": "o-1"}});
        let statements = json!([
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": guarded,
             "Principal": {"AWS": ["111111111111", "arn:aws:iam::111111111111:role/a"], "Service": "ec2.amazonaws.com"}},
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Condition": {"StringLike": {"STS:externalid": ["y", "z"]}},
             "Principal": {"AWS": "arn:aws:iam::111111111111:root"}},
            {"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": {"AWS": "222222222222"}},
            {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {
                "Federated": ["arn:aws:iam::333333333333:oidc-provider/example.com/x", "accounts.google.com"]}},
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}},
        ]);
        let callers = callers(&document(&statements));
        let demands = |words: &Words| {
            let each = words
                .conditions
                .iter()
                .flat_map(|(key, demands)| demands.iter().map(move |one| (key, one)));
            each.map(|(key, Demand { operator, values })| format!("{operator} {key} {values:?}"))
                .collect()
        };
        let said: Vec<(&Caller, usize, Vec<String>)> = callers
            .iter()
            .map(|(caller, words)| (caller, words.principals.len(), demands(words)))
            .collect();
        let account = Caller::Account(AccountId::parse("111111111111").unwrap());
        assert_eq!(
            said,
            [
                (&Caller::Anyone, 1, vec![]),
                (
                    &account,
                    2,
                    vec![
                        r#"StringEquals sts:externalid {"x"}"#.to_owned(),
                        r#"StringLike sts:externalid {"y", "z"}"#.to_owned()
                    ]
                ),
                (&Caller::Provider("accounts.google.com".into()), 1, vec![]),
                (&Caller::Provider("example.com/x".into()), 1, vec![]),
                (
                    &Caller::Service("ec2.amazonaws.com".into()),
                    1,
                    vec![
                        r#"StringEquals aws:principalorgid {"o-1"}"#.to_owned(),
                        r#"StringEquals sts:externalid {"x"}"#.to_owned()
                    ]
                ),
            ]
        );
    }
}
