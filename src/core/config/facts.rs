//! Roles and policies as the expressions of a `[[check]]` see them.
//!
//! Lists are always lists, however IAM lets them be written, and what is asked most often has a name of its own.

use minijinja::value::Serde;
use serde_json::{Map, Value, json};

use crate::org::AccountId;
use crate::resource::attachment::{Attachment, Item};
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::policy::{PolicyDocument, Principals};
use crate::resource::role::{DEFAULT_MAX_SESSION, PolicyRef, Role};

/// What a role has: `name`, `path`, `description`, `max_session_duration` (seconds), `permissions_boundary`,
/// `managed_policies` (`aws:NAME`, `local:NAME` or an ARN), `inline_policies` (names), `tags`, `external`, `adopt`,
/// `file` (where it is written), `trusted_accounts` (the ids in the AWS principals of its trust), and `trust`, the
/// statements of its trust.
///
/// A statement has `sid`, `effect`, `aws` (ARNs; an account is its root), `accounts` (the ids in them), `service`,
/// `federated`, `canonical_user`, `actions`, `not_actions`, `resources`, `not_resources`, `conditions` (by operator and
/// key, values as lists of text), `condition_keys`, `external_id` (a text; a list where there are several; none), and
/// `mfa` (whether a condition asks for MFA).
pub const ROLE: [&str; 13] = [
    "name",
    "path",
    "description",
    "max_session_duration",
    "managed_policies",
    "inline_policies",
    "permissions_boundary",
    "tags",
    "trust",
    "trusted_accounts",
    "external",
    "adopt",
    "file",
];

/// What a policy has: `name`, `path`, `description`, `tags`, `document`, `statements` (see [`ROLE`]), `actions` (of all
/// statements, as written), `file` (where it is written).
pub const POLICY: [&str; 8] = [
    "name",
    "path",
    "description",
    "tags",
    "document",
    "statements",
    "actions",
    "file",
];

/// What an attachment has: `role`, `policy` (`local:NAME`; empty for an inline policy), `name` (of an inline policy, as IAM
/// shows it; empty for a managed one), and of an inline policy `document`, `statements` (see [`ROLE`]) and `actions`; `file`
/// (where it is written).
pub const ATTACHMENT: [&str; 7] = [
    "role",
    "policy",
    "name",
    "document",
    "statements",
    "actions",
    "file",
];

/// The condition keys that ask for MFA.
///
/// Source: IAM User Guide, AWS global condition context keys.
const MFA_KEYS: [&str; 2] = ["aws:multifactorauthpresent", "aws:multifactorauthage"];

/// A role.
pub fn role(role: &Role) -> minijinja::Value {
    let trust = statements(&role.trust);
    let trusted: Vec<&Value> = trust
        .iter()
        .filter_map(|statement| statement.get("accounts")?.as_array())
        .flatten()
        .collect();
    let inline: Vec<&str> = role
        .inline_policies
        .iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    seen(&json!({
        "name": role.name.as_str(),
        "path": role.path.as_ref().map_or("/", |path| path.as_str()),
        "description": role.description.as_deref().unwrap_or_default(),
        "max_session_duration": role.max_session_duration.unwrap_or(DEFAULT_MAX_SESSION),
        "managed_policies": role.managed_policies.iter().flatten().map(reference).collect::<Vec<_>>(),
        "inline_policies": inline,
        "permissions_boundary": role.permissions_boundary.as_ref().and_then(Option::as_ref).map(reference),
        "tags": role.tags.clone().unwrap_or_default(),
        "trusted_accounts": unique(trusted),
        "trust": trust,
        "external": role.external,
        "adopt": role.adopt,
        "file": role.origin.to_string(),
    }))
}

/// A policy.
pub fn policy(policy: &ManagedPolicy) -> minijinja::Value {
    let statements = statements(&policy.document);
    seen(&json!({
        "name": policy.name.as_str(),
        "path": policy.path.as_ref().map_or("/", |path| path.as_str()),
        "description": policy.description.as_deref().unwrap_or_default(),
        "tags": policy.tags.clone().unwrap_or_default(),
        "document": policy.document.to_value(),
        "actions": actions(&statements),
        "statements": statements,
        "file": policy.origin.to_string(),
    }))
}

