//! Why an operation ended before its work was done.

use std::time::Duration;

use crate::config::Problems;
use crate::exit::Exit;
use crate::org::AwsError;
use crate::report::style::count;
use crate::store::StoreError;

/// Why an operation ended before its work was done.
#[derive(Debug)]
pub enum Error {
    /// The desired state has errors.
    Desired(Problems),
    /// AWS refused something without which there is no run.
    Aws(AwsError),
    /// Anything else, and how to fix it.
    Other {
        /// What went wrong.
        message: String,
        /// How to fix it.
        hint: Option<String>,
    },
    /// No error, but the end nevertheless: a lease that another run holds, a signal.
    Ended {
        /// How it ends.
        exit: Exit,
        /// Why it ends.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Standard output was closed by its reader.
    ClosedPipe,
}

impl Error {
    /// An error with words only.
    pub fn because(message: impl Into<String>) -> Self {
        Self::Other {
            message: message.into(),
            hint: None,
        }
    }

    /// What went wrong, in a line; nothing where no output is left.
    pub fn summary(&self) -> Option<String> {
        match self {
            Self::Desired(problems) => {
                Some(count(problems.errors(), "problem") + " in the desired state")
            }
            Self::Aws(error) => Some(error.to_string()),
            Self::Other { message, .. } | Self::Ended { message, .. } => Some(message.clone()),
            Self::ClosedPipe => None,
        }
    }

    /// What went wrong, in a line, said in the middle of another sentence.
    pub fn why(&self) -> String {
        self.summary()
            .unwrap_or_else(|| "standard output was closed".to_owned())
    }

    /// How it ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Ended { exit, .. } => *exit,
            Self::Desired(_) | Self::Aws(_) | Self::Other { .. } | Self::ClosedPipe => Exit::Error,
        }
    }

    /// Nothing is written, though it could be.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Ended {
            exit: Exit::Refused,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// A signal came before anything was written.
    pub fn interrupted() -> Self {
        Self::Ended {
            exit: Exit::Interrupted,
            message: "interrupted; nothing was written".to_owned(),
            hint: None,
        }
    }

    /// A signal came, and the work did not end within `time`.
    pub fn ended_late(time: Duration) -> Self {
        let message = format!(
            "interrupted {} s ago: stopped without waiting any longer",
            time.as_secs()
        );
        let hint =
            "see what the run did with `rolecall state history`, then apply again".to_owned();
        Self::Ended {
            exit: Exit::Interrupted,
            message,
            hint: Some(hint),
        }
    }

    /// An error with words and a way out.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Self::Desired(problems)
    }
}

impl From<AwsError> for Error {
    fn from(error: AwsError) -> Self {
        Self::Aws(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Other {
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
        }
    }
}
