//! What the README shows works.

use crate::support::served::Served;
use crate::support::world::{copy, example};
use crate::support::{Directory, rolecall, run};

const README: &str = include_str!("../../README.md");

fn block(language: &str, beginning: &str) -> &'static str {
    let fence = format!("```{language}\n");
    let blocks = README
        .split(fence.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    blocks
        .into_iter()
        .find(|block| block.starts_with(beginning))
        .expect("the README holds the block")
}

#[test]
fn its_desired_state_is_valid_once_the_inputs_are_given() {
    let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}"#;
    let desired = Directory::of(&[
        ("rolecall.toml", block("toml", "name = ")),
        ("policies/read-logs.json", document),
    ]);
    let validate = || {
        let mut command = rolecall();
        command.arg("validate").arg("-c").arg(desired.path());
        command
    };
    run(&mut validate()).exits(1).says(&[
        "vendor_account",
        "external_id",
        "from the vendor's console",
        "required",
    ]);
    let inputs = [
        "--var",
        "vendor_account=999999999999",
        "--var",
        "external_id=3f2b8c1e-9d47-4a6b-8e21-5c0d7f9a1b23",
    ];
    run(validate().args(inputs)).exits(0);
}

#[test]
fn the_permissions_it_shows_are_those_that_are_printed() {
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart");
    let printed = run(rolecall().args(["permissions", "--format", "json", "-c", quickstart]))
        .exits(0)
        .json();
    let shown: serde_json::Value = serde_json::from_str(block("json", "{")).unwrap();
    assert_eq!(printed["caller"], shown, "{:#}", printed["caller"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_is_planned_applied_and_verified() {
    let served = Served::demo().await;
    let quickstart = Directory::of(&[]);
    copy(&example("quickstart"), quickstart.path());
    let rolecall = |arguments: &[&str]| served.rolecall(&quickstart, arguments);
    rolecall(&["validate"])
        .exits(0)
        .says(&["quickstart", "2 roles", "1 policy"]);
    rolecall(&["accounts"])
        .exits(0)
        .says(&["log-archive", "SUSPENDED", "VendorLogReader"]);
    rolecall(&["apply", "--auto-approve"])
        .exits(0)
        .says(&["12 done"]);
    rolecall(&["plan", "--detailed-exitcode"]).exits(0);
}
