//! Variables: their declarations, their values, and the order of precedence.
//!
//! Strongest first: `--var`, `--var-file`, `ROLECALL_VAR_x`, `[account.X.vars]`, the default. All are parsed by the
//! declared type. For an id, an ARN or a UUID an empty string is not a value.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use regex::Regex;

use super::expr::{Declared, is_name};
use super::files::Files;
use super::locals::Locals;
use super::place::{File, Place};
use super::problem::{Problem, Problems, did_you_mean};
use super::shape::{self, Stage};
use super::tree::{self, Node, Table, Value};
use super::{schema, source};
use crate::org::AccountId;
use crate::resource::secret::Secrets;

/// The prefix of environment variables that give values.
pub const ENVIRONMENT_PREFIX: &str = "ROLECALL_VAR_";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    String,
    Bool,
    Integer,
    List,
    AccountId,
    Arn,
    Uuid4,
}

impl Kind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String,
            "bool" => Self::Bool,
            "integer" => Self::Integer,
            "list" => Self::List,
            "account_id" => Self::AccountId,
            "arn" => Self::Arn,
            "uuid4" => Self::Uuid4,
            _ => return None,
        })
    }

    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::String(_) => Self::String,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_i64() => Self::Integer,
            Value::Array(_) => Self::List,
            _ => return None,
        })
    }

    fn describe(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Bool => "true or false",
            Self::Integer => "an integer",
            Self::List => "a list",
            Self::AccountId => "an account id: 12 digits, in a string",
            Self::Arn => "an ARN, in a string",
            Self::Uuid4 => "a UUIDv4, in a string",
        }
    }
}

/// A declared variable.
#[derive(Debug)]
pub struct Declaration {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether its value is shown nowhere.
    pub sensitive: bool,
    /// Where it is declared.
    pub place: Place,
    kind: Kind,
    one_of: Vec<serde_json::Value>,
    pattern: Option<Regex>,
    each_pattern: Option<Regex>,
    /// Characters of a text, items of a list.
    length: Range,
    /// The value of an integer.
    range: Range,
    default: Option<Value>,
}

/// The least and the greatest of something, both allowed; `None` where there is no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Range {
    least: Option<i64>,
    greatest: Option<i64>,
}

impl Range {
    /// Says what is wrong with `value`, which is counted in `unit`.
    fn check(self, value: i64, unit: &str) -> Result<(), String> {
        let unit = if unit.is_empty() {
            String::new()
        } else {
            format!(" {unit}")
        };
        match self {
            Self {
                least: Some(least), ..
            } if value < least => Err(format!("must be at least {least}{unit}, it is {value}")),
            Self {
                greatest: Some(greatest),
                ..
            } if value > greatest => {
                Err(format!("must be at most {greatest}{unit}, it is {value}"))
            }
            _ => Ok(()),
        }
    }
}

/// Where a value comes from.
enum Given<'a> {
    Text(&'a str, String),
    Node(&'a Node),
}

/// Values by name.
pub type Values = BTreeMap<String, Value>;

/// The variables of a directory, and the values that hold for every account.
#[derive(Debug, Default)]
pub struct Variables {
    /// By name.
    pub declarations: BTreeMap<String, Declaration>,
    /// Given on the command line, in a file or in the environment: stronger than an account's own.
    pub given: Values,
    /// The defaults.
    pub defaults: Values,
    /// Variables whose declaration or value was refused: that they have none needs no further message.
    pub faulty: BTreeSet<String>,
    /// The `[[module]]` whose inputs they are; `None`: the variables of the root.
    pub module: Option<ModuleInputs>,
    /// The names of those whose values are sensitive, and `local.NAME` of the locals that are made of them.
    pub sensitive: Arc<BTreeSet<String>>,
    /// The locals of the same directory.
    pub locals: Locals,
}

/// What a `[[module]]` gives for the variables of its source.
#[derive(Debug, Clone)]
pub struct ModuleInputs {
    /// Where the module is named.
    pub place: Place,
    /// Its `vars`: the expressions of the directory that names it.
    pub vars: Table,
}

/// What a caller gives for variables.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// `k=v`
    pub arguments: &'a [String],
    /// Where files are read.
    pub files: &'a dyn Files,
    /// Files of TOML.
    pub paths: &'a [PathBuf],
    /// Files of the directory itself that give values; those of `paths` win.
    pub automatic: &'a [Arc<File>],
    /// `ROLECALL_VAR_x`
    pub environment: &'a BTreeMap<String, String>,
}

