//! The kit cortex-xdr, by the binary: one role, one policy, two attachments, in the account that holds the logs.

use serde_json::{Value, json};

use crate::support::world::{Kit, World, document, example, operations, steps};
use crate::support::{Directory, Run, rolecall, run};

const ACCOUNTS: &[(&str, &str)] = &[("log-archive", ""), ("app-prod", "")];
const EXTERNAL_ID: &str = "3f2b8c1e-9d47-4a6b-8e21-5c0d7f9a1b23";
const COMMERCIAL: &str = "006742885340";
const FEDRAMP: &str = "685269782068";
const ROLE: &str = "CortexXDRRole";
const POLICY: &str = "CortexXDRS3SqsPolicy";
const SECURITY_AUDIT: &str = "arn:aws:iam::aws:policy/SecurityAudit";

/// Each scenario, in the sandbox and on moto.
macro_rules! scenarios {
    ($($name:ident)*) => {
        mod sandbox { $(#[test] fn $name() { super::$name(&super::World::sandbox(&[], super::ACCOUNTS)); })* }
        mod moto {
            $(#[test] fn $name() {
                if let Some(world) = super::World::moto(&[], super::ACCOUNTS) { super::$name(&world); }
            })*
        }
    };
}

scenarios! {
    one_role_with_two_policies_in_the_account_of_the_logs
    the_policy_comes_later_and_leaves_the_role_alone
    a_fedramp_tenant_changes_the_trust_alone
    what_is_changed_by_hand_is_put_right
    what_others_attach_stays_where_attachments_are_additive
    what_the_collector_is_given_is_printed
    the_vendor_is_let_in_with_its_external_id_alone
}

/// Answers to what the kit asks, a line each.
fn answers(log_account: &str) -> Vec<String> {
    vec![
        "log_account = \"log-archive\"".to_owned(),
        format!("external_id = \"{EXTERNAL_ID}\""),
        "s3_arn = [\"arn:aws:s3:::acme-flow-logs\"]".to_owned(),
        format!("sqs_arn = [\"arn:aws:sqs:us-east-1:{log_account}:cortex-xdr\"]"),
        "sqs_actions = [\"sqs:ChangeMessageVisibility\", \"sqs:DeleteMessage\", \"sqs:GetQueueAttributes\", \
         \"sqs:ReceiveMessage\"]"
            .to_owned(),
    ]
}

fn kit(log_account: &str) -> Kit {
    Kit::new("cortex-xdr", &answers(log_account).join("\n"))
}

/// A kit with an answer changed, added, or taken away where `line` is empty.
fn kit_with(name: &str, line: &str) -> Kit {
    let mut lines = answers("222222222222");
    lines.retain(|answer| !answer.starts_with(&format!("{name} =")));
    lines.push(line.to_owned());
    Kit::new("cortex-xdr", &lines.join("\n"))
}

fn trust(world: &World) -> Value {
    let iam = world.iam("log-archive");
    let role = world
        .wait(iam.get_role().role_name(ROLE).send())
        .unwrap()
        .role
        .unwrap();
    assert_eq!(role.max_session_duration, Some(3600));
    document(role.assume_role_policy_document().unwrap())
}

fn trust_of(account: &str, external_id: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
        "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": external_id}}}]})
    .to_string()
}

#[track_caller]
fn assert_trusts(world: &World, account: &str) {
    let trust = trust(world);
    let statement = &trust["Statement"][0];
    assert_eq!(trust["Statement"].as_array().unwrap().len(), 1);
    let principal = statement["Principal"]["AWS"].as_str().unwrap();
    assert!(
        [account, &format!("arn:aws:iam::{account}:root")].contains(&principal),
        "{trust:#}"
    );
    assert_eq!(
        (&statement["Effect"], &statement["Action"]),
        (&json!("Allow"), &json!("sts:AssumeRole"))
    );
    assert_eq!(
        statement["Condition"],
        json!({"StringEquals": {"sts:ExternalId": EXTERNAL_ID}})
    );
}

fn attached(world: &World) -> Vec<String> {
    let iam = world.iam("log-archive");
    let answer = world
        .wait(iam.list_attached_role_policies().role_name(ROLE).send())
        .unwrap();
    let mut arns: Vec<String> = answer
        .attached_policies
        .unwrap_or_default()
        .into_iter()
        .map(|policy| policy.policy_arn.unwrap())
        .collect();
    arns.sort();
    arns
}

