//! Verifying roles of a sandbox, which enforces trust, and handing out their ARNs.

use rolecall::org::AccountId;
use serde_json::Value;

use crate::support::served::Served;
use crate::support::{Directory, Run, aws_env, rolecall, run};

const DESIRED: &str = r#"
name = "verified"

[vars]
vendor_id = { type = "string", sensitive = true, default = "vendor-secret-id" }

[[role]]
name = "Audit"
targets = [{ ou = "Workloads/Prod" }]
[[role.trust]]
aws = ["{{ organization.management_account }}"]
external_id = "audit-id"

[[role]]
name = "Vendor"
targets = [{ account = "log-archive" }]
[[role.trust]]
aws = ["999999999999"]
external_id = "{{ var.vendor_id }}"
"#;

const LOGS: &str = "222222222221";
const PROD: [&str; 3] = ["444444444441", "444444444442", "444444444443"];

/// The demonstration's organization, with the roles above in it.
struct Scene {
    served: Served,
    desired: Directory,
}

impl Scene {
    async fn new() -> Self {
        Self::of(DESIRED).await
    }

    async fn of(desired: &str) -> Self {
        Self::prepared(desired, |_| ()).await
    }

    /// With something in the accounts before the desired state is applied.
    async fn prepared(desired: &str, prepare: impl FnOnce(&Self)) -> Self {
        let scene = Self {
            served: Served::demo().await,
            desired: Directory::new(desired),
        };
        prepare(&scene);
        scene.rolecall(&["apply", "--auto-approve"]).exits(0);
        scene
    }

    #[track_caller]
    fn rolecall(&self, arguments: &[&str]) -> Run {
        let admin = self.served.sandbox.credentials();
        self.rolecall_as(admin.access_key_id(), admin.secret_access_key(), arguments)
    }

    #[track_caller]
    fn rolecall_as(&self, key: &str, secret: &str, arguments: &[&str]) -> Run {
        let (command, rest) = arguments.split_first().unwrap();
        let env = aws_env(&self.served.endpoint, key, secret);
        tokio::task::block_in_place(|| {
            run(rolecall()
                .envs(env)
                .arg(command)
                .arg("-c")
                .arg(self.desired.path())
                .args(rest))
        })
    }

    fn by_hand(&self, account: &str, operation: &str, params: &[(&str, &str)]) {
        self.served
            .sandbox
            .by_hand(AccountId::parse(account).unwrap(), operation, params)
            .unwrap();
    }

    fn trust(&self, account: &str, role: &str, document: &str) {
        self.by_hand(
            account,
            "UpdateAssumeRolePolicy",
            &[("RoleName", role), ("PolicyDocument", document)],
        );
    }

    fn calls(&self, operation: &str) -> u64 {
        self.served
            .sandbox
            .calls()
            .iter()
            .filter(|(call, _)| call.operation == operation)
            .map(|(_, count)| count)
            .sum()
    }
}

