//! Saved plans: written, read, and held against the organization and the desired state of today.
//!
//! What the file says of itself counts where it can only narrow what is written: the changes, `--account` and `--role`.
//! What would widen it (`--allow`, `--prune`) counts where the file is signed with this machine's key or the shared one,
//! and has to be given to apply again where it is not.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Error, Selection, Survey};
use crate::files;
use crate::plan::{self, Plan, Signature};

/// The environment variable that holds the key with which plans are signed, where they are made on one machine and
/// applied on another.
pub const KEY: &str = "ROLECALL_PLAN_KEY";

/// The largest saved plan that is read: a thousand accounts of a hundred new roles fit.
const LIMIT: u64 = 512 * files::MIB;

/// The key with which this machine signs plans.
enum Key {
    /// [`KEY`]: whatever is not signed with it is refused.
    Shared(Vec<u8>),
    /// The user's own.
    Own(Vec<u8>),
}

impl Key {
    /// The shared key, or the user's own where there is one.
    fn find() -> Option<Self> {
        Self::shared().or_else(|| {
            files::read(&Self::path()?, files::MIB)
                .ok()
                .filter(|key| !key.is_empty())
                .map(Self::Own)
        })
    }

    fn shared() -> Option<Self> {
        let key = std::env::var_os(KEY).filter(|key| !key.is_empty())?;
        Some(Self::Shared(key.into_encoded_bytes()))
    }

    /// The same, and the user's own is made where there is none yet. `None` where it cannot be kept.
    fn find_or_make() -> Option<Self> {
        if let Some(key) = Self::find() {
            return Some(key);
        }
        let path = Self::path()?;
        let directory = path.parent()?;
        std::fs::create_dir_all(directory).ok()?;
        let key = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()]
            .map(|part| part.simple().to_string())
            .concat();
        // A temporary file is 0600 from the start, and of two processes that make a key one is first.
        let mut file = tempfile::NamedTempFile::new_in(directory).ok()?;
        std::io::Write::write_all(&mut file, key.as_bytes()).ok()?;
        _ = file.persist_noclobber(&path);
        Self::find()
    }

    /// Where the user's own key lies.
    ///
    /// Source: XDG Base Directory Specification, `XDG_STATE_HOME`.
    fn path() -> Option<PathBuf> {
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute());
        let state = state.or_else(|| {
            // A home that does not exist, as of a service's user, is not made.
            Some(
                std::env::home_dir()
                    .filter(|home| home.is_dir())?
                    .join(".local/state"),
            )
        })?;
        Some(state.join("rolecall/plan.key"))
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Shared(key) | Self::Own(key) => key,
        }
    }
}

/// Writes a plan down, signed where there is a key.
///
/// # Errors
/// Never in practice: a plan is always JSON.
pub fn bytes(plan: &Plan, survey: &Survey) -> Result<Vec<u8>, serde_json::Error> {
    let (salt, key) = (
        uuid::Uuid::new_v4().simple().to_string(),
        Key::find_or_make(),
    );
    plan::save(
        plan,
        &survey.settings.secrets,
        &salt,
        key.as_ref().map(Key::bytes),
    )
}

/// Reads the file of a saved plan.
///
/// # Errors
/// It cannot be read, or is larger than any plan.
pub fn contents(path: &Path) -> Result<Vec<u8>, Error> {
    files::read_given(path, LIMIT)
        .map(|given| given.bytes)
        .map_err(|error| {
            Error::because(format!(
                "cannot read the plan `{}`: {error}",
                path.display()
            ))
        })
}

/// A saved plan that was not held against anything yet.
pub struct SavedPlan {
    path: PathBuf,
    bytes: Vec<u8>,
    claims: Claims,
    /// Whether its signature holds.
    signed: bool,
}

/// What a saved plan says of how it was made.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Claims {
    scope: plan::Scope,
    allowed: Vec<String>,
}

impl SavedPlan {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is not signed with the shared key where there is one.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let bytes = contents(path)?;
        let key = Key::find();
        let signature = key.as_ref().map_or(Signature::Missing, |key| {
            plan::signature(&bytes, key.bytes())
        });
        if let (Some(Key::Shared(_)), Signature::Missing | Signature::Other) = (&key, signature) {
            return Err(Error::refused(
                format!(
                    "the plan `{shown}` was not signed with the key in {KEY}, or was changed since"
                ),
                format!("create the plan with the same value of {KEY}"),
            ));
        }
        // What cannot be parsed is reported when it is loaded.
        let claims = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            bytes,
            claims,
            signed: signature == Signature::Valid,
        })
    }

    /// The selection for which it is planned again: those given, as far as the plan may speak with those it was made
    /// with.
    ///
    /// # Errors
    /// A saved plan cannot be narrowed.
    pub fn selection(&self, given: &Selection) -> Result<Selection, Error> {
        if !given.accounts.is_empty() || !given.roles.is_empty() {
            return Err(Error::with_hint(
                "--account and --role cannot narrow a saved plan: it is applied as it was reviewed",
                "pass them to `rolecall plan` instead",
            ));
        }
        let Claims { scope, allowed } = &self.claims;
        let mut selection = Selection {
            accounts: scope.accounts.clone(),
            roles: scope.roles.clone(),
            prune: given.prune || self.signed && scope.prune,
            ..given.clone()
        };
        if self.signed {
            selection.allow.extend(allowed.iter().cloned());
        }
        Ok(selection)
    }

    /// What the plan was made with that does not count, for a hint; `None` where everything does.
    pub fn uncounted(&self, selection: &Selection) -> Option<String> {
        let prune = self.claims.scope.prune && !selection.prune;
        let allowed = self
            .claims
            .allowed
            .iter()
            .filter(|code| !selection.allow.contains(code));
        let flags = prune
            .then(|| "--prune".to_owned())
            .into_iter()
            .chain(allowed.map(|code| format!("--allow {code}")));
        let flags = flags.collect::<Vec<_>>().join(" ");
        (!flags.is_empty()).then(|| {
            format!(
                "the plan was made with `{flags}`, which is honored only in a plan signed with this machine's key; pass it to apply as well, or set {KEY} where the plan is made and where it is applied"
            )
        })
    }

    /// Loads it, and holds it against the organization and the desired state of today.
    ///
    /// # Errors
    /// It is damaged, for another organization or directory, or stale.
    pub fn load(&self, survey: &Survey) -> Result<Plan, Error> {
        let shown = self.path.display();
        let plan = plan::load(&self.bytes, &survey.settings.secrets).map_err(|error| {
            Error::with_hint(
                format!("cannot use the plan `{shown}`: {error}"),
                "save one with `rolecall plan --out FILE`",
            )
        })?;
        let here = &survey.organization.id;
        if plan.organization_id != *here {
            return Err(Error::because(format!(
                "the plan `{shown}` is for organization {}, but the credentials belong to {here}",
                plan.organization_id
            )));
        }
        if plan.name != survey.settings.name {
            return Err(Error::because(format!(
                "the plan `{shown}` was made by `{}`, but this directory is `{}`",
                plan.name, survey.settings.name
            )));
        }
        if plan.desired_digest != survey.expansion.desired.digest {
            return Err(Error::refused(
                format!(
                    "the plan `{shown}` is stale: the desired state or its variables have changed since"
                ),
                "create a new plan and have it reviewed",
            ));
        }
        Ok(plan)
    }
}
