//! What a comment holds, and what it never does.

use serde_json::{Value, json};

use super::*;
use crate::plan::{AccountPlan, Attribute, Severity};
use crate::report::tests::{
    account, change, creation, differ, document, finding, mixed, plan as plan_of, skipped, statement, trust,
    unreadable, update, widened,
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
        assert!(text.chars().count() < 4000, "{}:\n{text}", text.chars().count());
        assert_eq!(text.matches("<details>").count(), 1, "{text}");
    }
}

#[test]
fn what_widens_access_comes_first() {
    let text = shown(&mixed());
    let (widens, others) = (text.find("Widens access").unwrap(), text.find("Other changes").unwrap());
    assert!(widens < others, "{text}");
    assert!(text.find("<b>delete</b>").unwrap() > others, "{text}");
}

/// Roles that all differ from one another, in `n` accounts.
fn unlike(n: u64, statements: usize) -> Vec<AccountPlan> {
    accounts(n, |id| {
        let mut diff = differ(Attribute::Document, json!({}), json!({}));
        let made = |m: usize| json!({"Sid": format!("S{m}"), "Effect": "Allow", "Action": format!("s3:Get{id}{m}"), "Resource": "*"});
        diff.documents = vec![document(None, (0..statements).map(|m| statement(None, Some(made(m)), false)).collect())];
        let mut unlike = change(&format!("{id}/policy/P"), Action::Update, "the document differs", vec![diff]);
        unlike.reason =
            format!("reason {}", id.len() + id.chars().rev().take(4).collect::<String>().parse::<usize>().unwrap());
        unlike
    })
}

#[test]
fn a_comment_is_never_too_long_and_counts_what_it_leaves_out() {
    let all = |n: u64| {
        (0..n).map(|n| finding(&format!("check-{n}"), Severity::Warn, None, &"long ".repeat(80))).collect::<Vec<_>>()
    };
    let errors = (0..900).map(|n| {
        let id = format!("{:012}", 300_000_000_000_u64 + n);
        let mut broken = unreadable(&id, &"n".repeat(50), &id);
        broken.error = Some(crate::plan::Reason::Text(format!("error {n} {}", "x".repeat(60))));
        broken
    });
    for plan in [
        plan_of(unlike(800, 1), vec![]),
        plan_of(unlike(30, 60), all(1000)),
        plan_of(unlike(800, 1).into_iter().chain(errors).collect(), all(1000)),
        plan_of(vec![], all(1000)),
    ] {
        let text = shown(&plan);
        assert!(length(&text) <= LIMIT, "{}", length(&text));
        assert!(
            text.contains("not shown") && text.contains("in the artifact of this run"),
            "{}",
            &text[text.len() - 900..]
        );
        assert_eq!(text.matches("<details>").count(), text.matches("\n</details>").count());
    }
    let text = shown(&plan_of(unlike(800, 1), vec![]));
    let shown = text.matches("<b>update</b>").count();
    assert!(
        text.contains(&format!("**{} changes in {0} accounts** not shown", 800 - shown)),
        "{}",
        &text[text.len() - 400..]
    );
}

/// What Markdown and HTML would make of names and values that a stranger chose.
const HOSTILE: &str =
    "a|b `c` ``` </details><script>alert(1)</script> @octocat #1 [x](http://evil.example) *b* _i_ $x$ &lt; \u{202e}";

#[test]
fn nothing_from_aws_is_markup() {
    let mut diff = differ(Attribute::Trust, json!({}), json!({}));
    let made = json!({"Sid": HOSTILE, "Effect": "Allow", "Principal": {"AWS": HOSTILE}, "Action": "sts:AssumeRole"});
    diff.documents = vec![document(None, vec![statement(None, Some(made), true)])];
    let mut hostile = change(
        "222222222222/role/X",
        Action::Update,
        HOSTILE,
        vec![diff, differ(Attribute::Description, json!(HOSTILE), Value::Null)],
    );
    hostile.address = format!("222222222222/role/{HOSTILE}");
    let mut plan = plan_of(
        vec![account("222222222222", HOSTILE, vec![hostile]), skipped("333333333333", HOSTILE, HOSTILE)],
        vec![finding(HOSTILE, Severity::Stop, Some("222222222222/role/X"), &format!("{HOSTILE} and ` one more"))],
    );
    plan.name = HOSTILE.into();
    let text = shown(&plan);
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
    assert!(fence.is_none() && text.contains("\n````diff\n"), "{text}");
    assert!(!text.contains('\u{202e}'));
    assert_eq!(text.matches("\n</details>").count(), 1);
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
                vec![differ(Attribute::Trust, Value::Null, trust("s3*cret", "s3*cret"))],
            )],
        )],
        vec![finding("check", Severity::Warn, None, "it is `s3*cret`")],
    );
    plan.accounts.push(skipped("333333333333", "closed", "s3*cret"));
    let text = commented(&plan, &secrets);
    assert!(!text.contains("s3*cret") && !text.contains("s3&#42;cret"), "{text}");
    assert!(text.matches("sensitive").count() > 4, "{text}");
}

#[test]
fn nothing_to_do_is_one_line() {
    let text = shown(&plan_of(vec![account("222222222222", "prod", vec![])], vec![]));
    assert_eq!(
        text,
        "### rolecall plan for <code>vendor-roles</code> in <code>o-exampleorgid</code>\n\n\
         **No changes. Live IAM of 1 account is as desired.**\n\n"
    );
}
