//! Distinguishes lag from errors: AWS may not show yet what this very run wrote.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::org::{AccountId, AwsError};
use crate::plan::Plan;
use crate::resource::name::IamPath;
use crate::resource::step::Step;

/// What a run creates. Only for these is "does not exist" a matter of waiting.
#[derive(Debug, Default)]
pub(super) struct Created {
    /// Roles that the plan creates, by the end of their ARN: `111111111111:role/path/name`.
    planned: BTreeSet<String>,
    /// What was created so far.
    so_far: BTreeSet<String>,
}

fn arn_end(account: AccountId, step: &Step) -> Option<String> {
    let end = |kind: &str, path: &IamPath, name: &str| format!("{account}:{kind}{path}{name}");
    match step {
        Step::CreateRole { path, role, .. } => Some(end("role", path, role.as_str())),
        Step::CreatePolicy { path, name, .. } => Some(end("policy", path, name.as_str())),
        _ => None,
    }
}

impl Created {
    /// What `plan` will create.
    pub(super) fn of(plan: &Plan) -> Self {
        let steps = plan.accounts.iter().flat_map(|part| {
            part.changes
                .iter()
                .flat_map(|change| &change.steps)
                .filter_map(|step| arn_end(part.id, step))
        });
        Self {
            planned: steps.collect(),
            so_far: BTreeSet::new(),
        }
    }

    /// Takes note of a step that was done.
    pub(super) fn remember(&mut self, account: AccountId, step: &Step) {
        self.so_far.extend(arn_end(account, step));
    }

    fn has(&self, account: AccountId, kind: &str, name: &str) -> bool {
        let start = format!("{account}:{kind}/");
        let of_kind = self
            .so_far
            .range(start.clone()..)
            .take_while(|arn| arn.starts_with(&start));
        of_kind
            .into_iter()
            .any(|arn| arn.rsplit('/').next() == Some(name))
    }
}

/// Whether AWS refuses only because it does not see yet what this run itself did, or does at this moment.
///
/// Anything else, a mistyped principal above all, fails at once.
pub(super) fn is_lag(
    account: AccountId,
    step: &Step,
    error: &AwsError,
    created: &Created,
    after_own_writes: bool,
) -> bool {
    match error.code.as_deref() {
        Some("NoSuchEntity") => match step {
            Step::AttachRolePolicy { role, arn }
            | Step::PutRolePermissionsBoundary { role, arn } => {
                created.has(account, "role", role.as_str())
                    || created.has(account, "policy", arn.name())
            }
            Step::CreateRole {
                permissions_boundary: Some(arn),
                ..
            } => created.has(account, "policy", arn.name()),
            Step::PutRolePolicy { role, .. }
            | Step::TagRole { role, .. }
            | Step::UpdateRole { role, .. }
            | Step::UpdateAssumeRolePolicy { role, .. } => {
                created.has(account, "role", role.as_str())
            }
            _ => false,
        },
        Some("MalformedPolicyDocument") => {
            error.message.contains("Invalid principal")
                && created.planned.iter().any(|arn| names(&error.message, arn))
        }
        // What stood in the way was detached a moment ago.
        Some("DeleteConflict") => {
            after_own_writes && matches!(step, Step::DeleteRole { .. } | Step::DeletePolicy { .. })
        }
        _ => false,
    }
}

/// Whether `message` names the ARN that ends with `arn`, and not another that only begins so.
fn names(message: &str, arn: &str) -> bool {
    let of_names = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
    message
        .split(arn)
        .skip(1)
        .any(|rest| !rest.starts_with(of_names))
}

/// A wait of this length, give or take, so that those who began to wait together do not come back together.
pub(super) fn by_chance(wait: Duration) -> Duration {
    let (die, _) = uuid::Uuid::new_v4().as_u64_pair();
    let share = u32::try_from(die % 1000).unwrap_or_default();
    wait / 2 + wait * share / 2000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::name::RoleName;

    fn refused(code: &str, message: &str) -> AwsError {
        AwsError {
            account: None,
            operation: "UpdateAssumeRolePolicy".into(),
            resource: None,
            code: Some(code.into()),
            message: message.into(),
            request_id: None,
        }
    }

    #[test]
    fn only_what_the_run_creates_is_waited_for() {
        let account = AccountId::parse("111111111111").unwrap();
        let created = Created {
            planned: BTreeSet::from(["222222222222:role/app/New".to_owned()]),
            so_far: BTreeSet::from(["111111111111:role/Mine".to_owned()]),
        };
        let trust = |role: &str| Step::UpdateAssumeRolePolicy {
            role: RoleName::parse(role).unwrap(),
            document: "{}".into(),
        };
        let invalid = |arn: &str| {
            refused(
                "MalformedPolicyDocument",
                &format!("Invalid principal in policy: \"AWS\":\"{arn}\""),
            )
        };
        let cases = [
            (
                trust("Mine"),
                refused("NoSuchEntity", "not found"),
                false,
                true,
            ),
            (
                trust("Other"),
                refused("NoSuchEntity", "not found"),
                false,
                false,
            ),
            (
                trust("Other"),
                invalid("arn:aws:iam::222222222222:role/app/New"),
                false,
                true,
            ),
            (
                trust("Other"),
                invalid("arn:aws:iam::222222222222:role/Typo"),
                false,
                false,
            ),
            (
                trust("Other"),
                invalid("arn:aws:iam::222222222222:role/app/New-Typo"),
                false,
                false,
            ),
            (
                trust("Other"),
                refused("MalformedPolicyDocument", "Syntax errors in policy."),
                false,
                false,
            ),
            (trust("Other"), refused("AccessDenied", "no"), true, false),
            (
                Step::DeleteRole {
                    role: RoleName::parse("Mine").unwrap(),
                },
                refused("DeleteConflict", ""),
                true,
                true,
            ),
            (
                Step::DeleteRole {
                    role: RoleName::parse("Mine").unwrap(),
                },
                refused("DeleteConflict", ""),
                false,
                false,
            ),
        ];
        for (step, error, after_own_writes, expect) in cases {
            assert_eq!(
                is_lag(account, &step, &error, &created, after_own_writes),
                expect,
                "{step:?} {error}"
            );
        }
    }
}
