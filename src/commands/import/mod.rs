//! `rolecall import`: desired state from what there is. It writes files and nothing else.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::{Console, Stop};
use crate::aws;
use crate::cli::{Format, ImportCommand};
use crate::config::json_schema;
use crate::exit::Exit;
use crate::import::emit::Output;
use crate::import::report::Report;

mod live;

/// Imports from one source.
pub async fn run(
    command: &ImportCommand,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Stop> {
    match command {
        ImportCommand::Live(args) => live::run(args, aws, console).await,
    }
}

/// Where the report is.
const REPORT: &str = "IMPORT.md";

/// Writes an import and says what is in it, and what is not.
fn finish(
    mut files: Vec<Output>,
    mut report: Report,
    directory: &Path,
    format: Format,
    console: &Console,
) -> Result<Exit, Stop> {
    let mut add = |path: &str, text: String| {
        files.push(Output {
            path: path.to_owned(),
            text,
            is_private: false,
        });
    };
    add(
        json_schema::FILE,
        format!("{:#}\n", json_schema::json_schema()),
    );
    add(REPORT, report.to_markdown());
    write(&files, directory)?;
    report.written = files.iter().map(|file| file.path.clone()).collect();
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

/// Writes all files, or none where one of them is there.
fn write(files: &[Output], directory: &Path) -> Result<(), Stop> {
    let there: Vec<String> = files
        .iter()
        .map(|file| directory.join(&file.path))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if !there.is_empty() {
        let message = format!(
            "nothing is written: {} would be overwritten",
            there.join(", ")
        );
        return Err(Stop::with_hint(
            message,
            "--out DIR writes into another directory",
        ));
    }
    for file in files {
        let path = directory.join(&file.path);
        write_file(&path, file).map_err(|error| {
            Stop::because(format!("cannot write `{}`: {error}", path.display()))
        })?;
    }
    Ok(())
}

fn write_file(path: &Path, file: &Output) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if file.is_private {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(file.text.as_bytes())
}
