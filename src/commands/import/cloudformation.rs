//! `rolecall import`: writes desired state for what is there already, and says what it did not take over.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use super::writing::{NewFile, write};
use super::{Console, Stop};
use crate::cli::{Format, ImportCommand, ImportTo};
use crate::config::json_schema;
use crate::exit::Exit;
use crate::files::{self, MIB};
use crate::import::draft::{Draft, Selector};
use crate::import::report::{Entry, HandOver, Report};
use crate::import::{cfn, check, hand_over};

mod cdk;

/// The largest template or state that is read.
const LIMIT: u64 = 256 * MIB;

/// Imports.
pub fn run(from: &ImportCommand, console: &Console) -> Result<Exit, Stop> {
    match from {
        ImportCommand::CloudFormation {
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
        } => {
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
            let (mut draft, entries) = cfn::import(&inputs, &options).map_err(|problems| {
                let problems: Vec<String> = problems
                    .iter()
                    .map(|problem| format!("{}: {}", problem.place, problem.why))
                    .collect();
                Stop::because(problems.join("\n"))
            })?;
            let name = inputs
                .first()
                .map(|input| input.stack_name.clone().unwrap_or_else(|| stem(&input.file)));
            draft.name = directory_name(to, name.as_deref())?;
            let files: Vec<&str> = inputs.iter().map(|input| input.file.as_str()).collect();
            let from = format!("CloudFormation: {}", files.join(", "));
            finish(draft, entries, from, hand_over::cloudformation, to, console)
        }
        ImportCommand::Terraform { .. } => Err(Stop::because("not yet")),
    }
}

/// Checks what would be written, writes it and reports.
fn finish(
    mut draft: Draft,
    mut entries: Vec<Entry>,
    from: String,
    hand_over: impl FnOnce(&Draft) -> HandOver,
    to: &ImportTo,
    console: &Console,
) -> Result<Exit, Stop> {
    let (emitted, refused) = check::check(&mut draft);
    entries.extend(refused);
    let mut report = Report::new(from, &draft, entries);
    report.hand_over = hand_over(&draft);
    let mut files: Vec<NewFile> = emitted
        .files
        .into_iter()
        .map(|file| {
            if file.is_private {
                NewFile::private(file.path, file.text)
            } else {
                NewFile::public(file.path, file.text)
            }
        })
        .collect();
    let schema = format!("{:#}\n", json_schema::json_schema());
    files.push(NewFile::public(json_schema::FILE, schema));
    files.push(NewFile::public("IMPORT.md", report.to_markdown()));
    write(&files, &to.out)?;
    report.written = files.into_iter().map(|file| file.path).collect();
    match to.format {
        Format::Json => console.json(&report.to_json())?,
        Format::Text => {
            let mut out = console.data();
            out.write_all(report.to_text().as_bytes())?;
            out.flush()?;
        }
    }
    Ok(if report.is_partial() {
        Exit::Partial
    } else {
        Exit::Done
    })
}

/// What a file is called, and its text.
fn read(path: &Path) -> Result<(String, String), Stop> {
    let is_input = path == Path::new("-");
    let (name, opened) = if is_input {
        ("standard input".to_owned(), Path::new("/dev/stdin"))
    } else {
        (path.display().to_string(), path)
    };
    let given = files::read_given(opened, LIMIT);
    let given = given.map_err(|error| Stop::because(format!("cannot read `{name}`: {error}")))?;
    let text = String::from_utf8(given.bytes)
        .map_err(|_| Stop::because(format!("cannot read `{name}`: it is not UTF-8")))?;
    Ok((name, text))
}

fn stem(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let name = name.split('.').next().unwrap_or(name);
    name.to_owned()
}

/// The name that the directory is given, else one made of what is imported.
fn directory_name(to: &ImportTo, from: Option<&str>) -> Result<String, Stop> {
    const LONGEST: usize = 64;
    let is_name = |text: &str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !text.is_empty() && text.len() <= LONGEST && text.chars().all(allowed)
    };
    if let Some(name) = &to.name {
        return if is_name(name) {
            Ok(name.clone())
        } else {
            Err(Stop::with_hint(
                format!("`{name}` cannot name a directory"),
                "1 to 64 of a-z, 0-9 and -",
            ))
        };
    }
    let mut name = String::new();
    for c in from.unwrap_or_default().chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.trim_matches('-').chars().take(LONGEST).collect();
    let name = name.trim_matches('-');
    Ok(if name.is_empty() { "imported" } else { name }.to_owned())
}

fn unpaired(flag: &str, form: &str, text: &str) -> Stop {
    Stop::with_hint(format!("{flag} `{text}` has no `=`"), format!("write {flag} {form}"))
}

fn pairs(given: &[String], flag: &str, form: &str) -> Result<BTreeMap<String, String>, Stop> {
    given
        .iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(unpaired(flag, form, text)),
        })
        .collect()
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
/// Source: AWS CLI Command Reference, cloudformation create-stack, `--parameters`; CodePipeline User Guide, template
/// configuration files; CloudFormation User Guide, git sync.
fn parameters_in(path: &Path) -> Result<BTreeMap<String, String>, Stop> {
    let (name, text) = read(path)?;
    let wrong = |why: String| {
        Stop::with_hint(
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
