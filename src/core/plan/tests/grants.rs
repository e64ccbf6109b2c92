//! Claims about grants.

use super::roles::header;
use super::world::*;
use crate::desired::{AccountDesired, Desired};
use crate::live::LiveAccount;
use crate::plan::*;
use crate::resource::Origin;
use crate::resource::grant::{Grant, GrantState, LiveGrant, OutsideGrant, Principal};
use crate::resource::name::PolicyName;

const ROLE: &str = "arn:aws:iam::111111111111:role/Reader";

fn principal(text: &str) -> Principal {
    let (kind, name) = text.split_once('/').unwrap();
    Principal::parse(kind, name).unwrap().unwrap()
}

fn grant(to: &str, roles: &[&str]) -> Grant {
    let roles = roles.iter().map(|arn| (*arn).to_owned()).collect();
    Grant {
        principal: principal(to),
        roles,
        unplaced: std::collections::BTreeSet::new(),
        origin: Origin {
            file: "rolecall.toml".to_owned(),
            line: 7,
        },
    }
}

fn granting(mut desired: AccountDesired, grants: &[Grant]) -> AccountDesired {
    desired.grants = grants
        .iter()
        .map(|grant| (grant.principal.key(), grant.clone().into()))
        .collect();
    desired
}

fn seen(mut live: LiveAccount, to: &str, state: GrantState) -> LiveAccount {
    let principal = principal(to);
    see_grants(&mut live);
    live.grants
        .insert(principal.key(), LiveGrant { principal, state });
    live
}

fn granted(roles: &[&str]) -> GrantState {
    GrantState::Granted(grant("user/any", roles).document(&partition()))
}

