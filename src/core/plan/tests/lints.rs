//! Lints in plans: what they add, and what refuses an apply.

use std::collections::BTreeMap;

use super::roles::header;
use super::world::*;
use crate::lint::{self, Level};
use crate::live::LiveAccount;
use crate::plan::*;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::Role;

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
