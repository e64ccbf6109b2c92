//! Policy documents in separate files: JSON or YAML, read into the tree so that every value has its place.

use std::path::Path;
use std::sync::Arc;

use saphyr::{MarkedYaml, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::Event;

use super::place::{File, Place};
use super::problem::{Problem, Problems};
use super::shape;
use super::source::{self, Bounds, Use};
use super::tree::{Key, Node, Table, Value};

/// Reads the document that `naming` names, relative to the file it is in, and compiles the expressions in it.
///
/// Returns the file, too, where it could be read: what it holds is part of the desired state.
pub fn load(
    naming: &Node,
    bounds: &Bounds,
    problems: &mut Problems,
) -> (Option<Arc<File>>, Option<Node>) {
    let Some(text) = naming.as_str() else {
        let problem = Problem::error(
            "document",
            &naming.place,
            "the name of a document cannot contain an expression",
        );
        problems.push(
            problem.hint("put expressions inside the document, or write two resources with `when`"),
        );
        return (None, None);
    };
    let path = naming
        .place
        .file
        .path
        .parent()
        .unwrap_or(Path::new(""))
        .join(text);
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase();
    if !["json", "yaml", "yml"].contains(&extension.as_str()) {
        let problem = Problem::error(
            "document",
            &naming.place,
            format!("`{text}` is not named as a JSON or YAML file"),
        );
        problems.push(problem.hint("the name of a document must end in .json, .yaml or .yml"));
        return (None, None);
    }
    let mut reading = Problems::default();
    let Some(file) = source::read_file(&path, Use::Document, bounds, &mut reading) else {
        for problem in &reading {
            let message = format!("document `{text}`: {}", problem.message);
            let relative = || format!("the path is relative to `{}`", naming.place.file.name);
            let hint = problem.hint.clone().unwrap_or_else(relative);
            problems.push(Problem::error("document", &naming.place, message).hint(hint));
        }
        return (None, None);
    };
    let node = if extension == "json" {
        json(&file, problems)
    } else {
        yaml(&file, problems)
    };
    let node = node.map(|mut node| {
        shape::compile_strings(&mut node, problems);
        node
    });
    (Some(file), node)
}

/// Parses JSON; a key that appears twice in one object is a problem.
pub fn json(file: &Arc<File>, problems: &mut Problems) -> Option<Node> {
    if let Err(error) = serde_json::from_str::<serde_json::Value>(&file.text) {
        let start = offset(&file.text, error.line(), error.column());
        let reason = error.to_string();
        let reason = reason
            .split(" at line ")
            .next()
            .unwrap_or_default()
            .to_owned();
        let place = Place {
            file: file.clone(),
            start,
            end: start + 1,
        };
        problems.push(Problem::error(
            "document",
            &place,
            format!("`{}` is not JSON: {reason}", file.name),
        ));
        return None;
    }
    JsonScan { file, at: 0 }.value(problems)
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (start + column.saturating_sub(1)).min(text.len())
}

/// Walks over text that is known to be JSON.
struct JsonScan<'a> {
    file: &'a Arc<File>,
    at: usize,
}

