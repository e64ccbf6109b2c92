//! The operations of Organizations that change something.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::input::{BEGINNING, Input, error, invalid, is_parent};
use super::read;
use crate::build::ACCESS_ROLE;
use crate::wire::ApiError;
use crate::world::{AccountState, CreateAccountState, IamState, UnitState, World};
use rolecall_core::org::AccountId;

/// Units lie at most this deep below the root. Source: Quotas for AWS Organizations.
const MAX_DEPTH: usize = 5;

/// Tags of one resource. Source: Quotas for AWS Organizations.
const MAX_TAGS: usize = 50;

pub fn tag_resource(world: &mut World, input: &Input) -> Result<Value, ApiError> {
    let given = given_tags(input)?;
    let tags = tags(world, input)?;
    let mut all = tags.clone();
    all.extend(given);
    if all.len() > MAX_TAGS {
        let sentence = "You have exceeded the number of tags allowed on this resource.";
        return Err(error("ConstraintViolationException", sentence));
    }
    *tags = all;
    Ok(json!({}))
}

pub fn untag_resource(world: &mut World, input: &Input) -> Result<Value, ApiError> {
    let keys = input
        .value
        .get("TagKeys")
        .and_then(Value::as_array)
        .ok_or_else(|| invalid("You must provide TagKeys."))?;
    let keys: BTreeSet<&str> = keys.iter().filter_map(Value::as_str).collect();
    tags(world, input)?.retain(|key, _| !keys.contains(key.as_str()));
    Ok(json!({}))
}

pub fn create_unit(world: &mut World, input: &Input) -> Result<Value, ApiError> {
    let (parent, name) = (input.require("ParentId")?, input.require("Name")?);
    let tags = given_tags(input)?;
    check_unit_name(name)?;
    if !is_parent(world, parent) {
        return Err(error(
            "ParentNotFoundException",
            "You specified parent that doesn't exist.",
        ));
    }
    let units = &world.organization.units;
    if units
        .values()
        .any(|unit| unit.parent == parent && unit.name == name)
    {
        return Err(duplicate_unit());
    }
    // The path of ids begins with the organization and the root.
    if world.organization.id_path(parent).split('/').count() - 2 >= MAX_DEPTH {
        return Err(error(
            "ConstraintViolationException",
            "You have exceeded the OU depth limit.",
        ));
    }
    let suffix = world.organization.root.trim_start_matches("r-").to_owned();
    let id = format!("ou-{suffix}-{}", world.ids.lower(8));
    let unit = UnitState {
        name: name.to_owned(),
        parent: parent.to_owned(),
        tags,
    };
    let answer = json!({ "OrganizationalUnit": read::unit_value(world, &id, &unit) });
    world.organization.units.insert(id, unit);
    Ok(answer)
}

/// Source: Organizations API Reference, `UpdateOrganizationalUnit`: the id, the accounts and the policies stay.
pub fn update_unit(world: &mut World, input: &Input) -> Result<Value, ApiError> {
    let id = input.require("OrganizationalUnitId")?;
    let mut unit = world.organization.units.get(id).cloned().ok_or_else(|| {
        error(
            "OrganizationalUnitNotFoundException",
            "You specified an organizational unit that doesn't exist.",
        )
    })?;
    if let Some(name) = input.get("Name") {
        check_unit_name(name)?;
        let taken = |(other, its): (&String, &UnitState)| {
            other != id && its.parent == unit.parent && its.name == name
        };
        if world.organization.units.iter().any(taken) {
            return Err(duplicate_unit());
        }
        name.clone_into(&mut unit.name);
    }
    let answer = json!({ "OrganizationalUnit": read::unit_value(world, id, &unit) });
    world.organization.units.insert(id.to_owned(), unit);
    Ok(answer)
}

fn check_unit_name(name: &str) -> Result<(), ApiError> {
    if name.is_empty() || name.chars().count() > 128 {
        return Err(invalid(
            "You specified a name that is not between 1 and 128 characters long.",
        ));
    }
    Ok(())
}

fn duplicate_unit() -> ApiError {
    error(
        "DuplicateOrganizationalUnitException",
        "An OU with the same name already exists.",
    )
}

/// The account stays an account, with all that its IAM holds.
pub fn remove_account(world: &mut World, input: &Input) -> Result<Value, ApiError> {
    let id = input.account("AccountId")?;
    let management = world.organization.management_account;
    let account = account_mut(world, id)?;
    if id == management {
        return Err(error(
            "MasterCannotLeaveOrganizationException",
            "You can't remove a management account from an organization.",
        ));
    }
    account.parent.clear();
    world.organization.delegated_administrators.remove(&id);
    Ok(json!({}))
}

