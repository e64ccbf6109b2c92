//! Finds and reads the files of a directory of desired state.
//!
//! In a directory `rolecall.toml` is required, and every other `*.toml` below it belongs to it too. Not so: a
//! subdirectory with a `rolecall.toml` of its own, `state/`, hidden files, and files given as `--var-file`. A file whose
//! name ends in [`AUTO_VARIABLES`] gives values to variables.
//!
//! `validate` runs on pull requests that have not been reviewed yet, so what they name is not trusted: a file is read where it
//! really lies below the directory, whatever links lead to it, and its kind and size are checked.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::{FileType, Files, MIB};
use super::place::{File, Marks};
use super::problem::{Problem, Problems};

/// The file that makes a directory a desired state.
pub const MAIN_FILE: &str = "rolecall.toml";

/// How the names of files end that give values to the variables of the directory they are in, without being named.
pub const AUTO_VARIABLES: &str = ".auto.vars.toml";

/// The largest `*.toml` of a desired state.
const TOML_LIMIT: u64 = 8 * MIB;

/// The largest policy document: IAM takes 131,072 characters, expressions and comments may make it longer here.
const DOCUMENT_LIMIT: u64 = MIB;

/// The largest `--var-file`.
const VARIABLES_LIMIT: u64 = MIB;

/// Where the files of a desired state may lie: real paths, without links in them.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Where files are read.
    pub files: Arc<dyn Files>,
    /// The root, and the modules that are being read, outermost first.
    pub open: Vec<PathBuf>,
    /// The directories that `[documents]` allows besides.
    pub documents: Vec<PathBuf>,
}

/// What a file is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A `*.toml` of a directory of desired state.
    Toml,
    /// A policy document.
    Document,
}

impl Bounds {
    /// The bounds of the desired state in this directory.
    pub fn new(files: Arc<dyn Files>, root: &Path) -> Self {
        Self {
            open: files.canonical(root).into_iter().collect(),
            files,
            documents: Vec::new(),
        }
    }

    /// Whether a real path is in the root or in a module that is being read.
    pub fn holds(&self, path: &Path) -> bool {
        self.open
            .iter()
            .any(|directory| path.starts_with(directory))
    }

    fn allows(&self, path: &Path, of: Use) -> bool {
        let extra = if of == Use::Document {
            self.documents.as_slice()
        } else {
            &[]
        };
        self.holds(path) || extra.iter().any(|directory| path.starts_with(directory))
    }

    /// Whether messages may show lines of a file.
    fn shows(&self, path: &Path) -> bool {
        self.open.first().is_some_and(|root| path.starts_with(root))
    }
}

/// The files of a directory, each list in order of their paths.
#[derive(Debug, Default)]
pub struct Sources {
    /// The desired state: the main file first.
    pub files: Vec<Arc<File>>,
    /// Values of variables.
    pub variables: Vec<Arc<File>>,
}

/// Reads the files of `path`, a file or a directory.
pub fn read(
    path: &Path,
    var_files: &[PathBuf],
    bounds: &Bounds,
    problems: &mut Problems,
) -> Sources {
    let file_type = match bounds.files.file_type(path) {
        Ok(file_type) => file_type,
        Err(error) => {
            problems.push(
                unreadable(path, &error)
                    .hint("-c takes a directory with a rolecall.toml, or a file"),
            );
            return Sources::default();
        }
    };
    if file_type != FileType::Directory {
        let file = read_file(path, Use::Toml, bounds, problems);
        return Sources {
            files: file.into_iter().collect(),
            ..Sources::default()
        };
    }
    let main = path.join(MAIN_FILE);
    if let Err(error) = bounds.files.file_type(&main)
        && error.kind() == ErrorKind::NotFound
    {
        let message = format!("there is no `{MAIN_FILE}` in `{}`", path.display());
        let hint = "choose another directory with -c, or create one with `rolecall init`";
        problems.push(Problem::elsewhere("file", main.display().to_string(), message).hint(hint));
        return Sources::default();
    }
    let skipped: BTreeSet<PathBuf> = var_files
        .iter()
        .filter_map(|file| bounds.files.canonical(file).ok())
        .collect();
    let mut found = Vec::new();
    walk(bounds.files.as_ref(), path, &skipped, &mut found, problems);
    found.sort();
    let (variables, files): (Vec<PathBuf>, Vec<PathBuf>) = std::iter::once(main)
        .chain(found)
        .partition(|path| path.to_string_lossy().ends_with(AUTO_VARIABLES));
    let mut read = |paths: Vec<PathBuf>| {
        let files = paths.iter();
        files
            .filter_map(|path| read_file(path, Use::Toml, bounds, problems))
            .collect()
    };
    Sources {
        files: read(files),
        variables: read(variables),
    }
}

