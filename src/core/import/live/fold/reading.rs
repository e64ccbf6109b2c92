//! How the ids of accounts are read, and what becomes of a role or policy by that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::secret;
use super::shape::{Candidate, Document, Kind, Shape};
use crate::import::draft::escape;
use crate::import::observed::{Observed, ObservedPolicy, ObservedRole};
use crate::org::{AccountId, Partition};
use crate::resource::policy::{PolicyDocument, PolicyKind};

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

    /// A text as a template.
    fn template(&self, text: &str, account: AccountId, own: Own) -> String {
        if text.contains("{{") {
            // No id is worth reading in a text that looks like a template.
            return escape(text);
        }
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
                done += &["{{ ", expression, " }}"].concat();
                rest = after;
                continue 'text;
            }
            let mut chars = rest.chars();
            done.extend(chars.next());
            rest = chars.as_str();
        }
        done
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

    fn role(&self, role: &ObservedRole, account: AccountId, own: Own) -> Shape {
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
        if let Some(boundary) = role
            .permissions_boundary
            .as_deref()
            .filter(|it| !it.is_empty())
        {
            let boundary = self.reference(boundary, account, own);
            scalars.insert("permissions_boundary", boundary.into());
        }
        let attached = role.managed_policies.as_ref().map(|attached| {
            let references = attached.iter();
            references
                .map(|arn| self.reference(arn, account, own))
                .collect()
        });
        let mut documents = BTreeMap::new();
        documents.insert(
            "trust".to_owned(),
            self.document(&role.trust, PolicyKind::Trust, account, own),
        );
        for (name, document) in role.inline_policies.iter().flatten() {
            let document = self.document(document, PolicyKind::Identity, account, own);
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
        let document = self.document(&policy.document, PolicyKind::Identity, account, own);
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
            && self
                .policies
                .contains(&(account, name.to_ascii_lowercase()))
        {
            return format!("local:{}", self.template(name, account, own));
        }
        self.template(arn, account, own)
    }

    /// A document as a template, before it is put in order.
    fn document(
        &self,
        document: &Value,
        kind: PolicyKind,
        account: AccountId,
        own: Own,
    ) -> Document {
        let mut written = document.clone();
        let statement = written
            .as_object_mut()
            .and_then(|it| it.get_mut("Statement"));
        if let Some(statement) = statement.filter(|it| it.is_object()) {
            *statement = Value::Array(vec![statement.take()]);
        }
        if kind == PolicyKind::Trust {
            secret::hide(&mut written, account);
        }
        templates(&mut written, &|text| {
            if secret::is_hidden(text) {
                text.to_owned()
            } else {
                self.template(text, account, own)
            }
        });
        Document {
            written,
            neutral: PolicyDocument::live("", kind, &self.partition),
            statements: Vec::new(),
            kind,
        }
    }

    /// What a template means in no account in particular.
    fn neutral(&self, template: &str) -> String {
        let management = self.management.map(|id| id.to_string()).unwrap_or_default();
        template
            .replace("{{ account.id }}", &self.nobody)
            .replace("{{ organization.management_account }}", &management)
            .replace(
                "{{ organization.id }}",
                self.organization.as_deref().unwrap_or_default(),
            )
            .replace("{{ '{{' }}", "{{")
    }

    /// Puts a document in order and learns what it means.
    pub fn finish(&self, document: &mut Document, hidden: &mut dyn FnMut(&str) -> String) {
        put_in_order(&mut document.written);
        secret::reveal(&mut document.written, hidden);
        let mut plain = document.written.clone();
        plain_texts(&mut plain, &|text| self.neutral(text));
        let live = |value: &Value| {
            PolicyDocument::live(&value.to_string(), document.kind, &self.partition)
        };
        let statements = plain.get("Statement").and_then(Value::as_array);
        let one = |statement: &Value| {
            let mut alone = plain.clone();
            if let Some(members) = alone.as_object_mut() {
                members.insert(
                    "Statement".to_owned(),
                    Value::Array(vec![statement.clone()]),
                );
            }
            live(&alone)
        };
        document.statements = statements.into_iter().flatten().map(one).collect();
        document.neutral = live(&plain);
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
) -> BTreeMap<String, Vec<Candidate>> {
    let mut groups: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for (id, account) in &observed.accounts {
        let is_management = reading.management == Some(*id);
        let mut add = |group: Option<&String>, shape: &dyn Fn(Own) -> Shape| {
            let first = shape(Own::Account);
            let group = group.map_or_else(
                || format!("name/{}", first.name.to_lowercase()),
                |group| format!("group/{group}"),
            );
            groups.entry(group.clone()).or_default().push(Candidate {
                account: *id,
                group,
                reading: first,
                other: is_management.then(|| shape(Own::Management)),
            });
        };
        match kind {
            Kind::Role => {
                for role in &account.roles {
                    add(role.group.as_ref(), &|own| reading.role(role, *id, own));
                }
            }
            Kind::Policy => {
                for policy in &account.policies {
                    add(None, &|own| reading.policy(policy, *id, own));
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

/// Puts statements and lists of texts in order. What is hidden has no say in the order of statements.
fn put_in_order(document: &mut Value) {
    sort_lists(document);
    let statement = document
        .as_object_mut()
        .and_then(|it| it.get_mut("Statement"));
    if let Some(Value::Array(statements)) = statement {
        statements.sort_by_cached_key(|statement| {
            let mut blank = statement.clone();
            secret::reveal(&mut blank, &mut |_| String::new());
            (blank.to_string(), statement.to_string())
        });
    }
}

fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(sort_lists);
            items.sort_by_cached_key(Value::to_string);
        }
        Value::Object(members) => {
            members.values_mut().for_each(sort_lists);
            members.sort_keys();
        }
        _ => {}
    }
}

/// Changes every text, keys aside.
fn plain_texts(value: &mut Value, plain: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = plain(text),
        Value::Array(items) => items.iter_mut().for_each(|item| plain_texts(item, plain)),
        Value::Object(members) => members.values_mut().for_each(|it| plain_texts(it, plain)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Makes a template of every text, keys of objects included.
fn templates(value: &mut Value, template: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = template(text),
        Value::Array(items) => items.iter_mut().for_each(|item| templates(item, template)),
        Value::Object(members) => {
            let made = std::mem::take(members)
                .into_iter()
                .map(|(key, mut member)| {
                    templates(&mut member, template);
                    (escape(&key), member)
                });
            *members = made.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Shape {
    /// Puts its lists in order and learns what its documents mean; `hidden` gives the marker that stands for a secret value
    /// from then on.
    pub fn finish(mut self, reading: &Reading, hidden: &mut dyn FnMut(&str) -> String) -> Self {
        self.attached
            .iter_mut()
            .for_each(|attached| attached.sort());
        for document in self.documents.values_mut() {
            reading.finish(document, hidden);
        }
        self
    }
}
