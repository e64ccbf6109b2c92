//! Sensitive values, and how they are kept out of everything that leaves the program.
//!
//! [`Secrets`] holds each sensitive value and everything that an expression made of one. Text is masked by searching for
//! them, in any case and in each spelling in which the program or AWS writes text (see `spellings`). A text of fewer than
//! `SHORT` characters is only looked for as a word of its own: wherever it is part of a longer word, that word was made
//! by an expression and is a sensitive value itself.
//!
//! JSON is masked where it is written ([`Secrets::shown`]): values and the keys of maps are data, names of fields and
//! variants are the program's own words and stay.

mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use written::Rewrite;

/// What stands where a sensitive value would.
pub const MASK: &str = "(sensitive)";

/// What stands where a value would that is not the sensitive one desired there.
pub const OTHER: &str = "(sensitive) (another value)";

/// What begins the digest that represents a sensitive text in saved plans and states, and what ends it.
const OPEN: &str = "(sensitive:sha256:";
/// The same for a number.
const OPEN_NUMBER: &str = "(sensitive:number:sha256:";
const CLOSE: &str = ")";
/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// A text of fewer characters is only looked for as a word of its own.
const SHORT: usize = 5;

/// The sensitive values of a run and what was made of them. Its `Debug` shows none of them.
#[derive(Clone, Default)]
pub struct Secrets {
    texts: BTreeSet<String>,
    search: OnceLock<Arc<Search>>,
}

/// Where to look for what.
struct Search {
    /// Every spelling of every text, in any case; `None` where there are too many to search for.
    any: Option<AhoCorasick>,
    /// Every text as it is and as JSON writes it, with [`OPEN`] and [`OPEN_NUMBER`].
    exact: Option<AhoCorasick>,
    exact_texts: Vec<String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.texts.len())
    }
}

impl PartialEq for Secrets {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Secrets {}

impl Secrets {
    /// Adds a value, also without the white space around it. White space, and a few signs without a letter or digit, are
    /// no secret: they stand everywhere.
    pub fn insert(&mut self, value: &str) {
        for text in [value, value.trim()] {
            let tells =
                text.chars().any(char::is_alphanumeric) || text.trim().chars().count() >= SHORT;
            if tells && !self.texts.contains(text) {
                self.texts.insert(text.to_owned());
                self.search = OnceLock::new();
            }
        }
    }

    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: &Self) {
        others.iter().for_each(|text| self.insert(text));
    }

    /// Whether `text` holds a sensitive value.
    pub fn occurs_in(&self, text: &str) -> bool {
        !self.spans(text).is_empty()
    }

    /// Whether `text` holds a sensitive value exactly as it is. For a set that grows: nothing is prepared for the search.
    pub fn holds(&self, text: &str) -> bool {
        let told = |secret: &String| {
            text.match_indices(secret.as_str())
                .any(|(at, one)| is_told(text, &(at..at + one.len())))
        };
        self.texts.iter().any(told)
    }

    /// `text` with every sensitive value replaced by [`MASK`].
    pub fn mask(&self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut from = 0;
        for span in self.spans(text) {
            masked += text.get(from..span.start).unwrap_or_default();
            masked += MASK;
            from = span.end;
        }
        masked + text.get(from..).unwrap_or_default()
    }

    /// Data with every string in it masked, keys included, and every number that is a sensitive value.
    #[must_use]
    pub fn mask_value(&self, value: &Value) -> Value {
        self.masking(value)
    }

