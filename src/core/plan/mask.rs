//! Sensitive values in diffs, and in what is recorded.
//!
//! A sensitive value is masked wherever it stands. So is a live value that stands where a sensitive one is desired: it
//! may be yesterday's secret. Where a value is follows from the key it belongs to (a condition key, a tag key,
//! `Resource`), without regard to case, and a live value that is also desired openly at that key is not secret. A live
//! value that is not the desired one reads [`OTHER`], so that a changed secret is a visible change in every format,
//! whatever else changes with it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Attribute;
use crate::resource::secret::{MASK, OTHER, Secrets};
use crate::resource::step::Step;

/// Where sensitive values stand: by the key they hang from, in lower case. What hangs from no key is at the empty one.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<String, Expected>);

/// What is desired at a key where something sensitive is desired.
#[derive(Debug, Default)]
struct Expected {
    /// Openly.
    open: BTreeSet<String>,
    /// The texts that hold a sensitive value.
    sensitive: BTreeSet<String>,
}

impl Places {
    /// The places at which `desired` has a text for which `is_sensitive` holds.
    pub(super) fn of(desired: &Value, is_sensitive: &dyn Fn(&str) -> bool) -> Self {
        let mut places = Self::default();
        places.collect(desired, "", is_sensitive);
        places
            .0
            .retain(|_, expected| !expected.sensitive.is_empty());
        places
    }

