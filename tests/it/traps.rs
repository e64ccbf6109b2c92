//! Traps of everyday use: what a newcomer, a second tenant, a renamed account or a rollback runs into.

use serde_json::{Value, json};

use crate::support::served::Served;
use crate::support::world::World;
use crate::support::{Directory, Run, rolecall, run};

const NETWORK: &str = "333333333331";
const LOGS: &str = "222222222221";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}}"#;

fn role(name: &str, rest: &str) -> String {
    format!(
        "[[role]]\nname = \"{name}\"\ntargets = [{{ account = \"network\" }}]\n{rest}\n[[role.trust]]\naws = [\"111111111111\"]\n"
    )
}

fn desired(body: &str) -> Directory {
    Directory::new(&format!(
        "name = \"traps\"\n[limits]\nmax_change_percent = 100\n{body}"
    ))
}

fn rewrite(directory: &Directory, body: &str) {
    directory.write(
        "rolecall.toml",
        &format!("name = \"traps\"\n[limits]\nmax_change_percent = 100\n{body}"),
    );
}

/// The findings of this code: severity, address and message.
fn findings(run: &Run, code: &str) -> Vec<(String, String, String)> {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let json = run.json();
    let found = json["findings"].as_array().unwrap().iter();
    found
        .filter(|one| one["code"] == code)
        .map(|one| {
            (
                text(one, "severity"),
                text(one, "address"),
                text(one, "message"),
            )
        })
        .collect()
}

/// Every change of a plan or drift in JSON.
fn changes(run: &Run) -> Vec<Value> {
    let json = run.json();
    let accounts = json["accounts"].as_array().unwrap();
    accounts
        .iter()
        .flat_map(|account| account["changes"].as_array().unwrap().clone())
        .collect()
}

fn apply(served: &Served, desired: &Directory) -> Run {
    served
        .rolecall(desired, &["apply", "--auto-approve"])
        .exits(0)
}

fn plan(served: &Served, desired: &Directory, more: &[&str]) -> Run {
    let arguments = [&["plan", "--format", "json"], more].concat();
    served.rolecall(desired, &arguments).exits(0)
}

// 1. A changed external id.

