//! Evaluates expressions and puts in their values.
//!
//! Two passes over a tree, in one order: [`evaluate`] gives the values, which are all that a rendered tree depends on,
//! so that accounts with equal values share one result; [`build`] makes the tree from them. Where a `when` is false,
//! both leave out what it is in, and nothing in there needs a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, ValueKind};

use super::expr::{Failure, ROOTS, Template, Verdict, declared_name, to_jinja};
use super::locals::Lacks;
use super::module::Instance;
use super::problem::{Places, Problem, Problems};
use super::tree::{Key, Node, Place, Table, Value};
use super::vars::{Values, Variables};
use crate::org::{Account, Organization};
use crate::resource::secret::{Secrets, is_short};

/// What represents the text of an account that is not known yet.
pub const STAND_IN: &str = "stand-in";

/// The id that represents an account's that is not known yet.
const STAND_IN_ID: &str = "000000000000";

/// Every text that represents one that is not known yet.
pub const STAND_INS: &[&str] = &[
    STAND_IN_ID,
    "stand-in@example.com",
    "o-standinstandin",
    STAND_IN,
];

/// What expressions see.
#[derive(Debug, Clone)]
pub struct Scope {
    context: minijinja::Value,
    knowledge: Knowledge,
    /// Variables whose values depend on the account or the organization.
    live: Arc<BTreeSet<String>>,
    /// Variables whose values are sensitive.
    sensitive: Arc<BTreeSet<String>>,
    /// What was made of sensitive values so far.
    found: Found,
    /// Why some locals have no value.
    lacks: Arc<Lacks>,
}

/// The sensitive values of a run, for every scope of it to add what its expressions made of them.
#[derive(Debug, Clone, Default)]
pub struct Found(Arc<Mutex<Secrets>>);

impl Found {
    /// Begins with these.
    pub fn new(secrets: Secrets) -> Self {
        Self(Arc::new(Mutex::new(secrets)))
    }

    /// All there are by now.
    pub fn secrets(&self) -> Secrets {
        self.with(|secrets| secrets.clone())
    }

    /// Adds these.
    pub fn add(&self, others: &Secrets) {
        self.with(|secrets| secrets.extend(others));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Secrets) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the account and the organization are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    Real,
    StandIn,
}

/// The tags of an account that is not known yet: every one has a value.
#[derive(Debug)]
struct AnyTag;

impl Object for AnyTag {
    fn get_value(self: &Arc<Self>, _key: &minijinja::Value) -> Option<minijinja::Value> {
        Some(STAND_IN.into())
    }
}

/// Values as expressions see them.
pub fn jinja_values(values: &Values) -> minijinja::Value {
    values
        .iter()
        .map(|(name, value)| (name.clone(), to_jinja(value)))
        .collect::<BTreeMap<_, _>>()
        .into()
}

type Pairs<'a> = BTreeMap<&'a str, minijinja::Value>;

impl Scope {
    /// Variables alone.
    pub fn directory(values: &Values) -> Self {
        Self::new(
            Pairs::from([("var", jinja_values(values))]),
            Knowledge::Real,
        )
    }

    /// Variables and the organization.
    pub fn organization(values: &minijinja::Value, organization: &Organization) -> Self {
        Self::new(organization_pairs(values, organization), Knowledge::Real)
    }

    /// The context of an account, with everything that expressions may name.
    pub fn account(
        values: &minijinja::Value,
        account: &Account,
        organization: &Organization,
    ) -> Self {
        let tags: BTreeMap<String, String> = account.tags.clone().unwrap_or_default();
        let account = Pairs::from([
            ("id", account.id.as_str().into()),
            ("name", account.name.as_str().into()),
            ("email", account.email.as_str().into()),
            ("ou", account.ou.0.as_str().into()),
            ("tags", tags.into()),
        ]);
        let mut pairs = organization_pairs(values, organization);
        pairs.insert("account", account.into());
        Self::new(pairs, Knowledge::Real)
    }

