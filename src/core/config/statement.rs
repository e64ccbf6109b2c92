//! Converts statements written as TOML tables to documents as IAM writes them.
//!
//! Every member keeps the place of the key it comes from, so that what IAM's rules say about the document underlines
//! the TOML.

use std::collections::BTreeSet;

use super::place::Place;
use super::problem::{Problem, Problems};
use super::tree::{Key, Node, Table, Value};
use crate::resource::policy::{Federation, federation};

/// The keys of a statement that IAM calls differently, and what it calls them.
const MEMBERS: [(&str, &str); 6] = [
    ("sid", "Sid"),
    ("actions", "Action"),
    ("not_actions", "NotAction"),
    ("resources", "Resource"),
    ("not_resources", "NotResource"),
    ("conditions", "Condition"),
];

/// The principals of a trust statement, and what IAM calls them.
const PRINCIPALS: [(&str, &str); 4] = [
    ("aws", "AWS"),
    ("service", "Service"),
    ("federated", "Federated"),
    ("canonical_user", "CanonicalUser"),
];

/// Services that need more of a role than to assume it, and what.
///
/// Sources: Amazon EKS User Guide, "Create IAM role with trust policy required by EKS Pod Identity"; IAM Roles Anywhere
/// User Guide, "Trust policy".
const SERVICE_ACTIONS: [(&str, &[&str]); 2] = [
    (
        "pods.eks.amazonaws.com",
        &["sts:AssumeRole", "sts:TagSession"],
    ),
    (
        "rolesanywhere.amazonaws.com",
        &["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    ),
];

/// The document that statements of an identity policy make.
pub fn identity_document(statements: &Node) -> Node {
    let made = statements
        .items()
        .iter()
        .filter_map(|node| Some(statement(node, node.as_table()?)))
        .collect();
    document(statements, made)
}

/// The document that the statements of a trust policy make.
pub fn trust_document(statements: &Node, title: &str, problems: &mut Problems) -> Node {
    let made = statements
        .items()
        .iter()
        .filter_map(|node| Some(trust_statement(node, node.as_table()?, title, problems)))
        .collect();
    document(statements, made)
}

fn document(around: &Node, statements: Vec<Node>) -> Node {
    let mut table = Table::default();
    push(
        &mut table,
        "Version",
        string("2012-10-17", &around.place),
        &around.place,
    );
    push(
        &mut table,
        "Statement",
        Node {
            value: Value::Array(statements),
            place: around.place.clone(),
        },
        &around.place,
    );
    Node {
        value: Value::Table(table),
        place: around.place.clone(),
    }
}

fn statement(node: &Node, written: &Table) -> Node {
    let mut made = Table::default();
    let effect = written.entry("effect");
    copy(&mut made, written, "sid", "Sid");
    push(
        &mut made,
        "Effect",
        effect.map_or_else(|| string("Allow", &node.place), |(_, node)| node.clone()),
        effect.map_or(&node.place, |(key, _)| &key.place),
    );
    for (key, member) in MEMBERS.into_iter().skip(1) {
        copy(&mut made, written, key, member);
    }
    Node {
        value: Value::Table(made),
        place: node.place.clone(),
    }
}

fn copy(made: &mut Table, written: &Table, key: &str, member: &str) {
    if let Some((key, node)) = written.entry(key) {
        push(made, member, node.clone(), &key.place);
    }
}

fn push(table: &mut Table, key: &str, node: Node, place: &Place) {
    table.entries.push((
        Key {
            text: key.to_owned(),
            template: None,
            place: place.clone(),
        },
        node,
    ));
}

fn string(text: &str, place: &Place) -> Node {
    Node {
        value: Value::String(text.to_owned()),
        place: place.clone(),
    }
}

fn trust_statement(node: &Node, written: &Table, title: &str, problems: &mut Problems) -> Node {
    let mut made = statement(node, written);
    let principal = principal(node, written, title, problems);
    let actions = default_actions(node, written, title, problems);
    let conditions = conditions(written, title, problems);
    let Value::Table(table) = &mut made.value else {
        return made;
    };
    table.entries.retain(|(key, _)| key.text != "Condition");
    // IAM's own order: Principal comes before Action.
    let at = table
        .entries
        .iter()
        .position(|(key, _)| key.text == "Effect")
        .map_or(0, |at| at + 1);
    let tail = table.entries.split_off(at.min(table.entries.len()));
    push(table, "Principal", principal, &node.place);
    if let Some(actions) = actions {
        push(table, "Action", actions, &node.place);
    }
    table.entries.extend(tail);
    if !conditions.entries.is_empty() {
        push(
            table,
            "Condition",
            Node {
                value: Value::Table(conditions),
                place: node.place.clone(),
            },
            &node.place,
        );
    }
    made
}

fn principal(node: &Node, written: &Table, title: &str, problems: &mut Problems) -> Node {
    let mut kinds = Table::default();
    for (key, kind) in PRINCIPALS {
        let Some((known, value)) = written.entry(key) else {
            continue;
        };
        if value.items().is_empty() || value.strings().iter().any(|(text, _)| text.is_empty()) {
            let message = format!("{title}: the principal `{key}` of its trust has no value");
            problems.push(
                Problem::error("value", &value.place, message).hint("name who may assume the role"),
            );
        }
        push(&mut kinds, kind, value.clone(), &known.place);
    }
    if kinds.entries.is_empty() {
        let message = format!("{title}: a trust statement names no principal");
        problems.push(
            Problem::error("missing-key", &node.place, message)
                .hint("aws, service, federated or canonical_user"),
        );
    }
    Node {
        value: Value::Table(kinds),
        place: node.place.clone(),
    }
}

/// The actions of a trust statement that writes none: they follow from its principals.
fn default_actions(
    node: &Node,
    written: &Table,
    title: &str,
    problems: &mut Problems,
) -> Option<Node> {
    if written.get("actions").is_some() || written.get("not_actions").is_some() {
        return None;
    }
    let mut needed: Vec<&[&str]> = Vec::new();
    for (key, _) in PRINCIPALS {
        for (text, place) in written.get(key).map(Node::strings).unwrap_or_default() {
            let actions = match key {
                "federated" => federated_actions(text),
                "service" => Some(service_actions(text)),
                _ => Some(ASSUME),
            };
            match actions {
                Some(actions) if !needed.contains(&actions) => needed.push(actions),
                Some(_) => {}
                None => {
                    let message = format!(
                        "{title}: `{text}` is neither an OIDC nor a SAML provider by its name"
                    );
                    problems.push(
                        Problem::error("value", place, message)
                            .hint("set `actions` in this statement"),
                    );
                }
            }
        }
    }
    let actions = match needed.as_slice() {
        [] => ASSUME,
        [actions] => actions,
        several => {
            let message =
                format!("{title}: a trust statement with two kinds of principals needs `actions`");
            let all: BTreeSet<&str> = several.iter().copied().flatten().copied().collect();
            let hint = format!("split it into two statements, or write actions = {all:?}");
            problems.push(Problem::error("missing-key", &node.place, message).hint(hint));
            ASSUME
        }
    };
    let texts = actions.iter().map(|action| string(action, &node.place));
    Some(match actions {
        [action] => string(action, &node.place),
        _ => Node {
            value: Value::Array(texts.collect()),
            place: node.place.clone(),
        },
    })
}

/// What every principal needs that no other one vouches for.
const ASSUME: &[&str] = &["sts:AssumeRole"];

fn service_actions(service: &str) -> &'static [&'static str] {
    let name = service.trim_end_matches(".cn");
    let known = SERVICE_ACTIONS.iter().find(|(known, _)| *known == name);
    known.map_or(ASSUME, |(_, actions)| actions)
}

fn federated_actions(provider: &str) -> Option<&'static [&'static str]> {
    match federation(provider) {
        Some(Federation::Oidc) => Some(&["sts:AssumeRoleWithWebIdentity"]),
        Some(Federation::Saml) => Some(&["sts:AssumeRoleWithSAML"]),
        // What is wrong with it is said of the document.
        None if provider.contains(":oidc-provider/") => Some(&["sts:AssumeRoleWithWebIdentity"]),
        None if provider.contains(":saml-provider/") => Some(&["sts:AssumeRoleWithSAML"]),
        None => None,
    }
}

