//! What other classes have otherwise than the base, as variables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::class::Class;
use super::items::{Items, MOST, Varied};
use super::names::{Names, slug};
use super::shape::{Document, Shape};
use crate::import::draft::Variable;
use crate::org::AccountId;

/// A variable, and what single accounts have for it instead of its default.
#[derive(Debug)]
pub struct Made {
    pub variable: Variable,
    pub values: BTreeMap<AccountId, Value>,
}

/// Where a value stands in a shape.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Name,
    Scalar(&'static str),
    Attached(usize),
    Tag(String),
    /// A document, and a JSON pointer into it.
    Leaf(String, String),
}

/// The values that classes have for a leaf, by index of the class; the base is not among them.
type Columns = BTreeMap<At, BTreeMap<usize, Value>>;

/// Makes variables of what differs. Classes that this cannot express are given back.
pub fn vary<'a>(
    base: &Class,
    others: &'a [Class],
    stem: &str,
    names: &mut Names,
) -> (Varied, Vec<Made>, Vec<&'a Class>) {
    let mut columns = Columns::new();
    let mut items = Items::of(&base.shape);
    let mut rest = Vec::new();
    let mut accepted = BTreeMap::new();
    for (index, class) in others.iter().enumerate() {
        let index = index + 1;
        if let Some(more) = with_leaves(&columns, index, &base.shape, &class.shape) {
            columns = more;
            items.mark_like_base(index);
            accepted.insert(index, class);
        } else if let Some(more) = items.with(index, &base.shape, &class.shape) {
            items = more;
            accepted.insert(index, class);
        } else {
            rest.push(class);
        }
    }
    let mut variables = Vec::new();
    let shape = replaced(&base.shape, columns, &accepted, stem, names, &mut variables);
    items.learn(&shape);
    let mut conditions = BTreeMap::new();
    for (present, hint) in items.conditions() {
        let name = names.variable(&format!("{stem}_{hint}"));
        let default = present.contains(&0);
        let mut variable = Variable::new(
            &name,
            "bool",
            format!("accounts whose `{}` has it or not", shape.name),
        );
        variable.default = Some(default.into());
        let differ = accepted
            .iter()
            .filter(|(index, _)| present.contains(index) != default);
        let values = differ
            .flat_map(|(_, class)| class.accounts.iter().map(|id| (*id, Value::Bool(!default))));
        variables.push(Made {
            values: values.collect(),
            variable,
        });
        conditions.insert(present, format!("var.{name}"));
    }
    (items.varied(shape, &conditions), variables, rest)
}

/// `columns` with what this class has otherwise; `None` where it differs in more than leaves, or there are too many.
fn with_leaves(columns: &Columns, index: usize, base: &Shape, other: &Shape) -> Option<Columns> {
    let mut more = columns.clone();
    for (at, value) in leaves(base, other)? {
        more.entry(at).or_default().insert(index, value);
    }
    let mut distinct = BTreeSet::new();
    for (at, values) in &more {
        let (_, column) = column(&at.value(base)?, values)?;
        distinct.insert(column.map(std::string::ToString::to_string));
    }
    (distinct.len() <= MOST).then_some(more)
}

/// The values of a variable: the base's, and those of classes that have another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Column<T> {
    base: T,
    others: BTreeMap<usize, T>,
}

impl Column<Value> {
    fn map<T>(self, of: impl Fn(&Value) -> T) -> Column<T> {
        Column {
            base: of(&self.base),
            others: self
                .others
                .iter()
                .map(|(index, it)| (*index, of(it)))
                .collect(),
        }
    }
}

/// What of a leaf stays around its variable, and the variable's values. A value cannot hold an expression, so where there
/// is one in the leaf, what all have in common stays outside of the variable.
fn column(
    base: &Value,
    others: &BTreeMap<usize, Value>,
) -> Option<((String, String), Column<Value>)> {
    let whole = Column {
        base: base.clone(),
        others: others.clone(),
    };
    if base.is_number() && others.values().all(Value::is_number) {
        return Some((Default::default(), whole));
    }
    let texts = whole.map(|value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    });
    let is_plain = |text: &String| !text.contains("{{") && !text.contains('\u{0}');
    let all = || std::iter::once(&texts.base).chain(texts.others.values());
    if all().all(is_plain) {
        let column = Column {
            base: texts.base.clone().into(),
            others: texts
                .others
                .iter()
                .map(|(index, it)| (*index, it.clone().into()))
                .collect(),
        };
        return Some((Default::default(), column));
    }
    if all().any(|text| text.contains("${") || text.contains('\u{0}')) {
        return None;
    }
    let tokens: Vec<Vec<&str>> = all().map(|text| tokens(text)).collect();
    let first = tokens.first()?;
    let common = |at: &dyn Fn(&Vec<&str>, usize) -> Option<String>, most: usize| {
        (0..most)
            .take_while(|count| {
                let wanted = at(first, *count);
                wanted.is_some() && tokens.iter().all(|text| at(text, *count) == wanted)
            })
            .count()
    };
    let shortest = tokens.iter().map(Vec::len).min()?;
    let before = common(&|text, n| text.get(n).map(|it| (*it).to_owned()), shortest);
    let behind = common(
        &|text, n| {
            let at = text.len().checked_sub(n + 1)?;
            text.get(at).map(|it| (*it).to_owned())
        },
        shortest - before,
    );
    let middle = |text: &Vec<&str>| -> Option<Value> {
        let middle = text.get(before..text.len() - behind)?.concat();
        is_plain(&middle).then(|| middle.into())
    };
    let mut middles = tokens.iter().map(middle);
    let column = Column {
        base: middles.next()??,
        others: texts
            .others
            .keys()
            .copied()
            .zip(middles)
            .map(|(index, it)| Some((index, it?)))
            .collect::<Option<_>>()?,
    };
    let around = (
        first.get(..before)?.concat(),
        first.get(first.len() - behind..)?.concat(),
    );
    Some((around, column))
}

