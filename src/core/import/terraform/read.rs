//! States and plans as a flat list of resources.
//!
//! Sources: Terraform's `internal/states/statefile/version4.go` for state files; Terraform documentation, JSON output format,
//! for `terraform show -json`. `OpenTofu` writes the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One instance of a resource.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its address: `module.west[0].aws_iam_role.canal["lock"]`.
    pub address: String,
    /// The address of the resource without the index of the instance.
    pub whole: String,
    /// `aws_iam_role`, …
    pub kind: String,
    /// The instance of the module that it is in; empty at the root.
    pub module: String,
    /// Its provider's configuration, where the source tells.
    pub provider: Option<String>,
    /// Its attributes.
    pub attributes: Map<String, Value>,
    /// Attributes whose values the source marks as sensitive.
    pub sensitive: Vec<String>,
    /// Attributes whose values are not known before the plan is applied.
    pub unknown: Vec<String>,
    /// Why it is not taken as it is: a data source, deposed, tainted.
    pub aside: Option<&'static str>,
    /// The addresses that it depends on.
    pub depends_on: Vec<String>,
}

impl Instance {
    /// An attribute that is a text and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let text = self.attributes.get(name)?.as_str()?;
        (!text.is_empty()).then_some(text)
    }

    /// Whether the source marks an attribute, or a part of it, as sensitive.
    pub fn is_sensitive(&self, name: &str) -> bool {
        self.sensitive.iter().any(|it| it == name)
    }

    /// The texts of an attribute that is a list; `None` where it is not one.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.attributes.get(name)?.as_array()?;
        let text = |item: &Value| item.as_str().map(str::to_owned);
        Some(items.iter().filter_map(text).collect())
    }
}

/// Reads a state or a plan.
///
/// # Errors
/// Why it is neither.
pub fn read(text: &str) -> Result<Vec<Instance>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json: Value =
        serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let Some(members) = json.as_object() else {
        return Err("it is not a state: a state is a JSON object".to_owned());
    };
    if members.contains_key("encrypted_data") {
        return Err(
            "the state is encrypted; import what `tofu show -json` prints of it".to_owned(),
        );
    }
    if members.contains_key("Resources") && !members.contains_key("resources") {
        return Err(
            "it is a CloudFormation template: `rolecall import cloudformation` reads it".to_owned(),
        );
    }
    if let Some(version) = members.get("version").and_then(Value::as_u64) {
        return match version {
            4 => Ok(state(members)),
            0..=3 => Err(format!(
                "it is a state of version {version}; any Terraform since 0.12 writes version 4"
            )),
            _ => Err(format!(
                "it is a state of version {version}, which is newer than 4"
            )),
        };
    }
    if members.contains_key("format_version") {
        return Ok(shown(members));
    }
    Err("it is neither a state of version 4 nor what `terraform show -json` prints".to_owned())
}

