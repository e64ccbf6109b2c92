//! Rollouts through the binary: waves, budgets, the state and its lease, going on and going back.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rolecall::org::AccountId;
use rolecall::sandbox::faults::{Effect, Fault, Moment, Refusal, When};
use rolecall::sandbox::wire::ApiError;
use rolecall::sandbox::world::World;
use serde_json::Value;
use tokio::sync::Notify;

use crate::support::Directory;
use crate::support::served::Served;

const LOG_ARCHIVE: &str = "222222222221";
const NETWORK: &str = "333333333331";
const PAYMENTS: &str = "444444444441";

/// A role whose trust names another one.
const CHAIN: &str = r#"
name = "chain"
[[role]]
name = "Caller"
targets = [{ account = "log-archive" }]
[[role.trust]]
service = "ec2.amazonaws.com"
[[role]]
name = "Callee"
targets = [{ account = "network" }]
[[role.trust]]
aws = "arn:aws:iam::222222222221:role/Caller"
"#;

const EC2: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

/// A role in ten accounts.
const EVERYWHERE: &str = r#"
name = "everywhere"
[[role]]
name = "Audit"
managed_policies = ["aws:SecurityAudit"]
targets = "all"
exclude = [{ account = "management" }]
[[role.trust]]
aws = ["111111111111"]
"#;

fn with(rollout: &str) -> Directory {
    Directory::new(&format!("{EVERYWHERE}\n[rollout]\n{rollout}\n"))
}

fn refused(operation: &str, account: Option<&str>, when: When) -> Fault {
    Fault {
        operation: operation.to_owned(),
        account: account.and_then(|account| AccountId::parse(account).ok()),
        when,
        effect: Effect::Error(ApiError::new(403, "AccessDenied", "by the test")),
    }
}

/// How often an operation was called in an account.
fn calls_in(served: &Served, operation: &str, account: &str) -> u64 {
    let account = AccountId::parse(account).ok();
    let calls = served.sandbox.calls();
    calls
        .iter()
        .filter(|(call, _)| call.operation == operation && call.account == account)
        .map(|(_, n)| n)
        .sum()
}

