//! Selectors that a `when` or an empty list turns off.

use super::*;

fn targeted(text: &str) -> Vec<String> {
    let expansion = expanded(text);
    let held = expansion
        .desired
        .accounts
        .iter()
        .filter(|(_, held)| !held.roles.is_empty());
    held.map(|(id, _)| id.as_str()[11..].to_owned()).collect()
}

fn role(targets: &str) -> String {
    ROLE.replace("targets = \"all\"", targets)
}

#[test]
fn a_selector_whose_when_is_false_selects_nothing_in_targets_and_excludes_nothing() {
    for (on, targets, expect) in [
        (
            true,
            "targets = [{ account = \"prod\", when = \"var.on\" }, { account = \"dev\" }]",
            "2 3",
        ),
        (
            false,
            "targets = [{ account = \"prod\", when = \"var.on\" }, { account = \"dev\" }]",
            "3",
        ),
        (
            false,
            "targets = [{ ou = \"Workloads\", when = \"local.on\" }]",
            "",
        ),
        (
            true,
            "targets = [{ ou = \"Workloads\", when = \"local.on and organization.id is startingwith 'o-'\" }]",
            "2 3",
        ),
        (
            true,
            "targets = \"all\"\nexclude = [{ account = \"prod\", when = \"var.on\" }]",
            "1 3",
        ),
        (
            false,
            "targets = \"all\"\nexclude = [{ account = \"prod\", when = \"var.on\" }]",
            "1 2 3",
        ),
    ] {
        let text = format!(
            "[vars]\non = {on}\n[locals]\non = \"{{{{ var.on }}}}\"\n{}",
            role(targets)
        );
        assert_eq!(targeted(&text).join(" "), expect, "{targets}");
    }
}

#[test]
fn an_empty_list_in_a_selector_selects_nothing_and_excludes_nothing() {
    for (targets, expect) in [
        ("targets = [{ account = [] }, { account = \"dev\" }]", "3"),
        ("targets = [{ account = \"{{ var.none }}\" }]", ""),
        ("targets = [{ account = [\"{{ var.none }}\"] }]", ""),
        (
            "targets = [{ ou = \"{{ var.none }}\", account = \"prod\" }]",
            "",
        ),
        (
            "targets = [{ tags = { env = [] } }, { account = \"prod\" }]",
            "2",
        ),
        (
            "targets = \"all\"\nexclude = [{ account = \"{{ var.none }}\" }]",
            "1 2 3",
        ),
    ] {
        let text = format!(
            "[vars]\nnone = {{ type = \"list\", default = [] }}\n{}",
            role(targets)
        );
        assert_eq!(targeted(&text).join(" "), expect, "{targets}");
    }
    let warnings = expanded(&role("targets = [{ account = [] }]")).warnings;
    assert!(
        warnings
            .iter()
            .any(|one| one.message.contains("{ account = [] } matches no account")),
        "{warnings:?}"
    );
}

#[test]
fn a_when_that_selectors_cannot_have_is_refused() {
    for (targets, expect) in [
        (
            "targets = [{ when = \"true\" }]",
            "a selector with `when` alone",
        ),
        (
            "targets = [{ account = \"prod\", when = \"account.name == 'x'\" }]",
            "differs between accounts",
        ),
        (
            "targets = [{ account = \"prod\", when = \"var.on\" }]",
            "differs between accounts",
        ),
        (
            "targets = [{ account = \"prod\", when = \"local.x\" }]",
            "differs between accounts",
        ),
        (
            "targets = \"all\"\nexclude = [{ account = \"prod\", when = \"var.on\" }]",
            "differs between accounts",
        ),
        (
            "targets = [{ account = \"prod\", when = \"{{ var.on }}\" }]",
            "a condition is written without",
        ),
        (
            "targets = [{ account = \"prod\", when = \"var.of\" }]",
            "did you mean `on`?",
        ),
        (
            "targets = [{ account = \"prod\", when = \"'x'\" }]",
            "it must give true or false",
        ),
        (
            "targets = [{ account = \"\" }]",
            "`account` of this selector has no value",
        ),
        (
            "targets = [{ tags = {} }]",
            "`tags` of this selector has no value",
        ),
    ] {
        refused(
            &format!(
                "[vars]\non = true\n[account.prod.vars]\non = false\n[locals]\nx = \"{{{{ account.id == 'x' }}}}\"\n{}",
                role(targets)
            ),
            &[expect, "rolecall.toml:"],
        );
    }
}

#[test]
fn a_grant_and_a_policy_have_such_selectors_too() {
    let text = format!(
        "[vars]
on = false
{ROLE}
[[grant]]
role = \"R\"
in = [{{ account = \"prod\", when = \"var.on\" }}, {{ account = \"dev\" }}]
to = [{{ account = \"management\", user = \"u\" }}]
[[policy]]
name = \"P\"
targets = [{{ account = \"dev\", when = \"not var.on\" }}, {{ account = \"prod\", when = \"var.on\" }}]
[[policy.statement]]
actions = \"s3:GetObject\"
resources = \"*\"
"
    );
    let desired = expanded(&text).desired;
    let grants: Vec<_> = desired
        .accounts
        .values()
        .flat_map(|held| held.grants.values())
        .collect();
    assert_eq!(
        grants[0]
            .roles
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        ["arn:aws:iam::000000000003:role/R"]
    );
    let policies: Vec<&str> = desired
        .accounts
        .iter()
        .filter(|(_, held)| !held.policies.is_empty())
        .map(|(id, _)| id.as_str())
        .collect();
    assert_eq!(policies, ["000000000003"]);
}

#[test]
fn a_name_that_two_accounts_share_is_told_wherever_a_selector_uses_it() {
    let mut organization = organization();
    for account in organization.accounts.values_mut() {
        if account.name == "dev" {
            account.name = "prod".to_owned();
        }
    }
    let config = accepted(&role("targets = [{ account = \"prod\" }]"));
    let expansion = config
        .expand(&organization, &NarrowScope::default())
        .unwrap();
    let said = expansion
        .warnings
        .iter()
        .map(|one| one.message.as_str())
        .collect::<Vec<_>>();
    assert_eq!(
        said,
        ["2 accounts are called `prod`, and this selects all of them: 000000000002, 000000000003"]
    );
}