fn one_role_with_two_policies_in_the_account_of_the_logs(world: &World) {
    let id = world.id("log-archive");
    let kit = kit(id);
    let plan = kit.plan(world, &[]);
    assert_eq!(
        (&plan["summary"]["steps"], &plan["summary"]["create"]),
        (&json!(4), &json!(2)),
        "{plan:#}"
    );
    let steps = steps(&plan);
    assert_eq!(steps.keys().collect::<Vec<_>>(), [id]);
    let expected = [
        ("AttachRolePolicy", 2),
        ("CreatePolicy", 1),
        ("CreateRole", 1),
    ]
    .into();
    assert_eq!(operations(&steps[id]), expected);
    kit.apply(world, &[]);

    assert_trusts(world, COMMERCIAL);
    let policy = format!("arn:aws:iam::{id}:policy/{POLICY}");
    assert_eq!(attached(world), [policy.as_str(), SECURITY_AUDIT]);
    let iam = world.iam("log-archive");
    assert_eq!(
        world
            .wait(iam.list_role_policies().role_name(ROLE).send())
            .unwrap()
            .policy_names,
        [""; 0]
    );
    let version = world
        .wait(
            iam.get_policy_version()
                .policy_arn(&policy)
                .version_id("v1")
                .send(),
        )
        .unwrap();
    let document = document(version.policy_version.unwrap().document().unwrap());
    assert_eq!(document["Version"], "2012-10-17");
    let (files, queue) = (&document["Statement"][0], &document["Statement"][1]);
    assert_eq!(
        (&files["Effect"], &files["Action"]),
        (&json!("Allow"), &json!("s3:GetObject"))
    );
    assert!(
        files["Resource"]
            .to_string()
            .contains("\"arn:aws:s3:::acme-flow-logs/*\""),
        "{files:#}"
    );
    assert_eq!(queue["Action"].as_array().unwrap().len(), 4);
    assert!(
        queue["Resource"]
            .to_string()
            .contains(&format!("\"arn:aws:sqs:us-east-1:{id}:cortex-xdr\""))
    );
}

/// XDR-10.
fn the_policy_comes_later_and_leaves_the_role_alone(world: &World) {
    let id = world.id("log-archive");
    let kit = kit(id);
    let first = kit.plan(world, &["--var", "log_access=false"]);
    assert_eq!(
        operations(&steps(&first)[id]),
        [("AttachRolePolicy", 1), ("CreateRole", 1)].into()
    );
    kit.apply(world, &["--var", "log_access=false"]);
    assert_eq!(attached(world), [SECURITY_AUDIT]);
    let second = kit.plan(world, &[]);
    assert_eq!(
        operations(&steps(&second)[id]),
        [("AttachRolePolicy", 1), ("CreatePolicy", 1)].into()
    );
    kit.apply(world, &[]);
    assert_eq!(attached(world).len(), 2);
}

/// XDR-2.
fn a_fedramp_tenant_changes_the_trust_alone(world: &World) {
    let id = world.id("log-archive");
    let kit = kit(id);
    kit.apply(world, &[]);
    let fedramp = ["--var", "environment=fedramp"];
    let plan = kit.plan(world, &fedramp);
    assert_eq!(
        operations(&steps(&plan)[id]),
        [("UpdateAssumeRolePolicy", 1)].into()
    );
    kit.apply(world, &fedramp);
    assert_trusts(world, FEDRAMP);
}

fn what_is_changed_by_hand_is_put_right(world: &World) {
    let id = world.id("log-archive");
    let kit = kit(id);
    kit.apply(world, &[]);
    let iam = world.iam("log-archive");
    let other = "00000000-0000-4000-8000-000000000000";
    let edited = trust_of(COMMERCIAL, other);
    world
        .wait(
            iam.update_assume_role_policy()
                .role_name(ROLE)
                .policy_document(edited)
                .send(),
        )
        .unwrap();
    let shown = kit
        .run(world, "plan", &["--detailed-exitcode"])
        .exits(2)
        .says(&[ROLE, "(sensitive)"]);
    assert!(
        !shown.text().contains(EXTERNAL_ID) && !shown.text().contains(other),
        "{}",
        shown.text()
    );
    assert_eq!(
        operations(&steps(&kit.plan(world, &[]))[id]),
        [("UpdateAssumeRolePolicy", 1)].into()
    );
    kit.apply(world, &[]);
    assert_trusts(world, COMMERCIAL);

    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    world
        .wait(
            iam.attach_role_policy()
                .role_name(ROLE)
                .policy_arn(admin)
                .send(),
        )
        .unwrap();
    world
        .wait(
            iam.detach_role_policy()
                .role_name(ROLE)
                .policy_arn(SECURITY_AUDIT)
                .send(),
        )
        .unwrap();
    let plan = kit.plan(world, &[]);
    assert_eq!(
        operations(&steps(&plan)[id]),
        [("AttachRolePolicy", 1), ("DetachRolePolicy", 1)].into()
    );
    kit.apply(world, &[]);
    assert_eq!(
        attached(world),
        [
            format!("arn:aws:iam::{id}:policy/{POLICY}").as_str(),
            SECURITY_AUDIT
        ]
    );
}

