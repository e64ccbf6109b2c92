//! Events of CloudTrail: who changed a resource, when, and from where.
//!
//! An event is a change of a resource when its request names that resource, and when it was not refused. That an event
//! mentions a resource is not enough: attaching a policy to a role mentions the policy and changes the role.
//!
//! Sources: CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element"; IAM API
//! Reference, the parameters of each write.

use serde::Serialize;
use serde_json::Value;

use super::grant::Principal;
use super::name::{PolicyName, RoleName};

/// What changes are looked for of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A role.
    Role(RoleName),
    /// A customer managed policy.
    Policy(PolicyName),
    /// One inline policy of a principal.
    Inline(Principal, PolicyName),
    /// One managed policy on a role.
    Attached(RoleName, PolicyName),
}

/// One change that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Who did it: the ARN of a user, of an assumed-role session or of a root, or the name of a service.
    pub user: String,
    /// When, RFC 3339 UTC, in whole seconds.
    pub time: String,
    /// The address that the request came from, or the name of the service that sent it.
    pub source: String,
    /// What was done: `AttachRolePolicy`.
    pub operation: String,
    /// CloudTrail's id of the event.
    pub event_id: String,
}

/// What is known of the changes of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The newest first.
    pub changes: Vec<Event>,
    /// Whether there are older events that were not read.
    pub is_cut: bool,
}

impl Event {
    /// Reads the record of an event, where it is a change of `subject` that was done. `username` is who it was where the
    /// record does not say.
    pub fn change_of(subject: &Subject, record: &str, username: Option<&str>) -> Option<Self> {
        let record: Value = serde_json::from_str(record).ok()?;
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let done =
            text("errorCode").is_none() && record.get("readOnly") != Some(&Value::Bool(true));
        let operation = text("eventName")?;
        let parameters = record.get("requestParameters")?;
        if text("eventSource") != Some("iam.amazonaws.com")
            || !done
            || !subject.is_changed(operation, parameters)
        {
            return None;
        }
        let user = record.get("userIdentity").and_then(user).or(username);
        Some(Self {
            user: user.unwrap_or("an unnamed principal").to_owned(),
            time: text("eventTime")?.to_owned(),
            source: text("sourceIPAddress")
                .unwrap_or("an unknown address")
                .to_owned(),
            operation: operation.to_owned(),
            event_id: text("eventID")?.to_owned(),
        })
    }
}

/// Who it was. A federated user has no ARN, nor has a service.
fn user(identity: &Value) -> Option<&str> {
    ["arn", "invokedBy", "userName", "principalId", "accountId"]
        .iter()
        .find_map(|name| identity.get(name)?.as_str())
}

