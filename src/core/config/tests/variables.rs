//! Bounds of variables.

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
