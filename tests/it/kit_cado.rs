//! The kit cado, by the binary: a role and a policy in every account but the platform's own.

use std::collections::BTreeSet;

use rolecall::org::AccountId;
use serde_json::{Value, json};

use crate::support::world::{Kit, World, document, example, operations, steps};
use crate::support::{Directory, Run};

const ROLE: &str = "CadoResponseCrossAccountRole";
const POLICY: &str = "CadoResponseCrossAccountPolicy";
const FEW: &[(&str, &str)] = &[
    ("forensics", ""),
    ("member-01", ""),
    ("member-02", ""),
    ("member-03", ""),
];

/// Each scenario, in the sandbox and on moto, with three targets.
macro_rules! scenarios {
    ($($name:ident)*) => {
        mod sandbox { $(#[test] fn $name() { super::$name(&super::World::sandbox(&[], super::FEW)); })* }
        mod moto {
            $(#[test] fn $name() {
                if let Some(world) = super::World::moto(&[], super::FEW) { super::$name(&world); }
            })*
        }
    };
}

scenarios! {
    the_management_account_is_a_target_where_it_is_not_excluded
    cloudtrail_goes_out_of_a_statement_that_stays
    the_platforms_own_role_is_trusted_and_created_first
    a_role_made_by_hand_is_taken_over
    the_sixth_change_of_the_policy_makes_room_for_itself
    what_means_the_same_is_no_drift
    the_account_check_names_what_is_missing
    the_platform_is_told_an_arn_and_an_alias_per_account
}

/// The platform's account and 99 others.
fn hundred<T>(start: impl FnOnce(&[(&str, &str)]) -> T) -> T {
    let names: Vec<String> = (1..=99).map(|n| format!("member-{n:02}")).collect();
    let mut accounts = vec![("forensics", "")];
    accounts.extend(names.iter().map(|name| (name.as_str(), "")));
    start(&accounts)
}

fn kit(world: &World) -> Kit {
    Kit::new("cado", &answers(world, ""))
}

fn answers(world: &World, more: &str) -> String {
    format!("primary_account = \"{}\"\n{more}\n", world.id("forensics"))
}

fn trust(world: &World, account: &str, role: &str) -> Value {
    let iam = world.iam(account);
    let role = world
        .wait(iam.get_role().role_name(role).send())
        .unwrap()
        .role
        .unwrap();
    document(role.assume_role_policy_document().unwrap())
}

fn policy_arn(world: &World, account: &str) -> String {
    format!("arn:aws:iam::{}:policy/{POLICY}", world.id(account))
}

/// The default version of the policy, and its document.
fn policy(world: &World, account: &str) -> (String, Value) {
    let (iam, arn) = (world.iam(account), policy_arn(world, account));
    let found = world
        .wait(iam.get_policy().policy_arn(&arn).send())
        .unwrap()
        .policy
        .unwrap();
    let version = found.default_version_id.unwrap();
    let answer = world
        .wait(
            iam.get_policy_version()
                .policy_arn(&arn)
                .version_id(&version)
                .send(),
        )
        .unwrap();
    (
        version,
        document(answer.policy_version.unwrap().document().unwrap()),
    )
}

/// How many statements a document has, and how many action entries.
fn counts(document: &Value) -> (usize, usize) {
    let statements = document["Statement"].as_array().unwrap();
    (
        statements.len(),
        statements
            .iter()
            .map(|statement| actions(statement).len())
            .sum(),
    )
}

fn actions(statement: &Value) -> Vec<&str> {
    match &statement["Action"] {
        Value::String(one) => vec![one],
        several => several
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action.as_str().unwrap())
            .collect(),
    }
}

