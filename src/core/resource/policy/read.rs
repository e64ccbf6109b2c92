//! One walk over a document: its canonical form, and everything wrong with it.
//!
//! Two grades of wrong: what leaves the meaning open (a member of unknown name, two keys that differ only by case), so
//! that no canonical form can be trusted; and what IAM would refuse although its meaning is plain (a resource in a
//! trust policy). Users get both; a document that AWS returned is held to the first alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::json::child;
use super::operator::{Operator, Test, nearest};
use super::pattern::completed;
use super::value::is_time;
use super::{
    Body, DocumentProblem, Effect, Patterns, PolicyKind, Principals, Statement, Version, check,
};
use crate::org::{AccountId, Partition};

/// What a walk found.
pub(super) struct Reading {
    /// The canonical form; `None` where the meaning is open.
    pub(super) body: Option<Body>,
    pub(super) problems: Vec<DocumentProblem>,
}

pub(super) fn read(value: &Value, kind: PolicyKind, partition: &Partition) -> Reading {
    let mut reader = Reader {
        kind,
        partition,
        problems: Vec::new(),
        open: false,
    };
    let body = reader.document(value).filter(|_| !reader.open);
    Reading {
        body,
        problems: reader.problems,
    }
}

const DOCUMENT_MEMBERS: &[&str] = &["Version", "Id", "Statement"];
const STATEMENT_MEMBERS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
const PRINCIPAL_KINDS: &[&str] = &["AWS", "Service", "Federated", "CanonicalUser"];

type Members = Map<String, Value>;

struct Reader<'a> {
    kind: PolicyKind,
    partition: &'a Partition,
    problems: Vec<DocumentProblem>,
    /// Whether a problem left the meaning open.
    open: bool,
}

/// A string of the document and its place in the list it is in.
struct Item<'v> {
    text: &'v str,
    index: Option<usize>,
}

impl Item<'_> {
    fn pointer(&self, list: &str) -> String {
        self.index
            .map_or_else(|| list.to_owned(), |index| format!("{list}/{index}"))
    }
}