/// The probes of one address that ended so, in order.
fn probes(run: &Run, address: &str, outcome: &str) -> Vec<String> {
    let json = run.json();
    let results = json["results"].as_array().unwrap().iter();
    let here =
        results.filter(|result| result["address"] == address && result["outcome"] == outcome);
    here.map(|result| result["probe"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn converged_roles_are_proven_and_what_nobody_can_enter_is_not_passed() {
    let scene = Scene::new().await;
    let writes = |scene: &Scene| {
        scene.calls("CreateRole") + scene.calls("UpdateAssumeRolePolicy") + scene.calls("TagRole")
    };
    let before = writes(&scene);
    let verified = scene.rolecall(&["verify", "--format", "json"]).exits(0);
    assert_eq!(writes(&scene), before);
    let offline = [
        "allowed",
        "no-external-id",
        "wrong-external-id",
        "nobody-else",
    ];
    let live = [
        "live-allowed",
        "live-no-external-id",
        "live-wrong-external-id",
    ];
    for account in PROD {
        assert_eq!(
            probes(&verified, &format!("{account}/role/Audit"), "proven"),
            [&offline[..], &live].concat()
        );
    }
    let vendor = format!("{LOGS}/role/Vendor");
    assert_eq!(probes(&verified, &vendor, "proven"), offline);
    assert_eq!(probes(&verified, &vendor, "not_provable"), ["live-allowed"]);
    let json = verified.json();
    assert_eq!(
        (&json["format"], &json["summary"]["not_provable"]),
        (&Value::from("rolecall-verify/1"), &Value::from(1))
    );
    assert!(
        !verified.stdout.contains("vendor-secret-id"),
        "{}",
        verified.stdout
    );
    scene.rolecall(&["verify"]).exits(0).says(&[
        "Audit proven in 3 of 3 accounts",
        "Vendor proven in 0 of 1 account, not provable in 1",
        "Vendor proven in 0 of 1 account, not provable in 1",
        "none of the available identities may assume it",
        "999999999999",
    ]);

    let asked = scene.calls("AssumeRole");
    scene
        .rolecall(&["verify", "--offline", "--role", "Audit"])
        .exits(0)
        .says(&["3 roles in 3 accounts: 12 proven"]);
    // Entering the accounts to read them is all that is left.
    assert_eq!(scene.calls("AssumeRole"), asked + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_hand_fails_where_it_was_changed() {
    let scene = Scene::new().await;
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["111111111111","555555555551"]},"Action":"sts:AssumeRole"}]}"#;
    scene.trust(PROD[0], "Audit", open);
    let drifted = open.replace(r#","555555555551""#, "").replace(
        r#""Action""#,
        r#""Condition":{"StringEquals":{"sts:ExternalId":"another"}},"Action""#,
    );
    scene.trust(PROD[1], "Audit", &drifted);
    scene.by_hand(LOGS, "DeleteRole", &[("RoleName", "Vendor")]);
    let verified = scene.rolecall(&["verify", "--format", "json"]).exits(2);
    assert_eq!(
        probes(&verified, &format!("{}/role/Audit", PROD[0]), "failed"),
        [
            "no-external-id",
            "wrong-external-id",
            "nobody-else",
            "live-no-external-id",
            "live-wrong-external-id"
        ]
    );
    let shut = format!("{}/role/Audit", PROD[1]);
    assert_eq!(
        probes(&verified, &shut, "failed"),
        ["allowed", "live-allowed"]
    );
    // Refused either way: that proves nothing.
    assert_eq!(
        probes(&verified, &shut, "not_provable"),
        ["live-no-external-id", "live-wrong-external-id"]
    );
    assert_eq!(
        probes(&verified, &format!("{}/role/Audit", PROD[2]), "failed"),
        [""; 0]
    );
    assert_eq!(
        probes(&verified, &format!("{LOGS}/role/Vendor"), "failed"),
        ["exists"]
    );
    scene.rolecall(&["verify"]).exits(2).says(&[
        "555555555551",
        "Audit proven in 1 of 3 accounts",
        "does not exist",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_read_is_named_and_the_rest_is_verified() {
    let scene = Scene::new().await;
    let nobody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    scene.trust(PROD[2], "OrganizationAccountAccessRole", nobody);
    scene.rolecall(&["verify"]).exits(3).says(&[
        PROD[2],
        "AccessDenied",
        "Audit proven in 2 of 3 accounts",
    ]);
    scene
        .rolecall(&["verify", "--account", PROD[2]])
        .exits(1)
        .says(&["AccessDenied"]);
    let listed = scene
        .rolecall(&["output", "--format", "csv"])
        .exits(3)
        .says(&["AccessDenied"]);
    assert_eq!(listed.stdout.lines().count(), 4, "{}", listed.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn root_and_impossible_session_names_are_refused_before_sts_is_asked() {
    let scene = Scene::new().await;
    let asked = scene.calls("AssumeRole");
    for (name, why) in [
        ("x".repeat(65), "64"),
        ("a b/c".to_owned(), "a space or `/`"),
    ] {
        scene
            .rolecall(&["verify", "--session-name", &name])
            .exits(1)
            .says(&[why]);
    }
    let root = scene
        .served
        .sandbox
        .credentials_of("arn:aws:iam::111111111111:root")
        .unwrap();
    scene
        .rolecall_as(root.access_key_id(), root.secret_access_key(), &["verify"])
        .exits(1)
        .says(&["root", "cannot assume"]);
    assert_eq!(scene.calls("AssumeRole"), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_arns_of_our_roles_are_handed_out_without_secrets() {
    let scene = Scene::new().await;
    // A role that lost its mark is not ours.
    scene.by_hand(
        PROD[0],
        "UntagRole",
        &[
            ("RoleName", "Audit"),
            ("TagKeys.member.1", "rolecall:managed-by"),
        ],
    );
    let csv = scene
        .rolecall(&["output", "--format", "csv"])
        .exits(0)
        .stdout;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "role,account_id,account_name,arn,alias");
    assert_eq!(lines.len(), 4, "{csv}");
    assert_eq!(
        lines[1],
        "Audit,444444444442,web-prod,arn:aws:iam::444444444442:role/Audit,web-prod (444444444442)"
    );
    let json = scene.rolecall(&["output", "--format", "json"]).exits(0);
    assert!(!json.stdout.contains("vendor-secret-id"), "{}", json.stdout);
    let json = json.json();
    assert_eq!(json["format"], "rolecall-output/1");
    assert_eq!(json["roles"][2]["external_ids"][0], "(sensitive)");
    assert_eq!(json["roles"][0]["external_ids"][0], "audit-id");
    assert_eq!(json["outsiders"][0]["account_id"], "999999999999");
    let resource = &json["outsiders"][0]["policy"]["Statement"][0]["Resource"];
    assert_eq!(
        *resource,
        Value::from(format!("arn:aws:iam::{LOGS}:role/Vendor"))
    );
    scene.rolecall(&["output"]).exits(0).says(&[
        "external id (sensitive)",
        "For account 999999999999",
        "3 roles",
    ]);
    scene
        .rolecall(&["output", "--show-sensitive", "--format", "csv"])
        .exits(0)
        .says(&[",vendor-secret-id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_right_way_right_after_a_change_is_waited_out() {
    let scene = Scene::new().await;
    let asked = scene.calls("AssumeRole");
    scene.rolecall(&["verify", "--role", "Audit"]).exits(0);
    let usual = scene.calls("AssumeRole") - asked;
    // A role that is new to STS.
    scene
        .served
        .sandbox
        .with(|world| world.sts_lag = std::time::Duration::from_secs(2));
    let tag = [
        ("RoleName", "Audit"),
        ("Tags.member.1.Key", "new"),
        ("Tags.member.1.Value", "yes"),
    ];
    for account in PROD {
        scene.by_hand(account, "TagRole", &tag);
    }
    let asked = scene.calls("AssumeRole");
    scene
        .rolecall(&["verify", "--role", "Audit"])
        .exits(0)
        .says(&["Audit proven in 3 of 3 accounts"]);
    let waited = scene.calls("AssumeRole") - asked;
    assert!(waited > usual, "{waited} {usual}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_let_in_the_wrong_way_is_not_asked_again() {
    let scene = Scene::new().await;
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}]}"#;
    scene.trust(PROD[0], "Audit", open);
    let asked = scene.calls("AssumeRole");
    scene
        .rolecall(&["verify", "--account", PROD[0]])
        .exits(2)
        .says(&["without the external id"]);
    // Entering the account, then the right way, without an external id, and with a wrong one: once each.
    assert_eq!(scene.calls("AssumeRole") - asked, 4);
}

const GRANTED: &str = r#"
name = "verified"

[[role]]
name = "Logs"
targets = [{ account = "log-archive" }]
[[role.trust]]
aws = ["arn:aws:iam::444444444441:user/teams/reader", "arn:aws:iam::444444444442:role/Importer"]

[[role]]
name = "Granted"
targets = [{ account = "log-archive" }]
[[role.trust]]
aws = ["444444444441"]

[[grant]]
role = "Granted"
in = { account = "log-archive" }
to = [{ account = "444444444441", user = "reader" }, { account = "444444444441", group = "readers" }]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_in_must_be_let_go_by_its_own_account_too() {
    let scene = Scene::prepared(GRANTED, |scene| {
        scene.by_hand(PROD[0], "CreateUser", &[("UserName", "reader"), ("Path", "/teams/")]);
        scene.by_hand(PROD[0], "CreateGroup", &[("GroupName", "readers")]);
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        scene.by_hand(PROD[1], "CreateRole", &[("RoleName", "Importer"), ("AssumeRolePolicyDocument", trust)]);
    })
    .await;
    let logs = format!("{LOGS}/role/Logs");
    let granted = format!("{LOGS}/role/Granted");
    let verified = scene
        .rolecall(&["verify", "--offline", "--format", "json"])
        .exits(2);
    // Both are named by the trust, and no policy of theirs lets them go.
    assert_eq!(probes(&verified, &logs, "failed"), ["caller", "caller"]);
    assert_eq!(probes(&verified, &granted, "failed"), [""; 0]);
    assert_eq!(
        probes(&verified, &granted, "proven")
            .iter()
            .filter(|probe| *probe == "caller")
            .count(),
        2
    );
    verified.says(&[
        "user/teams/reader` cannot assume it: no policy of its own allows `sts:AssumeRole`",
    ]);

    // The user is let go by a policy of a group it is in, the role by one that is attached to it.
    let go = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::222222222221:role/*"}]}"#;
    scene.by_hand(PROD[0], "CreateGroup", &[("GroupName", "travellers")]);
    scene.by_hand(
        PROD[0],
        "AddUserToGroup",
        &[("GroupName", "travellers"), ("UserName", "reader")],
    );
    let policy = [
        ("GroupName", "travellers"),
        ("PolicyName", "go"),
        ("PolicyDocument", go),
    ];
    scene.by_hand(PROD[0], "PutGroupPolicy", &policy);
    scene.by_hand(
        PROD[1],
        "CreatePolicy",
        &[("PolicyName", "Go"), ("PolicyDocument", go)],
    );
    let arn = format!("arn:aws:iam::{}:policy/Go", PROD[1]);
    scene.by_hand(
        PROD[1],
        "AttachRolePolicy",
        &[("RoleName", "Importer"), ("PolicyArn", &arn)],
    );
    scene
        .rolecall(&["verify", "--offline", "-v"])
        .exits(0)
        .says(&["statement 1 of its policy `go` allows it", &arn]);

    // A boundary takes it away again, and so does a deny.
    let boundary = "arn:aws:iam::aws:policy/SecurityAudit";
    let bounded = [("RoleName", "Importer"), ("PermissionsBoundary", boundary)];
    scene.by_hand(PROD[1], "PutRolePermissionsBoundary", &bounded);
    let deny = go.replace("Allow", "Deny");
    scene.by_hand(
        PROD[0],
        "PutUserPolicy",
        &[
            ("UserName", "reader"),
            ("PolicyName", "no"),
            ("PolicyDocument", &deny),
        ],
    );
    scene.rolecall(&["verify", "--offline"]).exits(2).says(&[
        "its permissions boundary does not allow it",
        "statement 1 of its policy `no` denies it",
    ]);
    scene.by_hand(
        PROD[0],
        "DeleteUserPolicy",
        &[("UserName", "reader"), ("PolicyName", "no")],
    );
    scene.by_hand(
        PROD[0],
        "RemoveUserFromGroup",
        &[("GroupName", "travellers"), ("UserName", "reader")],
    );
    let granted = [
        ("UserName", "reader"),
        ("PolicyName", "rolecall-verified-assume"),
    ];
    scene.by_hand(PROD[0], "DeleteUserPolicy", &granted);
    scene.by_hand(PROD[0], "DeleteUser", &[("UserName", "reader")]);
    scene
        .rolecall(&["verify", "--offline"])
        .exits(2)
        .says(&["there is no such user"]);
}

const EXPECTING: &str = r#"
name = "verified"

[[policy]]
name = "Read"
[[policy.statement]]
actions = ["s3:GetObject", "s3:ListBucket"]
resources = ["*"]

[[role]]
name = "Audit"
targets = [{ ou = "Workloads/Prod" }]
managed_policies = ["local:Read", "aws:SecurityAudit"]
[[role.trust]]
aws = ["{{ organization.management_account }}"]
[[role.expect]]
allow = ["s3:GetObject on *", "s3:ListBucket on *", "iam:ListRoles on *"]
deny = ["s3:PutObject on *", "dynamodb:DeleteTable on *"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_gone_fails_in_its_account_and_the_check_can_be_skipped() {
    let scene = Scene::of(EXPECTING).await;
    scene
        .rolecall(&["verify"])
        .exits(0)
        .says(&["Audit proven in 3 of 3 accounts"]);
    let less = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}"#;
    let arn = format!("arn:aws:iam::{}:policy/Read", PROD[1]);
    let version = [
        ("PolicyArn", arn.as_str()),
        ("PolicyDocument", less),
        ("SetAsDefault", "true"),
    ];
    scene.by_hand(PROD[1], "CreatePolicyVersion", &version);
    scene.rolecall(&["verify"]).exits(2).says(&[
        "`s3:GetObject` on `*`",
        PROD[1],
        "Audit proven in 2 of 3 accounts",
    ]);
    let verified = scene.rolecall(&["verify", "--format", "json"]).exits(2);
    assert_eq!(
        probes(&verified, &format!("{}/role/Audit", PROD[1]), "failed"),
        ["expect"]
    );
    assert!(
        verified.stdout.contains("4 of 5 expected permissions"),
        "{}",
        verified.stdout
    );
    scene.rolecall(&["verify", "--skip-account-check"]).exits(0);
    // IAM says the same as the evaluation, permission by permission.
    let simulated = scene
        .rolecall(&["verify", "--simulate", "--format", "json"])
        .exits(2);
    let proven = |account: &str| {
        let proven = probes(&simulated, &format!("{account}/role/Audit"), "proven");
        proven.iter().filter(|probe| *probe == "simulate").count()
    };
    assert_eq!((proven(PROD[0]), proven(PROD[1])), (5, 4));
    assert_eq!(
        probes(&simulated, &format!("{}/role/Audit", PROD[1]), "failed"),
        ["expect", "simulate"]
    );
}

const CONDITIONED: &str = r#"
name = "verified"

[[role]]
name = "Audit"
targets = [{ account = "log-archive" }]
permissions_boundary = "aws:ReadOnlyAccess"
[[role.trust]]
aws = ["{{ organization.management_account }}"]
[[role.inline_policy]]
name = "queues"
[[role.inline_policy.statement]]
actions = ["s3:GetObject"]
resources = ["arn:aws:s3:::logs/*"]
[role.inline_policy.statement.conditions.StringEquals]
"aws:SourceVpc" = "vpc-1"
[[role.inline_policy.statement]]
actions = ["s3:DeleteObject"]
resources = ["arn:aws:s3:::logs/*"]
[[role.expect]]
allow = ["s3:GetObject on arn:aws:s3:::logs/x"]
deny = ["s3:DeleteObject on arn:aws:s3:::logs/x", "s3:GetObject on arn:aws:s3:::other/x"]
CONTEXT
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_sees_boundaries_and_says_which_keys_it_lacks() {
    let address = format!("{LOGS}/role/Audit");
    let scene = Scene::of(&CONDITIONED.replace("CONTEXT", "")).await;
    let simulated = scene
        .rolecall(&["verify", "--simulate", "--format", "json"])
        .exits(0);
    // Of what is not allowed either way, IAM needs the key just the same.
    let open = probes(&simulated, &address, "not_provable");
    assert_eq!(open.first().map(String::as_str), Some("expect"), "{open:?}");
    assert!(open.contains(&"simulate".to_owned()), "{open:?}");
    simulated.says(&["IAM needs aws:sourcevpc"]);

    let known = CONDITIONED.replace("CONTEXT", "context = { \"aws:SourceVpc\" = \"vpc-1\" }");
    scene.desired.write("rolecall.toml", &known);
    let simulated = scene
        .rolecall(&["verify", "--simulate", "--format", "json"])
        .exits(0);
    assert_eq!(probes(&simulated, &address, "not_provable"), [""; 0]);
    assert_eq!(
        probes(&simulated, &address, "proven")
            .iter()
            .filter(|probe| *probe == "simulate")
            .count(),
        3
    );
}

const ON_MOTO: &str = r#"
name = "verified"

[[role]]
name = "Audit"
targets = [{ account = "one" }]
[[role.trust]]
aws = ["{{ organization.management_account }}"]
external_id = "audit-id"

[[role]]
name = "Open"
targets = [{ account = "two" }]
[[role.trust]]
aws = ["{{ organization.management_account }}"]
"#;

/// moto lets everyone in. That is what a verification must find: the policies are right, and no one enforces them.
#[test]
fn moto_lets_a_wrong_external_id_in_and_that_fails() {
    let Some(world) = crate::support::world::World::moto(&[], &[("one", ""), ("two", "")]) else {
        return;
    };
    let desired = Directory::new(ON_MOTO);
    let path = desired.path().to_str().unwrap();
    world
        .rolecall(&["apply", "--auto-approve", "-c", path])
        .exits(0);
    world
        .rolecall(&["verify", "--offline", "-c", path])
        .exits(0);
    let verified = world
        .rolecall(&["verify", "-c", path, "--format", "json"])
        .exits(2);
    let (audit, open) = (
        format!("{}/role/Audit", world.id("one")),
        format!("{}/role/Open", world.id("two")),
    );
    assert_eq!(
        probes(&verified, &audit, "failed"),
        ["live-no-external-id", "live-wrong-external-id"]
    );
    assert!(probes(&verified, &audit, "proven").contains(&"live-allowed".to_owned()));
    assert_eq!(probes(&verified, &open, "failed"), [""; 0]);
}
