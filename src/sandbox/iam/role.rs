//! Roles: create, read, change, delete, tag.

use std::collections::BTreeMap;

use super::super::wire::{ApiError, Params, Xml};
use super::super::world::{Lagged, RoleState};
use super::document::encoded;
use super::entity::{Iam, already_exists, delete_conflict};
use super::page::page;
use super::rules::{self, KeyCase, NAME_OF_ROLE};
use super::xml::{Field, date, text, wrap};
use super::{role_policy, trust};

/// How much of a role an answer tells. Source: IAM API Reference, `ListRoles`: lists leave out the boundary, the tags
/// and when the role was last used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Listed,
    Whole,
}

/// Only AWS makes roles under `/aws-service-role/` and `/aws-reserved/`.
pub(super) fn create(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let path = rules::path(params)?;
    if ["/aws-service-role/", "/aws-reserved/"]
        .iter()
        .any(|of_aws| path.starts_with(of_aws))
    {
        let message = format!("The path {path} is reserved for AWS.");
        return Err(ApiError::new(400, "InvalidInput", message));
    }
    make(iam, params)
}

fn make(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
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
        boundary: role_policy::boundary(iam, params)?,
        tags: BTreeMap::new(),
        created: iam.now,
    };
    rules::set_tags(&mut role.tags, params, KeyCase::Ignored)?;
    role.trust = trust::store(iam, params, "AssumeRolePolicyDocument")?;
    let existing = |role: &Lagged<RoleState>| role.latest().is_some();
    if iam
        .state
        .roles
        .get(&name.to_ascii_lowercase())
        .is_some_and(existing)
    {
        return Err(already_exists("Role", name));
    }
    let count = iam
        .state
        .roles
        .values()
        .filter(|role| existing(role))
        .count();
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
    let roles = iam
        .seen_roles()
        .filter(|(_, role)| role.path.starts_with(prefix));
    let page = page(iam, params, roles.map(|(key, role)| (key.clone(), role)))?;
    Ok(page.answer("Roles", |role| listed(iam, role)))
}

/// Source: IAM API Reference, `UpdateRole`: a duration that is not given becomes an hour. A description that is not
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
    if iam
        .state
        .profiles
        .values()
        .any(|profile| profile.role.as_ref() == Some(&key))
    {
        return Err(delete_conflict(
            "Cannot delete entity, must remove roles from instance profile first.",
        ));
    }
    if !role.attached.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must detach all policies first.",
        ));
    }
    if !role.inline.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must delete policies first.",
        ));
    }
    if iam.world.lag.is_zero() {
        iam.state.roles.remove(&key);
    } else if let Some(entry) = iam.state.roles.get_mut(&key) {
        entry.set(iam.now, iam.world.lag, None);
    }
    Ok(Xml::empty())
}

/// Tags are the one thing that may change on a service-linked role. Source: IAM API Reference, `TagRole`.
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
    let page = page(
        iam,
        params,
        tags.iter().map(|(key, value)| (key.clone(), (key, value))),
    )?;
    Ok(page.answer("Tags", |(key, value)| rules::tag_xml(key, value)))
}

/// Creates `AWSServiceRoleForX` under `/aws-service-role/`, trusting its service alone.
///
/// AWS chooses X for each service; here it is the capitalized words of the service's name.
pub(super) fn create_service_linked(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let service = params.require("AWSServiceName")?;
    let words = service
        .strip_suffix(".amazonaws.com")
        .filter(|words| !words.is_empty())
        .ok_or_else(|| {
            ApiError::new(
                400,
                "InvalidInput",
                format!("Service {service} is not a valid AWS service name."),
            )
        })?;
    let mut name = String::from("AWSServiceRoleFor");
    for word in words.split(['.', '-']) {
        let mut letters = word.chars();
        name.extend(
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters),
        );
    }
    if let Some(suffix) = params.get("CustomSuffix") {
        name.extend(["_", suffix]);
    }
    let description = rules::description(params)?;
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    let names = [
        ("RoleName".to_owned(), name.clone()),
        ("Path".to_owned(), format!("/aws-service-role/{service}/")),
        ("AssumeRolePolicyDocument".to_owned(), trust),
    ];
    let names = names
        .into_iter()
        .chain(description.map(|text| ("Description".to_owned(), text)));
    make(iam, &Params(names.collect())).map_err(|error| match error.code.as_str() {
        "EntityAlreadyExists" => ApiError::new(
            400,
            "InvalidInput",
            format!("Service role name {name} has been taken in this account, please try a different suffix."),
        ),
        _ => error,
    })
}

/// A role as lists tell of it.
pub(super) fn listed(iam: &Iam<'_>, role: &RoleState) -> Xml {
    role_xml(iam, role, Detail::Listed)
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
        (
            "AssumeRolePolicyDocument",
            Some(encoded(&trust::show(iam, role))),
        ),
    ]
}

/// The boundary of a role or user. The API Reference calls the type `PermissionsBoundaryPolicy`; IAM says `Policy`.
pub(super) fn boundary_field(boundary: Option<&str>) -> Field {
    let boundary = boundary.map(|arn| {
        Xml::Fields(vec![
            text("PermissionsBoundaryType", "Policy"),
            text("PermissionsBoundaryArn", arn),
        ])
    });
    ("PermissionsBoundary", boundary)
}
