//! Other people's clients, the `aws` CLI and boto3, talk to `rolecall sandbox serve`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::moto::{missing, python};
use crate::support::{Run, rolecall, run};

/// The binary as it serves the demo's organization, gone with the test.
struct Server {
    child: Child,
    env: Vec<(String, String)>,
}

impl Server {
    /// Starts it and reads the variables that it tells to export.
    fn start() -> Self {
        let mut command = rolecall();
        command
            .args(["sandbox", "serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut env: Vec<(String, String)> = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            env.push(exported(&line.unwrap()));
            if env.last().unwrap().0 == "AWS_SECRET_ACCESS_KEY" {
                break;
            }
        }
        Self { child, env }
    }

    /// A client with nothing in its environment but what the server said.
    fn client(&self, program: PathBuf) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.env.iter().cloned())
            .stdin(Stdio::null());
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", "/nonexistent")
            .env("AWS_PAGER", "");
        command.env("PYTHONUTF8", "1");
        command
    }

    fn aws(&self, arguments: &[&str]) -> Run {
        run(self.client(aws()).args(arguments))
    }

    /// Asserts that the CLI fails, by whichever exit code its version has for that, and says these words.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], words: &[&str]) {
        let run = self.aws(arguments).says(words);
        assert_ne!(run.code, 0, "{run:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// `export NAME=value`, as a shell would read it.
fn exported(line: &str) -> (String, String) {
    let (name, value) = line
        .strip_prefix("export ")
        .and_then(|rest| rest.split_once('='))
        .unwrap();
    (name.to_owned(), value.to_owned())
}

/// The `aws` beside the Python of the tests, or else the system's.
fn aws() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/aws");
    if own.exists() {
        own
    } else {
        PathBuf::from("aws")
    }
}

/// Whether a client can be started at all; says how to install it where it cannot.
fn installed(program: PathBuf, arguments: &[&str], what: &str) -> bool {
    let started = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let started = started.is_ok_and(|status| status.success());
    if !started {
        missing(what);
    }
    started
}

/// A trust policy for account 111111111111, the demo's management account, whoever has the external id.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"a+b"}}}]}"#;

#[test]
fn the_aws_cli_talks_to_the_sandbox() {
    if !installed(aws(), &["--version"], "the aws CLI") {
        return;
    }
    let server = Server::start();
    let accounts = server
        .aws(&["organizations", "list-accounts"])
        .exits(0)
        .json();
    assert_eq!(
        accounts["Accounts"].as_array().unwrap().len(),
        12,
        "{accounts}"
    );

    let create = [
        "iam",
        "create-role",
        "--role-name",
        "vendor",
        "--assume-role-policy-document",
        TRUST,
    ];
    server
        .aws(
            &[
                &create[..],
                &["--description", "a + b", "--tags", "Key=team,Value=web"],
            ]
            .concat(),
        )
        .exits(0);
    let mut role = server
        .aws(&["iam", "get-role", "--role-name", "vendor"])
        .exits(0)
        .json()["Role"]
        .take();
    assert_eq!(role["Description"], "a + b");
    assert_eq!(role["MaxSessionDuration"], 3600);
    assert_eq!(role["Tags"], json!([{"Key": "team", "Value": "web"}]));
    let trusted = role["AssumeRolePolicyDocument"]["Statement"][0].take();
    assert_eq!(
        trusted["Principal"]["AWS"],
        "arn:aws:iam::111111111111:root"
    );
    assert_eq!(
        trusted["Condition"]["StringEquals"]["sts:ExternalId"],
        "a+b"
    );
    server.refuses(&create, &["EntityAlreadyExists", "CreateRole"]);

    let listed = server
        .aws(&["iam", "list-roles", "--query", "Roles[].RoleName"])
        .exits(0)
        .json();
    assert!(
        listed.as_array().unwrap().contains(&json!("vendor")),
        "{listed}"
    );

    let arn = "arn:aws:iam::111111111111:role/vendor";
    let enter = [
        "sts",
        "assume-role",
        "--role-arn",
        arn,
        "--role-session-name",
        "cli",
    ];
    server.refuses(&enter, &["AccessDenied", "sts:AssumeRole", arn]);
    let session = server
        .aws(&[&enter[..], &["--external-id", "a+b"]].concat())
        .exits(0)
        .json();
    assert_eq!(
        session["AssumedRoleUser"]["Arn"],
        "arn:aws:sts::111111111111:assumed-role/vendor/cli"
    );
    let secret = |name: &str| session["Credentials"][name].as_str().unwrap().to_owned();
    let identity = run(server
        .client(aws())
        .args(["sts", "get-caller-identity", "--query", "Arn"])
        .env("AWS_ACCESS_KEY_ID", secret("AccessKeyId"))
        .env("AWS_SECRET_ACCESS_KEY", secret("SecretAccessKey"))
        .env("AWS_SESSION_TOKEN", secret("SessionToken")));
    assert_eq!(identity.exits(0).json(), session["AssumedRoleUser"]["Arn"]);
}

