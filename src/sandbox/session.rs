//! Sessions of roles, however they are opened.

use std::time::{Duration, SystemTime};

use super::keys::{account_of, secret_key, session_token};
use super::wire::{ApiError, Params, Xml};
use super::world::{RoleState, Session, World};

/// The role with exactly this ARN, in an account that is open, once its creation is visible.
pub(super) fn role_at(world: &World, arn: &str) -> Option<RoleState> {
    let account = world
        .accounts
        .get(&account_of(arn)?)
        .filter(|account| account.status == "ACTIVE")?;
    let (head, path) = arn.split_once(":role")?;
    let name = path.rsplit('/').next()?;
    let role = account
        .iam
        .roles
        .get(&name.to_lowercase())?
        .visible(world.clock.now().saturating_sub(world.sts_lag))?;
    let partition = format!("arn:{}:iam::", world.partition);
    let exact = head.starts_with(&partition) && path == format!("{}{}", role.path, role.name);
    exact.then(|| RoleState::clone(role))
}

pub(super) fn open_session(
    world: &mut World,
    role: &RoleState,
    role_arn: &str,
    name: &str,
    seconds: u32,
    source_identity: Option<&str>,
) -> Xml {
    let lifetime = Duration::from_secs(u64::from(seconds));
    let account = account_of(role_arn).unwrap_or(world.organization.management_account);
    let session = Session {
        account,
        arn: format!(
            "arn:{}:sts::{account}:assumed-role/{}/{name}",
            world.partition, role.name
        ),
        user_id: format!("{}:{name}", role.id),
        role_arn: Some(role_arn.to_owned()),
        expires: Some(world.clock.now() + lifetime),
    };
    let user = Xml::Fields(vec![
        ("AssumedRoleId", Some(Xml::text(&session.user_id))),
        ("Arn", Some(Xml::text(&session.arn))),
    ]);
    let key = world.add_key("ASIA", session);
    // Clients hold this against their own clock, so it is the wall's and not the world's.
    let expiration = jiff::Timestamp::try_from(SystemTime::now() + lifetime).unwrap_or_default();
    let credentials = Xml::Fields(vec![
        ("AccessKeyId", Some(Xml::text(&key))),
        ("SecretAccessKey", Some(Xml::Text(secret_key(&key)))),
        ("SessionToken", Some(Xml::Text(session_token(&key)))),
        (
            "Expiration",
            Some(Xml::text(expiration.strftime("%Y-%m-%dT%H:%M:%SZ"))),
        ),
    ]);
    Xml::Fields(vec![
        ("Credentials", Some(credentials)),
        ("AssumedRoleUser", Some(user)),
        ("SourceIdentity", source_identity.map(Xml::text)),
    ])
}

pub(super) fn duration(params: &Params) -> Result<Option<u32>, ApiError> {
    let Some(text) = params.get("DurationSeconds") else {
        return Ok(None);
    };
    let invalid = |rule: &str| {
        ApiError::validation(format!(
            "1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy constraint: {rule}"
        ))
    };
    match text.parse::<i64>() {
        Ok(seconds @ 900..=43200) => Ok(u32::try_from(seconds).ok()),
        Ok(..900) => Err(invalid(
            "Member must have value greater than or equal to 900",
        )),
        _ => Err(invalid(
            "Member must have value less than or equal to 43200",
        )),
    }
}

pub(super) fn check_duration(
    role: &RoleState,
    chained: bool,
    duration: Option<u32>,
) -> Result<(), ApiError> {
    let Some(seconds) = duration else {
        return Ok(());
    };
    if chained && seconds > 3600 {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        ));
    }
    if seconds > role.max_session_duration {
        return Err(ApiError::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(())
}

pub(super) fn check_session_name(name: &str) -> Result<(), ApiError> {
    check_text("roleSessionName", name, 2..=64, "[\\w+=,.@-]*", "+=,.@-")
}

/// Checks the length and the characters of a parameter: letters, digits, `_` and `punctuation`.
pub(super) fn check_text(
    name: &str,
    value: &str,
    length: std::ops::RangeInclusive<usize>,
    pattern: &str,
    punctuation: &str,
) -> Result<(), ApiError> {
    let count = value.chars().count();
    let rule = if count < *length.start() {
        format!(
            "Member must have length greater than or equal to {}",
            length.start()
        )
    } else if count > *length.end() {
        format!(
            "Member must have length less than or equal to {}",
            length.end()
        )
    } else if !value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || punctuation.contains(c))
    {
        format!("Member must satisfy regular expression pattern: {pattern}")
    } else {
        return Ok(());
    };
    Err(ApiError::validation(format!(
        "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: {rule}"
    )))
}