    fn collect(&mut self, value: &Value, key: &str, is_sensitive: &dyn Fn(&str) -> bool) {
        match value {
            Value::String(_) | Value::Number(_) => {
                let text = text_of(value);
                let expected = self.0.entry(key.to_lowercase()).or_default();
                if is_sensitive(&text) {
                    expected.sensitive.insert(text);
                } else {
                    expected.open.insert(text);
                }
            }
            Value::Array(items) => items
                .iter()
                .for_each(|item| self.collect(item, key, is_sensitive)),
            Value::Object(members) => members
                .iter()
                .for_each(|(key, value)| self.collect(value, key, is_sensitive)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Whether a value at `key` stands where something sensitive is desired, and is not what is desired openly there.
    fn conceals(&self, key: &str, text: &str) -> bool {
        self.0
            .get(&key.to_lowercase())
            .is_some_and(|expected| !expected.open.contains(text))
    }

    /// Whether exactly this text is desired at `key`.
    fn expects(&self, key: &str, text: &str) -> bool {
        self.0
            .get(&key.to_lowercase())
            .is_some_and(|expected| expected.sensitive.contains(text))
    }

    /// `value` with what stands at these places replaced by what `conceal` makes of it.
    pub(super) fn conceal(&self, value: &Value, conceal: &dyn Fn(&str) -> String) -> Value {
        self.conceal_at(value, "", conceal)
    }

    fn conceal_at(&self, value: &Value, key: &str, conceal: &dyn Fn(&str) -> String) -> Value {
        match value {
            Value::String(text) if self.conceals(key, text) => Value::String(conceal(text)),
            Value::Array(items) => items
                .iter()
                .map(|item| self.conceal_at(item, key, conceal))
                .collect(),
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| (key.clone(), self.conceal_at(value, key, conceal)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
}

/// The attributes of a resource as they are recorded: what stands where `like`, the same resource as it is desired or was
/// recorded before, has a sensitive value is replaced by its salted digest. It may be yesterday's secret.
pub(super) fn conceal(
    values: &Value,
    like: &Value,
    is_sensitive: &dyn Fn(&str) -> bool,
    salt: &str,
) -> Value {
    let hide = |text: &str| {
        if Secrets::is_sealed(text) {
            text.to_owned()
        } else {
            Secrets::seal(text, salt)
        }
    };
    let one = |value: &Value, like: &Value| Places::of(like, is_sensitive).conceal(value, &hide);
    let each = |values: &Value, like: &Value, one: &dyn Fn(&str, &Value, &Value) -> Value| {
        let Value::Object(members) = values else {
            return values.clone();
        };
        let concealed = |(name, value): (&String, &Value)| {
            let value = like
                .get(name)
                .map_or_else(|| value.clone(), |like| one(name, value, like));
            (name.clone(), value)
        };
        Value::Object(members.iter().map(concealed).collect())
    };
    each(values, like, &|attribute, value, like| {
        if attribute == Attribute::InlinePolicies.name() {
            each(value, like, &|_, value, like| one(value, like))
        } else {
            one(value, like)
        }
    })
}

/// The attributes that steps write, as they write them.
pub(super) fn written(steps: &[Step]) -> Value {
    let mut written = serde_json::Map::new();
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut set = |attribute: Attribute, value: Value| {
        _ = written.insert(attribute.name().to_owned(), value);
    };
    let (mut inline, mut tagged, mut attached) = (serde_json::Map::new(), Value::Null, Vec::new());
    for step in steps {
        match step {
            Step::CreateRole {
                trust,
                description,
                permissions_boundary,
                tags,
                ..
            } => {
                set(Attribute::Trust, parsed(trust));
                set(Attribute::Description, Value::from(description.clone()));
                set(
                    Attribute::PermissionsBoundary,
                    Value::from(permissions_boundary.as_ref().map(ToString::to_string)),
                );
                tagged = serde_json::json!(tags);
            }
            Step::CreatePolicy { document, tags, .. } => {
                set(Attribute::Document, parsed(document));
                tagged = serde_json::json!(tags);
            }
            Step::UpdateAssumeRolePolicy { document, .. } => {
                set(Attribute::Trust, parsed(document));
            }
            Step::UpdateRole { description, .. } => {
                set(Attribute::Description, Value::from(description.clone()));
            }
            Step::PutRolePermissionsBoundary { arn, .. } => {
                set(Attribute::PermissionsBoundary, Value::from(arn.to_string()));
            }
            Step::TagRole { tags, .. } | Step::TagPolicy { tags, .. } => {
                tagged = serde_json::json!(tags);
            }
            Step::AttachRolePolicy { arn, .. } => attached.push(Value::from(arn.to_string())),
            Step::PutRolePolicy {
                policy, document, ..
            } => _ = inline.insert(policy.to_string(), parsed(document)),
            Step::CreatePolicyVersion { document, .. }
            | Step::PutUserPolicy { document, .. }
            | Step::PutGroupPolicy { document, .. } => set(Attribute::Document, parsed(document)),
            Step::DeletePolicyVersion { .. }
            | Step::UntagPolicy { .. }
            | Step::DeletePolicy { .. }
            | Step::DeleteRolePermissionsBoundary { .. }
            | Step::UntagRole { .. }
            | Step::DetachRolePolicy { .. }
            | Step::DeleteRolePolicy { .. }
            | Step::DeleteUserPolicy { .. }
            | Step::DeleteGroupPolicy { .. }
            | Step::RemoveRoleFromInstanceProfile { .. }
            | Step::AddRoleToInstanceProfile { .. }
            | Step::DeleteRole { .. } => {}
        }
    }
    set(Attribute::Tags, tagged);
    set(Attribute::ManagedPolicies, Value::Array(attached));
    set(Attribute::InlinePolicies, Value::Object(inline));
    Value::Object(written)
}

/// Masks both sides of one attribute's diff.
pub(super) struct Masker<'a> {
    secrets: &'a Secrets,
    places: Places,
}

impl<'a> Masker<'a> {
    /// Learns from the desired value of an attribute where its sensitive values stand.
    pub(super) fn new(secrets: &'a Secrets, desired: &Value) -> Self {
        let places = Places::of(desired, &|text| secrets.occurs_in(text));
        Self { secrets, places }
    }

    /// A desired value, masked.
    pub(super) fn desired(&self, value: &Value) -> Value {
        self.secrets.mask_value(value)
    }

    /// A live value, masked. `beside` is the part of the desired value that it is compared with, where only a part is:
    /// a secret of another statement is not the one that is desired in this.
    pub(super) fn live(&self, value: &Value, beside: Option<&Value>) -> Value {
        let own = beside.map(|desired| Places::of(desired, &|text| self.secrets.occurs_in(text)));
        self.live_at(value, "", own.as_ref().unwrap_or(&self.places))
    }

    fn live_at(&self, value: &Value, key: &str, beside: &Places) -> Value {
        match value {
            Value::String(text) => Value::String(self.live_text(text, key, beside)),
            Value::Array(items) => items
                .iter()
                .map(|item| self.live_at(item, key, beside))
                .collect(),
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| (self.secrets.mask(key), self.live_at(value, key, beside)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Number(_) | Value::Bool(_) => {
                let text = text_of(value);
                if beside.expects(key, &text) {
                    MASK.into()
                } else if self.places.conceals(key, &text) {
                    OTHER.into()
                } else {
                    value.clone()
                }
            }
            Value::Null => Value::Null,
        }
    }

    fn live_text(&self, text: &str, key: &str, beside: &Places) -> String {
        if self.places.conceals(key, text) && !beside.expects(key, text) {
            OTHER.to_owned()
        } else {
            self.secrets.mask(text)
        }
    }
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(desired: &Value, live: &Value, expect: &Value) {
        let mut secrets = Secrets::default();
        secrets.insert("s3cret");
        secrets.insert("s3cond");
        let masker = Masker::new(&secrets, desired);
        assert_eq!(&masker.live(live, None), expect);
        let shown = masker.desired(desired).to_string();
        assert!(!shown.contains("s3cret") && !shown.contains("s3cond"));
    }

    #[test]
    fn a_live_value_where_a_sensitive_one_is_desired_is_masked_and_told_from_the_desired_one() {
        let desired = json!({"sts:ExternalId": "s3cret"});
        check(
            &desired,
            &json!({"STS:externalid": ["old", "s3cret"]}),
            &json!({"STS:externalid": [OTHER, MASK]}),
        );
        // What IAM keeps apart by case is another value, and so is a part of it.
        for other in ["S3CRET", "s3cret-2", "s3cond", ""] {
            check(
                &desired,
                &json!({ "sts:ExternalId": other }),
                &json!({"sts:ExternalId": OTHER}),
            );
        }
    }

    #[test]
    fn a_value_desired_openly_beside_a_sensitive_one_is_shown() {
        check(
            &json!({"Resource": ["s3cret/*", "open"]}),
            &json!({"Resource": ["open", "old"], "Sid": "x"}),
            &json!({"Resource": ["open", OTHER], "Sid": "x"}),
        );
    }

    #[test]
    fn a_plain_attribute_that_holds_a_secret_masks_what_was_there() {
        check(&json!("to s3cret"), &json!("to old"), &json!(OTHER));
        check(
            &json!("to s3cret"),
            &json!("to s3cret"),
            &json!("to (sensitive)"),
        );
        check(
            &json!("to all"),
            &json!("to s3cret"),
            &json!("to (sensitive)"),
        );
    }

    #[test]
    fn secrets_that_changed_places_are_not_the_desired_ones() {
        let mut secrets = Secrets::default();
        secrets.insert("s3cret");
        secrets.insert("s3cond");
        let id = |text: &str| json!({ "sts:ExternalId": text });
        let masker = Masker::new(&secrets, &json!([id("s3cret"), id("s3cond")]));
        let seen = |live: &str, beside: &str| masker.live(&id(live), Some(&id(beside)));
        assert_eq!(seen("s3cond", "s3cret"), id(OTHER));
        assert_eq!(seen("s3cret", "s3cret"), id(MASK));
    }
}
