//! Evaluates compiled expressions: the values of `{{ … }}` and `when`.

use std::collections::BTreeSet;

use minijinja::value::ValueKind;

use super::expr::{Expr, Part, Template, shortened};
use super::language::{self, MAX_TEXT};
use super::place::Place;
use super::tree::{Node, Value};
use crate::resource::secret::MASK;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The names in it that have no value: `var.x`, `account.tags.team`.
    pub missing: Vec<String>,
    /// The expression.
    pub expression: String,
    /// What went wrong.
    pub message: String,
}

/// Told the names that an expression uses and what it gave; says what to do with that.
pub type Witness<'a> = &'a mut dyn FnMut(&BTreeSet<String>, &minijinja::Value) -> Verdict;

/// What becomes of the value of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stands as it is.
    Kept,
    /// The same, and it is sensitive only together with the text around it.
    Bound,
    /// A mask is in its place.
    Masked,
}

impl Template {
    /// Its value, and whether `witness` says that a part of it is bound to the whole. A string that is one expression
    /// alone keeps the expression's type, and a condition gives a boolean.
    pub fn eval(
        &self,
        scope: &minijinja::Value,
        place: &Place,
        witness: Witness<'_>,
    ) -> Result<(Value, bool), Failure> {
        if let [Part::Expr(expr)] = self.parts.as_slice() {
            let value = expr.eval(scope)?;
            let verdict = witness(&expr.uses, &value);
            if verdict == Verdict::Masked && !self.is_condition() {
                return Ok((Value::String(MASK.to_owned()), false));
            }
            let is_bound = verdict == Verdict::Bound;
            return match from_jinja(&value, place) {
                Some(value) if !self.is_condition() || matches!(value, Value::Bool(_)) => {
                    Ok((value, is_bound))
                }
                _ => Err(failure(
                    expr,
                    if self.is_condition() {
                        format!("it must evaluate to true or false, not {}", value.kind())
                    } else {
                        format!(
                            "it evaluates to {}, which is not allowed here",
                            value.kind()
                        )
                    },
                )),
            };
        }
        let (mut text, mut is_bound) = (String::new(), false);
        let mut failed: Option<Failure> = None;
        for part in &self.parts {
            match (part.text(scope, witness), &mut failed) {
                (Ok((part, _)), _) if text.len() + part.len() > MAX_TEXT => {
                    let message = format!(
                        "the string around it has more than {MAX_TEXT} bytes, {MAX_TEXT} are allowed"
                    );
                    failed = Some(Failure {
                        missing: Vec::new(),
                        expression: shortened(&self.source),
                        message,
                    });
                    break;
                }
                (Ok((part, bound)), _) => {
                    text += &part;
                    is_bound |= bound;
                }
                (Err(failure), Some(first)) => first.missing.extend(failure.missing),
                (Err(failure), None) => failed = Some(failure),
            }
        }
        failed.map_or(Ok((Value::String(text), is_bound)), Err)
    }
}

impl Expr {
    fn eval(&self, scope: &minijinja::Value) -> Result<minijinja::Value, Failure> {
        let fail = |message: String| Failure {
            missing: self.missing(scope),
            ..failure(self, message)
        };
        match self.compiled.eval(scope.clone()) {
            Ok(value) if value.is_undefined() => Err(fail("it has no value".to_owned())),
            Ok(value) => language::check_result(&value).map(|()| value).map_err(fail),
            Err(error) => Err(fail(
                error
                    .detail()
                    .map_or_else(|| error.kind().to_string(), str::to_owned),
            )),
        }
    }

    fn missing(&self, scope: &minijinja::Value) -> Vec<String> {
        let has_value = |name: &&String| {
            let found = name
                .split('.')
                .try_fold(scope.clone(), |value, step| value.get_attr(step));
            found.is_ok_and(|value| !value.is_undefined())
        };
        self.uses
            .iter()
            .filter(|name| !has_value(name))
            .cloned()
            .collect()
    }
}

impl Part {
    /// Its text, and whether `witness` says that it is bound to the text around it.
    fn text(
        &self,
        scope: &minijinja::Value,
        witness: Witness<'_>,
    ) -> Result<(String, bool), Failure> {
        let expr = match self {
            Self::Text(text) => return Ok((text.clone(), false)),
            Self::Expr(expr) => expr,
        };
        let value = expr.eval(scope)?;
        let verdict = witness(&expr.uses, &value);
        if verdict == Verdict::Masked {
            return Ok((MASK.to_owned(), false));
        }
        let is_bound = verdict == Verdict::Bound;
        match value.kind() {
            ValueKind::String | ValueKind::Number | ValueKind::Bool => {
                Ok((value.to_string(), is_bound))
            }
            kind => Err(failure(
                expr,
                format!("it evaluates to {kind}, which cannot be part of a string"),
            )),
        }
    }
}

fn failure(expr: &Expr, message: String) -> Failure {
    Failure {
        missing: Vec::new(),
        expression: shortened(&expr.source),
        message,
    }
}

/// A value of an expression as a value of the tree; `None` where it has no counterpart.
fn from_jinja(value: &minijinja::Value, place: &Place) -> Option<Value> {
    let node = |value: Value| Node {
        value,
        place: place.clone(),
    };
    Some(match value.kind() {
        ValueKind::Bool => Value::Bool(value.is_true()),
        ValueKind::String => Value::String(value.to_string()),
        ValueKind::Number => match value.as_i64().filter(|_| value.is_integer()) {
            Some(integer) => Value::Number(integer.into()),
            None => Value::Number(serde_json::Number::from_f64(
                f64::try_from(value.clone()).ok()?,
            )?),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Option<Vec<Node>> = value
                .try_iter()
                .ok()?
                .map(|item| from_jinja(&item, place).map(node))
                .collect();
            Value::Array(items?)
        }
        _ => return None,
    })
}

/// A value of the tree as expressions see it.
pub fn to_jinja(value: &Value) -> minijinja::Value {
    match value {
        Value::Null | Value::Table(_) => minijinja::Value::UNDEFINED,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| number.as_f64().unwrap_or_default().into(), Into::into),
        Value::Datetime(text) | Value::String(text) => text.as_str().into(),
        Value::Template(template) => template.source().into(),
        Value::Array(items) => items.iter().map(|item| to_jinja(&item.value)).collect(),
    }
}
