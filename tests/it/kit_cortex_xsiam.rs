//! The kit cortex-xsiam, by the binary: nine capabilities, five roles, ten policies.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::Tag;
use serde_json::Value;

use crate::support::Directory;
use crate::support::world::{Kit, World, document, operations, steps};

const UNITS: &[&str] = &["Workloads"];
const ACCOUNTS: &[(&str, &str)] = &[
    ("m1", "Workloads"),
    ("m2", "Workloads"),
    ("m3", "Workloads"),
    ("other", ""),
];
const MEMBERS: [&str; 3] = ["m1", "m2", "m3"];

/// What the vendor's page leaves blank.
const ANSWERS: &str = r#"
target_ous = ["Workloads"]
outpost_role_arn = "arn:aws:iam::650000000001:role/outpost_role"
external_id = "3f2b8c1e-9d47-4a6b-8e21-5c0d7f9a1b23"
template_lambda_service = "lambda.amazonaws.com"
template_lambda_policies = ["aws:service-role/AWSLambdaBasicExecutionRole"]
scanner_principals = ["arn:aws:iam::650000000001:role/scanner"]
scanner_external_id = "9a1b3f2b-7d47-4a6b-8e21-5c0d7f9a1b23"
scanner_managed_policies = []
log_bucket_arn = "arn:aws:s3:::cortex-cloudtrail-logs"
log_queue_arn = "arn:aws:sqs:us-east-1:123456789012:cortex-cloudtrail"
log_kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/0e5a9f4c-8f3f-4f8a-9a27-7c1f4e0a3b21"
logs_oidc_provider = "accounts.google.com"
logs_oidc_audience = "cortex-audience"
logs_oidc_subject = "104000000000000000001"
create_tag_key = "aws:RequestTag/managed_by"
change_tag_key = "aws:ResourceTag/managed_by"
ads_source_resources = ["arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:instance/${*}"]
ads_kms_account = "650000000002"
dspm_kms_account = "650000000003"
dspm_tag_key = "aws:ResourceTag/created_by"
dspm_tag_value = "cortex"
"#;

const OPTIONAL: [&str; 7] = [
    "audit_logs",
    "ads",
    "registry_scanning",
    "serverless_scanning",
    "dspm",
    "k8s",
    "automation",
];

/// The policies, the rows the vendor's page has for each, and whether they go to member accounts, too.
const POLICIES: [(&str, usize, bool); 10] = [
    ("Cortex-DISCOVERY-Policy", 112, true),
    ("CloudTrailReadAccessPolicy", 7, false),
    ("EmptyS3BucketPolicy", 3, false),
    ("Cortex-ADS-Policy", 13, true),
    ("ECRAccessPolicy", 3, true),
    ("LAMBDAAccessPolicy", 3, true),
    ("Cortex-DSPM-Policy", 31, true),
    ("Cortex-DSPM-Scanner-Policy", 11, true),
    ("Cortex-K8s-Security-Policy", 5, true),
    ("Cortex-Automation-Policy", 149, true),
];

/// Each scenario, in the sandbox and on moto.
macro_rules! scenarios {
    ($($name:ident)*) => {
        mod sandbox { $(#[test] fn $name() { super::$name(&super::World::sandbox(super::UNITS, super::ACCOUNTS)); })* }
        mod moto {
            $(#[test] fn $name() {
                if let Some(world) = super::World::moto(super::UNITS, super::ACCOUNTS) { super::$name(&world); }
            })*
        }
    };
}

scenarios! {
    base_and_then_everything_is_onboarded
    what_is_switched_off_is_exactly_removed
    an_account_that_moves_is_onboarded_and_left
    the_registration_role_is_gone_once_onboarding_is_done
    a_role_that_a_stack_owns_is_never_written
    what_is_changed_by_hand_is_put_right
    a_policy_that_aws_does_not_have_is_named
    it_is_proven_who_gets_in_and_who_does_not
}

fn kit(switches: &[&str]) -> Kit {
    Kit::new("cortex-xsiam", &answers(switches))
}

fn answers(switches: &[&str]) -> String {
    switches.iter().fold(ANSWERS.to_owned(), |text, switch| {
        format!("{text}{switch} = true\n")
    })
}

fn without(name: &str) -> String {
    let kept = ANSWERS
        .lines()
        .filter(|line| !line.starts_with(&format!("{name} ")));
    kept.collect::<Vec<_>>().join("\n") + "\n"
}

fn others(left_out: &[&str]) -> Vec<&'static str> {
    OPTIONAL
        .into_iter()
        .filter(|switch| !left_out.contains(switch))
        .collect()
}

