//! A set of accounts as targets.

use std::collections::{BTreeMap, BTreeSet};

use crate::import::draft::{Named, Selector, Targets};
use crate::import::observed::Observed;
use crate::org::{Account, AccountId, Organization, OuPath, Partition};

/// How variance and targets are written.
#[derive(Debug, Clone, Copy)]
pub struct Folding<'a> {
    /// The organization, where it is known; its units become targets.
    pub organization: Option<&'a Organization>,
    /// Whether units may stand for their accounts.
    pub units: Units,
    /// The partition of what was observed.
    pub partition: &'a Partition,
}

/// Whether organizational units may stand for all of their accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// They may: accounts that join a unit later get the role too.
    Fold,
    /// Every account is named by its id.
    Never,
}

/// The targets that are exactly these accounts.
///
/// Among the active accounts of the organization, those that were not read count as others. A unit stands for its
/// accounts where all that are active in it, nested ones included, are meant and they are two at least.
pub fn targets(
    accounts: &BTreeSet<AccountId>,
    observed: &Observed,
    folding: Folding<'_>,
) -> Targets {
    let name = |id: &AccountId| observed.accounts.get(id).and_then(|it| it.name.clone());
    let ids = |left: &BTreeSet<AccountId>| {
        let named = left.iter().map(|id| Named {
            id: id.to_string(),
            name: name(id),
        });
        (!left.is_empty()).then(|| Selector {
            account: named.collect(),
            ..Selector::default()
        })
    };
    let Some(organization) = folding
        .organization
        .filter(|_| folding.units == Units::Fold)
    else {
        return Targets::Some(ids(accounts).into_iter().collect());
    };
    let active: Vec<&Account> = organization
        .accounts
        .values()
        .filter(|account| account.status.is_active())
        .collect();
    if active.iter().all(|account| accounts.contains(&account.id)) {
        return Targets::All;
    }
    let mut left = accounts.clone();
    let mut chosen: Vec<&OuPath> = Vec::new();
    // Shorter paths are further out.
    let units: BTreeMap<(usize, &str), &OuPath> = organization
        .units
        .values()
        .filter(|path| !path.0.is_empty())
        .map(|path| ((path.0.matches('/').count(), path.0.as_str()), path))
        .collect();
    for path in units.into_values() {
        if chosen.iter().any(|outer| path.is_within(outer)) {
            continue;
        }
        let within: Vec<AccountId> = active
            .iter()
            .filter(|account| account.ou.is_within(path))
            .map(|account| account.id)
            .collect();
        if within.len() >= 2 && within.iter().all(|id| accounts.contains(id)) {
            chosen.push(path);
            for id in within {
                left.remove(&id);
            }
        }
    }
    let units = (!chosen.is_empty())
        .then(|| Selector::units(chosen.into_iter().map(|path| path.0.as_str())));
    Targets::Some(units.into_iter().chain(ids(&left)).collect())
}
