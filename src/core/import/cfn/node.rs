//! A template as a tree in which every key and value has its place.

use std::sync::Arc;

use super::super::report::Source;

/// How deep a template may be nested.
pub const MAX_DEPTH: usize = 64;

/// Nodes that a template may have once its aliases are put in.
pub const MAX_NODES: usize = 100_000;

/// A value, and where it is.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its place.
    pub place: Source,
    /// The value.
    pub value: Value,
    /// Where the lines of a block scalar are: the line of its first one, and the columns it is indented by.
    pub block: Option<(usize, usize)>,
}

/// A value of a template.
#[derive(Debug, Clone)]
pub enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key, and where it is.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Its place.
    pub place: Source,
}

impl Node {
    /// A node without a block.
    pub fn new(place: Source, value: Value) -> Self {
        Self {
            place,
            value,
            block: None,
        }
    }

    /// The text it is.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Its items where it is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Its members where it is a map, else none.
    pub fn members(&self) -> &[(Key, Self)] {
        match &self.value {
            Value::Map(members) => members,
            _ => &[],
        }
    }

    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.member(name).map(|(_, node)| node)
    }

    /// The member of this name, with its key.
    pub fn member(&self, name: &str) -> Option<(&Key, &Self)> {
        self.members()
            .iter()
            .find(|(key, _)| key.text == name)
            .map(|(key, node)| (key, node))
    }

    /// Whether it is the intrinsic function `name`, and of what.
    pub fn call(&self, name: &str) -> Option<&Self> {
        match self.members() {
            [(key, node)] if key.text == name => Some(node),
            _ => None,
        }
    }
}

/// Where a text is: how its lines and columns become places.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A file of its own.
    File(Arc<str>),
    /// A block scalar in another file.
    Block {
        /// The other file.
        file: Arc<str>,
        /// The line of its first line there.
        line: usize,
        /// The columns it is indented by there.
        indent: usize,
    },
    /// Text whose lines are not those of a file.
    At(Source),
}

impl Origin {
    /// The place of a line and a column, both one-based.
    pub fn place(&self, line: usize, column: usize) -> Source {
        match self {
            Self::File(file) => Source::File {
                file: file.clone(),
                line,
                column,
            },
            Self::Block {
                file,
                line: first,
                indent,
            } => Source::File {
                file: file.clone(),
                line: first + line - 1,
                column: indent + column,
            },
            Self::At(place) => place.clone(),
        }
    }
}

/// What keeps a text from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Where.
    pub place: Source,
    /// Why.
    pub why: String,
}

/// The problem that something is nested too deep.
pub fn too_deep(place: Source) -> Unreadable {
    Unreadable {
        place,
        why: format!("it is nested more than {MAX_DEPTH} deep"),
    }
}
