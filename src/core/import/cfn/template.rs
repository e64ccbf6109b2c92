//! The parts of a template.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::report::Source;
use super::node::{Key, Node, Unreadable, Value};
use super::parameter::Parameter;

/// A template, read.
#[derive(Debug)]
pub struct Template {
    /// The whole.
    pub node: Node,
    /// Its parameters, in order.
    pub parameters: Vec<Parameter>,
    /// Its resources, in order.
    pub resources: Vec<Rc<Resource>>,
    /// The macros that it is put through, and where they are named.
    pub transforms: Vec<(String, Source)>,
    /// Keys that stand twice where it counts, and what is not known.
    pub oddities: Vec<Oddity>,
    /// Whether the CDK made it.
    pub is_cdk: bool,
}

/// Something of a template that is not read.
#[derive(Debug)]
pub struct Oddity {
    /// Where it is.
    pub place: Source,
    /// What it is.
    pub what: String,
    /// Why it is not read.
    pub why: &'static str,
    /// The code, where it is lost.
    pub lost: Option<&'static str>,
}

/// A resource.
#[derive(Debug)]
pub struct Resource {
    /// Its logical id.
    pub logical: String,
    /// Where its logical id is.
    pub place: Source,
    /// Its type.
    pub kind: String,
    /// The whole of it.
    pub node: Node,
    /// Its properties.
    pub properties: Node,
}

/// What a template may have at its top level.
const SECTIONS: [&str; 12] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

impl Template {
    /// Reads the parts of a template.
    ///
    /// # Errors
    /// It is not a template.
    pub fn new(node: Node) -> Result<Self, Unreadable> {
        let fail = |why: &str| Unreadable {
            place: node.place.clone(),
            why: why.to_owned(),
        };
        if !matches!(node.value, Value::Map(_)) {
            return Err(fail(
                "it is not a template: a template is a map with `Resources`",
            ));
        }
        let Some((_, resources)) = node.member("Resources") else {
            let is_policy = node.get("Statement").is_some();
            return Err(fail(if is_policy {
                "it is a policy document, not a template; a desired state reads it: document = \"FILE\""
            } else {
                "it has no `Resources`"
            }));
        };
        let mut oddities = Vec::new();
        for (key, _) in node.members() {
            if !SECTIONS.contains(&key.text.as_str()) {
                oddities.push(Oddity {
                    place: key.place.clone(),
                    what: format!("the section `{}`", key.text),
                    why: "CloudFormation does not know it, or a macro reads it",
                    lost: key.text.starts_with("Fn::Transform").then_some("transform"),
                });
            }
        }
        for section in ["Parameters", "Conditions", "Resources"] {
            let mut seen = BTreeSet::new();
            for (key, _) in node.get(section).map(Node::members).unwrap_or_default() {
                if !seen.insert(&key.text) {
                    oddities.push(Oddity {
                        place: key.place.clone(),
                        what: format!("`{}` of {section}", key.text),
                        why: "its name stands twice; the first is read",
                        lost: Some("reference"),
                    });
                }
            }
        }
        let parameters = parameters(&node);
        let is_resource = |key: &Key| !key.text.starts_with("Fn::");
        for (key, _) in resources
            .members()
            .iter()
            .filter(|(key, _)| !is_resource(key))
        {
            let is_transform = key.text == "Fn::Transform";
            oddities.push(Oddity {
                place: key.place.clone(),
                what: format!("the resources that `{}` makes", key.text),
                why: "they are made when the stack is deployed",
                lost: Some(if is_transform {
                    "transform"
                } else {
                    "intrinsic"
                }),
            });
        }
        let mut seen = BTreeSet::new();
        let resources: Vec<Rc<Resource>> = resources
            .members()
            .iter()
            .filter(|(key, _)| is_resource(key) && seen.insert(&key.text))
            .map(|(key, node)| Rc::new(resource(key, node)))
            .collect();
        let of_cdk = |it: &Rc<Resource>| {
            it.kind == "AWS::CDK::Metadata"
                || it
                    .node
                    .get("Metadata")
                    .is_some_and(|it| it.get("aws:cdk:path").is_some())
        };
        let is_cdk = resources.iter().any(of_cdk);
        Ok(Self {
            parameters,
            resources,
            transforms: node.get("Transform").map(transforms).unwrap_or_default(),
            oddities,
            is_cdk,
            node,
        })
    }

    /// The resource of a logical id.
    pub fn resource(&self, logical: &str) -> Option<&Rc<Resource>> {
        self.resources.iter().find(|it| it.logical == logical)
    }

    /// Whether a rule or a parameter is about the version of the CDK's bootstrap stack.
    pub fn is_cdk_version(&self, name: &str) -> bool {
        let default = self
            .parameters
            .iter()
            .find(|it| it.name == "BootstrapVersion");
        let default = default.and_then(|it| it.default.as_deref());
        ["BootstrapVersion", "CheckBootstrapVersion"].contains(&name)
            && default.is_some_and(|it| it.starts_with("/cdk-bootstrap/"))
    }

    /// A section of it.
    pub fn section(&self, name: &str) -> &[(Key, Node)] {
        self.node.get(name).map(Node::members).unwrap_or_default()
    }

    /// What a variable of a logical id is called: without the digits that the CDK puts behind it.
    pub fn plain<'a>(&self, logical: &'a str) -> &'a str {
        let is_digits = |text: &str| {
            text.len() == 8
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte))
        };
        let at = logical.len().saturating_sub(8);
        match logical.split_at_checked(at) {
            Some((name, digits)) if self.is_cdk && !name.is_empty() && is_digits(digits) => name,
            _ => logical,
        }
    }
}

fn parameters(node: &Node) -> Vec<Parameter> {
    let labels = node
        .get("Metadata")
        .and_then(|it| it.get("AWS::CloudFormation::Interface"))
        .and_then(|it| it.get("ParameterLabels"));
    let mut seen = BTreeSet::new();
    let declared = node
        .get("Parameters")
        .map(Node::members)
        .unwrap_or_default();
    declared
        .iter()
        .filter(|(key, _)| seen.insert(&key.text))
        .map(|(key, node)| {
            let label = labels
                .and_then(|it| it.get(&key.text))
                .and_then(|it| it.get("default"))
                .and_then(Node::as_text);
            Parameter::read(&key.text, &key.place, node, label)
        })
        .collect()
}

fn resource(key: &Key, node: &Node) -> Resource {
    let empty = || Node::new(key.place.clone(), Value::Map(Vec::new()));
    Resource {
        logical: key.text.clone(),
        place: key.place.clone(),
        kind: node
            .get("Type")
            .and_then(Node::as_text)
            .unwrap_or_default()
            .to_owned(),
        properties: node.get("Properties").cloned().unwrap_or_else(empty),
        node: node.clone(),
    }
}

/// The names in `Transform`: a text, a list, or maps with a `Name`.
fn transforms(node: &Node) -> Vec<(String, Source)> {
    match &node.value {
        Value::Text(name) => vec![(name.clone(), node.place.clone())],
        Value::List(items) => items.iter().flat_map(transforms).collect(),
        Value::Map(_) => {
            let name = node.get("Name").and_then(Node::as_text).unwrap_or("?");
            vec![(name.to_owned(), node.place.clone())]
        }
        Value::Null => Vec::new(),
    }
}
