//! Which accounts a resource goes to: `targets` and `exclude`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use super::expr::Template;
use super::module::Instance;
use super::place::Place;
use super::problem::{Problem, Problems, did_you_mean};
use super::tree::{Node, Table, Value};
use crate::org::{Account, AccountId, AccountPattern, Organization, OuPath, OuRef, Selector};

static ALL: LazyLock<Arc<str>> = LazyLock::new(|| "all".into());

/// A selector, and how it is written.
#[derive(Debug, Clone)]
pub struct WrittenSelector {
    /// What it selects.
    pub selector: Selector,
    /// Its text: `ou = "Workloads"`.
    pub text: Arc<str>,
    places: Places,
    /// Whether a list in it is empty: it asks for one of none, and selects nothing.
    is_empty: bool,
}

#[derive(Debug, Clone)]
struct Places {
    table: Place,
    accounts: Vec<Place>,
    units: Vec<Place>,
}

/// A list of selectors, of which any may match; `None` in place of it means all accounts.
#[derive(Debug, Clone, Default)]
pub struct Targeting {
    /// The selectors; `None`: every account.
    pub selectors: Option<Vec<WrittenSelector>>,
}

/// Whether account tags count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagMatching {
    /// Tags of accounts are known and matched.
    Exact,
    /// Tags are not known yet: whatever may match once they are read.
    Possible,
}

impl Targeting {
    /// The text of the first selector that matches `account`.
    pub fn matching(
        &self,
        account: &Account,
        organization: &Organization,
        tags: TagMatching,
    ) -> Option<Arc<str>> {
        let Some(selectors) = &self.selectors else {
            return Some(ALL.clone());
        };
        let found = selectors
            .iter()
            .find(|written| written.matches(account, organization, tags));
        found.map(|written| written.text.clone())
    }

    /// Whether any selector asks for account tags.
    pub fn uses_tags(&self) -> bool {
        self.selectors
            .iter()
            .flatten()
            .any(|written| !written.selector.tags.is_empty())
    }

    /// The texts of the selectors that match no account; of a list without selectors, the empty list.
    pub fn unmatched(&self, organization: &Organization) -> Vec<Arc<str>> {
        let Some(selectors) = &self.selectors else {
            return Vec::new();
        };
        if selectors.is_empty() {
            return vec!["".into()];
        }
        let matches = |written: &&WrittenSelector| {
            let mut accounts = organization.accounts.values();
            accounts.any(|account| written.selector.matches(account, organization))
        };
        selectors
            .iter()
            .filter(|written| !matches(written))
            .map(|written| written.text.clone())
            .collect()
    }

    /// Reports accounts and units that do not exist, and selectors that match nothing.
    pub fn check(&self, organization: &Organization, problems: &mut Problems) {
        for written in self.selectors.iter().flatten() {
            let before = problems.iter().len();
            written.check_accounts(organization, problems);
            written.check_units(organization, problems);
            let matches = organization
                .accounts
                .values()
                .any(|account| written.matches(account, organization, TagMatching::Exact));
            if !matches && problems.iter().len() == before {
                let message = format!("the selector {{ {} }} matches no account", written.text);
                problems.push(Problem::warning("selector", &written.places.table, message));
            }
        }
    }
}

impl WrittenSelector {
    fn matches(&self, account: &Account, organization: &Organization, tags: TagMatching) -> bool {
        if self.is_empty {
            return false;
        }
        match tags {
            TagMatching::Exact => self.selector.matches(account, organization),
            TagMatching::Possible => {
                let selector = Selector {
                    tags: BTreeMap::new(),
                    ..self.selector.clone()
                };
                selector.matches(account, organization)
            }
        }
    }