impl Variables {
    /// Reads the declarations and every value given.
    ///
    /// A value that an account has of its own declares its variable, too, unless it looks like a mistyped other one.
    pub fn load(
        declared: &Table,
        accounts: &Table,
        sources: Sources<'_>,
        problems: &mut Problems,
    ) -> Self {
        let mut variables = Self::default();
        variables.declare(declared, problems);
        variables.declare_from_accounts(accounts, problems);
        variables.note_sensitive();
        variables.read_environment(sources.environment, problems);
        let named = sources
            .paths
            .iter()
            .filter_map(|path| source::read_variables(sources.files, path, problems))
            .collect::<Vec<_>>();
        for file in sources.automatic.iter().chain(&named) {
            variables.read_file(file, problems);
        }
        for argument in sources.arguments {
            variables.read_argument(argument, problems);
        }
        variables
    }

    /// Reads the declarations of a module, whose values its `[[module]]` gives.
    pub fn of_module(declared: &Table, module: ModuleInputs, problems: &mut Problems) -> Self {
        let mut variables = Self::default();
        variables.declare(declared, problems);
        variables.note_sensitive();
        for (key, _) in &module.vars.entries {
            if !variables.declarations.contains_key(&key.text) {
                let message = format!("`{}` is not a variable of this module", key.text);
                let problem = Problem::error("variable", &key.place, message);
                problems.push(problem.hint(variables.suggest(&key.text)));
            }
        }
        Self {
            module: Some(module),
            ..variables
        }
    }

    /// The names that expressions beside these variables may use.
    pub fn declared(&self) -> Declared {
        Declared {
            variables: self.declarations.keys().cloned().collect(),
            locals: self.locals.names().clone(),
        }
    }

    /// The same with the locals of the directory.
    #[must_use]
    pub fn with_locals(self, table: &Table, problems: &mut Problems) -> Self {
        let names = self.declarations.keys().cloned().collect();
        Self {
            locals: Locals::read(table, names, problems),
            ..self
        }
    }

    /// Makes one more variable sensitive.
    pub fn make_sensitive(&mut self, name: &str) {
        if let Some(declaration) = self.declarations.get_mut(name) {
            declaration.sensitive = true;
            Arc::make_mut(&mut self.sensitive).insert(name.to_owned());
        }
    }

    fn note_sensitive(&mut self) {
        let sensitive = self
            .declarations
            .values()
            .filter(|declaration| declaration.sensitive);
        self.sensitive = Arc::new(
            sensitive
                .map(|declaration| declaration.name.clone())
                .collect(),
        );
    }

    fn declare(&mut self, declared: &Table, problems: &mut Problems) {
        for (key, node) in &declared.entries {
            let before = problems.errors();
            if let Some(mut declaration) = declaration(&key.text, &key.place, node, problems) {
                if let Some(value) = declaration.default.take() {
                    self.defaults.insert(key.text.clone(), value);
                }
                self.declarations.insert(key.text.clone(), declaration);
            }
            if problems.errors() > before {
                self.faulty.insert(key.text.clone());
            }
        }
    }

    fn declare_from_accounts(&mut self, accounts: &Table, problems: &mut Problems) {
        let written: Vec<String> = self.declarations.keys().cloned().collect();
        let values = accounts
            .entries
            .iter()
            .filter_map(|(_, node)| node.as_table()?.get("vars")?.as_table());
        for (key, node) in values.flat_map(|table| &table.entries) {
            let is_known =
                self.declarations.contains_key(&key.text) || self.faulty.contains(&key.text);
            if is_known || did_you_mean(&key.text, written.iter().map(String::as_str)).is_some() {
                continue;
            }
            if let Some(declaration) = declaration(&key.text, &key.place, node, problems) {
                self.declarations.insert(
                    key.text.clone(),
                    Declaration {
                        default: None,
                        ..declaration
                    },
                );
            }
        }
    }

    /// Parses what a `[[module]]` gives for the variable `name`, its expressions evaluated.
    ///
    /// # Errors
    /// The value is not of the declared type, or some rule refuses it.
    pub fn read_input(&self, name: &str, node: &Node) -> Result<Option<Value>, Box<Problem>> {
        self.declarations.get(name).map_or(Ok(None), |declaration| {
            declaration.parse(&Given::Node(node))
        })
    }