/// Expressions as one each, and all other characters.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = if rest.starts_with("{{ '{{' }}") {
            "{{ '{{' }}".len()
        } else if rest.starts_with("{{") {
            rest.find("}}").map_or(rest.len(), |at| at + 2)
        } else {
            rest.chars().next().map_or(rest.len(), char::len_utf8)
        };
        let (token, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        tokens.push(token);
        rest = after;
    }
    tokens
}

impl At {
    fn value(&self, shape: &Shape) -> Option<Value> {
        match self {
            Self::Name => Some(shape.name.as_str().into()),
            Self::Scalar(key) => shape.scalars.get(key).cloned(),
            Self::Attached(at) => shape
                .attached
                .as_ref()?
                .get(*at)
                .map(|it| it.as_str().into()),
            Self::Tag(key) => shape.tags.get(key).map(|it| it.as_str().into()),
            Self::Leaf(document, pointer) => shape
                .documents
                .get(document)?
                .written
                .pointer(pointer)
                .cloned(),
        }
    }

    fn put(&self, shape: &mut Shape, text: String) {
        match self {
            Self::Name => shape.name = text,
            Self::Scalar(key) => _ = shape.scalars.insert(key, text.into()),
            Self::Attached(at) => {
                if let Some(slot) = shape.attached.as_mut().and_then(|it| it.get_mut(*at)) {
                    *slot = text;
                }
            }
            Self::Tag(key) => _ = shape.tags.insert(key.clone(), text),
            Self::Leaf(document, pointer) => {
                let document = shape.documents.get_mut(document);
                if let Some(slot) = document.and_then(|it| it.written.pointer_mut(pointer)) {
                    *slot = text.into();
                }
            }
        }
    }

    /// What a variable for it is called.
    fn hint(&self) -> String {
        match self {
            Self::Name => "name".to_owned(),
            Self::Scalar(key) => (*key).to_owned(),
            Self::Attached(_) => "policy".to_owned(),
            Self::Tag(key) => slug(key),
            Self::Leaf(_, pointer) => {
                let word = pointer
                    .rsplit('/')
                    .find(|it| !it.is_empty() && !it.chars().all(|c| c.is_ascii_digit()));
                let word = word.unwrap_or("value").replace("~1", "/");
                slug(word.rsplit(':').next().unwrap_or(&word))
            }
        }
    }
}

/// Puts variables in the place of leaves; columns with equal values share one.
fn replaced(
    base: &Shape,
    columns: Columns,
    accepted: &BTreeMap<usize, &Class>,
    stem: &str,
    names: &mut Names,
    variables: &mut Vec<Made>,
) -> Shape {
    let mut shape = base.clone();
    let mut known: BTreeMap<Column<String>, String> = BTreeMap::new();
    for (at, values) in columns {
        let Some((around, column)) = at.value(base).and_then(|it| column(&it, &values)) else {
            continue;
        };
        let key = column.clone().map(std::string::ToString::to_string);
        let name = known.entry(key).or_insert_with(|| {
            let name = names.variable(&format!("{stem}_{}", at.hint()));
            let kind = if column.base.is_number() {
                "integer"
            } else {
                "string"
            };
            let mut variable = Variable::new(
                &name,
                kind,
                format!("accounts whose `{}` differs in it", base.name),
            );
            variable.default = Some(column.base.clone());
            let classes = column
                .others
                .iter()
                .filter_map(|(index, it)| Some((accepted.get(index)?, it)));
            let values = classes
                .flat_map(|(class, value)| class.accounts.iter().map(|id| (*id, value.clone())));
            variables.push(Made {
                values: values.collect(),
                variable,
            });
            name
        });
        at.put(
            &mut shape,
            format!("{}{{{{ var.{name} }}}}{}", around.0, around.1),
        );
    }
    shape
}

