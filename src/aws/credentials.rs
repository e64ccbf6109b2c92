//! Credentials that are fetched once and held until shortly before they expire.
//!
//! A role is entered by our own `AssumeRole`, not inside the SDK's provider, so that a refusal is a typed error that
//! names the account and the role instead of a `dispatch failure` of whatever call came first.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

use super::error::{Call, chain};
use crate::org::{AccountId, AwsError};
use crate::resource::operation::Operation;

/// How long before their expiry credentials are replaced: longer than any one call may take.
pub(super) const REFRESH_BEFORE: Duration = Duration::from_mins(5);

/// Where credentials come from.
#[derive(Debug)]
pub(super) enum Source {
    /// The standard chain: environment, profiles, SSO, web identity, containers, instance metadata.
    Caller(SharedCredentialsProvider),
    /// A role of another account.
    Role(Role),
}

/// A role to be assumed.
#[derive(Debug)]
pub(super) struct Role {
    /// The client of the caller.
    pub sts: aws_sdk_sts::Client,
    /// The account the role is in.
    pub account: AccountId,
    /// The role's ARN.
    pub arn: String,
    /// Who CloudTrail will say it was.
    pub session_name: String,
    /// What the role's trust demands, where it does.
    pub external_id: Option<String>,
}

/// One identity of the run, with the credentials it holds at the moment. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Session {
    source: Arc<Source>,
    held: Arc<Mutex<Option<Credentials>>>,
}

impl Session {
    /// A session that holds nothing yet.
    pub fn new(source: Source) -> Self {
        Self {
            source: Arc::new(source),
            held: Arc::default(),
        }
    }

    /// The held credentials, fetched first where there are none or they are about to expire.
    ///
    /// Callers wait for each other, so a session is entered once however many need it at the same time.
    pub async fn enter(&self) -> Result<Credentials, AwsError> {
        let mut held = self.held.lock().await;
        if let Some(credentials) = held
            .as_ref()
            .filter(|credentials| is_fresh(credentials, SystemTime::now()))
        {
            return Ok(credentials.clone());
        }
        let fetched = match &*self.source {
            Source::Caller(chain) => {
                let env = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
                chain
                    .provide_credentials()
                    .await
                    .map_err(|error| no_credentials(&error, env))?
            }
            Source::Role(role) => role.assume().await?,
        };
        *held = Some(fetched.clone());
        Ok(fetched)
    }

    /// Drops the held credentials, because AWS says that they have expired.
    pub async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

impl ProvideCredentials for Session {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.enter().await.map_err(CredentialsError::provider_error)
        })
    }
}

impl Role {
    async fn assume(&self) -> Result<Credentials, AwsError> {
        let call = Call {
            account: Some(self.account),
            operation: Operation::AssumeRole,
            resource: Some(&self.arn),
        };
        let answer = self
            .sts
            .assume_role()
            .role_arn(&self.arn)
            .role_session_name(&self.session_name)
            .set_external_id(self.external_id.clone())
            .send()
            .await
            .map_err(|error| call.failed(&error))?;
        let given = call.required("Credentials", answer.credentials)?;
        let expiry = SystemTime::try_from(given.expiration)
            .map_err(|_| call.because("the `Expiration` in the response is not a valid time"))?;
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            Some(expiry),
            "AssumeRole",
        ))
    }
}

/// Whether `credentials` outlive the next calls.
fn is_fresh(credentials: &Credentials, now: SystemTime) -> bool {
    credentials
        .expiry()
        .is_none_or(|expiry| now + REFRESH_BEFORE < expiry)
}

/// Says what a newcomer must do; the chain's own error is a list of internals.
fn no_credentials(error: &CredentialsError, env: impl Fn(&str) -> Option<String>) -> AwsError {
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    let reason = match (error, env(id).is_some(), env(secret).is_some(), env("AWS_PROFILE")) {
        (CredentialsError::CredentialsNotLoaded(_), true, false, _) => format!("{id} is set but {secret} is not"),
        (CredentialsError::CredentialsNotLoaded(_), false, true, _) => format!("{secret} is set but {id} is not"),
        (CredentialsError::CredentialsNotLoaded(_), _, _, Some(profile)) => format!(
            "AWS_PROFILE is `{profile}`, but the AWS configuration files have no such profile, or it has no credentials"
        ),
        (CredentialsError::CredentialsNotLoaded(_), ..) => {
            "none were found in the environment, profiles, web identity, container or instance metadata".to_owned()
        }
        _ => chain(error),
    };
    let message = format!(
        "no AWS credentials: {reason} (set AWS_PROFILE, run `aws sso login`, or export AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY)"
    );
    AwsError::before_any_call("credentials", None, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_credentials_is_told_where_to_put_them() {
        let refused = std::io::Error::other("IMDS is disabled");
        let none = CredentialsError::not_loaded_no_source;
        let cases: [(_, &[&str], _); 5] = [
            (none(), &[], "none were found in the environment"),
            (none(), &["AWS_PROFILE"], "AWS_PROFILE is `x`, but"),
            (
                none(),
                &["AWS_ACCESS_KEY_ID", "AWS_PROFILE"],
                "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not",
            ),
            (
                none(),
                &["AWS_SECRET_ACCESS_KEY"],
                "AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not",
            ),
            (
                CredentialsError::provider_error(refused),
                &["AWS_PROFILE"],
                "IMDS is disabled",
            ),
        ];
        for (error, set, reason) in cases {
            let text = no_credentials(&error, |name| set.contains(&name).then(|| "x".to_owned()))
                .to_string();
            assert!(
                text.starts_with(&format!("credentials: no AWS credentials: {reason}")),
                "{text}"
            );
            assert!(text.contains("set AWS_PROFILE"), "{text}");
        }
    }
}
