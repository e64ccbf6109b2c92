//! Of which changes the author is looked up.

use std::collections::BTreeMap;

use super::Drift;
use super::who::Who;
use crate::plan::Change;

impl Drift {
    /// Whether a change needs attention, so that its author is looked up.
    pub fn is_culpable(&self, change: &Change) -> bool {
        self.judgement(change)
            .is_some_and(|judgement| judgement.standing.is_drift())
    }

    fn culpable(&self) -> impl Iterator<Item = &Change> {
        self.plan
            .accounts
            .iter()
            .flat_map(|part| &part.changes)
            .filter(|change| self.is_culpable(change))
    }

    /// What an earlier check found about the very same differences.
    pub fn known_from<'a>(&self, before: &'a Self) -> BTreeMap<&'a str, &'a Who> {
        let now: BTreeMap<&str, &Change> = self
            .culpable()
            .map(|change| (change.address.as_str(), change))
            .collect();
        let same = before
            .culpable()
            .filter(|change| now.get(change.address.as_str()) == Some(change));
        same.filter_map(|change| Some((change.address.as_str(), before.who.get(&change.address)?)))
            .collect()
    }
}