/// An attachment.
pub fn attachment(attachment: &Attachment) -> minijinja::Value {
    let (policy, name) = match &attachment.id.policy {
        Item::Managed(policy) => (format!("local:{policy}"), String::new()),
        Item::Inline(policy) => (String::new(), policy.to_string()),
    };
    let document = attachment.document.as_ref();
    let statements = document.map(statements).unwrap_or_default();
    seen(&json!({
        "role": attachment.id.role.as_str(),
        "policy": policy,
        "name": name,
        "document": document.map(PolicyDocument::to_value),
        "actions": actions(&statements),
        "statements": statements,
        "file": attachment.origin.to_string(),
    }))
}

fn actions(statements: &[Value]) -> Vec<Value> {
    let all = statements
        .iter()
        .filter_map(|statement| statement.get("actions")?.as_array())
        .flatten();
    unique(all.collect())
}

fn seen(value: &Value) -> minijinja::Value {
    minijinja::Value::from(Serde(value))
}

/// `aws:NAME` for a policy of AWS, `local:NAME` for one of the same account, else the ARN.
fn reference(reference: &PolicyRef) -> String {
    match reference {
        PolicyRef::Local(name) => format!("local:{name}"),
        PolicyRef::Arn(arn) if arn.is_aws_managed() => {
            let name = arn
                .as_str()
                .split_once(":policy/")
                .map_or(arn.name(), |(_, name)| name);
            format!("aws:{name}")
        }
        PolicyRef::Arn(arn) => arn.to_string(),
    }
}

fn unique(values: Vec<&Value>) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for value in values {
        if !kept.contains(value) {
            kept.push(value.clone());
        }
    }
    kept
}

fn statements(document: &PolicyDocument) -> Vec<Value> {
    let written = document.to_value();
    let written = list(written.get("Statement"));
    written
        .iter()
        .zip(document.statements())
        .map(|(written, read)| statement(written, read.principals.as_ref()))
        .collect()
}

fn statement(written: &Value, principals: Option<&Principals>) -> Value {
    let conditions = conditions(written.get("Condition"));
    let keys: Vec<&String> = conditions
        .values()
        .filter_map(Value::as_object)
        .flat_map(Map::keys)
        .collect();
    let external_ids: Vec<&Value> = conditions
        .values()
        .filter_map(Value::as_object)
        .flatten()
        .filter(|(key, _)| key.eq_ignore_ascii_case("sts:ExternalId"))
        .flat_map(|(_, values)| values.as_array().into_iter().flatten())
        .collect();
    let named = |kind: &str| -> Vec<&String> {
        principals
            .filter(|found| !found.negated)
            .and_then(|found| found.kinds.get(kind))
            .into_iter()
            .flatten()
            .collect()
    };
    let aws = named("AWS");
    let accounts: Vec<&str> = aws
        .iter()
        .filter_map(|principal| account(principal))
        .collect();
    json!({
        "sid": written.get("Sid").and_then(Value::as_str).unwrap_or_default(),
        "effect": written.get("Effect"),
        "aws": aws,
        "service": named("Service"),
        "federated": named("Federated"),
        "canonical_user": named("CanonicalUser"),
        "accounts": accounts,
        "actions": list(written.get("Action")),
        "not_actions": list(written.get("NotAction")),
        "resources": list(written.get("Resource")),
        "not_resources": list(written.get("NotResource")),
        "mfa": keys.iter().any(|key| MFA_KEYS.contains(&key.to_ascii_lowercase().as_str())),
        "external_id": match external_ids.as_slice() {
            [] => Value::Null,
            [id] => (*id).clone(),
            several => json!(several),
        },
        "condition_keys": keys,
        "conditions": conditions,
    })
}

/// The account of a principal: of an ARN, its fifth part.
fn account(principal: &str) -> Option<&str> {
    principal
        .split(':')
        .nth(4)
        .filter(|id| AccountId::parse(id).is_ok())
}

/// Conditions with their values as lists of text.
fn conditions(written: Option<&Value>) -> Map<String, Value> {
    let values = |block: &Value| -> Map<String, Value> {
        block
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), texts(value).into()))
            .collect()
    };
    written
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, block)| (key.clone(), values(block).into()))
        .collect()
}

fn texts(value: &Value) -> Vec<Value> {
    let text = |value: Value| {
        if value.is_string() {
            value
        } else {
            Value::String(value.to_string())
        }
    };
    list(Some(value)).into_iter().map(text).collect()
}

fn list(value: Option<&Value>) -> Vec<Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    }
}
