//! `rolecall sandbox run`: a command whose AWS is a sandbox, and which decides how the run ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::support::{rolecall, run};

fn hosted(arguments: &[&str]) -> Command {
    let mut command = rolecall();
    command.args([&["sandbox", "run", "--"], arguments].concat());
    command
}

#[test]
fn a_hosted_command_meets_the_sandbox_and_nothing_else_of_aws() {
    let mut command = hosted(&["sh", "-c", "env | sort; exit 7"]);
    // What would lead past the sandbox, to the real AWS.
    for (name, value) in [
        ("AWS_PROFILE", "production"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_ENDPOINT_URL_IAM", "https://iam.amazonaws.com"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_CONFIG_FILE", "/home/me/.aws/config"),
        ("NO_PROXY", "internal"),
    ] {
        command.env(name, value);
    }
    let printed = run(&mut command).exits(7).says(&[
        "AWS_ENDPOINT_URL=http://127.0.0.1:",
        "AWS_CONFIG_FILE=/dev/null",
        "NO_PROXY=internal,127.0.0.1",
    ]);
    for name in [
        "AWS_PROFILE=",
        "AWS_SESSION_TOKEN=",
        "AWS_ENDPOINT_URL_IAM=",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=",
    ] {
        assert!(!printed.stdout.contains(name), "{}", printed.stdout);
    }
}

#[test]
fn the_quickstart_is_planned_in_one_line() {
    let binary = env!("CARGO_BIN_EXE_rolecall");
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart");
    run(&mut hosted(&[
        binary,
        "plan",
        "-c",
        quickstart,
        "--detailed-exitcode",
    ]))
    .exits(2)
    .says(&["Plan: 12 to create"]);
}

#[test]
fn how_a_hosted_command_ends_is_how_the_run_ends() {
    run(&mut hosted(&["sh", "-c", "kill -KILL $$"])).exits(128 + 9);
    run(&mut hosted(&["/no/such/command"]))
        .exits(1)
        .says(&["cannot run `/no/such/command`"]);
    // Without a command, the user's shell.
    run(hosted(&[]).env("SHELL", "/bin/false")).exits(1);
    run(hosted(&[]).env("SHELL", "/bin/true")).exits(0);
}

#[test]
fn ctrl_c_is_for_the_command_and_sigterm_for_both() {
    for (signal, code) in [("INT", 5), ("TERM", 130)] {
        // The command says that it runs, and ends when its input does.
        let mut child = hosted(&["sh", "-c", "echo here; read line; exit 5"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "here\n");
        let process = child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &process])
            .status()
            .unwrap();
        assert!(sent.success());
        // Waiting closes the input, which would end the command before the signal does.
        let input = child.stdin.take().filter(|_| signal == "TERM");
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        drop(input);
    }
}

#[test]
fn the_environment_is_in_the_file_once_the_sandbox_listens() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sandbox.env");
    let mut server = rolecall()
        .args(["sandbox", "serve", "--env-file", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut messages = BufReader::new(server.stderr.take().unwrap());
    messages.read_line(&mut line).unwrap();
    assert!(line.contains("serving an organization"), "{line}");
    let exports = std::fs::read_to_string(&file).unwrap();
    let used = Command::new("sh")
        .args(["-c", &format!("{exports} exec \"$0\" accounts -c \"$1\"")])
        .args([
            env!("CARGO_BIN_EXE_rolecall"),
            concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart"),
        ])
        .output()
        .unwrap();
    assert!(used.status.success(), "{used:?}");
    server.kill().unwrap();
    server.wait().unwrap();
}
