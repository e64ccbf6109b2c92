//! Waves: which changes may start when.

use std::collections::{BTreeMap, BTreeSet};

use super::turn::planned;
use crate::org::AccountId;
use crate::plan::{Change, Plan};

/// One wave of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// What selects it, as written.
    pub title: String,
    /// Its accounts.
    pub accounts: BTreeSet<AccountId>,
}

/// The addresses of the changes of each wave. Without waves there is one, of everything.
///
/// A change goes in the wave of its account, or before: what a trust policy names must exist first, so it goes in the
/// wave of the first change that waits for it.
pub(super) fn of_changes(plan: &Plan, waves: &[Wave]) -> Vec<BTreeSet<String>> {
    let changes = || {
        plan.accounts
            .iter()
            .flat_map(|part| planned(part).map(|change| (part.id, change)))
    };
    if waves.is_empty() {
        return vec![
            changes()
                .map(|(_, change)| change.address.clone())
                .collect(),
        ];
    }
    let mut wave_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_address: BTreeMap<&str, &Change> = BTreeMap::new();
    for (account, change) in changes() {
        by_address.insert(&change.address, change);
        let own = waves
            .iter()
            .position(|wave| wave.accounts.contains(&account));
        wave_of.extend(own.map(|wave| (change.address.as_str(), wave)));
    }
    let mut open: Vec<(&str, usize)> = wave_of
        .iter()
        .map(|(address, wave)| (*address, *wave))
        .collect();
    while let Some((address, wave)) = open.pop() {
        let Some(change) = by_address.get(address) else {
            continue;
        };
        for needed in change
            .after
            .iter()
            .chain(&change.finish_after)
            .map(String::as_str)
        {
            if by_address.contains_key(needed)
                && wave_of.get(needed).is_none_or(|known| *known > wave)
            {
                wave_of.insert(needed, wave);
                open.push((needed, wave));
            }
        }
    }
    let of = |number: usize| {
        wave_of
            .iter()
            .filter(move |(_, wave)| **wave == number)
            .map(|(at, _)| (*at).to_owned())
    };
    (0..waves.len())
        .map(|number| of(number).collect())
        .collect()
}
