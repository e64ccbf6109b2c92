//! Writes whose response was lost: done once, however often they were sent.
//!
//! Where a connection breaks, an answer does not come in time or ends early, or the server itself fails, it is unknown
//! whether the write happened. What IAM takes twice with the same outcome (attach, put, tag, update) is sent again
//! without a thought. Of the rest:
//!
//! - a deletion that then gets `NoSuchEntity` is done;
//! - an addition to an instance profile that then gets `LimitExceeded` is done if the role is in it: a profile holds one;
//! - a creation that then gets `EntityAlreadyExists` is done if what is there is exactly what it creates, and else
//!   the name is someone else's;
//! - a version of a policy is numbered and counted, so it is not sent again before the policy was looked at.
//!
//! A look may come from a replica that does not know of the write yet, so it is repeated for as long as IAM usually
//! takes to agree with itself. Source: IAM User Guide, "Changes that I make are not always immediately visible".

use std::time::Duration;

use super::accounts::Iam;
use super::error::is_expired;
use super::read;
use super::step::perform;
use crate::org::AwsError;
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::PolicyArn;
use crate::resource::operation::Operation;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{DEFAULT_MAX_SESSION, LiveRole, RoleDetails};
use crate::resource::step::Step;

/// Waits between looks, in milliseconds: half a minute together.
const WAITS: [u64; 7] = [0, 500, 1000, 2000, 4000, 8000, 16000];

/// How often one version is sent.
const SENDS: usize = 4;

/// Performs `step`; where an answer was lost, finds out whether it is done.
pub(super) async fn once(iam: Iam, step: &Step) -> Result<(), AwsError> {
    if let Step::CreatePolicyVersion { .. } = step {
        return version(&iam, step).await;
    }
    match perform(&iam, step).await {
        // The account is entered again and the step repeated, and what was lost is remembered.
        Err(error) if iam.lost.happened() && !is_expired(&error) => {
            if is_done(&iam, step, &error).await? {
                Ok(())
            } else {
                Err(error)
            }
        }
        outcome => outcome,
    }
}

/// Sends a new version of a policy, and never again before the policy was seen without it.
async fn version(iam: &Iam, step: &Step) -> Result<(), AwsError> {
    let mut outcome = Ok(());
    for _ in 0..SENDS {
        if iam.lost.happened() {
            if is_there(iam, step).await? {
                return Ok(());
            }
            iam.lost.forget();
        }
        outcome = perform(iam, step).await;
        if outcome.as_ref().err().is_none_or(is_expired) || !iam.lost.happened() {
            return outcome;
        }
    }
    if is_there(iam, step).await? {
        Ok(())
    } else {
        outcome
    }
}

/// Whether `step` is done although it ended with `error`, an answer of it having been lost.
async fn is_done(iam: &Iam, step: &Step, error: &AwsError) -> Result<bool, AwsError> {
    match step {
        Step::CreateRole { .. }
        | Step::CreatePolicy { .. }
        | Step::CreatePolicyVersion { .. }
        | Step::AddRoleToInstanceProfile { .. } => is_there(iam, step).await,
        Step::DeletePolicyVersion { .. }
        | Step::DeletePolicy { .. }
        | Step::DeleteRolePermissionsBoundary { .. }
        | Step::DetachRolePolicy { .. }
        | Step::DeleteRolePolicy { .. }
        | Step::DeleteUserPolicy { .. }
        | Step::DeleteGroupPolicy { .. }
        | Step::RemoveRoleFromInstanceProfile { .. }
        | Step::DeleteRole { .. } => Ok(error.is("NoSuchEntity")),
        Step::TagPolicy { .. }
        | Step::UntagPolicy { .. }
        | Step::UpdateAssumeRolePolicy { .. }
        | Step::UpdateRole { .. }
        | Step::PutRolePermissionsBoundary { .. }
        | Step::TagRole { .. }
        | Step::UntagRole { .. }
        | Step::AttachRolePolicy { .. }
        | Step::PutRolePolicy { .. }
        | Step::PutUserPolicy { .. }
        | Step::PutGroupPolicy { .. } => Ok(false),
    }
}

/// Looks until what `step` creates is there, for a while. A look that fails has seen nothing.
async fn is_there(iam: &Iam, step: &Step) -> Result<bool, AwsError> {
    for wait in WAITS {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        match look(iam, step).await {
            Ok(true) => {
                tracing::debug!(account = %iam.account, "the response was lost, but the write was done");
                return Ok(true);
            }
            Err(error) if is_expired(&error) => return Err(error),
            Ok(false) | Err(_) => {}
        }
    }
    Ok(false)
}

async fn look(iam: &Iam, step: &Step) -> Result<bool, AwsError> {
    Ok(match step {
        Step::CreateRole { role, .. } => read::role(iam, role)
            .await?
            .is_some_and(|seen| is_role(iam, step, &seen)),
        Step::CreatePolicy { name, path, .. } => {
            let arn = format!(
                "arn:{}:iam::{}:policy{path}{name}",
                iam.partition, iam.account
            );
            let arn = PolicyArn::parse(&arn).map_err(|error| {
                iam.call(Operation::GetPolicy, None)
                    .because(error.to_string())
            })?;
            read::policy(iam, &arn)
                .await?
                .is_some_and(|seen| is_policy(iam, step, &seen))
        }
        Step::CreatePolicyVersion { arn, document } => {
            let document = PolicyDocument::live(document, PolicyKind::Identity, &iam.partition);
            read::policy(iam, arn)
                .await?
                .is_some_and(|seen| seen.document == document)
        }
        Step::AddRoleToInstanceProfile { role, profile } => read::role(iam, role)
            .await?
            .is_some_and(|seen| seen.instance_profiles.contains(profile)),
        _ => false,
    })
}

/// Whether `seen` is what `step` creates, nothing more and nothing less; the ownership tag is among its tags.
fn is_role(iam: &Iam, step: &Step, seen: &LiveRole) -> bool {
    let Step::CreateRole {
        role,
        path,
        trust,
        description,
        max_session_duration,
        permissions_boundary,
        tags,
    } = step
    else {
        return false;
    };
    let details = RoleDetails {
        description: description.clone().unwrap_or_default(),
        max_session_duration: max_session_duration.unwrap_or(DEFAULT_MAX_SESSION),
    };
    (&seen.name, &seen.path, &seen.tags) == (role, path, tags)
        && seen.trust == PolicyDocument::live(trust, PolicyKind::Trust, &iam.partition)
        && seen.details == Some(details)
        && seen.permissions_boundary == *permissions_boundary
        && (seen.managed_policies.is_empty()
            && seen.inline_policies.is_empty()
            && seen.instance_profiles.is_empty())
}

/// As [`is_role`], for a policy.
fn is_policy(iam: &Iam, step: &Step, seen: &LivePolicy) -> bool {
    let Step::CreatePolicy {
        name,
        path,
        description,
        document,
        tags,
    } = step
    else {
        return false;
    };
    (&seen.name, &seen.path, seen.tags.as_ref()) == (name, path, Some(tags))
        && seen.document == PolicyDocument::live(document, PolicyKind::Identity, &iam.partition)
        && seen.description.as_deref().unwrap_or_default()
            == description.as_deref().unwrap_or_default()
        && seen.versions.len() == 1
}
