//! The IAM of one account during one call: finding entities, writing them back, and writing them as XML.

use std::sync::Arc;
use std::time::Duration;

use rolecall_core::org::AccountId;

use super::super::wire::{ApiError, Params};
use super::super::world::{IamState, PolicyState, RoleState, World};
use super::rules::{self, NAME_OF_ROLE};

/// One call's view of the world.
pub(super) struct Iam<'w> {
    /// Everything else; the `iam` of the calling account is taken out into `state` for the time of the call.
    pub world: &'w mut World,
    /// The account the call acts in.
    pub account: AccountId,
    /// What its IAM holds.
    pub state: IamState,
    /// Time since the world began.
    pub now: Duration,
}

impl Iam<'_> {
    /// The ARN of an entity: `kind` is `role`, `policy`, `user`, `group` or `instance-profile`.
    pub fn arn(&self, kind: &str, path: &str, name: &str) -> String {
        format!(
            "arn:{}:iam::{}:{kind}{path}{name}",
            self.world.partition, self.account
        )
    }

    /// What the IAM of any account of the world holds.
    pub fn state_of(&self, account: AccountId) -> Option<&IamState> {
        if account == self.account {
            return Some(&self.state);
        }
        self.world
            .accounts
            .get(&account)
            .map(|account| &account.iam)
    }

    /// The roles that reads see, by name.
    pub fn seen_roles(&self) -> impl Iterator<Item = (&String, &Arc<RoleState>)> {
        self.state
            .roles
            .iter()
            .filter_map(|(key, role)| Some((key, role.visible(self.now)?)))
    }

    /// The role of the parameter `RoleName` as reads see it.
    pub fn seen_role(&self, params: &Params) -> Result<&Arc<RoleState>, ApiError> {
        let name = rules::name(params, "RoleName", NAME_OF_ROLE)?;
        let role = self
            .state
            .roles
            .get(&name.to_ascii_lowercase())
            .and_then(|role| role.visible(self.now));
        role.ok_or_else(|| no_such_role(name))
    }

    /// The role of the parameter `RoleName` as it is.
    pub fn latest_role(&self, params: &Params) -> Result<RoleState, ApiError> {
        let name = rules::name(params, "RoleName", NAME_OF_ROLE)?;
        let role = self
            .state
            .roles
            .get(&name.to_ascii_lowercase())
            .and_then(|role| role.latest());
        role.map(|role| RoleState::clone(role))
            .ok_or_else(|| no_such_role(name))
    }

    /// Like [`latest_role`](Self::latest_role), and refuses a role that only AWS may change.
    ///
    /// Source: IAM User Guide, Service-linked roles; IAM Identity Center keeps its roles under `/aws-reserved/`.
    pub fn role_to_change(&self, params: &Params) -> Result<RoleState, ApiError> {
        let role = self.latest_role(params)?;
        if role.path.starts_with("/aws-service-role/") || role.path.starts_with("/aws-reserved/") {
            let message = format!(
                "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                role.name
            );
            return Err(ApiError::new(400, "UnmodifiableEntity", message));
        }
        Ok(role)
    }

    /// Writes a role.
    pub fn put_role(&mut self, role: RoleState) {
        let entry = self
            .state
            .roles
            .entry(role.name.to_ascii_lowercase())
            .or_default();
        entry.set(self.now, self.world.lag, Some(Arc::new(role)));
    }

    /// The policies that reads see, by name.
    pub fn seen_policies(&self) -> impl Iterator<Item = (&String, &Arc<PolicyState>)> {
        self.state
            .policies
            .iter()
            .filter_map(|(key, policy)| Some((key, policy.visible(self.now)?)))
    }

    /// The customer managed policy of this account with exactly this ARN, as reads see it.
    pub fn seen_policy(&self, arn: &str) -> Option<&Arc<PolicyState>> {
        let policy = self
            .state
            .policies
            .get(&last_segment(arn).to_ascii_lowercase())?
            .visible(self.now)?;
        (self.policy_arn(policy) == arn).then_some(policy)
    }

    /// The customer managed policy of this account with exactly this ARN, as it is.
    pub fn latest_policy(&self, arn: &str) -> Option<&Arc<PolicyState>> {
        let policy = self
            .state
            .policies
            .get(&last_segment(arn).to_ascii_lowercase())?
            .latest()?;
        (self.policy_arn(policy) == arn).then_some(policy)
    }

    /// The ARN of a customer managed policy.
    pub fn policy_arn(&self, policy: &PolicyState) -> String {
        self.arn("policy", &policy.path, &policy.name)
    }

    /// Writes a policy.
    pub fn put_policy(&mut self, policy: PolicyState) {
        let entry = self
            .state
            .policies
            .entry(policy.name.to_ascii_lowercase())
            .or_default();
        entry.set(self.now, self.world.lag, Some(Arc::new(policy)));
    }
}

fn no_such_role(name: &str) -> ApiError {
    ApiError::no_such_entity(format!("The role with name {name} cannot be found."))
}

/// What stands after the last `/`: the name in an ARN.
pub(super) fn last_segment(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// `EntityAlreadyExists` 409.
pub(super) fn already_exists(what: &str, name: &str) -> ApiError {
    ApiError::new(
        409,
        "EntityAlreadyExists",
        format!("{what} with name {name} already exists."),
    )
}

/// `DeleteConflict` 409.
pub(super) fn delete_conflict(message: &str) -> ApiError {
    ApiError::new(409, "DeleteConflict", message)
}
