//! Policy variables: `${key}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}` for the characters themselves.
//!
//! A value enters as characters: a tag that holds `*` matches a `*` and nothing else. A variable without value and
//! default matches nothing. Only version 2012-10-17 has variables.
//! Source: IAM User Guide, "IAM JSON policy elements: Variables and tags".

use super::truth::Truth;
use super::{Scene, Values};
use crate::resource::policy::Version;
use crate::resource::policy::pattern::{Token, Variables, tokens};

/// What a variable represents.
enum Value<'a> {
    Text(&'a str),
    Nothing,
    Unknown,
}

impl<'a> Scene<'a> {
    /// Whether `matches` holds of the pattern `text` with its variables replaced.
    pub(super) fn pattern(self, text: &str, matches: impl FnOnce(&[Token]) -> bool) -> Truth {
        self.pattern_or(text, Truth::No, matches)
    }

    /// Likewise; `without` is the answer where a variable has no value.
    pub(super) fn pattern_or(
        self,
        text: &str,
        without: Truth,
        matches: impl FnOnce(&[Token]) -> bool,
    ) -> Truth {
        let variables = if self.version == Version::V2012 {
            Variables::Read
        } else {
            Variables::Literal
        };
        let mut replaced = Vec::with_capacity(text.len());
        for token in tokens(text, variables) {
            let Token::Variable(variable) = token else {
                replaced.push(token);
                continue;
            };
            match self.variable(variable) {
                Value::Text(value) => replaced.extend(value.chars().map(Token::Char)),
                Value::Nothing => return without,
                Value::Unknown => return Truth::Maybe,
            }
        }
        Truth::from(matches(&replaced))
    }

    fn variable<'v>(self, variable: &'v str) -> Value<'v>
    where
        'a: 'v,
    {
        if let "*" | "?" | "$" = variable {
            return Value::Text(variable);
        }
        let (key, default) = match variable.split_once(',') {
            Some((key, default)) => (key, quoted(default)),
            None => (variable, None),
        };
        match self.values(key.trim()) {
            Values::Present([value]) => Value::Text(value),
            // A key of several values has no one value to stand here.
            Values::Present(_) => Value::Nothing,
            Values::Absent => default.map_or(Value::Nothing, Value::Text),
            Values::Unknown => Value::Unknown,
        }
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.trim().strip_prefix('\'')?.strip_suffix('\'')
}
