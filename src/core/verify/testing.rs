//! A role to be verified, for the tests of this module.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use super::{Setting, Subject};
use crate::org::{Account, AccountId, AccountStatus, Caller, Organization, OuPath, Partition};
use crate::resource::Origin;
use crate::resource::name::{IamPath, RoleName};
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{Ensure, LiveRole, Manage, Role};

/// A trust policy of one statement that every kind of principal can use.
pub(super) fn trust(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{{principal}}},"Action":"sts:AssumeRole*","Condition":{{{condition}}}}}]}}"#
    )
}

/// A role in account 111111111111 of an organization of four accounts.
pub(super) struct Bench {
    pub organization: Organization,
    pub principals: BTreeSet<(String, String)>,
    pub account: Account,
    pub desired: Role,
    pub live: LiveRole,
}

fn account(id: &str) -> Account {
    Account {
        id: AccountId::parse(id).unwrap(),
        name: format!("account-{id}"),
        email: String::new(),
        status: AccountStatus("ACTIVE".to_owned()),
        ou: OuPath::default(),
        parents: vec!["r-root".to_owned()],
        joined: None,
        tags: None,
    }
}

impl Bench {
    pub fn new(desired: &str, live: &str) -> Self {
        let accounts = [
            "111111111111",
            "222222222222",
            "333333333333",
            "444444444444",
        ]
        .map(account);
        let document =
            |text: &str| PolicyDocument::live(text, PolicyKind::Trust, &Partition::default());
        let name = RoleName::parse("X").unwrap();
        Self {
            organization: Organization {
                id: "o-test".to_owned(),
                management_account: accounts[0].id,
                partition: Partition::default(),
                caller: Caller {
                    account: accounts[0].id,
                    arn: "arn:aws:iam::111111111111:user/ops".to_owned(),
                },
                units: BTreeMap::new(),
                accounts: accounts
                    .iter()
                    .map(|account| (account.id, account.clone()))
                    .collect(),
            },
            principals: BTreeSet::new(),
            account: accounts[0].clone(),
            desired: Role {
                name: name.clone(),
                path: None,
                description: None,
                max_session_duration: None,
                trust: document(desired),
                managed_policies: None,
                inline_policies: None,
                permissions_boundary: None,
                tags: None,
                manage: Manage::default(),
                adopt: false,
                create: true,
                ensure: Ensure::Present,
                external: false,
                prevent_destroy: false,
                former_stack: None,
                expires: None,
                expect: Vec::new(),
                origin: Origin::default(),
            },
            live: LiveRole {
                name,
                id: "AROAAAAAAAAAAAAAAAAAA".to_owned(),
                arn: "arn:aws:iam::111111111111:role/X".to_owned(),
                path: IamPath::default(),
                details: None,
                trust: document(live),
                managed_policies: BTreeSet::new(),
                inline_policies: BTreeMap::new(),
                permissions_boundary: None,
                tags: BTreeMap::new(),
                instance_profiles: BTreeSet::new(),
            },
        }
    }

    pub fn setting(&self) -> Setting<'_> {
        Setting {
            organization: &self.organization,
            principals: &self.principals,
            now: "2026-06-01T00:00:00Z",
        }
    }

    pub fn subject(&self) -> Subject<'_> {
        Subject {
            account: &self.account,
            desired: &self.desired,
            live: &self.live,
        }
    }
}
