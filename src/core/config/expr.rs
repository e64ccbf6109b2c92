//! `{{ … }}` in strings, and `when`.
//!
//! Strings are templated after the file was parsed, and each expression is compiled alone, so a value can never break
//! out of its string. Everything in `${…}` is IAM's and is left as it is; `{%` and `{#` are plain text.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::Expression;

use super::facts;
use super::language::{self, ENVIRONMENT};
use super::place::Place;
use super::problem::{Problem, Problems, did_you_mean};

/// The names an expression may begin with.
pub const ROOTS: [&str; 5] = ["var", "local", "account", "organization", "partition"];

/// The names that a directory declares for its expressions.
#[derive(Debug, Default)]
pub struct Declared {
    /// `var.NAME`
    pub variables: BTreeSet<String>,
    /// `local.NAME`
    pub locals: BTreeSet<String>,
}

/// Whether an expression can call something by this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(char::is_numeric)
}

/// The local that a dotted name begins with: `x` of `local.x.y`.
pub fn local_name(name: &str) -> Option<&str> {
    name.strip_prefix("local.")?.split('.').next()
}

/// What a dotted name begins with that the directory declares: `x` of `var.x.y`, and `local.x` of `local.x.y`.
pub fn declared_name(name: &str) -> Option<&str> {
    match local_name(name) {
        Some(local) => name.get(.."local.".len() + local.len()),
        None => name.strip_prefix("var.")?.split('.').next(),
    }
}

/// One compiled expression.
#[derive(Debug)]
pub struct Expr {
    pub(super) source: String,
    pub(super) compiled: Expression<'static, 'static>,
    pub(super) uses: BTreeSet<String>,
}

/// A string with expressions in it, or a condition.
#[derive(Debug)]
pub struct Template {
    pub(super) source: String,
    /// Text and expressions by turns.
    pub(super) parts: Vec<Part>,
    kind: Kind,
}

/// What a template gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Condition,
}

#[derive(Debug)]
pub(super) enum Part {
    Text(String),
    Expr(Expr),
}

impl Expr {
    fn compile(source: &str) -> Result<Self, String> {
        language::check_source(source)?;
        let compiled = ENVIRONMENT
            .compile_expression_owned(source.to_owned())
            .map_err(|error| {
                error
                    .detail()
                    .map_or_else(|| error.to_string(), str::to_owned)
            })?;
        let mut uses = language::names(source);
        uses.extend(compiled.undeclared_variables(true));
        Ok(Self {
            source: source.to_owned(),
            compiled,
            uses,
        })
    }
}

impl Template {
    /// Compiles the string at `place`; `None` where it holds no expression.
    pub fn compile(text: &str, place: &Place, problems: &mut Problems) -> Option<Arc<Self>> {
        if !text.contains("{{") {
            return None;
        }
        match split(text) {
            Ok(parts) => Some(Arc::new(Self {
                source: text.to_owned(),
                parts,
                kind: Kind::Text,
            })),
            Err(message) => {
                let hint = "a literal `{{` is written {{ \"{{\" }}";
                problems.push(Problem::error("expression", place, message).hint(hint));
                None
            }
        }
    }

