//! The `name` of a directory, as far as a directory with errors shows it.
//!
//! To look at a state takes no more than its owner's name. That must work above all when something is wrong, so
//! everything else in the files is passed over: other tables, expressions, variables without a value, syntax errors
//! elsewhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files::Files;
use super::problem::{Problem, Problems};
use super::tree::{self, Node};
use super::{check, load, source};

/// The shell directory it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The directory's `name`.
    pub name: String,
    /// The id of the organization it is meant for, where it says so and that can be read.
    pub organization_id: Option<String>,
    /// The directory.
    pub directory: PathBuf,
}

/// Tells whose directory `path` is, a file or a directory; `given` is a name that is known otherwise.
///
/// # Errors
/// There is no valid name, in words.
pub fn identify(
    disk: &Arc<dyn Files>,
    path: &Path,
    var_files: &[PathBuf],
    given: Option<&str>,
) -> Result<Identity, String> {
    let mut problems = Problems::default();
    let directory = load::directory(disk.as_ref(), path);
    let bounds = source::Bounds::new(disk.clone(), &directory);
    let source::Sources { files, .. } = source::read(path, var_files, &bounds, &mut problems);
    let tables: Vec<_> = files
        .iter()
        .map(|file| tree::parse_toml(file, &mut problems))
        .collect();
    let organization_id = tables.iter().find_map(|table| {
        let id = table
            .get("organization")
            .and_then(Node::as_table)?
            .get("id")?;
        // What is wrong with it, an expression say, is for whoever needs it.
        let mut wrong = Problems::default();
        check::organization_id(id, &mut wrong).filter(|_| !wrong.has_errors())
    });
    let name = match given {
        Some(name) if check::is_directory_name(name) => name.to_owned(),
        Some(name) => {
            return Err(format!(
                "`{name}` is not a valid directory name: 1 to 64 of a-z, 0-9 and `-`"
            ));
        }
        None => {
            let name = tables.iter().find_map(|table| table.get("name"));
            let name = name.and_then(|node| check::directory_name(node, &mut problems));
            name.ok_or_else(|| unknown(path, &problems))?
        }
    };
    Ok(Identity {
        name,
        organization_id,
        directory,
    })
}

fn unknown(path: &Path, problems: &Problems) -> String {
    let place = path.display();
    match problems.iter().next() {
        Some(Problem {
            file,
            line: 0,
            message,
            ..
        }) => format!("{file}: {message}"),
        Some(Problem {
            file,
            line,
            column,
            message,
            ..
        }) => {
            format!("`name` cannot be read: {file}:{line}:{column}: {message}")
        }
        None => format!("`name` is not set in `{place}`"),
    }
}
