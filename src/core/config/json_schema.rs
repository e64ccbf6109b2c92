//! The JSON Schema of a desired state, for editors: made from the tables that the loader itself checks by.
//!
//! It says what the first look at a file can say: keys, types, words. A string with an expression in it may become
//! anything, so one passes wherever a number, a boolean, a word or a list is asked for. Source: JSON Schema, draft
//! 2020-12.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::lints;
use super::schema::{Key, Presence, ROOT, Schema, Type, VARIABLE};

/// The name of the file that the examples name, and that `rolecall init` writes.
pub const FILE: &str = "rolecall.schema.json";

/// The schema of any file of a desired state.
pub fn json_schema() -> Value {
    let mut tables = BTreeMap::new();
    let Value::Object(mut root) = table(&ROOT, &mut tables) else {
        return Value::Null;
    };
    _ = reference(&VARIABLE, &mut tables);
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!("Desired state of rolecall"));
    schema.append(&mut root);
    let mut definitions: Map<String, Value> = tables
        .into_iter()
        .map(|(name, table)| (name.to_owned(), table))
        .collect();
    let expression = "an expression that evaluates to it: {{ var.x }}";
    definitions.insert(
        "expression".to_owned(),
        json!({"type": "string", "pattern": "\\{\\{", "description": expression}),
    );
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(schema)
}

/// The tables met so far, by name.
type Tables = BTreeMap<&'static str, Value>;

fn reference(schema: &'static Schema, tables: &mut Tables) -> Value {
    if !tables.contains_key(schema.name) {
        // It may hold itself.
        tables.insert(schema.name, Value::Null);
        let made = table(schema, tables);
        tables.insert(schema.name, made);
    }
    json!({"$ref": format!("#/$defs/{}", schema.name)})
}

fn table(schema: &'static Schema, tables: &mut Tables) -> Value {
    let mut properties = Map::new();
    for key in schema.keys {
        properties.insert(key.name.to_owned(), property(key, tables));
    }
    let required: Vec<&str> = schema
        .keys
        .iter()
        .filter(|key| key.presence == Presence::Required)
        .map(|key| key.name)
        .collect();
    let mut made =
        json!({"type": "object", "properties": properties, "additionalProperties": false});
    if let (Some(made), false) = (made.as_object_mut(), required.is_empty()) {
        made.insert("required".to_owned(), json!(required));
    }
    made
}

fn property(key: &'static Key, tables: &mut Tables) -> Value {
    let kind = match key.name {
        "vars" if is_of_root(key) => variables(),
        "lints" if is_of_root(key) => lint_levels(),
        _ => of(&key.kind, tables),
    };
    let mut property = Map::new();
    property.insert("description".to_owned(), json!(key.doc));
    if let Some(default) = key.default.and_then(|text| serde_json::from_str(text).ok()) {
        property.insert("default".to_owned(), default);
    }
    match kind {
        Value::Object(mut kind) => property.append(&mut kind),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {}
    }
    Value::Object(property)
}

fn is_of_root(key: &Key) -> bool {
    ROOT.keys.iter().any(|one| std::ptr::eq(one, key))
}

/// `[vars]`: a default, or a declaration.
fn variables() -> Value {
    let default = json!({"type": ["string", "number", "boolean", "array"]});
    let declared = json!({"$ref": format!("#/$defs/{}", VARIABLE.name)});
    json!({"type": "object", "additionalProperties": {"anyOf": [default, declared]}})
}

/// `[lints]`: levels by code, those of the team's own checks among them, and the names of outsiders.
fn lint_levels() -> Value {
    let level = json!({"enum": lints::SEVERITIES});
    let mut properties: Map<String, Value> = lints::CODES
        .iter()
        .map(|code| ((*code).to_owned(), level.clone()))
        .collect();
    let names = json!({"type": "object", "description": "names of accounts outside the organization, by id",
        "propertyNames": {"pattern": "^[0-9]{12}$"}, "additionalProperties": {"type": "string"}});
    properties.insert("known_accounts".to_owned(), names);
    json!({"type": "object", "properties": properties, "additionalProperties": level})
}

fn of(kind: &'static Type, tables: &mut Tables) -> Value {
    match kind {
        Type::String | Type::Condition | Type::Document => json!({"type": "string"}),
        Type::Bool => or_expression(&json!({"type": "boolean"})),
        Type::Integer => or_expression(&json!({"type": "integer"})),
        Type::Date => or_expression(
            &json!({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
        ),
        Type::Word(words) => or_expression(&json!({"enum": words})),
        Type::Scalar => json!({"type": ["string", "number", "boolean"]}),
        Type::OneOrMany(kind) => {
            let one = of(kind, tables);
            json!({"anyOf": [one, {"type": "array", "items": one}]})
        }
        // No expression makes a table, and without the choice an editor says what is wrong inside.
        Type::List(kind) if matches!(kind, Type::Table(_)) => {
            json!({"type": "array", "items": of(kind, tables)})
        }
        Type::List(kind) => or_expression(&json!({"type": "array", "items": of(kind, tables)})),
        Type::Map(kind) => json!({"type": "object", "additionalProperties": of(kind, tables)}),
        Type::Table(schema) => reference(schema, tables),
        Type::AnyOf(kinds) => {
            json!({"anyOf": kinds.iter().map(|kind| of(kind, tables)).collect::<Vec<_>>()})
        }
        Type::Any => json!({}),
    }
}

fn or_expression(kind: &Value) -> Value {
    json!({"anyOf": [kind, {"$ref": "#/$defs/expression"}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The static tables that can be reached, each once.
    fn reached(kind: &'static Type, seen: &mut Vec<&'static Schema>) {
        match kind {
            Type::OneOrMany(kind) | Type::List(kind) | Type::Map(kind) => reached(kind, seen),
            Type::AnyOf(kinds) => kinds.iter().for_each(|kind| reached(kind, seen)),
            Type::Table(schema) if !seen.iter().any(|one| std::ptr::eq(*one, *schema)) => {
                seen.push(schema);
                schema.keys.iter().for_each(|key| reached(&key.kind, seen));
            }
            _ => {}
        }
    }

    #[test]
    fn every_table_has_a_name_of_its_own_and_every_default_is_json() {
        let mut seen = vec![&VARIABLE];
        ROOT.keys
            .iter()
            .for_each(|key| reached(&key.kind, &mut seen));
        let schema = json_schema();
        let definitions = schema["$defs"].as_object().unwrap();
        assert_eq!(
            definitions.len(),
            seen.len() + 1,
            "two tables of one name, or one that is not there"
        );
        for table in seen {
            let made = &definitions[table.name];
            assert!(made.is_object(), "{}", table.name);
            for key in table.keys {
                let property = &made["properties"][key.name];
                assert_eq!(property["description"], key.doc);
                let default = key
                    .default
                    .map(|text| serde_json::from_str::<Value>(text).unwrap());
                assert_eq!(
                    property.get("default"),
                    default.as_ref(),
                    "{}.{}",
                    table.name,
                    key.name
                );
            }
        }
    }
}
