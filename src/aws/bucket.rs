//! A state in an S3 bucket: conditional writes, so that of two writers one learns that the other was first.
//!
//! A write whose answer was lost is sent again by the SDK, and then refused because of itself. So a refused write is
//! compared with what is there: the very same bytes are success.
//!
//! Sources: Amazon S3 User Guide, "How to prevent object overwrites with conditional writes"; Amazon S3 API Reference,
//! `PutObject`, `ListObjectsV2`.

use std::collections::BTreeSet;
use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::future::BoxFuture;

use super::error::{Call, chain};
use super::retry::Lost;
use super::retry::Retries;
use super::session::{Aws, Settings, load};
use super::trace::Trace;
use crate::org::AwsError;
use crate::resource::operation::Operation;
use crate::store::Failure;
use crate::store::backend::{Backend, Condition, Exclusion, Object, Version};

/// The prefix of a bucket that holds a state, or will.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
    /// Empty, or ends with `/`.
    prefix: String,
}

impl Bucket {
    /// Finds credentials. Neither S3 nor any other service is called yet.
    ///
    /// # Errors
    /// There are no credentials.
    pub async fn connect(settings: Settings, bucket: &str, prefix: &str) -> Result<Self, AwsError> {
        let (base, session) = load(settings).await?;
        session.enter().await?;
        Ok(Self::with(&base, bucket, prefix))
    }

    /// The same bucket, as a caller who is known already.
    pub fn of(aws: &Aws, bucket: &str, prefix: &str) -> Self {
        Self::with(&aws.base, bucket, prefix)
    }

    fn with(base: &SdkConfig, bucket: &str, prefix: &str) -> Self {
        // Whoever names an endpoint rarely has a name for every bucket below it.
        let named =
            std::env::var_os("AWS_ENDPOINT_URL_S3").is_some_and(|endpoint| !endpoint.is_empty());
        let retries = Retries::unbounded("s3");
        let config = aws_sdk_s3::config::Builder::from(base)
            .force_path_style(named || base.endpoint_url().is_some())
            .retry_partition(retries.partition.clone())
            .retry_classifier(retries.classifier(Lost::default()))
            .interceptor(Trace { account: None })
            .build();
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        Self {
            client: Client::from_conf(config),
            name: bucket.to_owned(),
            prefix,
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn read(&self, key: &str) -> Result<Option<Object>, Failure> {
        let call = Call {
            account: None,
            operation: Operation::GetObject,
            resource: None,
        };
        let answer = match self
            .client
            .get_object()
            .bucket(&self.name)
            .key(self.key(key))
            .send()
            .await
        {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(failure(call, &error)),
        };
        let version = version(call, answer.e_tag)?;
        let body = answer.body.collect().await;
        let body = body.map_err(|error| {
            other(&call.because(format!("the response ended early: {}", chain(&error))))
        })?;
        Ok(Some(Object {
            bytes: body.to_vec(),
            version,
        }))
    }

    async fn write(
        &self,
        key: &str,
        bytes: &[u8],
        condition: Condition,
    ) -> Result<Version, Failure> {
        let call = Call {
            account: None,
            operation: Operation::PutObject,
            resource: None,
        };
        let put = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(self.key(key))
            .content_type("application/json");
        let put = match condition {
            Condition::Absent => put.if_none_match("*"),
            Condition::Version(Version(tag)) => put.if_match(tag),
        };
        match put.body(ByteStream::from(bytes.to_vec())).send().await {
            Ok(answer) => version(call, answer.e_tag),
            Err(error) if is_conflict(&error) => match self.read(key).await? {
                Some(object) if object.bytes == bytes => Ok(object.version),
                _ => Err(Failure::Conflict),
            },
            Err(error) => Err(failure(call, &error)),
        }
    }

    /// The names right below a prefix that sort after `after`, page after page.
    async fn names(&self, prefix: &str, after: &str) -> Result<Vec<String>, Failure> {
        let call = Call {
            account: None,
            operation: Operation::ListObjectsV2,
            resource: None,
        };
        let prefix = self.key(prefix);
        let after = (!after.is_empty()).then(|| format!("{prefix}{after}"));
        let asked = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(&prefix)
            .delimiter("/");
        let asked = asked.set_start_after(after);
        let mut names = Vec::new();
        let (mut token, mut seen) = (None, BTreeSet::new());
        loop {
            let page = asked.clone().set_continuation_token(token).send().await;
            let page = page.map_err(|error| failure(call, &error))?;
            let objects = page
                .contents
                .unwrap_or_default()
                .into_iter()
                .filter_map(|object| object.key);
            let below = page
                .common_prefixes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|below| below.prefix);
            names.extend(
                objects
                    .chain(below)
                    .filter_map(|key| key.strip_prefix(&prefix).map(str::to_owned)),
            );
            token = page.next_continuation_token;
            match (page.is_truncated, &token) {
                (Some(true), None) => {
                    return Err(other(
                        &call.because("the response has no `NextContinuationToken`"),
                    ));
                }
                (Some(true), Some(next)) if seen.insert(next.clone()) => {}
                (Some(true), Some(_)) => {
                    let why = "the listing does not end: its next page was already read";
                    return Err(other(&call.because(why)));
                }
                (None | Some(false), _) => break,
            }
        }
        // A console leaves an empty object where someone made a folder.
        names.retain(|name| !name.is_empty());
        names.sort();
        Ok(names)
    }
}

impl Backend for Bucket {
    fn place(&self, key: &str) -> String {
        format!("s3://{}/{}", self.name, self.key(key))
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Object>, Failure>> {
        Box::pin(self.read(key))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        condition: Condition,
    ) -> BoxFuture<'a, Result<Version, Failure>> {
        Box::pin(async move { self.write(key, &bytes, condition).await })
    }

