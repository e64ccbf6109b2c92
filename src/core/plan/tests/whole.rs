//! Claims about whole plans: guards, order across accounts, the saved form.

use super::roles::header;
use super::world::*;
use crate::live::LiveAccount;
use crate::org::AwsError;
use crate::plan::*;
use crate::resource::OWNER_TAG;
use crate::resource::role::{LiveRole, Role};
use crate::resource::step::Step;

fn part(account_id: &str, owned: usize, changes: &[Action]) -> AccountPlan {
    let mut part = plan_account(
        &settings(),
        &account(account_id),
        None,
        &LiveAccount::default(),
        None,
    );
    part.owned = owned;
    part.desired = 1;
    let desired = desire(&[role("X")], &[]);
    let change = plan_account(
        &settings(),
        &account(account_id),
        Some(&desired),
        &LiveAccount::default(),
        None,
    )
    .changes
    .remove(0);
    let numbered = |(index, action): (usize, &Action)| Change {
        address: format!("{account_id}/role/R{index}"),
        action: *action,
        ..change.clone()
    };
    part.changes = changes.iter().enumerate().map(numbered).collect();
    part
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

#[test]
fn guards_stop_what_is_more_than_was_meant() {
    use Action::{Adopt, Create, Delete, Replace, Update};
    let cases: [(&str, Vec<AccountPlan>, &[&str]); 10] = [
        (
            "as many deletions as allowed",
            vec![part(A, 100, &[Delete; 10])],
            &[],
        ),
        ("one more", vec![part(A, 100, &[Delete; 11])], &["deletes"]),
        (
            "a replacement counts",
            vec![part(
                A,
                100,
                &[[Delete; 10].as_slice(), &[Replace]].concat(),
            )],
            &["deletes"],
        ),
        ("30 percent", vec![part(A, 20, &[Update; 6])], &[]),
        (
            "more than 30 percent",
            vec![part(A, 20, &[Update; 7])],
            &["change-percent"],
        ),
        ("half of few", vec![part(A, 10, &[Update; 5])], &[]),
        (
            "creations and adoptions",
            vec![part(
                A,
                20,
                &[[Create; 20].as_slice(), &[Adopt; 20]].concat(),
            )],
            &[],
        ),
        (
            "nothing desired",
            vec![AccountPlan {
                desired: 0,
                ..part(A, 1, &[])
            }],
            &["empty-desired"],
        ),
        ("no account", vec![], &["empty-organization"]),
        (
            "the management account",
            vec![part(MANAGEMENT, 0, &[])],
            &["management-account"],
        ),
    ];
    for (what, parts, expect) in cases {
        assert_eq!(
            codes(&build(header(), &settings(), parts)),
            expect,
            "{what}"
        );
    }
}

#[test]
fn what_is_allowed_no_longer_stops_except_what_never_is() {
    let there = [
        live_role("X"),
        foreign("Y"),
        marked(live_role("OrganizationAccountAccessRole")),
    ];
    let desired = desire(
        &[role("X"), role("Y"), role("OrganizationAccountAccessRole")],
        &[],
    );
    let part = plan_account(
        &settings(),
        &account(A),
        Some(&desired),
        &live(&there, &[]),
        None,
    );
    let plan = build(header(), &settings(), vec![part]);
    let stops = |codes: &[&str]| {
        let extra = codes.iter().map(|code| (*code).to_owned()).collect();
        plan.stops(&extra)
            .into_iter()
            .map(|finding| finding.code.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(stops(&[]), ["adopt", "foreign-owner", "protected-role"]);
    assert_eq!(
        stops(&["adopt", "foreign-owner", "protected-role"]),
        ["foreign-owner", "protected-role"]
    );
}

fn foreign(name: &str) -> LiveRole {
    LiveRole {
        tags: tags(&[(OWNER_TAG, "other")]),
        ..live_role(name)
    }
}

#[test]
fn accounts_are_counted_and_sorted() {
    let error = AwsError {
        account: None,
        operation: "AssumeRole".into(),
        resource: None,
        code: None,
        message: "no".into(),
        request_id: None,
    };
    let parts = vec![
        skipped(&account("555555555555"), "SUSPENDED".into()),
        unreadable(&account("444444444444"), error),
        part(A, 0, &[Action::Create]),
    ];
    let plan = build(header(), &settings(), parts);
    assert_eq!(
        plan.accounts
            .iter()
            .map(|one| one.id.as_str().to_owned())
            .collect::<Vec<_>>(),
        [A, "444444444444", "555555555555"]
    );
    assert_eq!(
        (
            plan.summary.accounts,
            plan.summary.unreadable,
            plan.summary.create,
            plan.summary.steps
        ),
        (2, 1, 1, 1)
    );
}

fn named(account_id: &str, name: &str) -> String {
    format!("arn:aws:iam::{account_id}:role/{name}")
}

fn first_plans(roles: &[(&str, Role)]) -> Plan {
    let part = |(account_id, role): &(&str, Role)| {
        plan_account(
            &settings(),
            &account(account_id),
            Some(&desire(std::slice::from_ref(role), &[])),
            &LiveAccount::default(),
            None,
        )
    };
    build(header(), &settings(), roles.iter().map(part).collect())
}

#[test]
fn a_role_waits_for_the_role_of_another_account_that_it_trusts() {
    let hub = "777777777777";
    let plan = first_plans(&[
        (
            A,
            Role {
                trust: trust(&[&named(hub, "Hub")]),
                ..role("X")
            },
        ),
        (hub, role("Hub")),
    ]);
    assert_eq!(
        plan.accounts[0].changes[0].after,
        [format!("{hub}/role/Hub")].into()
    );
    assert!(plan.accounts[1].changes[0].after.is_empty());
}

#[test]
fn accounts_that_wait_for_each_other_are_written_in_two_passes() {
    let other = "777777777777";
    let plan = first_plans(&[
        (
            A,
            Role {
                trust: trust(&[&named(other, "Y")]),
                ..role("X")
            },
        ),
        (
            other,
            Role {
                trust: trust(&[&named(A, "X")]),
                ..role("Y")
            },
        ),
    ]);
    let steps: Vec<&Step> = plan
        .accounts
        .iter()
        .flat_map(|account| &account.changes)
        .flat_map(|change| &change.steps)
        .collect();
    assert!(matches!(
        steps.as_slice(),
        [
            Step::CreateRole { .. },
            Step::CreateRole { .. },
            Step::UpdateAssumeRolePolicy { .. }
        ]
    ));
    assert_eq!(plan.summary.steps, 3);
    assert_eq!(
        plan.accounts[0].changes[0].after,
        [format!("{other}/role/Y")].into()
    );
    assert!(plan.accounts[1].changes[0].after.is_empty());
    assert_eq!(
        plan.accounts[1].changes[0].finish_after,
        [format!("{A}/role/X")].into()
    );
}

#[test]
fn a_plan_of_another_version_or_a_broken_one_is_refused_clearly() {
    let secrets = settings().secrets;
    let plan = build(header(), &settings(), vec![part(A, 0, &[Action::Create])]);
    let saved = String::from_utf8(save(&plan, &secrets, "s", None).unwrap()).unwrap();
    let message = |text: &str| load(text.as_bytes(), &secrets).unwrap_err().to_string();
    assert!(
        message(&saved.replace("rolecall-plan/1", "rolecall-plan/2")).contains("`rolecall-plan/2`")
    );
    assert!(message("{").contains("damaged"));
    assert!(message("{}").contains("`none`"));
    assert!(message(&saved.replace("\"steps\"", "\"stops\"")).contains("damaged"));
}

#[test]
fn the_json_holds_what_the_contract_names() {
    let plan = build(header(), &settings(), vec![part(A, 0, &[Action::Create])]);
    let shown = plan.shown(&settings().secrets);
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    for key in [
        "format",
        "name",
        "organization_id",
        "created_at",
        "desired_digest",
        "accounts",
        "findings",
        "summary",
    ] {
        assert!(keys(&shown).contains(&key.to_owned()), "{key}");
    }
    for key in ["id", "name", "ou", "status", "error", "changes"] {
        assert!(
            keys(&shown["accounts"][0]).contains(&key.to_owned()),
            "{key}"
        );
    }
    for key in [
        "address",
        "action",
        "reason",
        "cosmetic",
        "cause",
        "fingerprint",
        "diffs",
        "steps",
    ] {
        assert!(
            keys(&shown["accounts"][0]["changes"][0]).contains(&key.to_owned()),
            "{key}"
        );
    }
}
