//! `rolecall import`: desired state from what there is. It writes files and nothing else.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use super::writing::{NewFile, write};
use super::{Console, Error};
use crate::aws;
use crate::cli::{Format, ImportCommand, ImportTo};
use crate::config::check::is_directory_name;
use crate::config::json_schema;
use crate::exit::Exit;
use crate::files::{self, MIB};
use crate::import::emit::Output;
use crate::import::report::Report;

mod cdk;
mod cloudformation;
mod live;
mod terraform;

/// Imports from one source.
pub async fn run(
    command: &ImportCommand,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Error> {
    match command {
        ImportCommand::Live(args) => live::run(args, aws, console).await,
        ImportCommand::CloudFormation(args) => cloudformation::run(args, console),
        ImportCommand::Terraform(args) => terraform::run(args, console),
    }
}

/// The largest template or state that is read.
const LIMIT: u64 = 256 * MIB;

/// Where the report is.
const REPORT: &str = "IMPORT.md";

/// Writes an import and says what is in it, and what is not.
fn finish(
    files: Vec<Output>,
    mut report: Report,
    directory: &Path,
    format: Format,
    console: &Console,
) -> Result<Exit, Error> {
    let mut files: Vec<NewFile> = files.into_iter().map(NewFile::from).collect();
    let schema = format!("{:#}\n", json_schema::json_schema());
    files.push(NewFile::public(json_schema::FILE, schema));
    files.push(NewFile::public(REPORT, report.to_markdown()));
    write(&files, directory)?;
    report.written = files.into_iter().map(|file| file.path).collect();
    let mut out = console.data();
    match format {
        Format::Text => write!(out, "{}", report.to_text())?,
        Format::Json => console.json(&report.to_json())?,
    }
    out.flush()?;
    Ok(if report.is_partial() {
        Exit::Partial
    } else {
        Exit::Done
    })
}

/// What a file is called, and its text; `-` is standard input.
fn read(path: &Path) -> Result<(String, String), Error> {
    let is_input = path == Path::new("-");
    let (name, opened) = if is_input {
        ("standard input".to_owned(), Path::new("/dev/stdin"))
    } else {
        (path.display().to_string(), path)
    };
    let given = files::read_given(opened, LIMIT);
    let given = given.map_err(|error| Error::because(format!("cannot read `{name}`: {error}")))?;
    let text = String::from_utf8(given.bytes)
        .map_err(|_| Error::because(format!("cannot read `{name}`: it is not UTF-8")))?;
    Ok((name, text))
}

/// The name that the directory is given, else one made of a name or of a file's.
fn directory_name(to: &ImportTo, from: Option<&str>) -> Result<String, Error> {
    const LONGEST: usize = 64;
    if let Some(name) = &to.name {
        if !is_directory_name(name) {
            return Err(Error::with_hint(
                format!("`{name}` cannot name a directory"),
                "use 1 to 64 of a-z, 0-9 and -",
            ));
        }
        return Ok(name.clone());
    }
    let from = from
        .unwrap_or_default()
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default();
    let mut name = String::new();
    for c in from.split('.').next().unwrap_or_default().chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name: String = name.chars().take(LONGEST).collect();
    let name = name.trim_matches('-');
    Ok(if name.is_empty() { "imported" } else { name }.to_owned())
}

fn unpaired(flag: &str, form: &str, text: &str) -> Error {
    Error::with_hint(
        format!("{flag} `{text}` has no `=`"),
        format!("write {flag} {form}"),
    )
}

fn pairs(given: &[String], flag: &str, form: &str) -> Result<BTreeMap<String, String>, Error> {
    given
        .iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
            None => Err(unpaired(flag, form, text)),
        })
        .collect()
}