#[test]
fn the_aws_cli_asks_the_sandbox_who_did_it() {
    if !installed(aws(), &["--version"], "the aws CLI") {
        return;
    }
    let server = Server::start();
    server
        .aws(&[
            "iam",
            "create-role",
            "--role-name",
            "vendor",
            "--assume-role-policy-document",
            TRUST,
        ])
        .exits(0);
    for n in 0..3 {
        server
            .aws(&[
                "iam",
                "tag-role",
                "--role-name",
                "vendor",
                "--tags",
                &format!("Key=n,Value={n}"),
            ])
            .exits(0);
    }
    let lookup = [
        "cloudtrail",
        "lookup-events",
        "--page-size",
        "2",
        "--lookup-attributes",
    ];
    let about = |name: &str| format!("AttributeKey=ResourceName,AttributeValue={name}");
    let told = server
        .aws(&[&lookup[..], &[&about("vendor")]].concat())
        .exits(0)
        .json();
    let names: Vec<&str> = told["Events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["EventName"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["TagRole", "TagRole", "TagRole", "CreateRole"],
        "{told}"
    );
    let event = &told["Events"][3];
    assert_eq!(
        (&event["Username"], &event["ReadOnly"]),
        (&json!("admin"), &json!("false"))
    );
    assert_eq!(
        event["Resources"][0],
        json!({"ResourceType": "AWS::IAM::Role", "ResourceName": "vendor"})
    );
    let record: Value = serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!(
        record["userIdentity"]["arn"],
        "arn:aws:iam::111111111111:user/admin"
    );
    let later = ["--start-time", "2999-01-01T00:00:00Z"];
    let later = server
        .aws(&[&lookup[..], &[&about("vendor")], &later].concat())
        .exits(0)
        .json();
    assert_eq!(later["Events"], json!([]));
    server.refuses(
        &[&lookup[..], &[&about("a"), &about("b")]].concat(),
        &["InvalidLookupAttributesException"],
    );
    let away = server
        .aws(&[&lookup[..], &[&about("vendor"), "--region", "eu-west-1"]].concat())
        .exits(0)
        .json();
    assert_eq!(away["Events"], json!([]), "IAM's events are in one region");
}

#[test]
fn boto3_talks_to_the_sandbox() {
    if !installed(python(), &["-c", "import boto3"], "boto3") {
        return;
    }
    let server = Server::start();
    let told = run(server
        .client(python())
        .args(["-c", include_str!("support/boto.py")]))
    .exits(0)
    .json();

    let sizes = |name: &str| -> Vec<usize> {
        told[name]
            .as_array()
            .unwrap()
            .iter()
            .map(|page| page.as_array().unwrap().len())
            .collect()
    };
    assert_eq!(sizes("accounts"), [5, 5, 2], "{told}");
    assert!(sizes("details").iter().all(|size| *size <= 2), "{told}");
    let details: Vec<&Value> = told["details"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|page| page.as_array().unwrap())
        .collect();
    assert_eq!(
        details,
        ["admin", "one", "three", "two", "AdministratorAccess"]
    );
    assert_eq!(
        told["same"], true,
        "the document does not come back as it was put"
    );
    assert_eq!(told["description"], "Rôle one + more");
}
