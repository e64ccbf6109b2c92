//! The variables that an import makes: of parameters, and of what only a deployed stack knows.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value as Json;

use super::super::draft::{Variable, snake_case};
use super::super::report::{Class, Entry, Source};
use super::expr::{Expr, VarId};
use super::parameter::{Kind, Parameter, Shape};

/// What a variable is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum VarKey {
    /// A parameter of the template at an index.
    Parameter(usize, String),
    /// The name that CloudFormation made up for a resource of the template at an index.
    Name(usize, String),
    /// An attribute of such a resource.
    Attribute(usize, String, String),
    /// What another stack exports, by the name of the export.
    Export(Expr),
    /// The region, with its default.
    Region(Option<String>),
    /// The name of the stack of the template at an index.
    StackName(usize),
    /// A dynamic reference.
    Resolve(String),
    /// A text that no expression can say, at a place.
    Derived(Source),
    /// A literal secret.
    Secret(String),
    /// The accounts of the stack.
    Accounts,
}

/// What is known of a variable besides its key.
#[derive(Debug, Clone)]
pub enum Made {
    /// All that its parameter says, and the value given for it.
    Parameter(Box<Parameter>),
    /// It is asked for, or has this value.
    Asked(Box<Asked>),
}

/// A variable that no parameter declares.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The code of the entry, where it is reported.
    pub code: Option<&'static str>,
    /// Where it is needed.
    pub place: Source,
    /// What is asked.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub hint: Option<String>,
    /// What it is made of.
    pub from: String,
    /// Its type.
    pub kind: &'static str,
    /// Its value.
    pub value: Option<Json>,
    /// Whether it is sensitive.
    pub sensitive: bool,
}

/// What a value of a variable is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// An external id.
    ExternalId,
    /// A name.
    Name,
    /// Any other text.
    Text,
    /// A condition, in which it is not compared with a constant.
    Condition,
}

/// What a variable is used for, all in all.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a use of its own")]
struct Uses {
    external_id: bool,
    text: bool,
    condition: bool,
    /// Compared with `true` or `false`.
    truth: bool,
    /// Compared with the empty text.
    empty: bool,
    /// Compared with another constant.
    constant: bool,
}

impl Uses {
    fn any(self) -> bool {
        self.external_id || self.text || self.condition || self.truth || self.empty || self.constant
    }
}

#[derive(Debug)]
struct Var {
    name: String,
    made: Made,
    uses: Uses,
    kind: Kind,
}

/// All variables, in order.
#[derive(Debug, Default)]
pub struct Variables {
    vars: Vec<Var>,
    keys: BTreeMap<VarKey, VarId>,
    names: BTreeSet<String>,
}

impl Variables {
    /// The variable of a key; made, with a name of its own, where it is new.
    pub fn intern(&mut self, key: VarKey, name: &str, made: impl FnOnce() -> Made) -> VarId {
        if let Some(known) = self.keys.get(&key) {
            return *known;
        }
        let wanted = snake_case(name);
        let mut name = wanted.clone();
        let mut count = 2_usize;
        while !self.names.insert(name.clone()) {
            name = format!("{wanted}_{count}");
            count += 1;
        }
        let made = made();
        let kind = match &made {
            Made::Parameter(parameter) if parameter.shape == Shape::List => Kind::List,
            Made::Asked(asked) if asked.kind == "list" => Kind::List,
            Made::Parameter(_) | Made::Asked(_) => Kind::String,
        };
        let id = VarId(self.vars.len());
        self.vars.push(Var {
            name,
            made,
            uses: Uses::default(),
            kind,
        });
        self.keys.insert(key, id);
        id
    }

    /// The key of a variable.
    pub fn key(&self, id: VarId) -> Option<&VarKey> {
        self.keys
            .iter()
            .find(|(_, known)| **known == id)
            .map(|(key, _)| key)
    }

    /// The name of a variable.
    pub fn name(&self, id: VarId) -> &str {
        self.vars.get(id.0).map_or("", |var| var.name.as_str())
    }

    /// What its values are, as far as it is decided.
    pub fn kind(&self, id: VarId) -> Kind {
        self.vars.get(id.0).map_or(Kind::String, |var| var.kind)
    }

    /// A value to try it out with: its default or what is given.
    pub fn sample(&self, id: VarId) -> Option<String> {
        match &self.vars.get(id.0)?.made {
            Made::Parameter(parameter) => parameter.value().map(str::to_owned),
            Made::Asked(asked) => asked.value.as_ref()?.as_str().map(str::to_owned),
        }
    }