impl Subject {
    /// Whether a write with these parameters changes this.
    fn is_changed(&self, operation: &str, parameters: &Value) -> bool {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let is = |name: &str, value: &str| {
            text(name).is_some_and(|text| text.eq_ignore_ascii_case(value))
        };
        match self {
            // Profiles are not part of a role.
            Self::Role(role) => {
                is("roleName", role.as_str()) && text("instanceProfileName").is_none()
            }
            Self::Policy(policy) => {
                let name = match text("policyArn") {
                    Some(arn) => arn.rsplit('/').next(),
                    None => text("policyName").filter(|_| operation == "CreatePolicy"),
                };
                let holder = ["roleName", "userName", "groupName"]
                    .iter()
                    .find_map(|name| text(name));
                holder.is_none()
                    && name.is_some_and(|name| name.eq_ignore_ascii_case(policy.as_str()))
            }
            Self::Attached(role, policy) => {
                let attached = text("policyArn").and_then(|arn| arn.rsplit('/').next());
                let is_it = attached.is_some_and(|name| name.eq_ignore_ascii_case(policy.as_str()));
                is("roleName", role.as_str()) && (is_it || operation == "DeleteRole")
            }
            Self::Inline(principal, policy) => {
                let (holder, delete) = match principal {
                    Principal::User(_) => ("userName", "DeleteUser"),
                    Principal::Group(_) => ("groupName", "DeleteGroup"),
                    Principal::Role(_) => ("roleName", "DeleteRole"),
                };
                is(holder, principal.name())
                    && (is("policyName", policy.as_str()) || operation == delete)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn role() -> Subject {
        Subject::Role(RoleName::parse("Vendor").unwrap())
    }

    fn policy() -> Subject {
        Subject::Policy(PolicyName::parse("Data").unwrap())
    }

    fn grant() -> Subject {
        let principal = Principal::parse("user", "reader").unwrap().unwrap();
        Subject::Inline(principal, PolicyName::parse("rolecall-x").unwrap())
    }

    fn record(operation: &str, parameters: &Value) -> Value {
        json!({
            "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::222222222222:user/ann", "userName": "ann" },
            "eventTime": "2026-05-04T02:10:00Z", "eventSource": "iam.amazonaws.com", "eventName": operation,
            "sourceIPAddress": "203.0.113.7", "requestParameters": parameters, "readOnly": false, "eventID": "e-1",
        })
    }

    fn read(subject: &Subject, record: &Value) -> Option<Event> {
        Event::change_of(subject, &record.to_string(), Some("username"))
    }

    #[test]
    fn a_change_is_what_its_request_names() {
        let arn = "arn:aws:iam::222222222222:policy/p/Data";
        for (subject, operation, parameters, expect) in [
            (
                role(),
                "AttachRolePolicy",
                json!({ "roleName": "Vendor", "policyArn": arn }),
                true,
            ),
            (role(), "DeleteRole", json!({ "roleName": "vendor" }), true),
            (
                role(),
                "DeleteRole",
                json!({ "roleName": "Vendor2" }),
                false,
            ),
            (role(), "DeleteUser", json!({ "userName": "Vendor" }), false),
            (
                role(),
                "AddRoleToInstanceProfile",
                json!({ "roleName": "Vendor", "instanceProfileName": "x" }),
                false,
            ),
            (role(), "CreateRole", Value::Null, false),
            (
                policy(),
                "CreatePolicyVersion",
                json!({ "policyArn": arn }),
                true,
            ),
            (
                policy(),
                "CreatePolicy",
                json!({ "policyName": "Data", "path": "/p/" }),
                true,
            ),
            (
                policy(),
                "AttachRolePolicy",
                json!({ "roleName": "Vendor", "policyArn": arn }),
                false,
            ),
            (
                policy(),
                "PutRolePolicy",
                json!({ "roleName": "Vendor", "policyName": "Data" }),
                false,
            ),
            (
                policy(),
                "DeletePolicy",
                json!({ "policyArn": "arn:aws:iam::222222222222:policy/Data2" }),
                false,
            ),
            (
                grant(),
                "PutUserPolicy",
                json!({ "userName": "reader", "policyName": "rolecall-x" }),
                true,
            ),
            (
                grant(),
                "PutUserPolicy",
                json!({ "userName": "reader", "policyName": "another" }),
                false,
            ),
            (
                grant(),
                "PutGroupPolicy",
                json!({ "groupName": "reader", "policyName": "rolecall-x" }),
                false,
            ),
            (grant(), "DeleteUser", json!({ "userName": "reader" }), true),
        ] {
            let found = read(&subject, &record(operation, &parameters));
            assert_eq!(
                found.is_some(),
                expect,
                "{operation} {parameters} of {subject:?}"
            );
        }
    }

    #[test]
    fn what_was_refused_read_or_not_asked_of_iam_is_no_change() {
        let changed = |name: &str, value: Value| {
            let mut record = record("DeleteRole", &json!({ "roleName": "Vendor" }));
            _ = record
                .as_object_mut()
                .unwrap()
                .insert(name.to_owned(), value);
            read(&role(), &record)
        };
        assert!(changed("readOnly", json!(false)).is_some());
        assert_eq!(changed("errorCode", json!("AccessDenied")), None);
        assert_eq!(changed("readOnly", json!(true)), None);
        assert_eq!(changed("eventSource", json!("sts.amazonaws.com")), None);
        assert_eq!(Event::change_of(&role(), "not JSON", None), None);
    }

    #[test]
    fn everybody_has_a_name() {
        for (identity, expect) in [
            (
                json!({ "type": "Root", "arn": "arn:aws:iam::1:root" }),
                "arn:aws:iam::1:root",
            ),
            (
                json!({ "type": "AssumedRole", "principalId": "AROA:bo", "arn": "arn:aws:sts::1:assumed-role/r/bo" }),
                "arn:aws:sts::1:assumed-role/r/bo",
            ),
            (
                json!({ "type": "AWSService", "invokedBy": "sso.amazonaws.com" }),
                "sso.amazonaws.com",
            ),
            (
                json!({ "type": "WebIdentityUser", "principalId": "p", "userName": "repo:a/b" }),
                "repo:a/b",
            ),
            (
                json!({ "type": "AWSAccount", "principalId": "AIDA", "accountId": "1" }),
                "AIDA",
            ),
            (json!({}), "username"),
            (Value::Null, "username"),
        ] {
            let mut record = record("DeleteRole", &json!({ "roleName": "Vendor" }));
            _ = record
                .as_object_mut()
                .unwrap()
                .insert("userIdentity".to_owned(), identity);
            assert_eq!(read(&role(), &record).unwrap().user, expect);
        }
    }
}