impl Reader<'_> {
    /// Notes what IAM would refuse.
    fn refuse(&mut self, pointer: String, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(DocumentProblem {
            pointer,
            message: message.into(),
            hint,
        });
    }

    /// Notes what leaves the meaning open.
    fn open(&mut self, pointer: String, message: impl Into<String>, hint: Option<String>) {
        self.open = true;
        self.refuse(pointer, message, hint);
    }

    fn document(&mut self, value: &Value) -> Option<Body> {
        let Value::Object(members) = value else {
            let hint = value
                .is_string()
                .then(|| "is it encoded twice, or is it a file's name?".to_owned());
            self.open(
                String::new(),
                format!(
                    "a policy document is an object, not {}",
                    name_of_type(value)
                ),
                hint,
            );
            return None;
        };
        self.known_members(members, "", DOCUMENT_MEMBERS);
        let version = self.version(members.get("Version"));
        let id = members
            .get("Id")
            .and_then(|id| self.text(id, "/Id"))
            .map(str::to_owned);
        let statements = self.statements(members);
        Some(Body {
            version,
            id,
            statements,
        })
    }

    fn known_members(&mut self, members: &Members, at: &str, known: &[&str]) {
        for name in members
            .keys()
            .filter(|name| !known.contains(&name.as_str()))
        {
            let hint = match nearest(name, known.iter().copied()) {
                Some(meant) if meant.eq_ignore_ascii_case(name) => {
                    format!("did you mean `{meant}`? member names are case-sensitive")
                }
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known members: {}", known.join(", ")),
            };
            self.open(
                child(at, name),
                format!("unknown member `{name}`"),
                Some(hint),
            );
        }
    }

    fn version(&mut self, value: Option<&Value>) -> Version {
        match value.map(Value::as_str) {
            None | Some(Some("2008-10-17")) => Version::V2008,
            Some(Some("2012-10-17")) => Version::V2012,
            Some(text) => {
                let message = text.map_or_else(
                    || "`Version` must be a string".to_owned(),
                    |text| format!("`{text}` is not a version of the policy language"),
                );
                self.open(
                    "/Version".to_owned(),
                    message,
                    Some("write `2012-10-17`".to_owned()),
                );
                Version::V2008
            }
        }
    }

    fn text<'v>(&mut self, value: &'v Value, at: &str) -> Option<&'v str> {
        let text = value.as_str();
        if text.is_none() {
            self.open(
                at.to_owned(),
                format!("must be a string, not {}", name_of_type(value)),
                None,
            );
        }
        text
    }

    fn statements(&mut self, members: &Members) -> Vec<Statement> {
        let at = "/Statement";
        match members.get("Statement") {
            Some(statement @ Value::Object(_)) => {
                self.statement(statement, at).into_iter().collect()
            }
            Some(Value::Array(list)) => {
                if list.is_empty() {
                    self.refuse(
                        at.to_owned(),
                        "`Statement` is empty",
                        Some("a document needs a statement".to_owned()),
                    );
                }
                let each = list.iter().enumerate();
                let statements: Vec<_> = each
                    .map(|(index, statement)| self.statement(statement, &format!("{at}/{index}")))
                    .collect();
                self.unique_sids(&statements);
                statements.into_iter().flatten().collect()
            }
            Some(other) => {
                let message = format!(
                    "`Statement` must be a list of statements, not {}",
                    name_of_type(other)
                );
                self.open(at.to_owned(), message, None);
                Vec::new()
            }
            None => {
                self.missing(members, "", "Statement", "the document has no `Statement`");
                Vec::new()
            }
        }
    }

    /// Notes a missing member, unless it is there in another case, which is a problem of its own already.
    fn missing(&mut self, members: &Members, at: &str, name: &str, message: &str) {
        self.open = true;
        if !members.keys().any(|key| key.eq_ignore_ascii_case(name)) {
            self.refuse(at.to_owned(), message, None);
        }
    }

    fn unique_sids(&mut self, statements: &[Option<Statement>]) {
        let mut seen = BTreeSet::new();
        for (index, statement) in statements.iter().enumerate() {
            let Some(sid) = statement
                .as_ref()
                .and_then(|statement| statement.sid.as_ref())
            else {
                continue;
            };
            if !seen.insert(sid) {
                let hint = Some("statement ids are unique within a document".to_owned());
                let message = format!("`{sid}` is the Sid of another statement too");
                self.refuse(format!("/Statement/{index}/Sid"), message, hint);
            }
        }
    }

    fn statement(&mut self, value: &Value, at: &str) -> Option<Statement> {
        let Value::Object(members) = value else {
            self.open(
                at.to_owned(),
                format!("a statement is an object, not {}", name_of_type(value)),
                None,
            );
            return None;
        };
        self.known_members(members, at, STATEMENT_MEMBERS);
        let sid = self.sid(members, at);
        let effect = self.effect(members, at);
        let principals = self.principals(members, at);
        let actions = self.actions(members, at);
        let resources = self.resources(members, at);
        let conditions = self.conditions(members.get("Condition"), &child(at, "Condition"));
        if let (Some(Effect::Allow), Some(principals), Some(actions)) =
            (effect, &principals, &actions)
            && self.kind == PolicyKind::Trust
            && let Some((message, hint)) = check::unfit(principals, actions)
        {
            let name = if members.contains_key("Action") {
                "Action"
            } else {
                "Principal"
            };
            self.refuse(child(at, name), message, hint);
        }
        Some(Statement {
            sid,
            effect: effect?,
            principals,
            actions: actions?,
            resources,
            conditions,
        })
    }

    fn sid(&mut self, members: &Members, at: &str) -> Option<String> {
        let at = child(at, "Sid");
        let sid = self.text(members.get("Sid")?, &at)?;
        if !sid.chars().all(|char| char.is_ascii_alphanumeric()) {
            let hint = Some("a Sid may contain only letters A-Z, a-z and digits".to_owned());
            self.refuse(at, format!("`{sid}` is not a Sid"), hint);
        }
        (!sid.is_empty()).then(|| sid.to_owned())
    }

    fn effect(&mut self, members: &Members, at: &str) -> Option<Effect> {
        let Some(value) = members.get("Effect") else {
            self.missing(members, at, "Effect", "the statement has no `Effect`");
            return None;
        };
        let at = child(at, "Effect");
        match self.text(value, &at)? {
            "Allow" => Some(Effect::Allow),
            "Deny" => Some(Effect::Deny),
            other => {
                let meant = nearest(other, ["Allow", "Deny"].into_iter());
                let hint = meant.map_or("write `Allow` or `Deny`".to_owned(), |meant| {
                    format!("write `{meant}`")
                });
                self.open(at, format!("`{other}` is not an effect"), Some(hint));
                None
            }
        }
    }

    /// The member `name` or its `Not` form, and which; both at once leave the meaning open.
    fn either<'v>(
        &mut self,
        members: &'v Members,
        at: &str,
        name: &str,
    ) -> Option<(&'v Value, String, bool)> {
        let not = format!("Not{name}");
        match (members.get(name), members.get(&not)) {
            (Some(_), Some(_)) => {
                self.open(
                    at.to_owned(),
                    format!("the statement has both `{name}` and `{not}`"),
                    Some("keep one of them".into()),
                );
                None
            }
            (Some(value), None) => Some((value, child(at, name), false)),
            (None, Some(value)) => Some((value, child(at, &not), true)),
            (None, None) => None,
        }
    }

    fn actions(&mut self, members: &Members, at: &str) -> Option<Patterns> {
        let Some((value, at, negated)) = self.either(members, at, "Action") else {
            if !members.contains_key("Action")
                && !members
                    .keys()
                    .any(|key| key.eq_ignore_ascii_case("NotAction"))
            {
                self.missing(
                    members,
                    at,
                    "Action",
                    "the statement has neither `Action` nor `NotAction`",
                );
            }
            self.open = true;
            return None;
        };
        let items = self.items(value, &at);
        for item in &items {
            if let Some((message, hint)) = check::action(item.text, self.kind) {
                self.refuse(item.pointer(&at), message, hint);
            }
        }
        let patterns = items
            .iter()
            .map(|item| item.text.to_ascii_lowercase())
            .collect();
        Some(Patterns { negated, patterns })
    }

    fn resources(&mut self, members: &Members, at: &str) -> Option<Patterns> {
        let found = self.either(members, at, "Resource");
        let named = ["Resource", "NotResource"]
            .into_iter()
            .find(|name| members.contains_key(*name));
        match (self.kind, named) {
            (PolicyKind::Trust, Some(name)) => {
                let hint = Some("the role itself is the resource; remove it".to_owned());
                self.refuse(
                    child(at, name),
                    format!("a trust policy cannot have `{name}`"),
                    hint,
                );
            }
            (PolicyKind::Identity, None)
                if !members
                    .keys()
                    .any(|key| key.eq_ignore_ascii_case("Resource")) =>
            {
                self.refuse(
                    at.to_owned(),
                    "the statement has neither `Resource` nor `NotResource`",
                    None,
                );
            }
            _ => {}
        }
        let (value, at, negated) = found?;
        let items = self.items(value, &at);
        for item in items
            .iter()
            .filter(|_| self.kind == PolicyKind::Identity)
            .collect::<Vec<_>>()
        {
            if let Some((message, hint)) = check::resource(item.text) {
                self.refuse(item.pointer(&at), message, hint);
            }
        }
        Some(Patterns {
            negated,
            patterns: items.iter().map(|item| completed(item.text)).collect(),
        })
    }

    /// A string or a list of strings, which are the same; an empty list is refused.
    fn items<'v>(&mut self, value: &'v Value, at: &str) -> Vec<Item<'v>> {
        let items = match value {
            Value::String(text) => return vec![Item { text, index: None }],
            Value::Array(items) => items,
            other => {
                let message = format!(
                    "must be a string or a list of strings, not {}",
                    name_of_type(other)
                );
                self.open(at.to_owned(), message, None);
                return Vec::new();
            }
        };
        if items.is_empty() {
            self.refuse(at.to_owned(), "the list is empty", None);
        }
        let each = items.iter().enumerate();
        each.filter_map(|(index, item)| {
            Some(Item {
                text: self.text(item, &format!("{at}/{index}"))?,
                index: Some(index),
            })
        })
        .collect()
    }

    fn principals(&mut self, members: &Members, at: &str) -> Option<Principals> {
        let found = self.either(members, at, "Principal");
        let named = ["Principal", "NotPrincipal"]
            .into_iter()
            .find(|name| members.contains_key(*name));
        match (self.kind, named) {
            (PolicyKind::Identity, Some(name)) => {
                let hint =
                    Some("it applies to the identity it is attached to; remove it".to_owned());
                self.refuse(
                    child(at, name),
                    format!("an identity policy cannot have `{name}`"),
                    hint,
                );
            }
            (PolicyKind::Trust, None)
                if !members
                    .keys()
                    .any(|key| key.eq_ignore_ascii_case("Principal")) =>
            {
                self.refuse(
                    at.to_owned(),
                    "a trust policy's statement has no `Principal`",
                    None,
                );
            }
            (PolicyKind::Trust, Some("NotPrincipal")) => {
                let hint = Some(
                    "name the allowed principals, or deny with a condition on `aws:PrincipalArn`"
                        .to_owned(),
                );
                self.refuse(
                    child(at, "NotPrincipal"),
                    "a trust policy cannot have `NotPrincipal`",
                    hint,
                );
            }
            _ => {}
        }
        let (value, at, negated) = found?;
        let kinds = match value {
            Value::String(text) => self.bare_principal(text, at),
            Value::Object(kinds) => self.principal_kinds(kinds, &at),
            other => {
                let message = format!(
                    "a principal is an object such as {{\"AWS\": …}}, not {}",
                    name_of_type(other)
                );
                self.open(at, message, None);
                BTreeMap::new()
            }
        };
        Some(Principals { negated, kinds })
    }

    /// `"*"` alone, which means `{"AWS": "*"}` and which IAM refuses in a trust policy.
    fn bare_principal(&mut self, text: &str, at: String) -> BTreeMap<String, BTreeSet<String>> {
        if text != "*" {
            let hint =
                format!("write {{\"AWS\": \"{text}\"}}, or `Service` or `Federated` for `AWS`");
            self.open(
                at,
                format!("the principal `{text}` has no type"),
                Some(hint),
            );
            return BTreeMap::new();
        }
        if self.kind == PolicyKind::Trust {
            let hint = "IAM refuses it; {\"AWS\": \"*\"} is the accepted form, and it trusts everyone in any AWS account unless a condition restricts it";
            self.refuse(
                at,
                "a bare `*` is not a principal of a trust policy",
                Some(hint.to_owned()),
            );
        }
        BTreeMap::from([("AWS".to_owned(), BTreeSet::from(["*".to_owned()]))])
    }

    fn principal_kinds(&mut self, kinds: &Members, at: &str) -> BTreeMap<String, BTreeSet<String>> {
        self.known_members(kinds, at, PRINCIPAL_KINDS);
        if kinds.is_empty() {
            self.refuse(at.to_owned(), "the principal is empty", None);
        }
        let mut canonical = BTreeMap::new();
        for (kind, value) in kinds {
            let at = child(at, kind);
            let items = self.items(value, &at);
            for item in &items {
                if let Some((message, hint)) = check::principal(kind, item.text) {
                    self.refuse(item.pointer(&at), message, hint);
                }
            }
            let names: BTreeSet<_> = items
                .iter()
                .map(|item| self.canonical_principal(kind, item.text))
                .collect();
            if !names.is_empty() {
                canonical.insert(kind.clone(), names);
            }
        }
        canonical
    }

    /// An account id means the account's root ARN, in the partition of the account that holds the document.
    fn canonical_principal(&self, kind: &str, text: &str) -> String {
        match AccountId::parse(text) {
            Ok(account) if kind == "AWS" => format!("arn:{}:iam::{account}:root", self.partition),
            _ => text.to_owned(),
        }
    }

    fn conditions(
        &mut self,
        value: Option<&Value>,
        at: &str,
    ) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
        let mut canonical = BTreeMap::new();
        let Some(operators) = value.and_then(|value| self.block(value, at)) else {
            return canonical;
        };
        for (operator, block) in operators {
            let at = child(at, operator);
            if let Some((message, hint)) = check::operator(operator) {
                self.refuse(at.clone(), message, hint);
            }
            let keys = self
                .block(block, &at)
                .map(|keys| self.condition_keys(operator, keys, &at))
                .unwrap_or_default();
            if !keys.is_empty() {
                canonical.insert(operator.clone(), keys);
            }
        }
        canonical
    }

    fn block<'v>(&mut self, value: &'v Value, at: &str) -> Option<&'v Members> {
        let members = value.as_object();
        if members.is_none() {
            self.open(
                at.to_owned(),
                format!("must be an object, not {}", name_of_type(value)),
                None,
            );
        }
        members
    }

    fn condition_keys(
        &mut self,
        operator: &str,
        keys: &Members,
        at: &str,
    ) -> BTreeMap<String, BTreeSet<String>> {
        let is_date = Operator::parse(operator)
            .is_some_and(|operator| matches!(operator.test, Test::Date(_)));
        let mut canonical = BTreeMap::new();
        for (key, value) in keys {
            let at = child(at, key);
            if let Some((message, hint)) = check::key(key) {
                self.refuse(at.clone(), message, hint);
            }
            let values = self.condition_values(value, &at);
            if let Some(wrong) = values.iter().find(|value| is_date && !is_time(value)) {
                let hint =
                    "write a day or time such as `2027-06-30T00:00:00Z`, or seconds since 1970";
                self.refuse(
                    at.clone(),
                    format!("`{wrong}` is not a time"),
                    Some(hint.to_owned()),
                );
            }
            if canonical.insert(key.to_ascii_lowercase(), values).is_some() {
                let hint = Some(
                    "condition keys are case-insensitive; write one key with all values".to_owned(),
                );
                self.open(at, format!("duplicate condition key `{key}`"), hint);
            }
        }
        canonical
    }

    fn condition_values(&mut self, value: &Value, at: &str) -> BTreeSet<String> {
        match value {
            Value::Array(values) => {
                let each = values.iter().enumerate();
                each.filter_map(|(index, value)| {
                    self.condition_value(value, &format!("{at}/{index}"))
                })
                .collect()
            }
            value => self.condition_value(value, at).into_iter().collect(),
        }
    }

    /// A boolean or a number is the same as its text. Numbers past 64 bits have lost digits by now.
    fn condition_value(&mut self, value: &Value, at: &str) -> Option<String> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                Some(float) if float.abs() >= EXACT => {
                    self.open(
                        at.to_owned(),
                        "the number is too long to be exact",
                        Some("write it in quotes".into()),
                    );
                    None
                }
                Some(float) => Some(float.to_string()),
                None => Some(number.to_string()),
            },
            other => {
                let message = format!("a condition value is a string, not {}", name_of_type(other));
                self.open(at.to_owned(), message, None);
                None
            }
        }
    }
}

fn name_of_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
