//! `rolecall schema`, `completions` and `man`: the schema lets pass what the loader lets pass, and refuses unknown keys as it does.

use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;

use crate::support::{Directory, rolecall, run};

fn schema() -> Validator {
    let schema = run(rolecall().arg("schema")).exits(0).json();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    jsonschema::draft202012::new(&schema).unwrap()
}

/// TOML as editors hand it to a schema: dates are text.
fn json(text: &str) -> Value {
    let table: toml::Table =
        toml::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    as_json(toml::Value::Table(table))
}

fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::Table(members) => members
            .into_iter()
            .map(|(key, value)| (key, as_json(value)))
            .collect(),
        toml::Value::Array(items) => items.into_iter().map(as_json).collect(),
        toml::Value::Datetime(date) => Value::from(date.to_string()),
        other => serde_json::to_value(other).unwrap(),
    }
}

fn complaints(schema: &Validator, text: &str) -> Vec<String> {
    schema
        .iter_errors(&json(text))
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

fn toml_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match () {
            () if path.is_dir() => toml_files(&path),
            () if path
                .extension()
                .is_some_and(|extension| extension == "toml") =>
            {
                vec![path]
            }
            () => vec![],
        })
        .collect()
}

#[test]
fn every_example_and_every_case_is_as_the_schema_says() {
    let (schema, root) = (schema(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let cases = std::fs::read_dir(root.join("tests/cases")).unwrap();
    let cases = cases
        .map(|entry| entry.unwrap().path().join("desired.toml"))
        .filter(|file| file.is_file());
    let files: Vec<PathBuf> = toml_files(&root.join("examples"))
        .into_iter()
        .chain(cases)
        .collect();
    assert!(files.len() > 70, "{}", files.len());
    for file in files {
        let complaints = complaints(&schema, &std::fs::read_to_string(&file).unwrap());
        assert!(complaints.is_empty(), "{}: {complaints:#?}", file.display());
    }
}

#[test]
fn each_rolecall_toml_names_the_schema_that_stands_in_examples() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for file in toml_files(&examples)
        .iter()
        .filter(|file| file.ends_with("rolecall.toml"))
    {
        let text = std::fs::read_to_string(file).unwrap();
        let named = text
            .lines()
            .next()
            .unwrap()
            .strip_prefix("#:schema ")
            .unwrap_or_else(|| panic!("{file:?}"));
        let named = file
            .parent()
            .unwrap()
            .join(named)
            .canonicalize()
            .unwrap_or_else(|error| panic!("{file:?}: {error}"));
        assert_eq!(
            named,
            examples
                .join("rolecall.schema.json")
                .canonicalize()
                .unwrap()
        );
    }
    let (file, now) = (
        examples.join("rolecall.schema.json"),
        run(rolecall().arg("schema")).exits(0).stdout,
    );
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        now,
        "BLESS=1 writes it anew"
    );
}

#[test]
fn what_init_writes_names_the_schema_beside_it() {
    let directory = Directory::of(&[]);
    run(rolecall()
        .args(["init", "cloudtrail", "--out"])
        .arg(directory.path()))
    .exits(0)
    .says(&["rolecall.schema.json"]);
    for (file, schema) in [
        ("rolecall.toml", "rolecall.schema.json"),
        ("reader/rolecall.toml", "../rolecall.schema.json"),
    ] {
        let text = std::fs::read_to_string(directory.file(file)).unwrap();
        assert!(text.starts_with(&format!("#:schema {schema}\n")), "{text}");
    }
    assert!(directory.file("rolecall.schema.json").is_file());
}

const ROLE: &str = "name = \"x\"\n[[role]]\nname = \"R\"\ntargets = \"all\"\n";

