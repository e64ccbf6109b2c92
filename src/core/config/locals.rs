//! `[locals]`: named values, which expressions see as `local.NAME`.
//!
//! A local may use variables, the account, the organization and other locals. One without a value is not an error until
//! an expression needs it, as with variables: then the message says what the local lacks.

use std::collections::{BTreeMap, BTreeSet};

use super::expr::{Declared, is_name, local_name};
use super::place::Place;
use super::problem::{Problem, Problems};
use super::shape;
use super::tree::{self, Node, Table, Value, for_each_template};

/// The locals of a directory.
#[derive(Debug, Clone, Default)]
pub struct Locals {
    /// Each after those that it uses.
    list: Vec<Local>,
    /// All names that are written, those of refused ones too.
    names: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Local {
    name: String,
    node: Node,
    /// The dotted names that it uses, itself or through other locals. None of them is a local.
    uses: BTreeSet<String>,
}

impl Locals {
    /// Reads `[locals]`. `variables` are the names that expressions may use besides.
    pub fn read(table: &Table, variables: BTreeSet<String>, problems: &mut Problems) -> Self {
        let declared = Declared {
            variables,
            locals: table
                .entries
                .iter()
                .map(|(key, _)| key.text.clone())
                .collect(),
        };
        let mut written = BTreeMap::new();
        for (key, node) in &table.entries {
            if let Some(node) = local(&key.text, &key.place, node, &declared, problems) {
                written.insert(key.text.clone(), (key.place.clone(), node));
            }
        }
        let mut order = Order {
            written: &written,
            open: Vec::new(),
            done: BTreeMap::new(),
            list: Vec::new(),
        };
        for name in written.keys() {
            order.visit(name, problems);
        }
        Self {
            list: order.list,
            names: declared.locals,
        }
    }

    /// The names of all locals.
    pub fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The names and values as written, each after those that it uses.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.list
            .iter()
            .map(|local| (local.name.as_str(), &local.node))
    }

    /// Each local as `local.NAME`, with the dotted names that it uses; none of them is a local.
    pub fn uses(&self) -> impl Iterator<Item = (String, &BTreeSet<String>)> {
        self.list
            .iter()
            .map(|local| (format!("local.{}", local.name), &local.uses))
    }
}

/// Compiles the value of a local.
fn local(
    name: &str,
    place: &Place,
    node: &Node,
    declared: &Declared,
    problems: &mut Problems,
) -> Option<Node> {
    let before = problems.errors();
    if !is_name(name) {
        let message = format!("`{name}` cannot name a local");
        let hint = "letters, digits and `_`; a digit cannot come first";
        problems.push(Problem::error("local", place, message).hint(hint));
    }
    if holds_table(node) {
        let message = format!("local `{name}` cannot hold a table");
        let hint = "a string, true or false, a number, or a list of these";
        problems.push(Problem::error("local", &node.place, message).hint(hint));
    }
    let mut node = node.clone();
    shape::compile_strings(&mut node, problems);
    for_each_template(&node, &mut |template, place| {
        template.check_names(place, declared, problems);
        if template.uses().any(|name| name == "local") {
            let message = format!("local `{name}` uses all locals, itself among them");
            problems.push(Problem::error("local", place, message).hint("name one: local.NAME"));
        }
    });
    (problems.errors() == before).then_some(node)
}

fn holds_table(node: &Node) -> bool {
    match &node.value {
        Value::Table(_) => true,
        Value::Array(items) => items.iter().any(holds_table),
        _ => false,
    }
}

/// Puts locals after those that they use.
struct Order<'a> {
    written: &'a BTreeMap<String, (Place, Node)>,
    /// Those that are being visited, each used by the one before it.
    open: Vec<&'a str>,
    /// What those visited use; `None` for one that uses itself.
    done: BTreeMap<&'a str, Option<BTreeSet<String>>>,
    list: Vec<Local>,
}

impl<'a> Order<'a> {
    fn visit(&mut self, name: &'a str, problems: &mut Problems) -> Option<BTreeSet<String>> {
        if let Some(known) = self.done.get(name) {
            return known.clone();
        }
        let (place, node) = self.written.get(name)?;
        if let Some(at) = self.open.iter().position(|open| *open == name) {
            let round: Vec<&str> = self.open.iter().skip(at).copied().chain([name]).collect();
            let message = format!("local `{name}` uses itself: {}", round.join(" → "));
            problems.push(Problem::error("local", place, message));
            self.done.insert(name, None);
            return None;
        }
        self.open.push(name);
        let mut uses = Some(BTreeSet::new());
        for used in tree::uses(node) {
            let more = match local_name(&used).map(|local| self.written.get_key_value(local)) {
                None => Some(BTreeSet::from([used])),
                Some(Some((other, _))) => self.visit(other, problems),
                Some(None) => None,
            };
            uses = uses.zip(more).map(|(mut uses, more)| {
                uses.extend(more);
                uses
            });
        }
        self.open.pop();
        if let Some(known) = self.done.get(name) {
            return known.clone();
        }
        if let Some(uses) = &uses {
            self.list.push(Local {
                name: name.to_owned(),
                node: node.clone(),
                uses: uses.clone(),
            });
        }
        self.done.insert(name, uses.clone());
        uses
    }
}
