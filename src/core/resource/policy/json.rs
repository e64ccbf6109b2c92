//! JSON text to a value, with every member that is there twice reported.
//!
//! A lenient parser keeps the last of two members of one name: a whole `StringEquals` block would go without a word.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::DocumentProblem;

/// What a text holds. The value is there although members are double, so that the rest can be checked too.
pub(super) struct Json {
    pub(super) value: Option<Value>,
    pub(super) problems: Vec<DocumentProblem>,
}

/// Reads JSON text of any shape, refusing members that are there twice.
///
/// # Errors
/// The place where the text is not JSON, or every duplicate member.
pub fn json_without_duplicates(text: &str) -> Result<Value, Vec<DocumentProblem>> {
    match read(text) {
        Json {
            value: Some(value),
            problems,
        } if problems.is_empty() => Ok(value),
        Json { problems, .. } => Err(problems),
    }
}

pub(super) fn read(text: &str) -> Json {
    let mut problems = Vec::new();
    if text.trim().is_empty() {
        problems.push(DocumentProblem {
            pointer: String::new(),
            message: "the document is empty".to_owned(),
            hint: None,
        });
        return Json {
            value: None,
            problems,
        };
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let tree = Tree {
        pointer: String::new(),
        problems: &mut problems,
    };
    let value = tree
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    let value = value.map_err(|error| problems.push(not_json(&error))).ok();
    Json { value, problems }
}

fn not_json(error: &serde_json::Error) -> DocumentProblem {
    DocumentProblem {
        pointer: String::new(),
        message: format!("the document is not JSON: {error}"),
        hint: None,
    }
}

/// The pointer of member `key` of the value at `pointer`.
pub(super) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Deserializes one value at `pointer`.
struct Tree<'a> {
    pointer: String,
    problems: &'a mut Vec<DocumentProblem>,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let Self { pointer, problems } = self;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Tree {
            pointer: format!("{pointer}/{}", items.len()),
            problems: &mut *problems,
        })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Self { pointer, problems } = self;
        let mut members = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let pointer = child(&pointer, &key);
            if members.contains_key(&key) {
                problems.push(DocumentProblem {
                    pointer: pointer.clone(),
                    message: format!("duplicate member `{key}`"),
                    hint: Some(
                        "IAM keeps one of the two; write one member with both values".to_owned(),
                    ),
                });
            }
            let value = map.next_value_seed(Tree {
                pointer,
                problems: &mut *problems,
            })?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}
