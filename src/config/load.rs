//! From files to a [`Config`]: everything that can be found without AWS is found here, in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::convert::{Converter, Documents, Together};
use super::expr::Template;
use super::problem::{Problem, Problems};
use super::render::{self, Scope};
use super::settings::{self, AccountSettings};
use super::shape::{self, Stage};
use super::tree::{self, File, Key, Node, Place, Table, Value};
use super::vars::{Sources, Values, Variables};
use super::{Config, Inputs, check, document, grant, schema, source, target};
use crate::resource::Origin;
use crate::resource::secret::Secrets;

/// Whether a resource is a role, a policy or a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Role,
    Policy,
    Grant,
}

impl Kind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Grant => "grant",
        }
    }

    pub(super) fn schema(self) -> &'static schema::Schema {
        match self {
            Self::Role => &schema::ROLE,
            Self::Policy => &schema::POLICY,
            Self::Grant => &schema::GRANT,
        }
    }

    /// The key that says which accounts it is about.
    pub(super) fn targets_key(self) -> &'static str {
        match self {
            Self::Role | Self::Policy => "targets",
            Self::Grant => "in",
        }
    }

    /// The key by which messages call it.
    fn title_key(self) -> &'static str {
        match self {
            Self::Role | Self::Policy => "name",
            Self::Grant => "role",
        }
    }
}

/// One `[[role]]`, `[[policy]]` or `[[grant]]`, its expressions compiled and its documents read.
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
    /// Whether it may differ between accounts.
    pub varies: bool,
    /// Whether an expression in it asks for account tags.
    pub uses_tags: bool,
}

impl Resource {
    /// Its name as written, expressions and all.
    pub(super) fn written_name(&self) -> String {
        let name = self.node.as_table().and_then(|table| table.get("name")).map(Node::to_json);
        name.as_ref().and_then(serde_json::Value::as_str).unwrap_or("?").to_owned()
    }

    /// Its name, where no expression is in it.
    pub(super) fn literal_name(&self) -> Option<&str> {
        self.node.as_table()?.get("name")?.as_str()
    }
}

impl Config {
    pub(super) fn roles(&self) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(|resource| resource.kind == Kind::Role)
    }
}

/// The tables of all files together.
#[derive(Default)]
struct Merged {
    name: Option<(Key, Node)>,
    organization: Table,
    vars: Table,
    account: Table,
    rollout: Table,
    limits: Table,
    resources: Vec<(Kind, Node)>,
}

/// Reads a directory of desired state and checks everything that needs no AWS.
///
/// # Errors
/// Every problem found, sorted by place, warnings among them.
pub fn load(inputs: &Inputs) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let mut files = source::read(&inputs.path, &inputs.var_files, &mut problems);
    let merged = merge(&files, &mut problems);
    if files.is_empty() {
        return Err(problems);
    }
    let sources = Sources { arguments: &inputs.vars, files: &inputs.var_files, environment: &inputs.env };
    let mut variables = Variables::load(&merged.vars, &merged.account, sources, &mut problems);
    let accounts = accounts(&merged.account, &mut variables, &mut problems);
    let mut resources = Vec::new();
    for (kind, node) in merged.resources {
        resources.push(resource(kind, node, &mut files, &mut problems));
    }
    check_names(&resources, &merged.organization, &accounts, &variables, &mut problems);
    let per_account: BTreeSet<&String> = accounts
        .iter()
        .flat_map(|account| account.values.keys())
        .filter(|name| !variables.given.contains_key(*name))
        .collect();
    for resource in &mut resources {
        resource.varies = uses(&resource.node).any(|name| {
            name.starts_with("account")
                || name
                    .strip_prefix("var.")
                    .and_then(|rest| rest.split('.').next())
                    .is_some_and(|name| per_account.contains(&name.to_owned()))
        });
        resource.uses_tags = uses(&resource.node).any(|name| name == "account" || name.starts_with("account.tags"));
    }
    let secrets = secrets(&variables, &accounts);
    let name = directory_name(merged.name.as_ref(), &files, &mut problems);
    let organization_id = merged.organization.get("id").and_then(|node| check::organization_id(node, &mut problems));
    let limits = settings::limits(&merged.limits, &mut problems);
    let rollout = settings::rollout(&merged.rollout, &mut problems);
    let digest = digest(&inputs.path, &files, &variables.given);
    try_out(&resources, &variables, &accounts, &mut problems);
    let access = settings::access(&merged.organization, accounts.clone(), &variables, &mut problems);
    let warnings = problems.masked(&secrets).into_result()?;
    Ok(Config {
        name,
        organization_id,
        access,
        limits,
        rollout,
        digest,
        directory: directory(&inputs.path),
        warnings,
        variables,
        accounts,
        resources,
        files: files.len(),
        secrets,
    })
}

