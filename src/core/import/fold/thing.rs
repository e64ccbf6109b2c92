//! A role or a policy of one account, in a form that can be compared with that of another.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::draft::VERSION;
use super::super::observed::{ObservedPolicy, ObservedRole};
use super::super::report::Source;
use crate::org::{AccountId, Partition};
use crate::resource::policy::{PolicyDocument, PolicyKind};

/// Which document of a role or a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocKey {
    /// The trust policy of a role.
    Trust,
    /// An inline policy.
    Inline(String),
    /// The document of a managed policy.
    Policy,
}

/// A role or a policy as one account has it. In its texts the account's own id is the stand-in.
#[derive(Debug, Clone)]
pub struct Thing {
    /// The account.
    pub account: AccountId,
    /// Where it comes from.
    pub source: Source,
    /// Name, path, description, boundary, duration, as far as they are known.
    pub fields: BTreeMap<&'static str, String>,
    /// Its documents.
    pub docs: BTreeMap<DocKey, Doc>,
    /// Whether its inline policies are known.
    pub has_inline: bool,
    /// The ARNs of attached policies, where they are known.
    pub attached: Option<BTreeSet<String>>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether some attached policy, and some inline policy, could not be told.
    pub lacks: [bool; 2],
    /// Whether somebody else shall own it.
    pub external: bool,
    /// Its secret values, by the number that stands for them.
    pub secrets: Vec<String>,
}

/// A document, its statements in an order that does not depend on how they were written.
#[derive(Debug, Clone)]
pub struct Doc {
    /// Its version, as written.
    pub version: Option<String>,
    /// Its id.
    pub id: Option<String>,
    /// Its statements.
    pub statements: Vec<Stmt>,
    meaning: PolicyDocument,
}

/// A statement.
#[derive(Debug, Clone)]
pub struct Stmt {
    /// The same for statements of one meaning.
    pub key: String,
    /// As written.
    pub body: Map<String, Value>,
}

impl Doc {
    /// Whether two documents mean the same.
    pub fn is_equal(&self, other: &Self) -> bool {
        self.meaning == other.meaning
    }

    /// Whether tables can say its version.
    pub fn has_tables(&self) -> bool {
        self.version.as_deref() == Some(VERSION)
    }

    /// Reads a document; `None` where it is not understood.
    fn read(value: &Value, kind: PolicyKind, partition: &Partition) -> Option<Self> {
        let members = value.as_object()?;
        let mut statements: Vec<Stmt> = Vec::new();
        let items = match members.get("Statement")? {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items {
            let body = item.as_object()?.clone();
            statements.push(Stmt {
                key: meaning(&body, kind, partition)?,
                body,
            });
        }
        statements.sort_by(|a, b| a.key.cmp(&b.key).then_with(|| text(&a.body).cmp(&text(&b.body))));
        let member = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut written = members.clone();
        let sorted = statements.iter().map(|it| Value::Object(it.body.clone()));
        written.insert("Statement".to_owned(), sorted.collect());
        let meaning = PolicyDocument::live(&Value::Object(written).to_string(), kind, partition);
        meaning.is_understood().then(|| Self {
            version: member("Version"),
            id: member("Id"),
            statements,
            meaning,
        })
    }
}

fn text(body: &Map<String, Value>) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// What a statement means, as a text: its `Sid` means nothing.
fn meaning(body: &Map<String, Value>, kind: PolicyKind, partition: &Partition) -> Option<String> {
    let document = serde_json::json!({"Version": VERSION, "Statement": [body]});
    let document = PolicyDocument::live(&document.to_string(), kind, partition);
    let [statement] = document.statements() else {
        return None;
    };
    let mut statement = statement.clone();
    statement.sid = None;
    Some(format!("{statement:?}"))
}

/// How texts of one account are read.
#[derive(Debug, Clone)]
pub struct Reading<'a> {
    /// The account.
    pub account: AccountId,
    /// Whether its own id is the stand-in.
    pub is_own: bool,
    /// The stand-in: an id that is no account's.
    pub stand_in: &'a str,
    /// The partition.
    pub partition: Partition,
}

/// What keeps a role or a policy from being read: which document of it is not understood.
pub type NotUnderstood = DocKey;

