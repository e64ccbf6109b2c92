//! The world of the sandbox: an organization, its accounts, their IAM, sessions, and a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rolecall_core::org::{AccountId, Partition};

use super::clock::Clock;
use super::cloudtrail::Trail;
use super::ids::Ids;
use super::managed::{self, Managed};

/// Everything there is. One lock guards it.
#[derive(Debug, Clone)]
pub struct World {
    /// The partition of every ARN.
    pub partition: Partition,
    /// The organization.
    pub organization: OrganizationState,
    /// Every account, the management account included.
    pub accounts: BTreeMap<AccountId, AccountState>,
    /// The policies that AWS manages.
    pub managed: Vec<Managed>,
    /// What each access key represents.
    pub keys: BTreeMap<String, Session>,
    /// Time since the world began; moved by hand or by the wall clock.
    pub clock: Clock,
    /// How long a write to IAM stays unseen by reads.
    pub lag: Duration,
    /// How old a role or user must be before a trust policy can name it.
    pub youth: Duration,
    /// How long STS refuses a role after a write to it that reads of IAM already see.
    pub sts_lag: Duration,
    /// Whether callers are held against their own policies.
    pub permissions: Permissions,
    /// Makes ids; the same seed gives the same ids for the same calls.
    pub ids: Ids,
    /// What IAM was asked to change.
    pub trail: Trail,
}

impl World {
    /// `arn:aws:iam::111122223333:root`
    pub fn root_arn(&self, account: AccountId) -> String {
        format!("arn:{}:iam::{account}:root", self.partition)
    }

    /// The AWS managed policy with this ARN, whatever the ARN's partition.
    pub fn aws_managed(&self, arn: &str) -> Option<&Managed> {
        managed::find(&self.managed, arn)
    }

    /// The accounts of the organization; one that was removed from it is an account still.
    pub fn members(&self) -> impl Iterator<Item = (&AccountId, &AccountState)> {
        self.accounts
            .iter()
            .filter(|(_, account)| account.is_member())
    }

    /// An account of the organization.
    pub fn member(&self, id: AccountId) -> Option<&AccountState> {
        self.accounts.get(&id).filter(|account| account.is_member())
    }

    /// Hands out an access key for `session`: `AKIA…` for good, `ASIA…` for a while.
    pub fn add_key(&mut self, prefix: &str, session: Session) -> String {
        let key: String = self.ids.unique(prefix).chars().take(20).collect();
        self.keys.insert(key.clone(), session);
        key
    }
}

/// Whether IAM and Organizations hold callers against their own policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permissions {
    /// They do: a call that no policy of the caller allows is denied.
    Enforced,
    /// They do not: whoever is in an account may do everything there.
    Ignored,
}

/// The organization.
#[derive(Debug, Clone)]
pub struct OrganizationState {
    /// `o-…`
    pub id: String,
    /// The management account.
    pub management_account: AccountId,
    /// `r-…`
    pub root: String,
    /// Organizational units by id.
    pub units: BTreeMap<String, UnitState>,
    /// Accounts that may read the organization beside the management account.
    pub delegated_administrators: BTreeSet<AccountId>,
    /// Entries per page of every Organizations list; AWS's limit is 20.
    pub page_size: usize,
    /// The tags of the root.
    pub root_tags: BTreeMap<String, String>,
    /// What became of each `CreateAccount`, by request id.
    pub requests: BTreeMap<String, CreateAccountState>,
}

/// What became of one `CreateAccount`.
#[derive(Debug, Clone)]
pub struct CreateAccountState {
    /// The name asked for.
    pub name: String,
    /// When it was asked for, in time since the world began.
    pub requested: Duration,
    /// The new account, or why there is none: `EMAIL_ALREADY_EXISTS`.
    pub outcome: Result<AccountId, String>,
}

impl OrganizationState {
    /// The ids from the organization down to `parent`, a root or unit: `o-…/r-…/ou-…`.
    pub fn id_path(&self, parent: &str) -> String {
        let mut ids = Vec::new();
        let mut at = parent;
        while let Some(unit) = self.units.get(at) {
            ids.push(at);
            at = &unit.parent;
        }
        ids.extend([at, self.id.as_str()]);
        ids.reverse();
        ids.join("/")
    }
}

