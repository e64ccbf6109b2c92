//! Proving roles: what to try, and what each result proves. Pure.
//!
//! A role is held against its desired state from two sides. Offline, its live trust policy is evaluated for whoever
//! must get in and for whoever must not ([`trust`]), the policies of those who are to come ([`caller`]), and its live
//! policies for what it must be able to do ([`expect`]). Live, whoever runs rolecall tries to enter it, in the right
//! way and in wrong ones ([`live`]). Both are needed: an evaluation knows no service control policies, and an
//! emulator allows every caller.
//!
//! Nothing counts as passed that was not proven: what cannot be decided is said to be not provable.

pub mod caller;
pub mod expect;
pub mod live;
mod others;
mod request;
mod session;
pub mod trust;

#[cfg(test)]
mod testing;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::org::{Account, AccountId, Organization};
use crate::resource::role::{LiveRole, Role};

pub use request::{accounts_of, principals_of};
pub use session::{InvalidSessionName, SessionName};

/// The version of the JSON form.
pub const FORMAT: &str = "rolecall-verify/1";

/// What all roles of a run are verified against.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The organization, and who is calling.
    pub organization: &'a Organization,
    /// The principals that any role of the directory trusts, with their kinds: strangers to a role that names them not.
    pub principals: &'a BTreeSet<(String, String)>,
    /// The time of the run, as `aws:CurrentTime` has it.
    pub now: &'a str,
}

/// One role to be verified.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The account it is in.
    pub account: &'a Account,
    /// The role as desired.
    pub desired: &'a Role,
    /// The role as it is.
    pub live: &'a LiveRole,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// Whether the role is there and could be read.
    Exists,
    /// A principal of the desired trust gets in.
    Allowed,
    /// It does not without the external id.
    NoExternalId,
    /// It does not with another external id.
    WrongExternalId,
    /// It does not without MFA.
    NoMfa,
    /// It does not where another condition is not met.
    Condition,
    /// No one else gets in.
    NobodyElse,
    /// The own policies of a user, group or role of the organization let it come.
    Caller,
    /// STS lets the caller in.
    LiveAllowed,
    /// STS refuses the caller without the external id.
    LiveNoExternalId,
    /// STS refuses the caller with another external id.
    LiveWrongExternalId,
    /// STS refuses the caller under another session name.
    LiveSessionName,
    /// The role's policies say what `[[role.expect]]` expects.
    Expect,
    /// `iam:SimulatePrincipalPolicy` says so too.
    Simulate,
}

/// What a probe proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is as desired.
    Proven,
    /// It is proven not to be as desired.
    Failed,
    /// It is not provable.
    NotProvable,
}

/// What one probe found about one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was tried.
    pub probe: Probe,
    /// What that proved.
    pub outcome: Outcome,
    /// The result in one sentence.
    pub message: String,
}

impl Check {
    /// A check, its message first letter lower case and without full stop.
    pub fn new(probe: Probe, outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            probe,
            outcome,
            message: message.into(),
        }
    }
}

/// What was found about all roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// [`FORMAT`].
    pub format: &'static str,
    /// In order of account and role.
    pub results: Vec<RoleResult>,
    /// What is to be known of roles beside the probes; none of it fails a verification.
    pub findings: Vec<Warning>,
    /// The accounts that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// How many.
    pub summary: Summary,
}

/// What one probe found, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleResult {
    /// `<account-id>/role/<name>`
    pub address: String,
    /// What was tried.
    pub probe: Probe,
    /// What that proved.
    pub outcome: Outcome,
    /// The result in one sentence.
    pub message: String,
}

/// A finding of a plan that verification makes too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its code, as plans have it.
    pub code: &'static str,
    /// How much it weighs, as plans have it: it only warns.
    pub severity: &'static str,
    /// `<account-id>/role/<name>`
    pub address: String,
    /// The result in one sentence.
    pub message: String,
}

/// An account that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Why the account could not be read.
    pub error: String,
}

/// Counts of a verification.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Accounts with a role to verify.
    pub accounts: usize,
    /// Of these, accounts that could not be read.
    pub unreadable: usize,
    /// Roles to verify, those of unreadable accounts included.
    pub roles: usize,
    /// Probes that proved what is desired.
    pub proven: usize,
    /// Probes that proved the contrary.
    pub failed: usize,
    /// Probes that could not tell.
    pub not_provable: usize,
}

impl Verification {
    /// Counts `results` and the accounts they are about.
    pub fn new(
        results: Vec<RoleResult>,
        findings: Vec<Warning>,
        unreadable: Vec<Unreadable>,
    ) -> Self {
        let count = |outcome| {
            results
                .iter()
                .filter(|result| result.outcome == outcome)
                .count()
        };
        let roles: BTreeSet<&str> = results
            .iter()
            .map(|result| result.address.as_str())
            .collect();
        let accounts: BTreeSet<&str> = roles
            .iter()
            .map(|address| address.split('/').next().unwrap_or_default())
            .collect();
        let summary = Summary {
            accounts: accounts.len(),
            unreadable: unreadable.len(),
            roles: roles.len(),
            proven: count(Outcome::Proven),
            failed: count(Outcome::Failed),
            not_provable: count(Outcome::NotProvable),
        };
        Self {
            format: FORMAT,
            results,
            findings,
            unreadable,
            summary,
        }
    }
}
