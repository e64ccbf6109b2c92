//! Files that were read, and stretches of them, so that a problem found late can still underline what caused it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// One file that was read.
#[derive(PartialEq, Eq)]
pub struct File {
    /// The path as a user would name it.
    pub name: String,
    /// The path to open it by.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Where its lines are.
    pub marks: Marks,
    /// Whether messages may show lines of it: what lies outside the root, or came through a pipe, may be secret.
    pub is_shown: bool,
}

/// Where the lines of a text are: known after the first question, so that each further one costs little. A file with
/// many problems is asked as often.
#[derive(Default)]
pub struct Marks(OnceLock<Vec<Mark>>);

/// A place in a text at which counting can begin.
struct Mark {
    /// The byte.
    at: usize,
    /// The line it is in, zero-based, and where that begins.
    line: (usize, usize),
    /// The characters of the line before it.
    column: usize,
}

/// Bytes of a long line between two marks.
const BETWEEN_MARKS: usize = 1024;

impl Marks {
    /// The last mark at or before a byte of `text`.
    fn before(&self, text: &str, byte: usize) -> Option<&Mark> {
        let marks = self.0.get_or_init(|| {
            let mut marks = vec![Mark {
                at: 0,
                line: (0, 0),
                column: 0,
            }];
            let (mut line, mut column, mut last) = ((0, 0), 0, 0);
            for (at, c) in text.char_indices() {
                let next = at + c.len_utf8();
                if c == '\n' {
                    (line, column) = ((line.0 + 1, next), 0);
                } else {
                    column += 1;
                }
                if c == '\n' || next - last >= BETWEEN_MARKS {
                    marks.push(Mark {
                        at: next,
                        line,
                        column,
                    });
                    last = next;
                }
            }
            marks
        });
        marks.get(
            marks
                .partition_point(|mark| mark.at <= byte)
                .saturating_sub(1),
        )
    }
}

impl PartialEq for Marks {
    /// They follow from the text.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Marks {}

impl File {
    /// The line that a byte is in, and where it begins.
    pub fn line_at(&self, byte: usize) -> (&str, usize) {
        let start = self
            .marks
            .before(&self.text, byte)
            .map_or(0, |mark| mark.line.1);
        let rest = self.text.get(start..).unwrap_or_default();
        (rest.lines().next().unwrap_or_default(), start)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A stretch of bytes of a file.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file.
    pub file: Arc<File>,
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Place {
    /// The first line of a file.
    pub fn start_of(file: &Arc<File>) -> Self {
        Self {
            file: file.clone(),
            start: 0,
            end: 0,
        }
    }

    /// One-based line and column of its first character.
    pub fn line_column(&self) -> (usize, usize) {
        let text = &self.file.text;
        let at = if text.is_char_boundary(self.start) {
            self.start
        } else {
            text.len()
        };
        let Some(mark) = self.file.marks.before(text, at) else {
            return (1, 1);
        };
        let since = text.get(mark.at..at).unwrap_or_default();
        (mark.line.0 + 1, mark.column + since.chars().count() + 1)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        let Self { file, start, end } = self;
        Arc::ptr_eq(file, &other.file) && *start == other.start && *end == other.end
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.name, self.line_column().0)
    }
}
