//! Who changed what drifted, as far as the event history shows it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::resource::event::{Event, History};
use crate::resource::secret::Secrets;

/// Changes of one resource that are shown; the others are counted.
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
    /// What was found about the time from `since` on, or why nothing was, first asked at `asked_at`. Sensitive values are
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
        let masked = |event: Event| Event {
            user: secrets.mask(&event.user),
            source: secrets.mask(&event.source),
            ..event
        };
        let events = changes.into_iter().take(KEPT).map(masked).collect();
        Self {
            events,
            more,
            is_cut,
            since,
            error,
            asked_at,
        }
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
            let but = if self.is_cut {
                "older events were not read"
            } else {
                "events can be up to 15 minutes late"
            };
            return vec![format!("unknown: CloudTrail has no change {since}; {but}")];
        }
        let line = |event: &Event| {
            let Event {
                user,
                time,
                source,
                operation,
                event_id,
            } = event;
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
    pub fn shown(&self) -> Value {
        let Self {
            events,
            more,
            is_cut,
            since,
            error,
            asked_at: _,
        } = self;
        let since = since.map(|since| since.to_string());
        json!({ "events": events, "more": more, "complete": !is_cut, "since": since, "error": error })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event(user: &str) -> Event {
        Event {
            user: user.to_owned(),
            time: "2026-05-04T02:10:00Z".to_owned(),
            source: "203.0.113.7".to_owned(),
            operation: "TagRole".to_owned(),
            event_id: "e-1".to_owned(),
        }
    }

    fn who(changes: &[&str], is_cut: bool) -> Who {
        let mut secrets = Secrets::default();
        secrets.insert("s3cret");
        let history = History {
            changes: changes.iter().map(|user| event(user)).collect(),
            is_cut,
        };
        Who::new(
            Ok(history),
            "2026-05-04T02:00:00Z".parse().ok(),
            Timestamp::UNIX_EPOCH,
            &secrets,
        )
    }

    #[test]
    fn the_newest_are_told_the_others_are_counted_and_what_was_not_read_is_said() {
        let line = |user: &str| {
            format!("{user} from 203.0.113.7 at 2026-05-04T02:10:00Z (TagRole, event id e-1)")
        };
        assert_eq!(who(&["ann"], false).lines(), [line("ann")]);
        assert_eq!(
            who(&["a", "b", "c", "d", "e"], true).lines(),
            [
                line("a"),
                line("b"),
                line("c"),
                "+ 2 more since 2026-05-04T02:00:00Z".to_owned(),
                "older events were not read".to_owned()
            ]
        );
        for (is_cut, but) in [
            (false, "events can be up to 15 minutes late"),
            (true, "older events were not read"),
        ] {
            let said =
                format!("unknown: CloudTrail has no change since 2026-05-04T02:00:00Z; {but}");
            assert_eq!(who(&[], is_cut).lines(), [said]);
        }
    }

    #[test]
    fn a_session_named_by_a_secret_is_masked() {
        assert!(!format!("{:?}", who(&["role/s3cret"], false)).contains("s3cret"));
    }

    #[test]
    fn an_answer_without_events_stays_open_while_events_may_still_come() {
        let after = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        assert!(who(&[], false).is_open(after(29)) && !who(&[], false).is_open(after(31)));
        assert!(!who(&["ann"], false).is_open(after(0)));
    }
}
