//! The kit cloudtrail, by the binary: one role per reader of one bucket of logs.

use serde_json::{Value, json};

use crate::support::cloud::Cloud;
use crate::support::world::{Kit, World, document, operations, steps};

const ACCOUNTS: &[(&str, &str)] = &[("account-a", ""), ("account-b", ""), ("account-c", "")];
const OUTSIDER: &str = "999999999999";

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
    three_readers_get_a_role_each_and_their_users_may_assume_it
    readers_with_mfa_and_every_bucket_are_warned_about
    the_prefix_of_the_trail_is_part_of_what_may_be_read
    a_session_name_is_pinned
    a_user_that_does_not_exist_is_named
    a_renamed_role_is_another_role
    it_is_proven_who_reads_and_who_does_not
}

/// One reader, as `readers.toml` has it.
fn reader(letter: &str, account: &str, more: &str) -> String {
    format!(
        "[[module]]\nsource = \"reader\"\n[module.vars]\nrole = \"CloudTrailLogs-{letter}\"\nreader_account = \"{account}\"\n\
         owner_account = \"{{{{ var.owner_account }}}}\"\n{more}\n"
    )
}

const LOGS: &str =
    "bucket = \"{{ var.bucket }}\"\nprefix = \"{{ var.prefix }}\"\nreader_user = \"log-reader\"\n";

fn third_party() -> String {
    reader(
        "Z",
        OUTSIDER,
        &format!("{LOGS}external_id = \"ext-issued-by-Z\"\naccess = \"all-logs\""),
    )
}

fn kit(readers: &[String]) -> Kit {
    let kit = Kit::new(
        "cloudtrail",
        "owner_account = \"account-a\"\nbucket = \"acme-cloudtrail-logs\"\n",
    );
    kit.write("readers.toml", &readers.join("\n"));
    kit
}

fn three_readers(world: &World) -> Kit {
    kit(&[
        reader("B", world.id("account-b"), LOGS),
        reader("C", world.id("account-c"), LOGS),
        third_party(),
    ])
}

fn with_users(world: &World) {
    for account in ["account-b", "account-c"] {
        let iam = world.iam(account);
        world
            .wait(iam.create_user().user_name("log-reader").send())
            .unwrap();
    }
}

fn trust(world: &World, role: &str) -> Value {
    let iam = world.iam("account-a");
    let role = world
        .wait(iam.get_role().role_name(role).send())
        .unwrap()
        .role
        .unwrap();
    document(role.assume_role_policy_document().unwrap())["Statement"][0].clone()
}

fn access(world: &World, role: &str) -> Value {
    let iam = world.iam("account-a");
    let answer = world
        .wait(
            iam.get_role_policy()
                .role_name(role)
                .policy_name("read-logs")
                .send(),
        )
        .unwrap();
    document(answer.policy_document())["Statement"][0].clone()
}

