//! Checks a tree against the schema, and compiles the expressions in it.
//!
//! A string with an expression in it may become anything, so it passes for every type until it is rendered; what was
//! rendered is checked again.

use super::expr::Template;
use super::problem::{Problem, Problems, did_you_mean};
use super::schema::{Presence, Schema, Type};
use super::tree::{Node, Table, Value};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What was written: expressions are compiled, required keys must be there.
    Written,
    /// What expressions gave: strings are plain text now.
    Rendered,
}

/// Checks `node`, the value of `name`, against `kind`.
pub fn check(node: &mut Node, kind: &Type, name: &str, stage: Stage, problems: &mut Problems) {
    let is_read = stage == Stage::Rendered && matches!(node.value, Value::Table(_) | Value::Null);
    if matches!(kind, Type::Any) || (is_read && may_be_document(kind)) {
        return;
    }
    if stage == Stage::Written
        && let Value::String(text) = &node.value
    {
        let template = match kind {
            Type::Condition => Template::condition(text, &node.place, problems),
            _ => Template::compile(text, &node.place, problems),
        };
        if let Some(template) = template {
            node.value = Value::Template(template);
        }
    }
    if matches!(node.value, Value::Template(_)) {
        return;
    }
    match kind {
        Type::OneOrMany(one) => {
            if let Value::Array(items) = &mut node.value {
                check_items(items, one, name, stage, problems);
            } else if admits(one, node) {
                check(node, one, name, stage, problems);
            } else {
                problems.push(wrong_type(node, kind, name));
            }
        }
        Type::AnyOf(kinds) => match kinds.iter().find(|kind| admits(kind, node)) {
            Some(kind) => check(node, kind, name, stage, problems),
            None => problems.push(wrong_type(node, kind, name)),
        },
        _ if !admits(kind, node) => problems.push(wrong_type(node, kind, name)),
        Type::List(kind) => {
            if let Value::Array(items) = &mut node.value {
                check_items(items, kind, name, stage, problems);
            }
        }
        Type::Map(kind) => {
            if let Value::Table(table) = &mut node.value {
                check_map(table, kind, stage, problems);
            }
        }
        Type::Table(schema) => {
            let place = node.place.clone();
            if let Value::Table(table) = &mut node.value {
                check_table(table, schema, stage, problems);
                check_required(table, schema, &place, stage, problems);
            }
        }
        Type::Word(words) => {
            if let Some(text) = node.as_str()
                && !words.contains(&text)
            {
                let message = format!("`{name}` cannot be `{text}`");
                let hint = did_you_mean(text, words.iter().copied());
                let hint = hint.unwrap_or_else(|| format!("allowed values: {}", quoted(words)));
                problems.push(Problem::error("value", &node.place, message).hint(hint));
            }
        }
        Type::String
        | Type::Bool
        | Type::Integer
        | Type::Date
        | Type::Scalar
        | Type::Condition
        | Type::Document
        | Type::Any => {}
    }
}

/// Checks the keys of `table`, required ones aside.
pub fn check_table(table: &mut Table, schema: &Schema, stage: Stage, problems: &mut Problems) {
    for (key, node) in &mut table.entries {
        if let Some(known) = schema.keys.iter().find(|known| known.name == key.text) {
            check(node, &known.kind, known.name, stage, problems);
            continue;
        }
        let names = || schema.keys.iter().map(|known| known.name);
        let hint = did_you_mean(&key.text, names())
            .unwrap_or_else(|| format!("known keys: {}", names().collect::<Vec<_>>().join(", ")));
        let message = format!("unknown key `{}` in {}", key.text, article(schema));
        problems.push(
            Problem::error("unknown-key", &key.place, message)
                .label("not a known key")
                .hint(hint),
        );
    }
}

fn check_required(
    table: &Table,
    schema: &Schema,
    place: &super::place::Place,
    stage: Stage,
    problems: &mut Problems,
) {
    if stage == Stage::Rendered {
        return;
    }
    for key in schema.keys {
        if key.presence == Presence::Required && table.get(key.name).is_none() {
            let name = table
                .get("name")
                .and_then(Node::as_str)
                .map(|name| format!(" `{name}`"))
                .unwrap_or_default();
            let message = format!(
                "{}{name} has no `{}`, which is required",
                schema.name, key.name
            );
            problems.push(
                Problem::error("missing-key", place, message)
                    .hint(format!("`{}`: {}", key.name, key.doc)),
            );
        }
    }
}

fn article(schema: &Schema) -> String {
    if schema.name == super::schema::ROOT.name {
        schema.name.to_owned()
    } else {
        format!("`{}`", schema.name)
    }
}

fn check_items(items: &mut [Node], kind: &Type, name: &str, stage: Stage, problems: &mut Problems) {
    for item in items {
        check(item, kind, name, stage, problems);
    }
}

