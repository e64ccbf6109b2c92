//! The reading operations of Organizations.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::input::{BEGINNING, Input, error, invalid, is_parent, listed};
use crate::clock::Clock;
use crate::wire::ApiError;
use crate::world::{AccountState, UnitState, World};
use rolecall_core::org::AccountId;

pub fn describe_organization(world: &World) -> Value {
    let organization = &world.organization;
    let management = organization.management_account;
    json!({ "Organization": {
        "Id": organization.id,
        "Arn": arn(world, &format!("organization/{}", organization.id)),
        "FeatureSet": "ALL",
        "MasterAccountArn": account_arn(world, management),
        "MasterAccountId": management,
        "MasterAccountEmail": world.accounts.get(&management).map(|account| account.email.as_str()),
        "AvailablePolicyTypes": [],
    } })
}

pub fn list_roots(world: &World, input: &Input) -> Result<Value, ApiError> {
    let organization = &world.organization;
    let roots = std::iter::once((organization.root.as_str(), ()));
    let root = |id: &str, ()| {
        let arn = arn(world, &format!("root/{}/{id}", organization.id));
        json!({ "Id": id, "Arn": arn, "Name": "Root", "PolicyTypes": [] })
    };
    Ok(listed("Roots", input.page(world, roots, root)?))
}

pub fn list_accounts(world: &World, input: &Input) -> Result<Value, ApiError> {
    let accounts = world
        .members()
        .map(|(id, account)| (id.as_str(), (*id, account)));
    Ok(listed(
        "Accounts",
        input.page(world, accounts, |_, (id, account)| {
            describe(world, id, account)
        })?,
    ))
}

pub fn list_accounts_for_parent(world: &World, input: &Input) -> Result<Value, ApiError> {
    let parent = parent(world, input)?;
    let accounts = children(world, parent).map(|(id, account)| (id.as_str(), (*id, account)));
    Ok(listed(
        "Accounts",
        input.page(world, accounts, |_, (id, account)| {
            describe(world, id, account)
        })?,
    ))
}

pub fn list_units_for_parent(world: &World, input: &Input) -> Result<Value, ApiError> {
    let parent = parent(world, input)?;
    let units = units(world, parent).map(|(id, unit)| (id.as_str(), unit));
    Ok(listed(
        "OrganizationalUnits",
        input.page(world, units, |id, unit| unit_value(world, id, unit))?,
    ))
}

pub fn list_parents(world: &World, input: &Input) -> Result<Value, ApiError> {
    let child = input.require("ChildId")?;
    let account = AccountId::parse(child)
        .ok()
        .and_then(|id| world.member(id))
        .map(|account| &account.parent);
    let unit = || world.organization.units.get(child).map(|unit| &unit.parent);
    let parent = account.or_else(unit).ok_or_else(|| {
        error(
            "ChildNotFoundException",
            "You specified a child that doesn't exist.",
        )
    })?;
    let kind = if *parent == world.organization.root {
        "ROOT"
    } else {
        "ORGANIZATIONAL_UNIT"
    };
    Ok(json!({ "Parents": [{ "Id": parent, "Type": kind }] }))
}

pub fn list_children(world: &World, input: &Input) -> Result<Value, ApiError> {
    let parent = parent(world, input)?;
    let kind = input.require("ChildType")?;
    let ids: Vec<&str> = match kind {
        "ACCOUNT" => children(world, parent).map(|(id, _)| id.as_str()).collect(),
        "ORGANIZATIONAL_UNIT" => units(world, parent).map(|(id, _)| id.as_str()).collect(),
        _ => return Err(invalid("You specified an invalid value for ChildType.")),
    };
    let child = |id: &str, ()| json!({ "Id": id, "Type": kind });
    Ok(listed(
        "Children",
        input.page(world, ids.into_iter().map(|id| (id, ())), child)?,
    ))
}

pub fn describe_account(world: &World, input: &Input) -> Result<Value, ApiError> {
    let id = input.account("AccountId")?;
    let account = world.member(id).ok_or_else(|| {
        error(
            "AccountNotFoundException",
            "You specified an account that doesn't exist.",
        )
    })?;
    Ok(json!({ "Account": describe(world, id, account) }))
}

pub fn describe_unit(world: &World, input: &Input) -> Result<Value, ApiError> {
    let id = input.require("OrganizationalUnitId")?;
    let unit = world.organization.units.get(id).ok_or_else(|| {
        error(
            "OrganizationalUnitNotFoundException",
            "You specified an organizational unit that doesn't exist.",
        )
    })?;
    Ok(json!({ "OrganizationalUnit": unit_value(world, id, unit) }))
}

