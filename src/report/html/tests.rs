//! What the page holds; what it does in a browser is tested there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::org::AccountId;
use crate::plan::{Action, Attribute, Caller, Demand, Place, Trust};
use crate::report::tests::{account, change, differ, drifted, mixed, plan as plan_of, update};

fn page(plan: &Plan, trusts: &TrustMap, secrets: &Secrets) -> String {
    let mut out = Vec::new();
    super::plan(plan, trusts, secrets, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The data element of a page, which must be one.
fn data_of(page: &str) -> Value {
    let (_, rest) = page
        .split_once("<script type=\"application/json\" id=\"data\">")
        .unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn nothing_that_aws_or_a_file_says_is_markup_or_template() {
    let hostile =
        "</script><script>alert(1)</script><!-- @SCRIPT@ \u{2028}\u{202e}\u{9b}\u{200b} & \"'";
    let seen = hostile.replace(
        "\u{2028}\u{202e}\u{9b}\u{200b}",
        "\\u{2028}\\u{202e}\\u{9b}\\u{200b}",
    );
    let mut plan = mixed();
    plan.name = hostile.into();
    plan.accounts[0].name = hostile.into();
    let changed = differ(Attribute::Description, Value::Null, json!(hostile));
    plan.accounts[0].changes.push(change(
        "222222222222/role/H",
        Action::Update,
        hostile,
        vec![changed],
    ));
    let page = page(&plan, &TrustMap::default(), &Secrets::default());
    assert_eq!(
        page.matches("<script").count(),
        2,
        "the data and the script"
    );
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(page.contains("&lt;/script&gt;"), "{page}");
    assert_eq!(data_of(&page)["accounts"][0]["name"], seen);
    assert!(
        !page.contains(['\u{2028}', '\u{202e}', '\u{9b}', '\u{200b}']),
        "{page}"
    );
}

#[test]
fn the_policy_of_the_page_lets_in_its_own_style_and_script_alone() {
    let page = page(&mixed(), &TrustMap::default(), &Secrets::default());
    for (open, close, directive) in [
        ("<style>", "</style>", "style-src"),
        ("<script>", "</script>", "script-src"),
    ] {
        let (_, rest) = page.split_once(open).unwrap();
        let hash = STANDARD.encode(Sha256::digest(rest.split_once(close).unwrap().0));
        assert!(
            page.contains(&format!("{directive} 'sha256-{hash}';")),
            "{directive}"
        );
    }
    assert!(page.contains("default-src 'none'"));
    let outside = ["http://", "https://", "//cdn", "@import", "url("];
    for text in [
        PAGE,
        STYLE,
        &SCRIPT.replace("http://www.w3.org/2000/svg", ""),
    ] {
        for word in outside {
            assert!(!text.contains(word), "{word}");
        }
    }
    assert!(
        !SCRIPT.contains("innerHTML")
            && !SCRIPT.contains("insertAdjacentHTML")
            && !SCRIPT.contains("document.write")
    );
}

#[test]
fn a_sensitive_value_is_shown_nowhere() {
    let mut secrets = Secrets::default();
    for secret in ["s3cret", "s3cret2", "s3cret3"] {
        secrets.insert(secret);
    }
    let demands = |values: &[&str]| {
        let one = |value: &&str| Demand {
            operator: "StringEquals".into(),
            values: BTreeSet::from([(*value).into()]),
        };
        values.iter().map(one).collect()
    };
    let mut plan = mixed();
    plan.findings[0].message = "it is s3cret".into();
    plan.accounts[0].changes[0].reason = "because of s3cret".into();
    let id = AccountId::parse("999999999999").unwrap();
    let trusts = TrustMap {
        trusts: vec![Trust {
            caller: Caller::Account(id),
            principals: BTreeSet::from(["arn:aws:iam::999999999999:role/s3cret".into()]),
            conditions: BTreeMap::from([(
                "sts:externalid".into(),
                demands(&["s3cret", "s3cret2", "s3cret3", "plain"]),
            )]),
            role: "X".into(),
            accounts: BTreeSet::from([id]),
        }],
        places: [(
            id,
            Place::Outsider {
                name: Some("s3cret".into()),
            },
        )]
        .into(),
    };
    let page = page(&plan, &trusts, &secrets);
    assert!(!page.contains("s3cret"));
    let map = &data_of(&page)["trusts"];
    assert_eq!(map["places"]["999999999999"]["name"], "(sensitive)");
    assert_eq!(
        map["trusts"][0]["conditions"]["sts:externalid"],
        json!([
            "StringEquals sts:externalid = (sensitive)",
            "StringEquals sts:externalid = plain"
        ])
    );
}

fn page_of(drift: &Drift, secrets: &Secrets) -> String {
    let mut out = Vec::new();
    super::drift(drift, &TrustMap::default(), secrets, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What is listed, in order: a few members of each change.
fn listed(page: &str, members: &[&str]) -> Vec<Vec<Value>> {
    let data = data_of(page);
    let changes = data["changes"].as_array().unwrap().iter();
    changes
        .map(|change| {
            members
                .iter()
                .map(|member| change[*member].clone())
                .collect()
        })
        .collect()
}

#[test]
fn what_widens_access_comes_first_even_before_what_is_deleted() {
    let all = listed(
        &page(&mixed(), &TrustMap::default(), &Secrets::default()),
        &["widens", "action"],
    );
    let widening = all.iter().take_while(|one| one[0] == true).count();
    assert_eq!(widening, 2, "{all:?}");
    assert!(
        all.iter().skip(widening).all(|one| one[0] == false),
        "{all:?}"
    );
    assert_eq!(all[widening][1], "delete");
}

#[test]
fn a_page_about_drift_lists_what_was_done_and_by_whom() {
    let page = page_of(&drifted(), &Secrets::default());
    let all = listed(&page, &["standing", "name", "action", "widens"]);
    let said: Vec<String> = all
        .iter()
        .map(|one| {
            one.iter()
                .map(|word| word.to_string().replace('"', ""))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(
        said,
        [
            "hand Auditor differs true",
            "hand Gone is missing false",
            "hand Again differs false",
            "hand Several differs false",
            "both Moved differs false",
            "unknown Unrecorded differs false",
            "accepted Several differs true",
            "pending Due is to be updated true",
            "pending Several is to be updated false",
        ]
    );
    let data = data_of(&page);
    let accepted = data["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["standing"] == "accepted")
        .unwrap();
    assert_eq!(
        accepted["reason"],
        "managed_policies until 2026-02-01: break glass, ticket 7"
    );
    let texts: Vec<&str> = data["texts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    let accepted = texts[usize::try_from(accepted["text"].as_u64().unwrap()).unwrap()];
    assert!(
        accepted.contains("+ arn:aws:iam::aws:policy/AdministratorAccess"),
        "what is live and not desired: {accepted}"
    );
    assert_eq!(
        (&data["refusal"], &data["findings"][0]["weight"]),
        (&Value::Null, &json!("note"))
    );
    for word in [
        "<title>rolecall drift of vendor-roles</title>",
        "Filter the drift",
        "checked <time>",
        "Drift in 3 accounts",
    ] {
        assert!(page.contains(word), "{word}");
    }
    for word in ["planned <time>", "rolecall plan"] {
        assert!(!page.contains(word), "{word}");
    }
    let table = page
        .split_once("<noscript>")
        .unwrap()
        .1
        .split_once("</noscript>")
        .unwrap()
        .0;
    for word in [
        "<td>changed by hand: is missing</td><td>role Gone</td>",
        "<td>wider than desired</td>",
        "<td>accepted: differs</td>",
        "until 2026-02-01: break glass, ticket 7</td>",
    ] {
        assert!(table.contains(word), "{word} in {table}");
    }
    let mut secrets = Secrets::default();
    secrets.insert("ticket 7");
    assert!(!page_of(&drifted(), &secrets).contains("ticket 7"));
}

#[test]
fn equal_changes_and_equal_differences_stand_once() {
    let accounts = (0..1000).map(|n| {
        let id = format!("{:012}", 200_000_000_000_u64 + n);
        let renamed = |name: &str| crate::plan::Change {
            address: format!("{id}/role/{name}"),
            ..update(&id)
        };
        account(
            &id,
            &format!("workload-{n:04}"),
            vec![update(&id), renamed("Other")],
        )
    });
    let page = page(
        &plan_of(accounts.collect(), vec![]),
        &TrustMap::default(),
        &Secrets::default(),
    );
    let data = data_of(&page);
    assert_eq!(data["changes"].as_array().unwrap().len(), 2);
    assert_eq!(data["texts"].as_array().unwrap().len(), 1);
    assert!(page.len() < 250_000, "{}", page.len());
}

#[test]
fn without_scripts_the_changes_are_a_table() {
    let page = page(&mixed(), &TrustMap::default(), &Secrets::default());
    let (_, rest) = page.split_once("<noscript>").unwrap();
    let table = rest.split_once("</noscript>").unwrap().0;
    for word in [
        "<td>delete</td><td>role OldAuditor</td><td>prod (222222222222), dev (333333333333)</td>",
        "widens access",
    ] {
        assert!(table.contains(word), "{word} in {table}");
    }
}
