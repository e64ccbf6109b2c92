//! Bounds of variables.

use std::collections::BTreeSet;

use super::*;

#[test]
fn values_within_their_bounds_are_taken() {
    for declared in [
        "{ type = \"string\", min_length = 2, max_length = 3, default = \"ab\" }",
        "{ type = \"string\", min_length = 2, default = \"éé\" }",
        "{ type = \"arn\", max_length = 40, default = \"arn:aws:s3:::x\" }",
        "{ type = \"list\", min_length = 1, max_length = 2, default = [\"a\", \"b\"] }",
        "{ type = \"list\", each_pattern = \"[a-z]+\", default = [\"a\", \"bc\"] }",
        "{ type = \"list\", each_pattern = \"[a-z]+\", default = [] }",
        "{ type = \"integer\", min = -1, max = 3, default = 3 }",
        "{ type = \"integer\", min = 3, max = 3, default = 3 }",
    ] {
        accepted(&format!("[vars]\nx = {declared}\n{ROLE}"));
    }
}

#[test]
fn values_beyond_their_bounds_are_refused_wherever_they_come_from() {
    for (declared, given, expect) in [
        (
            "type = \"string\", min_length = 2",
            "\"a\"",
            "must be at least 2 characters long, it is 1",
        ),
        (
            "type = \"string\", max_length = 2",
            "\"abc\"",
            "must be at most 2 characters long, it is 3",
        ),
        (
            "type = \"list\", min_length = 1",
            "[]",
            "must be at least 1 items long, it is 0",
        ),
        (
            "type = \"list\", max_length = 1",
            "[\"a\", \"b\"]",
            "must be at most 1 items long, it is 2",
        ),
        (
            "type = \"list\", each_pattern = \"[a-z]\"",
            "[\"a\", \"bc\"]",
            "has `bc`, which does not match the pattern `[a-z]` of each item",
        ),
        (
            "type = \"list\", sensitive = true, each_pattern = \"[a-z]\"",
            "[\"a\", \"bc\"]",
            "has item 2, which does not match",
        ),
        (
            "type = \"integer\", min = 3",
            "2",
            "must be at least 3, it is 2",
        ),
        (
            "type = \"integer\", max = -3",
            "0",
            "must be at most -3, it is 0",
        ),
    ] {
        refused(
            &format!("[vars]\nx = {{ {declared}, default = {given} }}\n{ROLE}"),
            &[expect],
        );
        refused(
            &format!("[vars]\nx = {{ {declared} }}\n[account.prod.vars]\nx = {given}\n{ROLE}"),
            &[expect],
        );
        let body = format!("name = \"test\"\n[vars]\nx = {{ {declared} }}\n{ROLE}");
        let argument = given.replace(['"', '[', ']'], "");
        let argument = if given == "[]" {
            String::new()
        } else {
            argument.replace(' ', "")
        };
        let shown = world(&[("rolecall.toml", &body)])
            .var(&format!("x={argument}"))
            .rendered();
        assert!(shown.contains(expect), "{shown}");
    }
}

#[test]
fn bounds_that_cannot_be_are_refused() {
    for (declared, expect) in [
        (
            "type = \"integer\", min_length = 1",
            "`min_length` is for a string or a list",
        ),
        (
            "type = \"bool\", max_length = 1",
            "`max_length` is for a string or a list",
        ),
        (
            "type = \"string\", min = 1",
            "`min` is for an integer, and variable `x` is a string",
        ),
        ("type = \"list\", max = 1", "`max` is for an integer"),
        (
            "type = \"string\", each_pattern = \"a\"",
            "`each_pattern` is for a list",
        ),
        (
            "type = \"list\", pattern = \"a\"",
            "`pattern` is for a string",
        ),
        (
            "type = \"list\", each_pattern = \"(\"",
            "`each_pattern` is not a regular expression",
        ),
        (
            "type = \"string\", min_length = -1",
            "`min_length` cannot be -1",
        ),
        (
            "type = \"string\", min_length = 3, max_length = 2",
            "`max_length` is 2 and `min_length` is 3: no value fits",
        ),
        (
            "type = \"integer\", min = 3, max = 2",
            "`max` is 2 and `min` is 3: no value fits",
        ),
        (
            "type = \"string\", min_lenght = 1",
            "did you mean `min_length`?",
        ),
    ] {
        refused(
            &format!("[vars]\nx = {{ {declared} }}\n{ROLE}"),
            &[expect, "rolecall.toml:3:"],
        );
    }
}

