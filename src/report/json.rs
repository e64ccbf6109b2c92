//! JSON views: what `--format json` prints, with a line end.
//!
//! Characters that are not seen, or turn the direction of text, are escaped: the values are the same, and whoever reads
//! the text sees what is in it.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::style::is_unseen;

/// Writes a value as it is serialized, pretty: a plan as it may be shown, a run report, the accounts.
pub fn write(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(Escaping(out), value)?;
    writeln!(out)
}

/// Writes a value as one line.
pub fn line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(Escaping(out), value)?;
    writeln!(out)
}

/// Escapes what is not seen. JSON itself is made of ASCII, so everything else is in a string.
struct Escaping<'a>(&'a mut dyn Write);

impl Write for Escaping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A serializer writes whole characters.
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains(is_hidden) => self.0.write_all(escaped(text).as_bytes())?,
            _ => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// JSON's own line ends are not part of a string, and within one the serializer has escaped them.
fn is_hidden(c: char) -> bool {
    is_unseen(c) && !matches!(c, '\n' | '\t' | '\r')
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a `String` cannot fail.
                _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped_and_means_the_same() {
        let hostile = "a\u{202e}b\u{9b}c\u{200b}d\u{2028}e\u{feff}\u{e0041}\u{7f}\u{1b}\n\u{fc}";
        let value = serde_json::json!({ hostile: [hostile, 1, null] });
        let mut lines = Vec::new();
        for write in [write, line] {
            let mut out = Vec::new();
            write(&value, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(!text.replace('\n', "").contains(is_unseen), "{text}");
            assert!(
                text.contains("\\u202e")
                    && text.contains("\\udb40\\udc41")
                    && text.contains('\u{fc}'),
                "{text}"
            );
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&text).unwrap(),
                value
            );
            lines.push(text.lines().count());
        }
        assert_eq!(lines, [7, 1]);
    }
}