#[track_caller]
fn assert_trusts_primary(world: &World, account: &str) {
    let (trust, primary) = (trust(world, account, ROLE), world.id("forensics"));
    let statements = trust["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 1);
    let principal = statements[0]["Principal"]["AWS"].as_str().unwrap();
    assert!(
        [primary, &format!("arn:aws:iam::{primary}:root")].contains(&principal),
        "{trust:#}"
    );
    assert!(statements[0].get("Condition").is_none(), "{trust:#}");
}

fn everywhere(world: &World) {
    let kit = kit(world);
    let plan = kit.plan(world, &[]);
    assert_eq!(plan["summary"]["steps"], 297, "{}", plan["summary"]);
    let steps = steps(&plan);
    assert!(
        !steps.contains_key(world.id("forensics")) && !steps.contains_key(world.id("management"))
    );
    assert_eq!(steps.len(), 99);
    let each = [
        ("AttachRolePolicy", 1),
        ("CreatePolicy", 1),
        ("CreateRole", 1),
    ]
    .into();
    assert!(steps.values().all(|steps| operations(steps) == each));
    kit.apply(world, &[]);

    for account in ["member-01", "member-50", "member-99"] {
        assert_trusts_primary(world, account);
        let role = world
            .wait(world.iam(account).get_role().role_name(ROLE).send())
            .unwrap()
            .role
            .unwrap();
        assert_eq!(role.max_session_duration, Some(3600));
        let (version, document) = policy(world, account);
        assert_eq!((version.as_str(), counts(&document)), ("v1", (12, 79)));
        let all: BTreeSet<&str> = document["Statement"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(actions)
            .collect();
        assert_eq!(all.len(), 76);
    }

    // One new version of each policy is half of what is owned.
    let fewer = ["--var", "ecs=false", "--var", "s3=false"];
    let plan = kit.plan(world, &fewer);
    assert_eq!(
        (&plan["summary"]["update"], &plan["summary"]["steps"]),
        (&json!(99), &json!(99)),
        "{}",
        plan["summary"]
    );
    let refused =
        |finding: &Value| finding["code"] == "change-percent" && finding["severity"] == "stop";
    assert!(
        plan["findings"].as_array().unwrap().iter().any(refused),
        "{}",
        plan["findings"]
    );
    kit.apply(
        world,
        &[&fewer[..], &["--allow", "change-percent"]].concat(),
    );
    let (version, document) = policy(world, "member-42");
    assert_eq!((version.as_str(), counts(&document)), ("v2", (10, 67)));
}

#[test]
fn ninety_nine_accounts_and_not_the_platforms_own_in_the_sandbox() {
    everywhere(&hundred(|accounts| World::sandbox(&[], accounts)));
}

#[test]
fn ninety_nine_accounts_and_not_the_platforms_own_on_moto() {
    if let Some(world) = hundred(|accounts| World::moto(&[], accounts)) {
        everywhere(&world);
    }
}

/// With the management account there is one target more.
fn the_management_account_is_a_target_where_it_is_not_excluded(world: &World) {
    let plan = kit(world).plan(world, &["--var", "exclude_accounts="]);
    assert_eq!(plan["summary"]["steps"], (3 + 1) * 3, "{}", plan["summary"]);
}

fn cloudtrail_goes_out_of_a_statement_that_stays(world: &World) {
    let kit = kit(world);
    kit.apply(world, &["--var", "cloudtrail=false"]);
    let (_, document) = policy(world, "member-02");
    assert_eq!(counts(&document), (12, 78));
    assert!(!document.to_string().contains("cloudtrail:"));
}

/// CADO-5.
fn the_platforms_own_role_is_trusted_and_created_first(world: &World) {
    let arn = format!(
        "arn:aws:iam::{}:role/CadoResponseRole",
        world.id("forensics")
    );
    let kit = kit(world);
    kit.answer(&answers(world, &format!("cado_role_arn = \"{arn}\"")));
    kit.write(
        "platform.toml",
        "[[role]]\nname = \"CadoResponseRole\"\ntargets = [{ account = \"forensics\" }]\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n",
    );
    let plan = kit.plan(world, &[]);
    assert_eq!(plan["summary"]["steps"], 3 * 3 + 1, "{}", plan["summary"]);
    kit.apply(world, &[]);
    assert_eq!(
        trust(world, "member-01", ROLE)["Statement"][0]["Principal"]["AWS"],
        json!(arn)
    );
}

/// CADO-6.
fn a_role_made_by_hand_is_taken_over(world: &World) {
    let ec2 = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}}]});
    let iam = world.iam("member-01");
    let name = "CadoResponse-Forensics";
    let made = iam
        .create_role()
        .role_name(name)
        .assume_role_policy_document(ec2.to_string());
    world.wait(made.max_session_duration(7200).send()).unwrap();
    let kit = kit(world);
    kit.answer(&answers(
        world,
        &format!("existing_role = true\nrole_name = \"{name}\""),
    ));
    let one = ["--account", "member-01"];
    let plan = kit.plan(world, &one);
    assert_eq!(
        (&plan["summary"]["adopt"], &plan["summary"]["create"]),
        (&json!(1), &json!(0)),
        "{plan:#}"
    );
    assert_eq!(
        operations(&steps(&plan)[world.id("member-01")])["UpdateAssumeRolePolicy"],
        1
    );
    kit.apply(world, &one);
    let trust = trust(world, "member-01", name);
    let statements = trust["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 2, "{trust:#}");
    let service = |statement: &Value| statement["Principal"]["Service"] == "ec2.amazonaws.com";
    let primary = |statement: &Value| {
        statement["Principal"]["AWS"]
            .to_string()
            .contains(world.id("forensics"))
    };
    assert!(
        statements.iter().any(service) && statements.iter().any(primary),
        "{trust:#}"
    );
    let role = world
        .wait(iam.get_role().role_name(name).send())
        .unwrap()
        .role
        .unwrap();
    assert_eq!(
        role.max_session_duration,
        Some(7200),
        "what nobody asked for stays"
    );
}

fn the_sixth_change_of_the_policy_makes_room_for_itself(world: &World) {
    let kit = kit(world);
    let one = ["--account", "member-01"];
    kit.apply(world, &one);
    for switch in ["ecs", "s3", "eks", "kms", "ssm", "lambda"] {
        let off = format!("{switch}=false");
        kit.apply(world, &["--account", "member-01", "--var", &off]);
    }
    let (version, _) = policy(world, "member-01");
    assert_eq!(version, "v7");
    let listed = world
        .iam("member-01")
        .list_policy_versions()
        .policy_arn(policy_arn(world, "member-01"));
    let mut left: Vec<String> = world
        .wait(listed.send())
        .unwrap()
        .versions
        .unwrap()
        .into_iter()
        .map(|found| found.version_id.unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["v3", "v4", "v5", "v6", "v7"]);
}

fn what_means_the_same_is_no_drift(world: &World) {
    let kit = kit(world);
    kit.apply(world, &[]);
    let iam = world.iam("member-01");
    let bare = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": world.id("forensics")}, "Condition": {}}]});
    world
        .wait(
            iam.update_assume_role_policy()
                .role_name(ROLE)
                .policy_document(bare.to_string())
                .send(),
        )
        .unwrap();
    let (_, mut document) = policy(world, "member-01");
    for statement in document["Statement"].as_array_mut().unwrap() {
        if let Some(actions) = statement["Action"].as_array_mut() {
            actions.reverse();
        }
    }
    let text = document
        .to_string()
        .replace("GetDownloadURLForLayer", "GetDownloadUrlForLayer");
    let edited = iam
        .create_policy_version()
        .policy_arn(policy_arn(world, "member-01"))
        .policy_document(text);
    world.wait(edited.set_as_default(true).send()).unwrap();
    let plan = kit.plan(world, &["--detailed-exitcode"]);
    assert_eq!(plan["summary"]["steps"], 0, "{plan:#}");
}

/// CADO-11.
fn the_account_check_names_what_is_missing(world: &World) {
    let kit = kit(world);
    kit.apply(world, &[]);
    kit.run(world, "verify", &["--offline"]).exits(0);
    let (_, document) = policy(world, "member-02");
    let text = document.to_string().replace("\"s3:GetObject\",", "");
    let iam = world.iam("member-02");
    let edited = iam
        .create_policy_version()
        .policy_arn(policy_arn(world, "member-02"))
        .policy_document(text);
    world.wait(edited.set_as_default(true).send()).unwrap();
    kit.run(world, "verify", &["--offline", "--skip-account-check"])
        .exits(0);
    let report = kit
        .run(world, "verify", &["--offline", "--format", "json"])
        .exits(2)
        .json();
    let failed: Vec<&Value> = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|result| result["outcome"] == "failed")
        .collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(
        failed[0]["address"],
        format!("{}/role/{ROLE}", world.id("member-02"))
    );
    assert!(
        failed[0].to_string().contains("s3:GetObject"),
        "{failed:#?}"
    );
}

