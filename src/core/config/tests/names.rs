//! One name in several `[[role]]` or `[[policy]]`: allowed where their targets do not meet.

use super::*;

fn role(name: &str, account: &str, more: &str) -> String {
    format!(
        "[[role]]\nname = \"{name}\"\ntargets = {account}\ndescription = 'of {}'\n{more}\n[[role.trust]]\naws = \"111111111111\"\n",
        account.replace('\'', "")
    )
}

fn policy(name: &str, more: &str, action: &str) -> String {
    format!(
        "[[policy]]\nname = \"{name}\"\n{more}\n[[policy.statement]]\nactions = \"{action}\"\nresources = \"*\"\n"
    )
}

#[track_caller]
fn meets(text: &str, expect: &[&str]) {
    let problems = accepted(text)
        .expand(&organization(), &NarrowScope::default())
        .expect_err("they should meet")
        .to_string();
    for expect in expect {
        assert!(
            problems.contains(expect),
            "`{expect}` is missing in\n{problems}"
        );
    }
}

const PROD: &str = "[{ account = \"prod\" }]";
const DEV: &str = "[{ account = \"dev\" }]";

#[test]
fn roles_of_one_name_whose_targets_do_not_meet_are_one_role_per_account() {
    let expansion = expanded(&(role("Automation", PROD, "") + &role("automation", DEV, "")));
    let held: Vec<String> = expansion
        .desired
        .accounts
        .iter()
        .flat_map(|(id, held)| {
            held.roles.values().map(move |role| {
                format!("{id} {} {}", role.name, role.description.clone().unwrap())
            })
        })
        .collect();
    assert_eq!(
        held,
        [
            "000000000002 Automation of [{ account = \"prod\" }]",
            "000000000003 automation of [{ account = \"dev\" }]"
        ]
    );
}

#[test]
fn the_same_holds_over_modules_and_with_exclusive_conditions_on_the_account() {
    let module = |account: &str| {
        format!(
            "name = \"x\"\n{}",
            role(
                "Automation",
                &format!("[{{ account = \"{account}\" }}]"),
                ""
            )
        )
    };
    let root = "name = \"root\"\n[[module]]\nsource = \"a\"\n[[module]]\nsource = \"b\"\n";
    let world = world(&[
        ("rolecall.toml", root),
        ("a/rolecall.toml", &module("prod")),
        ("b/rolecall.toml", &module("dev")),
    ]);
    let config = world.load().unwrap_or_else(|problems| panic!("{problems}"));
    let expansion = config
        .expand(&organization(), &NarrowScope::default())
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(expansion.desired.accounts.len(), 2);
    let by_account = role("R", "\"all\"", "when = \"account.name == 'prod'\"")
        + &role("R", "\"all\"", "when = \"account.name != 'prod'\"");
    assert_eq!(expanded(&by_account).desired.accounts.len(), 3);
}

#[test]
fn where_they_meet_the_error_names_the_accounts() {
    let workloads = "[{ ou = \"Workloads\" }]";
    meets(
        &(role("R", workloads, "") + &role("R", PROD, "")),
        &[
            "role `R` is written twice, first at",
            "(in account 000000000002)",
            "targets that do not meet",
        ],
    );
    meets(
        &(role("R", workloads, "") + &role("r", "\"all\"", "")),
        &[
            "role `r` and role `R` at",
            "differ in case only (in accounts 000000000002, 000000000003)",
        ],
    );
    meets(
        &(role("R", "\"all\"", "when = \"account.name != 'dev'\"")
            + &role("R", "\"all\"", "when = \"account.name != 'prod'\"")),
        &["(in account 000000000001)"],
    );
    // What must meet needs no organization.
    refused(
        &(role("R", PROD, "") + &role("R", PROD, "")),
        &["role `R` is written twice", "keep one of them"],
    );
    refused(
        &(policy("P", "", "s3:Get*") + &policy("P", "", "s3:List*")),
        &["policy `P` is written twice"],
    );
}

#[test]
fn of_two_policies_of_one_name_the_one_that_targets_the_account_is_meant() {
    let policies = policy("P", "targets = [{ account = \"prod\" }]", "s3:Get*")
        + &policy("P", "targets = [{ account = \"dev\" }]", "s3:List*");
    let attached = "managed_policies = [\"local:P\"]";
    let text = policies.clone() + &role("R", "[{ ou = \"Workloads\" }]", attached);
    let desired = expanded(&text).desired;
    let actions: Vec<String> = desired
        .accounts
        .values()
        .flat_map(|held| {
            held.policies.values().map(|policy| {
                policy.document.statements()[0]
                    .actions
                    .patterns
                    .iter()
                    .next()
                    .unwrap()
                    .clone()
            })
        })
        .collect();
    assert_eq!(actions, ["s3:get*", "s3:list*"]);
    // Neither is meant in a third account, where a role names it.
    meets(
        &(policies.clone() + &role("R", "\"all\"", attached)),
        &["policy `P` is written twice", "(in account 000000000001)"],
    );
    // One without targets goes wherever a role names it.
    meets(
        &(policy("P", "targets = [{ account = \"prod\" }]", "s3:Get*")
            + &policy("P", "", "s3:List*")
            + &role("R", PROD, attached)),
        &["policy `P` is written twice", "(in account 000000000002)"],
    );
}

#[test]
fn lints_and_checks_see_both() {
    let text = role("R", PROD, "")
        + &role("R", DEV, "max_session_duration = \"2h\"")
        + "[[check]]\nfor = \"role\"\nassert = \"role.max_session_duration < 7200\"\nmessage = \"long\"\n";
    assert_eq!(accepted(&text).findings().len(), 1);
    let text = role("R", PROD, "max_session_duration = \"2h\"")
        + &role("R", DEV, "")
        + "[[check]]\nfor = \"role\"\nassert = \"role.max_session_duration < 7200\"\nmessage = \"long\"\n";
    let config = accepted(&text);
    assert_eq!(
        (config.findings().len(), config.stand_in().roles.len()),
        (1, 2)
    );
}