    /// Variables, and stand-ins for the account and the organization.
    pub fn stand_in(values: &Values) -> Self {
        let account = Pairs::from([
            ("id", STAND_IN_ID.into()),
            ("name", STAND_IN.into()),
            ("email", "stand-in@example.com".into()),
            ("ou", STAND_IN.into()),
            ("tags", minijinja::Value::from_object(AnyTag)),
        ]);
        let organization = Pairs::from([
            ("id", "o-standinstandin".into()),
            ("management_account", STAND_IN_ID.into()),
        ]);
        let pairs = Pairs::from([
            ("var", jinja_values(values)),
            ("account", account.into()),
            ("organization", organization.into()),
            ("partition", "aws".into()),
        ]);
        Self::new(pairs, Knowledge::StandIn)
    }

    fn new(pairs: Pairs<'_>, knowledge: Knowledge) -> Self {
        let (live, sensitive, found) = (Arc::default(), Arc::default(), Found::default());
        Self {
            context: pairs.into(),
            knowledge,
            live,
            sensitive,
            found,
            lacks: Arc::default(),
        }
    }

    /// The same for the root of these instances.
    #[must_use]
    pub(super) fn hiding_of(self, instances: &[Instance], found: &Found) -> Self {
        match instances.first() {
            Some(root) => Self {
                live: root.live.clone(),
                ..self
            }
            .hiding(&root.variables, found),
            None => self,
        }
    }

    /// The same with the locals beside these variables, whose sensitive values are known; what expressions make of these is
    /// added to `found`.
    #[must_use]
    pub fn hiding(self, variables: &Variables, found: &Found) -> Self {
        variables.locals.name_in(Self {
            sensitive: variables.sensitive.clone(),
            found: found.clone(),
            ..self
        })
    }

    /// The same for the variables of a module, of which `live` depend on the account or the organization.
    #[must_use]
    pub fn of_module(
        &self,
        values: &Values,
        variables: &Variables,
        live: &Arc<BTreeSet<String>>,
    ) -> Self {
        let sensitive = variables.sensitive.clone();
        let nothing = minijinja::Value::from(BTreeMap::<String, minijinja::Value>::new());
        variables.locals.name_in(Self {
            live: live.clone(),
            sensitive,
            lacks: Arc::default(),
            ..self.with([("var", jinja_values(values)), ("local", nothing)])
        })
    }

