//! `rolecall help`: guides and the help of commands, also as man pages.

use crate::support::{Directory, rolecall, run};

fn help(words: &[&str]) -> crate::support::Run {
    run(rolecall().arg("help").args(words))
}

#[test]
fn a_guide_is_printed_as_it_is_written() {
    let drift = help(&["drift"]).exits(0);
    let written = include_str!("../../src/commands/help/drift.md");
    assert_eq!(drift.stdout, written);
}

#[test]
fn a_command_without_a_guide_has_its_own_help_and_so_have_commands_within() {
    help(&["plan"])
        .exits(0)
        .says(&["Usage: rolecall plan", "--out <FILE>"]);
    help(&["state", "history"])
        .exits(0)
        .says(&["Usage: rolecall state history", "--limit"]);
}

#[test]
fn without_arguments_commands_and_guides_are_listed() {
    help(&[]).exits(0).says(&[
        "Usage: rolecall",
        "rollback",
        "Guides",
        "  findings       codes, what they mean, what to do",
        "  desired-state  what you write",
    ]);
}

#[test]
fn what_is_neither_is_an_error_with_a_hint() {
    help(&["finding"]).exits(1).says(&[
        "no command or guide is called `finding`",
        "did you mean `findings`?",
    ]);
    help(&["nothing-like-it"])
        .exits(1)
        .says(&["`rolecall help` lists the commands and guides"]);
    help(&["state", "nope"])
        .exits(1)
        .says(&["no command or guide is called `state nope`"]);
}

#[test]
fn each_guide_is_a_man_page_too() {
    let place = Directory::of(&[]);
    run(rolecall().arg("man").arg("--out").arg(place.path())).exits(0);
    for entry in
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/commands/help")).unwrap()
    {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".md").filter(|name| *name != "style") else {
            continue;
        };
        let page = place.path().join(format!("rolecall-{name}.7"));
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(".SH NAME"), "{name}: {page}");
        assert!(!page.contains("```"), "{name}: {page}");
    }
    assert!(place.path().join("rolecall-plan.1").exists());
}

#[test]
fn the_version_says_on_request_what_it_was_built_from() {
    let version = env!("CARGO_PKG_VERSION");
    for arguments in [&["--version"][..], &["-V"]] {
        let run = run(rolecall().args(arguments)).exits(0);
        assert_eq!(run.stdout, format!("rolecall {version}\n"));
    }
    for arguments in [
        &["--version", "--verbose"][..],
        &["-vV"],
        &["-v", "--version"],
    ] {
        let run = run(rolecall().args(arguments)).exits(0);
        let lines: Vec<&str> = run.stdout.lines().collect();
        assert_eq!(lines[0], format!("rolecall {version}"), "{arguments:?}");
        for (line, fact) in lines[1..]
            .iter()
            .zip(["commit: ", "commit-date: ", "host: "])
        {
            assert!(line.starts_with(fact), "{line}");
        }
        assert_eq!((lines.len(), run.stderr.as_str()), (4, ""));
    }
}
