//! A role or policy of one account with the account taken out of it.
//!
//! The account's own id becomes `{{ account.id }}`, the management account's and the organization's ids become what
//! expressions call them. Documents are compared with the own id replaced by one that stands nowhere: what is equal then
//! means the same in each account.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::secret::Secrets;
use crate::import::draft::escape;
use crate::import::observed::{Observed, ObservedPolicy, ObservedRole};
use crate::import::report::Source;
use crate::org::{AccountId, Partition};
use crate::resource::policy::{PolicyDocument, PolicyKind};

/// Whether a shape is of a role or of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A role.
    Role,
    /// A customer managed policy.
    Policy,
}

/// A role or policy as a template.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Which of the two.
    pub kind: Kind,
    /// Where it comes from.
    pub source: Source,
    /// Its name.
    pub name: String,
    /// `path`, `description`, `max_session_duration`, `permissions_boundary`, as far as they are written.
    pub scalars: BTreeMap<&'static str, Value>,
    /// The attached policies, in order; `None`: not known.
    pub attached: Option<Vec<String>>,
    /// Whether its inline policies are known.
    pub knows_inline: bool,
    /// `trust`, `document`, and `inline/NAME`.
    pub documents: BTreeMap<String, Document>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Which of its lists are known in part only: attached, inline.
    pub partial: (bool, bool),
    /// Whether somebody else owns it.
    pub external: bool,
    /// Whether no imported role names it, so that it needs targets of its own.
    pub alone: bool,
}

/// A policy document.
#[derive(Debug, Clone)]
pub struct Document {
    /// As a template, statements and lists in order.
    pub written: Value,
    /// With an id that stands nowhere for the account's own.
    pub neutral: PolicyDocument,
    /// The same, statement by statement, in the order of those of `written`.
    pub statements: Vec<PolicyDocument>,
}

/// A resource of one account, in the readings that it may have: in the management account the own id and the
/// management account's are one.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The account.
    pub account: AccountId,
    /// The resource; where there are two readings, the first takes the id for the account's own.
    pub readings: Vec<Shape>,
}

impl Shape {
    /// Whether the two mean the same.
    pub fn is_same(&self, other: &Self) -> bool {
        let documents = || {
            self.documents.len() == other.documents.len()
                && self.documents.iter().all(|(name, document)| {
                    other.documents.get(name).is_some_and(|other| {
                        document.neutral == other.neutral
                    })
                })
        };
        self.has_same_plain(other) && self.attached == other.attached && documents()
    }

    /// Whether everything but documents and attachments is the same.
    pub fn has_same_plain(&self, other: &Self) -> bool {
        (&self.name, &self.scalars, &self.tags) == (&other.name, &other.scalars, &other.tags)
            && (self.knows_inline, self.partial, self.external)
                == (other.knows_inline, other.partial, other.external)
            && self.attached.is_some() == other.attached.is_some()
    }

    /// Its whole text, to choose among spellings.
    pub fn text(&self) -> String {
        let documents: Map<String, Value> = self
            .documents
            .iter()
            .map(|(name, document)| (name.clone(), document.written.clone()))
            .collect();
        Value::Object(documents).to_string()
    }
}

/// How ids are read.
#[derive(Debug)]
pub struct Reading {
    management: Option<AccountId>,
    organization: Option<String>,
    partition: Partition,
    /// An account id that stands nowhere.
    nobody: String,
    /// The customer managed policies that are imported, by account and name in lower case.
    policies: BTreeSet<(AccountId, String)>,
    /// Those that an imported role names.
    named: BTreeSet<(AccountId, String)>,
}

/// Which of an account's two readings is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    Account,
    Management,
}