fn check_map(table: &mut Table, kind: &Type, stage: Stage, problems: &mut Problems) {
    for (key, node) in &mut table.entries {
        if stage == Stage::Written && !matches!(kind, Type::Any | Type::Table(_)) {
            key.template = Template::compile(&key.text, &key.place, problems);
        }
        let name = key.text.clone();
        check(node, kind, &name, stage, problems);
    }
}

/// Whether `node` is of this type as far as its outermost layer tells.
fn admits(kind: &Type, node: &Node) -> bool {
    match (kind, &node.value) {
        (Type::Any, _)
        | (
            Type::String
            | Type::Word(_)
            | Type::Condition
            | Type::Scalar
            | Type::Document
            | Type::Date,
            Value::String(_),
        )
        | (Type::Date, Value::Datetime(_))
        | (Type::Bool | Type::Scalar, Value::Bool(_))
        | (Type::Scalar, Value::Number(_))
        | (Type::List(_) | Type::OneOrMany(_), Value::Array(_))
        | (Type::Map(_) | Type::Table(_), Value::Table(_))
        | (_, Value::Template(_)) => true,
        (Type::Integer, Value::Number(number)) => number.is_i64() || number.is_u64(),
        (Type::OneOrMany(kind), _) => admits(kind, node),
        (Type::AnyOf(kinds), _) => kinds.iter().any(|kind| admits(kind, node)),
        _ => false,
    }
}

fn wrong_type(node: &Node, kind: &Type, name: &str) -> Problem {
    let mut message = format!("`{name}` must be {}, not {}", describe(kind), node.kind());
    if accepts_text(kind) && looks_like_account_id(node) {
        message += ": an account id is 12 digits, in a string";
    }
    let problem =
        Problem::error("type", &node.place, message).label(format!("this is {}", node.kind()));
    match (&node.value, kind) {
        (Value::Number(number), _) if accepts_text(kind) => {
            let width = if looks_like_account_id(node) { 12 } else { 0 };
            problem.hint(format!("write \"{:0>width$}\"", number.to_string()))
        }
        (Value::Bool(_), _) if accepts_text(kind) => problem.hint("write it in quotes"),
        (Value::Table(_), Type::List(_) | Type::AnyOf(_)) => problem.hint(format!(
            "each entry is a table of its own: [[…{name}]] or {name} = [{{ … }}]"
        )),
        _ => problem,
    }
}

/// Whether this is a number that was probably meant as an account id, which may begin with zeros.
pub fn looks_like_account_id(node: &Node) -> bool {
    node.as_integer()
        .is_some_and(|number| (9..=12).contains(&number.to_string().len()))
}

fn may_be_document(kind: &Type) -> bool {
    match kind {
        Type::Document => true,
        Type::AnyOf(kinds) => kinds.iter().any(may_be_document),
        _ => false,
    }
}

fn accepts_text(kind: &Type) -> bool {
    match kind {
        Type::String | Type::Word(_) | Type::Condition => true,
        Type::OneOrMany(kind) => accepts_text(kind),
        Type::AnyOf(kinds) => kinds.iter().any(accepts_text),
        _ => false,
    }
}

fn describe(kind: &Type) -> String {
    match kind {
        Type::String => "a string".to_owned(),
        Type::Document => "the name of a file".to_owned(),
        Type::Condition => "an expression in a string".to_owned(),
        Type::Bool => "true or false".to_owned(),
        Type::Integer => "an integer".to_owned(),
        Type::Date => "a date".to_owned(),
        Type::Word(words) => quoted(words),
        Type::Scalar => "a string, a number or a boolean".to_owned(),
        Type::OneOrMany(kind) => format!("{} or a list", describe(kind)),
        Type::List(kind) => match kind {
            Type::Table(_) => "a list of tables".to_owned(),
            _ => "a list".to_owned(),
        },
        Type::Map(_) | Type::Table(_) => "a table".to_owned(),
        Type::AnyOf(kinds) => kinds.iter().map(describe).collect::<Vec<_>>().join(" or "),
        Type::Any => "anything".to_owned(),
    }
}

fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("\"{word}\""))
        .collect::<Vec<_>>()
        .join(" or ")
}

/// Compiles the expressions in every string of a document, keys included.
pub fn compile_strings(node: &mut Node, problems: &mut Problems) {
    match &mut node.value {
        Value::String(text) => {
            if let Some(template) = Template::compile(text, &node.place, problems) {
                node.value = Value::Template(template);
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| compile_strings(item, problems)),
        Value::Table(table) => {
            for (key, node) in &mut table.entries {
                key.template = Template::compile(&key.text, &key.place, problems);
                compile_strings(node, problems);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Datetime(_)
        | Value::Template(_) => {}
    }
}
