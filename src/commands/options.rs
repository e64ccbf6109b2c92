//! What the command line and the environment say, as the engine's options.

use std::path::PathBuf;

use crate::cli::{DesiredArgs, LeaseArgs, ScopeArgs};
use crate::ops::{LeaseOptions, Selection, Sources};

/// Where the desired state is, and the values that the arguments and the environment give to its variables.
pub fn sources(args: &DesiredArgs) -> Sources {
    let env = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| key.starts_with("ROLECALL_VAR_"))
        .collect();
    Sources {
        config: args.config.clone(),
        vars: args.var.clone(),
        var_files: var_files(args),
        env,
    }
}

/// The files of variables: those of the environment, so that a pipeline names them once, and then those of the command.
pub fn var_files(args: &DesiredArgs) -> Vec<PathBuf> {
    let listed = std::env::var_os("ROLECALL_VAR_FILE").unwrap_or_default();
    std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .chain(args.var_file.iter().cloned())
        .collect()
}

/// The desired state, and which part of it the command is about.
pub fn selection(args: &ScopeArgs) -> Selection {
    Selection {
        sources: sources(&args.desired),
        accounts: args.account.clone(),
        roles: args.role.clone(),
        prune: args.prune,
        parallelism: args.parallelism.map(usize::from),
        allow: args.allow.clone(),
    }
}

/// How other runs are kept away.
pub fn lease(args: &LeaseArgs) -> LeaseOptions {
    LeaseOptions {
        lease: args.lease,
        lock_timeout: args.lock_timeout,
    }
}
