//! Instance profiles: a name under which EC2 finds one role.

use super::super::wire::{ApiError, Params, Xml};
use super::super::world::ProfileState;
use super::entity::{Iam, delete_conflict};
use super::page::page;
use super::role;
use super::rules::{self, KeyCase, NAME_OF_POLICY};
use super::xml::{date, text, wrap};

fn find<'a>(iam: &'a Iam<'_>, params: &Params) -> Result<&'a ProfileState, ApiError> {
    let name = rules::name(params, "InstanceProfileName", NAME_OF_POLICY)?;
    let missing = || ApiError::no_such_entity(format!("Instance Profile {name} cannot be found."));
    iam.state
        .profiles
        .get(&name.to_ascii_lowercase())
        .ok_or_else(missing)
}

pub(super) fn create(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let name = rules::name(params, "InstanceProfileName", NAME_OF_POLICY)?;
    let path = rules::path(params)?;
    let mut profile = ProfileState {
        name: name.to_owned(),
        path,
        created: iam.now,
        ..ProfileState::default()
    };
    rules::set_tags(&mut profile.tags, params, KeyCase::Kept)?;
    if iam.state.profiles.contains_key(&name.to_ascii_lowercase()) {
        let message = format!("Instance Profile {name} already exists.");
        return Err(ApiError::new(409, "EntityAlreadyExists", message));
    }
    let count = iam.state.profiles.len() + 1;
    rules::within(
        &iam.state,
        "InstanceProfilesQuota",
        "InstanceProfilesPerAccount",
        count,
    )?;
    profile.id = iam.world.ids.unique("AIPA");
    let answer = wrap("InstanceProfile", whole(iam, &profile));
    iam.state
        .profiles
        .insert(name.to_ascii_lowercase(), profile);
    Ok(answer)
}

pub(super) fn get(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let profile = find(iam, params)?;
    Ok(wrap("InstanceProfile", whole(iam, profile)))
}

pub(super) fn list(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let prefix = rules::path_prefix(params)?;
    let profiles = iam
        .state
        .profiles
        .iter()
        .filter(|(_, profile)| profile.path.starts_with(prefix));
    let page = page(
        iam,
        params,
        profiles.map(|(key, profile)| (key.clone(), profile)),
    )?;
    Ok(page.answer("InstanceProfiles", |profile| listed(iam, profile)))
}

pub(super) fn list_for_role(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let role = iam.seen_role(params)?.name.to_ascii_lowercase();
    let profiles = iam
        .state
        .profiles
        .iter()
        .filter(|(_, profile)| profile.role.as_ref() == Some(&role));
    let page = page(
        iam,
        params,
        profiles.map(|(key, profile)| (key.clone(), profile)),
    )?;
    Ok(page.answer("InstanceProfiles", |profile| listed(iam, profile)))
}

pub(super) fn delete(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let profile = find(iam, params)?;
    if profile.role.is_some() {
        return Err(delete_conflict(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    let key = profile.name.to_ascii_lowercase();
    iam.state.profiles.remove(&key);
    Ok(Xml::empty())
}

pub(super) fn add_role(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut profile = find(iam, params)?.clone();
    let role = iam.role_to_change(params)?;
    if profile.role.is_some() {
        let message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
        return Err(ApiError::new(409, "LimitExceeded", message));
    }
    profile.role = Some(role.name.to_ascii_lowercase());
    iam.state
        .profiles
        .insert(profile.name.to_ascii_lowercase(), profile);
    Ok(Xml::empty())
}

pub(super) fn remove_role(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut profile = find(iam, params)?.clone();
    let role = iam.role_to_change(params)?;
    if profile.role.take() != Some(role.name.to_ascii_lowercase()) {
        return Err(ApiError::no_such_entity(format!(
            "The role with name {} cannot be found.",
            role.name
        )));
    }
    iam.state
        .profiles
        .insert(profile.name.to_ascii_lowercase(), profile);
    Ok(Xml::empty())
}

/// A profile in a list. Source: IAM API Reference, `ListInstanceProfiles`: lists leave out the tags.
pub(super) fn listed(iam: &Iam<'_>, profile: &ProfileState) -> Xml {
    let role = profile
        .role
        .as_ref()
        .and_then(|key| iam.state.roles.get(key)?.visible(iam.now));
    let roles = role
        .into_iter()
        .map(|role| role::listed(iam, role))
        .collect();
    Xml::Fields(vec![
        text("Path", &profile.path),
        text("InstanceProfileName", &profile.name),
        text("InstanceProfileId", &profile.id),
        text(
            "Arn",
            iam.arn("instance-profile", &profile.path, &profile.name),
        ),
        text("CreateDate", date(profile.created)),
        ("Roles", Some(Xml::List(roles))),
    ])
}

fn whole(iam: &Iam<'_>, profile: &ProfileState) -> Xml {
    match listed(iam, profile) {
        Xml::Fields(mut fields) => {
            fields.push(rules::tags_field(&profile.tags));
            Xml::Fields(fields)
        }
        other => other,
    }
}
