//! One row for every rule of equality and of refusal, and laws over random documents.

use super::*;

fn partition() -> Partition {
    Partition("aws-cn".to_owned())
}

fn live(text: &str) -> PolicyDocument {
    let document = PolicyDocument::live(text, PolicyKind::Trust, &partition());
    assert!(document.is_understood(), "{text}");
    document
}

/// `a` and `b` stand for a whole document where they begin with `{"Version` or `{"Statement`, else for a statement.
#[track_caller]
fn differ(rule: &str, a: &str, b: &str, expect: Difference) {
    let [a, b] = [a, b].map(|text| {
        let whole = ["{\"Version", "{\"Statement", "{\"Id", " "].iter().any(|start| text.starts_with(start));
        if whole { text.to_owned() } else { format!(r#"{{"Statement":[{text}]}}"#) }
    });
    let (a, b) = (live(&a), live(&b));
    assert_eq!(a.difference(&b), expect, "{rule}: {} | {}", a.text(), b.text());
    assert_eq!(b.difference(&a), expect, "{rule}, the other way round");
    assert_eq!(a == b, expect != Difference::Semantic, "{rule}");
    assert_eq!(a.difference(&a.clone()), Difference::None, "{rule}, with itself");
}

/// An `Allow` of `s3:Get` on `*` with `more` members.
fn allow(more: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":["s3:Get"],"Resource":"*"{more}}}"#)
}

fn condition(block: &str) -> String {
    allow(&format!(r#","Condition":{block}"#))
}

fn trust(principal: &str) -> String {
    format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#)
}

#[test]
fn spellings_without_a_name_are_no_difference() {
    let a = allow("");
    let b = a.replace("Allow", "Deny");
    let rows = [
        ("D3 white space", format!(r#"{{"Statement":[{a}]}}"#), format!(" \n{{ \"Statement\" : [{a}] }}\n ")),
        ("D4 member order", a.clone(), r#"{"Resource":"*","Action":["s3:Get"],"Effect":"Allow"}"#.to_owned()),
        ("T1 version missing", format!(r#"{{"Version":"2008-10-17","Statement":[{a}]}}"#), a.clone()),
        ("T5 one statement", format!(r#"{{"Statement":{a}}}"#), a.clone()),
        ("T6 statement order", format!("{a},{b}"), format!("{b},{a}")),
        ("S1 empty Sid", a.clone(), allow(r#","Sid":"""#)),
        ("S4 list of one", a.clone(), a.replace(r#"["s3:Get"]"#, r#""s3:Get""#)),
        ("S5 repeats", a.clone(), a.replace(r#"["s3:Get"]"#, r#"["s3:Get","s3:Get"]"#)),
        ("S5 list order", a.replace(r#""s3:Get""#, r#""s3:A","s3:B""#), a.replace(r#""s3:Get""#, r#""s3:B","s3:A""#)),
        ("S6 action case", a.clone(), a.replace("s3:Get", "S3:gET")),
        ("P1 account id", trust(r#"{"AWS":"123456789012"}"#), trust(r#"{"AWS":"arn:aws-cn:iam::123456789012:root"}"#)),
        (
            "P1 account id twice",
            trust(r#"{"AWS":["123456789012","arn:aws-cn:iam::123456789012:root"]}"#),
            trust(r#"{"AWS":"123456789012"}"#),
        ),
        ("P3 star", trust(r#""*""#), trust(r#"{"AWS":"*"}"#)),
        ("P5 empty kind", trust(r#"{"AWS":"*","Service":[]}"#), trust(r#"{"AWS":"*"}"#)),
        (
            "P11 order of principals",
            trust(r#"{"Service":["a.amazonaws.com","b.amazonaws.com"]}"#),
            trust(r#"{"Service":["b.amazonaws.com","a.amazonaws.com"]}"#),
        ),
        ("C1 empty condition", a.clone(), condition("{}")),
        ("C1 empty operator", a.clone(), condition(r#"{"StringEquals":{}}"#)),
        ("C3 key case", condition(r#"{"Bool":{"aws:MfaAge":"x"}}"#), condition(r#"{"Bool":{"AWS:mfaage":["x"]}}"#)),
        (
            "C4 tag key case",
            condition(r#"{"StringEquals":{"aws:PrincipalTag/Team":"x"}}"#),
            condition(r#"{"StringEquals":{"aws:PrincipalTag/team":"x"}}"#),
        ),
        ("C6 bool", condition(r#"{"Bool":{"k":true}}"#), condition(r#"{"Bool":{"k":"true"}}"#)),
        ("C6 number", condition(r#"{"NumericEquals":{"k":3600}}"#), condition(r#"{"NumericEquals":{"k":"3600"}}"#)),
        ("C6 float", condition(r#"{"NumericEquals":{"k":3600.0}}"#), condition(r#"{"NumericEquals":{"k":"3600"}}"#)),
        (
            "C6 64 bits",
            condition(r#"{"NumericEquals":{"k":9223372036854775807}}"#),
            condition(r#"{"NumericEquals":{"k":"9223372036854775807"}}"#),
        ),
        (
            "C8 value order",
            condition(r#"{"StringEquals":{"k":["a","b"],"l":"c"}}"#),
            condition(r#"{"StringEquals":{"l":["c","c"],"k":["b","a"]}}"#),
        ),
        (
            "C14 provider host case",
            condition(r#"{"StringEquals":{"token.actions.githubusercontent.com:sub":"x"}}"#),
            condition(r#"{"StringEquals":{"Token.Actions.GithubUserContent.com:SUB":"x"}}"#),
        ),
    ];
    for (rule, a, b) in rows {
        differ(rule, &a, &b, Difference::None);
    }
}

#[test]
fn spellings_that_are_kept_are_cosmetic() {
    let a = allow("");
    let b = a.replace("Allow", "Deny");
    let arn = |operator: &str| condition(&format!(r#"{{"{operator}":{{"aws:PrincipalArn":"arn:x"}}}}"#));
    let rows = [
        ("T4 Id", format!(r#"{{"Id":"x","Statement":[{a}]}}"#), a.clone()),
        ("T7 duplicate statement", format!("{a},{a},{b}"), format!("{a},{b}")),
        ("T7 other duplicate", format!("{a},{a},{b}"), format!("{a},{b},{b}")),
        ("S2 Sid", allow(r#","Sid":"One""#), allow(r#","Sid":"Two""#)),
        ("S2 Sid or none", allow(r#","Sid":"One""#), a.clone()),
        ("C5 ArnLike", arn("ArnEquals"), arn("ArnLike")),
        ("C5 ArnNotLike", arn("ArnNotEquals"), arn("ArnNotLike")),
        ("C5 with quantifier", arn("ForAnyValue:ArnEqualsIfExists"), arn("ForAnyValue:ArnLikeIfExists")),
        (
            "C5 ignored case",
            condition(r#"{"StringEqualsIgnoreCase":{"k":"V"}}"#),
            condition(r#"{"StringEqualsIgnoreCase":{"k":"v"}}"#),
        ),
        ("C7 bool case", condition(r#"{"Bool":{"k":"True"}}"#), condition(r#"{"Bool":{"k":"true"}}"#)),
        (
            "C10 /32",
            condition(r#"{"IpAddress":{"aws:SourceIp":"1.2.3.4"}}"#),
            condition(r#"{"IpAddress":{"aws:SourceIp":"1.2.3.4/32"}}"#),
        ),
    ];
    for (rule, a, b) in rows {
        differ(rule, &a, &b, Difference::Cosmetic);
    }
}

#[test]
fn everything_else_is_a_difference_of_meaning() {
    let a = allow("");
    let equals = condition(r#"{"StringEquals":{"k":"v"}}"#);
    let root = trust(r#"{"AWS":"123456789012"}"#);
    let rows = [
        ("T2 version", format!(r#"{{"Version":"2012-10-17","Statement":[{a}]}}"#), a.clone()),
        ("S7 wildcards are not expanded", a.replace("s3:Get", "*"), a.replace("s3:Get", "*:*")),
        ("S8 NotAction", a.clone(), a.replace("Action", "NotAction")),
        ("S8 NotResource", a.clone(), a.replace("Resource", "NotResource")),
        ("S8 NotPrincipal", root.clone(), root.replace("Principal", "NotPrincipal")),
        ("S9 resource case", a.replace("*", "arn:aws:s3:::b/K"), a.replace("*", "arn:aws:s3:::b/k")),
        ("S9 star", a.clone(), a.replace(r#""*""#, r#""arn:aws:*""#)),
        ("effect", a.clone(), a.replace("Allow", "Deny")),
        ("P1 another partition", root.clone(), trust(r#"{"AWS":"arn:aws:iam::123456789012:root"}"#)),
        ("P1 of AWS alone", trust(r#"{"Service":"123456789012"}"#), root.clone()),
        ("P4 star is not an account", trust(r#""*""#), root.clone()),
        ("P4 a principal or none", root.clone(), r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#.to_owned()),
        (
            "P8 user case",
            trust(r#"{"AWS":"arn:aws:iam::123456789012:user/A"}"#),
            trust(r#"{"AWS":"arn:aws:iam::123456789012:user/a"}"#),
        ),
        (
            "P9 regional service",
            trust(r#"{"Service":"logs.amazonaws.com"}"#),
            trust(r#"{"Service":"logs.eu-central-1.amazonaws.com"}"#),
        ),
        (
            "P10 session",
            trust(r#"{"AWS":"arn:aws:iam::123456789012:role/p/R"}"#),
            trust(r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/R/s"}"#),
        ),
        ("C2 operator", equals.clone(), equals.replace("StringEquals", "stringEquals")),
        ("C5 StringLike", equals.clone(), equals.replace("StringEquals", "StringLike")),
        ("C5 value case", equals.clone(), equals.replace("\"v\"", "\"V\"")),
        ("C9 IfExists", equals.clone(), equals.replace("StringEquals", "StringEqualsIfExists")),
        ("C9 quantifier", equals.clone(), equals.replace("StringEquals", "ForAnyValue:StringEquals")),
        ("C11 no value", equals.clone(), equals.replace("\"v\"", "[]")),
        ("C11 no value or no key", condition(r#"{"StringEquals":{"k":[]}}"#), a.clone()),
        (
            "C5 both operators hold, whatever their names",
            condition(r#"{"ArnEquals":{"k":"a"},"ArnLike":{"k":"b"}}"#),
            condition(r#"{"ArnEquals":{"k":["a","b"]}}"#),
        ),
        ("a condition or none", equals, a),
    ];
    for (rule, a, b) in rows {
        differ(rule, &a, &b, Difference::Semantic);
    }
}
