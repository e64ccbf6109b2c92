//! Who changed what drifted, as far as the event history tells.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Drift;
use crate::plan::Change;
use crate::resource::event::{Event, History};
use crate::resource::secret::Secrets;

/// Changes of one resource that are told; the others are counted.
pub const KEPT: usize = 3;

/// How long events may take to appear, twice over: an answer without events is asked for again until then.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// Who changed one resource since it was last as desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The newest changes, the newest first, at most [`KEPT`]. Sensitive values are masked.
    pub events: Vec<Event>,
    /// Changes beyond these.
    pub more: usize,
    /// Whether there may be older ones that were not read.
    pub is_cut: bool,
    /// From when on it was asked; `None` is as far back as the history goes.
    pub since: Option<Timestamp>,
    /// Why nothing is known.
    pub error: Option<String>,
    /// When this was first asked about this very difference.
    pub asked_at: Timestamp,
}

impl Who {
    /// What was told about the time from `since` on, or why nothing was, first asked at `asked_at`. Sensitive values are
    /// masked.
    pub fn new(
        answer: Result<History, String>,
        since: Option<Timestamp>,
        asked_at: Timestamp,
        secrets: &Secrets,
    ) -> Self {
        let (History { changes, is_cut }, error) = match answer {
            Ok(history) => (history, None),
            Err(error) => (History::default(), Some(secrets.mask(&error))),
        };
        let more = changes.len().saturating_sub(KEPT);
        let masked =
            |event: Event| Event { user: secrets.mask(&event.user), source: secrets.mask(&event.source), ..event };
        let events = changes.into_iter().take(KEPT).map(masked).collect();
        Self { events, more, is_cut, since, error, asked_at }
    }

    /// Whether asking again may tell more: events come late.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.events.is_empty() && now.duration_since(self.asked_at) < LATE
    }

    /// The answer in words, a line for each change.
    pub fn lines(&self) -> Vec<String> {
        if let Some(error) = &self.error {
            return vec![format!("unknown: {error}")];
        }
        let since = match self.since {
            Some(since) => format!("since {since}"),
            None => "in the last 90 days".to_owned(),
        };
        if self.events.is_empty() {
            let but = if self.is_cut { "older events were not read" } else { "events come up to 15 minutes late" };
            return vec![format!("unknown: CloudTrail knows of no change {since}; {but}")];
        }
        let line = |event: &Event| {
            let Event { user, time, source, operation, event_id } = event;
            format!("{user} from {source} at {time} ({operation}, event id {event_id})")
        };
        let mut lines: Vec<String> = self.events.iter().map(line).collect();
        if self.more > 0 {
            lines.push(format!("+ {} more {since}", self.more));
        }
        if self.is_cut {
            lines.push("older events were not read".to_owned());
        }
        lines
    }

    /// The answer as drift's JSON has it.
    pub(super) fn shown(&self) -> Value {
        let Self { events, more, is_cut, since, error, asked_at: _ } = self;
        let since = since.map(|since| since.to_string());
        json!({ "events": events, "more": more, "complete": !is_cut, "since": since, "error": error })
    }
}

impl Drift {
    /// Whether somebody must look at a change, so that it is asked who did it.
    pub fn is_culpable(&self, change: &Change) -> bool {
        self.judgement(change).is_some_and(|judgement| judgement.standing.is_drift())
    }

    fn culpable(&self) -> impl Iterator<Item = &Change> {
        self.plan.accounts.iter().flat_map(|part| &part.changes).filter(|change| self.is_culpable(change))
    }

    /// What an earlier look was told about the very same differences.
    pub fn known_from<'a>(&self, before: &'a Self) -> BTreeMap<&'a str, &'a Who> {
        let now: BTreeMap<&str, &Change> = self.culpable().map(|change| (change.address.as_str(), change)).collect();
        let same = before.culpable().filter(|change| now.get(change.address.as_str()) == Some(change));
        same.filter_map(|change| Some((change.address.as_str(), before.who.get(&change.address)?))).collect()
    }
}
