//! Writing: one arm and one call for each [`Step`]. Everything was decided when the plan was made.

use aws_sdk_iam::types::Tag;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::accounts::{Accounts, Iam};
use super::error::Call;
use super::guard::Guard;
use super::lost::once;
use super::retry::NotUnseen;
use crate::execute::{Halt, Writer};
use crate::org::{Account, AwsError};
use crate::resource::Tags;
use crate::resource::step::Step;

/// Someone who can write to the accounts, until the run is halted.
#[derive(Debug, Clone)]
pub struct Writing {
    pub(super) accounts: Accounts,
    pub(super) halt: Halt,
}

impl Writer for Writing {
    async fn write(&self, account: &Account, step: &Step) -> Result<(), AwsError> {
        let guard = Guard::new(self.halt.clone());
        let work = self
            .accounts
            .guarded(account, Some(&guard), |iam| Box::pin(once(iam, step)));
        tokio::select! {
            outcome = work => outcome,
            // Waits for another attempt end with the run; what is on its way is waited for.
            why = guard.ended() => {
                let call = Call { account: Some(account.id), operation: step.operation(), resource: None };
                let sent = if guard.sent() { "not retried" } else { "not sent" };
                Err(call.because(format!("{sent}: the run {why}")))
            }
        }
    }
}

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::{Fake, account, default, xml};
    use super::*;
    use crate::resource::name::{GroupName, IamPath, PolicyArn, PolicyName, RoleName, UserName};

    const ARN: &str = "arn:aws-cn:iam::222222222222:policy/p";

    /// The parameters that `step` sends, as `Name=value`, without those every call has.
    async fn sent(step: &Step) -> (String, Vec<String>) {
        let fake = Fake::new(|asked| match asked.operation.as_str() {
            "GetCallerIdentity" | "AssumeRole" => default(),
            "CreatePolicy" => xml("CreatePolicy", "<Policy></Policy>"),
            "CreateRole" => xml(
                "CreateRole",
                "<Role><Path>/</Path><RoleName>r</RoleName><RoleId>i</RoleId><Arn>a</Arn>\
                 <CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>",
            ),
            operation => xml(operation, ""),
        });
        fake.accounts()
            .await
            .writing(Halt::default())
            .write(&account("222222222222"), step)
            .await
            .unwrap();
        let log = fake.log();
        assert_eq!(
            log.len(),
            3,
            "one call for one step, after finding out who we are and entering"
        );
        let asked = &log[2];
        let params = asked
            .params
            .iter()
            .filter(|(name, _)| !["Action", "Version"].contains(&name.as_str()));
        (
            asked.operation.clone(),
            params
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        )
    }

    #[tokio::test]
    async fn each_step_is_one_call_with_all_its_arguments() {
        let role = || RoleName::parse("r+x").unwrap();
        let policy = || PolicyName::parse("p").unwrap();
        let user = || UserName::parse("u").unwrap();
        let group = || GroupName::parse("g").unwrap();
        let arn = || PolicyArn::parse(ARN).unwrap();
        let tags = || Tags::from([("k".to_owned(), "v".to_owned())]);
        let keys = || BTreeSet::from(["k".to_owned()]);
        let path = || IamPath::parse("/a/").unwrap();
        let document = || r#"{"a": "+%"}"#.to_owned();
        let on_role = "RoleName=r+x";
        let on_policy = "PolicyArn=arn:aws-cn:iam::222222222222:policy/p";
        let text = r#"PolicyDocument={"a": "+%"}"#;
        let tag: [&str; 2] = ["Tags.member.1.Key=k", "Tags.member.1.Value=v"];
        let cases: Vec<(Step, &str, Vec<&str>)> = vec![
            (
                Step::CreatePolicy {
                    name: policy(),
                    path: path(),
                    description: Some("d".into()),
                    document: document(),
                    tags: tags(),
                },
                "CreatePolicy",
                vec![
                    "Description=d",
                    "Path=/a/",
                    text,
                    "PolicyName=p",
                    tag[0],
                    tag[1],
                ],
            ),
            (
                Step::CreatePolicy {
                    name: policy(),
                    path: path(),
                    description: None,
                    document: document(),
                    tags: Tags::new(),
                },
                "CreatePolicy",
                vec!["Path=/a/", text, "PolicyName=p"],
            ),
            (
                Step::CreatePolicyVersion {
                    arn: arn(),
                    document: document(),
                },
                "CreatePolicyVersion",
                vec![on_policy, text, "SetAsDefault=true"],
            ),
            (
                Step::DeletePolicyVersion {
                    arn: arn(),
                    version: "v3".into(),
                },
                "DeletePolicyVersion",
                vec![on_policy, "VersionId=v3"],
            ),
            (
                Step::TagPolicy {
                    arn: arn(),
                    tags: tags(),
                },
                "TagPolicy",
                vec![on_policy, tag[0], tag[1]],
            ),
            (
                Step::UntagPolicy {
                    arn: arn(),
                    keys: keys(),
                },
                "UntagPolicy",
                vec![on_policy, "TagKeys.member.1=k"],
            ),
            (
                Step::DeletePolicy { arn: arn() },
                "DeletePolicy",
                vec![on_policy],
            ),
            (
                Step::CreateRole {
                    role: role(),
                    path: path(),
                    trust: document(),
                    description: Some(String::new()),
                    max_session_duration: Some(7200),
                    permissions_boundary: Some(arn()),
                    tags: tags(),
                },
                "CreateRole",
                vec![
                    r#"AssumeRolePolicyDocument={"a": "+%"}"#,
                    "Description=",
                    "MaxSessionDuration=7200",
                    "Path=/a/",
                    "PermissionsBoundary=arn:aws-cn:iam::222222222222:policy/p",
                    on_role,
                    tag[0],
                    tag[1],
                ],
            ),
            (
                Step::UpdateAssumeRolePolicy {
                    role: role(),
                    document: document(),
                },
                "UpdateAssumeRolePolicy",
                vec![text, on_role],
            ),
            (
                Step::UpdateRole {
                    role: role(),
                    description: String::new(),
                    max_session_duration: 3600,
                },
                "UpdateRole",
                vec!["Description=", "MaxSessionDuration=3600", on_role],
            ),
            (
                Step::PutRolePermissionsBoundary {
                    role: role(),
                    arn: arn(),
                },
                "PutRolePermissionsBoundary",
                vec![
                    "PermissionsBoundary=arn:aws-cn:iam::222222222222:policy/p",
                    on_role,
                ],
            ),
            (
                Step::DeleteRolePermissionsBoundary { role: role() },
                "DeleteRolePermissionsBoundary",
                vec![on_role],
            ),
            (
                Step::TagRole {
                    role: role(),
                    tags: tags(),
                },
                "TagRole",
                vec![on_role, tag[0], tag[1]],
            ),
            (
                Step::UntagRole {
                    role: role(),
                    keys: keys(),
                },
                "UntagRole",
                vec![on_role, "TagKeys.member.1=k"],
            ),
            (
                Step::AttachRolePolicy {
                    role: role(),
                    arn: arn(),
                },
                "AttachRolePolicy",
                vec![on_policy, on_role],
            ),
            (
                Step::DetachRolePolicy {
                    role: role(),
                    arn: arn(),
                },
                "DetachRolePolicy",
                vec![on_policy, on_role],
            ),
            (
                Step::PutRolePolicy {
                    role: role(),
                    policy: policy(),
                    document: document(),
                },
                "PutRolePolicy",
                vec![text, "PolicyName=p", on_role],
            ),
            (
                Step::DeleteRolePolicy {
                    role: role(),
                    policy: policy(),
                },
                "DeleteRolePolicy",
                vec!["PolicyName=p", on_role],
            ),
            (
                Step::PutUserPolicy {
                    user: user(),
                    policy: policy(),
                    document: document(),
                },
                "PutUserPolicy",
                vec![text, "PolicyName=p", "UserName=u"],
            ),
            (
                Step::DeleteUserPolicy {
                    user: user(),
                    policy: policy(),
                },
                "DeleteUserPolicy",
                vec!["PolicyName=p", "UserName=u"],
            ),
            (
                Step::PutGroupPolicy {
                    group: group(),
                    policy: policy(),
                    document: document(),
                },
                "PutGroupPolicy",
                vec!["GroupName=g", text, "PolicyName=p"],
            ),
            (
                Step::DeleteGroupPolicy {
                    group: group(),
                    policy: policy(),
                },
                "DeleteGroupPolicy",
                vec!["GroupName=g", "PolicyName=p"],
            ),
            (
                Step::RemoveRoleFromInstanceProfile {
                    role: role(),
                    profile: "i".into(),
                },
                "RemoveRoleFromInstanceProfile",
                vec!["InstanceProfileName=i", on_role],
            ),
            (
                Step::AddRoleToInstanceProfile {
                    role: role(),
                    profile: "i".into(),
                },
                "AddRoleToInstanceProfile",
                vec!["InstanceProfileName=i", on_role],
            ),
            (
                Step::DeleteRole { role: role() },
                "DeleteRole",
                vec![on_role],
            ),
        ];
        for (step, operation, params) in cases {
            assert_eq!(
                sent(&step).await,
                (
                    operation.to_owned(),
                    params.into_iter().map(str::to_owned).collect()
                )
            );
        }
    }
}
