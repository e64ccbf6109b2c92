//! Keys that a caller may lack or choose, and conditions that do not do what they look like.

use super::*;

/// Case S1: a condition that holds without its key leaves the role to everybody, who may lack the key.
#[test]
fn case_s1_a_key_that_a_stranger_may_lack_is_tried_absent() {
    let ours = "o-ours000000";
    check(
        "public-trust",
        &[
            (
                "our organization, if any",
                everybody(&json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": ours}})),
                true,
            ),
            (
                "all of no organization",
                everybody(&json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": ours}})),
                true,
            ),
            (
                "no organization",
                everybody(&json!({"Null": {"aws:PrincipalOrgID": "true"}})),
                true,
            ),
            (
                "some organization",
                everybody(&json!({"Null": {"aws:PrincipalOrgID": "false"}})),
                true,
            ),
            (
                "not another organization",
                everybody(&json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-other00000"}})),
                true,
            ),
            (
                "our network, if private",
                everybody(&json!({"StringEqualsIfExists": {"aws:SourceVpc": "vpc-12345678"}})),
                true,
            ),
            (
                "our endpoint, if any",
                everybody(&json!({"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1234567"}})),
                true,
            ),
            (
                "our network",
                everybody(&json!({"StringEquals": {"aws:SourceVpc": "vpc-12345678"}})),
                false,
            ),
            (
                "all of no units",
                everybody(
                    &json!({"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-ours000000/*"}}),
                ),
                true,
            ),
            (
                "an office, if public",
                everybody(&json!({"IpAddressIfExists": {"aws:SourceIp": "203.0.113.0/24"}})),
                true,
            ),
            (
                "all of IPv6",
                everybody(&json!({"IpAddress": {"aws:SourceIp": "2000::/3"}})),
                true,
            ),
            (
                "the world in two halves",
                everybody(&json!({"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}})),
                true,
            ),
            (
                "an office of IPv6",
                everybody(&json!({"IpAddress": {"aws:SourceIp": "2001:db8::/32"}})),
                false,
            ),
            (
                "MFA, if known",
                everybody(&json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}})),
                true,
            ),
            (
                "a tag that anybody can set",
                everybody(&json!({"StringEquals": {"aws:PrincipalTag/team": "x"}})),
                true,
            ),
            (
                "a key that nobody knows",
                everybody(&json!({"StringEquals": {"aws:SomethingNew": "x"}})),
                true,
            ),
            (
                "our organization, and another key",
                everybody(
                    &json!({"StringEquals": {"aws:PrincipalOrgID": ours, "aws:SomethingNew": "x"}}),
                ),
                false,
            ),
            (
                "a perimeter of address and network",
                json!([
                    allow(&json!({"AWS": "*"}), &json!({})),
                    {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": {
                        "NotIpAddressIfExists": {"aws:SourceIp": "203.0.113.0/24"},
                        "StringNotEqualsIfExists": {"aws:SourceVpc": "vpc-12345678"}}}
                ]),
                false,
            ),
            (
                "a denial of organizations alone",
                json!([
                    allow(&json!({"AWS": "*"}), &json!({})),
                    {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Condition": {
                        "StringNotEquals": {"aws:PrincipalOrgID": ours}, "Null": {"aws:PrincipalOrgID": "false"}}}
                ]),
                true,
            ),
        ],
    );
}

#[test]
fn case_s1_a_vendor_may_lack_a_key_too() {
    let ours = "o-ours000000";
    let conditions = [
        json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": ours}}),
        json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": ours}}),
        json!({"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-ours000000/*"}}),
        json!({"StringEqualsIfExists": {"aws:PrincipalTag/team": "x"}}),
    ];
    for conditions in conditions {
        let found = of("no-external-id", role("X", &vendor(&conditions)));
        assert!(found.is_some(), "{conditions}");
    }
    let live = |conditions| outsiders(&member(), &document(PolicyKind::Trust, &conditions));
    assert_eq!(
        live(everybody(
            &json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": ours}})
        ))
        .as_deref(),
        Some("everyone")
    );
    assert_eq!(
        live(everybody(
            &json!({"StringEquals": {"aws:PrincipalOrgID": ours}})
        )),
        None
    );
    let github = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com";
    let subject = |value: &str| {
        federated(
            github,
            &json!({"StringLike": {"token.actions.githubusercontent.com:sub": value}}),
        )
    };
    assert_eq!(
        live(subject("repo:*")).as_deref(),
        Some("anyone with a token of `token.actions.githubusercontent.com`")
    );
    assert_eq!(live(subject("repo:acme/*")), None);
}

