//! Fitting entries into what room a comment has: whole, else brief, else counted.

use std::collections::BTreeMap;

/// One entry of a section.
pub struct Entry<'a> {
    /// With everything; asked for only where there may be room.
    pub whole: Box<dyn FnOnce() -> String + 'a>,
    /// In one line.
    pub brief: String,
    /// The accounts it is about.
    pub accounts: usize,
    /// What it is called when it is counted.
    pub what: &'static str,
}

/// What fitted.
#[derive(Default)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// Entries in one line.
    pub shortened: usize,
    /// Entries left out and their accounts, by what they are called.
    pub omitted: BTreeMap<&'static str, (usize, usize)>,
}

impl Fitted {
    /// Both, one after the other.
    pub fn add(mut self, other: Self) -> Self {
        let Self {
            text,
            shortened,
            omitted,
        } = other;
        self.text += &text;
        self.shortened += shortened;
        for (what, (entries, accounts)) in omitted {
            let sum = self.omitted.entry(what).or_default();
            *sum = (sum.0 + entries, sum.1 + accounts);
        }
        self
    }
}

/// A section of at most `room` characters; nothing where there is no entry.
pub fn section<'a>(title: &str, entries: impl Iterator<Item = Entry<'a>>, room: usize) -> Fitted {
    let mut fitted = Fitted::default();
    let head = format!("#### {title}\n\n");
    let mut left = room.saturating_sub(length(&head) + 1);
    // A list ends before what is folded away begins.
    let mut in_list = false;
    for entry in entries {
        let Entry {
            whole,
            brief,
            accounts,
            what,
        } = entry;
        let brief_size = length(&brief);
        let whole = if brief_size <= left {
            whole()
        } else {
            String::new()
        };
        let is_line = !whole.starts_with('<');
        let break_before = if in_list && !is_line { "\n" } else { "" };
        let size = length(&whole) + break_before.len();
        if !whole.is_empty() && size <= left {
            fitted.text += break_before;
            fitted.text += &whole;
            left -= size;
            in_list = is_line;
        } else if brief_size <= left {
            fitted.text += &brief;
            fitted.shortened += 1;
            left -= brief_size;
            in_list = true;
        } else {
            let sum = fitted.omitted.entry(what).or_default();
            *sum = (sum.0 + 1, sum.1 + accounts);
        }
    }
    if !fitted.text.is_empty() {
        let end = if in_list { "\n" } else { "" };
        fitted.text = format!("{head}{}{end}", fitted.text);
    }
    fitted
}

/// The length of `text` as the strictest of those who limit it counts: UTF-16 units, never fewer than characters.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}
