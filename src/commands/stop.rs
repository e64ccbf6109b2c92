//! Why a command could not do its work.

use crate::config::Problems;
use crate::org::AwsError;
use crate::report::style::count;
use crate::store::StoreError;

/// Why a command ended before its work was done. Every one is exit code 1.
#[derive(Debug)]
pub enum Stop {
    /// The desired state has errors.
    Desired(Problems),
    /// AWS refused something without which there is no run.
    Aws(AwsError),
    /// Anything else, and how to mend it.
    Other {
        /// What went wrong.
        message: String,
        /// How to mend it.
        hint: Option<String>,
    },
    /// Standard output was closed by its reader.
    ClosedPipe,
}

impl Stop {
    /// A stop with words only.
    pub fn because(message: impl Into<String>) -> Self {
        Self::Other { message: message.into(), hint: None }
    }

    /// What went wrong, in a line; nothing where nobody is left to be told.
    pub fn summary(&self) -> Option<String> {
        match self {
            Self::Desired(problems) => Some(count(problems.errors(), "problem") + " in the desired state"),
            Self::Aws(error) => Some(error.to_string()),
            Self::Other { message, .. } => Some(message.clone()),
            Self::ClosedPipe => None,
        }
    }

    /// A stop with words and a way out.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other { message: message.into(), hint: Some(hint.into()) }
    }
}

impl From<Problems> for Stop {
    fn from(problems: Problems) -> Self {
        Self::Desired(problems)
    }
}

impl From<AwsError> for Stop {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Other { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::because(format!("cannot write the output: {error}"))
        }
    }
}
