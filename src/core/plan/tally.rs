//! What is counted while an account is planned.

use std::collections::BTreeMap;

use super::{Change, Converged, Finding};

/// What is counted while an account is planned.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) changes: Vec<Change>,
    pub(super) findings: Vec<Finding>,
    pub(super) unchanged: usize,
    pub(super) owned: usize,
    pub(super) orphans: usize,
    pub(super) desired: usize,
    pub(super) seen: BTreeMap<String, Converged>,
}