fn walk(
    files: &dyn Files,
    directory: &Path,
    skipped: &BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
    problems: &mut Problems,
) {
    let entries = match files.list(directory) {
        Ok(entries) => entries,
        Err(error) => return problems.push(unreadable(directory, &error)),
    };
    for entry in entries {
        let (path, name) = (directory.join(&entry.name), entry.name);
        if name.as_encoded_bytes().starts_with(b".") || name == MAIN_FILE {
            continue;
        }
        // A symbolic link to a directory is not followed: it may lead round in a circle.
        if entry.is_directory {
            if name != "state" && files.file_type(&path.join(MAIN_FILE)).is_err() {
                walk(files, &path, skipped, found, problems);
            }
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
            && !files
                .file_type(&path)
                .is_ok_and(|kind| kind == FileType::Directory)
        {
            let given_as_variables = files
                .canonical(&path)
                .is_ok_and(|path| skipped.contains(&path));
            if !given_as_variables {
                found.push(path);
            }
        }
    }
}

/// Reads one file of a desired state as UTF-8, where it lies within `bounds`.
pub fn read_file(
    path: &Path,
    of: Use,
    bounds: &Bounds,
    problems: &mut Problems,
) -> Option<Arc<File>> {
    let real = match bounds.files.canonical(path) {
        Ok(real) => real,
        Err(error) => {
            problems.push(unreadable(path, &error));
            return None;
        }
    };
    if !bounds.allows(&real, of) {
        problems.push(outside(path, of, bounds));
        return None;
    }
    let limit = if of == Use::Toml {
        TOML_LIMIT
    } else {
        DOCUMENT_LIMIT
    };
    match bounds.files.read(&real, limit) {
        Ok(bytes) => text(path, bytes, bounds.shows(&real), problems),
        Err(error) => {
            problems.push(unreadable(path, &error));
            None
        }
    }
}

/// Reads a `--var-file`. The command line is trusted, so it may lie anywhere, and may be a pipe.
pub fn read_variables(
    files: &dyn Files,
    path: &Path,
    problems: &mut Problems,
) -> Option<Arc<File>> {
    match files.read_given(path, VARIABLES_LIMIT) {
        Ok(given) => text(path, given.bytes, given.is_regular, problems),
        Err(error) => {
            problems.push(unreadable(path, &error));
            None
        }
    }
}

/// A byte order mark at the start is left out.
fn text(path: &Path, bytes: Vec<u8>, is_shown: bool, problems: &mut Problems) -> Option<Arc<File>> {
    let name = path
        .strip_prefix("./")
        .unwrap_or(path)
        .display()
        .to_string();
    match String::from_utf8(bytes) {
        Ok(text) => {
            let text = text
                .strip_prefix('\u{feff}')
                .map(str::to_owned)
                .unwrap_or(text);
            Some(Arc::new(File {
                name,
                path: path.to_owned(),
                text,
                marks: Marks::default(),
                is_shown,
            }))
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let message = format!("`{name}` is not UTF-8: byte {at} is not valid");
            problems.push(Problem::elsewhere("file", name, message).hint("save the file as UTF-8"));
            None
        }
    }
}

fn outside(path: &Path, of: Use, bounds: &Bounds) -> Problem {
    let root = bounds
        .open
        .first()
        .map(|root| format!(" `{}`", root.display()))
        .unwrap_or_default();
    let message = format!("`{}` is outside the directory{root}", path.display());
    Problem::elsewhere("file", path.display().to_string(), message).hint(match of {
        Use::Toml => "move it into the directory, or make the other directory a module",
        Use::Document => {
            "move it into the directory, or name its directory in rolecall.toml: [documents] allow = [\"../policies\"]"
        }
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::elsewhere(
        "file",
        path.display().to_string(),
        format!("cannot read `{}`: {error}", path.display()),
    )
}
