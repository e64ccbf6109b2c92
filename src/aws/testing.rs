//! A fake AWS for the tests of this module: a connector that answers from a function and remembers what it was asked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;

use super::{Access, Accounts, Aws, Settings};
use crate::org::{Account, AccountId, AccountStatus, OuPath};

/// The caller's account.
pub(super) const CALLER: &str = "111111111111";

/// One request, as the fake sees it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub operation: String,
    /// The parameters of the query protocol, or the top-level members of JSON.
    pub params: BTreeMap<String, String>,
    /// The access key that signed it.
    pub key: String,
}

impl Asked {
    pub fn get(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    async fn of(mut request: HttpRequest) -> Result<Self, ConnectorError> {
        let body = std::mem::replace(request.body_mut(), SdkBody::empty())
            .collect()
            .await;
        let body = body.map_err(ConnectorError::user)?.to_bytes();
        let body = std::str::from_utf8(&body).unwrap();
        let authorization = request.headers().get("authorization").unwrap_or_default();
        let key = authorization
            .split_once("Credential=")
            .map_or("", |(_, rest)| rest.split('/').next().unwrap());
        let (operation, params) = if let Some(target) = request.headers().get("x-amz-target") {
            let members: BTreeMap<String, serde_json::Value> = serde_json::from_str(body).unwrap();
            let text =
                |value: serde_json::Value| value.as_str().map_or(value.to_string(), str::to_owned);
            let params = members
                .into_iter()
                .map(|(name, value)| (name, text(value)))
                .collect();
            (target.rsplit('.').next().unwrap().to_owned(), params)
        } else {
            let params: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes())
                .into_owned()
                .collect();
            (params["Action"].clone(), params)
        };
        Ok(Self {
            operation,
            params,
            key: key.to_owned(),
        })
    }
}

/// What answers a request with status and body.
type Answer = dyn Fn(&Asked) -> (u16, String) + Send + Sync;

/// The connector. Clones share the log.
#[derive(Clone)]
pub(super) struct Fake {
    answer: Arc<Answer>,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

impl Fake {
    /// A fake that answers `GetCallerIdentity` and `AssumeRole` itself and asks `answer` for everything else. The
    /// keys of an entered account begin with its id.
    pub fn new(answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self {
            answer: Arc::new(answer),
            log: Arc::default(),
        }
    }

    pub fn http(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Everything that was asked so far.
    pub fn log(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }

    /// How often `operation` was asked for.
    pub fn count(&self, operation: &str) -> usize {
        self.log()
            .iter()
            .filter(|asked| asked.operation == operation)
            .count()
    }

    pub async fn aws(&self) -> Aws {
        let credentials = Credentials::new("caller", "secret", None, None, "test");
        let settings = Settings {
            http: Some(self.http()),
            credentials: Some(credentials),
            ..Settings::default()
        };
        Aws::connect(settings).await.unwrap()
    }

    pub async fn accounts(&self) -> Accounts {
        self.aws().await.accounts(Access {
            role_for: Box::new(|_| "ops/Entry".to_owned()),
            session_name: "rolecall".to_owned(),
            external_id: Some("x-1".to_owned()),
        })
    }

    fn reply(&self, asked: &Asked) -> (u16, String) {
        let (status, body) = (self.answer)(asked);
        match asked.operation.as_str() {
            _ if status != 0 => (status, body),
            "GetCallerIdentity" => xml(
                "GetCallerIdentity",
                &format!("<Account>{CALLER}</Account><Arn>arn:aws-cn:iam::{CALLER}:user/ops</Arn>"),
            ),
            "AssumeRole" => {
                let account = asked.get("RoleArn").split(':').nth(4).unwrap();
                xml(
                    "AssumeRole",
                    &format!(
                        "<Credentials><AccessKeyId>{account}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
                         <SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
                    ),
                )
            }
            other => panic!("nothing answers {other}"),
        }
    }
}

impl HttpConnector for Fake {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fake = self.clone();
        HttpConnectorFuture::new(async move {
            let asked = Asked::of(request).await?;
            fake.log.lock().unwrap().push(asked.clone());
            let (status, body) = fake.reply(&asked);
            Ok(HttpResponse::new(
                status.try_into().unwrap(),
                SdkBody::from(body),
            ))
        })
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

/// Leaves the answer to the fake itself.
pub(super) fn default() -> (u16, String) {
    (0, String::new())
}

/// A success of the query protocol.
pub(super) fn xml(operation: &str, result: &str) -> (u16, String) {
    let body = format!(
        "<{operation}Response><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></{operation}Response>\n"
    );
    (200, body)
}

/// A refusal of the query protocol.
pub(super) fn refusal(status: u16, code: &str, message: &str) -> (u16, String) {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>r-2</RequestId></ErrorResponse>"
    );
    (status, body)
}

/// An account of the organization.
pub(super) fn account(id: &str) -> Account {
    Account {
        id: AccountId::parse(id).unwrap(),
        name: format!("account-{id}"),
        email: String::new(),
        status: AccountStatus("ACTIVE".to_owned()),
        ou: OuPath::default(),
        parents: Vec::new(),
        joined: None,
        tags: None,
    }
}
