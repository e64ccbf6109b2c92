//! `drift --who` through the binary, on the sandbox: who is named, who is not, and that not knowing costs nothing.

use std::time::{Duration, Instant};

use aws_config::BehaviorVersion;
use rolecall::org::AccountId;
use rolecall::sandbox::cloudtrail::Trail;
use rolecall::sandbox::faults::{Effect, Fault, Refusal, When};
use serde_json::{Value, json};

use crate::support::listener::listen;
use crate::support::served::Served;
use crate::support::world::World;
use crate::support::{Directory, Run, http_client, run};

const PAYMENTS: &str = "444444444441";
const WEB: &str = "444444444442";

const DESIRED: &str = r#"
name = "audit"
[[policy]]
name = "Data"
path = "/own/"
statement = [{ actions = ["s3:GetObject"], resources = ["*"] }]
[[role]]
name = "Audit"
managed_policies = ["aws:SecurityAudit", "local:Data"]
tags = { team = "a" }
targets = [{ ou = "Workloads/Prod" }]
[[role.trust]]
aws = ["{{ organization.management_account }}"]
[[grant]]
role = "Audit"
in = { account = "444444444442" }
to = [{ account = "444444444441", user = "mallory" }]
"#;

const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const MALLORY: &str = "arn:aws:iam::444444444441:user/mallory";
const HAND: &str = "arn:aws:iam::444444444441:user/by-hand";

/// The demonstration's organization with a user in it, and everything applied.
async fn applied() -> (Served, Directory) {
    let (served, desired) = (Served::demo().await, Directory::new(DESIRED));
    served.by_hand(PAYMENTS, "CreateUser", &[("UserName", "mallory")]);
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    (served, desired)
}

/// IAM as the user mallory calls it, over HTTP.
fn mallory(served: &Served) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http_client())
        .region(aws_sdk_iam::config::Region::new("us-east-1"))
        .endpoint_url(&served.endpoint)
        .credentials_provider(served.sandbox.credentials_of(MALLORY).unwrap())
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

fn by_hand(served: &Served, account: &str, operation: &str, params: &[(&str, &str)]) {
    served.by_hand(
        account,
        operation,
        &[&[("RoleName", "Audit")], params].concat(),
    );
}

fn json_of(served: &Served, desired: &Directory) -> Value {
    served
        .rolecall(desired, &["drift", "--who", "--format", "json"])
        .exits(2)
        .json()
}

/// What is said about who changed a resource.
fn who(drift: &Value, address: &str) -> Value {
    let accounts = drift["accounts"].as_array().unwrap();
    let mut changes = accounts
        .iter()
        .flat_map(|account| account["changes"].as_array().unwrap());
    changes
        .find(|change| change["address"] == address)
        .unwrap_or_else(|| panic!("{address}: {drift:#}"))["who"]
        .clone()
}

