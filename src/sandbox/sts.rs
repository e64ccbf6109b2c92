//! STS: the caller's identity, and whether a role trusts it.
//!
//! A caller of the role's own account needs the trust policy to name it, or the trust policy to name the account and
//! its own policies to allow the call; a caller of another account needs both sides. Session policies and session
//! tags are checked on the way in and then forgotten: what a session may do is not narrowed by them.
//! Source: STS API Reference, `AssumeRole`; IAM User Guide, Cross-account policy evaluation logic.

use std::collections::BTreeMap;

use rolecall_core::evaluate::{Decision, Reach, evaluate};
use rolecall_core::resource::policy::{PolicyDocument, PolicyKind};

use super::caller::Caller;
use super::federated;
use super::keys::account_of;
use super::session::{
    check_duration, check_session_name, check_text, duration, open_session, role_at,
};
use super::wire::{ApiError, Params, Xml};
use super::world::{RoleState, Session, World};

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
