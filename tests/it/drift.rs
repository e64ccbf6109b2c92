//! Drift through the binary, on the sandbox: what is found, whom it is blamed on, what is accepted, who is told.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rolecall::org::AccountId;
use rolecall::sandbox::faults::{Effect, Fault, When};
use rolecall::sandbox::wire::ApiError;
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::listener::listen;
use crate::support::served::Served;
use crate::support::{Directory, run};

const LOGS: &str = "222222222221";
const PAYMENTS: &str = "444444444441";

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"id-1"}}},
{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

const INLINE: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"*"},
{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*"}]}"#;

const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:ReceiveMessage","Resource":"*"}}"#;

/// What someone does to role `R`, or to policy `R`, by hand.
type Acts = Vec<(&'static str, Vec<(&'static str, String)>)>;

/// What someone does, and what is found: the action and the attributes, or nothing.
struct Case {
    name: &'static str,
    acts: Acts,
    found: Option<(&'static str, &'static [&'static str])>,
}

fn act(operation: &'static str, params: &[(&'static str, &str)]) -> Acts {
    vec![(
        operation,
        params
            .iter()
            .map(|(key, value)| (*key, (*value).to_owned()))
            .collect(),
    )]
}

fn managed(name: &str) -> String {
    format!("arn:aws:iam::aws:policy/{name}")
}

fn trust(document: &str) -> Acts {
    act(
        "UpdateAssumeRolePolicy",
        &[("RoleName", "R"), ("PolicyDocument", document)],
    )
}

fn inline(document: &str) -> Acts {
    act(
        "PutRolePolicy",
        &[
            ("RoleName", "R"),
            ("PolicyName", "logs"),
            ("PolicyDocument", document),
        ],
    )
}

fn attach(name: &str) -> Acts {
    act(
        "AttachRolePolicy",
        &[("RoleName", "R"), ("PolicyArn", &managed(name))],
    )
}

fn detach(name: &str) -> Acts {
    act(
        "DetachRolePolicy",
        &[("RoleName", "R"), ("PolicyArn", &managed(name))],
    )
}

fn tag(key: &str, value: &str) -> Acts {
    act(
        "TagRole",
        &[
            ("RoleName", "R"),
            ("Tags.member.1.Key", key),
            ("Tags.member.1.Value", value),
        ],
    )
}

fn untag(key: &str) -> Acts {
    act("UntagRole", &[("RoleName", "R"), ("TagKeys.member.1", key)])
}

fn version(document: &str, default: &str) -> Acts {
    let arn = format!("arn:aws:iam::{LOGS}:policy/R");
    act(
        "CreatePolicyVersion",
        &[
            ("PolicyArn", &arn),
            ("PolicyDocument", document),
            ("SetAsDefault", default),
        ],
    )
}

fn delete() -> Acts {
    [
        detach("SecurityAudit"),
        act(
            "DeleteRolePolicy",
            &[("RoleName", "R"), ("PolicyName", "logs")],
        ),
        act("DeleteRole", &[("RoleName", "R")]),
    ]
    .concat()
}

