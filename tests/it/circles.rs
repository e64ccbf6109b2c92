//! Files of a room do not import each other in a circle.
//!
//! A file imports another when it names an item of it, in a `use` or by a path that starts at `crate`, `super`, `self` or
//! one of its own modules. What a `mod.rs` only passes on with `pub use` is the child's: who imports it imports the child,
//! and the `mod.rs` imports nothing. Nor is `mod child;` an import. So a parent may call its children or lend them its own
//! items, but not both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms that are held to it.
const ROOMS: &[&str] = &[
    "core", "sandbox", "aws", "execute", "store", "report", "ops", "commands",
];

/// The path of a module in its crate.
type Module = Vec<String>;

/// A source file, without its tests and comments.
struct File {
    /// Its path below `src`.
    path: String,
    /// Names that its `use`s bind, and what they stand for.
    uses: BTreeMap<String, Use>,
    /// Paths that its code names, as they are written.
    paths: Vec<Vec<String>>,
}

struct Use {
    path: Vec<String>,
    passed_on: bool,
}

/// Each file's imports, and the item that each is for.
type Imports = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

#[test]
fn files_of_a_room_do_not_import_each_other_in_a_circle() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut circles = Vec::new();
    for base in ["core", "sandbox", ""] {
        let files = files(&src, base);
        let imports = imports(&files);
        for circle in circles_of(&imports) {
            let room = room(&circle[0]);
            if ROOMS.iter().any(|name| room.starts_with(name)) {
                circles.push(described(&circle, &imports));
            }
        }
    }
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

#[test]
fn a_circle_is_found_and_a_parent_with_children_is_none() {
    let check = |files: &[(&str, &str)], expected: &[&str]| {
        let files = files
            .iter()
            .map(|(path, code)| (module(path), file(path, code)))
            .collect();
        let found = circles_of(&imports(&files));
        let found: Vec<String> = found.iter().map(|circle| circle.join(" ")).collect();
        assert_eq!(found, expected);
    };
    let a = (
        "room/a.rs",
        "use super::b::{self, B as Other};\npub struct A;",
    );
    let root = ("lib.rs", "pub mod room;");
    let parent = ("room/mod.rs", "mod a;\nmod b;\npub use a::A;");
    // The parent passes `A` on, so `super::A` is `a`'s.
    let by_parent = ("room/b.rs", "use super::A;\npub struct B;");
    check(&[root, parent, a, by_parent], &["room/a.rs room/b.rs"]);
    let in_line = ("room/b.rs", "pub fn b() {\n    crate::room::a::A\n}");
    check(&[root, parent, a, in_line], &["room/a.rs room/b.rs"]);
    let alone = ("room/b.rs", "// use super::A;\npub struct B;");
    check(&[root, parent, a, alone], &[]);
    // A parent that calls its child, which needs the parent.
    let child = ("room/a.rs", "use super::Parent;");
    let lends = ("room/mod.rs", "mod a;\npub struct Parent;");
    check(&[root, lends, child], &[]);
    let calls = (
        "room/mod.rs",
        "mod a;\npub struct Parent;\nfn f() {\n    a::f();\n}",
    );
    check(&[root, calls, child], &["room/a.rs room/mod.rs"]);
    // Other rooms are the arrows' business.
    let other = ("other.rs", "use crate::room::a::A;");
    check(
        &[root, lends, other, ("room/a.rs", "use crate::other::O;")],
        &[],
    );
}

/// Every file of the crate that starts at `base`, by its module.
fn files(src: &Path, base: &str) -> BTreeMap<Module, File> {
    let mut found = BTreeMap::new();
    let mut open = vec![src.join(base)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let other_crate =
                base.is_empty() && directory == src && ["core", "sandbox"].contains(&name);
            if path.is_dir() && name != "tests" && !other_crate {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && name != "tests.rs"
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let within = path.strip_prefix(src).unwrap().to_str().unwrap();
                let in_crate = path.strip_prefix(src.join(base)).unwrap().to_str().unwrap();
                found.insert(module(in_crate), file(within, &text));
            }
        }
    }
    found
}