impl Reading<'_> {
    /// A text with the stand-in where the account's own id is.
    pub fn text(&self, text: &str) -> String {
        if self.is_own {
            replace_id(text, self.account.as_str(), self.stand_in)
        } else {
            text.to_owned()
        }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(key, value)| (self.text(key), self.value(value)))
                    .collect(),
            ),
            Value::Bool(value) => value.to_string().into(),
            Value::Number(number) => number.to_string().into(),
            Value::Null => Value::Null,
        }
    }

    fn doc(&self, value: &Value, kind: PolicyKind) -> Option<Doc> {
        Doc::read(&self.value(value), kind, &self.partition)
    }

    /// A role, its external ids taken out.
    ///
    /// # Errors
    /// A document of it is not understood.
    pub fn role(&self, role: &ObservedRole) -> Result<Thing, NotUnderstood> {
        let mut fields = BTreeMap::from([
            ("name", self.text(&role.name)),
            ("path", self.text(&role.path)),
        ]);
        let texts = [
            ("description", role.description.clone()),
            ("boundary", role.permissions_boundary.clone()),
            ("duration", role.max_session_duration.map(|it| it.to_string())),
        ];
        fields.extend(texts.into_iter().filter_map(|(name, text)| Some((name, self.text(&text?)))));
        let mut secrets = Vec::new();
        let trust = self.doc(&role.trust, PolicyKind::Trust);
        let blanked = trust.map(|trust| self.without_secrets(trust, &mut secrets));
        let mut docs = BTreeMap::from([(DocKey::Trust, blanked.flatten().ok_or(DocKey::Trust)?)]);
        for (name, document) in role.inline_policies.iter().flatten() {
            let key = DocKey::Inline(self.text(name));
            let doc = self.doc(document, PolicyKind::Identity);
            docs.insert(key.clone(), doc.ok_or(key)?);
        }
        let attached = role.managed_policies.as_ref();
        Ok(Thing {
            account: self.account,
            source: role.source.clone(),
            fields,
            docs,
            has_inline: role.inline_policies.is_some(),
            attached: attached.map(|arns| arns.iter().map(|arn| self.text(arn)).collect()),
            tags: self.tags(&role.tags),
            lacks: [role.lacks_managed, role.lacks_inline],
            external: role.external,
            secrets,
        })
    }

    /// A managed policy.
    ///
    /// # Errors
    /// Its document is not understood.
    pub fn policy(&self, policy: &ObservedPolicy) -> Result<Thing, NotUnderstood> {
        let mut fields = BTreeMap::from([
            ("name", self.text(&policy.name)),
            ("path", self.text(&policy.path)),
        ]);
        let description = policy.description.as_ref();
        fields.extend(description.map(|text| ("description", self.text(text))));
        let doc = self.doc(&policy.document, PolicyKind::Identity);
        Ok(Thing {
            account: self.account,
            source: policy.source.clone(),
            fields,
            docs: BTreeMap::from([(DocKey::Policy, doc.ok_or(DocKey::Policy)?)]),
            has_inline: false,
            attached: None,
            tags: self.tags(&policy.tags),
            lacks: [false; 2],
            external: false,
            secrets: Vec::new(),
        })
    }

    fn tags(&self, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let ours = |name: &str| name.starts_with("aws:") || name.starts_with("rolecall:");
        tags.iter()
            .filter(|(name, _)| !ours(name))
            .map(|(name, value)| (name.clone(), self.text(value)))
            .collect()
    }

    /// A trust policy with numbers in place of external ids. The numbers do not depend on how the statements are ordered.
    fn without_secrets(&self, mut trust: Doc, secrets: &mut Vec<String>) -> Option<Doc> {
        let order = |body: &Map<String, Value>| {
            let mut blank = body.clone();
            for_each_secret(&mut blank, &mut |text| BLANK.clone_into(text));
            meaning(&blank, PolicyKind::Trust, &self.partition)
        };
        let mut ordered = Vec::new();
        for statement in trust.statements {
            ordered.push((order(&statement.body)?, statement));
        }
        ordered.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.key.cmp(&right.key)));
        let mut written = Vec::new();
        for (_, mut statement) in ordered {
            for_each_secret(&mut statement.body, &mut |text| {
                // What is not secret stays: the account's own id, and patterns for anything.
                if *text != self.stand_in && text.chars().any(|c| c != '*') {
                    let number = secrets.len();
                    secrets.push(std::mem::replace(text, token(number)));
                }
            });
            written.push(Value::Object(statement.body));
        }
        trust.statements = Vec::new();
        let mut document = Map::new();
        let mut put = |name: &str, text: Option<String>| {
            document.extend(text.map(|text| (name.to_owned(), Value::from(text))));
        };
        put("Version", trust.version);
        put("Id", trust.id);
        document.insert("Statement".to_owned(), Value::Array(written));
        Doc::read(&Value::Object(document), PolicyKind::Trust, &self.partition)
    }
}

const BLANK: &str = "secret";

/// What stands for the secret of a number.
pub fn token(number: usize) -> String {
    format!("\u{f8f2}{number}\u{f8f3}")
}

/// The number that a whole text stands for.
pub fn token_number(text: &str) -> Option<usize> {
    text.strip_prefix('\u{f8f2}')?.strip_suffix('\u{f8f3}')?.parse().ok()
}

fn for_each_secret(body: &mut Map<String, Value>, then: &mut dyn FnMut(&mut String)) {
    let Some(conditions) = body.get_mut("Condition").and_then(Value::as_object_mut) else {
        return;
    };
    for (operator, block) in conditions {
        let keys = block.as_object_mut().filter(|_| operator.contains("String"));
        for (key, value) in keys.into_iter().flatten() {
            if !key.eq_ignore_ascii_case("sts:ExternalId") {
                continue;
            }
            match value {
                Value::String(text) => then(text),
                Value::Array(items) => {
                    for item in items {
                        if let Value::String(text) = item {
                            then(text);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Puts another text in place of an account's id, where it stands between things that are not digits, outside of `${…}`.
pub fn replace_id(text: &str, id: &str, with: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    let mut before = None;
    while let Some(at) = rest.find(id) {
        let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let after = tail.get(id.len()..).unwrap_or_default();
        let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let preceding = head.chars().next_back().or(before);
        replaced += head;
        let inside = replaced
            .rfind("${")
            .is_some_and(|open| !replaced.get(open..).unwrap_or_default().contains('}'));
        let alone = !is_digit(preceding) && !is_digit(after.chars().next()) && !inside;
        replaced += if alone { with } else { id };
        before = id.chars().next_back();
        rest = after;
    }
    replaced + rest
}
