//! Values of a template, its intrinsic functions evaluated.

use super::super::report::Source;
use super::expr::{Expr, Item};

/// A value, and where it is.
#[derive(Debug, Clone)]
pub struct Val {
    /// Its place.
    pub place: Source,
    /// What it is.
    pub kind: ValKind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum ValKind {
    /// `AWS::NoValue`, or nothing.
    Missing,
    /// A text, or a list of texts.
    Expr(Expr),
    /// A list.
    List(Vec<Val>),
    /// A map. Its keys are texts, which may hold expressions.
    Map(Vec<(Expr, Val)>),
    /// One of two values, by a condition.
    If(Expr, Box<Val>, Box<Val>),
    /// It could not be evaluated.
    Lost(Loss),
}

/// Why something could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The code of its entry.
    pub code: &'static str,
    /// Where.
    pub place: Source,
    /// Why.
    pub why: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Loss {
    /// A loss without a hint.
    pub fn new(code: &'static str, place: &Source, why: impl Into<String>) -> Self {
        Self {
            code,
            place: place.clone(),
            why: why.into(),
            hint: None,
        }
    }

    /// The same with what to do.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

/// Conditions that are known to hold or not.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// All that is known, parts of what was assumed included.
    facts: Vec<(Expr, bool)>,
    /// What was assumed, in order.
    assumed: Vec<Expr>,
}

impl Known {
    /// What is known where a condition holds that is said elsewhere.
    pub fn given(condition: &Expr) -> Self {
        let mut known = Self::default();
        known.learn(condition, true);
        known
    }

    /// A condition, as far as it is not decided.
    pub fn decide(&self, condition: &Expr) -> Expr {
        condition.given(&self.facts)
    }

    /// The same where a condition holds, or does not.
    pub fn with(&self, condition: &Expr, holds: bool) -> Self {
        let mut known = self.clone();
        known.learn(condition, holds);
        known.assumed.push(if holds {
            condition.clone()
        } else {
            Expr::negate(condition.clone())
        });
        known
    }

    fn learn(&mut self, condition: &Expr, holds: bool) {
        self.facts.push((condition.clone(), holds));
        match condition {
            Expr::Not(inner) => self.learn(inner, !holds),
            Expr::And(all) if holds => all.iter().for_each(|it| self.learn(it, true)),
            Expr::Or(any) if !holds => any.iter().for_each(|it| self.learn(it, false)),
            _ => {}
        }
    }

    /// The same facts, with nothing assumed: what was assumed is said elsewhere.
    pub fn settled(&self) -> Self {
        Self {
            facts: self.facts.clone(),
            assumed: Vec::new(),
        }
    }

    /// What was assumed, as one condition.
    pub fn condition(&self) -> Expr {
        Expr::all(self.assumed.iter().cloned())
    }
}

impl Val {
    /// A value.
    pub fn new(place: &Source, kind: ValKind) -> Self {
        Self {
            place: place.clone(),
            kind,
        }
    }

    /// A text or a list of texts.
    pub fn expr(place: &Source, expr: Expr) -> Self {
        Self::new(place, ValKind::Expr(expr))
    }

    /// A value that could not be evaluated.
    pub fn lost(loss: Loss) -> Self {
        let place = loss.place.clone();
        Self::new(&place, ValKind::Lost(loss))
    }

    /// Whether it is not there.
    pub fn is_missing(&self) -> bool {
        matches!(self.kind, ValKind::Missing)
    }

    /// The member of a map.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match &self.kind {
            ValKind::Map(members) => members
                .iter()
                .find(|(key, _)| key.as_text() == Some(name))
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// Its value as one text.
    ///
    /// # Errors
    /// It is something else, or lost.
    pub fn text(&self) -> Result<Expr, Loss> {
        match &self.kind {
            ValKind::Missing => Ok(Expr::text("")),
            ValKind::Expr(expr) if expr.is_list() => Ok(Expr::join(expr.clone(), ",")),
            ValKind::Expr(expr) => Ok(expr.clone()),
            ValKind::If(condition, yes, no) => {
                Ok(Expr::either(condition.clone(), yes.text()?, no.text()?))
            }
            ValKind::Lost(loss) => Err(loss.clone()),
            ValKind::List(_) => Err(self.wrong("a list where a text must be")),
            ValKind::Map(_) => Err(self.wrong("a map where a text must be")),
        }
    }

