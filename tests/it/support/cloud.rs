//! A person with the real SDK at hand: builds organizations and changes things behind rolecall's back.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::Client as Iam;
use aws_sdk_organizations::Client as Organizations;
use aws_sdk_organizations::types::{CreateAccountState, CreateAccountStatus};
use aws_sdk_sts::Client as Sts;

/// The real SDK, pointed at an endpoint.
pub struct Cloud {
    config: SdkConfig,
    pub endpoint: String,
    pub organizations: Organizations,
    pub sts: Sts,
}

/// The names of an organization's parts, and the ids they got.
#[derive(Debug, Default)]
pub struct Built {
    pub organization: String,
    pub root: String,
    pub units: BTreeMap<String, String>,
    pub accounts: BTreeMap<String, String>,
}

impl Cloud {
    pub async fn new(endpoint: &str, key: &str, secret: &str) -> Self {
        let credentials = Credentials::new(key, secret, None, None, "test");
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(super::http_client())
            .endpoint_url(endpoint)
            .region("us-east-1")
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(credentials)
            .load()
            .await;
        Self {
            organizations: Organizations::new(&config),
            sts: Sts::new(&config),
            endpoint: endpoint.to_owned(),
            config,
        }
    }

    /// IAM of the caller's own account.
    pub fn own_iam(&self) -> Iam {
        Iam::new(&self.config)
    }

    /// IAM of a member account, entered as an administrator would.
    pub async fn iam(&self, account: &str) -> Iam {
        Iam::new(&self.inside(account).await)
    }

    /// Organizations as a member account sees it.
    pub async fn organizations_of(&self, account: &str) -> Organizations {
        Organizations::new(&self.inside(account).await)
    }

    /// STS for a session of a role.
    pub async fn sts_as(&self, role_arn: &str) -> Sts {
        Sts::new(&self.session(role_arn).await)
    }

    /// The id of the caller's own account.
    pub async fn account(&self) -> String {
        self.sts
            .get_caller_identity()
            .send()
            .await
            .unwrap()
            .account
            .unwrap()
    }

    async fn inside(&self, account: &str) -> SdkConfig {
        self.session(&format!(
            "arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
        ))
        .await
    }

    async fn session(&self, role_arn: &str) -> SdkConfig {
        let answer = self
            .sts
            .assume_role()
            .role_arn(role_arn)
            .role_session_name("by-hand")
            .send()
            .await
            .unwrap();
        let session = answer.credentials.unwrap();
        let (key, secret) = (session.access_key_id, session.secret_access_key);
        let credentials = Credentials::new(key, secret, Some(session.session_token), None, "test");
        self.config
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// Creates an organization where there is none (moto starts empty), units (`A/B` below `A`) and accounts in them.
    pub async fn build(&self, units: &[&str], accounts: &[(&str, &str)]) -> Built {
        _ = self.organizations.create_organization().send().await;
        let organization = self
            .organizations
            .describe_organization()
            .send()
            .await
            .unwrap()
            .organization
            .unwrap();
        let root = self
            .organizations
            .list_roots()
            .send()
            .await
            .unwrap()
            .roots
            .unwrap()[0]
            .id
            .clone()
            .unwrap();
        let mut built = Built {
            organization: organization.id.unwrap(),
            root: root.clone(),
            ..Built::default()
        };
        for path in units {
            let (parent, name) = path
                .rsplit_once('/')
                .map_or((root.clone(), *path), |(parent, name)| {
                    (built.units[parent].clone(), name)
                });
            let unit = self
                .organizations
                .create_organizational_unit()
                .parent_id(parent)
                .name(name)
                .send()
                .await
                .unwrap();
            built.units.insert(
                (*path).to_owned(),
                unit.organizational_unit.unwrap().id.unwrap(),
            );
        }
        for (name, unit) in accounts {
            let email = format!("{name}@example.com");
            let status = self
                .organizations
                .create_account()
                .account_name(*name)
                .email(email)
                .send()
                .await
                .unwrap();
            let id = self.created(status.create_account_status.unwrap()).await;
            if !unit.is_empty() {
                let destination = &built.units[*unit];
                self.organizations
                    .move_account()
                    .account_id(&id)
                    .source_parent_id(&root)
                    .destination_parent_id(destination)
                    .send()
                    .await
                    .unwrap();
            }
            built.accounts.insert((*name).to_owned(), id);
        }
        built
    }

    /// The id of an account once it is created, which AWS does after it has answered.
    async fn created(&self, mut status: CreateAccountStatus) -> String {
        while status.account_id.is_none() {
            assert_ne!(status.state, Some(CreateAccountState::Failed), "{status:?}");
            let asked = self
                .organizations
                .describe_create_account_status()
                .create_account_request_id(status.id.unwrap());
            status = asked.send().await.unwrap().create_account_status.unwrap();
        }
        status.account_id.unwrap()
    }
}
