//! The file system as `config` sees it: what a desired state needs of a disk, and a directory held in memory.
//!
//! This crate opens no file. Whoever loads a desired state decides where its files come from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

/// One MiB, in bytes.
pub const MIB: u64 = 1024 * 1024;

/// What a path leads to, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// A directory.
    Directory,
    /// A regular file, a pipe or a device.
    File,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the directory.
    pub name: OsString,
    /// Whether it is a directory itself; a link to one is not.
    pub is_directory: bool,
}

/// The content of a file that the command line names.
#[derive(Debug)]
pub struct Given {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Whether it is a regular file. Output of a pipe is often decrypted on the way.
    pub is_regular: bool,
}

/// Where the files of a desired state are read.
pub trait Files: Debug + Send + Sync {
    /// What the path leads to, links followed.
    ///
    /// # Errors
    /// It does not exist or cannot be looked up.
    fn file_type(&self, path: &Path) -> io::Result<FileType>;

    /// The entries of a directory, in any order.
    ///
    /// # Errors
    /// It cannot be listed.
    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>>;

    /// The absolute path without links, `.` and `..`.
    ///
    /// # Errors
    /// It does not exist.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;

    /// Reads a regular file of at most `limit` bytes; a link is not followed.
    ///
    /// # Errors
    /// It cannot be read, is not a regular file, or is larger.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// Reads a file that the command line names; it may be a pipe.
    ///
    /// # Errors
    /// It cannot be read, is a directory, or is larger than `limit` bytes.
    fn read_given(&self, path: &Path, limit: u64) -> io::Result<Given>;
}

/// Files held in memory: what is compiled in, and tests.
#[derive(Debug, Clone, Default)]
pub struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    /// Adds a file, or replaces one; its directories come with it.
    pub fn write(&mut self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) {
        self.0.insert(absolute(path.as_ref()), content.into());
    }

    fn holds_below(&self, directory: &Path) -> bool {
        self.0
            .keys()
            .any(|path| path != directory && path.starts_with(directory))
    }
}

impl Files for Memory {
    fn file_type(&self, path: &Path) -> io::Result<FileType> {
        let path = absolute(path);
        if self.0.contains_key(&path) {
            Ok(FileType::File)
        } else if self.holds_below(&path) {
            Ok(FileType::Directory)
        } else {
            Err(ErrorKind::NotFound.into())
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        let directory = absolute(directory);
        let mut entries: Vec<Entry> = Vec::new();
        for path in self.0.keys() {
            let Ok(below) = path.strip_prefix(&directory) else {
                continue;
            };
            let mut parts = below.components();
            if let Some(name) = parts.next() {
                entries.push(Entry {
                    name: name.as_os_str().to_owned(),
                    is_directory: parts.next().is_some(),
                });
            }
        }
        entries.dedup();
        Ok(entries)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        self.file_type(path)?;
        Ok(absolute(path))
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(&absolute(path)).ok_or(ErrorKind::NotFound)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.clone())
    }

    fn read_given(&self, path: &Path, limit: u64) -> io::Result<Given> {
        Ok(Given {
            bytes: self.read(path, limit)?,
            is_regular: true,
        })
    }
}

/// The path from `/`, its `.` and `..` resolved as text: there are no links in memory.
fn absolute(path: &Path) -> PathBuf {
    let mut absolute = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::ParentDir => _ = absolute.pop(),
            Component::Normal(name) => absolute.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    absolute
}