/// The number of steps in the management account, and in each member of the unit; no one else has any.
#[track_caller]
fn assert_steps(world: &World, plan: &Value, management: usize, member: usize) {
    let counts: BTreeMap<String, usize> = steps(plan)
        .into_iter()
        .map(|(id, steps)| (id, steps.len()))
        .collect();
    let mut expected: BTreeMap<String, usize> = MEMBERS
        .iter()
        .map(|name| (world.id(name).to_owned(), member))
        .collect();
    expected.insert(world.id("management").to_owned(), management);
    expected.retain(|_, count| *count > 0);
    assert_eq!(counts, expected, "{plan:#}");
    assert_eq!(plan["summary"]["steps"], management + 3 * member);
}

fn attached(world: &World, account: &str, role: &str) -> BTreeSet<String> {
    let iam = world.iam(account);
    let answer = world
        .wait(iam.list_attached_role_policies().role_name(role).send())
        .unwrap();
    answer
        .attached_policies()
        .iter()
        .map(|policy| policy.policy_arn().unwrap().to_owned())
        .collect()
}

fn live_policy(world: &World, account: &str, name: &str) -> Value {
    let iam = world.iam(account);
    let arn = format!("arn:aws:iam::{}:policy/{name}", world.id(account));
    let policy = world
        .wait(iam.get_policy().policy_arn(&arn).send())
        .unwrap()
        .policy
        .unwrap();
    let version = policy.default_version_id.unwrap();
    let version = world
        .wait(
            iam.get_policy_version()
                .policy_arn(&arn)
                .version_id(version)
                .send(),
        )
        .unwrap();
    document(version.policy_version.unwrap().document().unwrap())
}

fn actions(document: &Value) -> BTreeSet<String> {
    let of = |statement: &Value| match &statement["Action"] {
        Value::String(action) => vec![action.clone()],
        actions => actions
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action.as_str().unwrap().to_owned())
            .collect(),
    };
    document["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(of)
        .collect()
}

fn role_exists(world: &World, account: &str, role: &str) -> bool {
    let iam = world.iam(account);
    world.wait(iam.get_role().role_name(role).send()).is_ok()
}

fn base_and_then_everything_is_onboarded(world: &World) {
    let kit = kit(&[]);
    assert_steps(world, &kit.plan(world, &[]), 10, 8);
    kit.apply(world, &[]);

    kit.answer(&answers(&OPTIONAL));
    assert_steps(world, &kit.plan(world, &[]), 21, 15);
    kit.apply(world, &[]);

    let aws = [
        "AmazonMemoryDBReadOnlyAccess",
        "AmazonSQSReadOnlyAccess",
        "AWSOrganizationsReadOnlyAccess",
        "ReadOnlyAccess",
        "SecurityAudit",
    ];
    for account in ["management", "m1", "m2", "m3"] {
        let id = world.id(account);
        let own = ["DISCOVERY", "ADS", "DSPM", "K8s-Security", "Automation"];
        let own = own.map(|name| format!("arn:aws:iam::{id}:policy/Cortex-{name}-Policy"));
        let expected: BTreeSet<String> = aws
            .iter()
            .map(|name| format!("arn:aws:iam::aws:policy/{name}"))
            .chain(own)
            .collect();
        assert_eq!(attached(world, account, "CortexPlatformRole"), expected);
        let iam = world.iam(account);
        let inline = world
            .wait(
                iam.list_role_policies()
                    .role_name("CortexPlatformRole")
                    .send(),
            )
            .unwrap();
        assert!(inline.policy_names.is_empty());
        for (name, rows, members) in POLICIES {
            if members || account == "management" {
                assert_eq!(
                    actions(&live_policy(world, account, name)).len(),
                    rows,
                    "{name}"
                );
            }
        }
        assert_eq!(
            role_exists(world, account, "cortex-logs-ingestion-access"),
            account == "management"
        );
    }
    assert!(!role_exists(world, "other", "CortexPlatformRole"));
    let ads = live_policy(world, "m1", "Cortex-ADS-Policy");
    assert!(
        ads.to_string().contains("arn:aws:ec2:*:*:instance/${*}"),
        "IAM's own variables are left alone: {ads}"
    );
}

