//! Trust policies: their rules, and the unique ids that stand in them.
//!
//! When a trust policy is saved, IAM turns the ARN of a role or user into its unique id, and back when it is read, as
//! long as that entity exists. After it was deleted the bare id shows, and a namesake does not bring the ARN back.
//! Source: IAM User Guide, AWS JSON policy elements: Principal.

use std::time::Duration;

use rolecall_core::org::AccountId;
use rolecall_core::resource::issuer;
use rolecall_core::resource::policy::{PolicyDocument, PolicyKind};
use serde_json::{Map, Value};

use super::super::wire::{ApiError, Params};
use super::super::world::{IamState, RoleState, World};
use super::document::{
    check_members, check_top, object, parameter, repeats_sid, size, statements, strings,
};
use super::entity::{Iam, last_segment};
use super::rules::{self, malformed};
use super::{condition, principals};

/// The trust policy of a role as a read shows it: unique ids of living roles and users stand as their ARNs.
pub fn trust_policy(world: &World, account: AccountId, role: &RoleState) -> String {
    let state_of = |account| world.accounts.get(&account).map(|account| &account.iam);
    shown(&role.trust, account, world.clock.now(), &state_of)
}

/// The same within a call.
pub(super) fn show(iam: &Iam<'_>, role: &RoleState) -> String {
    shown(&role.trust, iam.account, iam.now, &|account| {
        iam.state_of(account)
    })
}

fn shown<'a>(
    stored: &str,
    account: AccountId,
    now: Duration,
    state_of: &dyn Fn(AccountId) -> Option<&'a IamState>,
) -> String {
    let document = (stored.contains("\"AROA") || stored.contains("\"AIDA"))
        .then(|| object(stored))
        .flatten();
    let (Some(mut document), Some(state)) = (document, state_of(account)) else {
        return stored.to_owned();
    };
    let living = |id: &str| {
        let arn = state.principals.get(id)?;
        (id_of(arn, now, state_of)? == id).then(|| arn.clone())
    };
    for_each_principal(&mut document, "AWS", &mut |principal| {
        if let Some(arn) = living(principal) {
            *principal = arn;
        }
        Ok(())
    })
    .map_or_else(
        |_| stored.to_owned(),
        |()| Value::Object(document).to_string(),
    )
}

/// Checks the trust policy in the parameter `name` and returns it as IAM stores it.
pub(super) fn store(iam: &mut Iam<'_>, params: &Params, name: &str) -> Result<String, ApiError> {
    let text = parameter(params, name)?;
    let mut document =
        object(text).ok_or_else(|| malformed("This policy contains invalid Json"))?;
    check(&document)?;
    check_claims(iam, text)?;
    for_each_principal(&mut document, "Service", &mut |principal| {
        principals::check_service(principal)
    })?;
    for_each_principal(&mut document, "Federated", &mut |principal| {
        principals::check_federated(principal, iam.account, &iam.world.partition.0)
    })?;
    for_each_principal(&mut document, "AWS", &mut |principal| {
        *principal = stored_principal(iam, principal)
            .ok_or_else(|| principals::invalid_principal("AWS", principal))?;
        Ok(())
    })?;
    for statement in statements(&document).unwrap_or_default() {
        principals::check_fit(statement)?;
    }
    rules::within(
        &iam.state,
        "AssumeRolePolicySizeQuota",
        "ACLSizePerRole",
        size(text),
    )?;
    simplify(&mut document);
    Ok(Value::Object(document).to_string())
}

/// Whether the policy asks the tokens of shared issuers whose they are.
fn check_claims(iam: &Iam<'_>, text: &str) -> Result<(), ApiError> {
    let trust = PolicyDocument::live(text, PolicyKind::Trust, &iam.world.partition);
    let Some(missing) = issuer::missing(&trust).into_iter().next() else {
        return Ok(());
    };
    Err(malformed(format!(
        "Trust policy for the provider {} must evaluate {} which is not scoped to all",
        missing.url,
        missing.keys().join(" or ")
    )))
}

fn check(document: &Map<String, Value>) -> Result<(), ApiError> {
    check_top(document)?;
    if !document
        .get("Version")
        .is_none_or(|version| version == "2012-10-17" || version == "2008-10-17")
    {
        return Err(malformed("The policy must contain a valid version string"));
    }
    let statements = statements(document)
        .ok_or_else(|| malformed("Could not parse the policy: Statement is empty!"))?;
    for statement in &statements {
        check_statement(statement)?;
    }
    if repeats_sid(&statements) {
        return Err(malformed("The Statement Ids in the policy are not unique"));
    }
    Ok(())
}

