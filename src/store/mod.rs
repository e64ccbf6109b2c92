//! The only opener of state: what was last converged, the record of each run, and the lease that keeps two applies apart.
//!
//! A state is a few named objects in a directory or a bucket ([`Backend`]). Tags in AWS record ownership and
//! nothing here: losing a state loses history (whose fault a difference is, and the way back), never safety. All the more
//! is it never silently made anew: a damaged file, a newer one, or someone else's is an error that names it.
//!
//! ```text
//! state.json            organization, name, salt; written once
//! accounts/<id>.json    what was last converged there
//! runs/<run>.jsonl      the record of a run; in a bucket runs/<run>/<part>.jsonl
//! lease.json            who may write, in a bucket; in a directory the lock is on lock.json
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub mod backend;
mod clock;
mod directory;
mod error;
mod format;
mod key;
mod lease;
mod log;
mod record;
mod run;
mod seal;
#[cfg(test)]
pub(crate) mod tests;

pub use backend::{Backend, Location};
pub use directory::Directory;
pub use error::{Failure, StoreError};
pub use format::{FORMAT, Identity};
pub use lease::{Holder, Lease, LeaseError, LeaseSettings, Unlock, Unlocked, Wait, Waiting};
pub use log::RunLog;
pub use record::{AccountRecord, ResourceRecord};
pub use run::{Entry, Logged, RunHeader, RunOutline, RunRecord, Runs};

use crate::org::AccountId;
use crate::resource::secret::{Digests, Secrets};
use backend::{Condition, Object, Version};
use clock::{Clock, System};

/// Records read at once from a bucket.
const AT_ONCE: usize = 16;

/// What a state is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written; a state that does not exist is an empty one.
    Read,
    /// It must be writable, and is made where it does not exist.
    Write,
}

/// `state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owner {
    identity: Identity,
    salt: String,
}

/// Whether a state was there when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The state existed before.
    Found,
    /// It was not: nothing is remembered.
    New,
}

/// An open state. Clones are the same state.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    owner: Owner,
    origin: Origin,
    /// What is sensitive in addresses and ARNs, as it is kept.
    digests: Arc<Digests>,
    /// The accounts that were read or written, each as it was then.
    versions: Arc<Mutex<BTreeMap<AccountId, Condition>>>,
}

impl Store {
    /// Opens the state that lies in `backend`, for its owner.
    ///
    /// # Guarantees
    /// - A state that exists is never replaced: one that is damaged, newer, or another directory's is an error.
    /// - With [`Access::Write`] it was written once before this returns, so that a run does not find out at its end that
    ///   it cannot record.
    /// - With [`Access::Read`] nothing is written, and a state that does not exist yet is empty.
    ///
    /// # Assumptions
    /// - `identity` comes from the organization that the credentials belong to, not from the configuration.
    ///
    /// # Errors
    /// It belongs to another directory or organization, cannot be read, or with [`Access::Write`] cannot be written.
    pub async fn open(
        backend: Arc<dyn Backend>,
        identity: Identity,
        access: Access,
    ) -> Result<Self, StoreError> {
        let found = Self::find(
            Arc::clone(&backend),
            &identity.name,
            Some(&identity.organization),
        )
        .await?;
        match (found, access) {
            (Some((store, version)), Access::Write) => {
                store.claim(Condition::Version(version)).await?;
                Ok(store)
            }
            (Some((store, _)), Access::Read) => Ok(store),
            (None, access) => Self::fresh(backend, identity, access).await,
        }
    }

    /// Opens the state that lies in `backend`, as far as it is known without AWS that it is `name`'s. `None` where
    /// there is none yet.
    ///
    /// # Errors
    /// It belongs to another directory, or cannot be read.
    pub async fn inspect(
        backend: Arc<dyn Backend>,
        name: &str,
        organization: Option<&str>,
    ) -> Result<Option<Self>, StoreError> {
        Ok(Self::find(backend, name, organization)
            .await?
            .map(|(store, _)| store))
    }