/// CADO-12.
fn the_platform_is_told_an_arn_and_an_alias_per_account(world: &World) {
    let kit = kit(world);
    kit.apply(world, &[]);
    let csv = kit.run(world, "output", &["--format", "csv"]).exits(0);
    assert_eq!(csv.stdout.lines().count(), 1 + 3, "{}", csv.stdout);
    for account in ["member-01", "member-02", "member-03"] {
        let id = world.id(account);
        let alias = format!("{account} ({id})");
        let arn = format!("arn:aws:iam::{id}:role/{ROLE}");
        assert!(
            csv.stdout
                .lines()
                .any(|line| line.contains(&arn) && line.contains(&alias)),
            "{}",
            csv.stdout
        );
    }
}

/// CADO-10. The management account is the primary one here: whoever runs `verify` is who the roles trust.
#[test]
fn the_platform_enters_every_role() {
    let world = World::sandbox(&[], FEW);
    let kit = Kit::new(
        "cado",
        &format!("primary_account = \"{}\"\n", world.id("management")),
    );
    kit.apply(&world, &[]);
    kit.run(&world, "verify", &[]).exits(0);
    let nobody = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}}]});
    let iam = world.iam("member-03");
    world
        .wait(
            iam.update_assume_role_policy()
                .role_name(ROLE)
                .policy_document(nobody.to_string())
                .send(),
        )
        .unwrap();
    kit.run(&world, "verify", &[])
        .exits(2)
        .says(&[world.id("member-03")]);
}