/// A key that no table has, in every kind of table.
#[test]
fn an_unknown_key_is_refused_by_the_schema_as_by_the_loader() {
    let schema = schema();
    let trust = "[[role.trust]]\naws = [\"111111111111\"]\n";
    for text in [
        "name = \"x\"\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[organization]\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[vars]\na = { type = \"string\", unknown_key = 1 }\n".to_owned(),
        "name = \"x\"\n[account.\"111111111111\"]\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[lints]\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[rollout]\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[rollout]\nwaves = [{ unknown_key = 1 }]\n".to_owned(),
        "name = \"x\"\n[limits]\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[[check]]\nfor = \"role\"\nassert = \"true\"\nmessage = \"m\"\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[[module]]\nsource = \"m\"\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[[policy]]\nname = \"P\"\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[[policy]]\nname = \"P\"\n[[policy.statement]]\nactions = \"s3:*\"\nresources = \"*\"\nunknown_key = 1\n".to_owned(),
        "name = \"x\"\n[[grant]]\nrole = \"R\"\nin = { account = \"a\" }\nto = [{ account = \"b\", unknown_key = 1 }]\n".to_owned(),
        format!("{ROLE}unknown_key = 1\n{trust}"),
        format!("{ROLE}{trust}unknown_key = 1\n"),
        format!("{ROLE}exclude = [{{ unknown_key = 1 }}]\n{trust}"),
        format!("{ROLE}manage = {{ unknown_key = 1 }}\n{trust}"),
        format!("{ROLE}managed_policies = [{{ policy = \"aws:X\", unknown_key = 1 }}]\n{trust}"),
        format!("{ROLE}{trust}[[role.inline_policy]]\nname = \"i\"\nunknown_key = 1\n"),
        format!("{ROLE}{trust}[[role.expect]]\nunknown_key = 1\n"),
    ] {
        assert!(!complaints(&schema, &text).is_empty(), "the schema lets it pass:\n{text}");
        let directory = Directory::new(&text);
        run(rolecall().arg("validate").arg("-c").arg(directory.path())).exits(1).says(&["unknown_key"]);
        let without: String = text.lines().filter(|line| *line != "unknown_key = 1").map(|line| format!("{line}\n")).collect();
        if without != text {
            assert_eq!(complaints(&schema, &without), Vec::<String>::new(), "nothing else is wrong with it:\n{without}");
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_and_an_expression_never() {
    let schema = schema();
    let role = |line: &str| format!("{ROLE}{line}\n[[role.trust]]\naws = [\"111111111111\"]\n");
    for wrong in [
        "description = 1",
        "adopt = \"yes\"",
        "ensure = \"gone\"",
        "managed_policies = \"aws:X\"",
        "max_session_duration = true",
        "tags = []",
        "expires = \"soon\"",
    ] {
        assert!(!complaints(&schema, &role(wrong)).is_empty(), "{wrong}");
    }
    for fine in [
        "adopt = \"{{ var.adopt }}\"",
        "ensure = \"{{ var.ensure }}\"",
        "managed_policies = \"{{ var.policies }}\"",
        "max_session_duration = 3600",
        "expires = 2027-06-30",
    ] {
        assert_eq!(
            complaints(&schema, &role(fine)),
            Vec::<String>::new(),
            "{fine}"
        );
    }
    let missing = "name = \"x\"\n[[role]]\nname = \"R\"\n";
    assert!(
        complaints(&schema, missing)
            .iter()
            .any(|said| said.contains("targets")),
        "what is required is"
    );
}

#[test]
fn completions_and_man_pages_know_every_command() {
    let help = run(rolecall().arg("--help")).exits(0).stdout;
    let (_, commands) = help.split_once("Commands:").unwrap();
    let commands: Vec<&str> = commands
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(
        commands.contains(&"plan") && commands.contains(&"schema"),
        "{commands:?}"
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        run(rolecall().args(["completions", shell]))
            .exits(0)
            .says(&commands)
            .says(&["detailed-exitcode"]);
    }
    let page = run(rolecall().arg("man")).exits(0);
    assert!(page.stdout.contains(".TH rolecall 1"), "{}", page.stdout);
    let directory = Directory::of(&[]);
    run(rolecall().args(["man", "--out"]).arg(directory.file("man")))
        .exits(0)
        .says(&["rolecall.1", "rolecall-plan.1"]);
    for command in commands {
        let page =
            std::fs::read_to_string(directory.file(&format!("man/rolecall-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
    }
    run(rolecall().args(["completions", "tcsh"]))
        .exits(1)
        .says(&["tcsh", "possible values"]);
}