impl Reading {
    /// Reads ids as these accounts have them.
    pub fn of(observed: &Observed, partition: &Partition) -> Self {
        let policies = observed.accounts.iter().flat_map(|(id, account)| {
            let names = account.policies.iter();
            names.map(|policy| (*id, policy.name.to_ascii_lowercase()))
        });
        let named = observed.accounts.iter().flat_map(|(id, account)| {
            let roles = account.roles.iter().flat_map(|role| {
                let attached = role.managed_policies.iter().flatten();
                attached.chain(&role.permissions_boundary)
            });
            roles.filter_map(|arn| Some((*id, own_policy(arn, *id)?.1.to_ascii_lowercase())))
        });
        Self {
            management: observed.management,
            organization: observed.organization.clone(),
            partition: partition.clone(),
            nobody: nobody(observed),
            policies: policies.collect(),
            named: named.collect(),
        }
    }

    fn own_readings(&self, account: AccountId) -> Vec<Own> {
        if self.management == Some(account) {
            vec![Own::Account, Own::Management]
        } else {
            vec![Own::Account]
        }
    }

    /// A text as a template.
    fn template(&self, text: &str, account: AccountId, own: Own) -> String {
        let ids = self.ids(account, own);
        let mut done = String::new();
        let mut rest = text;
        'text: while !rest.is_empty() {
            for (id, expression) in &ids {
                let Some(after) = rest.strip_prefix(id.as_str()) else {
                    continue;
                };
                let joins = |c: char| {
                    if id.starts_with("o-") {
                        c.is_ascii_alphanumeric()
                    } else {
                        c.is_ascii_digit()
                    }
                };
                let before = text.get(..text.len() - rest.len()).unwrap_or_default();
                if before.ends_with(joins) || after.starts_with(joins) || is_variable(before) {
                    continue;
                }
                done += &format!("{{{{ {expression} }}}}");
                rest = after;
                continue 'text;
            }
            let mut chars = rest.chars();
            done.extend(chars.next());
            rest = chars.as_str();
        }
        // What is an expression by now has one blank behind its braces, and a literal text has none that is kept so.
        self.escaped(text, done)
    }

    fn escaped(&self, text: &str, done: String) -> String {
        _ = self;
        if text.contains("{{") {
            // No id is worth reading in a text that looks like a template.
            escape(text)
        } else {
            done
        }
    }

    fn ids(&self, account: AccountId, own: Own) -> Vec<(String, &'static str)> {
        let mut ids = Vec::new();
        if own == Own::Account {
            ids.push((account.to_string(), "account.id"));
        }
        ids.extend(
            self.management
                .map(|id| (id.to_string(), "organization.management_account")),
        );
        ids.extend(
            self.organization
                .iter()
                .map(|id| (id.clone(), "organization.id")),
        );
        ids
    }

    /// A text with the own id, where it is read as such, replaced by one that stands nowhere.
    fn neutral(&self, text: &str, account: AccountId, own: Own) -> String {
        if own == Own::Account {
            replace_id(text, account.as_str(), &self.nobody)
        } else {
            text.to_owned()
        }
    }

    fn role(&self, role: &ObservedRole, account: AccountId, own: Own, secrets: &mut Secrets) -> Shape {
        let text = |text: &str| self.template(text, account, own);
        let mut scalars = BTreeMap::new();
        if role.path != "/" {
            scalars.insert("path", Value::from(text(&role.path)));
        }
        if let Some(description) = role.description.as_deref().filter(|it| !it.is_empty()) {
            scalars.insert("description", text(description).into());
        }
        if let Some(seconds) = role.max_session_duration.filter(|it| *it != 3600) {
            scalars.insert("max_session_duration", seconds.into());
        }
        if let Some(boundary) = role.permissions_boundary.as_deref().filter(|it| !it.is_empty()) {
            let boundary = self.reference(boundary, account, own);
            scalars.insert("permissions_boundary", boundary.into());
        }
        let attached = role.managed_policies.as_ref().map(|attached| {
            let references = attached.iter();
            let references: BTreeSet<String> = references
                .map(|arn| self.reference(arn, account, own))
                .collect();
            references.into_iter().collect()
        });
        let mut documents = BTreeMap::new();
        let (trust, masked) = secrets.take(role, account);
        documents.insert(
            "trust".to_owned(),
            self.document(&trust, &masked, PolicyKind::Trust, account, own),
        );
        for (name, document) in role.inline_policies.iter().flatten() {
            let document = self.document(document, document, PolicyKind::Identity, account, own);
            documents.insert(format!("inline/{}", text(name)), document);
        }
        Shape {
            kind: Kind::Role,
            source: role.source.clone(),
            name: text(&role.name),
            scalars,
            attached,
            knows_inline: role.inline_policies.is_some(),
            documents,
            tags: role
                .tags
                .iter()
                .map(|(key, value)| (escape(key), text(value)))
                .collect(),
            partial: (role.lacks_managed, role.lacks_inline),
            external: role.external,
            alone: false,
        }
    }

    fn policy(&self, policy: &ObservedPolicy, account: AccountId, own: Own) -> Shape {
        let text = |text: &str| self.template(text, account, own);
        let mut scalars = BTreeMap::new();
        if policy.path != "/" {
            scalars.insert("path", Value::from(text(&policy.path)));
        }
        if let Some(description) = policy.description.as_deref().filter(|it| !it.is_empty()) {
            scalars.insert("description", text(description).into());
        }
        let document = self.document(&policy.document, &policy.document, PolicyKind::Identity, account, own);
        Shape {
            kind: Kind::Policy,
            source: policy.source.clone(),
            name: text(&policy.name),
            scalars,
            attached: None,
            knows_inline: false,
            documents: BTreeMap::from([("document".to_owned(), document)]),
            tags: policy
                .tags
                .iter()
                .map(|(key, value)| (escape(key), text(value)))
                .collect(),
            partial: (false, false),
            external: false,
            alone: !self
                .named
                .contains(&(account, policy.name.to_ascii_lowercase())),
        }
    }

    /// How the desired state refers to a managed policy.
    fn reference(&self, arn: &str, account: AccountId, own: Own) -> String {
        let aws = format!("arn:{}:iam::aws:policy/", self.partition);
        if let Some(name) = arn.strip_prefix(&aws) {
            return format!("aws:{}", escape(name));
        }
        if let Some((_, name)) = own_policy(arn, account)
            && self.policies.contains(&(account, name.to_ascii_lowercase()))
        {
            return format!("local:{}", self.template(name, account, own));
        }
        self.template(arn, account, own)
    }

    /// Reads a document: `written` has markers for what is secret, `masked` has plain text for these.
    fn document(
        &self,
        written: &Value,
        masked: &Value,
        kind: PolicyKind,
        account: AccountId,
        own: Own,
    ) -> Document {
        let mut written = ordered(written);
        let statements = |document: &Value| -> Vec<Value> {
            let statements = document.get("Statement").and_then(Value::as_array);
            statements.cloned().unwrap_or_default()
        };
        let live = |value: &Value| {
            let text = self.neutral(&value.to_string(), account, own);
            PolicyDocument::live(&text, kind, &self.partition)
        };
        // Statements of the two are in one order, because a marker and its plain text are sorted alike.
        let masked = ordered_like(masked, &written);
        let one = |statement: Value| {
            let mut document = masked.clone();
            if let Some(members) = document.as_object_mut() {
                members.insert("Statement".to_owned(), Value::Array(vec![statement]));
            }
            live(&document)
        };
        let of_statements = statements(&masked).into_iter().map(one).collect();
        templates(&mut written, &|text| self.template_of_marked(text, account, own));
        Document {
            neutral: live(&masked),
            statements: of_statements,
            written,
        }
    }

    /// A text that may hold a marker for a secret value: that stays as it is.
    fn template_of_marked(&self, text: &str, account: AccountId, own: Own) -> String {
        if Secrets::is_marker(text) {
            text.to_owned()
        } else {
            self.template(text, account, own)
        }
    }
}

