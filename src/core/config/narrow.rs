//! `--account` and `--role`: the part of the desired state that a run is about. What is not selected is out of scope.

use std::collections::{BTreeMap, BTreeSet};

use super::problem::{Problem, Problems, did_you_mean};
use super::target;
use crate::org::{Account, AccountPattern, Organization, Selector, glob};

/// What a run is narrowed to; the default is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NarrowScope {
    /// Any of these, with their texts; empty: every account.
    pub accounts: Vec<(String, Selector)>,
    /// Any of these globs; empty: every role.
    pub roles: Vec<String>,
}

impl NarrowScope {
    /// Reads the texts of `--account` (id, name, glob, `management`, `ou=PATH`, `tags.KEY=VALUE`) and `--role`.
    pub fn parse(accounts: &[String], roles: &[String]) -> Self {
        let accounts = accounts
            .iter()
            .map(|text| (text.clone(), selector(text)))
            .collect();
        Self {
            accounts,
            roles: roles.to_vec(),
        }
    }

    /// Whether `account` is in scope.
    pub fn has_account(&self, account: &Account, organization: &Organization) -> bool {
        self.accounts.is_empty()
            || self
                .accounts
                .iter()
                .any(|(_, selector)| selector.matches(account, organization))
    }

    /// Whether a role of this name is in scope.
    pub fn has_role(&self, name: &str) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|pattern| glob(pattern, name))
    }

    /// Whether account tags count.
    pub fn uses_tags(&self) -> bool {
        self.accounts
            .iter()
            .any(|(_, selector)| !selector.tags.is_empty())
    }

    /// Reports what selects nothing: a run about nothing is a mistyped one.
    pub fn check(&self, organization: &Organization, problems: &mut Problems) {
        for (text, selector) in &self.accounts {
            if !organization
                .accounts
                .values()
                .any(|account| selector.matches(account, organization))
            {
                let known = organization
                    .accounts
                    .values()
                    .flat_map(|account| [account.id.as_str(), &account.name]);
                let units = organization.units.values().map(|path| path.0.as_str());
                let hint = did_you_mean(text, known)
                    .or_else(|| did_you_mean(text.strip_prefix("ou=")?, units));
                let message = format!(
                    "no account of organization {} matches `{text}`",
                    organization.id
                );
                problems
                    .push(Problem::elsewhere("selector", "--account", message).maybe_hint(hint));
            }
        }
    }
}

fn selector(text: &str) -> Selector {
    if let Some(unit) = text.strip_prefix("ou=") {
        return Selector {
            units: vec![target::unit(unit)],
            ..Selector::default()
        };
    }
    if let Some((key, value)) = text
        .strip_prefix("tags.")
        .and_then(|rest| rest.split_once('='))
    {
        let tags = BTreeMap::from([(key.to_owned(), BTreeSet::from([value.to_owned()]))]);
        return Selector {
            tags,
            ..Selector::default()
        };
    }
    Selector {
        accounts: vec![AccountPattern::parse(text)],
        ..Selector::default()
    }
}