    /// The same, in which these values are kept as digests where they stand in an address or an ARN.
    #[must_use]
    pub fn hiding(self, secrets: &Secrets) -> Self {
        Self {
            digests: Arc::new(Digests::new(secrets.clone(), &self.owner.salt)),
            ..self
        }
    }

    /// What sensitive values are digested with: the same for the life of a state, and another for each. Where there is
    /// no state yet it is one that no one has.
    pub fn salt(&self) -> &str {
        &self.owner.salt
    }

    /// Whether it was there when it was opened.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What a person calls the place it lies in.
    pub fn place(&self) -> String {
        self.backend.place("")
    }

    /// What was last converged in an account; empty where nothing was.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn account(&self, account: AccountId) -> Result<AccountRecord, StoreError> {
        let key = key::account(account);
        let Some((record, version)) = self.read::<AccountRecord>(&key).await? else {
            self.remember(account, Condition::Absent);
            return Ok(AccountRecord::new(account));
        };
        if record.account != account {
            let reason = format!("it is the record of account {}", record.account);
            return Err(StoreError::Damaged {
                place: self.backend.place(&key),
                reason,
            });
        }
        self.remember(account, Condition::Version(version));
        Ok(record.with_texts(&|text| self.digests.reveal(text)))
    }

    /// The accounts that have a record, in order.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn accounts(&self) -> Result<Vec<AccountId>, StoreError> {
        Ok(self
            .list(key::ACCOUNTS)
            .await?
            .iter()
            .filter_map(|name| key::account_of(name))
            .collect())
    }

    /// Writes what was converged in an account, in place of what this state last read or wrote there.
    ///
    /// # Errors
    /// It cannot be written, or someone else wrote it in between.
    pub async fn put_account(&self, record: &AccountRecord) -> Result<(), StoreError> {
        let account = record.account;
        if self.known(account).is_none() {
            self.account(account).await?;
        }
        let condition = self.known(account).unwrap_or(Condition::Absent);
        let kept = record.clone().with_texts(&|text| self.digests.hide(text));
        let version = self.write(&key::account(account), &kept, condition).await?;
        self.remember(account, Condition::Version(version));
        Ok(())
    }

    /// Takes the lease: while it is held no other run gets one.
    ///
    /// # Errors
    /// Someone else holds it, and still did after `lock_timeout`; the run was halted before; or the state cannot be read
    /// or written.
    pub async fn lease(
        &self,
        settings: LeaseSettings,
        waiting: Waiting<'_>,
    ) -> Result<Lease, LeaseError> {
        lease::take(
            Arc::clone(&self.backend),
            Arc::clone(&self.clock),
            settings,
            waiting,
        )
        .await
    }

    /// Takes a lease from whoever left it behind.
    ///
    /// # Errors
    /// It cannot be read or written, or the run was halted before it was known whether the lease is still renewed.
    pub async fn unlock(
        &self,
        unlock: Unlock,
        waiting: Waiting<'_>,
    ) -> Result<Unlocked, LeaseError> {
        lease::unlock(&*self.backend, &*self.clock, unlock, waiting).await
    }

    /// Begins the record of a run.
    ///
    /// # Errors
    /// It cannot be written, or there is a run of this id.
    pub async fn begin(&self, header: &RunHeader) -> Result<RunLog, StoreError> {
        if !run::is_id(&header.run) {
            let reason = "a run's id is letters, digits, `-`, `_` and `.`".to_owned();
            return Err(StoreError::Write {
                place: self.backend.place(&key::log(&header.run)),
                reason,
            });
        }
        let (backend, clock) = (Arc::clone(&self.backend), Arc::clone(&self.clock));
        RunLog::open(backend, clock, Arc::clone(&self.digests), header).await
    }

    /// The newest runs in one line each, `limit` at most, the newest first. One whose record cannot be used hides no
    /// other.
    ///
    /// # Errors
    /// They cannot be listed.
    pub async fn runs(&self, limit: usize) -> Result<Runs, StoreError> {
        let ids = self.run_ids("").await?;
        let more = ids.len().saturating_sub(limit);
        let outlines =
            futures_util::stream::iter(ids.into_iter().take(limit)).map(|run| async move {
                let outline = self.outline(&run).await;
                (run, outline)
            });
        let outlines: Vec<_> = outlines.buffered(AT_ONCE).collect().await;
        let mut runs = Runs {
            outlines: Vec::new(),
            unusable: Vec::new(),
            more,
        };
        for (run, outline) in outlines {
            match outline {
                Ok(outline) => runs.outlines.extend(outline),
                Err(error) => runs.unusable.push((run, error)),
            }
        }
        Ok(runs)
    }

    /// The whole record of the run that began last; `None` where there is no run.
    ///
    /// Ids begin with the time, so the names of the last days are asked for before those of all time: a bucket lists in
    /// order and a thousand at a time, and cannot be asked for the end.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub async fn last_run(&self) -> Result<Option<RunRecord>, StoreError> {
        let now = self.clock.now();
        for days in [Some(2), Some(60), None] {
            let after = days.map_or_else(String::new, |days| key::run_at(now, days));
            for run in self.run_ids(&after).await? {
                match self.run(&run).await {
                    // Killed before it began.
                    Err(StoreError::NoRun { .. }) => {}
                    record => return record.map(Some),
                }
            }
        }
        Ok(None)
    }

    /// The ids of the runs that sort after `after`, the newest first.
    async fn run_ids(&self, after: &str) -> Result<Vec<String>, StoreError> {
        let names = self.list_after(key::RUNS, after).await?;
        let mut ids: Vec<String> = names
            .iter()
            .filter_map(|name| key::run_of(name))
            .map(str::to_owned)
            .collect();
        ids.sort_by(|one, other| other.cmp(one));
        Ok(ids)
    }

    /// The whole record of a run.
    ///
    /// # Errors
    /// There is none, it cannot be read, or it is damaged.
    pub async fn run(&self, run: &str) -> Result<RunRecord, StoreError> {
        let none = || StoreError::NoRun {
            run: run.to_owned(),
            place: self.place(),
        };
        if !run::is_id(run) {
            return Err(none());
        }
        let keys = self.parts(run).await?;
        let parts = futures_util::stream::iter(keys).map(|key| async move {
            let bytes = self
                .get(&key)
                .await?
                .map(|object| object.bytes)
                .unwrap_or_default();
            Ok::<_, StoreError>((self.backend.place(&key), bytes))
        });
        let parts: Vec<(String, Vec<u8>)> = parts.buffered(AT_ONCE).try_collect().await?;
        let mut record = run::decode(&parts)?.ok_or_else(none)?;
        for address in record
            .entries
            .iter_mut()
            .filter_map(|logged| logged.entry.address_mut())
        {
            *address = self.digests.reveal(address);
        }
        Ok(record)
    }

    /// A run in one line, from the ends of its record. `None` where it was killed before it began.
    async fn outline(&self, run: &str) -> Result<Option<RunOutline>, StoreError> {
        let keys = self.parts(run).await?;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return Ok(None);
        };
        let Some(head) = self.get(first).await? else {
            return Ok(None);
        };
        let Some(header) = run::header(&self.backend.place(first), &head.bytes)? else {
            return Ok(None);
        };
        let tail = if first == last {
            Some(head)
        } else {
            self.get(last).await?
        };
        Ok(Some(RunOutline {
            header,
            finished: tail.and_then(|tail| run::ending(&tail.bytes)),
        }))
    }

    async fn find(
        backend: Arc<dyn Backend>,
        name: &str,
        organization: Option<&str>,
    ) -> Result<Option<(Self, Version)>, StoreError> {
        let owner = Owner {
            identity: Identity {
                organization: String::new(),
                name: name.to_owned(),
            },
            salt: salt(),
        };
        let mut store = Self {
            backend,
            clock: Arc::new(System),
            owner,
            origin: Origin::Found,
            digests: Arc::default(),
            versions: Arc::default(),
        };
        let Some((owner, version)) = store.read::<Owner>(key::IDENTITY).await? else {
            // Records whose owner is not known any more could be anybody's.
            if store.list(key::ACCOUNTS).await?.is_empty() {
                return Ok(None);
            }
            let reason = "it is missing, but there are records of accounts beside it".to_owned();
            return Err(StoreError::Damaged {
                place: store.backend.place(key::IDENTITY),
                reason,
            });
        };
        let expected = Identity {
            organization: organization
                .unwrap_or(&owner.identity.organization)
                .to_owned(),
            name: name.to_owned(),
        };
        if owner.identity != expected {
            return Err(StoreError::Foreign {
                place: store.place(),
                found: owner.identity,
                expected,
            });
        }
        store.owner = owner;
        Ok(Some((store, version)))
    }

    /// A state where there is none yet.
    async fn fresh(
        backend: Arc<dyn Backend>,
        identity: Identity,
        access: Access,
    ) -> Result<Self, StoreError> {
        let owner = Owner {
            identity: identity.clone(),
            salt: salt(),
        };
        let store = Self {
            backend: Arc::clone(&backend),
            clock: Arc::new(System),
            owner,
            origin: Origin::New,
            digests: Arc::default(),
            versions: Arc::default(),
        };
        if access == Access::Read {
            return Ok(store);
        }
        match store.claim(Condition::Absent).await {
            Ok(()) => Ok(store),
            // Another run was first.
            Err(StoreError::Conflict { .. }) => {
                Box::pin(Self::open(backend, identity, access)).await
            }
            Err(error) => Err(error),
        }
    }

    /// Writes whose state it is. Where that stands already, this says whether anything can be written at all.
    async fn claim(&self, condition: Condition) -> Result<(), StoreError> {
        self.write(key::IDENTITY, &self.owner, condition)
            .await
            .map(drop)
    }

    async fn get(&self, key: &str) -> Result<Option<Object>, StoreError> {
        let got = self.backend.get(key).await;
        got.map_err(|failure| StoreError::read(self.backend.place(key), failure))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        self.list_after(prefix, "").await
    }

    async fn list_after(&self, prefix: &str, after: &str) -> Result<Vec<String>, StoreError> {
        let listed = self.backend.list(prefix, after).await;
        listed.map_err(|failure| StoreError::read(self.backend.place(prefix), failure))
    }

    async fn parts(&self, run: &str) -> Result<Vec<String>, StoreError> {
        let log = key::log(run);
        let parts = self.backend.parts(&log).await;
        parts.map_err(|failure| StoreError::read(self.backend.place(&log), failure))
    }

    async fn read<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(T, Version)>, StoreError> {
        let Some(Object { bytes, version }) = self.get(key).await? else {
            return Ok(None);
        };
        Ok(Some((
            seal::unseal(&self.backend.place(key), &bytes)?,
            version,
        )))
    }

    async fn write(
        &self,
        key: &str,
        content: &impl Serialize,
        condition: Condition,
    ) -> Result<Version, StoreError> {
        let place = || self.backend.place(key);
        let bytes = seal::seal(content).map_err(|error| StoreError::Write {
            place: place(),
            reason: error.to_string(),
        })?;
        let put = self.backend.put(key, bytes, condition).await;
        put.map_err(|failure| StoreError::write(place(), failure))
    }

    fn known(&self, account: AccountId) -> Option<Condition> {
        self.versions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&account)
            .cloned()
    }

    fn remember(&self, account: AccountId, condition: Condition) {
        self.versions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(account, condition);
    }
}

fn salt() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