fn throttled(when: When) -> Fault {
    Fault::of(
        "cloudtrail:LookupEvents",
        when,
        Effect::Refuse(Refusal::Throttling),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_it_is_named_with_time_address_and_event_id() {
    let (served, desired) = applied().await;
    mallory(&served)
        .attach_role_policy()
        .role_name("Audit")
        .policy_arn(ADMIN)
        .send()
        .await
        .unwrap();
    let policy = format!("arn:aws:iam::{PAYMENTS}:policy/own/Data");
    let open =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let version = [
        ("PolicyArn", policy.as_str()),
        ("PolicyDocument", open),
        ("SetAsDefault", "true"),
    ];
    served.by_hand(PAYMENTS, "CreatePolicyVersion", &version);
    let grant = [
        ("UserName", "mallory"),
        ("PolicyName", "rolecall-audit-assume"),
    ];
    served.by_hand(PAYMENTS, "DeleteUserPolicy", &grant);

    let drift = json_of(&served, &desired);
    let role = who(&drift, &format!("{PAYMENTS}/role/Audit"));
    let told = |who: &Value| {
        let events = who["events"].as_array().unwrap().iter();
        let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
        events
            .map(|event| ["user", "source", "operation"].map(|name| text(event, name)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(&role),
        [[MALLORY, "127.0.0.1", "AttachRolePolicy"]],
        "{role:#}"
    );
    assert_eq!(
        (&role["more"], &role["complete"], &role["error"]),
        (&json!(0), &json!(true), &Value::Null)
    );
    let event = &role["events"][0];
    assert!(
        event["time"].as_str().unwrap() >= role["since"].as_str().unwrap()[..19].trim(),
        "{role:#}"
    );
    assert_eq!(event["event_id"].as_str().unwrap().len(), 36, "{event}");
    let expect = [[HAND, "203.0.113.7", "CreatePolicyVersion"]];
    assert_eq!(
        told(&who(&drift, &format!("{PAYMENTS}/policy/Data"))),
        expect
    );
    let expect = [[HAND, "203.0.113.7", "DeleteUserPolicy"]];
    assert_eq!(
        told(&who(&drift, &format!("{PAYMENTS}/grant/user/mallory"))),
        expect
    );

    let id = event["event_id"].as_str().unwrap();
    for format in ["text", "markdown", "html"] {
        let mut command = served.command(&desired, &["drift", "--who", "--format", format]);
        let said = run(command.env("AWS_REGION", "eu-west-1")).exits(2);
        let said = said.says(&[
            "user/mallory",
            "127.0.0.1",
            "AttachRolePolicy",
            id,
            "user/by-hand",
            "203.0.113.7",
        ]);
        let plain = said
            .stdout
            .split_once("</noscript>")
            .map_or(&*said.stdout, |(plain, _)| plain);
        assert!(
            plain.contains("user/mallory"),
            "without scripts too: {plain}"
        );
    }
    let (url, posted) = listen([200]);
    served
        .rolecall(&desired, &["drift", "--who", "--notify", &url])
        .exits(2);
    let notice: Value = serde_json::from_slice(&posted.recv().unwrap().body).unwrap();
    assert!(
        notice["text"]
            .as_str()
            .unwrap()
            .contains("user/mallory, AttachRolePolicy)"),
        "{notice:#}"
    );
    let told = notice["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|change| change["address"].as_str().unwrap().ends_with("/role/Audit"));
    assert_eq!(told.unwrap()["who"], role);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_are_told_and_the_others_counted_over_pages() {
    let (served, desired) = applied().await;
    for n in 0..60 {
        let value = n.to_string();
        by_hand(
            &served,
            PAYMENTS,
            "TagRole",
            &[
                ("Tags.member.1.Key", "team"),
                ("Tags.member.1.Value", &value),
            ],
        );
    }
    let role = who(
        &json_of(&served, &desired),
        &format!("{PAYMENTS}/role/Audit"),
    );
    assert_eq!(
        (role["events"].as_array().unwrap().len(), &role["more"]),
        (3, &json!(57)),
        "{role:#}"
    );
    assert_eq!(served.count("LookupEvents"), 2);
    served
        .rolecall(&desired, &["drift", "--who"])
        .exits(2)
        .says(&["+ 57 more since"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_do_not_tell_change_nothing_for_the_others() {
    let (served, desired) = applied().await;
    let endpoint = "http://127.0.0.1:1";
    for account in [PAYMENTS, WEB] {
        by_hand(
            &served,
            account,
            "AttachRolePolicy",
            &[("PolicyArn", ADMIN)],
        );
    }
    let without = served.rolecall(&desired, &["drift"]).exits(2);
    assert!(!without.stdout.contains("who"), "{}", without.stdout);
    assert_eq!(served.count("LookupEvents"), 0, "nobody asked");
    served.sandbox.fail(Fault {
        account: AccountId::parse(PAYMENTS).ok(),
        ..Fault::of(
            "cloudtrail:LookupEvents",
            When::Always,
            Effect::Refuse(Refusal::AccessDenied),
        )
    });
    let said = served.rolecall(&desired, &["drift", "--who"]).exits(2);
    let flat = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "payments-prod (444444444441): unknown: CloudTrail is not readable in this account",
        "`cloudtrail:LookupEvents`",
        "web-prod (444444444442): arn:aws:iam::444444444442:user/by-hand from 203.0.113.7 at",
    ] {
        assert!(flat.contains(words), "{words}: {flat}");
    }
    let drift = json_of(&served, &desired);
    assert_eq!(
        who(&drift, &format!("{PAYMENTS}/role/Audit"))["events"],
        json!([])
    );
    assert_eq!(
        who(&drift, &format!("{WEB}/role/Audit"))["error"],
        Value::Null
    );
    // The endpoint of this service alone can be another one.
    let mut away = served.command(&desired, &["drift", "--who"]);
    let away: Run = run(away
        .env("AWS_ENDPOINT_URL_CLOUDTRAIL", endpoint)
        .env("AWS_MAX_ATTEMPTS", "1"))
    .exits(2);
    away.says(&["CloudTrail could not be read", "cannot reach AWS"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_history_is_asked_again_and_given_up_in_time() {
    let (served, desired) = applied().await;
    by_hand(
        &served,
        PAYMENTS,
        "AttachRolePolicy",
        &[("PolicyArn", ADMIN)],
    );
    served.sandbox.fail(throttled(When::First(2)));
    let role = who(
        &json_of(&served, &desired),
        &format!("{PAYMENTS}/role/Audit"),
    );
    assert_eq!(
        (&role["events"][0]["user"], served.count("LookupEvents")),
        (&json!(HAND), 3),
        "{role:#}"
    );
    served.sandbox.fail(throttled(When::Always));
    let mut command = served.command(&desired, &["drift", "--who"]);
    run(command.env("AWS_MAX_ATTEMPTS", "2"))
        .exits(2)
        .says(&["CloudTrail could not be read", "Rate exceeded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_where_nothing_drifted_and_no_event_is_said() {
    let (served, desired) = applied().await;
    served
        .rolecall(&desired, &["drift", "--who"])
        .exits(0)
        .says(&["No drift in"]);
    desired.write(
        "rolecall.toml",
        &DESIRED.replace("team = \"a\"", "team = \"b\""),
    );
    served
        .rolecall(&desired, &["drift", "--who"])
        .exits(0)
        .says(&["Pending"]);
    assert_eq!(served.count("LookupEvents"), 0);
    by_hand(
        &served,
        PAYMENTS,
        "AttachRolePolicy",
        &[("PolicyArn", ADMIN)],
    );
    served.sandbox.with(|world| world.trail = Trail::default());
    let said = served.rolecall(&desired, &["drift", "--who"]).exits(2);
    let flat = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("unknown: CloudTrail has no change since 2"),
        "{flat}"
    );
    assert!(
        flat.contains("events can be up to 15 minutes late"),
        "{flat}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_before_the_last_apply_is_nobodys_fault_now() {
    let (served, desired) = applied().await;
    by_hand(
        &served,
        PAYMENTS,
        "AttachRolePolicy",
        &[("PolicyArn", ADMIN)],
    );
    // Events have whole seconds: what is done in the second of an apply may have come after it.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    mallory(&served)
        .untag_role()
        .role_name("Audit")
        .tag_keys("team")
        .send()
        .await
        .unwrap();
    let role = who(
        &json_of(&served, &desired),
        &format!("{PAYMENTS}/role/Audit"),
    );
    let events = role["events"].as_array().unwrap();
    assert_eq!(
        (events.len(), &events[0]["user"], &role["more"]),
        (1, &json!(MALLORY), &json!(0)),
        "{role:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_deleted_a_role_and_who_made_it_again_is_named() {
    let (served, desired) = applied().await;
    let own = format!("arn:aws:iam::{PAYMENTS}:policy/own/Data");
    for policy in ["arn:aws:iam::aws:policy/SecurityAudit", &own] {
        by_hand(
            &served,
            PAYMENTS,
            "DetachRolePolicy",
            &[("PolicyArn", policy)],
        );
    }
    let mallory = mallory(&served);
    mallory
        .delete_role()
        .role_name("Audit")
        .send()
        .await
        .unwrap();
    let address = format!("{PAYMENTS}/role/Audit");
    let newest = || {
        let role = who(&json_of(&served, &desired), &address);
        let event = role["events"][0].clone();
        (
            event["user"].as_str().unwrap().to_owned(),
            event["operation"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(newest(), (MALLORY.to_owned(), "DeleteRole".to_owned()));
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;
    by_hand(
        &served,
        PAYMENTS,
        "CreateRole",
        &[("AssumeRolePolicyDocument", trust)],
    );
    assert_eq!(newest(), (HAND.to_owned(), "CreateRole".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_asks_once_about_what_stays_as_it_is() {
    let (served, desired) = applied().await;
    by_hand(
        &served,
        PAYMENTS,
        "AttachRolePolicy",
        &[("PolicyArn", ADMIN)],
    );
    let watch = [
        "drift",
        "--who",
        "--watch",
        "1ms",
        "--rounds",
        "4",
        "--listen",
        "127.0.0.1:0",
        "--quiet",
    ];
    let json = [&watch[..], &["--format", "json"]].concat();
    let told = served.rolecall(&desired, &json).exits(2);
    let address = format!("{PAYMENTS}/role/Audit");
    let looks: Vec<Value> = told
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let named = looks
        .iter()
        .filter(|look| who(look, &address)["events"][0]["user"] == HAND)
        .count();
    assert_eq!((named, served.count("LookupEvents")), (4, 1));
    // No event yet is no answer for good: events come late.
    served.sandbox.with(|world| world.trail = Trail::default());
    let text = served.rolecall(&desired, &watch).exits(2).stdout;
    assert_eq!(
        (
            text.matches("Drift of audit").count(),
            served.count("LookupEvents")
        ),
        (1, 5),
        "{text}"
    );
}

#[test]
fn moto_does_not_tell_and_that_costs_seconds() {
    let Some(world) = World::moto(
        &["Workloads", "Workloads/Prod"],
        &[("prod", "Workloads/Prod")],
    ) else {
        return;
    };
    let desired = Directory::new(DESIRED.split("[[grant]]").next().unwrap());
    let on =
        |args: &[&str]| world.rolecall(&[args, &["-c", desired.path().to_str().unwrap()]].concat());
    on(&["apply", "--auto-approve", "--allow", "mass-change"]).exits(0);
    let iam = world.iam("prod");
    world
        .wait(iam.untag_role().role_name("Audit").tag_keys("team").send())
        .unwrap();
    let start = Instant::now();
    on(&["drift", "--who"])
        .exits(2)
        .says(&["CloudTrail could not be read"]);
    assert!(
        start.elapsed() < Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}