/// CADO-5: the platform's role must also be let go by its own account.
#[test]
fn the_platforms_role_needs_a_policy_of_its_own() {
    let world = World::sandbox(&[], FEW);
    let arn = format!(
        "arn:aws:iam::{}:role/CadoResponseRole",
        world.id("forensics")
    );
    let kit = kit(&world);
    kit.answer(&answers(&world, &format!("cado_role_arn = \"{arn}\"")));
    let platform = "[[role]]\nname = \"CadoResponseRole\"\ntargets = [{ account = \"forensics\" }]\n[[role.trust]]\nservice = \"ec2.amazonaws.com\"\n";
    kit.write("platform.toml", platform);
    kit.apply(&world, &[]);
    kit.run(&world, "verify", &["--offline"])
        .exits(2)
        .says(&[&arn, "no policy of its own allows `sts:AssumeRole`"]);
    let go = "[[role.inline_policy]]\nname = \"go\"\n[[role.inline_policy.statement]]\nactions = [\"sts:AssumeRole\"]\nresources = [\"arn:aws:iam::*:role/*CadoResponse*\"]\n";
    kit.write("platform.toml", &format!("{platform}{go}"));
    kit.apply(&world, &[]);
    kit.run(&world, "verify", &["--offline"]).exits(0);
}

/// The probes of a verification that ended so.
fn ended<'a>(verified: &'a Value, probe: &str, outcome: &str) -> Vec<&'a Value> {
    let results = verified["results"].as_array().unwrap().iter();
    results
        .filter(|result| result["probe"] == probe && result["outcome"] == outcome)
        .collect()
}