#[test]
fn everything_at_once_is_a_hundred_steps() {
    let world = World::sandbox(UNITS, ACCOUNTS);
    assert_steps(&world, &kit(&OPTIONAL).plan(&world, &[]), 31, 23);
}

#[test]
fn the_policies_hold_337_rows() {
    assert_eq!(POLICIES.iter().map(|(_, rows, _)| rows).sum::<usize>(), 337);
}

fn what_is_switched_off_is_exactly_removed(world: &World) {
    let kit = kit(&OPTIONAL);
    kit.apply(world, &[]);

    kit.answer(&answers(&others(&["automation"])));
    let plan = kit.plan(world, &["--prune"]);
    assert_steps(world, &plan, 2, 2);
    assert_eq!(
        operations(&steps(&plan)[world.id("m1")]),
        BTreeMap::from([("DeletePolicy", 1), ("DetachRolePolicy", 1)])
    );
    assert_eq!(
        steps(&kit.plan(world, &[]))[world.id("m1")].len(),
        1,
        "without pruning the policy stays"
    );
    kit.apply(world, &["--prune"]);

    kit.answer(&answers(&others(&["automation", "registry_scanning"])));
    let plan = kit.plan(world, &["--prune"]);
    assert_steps(world, &plan, 2, 2);
    kit.apply(world, &["--prune"]);
    assert!(role_exists(world, "m1", "CortexPlatformScannerRole"));

    // The last two that share the scanner role: it goes with its two policies, and DSPM's policy of the platform role.
    kit.answer(&answers(&others(&[
        "automation",
        "registry_scanning",
        "serverless_scanning",
        "dspm",
    ])));
    let plan = kit.plan(world, &["--prune"]);
    let expected = BTreeMap::from([
        ("DeletePolicy", 3),
        ("DeleteRole", 1),
        ("DetachRolePolicy", 3),
    ]);
    for account in ["management", "m1", "m2", "m3"] {
        assert_eq!(operations(&steps(&plan)[world.id(account)]), expected);
    }
    kit.run(world, "apply", &["--prune", "--auto-approve"])
        .exits(4)
        .says(&["deletes"]);
    kit.apply(
        world,
        &["--prune", "--allow", "deletes", "--allow", "change-percent"],
    );
    assert!(!role_exists(world, "m1", "CortexPlatformScannerRole"));
    assert!(role_exists(world, "m1", "CortexPlatformRole"));
}

fn an_account_that_moves_is_onboarded_and_left(world: &World) {
    let kit = kit(&OPTIONAL);
    kit.apply(world, &[]);
    let (root, unit) = (
        world.built.root.as_str(),
        world.built.units["Workloads"].as_str(),
    );
    let move_account = |name: &str, from: &str, to: &str| {
        let organizations = &world.cloud.organizations;
        let request = organizations
            .move_account()
            .account_id(world.id(name))
            .source_parent_id(from)
            .destination_parent_id(to);
        world.wait(request.send()).unwrap();
    };
    move_account("other", root, unit);
    let plan = kit.plan(world, &[]);
    assert_eq!(
        steps(&plan)
            .into_iter()
            .map(|(id, steps)| (id, steps.len()))
            .collect::<Vec<_>>(),
        [(world.id("other").to_owned(), 23)]
    );
    kit.apply(world, &[]);

    move_account("other", unit, root);
    let plan = kit.plan(world, &[]);
    assert_eq!(plan["summary"]["steps"], 0, "{plan:#}");
    let plan = kit.plan(world, &["--prune"]);
    let expected = BTreeMap::from([
        ("DeletePolicy", 8),
        ("DeleteRole", 2),
        ("DetachRolePolicy", 13),
    ]);
    assert_eq!(operations(&steps(&plan)[world.id("other")]), expected);
    assert_eq!(steps(&plan).len(), 1);
}

