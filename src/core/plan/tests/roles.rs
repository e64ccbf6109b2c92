//! Claims about roles.

use super::world::*;
use crate::desired::AccountDesired;
use crate::live::LiveAccount;
use crate::plan::*;
use crate::resource::OWNER_TAG;
use crate::resource::name::IamPath;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::{Ensure, LiveRole, Manage, Mode, Role, RoleDetails};

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

fn actions(plan: &AccountPlan) -> Vec<Action> {
    plan.changes.iter().map(|change| change.action).collect()
}

fn codes(plan: &AccountPlan) -> Vec<&str> {
    plan.findings
        .iter()
        .map(|finding| finding.code.as_str())
        .collect()
}

/// Plans one desired role against one live role.
#[track_caller]
fn one(desired: Role, live_role: LiveRole) -> AccountPlan {
    let (desired, live) = (desire(&[desired], &[]), live(&[live_role], &[]));
    let first = plan(&settings(), &desired, &live);
    let after = run(&live, &first).unwrap();
    if first
        .findings
        .iter()
        .all(|finding| finding.severity == Severity::Warn)
    {
        let again = plan(&settings(), &desired, &after);
        assert_eq!(ops(&again), Vec::<String>::new(), "a second plan writes");
    }
    first
}

/// What, how the desired and the live role depart from the plain ones, and the steps that follow.
type Case = (
    &'static str,
    fn(&mut Role),
    fn(&mut LiveRole),
    &'static [&'static str],
);

#[test]
fn a_first_plan_counts_every_object_as_one_step() {
    let mut wanted = role("X");
    wanted.managed_policies = Some([aws_ref("SecurityAudit"), aws_ref("ReadOnlyAccess")].into());
    wanted.inline_policies = Some([(policy_name("logs"), allow("s3:GetObject"))].into());
    wanted.tags = Some(tags(&[("team", "secops")]));
    wanted.description = Some("d".to_owned());
    let plan = plan(
        &settings(),
        &desire(&[wanted], &[]),
        &LiveAccount::default(),
    );
    assert_eq!(
        ops(&plan),
        [
            "CreateRole",
            "AttachRolePolicy",
            "AttachRolePolicy",
            "PutRolePolicy"
        ]
    );
    assert_eq!(actions(&plan), [Action::Create]);
    assert_eq!(plan.changes[0].address, "222222222222/role/X");
    let step = serde_json::to_value(&plan.changes[0].steps[0]).unwrap();
    assert_eq!(
        step["tags"],
        serde_json::json!({"team": "secops", OWNER_TAG: OURS})
    );
    assert_eq!(step["description"], "d");
}

