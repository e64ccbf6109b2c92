//! The caller: one identity, one connection pool, one set of settings for the whole run.
//!
//! Settings come from AWS's standard chain (environment, profiles, SSO, web identity, `AWS_ENDPOINT_URL` and the
//! service-specific endpoint variables), so whatever works for the `aws` CLI works here. Only the region has a default
//! of ours, `us-east-1`: IAM and Organizations are global, and asking the instance metadata for a region would cost
//! seconds on every machine that has none.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, imds};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::body::WholeBody;
use super::credentials::{Session, Source};
use super::error::Call;
use super::http::https;
use super::retry::{self, Lost, Retries};
use super::trace::Trace;
use crate::org::{AccountId, AwsError, Caller, Partition};
use crate::resource::operation::Operation;
use crate::resource::secret::MASK;

/// What a run may set instead of the environment. The default sets nothing.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Who carries the requests; the sandbox puts itself here. `None` is HTTPS, through the environment's proxies.
    pub http: Option<SharedHttpClient>,
    /// The endpoint of every service.
    pub endpoint: Option<String>,
    /// The region that STS is called in.
    pub region: Option<String>,
    /// The caller's credentials.
    pub credentials: Option<Credentials>,
}

/// A connection to AWS as one caller.
#[derive(Debug, Clone)]
pub struct Aws {
    pub(super) base: SdkConfig,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) session: Session,
    caller: Caller,
    partition: Partition,
}

impl Aws {
    /// Finds credentials and asks STS whose they are.
    ///
    /// # Errors
    ///
    /// No credentials anywhere, credentials that STS refuses, or no way to STS. Where there are none this is said
    /// after at most a few seconds: the instance metadata is asked last and not waited for longer.
    pub async fn connect(settings: Settings) -> Result<Self, AwsError> {
        let (base, session) = load(settings).await?;
        session.enter().await?;
        let retries = Retries::unbounded("sts");
        let sts = aws_sdk_sts::Client::from_conf(
            aws_sdk_sts::config::Builder::from(&base)
                .retry_partition(retries.partition.clone())
                .retry_classifier(retries.classifier(Lost::default()))
                .http_client(retries.paced(&base, None))
                .interceptor(WholeBody)
                .interceptor(Trace { account: None })
                .build(),
        );
        let (caller, partition) = identify(&sts).await?;
        Ok(Self {
            base,
            sts,
            session,
            caller,
            partition,
        })
    }

    /// The shell credentials these are.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The partition that the caller is in; every ARN of the run is.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }
}

/// Puts the settings of all clients together; nothing is called yet.
pub(super) async fn load(settings: Settings) -> Result<(SdkConfig, Session), AwsError> {
    let Settings {
        http,
        endpoint,
        region,
        credentials,
    } = settings;
    let http = http.unwrap_or_else(https);
    let region = RegionProviderChain::first_try(region.map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else(Region::new("us-east-1"));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_mins(3))
        .build();
    endpoints(
        std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    )?;
    // `BehaviorVersion::latest()` would change under us with an update of the SDK.
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .region(region)
        .retry_config(retry::config(|name| std::env::var(name).ok())?)
        .timeout_config(timeouts)
        .no_credentials();
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    let base = loader.load().await;
    if let Some(url) = base.endpoint_url() {
        endpoint_is_url("endpoint_url", url)?;
    }
    let provider = match credentials {
        Some(credentials) => SharedCredentialsProvider::new(credentials),
        None => chain(&base, http).await,
    };
    let session = Session::new(Source::Caller(provider));
    let base = base
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(session.clone()))
        .build();
    Ok((base, session))
}

/// Refuses endpoints in the environment that are not URLs. The SDK would name its own request, and break over an
/// empty one.
fn endpoints(env: impl Iterator<Item = (String, String)>) -> Result<(), AwsError> {
    for (name, value) in env.filter(|(name, _)| name.starts_with("AWS_ENDPOINT_URL")) {
        endpoint_is_url(&name, &value)?;
    }
    Ok(())
}

fn endpoint_is_url(name: &str, value: &str) -> Result<(), AwsError> {
    let url = value.parse::<http::Uri>().ok();
    let is_url = url.is_some_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.host().is_some_and(|host| !host.is_empty())
    });
    let message = || {
        let value = without_user(value);
        format!("`{value}` is not an endpoint URL such as https://sts.us-east-1.amazonaws.com")
    };
    if is_url {
        Ok(())
    } else {
        Err(AwsError::before_any_call(
            "configuration",
            Some(name),
            message(),
        ))
    }
}