fn module(path: &str) -> Module {
    let path = path.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

/// The room of a file: the first part of its path, below `core` the second too.
fn room(path: &str) -> String {
    let parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    match parts.as_slice() {
        ["core", room, ..] => format!("core/{room}"),
        [room, ..] => (*room).to_owned(),
        [] => unreachable!(),
    }
}

fn file(path: &str, text: &str) -> File {
    let code = text.split("\nmod tests {").next().unwrap();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    let tokens = tokens(&code);
    let mut file = File {
        path: path.to_owned(),
        uses: BTreeMap::new(),
        paths: Vec::new(),
    };
    let mut at = 0;
    while at < tokens.len() {
        let begins = at == 0 || !is_name(&tokens[at - 1]) || tokens[at - 1] == "pub";
        if tokens[at] == "use" && begins {
            let end = at + tokens[at..].iter().position(|token| token == ";").unwrap();
            let passed_on = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
            for (name, path) in tree(&tokens[at + 1..end]) {
                file.uses.insert(name, Use { path, passed_on });
            }
            at = end;
        } else if is_name(&tokens[at]) && tokens.get(at + 1).is_some_and(|next| next == "::") {
            let first = at;
            let mut path = vec![tokens[at].clone()];
            while tokens.get(at + 1).is_some_and(|token| token == "::")
                && tokens.get(at + 2).is_some_and(|token| is_name(token))
            {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            // `pub(in path)` says who sees an item.
            if first == 0 || tokens[first - 1] != "in" {
                file.paths.push(path);
            }
        }
        at += 1;
    }
    file
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and every other character by itself, without what stands in literals.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = literal(rest).unwrap_or_else(|| {
            if first.is_alphabetic() || first == '_' {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            }
        });
        if !first.is_whitespace() && literal(rest).is_none() {
            tokens.push(rest[..length].to_owned());
        }
        rest = &rest[length..];
    }
    tokens
}

/// How long the text or character literal is that `code` begins with.
fn literal(code: &str) -> Option<usize> {
    let within = |open: usize, close: &str, escapes: bool| {
        let mut at = open;
        while !code[at..].starts_with(close) {
            let escaped = escapes && code[at..].starts_with('\\');
            at += usize::from(escaped);
            at += code[at..].chars().next()?.len_utf8();
        }
        Some(at + close.len())
    };
    let hashes = |raw: &str| raw.chars().take_while(|c| *c == '#').count();
    if code.starts_with('"') {
        within(1, "\"", true)
    } else if let Some(raw) = code
        .strip_prefix('r')
        .filter(|raw| raw[hashes(raw)..].starts_with('"'))
    {
        let count = hashes(raw);
        within(count + 2, &format!("\"{}", "#".repeat(count)), false)
    } else if code.starts_with("'\\") || code.strip_prefix('\'')?.chars().nth(1) == Some('\'') {
        within(1, "'", true)
    } else {
        None
    }
}

/// What a `use` binds: `a::{b as c, d::{self, e}}` binds `c`, `d` and `e`.
fn tree(tokens: &[String]) -> Vec<(String, Vec<String>)> {
    let mut bound = Vec::new();
    let mut stems: Vec<usize> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let mut alias = None;
    let mut end = |path: &mut Vec<String>, stem: usize, alias: &mut Option<String>| {
        if path.len() > stem {
            let mut whole = path.clone();
            if whole.len() > 1 && whole.last().is_some_and(|last| last == "self") {
                whole.pop();
            }
            let name = alias
                .take()
                .unwrap_or_else(|| whole.last().unwrap().clone());
            bound.push((name, whole));
        }
        path.truncate(stem);
    };
    let mut at = 0;
    while at < tokens.len() {
        let stem = stems.last().copied().unwrap_or_default();
        match tokens[at].as_str() {
            "{" => stems.push(path.len()),
            "}" => {
                end(&mut path, stem, &mut alias);
                stems.pop();
                path.truncate(stems.last().copied().unwrap_or_default());
            }
            "," => end(&mut path, stem, &mut alias),
            "as" => {
                alias = tokens.get(at + 1).cloned();
                at += 1;
            }
            "::" => {}
            token => path.push(token.to_owned()),
        }
        at += 1;
    }
    end(&mut path, 0, &mut alias);
    bound
}

fn imports(files: &BTreeMap<Module, File>) -> Imports {
    let mut imports = Imports::new();
    for (module, file) in files {
        let used = file.uses.values().filter(|use_| !use_.passed_on);
        let named = used.map(|use_| &use_.path).chain(&file.paths);
        let found = imports.entry(file.path.clone()).or_default();
        for path in named {
            let Some(target) = home(files, module, path, 0) else {
                continue;
            };
            let target = &files[&target].path;
            if *target != file.path && room(target) == room(&file.path) {
                found
                    .entry(target.clone())
                    .or_default()
                    .insert(path.last().unwrap().clone());
            }
        }
    }
    imports
}

/// The module that an item named in `module` as `path` is written in, when it is in this crate.
fn home(
    files: &BTreeMap<Module, File>,
    module: &Module,
    path: &[String],
    depth: usize,
) -> Option<Module> {
    let mut at = module.clone();
    for (index, name) in path.iter().enumerate() {
        let below: Module = at.iter().chain([name]).cloned().collect();
        match name.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => _ = at.pop(),
            _ if files.contains_key(&below) => at = below,
            _ => {
                let file = files.get(&at)?;
                if let Some(use_) = file.uses.get(name).filter(|_| depth < 8) {
                    let rest = path[index + 1..].iter();
                    let onward: Vec<_> = use_.path.iter().chain(rest).cloned().collect();
                    // A name that a file binds itself is counted at its `use`.
                    return (index > 0).then(|| home(files, &at, &onward, depth + 1))?;
                }
                return (index > 0).then_some(at);
            }
        }
    }
    Some(at)
}

/// Files that reach each other.
fn circles_of(imports: &Imports) -> Vec<Vec<String>> {
    let reached = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for next in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = imports.keys().map(|file| (file, reached(file))).collect();
    let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, others) in &reached {
        if others.contains(file) {
            let circle = others
                .iter()
                .filter(|other| reached[**other].contains(file));
            circles.insert(circle.map(|file| (*file).clone()).collect());
        }
    }
    circles.into_iter().collect()
}

fn described(circle: &[String], imports: &Imports) -> String {
    let mut lines = vec![format!("{} files in a circle:", circle.len())];
    for file in circle {
        for (target, items) in &imports[file] {
            if circle.contains(target) {
                let items: Vec<&str> = items.iter().map(String::as_str).collect();
                lines.push(format!("  {file} -> {target}: {}", items.join(", ")));
            }
        }
    }
    lines.join("\n")
}
