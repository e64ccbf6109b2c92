//! `rolecall permissions` tells the truth: with exactly what it prints everything works where policies are enforced, and
//! without any one action of it something does not.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use rolecall::org::AccountId;
use rolecall::sandbox::build::OrgSpec;
use rolecall::sandbox::faults::{Effect, Fault, When};
use rolecall::sandbox::world::{Permissions, World};
use serde_json::{Value, json};

use crate::support::served::Served;
use crate::support::{Directory, Run, aws_env, for_each, rolecall, run};

const ORGANIZATION: &str = r#"
id = "o-permissions1"
management = { id = "111111111111", name = "management" }
account = [
  { id = "222222222222", name = "prod", tags = { env = "prod" } },
  { id = "333333333333", name = "tools" },
]
"#;

const DESIRED: &str = r#"
name = "perms"
[organization]
id = "o-permissions1"
[limits]
max_deletes = 100
max_change_percent = 100

[[policy]]
name = "Data"
statement = [{ actions = ["s3:GetObject"], resources = ["*"] }]

[[policy]]
name = "Moved"
path = "/p/"
statement = [{ actions = ["s3:ListBucket"], resources = ["*"] }]

[[role]]
name = "Fresh"
path = "/app/"
description = "new"
permissions_boundary = "local:Data"
managed_policies = ["aws:SecurityAudit", "local:Data"]
targets = [{ account = "prod", tags = { env = "prod" } }]
trust = [{ aws = ["arn:aws:iam::333333333333:role/Caller"] }]
expect = [{ allow = ["s3:GetObject on arn:aws:s3:::x/y"] }]

[[role]]
name = "Changed"
description = "new"
max_session_duration = "2h"
permissions_boundary = "local:Data"
managed_policies = ["aws:SecurityAudit", "local:Moved"]
tags = { team = "new" }
manage = { tags = "exclusive" }
targets = [{ account = "prod", tags = { env = "prod" } }]
trust = [{ aws = ["888888888888"] }]
inline_policy = [{ name = "new", statement = [{ actions = ["s3:GetObject"], resources = ["*"] }] }]

[[role]]
name = "Unbound"
permissions_boundary = ""
targets = [{ account = "prod", tags = { env = "prod" } }]
trust = [{ aws = ["888888888888"] }]

[[role]]
name = "Away"
path = "/m/"
targets = [{ account = "prod", tags = { env = "prod" } }]
trust = [{ aws = ["888888888888"] }]

[[role]]
name = "Many"
managed_policies = [
  "local:L1", "local:L2", "local:L3", "local:L4", "local:L5", "local:L6", "local:L7", "local:L8", "local:L9",
  "local:L10", "local:L11",
]
targets = [{ account = "prod", tags = { env = "prod" } }]
trust = [{ aws = ["888888888888"] }]

[[policy]]
name = "Taken"
adopt = true
targets = [{ account = "prod", tags = { env = "prod" } }]
statement = [{ actions = ["s3:ListBucket"], resources = ["*"] }]

[[role]]
name = "Adopted"
adopt = true
description = "taken over"
managed_policies = []
targets = [{ account = "prod", tags = { env = "prod" } }]
trust = [{ aws = ["888888888888"] }]

[[role]]
name = "Gone"
ensure = "absent"
targets = [{ account = "prod", tags = { env = "prod" } }]
trust = [{ aws = ["888888888888"] }]

[[grant]]
role = "Fresh"
in = { account = "prod" }
to = [
  { account = "tools", user = "reader" },
  { account = "tools", group = "readers" },
  { account = "tools", role = "Caller" },
]
"#;

const ANYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;

/// What has the tag was made by hand, and is on no record.
const APPLY: &[&str] = &["apply", "--auto-approve", "--allow", "unrecorded"];

/// What the sandbox has no service for: the state is in a directory here.
const ELSEWHERE: [&str; 4] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    // The sandbox does not ask for it.
    "iam:PassRole",
];

