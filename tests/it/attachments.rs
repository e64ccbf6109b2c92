//! Policies on roles of somebody else, from plan to destroy.

use serde_json::Value;

use crate::support::served::Served;
use crate::support::{Directory, Run};

const LOGS: &str = "222222222221";
const NETWORK: &str = "333333333331";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}}"#;
const OWN: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}}"#;
const OTHER: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

const READER: &str = r#"
[[policy]]
name = "Reader"
[[policy.statement]]
actions = "s3:GetObject"
resources = "arn:aws:s3:::audit-{{ account.id }}/*"
"#;

const MANAGED: &str = r#"
[[attachment]]
role = "Platform"
policy = "local:Reader"
targets = [{ account = "log-archive" }, { account = "network" }]
"#;

const INLINE: &str = r#"
[[attachment]]
role = "Platform"
name = "logs"
targets = [{ account = "log-archive" }]
[[attachment.statement]]
actions = "logs:GetLogEvents"
resources = "*"
"#;

fn desired(parts: &[&str]) -> Directory {
    Directory::new(&body(parts))
}

fn body(parts: &[&str]) -> String {
    format!(
        "name = \"vendor\"\n[limits]\nmax_change_percent = 100\n{}",
        parts.concat()
    )
}

/// The role of somebody else, in both accounts.
fn platform(served: &Served) {
    for account in [LOGS, NETWORK] {
        served.by_hand(
            account,
            "CreateRole",
            &[
                ("RoleName", "Platform"),
                ("AssumeRolePolicyDocument", TRUST),
            ],
        );
        served.by_hand(
            account,
            "PutRolePolicy",
            &[
                ("RoleName", "Platform"),
                ("PolicyName", "own"),
                ("PolicyDocument", OWN),
            ],
        );
    }
}