impl<'a> JsonScan<'a> {
    fn rest(&self) -> &'a str {
        self.file.text.get(self.at..).unwrap_or_default()
    }

    /// Skips white space and separators, and returns what comes next.
    fn next(&mut self) -> Option<char> {
        let rest = self.rest();
        let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | ',' | ':');
        self.at += rest.len() - rest.trim_start_matches(blank).len();
        self.rest().chars().next()
    }

    fn value(&mut self, problems: &mut Problems) -> Option<Node> {
        let first = self.next()?;
        let start = self.at;
        let value = match first {
            '{' => Value::Table(self.table(problems)?),
            '[' => {
                self.at += 1;
                let mut items = Vec::new();
                while self.next()? != ']' {
                    items.push(self.value(problems)?);
                }
                self.at += 1;
                Value::Array(items)
            }
            '"' => Value::String(self.string()?),
            _ => self.literal()?,
        };
        Some(Node {
            value,
            place: Place {
                file: self.file.clone(),
                start,
                end: self.at,
            },
        })
    }

    fn table(&mut self, problems: &mut Problems) -> Option<Table> {
        self.at += 1;
        let mut table = Table::default();
        while self.next()? != '}' {
            let start = self.at;
            let text = self.string()?;
            let place = Place {
                file: self.file.clone(),
                start,
                end: self.at,
            };
            let value = self.value(problems)?;
            add(
                &mut table,
                Key {
                    text,
                    template: None,
                    place,
                },
                value,
                problems,
            );
        }
        self.at += 1;
        Some(table)
    }

    fn string(&mut self) -> Option<String> {
        let text = self.rest();
        let mut escaped = false;
        let inner = text.get(1..)?;
        let end = inner.find(|c| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        })?;
        self.at += end + 2;
        serde_json::from_str(text.get(..end + 2)?).ok()
    }

    fn literal(&mut self) -> Option<Value> {
        let text = self.rest();
        let end = text
            .find([',', ']', '}', ' ', '\t', '\r', '\n'])
            .unwrap_or(text.len());
        self.at += end;
        Some(match serde_json::from_str(text.get(..end)?).ok()? {
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => Value::Number(number),
            _ => Value::Null,
        })
    }
}

fn add(table: &mut Table, key: Key, value: Node, problems: &mut Problems) {
    if let Some((first, _)) = table.entry(&key.text) {
        let message = format!(
            "key `{}` appears twice in one object, first at {}",
            key.text, first.place
        );
        problems.push(
            Problem::error("document", &key.place, message)
                .hint("JSON keeps only the last: merge the two"),
        );
    }
    table.entries.push((key, value));
}

/// Parses YAML. Plain scalars are text, so that `000123456789` and `2012-10-17` survive; only `true`, `false` and
/// `null` are more.
pub fn yaml(file: &Arc<File>, problems: &mut Problems) -> Option<Node> {
    if let Some(deep) = too_deep(&file.text) {
        let line = file
            .text
            .split_inclusive('\n')
            .take(deep.saturating_sub(1))
            .map(str::len)
            .sum();
        let place = Place {
            file: file.clone(),
            start: line,
            end: line,
        };
        let message = format!("`{}` is nested more than {MAX_DEPTH} deep", file.name);
        problems.push(Problem::error("document", &place, message));
        return None;
    }
    let offsets: Vec<usize> = file.text.char_indices().map(|(at, _)| at).collect();
    let convert = YamlConvert { file, offsets };
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    loader.early_parse(false);
    let parsed = saphyr_parser::Parser::new_from_str(&file.text).load(&mut loader, true);
    if let Some(error) = parsed.err().or_else(|| loader.error().cloned()) {
        let at = error.marker().index();
        let message = format!("`{}` is not YAML: {}", file.name, error.info());
        problems.push(Problem::error(
            "document",
            &convert.place(at, at + 1),
            message,
        ));
        return None;
    }
    let documents = loader.into_documents();
    let [document] = documents.as_slice() else {
        let message = format!(
            "`{}` contains {} YAML documents; it must contain one",
            file.name,
            documents.len()
        );
        problems.push(Problem::error("document", &Place::start_of(file), message));
        return None;
    };
    let before = problems.errors();
    let node = convert.node(document, problems);
    // What a merge leaves out would be missed at every other place.
    (problems.errors() == before || !has_merge(document)).then_some(node)
}

/// Whether a mapping has a merge key somewhere.
fn has_merge(node: &MarkedYaml<'_>) -> bool {
    match &node.data {
        YamlData::Mapping(mapping) => mapping
            .iter()
            .any(|(key, value)| is_merge(key) || has_merge(value)),
        YamlData::Sequence(items) => items.iter().any(has_merge),
        YamlData::Tagged(_, inner) => has_merge(inner),
        _ => false,
    }
}

