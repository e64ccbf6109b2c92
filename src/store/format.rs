//! The format of a state, and whose it is.

use serde::{Deserialize, Serialize};

/// The version of everything in a state.
pub const FORMAT: &str = "rolecall-state/1";

/// The shell a state is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The organization's id.
    pub organization: String,
    /// The directory's `name`.
    pub name: String,
}
