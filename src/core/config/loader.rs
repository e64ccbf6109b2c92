//! Collects what the root and its modules hold.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::assertion::Check;
use super::merge::{Merged, merge};
use super::module::{self, Instance};
use super::place::File;
use super::problem::{Problem, Problems};
use super::resource::{Kind, Resource};
use super::source::{self, Bounds};
use super::tree::{Node, Value};
use super::vars::{ModuleInputs, Variables};
use super::{Inputs, check, document, target};

/// Collects what the root and its modules hold.
pub(super) struct Loader<'a> {
    inputs: &'a Inputs,
    pub files: Vec<Arc<File>>,
    pub instances: Vec<Instance>,
    pub resources: Vec<Resource>,
    pub checks: Vec<Check>,
    /// Where files may lie; it holds the directories that are being read.
    bounds: Bounds,
    /// The directories that have been read: a module that is used twice is read, and blamed, once.
    read: BTreeMap<PathBuf, Rc<Merged>>,
    /// Whether there are too many modules, which is said once.
    is_full: bool,
    pub problems: Problems,
}

/// How often modules may be used in one directory, counting those in modules.
const MAX_MODULES: usize = 1_000;

impl<'a> Loader<'a> {
    pub fn new(
        inputs: &'a Inputs,
        files: Vec<Arc<File>>,
        bounds: Bounds,
        problems: Problems,
    ) -> Self {
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

    pub fn add(
        &mut self,
        instance: Instance,
        resources: Vec<(Kind, Node)>,
        checks: &[Node],
        modules: &[Node],
    ) {
        let index = self.instances.len();
        let mut problems = Problems::default();
        let declared = instance.variables.declared();
        for (kind, mut node) in resources {
            let files = &mut self.files;
            read_documents(&mut node, &self.bounds, files, &mut problems);
            let resource = Resource::new(kind, node, index, &instance);
            resource.check_names(&declared, &mut problems);
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
        let source::Sources { files, .. } = source::read(
            &directory.named,
            &self.inputs.var_files,
            &self.bounds,
            &mut problems,
        );
        let merged = merge(&files, &mut problems);
        if let Err(problem) =
            check::required_version(merged.required_version.as_ref(), &mut problems)
        {
            problems.push(*problem);
        }
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