    /// Compiles a condition: an expression without the braces.
    pub fn condition(text: &str, place: &Place, problems: &mut Problems) -> Option<Arc<Self>> {
        if text.trim_start().starts_with("{{") {
            let problem = Problem::error(
                "expression",
                place,
                "a condition is written without `{{` and `}}`",
            );
            problems.push(problem.hint("when = \"var.enabled\""));
            return None;
        }
        match Expr::compile(text.trim()) {
            Ok(expr) => {
                let parts = vec![Part::Expr(expr)];
                Some(Arc::new(Self {
                    source: text.to_owned(),
                    parts,
                    kind: Kind::Condition,
                }))
            }
            Err(message) => {
                problems.push(Problem::error(
                    "expression",
                    place,
                    format!("`{}` is not an expression: {message}", shortened(text)),
                ));
                None
            }
        }
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is a condition.
    pub fn is_condition(&self) -> bool {
        self.kind == Kind::Condition
    }

    /// Whether it is one expression, with no text around it.
    pub fn is_whole(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Expr(_)])
    }

    /// The dotted names it uses: `var.x`, `account.tags.team`.
    pub fn uses(&self) -> impl Iterator<Item = &str> {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Expr(expr) => Some(&expr.uses),
            })
            .flatten()
            .map(String::as_str)
    }

    /// Reports names that no scope will ever hold.
    pub fn check_names(&self, place: &Place, declared: &Declared, problems: &mut Problems) {
        self.check_names_among(&ROOTS, place, declared, problems);
    }

    /// The same where an expression may begin with other names.
    pub fn check_names_among(
        &self,
        roots: &[&'static str],
        place: &Place,
        declared: &Declared,
        problems: &mut Problems,
    ) {
        for name in self.uses() {
            let mut steps = name.splitn(3, '.');
            let (root, member) = (steps.next().unwrap_or_default(), steps.next());
            let known: Vec<&str> = match (root, member) {
                ("var", Some(_)) => declared.variables.iter().map(String::as_str).collect(),
                ("local", Some(_)) => declared.locals.iter().map(String::as_str).collect(),
                ("account", Some(_)) => vec!["id", "name", "email", "ou", "tags"],
                ("organization", Some(_)) => vec!["id", "management_account"],
                ("role", Some(_)) if roots.contains(&"role") => facts::ROLE.to_vec(),
                ("policy", Some(_)) if roots.contains(&"policy") => facts::POLICY.to_vec(),
                ("attachment", Some(_)) if roots.contains(&"attachment") => {
                    facts::ATTACHMENT.to_vec()
                }
                ("plan" | "roles" | "policies", Some(_)) if roots.contains(&root) => continue,
                _ => roots.to_vec(),
            };
            let (what, wanted) = match member {
                Some(member) if roots.contains(&root) && root != "partition" => {
                    (format!("{root}.{member}"), member)
                }
                _ => (root.to_owned(), root),
            };
            if known.contains(&wanted) {
                continue;
            }
            let problem = if root == "var" && member.is_some() {
                Problem::error(
                    "variable",
                    place,
                    format!("`{wanted}` is not a variable of this directory"),
                )
                .label(format!("`{what}` is unknown"))
                .hint(
                    did_you_mean(wanted, known.iter().copied()).unwrap_or_else(|| {
                        format!("declare it: [vars] {wanted} = {{ type = \"string\" }}")
                    }),
                )
            } else if root == "local" && member.is_some() {
                let message = format!("`{wanted}` is not a local of this directory");
                Problem::error("local", place, message)
                    .label(format!("`{what}` is unknown"))
                    .hint(
                        did_you_mean(wanted, known.iter().copied())
                            .unwrap_or_else(|| format!("write it: [locals] {wanted} = \"…\"")),
                    )
            } else {
                Problem::error("variable", place, format!("`{what}` is unknown")).hint(
                    did_you_mean(wanted, known.iter().copied())
                        .unwrap_or_else(|| format!("available here: {}", known.join(", "))),
                )
            };
            problems.push(problem);
        }
    }
}

/// The beginning of a source, for messages.
pub(super) fn shortened(source: &str) -> String {
    const SHOWN: usize = 200;
    let mut shown: String = source.chars().take(SHOWN).collect();
    if shown.len() < source.len() {
        shown.push('…');
    }
    shown
}

fn split(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        if rest.starts_with("${") {
            let end = rest.find('}').map_or(rest.len(), |at| at + 1);
            let (variable, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
            if variable.contains("{{") {
                return Err(
                    "an expression is not allowed inside `${…}`, which belongs to IAM".to_owned(),
                );
            }
            plain += variable;
            rest = after;
        } else if let Some(inside) = rest.strip_prefix("{{") {
            let end =
                end_of_expression(inside).ok_or_else(|| "`{{` has no matching `}}`".to_owned())?;
            let source = inside.get(..end).unwrap_or_default().trim();
            if source.is_empty() {
                return Err("`{{ }}` is empty".to_owned());
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            let expr = Expr::compile(source).map_err(|message| {
                format!("`{}` is not an expression: {message}", shortened(source))
            })?;
            parts.push(Part::Expr(expr));
            rest = inside.get(end + 2..).unwrap_or_default();
        } else {
            let mut chars = rest.chars();
            plain.extend(chars.next());
            rest = chars.as_str();
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// Where the `}}` stands that ends an expression, outside of quotes and inner braces.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut depth = 0usize;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth > 0 => depth -= 1,
            (None, '}') if text.get(at..).is_some_and(|rest| rest.starts_with("}}")) => {
                return Some(at);
            }
            (_, _) => {}
        }
    }
    None
}
