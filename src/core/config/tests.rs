//! What a desired state may say, what it may not, and what it becomes.

use std::collections::BTreeMap;

use std::path::Path;
use std::sync::Arc;

use super::{Config, Expansion, Inputs, Memory, NarrowScope, Problems, Severity, load};
use crate::org::{Account, AccountId, AccountStatus, Caller, Organization, OuPath, Partition};
use crate::resource::role::{Mode, PolicyRef};

mod attachments;
mod checks;
mod grants;
mod language;
mod limits;
mod locals;
mod modules;
mod names;
mod secrets;
mod selectors;
mod variables;

/// Where the directories of these tests lie.
const ROOT: &str = "/desired";

const ROLE: &str = "
[[role]]
name = \"R\"
targets = \"all\"
[[role.trust]]
aws = \"111111111111\"
";

struct World {
    files: Memory,
    inputs: Inputs,
}

/// A directory with these files; `rolecall.toml` begins with its name.
fn world(files: &[(&str, &str)]) -> World {
    let mut world = World {
        files: Memory::default(),
        inputs: Inputs::new(Arc::new(Memory::default()), ROOT),
    };
    for (name, text) in files {
        world.write(name, *text);
    }
    world
}

impl World {
    /// Writes a file below the directory.
    fn write(&mut self, name: &str, content: impl Into<Vec<u8>>) {
        self.files.write(Path::new(ROOT).join(name), content);
        self.inputs.files = Arc::new(self.files.clone());
    }

    fn var(mut self, text: &str) -> Self {
        self.inputs.vars.push(text.to_owned());
        self
    }

    fn load(&self) -> Result<Config, Problems> {
        load(&self.inputs)
    }

    fn rendered(&self) -> String {
        let problems = self.load().expect_err("it should have been refused");
        problems.to_string().replace(&format!("{ROOT}/"), "")
    }
}

fn main_file(body: &str) -> World {
    world(&[("rolecall.toml", &format!("name = \"test\"\n{body}"))])
}

/// Every expected text is in what a user sees of `body`; line 1 is `name = "test"`.
#[track_caller]
fn refused(body: &str, expect: &[&str]) {
    let shown = main_file(body).rendered();
    for text in expect {
        assert!(
            shown.contains(text),
            "`{text}` is missing in\n{shown}\nof\n{body}"
        );
    }
}

#[track_caller]
fn accepted(body: &str) -> Config {
    match main_file(body).load() {
        Ok(config) => config,
        Err(problems) => panic!("{problems}\nof\n{body}"),
    }
}

fn organization() -> Organization {
    let account = |id: &str, name: &str, ou: &str, status: &str, tags: &[(&str, &str)]| Account {
        id: AccountId::parse(id).unwrap(),
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        status: AccountStatus(status.to_owned()),
        ou: OuPath(ou.to_owned()),
        parents: vec!["r-abcd".to_owned()],
        joined: None,
        tags: Some(
            tags.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        ),
    };
    let accounts = [
        account("000000000001", "management", "", "ACTIVE", &[]),
        account(
            "000000000002",
            "prod",
            "Workloads/Prod",
            "ACTIVE",
            &[("env", "prod")],
        ),
        account(
            "000000000003",
            "dev",
            "Workloads/Dev",
            "ACTIVE",
            &[("env", "dev")],
        ),
        account("000000000004", "old", "Workloads/Dev", "SUSPENDED", &[]),
    ];
    Organization {
        id: "o-exampleorgid".to_owned(),
        management_account: AccountId::parse("000000000001").unwrap(),
        partition: Partition::default(),
        caller: Caller {
            account: AccountId::parse("000000000001").unwrap(),
            arn: "arn:aws:iam::000000000001:user/x".to_owned(),
        },
        units: BTreeMap::from([
            ("r-abcd".to_owned(), OuPath::default()),
            (
                "ou-abcd-11111111".to_owned(),
                OuPath("Workloads".to_owned()),
            ),
            (
                "ou-abcd-22222222".to_owned(),
                OuPath("Workloads/Prod".to_owned()),
            ),
            (
                "ou-abcd-33333333".to_owned(),
                OuPath("Workloads/Dev".to_owned()),
            ),
        ]),
        accounts: accounts
            .into_iter()
            .map(|account| (account.id, account))
            .collect(),
    }
}

#[track_caller]
fn expanded(body: &str) -> Expansion {
    match accepted(body).expand(&organization(), &NarrowScope::default()) {
        Ok(expansion) => expansion,
        Err(problems) => panic!("{problems}\nof\n{body}"),
    }
}

#[track_caller]
fn not_expanded(body: &str, expect: &[&str]) {
    let problems = accepted(body)
        .expand(&organization(), &NarrowScope::default())
        .expect_err("it should be refused");
    let shown = problems.to_string();
    for text in expect {
        assert!(shown.contains(text), "`{text}` is missing in\n{shown}");
    }
}

fn ids(expansion: &Expansion) -> Vec<&str> {
    expansion
        .desired
        .accounts
        .keys()
        .map(AccountId::as_str)
        .collect()
}

fn typed(kind: &str, value: &str) -> String {
    format!(
        "[vars]\nexternal_id = {{ type = \"{kind}\", description = \"Cortex XDR id\", default = \"{value}\" }}\n"
    )
}