/// Whether a text ends within a policy variable of IAM, `${…`.
fn is_variable(before: &str) -> bool {
    before
        .rfind("${")
        .is_some_and(|at| before.get(at..).is_some_and(|open| !open.contains('}')))
}

/// The resources of one kind, by what tells groups apart.
pub fn groups(
    observed: &Observed,
    reading: &Reading,
    kind: Kind,
    secrets: &mut Secrets,
) -> BTreeMap<String, Vec<Candidate>> {
    let mut groups: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for (id, account) in &observed.accounts {
        let mut add = |group: Option<&String>, readings: Vec<Shape>| {
            let Some(first) = readings.first() else { return };
            let key = group.map_or_else(
                || format!("name/{}", first.name.to_lowercase()),
                |group| format!("group/{group}"),
            );
            groups.entry(key).or_default().push(Candidate {
                account: *id,
                readings,
            });
        };
        match kind {
            Kind::Role => {
                for role in &account.roles {
                    let own = reading.own_readings(*id);
                    let shapes = own.into_iter().map(|own| reading.role(role, *id, own, secrets));
                    add(role.group.as_ref(), shapes.collect());
                }
            }
            Kind::Policy => {
                for policy in &account.policies {
                    let own = reading.own_readings(*id);
                    let shapes = own.into_iter().map(|own| reading.policy(policy, *id, own));
                    add(None, shapes.collect());
                }
            }
        }
    }
    groups
}

