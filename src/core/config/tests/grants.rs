//! Grants, as written and as expanded.

use super::*;
use crate::org::Partition;

/// Roles `Reader` in production and `Gone`, which should be absent there, and these grants.
fn with_roles(grants: &str) -> String {
    format!(
        "
[vars]
reader = \"log-reader\"
[[role]]
name = \"Reader\"
path = \"/logs/\"
targets = [{{ account = \"prod\" }}]
[[role.trust]]
aws = \"111111111111\"
[[role]]
name = \"Everywhere\"
targets = \"all\"
when = \"account.name != 'management'\"
[[role.trust]]
aws = \"111111111111\"
[[role]]
name = \"Gone\"
targets = \"all\"
ensure = \"absent\"
[[role.trust]]
aws = \"111111111111\"
{grants}"
    )
}

fn grant(role: &str, selector: &str, to: &str) -> String {
    format!("[[grant]]\nrole = \"{role}\"\nin = {selector}\nto = [{to}]\n")
}

/// What is granted, as `account kind/name: roles`.
fn granted(expansion: &Expansion) -> Vec<String> {
    let of = |account: &AccountId, grant: &crate::resource::grant::Grant| {
        let roles: Vec<&str> = grant.roles.iter().map(String::as_str).collect();
        format!("{account} {}: {}", grant.principal, roles.join(" "))
    };
    let desired = &expansion.desired;
    let inside = desired
        .accounts
        .iter()
        .flat_map(|(id, holds)| holds.grants.values().map(|grant| of(id, grant)));
    inside
        .chain(
            desired
                .outside
                .iter()
                .map(|one| format!("outside {}", of(&one.account, &one.grant))),
        )
        .collect()
}

const PROD: &str = "{ account = \"prod\" }";

#[test]
fn grants_are_one_policy_for_each_principal() {
    let text = [
        grant("Reader", PROD, "{ account = \"000000000003\", user = \"{{ var.reader }}\" }, { account = \"management\", group = \"ops\" }"),
        grant("Everywhere", "[{ account = \"prod\" }, { account = \"dev\" }]", "{ account = \"dev\", user = \"LOG-reader\" }, { account = \"999999999999\", role = \"Z\" }"),
        grant("Everywhere", PROD, "{ account = \"dev\", role = \"for-{{ account.name }}\" }"),
        grant("Reader", PROD, "{ account = \"dev\", user = \"nobody\" }") + "when = \"var.reader == 'x'\"\n",
    ]
    .concat();
    assert_eq!(
        granted(&expanded(&with_roles(&text))),
        [
            "000000000001 group/ops: arn:aws:iam::000000000002:role/logs/Reader",
            "000000000003 role/for-prod: arn:aws:iam::000000000002:role/Everywhere",
            "000000000003 user/log-reader: arn:aws:iam::000000000002:role/Everywhere arn:aws:iam::000000000002:role/logs/Reader \
             arn:aws:iam::000000000003:role/Everywhere",
            "outside 999999999999 role/Z: arn:aws:iam::000000000002:role/Everywhere arn:aws:iam::000000000003:role/Everywhere",
        ]
    );
}

#[test]
fn the_partition_is_the_callers() {
    let mut organization = organization();
    organization.partition = Partition("aws-cn".to_owned());
    let text = with_roles(&grant(
        "Reader",
        PROD,
        "{ account = \"dev\", user = \"u\" }",
    ));
    let expansion = accepted(&text)
        .expand(&organization, &NarrowScope::default())
        .unwrap();
    assert_eq!(
        granted(&expansion),
        ["000000000003 user/u: arn:aws-cn:iam::000000000002:role/logs/Reader"]
    );
}

#[test]
fn an_account_that_only_holds_grantees_is_a_target_and_an_inactive_one_is_skipped() {
    let roles = "
[[role]]
name = \"Reader\"
targets = [{ account = \"prod\" }]
[[role.trust]]
aws = \"111111111111\"
";
    let to = "{ account = \"dev\", user = \"u\" }, { account = \"old\", user = \"u\" }";
    let expansion = expanded(&(roles.to_owned() + &grant("Reader", PROD, to)));
    assert_eq!(ids(&expansion), ["000000000002", "000000000003"]);
    assert_eq!(
        expansion.desired.skipped.values().collect::<Vec<_>>(),
        ["SUSPENDED"]
    );
}

#[test]
fn a_narrowed_run_keeps_a_principals_policy_whole() {
    let text = with_roles(
        &[
            grant(
                "Reader",
                PROD,
                "{ account = \"dev\", user = \"u\" }, { account = \"management\", user = \"u\" }",
            ),
            grant(
                "Everywhere",
                PROD,
                "{ account = \"dev\", user = \"u\" }, { account = \"dev\", user = \"other\" }",
            ),
            grant(
                "Reader",
                PROD,
                "{ account = \"999999999999\", user = \"z\" }",
            ),
        ]
        .concat(),
    );
    let narrowed = |accounts: &[&str], roles: &[&str]| {
        let strings = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let scope = NarrowScope::parse(&strings(accounts), &strings(roles));
        granted(&accepted(&text).expand(&organization(), &scope).unwrap())
    };
    let both = "000000000003 user/u: arn:aws:iam::000000000002:role/Everywhere arn:aws:iam::000000000002:role/logs/Reader";
    let other = "000000000003 user/other: arn:aws:iam::000000000002:role/Everywhere";
    assert_eq!(narrowed(&["dev"], &[]), [other, both]);
    assert_eq!(narrowed(&["prod"], &[]), Vec::<String>::new());
    assert_eq!(narrowed(&["prod", "dev"], &["Reader"]), [both]);
}

#[test]
fn what_no_grant_can_be_is_refused_without_aws() {
    for (to, expect) in [
        (
            "{ account = \"prod\", user = \"root\" }",
            &["`Reader`", "root", "cannot assume roles"][..],
        ),
        (
            "{ account = \"prod\" }",
            &["no principal in it", "one of user, group and role"],
        ),
        (
            "{ account = \"prod\", user = \"a\", role = \"b\" }",
            &["several principals"],
        ),
        ("{ user = \"a\" }", &["has no `account`"]),
        (
            "{ account = \"prod\", user = \"a b\" }",
            &["user name `a b`"],
        ),
        (
            "{ account = \"1234567890\", user = \"a\" }",
            &["is not an account id", "12 digits"],
        ),
        (
            "{ account = \"prod\", users = \"a\" }",
            &["unknown key `users`", "did you mean `user`?"],
        ),
        ("", &["has an empty `to`"]),
    ] {
        refused(&with_roles(&grant("Reader", PROD, to)), expect);
    }
    let to = "{ account = \"prod\", user = \"a\" }";
    refused(
        &with_roles(&grant("Raeder", PROD, to)),
        &[
            "`Raeder` is not a role of this directory",
            "did you mean `Reader`?",
        ],
    );
    refused(
        &with_roles(&format!("[[grant]]\nrole = \"Reader\"\nto = [{to}]\n")),
        &["has no `in`"],
    );
    refused(
        &with_roles(&grant("Reader", "{ acount = \"prod\" }", to)),
        &["unknown key `acount`"],
    );
}

#[test]
fn a_grant_of_what_is_not_there_is_refused() {
    let to = "{ account = \"prod\", user = \"a\" }";
    for (role, selector, to, expect) in [
        (
            "Reader",
            "{ account = \"dev\" }",
            to,
            &["role `Reader`", "in account 000000000003"][..],
        ),
        (
            "Everywhere",
            "{ account = \"management\" }",
            to,
            &["role `Everywhere`", "in account 000000000001"],
        ),
        (
            "Gone",
            PROD,
            to,
            &["role `Gone`", "in account 000000000002"],
        ),
        (
            "{{ 'Raeder' if account.id else '' }}",
            PROD,
            to,
            &["`Raeder` is not a role", "did you mean `Reader`?"],
        ),
        (
            "Reader",
            "{ account = \"000000000009\" }",
            to,
            &["account 000000000009 does not exist"],
        ),
        (
            "Reader",
            PROD,
            "{ account = \"prd\", user = \"a\" }",
            &["no account of organization", "did you mean `prod`?"],
        ),
    ] {
        not_expanded(&with_roles(&grant(role, selector, to)), expect);
    }
}

#[test]
fn accounts_are_asked_for_their_tags_where_a_grant_needs_them() {
    let text = with_roles(&grant(
        "Everywhere",
        "{ tags = { env = \"prod\" } }",
        "{ account = \"dev\", user = \"u\" }",
    ));
    let scope = NarrowScope::parse(&["dev".to_owned()], &[]);
    let config = accepted(&text);
    assert!(
        config
            .tag_candidates(&organization(), &scope)
            .contains(&AccountId::parse("000000000002").unwrap())
    );
    assert_eq!(
        granted(&config.expand(&organization(), &scope).unwrap()).len(),
        1
    );
}

#[test]
fn a_module_grants_its_roles_and_is_named_where_it_cannot() {
    let role = "[vars]\nreader = { type = \"string\" }\n[[role]]\nname = \"Reader\"\ntargets = [{ account = \"prod\" }]\n[[role.trust]]\naws = \"111111111111\"\n";
    let to = "{ account = \"dev\", user = \"{{ var.reader }}\" }";
    let root =
        "name = \"test\"\n[[module]]\nsource = \"kit\"\nvars = { reader = \"log-reader\" }\n";
    for (selector, expect) in [
        (
            PROD,
            Ok("000000000003 user/log-reader: arn:aws:iam::000000000002:role/Reader"),
        ),
        ("{ account = \"dev\" }", Err("kit")),
    ] {
        let kit = format!("name = \"kit\"\n{role}{}", grant("Reader", selector, to));
        let config = world(&[("rolecall.toml", root), ("kit/rolecall.toml", &kit)])
            .load()
            .unwrap();
        match (
            config.expand(&organization(), &NarrowScope::default()),
            expect,
        ) {
            (Ok(expansion), Ok(expect)) => assert_eq!(granted(&expansion), [expect]),
            (Err(problems), Err(module)) => {
                let shown = problems.to_string();
                assert!(
                    shown.contains("role `Reader`")
                        && shown.contains("module")
                        && shown.contains(module),
                    "{shown}"
                );
            }
            (got, _) => panic!("{got:?}"),
        }
    }
}