fn changes(run: &Run) -> Vec<String> {
    let json = run.json();
    let accounts = json["accounts"].as_array().unwrap().iter();
    let changes = accounts.flat_map(|account| account["changes"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes
        .map(|one| {
            let steps: Vec<String> = one["steps"]
                .as_array()
                .unwrap()
                .iter()
                .map(|step| text(&step["op"]))
                .collect();
            format!(
                "{} {} {} {}",
                text(&one["action"]),
                text(&one["address"]),
                text(&one["cause"]),
                steps.join(" ")
            )
        })
        .collect()
}

fn codes(run: &Run) -> Vec<String> {
    let json = run.json();
    let findings = json["findings"].as_array().unwrap().iter();
    findings
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_is_planned_applied_watched_and_taken_off() {
    let served = Served::demo().await;
    platform(&served);
    let directory = desired(&[READER, MANAGED, INLINE]);
    let json = ["--format", "json"];
    let run = |arguments: &[&str]| served.rolecall(&directory, &[arguments, &json].concat());

    let planned = run(&["plan"]).exits(0);
    assert_eq!(
        changes(&planned),
        [
            "create 222222222221/policy/Reader desired CreatePolicy",
            "create 222222222221/attachment/Platform/inline/rolecall-vendor.logs desired PutRolePolicy",
            "create 222222222221/attachment/Platform/managed/Reader desired AttachRolePolicy",
            "create 333333333331/policy/Reader desired CreatePolicy",
            "create 333333333331/attachment/Platform/managed/Reader desired AttachRolePolicy",
        ]
        .map(|one| if planned.stdout.contains("\"unknown\"") { one.replace(" desired ", " unknown ") } else { one.to_owned() })
    );
    served.rolecall(&directory, &["plan"]).exits(0).says(&[
        "attachment",
        "Platform",
        "rolecall-vendor.logs",
    ]);
    // A saved plan is applied as it is.
    let file = directory.file("plan.json");
    served
        .rolecall(&directory, &["plan", "--out", file.to_str().unwrap()])
        .exits(0);
    served
        .rolecall(&directory, &["apply", file.to_str().unwrap()])
        .exits(0);
    assert_eq!(
        changes(&run(&["plan", "--detailed-exitcode"]).exits(0)),
        Vec::<String>::new()
    );
    run(&["drift"]).exits(0);

    // Somebody changes one and takes the other off; what the role has of its own is not looked at.
    served.by_hand(
        LOGS,
        "PutRolePolicy",
        &[
            ("RoleName", "Platform"),
            ("PolicyName", "rolecall-vendor.logs"),
            ("PolicyDocument", OTHER),
        ],
    );
    served.by_hand(
        LOGS,
        "PutRolePolicy",
        &[
            ("RoleName", "Platform"),
            ("PolicyName", "own"),
            ("PolicyDocument", OTHER),
        ],
    );
    let arn = format!("arn:aws:iam::{NETWORK}:policy/Reader");
    served.by_hand(
        NETWORK,
        "DetachRolePolicy",
        &[("RoleName", "Platform"), ("PolicyArn", &arn)],
    );
    served
        .rolecall(&directory, &["drift"])
        .exits(2)
        .says(&["rolecall-vendor.logs", "Reader"]);
    assert_eq!(
        changes(&run(&["plan"]).exits(0)),
        [
            "update 222222222221/attachment/Platform/inline/rolecall-vendor.logs drift PutRolePolicy",
            "create 333333333331/attachment/Platform/managed/Reader drift AttachRolePolicy",
        ]
    );
    served
        .rolecall(&directory, &["apply", "--auto-approve"])
        .exits(0);
    run(&["drift"]).exits(0);

    // The file no longer has one: an orphan, until it is pruned.
    directory.write("rolecall.toml", &body(&[READER, MANAGED]));
    let planned = run(&["plan"]).exits(0);
    assert_eq!(
        (changes(&planned), codes(&planned)),
        (vec![], vec!["orphan".to_owned()])
    );
    served
        .rolecall(&directory, &["plan", "--prune"])
        .exits(0)
        .says(&["rolecall-vendor.logs"]);
    served
        .rolecall(&directory, &["apply", "--auto-approve", "--prune"])
        .exits(0);

    // And the other way round: `destroy` takes off what is left, and deletes the policy.
    let destroyed = served
        .rolecall(&directory, &["destroy", "--auto-approve"])
        .exits(0);
    assert!(
        !destroyed.text().contains("policy-in-use"),
        "{destroyed:#?}"
    );
    let left = run(&["plan"]).exits(0);
    assert_eq!(changes(&left).len(), 4, "{left:#?}");
    let role = served.writes();
    assert!(
        !role
            .iter()
            .any(|write| write.contains("TagRole") || write.contains("DeleteRole ")),
        "{role:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_attached_is_rolled_back_and_a_missing_role_stops_the_plan() {
    let served = Served::demo().await;
    let directory = desired(&[READER, MANAGED, INLINE]);
    let planned = served
        .rolecall(&directory, &["plan", "--format", "json"])
        .exits(0);
    assert_eq!(
        codes(&planned)
            .iter()
            .filter(|code| *code == "attachment-role")
            .count(),
        3
    );
    served
        .rolecall(&directory, &["apply", "--auto-approve"])
        .exits(4)
        .says(&["attachment-role", "`Platform`"]);
    platform(&served);
    let run = served
        .rolecall(&directory, &["apply", "--auto-approve", "--format", "json"])
        .exits(0)
        .json();
    let id = run["run"].as_str().unwrap().to_owned();
    served
        .rolecall(&directory, &["rollback", &id, "--auto-approve"])
        .exits(0);
    let planned = served
        .rolecall(&directory, &["plan", "--format", "json"])
        .exits(0);
    assert_eq!(changes(&planned).len(), 5, "{planned:#?}");
    served.rolecall(&directory, &["state", "list"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_attached_by_others_is_no_orphan_and_keeps_destroy_from_going_on() {
    let served = Served::demo().await;
    platform(&served);
    let directory = desired(&[
        &format!("{READER}targets = [{{ account = \"log-archive\" }}]\n")
            .replace("[[policy.statement]]", "")
            .replace("actions = \"s3:GetObject\"\n", "")
            .replace(
                "resources = \"arn:aws:s3:::audit-{{ account.id }}/*\"\n",
                "statement = [{ actions = \"s3:GetObject\", resources = \"*\" }]\n",
            ),
    ]);
    served
        .rolecall(&directory, &["apply", "--auto-approve"])
        .exits(0);
    let arn = format!("arn:aws:iam::{LOGS}:policy/Reader");
    served.by_hand(
        LOGS,
        "AttachRolePolicy",
        &[("RoleName", "Platform"), ("PolicyArn", &arn)],
    );
    let planned = served
        .rolecall(&directory, &["plan", "--prune", "--format", "json"])
        .exits(0);
    assert_eq!((changes(&planned), codes(&planned)), (vec![], vec![]));
    served
        .rolecall(&directory, &["destroy", "--auto-approve"])
        .exits(4)
        .says(&["policy-in-use"]);
}
