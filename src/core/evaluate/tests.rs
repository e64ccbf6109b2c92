//! Documented examples row by row, and laws over random policies.

use super::*;
use crate::org::Partition;
use crate::resource::policy::PolicyKind;

use proptest::prelude::*;
use serde_json::{Value, json};

fn document(text: &str) -> PolicyDocument {
    let document = PolicyDocument::live(text, PolicyKind::Identity, &Partition::default());
    assert!(document.is_understood(), "{text}");
    document
}

fn kind_of(name: &str) -> &'static str {
    match name {
        name if name.contains(":oidc-provider/") || name.contains(":saml-provider/") => "Federated",
        name if name.ends_with(".amazonaws.com") => "Service",
        _ => "AWS",
    }
}

#[test]
fn the_collected_cases_are_decided_as_iam_does() {
    let cases: Value =
        serde_json::from_str(include_str!("../../../tests/data/iam_cases.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 39);
    for case in cases {
        let name = case["principal"].as_str().unwrap();
        let request = Request {
            principal: Principal {
                names: vec![(kind_of(name).to_owned(), name.to_owned())],
            },
            action: case["action"].as_str().unwrap().to_owned(),
            resource: case["resource"].as_str().unwrap().to_owned(),
            context: serde_json::from_value(case["context"].clone()).unwrap(),
            unknown: Vec::new(),
        };
        let expect = match case["expect"].as_str().unwrap() {
            "Allow" => Decision::Allow,
            "Deny" => Decision::ExplicitDeny,
            _ => Decision::ImplicitDeny,
        };
        assert_eq!(
            evaluate(&[&document(&case["policy"].to_string())], &request),
            expect,
            "{}",
            case["name"]
        );
    }
}

/// Whether `block` holds of `context`: `a=1` gives a key one value more, `a?` leaves it open.
#[track_caller]
fn condition(block: &str, context: &[&str], expect: Decision) {
    let policy = document(&format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{block}}}}}"#
    ));
    let mut request = Request {
        action: "s3:GetObject".into(),
        resource: "arn:aws:s3:::b".into(),
        ..Request::default()
    };
    for entry in context {
        match entry.split_once('=') {
            Some((key, value)) => request
                .context
                .entry(key.to_owned())
                .or_default()
                .push(value.to_owned()),
            None => request.unknown.push(entry.trim_end_matches('?').to_owned()),
        }
    }
    assert_eq!(
        evaluate(&[&policy], &request),
        expect,
        "{block} {context:?}"
    );
}

