//! Lints in plans: what they add, and what refuses an apply.

use std::collections::BTreeMap;

use super::roles::header;
use super::world::*;
use crate::lint::{self, Level};
use crate::live::LiveAccount;
use crate::plan::*;
use crate::resource::name::PolicyArn;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{PolicyRef, Role};

const VENDOR: &str = "111111111111";
const OTHER: &str = "333333333333";

fn levels(code: &str, level: Level) -> Settings {
    let organization = Some([id(A), id(MANAGEMENT)].into());
    let lints = lint::Settings {
        severities: [(code.to_owned(), level)].into(),
        organization,
        ..Default::default()
    };
    Settings {
        lints,
        ..settings()
    }
}

fn with_id(external_id: &str) -> PolicyDocument {
    trust_of(&serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }]}))
}

#[test]
fn only_a_trust_that_opens_is_said_to_widen() {
    let cases = [
        ("one more", trust(&[VENDOR]), trust(&[VENDOR, OTHER]), true),
        ("a condition goes", with_id("id"), trust(&[VENDOR]), true),
        ("one less", trust(&[VENDOR, OTHER]), trust(&[VENDOR]), false),
        ("a condition comes", trust(&[VENDOR]), with_id("id"), false),
        ("nothing", trust(&[VENDOR]), trust(&[VENDOR]), false),
    ];
    for (what, before, after, expect) in cases {
        let there = live(
            &[marked(crate::resource::role::LiveRole {
                trust: before,
                ..live_role("X")
            })],
            &[],
        );
        let desired = desire(
            &[Role {
                trust: after,
                ..role("X")
            }],
            &[],
        );
        let said = |settings: &Settings| {
            let part = plan_account(settings, &account(A), Some(&desired), &there, None);
            let found = part
                .findings
                .into_iter()
                .filter(|found| found.code == "trust-widened");
            found
                .map(|found| (found.severity, found.address))
                .collect::<Vec<_>>()
        };
        let one = |severity| {
            if expect {
                vec![(severity, Some(format!("{A}/role/X")))]
            } else {
                Vec::new()
            }
        };
        assert_eq!(said(&settings()), one(Severity::Warn), "{what}");
        assert_eq!(
            said(&levels("trust-widened", Level::Stop)),
            one(Severity::Stop),
            "{what}"
        );
        assert_eq!(said(&levels("trust-widened", Level::Off)), [], "{what}");
        let created = plan_account(
            &settings(),
            &account(A),
            Some(&desired),
            &LiveAccount::default(),
            None,
        );
        assert!(
            created
                .findings
                .iter()
                .all(|found| found.code != "trust-widened"),
            "{what}"
        );
    }
}

#[test]
fn a_lint_that_stops_refuses_apply_until_it_is_allowed() {
    let desired = desire(
        &[
            Role {
                trust: trust(&[VENDOR]),
                ..role("X")
            },
            role("Y"),
        ],
        &[],
    );
    let settings = Settings {
        roles: vec!["X".to_owned()],
        ..levels("no-external-id", Level::Stop)
    };
    let found = lints(&settings, &BTreeMap::from([(id(A), desired.clone())]));
    let part = plan_account(
        &settings,
        &account(A),
        Some(&desired),
        &LiveAccount::default(),
        None,
    );
    let plan = build(header(), &settings, vec![part]).with_findings(found);
    let stops: Vec<_> = plan
        .stops(&[].into())
        .into_iter()
        .map(|one| (one.code.as_str(), one.address.clone()))
        .collect();
    assert_eq!(stops, [("no-external-id", Some(format!("{A}/role/X")))]);
    assert!(plan.stops(&["no-external-id".to_owned()].into()).is_empty());
}

#[test]
fn without_aws_a_finding_names_its_file_and_shows_no_secret() {
    let trust = trust_of(&serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "s3cret.amazonaws.com"}, "Action": "sts:AssumeRole"}]}));
    let origin = crate::resource::Origin {
        file: "roles.toml".to_owned(),
        line: 3,
    };
    let mut secrets = crate::resource::secret::Secrets::default();
    secrets.insert("s3cret");
    let desired = desire(
        &[Role {
            trust,
            origin,
            ..role("X")
        }],
        &[],
    );
    let found = lints_alone(&lint::Settings::default(), &desired, &secrets);
    let [only] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (only.code.as_str(), only.severity, &only.address),
        ("confused-service", Severity::Warn, &None)
    );
    assert!(
        only.message
            .starts_with("roles.toml:3: role `X` trusts service `(sensitive)"),
        "{}",
        only.message
    );
}

/// A role that trusts an issuer by some conditions.
fn trusting(url: &str, conditions: &serde_json::Value) -> serde_json::Value {
    serde_json::json!({"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Condition": conditions,
        "Principal": {"Federated": format!("arn:aws:iam::{A}:oidc-provider/{url}")}})
}

fn document_of(statements: &[serde_json::Value]) -> PolicyDocument {
    trust_of(&serde_json::json!({"Version": "2012-10-17", "Statement": statements}))
}

