//! What IAM answers, call by call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod accounts;
mod policies;
mod refusals;
mod role_policies;
mod roles;
mod sdk;
mod trusts;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::clock::Clock;
use super::super::cloudtrail::Trail;
use super::super::ids::Ids;
use super::super::managed;
use super::super::wire::{ApiError, Params, Xml};
use super::super::world::{
    AccountState, IamState, OrganizationState, Permissions, RoleState, World,
};
use rolecall_core::org::{AccountId, Partition};

pub const A: &str = "111111111111";
pub const B: &str = "222222222222";

pub const EC2: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
pub const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

pub const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
pub const OURS: &str = "arn:aws:iam::111111111111:policy/P";

pub struct Test {
    pub world: World,
    account: AccountId,
}

pub fn test() -> Test {
    let accounts = [A, B].map(|id| {
        let account = AccountState {
            name: id.to_owned(),
            email: format!("{id}@example.com"),
            status: "ACTIVE".to_owned(),
            parent: "r-root".to_owned(),
            tags: BTreeMap::new(),
            iam: IamState::default(),
        };
        (AccountId::parse(id).unwrap(), account)
    });
    let world = World {
        partition: Partition::default(),
        organization: OrganizationState {
            id: "o-exampleorgid".to_owned(),
            management_account: AccountId::parse(A).unwrap(),
            root: "r-root".to_owned(),
            units: BTreeMap::new(),
            delegated_administrators: BTreeSet::new(),
            page_size: 20,
            root_tags: BTreeMap::new(),
            requests: BTreeMap::new(),
        },
        accounts: accounts.into(),
        managed: managed::ALL.to_vec(),
        keys: BTreeMap::new(),
        clock: Clock::Manual(Duration::ZERO),
        lag: Duration::ZERO,
        youth: Duration::ZERO,
        sts_lag: Duration::ZERO,
        permissions: Permissions::Ignored,
        ids: Ids(0),
        trail: Trail::default(),
    };
    Test {
        world,
        account: AccountId::parse(A).unwrap(),
    }
}

pub fn with_policy() -> Test {
    let mut test = test();
    test.role("r");
    test.ok(
        "CreatePolicy",
        &[("PolicyName", "P"), ("PolicyDocument", READ)],
    );
    test
}

pub fn policy_of_size(size: usize) -> String {
    let sized = |fill: usize| {
        READ.replace(
            "\"Effect\"",
            &format!("\"Sid\":\"{}\",\"Effect\"", "x".repeat(fill)),
        )
    };
    sized(size - sized(0).len())
}

impl Test {
    /// Calls from here on act in this account.
    pub fn within(&mut self, account: &str) -> &mut Self {
        self.account = AccountId::parse(account).unwrap();
        self
    }

    pub fn set_quota(&mut self, name: &str, value: usize) {
        self.world
            .accounts
            .get_mut(&self.account)
            .unwrap()
            .iam
            .quotas
            .insert(name.to_owned(), value);
    }

    pub fn wait(&mut self, seconds: u64) {
        self.world.clock = Clock::Manual(self.world.clock.now() + Duration::from_secs(seconds));
    }

    pub fn call(&mut self, operation: &str, params: &[(&str, &str)]) -> Result<Xml, ApiError> {
        let params = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        super::call(&mut self.world, self.account, operation, &Params(params))
    }

    #[track_caller]
    pub fn ok(&mut self, operation: &str, params: &[(&str, &str)]) -> Xml {
        self.call(operation, params)
            .unwrap_or_else(|error| panic!("{operation} {params:?}: {error:?}"))
    }

    #[track_caller]
    pub fn refuses(
        &mut self,
        operation: &str,
        params: &[(&str, &str)],
        status: u16,
        code: &str,
        message: &str,
    ) {
        let error = self
            .call(operation, params)
            .expect_err(&format!("{operation} {params:?} was accepted"));
        assert_eq!(
            error,
            ApiError::new(status, code, message),
            "{operation} {params:?}"
        );
    }

    pub fn role(&mut self, name: &str) {
        self.ok(
            "CreateRole",
            &[("RoleName", name), ("AssumeRolePolicyDocument", EC2)],
        );
    }

    /// A role under a path where AWS alone makes roles.
    pub fn role_of_aws(&mut self, name: &str, path: &str) {
        self.role(name);
        let now = self.world.clock.now();
        let account = self.world.accounts.get_mut(&self.account).unwrap();
        let entry = account
            .iam
            .roles
            .get_mut(&name.to_ascii_lowercase())
            .unwrap();
        let mut role = RoleState::clone(entry.latest().unwrap());
        path.clone_into(&mut role.path);
        entry.set(now, Duration::ZERO, Some(std::sync::Arc::new(role)));
    }

    /// One text of the answer of `GetRole`.
    #[track_caller]
    pub fn role_field(&mut self, name: &str, field: &str) -> String {
        at(
            &self.ok("GetRole", &[("RoleName", name)]),
            &format!("Role.{field}"),
        )
        .expect(field)
    }

    /// The trust policy that `GetRole` shows.
    #[track_caller]
    pub fn trust(&mut self, name: &str) -> String {
        decoded(&self.role_field(name, "AssumeRolePolicyDocument"))
    }
}

pub fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .unwrap()
        .into_owned()
}

/// What is at a path such as `Roles.0.Arn`.
pub fn node<'x>(xml: &'x Xml, path: &str) -> Option<&'x Xml> {
    path.split('.').try_fold(xml, |xml, step| match xml {
        Xml::Fields(fields) => fields.iter().find(|(name, _)| *name == step)?.1.as_ref(),
        Xml::List(items) => items.get(step.parse::<usize>().ok()?),
        Xml::Text(_) => None,
    })
}

/// The text at a path.
pub fn at(xml: &Xml, path: &str) -> Option<String> {
    match node(xml, path)? {
        Xml::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The text of `field` in each entry of the list at a path.
pub fn each(xml: &Xml, path: &str, field: &str) -> Vec<String> {
    let Some(Xml::List(items)) = node(xml, path) else {
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| {
            if field.is_empty() {
                text_of(item)
            } else {
                at(item, field)
            }
        })
        .collect()
}

fn text_of(xml: &Xml) -> Option<String> {
    match xml {
        Xml::Text(text) => Some(text.clone()),
        _ => None,
    }
}
