//! What IAM refuses in documents is refused before AWS is asked, or where the partition decides at plan; what it takes and
//! what cannot work is told. Each case is named after the public report that it stands for.

use rolecall::org::Partition;
use rolecall::sandbox::build::OrgSpec;
use rolecall::sandbox::world::World;

use crate::support::served::Served;
use crate::support::{Directory, Run, rolecall, run};

const TRUST: &str = "[[role.trust]]\naws = \"{{ account.id }}\"\n";

/// A role with one inline policy of these keys.
fn inline(statement: &str) -> String {
    format!(
        "name = \"cases\"\n[[role]]\nname = \"R\"\ntargets = [{{ account = \"network\" }}]\n{TRUST}[[role.inline_policy]]\nname = \"p\"\n[[role.inline_policy.statement]]\n{statement}\n"
    )
}

fn reads(resource: &str) -> String {
    inline(&format!("actions = [\"s3:*\"]\nresources = [{resource:?}]"))
}

fn condition(operator: &str, key: &str, value: &str) -> String {
    inline(&format!(
        "actions = [\"s3:*\"]\nresources = [\"*\"]\n[role.inline_policy.statement.conditions]\n\"{operator}\" = {{ \"{key}\" = {value} }}"
    ))
}

/// A managed policy, and a role that has it, in a file of its own.
fn managed(file: &str, text: &str) -> Directory {
    let desired = format!(
        "name = \"cases\"\n[[policy]]\nname = \"A\"\ndocument = \"{file}\"\ntargets = [{{ account = \"network\" }}]\n"
    );
    Directory::of(&[("rolecall.toml", &desired), (file, text)])
}

#[track_caller]
fn validate(desired: &str) -> Run {
    validate_in(&Directory::new(desired))
}

#[track_caller]
fn validate_in(desired: &Directory) -> Run {
    run(rolecall().arg("validate").arg("-c").arg(desired.path()))
}

async fn government() -> Served {
    let partition = Partition("aws-us-gov".to_owned());
    let spec = OrgSpec {
        partition,
        ..OrgSpec::demo()
    };
    Served::new(World::new(&spec).unwrap()).await
}

#[test]
fn case_05_a_condition_key_with_a_scheme_or_without_a_vendor_is_refused_with_its_place() {
    for (key, hint) in [
        (
            "https://oidc.eks.us-east-1.amazonaws.com/id/AB12:sub",
            "leave out the scheme: `oidc.eks.us-east-1.amazonaws.com/id/AB12:sub`",
        ),
        ("a:b:c", "one colon"),
        ("sub", "prefix:name"),
    ] {
        validate(&condition("StringEquals", key, "\"x\""))
            .exits(1)
            .says(&[key, "is not a condition key", hint, "rolecall.toml:13:"]);
    }
    for key in [
        "kms:EncryptionContext:aws:cloudtrail:arn",
        "aws:RequestTag/a:b",
        "s3:ExistingObjectTag/x:y",
    ] {
        let run = validate(&condition("StringEquals", key, "\"x\"")).exits(0);
        assert!(!run.text().contains(key), "{}", run.text());
    }
}

#[test]
fn case_07_a_wildcard_where_the_operator_knows_none_is_told() {
    for (operator, key, value, hint) in [
        (
            "StringEquals",
            "aws:PrincipalArn",
            "arn:aws:iam::111111111111:role/ops-*",
            "StringLike",
        ),
        (
            "StringNotEquals",
            "aws:SourceVpc",
            "vpc-?1",
            "StringNotLike",
        ),
        (
            "ForAnyValue:StringEqualsIfExists",
            "aws:TagKeys",
            "team*",
            "ForAnyValue:StringLikeIfExists",
        ),
        ("StringEqualsIgnoreCase", "aws:username", "x*", "StringLike"),
    ] {
        validate(&condition(operator, key, &format!("{value:?}")))
            .exits(0)
            .says(&[
                "knows no wildcards",
                value,
                &format!("did you mean `{hint}`"),
                "rolecall.toml:13:",
            ]);
    }
    // `${*}` is a `*` and meant as one.
    let run = validate(&condition("StringEquals", "s3:prefix", "\"a${*}\"")).exits(0);
    assert!(!run.text().contains("wildcards"), "{}", run.text());
}

