//! Resources of one group that mean the same.

use std::collections::{BTreeMap, BTreeSet};

use super::reading::Reading;
use super::secret::Secrets;
use super::shape::{Candidate, Shape};
use crate::org::AccountId;

/// Equal resources, and the accounts that hold them.
#[derive(Debug)]
pub struct Class {
    /// The resource in the spelling that most accounts have.
    pub shape: Shape,
    /// The accounts.
    pub accounts: BTreeSet<AccountId>,
}

/// The classes of a group, the largest first; among equal ones the first has the smallest account id.
pub fn classes(group: Vec<Candidate>, reading: &Reading, secrets: &mut Secrets) -> Vec<Class> {
    let mut found: Vec<Vec<(AccountId, Shape)>> = Vec::new();
    let (of_management, others): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|it| it.other.is_some());
    for candidate in others {
        let Candidate {
            account,
            group,
            reading: shape,
            other: _,
        } = candidate;
        let shape = finished(shape, &group, account, reading, secrets);
        add(&mut found, account, shape);
    }
    for candidate in of_management {
        let Candidate {
            account,
            group,
            reading: first,
            other,
        } = candidate;
        let base = found.iter().max_by_key(|members| members.len());
        let shape = match (base.and_then(|members| members.first()), other) {
            (Some((_, base)), Some(second)) => first.mixed(&second, base),
            _ => first,
        };
        let shape = finished(shape, &group, account, reading, secrets);
        add(&mut found, account, shape);
    }
    let mut classes: Vec<Class> = found.into_iter().filter_map(class).collect();
    classes.sort_by_key(|class| {
        let smallest = class.accounts.first().copied();
        (std::cmp::Reverse(class.accounts.len()), smallest)
    });
    classes
}

fn finished(
    shape: Shape,
    group: &str,
    account: AccountId,
    reading: &Reading,
    secrets: &mut Secrets,
) -> Shape {
    let mut values = Vec::new();
    let shape = shape.finish(reading, &mut |value| {
        values.push(value.to_owned());
        Secrets::marker(group, values.len() - 1)
    });
    secrets.keep(group, account, values);
    shape
}

fn add(found: &mut Vec<Vec<(AccountId, Shape)>>, account: AccountId, shape: Shape) {
    let known = found.iter_mut().find(|members| {
        members
            .first()
            .is_some_and(|(_, first)| first.is_same(&shape))
    });
    match known {
        Some(members) => members.push((account, shape)),
        None => found.push(vec![(account, shape)]),
    }
}

/// The spelling of most accounts; among equally frequent ones the first in order.
fn class(members: Vec<(AccountId, Shape)>) -> Option<Class> {
    let accounts = members.iter().map(|(account, _)| *account).collect();
    let mut spellings: BTreeMap<String, (usize, Shape)> = BTreeMap::new();
    for (_, shape) in members {
        spellings.entry(shape.text()).or_insert((0, shape)).0 += 1;
    }
    let most = spellings.values().map(|(count, _)| *count).max()?;
    let mut spellings = spellings.into_values();
    let (_, shape) = spellings.find(|(count, _)| *count == most)?;
    Some(Class { shape, accounts })
}
