//! What would take all memory, all of the stack or all day is refused, with its place and the limit.

use super::{ROLE, accepted, main_file, refused, world};
use crate::config::problem::{Color, SHOWN};

/// So many pieces of text, one after another.
fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// An expression in the description of a role, on line 5.
fn described(expression: &str) -> String {
    ROLE.replace(
        "targets",
        &format!("description = \"{{{{ {expression} }}}}\"\ntargets"),
    )
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
        ("'a' * 4000000000", "`*` is not available"),
        ("[1] * 4000000000", "`*` is not available"),
        ("10 ** 40 | string", "`*` is not available"),
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
            "produce more than 1048576 bytes",
        ),
    ] {
        refused(&described(expression), &["rolecall.toml:5:15", expect]);
    }
}

#[test]
fn the_text_around_expressions_counts() {
    let one = "{{ 'aaaaaaaaaa' | replace('a', 'aaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}";
    let role = ROLE.replace(
        "targets",
        &format!("description = \"{}\"\ntargets", one.repeat(9)),
    );
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
        (
            format!("1{}", " if 1 else 1".repeat(400)),
            "256 are allowed",
        ),
        (brackets("(", ")"), "16 deep"),
        (brackets("[", "]"), "16 deep"),
        (brackets("{'a': ", "}"), "16 deep"),
    ] {
        refused(&described(&expression), &["rolecall.toml:5:15", expect]);
    }
    let when =
        |condition: String| ROLE.replace("targets", &format!("when = \"{condition}\"\ntargets"));
    refused(
        &when(format!("{}true", "not ".repeat(1_000))),
        &["rolecall.toml:5:8", "256 are allowed"],
    );
}

#[test]
fn what_is_within_the_limits_needs_little_of_the_stack() {
    let small = std::thread::Builder::new().stack_size(1024 * 1024);
    let checked = small.spawn(|| {
        accepted(&described(&format!("''~(1{})", "+1".repeat(240))));
        accepted(&described(&format!("''~({}1)", "-".repeat(240))));
        accepted(&described(&format!(
            "'1' if {}true else '2'",
            "not ".repeat(240)
        )));
        let deep = format!("''~{}1{}", "(-".repeat(16), ")".repeat(16));
        accepted(&described(&deep));
        let ids: Vec<String> = (0..400).map(|n| format!("'{n:012}'")).collect();
        accepted(&described(&format!(
            "'' ~ (account.id in [{}])",
            ids.join(", ")
        )));
    });
    checked.unwrap().join().unwrap();
}

#[test]
fn regular_expressions_are_small() {
    refused(
        &described("'a' is matches('(a{1000}){1000}')"),
        &["rolecall.toml:5:15", "is not a regular expression"],
    );
    let long = main_file(&described("'a' is matches('(((a{100}){100}){100}){100}')")).rendered();
    assert!(long.len() < 2_000, "{long}");
}

#[test]
fn more_errors_than_anybody_reads_are_counted() {
    let keys = lines(100_000, |n| format!("key{n} = 1\n"));
    let problems = main_file(&keys).load().unwrap_err();
    assert_eq!(problems.errors(), 100_000);
    let (shown, more) = problems.shown();
    assert_eq!((shown.len(), more), (SHOWN, 100_000 - SHOWN));
    let text = problems.render(Color::Plain);
    assert!(
        text.contains("`key0`") && text.ends_with("… and 99900 more problems"),
        "{}",
        text.len()
    );
    assert!(!text.contains("`key101`"));
    // In one line, too, and where one value would fix them all.
    let long = lines(20_000, |n| format!("key{n} = 1, "));
    assert_eq!(
        main_file(&format!("[limits]\nx = {{ {long}y = 1 }}"))
            .load()
            .unwrap_err()
            .errors(),
        1
    );
    let lacking: String = (0..5_000)
        .map(|n| {
            ROLE.replace(
                "\"R\"",
                &format!("\"R{n}\"\ndescription = \"{{{{ var.none }}}}\""),
            )
        })
        .collect();
    let problems = main_file(&format!(
        "[vars]\nnone = {{ type = \"string\" }}\n{lacking}"
    ))
    .load()
    .unwrap_err();
    assert_eq!(problems.errors(), 1);
    assert!(problems.render(Color::Plain).len() < 100_000);
}

#[test]
fn many_roles_are_one_directory() {
    let roles: String = (0..4_000)
        .map(|n| ROLE.replace("\"R\"", &format!("\"R{n}\"")))
        .collect();
    let check = "[[check]]\nfor = \"role\"\nassert = \"roles | length > 0\"\nmessage = \"none\"\n";
    assert_eq!(
        accepted(&format!("{roles}{check}")).resources().roles,
        4_000
    );
}

#[test]
fn a_module_that_doubles_itself_is_refused() {
    let level = |n: usize| match n {
        18 => ROLE.to_owned(),
        _ => format!("[[module]]\nsource = \"../m{}\"\n", n + 1).repeat(2),
    };
    let files: Vec<(String, String)> = (0..=18)
        .map(|n| {
            (
                format!("m{n}/rolecall.toml"),
                format!("name = \"bomb\"\n{}", level(n)),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let mut bomb = world(&files);
    bomb.inputs.path.push("m0");
    let problems = bomb.load().unwrap_err();
    let shown = problems.to_string();
    assert!(
        shown.contains("modules are used more than 1000 times in all"),
        "{shown}"
    );
    assert_eq!(
        shown.matches("modules are used more than").count(),
        1,
        "{shown}"
    );
}

#[test]
fn documents_that_take_all_memory_or_the_stack() {
    let laughs: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain((1..12).map(|n| {
            format!(
                "a{n}: &a{n} [{}]\n",
                vec![format!("*a{}", n - 1); 9].join(", ")
            )
        }))
        .collect();
    let deep =
        |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    for (name, text, expect) in [
        ("p.yaml", laughs, "is not YAML"),
        ("p.yaml", deep("[", "]"), "recursion limit"),
        ("p.yaml", deep("{a: ", "}"), "recursion limit"),
        (
            "p.yaml",
            lines(1_200, |n| format!("{}a:\n", " ".repeat(n))),
            "nested more than 128 deep",
        ),
        ("p.json", deep("[", "]"), "is not JSON"),
        ("p.json", deep("{\"a\":", "}"), "is not JSON"),
    ] {
        let role = ROLE.replace(
            "[[role.trust]]\naws = \"111111111111\"",
            &format!("trust = \"{name}\""),
        );
        let shown = world(&[
            ("rolecall.toml", &format!("name = \"test\"\n{role}")),
            (name, &text),
        ])
        .rendered();
        assert!(
            shown.contains(expect) && shown.contains(name) && shown.len() < 5_000,
            "{expect}: {shown:.500}"
        );
    }
    refused(&format!("x = {}", deep("[", "]")), &["recurs"]);
}
