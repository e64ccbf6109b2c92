//! Equal changes in many accounts, shown once.
//!
//! Two changes are equal when resource, action, reason and differences are, word for word; a change that is alone in
//! its words is compared once more with its own account's id written `<account>`, so that ARNs do not keep apart what
//! is one change.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::org::AccountId;
use crate::plan::{Action, AttributeDiff, Change, Plan};

/// What represents the account's own id in what many accounts have in common.
pub const ACCOUNT: &str = "<account>";

/// How many accounts of a group are named before the rest is counted.
const NAMED: usize = 5;

/// An account as text: `prod (222222222222)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountName<'a> {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: &'a str,
}

impl std::fmt::Display for AccountName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.id)
    }
}

/// One change and the accounts it is made in.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// The change; where its words differ between the accounts by their ids alone, with [`ACCOUNT`] in their stead.
    pub change: Cow<'a, Change>,
    /// The accounts, in the plan's order; never empty.
    pub accounts: Vec<AccountName<'a>>,
    /// The writes in all of them.
    pub steps: usize,
}

impl Group<'_> {
    /// `role`, `policy`, `grant`, and the name.
    pub fn resource(&self) -> (&str, &str) {
        resource(&self.change.address)
    }

    /// Whether access widens where something existed before; all that is created widens.
    pub fn widens(&self) -> bool {
        self.change.action != Action::Create && self.change.diffs.iter().any(|diff| diff.widens)
    }

    /// What destroys comes first, then what widens access.
    fn rank(&self) -> (bool, u8) {
        let rank = match self.change.action {
            Action::Delete => 0,
            Action::Replace => 1,
            Action::Adopt | Action::Update if self.widens() => 2,
            Action::Adopt => 3,
            Action::Update => 4,
            Action::Create => 5,
        };
        (self.change.cosmetic, rank)
    }
}

/// The kind and the name in an address: `222222222222/role/X` is `("role", "X")`.
pub fn resource(address: &str) -> (&str, &str) {
    let (_, resource) = address.split_once('/').unwrap_or_default();
    resource.split_once('/').unwrap_or(("", resource))
}

/// The changes of a plan, equal ones together, the gravest first.
pub fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let changes = plan.accounts.iter().flat_map(|account| {
        let name = AccountName {
            id: account.id,
            name: &account.name,
        };
        account.changes.iter().map(move |change| (name, change))
    });
    let mut groups: Vec<Group<'_>> = fold(
        changes,
        |(_, change)| signature(change),
        |(name, change)| folded_signature(change, name.id),
    )
    .into_iter()
    .filter_map(|(members, folded)| group(&members, folded))
    .collect();
    groups.sort_by(|a, b| {
        (a.rank(), a.resource(), b.accounts.len()).cmp(&(b.rank(), b.resource(), a.accounts.len()))
    });
    groups
}

/// Whether the members of a bundle are the same only once their account ids are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// Word for word.
    Exact,
    /// But for the account's id.
    Folded,
}

/// Puts together what has one `exact` key, and then, of those left alone, what has one `folded` key.
///
/// Bundles come in the order of their first members.
pub fn fold<T: Copy, K: Ord>(
    items: impl Iterator<Item = T>,
    exact: impl Fn(&T) -> K,
    folded: impl Fn(&T) -> K,
) -> Vec<(Vec<T>, Sameness)> {
    let mut alone: Vec<(usize, T)> = Vec::new();
    let mut bundles: Vec<(usize, Vec<T>, Sameness)> = Vec::new();
    for members in bundle(items.enumerate(), |(_, item)| exact(item)) {
        match members.as_slice() {
            [single] => alone.push(*single),
            _ => bundles.extend(placed(members, Sameness::Exact)),
        }
    }
    for members in bundle(alone.into_iter(), |(_, item)| folded(item)) {
        let sameness = if members.len() == 1 {
            Sameness::Exact
        } else {
            Sameness::Folded
        };
        bundles.extend(placed(members, sameness));
    }
    bundles.sort_by_key(|(first, ..)| *first);
    bundles
        .into_iter()
        .map(|(_, members, sameness)| (members, sameness))
        .collect()
}

