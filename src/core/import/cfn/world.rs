//! What an evaluation works with: the templates, what each is evaluated for, and the variables.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::report::{Entry, Source};
use super::expr::{Expr, Fact, VarId};
use super::node::Node;
use super::options::Options;
use super::parameter::Shape;
use super::template::Template;
use super::value::{Loss, Val};
use super::vars::{Asked, Made, VarKey, Variables};

/// Steps that the evaluation of all templates may take.
const STEPS: usize = 2_000_000;

/// How deep an evaluation may go: through conditions, names and nested templates.
const DEPTH: usize = 96;

/// A template, and what it is evaluated for.
#[derive(Debug, Clone)]
pub struct Env {
    /// The template.
    pub template: Rc<Template>,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, Val>,
    /// What `AWS::AccountId` is.
    pub account: Expr,
    /// What `AWS::Region` is.
    pub region: Region,
    /// The name of its stack, where it is known.
    pub stack_name: Option<String>,
    /// Whether it is the template of a stack in a stack, or of a stack set.
    pub is_nested: bool,
    /// The template and the logical id of the stack whose outputs are its own.
    pub output_of: Option<(usize, String)>,
    /// The template that it is a copy of, for one region.
    pub copy_of: Option<usize>,
}

/// What `AWS::Region` is.
#[derive(Debug, Clone)]
pub enum Region {
    /// A variable, with this default.
    Asked(Option<String>),
    /// This one.
    Fixed(String),
}

/// All that an evaluation works with.
#[derive(Debug)]
pub struct World<'a> {
    /// What the caller asks for.
    pub options: &'a Options,
    /// The templates.
    pub envs: Vec<Env>,
    /// The variables.
    pub variables: Variables,
    /// What is not taken over as it is.
    pub entries: Vec<Entry>,
    /// What the templates export, by name: the template's index and the value.
    pub exports: BTreeMap<String, (usize, Node)>,
    /// Conditions that were evaluated.
    pub conditions: BTreeMap<(usize, String), Result<Expr, Loss>>,
    pub(super) steps: usize,
    pub(super) depth: usize,
}

impl<'a> World<'a> {
    /// A world without templates.
    pub fn new(options: &'a Options, variables: Variables) -> Self {
        Self {
            options,
            envs: Vec::new(),
            variables,
            entries: Vec::new(),
            exports: BTreeMap::new(),
            conditions: BTreeMap::new(),
            steps: STEPS,
            depth: 0,
        }
    }

    /// The template at an index.
    pub fn template(&self, env: usize) -> Option<Rc<Template>> {
        self.envs.get(env).map(|env| env.template.clone())
    }

    /// What the templates at an index call their account.
    pub fn account(&self, env: usize) -> Expr {
        self.envs
            .get(env)
            .map_or(Expr::Fact(Fact::AccountId), |env| env.account.clone())
    }

    /// Adds a template; parameters without a value become variables.
    pub fn add(&mut self, env: Env) -> usize {
        let index = self.envs.len();
        let template = env.template.clone();
        self.envs.push(env);
        for parameter in &template.parameters {
            let known = self
                .envs
                .get(index)
                .is_some_and(|env| env.parameters.contains_key(&parameter.name));
            if known {
                continue;
            }
            let mut parameter = parameter.clone();
            let is_nested = self.envs.get(index).is_some_and(|env| env.is_nested);
            if !is_nested {
                let given = self.options.parameters.get(&parameter.name);
                parameter.given = given.cloned();
            }
            let constant = match parameter.value() {
                Some(value) if is_nested => Some(value),
                Some(value) if self.options.resolve && parameter.given.is_some() => Some(value),
                _ => None,
            };
            let is_list = parameter.shape == Shape::List;
            let expr = match constant {
                Some(text) if is_list => {
                    let items = super::parameter::split_list(text);
                    Expr::list(items.map(Expr::text))
                }
                Some(text) => Expr::text(text),
                None => {
                    let key = VarKey::Parameter(index, parameter.name.clone());
                    let name = parameter.name.clone();
                    let made = || Made::Parameter(Box::new(parameter.clone()));
                    Expr::Var(self.variables.intern(key, &name, made), is_list)
                }
            };
            let value = Val::expr(&parameter.place, expr);
            if let Some(env) = self.envs.get_mut(index) {
                env.parameters.insert(parameter.name, value);
            }
        }
        for (_, output) in template.section("Outputs") {
            let name = output.get("Export").and_then(|it| it.get("Name"));
            if let (Some(name), Some(value)) = (name.and_then(Node::as_text), output.get("Value")) {
                self.exports.insert(name.to_owned(), (index, value.clone()));
            }
        }
        index
    }

