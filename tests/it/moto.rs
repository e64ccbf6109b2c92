//! The main job over a whole organization on moto: other hands' AWS.

use aws_sdk_iam::types::Tag;

use crate::support::cloud::{Built, Cloud};
use crate::support::moto::Moto;
use crate::support::{Directory, Run, rolecall, run};

const DESIRED: &str = r#"
name = "baseline"

[organization]
access_role = "OrganizationAccountAccessRole"

[limits]
max_change_percent = 100

[[policy]]
name = "ReadLogs"
[[policy.statement]]
actions = ["s3:GetObject", "s3:ListBucket"]
resources = ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]

[[role]]
name = "Audit"
description = "audit"
max_session_duration = "2h"
managed_policies = ["aws:SecurityAudit"]
tags = { team = "security" }
targets = [{ ou = "Workloads" }]
[[role.trust]]
aws = ["{{ organization.management_account }}"]
external_id = "audit-external-id"

[[role]]
name = "Vendor+Reader"
managed_policies = ["local:ReadLogs", "aws:ReadOnlyAccess"]
targets = [{ ou = ["Security", "Infrastructure"] }]
[[role.trust]]
aws = ["999999999999"]
external_id = "vendor-external-id"
[[role.inline_policy]]
name = "inline"
[[role.inline_policy.statement]]
actions = ["sqs:ReceiveMessage"]
resources = ["arn:aws:sqs:*:{{ account.id }}:logs"]
"#;

struct World {
    moto: Moto,
    cloud: Cloud,
    built: Built,
    desired: Directory,
}

impl World {
    /// 45 accounts in 6 units, one of them nested.
    async fn new() -> Option<Self> {
        let moto = Moto::start()?;
        let cloud = Cloud::new(&moto.endpoint, "testing", "testing").await;
        let units = [
            "Workloads",
            "Workloads/Prod",
            "Workloads/Dev",
            "Security",
            "Infrastructure",
            "Suspended",
        ];
        let accounts: Vec<(String, &str)> = (0..45)
            .map(|n| (format!("account-{n:02}"), units[n % 5]))
            .collect();
        let accounts: Vec<(&str, &str)> = accounts
            .iter()
            .map(|(name, unit)| (name.as_str(), *unit))
            .collect();
        let built = cloud.build(&units, &accounts).await;
        Some(Self {
            moto,
            cloud,
            built,
            desired: Directory::new(DESIRED),
        })
    }

    #[track_caller]
    fn rolecall(&self, arguments: &[&str]) -> Run {
        let (command, rest) = arguments.split_first().unwrap();
        run(rolecall()
            .envs(self.moto.env())
            .arg(command)
            .arg("-c")
            .arg(self.desired.path())
            .args(rest))
    }

    fn account(&self, n: usize) -> &str {
        &self.built.accounts[&format!("account-{n:02}")]
    }
}