/// The author's conditions with those of the short keys added.
fn conditions(written: &Table, title: &str, problems: &mut Problems) -> Table {
    let mut made = written
        .get("conditions")
        .and_then(Node::as_table)
        .cloned()
        .unwrap_or_default();
    let short = [
        ("external_id", "StringEquals", "sts:ExternalId"),
        ("organization_id", "StringEquals", "aws:PrincipalOrgID"),
        ("require_mfa", "Bool", "aws:MultiFactorAuthPresent"),
    ];
    for (key, operator, condition_key) in short {
        let Some((known, value)) = written.entry(key) else {
            continue;
        };
        let value = match value.as_bool() {
            Some(false) => continue,
            Some(true) => string("true", &value.place),
            None => value.clone(),
        };
        let same = |key: &Key| key.text.eq_ignore_ascii_case(condition_key);
        let block = made
            .entries
            .iter_mut()
            .find(|(key, _)| key.text == operator);
        match block.map(|(_, node)| &mut node.value) {
            Some(Value::Table(block)) if block.entries.iter().any(|(key, _)| same(key)) => {
                let message =
                    format!("{title}: `{key}` and a condition both set `{condition_key}`");
                problems.push(
                    Problem::error("duplicate", &known.place, message).hint("keep one of them"),
                );
            }
            Some(Value::Table(block)) => push(block, condition_key, value, &known.place),
            _ => {
                let mut block = Table::default();
                push(&mut block, condition_key, value, &known.place);
                let block = Node {
                    value: Value::Table(block),
                    place: known.place.clone(),
                };
                push(&mut made, operator, block, &known.place);
            }
        }
    }
    made
}
