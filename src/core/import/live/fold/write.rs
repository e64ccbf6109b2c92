//! What a group became, as the draft has it.

use serde_json::{Map, Value};

use super::items::{Item, Varied, Written};
use crate::import::draft::{Attached, Document, Inline, Partial, Policy, Role, Statement, Targets};

/// A role.
pub fn role(varied: &Varied, targets: Targets, when: Option<String>) -> Role {
    let shape = &varied.shape;
    let text = |key: &str| {
        let value = shape.scalars.get(key)?;
        value.as_str().map(str::to_owned)
    };
    let attached = |it: &Item<String>| Attached {
        policy: it.what.clone(),
        when: it.when.clone(),
    };
    let inline = varied.documents.iter().filter_map(|(name, it)| {
        Some(Inline {
            name: name.strip_prefix("inline/")?.to_owned(),
            document: document(&it.what),
            when: it.when.clone(),
        })
    });
    let trust = varied.documents.get("trust");
    Role {
        source: shape.source.clone(),
        name: shape.name.clone(),
        path: text("path"),
        description: text("description"),
        max_session_duration: shape.scalars.get("max_session_duration").cloned(),
        permissions_boundary: text("permissions_boundary"),
        managed_policies: shape
            .attached
            .is_some()
            .then(|| varied.attached.iter().map(attached).collect()),
        inline_policies: shape.knows_inline.then(|| inline.collect()),
        partial: Partial {
            managed_policies: shape.partial.0,
            inline_policies: shape.partial.1,
        },
        trust: trust.map(|it| document(&it.what)).unwrap_or_default(),
        tags: shape.tags.clone().into_iter().collect(),
        targets,
        exclude: Vec::new(),
        when,
        external: shape.external,
        prevent_destroy: false,
        comments: Vec::new(),
    }
}

/// A policy.
pub fn policy(varied: &Varied, targets: Option<Targets>, when: Option<String>) -> Policy {
    let shape = &varied.shape;
    let text = |key: &str| {
        let value = shape.scalars.get(key)?;
        value.as_str().map(str::to_owned)
    };
    let allows = varied.documents.get("document");
    Policy {
        source: shape.source.clone(),
        name: shape.name.clone(),
        path: text("path"),
        description: text("description"),
        document: allows.map(|it| document(&it.what)).unwrap_or_default(),
        tags: shape.tags.clone().into_iter().collect(),
        targets,
        exclude: Vec::new(),
        when,
        prevent_destroy: false,
        comments: Vec::new(),
    }
}

fn document(written: &Written) -> Document {
    let text = |key: &str| {
        let value = written.head.get(key)?;
        value.as_str().map(str::to_owned)
    };
    let statements = written.statements.iter().map(|it| Statement {
        when: it.when.clone(),
        comment: None,
        body: body(&it.what),
    });
    Document {
        version: text("Version"),
        id: text("Id"),
        statements: statements.collect(),
    }
}

fn body(statement: &Value) -> Map<String, Value> {
    statement.as_object().cloned().unwrap_or_default()
}