#[test]
fn one_changed_attribute_is_one_step() {
    let base = || marked(live_role("X"));
    let described = |role: Role| Role {
        description: Some(String::new()),
        ..role
    };
    let cases: &[Case] = &[
        ("nothing", |_| {}, |_| {}, &[]),
        (
            "trust",
            |role| role.trust = trust(&["333333333333"]),
            |_| {},
            &["UpdateAssumeRolePolicy"],
        ),
        (
            "trust spelled as IAM does",
            |_| {},
            |live| live.trust = trust(&["arn:aws:iam::111111111111:root"]),
            &[],
        ),
        (
            "tags added",
            |role| role.tags = Some(tags(&[("a", "1")])),
            |_| {},
            &["TagRole"],
        ),
        (
            "others' tags stay",
            |_| {},
            |live| _ = live.tags.insert("b".into(), "2".into()),
            &[],
        ),
        (
            "a tag in another case",
            |role| role.tags = Some(tags(&[("TEAM", "1")])),
            |live| _ = live.tags.insert("team".into(), "1".into()),
            &[],
        ),
        (
            "duration",
            |role| role.max_session_duration = Some(7200),
            |_| {},
            &["UpdateRole"],
        ),
        (
            "description",
            |role| role.description = Some("new".into()),
            |_| {},
            &["UpdateRole"],
        ),
        (
            "an unwritten description",
            |role| role.description = None,
            |live| live.details.as_mut().unwrap().description = "x".into(),
            &[],
        ),
        (
            "attached by hand, exclusive",
            |role| role.managed_policies = Some([].into()),
            |live| _ = live.managed_policies.insert(aws("AdministratorAccess")),
            &["DetachRolePolicy"],
        ),
        (
            "attached by hand, not written",
            |_| {},
            |live| _ = live.managed_policies.insert(aws("AdministratorAccess")),
            &[],
        ),
        (
            "detached by hand",
            |role| role.managed_policies = Some([aws_ref("SecurityAudit")].into()),
            |_| {},
            &["AttachRolePolicy"],
        ),
        (
            "inline by hand, exclusive",
            |role| role.inline_policies = Some([].into()),
            |live| _ = live.inline_policies.insert(policy_name("x"), allow("s3:*")),
            &["DeleteRolePolicy"],
        ),
        (
            "a grant stays",
            |role| role.inline_policies = Some([].into()),
            |live| {
                _ = live.inline_policies.insert(
                    policy_name("rolecall-other-assume"),
                    allow("sts:AssumeRole"),
                );
            },
            &[],
        ),
        (
            "a boundary added",
            |role| role.permissions_boundary = Some(Some(aws_ref("PowerUserAccess"))),
            |_| {},
            &["PutRolePermissionsBoundary"],
        ),
        (
            "a boundary taken",
            |role| role.permissions_boundary = Some(None),
            |live| live.permissions_boundary = Some(aws("PowerUserAccess")),
            &["DeleteRolePermissionsBoundary"],
        ),
        (
            "an unwritten boundary",
            |_| {},
            |live| live.permissions_boundary = Some(aws("PowerUserAccess")),
            &[],
        ),
        (
            "an unwritten path",
            |_| {},
            |live| live.path = crate::resource::name::IamPath::parse("/x/").unwrap(),
            &[],
        ),
    ];
    for (what, desired, live, expect) in cases {
        let (mut wanted, mut there) = (described(role("X")), base());
        desired(&mut wanted);
        live(&mut there);
        assert_eq!(ops(&one(wanted, there)), *expect, "{what}");
    }
}

#[test]
fn update_role_carries_both_fields() {
    let mut there = marked(live_role("X"));
    there.details = Some(RoleDetails {
        description: "kept".into(),
        max_session_duration: 7200,
    });
    let plan = one(
        Role {
            max_session_duration: Some(3600),
            ..role("X")
        },
        there,
    );
    let step = serde_json::to_value(&plan.changes[0].steps[0]).unwrap();
    assert_eq!(
        (
            step["description"].as_str(),
            step["max_session_duration"].as_u64()
        ),
        (Some("kept"), Some(3600))
    );
}

#[test]
fn details_that_were_not_read_stop_the_change() {
    let there = LiveRole {
        details: None,
        ..marked(live_role("X"))
    };
    let plan = one(
        Role {
            description: Some("d".into()),
            ..role("X")
        },
        there,
    );
    assert_eq!((codes(&plan), plan.changes.len()), (vec!["unread"], 0));
}

#[test]
fn additive_management_leaves_what_others_added() {
    let all = Manage {
        trust: Mode::Additive,
        managed_policies: Mode::Additive,
        inline_policies: Mode::Additive,
        tags: Mode::Additive,
    };
    let mut there = marked(live_role("X"));
    there.trust = trust(&["111111111111", "444444444444"]);
    there.managed_policies = [aws("ReadOnlyAccess")].into();
    there.inline_policies = [(policy_name("x"), allow("s3:*"))].into();
    let mut wanted = Role {
        manage: all,
        ..role("X")
    };
    wanted.managed_policies = Some([].into());
    wanted.inline_policies = Some([].into());
    assert_eq!(
        ops(&one(wanted.clone(), there.clone())),
        Vec::<String>::new()
    );
    wanted.trust = trust(&["333333333333"]);
    let plan = one(wanted, there.clone());
    assert_eq!(ops(&plan), ["UpdateAssumeRolePolicy"]);
    let after = run(&live(&[there], &[]), &plan).unwrap();
    assert_eq!(after.roles["x"].trust.aws_principals().len(), 3);
}

#[test]
fn additive_trust_is_not_written_with_dead_principals() {
    let dead = "AROA00000000000000GONE";
    let mut there = marked(live_role("X"));
    there.trust = trust(&["444444444444", dead]);
    let manage = Manage {
        trust: Mode::Additive,
        ..Manage::default()
    };
    let plan = one(
        Role {
            manage,
            ..role("X")
        },
        there,
    );
    assert_eq!(
        (ops(&plan), codes(&plan)),
        (
            vec!["UpdateAssumeRolePolicy".to_owned()],
            vec!["dead-principal", "trust-widened"]
        )
    );
}