#[test]
fn wrong_values_of_variables_are_explained() {
    let uses = "
[[role]]
name = \"CortexXDRRole\"
targets = \"all\"
[[role.trust]]
aws = \"111111111111\"
external_id = \"{{ var.external_id }}\"
";
    refused(
        &typed("uuid4", "abc123"),
        &[
            "rolecall.toml:3:",
            "external_id",
            "UUIDv4",
            "6 characters",
            "abc123",
        ],
    );
    refused(
        &typed("uuid4", "3f2b8c1e-9d47-1a6b-8e21-5c0d7f9a1b23"),
        &["version 1", "UUIDv4"],
    );
    refused(
        &typed("uuid4", "3f2b8c1e-9d47-4a6b-ce21-5c0d7f9a1b23"),
        &["variant", "UUIDv4"],
    );
    accepted(&(typed("uuid4", "3f2b8c1e-9d47-4a6b-8e21-5c0d7f9a1b23") + uses));
    refused(
        &format!(
            "[vars]\nexternal_id = {{ type = \"uuid4\", description = \"Cortex XDR id\" }}\n{uses}"
        ),
        &[
            "external_id",
            "required",
            "no value",
            "Cortex XDR",
            "CortexXDRRole",
            "trust",
            "rolecall.toml:10:",
        ],
    );
    refused(
        &(typed("uuid4", "") + uses),
        &["external_id", "no value", "CortexXDRRole", "trust"],
    );
    refused(&typed("account_id", "6742885340"), &["12 digits", "10"]);
    refused(
        &typed("arn", "s3://x"),
        &["is not an ARN", "arn:aws:service"],
    );
    refused(
        &typed("uid4", "x"),
        &["`type` cannot be `uid4`", "did you mean `uuid4`?"],
    );
    refused(
        "[vars]\nx = { type = \"string\", pattern = \"[a-z]+\", default = \"A1\" }",
        &["pattern `[a-z]+`", "`A1`"],
    );
    refused(
        "[vars]\nx = { type = \"string\", one_of = [\"a\", \"b\"], default = \"c\" }",
        &["one of \"a\", \"b\""],
    );
    refused(
        "[vars]\nx = { typ = \"string\" }",
        &["unknown key `typ`", "did you mean `type`?", "has no `type`"],
    );
    refused("[vars]\nx = 1979-05-27", &["`x` cannot be a date"]);
}

