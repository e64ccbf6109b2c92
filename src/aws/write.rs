//! Writing. Everything was decided when the plan was made.

use super::accounts::Accounts;
use super::error::Call;
use super::guard::Guard;
use super::lost::once;
use crate::execute::{Halt, Writer};
use crate::org::{Account, AwsError};
use crate::resource::step::Step;

/// Someone who can write to the accounts, until the run is halted.
#[derive(Debug, Clone)]
pub struct Writing {
    pub(super) accounts: Accounts,
    pub(super) halt: Halt,
}

impl Accounts {
    /// Someone who can write to the accounts until `halt` ends the run.
    pub fn writing(&self, halt: Halt) -> Writing {
        Writing {
            accounts: self.clone(),
            halt,
        }
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::{Fake, account, default, xml};
    use super::*;
    use crate::resource::Tags;
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
