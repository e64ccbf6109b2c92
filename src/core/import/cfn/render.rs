//! Expressions as the desired state writes them.

use super::super::draft::{escape, literal};
use super::expr::{Expr, Fact, Item, VarId};
use super::parameter::Kind;
use super::vars::{Use, Variables};

/// Writes expressions, and notes what they use variables for.
pub struct Renderer<'a> {
    /// The variables.
    pub variables: &'a mut Variables,
}

/// Why an expression cannot be written.
pub type Refusal = &'static str;

const INSIDE: Refusal =
    "a value inside of `${…}`, which belongs to IAM: the desired state leaves it as it is";

impl Renderer<'_> {
    /// A text, or a list where the expression is one, with expressions in `{{ }}`.
    pub fn template(&mut self, expr: &Expr, of: Use) -> Result<String, Refusal> {
        let parts = match expr {
            Expr::Concat(parts) => parts.as_slice(),
            expr => std::slice::from_ref(expr),
        };
        let is_whole = parts.len() == 1;
        let mut text = String::new();
        for (at, part) in parts.iter().enumerate() {
            match part {
                Expr::Text(constant) => {
                    let before_expression = at + 1 < parts.len();
                    text += &self.constant(constant, before_expression)?;
                }
                Expr::Bool(value) => text += &value.to_string(),
                part => {
                    let source = self.text_source(part, of, is_whole);
                    text = text + "{{ " + &source + " }}";
                }
            }
        }
        Ok(text)
    }

    /// A number: an integer where it is constant, else an expression that gives one.
    pub fn number(&mut self, expr: &Expr) -> serde_json::Value {
        match expr {
            Expr::Text(text) => match text.trim().parse::<i64>() {
                Ok(number) => number.into(),
                Err(_) => escape(text).into(),
            },
            Expr::Var(id, false) if self.variables.kind(*id) == Kind::Integer => {
                let source = self.source(expr, Use::Text);
                format!("{{{{ {source} }}}}").into()
            }
            expr => {
                let source = self.source(expr, Use::Text);
                format!("{{{{ ({source}) | int }}}}").into()
            }
        }
    }

    /// A condition, without braces.
    pub fn condition(&mut self, expr: &Expr) -> String {
        self.source(expr, Use::Condition)
    }

    /// A constant; where an expression comes next, it must not end in what would change the meaning of its braces.
    fn constant(&mut self, text: &str, before_expression: bool) -> Result<String, Refusal> {
        _ = &self;
        let mut written = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, variable) = rest.split_at_checked(at).unwrap_or((rest, ""));
            written += &escape(before);
            let end = variable.find('}').map(|end| end + 1);
            if end.is_none() && before_expression {
                return Err(INSIDE);
            }
            let (variable, after) = variable
                .split_at_checked(end.unwrap_or(variable.len()))
                .unwrap_or((variable, ""));
            if variable.contains("{{") {
                return Err(INSIDE);
            }
            written += variable;
            rest = after;
        }
        match rest.chars().next_back() {
            Some(last @ ('$' | '{')) if before_expression => {
                let kept = rest.get(..rest.len() - 1).unwrap_or_default();
                written += &escape(kept);
                written += "{{ '";
                written.push(last);
                written += "' }}";
            }
            _ => written += &escape(rest),
        }
        Ok(written)
    }

    /// The source of a text; `is_whole`: it stands alone, so a number must become text.
    fn text_source(&mut self, expr: &Expr, of: Use, is_whole: bool) -> String {
        let source = self.source(expr, of);
        match expr {
            Expr::Var(id, false) if is_whole && self.is_number(*id) => format!("{source} | string"),
            Expr::Length(_) if is_whole => format!("({source}) | string"),
            _ => source,
        }
    }

    fn is_number(&self, id: VarId) -> bool {
        matches!(self.variables.kind(id), Kind::Integer | Kind::Bool)
    }

    /// The source of an expression.
    pub fn source(&mut self, expr: &Expr, of: Use) -> String {
        match expr {
            Expr::Text(text) => literal(text),
            Expr::Bool(value) => value.to_string(),
            Expr::Var(id, _) => {
                self.variables.note(*id, of);
                format!("var.{}", self.variables.name(*id))
            }
            Expr::Fact(fact) => match fact {
                Fact::AccountId => "account.id".to_owned(),
                Fact::ManagementAccount => "organization.management_account".to_owned(),
                Fact::Partition => "partition".to_owned(),
            },
            // What holds one is replaced before it is written.
            Expr::Unsayable(_) => "''".to_owned(),
            Expr::Concat(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| self.operand(part, of)).collect();
                parts.join(" ~ ")
            }
            Expr::List(items) => self.list(items, of),
            Expr::Join(list, delimiter) => {
                format!("{} | join({})", self.operand(list, of), literal(delimiter))
            }
            Expr::Split(text, delimiter) => format!(
                "{} | split({}) | list",
                self.operand(text, of),
                literal(delimiter)
            ),
            Expr::Index(list, at) => format!("{}[{at}]", self.operand(list, of)),
            Expr::Length(list) => format!("{} | length", self.operand(list, of)),
            Expr::Lookup {
                entries,
                key,
                default,
            } => self.lookup(entries, key, default.as_deref(), of),
            Expr::If(condition, yes, no) => {
                let condition = self.source(condition, Use::Condition);
                let (yes, no) = (self.item(yes, of), self.item(no, of));
                format!("{yes} if {condition} else {no}")
            }
            Expr::Eq(left, right) => self.comparison(left, right, "=="),
            Expr::Not(inner) => match inner.as_ref() {
                Expr::Eq(left, right) => match self.truth(left, right) {
                    Some((name, true)) => format!("not {name}"),
                    Some((name, false)) => name,
                    None => self.comparison(left, right, "!="),
                },
                inner => format!("not {}", self.operand(inner, Use::Condition)),
            },
            Expr::Contains(list, item) => {
                let item = self.operand(item, Use::Condition);
                format!("{item} in {}", self.operand(list, Use::Condition))
            }
            Expr::And(all) => self.operands(all, " and "),
            Expr::Or(any) => self.operands(any, " or "),
        }
    }

    fn operands(&mut self, conditions: &[Expr], operator: &str) -> String {
        let parts: Vec<String> = conditions
            .iter()
            .map(|condition| match condition {
                Expr::Eq(..) => self.source(condition, Use::Condition),
                Expr::Not(inner) if matches!(**inner, Expr::Eq(..)) => {
                    self.source(condition, Use::Condition)
                }
                condition => self.operand(condition, Use::Condition),
            })
            .collect();
        parts.join(operator)
    }

    /// An expression as a part of another: in parentheses, where it is more than a name.
    fn operand(&mut self, expr: &Expr, of: Use) -> String {
        let source = self.source(expr, of);
        match expr {
            Expr::Text(_) | Expr::Var(..) | Expr::Fact(_) | Expr::Bool(_) | Expr::Index(..) => {
                source
            }
            Expr::List(items) if items.iter().all(|item| matches!(item, Item::One(_))) => source,
            Expr::Lookup { default: None, .. } => source,
            _ => format!("({source})"),
        }
    }

    /// An expression as an item of a list or a branch: a number becomes text.
    fn item(&mut self, expr: &Expr, of: Use) -> String {
        match expr {
            Expr::Var(id, false) if self.is_number(*id) => {
                format!("({} | string)", self.source(expr, of))
            }
            Expr::Length(_) => format!("({} | string)", self.operand(expr, of)),
            expr => self.operand(expr, of),
        }
    }

    fn list(&mut self, items: &[Item], of: Use) -> String {
        let mut source = String::new();
        let mut open: Option<Vec<String>> = None;
        let close = |source: &mut String, open: &mut Option<Vec<String>>| {
            if let Some(items) = open.take() {
                let list = format!("[{}]", items.join(", "));
                if source.is_empty() {
                    *source = list;
                } else {
                    *source += &[" | chain(", &list, ")"].concat();
                }
            }
        };
        for item in items {
            match item {
                Item::One(expr) => {
                    let item = self.item(expr, of);
                    open.get_or_insert_default().push(item);
                }
                Item::All(list) => {
                    close(&mut source, &mut open);
                    let list = self.operand(list, of);
                    if source.is_empty() {
                        "[]".clone_into(&mut source);
                    }
                    source += &[" | chain(", &list, ")"].concat();
                }
            }
        }
        close(&mut source, &mut open);
        if source.is_empty() {
            "[]".clone_into(&mut source);
        }
        source
    }

    fn lookup(
        &mut self,
        entries: &[(String, Expr)],
        key: &Expr,
        default: Option<&Expr>,
        of: Use,
    ) -> String {
        let written: Vec<String> = entries
            .iter()
            .map(|(name, value)| format!("{}: {}", literal(name), self.item(value, of)))
            .collect();
        let key = match key {
            Expr::Var(id, _) if self.is_number(*id) => {
                format!("{} | string", self.source(key, Use::Condition))
            }
            key => self.source(key, Use::Condition),
        };
        let found = format!("{{{}}}[{key}]", written.join(", "));
        match default {
            None => found,
            Some(default) => {
                let names: Vec<String> = entries.iter().map(|(name, _)| literal(name)).collect();
                let default = self.item(default, of);
                format!(
                    "{found} if ({key}) in [{}] else {default}",
                    names.join(", ")
                )
            }
        }
    }

    /// A variable that is compared with `true` or `false` and holds or does not: its source, and with which.
    fn truth(&mut self, left: &Expr, right: &Expr) -> Option<(String, bool)> {
        let (Expr::Var(id, false), Expr::Text(text)) = (left, right) else {
            let (Expr::Text(text), Expr::Var(id, false)) = (left, right) else {
                return None;
            };
            return self.truth_of(*id, text);
        };
        self.truth_of(*id, text)
    }

    fn truth_of(&mut self, id: VarId, text: &str) -> Option<(String, bool)> {
        if self.variables.kind(id) != Kind::Bool {
            return None;
        }
        self.variables.note_comparison(id, text);
        let name = format!("var.{}", self.variables.name(id));
        match text {
            "true" => Some((name, true)),
            "false" => Some((name, false)),
            _ => None,
        }
    }

    fn comparison(&mut self, left: &Expr, right: &Expr, operator: &str) -> String {
        if let Some((name, truth)) = self.truth(left, right) {
            return if truth { name } else { format!("not {name}") };
        }
        let sides = [(left, right), (right, left)].map(|(side, other)| match (side, other) {
            (Expr::Var(id, false), Expr::Text(text)) => {
                self.variables.note_comparison(*id, text);
                let name = format!("var.{}", self.variables.name(*id));
                match self.variables.kind(*id) {
                    Kind::Integer if !is_integer(text) => format!("({name} | string)"),
                    Kind::Bool => format!("({name} | string)"),
                    _ => name,
                }
            }
            (Expr::Text(text), Expr::Var(id, false))
                if self.variables.kind(*id) == Kind::Integer && is_integer(text) =>
            {
                text.clone()
            }
            (side, _) => self.item(side, Use::Condition),
        });
        let [left, right] = sides;
        format!("{left} {operator} {right}")
    }
}

/// Whether a text is how an integer is written.
fn is_integer(text: &str) -> bool {
    text.parse::<i64>()
        .is_ok_and(|number| number.to_string() == text)
}
