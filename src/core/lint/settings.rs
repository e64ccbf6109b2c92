//! How much findings weigh, and who belongs to the organization.

use std::collections::{BTreeMap, BTreeSet};

use crate::org::AccountId;

/// How much a lint weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is not checked.
    Off,
    /// It is shown.
    Warn,
    /// Apply is refused unless it is allowed.
    Stop,
}

impl Level {
    /// Reads `off`, `warn` or `stop`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "warn" => Some(Self::Warn),
            "stop" => Some(Self::Stop),
            _ => None,
        }
    }
}

/// What lints know besides the desired state.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `[lints]`: levels by code, where they are not the defaults.
    pub severities: BTreeMap<String, Level>,
    /// Names of accounts outside the organization, for messages.
    pub known_accounts: BTreeMap<AccountId, String>,
    /// The organization's accounts; `None` where it was not asked. Then every account but those that are planned may be
    /// an outsider.
    pub organization: Option<BTreeSet<AccountId>>,
}

impl Settings {
    /// Reads levels (`off`, `warn`, `stop`; others are passed over) as `[lints]` has them.
    pub fn new(
        severities: &BTreeMap<String, String>,
        known_accounts: &BTreeMap<AccountId, String>,
        organization: Option<BTreeSet<AccountId>>,
    ) -> Self {
        let level = |(code, level): (&String, &String)| Some((code.clone(), Level::parse(level)?));
        let severities = severities.iter().filter_map(level).collect();
        Self {
            severities,
            known_accounts: known_accounts.clone(),
            organization,
        }
    }

    pub(super) fn level(&self, code: &str) -> Option<Level> {
        self.severities.get(code).copied()
    }
}