    fn list<'a>(
        &'a self,
        prefix: &'a str,
        after: &'a str,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        Box::pin(self.names(prefix, after))
    }

    fn append<'a>(
        &'a self,
        log: &'a str,
        part: u32,
        bytes: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let key = format!("{log}/{part:08}.jsonl");
            self.write(&key, &bytes, Condition::Absent).await.map(drop)
        })
    }

    fn parts<'a>(&'a self, log: &'a str) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        Box::pin(async move {
            let prefix = format!("{log}/");
            Ok(self
                .names(&prefix, "")
                .await?
                .into_iter()
                .map(|name| prefix.clone() + &name)
                .collect())
        })
    }

    fn exclusion(&self) -> Exclusion {
        Exclusion::Lease
    }
}

/// Whether a write was refused because its condition does not hold. `If-Match` on what is not there is `NoSuchKey`.
fn is_conflict<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(
        error.code(),
        Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")
    ) || error
        .raw_response()
        .is_some_and(|response| response.status().as_u16() == 412)
}

/// A failure in words, with the bucket's region where the wrong one was asked.
fn failure<E>(call: Call<'_>, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let Failure::Other(text) = other(&call.failed(error)) else {
        return Failure::Conflict;
    };
    let elsewhere = matches!(
        error.code(),
        Some("PermanentRedirect" | "AuthorizationHeaderMalformed")
    );
    let region = error
        .raw_response()
        .and_then(|response| response.headers().get("x-amz-bucket-region"));
    match region.filter(|_| elsewhere) {
        Some(region) => Failure::Other(format!(
            "{text} (the bucket is in {region}: set AWS_REGION={region})"
        )),
        None => Failure::Other(text),
    }
}

fn other(error: &AwsError) -> Failure {
    Failure::Other(error.to_string())
}