fn check_statement(statement: &Map<String, Value>) -> Result<(), ApiError> {
    check_members(statement)?;
    match statement.get("Effect").map(Value::as_str) {
        None => return Err(malformed("Missing required field Effect")),
        Some(Some("Allow" | "Deny")) => {}
        Some(effect) => {
            return Err(malformed(format!(
                "Invalid effect: {}",
                effect.unwrap_or_default()
            )));
        }
    }
    for member in ["Resource", "NotResource"] {
        if statement.contains_key(member) {
            return Err(malformed(format!("Has prohibited field {member}")));
        }
    }
    if statement.contains_key("NotPrincipal") {
        return Err(malformed(
            "AssumeRole policy must not contain NotPrincipal field.",
        ));
    }
    check_principal(
        statement
            .get("Principal")
            .ok_or_else(|| malformed("Missing required field Principal"))?,
    )?;
    check_actions(statement)?;
    if statement.get("Sid").is_some_and(|sid| !sid.is_string()) {
        return Err(malformed("Syntax error in policy."));
    }
    statement.get("Condition").map_or(Ok(()), condition::check)
}

fn check_principal(principal: &Value) -> Result<(), ApiError> {
    let kinds = match principal {
        Value::Object(kinds) => kinds,
        Value::String(text) if text == "*" => {
            return Err(malformed(
                "AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\".",
            ));
        }
        _ => return Err(malformed("Principal must be a JSON object.")),
    };
    if kinds.is_empty() {
        return Err(malformed(
            "Missing required field Principal cannot be empty!",
        ));
    }
    for (kind, principals) in kinds {
        if !["AWS", "Service", "Federated", "CanonicalUser"].contains(&kind.as_str()) {
            return Err(malformed(format!(
                "Invalid principal in policy: \"{kind}\""
            )));
        }
        if strings(principals)
            .ok_or_else(|| malformed("Syntax error in policy."))?
            .is_empty()
        {
            return Err(malformed(
                "Missing required field Principal cannot be empty!",
            ));
        }
    }
    Ok(())
}

fn check_actions(statement: &Map<String, Value>) -> Result<(), ApiError> {
    let syntax = || malformed("Syntax error in policy.");
    let actions = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(_), Some(_)) => return Err(syntax()),
        (Some(actions), None) | (None, Some(actions)) => strings(actions).ok_or_else(syntax)?,
        (None, None) => Vec::new(),
    };
    if actions.is_empty() {
        return Err(malformed("Missing required field Action"));
    }
    if !actions
        .iter()
        .all(|action| principals::is_trust_action(action))
    {
        return Err(malformed(
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ));
    }
    Ok(())
}