const SHARED: &str = r#"
[vars]
id = { type = "string", sensitive = true }
[[role]]
name = "Vendor"
targets = [{ account = "network" }]
[[role.trust]]
aws = ["PRINCIPAL"]
external_id = "{{ var.id }}"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_external_id_is_seen_whatever_else_changes() {
    let served = Served::demo().await;
    let with = |principal: &str| SHARED.replace("PRINCIPAL", principal);
    let directory = desired(&with("999988887777"));
    let old = "--var=id=OldSecret111";
    served
        .rolecall(&directory, &["apply", "--auto-approve", old])
        .exits(0);
    rewrite(&directory, &with("999988886666"));
    let new = "--var=id=NewSecret222";
    for format in ["text", "markdown", "html", "json"] {
        let arguments = |id| ["plan", "--format", format, id];
        let [same, other] =
            [old, new].map(|id| served.rolecall(&directory, &arguments(id)).exits(0).stdout);
        assert!(other.contains("(another value)"), "{format}: {other}");
        assert!(!same.contains("another value"), "{format}: {same}");
        for secret in ["OldSecret111", "NewSecret222"] {
            assert!(
                !same.contains(secret) && !other.contains(secret),
                "{format}"
            );
        }
    }
    let run = plan(&served, &directory, &[new]);
    let trust = &changes(&run)[0]["diffs"][0];
    let id = "/Statement/0/Condition/StringEquals/sts:ExternalId";
    let of = |side: &str| {
        let value = &trust[side];
        let single = value.pointer(&id.replace("/0", ""));
        value.pointer(id).or(single).cloned()
    };
    assert_ne!(of("before"), of("after"), "{trust:#}");

    // Somebody adds an account and swaps the id at once: drift shows both.
    rewrite(&directory, &with("999988887777"));
    let opened = TRUST
        .replace("\"111111111111\"", r#"["999988887777","123123123123"]"#)
        .replace(
            "\"Action\"",
            r#""Condition":{"StringEquals":{"sts:ExternalId":"Elsewhere"}},"Action""#,
        );
    served.by_hand(
        NETWORK,
        "UpdateAssumeRolePolicy",
        &[("RoleName", "Vendor"), ("PolicyDocument", &opened)],
    );
    for format in ["text", "markdown", "html", "json"] {
        let drift = served.rolecall(&directory, &["drift", "--format", format, old]);
        let said = drift.exits(2).stdout;
        assert!(said.contains("(another value)"), "{format}: {said}");
        assert!(
            said.contains("123123123123") && !said.contains("Elsewhere"),
            "{format}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_is_seen_in_tags_descriptions_and_policies() {
    let served = Served::demo().await;
    let directory = desired(
        r#"
[vars]
x = { type = "string", sensitive = true }
[[role]]
name = "Vendor"
description = "for {{ var.x }}"
targets = [{ account = "network" }]
managed_policies = ["local:P"]
tags = { key = "{{ var.x }}" }
[[role.trust]]
aws = ["111111111111"]
[[policy]]
name = "P"
[[policy.statement]]
actions = ["s3:GetObject"]
resources = ["arn:aws:s3:::{{ var.x }}/*"]
"#,
    );
    served
        .rolecall(
            &directory,
            &["apply", "--auto-approve", "--var=x=first-value"],
        )
        .exits(0);
    let run = plan(&served, &directory, &["--var=x=second-value"]);
    let mut seen = Vec::new();
    for change in changes(&run) {
        for diff in change["diffs"].as_array().unwrap() {
            assert_ne!(diff["before"], diff["after"], "{diff:#}");
            assert!(
                diff["before"].to_string().contains("another value"),
                "{diff:#}"
            );
            seen.push(diff["attribute"].as_str().unwrap().to_owned());
        }
    }
    seen.sort();
    assert_eq!(seen, ["description", "document", "tags"]);
    let text = served
        .rolecall(&directory, &["plan", "--var=x=second-value"])
        .exits(0);
    assert_eq!(
        text.stdout.matches("(another value)").count(),
        3,
        "{}",
        text.stdout
    );
}

// 2. Two directories of one name.

#[test]
fn init_names_each_directory_after_itself() {
    let root = tempfile::tempdir().unwrap();
    let name = |directory: &str| {
        let path = root.path().join(directory);
        let mut command = rolecall();
        command.args(["init", "cortex-xdr", "--out"]).arg(&path);
        run(&mut command)
            .exits(0)
            .says(&["No other directory may have that name"]);
        let text = std::fs::read_to_string(path.join("rolecall.toml")).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with("name = "))
            .unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    assert_eq!(name("Tenant A"), "tenant-a");
    assert_eq!(name("fedramp"), "fedramp");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_without_a_record_writes_nothing_that_it_never_made() {
    let served = Served::demo().await;
    let first = desired(&role("First", "managed_policies = [\"aws:SecurityAudit\"]"));
    apply(&served, &first);
    let writes = served.writes();

    // The same name and another role: with prune the first one's would go.
    let second = desired(&role("Second", ""));
    let pruned = plan(&served, &second, &["--prune"]);
    let told = findings(&pruned, "unrecorded");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(
        (&*told[0].0, &*told[0].1),
        ("stop", &*format!("{NETWORK}/role/First"))
    );
    assert!(
        told[0].2.contains("`traps`") && told[0].2.contains("--state"),
        "{}",
        told[0].2
    );
    for command in [
        &["apply", "--prune", "--auto-approve"][..],
        &["destroy", "--auto-approve"],
    ] {
        served
            .rolecall(&second, command)
            .exits(4)
            .says(&["unrecorded"]);
    }
    // The same role: its trust would be written over, replaced, or lose a policy.
    for changed in [
        role("First", "managed_policies = []"),
        role("First", "path = \"/x/\""),
        role("First", "tags = { team = \"b\" }"),
    ] {
        let other = desired(&changed);
        let told = findings(&plan(&served, &other, &[]), "unrecorded");
        assert_eq!(told.len(), 1, "{changed}: {told:#?}");
        served
            .rolecall(&other, &["apply", "--auto-approve"])
            .exits(4)
            .says(&["unrecorded"]);
    }
    assert_eq!(served.writes(), writes);

    // What is only created is nobody else's; and then the record knows what is this directory's and what is not.
    apply(&served, &second);
    served
        .rolecall(&second, &["apply", "--prune", "--auto-approve"])
        .exits(4)
        .says(&["unrecorded", "role `First`"]);
    // A state that was lost: the tag counts once somebody says so.
    let lost = desired(&role("First", "managed_policies = []"));
    served
        .rolecall(&lost, &["apply", "--auto-approve", "--allow", "unrecorded"])
        .exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_that_was_cut_off_is_finished_without_a_flag() {
    use rolecall::sandbox::faults::{Effect, Fault, Refusal, When};
    let served = Served::demo().await;
    let directory = desired(&role("R", "managed_policies = [\"aws:SecurityAudit\"]"));
    served.sandbox.fail(Fault::of(
        "AttachRolePolicy",
        When::First(1),
        Effect::Refuse(Refusal::AccessDenied),
    ));
    served
        .rolecall(&directory, &["apply", "--auto-approve"])
        .exits(3);
    apply(&served, &directory);
}

// 3. The printed command.

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_apply_command_works_as_it_is() {
    let served = Served::demo().await;
    let directory = desired(&format!(
        "[vars]\nteam = \"a\"\nowner = {{ type = \"string\" }}\n{}",
        role(
            "R",
            "tags = { team = \"{{ var.team }}\", owner = \"{{ var.owner }}\" }"
        )
    ));
    directory.write("in puts.toml", "owner = \"x\"\n");
    let out = directory.file("it's reviewed.plan");
    let vars = directory.file("in puts.toml");
    let saved = served.rolecall(
        &directory,
        &[
            "plan",
            "--var",
            "team=b c",
            "--var-file",
            vars.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ],
    );
    let said = saved.exits(0).stderr;
    let command = said.split("To apply exactly this: ").nth(1).unwrap().trim();
    let path = std::path::Path::new(env!("CARGO_BIN_EXE_rolecall"));
    let mut shell = std::process::Command::new("sh");
    shell
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"))
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", path.parent().unwrap().display()),
        )
        .envs(served.env())
        .args(["-c", command]);
    run(&mut shell).exits(0);
    assert_eq!(served.count("CreateRole"), 1);
}

// 4. The quickstart.

#[tokio::test(flavor = "multi_thread")]
async fn the_quickstart_refuses_every_organization_but_the_sandboxs() {
    let quickstart = Directory::new("");
    std::fs::remove_file(quickstart.file("rolecall.toml")).unwrap();
    let mut init = rolecall();
    init.arg("init").arg("--out").arg(quickstart.path());
    run(&mut init).exits(0);
    let elsewhere = Served::new(rolecall::sandbox::world::World::generated(3, 1, 9)).await;
    for command in [&["plan"][..], &["apply", "--auto-approve"], &["drift"]] {
        elsewhere
            .rolecall(&quickstart, command)
            .exits(1)
            .says(&["o-rolecalldemo"]);
    }
    assert_eq!(elsewhere.writes(), Vec::<String>::new());
    Served::demo()
        .await
        .rolecall(&quickstart, &["plan"])
        .exits(0);
}

#[test]
fn a_command_in_a_sandbox_sees_nothing_of_the_machines_aws() {
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart");
    let state = tempfile::tempdir().unwrap();
    let hostile = |command: &mut std::process::Command| {
        command
            .env("AWS_ENDPOINT_URL_IAM", "http://127.0.0.1:9")
            .env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
            .env("AWS_SESSION_TOKEN", "theirs")
            .env("AWS_PROFILE", "production")
            .env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x");
    };
    let rolecall_bin = env!("CARGO_BIN_EXE_rolecall");
    let inside = |command: &[&str]| {
        let mut sandbox = rolecall();
        hostile(&mut sandbox);
        sandbox.args(["sandbox", "run", "--"]).args(command);
        run(&mut sandbox)
    };
    let plan = [
        rolecall_bin,
        "apply",
        "--auto-approve",
        "-c",
        quickstart,
        "--state",
        state.path().to_str().unwrap(),
    ];
    inside(&plan).exits(0).says(&["VendorLogReader", "12 done"]);
    let environment = inside(&["env"]).exits(0).stdout;
    for theirs in [
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_ENDPOINT_URL_",
    ] {
        assert!(!environment.contains(theirs), "{environment}");
    }
    assert!(
        environment.contains("AWS_ENDPOINT_URL=http://127.0.0.1:"),
        "{environment}"
    );
    assert_eq!(inside(&["sh", "-c", "exit 7"]).code, 7);
    assert_eq!(inside(&["/no/such/command"]).code, 1);
}

// 5. Acceptances.

const ACCEPT: &str = r#"
[[accept]]
address = "333333333331/role/R"
attribute = "managed_policies"
reason = "break-glass, SEC-42"
until = 2099-01-31
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_stays_through_plan_and_apply_and_is_told() {
    let served = Served::demo().await;
    let body = |rest: &str| role("R", &format!("managed_policies = []\n{rest}"));
    let directory = desired(&body(""));
    apply(&served, &directory);
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = [("RoleName", "R"), ("PolicyArn", admin)];
    served.by_hand(NETWORK, "AttachRolePolicy", &attach);
    rewrite(&directory, &(body("") + ACCEPT));

    for format in ["text", "markdown", "html", "json"] {
        let told = served
            .rolecall(&directory, &["plan", "--format", format])
            .exits(0);
        assert!(
            told.stdout.contains("break-glass, SEC-42"),
            "{format}: {}",
            told.stdout
        );
    }
    let run = plan(&served, &directory, &[]);
    assert_eq!(changes(&run), Vec::<Value>::new());
    assert_eq!(findings(&run, "accepted").len(), 1);
    // Other changes are made, and the accepted attribute is not.
    rewrite(&directory, &(body("description = \"new\"") + ACCEPT));
    apply(&served, &directory);
    assert_eq!(served.count("DetachRolePolicy"), 0);
    let drift = served
        .rolecall(&directory, &["drift", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(drift["summary"]["accepted"], 1);

    // Once the acceptance is over it is somebody's doing by hand, not the file's.
    rewrite(
        &directory,
        &(body("description = \"new\"") + &ACCEPT.replace("2099", "2020")),
    );
    let drift = served
        .rolecall(&directory, &["drift", "--format", "json"])
        .exits(2)
        .json();
    assert_eq!(drift["summary"]["drift"], 1, "{drift:#}");
    apply(&served, &directory);
    assert_eq!(served.count("DetachRolePolicy"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_file_changed_is_written_though_its_drift_would_be_accepted() {
    let served = Served::demo().await;
    let directory = desired(&role("R", "managed_policies = [\"aws:SecurityAudit\"]"));
    apply(&served, &directory);
    rewrite(&directory, &(role("R", "managed_policies = []") + ACCEPT));
    apply(&served, &directory);
    assert_eq!(served.count("DetachRolePolicy"), 1);
}

// 6 and 7. Causes.

fn last_run(served: &Served, directory: &Directory) -> String {
    let history = served.rolecall(directory, &["state", "history", "--format", "json"]);
    let history = history.exits(0).json();
    history["runs"][0]["header"]["run"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_tells_the_truth_after_a_rollback() {
    let served = Served::demo().await;
    let directory = desired(&role("R", "managed_policies = []"));
    apply(&served, &directory);
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let attach = [("RoleName", "R"), ("PolicyArn", admin)];
    served.by_hand(NETWORK, "AttachRolePolicy", &attach);
    apply(&served, &directory);
    let repair = last_run(&served, &directory);
    served
        .rolecall(&directory, &["rollback", &repair, "--auto-approve"])
        .exits(0);
    let rollback = last_run(&served, &directory);

    let drift = served.rolecall(&directory, &["drift"]).exits(2);
    drift.says(&[
        "Rolled back",
        "access is wider than desired",
        "1 rolled back",
    ]);
    let drift = served
        .rolecall(&directory, &["drift", "--format", "json"])
        .exits(2);
    assert_eq!(drift.json()["summary"]["rolled_back"], 1);
    let change = &changes(&drift)[0];
    assert_eq!(
        (&change["cause"], &change["rolled_back"]),
        (&json!("drift"), &json!(rollback))
    );
    let said = served.rolecall(&directory, &["plan"]).exits(0).stdout;
    assert!(
        said.contains(&format!("(rolled back by run {rollback})")),
        "{said}"
    );
    assert!(
        !said.contains("file changed") && !said.contains("by hand"),
        "{said}"
    );

    // Whoever changes it again does so by hand.
    let tag = [
        ("RoleName", "R"),
        ("PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ];
    served.by_hand(NETWORK, "AttachRolePolicy", &tag);
    let drift = served
        .rolecall(&directory, &["drift", "--format", "json"])
        .exits(2)
        .json();
    assert_eq!(
        (&drift["summary"]["rolled_back"], &drift["summary"]["drift"]),
        (&json!(0), &json!(1))
    );
    apply(&served, &directory);
    served.rolecall(&directory, &["drift"]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_a_rollback_deleted_was_not_deleted_by_hand() {
    let served = Served::demo().await;
    let directory = desired(&role("R", ""));
    apply(&served, &directory);
    let first = last_run(&served, &directory);
    served
        .rolecall(&directory, &["rollback", &first, "--auto-approve"])
        .exits(0);
    let said = served.rolecall(&directory, &["plan"]).exits(0).stdout;
    assert!(said.contains("(rolled back by run "), "{said}");
    served
        .rolecall(&directory, &["drift"])
        .exits(2)
        .says(&["1 rolled back"]);
    apply(&served, &directory);
    served
        .rolecall(&directory, &["plan"])
        .exits(0)
        .says(&["No changes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn causes_are_true() {
    let served = Served::demo().await;
    let directory = desired(&role("R", "managed_policies = []"));
    // Never applied: nobody moved, and nothing is on record.
    let never = served
        .rolecall(&directory, &["drift"])
        .exits(2)
        .says(&["1 never applied", "is to be created"]);
    assert!(!never.text().contains("unknown") && !never.text().contains("is gone"));
    let said = |arguments: &[&str]| served.rolecall(&directory, arguments).stdout;
    // A first apply that was declined changes nothing about the file.
    served
        .rolecall(&directory, &["apply", "--no-input"])
        .exits(1);
    let plan = said(&["plan"]);
    assert!(
        plan.contains("(not applied yet)") && !plan.contains("file changed"),
        "{plan}"
    );
    served
        .rolecall(&directory, &["drift"])
        .exits(0)
        .says(&["1 pending"]);

    apply(&served, &directory);
    rewrite(
        &directory,
        &role("R", "managed_policies = [\"aws:SecurityAudit\"]"),
    );
    assert!(said(&["plan"]).contains("(the file changed)"));
    // That all is destroyed is no change of the file.
    let destroyed = said(&["destroy", "--no-input"]);
    assert!(
        destroyed.contains("will be deleted") && !destroyed.contains("file changed"),
        "{destroyed}"
    );
    // Another organization behind the same ids: nobody deleted anything by hand.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let again = Served::demo().await;
    let plan = again.rolecall(&directory, &["plan"]).exits(0).stdout;
    assert!(
        plan.contains("will be created") && !plan.contains("by hand"),
        "{plan}"
    );
}

// 8. A role that is only taken over.

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_taken_over_is_never_made() {
    let served = Served::demo().await;
    let here = [("RoleName", "Theirs"), ("AssumeRolePolicyDocument", TRUST)];
    served.by_hand(NETWORK, "CreateRole", &here);
    let both = role(
        "Theirs",
        "adopt = true\ncreate = false\nmanage = { trust = \"additive\" }",
    )
    .replace(
        "[{ account = \"network\" }]",
        "[{ account = [\"network\", \"log-archive\"] }]",
    );
    let directory = desired(&both);
    let run = plan(&served, &directory, &[]);
    let told = findings(&run, "missing-role");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(
        (&*told[0].0, &*told[0].1),
        ("warn", &*format!("{LOGS}/role/Theirs"))
    );
    let made: Vec<Value> = changes(&run)
        .iter()
        .map(|change| change["action"].clone())
        .collect();
    assert_eq!(made, ["adopt"]);
    apply(&served, &directory);
    assert_eq!(served.count("CreateRole"), 0);
}

// 9. Left-over policies.

#[tokio::test(flavor = "multi_thread")]
async fn policies_and_grants_that_are_left_over_are_orphans() {
    let served = Served::demo().await;
    served.by_hand(NETWORK, "CreateUser", &[("UserName", "ann")]);
    let more = r#"
[[policy]]
name = "Left"
[[policy.statement]]
actions = ["s3:ListAllMyBuckets"]
resources = ["*"]
[[grant]]
role = "R"
in = { account = "network" }
to = [{ account = "network", user = "ann" }]
"#;
    let directory = desired(&(role("R", "managed_policies = [\"local:Left\"]") + more));
    apply(&served, &directory);
    rewrite(&directory, &role("R", "managed_policies = []"));
    apply(&served, &directory);
    let run = plan(&served, &directory, &[]);
    let addresses: Vec<String> = findings(&run, "orphan")
        .into_iter()
        .map(|one| one.1)
        .collect();
    assert_eq!(
        addresses,
        [
            format!("{NETWORK}/grant/user/ann"),
            format!("{NETWORK}/policy/Left")
        ]
    );
    assert_eq!(run.json()["summary"]["orphans"], 2);
    served
        .rolecall(&directory, &["plan"])
        .exits(0)
        .says(&["2 orphans"]);
    served
        .rolecall(&directory, &["drift", "--format", "json"])
        .exits(0)
        .says(&["policy/Left"]);
    // Whose it is counts: once the mark is gone it is nobody's orphan.
    let arn = format!("arn:aws:iam::{NETWORK}:policy/Left");
    let unmark = [
        ("PolicyArn", &*arn),
        ("TagKeys.member.1", "rolecall:managed-by"),
    ];
    served.by_hand(NETWORK, "UntagPolicy", &unmark);
    assert_eq!(findings(&plan(&served, &directory, &[]), "orphan").len(), 1);
}

// 10. Selectors that match nothing.

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_that_matches_nothing_is_told_in_every_format_and_when_quiet() {
    let served = Served::demo().await;
    for (selector, said) in [
        ("account = \"log-archiv\"", "log-archive"),
        ("account = \"renamed*\"", "matches no account"),
        ("tags = { env = \"nowhere\" }", "matches no account"),
    ] {
        let directory = desired(&role("R", "").replace(
            "account = \"network\"",
            &format!("account = \"network\" }}, {{ {selector}"),
        ));
        for format in ["text", "markdown", "html", "json"] {
            let run = served
                .rolecall(&directory, &["plan", "--quiet", "--format", format])
                .exits(0);
            assert!(
                run.stdout.contains(said),
                "{format} {selector}: {}",
                run.stdout
            );
        }
        let told = findings(&plan(&served, &directory, &["--quiet"]), "selector");
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(
            told[0].0 == "warn" && told[0].2.contains("rolecall.toml:"),
            "{told:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prune_stops_where_a_selector_that_matches_nothing_would_delete() {
    let served = Served::demo().await;
    let with = |selector: &str| {
        let policy = "[[policy]]\nname = \"P\"\n[[policy.statement]]\nactions = [\"s3:ListAllMyBuckets\"]\nresources = [\"*\"]\n";
        let renamed = role("R", "managed_policies = [\"local:P\"]").replace(
            "account = \"network\"",
            &format!("account = \"{selector}\""),
        );
        format!("{renamed}{}{policy}", role("Stays", ""))
    };
    let directory = desired(&(with("log-arch*") + &role("Old", "")));
    apply(&served, &directory);
    rewrite(&directory, &with("renamed*"));
    let run = plan(&served, &directory, &["--prune"]);
    let mut addresses: Vec<String> = findings(&run, "selector-deletes")
        .into_iter()
        .inspect(|one| assert!(one.0 == "stop" && one.2.contains("renamed*"), "{one:?}"))
        .map(|one| one.1)
        .collect();
    addresses.sort();
    // What left the file by itself is not meant.
    assert_eq!(
        addresses,
        [format!("{LOGS}/policy/P"), format!("{LOGS}/role/R")]
    );
    let prune = ["apply", "--prune", "--auto-approve", "--quiet"];
    served
        .rolecall(&directory, &prune)
        .exits(4)
        .says(&["selector-deletes"]);
    assert_eq!(served.count("DeleteRole"), 0);
    // Without prune nothing is deleted, so nothing stops; and destroy means all of it.
    assert_eq!(
        findings(&plan(&served, &directory, &[]), "selector-deletes"),
        []
    );
    served
        .rolecall(
            &directory,
            &[&prune[..], &["--allow", "selector-deletes"]].concat(),
        )
        .exits(0);
    assert_eq!(served.count("DeleteRole"), 2);
    served
        .rolecall(&directory, &["destroy", "--auto-approve"])
        .exits(0);
}

// Saved plans and time.

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_survives_what_it_does_not_manage() {
    let served = Served::demo().await;
    let trusted = |account: &str| TRUST.replace("111111111111", account);
    let additive = "manage = { trust = \"additive\", managed_policies = \"additive\", inline_policies = \"additive\" }\nmanaged_policies = [\"aws:SecurityAudit\"]";
    let directory = desired(&(role("R", additive) + &role("Plain", "")));
    apply(&served, &directory);
    rewrite(
        &directory,
        &(role("R", &format!("{additive}\ndescription = \"d\""))
            .replace("111111111111", "999999999999")
            + &role("Plain", "tags = { team = \"a\" }")),
    );
    let out = directory.file("p.plan");
    let out = out.to_str().unwrap();
    served
        .rolecall(&directory, &["plan", "--out", out])
        .exits(0);

    let readonly = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let tag = |role| {
        [
            ("RoleName", role),
            ("Tags.member.1.Key", "AutoTag"),
            ("Tags.member.1.Value", "x"),
        ]
    };
    served.by_hand(NETWORK, "TagRole", &tag("R"));
    served.by_hand(NETWORK, "TagRole", &tag("Plain"));
    let attach = |role| [("RoleName", role), ("PolicyArn", readonly)];
    served.by_hand(NETWORK, "AttachRolePolicy", &attach("R"));
    served.by_hand(NETWORK, "AttachRolePolicy", &attach("Plain"));
    let inline = [
        ("RoleName", "Plain"),
        ("PolicyName", "theirs"),
        (
            "PolicyDocument",
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}}"#,
        ),
    ];
    served.by_hand(NETWORK, "PutRolePolicy", &inline);
    let bound = [("RoleName", "Plain"), ("PermissionsBoundary", readonly)];
    served.by_hand(NETWORK, "PutRolePermissionsBoundary", &bound);
    served.by_hand(
        NETWORK,
        "CreateInstanceProfile",
        &[("InstanceProfileName", "p")],
    );
    let profile = [("InstanceProfileName", "p"), ("RoleName", "Plain")];
    served.by_hand(NETWORK, "AddRoleToInstanceProfile", &profile);
    // A statement of others beside ours.
    let mut both: Value = serde_json::from_str(&trusted("111111111111")).unwrap();
    let foreign: Value = serde_json::from_str(&trusted("555555555555")).unwrap();
    both["Statement"] = json!([both["Statement"], foreign["Statement"]]);
    let text = both.to_string();
    let trust = [("RoleName", "R"), ("PolicyDocument", &*text)];
    served.by_hand(NETWORK, "UpdateAssumeRolePolicy", &trust);

    served.rolecall(&directory, &["apply", out]).exits(0);
    // What others did is still there, the statement too.
    let said = served
        .rolecall(&directory, &["plan"])
        .exits(0)
        .says(&["No changes"]);
    drop(said);
    let live = served.sandbox.with(|world| {
        format!(
            "{:?}",
            world.accounts[&rolecall::org::AccountId::parse(NETWORK).unwrap()]
                .iam
                .roles["r"]
                .latest()
                .unwrap()
        )
    });
    assert!(
        live.contains("555555555555") && live.contains("999999999999"),
        "{live}"
    );

    // What it manages does make it stale.
    rewrite(
        &directory,
        &(role("R", additive) + &role("Plain", "tags = { team = \"b\" }")),
    );
    served
        .rolecall(&directory, &["plan", "--out", out])
        .exits(0);
    let team = [
        ("RoleName", "Plain"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "z"),
    ];
    served.by_hand(NETWORK, "TagRole", &team);
    let stale = served.rolecall(&directory, &["apply", out, "--format", "json"]);
    let outcomes: Vec<String> = stale.json()["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                one["address"].as_str().unwrap().rsplit('/').next().unwrap(),
                one["outcome"].as_str().unwrap()
            )
        })
        .collect();
    assert!(outcomes.contains(&"Plain stale".to_owned()), "{outcomes:?}");
}

#[test]
fn a_saved_plan_says_what_became_of_its_accounts_and_leaves_those_that_left() {
    let world = World::sandbox(
        &["Prod", "Dev"],
        &[
            ("stays", "Prod"),
            ("moves", "Prod"),
            ("ends", "Prod"),
            ("comes", "Dev"),
        ],
    );
    let directory = Directory::new(
        "name = \"traps\"\n[[role]]\nname = \"R\"\ntargets = [{ ou = \"Prod\" }]\n[[role.trust]]\naws = [\"111111111111\"]\n",
    );
    let config = directory.path().to_str().unwrap().to_owned();
    let out = directory.file("p.plan");
    let out = out.to_str().unwrap();
    world
        .rolecall(&["plan", "-c", &config, "--out", out])
        .exits(0);
    let [moves, comes, ends] = ["moves", "comes", "ends"].map(|name| world.id(name).to_owned());
    let (prod, dev) = (&world.built.units["Prod"], &world.built.units["Dev"]);
    for (account, from, to) in [(&moves, prod, dev), (&comes, dev, prod)] {
        let request = world.cloud.organizations.move_account().account_id(account);
        let request = request.source_parent_id(from).destination_parent_id(to);
        world.wait(request.send()).unwrap();
    }
    let request = world.cloud.organizations.close_account().account_id(&ends);
    world.wait(request.send()).unwrap();
    let applied = world.rolecall(&["apply", "-c", &config, out, "--format", "json"]);
    let report = applied.json();
    for (name, outcome, why) in [
        ("stays", "done", ""),
        ("moves", "stale", "moved from `Prod` to `Dev`"),
        ("ends", "stale", "since the plan was made"),
    ] {
        let address = format!("{}/role/R", world.id(name));
        let results = report["results"].as_array().unwrap();
        let result = results
            .iter()
            .find(|one| one["address"] == *address)
            .unwrap();
        assert_eq!(result["outcome"], outcome, "{result:#}");
        assert!(
            result["error"].as_str().unwrap_or_default().contains(why),
            "{result:#}"
        );
    }
    assert_eq!(applied.code, 3);
    assert!(
        applied.stderr.contains(&format!(
            "account comes ({comes}) is new since the plan was made"
        )),
        "{}",
        applied.stderr
    );
    assert!(
        report["results"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| !one["address"].as_str().unwrap().starts_with(&comes))
    );
}

// Instance profiles.

#[tokio::test(flavor = "multi_thread")]
async fn instance_profiles_are_named_and_put_back() {
    let served = Served::demo().await;
    let directory = desired(&role("Web", "path = \"/\"").replace(
        "aws = [\"111111111111\"]",
        "service = \"ec2.amazonaws.com\"",
    ));
    apply(&served, &directory);
    for profile in ["Web", "OtherStack"] {
        served.by_hand(
            NETWORK,
            "CreateInstanceProfile",
            &[("InstanceProfileName", profile)],
        );
        let add = [("InstanceProfileName", profile), ("RoleName", "Web")];
        served.by_hand(NETWORK, "AddRoleToInstanceProfile", &add);
    }
    let body = |rest: &str| {
        role("Web", rest).replace(
            "aws = [\"111111111111\"]",
            "service = \"ec2.amazonaws.com\"",
        )
    };
    let told = |directory: &Directory, more: &[&str]| {
        for format in ["text", "markdown", "html", "json"] {
            let run = served
                .rolecall(directory, &[&["plan", "--format", format], more].concat())
                .exits(0);
            for word in ["OtherStack", "EC2", "credentials"] {
                assert!(
                    run.stdout.contains(word),
                    "{format} lacks {word}: {}",
                    run.stdout
                );
            }
        }
        assert_eq!(
            findings(&plan(&served, directory, more), "instance-profile").len(),
            1
        );
    };
    rewrite(&directory, &body("path = \"/x/\""));
    told(&directory, &[]);
    apply(&served, &directory);
    let held = || {
        served.sandbox.with(|world| {
            let account = &world.accounts[&rolecall::org::AccountId::parse(NETWORK).unwrap()];
            account
                .iam
                .profiles
                .values()
                .filter(|profile| profile.role.as_deref() == Some("web"))
                .count()
        })
    };
    assert_eq!(held(), 2, "the new role is where the old one was");
    served
        .rolecall(&directory, &["plan"])
        .exits(0)
        .says(&["No changes"]);
    rewrite(&directory, &body("ensure = \"absent\""));
    told(&directory, &[]);
    rewrite(&directory, "");
    told(&directory, &["--prune"]);
    assert_eq!(held(), 2);
}

// Secrets that were replaced.

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_secret_is_kept_nowhere_and_no_rollback_prints_it() {
    let served = Served::demo().await;
    let directory = desired(&SHARED.replace("PRINCIPAL", "999988887777"));
    let with = |arguments: &[&str], id: &str| {
        let id = format!("--var=id={id}");
        served.rolecall(&directory, &[arguments, &[&*id]].concat())
    };
    with(&["apply", "--auto-approve"], "OldSecret111").exits(0);
    with(&["apply", "--auto-approve"], "NewSecret222").exits(0);
    let mut command = served.command(
        &directory,
        &[
            "state",
            "history",
            "--format",
            "json",
            "--var=id=NewSecret222",
        ],
    );
    let history = run(&mut command).exits(0).json();
    let rotation = history["runs"][0]["header"]["run"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut kept = String::new();
    let mut places = vec![directory.file("state")];
    while let Some(place) = places.pop() {
        if place.is_dir() {
            places.extend(
                std::fs::read_dir(place)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            kept += &std::fs::read_to_string(place).unwrap();
        }
    }
    assert!(
        kept.contains("sensitive:sha256:")
            && !kept.contains("OldSecret111")
            && !kept.contains("NewSecret222")
    );

    let back = ["rollback", &rotation, "--auto-approve"];
    let said = with(&back, "NewSecret222").text();
    assert!(
        !said.contains("OldSecret111") && said.contains("give the value that it had"),
        "{said}"
    );
    // Whoever has the value rolls back.
    let said = with(&back, "OldSecret111").exits(0).text();
    assert!(
        !said.contains("OldSecret111") && !said.contains("NewSecret222"),
        "{said}"
    );
    with(&["plan"], "OldSecret111")
        .exits(0)
        .says(&["No changes"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_aws_says_is_masked_in_every_text() {
    let served = Served::demo().await;
    let directory = desired(
        "[vars]\nx = { type = \"string\", sensitive = true }\n[[role]]\nname = \"R\"\ntargets = [{ account = \"network\" }]\nmanaged_policies = [\"aws:{{ var.x }}\"]\n[[role.trust]]\naws = [\"arn:aws:iam::{{ account.id }}:role/{{ var.x }}\"]\n",
    );
    let secret = "SuperSecretVal9";
    let var = format!("--var=x={secret}");
    for arguments in [
        &["plan"][..],
        &["plan", "-v"],
        &["plan", "--format", "markdown"],
        &["plan", "--format", "html"],
        &["plan", "--format", "json"],
        &["apply", "--auto-approve"],
        &[
            "apply",
            "--auto-approve",
            "--allow",
            "missing-policy",
            "--allow",
            "missing-principal",
        ],
        &[
            "apply",
            "--auto-approve",
            "--allow",
            "missing-policy",
            "--allow",
            "missing-principal",
            "--format",
            "json",
        ],
        &["drift"],
    ] {
        let said = served
            .rolecall(&directory, &[arguments, &[&*var]].concat())
            .text();
        assert!(!said.contains(secret), "{arguments:?}: {said}");
    }
}
