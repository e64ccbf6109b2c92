//! The desired state as its author wrote it, and how it becomes [`Desired`](crate::desired::Desired).
//!
//! Files become one tree in which everything knows its place ([`tree`]); the tree is checked against static tables
//! ([`schema`], [`shape`]) and its expressions are compiled ([`expr`]). For each account the expressions are evaluated
//! and the tree is rendered ([`render`]), and what was rendered becomes roles and policies ([`convert`]).
//! Everything that is wrong is said at once ([`problem`]).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub mod accept;
pub mod assertion;
mod attachment;
pub mod check;
pub mod convert;
pub mod document;
pub mod eval;
mod expand;
pub mod expr;
pub mod facts;
pub mod files;
mod grant;
mod held;
mod identity;
pub mod json_schema;
pub mod language;
pub mod lints;
mod load;
mod loader;
pub mod locals;
mod merge;
pub mod module;
mod narrow;
pub mod place;
pub mod problem;
mod reach;
pub mod reference;
pub mod render;
mod resource;
mod rollout;
pub mod schema;
pub mod scope;
pub mod settings;
pub mod shape;
pub mod source;
mod stand_in;
pub mod statement;
pub mod target;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod vars;
pub mod without;

pub use accept::Accept;
pub use assertion::{CheckFinding, Weight};
pub use expand::{Expansion, TargetedBy, Unmatched};
pub use files::{Files, Memory};
pub use identity::{Identity, identify};
pub use lints::Lints;
pub use load::load;
pub use narrow::NarrowScope;
pub use problem::{Color, Problem, Problems, Severity};
pub use rollout::{Rollout, Wave};
pub use settings::Access;
pub use source::MAIN_FILE;

use crate::desired::{AccountDesired, Limits};
use crate::resource::secret::Secrets;

/// Where a desired state and the values of its variables come from.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Where files are read.
    pub files: Arc<dyn Files>,
    /// A file, or a directory with a `rolecall.toml`.
    pub path: PathBuf,
    /// `name=value`, as given.
    pub vars: Vec<String>,
    /// Files of values; a later one wins.
    pub var_files: Vec<PathBuf>,
    /// The environment variables that begin with [`vars::ENVIRONMENT_PREFIX`]; others are ignored.
    pub env: BTreeMap<String, String>,
}

impl Inputs {
    /// The desired state at `path`, without values for its variables.
    pub fn new(files: Arc<dyn Files>, path: impl Into<PathBuf>) -> Self {
        Self {
            files,
            path: path.into(),
            vars: Vec::new(),
            var_files: Vec::new(),
            env: BTreeMap::new(),
        }
    }
}

/// A desired state, correct as far as can be checked without AWS.
#[derive(Debug)]
pub struct Config {
    name: String,
    organization_id: Option<String>,
    access: Access,
    limits: Limits,
    rollout: Rollout,
    accepts: Vec<Accept>,
    digest: String,
    directory: PathBuf,
    warnings: Vec<Problem>,
    lints: Lints,
    /// The root first, then modules; what names a module comes before it.
    instances: Vec<module::Instance>,
    accounts: Vec<settings::AccountSettings>,
    resources: Vec<resource::Resource>,
    checks: Vec<assertion::Check>,
    stand_in: AccountDesired,
    findings: Vec<CheckFinding>,
    files: usize,
    secrets: Secrets,
}

/// What a desired state holds, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// `[[role]]`, those of modules included.
    pub roles: usize,
    /// `[[policy]]`, those of modules included.
    pub policies: usize,
    /// Files read, policy documents included.
    pub files: usize,
}

impl Config {
    /// The directory's `name`: the owner's mark.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The organization it is meant for, where it says so.
    pub fn organization_id(&self) -> Option<&str> {
        self.organization_id.as_deref()
    }

    /// How accounts are entered.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The guards against large changes.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How apply goes through the accounts.
    pub fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// The differences that are known and accepted.
    pub fn accepts(&self) -> &[Accept] {
        &self.accepts
    }

    /// How much findings weigh, and who the known outsiders are.
    pub fn lints(&self) -> &Lints {
        &self.lints
    }

    /// What a placeholder account would hold: every role and policy whose `when` may be true, with
    /// [`scope::STAND_IN`] where the account would show.
    pub fn stand_in(&self) -> &AccountDesired {
        &self.stand_in
    }

    /// What the `[[check]]`s over roles and policies find without AWS.
    pub fn findings(&self) -> &[CheckFinding] {
        &self.findings
    }

    /// `sha256:…` over every file read and every value given.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The directory it was read from.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What was found and does not refuse the run.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The sensitive values.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What it holds, in numbers.
    pub fn resources(&self) -> Counts {
        let count = |kind| {
            self.resources
                .iter()
                .filter(|resource| resource.kind == kind)
                .count()
        };
        Counts {
            roles: count(resource::Kind::Role),
            policies: count(resource::Kind::Policy),
            files: self.files,
        }
    }

    fn roles(&self) -> impl Iterator<Item = &resource::Resource> {
        self.resources
            .iter()
            .filter(|resource| resource.kind == resource::Kind::Role)
    }
}
