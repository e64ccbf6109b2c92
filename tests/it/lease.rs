//! Two runs on one state in a bucket, through the binary: one is stopped, and wakes when its lease has long ended.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::block_in_place;

use crate::support::bucket::Bucket;
use crate::support::served::Served;
use crate::support::{Directory, for_each, run};

fn desired(policies: &str) -> Directory {
    Directory::new(&format!(
        r#"
name = "shared"
[[role]]
name = "Audit"
managed_policies = [{policies}]
targets = "all"
exclude = [{{ account = "management" }}]
[[role.trust]]
aws = ["111111111111"]
"#
    ))
}

fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
}

async fn stopped_after(writes: usize) {
    let (served, bucket) = (Arc::new(Served::demo().await), Bucket::start().await);
    let (wide, narrow) = (
        desired(r#""aws:AdministratorAccess", "aws:PowerUserAccess", "aws:ReadOnlyAccess""#),
        desired(""),
    );
    served.sandbox.set_latency(Duration::from_millis(400));
    // Long enough to be renewed in time on a busy machine.
    let mut command = served.command(&wide, &["apply", "--auto-approve", "--lease", "10s"]);
    let mut child = bucket
        .hold(&mut command)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while served.writes().len() < writes {
        assert_eq!(child.try_wait().unwrap(), None, "it ended on its own");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    // While it waits for answers: they are there when it wakes, and tempt it to go on. A process that is stopped between
    // handing a request to the system and the system's taking it would send it late, which nothing in it can prevent.
    tokio::time::sleep(Duration::from_millis(150)).await;
    signal(&child, "-STOP");
    served.sandbox.set_latency(Duration::ZERO);
    let lease = ["--lock-timeout", "60s", "--allow", "change-percent"];
    let mut command = served.command(
        &narrow,
        &[&["apply", "--auto-approve"], &lease[..]].concat(),
    );
    block_in_place(|| run(bucket.hold(&mut command)).exits(0));
    let before = served.writes();
    signal(&child, "-CONT");
    let output = block_in_place(|| child.wait_with_output()).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        served.writes(),
        before,
        "after {writes} writes: written by a run whose lease was over: {said}"
    );
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("lease"), "{said}");
    let mut command = served.command(&narrow, &["plan", "--detailed-exitcode"]);
    block_in_place(|| run(bucket.hold(&mut command)).exits(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_run_that_wakes_after_another_one_followed_writes_nothing() {
    for_each(vec![1, 7, 15, 28], stopped_after).await;
}
