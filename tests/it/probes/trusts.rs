//! Trust policies: what IAM accepts, and how it spells what it keeps.

use super::stage::{Stage, TRUST, code, trust_of, trusting};
use super::{Probe, probe};

const CREATE_ROLE: &str = "IAM API Reference, CreateRole";
const PRINCIPAL: &str = "IAM User Guide, AWS JSON policy elements: Principal";
const CHECKS: &str = "IAM User Guide, Access Analyzer policy check reference";
const QUOTAS: &str = "IAM User Guide, IAM and AWS STS quotas";

/// A document that `CreateRole` calls malformed.
fn malformed(name: &'static str, page: &'static str, trust: fn(&Stage) -> String) -> Probe {
    probe(name, "MalformedPolicyDocument", page, move |s| async move {
        code(&s.try_role("probe", &trust(&s)).await)
    })
}

impl Stage {
    /// A role `trusting` that trusts the role `trusted`.
    async fn trusting_a_role(&self) -> String {
        let id = self.role("trusted").await;
        self.role_with(
            "trusting",
            &trusting(&format!(r#"{{"AWS":"{}"}}"#, self.arn("role/trusted"))),
        )
        .await;
        id
    }
}

pub fn probes() -> Vec<Probe> {
    let mut probes = refused();
    probes.extend(stored());
    probes
}

fn refused() -> Vec<Probe> {
    vec![
        malformed("a_trust_policy_is_json", CREATE_ROLE, |_| {
            "{nope".to_owned()
        }),
        malformed("a_trust_policy_is_an_object", CREATE_ROLE, |_| {
            format!("[{TRUST}]")
        }),
        malformed(
            "a_trust_policy_has_statements",
            "IAM User Guide, Grammar of the IAM JSON policy language",
            |_| r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned(),
        ),
        malformed("a_trust_policy_has_a_principal", PRINCIPAL, |_| {
            TRUST.replace(r#""Principal":{"Service":"ec2.amazonaws.com"},"#, "")
        }),
        malformed("a_trust_policy_has_no_resource", CHECKS, |_| {
            TRUST.replace(r#""Action""#, r#""Resource":"*","Action""#)
        }),
        malformed("a_trust_policy_has_no_not_principal", CHECKS, |_| {
            TRUST.replace("Principal", "NotPrincipal")
        }),
        malformed("a_trust_policy_trusts_no_bare_star", CHECKS, |_| {
            trusting(r#""*""#)
        }),
        malformed(
            "a_trust_policy_names_no_part_of_a_principal",
            PRINCIPAL,
            |s| trusting(&format!(r#"{{"AWS":"{}"}}"#, s.arn("role/*"))),
        ),
        malformed("a_trusted_role_exists", PRINCIPAL, |s| {
            trusting(&format!(r#"{{"AWS":"{}"}}"#, s.arn("role/missing")))
        }),
        malformed("a_trusted_unique_id_exists", PRINCIPAL, |_| {
            trusting(r#"{"AWS":"AROAAAAAAAAAAAAAAAAAA"}"#)
        }),
        malformed("a_kind_of_principal_is_known", PRINCIPAL, |_| {
            trusting(r#"{"Nobody":"ec2.amazonaws.com"}"#)
        }),
        malformed(
            "an_effect_is_spelled_with_a_capital",
            "IAM User Guide, AWS JSON policy elements: Effect",
            |_| TRUST.replace("Allow", "allow"),
        ),
        malformed(
            "a_trust_policy_allows_sts_actions",
            "IAM User Guide, AWS JSON policy elements: Action",
            |_| TRUST.replace("sts:AssumeRole", "s3:GetObject"),
        ),
        probe(
            "an_updated_trust_policy_is_json",
            "MalformedPolicyDocument",
            "IAM API Reference, UpdateAssumeRolePolicy",
            |s| async move {
                s.role("probe").await;
                code(
                    &s.iam
                        .update_assume_role_policy()
                        .role_name("probe")
                        .policy_document("{nope")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "the_trust_of_a_role_that_is_not_there_cannot_be_updated",
            "NoSuchEntity",
            "IAM API Reference, UpdateAssumeRolePolicy",
            |s| async move {
                code(
                    &s.iam
                        .update_assume_role_policy()
                        .role_name("missing")
                        .policy_document(TRUST)
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_trust_policy_of_2048_characters_is_allowed",
            "ok",
            QUOTAS,
            |s| async move { code(&s.try_role("probe", &trust_of(2048)).await) },
        ),
        probe(
            "a_trust_policy_of_2049_characters_is_refused",
            "LimitExceeded",
            QUOTAS,
            |s| async move { code(&s.try_role("probe", &trust_of(2049)).await) },
        ),
        probe(
            "everybody_may_be_trusted_as_an_aws_principal",
            "ok",
            PRINCIPAL,
            |s| async move { code(&s.try_role("probe", &trusting(r#"{"AWS":"*"}"#)).await) },
        ),
    ]
}

fn stored() -> Vec<Probe> {
    vec![
        probe(
            "a_bare_account_id_is_stored_as_its_root",
            "arn:aws:iam::ACCOUNT:root",
            PRINCIPAL,
            |s| async move {
                s.role_with("probe", &trusting(&format!(r#"{{"AWS":"{}"}}"#, s.account)))
                    .await;
                s.trusted("probe").await
            },
        ),
        probe(
            "a_trusted_role_is_shown_by_its_arn",
            "arn:aws:iam::ACCOUNT:role/trusted",
            PRINCIPAL,
            |s| async move {
                s.trusting_a_role().await;
                s.trusted("trusting").await
            },
        ),
        probe(
            "a_deleted_trusted_role_is_shown_by_its_id",
            "the old id",
            PRINCIPAL,
            |s| async move {
                let id = s.trusting_a_role().await;
                s.iam
                    .delete_role()
                    .role_name("trusted")
                    .send()
                    .await
                    .unwrap();
                s.trusted("trusting").await.replace(&id, "the old id")
            },
        ),
        probe(
            "a_trusted_role_created_again_is_shown_by_its_old_id",
            "the old id",
            PRINCIPAL,
            |s| async move {
                let id = s.trusting_a_role().await;
                s.iam
                    .delete_role()
                    .role_name("trusted")
                    .send()
                    .await
                    .unwrap();
                s.role("trusted").await;
                s.trusted("trusting").await.replace(&id, "the old id")
            },
        ),
        probe(
            "a_trust_written_again_trusts_the_new_role",
            "arn:aws:iam::ACCOUNT:role/trusted",
            PRINCIPAL,
            |s| async move {
                s.trusting_a_role().await;
                s.iam
                    .delete_role()
                    .role_name("trusted")
                    .send()
                    .await
                    .unwrap();
                s.role("trusted").await;
                let trust = trusting(&format!(r#"{{"AWS":"{}"}}"#, s.arn("role/trusted")));
                let update = s
                    .iam
                    .update_assume_role_policy()
                    .role_name("trusting")
                    .policy_document(trust);
                update.send().await.unwrap();
                s.trusted("trusting").await
            },
        ),
        probe(
            "a_unique_id_that_exists_is_shown_by_its_arn",
            "arn:aws:iam::ACCOUNT:role/trusted",
            PRINCIPAL,
            |s| async move {
                let id = s.role("trusted").await;
                s.role_with("trusting", &trusting(&format!(r#"{{"AWS":"{id}"}}"#)))
                    .await;
                s.trusted("trusting").await.replace(&id, "the id")
            },
        ),
        probe(
            "white_space_does_not_count_in_a_trust_policy",
            "ok",
            QUOTAS,
            |s| async move {
                let spaced = trust_of(2048).replace(r#""Statement""#, "    \"Statement\"");
                code(&s.try_role("probe", &spaced).await)
            },
        ),
    ]
}