/// The path and name of a customer managed policy of this account.
fn own_policy(arn: &str, account: AccountId) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let of_iam = (parts.next()?, parts.nth(1)?) == ("arn", "iam");
    let (owner, resource) = (parts.nth(1)?, parts.next()?);
    let rest = resource.strip_prefix("policy/")?;
    (of_iam && owner == account.as_str()).then(|| rest.rsplit_once('/').unwrap_or(("", rest)))
}

/// Replaces an id that stands between other characters than digits.
fn replace_id(text: &str, id: &str, by: &str) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(id) {
        let (before, found) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let after = found.get(id.len()..).unwrap_or_default();
        done += before;
        let joined = done.ends_with(|c: char| c.is_ascii_digit())
            || after.starts_with(|c: char| c.is_ascii_digit());
        done += if joined { id } else { by };
        rest = after;
    }
    done + rest
}

/// An account id that is in nothing that was observed.
fn nobody(observed: &Observed) -> String {
    let texts = || {
        observed.accounts.values().flat_map(|account| {
            let roles = account.roles.iter().flat_map(|role| {
                let inline = role.inline_policies.iter().flatten().map(|(_, it)| it);
                inline.chain([&role.trust])
            });
            roles.chain(account.policies.iter().map(|policy| &policy.document))
        })
    };
    let is_free = |id: &String| {
        !observed.accounts.keys().any(|known| known.as_str() == id)
            && !texts().any(|document| document.to_string().contains(id))
    };
    let candidates = (0_u64..).map(|number| format!("{number:012}"));
    candidates.into_iter().find(is_free).unwrap_or_default()
}

/// A document with its statements as a list, and statements and lists of texts in order.
fn ordered(document: &Value) -> Value {
    let mut document = document.clone();
    if let Some(members) = document.as_object_mut() {
        if let Some(statement) = members.get_mut("Statement") {
            if statement.is_object() {
                *statement = Value::Array(vec![statement.take()]);
            }
            sort_lists(statement);
        }
    }
    document
}

/// `masked` in the order that `written`, of which it is a copy with other texts, came from.
fn ordered_like(masked: &Value, written: &Value) -> Value {
    // The two differ in the texts of external ids alone, which stand in lists of their own.
    _ = written;
    ordered(masked)
}

fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort_lists);
            items.sort_by_cached_key(Value::to_string);
        }
        Value::Object(members) => members.values_mut().for_each(sort_lists),
        _ => {}
    }
}

/// Makes a template of every text, keys of objects included.
fn templates(value: &mut Value, template: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = template(text),
        Value::Array(items) => items.iter_mut().for_each(|item| templates(item, template)),
        Value::Object(members) => {
            let made = std::mem::take(members).into_iter().map(|(key, mut member)| {
                templates(&mut member, template);
                (escape(&key), member)
            });
            *members = made.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
