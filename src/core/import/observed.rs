//! Roles and policies as they are in each account: what live IAM and a Terraform state have in common.
//!
//! A text here is literal: nothing in it is an expression.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::report::Source;
use crate::org::AccountId;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// By account.
    pub accounts: BTreeMap<AccountId, ObservedAccount>,
    /// The organization's id, where it is known.
    pub organization: Option<String>,
    /// The management account, where it is known.
    pub management: Option<AccountId>,
}

/// What was seen in one account.
#[derive(Debug, Clone, Default)]
pub struct ObservedAccount {
    /// Its name, where it is known.
    pub name: Option<String>,
    /// Its roles.
    pub roles: Vec<ObservedRole>,
    /// Its customer managed policies.
    pub policies: Vec<ObservedPolicy>,
}

/// A role of one account.
#[derive(Debug, Clone)]
pub struct ObservedRole {
    /// Where it comes from.
    pub source: Source,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its description; empty where there is none, `None` where it is not known.
    pub description: Option<String>,
    /// Seconds, where it is known.
    pub max_session_duration: Option<u32>,
    /// The ARN of its boundary; empty where there is none, `None` where it is not known.
    pub permissions_boundary: Option<String>,
    /// The ARNs of attached policies; `None`: not known.
    pub managed_policies: Option<Vec<String>>,
    /// Inline policies by name; `None`: not known.
    pub inline_policies: Option<BTreeMap<String, Value>>,
    /// Whether some attached policy is not known.
    pub lacks_managed: bool,
    /// Whether some inline policy is not known.
    pub lacks_inline: bool,
    /// Its trust policy.
    pub trust: Value,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Groups it with roles of other accounts; the lower-cased name where it is `None`.
    pub group: Option<String>,
    /// The documents whose values are shown nowhere: `trust`, `inline/NAME`.
    pub sensitive: BTreeSet<String>,
    /// Whether another owner manages it.
    pub external: bool,
}

/// A customer managed policy of one account.
#[derive(Debug, Clone)]
pub struct ObservedPolicy {
    /// Where it comes from.
    pub source: Source,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its description, where it is known.
    pub description: Option<String>,
    /// What it allows.
    pub document: Value,
    /// Whether the values in its document are shown nowhere.
    pub sensitive: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}
