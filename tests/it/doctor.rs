//! `rolecall doctor`: what has to be right before the first plan, each thing broken in turn.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::support::served::Served;
use crate::support::{Directory, rolecall, run};

const NETWORK: &str = "333333333331";
const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";

fn desired() -> Directory {
    Directory::new(
        r#"
name = "doctor"
[[role]]
name = "Audit"
managed_policies = ["aws:SecurityAudit"]
targets = [{ account = "network" }, { account = "data-prod" }]
[[role.trust]]
aws = "111111111111"
"#,
    )
}

/// The health of each check, as `CHECK SUBJECT`.
fn health(report: &Value) -> Vec<(String, String)> {
    let checks = report["checks"].as_array().unwrap().iter();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    checks
        .map(|check| {
            let name = format!("{} {}", text(check, "check"), text(check, "subject"));
            (name, text(check, "health"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_right_is_said_and_nothing_is_written() {
    let (served, desired) = (Served::demo().await, desired());
    let report = served.rolecall(&desired, &["doctor", "--format", "json"]);
    let report = report.exits(0).json();
    assert_eq!(report["format"], "rolecall-doctor/1");
    let found = health(&report);
    assert!(found.iter().all(|(_, health)| health == "ok"), "{found:?}");
    for name in [
        "caller ",
        "organization o-rolecalldemo",
        "account network (333333333331)",
        "permissions network (333333333331)",
        "account data-prod (444444444443)",
    ] {
        assert!(found.iter().any(|(other, _)| other == name), "{found:?}");
    }
    served.rolecall(&desired, &["doctor"]).exits(0).says(&[
        "ok",
        "2 targeted",
        "entered as arn:aws:iam::333333333331:role/OrganizationAccountAccessRole",
        "nothing was applied from here yet, writable",
        "0 failed",
    ]);
    assert_eq!(served.writes(), Vec::<String>::new());
    assert!(!desired.file("state").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_entered_is_named_with_what_aws_tells() {
    let (served, desired) = (Served::demo().await, desired());
    let closed = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"222222222222"},"Action":"sts:AssumeRole"}}"#;
    let close = |account: &str| {
        let params = [("RoleName", ACCESS_ROLE), ("PolicyDocument", closed)];
        served.by_hand(account, "UpdateAssumeRolePolicy", &params);
    };
    close(NETWORK);
    served.rolecall(&desired, &["doctor"]).exits(3).says(&[
        "FAILED  account       network (333333333331)",
        "AssumeRole",
        "its trust policy does not admit the caller",
        "entered as arn:aws:iam::444444444443:role/OrganizationAccountAccessRole",
        "1 failed",
    ]);
    close("444444444443");
    served
        .rolecall(&desired, &["doctor"])
        .exits(1)
        .says(&["2 failed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_access_role_may_not_is_named() {
    let (served, desired) = (Served::demo().await, desired());
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    let put = |actions: &str| {
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":{actions},"Resource":"*"}}}}"#
        );
        let params = [
            ("RoleName", ACCESS_ROLE),
            ("PolicyName", "only"),
            ("PolicyDocument", &document),
        ];
        served.by_hand(NETWORK, "PutRolePolicy", &params);
    };
    put(
        r#"["iam:Get*", "iam:List*", "iam:CreateRole", "iam:TagRole", "iam:SimulatePrincipalPolicy"]"#,
    );
    let params = [("RoleName", ACCESS_ROLE), ("PolicyArn", administrator)];
    served.by_hand(NETWORK, "DetachRolePolicy", &params);
    served.rolecall(&desired, &["doctor"]).exits(3).says(&[
        "FAILED  permissions   network (333333333331)",
        "iam:AttachRolePolicy",
        "iam:UpdateAssumeRolePolicy",
        "rolecall permissions",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_or_a_writable_state_that_is_said() {
    let (served, desired) = (Served::demo().await, desired());
    let path = desired.path().to_str().unwrap();
    run(rolecall().args(["doctor", "-c", path]))
        .exits(1)
        .says(&["FAILED  caller", "no AWS credentials"]);
    let locked = tempfile::tempdir().unwrap();
    std::fs::set_permissions(locked.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    let state = locked.path().join("state");
    let report = served.rolecall(&desired, &["doctor", "--state", state.to_str().unwrap()]);
    // The superuser may write anywhere.
    if rustix::process::geteuid().is_root() {
        report.exits(0).says(&["writable"]);
    } else {
        report.exits(3).says(&["not writable", "--state"]);
    }
    Directory::write(
        &desired,
        "rolecall.toml",
        "name = \"doctor\"\n[[role]]\nname = 1",
    );
    served
        .rolecall(&desired, &["doctor"])
        .exits(1)
        .says(&["rolecall.toml:3:"]);
}
