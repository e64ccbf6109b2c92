//! What goes wrong before anything is written: each message says where and what to do, each exit code is the contract's.

use crate::support::served::Served;
use crate::support::{Directory, Run, rolecall, run};

const TRUST: &str = "[[role.trust]]\naws = [\"{{ organization.management_account }}\"]\n";

fn role(rest: &str) -> String {
    format!("name = \"negative\"\n[[role]]\nname = \"R\"\n{rest}\n")
}

#[track_caller]
fn validate(desired: &Directory) -> Run {
    run(rolecall().arg("validate").arg("-c").arg(desired.path()))
}

#[test]
fn every_problem_of_a_run_is_said_at_once_with_its_place() {
    let desired = Directory::of(&[
        (
            "rolecall.toml",
            "name = \"negative\"\ncolour = 1\n[[role]]\nname = \"has space\"\nmax_session_duration = \"30m\"\ntargets = \"all\"\ntrust = \"absent.json\"\n",
        ),
        (
            "more.toml",
            "[[role]]\nname = \"Twice\"\ntargets = \"all\"\ntrust = \"twice.json\"\n[[role]]\nname = \"twice\"\ntargets = \"all\"\ntrust = \"star.json\"\n",
        ),
        (
            "twice.json",
            "{\"Version\": \"2012-10-17\",\n \"Version\": \"2012-10-17\",\n \"Statement\": {\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"111111111111\"}, \"Action\": \"sts:AssumeRole\"}}",
        ),
        (
            "star.json",
            "{\"Version\": \"2012-10-17\",\n \"Statement\": {\"Effect\": \"Allow\",\n  \"Principal\": \"*\", \"Action\": \"sts:AssumeRole\"}}",
        ),
    ]);
    validate(&desired).exits(1).says(&[
        "rolecall.toml:2:1",
        "unknown key `colour`",
        "rolecall.toml:4:8",
        "`has space`",
        "rolecall.toml:5:24",
        "1800",
        "3600",
        "1 hour",
        "rolecall.toml:7:9",
        "absent.json",
        "more.toml:6:8",
        "case",
        "twice.json:2:2",
        "`Version` appears twice",
        "star.json:3:",
        "{\"AWS\": \"*\"}",
    ]);
}

#[test]
fn malformed_toml_is_underlined() {
    let desired = Directory::new("name = \"x\"\n[vars\na = 1\n");
    validate(&desired)
        .exits(1)
        .says(&["rolecall.toml:2:6", "[vars"]);
    validate(&Directory::of(&[("other.toml", "name = \"x\"\n")]))
        .exits(1)
        .says(&["rolecall.toml"]);
}

#[test]
fn an_account_id_of_11_digits_is_refused() {
    let desired = Directory::new(&role(
        "targets = [{ account = \"12345678901\" }]\n[[role.trust]]\naws = [\"12345678901\"]",
    ));
    validate(&desired)
        .exits(1)
        .says(&["12 digits", "12345678901", "rolecall.toml:4:24"]);
    let number = Directory::new(
        "name = \"n\"\n[vars]\nvendor = { type = \"account_id\", default = 6742885340 }\n[[role]]\nname = \"R\"\ntargets = \"all\"\n[[role.trust]]\naws = [\"{{ var.vendor }}\"]\n",
    );
    validate(&number)
        .exits(1)
        .says(&["12 digits", "string", "rolecall.toml:3:"]);
}

