//! Claims about customer managed policies.

use super::world::*;
use crate::desired::AccountDesired;
use crate::live::LiveAccount;
use crate::plan::*;
use crate::resource::managed_policy::{LivePolicy, ManagedPolicy, PolicyVersion};
use crate::resource::name::IamPath;
use crate::resource::role::{LiveRole, Role};

fn plan(settings: &Settings, desired: &AccountDesired, live: &LiveAccount) -> AccountPlan {
    plan_account(settings, &account(A), Some(desired), live, None)
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

fn codes(plan: &AccountPlan) -> Vec<&str> {
    plan.findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

fn path(text: &str) -> IamPath {
    IamPath::parse(text).unwrap()
}

#[test]
fn policies_come_before_the_roles_that_attach_them() {
    let wanted = Role {
        managed_policies: Some([local("P")].into()),
        permissions_boundary: Some(Some(local("B"))),
        ..role("A")
    };
    let desired = desire(
        &[wanted],
        &[
            policy("P"),
            ManagedPolicy {
                path: Some(path("/x/")),
                ..policy("B")
            },
        ],
    );
    let first = plan(&settings(), &desired, &LiveAccount::default());
    assert_eq!(
        ops(&first),
        [
            "CreatePolicy",
            "CreatePolicy",
            "CreateRole",
            "AttachRolePolicy"
        ]
    );
    assert_eq!(
        first.changes[2].after,
        [format!("{A}/policy/B"), format!("{A}/policy/P")].into()
    );
    let after = run(&LiveAccount::default(), &first).unwrap();
    assert_eq!(
        after.roles["a"].permissions_boundary,
        Some(local_arn("/x/", "B"))
    );
    assert!(plan(&settings(), &desired, &after).changes.is_empty());
}

#[test]
fn a_desired_equal_policy_costs_no_call_and_a_changed_one_its_tags() {
    let there = LivePolicy {
        tags: None,
        ..live_policy("P")
    };
    let other = LivePolicy {
        tags: None,
        ..live_policy("Other")
    };
    let world = live(&[], &[there, other]);
    let equal = desire(&[], &[policy("P")]);
    let changed = desire(
        &[],
        &[ManagedPolicy {
            document: allow("s3:*"),
            ..policy("P")
        }],
    );
    let asked = |settings: &Settings, desired: &AccountDesired| {
        needs(settings, &account(A), Some(desired), &world, None)
            .policy_tags
            .iter()
            .map(|arn| arn.name().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(needs(&settings(), &account(A), Some(&equal), &world, None).is_empty());
    assert_eq!(asked(&settings(), &changed), ["P"]);
    assert_eq!(asked(&pruning(), &equal), ["Other"]);
    assert!(plan(&settings(), &equal, &world).changes.is_empty());
    let unread = plan(&settings(), &changed, &world);
    assert_eq!((unread.changes.len(), codes(&unread)), (0, vec!["unread"]));
}

#[test]
fn a_sixth_version_needs_the_oldest_not_in_force_deleted() {
    let version = |id: &str, created: i64, is_default: bool| PolicyVersion {
        id: id.into(),
        created,
        is_default,
    };
    let versions = vec![
        version("v10", 50, false),
        version("v9", 40, false),
        version("v8", 10, true),
        version("v11", 60, false),
        version("v7", 30, false),
    ];
    let world = live(
        &[],
        &[LivePolicy {
            versions,
            ..marked_policy(live_policy("P"))
        }],
    );
    let desired = desire(
        &[],
        &[ManagedPolicy {
            document: allow("s3:*"),
            ..policy("P")
        }],
    );
    let plan = plan(&settings(), &desired, &world);
    assert_eq!(ops(&plan), ["DeletePolicyVersion", "CreatePolicyVersion"]);
    assert_eq!(
        serde_json::to_value(&plan.changes[0].steps[0]).unwrap()["version"],
        "v7"
    );
    let after = run(&world, &plan).unwrap();
    assert_eq!(converged(&plan.changes[0], &after), Convergence::Converged);
    assert!(recheck(&plan, &world, &Deleted::new()).is_empty());
    let mut pruned_by_hand = world;
    pruned_by_hand
        .policies
        .get_mut("p")
        .unwrap()
        .versions
        .remove(0);
    assert_eq!(
        recheck(&plan, &pruned_by_hand, &Deleted::new()).len(),
        1,
        "pruning was chosen by the versions"
    );
}

#[test]
fn ownership_of_policies_decides_as_that_of_roles() {
    let changed = |adopt: bool| ManagedPolicy {
        document: allow("s3:*"),
        adopt,
        ..policy("P")
    };
    let foreign = LivePolicy {
        tags: Some(tags(&[(crate::resource::OWNER_TAG, "other")])),
        ..live_policy("P")
    };
    for (what, desired, there, expect_ops, expect_codes) in [
        (
            "nobody's",
            changed(false),
            live_policy("P"),
            vec![],
            vec!["adopt"],
        ),
        (
            "adopted",
            changed(true),
            live_policy("P"),
            vec!["TagPolicy", "CreatePolicyVersion"],
            vec![],
        ),
        (
            "adopted elsewhere",
            ManagedPolicy {
                path: Some(path("/x/")),
                ..changed(true)
            },
            live_policy("P"),
            vec![],
            vec!["adopt-path"],
        ),
        (
            "another's",
            changed(true),
            foreign,
            vec![],
            vec!["foreign-owner"],
        ),
    ] {
        let plan = plan(&settings(), &desire(&[], &[desired]), &live(&[], &[there]));
        assert_eq!(
            (ops(&plan), codes(&plan)),
            (
                expect_ops.iter().map(ToString::to_string).collect(),
                expect_codes
            ),
            "{what}"
        );
    }
}

#[test]
fn a_description_of_a_policy_is_cosmetic() {
    let there = LivePolicy {
        description: Some("old".into()),
        ..marked_policy(live_policy("P"))
    };
    let desired = desire(
        &[],
        &[ManagedPolicy {
            description: Some("new".into()),
            ..policy("P")
        }],
    );
    let plan = plan(&settings(), &desired, &live(&[], &[there]));
    assert!(plan.changes[0].cosmetic && plan.changes[0].steps.is_empty());
}

#[test]
fn a_policy_at_another_path_is_replaced_and_put_back_on_its_roles() {
    let holder = |name: &str| LiveRole {
        managed_policies: [local_arn("/", "P")].into(),
        ..marked(live_role(name))
    };
    let world = live(
        &[holder("Named"), holder("Unwritten")],
        &[marked_policy(live_policy("P"))],
    );
    let moved = ManagedPolicy {
        path: Some(path("/x/")),
        ..policy("P")
    };
    let desired = desire(
        &[
            Role {
                managed_policies: Some([local("P")].into()),
                ..role("Named")
            },
            role("Unwritten"),
        ],
        &[moved],
    );
    let first = plan(&settings(), &desired, &world);
    assert_eq!(codes(&first), ["unmanaged-permissions"]);
    assert_eq!(
        ops(&first),
        [
            "DetachRolePolicy",
            "DetachRolePolicy",
            "DeletePolicy",
            "CreatePolicy",
            "AttachRolePolicy",
            "AttachRolePolicy"
        ]
    );
    let after = run(&world, &first).unwrap();
    for name in ["named", "unwritten"] {
        assert_eq!(
            after.roles[name].managed_policies,
            [local_arn("/x/", "P")].into(),
            "{name}"
        );
    }
    assert!(
        first
            .changes
            .iter()
            .all(|change| converged(change, &after) == Convergence::Converged)
    );
    assert!(plan(&settings(), &desired, &after).changes.is_empty());
}

#[test]
fn a_policy_in_use_elsewhere_is_not_silently_replaced_or_deleted() {
    let elsewhere = LivePolicy {
        attachments: 1,
        ..marked_policy(live_policy("P"))
    };
    let boundary = LivePolicy {
        boundaries: 1,
        ..marked_policy(live_policy("P"))
    };
    let moved = desire(
        &[],
        &[ManagedPolicy {
            path: Some(path("/x/")),
            ..policy("P")
        }],
    );
    for there in [elsewhere, boundary] {
        let world = live(&[], &[there]);
        assert_eq!(codes(&plan(&settings(), &moved, &world)), ["policy-in-use"]);
        assert_eq!(
            codes(&plan_account(&pruning(), &account(A), None, &world, None)),
            ["policy-in-use"]
        );
    }
}

#[test]
fn a_pruned_policy_is_taken_off_our_roles_first() {
    let stored = PolicyVersion {
        id: "v0".into(),
        created: 0,
        is_default: false,
    };
    let mut gone = marked_policy(live_policy("P"));
    gone.versions.push(stored);
    let holder = |name: &str| LiveRole {
        managed_policies: [local_arn("/", "P")].into(),
        ..marked(live_role(name))
    };
    let world = live(&[holder("Kept"), holder("Gone")], &[gone]);
    let first = plan(&pruning(), &desire(&[role("Kept")], &[]), &world);
    assert_eq!(codes(&first), ["unmanaged-permissions"]);
    assert_eq!(
        ops(&first),
        [
            "DetachRolePolicy",
            "DetachRolePolicy",
            "DeleteRole",
            "DeletePolicyVersion",
            "DeletePolicy"
        ]
    );
    assert_eq!(
        first.changes[2].after,
        [format!("{A}/role/Gone"), format!("{A}/role/Kept")].into()
    );
    let after = run(&world, &first).unwrap();
    assert!(after.policies.is_empty() && after.roles["kept"].managed_policies.is_empty());
}

#[test]
fn a_policy_that_a_role_still_names_is_not_pruned() {
    let holder = LiveRole {
        managed_policies: [local_arn("/", "P")].into(),
        ..marked(live_role("X"))
    };
    let world = live(&[holder], &[marked_policy(live_policy("P"))]);
    let desired = desire(
        &[Role {
            managed_policies: Some([local("P")].into()),
            ..role("X")
        }],
        &[],
    );
    let plan = plan(&pruning(), &desired, &world);
    assert_eq!((plan.changes.len(), codes(&plan)), (0, vec!["orphan"]));
}