    /// The same with more names.
    #[must_use]
    pub fn with<const N: usize>(&self, names: [(&'static str, minijinja::Value); N]) -> Self {
        let known = ROOTS
            .into_iter()
            .filter_map(|name| Some((name, self.context.get_attr(name).ok()?)));
        let mut pairs: Pairs<'_> = known.filter(|(_, value)| !value.is_undefined()).collect();
        pairs.extend(names);
        Self {
            context: pairs.into(),
            ..self.clone()
        }
    }

    /// Notes why the local that expressions call `name` has no value.
    pub(super) fn note_lack(&mut self, name: String, failure: Failure) {
        Arc::make_mut(&mut self.lacks).insert(name, failure);
    }

    /// What went wrong, where a local without a value is to blame: what went wrong with that.
    fn blame_locals(&self, failure: Failure) -> Failure {
        let mut missing = Vec::new();
        for name in failure.missing {
            match declared_name(&name).and_then(|local| self.lacks.get(local)) {
                Some(lack) if lack.missing.is_empty() => return lack.clone(),
                Some(lack) => missing.extend(lack.missing.iter().cloned()),
                None => missing.push(name),
            }
        }
        missing.dedup();
        Failure { missing, ..failure }
    }

    /// The value of a template. What an expression makes of a sensitive value is noted as one.
    ///
    /// # Errors
    /// Why it has none.
    pub fn eval(&self, template: &Template, place: &Place) -> Result<Value, Failure> {
        let evaluated = template.eval(&self.context, place, &mut |names, value| {
            if names.iter().any(|name| self.is_sensitive(name)) {
                self.found.with(|found| note(value, found))
            } else if !template.is_condition()
                && names.iter().any(|name| self.holds_sensitive(name))
            {
                Verdict::Masked
            } else {
                Verdict::Kept
            }
        });
        match evaluated {
            Ok((value, is_bound)) => {
                if let Value::String(text) = &value
                    && is_bound
                {
                    self.found.with(|found| found.insert(text));
                }
                Ok(value)
            }
            // What went wrong may be said in words of the value.
            Err(failure) if template.uses().any(|name| self.is_sensitive(name)) => Err(Failure {
                message:
                    "it cannot be evaluated; the reason is hidden because the value is sensitive"
                        .to_owned(),
                ..self.blame_locals(failure)
            }),
            Err(failure) => Err(self.blame_locals(failure)),
        }
    }

    /// Whether the value of a dotted name is sensitive.
    fn is_sensitive(&self, name: &str) -> bool {
        match declared_name(name) {
            Some(declared) => self.sensitive.contains(declared),
            None => ["var", "local"].contains(&name) && !self.sensitive.is_empty(),
        }
    }

    /// Whether something sensitive is in the value of a dotted name: in the roles and policies that a check looks at.
    fn holds_sensitive(&self, name: &str) -> bool {
        if ROOTS.contains(&name.split('.').next().unwrap_or_default()) {
            return false;
        }
        let value = name
            .split('.')
            .try_fold(self.context.clone(), |value, step| value.get_attr(step));
        self.found
            .with(|found| !found.is_empty() && value.is_ok_and(|value| holds(&value, found)))
    }

    /// Whether its account and organization stand for any.
    pub fn stands_in(&self) -> bool {
        self.knowledge == Knowledge::StandIn
    }

    /// Whether the template depends on an account or an organization that is not known yet.
    pub fn is_unknown(&self, template: &Template) -> bool {
        let hangs = |name: &str| match declared_name(name) {
            Some(declared) => self.live.contains(declared),
            None if ["var", "local"].contains(&name) => !self.live.is_empty(),
            None => name.starts_with("account") || name.starts_with("organization"),
        };
        self.stands_in() && template.uses().any(hangs)
    }
}

/// Notes every text and number of a value that was made of a sensitive one, and says whether one of them is too short to
/// be recognized within a longer text. A boolean reveals nothing by itself.
fn note(value: &minijinja::Value, found: &mut Secrets) -> Verdict {
    match value.kind() {
        ValueKind::String | ValueKind::Number => {
            let text = value.to_string();
            if !STAND_INS.contains(&text.as_str()) {
                found.insert(&text);
            }
            if is_short(&text) {
                Verdict::Bound
            } else {
                Verdict::Kept
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            // The items of a list are never part of a longer text.
            value
                .try_iter()
                .into_iter()
                .flatten()
                .for_each(|item| _ = note(&item, found));
            Verdict::Kept
        }
        _ => Verdict::Kept,
    }
}

/// Whether a text in a value holds one of `found`. Keys of maps are looked at, too.
fn holds(value: &minijinja::Value, found: &Secrets) -> bool {
    match (value.kind(), value.as_str()) {
        (_, Some(text)) => found.holds(text),
        (ValueKind::Map, _) => value.try_iter().into_iter().flatten().any(|key| {
            holds(&key, found) || value.get_item(&key).is_ok_and(|item| holds(&item, found))
        }),
        (ValueKind::Seq | ValueKind::Iterable, _) => value
            .try_iter()
            .into_iter()
            .flatten()
            .any(|item| holds(&item, found)),
        _ => false,
    }
}

fn organization_pairs<'a>(values: &minijinja::Value, organization: &Organization) -> Pairs<'a> {
    let about = Pairs::from([
        ("id", organization.id.as_str().into()),
        (
            "management_account",
            organization.management_account.as_str().into(),
        ),
    ]);
    Pairs::from([
        ("var", values.clone()),
        ("organization", about.into()),
        ("partition", organization.partition.0.as_str().into()),
    ])
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
