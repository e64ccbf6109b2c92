//! From files to a [`Config`]: everything that can be found without AWS is found here, in one go.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::assertion::{Check, Judge};
use super::expr::Declared;
use super::files::{FileType, Files};
use super::module::{self, Instance, for_each_template};
use super::problem::{Problem, Problems};
use super::render::{self, Found, Scope};
use super::settings::{self, AccountSettings};
use super::shape::{self, Stage};
use super::source::Bounds;
use super::stand_in::{self, StandIn};
use super::tree::{self, File, Key, Node, Place, Table, Value};
use super::vars::{ModuleInputs, Sources, Values, Variables};
use super::{Config, Inputs, accept, check, document, lints, schema, source, target};
use crate::resource::Origin;
use crate::resource::secret::Secrets;

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
    fn title(self, name: &str) -> String {
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
    fn rendered_name(&self, scope: &Scope) -> Option<String> {
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

impl Config {
    pub(super) fn roles(&self) -> impl Iterator<Item = &Resource> {
        self.resources
            .iter()
            .filter(|resource| resource.kind == Kind::Role)
    }
}

/// The tables of all files of one directory together.
#[derive(Default)]
struct Merged {
    name: Option<(Key, Node)>,
    organization: Table,
    vars: Table,
    locals: Table,
    account: Table,
    lints: Table,
    rollout: Table,
    limits: Table,
    documents: Table,
    resources: Vec<(Kind, Node)>,
    modules: Vec<Node>,
    checks: Vec<Node>,
    accepts: Vec<Node>,
    /// The first key of each table that only the root may have, where it is written.
    roots_own: Vec<Key>,
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

/// Reads a directory of desired state and checks everything that needs no AWS.
///
/// # Errors
/// Every problem found, sorted by place, warnings among them.
pub fn load(inputs: &Inputs) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let root_directory = directory(inputs.files.as_ref(), &inputs.path);
    let mut bounds = Bounds::new(inputs.files.clone(), &root_directory);
    let files = source::read(&inputs.path, &inputs.var_files, &bounds, &mut problems);
    let merged = merge(&files, &mut problems);
    if files.is_empty() {
        return Err(problems);
    }
    let sources = Sources {
        arguments: &inputs.vars,
        files: inputs.files.as_ref(),
        paths: &inputs.var_files,
        environment: &inputs.env,
    };
    let mut variables = Variables::load(&merged.vars, &merged.account, sources, &mut problems);
    let accounts = accounts(&merged.account, &mut variables, &mut problems);
    let variables = variables.with_locals(&merged.locals, &mut problems);
    let name = directory_name(merged.name.as_ref(), &files, &mut problems);
    let varying = per_account(&accounts, &variables);
    bounds.documents = module::documents(inputs.files.as_ref(), &merged.documents, &mut problems);
    let mut loader = Loader::new(inputs, files, bounds, problems);
    loader.add(
        Instance::root(variables, varying),
        merged.resources,
        &merged.checks,
        &merged.modules,
    );
    let Loader {
        mut files,
        mut instances,
        mut resources,
        checks,
        mut problems,
        ..
    } = loader;
    // A document that several resources name is one file.
    let mut paths = BTreeSet::new();
    files.retain(|file| paths.insert(file.path.clone()));
    let found = Found::new(
        instances
            .first()
            .map(|root| secrets(&root.variables, &accounts))
            .unwrap_or_default(),
    );
    let scopes = stand_in::scopes(&mut instances, &accounts, &found, &mut problems);
    for resource in &mut resources {
        if let Some(name) = scopes
            .get(resource.instance)
            .and_then(|scope| resource.rendered_name(scope))
        {
            resource.title = resource.kind.title(&name);
        }
    }
    let [root, ..] = instances.as_slice() else {
        return Err(problems);
    };
    let variables = &root.variables;
    check_settings_names(&merged.organization, &accounts, variables, &mut problems);
    let organization_id = merged
        .organization
        .get("id")
        .and_then(|node| check::organization_id(node, &mut problems));
    let limits = settings::limits(&merged.limits, &mut problems);
    let rollout = super::rollout::rollout(&merged.rollout, &mut problems);
    let lints = lints::read(
        &merged.lints,
        checks.iter().map(|check| check.code.as_str()),
        &mut problems,
    );
    let accepts = accept::read(&merged.accepts, variables, &found, &mut problems);
    let digest = digest(&root_directory, &files, &variables.given);
    found.add(&scopes.secrets);
    let mut judge = Judge::new(&checks, &instances, &lints);
    let stand_in =
        StandIn::new(&name, &instances, scopes).try_out(&resources, &mut judge, &mut problems);
    let access = settings::access(
        &merged.organization,
        accounts.clone(),
        variables,
        &found,
        &mut problems,
    );
    let secrets = found.secrets();
    let findings = judge.into_findings(&secrets);
    let warnings = problems.masked(&secrets).into_result()?;
    Ok(Config {
        name,
        organization_id,
        access,
        limits,
        rollout,
        accepts,
        lints,
        digest,
        directory: root_directory,
        warnings,
        instances,
        accounts,
        resources,
        checks,
        stand_in,
        findings,
        files: files.len(),
        secrets,
    })
}

/// The variables that have values of their own in some account, and no stronger one.
fn per_account(accounts: &[AccountSettings], variables: &Variables) -> BTreeSet<String> {
    let own = accounts.iter().flat_map(|account| account.values.keys());
    own.filter(|name| !variables.given.contains_key(*name))
        .cloned()
        .collect()
}

/// Collects what the root and its modules hold.
struct Loader<'a> {
    inputs: &'a Inputs,
    files: Vec<Arc<File>>,
    instances: Vec<Instance>,
    resources: Vec<Resource>,
    checks: Vec<Check>,
    /// Where files may lie; it holds the directories that are being read.
    bounds: Bounds,
    /// The directories that have been read: a module that is used twice is read, and blamed, once.
    read: BTreeMap<PathBuf, Rc<Merged>>,
    /// Whether there are too many modules, which is said once.
    is_full: bool,
    problems: Problems,
}

/// How often modules may be used in one directory, counting those in modules.
const MAX_MODULES: usize = 1_000;

impl<'a> Loader<'a> {
    fn new(inputs: &'a Inputs, files: Vec<Arc<File>>, bounds: Bounds, problems: Problems) -> Self {
        let (instances, resources, checks, read) =
            (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Self {
            inputs,
            files,
            instances,
            resources,
            checks,
            bounds,
            read,
            is_full: false,
            problems,
        }
    }

    fn add(
        &mut self,
        instance: Instance,
        resources: Vec<(Kind, Node)>,
        checks: &[Node],
        modules: &[Node],
    ) {
        let index = self.instances.len();
        let mut problems = Problems::default();
        let declared = instance.variables.declared();
        for (kind, node) in resources {
            let mut resource = resource(kind, node, &self.bounds, &mut self.files, &mut problems);
            resource.instance = index;
            resource.varies = instance.varies(&resource.node);
            resource.uses_tags = instance.uses_tags(&resource.node);
            check_names(&resource, &declared, &mut problems);
            for selectors in resource.targets.iter().chain(&resource.exclude) {
                target::check_written(selectors, &resource.title, &instance, &mut problems);
            }
            self.resources.push(resource);
        }
        self.checks.extend(
            checks
                .iter()
                .filter_map(|node| Check::read(node, index, &instance, &mut problems)),
        );
        self.problems.extend(problems.in_modules(&instance.chain));
        self.instances.push(instance);
        for module in modules {
            self.module(module, index);
        }
    }

    /// Adds what one `[[module]]` of the instance at `outer` holds.
    fn module(&mut self, node: &Node, outer: usize) {
        let Some(table) = node.as_table() else { return };
        let Some(parent) = self.instances.get(outer) else {
            return;
        };
        let chain = parent.chain.clone();
        if self.instances.len() > MAX_MODULES {
            if !std::mem::replace(&mut self.is_full, true) {
                let message = format!(
                    "modules are used more than {MAX_MODULES} times in all, counting those in modules"
                );
                let hint =
                    "a module that uses another one twice doubles its contents: use fewer levels";
                let problem = Problem::error("module", &node.place, message).hint(hint);
                self.problems.push(problem.in_modules(&chain));
            }
            return;
        }
        let mut problems = Problems::default();
        let directory = module::directory(table, &self.bounds, &mut problems);
        let mut vars = table
            .get("vars")
            .and_then(Node::as_table)
            .cloned()
            .unwrap_or_default();
        module::compile_inputs(&mut vars, &parent.variables, &mut problems);
        self.problems.extend(problems.in_modules(&chain));
        let Some(directory) = directory else { return };
        let inside: Arc<[String]> = std::iter::once(format!(
            "in module {}, from {}",
            directory.written, node.place
        ))
        .chain(chain.iter().cloned())
        .collect();
        self.bounds.open.push(directory.path.clone());
        let merged = self.merged(&directory, &inside);
        let mut problems = Problems::default();
        let inputs = ModuleInputs {
            place: node.place.clone(),
            vars,
        };
        let variables = Variables::of_module(&merged.vars, inputs, &mut problems)
            .with_locals(&merged.locals, &mut problems);
        // What is wrong with a name or value that is given is in the file that gives it.
        for problem in problems {
            let given = problem
                .source
                .as_ref()
                .is_some_and(|file| Arc::ptr_eq(file, &node.place.file));
            self.problems
                .push(problem.in_modules(if given { &chain } else { &inside }));
        }
        let Some(parent) = self.instances.get(outer) else {
            return;
        };
        let instance = Instance::module(variables, outer, parent, inside);
        self.add(
            instance,
            merged.resources.clone(),
            &merged.checks,
            &merged.modules,
        );
        self.bounds.open.pop();
    }

    /// What the files of a module say together.
    fn merged(&mut self, directory: &module::Directory, inside: &Arc<[String]>) -> Rc<Merged> {
        if let Some(known) = self.read.get(&directory.path) {
            return known.clone();
        }
        let mut problems = Problems::default();
        let files = source::read(
            &directory.named,
            &self.inputs.var_files,
            &self.bounds,
            &mut problems,
        );
        let merged = merge(&files, &mut problems);
        for key in &merged.roots_own {
            let message = format!(
                "`[{}]` is not allowed in a module: only the root sets it",
                key.text
            );
            let hint = "move it to the rolecall.toml that uses this directory as a module";
            problems.push(Problem::error("module", &key.place, message).hint(hint));
        }
        self.problems.extend(problems.in_modules(inside));
        self.files.extend(files);
        let merged = Rc::new(merged);
        self.read.insert(directory.path.clone(), merged.clone());
        merged
    }
}

pub(super) fn directory(files: &dyn Files, path: &Path) -> PathBuf {
    if files
        .file_type(path)
        .is_ok_and(|kind| kind == FileType::Directory)
    {
        return path.to_owned();
    }
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
        .to_owned()
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
        if ROOTS_OWN.contains(&key.text.as_str()) {
            self.roots_own.push(key.clone());
        }
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

fn add_tables(tables: &mut Vec<Node>, node: Node) {
    if let Value::Array(items) = node.value {
        tables.extend(items);
    }
}

pub(super) fn twice(what: &str, place: &Place, first: &impl std::fmt::Display) -> Problem {
    Problem::error(
        "duplicate",
        place,
        format!("{what} is defined twice, first at {first}"),
    )
    .hint("keep one of them")
}

fn accounts(
    table: &Table,
    variables: &mut Variables,
    problems: &mut Problems,
) -> Vec<AccountSettings> {
    let mut accounts = Vec::new();
    for (key, node) in &table.entries {
        let Some(written) = node.as_table() else {
            continue;
        };
        let values = written.get("vars").and_then(Node::as_table);
        accounts.push(AccountSettings {
            key: key.text.clone(),
            place: key.place.clone(),
            access_role: written.get("access_role").cloned(),
            values: values
                .map(|table| variables.read_table(table, problems))
                .unwrap_or_default(),
        });
    }
    accounts
}

fn resource(
    kind: Kind,
    mut node: Node,
    bounds: &Bounds,
    files: &mut Vec<Arc<File>>,
    problems: &mut Problems,
) -> Resource {
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
    read_documents(&mut node, bounds, files, problems);
    let name = node
        .as_table()
        .and_then(|table| table.get(kind.title_key()))
        .map(Node::to_json);
    let name = name
        .as_ref()
        .and_then(serde_json::Value::as_str)
        .unwrap_or("?");
    Resource {
        kind,
        title: kind.title(name),
        origin: Origin {
            file: node.place.file.name.clone(),
            line: node.place.line_column().0,
        },
        node,
        targets,
        exclude,
        instance: 0,
        varies: false,
        uses_tags: false,
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

/// Puts the documents that a role or policy names in the place of their names.
fn read_documents(
    node: &mut Node,
    bounds: &Bounds,
    files: &mut Vec<Arc<File>>,
    problems: &mut Problems,
) {
    let Value::Table(table) = &mut node.value else {
        return;
    };
    for (key, value) in &mut table.entries {
        let names_document = matches!(value.value, Value::String(_) | Value::Template(_));
        match key.text.as_str() {
            "document" | "trust" if names_document => {
                let (file, loaded) = document::load(value, bounds, problems);
                files.extend(file);
                match loaded {
                    Some(loaded) => *value = loaded,
                    None => value.value = Value::Null,
                }
            }
            "inline_policy" => {
                if let Value::Array(items) = &mut value.value {
                    for item in items {
                        read_documents(item, bounds, files, problems);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Reports names in the expressions of a resource that nothing will ever give a value.
fn check_names(resource: &Resource, declared: &Declared, problems: &mut Problems) {
    for node in std::iter::once(&resource.node)
        .chain(&resource.targets)
        .chain(&resource.exclude)
    {
        for_each_template(node, &mut |template, place| {
            template.check_names(place, declared, problems);
        });
    }
}

/// The same for the settings of the root.
fn check_settings_names(
    organization: &Table,
    accounts: &[AccountSettings],
    variables: &Variables,
    problems: &mut Problems,
) {
    let declared = variables.declared();
    let roles = accounts
        .iter()
        .filter_map(|account| account.access_role.as_ref());
    for node in organization
        .entries
        .iter()
        .map(|(_, node)| node)
        .chain(roles)
    {
        for_each_template(node, &mut |template, place| {
            template.check_names(place, &declared, problems);
        });
    }
}

fn secrets(variables: &Variables, accounts: &[AccountSettings]) -> Secrets {
    let mut secrets = Secrets::default();
    for values in [&variables.given, &variables.defaults]
        .into_iter()
        .chain(accounts.iter().map(|account| &account.values))
    {
        variables.collect_secrets(values, &mut secrets);
    }
    secrets
}

fn directory_name(
    name: Option<&(Key, Node)>,
    files: &[Arc<File>],
    problems: &mut Problems,
) -> String {
    let Some((_, node)) = name else {
        if let Some(file) = files.first() {
            let problem = Problem::error(
                "missing-key",
                &Place::start_of(file),
                "`name` is required but not set",
            );
            problems.push(
                problem.hint("name = \"vendor-roles\": it tags everything this directory manages"),
            );
        }
        return String::new();
    };
    if matches!(node.value, Value::Template(_)) {
        problems.push(Problem::error(
            "value",
            &node.place,
            "`name` cannot contain an expression",
        ));
    }
    check::directory_name(node, problems).unwrap_or_default()
}

/// The digest of everything that was read and given.
fn digest(root: &Path, files: &[Arc<File>], given: &Values) -> String {
    let mut named: BTreeMap<String, &str> = BTreeMap::new();
    for file in files {
        let relative = file.path.strip_prefix(root).unwrap_or(&file.path);
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
    digest.iter().fold("sha256:".to_owned(), |text, byte| {
        text + &format!("{byte:02x}")
    })
}
