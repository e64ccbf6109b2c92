//! JSON with places.

use super::super::report::Source;
use super::node::{Key, MAX_DEPTH, MAX_NODES, Node, Origin, Unreadable, Value, too_deep};

/// Reads JSON; `None` where the text is not JSON.
pub fn read(text: &str, origin: &Origin) -> Option<Result<Node, Unreadable>> {
    // Its grammar is serde's to check, and its depth; what is read below is known to be JSON.
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let is_deep = error.to_string().contains("recursion limit");
        return is_deep.then(|| Err(too_deep(origin.place(error.line(), error.column().max(1)))));
    }
    let mut scan = Scan {
        origin,
        rest: text,
        line: 1,
        column: 1,
        nodes: 0,
    };
    Some(scan.value(0))
}

struct Scan<'a> {
    origin: &'a Origin,
    rest: &'a str,
    line: usize,
    column: usize,
    nodes: usize,
}

impl<'a> Scan<'a> {
    /// Takes `length` bytes.
    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        for c in taken.chars() {
            if c == '\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
        taken
    }

    /// Skips white space and separators, and returns what comes next.
    fn next(&mut self) -> Option<char> {
        let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | ',' | ':');
        let length = self.rest.len() - self.rest.trim_start_matches(blank).len();
        self.take(length);
        self.rest.chars().next()
    }

    fn place(&self) -> Source {
        self.origin.place(self.line, self.column)
    }

    fn value(&mut self, depth: usize) -> Result<Node, Unreadable> {
        let first = self.next();
        let place = self.place();
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let why = format!("it has more than {MAX_NODES} values");
            return Err(Unreadable { place, why });
        }
        if depth > MAX_DEPTH {
            return Err(too_deep(place));
        }
        let value = match first {
            Some('{') => {
                self.take(1);
                let mut members = Vec::new();
                while self.next().is_some_and(|next| next != '}') {
                    let place = self.place();
                    let text = self.string();
                    members.push((Key { text, place }, self.value(depth + 1)?));
                }
                self.take(1);
                Value::Map(members)
            }
            Some('[') => {
                self.take(1);
                let mut items = Vec::new();
                while self.next().is_some_and(|next| next != ']') {
                    items.push(self.value(depth + 1)?);
                }
                self.take(1);
                Value::List(items)
            }
            Some('"') => Value::Text(self.string()),
            _ => {
                let ends = |c: char| matches!(c, ',' | ']' | '}') || c.is_ascii_whitespace();
                let end = self.rest.find(ends).unwrap_or(self.rest.len());
                match self.take(end) {
                    "null" => Value::Null,
                    literal => Value::Text(literal.to_owned()),
                }
            }
        };
        Ok(Node::new(place, value))
    }

    fn string(&mut self) -> String {
        let mut escaped = false;
        let closes = |c: char| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        };
        let inner = self.rest.get(1..).unwrap_or_default();
        let length = inner.find(closes).map_or(self.rest.len(), |end| end + 2);
        serde_json::from_str(self.take(length)).unwrap_or_default()
    }
}
