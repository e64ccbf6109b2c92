//! States and plans, and what becomes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::import::check::check;

fn resource(kind: &str, name: &str, alias: &str, attributes: &Value) -> Value {
    json!({
        "mode": "managed", "type": kind, "name": name,
        "provider": format!("provider[\"registry.terraform.io/hashicorp/aws\"]{alias}"),
        "instances": [{"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}],
    })
}

fn document(action: &str, resource: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}).to_string()
}

fn role(account: &str, id: &str, attached: &[&str]) -> Value {
    json!({
        "arn": format!("arn:aws:iam::{account}:role/mill/miller"), "name": "miller", "path": "/mill/",
        "description": "", "max_session_duration": 7200, "permissions_boundary": "",
        "tags": {"team": "flour"}, "tags_all": {"team": "flour", "cost": "42"},
        "managed_policy_arns": attached,
        "inline_policy": [{"name": "sacks", "policy": document("s3:ListBucket", &format!("arn:aws:s3:::sacks-{account}"))}],
        "assume_role_policy": json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::600000000020:root"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": id}},
        }]}).to_string(),
    })
}

const EAST: &str = "600000000021";
const WEST: &str = "600000000022";

fn state(resources: &[Value]) -> String {
    json!({"version": 4, "terraform_version": "1.9.8", "resources": resources}).to_string()
}

fn imported(text: &str) -> (Imported, BTreeMap<String, String>) {
    let inputs = [("s.tfstate".to_owned(), text.to_owned())];
    let mut done = import(&inputs, "mill", &Options::default()).unwrap();
    let (emitted, refused) = check(&mut done.draft, None);
    done.entries.extend(refused);
    let files = emitted.files.into_iter().map(|file| (file.path, file.text));
    (done, files.collect())
}

fn codes(done: &Imported, class: Class) -> Vec<String> {
    let of = done.entries.iter().filter(|entry| entry.class == class);
    of.map(|entry| format!("{} {}", entry.code, entry.source))
        .collect()
}