fn create(document: &str, mark: &[(&'static str, &str)]) -> Acts {
    let role = [
        ("RoleName", "R"),
        ("AssumeRolePolicyDocument", document),
        ("Description", "as written"),
        ("MaxSessionDuration", "7200"),
        ("PermissionsBoundary", &managed("PowerUserAccess")),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "a"),
    ];
    [
        act("CreateRole", &[&role, mark].concat()),
        attach("SecurityAudit"),
        inline(INLINE),
    ]
    .concat()
}

fn cases() -> Vec<Case> {
    let found = |name, acts, action, attributes| Case {
        name,
        acts,
        found: Some((action, attributes)),
    };
    let same = |name, acts| Case {
        name,
        acts,
        found: None,
    };
    let edit = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    };
    let condition = r#","Condition":{"StringEquals":{"sts:ExternalId":"id-1"}}"#;
    let mark = [
        ("Tags.member.2.Key", "rolecall:managed-by"),
        ("Tags.member.2.Value", "watched"),
    ];
    let update = |description, seconds| {
        act(
            "UpdateRole",
            &[
                ("RoleName", "R"),
                ("Description", description),
                ("MaxSessionDuration", seconds),
            ],
        )
    };
    let boundary = |name: &str| {
        act(
            "PutRolePermissionsBoundary",
            &[("RoleName", "R"), ("PermissionsBoundary", &managed(name))],
        )
    };
    let reordered = r#"{"Version":"2012-10-17","Statement":[{"Resource":"*","Action":"s3:DeleteObject","Effect":"Deny"},
        {"Resource":"*","Effect":"Allow","Action":["s3:ListBucket","s3:GetObject"]}]}"#;
    vec![
        found(
            "another account trusted",
            trust(&edit(TRUST, "999999999999", "888888888888")),
            "update",
            &["trust"],
        ),
        found(
            "everybody trusted",
            trust(&edit(TRUST, "arn:aws:iam::999999999999:root", "*")),
            "update",
            &["trust"],
        ),
        found(
            "a condition dropped",
            trust(&edit(TRUST, condition, "")),
            "update",
            &["trust"],
        ),
        found(
            "an external id changed",
            trust(&edit(TRUST, "id-1", "id-2")),
            "update",
            &["trust"],
        ),
        found(
            "a service trusted",
            trust(&edit(TRUST, "ec2.", "lambda.")),
            "update",
            &["trust"],
        ),
        found(
            "a condition's operator",
            trust(&edit(TRUST, "StringEquals", "StringLike")),
            "update",
            &["trust"],
        ),
        found(
            "an inline policy added",
            act(
                "PutRolePolicy",
                &[
                    ("RoleName", "R"),
                    ("PolicyName", "backdoor"),
                    ("PolicyDocument", DOCUMENT),
                ],
            ),
            "update",
            &["inline_policies"],
        ),
        found(
            "an inline policy removed",
            act(
                "DeleteRolePolicy",
                &[("RoleName", "R"), ("PolicyName", "logs")],
            ),
            "update",
            &["inline_policies"],
        ),
        found(
            "an action added",
            inline(&edit(INLINE, "s3:ListBucket", "s3:PutObject")),
            "update",
            &["inline_policies"],
        ),
        found(
            "a deny allowed",
            inline(&edit(INLINE, "Deny", "Allow")),
            "update",
            &["inline_policies"],
        ),
        found(
            "an action negated",
            inline(&edit(INLINE, r#""Action":["#, r#""NotAction":["#)),
            "update",
            &["inline_policies"],
        ),
        found(
            "a resource narrowed",
            inline(&edit(
                INLINE,
                r#""s3:ListBucket"],"Resource":"*""#,
                r#""s3:ListBucket"],"Resource":"arn:aws:s3:::x""#,
            )),
            "update",
            &["inline_policies"],
        ),
        found(
            "a policy attached",
            attach("AdministratorAccess"),
            "update",
            &["managed_policies"],
        ),
        found(
            "a policy detached",
            detach("SecurityAudit"),
            "update",
            &["managed_policies"],
        ),
        found(
            "a policy exchanged",
            [detach("SecurityAudit"), attach("ReadOnlyAccess")].concat(),
            "update",
            &["managed_policies"],
        ),
        found("a tag changed", tag("team", "b"), "update", &["tags"]),
        found(
            "a tag's case changed",
            tag("team", "A"),
            "update",
            &["tags"],
        ),
        found("a tag removed", untag("team"), "update", &["tags"]),
        found(
            "our mark removed",
            untag("rolecall:managed-by"),
            "adopt",
            &["tags"],
        ),
        found(
            "another's mark",
            tag("rolecall:managed-by", "others"),
            "update",
            &[],
        ),
        found(
            "a boundary removed",
            act("DeleteRolePermissionsBoundary", &[("RoleName", "R")]),
            "update",
            &["permissions_boundary"],
        ),
        found(
            "a boundary changed",
            boundary("AdministratorAccess"),
            "update",
            &["permissions_boundary"],
        ),
        found(
            "a duration",
            update("as written", "3600"),
            "update",
            &["max_session_duration"],
        ),
        found(
            "a description",
            update("by hand", "7200"),
            "update",
            &["description"],
        ),
        found(
            "both of these",
            update("by hand", "3600"),
            "update",
            &["max_session_duration", "description"],
        ),
        found(
            "a role deleted",
            delete(),
            "create",
            &[
                "trust",
                "managed_policies",
                "inline_policies",
                "permissions_boundary",
                "max_session_duration",
                "description",
                "tags",
            ],
        ),
        found(
            "a role made again",
            [delete(), create(TRUST, &[])].concat(),
            "adopt",
            &["tags"],
        ),
        found(
            "a role made again, open",
            [delete(), create(&edit(TRUST, condition, ""), &mark)].concat(),
            "update",
            &["trust"],
        ),
        found(
            "a role made again to the letter",
            [delete(), create(TRUST, &mark)].concat(),
            "update",
            &[],
        ),
        found(
            "a policy's default version",
            version(&edit(DOCUMENT, "sqs:Receive", "sqs:Delete"), "true"),
            "update",
            &["document"],
        ),
        found(
            "a policy deleted",
            act(
                "DeletePolicy",
                &[("PolicyArn", &format!("arn:aws:iam::{LOGS}:policy/R"))],
            ),
            "create",
            &["document", "tags"],
        ),
        found(
            "trust and tags",
            [
                trust(&edit(TRUST, "999999999999", "888888888888")),
                untag("team"),
            ]
            .concat(),
            "update",
            &["trust", "tags"],
        ),
        same("statements and members in another order", inline(reordered)),
        same(
            "actions in another case",
            inline(&edit(INLINE, "s3:GetObject", "S3:getobject")),
        ),
        same(
            "one as a list",
            inline(&edit(
                INLINE,
                r#""s3:DeleteObject""#,
                r#"["s3:DeleteObject"]"#,
            )),
        ),
        same(
            "an action twice",
            inline(&edit(
                INLINE,
                r#""s3:ListBucket"]"#,
                r#""s3:ListBucket","s3:ListBucket"]"#,
            )),
        ),
        same(
            "a Sid",
            inline(&edit(
                INLINE,
                r#"{"Effect":"Deny""#,
                r#"{"Sid":"No","Effect":"Deny""#,
            )),
        ),
        same(
            "an empty condition",
            inline(&edit(
                INLINE,
                r#""s3:DeleteObject","#,
                r#""s3:DeleteObject","Condition":{},"#,
            )),
        ),
        same(
            "a bare account id",
            trust(&edit(
                TRUST,
                "arn:aws:iam::999999999999:root",
                "999999999999",
            )),
        ),
        same(
            "a condition key's case",
            trust(&edit(TRUST, "sts:ExternalId", "STS:externalid")),
        ),
        same("a tag beside ours", tag("cost-center", "7")),
        same(
            "a version that is not the default",
            version(&edit(DOCUMENT, "sqs:Receive", "sqs:Delete"), "false"),
        ),
        same("a trust written again", trust(TRUST)),
    ]
}

fn kind(case: &Case) -> &'static str {
    if case
        .acts
        .iter()
        .any(|(operation, _)| matches!(*operation, "CreatePolicyVersion" | "DeletePolicy"))
    {
        "policy"
    } else {
        "role"
    }
}

