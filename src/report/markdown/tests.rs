//! What a comment holds, and what it never does.

use serde_json::{Value, json};

use super::*;
use crate::drift::{History, Scope, judge};
use crate::plan::{AccountPlan, Attribute, Cause, Severity};
use crate::report::tests::{
    account, change, creation, differ, document, drifted, finding, mixed, plan as plan_of, skipped,
    statement, trust, unreadable, update, widened,
};

fn shown(plan: &Plan) -> String {
    commented(plan, &Secrets::default())
}

fn accounts(n: u64, change: impl Fn(&str) -> Change) -> Vec<AccountPlan> {
    (0..n)
        .map(|n| {
            let id = format!("{:012}", 200_000_000_000 + n);
            account(&id, &format!("workload-{n:04}"), vec![change(&id)])
        })
        .collect()
}

fn commented(plan: &Plan, secrets: &Secrets) -> String {
    let mut out = Vec::new();
    super::plan(plan, secrets, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_plan_as_a_comment() {
    insta::assert_snapshot!(shown(&mixed()));
}

#[test]
fn one_role_in_three_hundred_accounts_is_short() {
    for change in [update as fn(&str) -> Change, creation, widened] {
        let text = shown(&plan_of(accounts(300, change), vec![]));
        assert!(
            text.chars().count() < 4000,
            "{}:\n{text}",
            text.chars().count()
        );
        assert_eq!(text.matches("<details>").count(), 1, "{text}");
    }
}

#[test]
fn what_widens_access_comes_first() {
    let text = shown(&mixed());
    let (widens, others) = (
        text.find("Widens access").unwrap(),
        text.find("Other changes").unwrap(),
    );
    assert!(widens < others, "{text}");
    assert!(text.find("<b>delete</b>").unwrap() > others, "{text}");
}

/// Roles that all differ from one another, in `n` accounts.
fn unlike(n: u64, statements: usize) -> Vec<AccountPlan> {
    accounts(n, |id| {
        let mut diff = differ(Attribute::Document, json!({}), json!({}));
        let made = |m: usize| json!({"Sid": format!("S{m}"), "Effect": "Allow", "Action": format!("s3:Get{id}{m}"), "Resource": "*"});
        diff.documents = vec![document(
            None,
            (0..statements)
                .map(|m| statement(None, Some(made(m)), false))
                .collect(),
        )];
        let mut unlike = change(
            &format!("{id}/policy/P"),
            Action::Update,
            "the document differs",
            vec![diff],
        );
        unlike.reason = format!(
            "reason {}",
            id.len()
                + id.chars()
                    .rev()
                    .take(4)
                    .collect::<String>()
                    .parse::<usize>()
                    .unwrap()
        );
        unlike
    })
}

#[test]
fn a_comment_is_never_too_long_and_counts_what_it_leaves_out() {
    let all = |n: u64| {
        (0..n)
            .map(|n| {
                finding(
                    &format!("check-{n}"),
                    Severity::Warn,
                    None,
                    &"long ".repeat(80),
                )
            })
            .collect::<Vec<_>>()
    };
    let errors = (0..900).map(|n| {
        let id = format!("{:012}", 300_000_000_000_u64 + n);
        let mut broken = unreadable(&id, &"n".repeat(50), &id);
        broken.error = Some(crate::plan::Reason::Text(format!(
            "error {n} {}",
            "x".repeat(60)
        )));
        broken
    });
    for plan in [
        plan_of(unlike(800, 1), vec![]),
        plan_of(unlike(30, 60), all(1000)),
        plan_of(
            unlike(800, 1).into_iter().chain(errors).collect(),
            all(1000),
        ),
        plan_of(vec![], all(1000)),
    ] {
        let text = shown(&plan);
        assert!(length(&text) <= LIMIT, "{}", length(&text));
        assert!(
            text.contains("not shown") && text.contains("in the artifact of this run"),
            "{}",
            &text[text.len() - 900..]
        );
        assert_eq!(
            text.matches("<details>").count(),
            text.matches("\n</details>").count()
        );
    }
    let text = shown(&plan_of(unlike(800, 1), vec![]));
    let shown = text.matches("<b>update</b>").count();
    assert!(
        text.contains(&format!(
            "**{} changes in {0} accounts** not shown",
            800 - shown
        )),
        "{}",
        &text[text.len() - 400..]
    );
}

fn drift_of(accounts: Vec<AccountPlan>, findings: Vec<crate::plan::Finding>) -> Drift {
    judge(
        plan_of(accounts, findings),
        &[],
        jiff::civil::date(2026, 1, 2),
        (Scope::Whole, History::Some),
    )
}

fn said(drift: &Drift, secrets: &Secrets) -> String {
    let mut out = Vec::new();
    super::drift(drift, secrets, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn by_hand(change: Change) -> Change {
    Change {
        cause: Cause::Drift,
        ..change
    }
}

#[test]
fn a_drift_as_a_comment() {
    insta::assert_snapshot!(said(&drifted(), &Secrets::default()));
}

#[test]
fn drift_that_somebody_must_look_at_comes_before_what_is_accepted_or_pending() {
    let text = said(&drifted(), &Secrets::default());
    let sections: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#### "))
        .collect();
    assert_eq!(
        sections,
        [
            "⚠️ Access is wider than desired (1)",
            "Changed by hand (3)",
            "Changed by hand, and the file changed too (1)",
            "Differs, cause unknown: nothing is on record (1)",
            "Accepted (1)",
            "Pending: desired, but not applied yet (2)",
            "🚫 1 account could not be read; what drifted there is unknown",
            "Findings (1)",
        ]
    );
    assert!(
        !text.contains("Apply is blocked") && !text.contains("stop"),
        "nothing is applied: {text}"
    );
}

#[test]
fn the_signs_of_drift_say_what_was_done_and_those_of_what_is_pending_what_will_be() {
    let attached = |cause| {
        move |id: &str| {
            let policies = |names: &[&str]| names.iter().map(|name| json!(name)).collect::<Value>();
            let diff = differ(
                Attribute::ManagedPolicies,
                policies(&["live"]),
                policies(&["desired"]),
            );
            Change {
                cause,
                ..change(
                    &format!("{id}/role/X"),
                    Action::Update,
                    "managed_policies differ",
                    vec![diff],
                )
            }
        }
    };
    for (cause, come, gone) in [
        (Cause::Drift, "live", "desired"),
        (Cause::Desired, "desired", "live"),
    ] {
        let text = said(
            &drift_of(accounts(1, attached(cause)), vec![]),
            &Secrets::default(),
        );
        let line = |sign: char, word: &str| {
            text.lines()
                .any(|line| line.starts_with(sign) && line.ends_with(word))
        };
        assert!(line('+', come) && line('-', gone), "{text}");
    }
}

#[test]
fn one_role_that_drifted_in_three_hundred_accounts_is_short() {
    let text = said(
        &drift_of(accounts(300, |id| by_hand(update(id))), vec![]),
        &Secrets::default(),
    );
    assert!(
        text.chars().count() < 4500,
        "{}:\n{text}",
        text.chars().count()
    );
    assert_eq!(text.matches("<details>").count(), 1, "{text}");
    assert!(
        text.contains("in 300 accounts") && text.contains("| role | **300** |"),
        "{text}"
    );
}

#[test]
fn a_comment_about_drift_is_never_too_long_and_counts_what_it_leaves_out() {
    let findings = (0..1000).map(|n| {
        finding(
            "unmanaged",
            Severity::Warn,
            None,
            &format!("{n} {}", "long ".repeat(80)),
        )
    });
    for drift in [
        drift_of(unlike(800, 1), vec![]),
        drift_of(unlike(30, 60), findings.clone().collect()),
        drift_of(
            unlike(800, 1)
                .into_iter()
                .map(|part| AccountPlan {
                    changes: part.changes.into_iter().map(by_hand).collect(),
                    ..part
                })
                .collect(),
            findings.collect(),
        ),
    ] {
        let text = said(&drift, &Secrets::default());
        assert!(length(&text) <= LIMIT, "{}", length(&text));
        assert!(
            text.contains("not shown") && text.contains("`rolecall drift --format html`"),
            "{}",
            &text[text.len() - 900..]
        );
        assert_eq!(
            text.matches("<details>").count(),
            text.matches("\n</details>").count()
        );
    }
    let text = said(&drift_of(unlike(800, 1), vec![]), &Secrets::default());
    let shown = text.matches("<b>differs</b>").count();
    assert!(
        text.contains(&format!(
            "**{} differences in {0} accounts** not shown",
            800 - shown
        )),
        "{}",
        &text[text.len() - 400..]
    );
}

#[test]
fn nothing_that_drifted_is_markup_or_shows_a_sensitive_value() {
    let diff = differ(
        Attribute::Description,
        json!(HOSTILE),
        json!("it is s3cret"),
    );
    let mut changed = by_hand(change(
        "222222222222/role/X",
        Action::Update,
        HOSTILE,
        vec![diff],
    ));
    changed.address = format!("222222222222/role/{HOSTILE}");
    let foreign = finding(
        "foreign-owner",
        Severity::Stop,
        Some("222222222222/role/X"),
        &format!("s3cret {HOSTILE}"),
    );
    let mut secrets = Secrets::default();
    secrets.insert("s3cret");
    let mut drift = drift_of(
        vec![account("222222222222", HOSTILE, vec![changed])],
        vec![foreign],
    );
    drift.plan.name = HOSTILE.into();
    let text = said(&drift, &secrets);
    assert!(
        !text.contains("s3cret") && text.matches("(sensitive)").count() == 2,
        "{text}"
    );
    inert(&text);
}

/// What Markdown and HTML would make of names and values that a stranger chose.
const HOSTILE: &str = "a|b `c` ``` </details><script>alert(1)</script> @octocat #1 [x](http://evil.example) *b* _i_ $x$ &lt; \u{202e}";

#[test]
fn nothing_from_aws_is_markup() {
    let mut diff = differ(Attribute::Trust, json!({}), json!({}));
    let made = json!({"Sid": HOSTILE, "Effect": "Allow", "Principal": {"AWS": HOSTILE}, "Action": "sts:AssumeRole"});
    diff.documents = vec![document(None, vec![statement(None, Some(made), true)])];
    let mut hostile = change(
        "222222222222/role/X",
        Action::Update,
        HOSTILE,
        vec![
            diff,
            differ(Attribute::Description, json!(HOSTILE), Value::Null),
        ],
    );
    hostile.address = format!("222222222222/role/{HOSTILE}");
    let mut plan = plan_of(
        vec![
            account("222222222222", HOSTILE, vec![hostile]),
            skipped("333333333333", HOSTILE, HOSTILE),
        ],
        vec![finding(
            HOSTILE,
            Severity::Stop,
            Some("222222222222/role/X"),
            &format!("{HOSTILE} and ` one more"),
        )],
    );
    plan.name = HOSTILE.into();
    let text = shown(&plan);
    inert(&text);
    assert!(text.contains("\n````diff\n"), "{text}");
    assert_eq!(text.matches("\n</details>").count(), 1);
}

/// Asserts that nothing of [`HOSTILE`] is left as it was, fences aside.
#[track_caller]
fn inert(text: &str) {
    let mut fence = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            None if ticks.len() >= 3 => fence = Some(ticks),
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None => {
                for bad in [
                    "<script",
                    "</details><",
                    "@octocat",
                    "#1 ",
                    "[x]",
                    "http://",
                    "*b*",
                    "_i_",
                    "$x$",
                    "a|b",
                    "\u{202e}",
                ] {
                    assert!(!line.contains(bad), "`{bad}` in {line}");
                }
            }
        }
    }
    assert!(fence.is_none() && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn a_sensitive_value_is_shown_nowhere() {
    let mut secrets = Secrets::default();
    secrets.insert("s3*cret");
    let mut plan = plan_of(
        vec![account(
            "222222222222",
            "s3*cret",
            vec![change(
                "222222222222/role/X",
                Action::Create,
                "s3*cret",
                vec![differ(
                    Attribute::Trust,
                    Value::Null,
                    trust("s3*cret", "s3*cret"),
                )],
            )],
        )],
        vec![finding("check", Severity::Warn, None, "it is `s3*cret`")],
    );
    plan.accounts
        .push(skipped("333333333333", "closed", "s3*cret"));
    let text = commented(&plan, &secrets);
    assert!(
        !text.contains("s3*cret") && !text.contains("s3&#42;cret"),
        "{text}"
    );
    assert!(text.matches("sensitive").count() > 4, "{text}");
}

#[test]
fn nothing_to_do_is_one_line() {
    let text = shown(&plan_of(
        vec![account("222222222222", "prod", vec![])],
        vec![],
    ));
    assert_eq!(
        text,
        "### rolecall plan for <code>vendor-roles</code> in <code>o-exampleorgid</code>\n\n\
         **No changes. Live IAM of 1 account matches the desired state.**\n\n"
    );
}
