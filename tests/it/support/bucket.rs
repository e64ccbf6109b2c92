//! An S3 in the test's own process, as far as a state needs it: conditional writes and listings, a thousand names a page.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::process::Command;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rolecall::aws;
use rolecall::store::Backend;

type Rewrite = Box<dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send>;

/// The bucket `states`.
#[derive(Clone)]
pub struct Bucket {
    pub endpoint: String,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Default)]
struct Inside {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    written: u64,
    calls: Vec<String>,
    rewrite: Option<Rewrite>,
}

impl Bucket {
    pub async fn start() -> Self {
        let (listener, endpoint) = super::listen().await;
        let bucket = Self {
            endpoint,
            inside: Arc::default(),
        };
        let accepting = bucket.clone();
        super::servers().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let bucket = accepting.clone();
                let answer = service_fn(move |request| {
                    let bucket = bucket.clone();
                    async move { Ok::<_, Infallible>(bucket.answer(request).await) }
                });
                tokio::spawn(async move {
                    http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), answer)
                        .await
                });
            }
        });
        bucket
    }

    /// Points the binary's state here; AWS may be elsewhere.
    pub fn hold<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL_S3", &self.endpoint)
            .env("ROLECALL_STATE", "s3://states/team")
    }

    /// The same place, for this process.
    pub async fn backend(&self) -> Arc<dyn Backend> {
        let settings = aws::Settings {
            endpoint: Some(self.endpoint.clone()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(Credentials::new("k", "s", None, None, "test")),
            ..aws::Settings::default()
        };
        Arc::new(
            aws::Bucket::connect(settings, "states", "team")
                .await
                .unwrap(),
        )
    }

    /// Stores other bytes than were sent, from now on.
    pub fn rewrite(&self, rewrite: impl Fn(&str, Vec<u8>) -> Vec<u8> + Send + 'static) {
        self.inside.lock().unwrap().rewrite = Some(Box::new(rewrite));
    }

    /// Writes an object as someone else would.
    pub fn put(&self, key: &str, bytes: Vec<u8>) {
        self.inside.lock().unwrap().put(key, bytes);
    }

    /// An object.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.inside
            .lock()
            .unwrap()
            .objects
            .get(key)
            .map(|(bytes, _)| bytes.clone())
    }

    /// The calls since this was asked last: method and key.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside.lock().unwrap().calls)
    }

    async fn answer(&self, request: hyper::Request<Incoming>) -> hyper::Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name| {
            head.headers
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let path = percent_encoding::percent_decode_str(head.uri.path())
            .decode_utf8()
            .unwrap()
            .into_owned();
        let key = path
            .trim_start_matches("/states")
            .trim_start_matches('/')
            .to_owned();
        let mut inside = self.inside.lock().unwrap();
        inside.calls.push(format!("{} {key}", head.method));
        let (status, tag, text) = match head.method.as_str() {
            "PUT" => {
                let bytes = unchunked(
                    &body,
                    header("content-encoding").is_some_and(|kind| kind.contains("aws-chunked")),
                );
                inside.put_if(
                    &key,
                    bytes,
                    header("if-none-match").is_some(),
                    header("if-match").as_ref(),
                )
            }
            _ if key.is_empty() => (
                200,
                None,
                inside
                    .list(head.uri.query().unwrap_or_default())
                    .into_bytes(),
            ),
            _ => match inside.objects.get(&key) {
                Some((bytes, version)) => (200, Some(*version), bytes.clone()),
                None => (404, None, b"<Error><Code>NoSuchKey</Code></Error>".to_vec()),
            },
        };
        let answer = hyper::Response::builder().status(status);
        let answer = if let Some(tag) = tag {
            answer.header("etag", format!("\"{tag}\""))
        } else {
            answer
        };
        answer.body(Full::from(text)).unwrap()
    }
}

impl Inside {
    fn put(&mut self, key: &str, bytes: Vec<u8>) -> u64 {
        self.written += 1;
        let bytes = self
            .rewrite
            .as_ref()
            .map_or(bytes.clone(), |rewrite| rewrite(key, bytes));
        self.objects.insert(key.to_owned(), (bytes, self.written));
        self.written
    }

    fn put_if(
        &mut self,
        key: &str,
        bytes: Vec<u8>,
        absent: bool,
        version: Option<&String>,
    ) -> (u16, Option<u64>, Vec<u8>) {
        let now = self
            .objects
            .get(key)
            .map(|(_, version)| format!("\"{version}\""));
        if absent && now.is_some() || version.is_some() && version != now.as_ref() {
            return (
                412,
                None,
                b"<Error><Code>PreconditionFailed</Code></Error>".to_vec(),
            );
        }
        (200, Some(self.put(key, bytes)), Vec::new())
    }

    fn list(&self, query: &str) -> String {
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        let asked = |name: &str| query.get(name).cloned().unwrap_or_default();
        let (prefix, after) = (
            asked("prefix"),
            asked("start-after").max(asked("continuation-token")),
        );
        let mut found: Vec<String> = Vec::new();
        for key in self.objects.keys().filter(|key| **key > after) {
            let Some(rest) = key.strip_prefix(&prefix) else {
                continue;
            };
            let found_here = rest
                .split_once('/')
                .map_or(key.clone(), |(name, _)| format!("{prefix}{name}/"));
            if found_here > after && found.last() != Some(&found_here) {
                found.push(found_here);
            }
        }
        let more = found.len() > 1000;
        found.truncate(1000);
        let names: String = found
            .iter()
            .map(|name| {
                let kind = if name.ends_with('/') {
                    ("CommonPrefixes", "Prefix")
                } else {
                    ("Contents", "Key")
                };
                format!("<{0}><{1}>{name}</{1}></{0}>", kind.0, kind.1)
            })
            .collect();
        let token = found.last().filter(|_| more).map(|last| {
            format!(
                "<NextContinuationToken>{}~</NextContinuationToken>",
                last.trim_end_matches('/')
            )
        });
        let token = token.unwrap_or_default();
        format!(
            "<ListBucketResult><IsTruncated>{more}</IsTruncated>{token}{names}</ListBucketResult>"
        )
    }
}

/// The content of a body that the SDK sends in chunks with a checksum behind them.
fn unchunked(body: &[u8], chunked: bool) -> Vec<u8> {
    if !chunked {
        return body.to_vec();
    }
    let (mut rest, mut content) = (body, Vec::new());
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .unwrap();
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size.split(';').next().unwrap(), 16).unwrap();
        if size == 0 {
            return content;
        }
        content.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}
