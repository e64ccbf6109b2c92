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

use super::Aws;
use super::body::WholeBody;
use super::credentials::{REFRESH_BEFORE, Role, Session, Source};
use super::error::{Call, is_expired};
use super::guard::Guard;
use super::retry::{Lost, Retries};
use super::trace::Trace;
use crate::org::{Account, AccountId, AwsError, Partition};
use crate::resource::operation::Operation;

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
        f.debug_struct("Access")
            .field("session_name", &self.session_name)
            .finish_non_exhaustive()
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
    retries: Retries,
    /// Roles and policies seen by the last bulk read; 0 before one.
    entities: AtomicUsize,
}

/// IAM of one account, for one task.
#[derive(Debug, Clone)]
pub(super) struct Iam {
    pub client: aws_sdk_iam::Client,
    pub account: AccountId,
    pub partition: Partition,
    /// Whether an answer to this task was lost.
    pub lost: Lost,
    entered: Arc<Entered>,
}

impl Aws {
    /// The accounts, entered as `access` says; the caller's own is entered as the caller.
    pub fn accounts(&self, access: Access) -> Accounts {
        Accounts(Arc::new(Shared {
            aws: self.clone(),
            access,
            entered: Mutex::default(),
        }))
    }
}

impl Accounts {
    /// The connection of the caller.
    pub(super) fn aws(&self) -> &Aws {
        &self.0.aws
    }

    /// Performs `task` in `account`; where the session turns out to have expired, enters again and repeats it once.
    ///
    /// A call refused for its credentials has done nothing, so repeating it is safe for writes too. That an answer was
    /// lost before it stays known.
    pub(super) async fn within<T, F>(
        &self,
        account: &Account,
        task: impl Fn(Iam) -> F,
    ) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        self.guarded(account, None, task).await
    }

    /// As [`within`](Self::within), with every request of `task` guarded.
    pub(super) async fn guarded<T, F>(
        &self,
        account: &Account,
        guard: Option<&Guard>,
        task: impl Fn(Iam) -> F,
    ) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let (entered, lost) = (self.entered(account), Lost::default());
        match task(self.enter(account.id, &entered, &lost, guard).await?).await {
            Err(error) if is_expired(&error) => {
                tracing::debug!(account = %account.id, "the session has expired; assuming the role again");
                entered.session.forget().await;
                task(self.enter(account.id, &entered, &lost, guard).await?).await
            }
            outcome => outcome,
        }
    }

    fn entered(&self, account: &Account) -> Arc<Entered> {
        let mut entered = self
            .0
            .entered
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Entered {
                session: self.session(account),
                retries: Retries::of_account(account.id),
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
        let (role, session_name) = self.role_and_session(account);
        Session::new(Source::Role(Role {
            sts: aws.sts.clone(),
            account: account.id,
            arn: format!(
                "arn:{}:iam::{}:role/{}",
                aws.partition(),
                account.id,
                role.trim_start_matches('/')
            ),
            session_name: session_name.to_owned(),
            external_id: access.external_id.clone(),
        }))
    }

    /// The role that an account is entered by, with its path, and the name of its session.
    pub(super) fn role_and_session(&self, account: &Account) -> (String, &str) {
        (
            (self.0.access.role_for)(account),
            &self.0.access.session_name,
        )
    }

    /// A client of the account, once its session stands: a refusal to enter must not look like a failed call to IAM.
    async fn enter(
        &self,
        account: AccountId,
        entered: &Arc<Entered>,
        lost: &Lost,
        guard: Option<&Guard>,
    ) -> Result<Iam, AwsError> {
        entered.session.enter().await?;
        let config = aws_sdk_iam::config::Builder::from(&self.0.aws.base)
            .credentials_provider(entered.session.clone())
            .identity_cache(IdentityCache::lazy().buffer_time(REFRESH_BEFORE).build())
            .retry_partition(entered.retries.partition.clone())
            .retry_classifier(entered.retries.classifier(lost.clone()))
            .http_client(entered.retries.paced(&self.0.aws.base, guard))
            .interceptor(WholeBody)
            .interceptor(Trace {
                account: Some(account),
            })
            .build();
        let client = aws_sdk_iam::Client::from_conf(config);
        let partition = self.0.aws.partition().clone();
        Ok(Iam {
            client,
            account,
            partition,
            lost: lost.clone(),
            entered: Arc::clone(entered),
        })
    }
}

