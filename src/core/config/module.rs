//! `[[module]]`: another directory of desired state, as often as it is named, with its `[vars]` as inputs.
//!
//! A module sees what it is given and nothing else of the outside. What it holds merges with the root's, which owns
//! everything: a `name` and an `[organization]` of its own are ignored, and everything else that only the root can
//! decide is an error.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::expr::declared_name;
use super::files::{FileType, Files};
use super::problem::{Problem, Problems};
use super::render;
use super::scope::{Found, Scope};
use super::source::{Bounds, MAIN_FILE};
use super::tree::{Node, Table, Value, for_each_template, uses};
use super::vars::{ModuleInputs, Values, Variables};
use crate::resource::secret::Secrets;

/// A directory and the values of its variables: the root, or one use of a module.
#[derive(Debug)]
pub struct Instance {
    /// Its variables.
    pub variables: Variables,
    /// The instance that names it, by index; `None`: the root.
    pub parent: Option<usize>,
    /// The modules it is in, innermost first, as messages say it.
    pub chain: Arc<[String]>,
    /// Variables that may differ between accounts.
    pub varying: BTreeSet<String>,
    /// Variables that depend on the account or the organization.
    pub live: Arc<BTreeSet<String>>,
    /// Variables that depend on the account's tags.
    pub tagged: BTreeSet<String>,
}

impl Instance {
    /// The root, of whose variables these have values of their own in some account.
    pub fn root(variables: Variables, varying: BTreeSet<String>) -> Self {
        Self {
            variables,
            parent: None,
            chain: Arc::default(),
            varying,
            live: Arc::default(),
            tagged: BTreeSet::new(),
        }
        .with_locals()
    }

    /// Notes what of its locals differs between accounts, depends on them, and is sensitive.
    fn with_locals(mut self) -> Self {
        let locals = self.variables.locals.clone();
        for (name, uses) in locals.uses() {
            let any = |test: &dyn Fn(&str) -> bool| uses.iter().any(|used| test(used));
            let (varies, is_tagged) = (
                any(&|used| self.name_varies(used)),
                any(&|used| self.name_uses_tags(used)),
            );
            let is_live = any(&|used| hangs(used, &self.live, &["account", "organization"]));
            let is_sensitive = any(&|used| self.is_sensitive(used));
            self.varying.extend(varies.then(|| name.clone()));
            self.tagged.extend(is_tagged.then(|| name.clone()));
            if is_live {
                Arc::make_mut(&mut self.live).insert(name.clone());
            }
            if is_sensitive {
                Arc::make_mut(&mut self.variables.sensitive).insert(name);
            }
        }
        self
    }

    /// One use of a module, named by `parent`, the instance at `index`.
    pub fn module(
        mut variables: Variables,
        index: usize,
        parent: &Self,
        chain: Arc<[String]>,
    ) -> Self {
        let (mut varying, mut live, mut tagged) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let inputs = variables
            .module
            .as_ref()
            .map(|module| module.vars.clone())
            .unwrap_or_default();
        for (key, node) in &inputs.entries {
            let add = |set: &mut BTreeSet<String>, hangs: bool| {
                hangs.then(|| set.insert(key.text.clone()))
            };
            add(&mut varying, parent.varies(node));
            add(
                &mut live,
                uses(node).any(|name| hangs(&name, &parent.live, &["account", "organization"])),
            );
            add(&mut tagged, parent.uses_tags(node));
            if uses(node).any(|name| parent.is_sensitive(&name)) {
                variables.make_sensitive(&key.text);
            }
        }
        Self {
            variables,
            parent: Some(index),
            chain,
            varying,
            live: Arc::new(live),
            tagged,
        }
        .with_locals()
    }

    /// Whether the values in `node` may differ between accounts.
    pub fn varies(&self, node: &Node) -> bool {
        uses(node).any(|name| self.name_varies(&name))
    }

    /// Whether the value of a dotted name may differ between accounts.
    pub fn name_varies(&self, name: &str) -> bool {
        hangs(name, &self.varying, &["account"])
    }

    /// Whether an expression in `node` asks for account tags.
    pub fn uses_tags(&self, node: &Node) -> bool {
        uses(node).any(|name| self.name_uses_tags(&name))
    }

    fn name_uses_tags(&self, name: &str) -> bool {
        name == "account" || hangs(name, &self.tagged, &["account.tags"])
    }