fn directory(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn merge(files: &[Arc<File>], problems: &mut Problems) -> Merged {
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
        let into = match key.text.as_str() {
            "name" => {
                if let Some((first, _)) = &self.name {
                    problems.push(twice("`name`", &key.place, &first.place));
                } else {
                    self.name = Some((key, node));
                }
                return;
            }
            "role" => return self.add_resources(Kind::Role, node),
            "policy" => return self.add_resources(Kind::Policy, node),
            "grant" => return self.add_resources(Kind::Grant, node),
            "organization" => &mut self.organization,
            "vars" => &mut self.vars,
            "account" => &mut self.account,
            "rollout" => &mut self.rollout,
            "limits" => &mut self.limits,
            // An unknown key, which has been reported.
            _ => return,
        };
        let Value::Table(table) = node.value else { return };
        for (inner, value) in table.entries {
            match into.entry(&inner.text) {
                Some((first, _)) => {
                    let what = format!("`{}.{}`", key.text, inner.text);
                    problems.push(twice(&what, &inner.place, &first.place));
                }
                None => into.entries.push((inner, value)),
            }
        }
    }

    fn add_resources(&mut self, kind: Kind, node: Node) {
        if let Value::Array(items) = node.value {
            self.resources.extend(items.into_iter().map(|item| (kind, item)));
        }
    }
}

fn twice(what: &str, place: &Place, first: &Place) -> Problem {
    Problem::error("duplicate", place, format!("{what} is written twice, first at {first}")).hint("keep one of them")
}

fn accounts(table: &Table, variables: &mut Variables, problems: &mut Problems) -> Vec<AccountSettings> {
    let mut accounts = Vec::new();
    for (key, node) in &table.entries {
        let Some(written) = node.as_table() else { continue };
        let values = written.get("vars").and_then(Node::as_table);
        accounts.push(AccountSettings {
            key: key.text.clone(),
            place: key.place.clone(),
            access_role: written.get("access_role").cloned(),
            values: values.map(|table| variables.read_table(table, problems)).unwrap_or_default(),
        });
    }
    accounts
}

fn resource(kind: Kind, mut node: Node, files: &mut Vec<Arc<File>>, problems: &mut Problems) -> Resource {
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
    read_documents(&mut node, files, problems);
    let name = node.as_table().and_then(|table| table.get(kind.title_key())).map(Node::to_json);
    let name = name.as_ref().and_then(serde_json::Value::as_str).unwrap_or("?");
    Resource {
        kind,
        title: match kind {
            Kind::Role | Kind::Policy => format!("{} `{name}`", kind.word()),
            Kind::Grant => format!("the grant of role `{name}`"),
        },
        origin: Origin { file: node.place.file.name.clone(), line: node.place.line_column().0 },
        node,
        targets,
        exclude,
        varies: false,
        uses_tags: false,
    }
}

/// One selector may be written without the list around it.
fn as_list(node: Node) -> Node {
    match node.value {
        Value::Table(_) => Node { place: node.place.clone(), value: Value::Array(vec![node]) },
        _ => node,
    }
}