/// Reads of single policies pay in accounts of more than 8000 roles and policies only (`read::way`).
const OF_LARGE_ACCOUNTS: [&str; 2] = ["iam:ListPolicies", "iam:ListPolicyVersions"];

/// An organization in which something of everything is to do, and a caller who holds nothing yet.
struct Stage {
    served: Served,
    desired: Directory,
    env: Vec<(String, String)>,
}

impl Stage {
    async fn new(desired: &str) -> Self {
        let mut world = World::new(&OrgSpec::parse(ORGANIZATION).unwrap()).unwrap();
        world.permissions = Permissions::Enforced;
        let served = Served::new(world).await;
        served.by_hand("111111111111", "CreateUser", &[("UserName", "runner")]);
        let keys = served
            .sandbox
            .credentials_of("arn:aws:iam::111111111111:user/runner")
            .unwrap();
        let env = aws_env(
            &served.endpoint,
            keys.access_key_id(),
            keys.secret_access_key(),
        );
        let stage = Self {
            served,
            desired: Directory::new(desired),
            env,
        };
        stage.in_tools();
        stage.in_prod();
        stage
    }

    fn in_tools(&self) {
        let tools = |operation, params: &[(&str, &str)]| {
            self.served.by_hand("333333333333", operation, params);
        };
        tools("CreateUser", &[("UserName", "reader")]);
        tools("CreateGroup", &[("GroupName", "readers")]);
        tools(
            "CreateRole",
            &[("RoleName", "Caller"), ("AssumeRolePolicyDocument", TRUST)],
        );
        tools(
            "PutRolePolicy",
            &[
                ("RoleName", "Caller"),
                ("PolicyName", "own"),
                ("PolicyDocument", ANYTHING),
            ],
        );
        let readonly = "arn:aws:iam::aws:policy/ReadOnlyAccess";
        tools(
            "AttachRolePolicy",
            &[("RoleName", "Caller"), ("PolicyArn", readonly)],
        );
    }

    fn in_prod(&self) {
        let prod = |operation, params: &[(&str, &str)]| {
            self.served.by_hand("222222222222", operation, params);
        };
        let mark = [
            ("Tags.member.1.Key", "rolecall:managed-by"),
            ("Tags.member.1.Value", "perms"),
        ];
        for name in ["Data", "Moved"] {
            prod(
                "CreatePolicy",
                &[
                    &[("PolicyName", name), ("PolicyDocument", ANYTHING)],
                    &mark[..],
                ]
                .concat(),
            );
        }
        let arn = |name: &str| format!("arn:aws:iam::222222222222:policy/{name}");
        for _ in 0..4 {
            prod(
                "CreatePolicyVersion",
                &[("PolicyArn", &arn("Data")), ("PolicyDocument", ANYTHING)],
            );
        }
        prod(
            "CreatePolicy",
            &[("PolicyName", "Taken"), ("PolicyDocument", ANYTHING)],
        );
        prod(
            "CreateRole",
            &[("RoleName", "Adopted"), ("AssumeRolePolicyDocument", TRUST)],
        );
        prod(
            "AttachRolePolicy",
            &[("RoleName", "Adopted"), ("PolicyArn", &arn("Data"))],
        );
        for n in 1..=11 {
            prod(
                "CreatePolicy",
                &[
                    ("PolicyName", &format!("L{n}")),
                    ("PolicyDocument", ANYTHING),
                ],
            );
        }
        for name in ["Changed", "Unbound", "Away", "Gone"] {
            prod(
                "CreateRole",
                &[
                    &[("RoleName", name), ("AssumeRolePolicyDocument", TRUST)],
                    &mark[..],
                ]
                .concat(),
            );
            prod(
                "PutRolePolicy",
                &[
                    ("RoleName", name),
                    ("PolicyName", "old"),
                    ("PolicyDocument", ANYTHING),
                ],
            );
            let readonly = "arn:aws:iam::aws:policy/ReadOnlyAccess";
            prod(
                "AttachRolePolicy",
                &[("RoleName", name), ("PolicyArn", readonly)],
            );
            prod("CreateInstanceProfile", &[("InstanceProfileName", name)]);
            prod(
                "AddRoleToInstanceProfile",
                &[("InstanceProfileName", name), ("RoleName", name)],
            );
        }
        let old = [
            ("RoleName", "Changed"),
            ("Tags.member.1.Key", "old"),
            ("Tags.member.1.Value", "x"),
        ];
        prod("TagRole", &old);
        prod(
            "AttachRolePolicy",
            &[("RoleName", "Changed"), ("PolicyArn", &arn("Moved"))],
        );
        prod(
            "PutRolePermissionsBoundary",
            &[("RoleName", "Unbound"), ("PermissionsBoundary", &arn("L1"))],
        );
        self.served.sandbox.with(|world| {
            let prod = world
                .accounts
                .get_mut(&AccountId::parse("222222222222").unwrap())
                .unwrap();
            prod.iam
                .quotas
                .insert("AttachedPoliciesPerRoleQuota".to_owned(), 20);
        });
    }