impl Iam {
    /// Names a call for its errors.
    pub fn call<'a>(&self, operation: Operation, resource: Option<&'a str>) -> Call<'a> {
        Call {
            account: Some(self.account),
            operation,
            resource,
        }
    }

    /// The session of the account, for the clients of other services.
    pub fn session(&self) -> Session {
        self.entered.session.clone()
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

#[cfg(test)]
mod tests {
    use futures_util::future;

    use super::super::testing::{CALLER, Fake, account, default, refusal, xml};
    use super::*;
    use crate::read::Reader;

    fn summary() -> (u16, String) {
        xml("GetAccountSummary", "<SummaryMap></SummaryMap>")
    }

    #[tokio::test]
    async fn an_account_is_entered_once_however_many_need_it() {
        let fake = Fake::new(|asked| {
            if asked.operation == "GetAccountSummary" {
                summary()
            } else {
                default()
            }
        });
        let accounts = fake.accounts().await;
        let (reading, again) = (accounts.reading(), accounts.clone().reading());
        let (own, other) = (account(CALLER), account("222222222222"));
        let all = vec![
            reading.quotas(&own),
            again.quotas(&other),
            reading.quotas(&other),
            again.quotas(&own),
        ];
        assert!(future::join_all(all).await.iter().all(Result::is_ok));
        let entered: Vec<_> = fake
            .log()
            .into_iter()
            .filter(|asked| asked.operation == "AssumeRole")
            .collect();
        assert_eq!(entered.len(), 1);
        let ask = &entered[0];
        assert_eq!(
            ask.get("RoleArn"),
            "arn:aws-cn:iam::222222222222:role/ops/Entry"
        );
        assert_eq!(
            (ask.get("RoleSessionName"), ask.get("ExternalId")),
            ("rolecall", "x-1")
        );
        let keys: BTreeMap<String, usize> = fake
            .log()
            .iter()
            .filter(|asked| asked.operation == "GetAccountSummary")
            .fold(BTreeMap::new(), |mut m, a| {
                *m.entry(a.key.clone()).or_default() += 1;
                m
            });
        assert_eq!(
            keys,
            BTreeMap::from([("caller".to_owned(), 2), ("222222222222".to_owned(), 2)])
        );
    }

    #[tokio::test]
    async fn a_refusal_to_enter_names_account_role_and_code() {
        let fake = Fake::new(|asked| match asked.operation.as_str() {
            "AssumeRole" => refusal(
                403,
                "AccessDenied",
                "not authorized to perform: sts:AssumeRole",
            ),
            _ => default(),
        });
        let error = fake
            .accounts()
            .await
            .reading()
            .quotas(&account("222222222222"))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "account 222222222222: AssumeRole `arn:aws-cn:iam::222222222222:role/ops/Entry`: AccessDenied: \
             not authorized to perform: sts:AssumeRole"
        );
    }

    #[tokio::test]
    async fn an_expired_session_is_entered_again_once() {
        for (expired_answers, entered, works) in [(1, 2, true), (5, 2, false)] {
            let calls = AtomicUsize::new(0);
            let fake = Fake::new(move |asked| match asked.operation.as_str() {
                "GetAccountSummary" if calls.fetch_add(1, Ordering::Relaxed) < expired_answers => {
                    refusal(
                        403,
                        "ExpiredToken",
                        "The security token included in the request is expired",
                    )
                }
                "GetAccountSummary" => summary(),
                _ => default(),
            });
            let outcome = fake
                .accounts()
                .await
                .reading()
                .quotas(&account("222222222222"))
                .await;
            assert_eq!(
                (fake.count("AssumeRole"), outcome.is_ok()),
                (entered, works),
                "{outcome:?}"
            );
            assert_eq!(fake.count("GetAccountSummary"), 2);
        }
    }

    #[tokio::test]
    async fn a_session_about_to_expire_is_replaced_before_it_does() {
        let fake = Fake::new(|asked| match asked.operation.as_str() {
            "AssumeRole" => xml(
                "AssumeRole",
                "<Credentials><AccessKeyId>k</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                 <SessionToken>t</SessionToken><Expiration>2001-01-01T00:00:00Z</Expiration></Credentials>",
            ),
            "GetAccountSummary" => summary(),
            _ => default(),
        });
        let session = {
            let accounts = fake.accounts().await;
            accounts.entered(&account("222222222222")).session.clone()
        };
        session.enter().await.unwrap();
        session.enter().await.unwrap();
        assert_eq!(fake.count("AssumeRole"), 2);
    }
}
