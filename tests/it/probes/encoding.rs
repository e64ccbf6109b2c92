//! Documents come back percent-encoded by RFC 3986, and decoded once they are what was put.

use super::stage::{Stage, decoded};
use super::{Probe, probe};

/// A document in which `+`, a space, `%3A`, a letter of Latin-1 and a quotation mark come back as they were or not.
const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/a+b c%3Ad/é","Condition":{"StringEquals":{"aws:username":"\"x\""}}}]}"#;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"a+b c%3Ad"}}}]}"#;

/// How the signs that clients get wrong are encoded.
fn encoding(document: &str) -> String {
    let signs = [
        ("+", "%2B"),
        (" ", "%20"),
        ("%3A", "%253A"),
        ("{", "%7B"),
        (":", "%3A"),
    ];
    let wrong: Vec<&str> = signs
        .iter()
        .filter(|(_, encoded)| !document.contains(encoded))
        .map(|(sign, _)| *sign)
        .collect();
    if wrong.is_empty() {
        "RFC 3986".to_owned()
    } else {
        format!("not encoded: {}", wrong.join(" "))
    }
}

fn same(document: &str, put: &str) -> String {
    if decoded(document) == put {
        "as it was put".to_owned()
    } else {
        "changed".to_owned()
    }
}

impl Stage {
    async fn inline(&self) -> String {
        self.role("probe").await;
        assert_eq!(self.put("probe", "inline", DOCUMENT).await, "ok");
        let get = self
            .iam
            .get_role_policy()
            .role_name("probe")
            .policy_name("inline")
            .send()
            .await;
        get.unwrap().policy_document
    }

    async fn managed(&self) -> String {
        let create = self
            .iam
            .create_policy()
            .policy_name("probe")
            .policy_document(DOCUMENT)
            .send()
            .await
            .unwrap();
        let arn = create.policy.unwrap().arn.unwrap();
        let get = self
            .iam
            .get_policy_version()
            .policy_arn(arn)
            .version_id("v1")
            .send()
            .await
            .unwrap();
        get.policy_version.unwrap().document.unwrap()
    }

    async fn encoded_trust(&self) -> String {
        self.role_with("probe", TRUST).await;
        let role = self
            .iam
            .get_role()
            .role_name("probe")
            .send()
            .await
            .unwrap()
            .role
            .unwrap();
        role.assume_role_policy_document.unwrap()
    }
}

pub fn probes() -> Vec<Probe> {
    const INLINE: &str = "IAM API Reference, GetRolePolicy";
    const MANAGED: &str = "IAM API Reference, GetPolicyVersion";
    const ROLE: &str = "IAM API Reference, GetRole";
    const DETAILS: &str = "IAM API Reference, GetAccountAuthorizationDetails";
    vec![
        probe(
            "inline_policies_are_percent_encoded",
            "RFC 3986",
            INLINE,
            |s| async move { encoding(&s.inline().await) },
        ),
        probe(
            "inline_policies_come_back",
            "as it was put",
            INLINE,
            |s| async move { same(&s.inline().await, DOCUMENT) },
        ),
        probe(
            "managed_policies_are_percent_encoded",
            "RFC 3986",
            MANAGED,
            |s| async move { encoding(&s.managed().await) },
        ),
        probe(
            "managed_policies_come_back",
            "as it was put",
            MANAGED,
            |s| async move { same(&s.managed().await, DOCUMENT) },
        ),
        probe(
            "trust_policies_are_percent_encoded",
            "RFC 3986",
            ROLE,
            |s| async move { encoding(&s.encoded_trust().await) },
        ),
        probe(
            "trust_policies_come_back",
            "as it was put",
            ROLE,
            |s| async move {
                let document: serde_json::Value =
                    serde_json::from_str(&decoded(&s.encoded_trust().await)).unwrap();
                let put: serde_json::Value = serde_json::from_str(TRUST).unwrap();
                if document == put {
                    "as it was put".to_owned()
                } else {
                    "changed".to_owned()
                }
            },
        ),
        probe(
            "details_are_percent_encoded",
            "inline RFC 3986, trust RFC 3986",
            DETAILS,
            |s| async move {
                s.role_with("probe", TRUST).await;
                s.put("probe", "inline", DOCUMENT).await;
                let details = s
                    .iam
                    .get_account_authorization_details()
                    .filter("Role".into())
                    .send()
                    .await
                    .unwrap();
                let roles = details.role_detail_list();
                let role = roles
                    .iter()
                    .find(|role| role.role_name() == Some("probe"))
                    .unwrap();
                let trust = encoding(role.assume_role_policy_document().unwrap());
                format!(
                    "inline {}, trust {trust}",
                    encoding(role.role_policy_list()[0].policy_document().unwrap())
                )
            },
        ),
    ]
}