fn the_registration_role_is_gone_once_onboarding_is_done(world: &World) {
    let role = "CortexTemplateCustomLambdaExecutionRole";
    let kit = kit(&[]);
    kit.apply(world, &[]);
    kit.answer(&format!(
        "{}template_lambda_role = \"absent\"\n",
        answers(&[])
    ));
    let plan = kit.plan(world, &[]);
    assert_steps(world, &plan, 2, 0);
    let expected = BTreeMap::from([("DeleteRole", 1), ("DetachRolePolicy", 1)]);
    assert_eq!(operations(&steps(&plan)[world.id("management")]), expected);
    kit.apply(world, &[]);
    assert!(!role_exists(world, "management", role));
}

fn a_role_that_a_stack_owns_is_never_written(world: &World) {
    let kit = kit(&["audit_logs"]);
    kit.answer(&format!(
        "{}empty_bucket_role = \"stack-owned\"\n",
        answers(&["audit_logs"])
    ));
    let of_the_stack = |plan: &Value| {
        let text = |step: &(String, String)| {
            step.0.contains("EmptyBucket") || step.0.contains("EmptyS3Bucket")
        };
        steps(plan)
            .values()
            .flatten()
            .filter(|step| text(step))
            .count()
    };
    assert_eq!(
        of_the_stack(&kit.plan(world, &[])),
        0,
        "it is not there, and is not made"
    );
    let iam = world.iam("management");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let create = iam
        .create_role()
        .role_name("EmptyBucketLambdaExecutionRole")
        .assume_role_policy_document(policy);
    world.wait(create.send()).unwrap();
    assert_eq!(
        of_the_stack(&kit.plan(world, &["--prune"])),
        0,
        "it differs, and is not changed"
    );
    kit.apply(world, &[]);
    assert!(attached(world, "management", "EmptyBucketLambdaExecutionRole").is_empty());
}

fn what_is_changed_by_hand_is_put_right(world: &World) {
    let kit = kit(&["ads"]);
    kit.apply(world, &[]);
    let iam = world.iam("m1");
    let role = "CortexPlatformRole";
    let one_update = |operation: &str| {
        let plan = kit.plan(world, &[]);
        assert_eq!(
            (&plan["summary"]["update"], &plan["summary"]["create"]),
            (&Value::from(1), &Value::from(0)),
            "{plan:#}"
        );
        assert!(
            steps(&plan)[world.id("m1")]
                .iter()
                .any(|(_, op)| op == operation),
            "{plan:#}"
        );
        kit.apply(world, &[]);
    };

    let arn = format!("arn:aws:iam::{}:policy/Cortex-ADS-Policy", world.id("m1"));
    let mut changed = live_policy(world, "m1", "Cortex-ADS-Policy");
    for statement in changed["Statement"].as_array_mut().unwrap() {
        if statement["Sid"] == "ChangeTagged" {
            statement.as_object_mut().unwrap().remove("Condition");
        }
    }
    let version = iam
        .create_policy_version()
        .policy_arn(&arn)
        .policy_document(changed.to_string())
        .set_as_default(true);
    world.wait(version.send()).unwrap();
    one_update("CreatePolicyVersion");

    let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    world
        .wait(
            iam.put_role_policy()
                .role_name(role)
                .policy_name("extra")
                .policy_document(everything)
                .send(),
        )
        .unwrap();
    one_update("DeleteRolePolicy");

    let tag = Tag::builder()
        .key("product")
        .value("something-else")
        .build()
        .unwrap();
    world
        .wait(iam.tag_role().role_name(role).tags(tag).send())
        .unwrap();
    one_update("TagRole");
}

