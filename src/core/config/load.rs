//! From files to a [`Config`]: everything that can be found without AWS is found here, in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::assertion::Judge;
use super::files::{FileType, Files};
use super::loader::Loader;
use super::merge::merge;
use super::module::{self, Instance};
use super::place::{File, Place};
use super::problem::{Problem, Problems};
use super::scope::Found;
use super::settings::{self, AccountSettings};
use super::source::{self, Bounds};
use super::stand_in::{self, StandIn};
use super::tree::{Key, Node, Table, Value, for_each_template};
use super::vars::{Sources, Values, Variables};
use super::{Config, Inputs, accept, check, lints, render};
use crate::resource::secret::Secrets;

/// Reads a directory of desired state and checks everything that needs no AWS.
///
/// # Errors
/// Every problem found, sorted by place, warnings among them.
pub fn load(inputs: &Inputs) -> Result<Config, Problems> {
    let mut problems = Problems::default();
    let root_directory = directory(inputs.files.as_ref(), &inputs.path);
    let mut bounds = Bounds::new(inputs.files.clone(), &root_directory);
    let source::Sources {
        files,
        variables: automatic,
    } = source::read(&inputs.path, &inputs.var_files, &bounds, &mut problems);
    let merged = merge(&files, &mut problems);
    if files.is_empty() {
        return Err(problems);
    }
    // Another version's language explains whatever else is wrong, so this is reported alone.
    if let Err(problem) = check::required_version(merged.required_version.as_ref(), &mut problems) {
        return Err(Problems::from(*problem));
    }
    let sources = Sources {
        arguments: &inputs.vars,
        files: inputs.files.as_ref(),
        automatic: &automatic,
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
