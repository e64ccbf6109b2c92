//! What changed between two documents, statement by statement.

use super::{PolicyDocument, StatementDiff};

impl PolicyDocument {
    /// What changed, statement by statement: widening first, then narrowing, then cosmetic.
    pub fn statement_diffs(&self, _after: &Self) -> Vec<StatementDiff> {
        unimplemented!()
    }
}