fn outcomes(report: &Value) -> Vec<(String, String)> {
    let results = report["results"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    results
        .iter()
        .map(|result| (text(&result["address"]), text(&result["outcome"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_canary_halts_the_rollout_before_any_account_of_the_next_wave_is_entered() {
    let served = Served::demo().await;
    let desired =
        with("max_failures = 0\nwaves = [{ account = \"network\" }, { percent = 10 }, \"all\"]");
    let plan = desired.file("saved.plan");
    served
        .rolecall(&desired, &["plan", "--out", plan.to_str().unwrap()])
        .exits(0);
    served
        .sandbox
        .fail(refused("AttachRolePolicy", Some(NETWORK), When::First(1)));
    let run = served
        .rolecall(
            &desired,
            &["apply", "--format", "json", plan.to_str().unwrap()],
        )
        .exits(3);
    let report = run.json();
    assert_eq!(
        report["summary"],
        serde_json::json!({"done": 0, "failed": 1, "stale": 0, "not_reached": 9})
    );
    let halted = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|result| result["outcome"] == "not_reached")
        .unwrap();
    for word in [
        "wave 2 was not started",
        "1 account failed",
        "`max_failures` is 0",
    ] {
        assert!(halted["error"].as_str().unwrap().contains(word), "{halted}");
    }
    // Both plans read every account; applying the saved one wrote to the canary alone.
    for (account, created) in [(NETWORK, 1), (LOG_ARCHIVE, 0), (PAYMENTS, 0)] {
        assert_eq!(
            calls_in(&served, "CreateRole", account),
            created,
            "{account}"
        );
    }
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0)
        .says(&["Wave 1 of 3", "Wave 3 of 3", "10 done"]);
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_a_count_or_a_share_and_without_waves_no_account_stops_another() {
    for (rollout, failing, done) in [
        ("parallelism = 1\nmax_failures = 0", 1, false),
        ("parallelism = 1\nmax_failures = 1", 1, true),
        ("parallelism = 1\nmax_failures = \"10%\"", 1, true),
        ("parallelism = 1\nmax_failures = \"9%\"", 1, false),
        ("parallelism = 1", 2, true),
    ] {
        let (served, desired) = (Served::demo().await, with(rollout));
        for account in [LOG_ARCHIVE, NETWORK].into_iter().take(failing) {
            served
                .sandbox
                .fail(refused("AttachRolePolicy", Some(account), When::First(1)));
        }
        let report = served
            .rolecall(&desired, &["apply", "--auto-approve", "--format", "json"])
            .exits(3)
            .json();
        let not_reached = report["summary"]["not_reached"].as_u64().unwrap();
        assert_eq!(not_reached == 0, done, "{rollout}: {report}");
        assert!(done || served.count("CreateRole") < 10, "{rollout}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_wave_wrote_is_looked_at_again_before_the_next_begins() {
    let served = Served::demo().await;
    let desired = with("waves = [{ account = \"network\" }, \"all\"]\nbake = \"3s\"");
    let mut command = served.command(&desired, &["apply", "--auto-approve", "--format", "json"]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once it is read back, someone takes it away while it bakes.
    let patience = Instant::now();
    while calls_in(&served, "AttachRolePolicy", NETWORK) == 0 {
        assert!(
            patience.elapsed() < Duration::from_mins(1),
            "nothing was written"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let detach = [
        ("RoleName", "Audit"),
        ("PolicyArn", "arn:aws:iam::aws:policy/SecurityAudit"),
    ];
    served.by_hand(NETWORK, "DetachRolePolicy", &detach);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{report}");
    assert_eq!(
        report["summary"],
        serde_json::json!({"done": 0, "failed": 1, "stale": 0, "not_reached": 9})
    );
    assert_eq!(served.count("CreateRole"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_goes_in_the_wave_of_the_trust_that_names_it() {
    let served = Served::demo().await;
    let role = |name: &str, account: &str| {
        format!(
            "[[role]]\nname = \"{name}\"\ntargets = [{{ account = \"{account}\" }}]\ntrust = \"ec2.json\"\n"
        )
    };
    let others = role("First", "payments-prod") + &role("Later", "log-archive");
    let chain = CHAIN.replacen(
        "service = \"ec2.amazonaws.com\"",
        "aws = \"arn:aws:iam::444444444441:role/First\"",
        1,
    );
    let waves = "[rollout]\nwaves = [{ account = \"network\" }, \"all\"]\n";
    let desired = Directory::new(&(chain + &others + waves));
    desired.write("ec2.json", EC2);
    served
        .sandbox
        .fail(refused("CreateRole", Some(NETWORK), When::First(1)));
    let report = served
        .rolecall(&desired, &["apply", "--auto-approve", "--format", "json"])
        .exits(3)
        .json();
    let expected = [
        ("222222222221/role/Caller", "done"),
        ("222222222221/role/Later", "not_reached"),
        ("333333333331/role/Callee", "failed"),
        ("444444444441/role/First", "done"),
    ];
    assert_eq!(
        outcomes(&report),
        expected.map(|(address, outcome)| (address.to_owned(), outcome.to_owned()))
    );
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0)
        .says(&["2 done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_no_wave_selects_are_told_and_left() {
    let (served, desired) = (
        Served::demo().await,
        with("waves = [{ account = \"network\" }]"),
    );
    let run = served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(3);
    run.says(&["1 done", "9 not reached", "no wave selects the account"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_applies_that_start_together_exactly_one_runs() {
    let (served, desired) = (Served::demo().await, with(""));
    let start = || {
        let mut command = served.command(&desired, &["apply", "--auto-approve"]);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    served.sandbox.set_latency(Duration::from_millis(30));
    let children = [start(), start()];
    let mut codes = Vec::new();
    for child in children {
        let output = tokio::task::spawn_blocking(|| child.wait_with_output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        if code == 4 {
            for word in [
                "is held by arn:aws:iam::111111111111:user/admin",
                "until that process ends",
                "nothing was written",
            ] {
                assert!(said.contains(word), "`{word}` is not in {said}");
            }
        }
        codes.push(code);
    }
    codes.sort_unstable();
    assert_eq!(codes, [0, 4]);
    assert_eq!(served.count("CreateRole"), 10);
    // Nothing is left behind that needs hands, and reading needs no lease.
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_entered_is_named_by_the_record_and_the_rest_is_done() {
    let served = Served::new(World::generated(101, 0, 3)).await;
    let desired = with("");
    let accounts: Vec<String> = served
        .sandbox
        .with(|world| world.accounts.keys().map(ToString::to_string).collect());
    let broken = accounts[50].clone();
    served
        .sandbox
        .fail(refused("AssumeRole", Some(&broken), When::Always));
    let members = accounts.len() - 1;
    let report = served
        .rolecall(&desired, &["apply", "--auto-approve", "--format", "json"])
        .exits(3)
        .json();
    assert_eq!(
        (members, &report["summary"]["done"]),
        (100, &Value::from(99))
    );
    let history = served
        .rolecall(&desired, &["state", "history", "--format", "json"])
        .exits(0)
        .json();
    let run = history["runs"][0]["header"]["run"]
        .as_str()
        .unwrap()
        .to_owned();
    let record = served
        .rolecall(&desired, &["state", "history", &run])
        .exits(0);
    record.says(&[&broken, "could not be read", "AccessDenied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_saved_plan_is_resumed_where_it_ended() {
    let (served, desired) = (Served::demo().await, with(""));
    served
        .rolecall(&desired, &["apply", "--resume", "--auto-approve"])
        .exits(1)
        .says(&["no run to resume"]);
    let plan = desired.file("saved.plan");
    let plan = plan.to_str().unwrap();
    served.rolecall(&desired, &["plan", "--out", plan]).exits(0);
    served
        .sandbox
        .fail(refused("CreateRole", Some(PAYMENTS), When::First(1)));
    served
        .rolecall(&desired, &["apply", plan])
        .exits(3)
        .says(&["9 done", "1 failed"]);
    // Without it, what the run itself wrote has changed since the plan was made.
    let again = served
        .rolecall(&desired, &["apply", plan, "--format", "json"])
        .exits(3)
        .json();
    assert_eq!(
        again["summary"],
        serde_json::json!({"done": 1, "failed": 0, "stale": 9, "not_reached": 0})
    );
    served.by_hand(
        PAYMENTS,
        "DetachRolePolicy",
        &[
            ("RoleName", "Audit"),
            ("PolicyArn", "arn:aws:iam::aws:policy/SecurityAudit"),
        ],
    );
    let resumed = served
        .rolecall(&desired, &["apply", plan, "--resume", "--format", "json"])
        .exits(4)
        .json();
    assert_eq!(resumed["summary"]["stale"], 10);
    let fresh = served
        .rolecall(&desired, &["apply", "--resume", "--auto-approve"])
        .exits(0);
    fresh.says(&["Resuming run", "1 done"]);
    desired.write("more.toml", "[vars]\nx = \"y\"\n");
    served
        .rolecall(&desired, &["apply", "--resume", "--auto-approve"])
        .exits(1)
        .says(&["no run to resume"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_resumed_and_what_it_finished_still_holds() {
    let (served, desired) = (Served::demo().await, with("parallelism = 1"));
    let plan = desired.file("saved.plan");
    served
        .rolecall(&desired, &["plan", "--out", plan.to_str().unwrap()])
        .exits(0);
    served.sandbox.set_latency(Duration::from_millis(20));
    let mut child = served
        .command(&desired, &["apply", plan.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while served.count("CreateRole") < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let history = served.rolecall(&desired, &["state", "history"]).exits(0);
    history.says(&["apply"]);
    let report = served.rolecall(
        &desired,
        &[
            "apply",
            plan.to_str().unwrap(),
            "--resume",
            "--format",
            "json",
        ],
    );
    let summary = &report.json()["summary"];
    // What was cut off in the middle is stale; all else is done, without being written again.
    assert_eq!(summary["failed"], 0, "{report:?}");
    assert_eq!(
        summary["done"].as_u64().unwrap() + summary["stale"].as_u64().unwrap(),
        10,
        "{report:?}"
    );
    assert!(summary["stale"].as_u64().unwrap() <= 1, "{report:?}");
    // The call that the killed one was waiting for may not have been acted on.
    assert!(served.count("CreateRole") <= 11);
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_rolled_back_where_things_are_as_it_left_them() {
    let served = Served::demo().await;
    let desired = Directory::new(
        &EVERYWHERE
            .replace(
                "\"all\"",
                "[{ account = \"network\" }, { account = \"log-archive\" }, { account = \"payments-prod\" }]",
            )
            .replace("exclude = [{ account = \"management\" }]\n", "description = \"one\"\ntags = { team = \"a\" }\n"),
    );
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let text = std::fs::read_to_string(desired.file("rolecall.toml")).unwrap();
    let changed = text
        .replace("\"one\"", "\"two\"")
        .replace("\"aws:SecurityAudit\"", "")
        .replace("team = \"a\"", "team = \"b\"")
        .replace(", { account = \"payments-prod\" }", "");
    desired.write("rolecall.toml", &format!("{changed}\n[[policy]]\nname = \"P\"\ntargets = [{{ account = \"network\" }}]\n[[policy.statement]]\nactions = \"s3:GetObject\"\nresources = \"*\"\n"));
    served
        .rolecall(&desired, &["apply", "--auto-approve", "--prune"])
        .exits(0)
        .says(&["4 done"]);
    let history = served
        .rolecall(&desired, &["state", "history", "--format", "json"])
        .exits(0)
        .json();
    let run = history["runs"][0]["header"]["run"]
        .as_str()
        .unwrap()
        .to_owned();
    // Someone went on with one of them.
    served.by_hand(
        LOG_ARCHIVE,
        "TagRole",
        &[
            ("RoleName", "Audit"),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "c"),
        ],
    );
    let back = served
        .rolecall(&desired, &["rollback", &run, "--auto-approve"])
        .exits(0);
    back.says(&[
        "222222222221/role/Audit` has changed since the run",
        "left unchanged",
        "3 done",
        "did not exist before the run",
    ]);
    desired.write("rolecall.toml", &text);
    let plan = served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(plan["summary"]["unchanged"], 2, "{plan}");
    let left: Vec<&Value> = plan["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|part| part["changes"].as_array().unwrap())
        .map(|change| &change["address"])
        .collect();
    assert_eq!(left, ["222222222221/role/Audit"]);
    assert_eq!(served.count("DeletePolicy"), 1);
    served
        .rolecall(&desired, &["rollback", "nonsense"])
        .exits(1)
        .says(&["nonsense"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_is_rolled_back_though_its_record_ends_before_its_writes() {
    let (served, now) = (Served::demo().await, Arc::new(Notify::new()));
    let desired = Directory::new(&format!(
        "{}[rollout]\nparallelism = 1\n",
        EVERYWHERE.replace("managed_policies = [\"aws:SecurityAudit\"]\n", "")
    ));
    served.sandbox.fail(Fault::of(
        "CreateRole",
        When::Nth(4),
        Effect::Stop(Moment::After, Arc::clone(&now)),
    ));
    let mut command = served.command(&desired, &["apply", "--auto-approve"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    now.notified().await;
    child.kill().unwrap();
    child.wait().unwrap();
    let history = served
        .rolecall(&desired, &["state", "history", "--format", "json"])
        .exits(0)
        .json();
    let run = history["runs"][0]["header"]["run"].as_str().unwrap();
    // That a change begins is on disk before anything is written; what follows may be lost.
    let log = desired.file(&format!("state/runs/{run}.jsonl"));
    let text = std::fs::read_to_string(&log).unwrap();
    let last = text.rfind("change_started").unwrap();
    std::fs::write(&log, &text[..=last + text[last..].find('\n').unwrap()]).unwrap();
    served
        .sandbox
        .fail(refused("DeleteRole", Some(NETWORK), When::First(1)));
    let rollback = ["rollback", run, "--auto-approve"];
    let back = served.rolecall(&desired, &rollback).exits(3);
    assert!(!back.text().contains("left unchanged"), "{}", back.text());
    back.says(&["3 done", "1 failed"]);
    // What goes back is no apply that could be gone on with.
    served
        .rolecall(&desired, &["apply", "--resume", "--auto-approve"])
        .exits(1)
        .says(&["was a rollback"]);
    served
        .rolecall(&desired, &rollback)
        .exits(0)
        .says(&["1 done"]);
    assert_eq!(served.count("DeleteRole"), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_role_is_given_back_without_our_mark() {
    let served = Served::demo().await;
    served.by_hand(
        NETWORK,
        "CreateRole",
        &[("RoleName", "Audit"), ("AssumeRolePolicyDocument", EC2)],
    );
    let desired = Directory::new(
        &EVERYWHERE
            .replace("\"all\"", "[{ account = \"network\" }]")
            .replace(
                "exclude = [{ account = \"management\" }]\n",
                "adopt = true\n",
            ),
    );
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0)
        .says(&["1 done"]);
    let history = served
        .rolecall(&desired, &["state", "history", "--format", "json"])
        .exits(0)
        .json();
    let run = history["runs"][0]["header"]["run"]
        .as_str()
        .unwrap()
        .to_owned();
    served
        .rolecall(&desired, &["rollback", &run, "--auto-approve"])
        .exits(0)
        .says(&["1 done"]);
    let plan = served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        plan["accounts"][0]["changes"][0]["action"], "adopt",
        "{plan}"
    );
    assert!(plan.to_string().contains("ec2.amazonaws.com"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_deletes_what_is_ours_and_nothing_else() {
    let (served, desired) = (Served::demo().await, with("[limits]\nmax_deletes = 5"));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served.by_hand(
        NETWORK,
        "CreateRole",
        &[("RoleName", "Theirs"), ("AssumeRolePolicyDocument", EC2)],
    );
    served
        .rolecall(&desired, &["destroy", "--auto-approve"])
        .exits(4)
        .says(&["deletes", "max_deletes"]);
    let text = std::fs::read_to_string(desired.file("rolecall.toml")).unwrap();
    desired.write(
        "rolecall.toml",
        &text.replace("targets =", "prevent_destroy = true\ntargets ="),
    );
    let allow = ["destroy", "--auto-approve", "--allow", "deletes"];
    served
        .rolecall(&desired, &allow)
        .exits(4)
        .says(&["prevent-destroy"]);
    desired.write("rolecall.toml", &text);
    served
        .rolecall(
            &desired,
            &["destroy", "--account", "network", "--auto-approve"],
        )
        .exits(0)
        .says(&["1 done"]);
    served.rolecall(&desired, &allow).exits(0).says(&["9 done"]);
    assert_eq!(served.count("DeleteRole"), 10);
    served
        .rolecall(&desired, &allow)
        .exits(0)
        .says(&["No changes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_expires_and_an_account_that_left_the_targets_is_still_looked_at() {
    let served = Served::demo().await;
    let expiring =
        |date: &str| EVERYWHERE.replace("targets =", &format!("expires = {date}\ntargets ="));
    let desired = Directory::new(&expiring("2999-01-01"));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let soon = jiff::Timestamp::now()
        .checked_add(jiff::SignedDuration::from_hours(24 * 9))
        .unwrap();
    desired.write(
        "rolecall.toml",
        &expiring(&soon.strftime("%Y-%m-%d").to_string()),
    );
    served.rolecall(&desired, &["plan"]).exits(0).says(&[
        "No changes",
        "expires on",
        "planned for deletion",
    ]);
    desired.write("rolecall.toml", &expiring("2020-01-01"));
    served
        .rolecall(&desired, &["plan"])
        .exits(0)
        .says(&["10 to delete", "it has expired"]);
    desired.write("rolecall.toml", &expiring("\"no day\""));
    served
        .rolecall(&desired, &["plan"])
        .exits(1)
        .says(&["`expires` is not a date", "2027-06-30"]);
    // The record knows of accounts that nothing targets any more.
    desired.write(
        "rolecall.toml",
        &EVERYWHERE.replace("\"all\"", "[{ account = \"network\" }]"),
    );
    let plan = served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(plan["summary"]["orphans"], 9, "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_damaged_newer_or_somebody_elses_stops_the_run_before_it_reads() {
    let (served, desired) = (Served::demo().await, with(""));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let record = desired.file("state/accounts/333333333331.json");
    let whole = std::fs::read_to_string(&record).unwrap();
    std::fs::write(&record, &whole[..whole.len() / 2]).unwrap();
    for command in ["plan", "apply"] {
        served
            .rolecall(&desired, &[command])
            .exits(1)
            .says(&["333333333331.json"]);
    }
    std::fs::write(
        &record,
        whole.replace("rolecall-state/1", "rolecall-state/9"),
    )
    .unwrap();
    served
        .rolecall(&desired, &["plan"])
        .exits(1)
        .says(&["333333333331.json", "rolecall-state/9"]);
    std::fs::write(&record, &whole).unwrap();
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
    let text = std::fs::read_to_string(desired.file("rolecall.toml")).unwrap();
    desired.write(
        "rolecall.toml",
        &text.replace("\"everywhere\"", "\"another\""),
    );
    served
        .rolecall(&desired, &["plan"])
        .exits(1)
        .says(&["everywhere", "another"]);
    desired.write("rolecall.toml", &text);
    std::fs::remove_dir_all(desired.file("state")).unwrap();
    std::fs::write(desired.file("state"), "in the way").unwrap();
    let before = served.count("CreateRole");
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(1)
        .says(&["state"]);
    assert_eq!(served.count("CreateRole"), before);
    // Losing it loses history and nothing else.
    std::fs::remove_file(desired.file("state")).unwrap();
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0)
        .says(&["No changes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_who_moved() {
    let (served, desired) = (Served::demo().await, with(""));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served.by_hand(
        NETWORK,
        "UntagRole",
        &[
            ("RoleName", "Audit"),
            ("TagKeys.member.1", "rolecall:managed-by"),
        ],
    );
    served.by_hand(
        PAYMENTS,
        "DetachRolePolicy",
        &[
            ("RoleName", "Audit"),
            ("PolicyArn", "arn:aws:iam::aws:policy/SecurityAudit"),
        ],
    );
    let causes = |desired: &Directory| {
        let plan = served
            .rolecall(desired, &["plan", "--format", "json", "--allow", "adopt"])
            .exits(0)
            .json();
        let changes = plan["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|part| part["changes"].as_array().unwrap());
        changes
            .map(|change| {
                (
                    change["address"].as_str().unwrap()[..12].to_owned(),
                    change["cause"].as_str().unwrap().to_owned(),
                )
            })
            .collect::<Vec<_>>()
    };
    let expected = [(NETWORK, "drift"), (PAYMENTS, "drift")]
        .map(|(account, cause)| (account.to_owned(), cause.to_owned()));
    assert_eq!(causes(&desired), expected);
    let text = std::fs::read_to_string(desired.file("rolecall.toml")).unwrap();
    desired.write(
        "rolecall.toml",
        &text.replace("aws:SecurityAudit", "aws:ReadOnlyAccess"),
    );
    let found = causes(&desired);
    assert_eq!(
        found
            .iter()
            .find(|(account, _)| account == PAYMENTS)
            .unwrap()
            .1,
        "desired",
        "{found:?}"
    );
    assert_eq!(
        found
            .iter()
            .find(|(account, _)| account == LOG_ARCHIVE)
            .unwrap()
            .1,
        "desired",
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_principal_is_named_as_the_role_it_was() {
    let served = Served::demo().await;
    let desired = Directory::new(CHAIN);
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served.by_hand(LOG_ARCHIVE, "DeleteRole", &[("RoleName", "Caller")]);
    let plan = served.rolecall(&desired, &["plan"]).exits(0);
    plan.says(&[
        "dead-principal",
        "was `arn:aws:iam::222222222221:role/Caller`",
    ]);
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0)
        .says(&["2 done"]);
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_names_the_trusts_that_it_breaks() {
    let served = Served::demo().await;
    let state = |path: &str| {
        format!(
            r#"
name = "chain"
[[role]]
name = "Caller"
path = "{path}"
targets = [{{ account = "log-archive" }}]
[[role.trust]]
service = "ec2.amazonaws.com"
"#
        )
    };
    let desired = Directory::new(&state("/a/"));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222221:role/a/Caller"},"Action":"sts:AssumeRole"}}"#;
    served.by_hand(
        LOG_ARCHIVE,
        "CreateRole",
        &[("RoleName", "Theirs"), ("AssumeRolePolicyDocument", trust)],
    );
    desired.write("rolecall.toml", &state("/b/"));
    let plan = served.rolecall(&desired, &["plan"]).exits(0);
    plan.says(&[
        "1 to replace",
        "it is trusted by `222222222221/role/Theirs`",
    ]);
    // The plan read the account; that it could not be read once more for its trusts is not the same as that there are none.
    served.sandbox.fail(Fault {
        account: Some(LOG_ARCHIVE.parse().unwrap()),
        ..Fault::of(
            "GetAccountAuthorizationDetails",
            // After the pages of the reading that the plan is made from.
            When::Nth(3),
            Effect::Refuse(Refusal::AccessDenied),
        )
    });
    let plan = served.rolecall(&desired, &["plan"]).exits(0).says(&[
        "1 to replace",
        "warning: ",
        LOG_ARCHIVE,
        "AccessDenied",
    ]);
    assert!(!plan.text().contains("it is trusted by"), "{}", plan.text());
}