    /// How a user gives the variable `name` the value that it lacks.
    pub fn how_to_give(&self, name: &str) -> String {
        let declared = self
            .declarations
            .get(name)
            .map(|declaration| declaration.place.to_string());
        let default = declared
            .map(|place| format!(", or a default at {place}"))
            .unwrap_or_default();
        match &self.module {
            None => {
                format!(
                    "set it: --var {name}=VALUE, ROLECALL_VAR_{name}, a --var-file, [account.X.vars]{default}"
                )
            }
            Some(ModuleInputs { place, vars }) => match vars.entry(name) {
                Some((key, node)) => {
                    format!(
                        "it is set at {} to {}, which has no value",
                        key.place,
                        node.to_json()
                    )
                }
                None => format!("set it in the `vars` of the module at {place}{default}"),
            },
        }
    }

    fn read_environment(
        &mut self,
        environment: &BTreeMap<String, String>,
        problems: &mut Problems,
    ) {
        for (key, text) in environment {
            // Other directories share the environment, so a name unknown here is not an error.
            if let Some(declaration) = key
                .strip_prefix(ENVIRONMENT_PREFIX)
                .and_then(|name| self.declarations.get(name))
            {
                match declaration.parse(&Given::Text(text, key.clone())) {
                    Ok(value) => give(&mut self.given, &declaration.name, value),
                    Err(problem) => {
                        self.faulty.insert(declaration.name.clone());
                        problems.push(*problem);
                    }
                }
            }
        }
    }

    fn read_file(&mut self, file: &Arc<File>, problems: &mut Problems) {
        let table = tree::parse_toml(file, problems);
        let given = self.read_table(&table, problems);
        self.given.extend(given);
    }

    /// Parses a table of values: a `--var-file`, or the `vars` of an account.
    pub fn read_table(&mut self, table: &Table, problems: &mut Problems) -> Values {
        let mut values = Values::new();
        for (key, node) in &table.entries {
            let Some(declaration) = self.declarations.get(&key.text) else {
                let message = format!("`{}` is not a variable of this directory", key.text);
                problems.push(
                    Problem::error("variable", &key.place, message).hint(self.suggest(&key.text)),
                );
                continue;
            };
            match declaration.parse(&Given::Node(node)) {
                Ok(value) => give(&mut values, &key.text, value),
                Err(problem) => {
                    self.faulty.insert(key.text.clone());
                    problems.push(*problem);
                }
            }
        }
        values
    }

    fn read_argument(&mut self, argument: &str, problems: &mut Problems) {
        let Some((name, text)) = argument.split_once('=') else {
            let problem =
                Problem::elsewhere("variable", "--var", format!("`{argument}` has no `=`"));
            return problems.push(problem.hint("write --var name=value"));
        };
        let Some(declaration) = self.declarations.get(name.trim()) else {
            let message = format!("`{name}` is not a variable of this directory");
            let problem = Problem::elsewhere("variable", format!("--var {name}"), message);
            return problems.push(problem.hint(self.suggest(name)));
        };
        match declaration.parse(&Given::Text(text, format!("--var {name}"))) {
            Ok(value) => give(&mut self.given, name.trim(), value),
            Err(problem) => {
                self.faulty.insert(name.trim().to_owned());
                problems.push(*problem);
            }
        }
    }

    fn suggest(&self, name: &str) -> String {
        let names = || self.declarations.keys().map(String::as_str);
        did_you_mean(name, names()).unwrap_or_else(|| match names().next() {
            Some(_) => format!(
                "declared variables: {}",
                names().collect::<Vec<_>>().join(", ")
            ),
            None => "no variable is declared: [vars] is empty".to_owned(),
        })
    }

    /// The values that hold in an account with these of its own.
    pub fn effective(&self, own: &Values) -> Values {
        let mut values = self.defaults.clone();
        values.extend(own.clone());
        values.extend(self.given.clone());
        values
    }

    /// Adds the sensitive ones of `values` to `secrets`.
    pub fn collect_secrets(&self, values: &Values, secrets: &mut Secrets) {
        for (name, value) in values {
            if self
                .declarations
                .get(name)
                .is_some_and(|declaration| declaration.sensitive)
            {
                collect(value, secrets);
            }
        }
    }
}

fn collect(value: &Value, secrets: &mut Secrets) {
    match value {
        Value::String(text) => secrets.insert(text),
        Value::Number(number) => secrets.insert(&number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| collect(&item.value, secrets)),
        // `true` and `false` stand everywhere: to mask them would mask everything.
        Value::Null
        | Value::Bool(_)
        | Value::Datetime(_)
        | Value::Template(_)
        | Value::Table(_) => {}
    }
}

