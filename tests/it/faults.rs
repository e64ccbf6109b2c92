//! What goes wrong between here and AWS, and what becomes of a run: nothing is done twice, nothing is left undone.
//!
//! `SOAK=1 cargo test --release --test it -- faults:: laws::` runs the storm over 100 accounts and the kills at 50 moments more.

mod lost;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use rolecall::org::AccountId;
use rolecall::sandbox::faults::{Effect, Fault, Moment, Refusal, When};
use rolecall::sandbox::world::World;

use crate::support::cloud::Cloud;
use crate::support::moto::Moto;
use crate::support::proxy::Proxy;
use crate::support::served::Served;
use crate::support::{Directory, Run, for_each, rolecall, run};

/// Whether there is time for the full size.
pub fn soak() -> bool {
    std::env::var_os("SOAK").is_some()
}

/// Five roles, each with trust and external id, two AWS managed policies, a policy of its own that allows `action`, an
/// inline policy and three tags.
fn five_roles(action: &str) -> String {
    let roles = (1..=5).map(|n| {
        format!(
            r#"
[[policy]]
name = "Policy{n}"
[[policy.statement]]
actions = ["{action}"]
resources = ["arn:aws:s3:::bucket-{n}/*"]
[[role]]
name = "Role{n}"
managed_policies = ["aws:SecurityAudit", "aws:ReadOnlyAccess", "local:Policy{n}"]
tags = {{ team = "a", env = "b", tier = "{n}" }}
targets = "all"
exclude = [{{ account = "management" }}]
[[role.trust]]
aws = ["999999999999"]
external_id = "external-id-{n}"
[[role.inline_policy]]
name = "inline"
[[role.inline_policy.statement]]
actions = ["sqs:ReceiveMessage"]
resources = ["arn:aws:sqs:*:{{{{ account.id }}}}:q{n}"]
"#
        )
    });
    format!(
        "name = \"storm\"\n[limits]\nmax_change_percent = 100\n{}",
        roles.collect::<String>()
    )
}

fn throttled(rate: u16) -> Fault {
    Fault::of(
        "*",
        When::PerMille { rate, seed: 1 },
        Effect::Refuse(Refusal::Throttling),
    )
}

fn reset_after(operation: &str, rate: u16) -> Fault {
    Fault::of(
        operation,
        When::PerMille { rate, seed: 2 },
        Effect::Reset(Moment::After),
    )
}

