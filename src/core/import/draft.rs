//! What an import writes: a desired state as values, before it is text.
//!
//! A text here is a template as the desired state has it: `{{ … }}` are expressions, and a literal `{{` is written
//! [`escape`]d. A `when` is an expression without braces.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::source::Source;

/// A directory of desired state.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Its name: the owner's mark.
    pub name: String,
    /// The organization it is for, where the source says so.
    pub organization: Option<String>,
    /// `[vars]`, in order.
    pub variables: Vec<Variable>,
    /// Values of variables in single accounts, by account id.
    pub accounts: BTreeMap<String, AccountValues>,
    /// `[[policy]]`
    pub policies: Vec<Policy>,
    /// `[[role]]`
    pub roles: Vec<Role>,
    /// `[[check]]`
    pub checks: Vec<Check>,
}

/// A variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// `string`, `list`, …
    pub kind: &'static str,
    /// Its default.
    pub default: Option<Value>,
    /// The value of a sensitive one: it goes to `secrets.vars`.
    pub secret: Option<Value>,
    /// Whether its value is shown nowhere.
    pub sensitive: bool,
    /// What it is for, in one line.
    pub description: Option<String>,
    /// The only values it may have.
    pub one_of: Vec<Value>,
    /// What its whole value must match.
    pub pattern: Option<String>,
    /// What it was made of: ``parameter `Suffix` ``.
    pub from: String,
}

impl Variable {
    /// A variable of this type without a value.
    pub fn new(name: impl Into<String>, kind: &'static str, from: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            default: None,
            secret: None,
            sensitive: false,
            description: None,
            one_of: Vec::new(),
            pattern: None,
            from: from.into(),
        }
    }

    /// Whether an import gives it a value for every account.
    pub fn has_value(&self) -> bool {
        self.default.is_some() || self.secret.is_some()
    }
}

/// What one account has of its own.
#[derive(Debug, Clone, Default)]
pub struct AccountValues {
    /// The account's name, for a comment.
    pub name: Option<String>,
    /// Values by variable.
    pub values: BTreeMap<String, Value>,
}

/// A policy document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Its `Version`, where it has one.
    pub version: Option<String>,
    /// Its `Id`, where it has one.
    pub id: Option<String>,
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// The version of the policy language that the desired state's own tables have.
pub const VERSION: &str = "2012-10-17";

impl Document {
    /// Whether a statement of it holds under a condition only: then it cannot be a file.
    pub fn has_when(&self) -> bool {
        self.statements
            .iter()
            .any(|statement| statement.when.is_some())
    }

    /// The document as IAM writes it.
    pub fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            json.extend(value.map(|value| (key.to_owned(), value)));
        };
        put("Version", self.version.clone().map(Value::from));
        put("Id", self.id.clone().map(Value::from));
        let statements = self.statements.iter();
        let statements = statements.map(|statement| Value::Object(statement.body.clone()));
        put("Statement", Some(statements.collect()));
        Value::Object(json)
    }
}

/// A statement of a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// Where it is false, the statement is left out.
    pub when: Option<String>,
    /// A line above it.
    pub comment: Option<String>,
    /// Its members as IAM writes them: `Effect`, `Principal`, `Action`, …
    pub body: Map<String, Value>,
}

/// A customer managed policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Where it comes from.
    pub source: Source,
    /// Its name.
    pub name: String,
    /// Its path, where it is not `/`.
    pub path: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// What it allows.
    pub document: Document,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Where it goes besides the accounts of the roles that name it.
    pub targets: Option<Targets>,
    /// Accounts that its own targets leave out.
    pub exclude: Vec<Selector>,
    /// Where it is false, the policy is left out.
    pub when: Option<String>,
    /// Whether a plan that deletes it is refused.
    pub prevent_destroy: bool,
    /// Lines above it.
    pub comments: Vec<String>,
}

