//! What expressions make of a sensitive value is sensitive.

use super::{ROLE, accepted, expanded, main_file};
use crate::config::language::{FILTERS, NOT_OFFERED};

const SECRET: &str = " Hq7-Zx.Kd9 ";

/// An expression for every filter, whose value is made of `var.s`, or of `var.l`, which is made of it.
fn expression(filter: &str) -> Option<&'static str> {
    Some(match filter {
        "join" => "var.l | join('+')",
        "replace" => "var.s | replace('Z', 'y')",
        "string" => "var.n | string",
        "lower" => "var.s | lower",
        "upper" => "var.s | upper",
        "title" => "var.s | title",
        "capitalize" => "var.s | capitalize",
        "trim" => "var.s | trim",
        "reverse" => "var.s | reverse",
        "split" => "(var.s | split('.') | list)[0]",
        "lines" => "var.s | lines | first",
        "b64encode" => "var.s | b64encode",
        "default" => "account.tags.none | default(var.s)",
        "d" => "account.tags.none | d(var.s)",
        "first" => "var.l | first",
        "last" => "var.l | last",
        "min" => "var.l | min",
        "max" => "var.l | max",
        "sort" => "var.l | sort | join('+')",
        "list" => "var.l | list | join('+')",
        "select" => "var.l | select | join('+')",
        "reject" => "var.l | reject('none') | join('+')",
        "selectattr" => "[{'a': var.s}] | selectattr('a') | map(attribute='a') | first",
        "rejectattr" => "[{'a': var.s}] | rejectattr('b', 'defined') | map(attribute='a') | first",
        "map" => "var.l | map('upper') | join('+')",
        "attr" => "{'a': var.s} | attr('a')",
        "items" => "({'a': var.s} | items | first) | last",
        "dictsort" => "({'a': var.s} | dictsort | first) | last",
        "groupby" => "([{'a': var.s}] | groupby('a') | first)[0]",
        "unique" => "var.l | unique | join('+')",
        "chain" => "var.l | chain(['x']) | first",
        "zip" => "(var.l | zip(var.l) | first) | first",
        "sum" => "[var.n, 1] | sum",
        "round" => "(var.n + 0.25) | round(1)",
        "abs" => "(0 - var.n) | abs",
        "int" => "var.n | int",
        "float" => "var.n | float",
        "length" => "var.s | length",
        "count" => "var.s | count",
        "bool" => "'yes-it-is' if var.s | bool else 'no-it-is-not'",
        _ => return None,
    })
}