#[test]
fn exclusive_tags_remove_others_but_never_aws_own() {
    let mut there = marked(live_role("X"));
    there
        .tags
        .extend(tags(&[("aws:x", "1"), ("other", "1"), ("Team", "old")]));
    let manage = Manage {
        tags: Mode::Exclusive,
        ..Manage::default()
    };
    let plan = one(
        Role {
            manage,
            tags: Some(tags(&[("team", "new")])),
            ..role("X")
        },
        there.clone(),
    );
    assert_eq!(ops(&plan), ["TagRole", "UntagRole"]);
    let after = run(&live(&[there], &[]), &plan).unwrap();
    assert_eq!(
        after.roles["x"].tags,
        tags(&[("aws:x", "1"), ("Team", "new"), (OWNER_TAG, OURS)])
    );
}

#[test]
fn attach_comes_before_detach_unless_the_quota_has_no_room() {
    let names = |from: usize, to: usize| (from..to).map(|n| format!("P{n}")).collect::<Vec<_>>();
    for (there, first) in [(9, "AttachRolePolicy"), (10, "DetachRolePolicy")] {
        let mut live = marked(live_role("X"));
        live.managed_policies = names(0, there).iter().map(|name| aws(name)).collect();
        let wanted = Role {
            managed_policies: Some(names(1, there + 1).iter().map(|n| aws_ref(n)).collect()),
            ..role("X")
        };
        assert_eq!(ops(&one(wanted, live))[0], first, "{there}");
    }
}

#[test]
fn put_comes_before_delete_unless_the_quota_has_no_room() {
    let long = |size: usize| {
        allow_on(
            "s3:GetObject",
            &format!("arn:aws:s3:::{}", "x".repeat(size)),
        )
    };
    for (size, first) in [(100, "PutRolePolicy"), (9000, "DeleteRolePolicy")] {
        let mut live = marked(live_role("X"));
        live.inline_policies = [(policy_name("old"), long(size))].into();
        let wanted = Role {
            inline_policies: Some([(policy_name("new"), long(size))].into()),
            ..role("X")
        };
        assert_eq!(ops(&one(wanted, live))[0], first, "{size}");
    }
}