fn resources(statement: &Value) -> Vec<&str> {
    let mut found: Vec<&str> = statement["Resource"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    found.sort_unstable();
    found
}

/// Whether the statement trusts an account as a whole, which IAM gives back as the ARN of its root.
#[track_caller]
fn assert_trusts(statement: &Value, account: &str, condition: Option<&Value>) {
    let principal = statement["Principal"]["AWS"].as_str().unwrap();
    assert!(
        [account, &format!("arn:aws:iam::{account}:root")].contains(&principal),
        "{statement:#}"
    );
    assert_eq!(statement.get("Condition"), condition, "{statement:#}");
}

fn three_readers_get_a_role_each_and_their_users_may_assume_it(world: &World) {
    with_users(world);
    let kit = three_readers(world);
    let plan = kit.plan(world, &[]);
    assert_eq!(plan["summary"]["steps"], 8, "{plan:#}");
    let steps = steps(&plan);
    assert_eq!(operations(&steps[world.id("account-a")])["CreateRole"], 3);
    assert_eq!(
        operations(&steps[world.id("account-a")])["PutRolePolicy"],
        3
    );
    for account in ["account-b", "account-c"] {
        let address = format!("{}/grant/user/log-reader", world.id(account));
        assert_eq!(
            steps[world.id(account)],
            [(address, "PutUserPolicy".to_owned())]
        );
    }
    let handed_over = format!(
        "arn:aws:iam::{}:role/CloudTrailLogs-Z",
        world.id("account-a")
    );
    kit.run(world, "plan", &[]).exits(0).says(&[
        &handed_over,
        OUTSIDER,
        "log-reader",
        "sts:AssumeRole",
    ]);
    kit.apply(world, &[]);

    for (letter, account) in [("B", "account-b"), ("C", "account-c")] {
        let (role, id) = (format!("CloudTrailLogs-{letter}"), world.id(account));
        assert_trusts(&trust(world, &role), id, None);
        let access = access(world, &role);
        assert_eq!(access["Action"], json!(["s3:Get*", "s3:List*"]));
        let logs = format!("arn:aws:s3:::acme-cloudtrail-logs/AWSLogs/{id}/*");
        assert_eq!(
            resources(&access),
            ["arn:aws:s3:::acme-cloudtrail-logs", &logs]
        );
        let iam = world.iam(account);
        let policy = iam
            .get_user_policy()
            .user_name("log-reader")
            .policy_name("rolecall-cloudtrail-readers-assume");
        let granted =
            document(world.wait(policy.send()).unwrap().policy_document())["Statement"][0].clone();
        assert_eq!(granted["Action"], json!(["sts:AssumeRole"]));
        let arn = format!("arn:aws:iam::{}:role/{role}", world.id("account-a"));
        assert!(
            [json!(arn), json!([arn])].contains(&granted["Resource"]),
            "{granted:#}"
        );
    }
    let condition = json!({"StringEquals": {"sts:ExternalId": "ext-issued-by-Z"}});
    assert_trusts(
        &trust(world, "CloudTrailLogs-Z"),
        OUTSIDER,
        Some(&condition),
    );
    let all = access(world, "CloudTrailLogs-Z");
    assert_eq!(
        resources(&all),
        [
            "arn:aws:s3:::acme-cloudtrail-logs",
            "arn:aws:s3:::acme-cloudtrail-logs/*"
        ]
    );
}

fn readers_with_mfa_and_every_bucket_are_warned_about(world: &World) {
    let own = "access = \"all-buckets\"\nrequire_mfa = true";
    let kit = kit(&[
        reader("D", world.id("account-b"), own),
        reader("E", world.id("account-c"), own),
        reader(
            "R",
            OUTSIDER,
            "access = \"all-buckets\"\nexternal_id = \"ext-issued-by-R\"",
        ),
    ]);
    kit.answer("owner_account = \"account-a\"\n");
    let plan = kit.plan(world, &[]);
    assert_eq!(plan["summary"]["steps"], 6, "{plan:#}");
    kit.validate(&[]).exits(0).says(&[
        "CloudTrailLogs-D can read every bucket",
        "CloudTrailLogs-E can read every bucket",
    ]);
    kit.apply(world, &[]);
    let mfa = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    assert_trusts(
        &trust(world, "CloudTrailLogs-D"),
        world.id("account-b"),
        Some(&mfa),
    );
    assert_trusts(
        &trust(world, "CloudTrailLogs-E"),
        world.id("account-c"),
        Some(&mfa),
    );
    let id = json!({"StringEquals": {"sts:ExternalId": "ext-issued-by-R"}});
    assert_trusts(&trust(world, "CloudTrailLogs-R"), OUTSIDER, Some(&id));
}

fn the_prefix_of_the_trail_is_part_of_what_may_be_read(world: &World) {
    let id = world.id("account-b");
    let kit = kit(&[reader("B", id, &LOGS.replace("log-reader", ""))]);
    for (prefix, key) in [
        ("", ""),
        ("logs", "logs/"),
        ("/logs/", "logs/"),
        ("a/b", "a/b/"),
    ] {
        kit.answer(&format!(
            "owner_account = \"account-a\"\nbucket = \"acme-cloudtrail-logs\"\nprefix = \"{prefix}\"\n"
        ));
        kit.apply(world, &[]);
        let expected = format!("arn:aws:s3:::acme-cloudtrail-logs/{key}AWSLogs/{id}/*");
        assert!(
            resources(&access(world, "CloudTrailLogs-B")).contains(&expected.as_str()),
            "{prefix}"
        );
    }
    kit.write(
        "readers.toml",
        &reader(
            "B",
            id,
            "bucket = \"acme-cloudtrail-logs\"\norganization_trail = true",
        ),
    );
    kit.apply(world, &[]);
    let expected = format!(
        "arn:aws:s3:::acme-cloudtrail-logs/AWSLogs/{}/{id}/*",
        world.built.organization
    );
    assert!(resources(&access(world, "CloudTrailLogs-B")).contains(&expected.as_str()));
}

fn a_session_name_is_pinned(world: &World) {
    let id = world.id("account-b");
    let kit = kit(&[reader(
        "B",
        id,
        "bucket = \"acme-cloudtrail-logs\"\nsession_name = \"log-reader\"",
    )]);
    kit.apply(world, &[]);
    let condition = json!({"StringEquals": {"sts:RoleSessionName": "log-reader"}});
    assert_trusts(&trust(world, "CloudTrailLogs-B"), id, Some(&condition));
}

/// N3.5.
fn a_user_that_does_not_exist_is_named(world: &World) {
    let kit = three_readers(world);
    kit.run(world, "plan", &[])
        .says(&["log-reader", world.id("account-b"), "does not exist"]);
    kit.run(world, "apply", &["--auto-approve"]).exits(4);
    let iam = world.iam("account-a");
    assert!(
        world
            .wait(iam.get_role().role_name("CloudTrailLogs-B").send())
            .is_err(),
        "nothing is written"
    );
}

/// N3.7.
fn a_renamed_role_is_another_role(world: &World) {
    let id = world.id("account-b");
    let logs = "bucket = \"acme-cloudtrail-logs\"";
    let kit = kit(&[reader("B", id, logs)]);
    kit.apply(world, &[]);
    kit.write("readers.toml", &reader("Berlin", id, logs));
    let plan = kit.plan(world, &[]);
    assert_eq!(
        (&plan["summary"]["create"], &plan["summary"]["delete"]),
        (&json!(1), &json!(0)),
        "{plan:#}"
    );
    assert_eq!(plan["summary"]["orphans"], 1, "{plan:#}");
    kit.run(world, "plan", &[])
        .says(&["rename", "CloudTrailLogs-B`"]);
    let plan = kit.plan(world, &["--prune"]);
    assert_eq!(
        (&plan["summary"]["create"], &plan["summary"]["delete"]),
        (&json!(1), &json!(1)),
        "{plan:#}"
    );
    kit.run(world, "plan", &["--prune"]).says(&[
        "CloudTrailLogs-Berlin",
        "CloudTrailLogs-B",
        "rename",
    ]);
}

fn it_is_proven_who_reads_and_who_does_not(world: &World) {
    with_users(world);
    let mfa = reader(
        "D",
        world.id("account-b"),
        "access = \"all-buckets\"\nrequire_mfa = true",
    );
    let pinned = "bucket = \"acme-cloudtrail-logs\"\nsession_name = \"log-reader\"";
    let pinned = reader("P", world.id("account-c"), pinned);
    let kit = three_readers(world);
    kit.write("more.toml", &format!("{mfa}\n{pinned}"));
    kit.apply(world, &[]);
    let verified = kit
        .run(world, "verify", &["--offline", "--format", "json"])
        .exits(0)
        .json();
    let (b, c) = (
        world.id("account-b").to_owned(),
        world.id("account-c").to_owned(),
    );
    for (role, words) in [
        (
            "B",
            [
                format!("{b}:root` may assume it"),
                "everyone else is refused".to_owned(),
            ],
        ),
        (
            "C",
            [
                format!("{c}:root` may assume it"),
                "everyone else is refused".to_owned(),
            ],
        ),
        (
            "Z",
            [
                "refused without the external id".to_owned(),
                "refused with a wrong external id".to_owned(),
            ],
        ),
        (
            "D",
            ["may assume it".to_owned(), "refused without MFA".to_owned()],
        ),
        (
            "P",
            [
                "may assume it".to_owned(),
                "refused with another `sts:RoleSessionName`".to_owned(),
            ],
        ),
    ] {
        let address = format!("{}/role/CloudTrailLogs-{role}", world.id("account-a"));
        let results = verified["results"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|result| result["address"] == address);
        let said: Vec<&str> = results
            .map(|result| result["message"].as_str().unwrap())
            .collect();
        for word in words {
            assert!(
                said.iter().any(|message| message.contains(&word)),
                "{role}: {word}: {said:#?}"
            );
        }
    }
    let arn = format!(
        "arn:aws:iam::{}:role/CloudTrailLogs-Z",
        world.id("account-a")
    );
    kit.run(world, "output", &[]).exits(0).says(&[&arn]);

    // The reader's own side: the user of b without the user policy.
    let reader = world.iam("account-b");
    let granted = reader
        .delete_user_policy()
        .user_name("log-reader")
        .policy_name("rolecall-cloudtrail-readers-assume");
    world.wait(granted.send()).unwrap();
    let refused = format!(
        "{b}:user/log-reader` cannot assume it: no policy of its own allows `sts:AssumeRole`"
    );
    kit.run(world, "verify", &["--offline"])
        .exits(2)
        .says(&["CloudTrailLogs-B", &refused]);
    kit.apply(world, &[]);
    kit.run(world, "verify", &["--offline"]).exits(0);

    // What CT-4 is about: someone else is let in by hand.
    let iam = world.iam("account-a");
    let open = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":["{b}","{c}"]}},"Action":"sts:AssumeRole"}}]}}"#
    );
    world
        .wait(
            iam.update_assume_role_policy()
                .role_name("CloudTrailLogs-B")
                .policy_document(open)
                .send(),
        )
        .unwrap();
    kit.run(world, "verify", &["--offline"])
        .exits(2)
        .says(&["CloudTrailLogs-B", &c]);
}