fn it_is_proven_who_gets_in_and_who_does_not(world: &World) {
    let kit = kit(&OPTIONAL);
    kit.apply(world, &[]);
    let verify = |code: i32| {
        kit.run(world, "verify", &["--offline", "--format", "json"])
            .exits(code)
            .json()
    };
    let said = |verified: &Value, role: &str, outcome: &str| -> Vec<String> {
        let address = format!("{}/role/{role}", world.id("management"));
        let results = verified["results"].as_array().unwrap().iter();
        let found =
            results.filter(|result| result["address"] == address && result["outcome"] == outcome);
        found
            .map(|result| result["message"].as_str().unwrap().to_owned())
            .collect()
    };
    let proven = verify(0);
    for (role, words) in [
        (
            "CortexPlatformRole",
            [
                "outpost_role` may assume it with the external id",
                "refused with a wrong external id",
            ],
        ),
        (
            "cortex-logs-ingestion-access",
            [
                "accounts.google.com` may assume it",
                "refused with another `accounts.google.com:aud`",
            ],
        ),
        (
            "EmptyBucketLambdaExecutionRole",
            [
                "lambda.amazonaws.com` may assume it",
                "everyone else is refused",
            ],
        ),
    ] {
        let said = said(&proven, role, "proven");
        for word in words {
            assert!(
                said.iter().any(|message| message.contains(word)),
                "{word}: {said:#?}"
            );
        }
    }
    let arn = format!("arn:aws:iam::{}:role/CortexPlatformRole", world.id("m1"));
    kit.run(world, "output", &["--format", "csv"])
        .exits(0)
        .says(&[&arn, "cortex-logs-ingestion-access"]);

    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com","AWS":"650000000001"},"Action":"sts:AssumeRole"}]}"#;
    let iam = world.iam("management");
    let role = "EmptyBucketLambdaExecutionRole";
    world
        .wait(
            iam.update_assume_role_policy()
                .role_name(role)
                .policy_document(open)
                .send(),
        )
        .unwrap();
    assert!(
        said(&verify(2), role, "failed")
            .iter()
            .any(|message| message.contains("650000000001"))
    );
}

/// N4.8.
fn a_policy_that_aws_does_not_have_is_named(world: &World) {
    let kit = kit(&[]);
    kit.edit("roles.toml", "aws:SecurityAudit", "aws:SecurityAudits");
    let words = [
        "arn:aws:iam::aws:policy/SecurityAudits",
        "does not exist",
        "CortexPlatformRole",
        world.id("m1"),
    ];
    kit.run(world, "plan", &[]).says(&words);
}

/// N4.1.
#[test]
fn a_capability_requires_base_and_discovery() {
    for switch in OPTIONAL {
        for missing in ["base", "discovery"] {
            let kit = kit(&[switch]);
            kit.answer(&format!("{}{missing} = false\n", answers(&[switch])));
            kit.validate(&[])
                .exits(4)
                .says(&[switch, "requires", missing]);
        }
    }
    let kit = kit(&[]);
    kit.answer(&format!("{}base = false\n", answers(&[])));
    kit.validate(&[])
        .exits(4)
        .says(&["discovery", "requires", "base"]);
    kit.answer(&format!("{}discovery = false\n", answers(&[])));
    kit.validate(&[])
        .exits(4)
        .says(&["base", "requires", "discovery"]);
}

#[test]
fn each_capability_is_valid_alone_and_left_out() {
    for switch in OPTIONAL {
        kit(&[switch]).validate(&[]).exits(0);
        kit(&others(&[switch])).validate(&[]).exits(0);
    }
}

/// N4.2.
#[test]
fn an_eleventh_policy_is_refused() {
    let world = World::sandbox(UNITS, ACCOUNTS);
    let kit = kit(&OPTIONAL);
    kit.edit(
        "roles.toml",
        "\"aws:SecurityAudit\",",
        "\"aws:SecurityAudit\",\n  \"aws:job-function/ViewOnlyAccess\",",
    );
    kit.run(&world, "apply", &["--auto-approve"]).says(&[
        "11",
        "10",
        "managed policies",
        "CortexPlatformRole",
    ]);
    assert!(!role_exists(&world, "management", "CortexPlatformRole"));
}

/// N4.3.
#[test]
fn discovery_and_automation_do_not_fit_into_one_policy() {
    let kit = kit(&["automation"]);
    let read = |name: &str| {
        std::fs::read_to_string(
            crate::support::world::example("cortex-xsiam")
                .join("policies")
                .join(name),
        )
        .unwrap()
    };
    let (mut merged, automation): (Value, Value) = (
        serde_json::from_str(&read("discovery.json")).unwrap(),
        serde_json::from_str(&read("automation.json")).unwrap(),
    );
    let more = automation["Statement"].as_array().unwrap().clone();
    merged["Statement"].as_array_mut().unwrap().extend(more);
    let size = merged.to_string().len();
    kit.write("policies/discovery.json", &merged.to_string());
    kit.validate(&[])
        .exits(1)
        .says(&["6144", &size.to_string(), "Cortex-DISCOVERY-Policy"]);
}

