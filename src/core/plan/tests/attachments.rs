//! Claims about attachments: exactly one policy of a role of somebody else is managed.

use std::collections::BTreeSet;

use super::world::*;
use crate::desired::AccountDesired;
use crate::live::LiveAccount;
use crate::plan::*;
use crate::resource::Origin;
use crate::resource::attachment::{Attachment, AttachmentId, Item};
use crate::resource::managed_policy::{LivePolicy, ManagedPolicy};
use crate::resource::name::{IamPath, PolicyName, RoleName};
use crate::resource::policy::PolicyDocument;
use crate::resource::role::LiveRole;
use crate::resource::secret::Secrets;

fn attachment(role: &str, policy: Item, document: Option<PolicyDocument>) -> Attachment {
    Attachment {
        id: AttachmentId {
            role: RoleName::parse(role).unwrap(),
            policy,
        },
        document,
        arn: None,
        origin: Origin {
            file: "rolecall.toml".to_owned(),
            line: 7,
        },
    }
}

fn logs() -> PolicyName {
    PolicyName::of_attachment(OURS, "logs").unwrap()
}

fn inline(role: &str, document: PolicyDocument) -> Attachment {
    attachment(role, Item::Inline(logs()), Some(document))
}

fn managed(role: &str, policy: &str) -> Attachment {
    attachment(role, Item::Managed(policy_name(policy)), None)
}

fn attaching(attachments: &[Attachment], policies: &[ManagedPolicy]) -> AccountDesired {
    let mut desired = desire(&[], policies);
    desired.attachments = attachments
        .iter()
        .map(|one| (one.id.key(), one.clone().into()))
        .collect();
    desired
}

/// A role of somebody else with policies of its own.
fn platform() -> LiveRole {
    let mut role = live_role("Platform");
    role.managed_policies.insert(aws("ReadOnlyAccess"));
    role.inline_policies
        .insert(policy_name("own"), allow("sqs:*"));
    role
}

fn ours(name: &str) -> LivePolicy {
    marked_policy(live_policy(name))
}

fn steps(plan: &AccountPlan) -> Vec<String> {
    let name = |step: &_| {
        let value = serde_json::to_value(step).unwrap();
        value["op"].as_str().unwrap().to_owned()
    };
    let steps = plan.changes.iter().flat_map(|change| &change.steps);
    steps.map(name).collect()
}

fn codes(plan: &AccountPlan) -> Vec<&str> {
    plan.findings
        .iter()
        .map(|found| found.code.as_str())
        .collect()
}

fn planned(settings: &Settings, desired: &AccountDesired, live: &LiveAccount) -> AccountPlan {
    plan_account(settings, &account(A), Some(desired), live, None)
}

/// Plans, runs and plans again, which must find nothing; gives the first plan and what there is after it.
#[track_caller]
fn converges(
    settings: &Settings,
    desired: &AccountDesired,
    live: &LiveAccount,
) -> (AccountPlan, LiveAccount) {
    let plan = planned(settings, desired, live);
    assert_eq!(recheck(&plan, live, &Deleted::new()), BTreeSet::new());
    let after = run(live, &plan).unwrap();
    for change in plan.changes.iter().filter(|change| !change.cosmetic) {
        let seen = converged(change, &after);
        assert_eq!(seen, Convergence::Converged, "{}", change.address);
    }
    assert_eq!(
        steps(&planned(settings, desired, &after)),
        Vec::<String>::new()
    );
    (plan, after)
}

/// What is remembered of these addresses.
fn remembered(live: &LiveAccount, addresses: &[&str]) -> Memory {
    let resources = addresses.iter().map(|address| {
        let address = format!("{A}/{address}");
        let converged = remember(&address, live, "salt", &Secrets::default()).unwrap();
        (address, converged)
    });
    Memory {
        salt: "salt".to_owned(),
        resources: resources.collect(),
        since: Since::Before,
        records: Records::Some,
        begun: BTreeSet::new(),
        rolled_back: std::collections::BTreeMap::new(),
    }
}

