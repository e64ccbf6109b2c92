//! The state as operations use it: where it is, what is remembered of accounts, and the lease on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{Error, LeaseOptions, Observer, Survey};
use crate::aws;
use crate::execute::Halt;
use crate::org::Account;
use crate::plan::{Memory, Records, Since};
use crate::store::{
    Access, AccountRecord, Backend, Directory, Identity, Lease, LeaseError, LeaseSettings,
    Location, Origin, Store, StoreError, Waiting,
};

/// Account records read or written at once.
pub(super) const AT_ONCE: usize = 16;

/// Where the state is: at `location`, or in `state/` of `directory`, the configuration's own.
///
/// # Errors
/// The location cannot be used, or AWS cannot be reached.
pub async fn place(
    location: Option<&str>,
    directory: &Path,
    aws: aws::Settings,
) -> Result<Arc<dyn Backend>, Error> {
    Ok(match Location::parse(location, directory)? {
        Location::Directory(path) => Arc::new(Directory::new(path)),
        Location::S3 { bucket, prefix } => {
            Arc::new(aws::Bucket::connect(aws, &bucket, &prefix).await?)
        }
    })
}

/// Opens the state of the directory that `survey` is of.
///
/// # Errors
/// It cannot be read, or belongs to another directory or organization.
pub async fn open(
    location: Option<&str>,
    survey: &Survey,
    aws: aws::Settings,
    access: Access,
) -> Result<Store, Error> {
    let identity = Identity {
        organization: survey.organization.id.clone(),
        name: survey.settings.name.clone(),
    };
    let directory: &Path = survey.config.directory();
    let store = Store::open(place(location, directory, aws).await?, identity, access).await?;
    Ok(store.hiding(&survey.settings.secrets))
}

/// What a state tells of earlier runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    /// Whether it holds records.
    pub records: Records,
    /// Where it holds none: the addresses that runs began to write.
    pub begun: BTreeSet<String>,
}

/// What is remembered of an account.
pub(super) async fn memory(
    store: &Store,
    account: &Account,
    past: &Past,
) -> Result<Memory, StoreError> {
    let record = store.account(account.id).await?;
    let since = if store.origin() == Origin::New || joined_since(account, &record) {
        Since::Now
    } else {
        Since::Before
    };
    let (mut resources, mut rolled_back) = (BTreeMap::new(), BTreeMap::new());
    for (address, resource) in record.resources {
        rolled_back.extend(resource.rollback.map(|left| (address.clone(), left)));
        resources.insert(address, resource.converged);
    }
    Ok(Memory {
        salt: store.salt().to_owned(),
        resources,
        since,
        records: past.records,
        begun: past.begun.clone(),
        rolled_back,
    })
}

/// Whether an account joined the organization after everything that is on record there: what happened to it in between
/// is not known.
fn joined_since(account: &Account, record: &AccountRecord) -> bool {
    let times = record
        .resources
        .values()
        .filter_map(|resource| resource.converged_at.parse::<jiff::Timestamp>().ok());
    match (account.joined, times.max()) {
        (Some(joined), Some(last)) => joined > last.as_second(),
        _ => false,
    }
}

/// The ARNs of roles on record by their unique ids.
pub(super) async fn names(store: &Store) -> Result<BTreeMap<String, String>, StoreError> {
    let records = stream::iter(store.accounts().await?).map(|account| store.account(account));
    let records: Vec<AccountRecord> = records.buffered(AT_ONCE).try_collect().await?;
    let resources = records
        .into_iter()
        .flat_map(|record| record.resources.into_values());
    Ok(resources
        .filter_map(|resource| Some((resource.converged.unique_id?, resource.converged.arn?)))
        .collect())
}

/// Takes the lease on a state for a run, or says who holds it.
pub(super) async fn lease(
    store: &Store,
    options: LeaseOptions,
    run: &str,
    survey: &Survey,
    halt: &Halt,
    observer: &dyn Observer,
) -> Result<Lease, LeaseError> {
    let settings = LeaseSettings {
        holder: survey
            .settings
            .secrets
            .mask(&survey.organization.caller.arn),
        host: host(),
        run: run.to_owned(),
        ttl: options.lease,
        lock_timeout: options.lock_timeout,
    };
    store
        .lease(
            settings,
            Waiting {
                tell: &|wait| observer.note(&wait.to_string()),
                halt,
            },
        )
        .await
}

pub(super) fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}