fn list<'a>(of: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    of.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text(of: &Map<String, Value>, name: &str) -> String {
    let text = of.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn strings(of: &Map<String, Value>, name: &str) -> Vec<String> {
    let items = list(of, name).iter();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A state file.
fn state(members: &Map<String, Value>) -> Vec<Instance> {
    let mut found = Vec::new();
    for resource in list(members, "resources")
        .iter()
        .filter_map(Value::as_object)
    {
        let (kind, name, module) = (
            text(resource, "type"),
            text(resource, "name"),
            text(resource, "module"),
        );
        let is_data = text(resource, "mode") == "data";
        let mut whole = module.clone();
        if !whole.is_empty() {
            whole.push('.');
        }
        if is_data {
            whole += "data.";
        }
        whole = whole + &kind + "." + &name;
        let provider = text(resource, "provider");
        for instance in list(resource, "instances")
            .iter()
            .filter_map(Value::as_object)
        {
            let index = match instance.get("index_key") {
                Some(Value::String(key)) => format!("[{}]", Value::from(key.as_str())),
                Some(Value::Number(number)) => format!("[{number}]"),
                _ => String::new(),
            };
            let aside = if is_data {
                Some("a data source only reads")
            } else if instance.contains_key("deposed") {
                Some("it is deposed: Terraform is about to delete it")
            } else if text(instance, "status") == "tainted" {
                Some("it is tainted: Terraform is about to make it anew")
            } else {
                None
            };
            let attributes = instance.get("attributes").and_then(Value::as_object);
            found.push(Instance {
                address: whole.clone() + &index,
                whole: whole.clone(),
                kind: kind.clone(),
                module: module.clone(),
                provider: (!provider.is_empty()).then(|| provider.clone()),
                attributes: attributes.cloned().unwrap_or_default(),
                sensitive: paths(list(instance, "sensitive_attributes")),
                unknown: Vec::new(),
                aside,
                depends_on: strings(instance, "dependencies"),
            });
        }
    }
    found
}

/// The attributes that paths begin with: `[[{"type": "get_attr", "value": "policy"}]]`.
fn paths(paths: &[Value]) -> Vec<String> {
    let first = |path: &Value| {
        let step = path.as_array().map_or(Some(path), |steps| steps.first())?;
        step.get("value")?.as_str().map(str::to_owned)
    };
    paths.iter().filter_map(first).collect()
}

/// What `show -json` prints of a state or a plan.
fn shown(members: &Map<String, Value>) -> Vec<Instance> {
    let mut found = Vec::new();
    let values = members
        .get("planned_values")
        .or_else(|| members.get("values"));
    let root = values.and_then(|it| it.get("root_module"));
    if let Some(root) = root.and_then(Value::as_object) {
        module(root, 0, &mut found);
    }
    let mut aliases = BTreeMap::new();
    if let Some(root) = members
        .get("configuration")
        .and_then(|it| it.get("root_module"))
        .and_then(Value::as_object)
    {
        configured(root, "", 0, &mut aliases);
    }
    for instance in &mut found {
        let alias = aliases.get(&without_indexes(&instance.whole));
        instance.provider = alias.map(|alias| format!("provider[\"aws\"]{alias}"));
    }
    for change in list(members, "resource_changes")
        .iter()
        .filter_map(Value::as_object)
    {
        let address = text(change, "address");
        let unknown = change.get("change").and_then(|it| it.get("after_unknown"));
        let unknown = marked(unknown);
        if let Some(instance) = found.iter_mut().find(|it| it.address == address) {
            instance.unknown = unknown;
        }
    }
    found
}

/// The aliases of the providers that a plan's configuration names, by address: `.east`, nothing for the default one. A state
/// that is shown has no configuration.
///
/// Source: Terraform documentation, JSON output format, `provider_config_key`.
fn configured(
    module: &Map<String, Value>,
    within: &str,
    depth: usize,
    aliases: &mut BTreeMap<String, String>,
) {
    for resource in list(module, "resources")
        .iter()
        .filter_map(Value::as_object)
    {
        let key = text(resource, "provider_config_key");
        let key = key.rsplit_once(':').map_or(key.as_str(), |(_, key)| key);
        let alias = key.find('.').and_then(|at| key.get(at..));
        let address = text(resource, "address");
        aliases.insert(
            format!("{within}{address}"),
            alias.unwrap_or_default().to_owned(),
        );
    }
    let calls = module.get("module_calls").and_then(Value::as_object);
    for (name, call) in calls.into_iter().flatten() {
        let module = call.get("module").and_then(Value::as_object);
        if let Some(module) = module.filter(|_| depth < DEPTH) {
            configured(
                module,
                &format!("{within}module.{name}."),
                depth + 1,
                aliases,
            );
        }
    }
}

/// An address without the indexes of instances: `module.west.aws_iam_role.canal`.
fn without_indexes(address: &str) -> String {
    let (mut plain, mut depth, mut is_quoted, mut is_escaped) =
        (String::new(), 0_usize, false, false);
    for c in address.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' if depth > 0 => is_quoted = !is_quoted,
            '[' if !is_quoted => depth += 1,
            ']' if !is_quoted => depth = depth.saturating_sub(1),
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// The attributes that a map marks with `true`, at any depth.
fn marked(map: Option<&Value>) -> Vec<String> {
    fn is_marked(value: &Value) -> bool {
        match value {
            Value::Bool(value) => *value,
            Value::Array(items) => items.iter().any(is_marked),
            Value::Object(members) => members.values().any(is_marked),
            Value::Null | Value::Number(_) | Value::String(_) => false,
        }
    }
    let members = map.and_then(Value::as_object).into_iter().flatten();
    members
        .filter(|(_, value)| is_marked(value))
        .map(|(name, _)| name.clone())
        .collect()
}

/// Modules in modules that are read.
const DEPTH: usize = 64;

fn module(of: &Map<String, Value>, depth: usize, found: &mut Vec<Instance>) {
    let name = text(of, "address");
    for resource in list(of, "resources").iter().filter_map(Value::as_object) {
        let address = text(resource, "address");
        let whole = match resource.get("index") {
            Some(_) => match address.rfind('[') {
                Some(at) => address.get(..at).unwrap_or_default().to_owned(),
                None => address.clone(),
            },
            None => address.clone(),
        };
        let is = |key: &str| {
            resource
                .get(key)
                .and_then(Value::as_bool)
                .unwrap_or_default()
        };
        let aside = if text(resource, "mode") == "data" {
            Some("a data source only reads")
        } else if resource.contains_key("deposed_key") {
            Some("it is deposed: Terraform is about to delete it")
        } else if is("tainted") {
            Some("it is tainted: Terraform is about to make it anew")
        } else {
            None
        };
        let attributes = resource.get("values").and_then(Value::as_object);
        found.push(Instance {
            whole,
            kind: text(resource, "type"),
            module: name.clone(),
            provider: None,
            attributes: attributes.cloned().unwrap_or_default(),
            sensitive: marked(resource.get("sensitive_values")),
            unknown: Vec::new(),
            aside,
            depends_on: strings(resource, "depends_on"),
            address,
        });
    }
    if depth < DEPTH {
        for child in list(of, "child_modules")
            .iter()
            .filter_map(Value::as_object)
        {
            module(child, depth + 1, found);
        }
    }
}
