//! `drift --watch` when things go wrong: what it counts, what it outlives, and when it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use rolecall::sandbox::faults::{Effect, Fault, When};
use rolecall::sandbox::wire::ApiError;

use crate::support::Directory;
use crate::support::served::Served;

const DESIRED: &str = "name = \"watched\"\n[[role]]\nname = \"R\"\ntargets = [{ account = \"log-archive\" }]\n[[role.trust]]\naws = [\"222222222222\"]\n";

fn fault(operation: &str, when: When, effect: Effect) -> Fault {
    Fault {
        operation: operation.to_owned(),
        account: None,
        when,
        effect,
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

/// A watch that runs, and where it tells how it goes. It ends with the test.
struct Watching {
    child: Child,
    address: String,
}

impl Watching {
    fn new(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("/healthz") {
            line.clear();
            assert!(
                said.read_line(&mut line).unwrap() > 0,
                "it ended before it watched"
            );
        }
        let address = line
            .split("http://")
            .nth(1)
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .to_owned();
        std::thread::spawn(move || _ = std::io::copy(&mut said, &mut std::io::sink()));
        Self { child, address }
    }

    fn waits_for(&self, path: &str, wanted: &str) -> String {
        loop {
            let answer = get(&self.address, path);
            if answer.contains(wanted) {
                return answer;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_that_fail_are_counted_as_they_do() {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let file = desired.file("rolecall.prom");
    let arguments = [
        "drift",
        "--watch",
        "20ms",
        "--listen",
        "127.0.0.1:0",
        "--metrics-file",
        file.to_str().unwrap(),
    ];
    let watching = Watching::new(served.command(&desired, &arguments));
    watching.waits_for("/metrics", "outcome=\"failed\"} 0");
    let refused = Effect::Error(ApiError::new(403, "AccessDeniedException", "by the test"));
    served
        .sandbox
        .fail(fault("DescribeOrganization", When::Always, refused));
    let told = watching.waits_for("/metrics", "outcome=\"failed\"} 2");
    assert!(
        told.contains("cause=\"drift\"} 0"),
        "what the last good look found stays:\n{told}"
    );
    watching.waits_for("/metrics", "outcome=\"failed\"} 4");
    let written = std::fs::read_to_string(file).unwrap();
    assert!(!written.contains("outcome=\"failed\"} 0"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_outlives_metrics_that_cannot_be_written() {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let file = desired.file("gone/rolecall.prom");
    let watch = [
        "drift",
        "--watch",
        "1ms",
        "--rounds",
        "3",
        "--listen",
        "127.0.0.1:0",
        "--format",
        "json",
    ];
    let run = served
        .rolecall(
            &desired,
            &[&watch[..], &["--metrics-file", file.to_str().unwrap()]].concat(),
        )
        .exits(0);
    assert_eq!(run.stdout.lines().count(), 3);
    assert_eq!(
        run.stderr
            .matches("warning: cannot write the metrics to")
            .count(),
        3,
        "{}",
        run.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_when_nobody_reads_it_any_more() {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let watch = [
        "drift",
        "--watch",
        "1ms",
        "--rounds",
        "1000",
        "--listen",
        "127.0.0.1:0",
        "--format",
        "json",
    ];
    let mut child = served
        .command(&desired, &watch)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with('{'));
    // The reader is dropped here. As with `plan | head -1`, that is exit code 1 and not a word.
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!said.contains("error"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_look_that_hangs_is_not_healthy() {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    served
        .sandbox
        .fail(fault("AssumeRole", When::First(1), Effect::Hang));
    let entered = served.count("AssumeRole");
    let watching = Watching::new(served.command(
        &desired,
        &["drift", "--watch", "20ms", "--listen", "127.0.0.1:0"],
    ));
    while served.count("AssumeRole") == entered {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let health = get(&watching.address, "/healthz");
    assert!(
        health.starts_with("HTTP/1.1 503") && health.contains("first check"),
        "{health}"
    );
    drop(watching);

    let watching = Watching::new(served.command(
        &desired,
        &["drift", "--watch", "20ms", "--listen", "127.0.0.1:0"],
    ));
    watching.waits_for("/healthz", "ok: ");
}