#[test]
fn a_sensitive_value_is_not_shown() {
    let body = "[vars]\nid = { type = \"uuid4\", sensitive = true, default = \"hunter2\" }\n";
    let shown = main_file(body).rendered();
    assert!(
        shown.contains("7 characters") && !shown.contains("hunter2"),
        "{shown}"
    );
    let shown = main_file("[vars]\nid = { type = \"uuid4\", sensitive = true }\n")
        .var("id=hunter2")
        .rendered();
    assert!(
        shown.contains("--var id") && !shown.contains("hunter2"),
        "{shown}"
    );
    // Nor where a rule refuses what it was put into.
    let body = format!("[vars]\nid = {{ type = \"string\", sensitive = true }}\n{ROLE}path = \"{{{{ var.id }}}}\"\n")
        .replace("[[role.trust]]\naws = \"111111111111\"\npath", "path")
        + "[[role.trust]]\naws = \"111111111111\"\n";
    let shown = main_file(&body).var("id=hunter2").rendered();
    assert!(
        shown.contains("must begin and end with `/`") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn an_account_id_is_a_string_of_12_digits() {
    let body = ROLE.replace("\"111111111111\"", "6742885340");
    refused(
        &body,
        &[
            "12 digits",
            "string",
            "rolecall.toml:7:7",
            "\"006742885340\"",
        ],
    );
    refused(
        &ROLE.replace("\"111111111111\"", "006742885340"),
        &["12 digits", "string", "rolecall.toml:7:"],
    );
    refused(
        &ROLE.replace("\"111111111111\"", "\"6742885340\""),
        &["6742885340", "rolecall.toml:7:"],
    );
    let shorthand = format!(
        "[vars]\nx = 6742885340\n{}",
        ROLE.replace("111111111111", "{{ var.x }}")
    );
    refused(&shorthand, &["12 digits", "string", "rolecall.toml:9:7"]);
}

#[test]
fn unknown_keys_wrong_types_and_missing_keys_are_named() {
    for (body, expect) in [
        (
            "[[role]]\nname = \"R\"\nmax_session_durration = 3600",
            &[
                "unknown key `max_session_durration` in `role`",
                "rolecall.toml:4:1",
                "did you mean `max_session_duration`?",
                "role `R` has no `trust`",
                "role `R` has no `targets`",
            ][..],
        ),
        (
            "[lint]\n",
            &[
                "unknown key `lint` in the top level",
                "did you mean `lints`?",
            ][..],
        ),
        ("[[role]]\n", &["role has no `name`"]),
        (
            "[limits]\nmax_deletes = \"x\"",
            &["`max_deletes` must be an integer, not a string"],
        ),
        ("[limits]\nmax_deletes = -1", &["at least 0"]),
        ("[rollout]\nparallelism = 0", &["at least 1"]),
        ("[rollout]\nmax_failures = \"5\"", &["`max_failures`", "5%"]),
        ("[rollout]\nwaves = [{ percent = 0 }]", &["from 1 to 100"]),
        ("[rollout]\nbake = \"soon\"", &["`bake` is not a duration"]),
        ("[organization]\nid = \"x\"", &["is not an organization id"]),
        ("[organization]\nsession_name = \"a b\"", &["session name"]),
        (
            "[role]\nname = \"R\"",
            &["`role` must be a list of tables, not a table", "[[…role]]"],
        ),
        (
            &ROLE.replace("\"all\"", "\"everything\""),
            &["`targets` cannot be `everything`", "all"],
        ),
        (
            &ROLE.replace("\"all\"", "[{ acount = \"x\" }]"),
            &["did you mean `account`?"],
        ),
        (
            &ROLE.replace("\"all\"", "[{}]"),
            &["selector must not be empty"],
        ),
        (
            &ROLE.replace("\"all\"", "[{ account = \"12345678901\" }]"),
            &["12 digits", "11"],
        ),
        (
            &format!("{ROLE}efect = \"Allow\""),
            &["did you mean `effect`?"],
        ),
        (
            &format!("{ROLE}effect = \"allow\""),
            &["did you mean `Allow`?"],
        ),
        ("x = ", &["syntax", "rolecall.toml:2"]),
    ] {
        refused(body, expect);
    }
    let shown = world(&[("rolecall.toml", ROLE)]).rendered();
    assert!(shown.contains("`name` is required"), "{shown}");
    let shown = world(&[("rolecall.toml", "name = \"Big Name\"")]).rendered();
    assert!(shown.contains("is not a valid directory name"), "{shown}");
}

#[test]
fn rules_of_iam_are_checked() {
    let role = |line: &str| ROLE.replace("targets", &format!("{line}\ntargets"));
    let tags = |text: &str| role(&format!("tags = {{ {text} }}"));
    for (body, expect) in [
        (
            role("max_session_duration = 1800"),
            &["1800", "3600", "1 hour", "rolecall.toml:5:24"][..],
        ),
        (role("max_session_duration = \"30m\""), &["1800", "3600"]),
        (role("max_session_duration = 43201"), &["43201", "43200"]),
        (
            role("max_session_duration = \"soon\""),
            &["is not a duration", "\"90m\""],
        ),
        (
            role("path = \"x\""),
            &["path `x` must begin and end with `/`"],
        ),
        (role("description = \"a – b\""), &["U+2013"]),
        (
            role(&format!("description = \"{}\"", "x".repeat(1001))),
            &["1001 characters, 1000"],
        ),
        (
            ROLE.replace("\"R\"", "\"a b\""),
            &[
                "role name `a b` must not contain a space",
                "rolecall.toml:4:8",
            ],
        ),
        (
            tags("\"rolecall:managed-by\" = \"x\""),
            &["cannot be set here"],
        ),
        (tags("\"AWS:x\" = \"y\""), &["begins with `aws:`"]),
        (tags("\"a*b\" = \"y\""), &["contains `*`"]),
        (
            tags("Team = \"a\", team = \"b\""),
            &["`Team` and `team` differ only in case"],
        ),
        (
            format!("{ROLE}external_id = \"a\""),
            &["2", "1224", "1", "rolecall.toml:8:15"],
        ),
        (
            format!("{ROLE}external_id = \"a b\""),
            &["cannot contain a space"],
        ),
        (
            role("managed_policies = [\"SecurityAudit\"]"),
            &["is not a reference", "aws:SecurityAudit"],
        ),
        (
            role("managed_policies = [\"aws:AmazonEKSAdminViewPolicy\"]"),
            &[
                "`AmazonEKSAdminViewPolicy`",
                "EKS access policy",
                "not an IAM policy",
            ],
        ),
        (
            role(
                "managed_policies = [\"arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy\"]",
            ),
            &["EKS access policy", "not an IAM policy"],
        ),
        (
            role("permissions_boundary = \"local:\""),
            &["policy name `` must not be empty"],
        ),
        (
            ROLE.replace("aws = \"111111111111\"", ""),
            &["names no principal", "role `R`"],
        ),
        (
            ROLE.replace("\"111111111111\"", "\"\""),
            &["role `R`", "trust", "no value"],
        ),
        (
            ROLE.replace("\"111111111111\"", "[]"),
            &["role `R`", "trust", "no value"],
        ),
        (
            format!("{ROLE}federated = \"arn:aws:iam::111111111111:saml-provider/x\""),
            &["two kinds", "actions", "sts:AssumeRoleWithSAML"],
        ),
        (
            format!("{ROLE}federated = \"example.com\"").replace("aws = \"111111111111\"\n", ""),
            &["neither an OIDC"],
        ),
        (
            format!(
                "{ROLE}external_id = \"abc\"\nconditions.StringEquals.\"sts:externalid\" = \"x\""
            ),
            &["`external_id` and a condition both set"],
        ),
        (
            format!("{ROLE}actions = [\"assume\"]"),
            &["rolecall.toml:8:"],
        ),
        (
            format!("{ROLE}\n{}", ROLE.trim_start()),
            &[
                "role `R` is defined twice, first at",
                "rolecall.toml:4",
                "10:8",
            ],
        ),
        (
            format!("{ROLE}\n{}", ROLE.replace("\"R\"", "\"r\"")),
            &["role `r` and role `R`", "case"],
        ),
    ] {
        refused(&body, expect);
    }
    for line in [
        "max_session_duration = 3600",
        "max_session_duration = \"12h\"",
        "permissions_boundary = \"\"",
    ] {
        accepted(&role(line));
    }
    let many: Vec<String> = (0..50).map(|number| format!("k{number} = \"v\"")).collect();
    refused(&tags(&many.join(", ")), &["50 tags: 49 are allowed"]);
}

#[test]
fn policies_keep_their_fixed_quotas() {
    let actions: Vec<String> = (0..400)
        .map(|number| format!("\"s3:GetObject{number:03}\""))
        .collect();
    let statement = |table: &str| {
        format!(
            "[[{table}.statement]]\nactions = [{}]\nresources = \"*\"\n",
            actions.join(", ")
        )
    };
    let policy = format!("[[policy]]\nname = \"Big\"\n{}", statement("policy"));
    refused(&policy, &["policy `Big`", "6144", "7283"]);
    let inline = |name: &str| {
        format!(
            "[[role.inline_policy]]\nname = \"{name}\"\n{}",
            statement("role.inline_policy")
        )
    };
    accepted(&format!("{ROLE}{}", inline("a")));
    refused(
        &format!("{ROLE}{}{}", inline("a"), inline("b")),
        &["role `R`", "10240", "14566"],
    );
    refused(
        "[[policy]]\nname = \"P\"\n",
        &["policy `P` has no statement"],
    );
    refused(
        "[[policy]]\nname = \"P\"\n[[policy.statement]]\nwhen = \"false\"\nactions = \"s3:*\"\nresources = \"*\"",
        &["policy `P` has no statement left"],
    );
}

#[test]
fn a_document_is_read_where_it_is_named_and_blamed_where_it_is_wrong() {
    let main = "name = \"test\"\n[[policy]]\nname = \"P\"\ndocument = \"p/doc.json\"\n";
    let check = |document: &str, expect: &[&str]| {
        let shown = world(&[("rolecall.toml", main), ("p/doc.json", document)]).rendered();
        for text in expect {
            assert!(shown.contains(text), "`{text}` is missing in\n{shown}");
        }
    };
    let with = |action: &str| {
        format!(
            "{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n    {{\"Effect\": \"Allow\",\n     {action},\n     \"Resource\": \"*\"}}]}}"
        )
    };
    assert!(
        world(&[
            ("rolecall.toml", main),
            ("p/doc.json", &with("\"Action\": \"s3:Get*\""))
        ])
        .load()
        .is_ok()
    );
    check(&with("\"Action\": \"nonsense\""), &["p/doc.json:5:16"]);
    check(
        &with("\"Action\": \"s3:Get*\", \"Action\": \"s3:*\""),
        &["p/doc.json:5:", "`Action` appears twice"],
    );
    check(
        &with("\"Action\": \"{{ var.nope }}\""),
        &["p/doc.json:5:16", "`nope` is not a variable"],
    );
    check(&with("\"Action\": "), &["p/doc.json:5:", "is not JSON"]);
    check(
        &with("\"Action\": \"s3:Get*\"").replace("\"*\"", "\"<s3-arn>/*\""),
        &["<s3-arn>", "placeholder", "json:6:"],
    );
    let shown = world(&[("rolecall.toml", main)]).rendered();
    assert!(
        shown.contains("p/doc.json") && shown.contains("rolecall.toml:4:12"),
        "{shown}"
    );
    let text = world(&[("rolecall.toml", &main.replace(".json", ".txt"))]).rendered();
    assert!(
        text.contains("is not named as a JSON or YAML file"),
        "{text}"
    );
}

#[test]
fn yaml_keeps_account_ids_and_dates_as_text() {
    let main = format!(
        "name = \"test\"\n[vars]\nx = \"s3:List*\"\n{}",
        ROLE.replace(
            "[[role.trust]]\naws = \"111111111111\"",
            "trust = \"t.yaml\""
        )
    );
    let trust = "Version: 2012-10-17\nStatement:\n  - Effect: Allow\n    Principal: { AWS: 000123456789 }\n    Action: sts:AssumeRole\n";
    let mut world = world(&[("rolecall.toml", &main), ("t.yaml", trust)]);
    let expansion = world
        .load()
        .unwrap()
        .expand(&organization(), &NarrowScope::default())
        .unwrap();
    let role = expansion
        .desired
        .accounts
        .values()
        .next()
        .unwrap()
        .roles
        .values()
        .next()
        .unwrap();
    assert!(role.trust.text().contains("000123456789") && role.trust.text().contains("2012-10-17"));
    for (text, expect) in [
        (
            trust.replace("Effect: Allow", "Effect: allow"),
            "t.yaml:3:13",
        ),
        (
            trust.replace("Effect: Allow", "Effect: Allow\n    Effect: Deny"),
            "t.yaml:4:5",
        ),
        (
            trust.replace("sts:AssumeRole", "!Sub sts:AssumeRole"),
            "YAML tags",
        ),
        (trust.replace("Statement:", "Statement: ["), "is not YAML"),
    ] {
        world.write("t.yaml", text);
        assert!(
            world.rendered().contains(expect),
            "{expect} is missing in\n{}",
            world.rendered()
        );
    }
}

#[test]
fn all_problems_of_a_run_are_reported_in_order() {
    let world = world(&[
        (
            "rolecall.toml",
            "name = \"test\"\n[limits]\nmax_delets = 1\n[organization]\nid = \"o-x\"\n",
        ),
        ("a.toml", &ROLE.replace("all", "al")),
        ("sub/b.toml", "[[policy]]\nname = 5\n"),
        ("sub/broken.toml", "a = \nb = 'x\n"),
    ]);
    let problems = world.load().unwrap_err();
    let places: Vec<(String, usize)> = problems
        .iter()
        .map(|problem| {
            (
                problem.file.rsplit('/').next().unwrap().to_owned(),
                problem.line,
            )
        })
        .collect();
    let expect = [
        ("a.toml", 4),
        ("rolecall.toml", 3),
        ("rolecall.toml", 5),
        ("b.toml", 2),
        ("broken.toml", 1),
    ];
    for place in expect {
        assert!(
            places.contains(&(place.0.to_owned(), place.1)),
            "{place:?} is missing in {places:?}"
        );
    }
    let mut sorted = problems.clone().sorted();
    sorted.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    assert_eq!(problems.iter().cloned().collect::<Vec<_>>(), sorted);
    let json = serde_json::to_value(problems.shown().0).unwrap();
    let keys: Vec<&String> = json[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "severity", "code", "file", "line", "column", "message", "hint"
        ]
    );
    assert_eq!(json[0]["severity"], "error");
}

#[test]
fn one_role_tells_all_its_problems_and_none_twice() {
    let body = "
[vars]
id = { type = \"uuid4\", default = \"abc\" }
bucket = { type = \"string\" }
[[role]]
nam = 1
name = \"R\"
targets = \"all\"
max_session_duration = 5
description = \"{{ var.bucket }} {{ var.nope }}\"
[[role.trust]]
aws = \"{{ var.id }}\"
external_id = \"{{ var.bucket }}\"
actions = 5
";
    let problems = main_file(body).load().unwrap_err();
    let found: Vec<(usize, &str)> = problems
        .iter()
        .map(|problem| (problem.line, problem.code))
        .collect();
    let expect = [
        (4, "variable"),
        (7, "unknown-key"),
        (10, "value"),
        (11, "variable"),
        (14, "variable"),
        (15, "type"),
    ];
    assert_eq!(found, expect, "{problems}");
}

#[test]
fn only_the_files_of_this_directory_are_merged() {
    let broken = "this is = = no toml";
    let mut world = world(&[
        ("rolecall.toml", "name = \"test\"\n[vars]\nx = \"a\"\n"),
        ("deep/er/roles.toml", ROLE),
        ("state/x.toml", broken),
        (".hidden/x.toml", broken),
        (".x.toml", broken),
        ("module/rolecall.toml", broken),
        ("module/x.toml", broken),
        ("prod.tfvars.toml", "x = \"b\"\n"),
    ]);
    world
        .inputs
        .var_files
        .push(Path::new(ROOT).join("prod.tfvars.toml"));
    let config = world.load().unwrap();
    assert_eq!((config.resources().roles, config.resources().files), (1, 2));
    let missing = Inputs::new(world.inputs.files.clone(), Path::new(ROOT).join("nowhere"));
    assert!(load(&missing).unwrap_err().to_string().contains("nowhere"));
    let without_main = Inputs::new(world.inputs.files.clone(), Path::new(ROOT).join("deep"));
    assert!(
        load(&without_main)
            .unwrap_err()
            .to_string()
            .contains("there is no `rolecall.toml`")
    );
    world.write("latin.toml", b"x = \"\xe9\"");
    assert!(world.rendered().contains("is not UTF-8"));
}

#[test]
fn the_digest_follows_files_documents_and_given_values() {
    let main = (
        "rolecall.toml",
        "name = \"test\"\n[vars]\nx = \"a\"\n[[policy]]\nname = \"P\"\ndocument = \"p.json\"\n",
    );
    let document = |action: &str| {
        format!(
            "{{\"Version\": \"2012-10-17\", \"Statement\": {{\"Effect\": \"Allow\", \"Action\": \"{action}\", \"Resource\": \"*\"}}}}"
        )
    };
    let digest = |world: &World| world.load().unwrap().digest().to_owned();
    let (get, list) = (document("s3:Get*"), document("s3:List*"));
    let first = digest(&world(&[main, ("p.json", &get), ("roles.toml", ROLE)]));
    assert!(first.starts_with("sha256:") && first.len() == 71);
    let same = world(&[main, ("p.json", &get), ("roles.toml", ROLE)]);
    assert_eq!(
        first,
        digest(&same),
        "it does not depend on where the directory is"
    );
    for other in [
        world(&[main, ("p.json", &list), ("roles.toml", ROLE)]),
        world(&[main, ("p.json", &get), ("other.toml", ROLE)]),
        world(&[main, ("p.json", &get), ("roles.toml", ROLE)]).var("x=b"),
    ] {
        assert_ne!(first, digest(&other));
    }
}

#[test]
fn the_stronger_source_of_a_variable_wins() {
    let body = "
[vars]
x = \"default\"
[account.prod.vars]
x = \"account\"
[[role]]
name = \"R-{{ var.x }}\"
description = \"{{ account.id }}\"
targets = [{ account = [\"prod\", \"dev\"] }]
[[role.trust]]
aws = \"111111111111\"
";
    let names = |world: &World| -> Vec<String> {
        let expansion = world
            .load()
            .unwrap()
            .expand(&organization(), &NarrowScope::default())
            .unwrap();
        expansion
            .desired
            .accounts
            .values()
            .flat_map(|held| held.roles.values())
            .map(|role| role.name.to_string())
            .collect()
    };
    let mut world = main_file(body);
    assert_eq!(names(&world), ["R-account", "R-default"]);
    world
        .inputs
        .env
        .insert("ROLECALL_VAR_x".to_owned(), "env".to_owned());
    world
        .inputs
        .env
        .insert("ROLECALL_VAR_other".to_owned(), "env".to_owned());
    assert_eq!(names(&world), ["R-env", "R-env"]);
    world.write("v.toml", "x = \"file\"");
    world.inputs.var_files.push(Path::new(ROOT).join("v.toml"));
    assert_eq!(names(&world), ["R-file", "R-file"]);
    world.inputs.vars.push("x=var".to_owned());
    assert_eq!(names(&world), ["R-var", "R-var"]);
    let shown = main_file(body).var("y=1").rendered();
    assert!(shown.contains("`y` is not a variable"), "{shown}");
    assert!(
        main_file("[vars]\nenvironment = \"x\"")
            .var("enviroment=1")
            .rendered()
            .contains("did you mean `environment`?")
    );
    assert!(
        main_file("[vars]\ndspm = false")
            .var("dspm=yes")
            .rendered()
            .contains("must be true or false")
    );
}

#[test]
fn a_value_of_an_account_declares_its_variable() {
    let body = |name: &str| {
        let role = ROLE.replace(
            "\"all\"",
            "[{ account = \"prod\" }]\ndescription = \"{{ var.s3_arn }}\"",
        );
        format!(
            "[vars]\nother_bucket = \"x\"\n[account.prod.vars]\n{name} = \"arn:aws:s3:::b\"\n{role}"
        )
    };
    let expansion = expanded(&body("s3_arn"));
    let held = expansion.desired.accounts.values().next().unwrap();
    assert_eq!(
        held.roles["r"].description.as_deref(),
        Some("arn:aws:s3:::b")
    );
    refused(
        &body("othr_bucket"),
        &[
            "`othr_bucket` is not a variable",
            "did you mean `other_bucket`?",
            "rolecall.toml:5:1",
        ],
    );
}

#[test]
fn expressions_keep_types_and_leave_iam_variables_alone() {
    let body = "
[vars]
dspm = false
actions = [\"s3:Get*\", \"s3:List*\"]
hours = 7200
[[role]]
name = \"R\"
targets = [{ account = \"prod\" }]
max_session_duration = \"{{ var.hours }}\"
managed_policies = [\"aws:SecurityAudit\", { policy = \"local:P\", when = \"var.dspm\" }]
manage.tags = \"exclusive\"
tags = { id = \"{{ account.id }}\", env = \"{{ account.tags.env }}\", when = \"plain\" }
[[role.trust]]
aws = \"111111111111\"
when = \"not var.dspm\"
[[role.trust]]
when = \"var.dspm\"
aws = \"222222222222\"
[[role.inline_policy]]
name = \"p\"
[[role.inline_policy.statement]]
actions = [\"s3:Put*\", \"{{ var.actions }}\"]
resources = [\"arn:aws:s3:::x/${aws:username}/${*}/{{ \"{{\" }}/{% raw %}\"]
";
    let body = body.replace("{{ \"{{\" }}", "{{ '{{' }}");
    let expansion = expanded(&body);
    let role = expansion
        .desired
        .accounts
        .values()
        .next()
        .unwrap()
        .roles
        .values()
        .next()
        .unwrap();
    assert_eq!(role.max_session_duration, Some(7200));
    assert_eq!(role.managed_policies.as_ref().unwrap().len(), 1);
    assert_eq!(
        (role.manage.tags, role.manage.trust),
        (Mode::Exclusive, Mode::Exclusive)
    );
    let tags: Vec<(&str, &str)> = role
        .tags
        .iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        tags,
        [("env", "prod"), ("id", "000000000002"), ("when", "plain")]
    );
    assert!(
        role.trust.text().contains("111111111111") && !role.trust.text().contains("222222222222")
    );
    let inline = role
        .inline_policies
        .as_ref()
        .unwrap()
        .values()
        .next()
        .unwrap()
        .text();
    assert!(
        inline.contains("[\"s3:Put*\",\"s3:Get*\",\"s3:List*\"]"),
        "{inline}"
    );
    assert!(
        inline.contains("${aws:username}/${*}/{{/{% raw %}"),
        "{inline}"
    );
}

#[test]
fn wrong_expressions_are_refused() {
    let described =
        |text: &str| ROLE.replace("targets", &format!("description = '{text}'\ntargets"));
    for (body, expect) in [
        (
            described("{{ var.x }}"),
            &[
                "`x` is not a variable of this directory",
                "rolecall.toml:5:15",
            ][..],
        ),
        (
            described("{{ acount.id }}"),
            &["`acount` is unknown", "did you mean `account`?"],
        ),
        (
            described("{{ account.nme }}"),
            &["`account.nme` is unknown", "did you mean `name`?"],
        ),
        (described("{{ account.id"), &["no matching `}}`"]),
        (described("{{ 1 + }}"), &["`1 +` is not an expression"]),
        (
            described("${a{{ account.id }}}"),
            &["is not allowed inside `${…}`"],
        ),
        (
            described("{{ 1 }}"),
            &["`description` must be a string, not an integer"],
        ),
        (described("a {{ [1] }}"), &["cannot be part of a string"]),
        (
            format!("[vars]\nx = \"a\"\n{ROLE}when = \"var.x\""),
            &["must evaluate to true or false"],
        ),
        (
            format!("{ROLE}when = \"{{{{ true }}}}\""),
            &["without `{{`"],
        ),
        (described("{{ range(1000000) }}"), &["`range` is unknown"]),
    ] {
        refused(&body, expect);
    }
}

#[test]
fn targets_select_active_accounts_and_say_why() {
    let target = |text: &str| ROLE.replace("\"all\"", text);
    for (text, expect) in [
        (
            "\"all\"",
            &["000000000001", "000000000002", "000000000003"][..],
        ),
        (
            "[{ ou = \"Workloads\" }]",
            &["000000000002", "000000000003"],
        ),
        (
            "[{ ou = \"Workloads\", tags = { env = \"prod\" } }]",
            &["000000000002"],
        ),
        (
            "[{ account = \"management\" }, { account = \"d*\" }]",
            &["000000000001", "000000000003"],
        ),
        (
            "\"all\"\nexclude = [{ tags = { env = [\"prod\", \"dev\"] } }]",
            &["000000000001"],
        ),
        (
            "[{ ou = \"r-abcd\" }]",
            &["000000000001", "000000000002", "000000000003"],
        ),
        (
            "[{ account = \"{{ organization.management_account }}\" }]",
            &["000000000001"],
        ),
    ] {
        assert_eq!(ids(&expanded(&target(text))), expect, "{text}");
    }
    let expansion = expanded(&target("[{ ou = \"Workloads/Dev\" }]"));
    let skipped: Vec<(&str, &str)> = expansion
        .desired
        .skipped
        .iter()
        .map(|(id, why)| (id.as_str(), why.as_str()))
        .collect();
    assert_eq!(skipped, [("000000000004", "SUSPENDED")]);
    let because = &expansion.targeted_by[&AccountId::parse("000000000003").unwrap()][0];
    assert_eq!(
        (&*because.role, &*because.selector),
        ("R", "ou = \"Workloads/Dev\"")
    );
    not_expanded(
        &target("[{ account = \"000000000009\" }]"),
        &["000000000009", "does not exist", "did you mean"],
    );
    not_expanded(
        &target("[{ ou = \"Workload/Prod\" }]"),
        &["does not exist", "did you mean `Workloads/Prod`?"],
    );
    not_expanded(
        &target("[{ ou = \"Prod\" }]"),
        &["did you mean `Workloads/Prod`?", "rolecall.toml:5:"],
    );
    let empty = accepted(&target("[]"));
    assert!(
        empty.warnings()[0]
            .message
            .contains("`targets` of role `R` is empty")
    );
    for (text, expect) in [
        ("[{ account = \"prd\" }]", "did you mean `prod`?"),
        ("[{ account = \"x*\" }]", "matches no account"),
    ] {
        let expansion = expanded(&target(text));
        let shown: Problems =
            expansion
                .warnings
                .iter()
                .fold(Problems::default(), |mut all, problem| {
                    assert_eq!(problem.severity, Severity::Warning);
                    all.push(problem.clone());
                    all
                });
        assert!(shown.to_string().contains(expect), "{shown}");
    }
}

#[test]
fn a_missing_value_names_its_accounts() {
    let body = ROLE.replace(
        "targets",
        "description = \"{{ account.tags.env }}\"\ntargets",
    );
    not_expanded(
        &body,
        &[
            "`account.tags.env` has no value",
            "`description` of role `R`",
            "(in account 000000000001)",
        ],
    );
    let body = format!(
        "[vars]\nbucket = {{ type = \"string\" }}\n[account.prod.vars]\nbucket = \"b\"\n{}",
        ROLE.replace("targets", "description = \"{{ var.bucket }}\"\ntargets")
    );
    not_expanded(
        &body,
        &[
            "`bucket`",
            "no value",
            "(in accounts 000000000001, 000000000003)",
            "rolecall.toml:9:15",
        ],
    );
}

#[test]
fn a_value_that_is_missing_at_many_places_is_asked_for_once() {
    let body = format!(
        "[vars]\nbucket = {{ type = \"string\" }}\nkeys = {{ type = \"list\" }}\n{}",
        ROLE.replace(
            "targets",
            "description = \"{{ var.bucket }}{{ var.keys | join(',') }}\"\ntags = { b = \"{{ var.bucket }}\" }\ntargets"
        )
    );
    let body = format!("name = \"vendor-roles\"\n{body}");
    let world = world(&[("rolecall.toml", &body)]);
    let problems = load(&world.inputs).unwrap_err();
    let said: Vec<(&str, Vec<String>)> = problems
        .iter()
        .map(|problem| (&*problem.message, problem.also.clone()))
        .collect();
    assert_eq!(problems.errors(), 2, "{said:?}");
    assert!(
        said[0].0.contains("`bucket`")
            && said[0].1.len() == 1
            && said[0]
                .1
                .iter()
                .all(|place| place.contains("rolecall.toml:9:14 by `tags.b` of role `R`")),
        "{said:?}"
    );
    assert!(
        said[1].0.contains("`keys`") && said[1].1.is_empty(),
        "{said:?}"
    );
}

#[test]
fn another_organization_is_refused() {
    not_expanded(
        &format!("[organization]\nid = \"o-otherotherid\"\n{ROLE}"),
        &["o-exampleorgid", "o-otherotherid"],
    );
    not_expanded(
        &format!("[account.nobody]\n{ROLE}"),
        &["no account", "`nobody`", "rolecall.toml:2:10"],
    );
}

#[test]
fn a_policy_goes_where_a_role_names_it_and_to_its_own_targets() {
    let policy =
        "[[policy]]\nname = \"P\"\n[[policy.statement]]\nactions = \"s3:*\"\nresources = \"*\"\n";
    let role = "[[role]]\nname = \"R\"\ntargets = [{ account = \"prod\" }]\nmanaged_policies = [\"local:p\"]\n[[role.trust]]\naws = \"111111111111\"\n";
    let places = |body: &str| -> Vec<String> {
        let accounts = expanded(body).desired.accounts;
        let holders = accounts
            .iter()
            .filter(|(_, held)| held.policies.contains_key("p"));
        holders.map(|(id, _)| id.to_string()).collect()
    };
    assert_eq!(places(&format!("{policy}{role}")), ["000000000002"]);
    let own = policy.replace(
        "[[policy.st",
        "targets = [{ account = \"dev\" }]\n[[policy.st",
    );
    assert_eq!(
        places(&format!("{own}{role}")),
        ["000000000002", "000000000003"]
    );
    let expansion = expanded(&format!("{policy}{role}"));
    let held = expansion.desired.accounts.values().next().unwrap();
    let named = held.roles["r"]
        .managed_policies
        .as_ref()
        .unwrap()
        .first()
        .unwrap();
    assert!(matches!(named, PolicyRef::Local(name) if name.as_str() == "p"));
}

#[test]
fn equal_roles_are_kept_once() {
    let expansion = expanded(ROLE);
    let roles: Vec<_> = expansion
        .desired
        .accounts
        .values()
        .map(|held| &held.roles["r"])
        .collect();
    assert!(
        roles
            .windows(2)
            .all(|pair| std::sync::Arc::ptr_eq(pair[0], pair[1]))
    );
    let varying = ROLE.replace(
        "targets",
        "description = \"{{ account.name == 'prod' }}!\"\ntargets",
    );
    let expansion = expanded(&varying);
    let roles: Vec<_> = expansion
        .desired
        .accounts
        .values()
        .map(|held| &held.roles["r"])
        .collect();
    assert!(
        std::sync::Arc::ptr_eq(roles[0], roles[2]) && !std::sync::Arc::ptr_eq(roles[0], roles[1])
    );
}

#[test]
fn names_that_meet_in_one_account_are_refused() {
    let named = |name: &str| ROLE.replace("\"R\"", name);
    not_expanded(
        &format!(
            "{}{}",
            named("\"R-{{ account.name }}\""),
            named("\"r-{{ account.tags.env | default('x') }}\"")
        ),
        &[
            "role `r-prod` and role `R-prod`",
            "case",
            "(in account 000000000002)",
            "(in account 000000000003)",
        ],
    );
}

#[test]
fn a_run_is_narrowed_to_accounts_and_roles() {
    let config = accepted(&format!("{ROLE}{}", ROLE.replace("\"R\"", "\"Other\"")));
    let narrowed = |accounts: &[&str], roles: &[&str]| {
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        config.expand(
            &organization(),
            &NarrowScope::parse(&owned(accounts), &owned(roles)),
        )
    };
    for (accounts, expect) in [
        (&["prod"][..], &["000000000002"][..]),
        (&["ou=Workloads"], &["000000000002", "000000000003"]),
        (
            &["tags.env=dev", "management"],
            &["000000000001", "000000000003"],
        ),
    ] {
        assert_eq!(ids(&narrowed(accounts, &[]).unwrap()), expect);
    }
    let expansion = narrowed(&[], &["Oth*"]).unwrap();
    assert!(
        expansion
            .desired
            .accounts
            .values()
            .all(|held| held.roles.keys().eq(["other"]))
    );
    assert!(
        narrowed(&["prd"], &[])
            .unwrap_err()
            .to_string()
            .contains("did you mean `prod`?")
    );
    assert!(
        narrowed(&[], &["Othr"])
            .unwrap_err()
            .to_string()
            .contains("did you mean `Other`?")
    );
}

#[test]
fn tags_are_asked_for_only_where_they_count() {
    let candidates = |body: &str| {
        let found = accepted(body).tag_candidates(&organization(), &NarrowScope::default());
        found
            .iter()
            .map(|id| id.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(candidates(ROLE).is_empty());
    let by_tag = ROLE.replace(
        "\"all\"",
        "[{ account = \"prod\", tags = { env = \"x\" } }]",
    );
    assert_eq!(candidates(&by_tag), ["000000000002"]);
    let in_text = ROLE.replace(
        "\"all\"",
        "[{ ou = \"Workloads/Dev\" }]\ndescription = \"{{ account.tags.env }}\"",
    );
    assert_eq!(candidates(&in_text), ["000000000003", "000000000004"]);
}

#[test]
fn what_hangs_on_an_account_is_not_judged_without_one() {
    accepted(
        "[[role]]\nname = \"R\"\ntargets = \"all\"\nmax_session_duration = \"{{ account.tags.hours }}\"\n\
         path = \"/{{ account.ou.split('/')[1] }}/\"\n[[role.trust]]\naws = \"{{ account.tags.trusted }}\"\n",
    );
}

#[test]
fn access_is_by_account_or_by_default() {
    let config = accepted(
        "[organization]\naccess_role = \"Enter\"\n[account.prod]\naccess_role = \"Audit\"\n",
    );
    let organization = organization();
    let role = |id: &str| {
        config.access().role_for(
            &organization.accounts[&AccountId::parse(id).unwrap()],
            &organization,
        )
    };
    assert_eq!(role("000000000002").unwrap(), "Audit");
    assert_eq!(role("000000000003").unwrap(), "Enter");
    assert_eq!(config.access().session_name, "rolecall");
}

mod laws {
    use std::path::PathBuf;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::expr::Template;
    use super::super::place::{File, Marks, Place};
    use super::super::problem::{Color, Problems};
    use super::super::tree::parse_toml;
    use super::super::{document, shape};

    fn file(text: &str) -> Arc<File> {
        Arc::new(File {
            name: "x".to_owned(),
            path: PathBuf::from("x"),
            text: text.to_owned(),
            marks: Marks::default(),
            is_shown: true,
        })
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[\\[\\]{}\"'\\\\$%#:,=\\-\\. \\t\\na-c0-2é–]{0,60}") {
            let file = file(&text);
            let mut problems = Problems::default();
            let _ = Template::compile(&text, &Place::start_of(&file), &mut problems);
            let _ = parse_toml(&file, &mut problems);
            if let Some(mut node) = document::json(&file, &mut problems) {
                shape::compile_strings(&mut node, &mut problems);
            }
            if let Some(node) = document::yaml(&file, &mut problems) {
                let _ = node.place_of("/a/0/b");
            }
            let _ = problems.render(Color::Styled);
        }

        #[test]
        fn a_place_has_the_line_and_column_that_counting_gives(text in "[a-c\u{e9}\u{1f600}\n]{0,40}", long in 0..3000usize) {
            let file = file(&format!("{text}{}{text}", "x".repeat(long)));
            for at in (0..=file.text.len()).filter(|at| file.text.is_char_boundary(*at)) {
                let before = &file.text[..at];
                let expect = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap().chars().count() + 1);
                let place = Place { file: file.clone(), start: at, end: at };
                prop_assert_eq!(place.line_column(), expect);
                let begins = before.rfind('\n').map_or(0, |end| end + 1);
                prop_assert_eq!(file.line_at(at), (file.text[begins..].lines().next().unwrap_or_default(), begins));
            }
        }

        #[test]
        fn a_document_read_with_places_is_the_document(value in any_json(4)) {
            let file = file(&serde_json::to_string_pretty(&value).unwrap());
            let mut problems = Problems::default();
            let node = document::json(&file, &mut problems).unwrap();
            prop_assert_eq!(node.to_json(), value);
            prop_assert!(!problems.has_errors());
        }
    }

    fn any_json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[a-z\"\\\\/é{}\\[\\],: \\n]{0,8}".prop_map(Into::into),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(depth, 30, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map("[a-z\"\\\\]{0,4}", inner, 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