#[test]
fn case_07_conditions_that_exclude_each_other_are_told() {
    let both = |one: &str, other: &str| {
        inline(&format!(
            "actions = [\"s3:*\"]\nresources = [\"*\"]\n[role.inline_policy.statement.conditions]\n{one}\n{other}"
        ))
    };
    for (one, other) in [
        (
            "StringEquals = { \"aws:PrincipalAccount\" = \"111111111111\" }",
            "StringLike = { \"aws:principalaccount\" = \"22*\" }",
        ),
        (
            "ArnLike = { \"aws:PrincipalArn\" = \"arn:aws:iam::*:role/a*\" }",
            "ArnEquals = { \"aws:PrincipalArn\" = \"arn:aws:iam::*:role/b*\" }",
        ),
        (
            "IpAddress = { \"aws:SourceIp\" = \"10.0.0.0/8\" }",
            "IpAddressIfExists = { \"aws:SourceIp\" = \"10.0.0.0/8\" }\nNull = { \"aws:SourceIp\" = \"true\" }",
        ),
        (
            "StringEquals = { \"aws:SourceVpc\" = \"vpc-1\" }",
            "StringNotEquals = { \"aws:SourceVpc\" = [\"vpc-1\", \"vpc-2\"] }",
        ),
    ] {
        validate(&both(one, other))
            .exits(0)
            .says(&["no request meets both", "allows nobody anything"]);
    }
    for (one, other) in [
        (
            "StringEquals = { \"aws:PrincipalAccount\" = [\"111111111111\", \"222222222222\"] }",
            "StringLike = { \"aws:PrincipalAccount\" = \"22*\" }",
        ),
        (
            "StringEquals = { \"aws:TagKeys\" = \"a\" }",
            "StringLike = { \"aws:TagKeys\" = \"b*\" }",
        ),
        (
            "StringEquals = { \"aws:SourceVpc\" = \"vpc-1\" }",
            "StringEqualsIfExists = { \"aws:SourceVpc\" = \"vpc-2\" }",
        ),
    ] {
        let run = validate(&both(one, other)).exits(0);
        assert!(!run.text().contains("no request meets"), "{}", run.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_resources_of_another_partition_stop_the_plan_before_any_write() {
    let served = government().await;
    for resource in [
        "arn:aws:s3:::acme-logs/*",
        "arn:aws:iam::*:role/x",
        "arn:aws-cn:s3:::acme-logs",
    ] {
        let desired = Directory::new(&reads(resource));
        validate_in(&desired).exits(0);
        for command in [&["plan"][..], &["apply", "--auto-approve"]] {
            served.rolecall(&desired, command).exits(1).says(&[
                resource,
                "is in partition",
                "this organization is in `aws-us-gov`",
                "arn:{{ partition }}:",
                "rolecall.toml:11:",
            ]);
        }
    }
    assert_eq!(served.writes(), [""; 0]);
    for resource in [
        "arn:{{ partition }}:s3:::acme-logs/*",
        "arn:*:s3:::acme-logs/*",
    ] {
        served
            .rolecall(&Directory::new(&reads(resource)), &["plan"])
            .exits(0);
    }
    // An ARN that a condition asks for is no error, but it is like no other.
    let told = condition("ArnLike", "aws:SourceArn", "\"arn:aws:sns:*:*:topic\"");
    served
        .rolecall(&Directory::new(&told), &["plan"])
        .exits(0)
        .says(&["no value of `aws:SourceArn`"]);
    // And the other way round.
    let desired = Directory::new(&reads("arn:aws-us-gov:s3:::acme-logs/*"));
    Served::demo()
        .await
        .rolecall(&desired, &["plan"])
        .exits(1)
        .says(&["this organization is in `aws`"]);
}

#[test]
fn case_20_what_is_no_partition_is_refused_without_aws() {
    for (resource, word) in [
        ("arn:aws:us-gov:s3:::x", ""),
        ("arn:awss:s3:::x", "`awss` is not a partition"),
        ("arn:AWS:s3:::x", "`AWS` is not a partition"),
        ("arn:aws*:s3:::x", "`aws*` is not a partition"),
        ("arn:${aws:Partition}:s3:::x", "is not a partition"),
        ("arn::s3:::x", "`` is not a partition"),
        ("arn:aws::::x", "names no service"),
        ("arn:aws::s3:*", "names no service"),
        ("arn:aws:S3:::x", "write `s3`"),
        ("arn:aws:s3*:::x", "must be written out"),
        ("arn:aws:*:::x", "must be written out"),
        ("arn:*", "is not a resource"),
    ] {
        let run = validate(&reads(resource));
        if word.is_empty() {
            run.exits(0);
        } else {
            run.exits(1).says(&[word, "rolecall.toml:11:"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_22_a_region_where_the_service_has_none_is_refused_with_its_place() {
    for (resource, word) in [
        (
            "arn:aws:iam:us-east-1:111122223333:role/*",
            "IAM has no region",
        ),
        (
            "arn:aws:s3:us-west-2:111122223333:bucket/x",
            "S3 has no region",
        ),
        ("arn:aws:s3:eu-west-1::bucket", "S3 has no region"),
        (
            "arn:aws:iam::111122223333:rolex/x",
            "`rolex/x` is not a resource of IAM",
        ),
        (
            "arn:aws:iam::111122223333:root",
            "`root` is not a resource of IAM",
        ),
    ] {
        validate(&reads(resource))
            .exits(1)
            .says(&[word, resource, "rolecall.toml:11:"]);
    }
    let good = [
        "arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/*",
        "arn:aws:s3:*:*:job/*",
        "arn:aws:s3:us-west-2:111122223333:storage-lens/x",
        "arn:aws:iam::*:role/*",
        "arn:aws:iam::111122223333:*",
        "arn:aws:sqs",
        "arn:aws:sqs:us-east-1",
    ];
    for resource in good {
        let desired = Directory::new(&reads(resource));
        validate_in(&desired).exits(0);
        // The sandbox agrees.
        Served::demo()
            .await
            .rolecall(&desired, &["apply", "--auto-approve"])
            .exits(0);
    }
    validate(&reads("arn:aws:sqs::x"))
        .exits(1)
        .says(&["an ARN without an end"]);
    validate(&reads("arn:aws:sqs:us-east-1:11112222333:q"))
        .exits(0)
        .says(&["`11112222333` is not an account id"]);
}

#[test]
fn case_24_yaml_says_what_it_cannot_take() {
    let yaml = |action: &str, more: &str| {
        format!("Version: 2012-10-17\nStatement:\n  - Effect: Allow\n    Action: {action}\n{more}")
    };
    let run = validate_in(&managed(
        "p.yaml",
        "base: &base\n  Effect: Allow\nVersion: 2012-10-17\nStatement:\n  - <<: *base\n    Action: s3:*\n    Resource: '*'\n",
    ));
    run.exits(1).says(&[
        "p.yaml:5:5",
        "merge keys",
        "YAML 1.2",
        "write the members out",
    ]);
    let folded = yaml("s3:*", "    Resource: >\n      arn:aws:s3:::b\n");
    validate_in(&managed("p.yaml", &folded)).exits(1).says(&[
        "p.yaml:6:7",
        "line break",
        "write `>-`",
    ]);
    let literal = yaml("s3:*", "    Resource:\n      - |\n        arn:aws:s3:::b\n");
    validate_in(&managed("p.yaml", &literal))
        .exits(1)
        .says(&["line break", "write `|-`"]);
    let stripped = yaml("s3:*", "    Resource: >-\n      arn:aws:s3:::b\n");
    validate_in(&managed("p.yaml", &stripped)).exits(0);
    let no = yaml(
        "&reads [s3:Get*]",
        "    Resource: '*'\n    Condition: {Bool: {aws:SecureTransport: no}, 'Null': {aws:TokenIssueTime: off}}\n",
    );
    validate_in(&managed("p.yaml", &no)).exits(0).says(&[
        "`Bool` cannot read `no`",
        "`Null` cannot read `off`",
        "p.yaml:6:",
    ]);
    let control = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b\n"}}"#;
    validate_in(&managed("p.json", control))
        .exits(1)
        .says(&["line break or tab"]);
}

#[test]
fn case_24_values_that_their_operator_cannot_read_are_told() {
    for (operator, key, value) in [
        ("Bool", "aws:SecureTransport", "yes"),
        ("Null", "aws:TokenIssueTime", "maybe"),
        ("NumericLessThan", "s3:max-keys", "ten"),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/33"),
        ("NotIpAddressIfExists", "aws:SourceIp", "10.0.0"),
        ("ArnLike", "aws:SourceArn", "not-an-arn"),
        ("ArnEquals", "aws:SourceArn", "arn:aws:sns:topic"),
        ("NumericEquals", "s3:max-keys", "${aws:username}"),
        ("BinaryEquals", "aws:x", "not base64!"),
    ] {
        validate(&condition(operator, key, &format!("{value:?}")))
            .exits(0)
            .says(&[value, operator, "rolecall.toml:13:"]);
    }
    // IAM refuses a date that is none.
    for value in ["tomorrow", "2027-13-01T00:00:00Z", "01.01.2027"] {
        validate(&condition(
            "DateLessThan",
            "aws:CurrentTime",
            &format!("{value:?}"),
        ))
        .exits(1)
        .says(&[&format!("`{value}` is not a time"), "rolecall.toml:13:"]);
    }
    for value in [
        "\"2027\"",
        "\"2027-06\"",
        "\"2027-06-30\"",
        "\"2027-06-30T12:00:00Z\"",
        "1893456000",
    ] {
        validate(&condition("DateLessThan", "aws:CurrentTime", value)).exits(0);
    }
    for (operator, value) in [
        ("Bool", "true"),
        ("Bool", "\"True\""),
        ("IpAddress", "\"2001:db8::/32\""),
        ("ArnLike", "\"arn:aws:sns:*:*:*\""),
    ] {
        let run = validate(&condition(operator, "aws:x", value)).exits(0);
        assert!(!run.text().contains("cannot read"), "{}", run.text());
    }
    validate(&condition(
        "Bool",
        "aws:SecureTransport",
        "[\"true\", \"false\"]",
    ))
    .exits(0)
    .says(&["both `true` and `false`"]);
    validate(&condition("StringEquals", "aws:username", "[]"))
        .exits(0)
        .says(&["has no value"]);
}

#[test]
fn variables_that_nothing_fills_are_told() {
    for (resource, word) in [
        ("arn:aws:s3:::b/${aws:username", "does not end it"),
        ("arn:aws:s3:::b/${}", "`${}` is not a policy variable"),
        ("arn:aws:s3:::b/${aws:username, none}", "in single quotes"),
        ("arn:aws:s3:::b/${username}", "with its prefix"),
        ("arn:aws:iam::${AWS::AccountId}:role/x", "CloudFormation"),
        (
            "arn:aws:iam::${aws:PrincipalAccount}:role/x",
            "before the last part",
        ),
    ] {
        validate(&reads(resource))
            .exits(0)
            .says(&[word, "rolecall.toml:11:"]);
    }
    for resource in [
        "arn:aws:s3:::b/${aws:username}/*",
        "arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}",
        "arn:aws:s3:::b/${*}",
    ] {
        let run = validate(&reads(resource)).exits(0);
        assert!(!run.text().contains("warning"), "{}", run.text());
    }
    let old = r#"{"Version": "2008-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}"}}"#;
    let desired = format!(
        "name = \"cases\"\n[[role]]\nname = \"R\"\ntargets = \"all\"\n{TRUST}[[role.inline_policy]]\nname = \"p\"\ndocument = \"p.json\"\n"
    );
    validate_in(&Directory::of(&[
        ("rolecall.toml", &desired),
        ("p.json", old),
    ]))
    .exits(0)
    .says(&["plain text under version 2008-10-17"]);
}

/// A managed policy of the older version, or of none.
#[tokio::test(flavor = "multi_thread")]
async fn what_create_policy_refuses_validate_refuses() {
    let statement = r#""Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b"}"#;
    for version in ["", r#""Version": "2008-10-17", "#] {
        validate_in(&managed("p.json", &format!("{{{version}{statement}}}")))
            .exits(1)
            .says(&[
                "a managed policy must be of version 2012-10-17",
                "p.json:1:",
            ]);
    }
    validate_in(&managed(
        "p.json",
        &format!("{{\"Version\": \"2012-10-17\", {statement}}}"),
    ))
    .exits(0);
    // An inline policy may be of it.
    let desired = format!(
        "name = \"cases\"\n[[role]]\nname = \"R\"\ntargets = [{{ account = \"network\" }}]\n{TRUST}[[role.inline_policy]]\nname = \"p\"\ndocument = \"p.json\"\n"
    );
    let desired = Directory::of(&[
        ("rolecall.toml", &desired),
        ("p.json", &format!("{{{statement}}}")),
    ]);
    Served::demo()
        .await
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    // The path of a policy takes less than that of a role.
    let path = "name = \"cases\"\n[[policy]]\nname = \"A\"\npath = \"/a!b/\"\ntargets = \"all\"\n[[policy.statement]]\nactions = [\"s3:*\"]\nresources = [\"*\"]\n";
    validate(path).exits(1).says(&[
        "path of a policy",
        "must not contain `!`",
        "rolecall.toml:4:",
    ]);
}

/// A live policy with an incomplete ARN means what AWS completes it to.
#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_arn_is_completed_as_aws_does() {
    let served = Served::demo().await;
    let of = |resource: &str| reads(resource).replace("s3:*", "sqs:SendMessage");
    served
        .rolecall(
            &Directory::new(&of("arn:aws:sqs")),
            &["apply", "--auto-approve"],
        )
        .exits(0);
    served
        .rolecall(&Directory::new(&of("arn:aws:sqs:*:*:*")), &["plan"])
        .exits(0)
        .says(&["No changes"]);
    let expects = of("arn:aws:sqs")
        + "[[role.expect]]\ndeny = [\"sqs:SendMessage on arn:aws:sqs:us-east-1:111111111111:q\"]\n";
    served
        .rolecall(&Directory::new(&expects), &["verify", "--offline"])
        .exits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_of_a_policy_converge_on_their_own() {
    let served = Served::demo().await;
    let desired = |tags: &str| {
        Directory::new(&format!(
            "name = \"cases\"\n[[policy]]\nname = \"A\"\ntargets = [{{ account = \"network\" }}]\n{tags}\n[[policy.statement]]\nactions = [\"s3:*\"]\nresources = [\"*\"]\n"
        ))
    };
    let one = desired("tags = { k = \"1\" }");
    served.rolecall(&one, &["apply", "--auto-approve"]).exits(0);
    served
        .rolecall(&one, &["plan", "--detailed-exitcode"])
        .exits(0)
        .says(&["No changes"]);
    let two = desired("tags = { k = \"2\", more = \"x\" }");
    let state = one.file("state");
    let state = state.to_str().unwrap();
    served
        .rolecall(&two, &["plan", "--detailed-exitcode", "--state", state])
        .exits(2)
        .says(&["tags", "more"]);
    served
        .rolecall(&two, &["apply", "--auto-approve", "--state", state])
        .exits(0);
    served
        .rolecall(&two, &["plan", "--detailed-exitcode", "--state", state])
        .exits(0);
    let arn = "arn:aws:iam::333333333331:policy/A";
    served.by_hand(
        "333333333331",
        "TagPolicy",
        &[
            ("PolicyArn", arn),
            ("Tags.member.1.Key", "k"),
            ("Tags.member.1.Value", "3"),
        ],
    );
    served
        .rolecall(&two, &["drift", "--state", state])
        .exits(2)
        .says(&["tags"]);
    served
        .rolecall(&two, &["apply", "--auto-approve", "--state", state])
        .exits(0);
    served.rolecall(&two, &["drift", "--state", state]).exits(0);
    // Tags of others stay, and are no drift; tags that are not written are not asked for.
    served.by_hand(
        "333333333331",
        "TagPolicy",
        &[
            ("PolicyArn", arn),
            ("Tags.member.1.Key", "theirs"),
            ("Tags.member.1.Value", "x"),
        ],
    );
    served.rolecall(&two, &["drift", "--state", state]).exits(0);
    let asked = served.count("ListPolicyTags");
    served
        .rolecall(
            &desired(""),
            &["plan", "--detailed-exitcode", "--state", state],
        )
        .exits(0);
    assert_eq!(served.count("ListPolicyTags"), asked);
}
