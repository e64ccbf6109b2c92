//! How an account looks after steps were performed on what was read.
//!
//! A run looks at an account again before it continues there. What it wrote itself in the meantime is not a change made
//! by someone else, so live IAM is compared with this prediction. Policies are left out: a policy is written by its own
//! change alone, which is never split.

use crate::live::LiveAccount;
use crate::org::Partition;
use crate::resource::grant::{GrantState, LiveGrant, Principal};
use crate::resource::name::{PolicyName, RoleName};
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{DEFAULT_MAX_SESSION, LiveRole, RoleDetails};
use crate::resource::step::Step;

/// Returns `live` as `steps` leave it. `grants` is the name of the inline policy that holds a directory's grants.
pub(super) fn predict<'a>(
    live: &LiveAccount,
    steps: impl IntoIterator<Item = &'a Step>,
    grants: &PolicyName,
    partition: &Partition,
) -> LiveAccount {
    let mut world = World {
        live: live.clone(),
        grants,
        partition,
    };
    steps.into_iter().for_each(|step| world.perform(step));
    world.live
}

struct World<'a> {
    live: LiveAccount,
    grants: &'a PolicyName,
    partition: &'a Partition,
}

impl World<'_> {
    fn perform(&mut self, step: &Step) {
        match step {
            Step::CreateRole {
                role,
                path,
                trust,
                description,
                max_session_duration,
                permissions_boundary,
                tags,
            } => {
                let details = RoleDetails {
                    description: description.clone().unwrap_or_default(),
                    max_session_duration: max_session_duration.unwrap_or(DEFAULT_MAX_SESSION),
                };
                let created = LiveRole {
                    name: role.clone(),
                    id: String::new(),
                    arn: String::new(),
                    path: path.clone(),
                    details: Some(details),
                    trust: PolicyDocument::live(trust, PolicyKind::Trust, self.partition),
                    managed_policies: [].into(),
                    inline_policies: [].into(),
                    permissions_boundary: permissions_boundary.clone(),
                    tags: tags.clone(),
                    instance_profiles: [].into(),
                };
                self.live.roles.insert(role.key(), created);
            }
            Step::UpdateAssumeRolePolicy { role, document } => {
                let document = PolicyDocument::live(document, PolicyKind::Trust, self.partition);
                self.role(role, |role| role.trust = document);
            }
            Step::UpdateRole {
                role,
                description,
                max_session_duration,
            } => {
                let details = RoleDetails {
                    description: description.clone(),
                    max_session_duration: *max_session_duration,
                };
                self.role(role, |role| role.details = Some(details));
            }
            Step::PutRolePermissionsBoundary { role, arn } => {
                self.role(role, |role| role.permissions_boundary = Some(arn.clone()));
            }
            Step::DeleteRolePermissionsBoundary { role } => {
                self.role(role, |role| role.permissions_boundary = None);
            }
            Step::TagRole { role, tags } => self.role(role, |role| {
                for (key, value) in tags {
                    // IAM keeps keys of tags apart without regard to case.
                    role.tags
                        .retain(|there, _| !there.eq_ignore_ascii_case(key));
                    role.tags.insert(key.clone(), value.clone());
                }
            }),
            Step::UntagRole { role, keys } => {
                self.role(role, |role| role.tags.retain(|key, _| !keys.contains(key)));
            }
            Step::AttachRolePolicy { role, arn } => {
                self.role(role, |role| _ = role.managed_policies.insert(arn.clone()));
            }
            Step::DetachRolePolicy { role, arn } => {
                self.role(role, |role| _ = role.managed_policies.remove(arn));
            }
            Step::PutRolePolicy {
                role,
                policy,
                document,
            } => {
                let document = PolicyDocument::live(document, PolicyKind::Identity, self.partition);
                self.role(role, |role| {
                    _ = role.inline_policies.insert(policy.clone(), document);
                });
                self.see_grant(role);
            }
            Step::DeleteRolePolicy { role, policy } => {
                self.role(role, |role| _ = role.inline_policies.remove(policy));
                self.see_grant(role);
            }
            Step::RemoveRoleFromInstanceProfile { role, profile } => {
                self.role(role, |role| _ = role.instance_profiles.remove(profile));
            }
            Step::AddRoleToInstanceProfile { role, profile } => {
                self.role(role, |role| {
                    _ = role.instance_profiles.insert(profile.clone());
                });
            }
            Step::DeleteRole { role } => {
                self.live.roles.remove(&role.key());
                self.see_grant(role);
            }
            Step::PutUserPolicy { user, document, .. } => {
                self.grant(Principal::User(user.clone()), Some(document));
            }
            Step::DeleteUserPolicy { user, .. } => self.grant(Principal::User(user.clone()), None),
            Step::PutGroupPolicy {
                group, document, ..
            } => self.grant(Principal::Group(group.clone()), Some(document)),
            Step::DeleteGroupPolicy { group, .. } => {
                self.grant(Principal::Group(group.clone()), None);
            }
            Step::CreatePolicy { .. }
            | Step::CreatePolicyVersion { .. }
            | Step::DeletePolicyVersion { .. }
            | Step::TagPolicy { .. }
            | Step::UntagPolicy { .. }
            | Step::DeletePolicy { .. } => {}
        }
    }

    fn role(&mut self, name: &RoleName, write: impl FnOnce(&mut LiveRole)) {
        if let Some(role) = self.live.roles.get_mut(&name.key()) {
            write(role);
        }
    }

    /// The grant to a role is one of its inline policies.
    fn see_grant(&mut self, role: &RoleName) {
        let live = self.live.roles.get(&role.key());
        let granted = live
            .and_then(|role| role.inline_policies.get(self.grants))
            .cloned();
        self.set_grant(Principal::Role(role.clone()), granted);
    }

    fn grant(&mut self, principal: Principal, document: Option<&String>) {
        let document =
            document.map(|text| PolicyDocument::live(text, PolicyKind::Identity, self.partition));
        self.set_grant(principal, document);
    }

    fn set_grant(&mut self, principal: Principal, document: Option<PolicyDocument>) {
        let state = document.map_or(GrantState::NoPolicy, GrantState::Granted);
        self.live
            .grants
            .insert(principal.key(), LiveGrant { principal, state });
    }
}
