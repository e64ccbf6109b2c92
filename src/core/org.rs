//! The vocabulary of an AWS organization: accounts, organizational units, selectors, and what AWS answered when it
//! refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A 12-digit AWS account id.
///
/// It is text, never a number: ids may begin with zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// Parses exactly twelve ASCII digits.
    pub fn parse(text: &str) -> Result<Self, InvalidAccountId> {
        match <[u8; 12]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => Err(InvalidAccountId {
                text: text.to_owned(),
            }),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Text that is not a 12-digit account id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an AWS account id: it must be 12 digits")]
pub struct InvalidAccountId {
    /// The offending text.
    pub text: String,
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AccountId {
    type Err = InvalidAccountId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for AccountId {
    type Error = InvalidAccountId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.as_str().to_owned()
    }
}

/// A partition of AWS: `aws`, `aws-cn`, `aws-us-gov`, …
///
/// It always comes from the caller's identity; an organization never spans partitions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub String);

impl Default for Partition {
    fn default() -> Self {
        Self("aws".to_owned())
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of an organizational unit from the root, such as `Workloads/Prod`; empty at the root.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OuPath(pub String);

impl OuPath {
    /// The path of the unit `name` below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() {
            Self(name.to_owned())
        } else {
            Self(format!("{}/{name}", self.0))
        }
    }

    /// Whether this path is `ancestor` or lies below it. Everything lies below the root.
    pub fn is_within(&self, ancestor: &Self) -> bool {
        ancestor.0.is_empty()
            || self.0 == ancestor.0
            || self
                .0
                .strip_prefix(&ancestor.0)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for OuPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of an account as Organizations reports it.
///
/// Source: Organizations API, `Account.Status` and the newer `Account.State`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountStatus(pub String);

impl AccountStatus {
    /// Only `ACTIVE` accounts are ever entered.
    pub fn is_active(&self) -> bool {
        self.0 == "ACTIVE"
    }
}

impl fmt::Display for AccountStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One account of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name; not unique.
    pub name: String,
    /// The e-mail address of its root user.
    pub email: String,
    /// Whether it can be entered.
    pub status: AccountStatus,
    /// Where it stands, by names.
    pub ou: OuPath,
    /// Where it stands, by ids: the root first, its own unit last.
    pub parents: Vec<String>,
    /// When it joined the organization, in seconds since 1970, where that is known.
    pub joined: Option<i64>,
    /// Its tags; `None` where no selector or expression needed them, so they were not read.
    pub tags: Option<BTreeMap<String, String>>,
}

/// The organization as one walk saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// `o-…`
    pub id: String,
    /// The account that owns the organization.
    pub management_account: AccountId,
    /// The partition of the caller.
    pub partition: Partition,
    /// Who is calling.
    pub caller: Caller,
    /// The root and every organizational unit: id to path.
    pub units: BTreeMap<String, OuPath>,
    /// Every account, whatever its status.
    pub accounts: BTreeMap<AccountId, Account>,
}

/// The identity that runs rolecall, from `sts:GetCallerIdentity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account of the credentials; entered without assuming a role.
    pub account: AccountId,
    /// The caller's ARN.
    pub arn: String,
}

/// What an `account = "…"` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountPattern {
    /// A 12-digit id.
    Id(AccountId),
    /// `"management"`.
    Management,
    /// An exact name, or a glob with `*` over the name.
    Name(String),
}

impl AccountPattern {
    /// Reads the text of a selector. Anything that is neither an id nor `management` is a name.
    pub fn parse(text: &str) -> Self {
        match AccountId::parse(text) {
            Ok(id) => Self::Id(id),
            Err(_) if text == "management" => Self::Management,
            Err(_) => Self::Name(text.to_owned()),
        }
    }

    /// Whether `account` is meant.
    pub fn matches(&self, account: &Account, organization: &Organization) -> bool {
        match self {
            Self::Id(id) => account.id == *id,
            Self::Management => account.id == organization.management_account,
            Self::Name(pattern) => glob(pattern, &account.name),
        }
    }
}

/// What an `ou = "…"` names: an id of a root or unit, or a path from the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OuRef {
    /// `ou-…` or `r-…`
    Id(String),
    /// `Workloads/Prod`; empty is the root.
    Path(OuPath),
}

/// One table of a target list: everything in it must match; within a list any entry may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Any of these accounts; empty does not constrain.
    pub accounts: Vec<AccountPattern>,
    /// Within any of these units, nested ones included; empty does not constrain.
    pub units: Vec<OuRef>,
    /// All of these tags, each with any of its values.
    pub tags: BTreeMap<String, BTreeSet<String>>,
}

