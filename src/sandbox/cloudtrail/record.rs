//! What is kept of an event, and how it is reported.
//!
//! The newest [`KEPT`] events of all accounts together are kept, and no policy documents, so that a world of a hundred
//! thousand roles takes no more memory than a small one.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::clock::Clock;
use crate::wire::{ApiError, Params};
use rolecall_core::org::{AccountId, Partition};

/// Events that are kept, of all accounts together.
const KEPT: usize = 20_000;

/// Seconds from 1970 to the beginning of a world whose clock is moved by hand, 2026-01-01T00:00:00Z.
const BEGINNING: i64 = 1_767_225_600;

/// The event histories of all accounts.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    /// The oldest first.
    events: VecDeque<Event>,
    count: u64,
}

/// One call.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Counted from 1 over all accounts.
    pub number: u64,
    account: AccountId,
    /// Seconds since 1970.
    pub at: i64,
    pub operation: Box<str>,
    pub by: Arc<By>,
    params: Params,
    error: Option<(String, String)>,
}

/// Who called, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct By {
    pub arn: String,
    pub user_id: String,
    pub role_arn: Option<String>,
    pub key: String,
    pub source: &'static str,
}

impl Trail {
    /// Takes note of a call, where it is a write.
    pub(super) fn note(
        &mut self,
        (account, clock): (AccountId, Clock),
        by: By,
        operation: &str,
        params: &Params,
        error: Option<&ApiError>,
    ) {
        let reads = ["Get", "List", "Simulate"]
            .iter()
            .any(|read| operation.starts_with(read));
        if reads || error.is_some_and(|error| error.code == "InvalidAction") {
            return;
        }
        let params = params.0.iter().filter(|(name, _)| !is_left_out(name));
        self.count += 1;
        let before = self.events.back().map(|event| Arc::clone(&event.by));
        self.events.push_back(Event {
            number: self.count,
            account,
            at: match clock {
                Clock::Wall(_) => Timestamp::now().as_second(),
                Clock::Manual(now) => BEGINNING.saturating_add_unsigned(now.as_secs()),
            },
            operation: operation.into(),
            by: before
                .filter(|before| **before == by)
                .unwrap_or_else(|| by.into()),
            params: Params(
                params
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            ),
            error: error.map(|error| (error.code.clone(), error.message.clone())),
        });
        if self.events.len() > KEPT {
            self.events.pop_front();
        }
    }

    /// The events of one account.
    pub(super) fn newest_first(&self, account: AccountId) -> impl Iterator<Item = &Event> {
        self.events
            .iter()
            .rev()
            .filter(move |event| event.account == account)
    }
}

/// The region whose history holds the events of IAM.
pub(super) fn home(partition: &Partition) -> &'static str {
    match partition.0.as_str() {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        _ => "us-east-1",
    }
}

fn is_left_out(name: &str) -> bool {
    ["Action", "Version"].contains(&name) || name.ends_with("Document")
}

impl Event {
    /// CloudTrail's id of it.
    pub fn id(&self) -> String {
        uuid::Uuid::from_u64_pair(
            self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            !self.number,
        )
        .to_string()
    }

