//! Entering accounts: one `AssumeRole` per account and run, shared by everything that reads or writes there.
//!
//! A client is made for each task and dropped after it: a client is cheap (about 20 KB and 0.1 ms), ten thousand kept
//! ones are not. What outlives it is the account's session and its budget of retries. Each client has an identity cache
//! of its own, because the SDK's shared one holds 64 identities and would enter most accounts again and again.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::identity::IdentityCache;
use aws_smithy_runtime::client::retries::RetryPartition;

use super::body::WholeBody;
use super::credentials::{REFRESH_BEFORE, Role, Session, Source};
use super::error::{Call, is_expired};
use super::retry::{self, NotNow};
use super::trace::Trace;
use super::{Aws, Reading, Writing};
use crate::org::{Account, AccountId, AwsError, Partition};

/// How accounts are entered.
pub struct Access {
    /// The name of the role to assume in an account, with its path where it has one: `path/Name`.
    pub role_for: Box<dyn Fn(&Account) -> String + Send + Sync>,
    /// The session name that CloudTrail shows.
    pub session_name: String,
    /// The `ExternalId` that the roles' trust demands.
    pub external_id: Option<String>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("session_name", &self.session_name).finish_non_exhaustive()
    }
}

/// The accounts of the organization, each entered when it is first needed.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    aws: Aws,
    access: Access,
    entered: Mutex<BTreeMap<AccountId, Arc<Entered>>>,
}

/// What is kept of an account between tasks.
#[derive(Debug)]
struct Entered {
    session: Session,
    retries: RetryPartition,
    /// Roles and policies seen by the last bulk read; 0 before one.
    entities: AtomicUsize,
}

/// IAM of one account, for one task.
#[derive(Debug, Clone)]
pub(super) struct Iam {
    pub client: aws_sdk_iam::Client,
    pub account: AccountId,
    pub partition: Partition,
    entered: Arc<Entered>,
}

impl Aws {
    /// The accounts, entered as `access` says; the caller's own is entered as the caller.
    pub fn accounts(&self, access: Access) -> Accounts {
        Accounts(Arc::new(Shared { aws: self.clone(), access, entered: Mutex::default() }))
    }
}

impl Accounts {
    /// Somebody who can read the accounts and has no way to write.
    pub fn reading(&self) -> Reading {
        Reading(self.clone())
    }

    /// Somebody who can write to the accounts.
    pub fn writing(&self) -> Writing {
        Writing(self.clone())
    }

    /// Performs `task` in `account`; where the session turns out to have expired, enters again and repeats it once.
    ///
    /// A call refused for its credentials has done nothing, so repeating it is safe for writes too.
    pub(super) async fn within<T, F>(&self, account: &Account, task: impl Fn(Iam) -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let entered = self.entered(account);
        match task(self.enter(account.id, &entered).await?).await {
            Err(error) if is_expired(&error) => {
                tracing::debug!(account = %account.id, "the session has expired, entering again");
                entered.session.forget().await;
                task(self.enter(account.id, &entered).await?).await
            }
            outcome => outcome,
        }
    }

    fn entered(&self, account: &Account) -> Arc<Entered> {
        let mut entered = self.0.entered.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Entered {
                session: self.session(account),
                retries: retry::budget(format!("iam-{}", account.id)),
                entities: AtomicUsize::new(0),
            })
        };
        Arc::clone(entered.entry(account.id).or_insert_with(new))
    }

    fn session(&self, account: &Account) -> Session {
        let Shared { aws, access, .. } = &*self.0;
        if account.id == aws.caller().account {
            return aws.session.clone();
        }
        let role = (access.role_for)(account);
        Session::new(Source::Role(Role {
            sts: aws.sts.clone(),
            account: account.id,
            arn: format!("arn:{}:iam::{}:role/{}", aws.partition(), account.id, role.trim_start_matches('/')),
            session_name: access.session_name.clone(),
            external_id: access.external_id.clone(),
        }))
    }

    /// A client of the account, once its session stands: a refusal to enter must not look like a failed call to IAM.
    async fn enter(&self, account: AccountId, entered: &Arc<Entered>) -> Result<Iam, AwsError> {
        entered.session.enter().await?;
        let config = aws_sdk_iam::config::Builder::from(&self.0.aws.base)
            .credentials_provider(entered.session.clone())
            .identity_cache(IdentityCache::lazy().buffer_time(REFRESH_BEFORE).build())
            .retry_partition(entered.retries.clone())
            .retry_classifier(NotNow)
            .interceptor(WholeBody)
            .interceptor(Trace { account: Some(account) })
            .build();
        let client = aws_sdk_iam::Client::from_conf(config);
        Ok(Iam { client, account, partition: self.0.aws.partition().clone(), entered: Arc::clone(entered) })
    }
}

impl Iam {
    /// Names a call for its errors.
    pub fn call<'a>(&self, operation: &'a str, resource: Option<&'a str>) -> Call<'a> {
        Call { account: Some(self.account), operation, resource }
    }

    /// How many roles and policies the last bulk read of this run saw here.
    pub fn entities(&self) -> Option<usize> {
        Some(self.entered.entities.load(Ordering::Relaxed)).filter(|entities| *entities > 0)
    }

    /// Remembers how many roles and policies a bulk read saw.
    pub fn saw(&self, entities: usize) {
        self.entered.entities.store(entities, Ordering::Relaxed);
    }
}