    /// Spends steps.
    ///
    /// # Errors
    /// There are none left.
    pub fn spend(&mut self, steps: usize, place: &Source) -> Result<(), Loss> {
        if let Some(left) = self.steps.checked_sub(steps) {
            self.steps = left;
            Ok(())
        } else {
            self.steps = 0;
            Err(Loss::new(
                "intrinsic",
                place,
                "the template takes too many steps to evaluate",
            ))
        }
    }

    /// Goes one level deeper.
    ///
    /// # Errors
    /// It is deep enough: what refers to itself never ends.
    pub fn descend<T>(
        &mut self,
        place: &Source,
        then: impl FnOnce(&mut Self) -> Result<T, Loss>,
    ) -> Result<T, Loss> {
        if self.depth >= DEPTH {
            return Err(Loss::new(
                "reference",
                place,
                "it refers to itself, or through too many other things",
            ));
        }
        self.depth += 1;
        let found = then(self);
        self.depth -= 1;
        found
    }

    /// A variable that no parameter declares.
    pub fn ask(&mut self, key: VarKey, name: &str, asked: Asked) -> Expr {
        let is_list = asked.kind == "list";
        Expr::Var(
            self.variables
                .intern(key, name, || Made::Asked(Box::new(asked))),
            is_list,
        )
    }

    /// The key of a variable that an expression is.
    pub fn key_of(&self, expr: &Expr) -> Option<&VarKey> {
        match expr {
            Expr::Var(id, _) => self.variables.key(*id),
            _ => None,
        }
    }

    /// Whether a variable for the region is in an expression.
    pub fn has_region(&self, expr: &Expr) -> bool {
        expr.has(&|part| matches!(self.key_of(part), Some(VarKey::Region(_))))
    }

    /// Whether the resource of this name belongs to the template at an index: what has the region in its name belongs to
    /// the copies, if there are any, and all else to the original.
    pub fn is_here(
        &mut self,
        env: usize,
        name: &Expr,
        original: impl FnOnce(&mut Self, usize) -> Option<Expr>,
    ) -> bool {
        let copy_of = self.envs.get(env).and_then(|env| env.copy_of);
        match copy_of {
            Some(base) => original(self, base).is_some_and(|name| self.has_region(&name)),
            None => self.options.regions.len() < 2 || !self.has_region(name),
        }
    }

    /// An expression as a person reads it: with the names of parameters.
    pub fn describe(&self, expr: &Expr) -> String {
        match (expr, self.key_of(expr)) {
            (_, Some(VarKey::Parameter(_, name))) => format!("${{{name}}}"),
            (Expr::Concat(parts), _) => parts.iter().map(|part| self.describe(part)).collect(),
            (expr, _) => self.sample(expr),
        }
    }

    /// A constant that an expression may give: with the defaults of its variables, `x` for those that have none.
    pub fn sample(&self, expr: &Expr) -> String {
        let sample = |id: VarId| self.variables.sample(id);
        match expr {
            Expr::Text(text) => text.clone(),
            Expr::Var(id, _) => sample(*id).unwrap_or_else(|| "x".to_owned()),
            Expr::Concat(parts) => parts.iter().map(|part| self.sample(part)).collect(),
            Expr::If(_, yes, _) => self.sample(yes),
            Expr::Fact(Fact::Partition) => "aws".to_owned(),
            _ => "x".to_owned(),
        }
    }
}
