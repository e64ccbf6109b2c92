//! One arm and one call for each [`Step`].

use aws_sdk_iam::types::Tag;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::accounts::Iam;
use super::error::Call;
use super::retry::NotUnseen;
use crate::org::AwsError;
use crate::resource::Tags;
use crate::resource::step::Step;

/// Sends `step` as it stands.
pub(super) async fn perform(iam: &Iam, step: &Step) -> Result<(), AwsError> {
    let aws = &iam.client;
    let call = |resource| iam.call(step.operation(), Some(resource));
    match step {
        Step::CreatePolicy {
            name,
            path,
            description,
            document,
            tags,
        } => {
            let call = call(name.as_str());
            let request = aws
                .create_policy()
                .policy_name(name.as_str())
                .path(path.as_str())
                .policy_document(document);
            let request = request
                .set_description(description.clone())
                .set_tags(tag_list(call, tags)?);
            done(call, request.send().await)
        }
        Step::CreatePolicyVersion { arn, document } => {
            let request = aws
                .create_policy_version()
                .policy_arn(arn.as_str())
                .policy_document(document);
            let never_blindly = aws_sdk_iam::config::Config::builder().retry_classifier(NotUnseen);
            let request = request
                .set_as_default(true)
                .customize()
                .config_override(never_blindly);
            done(call(arn.as_str()), request.send().await)
        }
        Step::DeletePolicyVersion { arn, version } => {
            let request = aws
                .delete_policy_version()
                .policy_arn(arn.as_str())
                .version_id(version);
            done(call(arn.as_str()), request.send().await)
        }
        Step::TagPolicy { arn, tags } => {
            let call = call(arn.as_str());
            done(
                call,
                aws.tag_policy()
                    .policy_arn(arn.as_str())
                    .set_tags(tag_list(call, tags)?)
                    .send()
                    .await,
            )
        }
        Step::UntagPolicy { arn, keys } => {
            let request = aws
                .untag_policy()
                .policy_arn(arn.as_str())
                .set_tag_keys(Some(keys.iter().cloned().collect()));
            done(call(arn.as_str()), request.send().await)
        }
        Step::DeletePolicy { arn } => {
            let request = aws.delete_policy().policy_arn(arn.as_str());
            done(call(arn.as_str()), request.send().await)
        }
        Step::CreateRole {
            role,
            path,
            trust,
            description,
            max_session_duration,
            permissions_boundary,
            tags,
        } => {
            let call = call(role.as_str());
            let request = aws
                .create_role()
                .role_name(role.as_str())
                .path(path.as_str());
            let request = request
                .assume_role_policy_document(trust)
                .set_description(description.clone())
                .set_max_session_duration(
                    max_session_duration
                        .map(|seconds| duration(call, seconds))
                        .transpose()?,
                )
                .set_permissions_boundary(permissions_boundary.as_ref().map(ToString::to_string))
                .set_tags(tag_list(call, tags)?);
            done(call, request.send().await)
        }
        Step::UpdateAssumeRolePolicy { role, document } => {
            let request = aws
                .update_assume_role_policy()
                .role_name(role.as_str())
                .policy_document(document);
            done(call(role.as_str()), request.send().await)
        }
        Step::UpdateRole {
            role,
            description,
            max_session_duration,
        } => {
            let call = call(role.as_str());
            let request = aws
                .update_role()
                .role_name(role.as_str())
                .description(description);
            done(
                call,
                request
                    .max_session_duration(duration(call, *max_session_duration)?)
                    .send()
                    .await,
            )
        }
        Step::PutRolePermissionsBoundary { role, arn } => {
            let request = aws
                .put_role_permissions_boundary()
                .role_name(role.as_str())
                .permissions_boundary(arn.as_str());
            done(call(role.as_str()), request.send().await)
        }
        Step::DeleteRolePermissionsBoundary { role } => {
            let request = aws
                .delete_role_permissions_boundary()
                .role_name(role.as_str());
            done(call(role.as_str()), request.send().await)
        }
        Step::TagRole { role, tags } => {
            let call = call(role.as_str());
            done(
                call,
                aws.tag_role()
                    .role_name(role.as_str())
                    .set_tags(tag_list(call, tags)?)
                    .send()
                    .await,
            )
        }
        Step::UntagRole { role, keys } => {
            let request = aws
                .untag_role()
                .role_name(role.as_str())
                .set_tag_keys(Some(keys.iter().cloned().collect()));
            done(call(role.as_str()), request.send().await)
        }
        Step::AttachRolePolicy { role, arn } => {
            let request = aws
                .attach_role_policy()
                .role_name(role.as_str())
                .policy_arn(arn.as_str());
            done(call(role.as_str()), request.send().await)
        }
        Step::DetachRolePolicy { role, arn } => {
            let request = aws
                .detach_role_policy()
                .role_name(role.as_str())
                .policy_arn(arn.as_str());
            done(call(role.as_str()), request.send().await)
        }
        Step::PutRolePolicy {
            role,
            policy,
            document,
        } => {
            let request = aws
                .put_role_policy()
                .role_name(role.as_str())
                .policy_name(policy.as_str());
            done(
                call(role.as_str()),
                request.policy_document(document).send().await,
            )
        }
        Step::DeleteRolePolicy { role, policy } => {
            let request = aws
                .delete_role_policy()
                .role_name(role.as_str())
                .policy_name(policy.as_str());
            done(call(role.as_str()), request.send().await)
        }
        Step::PutUserPolicy {
            user,
            policy,
            document,
        } => {
            let request = aws
                .put_user_policy()
                .user_name(user.as_str())
                .policy_name(policy.as_str());
            done(
                call(user.as_str()),
                request.policy_document(document).send().await,
            )
        }
        Step::DeleteUserPolicy { user, policy } => {
            let request = aws
                .delete_user_policy()
                .user_name(user.as_str())
                .policy_name(policy.as_str());
            done(call(user.as_str()), request.send().await)
        }
        Step::PutGroupPolicy {
            group,
            policy,
            document,
        } => {
            let request = aws
                .put_group_policy()
                .group_name(group.as_str())
                .policy_name(policy.as_str());
            done(
                call(group.as_str()),
                request.policy_document(document).send().await,
            )
        }
        Step::DeleteGroupPolicy { group, policy } => {
            let request = aws
                .delete_group_policy()
                .group_name(group.as_str())
                .policy_name(policy.as_str());
            done(call(group.as_str()), request.send().await)
        }
        Step::RemoveRoleFromInstanceProfile { role, profile } => {
            let request = aws
                .remove_role_from_instance_profile()
                .role_name(role.as_str());
            let outcome = request.instance_profile_name(profile).send().await;
            done(call(role.as_str()), outcome)
        }
        Step::AddRoleToInstanceProfile { role, profile } => {
            let request = aws.add_role_to_instance_profile().role_name(role.as_str());
            let outcome = request.instance_profile_name(profile).send().await;
            done(call(role.as_str()), outcome)
        }
        Step::DeleteRole { role } => {
            let request = aws.delete_role().role_name(role.as_str());
            done(call(role.as_str()), request.send().await)
        }
    }
}

/// The outcome of a call whose answer tells nothing more.
fn done<T, E>(call: Call<'_>, outcome: Result<T, SdkError<E, HttpResponse>>) -> Result<(), AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    outcome.map(drop).map_err(|error| call.failed(&error))
}

/// Tags as IAM takes them; none at all are left out of the request, which would refuse an empty list.
fn tag_list(call: Call<'_>, tags: &Tags) -> Result<Option<Vec<Tag>>, AwsError> {
    let tags: Result<Vec<Tag>, _> = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect();
    let tags = tags.map_err(|error| call.because(error.to_string()))?;
    Ok(Some(tags).filter(|tags| !tags.is_empty()))
}

fn duration(call: Call<'_>, seconds: u32) -> Result<i32, AwsError> {
    i32::try_from(seconds)
        .map_err(|_| call.because(format!("{seconds} seconds is not a session duration")))
}
