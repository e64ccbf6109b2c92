//! Roles: create, read, change, delete, tag.

use std::collections::BTreeMap;

use super::super::wire::{ApiError, Params, Xml};
use super::super::world::{Lagged, RoleState};
use super::document::encoded;
use super::entity::{Field, Iam, already_exists, date, delete_conflict, text, wrap};
use super::page::page;
use super::rules::{self, KeyCase, NAME_OF_ROLE};
use super::trust;

/// How much of a role an answer tells. Source: IAM API Reference, ListRoles: lists leave out the boundary, the tags
/// and when the role was last used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Listed,
    Whole,
}

pub(super) fn create(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let name = rules::name(params, "RoleName", NAME_OF_ROLE)?;
    let mut role = RoleState {
        name: name.to_owned(),
        id: String::new(),
        path: rules::path(params)?,
        description: rules::description(params)?,
        max_session_duration: rules::max_session_duration(params)?,
        trust: String::new(),
        inline: BTreeMap::new(),
        attached: Vec::new(),
        boundary: None,
        tags: BTreeMap::new(),
        created: iam.now,
    };
    rules::set_tags(&mut role.tags, params, KeyCase::Ignored)?;
    role.trust = trust::store(iam, params, "AssumeRolePolicyDocument")?;
    add(iam, role)
}

/// Adds a new role, if its name is free and the account may have one more.
pub(super) fn add(iam: &mut Iam<'_>, mut role: RoleState) -> Result<Xml, ApiError> {
    let existing = |role: &&Lagged<RoleState>| role.latest().is_some();
    if iam.state.roles.get(&role.name.to_ascii_lowercase()).filter(existing).is_some() {
        return Err(already_exists("Role", &role.name));
    }
    let count = iam.state.roles.values().filter(existing).count();
    rules::within(&iam.state, "RolesQuota", "RolesPerAccount", count + 1)?;
    role.id = iam.world.ids.unique("AROA");
    let answer = wrap("Role", role_xml(iam, &role, Detail::Whole));
    iam.put_role(role);
    Ok(answer)
}

pub(super) fn get(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let role = iam.seen_role(params)?;
    Ok(wrap("Role", role_xml(iam, role, Detail::Whole)))
}

pub(super) fn list(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let prefix = rules::path_prefix(params)?;
    let roles = iam.seen_roles().filter(|(_, role)| role.path.starts_with(prefix));
    let page = page(iam, params, roles.map(|(key, role)| (key.clone(), role)))?;
    Ok(page.answer("Roles", |role| role_xml(iam, role, Detail::Listed)))
}

/// Source: IAM API Reference, UpdateRole: a duration that is not given becomes an hour. A description that is not
/// given stays.
pub(super) fn update(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let description = rules::description(params)?;
    let max_session_duration = rules::max_session_duration(params)?;
    let mut role = iam.role_to_change(params)?;
    role.max_session_duration = max_session_duration;
    if description.is_some() {
        role.description = description;
    }
    iam.put_role(role);
    Ok(Xml::empty())
}

pub(super) fn update_description(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    params.require("Description")?;
    let description = rules::description(params)?;
    let mut role = iam.role_to_change(params)?;
    role.description = description;
    let answer = wrap("Role", role_xml(iam, &role, Detail::Whole));
    iam.put_role(role);
    Ok(answer)
}

pub(super) fn update_trust(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut role = iam.role_to_change(params)?;
    role.trust = trust::store(iam, params, "PolicyDocument")?;
    iam.put_role(role);
    Ok(Xml::empty())
}

pub(super) fn delete(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let role = iam.role_to_change(params)?;
    let key = role.name.to_ascii_lowercase();
    if iam.state.profiles.values().any(|profile| profile.role.as_ref() == Some(&key)) {
        return Err(delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    if !role.attached.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if !role.inline.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must delete policies first."));
    }
    if iam.world.lag.is_zero() {
        iam.state.roles.remove(&key);
    } else if let Some(entry) = iam.state.roles.get_mut(&key) {
        entry.set(iam.now, iam.world.lag, None);
    }
    Ok(Xml::empty())
}

/// Tags are the one thing that may change on a service-linked role. Source: IAM API Reference, TagRole.
pub(super) fn tag(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut role = iam.latest_role(params)?;
    rules::set_tags(&mut role.tags, params, KeyCase::Ignored)?;
    iam.put_role(role);
    Ok(Xml::empty())
}

pub(super) fn untag(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut role = iam.latest_role(params)?;
    rules::remove_tags(&mut role.tags, params, KeyCase::Ignored);
    iam.put_role(role);
    Ok(Xml::empty())
}

pub(super) fn list_tags(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let tags = &iam.seen_role(params)?.tags;
    let page = page(iam, params, tags.iter().map(|(key, value)| (key.clone(), (key, value))))?;
    Ok(page.answer("Tags", |(key, value)| rules::tag_xml(key, value)))
}

fn role_xml(iam: &Iam<'_>, role: &RoleState, detail: Detail) -> Xml {
    let mut fields = identity(iam, role);
    fields.push(("Description", role.description.as_ref().map(Xml::text)));
    fields.push(text("MaxSessionDuration", role.max_session_duration));
    if detail == Detail::Whole {
        fields.push(boundary_field(role.boundary.as_deref()));
        fields.push(rules::tags_field(&role.tags));
        fields.push(("RoleLastUsed", Some(Xml::empty())));
    }
    Xml::Fields(fields)
}

/// The members of a role that every answer has.
pub(super) fn identity(iam: &Iam<'_>, role: &RoleState) -> Vec<Field> {
    vec![
        text("Path", &role.path),
        text("RoleName", &role.name),
        text("RoleId", &role.id),
        text("Arn", iam.arn("role", &role.path, &role.name)),
        text("CreateDate", date(role.created)),
        ("AssumeRolePolicyDocument", Some(encoded(&trust::show(iam, role)))),
    ]
}

/// The boundary of a role or user. The API Reference calls the type `PermissionsBoundaryPolicy`; IAM says `Policy`.
pub(super) fn boundary_field(boundary: Option<&str>) -> Field {
    let boundary = boundary
        .map(|arn| Xml::Fields(vec![text("PermissionsBoundaryType", "Policy"), text("PermissionsBoundaryArn", arn)]));
    ("PermissionsBoundary", boundary)
}
