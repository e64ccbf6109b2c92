//! AWS's protocols as far as the sandbox supports them: the input of a call, and the form of its output.

use std::collections::BTreeMap;

/// The parameters of a query-protocol call (IAM, STS): `RoleName=x`, `Tags.member.1.Key=y`.
#[derive(Debug, Clone, Default)]
pub struct Params(pub BTreeMap<String, String>);

impl Params {
    /// One parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One parameter that the API requires.
    pub fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| {
            ApiError::validation(format!(
                "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    /// A list of scalars: `Filter.member.1=Role`.
    pub fn list(&self, name: &str) -> Vec<&str> {
        (1..)
            .map_while(|n| self.get(&format!("{name}.member.{n}")))
            .collect()
    }

    /// A list of structures: `Tags.member.1.Key=k&Tags.member.1.Value=v`.
    pub fn structs(&self, name: &str) -> Vec<Params> {
        let mut items = Vec::new();
        for n in 1.. {
            let prefix = format!("{name}.member.{n}.");
            let item: BTreeMap<String, String> = self
                .0
                .range(prefix.clone()..)
                .take_while(|(key, _)| key.starts_with(&prefix))
                .filter_map(|(key, value)| {
                    Some((key.strip_prefix(&prefix)?.to_owned(), value.clone()))
                })
                .collect();
            if item.is_empty() {
                break;
            }
            items.push(Params(item));
        }
        items
    }
}

/// The body of an answer in the query protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Xml {
    /// Text, escaped when it is written.
    Text(String),
    /// A structure; members with `None` are left out.
    Fields(Vec<(&'static str, Option<Xml>)>),
    /// A list: each entry is in a `member` element.
    List(Vec<Xml>),
}

impl Xml {
    /// Text of anything that displays.
    pub fn text(value: impl std::fmt::Display) -> Self {
        Self::Text(value.to_string())
    }

    /// The answer of an operation that returns nothing.
    pub fn empty() -> Self {
        Self::Fields(Vec::new())
    }
}

/// An answer that refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The wire code, such as `NoSuchEntity`.
    pub code: String,
    /// AWS's sentence.
    pub message: String,
}

impl ApiError {
    /// An error with its status and code.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// `ValidationError` 400: a parameter breaks its pattern or length.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// `NoSuchEntity` 404.
    pub fn no_such_entity(message: impl Into<String>) -> Self {
        Self::new(404, "NoSuchEntity", message)
    }
}
