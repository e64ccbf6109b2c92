//! The record of a run: a line of JSON for each thing that happened, each bound to the one before.
//!
//! Every line begins with the SHA-256 of the line before it and of the rest of itself. Lines are only ever added, so a
//! crash can spoil the last one alone: a last line that does not fit is what the crash left, and is passed over. A line
//! that does not fit and has others after it was damaged later, and that is an error.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::seal::{check_format, sha256};
use super::{FORMAT, StoreError};
use crate::execute::{Outcome, RunSummary};
use crate::org::AccountId;
use crate::plan::{Action, Summary};

/// What was known of a run when it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHeader {
    /// Its id: letters, digits, `-`, `_` and `.`. It begins with the time of its start, so that ids sort by time.
    pub run: String,
    /// Who ran it: the caller's ARN.
    pub who: String,
    /// On which machine.
    pub host: String,
    /// When, RFC 3339 UTC.
    pub started_at: String,
    /// The version of rolecall.
    pub version: String,
    /// The digest of the desired state.
    pub desired_digest: String,
    /// The command: `apply`, `rollback`, `destroy`.
    pub command: String,
    /// The counts of its plan.
    pub plan: Summary,
}

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// A change is about to be written.
    ChangeStarted {
        /// The resource.
        address: String,
        /// What is done to it.
        action: Action,
        /// What was found, by attribute; `null` where there was nothing.
        before: Value,
        /// `sha256:…` of the resource as the steps leave it.
        expected: String,
        /// Whether description and duration are part of that.
        details: bool,
        /// How many steps there are.
        steps: usize,
    },
    /// A step is about to be written.
    StepStarted {
        /// The resource.
        address: String,
        /// Which step, counted from 0.
        step: usize,
        /// The AWS operation.
        op: String,
    },
    /// A step was answered.
    StepFinished {
        /// The resource.
        address: String,
        /// Which step, counted from 0.
        step: usize,
        /// Why it failed.
        error: Option<String>,
    },
    /// A change has ended.
    ChangeFinished {
        /// The resource.
        address: String,
        /// What became of it.
        outcome: Outcome,
        /// Why it is not done.
        error: Option<String>,
    },
    /// An account was left out, because it could not be read.
    Unreadable {
        /// The account.
        account: AccountId,
        /// Why the account could not be read.
        error: String,
    },
    /// A wave begins.
    WaveStarted {
        /// Index of the wave, from 0.
        wave: usize,
        /// Its accounts.
        accounts: Vec<AccountId>,
    },
    /// A wave has ended.
    WaveFinished {
        /// Index of the wave, from 0.
        wave: usize,
        /// Its accounts.
        accounts: Vec<AccountId>,
    },
    /// The run has ended.
    RunFinished {
        /// The counts.
        summary: RunSummary,
    },
}

impl Entry {
    /// The resource it is about.
    pub(super) fn address_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::ChangeStarted { address, .. }
            | Self::StepStarted { address, .. }
            | Self::StepFinished { address, .. }
            | Self::ChangeFinished { address, .. } => Some(address),
            Self::Unreadable { .. }
            | Self::WaveStarted { .. }
            | Self::WaveFinished { .. }
            | Self::RunFinished { .. } => None,
        }
    }
}

/// An entry and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// When, RFC 3339 UTC.
    pub at: String,
    /// What happened.
    pub entry: Entry,
}

/// The whole record of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRecord {
    /// What was known when it began.
    pub header: RunHeader,
    /// What happened, in order.
    pub entries: Vec<Logged>,
    /// Whether it came to its end; a run that was killed did not.
    pub finished: bool,
}

impl RunRecord {
    /// The counts at its end, or `None` where it did not come to its end.
    pub fn ended(&self) -> Option<RunSummary> {
        match self.entries.last()?.entry {
            Entry::RunFinished { summary } => Some(summary),
            _ => None,
        }
    }
}

/// A run in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunOutline {
    /// What was known when it began.
    pub header: RunHeader,
    /// The counts at its end, or `None` where it was cut off or is still running.
    pub finished: Option<RunSummary>,
}

/// Some runs, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    /// Those whose record could be used.
    pub outlines: Vec<RunOutline>,
    /// The ids of those whose record could not, and why.
    pub unusable: Vec<(String, StoreError)>,
    /// How many older ones there are.
    pub more: usize,
}

/// Whether `run` can be the name of a file everywhere.
pub(super) fn is_id(run: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !run.is_empty() && run.len() <= 128 && !run.starts_with('.') && run.chars().all(plain)
}

#[derive(Serialize, Deserialize)]
struct Opening {
    format: String,
    header: RunHeader,
}

#[derive(Deserialize)]
struct Format {
    format: String,
}