fn addresses(plan: &serde_json::Value) -> Vec<String> {
    let accounts = plan["accounts"].as_array().unwrap();
    let changes = accounts
        .iter()
        .flat_map(|account| account["changes"].as_array().unwrap());
    changes
        .map(|change| change["address"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_of_45_accounts_is_planned_applied_and_put_right() {
    let Some(world) = World::new().await else {
        return;
    };

    // The first plan lists exactly what is targeted: 27 accounts with Audit, 18 with the vendor's role and policy.
    let plan = world
        .rolecall(&["plan", "--format", "json"])
        .exits(0)
        .json();
    let mut expected: Vec<String> = (0..45)
        .flat_map(|n| match n % 5 {
            0..=2 => vec![format!("{}/role/Audit", world.account(n))],
            _ => vec![
                format!("{}/policy/ReadLogs", world.account(n)),
                format!("{}/role/Vendor+Reader", world.account(n)),
            ],
        })
        .collect();
    let mut planned = addresses(&plan);
    planned.sort();
    expected.sort();
    assert_eq!(planned, expected);
    assert_eq!(plan["summary"]["create"], 63);
    assert_eq!(plan["summary"]["steps"], 27 * 2 + 18 * 5);
    world.rolecall(&["plan", "--detailed-exitcode"]).exits(2);

    // A role that is not ours, by name and by tag.
    let bystander = world.cloud.iam(world.account(0)).await;
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    bystander
        .create_role()
        .role_name("Bystander")
        .assume_role_policy_document(trust)
        .send()
        .await
        .unwrap();

    let report = world
        .rolecall(&["apply", "--auto-approve", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        report["summary"],
        serde_json::json!({"done": 63, "failed": 0, "stale": 0, "not_reached": 0})
    );
    world
        .rolecall(&["plan", "--detailed-exitcode"])
        .exits(0)
        .says(&["No changes"]);

    // By hand: a trust rewritten, AdministratorAccess attached, an inline policy deleted.
    let (first, second) = (
        world.cloud.iam(world.account(1)).await,
        world.cloud.iam(world.account(3)).await,
    );
    first
        .update_assume_role_policy()
        .role_name("Audit")
        .policy_document(trust)
        .send()
        .await
        .unwrap();
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    first
        .attach_role_policy()
        .role_name("Audit")
        .policy_arn(admin)
        .send()
        .await
        .unwrap();
    second
        .delete_role_policy()
        .role_name("Vendor+Reader")
        .policy_name("inline")
        .send()
        .await
        .unwrap();

    let plan = world
        .rolecall(&["plan", "--format", "json", "--detailed-exitcode"])
        .exits(2)
        .json();
    let mut planned = addresses(&plan);
    planned.sort();
    let mut expected = vec![
        format!("{}/role/Audit", world.account(1)),
        format!("{}/role/Vendor+Reader", world.account(3)),
    ];
    expected.sort();
    assert_eq!(planned, expected);
    assert_eq!(plan["summary"]["steps"], 3);
    world.rolecall(&["apply", "--auto-approve"]).exits(0);
    world.rolecall(&["plan", "--detailed-exitcode"]).exits(0);

    let roles = bystander.list_roles().send().await.unwrap().roles;
    let bystander_role = roles
        .iter()
        .find(|role| role.role_name == "Bystander")
        .expect("the bystander stays");
    assert!(
        bystander_role
            .assume_role_policy_document
            .as_deref()
            .unwrap()
            .contains("ec2.amazonaws.com")
    );
    assert!(
        roles
            .iter()
            .any(|role| role.role_name == "OrganizationAccountAccessRole")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_deletes_what_bears_our_mark_and_nothing_else() {
    let Some(world) = World::new().await else {
        return;
    };
    world
        .rolecall(&[
            "apply",
            "--auto-approve",
            "--account",
            "account-00",
            "--account",
            "account-03",
        ])
        .exits(0);
    let other = world.cloud.iam(world.account(0)).await;
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
    let mark = Tag::builder()
        .key("rolecall:managed-by")
        .value("another-directory")
        .build()
        .unwrap();
    other
        .create_role()
        .role_name("Theirs")
        .assume_role_policy_document(trust)
        .tags(mark)
        .send()
        .await
        .unwrap();

    world.desired.write(
        "rolecall.toml",
        &DESIRED
            .replace("Workloads", "Suspended")
            .replace("\"Security\", \"Infrastructure\"", "\"Suspended\""),
    );
    let plan = world
        .rolecall(&["plan", "--format", "json", "--prune"])
        .exits(0)
        .json();
    assert_eq!(plan["summary"]["delete"], 3, "{plan:#}");
    let kept = world
        .rolecall(&["plan", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(kept["summary"]["delete"], 0);
    // Nothing desired but something owned is what a mistaken edit looks like.
    world
        .rolecall(&["apply", "--prune", "--auto-approve"])
        .exits(4)
        .says(&["empty-desired"]);
    world
        .rolecall(&[
            "apply",
            "--prune",
            "--auto-approve",
            "--allow",
            "empty-desired",
            "--allow",
            "change-percent",
            "--allow",
            "selector-deletes",
        ])
        .exits(0);
    let names: Vec<String> = other
        .list_roles()
        .send()
        .await
        .unwrap()
        .roles
        .into_iter()
        .map(|role| role.role_name)
        .collect();
    assert!(
        names.contains(&"Theirs".to_owned()) && !names.contains(&"Audit".to_owned()),
        "{names:?}"
    );
    let left = world
        .rolecall(&["plan", "--format", "json", "--prune"])
        .exits(0)
        .json();
    assert_eq!(left["summary"]["steps"], 0);
}
