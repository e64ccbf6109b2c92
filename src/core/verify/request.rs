//! Requests to evaluate a trust policy for: the caller, its context, and what is unknown about it.
//!
//! Facts about a caller (its account, its organization) are as they are. What a caller may choose (external id, session
//! name, MFA, the claims of a token) is chosen as a statement demands it, or otherwise. Of every other condition key it
//! is not known whether the request has it, so a decision that depends on one is undecided.
//!
//! Source: IAM User Guide, "AWS global condition context keys" and "IAM and AWS STS condition context keys".

use std::collections::{BTreeMap, BTreeSet};

use super::{Setting, Subject};
use crate::evaluate::{Decision, Entrant, Key, Principal, Request, Why, explain, outsider};
pub(super) use crate::evaluate::{mentioned as keys, spelled};
use crate::org::{Account, AccountId, Organization};
use crate::resource::policy::operator::{Comparison, Operator, Test};
use crate::resource::policy::pattern::{Token, Variables, matches, segments, tokens};
use crate::resource::policy::{Effect, PolicyDocument, Statement};

pub(super) const EXTERNAL_ID: &str = "sts:externalid";
pub(super) const SESSION_NAME: &str = "sts:rolesessionname";
pub(super) const MFA: &str = "aws:multifactorauthpresent";
pub(super) const CURRENT_TIME: &str = "aws:currenttime";
const PRINCIPAL_ARN: &str = "aws:principalarn";
pub(super) const PRINCIPAL_ACCOUNT: &str = "aws:principalaccount";

/// An external id that no caller has.
pub(super) const WRONG_EXTERNAL_ID: &str = "rolecall-verify-wrong-external-id";

/// Keys of AWS's own that a request has only where it is made so here.
const CHOSEN: &[&str] = &[
    MFA,
    "aws:multifactorauthage",
    "aws:principalorgid",
    "aws:principalorgpaths",
    PRINCIPAL_ACCOUNT,
    "aws:principalisawsservice",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:tagkeys",
];

/// One way to ask for a session of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Every name the caller goes by, with its kind.
    pub names: Vec<(String, String)>,
    /// `sts:AssumeRole`, `sts:AssumeRoleWithWebIdentity`, `sts:AssumeRoleWithSAML`.
    pub action: &'static str,
    /// Condition keys in lower case.
    pub context: BTreeMap<String, Vec<String>>,
}

/// The principals that Allow statements of `trust` name, each with its statement.
pub(super) fn principals(trust: &PolicyDocument) -> impl Iterator<Item = (&Statement, &str, &str)> {
    let allows = trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow);
    let whom = allows.filter_map(|statement| Some((statement, statement.principals.as_ref()?)));
    whom.filter(|(_, principals)| !principals.negated)
        .flat_map(|(statement, principals)| {
            let names = principals
                .kinds
                .iter()
                .flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)));
            names.map(move |(kind, name)| (statement, kind.as_str(), name.as_str()))
        })
}

/// The action by which a principal enters a role; `None` for a kind that enters none.
pub(super) fn action(kind: &str, name: &str) -> Option<&'static str> {
    match kind {
        "AWS" | "Service" => Some("sts:AssumeRole"),
        "Federated" if name.contains(":saml-provider/") => Some("sts:AssumeRoleWithSAML"),
        "Federated" => Some("sts:AssumeRoleWithWebIdentity"),
        _ => None,
    }
}

/// Whether the statement speaks of `action`.
pub(super) fn covers(statement: &Statement, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let named = |text: &String| matches(&tokens(text, Variables::Literal), &action);
    statement.actions.patterns.iter().any(named) != statement.actions.negated
}

/// The account that an ARN of IAM or STS is in.
pub(super) fn account_of(name: &str) -> Option<AccountId> {
    AccountId::parse(segments(name).get(4)?).ok()
}

impl From<Request> for Attempt {
    fn from(request: Request) -> Self {
        Self {
            names: request.principal.names,
            action: ENTRIES
                .iter()
                .find(|action| **action == request.action)
                .unwrap_or(&"sts:AssumeRole"),
            context: request.context,
        }
    }
}

/// The actions by which a caller enters a role.
const ENTRIES: [&str; 3] = [
    "sts:AssumeRole",
    "sts:AssumeRoleWithWebIdentity",
    "sts:AssumeRoleWithSAML",
];

impl Attempt {
    /// A principal that meets what `statement` demands, as far as that is in anybody's hand.
    pub fn meeting(
        setting: Setting<'_>,
        subject: Subject<'_>,
        kind: &str,
        name: &str,
        statement: &Statement,
    ) -> Self {
        let name = if name == "*" {
            somebody(setting.organization, statement)
        } else {
            name.to_owned()
        };
        let mut attempt = Self {
            action: action(kind, &name).unwrap_or("sts:AssumeRole"),
            context: facts(setting, subject.account, kind, &name),
            names: vec![(kind.to_owned(), name)],
        };
        attempt.meet(statement, |_| true);
        attempt
            .context
            .entry(SESSION_NAME.to_owned())
            .or_insert_with(|| vec!["rolecall-verify".to_owned()]);
        attempt
    }

