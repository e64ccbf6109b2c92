//! What a run has to write, and what it wrote.

use std::collections::BTreeSet;

use crate::execute::{ChangeResult, RunReport};
use crate::plan::Plan;

/// What a run did.
pub(super) struct Written {
    pub report: RunReport,
    /// Whether a request may still be on its way to AWS.
    pub in_flight: bool,
}

/// What a run writes.
pub(super) struct Task {
    pub plan: Plan,
    /// The changes of a saved plan that are not written, and what is reported of them.
    pub left: Vec<ChangeResult>,
    /// Addresses that an earlier run finished.
    pub finished: BTreeSet<String>,
}

impl Task {
    /// The report of the whole saved plan, given that of what was written.
    pub(super) fn whole(&self, written: RunReport) -> RunReport {
        let mut results = [written.results, self.left.clone()].concat();
        // As a plan has them: by account. Within one the order of what was written stays.
        results.sort_by(|one, other| account_of(one).cmp(account_of(other)));
        RunReport::new(written.run, results)
    }
}

fn account_of(result: &ChangeResult) -> &str {
    result.address.split('/').next().unwrap_or_default()
}
