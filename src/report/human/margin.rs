//! What the lines of a plan's text share: how far they are indented, and the mark of what widens access.

use crate::report::style::{Page, Tone};

/// The indent of what belongs to a headline; its symbol is in front of it.
pub(super) const BODY: usize = 6;

/// What stands behind everything that widens access.
pub(super) fn widens_mark(page: &Page<'_>) -> String {
    format!("  {}", page.paint(Tone::Alarm, "! widens access"))
}
