//! A state in a local directory.
//!
//! An object is written to a temporary file beside it, synced, and renamed, and the directory is synced after it: after a
//! crash the old one is there or the new one. Files are for their owner alone (0600, directories 0700), as they say what
//! may be done in every account. Versions are digests of the content: writers are kept apart by the lock, so a version
//! only tells that a lock was lost.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::backend::{Backend, Condition, Exclusion, Object, Version};

use super::error::Failure;
use super::seal::sha256;
use crate::files::{self, Links};

/// The ending of a log's file.
const LOG: &str = ".jsonl";

/// The largest file of a state that is read.
const LIMIT: u64 = 1024 * files::MIB;

/// The name of the lock's file.
const LOCK: &str = "lock.json";

/// A directory that holds a state, or will.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The state in `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Does what blocks where it may block.
    fn run<T: Send + 'static>(
        &self,
        key: &str,
        act: impl FnOnce(&Path) -> Result<T, Failure> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Failure>> {
        let (root, key) = (self.root.clone(), key.to_owned());
        let act = move || {
            check_links(&root, &key)?;
            act(&root.join(&key))
        };
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(act).await;
            done.unwrap_or_else(|_| Err(Failure::Other("the run is ending".to_owned())))
        })
    }
}

impl Backend for Directory {
    fn place(&self, key: &str) -> String {
        self.root.join(key).display().to_string()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>, Failure>> {
        self.run(key, read)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, Failure>> {
        self.run(key, move |path| replace(path, &bytes, &condition))
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        let after = after.to_owned();
        self.run(prefix, move |path| {
            Ok(names(path)?
                .into_iter()
                .filter(|name| *name > after)
                .collect())
        })
    }

    fn append<'a>(
        &'a self,
        log: &'a str,
        part: u32,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        self.run(&format!("{log}{LOG}"), move |path| {
            append(path, part, &bytes)
        })
    }

    fn parts<'a>(&'a self, log: &'a str) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        let key = format!("{log}{LOG}");
        self.run(&key.clone(), move |path| {
            Ok(if path.try_exists()? {
                vec![key]
            } else {
                Vec::new()
            })
        })
    }

    fn exclusion(&self) -> Exclusion {
        Exclusion::Lock(self.root.join(LOCK))
    }
}

/// Refuses links below the root: a repository may carry a `state/` whose parts point at someone else's files. That the
/// root itself is a link is the user's own doing.
fn check_links(root: &Path, key: &str) -> Result<(), Failure> {
    let mut path = root.to_owned();
    for part in Path::new(key) {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(Failure::Other(format!(
                    "`{}` is a symbolic link, which is not followed",
                    path.display()
                )));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn version(bytes: &[u8]) -> Version {
    Version(sha256(&[bytes]))
}

/// The file, or `None` where it or its directory is not there.
fn read(path: &Path) -> Result<Option<Object>, Failure> {
    match files::read(path, LIMIT) {
        Ok(bytes) => Ok(Some(Object {
            version: version(&bytes),
            bytes,
        })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes a file beside `path` and puts it in its place.
fn replace(path: &Path, bytes: &[u8], condition: &Condition) -> Result<Version, Failure> {
    if let Condition::Version(expected) = condition
        && read(path)?.is_none_or(|object| object.version != *expected)
    {
        return Err(Failure::Conflict);
    }
    let directory = parent(path)?;
    // A temporary file is 0600 from the start.
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match condition {
        Condition::Absent => {
            file.persist_noclobber(path)
                .map_err(|error| match error.error.kind() {
                    ErrorKind::AlreadyExists => Failure::Conflict,
                    _ => error.error.into(),
                })?;
        }
        Condition::Version(_) => {
            file.persist(path).map_err(|error| error.error)?;
        }
    }
    sync(directory)?;
    Ok(version(bytes))
}

/// Adds to a file; the first part makes it.
fn append(path: &Path, part: u32, bytes: &[u8]) -> Result<(), Failure> {
    let directory = parent(path)?;
    let first = part == 1;
    let opened = files::open(
        path,
        OpenOptions::new()
            .append(true)
            .create_new(first)
            .mode(0o600),
        Links::Refused,
    );
    let mut file = opened.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Conflict,
        _ => error.into(),
    })?;
    file.write_all(bytes)?;
    file.sync_data()?;
    if first {
        sync(directory)?;
    }
    Ok(())
}

/// The directory of a file, made for its owner alone where it is not there yet.
pub(super) fn parent(path: &Path) -> io::Result<&Path> {
    let directory = above(path);
    if !directory.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        sync(above(directory))?;
    }
    Ok(directory)
}

fn above(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes what was renamed or created in a directory survive a crash.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The names in a directory without those that begin with a dot; none where there is no directory.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !name.starts_with('.') {
            let ending = if entry.file_type()?.is_dir() { "/" } else { "" };
            names.push(name + ending);
        }
    }
    names.sort();
    Ok(names)
}
