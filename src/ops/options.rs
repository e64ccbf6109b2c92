//! What operations need to know, whoever asks for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where the desired state is, and the values of its variables.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A directory with a `rolecall.toml`, or one file.
    pub config: PathBuf,
    /// `NAME=VALUE`; these override every other source.
    pub vars: Vec<String>,
    /// TOML files of variables; a later one wins.
    pub var_files: Vec<PathBuf>,
    /// `ROLECALL_VAR_NAME` and its value.
    pub env: BTreeMap<String, String>,
}

/// The desired state, and which part of it an operation is about.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The desired state.
    pub sources: Sources,
    /// Selectors of accounts; empty selects all.
    pub accounts: Vec<String>,
    /// Names of roles, or globs over them; empty selects all.
    pub roles: Vec<String>,
    /// Whether what is managed but no longer declared is deleted.
    pub prune: bool,
    /// Accounts side by side, instead of what each operation chooses.
    pub parallelism: Option<usize>,
    /// Codes of the stop findings that are overridden.
    pub allow: Vec<String>,
}

/// How two runs on one state are kept apart.
#[derive(Debug, Clone, Copy)]
pub struct LeaseOptions {
    /// How long a lease in a bucket lasts unless it is renewed.
    pub lease: Duration,
    /// How long to wait for another run to end.
    pub lock_timeout: Duration,
}
