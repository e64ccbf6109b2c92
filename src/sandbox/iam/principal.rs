//! Users and groups.

use super::super::wire::{ApiError, Params, Xml};
use super::super::world::{GroupState, UserState};
use super::entity::{Iam, already_exists, delete_conflict};
use super::page::page;
use super::role::boundary_field;
use super::role_policy::boundary;
use super::rules::{self, KeyCase, NAME_OF_POLICY, NAME_OF_ROLE};
use super::xml::{Field, date, text, wrap};

const DETACH_FIRST: &str = "Cannot delete entity, must detach all policies first.";
const DELETE_POLICIES_FIRST: &str = "Cannot delete entity, must delete policies first.";
const EMPTY_GROUPS_FIRST: &str = "Cannot delete entity, must remove users from group first.";

impl Iam<'_> {
    /// The user of the parameter `UserName`.
    pub fn user(&self, params: &Params) -> Result<&UserState, ApiError> {
        let name = rules::name(params, "UserName", NAME_OF_POLICY)?;
        let missing =
            || ApiError::no_such_entity(format!("The user with name {name} cannot be found."));
        self.state
            .users
            .get(&name.to_ascii_lowercase())
            .ok_or_else(missing)
    }

    /// The group of the parameter `GroupName`.
    pub fn group(&self, params: &Params) -> Result<&GroupState, ApiError> {
        let name = rules::name(params, "GroupName", NAME_OF_POLICY)?;
        let missing =
            || ApiError::no_such_entity(format!("The group with name {name} cannot be found."));
        self.state
            .groups
            .get(&name.to_ascii_lowercase())
            .ok_or_else(missing)
    }
}

pub(super) fn create_user(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let name = rules::name(params, "UserName", NAME_OF_ROLE)?;
    let mut user = UserState {
        name: name.to_owned(),
        path: rules::path(params)?,
        boundary: boundary(iam, params)?,
        created: iam.now,
        ..UserState::default()
    };
    rules::set_tags(&mut user.tags, params, KeyCase::Ignored)?;
    if iam.state.users.contains_key(&name.to_ascii_lowercase()) {
        return Err(already_exists("User", name));
    }
    rules::within(
        &iam.state,
        "UsersQuota",
        "UsersPerAccount",
        iam.state.users.len() + 1,
    )?;
    user.id = iam.world.ids.unique("AIDA");
    let answer = wrap("User", whole_user(iam, &user));
    iam.state.users.insert(name.to_ascii_lowercase(), user);
    Ok(answer)
}

/// Who calls is not known here, so the name must be given.
pub(super) fn get_user(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    if params.get("UserName").is_none() {
        return Err(ApiError::validation(
            "Must specify userName when calling with non-User credentials",
        ));
    }
    let user = iam.user(params)?;
    Ok(wrap("User", whole_user(iam, user)))
}

pub(super) fn list_users(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let prefix = rules::path_prefix(params)?;
    let users = iam
        .state
        .users
        .iter()
        .filter(|(_, user)| user.path.starts_with(prefix));
    let page = page(iam, params, users.map(|(key, user)| (key.clone(), user)))?;
    Ok(page.answer("Users", |user| Xml::Fields(user_fields(iam, user))))
}

pub(super) fn delete_user(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let user = iam.user(params)?;
    if !user.groups.is_empty() {
        return Err(delete_conflict(EMPTY_GROUPS_FIRST));
    }
    if !user.attached.is_empty() {
        return Err(delete_conflict(DETACH_FIRST));
    }
    if !user.inline.is_empty() {
        return Err(delete_conflict(DELETE_POLICIES_FIRST));
    }
    if !user.access_keys.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must delete access keys first.",
        ));
    }
    let key = user.name.to_ascii_lowercase();
    iam.state.users.remove(&key);
    Ok(Xml::empty())
}

/// The members of a user that every answer has.
pub(super) fn user_fields(iam: &Iam<'_>, user: &UserState) -> Vec<Field> {
    vec![
        text("Path", &user.path),
        text("UserName", &user.name),
        text("UserId", &user.id),
        text("Arn", iam.arn("user", &user.path, &user.name)),
        text("CreateDate", date(user.created)),
    ]
}

