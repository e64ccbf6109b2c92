//! How text looks: colour or none, how wide, how much. The one place that decides about colour.
//!
//! Whatever comes from AWS or a file is cleaned of control characters on its way out, so that no description or error
//! message can move the cursor of the terminal it is reviewed on.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::AnsiColor;

/// The width of lines where it is unknown better.
pub const DEFAULT_WIDTH: usize = 100;

/// When to colour: `--color`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always, `NO_COLOR` or not.
    Always,
    /// Never.
    Never,
}

/// How much to show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// What a reviewer needs.
    #[default]
    Normal,
    /// Everything: `-v`.
    Verbose,
}

/// How a tone is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Not at all.
    Plain,
    /// As a terminal's colour.
    Ansi,
    /// Between [`OPEN`], followed by [`Tone::letter`], and [`CLOSE`]: for views with looks of their own. No text holds
    /// these, because control characters in it are made visible.
    Tagged,
}

/// What begins text of a tone, where tones are tagged.
pub const OPEN: char = '\u{1}';

/// What ends it.
pub const CLOSE: char = '\u{2}';

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// How tones are written down.
    pub paint: Paint,
    /// Columns to wrap prose and lists at.
    pub width: usize,
    /// How much to show.
    pub verbosity: Verbosity,
}

impl Style {
    /// Decides about colour; `no_color` says whether `NO_COLOR` is set to something.
    pub fn new(choice: ColorChoice, is_terminal: bool, no_color: bool) -> Self {
        let color = match choice {
            ColorChoice::Auto => is_terminal && !no_color,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        let paint = if color { Paint::Ansi } else { Paint::Plain };
        Self {
            paint,
            width: DEFAULT_WIDTH,
            verbosity: Verbosity::Normal,
        }
    }

    /// Whether everything is to be shown.
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// `text`, cleaned, in the colour of `tone`.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        let text = clean(text);
        match self.paint {
            _ if text.is_empty() => String::new(),
            Paint::Plain => text.into_owned(),
            Paint::Ansi => {
                let style = tone.style();
                format!("{style}{text}{style:#}")
            }
            Paint::Tagged => match tone.letter() {
                Some(letter) => format!("{OPEN}{letter}{text}{CLOSE}"),
                None => text.into_owned(),
            },
        }
    }

    /// Whether to colour.
    pub fn is_colored(&self) -> bool {
        self.paint == Paint::Ansi
    }
}

/// What a piece of text is, which says its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Ordinary text.
    Plain,
    /// A name or title.
    Title,
    /// Of less weight.
    Faint,
    /// What comes.
    Added,
    /// What is another than before.
    Changed,
    /// What goes.
    Removed,
    /// What is taken over.
    Adopted,
    /// What a reviewer must not miss.
    Alarm,
    /// The part of a changed line that comes.
    AddedPart,
    /// The part of a changed line that goes.
    RemovedPart,
}

impl Tone {
    /// The letter that represents it where tones are tagged; ordinary text has none.
    pub fn letter(self) -> Option<char> {
        match self {
            Self::Plain => None,
            Self::Title => Some('t'),
            Self::Faint => Some('f'),
            Self::Added => Some('a'),
            Self::Changed => Some('c'),
            Self::Removed => Some('r'),
            Self::Adopted => Some('o'),
            Self::Alarm => Some('w'),
            Self::AddedPart => Some('A'),
            Self::RemovedPart => Some('R'),
        }
    }

    fn style(self) -> anstyle::Style {
        match self {
            Self::Plain => anstyle::Style::new(),
            Self::Title => anstyle::Style::new().bold(),
            Self::Faint => anstyle::Style::new().dimmed(),
            Self::Added => AnsiColor::Green.on_default(),
            Self::Changed => AnsiColor::Yellow.on_default(),
            Self::Removed => AnsiColor::Red.on_default(),
            Self::Adopted => AnsiColor::Cyan.on_default(),
            Self::Alarm => AnsiColor::Red.on_default().bold(),
            Self::AddedPart => AnsiColor::Green.on_default().bold().underline(),
            Self::RemovedPart => AnsiColor::Red.on_default().bold().underline(),
        }
    }
}

