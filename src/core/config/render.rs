//! Evaluates expressions and puts in their values.
//!
//! Two passes over a tree, in one order: [`evaluate`] gives the values, which are all that a rendered tree depends on,
//! so that accounts with equal values share one result; [`build`] makes the tree from them. Where a `when` is false,
//! both leave out what it is in, and nothing in there needs a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::Object;

use super::eval::{Failure, to_jinja};
use super::expr::Template;
use super::locals::Locals;
use super::place::Place;
use super::problem::{Places, Problem, Problems};
use super::scope::{Found, STAND_IN, Scope};
use super::tree::{Key, Node, Table, Value};
use super::vars::{Values, Variables};

impl Scope {
    /// The same with the locals beside these variables, whose sensitive values are known; what expressions make of these is
    /// added to `found`.
    #[must_use]
    pub fn hiding(self, variables: &Variables, found: &Found) -> Self {
        let scope = self.with_sensitive(&variables.sensitive, found);
        name_locals(&variables.locals, scope)
    }

    /// The same for the variables of a module, of which `live` depend on the account or the organization.
    #[must_use]
    pub fn of_module(
        &self,
        values: &Values,
        variables: &Variables,
        live: &Arc<BTreeSet<String>>,
    ) -> Self {
        let scope = self
            .with_values(values)
            .with_live(live)
            .with_sensitive(&variables.sensitive, &self.found);
        name_locals(&variables.locals, scope)
    }
}

/// The values of locals by name. They are added one by one, each seen by those that come after it.
#[derive(Debug, Default)]
struct Named(Mutex<BTreeMap<String, minijinja::Value>>);

impl Object for Named {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key.as_str()?).cloned()
    }
}

/// `scope` with the values of all locals that have one.
fn name_locals(locals: &Locals, scope: Scope) -> Scope {
    if locals.is_empty() {
        return scope;
    }
    let named = Arc::new(Named::default());
    let mut scope = scope.with([("local", minijinja::Value::from_dyn_object(named.clone()))]);
    for (name, node) in locals.iter() {
        let evaluation = evaluate(node, &scope);
        if let Some(failed) = evaluation.failures.into_iter().next() {
            scope.note_lack(format!("local.{name}"), failed.failure);
        } else if let Some(node) = build(node, &evaluation.values) {
            let mut values = named.0.lock().unwrap_or_else(PoisonError::into_inner);
            values.insert(name.to_owned(), to_jinja(&node.value));
        }
    }
    scope
}

/// The values of the expressions of a tree, in its order.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// The values; `Null` for one that failed.
    pub values: Vec<Value>,
    /// What failed.
    pub failures: Vec<Failed>,
    /// Where a value depends on an account or organization that is not known yet: nothing can be said about it.
    pub unknown: Places,
    /// Whether one of these is a condition.
    pub unknown_condition: bool,
}

/// An expression without a value, and where it stands.
#[derive(Debug)]
pub struct Failed {
    /// Where it is written.
    pub place: Place,
    /// The keys that lead to it: `trust.external_id`.
    pub path: String,
    /// Why the expression failed.
    pub failure: Failure,
}

/// Values as text: equal for accounts whose rendered tree is equal.
pub fn signature(values: &[Value]) -> String {
    let mut text = String::new();
    for value in values {
        match value {
            Value::String(value) => {
                let _ = write!(text, "{}:{value}", value.len());
            }
            Value::Array(items) => {
                let _ = write!(text, "[{}]", items.len());
                for item in items {
                    text += &item.to_json().to_string();
                }
            }
            Value::Bool(value) => text += &value.to_string(),
            Value::Number(number) => text += &number.to_string(),
            Value::Null | Value::Datetime(_) | Value::Template(_) | Value::Table(_) => {}
        }
        text.push(';');
    }
    text
}

/// Evaluates the expressions of `node`.
pub fn evaluate(node: &Node, scope: &Scope) -> Evaluation {
    let mut pass = Pass {
        scope,
        path: Vec::new(),
        doubtful: false,
        done: Evaluation::default(),
    };
    pass.node(node);
    pass.done
}

struct Pass<'a> {
    scope: &'a Scope,
    path: Vec<&'a str>,
    /// Whether a condition around this depends on the account: it may never be needed.
    doubtful: bool,
    done: Evaluation,
}

impl<'a> Pass<'a> {
    fn node(&mut self, node: &'a Node) {
        match &node.value {
            Value::Template(template) => self.template(template, &node.place),
            Value::Array(items) => items.iter().for_each(|item| self.node(item)),
            Value::Table(table) => self.table(table),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Datetime(_)
            | Value::String(_) => {}
        }
    }

    fn table(&mut self, table: &'a Table) {
        let around = self.doubtful;
        self.members(table);
        self.doubtful = around;
    }

    fn members(&mut self, table: &'a Table) {
        if let Some((template, place)) = condition(table) {
            self.path.push("when");
            self.template(template, place);
            self.doubtful |= self.scope.is_unknown(template);
            self.path.pop();
            if !matches!(self.done.values.last(), Some(Value::Bool(true))) {
                return;
            }
        }
        for (key, node) in &table.entries {
            if is_condition(node) {
                continue;
            }
            self.path.push(&key.text);
            if let Some(template) = &key.template {
                self.template(template, &key.place);
            }
            self.node(node);
            self.path.pop();
        }
    }

