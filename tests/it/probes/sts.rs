//! STS: whom a role lets in.

use aws_sdk_sts::Client as Sts;

use super::stage::{Stage, TRUST, VERSION, code, trusting};
use super::{Probe, probe};
use crate::support::cloud::Cloud;

const ASSUME_ROLE: &str = "STS API Reference, AssumeRole";
const EXTERNAL_ID: &str = "IAM User Guide, Access to AWS accounts owned by third parties";
const CROSS_ACCOUNT: &str = "IAM User Guide, Cross-account policy evaluation logic";

impl Stage {
    /// The management account enters a role by its resource.
    async fn enter_as(&self, resource: &str) -> String {
        enter(&self.cloud.sts, &self.arn(resource)).await
    }

    /// A role with `condition`, JSON, that trusts the management account.
    async fn trusting_if(&self, condition: &str) {
        let trust = format!(
            r#"{{{VERSION},"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole","Condition":{condition}}}]}}"#,
            self.cloud.account().await
        );
        self.role_with("guarded", &trust).await;
    }

    /// The management account enters the role `guarded` with an external id.
    async fn enter_guarded(&self, external_id: &str) -> String {
        let call = self
            .cloud
            .sts
            .assume_role()
            .role_arn(self.arn("role/guarded"))
            .role_session_name("probe");
        code(&call.external_id(external_id).send().await)
    }

