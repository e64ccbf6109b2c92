//! What an import took over, and what it did not: nothing is dropped silently.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::draft::{Draft, Named, Selector, Targets};

pub use super::source::Source;

/// What became of something that is not imported as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It should be there and is not: the import is not complete.
    Lost,
    /// A variable was made that needs a value.
    Ask,
    /// It is there, and a check or a spelling of it is not.
    Weaker,
    /// It is not the business of a desired state of roles.
    Left,
}

impl Class {
    /// All of them, the most important first.
    pub const ALL: [Self; 4] = [Self::Lost, Self::Ask, Self::Weaker, Self::Left];

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Ask => "ask",
            Self::Weaker => "weaker",
            Self::Left => "left",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Lost => {
                "It should be in the desired state and is not. Nothing that depends on it is managed, \
                 so a plan never removes it."
            }
            Self::Ask => "A variable was made that has no value yet.",
            Self::Weaker => "It was imported, and a check or a spelling of it was not.",
            Self::Left => "It is not imported, on purpose.",
        }
    }
}

/// One thing that the import did not take over as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// How it weighs.
    pub class: Class,
    /// A stable word for the reason: `transform`, `name`, …
    pub code: &'static str,
    /// Where it is.
    pub source: Source,
    /// What it is: ``role `Miller` ``.
    pub what: String,
    /// Why it is not taken over as it is.
    pub why: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Entry {
    /// An entry without a hint.
    pub fn new(
        class: Class,
        code: &'static str,
        source: Source,
        what: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self {
            class,
            code,
            source,
            what: what.into(),
            why: why.into(),
            hint: None,
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "class": self.class.word(),
            "code": self.code,
            "place": self.source.to_json(),
            "what": self.what,
            "why": self.why,
            "hint": self.hint,
        })
    }
}

/// How the old owner lets go of what is imported, as Markdown.
pub type HandOver = Vec<String>;

/// What an import says.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was not taken over as it is, in order.
    pub entries: Vec<Entry>,
    /// How the old owner lets go.
    pub hand_over: HandOver,
    /// Where it was imported from, for the title: ``the CloudFormation template `vendor.yaml` ``.
    pub from: String,
    /// The files that were written.
    pub written: Vec<String>,
    roles: Vec<Value>,
    policies: Vec<Value>,
    variables: Vec<Value>,
    asked: Vec<(String, Option<String>)>,
}

impl Report {
    /// The report on a draft; entries are sorted, and equal ones are said once.
    pub fn new(from: impl Into<String>, draft: &Draft, mut entries: Vec<Entry>) -> Self {
        entries.sort();
        entries.dedup();
        let role = |name: &str, source: &Source, targets: Value, when: &Option<String>| json!({"name": name, "place": source.to_json(), "targets": targets, "when": when});
        let roles = draft.roles.iter();
        let roles = roles.map(|it| role(&it.name, &it.source, targets(&it.targets), &it.when));
        let policies = draft.policies.iter().map(|it| {
            let targets = it.targets.as_ref().map_or(Value::Null, targets);
            role(&it.name, &it.source, targets, &it.when)
        });
        let has_value = |name: &str, known: bool| {
            known
                || (!draft.accounts.is_empty()
                    && draft
                        .accounts
                        .values()
                        .any(|account| account.values.contains_key(name)))
        };
        let variables = draft.variables.iter().map(|it| {
            json!({
                "name": it.name,
                "type": it.kind,
                "has_value": has_value(&it.name, it.has_value()),
                "sensitive": it.sensitive,
                "from": it.from,
            })
        });
        let asked = draft.variables.iter();
        let asked = asked.filter(|it| !has_value(&it.name, it.has_value()));
        Self {
            from: from.into(),
            roles: roles.collect(),
            policies: policies.collect(),
            asked: asked
                .map(|it| (it.name.clone(), it.description.clone()))
                .collect(),
            variables: variables.collect(),
            entries,
            hand_over: HandOver::new(),
            written: Vec::new(),
        }
    }

    /// Whether something is lost: the exit code is 3 then.
    pub fn is_partial(&self) -> bool {
        self.count(Class::Lost) > 0
    }

    fn count(&self, class: Class) -> usize {
        self.entries
            .iter()
            .filter(|entry| entry.class == class)
            .count()
    }

    /// One object, for machines.
    pub fn to_json(&self) -> Value {
        let mut counts = json!({
            "roles": self.roles.len(),
            "policies": self.policies.len(),
            "variables": self.variables.len(),
            "without_value": self.asked.len(),
        });
        if let Value::Object(counts) = &mut counts {
            let classes =
                Class::ALL.map(|class| (class.word().to_owned(), self.count(class).into()));
            counts.extend(classes);
        }
        json!({
            "format": "rolecall-import/1",
            "written": self.written,
            "roles": self.roles,
            "policies": self.policies,
            "variables": self.variables,
            "entries": self.entries.iter().map(Entry::to_json).collect::<Vec<_>>(),
            "counts": counts,
        })
    }

