//! Who moved since a resource was last seen as desired.

use super::world::*;
use crate::desired::AccountDesired;
use crate::live::LiveAccount;
use crate::plan::*;
use crate::resource::role::{LiveRole, Role, RoleDetails};
use crate::resource::secret::Secrets;

fn before() -> Role {
    Role {
        description: Some("as written".to_owned()),
        managed_policies: Some([aws_ref("SecurityAudit")].into()),
        inline_policies: Some([(policy_name("logs"), allow("s3:GetObject"))].into()),
        tags: Some(tags(&[("team", "a"), ("env", "prod")])),
        ..role("R")
    }
}

fn planned(desired: &AccountDesired, live: &LiveAccount, memory: Option<&Memory>) -> AccountPlan {
    let mut settings = settings();
    settings.allow.insert("adopt".to_owned());
    plan_account(&settings, &account(A), Some(desired), live, memory)
}

fn applied() -> LiveAccount {
    let nothing = LiveAccount::default();
    run(
        &nothing,
        &planned(&desire(&[before()], &[]), &nothing, None),
    )
    .unwrap()
}

fn remembered(live: &LiveAccount) -> Memory {
    let address = format!("{A}/role/R");
    let converged = remember(&address, live, "salt", &Secrets::default()).unwrap();
    Memory {
        salt: "salt".to_owned(),
        resources: [(address, converged)].into(),
        since: Since::Before,
        records: Records::Some,
        ..Memory::default()
    }
}

fn changed(live: &LiveAccount, change: impl Fn(&mut LiveRole)) -> LiveAccount {
    let mut live = live.clone();
    change(live.roles.get_mut("r").unwrap());
    live
}

#[test]
fn each_difference_is_blamed_on_who_moved() {
    let was = applied();
    let memory = remembered(&was);
    let hand = |change: &dyn Fn(&mut LiveRole)| changed(&was, change);
    let described = |text: &str| Role {
        description: Some(text.to_owned()),
        ..before()
    };
    let say = |live: &mut LiveRole| {
        live.details = Some(RoleDetails {
            description: "by hand".to_owned(),
            max_session_duration: 3600,
        });
    };
    let retag = |live: &mut LiveRole| _ = live.tags.insert("team".to_owned(), "b".to_owned());
    let tag_more = |live: &mut LiveRole| _ = live.tags.insert("cost".to_owned(), "1".to_owned());
    let attach = |live: &mut LiveRole| _ = live.managed_policies.insert(aws("AdministratorAccess"));
    let inline = |live: &mut LiveRole| {
        _ = live
            .inline_policies
            .insert(policy_name("logs"), allow("s3:*"));
    };
    let open = |live: &mut LiveRole| live.trust = trust(&["111111111111", "666666666666"]);
    let unmark = |live: &mut LiveRole| live.tags.retain(|key, _| !key.starts_with("rolecall"));
    let cases: Vec<(&str, Role, LiveAccount, Cause)> = vec![
        ("a description by hand", before(), hand(&say), Cause::Drift),
        (
            "a description in the file",
            described("new"),
            was.clone(),
            Cause::Desired,
        ),
        ("both", described("new"), hand(&say), Cause::Both),
        (
            "a tag and a description by hand, one of them in the file too",
            described("new"),
            hand(&|live| {
                say(live);
                retag(live);
            }),
            Cause::Both,
        ),
        ("a tag by hand", before(), hand(&retag), Cause::Drift),
        (
            "a tag of others is nobody's",
            described("new"),
            hand(&tag_more),
            Cause::Desired,
        ),
        ("attached by hand", before(), hand(&attach), Cause::Drift),
        (
            "attached in the file",
            Role {
                managed_policies: Some([].into()),
                ..before()
            },
            was.clone(),
            Cause::Desired,
        ),
        (
            "an inline policy by hand",
            before(),
            hand(&inline),
            Cause::Drift,
        ),
        ("trust by hand", before(), hand(&open), Cause::Drift),
        (
            "trust in the file",
            Role {
                trust: trust(&["333333333333"]),
                ..before()
            },
            was.clone(),
            Cause::Desired,
        ),
        (
            "trust by both",
            Role {
                trust: trust(&["333333333333"]),
                ..before()
            },
            hand(&open),
            Cause::Both,
        ),
        ("the mark taken off", before(), hand(&unmark), Cause::Drift),
        (
            "deleted by hand",
            before(),
            LiveAccount::default(),
            Cause::Drift,
        ),
        (
            "deleted by hand and written anew",
            described("new"),
            LiveAccount::default(),
            Cause::Both,
        ),
        (
            "gone from the file",
            Role {
                ensure: crate::resource::role::Ensure::Absent,
                ..before()
            },
            was.clone(),
            Cause::Desired,
        ),
    ];
    for (what, desired, live, expect) in cases {
        let desired = desire(&[desired], &[]);
        let part = planned(&desired, &live, Some(&memory));
        let found: Vec<Cause> = part.changes.iter().map(|change| change.cause).collect();
        assert_eq!(found, [expect], "{what}");
        let new = Memory {
            since: Since::Now,
            ..Memory::default()
        };
        for none in [None, Some(&new)] {
            assert_eq!(
                planned(&desired, &live, none).changes[0].cause,
                Cause::Unknown,
                "{what}, without a memory"
            );
        }
    }
}

