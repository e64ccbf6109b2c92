//! Values as TOML.

use serde_json::Value;
use toml_writer::{TomlKeyBuilder, TomlStringBuilder};

/// A basic string.
pub fn text(text: &str) -> String {
    use toml_writer::ToTomlValue as _;
    TomlStringBuilder::new(text).as_basic().to_toml_value()
}

/// A key, quoted where it must be.
pub fn key(key: &str) -> String {
    use toml_writer::ToTomlKey as _;
    let key = TomlKeyBuilder::new(key);
    key.as_unquoted()
        .unwrap_or_else(|| key.as_basic())
        .to_toml_key()
}

/// A list of values that are TOML already.
pub fn array(items: impl Iterator<Item = String>) -> String {
    const WIDTH: usize = 100;
    let items: Vec<String> = items.collect();
    let line = format!("[{}]", items.join(", "));
    if line.chars().count() <= WIDTH || items.len() < 2 {
        return line;
    }
    format!("[\n    {},\n]", items.join(",\n    "))
}

/// A table on one line of keys and values that are TOML already.
pub fn inline_table(pairs: Vec<(String, String)>) -> String {
    if pairs.is_empty() {
        return "{}".to_owned();
    }
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// A value; TOML has no null, and nothing here is one.
pub fn value(of: &Value) -> String {
    match of {
        Value::Null => text(""),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => text(string),
        Value::Array(items) => array(items.iter().map(value)),
        Value::Object(members) => {
            let pairs = members
                .iter()
                .map(|(name, member)| (key(name), value(member)));
            inline_table(pairs.collect())
        }
    }
}
