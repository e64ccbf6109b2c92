//! The desired-state language through the binary: checks, modules, and directories made by `init`.

use serde_json::Value;

use crate::support::served::Served;
use crate::support::{Directory, rolecall, run};

const ROLE: &str = "
name = \"language\"
[[role]]
name = \"Reader\"
targets = \"all\"
exclude = [{ account = \"management\" }]
[[role.trust]]
aws = \"{{ organization.management_account }}\"
organization_id = \"{{ organization.id }}\"
";

const CHECKS: &str = "
[[check]]
for = \"role\"
assert = \"role.name is startingwith 'X'\"
message = \"`{{ role.name }}` must begin with X\"
code = \"house-name\"
[[check]]
for = \"plan\"
assert = \"plan.summary.create == 0\"
message = \"{{ plan.summary.create }} new roles\"
severity = \"warn\"
";

fn validate(directory: &Directory, more: &[&str]) -> crate::support::Run {
    run(rolecall()
        .arg("validate")
        .arg("-c")
        .arg(directory.path())
        .args(more))
}

#[test]
fn a_failed_check_refuses_validate() {
    let directory = Directory::of(&[("rolecall.toml", ROLE), ("checks.toml", CHECKS)]);
    validate(&directory, &[]).exits(4).says(&[
        "stop",
        "house-name",
        "`Reader` must begin with X",
        "rolecall.toml:3",
    ]);
    let json = validate(&directory, &["--format", "json"]).exits(4).json();
    assert_eq!(json["valid"], false);
    assert_eq!(json["findings"][0]["code"], "house-name");
    assert_eq!(
        (
            &json["findings"][0]["severity"],
            &json["findings"][0]["address"]
        ),
        (&"stop".into(), &Value::Null)
    );
    directory.write("lints.toml", "[lints]\nhouse-name = \"warn\"\n");
    let json = validate(&directory, &["--format", "json"]).exits(0).json();
    assert_eq!(
        (&json["valid"], &json["findings"][0]["severity"]),
        (&true.into(), &"warn".into())
    );
    validate(&directory, &[])
        .exits(0)
        .says(&["valid language", "warn house-name"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_findings_of_the_plan_and_stop_apply() {
    let served = Served::demo().await;
    let directory = Directory::of(&[("rolecall.toml", ROLE), ("checks.toml", CHECKS)]);
    let plan = served
        .rolecall(&directory, &["plan", "--format", "json"])
        .exits(0)
        .json();
    let findings: Vec<&Value> = plan["findings"].as_array().unwrap().iter().collect();
    let roles: Vec<&&Value> = findings
        .iter()
        .filter(|finding| finding["code"] == "house-name")
        .collect();
    let created = plan["summary"]["create"].as_u64().unwrap();
    assert!(created > 1 && roles.len() as u64 == created, "{plan:#}");
    assert!(
        roles[0]["address"]
            .as_str()
            .unwrap()
            .ends_with("/role/Reader")
    );
    let whole = findings
        .iter()
        .find(|finding| finding["code"] == "check")
        .unwrap();
    assert_eq!(whole["message"], format!("{created} new roles"));
    served
        .rolecall(&directory, &["apply", "--auto-approve"])
        .exits(4)
        .says(&["house-name"]);
    served
        .rolecall(
            &directory,
            &["apply", "--auto-approve", "--allow", "house-name"],
        )
        .exits(0);
    let again = served
        .rolecall(&directory, &["plan", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(again["summary"]["steps"], 0);
}

#[test]
fn a_directory_is_begun_and_never_written_over() {
    let directory = Directory::of(&[]);
    let init = |name: &[&str]| {
        run(rolecall()
            .current_dir(directory.path())
            .arg("init")
            .args(name)
            .args(["--out", "new"]))
    };
    init(&[])
        .exits(0)
        .says(&["new/rolecall.toml", "rolecall validate -c new"]);
    run(rolecall()
        .current_dir(directory.path())
        .args(["validate", "-c", "new"]))
    .exits(0);
    directory.write("new/rolecall.toml", "mine");
    init(&[])
        .exits(1)
        .says(&["`new/rolecall.toml`", "would be overwritten", "--out"]);
    assert_eq!(
        std::fs::read_to_string(directory.file("new/rolecall.toml")).unwrap(),
        "mine"
    );
    init(&["quickstrat"])
        .exits(1)
        .says(&["there is no kit `quickstrat`", "did you mean `quickstart`?"]);
}
