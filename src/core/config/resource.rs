//! A `[[role]]`, `[[policy]]`, `[[grant]]` or `[[attachment]]` as it is written.

use super::expr::Declared;
use super::module::Instance;
use super::problem::Problems;
use super::scope::Scope;
use super::tree::{Node, Value, for_each_template};
use super::{render, schema};
use crate::resource::Origin;

/// Whether a resource is a role, a policy, a grant or an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Role,
    Policy,
    Grant,
    Attachment,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Grant => "grant",
            Self::Attachment => "attachment",
        }
    }

    pub(super) fn schema(self) -> &'static schema::Schema {
        match self {
            Self::Role => &schema::ROLE,
            Self::Policy => &schema::POLICY,
            Self::Grant => &schema::GRANT,
            Self::Attachment => &schema::ATTACHMENT,
        }
    }

    /// The key that says which accounts it is about.
    pub(super) fn targets_key(self) -> &'static str {
        match self {
            Self::Role | Self::Policy | Self::Attachment => "targets",
            Self::Grant => "in",
        }
    }

    /// What messages call the one of this name.
    pub(super) fn title(self, name: &str) -> String {
        match self {
            Self::Role | Self::Policy => format!("{} `{name}`", self.word()),
            Self::Grant => format!("the grant of role `{name}`"),
            Self::Attachment => format!("the attachment to role `{name}`"),
        }
    }

    /// The key by which messages call it.
    fn title_key(self) -> &'static str {
        match self {
            Self::Role | Self::Policy => "name",
            Self::Grant | Self::Attachment => "role",
        }
    }
}

/// One `[[role]]`, `[[policy]]`, `[[grant]]` or `[[attachment]]`, its expressions compiled and its documents read.
#[derive(Debug)]
pub(super) struct Resource {
    pub kind: Kind,
    /// The table, `targets` and `exclude` aside.
    pub node: Node,
    pub targets: Option<Node>,
    pub exclude: Option<Node>,
    /// How it is called in messages: `` role `X` ``.
    pub title: String,
    pub origin: Origin,
    /// The directory it is written in: the root, or a module.
    pub instance: usize,
    /// Whether it may differ between accounts.
    pub varies: bool,
    /// Whether an expression in it asks for account tags.
    pub uses_tags: bool,
}

impl Resource {
    /// What is written in `node`, in the directory of the instance at `index`.
    pub(super) fn new(kind: Kind, mut node: Node, index: usize, instance: &Instance) -> Self {
        let (mut targets, mut exclude) = (None, None);
        if let Value::Table(table) = &mut node.value {
            for (key, value) in std::mem::take(&mut table.entries) {
                match key.text.as_str() {
                    written if written == kind.targets_key() => targets = Some(as_list(value)),
                    "exclude" => exclude = Some(value),
                    _ => table.entries.push((key, value)),
                }
            }
        }
        let name = node
            .as_table()
            .and_then(|table| table.get(kind.title_key()))
            .map(Node::to_json);
        let name = name
            .as_ref()
            .and_then(serde_json::Value::as_str)
            .unwrap_or("?");
        Self {
            kind,
            title: kind.title(name),
            origin: Origin {
                file: node.place.file.name.clone(),
                line: node.place.line_column().0,
            },
            varies: instance.varies(&node),
            uses_tags: instance.uses_tags(&node),
            instance: index,
            node,
            targets,
            exclude,
        }
    }

    /// Reports names in its expressions that nothing will ever give a value.
    pub(super) fn check_names(&self, declared: &Declared, problems: &mut Problems) {
        let nodes = std::iter::once(&self.node)
            .chain(&self.targets)
            .chain(&self.exclude);
        for node in nodes {
            for_each_template(node, &mut |template, place| {
                template.check_names(place, declared, problems);
            });
        }
    }

    /// Its name as written, expressions and all.
    pub(super) fn written_name(&self) -> String {
        let name = self
            .node
            .as_table()
            .and_then(|table| table.get("name"))
            .map(Node::to_json);
        name.as_ref()
            .and_then(serde_json::Value::as_str)
            .unwrap_or("?")
            .to_owned()
    }

    /// Its name where expressions make it, and do not depend on the account.
    pub(super) fn rendered_name(&self, scope: &Scope) -> Option<String> {
        let written = self.node.as_table()?.get(self.kind.title_key())?;
        let Value::Template(template) = &written.value else {
            return None;
        };
        if scope.is_unknown(template) {
            return None;
        }
        let evaluation = render::evaluate(written, scope);
        Some(
            render::build(written, &evaluation.values)?
                .as_str()?
                .to_owned(),
        )
    }

    /// Its name, where no expression is in it.
    pub(super) fn literal_name(&self) -> Option<&str> {
        self.node.as_table()?.get("name")?.as_str()
    }
}

/// One selector may be written without the list around it.
fn as_list(node: Node) -> Node {
    match node.value {
        Value::Table(_) => Node {
            place: node.place.clone(),
            value: Value::Array(vec![node]),
        },
        _ => node,
    }
}
