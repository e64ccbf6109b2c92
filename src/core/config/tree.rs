//! A file as a tree in which every key and value has its place.
//!
//! TOML, JSON and YAML all become this one tree, so that a problem found late can still underline what caused it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Number;
use toml::de::{DeTable, DeValue};

use super::expr::Template;
use super::place::{File, Place};
use super::problem::{Problem, Problems};

/// A value and where it is written.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place.
    pub place: Place,
}

/// A value.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the variants are what they are called")]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Datetime(String),
    String(String),
    /// A string with expressions in it, not rendered yet.
    Template(Arc<Template>),
    Array(Vec<Node>),
    Table(Table),
}

/// A key and where it is written.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key.
    pub text: String,
    /// The expressions in it, where it has any.
    pub template: Option<Arc<Template>>,
    /// Its place.
    pub place: Place,
}

/// A table, in the order it is written.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its members.
    pub entries: Vec<(Key, Node)>,
}

impl Table {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The key and value of `key`.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        self.entries
            .iter()
            .find(|(known, _)| known.text == key)
            .map(|(key, node)| (key, node))
    }
}

impl Node {
    /// The string it is.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }

    /// The boolean it is.
    pub fn as_bool(&self) -> Option<bool> {
        if let Value::Bool(value) = self.value {
            Some(value)
        } else {
            None
        }
    }

    /// The integer it is.
    pub fn as_integer(&self) -> Option<i64> {
        if let Value::Number(number) = &self.value {
            number.as_i64()
        } else {
            None
        }
    }

    /// The table it is.
    pub fn as_table(&self) -> Option<&Table> {
        if let Value::Table(table) = &self.value {
            Some(table)
        } else {
            None
        }
    }

    /// The list it is.
    pub fn as_array(&self) -> Option<&[Node]> {
        if let Value::Array(items) = &self.value {
            Some(items)
        } else {
            None
        }
    }

    /// Its items where it is a list, else itself alone.
    pub fn items(&self) -> &[Node] {
        self.as_array().unwrap_or(std::slice::from_ref(self))
    }

    /// The strings in it, with their places: it may be one string or a list of them.
    pub fn strings(&self) -> Vec<(&str, &Place)> {
        self.items()
            .iter()
            .filter_map(|item| item.as_str().map(|text| (text, &item.place)))
            .collect()
    }

    /// What it is, with its article.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(number) if number.is_f64() => "a float",
            Value::Number(_) => "an integer",
            Value::Datetime(_) => "a date",
            Value::String(_) | Value::Template(_) => "a string",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The same as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => number.clone().into(),
            Value::Datetime(text) | Value::String(text) => text.as_str().into(),
            Value::Template(template) => template.source().into(),
            Value::Array(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(table) => table
                .entries
                .iter()
                .map(|(key, node)| (key.text.clone(), node.to_json()))
                .collect(),
        }
    }

    /// The place of what the JSON pointer names, or of the nearest thing around it.
    pub fn place_of(&self, pointer: &str) -> Place {
        let mut node = self;
        let mut place = &self.place;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match &node.value {
                Value::Array(items) => step
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index)),
                Value::Table(table) => table.entry(&step).map(|(key, node)| {
                    place = &key.place;
                    node
                }),
                _ => None,
            };
            let Some(next) = next else {
                return place.clone();
            };
            // A member that holds more is shown by its key.
            let holds_more = matches!(next.value, Value::Table(_) | Value::Array(_));
            if !holds_more || matches!(node.value, Value::Array(_)) {
                place = &next.place;
            }
            node = next;
        }
        place.clone()
    }
}

/// Calls `visit` with every template of a tree.
pub fn for_each_template(node: &Node, visit: &mut dyn FnMut(&Arc<Template>, &Place)) {
    match &node.value {
        Value::Template(template) => visit(template, &node.place),
        Value::Array(items) => items.iter().for_each(|item| for_each_template(item, visit)),
        Value::Table(table) => for_each_in_table(table, visit),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Datetime(_) | Value::String(_) => {
        }
    }
}

fn for_each_in_table(table: &Table, visit: &mut dyn FnMut(&Arc<Template>, &Place)) {
    for (key, node) in &table.entries {
        if let Some(template) = &key.template {
            visit(template, &key.place);
        }
        for_each_template(node, visit);
    }
}

/// The dotted names that the expressions of a tree use.
pub fn uses(node: &Node) -> impl Iterator<Item = String> + use<> {
    let mut names = BTreeSet::new();
    for_each_template(node, &mut |template, _| {
        names.extend(template.uses().map(str::to_owned));
    });
    names.into_iter()
}

/// Parses TOML; every syntax error is a problem, and what could be read is returned.
pub fn parse_toml(file: &Arc<File>, problems: &mut Problems) -> Table {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    for error in errors {
        let span = error.span().unwrap_or_default();
        let place = Place {
            file: file.clone(),
            start: span.start,
            end: span.end,
        };
        let mut message = error.message().trim_end().replace('\n', ", ");
        if leading_zeros(&file.text, span.start) {
            message += ": an account id is 12 digits, in a string";
        }
        problems.push(Problem::error("syntax", &place, message));
    }
    convert_table(table.get_ref(), file, problems)
}

/// Whether a number like `006742885340` stands here, which TOML refuses.
fn leading_zeros(text: &str, at: usize) -> bool {
    let start = text.get(..at).map_or(0, |before| {
        before
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |found| found + 1)
    });
    let digits = text
        .get(start..)
        .unwrap_or_default()
        .chars()
        .take_while(char::is_ascii_digit)
        .count();
    digits >= 9
}

fn convert_table(table: &DeTable<'_>, file: &Arc<File>, problems: &mut Problems) -> Table {
    let mut entries: Vec<(Key, Node)> = table
        .iter()
        .map(|(key, value)| {
            let place = Place {
                file: file.clone(),
                start: key.span().start,
                end: key.span().end,
            };
            let key = Key {
                text: key.get_ref().to_string(),
                template: None,
                place,
            };
            (key, convert(value, file, problems))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.place.start);
    Table { entries }
}

fn convert(value: &toml::Spanned<DeValue<'_>>, file: &Arc<File>, problems: &mut Problems) -> Node {
    let place = Place {
        file: file.clone(),
        start: value.span().start,
        end: value.span().end,
    };
    let value = match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(value) => Value::Datetime(value.to_string()),
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| convert(item, file, problems))
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(convert_table(table, file, problems)),
        DeValue::Float(float) => float
            .as_str()
            .parse()
            .ok()
            .and_then(Number::from_f64)
            .map_or(Value::Null, Value::Number),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            if number.is_err() {
                problems.push(Problem::error("syntax", &place, "the integer is too large"));
            }
            number.map_or(Value::Null, |number| Value::Number(number.into()))
        }
    };
    Node { value, place }
}