fn whole_user(iam: &Iam<'_>, user: &UserState) -> Xml {
    let mut fields = user_fields(iam, user);
    fields.push(boundary_field(user.boundary.as_deref()));
    fields.push(rules::tags_field(&user.tags));
    Xml::Fields(fields)
}

pub(super) fn create_group(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let name = rules::name(params, "GroupName", NAME_OF_POLICY)?;
    let path = rules::path(params)?;
    if iam.state.groups.contains_key(&name.to_ascii_lowercase()) {
        return Err(already_exists("Group", name));
    }
    rules::within(
        &iam.state,
        "GroupsQuota",
        "GroupsPerAccount",
        iam.state.groups.len() + 1,
    )?;
    let id = iam.world.ids.unique("AGPA");
    let group = GroupState {
        name: name.to_owned(),
        id,
        path,
        created: iam.now,
        ..GroupState::default()
    };
    let answer = wrap("Group", Xml::Fields(group_fields(iam, &group)));
    iam.state.groups.insert(name.to_ascii_lowercase(), group);
    Ok(answer)
}

pub(super) fn get_group(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let group = iam.group(params)?;
    let key = group.name.to_ascii_lowercase();
    let members = iam
        .state
        .users
        .iter()
        .filter(|(_, user)| user.groups.contains(&key));
    let page = page(iam, params, members.map(|(key, user)| (key.clone(), user)))?;
    let [truncated, marker] = page.tail();
    let users = page
        .items
        .iter()
        .map(|user| Xml::Fields(user_fields(iam, user)))
        .collect();
    let group = Xml::Fields(group_fields(iam, group));
    Ok(Xml::Fields(vec![
        ("Group", Some(group)),
        ("Users", Some(Xml::List(users))),
        truncated,
        marker,
    ]))
}

pub(super) fn list_groups(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let prefix = rules::path_prefix(params)?;
    let groups = iam
        .state
        .groups
        .iter()
        .filter(|(_, group)| group.path.starts_with(prefix));
    let page = page(iam, params, groups.map(|(key, group)| (key.clone(), group)))?;
    Ok(page.answer("Groups", |group| Xml::Fields(group_fields(iam, group))))
}

pub(super) fn list_groups_for_user(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let groups = iam
        .user(params)?
        .groups
        .iter()
        .filter_map(|key| Some((key.clone(), iam.state.groups.get(key)?)));
    let page = page(iam, params, groups)?;
    Ok(page.answer("Groups", |group| Xml::Fields(group_fields(iam, group))))
}

pub(super) fn delete_group(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let group = iam.group(params)?;
    let key = group.name.to_ascii_lowercase();
    if iam
        .state
        .users
        .values()
        .any(|user| user.groups.contains(&key))
    {
        return Err(delete_conflict(EMPTY_GROUPS_FIRST));
    }
    if !group.attached.is_empty() {
        return Err(delete_conflict(DETACH_FIRST));
    }
    if !group.inline.is_empty() {
        return Err(delete_conflict(DELETE_POLICIES_FIRST));
    }
    iam.state.groups.remove(&key);
    Ok(Xml::empty())
}

pub(super) fn add_user_to_group(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let group = iam.group(params)?.name.to_ascii_lowercase();
    let mut user = iam.user(params)?.clone();
    user.groups.insert(group);
    rules::within(
        &iam.state,
        "GroupsPerUserQuota",
        "GroupsPerUser",
        user.groups.len(),
    )?;
    iam.state.users.insert(user.name.to_ascii_lowercase(), user);
    Ok(Xml::empty())
}

pub(super) fn remove_user_from_group(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let group = iam.group(params)?.name.clone();
    let mut user = iam.user(params)?.clone();
    if !user.groups.remove(&group.to_ascii_lowercase()) {
        return Err(ApiError::no_such_entity(format!(
            "User {} not in group {group}",
            user.name
        )));
    }
    iam.state.users.insert(user.name.to_ascii_lowercase(), user);
    Ok(Xml::empty())
}

/// The members of a group that every answer has.
pub(super) fn group_fields(iam: &Iam<'_>, group: &GroupState) -> Vec<Field> {
    vec![
        text("Path", &group.path),
        text("GroupName", &group.name),
        text("GroupId", &group.id),
        text("Arn", iam.arn("group", &group.path, &group.name)),
        text("CreateDate", date(group.created)),
    ]
}