/// A role.
#[derive(Debug, Clone)]
pub struct Role {
    /// Where it comes from.
    pub source: Source,
    /// Its name.
    pub name: String,
    /// Its path, where it is not `/`.
    pub path: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Seconds, or a template.
    pub max_session_duration: Option<Value>,
    /// `aws:NAME`, `local:NAME`, an ARN, or empty for none.
    pub permissions_boundary: Option<String>,
    /// The attached policies; `None`: not managed.
    pub managed_policies: Option<Vec<Attached>>,
    /// The inline policies; `None`: not managed.
    pub inline_policies: Option<Vec<Inline>>,
    /// Which of its lists are known in part only.
    pub partial: Partial,
    /// Who may assume it.
    pub trust: Document,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The accounts it goes to.
    pub targets: Targets,
    /// The accounts that are left out.
    pub exclude: Vec<Selector>,
    /// Where it is false, the role is left out.
    pub when: Option<String>,
    /// Whether another owner manages it: it is compared and never written.
    pub external: bool,
    /// Whether a plan that deletes it is refused.
    pub prevent_destroy: bool,
    /// Lines above it.
    pub comments: Vec<String>,
}

/// Which lists of a role the import knows in part only: what is incomplete is never exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Partial {
    /// The attached policies.
    pub managed_policies: bool,
    /// The inline policies.
    pub inline_policies: bool,
}

/// An attached policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// `aws:NAME`, `local:NAME`, an ARN, or an expression that gives a list of these.
    pub policy: String,
    /// Where it is false, the policy is not attached.
    pub when: Option<String>,
}

/// An inline policy.
#[derive(Debug, Clone)]
pub struct Inline {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub document: Document,
    /// Where it is false, the policy is left out.
    pub when: Option<String>,
}

/// The accounts that something goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// Every account.
    All,
    /// Those that any of these selects.
    Some(Vec<Selector>),
}

/// A selector of accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Ids, names or expressions.
    pub account: Vec<Named>,
    /// Paths, ids or expressions.
    pub ou: Vec<Named>,
    /// Where it is false, it selects nothing.
    pub when: Option<String>,
}

impl Selector {
    /// Selects these accounts.
    pub fn accounts<S: Into<Named>>(accounts: impl IntoIterator<Item = S>) -> Self {
        Self {
            account: accounts.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Selects these organizational units.
    pub fn units<S: Into<Named>>(units: impl IntoIterator<Item = S>) -> Self {
        Self {
            ou: units.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
}

/// An id with the name that a comment gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The id, the name, or an expression.
    pub id: String,
    /// What it is called, where the id does not say so.
    pub name: Option<String>,
}

impl<S: Into<String>> From<S> for Named {
    fn from(id: S) -> Self {
        Self {
            id: id.into(),
            name: None,
        }
    }
}

/// A rule over each role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Where it is false, there is nothing to check.
    pub when: Option<String>,
    /// What must be true.
    pub assert: String,
    /// What to say where it is false.
    pub message: String,
}

/// A literal text as a template: `{{` stays as it is.
pub fn escape(text: &str) -> String {
    text.replace("{{", "{{ '{{' }}")
}

/// A name of a variable made of any text: letters of camel case are separated, everything else becomes `_`.
pub fn snake_case(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut name = String::new();
    for (at, c) in chars.iter().copied().enumerate() {
        if !c.is_ascii_alphanumeric() {
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let starts_word = c.is_ascii_uppercase()
            && before.is_some_and(|before| {
                let after = chars.get(at + 1);
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase))
            });
        if starts_word && !name.ends_with('_') {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    let name = name.trim_end_matches('_');
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("v_{name}").trim_end_matches('_').to_owned();
    }
    name.to_owned()
}

/// A string literal of the expression language.
pub fn literal(text: &str) -> String {
    let mut literal = String::from("'");
    for c in text.chars() {
        match c {
            '\\' => literal += "\\\\",
            '\'' => literal += "\\'",
            '\n' => literal += "\\n",
            '\r' => literal += "\\r",
            '\t' => literal += "\\t",
            c => literal.push(c),
        }
    }
    literal + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_where_words_begin() {
        for (text, name) in [
            ("DdAWSAccountId", "dd_aws_account_id"),
            ("HTTPServer2Name", "http_server2_name"),
            ("mill-spare-queue", "mill_spare_queue"),
            ("Site", "site"),
            ("IAMRole", "iam_role"),
            ("2Fast", "v_2_fast"),
            ("--", "v"),
            ("É", "v"),
        ] {
            assert_eq!(snake_case(text), name, "{text}");
        }
    }
}
