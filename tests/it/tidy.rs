//! The house stays as `src/lib.rs` describes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which rooms a room may name. A room that is not here may name all of them.
const ARROWS: &[(&str, &[&str])] = &[
    ("org", &[]),
    ("resource", &["org"]),
    ("evaluate", &["resource", "org"]),
    ("desired", &["resource", "org"]),
    ("live", &["resource", "org"]),
    ("diff", &["desired", "live", "resource", "org"]),
    ("lint", &["evaluate", "desired", "live", "resource", "org"]),
    (
        "plan",
        &["diff", "lint", "desired", "live", "resource", "org"],
    ),
    ("drift", &["config", "plan", "resource", "org"]),
    ("permissions", &["desired", "resource", "org"]),
    ("read", &["live", "resource", "org"]),
    ("execute", &["plan", "read", "live", "resource", "org"]),
    ("config", &["desired", "resource", "org"]),
    (
        "import",
        &[
            "config", "plan", "diff", "desired", "live", "resource", "org",
        ],
    ),
    ("store", &["files", "execute", "plan", "resource", "org"]),
    (
        "aws",
        &[
            "read",
            "execute",
            "store",
            "permissions",
            "live",
            "resource",
            "org",
        ],
    ),
    (
        "report",
        &[
            "drift", "plan", "execute", "store", "verify", "resource", "org",
        ],
    ),
    ("sandbox", &["evaluate", "resource", "org"]),
    ("verify", &["evaluate", "resource", "org"]),
    ("notify", &["web"]),
    ("telemetry", &["web", "resource"]),
    ("web", &[]),
    ("files", &["config"]),
    ("exit", &[]),
    ("cli", &[]),
    (
        "ops",
        &[
            "aws", "store", "execute", "read", "files", "report", "exit", "import", "verify",
            "drift", "plan", "lint", "config", "diff", "desired", "live", "evaluate", "resource",
            "org",
        ],
    ),
];

/// What the core crate may not name of the standard library; that it has no dependency for such things, its manifest says.
const IMPURE: &[&str] = &[
    "async ",
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::process",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Uuid::new_v4",
    "print!",
    "println!",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Every source file: its room (`sandbox` is one, `core` holds several), its path within `src`, and its code without tests and comments.
fn sources() -> Vec<(String, String, String)> {
    let src = root().join("src");
    rust_files(&src)
        .into_iter()
        .filter(|path| {
            path.file_name().is_some_and(|name| name != "tests.rs")
                && !path.components().any(|part| part.as_os_str() == "tests")
        })
        .map(|path| {
            let within = path
                .strip_prefix(&src)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let below = within.strip_prefix("core/").unwrap_or(&within);
            let room = below.split(['/', '.']).next().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code: String = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .map(|line| format!("{line}\n"))
                .collect();
            (room, within, code)
        })
        .collect()
}

fn crate_names(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    let code = code.replace("rolecall_core::", "crate::");
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            names.extend(
                list.split('}')
                    .next()
                    .unwrap()
                    .split(',')
                    .map(|item| item.trim().split("::").next().unwrap().to_owned()),
            );
        } else {
            names.push(
                rest.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect(),
            );
        }
    }
    names
}