/// `<<`, which merges another mapping in YAML 1.1. YAML 1.2 has no such key.
fn is_merge(key: &MarkedYaml<'_>) -> bool {
    matches!(&key.data, YamlData::Representation(text, ScalarStyle::Plain, _) if text == "<<")
}

/// How deep YAML may be nested; JSON's parser has a limit of its own.
const MAX_DEPTH: usize = 128;

/// The line in which YAML is nested too deep.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    // A syntax error is found, and better reported, when it is loaded.
    for (event, span) in saphyr_parser::Parser::new_from_str(text).map_while(Result::ok) {
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
            Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(span.start.line());
        }
    }
    None
}

struct YamlConvert<'a> {
    file: &'a Arc<File>,
    offsets: Vec<usize>,
}

impl YamlConvert<'_> {
    fn place(&self, start: usize, end: usize) -> Place {
        let byte = |index: usize| {
            self.offsets
                .get(index)
                .copied()
                .unwrap_or(self.file.text.len())
        };
        Place {
            file: self.file.clone(),
            start: byte(start),
            end: byte(end),
        }
    }

    fn node(&self, node: &MarkedYaml<'_>, problems: &mut Problems) -> Node {
        let place = self.place(node.span.start.index(), node.span.end.index());
        let value = match &node.data {
            YamlData::Representation(text, style, tag) => {
                if tag.as_ref().is_some_and(|tag| !tag.is_yaml_core_schema()) {
                    problems.push(tagged(&place));
                }
                if let Some(sign) = block_sign(*style).filter(|_| text.ends_with('\n')) {
                    let problem =
                        Problem::error("document", &place, "the text ends in a line break");
                    problems.push(problem.hint(format!("write `{sign}-`, which leaves it out")));
                }
                scalar(text, *style)
            }
            YamlData::Sequence(items) => {
                Value::Array(items.iter().map(|item| self.node(item, problems)).collect())
            }
            YamlData::Mapping(mapping) => {
                let mut table = Table::default();
                for (key, value) in mapping {
                    let place = self.place(key.span.start.index(), key.span.end.index());
                    if is_merge(key) {
                        let problem = Problem::error(
                            "document",
                            &place,
                            "merge keys (`<<`) are not part of YAML 1.2",
                        );
                        problems.push(problem.hint(
                            "write the members out; an anchor may stand for a whole value: `Action: *reads`",
                        ));
                        continue;
                    }
                    let YamlData::Representation(text, _, _) = &key.data else {
                        problems.push(Problem::error("document", &place, "a key must be a string"));
                        continue;
                    };
                    let text = text.to_string();
                    let value = self.node(value, problems);
                    add(
                        &mut table,
                        Key {
                            text,
                            template: None,
                            place,
                        },
                        value,
                        problems,
                    );
                }
                Value::Table(table)
            }
            YamlData::Tagged(_, inner) => {
                problems.push(tagged(&place));
                return self.node(inner, problems);
            }
            YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => {
                problems.push(Problem::error(
                    "document",
                    &place,
                    "this YAML is not allowed in a policy document",
                ));
                Value::Null
            }
        };
        Node { value, place }
    }
}

fn tagged(place: &Place) -> Problem {
    Problem::error(
        "document",
        place,
        "YAML tags such as `!Sub` have no meaning in a policy document",
    )
    .hint("use expressions such as {{ account.id }} instead")
}

/// How a text of several lines is written.
fn block_sign(style: ScalarStyle) -> Option<char> {
    match style {
        ScalarStyle::Folded => Some('>'),
        ScalarStyle::Literal => Some('|'),
        ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => None,
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "true" | "True" | "TRUE") => Value::Bool(true),
        (ScalarStyle::Plain, "false" | "False" | "FALSE") => Value::Bool(false),
        (ScalarStyle::Plain, "null" | "Null" | "NULL" | "~" | "") => Value::Null,
        _ => Value::String(text.to_owned()),
    }
}
