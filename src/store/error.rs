//! Why a state could not be used, and what to do.

use super::format::{FORMAT, Identity};

/// Why a state could not be used. Whatever it was, nothing of the state was changed by it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// What was given is not a supported scheme.
    #[error("`{given}` is not a location for a state: {reason}")]
    Location {
        /// As given.
        given: String,
        /// Why not.
        reason: String,
    },
    /// It cannot be read.
    #[error("cannot read `{place}`: {reason}")]
    Read {
        /// The object that was not read, or is not usable.
        place: String,
        /// The cause.
        reason: String,
    },
    /// It cannot be written.
    #[error("cannot write `{place}`: {reason}")]
    Write {
        /// The object that was not read, or is not usable.
        place: String,
        /// The cause.
        reason: String,
    },
    /// Someone else wrote it in between.
    #[error("`{place}` was changed by another process during this run")]
    Conflict {
        /// The object that was not read, or is not usable.
        place: String,
    },
    /// It is not as rolecall wrote it.
    #[error("`{place}` is damaged: {reason}")]
    Damaged {
        /// What; of a log with the line.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer rolecall wrote it.
    #[error("`{place}` has the format `{found}`, but this version of rolecall reads `{known}`", known = FORMAT)]
    Newer {
        /// The object that was not read, or is not usable.
        place: String,
        /// Its format.
        found: String,
    },
    /// It belongs to another directory.
    #[error("the state `{place}` belongs to `{}` in organization {}, this is `{}` in {}",
        .found.name, .found.organization, .expected.name, .expected.organization)]
    Foreign {
        /// The location of the state.
        place: String,
        /// The shell it is.
        found: Identity,
        /// Who asked.
        expected: Identity,
    },
    /// There is no run of this id.
    #[error("there is no run `{run}` in `{place}`")]
    NoRun {
        /// The id.
        run: String,
        /// The location of the state.
        place: String,
    },
    /// The record of a run has come to its end already.
    #[error("the record of the run is closed")]
    Closed,
}

impl StoreError {
    /// How to fix it, where something can be said.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Location { .. } => Some("use a directory or s3://bucket/prefix"),
            Self::Write { .. } => Some("--state takes a writable directory, or s3://bucket/prefix"),
            Self::Conflict { .. } => Some("two runs write to one state; let one of them end first"),
            Self::Damaged { .. } => Some(
                "restore the file, or move it away: the state is only history; tags in AWS record ownership",
            ),
            Self::Newer { .. } => Some("use the version of rolecall that wrote it, or a newer one"),
            Self::Foreign { .. } => {
                Some("every directory needs its own state: pass another --state")
            }
            Self::NoRun { .. } => Some("`rolecall state history` lists the runs"),
            Self::Read { .. } | Self::Closed => None,
        }
    }

    pub(super) fn read(place: String, failure: Failure) -> Self {
        match failure {
            Failure::Conflict => Self::Conflict { place },
            Failure::Other(reason) => Self::Read { place, reason },
        }
    }

    pub(super) fn write(place: String, failure: Failure) -> Self {
        match failure {
            Failure::Conflict => Self::Conflict { place },
            Failure::Other(reason) => Self::Write { place, reason },
        }
    }
}

/// Why a place did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The condition does not hold: someone else wrote.
    Conflict,
    /// Anything else, in words.
    Other(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}