/// N4.4.
#[test]
fn a_write_of_disk_scanning_without_a_tag_condition_is_refused() {
    for (sid, action) in [
        ("ChangeTagged", "ec2:DeleteSnapshot"),
        ("CreateTagged", "ec2:CreateTags"),
    ] {
        let kit = kit(&["ads"]);
        let path = crate::support::world::example("cortex-xsiam").join("policies/ads.json");
        let mut document: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for statement in document["Statement"].as_array_mut().unwrap() {
            if statement["Sid"] == sid {
                statement.as_object_mut().unwrap().remove("Condition");
            }
        }
        kit.write("policies/ads.json", &document.to_string());
        kit.validate(&[]).exits(4).says(&["managed_by", action]);
    }
}

/// N4.5.
#[test]
fn an_eks_access_policy_is_told_from_an_iam_policy() {
    let kit = kit(&["k8s"]);
    kit.edit(
        "roles.toml",
        "\"aws:SecurityAudit\",",
        "\"aws:SecurityAudit\",\n  \"aws:AmazonEKSAdminViewPolicy\",",
    );
    kit.validate(&[])
        .exits(1)
        .says(&["EKS access policy", "not an IAM policy"]);
}

/// N4.6 and N4.7, and every other input.
#[test]
fn every_blank_of_the_vendors_page_is_asked_for_by_name() {
    for name in ANSWERS
        .lines()
        .filter_map(|line| line.split_once(" ="))
        .map(|(name, _)| name)
    {
        let kit = kit(&[]);
        kit.answer(&OPTIONAL.iter().fold(without(name), |text, switch| {
            format!("{text}{switch} = true\n")
        }));
        let run = kit.validate(&[]);
        if name == "target_ous" {
            run.exits(0);
        } else {
            run.exits(1).says(&[name, "no value"]);
        }
    }
    let kit = kit(&[]);
    kit.answer(&without("outpost_role_arn"));
    kit.validate(&[])
        .exits(1)
        .says(&["CortexPlatformRole", "trust", "no value"]);
}

/// N4.9.
#[test]
fn names_that_differ_in_case_only_are_refused() {
    let kit = kit(&[]);
    kit.write(
        "more.toml",
        "[[role]]\nname = \"cortexplatformrole\"\ntargets = \"all\"\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n",
    );
    kit.validate(&[])
        .exits(1)
        .says(&["cortexplatformrole", "CortexPlatformRole", "case"]);
}

/// N4.10.
#[test]
fn an_external_id_of_another_role_is_warned_about() {
    let kit = kit(&["registry_scanning"]);
    kit.validate(&[]).exits(0);
    let answers = answers(&["registry_scanning"]);
    kit.answer(&answers.replace(
        "9a1b3f2b-7d47-4a6b-8e21-5c0d7f9a1b23",
        "3f2b8c1e-9d47-4a6b-8e21-5c0d7f9a1b23",
    ));
    kit.validate(&[])
        .exits(0)
        .says(&["unique", "CortexPlatformRole", "CortexPlatformScannerRole"]);
}

/// N4.11.
#[test]
fn automation_undoes_the_limits_of_disk_scanning() {
    let words = ["11", "ADS", "`*`"];
    kit(&["ads", "automation"])
        .validate(&[])
        .exits(0)
        .says(&words);
    let alone = kit(&["ads"]).validate(&[]).exits(0);
    assert!(!alone.text().contains("11 of the 13"), "{}", alone.text());
}

#[test]
fn without_a_unit_only_the_deployment_account_is_onboarded() {
    let world = World::sandbox(UNITS, ACCOUNTS);
    let kit = kit(&[]);
    kit.answer(&without("target_ous"));
    assert_steps(&world, &kit.plan(&world, &[]), 10, 0);
    kit.answer(&format!(
        "{}deployment_account = \"m2\"\n",
        without("target_ous")
    ));
    let plan = kit.plan(&world, &[]);
    assert_eq!(
        steps(&plan).into_keys().collect::<Vec<_>>(),
        [world.id("m2")]
    );
}

