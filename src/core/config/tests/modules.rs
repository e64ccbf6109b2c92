//! `[[module]]`: what goes in, what comes out, and where its errors say they are.

use super::*;

const KIT: &str = "
name = \"Ignored Name\"
[organization]
id = \"o-ignoredignored\"
[vars]
suffix = { type = \"string\", default = \"x\" }
trusted = { type = \"account_id\", description = \"whom to trust\" }
external_id = { type = \"uuid4\", sensitive = true, default = \"\" }
[[role]]
name = \"Kit-{{ var.suffix }}\"
targets = [{ account = \"prod\" }]
description = \"{{ var.suffix }}\"
[[role.trust]]
aws = \"{{ var.trusted }}\"
[[role.trust]]
when = \"var.suffix == 'id'\"
aws = \"{{ var.trusted }}\"
external_id = \"{{ var.external_id }}\"
";

fn kit(body: &str) -> World {
    world(&[
        ("rolecall.toml", &format!("name = \"root\"\n{body}")),
        ("kits/a/rolecall.toml", KIT),
    ])
}

#[track_caller]
fn shows(world: &World, expect: &[&str]) {
    let shown = world.rendered();
    for text in expect {
        assert!(shown.contains(text), "`{text}` is missing in\n{shown}");
    }
}

#[track_caller]
fn expand(world: &World) -> Expansion {
    let config = world.load().unwrap_or_else(|problems| panic!("{problems}"));
    config
        .expand(&organization(), &NarrowScope::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn roles(expansion: &Expansion) -> Vec<String> {
    let held = expansion.desired.accounts.iter();
    held.flat_map(|(id, held)| {
        held.roles
            .values()
            .map(move |role| format!("{} {}", &id.as_str()[11..], role.name))
    })
    .collect()
}

#[test]
fn a_module_is_used_as_often_as_it_is_named() {
    let world = kit("
[vars]
base = \"b\"
[[module]]
source = \"kits/a\"
vars = { suffix = \"{{ var.base }}-one\", trusted = \"111111111111\" }
[[module]]
source = \"kits/a\"
vars = { suffix = \"two\", trusted = \"222222222222\" }
");
    let expansion = expand(&world);
    assert_eq!(roles(&expansion), ["2 Kit-b-one", "2 Kit-two"]);
    assert_eq!(expansion.desired.name, "root");
    assert_eq!(world.load().unwrap().organization_id(), None);
    let with_var = kit("[vars]\nbase = \"b\"\n[[module]]\nsource = \"kits/a\"\nvars = { suffix = \"{{ var.base }}\", trusted = \"111111111111\" }").var("base=c");
    assert_eq!(roles(&expand(&with_var)), ["2 Kit-c"]);
    // Values from outside are for the root alone.
    let shown = kit("[[module]]\nsource = \"kits/a\"\nvars.trusted = \"111111111111\"")
        .var("suffix=c")
        .rendered();
    assert!(
        shown.contains("`suffix` is not a variable of this directory"),
        "{shown}"
    );
    let mut from_env = kit("[[module]]\nsource = \"kits/a\"\nvars.trusted = \"111111111111\"");
    from_env
        .inputs
        .env
        .insert("ROLECALL_VAR_suffix".to_owned(), "env".to_owned());
    assert_eq!(roles(&expand(&from_env)), ["2 Kit-x"]);
}

#[test]
fn inputs_may_hang_on_the_account() {
    let both = KIT.replace("account = \"prod\"", "account = [\"prod\", \"dev\"]");
    let main = "name = \"root\"
[vars]
own = \"d\"
[account.prod.vars]
own = \"p\"
[[module]]
source = \"kit\"
vars = { suffix = \"{{ var.own }}-{{ account.tags.env }}\", trusted = \"{{ account.id }}\" }
";
    let world = world(&[("rolecall.toml", main), ("kit/rolecall.toml", &both)]);
    let expansion = expand(&world);
    assert_eq!(roles(&expansion), ["2 Kit-p-prod", "3 Kit-d-dev"]);
    let trust = expansion
        .desired
        .accounts
        .values()
        .flat_map(|held| held.roles.values())
        .next()
        .unwrap();
    assert!(trust.trust.text().contains("000000000002"));
    let candidates = world
        .load()
        .unwrap()
        .tag_candidates(&organization(), &NarrowScope::default());
    assert_eq!(candidates.len(), 2);
}

#[test]
fn an_error_in_a_module_says_which_use_of_it() {
    let given = |vars: &str| {
        kit(&format!(
            "[[module]]\nsource = \"kits/a\"\nvars = {{ {vars} }}"
        ))
    };
    shows(
        &given(""),
        &[
            "variable `trusted` (whom to trust) is required and has no value",
            "kits/a/rolecall.toml:14:",
            "in module kits/a, from rolecall.toml:2",
            "set it in the `vars` of the module at rolecall.toml:2",
        ],
    );
    shows(
        &given("trusted = \"1\""),
        &["rolecall.toml:4:20", "`trusted`", "12 digits"],
    );
    shows(
        &given("trusted = \"111111111111\", external_id = \"hunter2\""),
        &["rolecall.toml:4:", "`external_id`", "UUIDv4"],
    );
    assert!(
        !given("trusted = \"111111111111\", external_id = \"hunter2\"")
            .rendered()
            .contains("hunter2")
    );
    shows(
        &given("trused = \"1\""),
        &[
            "`trused` is not a variable of this module",
            "did you mean `trusted`?",
        ],
    );
    shows(
        &given("trusted = \"{{ var.nope }}\""),
        &[
            "`nope` is not a variable of this directory",
            "rolecall.toml:4:",
        ],
    );
    shows(
        &given("trusted = \"111111111111\", suffix = true"),
        &["`suffix`", "must be a string, not a boolean"],
    );
    shows(
        &given("trusted = \"111111111111\", suffix = \"a b\""),
        &[
            "role name `Kit-a b`",
            "in module kits/a, from rolecall.toml:2",
        ],
    );
    // What the outside does not give is missing inside, and both places are named.
    let outer = kit(
        "[vars]\nouter = { type = \"account_id\" }\n[[module]]\nsource = \"kits/a\"\nvars.trusted = \"{{ var.outer }}\"",
    );
    shows(
        &outer,
        &[
            "`trusted`",
            "has no value",
            "it is set at rolecall.toml:6 to \"{{ var.outer }}\"",
        ],
    );
    let json = serde_json::to_value(given("").load().unwrap_err().shown().0).unwrap();
    assert!(
        json[0]["modules"][0]
            .as_str()
            .unwrap()
            .starts_with("in module kits/a, from "),
        "{json}"
    );
}

#[test]
fn a_module_sees_nothing_of_the_outside() {
    let inner = "[vars]\n[[role]]\nname = \"R-{{ var.secret }}\"\ntargets = \"all\"\n[[role.trust]]\naws = \"111111111111\"";
    let main = "name = \"root\"\n[vars]\nsecret = \"x\"\n[[module]]\nsource = \"m\"\n";
    let world = world(&[("rolecall.toml", main), ("m/rolecall.toml", inner)]);
    shows(
        &world,
        &[
            "`secret` is not a variable of this directory",
            "m/rolecall.toml:3:",
            "in module m, from rolecall.toml:4",
        ],
    );
}

#[test]
fn modules_nest_and_do_not_go_round() {
    let main = "name = \"root\"\n[[module]]\nsource = \"m\"\nvars.id = \"111111111111\"";
    let middle = "[vars]\nid = { type = \"account_id\" }\n[[module]]\nsource = \"../kits/a\"\nvars = { suffix = \"deep\", trusted = \"{{ var.id }}\" }";
    let files = |middle: &str| {
        world(&[
            ("rolecall.toml", main),
            ("m/rolecall.toml", middle),
            ("kits/a/rolecall.toml", KIT),
        ])
    };
    assert_eq!(roles(&expand(&files(middle))), ["2 Kit-deep"]);
    shows(
        &files(&middle.replace("deep", "a b")),
        &[
            "in module ../kits/a, from m/rolecall.toml:3",
            "in module m, from rolecall.toml:2",
        ],
    );
    shows(
        &files(&middle.replace("../kits/a", "..")),
        &["`..` is already being read", "m/rolecall.toml:4:10"],
    );
    shows(
        &files(&middle.replace("../kits/a", "../m")),
        &["would contain itself", "in module m, from rolecall.toml:2"],
    );
    shows(
        &files(&middle.replace("../kits/a", "../n")),
        &[
            "there is no `rolecall.toml` in `../n`",
            "m/rolecall.toml:4:10",
        ],
    );
    shows(
        &files(&middle.replace("../kits/a", "{{ var.id }}")),
        &["cannot contain an expression"],
    );
}

#[test]
fn the_root_decides() {
    let main = "name = \"root\"\n[[module]]\nsource = \"m\"\n[[module]]\nsource = \"m\"";
    for table in ["[rollout]", "[limits]", "[account.prod]", "[lints]"] {
        let name = table.trim_matches(['[', ']']).split('.').next().unwrap();
        let world = world(&[
            ("rolecall.toml", main),
            ("m/rolecall.toml", ROLE),
            ("m/x.toml", table),
        ]);
        let shown = world.rendered();
        assert!(
            shown.contains(&format!(
                "`[{name}]` is not allowed in a module: only the root sets it"
            )),
            "{shown}"
        );
        assert!(shown.contains("m/x.toml:1:"), "{shown}");
        assert_eq!(shown.matches("only the root sets it").count(), 1, "{shown}");
    }
}

#[test]
fn the_same_resource_from_two_places_names_both() {
    let module = |body: &str| {
        kit(&format!(
            "[[module]]\nsource = \"kits/a\"\nvars.trusted = \"111111111111\"\n{body}"
        ))
    };
    shows(
        &module("[[module]]\nsource = \"kits/a\"\nvars.trusted = \"222222222222\""),
        &[
            "role `Kit-x` is defined twice, first at kits/a/rolecall.toml:10, in module kits/a, from rolecall.toml:2",
            "in module kits/a, from rolecall.toml:5",
        ],
    );
    let own = ROLE
        .replace("\"R\"", "\"kit-x\"")
        .replace("\"all\"", "[{ account = \"prod\" }]");
    shows(
        &module(&own),
        &[
            "role `Kit-x` and role `kit-x` at rolecall.toml:7",
            "in module kits/a, from rolecall.toml:2",
        ],
    );
}

#[test]
fn a_sensitive_value_stays_sensitive_inside() {
    let main = "
[vars]
id = { type = \"string\", sensitive = true, default = \"hunter2\" }
[[module]]
source = \"kits/a\"
vars = { suffix = \"{{ var.id | upper }}\", trusted = \"111111111111\", external_id = \"3f2b8c1e-9d47-4a6b-8e21-5c0d7f9a1b23\" }
";
    let expansion = expand(&kit(main));
    for secret in ["hunter2", "HUNTER2", "3f2b8c1e-9d47-4a6b-8e21-5c0d7f9a1b23"] {
        assert!(
            expansion
                .desired
                .secrets
                .iter()
                .any(|known| known == secret),
            "{secret}"
        );
    }
    let shown = kit(&main.replace("hunter2", "hunter 2")).rendered();
    assert!(
        shown.contains("role name") && !shown.contains("HUNTER 2"),
        "{shown}"
    );
}

#[test]
fn a_module_is_part_of_the_digest() {
    let body = "[[module]]\nsource = \"kits/a\"\nvars.trusted = \"111111111111\"";
    let mut first = kit(body);
    let before = first.load().unwrap();
    assert_eq!(before.resources().files, 2);
    assert_eq!(before.digest(), kit(body).load().unwrap().digest());
    first.write("kits/a/rolecall.toml", format!("{KIT}# more"));
    assert_ne!(before.digest(), first.load().unwrap().digest());
}
