//! `rolecall import live`: from what an organization holds to a plan that only adopts.

use std::collections::BTreeMap;
use std::path::Path;

use rolecall::org::AccountId;
use rolecall::sandbox::world::World;
use serde_json::Value;

use crate::support::served::Served;
use crate::support::{Directory, Run, rolecall, run};

fn import(served: &Served, out: &Path, more: &[&str]) -> Run {
    run(rolecall()
        .envs(served.env())
        .args(["import", "live", "--out"])
        .arg(out)
        .args(more))
}

/// The files of an import by path, the report aside.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().unwrap() != "IMPORT.md" {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                found.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    found
}

fn trust(statements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
}

/// Roles of every account, in variance, and of one account alone.
fn populate(served: &Served) -> usize {
    let accounts: Vec<AccountId> = served
        .sandbox
        .with(|world| world.accounts.keys().copied().collect());
    let hand = |account: &AccountId, operation: &str, params: &[(&str, &str)]| {
        served.by_hand(account.as_str(), operation, params);
    };
    let mut roles = 0;
    for (at, account) in accounts.iter().enumerate() {
        let external = if at % 5 == 0 {
            "secret-of-one"
        } else {
            "secret-of-all"
        };
        let vendor = trust(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::999999999999:root"}},"Action":"sts:AssumeRole","Condition":{{"StringEquals":{{"sts:ExternalId":"{external}"}}}}}}"#
        ));
        let path = "/vendor/";
        hand(
            account,
            "CreateRole",
            &[
                ("RoleName", "Vendor"),
                ("Path", path),
                ("AssumeRolePolicyDocument", &vendor),
                ("Description", "for the vendor"),
            ],
        );
        let bucket = if at % 7 == 3 { "other" } else { "audit" };
        let document = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}-{account}/*"}}]}}"#
        );
        hand(
            account,
            "PutRolePolicy",
            &[
                ("RoleName", "Vendor"),
                ("PolicyName", "read"),
                ("PolicyDocument", &document),
            ],
        );
        hand(
            account,
            "AttachRolePolicy",
            &[
                ("RoleName", "Vendor"),
                ("PolicyArn", "arn:aws:iam::aws:policy/SecurityAudit"),
            ],
        );
        if at % 4 == 1 {
            hand(
                account,
                "AttachRolePolicy",
                &[
                    ("RoleName", "Vendor"),
                    ("PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
                ],
            );
        }
        hand(
            account,
            "CreatePolicy",
            &[("PolicyName", "Data"), ("PolicyDocument", &document)],
        );
        let name = format!("Reader-{account}");
        let own = trust(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"sts:AssumeRole"}}"#
        ));
        hand(
            account,
            "CreateRole",
            &[
                ("RoleName", &name),
                ("AssumeRolePolicyDocument", &own),
                ("MaxSessionDuration", "7200"),
            ],
        );
        hand(
            account,
            "AttachRolePolicy",
            &[
                ("RoleName", &name),
                ("PolicyArn", &format!("arn:aws:iam::{account}:policy/Data")),
            ],
        );
        roles += 2;
    }
    let service = trust(
        r#"{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}"#,
    );
    hand(
        &accounts[1],
        "CreateRole",
        &[
            ("RoleName", "function"),
            ("AssumeRolePolicyDocument", &service),
        ],
    );
    roles
}

fn actions(plan: &Value) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for account in plan["accounts"].as_array().unwrap() {
        for change in account["changes"].as_array().unwrap() {
            let steps: Vec<&str> = change["steps"]
                .as_array()
                .unwrap()
                .iter()
                .map(|step| step["op"].as_str().unwrap())
                .collect();
            let text = format!("{} {}", change["action"].as_str().unwrap(), steps.join(" "));
            *counts.entry(text).or_insert(0) += 1;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_adopts_what_is_there_applies_and_comes_out_the_same_again() {
    let served = Served::new(World::generated(33, 6, 1)).await;
    let roles = populate(&served);
    let directory = Directory::of(&[]);
    let out = directory.file("desired");
    let report = import(&served, &out, &["--name", "imported", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(report["counts"]["lost"], 0, "{report:#}");
    assert_eq!(report["counts"]["roles"], 2, "{report:#}");
    let codes: BTreeMap<&str, usize> =
        report["entries"]
            .as_array()
            .unwrap()
            .iter()
            .fold(BTreeMap::new(), |mut counts, one| {
                *counts.entry(one["code"].as_str().unwrap()).or_default() += 1;
                counts
            });
    assert_eq!(
        codes.get("filtered"),
        Some(&1),
        "the role of a function: {codes:?}"
    );
    let secret = |text: &str| text.contains("secret-of-one") || text.contains("secret-of-all");
    let written = files(&out);
    for (name, text) in &written {
        assert_eq!(
            secret(text),
            name == "accounts.secret.toml",
            "{name}\n{text}"
        );
    }
    assert!(!secret(
        &std::fs::read_to_string(out.join("IMPORT.md")).unwrap()
    ));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(out.join("accounts.secret.toml"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let desired = |command: &[&str]| {
        run(rolecall()
            .envs(served.env())
            .args(command)
            .arg("-c")
            .arg(&out))
    };
    desired(&["validate"]).exits(0);
    let plan = desired(&["plan", "--format", "json"]).exits(0).json();
    assert_eq!(
        actions(&plan),
        BTreeMap::from([
            ("adopt TagPolicy".to_owned(), roles / 2),
            ("adopt TagRole".to_owned(), roles)
        ]),
        "{written:#?}"
    );
    desired(&["apply", "--auto-approve", "--allow", "change-percent"]).exits(0);
    assert_eq!(
        desired(&["plan", "--format", "json"]).exits(0).json()["summary"]["steps"],
        0
    );

    // Managed by this name by now, it comes out the same.
    let again = directory.file("again");
    import(&served, &again, &["--name", "imported"])
        .exits(0)
        .says(&["2 roles", "1 policy", "see IMPORT.md"]);
    let mut second = files(&again);
    let mut first = written;
    for (_, text) in second.iter_mut().chain(first.iter_mut()) {
        *text = text.replace("adopt = true\n", "");
    }
    assert_eq!(first, second);
    // Another directory leaves them alone.
    let other = directory.file("other");
    let left = run(rolecall()
        .envs(served.env())
        .args([
            "import", "live", "--name", "other", "--format", "json", "--out",
        ])
        .arg(&other))
    .exits(0)
    .json();
    assert_eq!(left["counts"]["roles"], 0, "{left:#}");
    assert!(
        served
            .writes()
            .iter()
            .all(|write| !write.contains("Detach") && !write.contains("Delete"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_writes_nothing_over_and_says_what_it_could_not_read() {
    let served = Served::demo().await;
    let directory = Directory::of(&[]);
    let out = directory.file("desired");
    import(
        &served,
        &out,
        &["--account", "log-archive", "--include", "services"],
    )
    .exits(0);
    let before = files(&out);
    import(&served, &out, &[]).exits(1).says(&[
        "nothing was written",
        "would be overwritten",
        "--out DIR",
    ]);
    assert_eq!(files(&out), before);
    import(&served, &directory.file("x"), &["--account", "log-archvie"])
        .exits(1)
        .says(&["did you mean"]);
    assert!(!directory.file("x").exists());
    import(&served, &directory.file("x"), &["--name", "No Name"])
        .exits(1)
        .says(&["1 to 64 of a-z"]);
    // An account that cannot be entered is lost, and no target takes it in.
    let closed = trust(r#"{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}"#);
    let access = ("RoleName", "OrganizationAccountAccessRole");
    served.by_hand(
        "333333333331",
        "UpdateAssumeRolePolicy",
        &[access, ("PolicyDocument", &closed)],
    );
    let run = import(&served, &directory.file("partial"), &["--format", "json"])
        .exits(3)
        .json();
    let lost: Vec<&Value> = run["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["class"] == "lost")
        .collect();
    assert_eq!(
        (lost.len(), &lost[0]["code"]),
        (1, &"unreadable".into()),
        "{lost:#?}"
    );
    import(
        &served,
        &directory.file("none"),
        &["--access-role", "Nobody", "--account", "network"],
    )
    .exits(1);
}