fn what_others_attach_stays_where_attachments_are_additive(world: &World) {
    let kit = kit(world.id("log-archive"));
    kit.edit(
        "rolecall.toml",
        "inline_policy = []",
        "inline_policy = []\nmanage = { managed_policies = \"additive\" }",
    );
    kit.apply(world, &[]);
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let iam = world.iam("log-archive");
    world
        .wait(
            iam.attach_role_policy()
                .role_name(ROLE)
                .policy_arn(admin)
                .send(),
        )
        .unwrap();
    assert_eq!(kit.plan(world, &[])["summary"]["steps"], 0);
}

/// XDR-12.
fn what_the_collector_is_given_is_printed(world: &World) {
    let id = world.id("log-archive");
    let kit = kit(id);
    kit.apply(world, &[]);
    let arn = format!("arn:aws:iam::{id}:role/{ROLE}");
    let hidden = kit.run(world, "output", &[]).exits(0).says(&[&arn]);
    assert!(!hidden.text().contains(EXTERNAL_ID), "{}", hidden.text());
    kit.run(world, "output", &["--show-sensitive"])
        .exits(0)
        .says(&[&arn, EXTERNAL_ID]);
}

fn the_vendor_is_let_in_with_its_external_id_alone(world: &World) {
    let kit = kit(world.id("log-archive"));
    kit.apply(world, &[]);
    kit.run(world, "verify", &["--offline"])
        .exits(0)
        .says(&[ROLE]);
    let iam = world.iam("log-archive");
    let open = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{COMMERCIAL}:root")}}]});
    world
        .wait(
            iam.update_assume_role_policy()
                .role_name(ROLE)
                .policy_document(open.to_string())
                .send(),
        )
        .unwrap();
    kit.run(world, "verify", &["--offline"])
        .exits(2)
        .says(&[ROLE]);
}

#[track_caller]
fn refused(kit: &Kit, code: i32, words: &[&str]) -> Run {
    kit.validate(&[]).exits(code).says(words)
}

#[test]
fn the_kit_is_valid_once_it_is_filled_in() {
    kit("222222222222").validate(&[]).exits(0);
}

/// XDR-11.
#[test]
fn several_buckets_and_queues_stand_in_one_policy() {
    let world = World::sandbox(&[], ACCOUNTS);
    let kit = kit(world.id("log-archive"));
    let buckets = "s3_arn=arn:aws:s3:::acme-flow-logs,arn:aws:s3:::acme-audit-logs/AWSLogs";
    kit.run(&world, "plan", &["--var", buckets, "-v"])
        .exits(0)
        .says(&[
            "arn:aws:s3:::acme-flow-logs/*",
            "arn:aws:s3:::acme-audit-logs/AWSLogs/*",
        ]);
}

#[test]
fn n1_1_an_external_id_that_is_no_uuid() {
    let shown = refused(
        &kit_with("external_id", "external_id = \"abc123\""),
        1,
        &["external_id", "UUIDv4", "6 char"],
    );
    assert!(
        !shown.text().contains("abc123"),
        "it is sensitive: {}",
        shown.text()
    );
}

#[test]
fn n1_2_a_uuid_of_version_1() {
    let answer = "external_id = \"3f2b8c1e-9d47-1a6b-8e21-5c0d7f9a1b23\"";
    refused(
        &kit_with("external_id", answer),
        1,
        &["version 1", "UUIDv4"],
    );
}