#[test]
fn operators_hold_as_documented() {
    let rows: &[(&str, &str, &[&str], &[&str])] = &[
        // operator, value of the policy, values of the request that pass, and that do not
        ("StringEquals", "a*", &["a*"], &["ab", "A*"]),
        ("StringNotEquals", "a", &["A", "b"], &["a"]),
        ("StringEqualsIgnoreCase", "Ab", &["aB"], &["b"]),
        ("StringNotEqualsIgnoreCase", "Ab", &["b"], &["aB"]),
        ("StringLike", "a*c?", &["abcd", "acd"], &["abc", "Acd"]),
        ("StringNotLike", "a*", &["b"], &["a", "ab"]),
        ("NumericEquals", "3600", &["3600", "3600.0"], &["3601", "x"]),
        ("NumericNotEquals", "3600", &["1"], &["3600"]),
        ("NumericLessThan", "10", &["9", "-1", "9.9"], &["10", "11"]),
        ("NumericLessThanEquals", "10", &["10"], &["10.1"]),
        ("NumericGreaterThan", "10", &["11"], &["10", "9", "x"]),
        ("NumericGreaterThanEquals", "10", &["10"], &["9"]),
        (
            "DateEquals",
            "2026-01-01T00:00:00Z",
            &["1767225600", "2026-01-01"],
            &["2026-01-02"],
        ),
        (
            "DateNotEquals",
            "2026-01-01",
            &["2026-01-02"],
            &["2026-01-01T00:00:00Z"],
        ),
        (
            "DateLessThan",
            "2026-01-01",
            &["2025-12-31T23:59:59Z"],
            &["2026-01-01", "soon"],
        ),
        (
            "DateLessThanEquals",
            "2026-01-01",
            &["2026-01-01"],
            &["2026-01-01T00:00:01Z"],
        ),
        (
            "DateGreaterThan",
            "2026-01-01",
            &["2026-01-01T00:00:01Z"],
            &["2026-01-01"],
        ),
        (
            "DateGreaterThanEquals",
            "2026-01-01",
            &["2026-01-01"],
            &["2025-12-31"],
        ),
        ("Bool", "true", &["true", "True"], &["false", ""]),
        ("BinaryEquals", "QmluYXJ5", &["QmluYXJ5"], &["qmluYXJ5"]),
        (
            "IpAddress",
            "203.0.113.0/24",
            &["203.0.113.7"],
            &["203.0.114.7", "2001:db8::1", "x"],
        ),
        (
            "IpAddress",
            "2001:db8::/32",
            &["2001:db8::1"],
            &["2001:db9::1", "203.0.113.7"],
        ),
        (
            "IpAddress",
            "203.0.113.7",
            &["203.0.113.7"],
            &["203.0.113.8"],
        ),
        (
            "NotIpAddress",
            "203.0.113.0/24",
            &["203.0.114.7"],
            &["203.0.113.7"],
        ),
        (
            "ArnEquals",
            "arn:aws:iam::*:role/a*",
            &["arn:aws:iam::1:role/ab"],
            &["arn:aws:iam::1:role/b", "arn:aws:iam:x"],
        ),
        (
            "ArnLike",
            "arn:aws:sns:*:1:t",
            &["arn:aws:sns:eu:1:t"],
            &["arn:aws:sns:eu:1:1:t", "arn:aws:sns:eu:x:y:1:t"],
        ),
        (
            "ArnLike",
            "arn:aws:iam::1:role/*",
            &["arn:aws:iam::1:role/a:b/c"],
            &["arn:aws:iam::11:role/a"],
        ),
        ("ArnLike", "*", &["arn:aws:iam::1:role/a"], &["x"]),
        (
            "ArnNotEquals",
            "arn:aws:iam::1:*",
            &["arn:aws:iam::2:role/a"],
            &["arn:aws:iam::1:role/a"],
        ),
        (
            "ArnNotLike",
            "arn:aws:iam::1:*",
            &["arn:aws:iam::2:role/a"],
            &["arn:aws:iam::1:role/a"],
        ),
    ];
    for (operator, wanted, pass, fail) in rows {
        let block = json!({ *operator: { "k": wanted } }).to_string();
        for (values, expect) in [(pass, Decision::Allow), (fail, Decision::ImplicitDeny)] {
            for value in *values {
                condition(&block, &[&format!("K={value}")], expect);
            }
        }
        let negated = operator.contains("Not");
        condition(
            &block,
            &[],
            if negated {
                Decision::Allow
            } else {
                Decision::ImplicitDeny
            },
        );
        condition(&block, &["K?"], Decision::Undecided);
        let if_exists = json!({ format!("{operator}IfExists"): { "k": wanted } }).to_string();
        condition(&if_exists, &[], Decision::Allow);
        condition(
            &if_exists,
            &[&format!("k={}", fail[0])],
            Decision::ImplicitDeny,
        );
    }
}

