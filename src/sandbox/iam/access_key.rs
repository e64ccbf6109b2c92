//! The access keys of users, which are good for calls to the sandbox.
//!
//! Source: IAM API Reference, `CreateAccessKey`, `DeleteAccessKey`, `ListAccessKeys`.

use super::super::keys::secret_key;
use super::super::wire::{ApiError, Params, Xml};
use super::super::world::{Session, UserState};
use super::entity::Iam;
use super::page::page;
use super::rules;
use super::xml::{Field, date, text, wrap};

pub(super) fn create(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut user = named(iam, params)?;
    rules::within(
        &iam.state,
        "AccessKeysPerUserQuota",
        "AccessKeysPerUser",
        user.access_keys.len() + 1,
    )?;
    let session = Session {
        account: iam.account,
        arn: iam.arn("user", &user.path, &user.name),
        user_id: user.id.clone(),
        role_arn: None,
        expires: None,
    };
    let key = iam.world.add_key("AKIA", session);
    let mut fields = summary(iam, &user, &key);
    fields.push(text("SecretAccessKey", secret_key(&key)));
    user.access_keys.insert(key);
    iam.state.users.insert(user.name.to_ascii_lowercase(), user);
    Ok(wrap("AccessKey", Xml::Fields(fields)))
}

pub(super) fn list(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let user = named(iam, params)?;
    let page = page(
        iam,
        params,
        user.access_keys.iter().map(|key| (key.clone(), key)),
    )?;
    Ok(page.answer("AccessKeyMetadata", |key| {
        Xml::Fields(summary(iam, &user, key))
    }))
}

pub(super) fn delete(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut user = named(iam, params)?;
    let key = params.require("AccessKeyId")?;
    if !user.access_keys.remove(key) {
        return Err(ApiError::no_such_entity(format!(
            "The Access Key with id {key} cannot be found."
        )));
    }
    iam.world.keys.remove(key);
    iam.state.users.insert(user.name.to_ascii_lowercase(), user);
    Ok(Xml::empty())
}

/// The user of the parameter `UserName`. Who calls is not known here, so the name must be given.
fn named(iam: &Iam<'_>, params: &Params) -> Result<UserState, ApiError> {
    if params.get("UserName").is_none() {
        return Err(ApiError::validation(
            "Must specify userName when calling with non-User credentials",
        ));
    }
    iam.user(params).cloned()
}

fn summary(iam: &Iam<'_>, user: &UserState, key: &str) -> Vec<Field> {
    vec![
        text("UserName", &user.name),
        text("AccessKeyId", key),
        text("Status", "Active"),
        text("CreateDate", date(iam.now)),
    ]
}