/// One organizational unit.
#[derive(Debug, Clone)]
pub struct UnitState {
    /// Its name.
    pub name: String,
    /// The id of its parent.
    pub parent: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// One account.
#[derive(Debug, Clone)]
pub struct AccountState {
    /// Its name.
    pub name: String,
    /// The e-mail address of its root user.
    pub email: String,
    /// `ACTIVE`, `SUSPENDED`, …
    pub status: String,
    /// The id of its root or unit; empty once it is in no organization.
    pub parent: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What its IAM holds.
    pub iam: IamState,
}

impl AccountState {
    /// Whether it is in the organization.
    pub fn is_member(&self) -> bool {
        !self.parent.is_empty()
    }
}

/// Who holds an access key.
#[derive(Debug, Clone)]
pub struct Session {
    /// The account that calls with it act in.
    pub account: AccountId,
    /// The caller's ARN: a user, an assumed-role session, or an account's root.
    pub arn: String,
    /// The unique id, as `GetCallerIdentity` tells it.
    pub user_id: String,
    /// The role behind a session.
    pub role_arn: Option<String>,
    /// When the key stops working, in time since the world began.
    pub expires: Option<Duration>,
}

/// What one account's IAM holds.
#[derive(Debug, Clone, Default)]
pub struct IamState {
    /// Roles by name in lower case.
    pub roles: BTreeMap<String, Lagged<RoleState>>,
    /// Customer managed policies by name in lower case.
    pub policies: BTreeMap<String, Lagged<PolicyState>>,
    /// Users by name in lower case.
    pub users: BTreeMap<String, UserState>,
    /// Groups by name in lower case.
    pub groups: BTreeMap<String, GroupState>,
    /// Instance profiles by name in lower case.
    pub profiles: BTreeMap<String, ProfileState>,
    /// Identity providers by ARN, with the client ids that tokens of an OIDC provider may be for.
    pub providers: BTreeMap<String, Vec<String>>,
    /// Quotas that differ from the documented defaults, by the name `GetAccountSummary` gives them.
    pub quotas: BTreeMap<String, usize>,
    /// ARNs of the roles and users that trust policies of this account ever named, by unique id.
    pub principals: BTreeMap<String, String>,
}

/// An entity whose writes become visible to reads only after a while.
#[derive(Debug, Clone)]
pub struct Lagged<T> {
    /// From when each state is visible; the last one is the truth. `None`: it does not exist.
    history: Vec<(Duration, Option<Arc<T>>)>,
}

impl<T> Default for Lagged<T> {
    fn default() -> Self {
        Self {
            history: Vec::new(),
        }
    }
}

impl<T> Lagged<T> {
    /// The truth.
    pub fn latest(&self) -> Option<&Arc<T>> {
        self.history.last().and_then(|(_, state)| state.as_ref())
    }

    /// What a read at `now` sees.
    pub fn visible(&self, now: Duration) -> Option<&Arc<T>> {
        self.history
            .iter()
            .rev()
            .find(|(from, _)| *from <= now)
            .and_then(|(_, state)| state.as_ref())
    }

    /// Sets the truth at `now`, to be seen after `lag`. States that no read can see any more are forgotten.
    pub fn set(&mut self, now: Duration, lag: Duration, state: Option<Arc<T>>) {
        if let Some(last_visible) = self.history.iter().rposition(|(from, _)| *from <= now) {
            self.history.drain(..last_visible);
        }
        self.history.push((now + lag, state));
        if lag.is_zero() {
            self.history.drain(..self.history.len() - 1);
        }
    }
}

/// A role.
#[derive(Debug, Clone)]
pub struct RoleState {
    /// Its name.
    pub name: String,
    /// `AROA…`
    pub id: String,
    /// Its path.
    pub path: String,
    /// Its description, where one was ever set.
    pub description: Option<String>,
    /// Its maximum session duration in seconds.
    pub max_session_duration: u32,
    /// Its trust policy as IAM stores it: principals that are roles or users stand as unique ids.
    pub trust: String,
    /// Inline policies by name: the text as it was put.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies, oldest first.
    pub attached: Vec<String>,
    /// The ARN of its boundary.
    pub boundary: Option<String>,
    /// Its tags; keys are unique without regard to case.
    pub tags: BTreeMap<String, String>,
    /// When it was created, in time since the world began.
    pub created: Duration,
}

/// A customer managed policy.
#[derive(Debug, Clone)]
pub struct PolicyState {
    /// Its name.
    pub name: String,
    /// `ANPA…`
    pub id: String,
    /// Its path.
    pub path: String,
    /// Its description.
    pub description: Option<String>,
    /// Its versions, oldest first.
    pub versions: Vec<PolicyVersionState>,
    /// The id of the version in force.
    pub default_version: String,
    /// The number of the next version; never reused.
    pub next_version: u32,
    /// Its tags; keys are unique with regard to case.
    pub tags: BTreeMap<String, String>,
    /// When it was created, in time since the world began.
    pub created: Duration,
}

/// One version of a managed policy.
#[derive(Debug, Clone)]
pub struct PolicyVersionState {
    /// `v1`
    pub id: String,
    /// The text as it was put.
    pub document: String,
    /// When it was created, in time since the world began.
    pub created: Duration,
}

/// A user.
#[derive(Debug, Clone, Default)]
pub struct UserState {
    /// Its name.
    pub name: String,
    /// `AIDA…`
    pub id: String,
    /// Its path.
    pub path: String,
    /// Inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies.
    pub attached: Vec<String>,
    /// Names of its groups, in lower case.
    pub groups: BTreeSet<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The ARN of its boundary.
    pub boundary: Option<String>,
    /// Its access keys, by id.
    pub access_keys: BTreeSet<String>,
    /// When it was created, in time since the world began.
    pub created: Duration,
}

/// A group.
#[derive(Debug, Clone, Default)]
pub struct GroupState {
    /// Its name.
    pub name: String,
    /// `AGPA…`
    pub id: String,
    /// Its path.
    pub path: String,
    /// Inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies.
    pub attached: Vec<String>,
    /// When it was created, in time since the world began.
    pub created: Duration,
}

/// An instance profile.
#[derive(Debug, Clone, Default)]
pub struct ProfileState {
    /// Its name.
    pub name: String,
    /// `AIPA…`
    pub id: String,
    /// Its path.
    pub path: String,
    /// The name of its role, in lower case.
    pub role: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was created, in time since the world began.
    pub created: Duration,
}