/// CADO-10 and CADO-11, from the platform's own account.
#[test]
fn from_forensics_99_of_99_are_assumable_and_76_of_76_actions_are_there() {
    let mut world = hundred(|accounts| World::sandbox(&[], accounts));
    let kit = kit(&world);
    kit.run(&world, "apply", &["--auto-approve"]).exits(0);
    let forensics = world.iam("forensics");
    world
        .wait(forensics.create_user().user_name("platform").send())
        .unwrap();
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    world
        .wait(
            forensics
                .attach_user_policy()
                .user_name("platform")
                .policy_arn(admin)
                .send(),
        )
        .unwrap();
    // Whoever verifies reads the members, too.
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": [world.id("forensics"), world.id("management")]}}]});
    let sandbox = world.sandbox.clone().unwrap();
    for (name, id) in world
        .built
        .accounts
        .iter()
        .filter(|(name, _)| name.as_str() != "forensics")
    {
        let edit = [
            ("RoleName", "OrganizationAccountAccessRole"),
            ("PolicyDocument", &trust.to_string()),
        ];
        sandbox
            .by_hand(id.parse().unwrap(), "UpdateAssumeRolePolicy", &edit)
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    let platform = format!("arn:aws:iam::{}:user/platform", world.id("forensics"));
    world.call_as("forensics", &platform);
    let verified = kit
        .run(&world, "verify", &["--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        ended(&verified, "live-allowed", "proven").len(),
        99,
        "{}",
        verified["summary"]
    );
    let checked = ended(&verified, "expect", "proven");
    assert_eq!(checked.len(), 99);
    assert!(
        checked
            .iter()
            .all(|result| result["message"].as_str().unwrap().starts_with("76 of 76 ")),
        "{checked:#?}"
    );

    let (_, document) = policy(&world, "member-42");
    let less = document.to_string().replace("\"s3:GetObject\",", "");
    let arn = policy_arn(&world, "member-42");
    let edit = [
        ("PolicyArn", arn.as_str()),
        ("PolicyDocument", &less),
        ("SetAsDefault", "true"),
    ];
    sandbox
        .by_hand(
            world.id("member-42").parse().unwrap(),
            "CreatePolicyVersion",
            &edit,
        )
        .unwrap();
    let verified = kit
        .run(&world, "verify", &["--offline", "--format", "json"])
        .exits(2)
        .json();
    let failed = ended(&verified, "expect", "failed");
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(
        failed[0]["address"],
        format!("{}/role/{ROLE}", world.id("member-42"))
    );
    assert!(
        failed[0]["message"]
            .as_str()
            .unwrap()
            .contains("s3:GetObject"),
        "{failed:#?}"
    );
    let whole = |result: &&&Value| result["message"].as_str().unwrap().starts_with("76 of 76 ");
    assert_eq!(
        ended(&verified, "expect", "proven")
            .iter()
            .filter(whole)
            .count(),
        98
    );
}

/// CADO-14.
#[test]
fn a_role_that_a_stack_made_is_recognised_and_not_fought_over() {
    let world = World::sandbox(&[], FEW);
    let sandbox = world.sandbox.clone().unwrap();
    let id: AccountId = world.id("member-01").parse().unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}}]})
    .to_string();
    sandbox
        .by_hand(
            id,
            "CreateRole",
            &[("RoleName", ROLE), ("AssumeRolePolicyDocument", &trust)],
        )
        .unwrap();
    // No one but CloudFormation can set its tags.
    sandbox.with(|world| {
        let role = world
            .accounts
            .get_mut(&id)
            .unwrap()
            .iam
            .roles
            .get_mut(&ROLE.to_lowercase())
            .unwrap();
        let mut made = role.latest().unwrap().as_ref().clone();
        made.tags.insert(
            "aws:cloudformation:stack-name".to_owned(),
            "StackSet-Cado".to_owned(),
        );
        role.set(world.clock.now(), world.lag, Some(made.into()));
    });
    let kit = kit(&world);
    for (existing, code) in [("false", "adopt"), ("true", "stack-owned")] {
        kit.answer(&answers(&world, &format!("existing_role = {existing}")));
        kit.run(&world, "apply", &["--auto-approve"])
            .exits(4)
            .says(&[ROLE, world.id("member-01"), code]);
    }
    let live = sandbox
        .by_hand(id, "GetRole", &[("RoleName", ROLE)])
        .unwrap();
    assert!(
        format!("{live:?}").contains("ec2.amazonaws.com"),
        "it is as the stack made it"
    );
    kit.answer(&answers(
        &world,
        "exclude_accounts = [\"management\", \"member-01\"]",
    ));
    kit.apply(&world, &[]);
}