fn give(values: &mut Values, name: &str, value: Option<Value>) {
    match value {
        Some(value) => values.insert(name.to_owned(), value),
        None => values.remove(name),
    };
}

fn declaration(
    name: &str,
    place: &Place,
    node: &Node,
    problems: &mut Problems,
) -> Option<Declaration> {
    if !is_name(name) {
        let message = format!("`{name}` is not a valid variable name");
        let hint = "letters, digits and `_`; a digit cannot come first";
        problems.push(Problem::error("variable", place, message).hint(hint));
        return None;
    }
    let plain = Declaration {
        name: name.to_owned(),
        description: None,
        sensitive: false,
        place: place.clone(),
        kind: Kind::String,
        one_of: Vec::new(),
        pattern: None,
        each_pattern: None,
        length: Range::default(),
        range: Range::default(),
        default: None,
    };
    let Value::Table(table) = &node.value else {
        let Some(kind) = Kind::of(&node.value) else {
            let message = format!("variable `{name}` cannot be {}", node.kind());
            problems.push(
                Problem::error("variable", &node.place, message)
                    .hint("a string, true or false, an integer or a list"),
            );
            return None;
        };
        return Some(with_default(
            Declaration { kind, ..plain },
            Some(node),
            problems,
        ));
    };
    Some(typed_declaration(plain, node, table, problems))
}

fn typed_declaration(
    plain: Declaration,
    node: &Node,
    table: &Table,
    problems: &mut Problems,
) -> Declaration {
    let before = problems.errors();
    shape::check(
        &mut node.clone(),
        &schema::Type::Table(&schema::VARIABLE),
        &plain.name,
        Stage::Rendered,
        problems,
    );
    if table.get("type").is_none() {
        let message = format!("variable `{}` has no `type`", plain.name);
        problems.push(
            Problem::error("missing-key", &node.place, message)
                .hint(format!("one of {}", schema::TYPES.join(", "))),
        );
    }
    let kind = table
        .get("type")
        .and_then(Node::as_str)
        .and_then(Kind::parse)
        .unwrap_or(Kind::String);
    for (keys, kinds) in BOUNDS {
        for (key, node) in keys.iter().filter_map(|key| table.entry(key)) {
            if !kinds.contains(&kind) {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.describe()).collect();
                let message = format!(
                    "`{}` is for {}, and variable `{}` is {}",
                    key.text,
                    kinds.join(" or "),
                    plain.name,
                    kind.describe()
                );
                problems.push(Problem::error("variable", &node.place, message));
            }
        }
    }
    let declaration = Declaration {
        kind,
        description: table
            .get("description")
            .and_then(Node::as_str)
            .map(str::to_owned),
        sensitive: table
            .get("sensitive")
            .and_then(Node::as_bool)
            .unwrap_or_default(),
        one_of: table
            .get("one_of")
            .map(|node| node.items().iter().map(Node::to_json).collect())
            .unwrap_or_default(),
        pattern: table
            .get("pattern")
            .and_then(|node| compile_pattern("pattern", node, problems)),
        each_pattern: table
            .get("each_pattern")
            .and_then(|node| compile_pattern("each_pattern", node, problems)),
        length: range(table, "min_length", "max_length", Some(0), problems),
        range: range(table, "min", "max", None, problems),
        ..plain
    };
    if problems.errors() > before {
        // The name is known all the same: what uses it is not to blame.
        return declaration;
    }
    with_default(declaration, table.get("default"), problems)
}

/// The keys that bound values, and the types they are for.
const BOUNDS: [(&[&str], &[Kind]); 4] = [
    (
        &["min_length", "max_length"],
        &[Kind::String, Kind::List, Kind::Arn],
    ),
    (&["min", "max"], &[Kind::Integer]),
    (
        &["pattern"],
        &[Kind::String, Kind::AccountId, Kind::Arn, Kind::Uuid4],
    ),
    (&["each_pattern"], &[Kind::List]),
];