#[test]
fn what_is_new_in_the_file_is_the_files_and_what_is_not_remembered_is_nobodys() {
    let empty = Memory {
        salt: "salt".to_owned(),
        ..Memory::default()
    };
    let desired = desire(&[before()], &[]);
    let created = planned(&desired, &LiveAccount::default(), Some(&empty));
    assert_eq!(created.changes[0].cause, Cause::Desired);
    let moved = changed(&applied(), |live| live.managed_policies.clear());
    assert_eq!(
        planned(&desired, &moved, Some(&empty)).changes[0].cause,
        Cause::Unknown
    );
}

#[test]
fn what_is_as_desired_is_noted_once() {
    let was = applied();
    let desired = desire(&[before()], &[]);
    let address = format!("{A}/role/R");
    let empty = Memory {
        salt: "salt".to_owned(),
        ..Memory::default()
    };
    let seen = planned(&desired, &was, Some(&empty)).seen;
    assert_eq!(seen.keys().collect::<Vec<_>>(), [&address]);
    assert_eq!(seen[&address], remembered(&was).resources[&address]);
    assert!(
        planned(&desired, &was, Some(&remembered(&was)))
            .seen
            .is_empty()
    );
    let recreated = changed(&was, |live| "AROAANOTHER".clone_into(&mut live.id));
    assert_eq!(
        planned(&desired, &recreated, Some(&remembered(&was)))
            .seen
            .len(),
        1
    );
    let part = planned(
        &AccountDesired::default(),
        &LiveAccount::default(),
        Some(&remembered(&was)),
    );
    assert_eq!(part.gone, [address].into());
}

#[test]
fn a_sensitive_value_is_remembered_as_a_digest() {
    let mut secrets = Secrets::default();
    secrets.insert("the-secret");
    let was = changed(&applied(), |live| {
        live.tags.insert("key".to_owned(), "the-secret".to_owned());
        live.trust = trust_of(&serde_json::json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "the-secret"}}}]}));
    });
    let converged = remember(&format!("{A}/role/R"), &was, "salt", &secrets).unwrap();
    let written = serde_json::to_string(&converged).unwrap();
    assert!(
        !written.contains("the-secret") && written.contains("(sensitive:sha256:"),
        "{written}"
    );
    assert_ne!(
        converged.items,
        remember(&format!("{A}/role/R"), &was, "other", &secrets)
            .unwrap()
            .items
    );
}