/// The kit as it is filled in without an AWS, with these answers besides.
fn filled(more: &str) -> Kit {
    Kit::new(
        "cado",
        &format!("primary_account = \"111111111111\"\n{more}\n"),
    )
}

#[track_caller]
fn refused(more: &str, code: i32, words: &[&str]) -> Run {
    filled(more).validate(&[]).exits(code).says(words)
}

#[test]
fn the_kit_is_valid_once_it_is_filled_in() {
    filled("").validate(&[]).exits(0);
    filled("existing_role = true").validate(&[]).exits(0);
    Kit::new("cado", "").validate(&[]).exits(1).says(&[
        "primary_account",
        "required",
        "--var primary_account",
    ]);
}

#[test]
fn every_switch_takes_out_its_own_actions_and_leaves_a_valid_policy() {
    let world = World::sandbox(&[], FEW);
    for (switch, statements, entries) in [
        ("account_check", 11, 74),
        ("ec2", 9, 39),
        ("ami", 11, 78),
        ("kms", 10, 72),
        ("ssm", 11, 73),
        ("s3", 11, 74),
        ("cloudtrail", 12, 78),
        ("lambda", 11, 73),
        ("ecs", 11, 72),
        ("eks", 11, 77),
    ] {
        let kit = kit(&world);
        let off = format!("{switch}=false");
        let plan = kit.plan(&world, &["--account", "member-01", "--var", &off]);
        let changes = plan["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|account| account["changes"].as_array().unwrap());
        let diffs = changes.flat_map(|change| change["diffs"].as_array().unwrap());
        let document = diffs
            .filter(|diff| diff["attribute"] == "document")
            .map(|diff| &diff["after"])
            .next()
            .unwrap();
        assert_eq!(counts(document), (statements, entries), "{switch}");
    }
}

/// CADO-9.
#[test]
fn a_use_case_that_another_needs_is_warned_about() {
    for (off, words) in [
        ("kms = false", ["without kms", "encrypted"]),
        ("ami = false", ["without ami", "images"]),
    ] {
        refused(off, 0, &words);
    }
}

#[test]
fn the_platforms_role_lives_in_the_platforms_account() {
    let other = "cado_role_arn = \"arn:aws:iam::222222222222:role/CadoResponseRole\"";
    refused(other, 4, &["cado_role_arn", "primary_account"]);
}

#[test]
fn the_kit_is_a_module_of_a_larger_directory() {
    let world = World::sandbox(&[], FEW);
    let root = format!(
        "name = \"vendors\"\n[[module]]\nsource = \"kits/cado\"\n[module.vars]\nprimary_account = \"{}\"\n\
         exclude_accounts = [\"management\", \"member-03\"]\necs = false\n",
        world.id("forensics")
    );
    let read = |name: &str| std::fs::read_to_string(example("cado").join(name)).unwrap();
    let directory = Directory::of(&[
        ("rolecall.toml", &root),
        ("kits/cado/rolecall.toml", &read("rolecall.toml")),
        (
            "kits/cado/policies/cross-account.yaml",
            &read("policies/cross-account.yaml"),
        ),
    ]);
    let path = directory.path().to_str().unwrap();
    let plan = world
        .rolecall(&["plan", "-c", path, "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&plan["name"], &plan["summary"]["steps"]),
        (&json!("vendors"), &json!(6)),
        "{}",
        plan["summary"]
    );
}

#[test]
fn n2_1_a_role_name_in_the_wrong_case() {
    let name = "cadoresponse-cross";
    refused(
        &format!("role_name = \"{name}\""),
        4,
        &["CadoResponse", "case", name],
    );
}

#[test]
fn n2_2_a_role_name_without_what_the_platform_asks_for() {
    refused(
        "role_name = \"CrossAccountForensics\"",
        4,
        &["must contain", "CadoResponse"],
    );
}

#[test]
fn n2_3_a_session_that_is_too_short() {
    refused(
        "max_session_duration = \"1800\"",
        1,
        &["1800", "3600", "1 hour"],
    );
}

#[test]
fn n2_4_a_session_that_is_too_long() {
    refused("max_session_duration = \"43201\"", 1, &["43200"]);
}

#[test]
fn n2_5_the_platforms_role_does_not_exist() {
    let world = World::sandbox(&[], FEW);
    let arn = format!(
        "arn:aws:iam::{}:role/CadoResponseRole",
        world.id("forensics")
    );
    let kit = kit(&world);
    kit.answer(&answers(&world, &format!("cado_role_arn = \"{arn}\"")));
    let plan = kit.plan(&world, &[]);
    let address = format!("{}/role/{ROLE}", world.id("member-01"));
    let found = plan["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["address"] == address.as_str())
        .unwrap();
    let message = found["message"].as_str().unwrap();
    assert!(
        message.contains(&arn) && message.contains("does not exist"),
        "{message}"
    );
    kit.run(&world, "apply", &["--auto-approve"])
        .exits(4)
        .says(&[&arn, world.id("member-01")]);
}

#[test]
fn n2_6_every_use_case_is_taken_out() {
    let switches = [
        "account_check",
        "ec2",
        "ami",
        "kms",
        "ssm",
        "s3",
        "cloudtrail",
        "lambda",
        "ecs",
        "eks",
    ];
    let off: String = switches
        .iter()
        .map(|switch| format!("{switch} = false\n"))
        .collect();
    refused(&off, 1, &["no statement", POLICY]);
}

/// moto tells the older `Status` of a closed account, the sandbox its `State`.
fn an_account_is_suspended(world: &World, state: &str) {
    let closed = world
        .cloud
        .organizations
        .close_account()
        .account_id(world.id("member-13"));
    world.wait(closed.send()).unwrap();
    let kit = kit(world);
    let plan = kit.plan(world, &[]);
    assert_eq!(plan["summary"]["create"], 98 * 2, "{}", plan["summary"]);
    let skipped: Vec<&Value> = plan["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|account| account["status"] == "skipped")
        .collect();
    assert_eq!(skipped.len(), 1, "{skipped:#?}");
    assert_eq!(skipped[0]["id"], world.id("member-13"));
    assert!(skipped[0].to_string().contains(state), "{skipped:#?}");
    kit.run(world, "plan", &["--account", "member-13"]).says(&[
        state,
        "skipped",
        world.id("member-13"),
    ]);
}

#[test]
fn n2_7_one_account_is_suspended_in_the_sandbox() {
    an_account_is_suspended(&hundred(|accounts| World::sandbox(&[], accounts)), "CLOSED");
}

#[test]
fn n2_7_one_account_is_suspended_on_moto() {
    if let Some(world) = hundred(|accounts| World::moto(&[], accounts)) {
        an_account_is_suspended(&world, "SUSPENDED");
    }
}

/// moto lets anybody into any role, so only the sandbox can show it.
#[test]
fn n2_8_one_account_cannot_be_entered() {
    let world = hundred(|accounts| World::sandbox(&[], accounts));
    let iam = world.iam("member-07");
    let access = "OrganizationAccountAccessRole";
    let nobody = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "*"}}]});
    world
        .wait(
            iam.update_assume_role_policy()
                .role_name(access)
                .policy_document(nobody.to_string())
                .send(),
        )
        .unwrap();
    let applied = kit(&world)
        .run(&world, "apply", &["--auto-approve", "--format", "json"])
        .exits(3);
    assert_eq!(applied.json()["summary"]["done"], 98 * 2);
    applied.says(&[world.id("member-07"), "AccessDenied"]);
}
