//! What was last converged, account by account.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::org::AccountId;
use crate::plan::{Converged, RolledBack};

/// What was last converged in one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The account.
    pub account: AccountId,
    /// The resources, by address.
    pub resources: BTreeMap<String, ResourceRecord>,
}

impl AccountRecord {
    /// The record of an account in which nothing was converged yet.
    pub fn new(account: AccountId) -> Self {
        Self {
            account,
            resources: BTreeMap::new(),
        }
    }
}

impl AccountRecord {
    /// The same with `change` made of every address and ARN.
    #[must_use]
    pub(super) fn with_texts(mut self, change: &dyn Fn(&str) -> String) -> Self {
        let changed = |(address, mut record): (String, ResourceRecord)| {
            record.converged.arn = record.converged.arn.map(|arn| change(&arn));
            if let Some(left) = record.rollback.as_mut().and_then(|one| one.left.as_mut()) {
                left.arn = left.arn.take().map(|arn| change(&arn));
            }
            (change(&address), record)
        };
        self.resources = self.resources.into_iter().map(changed).collect();
        self
    }
}

/// One resource as it was when it was last converged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// When, RFC 3339 UTC.
    pub converged_at: String,
    /// By which run.
    pub run: String,
    /// The rollback that changed it since, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RolledBack>,
    /// How it was.
    #[serde(flatten)]
    pub converged: Converged,
}