/// Case 9: IAM refuses to write a trust in a shared issuer without its claim, also where the statement is not managed here.
#[test]
fn case_9_a_trust_that_iam_refuses_to_write_stops_the_plan() {
    let buildkite = "agent.buildkite.com";
    let audience = trusting(
        buildkite,
        &serde_json::json!({"StringEquals": {"agent.buildkite.com:aud": "sts.amazonaws.com"}}),
    );
    let subject = trusting(
        buildkite,
        &serde_json::json!({"StringLike": {"agent.buildkite.com:sub": "organization:acme:*"}}),
    );
    let service = serde_json::json!({"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}});
    let said = |before: &[serde_json::Value], after: &[serde_json::Value], additive: bool| {
        let there = match before {
            [] => LiveAccount::default(),
            before => live(
                &[marked(crate::resource::role::LiveRole {
                    trust: document_of(before),
                    ..live_role("X")
                })],
                &[],
            ),
        };
        let mut wanted = Role {
            trust: document_of(after),
            ..role("X")
        };
        if additive {
            wanted.manage.trust = crate::resource::role::Mode::Additive;
        }
        let part = plan_account(
            &settings(),
            &account(A),
            Some(&desire(&[wanted], &[])),
            &there,
            None,
        );
        let found: Vec<Finding> = part
            .findings
            .into_iter()
            .filter(|found| found.code == "oidc-claim")
            .collect();
        for one in &found {
            assert_eq!(one.severity, Severity::Stop);
            assert_eq!(one.address, Some(format!("{A}/role/X")));
            assert!(
                one.message.contains("`agent.buildkite.com:sub`"),
                "{}",
                one.message
            );
        }
        found.len()
    };
    let (open, narrow, service) = (&[audience.clone()][..], &[subject][..], &[service][..]);
    assert_eq!(said(&[], open, false), 1);
    assert_eq!(said(&[], narrow, false), 0);
    // What is there goes on working until it is written again.
    assert_eq!(said(open, open, false), 0);
    assert_eq!(said(open, service, true), 1);
    assert_eq!(said(open, service, false), 0);
    let stand_in = desire(
        &[Role {
            trust: document_of(open),
            ..role("X")
        }],
        &[],
    );
    let alone = lints_alone(
        &lint::Settings::default(),
        &stand_in,
        &crate::resource::secret::Secrets::default(),
    );
    assert!(
        alone
            .iter()
            .any(|found| found.code == "oidc-claim" && found.severity == Severity::Warn),
        "{alone:?}"
    );
}

/// A role that moves between two sets of attached policies: whether that widens, and whether going back would.
fn moves(before: &[PolicyArn], after: &[PolicyRef]) -> (bool, bool) {
    let denying = crate::resource::managed_policy::LivePolicy {
        document: PolicyDocument::parse(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}"#,
            PolicyKind::Identity,
            &partition(),
        )
        .unwrap(),
        ..live_policy("NoBilling")
    };
    let there = live(
        &[marked(crate::resource::role::LiveRole {
            managed_policies: before.iter().cloned().collect(),
            ..live_role("X")
        })],
        &[denying, live_policy("Work")],
    );
    let wanted = Role {
        managed_policies: Some(after.iter().cloned().collect()),
        ..role("X")
    };
    let part = plan_account(
        &settings(),
        &account(A),
        Some(&desire(&[wanted], &[])),
        &there,
        None,
    );
    let diff = part
        .changes
        .iter()
        .flat_map(|change| &change.diffs)
        .find(|diff| diff.attribute == Attribute::ManagedPolicies)
        .expect("the policies differ");
    (diff.widens, diff.reverse_widens)
}

#[test]
fn to_detach_a_policy_that_denies_widens_access() {
    let (work, denies) = (local_arn("/", "Work"), local_arn("/", "NoBilling"));
    let unread = local_arn("/", "Unread");
    for (before, after, expect) in [
        (
            vec![work.clone(), denies.clone()],
            vec![local("Work")],
            (true, false),
        ),
        (
            vec![work.clone()],
            vec![local("Work"), local("NoBilling")],
            (false, true),
        ),
        (
            vec![work.clone(), denies],
            vec![local("NoBilling")],
            (false, true),
        ),
        (
            vec![work.clone(), unread],
            vec![local("Work")],
            (true, true),
        ),
        (
            vec![work.clone(), aws("AWSDenyAll")],
            vec![local("Work")],
            (true, false),
        ),
        (
            vec![work.clone()],
            vec![local("Work"), aws_ref("AWSDenyAll")],
            (false, true),
        ),
        (
            vec![work.clone(), aws("AmazonRedshiftDataFullAccess")],
            vec![local("Work")],
            (true, true),
        ),
        (
            vec![work, aws("ReadOnlyAccess")],
            vec![local("Work")],
            (false, true),
        ),
    ] {
        assert_eq!(moves(&before, &after), expect, "{before:?} {after:?}");
    }
}

#[test]
fn a_principal_of_the_own_account_instead_of_its_root_widens() {
    let root = trust(&[A]);
    let named = trust(&[&format!("arn:aws:iam::{A}:role/ci")]);
    let elsewhere = (
        trust(&[OTHER]),
        trust(&[&format!("arn:aws:iam::{OTHER}:role/ci")]),
    );
    for (before, after, expect) in [(&root, &named, true), (&elsewhere.0, &elsewhere.1, false)] {
        let there = live(
            &[marked(crate::resource::role::LiveRole {
                trust: before.clone(),
                ..live_role("X")
            })],
            &[],
        );
        let desired = desire(
            &[Role {
                trust: after.clone(),
                ..role("X")
            }],
            &[],
        );
        let part = plan_account(&settings(), &account(A), Some(&desired), &there, None);
        let widens = part
            .changes
            .iter()
            .flat_map(|change| &change.diffs)
            .any(|diff| diff.attribute == Attribute::Trust && diff.widens);
        assert_eq!(widens, expect, "{before:?}");
        assert_eq!(
            part.findings
                .iter()
                .any(|found| found.code == "trust-widened"),
            expect
        );
    }
}
