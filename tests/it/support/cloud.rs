//! A person with the real SDK at hand: builds organizations and changes things behind rolecall's back.

use std::collections::BTreeMap;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_iam::Client as Iam;
use aws_sdk_organizations::Client as Organizations;
use aws_sdk_sts::Client as Sts;

/// The real SDK, pointed at an endpoint.
pub struct Cloud {
    config: SdkConfig,
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
            .endpoint_url(endpoint)
            .region("us-east-1")
            .credentials_provider(credentials)
            .load()
            .await;
        Self { organizations: Organizations::new(&config), sts: Sts::new(&config), config }
    }

    /// IAM of the caller's own account.
    pub fn own_iam(&self) -> Iam {
        Iam::new(&self.config)
    }

    /// IAM of a member account, entered as an administrator would.
    pub async fn iam(&self, account: &str) -> Iam {
        let arn = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
        let answer = self.sts.assume_role().role_arn(arn).role_session_name("by-hand").send().await.unwrap();
        let session = answer.credentials.unwrap();
        let credentials = Credentials::new(session.access_key_id, session.secret_access_key, Some(session.session_token), None, "test");
        Iam::from_conf(aws_sdk_iam::config::Builder::from(&self.config).credentials_provider(credentials).build())
    }

    /// Creates an organization where there is none (moto starts empty), units (`A/B` below `A`) and accounts in them.
    pub async fn build(&self, units: &[&str], accounts: &[(&str, &str)]) -> Built {
        _ = self.organizations.create_organization().send().await;
        let organization = self.organizations.describe_organization().send().await.unwrap().organization.unwrap();
        let root = self.organizations.list_roots().send().await.unwrap().roots.unwrap()[0].id.clone().unwrap();
        let mut built = Built { organization: organization.id.unwrap(), root: root.clone(), ..Built::default() };
        for path in units {
            let (parent, name) = path.rsplit_once('/').map_or((root.clone(), *path), |(parent, name)| (built.units[parent].clone(), name));
            let unit = self.organizations.create_organizational_unit().parent_id(parent).name(name).send().await.unwrap();
            built.units.insert((*path).to_owned(), unit.organizational_unit.unwrap().id.unwrap());
        }
        for (name, unit) in accounts {
            let email = format!("{name}@example.com");
            let status = self.organizations.create_account().account_name(*name).email(email).send().await.unwrap();
            let id = status.create_account_status.unwrap().account_id.unwrap();
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
}
