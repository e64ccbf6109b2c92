//! Values that are shown nowhere: external ids, which only the two sides should know, and all values of a document that its
//! source marks as sensitive.
//!
//! While a document is read they are hidden: marked as what they are, so that they have no say in the order of
//! statements. Then each gets a marker of its own, and in the end the name of a sensitive variable. Source: IAM User Guide,
//! "Access to AWS accounts owned by third parties"; AWS calls an external id no secret, its owners mostly do.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names::{Names, slug};
use crate::import::draft::{Draft, Variable};
use crate::org::AccountId;

/// The values of variables, by account.
pub type Values = BTreeMap<AccountId, BTreeMap<String, Value>>;

/// What a hidden value begins with. No text of IAM holds it.
const HIDDEN: &str = "\u{0}";

/// The values that were found, by group and number, with those of each account.
#[derive(Debug, Default)]
pub struct Secrets {
    found: BTreeMap<(String, usize), BTreeMap<AccountId, String>>,
}

/// Hides the external ids of a trust policy, save those that are the account's own id or only wildcards.
pub fn hide(document: &mut Value, account: AccountId) {
    let statements = document
        .get_mut("Statement")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    let conditions = statements.filter_map(|it| it.get_mut("Condition")?.as_object_mut());
    for keys in conditions
        .flat_map(|it| it.values_mut())
        .filter_map(Value::as_object_mut)
    {
        let ids = keys
            .iter_mut()
            .filter(|(key, _)| key.eq_ignore_ascii_case("sts:ExternalId"));
        for (_, values) in ids {
            match values {
                Value::Array(items) => items.iter_mut().for_each(|it| hide_text(it, account)),
                value => hide_text(value, account),
            }
        }
    }
}

/// What the values of a document begin with, once hidden, that are not external ids.
const OTHER: char = '\u{1}';

/// Hides what a document that is sensitive as a whole says of principals, resources and conditions. What it allows to do,
/// and how it compares, is not a secret, because then no one could review it.
pub fn hide_values(document: &mut Value, account: AccountId) {
    let statements = document
        .get_mut("Statement")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    for members in statements.filter_map(Value::as_object_mut) {
        for (key, value) in members {
            match key.as_str() {
                "Resource" | "NotResource" | "Principal" | "NotPrincipal" | "Condition" => {
                    hide_all(value, account);
                }
                _ => {}
            }
        }
    }
}

fn hide_all(value: &mut Value, account: AccountId) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|it| hide_all(it, account)),
        // The name of a service is public.
        Value::Object(members) => members
            .iter_mut()
            .filter(|(key, _)| *key != "Service")
            .for_each(|(_, it)| hide_all(it, account)),
        Value::String(text) => {
            let is_truth = ["true", "false"]
                .iter()
                .any(|it| text.eq_ignore_ascii_case(it));
            if !is_hidden(text) && !is_open(text) && !is_truth && text != account.as_str() {
                *value = Value::String(format!("{HIDDEN}{OTHER}{text}"));
            }
        }
        Value::Number(number) => *value = Value::String(format!("{HIDDEN}{OTHER}{number}")),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Whether a text is only wildcards.
fn is_open(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '*' | '?'))
}

fn hide_text(value: &mut Value, account: AccountId) {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if !is_open(&text) && text != account.as_str() {
        *value = Value::String(format!("{HIDDEN}{text}"));
    }
}

/// Whether a text is a hidden value.
pub fn is_hidden(text: &str) -> bool {
    text.starts_with(HIDDEN)
}

/// Replaces each hidden value by what `marker` makes of it.
pub fn reveal(value: &mut Value, marker: &mut dyn FnMut(&str) -> String) {
    match value {
        Value::String(text) => {
            if let Some(hidden) = text.strip_prefix(HIDDEN) {
                *text = marker(hidden);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| reveal(it, marker)),
        Value::Object(members) => members.values_mut().for_each(|it| reveal(it, marker)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Secrets {
    /// The marker for the value with this number in the group.
    pub fn marker(group: &str, number: usize) -> String {
        format!("{HIDDEN}{number}{HIDDEN}{group}")
    }

    /// Keeps the values of one account, in their order.
    pub fn keep(&mut self, group: &str, account: AccountId, values: Vec<String>) {
        for (number, value) in values.into_iter().enumerate() {
            let of_accounts = self.found.entry((group.to_owned(), number)).or_default();
            of_accounts.insert(account, value);
        }
    }

    /// Makes the variables, and puts them in the place of the markers. Equal values share one.
    pub fn write(self, draft: &mut Draft, values: &mut Values, names: &mut Names) {
        let mut shared: BTreeMap<Shared, String> = BTreeMap::new();
        let mut by_marker = BTreeMap::new();
        for ((group, number), mut of_accounts) in self.found {
            let mut kind = Hidden::ExternalId;
            for value in of_accounts.values_mut() {
                if let Some(other) = value.strip_prefix(OTHER) {
                    kind = Hidden::Other;
                    *value = other.to_owned();
                }
            }
            let marker = Self::marker(&group, number);
            let key = Shared::of(&of_accounts);
            let name = shared.entry(key.clone()).or_insert_with(|| {
                let role = group.split_once('/').map_or(&*group, |(_, name)| name);
                let role = role.rsplit('/').next().unwrap_or(role);
                let (word, what) = match kind {
                    Hidden::ExternalId => ("external_id", "an external id"),
                    Hidden::Other => ("secret", "a value that the source marks as sensitive"),
                };
                let name = names.variable(&format!("{}_{word}", slug(role)));
                let mut variable = Variable::new(&name, "string", format!("{what}, of `{role}`"));
                variable.sensitive = true;
                variable.description = Some(what.to_owned());
                match key {
                    Shared::Everywhere(value) => variable.secret = Some(value.into()),
                    // A file of values is stronger than an account's own, so it cannot hold any of these.
                    Shared::Each(each) => {
                        for (account, value) in each {
                            values
                                .entry(account)
                                .or_default()
                                .insert(name.clone(), value.into());
                        }
                    }
                }
                draft.variables.push(variable);
                name
            });
            by_marker.insert(marker, format!("{{{{ var.{name} }}}}"));
        }
        let of_roles = draft.roles.iter_mut().flat_map(|role| {
            let inline = role.inline_policies.iter_mut().flatten();
            inline
                .map(|policy| &mut policy.document)
                .chain([&mut role.trust])
        });
        let of_policies = draft.policies.iter_mut().map(|policy| &mut policy.document);
        for document in of_roles.chain(of_policies) {
            for statement in &mut document.statements {
                for member in statement.body.values_mut() {
                    replace(member, &by_marker);
                }
            }
        }
    }
}

/// What a hidden value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hidden {
    ExternalId,
    Other,
}

/// What decides whether two external ids are one variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shared {
    Everywhere(String),
    Each(BTreeMap<AccountId, String>),
}

impl Shared {
    fn of(values: &BTreeMap<AccountId, String>) -> Self {
        let mut distinct: Vec<&String> = values.values().collect();
        distinct.dedup();
        match distinct.as_slice() {
            [one] => Self::Everywhere((*one).clone()),
            _ => Self::Each(values.clone()),
        }
    }
}

fn replace(value: &mut Value, by: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(expression) = by.get(text) {
                text.clone_from(expression);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| replace(it, by)),
        Value::Object(members) => members.values_mut().for_each(|it| replace(it, by)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