#[test]
fn exactly_what_is_attached_is_written_and_the_rest_of_the_role_stays() {
    let document = policy("Reader");
    let desired = attaching(
        &[
            managed("platform", "Reader"),
            inline("Platform", allow("logs:Get*")),
        ],
        &[document],
    );
    let (plan, after) = converges(&settings(), &desired, &live(&[platform()], &[]));
    assert_eq!(
        steps(&plan),
        ["CreatePolicy", "PutRolePolicy", "AttachRolePolicy"]
    );
    let addresses: Vec<&str> = plan
        .changes
        .iter()
        .map(|change| change.address.as_str())
        .collect();
    assert_eq!(
        addresses,
        [
            "222222222222/policy/Reader",
            "222222222222/attachment/Platform/inline/rolecall-vendor-roles.logs",
            "222222222222/attachment/Platform/managed/Reader",
        ]
    );
    assert!(
        plan.changes
            .iter()
            .all(|change| change.action == Action::Create)
    );
    let role = &after.roles["platform"];
    assert_eq!(
        role.managed_policies,
        [aws("ReadOnlyAccess"), local_arn("/", "Reader")].into()
    );
    assert_eq!(role.inline_policies.len(), 2);
    assert_eq!(role.tags, platform().tags, "it bears no mark");
    assert_eq!((plan.unchanged, plan.desired), (0, 3));
}

#[test]
fn what_was_changed_by_hand_is_put_back_and_a_spelling_is_cosmetic() {
    let desired = attaching(&[inline("Platform", allow("logs:Get*"))], &[]);
    let with = |document: PolicyDocument| {
        let mut role = platform();
        role.inline_policies.insert(logs(), document);
        live(&[role], &[])
    };
    let (plan, _) = converges(&settings(), &desired, &with(allow("logs:*")));
    assert_eq!(
        (steps(&plan).as_slice(), plan.changes[0].action),
        (["PutRolePolicy".to_owned()].as_slice(), Action::Update)
    );
    assert_eq!(plan.changes[0].diffs[0].attribute, Attribute::Document);
    let spelled = r#"{"Version":"2012-10-17","Statement":[{"Sid":"x","Effect":"Allow","Action":"logs:Get*","Resource":"*"}]}"#;
    let spelled = PolicyDocument::live(
        spelled,
        crate::resource::policy::PolicyKind::Identity,
        &partition(),
    );
    let (plan, _) = converges(&settings(), &desired, &with(spelled));
    assert!(plan.changes[0].cosmetic && steps(&plan).is_empty());
    let was = with(allow("logs:Get*"));
    let (plan, _) = converges(&settings(), &desired, &was);
    assert_eq!((plan.changes.len(), plan.unchanged, plan.owned), (0, 1, 1));
    // Drift is blamed on the hand.
    let memory = remembered(
        &was,
        &["attachment/Platform/inline/rolecall-vendor-roles.logs"],
    );
    let now = with(allow("logs:*"));
    let plan = plan_account(
        &settings(),
        &account(A),
        Some(&desired),
        &now,
        Some(&memory),
    );
    assert_eq!(plan.changes[0].cause, Cause::Drift);
}

#[test]
fn a_role_that_is_not_there_is_protected_or_goes_is_not_attached_to() {
    let desired = attaching(&[inline("Platform", allow("s3:Get*"))], &[]);
    let plan = planned(&settings(), &desired, &live(&[], &[]));
    assert_eq!(
        (codes(&plan), steps(&plan)),
        (vec!["attachment-role"], vec![])
    );
    assert!(plan.findings[0].message.contains("rolecall.toml:7"));
    let mut protected = settings();
    protected.protected.insert((id(A), "platform".to_owned()));
    let plan = planned(&protected, &desired, &live(&[platform()], &[]));
    assert_eq!(
        (codes(&plan), steps(&plan)),
        (vec!["protected-role"], vec![])
    );
    let plan = planned(&pruning(), &desired, &live(&[marked(platform())], &[]));
    assert!(
        codes(&plan).contains(&"attachment-role"),
        "{:?}",
        plan.findings
    );
}

#[test]
fn what_is_no_longer_desired_is_an_orphan_and_pruned() {
    let (_, after) = converges(
        &settings(),
        &attaching(
            &[
                managed("Platform", "Reader"),
                inline("Platform", allow("s3:Get*")),
            ],
            &[policy("Reader")],
        ),
        &live(&[platform()], &[]),
    );
    let memory = remembered(
        &after,
        &[
            "attachment/Platform/inline/rolecall-vendor-roles.logs",
            "attachment/Platform/managed/Reader",
            "policy/Reader",
        ],
    );
    let nothing = AccountDesired::default();
    let kept = plan_account(
        &settings(),
        &account(A),
        Some(&nothing),
        &after,
        Some(&memory),
    );
    assert_eq!((steps(&kept), kept.orphans), (vec![], 3));
    let pruned = plan_account(
        &pruning(),
        &account(A),
        Some(&nothing),
        &after,
        Some(&memory),
    );
    assert_eq!(codes(&pruned), Vec::<&str>::new());
    assert_eq!(
        steps(&pruned),
        ["DeleteRolePolicy", "DetachRolePolicy", "DeletePolicy"]
    );
    let gone = run(&after, &pruned).unwrap();
    assert_eq!(gone.roles["platform"], platform());
    assert!(
        pruned
            .changes
            .iter()
            .all(|change| change.action == Action::Delete && change.cause == Cause::Desired)
    );
    // The policy stays desired: only the attachment goes.
    let policy_alone = desire(&[], &[policy("Reader")]);
    let pruned = plan_account(
        &pruning(),
        &account(A),
        Some(&policy_alone),
        &after,
        Some(&memory),
    );
    assert_eq!(steps(&pruned), ["DeleteRolePolicy", "DetachRolePolicy"]);
}

