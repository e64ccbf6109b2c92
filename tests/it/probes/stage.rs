//! What a probe depends on: an account of its own, and the words for what probes do again and again.

use std::sync::Arc;

use aws_sdk_iam::Client as Iam;
use aws_sdk_iam::operation::create_role::{CreateRoleError, CreateRoleOutput};
use aws_sdk_iam::types::Tag;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::support::cloud::{Built, Cloud};

/// An account of the probe's own in an organization that all probes share.
#[derive(Clone)]
pub struct Stage {
    pub cloud: Arc<Cloud>,
    pub built: Arc<Built>,
    pub account: String,
    pub iam: Iam,
}

pub const VERSION: &str = r#""Version":"2012-10-17""#;

/// Trusts EC2.
pub const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Allows to read S3.
pub const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

/// `ok`, or the code of the error.
pub fn code<T, E: ProvideErrorMetadata>(result: &Result<T, E>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code().unwrap_or("an error without a code").to_owned(),
    }
}

/// A trust policy with one statement that allows `action` to `principal`, which is JSON.
pub fn trusting(principal: &str) -> String {
    format!(
        r#"{{{VERSION},"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}]}}"#
    )
}

/// A policy of exactly `size` characters without white space.
pub fn policy_of(size: usize) -> String {
    padded(POLICY, "arn:aws:s3:::", size)
}

/// A trust policy of exactly `size` characters without white space.
pub fn trust_of(size: usize) -> String {
    let trust = format!(
        r#"{{{VERSION},"Statement":[{{"Sid":"*","Effect":"Allow","Principal":{{"Service":"ec2.amazonaws.com"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    padded(&trust, "S", size)
}

/// Puts `prefix` and as many letters as it takes in the place of the `*`.
fn padded(document: &str, prefix: &str, size: usize) -> String {
    let long = document.replace('*', prefix);
    let missing = size - long.len();
    document.replace('*', &format!("{prefix}{}", "x".repeat(missing)))
}

pub fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

pub fn tags(count: usize) -> Vec<Tag> {
    (0..count)
        .map(|number| tag(&format!("key{number}"), "value"))
        .collect()
}

impl Stage {
    pub async fn enter(cloud: &Arc<Cloud>, built: &Arc<Built>, account: &str) -> Self {
        let iam = cloud.iam(account).await;
        Self {
            cloud: Arc::clone(cloud),
            built: Arc::clone(built),
            account: account.to_owned(),
            iam,
        }
    }

    pub fn arn(&self, resource: &str) -> String {
        format!("arn:aws:iam::{}:{resource}", self.account)
    }

    /// A role that may fail to come about.
    pub async fn try_role(
        &self,
        name: &str,
        trust: &str,
    ) -> Result<CreateRoleOutput, SdkError<CreateRoleError, HttpResponse>> {
        self.iam
            .create_role()
            .role_name(name)
            .assume_role_policy_document(trust)
            .send()
            .await
    }

    /// A role that trusts EC2; its unique id.
    pub async fn role(&self, name: &str) -> String {
        self.role_with(name, TRUST).await
    }

    /// A role; its unique id.
    pub async fn role_with(&self, name: &str, trust: &str) -> String {
        self.try_role(name, trust)
            .await
            .unwrap()
            .role
            .unwrap()
            .role_id
    }

    /// A managed policy; its ARN.
    pub async fn policy(&self, name: &str) -> String {
        let answer = self
            .iam
            .create_policy()
            .policy_name(name)
            .policy_document(POLICY)
            .send()
            .await;
        answer.unwrap().policy.unwrap().arn.unwrap()
    }

    pub async fn attach(&self, role: &str, arn: &str) -> String {
        code(
            &self
                .iam
                .attach_role_policy()
                .role_name(role)
                .policy_arn(arn)
                .send()
                .await,
        )
    }

    pub async fn put(&self, role: &str, name: &str, document: &str) -> String {
        let put = self
            .iam
            .put_role_policy()
            .role_name(role)
            .policy_name(name)
            .policy_document(document);
        code(&put.send().await)
    }

    pub async fn version(&self, arn: &str) -> String {
        let answer = self
            .iam
            .create_policy_version()
            .policy_arn(arn)
            .policy_document(POLICY)
            .send()
            .await;
        match &answer {
            Ok(answer) => answer
                .policy_version
                .as_ref()
                .unwrap()
                .version_id
                .clone()
                .unwrap(),
            Err(_) => code(&answer),
        }
    }

    /// The trust policy of a role as IAM shows it, decoded.
    pub async fn trust(&self, role: &str) -> serde_json::Value {
        let answer = self.iam.get_role().role_name(role).send().await.unwrap();
        serde_json::from_str(&decoded(
            &answer.role.unwrap().assume_role_policy_document.unwrap(),
        ))
        .unwrap()
    }

    /// The first principal `AWS` in the trust policy of a role, without the account's id.
    pub async fn trusted(&self, role: &str) -> String {
        let document = self.trust(role).await;
        document["Statement"][0]["Principal"]["AWS"]
            .to_string()
            .replace(&self.account, "ACCOUNT")
            .replace('"', "")
    }
}

/// A document without its percent-encoding.
pub fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document)
        .decode_utf8()
        .unwrap()
        .into_owned()
}
