//! `rolecall import cloudformation`: templates, and the AWS CDK's output.

use std::collections::BTreeMap;
use std::path::Path;

use super::cdk;
use super::input::{directory_name, pairs, read, unpaired};
use super::output::finish;
use crate::cli::CloudFormationArgs;
use crate::commands::{Console, Error};
use crate::exit::Exit;
use crate::import::draft::Selector;
use crate::import::report::Report;
use crate::import::{cfn, check, hand_over};

/// Reads the templates, and writes what they hold as desired state.
pub fn run(args: &CloudFormationArgs, console: &Console) -> Result<Exit, Error> {
    let CloudFormationArgs {
        templates,
        parameters,
        parameter_file,
        resolve,
        stack_name,
        stack_account,
        regions,
        targets,
        role_names,
        include,
        nested,
        to,
    } = args;
    let mut options = cfn::Options {
        parameters: match parameter_file {
            Some(file) => parameters_in(file)?,
            None => BTreeMap::new(),
        },
        resolve: *resolve,
        stack_account: stack_account.clone(),
        regions: regions.clone(),
        targets: targets.iter().map(|text| selector(text)).collect(),
        role_names: pairs(role_names, "--role-name", "LOGICAL=NAME")?,
        include: include.iter().cloned().collect(),
        nested: BTreeMap::new(),
    };
    options
        .parameters
        .extend(pairs(parameters, "--parameter", "K=V")?);
    for text in nested {
        // A URL may have `=` in it, a file hardly.
        let Some((url, file)) = text.rsplit_once('=') else {
            return Err(unpaired("--nested", "URL=FILE", text));
        };
        let name = file.to_owned();
        let text = read(Path::new(file))?.1;
        options.nested.insert(url.to_owned(), (name, text));
    }
    let mut inputs = Vec::new();
    for path in templates {
        if path.is_dir() {
            cdk::read(path, &mut inputs, &mut options.nested)?;
        } else {
            let (file, text) = read(path)?;
            inputs.push(cfn::Input {
                file,
                text,
                ..cfn::Input::default()
            });
        }
    }
    for input in &mut inputs {
        input.stack_name = stack_name.clone().or_else(|| input.stack_name.take());
    }
    let (mut draft, mut entries) = cfn::import(&inputs, &options).map_err(|problems| {
        let problems: Vec<String> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.place, problem.why))
            .collect();
        Error::because(problems.join("\n"))
    })?;
    let first = inputs.first();
    let name = first.map(|input| input.stack_name.as_ref().unwrap_or(&input.file).as_str());
    draft.name = directory_name(to, name)?;
    let files: Vec<&str> = inputs.iter().map(|input| input.file.as_str()).collect();
    let from = format!("CloudFormation: {}", files.join(", "));
    let (emitted, refused) = check::check(&mut draft, None);
    entries.extend(refused);
    let mut report = Report::new(from, &draft, entries);
    report.hand_over = hand_over::cloudformation(&draft);
    finish(emitted.files, report, &to.out, to.format, console)
}

/// A selector as `--target` writes it.
fn selector(text: &str) -> Selector {
    match text.split_once('=') {
        Some(("ou", unit)) => Selector::units([unit]),
        Some(("account", account)) => Selector::accounts([account]),
        _ if text == "all" => Selector::accounts(["*"]),
        _ if text.starts_with("ou-") || text.starts_with("r-") => Selector::units([text]),
        _ => Selector::accounts([text]),
    }
}

/// The values in a file of parameters.
///
/// Source: AWS CLI Command Reference, cloudformation create-stack, `--parameters`; `CodePipeline` User Guide, template
/// configuration files; CloudFormation User Guide, git sync.
fn parameters_in(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let (name, text) = read(path)?;
    let wrong = |why: String| {
        Error::with_hint(
            format!("cannot read parameters in `{name}`: {why}"),
            "[{\"ParameterKey\": …, \"ParameterValue\": …}], {\"Parameters\": {…}} or {\"NAME\": \"VALUE\"}",
        )
    };
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let value = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Bool(value) => Some(value.to_string()),
        serde_json::Value::Number(value) => Some(value.to_string()),
        serde_json::Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(|item| item.as_str()).collect();
            Some(items?.join(","))
        }
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
    };
    let mut found = BTreeMap::new();
    match json.get("Parameters").unwrap_or(&json) {
        serde_json::Value::Array(items) => {
            for item in items {
                let key = item.get("ParameterKey").and_then(serde_json::Value::as_str);
                let given = item.get("ParameterValue").and_then(value);
                match (key, given) {
                    (Some(key), Some(given)) => _ = found.insert(key.to_owned(), given),
                    // What it keeps is not known here.
                    (Some(_), None) if item.get("UsePreviousValue").is_some() => {}
                    _ => return Err(wrong(format!("`{item}` is not a parameter"))),
                }
            }
        }
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                let given = value(member);
                let given = given.ok_or_else(|| wrong(format!("`{key}` is not a text")))?;
                found.insert(key.clone(), given);
            }
        }
        _ => return Err(wrong("it is neither a list nor an object".to_owned())),
    }
    Ok(found)
}