#[test]
fn a_policy_that_somebody_else_attached_is_left_and_keeps_the_policy_from_being_deleted() {
    let mut role = platform();
    role.managed_policies.insert(local_arn("/", "Reader"));
    let there = live(&[role], &[ours("Reader")]);
    let memory = remembered(&there, &["policy/Reader"]);
    let nothing = AccountDesired::default();
    let plan = plan_account(
        &pruning(),
        &account(A),
        Some(&nothing),
        &there,
        Some(&memory),
    );
    assert_eq!(codes(&plan), ["policy-in-use"]);
    assert!(!steps(&plan).contains(&"DetachRolePolicy".to_owned()));
    // Another directory's inline policy, a grant's, and one that only looks like it.
    let mut role = platform();
    for name in [
        "rolecall-other.logs",
        "rolecall-vendor-roles-assume",
        "rolecall-vendor-roles-x.logs",
    ] {
        role.inline_policies
            .insert(policy_name(name), allow("s3:Get*"));
    }
    let plan = planned(&pruning(), &nothing, &live(&[role], &[]));
    assert_eq!(steps(&plan), Vec::<String>::new());
}

#[test]
fn a_policy_on_its_way_to_another_path_is_taken_off_and_put_back() {
    let mut role = platform();
    role.managed_policies.insert(local_arn("/", "Reader"));
    let moved = ManagedPolicy {
        path: Some(IamPath::parse("/new/").unwrap()),
        ..policy("Reader")
    };
    let desired = attaching(&[managed("Platform", "Reader")], &[moved]);
    let (plan, after) = converges(&settings(), &desired, &live(&[role], &[ours("Reader")]));
    assert_eq!(codes(&plan), Vec::<&str>::new());
    assert_eq!(
        steps(&plan),
        [
            "DetachRolePolicy",
            "DeletePolicy",
            "CreatePolicy",
            "AttachRolePolicy"
        ]
    );
    assert!(
        after.roles["platform"]
            .managed_policies
            .contains(&local_arn("/new/", "Reader"))
    );
}

#[test]
fn a_role_of_another_directory_is_told_of_and_quotas_are_kept() {
    let mut role = platform();
    role.tags = tags(&[(crate::resource::OWNER_TAG, "other")]);
    let there = live(&[role.clone()], &[]);
    let plan = planned(
        &settings(),
        &attaching(&[managed("Platform", "Reader")], &[policy("Reader")]),
        &there,
    );
    assert_eq!(codes(&plan), ["contested-role"]);
    let plan = planned(
        &settings(),
        &attaching(&[inline("Platform", allow("s3:Get*"))], &[]),
        &there,
    );
    assert_eq!(codes(&plan), Vec::<&str>::new());
    for n in 0..9 {
        role.managed_policies.insert(aws(&format!("P{n}")));
    }
    let full = live(&[role], &[]);
    let desired = attaching(&[managed("Platform", "Reader")], &[policy("Reader")]);
    assert!(codes(&planned(&settings(), &desired, &full)).contains(&"quota"));
    assert!(needs(&settings(), &account(A), Some(&desired), &full, None).quotas);
}

#[test]
fn exclusive_inline_policies_leave_what_other_directories_attach() {
    let mut role = marked(live_role("R"));
    role.inline_policies
        .insert(policy_name("rolecall-other.logs"), allow("s3:Get*"));
    role.inline_policies
        .insert(policy_name("by-hand"), allow("s3:*"));
    let desired = crate::resource::role::Role {
        inline_policies: Some(std::collections::BTreeMap::new()),
        ..super::world::role("R")
    };
    let (plan, after) = converges(&settings(), &desire(&[desired], &[]), &live(&[role], &[]));
    assert_eq!(steps(&plan), ["DeleteRolePolicy"]);
    assert!(
        after.roles["r"]
            .inline_policies
            .contains_key(&policy_name("rolecall-other.logs"))
    );
}