    /// Notes what a variable is used for.
    pub fn note(&mut self, id: VarId, of: Use) {
        if let Some(var) = self.vars.get_mut(id.0) {
            match of {
                Use::ExternalId => var.uses.external_id = true,
                Use::Name | Use::Text => var.uses.text = true,
                Use::Condition => var.uses.condition = true,
            }
        }
    }

    /// Notes that a variable is compared with a constant.
    pub fn note_comparison(&mut self, id: VarId, with: &str) {
        if let Some(var) = self.vars.get_mut(id.0) {
            match with {
                "true" | "false" => var.uses.truth = true,
                "" => var.uses.empty = true,
                _ => var.uses.constant = true,
            }
        }
    }

    /// Decides, once all uses are known, what the values of each variable are.
    pub fn decide(&mut self) {
        for var in &mut self.vars {
            if let Made::Parameter(parameter) = &var.made {
                let Uses {
                    external_id,
                    text,
                    condition,
                    empty,
                    constant,
                    ..
                } = var.uses;
                let only_truth = !(external_id || text || condition || empty || constant);
                var.kind = parameter.kind(only_truth, !empty);
            }
        }
    }

    /// Forgets the uses: they are noted again.
    pub fn forget_uses(&mut self) {
        self.vars
            .iter_mut()
            .for_each(|var| var.uses = Uses::default());
    }

    /// The declarations of those that are used, and what is to be said about them.
    pub fn declare(&self) -> (Vec<Variable>, Vec<Entry>) {
        let (mut variables, mut entries) = (Vec::new(), Vec::new());
        for var in self.vars.iter().filter(|var| var.uses.any()) {
            variables.push(match &var.made {
                Made::Parameter(parameter) => of_parameter(var, parameter, &mut entries),
                Made::Asked(asked) => of_asked(var, asked, &mut entries),
            });
        }
        (variables, entries)
    }

    /// The parameters that nothing uses, by their place.
    pub fn unused(&self) -> Vec<(String, Source)> {
        let unused = self.vars.iter().filter(|var| !var.uses.any());
        unused
            .filter_map(|var| match &var.made {
                Made::Parameter(parameter) => {
                    Some((parameter.name.clone(), parameter.place.clone()))
                }
                Made::Asked(_) => None,
            })
            .collect()
    }
}

fn of_asked(var: &Var, asked: &Asked, entries: &mut Vec<Entry>) -> Variable {
    let mut variable = Variable::new(&var.name, asked.kind, &asked.from);
    variable.description = asked.code.map(|_| one_line(&asked.what));
    variable.sensitive =
        asked.sensitive || (var.uses.external_id && !var.uses.text && asked.code != Some("region"));
    if variable.sensitive {
        variable.secret.clone_from(&asked.value);
    } else {
        variable.default.clone_from(&asked.value);
    }
    if let (Some(code), None) = (asked.code, &asked.value) {
        let why = format!("give var.{} {}", var.name, asked.why);
        let entry = Entry::new(Class::Ask, code, asked.place.clone(), &asked.what, why);
        entries.push(match &asked.hint {
            Some(hint) => entry.hint(hint),
            None => entry,
        });
    }
    variable
}

fn of_parameter(var: &Var, parameter: &Parameter, entries: &mut Vec<Entry>) -> Variable {
    let Uses {
        external_id, text, ..
    } = var.uses;
    let from = format!("parameter `{}`", parameter.name);
    let mut variable = Variable::new(&var.name, var.kind.word(), &from);
    variable.description = parameter.description.as_deref().map(one_line);
    variable.sensitive = parameter.no_echo || (external_id && !text);
    let weaker =
        |code, why: String| Entry::new(Class::Weaker, code, parameter.place.clone(), &from, why);
    let value = parameter.value().filter(|text| !text.contains("{{"));
    let value = value.and_then(|text| typed(text, var.kind));
    let is_empty = value.as_ref().is_some_and(|value| value == "");
    if variable.sensitive && !is_empty {
        variable.secret.clone_from(&value);
    } else {
        variable.default.clone_from(&value);
    }
    if !parameter.allowed.is_empty() && var.kind != Kind::Bool {
        if var.kind == Kind::List {
            let why =
                "`one_of` compares whole lists, so the allowed values of its items are not checked";
            entries.push(weaker("list-check", why.to_owned()));
        } else {
            let allowed = parameter.allowed.iter();
            variable.one_of = allowed.filter_map(|text| typed(text, var.kind)).collect();
            if value
                .as_ref()
                .is_some_and(|it| !variable.one_of.contains(it))
            {
                variable.one_of.clear();
                let why = "its default is not one of the allowed values, so they are not checked";
                entries.push(weaker("pattern", why.to_owned()));
            }
        }
    }
    constraints(
        &mut variable,
        var.kind,
        parameter,
        value.as_ref(),
        &weaker,
        entries,
    );
    let Parameter {
        min_value,
        max_value,
        ..
    } = parameter;
    if min_value.is_some() || max_value.is_some() {
        let range = range(min_value.as_ref(), max_value.as_ref());
        entries.push(weaker(
            "bounds",
            format!("that it is {range} is not checked"),
        ));
    }
    if external_id && text && !parameter.no_echo {
        let why = "it is an external id, and not sensitive, because it is also in a name or another value";
        let place = parameter.place.clone();
        entries.push(Entry::new(Class::Left, "not-sensitive", place, &from, why));
    }
    if parameter.is_ssm {
        let name = parameter.default.as_deref().unwrap_or("…");
        let why = format!(
            "give var.{} the value of the SSM parameter `{name}`",
            var.name
        );
        let entry = Entry::new(Class::Ask, "ssm", parameter.place.clone(), &from, why);
        entries.push(entry.hint(format!("aws ssm get-parameter --name {name}")));
    }
    variable
}

