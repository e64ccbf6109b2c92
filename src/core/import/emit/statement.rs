//! A statement as IAM writes it becomes the keys of a statement table.

use serde_json::{Map, Value};

/// Which half of access a statement is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// A trust policy.
    Trust,
    /// A policy of a role.
    Identity,
}

/// The members of a statement that a table has, and its keys for them.
const MEMBERS: [(&str, &str); 8] = [
    ("Sid", "sid"),
    ("Effect", "effect"),
    ("Principal", ""),
    ("Action", "actions"),
    ("NotAction", "not_actions"),
    ("Resource", "resources"),
    ("NotResource", "not_resources"),
    ("Condition", "conditions"),
];

/// The kinds of principals, and the keys for them.
const PRINCIPALS: [(&str, &str); 4] = [
    ("AWS", "aws"),
    ("Service", "service"),
    ("Federated", "federated"),
    ("CanonicalUser", "canonical_user"),
];

/// Whether a table can say all of this statement.
pub fn is_table(body: &Map<String, Value>) -> bool {
    body.iter().all(|(member, value)| match member.as_str() {
        "Principal" => value.as_object().is_some_and(|kinds| {
            !kinds.is_empty()
                && kinds
                    .keys()
                    .all(|kind| PRINCIPALS.iter().any(|it| it.0 == kind))
        }),
        "Resource" | "NotResource" if body.contains_key("Principal") => false,
        member => MEMBERS.iter().any(|it| it.0 == member),
    })
}

/// The keys of the table, in order, with their values.
pub fn statement_keys(body: &Map<String, Value>, half: Half) -> Vec<(&'static str, Value)> {
    let mut keys = Vec::new();
    let conditions = body.get("Condition").and_then(Value::as_object);
    let mut conditions = conditions.cloned().unwrap_or_default();
    for (member, key) in MEMBERS {
        let Some(value) = body.get(member) else {
            continue;
        };
        match member {
            "Effect" if value == "Allow" => {}
            "Sid" if value == "" => {}
            "Principal" => {
                for (kind, key) in PRINCIPALS {
                    keys.extend(value.get(kind).map(|value| (key, value.clone())));
                }
                if half == Half::Trust {
                    keys.extend(short_conditions(&mut conditions));
                }
            }
            "Action" if half == Half::Trust && follows(body, value) => {}
            "Condition" => {}
            _ => keys.push((key, value.clone())),
        }
    }
    if !conditions.is_empty() {
        keys.push(("conditions", Value::Object(conditions)));
    }
    keys
}

/// Whether the action is the one that follows from the principals.
fn follows(body: &Map<String, Value>, action: &Value) -> bool {
    let kinds = body.get("Principal").and_then(Value::as_object);
    let plain =
        |kinds: &Map<String, Value>| kinds.keys().all(|kind| kind == "AWS" || kind == "Service");
    let action = match action {
        Value::Array(items) if items.len() == 1 => items.first(),
        action => Some(action),
    };
    kinds.is_some_and(plain) && action.is_some_and(|action| action == "sts:AssumeRole")
}

/// Takes out the conditions that have keys of their own.
fn short_conditions(conditions: &mut Map<String, Value>) -> Vec<(&'static str, Value)> {
    let mut keys = Vec::new();
    for (operator, condition, key) in [
        ("StringEquals", "sts:externalid", "external_id"),
        ("StringEquals", "aws:principalorgid", "organization_id"),
        ("Bool", "aws:multifactorauthpresent", "require_mfa"),
    ] {
        let Some(block) = conditions.get_mut(operator).and_then(Value::as_object_mut) else {
            continue;
        };
        let mut named = block
            .keys()
            .filter(|name| name.eq_ignore_ascii_case(condition));
        // Two spellings of one key are two conditions, which a short key cannot say.
        let (Some(name), None) = (named.next().cloned(), named.next()) else {
            continue;
        };
        let value = block.get(&name).cloned().unwrap_or_default();
        let value = match (key, value.as_str()) {
            ("require_mfa", Some("true")) => Value::Bool(true),
            ("require_mfa", _) => continue,
            _ => value,
        };
        block.shift_remove(&name);
        if block.is_empty() {
            conditions.shift_remove(operator);
        }
        keys.push((key, value));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(body: &Value, half: Half, expect: &Value) {
        let keys = statement_keys(body.as_object().unwrap(), half);
        let keys: Map<String, Value> = keys.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        assert_eq!(&Value::Object(keys), expect);
    }

    #[test]
    fn what_has_a_short_key_is_written_by_it_and_nothing_is_said_twice() {
        check(
            &json!({
                "Sid": "", "Effect": "Allow", "Principal": {"AWS": "1"}, "Action": ["sts:AssumeRole"],
                "Condition": {
                    "StringEquals": {"sts:ExternalID": "x", "aws:PrincipalOrgId": ["o-1"], "aws:SourceIp": "y"},
                    "Bool": {"aws:MultiFactorAuthPresent": "true"},
                },
            }),
            Half::Trust,
            &json!({
                "aws": "1", "external_id": "x", "organization_id": ["o-1"], "require_mfa": true,
                "conditions": {"StringEquals": {"aws:SourceIp": "y"}},
            }),
        );
        check(
            &json!({
                "Effect": "Deny", "Principal": {"AWS": "1", "Federated": "f"}, "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"sts:ExternalId": "x", "sts:externalid": "y"},
                    "Bool": {"aws:MultiFactorAuthPresent": "false"},
                },
            }),
            Half::Trust,
            &json!({
                "effect": "Deny", "aws": "1", "federated": "f", "actions": "sts:AssumeRole",
                "conditions": {
                    "StringEquals": {"sts:ExternalId": "x", "sts:externalid": "y"},
                    "Bool": {"aws:MultiFactorAuthPresent": "false"},
                },
            }),
        );
    }

    #[test]
    fn what_a_table_cannot_say_needs_a_file() {
        for (body, expect) in [
            (
                json!({"Effect": "Allow", "Principal": {"AWS": "1"}, "Action": "a:b"}),
                true,
            ),
            (
                json!({"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "a:b"}),
                false,
            ),
            (
                json!({"Effect": "Allow", "Principal": "*", "Action": "a:b"}),
                false,
            ),
            (
                json!({"Effect": "Allow", "Principal": {"aws": "1"}, "Action": "a:b"}),
                false,
            ),
            (
                json!({"Effect": "Allow", "Principal": {"AWS": "1"}, "Resource": "*"}),
                false,
            ),
            (
                json!({"Effect": "Allow", "Action": "a:b", "Resource": "*"}),
                true,
            ),
        ] {
            assert_eq!(is_table(body.as_object().unwrap()), expect, "{body}");
        }
    }
}