#[test]
fn conditions_combine_as_documented() {
    use Decision::{Allow, ImplicitDeny, Undecided};
    let rows: &[(&str, &[&str], Decision)] = &[
        (r#"{"Null":{"k":"true"}}"#, &[], Allow),
        (r#"{"Null":{"k":"true"}}"#, &["k=v"], ImplicitDeny),
        (r#"{"Null":{"k":"false"}}"#, &["k=v"], Allow),
        (r#"{"Null":{"k":false}}"#, &[], ImplicitDeny),
        (r#"{"Null":{"k":"true"}}"#, &["k?"], Undecided),
        // Values are or-ed, keys and operators and-ed; a negated operator wants none of its values.
        (r#"{"StringEquals":{"k":["a","b"]}}"#, &["k=b"], Allow),
        (r#"{"StringEquals":{"k":[]}}"#, &["k=b"], ImplicitDeny),
        (
            r#"{"StringNotEquals":{"k":["a","b"]}}"#,
            &["k=b"],
            ImplicitDeny,
        ),
        (
            r#"{"StringEquals":{"k":"a","l":"b"}}"#,
            &["k=a"],
            ImplicitDeny,
        ),
        (
            r#"{"StringEquals":{"k":"a"},"Bool":{"l":"true"}}"#,
            &["k=a", "l=true"],
            Allow,
        ),
        (
            r#"{"StringEquals":{"k":"a"},"Bool":{"l":"true"}}"#,
            &["k=a", "l?"],
            Undecided,
        ),
        (
            r#"{"StringEquals":{"k":"a"},"Bool":{"l":"true"}}"#,
            &["k=b", "l?"],
            ImplicitDeny,
        ),
        // Set operators.
        (
            r#"{"ForAllValues:StringEquals":{"k":["a","b"]}}"#,
            &["k=a", "k=b"],
            Allow,
        ),
        (
            r#"{"ForAllValues:StringEquals":{"k":["a","b"]}}"#,
            &["k=a", "k=c"],
            ImplicitDeny,
        ),
        (
            r#"{"ForAllValues:StringEquals":{"k":["a","b"]}}"#,
            &[],
            Allow,
        ),
        (
            r#"{"ForAnyValue:StringEquals":{"k":["a","b"]}}"#,
            &["k=a", "k=c"],
            Allow,
        ),
        (
            r#"{"ForAnyValue:StringEquals":{"k":["a","b"]}}"#,
            &["k=c"],
            ImplicitDeny,
        ),
        (
            r#"{"ForAnyValue:StringEquals":{"k":["a","b"]}}"#,
            &[],
            ImplicitDeny,
        ),
        (
            r#"{"ForAnyValue:StringEqualsIfExists":{"k":["a","b"]}}"#,
            &[],
            Allow,
        ),
        (
            r#"{"ForAllValues:StringNotEquals":{"k":["a","b"]}}"#,
            &["k=c", "k=a"],
            ImplicitDeny,
        ),
        (
            r#"{"ForAnyValue:StringNotEquals":{"k":["a","b"]}}"#,
            &["k=c", "k=a"],
            Allow,
        ),
        (
            r#"{"ForAnyValue:StringNotEquals":{"k":["a","b"]}}"#,
            &[],
            ImplicitDeny,
        ),
        // Under a set operator an empty string is no value.
        (
            r#"{"ForAllValues:StringEquals":{"k":["a"]}}"#,
            &["k="],
            Allow,
        ),
        (
            r#"{"ForAnyValue:StringLike":{"k":["*"]}}"#,
            &["k="],
            ImplicitDeny,
        ),
        (r#"{"StringLike":{"k":["*"]}}"#, &["k="], Allow),
        (
            r#"{"DateLessThan":{"k":"2027"}}"#,
            &["k=2026-06-01T00:00:00Z"],
            Allow,
        ),
        (
            r#"{"DateGreaterThan":{"k":"2027"}}"#,
            &["k=2026-06-01T00:00:00Z"],
            ImplicitDeny,
        ),
        // Under a set operator an empty string is no value.
        (
            r#"{"ForAllValues:StringEquals":{"k":["a"]}}"#,
            &["k="],
            Allow,
        ),
        (
            r#"{"ForAnyValue:StringLike":{"k":["*"]}}"#,
            &["k="],
            ImplicitDeny,
        ),
        (r#"{"StringLike":{"k":["*"]}}"#, &["k="], Allow),
        (
            r#"{"DateLessThan":{"k":"2027"}}"#,
            &["k=2026-06-01T00:00:00Z"],
            Allow,
        ),
        (
            r#"{"DateGreaterThan":{"k":"2027"}}"#,
            &["k=2026-06-01T00:00:00Z"],
            ImplicitDeny,
        ),
        // Variables; a value that came with the request is not a pattern.
        (
            r#"{"StringEquals":{"k":"${aws:username}"}}"#,
            &["k=ann", "AWS:userName=ann"],
            Allow,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:username}"}}"#,
            &["k=ann"],
            ImplicitDeny,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:username}"}}"#,
            &["k=ann", "aws:username?"],
            Undecided,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:username, 'ann'}"}}"#,
            &["k=ann"],
            Allow,
        ),
        (
            r#"{"StringEquals":{"k":"${aws:username, 'ann'}"}}"#,
            &["k=ann", "aws:username=bob"],
            ImplicitDeny,
        ),
        (
            r#"{"StringLike":{"k":"${aws:PrincipalTag/t}"}}"#,
            &["k=secret", "aws:PrincipalTag/t=*"],
            ImplicitDeny,
        ),
        (
            r#"{"StringLike":{"k":"${aws:PrincipalTag/t}"}}"#,
            &["k=*", "aws:PrincipalTag/t=*"],
            Allow,
        ),
        (
            r#"{"StringLike":{"k":"${v}"}}"#,
            &["k=x", "v=x", "v=y"],
            ImplicitDeny,
        ),
        (r#"{"StringLike":{"k":"a${*}"}}"#, &["k=a*"], Allow),
        (r#"{"StringLike":{"k":"a${*}"}}"#, &["k=ab"], ImplicitDeny),
        (
            r#"{"StringLike":{"k":"a${?}${$}{x}"}}"#,
            &["k=a?${x}"],
            Allow,
        ),
        (
            r#"{"ArnLike":{"k":"arn:aws:iam::1:role/${v}"}}"#,
            &["k=arn:aws:iam::1:role/r", "v=r"],
            Allow,
        ),
        (
            r#"{"ArnLike":{"k":"arn:aws:iam::1:role/${v}"}}"#,
            &["k=arn:aws:iam::1:role/r", "v=*"],
            ImplicitDeny,
        ),
        (r#"{"FrobnicateEquals":{"k":"v"}}"#, &["k=v"], Undecided),
    ];
    for (block, context, expect) in rows {
        condition(block, context, *expect);
    }
}

fn trust(principal: &str, names: &[(&str, &str)]) -> Decision {
    let policy = document(&format!(
        r#"{{"Statement":{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{principal}}}}}"#
    ));
    let names = names
        .iter()
        .map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned()))
        .collect();
    evaluate(
        &[&policy],
        &Request {
            principal: Principal { names },
            action: "sts:AssumeRole".into(),
            ..Request::default()
        },
    )
}

#[test]
fn principals_match_as_documented() {
    let role = ("AWS", "arn:aws:iam::111122223333:role/r");
    let session = ("AWS", "arn:aws:sts::111122223333:assumed-role/r/s");
    for (principal, names, expect) in [
        (r#"{"AWS":"111122223333"}"#, vec![role], true),
        (r#"{"AWS":"111122223333"}"#, vec![session], true),
        (r#"{"AWS":"444455556666"}"#, vec![role], false),
        (
            r#"{"AWS":"arn:aws:iam::111122223333:role/r"}"#,
            vec![session, role],
            true,
        ),
        (
            r#"{"AWS":"arn:aws:iam::111122223333:role/R"}"#,
            vec![role],
            false,
        ),
        (
            r#"{"AWS":"arn:aws-cn:iam::111122223333:root"}"#,
            vec![role],
            false,
        ),
        (r#"{"AWS":"*"}"#, vec![], true),
        (r#""*""#, vec![role], true),
        (
            r#"{"Service":"ec2.amazonaws.com"}"#,
            vec![("Service", "ec2.amazonaws.com")],
            true,
        ),
        (
            r#"{"Service":"ec2.amazonaws.com"}"#,
            vec![("AWS", "ec2.amazonaws.com")],
            false,
        ),
        (
            r#"{"AWS":"AROAEXAMPLEID12345678"}"#,
            vec![role, ("AWS", "AROAEXAMPLEID12345678")],
            true,
        ),
    ] {
        let expect = if expect {
            Decision::Allow
        } else {
            Decision::ImplicitDeny
        };
        assert_eq!(trust(principal, &names), expect, "{principal} {names:?}");
    }
}

fn statement(effect: &str, members: &str) -> PolicyDocument {
    document(&format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Sid":"{effect}1","Effect":"{effect}",{members}}}}}"#
    ))
}

fn get(resource: &str) -> Request {
    Request {
        action: "S3:getObject".to_owned(),
        resource: resource.to_owned(),
        ..Request::default()
    }
}

#[test]
fn the_deciding_statement_is_named() {
    let all = r#""Action":"s3:*","Resource":"*""#;
    let open = r#""Action":"s3:*","Resource":"*","Condition":{"Bool":{"k":"true"}}"#;
    let (allow, deny) = (statement("Allow", all), statement("Deny", all));
    let (maybe_allow, maybe_deny) = (statement("Allow", open), statement("Deny", open));
    let request = Request {
        unknown: vec!["K".to_owned()],
        ..get("arn:aws:s3:::b")
    };
    let garbage = PolicyDocument::live("{", PolicyKind::Identity, &Partition::default());
    let why = |policy, sid: &str| {
        Some(Why {
            policy,
            statement: Some(0),
            sid: Some(sid.to_owned()),
        })
    };
    let rows: &[(&[&PolicyDocument], Decision, Option<Why>)] = &[
        (&[], Decision::ImplicitDeny, None),
        (&[&allow], Decision::Allow, why(0, "Allow1")),
        (&[&allow, &deny], Decision::ExplicitDeny, why(1, "Deny1")),
        (&[&deny], Decision::ExplicitDeny, why(0, "Deny1")),
        (&[&maybe_allow], Decision::Undecided, why(0, "Allow1")),
        (&[&maybe_allow, &allow], Decision::Allow, why(1, "Allow1")),
        (&[&allow, &maybe_deny], Decision::Undecided, why(1, "Deny1")),
        (
            &[&maybe_allow, &maybe_deny, &deny],
            Decision::ExplicitDeny,
            why(2, "Deny1"),
        ),
        (&[&maybe_deny], Decision::ImplicitDeny, None),
        (
            &[&garbage],
            Decision::Undecided,
            Some(Why {
                policy: 0,
                statement: None,
                sid: None,
            }),
        ),
        (
            &[&allow, &garbage],
            Decision::Undecided,
            Some(Why {
                policy: 1,
                statement: None,
                sid: None,
            }),
        ),
    ];
    for (policies, decision, why) in rows {
        assert_eq!(explain(policies, &request), (*decision, why.clone()));
    }
}

#[test]
fn resources_match_as_documented() {
    for (members, resource, expect) in [
        (
            r#""Resource":"arn:aws:s3:::b/*""#,
            "arn:aws:s3:::b/a/b",
            true,
        ),
        (r#""Resource":"arn:aws:s3:::b/*""#, "arn:aws:s3:::b", false),
        (r#""Resource":"arn:aws:s3:::B""#, "arn:aws:s3:::b", false),
        (r#""Resource":"arn:aws:s3:*""#, "arn:aws:s3:::b/x", true),
        (r#""Resource":"arn:aws:s3:::b?""#, "arn:aws:s3:::b*", true),
        (
            r#""NotResource":"arn:aws:s3:::b/*""#,
            "arn:aws:s3:::b/x",
            false,
        ),
        (
            r#""NotResource":"arn:aws:s3:::b/*""#,
            "arn:aws:s3:::c",
            true,
        ),
    ] {
        let policy = statement("Allow", &format!(r#""Action":"s3:GetObject",{members}"#));
        let expect = if expect {
            Decision::Allow
        } else {
            Decision::ImplicitDeny
        };
        assert_eq!(
            evaluate(&[&policy], &get(resource)),
            expect,
            "{members} {resource}"
        );
    }
}

#[test]
fn a_not_resource_whose_variable_has_no_value_cannot_be_decided() {
    let resource = "arn:aws:s3:::b/${aws:PrincipalTag/team}/*";
    for (effect, member, team, expect) in [
        ("Deny", "NotResource", None, Decision::ImplicitDeny),
        ("Allow", "NotResource", None, Decision::Undecided),
        ("Allow", "NotResource", Some("x"), Decision::Allow),
        ("Allow", "Resource", None, Decision::ImplicitDeny),
    ] {
        let policy = document(&format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}","Action":"s3:GetObject","{member}":"{resource}"}}}}"#
        ));
        let mut request = get("arn:aws:s3:::c");
        if let Some(team) = team {
            request
                .context
                .insert("aws:PrincipalTag/team".to_owned(), vec![team.to_owned()]);
        }
        assert_eq!(
            evaluate(&[&policy], &request),
            expect,
            "{effect} {member} {team:?}"
        );
    }
}

#[test]
fn a_value_that_passes_two_patterns_is_looked_for() {
    let stranger = "arn:aws:iam::000000000001:role/x";
    for (conditions, expected) in [
        // What first comes to mind for `a*` is shut out; something else is not.
        (
            r#"{"StringLike":{"sts:ExternalId":"a*"},"StringNotLike":{"sts:ExternalId":"ax*"}}"#,
            Answer::LetIn,
        ),
        (
            r#"{"StringLike":{"sts:ExternalId":"a*"},"StringNotEquals":{"sts:ExternalId":"ax"}}"#,
            Answer::LetIn,
        ),
        (
            r#"{"StringLike":{"sts:ExternalId":"a*"},"StringNotLike":{"sts:ExternalId":"*"}}"#,
            Answer::Refused,
        ),
    ] {
        let trust = document(&format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"AWS":"{stranger}"}},"Condition":{conditions}}}}}"#
        ));
        let answer = Entrant::new(keys::Kind::Principal, stranger).ask(&trust);
        assert_eq!(answer, expected, "{conditions}");
    }
}

fn patterns() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "*",
        "?",
        "a",
        "s3:",
        "arn:aws:",
        "${k}",
        "${k, 'a'}",
        "${",
        "}",
        "é",
        ":",
        "/",
    ]);
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn statements(effect: &'static str) -> impl Strategy<Value = Value> {
    let operator = prop::sample::select(vec![
        "StringLike",
        "ForAllValues:ArnNotLike",
        "Null",
        "NumericLessThan",
        "DateEqualsIfExists",
        "IpAddress",
        "Odd",
    ]);
    let condition = prop::option::of((operator, patterns()));
    (any::<[bool; 3]>(), patterns(), patterns(), condition).prop_map(
        move |([a, r, p], action, resource, condition)| {
            let mut statement = json!({ "Effect": effect });
            statement[if a { "Action" } else { "NotAction" }] = json!([action, "s3:*"]);
            statement[if r { "Resource" } else { "NotResource" }] = json!(resource);
            if p {
                statement["Principal"] = json!({ "AWS": resource });
            }
            if let Some((operator, value)) = condition {
                statement["Condition"] = json!({ operator: { "k": value } });
            }
            statement
        },
    )
}

fn any_statement() -> impl Strategy<Value = Value> {
    prop_oneof![statements("Allow"), statements("Allow"), statements("Deny")]
}

fn requests() -> impl Strategy<Value = Request> {
    let context =
        prop::collection::btree_map("[kK]", prop::collection::vec(patterns(), 0..3), 0..2);
    (patterns(), patterns(), context, any::<bool>()).prop_map(
        |(action, resource, context, open)| Request {
            principal: Principal {
                names: vec![("AWS".to_owned(), resource.clone())],
            },
            action: format!("s3:{action}"),
            resource,
            context,
            unknown: if open {
                vec!["k".to_owned()]
            } else {
                Vec::new()
            },
        },
    )
}

fn decide(statements: &[Value], request: &Request) -> Decision {
    evaluate(
        &[&document(
            &json!({ "Version": "2012-10-17", "Statement": statements }).to_string(),
        )],
        request,
    )
}

proptest! {
    #[test]
    fn a_deny_more_never_allows(
        mut statements in prop::collection::vec(any_statement(), 0..4), deny in statements("Deny"), request in requests()
    ) {
        let before = decide(&statements, &request);
        statements.push(deny);
        let after = decide(&statements, &request);
        prop_assert!(before == Decision::Allow || after != Decision::Allow, "{before:?} {after:?}");
    }

    #[test]
    fn an_allow_more_never_lifts_a_deny(
        mut statements in prop::collection::vec(any_statement(), 0..4), allow in statements("Allow"), request in requests()
    ) {
        let before = decide(&statements, &request);
        statements.push(allow);
        prop_assert!(before != Decision::ExplicitDeny || decide(&statements, &request) == Decision::ExplicitDeny);
    }

    /// Where a decision stands although a key is open, no value of the key changes whether access is given.
    #[test]
    fn a_decision_with_a_key_open_holds_for_every_value(
        statements in prop::collection::vec(any_statement(), 0..4), mut request in requests(), value in patterns()
    ) {
        request.context.clear();
        request.unknown = vec!["k".to_owned()];
        let open = decide(&statements, &request);
        request.unknown.clear();
        let absent = decide(&statements, &request);
        request.context.insert("k".to_owned(), vec![value]);
        for closed in [absent, decide(&statements, &request)] {
            prop_assert!(open == Decision::Undecided || (open == Decision::Allow) == (closed == Decision::Allow), "{open:?} {closed:?}");
        }
    }
}

/// Few words, so that statements often have to do with each other.
fn close_statement() -> impl Strategy<Value = Value> {
    let action = prop::sample::subsequence(vec!["s3:*", "s3:a*", "s3:ab", "*b", "s3:?b"], 1..3);
    let resource = prop::sample::subsequence(vec!["*", "a*", "a?", "ab", "a${k}", "a${*}"], 1..3);
    let operator = prop::sample::select(vec![
        "StringEquals",
        "StringLike",
        "StringNotLike",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringLikeIfExists",
        "StringNotEqualsIfExists",
        "ForAllValues:StringLike",
        "ForAnyValue:StringNotEquals",
        "NumericLessThan",
        "NumericNotEquals",
        "Null",
    ]);
    let values = prop::sample::subsequence(
        vec!["a", "A", "b", "a*", "*", "${k}", "1", "2", "true"],
        0..3,
    );
    let condition = prop::option::of((operator, values));
    (any::<[bool; 3]>(), action, resource, condition).prop_map(
        |([allow, a, r], action, resource, condition)| {
            let mut statement = json!({ "Effect": if allow { "Allow" } else { "Deny" } });
            statement[if a { "Action" } else { "NotAction" }] = json!(action);
            statement[if r { "Resource" } else { "NotResource" }] = json!(resource);
            if let Some((operator, values)) = condition {
                statement["Condition"] = json!({ operator: { "k": values } });
            }
            statement
        },
    )
}

proptest! {
    /// The offline judgement of a change agrees with the evaluator: what is not said to widen allows nothing new.
    #[test]
    fn what_does_not_widen_allows_nothing_new(
        before in prop::collection::vec(close_statement(), 1..3), after in prop::collection::vec(close_statement(), 1..3),
        keep in any::<bool>(), action in "s3:[ab]{0,2}", resource in "[ab*]{0,3}",
        value in prop::collection::vec("[abA12*]|ab", 0..3)
    ) {
        let mut after = after;
        if keep {
            after.push(before[0].clone());
        }
        let read = |statements: &[Value]| document(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string());
        let (before, after) = (read(&before), read(&after));
        if before.statement_diffs(&after).iter().all(|diff| !diff.widens) {
            let context = BTreeMap::from([("k".to_owned(), value)]);
            let request = Request { action, resource, context, ..Request::default() };
            let allowed = evaluate(&[&after], &request) == Decision::Allow;
            prop_assert!(!allowed || evaluate(&[&before], &request) == Decision::Allow, "{} {} {request:?}", before.text(), after.text());
        }
    }
}