    /// Chooses what `statement` demands of the keys that `may_choose` and that are not facts.
    pub fn meet(&mut self, statement: &Statement, may_choose: impl Fn(&str) -> bool) {
        for (operator, keys) in &statement.conditions {
            for (key, values) in keys.iter().filter(|(key, _)| may_choose(key)) {
                let values = values
                    .iter()
                    .filter_map(|value| self.resolved(value))
                    .collect();
                if let Some(value) = value_for(operator, &values) {
                    self.context
                        .entry(key.clone())
                        .or_insert_with(|| vec![value]);
                }
            }
        }
    }

    /// The same with a value of one key that passes `operator` for `wanted`; `None` where there is none.
    pub fn with_value(&self, operator: &str, key: &str, wanted: &str) -> Option<Self> {
        let wanted = BTreeSet::from([self.resolved(wanted)?]);
        Some(self.with(key, Some(value_for(operator, &wanted)?)))
    }

    /// A value of a policy with its variables replaced, where it is known what each stands for.
    fn resolved(&self, value: &str) -> Option<String> {
        let mut resolved = String::new();
        for token in tokens(value, Variables::Read) {
            match token {
                Token::Char(char) => resolved.push(char),
                Token::Any => resolved.push('*'),
                Token::One => resolved.push('?'),
                Token::Variable(variable @ ("*" | "?" | "$")) => resolved.push_str(variable),
                Token::Variable(variable) => {
                    let key = variable.split(',').next().unwrap_or_default().trim();
                    resolved.push_str(self.get(&key.to_ascii_lowercase())?);
                }
            }
        }
        Some(resolved)
    }

    /// The same with one key otherwise: another value, or `None` to leave it out.
    #[must_use]
    pub fn with(&self, key: &str, value: Option<String>) -> Self {
        let mut other = self.clone();
        // Without values the key is absent, also where it would be open.
        other
            .context
            .insert(key.to_owned(), value.into_iter().collect());
        other
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.context.get(key)?.first().map(String::as_str)
    }

    /// What `trust` says to it.
    pub fn decide(&self, trust: &PolicyDocument, role_arn: &str) -> (Decision, Option<Why>) {
        explain(&[trust], &self.request(role_arn, self.open_keys(trust)))
    }

    /// It as policies see it, where nothing is known of the keys `open`.
    pub fn request(&self, role_arn: &str, open: BTreeSet<String>) -> Request {
        Request {
            principal: Principal {
                names: self.names.clone(),
            },
            action: self.action.to_owned(),
            resource: role_arn.to_owned(),
            context: self.context.clone(),
            unknown: open.into_iter().collect(),
        }
    }

    /// The keys that `trust` asks for and of which nothing is known.
    pub fn open_keys(&self, trust: &PolicyDocument) -> BTreeSet<String> {
        let known = |key: &String| self.context.contains_key(key) || is_chosen(key);
        keys(trust).into_iter().filter(|key| !known(key)).collect()
    }
}

/// Whether the request lacks the key unless it was put there.
fn is_chosen(key: &str) -> bool {
    !key.starts_with("aws:") || key.starts_with("aws:requesttag/") || CHOSEN.contains(&key)
}

/// Whether a key tells of a request's circumstances: nothing is known of it unless it was put there.
pub(super) fn is_circumstance(key: &str) -> bool {
    !is_chosen(key)
}

/// What is so, whatever the caller wants.
pub(super) fn facts(
    setting: Setting<'_>,
    role_in: &Account,
    kind: &str,
    name: &str,
) -> BTreeMap<String, Vec<String>> {
    let organization = setting.organization;
    let mut facts = BTreeMap::new();
    let mut set = |key: &str, value: &str| _ = facts.insert(key.to_owned(), vec![value.to_owned()]);
    set(CURRENT_TIME, setting.now);
    set("aws:securetransport", "true");
    set("aws:resourceaccount", role_in.id.as_str());
    set("aws:resourceorgid", &organization.id);
    set(
        "aws:resourceorgpaths",
        &format!("{}/{}/", organization.id, role_in.parents.join("/")),
    );
    match kind {
        "AWS" => {
            set("aws:principalisawsservice", "false");
            if name.contains(":role/") || name.contains(":user/") {
                set(PRINCIPAL_ARN, name);
            }
            if let Some(id) = account_of(name) {
                set(PRINCIPAL_ACCOUNT, id.as_str());
                if let Some(account) = organization.accounts.get(&id) {
                    set("aws:principalorgid", &organization.id);
                    set(
                        "aws:principalorgpaths",
                        &format!("{}/{}/", organization.id, account.parents.join("/")),
                    );
                }
            }
        }
        "Service" => {
            set("aws:principalisawsservice", "true");
            set("aws:principalservicename", name);
        }
        _ => set("aws:federatedprovider", name),
    }
    facts
}