#[test]
fn an_eleventh_policy_is_a_quota_finding_with_the_numbers() {
    let wanted = Role {
        managed_policies: Some((0..11).map(|n| aws_ref(&format!("P{n}"))).collect()),
        ..role("CortexPlatformRole")
    };
    let plan = plan(
        &settings(),
        &desire(&[wanted], &[]),
        &LiveAccount::default(),
    );
    let message = &plan
        .findings
        .iter()
        .find(|finding| finding.code == "quota")
        .unwrap()
        .message;
    for part in ["11", "10", "managed policies", "CortexPlatformRole"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn a_quota_that_was_raised_is_no_finding() {
    let wanted = Role {
        managed_policies: Some((0..11).map(|n| aws_ref(&format!("P{n}"))).collect()),
        ..role("X")
    };
    let desired = desire(&[wanted], &[]);
    let mut live = LiveAccount::default();
    assert!(needs(&settings(), &account(A), Some(&desired), &live, None).quotas);
    live.quotas = Some(crate::live::Quotas {
        attached_policies_per_role: 20,
        ..Default::default()
    });
    assert!(codes(&plan(&settings(), &desired, &live)).is_empty());
    assert!(!needs(&settings(), &account(A), Some(&desired), &live, None).quotas);
}

#[test]
fn ownership_decides_what_is_planned() {
    let owned_by = |name: &str| LiveRole {
        tags: tags(&[(OWNER_TAG, name)]),
        ..live_role("X")
    };
    let wanted = || Role {
        trust: trust(&["333333333333"]),
        ..role("X")
    };
    let stack = LiveRole {
        tags: tags(&[(OWNER_TAG, OURS), ("aws:cloudformation:stack-name", "s")]),
        ..live_role("X")
    };
    for (what, settings, desired, there, expect_actions, expect_codes) in [
        (
            "ours",
            settings(),
            wanted(),
            owned_by(OURS),
            vec![Action::Update],
            vec!["trust-widened"],
        ),
        (
            "unmarked",
            settings(),
            wanted(),
            live_role("X"),
            vec![],
            vec!["adopt"],
        ),
        (
            "unmarked, allowed",
            allowing(&["adopt"]),
            wanted(),
            live_role("X"),
            vec![Action::Adopt],
            vec!["trust-widened"],
        ),
        (
            "unmarked, adopt",
            settings(),
            Role {
                adopt: true,
                ..wanted()
            },
            live_role("X"),
            vec![Action::Adopt],
            vec!["trust-widened"],
        ),
        (
            "foreign",
            allowing(&["foreign-owner"]),
            Role {
                adopt: true,
                ..wanted()
            },
            owned_by("other"),
            vec![],
            vec!["foreign-owner"],
        ),
        (
            "stack",
            settings(),
            wanted(),
            stack,
            vec![Action::Update],
            vec!["stack-owned", "trust-widened"],
        ),
    ] {
        let plan = plan(&settings, &desire(&[desired], &[]), &live(&[there], &[]));
        assert_eq!(
            (actions(&plan), codes(&plan)),
            (expect_actions, expect_codes),
            "{what}"
        );
    }
}

#[test]
fn adoption_marks_first_and_never_replaces() {
    let wanted = Role {
        adopt: true,
        trust: trust(&["333333333333"]),
        ..role("X")
    };
    assert_eq!(
        ops(&one(wanted.clone(), live_role("X"))),
        ["TagRole", "UpdateAssumeRolePolicy"]
    );
    let moved = Role {
        path: Some(crate::resource::name::IamPath::parse("/x/").unwrap()),
        ..wanted
    };
    let plan = one(moved, live_role("X"));
    assert_eq!((plan.changes.len(), codes(&plan)), (0, vec!["adopt-path"]));
}

#[test]
fn protected_roles_are_never_written() {
    let mut settings = allowing(&["protected-role"]);
    settings.protected = [(id(A), "auditaccess".to_owned())].into();
    for name in [
        "AuditAccess",
        "OrganizationAccountAccessRole",
        "AWSServiceRoleForSupport",
        "stacksets-exec-1",
    ] {
        for there in [vec![], vec![marked(live_role(name))]] {
            let wanted = Role {
                trust: trust(&["333333333333"]),
                ..role(name)
            };
            let plan = plan(&settings, &desire(&[wanted], &[]), &live(&there, &[]));
            assert_eq!(
                (plan.changes.len(), codes(&plan)),
                (0, vec!["protected-role"]),
                "{name}"
            );
        }
    }
    let pruning = Settings {
        extras: Extras::Remove,
        ..settings
    };
    let plan = plan(
        &pruning,
        &desire(&[], &[]),
        &live(&[marked(live_role("AuditAccess"))], &[]),
    );
    assert_eq!(
        (plan.changes.len(), codes(&plan)),
        (0, vec!["protected-role"])
    );
}

#[test]
fn what_left_the_desired_state_stays_until_it_is_pruned() {
    let mut there = marked(live_role("X"));
    there.managed_policies = [aws("SecurityAudit")].into();
    there.inline_policies = [(policy_name("p"), allow("s3:*"))].into();
    there.instance_profiles = ["x".to_owned()].into();
    let world = live(&[there, live_role("Y")], &[]);
    let kept = plan_account(&settings(), &account(A), None, &world, None);
    assert_eq!(
        (kept.changes.len(), codes(&kept), kept.orphans),
        (0, vec!["orphan"], 1)
    );
    let pruned = plan_account(&pruning(), &account(A), None, &world, None);
    assert_eq!(
        ops(&pruned),
        [
            "RemoveRoleFromInstanceProfile",
            "DetachRolePolicy",
            "DeleteRolePolicy",
            "DeleteRole"
        ]
    );
    assert_eq!(
        run(&world, &pruned)
            .unwrap()
            .roles
            .keys()
            .collect::<Vec<_>>(),
        ["y"]
    );
}

#[test]
fn a_role_that_goes_where_another_comes_may_have_been_renamed() {
    let world = live(&[marked(live_role("X"))], &[]);
    for (desired, said) in [(desire(&[role("Y")], &[]), true), (desire(&[], &[]), false)] {
        let kept = plan(&settings(), &desired, &world);
        assert_eq!(kept.findings[0].message.contains("cannot rename"), said);
        let pruned = plan(&pruning(), &desired, &world);
        let gone = pruned
            .changes
            .iter()
            .find(|change| change.address.ends_with("/X"))
            .unwrap();
        assert_eq!(gone.reason.contains("cannot rename"), said);
    }
}

#[test]
fn what_is_out_of_scope_is_no_orphan() {
    let settings = Settings {
        roles: vec!["Y*".to_owned()],
        ..pruning()
    };
    let plan = plan(
        &settings,
        &desire(&[role("X"), role("Y1")], &[]),
        &live(&[marked(live_role("Z"))], &[]),
    );
    assert_eq!(
        plan.changes
            .iter()
            .map(|change| change.address.as_str())
            .collect::<Vec<_>>(),
        ["222222222222/role/Y1"]
    );
    assert_eq!((plan.owned, plan.orphans, plan.desired), (0, 0, 1));
}

#[test]
fn absent_deletes_only_what_is_ours() {
    let gone = || Role {
        ensure: Ensure::Absent,
        adopt: true,
        ..role("X")
    };
    for (what, there, expect_ops, expect_codes) in [
        (
            "ours",
            Some(marked(live_role("X"))),
            vec!["DeleteRole"],
            vec![],
        ),
        ("nobody's", Some(live_role("X")), vec![], vec!["adopt"]),
        (
            "another's",
            Some(LiveRole {
                tags: tags(&[(OWNER_TAG, "other")]),
                ..live_role("X")
            }),
            vec![],
            vec!["foreign-owner"],
        ),
        ("gone", None, vec![], vec![]),
    ] {
        let there: Vec<LiveRole> = there.into_iter().collect();
        let plan = plan(&settings(), &desire(&[gone()], &[]), &live(&there, &[]));
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
fn an_external_role_is_compared_and_never_written() {
    let wanted = Role {
        external: true,
        trust: trust(&["333333333333"]),
        ..role("X")
    };
    let differs = one(wanted.clone(), live_role("X"));
    assert_eq!(
        (differs.changes.len(), codes(&differs)),
        (0, vec!["external"])
    );
    assert!(
        differs.findings[0].message.contains("trust policy"),
        "{}",
        differs.findings[0].message
    );
    let same = one(
        Role {
            trust: trust(&["111111111111"]),
            ..wanted
        },
        live_role("X"),
    );
    assert_eq!((codes(&same), same.unchanged), (vec![], 1));
}

#[test]
fn a_path_that_differs_replaces_and_rebuilds_the_whole_role() {
    let mut there = marked(live_role("X"));
    there.managed_policies = [aws("SecurityAudit")].into();
    there.inline_policies = [(policy_name("p"), allow("s3:*"))].into();
    there.tags.insert("other".into(), "1".into());
    let wanted = Role {
        path: Some(crate::resource::name::IamPath::parse("/x/").unwrap()),
        prevent_destroy: true,
        ..role("X")
    };
    let world = live(&[there], &[]);
    let plan = plan(&settings(), &desire(&[wanted], &[]), &world);
    assert_eq!(actions(&plan), [Action::Replace]);
    assert_eq!(
        ops(&plan),
        [
            "DetachRolePolicy",
            "DeleteRolePolicy",
            "DeleteRole",
            "CreateRole",
            "AttachRolePolicy",
            "PutRolePolicy"
        ]
    );
    assert_eq!(
        codes(&plan),
        ["unmanaged-permissions", "prevent-destroy", "replace"]
    );
    let after = run(&world, &plan).unwrap();
    assert_eq!(after.roles["x"].arn, "arn:aws:iam::222222222222:role/x/X");
    assert_eq!(after.roles["x"].tags["other"], "1");
    assert_eq!(converged(&plan.changes[0], &after), Convergence::Converged);
}

#[test]
fn cosmetic_differences_have_no_steps_and_are_no_update() {
    let statement = |sid: &str, operator: &str| {
        trust_of(
            &serde_json::json!({"Version": "2012-10-17", "Statement": [{"Sid": sid, "Effect": "Allow",
            "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole",
            "Condition": {operator: {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/x"}}}]}),
        )
    };
    let there = LiveRole {
        trust: statement("Old", "ArnLike"),
        ..marked(live_role("X"))
    };
    let plan = one(
        Role {
            trust: statement("New", "ArnEquals"),
            ..role("X")
        },
        there,
    );
    assert!(plan.changes[0].cosmetic && plan.changes[0].diffs.iter().all(|diff| diff.cosmetic));
    let plan = build(header(), &settings(), vec![plan]);
    assert_eq!(
        (
            plan.summary.cosmetic,
            plan.summary.update,
            plan.summary.steps
        ),
        (1, 0, 0)
    );
}

#[test]
fn a_dead_principal_is_bound_again() {
    let dead = "AROA00000000000000GONE";
    let there = LiveRole {
        trust: trust(&[dead]),
        ..marked(live_role("X"))
    };
    let plan = one(role("X"), there);
    assert_eq!(
        (ops(&plan), codes(&plan)),
        (
            vec!["UpdateAssumeRolePolicy".to_owned()],
            vec!["dead-principal", "trust-widened"]
        )
    );
}

#[test]
fn a_unique_id_of_a_live_role_is_its_arn() {
    let other = marked(live_role("Other"));
    let arn = other.arn.clone();
    for (wanted, there) in [
        (arn.as_str(), other.id.as_str()),
        (other.id.as_str(), arn.as_str()),
    ] {
        let there = LiveRole {
            trust: trust(&[there]),
            ..marked(live_role("X"))
        };
        let desired = desire(
            &[
                Role {
                    trust: trust(&[wanted]),
                    ..role("X")
                },
                role("Other"),
            ],
            &[],
        );
        let plan = plan(&settings(), &desired, &live(&[there, other.clone()], &[]));
        assert_eq!((plan.changes.len(), codes(&plan)), (0, vec![]));
    }
}

#[test]
fn a_policy_that_does_not_exist_is_named() {
    let wanted = Role {
        managed_policies: Some([aws_ref("SecurityAudits"), local("Missing")].into()),
        ..role("X")
    };
    let desired = desire(&[wanted], &[]);
    let mut live = LiveAccount::default();
    let arns = [aws("SecurityAudits"), local_arn("/", "Missing")];
    assert_eq!(
        needs(&settings(), &account(A), Some(&desired), &live, None).managed_policies,
        arns.clone().into()
    );
    live.known_policies = arns.clone().into_iter().map(|arn| (arn, false)).collect();
    let plan = plan(&settings(), &desired, &live);
    assert_eq!(codes(&plan), ["missing-policy", "missing-policy"]);
    for arn in &arns {
        let finding = plan
            .findings
            .iter()
            .find(|finding| finding.message.contains(arn.as_str()))
            .unwrap();
        for part in [arn.as_str(), "does not exist", "`X`", A] {
            assert!(finding.message.contains(part), "{}", finding.message);
        }
    }
}

#[test]
fn a_role_comes_after_the_role_it_trusts() {
    let names = |name: &str| format!("arn:aws:iam::{A}:role/{name}");
    let wanted = [
        Role {
            trust: trust(&[&names("B")]),
            ..role("A")
        },
        Role {
            trust: trust(&[&names("C")]),
            ..role("B")
        },
        role("C"),
    ];
    let plan = plan(&settings(), &desire(&wanted, &[]), &LiveAccount::default());
    let order: Vec<&str> = plan
        .changes
        .iter()
        .map(|change| change.address.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(order, ["C", "B", "A"]);
    assert_eq!(plan.changes[2].after, [format!("{A}/role/B")].into());
}

#[test]
fn roles_that_trust_each_other_or_themselves_are_created_in_two_passes() {
    let names = |name: &str| format!("arn:aws:iam::{A}:role/{name}");
    for wanted in [
        vec![Role {
            trust: trust(&[&names("A")]),
            ..role("A")
        }],
        vec![
            Role {
                trust: trust(&[&names("B")]),
                ..role("A")
            },
            Role {
                trust: trust(&[&names("A")]),
                ..role("B")
            },
        ],
        vec![
            Role {
                trust: trust(&[&names("B"), &names("C")]),
                ..role("A")
            },
            Role {
                trust: trust(&[&names("C")]),
                ..role("B")
            },
            Role {
                trust: trust(&[&names("A")]),
                ..role("C")
            },
            Role {
                trust: trust(&[&names("A")]),
                ..role("D")
            },
        ],
    ] {
        let desired = desire(&wanted, &[]);
        let first = plan(&settings(), &desired, &LiveAccount::default());
        let after = run(&LiveAccount::default(), &first).unwrap();
        assert_eq!(
            ops(&plan(&settings(), &desired, &after)),
            Vec::<String>::new()
        );
        assert_eq!(ops(&first).len(), wanted.len() + 1);
        for (index, change) in first.changes.iter().enumerate() {
            assert_eq!(converged(change, &after), Convergence::Converged);
            let earlier: Vec<&String> = first.changes[..index]
                .iter()
                .map(|change| &change.address)
                .collect();
            assert!(
                change
                    .after
                    .iter()
                    .all(|address| earlier.contains(&address)),
                "{:?}",
                change.after
            );
        }
    }
}

/// What somebody else does to a role between plan and apply.
type Touch = (&'static str, fn(&mut LiveRole));

const TOUCHES: &[Touch] = &[
    ("id", |role| role.id = "AROA1".into()),
    ("spelling", |role| {
        role.trust = trust(&["arn:aws:iam::111111111111:root"]);
    }),
    ("system tag", |role| {
        _ = role.tags.insert("aws:x".into(), "1".into());
    }),
    ("foreign tag", |role| {
        _ = role.tags.insert("Auto".into(), "1".into());
    }),
    ("own tag", |role| {
        _ = role.tags.insert("Team".into(), "b".into());
    }),
    ("mark", |role| role.tags.clear()),
    ("trust", |role| role.trust = trust(&["444444444444"])),
    ("foreign statement", |role| {
        role.trust = trust(&["111111111111", "444444444444"]);
    }),
    ("attachment", |role| {
        _ = role.managed_policies.insert(aws("X"));
    }),
    ("inline policy", |role| {
        _ = role.inline_policies.insert(policy_name("p"), allow("s3:*"));
    }),
    ("boundary", |role| {
        role.permissions_boundary = Some(aws("X"));
    }),
    ("description", |role| {
        role.details.as_mut().unwrap().description = "x".into();
    }),
    ("duration", |role| {
        role.details.as_mut().unwrap().max_session_duration = 7200;
    }),
    ("instance profile", |role| {
        _ = role.instance_profiles.insert("x".into());
    }),
];

/// The touches that make the plan of `wanted` stale.
fn stale(wanted: &Role, settings: &Settings) -> Vec<&'static str> {
    let mut there = marked(live_role("X"));
    there.tags.insert("team".into(), "a".into());
    let world = live(std::slice::from_ref(&there), &[]);
    let desired = match wanted.name.as_str() {
        "X" => desire(std::slice::from_ref(wanted), &[]),
        _ => AccountDesired::default(),
    };
    let plan = plan(settings, &desired, &world);
    assert!(plan.changes.iter().any(|change| !change.steps.is_empty()));
    assert!(recheck(&plan, &world, &Deleted::new()).is_empty());
    let nothing = LiveAccount::default();
    assert!(
        !recheck(&plan, &nothing, &Deleted::new()).is_empty(),
        "gone"
    );
    let is_stale = |touch: &&Touch| {
        let mut now = there.clone();
        touch.1(&mut now);
        !recheck(&plan, &live(&[now], &[]), &Deleted::new()).is_empty()
    };
    TOUCHES
        .iter()
        .filter(is_stale)
        .map(|(what, _)| *what)
        .collect()
}

#[test]
fn a_change_is_stale_for_what_is_managed_and_for_nothing_else() {
    let tagged = |pairs| Role {
        tags: Some(tags(pairs)),
        ..role("X")
    };
    let minimal = tagged(&[("team", "c")]);
    assert_eq!(
        stale(&minimal, &settings()),
        ["own tag", "mark", "trust", "foreign statement"]
    );
    // One call writes description and duration.
    let described = Role {
        description: Some("d".into()),
        ..role("X")
    };
    assert_eq!(
        stale(&described, &settings()),
        [
            "mark",
            "trust",
            "foreign statement",
            "description",
            "duration"
        ]
    );
    let exclusive = Role {
        managed_policies: Some([aws_ref("ReadOnlyAccess")].into()),
        inline_policies: Some([].into()),
        permissions_boundary: Some(None),
        manage: Manage {
            tags: Mode::Exclusive,
            ..Manage::default()
        },
        ..tagged(&[("team", "a")])
    };
    assert_eq!(
        stale(&exclusive, &settings()),
        [
            "foreign tag",
            "own tag",
            "mark",
            "trust",
            "foreign statement",
            "attachment",
            "inline policy",
            "boundary"
        ]
    );
    let additive = Role {
        manage: Manage {
            trust: Mode::Additive,
            managed_policies: Mode::Additive,
            inline_policies: Mode::Additive,
            tags: Mode::Additive,
        },
        permissions_boundary: None,
        inline_policies: Some([(policy_name("ours"), allow("s3:GetObject"))].into()),
        ..exclusive.clone()
    };
    assert_eq!(stale(&additive, &settings()), ["own tag", "mark", "trust"]);
    // Its trust is written as a whole, with what others have there.
    let opened = Role {
        trust: trust(&["333333333333"]),
        ..additive
    };
    assert_eq!(
        stale(&opened, &settings()),
        ["own tag", "mark", "trust", "foreign statement"]
    );
}

#[test]
fn what_is_deleted_or_made_again_is_stale_for_all_that_would_be_lost() {
    let moved = Role {
        path: Some(IamPath::parse("/x/").unwrap()),
        ..role("X")
    };
    let whole = [
        "trust",
        "foreign statement",
        "attachment",
        "inline policy",
        "boundary",
    ];
    let tagged = ["foreign tag", "own tag", "mark"];
    let profile = ["instance profile"];
    assert_eq!(
        stale(&moved, &settings()),
        [&tagged[..], &whole, &profile].concat()
    );
    assert_eq!(
        stale(&role("Other"), &pruning()),
        [&["mark"][..], &whole, &profile].concat()
    );
}

#[test]
fn sensitive_values_show_nowhere_and_neither_does_what_stood_in_their_place() {
    let with = |external_id: &str| {
        trust_of(
            &serde_json::json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111111111111"},
            "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": external_id}}}]}),
        )
    };
    let mut settings = settings();
    settings.secrets.insert("new\"secret");
    let there = LiveRole {
        trust: with("old-secret"),
        ..marked(live_role("X"))
    };
    let wanted = Role {
        trust: with("new\"secret"),
        ..role("X")
    };
    let plan = build(
        header(),
        &settings,
        vec![plan(
            &settings,
            &desire(&[wanted], &[]),
            &live(&[there], &[]),
        )],
    );
    let shown = plan.shown(&settings.secrets).to_string();
    assert!(shown.contains("(sensitive)"));
    for secret in [
        "old-secret",
        "new\"secret",
        "new\\\"secret",
        "new\\\\\\\"secret",
    ] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    let saved = save(&plan, &settings.secrets, "salt", None).unwrap();
    assert!(
        !String::from_utf8(saved.clone())
            .unwrap()
            .contains("secret\\")
    );
    assert_eq!(load(&saved, &settings.secrets).unwrap(), plan);
    let mut other = crate::resource::secret::Secrets::default();
    other.insert("wrong");
    assert!(matches!(load(&saved, &other), Err(LoadError::Secret)));
}

pub fn header() -> Header {
    Header {
        organization_id: "o-x".into(),
        created_at: "2026-01-01T00:00:00Z".into(),
        desired_digest: "sha256:0".into(),
        scope: Scope::default(),
    }
}

#[test]
fn an_inline_policy_that_is_renamed_or_split_widens_nothing() {
    let policies = |policies: &[(&str, &str)]| -> BTreeMap<PolicyName, PolicyDocument> {
        let policies = policies.iter();
        policies
            .map(|(name, action)| (policy_name(name), allow(action)))
            .collect()
    };
    let widens = |before: &[(&str, &str)], after: &[(&str, &str)]| {
        let live = live(
            &[LiveRole {
                inline_policies: policies(before),
                ..marked(live_role("R"))
            }],
            &[],
        );
        let desired = Role {
            inline_policies: Some(policies(after)),
            ..role("R")
        };
        let desired = desire(&[desired], &[]);
        let part = plan_account(&settings(), &account(A), Some(&desired), &live, None);
        let diffs = part.changes.iter().flat_map(|change| &change.diffs);
        let documents = diffs.flat_map(|diff| &diff.documents);
        documents
            .flat_map(|document| &document.statements)
            .any(|statement| statement.widens)
    };
    assert!(!widens(&[("old", "s3:Get*")], &[("new", "s3:Get*")]));
    assert!(!widens(
        &[("old", "s3:*")],
        &[("a", "s3:Get*"), ("b", "s3:Put*")]
    ));
    assert!(widens(&[("old", "s3:Get*")], &[("new", "s3:*")]));
    // What stays may be taken away by somebody else.
    assert!(widens(
        &[("own", "s3:*")],
        &[("own", "s3:*"), ("new", "s3:Get*")]
    ));
}
