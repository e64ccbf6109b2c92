//! A role or policy of one account with the account taken out of it: [`reading`](super::reading) does that.
//!
//! The account's own id becomes `{{ account.id }}`, the management account's and the organization's ids become what
//! expressions call them. Documents are compared with the own id replaced by one that stands nowhere: what is equal then
//! means the same in each account.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::import::report::Source;
use crate::org::AccountId;
use crate::resource::policy::{PolicyDocument, PolicyKind};

/// Whether a shape is of a role or of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A role.
    Role,
    /// A customer managed policy.
    Policy,
}

/// A role or policy as a template.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Which of the two.
    pub kind: Kind,
    /// Where it comes from.
    pub source: Source,
    /// Its name.
    pub name: String,
    /// `path`, `description`, `max_session_duration`, `permissions_boundary`, as far as they are written.
    pub scalars: BTreeMap<&'static str, Value>,
    /// The attached policies, in order; `None`: not known.
    pub attached: Option<Vec<String>>,
    /// Whether its inline policies are known.
    pub knows_inline: bool,
    /// `trust`, `document`, and `inline/NAME`.
    pub documents: BTreeMap<String, Document>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Which of its lists are known in part only: attached, inline.
    pub partial: (bool, bool),
    /// Whether another owner manages it.
    pub external: bool,
    /// Whether no imported role names it, so that it needs targets of its own.
    pub alone: bool,
}

/// A policy document.
#[derive(Debug, Clone)]
pub struct Document {
    /// As a template, statements and lists in order.
    pub written: Value,
    /// What it means with an id that stands nowhere for the account's own.
    pub neutral: PolicyDocument,
    /// The same, statement by statement, in the order of those of `written`.
    pub statements: Vec<PolicyDocument>,
    /// Which half of access it is of.
    pub kind: PolicyKind,
}

/// A resource of one account, in the readings that it may have: in the management account the own id and the
/// management account's are one.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The account.
    pub account: AccountId,
    /// Tells its group from others, for what is secret in it.
    pub group: String,
    /// The resource as it is read first, and for the management account as it may be read, too. None is [`Shape::finish`]ed.
    pub reading: Shape,
    /// The other reading.
    pub other: Option<Shape>,
}

impl Shape {
    /// Whether the two mean the same.
    pub fn is_same(&self, other: &Self) -> bool {
        let documents = || {
            self.documents.len() == other.documents.len()
                && self.documents.iter().all(|(name, document)| {
                    other
                        .documents
                        .get(name)
                        .is_some_and(|other| document.neutral == other.neutral)
                })
        };
        self.has_same_plain(other) && self.attached == other.attached && documents()
    }

    /// Whether everything but documents and attachments is the same.
    pub fn has_same_plain(&self, other: &Self) -> bool {
        (&self.name, &self.scalars, &self.tags) == (&other.name, &other.scalars, &other.tags)
            && (self.knows_inline, self.partial, self.external)
                == (other.knows_inline, other.partial, other.external)
            && self.attached.is_some() == other.attached.is_some()
    }

    /// Both readings of one resource as one: a text is read as `base` has it.
    pub fn mixed(&self, other: &Self, base: &Self) -> Self {
        let mut known = BTreeSet::new();
        base.each_text(&mut |text| _ = known.insert(text.to_owned()));
        let choose = |first: &String, second: &String| -> String {
            let chosen = if !known.contains(first) && known.contains(second) {
                second
            } else {
                first
            };
            chosen.clone()
        };
        let mut mixed = self.clone();
        mixed.name = choose(&self.name, &other.name);
        for (key, value) in &mut mixed.scalars {
            if let (Value::String(first), Some(Value::String(second))) =
                (&value, other.scalars.get(key))
            {
                *value = choose(first, second).into();
            }
        }
        for (first, second) in mixed
            .attached
            .iter_mut()
            .flatten()
            .zip(other.attached.iter().flatten())
        {
            *first = choose(first, second);
        }
        for (key, first) in &mut mixed.tags {
            if let Some(second) = other.tags.get(key) {
                *first = choose(first, second);
            }
        }
        for (document, second) in mixed.documents.values_mut().zip(other.documents.values()) {
            mix(&mut document.written, &second.written, &choose);
        }
        mixed
    }

    fn each_text(&self, visit: &mut dyn FnMut(&str)) {
        visit(&self.name);
        self.scalars
            .values()
            .filter_map(Value::as_str)
            .for_each(&mut *visit);
        self.attached.iter().flatten().for_each(|it| visit(it));
        self.tags.values().for_each(|it| visit(it));
        for document in self.documents.values() {
            each_text(&document.written, visit);
        }
    }

    /// Its whole text, to choose among spellings.
    pub fn text(&self) -> String {
        let documents: Map<String, Value> = self
            .documents
            .iter()
            .map(|(name, document)| (name.clone(), document.written.clone()))
            .collect();
        Value::Object(documents).to_string()
    }
}

fn each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, visit)),
        Value::Object(members) => members.values().for_each(|it| each_text(it, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Chooses between two readings of one text, wherever they differ.
fn mix(first: &mut Value, second: &Value, choose: &dyn Fn(&String, &String) -> String) {
    match (first, second) {
        (Value::String(first), Value::String(second)) => *first = choose(first, second),
        (Value::Array(first), Value::Array(second)) => {
            for (first, second) in first.iter_mut().zip(second) {
                mix(first, second, choose);
            }
        }
        (Value::Object(first), Value::Object(second)) => {
            for (first, second) in first.values_mut().zip(second.values()) {
                mix(first, second, choose);
            }
        }
        _ => {}
    }
}
