//! What a state needs of its storage: named objects, each whole or absent, and conditional writes.
//!
//! Keys are paths with `/`. A place promises three things: a reader sees an object whole or not at all, whatever was
//! answered is durable, and of two writers with the same condition one gets [`Failure::Conflict`].

use std::fmt;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;

use super::error::{Failure, StoreError};

/// A place for a state.
pub trait Backend: Send + Sync + fmt::Debug {
    /// What a person calls the object at `key`: a path, or an `s3://` address.
    fn place(&self, key: &str) -> String;

    /// The object at `key`, or `None` where there is none.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>, Failure>>;

    /// Writes an object, whole or not at all, where `condition` holds. Returns its version.
    ///
    /// One that has these very bytes already may count as written: the answer to an earlier attempt may have been lost.
    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, Failure>>;

    /// The names right below `prefix` (which ends with `/` or is empty) that sort after `after`, sorted; those that have
    /// names below themselves end with `/`. All of them where `after` is empty.
    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>>;

    /// Adds the `part`th piece, counted from 1, to the log `log` (a key without its ending). Returns once it is durable.
    fn append<'a>(
        &'a self,
        log: &'a str,
        part: u32,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// The keys that hold the log `log`, in order; none where there is no such log.
    fn parts<'a>(&'a self, log: &'a str) -> BoxFuture<'a, Result<Vec<String>, Failure>>;

    /// How writers are kept apart here.
    fn exclusion(&self) -> Exclusion;
}

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Which version of it.
    pub version: Version,
}

/// One version of an object: an entity tag, or a digest of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// On which condition an object is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is none yet.
    Absent,
    /// It still has this version.
    Version(Version),
}

/// How two writers of one state are kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exclusion {
    /// By an operating-system lock on this file, free as soon as its process is gone.
    Lock(PathBuf),
    /// By an object written on condition, which expires unless its holder renews it.
    Lease,
}

/// Where a state lies, as it is written on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory.
    Directory(PathBuf),
    /// `s3://bucket/prefix`.
    S3 {
        /// The bucket.
        bucket: String,
        /// What all keys begin with, without `/` at its ends; empty for the whole bucket.
        prefix: String,
    },
}

impl Location {
    /// Reads what was given, or chooses `state/` inside `directory`, the configuration's own.
    ///
    /// # Errors
    /// An address of another kind, or one without a bucket.
    pub fn parse(given: Option<&str>, directory: &Path) -> Result<Self, StoreError> {
        let Some(given) = given else {
            return Ok(Self::Directory(directory.join("state")));
        };
        let refuse = |reason: &str| {
            Err(StoreError::Location {
                given: given.to_owned(),
                reason: reason.to_owned(),
            })
        };
        if let Some(rest) = given.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return refuse("it has no bucket name");
            }
            let prefix = prefix.trim_matches('/');
            return Ok(Self::S3 {
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
            });
        }
        match given.split_once("://") {
            Some((scheme, _)) => refuse(&format!("`{scheme}` is not a supported scheme")),
            None if given.is_empty() => refuse("it is empty"),
            None => Ok(Self::Directory(PathBuf::from(given))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_lies_in_a_directory_or_a_bucket() {
        let s3 = |bucket: &str, prefix: &str| Location::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
        };
        for (given, expect) in [
            (None, Ok(Location::Directory("conf/state".into()))),
            (
                Some("elsewhere"),
                Ok(Location::Directory("elsewhere".into())),
            ),
            (Some("s3://b"), Ok(s3("b", ""))),
            (Some("s3://b/"), Ok(s3("b", ""))),
            (Some("s3://b/a/b/"), Ok(s3("b", "a/b"))),
            (Some("s3:///a"), Err("no bucket name")),
            (Some("gs://b/a"), Err("`gs` is not a supported scheme")),
            (Some(""), Err("empty")),
        ] {
            match (Location::parse(given, Path::new("conf")), expect) {
                (Ok(found), Ok(expect)) => assert_eq!(found, expect),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (found, expect) => panic!("{given:?}: {found:?}, not {expect:?}"),
            }
        }
    }
}