#[test]
fn n1_3_a_uuid_of_another_variant() {
    let answer = "external_id = \"3f2b8c1e-9d47-4a6b-ce21-5c0d7f9a1b23\"";
    refused(&kit_with("external_id", answer), 1, &["variant", "UUIDv4"]);
}

#[test]
fn n1_4_no_external_id() {
    refused(
        &kit_with("external_id", ""),
        1,
        &["external_id", "required", "Cortex XDR"],
    );
    let kit = kit("222222222222");
    kit.edit(
        "rolecall.toml",
        "external_id = \"{{ var.external_id }}\"",
        "",
    );
    refused(&kit, 4, &["external_id", "required", "Cortex XDR", ROLE]);
}

#[test]
fn n1_5_an_account_id_written_as_a_number() {
    for number in ["6742885340", "006742885340"] {
        let kit = kit("222222222222");
        let written =
            "aws = \"{{ '685269782068' if var.environment == 'fedramp' else '006742885340' }}\"";
        let line = std::fs::read_to_string(example("cortex-xdr/rolecall.toml"))
            .unwrap()
            .lines()
            .position(|line| line == written)
            .unwrap();
        kit.edit("rolecall.toml", written, &format!("aws = {number}"));
        refused(
            &kit,
            1,
            &[
                "12 digits",
                "string",
                &format!("rolecall.toml:{}", line + 1),
            ],
        );
    }
}

#[test]
fn n1_6_mfa_is_required() {
    for mfa in [
        "require_mfa = true",
        "conditions.Bool.\"aws:MultiFactorAuthPresent\" = \"true\"",
        "conditions.BoolIfExists.\"aws:multifactorauthpresent\" = true",
        "conditions.NumericLessThan.\"aws:MultiFactorAuthAge\" = \"3600\"",
    ] {
        let kit = kit("222222222222");
        let id = "external_id = \"{{ var.external_id }}\"";
        kit.edit("rolecall.toml", id, &format!("{id}\n{mfa}"));
        refused(&kit, 4, &["MFA", "must not be required", ROLE]);
    }
}

#[test]
fn n1_7_no_queue() {
    let world = World::sandbox(&[], ACCOUNTS);
    kit_with("sqs_arn", "")
        .run(&world, "plan", &[])
        .exits(1)
        .says(&["sqs_arn", "no value", POLICY]);
}

#[test]
fn n1_8_a_placeholder_left_in_a_document() {
    let kit = kit("222222222222");
    kit.write(
        "literal.json",
        r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "<s3-arn>/*"}]}"#,
    );
    kit.write(
        "more.toml",
        "[[policy]]\nname = \"Literal\"\ndocument = \"literal.json\"\ntargets = \"all\"\n",
    );
    let shown = refused(&kit, 1, &["<s3-arn>", "placeholder", "literal.json"]);
    assert!(!shown.text().contains("MalformedPolicyDocument"));
}

#[test]
fn n1_9_both_environments_trusted() {
    let kit = kit("222222222222");
    kit.edit(
        "rolecall.toml",
        "aws = \"{{ '685269782068' if var.environment == 'fedramp' else '006742885340' }}\"",
        "aws = [\"006742885340\", \"arn:aws:iam::685269782068:root\"]",
    );
    refused(&kit, 4, &[COMMERCIAL, FEDRAMP, "one", ROLE]);
}

#[test]
fn n1_10_two_roles_with_one_external_id() {
    let module = |role: &str| {
        format!(
            "[[module]]\nsource = \"kit\"\n[module.vars]\nrole_name = \"{role}\"\nlog_access = false\n\
             log_account = \"log-archive\"\nexternal_id = \"{{{{ var.external_id }}}}\"\n"
        )
    };
    let root = format!(
        "name = \"two\"\n[vars]\nexternal_id = {{ type = \"uuid4\", sensitive = true, default = \"{EXTERNAL_ID}\" }}\n{}{}",
        module("XDR-Flow"),
        module("XDR-Audit")
    );
    let text = std::fs::read_to_string(example("cortex-xdr/rolecall.toml")).unwrap();
    let directory = Directory::of(&[("rolecall.toml", &root), ("kit/rolecall.toml", &text)]);
    let shown = run(rolecall().arg("validate").arg("-c").arg(directory.path()))
        .exits(0)
        .says(&["XDR-Flow", "XDR-Audit", "unique"]);
    assert!(
        !shown.text().contains(EXTERNAL_ID),
        "it is sensitive: {}",
        shown.text()
    );
}
