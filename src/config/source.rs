//! Finds and reads the files of a directory of desired state.
//!
//! In a directory `rolecall.toml` is required, and every other `*.toml` below it belongs to it too. Not so: a
//! subdirectory with a `rolecall.toml` of its own, `state/`, hidden files, and files given as `--var-file`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{Problem, Problems};
use super::tree::{File, Marks};

/// The file that makes a directory a desired state.
pub const MAIN_FILE: &str = "rolecall.toml";

/// Reads the files of `path`, a file or a directory: the main file first, the others in order of their paths.
pub fn read(path: &Path, var_files: &[PathBuf], problems: &mut Problems) -> Vec<Arc<File>> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            problems.push(unreadable(path, &error).hint("-c names a directory with a rolecall.toml, or a file"));
            return Vec::new();
        }
    };
    if !meta.is_dir() {
        return read_file(path, problems).into_iter().collect();
    }
    let main = path.join(MAIN_FILE);
    if !main.is_file() {
        let message = format!("there is no `{MAIN_FILE}` in `{}`", path.display());
        let hint = "-c names another directory; `rolecall init` makes a new one";
        problems.push(Problem::elsewhere("file", main.display().to_string(), message).hint(hint));
        return Vec::new();
    }
    let skipped: BTreeSet<PathBuf> = var_files.iter().filter_map(|file| fs::canonicalize(file).ok()).collect();
    let mut found = Vec::new();
    walk(path, &skipped, &mut found, problems);
    found.sort();
    std::iter::once(main).chain(found).filter_map(|path| read_file(&path, problems)).collect()
}

fn walk(directory: &Path, skipped: &BTreeSet<PathBuf>, found: &mut Vec<PathBuf>, problems: &mut Problems) {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return problems.push(unreadable(directory, &error)),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => return problems.push(unreadable(directory, &error)),
        };
        let (path, name) = (entry.path(), entry.file_name());
        // A symbolic link to a directory is not followed: it may lead round in a circle.
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if name.as_encoded_bytes().starts_with(b".") || name == MAIN_FILE {
            continue;
        }
        if is_directory {
            if name != "state" && !path.join(MAIN_FILE).exists() {
                walk(&path, skipped, found, problems);
            }
        } else if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            let given_as_variables = fs::canonicalize(&path).is_ok_and(|path| skipped.contains(&path));
            if !given_as_variables {
                found.push(path);
            }
        }
    }
}

/// Reads one file as UTF-8; a byte order mark at its start is left out.
pub fn read_file(path: &Path, problems: &mut Problems) -> Option<Arc<File>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            problems.push(unreadable(path, &error));
            return None;
        }
    };
    let name = path.strip_prefix("./").unwrap_or(path).display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
            Some(Arc::new(File { name, path: path.to_owned(), text, marks: Marks::default() }))
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let message = format!("`{name}` is not UTF-8: byte {at} is not valid");
            problems.push(Problem::elsewhere("file", name, message).hint("save the file as UTF-8"));
            None
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::elsewhere("file", path.display().to_string(), format!("cannot read `{}`: {error}", path.display()))
}