/// Reads two bounds, neither below `lowest`.
fn range(
    table: &Table,
    least: &str,
    greatest: &str,
    lowest: Option<i64>,
    problems: &mut Problems,
) -> Range {
    let mut bound = |key: &str| {
        let node = table.get(key)?;
        let value = node.as_integer()?;
        if lowest.is_some_and(|lowest| value < lowest) {
            let message = format!("`{key}` cannot be {value}: nothing is shorter than 0");
            problems.push(Problem::error("variable", &node.place, message));
            return None;
        }
        Some(value)
    };
    let range = Range {
        least: bound(least),
        greatest: bound(greatest),
    };
    if let (Some(low), Some(high), Some(node)) = (range.least, range.greatest, table.get(greatest))
        && low > high
    {
        let message = format!("`{greatest}` is {high} and `{least}` is {low}: no value fits");
        problems.push(Problem::error("variable", &node.place, message));
    }
    range
}

fn compile_pattern(key: &str, node: &Node, problems: &mut Problems) -> Option<Regex> {
    let text = node.as_str()?;
    match Regex::new(&format!("^(?:{text})$")) {
        Ok(regex) => Some(regex),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            problems.push(Problem::error(
                "variable",
                &node.place,
                format!("`{key}` is not a regular expression: {reason}"),
            ));
            None
        }
    }
}

fn with_default(
    declaration: Declaration,
    default: Option<&Node>,
    problems: &mut Problems,
) -> Declaration {
    let default = match default.map(|node| declaration.parse(&Given::Node(node))) {
        None => None,
        Some(Ok(value)) => value,
        Some(Err(problem)) => {
            problems.push(*problem);
            None
        }
    };
    Declaration {
        default,
        ..declaration
    }
}

impl Declaration {
    /// Parses a value by the declared type; `None` where it is empty and that is not a value.
    fn parse(&self, given: &Given<'_>) -> Result<Option<Value>, Box<Problem>> {
        let value = match given {
            Given::Text(text, _) => self.parse_text(text),
            Given::Node(node) => self.parse_node(node),
        };
        let value = value.and_then(|value| match &value {
            Value::String(text) if text.is_empty() && self.empty_is_no_value() => Ok(None),
            _ => self.check(&value).map(|()| Some(value)),
        });
        value.map_err(|message| Box::new(self.problem(given, &message)))
    }

    fn empty_is_no_value(&self) -> bool {
        matches!(self.kind, Kind::AccountId | Kind::Arn | Kind::Uuid4)
    }

    fn problem(&self, given: &Given<'_>, message: &str) -> Problem {
        let (place, from, shown) = match given {
            Given::Text(text, from) => {
                (&self.place, format!(" (set by {from})"), (*text).to_owned())
            }
            Given::Node(node) => (&node.place, String::new(), node.to_json().to_string()),
        };
        let shown = if self.sensitive {
            String::new()
        } else {
            format!(" = `{}`", shown.trim_matches('"'))
        };
        let problem = Problem::error(
            "variable",
            place,
            format!("variable `{}`{shown} {message}{from}", self.name),
        )
        .maybe_hint(
            self.description
                .as_ref()
                .map(|text| format!("`{}`: {text}", self.name)),
        );
        if self.sensitive {
            problem.hide_source()
        } else {
            problem
        }
    }

    fn parse_text(&self, text: &str) -> Result<Value, String> {
        let wrong = || format!("must be {}", self.kind.describe());
        match self.kind {
            Kind::String | Kind::AccountId | Kind::Arn | Kind::Uuid4 => {
                Ok(Value::String(text.to_owned()))
            }
            Kind::Bool => text.trim().parse().map(Value::Bool).map_err(|_| wrong()),
            Kind::Integer => text
                .trim()
                .parse::<i64>()
                .map(|number| Value::Number(number.into()))
                .map_err(|_| wrong()),
            Kind::List => {
                let items: Vec<String> = if text.trim_start().starts_with('[') {
                    serde_json::from_str(text)
                        .map_err(|error| format!("must be a list of strings as JSON: {error}"))?
                } else if text.is_empty() {
                    Vec::new()
                } else {
                    text.split(',').map(|item| item.trim().to_owned()).collect()
                };
                let node = |text| Node {
                    value: Value::String(text),
                    place: self.place.clone(),
                };
                Ok(Value::Array(items.into_iter().map(node).collect()))
            }
        }
    }