/// The account exists at once, but the answer says as AWS does that its creation has only begun.
pub fn create_account(world: &mut World, input: &Input) -> Result<Value, ApiError> {
    let (name, email) = (input.require("AccountName")?, input.require("Email")?);
    let tags = given_tags(input)?;
    if name.is_empty() || name.len() > 50 || !name.bytes().all(|byte| (0x20..=0x7E).contains(&byte))
    {
        return Err(invalid(
            "You specified an account name that is not 1 to 50 printable ASCII characters.",
        ));
    }
    if email.len() < 6 || email.len() > 64 || !email.contains('@') {
        return Err(invalid("You specified an email address that is not valid."));
    }
    let taken = world
        .accounts
        .values()
        .any(|account| account.email.eq_ignore_ascii_case(email));
    let outcome = if taken {
        Err("EMAIL_ALREADY_EXISTS".to_owned())
    } else {
        let id = world.unused_account_id();
        let account = AccountState {
            name: name.to_owned(),
            email: email.to_owned(),
            status: "ACTIVE".to_owned(),
            parent: world.organization.root.clone(),
            tags,
            iam: IamState::default(),
        };
        world.accounts.insert(id, account);
        world.add_access_role(id, input.get("RoleName").unwrap_or(ACCESS_ROLE));
        Ok(id)
    };
    let id = format!("car-{}", world.ids.lower(16));
    let requested = world.clock.now();
    let answer = json!({ "CreateAccountStatus": {
        "Id": id,
        "AccountName": name,
        "State": "IN_PROGRESS",
        "RequestedTimestamp": BEGINNING + requested.as_secs(),
    } });
    world.organization.requests.insert(
        id,
        CreateAccountState {
            name: name.to_owned(),
            requested,
            outcome,
        },
    );
    Ok(answer)
}

pub fn move_account(world: &mut World, input: &Input) -> Result<Value, ApiError> {
    let id = input.account("AccountId")?;
    let (source, destination) = (
        input.require("SourceParentId")?,
        input.require("DestinationParentId")?,
    );
    let at = &account(world, id)?.parent;
    if at != source {
        let sentence = "You specified a source parent that doesn't exist.";
        return Err(error("SourceParentNotFoundException", sentence));
    }
    if !is_parent(world, destination) {
        let sentence = "You specified a destination parent that doesn't exist.";
        return Err(error("DestinationParentNotFoundException", sentence));
    }
    if source == destination {
        let sentence = "That account is already present in the specified destination.";
        return Err(error("DuplicateAccountException", sentence));
    }
    destination.clone_into(&mut account_mut(world, id)?.parent);
    Ok(json!({}))
}

pub fn close_account(world: &mut World, input: &Input) -> Result<Value, ApiError> {
    let id = input.account("AccountId")?;
    let management = world.organization.management_account;
    let account = account_mut(world, id)?;
    if id == management {
        return Err(error(
            "ConstraintViolationException",
            "You can't close the management account.",
        ));
    }
    if matches!(
        account.status.as_str(),
        "CLOSED" | "PENDING_CLOSURE" | "SUSPENDED"
    ) {
        return Err(error(
            "AccountAlreadyClosedException",
            "You specified an account that is already closed.",
        ));
    }
    "CLOSED".clone_into(&mut account.status);
    Ok(json!({}))
}

pub fn register_delegated_administrator(
    world: &mut World,
    input: &Input,
) -> Result<Value, ApiError> {
    let id = input.account("AccountId")?;
    input.require("ServicePrincipal")?;
    account(world, id)?;
    if id == world.organization.management_account {
        let sentence = "You cannot register master account/yourself as delegated administrator for your organization.";
        return Err(error("ConstraintViolationException", sentence));
    }
    world.organization.delegated_administrators.insert(id);
    Ok(json!({}))
}

fn no_account() -> ApiError {
    error(
        "AccountNotFoundException",
        "You specified an account that doesn't exist.",
    )
}

fn account(world: &World, id: AccountId) -> Result<&AccountState, ApiError> {
    world.member(id).ok_or_else(no_account)
}

fn account_mut(world: &mut World, id: AccountId) -> Result<&mut AccountState, ApiError> {
    let account = world
        .accounts
        .get_mut(&id)
        .filter(|account| account.is_member());
    account.ok_or_else(no_account)
}

/// The tags of the account, unit or root that `ResourceId` names.
fn tags<'w>(
    world: &'w mut World,
    input: &Input,
) -> Result<&'w mut BTreeMap<String, String>, ApiError> {
    let id = input.require("ResourceId")?;
    let organization = &mut world.organization;
    let tags = if id == organization.root {
        Some(&mut organization.root_tags)
    } else if let Ok(id) = AccountId::parse(id) {
        let account = world
            .accounts
            .get_mut(&id)
            .filter(|account| account.is_member());
        account.map(|account| &mut account.tags)
    } else {
        organization.units.get_mut(id).map(|unit| &mut unit.tags)
    };
    tags.ok_or_else(|| {
        error(
            "TargetNotFoundException",
            "You specified a target that doesn't exist.",
        )
    })
}

/// The parameter `Tags`, checked.
fn given_tags(input: &Input) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in input
        .value
        .get("Tags")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |name| {
            tag.get(name)
                .and_then(Value::as_str)
                .ok_or_else(|| invalid("You specified an invalid tag."))
        };
        let (key, value) = (text("Key")?, text("Value")?);
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(
                "You specified a tag whose key or value has an invalid length.",
            ));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid(
                "You can't specify a tag key that begins with aws:.",
            ));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(invalid("You specified the same tag key more than once."));
        }
    }
    Ok(tags)
}
