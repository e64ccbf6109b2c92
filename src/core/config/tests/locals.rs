//! `[locals]`: what they may be made of, who sees them, and what is said of those without a value.

use super::*;

const USE: &str = "
[[role]]
name = \"{{ local.name }}\"
targets = \"all\"
description = \"{{ local.text }}\"
[[role.trust]]
aws = \"{{ local.trusted }}\"
[[role.trust]]
when = \"local.more\"
aws = \"333333333333\"
";

fn described(expansion: &Expansion) -> Vec<String> {
    let held = expansion.desired.accounts.iter();
    held.flat_map(|(id, held)| {
        held.roles.values().map(move |role| {
            format!(
                "{} {} {} {}",
                &id.as_str()[11..],
                role.name,
                role.description.as_deref().unwrap_or_default(),
                role.trust.statements().len()
            )
        })
    })
    .collect()
}

#[test]
fn a_local_is_made_of_variables_the_account_and_other_locals_whatever_their_order() {
    let text = format!(
        "
[vars]
suffix = \"x\"
[locals]
name = \"{{{{ local.prefix ~ '-' ~ var.suffix }}}}\"
text = \"{{{{ local.trusted | join('+') }}}} in {{{{ account.name }}}} of {{{{ local.partition }}}}\"
partition = \"{{{{ partition }}}}\"
prefix = \"R\"
trusted = [\"111111111111\", \"{{{{ local.second }}}}\"]
second = \"222222222222\"
more = \"{{{{ account.name == 'prod' and local.prefix == 'R' }}}}\"
{USE}"
    );
    assert_eq!(
        described(&expanded(&text)),
        [
            "1 R-x 111111111111+222222222222 in management of aws 1",
            "2 R-x 111111111111+222222222222 in prod of aws 2",
            "3 R-x 111111111111+222222222222 in dev of aws 1",
        ]
    );
}

#[test]
fn a_local_differs_where_an_account_has_a_value_of_its_own() {
    let text = format!(
        "
[vars]
more = false
[account.prod.vars]
more = true
[locals]
name = \"R\"
text = \"t\"
trusted = \"111111111111\"
more = \"{{{{ local.again }}}}\"
again = \"{{{{ var.more }}}}\"
{USE}"
    );
    assert_eq!(
        described(&expanded(&text)),
        ["1 R t 1", "2 R t 2", "3 R t 1"]
    );
}

#[test]
fn what_a_local_lacks_is_said_where_it_is_used_and_nowhere_else() {
    refused(
        &format!(
            "
[vars]
who = {{ type = \"account_id\", description = \"whom to trust\" }}
[locals]
name = \"R\"
text = \"t\"
trusted = \"{{{{ local.inner }}}}\"
inner = \"{{{{ var.who }}}}\"
more = true
{USE}"
        ),
        &["variable `who` (whom to trust) is required and has no value: `trust.aws` of"],
    );
    accepted(
        "
[vars]
who = { type = \"account_id\" }
[locals]
unused = \"{{ var.who }}\"
odd = \"{{ 'a' | int }}\"
[[role]]
name = \"R\"
targets = \"all\"
[[role.trust]]
aws = \"111111111111\"
[[role.trust]]
when = \"false\"
aws = \"{{ local.unused }}\"
",
    );
    refused(
        &("[locals]\nodd = \"{{ 'a' | int }}\"\n".to_owned()
            + &ROLE.replace("111111111111", "{{ local.odd }}")),
        &["`'a' | int` in `trust.aws` of role `R`"],
    );
}

#[test]
fn locals_that_cannot_be_are_refused() {
    let role = ROLE;
    for (locals, expect) in [
        ("a = \"{{ local.a }}\"", "local `a` uses itself: a → a"),
        (
            "a = \"{{ local.b }}\"\nb = \"{{ local.c }}\"\nc = \"{{ local.b }}\"",
            "local `b` uses itself: b → c → b",
        ),
        ("a = \"{{ local.bb }}\"\nbc = \"x\"", "did you mean `bc`?"),
        (
            "a = \"{{ var.b }}\"",
            "`b` is not a variable of this directory",
        ),
        ("a = { b = 1 }", "local `a` cannot hold a table"),
        ("a = [[{ b = 1 }]]", "local `a` cannot hold a table"),
        ("\"a-b\" = 1", "`a-b` cannot name a local"),
        ("a = \"{{ local | length }}\"", "uses all locals"),
        ("a = \"{{ role.name }}\"", "`role` is unknown"),
        ("a = \"{{ (1 }}\"", "is not an expression"),
    ] {
        refused(
            &format!("[locals]\n{locals}\n{role}"),
            &[expect, "rolecall.toml:"],
        );
    }
    refused(
        &ROLE.replace("111111111111", "{{ local.x }}"),
        &["`x` is not a local of this directory", "[locals] x = \"…\""],
    );
}

#[test]
fn each_directory_has_locals_of_its_own_and_a_module_takes_them_as_inputs() {
    let module = "
name = \"kit\"
[vars]
who = \"111111111111\"
[locals]
name = \"kit-{{ var.who }}-{{ account.name }}\"
[[role]]
name = \"{{ local.name }}\"
targets = [{ account = \"prod\" }]
[[role.trust]]
aws = \"{{ var.who }}\"
";
    let root = "
name = \"root\"
[locals]
name = \"444444444444\"
of_account = \"{{ account.id }}\"
[[module]]
source = \"kit\"
[[module]]
source = \"kit\"
vars = { who = \"{{ local.name }}\" }
[[module]]
source = \"kit\"
vars = { who = \"{{ local.of_account }}\" }
";
    let world = world(&[("rolecall.toml", root), ("kit/rolecall.toml", module)]);
    let config = world.load().unwrap_or_else(|problems| panic!("{problems}"));
    let expansion = config
        .expand(&organization(), &NarrowScope::default())
        .unwrap_or_else(|problems| panic!("{problems}"));
    let names: Vec<String> = expansion
        .desired
        .accounts
        .values()
        .flat_map(|held| held.roles.values().map(|role| role.name.to_string()))
        .collect();
    assert_eq!(
        names,
        [
            "kit-000000000002-prod",
            "kit-111111111111-prod",
            "kit-444444444444-prod"
        ]
    );
    let outside = module.replace("{{ local.name }}", "{{ local.of_account }}");
    let world = super::world(&[("rolecall.toml", root), ("kit/rolecall.toml", &outside)]);
    assert!(
        world
            .rendered()
            .contains("`of_account` is not a local of this directory")
    );
}

#[test]
fn what_is_made_of_a_sensitive_variable_is_sensitive() {
    let text = "
[vars]
secret = { type = \"string\", sensitive = true, default = \"hush-hush\" }
[locals]
made = \"{{ local.inner }}-{{ account.name }}\"
inner = \"{{ var.secret | upper }}\"
[[role]]
name = \"R\"
targets = \"all\"
[[role.trust]]
aws = \"111111111111\"
external_id = \"{{ local.made }}\"
";
    let expansion = expanded(text);
    assert_eq!(
        expansion.desired.secrets.mask("HUSH-HUSH-prod"),
        expansion.desired.secrets.mask("hush-hush")
    );
}

#[test]
fn a_check_and_a_setting_see_locals() {
    let text = format!(
        "
[organization]
access_role = \"{{{{ local.access }}}}\"
[locals]
access = \"Enter\"
prefix = \"X\"
[[check]]
for = \"role\"
assert = \"role.name is startingwith local.prefix\"
message = \"{{{{ local.prefix }}}} is missing\"
{ROLE}"
    );
    let config = accepted(&text);
    assert_eq!(config.access().default_role, "Enter");
    assert!(
        config
            .findings()
            .iter()
            .any(|found| found.message.starts_with("X is missing"))
    );
}

#[test]
fn tags_of_accounts_are_read_for_a_local_that_asks_for_them() {
    let text = "
[locals]
env = \"{{ account.tags.env | default('none') }}\"
[[role]]
name = \"R\"
targets = \"all\"
description = \"{{ local.env }}\"
[[role.trust]]
aws = \"111111111111\"
";
    let config = accepted(text);
    assert!(config.reads_account_tags());
    assert_eq!(
        config
            .tag_candidates(&organization(), &NarrowScope::default())
            .len(),
        4
    );
}
