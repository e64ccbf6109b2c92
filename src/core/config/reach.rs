//! What a directory touches beyond IAM of member accounts, as far as that is known without AWS.

use super::resource::{Kind, Resource};
use super::tree::{Node, Table, Value};
use super::{Config, target};
use crate::org::OuRef;

impl Config {
    /// Whether account tags decide about anything, so that they are read.
    pub fn reads_account_tags(&self) -> bool {
        let selects = |resource: &Resource| {
            let selectors = resource
                .targets
                .iter()
                .chain(&resource.exclude)
                .flat_map(selectors);
            selectors
                .flat_map(|table| &table.entries)
                .any(|(key, _)| key.text == "tags")
        };
        self.rollout.uses_tags()
            || self.checks.iter().any(|check| check.uses_tags)
            || self
                .resources
                .iter()
                .any(|resource| resource.uses_tags || selects(resource))
    }

    /// Whether a target takes in the management account without naming it by its id, its name or its unit.
    pub fn takes_in_management(&self) -> bool {
        let takes = |resource: &Resource| match resource.kind {
            Kind::Role | Kind::Policy | Kind::Attachment => {
                let kept_out = resource.exclude.as_ref().is_some_and(keeps_out_management);
                !kept_out && resource.targets.as_ref().is_some_and(takes_in_management)
            }
            Kind::Grant => {
                let to = resource.node.as_table().and_then(|table| table.get("to"));
                let accounts = to
                    .into_iter()
                    .flat_map(selectors)
                    .filter_map(|table| table.get("account"));
                accounts
                    .flat_map(Node::strings)
                    .any(|(text, _)| text == "management")
            }
        };
        self.resources.iter().any(takes)
    }
}

/// The tables of a list of selectors, or of one.
fn selectors(node: &Node) -> Vec<&Table> {
    match &node.value {
        Value::Array(items) => items.iter().filter_map(Node::as_table).collect(),
        _ => node.as_table().into_iter().collect(),
    }
}

/// `exclude = [{ account = "management" }]`
fn keeps_out_management(exclude: &Node) -> bool {
    let whole = selectors(exclude)
        .into_iter()
        .filter(|table| table.entries.len() == 1);
    let mut accounts = whole
        .filter_map(|table| table.get("account"))
        .flat_map(Node::strings);
    accounts.any(|(text, _)| text == "management")
}

fn takes_in_management(targets: &Node) -> bool {
    let texts = |table: &Table, key: &str| -> Option<Vec<String>> {
        Some(
            table
                .get(key)?
                .strings()
                .into_iter()
                .map(|(text, _)| text.to_owned())
                .collect(),
        )
    };
    let selects = |table: &Table| match (texts(table, "account"), texts(table, "ou")) {
        (Some(accounts), _) => accounts
            .iter()
            .any(|account| account == "management" || account.contains('*')),
        (None, Some(units)) => units.iter().any(|unit| match target::unit(unit) {
            OuRef::Path(path) => path.0.is_empty(),
            OuRef::Id(id) => id.starts_with("r-"),
        }),
        (None, None) => true,
    };
    // `targets = "all"`, or an expression.
    selectors(targets).into_iter().any(selects) || !matches!(targets.value, Value::Array(_))
}