fn bundle<T, K: Ord>(items: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<Vec<T>> {
    let mut bundles: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for item in items {
        bundles.entry(key(&item)).or_default().push(item);
    }
    bundles.into_values().collect()
}

fn placed<T: Copy>(
    mut members: Vec<(usize, T)>,
    sameness: Sameness,
) -> Option<(usize, Vec<T>, Sameness)> {
    members.sort_by_key(|(place, _)| *place);
    let first = members.first()?.0;
    Some((
        first,
        members.into_iter().map(|(_, item)| item).collect(),
        sameness,
    ))
}

fn group<'a>(members: &[(AccountName<'a>, &'a Change)], sameness: Sameness) -> Option<Group<'a>> {
    let (account, change) = *members.first()?;
    let change = match sameness {
        Sameness::Exact => Cow::Borrowed(change),
        Sameness::Folded => Cow::Owned(fold_change(change, account.id)),
    };
    let steps = members.iter().map(|(_, change)| change.steps.len()).sum();
    Some(Group {
        change,
        accounts: members.iter().map(|(account, _)| *account).collect(),
        steps,
    })
}

/// What a reader sees of a change, as text. The steps follow from the differences and count only where there are none.
fn words(change: &Change) -> String {
    let Change {
        address,
        action,
        reason,
        cosmetic,
        cause,
        rolled_back,
        accepted: _,
        fingerprint: _,
        expected: _,
        details: _,
        watch: _,
        after: _,
        finish_after: _,
        diffs,
        steps,
    } = change;
    let steps = if diffs.is_empty() {
        steps.as_slice()
    } else {
        &[]
    };
    serde_json::to_string(&(
        resource(address),
        action,
        reason,
        cosmetic,
        (cause, rolled_back),
        diffs,
        steps,
    ))
    .unwrap_or_else(|_| address.clone())
}

fn signature(change: &Change) -> [u8; 32] {
    Sha256::digest(words(change)).into()
}

fn folded_signature(change: &Change, account: AccountId) -> [u8; 32] {
    Sha256::digest(fold_text(&words(change), account)).into()
}

/// `text` with the account's id replaced by [`ACCOUNT`].
pub fn fold_text(text: &str, account: AccountId) -> String {
    text.replace(account.as_str(), ACCOUNT)
}

fn fold_value(value: &Value, account: AccountId) -> Value {
    match value {
        Value::String(text) => Value::String(fold_text(text, account)),
        Value::Array(items) => items.iter().map(|item| fold_value(item, account)).collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, value)| (fold_text(key, account), fold_value(value, account)))
                .collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn fold_change(change: &Change, account: AccountId) -> Change {
    let mut folded = change.clone();
    folded.address = fold_text(&change.address, account);
    folded.reason = fold_text(&change.reason, account);
    folded
        .diffs
        .iter_mut()
        .for_each(|diff| fold_diff(diff, account));
    folded
}

fn fold_diff(diff: &mut AttributeDiff, account: AccountId) {
    diff.before = fold_value(&diff.before, account);
    diff.after = fold_value(&diff.after, account);
    for document in &mut diff.documents {
        document.policy = document
            .policy
            .as_ref()
            .map(|name| fold_text(name, account));
        for statement in &mut document.statements {
            statement.before = statement
                .before
                .as_ref()
                .map(|value| fold_value(value, account));
            statement.after = statement
                .after
                .as_ref()
                .map(|value| fold_value(value, account));
        }
    }
}

/// The names of a change's writes in order, runs of equal ones counted: `AttachRolePolicy ×3`.
pub fn operations(change: &Change) -> Vec<String> {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for step in &change.steps {
        let op = step.operation().name();
        match runs.last_mut() {
            Some((last, times)) if *last == op => *times += 1,
            _ => runs.push((op, 1)),
        }
    }
    runs.into_iter()
        .map(|(op, times)| {
            if times == 1 {
                op.to_owned()
            } else {
                format!("{op} ×{times}")
            }
        })
        .collect()
}

/// A list of accounts to print: all of them, or the first few and how many more.
pub fn shortened(accounts: &[impl ToString], all: bool) -> Vec<String> {
    let shown = if all || accounts.len() <= NAMED {
        accounts.len()
    } else {
        NAMED
    };
    let mut items: Vec<String> = accounts
        .iter()
        .take(shown)
        .map(ToString::to_string)
        .collect();
    if accounts.len() > shown {
        items.push(format!("+ {} more", accounts.len() - shown));
    }
    items
}