    /// A role that trusts the management account.
    async fn open_role(&self, name: &str) {
        let trust = trusting(&format!(r#"{{"AWS":"{}"}}"#, self.cloud.account().await));
        self.role_with(name, &trust).await;
    }
}

async fn enter(sts: &Sts, arn: &str) -> String {
    code(
        &sts.assume_role()
            .role_arn(arn)
            .role_session_name("probe")
            .send()
            .await,
    )
}

pub fn probes() -> Vec<Probe> {
    let mut probes = doors();
    probes.extend(parameters());
    probes.extend(sessions());
    probes
}

fn doors() -> Vec<Probe> {
    const NEEDED: &str = r#"{"StringEquals":{"sts:ExternalId":"rolecall-1"}}"#;
    vec![
        probe(
            "a_trusted_account_enters",
            "ok",
            ASSUME_ROLE,
            |s| async move {
                s.open_role("open").await;
                s.enter_as("role/open").await
            },
        ),
        probe(
            "the_external_id_that_is_asked_for_opens",
            "ok",
            EXTERNAL_ID,
            |s| async move {
                s.trusting_if(NEEDED).await;
                s.enter_guarded("rolecall-1").await
            },
        ),
        probe(
            "a_wrong_external_id_does_not_open",
            "AccessDenied",
            EXTERNAL_ID,
            |s| async move {
                s.trusting_if(NEEDED).await;
                s.enter_guarded("rolecall-2").await
            },
        ),
        probe(
            "a_missing_external_id_does_not_open",
            "AccessDenied",
            EXTERNAL_ID,
            |s| async move {
                s.trusting_if(NEEDED).await;
                s.enter_as("role/guarded").await
            },
        ),
        probe(
            "who_is_not_trusted_does_not_enter",
            "AccessDenied",
            CROSS_ACCOUNT,
            |s| async move {
                s.role_with("closed", TRUST).await;
                s.enter_as("role/closed").await
            },
        ),
        probe(
            "a_deny_in_the_trust_policy_wins",
            "AccessDenied",
            "IAM User Guide, Policy evaluation logic",
            |s| async move {
                let allow = format!(
                    r#"{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}"#,
                    s.cloud.account().await
                );
                let deny = allow.replace("Allow", "Deny");
                s.role_with(
                    "denied",
                    &format!(r#"{{{VERSION},"Statement":[{allow},{deny}]}}"#),
                )
                .await;
                s.enter_as("role/denied").await
            },
        ),
        probe(
            "a_role_that_does_not_exist_is_not_entered",
            "AccessDenied",
            CROSS_ACCOUNT,
            |s| async move { s.enter_as("role/missing").await },
        ),
        probe(
            "a_role_in_an_unknown_account_is_not_entered",
            "AccessDenied",
            CROSS_ACCOUNT,
            |s| async move {
                enter(
                    &s.cloud.sts,
                    "arn:aws:iam::000000000001:role/OrganizationAccountAccessRole",
                )
                .await
            },
        ),
        probe(
            "a_role_with_a_path_is_not_entered_without_it",
            "AccessDenied",
            "IAM User Guide, IAM identifiers",
            |s| async move {
                let trust = trusting(&format!(r#"{{"AWS":"{}"}}"#, s.cloud.account().await));
                let create = s
                    .iam
                    .create_role()
                    .role_name("deep")
                    .path("/team/")
                    .assume_role_policy_document(trust);
                create.send().await.unwrap();
                assert_eq!(s.enter_as("role/team/deep").await, "ok");
                s.enter_as("role/deep").await
            },
        ),
        probe(
            "a_closed_account_is_not_entered",
            "AccessDenied",
            "AWS Account Management Reference Guide, Close an AWS account",
            |s| async move {
                s.open_role("open").await;
                s.cloud
                    .organizations
                    .close_account()
                    .account_id(&s.account)
                    .send()
                    .await
                    .unwrap();
                s.enter_as("role/open").await
            },
        ),
        probe(
            "everybody_of_the_organization_may_be_let_in",
            "ok",
            "IAM User Guide, AWS global condition context keys",
            |s| async move {
                let trust = trusting(r#"{"AWS":"*"}"#).replace(
                    r#""Action""#,
                    &format!(
                        r#""Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"{}"}}}},"Action""#,
                        s.built.organization
                    ),
                );
                s.role_with("family", &trust).await;
                s.enter_as("role/family").await
            },
        ),
        probe(
            "another_organization_is_not_let_in",
            "AccessDenied",
            "IAM User Guide, AWS global condition context keys",
            |s| async move {
                let condition = r#""Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-anotherorg1"}},"Action""#;
                s.role_with(
                    "family",
                    &trusting(r#"{"AWS":"*"}"#).replace(r#""Action""#, condition),
                )
                .await;
                s.enter_as("role/family").await
            },
        ),
        probe(
            "in_one_account_a_trusted_account_is_not_enough",
            "AccessDenied",
            "IAM User Guide, AWS JSON policy elements: Principal",
            |s| async move {
                s.open_role("caller").await;
                let root = trusting(&format!(r#"{{"AWS":"{}"}}"#, s.account));
                s.role_with("target", &root).await;
                enter(
                    &s.cloud.sts_as(&s.arn("role/caller")).await,
                    &s.arn("role/target"),
                )
                .await
            },
        ),
        probe(
            "in_one_account_a_trusted_role_is_enough",
            "ok",
            "IAM User Guide, Policy evaluation for requests within a single account",
            |s| async move {
                s.open_role("caller").await;
                let named = trusting(&format!(r#"{{"AWS":"{}"}}"#, s.arn("role/caller")));
                s.role_with("target", &named).await;
                enter(
                    &s.cloud.sts_as(&s.arn("role/caller")).await,
                    &s.arn("role/target"),
                )
                .await
            },
        ),
        probe(
            "a_role_created_again_is_trusted_no_more",
            "AccessDenied",
            "IAM User Guide, AWS JSON policy elements: Principal",
            |s| async move {
                s.open_role("caller").await;
                let named = trusting(&format!(r#"{{"AWS":"{}"}}"#, s.arn("role/caller")));
                s.role_with("target", &named).await;
                s.iam
                    .delete_role()
                    .role_name("caller")
                    .send()
                    .await
                    .unwrap();
                s.open_role("caller").await;
                enter(
                    &s.cloud.sts_as(&s.arn("role/caller")).await,
                    &s.arn("role/target"),
                )
                .await
            },
        ),
    ]
}

fn parameters() -> Vec<Probe> {
    vec![
        probe(
            "a_session_name_has_no_space",
            "ValidationError",
            ASSUME_ROLE,
            |s| async move {
                s.open_role("open").await;
                code(
                    &s.cloud
                        .sts
                        .assume_role()
                        .role_arn(s.arn("role/open"))
                        .role_session_name("a b")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_session_name_has_two_characters",
            "ValidationError",
            ASSUME_ROLE,
            |s| async move {
                s.open_role("open").await;
                code(
                    &s.cloud
                        .sts
                        .assume_role()
                        .role_arn(s.arn("role/open"))
                        .role_session_name("a")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "an_external_id_has_two_characters",
            "ValidationError",
            ASSUME_ROLE,
            |s| async move {
                s.open_role("guarded").await;
                s.enter_guarded("1").await
            },
        ),
        probe(
            "a_session_lasts_no_longer_than_the_role_allows",
            "ValidationError",
            ASSUME_ROLE,
            |s| async move {
                s.open_role("open").await;
                let call = s
                    .cloud
                    .sts
                    .assume_role()
                    .role_arn(s.arn("role/open"))
                    .role_session_name("probe");
                code(&call.duration_seconds(3601).send().await)
            },
        ),
        probe(
            "a_session_lasts_as_long_as_the_role_allows",
            "ok",
            ASSUME_ROLE,
            |s| async move {
                s.open_role("open").await;
                s.iam
                    .update_role()
                    .role_name("open")
                    .max_session_duration(7200)
                    .send()
                    .await
                    .unwrap();
                let call = s
                    .cloud
                    .sts
                    .assume_role()
                    .role_arn(s.arn("role/open"))
                    .role_session_name("probe");
                code(&call.duration_seconds(7200).send().await)
            },
        ),
        probe(
            "a_session_lasts_fifteen_minutes_or_more",
            "ValidationError",
            ASSUME_ROLE,
            |s| async move {
                s.open_role("open").await;
                let call = s
                    .cloud
                    .sts
                    .assume_role()
                    .role_arn(s.arn("role/open"))
                    .role_session_name("probe");
                code(&call.duration_seconds(899).send().await)
            },
        ),
        probe(
            "a_session_of_a_session_lasts_an_hour_at_most",
            "ValidationError",
            "IAM User Guide, Roles terms and concepts",
            |s| async move {
                s.open_role("first").await;
                let named = trusting(&format!(r#"{{"AWS":"{}"}}"#, s.arn("role/first")));
                s.role_with("second", &named).await;
                s.iam
                    .update_role()
                    .role_name("second")
                    .max_session_duration(43200)
                    .send()
                    .await
                    .unwrap();
                let sts = s.cloud.sts_as(&s.arn("role/first")).await;
                let call = sts
                    .assume_role()
                    .role_arn(s.arn("role/second"))
                    .role_session_name("probe");
                code(&call.duration_seconds(3601).send().await)
            },
        ),
    ]
}

fn sessions() -> Vec<Probe> {
    const IDENTITY: &str = "STS API Reference, GetCallerIdentity";
    vec![
        probe(
            "a_session_knows_its_role",
            "arn:aws:sts::ACCOUNT:assumed-role/open/by-hand",
            IDENTITY,
            |s| async move {
                s.open_role("open").await;
                let sts = s.cloud.sts_as(&s.arn("role/open")).await;
                let identity = sts.get_caller_identity().send().await.unwrap();
                identity.arn.unwrap().replace(&s.account, "ACCOUNT")
            },
        ),
        probe(
            "a_session_has_the_unique_id_of_its_role",
            "AROA:by-hand",
            IDENTITY,
            |s| async move {
                let trust = trusting(&format!(r#"{{"AWS":"{}"}}"#, s.cloud.account().await));
                let id = s.role_with("open", &trust).await;
                let sts = s.cloud.sts_as(&s.arn("role/open")).await;
                sts.get_caller_identity()
                    .send()
                    .await
                    .unwrap()
                    .user_id
                    .unwrap()
                    .replace(&id, "AROA")
            },
        ),
        probe(
            "a_key_that_nobody_has_opens_nothing",
            "InvalidClientTokenId",
            "STS API Reference, Common Error Types",
            |s| async move {
                let stranger =
                    Cloud::new(&s.cloud.endpoint, "AKIAIOSFODNN7EXAMPLE", "nobody").await;
                code(&stranger.sts.get_caller_identity().send().await)
            },
        ),
    ]
}