/// `AllowedPattern` and the lengths.
fn constraints(
    variable: &mut Variable,
    kind: Kind,
    parameter: &Parameter,
    value: Option<&Json>,
    weaker: &dyn Fn(&'static str, String) -> Entry,
    entries: &mut Vec<Entry>,
) {
    let Parameter {
        pattern,
        min_length,
        max_length,
        ..
    } = parameter;
    let has_bounds = min_length.is_some() || max_length.is_some();
    match kind {
        Kind::Integer if pattern.is_some() || has_bounds => {
            entries.push(weaker(
                "pattern",
                "the form of a number is not checked".to_owned(),
            ));
            return;
        }
        Kind::List if pattern.is_some() || has_bounds => {
            let why = "a pattern is checked of a whole text, so that of its items is not";
            entries.push(weaker("list-check", why.to_owned()));
            return;
        }
        Kind::AccountId | Kind::Bool | Kind::Integer | Kind::List => return,
        Kind::String => {}
    }
    let fits = |pattern: &str| {
        let whole = Regex::new(&format!("^(?:{pattern})$")).ok();
        whole.map(|whole| {
            value
                .and_then(Json::as_str)
                .is_none_or(|text| whole.is_match(text))
        })
    };
    let bounds = || range(min_length.as_ref(), max_length.as_ref());
    match pattern.as_deref() {
        Some(pattern) => {
            match fits(pattern) {
                Some(true) => variable.pattern = Some(pattern.to_owned()),
                Some(false) => {
                    let why = "its default does not match its pattern, which is not checked";
                    entries.push(weaker("pattern", why.to_owned()));
                }
                None => {
                    let why = format!(
                        "the pattern `{pattern}` cannot be checked: rolecall's regular expressions have no look-around and no back references"
                    );
                    entries.push(weaker("pattern", why));
                }
            }
            if has_bounds {
                let why = format!("that it has {} characters is not checked", bounds());
                entries.push(weaker("bounds", why));
            }
        }
        None if has_bounds => {
            let number =
                |text: &Option<String>| text.as_ref().and_then(|it| it.trim().parse::<u32>().ok());
            let (least, most) = (number(min_length).unwrap_or(0), number(max_length));
            let most = most.map(|most| most.to_string()).unwrap_or_default();
            let pattern = format!(".{{{least},{most}}}");
            if fits(&pattern) == Some(true) {
                variable.pattern = Some(pattern);
            } else {
                let why = format!("that it has {} characters is not checked", bounds());
                entries.push(weaker("bounds", why));
            }
        }
        None => {}
    }
}

fn range(least: Option<&String>, most: Option<&String>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("{least} or more"),
        (None, most) => format!("{} at most", most.map_or("", String::as_str)),
    }
}

/// A text as a value of a type; `None` where it is none.
fn typed(text: &str, kind: Kind) -> Option<Json> {
    match kind {
        Kind::String | Kind::AccountId => Some(text.into()),
        Kind::Bool => text.parse::<bool>().ok().map(Json::from),
        Kind::Integer => text.trim().parse::<i64>().ok().map(Json::from),
        Kind::List => Some(super::parameter::split_list(text).map(Json::from).collect()),
    }
}

/// A text on one line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