    /// Its value as a list of texts; one text is a list of one.
    ///
    /// # Errors
    /// It is something else, or lost.
    pub fn texts(&self) -> Result<Expr, Loss> {
        match &self.kind {
            ValKind::Missing => Ok(Expr::list([])),
            ValKind::Expr(expr) if expr.is_list() => Ok(expr.clone()),
            ValKind::Expr(expr) => Ok(Expr::list([expr.clone()])),
            ValKind::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    add_item(&mut list, item)?;
                }
                Ok(Expr::List(list))
            }
            ValKind::If(condition, yes, no) => {
                Ok(Expr::either(condition.clone(), yes.texts()?, no.texts()?))
            }
            ValKind::Lost(loss) => Err(loss.clone()),
            ValKind::Map(_) => Err(self.wrong("a map where a text must be")),
        }
    }

    /// Its value as a text, or as a list of texts where it is one in some branch.
    ///
    /// # Errors
    /// It is something else, or lost.
    pub fn one_or_many(&self) -> Result<Expr, Loss> {
        if self.is_list() {
            self.texts()
        } else {
            self.text()
        }
    }

    fn is_list(&self) -> bool {
        match &self.kind {
            ValKind::List(_) => true,
            ValKind::Expr(expr) => expr.is_list(),
            ValKind::If(_, yes, no) => yes.is_list() || no.is_list(),
            ValKind::Missing | ValKind::Map(_) | ValKind::Lost(_) => false,
        }
    }

    /// What is wrong with it.
    pub fn wrong(&self, what: &str) -> Loss {
        Loss::new("document", &self.place, format!("there is {what}"))
    }

    /// Whether it is missing in some branch.
    pub fn may_be_missing(&self) -> bool {
        match &self.kind {
            ValKind::Missing => true,
            ValKind::If(_, yes, no) => yes.may_be_missing() || no.may_be_missing(),
            _ => false,
        }
    }

    /// The same without the branches that what is known excludes.
    pub fn prune(&self, known: &Known) -> Self {
        let kind = match &self.kind {
            ValKind::If(condition, yes, no) => match known.decide(condition) {
                Expr::Bool(true) => return yes.prune(known),
                Expr::Bool(false) => return no.prune(known),
                condition => ValKind::If(
                    condition.clone(),
                    Box::new(yes.prune(&known.with(&condition, true))),
                    Box::new(no.prune(&known.with(&condition, false))),
                ),
            },
            ValKind::List(items) => {
                ValKind::List(items.iter().map(|item| item.prune(known)).collect())
            }
            other => other.clone(),
        };
        Self::new(&self.place, kind)
    }

    /// What it is under which conditions: no branch is left at its top.
    pub fn branches(&self, known: &Known) -> Vec<(Known, Self)> {
        match &self.kind {
            ValKind::If(condition, yes, no) => match known.decide(condition) {
                Expr::Bool(true) => yes.branches(known),
                Expr::Bool(false) => no.branches(known),
                condition => {
                    let mut found = yes.branches(&known.with(&condition, true));
                    found.extend(no.branches(&known.with(&condition, false)));
                    found
                }
            },
            _ => vec![(known.clone(), self.clone())],
        }
    }

    /// The items of a list under which conditions, lists in it flattened and what is missing left out. One value that is
    /// no list is its only item.
    pub fn items(&self, known: &Known) -> Vec<(Known, Self)> {
        let mut found = Vec::new();
        for (known, value) in self.branches(known) {
            match &value.kind {
                ValKind::Missing => {}
                ValKind::List(items) => {
                    found.extend(items.iter().flat_map(|item| item.items(&known)));
                }
                _ => found.push((known, value)),
            }
        }
        found
    }
}

fn add_item(list: &mut Vec<Item>, item: &Val) -> Result<(), Loss> {
    match &item.kind {
        ValKind::Missing => {}
        ValKind::Expr(expr) if expr.is_list() => list.push(Item::All(expr.clone())),
        ValKind::List(inner) => {
            for item in inner {
                add_item(list, item)?;
            }
        }
        ValKind::If(..) if item.may_be_missing() || item.is_list() => match item.texts()? {
            Expr::List(items) => list.extend(items),
            expr => list.push(Item::All(expr)),
        },
        _ => list.push(Item::One(item.text()?)),
    }
    Ok(())
}
