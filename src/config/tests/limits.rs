//! What would take all memory, all of the stack or all day is refused, with its place and the limit.

use super::{ROLE, accepted, main_file, refused};

/// An expression in the description of a role, on line 5.
fn described(expression: &str) -> String {
    ROLE.replace("targets", &format!("description = \"{{{{ {expression} }}}}\"\ntargets"))
}

#[test]
fn expressions_that_take_all_memory() {
    for (expression, expect) in [
        ("'a' | indent(4000000000, true)", "filter"),
        ("'%1000000000s' | format('a')", "filter"),
        ("'%.1000000000f' | format(1.5)", "filter"),
        ("[1] | batch(4000000000, 0) | length", "filter"),
        ("[1] | slice(4000000000) | length", "filter"),
        ("[1] | pprint", "filter"),
        ("{'a': 1} | tojson(indent=4000000000)", "filter"),
        ("range(4000000000) | join", "`range` is unknown"),
        ("'a' * 4000000000", "`*` is not offered"),
        ("[1] * 4000000000", "`*` is not offered"),
        ("10 ** 40 | string", "`*` is not offered"),
        (
            "'aaaaaaaaaa' | replace('a', 'aaaaaaaaaa') | replace('a', 'aaaaaaaaaa') | replace('a', 'aaaaaaaaaa') \
             | replace('a', 'aaaaaaaaaa') | replace('a', 'aaaaaaaaaa')",
            "65536 are allowed",
        ),
        (
            "'aaaaaaaaaa' | replace('', ('a' | replace('a', 'aaaaaaaaaa')) | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaa')) \
             | replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
            "65536 are allowed",
        ),
        (
            "('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' | list) | join('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') | list \
             | join('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
            "65536 are allowed",
        ),
        (
            "('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' | list) | map('replace', 'a', \
             'aaaaaaaa' | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')) | join",
            "make more than 1048576 bytes",
        ),
    ] {
        refused(&described(expression), &["rolecall.toml:5:15", expect]);
    }
}

#[test]
fn the_text_around_expressions_counts() {
    let one = "{{ 'aaaaaaaaaa' | replace('a', 'aaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}";
    let role = ROLE.replace("targets", &format!("description = \"{}\"\ntargets", one.repeat(9)));
    refused(&role, &["rolecall.toml:5:15", "65536 are allowed"]);
}

#[test]
fn expressions_that_take_all_of_the_stack() {
    let brackets = |open: &str, close: &str| format!("{}1{}", open.repeat(60), close.repeat(60));
    for (expression, expect) in [
        (format!("{}1", "-".repeat(19_700)), "8192 are allowed"),
        (format!("{}1", "-".repeat(3_000)), "256 are allowed"),
        (format!("1{}", "+1".repeat(26_000)), "8192 are allowed"),
        (format!("1{}", "+1".repeat(1_000)), "256 are allowed"),
        (format!("{}true", "not ".repeat(1_000)), "256 are allowed"),
        (format!("var{}", ".a".repeat(1_000)), "256 are allowed"),
        (format!("1{}", " | abs".repeat(1_000)), "256 are allowed"),
        (format!("1{}", " if 1 else 1".repeat(400)), "256 are allowed"),
        (brackets("(", ")"), "16 deep"),
        (brackets("[", "]"), "16 deep"),
        (brackets("{'a': ", "}"), "16 deep"),
    ] {
        refused(&described(&expression), &["rolecall.toml:5:15", expect]);
    }
    let when = |condition: String| ROLE.replace("targets", &format!("when = \"{condition}\"\ntargets"));
    refused(&when(format!("{}true", "not ".repeat(1_000))), &["rolecall.toml:5:8", "256 are allowed"]);
}

#[test]
fn what_is_within_the_limits_needs_little_of_the_stack() {
    let small = std::thread::Builder::new().stack_size(1024 * 1024);
    let checked = small.spawn(|| {
        accepted(&described(&format!("''~(1{})", "+1".repeat(240))));
        accepted(&described(&format!("''~({}1)", "-".repeat(240))));
        accepted(&described(&format!("'1' if {}true else '2'", "not ".repeat(240))));
        let deep = format!("''~{}1{}", "(-".repeat(16), ")".repeat(16));
        accepted(&described(&deep));
        let ids: Vec<String> = (0..400).map(|n| format!("'{n:012}'")).collect();
        accepted(&described(&format!("'' ~ (account.id in [{}])", ids.join(", "))));
    });
    checked.unwrap().join().unwrap();
}

#[test]
fn regular_expressions_are_small() {
    refused(&described("'a' is matches('(a{1000}){1000}')"), &["rolecall.toml:5:15", "is not a regular expression"]);
    let long = main_file(&described("'a' is matches('(((a{100}){100}){100}){100}')")).rendered();
    assert!(long.len() < 2_000, "{long}");
}
