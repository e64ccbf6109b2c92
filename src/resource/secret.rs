//! Sensitive values, and how they are kept out of everything that is shown.

use std::collections::BTreeSet;

use serde_json::Value;

/// What stands where a sensitive value would.
pub const MASK: &str = "(sensitive)";

/// The sensitive values of a run. Its `Debug` shows none of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeSet<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Adds a value. The empty string is no secret: it would mask everything.
    pub fn insert(&mut self, value: &str) {
        if !value.is_empty() {
            self.0.insert(value.to_owned());
        }
    }

    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether `text` holds a sensitive value.
    pub fn occurs_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.as_str()))
    }

    /// `text` with every sensitive value replaced by [`MASK`]; longer values first, so that none shows through.
    pub fn mask(&self, text: &str) -> String {
        let mut secrets: Vec<&String> = self.0.iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), MASK))
    }

    /// `value` with every string in it masked, keys included.
    #[must_use]
    pub fn mask_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.mask(text)),
            Value::Array(items) => items.iter().map(|item| self.mask_value(item)).collect(),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(key, value)| (self.mask(key), self.mask_value(value))).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_within_another_does_not_show_through() {
        let mut secrets = Secrets::default();
        secrets.insert("abc");
        secrets.insert("xxabcxx");
        secrets.insert("");
        assert_eq!(secrets.mask("1 xxabcxx 2 abc"), "1 (sensitive) 2 (sensitive)");
        assert!(!format!("{secrets:?}").contains("abc"));
    }
}
