//! SIGINT, SIGTERM and SIGHUP, through the binary: every command ends, and what writes ends well.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rolecall::sandbox::faults::{Effect, Fault, When};
use serde_json::json;

use crate::support::listener::listen;
use crate::support::served::Served;
use crate::support::{Directory, Run, for_each, rolecall};

const DESIRED: &str = r#"
name = "audit"
[[role]]
name = "Audit"
managed_policies = ["aws:SecurityAudit", "aws:ReadOnlyAccess"]
targets = [{ account = "network" }]
[[role.trust]]
service = "ec2.amazonaws.com"
"#;

/// Nothing that waits for AWS ends before this; whatever a signal ends does.
const LONG: Duration = Duration::from_mins(1);

fn signal(process: u32, name: &str) {
    assert!(
        Command::new("kill")
            .args([&format!("-{name}"), &process.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

/// The end of a process, and what it said. One that does not end is killed, and fails the test.
#[track_caller]
fn ended(mut child: Child) -> Run {
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LONG {
            child.kill().unwrap();
            panic!("it does not end: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child
        .stdout
        .take()
        .map(|mut out| out.read_to_string(&mut stdout));
    child
        .stderr
        .take()
        .map(|mut err| err.read_to_string(&mut stderr));
    Run {
        code: status.code().unwrap_or(-1),
        stdout,
        stderr,
    }
}

fn piped(command: &mut Command) -> Child {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A command as process 1 of a PID namespace of its own, where signals without a handler are ignored; `None` where that
/// may not be made.
fn as_process_one(command: &Command) -> Option<Command> {
    let possible = Command::new("unshare")
        .args(["--pid", "--fork", "true"])
        .output();
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("NOT TESTED: `unshare --pid` is not allowed here");
        return None;
    }
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--pid", "--fork", "--kill-child"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    unshare
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdin(Stdio::null());
    Some(unshare)
}

/// The process that `unshare` forked.
fn forked(parent: u32) -> u32 {
    loop {
        let children =
            std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_that_waits_for_aws_ends_on_every_signal_as_process_one_too() {
    let commands: [&[&str]; 9] = [
        &["plan"],
        &["drift"],
        &["drift", "--watch", "1s", "--listen", "127.0.0.1:0"],
        &["accounts"],
        &["output"],
        &["verify"],
        &["apply", "--auto-approve"],
        &["destroy", "--auto-approve"],
        &["state", "list", "--state", "s3://bucket/prefix"],
    ];
    let cases = commands
        .iter()
        .flat_map(|command| ["INT", "TERM", "HUP"].map(|name| (*command, name)));
    let cases = cases
        .flat_map(|(command, name)| [(command, name, false), (command, name, true)])
        .collect();
    for_each(
        cases,
        |(arguments, name, process_one): (&[&str], &str, bool)| async move {
            let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
            served
                .sandbox
                .fail(Fault::of("*", When::Always, Effect::Hang));
            let mut command = served.command(&desired, arguments);
            if process_one {
                let Some(unshared) = as_process_one(&command) else {
                    return;
                };
                command = unshared;
            }
            let child = piped(&mut command);
            until(|| !served.sandbox.calls().is_empty()).await;
            signal(
                if process_one {
                    forked(child.id())
                } else {
                    child.id()
                },
                name,
            );
            let run = tokio::task::spawn_blocking(move || ended(child))
                .await
                .unwrap();
            let case = format!("{arguments:?} {name} {process_one}: {}", run.stderr);
            assert_eq!(run.code, 130, "{case}");
            assert!(
                run.stderr.contains("interrupted; nothing was written"),
                "{case}"
            );
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_is_served_ends_on_every_signal_but_not_by_a_hangup_that_nohup_ignores() {
    for name in ["INT", "TERM", "HUP"] {
        let mut child = piped(rolecall().args(["sandbox", "serve"]));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        signal(child.id(), name);
        ended(child).exits(130);
    }
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' HUP; exec \"$0\" sandbox serve"])
        .arg(rolecall().get_program());
    let mut child = piped(shell.env_clear());
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    signal(child.id(), "HUP");
    let address = line.trim().split("http://").nth(1).unwrap().to_owned();
    for _ in 0..10 {
        std::net::TcpStream::connect(&address).unwrap();
    }
    signal(child.id(), "TERM");
    ended(child).exits(130);
}

/// An apply of which one step is never answered, interrupted there.
async fn stuck(served: &Served, desired: &Directory, extra: &[&str]) -> Child {
    served
        .sandbox
        .fail(Fault::of("AttachRolePolicy", When::First(1), Effect::Hang));
    let child =
        piped(&mut served.command(desired, &[&["apply", "--auto-approve"], extra].concat()));
    until(|| served.count("AttachRolePolicy") > 0).await;
    child
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_whose_step_is_never_answered_ends_in_time_and_the_next_one_finishes() {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    let (url, told) = listen([200]);
    let child = stuck(&served, &desired, &["--format", "json", "--notify", &url]).await;
    signal(child.id(), "TERM");
    let start = Instant::now();
    let run = tokio::task::spawn_blocking(move || ended(child))
        .await
        .unwrap()
        .exits(130);
    assert!(
        start.elapsed() < Duration::from_secs(25),
        "{:?}",
        start.elapsed()
    );
    let report = run.json();
    assert_eq!(
        report["summary"],
        json!({"done": 0, "failed": 0, "stale": 0, "not_reached": 1})
    );
    let why = report["results"][0]["error"].as_str().unwrap();
    assert!(
        why.contains("while step 2 of") && why.contains("(AttachRolePolicy) was in progress"),
        "{why}"
    );
    run.says(&[
        "AttachRolePolicy of 333333333331/role/Audit got no response",
        "apply again",
    ]);
    let notice: serde_json::Value = serde_json::from_slice(&told.recv().unwrap().body).unwrap();
    assert_eq!(
        (&notice["exit_code"], &notice["summary"]["not_reached"]),
        (&json!(130), &json!(1))
    );
    let history = served
        .rolecall(&desired, &["state", "history", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(history["runs"][0]["finished"], json!(null));
    let id = history["runs"][0]["header"]["run"].as_str().unwrap();
    served
        .rolecall(&desired, &["state", "history", id])
        .exits(0)
        .says(&["step 2: AttachRolePolicy", "cut short"]);
    served
        .rolecall(&desired, &["apply", "--auto-approve", "--resume"])
        .exits(0);
    served
        .rolecall(&desired, &["plan", "--detailed-exitcode"])
        .exits(0);
}

/// Reads what is said up to the line that a signal was noticed.
fn noticed(child: &mut Child) -> BufReader<std::process::ChildStderr> {
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("press Ctrl-C again") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0);
    }
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_is_sent_twice_is_one_and_whoever_insists_ends_it_at_once() {
    for insists in [false, true] {
        let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
        let mut child = stuck(&served, &desired, &[]).await;
        // As a terminal does that closes, and `timeout`.
        signal(child.id(), "HUP");
        let mut said = noticed(&mut child);
        signal(child.id(), "HUP");
        signal(child.id(), "TERM");
        let ended = tokio::task::spawn_blocking(move || {
            while insists && child.try_wait().unwrap().is_none() {
                signal(child.id(), "TERM");
                std::thread::sleep(Duration::from_millis(100));
            }
            let mut rest = String::new();
            said.read_to_string(&mut rest).unwrap();
            (ended(child).code, rest)
        });
        let (code, rest) = ended.await.unwrap();
        // Whoever is given the time says what was in flight.
        assert_eq!(
            (code, rest.contains("got no response")),
            (130, !insists),
            "{rest}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_of_a_run_that_is_interrupted_before_it_begins() {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    served
        .sandbox
        .fail(Fault::of("*", When::Always, Effect::Hang));
    for arguments in [&["plan"][..], &["apply", "--auto-approve"]] {
        let (url, told) = listen([200]);
        let before = served.sandbox.calls().values().sum::<u64>();
        let child =
            piped(&mut served.command(&desired, &[arguments, &["--notify", &url]].concat()));
        until(|| served.sandbox.calls().values().sum::<u64>() > before).await;
        signal(child.id(), "TERM");
        tokio::task::spawn_blocking(move || ended(child))
            .await
            .unwrap()
            .exits(130);
        let notice: serde_json::Value = serde_json::from_slice(&told.recv().unwrap().body).unwrap();
        let error = "interrupted; nothing was written";
        assert_eq!(
            (&notice["command"], &notice["exit_code"]),
            (&json!(arguments[0]), &json!(130))
        );
        assert_eq!(notice["error"], error);
    }
}