/// `text` with control characters made visible, those that turn the direction of text among them: `\n`, `\u{1b}`,
/// `\u{202e}`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unseen) {
        return Cow::Borrowed(text);
    }
    let visible = |c: char| {
        if is_unseen(c) {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    Cow::Owned(text.chars().map(visible).collect())
}

/// Whether a character is not seen, or moves what is: control characters of ASCII and C1, separators of lines, marks of
/// direction, characters without width.
///
/// Source: Unicode Standard, general categories Cc, Zl, Zp and Cf as far as text outside of markup may hold them; Unicode
/// Technical Report 36, "Bidirectional Text Spoofing".
pub(super) fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// `text` with everything unseen made visible, but for what lays out a document: tabs and line feeds.
pub(super) fn clean_lines(text: &str) -> Cow<'_, str> {
    let hides = |c: char| is_unseen(c) && !matches!(c, '\n' | '\t');
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let visible = |c: char| {
        if hides(c) {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    Cow::Owned(text.chars().map(visible).collect())
}

/// A sheet of text being written, line by line.
pub struct Page<'a> {
    /// How it looks.
    pub style: &'a Style,
    out: &'a mut dyn Write,
}

impl<'a> Page<'a> {
    /// An empty page.
    pub fn new(style: &'a Style, out: &'a mut dyn Write) -> Self {
        Self { style, out }
    }

    /// `text`, cleaned, in the colour of `tone`.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        self.style.paint(tone, text)
    }

    /// Writes one line of painted text, indented.
    pub fn line(&mut self, indent: usize, painted: &str) -> io::Result<()> {
        writeln!(self.out, "{:indent$}{painted}", "")
    }

    /// Writes an empty line.
    pub fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// Writes prose, wrapped; its own line ends stay.
    pub fn prose(&mut self, indent: usize, tone: Tone, text: &str) -> io::Result<()> {
        for paragraph in text.lines() {
            for line in fill(
                paragraph.split(' '),
                self.style.width.saturating_sub(indent),
            ) {
                let painted = self.paint(tone, &line);
                self.line(indent, &painted)?;
            }
        }
        Ok(())
    }

    /// Writes a label of `width` columns and text beside it, wrapped in its own column.
    pub fn entry(
        &mut self,
        indent: usize,
        label: &str,
        width: usize,
        text: &str,
    ) -> io::Result<()> {
        let mut label = label;
        let mut hang = 0;
        for line in fill(
            text.split(' '),
            self.style.width.saturating_sub(indent + width + 4),
        ) {
            let line = self.paint(Tone::Plain, &line);
            self.line(indent, &format!("{label:width$}  {:hang$}{line}", ""))?;
            (label, hang) = ("", 2);
        }
        Ok(())
    }

    /// Writes items separated by commas, wrapped between items only.
    pub fn list(&mut self, indent: usize, tone: Tone, items: &[String]) -> io::Result<()> {
        let last = items.len().saturating_sub(1);
        let words = items.iter().enumerate().map(|(i, item)| {
            if i == last {
                item.clone()
            } else {
                format!("{item},")
            }
        });
        for line in fill(words, self.style.width.saturating_sub(indent)) {
            let painted = self.paint(tone, &line);
            self.line(indent, &painted)?;
        }
        Ok(())
    }
}

/// Joins words by spaces into lines of at most `width` columns; a longer word has a line of its own.
fn fill<W: AsRef<str>>(words: impl IntoIterator<Item = W>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        let word = word.as_ref();
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The columns `text` takes. AWS's names are ASCII; whatever else comes is counted by characters.
pub fn columns(text: &str) -> usize {
    text.chars().count()
}

/// `1 account`, `2 accounts`.
pub fn count(n: usize, one: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {one}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        for (choice, is_terminal, no_color, expect) in [
            (ColorChoice::Auto, true, false, true),
            (ColorChoice::Auto, true, true, false),
            (ColorChoice::Auto, false, false, false),
            (ColorChoice::Always, false, true, true),
            (ColorChoice::Never, true, false, false),
        ] {
            assert_eq!(
                Style::new(choice, is_terminal, no_color).is_colored(),
                expect,
                "{choice:?} {is_terminal} {no_color}"
            );
        }
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let style = Style::new(ColorChoice::Never, false, false);
        assert_eq!(
            style.paint(Tone::Plain, "a\u{1b}[2Jb\nc\u{9b}d"),
            "a\\u{1b}[2Jb\\nc\\u{9b}d"
        );
        assert_eq!(
            style.paint(Tone::Plain, "a\u{202e}b\u{2066}"),
            "a\\u{202e}b\\u{2066}"
        );
        assert_eq!(
            style.paint(Tone::Plain, "a\u{200b}b\u{2028}\u{9b}"),
            "a\\u{200b}b\\u{2028}\\u{9b}"
        );
        assert_eq!(
            clean_lines("{\n\t\u{202e}\u{1b}}"),
            "{\n\t\\u{202e}\\u{1b}}"
        );
    }

    #[test]
    fn lines_break_between_words_only() {
        assert_eq!(
            fill(["aa", "bb", "cc", "dddddddd", "e"], 5),
            ["aa bb", "cc", "dddddddd", "e"]
        );
    }
}