/// Puts the documents that a role or policy names in the place of their names.
fn read_documents(node: &mut Node, files: &mut Vec<Arc<File>>, problems: &mut Problems) {
    let Value::Table(table) = &mut node.value else { return };
    for (key, value) in &mut table.entries {
        let names_document = matches!(value.value, Value::String(_) | Value::Template(_));
        match key.text.as_str() {
            "document" | "trust" if names_document => {
                let (file, loaded) = document::load(value, problems);
                if let Some(file) = file
                    && !files.iter().any(|known| known.path == file.path)
                {
                    files.push(file);
                }
                match loaded {
                    Some(loaded) => *value = loaded,
                    None => value.value = Value::Null,
                }
            }
            "inline_policy" => {
                if let Value::Array(items) = &mut value.value {
                    for item in items {
                        read_documents(item, files, problems);
                    }
                }
            }
            _ => {}
        }
    }
}

fn for_each_template(node: &Node, visit: &mut dyn FnMut(&Arc<Template>, &Place)) {
    match &node.value {
        Value::Template(template) => visit(template, &node.place),
        Value::Array(items) => items.iter().for_each(|item| for_each_template(item, visit)),
        Value::Table(table) => {
            for (key, node) in &table.entries {
                if let Some(template) = &key.template {
                    visit(template, &key.place);
                }
                for_each_template(node, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Datetime(_) | Value::String(_) => {}
    }
}

/// The dotted names that the expressions of a tree use.
fn uses(node: &Node) -> impl Iterator<Item = String> + use<> {
    let mut names = BTreeSet::new();
    for_each_template(node, &mut |template, _| names.extend(template.uses().map(str::to_owned)));
    names.into_iter()
}

/// Reports names in expressions that nothing will ever give a value.
fn check_names(
    resources: &[Resource],
    organization: &Table,
    accounts: &[AccountSettings],
    variables: &Variables,
    problems: &mut Problems,
) {
    let declared: BTreeSet<String> = variables.declarations.keys().cloned().collect();
    let mut check = |node: &Node| {
        for_each_template(node, &mut |template, place| template.check_names(place, &declared, problems));
    };
    for resource in resources {
        check(&resource.node);
        resource.targets.iter().chain(&resource.exclude).for_each(&mut check);
    }
    organization.entries.iter().for_each(|(_, node)| check(node));
    accounts.iter().filter_map(|account| account.access_role.as_ref()).for_each(check);
}

fn secrets(variables: &Variables, accounts: &[AccountSettings]) -> Secrets {
    let mut secrets = Secrets::default();
    for values in
        [&variables.given, &variables.defaults].into_iter().chain(accounts.iter().map(|account| &account.values))
    {
        variables.collect_secrets(values, &mut secrets);
    }
    secrets
}

fn directory_name(name: Option<&(Key, Node)>, files: &[Arc<File>], problems: &mut Problems) -> String {
    let Some((_, node)) = name else {
        if let Some(file) = files.first() {
            let problem = Problem::error("missing-key", &Place::start_of(file), "`name` is required and not written");
            problems.push(problem.hint("name = \"vendor-roles\": it marks everything this directory manages"));
        }
        return String::new();
    };
    if matches!(node.value, Value::Template(_)) {
        problems.push(Problem::error("value", &node.place, "`name` cannot hold an expression"));
    }
    check::directory_name(node, problems).unwrap_or_default()
}

/// The digest of everything that was read and given.
fn digest(path: &Path, files: &[Arc<File>], given: &Values) -> String {
    let root = directory(path);
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    for file in files {
        let relative = file.path.strip_prefix(&root).unwrap_or(&file.path);
        named.insert(relative.to_string_lossy().replace('\\', "/"), &file.text);
    }
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    };
    for (name, text) in named {
        add(&name);
        add(text);
    }
    for (name, value) in given {
        add(name);
        add(&render::signature(std::slice::from_ref(value)));
    }
    let digest = hash.finalize();
    digest.iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// Expands everything once against an account that stands for any, and checks what comes out.
fn try_out(resources: &[Resource], variables: &Variables, accounts: &[AccountSettings], problems: &mut Problems) {
    let mut values = variables.effective(&Values::new());
    for account in accounts {
        for (name, value) in &account.values {
            values.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let scope = Scope::stand_in(&values);
    let mut documents = Documents::new();
    let mut names = BTreeMap::new();
    let mut found = Problems::default();
    for resource in resources {
        for node in resource.targets.iter().chain(&resource.exclude) {
            if let Some(mut node) = render::render_alone(node, &resource.title, &scope, variables, &mut found) {
                check_targets(&mut node, resource, &mut found);
            }
        }
        try_out_resource(resource, variables, &scope, &mut documents, &mut names, &mut found);
    }
    grant::check_roles(resources, &mut found);
    // What was wrong before it was rendered has been said, and better.
    let known: Vec<Place> = problems.iter().filter_map(Problem::place).collect();
    problems.extend(found.sorted().into_iter().filter(|problem| !problem.is_at(&known)));
}

fn try_out_resource(
    resource: &Resource,
    variables: &Variables,
    scope: &Scope,
    documents: &mut Documents,
    names: &mut Names,
    problems: &mut Problems,
) {
    let mut evaluation = render::evaluate(&resource.node, scope);
    for failed in &evaluation.failures {
        problems.extend(render::explain(failed, &resource.title, variables));
        evaluation.unknown.push(failed.place.clone());
    }
    let Some(rendered) = render::build(&resource.node, &evaluation.values) else { return };
    let mut converter = Converter {
        partition: None,
        documents,
        title: &resource.title,
        together: if evaluation.unknown_condition { Together::Unknown } else { Together::Known },
        problems: Problems::default(),
    };
    let name = convert(&mut converter, resource, rendered);
    let found = converter.problems.sorted();
    problems.extend(found.into_iter().filter(|problem| !problem.is_at(&evaluation.unknown)));
    if let Some((name, place)) = name.filter(|(_, place)| !evaluation.unknown.contains(place)) {
        check_duplicate(resource.kind, &name, &place, names, problems);
    }
}

/// The names that are taken, without regard to case, as they are written and where.
pub(super) type Names = BTreeMap<(Kind, String), (String, Place)>;

fn check_targets(node: &mut Node, resource: &Resource, problems: &mut Problems) {
    let name = resource.kind.targets_key();
    let known = resource.kind.schema().keys.iter().find(|key| key.name == name);
    shape::check(node, &known.map_or(schema::Type::Any, |key| key.kind), name, Stage::Rendered, problems);
    target::targets(node, &resource.title, problems);
}

fn convert(converter: &mut Converter<'_>, resource: &Resource, mut rendered: Node) -> Option<(String, Place)> {
    let kind = schema::Type::Table(resource.kind.schema());
    shape::check(&mut rendered, &kind, resource.kind.word(), Stage::Rendered, &mut converter.problems);
    match resource.kind {
        Kind::Role => drop(converter.role(&rendered, resource.origin.clone())),
        Kind::Policy => drop(converter.policy(&rendered, resource.origin.clone())),
        Kind::Grant => {
            drop(grant::read(&rendered, &resource.title, resource.origin.clone(), &mut converter.problems));
            return None;
        }
    }
    let name = rendered.as_table()?.get("name")?;
    Some((name.as_str()?.to_owned(), name.place.clone()))
}

/// Reports a name that another resource of the kind has, in any case.
pub(super) fn check_duplicate(kind: Kind, name: &str, place: &Place, names: &mut Names, problems: &mut Problems) {
    let key = (kind, name.to_ascii_lowercase());
    let Some((first, first_place)) = names.get(&key) else {
        names.insert(key, (name.to_owned(), place.clone()));
        return;
    };
    let word = kind.word();
    problems.push(if first == name {
        twice(&format!("{word} `{name}`"), place, first_place)
    } else {
        let message = format!("{word} `{name}` and {word} `{first}` at {first_place} differ in case only");
        Problem::error("duplicate", place, message).hint("IAM names are unique without regard to case: rename one")
    });
}
