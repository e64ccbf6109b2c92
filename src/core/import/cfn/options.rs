//! What a caller asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::super::draft::Selector;

/// What a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Values of parameters.
    pub parameters: BTreeMap<String, String>,
    /// Whether the values given are put in, and no variables are made of them.
    pub resolve: bool,
    /// The account that the stack is in: an id, or `management`.
    pub stack_account: Option<String>,
    /// Regions: one, or several for copies of what has the region in its name.
    pub regions: Vec<String>,
    /// Where the roles go, instead of the accounts of the stack.
    pub targets: Vec<Selector>,
    /// Names of roles and policies by logical id.
    pub role_names: BTreeMap<String, String>,
    /// Logical ids of roles that are imported though the stack's own resources use them; `services`: all of these.
    pub include: BTreeSet<String>,
    /// Names and texts of templates that others name, by URL, logical id or file name.
    pub nested: BTreeMap<String, (String, String)>,
}