    fn check_accounts(&self, organization: &Organization, problems: &mut Problems) {
        for (pattern, place) in self.selector.accounts.iter().zip(&self.places.accounts) {
            match pattern {
                AccountPattern::Id(id) if !organization.accounts.contains_key(id) => {
                    let message = format!(
                        "account {id} does not exist in organization {}",
                        organization.id
                    );
                    let hint = did_you_mean(
                        id.as_str(),
                        organization.accounts.keys().map(AccountId::as_str),
                    );
                    problems.push(Problem::error("selector", place, message).maybe_hint(hint));
                }
                AccountPattern::Name(name) if !name.contains('*') => {
                    let names = || {
                        organization
                            .accounts
                            .values()
                            .map(|account| account.name.as_str())
                    };
                    let called: Vec<&str> = organization
                        .accounts
                        .values()
                        .filter(|account| account.name == *name)
                        .map(|account| account.id.as_str())
                        .collect();
                    if called.len() > 1 {
                        let message = format!(
                            "{} accounts are called `{name}`, and this selects all of them: {}",
                            called.len(),
                            called.join(", ")
                        );
                        problems.push(
                            Problem::warning("selector", place, message)
                                .hint("write the id to select one of them"),
                        );
                    } else if called.is_empty() {
                        let message = format!("no account is called `{name}`");
                        problems.push(
                            Problem::warning("selector", place, message)
                                .maybe_hint(did_you_mean(name, names())),
                        );
                    }
                }
                AccountPattern::Id(_) | AccountPattern::Management | AccountPattern::Name(_) => {}
            }
        }
    }

    fn check_units(&self, organization: &Organization, problems: &mut Problems) {
        for (unit, place) in self.selector.units.iter().zip(&self.places.units) {
            let (known, text, hint) = match unit {
                OuRef::Id(id) => (
                    organization.units.contains_key(id),
                    id.as_str(),
                    did_you_mean(id, organization.units.keys().map(String::as_str)),
                ),
                OuRef::Path(path) => (
                    path.0.is_empty() || organization.units.values().any(|known| known == path),
                    path.0.as_str(),
                    similar_unit(path, organization),
                ),
            };
            if !known {
                let message = format!(
                    "organizational unit `{text}` does not exist in organization {}",
                    organization.id
                );
                problems.push(Problem::error("selector", place, message).maybe_hint(hint));
            }
        }
    }
}

/// The path that was probably meant: a similar one, or one that ends like this.
fn similar_unit(path: &OuPath, organization: &Organization) -> Option<String> {
    let paths = || organization.units.values().map(|path| path.0.as_str());
    did_you_mean(&path.0, paths()).or_else(|| {
        let last = path.0.trim_matches('/').rsplit('/').next()?;
        let found = paths().find(|known| known.rsplit('/').next() == Some(last))?;
        Some(format!("did you mean `{found}`? A path starts at the root"))
    })
}

/// Checks `targets` or `exclude` before expressions are evaluated. Selectors are evaluated once and not for each account,
/// so a `when` in one of them cannot ask for anything that differs between accounts.
pub(super) fn check_written(
    node: &Node,
    title: &str,
    instance: &Instance,
    problems: &mut Problems,
) {
    let Value::Array(items) = &node.value else {
        return;
    };
    if items.is_empty() {
        let message = format!("`targets` of {title} is empty: it goes to no account");
        let problem = Problem::warning("selector", &node.place, message);
        problems.push(problem.hint("targets = \"all\", or a list of selectors"));
    }
    for table in items.iter().filter_map(Node::as_table) {
        let Some(node) = table.get("when") else {
            continue;
        };
        if table.entries.len() == 1 {
            let message = "a selector with `when` alone selects nothing in particular";
            problems.push(
                Problem::error("selector", &node.place, message)
                    .hint("name an account, ou or tags beside it"),
            );
        }
        let varies = |template: &Template| template.uses().any(|name| instance.name_varies(name));
        if matches!(&node.value, Value::Template(template) if varies(template)) {
            let message = format!(
                "the `when` of this selector differs between accounts, and the selectors of {title} are evaluated once"
            );
            let hint = "write it as the `when` of the resource itself, which is evaluated for each account";
            problems.push(Problem::error("selector", &node.place, message).hint(hint));
        }
    }
}

/// Reads `targets`, as rendered.
pub fn targets(node: &Node, problems: &mut Problems) -> Option<Targeting> {
    match &node.value {
        Value::String(text) if text == "all" => Some(Targeting { selectors: None }),
        Value::Array(items) => parse(items, problems),
        _ => None,
    }
}

/// Reads a list of selectors, as rendered.
pub fn parse(nodes: &[Node], problems: &mut Problems) -> Option<Targeting> {
    let selectors: Option<Vec<WrittenSelector>> =
        nodes.iter().map(|node| selector(node, problems)).collect();
    Some(Targeting {
        selectors: Some(selectors?),
    })
}

