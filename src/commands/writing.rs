//! Writes the files of a new directory: all of them, or none.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::Error;
use crate::import::emit::Output;

/// A file to write.
#[derive(Debug)]
pub struct NewFile {
    /// Relative to the directory.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its permissions, before the umask.
    mode: u32,
}

impl NewFile {
    /// A file that anyone may read.
    pub fn public(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
            mode: 0o666,
        }
    }

    /// A file that only its owner may read.
    pub fn private(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            mode: 0o600,
            ..Self::public(path, text)
        }
    }
}

impl From<Output> for NewFile {
    fn from(file: Output) -> Self {
        if file.is_private {
            Self::private(file.path, file.text)
        } else {
            Self::public(file.path, file.text)
        }
    }
}

/// Writes all files, or none where one of them is there or cannot be written.
///
/// # Errors
/// Names the files that are there, or the one that cannot be written.
pub fn write(files: &[NewFile], directory: &Path) -> Result<(), Error> {
    let there: Vec<String> = files
        .iter()
        .map(|file| directory.join(&file.path))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if !there.is_empty() {
        let message = format!(
            "nothing was written: {} would be overwritten",
            there.join(", ")
        );
        return Err(Error::with_hint(
            message,
            "--out DIR writes into another directory",
        ));
    }
    for (at, file) in files.iter().enumerate() {
        let path = directory.join(&file.path);
        if let Err(error) = write_file(&path, file) {
            for written in files.iter().take(at + 1) {
                // What cannot be removed was not written either, or is named by the error that follows.
                _ = fs::remove_file(directory.join(&written.path));
            }
            let message = format!("cannot write `{}`: {error}", path.display());
            return Err(Error::because(message));
        }
    }
    Ok(())
}

fn write_file(path: &Path, file: &NewFile) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(file.mode)
        .open(path)?
        .write_all(file.text.as_bytes())
}