    fn template(&mut self, template: &Template, place: &Place) {
        let evaluated = self.scope.eval(template, place);
        let unknown = self.scope.is_unknown(template) || (self.doubtful && evaluated.is_err());
        // Without AWS a value may depend on an account that is not known. Then nothing is reported that could be right in
        // some account: a condition counts as true, so that what it encloses is checked too, and any other value becomes a
        // stand-in. A variable of the directory that is missing is wrong in every account, so that is reported at once.
        let value = match evaluated {
            Ok(_) if unknown && template.is_condition() => Value::Bool(true),
            Ok(value) => value,
            Err(failure)
                if unknown
                    && (self.doubtful
                        || !failure.missing.iter().any(|name| name.starts_with("var."))) =>
            {
                if template.is_condition() {
                    Value::Bool(true)
                } else {
                    Value::String(STAND_IN.to_owned())
                }
            }
            Err(failure) => {
                let path = self.path.join(".");
                self.done.failures.push(Failed {
                    place: place.clone(),
                    path,
                    failure,
                });
                Value::Null
            }
        };
        if unknown {
            self.done.unknown.insert(place);
            self.done.unknown_condition |= template.is_condition();
        }
        self.done.values.push(value);
    }
}

fn is_condition(node: &Node) -> bool {
    matches!(&node.value, Value::Template(template) if template.is_condition())
}

fn condition(table: &Table) -> Option<(&Template, &Place)> {
    table
        .entries
        .iter()
        .find_map(|(_, node)| match &node.value {
            Value::Template(template) if template.is_condition() => {
                Some((template.as_ref(), &node.place))
            }
            _ => None,
        })
}

/// Makes the rendered tree from the values that [`evaluate`] gave; `None` where a `when` leaves it out.
pub fn build(node: &Node, values: &[Value]) -> Option<Node> {
    build_node(node, &mut values.iter())
}

fn build_node(node: &Node, values: &mut std::slice::Iter<'_, Value>) -> Option<Node> {
    let value = match &node.value {
        Value::Template(_) => values.next().cloned().unwrap_or(Value::Null),
        Value::Array(items) => Value::Array(build_items(items, values)),
        Value::Table(table) => Value::Table(build_table(table, values)?),
        plain => plain.clone(),
    };
    Some(Node {
        value,
        place: node.place.clone(),
    })
}

fn build_table(table: &Table, values: &mut std::slice::Iter<'_, Value>) -> Option<Table> {
    if condition(table).is_some() && !matches!(values.next(), Some(Value::Bool(true))) {
        return None;
    }
    let mut entries = Vec::with_capacity(table.entries.len());
    for (key, node) in &table.entries {
        if is_condition(node) {
            continue;
        }
        let text = match key.template.as_ref().and_then(|_| values.next()) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => Node {
                value: other.clone(),
                place: key.place.clone(),
            }
            .to_json()
            .to_string(),
            None => key.text.clone(),
        };
        let key = Key {
            text,
            template: None,
            place: key.place.clone(),
        };
        if let Some(node) = build_node(node, values) {
            entries.push((key, node));
        }
    }
    Some(Table { entries })
}

/// Builds the items of a list. An expression that stands alone and gives a list adds its items.
fn build_items(items: &[Node], values: &mut std::slice::Iter<'_, Value>) -> Vec<Node> {
    let mut built = Vec::with_capacity(items.len());
    for item in items {
        let is_template = matches!(item.value, Value::Template(_));
        match build_node(item, values) {
            Some(Node {
                value: Value::Array(inner),
                ..
            }) if is_template => built.extend(inner),
            Some(node) => built.push(node),
            None => {}
        }
    }
    built
}

/// Renders something that stands alone, outside of any account: a selector, a setting.
pub fn render_alone(
    node: &Node,
    title: &str,
    scope: &Scope,
    variables: &Variables,
    problems: &mut Problems,
) -> Option<Node> {
    let evaluation = evaluate(node, scope);
    if evaluation.failures.is_empty() {
        return build(node, &evaluation.values);
    }
    problems.extend(
        evaluation
            .failures
            .iter()
            .flat_map(|failed| explain(failed, title, variables)),
    );
    None
}

/// The message about an expression without a value.
pub fn explain(failed: &Failed, title: &str, variables: &Variables) -> Vec<Problem> {
    let Failed {
        place,
        path,
        failure,
    } = failed;
    let Failure {
        missing,
        expression,
        message,
    } = failure;
    let at = if path.is_empty() {
        title.to_owned()
    } else {
        format!("`{path}` of {title}")
    };
    if missing.is_empty() {
        return vec![Problem::error(
            "expression",
            place,
            format!("`{expression}` in {at}: {message}"),
        )];
    }
    let explain_one = |name: &String| match name.strip_prefix("var.") {
        Some(variable) => {
            let variable = variable.split('.').next().unwrap_or_default();
            let declared = variables.declarations.get(variable);
            let meaning = declared.and_then(|declared| declared.description.as_deref());
            let meaning = meaning.map(|text| format!(" ({text})")).unwrap_or_default();
            let message = format!(
                "variable `{variable}`{meaning} is required and has no value: {at} needs it"
            );
            Problem::error("variable", place, message)
                .hint(variables.how_to_give(variable))
                .lacks(variable, &at)
        }
        None => Problem::error(
            "expression",
            place,
            format!("`{name}` has no value: {at} needs it"),
        )
        .hint(format!(
            "if it may be missing, write {name} | default(\"…\")"
        )),
    };
    let is_news = |name: &&String| {
        let variable = name
            .strip_prefix("var.")
            .and_then(|rest| rest.split('.').next());
        variable.is_none_or(|variable| !variables.faulty.contains(variable))
    };
    missing.iter().filter(is_news).map(explain_one).collect()
}
