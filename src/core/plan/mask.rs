//! Sensitive values in diffs.
//!
//! A sensitive value is masked wherever it stands. So is a live value that stands where a sensitive one is desired: it
//! may be yesterday's secret. Where a value is follows from the key it belongs to (a condition key, a tag key,
//! `Resource`), without regard to case, and a live value that is also desired openly at that key is not secret.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resource::secret::{MASK, Secrets};

/// Masks both sides of one attribute's diff. What hangs from no key is at the empty one.
pub(super) struct Masker<'a> {
    secrets: &'a Secrets,
    /// What is desired openly at keys where something sensitive is desired too.
    sensitive: BTreeMap<String, BTreeSet<String>>,
}

impl<'a> Masker<'a> {
    /// Learns from the desired value of an attribute where its sensitive values stand.
    pub(super) fn new(secrets: &'a Secrets, desired: &Value) -> Self {
        let mut strings = BTreeMap::new();
        collect(desired, "", &mut strings);
        let sensitive = strings
            .into_iter()
            .filter(|(_, values)| values.iter().any(|value| secrets.occurs_in(value)))
            .map(|(key, values)| {
                (
                    key,
                    values
                        .into_iter()
                        .filter(|value| !secrets.occurs_in(value))
                        .collect(),
                )
            })
            .collect();
        Self { secrets, sensitive }
    }

    /// A desired value, masked.
    pub(super) fn desired(&self, value: &Value) -> Value {
        self.secrets.mask_value(value)
    }

    /// A live value, masked.
    pub(super) fn live(&self, value: &Value) -> Value {
        self.live_at(value, "")
    }

    fn live_at(&self, value: &Value, key: &str) -> Value {
        match value {
            Value::String(text) => Value::String(self.live_text(text, key)),
            Value::Array(items) => items.iter().map(|item| self.live_at(item, key)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| (self.secrets.mask(key), self.live_at(value, key)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Number(_) | Value::Bool(_)
                if self.sensitive.contains_key(&key.to_lowercase()) =>
            {
                MASK.into()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn live_text(&self, text: &str, key: &str) -> String {
        match self.sensitive.get(&key.to_lowercase()) {
            Some(open) if !open.contains(text) => MASK.to_owned(),
            _ => self.secrets.mask(text),
        }
    }
}

fn collect(value: &Value, key: &str, strings: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::String(text) => {
            _ = strings
                .entry(key.to_lowercase())
                .or_default()
                .insert(text.clone())
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, key, strings)),
        Value::Object(members) => members
            .iter()
            .for_each(|(key, value)| collect(value, key, strings)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(desired: &Value, live: &Value, expect: &Value) {
        let mut secrets = Secrets::default();
        secrets.insert("s3cret");
        let masker = Masker::new(&secrets, desired);
        assert_eq!(&masker.live(live), expect);
        assert!(!masker.desired(desired).to_string().contains("s3cret"));
    }

    #[test]
    fn a_live_value_where_a_sensitive_one_is_desired_is_masked() {
        check(
            &json!({"sts:ExternalId": "s3cret"}),
            &json!({"STS:externalid": ["old", "older"]}),
            &json!({"STS:externalid": [MASK, MASK]}),
        );
    }

    #[test]
    fn a_value_desired_openly_beside_a_sensitive_one_is_shown() {
        check(
            &json!({"Resource": ["s3cret/*", "open"]}),
            &json!({"Resource": ["open", "old"], "Sid": "x"}),
            &json!({"Resource": ["open", MASK], "Sid": "x"}),
        );
    }

    #[test]
    fn a_plain_attribute_that_holds_a_secret_masks_what_was_there() {
        check(&json!("to s3cret"), &json!("to old"), &json!(MASK));
        check(
            &json!("to all"),
            &json!("to s3cret"),
            &json!("to (sensitive)"),
        );
    }
}