#[test]
fn logs_are_read_by_a_role_in_automatic_collection_only() {
    let world = World::sandbox(UNITS, ACCOUNTS);
    let kit = kit(&[]);
    kit.answer(&format!(
        "{}audit_logs_collection = \"manual\"\n",
        answers(&["audit_logs"])
    ));
    // The role that empties the bucket, its policy and the attachment; not the role that reads.
    assert_steps(&world, &kit.plan(&world, &[]), 13, 8);
}

#[test]
fn role_names_take_the_suffix_of_the_template() {
    let world = World::sandbox(UNITS, ACCOUNTS);
    let kit = kit(&[]);
    kit.answer(&format!(
        "{}role_name_suffix = \"-m-o-1234567\"\n",
        answers(&["dspm"])
    ));
    kit.apply(&world, &[]);
    for role in [
        "CortexPlatformRole-m-o-1234567",
        "CortexPlatformScannerRole-m-o-1234567",
    ] {
        assert!(role_exists(&world, "m1", role));
    }
    let dspm = live_policy(&world, "m1", "Cortex-DSPM-Policy").to_string();
    assert!(
        dspm.contains(&format!(
            "arn:aws:iam::{}:role/CortexPlatformRole-m-o-1234567",
            world.id("m1")
        )),
        "{dspm}"
    );
}

#[test]
fn it_is_a_module_of_a_directory_of_ones_own() {
    let world = World::sandbox(UNITS, ACCOUNTS);
    let vars = answers(&["audit_logs", "dspm"]);
    let root = Directory::new(&format!(
        "name = \"vendors\"\n[organization]\naccess_role = \"OrganizationAccountAccessRole\"\n[[module]]\nsource = \"kits/cortex-xsiam\"\n[module.vars]\n{vars}"
    ));
    let path = |name: &str| root.file(name).to_str().unwrap().to_owned();
    world
        .rolecall(&["init", "cortex-xsiam", "--out", &path("kits/cortex-xsiam")])
        .exits(0);
    let plan = world
        .rolecall(&["plan", "-c", &path(""), "--format", "json"])
        .exits(0)
        .json();
    let (of_the_kit, alone) = (
        steps(&plan),
        steps(&kit(&["audit_logs", "dspm"]).plan(&world, &[])),
    );
    assert_eq!(of_the_kit, alone);
}

/// XS-R3, live: a collector comes with a token of Google's, as the trust demands it or otherwise.
#[test]
fn a_token_for_the_right_audience_and_subject_is_let_in_and_no_other() {
    let world = World::sandbox(UNITS, ACCOUNTS);
    let kit = kit(&["audit_logs"]);
    kit.apply(&world, &[]);
    let arn = format!(
        "arn:aws:iam::{}:role/cortex-logs-ingestion-access",
        world.id("management")
    );
    let enter = |audience: &str, subject: &str| {
        let claims = serde_json::json!({ "iss": "https://accounts.google.com", "aud": audience, "sub": subject });
        let call = world
            .cloud
            .sts
            .assume_role_with_web_identity()
            .role_arn(&arn)
            .role_session_name("collector");
        world
            .wait(call.web_identity_token(jwt(&claims)).send())
            .map_err(|error| error.into_service_error().to_string())
    };
    let (audience, subject) = ("cortex-audience", "104000000000000000001");
    let session = enter(audience, subject).unwrap();
    assert!(
        session
            .assumed_role_user
            .unwrap()
            .arn
            .contains(":assumed-role/cortex-logs-ingestion-access/collector")
    );
    for (audience, subject) in [("another", subject), (audience, "104000000000000000002")] {
        let error = enter(audience, subject).unwrap_err();
        assert!(error.contains("AccessDenied"), "{error}");
    }
}

/// A token that no one signed.
fn jwt(claims: &Value) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let text = claims.to_string();
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().enumerate().fold(0_u32, |bits, (place, byte)| {
            bits | u32::from(*byte) << (16 - 8 * place)
        });
        let letters = (0..=chunk.len())
            .map(|place| char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
        encoded.extend(letters);
    }
    format!("e30.{encoded}.")
}
