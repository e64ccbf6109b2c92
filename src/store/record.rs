//! What was last converged, account by account.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::org::AccountId;

/// What was last converged in one account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The account.
    pub account: AccountId,
    /// By address.
    pub resources: BTreeMap<String, ResourceRecord>,
}

impl AccountRecord {
    /// The record of an account in which nothing was converged yet.
    pub fn new(account: AccountId) -> Self {
        Self { account, resources: BTreeMap::new() }
    }
}

/// One resource as it was when it was last converged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceRecord {
    /// When, RFC 3339 UTC.
    pub converged_at: String,
    /// By which run.
    pub run: String,
    /// `sha256:…` of the live resource, as the plan's `expected` is.
    pub fingerprint: String,
    /// The id that IAM gave it (`AROA…`, `ANPA…`); a resource of the same name that is made anew gets another.
    pub unique_id: Option<String>,
    /// Its ARN.
    pub arn: Option<String>,
    /// Live values by attribute; sensitive ones are salted digests.
    pub live: Value,
    /// Desired values by attribute; sensitive ones are salted digests.
    pub desired: Value,
}