/// Asserts that every member account holds five roles and policies of ours, each policy at version `version`.
fn holds_each_once(served: &Served, version: u32) {
    served.sandbox.with(|world| {
        let management = world.organization.management_account;
        for (id, account) in world.accounts.iter().filter(|(id, _)| **id != management) {
            let roles = account
                .iam
                .roles
                .values()
                .filter(|role| role.latest().is_some())
                .count();
            assert_eq!((roles, account.iam.policies.len()), (6, 5), "{id}");
            for policy in account
                .iam
                .policies
                .values()
                .filter_map(|policy| policy.latest())
            {
                let burnt = policy.next_version - 1;
                assert_eq!(
                    (burnt, policy.versions.len()),
                    (version, version as usize),
                    "{id} {}",
                    policy.name
                );
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_apply_in_a_storm_ends_well_and_does_nothing_twice() {
    let (accounts, at_once) = if soak() { (101, "64") } else { (9, "16") };
    let served = Served::new(World::generated(accounts, 6, 7)).await;
    served.lag(Duration::from_secs(2));
    served.sandbox.fail(throttled(200));
    served.sandbox.fail(reset_after("*", 20));
    // A small storm would meet too few of the writes that must not happen twice.
    served.sandbox.fail(reset_after("iam:Create*", 100));
    let desired = Directory::new(&five_roles("s3:GetObject"));
    for (version, action) in [(1, "s3:GetObject"), (2, "s3:PutObject")] {
        desired.write("rolecall.toml", &five_roles(action));
        on(
            &served,
            &desired,
            &["apply", "--auto-approve", "--parallelism", at_once],
        )
        .exits(0);
        on(&served, &desired, &["plan", "--detailed-exitcode"]).exits(0);
        holds_each_once(&served, version);
    }
    let struck = served.sandbox.struck();
    assert!(struck[0] > 150 && struck[1] > 5, "a storm: {struck:?}");
}

/// Runs the binary; the sandbox answers on the same threads, so the one that waits gives its place away.
fn on(served: &Served, desired: &Directory, arguments: &[&str]) -> Run {
    tokio::task::block_in_place(|| served.rolecall(desired, arguments))
}

/// The binary with few attempts, so that what never heals is told soon.
fn impatient(served: &Served, desired: &Directory, arguments: &[&str]) -> Run {
    let command: &mut Command = &mut served.command(desired, arguments);
    tokio::task::block_in_place(|| run(command.env("AWS_MAX_ATTEMPTS", "2")))
}

const ONE_ROLE: &str = r#"
name = "one"
[[policy]]
name = "Own"
[[policy.statement]]
actions = ["s3:GetObject"]
resources = ["*"]
[[role]]
name = "Only"
managed_policies = ["local:Own"]
targets = [{ account = "network" }]
[[role.trust]]
aws = ["999999999999"]
external_id = "external-id"
[[role]]
name = "Beside"
targets = [{ account = "web-prod" }]
[[role.trust]]
aws = ["999999999999"]
external_id = "external-id"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_goes_wrong_once_is_not_even_noticed() {
    let effects = vec![
        Effect::Refuse(Refusal::Throttling),
        Effect::Refuse(Refusal::TooManyRequests),
        Effect::Refuse(Refusal::InternalFailure),
        Effect::Refuse(Refusal::ServiceUnavailable),
        Effect::Refuse(Refusal::ConcurrentModification),
        Effect::Delay(Duration::from_millis(100)),
        Effect::Reset(Moment::Before),
        Effect::Reset(Moment::After),
        Effect::Truncate,
    ];
    for_each(effects, |effect| async move {
        let served = Served::demo().await;
        let operations = [
            "GetCallerIdentity",
            "ListRoots",
            "AssumeRole",
            "GetAccountAuthorizationDetails",
        ];
        for operation in
            operations
                .into_iter()
                .chain(["CreatePolicy", "CreateRole", "AttachRolePolicy"])
        {
            served
                .sandbox
                .fail(Fault::of(operation, When::First(1), effect.clone()));
        }
        let desired = Directory::new(ONE_ROLE);
        let plan = on(&served, &desired, &["plan", "--detailed-exitcode"]);
        assert_eq!(plan.code, 2, "{effect:?}: {}", plan.text());
        let apply = on(&served, &desired, &["apply", "--auto-approve"]);
        assert_eq!(apply.code, 0, "{effect:?}: {}", apply.text());
        assert_eq!(served.sandbox.struck(), [1; 7], "{effect:?}");
        on(&served, &desired, &["plan", "--detailed-exitcode"]).exits(0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_goes_wrong_always_is_told_with_its_reason() {
    for (effect, read, written) in [
        (
            Effect::Refuse(Refusal::Throttling),
            "Throttling: Rate exceeded",
            "Throttling: Rate exceeded",
        ),
        (
            Effect::Refuse(Refusal::TooManyRequests),
            "TooManyRequestsException",
            "TooManyRequestsException",
        ),
        (
            Effect::Refuse(Refusal::InternalFailure),
            "ServiceFailure",
            "ServiceFailure",
        ),
        (
            Effect::Refuse(Refusal::ServiceUnavailable),
            "ServiceUnavailable",
            "ServiceUnavailable",
        ),
        (
            Effect::Refuse(Refusal::ConcurrentModification),
            "ConcurrentModification",
            "ConcurrentModification",
        ),
        (
            Effect::Refuse(Refusal::AccessDenied),
            "AccessDenied: with an explicit",
            "AccessDenied: with an explicit",
        ),
        (
            Effect::Reset(Moment::Before),
            "cannot reach AWS",
            "cannot reach AWS",
        ),
        (
            Effect::Truncate,
            "incomplete response",
            "incomplete response",
        ),
        (Effect::Expire, "ExpiredToken", "ExpiredToken"),
    ] {
        let (served, desired) = (Served::demo().await, Directory::new(ONE_ROLE));
        let account = AccountId::parse("333333333331").ok();
        let always = |operation| Fault {
            account,
            ..Fault::of(operation, When::Always, effect.clone())
        };
        served
            .sandbox
            .fail(always("GetAccountAuthorizationDetails"));
        impatient(&served, &desired, &["plan"]).exits(3).says(&[
            read,
            "333333333331",
            "GetAccountAuthorization",
        ]);
        let served = Served::demo().await;
        // A step that may be sent again as often as one likes, so that its own error is what is told.
        served.sandbox.fail(always("AttachRolePolicy"));
        let apply = impatient(&served, &desired, &["apply", "--auto-approve"]).exits(3);
        apply.says(&[written, "333333333331", "AttachRolePolicy `Only`"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_that_end_in_the_middle_are_entered_again() {
    let (served, desired) = (
        Served::new(World::generated(6, 2, 7)).await,
        Directory::new(&five_roles("s3:GetObject")),
    );
    for operation in [
        "GetAccountAuthorizationDetails",
        "CreatePolicy",
        "CreateRole",
        "AttachRolePolicy",
        "PutRolePolicy",
    ] {
        served
            .sandbox
            .fail(Fault::of(operation, When::Nth(3), Effect::Expire));
    }
    on(&served, &desired, &["apply", "--auto-approve"]).exits(0);
    assert_eq!(served.sandbox.struck(), [1; 5]);
    on(&served, &desired, &["plan", "--detailed-exitcode"]).exits(0);
    holds_each_once(&served, 1);
    let entered = served.count("AssumeRole");
    assert!(entered >= 3 * 5, "{entered}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_account_that_refuses_stops_none_of_the_others() {
    let (served, desired) = (
        Served::new(World::generated(21, 4, 7)).await,
        Directory::new(&five_roles("s3:GetObject")),
    );
    served.sandbox.fail(Fault {
        account: AccountId::parse("200000000007").ok(),
        ..Fault::of(
            "iam:Create*",
            When::Always,
            Effect::Refuse(Refusal::AccessDenied),
        )
    });
    let many = [
        "apply",
        "--auto-approve",
        "--format",
        "json",
        "--parallelism",
        "4",
    ];
    let report = on(&served, &desired, &many).exits(3).json();
    let mut outcomes = BTreeMap::<(bool, &str), usize>::new();
    for result in report["results"].as_array().unwrap() {
        let refused = result["address"]
            .as_str()
            .unwrap()
            .starts_with("200000000007");
        *outcomes
            .entry((refused, result["outcome"].as_str().unwrap()))
            .or_default() += 1;
    }
    let expected = [
        ((false, "done"), 190),
        ((true, "failed"), 5),
        ((true, "not_reached"), 5),
    ];
    assert_eq!(outcomes, BTreeMap::from(expected));
    let denied: u64 = served.sandbox.struck().iter().sum();
    assert_eq!(denied, 5, "what is refused is not asked for again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn throttled_accounts_cost_healthy_ones_no_call() {
    let calls_of_healthy = async |faults: &[&str]| {
        let served = Served::new(World::generated(9, 4, 7)).await;
        let desired = Directory::new(&five_roles("s3:GetObject"));
        for account in faults {
            served.sandbox.fail(Fault {
                account: AccountId::parse(account).ok(),
                ..Fault::of(
                    "iam:*",
                    When::PerMille { rate: 300, seed: 7 },
                    Effect::Refuse(Refusal::Throttling),
                )
            });
        }
        on(&served, &desired, &["apply", "--auto-approve"]).exits(0);
        holds_each_once(&served, 1);
        // Whether AWS's own policies exist is asked once, in whichever account comes first.
        let calls = served.sandbox.calls().into_iter().filter(|(call, _)| {
            call.operation != "GetPolicy"
                && call.account.as_ref().is_some_and(|account| {
                    ["200000000007", "200000000008"].contains(&account.as_str())
                })
        });
        calls
            .map(|(call, count)| (call.operation, count))
            .collect::<Vec<_>>()
    };
    let throttled: Vec<String> = (1..=6)
        .map(|n| format!("{:012}", 200_000_000_000_u64 + n))
        .collect();
    let throttled: Vec<&str> = throttled.iter().map(String::as_str).collect();
    assert_eq!(
        calls_of_healthy(&throttled).await,
        calls_of_healthy(&[]).await
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn principals_that_are_too_young_are_waited_for_and_misspelt_ones_are_not() {
    let trusting = |name: &str| {
        format!(
            "{ONE_ROLE}\n[[role]]\nname = \"Entered\"\ntargets = [{{ account = \"data-prod\" }}]\n[[role.trust]]\naws = [\"arn:aws:iam::333333333331:role/{name}\"]\n"
        )
    };
    let served = Served::demo().await;
    served
        .sandbox
        .with(|world| world.youth = Duration::from_millis(1500));
    on(
        &served,
        &Directory::new(&trusting("Only")),
        &["apply", "--auto-approve"],
    )
    .exits(0);
    assert!(served.count("CreateRole") > 3, "it was refused at first");
    let served = Served::demo().await;
    let refused = on(
        &served,
        &Directory::new(&trusting("Only-Typo")),
        &["apply", "--auto-approve", "--allow", "missing-principal"],
    );
    refused.exits(3).says(&["Invalid principal", "Only-Typo"]);
    assert_eq!(served.count("CreateRole"), 3, "it is not asked for again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_real_sockets_before_moto_an_apply_converges_too() {
    let Some(moto) = Moto::start() else { return };
    let cloud = Cloud::new(&moto.endpoint, "testing", "testing").await;
    let names: Vec<String> = (0..5).map(|n| format!("account-{n:02}")).collect();
    let accounts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let built = cloud.build(&[], &accounts).await;
    let proxy = Proxy::before(&moto.endpoint).await;
    let through = |desired: &Directory, arguments: &[&str]| {
        let env = crate::support::aws_env(&proxy.endpoint, "testing", "testing");
        let (name, rest) = arguments.split_first().unwrap();
        let mut command = rolecall();
        command
            .envs(env)
            .arg(name)
            .arg("-c")
            .arg(desired.path())
            .args(rest);
        tokio::task::block_in_place(|| run(&mut command))
    };
    proxy.fail(throttled(100));
    proxy.fail(reset_after("iam:*", 60));
    proxy.fail(Fault::of(
        "*",
        When::PerMille { rate: 20, seed: 3 },
        Effect::Truncate,
    ));
    let desired = Directory::new(&five_roles("s3:GetObject"));
    for action in ["s3:GetObject", "s3:PutObject"] {
        desired.write("rolecall.toml", &five_roles(action));
        through(&desired, &["apply", "--auto-approve"]).exits(0);
        through(&desired, &["plan", "--detailed-exitcode"]).exits(0);
    }
    assert!(
        proxy.struck().iter().all(|struck| *struck > 5),
        "{:?}",
        proxy.struck()
    );
    for account in built.accounts.values() {
        let iam = cloud.iam(account).await;
        for n in 1..=5 {
            let arn = format!("arn:aws:iam::{account}:policy/Policy{n}");
            let versions = iam
                .list_policy_versions()
                .policy_arn(arn)
                .send()
                .await
                .unwrap()
                .versions
                .unwrap();
            assert_eq!(versions.len(), 2, "{account} Policy{n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_sandbox_is_served_with_the_faults_of_a_file() {
    let file = Directory::of(&[("wrong.toml", "[[fault]]\neffect = \"explode\"\n")]);
    let path = file.file("wrong.toml");
    let serve = |path: &std::path::Path| {
        let mut command = rolecall();
        command.args(["sandbox", "serve", "--faults"]).arg(path);
        command
    };
    run(&mut serve(&path)).exits(1).says(&[
        "cannot use the faults",
        "`explode` is not an effect",
        "reset-after",
    ]);
    file.write(
        "denied.toml",
        "[[fault]]\noperation = \"sts:Get*\"\neffect = \"access-denied\"\n",
    );
    let mut child = serve(&file.file("denied.toml"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let printed =
        std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap())).take(5);
    let env: Vec<(String, String)> = printed
        .map(|line| {
            let line = line.unwrap();
            let (name, value) = line.trim_start_matches("export ").split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect();
    let desired = Directory::new(ONE_ROLE);
    let told = run(rolecall()
        .envs(env)
        .arg("plan")
        .arg("-c")
        .arg(desired.path()));
    child.kill().unwrap();
    child.wait().unwrap();
    told.exits(1).says(&["GetCallerIdentity", "AccessDenied"]);
}