impl Selector {
    /// Whether `account` is selected. Tags that were not read match nothing.
    pub fn matches(&self, account: &Account, organization: &Organization) -> bool {
        let Self {
            accounts,
            units,
            tags,
        } = self;
        (accounts.is_empty()
            || accounts
                .iter()
                .any(|pattern| pattern.matches(account, organization)))
            && (units.is_empty() || units.iter().any(|unit| unit_contains(unit, account)))
            && tags.iter().all(|(key, values)| {
                account
                    .tags
                    .as_ref()
                    .and_then(|tags| tags.get(key))
                    .is_some_and(|value| values.contains(value))
            })
    }
}

fn unit_contains(unit: &OuRef, account: &Account) -> bool {
    match unit {
        OuRef::Id(id) => account.parents.contains(id),
        OuRef::Path(path) => account.ou.is_within(path),
    }
}

/// The accounts a resource goes to, before `exclude`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// `"all"`: every active account, the management account included.
    All,
    /// Accounts that any of these selects.
    Any(Vec<Selector>),
}

impl Targets {
    /// Whether `account` is a target.
    pub fn matches(&self, account: &Account, organization: &Organization) -> bool {
        match self {
            Self::All => true,
            Self::Any(selectors) => selectors
                .iter()
                .any(|selector| selector.matches(account, organization)),
        }
    }
}

/// Matches `text` against `pattern`, in which `*` matches any run of characters. Case matters.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    let mut rest = rest;
    for part in parts {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// What AWS, or the way to it, answered when a call failed.
///
/// Keeps everything a person needs to find the call again; never a request body, which may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}", self.describe())]
pub struct AwsError {
    /// The account the call was made in; `None` before any account is known.
    pub account: Option<AccountId>,
    /// The API operation, such as `AttachRolePolicy`.
    pub operation: String,
    /// What it was about: a role name, an ARN.
    pub resource: Option<String>,
    /// The error code, such as `AccessDenied`; `None` where no answer with a code came.
    pub code: Option<String>,
    /// AWS's message, or what went wrong on the way.
    pub message: String,
    /// AWS's request id.
    pub request_id: Option<String>,
}

impl AwsError {
    /// What kept the run from calling AWS at all: `subject` is what was looked at, such as `credentials`.
    pub fn before_any_call(subject: &str, resource: Option<&str>, message: String) -> Self {
        let (operation, resource) = (subject.to_owned(), resource.map(str::to_owned));
        Self {
            account: None,
            operation,
            resource,
            code: None,
            message,
            request_id: None,
        }
    }

    fn describe(&self) -> String {
        let Self {
            account,
            operation,
            resource,
            code,
            message,
            request_id,
        } = self;
        let account = account
            .map(|account| format!("account {account}: "))
            .unwrap_or_default();
        let resource = resource
            .as_ref()
            .map(|resource| format!(" `{resource}`"))
            .unwrap_or_default();
        let code = code
            .as_ref()
            .map(|code| format!("{code}: "))
            .unwrap_or_default();
        let request_id = request_id
            .as_ref()
            .map(|id| format!(" (request id {id})"))
            .unwrap_or_default();
        format!("{account}{operation}{resource}: {code}{message}{request_id}")
    }

    /// Whether AWS answered with this code.
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

/// How many accounts may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// This many.
    Count(usize),
    /// This many of a hundred that are written to.
    Percent(u8),
}

impl Budget {
    /// How many that is of `accounts`.
    pub fn of(self, accounts: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => accounts * usize::from(percent) / 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_id_is_twelve_digits() {
        assert_eq!(
            AccountId::parse("006742885340").unwrap().as_str(),
            "006742885340"
        );
        for bad in [
            "6742885340",
            "0067428853401",
            "00674288534a",
            "",
            "００６７４２８８５３４０",
        ] {
            assert!(AccountId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_glob_matches_runs() {
        for (pattern, text, expect) in [
            ("prod-*", "prod-eu", true),
            ("prod-*", "preprod-eu", false),
            ("*", "", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("*-eu", "prod-eu", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("a*bc*bc", "abcbc", true),
        ] {
            assert_eq!(glob(pattern, text), expect, "{pattern} {text}");
        }
    }

    #[test]
    fn a_unit_contains_its_nested_units_and_not_its_namesakes() {
        let workloads = OuPath("Workloads".into());
        assert!(OuPath("Workloads/Prod".into()).is_within(&workloads));
        assert!(workloads.is_within(&OuPath::default()));
        assert!(!OuPath("Workloads2".into()).is_within(&workloads));
    }
}
