//! What holds of every plan and every apply, whatever fails, whenever it ends and in whatever order accounts answer.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rolecall::org::AccountId;
use rolecall::sandbox::faults::{Effect, Fault, Moment, When};
use rolecall::sandbox::ids::Ids;
use rolecall::sandbox::wire::ApiError;
use rolecall::sandbox::world::World;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::block_in_place;

use crate::faults::soak;
use crate::support::served::Served;
use crate::support::{Directory, Run, for_each, rolecall, run};

const NETWORK: &str = "333333333331";
const DATA: &str = "444444444443";

/// A desired state that uses every feature, over two accounts.
const EVERYTHING: &str = r#"
name = "laws"
[vars]
external_id = { type = "string", sensitive = true, default = "the-very-secret-id" }
dspm = { type = "bool", default = false }
[account.network.vars]
dspm = true

[[policy]]
name = "Logs"
path = "/audit/"
description = "What is read"
document = "logs.json"
tags = { team = "security" }

[[policy]]
name = "Boundary"
[[policy.statement]]
actions = ["s3:*", "logs:*"]
resources = ["*"]

[[role]]
name = "Auditor+a"
path = "/audit/"
description = "Reads ünd more"
max_session_duration = "2h"
permissions_boundary = "local:Boundary"
managed_policies = ["aws:SecurityAudit", { policy = "local:Logs", when = "var.dspm" }]
tags = { team = "security" }
targets = [{ account = "network" }]
[[role.trust]]
sid = "Vendor"
aws = ["999999999999"]
external_id = "{{ var.external_id }}"
[[role.trust]]
aws = ["arn:aws:iam::444444444443:role/Partner"]
[[role.inline_policy]]
name = "list"
[[role.inline_policy.statement]]
not_actions = ["iam:*"]
resources = ["arn:aws:s3:::${aws:PrincipalAccount}-{{ account.name }}/*"]
conditions.Bool."aws:SecureTransport" = "true"

[[role]]
name = "Partner"
targets = [{ account = "data-prod" }]
[[role.trust]]
aws = ["arn:aws:iam::333333333331:role/audit/Auditor+a"]

[[role]]
name = "Adopted"
adopt = true
manage = { trust = "additive", managed_policies = "additive", inline_policies = "additive", tags = "exclusive" }
managed_policies = ["aws:ReadOnlyAccess"]
permissions_boundary = ""
tags = { team = "data" }
targets = [{ account = "data-prod" }]
[[role.trust]]
service = "lambda.amazonaws.com"
[[role.inline_policy]]
name = "write"
[[role.inline_policy.statement]]
actions = ["s3:PutObject"]
resources = ["*"]

[[role]]
name = "Moved"
path = "/new/"
managed_policies = ["aws:SecurityAudit"]
inline_policy = []
targets = [{ account = "data-prod" }]
[[role.trust]]
service = "ec2.amazonaws.com"

[[role]]
name = "Gone"
ensure = "absent"
targets = [{ account = "data-prod" }]
[[role.trust]]
service = "ec2.amazonaws.com"

[[role]]
name = "Theirs"
external = true
targets = [{ account = "data-prod" }]
[[role.trust]]
service = "ec2.amazonaws.com"
"#;

const LOGS: &str = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}"#;
const OLD: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
const EC2: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn everything() -> Directory {
    Directory::of(&[("rolecall.toml", EVERYTHING), ("logs.json", LOGS)])
}