/// A URL, or what was meant as one, without the user and password that may stand before its host.
fn without_user(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + "://".len());
    let (scheme, rest) = url.split_at_checked(start).unwrap_or(("", url));
    // A password may hold a `/` where it was not encoded, so everything before the last `@` is left out.
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}{MASK}@{host}"),
        None => url.to_owned(),
    }
}

/// The standard chain, with little patience for instance metadata: most machines have none.
async fn chain(base: &SdkConfig, http: SharedHttpClient) -> SharedCredentialsProvider {
    let mut config = ProviderConfig::without_region()
        .with_http_client(http)
        .with_region(base.region().cloned())
        .with_use_fips(base.use_fips())
        .with_use_dual_stack(base.use_dual_stack())
        .with_behavior_version(Some(BehaviorVersion::v2026_01_12()));
    if let Some(retries) = base.retry_config() {
        config = config.with_retry_config(retries.clone());
    }
    if let Some(timeouts) = base.timeout_config() {
        config = config.with_timeout_config(timeouts.clone());
    }
    let metadata = imds::Client::builder()
        .configure(&config)
        .max_attempts(2)
        .operation_attempt_timeout(Duration::from_secs(1))
        .operation_timeout(Duration::from_secs(3))
        .build();
    let builder = DefaultCredentialsChain::builder()
        .imds_client(metadata)
        .configure(config);
    let builder = match base.region() {
        Some(region) => builder.region(region.clone()),
        None => builder,
    };
    SharedCredentialsProvider::new(builder.build().await)
}

async fn identify(sts: &aws_sdk_sts::Client) -> Result<(Caller, Partition), AwsError> {
    let call = Call {
        account: None,
        operation: Operation::GetCallerIdentity,
        resource: None,
    };
    let answer = sts
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| call.failed(&error))?;
    let account = call.required("Account", answer.account)?;
    let account = AccountId::parse(&account).map_err(|error| call.because(error.to_string()))?;
    let arn = call.required("Arn", answer.arn)?;
    let partition =
        partition(&arn).ok_or_else(|| call.because(format!("`{arn}` is not an ARN")))?;
    Ok((Caller { account, arn }, partition))
}

/// The partition that an ARN is in.
fn partition(arn: &str) -> Option<Partition> {
    let rest = arn.strip_prefix("arn:")?;
    let (partition, _) = rest.split_once(':')?;
    (!partition.is_empty()).then(|| Partition(partition.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_is_no_url_is_named_with_its_variable() {
        let check =
            |name: &str, value: &str| endpoints([(name.to_owned(), value.to_owned())].into_iter());
        for value in [
            "",
            "foo",
            "localhost:4566",
            "http://",
            "ftp://x",
            "htp:/x",
            "http://a b",
            "http://[::",
            "https:///x",
        ] {
            for name in [
                "AWS_ENDPOINT_URL",
                "AWS_ENDPOINT_URL_STS",
                "AWS_ENDPOINT_URL_IAM",
            ] {
                let text = check(name, value).unwrap_err().to_string();
                assert!(
                    text.contains(&format!("`{name}`: `{value}` is not an endpoint URL")),
                    "{text}"
                );
            }
        }
        for value in [
            "http://127.0.0.1:5000",
            "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com/",
            "http://[::1]:80",
        ] {
            assert_eq!(check("AWS_ENDPOINT_URL_S3", value), Ok(()));
        }
        assert_eq!(check("AWS_ENDPOINT", "foo"), Ok(()));
    }

    #[test]
    fn the_password_of_an_endpoint_is_not_shown() {
        for (value, shown) in [
            ("ftp://me:hunter2@host", "ftp://(sensitive)@host"),
            ("me:hunter2@host", "(sensitive)@host"),
            ("ftp://me:hunt/er2@host/x", "ftp://(sensitive)@host/x"),
        ] {
            let error = endpoint_is_url("AWS_ENDPOINT_URL", value)
                .unwrap_err()
                .to_string();
            assert!(error.contains(&format!("`{shown}`")), "{error}");
        }
    }
}