/// Where `other` has another leaf, and which; `None` where it differs in more than leaves.
fn leaves(base: &Shape, other: &Shape) -> Option<BTreeMap<At, Value>> {
    let same = (base.knows_inline, base.partial, base.external)
        == (other.knows_inline, other.partial, other.external)
        && base.scalars.keys().eq(other.scalars.keys())
        && base.tags.keys().eq(other.tags.keys())
        && base.documents.keys().eq(other.documents.keys())
        && base.attached.as_ref().map(Vec::len) == other.attached.as_ref().map(Vec::len);
    if !same {
        return None;
    }
    let mut found = BTreeMap::new();
    if base.name != other.name {
        found.insert(At::Name, other.name.as_str().into());
    }
    for (key, value) in &other.scalars {
        if base.scalars.get(key) != Some(value) {
            found.insert(At::Scalar(key), value.clone());
        }
    }
    for (key, value) in &other.tags {
        if base.tags.get(key) != Some(value) {
            found.insert(At::Tag(key.clone()), value.as_str().into());
        }
    }
    if let (Some(ours), Some(theirs)) = (&base.attached, &other.attached) {
        for (at, value) in pairs(ours, theirs, &|a, b| a == b) {
            found.insert(At::Attached(at), value.as_str().into());
        }
    }
    for (name, document) in &base.documents {
        let other = other.documents.get(name)?;
        if document.neutral != other.neutral {
            let mut walk = Walk {
                document: name,
                found: &mut found,
            };
            walk.document(document, other)?;
        }
    }
    Some(found)
}

/// The items of `theirs` that are not in `ours`, each with the index in `ours` of one that is not in `theirs`.
fn pairs<'a, T>(ours: &[T], theirs: &'a [T], same: &dyn Fn(&T, &T) -> bool) -> Vec<(usize, &'a T)> {
    let mut left: Vec<&T> = theirs.iter().collect();
    let mut open = Vec::new();
    for (at, item) in ours.iter().enumerate() {
        match left.iter().position(|it| same(item, it)) {
            Some(found) => drop(left.remove(found)),
            None => open.push(at),
        }
    }
    open.into_iter().zip(left).collect()
}

struct Walk<'a> {
    document: &'a str,
    found: &'a mut BTreeMap<At, Value>,
}

impl Walk<'_> {
    fn document(&mut self, base: &Document, other: &Document) -> Option<()> {
        let (ours, theirs) = (base.written.as_object()?, other.written.as_object()?);
        if ours.get("Version") != theirs.get("Version")
            || base.statements.len() != other.statements.len()
        {
            return None;
        }
        let statements = |document: &Value| document.get("Statement")?.as_array().cloned();
        let (written, others) = (statements(&base.written)?, statements(&other.written)?);
        let indexes: Vec<usize> = (0..other.statements.len()).collect();
        let all: Vec<usize> = (0..base.statements.len()).collect();
        let same = |ours: &usize, theirs: &usize| {
            base.statements.get(*ours) == other.statements.get(*theirs)
        };
        for (at, theirs) in pairs(&all, &indexes, &same) {
            self.value(
                written.get(at)?,
                others.get(*theirs)?,
                &format!("/Statement/{at}"),
            )?;
        }
        Some(())
    }

    fn value(&mut self, base: &Value, other: &Value, pointer: &str) -> Option<()> {
        match (base, other) {
            (base, other) if base == other => Some(()),
            (Value::Object(ours), Value::Object(theirs)) => {
                let keys = |members: &Map<String, Value>| -> BTreeSet<String> {
                    members
                        .keys()
                        .filter(|key| *key != "Sid")
                        .cloned()
                        .collect()
                };
                if keys(ours) != keys(theirs) {
                    return None;
                }
                for key in keys(ours) {
                    let pointer =
                        format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                    self.value(ours.get(&key)?, theirs.get(&key)?, &pointer)?;
                }
                Some(())
            }
            (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
                for (at, value) in pairs(ours, theirs, &|a, b| a == b) {
                    self.value(ours.get(at)?, value, &format!("{pointer}/{at}"))?;
                }
                Some(())
            }
            (Value::Array(ours), theirs) if ours.len() == 1 && !theirs.is_array() => {
                self.value(ours.first()?, theirs, &format!("{pointer}/0"))
            }
            (ours, Value::Array(theirs)) if theirs.len() == 1 && !ours.is_array() => {
                self.value(ours, theirs.first()?, pointer)
            }
            (
                Value::String(_) | Value::Number(_) | Value::Bool(_),
                Value::String(_) | Value::Number(_) | Value::Bool(_),
            ) => {
                let at = At::Leaf(self.document.to_owned(), pointer.to_owned());
                self.found.insert(at, other.clone());
                Some(())
            }
            _ => None,
        }
    }
}