/// The demonstration's organization with something to update, adopt, replace and delete in it.
async fn lived_in() -> Served {
    let served = Served::demo().await;
    let mark = ("Tags.member.1.Value", "laws");
    let role = |name: &str, extra: &[(&str, &str)]| {
        let params = [
            &[("RoleName", name), ("AssumeRolePolicyDocument", EC2)],
            extra,
        ]
        .concat();
        served.by_hand(DATA, "CreateRole", &params);
    };
    let owned = [("Tags.member.1.Key", "rolecall:managed-by"), mark];
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    role(
        "Adopted",
        &[
            ("PermissionsBoundary", admin),
            ("Tags.member.1.Key", "stray"),
            mark,
        ],
    );
    role("Theirs", &[]);
    for name in ["Moved", "Gone", "Old"] {
        role(name, &owned);
        served.by_hand(
            DATA,
            "AttachRolePolicy",
            &[("RoleName", name), ("PolicyArn", admin)],
        );
        let inline = [
            ("RoleName", name),
            ("PolicyName", "by-hand"),
            ("PolicyDocument", OLD),
        ];
        served.by_hand(DATA, "PutRolePolicy", &inline);
    }
    let logs = [
        [("PolicyName", "Logs"), ("Path", "/audit/")],
        [("PolicyDocument", OLD), ("Description", "x")],
        owned,
    ];
    served.by_hand(NETWORK, "CreatePolicy", &logs.concat());
    let version = [
        ("PolicyArn", "arn:aws:iam::333333333331:policy/audit/Logs"),
        ("PolicyDocument", OLD),
    ];
    (0..4).for_each(|_| served.by_hand(NETWORK, "CreatePolicyVersion", &version));
    served
}

// What bears the mark was made by hand, and no record knows it.
const APPLY: [&str; 5] = [
    "apply",
    "--auto-approve",
    "--prune",
    "--allow",
    "unrecorded",
];

/// Runs the binary; the sandbox answers on the same threads, so the one that waits gives its place away.
fn rolecall_on(served: &Served, desired: &Directory, arguments: &[&str]) -> Run {
    block_in_place(|| served.rolecall(desired, arguments))
}

