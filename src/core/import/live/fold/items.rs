//! Statements, attachments and inline policies that some classes have and others have not.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::names::slug;
use super::shape::{Document, Shape};
use crate::resource::policy::PolicyDocument;

/// Distinct columns, and distinct conditions, that one resource may have: more is a resource of its own.
pub const MOST: usize = 6;

/// The version of the policy language that statement tables have.
const VERSION: &str = "2012-10-17";

/// Something that may be there under a condition only.
#[derive(Debug, Clone)]
pub struct Item<T> {
    /// What.
    pub what: T,
    /// Where it is false, it is left out.
    pub when: Option<String>,
}

/// A document whose statements may be there under conditions.
#[derive(Debug, Clone)]
pub struct Written {
    /// Everything but the statements.
    pub head: Map<String, Value>,
    /// The statements.
    pub statements: Vec<Item<Value>>,
}

/// The base with expressions where other classes differ.
#[derive(Debug)]
pub struct Varied {
    /// Name, path and the like, and tags.
    pub shape: Shape,
    /// The attached policies.
    pub attached: Vec<Item<String>>,
    /// The documents.
    pub documents: BTreeMap<String, Item<Written>>,
}

impl Varied {
    /// A resource without variance.
    pub fn plain(shape: &Shape) -> Self {
        Items::of(shape).varied(shape.clone(), &BTreeMap::new())
    }
}

/// The classes that have something, by index; the base is 0.
pub type Present = BTreeSet<usize>;

/// What there is in any class, and in which.
#[derive(Debug, Clone)]
pub struct Items {
    all: Present,
    attached: Vec<(String, Present)>,
    documents: BTreeMap<String, DocumentItems>,
}

#[derive(Debug, Clone)]
struct DocumentItems {
    head: Map<String, Value>,
    present: Present,
    statements: Vec<(Value, PolicyDocument, Present)>,
}

impl DocumentItems {
    fn of(document: &Document, index: usize) -> Self {
        let mut head = document.written.as_object().cloned().unwrap_or_default();
        let statements = match head.shift_remove("Statement") {
            Some(Value::Array(statements)) => statements,
            _ => Vec::new(),
        };
        let statements = statements.into_iter().zip(&document.statements);
        Self {
            head,
            present: Present::from([index]),
            statements: statements
                .map(|(written, neutral)| (written, neutral.clone(), Present::from([index])))
                .collect(),
        }
    }

    /// Whether statements of it may have a condition: only tables have, and these are of the newer version.
    fn may_vary(&self) -> bool {
        let is_new = self.head.get("Version").and_then(Value::as_str) == Some(VERSION);
        let has_variable = || {
            self.statements
                .iter()
                .any(|(it, ..)| it.to_string().contains("${"))
        };
        is_new || !has_variable()
    }
}

impl Items {
    /// What the base has.
    pub fn of(base: &Shape) -> Self {
        let zero = Present::from([0]);
        Self {
            all: zero.clone(),
            attached: base
                .attached
                .iter()
                .flatten()
                .map(|it| (it.clone(), zero.clone()))
                .collect(),
            documents: base
                .documents
                .iter()
                .map(|(name, document)| (name.clone(), DocumentItems::of(document, 0)))
                .collect(),
        }
    }

    fn each_present(&mut self, visit: &mut dyn FnMut(&mut Present)) {
        visit(&mut self.all);
        self.attached.iter_mut().for_each(|(_, it)| visit(it));
        for document in self.documents.values_mut() {
            visit(&mut document.present);
            document
                .statements
                .iter_mut()
                .for_each(|(.., it)| visit(it));
        }
    }

    /// Says that a class has what the base has.
    pub fn mark_like_base(&mut self, index: usize) {
        self.each_present(&mut |present| {
            if present.contains(&0) {
                present.insert(index);
            }
        });
    }