/// Calls `change` with every principal of one kind.
fn for_each_principal(
    document: &mut Map<String, Value>,
    kind: &str,
    change: &mut dyn FnMut(&mut String) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    for statement in statements_mut(document) {
        match statement
            .get_mut("Principal")
            .and_then(|principal| principal.get_mut(kind))
        {
            Some(Value::String(principal)) => change(principal)?,
            Some(Value::Array(list)) => {
                for principal in list {
                    if let Value::String(principal) = principal {
                        change(principal)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn statements_mut(document: &mut Map<String, Value>) -> Vec<&mut Map<String, Value>> {
    match document.get_mut("Statement") {
        Some(Value::Object(statement)) => vec![statement],
        Some(Value::Array(list)) => list.iter_mut().filter_map(Value::as_object_mut).collect(),
        _ => Vec::new(),
    }
}

/// Lists of one principal, one action or one condition value come back as that one, and condition values as strings.
fn simplify(document: &mut Map<String, Value>) {
    for statement in statements_mut(document) {
        for (member, value) in statement {
            match (member.as_str(), value) {
                ("Action" | "NotAction", actions) => unwrap_single(actions),
                ("Principal", Value::Object(kinds)) => kinds.values_mut().for_each(unwrap_single),
                ("Condition", Value::Object(operators)) => {
                    let keys = operators.values_mut().filter_map(Value::as_object_mut);
                    keys.flat_map(|keys| keys.values_mut()).for_each(|values| {
                        unwrap_single(values);
                        spell(values);
                    });
                }
                _ => {}
            }
        }
    }
}

fn unwrap_single(value: &mut Value) {
    if let Value::Array(list) = value
        && list.len() == 1
    {
        *value = list.pop().unwrap_or_default();
    }
}

fn spell(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(spell),
        Value::Bool(_) | Value::Number(_) => *value = Value::String(value.to_string()),
        _ => {}
    }
}

/// Partition, account and resource of an ARN of IAM.
fn iam_arn(arn: &str) -> Option<(&str, &str, &str)> {
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":iam::")?;
    let (account, resource) = rest.split_once(':')?;
    Some((partition, account, resource))
}

/// What is stored for one `AWS` principal; `None` where IAM calls it invalid.
///
/// What lies in accounts outside of this world cannot be known: their roles and users are believed, and kept as ARNs.
fn stored_principal(iam: &mut Iam<'_>, principal: &str) -> Option<String> {
    if principal == "*" {
        return Some(principal.to_owned());
    }
    if let Ok(account) = AccountId::parse(principal) {
        return Some(format!("arn:{}:iam::{account}:root", iam.world.partition));
    }
    if principal.contains(['*', '?']) {
        return None;
    }
    if principal.starts_with("AROA") || principal.starts_with("AIDA") {
        let arn = arn_of(iam, principal)?;
        iam.state.principals.insert(principal.to_owned(), arn);
        return Some(principal.to_owned());
    }
    let partition = &iam.world.partition.0;
    if let Some(session) = principal.strip_prefix(&format!("arn:{partition}:sts::")) {
        let (account, resource) = session.split_once(':')?;
        let known = principals::is_session(resource);
        return (AccountId::parse(account).is_ok() && known).then(|| principal.to_owned());
    }
    let (its_partition, account, resource) = iam_arn(principal)?;
    let account = AccountId::parse(account)
        .ok()
        .filter(|_| its_partition == partition)?;
    let kind = resource.split_once('/').map(|(kind, _)| kind);
    match kind {
        _ if resource == "root" => Some(principal.to_owned()),
        Some("role" | "user") if !principals::is_entity(resource) => None,
        Some("role" | "user") if iam.state_of(account).is_none() => Some(principal.to_owned()),
        Some("role" | "user") => {
            let id = id_of(principal, iam.now, &|account| iam.state_of(account))?;
            if iam
                .state_of(account)
                .is_some_and(|state| is_young(state, resource, iam.now, iam.world.youth))
            {
                return None;
            }
            iam.state
                .principals
                .insert(id.clone(), principal.to_owned());
            Some(id)
        }
        _ => None,
    }
}

/// Whether a role or user was created less than `youth` ago.
fn is_young(state: &IamState, resource: &str, now: Duration, youth: Duration) -> bool {
    let key = last_segment(resource).to_ascii_lowercase();
    let role = state
        .roles
        .get(&key)
        .and_then(|role| role.latest())
        .map(|role| role.created);
    let user = state.users.get(&key).map(|user| user.created);
    let created = if resource.starts_with("role/") {
        role
    } else {
        user
    };
    created.is_some_and(|created| now < created + youth)
}

/// The unique id of the living role or user with exactly this ARN, once it is visible.
fn id_of<'a>(
    arn: &str,
    now: Duration,
    state_of: &dyn Fn(AccountId) -> Option<&'a IamState>,
) -> Option<String> {
    let (_, account, resource) = iam_arn(arn)?;
    let state = state_of(AccountId::parse(account).ok()?)?;
    let (kind, _) = resource.split_once('/')?;
    let key = last_segment(resource).to_ascii_lowercase();
    let (path, name, id) = match kind {
        "role" => {
            let role = state.roles.get(&key)?;
            let seen = role.visible(now)?;
            role.latest().filter(|latest| latest.id == seen.id)?;
            (&seen.path, &seen.name, &seen.id)
        }
        "user" => state
            .users
            .get(&key)
            .map(|user| (&user.path, &user.name, &user.id))?,
        _ => return None,
    };
    (format!("{kind}{path}{name}") == resource).then(|| id.clone())
}

/// The ARN of the living role or user with this unique id, in any account of the world.
fn arn_of(iam: &Iam<'_>, id: &str) -> Option<String> {
    let accounts = iam.world.accounts.keys();
    accounts
        .filter_map(|account| Some((account, iam.state_of(*account)?)))
        .find_map(|(account, state)| {
            let role = state
                .roles
                .values()
                .filter_map(|role| role.visible(iam.now))
                .find(|role| role.id == id);
            let user = state.users.values().find(|user| user.id == id);
            let resource = match (role, user) {
                (Some(role), _) => format!("role{}{}", role.path, role.name),
                (None, Some(user)) => format!("user{}{}", user.path, user.name),
                (None, None) => return None,
            };
            let arn = format!("arn:{}:iam::{account}:{resource}", iam.world.partition);
            (id_of(&arn, iam.now, &|account| iam.state_of(account))? == id).then_some(arn)
        })
}