const VARS: &str = "
[vars]
s = { type = \"string\", sensitive = true, default = \" Hq7-Zx.Kd9 \" }
l = { type = \"list\", sensitive = true, default = [\"Vb3-Nm8\", \"Rt5-Wq1\"] }
n = { type = \"integer\", sensitive = true, default = 730419 }
";

#[test]
fn under_every_filter() {
    for (filter, _) in FILTERS.iter() {
        let expression = expression(filter)
            .unwrap_or_else(|| panic!("no expression tries the filter `{filter}`"));
        let role = ROLE.replace(
            "targets",
            &format!("tags = {{ t = \"=={{{{ {expression} }}}}\" }}\ntargets"),
        );
        let alone = ROLE.replace(
            "[[role.trust]]",
            &format!("[[role.trust]]\nactions = [\"{{{{ {expression} }}}}\"]"),
        );
        let (role, alone) = (format!("{VARS}{role}"), format!("{VARS}{alone}"));
        let expansion = expanded(&role);
        let held = expansion.desired.accounts.values().next().unwrap();
        let text = &held.roles["r"].tags.as_ref().unwrap()["t"];
        let masked = expansion.desired.secrets.mask(text);
        assert!(
            masked == "==(sensitive)" || masked == "(sensitive)",
            "{filter}: {text} is shown as {masked}"
        );
        // Alone it keeps its type, and may be refused in the end: never with its value in the message.
        match main_file(&alone).load() {
            Ok(config) => assert!(config.secrets().iter().count() > 4, "{filter}"),
            Err(problems) => {
                let shown = problems.to_string().replace(&alone, "");
                assert!(!shown.to_lowercase().contains("hq7"), "{filter}: {shown}");
            }
        }
    }
}

#[test]
fn every_filter_of_minijinja_is_offered_or_left_out_on_purpose() {
    let all = format!("{:?}", minijinja::Environment::new());
    let all = all
        .split("filters: [")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    for name in all
        .split(',')
        .map(|name| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
    {
        let offered = FILTERS.iter().any(|(known, _)| *known == name);
        assert_ne!(
            offered,
            NOT_OFFERED.contains(&name),
            "`{name}` is new in minijinja: offer it with a limit, or not"
        );
    }
}

#[test]
fn by_operators_slices_conditions_and_whatever_reaches_it_by_another_way() {
    for (expression, made) in [
        ("var.s ~ 'x'", " Hq7-Zx.Kd9 x"),
        ("var['s'][2:9]", "q7-Zx.K"),
        ("var.s[::-1]", " 9dK.xZ-7qH "),
        ("(var | attr('s'))[1:6]", "Hq7-Z"),
        ("'chosen-one' if var.s else 'chosen-other'", "chosen-one"),
        ("var.n - 1", "730418"),
        ("(var.l + ['and-more'])[1]", "Rt5-Wq1"),
        ("((var | items | list)[0])[1][0][1:6]", "b3-Nm"),
    ] {
        let role = ROLE.replace(
            "targets",
            &format!("tags = {{ t = \"{{{{ ({expression}) | string }}}}\" }}\ntargets"),
        );
        let expansion = expanded(&format!("{VARS}{role}"));
        let text = &expansion.desired.accounts.values().next().unwrap().roles["r"]
            .tags
            .as_ref()
            .unwrap()["t"];
        assert!(text.contains(made), "{expression} is {text}");
        assert_eq!(
            expansion.desired.secrets.mask(text),
            "(sensitive)",
            "{expression} is {text}"
        );
    }
}

#[test]
fn a_short_piece_is_told_by_the_text_it_is_part_of() {
    let role = ROLE.replace("\"R\"", "\"Team{{ var.l[0][0:2] }}Role\"");
    let expansion = expanded(&format!("{VARS}{role}"));
    let secrets = &expansion.desired.secrets;
    assert_eq!(
        secrets.mask("arn:aws:iam::000000000002:role/TeamVbRole"),
        "arn:aws:iam::000000000002:role/(sensitive)"
    );
    assert_eq!(
        secrets.mask("Verb vb-x overboard"),
        "Verb (sensitive)-x overboard"
    );
}

#[test]
fn what_a_failure_says_of_the_value_is_not_shown() {
    let role = ROLE.replace(
        "targets",
        "max_session_duration = \"{{ var.s | reverse | int }}\"\ntargets",
    );
    let shown = main_file(&format!("{VARS}{role}")).rendered();
    assert!(
        shown.contains("because the value is sensitive") && !shown.contains("9dK"),
        "{shown}"
    );
    let role = ROLE.replace("\"R\"", "\"{{ var.s | reverse }}\"");
    let shown = main_file(&format!("{VARS}{role}")).rendered();
    assert!(
        shown.contains("(sensitive)") && !shown.contains("9dK"),
        "{shown}"
    );
}

#[test]
fn a_check_says_nothing_of_a_role_that_it_may_not() {
    let role = ROLE.replace("aws =", "external_id = \"{{ var.l[0] }}\"\naws =");
    let check = "
[[check]]
for = \"role\"
assert = \"false\"
severity = \"warn\"
message = \"{{ role.name }} has {{ role.trust[0].external_id | reverse }}\"
";
    let findings = expanded(&format!("{VARS}{role}{check}")).findings;
    assert!(
        findings
            .iter()
            .all(|one| one.message == "R has (sensitive)"),
        "{findings:?}"
    );
    let findings = accepted(&format!("{VARS}{role}{check}"));
    assert!(!format!("{:?}", findings.findings()).contains("8mN"));
}

#[test]
fn the_value_is_known_without_the_white_space_of_a_file() {
    let config = accepted(&format!("{VARS}{ROLE}"));
    assert_eq!(
        config.secrets().mask(&format!("<{}>", SECRET.trim())),
        "<(sensitive)>"
    );
}