    fn is_sensitive(&self, name: &str) -> bool {
        hangs(name, &self.variables.sensitive, &[])
    }
}

impl Scope {
    /// The same for the root of these instances.
    #[must_use]
    pub(super) fn hiding_of(self, instances: &[Instance], found: &Found) -> Self {
        match instances.first() {
            Some(root) => self.with_live(&root.live).hiding(&root.variables, found),
            None => self,
        }
    }
}

/// Whether a dotted name begins with one of these variables and locals, or roots.
fn hangs(name: &str, variables: &BTreeSet<String>, roots: &[&str]) -> bool {
    match declared_name(name) {
        Some(declared) => variables.contains(declared),
        None if ["var", "local"].contains(&name) => !variables.is_empty(),
        None => roots.iter().any(|root| name.starts_with(root)),
    }
}

/// What expressions see in every instance, for one account or for none.
#[derive(Debug, Default)]
pub struct Scopes {
    list: Vec<Scope>,
    /// What is wrong with an input, and whether the input may differ between accounts.
    pub problems: Vec<(bool, Problem)>,
    /// The inputs with which something is wrong, each with the index of its instance.
    pub refused: Vec<(usize, String)>,
    /// The sensitive values among the inputs.
    pub secrets: Secrets,
}

impl Scopes {
    /// Evaluates the inputs of all modules, outer ones first. `root` is what the root's expressions see.
    pub fn new(instances: &[Instance], root: &Scope) -> Self {
        let mut scopes = Self::default();
        for instance in instances {
            let scope = match instance.parent.and_then(|parent| scopes.list.get(parent)) {
                Some(outer) => {
                    let values = scopes.inputs(instance, instances, &outer.clone());
                    root.of_module(&values, &instance.variables, &instance.live)
                }
                None => root.clone(),
            };
            scopes.list.push(scope);
        }
        scopes
    }

    /// What the expressions of the instance at this index see.
    pub fn get(&self, instance: usize) -> Option<&Scope> {
        self.list.get(instance)
    }

    /// The values of a module's variables. An input whose expression has no value has none either: what uses it says so.
    fn inputs(&mut self, instance: &Instance, instances: &[Instance], outer: &Scope) -> Values {
        let variables = &instance.variables;
        let mut values = variables.defaults.clone();
        let Some(ModuleInputs { vars, .. }) = &variables.module else {
            return values;
        };
        for (key, node) in &vars.entries {
            values.remove(&key.text);
            let evaluation = render::evaluate(node, outer);
            let is_unknown = !evaluation.unknown.is_empty();
            let read = match evaluation
                .failures
                .iter()
                .find(|failed| failed.failure.missing.is_empty())
            {
                Some(failed) => Err(render::explain(failed, "a module", variables)),
                None if !evaluation.failures.is_empty() => Ok(None),
                None => match render::build(node, &evaluation.values) {
                    // Nothing can be said about a value that represents any.
                    Some(node) if is_unknown => Ok(Some(node.value)),
                    Some(node) => variables
                        .read_input(&key.text, &node)
                        .map_err(|problem| vec![*problem]),
                    None => Ok(None),
                },
            };
            match read {
                Ok(value) => values.extend(value.map(|value| (key.text.clone(), value))),
                Err(found) => {
                    let outer = instance.parent.and_then(|parent| instances.get(parent));
                    let chain = outer.map(|outer| outer.chain.clone()).unwrap_or_default();
                    let varies = instance.varying.contains(&key.text);
                    self.refused.push((self.list.len(), key.text.clone()));
                    self.problems.extend(
                        found
                            .into_iter()
                            .map(|problem| (varies, problem.in_modules(&chain))),
                    );
                }
            }
        }
        let known = values
            .iter()
            .filter(|(name, _)| !outer.stands_in() || !instance.live.contains(*name));
        let known: Values = known
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        variables.collect_secrets(&known, &mut self.secrets);
        values
    }
}

/// Compiles what a `[[module]]` gives, and refuses names that its directory does not know.
pub fn compile_inputs(vars: &mut Table, outer: &Variables, problems: &mut Problems) {
    let declared = outer.declared();
    for (_, node) in &mut vars.entries {
        super::shape::compile_strings(node, problems);
        for_each_template(node, &mut |template, place| {
            template.check_names(place, &declared, problems);
        });
    }
}