    /// What the binary prints for this directory.
    fn printed(&self, more: &[&str]) -> Value {
        let mut command = rolecall();
        command
            .args(["permissions", "--format", "json", "-c"])
            .arg(self.desired.path())
            .args(more);
        let printed = run(&mut command).exits(0).json();
        assert_eq!(printed["format"], "rolecall-permissions/1");
        printed
    }

    /// Gives the caller and the access roles exactly these policies.
    fn allow(&self, printed: &Value) {
        self.served.sandbox.with(|world| {
            let management = world
                .accounts
                .get_mut(&AccountId::parse("111111111111").unwrap())
                .unwrap();
            let runner = management.iam.users.get_mut("runner").unwrap();
            runner.inline = [("printed".to_owned(), printed["caller"].to_string())].into();
        });
        for account in ["222222222222", "333333333333"] {
            let role = ("RoleName", "OrganizationAccountAccessRole");
            let administrator = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");
            _ = self.served.sandbox.by_hand(
                AccountId::parse(account).unwrap(),
                "DetachRolePolicy",
                &[role, administrator],
            );
            let document = printed["access_role"].to_string();
            self.served.by_hand(
                account,
                "PutRolePolicy",
                &[
                    role,
                    ("PolicyName", "printed"),
                    ("PolicyDocument", &document),
                ],
            );
        }
    }

    fn rolecall(&self, args: &[&str]) -> Run {
        let mut command = rolecall();
        command
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env("AWS_MAX_ATTEMPTS", "1");
        run(command.args(args).arg("-c").arg(self.desired.path()))
    }

    /// Applies, plans and verifies; why it did not go well, where it did not.
    fn story(&self) -> Result<Value, String> {
        for (args, code) in [(APPLY, 0), (&["plan", "--detailed-exitcode"], 0)] {
            let ended = self.rolecall(args);
            if ended.code != code {
                return Err(format!("{args:?} exits {}: {}", ended.code, ended.text()));
            }
        }
        Ok(self
            .rolecall(&["verify", "--simulate", "--format", "json"])
            .json()["results"]
            .clone())
    }
}

/// Every action of a policy.
fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap();
    statements
        .iter()
        .flat_map(|one| one["Action"].as_array().unwrap())
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