#[test]
fn one_role_in_two_accounts_is_one_role_with_its_additions() {
    let water = |account: &str| format!("arn:aws:iam::{account}:policy/water");
    let audit = "arn:aws:iam::aws:policy/SecurityAudit";
    let policy = |account: &str, action: &str| json!({"arn": water(account), "name": "water", "path": "/", "description": "Levels", "policy": document(action, "*")});
    let (done, files) = imported(&state(&[
        resource(
            "aws_iam_role",
            "a",
            ".east",
            &role(EAST, "first-secret", &[&water(EAST)]),
        ),
        resource(
            "aws_iam_role",
            "b",
            ".west",
            &role(WEST, "second-secret", &[&water(WEST)]),
        ),
        resource("aws_iam_policy", "a", ".east", &policy(EAST, "iot:Get*")),
        resource("aws_iam_policy", "b", ".west", &policy(WEST, "iot:get*")),
        resource(
            "aws_iam_role_policy",
            "g",
            ".west",
            &json!({"name": "more", "role": "miller", "policy": document("s3:Get*", "*")}),
        ),
        resource(
            "aws_iam_role_policy_attachments_exclusive",
            "g",
            ".east",
            &json!({"role_name": "miller", "policy_arns": [water(EAST), audit]}),
        ),
        resource(
            "aws_iam_instance_profile",
            "p",
            ".east",
            &json!({"name": "p", "role": "miller"}),
        ),
    ]));
    let text = &files["roles.toml"];
    for part in [
        "name = \"miller\"",
        "path = \"/mill/\"",
        "max_session_duration = 7200",
        "\"local:water\"",
        "policy = \"aws:SecurityAudit\", when = \"var.miller_",
        "resources = \"arn:aws:s3:::sacks-{{ account.id }}\"",
        "external_id = \"{{ var.miller_external_id }}\"",
        "name = \"more\"\nwhen = \"var.miller_",
        "cost = \"42\"",
        EAST,
        WEST,
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert_eq!(done.draft.roles.len(), 1);
    assert!(files["policies.toml"].matches("[[policy]]").count() == 1);
    assert_eq!(codes(&done, Class::Lost), Vec::<String>::new());
    assert_eq!(
        codes(&done, Class::Left),
        ["iam-type aws_iam_instance_profile.p"]
    );
    for (file, text) in &files {
        let secret = file == "accounts.secret.toml";
        assert_eq!(
            text.contains("first-secret") || text.contains("second-secret"),
            secret,
            "{file}"
        );
    }
    assert_eq!(done.addresses.len(), 6);
}

#[test]
fn what_cannot_be_placed_is_lost_and_named() {
    let (done, _) = imported(&state(&[
        resource("aws_iam_role", "a", ".east", &role(EAST, "sour", &[])),
        resource("aws_iam_role", "b", ".west", &role(WEST, "sour", &[])),
        resource(
            "aws_iam_role_policy",
            "g",
            ".north",
            &json!({"name": "more", "role": "miller", "policy": document("s3:Get*", "*")}),
        ),
        resource(
            "aws_iam_role_policy",
            "h",
            ".east",
            &json!({"name": "more", "role": "nobody", "policy": document("s3:Get*", "*")}),
        ),
        resource(
            "aws_iam_role_policies_exclusive",
            "e",
            ".east",
            &json!({"role_name": "miller", "policy_names": ["sacks", "gone"]}),
        ),
    ]));
    let mut lost = codes(&done, Class::Lost);
    lost.sort();
    assert_eq!(
        lost,
        [
            "fragment aws_iam_role_policy.h",
            "reference aws_iam_role_policies_exclusive.e",
            "reference aws_iam_role_policy.g",
        ]
    );
    let given = Options {
        accounts: BTreeMap::from([("north".to_owned(), WEST.to_owned())]),
    };
    let text = state(&[
        resource("aws_iam_role", "b", ".west", &role(WEST, "sour", &[])),
        resource("aws_iam_role", "a", ".east", &role(EAST, "sour", &[])),
        resource(
            "aws_iam_role_policy",
            "g",
            ".north",
            &json!({"name": "more", "role": "miller", "policy": document("s3:Get*", "*")}),
        ),
    ]);
    let done = import(&[("s".to_owned(), text)], "mill", &given).unwrap();
    assert_eq!(codes(&done, Class::Lost), Vec::<String>::new());
}

#[test]
fn what_show_prints_of_a_state_and_a_plan_is_read_too() {
    let module = |key: &str| {
        json!({
            "format_version": "1.0",
            key: {"root_module": {"child_modules": [{"address": "module.m[0]", "resources": [
                {"address": "module.m[0].aws_iam_role.a[\"x\"]", "mode": "managed", "type": "aws_iam_role", "name": "a", "index": "x",
                 "values": role(EAST, "sour", &[]), "sensitive_values": {"assume_role_policy": true}},
                {"address": "module.m[0].data.aws_iam_policy_document.d", "mode": "data", "type": "aws_iam_policy_document", "name": "d", "values": {}},
            ]}]}},
        })
    };
    for key in ["values", "planned_values"] {
        let (done, _) = imported(&module(key).to_string());
        assert_eq!(done.draft.roles.len(), 1, "{:?}", done.entries);
        assert_eq!(done.addresses, ["module.m[0].aws_iam_role.a"]);
        assert_eq!(codes(&done, Class::Left).len(), 1);
    }
    let mut plan = module("planned_values");
    plan["resource_changes"] = json!([{"address": "module.m[0].aws_iam_role.a[\"x\"]", "change": {"after_unknown": {"assume_role_policy": true}}}]);
    let (done, _) = imported(&plan.to_string());
    assert!(done.draft.roles.is_empty());
    assert_eq!(codes(&done, Class::Lost).len(), 1);
}

#[test]
fn what_is_no_state_is_refused_with_the_reason() {
    for (text, why) in [
        ("{", "not JSON"),
        ("[]", "not a state"),
        ("{}", "neither a state"),
        ("{\"version\": 3}", "version 3"),
        ("{\"version\": 5}", "newer than 4"),
        ("{\"encrypted_data\": \"x\", \"version\": 4}", "encrypted"),
        ("{\"Resources\": {}}", "CloudFormation"),
    ] {
        let problems = import(
            &[("s".to_owned(), text.to_owned())],
            "mill",
            &Options::default(),
        )
        .unwrap_err();
        assert!(problems[0].1.contains(why), "{text}: {problems:?}");
    }
}

proptest! {
    #[test]
    fn any_state_ends(at in any::<prop::sample::Index>(), length in 1_usize..60, to in any::<prop::sample::Index>()) {
        let text = state(&[
            resource("aws_iam_role", "a", ".east", &role(EAST, "sour", &["arn:aws:iam::aws:policy/SecurityAudit"])),
            resource("aws_iam_role_policy", "g", "", &json!({"name": "more", "role": "miller", "policy": document("s3:Get*", "*")})),
        ]);
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let end = (at + length).min(chars.len());
        let piece: Vec<char> = chars.drain(at..end).collect();
        let to = to.index(chars.len());
        chars.splice(to..to, piece);
        let text: String = chars.into_iter().collect();
        if let Ok(mut done) = import(&[("s".to_owned(), text)], "mill", &Options::default()) {
            check(&mut done.draft, None);
        }
    }
}

/// Values of a document that the state marks as sensitive become sensitive variables: nothing of them is shown, and
/// nothing is lost.
#[test]
fn a_document_that_is_sensitive_keeps_its_shape_and_hides_its_values() {
    let marked = |mut of: Value, name: &str| {
        of["instances"][0]["sensitive_attributes"] = json!([[{"type": "get_attr", "value": name}]]);
        of
    };
    let hushed = |account: &str| format!("arn:aws:s3:::hush-{account}-{}", &account[10..]);
    let mut east = role(EAST, "hush-id", &[]);
    east["inline_policy"] = json!([]);
    let policy = |account: &str| json!({"arn": format!("arn:aws:iam::{account}:policy/water"), "name": "water", "path": "/", "description": "", "policy": document("iot:Get*", "arn:aws:iot:eu-north-1:600000000055:hush/levels")});
    let added = |account: &str| json!({"name": "more", "role": "miller", "policy": document("s3:Get*", &hushed(account))});
    let mut west = east.clone();
    west["arn"] = json!(format!("arn:aws:iam::{WEST}:role/mill/miller"));
    let text = state(&[
        marked(
            resource("aws_iam_role", "a", ".east", &east),
            "assume_role_policy",
        ),
        marked(
            resource("aws_iam_role", "b", ".west", &west),
            "assume_role_policy",
        ),
        marked(
            resource("aws_iam_policy", "p", ".east", &policy(EAST)),
            "policy",
        ),
        marked(
            resource("aws_iam_role_policy", "i", ".east", &added(EAST)),
            "policy",
        ),
        marked(
            resource("aws_iam_role_policy", "j", ".west", &added(WEST)),
            "policy",
        ),
    ]);
    let (done, files) = imported(&text);
    assert_eq!(codes(&done, Class::Lost), Vec::<String>::new());
    let shown = files.iter().filter(|(file, _)| !file.contains("secret"));
    for (file, text) in shown {
        assert!(!text.contains("hush"), "{file}:\n{text}");
        assert!(!text.contains("600000000020"), "{file}:\n{text}");
    }
    let roles = &files["roles.toml"];
    for part in [
        "aws = \"{{ var.miller_secret",
        "external_id = \"{{ var.miller_external_id }}\"",
        "actions = \"s3:Get*\"",
        "resources = \"{{ var.miller_secret",
    ] {
        assert!(roles.contains(part), "no `{part}` in\n{roles}");
    }
    assert!(files["policies.toml"].contains("resources = \"{{ var.water_secret }}\""));
    assert!(files["secrets.vars"].contains("hush/levels"));
    assert!(files["accounts.secret.toml"].contains(&hushed(EAST)));
    assert!(files["accounts.secret.toml"].contains(&hushed(WEST)));
    // The other kinds of attributes: a block of the role itself.
    let mut block = role(EAST, "sour", &[]);
    block["inline_policy"] =
        json!([{"name": "sacks", "policy": document("s3:ListBucket", "arn:aws:s3:::hush")}]);
    let (done, files) = imported(&state(&[marked(
        resource("aws_iam_role", "a", ".east", &block),
        "inline_policy",
    )]));
    assert_eq!(codes(&done, Class::Lost), Vec::<String>::new());
    assert!(!files["roles.toml"].contains("hush"));
    assert!(files["roles.toml"].contains("actions = \"s3:ListBucket\""));
}

/// A plan of what is not there yet has no ARN; its configuration names the providers.
#[test]
fn a_plan_of_new_roles_finds_their_accounts_by_the_alias_of_the_provider() {
    let new = |module: &str, key: &str| {
        let mut values = role(EAST, "sour", &[]);
        values["arn"] = Value::Null;
        values["inline_policy"] = json!([]);
        json!({"address": format!("{module}aws_iam_role.a[\"{key}\"]"), "mode": "managed", "type": "aws_iam_role", "name": "a", "index": key, "values": values})
    };
    let resource = |key: &str| json!({"resources": [{"address": "aws_iam_role.a", "mode": "managed", "type": "aws_iam_role", "provider_config_key": key}]});
    let mut configuration = resource("aws.east");
    configuration["module_calls"] = json!({"m": {"module": resource("module.m:aws.west")}});
    let plan = json!({
        "format_version": "1.2",
        "planned_values": {"root_module": {
            "resources": [new("", "x")],
            "child_modules": [{"address": "module.m[\"a]b\"]", "resources": [new("module.m[\"a]b\"].", "y")]}],
        }},
        "configuration": {"root_module": configuration},
    });
    let of = |accounts: &[(&str, &str)]| {
        let accounts = accounts
            .iter()
            .map(|(alias, id)| ((*alias).to_owned(), (*id).to_owned()));
        let options = Options {
            accounts: accounts.collect(),
        };
        import(&[("p".to_owned(), plan.to_string())], "mill", &options).unwrap()
    };
    let done = of(&[("east", EAST), ("west", WEST)]);
    assert_eq!(codes(&done, Class::Lost), Vec::<String>::new());
    let targets = format!("{:?}", done.draft.roles[0].targets);
    assert!(
        targets.contains(EAST) && targets.contains(WEST),
        "{targets}"
    );
    assert_eq!(codes(&of(&[]), Class::Lost).len(), 2);
}
