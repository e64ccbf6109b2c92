//! Everything a person reads keeps to `src/commands/help/style.md`: the worst words are refused.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// What is refused, as a pattern, and what the style page calls it.
const REFUSED: &[(&str, &str)] = &[
    (r"\bmend(s|ed|ing)?\b", "mend"),
    (r"\bshall\b", "shall"),
    (r"\bhangs? on\b", "hangs on"),
    (r"\b(is|are) no \w+", "is no role"),
    (r"\bsave (by|for)\b", "save by"),
    (
        r"\b(nobody|somebody|everybody)('s)?\b",
        "nobody, somebody, everybody",
    ),
    (r"\bbears?\b", "bears our mark"),
    (r"\bour mark\b", "bears our mark"),
    (r"\bthe hand\b", "the hand"),
    (r"\b(is|are|was|be) told\b", "is told"),
    (r"\bgo(es)? on\b", "go on"),
    (r"\blook(s|ed)? into\b", "look into"),
    (r"\b(is|are) let in\b", "is let in"),
];

/// Good English that a pattern of [`REFUSED`] matches.
const FINE: &[&str] = &[
    "is no longer",
    "are no longer",
    "there is no ",
    "there are no ",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let patterns: Vec<&str> = REFUSED.iter().map(|(pattern, _)| *pattern).collect();
    Regex::new(&format!("(?i){}", patterns.join("|"))).unwrap()
});

fn refused(text: &str) -> Vec<String> {
    let is_fine = |word: &regex::Match<'_>| {
        let before = word.start().saturating_sub(6);
        let from = (0..=before)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap();
        let around = text[from..word.end()].to_lowercase();
        FINE.iter().any(|fine| around.contains(fine))
    };
    let found = PATTERN.find_iter(text).filter(|word| !is_fine(word));
    found.map(|word| word.as_str().to_owned()).collect()
}

fn files(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|one| one == extension) {
            found.push(path);
        }
    }
    found.sort();
}

/// The string literals and documentation of Rust source, without its tests: line and text.
fn texts(source: &str) -> Vec<(usize, String)> {
    let source = source
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let token = Regex::new(
        r##"(?s)(?P<doc>//[/!][^\n]*)|//[^\n]*|r#".*?"#|r"[^"]*"|"(?P<text>(?:\\.|[^"\\])*)"|'(?:\\.[^']*|[^'\\])'"##,
    )
    .unwrap();
    let continued = Regex::new(r"\\\n\s*").unwrap();
    token
        .captures_iter(source)
        .filter_map(|found| {
            let text = found.name("doc").or_else(|| found.name("text"))?;
            let line = source[..text.start()].matches('\n').count() + 1;
            Some((line, continued.replace_all(text.as_str(), "").into_owned()))
        })
        .collect()
}

#[test]
fn messages_and_documentation_keep_to_the_style() {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    let mut wrong = Vec::new();
    for path in sources {
        let within = path.strip_prefix(root()).unwrap().display().to_string();
        if within.ends_with("/tests.rs") || within.contains("/tests/") {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        for (line, text) in texts(&source) {
            let words = refused(&text);
            wrong.extend(
                words
                    .iter()
                    .map(|word| format!("{within}:{line}: `{word}` in {text}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pages_keep_to_the_style() {
    let mut pages = vec![
        root().join("README.md"),
        root().join("CHANGELOG.md"),
        root().join("state/README.md"),
    ];
    files(&root().join("src"), "md", &mut pages);
    files(&root().join("src/report/html"), "html", &mut pages);
    files(&root().join("src/report/html"), "js", &mut pages);
    for extension in ["md", "toml", "yml", "yaml"] {
        files(&root().join("examples"), extension, &mut pages);
    }
    let mut wrong = Vec::new();
    for path in pages.iter().filter(|path| !path.ends_with("help/style.md")) {
        // A phrase may be broken over two lines.
        let text = std::fs::read_to_string(path).unwrap().replace('\n', " ");
        let words = refused(&text);
        wrong.extend(
            words
                .iter()
                .map(|word| format!("{}: `{word}`", path.display())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_style_page_names_what_is_refused() {
    let page = std::fs::read_to_string(root().join("src/commands/help/style.md")).unwrap();
    for (_, name) in REFUSED {
        let listed = page
            .lines()
            .any(|line| line.starts_with('|') && line.contains(name));
        assert!(listed, "{name}");
    }
}

#[test]
fn the_patterns_find_what_they_are_for_and_nothing_else() {
    for bad in [
        "`x` is no role",
        "mend the name",
        "role `X` shall be absent",
        "it hangs on the account",
        "changed by nobody",
        "Everybody else",
        "the owner is told",
        "by the hand",
    ] {
        assert!(!refused(bad).is_empty(), "{bad}");
    }
    for good in [
        "it is no longer there",
        "if there is no state",
        "recommend",
        "an amendment",
        "changed by hand",
        "bearer token",
        "shallow",
    ] {
        assert!(refused(good).is_empty(), "{good}");
    }
}