    fn parse_node(&self, node: &Node) -> Result<Value, String> {
        match (&node.value, self.kind) {
            (Value::String(text), _) if text.contains("{{") => {
                Err("cannot contain an expression".to_owned())
            }
            (Value::String(text), Kind::Bool | Kind::Integer) => self.parse_text(text),
            (Value::String(_), Kind::String | Kind::AccountId | Kind::Arn | Kind::Uuid4)
            | (Value::Bool(_), Kind::Bool) => Ok(node.value.clone()),
            (Value::Number(number), Kind::Integer) if number.is_i64() => Ok(node.value.clone()),
            (Value::Array(items), Kind::List) => {
                match items.iter().find(|item| item.as_str().is_none()) {
                    Some(item) => Err(format!(
                        "must be a list of strings, but one of them is {}",
                        item.kind()
                    )),
                    None => Ok(node.value.clone()),
                }
            }
            _ => Err(format!(
                "must be {}, not {}",
                self.kind.describe(),
                node.kind()
            )),
        }
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        let text = if let Value::String(text) = value {
            text.as_str()
        } else {
            ""
        };
        match self.kind {
            Kind::AccountId if AccountId::parse(text).is_err() => {
                return Err(format!(
                    "is not an account id: it must be 12 digits, it has {} characters",
                    text.chars().count()
                ));
            }
            Kind::Arn if !is_arn(text) => {
                return Err(
                    "is not an ARN: it must look like `arn:aws:service:region:account:resource`"
                        .to_owned(),
                );
            }
            Kind::Uuid4 => check_uuid4(text)?,
            _ => {}
        }
        let json = Node {
            value: value.clone(),
            place: self.place.clone(),
        }
        .to_json();
        if !self.one_of.is_empty() && !self.one_of.contains(&json) {
            let words: Vec<String> = self.one_of.iter().map(ToString::to_string).collect();
            return Err(format!("must be one of {}", words.join(", ")));
        }
        match (value, &self.pattern) {
            (Value::String(text), Some(pattern)) if !pattern.is_match(text) => {
                return Err(format!(
                    "does not match the pattern `{}`",
                    inner_pattern(pattern)
                ));
            }
            _ => {}
        }
        match value {
            Value::String(text) => self.length.check(count(text.chars()), "characters long"),
            Value::Number(number) => self.range.check(number.as_i64().unwrap_or_default(), ""),
            Value::Array(items) => {
                self.length.check(count(items), "items long")?;
                self.check_items(items)
            }
            _ => Ok(()),
        }
    }

    fn check_items(&self, items: &[Node]) -> Result<(), String> {
        let Some(pattern) = &self.each_pattern else {
            return Ok(());
        };
        let misfit = items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| Some((at, item.as_str()?)))
            .find(|(_, text)| !pattern.is_match(text));
        let Some((at, text)) = misfit else {
            return Ok(());
        };
        let which = if self.sensitive {
            format!("item {}", at + 1)
        } else {
            format!("`{text}`")
        };
        Err(format!(
            "has {which}, which does not match the pattern `{}` of each item",
            inner_pattern(pattern)
        ))
    }
}

fn count(items: impl IntoIterator) -> i64 {
    i64::try_from(items.into_iter().count()).unwrap_or(i64::MAX)
}

fn inner_pattern(pattern: &Regex) -> &str {
    let text = pattern.as_str();
    text.strip_prefix("^(?:")
        .and_then(|text| text.strip_suffix(")$"))
        .unwrap_or(text)
}

/// Whether `text` has the shape of an ARN; wildcards and variables may are in it.
///
/// Source: AWS General Reference, Amazon Resource Names.
pub fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, service, _, _, resource] => {
            !partition.is_empty()
                && !service.is_empty()
                && !resource.is_empty()
                && !text.contains(char::is_whitespace)
        }
        _ => false,
    }
}

/// Says what keeps `text` from being a random UUID in its hyphenated form.
///
/// Source: RFC 9562, section 5.4.
fn check_uuid4(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length != 36 {
        return Err(format!(
            "is not a UUIDv4: it has {length} characters, a UUIDv4 has 36"
        ));
    }
    let Ok(id) = uuid::Uuid::try_parse(text) else {
        return Err(
            "is not a UUIDv4: it must be hexadecimal digits in groups of 8-4-4-4-12".to_owned(),
        );
    };
    if id.get_version_num() != 4 {
        return Err(format!(
            "is a UUID of version {}, not a UUIDv4",
            id.get_version_num()
        ));
    }
    if id.get_variant() != uuid::Variant::RFC4122 {
        return Err(
            "is not a UUIDv4: its variant is wrong, the fourth group must begin with 8, 9, a or b"
                .to_owned(),
        );
    }
    Ok(())
}
