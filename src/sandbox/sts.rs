//! STS: the caller's identity, and whether a role trusts it.
//!
//! A caller of the role's own account needs the trust policy to name it, or the trust policy to name the account and
//! its own policies to allow the call; a caller of another account needs both sides. Session policies and session
//! tags are checked on the way in and then forgotten: what a session may do is not narrowed by them.
//! Source: STS API Reference, `AssumeRole`; IAM User Guide, Cross-account policy evaluation logic.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::caller::Caller;
use super::federated;
use super::gate::session_token;
use super::wire::{ApiError, Params, Xml};
use super::world::{RoleState, Session, World};
use rolecall_core::evaluate::{Decision, Reach, evaluate};
use rolecall_core::org::AccountId;
use rolecall_core::resource::policy::{PolicyDocument, PolicyKind};

/// Performs one STS operation, or answers with the error AWS documents for it.
pub fn call(
    world: &mut World,
    caller: &Session,
    operation: &str,
    params: &Params,
) -> Result<Xml, ApiError> {
    match operation {
        "GetCallerIdentity" => Ok(Xml::Fields(vec![
            ("UserId", Some(Xml::text(&caller.user_id))),
            ("Account", Some(Xml::text(caller.account))),
            ("Arn", Some(Xml::text(&caller.arn))),
        ])),
        "AssumeRole" => assume_role(world, caller, params),
        "AssumeRoleWithWebIdentity" => federated::with_web_identity(world, params),
        "AssumeRoleWithSAML" => federated::with_saml(world, params),
        "AssumeRoot" | "GetSessionToken" | "GetFederationToken" => Err(ApiError::new(
            501,
            "NotImplemented",
            format!("the sandbox does not support {operation}"),
        )),
        _ => Err(ApiError::new(
            400,
            "InvalidAction",
            format!("Could not find operation {operation} for version 2011-06-15"),
        )),
    }
}

/// The account of an IAM ARN: `arn:aws:iam::111122223333:role/x`.
pub fn account_of(arn: &str) -> Option<AccountId> {
    AccountId::parse(arn.split(':').nth(4)?).ok()
}

fn assume_role(world: &mut World, caller: &Session, params: &Params) -> Result<Xml, ApiError> {
    let role_arn = params.require("RoleArn")?;
    let length = role_arn.chars().count();
    let plain = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}');
    if !(20..=2048).contains(&length) || !role_arn.chars().all(plain) {
        return Err(ApiError::validation(format!("{role_arn} is invalid")));
    }
    let session_name = params.require("RoleSessionName")?;
    check_session_name(session_name)?;
    if let Some(external_id) = params.get("ExternalId") {
        check_text(
            "externalId",
            external_id,
            2..=1224,
            "[\\w+=,.@:\\/-]*",
            "+=,.@:/-",
        )?;
    }
    if let Some(identity) = params.get("SourceIdentity") {
        check_text(
            "sourceIdentity",
            identity,
            2..=256,
            "[\\w+=,.@-]*",
            "+=,.@-",
        )?;
    }
    let duration = duration(params)?;
    if !role_arn.starts_with("arn:") || account_of(role_arn).is_none() {
        return Err(ApiError::validation(format!("{role_arn} is invalid")));
    }
    if caller.arn.ends_with(":root") {
        return Err(ApiError::new(
            403,
            "AccessDenied",
            "Roles may not be assumed by root accounts.",
        ));
    }
    if params.get("SerialNumber").is_some() || params.get("TokenCode").is_some() {
        // No one in the sandbox has an MFA device.
        let sentence = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
        return Err(ApiError::new(403, "AccessDenied", sentence));
    }
    let role = enter(world, caller, role_arn, params)?;
    check_duration(&role, caller.role_arn.is_some(), duration)?;
    Ok(open_session(
        world,
        &role,
        role_arn,
        session_name,
        duration.unwrap_or(3600),
        params.get("SourceIdentity"),
    ))
}

/// The role at `role_arn`, if it lets `caller` in.
fn enter(
    world: &World,
    caller: &Session,
    role_arn: &str,
    params: &Params,
) -> Result<RoleState, ApiError> {
    let refused = |action: &str| {
        let sentence = format!(
            "User: {} is not authorized to perform: {action} on resource: {role_arn}",
            caller.arn
        );
        ApiError::new(403, "AccessDenied", sentence)
    };
    let role = role_at(world, role_arn).ok_or_else(|| refused("sts:AssumeRole"))?;
    let trust = PolicyDocument::live(&role.trust, PolicyKind::Trust, &world.partition);
    let who = Caller::of(world, caller);
    // The trust policy as if it did not name the caller's whole account.
    let naming =
        trust.resolve_principals(&|name| (name == who.root).then(|| "no-principal".to_owned()));
    let context = request_context(world, &who, role_arn, params);
    let mut actions = vec!["sts:AssumeRole"];
    actions.extend((!params.structs("Tags").is_empty()).then_some("sts:TagSession"));
    actions.extend(
        params
            .get("SourceIdentity")
            .map(|_| "sts:SetSourceIdentity"),
    );
    for action in actions {
        let request = who.request(action, role_arn, &context);
        let reach = if account_of(role_arn) == Some(caller.account) {
            Reach::SameAccount(evaluate(&[&naming], &request))
        } else {
            Reach::CrossAccount
        };
        if who
            .own
            .may_assume(evaluate(&[&trust], &request), reach, &request)
            != Decision::Allow
        {
            return Err(refused(action));
        }
    }
    Ok(role)
}

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

fn request_context(
    world: &World,
    who: &Caller,
    role_arn: &str,
    params: &Params,
) -> BTreeMap<String, Vec<String>> {
    let mut context = who.context.clone();
    let given = [
        ("sts:ExternalId", "ExternalId"),
        ("sts:RoleSessionName", "RoleSessionName"),
        ("sts:SourceIdentity", "SourceIdentity"),
    ];
    for (key, param) in given {
        if let Some(value) = params.get(param) {
            context.insert(key.to_owned(), vec![value.to_owned()]);
        }
    }
    context.extend(super::enforce::asked_tags(params));
    if let Some(account) = account_of(role_arn) {
        context.insert("aws:ResourceAccount".to_owned(), vec![account.to_string()]);
        context.insert(
            "aws:ResourceOrgID".to_owned(),
            vec![world.organization.id.clone()],
        );
    }
    context
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

/// The secret that goes with an access key. Nothing checks it.
pub fn secret_key(key: &str) -> String {
    format!("sandbox/secret/of/{key}")
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
fn check_text(
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