/// The directory that a `[[module]]` names.
#[derive(Debug)]
pub struct Directory {
    /// As written.
    pub written: String,
    /// As files in it are named in messages.
    pub named: PathBuf,
    /// The one path it has, however it is named.
    pub path: PathBuf,
}

/// How deep modules may be nested: deeper is a generator that went wrong, and each level takes stack.
const MAX_DEPTH: usize = 64;

/// Finds the directory that a `[[module]]` names; one of those that are being read would never end.
///
/// A source that leaves the root names another directory by itself, in the text that is reviewed. One that stays below
/// the root as written and leaves it through a link does not.
pub fn directory(table: &Table, bounds: &Bounds, problems: &mut Problems) -> Option<Directory> {
    let source = table.get("source")?;
    let Some(written) = source.as_str() else {
        let problem = Problem::error(
            "module",
            &source.place,
            "the `source` of a module cannot contain an expression",
        );
        problems
            .push(problem.hint("put what differs between two uses of a module into its `vars`"));
        return None;
    };
    let beside = source.place.file.path.parent().unwrap_or(Path::new(""));
    let named = beside.join(written);
    let mut refuse = |message: String, hint: &str| {
        problems.push(Problem::error("module", &source.place, message).hint(hint));
        None
    };
    if bounds.open.len() > MAX_DEPTH {
        return refuse(
            format!("modules are nested more than {MAX_DEPTH} deep here"),
            "use fewer levels of modules",
        );
    }
    let found = bounds
        .files
        .file_type(&named.join(MAIN_FILE))
        .and_then(|_| bounds.files.canonical(&named));
    let path = match found {
        Ok(path) => path,
        Err(error) => {
            let message = match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => {
                    format!("there is no `{MAIN_FILE}` in `{written}`")
                }
                _ => format!("cannot read `{written}`: {error}"),
            };
            let name = &source.place.file.name;
            return refuse(
                message,
                &format!("the source of a module is a directory, relative to `{name}`"),
            );
        }
    };
    if !bounds.holds(&path) && !leaves_by_name(beside, written, &path, bounds) {
        let message = format!("`{written}` is a link that leads outside the directory");
        return refuse(message, "use the directory that it leads to as the source");
    }
    if bounds.open.contains(&path) {
        let message =
            format!("`{written}` is already being read here: the module would contain itself");
        problems.push(
            Problem::error("module", &source.place, message).hint("modules must not form a cycle"),
        );
        return None;
    }
    Some(Directory {
        written: written.to_owned(),
        named,
        path,
    })
}

/// Whether `written` leaves `bounds` as text, its `..` taken literally, and means `path` by that.
fn leaves_by_name(beside: &Path, written: &str, path: &Path, bounds: &Bounds) -> bool {
    let beside = if beside.as_os_str().is_empty() {
        Path::new(".")
    } else {
        beside
    };
    let Ok(mut literal) = bounds.files.canonical(beside) else {
        return false;
    };
    for part in Path::new(written).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = literal.pop(),
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => literal.push(part),
        }
    }
    !bounds.holds(&literal)
        && bounds
            .files
            .canonical(&literal)
            .is_ok_and(|real| real == path)
}

/// The directories outside the root that `[documents]` allows.
pub fn documents(files: &dyn Files, table: &Table, problems: &mut Problems) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    let Some(Value::Array(items)) = table.get("allow").map(|node| &node.value) else {
        return directories;
    };
    for node in items {
        let Some(written) = node.as_str() else {
            problems.push(Problem::error(
                "value",
                &node.place,
                "`allow` cannot contain an expression",
            ));
            continue;
        };
        let directory = node
            .place
            .file
            .path
            .parent()
            .unwrap_or(Path::new(""))
            .join(written);
        match files.canonical(&directory) {
            Ok(real)
                if files
                    .file_type(&real)
                    .is_ok_and(|kind| kind == FileType::Directory) =>
            {
                directories.push(real);
            }
            Ok(_) => problems.push(Problem::error(
                "value",
                &node.place,
                format!("`{written}` is not a directory"),
            )),
            Err(error) => {
                problems.push(Problem::error(
                    "value",
                    &node.place,
                    format!("cannot read `{written}`: {error}"),
                ));
            }
        }
    }
    directories
}