/// N3.1.
#[test]
fn the_root_user_of_a_reader_is_refused_without_a_call() {
    let mut world = World::sandbox(&[], ACCOUNTS);
    let kit = kit(&[reader(
        "B",
        world.id("account-b"),
        "bucket = \"acme-cloudtrail-logs\"",
    )]);
    kit.apply(&world, &[]);
    let root = format!("arn:aws:iam::{}:root", world.id("account-b"));
    world.call_as("account-b", &root);
    let sandbox = world.sandbox.clone().unwrap();
    let asked = || {
        sandbox
            .calls()
            .iter()
            .filter(|(call, _)| call.operation == "AssumeRole")
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    let before = asked();
    kit.run(&world, "verify", &[])
        .exits(1)
        .says(&["root", "cannot assume", &root]);
    assert_eq!(asked(), before);
}

/// The verify matrix, live: users come with their own keys and are let in as the documents say.
#[test]
fn each_reader_is_let_in_to_its_own_role_alone() {
    let world = World::sandbox(&[], ACCOUNTS);
    with_users(&world);
    let kit = three_readers(&world);
    kit.apply(&world, &[]);
    let role = |letter: &str| {
        format!(
            "arn:aws:iam::{}:role/CloudTrailLogs-{letter}",
            world.id("account-a")
        )
    };
    let (b, c) = (role("B"), role("C"));
    let sandbox = world.sandbox.clone().unwrap();
    let user = format!("arn:aws:iam::{}:user/log-reader", world.id("account-b"));
    let (endpoint, id) = (
        world.cloud.endpoint.clone(),
        world.id("account-b").to_owned(),
    );
    let enter = |arn: &str| {
        let keys = sandbox.credentials_of(&user).unwrap();
        let sts = world
            .wait(Cloud::new(
                &endpoint,
                keys.access_key_id(),
                keys.secret_access_key(),
            ))
            .sts;
        let answer = world.wait(
            sts.assume_role()
                .role_arn(arn)
                .role_session_name("log-reader")
                .send(),
        );
        answer.map(drop).map_err(|error| {
            error
                .into_service_error()
                .meta()
                .code()
                .unwrap_or_default()
                .to_owned()
        })
    };
    assert_eq!(
        (enter(&b), enter(&c)),
        (Ok(()), Err("AccessDenied".to_owned()))
    );
    let gone = [
        ("UserName", "log-reader"),
        ("PolicyName", "rolecall-cloudtrail-readers-assume"),
    ];
    sandbox
        .by_hand(id.parse().unwrap(), "DeleteUserPolicy", &gone)
        .unwrap();
    assert_eq!(
        enter(&b),
        Err("AccessDenied".to_owned()),
        "without the user policy"
    );
}

/// N3.6.
#[test]
fn a_session_name_that_sts_does_not_take_is_refused() {
    let world = World::sandbox(&[], ACCOUNTS);
    let kit = kit(&[reader(
        "B",
        world.id("account-b"),
        "bucket = \"acme-cloudtrail-logs\"",
    )]);
    kit.run(&world, "verify", &["--session-name", &"a".repeat(65)])
        .exits(1)
        .says(&["64"]);
    kit.run(&world, "verify", &["--session-name", "a b/c"])
        .exits(1)
        .says(&["a space"]);
}

/// N3.2.
#[test]
fn a_role_for_one_reader_that_another_may_assume_is_refused() {
    let kit = kit(&[reader("B", "222222222222", LOGS)]);
    kit.edit(
        "reader/rolecall.toml",
        "aws = \"{{ var.reader_account }}\"",
        "aws = [\"{{ var.reader_account }}\", \"333333333333\"]",
    );
    kit.validate(&[])
        .exits(4)
        .says(&["CloudTrailLogs-B", "333333333333"]);
}

/// N3.3.
#[test]
fn a_third_party_without_an_external_id_is_warned_about() {
    let world = World::sandbox(&[], ACCOUNTS);
    let kit = kit(&[reader(
        "Z",
        OUTSIDER,
        "bucket = \"acme-cloudtrail-logs\"\naccess = \"all-logs\"",
    )]);
    kit.run(&world, "plan", &[])
        .exits(0)
        .says(&["external id", OUTSIDER]);
}

/// N3.4.
#[test]
fn an_external_id_that_iam_does_not_take_is_refused() {
    for (id, words) in [("a", ["2", "1224"]), ("a b", ["external id", "a space"])] {
        kit(&[reader(
            "Z",
            OUTSIDER,
            &format!("{LOGS}external_id = \"{id}\""),
        )])
        .validate(&[])
        .exits(1)
        .says(&words);
    }
}

/// N3.8.
#[test]
fn a_bucket_is_asked_for() {
    let kit = kit(&[reader("B", "222222222222", LOGS)]);
    kit.answer("owner_account = \"account-a\"\n");
    kit.validate(&[]).exits(1).says(&["bucket", "no value"]);
}

#[test]
fn a_reader_that_could_delete_logs_is_warned_about() {
    let logs = format!("{LOGS}actions = [\"s3:GetObject\", \"s3:DeleteObject\"]");
    let run = kit(&[reader("B", "222222222222", &logs)])
        .validate(&[])
        .exits(0)
        .says(&["CloudTrailLogs-B", "s3:DeleteObject"]);
    assert!(!run.text().contains("s3:GetObject"), "{}", run.text());
}

#[test]
fn what_the_kit_itself_asks_for_is_said() {
    let blank = Kit::new("cloudtrail", "");
    let inputs = [
        "owner_account",
        "bucket",
        "reader_account",
        "reader_user",
        "analyzer_account",
        "analyzer_user",
        "analyzer_external_id",
    ];
    blank
        .validate(&[])
        .exits(1)
        .says(&inputs)
        .says(&["no value"]);
    let answers = format!(
        "owner_account = \"account-a\"\nbucket = \"acme-cloudtrail-logs\"\nreader_account = \"222222222222\"\nreader_user = \"log-reader\"\n\
         analyzer_account = \"{OUTSIDER}\"\nanalyzer_user = \"log-reader\"\nanalyzer_external_id = \"ext-issued-by-Z\"\n"
    );
    Kit::new("cloudtrail", &answers).validate(&[]).exits(0);
}
