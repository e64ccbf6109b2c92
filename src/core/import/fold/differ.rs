//! How a role of one account differs from that of another: by single values, by whole items, or altogether.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::thing::{Doc, DocKey, Stmt, Thing};

/// A value that can be a variable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaf {
    /// A field.
    Field(&'static str),
    /// The value of a tag.
    Tag(String),
    /// A text in a statement, by the statement's number and a JSON pointer.
    Statement(DocKey, usize, String),
}

impl Leaf {
    /// What a variable for it is called.
    pub fn word(&self) -> String {
        match self {
            Self::Field(name) => (*name).to_owned(),
            Self::Tag(key) => format!("tag_{key}"),
            Self::Statement(_, _, pointer) => {
                let words = pointer.rsplit('/');
                let mut words = words.filter(|word| word.parse::<usize>().is_err());
                words.next().unwrap_or("value").to_owned()
            }
        }
    }
}

/// Something that can be there or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// An attached policy.
    Attached(String),
    /// A whole inline policy.
    Inline(String),
    /// A statement, by its meaning.
    Statement(DocKey, String),
}

/// What differs.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// Values, with what they are in the other.
    pub leaves: Vec<(Leaf, String)>,
    /// What the other lacks.
    pub missing: BTreeSet<Member>,
    /// What only the other has.
    pub extra: BTreeSet<Member>,
}

/// What differs between two; `None` where they differ in what no variable can say.
pub fn differences(base: &Thing, other: &Thing) -> Option<Difference> {
    let mut found = Difference::default();
    let is_alike = base.fields.keys().eq(other.fields.keys())
        && base.has_inline == other.has_inline
        && base.attached.is_some() == other.attached.is_some()
        && base.tags.keys().eq(other.tags.keys())
        && base.external == other.external
        && base.secrets.len() == other.secrets.len();
    if !is_alike {
        return None;
    }
    for (name, value) in &base.fields {
        let theirs = other.fields.get(name)?;
        if value != theirs {
            found.leaves.push((Leaf::Field(name), theirs.clone()));
        }
    }
    for (key, value) in &base.tags {
        let theirs = other.tags.get(key)?;
        if value != theirs {
            found.leaves.push((Leaf::Tag(key.clone()), theirs.clone()));
        }
    }
    if let (Some(ours), Some(theirs)) = (&base.attached, &other.attached) {
        let member = |arn: &String| Member::Attached(arn.clone());
        found.missing.extend(ours.difference(theirs).map(member));
        found.extra.extend(theirs.difference(ours).map(member));
    }
    for (key, ours) in &base.docs {
        match (other.docs.get(key), key) {
            (Some(theirs), _) => documents(key, ours, theirs, &mut found)?,
            (None, DocKey::Inline(name)) => _ = found.missing.insert(Member::Inline(name.clone())),
            (None, _) => return None,
        }
    }
    for key in other.docs.keys().filter(|key| !base.docs.contains_key(key)) {
        match key {
            DocKey::Inline(name) => _ = found.extra.insert(Member::Inline(name.clone())),
            DocKey::Trust | DocKey::Policy => return None,
        }
    }
    Some(found)
}

fn documents(key: &DocKey, ours: &Doc, theirs: &Doc, found: &mut Difference) -> Option<()> {
    if ours.is_equal(theirs) {
        return Some(());
    }
    if ours.version != theirs.version {
        return None;
    }
    let mut left: Vec<&Stmt> = theirs.statements.iter().collect();
    let mut changed: Vec<(usize, &Stmt)> = Vec::new();
    for (number, statement) in ours.statements.iter().enumerate() {
        match left.iter().position(|it| it.key == statement.key) {
            Some(at) => _ = left.remove(at),
            None => changed.push((number, statement)),
        }
    }
    let mut gone = Vec::new();
    for (number, statement) in changed {
        let closest = left
            .iter()
            .enumerate()
            .filter_map(|(at, theirs)| {
                let mut leaves = Vec::new();
                bodies(&statement.body, &theirs.body, "", &mut leaves)?;
                Some((leaves.len(), at, leaves))
            })
            .min_by_key(|(count, at, _)| (*count, *at));
        match closest {
            // Two statements that have little in common are two statements.
            Some((count, at, leaves)) if count <= 3 => {
                left.remove(at);
                let of = |(pointer, value): (String, String)| {
                    (Leaf::Statement(key.clone(), number, pointer), value)
                };
                found.leaves.extend(leaves.into_iter().map(of));
            }
            _ => gone.push(statement),
        }
    }
    let member = |statement: &Stmt| Member::Statement(key.clone(), statement.key.clone());
    // A statement that is there or not needs tables, which know one version only.
    if !(gone.is_empty() && left.is_empty()) && !ours.has_tables() {
        return None;
    }
    found.missing.extend(gone.into_iter().map(member));
    found.extra.extend(left.into_iter().map(member));
    Some(())
}

/// The texts in which two maps of one shape differ, with where they are; `None` where their shapes differ.
fn bodies(
    ours: &Map<String, Value>,
    theirs: &Map<String, Value>,
    at: &str,
    leaves: &mut Vec<(String, String)>,
) -> Option<()> {
    if ours.len() != theirs.len() {
        return None;
    }
    for (name, value) in ours {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        values(value, theirs.get(name)?, &pointer, leaves)?;
    }
    Some(())
}

fn values(
    ours: &Value,
    theirs: &Value,
    at: &str,
    leaves: &mut Vec<(String, String)>,
) -> Option<()> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => bodies(ours, theirs, at, leaves),
        (Value::Object(_), _) | (_, Value::Object(_)) => None,
        (ours, theirs) => {
            let (ours, theirs) = (texts(ours, at)?, texts(theirs, at)?);
            if ours.len() != theirs.len() {
                return None;
            }
            // Lists are sets: what both have is equal, whatever its order.
            let only = |one: &[(String, String)], other: &[(String, String)]| {
                let has = |text: &String| other.iter().any(|(_, it)| it == text);
                let mut only: Vec<_> = one.iter().filter(|(_, it)| !has(it)).cloned().collect();
                only.sort_by(|a, b| a.1.cmp(&b.1));
                only
            };
            let (mine, yours) = (only(&ours, &theirs), only(&theirs, &ours));
            if mine.len() != yours.len() {
                return None;
            }
            let pairs = mine.into_iter().zip(yours);
            leaves.extend(pairs.map(|((pointer, _), (_, value))| (pointer, value)));
            Some(())
        }
    }
}

fn texts(value: &Value, at: &str) -> Option<Vec<(String, String)>> {
    match value {
        Value::String(text) => Some(vec![(at.to_owned(), text.clone())]),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| Some((format!("{at}/{index}"), item.as_str()?.to_owned())))
            .collect(),
        _ => None,
    }
}