#[test]
fn a_text_is_encoded_in_base64() {
    let text = "
[vars]
secret = { type = \"string\", sensitive = true, default = \"hush-hush-hush\" }
[[role]]
name = \"R\"
targets = \"all\"
description = \"{{ 'ü?>~' | b64encode }} {{ var.secret | b64encode }}\"
[[role.trust]]
aws = \"111111111111\"
";
    let expansion = expanded(text);
    let held = expansion.desired.accounts.values().next().unwrap();
    let description = held.roles["r"].description.clone().unwrap();
    assert_eq!(description, "w7w/Pn4= aHVzaC1odXNoLWh1c2g=");
    let masked = expansion.desired.secrets.mask(&description);
    assert!(!masked.contains("aHVzaC"), "{masked}");
}

#[test]
fn files_of_the_directory_give_values_and_those_of_the_command_line_win() {
    let declared = "name = \"test\"\n[vars]\na = { type = \"string\", default = \"0\" }\nb = { type = \"string\" }\nc = { type = \"string\" }\n[[role]]\nname = \"R-{{ var.a }}{{ var.b }}{{ var.c }}\"\ntargets = \"all\"\n[[role.trust]]\naws = \"111111111111\"\n";
    let files = [
        ("rolecall.toml", declared),
        ("10.auto.vars.toml", "a = \"1\"\nb = \"1\"\nc = \"1\""),
        ("teams/20.auto.vars.toml", "b = \"2\"\nc = \"2\""),
        // Neither a module's own nor the state's, nor a hidden one.
        ("module/rolecall.toml", "name = \"module\""),
        ("module/x.auto.vars.toml", "a = \"9\""),
        ("state/x.auto.vars.toml", "a = \"9\""),
        (".x.auto.vars.toml", "a = \"9\""),
        ("given.toml", "c = \"3\""),
    ];
    let mut world = world(&files);
    world.inputs.env = BTreeMap::from([("ROLECALL_VAR_a".to_owned(), "env".to_owned())]);
    world.inputs.var_files = vec![Path::new(ROOT).join("given.toml")];
    let config = world.load().unwrap_or_else(|problems| panic!("{problems}"));
    let expansion = config
        .expand(&organization(), &NarrowScope::default())
        .unwrap_or_else(|problems| panic!("{problems}"));
    let names: BTreeSet<&str> = expansion
        .desired
        .accounts
        .values()
        .flat_map(|account| account.roles.keys().map(String::as_str))
        .collect();
    assert_eq!(names, BTreeSet::from(["r-123"]));
}

#[test]
fn what_a_file_of_values_cannot_give_is_refused_with_its_place() {
    let declared = "name = \"test\"\n[vars]\na = { type = \"integer\" }\n";
    let shown = world(&[
        ("rolecall.toml", declared),
        ("x.auto.vars.toml", "a = \"no\"\nother = 1\n"),
    ])
    .rendered();
    for text in [
        "x.auto.vars.toml:1:5",
        "x.auto.vars.toml:2:1",
        "`other` is not a variable",
    ] {
        assert!(shown.contains(text), "`{text}` is missing in\n{shown}");
    }
}

#[test]
fn a_directory_that_requires_another_version_is_refused_before_anything_else() {
    let own = env!("CARGO_PKG_VERSION");
    for required in [
        format!("={own}"),
        format!(">={own}"),
        "*".to_owned(),
        format!(">={own}, <99"),
    ] {
        accepted(&format!("required_version = \"{required}\"\n{ROLE}"));
    }
    for required in [">=99", "<0.0.1", ">=0.0.1, <0.0.2"] {
        let shown = main_file(&format!(
            "required_version = \"{required}\"\nfuture = 1\n{ROLE}"
        ))
        .rendered();
        for text in ["rolecall.toml:2:20", required, own] {
            assert!(shown.contains(text), "`{text}` is missing in\n{shown}");
        }
        assert!(!shown.contains("future` is not"), "{shown}");
    }
    for (required, expect) in [
        ("\"newest\"", "not a version requirement"),
        ("\"\"", "not a version requirement"),
        ("\">={{ var.x }}\"", "cannot contain an expression"),
        ("1", "a string"),
    ] {
        let body = format!("required_version = {required}\nfuture = 1\n{ROLE}");
        refused(&body, &[expect, "future"]);
    }
    let module = world(&[
        (
            "rolecall.toml",
            "name = \"test\"\n[[module]]\nname = \"m\"\nsource = \"m\"\n",
        ),
        ("m/rolecall.toml", "required_version = \">=99\"\n"),
    ]);
    assert!(
        module.rendered().contains("m/rolecall.toml:1:20"),
        "{}",
        module.rendered()
    );
}
