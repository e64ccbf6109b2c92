//! One run, all reports: what is written to files is what each format prints, and AWS is read once.

use serde_json::Value;

use crate::support::listener::listen;
use crate::support::served::Served;
use crate::support::{Directory, Run, run};

const ROLES: &str = r#"name = "reports"

[[role]]
name = "Vendor"
targets = [{ account = "payments-prod" }, { account = "web-prod" }]
managed_policies = ["aws:AdministratorAccess"]
[[role.trust]]
aws = "999999999999"

[[role]]
name = "Taken"
description = "old"
targets = [{ account = "payments-prod" }]
[[role.trust]]
aws = "111111111111"
"#;

const PAYMENTS: &str = "444444444441";
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}"#;

/// An organization where a role of the name `Taken` is managed by no one.
async fn stage() -> (Served, Directory) {
    let (served, desired) = (Served::demo().await, Directory::new(ROLES));
    let params = [("RoleName", "Taken"), ("AssumeRolePolicyDocument", TRUST)];
    served.by_hand(PAYMENTS, "CreateRole", &params);
    (served, desired)
}

fn read(desired: &Directory, name: &str) -> String {
    std::fs::read_to_string(desired.file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn sarif(desired: &Directory, name: &str) -> Value {
    serde_json::from_str(&read(desired, name)).unwrap()
}

/// Code, level, line and address of each result.
fn results(log: &Value) -> Vec<(String, String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let results = log["runs"][0]["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| {
            let location = &result["locations"][0];
            let physical = &location["physicalLocation"];
            assert!(text(&physical["artifactLocation"]["uri"]).ends_with("/rolecall.toml"));
            (
                text(&result["ruleId"]),
                text(&result["level"]),
                physical["region"]["startLine"].as_u64().unwrap(),
                text(&location["logicalLocations"][0]["fullyQualifiedName"]),
            )
        })
        .collect()
}

fn line_of(role: &str) -> u64 {
    let at = ROLES
        .lines()
        .position(|line| line == format!("name = \"{role}\""))
        .unwrap();
    // The table begins on the line before, and lines are counted from one.
    u64::try_from(at).unwrap()
}

fn files(desired: &Directory, command: &str, formats: &[&str]) -> Vec<String> {
    let mut arguments = vec![command.to_owned()];
    for format in formats {
        let path = desired.file(&format!("report.{format}"));
        arguments.extend([format!("--{format}"), path.to_str().unwrap().to_owned()]);
    }
    arguments
}

fn with(served: &Served, desired: &Directory, arguments: &[String]) -> Run {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    served.rolecall(desired, &arguments)
}

/// Text without what the clock says.
fn timeless(text: &str) -> String {
    let is_time =
        |line: &&str| line.contains("created_at") || line.contains("2026-") || line.contains("UTC");
    text.lines()
        .filter(|line| !is_time(line))
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn all_reports_come_from_one_reading_and_are_what_each_format_prints() {
    let (served, desired) = stage().await;
    let alone = served.rolecall(&desired, &["plan"]).exits(0);
    let calls = served.count("GetAccountAuthorizationDetails");
    let formats = ["json", "markdown", "html", "sarif"];
    let mut arguments = files(&desired, "plan", &formats);
    let saved = desired.file("saved.plan");
    arguments.extend(["--out".to_owned(), saved.to_str().unwrap().to_owned()]);
    let together = with(&served, &desired, &arguments).exits(0);
    assert_eq!(served.count("GetAccountAuthorizationDetails"), 2 * calls);
    assert!(
        together
            .stdout
            .starts_with(&alone.stdout[..alone.stdout.len() / 2]),
        "{}",
        together.stdout
    );
    assert!(saved.exists());
    for format in ["json", "markdown", "html"] {
        let printed = served
            .rolecall(&desired, &["plan", "--format", format])
            .exits(0)
            .stdout;
        let written = read(&desired, &format!("report.{format}"));
        assert_eq!(timeless(&written), timeless(&printed), "{format}");
    }
    let log = sarif(&desired, "report.sarif");
    assert_eq!(log["version"], "2.1.0");
    let found = results(&log);
    let adopt = (
        "adopt".to_owned(),
        "error".to_owned(),
        line_of("Taken"),
        format!("{PAYMENTS}/role/Taken"),
    );
    assert!(found.contains(&adopt), "{found:?}");
    assert!(
        found
            .iter()
            .any(|(code, _, line, _)| code == "admin-to-outsider" && *line == line_of("Vendor")),
        "{found:?}"
    );
    let rules = log["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap();
    for (code, ..) in &found {
        assert!(
            rules.iter().any(|rule| rule["id"] == **code),
            "{code} is not a rule"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_reported_where_the_drifted_resource_is_written() {
    let (served, desired) = stage().await;
    served
        .rolecall(&desired, &["apply", "--auto-approve", "--allow", "adopt"])
        .exits(0);
    served.by_hand(
        PAYMENTS,
        "AttachRolePolicy",
        &[
            ("RoleName", "Vendor"),
            ("PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
        ],
    );
    // What only the file changed is pending, and no one's fault.
    desired.write("rolecall.toml", &ROLES.replace("\"old\"", "\"new\""));
    let formats = ["json", "markdown", "html", "sarif"];
    with(&served, &desired, &files(&desired, "drift", &formats)).exits(2);
    let found = results(&sarif(&desired, "report.sarif"));
    let drifted: Vec<_> = found.iter().filter(|(code, ..)| code == "drift").collect();
    assert_eq!(
        drifted,
        [&(
            "drift".to_owned(),
            "error".to_owned(),
            line_of("Vendor"),
            format!("{PAYMENTS}/role/Vendor")
        )]
    );
    assert_eq!(
        serde_json::from_str::<Value>(&read(&desired, "report.json")).unwrap()["format"],
        "rolecall-drift/1"
    );
    assert!(read(&desired, "report.markdown").contains("ReadOnlyAccess"));
    assert!(read(&desired, "report.html").contains("ReadOnlyAccess"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_github_annotates_and_no_other_run_does() {
    let (served, desired) = stage().await;
    let mut command = served.command(&desired, &["plan", "--quiet"]);
    let annotated = run(command.env("GITHUB_ACTIONS", "true")).exits(0);
    let lines: Vec<&str> = annotated
        .stderr
        .lines()
        .filter(|line| line.starts_with("::"))
        .collect();
    let line = format!(
        "rolecall.toml,line={},title=rolecall adopt::role Taken in payments-prod ({PAYMENTS}): ",
        line_of("Taken")
    );
    assert!(
        lines
            .iter()
            .any(|one| one.starts_with("::error file=") && one.contains(&line)),
        "{lines:#?}"
    );
    assert!(!annotated.stdout.contains("::error"));
    for value in [None, Some("false")] {
        let mut command = served.command(&desired, &["plan"]);
        command.envs(value.map(|value| ("GITHUB_ACTIONS", value)));
        assert!(!run(&mut command).exits(0).stderr.contains("::"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_written_is_named_and_the_others_are_there() {
    let (served, desired) = stage().await;
    let missing = desired.file("missing/report.html");
    let taken = desired.file("taken");
    std::fs::create_dir(&taken).unwrap();
    let mut arguments = files(&desired, "plan", &["json", "markdown"]);
    for (format, path) in [("--html", &missing), ("--sarif", &taken)] {
        arguments.extend([format.to_owned(), path.to_str().unwrap().to_owned()]);
    }
    let saved = desired.file("saved.plan");
    arguments.extend(["--out".to_owned(), saved.to_str().unwrap().to_owned()]);
    let (url, told) = listen([200, 200]);
    arguments.extend(["--notify".to_owned(), url]);
    with(&served, &desired, &arguments)
        .exits(1)
        .says(&["missing/report.html", "taken"]);
    assert!(saved.exists());
    let body: Value = serde_json::from_slice(&told.recv().unwrap().body).unwrap();
    assert_eq!(body["exit_code"], 1, "{body}");
    assert!(!read(&desired, "report.json").is_empty());
    assert!(!read(&desired, "report.markdown").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_results_in_one_file_are_refused_before_aws_is_asked() {
    let (served, desired) = stage().await;
    let calls = served.count("GetCallerIdentity");
    for (command, flags) in [
        ("plan", ["--out", "--json"]),
        ("plan", ["--html", "--sarif"]),
        ("drift", ["--metrics-file", "--markdown"]),
        ("drift", ["--json", "--html"]),
    ] {
        let path = desired.file("same");
        let path = path.to_str().unwrap();
        let words = [flags[0], flags[1], path, "hint"];
        served
            .rolecall(&desired, &[command, flags[0], path, flags[1], path])
            .exits(1)
            .says(&words);
        assert!(!desired.file("same").exists());
    }
    assert_eq!(served.count("GetCallerIdentity"), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_not_read_is_said_in_the_log_of_findings() {
    let (served, desired) = stage().await;
    served.by_hand(
        PAYMENTS,
        "UpdateAssumeRolePolicy",
        &[
            ("RoleName", "OrganizationAccountAccessRole"),
            (
                "PolicyDocument",
                &TRUST.replace("111111111111", "222222222222"),
            ),
        ],
    );
    with(&served, &desired, &files(&desired, "plan", &["sarif"])).exits(3);
    let log = sarif(&desired, "report.sarif");
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let said = invocation["toolExecutionNotifications"].to_string();
    assert!(said.contains(PAYMENTS), "{said}");
}
