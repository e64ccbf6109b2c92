//! Plan and apply through the binary, on the sandbox: what converges, what is stale, what is refused.

use std::process::Stdio;
use std::time::Duration;

use rolecall::org::AccountId;
use rolecall::sandbox::faults::{Effect, Fault, When};
use rolecall::sandbox::wire::ApiError;

use crate::support::listener::listen;
use crate::support::served::Served;
use crate::support::{Directory, run};

const LOG_ARCHIVE: &str = "222222222221";
const NETWORK: &str = "333333333331";
const PAYMENTS: &str = "444444444441";

const TWO_ROLES: &str = r#"
name = "pair"
[vars]
external_id = { type = "string", sensitive = true, default = "the-very-secret-id" }
[[role]]
name = "First"
managed_policies = ["aws:SecurityAudit"]
targets = [{ ou = "Workloads/Prod" }]
[[role.trust]]
aws = ["999999999999"]
external_id = "{{ var.external_id }}"
[[role]]
name = "Second"
description = "second"
max_session_duration = "2h"
targets = [{ account = "log-archive" }]
[[role.trust]]
service = "ec2.amazonaws.com"
"#;

fn refuse(operation: &str, account: &str, when: When, code: &str, status: u16) -> Fault {
    Fault {
        operation: operation.to_owned(),
        account: AccountId::parse(account).ok(),
        when,
        effect: Effect::Error(ApiError::new(status, code, "by the test")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_applied_leaves_nothing_to_plan_and_json_says_what_was_done() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    let plan = served
        .rolecall(
            &desired,
            &["plan", "--format", "json", "--detailed-exitcode"],
        )
        .exits(2)
        .json();
    assert_eq!(plan["format"], "rolecall-plan/1");
    assert_eq!(plan["summary"]["create"], 4);
    assert_eq!(plan["summary"]["steps"], 7);
    assert_eq!(
        plan["accounts"][0]["changes"][0]["address"],
        format!("{LOG_ARCHIVE}/role/Second")
    );
    let report = served
        .rolecall(&desired, &["apply", "--auto-approve", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(report["format"], "rolecall-run/1");
    assert_eq!(report["summary"]["done"], 4);
    assert_eq!(report["results"][0]["outcome"], "done");
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0)
        .says(&["No changes"]);
    assert_eq!(served.count("CreateRole"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sensitive_value_is_never_printed_and_never_saved() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    let file = desired.file("saved.plan");
    let out = file.to_str().unwrap();
    let mut said = String::new();
    said += &served
        .rolecall(&desired, &["plan", "-v", "--out", out])
        .exits(0)
        .text();
    said += &served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0)
        .text();
    let saved = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions())
            & 0o777,
        0o600
    );
    said += &served
        .rolecall(&desired, &["apply", out, "-vvv", "--log-format", "json"])
        .exits(0)
        .text();
    served.by_hand(
        PAYMENTS,
        "UpdateAssumeRolePolicy",
        &[
            ("RoleName", "First"),
            (
                "PolicyDocument",
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"another-secret-id"}}}}"#,
            ),
        ],
    );
    said += &served
        .rolecall(&desired, &["plan", "-v"])
        .exits(0)
        .says(&["(sensitive)"])
        .text();
    said += &served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0)
        .text();
    // The state is shown without knowing what is sensitive, so nothing sensitive is in it.
    desired.write("more.toml", "x = [");
    for arguments in [
        &["state", "list"][..],
        &["state", "show", &format!("{PAYMENTS}/role/First")],
    ] {
        said += &served
            .rolecall(&desired, arguments)
            .exits(0)
            .says(&["role/First"])
            .text();
        said += &served
            .rolecall(&desired, &[arguments, &["--format", "json"]].concat())
            .exits(0)
            .text();
    }
    desired.write("more.toml", "");
    for secret in ["the-very-secret-id", "another-secret-id"] {
        assert!(!said.contains(secret), "{secret} was printed");
        assert!(!saved.contains(secret), "{secret} was saved");
    }
    // Given another value the saved plan is refused, not applied with it.
    served
        .rolecall(
            &desired,
            &["apply", out, "--var", "external_id=guessed-value"],
        )
        .exits(4)
        .says(&["stale"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_leaves_alone_what_changed_since_and_applies_the_rest() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"888888888888"},"Action":"sts:AssumeRole"}}"#;
    let open = |account: &str| {
        served.by_hand(
            account,
            "UpdateAssumeRolePolicy",
            &[("RoleName", "First"), ("PolicyDocument", trust)],
        );
    };
    let meddle = |account: &str| {
        let policy = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");
        served.by_hand(
            account,
            "AttachRolePolicy",
            &[("RoleName", "First"), policy],
        );
    };
    open(PAYMENTS);
    open("444444444442");
    let saved = desired.file("saved.plan");
    let saved = saved.to_str().unwrap();
    served
        .rolecall(&desired, &["plan", "--out", saved])
        .exits(0);
    meddle(PAYMENTS);
    let report = served
        .rolecall(
            &desired,
            &[
                "apply",
                saved,
                "--allow",
                "change-percent",
                "--format",
                "json",
            ],
        )
        .exits(3)
        .json();
    assert_eq!(
        report["summary"],
        serde_json::json!({"done": 1, "failed": 0, "stale": 1, "not_reached": 0})
    );
    let live = served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(live["summary"]["update"], 1, "the stale one is untouched");

    // With nothing else to do the run is refused.
    served
        .rolecall(&desired, &["plan", "--out", saved])
        .exits(0);
    let detach = [
        ("RoleName", "First"),
        ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
    ];
    served.by_hand(PAYMENTS, "DetachRolePolicy", &detach);
    served
        .rolecall(&desired, &["apply", saved])
        .exits(4)
        .says(&["stale"]);

    // A desired state that moved makes the whole plan stale.
    desired.write("more.toml", "[vars]\nunused = \"x\"\n");
    served
        .rolecall(&desired, &["apply", saved])
        .exits(4)
        .says(&["stale", "desired state"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_that_is_damaged_or_of_another_version_is_refused_with_a_reason() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    desired.write("damaged.plan", "{");
    desired.write("newer.plan", r#"{"format": "rolecall-plan/9"}"#);
    let file = |name: &str| desired.file(name).to_str().unwrap().to_owned();
    served
        .rolecall(&desired, &["apply", &file("damaged.plan")])
        .exits(1)
        .says(&["damaged.plan", "not a saved plan"]);
    served
        .rolecall(&desired, &["apply", &file("newer.plan")])
        .exits(1)
        .says(&["rolecall-plan/9"]);
    served
        .rolecall(&desired, &["apply", &file("absent.plan")])
        .exits(1)
        .says(&["absent.plan", "No such file"]);
    assert_eq!(served.count("CreateRole"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_without_approval() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    served
        .rolecall(&desired, &["apply"])
        .exits(1)
        .says(&["no terminal", "--auto-approve"]);
    served
        .rolecall(&desired, &["apply", "--no-input"])
        .exits(1)
        .says(&["--no-input"]);
    assert_eq!(served.count("CreateRole"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_that_cannot_be_entered_does_not_stop_the_others() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    served.sandbox.fail(refuse(
        "AssumeRole",
        PAYMENTS,
        When::Always,
        "AccessDenied",
        403,
    ));
    let plan = served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(3)
        .json();
    assert_eq!(plan["summary"]["unreadable"], 1);
    assert_eq!(plan["summary"]["create"], 3);
    let broken = plan["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|account| account["id"] == PAYMENTS)
        .unwrap();
    assert_eq!(broken["status"], "unreadable");
    assert!(broken["error"].as_str().unwrap().contains("AccessDenied"));
    assert_eq!(broken["error_detail"]["code"], "AccessDenied");
    // Also where nothing is left to do in the others.
    for words in [
        ["Apply incomplete", "3 done"],
        ["No changes in the 3 accounts", "1 account unreadable"],
    ] {
        let run = served
            .rolecall(&desired, &["apply", "--auto-approve"])
            .exits(3)
            .says(&[PAYMENTS, "AccessDenied"]);
        assert!(!run.text().contains("Apply complete"), "{run:?}");
        run.says(&words);
    }
    // Where nothing at all can be read there is no plan to speak of.
    served
        .rolecall(&desired, &["plan", "--account", PAYMENTS])
        .exits(1)
        .says(&["AccessDenied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_ends_its_role_alone_and_the_next_apply_finishes() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    served.sandbox.fail(refuse(
        "AttachRolePolicy",
        PAYMENTS,
        When::First(1),
        "AccessDenied",
        403,
    ));
    let report = served
        .rolecall(&desired, &["apply", "--auto-approve", "--format", "json"])
        .exits(3)
        .json();
    assert_eq!(
        report["summary"],
        serde_json::json!({"done": 3, "failed": 1, "stale": 0, "not_reached": 0})
    );
    let failed = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|result| result["outcome"] == "failed")
        .unwrap();
    let error = failed["error"].as_str().unwrap();
    for word in [PAYMENTS, "AttachRolePolicy", "AccessDenied", "request id"] {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_and_lag_are_waited_out() {
    let trusting = format!(
        "{TWO_ROLES}\n[[role]]\nname = \"Third\"\ntargets = [{{ account = \"log-archive\" }}]\n[[role.trust]]\naws = [\"arn:aws:iam::{LOG_ARCHIVE}:role/Second\", \"arn:aws:iam::{PAYMENTS}:role/First\"]\n"
    );
    let (served, desired) = (Served::demo().await, Directory::new(&trusting));
    served.lag(Duration::from_millis(700));
    served.sandbox.fail(Fault {
        operation: "*Role*".to_owned(),
        account: None,
        when: When::PerMille { rate: 100, seed: 7 },
        effect: Effect::Error(ApiError::new(400, "Throttling", "Rate exceeded")),
    });
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    tokio::time::sleep(Duration::from_millis(800)).await;
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
    assert_eq!(
        served
            .rolecall(&desired, &["plan", "--format", "json"])
            .json()["summary"]["unchanged"],
        5
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_refused_or_adopted_as_the_file_says() {
    let served = Served::demo().await;
    let role = |extra: &str| {
        Directory::new(&format!(
            "name = \"owner\"\n[[role]]\nname = \"Shared\"\n{extra}\ntargets = [{{ account = \"network\" }}]\n[[role.trust]]\nservice = \"lambda.amazonaws.com\"\n"
        ))
    };
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    served.by_hand(
        NETWORK,
        "CreateRole",
        &[("RoleName", "Shared"), ("AssumeRolePolicyDocument", trust)],
    );
    served
        .rolecall(&role(""), &["apply", "--auto-approve"])
        .exits(4)
        .says(&["adopt", "Shared"]);
    let path = role("adopt = true\npath = \"/elsewhere/\"");
    served
        .rolecall(&path, &["apply", "--auto-approve"])
        .exits(4)
        .says(&["adopt-path"]);
    let plan = served
        .rolecall(&role("adopt = true"), &["plan", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(plan["summary"]["adopt"], 1);
    served
        .rolecall(&role("adopt = true"), &["apply", "--auto-approve"])
        .exits(0);
    served
        .rolecall(&role("adopt = true"), &["plan", "--detailed-exitcode"])
        .exits(0);

    let other = Directory::new(
        "name = \"intruder\"\n[[role]]\nname = \"Shared\"\nadopt = true\ntargets = [{ account = \"network\" }]\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n",
    );
    served
        .rolecall(
            &other,
            &["apply", "--auto-approve", "--allow", "foreign-owner"],
        )
        .exits(4)
        .says(&["foreign-owner", "owner"]);
    let protected = Directory::new(
        "name = \"owner\"\n[[role]]\nname = \"OrganizationAccountAccessRole\"\nadopt = true\ntargets = [{ account = \"network\" }]\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n",
    );
    served
        .rolecall(
            &protected,
            &[
                "apply",
                "--auto-approve",
                "--allow",
                "protected-role",
                "--allow",
                "change-percent",
            ],
        )
        .exits(4)
        .says(&["protected-role"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_apply_finishes_the_step_in_hand_and_says_what_was_not_reached() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    served.sandbox.set_latency(Duration::from_millis(250));
    let mut command = served.command(
        &desired,
        &[
            "apply",
            "--auto-approve",
            "--parallelism",
            "1",
            "--format",
            "json",
        ],
    );
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while served.count("CreateRole") == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap())
        .await
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["results"].as_array().unwrap().len(), 4);
    assert!(
        report["summary"]["not_reached"].as_u64().unwrap() >= 2,
        "{report:#}"
    );
    assert_eq!(report["summary"]["failed"], 0);
    served.sandbox.set_latency(Duration::ZERO);
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
}

/// Runs a command whose standard output is closed before it says a word.
fn unread(command: &mut std::process::Command) -> crate::support::Run {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    crate::support::Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_closes_standard_output_changes_nothing_about_the_run_and_who_is_told() {
    let (served, desired) = (Served::demo().await, Directory::new(TWO_ROLES));
    let (url, told) = listen([200; 5]);
    let told = || serde_json::from_slice::<serde_json::Value>(&told.recv().unwrap().body).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = served.command(&desired, arguments);
        command.env("ROLECALL_NOTIFY", &url);
        command
    };
    // What was not seen was not approved.
    unread(&mut command(&["apply"]))
        .exits(1)
        .says(&["the plan could not be shown: standard output was closed"]);
    assert!(
        told()["error"]
            .as_str()
            .unwrap()
            .contains("nothing was written")
    );
    let saved = desired.file("saved.plan");
    unread(&mut command(&["plan", "--out", saved.to_str().unwrap()]))
        .exits(1)
        .says(&["Saved the plan"]);
    let notice = told();
    assert_eq!(
        (&notice["exit_code"], &notice["summary"]["create"]),
        (&1.into(), &4.into())
    );
    assert!(saved.exists());
    assert_eq!(served.count("CreateRole"), 0);
    for (format, done) in [("text", 4), ("json", 0)] {
        let run = unread(&mut command(&[
            "apply",
            "--auto-approve",
            "--quiet",
            "--format",
            format,
        ]))
        .exits(0);
        assert!(
            run.stderr
                .contains("warning: the report could not be written")
                || done == 0 && format == "text"
        );
        assert_eq!(
            run.stderr.contains("rolecall state history 2"),
            done > 0,
            "{}",
            run.stderr
        );
        let notice = told();
        assert_eq!(
            (&notice["exit_code"], &notice["summary"]["done"]),
            (&0.into(), &done.into())
        );
    }
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
    let policy = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");
    served.by_hand(
        PAYMENTS,
        "AttachRolePolicy",
        &[("RoleName", "First"), policy],
    );
    unread(&mut command(&["drift"])).exits(1);
    assert_eq!(told()["summary"]["drift"], 1);
}

const MANY_STEPS: &str = r#"
name = "many"
[[role]]
name = "Wide"
managed_policies = ["aws:SecurityAudit", "aws:ReadOnlyAccess", "aws:IAMReadOnlyAccess", "aws:AmazonS3ReadOnlyAccess"]
targets = "all"
exclude = [{ account = "management" }]
[[role.trust]]
service = "ec2.amazonaws.com"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn once_the_record_cannot_be_kept_nothing_more_is_begun_and_the_run_is_not_called_complete() {
    for (extra, accounts) in [(&[][..], 10), (&["--parallelism", "1"], 1)] {
        let (served, desired) = (Served::demo().await, Directory::new(MANY_STEPS));
        served.sandbox.set_latency(Duration::from_millis(100));
        let mut command = served.command(&desired, &[&["apply", "--auto-approve"], extra].concat());
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Every account that is begun has been recorded as it was found.
        while served.count("CreateRole") < accounts {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // As a full disk does: nothing more can be added.
        std::fs::rename(desired.file("state/runs"), desired.file("state/elsewhere")).unwrap();
        let output = tokio::task::spawn_blocking(|| child.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        let (said, report) = (
            String::from_utf8(output.stderr).unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        );
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(
            said.contains("stopped because the run cannot be recorded"),
            "{said}"
        );
        assert!(
            !report.contains("Apply complete") && report.contains("not reached"),
            "{report}"
        );
        let (created, attached) = (served.count("CreateRole"), served.count("AttachRolePolicy"));
        assert!(
            created == accounts && attached < 4 * accounts,
            "{created} created, {attached} attached"
        );
        std::fs::rename(desired.file("state/elsewhere"), desired.file("state/runs")).unwrap();
        served.sandbox.set_latency(Duration::ZERO);
        served
            .rolecall(&desired, &["apply", "--auto-approve"])
            .exits(0)
            .says(&["Apply complete"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_needs_nothing_and_ends_well() {
    let told = run(crate::support::rolecall().args(["sandbox", "demo"])).exits(0);
    told.says(&[
        "Plan: 12 to create",
        "Apply complete: 12 done",
        "No changes",
        "AdministratorAccess",
        "(sensitive)",
    ])
    .says(&[
        "Drift in 10 accounts: 3 changed by hand",
        "user/by-hand from 203.0.113.7",
        "44 proven, 0 failed",
    ]);
}
