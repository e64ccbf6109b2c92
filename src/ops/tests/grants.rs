//! Grants from the file to IAM and back.

use super::Stage;
use crate::plan::{Action, Severity};

const OWNER: &str = "222222222221";
const B: &str = "444444444441";
const C: &str = "444444444442";

/// Three roles in the owner's account for B, C and Z, and these grants.
fn desired(grants: &str) -> String {
    let role = |name: &str, trusted: &str, more: &str| {
        format!(
            "
[[role]]
name = \"CloudTrailLogs-{name}\"
targets = [{{ account = \"log-archive\" }}]
[[role.trust]]
aws = \"{trusted}\"
{more}
[[role.inline_policy]]
name = \"logs\"
[[role.inline_policy.statement]]
actions = [\"s3:Get*\", \"s3:List*\"]
resources = [\"arn:aws:s3:::acme-cloudtrail-logs\", \"arn:aws:s3:::acme-cloudtrail-logs/AWSLogs/{trusted}/*\"]
"
        )
    };
    let z = role("Z", "999999999999", "external_id = \"ext-issued-by-Z\"");
    format!(
        "name = \"cloudtrail\"\n{}{}{z}{grants}",
        role("B", B, ""),
        role("C", C, "")
    )
}

fn grant(role: &str, to: &str) -> String {
    format!(
        "[[grant]]\nrole = \"CloudTrailLogs-{role}\"\nin = {{ account = \"log-archive\" }}\nto = [{to}]\n"
    )
}

fn users() -> String {
    [
        grant(
            "B",
            "{ account = \"payments-prod\", user = \"log-reader\" }",
        ),
        grant("C", "{ account = \"444444444442\", user = \"log-reader\" }"),
        grant("Z", "{ account = \"999999999999\", user = \"log-reader\" }"),
    ]
    .concat()
}

fn stage() -> Stage {
    let stage = Stage::new(&desired(&users()));
    for account in [B, C] {
        stage.by_hand(account, "CreateUser", &[("UserName", "log-reader")]);
    }
    stage
}

const POLICY: &str = "rolecall-cloudtrail-assume";

#[tokio::test]
async fn both_halves_of_cross_account_access_are_planned_written_and_left_alone() {
    let stage = stage();
    let plan = stage.plan().await;
    assert_eq!(
        (plan.summary.steps, plan.summary.create),
        (8, 5),
        "3 roles, 3 inline policies, 2 user policies"
    );
    let handed: Vec<_> = plan
        .findings
        .iter()
        .filter(|finding| finding.code == "grant-outside")
        .collect();
    assert_eq!((handed.len(), handed[0].severity), (1, Severity::Warn));
    let role = format!("arn:aws:iam::{OWNER}:role/CloudTrailLogs-Z");
    assert!(
        handed[0]
            .message
            .contains(&format!(r#""Resource":["{role}"]"#)),
        "{}",
        handed[0].message
    );

    stage.converges().await;
    let there = stage.by_hand(
        B,
        "GetUserPolicy",
        &[("UserName", "log-reader"), ("PolicyName", POLICY)],
    );
    assert!(
        there.contains("CloudTrailLogs-B") && !there.contains("CloudTrailLogs-C"),
        "{there}"
    );

    let before = ["GetUserPolicy", "GetUser"].map(|operation| stage.count(operation));
    stage.plan().await;
    let after = ["GetUserPolicy", "GetUser"].map(|operation| stage.count(operation));
    assert_eq!(
        [after[0] - before[0], after[1] - before[1]],
        [2, 0],
        "one call for each user that is granted to"
    );
}

#[tokio::test]
async fn what_is_changed_by_hand_is_put_right() {
    let stage = stage();
    stage.converges().await;
    let wide = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"}]}"#;
    stage.by_hand(
        B,
        "PutUserPolicy",
        &[
            ("UserName", "log-reader"),
            ("PolicyName", POLICY),
            ("PolicyDocument", wide),
        ],
    );
    stage.by_hand(
        C,
        "DeleteUserPolicy",
        &[("UserName", "log-reader"), ("PolicyName", POLICY)],
    );
    let plan = stage.converges().await;
    let changes: Vec<_> = plan
        .accounts
        .iter()
        .flat_map(|account| &account.changes)
        .collect();
    let told: Vec<_> = changes
        .iter()
        .map(|change| (change.address.as_str(), change.action))
        .collect();
    let (b, c) = (
        format!("{B}/grant/user/log-reader"),
        format!("{C}/grant/user/log-reader"),
    );
    assert_eq!(
        told,
        [(b.as_str(), Action::Update), (c.as_str(), Action::Create)]
    );
}

#[tokio::test]
async fn grants_to_groups_and_roles_join_and_what_is_left_is_pruned() {
    let mut stage = stage();
    stage.converges().await;
    stage.by_hand(C, "CreateGroup", &[("GroupName", "readers")]);
    let to = format!(
        "{{ account = \"{C}\", group = \"readers\" }}, {{ account = \"log-archive\", role = \"CloudTrailLogs-Z\" }}"
    );
    stage.write(&desired(&[grant("B", &to), grant("C", &to)].concat()));
    let plan = stage.converges().await;
    assert_eq!(
        (plan.summary.create, plan.summary.steps),
        (2, 2),
        "two roles, one policy for each principal"
    );

    // Neither user is granted anything, and without prune their accounts are not searched.
    stage.selection.prune = true;
    let pruned = stage.plan().await;
    assert_eq!((pruned.summary.delete, pruned.summary.steps), (2, 2));
    assert_eq!(stage.count("ListUsers"), 0);
    stage.converges().await;
    let left = stage.by_hand(B, "ListUserPolicies", &[("UserName", "log-reader")]);
    assert!(!left.contains(POLICY), "{left}");

    // A role's last grant is removed without prune only where that is reported.
    stage.selection.prune = false;
    stage.write(&desired(""));
    let kept = stage.plan().await;
    assert_eq!(
        (kept.summary.orphans, kept.summary.steps),
        (1, 0),
        "the bulk read shows the role's"
    );
    stage.selection.prune = true;
    assert_eq!(stage.converges().await.summary.delete, 2);
}

#[tokio::test]
async fn a_user_that_does_not_exist_stops_the_plan() {
    let stage = Stage::new(&desired(&grant(
        "B",
        "{ account = \"payments-prod\", user = \"log-raeder\" }",
    )));
    let plan = stage.plan().await;
    let stops = plan.stops(&std::collections::BTreeSet::new());
    assert_eq!(
        (stops.len(), stops[0].code.as_str()),
        (1, "missing-principal")
    );
    for part in ["log-raeder", B, "does not exist"] {
        assert!(stops[0].message.contains(part), "{}", stops[0].message);
    }
}

const THERE: &str = r#"
name = "there"
[[role]]
name = "reader"
targets = [{ account = "log-archive" }]
adopt = true
[[role.trust]]
aws = "444444444441"
[[grant]]
role = "reader"
in = { account = "log-archive" }
to = [{ account = "444444444441", user = "log-reader" }, { account = "999999999999", user = "z" }]
"#;

const BY_HAND: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test]
async fn a_role_whose_path_is_not_written_is_granted_where_it_is() {
    let stage = Stage::new(THERE);
    stage.by_hand(B, "CreateUser", &[("UserName", "log-reader")]);
    let made = [
        ("RoleName", "Reader"),
        ("Path", "/legacy/teams/"),
        ("AssumeRolePolicyDocument", BY_HAND),
    ];
    stage.by_hand(OWNER, "CreateRole", &made);
    let live = "arn:aws:iam::222222222221:role/legacy/teams/Reader";
    let plan = stage.plan().await;
    let outside = plan
        .findings
        .iter()
        .find(|finding| finding.code == "grant-outside")
        .unwrap();
    assert!(outside.message.contains(live), "{}", outside.message);
    let report = stage.apply(&plan).await;
    assert_eq!(
        (report.summary.done, report.summary.failed),
        (2, 0),
        "{report:?}"
    );
    let get = [
        ("UserName", "log-reader"),
        ("PolicyName", "rolecall-there-assume"),
    ];
    let granted = stage.by_hand(B, "GetUserPolicy", &get);
    assert!(
        granted.contains("legacy%2Fteams%2FReader") || granted.contains(live),
        "{granted}"
    );
    assert_eq!(stage.plan().await.summary.steps, 0);
    // It is the whole ARN that counts, so a written path goes first even where the role is elsewhere.
    stage.write(
        &THERE
            .replace("adopt = true", "path = \"/new/\"")
            .replace("\"reader\"", "\"Reader\""),
    );
    let plan = serde_json::to_string(&stage.plan().await).unwrap();
    assert!(
        plan.contains("arn:aws:iam::222222222221:role/new/Reader"),
        "{plan}"
    );
}

#[tokio::test]
async fn a_grant_of_a_role_that_cannot_be_looked_at_is_left_as_it_is() {
    let stage = Stage::new(THERE);
    stage.by_hand(B, "CreateUser", &[("UserName", "log-reader")]);
    stage.by_hand(
        OWNER,
        "UpdateAssumeRolePolicy",
        &[
            ("RoleName", "OrganizationAccountAccessRole"),
            ("PolicyDocument", BY_HAND),
        ],
    );
    let plan = stage.plan().await;
    assert_eq!((plan.summary.unreadable, plan.summary.steps), (1, 0));
    let finding = plan
        .findings
        .iter()
        .find(|finding| finding.code == "unread")
        .unwrap();
    assert_eq!(
        (finding.severity, finding.address.as_deref()),
        (Severity::Warn, Some("444444444441/grant/user/log-reader"))
    );
    assert!(
        finding.message.contains("role/reader"),
        "{}",
        finding.message
    );
}