    /// One line: what there is, and what is not.
    pub fn summary(&self) -> String {
        let needs = match self.asked.len() {
            0 => String::new(),
            1 => " (1 needs a value)".to_owned(),
            needs => format!(" ({needs} need values)"),
        };
        format!(
            "{}, {}, {}{needs}; {} lost, {} asked, {} left; see IMPORT.md",
            counted(self.roles.len(), "role", "roles"),
            counted(self.policies.len(), "policy", "policies"),
            counted(self.variables.len(), "variable", "variables"),
            self.count(Class::Lost),
            self.count(Class::Ask),
            self.count(Class::Left),
        )
    }

    /// For people: one entry a line, its hint below it, and the summary.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let folded = self.folded();
        let width = |of: fn(&Folded<'_>) -> usize| folded.iter().map(of).max().unwrap_or_default();
        let (codes, places) = (
            width(|it| it.entry.code.len()),
            width(|it| it.entry.source.to_string().chars().count()),
        );
        for Folded { entry, count } in &folded {
            let place = entry.source.to_string();
            let times = times(*count);
            _ = writeln!(
                text,
                "{:6}  {:codes$}  {place:places$}  {}{times}: {}",
                entry.class.word(),
                entry.code,
                entry.what,
                entry.why
            );
            if let Some(hint) = &entry.hint {
                _ = writeln!(text, "{:6}  {:codes$}  hint: {hint}", "", "");
            }
        }
        if !folded.is_empty() {
            text.push('\n');
        }
        text + &self.summary() + "\n"
    }

    /// Equal entries about different places are one, with how many there are.
    fn folded(&self) -> Vec<Folded<'_>> {
        let mut folded: Vec<Folded<'_>> = Vec::new();
        let mut known = BTreeMap::new();
        for entry in &self.entries {
            let key = (
                entry.class,
                entry.code,
                &entry.what,
                &entry.why,
                &entry.hint,
            );
            if let Some(first) = known.get(&key).and_then(|at: &usize| folded.get_mut(*at)) {
                first.count += 1;
            } else {
                known.insert(key, folded.len());
                folded.push(Folded { entry, count: 1 });
            }
        }
        folded
    }

    /// `IMPORT.md`
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# Imported from {}\n\n", self.from);
        _ = writeln!(
            text,
            "{}.\n",
            self.summary().trim_end_matches("; see IMPORT.md")
        );
        text += "Next:\n\n";
        if !self.asked.is_empty() {
            text += "1. Give the variables below their values.\n";
        }
        text += "1. `rolecall validate`, then `rolecall plan` (with `--var-file secrets.vars`, where there is one): it should say `adopt` for what is there already, and \
                 nothing that you do not want.\n\
                 1. `rolecall apply`. If it stops at `change-percent` or `stack-owned`, read the finding, then allow it \
                 for this one run with `--allow CODE`.\n\
                 1. Let the old owner go, as the last section says, and take `adopt = true` out of the files.\n";
        if !self.asked.is_empty() {
            text += "\n## Variables without a value\n\n";
            for (name, description) in &self.asked {
                let meaning = description.as_ref().map(|it| format!(": {it}"));
                _ = writeln!(text, "- `{name}`{}", meaning.unwrap_or_default());
            }
        }
        let folded = self.folded();
        for class in Class::ALL {
            let mut of_class = folded
                .iter()
                .filter(|it| it.entry.class == class)
                .peekable();
            if of_class.peek().is_none() {
                continue;
            }
            let word = class.word();
            let title = word.get(..1).unwrap_or_default().to_uppercase()
                + word.get(1..).unwrap_or_default();
            _ = writeln!(text, "\n## {title}\n\n{}\n", class.meaning());
            for Folded { entry, count } in of_class {
                let times = times(*count);
                _ = writeln!(
                    text,
                    "- `{}` {}{times} ({}): {}",
                    entry.code, entry.what, entry.source, entry.why
                );
                if let Some(hint) = &entry.hint {
                    _ = writeln!(text, "  {hint}");
                }
            }
        }
        if !self.hand_over.is_empty() {
            text += "\n## How the old owner lets go\n\n";
            for paragraph in &self.hand_over {
                text += paragraph;
                text += "\n\n";
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

struct Folded<'a> {
    entry: &'a Entry,
    count: usize,
}

fn times(count: usize) -> String {
    if count > 1 {
        format!(" × {count}")
    } else {
        String::new()
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn targets(targets: &Targets) -> Value {
    let ids = |named: &[Named]| named.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
    let selector = |it: &Selector| {
        let mut json = serde_json::Map::new();
        if !it.account.is_empty() {
            json.insert("account".to_owned(), ids(&it.account).into());
        }
        if !it.ou.is_empty() {
            json.insert("ou".to_owned(), ids(&it.ou).into());
        }
        if let Some(when) = &it.when {
            json.insert("when".to_owned(), when.as_str().into());
        }
        Value::Object(json)
    };
    match targets {
        Targets::All => "all".into(),
        Targets::Some(selectors) => selectors.iter().map(selector).collect(),
    }
}
