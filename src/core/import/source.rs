//! Where something comes from that is imported.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A place in a file.
    File {
        /// As the user names it.
        file: Arc<str>,
        /// One-based.
        line: usize,
        /// One-based, in characters.
        column: usize,
    },
    /// `account/role/NAME`, or a Terraform address.
    Address(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Address(address) => f.write_str(address),
        }
    }
}

impl Source {
    /// As reports have it.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::File { file, line, column } => {
                json!({"file": &**file, "line": line, "column": column})
            }
            Self::Address(address) => address.as_str().into(),
        }
    }
}