    /// The resources that it names, each with its type.
    pub fn resources(&self, partition: &Partition) -> Vec<(&'static str, String)> {
        const KINDS: [(&str, &str); 6] = [
            ("RoleName", "AWS::IAM::Role"),
            ("UserName", "AWS::IAM::User"),
            ("GroupName", "AWS::IAM::Group"),
            ("InstanceProfileName", "AWS::IAM::InstanceProfile"),
            ("PolicyArn", "AWS::IAM::Policy"),
            ("PermissionsBoundary", "AWS::IAM::Policy"),
        ];
        let named = KINDS
            .iter()
            .filter_map(|(name, kind)| Some((*kind, self.params.get(name)?.to_owned())));
        let mut named: Vec<(&'static str, String)> = named.collect();
        let path = self.params.get("Path").unwrap_or("/");
        let arn = |kind: &str, name: &str| {
            format!("arn:{partition}:iam::{}:{kind}{path}{name}", self.account)
        };
        // What is made is known by its ARN too, which the answer tells.
        match (
            &*self.operation,
            self.params.get("RoleName"),
            self.params.get("PolicyName"),
        ) {
            ("CreateRole", Some(role), _) => named.push(("AWS::IAM::Role", arn("role", role))),
            ("CreatePolicy", _, Some(policy)) => {
                named.push(("AWS::IAM::Policy", policy.to_owned()));
                named.push(("AWS::IAM::Policy", arn("policy", policy)));
            }
            _ => {}
        }
        named
    }

    /// The event as `LookupEvents` tells it.
    pub fn told(&self, partition: &Partition) -> Value {
        let resources: Vec<Value> = self
            .resources(partition)
            .into_iter()
            .map(|(kind, name)| json!({ "ResourceType": kind, "ResourceName": name }))
            .collect();
        json!({
            "EventId": self.id(),
            "EventName": self.operation,
            "ReadOnly": "false",
            "AccessKeyId": self.by.key,
            "EventTime": self.at,
            "EventSource": "iam.amazonaws.com",
            "Username": self.by.name(),
            "Resources": resources,
            "CloudTrailEvent": self.record(partition).to_string(),
        })
    }

    /// The whole record.
    fn record(&self, partition: &Partition) -> Value {
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": self.by.identity(self.account),
            "eventTime": Timestamp::from_second(self.at).unwrap_or_default().to_string(),
            "eventSource": "iam.amazonaws.com",
            "eventName": self.operation,
            "awsRegion": home(partition),
            "sourceIPAddress": self.by.source,
            "userAgent": "sandbox",
            "requestParameters": parameters(&self.params),
            "responseElements": null,
            "eventID": self.id(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": self.account,
            "eventCategory": "Management",
        });
        if let (Some((code, message)), Some(members)) = (&self.error, record.as_object_mut()) {
            members.insert("errorCode".to_owned(), json!(code));
            members.insert("errorMessage".to_owned(), json!(message));
        }
        record
    }
}

/// `Tags.member.1.Key=k` as `{"tags": [{"key": "k"}]}`.
fn parameters(params: &Params) -> Value {
    let lower = |name: &str| {
        let mut letters = name.chars();
        letters
            .next()
            .map(|first| first.to_lowercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    let fields = |params: &Params| -> Map<String, Value> {
        params
            .0
            .iter()
            .map(|(name, value)| (lower(name), json!(value)))
            .collect()
    };
    let mut told = Map::new();
    for (name, value) in &params.0 {
        let Some((list, _)) = name.split_once(".member.") else {
            told.insert(lower(name), json!(value));
            continue;
        };
        let structs: Vec<Value> = params
            .structs(list)
            .iter()
            .map(|one| Value::Object(fields(one)))
            .collect();
        let items = if structs.is_empty() {
            json!(params.list(list))
        } else {
            json!(structs)
        };
        told.insert(lower(list), items);
    }
    Value::Object(told)
}

impl By {
    /// The user's name, or the session's.
    pub fn name(&self) -> &str {
        if self.arn.ends_with(":root") {
            "root"
        } else {
            self.arn.rsplit('/').next().unwrap_or_default()
        }
    }

    fn identity(&self, account: AccountId) -> Value {
        let Self {
            arn,
            user_id,
            role_arn,
            key,
            source: _,
        } = self;
        let kind = match role_arn {
            Some(_) => "AssumedRole",
            None if arn.ends_with(":root") => "Root",
            None => "IAMUser",
        };
        let mut identity = json!({ "type": kind, "principalId": user_id, "arn": arn, "accountId": account, "accessKeyId": key });
        let Some(members) = identity.as_object_mut() else {
            return identity;
        };
        match role_arn {
            Some(role_arn) => {
                let issuer = json!({
                    "type": "Role",
                    "principalId": user_id.split(':').next(),
                    "arn": role_arn,
                    "accountId": account,
                    "userName": role_arn.rsplit('/').next(),
                });
                members.insert(
                    "sessionContext".to_owned(),
                    json!({ "sessionIssuer": issuer }),
                );
            }
            None if kind == "IAMUser" => {
                _ = members.insert("userName".to_owned(), json!(self.name()));
            }
            None => {}
        }
        identity
    }
}