/// Asserts that an apply from here on ends well and leaves nothing to do, prune included.
fn converges(served: &Served, desired: &Directory, after: &str) {
    let apply = rolecall_on(served, desired, &APPLY);
    assert_eq!(apply.code, 0, "after {after}: {}", apply.text());
    let plan = rolecall_on(served, desired, &["plan", "--prune", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "after {after}: {}", plan.text());
}

/// What IAM holds of two accounts, without ids and times: the same for each way that led there.
fn holdings(served: &Served) -> String {
    let mut text = String::new();
    served.sandbox.with(|world| {
        for id in [NETWORK, DATA] {
            let iam = &world.accounts[&AccountId::parse(id).unwrap()].iam;
            for role in iam.roles.values().filter_map(|role| role.latest()) {
                let attached: std::collections::BTreeSet<_> = role.attached.iter().collect();
                let details = (
                    &role.description,
                    role.max_session_duration,
                    &role.boundary,
                    &role.tags,
                );
                writeln!(
                    text,
                    "{id} {}{} {details:?} {attached:?} {:?}",
                    role.path, role.name, role.inline
                )
                .unwrap();
            }
            for policy in iam.policies.values().filter_map(|policy| policy.latest()) {
                let default = policy
                    .versions
                    .iter()
                    .find(|version| version.id == policy.default_version)
                    .unwrap();
                let versions = policy.versions.len();
                writeln!(
                    text,
                    "{id} {}{} {versions} {} {:?}",
                    policy.path, policy.name, default.document, policy.tags
                )
                .unwrap();
            }
        }
    });
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_applied_leaves_nothing_to_plan_whatever_the_feature() {
    let (served, desired) = (lived_in().await, everything());
    let plan = rolecall_on(&served, &desired, &["plan", "--prune", "--format", "json"])
        .exits(0)
        .json();
    for kind in ["create", "update", "replace", "delete", "adopt"] {
        assert!(
            plan["summary"][kind].as_u64().unwrap() > 0,
            "nothing to {kind}: {:#}",
            plan["summary"]
        );
    }
    converges(&served, &desired, "nothing");
    let steps = usize::try_from(plan["summary"]["steps"].as_u64().unwrap()).unwrap();
    assert_eq!(
        served.writes().len(),
        steps,
        "what is written is what was planned: {:?}",
        served.writes()
    );
}

/// Each of `operations` with its number among those of its name.
fn numbered(operations: Vec<String>) -> Vec<(String, u64)> {
    assert!(operations.len() > 25, "{operations:?}");
    let mut each: BTreeMap<String, u64> = BTreeMap::new();
    let number = |operation: String| {
        let number = each.entry(operation.clone()).or_default();
        *number += 1;
        (operation, *number)
    };
    operations.into_iter().map(number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_apply_that_fails_at_any_write_is_finished_by_the_next() {
    let clean = lived_in().await;
    converges(&clean, &everything(), "nothing");
    let expected = Arc::new(holdings(&clean));
    for_each(numbered(clean.writes()), |(operation, number)| {
        let expected = Arc::clone(&expected);
        async move {
            let (served, desired) = (lived_in().await, everything());
            served.sandbox.fail(Fault {
                operation: operation.clone(),
                account: None,
                when: When::Nth(number),
                effect: Effect::Error(ApiError::new(403, "AccessDenied", "by the test")),
            });
            let failed = rolecall_on(&served, &desired, &APPLY);
            let after = format!("{operation} number {number} failed");
            assert_eq!(failed.code, 3, "{after}: {}", failed.text());
            converges(&served, &desired, &after);
            assert_eq!(holdings(&served), *expected, "{after}");
        }
    })
    .await;
}

/// Kills the process when the call that `fault` waits for has come, and asserts that the next apply finishes its work.
async fn killed_at(
    fault: impl FnOnce(Arc<Notify>) -> Fault,
    moment: String,
    expected: Arc<String>,
) {
    let (served, desired, now) = (lived_in().await, everything(), Arc::new(Notify::new()));
    served.sandbox.fail(fault(Arc::clone(&now)));
    let mut command = served.command(&desired, &APPLY);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::timeout(Duration::from_mins(1), now.notified())
        .await
        .expect("the call comes");
    // On unix this is SIGKILL.
    child.kill().unwrap();
    block_in_place(|| child.wait()).unwrap();
    let after = format!("a kill {moment}");
    let finished = rolecall_on(&served, &desired, &APPLY);
    assert_eq!(finished.code, 0, "{after}: {}", finished.text());
    assert_eq!(holdings(&served), *expected, "{after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_apply_that_is_killed_after_any_write_is_finished_by_the_next() {
    let clean = lived_in().await;
    converges(&clean, &everything(), "nothing");
    let expected = Arc::new(holdings(&clean));
    for_each(numbered(clean.writes()), |(operation, number)| {
        let moment = format!("after {operation} number {number}, before its answer");
        let fault = move |now| {
            Fault::of(
                &operation,
                When::Nth(number),
                Effect::Stop(Moment::After, now),
            )
        };
        killed_at(fault, moment, Arc::clone(&expected))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_apply_that_is_killed_between_writes_is_finished_by_the_next() {
    // Reads and writes, those of entering accounts too.
    let moments = if soak() { 50 } else { 8 };
    let clean = lived_in().await;
    rolecall_on(&clean, &everything(), &APPLY).exits(0);
    let (calls, expected) = (
        clean.sandbox.calls().values().sum::<u64>(),
        Arc::new(holdings(&clean)),
    );
    for_each((1..=moments).collect(), |moment: u64| {
        let nth = Ids(moment).roll() % calls + 1;
        let fault = move |now| Fault::of("*", When::Nth(nth), Effect::Stop(Moment::Before, now));
        killed_at(
            fault,
            format!("at call {nth} of {calls}"),
            Arc::clone(&expected),
        )
    })
    .await;
}

/// Roles in ten accounts and nothing said of limits, as the quickstart has them: what a killed run began must not
/// stand in the way of the next one.
const PLAIN: &str = r#"
name = "plain"
[[role]]
name = "Audit"
managed_policies = ["aws:SecurityAudit", "aws:ReadOnlyAccess"]
targets = "all"
exclude = [{ account = "management" }]
[[role.trust]]
aws = ["111111111111"]
[[role]]
name = "Reader"
targets = [{ account = "log-archive" }]
[[role.trust]]
service = "ec2.amazonaws.com"
[[role.inline_policy]]
name = "logs"
[[role.inline_policy.statement]]
actions = ["s3:GetObject"]
resources = ["*"]
"#;

/// Kills an apply at each of `moments`, one after another, and gives what the last one of `end` said.
async fn killed_and_ended(moments: &[u64], end: &[&str]) -> (Served, Directory, Run) {
    let (served, desired) = (Served::demo().await, Directory::new(PLAIN));
    for moment in moments {
        let now = Arc::new(Notify::new());
        served.sandbox.fail(Fault::of(
            "iam:*",
            When::Nth(*moment),
            Effect::Stop(Moment::Before, Arc::clone(&now)),
        ));
        let mut command = served.command(&desired, &["apply", "--auto-approve"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // One that comes to its end before that is as good.
        _ = tokio::time::timeout(Duration::from_secs(20), now.notified()).await;
        child.kill().unwrap();
        block_in_place(|| child.wait()).unwrap();
    }
    let run = rolecall_on(&served, &desired, end);
    (served, desired, run)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn under_default_limits_one_plain_apply_finishes_what_was_killed() {
    let clean = Served::demo().await;
    rolecall_on(&clean, &Directory::new(PLAIN), &["apply", "--auto-approve"]).exits(0);
    let calls: u64 = clean.sandbox.calls().values().sum();
    let kills = if soak() { 90 } else { 10 };
    for_each((1..=kills).collect(), |kill: u64| async move {
        let nth = Ids(kill).roll() % (calls * 2 / 3) + 12;
        // Every third of them is killed twice in a row.
        let moments = if kill.is_multiple_of(3) {
            vec![nth, 15]
        } else {
            vec![nth]
        };
        let end: &[&str] = match kill % 4 {
            0 => &["apply", "--auto-approve", "--resume"],
            _ => &["apply", "--auto-approve"],
        };
        let (served, desired, run) = killed_and_ended(&moments, end).await;
        let nothing = run.text().contains("there is no run to resume");
        assert!(
            run.code == 0 || nothing,
            "killed at {moments:?} of {calls}: {}",
            run.text()
        );
        if nothing {
            rolecall_on(&served, &desired, &["apply", "--auto-approve"]).exits(0);
        }
        let plan = rolecall_on(&served, &desired, &["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, 0, "killed at {moments:?}: {}", plan.text());
    })
    .await;
}

/// What a killed run began is not counted again; what someone changed meanwhile is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_limits_count_what_no_unfinished_run_began() {
    let (served, desired, run) = killed_and_ended(&[], &["apply", "--auto-approve"]).await;
    run.exits(0);
    let wider = PLAIN.replace("\"aws:SecurityAudit\", ", "");
    desired.write("rolecall.toml", &wider);
    let stop = rolecall_on(&served, &desired, &["apply", "--auto-approve"]).exits(4);
    stop.says(&["change-percent", "10 of 11"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_plan_is_the_same_bytes_whatever_the_order_of_answers() {
    let (served, desired) = (lived_in().await, everything());
    desired.write(
        "more.toml",
        "[[role]]\nname = \"Everywhere\"\ntargets = \"all\"\ntrust = \"everywhere.json\"\n",
    );
    desired.write("everywhere.json", EC2);
    served.by_hand(
        "555555555551",
        "CreateRole",
        &[
            ("RoleName", "Everywhere"),
            ("AssumeRolePolicyDocument", EC2),
        ],
    );
    let plan = |arguments: &[&str]| {
        let run = rolecall_on(
            &served,
            &desired,
            &[&["plan", "--prune"], arguments].concat(),
        );
        let order: String = run
            .stderr
            .lines()
            .filter(|line| line.starts_with("Reading"))
            .collect();
        let bytes: String = run
            .stdout
            .lines()
            .filter(|line| !line.contains("\"created_at\""))
            .collect();
        (bytes, order)
    };
    let (json, text) = (
        plan(&["--format", "json", "--parallelism", "1"]).0,
        plan(&["--parallelism", "1"]).0,
    );
    assert!(json.contains("Everywhere") && text.contains("Everywhere"));
    served.sandbox.set_jitter(Duration::from_millis(80));
    let mut orders = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let (again, order) = plan(&["--format", "json"]);
        assert_eq!(again, json);
        assert_eq!(plan(&[]).0, text);
        orders.insert(order);
    }
    assert!(
        orders.len() > 1,
        "accounts always came in the same order: {orders:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_only_looks_writes_nothing() {
    let (served, desired) = (lived_in().await, everything());
    let validated = block_in_place(|| {
        run(rolecall()
            .envs(served.env())
            .arg("validate")
            .arg("-c")
            .arg(desired.path()))
    });
    validated.exits(0);
    assert_eq!(served.sandbox.calls().len(), 0, "validate calls nobody");
    let before = holdings(&served);
    rolecall_on(&served, &desired, &["plan", "--prune"]).exits(0);
    rolecall_on(
        &served,
        &desired,
        &[
            "plan",
            "--out",
            desired.file("saved.plan").to_str().unwrap(),
        ],
    )
    .exits(0);
    rolecall_on(&served, &desired, &["accounts"]).exits(0);
    let unapproved = ["apply", "--no-input", "--allow", "unrecorded"];
    rolecall_on(&served, &desired, &[&unapproved[..], &["--prune"]].concat()).exits(1);
    rolecall_on(&served, &desired, &unapproved).exits(1);
    assert_eq!(served.writes(), Vec::<String>::new());
    assert_eq!(holdings(&served), before);
}

/// Calls that walking the organization takes: pages of units and of accounts below the root and each unit.
fn walk(world: &World) -> usize {
    let organization = &world.organization;
    let pages = |entries: usize| entries.div_ceil(organization.page_size).max(1);
    let parents = organization.units.keys().chain([&organization.root]);
    let below = parents.map(|parent| {
        let units = organization
            .units
            .values()
            .filter(|unit| unit.parent == *parent)
            .count();
        let accounts = world
            .accounts
            .values()
            .filter(|account| account.parent == *parent)
            .count();
        pages(units) + pages(accounts)
    });
    // Who is calling, which organization, which root.
    3 + below.sum::<usize>()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_large_organization_costs_two_calls_an_account_and_the_walk() {
    // What is not optimized takes a smaller organization: the calls of each account are the same.
    const ACCOUNTS: usize = if cfg!(debug_assertions) { 600 } else { 5000 };
    let served = Served::new(World::generated(u32::try_from(ACCOUNTS).unwrap(), 40, 7)).await;
    let desired = Directory::new(
        "name = \"large\"\n[[role]]\nname = \"Everywhere\"\ntargets = \"all\"\nexclude = [{ account = \"management\" }]\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n",
    );
    let plan = rolecall_on(&served, &desired, &["plan", "--quiet", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(plan["summary"]["create"], ACCOUNTS - 1);
    assert_eq!(
        plan["accounts"].as_array().map(Vec::len),
        Some(ACCOUNTS - 1)
    );
    assert_eq!(plan["findings"], Value::Array(Vec::new()));
    let calls: u64 = served.sandbox.calls().values().sum();
    let floor = 2 * (ACCOUNTS - 1) + served.sandbox.with(|world| walk(world));
    assert!(
        usize::try_from(calls).unwrap() * 10 <= floor * 11,
        "{calls} calls, {floor} would do"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn roles_that_trust_each_other_in_a_ring_of_accounts_take_one_apply() {
    let trusting = |name: &str, account: &str, trusted: &str| {
        let trusted: String = trusted
            .split(' ')
            .map(|role| format!("\"arn:aws:iam::{role}\", "))
            .collect();
        format!(
            "[[role]]\nname = \"{name}\"\ntargets = [{{ account = \"{account}\" }}]\n[[role.trust]]\naws = [{trusted}]\n"
        )
    };
    // A trusts B, B trusts C, C trusts B's neighbour D, D trusts A and B: more than one ring, and one within an account.
    let ring = [
        trusting("A", NETWORK, "444444444443:role/B"),
        trusting("B", DATA, "222222222221:role/C 444444444443:role/D"),
        trusting("C", "222222222221", "444444444443:role/D"),
        trusting("D", DATA, "333333333331:role/A 444444444443:role/B"),
    ];
    for parallelism in ["1", "8"] {
        let (served, desired) = (
            Served::demo().await,
            Directory::new(&format!("name = \"ring\"\n{}", ring.concat())),
        );
        let start = Instant::now();
        rolecall_on(
            &served,
            &desired,
            &["apply", "--auto-approve", "--parallelism", parallelism],
        )
        .exits(0);
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "nobody waits for what waits for it"
        );
        rolecall_on(&served, &desired, &["plan", "--detailed-exitcode"]).exits(0);
    }
}