    /// The same with a class that differs in whole items; `None` where it differs otherwise, or there are too many.
    pub fn with(&self, index: usize, base: &Shape, other: &Shape) -> Option<Self> {
        if !base.has_same_plain(other) {
            return None;
        }
        let mut more = self.clone();
        more.all.insert(index);
        for policy in other.attached.iter().flatten() {
            match more.attached.iter_mut().find(|(it, _)| it == policy) {
                Some((_, present)) => _ = present.insert(index),
                None => more.attached.push((policy.clone(), Present::from([index]))),
            }
        }
        for (name, document) in &other.documents {
            let new = DocumentItems::of(document, index);
            let Some(known) = more.documents.get_mut(name) else {
                more.documents.insert(name.clone(), new);
                continue;
            };
            if known.head.get("Version") != new.head.get("Version") {
                return None;
            }
            known.present.insert(index);
            for (written, neutral, present) in new.statements {
                match known
                    .statements
                    .iter_mut()
                    .find(|(_, it, _)| *it == neutral)
                {
                    Some((.., present)) => _ = present.insert(index),
                    None => known.statements.push((written, neutral, present)),
                }
            }
        }
        let varies = |it: &DocumentItems| {
            it.statements
                .iter()
                .any(|(.., present)| *present != it.present)
        };
        let may_vary = more
            .documents
            .values()
            .all(|it| it.may_vary() || !varies(it));
        // Policies and trusts are never left out whole.
        let is_whole = ["trust", "document"]
            .iter()
            .filter_map(|name| more.documents.get(*name))
            .all(|it| it.present == more.all);
        (may_vary && is_whole && more.conditions().len() <= MOST).then_some(more)
    }

    /// The sets of classes that need a condition, each with what its variable is called.
    pub fn conditions(&self) -> Vec<(Present, String)> {
        let mut found: Vec<(Present, String)> = Vec::new();
        let mut add = |present: &Present, around: &Present, hint: String| {
            if present != around && !found.iter().any(|(known, _)| known == present) {
                found.push((present.clone(), hint));
            }
        };
        for (policy, present) in &self.attached {
            let name = policy.rsplit(['/', ':']).next().unwrap_or(policy);
            add(present, &self.all, slug(name));
        }
        for (name, document) in &self.documents {
            let short = name.strip_prefix("inline/").unwrap_or(name);
            add(&document.present, &self.all, slug(short));
            for (at, (statement, _, present)) in document.statements.iter().enumerate() {
                let sid = statement
                    .get("Sid")
                    .and_then(Value::as_str)
                    .filter(|it| !it.is_empty());
                let hint = match sid {
                    Some(sid) => slug(sid),
                    None => format!("{}_{}", slug(short), at + 1),
                };
                add(present, &document.present, hint);
            }
        }
        found
    }

    /// Takes over the expressions that stand in the base by now.
    pub fn learn(&mut self, base: &Shape) {
        for (at, policy) in base.attached.iter().flatten().enumerate() {
            if let Some((known, _)) = self.attached.get_mut(at) {
                known.clone_from(policy);
            }
        }
        for (name, document) in &base.documents {
            let statements = document.written.get("Statement").and_then(Value::as_array);
            let Some(known) = self.documents.get_mut(name) else {
                continue;
            };
            for (known, statement) in known
                .statements
                .iter_mut()
                .zip(statements.into_iter().flatten())
            {
                known.0 = statement.clone();
            }
        }
    }

    /// The resource, its items under these conditions.
    pub fn varied(self, shape: Shape, conditions: &BTreeMap<Present, String>) -> Varied {
        let when = |present: &Present, around: &Present| {
            (present != around)
                .then(|| conditions.get(present).cloned())
                .flatten()
        };
        let attached = self.attached.into_iter().map(|(policy, present)| Item {
            when: when(&present, &self.all),
            what: policy,
        });
        let attached = attached.collect();
        let documents = self.documents.into_iter().map(|(name, document)| {
            let DocumentItems {
                head,
                present,
                statements,
            } = document;
            let statements = statements
                .into_iter()
                .map(|(statement, _, of_statement)| Item {
                    when: when(&of_statement, &present),
                    what: statement,
                });
            let written = Written {
                head,
                statements: statements.collect(),
            };
            let item = Item {
                when: when(&present, &self.all),
                what: written,
            };
            (name, item)
        });
        Varied {
            shape,
            attached,
            documents: documents.collect(),
        }
    }
}