    /// JSON whose keys are the program's own, with every string in it masked but those at the keys `words`.
    #[must_use]
    pub fn mask_texts(&self, value: &Value, words: &[&str]) -> Value {
        match value {
            Value::String(text) => Value::String(self.mask(text)),
            Value::Array(items) => items
                .iter()
                .map(|item| self.mask_texts(item, words))
                .collect(),
            Value::Object(members) => {
                let member = |(key, value): (&String, &Value)| {
                    let is_word = words.contains(&key.as_str());
                    (
                        key.clone(),
                        if is_word {
                            value.clone()
                        } else {
                            self.mask_texts(value, words)
                        },
                    )
                };
                Value::Object(members.iter().map(member).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    /// A value as its JSON may be shown: its strings and the keys of its maps are masked, its fields and variants stay.
    pub fn shown(&self, value: &impl Serialize) -> Value {
        self.masking(value)
    }

    fn masking(&self, value: &impl Serialize) -> Value {
        let number = |text: &str| self.texts.contains(text).then(|| MASK.to_owned());
        written::rewrite(
            value,
            &Rewrite {
                text: &|text| self.mask(text),
                number: &number,
            },
        )
    }

    /// A value with salted digests in the place of its sensitive texts, its fields and variants untouched.
    pub fn hide(&self, value: &impl Serialize, salt: &str) -> Value {
        let number = |text: &str| {
            self.texts
                .contains(text)
                .then(|| token(OPEN_NUMBER, text, salt))
        };
        written::rewrite(
            value,
            &Rewrite {
                text: &|text| self.hide_text(text, salt),
                number: &number,
            },
        )
    }

    /// The salted digest that stands for `text`, whether or not it is among these values.
    pub fn conceal(text: &str, salt: &str) -> String {
        token(OPEN, text, salt)
    }

    /// Whether `text` holds the digest of a sensitive text.
    pub fn is_concealed(text: &str) -> bool {
        tokens(text).next().is_some()
    }

    /// `text` with salted digests in the place of sensitive texts, in one pass: nothing that was put in is searched.
    pub fn hide_text(&self, text: &str, salt: &str) -> String {
        let mut hidden = String::with_capacity(text.len());
        let mut from = 0;
        for span in self.exact_spans(text) {
            hidden += text.get(from..span.start).unwrap_or_default();
            hidden += &token(OPEN, text.get(span.clone()).unwrap_or_default(), salt);
            from = span.end;
        }
        hidden + text.get(from..).unwrap_or_default()
    }

    /// Puts sensitive values back in the place of their digests; `None` where one is not among these.
    pub fn reveal(&self, value: Value, salt: &str) -> Option<Value> {
        let known = self.tokens(salt);
        reveal(value, &|token| known.get(token).copied())
    }

    /// Puts the mask in the place of every digest, for a reader who does not know the values; `None` where a number is
    /// sensitive, which no mask can stand for.
    pub fn masked(value: Value) -> Option<Value> {
        reveal(value, &|_| Some(MASK))
    }

    /// The digests that may stand for these values, each with its value.
    fn tokens(&self, salt: &str) -> BTreeMap<String, &str> {
        let texts = self.search().exact_texts.iter();
        texts
            .flat_map(|text| {
                [OPEN, OPEN_NUMBER].map(|open| (token(open, text, salt), text.as_str()))
            })
            .collect()
    }

    /// The stretches of `text` that are sensitive, in order; those that overlap are one.
    fn spans(&self, text: &str) -> Vec<Range<usize>> {
        if self.texts.is_empty() || text.is_empty() {
            return Vec::new();
        }
        let search = self.search();
        let Some(any) = &search.any else {
            return std::iter::once(0..text.len()).collect();
        };
        let found = any.find_overlapping_iter(text).map(|found| found.range());
        let mut spans: Vec<Range<usize>> = found.filter(|span| is_told(text, span)).collect();
        if spans.is_empty() {
            return spans;
        }
        let opaque = opaque(text);
        spans.retain(|span| {
            !opaque
                .iter()
                .any(|known| known.start <= span.start && span.end <= known.end)
        });
        spans.sort_by_key(|span| span.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start < last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        merged
    }

    /// The sensitive stretches of `text` as they are written, in order; of those that overlap the first, and the longest.
    fn exact_spans(&self, text: &str) -> Vec<Range<usize>> {
        let search = self.search();
        let Some(exact) = &search.exact else {
            return std::iter::once(0..text.len()).collect();
        };
        let found = exact.find_overlapping_iter(text).map(|found| found.range());
        let mut spans: Vec<Range<usize>> = found.filter(|span| is_told(text, span)).collect();
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        let mut end = 0;
        spans.retain(|span| {
            let free = span.start >= end;
            end = if free { span.end } else { end };
            free
        });
        spans
    }

    fn search(&self) -> &Search {
        self.search
            .get_or_init(|| Arc::new(Search::new(&self.texts)))
    }
}

impl Search {
    fn new(texts: &BTreeSet<String>) -> Self {
        let spelled: BTreeSet<String> = texts.iter().flat_map(|text| spellings(text)).collect();
        let any = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(spelled);
        let mut exact_texts: BTreeSet<String> = texts
            .iter()
            .flat_map(|text| [text.clone(), in_json(text)])
            .collect();
        // What looks like a digest in what AWS says is hidden too, so that it is never taken for one.
        exact_texts.extend([OPEN.to_owned(), OPEN_NUMBER.to_owned()]);
        let exact_texts: Vec<String> = exact_texts.into_iter().collect();
        let exact = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&exact_texts);
        Self {
            any: any.ok(),
            exact: exact.ok(),
            exact_texts,
        }
    }
}

/// Whether a sensitive text is so short that it is only looked for as a word of its own.
pub fn is_short(text: &str) -> bool {
    text.chars().count() < SHORT
}

/// Whether what is at `span` can be distinguished from an accident: it is long, or a word of its own.
fn is_told(text: &str, span: &Range<usize>) -> bool {
    if !is_short(text.get(span.clone()).unwrap_or_default()) {
        return true;
    }
    let before = text
        .get(..span.start)
        .and_then(|before| before.chars().next_back());
    let after = text.get(span.end..).and_then(|after| after.chars().next());
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// A sensitive text as the program, AWS and their formats write it.
fn spellings(text: &str) -> [String; 8] {
    let json = in_json(text);
    let xml = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    [
        text.to_lowercase(),
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        // As a form writes it: a space is a plus, and a few characters stay.
        utf8_percent_encode(text, FORM)
            .to_string()
            .replace("%20", "+"),
        // As the terminal is shown control characters.
        text.chars()
            .map(|c| {
                if c.is_control() {
                    c.escape_default().to_string()
                } else {
                    c.to_string()
                }
            })
            .collect(),
        xml.replace('"', "&quot;").replace('\'', "&#39;"),
        // JSON within JSON: a document in a log line.
        in_json(&json),
        json,
        text.to_owned(),
    ]
}

/// Source: URL Standard, application/x-www-form-urlencoded percent-encode set.
const FORM: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// What stands between the quotes where JSON writes `text`.
fn in_json(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.get(1..json.len().saturating_sub(1))
        .unwrap_or_default()
        .to_owned()
}

/// Where `text` holds a mask or a digest: there is nothing to see.
fn opaque(text: &str) -> Vec<Range<usize>> {
    let masks = [MASK, OTHER]
        .into_iter()
        .flat_map(|mask| text.match_indices(mask))
        .map(|(at, mask)| at..at + mask.len());
    masks.chain(tokens(text)).collect()
}

fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> {
    [OPEN, OPEN_NUMBER].into_iter().flat_map(move |open| {
        text.match_indices(open).filter_map(move |(at, _)| {
            let end = at + open.len() + DIGITS;
            let digits = text.get(at + open.len()..end)?;
            let is_token = digits.bytes().all(|byte| byte.is_ascii_hexdigit())
                && text.get(end..)?.starts_with(CLOSE);
            is_token.then_some(at..end + CLOSE.len())
        })
    })
}

fn token(open: &str, text: &str, salt: &str) -> String {
    let mut token = open.to_owned();
    for byte in Sha256::digest(format!("{salt}:{text}").as_bytes()) {
        // Writing to a string cannot fail.
        _ = write!(token, "{byte:02x}");
    }
    token + CLOSE
}

fn reveal<'a>(value: Value, known: &dyn Fn(&str) -> Option<&'a str>) -> Option<Value> {
    let text = |text: &str| reveal_text(text, &|token| known(token).map(str::to_owned));
    Some(match value {
        Value::String(one) => match known(&one).filter(|_| one.starts_with(OPEN_NUMBER)) {
            Some(number) => serde_json::from_str(number).ok()?,
            None => Value::String(text(&one)?),
        },
        Value::Array(items) => items
            .into_iter()
            .map(|item| reveal(item, known))
            .collect::<Option<_>>()?,
        Value::Object(members) => {
            let member = |(key, value): (String, Value)| Some((text(&key)?, reveal(value, known)?));
            Value::Object(
                members
                    .into_iter()
                    .map(member)
                    .collect::<Option<Map<_, _>>>()?,
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    })
}

fn reveal_text(text: &str, known: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut spans: Vec<Range<usize>> = tokens(text).collect();
    spans.sort_by_key(|span| span.start);
    let mut revealed = String::with_capacity(text.len());
    let mut from = 0;
    for span in spans {
        revealed += text.get(from..span.start)?;
        revealed += &known(text.get(span.clone())?)?;
        from = span.end;
    }
    Some(revealed + text.get(from..)?)
}

/// Sensitive values as a state keeps them: salted digests, which whoever knows the values reads.
#[derive(Debug, Default)]
pub struct Digests {
    secrets: Secrets,
    salt: String,
    known: OnceLock<BTreeMap<String, String>>,
}

impl Digests {
    /// Those of these values.
    pub fn new(secrets: Secrets, salt: &str) -> Self {
        Self {
            secrets,
            salt: salt.to_owned(),
            known: OnceLock::new(),
        }
    }

    /// `text` with digests in the place of sensitive values.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.hide_text(text, &self.salt)
    }

    /// `text` with the values that are known in the place of their digests. A digest of another value stays.
    pub fn reveal(&self, text: &str) -> String {
        if !text.contains(OPEN) {
            return text.to_owned();
        }
        let known = self.known.get_or_init(|| {
            let known = self.secrets.tokens(&self.salt);
            known
                .into_iter()
                .map(|(token, text)| (token, text.to_owned()))
                .collect()
        });
        reveal_text(text, &|token| {
            Some(
                known
                    .get(token)
                    .map_or_else(|| token.to_owned(), Clone::clone),
            )
        })
        .unwrap_or_else(|| text.to_owned())
    }
}

/// What must not leave the program, for everything that writes: it grows while the run learns what is sensitive.
#[derive(Debug, Clone, Default)]
pub struct Discretion(Arc<RwLock<Secrets>>);

impl Discretion {
    /// Adds what must not leave.
    pub fn learn(&self, secrets: &Secrets) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(secrets);
    }

    /// Everything that must not leave, as far as it is known.
    pub fn secrets(&self) -> Secrets {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// `text` with every sensitive value masked.
    pub fn mask(&self, text: &str) -> String {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .mask(text)
    }
}

/// Writes text with sensitive values masked. A line is held back until it is whole, so that a value that is written in
/// parts is found.
#[derive(Debug)]
pub struct Discreet<W: Write> {
    out: W,
    discretion: Discretion,
    held: Vec<u8>,
}

impl<W: Write> Discreet<W> {
    /// Writes to `out`.
    pub fn new(out: W, discretion: Discretion) -> Self {
        Self {
            out,
            discretion,
            held: Vec::new(),
        }
    }

    fn release(&mut self, end: usize) -> io::Result<()> {
        let rest = self.held.split_off(end);
        let text = std::mem::replace(&mut self.held, rest);
        self.out.write_all(
            self.discretion
                .mask(&String::from_utf8_lossy(&text))
                .as_bytes(),
        )
    }
}

impl<W: Write> Write for Discreet<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line_end = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map(|at| self.held.len() + at + 1);
        self.held.extend_from_slice(bytes);
        if let Some(end) = line_end {
            self.release(end)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.release(self.held.len())?;
        self.out.flush()
    }
}

impl<W: Write> Drop for Discreet<W> {
    fn drop(&mut self) {
        // Whoever wants to know whether it could be written has flushed.
        _ = self.flush();
    }
}

#[cfg(test)]
mod tests;
