//! Fields of answers.

use std::time::Duration;

use super::super::wire::Xml;

/// A time since the world began as a date: the world begins with the year 2026.
pub(super) fn date(created: Duration) -> String {
    const BEGINNING: i64 = 1_767_225_600;
    let seconds = i64::try_from(created.as_secs()).unwrap_or_default();
    jiff::Timestamp::from_second(BEGINNING.saturating_add(seconds))
        .unwrap_or_default()
        .to_string()
}

/// A member of a structure.
pub(super) type Field = (&'static str, Option<Xml>);

/// A member that holds text.
pub(super) fn text(name: &'static str, value: impl std::fmt::Display) -> Field {
    (name, Some(Xml::text(value)))
}

/// A structure of one member.
pub(super) fn wrap(name: &'static str, value: Xml) -> Xml {
    Xml::Fields(vec![(name, Some(value))])
}
