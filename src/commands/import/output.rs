//! What every import ends with: its files and its report.

use std::io::Write as _;
use std::path::Path;

use crate::cli::Format;
use crate::commands::writing::{NewFile, write};
use crate::commands::{Console, Error};
use crate::config::json_schema;
use crate::exit::Exit;
use crate::import::emit::Output;
use crate::import::report::Report;

/// Where the report is.
const REPORT: &str = "IMPORT.md";

/// Writes an import and says what is in it, and what is not.
pub(super) fn finish(
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