#[test]
fn arrows_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (room, file, code) in sources() {
        let Some(allowed) = allowed.get(room.as_str()) else {
            continue;
        };
        let code = match room.as_str() {
            // A crate of its own: its `crate::` is itself.
            "sandbox" => code.replace("crate::", ""),
            _ => code,
        };
        for name in crate_names(&code) {
            if name != room && !allowed.contains(&name.as_str()) {
                wrong.push(format!("{file} names crate::{name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_core_crate_stays_pure() {
    let mut wrong = Vec::new();
    for (_, file, code) in sources() {
        if file.starts_with("core/") {
            wrong.extend(
                IMPURE
                    .iter()
                    .filter(|word| code.contains(**word))
                    .map(|word| format!("{file} names {word}")),
            );
        }
    }
    let manifest = std::fs::read_to_string(root().join("src/core/Cargo.toml")).unwrap();
    for name in [
        "aws", "tokio", "clap", "http", "hyper", "tempfile", "rustix",
    ] {
        if manifest.lines().any(|line| line.starts_with(name)) {
            wrong.push(format!("src/core depends on {name}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_its_own_room_names_the_sdk_and_clap() {
    let mut wrong = Vec::new();
    for (room, file, code) in sources() {
        if room != "aws" && (code.contains("aws_sdk_") || code.contains("aws_config")) {
            wrong.push(format!("{file} names the SDK"));
        }
        if !["cli", "main"].contains(&room.as_str()) && code.contains("clap::") {
            wrong.push(format!("{file} names clap"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Who asks and who is told come in as options and as an observer.
#[test]
fn the_engine_has_no_terminal() {
    let mut wrong = Vec::new();
    for (room, file, code) in sources() {
        if room != "ops" {
            continue;
        }
        for word in [
            "print!",
            "println!",
            "io::stdin",
            "io::stdout",
            "io::stderr",
            "Console",
            "report::human",
            "report::style::Style",
            "report::progress",
        ] {
            if code.contains(word) {
                wrong.push(format!("{file} names {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_stands_in_the_map_and_every_file_says_its_purpose() {
    let page = |file: &str| std::fs::read_to_string(root().join("src").join(file)).unwrap();
    let lib = page("lib.rs") + &page("core/lib.rs");
    let map: String = lib.lines().filter(|line| line.starts_with("//!")).collect();
    let mut wrong = Vec::new();
    for (room, file, _) in sources() {
        let is_described = match room.as_str() {
            "lib" | "main" => true,
            "sandbox" => map.contains("[`rolecall_sandbox`]"),
            room => map.contains(&format!("[`{room}`]")),
        };
        if !is_described {
            wrong.push(format!("no page of a crate describes `{room}`"));
        }
        if !std::fs::read_to_string(root().join("src").join(&file))
            .unwrap()
            .starts_with("//!")
        {
            wrong.push(format!("{file} has no header"));
        }
        if ["util", "utils", "common", "helpers", "manager", "misc"]
            .iter()
            .any(|name| file.split(['/', '.']).any(|part| part == *name))
        {
            wrong.push(format!("{file} has a name that says nothing"));
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn nothing_is_left_half_done() {
    let mut wrong = Vec::new();
    for (_, file, code) in sources() {
        for word in ["todo!", "unimplemented!", "dbg!", "dry_run", "#[ignore"] {
            if code.contains(word) {
                wrong.push(format!("{file} holds {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
        } else if inside && line.contains(" = ") && !line.starts_with('#') {
            assert!(line.contains(" # "), "{line}");
        }
    }
}

#[test]
fn the_top_level_holds_what_it_should() {
    let expected = [
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "benches",
        "examples",
        "src",
        "state",
        "tests",
    ];
    let listed = std::process::Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output();
    let Ok(listed) = listed else { return };
    let listed = String::from_utf8(listed.stdout).unwrap();
    let mut top: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split('/').next())
        .filter(|name| !name.starts_with('.'))
        .collect();
    top.dedup();
    for name in top {
        assert!(expected.contains(&name), "`{name}` stands at the top level");
    }
}

/// Cargo compiles a crate once for each set of features. What only the dependencies of the tests turn on would make
/// `cargo test` compile the AWS SDK a second time.
#[test]
fn tests_need_no_other_features_than_the_program() {
    let units = |edges: &str| {
        let tree = std::process::Command::new(env!("CARGO"))
            .args(["tree", "--workspace", "--offline", "--prefix", "none"])
            .args(["--edges", edges, "--format", "{p} [{f}]"])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(tree.status.success(), "{tree:?}");
        let lines = String::from_utf8(tree.stdout).unwrap();
        lines
            .lines()
            .map(|line| line.trim_end_matches(" (*)").to_owned())
            .collect::<BTreeSet<String>>()
    };
    let with_tests = units("normal,build,dev");
    let wrong: Vec<_> = units("normal,build")
        .into_iter()
        .filter(|unit| !with_tests.contains(unit))
        .collect();
    assert!(
        wrong.is_empty(),
        "add their features for tests to [dependencies]: {wrong:#?}"
    );
}

#[test]
fn every_dependency_is_used() {
    let members = ["src/core", "src/sandbox"].map(|member| root().join(member));
    let main: &[&str] = &["src", "tests", "benches"];
    let mut unused = Vec::new();
    for (manifest, places) in [
        ("Cargo.toml", main),
        ("src/core/Cargo.toml", &["src/core"]),
        ("src/sandbox/Cargo.toml", &["src/sandbox"]),
    ] {
        let text = std::fs::read_to_string(root().join(manifest)).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let ignored = table["package"]
            .get("metadata")
            .map(|metadata| metadata["cargo-machete"]["ignored"].to_string())
            .unwrap_or_default();
        let code: String = places
            .iter()
            .flat_map(|place| rust_files(&root().join(place)))
            .filter(|file| places != main || !members.iter().any(|member| file.starts_with(member)))
            .map(|file| std::fs::read_to_string(file).unwrap())
            .collect();
        for section in ["dependencies", "dev-dependencies"] {
            let names = table.get(section).and_then(toml::Value::as_table);
            for name in names.into_iter().flat_map(toml::Table::keys) {
                let is_ignored = ignored.contains(&format!("\"{name}\""));
                if !is_ignored && !code.contains(&name.replace('-', "_")) {
                    unused.push(format!("{manifest}: {name}"));
                }
            }
        }
    }
    assert!(unused.is_empty(), "{unused:#?}");
}