#[test]
fn a_run_is_taken_back() {
    let before = live(&[marked(platform())], &[ours("Reader")]);
    let desired = attaching(
        &[
            managed("Platform", "Reader"),
            inline("Platform", allow("s3:Get*")),
        ],
        &[policy("Reader")],
    );
    let part = planned(&settings(), &desired, &before);
    let after = run(&before, &part).unwrap();
    let found: Vec<Found> = part
        .changes
        .iter()
        .map(|change| Found {
            address: change.address.clone(),
            before: serde_json::Value::Null,
            expected: change.expected.clone(),
            details: change.details,
        })
        .collect();
    let restore = Settings {
        intent: Intent::Restore,
        ..pruning()
    };
    let back = way_back(&restore, &found, &after, "salt");
    assert_eq!(back.left, []);
    let plan = planned(&restore, &back.desired, &back.live);
    assert_eq!(
        steps(&plan),
        ["DeleteRolePolicy", "DetachRolePolicy"],
        "the role itself is not touched"
    );
    assert_eq!(run(&after, &plan).unwrap().roles, before.roles);
    // And what the run took off is put on again.
    let memory = remembered(
        &after,
        &[
            "attachment/Platform/managed/Reader",
            "attachment/Platform/inline/rolecall-vendor-roles.logs",
        ],
    );
    let part = plan_account(
        &pruning(),
        &account(A),
        Some(&desire(
            &[super::world::role("Platform")],
            &[policy("Reader")],
        )),
        &after,
        Some(&memory),
    );
    let inline_gone = part
        .changes
        .iter()
        .find(|change| change.address.contains("/inline/"))
        .unwrap();
    let found = Found {
        address: inline_gone.address.clone(),
        before: remember(&inline_gone.address, &after, "salt", &Secrets::default())
            .unwrap()
            .values,
        expected: inline_gone.expected.clone(),
        details: false,
    };
    let without = run(&after, &part).unwrap();
    let back = way_back(&restore, &[found], &without, "salt");
    assert_eq!(
        steps(&planned(&restore, &back.desired, &back.live)),
        ["PutRolePolicy"]
    );
}

#[test]
fn a_stack_that_has_let_go_is_no_reason_to_stop() {
    use crate::resource::role::Role;
    let mut made = marked(live_role("R"));
    made.tags.insert(
        "aws:cloudformation:stack-name".to_owned(),
        "StackSet-Vendor-1a2b".to_owned(),
    );
    let there = live(&[made], &[]);
    for (former, expect) in [
        (None, vec!["stack-owned"]),
        (Some("StackSet-Vendor-1a2b"), vec![]),
        (Some("StackSet-Vendor-*"), vec![]),
        (Some("Other"), vec!["stack-owned"]),
        (Some(""), vec!["stack-owned"]),
    ] {
        let desired = Role {
            managed_policies: Some([aws_ref("SecurityAudit")].into()),
            former_stack: former.map(str::to_owned),
            ..super::world::role("R")
        };
        let plan = planned(&settings(), &desire(&[desired], &[]), &there);
        assert_eq!(codes(&plan), expect, "{former:?}");
    }
}

#[test]
fn a_difference_that_is_accepted_is_left_as_it_is() {
    let desired = attaching(&[inline("Platform", allow("s3:Get*"))], &[]);
    let mut role = platform();
    role.inline_policies.insert(logs(), allow("s3:*"));
    let live = live(&[role], &[]);
    let accept = |attribute: &str, address: &str| Settings {
        accepts: vec![Acceptance {
            address: address.to_owned(),
            attribute: attribute.to_owned(),
            reason: "until the audit".to_owned(),
            until: jiff::civil::date(2027, 6, 30),
            origin: Origin::default(),
        }],
        ..settings()
    };
    let plan = planned(&accept("document", "*/attachment/*"), &desired, &live);
    assert_eq!(steps(&plan), Vec::<String>::new());
    assert_eq!(codes(&plan), ["accepted"]);
    assert_eq!(plan.unchanged, 1);
    for (attribute, address) in [("trust", "*/attachment/*"), ("document", "*/role/*")] {
        let plan = planned(&accept(attribute, address), &desired, &live);
        assert_eq!(steps(&plan), ["PutRolePolicy"], "{attribute} {address}");
    }
}