#[test]
fn validate_in_json_says_the_same() {
    let desired = Directory::new("name = \"x\"\nnmae = \"y\"\n");
    let run = run(rolecall()
        .args(["validate", "--format", "json", "-c"])
        .arg(desired.path()))
    .exits(1);
    let problem = &run.json()["problems"][0];
    assert_eq!(problem["severity"], "error");
    assert_eq!(problem["line"], 2);
    assert_eq!(problem["column"], 1);
    assert_eq!(problem["hint"], "did you mean `name`?");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_unit_or_account_and_a_wrong_organization_are_errors() {
    let served = Served::demo().await;
    let unit = Directory::new(&role(&format!(
        "targets = [{{ ou = \"Workload/Prod\" }}]\n{TRUST}"
    )));
    served.rolecall(&unit, &["plan"]).exits(1).says(&[
        "Workload/Prod",
        "does not exist",
        "rolecall.toml:4:",
        "Workloads/Prod",
    ]);
    let account = Directory::new(&role(&format!(
        "targets = [{{ account = \"987654321098\" }}]\n{TRUST}"
    )));
    served
        .rolecall(&account, &["plan"])
        .exits(1)
        .says(&["987654321098", "does not exist"]);
    let other = Directory::new(&format!(
        "name = \"n\"\n[organization]\nid = \"o-anotherorg1\"\n[[role]]\nname = \"R\"\ntargets = \"all\"\n{TRUST}"
    ));
    served
        .rolecall(&other, &["plan"])
        .exits(1)
        .says(&["o-anotherorg1", "o-rolecalldemo"]);
    let nothing = Directory::new(&role(&format!(
        "targets = [{{ account = \"nobody-*\" }}]\n{TRUST}"
    )));
    served
        .rolecall(&nothing, &["plan"])
        .exits(0)
        .says(&["warning", "nobody-*"]);
    assert_eq!(served.count("CreateRole"), 0);
}

#[test]
fn without_credentials_the_message_says_how_to_get_some() {
    let desired = Directory::new(&role(&format!("targets = \"all\"\n{TRUST}")));
    let run = run(rolecall().arg("plan").arg("-c").arg(desired.path()));
    run.exits(1).says(&["credentials", "AWS_PROFILE"]);
}

#[test]
fn wrong_usage_is_1_and_help_is_0() {
    run(rolecall().args(["plan", "--bogus"]))
        .exits(1)
        .says(&["--bogus"]);
    run(rolecall().args(["frobnicate"])).exits(1);
    let help = run(rolecall().args(["--help"])).exits(0);
    assert!(help.stderr.is_empty());
    help.says(&["Exit codes", "130", "sandbox demo"]);
    run(rolecall().args(["--version"]))
        .exits(0)
        .says(&[env!("CARGO_PKG_VERSION")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn color_is_asked_for_or_absent_and_quiet_is_quiet() {
    let served = Served::demo().await;
    let desired = Directory::new(&role(&format!(
        "targets = [{{ account = \"network\" }}]\n{TRUST}"
    )));
    let plain = served.rolecall(&desired, &["plan"]).exits(0);
    assert!(!plain.text().contains('\u{1b}'), "{}", plain.text());
    assert!(
        plain.stderr.contains("Reading accounts 1/1 network"),
        "{}",
        plain.stderr
    );
    let colored = served
        .rolecall(&desired, &["plan", "--color", "always"])
        .exits(0);
    assert!(colored.stdout.contains("\u{1b}["));
    assert!(
        served
            .rolecall(&desired, &["plan", "--quiet"])
            .exits(0)
            .stderr
            .is_empty()
    );
    let logs = served
        .rolecall(
            &desired,
            &["plan", "-vv", "--log-format", "json", "--quiet"],
        )
        .exits(0)
        .stderr;
    let first: serde_json::Value =
        serde_json::from_str(logs.lines().next().expect("a log line")).unwrap();
    assert!(first["timestamp"].is_string(), "{first}");
}

/// Variables of the environment, and what is said of them.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn settings_of_aws_that_cannot_work_are_named() {
    let desired = Directory::new("name = \"x\"\n");
    let key = ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE");
    let secret = ("AWS_SECRET_ACCESS_KEY", "s3cret-key");
    let cases: [Case<'_>; 6] = [
        (
            &[("AWS_PROFILE", "nope")],
            &["no AWS credentials", "AWS_PROFILE is `nope`"],
        ),
        (
            &[key],
            &["AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not"],
        ),
        (
            &[secret],
            &["AWS_SECRET_ACCESS_KEY is set but AWS_ACCESS_KEY_ID is not"],
        ),
        (
            &[key, secret, ("AWS_ENDPOINT_URL", "localhost:4566")],
            &[
                "`AWS_ENDPOINT_URL`",
                "`localhost:4566` is not an endpoint URL",
            ],
        ),
        (
            &[key, secret, ("AWS_ENDPOINT_URL", "")],
            &["`AWS_ENDPOINT_URL`", "`` is not an endpoint URL"],
        ),
        (
            &[key, secret, ("AWS_ENDPOINT_URL_STS", "http://")],
            &["`AWS_ENDPOINT_URL_STS`", "`http://` is not an endpoint URL"],
        ),
    ];
    for (env, words) in cases {
        let mut command = rolecall();
        let run = run(command
            .args(["accounts", "-c"])
            .arg(desired.path())
            .envs(env.iter().copied()))
        .exits(1)
        .says(words);
        for word in [
            "Request {",
            "SdkBody",
            "EnvConfigError",
            "panicked",
            "s3cret-key",
        ] {
            assert!(!run.text().contains(word), "{run:?}");
        }
    }
}

#[test]
fn a_server_that_does_not_answer_is_said_to_be_waited_for() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let desired = Directory::new("name = \"x\"\n");
    let mut command = rolecall();
    command
        .args(["accounts", "-c"])
        .arg(desired.path())
        .envs(crate::support::aws_env(&endpoint, "key", "secret"));
    let mut child = command
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stderr.take().unwrap()),
        &mut line,
    )
    .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(line, "still waiting for STS to identify the caller\n");
}
