#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use serde_json::{Value, json};

use super::*;
use crate::Sandbox;

const ACCOUNT: &str = "222222222221";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn account() -> AccountId {
    AccountId::parse(ACCOUNT).unwrap()
}

/// A role that was made, tagged `tags` times, and could not be made again.
fn sandbox(tags: usize) -> Sandbox {
    let sandbox = Sandbox::new(World::demo());
    let act = |operation, params: &[(&str, &str)]| sandbox.by_hand(account(), operation, params);
    let create = [
        ("RoleName", "Vendor"),
        ("AssumeRolePolicyDocument", TRUST),
        ("Path", "/v/"),
    ];
    act("CreateRole", &create).unwrap();
    for n in 0..tags {
        let value = n.to_string();
        let tag = [
            ("RoleName", "Vendor"),
            ("Tags.member.1.Key", "n"),
            ("Tags.member.1.Value", &value),
        ];
        act("TagRole", &tag).unwrap();
    }
    act("CreateRole", &create).unwrap_err();
    act("GetRole", &[("RoleName", "Vendor")]).unwrap();
    sandbox
}

fn ask(sandbox: &Sandbox, region: &str, input: &Value) -> Result<Value, String> {
    sandbox
        .with(|world| {
            call(
                world,
                account(),
                region,
                "LookupEvents",
                input.to_string().as_bytes(),
            )
        })
        .map_err(|error| error.code)
}

fn names(answer: &Value) -> Vec<&str> {
    answer["Events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["EventName"].as_str().unwrap())
        .collect()
}

fn by(key: &str, value: &str) -> Value {
    json!({ "LookupAttributes": [{ "AttributeKey": key, "AttributeValue": value }] })
}

#[test]
fn writes_are_events_the_newest_first_refused_ones_too_and_reads_are_not() {
    let answer = ask(&sandbox(1), "us-east-1", &json!({})).unwrap();
    assert_eq!(names(&answer), ["CreateRole", "TagRole", "CreateRole"]);
    let record = |n: usize| -> Value {
        serde_json::from_str(answer["Events"][n]["CloudTrailEvent"].as_str().unwrap()).unwrap()
    };
    assert_eq!(record(0)["errorCode"], "EntityAlreadyExists");
    let (tagged, made) = (record(1), record(2));
    assert_eq!(
        tagged["requestParameters"],
        json!({ "roleName": "Vendor", "tags": [{ "key": "n", "value": "0" }] })
    );
    assert_eq!(made["errorCode"], Value::Null);
    assert_eq!(
        made["userIdentity"]["arn"],
        "arn:aws:iam::222222222221:user/by-hand"
    );
    assert_eq!(made["sourceIPAddress"], "203.0.113.7");
    assert_eq!(made["eventID"], answer["Events"][2]["EventId"]);
}

#[test]
fn events_are_found_by_one_attribute_and_in_one_region() {
    let sandbox = sandbox(1);
    let made = "arn:aws:iam::222222222221:role/v/Vendor";
    for (key, value, expect) in [
        ("ResourceName", "Vendor", 3),
        ("ResourceName", made, 2),
        ("ResourceName", "vendor", 0),
        ("ResourceType", "AWS::IAM::Role", 3),
        ("EventName", "TagRole", 1),
        ("Username", "by-hand", 3),
        ("ReadOnly", "true", 0),
    ] {
        let answer = ask(&sandbox, "us-east-1", &by(key, value)).unwrap();
        assert_eq!(names(&answer).len(), expect, "{key} {value}");
    }
    assert_eq!(
        names(&ask(&sandbox, "eu-west-1", &json!({})).unwrap()).len(),
        0
    );
}

#[test]
fn pages_follow_each_other_and_hold_fifty_at_most() {
    let sandbox = sandbox(60);
    let mut sizes = Vec::new();
    let mut input = by("ResourceName", "Vendor");
    loop {
        let answer = ask(&sandbox, "us-east-1", &input).unwrap();
        sizes.push(names(&answer).len());
        match answer.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(sizes, [50, 12]);
}

#[test]
fn what_is_asked_wrongly_is_refused_as_documented() {
    let sandbox = sandbox(0);
    let two = json!([{ "AttributeKey": "EventName", "AttributeValue": "a" }, { "AttributeKey": "EventId", "AttributeValue": "b" }]);
    for (input, expect) in [
        (
            json!({ "LookupAttributes": two }),
            "InvalidLookupAttributesException",
        ),
        (by("Colour", "red"), "InvalidLookupAttributesException"),
        (json!({ "MaxResults": 51 }), "InvalidMaxResultsException"),
        (json!({ "MaxResults": 0 }), "InvalidMaxResultsException"),
        (json!({ "NextToken": "x" }), "InvalidNextTokenException"),
        (
            json!({ "StartTime": 2, "EndTime": 1 }),
            "InvalidTimeRangeException",
        ),
    ] {
        assert_eq!(
            ask(&sandbox, "us-east-1", &input),
            Err(expect.to_owned()),
            "{input}"
        );
    }
}

#[test]
fn times_narrow_the_answer() {
    let sandbox = sandbox(0);
    let now = jiff::Timestamp::now().as_second();
    for (input, expect) in [
        (json!({ "StartTime": now - 60, "EndTime": now + 60 }), 2),
        (json!({ "StartTime": now + 60 }), 0),
        (json!({ "EndTime": now - 60 }), 0),
    ] {
        assert_eq!(
            names(&ask(&sandbox, "us-east-1", &input).unwrap()).len(),
            expect,
            "{input}"
        );
    }
}