fn desired(cases: &[Case]) -> Directory {
    let mut text = "name = \"watched\"\n".to_owned();
    for (n, case) in cases.iter().enumerate() {
        let resource = match kind(case) {
            "policy" => format!(
                "[[policy]]\nname = \"R{n:02}\"\ntargets = [{{ account = \"log-archive\" }}]\ndocument = \"document.json\"\n"
            ),
            _ => format!(
                r#"[[role]]
name = "R{n:02}"
description = "as written"
max_session_duration = "2h"
permissions_boundary = "aws:PowerUserAccess"
managed_policies = ["aws:SecurityAudit"]
tags = {{ team = "a" }}
trust = "trust.json"
targets = [{{ account = "log-archive" }}]
[[role.inline_policy]]
name = "logs"
document = "inline.json"
"#
            ),
        };
        text += &resource;
    }
    Directory::of(&[
        ("rolecall.toml", &text),
        ("trust.json", TRUST),
        ("inline.json", INLINE),
        ("document.json", DOCUMENT),
    ])
}

fn changes(drift: &Value) -> impl Iterator<Item = &Value> {
    drift["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|account| account["changes"].as_array().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_by_hand_that_means_something_is_found_and_blamed_and_none_that_does_not() {
    let cases = cases();
    let (served, desired) = (Served::demo().await, desired(&cases));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served
        .rolecall(&desired, &["drift"])
        .exits(0)
        .says(&["No drift in"]);
    for (n, case) in cases.iter().enumerate() {
        for (operation, params) in &case.acts {
            let name = format!("R{n:02}");
            let params: Vec<(&str, String)> = params
                .iter()
                .map(|(key, value)| match *key {
                    "RoleName" => (*key, name.clone()),
                    "PolicyArn" => (*key, value.replace(":policy/R", &format!(":policy/{name}"))),
                    _ => (*key, value.clone()),
                })
                .map(|(key, value)| {
                    (
                        key,
                        value.replace(
                            &format!("policy/{name}eadOnlyAccess"),
                            "policy/ReadOnlyAccess",
                        ),
                    )
                })
                .collect();
            let params: Vec<(&str, &str)> = params
                .iter()
                .map(|(key, value)| (*key, value.as_str()))
                .collect();
            served.by_hand(LOGS, operation, &params);
        }
    }
    let writes = served.writes();
    let drift = served
        .rolecall(&desired, &["drift", "--format", "json"])
        .exits(2)
        .json();
    assert_eq!(drift["format"], "rolecall-drift/1");
    let mut wrong = Vec::new();
    for (n, case) in cases.iter().enumerate() {
        let address = format!("{LOGS}/{}/R{n:02}", kind(case));
        let found = changes(&drift).find(|change| change["address"] == json!(address));
        let told = found.map(|change| {
            let diffs = change["diffs"].as_array().unwrap();
            let blamed =
                change["cause"] == "drift" && diffs.iter().all(|diff| diff["cause"] == "drift");
            let attributes: BTreeSet<&str> = diffs
                .iter()
                .map(|diff| diff["attribute"].as_str().unwrap())
                .collect();
            (change["action"].as_str().unwrap(), attributes, blamed)
        });
        let expected = case
            .found
            .map(|(action, attributes)| (action, attributes.iter().copied().collect(), true));
        if told != expected {
            wrong.push(format!("{}: {told:?}, not {expected:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let drifted = cases.iter().filter(|case| case.found.is_some()).count();
    assert_eq!(drift["summary"]["drift"], drifted);
    let text = served.rolecall(&desired, &["drift"]).exits(2);
    let text = text.says(&[
        "Changed by hand",
        "is missing",
        "lost its ownership tag",
        "was deleted and recreated",
        "belongs to `others`",
    ]);
    text.says(&[
        "access is wider than desired",
        &format!("{drifted} changed by hand"),
    ]);
    assert_eq!(served.writes(), writes, "drift wrote");
}

const AUDIT: &str = r#"
name = "audit"
[[role]]
name = "Audit"
description = "audit"
managed_policies = ["aws:SecurityAudit"]
tags = { team = "a" }
targets = [{ ou = "Workloads/Prod" }]
[[role.trust]]
aws = ["{{ organization.management_account }}"]
"#;

fn audit(served: &Served, operation: &str, params: &[(&str, &str)]) {
    served.by_hand(
        PAYMENTS,
        operation,
        &[&[("RoleName", "Audit")], params].concat(),
    );
}

const ADMIN: (&str, &str) = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");

#[tokio::test(flavor = "multi_thread")]
async fn known_drift_is_accepted_until_its_day_and_then_comes_back() {
    let (served, desired) = (Served::demo().await, Directory::new(AUDIT));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    audit(&served, "AttachRolePolicy", &[ADMIN]);
    audit(&served, "UntagRole", &[("TagKeys.member.1", "team")]);
    let accept = |attribute: &str, until: &str| {
        format!(
            "[[accept]]\naddress = \"*/role/Audit\"\nattribute = \"{attribute}\"\nreason = \"ticket 7\"\nuntil = {until}\n"
        )
    };
    desired.write("accept.toml", &accept("managed_policies", "2999-01-31"));
    served.rolecall(&desired, &["drift"]).exits(2).says(&[
        "Accepted",
        "managed_policies until 2999-01-31: ticket 7",
        "tags",
    ]);
    desired.write(
        "accept.toml",
        &(accept("managed_policies", "2999-01-31") + &accept("tags", "\"2999-01-31\"")),
    );
    let drift = served
        .rolecall(&desired, &["drift", "--format", "json"])
        .exits(0)
        .json();
    let change = changes(&drift).next().unwrap();
    assert_eq!(
        (&change["accepted"], &change["cause"]),
        (&json!(true), &json!("drift"))
    );
    assert_eq!(
        change["diffs"][0]["accepted"],
        json!({"reason": "ticket 7", "until": "2999-01-31"})
    );
    assert_eq!(drift["summary"]["accepted"], 1);

    desired.write(
        "accept.toml",
        &(accept("managed_policies", "2020-01-31") + &accept("trust", "2999-01-31")),
    );
    served.rolecall(&desired, &["drift"]).exits(2).says(&[
        "ended on 2020-01-31",
        "accept.toml:1",
        "matches no difference",
        "accept.toml:6",
    ]);
    // What lies outside of a narrowed run may well differ.
    let part = served
        .rolecall(&desired, &["drift", "--account", "web-prod"])
        .exits(0);
    assert!(
        !part.stdout.contains("matches no difference"),
        "{}",
        part.stdout
    );

    desired.write("accept.toml", &accept("managed_policies", "2999-01-31"));
    audit(
        &served,
        "DetachRolePolicy",
        &[("PolicyArn", "arn:aws:iam::aws:policy/SecurityAudit")],
    );
    audit(&served, "DetachRolePolicy", &[ADMIN]);
    served.by_hand(PAYMENTS, "DeleteRole", &[("RoleName", "Audit")]);
    served
        .rolecall(&desired, &["drift"])
        .exits(2)
        .says(&["is missing"]);

    for (text, says) in [
        (accept("trusts", "2999-01-31"), "trust"),
        (accept("trust", "2999-13-31"), "until"),
        (accept("trust", "true"), "until"),
        (
            accept("trust", "2999-01-31").replace("ticket 7", " "),
            "reason",
        ),
        (
            accept("trust", "2999-01-31").replace("*/role/Audit", "Audit"),
            "not the address",
        ),
    ] {
        desired.write("accept.toml", &text);
        served
            .rolecall(&desired, &["validate"])
            .exits(1)
            .says(&["accept.toml", says]);
    }
    desired.write("accept.toml", "[[module]]\nsource = \"inner\"\n");
    desired.write(
        "inner/rolecall.toml",
        &format!("name = \"inner\"\n{}", accept("trust", "2999-01-31")),
    );
    served
        .rolecall(&desired, &["validate"])
        .exits(1)
        .says(&["accept", "is not allowed in a module"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_who_moved_and_what_could_not_be_read() {
    let (served, desired) = (Served::demo().await, Directory::new(AUDIT));
    served
        .rolecall(&desired, &["drift"])
        .exits(2)
        .says(&["nothing is on record"]);
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let writes = served.writes();
    served
        .rolecall(&desired, &["drift"])
        .exits(0)
        .says(&["No drift in"]);

    let file = |text: &str| desired.write("rolecall.toml", &AUDIT.replace("team = \"a\"", text));
    file("team = \"b\"");
    let pending = served
        .rolecall(&desired, &["drift"])
        .exits(0)
        .says(&["Pending", "pending"]);
    assert!(!pending.stdout.contains("by hand"), "{}", pending.stdout);
    audit(&served, "AttachRolePolicy", &[ADMIN]);
    let drift = served
        .rolecall(&desired, &["drift", "--format", "json"])
        .exits(2)
        .json();
    let change = changes(&drift)
        .find(|change| change["cause"] == "both")
        .unwrap();
    let causes: Vec<&str> = change["diffs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|diff| diff["cause"].as_str().unwrap())
        .collect();
    assert_eq!(causes, ["drift", "desired"], "managed policies, tags");
    audit(
        &served,
        "TagRole",
        &[("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "c")],
    );
    served
        .rolecall(&desired, &["drift"])
        .exits(2)
        .says(&["and the file changed too"]);
    // What goes wrong beside the look is an error, and the look is told all the same.
    let nowhere = ["drift", "--metrics-file", "/nonexistent/rolecall.prom"];
    served
        .rolecall(&desired, &nowhere)
        .exits(1)
        .says(&["and the file changed too", "cannot write the metrics"]);
    served
        .rolecall(&desired, &["drift", "--watch", "0s"])
        .exits(1)
        .says(&["greater than zero"]);

    let refused = |account: Option<AccountId>| Fault {
        operation: "AssumeRole".to_owned(),
        account,
        when: When::Always,
        effect: Effect::Error(ApiError::new(403, "AccessDenied", "by the test")),
    };
    served
        .sandbox
        .fail(refused(AccountId::parse("444444444442").ok()));
    served.rolecall(&desired, &["drift"]).exits(3).says(&[
        "1 account could not be read",
        "by the test",
        "Changed by hand",
    ]);
    served.sandbox.fail(refused(None));
    served
        .rolecall(&desired, &["drift"])
        .exits(1)
        .says(&["No account could be read"]);
    assert_eq!(served.writes(), writes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_looks_in_one_process_find_nothing_where_nothing_changed_and_enter_each_account_once()
 {
    let (served, desired) = (Served::demo().await, Directory::new(AUDIT));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let (entered, writes) = (served.count("AssumeRole"), served.writes());
    let metrics = desired.file("rolecall.prom");
    let watch = [
        "drift",
        "--watch",
        "1ms",
        "--rounds",
        "100",
        "--listen",
        "127.0.0.1:0",
        "--format",
        "json",
        "--quiet",
    ];
    let watch = [&watch[..], &["--metrics-file", metrics.to_str().unwrap()]].concat();
    let told = served.rolecall(&desired, &watch).exits(0);
    let looks: Vec<Value> = told
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(looks.len(), 100);
    for look in looks {
        assert_eq!(
            (changes(&look).count(), &look["findings"]),
            (0, &json!([])),
            "{look:#}"
        );
    }
    assert_eq!(
        served.count("AssumeRole") - entered,
        3,
        "one for each account"
    );
    assert_eq!(served.count("GetCallerIdentity"), 2, "one for each process");
    assert_eq!(served.writes(), writes);
    let metrics = std::fs::read_to_string(metrics).unwrap();
    for line in [
        "rolecall_drift_resources{name=\"audit\",cause=\"drift\"} 0",
        "rolecall_drift_accounts{name=\"audit\",status=\"read\"} 3",
        "rolecall_drift_looks_total{name=\"audit\",outcome=\"done\"} 100",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_its_health_finds_what_changes_and_ends_when_interrupted() {
    let (served, desired) = (Served::demo().await, Directory::new(AUDIT));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let mut command = served.command(
        &desired,
        &["drift", "--watch", "20ms", "--listen", "127.0.0.1:0"],
    );
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("/healthz") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0);
    }
    let address = line
        .split("http://")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let rest = std::thread::spawn(move || _ = std::io::copy(&mut said, &mut std::io::sink()));
    assert!(get(&address, "/other").starts_with("HTTP/1.1 404"));
    let waits_for = |wanted: &str| {
        while !get(&address, "/metrics").contains(wanted) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    waits_for("rolecall_drift_resources{name=\"audit\",cause=\"drift\"} 0");
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200"));
    audit(&served, "AttachRolePolicy", &[ADMIN]);
    waits_for("rolecall_drift_resources{name=\"audit\",cause=\"drift\"} 1");
    Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    rest.join().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text.matches("Drift of audit").count(),
        2,
        "only what is new is printed:\n{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_again_until_it_listens_and_its_address_is_never_shown() {
    let (served, desired) = (Served::demo().await, Directory::new(AUDIT));
    let (url, told) = listen([500, 200, 200, 200, 200, 404]);
    let url = format!("{url}/services/s3cret-path");
    let told = || serde_json::from_slice::<Value>(&told.recv().unwrap().body).unwrap();
    let notify = |arguments: &[&str]| {
        let mut command = served.command(&desired, arguments);
        let run = run(command
            .env("ROLECALL_NOTIFY", &url)
            .args(["-vvv", "--log-format", "json"]));
        assert!(!run.text().contains("s3cret-path"), "{}", run.text());
        run
    };
    notify(&["plan"]).exits(0);
    let (first, plan) = (told(), told());
    assert_eq!(first, plan);
    assert_eq!(
        (&plan["command"], &plan["summary"]["create"]),
        (&json!("plan"), &json!(3))
    );
    notify(&["apply", "--auto-approve"]).exits(0);
    let apply = told();
    assert_eq!(
        (&apply["command"], &apply["summary"]["done"]),
        (&json!("apply"), &json!(3))
    );
    audit(&served, "AttachRolePolicy", &[ADMIN]);
    notify(&["drift"]).exits(2);
    let drift = told();
    assert_eq!(
        (&drift["exit_code"], &drift["summary"]["drift"]),
        (&json!(2), &json!(1))
    );
    let text = drift["text"].as_str().unwrap();
    assert!(
        text.contains("1 changed by hand")
            && text.contains("444444444441/role/Audit: managed_policies by hand"),
        "{text}"
    );
    // What cannot begin is told as well.
    desired.write("more.toml", "nonsense = 1\n");
    notify(&["drift"]).exits(1);
    let stopped = told();
    assert_eq!(
        (&stopped["exit_code"], &stopped["error"]),
        (&json!(1), &json!("1 problem in the desired state"))
    );
    desired.write("more.toml", "");
    // Refused, then gone, then no URL at all: the run ends as it would.
    notify(&["drift"])
        .exits(2)
        .says(&["warning", "HTTP status 404"]);
    notify(&["drift"])
        .exits(2)
        .says(&["warning", "cannot be reached"]);
    let bad = served
        .rolecall(&desired, &["drift", "--notify", "ftp://s3cret-path"])
        .exits(2)
        .says(&["not an http or https URL"]);
    assert!(!bad.text().contains("s3cret-path"));
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_nobody_declares_and_that_trust_outsiders_are_listed_on_demand() {
    let (served, desired) = (Served::demo().await, Directory::new(AUDIT));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    for (name, document) in [
        ("Outside", TRUST.to_owned()),
        (
            "Public",
            TRUST
                .replace("arn:aws:iam::999999999999:root", "*")
                .replace(
                    r#","Condition":{"StringEquals":{"sts:ExternalId":"id-1"}}"#,
                    "",
                ),
        ),
        ("Inside", TRUST.replace("999999999999", PAYMENTS)),
    ] {
        served.by_hand(
            LOGS,
            "CreateRole",
            &[("RoleName", name), ("AssumeRolePolicyDocument", &document)],
        );
    }
    let quiet = served
        .rolecall(&desired, &["drift", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(quiet["findings"], json!([]));
    let found = served
        .rolecall(&desired, &["drift", "--unmanaged", "--format", "json"])
        .exits(0)
        .json();
    let of = |name: &str| {
        let address = json!(format!("{LOGS}/role/{name}"));
        found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["address"] == address)
            .cloned()
    };
    assert_eq!(of("Outside").unwrap()["code"], "unmanaged");
    assert!(
        of("Outside").unwrap()["message"]
            .as_str()
            .unwrap()
            .contains("999999999999")
    );
    assert!(
        of("Public").unwrap()["message"]
            .as_str()
            .unwrap()
            .contains("everyone")
    );
    assert_eq!(of("Inside"), None);
    served
        .rolecall(&desired, &["drift", "--unmanaged"])
        .exits(0)
        .says(&["unmanaged", "Outside"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_a_comment_and_a_page_that_say_who_moved() {
    let (served, desired) = (Served::demo().await, Directory::new(AUDIT));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    audit(&served, "AttachRolePolicy", &[ADMIN]);
    audit(&served, "UntagRole", &[("TagKeys.member.1", "team")]);
    desired.write(
        "rolecall.toml",
        &AUDIT.replace(
            "description = \"audit\"",
            "description = \"<script>alert(1)</script>\"",
        ),
    );
    desired.write(
        "accept.toml",
        "[[accept]]\naddress = \"*/role/Audit\"\nattribute = \"tags\"\nreason = \"ticket 7\"\nuntil = 2999-01-31\n",
    );
    let comment = served
        .rolecall(&desired, &["drift", "--format", "markdown"])
        .exits(2)
        .says(&[
            "### rolecall drift of <code>audit</code>",
            "| role | · | **1** | · | · | **2** |",
            "#### ⚠️ Access is wider than desired (1)",
            "+   arn:aws:iam::aws:policy/AdministratorAccess",
            "#### Accepted (1)",
            "tags until 2999-01-31: ticket 7",
            "#### Pending: desired, but not applied yet (1)",
            "in 3 accounts",
        ]);
    let (fences, rest): (Vec<_>, Vec<_>) = comment
        .stdout
        .split("```")
        .enumerate()
        .partition(|(n, _)| n % 2 == 1);
    assert_eq!(
        (
            fences.len(),
            rest.iter().any(|(_, text)| text.contains("<script"))
        ),
        (3, false),
        "{}",
        comment.stdout
    );

    let page = served
        .rolecall(&desired, &["drift", "--format", "html"])
        .exits(2)
        .stdout;
    let Some(mut browser) = Browser::start() else {
        return;
    };
    browser.open(&page);
    let listed = "[...document.querySelectorAll('#list > .change')].map(c => c.querySelector('summary').innerText.split(/\\s*\\n\\s*/).join(' '))";
    let all = browser.eval(listed);
    assert_eq!(
        all,
        json!([
            "changed by hand role Audit differs in payments-prod (444444444441) ▲ wider than desired",
            "accepted role Audit differs in payments-prod (444444444441)",
            "pending role Audit is to be updated in 3 accounts",
        ])
    );
    let choose = "new Promise(done => { const f = document.getElementById('f-standing'); f.value = 'accepted'; \
                  f.dispatchEvent(new Event('input', {bubbles: true})); setTimeout(done, 150); })";
    browser.eval(choose);
    assert_eq!(browser.eval(listed), json!([all[1]]));
    assert_eq!((browser.complaints(), browser.requests()), (vec![], vec![]));
}
