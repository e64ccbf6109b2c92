//! What is taken back of a run, and what is left alone.

use super::world::*;
use crate::live::LiveAccount;
use crate::plan::*;
use crate::resource::role::{LiveRole, Role, RoleDetails};
use crate::resource::secret::Secrets;

const SALT: &str = "salt";

/// What one update found, and IAM as it left it.
fn ran() -> (LiveAccount, Found, LiveAccount) {
    let before = live(
        &[LiveRole {
            details: None,
            ..marked(live_role("R"))
        }],
        &[],
    );
    let desired = Role {
        managed_policies: Some([aws_ref("SecurityAudit")].into()),
        ..role("R")
    };
    let part = plan_account(
        &settings(),
        &account(A),
        Some(&desire(&[desired], &[])),
        &before,
        None,
    );
    let after = run(&before, &part).unwrap();
    let change = &part.changes[0];
    let found = Found {
        address: change.address.clone(),
        before: remember(&change.address, &before, SALT, &Secrets::default())
            .unwrap()
            .values,
        expected: change.expected.clone(),
        details: change.details,
    };
    (before, found, after)
}

#[test]
fn only_what_is_as_the_run_left_it_is_taken_back_and_what_is_as_it_found_it_needs_no_word() {
    let (before, found, after) = ran();
    let changed = |live: &LiveAccount, change: &dyn Fn(&mut LiveRole)| {
        let mut live = live.clone();
        change(live.roles.get_mut("r").unwrap());
        live
    };
    let read = |role: &mut LiveRole| {
        role.details = Some(RoleDetails {
            description: "read this time".to_owned(),
            max_session_duration: 3600,
        });
    };
    let bound = |role: &mut LiveRole| role.permissions_boundary = Some(aws("ReadOnlyAccess"));
    let cases = [
        ("as it left it", after.clone(), (1, 0)),
        ("as it found it", before.clone(), (0, 0)),
        (
            "as it found it, and more of it is read now",
            changed(&before, &read),
            (0, 0),
        ),
        (
            "as it found it but for a boundary",
            changed(&before, &bound),
            (0, 1),
        ),
        (
            "as it left it but for a boundary",
            changed(&after, &bound),
            (0, 1),
        ),
        ("gone", LiveAccount::default(), (0, 1)),
    ];
    for (what, live, expect) in cases {
        let back = way_back(&settings(), std::slice::from_ref(&found), &live, SALT);
        assert_eq!(
            (back.desired.roles.len(), back.left.len()),
            expect,
            "{what}"
        );
    }
    let created = Found {
        before: serde_json::Value::Null,
        ..found
    };
    for (what, live, left) in [
        ("never created", LiveAccount::default(), 0),
        ("somebody else's", before, 1),
    ] {
        assert_eq!(
            way_back(&settings(), std::slice::from_ref(&created), &live, SALT)
                .left
                .len(),
            left,
            "{what}"
        );
    }
}

#[test]
fn a_role_of_instances_is_made_again_and_its_profiles_are_said_to_be_empty() {
    let of = |service: &str| {
        let role = LiveRole {
            details: None,
            trust: trust_of(
                &serde_json::json!({"Statement": {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}}),
            ),
            ..marked(live_role("R"))
        };
        let before = live(&[role], &[]);
        let part = plan_account(
            &Settings {
                extras: Extras::Remove,
                ..settings()
            },
            &account(A),
            None,
            &before,
            None,
        );
        let change = &part.changes[0];
        let found = Found {
            address: change.address.clone(),
            before: remember(&change.address, &before, SALT, &Secrets::default())
                .unwrap()
                .values,
            expected: change.expected.clone(),
            details: change.details,
        };
        let back = way_back(&settings(), &[found], &LiveAccount::default(), SALT);
        assert_eq!(back.desired.roles.len(), 1);
        back.left
    };
    for service in ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"] {
        let left = of(service);
        assert_eq!(left.len(), 1, "{service}");
        assert!(left[0].message.contains("instance profiles"), "{left:?}");
    }
    assert!(of("lambda.amazonaws.com").is_empty());
}