fn selector(node: &Node, problems: &mut Problems) -> Option<WrittenSelector> {
    let table = node.as_table()?;
    let accounts = list(table, "account");
    let units = list(table, "ou");
    let tags = table.get("tags").and_then(Node::as_table);
    if table.entries.is_empty() {
        let problem = Problem::error("selector", &node.place, "a selector must not be empty");
        problems.push(
            problem.hint("set account, ou or tags; for every account write targets = \"all\""),
        );
        return None;
    }
    let is_list = |node: &Node| node.as_array().is_some_and(<[Node]>::is_empty);
    let values = table.entries.iter().flat_map(|(_, node)| {
        let inner = node.as_table().into_iter().flat_map(|table| &table.entries);
        std::iter::once(node).chain(inner.map(|(_, node)| node))
    });
    let is_empty = values.into_iter().any(is_list);
    for (key, value) in &table.entries {
        let empty = value
            .as_table()
            .is_some_and(|table| table.entries.is_empty());
        if empty || (key.text == "account" && value.as_str() == Some("")) {
            let message = format!("`{}` of this selector has no value", key.text);
            problems.push(
                Problem::error("selector", &value.place, message)
                    .hint("remove it, or give it a value"),
            );
            return None;
        }
    }
    for (text, place) in &accounts {
        check_account_text(text, place, problems);
    }
    let selector = Selector {
        accounts: accounts
            .iter()
            .map(|(text, _)| AccountPattern::parse(text))
            .collect(),
        units: units.iter().map(|(text, _)| unit(text)).collect(),
        tags: tags.map(tag_values).unwrap_or_default(),
    };
    let places =
        |found: &[(&str, &Place)]| found.iter().map(|(_, place)| (*place).clone()).collect();
    Some(WrittenSelector {
        text: describe(table).into(),
        places: Places {
            table: node.place.clone(),
            accounts: places(&accounts),
            units: places(&units),
        },
        selector,
        is_empty,
    })
}

fn list<'a>(table: &'a Table, key: &str) -> Vec<(&'a str, &'a Place)> {
    table.get(key).map(Node::strings).unwrap_or_default()
}

fn tag_values(table: &Table) -> BTreeMap<String, BTreeSet<String>> {
    let values = |node: &Node| {
        node.strings()
            .into_iter()
            .map(|(text, _)| text.to_owned())
            .collect()
    };
    table
        .entries
        .iter()
        .map(|(key, node)| (key.text.clone(), values(node)))
        .collect()
}

/// Digits that are not an id are a mistyped id, never a name.
pub(super) fn check_account_text(text: &str, place: &Place, problems: &mut Problems) {
    if text.len() >= 9
        && text.chars().all(|c| c.is_ascii_digit())
        && AccountId::parse(text).is_err()
    {
        let message = format!(
            "`{text}` is not an account id: it must be 12 digits, it has {}",
            text.len()
        );
        problems.push(Problem::error("selector", place, message));
    }
}

/// Reads what an `ou` names.
///
/// Source: Organizations API, `OrganizationalUnit.Id` and `Root.Id`.
pub fn unit(text: &str) -> OuRef {
    let lower = |text: &str, length: std::ops::RangeInclusive<usize>| {
        length.contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    let is_unit = text
        .strip_prefix("ou-")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(root, own)| lower(root, 4..=32) && lower(own, 8..=32));
    let is_root = text
        .strip_prefix("r-")
        .is_some_and(|rest| lower(rest, 4..=32));
    if is_unit || is_root {
        OuRef::Id(text.to_owned())
    } else {
        OuRef::Path(OuPath(text.to_owned()))
    }
}

fn describe(table: &Table) -> String {
    let texts: Vec<String> = table
        .entries
        .iter()
        .map(|(key, node)| format!("{} = {}", key.text, describe_value(node)))
        .collect();
    texts.join(", ")
}

fn describe_value(node: &Node) -> String {
    match &node.value {
        Value::Table(table) => format!("{{ {} }}", describe(table)),
        Value::Array(items) => format!(
            "[{}]",
            items
                .iter()
                .map(describe_value)
                .collect::<Vec<_>>()
                .join(", ")
        ),
        _ => node.to_json().to_string(),
    }
}