fn ops(plan: &AccountPlan) -> Vec<String> {
    let name = |step: &_| {
        serde_json::to_value(step).unwrap()["op"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    plan.changes
        .iter()
        .flat_map(|change| &change.steps)
        .map(name)
        .collect()
}

/// Plans, runs and plans again, which must find nothing; gives the first plan.
#[track_caller]
fn converges(settings: &Settings, desired: &AccountDesired, live: &LiveAccount) -> AccountPlan {
    let plan = plan_account(settings, &account(A), Some(desired), live, None);
    assert_eq!(
        recheck(&plan, live, &Deleted::new()),
        std::collections::BTreeSet::new()
    );
    let after = run(live, &plan).unwrap();
    for change in plan.changes.iter().filter(|change| !change.cosmetic) {
        assert_eq!(
            converged(change, &after),
            Convergence::Converged,
            "{}",
            change.address
        );
    }
    let again = plan_account(settings, &account(A), Some(desired), &after, None);
    assert_eq!(ops(&again), Vec::<String>::new());
    plan
}

#[test]
fn a_grant_is_made_changed_and_kept_for_each_kind_of_principal() {
    let same_meaning = r#"{"Statement":{"Effect":"Allow","Action":"STS:assumerole","Resource":"arn:aws:iam::111111111111:role/Reader"},"Version":"2012-10-17"}"#;
    let spelled = crate::resource::policy::PolicyDocument::live(
        same_meaning,
        crate::resource::policy::PolicyKind::Identity,
        &partition(),
    );
    for (to, put) in [
        ("user/U", "PutUserPolicy"),
        ("group/G", "PutGroupPolicy"),
        ("role/R", "PutRolePolicy"),
    ] {
        for (state, action) in [
            (GrantState::NoPolicy, Some(Action::Create)),
            (
                granted(&["arn:aws:iam::111111111111:role/Old"]),
                Some(Action::Update),
            ),
            (granted(&[ROLE]), None),
            (GrantState::Granted(spelled.clone()), None),
        ] {
            let mut role = live_role("R");
            if let (Some(document), "role/R") = (state.document(), to) {
                role.inline_policies
                    .insert(PolicyName::of_grants(OURS), document.clone());
            }
            let live = seen(live(&[role], &[]), to, state);
            let plan = converges(
                &settings(),
                &granting(AccountDesired::default(), &[grant(to, &[ROLE])]),
                &live,
            );
            assert_eq!(plan.changes.first().map(|change| change.action), action);
            assert_eq!(
                ops(&plan),
                action
                    .map(|_| put.to_owned())
                    .into_iter()
                    .collect::<Vec<_>>()
            );
            assert_eq!((plan.desired, plan.findings.len()), (1, 0));
            for change in &plan.changes {
                assert_eq!(change.address, format!("{A}/grant/{to}"));
                assert_eq!(change.diffs[0].attribute, Attribute::Document);
                assert_eq!(change.resource(), Some(ResourceKind::Grant(principal(to))));
            }
        }
    }
}

#[test]
fn a_principal_that_does_not_exist_stops_the_plan() {
    let desired = granting(
        AccountDesired::default(),
        &[grant("user/log-reader", &[ROLE])],
    );
    let plan =
        |live: &LiveAccount| plan_account(&settings(), &account(A), Some(&desired), live, None);
    let missing = plan(&seen(
        live(&[], &[]),
        "user/log-reader",
        GrantState::NoPrincipal,
    ));
    assert_eq!(
        (missing.changes.len(), missing.findings[0].code.as_str()),
        (0, "missing-principal")
    );
    for part in ["log-reader", A, "does not exist", "rolecall.toml:7"] {
        assert!(
            missing.findings[0].message.contains(part),
            "{}",
            missing.findings[0].message
        );
    }
    assert_eq!(missing.findings[0].severity, Severity::Stop);
    assert_eq!(plan(&live(&[], &[])).findings[0].code, "unread");
}

#[test]
fn a_role_that_the_plan_makes_is_granted_to_after_it() {
    let desired = granting(desire(&[role("Made")], &[]), &[grant("role/Made", &[ROLE])]);
    let live = seen(live(&[], &[]), "role/Made", GrantState::NoPrincipal);
    let plan = converges(&settings(), &desired, &live);
    assert_eq!(ops(&plan), ["CreateRole", "PutRolePolicy"]);
    assert!(plan.changes[1].after.contains(&format!("{A}/role/Made")));
}

#[test]
fn a_role_and_a_grant_to_it_are_written_one_after_the_other_and_both_converge() {
    let mut wanted = role("R");
    wanted.inline_policies = Some([(policy_name("own"), allow("s3:GetObject"))].into());
    let desired = granting(desire(&[wanted], &[]), &[grant("role/R", &[ROLE])]);
    let mut there = marked(live_role("R"));
    there.inline_policies.insert(
        PolicyName::of_grants("another-directory"),
        allow("sts:AssumeRole"),
    );
    let live = seen(live(&[there.clone()], &[]), "role/R", GrantState::NoPolicy);
    let plan = converges(&settings(), &desired, &live);
    assert_eq!(
        ops(&plan),
        ["PutRolePolicy", "PutRolePolicy"],
        "another directory's grant stays"
    );
    assert_eq!(
        plan.changes[1].after.iter().next(),
        Some(&format!("{A}/role/R"))
    );
    // Replaced, the role keeps the grant of the other directory and gets this one.
    let mut moved = role("R");
    moved.path = Some(crate::resource::name::IamPath::parse("/new/").unwrap());
    moved.inline_policies = Some(std::collections::BTreeMap::new());
    let plan = converges(
        &settings(),
        &granting(desire(&[moved], &[]), &[grant("role/R", &[ROLE])]),
        &live,
    );
    assert_eq!(
        ops(&plan),
        [
            "DeleteRolePolicy",
            "DeleteRole",
            "CreateRole",
            "PutRolePolicy",
            "PutRolePolicy"
        ]
    );
}

#[test]
fn a_grant_that_nobody_desires_is_an_orphan_and_pruned() {
    for (to, delete) in [
        ("user/U", "DeleteUserPolicy"),
        ("group/G", "DeleteGroupPolicy"),
        ("role/R", "DeleteRolePolicy"),
    ] {
        let mut role = live_role("R");
        if to == "role/R" {
            role.inline_policies.insert(
                PolicyName::of_grants(OURS),
                granted(&[ROLE]).document().unwrap().clone(),
            );
        }
        let live = seen(live(&[role], &[]), to, granted(&[ROLE]));
        let nothing = AccountDesired::default();
        let kept = converges(&settings(), &nothing, &live);
        assert_eq!(
            (
                kept.changes.len(),
                kept.orphans,
                kept.owned,
                kept.findings[0].code.as_str()
            ),
            (0, 1, 1, "orphan")
        );
        let pruned = converges(&pruning(), &nothing, &live);
        assert_eq!(
            (ops(&pruned), pruned.changes[0].action),
            (vec![delete.to_owned()], Action::Delete)
        );
        let narrowed = Settings {
            roles: vec!["Other".to_owned()],
            ..pruning()
        };
        assert!(
            plan_account(&narrowed, &account(A), Some(&nothing), &live, None)
                .changes
                .is_empty()
        );
    }
}

#[test]
fn a_grant_goes_with_its_role() {
    let mut doomed = marked(live_role("R"));
    doomed.inline_policies.insert(
        PolicyName::of_grants(OURS),
        granted(&[ROLE]).document().unwrap().clone(),
    );
    let live = seen(live(&[doomed], &[]), "role/R", granted(&[ROLE]));
    assert_eq!(
        ops(&converges(&pruning(), &AccountDesired::default(), &live)),
        ["DeleteRolePolicy", "DeleteRole"]
    );
    let desired = granting(AccountDesired::default(), &[grant("role/R", &[ROLE])]);
    let plan = plan_account(&pruning(), &account(A), Some(&desired), &live, None);
    assert_eq!(plan.findings[0].code, "missing-principal");
}

#[test]
fn protected_roles_and_documents_too_large_are_refused() {
    let roles: Vec<String> = (0..40)
        .map(|n| format!("arn:aws:iam::111111111111:role/Reader-number-{n:04}"))
        .collect();
    let many: Vec<&str> = roles.iter().map(String::as_str).collect();
    for (to, roles, code) in [
        (
            "role/OrganizationAccountAccessRole",
            vec![ROLE],
            Some("protected-role"),
        ),
        ("user/U", many.clone(), Some("quota")),
        ("group/G", many.clone(), None),
        ("role/R", many, None),
    ] {
        let live = seen(live(&[live_role("R")], &[]), to, GrantState::NoPolicy);
        let desired = granting(AccountDesired::default(), &[grant(to, &roles)]);
        let plan = plan_account(&settings(), &account(A), Some(&desired), &live, None);
        assert_eq!(
            plan.findings.first().map(|finding| finding.code.as_str()),
            code,
            "{to}"
        );
    }
}

#[test]
fn a_grant_outside_the_organization_is_handed_over() {
    let there = OutsideGrant {
        account: id("888888888888"),
        grant: grant("user/z", &[ROLE]),
    };
    let desired = Desired {
        outside: vec![there],
        ..Desired::default()
    };
    let part = plan_account(&settings(), &account(A), None, &live(&[], &[]), None);
    let plan = build(header(), &settings(), vec![part])
        .with_findings(outside(&desired.outside, &desired.secrets));
    let finding = plan
        .findings
        .iter()
        .find(|finding| finding.code == "grant-outside")
        .unwrap();
    assert_eq!((finding.severity, plan.summary.steps), (Severity::Warn, 0));
    assert_eq!(
        finding.address.as_deref(),
        Some("888888888888/grant/user/z")
    );
    let json = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["{ROLE}"]}}]}}"#
    );
    assert!(
        finding.message.contains(&json) && finding.message.contains(&format!("`{ROLE}`")),
        "{}",
        finding.message
    );
}
