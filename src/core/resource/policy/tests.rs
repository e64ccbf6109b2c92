//! One row for every rule of equality and of refusal.

use super::*;
use crate::org::Partition;

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
        let whole = ["{\"Version", "{\"Statement", "{\"Id", " "]
            .iter()
            .any(|start| text.starts_with(start));
        if whole {
            text.to_owned()
        } else {
            format!(r#"{{"Statement":[{text}]}}"#)
        }
    });
    let (a, b) = (live(&a), live(&b));
    assert_eq!(
        a.difference(&b),
        expect,
        "{rule}: {} | {}",
        a.text(),
        b.text()
    );
    assert_eq!(b.difference(&a), expect, "{rule}, the other way round");
    assert_eq!(a == b, expect != Difference::Semantic, "{rule}");
    assert_eq!(
        a.difference(&a.clone()),
        Difference::None,
        "{rule}, with itself"
    );
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
        (
            "D3 white space",
            format!(r#"{{"Statement":[{a}]}}"#),
            format!(" \n{{ \"Statement\" : [{a}] }}\n "),
        ),
        (
            "D4 member order",
            a.clone(),
            r#"{"Resource":"*","Action":["s3:Get"],"Effect":"Allow"}"#.to_owned(),
        ),
        (
            "T1 version missing",
            format!(r#"{{"Version":"2008-10-17","Statement":[{a}]}}"#),
            a.clone(),
        ),
        (
            "T5 one statement",
            format!(r#"{{"Statement":{a}}}"#),
            a.clone(),
        ),
        ("T6 statement order", format!("{a},{b}"), format!("{b},{a}")),
        ("S1 empty Sid", a.clone(), allow(r#","Sid":"""#)),
        (
            "S4 list of one",
            a.clone(),
            a.replace(r#"["s3:Get"]"#, r#""s3:Get""#),
        ),
        (
            "S5 repeats",
            a.clone(),
            a.replace(r#"["s3:Get"]"#, r#"["s3:Get","s3:Get"]"#),
        ),
        (
            "S5 list order",
            a.replace(r#""s3:Get""#, r#""s3:A","s3:B""#),
            a.replace(r#""s3:Get""#, r#""s3:B","s3:A""#),
        ),
        ("S6 action case", a.clone(), a.replace("s3:Get", "S3:gET")),
        (
            "P1 account id",
            trust(r#"{"AWS":"123456789012"}"#),
            trust(r#"{"AWS":"arn:aws-cn:iam::123456789012:root"}"#),
        ),
        (
            "P1 account id twice",
            trust(r#"{"AWS":["123456789012","arn:aws-cn:iam::123456789012:root"]}"#),
            trust(r#"{"AWS":"123456789012"}"#),
        ),
        ("P3 star", trust(r#""*""#), trust(r#"{"AWS":"*"}"#)),
        (
            "P5 empty kind",
            trust(r#"{"AWS":"*","Service":[]}"#),
            trust(r#"{"AWS":"*"}"#),
        ),
        (
            "P11 order of principals",
            trust(r#"{"Service":["a.amazonaws.com","b.amazonaws.com"]}"#),
            trust(r#"{"Service":["b.amazonaws.com","a.amazonaws.com"]}"#),
        ),
        ("C1 empty condition", a.clone(), condition("{}")),
        (
            "C1 empty operator",
            a.clone(),
            condition(r#"{"StringEquals":{}}"#),
        ),
        (
            "C3 key case",
            condition(r#"{"Bool":{"aws:MfaAge":"x"}}"#),
            condition(r#"{"Bool":{"AWS:mfaage":["x"]}}"#),
        ),
        (
            "C4 tag key case",
            condition(r#"{"StringEquals":{"aws:PrincipalTag/Team":"x"}}"#),
            condition(r#"{"StringEquals":{"aws:PrincipalTag/team":"x"}}"#),
        ),
        (
            "C6 bool",
            condition(r#"{"Bool":{"aws:k":true}}"#),
            condition(r#"{"Bool":{"aws:k":"true"}}"#),
        ),
        (
            "C6 number",
            condition(r#"{"NumericEquals":{"aws:k":3600}}"#),
            condition(r#"{"NumericEquals":{"aws:k":"3600"}}"#),
        ),
        (
            "C6 float",
            condition(r#"{"NumericEquals":{"aws:k":3600.0}}"#),
            condition(r#"{"NumericEquals":{"aws:k":"3600"}}"#),
        ),
        (
            "C6 64 bits",
            condition(r#"{"NumericEquals":{"aws:k":9223372036854775807}}"#),
            condition(r#"{"NumericEquals":{"aws:k":"9223372036854775807"}}"#),
        ),
        (
            "C8 value order",
            condition(r#"{"StringEquals":{"aws:k":["a","b"],"aws:l":"c"}}"#),
            condition(r#"{"StringEquals":{"aws:l":["c","c"],"aws:k":["b","a"]}}"#),
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
    let arn = |operator: &str| {
        condition(&format!(
            r#"{{"{operator}":{{"aws:PrincipalArn":"arn:x"}}}}"#
        ))
    };
    let rows = [
        (
            "T4 Id",
            format!(r#"{{"Id":"x","Statement":[{a}]}}"#),
            a.clone(),
        ),
        (
            "T7 duplicate statement",
            format!("{a},{a},{b}"),
            format!("{a},{b}"),
        ),
        (
            "T7 other duplicate",
            format!("{a},{a},{b}"),
            format!("{a},{b},{b}"),
        ),
        (
            "T2 version, where no policy variable stands",
            format!(r#"{{"Version":"2012-10-17","Statement":[{a}]}}"#),
            a.clone(),
        ),
        ("S2 Sid", allow(r#","Sid":"One""#), allow(r#","Sid":"Two""#)),
        ("S2 Sid or none", allow(r#","Sid":"One""#), a.clone()),
        ("C5 ArnLike", arn("ArnEquals"), arn("ArnLike")),
        ("C5 ArnNotLike", arn("ArnNotEquals"), arn("ArnNotLike")),
        (
            "C5 with quantifier",
            arn("ForAnyValue:ArnEqualsIfExists"),
            arn("ForAnyValue:ArnLikeIfExists"),
        ),
        (
            "C5 ignored case",
            condition(r#"{"StringEqualsIgnoreCase":{"aws:k":"V"}}"#),
            condition(r#"{"StringEqualsIgnoreCase":{"aws:k":"v"}}"#),
        ),
        (
            "C7 bool case",
            condition(r#"{"Bool":{"aws:k":"True"}}"#),
            condition(r#"{"Bool":{"aws:k":"true"}}"#),
        ),
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
    let equals = condition(r#"{"StringEquals":{"aws:k":"v"}}"#);
    let root = trust(r#"{"AWS":"123456789012"}"#);
    let rows = [
        (
            "T2 version, where a policy variable stands",
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
                equals.replace("\"v\"", "\"${aws:username}\"")
            ),
            equals.replace("\"v\"", "\"${aws:username}\""),
        ),
        (
            "S7 wildcards are not expanded",
            a.replace("s3:Get", "*"),
            a.replace("s3:Get", "*:*"),
        ),
        ("S8 NotAction", a.clone(), a.replace("Action", "NotAction")),
        (
            "S8 NotResource",
            a.clone(),
            a.replace("Resource", "NotResource"),
        ),
        (
            "S8 NotPrincipal",
            root.clone(),
            root.replace("Principal", "NotPrincipal"),
        ),
        (
            "S9 resource case",
            a.replace('*', "arn:aws:s3:::b/K"),
            a.replace('*', "arn:aws:s3:::b/k"),
        ),
        ("S9 star", a.clone(), a.replace(r#""*""#, r#""arn:aws:*""#)),
        ("effect", a.clone(), a.replace("Allow", "Deny")),
        (
            "P1 another partition",
            root.clone(),
            trust(r#"{"AWS":"arn:aws:iam::123456789012:root"}"#),
        ),
        (
            "P1 of AWS alone",
            trust(r#"{"Service":"123456789012"}"#),
            root.clone(),
        ),
        ("P4 star is not an account", trust(r#""*""#), root.clone()),
        (
            "P4 a principal or none",
            root.clone(),
            r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#.to_owned(),
        ),
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
        (
            "C2 operator",
            equals.clone(),
            equals.replace("StringEquals", "stringEquals"),
        ),
        (
            "C5 StringLike",
            equals.clone(),
            equals.replace("StringEquals", "StringLike"),
        ),
        (
            "C5 value case",
            equals.clone(),
            equals.replace("\"v\"", "\"V\""),
        ),
        (
            "C9 IfExists",
            equals.clone(),
            equals.replace("StringEquals", "StringEqualsIfExists"),
        ),
        (
            "C9 quantifier",
            equals.clone(),
            equals.replace("StringEquals", "ForAnyValue:StringEquals"),
        ),
        (
            "C11 no value",
            equals.clone(),
            equals.replace("\"v\"", "[]"),
        ),
        (
            "C11 no value or no key",
            condition(r#"{"StringEquals":{"aws:k":[]}}"#),
            a.clone(),
        ),
        (
            "C5 both operators hold, whatever their names",
            condition(r#"{"ArnEquals":{"aws:k":"a"},"ArnLike":{"aws:k":"b"}}"#),
            condition(r#"{"ArnEquals":{"aws:k":["a","b"]}}"#),
        ),
        ("a condition or none", equals, a),
    ];
    for (rule, a, b) in rows {
        differ(rule, &a, &b, Difference::Semantic);
    }
}

#[test]
fn a_live_document_of_open_meaning_equals_its_own_text_alone() {
    let read = |text: &str| PolicyDocument::live(text, PolicyKind::Trust, &partition());
    let statement = allow("");
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"{}\"".to_owned(),
        "{}".to_owned(),
        "{\"Statement\":null}".to_owned(),
        format!(r#"{{"Statement":[{statement}]"#),
        format!(r#"{{"Statement":[{statement}],"Statement":[{statement}]}}"#),
        format!(r#"{{"statement":[{statement}]}}"#),
        format!(r#"{{"Version":"2020-01-01","Statement":[{statement}]}}"#),
        format!(r#"{{"Statement":[{}]}}"#, allow(r#","Principals":"*""#)),
        format!(
            r#"{{"Statement":[{}]}}"#,
            statement.replace("Allow", "allow")
        ),
        format!(r#"{{"Statement":[{}]}}"#, allow(r#","NotAction":"a:b""#)),
        format!(
            r#"{{"Statement":[{}]}}"#,
            condition(r#"{"StringEquals":{"aws:K":"a","aws:k":"b"}}"#)
        ),
        format!(
            r#"{{"Statement":[{}]}}"#,
            condition(r#"{"NumericEquals":{"aws:k":123456789012345678901234567890}}"#)
        ),
        format!(
            r#"{{"Statement":[{}]}}"#,
            condition(r#"{"NumericEquals":{"aws:k":null}}"#)
        ),
    ] {
        let document = read(&text);
        assert!(!document.is_understood(), "{text}");
        assert_eq!(document.text(), text);
        assert_eq!(document.to_value(), Value::String(text.clone()));
        assert_eq!(
            document.difference(&read(&text)),
            Difference::None,
            "{text}"
        );
        assert_eq!(
            document.difference(&read(&format!("{text} "))),
            Difference::Semantic,
            "{text}"
        );
        assert!(document.statements().is_empty() && document.dead_principals().is_empty());
    }
}

#[test]
fn the_text_to_send_is_compact_with_the_version_first() {
    let written = " { \"Statement\" : [ {\"Resource\":\"*\", \"Effect\":\"Allow\",\n \"Action\":\"s3:Get\"} ] ,\t\"Id\":\"é x\", \"Version\" :\"2012-10-17\"}\n";
    let document = PolicyDocument::parse(written, PolicyKind::Identity, &partition()).unwrap();
    let sent = r#"{"Version":"2012-10-17","Statement":[{"Resource":"*","Effect":"Allow","Action":"s3:Get"}],"Id":"é x"}"#;
    assert_eq!(document.text(), sent);
    assert_eq!(document.size(), sent.chars().count());
    assert_eq!(
        document.to_value(),
        serde_json::from_str::<Value>(written).unwrap()
    );
    let unversioned = r#"{"Statement":{"Effect":"Allow","Action":"s3:Get","Resource":"*"}}"#;
    let document = PolicyDocument::parse(unversioned, PolicyKind::Identity, &partition()).unwrap();
    assert_eq!(
        (document.text(), document.version()),
        (unversioned, Version::V2008)
    );
}

#[test]
fn principals_are_found_resolved_and_known_dead() {
    let text = r#"{"Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":["AROAEXAMPLEID12345678","123456789012"],"Service":"AIDAEXAMPLEID12345678"}},{"Effect":"Deny","Action":"sts:AssumeRole","Principal":{"AWS":"AIDAEXAMPLEID12345678"}}]}"#;
    let document = live(text);
    let root = "arn:aws-cn:iam::123456789012:root";
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        document.aws_principals(),
        set(&["AIDAEXAMPLEID12345678", "AROAEXAMPLEID12345678", root])
    );
    assert_eq!(
        document.dead_principals(),
        set(&["AIDAEXAMPLEID12345678", "AROAEXAMPLEID12345678"])
    );
    let role = "arn:aws-cn:iam::123456789012:role/r";
    let resolve = |id: &str| (id == "AROAEXAMPLEID12345678").then(|| role.to_owned());
    let resolved = document.resolve_principals(&resolve);
    assert_eq!(
        resolved.text(),
        text.replacen("AROAEXAMPLEID12345678", role, 1)
    );
    assert_eq!(
        resolved.difference(&live(resolved.text())),
        Difference::None
    );
    assert_eq!(resolved.dead_principals(), set(&["AIDAEXAMPLEID12345678"]));
    assert_eq!(document.resolve_principals(&|_| None).text(), text);
    assert_ne!(
        document, resolved,
        "U2 a deleted principal is not the new one of its name"
    );
}

/// Each problem of `text` as `pointer: message (hint)`.
fn problems(text: &str, kind: PolicyKind) -> Vec<String> {
    let told = |problem: DocumentProblem| {
        format!(
            "{}: {} ({})",
            problem.pointer,
            problem.message,
            problem.hint.unwrap_or_default()
        )
    };
    let parsed = PolicyDocument::parse(text, kind, &partition());
    parsed
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(told)
        .collect()
}

/// `statement` in a document of `kind` has just one problem, at `pointer` and with all of `words`.
#[track_caller]
fn refused(rule: &str, kind: PolicyKind, statement: &str, pointer: &str, words: &[&str]) {
    let problems = problems(
        &format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#),
        kind,
    );
    let [problem] = problems.as_slice() else {
        panic!("{rule}: {statement}: {problems:#?}")
    };
    assert!(
        problem.starts_with(&format!("/Statement/0{pointer}: ")),
        "{rule}: {problem}"
    );
    for word in words {
        assert!(
            problem.contains(word),
            "{rule}: `{word}` is not in {problem}"
        );
    }
}

#[test]
fn what_iam_refuses_of_a_document_is_told() {
    let statement = allow("");
    for (rule, text, words) in [
        (
            "D6 empty",
            String::new(),
            &[": the document is empty"] as &[&str],
        ),
        (
            "D6 string",
            r#""{}""#.to_owned(),
            &["an object, not a string", "twice"],
        ),
        ("D6 list", "[]".to_owned(), &["an object, not a list"]),
        ("D6 no JSON", "{".to_owned(), &["not JSON", "line 1"]),
        (
            "D5 duplicate",
            format!(r#"{{"Statement":[{statement}],"Statement":[{statement}]}}"#),
            &["/Statement: duplicate member `Statement`"],
        ),
        (
            "D7 unknown",
            format!(r#"{{"Statement":[{statement}],"Statment":[]}}"#),
            &["/Statment: ", "did you mean `Statement`"],
        ),
        (
            "D8 case",
            format!(r#"{{"statement":[{statement}]}}"#),
            &["/statement: ", "did you mean `Statement`", "case-sensitive"],
        ),
        (
            "T1 version",
            format!(r#"{{"Version":"2012-10-18","Statement":[{statement}]}}"#),
            &["/Version: `2012-10-18`", "2012-10-17"],
        ),
        (
            "T8 empty",
            r#"{"Statement":[]}"#.to_owned(),
            &["/Statement: `Statement` is empty"],
        ),
        (
            "T8 missing",
            r#"{"Version":"2012-10-17"}"#.to_owned(),
            &["no `Statement`"],
        ),
        (
            "T8 null",
            r#"{"Statement":null}"#.to_owned(),
            &["/Statement: ", "not null"],
        ),
        (
            "T4 Id",
            format!(r#"{{"Id":1,"Statement":[{statement}]}}"#),
            &["/Id: must be a string"],
        ),
    ] {
        let problems = problems(&text, PolicyKind::Identity);
        assert_eq!(problems.len(), 1, "{rule}: {problems:#?}");
        assert!(
            words.iter().all(|word| problems[0].contains(word)),
            "{rule}: {}",
            problems[0]
        );
    }
}

#[test]
fn what_iam_refuses_of_a_statement_is_told() {
    let with = |from: &str, to: &str| allow("").replace(from, to);
    let get = r#"["s3:Get"]"#;
    let identity: &[(&str, String, &str, &[&str])] = &[
        (
            "D5 at any depth",
            condition(r#"{"StringEquals":{"aws:k":"a"},"StringEquals":{"aws:l":"b"}}"#),
            "/Condition/StringEquals",
            &["duplicate member"],
        ),
        (
            "D7 unknown",
            allow(r#","Conditions":{}"#),
            "/Conditions",
            &["did you mean `Condition`"],
        ),
        (
            "D8 case",
            with("Effect", "effect"),
            "/effect",
            &["did you mean `Effect`"],
        ),
        (
            "D11 characters",
            with("s3:Get", "s3:Get").replace("\"*\"", "\"arn:aws:s3:::a\u{2014}b\""),
            "/Resource",
            &["U+2014"],
        ),
        (
            "D11 in a Sid",
            allow(",\"Sid\":\"a\",\"Condition\":{\"StringEquals\":{\"aws:k\u{2019}\":\"v\"}}"),
            "/Condition/StringEquals/aws:k\u{2019}",
            &["U+2019"],
        ),
        ("S2 charset", allow(r#","Sid":"a b""#), "/Sid", &["`a b`"]),
        (
            "S3 effect",
            with("Allow", "allow"),
            "/Effect",
            &["`allow`", "write `Allow`"],
        ),
        (
            "S3 no effect",
            r#"{"Action":"s3:Get","Resource":"*"}"#.to_owned(),
            "",
            &["no `Effect`"],
        ),
        (
            "S4 shape",
            with(get, "1"),
            "/Action",
            &["a string or a list of strings, not a number"],
        ),
        (
            "S4 null in a list",
            with(get, r#"["s3:Get",null]"#),
            "/Action/1",
            &["not null"],
        ),
        (
            "S7 shape",
            with(get, r#"["s3:Get","get"]"#),
            "/Action/1",
            &["`get`", "service:name"],
        ),
        (
            "S8 both",
            allow(r#","NotAction":"s3:Put""#),
            "",
            &["both `Action` and `NotAction`"],
        ),
        (
            "S8 neither",
            r#"{"Effect":"Allow","Resource":"*"}"#.to_owned(),
            "",
            &["neither `Action` nor `NotAction`"],
        ),
        ("empty list", with(get, "[]"), "/Action", &["empty"]),
        (
            "S8 both resources",
            allow(r#","NotResource":"*""#),
            "",
            &["both `Resource` and `NotResource`"],
        ),
        (
            "no resource",
            r#"{"Effect":"Allow","Action":"s3:Get"}"#.to_owned(),
            "",
            &["neither `Resource`"],
        ),
        (
            "S9 shape",
            with(r#""*""#, r#""bucket""#),
            "/Resource",
            &["`bucket`", "ARN"],
        ),
        (
            "S9 short ARN",
            with(r#""*""#, r#""arn:aws:s3::b""#),
            "/Resource",
            &["`arn:aws:s3::b`", "without an end"],
        ),
        (
            "S9 variable",
            with(r#""*""#, r#""${aws:username}""#),
            "/Resource",
            &["is not a resource"],
        ),
        (
            "S9 service",
            with(r#""*""#, r#""arn:aws:s*:::b""#),
            "/Resource",
            &["`s*`"],
        ),
        (
            "S10 principal",
            allow(r#","Principal":{"AWS":"*"}"#),
            "/Principal",
            &["cannot have `Principal`"],
        ),
        (
            "C2 operator",
            condition(r#"{"stringEquals":{"aws:k":"v"}}"#),
            "/Condition/stringEquals",
            &["did you mean `StringEquals`"],
        ),
        (
            "C9 Null",
            condition(r#"{"NullIfExists":{"aws:k":"true"}}"#),
            "/Condition/NullIfExists",
            &["does not take `IfExists`"],
        ),
        (
            "C3 case",
            condition(r#"{"StringEquals":{"aws:K":"a","aws:k":"b"}}"#),
            "/Condition/StringEquals/aws:k",
            &["duplicate condition key"],
        ),
        (
            "C11 null",
            condition(r#"{"StringEquals":{"aws:a/b":null}}"#),
            "/Condition/StringEquals/aws:a~1b",
            &["not null"],
        ),
        (
            "C6 too long",
            condition(r#"{"NumericEquals":{"aws:k":99999999999999999999}}"#),
            "/Condition/NumericEquals/aws:k",
            &["in quotes"],
        ),
        (
            "placeholder",
            with(r#""*""#, r#"["*","<s3-arn>"]"#),
            "/Resource/1",
            &["`<s3-arn>`", "placeholder"],
        ),
        (
            "placeholder",
            with(r#""*""#, r#""arn:aws:s3:::<bucket name>/*""#),
            "/Resource",
            &["`<bucket name>`", "placeholder"],
        ),
        (
            "placeholder",
            condition(r#"{"StringEquals":{"aws:k":["a","<x>"]}}"#),
            "/Condition/StringEquals/aws:k/1",
            &["`<x>`"],
        ),
    ];
    for (rule, statement, pointer, words) in identity {
        refused(rule, PolicyKind::Identity, statement, pointer, words);
    }
}

#[test]
fn what_iam_refuses_of_a_trust_is_told() {
    let root = trust(r#"{"AWS":"123456789012"}"#);
    let rows: &[(&str, String, &str, &[&str])] = &[
        (
            "S10 resource",
            root.replacen('{', r#"{"Resource":"*","#, 1),
            "/Resource",
            &["cannot have `Resource`"],
        ),
        (
            "S11 action",
            root.replace("sts:AssumeRole", "s3:GetObject"),
            "/Action",
            &["`s3:GetObject`", "STS"],
        ),
        (
            "S11 all",
            root.replace("sts:AssumeRole", "*"),
            "/Action",
            &["STS"],
        ),
        (
            "S11 slip",
            root.replace("sts:AssumeRole", "sts:AsumeRole"),
            "/Action",
            &["did you mean `sts:AssumeRole`"],
        ),
        (
            "S12 NotPrincipal",
            root.replace("Principal", "NotPrincipal"),
            "/NotPrincipal",
            &["cannot have `NotPrincipal`"],
        ),
        (
            "no principal",
            r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#.to_owned(),
            "",
            &["no `Principal`"],
        ),
        (
            "P3 star",
            trust(r#""*""#),
            "/Principal",
            &["{\"AWS\": \"*\"}", "trusts everyone"],
        ),
        (
            "P4 bare",
            trust(r#""123456789012""#),
            "/Principal",
            &["has no type"],
        ),
        ("P5 empty", trust("{}"), "/Principal", &["empty"]),
        (
            "P5 empty list",
            trust(r#"{"AWS":[]}"#),
            "/Principal/AWS",
            &["empty"],
        ),
        (
            "P6 kind",
            trust(r#"{"Aws":"123456789012"}"#),
            "/Principal/Aws",
            &["did you mean `AWS`"],
        ),
        (
            "P7 partial",
            trust(r#"{"AWS":["*","arn:aws:iam::123456789012:role/*"]}"#),
            "/Principal/AWS/1",
            &["wildcard", "aws:PrincipalArn"],
        ),
        (
            "P7 service",
            trust(r#"{"Service":"*"}"#),
            "/Principal/Service",
            &["wildcard"],
        ),
        (
            "AWS shape",
            trust(r#"{"AWS":"12345678901"}"#),
            "/Principal/AWS",
            &["`12345678901`", "12 digits"],
        ),
        (
            "AWS group",
            trust(r#"{"AWS":"arn:aws:iam::123456789012:group/g"}"#),
            "/Principal/AWS",
            &["group"],
        ),
        (
            "AWS service",
            trust(r#"{"AWS":"ec2.amazonaws.com"}"#),
            "/Principal/AWS",
            &["under `Service`"],
        ),
        (
            "service shape",
            trust(r#"{"Service":"ec2"}"#),
            "/Principal/Service",
            &["`ec2`"],
        ),
        (
            "federated shape",
            trust(r#"{"Federated":"github"}"#),
            "/Principal/Federated",
            &["`github`"],
        ),
        (
            "placeholder",
            trust(r#"{"AWS":"<account>"}"#),
            "/Principal/AWS",
            &["`<account>`", "placeholder"],
        ),
    ];
    for (rule, statement, pointer, words) in rows {
        refused(rule, PolicyKind::Trust, statement, pointer, words);
    }
}

#[test]
fn sids_are_unique_in_a_document() {
    let named = allow(r#","Sid":"A""#);
    let text = format!(
        r#"{{"Statement":[{named},{},{named}]}}"#,
        allow(r#","Sid":"""#)
    );
    assert_eq!(problems(&text, PolicyKind::Identity).len(), 1);
    assert!(problems(&text, PolicyKind::Identity)[0].starts_with("/Statement/2/Sid: `A`"));
}

#[test]
fn every_problem_is_told_at_once() {
    let text = r#"{"Version":"x","Statement":[{"Effect":"allow","Action":"x","Resource":"y"},{"Effect":"Deny","Action":[],"Resource":["*","<z>"]}]}"#;
    let pointers: Vec<_> = problems(text, PolicyKind::Identity)
        .iter()
        .map(|problem| problem.split(':').next().unwrap().to_owned())
        .collect();
    let expect = [
        "/Version",
        "/Statement/0/Effect",
        "/Statement/0/Action",
        "/Statement/0/Resource",
        "/Statement/1/Action",
        "/Statement/1/Resource/1",
    ];
    assert_eq!(pointers, expect);
}

#[test]
fn what_iam_takes_is_taken() {
    let identity = [
        allow(""),
        allow(r#","Sid":"""#),
        allow("").replace(
            r#"["s3:Get"]"#,
            r#"["*","*:*","aws-marketplace:*","s3:Get?bject*"]"#,
        ),
        allow("").replace(
            r#""*""#,
            r#"["arn:*:s3:::b","arn:aws:s3:::${aws:username}/*","arn:aws:sqs","arn:aws:iam::*:role/*"]"#,
        ),
        condition(
            r#"{"ForAnyValue:StringLikeIfExists":{"aws:k":["<",">"]},"Null":{"aws:k":true},"NotIpAddress":{"aws:k":[]}}"#,
        ),
    ];
    for statement in identity {
        assert_eq!(
            problems(
                &format!(r#"{{"Statement":{statement}}}"#),
                PolicyKind::Identity
            ),
            [""; 0],
            "{statement}"
        );
    }
    let trusts = [
        r#"{"AWS":["*","123456789012","arn:aws:iam::123456789012:role/p/r","arn:aws:sts::123456789012:assumed-role/r/s"]}"#,
        r#"{"AWS":["AROAEXAMPLEID12345678","arn:aws:iam::123456789012:user/u+x"]}"#,
        r#"{"Service":["ec2.amazonaws.com","ec2.amazonaws.com.cn"]}"#,
        r#"{"Federated":["accounts.google.com","arn:aws:iam::123456789012:saml-provider/p"]}"#,
        r#"{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}"#,
    ];
    for principal in trusts {
        for action in [
            "sts:AssumeRole",
            "STS:assumerole",
            "sts:*",
            "sts:SetContext",
            "sts:SomethingNew",
        ] {
            if principal.contains("Federated") && action.eq_ignore_ascii_case("sts:AssumeRole") {
                continue;
            }
            let text = format!(
                r#"{{"Statement":{}}}"#,
                trust(principal).replace("sts:AssumeRole", action)
            );
            assert_eq!(problems(&text, PolicyKind::Trust), [""; 0], "{text}");
        }
    }
}