/// A caller of this name with all that it may bring to the role, by what `trust` asks for; `None` for a kind of principal
/// that enters no role.
pub(super) fn entrant(
    setting: Setting<'_>,
    subject: Subject<'_>,
    trust: &PolicyDocument,
    (kind, name): (&str, &str),
) -> Option<Entrant> {
    let outside = account_of(name)
        .filter(|account| kind == "AWS" && !setting.organization.accounts.contains_key(account));
    let entrant = match outside {
        Some(account) => outsider(trust, name, account.as_str()),
        None => crate::evaluate::expected(trust, kind, name)?,
    };
    let facts = facts(setting, subject.account, kind, name);
    let entrant = facts
        .into_iter()
        .fold(entrant.to(&subject.live.arn), |entrant, (key, values)| {
            entrant.with(&key, Key::OneOf(values))
        });
    Some(entrant)
}

/// A caller that a statement for everyone may mean: by its conditions, else the management account.
fn somebody(organization: &Organization, statement: &Statement) -> String {
    let demanded = |key: &str| {
        statement
            .conditions
            .iter()
            .find_map(|(operator, keys)| value_for(operator, keys.get(key)?))
    };
    let root = |account: &str| format!("arn:{}:iam::{account}:root", organization.partition);
    demanded(PRINCIPAL_ARN)
        .or_else(|| demanded(PRINCIPAL_ACCOUNT).map(|account| root(&account)))
        .unwrap_or_else(|| root(organization.management_account.as_str()))
}

/// A value that passes `operator` for one of `wanted`; `None` where absence passes, or it is unknown.
fn value_for(operator: &str, wanted: &BTreeSet<String>) -> Option<String> {
    let operator = Operator::parse(operator).filter(|operator| !operator.negated)?;
    let first = wanted.iter().find(|value| !value.contains("${"))?;
    match operator.test {
        Test::StringLike | Test::Arn => Some(first.replace(['*', '?'], "x")),
        Test::IpAddress => first.split('/').next().map(str::to_owned),
        Test::Numeric(Comparison::LessThan) => Some("0".to_owned()),
        Test::Numeric(Comparison::GreaterThan) => Some("999999999".to_owned()),
        Test::Numeric(_)
        | Test::StringEquals
        | Test::StringEqualsIgnoreCase
        | Test::Bool
        | Test::Binary => Some(first.clone()),
        Test::Date(_) => None,
        Test::Null => first
            .eq_ignore_ascii_case("false")
            .then(|| "rolecall-verify".to_owned()),
    }
}

/// A value that a condition on `key` with the value `right` does not mean.
pub(super) fn other_than(right: &str) -> String {
    match right {
        right if right.eq_ignore_ascii_case("true") => "false".to_owned(),
        right if right.eq_ignore_ascii_case("false") => "true".to_owned(),
        right if right.starts_with("arn:") => {
            "arn:aws:iam::000000000000:role/rolecall-verify-other".to_owned()
        }
        _ => "rolecall-verify-other".to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_that_meets_a_condition() {
        for (operator, wanted, expect) in [
            ("StringEquals", "a-1", Some("a-1")),
            ("StringEqualsIfExists", "a-1", Some("a-1")),
            ("ForAnyValue:StringLike", "repo:*/x?", Some("repo:x/xx")),
            (
                "ArnLike",
                "arn:aws:iam::1:role/cado-*",
                Some("arn:aws:iam::1:role/cado-x"),
            ),
            ("Bool", "true", Some("true")),
            ("IpAddress", "10.0.0.0/8", Some("10.0.0.0")),
            ("NumericLessThan", "3600", Some("0")),
            ("Null", "false", Some("rolecall-verify")),
            ("Null", "true", None),
            ("StringNotEquals", "a", None),
            ("StringEquals", "${aws:username}", None),
            ("DateLessThan", "2027-01-01T00:00:00Z", None),
            ("Bogus", "a", None),
        ] {
            let wanted = BTreeSet::from([wanted.to_owned()]);
            assert_eq!(
                value_for(operator, &wanted).as_deref(),
                expect,
                "{operator}"
            );
        }
    }

    #[test]
    fn a_principal_enters_by_the_action_of_its_kind() {
        for (kind, name, expect) in [
            (
                "AWS",
                "arn:aws:iam::111111111111:root",
                Some("sts:AssumeRole"),
            ),
            ("Service", "ec2.amazonaws.com", Some("sts:AssumeRole")),
            (
                "Federated",
                "arn:aws:iam::111111111111:saml-provider/x",
                Some("sts:AssumeRoleWithSAML"),
            ),
            (
                "Federated",
                "arn:aws:iam::111111111111:oidc-provider/x",
                Some("sts:AssumeRoleWithWebIdentity"),
            ),
            ("CanonicalUser", "79a5", None),
        ] {
            assert_eq!(action(kind, name), expect, "{name}");
        }
    }
}
