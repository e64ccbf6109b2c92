//! Parameters of a template.

use std::sync::LazyLock;

use regex::Regex;

use super::super::report::Source;
use super::node::{Node, Value};

/// What the values of a variable are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    String,
    AccountId,
    Bool,
    Integer,
    List,
}

impl Kind {
    /// As desired state writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::AccountId => "account_id",
            Self::Bool => "bool",
            Self::Integer => "integer",
            Self::List => "list",
        }
    }
}

/// A parameter as it is declared, and the value given for it.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub place: Source,
    /// Whether its value is one text, a number or a list.
    pub shape: Shape,
    /// Whether its value is that of an SSM parameter, which its default and what is given only name.
    pub is_ssm: bool,
    /// Its default.
    pub default: Option<String>,
    /// What is given for it.
    pub given: Option<String>,
    /// `AllowedValues`
    pub allowed: Vec<String>,
    /// `AllowedPattern`
    pub pattern: Option<String>,
    /// `MinLength`
    pub min_length: Option<String>,
    /// `MaxLength`
    pub max_length: Option<String>,
    /// `MinValue`
    pub min_value: Option<String>,
    /// `MaxValue`
    pub max_value: Option<String>,
    /// Whether its value is shown nowhere.
    pub no_echo: bool,
    /// What it is for.
    pub description: Option<String>,
}

/// What the value of a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    Number,
    List,
}

impl Parameter {
    /// Reads a declaration.
    pub fn read(name: &str, place: &Source, node: &Node, label: Option<&str>) -> Self {
        let text = |key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
        let written = text("Type").unwrap_or_else(|| "String".to_owned());
        let inner = written
            .strip_prefix("AWS::SSM::Parameter::Value<")
            .and_then(|rest| rest.strip_suffix('>'));
        let shape = match inner.unwrap_or(&written).trim() {
            "CommaDelimitedList" => Shape::List,
            list if list.starts_with("List<") => Shape::List,
            "Number" => Shape::Number,
            _ => Shape::Text,
        };
        let default = node.get("Default").and_then(|node| match &node.value {
            Value::List(items) => {
                let items: Vec<&str> = items.iter().filter_map(Node::as_text).collect();
                Some(items.join(","))
            }
            Value::Null => Some(String::new()),
            _ => node.as_text().map(str::to_owned),
        });
        let allowed = node.get("AllowedValues").and_then(Node::as_list);
        let allowed = allowed.unwrap_or_default().iter();
        let empty = |node: &Node| matches!(node.value, Value::Null).then(String::new);
        Self {
            name: name.to_owned(),
            place: place.clone(),
            shape,
            is_ssm: inner.is_some(),
            default,
            given: None,
            allowed: allowed
                .filter_map(|node| node.as_text().map(str::to_owned).or_else(|| empty(node)))
                .collect(),
            pattern: text("AllowedPattern").filter(|pattern| !pattern.is_empty()),
            min_length: text("MinLength"),
            max_length: text("MaxLength"),
            min_value: text("MinValue"),
            max_value: text("MaxValue"),
            no_echo: text("NoEcho").is_some_and(|text| text.eq_ignore_ascii_case("true")),
            description: text("Description")
                .filter(|text| !text.trim().is_empty())
                .or_else(|| label.map(str::to_owned)),
        }
    }

    /// The value it has where none is given otherwise.
    pub fn value(&self) -> Option<&str> {
        if self.is_ssm {
            return None;
        }
        self.given.as_deref().or(self.default.as_deref())
    }

    /// What its values are. `only_truth`: it is compared with `true` and `false` and used for nothing else;
    /// `is_something`: it is never compared with the empty text.
    pub fn kind(&self, only_truth: bool, is_something: bool) -> Kind {
        let has = |value: &str| self.allowed.iter().any(|allowed| allowed == value);
        let all = |fits: &dyn Fn(&str) -> bool| {
            let values = self.allowed.iter().map(String::as_str);
            values.chain(self.value()).all(fits)
        };
        match self.shape {
            Shape::List => Kind::List,
            Shape::Number if all(&|text| text.trim().parse::<i64>().is_ok()) => Kind::Integer,
            Shape::Number => Kind::String,
            Shape::Text => {
                let is_truth = self.allowed.len() == 2 && has("true") && has("false");
                if is_truth && only_truth && all(&|text| text == "true" || text == "false") {
                    Kind::Bool
                } else if is_something && self.is_account_id() && all(&is_account) {
                    Kind::AccountId
                } else {
                    Kind::String
                }
            }
        }
    }

    /// Whether its constraints say that it is twelve digits.
    fn is_account_id(&self) -> bool {
        static DIGITS: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"^\^?\(?\^?(\[0-9\]|\\d)\{12(,12)?\}\$?\)?\$?$").ok());
        let is_twelve = |length: &Option<String>| length.as_deref() == Some("12");
        let digits = |pattern: &String| {
            DIGITS
                .as_ref()
                .is_some_and(|digits| digits.is_match(pattern))
        };
        match &self.pattern {
            Some(pattern) => digits(pattern),
            None => is_twelve(&self.min_length) && is_twelve(&self.max_length),
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The items of a comma-separated list; none where it is empty.
pub fn split_list(text: &str) -> impl Iterator<Item = String> {
    let items = (!text.trim().is_empty()).then(|| text.split(','));
    items
        .into_iter()
        .flatten()
        .map(|item| item.trim().to_owned())
}
