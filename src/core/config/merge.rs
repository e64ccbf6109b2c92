//! The tables of all files of one directory together.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::place::{File, Place};
use super::problem::{Problems, twice};
use super::resource::Kind;
use super::schema;
use super::shape::{self, Stage};
use super::tree::{self, Key, Node, Table, Value};

/// The tables of all files of one directory together.
#[derive(Default)]
pub(super) struct Merged {
    pub name: Option<(Key, Node)>,
    pub required_version: Option<(Key, Node)>,
    pub organization: Table,
    pub vars: Table,
    pub locals: Table,
    pub account: Table,
    pub lints: Table,
    pub rollout: Table,
    pub limits: Table,
    pub documents: Table,
    pub resources: Vec<(Kind, Node)>,
    pub modules: Vec<Node>,
    pub checks: Vec<Node>,
    pub accepts: Vec<Node>,
    /// The first key of each table that only the root may have, where it is written.
    pub roots_own: Vec<Key>,
    /// Where each key of a table is written that several files may add to.
    written: HashMap<(String, String), Place>,
}

/// The tables in which only the root may decide.
const ROOTS_OWN: [&str; 6] = [
    "account",
    "accept",
    "lints",
    "rollout",
    "limits",
    "documents",
];

pub(super) fn merge(files: &[Arc<File>], problems: &mut Problems) -> Merged {
    let mut merged = Merged::default();
    for file in files {
        let mut root = tree::parse_toml(file, problems);
        shape::check_table(&mut root, &schema::ROOT, Stage::Written, problems);
        for (key, node) in root.entries {
            merged.add(key, node, problems);
        }
    }
    merged
}

impl Merged {
    fn add(&mut self, key: Key, node: Node, problems: &mut Problems) {
        if ROOTS_OWN.contains(&key.text.as_str()) {
            self.roots_own.push(key.clone());
        }
        let into = match key.text.as_str() {
            "name" => return once(&mut self.name, key, node, problems),
            "required_version" => return once(&mut self.required_version, key, node, problems),
            "role" => return self.add_resources(Kind::Role, node),
            "policy" => return self.add_resources(Kind::Policy, node),
            "grant" => return self.add_resources(Kind::Grant, node),
            "attachment" => return self.add_resources(Kind::Attachment, node),
            "module" => return add_tables(&mut self.modules, node),
            "check" => return add_tables(&mut self.checks, node),
            "accept" => return add_tables(&mut self.accepts, node),
            "organization" => &mut self.organization,
            "vars" => &mut self.vars,
            "locals" => &mut self.locals,
            "account" => &mut self.account,
            "lints" => &mut self.lints,
            "rollout" => &mut self.rollout,
            "limits" => &mut self.limits,
            "documents" => &mut self.documents,
            // An unknown key, which has been reported.
            _ => return,
        };
        let Value::Table(table) = node.value else {
            return;
        };
        for (inner, value) in table.entries {
            match self.written.entry((key.text.clone(), inner.text.clone())) {
                Entry::Occupied(first) => {
                    let what = format!("`{}.{}`", key.text, inner.text);
                    problems.push(twice(&what, &inner.place, first.get()));
                }
                Entry::Vacant(new) => {
                    new.insert(inner.place.clone());
                    into.entries.push((inner, value));
                }
            }
        }
    }

    fn add_resources(&mut self, kind: Kind, node: Node) {
        if let Value::Array(items) = node.value {
            self.resources
                .extend(items.into_iter().map(|item| (kind, item)));
        }
    }
}

/// Takes a value that only one file of a directory may set.
fn once(into: &mut Option<(Key, Node)>, key: Key, node: Node, problems: &mut Problems) {
    if let Some((first, _)) = into {
        let what = format!("`{}`", key.text);
        problems.push(twice(&what, &key.place, &first.place));
    } else {
        *into = Some((key, node));
    }
}

fn add_tables(tables: &mut Vec<Node>, node: Node) {
    if let Value::Array(items) = node.value {
        tables.extend(items);
    }
}