pub fn describe_create_account_status(world: &World, input: &Input) -> Result<Value, ApiError> {
    let id = input.require("CreateAccountRequestId")?;
    let request = world.organization.requests.get(id).ok_or_else(|| {
        error(
            "CreateAccountStatusNotFoundException",
            "You specified a create account request that doesn't exist.",
        )
    })?;
    let at = BEGINNING + request.requested.as_secs();
    let mut status = json!({ "Id": id, "AccountName": request.name, "RequestedTimestamp": at, "CompletedTimestamp": at });
    let (state, (key, value)) = match &request.outcome {
        Ok(account) => ("SUCCEEDED", ("AccountId", account.to_string())),
        Err(reason) => ("FAILED", ("FailureReason", reason.clone())),
    };
    if let Some(fields) = status.as_object_mut() {
        fields.insert("State".to_owned(), state.into());
        fields.insert(key.to_owned(), value.into());
    }
    Ok(json!({ "CreateAccountStatus": status }))
}

pub fn list_tags_for_resource(world: &World, input: &Input) -> Result<Value, ApiError> {
    let tags = tags(world, input.require("ResourceId")?).ok_or_else(|| {
        error(
            "TargetNotFoundException",
            "You specified a target that doesn't exist.",
        )
    })?;
    let tags = tags.iter().map(|(key, value)| (key.as_str(), value));
    Ok(listed(
        "Tags",
        input.page(
            world,
            tags,
            |key, value| json!({ "Key": key, "Value": value }),
        )?,
    ))
}

pub fn list_delegated_administrators(world: &World, input: &Input) -> Result<Value, ApiError> {
    let accounts = &world.organization.delegated_administrators;
    let accounts = accounts
        .iter()
        .filter_map(|id| Some((id.as_str(), (*id, world.member(*id)?))));
    let administrator = |_: &str, (id, account)| {
        let mut value = describe(world, id, account);
        if let Some(fields) = value.as_object_mut() {
            fields.remove("Paths");
            fields.insert("DelegationEnabledDate".to_owned(), BEGINNING.into());
        }
        value
    };
    Ok(listed(
        "DelegatedAdministrators",
        input.page(world, accounts, administrator)?,
    ))
}

/// The tags of an account, a unit or the root.
fn tags<'w>(world: &'w World, id: &str) -> Option<&'w BTreeMap<String, String>> {
    let organization = &world.organization;
    if id == organization.root {
        return Some(&organization.root_tags);
    }
    match AccountId::parse(id) {
        Ok(id) => world.member(id).map(|account| &account.tags),
        Err(_) => organization.units.get(id).map(|unit| &unit.tags),
    }
}

fn parent<'i>(world: &World, input: &'i Input) -> Result<&'i str, ApiError> {
    let id = input.require("ParentId")?;
    if !is_parent(world, id) {
        return Err(error(
            "ParentNotFoundException",
            "You specified parent that doesn't exist.",
        ));
    }
    Ok(id)
}

fn children<'w>(
    world: &'w World,
    parent: &str,
) -> impl Iterator<Item = (&'w AccountId, &'w AccountState)> {
    world
        .accounts
        .iter()
        .filter(move |(_, account)| account.parent == parent)
}

fn units<'w>(world: &'w World, parent: &str) -> impl Iterator<Item = (&'w String, &'w UnitState)> {
    world
        .organization
        .units
        .iter()
        .filter(move |(_, unit)| unit.parent == parent)
}

fn describe(world: &World, id: AccountId, account: &AccountState) -> Value {
    // `State` is the newer field and tells more.
    let status = match account.status.as_str() {
        status @ ("ACTIVE" | "PENDING_CLOSURE") => status,
        _ => "SUSPENDED",
    };
    json!({
        "Id": id,
        "Arn": account_arn(world, id),
        "Email": account.email,
        "Name": account.name,
        "Status": status,
        "State": account.status,
        "Paths": [format!("{}/{id}/", world.organization.id_path(&account.parent))],
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": joined(world),
    })
}

/// When the accounts joined: when the world began. One that is begun anew is another one, though its ids are the same.
fn joined(world: &World) -> i64 {
    match world.clock {
        Clock::Wall(start) => {
            let age = i64::try_from(start.elapsed().as_millis()).unwrap_or_default();
            (jiff::Timestamp::now().as_millisecond() - age).div_euclid(1000)
        }
        Clock::Manual(_) => i64::try_from(BEGINNING).unwrap_or_default(),
    }
}

pub fn unit_value(world: &World, id: &str, unit: &UnitState) -> Value {
    let organization = &world.organization;
    json!({
        "Id": id,
        "Arn": arn(world, &format!("ou/{}/{id}", organization.id)),
        "Name": unit.name,
        "Path": format!("{}/{id}/", organization.id_path(&unit.parent)),
    })
}

fn account_arn(world: &World, id: AccountId) -> String {
    arn(world, &format!("account/{}/{id}", world.organization.id))
}

fn arn(world: &World, resource: &str) -> String {
    format!(
        "arn:{}:organizations::{}:{resource}",
        world.partition, world.organization.management_account
    )
}