/// The policies without one action of one of them.
fn without(printed: &Value, who: &str, action: &str) -> Value {
    let mut printed = printed.clone();
    let statements = printed[who]["Statement"].as_array_mut().unwrap();
    for statement in &mut *statements {
        statement["Action"]
            .as_array_mut()
            .unwrap()
            .retain(|one| one != action);
    }
    statements.retain(|statement| statement["Action"] != json!([]));
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_enough_and_without_any_one_action_something_fails() {
    let stage = Stage::new(DESIRED).await;
    let printed = stage.printed(&[]);
    stage.allow(&printed);
    let well = stage.story().unwrap();
    let results = well.as_array().unwrap();
    assert!(
        results.iter().any(|result| result["outcome"] == "proven"),
        "{well:#}"
    );
    let mut cases = Vec::new();
    for who in ["caller", "access_role"] {
        for action in actions(&printed[who]) {
            if !ELSEWHERE.contains(&action.as_str())
                && !OF_LARGE_ACCOUNTS.contains(&action.as_str())
            {
                cases.push((who, action));
            }
        }
    }
    assert!(cases.len() > 40, "{cases:?}");
    for_each(cases, move |(who, action)| {
        let (printed, well) = (printed.clone(), well.clone());
        async move {
            let stage = Stage::new(DESIRED).await;
            stage.allow(&without(&printed, who, &action));
            let story = tokio::task::spawn_blocking(move || stage.story())
                .await
                .unwrap();
            assert_ne!(
                story,
                Ok(well),
                "everything works without {action} of {who}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn iam_itself_refuses_to_write_what_lost_its_mark_or_got_anothers_since_it_was_read() {
    // The answer to this call comes late: what it is about has been read or written, and nothing after it has.
    for (role, adopt, (operation, nth), refused) in [
        (
            "Changed",
            false,
            ("UpdateAssumeRolePolicy", 1),
            "iam:UpdateRole",
        ),
        // The plan reads first, then apply what it is about to write.
        (
            "Adopted",
            true,
            ("GetAccountAuthorizationDetails", 2),
            "iam:TagRole",
        ),
    ] {
        let stage = Stage::new(&format!(
            "name = \"perms\"\n[limits]\nmax_change_percent = 100\n[[role]]\nname = \"{role}\"\nadopt = {adopt}\n\
             description = \"new\"\nmanaged_policies = [\"aws:SecurityAudit\"]\n\
             targets = [{{ account = \"prod\" }}]\ntrust = [{{ aws = [\"888888888888\"] }}]"
        ))
        .await;
        stage.allow(&stage.printed(&[]));
        let late = Effect::Delay(Duration::from_secs(3));
        let fault = Fault {
            operation: operation.to_owned(),
            account: None,
            when: When::Nth(nth),
            effect: late,
        };
        stage.served.sandbox.fail(fault);
        let prod = |operation, params: &[(&str, &str)]| {
            stage.served.by_hand("222222222222", operation, params);
        };
        let ended = std::thread::scope(|scope| {
            let run = scope.spawn(|| stage.rolecall(APPLY));
            while stage.served.count(operation) < nth {
                std::thread::sleep(Duration::from_millis(5));
            }
            if adopt {
                let others = [
                    ("Tags.member.1.Key", "rolecall:managed-by"),
                    ("Tags.member.1.Value", "others"),
                ];
                prod("TagRole", &[&[("RoleName", role)][..], &others].concat());
            } else {
                prod(
                    "UntagRole",
                    &[
                        ("RoleName", role),
                        ("TagKeys.member.1", "rolecall:managed-by"),
                    ],
                );
            }
            run.join().unwrap()
        });
        ended
            .exits(3)
            .says(&[&format!("is not authorized to perform: {refused} on")]);
        stage.served.sandbox.with(|world| {
            let now = world.clock.now();
            let account = &world.accounts[&AccountId::parse("222222222222").unwrap()];
            let role = account.iam.roles[&role.to_lowercase()]
                .visible(now)
                .unwrap();
            let mark = role.tags.get("rolecall:managed-by").map(String::as_str);
            assert_eq!(
                (mark, role.description.as_deref()),
                (adopt.then_some("others"), None)
            );
        });
    }
}

/// Five roles that each hold two policies of the directory: as large as the largest kit.
#[test]
fn what_is_printed_for_a_kit_fits_into_one_role() {
    let mut text = "name = \"kit\"\n".to_owned();
    for n in 0..10 {
        writeln!(
            text,
            "[[policy]]\nname = \"CortexCloudManagedPolicy{n}\"\nstatement = [{{ actions = [\"s3:Get*\"], resources = [\"*\"] }}]"
        ).unwrap();
    }
    for n in 0..5 {
        let (one, other) = (2 * n, 2 * n + 1);
        writeln!(
            text,
            "[[role]]\nname = \"CortexCloudPlatformRole{n}\"\ndescription = \"d\"\ntargets = \"all\"\n\
             managed_policies = [\"local:CortexCloudManagedPolicy{one}\", \"local:CortexCloudManagedPolicy{other}\"]\n\
             trust = [{{ aws = [\"888888888888\"] }}]\n"
        )
        .unwrap();
    }
    let desired = Directory::new(&text);
    for more in [&[][..], &["--prune", "--who"]] {
        let mut command = rolecall();
        command
            .args(["permissions", "--format", "json", "-c"])
            .arg(desired.path())
            .args(more);
        let printed = run(&mut command).exits(0).json();
        for who in ["caller", "access_role"] {
            let size = printed[who].to_string().len();
            // IAM User Guide, "IAM and AWS STS quotas": the inline policies of a role, without white space.
            assert!(size <= 10_240, "{who} {more:?}: {size}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_read_only_policies_are_enough_for_plan_and_verify_and_not_for_apply() {
    let stage = Stage::new(DESIRED).await;
    let printed = stage.printed(&["--read-only"]);
    for action in actions(&printed["access_role"]).union(&actions(&printed["caller"])) {
        let name = action.split(':').nth(1).unwrap();
        let reads = ["Get", "List", "Describe", "Assume", "Simulate"];
        assert!(
            reads.iter().any(|read| name.starts_with(read)),
            "{action} writes"
        );
    }
    stage.allow(&printed);
    stage.rolecall(&["plan", "--detailed-exitcode"]).exits(2);
    stage.rolecall(&["accounts"]).exits(0);
    stage.rolecall(&["output"]).exits(0);
    stage
        .rolecall(&["verify", "--format", "json"])
        .says(&["rolecall-verify"]);
    stage
        .rolecall(APPLY)
        .exits(3)
        .says(&["AccessDenied", "not authorized to perform"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_who_did_it_needs_what_who_adds_and_nothing_else() {
    let stage = Stage::new(DESIRED).await;
    for more in [&[][..], &["--read-only"]] {
        let (without, with) = (
            stage.printed(more),
            stage.printed(&[more, &["--who"]].concat()),
        );
        let added: Vec<String> = actions(&with["access_role"])
            .difference(&actions(&without["access_role"]))
            .cloned()
            .collect();
        assert_eq!(
            (added, &with["caller"]),
            (
                vec!["cloudtrail:LookupEvents".to_owned()],
                &without["caller"]
            )
        );
    }
    stage.allow(&stage.printed(&["--who"]));
    stage.story().unwrap();
    stage.served.by_hand(
        "222222222222",
        "TagRole",
        &[
            ("RoleName", "Changed"),
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "x"),
        ],
    );
    let hand = "arn:aws:iam::222222222222:user/by-hand";
    for (printed, told) in [
        (&["--read-only", "--who"][..], true),
        (&["--read-only"], false),
    ] {
        stage.allow(&stage.printed(printed));
        let drift = stage.rolecall(&["drift", "--who"]).exits(2);
        assert_eq!(drift.stdout.contains(hand), told, "{drift:?}");
        assert_eq!(
            drift.stdout.contains("AccessDeniedException"),
            !told,
            "{drift:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_and_destroying_need_what_prune_adds() {
    let left = "name = \"perms\"\nrole = []\n";
    for (more, code) in [(&["--prune"][..], 0), (&[], 3)] {
        let stage = Stage::new(DESIRED).await;
        stage.allow(&stage.printed(&[]));
        stage.story().unwrap();
        stage.desired.write(
            "rolecall.toml",
            &format!("{left}[limits]\nmax_deletes = 100\nmax_change_percent = 100\n"),
        );
        stage.allow(&stage.printed(more));
        let prune = [
            "apply",
            "--prune",
            "--auto-approve",
            "--allow",
            "empty-desired",
        ];
        stage.rolecall(&prune).exits(code);
        if code == 0 {
            let left = stage
                .rolecall(&["plan", "--prune", "--detailed-exitcode"])
                .exits(0);
            assert!(!left.text().contains("Changed"), "{left:?}");
        }
    }
}

#[test]
fn a_directory_is_given_what_it_needs_and_as_narrow_as_can_be() {
    let printed = |text: &str, more: &[&str]| {
        let desired = Directory::new(text);
        let mut command = rolecall();
        command
            .args(["permissions", "--format", "json", "-c"])
            .arg(desired.path())
            .args(more);
        run(&mut command).exits(0).json()
    };
    let resources = |policy: &Value, action: &str| -> Vec<String> {
        let statements = policy["Statement"].as_array().unwrap();
        let about = statements.iter().filter(|one| {
            one["Action"]
                .as_array()
                .unwrap()
                .iter()
                .any(|a| a == action)
        });
        about
            .flat_map(|one| one["Resource"].as_array().unwrap())
            .map(|arn| arn.as_str().unwrap().to_owned())
            .collect()
    };
    let audit = "name = \"x\"\n[organization]\nid = \"o-exampleorgid\"\naccess_role = \"Audit\"\n\
                 [account.\"222222222222\"]\naccess_role = \"path/Own\"\n\
                 [[role]]\nname = \"Reader\"\npath = \"/vendor/\"\ntargets = [{ ou = \"Prod\" }]\ntrust = [{ aws = [\"999999999999\"] }]\n";
    let policies = printed(
        audit,
        &["--state", "s3://bucket/a/b", "--partition", "aws-cn"],
    );
    let (caller, access) = (&policies["caller"], &policies["access_role"]);
    for (policy, action, expect) in [
        (
            caller,
            "sts:AssumeRole",
            &[
                "arn:aws-cn:iam::*:role/Audit",
                "arn:aws-cn:iam::222222222222:role/path/Own",
            ][..],
        ),
        (caller, "s3:PutObject", &["arn:aws-cn:s3:::bucket/a/b/*"]),
        (caller, "s3:GetObject", &["arn:aws-cn:s3:::bucket/a/b/*"]),
        (caller, "s3:ListBucket", &["arn:aws-cn:s3:::bucket"]),
        (caller, "organizations:ListTagsForResource", &[]),
        (caller, "organizations:DescribeOrganization", &["*"]),
        (caller, "iam:CreateRole", &[]),
        (
            access,
            "iam:CreateRole",
            &["arn:aws-cn:iam::*:role/vendor/Reader"],
        ),
        (
            access,
            "iam:DeleteRole",
            &[
                "arn:aws-cn:iam::*:role/*/Reader",
                "arn:aws-cn:iam::*:role/Reader",
            ],
        ),
        (access, "iam:UpdateRole", &[]),
        (access, "iam:PutRolePermissionsBoundary", &[]),
        (access, "iam:CreatePolicy", &[]),
        (access, "iam:PutUserPolicy", &[]),
        (access, "iam:GetAccountAuthorizationDetails", &["*"]),
    ] {
        assert_eq!(resources(policy, action), expect, "{action}: {policies:#}");
    }
    // An account's own text in a name is any text.
    let own = audit
        .replace("name = \"Reader\"", "name = \"R-{{ account.name }}\"")
        .replace("{ ou = \"Prod\" }", "{ account = \"management\" }");
    let policies = printed(&own, &[]);
    assert_eq!(
        resources(&policies["access_role"], "iam:CreateRole"),
        ["arn:aws:iam::*:role/vendor/R-*"]
    );
    assert_eq!(
        resources(&policies["caller"], "iam:CreateRole"),
        ["arn:aws:iam::*:role/vendor/R-*"]
    );
    let read = printed(audit, &["--read-only", "--state", "s3://bucket"]);
    assert_eq!(
        resources(&read["caller"], "s3:GetObject"),
        ["arn:aws:s3:::bucket/*"]
    );
    assert!(resources(&read["caller"], "s3:PutObject").is_empty());
    let prune = printed(audit, &["--prune"]);
    assert!(
        prune
            .to_string()
            .contains("\"aws:ResourceTag/rolecall:managed-by\":\"x\""),
        "{prune:#}"
    );
}
