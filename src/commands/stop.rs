//! Why a command failed.

use std::time::Duration;

use crate::config::Problems;
use crate::exit::Exit;
use crate::org::AwsError;
use crate::report::style::count;
use crate::store::StoreError;

/// Why a command ended before its work was done.
#[derive(Debug)]
pub enum Stop {
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
        /// How the command ends.
        exit: Exit,
        /// Why the command ends.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Standard output was closed by its reader.
    ClosedPipe,
}

impl Stop {
    /// A stop with words only.
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

    /// How the command ends.
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

    /// A signal came, and the command did not end within `time`.
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

    /// A stop with words and a way out.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Other {
            message: message.into(),
            hint: Some(hint.into()),
        }
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
        Self::Other {
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
        }
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