/// The sum of the last line; what the next one is bound to.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain(String);

/// What every line begins with, before its sum.
const HEAD: &str = "{\"sha256\":\"";

/// Hexadecimal digits of a sum.
const SUM: usize = 64;

impl Chain {
    /// The first line of a log.
    pub fn open(&mut self, header: &RunHeader) -> Result<String, serde_json::Error> {
        self.line(&Opening {
            format: FORMAT.to_owned(),
            header: header.clone(),
        })
    }

    /// The next line.
    pub fn line(&mut self, value: &impl Serialize) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(value)?;
        let rest = json.strip_prefix('{').unwrap_or(&json);
        self.0 = sha256(&[self.0.as_bytes(), rest.as_bytes()]);
        Ok(format!("{HEAD}{}\",{rest}\n", self.0))
    }

    /// What a line (without its end) holds, where it fits to the ones before.
    fn check<'a>(&mut self, line: &'a [u8]) -> Option<&'a str> {
        let (sum, rest) = split(line)?;
        if sha256(&[self.0.as_bytes(), rest.as_bytes()]) != sum {
            return None;
        }
        sum.clone_into(&mut self.0);
        std::str::from_utf8(line).ok()
    }
}

/// A line's sum and the rest of it.
fn split(line: &[u8]) -> Option<(&str, &str)> {
    let (sum, rest) = std::str::from_utf8(line)
        .ok()?
        .strip_prefix(HEAD)?
        .split_at_checked(SUM)?;
    Some((sum, rest.strip_prefix("\",")?))
}

/// The lines of a log with their places, `FILE:LINE`, and whether each came to its end.
fn lines(parts: &[(String, Vec<u8>)]) -> Vec<(String, &[u8])> {
    let mut lines = Vec::new();
    for (place, bytes) in parts {
        let pieces = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
        lines.extend(pieces.map(|(n, line)| (format!("{place}:{}", n + 1), line)));
    }
    lines
}

/// Reads the parts of a log. `None` where not even its first line is whole: the run was killed before it began.
///
/// # Errors
/// A line that does not fit and is not the last, or a newer format.
pub(super) fn decode(parts: &[(String, Vec<u8>)]) -> Result<Option<RunRecord>, StoreError> {
    let lines = lines(parts);
    let mut chain = Chain::default();
    let (mut header, mut entries) = (None, Vec::new());
    for (n, (place, line)) in lines.iter().enumerate() {
        let damaged = |reason: &str| StoreError::Damaged {
            place: place.clone(),
            reason: reason.to_owned(),
        };
        let Some(text) = line.strip_suffix(b"\n").and_then(|line| chain.check(line)) else {
            if n + 1 == lines.len() {
                break;
            }
            return Err(damaged(
                "its checksum is not that of the line and of those before it",
            ));
        };
        if header.is_none() {
            header = Some(opening(place, text)?);
        } else {
            entries.push(
                serde_json::from_str::<Logged>(text)
                    .map_err(|error| damaged(&error.to_string()))?,
            );
        }
    }
    let finished = matches!(
        entries.last(),
        Some(Logged {
            entry: Entry::RunFinished { .. },
            ..
        })
    );
    Ok(header.map(|header| RunRecord {
        header,
        entries,
        finished,
    }))
}

/// The header of a log, from its first line alone.
pub(super) fn header(place: &str, part: &[u8]) -> Result<Option<RunHeader>, StoreError> {
    let Some(line) = part
        .split(|byte| *byte == b'\n')
        .next()
        .filter(|line| line.len() < part.len())
    else {
        return Ok(None);
    };
    let place = format!("{place}:1");
    match Chain::default().check(line) {
        Some(text) => opening(&place, text).map(Some),
        None => Err(StoreError::Damaged {
            place,
            reason: "its checksum is not that of the line".to_owned(),
        }),
    }
}

/// The counts that a log ends with, from its last line alone.
pub(super) fn ending(part: &[u8]) -> Option<RunSummary> {
    let line = part
        .strip_suffix(b"\n")?
        .rsplit(|byte| *byte == b'\n')
        .next()?;
    match serde_json::from_slice::<Logged>(line).ok()?.entry {
        Entry::RunFinished { summary } => Some(summary),
        _ => None,
    }
}

fn opening(place: &str, text: &str) -> Result<RunHeader, StoreError> {
    let damaged = |error: serde_json::Error| StoreError::Damaged {
        place: place.to_owned(),
        reason: error.to_string(),
    };
    let Format { format } = serde_json::from_str(text).map_err(damaged)?;
    check_format(place, &format)?;
    let Opening { header, .. } = serde_json::from_str(text).map_err(damaged)?;
    Ok(header)
}
