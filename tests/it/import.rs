//! `rolecall import cloudformation` and `import terraform`, through the binary.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::support::served::Served;
use crate::support::{Directory, Run, rolecall, run};

const LOGS: &str = "222222222221";

const TEMPLATE: &str = "
Parameters:
  Site: {Type: String, Default: north}
Resources:
  Baker:
    Type: AWS::IAM::Role
    DeletionPolicy: Retain
    Properties:
      RoleName: !Sub baker-${Site}
      ManagedPolicyArns: [!Ref Flour]
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {AWS: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:root'}, Action: 'sts:AssumeRole', Condition: {StringEquals: {'sts:ExternalId': sour-dough}}}
      Policies:
        - PolicyName: loaves
          PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:Get*', Resource: !Sub 'arn:aws:s3:::loaves-${AWS::AccountId}'}]}
  Flour:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: flour
      PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 's3:List*', Resource: '*'}]}
";

fn import(source: &str, file: &Path, out: &Path, more: &[&str]) -> Run {
    let mut command = rolecall();
    command
        .args(["import", source])
        .arg(file)
        .arg("--out")
        .arg(out);
    run(command.args(more))
}

/// The actions of a plan, and its addresses.
fn actions(plan: &Value) -> Vec<String> {
    let accounts = plan["accounts"].as_array().unwrap().iter();
    let changes = accounts.flat_map(|account| account["changes"].as_array().unwrap());
    let text = |change: &Value, key: &str| change[key].as_str().unwrap().to_owned();
    changes
        .map(|change| format!("{} {}", text(change, "action"), text(change, "address")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_of_an_imported_template_adopts_what_the_stack_made_and_nothing_else() {
    let served = Served::demo().await;
    let trust = format!(
        r#"{{"Version":"2008-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{LOGS}"}},"Action":"sts:AssumeRole","Condition":{{"StringEquals":{{"sts:ExternalId":"sour-dough"}}}}}}}}"#
    );
    let list = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:list*"],"Resource":["*"]}]}"#;
    let get = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::loaves-{LOGS}"}}]}}"#
    );
    let arn = format!("arn:aws:iam::{LOGS}:policy/flour");
    let name = ("RoleName", "baker-north");
    served.by_hand(
        LOGS,
        "CreatePolicy",
        &[("PolicyName", "flour"), ("PolicyDocument", list)],
    );
    served.by_hand(
        LOGS,
        "CreateRole",
        &[name, ("AssumeRolePolicyDocument", &trust)],
    );
    served.by_hand(LOGS, "AttachRolePolicy", &[name, ("PolicyArn", &arn)]);
    served.by_hand(
        LOGS,
        "PutRolePolicy",
        &[name, ("PolicyName", "loaves"), ("PolicyDocument", &get)],
    );

    let source = Directory::of(&[("bakery.yaml", TEMPLATE)]);
    let desired = Directory::of(&[]);
    let target = format!("account={LOGS}");
    let done = import(
        "cloudformation",
        &source.file("bakery.yaml"),
        desired.path(),
        &["--target", &target, "--format", "json"],
    )
    .exits(0)
    .json();
    assert_eq!(done["counts"]["lost"], 0);
    assert_eq!(done["roles"][0]["place"]["line"], 5);
    let secrets = desired.file("secrets.vars");
    let mode = std::fs::metadata(&secrets).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let report = std::fs::read_to_string(desired.file("IMPORT.md")).unwrap();
    assert!(
        report.contains("DeletionPolicy: Retain") && !report.contains("sour-dough"),
        "{report}"
    );

    let given = secrets.display().to_string();
    served
        .rolecall(&desired, &["validate", "--var-file", &given])
        .exits(0);
    let plan = |more: &[&str]| {
        let arguments = [&["plan", "--format", "json", "--var-file", &given], more].concat();
        served.rolecall(&desired, &arguments).exits(0).json()
    };
    let planned = plan(&[]);
    assert_eq!(
        actions(&planned),
        [
            format!("adopt {LOGS}/policy/flour"),
            format!("adopt {LOGS}/role/baker-north")
        ],
        "{planned:#}"
    );
    served
        .rolecall(&desired, &["apply", "--auto-approve", "--var-file", &given])
        .exits(0);
    assert_eq!(actions(&plan(&[])), Vec::<String>::new());

    // What is there is never overwritten.
    import(
        "cloudformation",
        &source.file("bakery.yaml"),
        desired.path(),
        &[],
    )
    .exits(1)
    .says(&["nothing was written", "rolecall.toml", "--out"]);
}

#[test]
fn what_is_lost_ends_with_3_and_what_is_no_template_with_1() {
    let source = Directory::of(&[
        (
            "macro.yaml",
            &TEMPLATE.replace(
                "ManagedPolicyArns: [!Ref Flour]",
                "ManagedPolicyArns: [Fn::Transform: {Name: Dough}]",
            ),
        ),
        (
            "policy.json",
            r#"{"Version": "2012-10-17", "Statement": []}"#,
        ),
        ("tabs.yaml", "Resources:\n\tR: {}\n"),
        ("state.json", r#"{"version": 3}"#),
    ]);
    let out = Directory::of(&[]);
    import(
        "cloudformation",
        &source.file("macro.yaml"),
        out.path(),
        &["--target", "all"],
    )
    .exits(3)
    .says(&["lost", "transform", "macro.yaml:10:", "the macro Dough"]);
    for (kind, file, says) in [
        ("cloudformation", "policy.json", "policy document"),
        ("cloudformation", "tabs.yaml", "tabs.yaml:2:"),
        ("cloudformation", "absent.yaml", "cannot read"),
        ("terraform", "state.json", "version 3"),
    ] {
        let out = Directory::of(&[]);
        import(kind, &source.file(file), out.path(), &[])
            .exits(1)
            .says(&[says]);
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0, "{file}");
    }
}

#[test]
fn an_imported_state_validates_and_tells_how_terraform_lets_go() {
    let state = serde_json::json!({"version": 4, "resources": [{
        "mode": "managed", "type": "aws_iam_role", "name": "baker", "provider": "provider[\"registry.terraform.io/hashicorp/aws\"]",
        "instances": [{"index_key": "x", "attributes": {
            "arn": format!("arn:aws:iam::{LOGS}:role/baker"), "name": "baker", "path": "/", "max_session_duration": 3600,
            "managed_policy_arns": [], "inline_policy": [{}],
            "assume_role_policy": r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        }}],
    }]});
    let source = Directory::of(&[("s.tfstate", &state.to_string())]);
    let out = Directory::of(&[]);
    import("terraform", &source.file("s.tfstate"), out.path(), &[]).exits(0);
    run(rolecall().args(["validate", "-c"]).arg(out.path())).exits(0);
    let report = std::fs::read_to_string(out.file("IMPORT.md")).unwrap();
    assert!(
        report.contains("from = aws_iam_role.baker\n") && report.contains("destroy = false"),
        "{report}"
    );
}
