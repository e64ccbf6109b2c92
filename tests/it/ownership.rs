//! What the tag of ownership does not tell by itself: permissions that no one manages, and resources that someone else
//! tagged as this directory's.

use serde_json::Value;

use crate::support::served::Served;
use crate::support::{Directory, Run};

const LOGS: &str = "222222222221";
const NETWORK: &str = "333333333331";
const ANYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}}"#;

fn role(name: &str, rest: &str) -> String {
    format!(
        "[[role]]\nname = \"{name}\"\ntargets = [{{ account = \"log-archive\" }}]\n{rest}\n[[role.trust]]\naws = [\"111111111111\"]\n"
    )
}

fn desired(roles: &str) -> Directory {
    Directory::new(&format!(
        "name = \"owner\"\n[limits]\nmax_change_percent = 100\n{roles}"
    ))
}

/// The messages of the findings of this code.
fn findings(run: &Run, code: &str) -> Vec<String> {
    let json = run.json();
    let of_code = |one: &&Value| one["code"] == code;
    let found = json["findings"].as_array().unwrap().iter().filter(of_code);
    found
        .map(|one| format!("{} {} {}", one["severity"], one["address"], one["message"]))
        .collect()
}

const UNMANAGED: &str = "unmanaged-permissions";

#[tokio::test(flavor = "multi_thread")]
async fn permissions_that_are_not_managed_are_told_by_plan_drift_and_verify() {
    let served = Served::demo().await;
    let inline = |role: &str| {
        let params = [
            ("RoleName", role),
            ("PolicyName", "backdoor"),
            ("PolicyDocument", ANYTHING),
        ];
        served.by_hand(LOGS, "PutRolePolicy", &params);
    };
    let attach = |role: &str| {
        let params = [
            ("RoleName", role),
            ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ];
        served.by_hand(LOGS, "AttachRolePolicy", &params);
    };
    let desired = desired(&[role("R", ""), role("S", "managed_policies = []")].concat());
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    for arguments in [&["plan"][..], &["drift"], &["verify", "--offline"]] {
        let quiet = served
            .rolecall(&desired, &[arguments, &["--format", "json"]].concat())
            .exits(0);
        assert_eq!(
            findings(&quiet, UNMANAGED),
            Vec::<String>::new(),
            "{arguments:?}"
        );
    }

    inline("R");
    attach("R");
    inline("S");
    for arguments in [&["plan"][..], &["drift"], &["verify", "--offline"]] {
        let told = findings(
            &served
                .rolecall(&desired, &[arguments, &["--format", "json"]].concat())
                .exits(0),
            UNMANAGED,
        );
        let [r, s] = told.as_slice() else {
            panic!("{arguments:?}: {told:#?}")
        };
        assert!(r.starts_with(&format!("\"warn\" \"{LOGS}/role/R\"")), "{r}");
        for part in [
            "`arn:aws:iam::aws:policy/AdministratorAccess`",
            "`backdoor`",
            "`managed_policies` and `inline_policy`",
        ] {
            assert!(r.contains(part), "{part} is not in {r}");
        }
        assert!(
            s.contains("`backdoor`") && s.contains("`inline_policy` is not set"),
            "{s}"
        );
        served
            .rolecall(&desired, arguments)
            .exits(0)
            .says(&[UNMANAGED, "backdoor"]);
    }
    served
        .rolecall(&desired, &["drift", "--format", "markdown"])
        .exits(0)
        .says(&["backdoor"]);
    assert_eq!(
        served.count("ListRolePolicies"),
        0,
        "the bulk read tells, no further call is made"
    );

    // What is written is managed, and what is left to others on purpose is theirs.
    let additive = "manage = { managed_policies = \"additive\", inline_policies = \"additive\" }";
    desired.write(
        "rolecall.toml",
        &format!(
            "name = \"owner\"\n{}{}",
            role("R", additive),
            role("S", additive)
        ),
    );
    let plan = served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0);
    assert_eq!(findings(&plan, UNMANAGED), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_roles_and_grants_are_no_unmanaged_permissions() {
    let served = Served::demo().await;
    let theirs = [("RoleName", "R"), ("AssumeRolePolicyDocument", TRUST)];
    served.by_hand(LOGS, "CreateRole", &theirs);
    served.by_hand(
        LOGS,
        "PutRolePolicy",
        &[
            ("RoleName", "R"),
            ("PolicyName", "p"),
            ("PolicyDocument", ANYTHING),
        ],
    );
    let grant = format!(
        "{}[[grant]]\nrole = \"Granted\"\nin = {{ account = \"log-archive\" }}\nto = [{{ account = \"log-archive\", role = \"Caller\" }}]\n",
        [
            role("Granted", "managed_policies = []\ninline_policy = []"),
            role("Caller", "managed_policies = []")
        ]
        .concat()
    );
    let desired = desired(&[&role("R", "external = true"), grant.as_str()].concat());
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    for arguments in [&["plan"][..], &["verify", "--offline"]] {
        let run = served.rolecall(&desired, &[arguments, &["--format", "json"]].concat());
        assert_eq!(
            findings(&run, UNMANAGED),
            Vec::<String>::new(),
            "{arguments:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_recorded_is_not_deleted_because_of_its_tag() {
    let served = Served::demo().await;
    let desired = desired(&role("R", ""));
    served
        .rolecall(&desired, &["apply", "--auto-approve"])
        .exits(0);
    let mark = [
        ("Tags.member.1.Key", "rolecall:managed-by"),
        ("Tags.member.1.Value", "owner"),
    ];
    let make = |account: &str, role: &str| {
        served.by_hand(
            account,
            "CreateRole",
            &[("RoleName", role), ("AssumeRolePolicyDocument", TRUST)],
        );
        served.by_hand(
            account,
            "TagRole",
            &[&[("RoleName", role)][..], &mark].concat(),
        );
    };
    make(LOGS, "Prod");
    make(NETWORK, "Deploy");
    served.by_hand(
        LOGS,
        "CreatePolicy",
        &[
            &[("PolicyName", "P"), ("PolicyDocument", ANYTHING)][..],
            &mark,
        ]
        .concat(),
    );
    served.by_hand(LOGS, "CreateUser", &[("UserName", "ann")]);
    let granted = [
        ("UserName", "ann"),
        ("PolicyName", "rolecall-owner-assume"),
        ("PolicyDocument", ANYTHING),
    ];
    served.by_hand(LOGS, "PutUserPolicy", &granted);
    let writes = served.writes();

    for command in [
        &["apply", "--prune", "--auto-approve"][..],
        &["destroy", "--auto-approve"],
    ] {
        let refused = served.rolecall(&desired, command).exits(4);
        refused.says(&[
            "unrecorded",
            "role `Prod`",
            "role `Deploy`",
            "policy `P`",
            "--allow unrecorded",
        ]);
    }
    assert_eq!(served.writes(), writes);
    let plan = served
        .rolecall(&desired, &["plan", "--prune", "--format", "json"])
        .exits(0);
    let told = findings(&plan, "unrecorded");
    let addresses = [
        format!("{LOGS}/grant/user/ann"),
        format!("{LOGS}/policy/P"),
        format!("{LOGS}/role/Prod"),
        format!("{NETWORK}/role/Deploy"),
    ];
    assert_eq!(told.len(), 4, "{told:#?}");
    for address in addresses {
        assert!(
            told.iter()
                .any(|one| one.starts_with(&format!("\"stop\" \"{address}\""))),
            "{address}: {told:#?}"
        );
    }
    // Nothing is said where nothing is deleted.
    let plan = served
        .rolecall(&desired, &["plan", "--format", "json"])
        .exits(0);
    assert_eq!(findings(&plan, "unrecorded"), Vec::<String>::new());

    served
        .rolecall(
            &desired,
            &[
                "apply",
                "--prune",
                "--auto-approve",
                "--allow",
                "unrecorded",
            ],
        )
        .exits(0);
    assert!(served.writes().contains(&"DeleteRole".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_record_goes_as_ever_and_without_a_state_the_tag_decides_once_it_is_allowed() {
    let served = Served::demo().await;
    let both = desired(&[role("R", ""), role("Left", "")].concat());
    served
        .rolecall(&both, &["apply", "--auto-approve"])
        .exits(0);
    served.by_hand(
        LOGS,
        "CreateRole",
        &[("RoleName", "Adopted"), ("AssumeRolePolicyDocument", TRUST)],
    );
    let adopting = [role("R", ""), role("Adopted", "adopt = true")].concat();
    both.write("rolecall.toml", &format!("name = \"owner\"\n{adopting}"));
    // An adopted role is on record from then on.
    served
        .rolecall(&both, &["apply", "--prune", "--auto-approve"])
        .exits(0);
    both.write(
        "rolecall.toml",
        &format!("name = \"owner\"\n{}", role("R", "")),
    );
    served
        .rolecall(&both, &["apply", "--prune", "--auto-approve"])
        .exits(0);
    // A role that the file itself names as absent is deleted by that name.
    let mark = [
        ("Tags.member.1.Key", "rolecall:managed-by"),
        ("Tags.member.1.Value", "owner"),
    ];
    served.by_hand(
        LOGS,
        "CreateRole",
        &[
            &[("RoleName", "Gone"), ("AssumeRolePolicyDocument", TRUST)][..],
            &mark,
        ]
        .concat(),
    );
    both.write(
        "rolecall.toml",
        &format!(
            "name = \"owner\"\n{}{}",
            role("R", ""),
            role("Gone", "ensure = \"absent\"")
        ),
    );
    served
        .rolecall(&both, &["apply", "--auto-approve"])
        .exits(0);

    served.by_hand(
        LOGS,
        "CreateRole",
        &[
            &[("RoleName", "Older"), ("AssumeRolePolicyDocument", TRUST)][..],
            &mark,
        ]
        .concat(),
    );
    std::fs::remove_dir_all(both.file("state")).unwrap();
    // Nothing tells whether this directory made it, so somebody has to.
    served
        .rolecall(&both, &["destroy", "--auto-approve"])
        .exits(4)
        .says(&["unrecorded"]);
    served
        .rolecall(
            &both,
            &["destroy", "--auto-approve", "--allow", "unrecorded"],
        )
        .exits(0);
    assert_eq!(
        served
            .writes()
            .iter()
            .filter(|write| *write == "DeleteRole")
            .count(),
        5
    );
}