fn version(call: Call<'_>, tag: Option<String>) -> Result<Version, Failure> {
    call.required("ETag", tag)
        .map(Version)
        .map_err(|error| other(&error))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_credential_types::Credentials;
    use aws_smithy_runtime_api::client::http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
        SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    type Answer = (u16, &'static str);

    /// An S3 that gives its answers one after another, and remembers what it was asked: the method and the query.
    #[derive(Debug, Clone, Default)]
    struct Fake {
        answers: Arc<Mutex<Vec<Answer>>>,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl HttpConnector for Fake {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.asked
                .lock()
                .unwrap()
                .push(format!("{} {}", request.method(), request.uri()));
            let (status, body) = self.answers.lock().unwrap().remove(0);
            let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
            response.headers_mut().insert("etag", "\"tag\"");
            response
                .headers_mut()
                .insert("x-amz-bucket-region", "eu-central-1");
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    impl HttpClient for Fake {
        fn http_connector(
            &self,
            _: &HttpConnectorSettings,
            _: &RuntimeComponents,
        ) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    async fn bucket(answers: &[Answer]) -> (Fake, Bucket) {
        let fake = Fake {
            answers: Arc::new(Mutex::new(answers.to_vec())),
            ..Fake::default()
        };
        let settings = Settings {
            http: Some(SharedHttpClient::new(fake.clone())),
            region: Some("us-east-1".to_owned()),
            credentials: Some(Credentials::new("k", "s", None, None, "test")),
            ..Settings::default()
        };
        let bucket = Bucket::connect(settings, "b", "p/q").await.unwrap();
        (fake, bucket)
    }

    #[tokio::test]
    async fn a_listing_goes_on_until_it_is_not_truncated_through_empty_pages_too() {
        let (fake, bucket) = bucket(&[
            (200, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>one</NextContinuationToken>\
                <Contents><Key>p/q/runs/</Key></Contents><Contents><Key>p/q/runs/b.jsonl</Key></Contents></ListBucketResult>"),
            (200, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>two</NextContinuationToken></ListBucketResult>"),
            (200, "<ListBucketResult><IsTruncated>false</IsTruncated>\
                <CommonPrefixes><Prefix>p/q/runs/a/</Prefix></CommonPrefixes></ListBucketResult>"),
        ])
        .await;
        assert_eq!(bucket.list("runs/", "").await.unwrap(), ["a/", "b.jsonl"]);
        let asked = fake.asked.lock().unwrap().clone();
        assert!(
            asked[0].contains("prefix=p%2Fq%2Fruns%2F") && asked[0].contains("delimiter=%2F"),
            "{asked:?}"
        );
        assert!(
            asked[1].contains("continuation-token=one")
                && asked[2].contains("continuation-token=two"),
            "{asked:?}"
        );
    }

    #[tokio::test]
    async fn a_listing_that_comes_back_to_a_page_is_an_error() {
        let one = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>one</NextContinuationToken></ListBucketResult>";
        let two = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>two</NextContinuationToken></ListBucketResult>";
        let (_, bucket) = bucket(&[(200, one), (200, two), (200, one)]).await;
        assert!(
            matches!(bucket.list("", "").await, Err(Failure::Other(text)) if text.contains("does not end"))
        );
    }

    #[tokio::test]
    async fn a_truncated_page_without_a_way_on_is_no_end() {
        let page = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
        let (_, bucket) = bucket(&[(200, page)]).await;
        assert!(
            matches!(bucket.list("", "").await, Err(Failure::Other(text)) if text.contains("NextContinuationToken"))
        );
    }

    #[tokio::test]
    async fn a_write_is_a_conflict_unless_what_is_there_is_what_was_written() {
        let refused = (412, "<Error><Code>PreconditionFailed</Code></Error>");
        let now = (
            409,
            "<Error><Code>ConditionalRequestConflict</Code></Error>",
        );
        let gone = (404, "<Error><Code>NoSuchKey</Code></Error>");
        let tag = || Ok(Version("\"tag\"".to_owned()));
        let cases: [(&[Answer], Result<Version, Failure>); 5] = [
            (&[(200, "")], tag()),
            (&[refused, (200, "theirs")], Err(Failure::Conflict)),
            (&[refused, (200, "ours")], tag()),
            (&[now, (200, "")], tag()),
            (&[gone, gone], Err(Failure::Conflict)),
        ];
        for (answers, expect) in cases {
            let (fake, bucket) = bucket(answers).await;
            assert_eq!(
                bucket.put("k", b"ours".to_vec(), Condition::Absent).await,
                expect,
                "{answers:?}"
            );
            assert!(fake.answers.lock().unwrap().is_empty(), "{answers:?}");
        }
    }

    #[tokio::test]
    async fn whoever_asks_in_the_wrong_region_is_told_the_right_one() {
        let (_, bucket) = bucket(&[(
            301,
            "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>",
        )])
        .await;
        let Err(Failure::Other(text)) = bucket.get("k").await else {
            panic!("it was answered")
        };
        assert!(
            text.contains("PermanentRedirect") && text.contains("set AWS_REGION=eu-central-1"),
            "{text}"
        );
    }
}