/// Case 8: `ForAllValues:` in an Allow is for keys of several values.
#[test]
fn case_8_a_set_operator_on_a_key_of_one_value_is_told() {
    let service = |operator: &str, key: &str, value: &str| {
        json!([allow(
            &json!({"Service": "config.amazonaws.com"}),
            &json!({ operator: { key: value } })
        )])
    };
    check(
        "loose-condition",
        &[
            (
                "one value",
                service("ForAllValues:StringEquals", "aws:SourceAccount", OWN),
                true,
            ),
            (
                "a pattern",
                service("ForAllValues:StringLike", "sts:ExternalId", "x"),
                true,
            ),
            (
                "several values",
                service("ForAllValues:StringEquals", "aws:TagKeys", "team"),
                false,
            ),
            (
                "no set",
                service("StringEquals", "aws:SourceAccount", OWN),
                false,
            ),
            (
                "any of them",
                service("ForAnyValue:StringEquals", "aws:SourceAccount", OWN),
                false,
            ),
        ],
    );
    check(
        "confused-service",
        &[
            (
                "all of no account",
                service("ForAllValues:StringEquals", "aws:SourceAccount", OWN),
                true,
            ),
            (
                "no account",
                json!([allow(
                    &json!({"Service": "config.amazonaws.com"}),
                    &json!({"Null": {"aws:SourceAccount": "true"}})
                )]),
                true,
            ),
        ],
    );
}

/// Cases 7 and 15, and conditions that no caller of the kind can meet.
#[test]
fn case_7_a_condition_that_nobody_meets_is_told() {
    let arn = |name: &str| format!("arn:aws:iam::{MEMBER}:role/{name}");
    let ours = |conditions: Value| json!([allow(&json!({"AWS": MEMBER}), &conditions)]);
    let service =
        |name: &str, conditions: Value| json!([allow(&json!({ "Service": name }), &conditions)]);
    check(
        "dead-trust",
        &[
            (
                "a wildcard that is none in an ARN",
                ours(json!({"StringEquals": {"aws:PrincipalArn": arn("ops-*")}})),
                true,
            ),
            (
                "a wildcard in an ARN",
                ours(json!({"ArnLike": {"aws:PrincipalArn": arn("ops-*")}})),
                false,
            ),
            (
                "ArnEquals knows wildcards",
                ours(json!({"ArnEquals": {"aws:PrincipalArn": arn("ops-*")}})),
                false,
            ),
            (
                "a role of another account",
                ours(
                    json!({"ArnLike": {"aws:PrincipalArn": format!("arn:aws:iam::{OWN}:role/ops")}}),
                ),
                true,
            ),
            (
                "a wildcard that is none in a source",
                service(
                    "config.amazonaws.com",
                    json!({"StringEquals": {"aws:SourceArn": format!("arn:aws:config:*:{OWN}:*")}}),
                ),
                true,
            ),
            (
                "one id and another",
                vendor(
                    &json!({"StringEquals": {"sts:ExternalId": "a-1"}, "StringLike": {"sts:ExternalId": "b-*"}}),
                ),
                true,
            ),
            (
                "two patterns that have something in common",
                vendor(&json!({"StringLike": {"sts:ExternalId": "a-*"},
                    "StringLikeIfExists": {"sts:ExternalId": "*-b"}})),
                false,
            ),
            (
                "a service with the key of a provider",
                service(
                    "ec2.amazonaws.com",
                    json!({"StringEquals": {"token.actions.githubusercontent.com:sub": "repo:a/b:ref:refs/heads/main"}}),
                ),
                true,
            ),
            (
                "Pod Identity says no source",
                service(
                    "pods.eks.amazonaws.com",
                    json!({"ArnLike": {"aws:SourceArn": "arn:aws:eks:eu-west-1:111111111111:podidentityassociation/*"}}),
                ),
                true,
            ),
            (
                "Pod Identity says its account",
                service(
                    "pods.eks.amazonaws.com",
                    json!({"StringEquals": {"aws:SourceAccount": OWN}}),
                ),
                false,
            ),
            (
                "a source in the organization of the role",
                service(
                    "cloudtrail.amazonaws.com",
                    json!({"StringEquals": {"aws:SourceOrgId": "${aws:ResourceOrgId}"}}),
                ),
                false,
            ),
            (
                "denied to all",
                json!([
                    allow(&json!({"AWS": MEMBER}), &json!({})),
                    {"Sid": "No", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:*"}
                ]),
                true,
            ),
            (
                "denied without MFA",
                json!([
                    allow(&json!({"AWS": MEMBER}), &json!({})),
                    {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:*",
                        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}
                ]),
                false,
            ),
            (
                "until a day",
                ours(json!({"DateLessThan": {"aws:CurrentTime": "2020"}})),
                false,
            ),
            (
                "sessions may be tagged",
                json!([{"Effect": "Allow", "Principal": {"AWS": MEMBER}, "Action": "sts:TagSession"}]),
                false,
            ),
        ],
    );
    let denied = of(
        "dead-trust",
        role(
            "X",
            &json!([
                allow(&json!({"AWS": MEMBER}), &json!({})),
                {"Sid": "OrgOnly", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:*"}
            ]),
        ),
    );
    assert!(
        denied
            .as_ref()
            .is_some_and(|words| words.contains("statement 2 (`OrgOnly`) denies it")),
        "{denied:?}"
    );
}
