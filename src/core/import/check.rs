//! Whether what an import writes is a desired state: it is loaded before it is written.
//!
//! What rolecall's own rules refuse is taken out again and reported, so that what is written always loads. Variables have no
//! values yet, and what depends on them is not judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{Attached, Draft};
use super::emit::{Emitted, Subject, emit};
use super::report::{Class, Entry, Source};
use crate::config::{Inputs, Memory, Problem, Severity, load};

/// Where the files are while they are loaded.
const ROOT: &str = "/import";

/// The files of a draft without what is refused, with what is to be said about that.
pub fn check(draft: &mut Draft) -> (Emitted, Vec<Entry>) {
    let mut entries = Vec::new();
    loop {
        let emitted = emit(draft);
        let refused = refused(draft, &emitted);
        if refused.is_empty() {
            return (emitted, entries);
        }
        let mut subjects = BTreeSet::new();
        for (subject, code, message) in refused {
            if let Some(subject) = subject {
                if subjects.insert(subject) {
                    entries.extend(entry(draft, subject, code, &message));
                }
            } else {
                entries.push(whole(code, &message));
            }
        }
        if subjects.is_empty() {
            return (emitted, entries);
        }
        remove(draft, &subjects);
    }
}

type Refused = (Option<Subject>, &'static str, String);

fn refused(draft: &Draft, emitted: &Emitted) -> Vec<Refused> {
    let mut files = Memory::default();
    for file in &emitted.files {
        files.write(Path::new(ROOT).join(&file.path), file.text.as_str());
    }
    let secrets = draft.variables.iter().filter_map(|variable| {
        let value = variable.secret.as_ref()?;
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Some(format!("{}={text}", variable.name))
    });
    let inputs = Inputs {
        files: Arc::new(files),
        path: PathBuf::from(ROOT),
        vars: secrets.collect(),
        var_files: Vec::new(),
        env: BTreeMap::new(),
    };
    let Err(problems) = load(&inputs) else {
        return Vec::new();
    };
    let is_refusal =
        |problem: &&Problem| problem.severity == Severity::Error && problem.lacks.is_none();
    let mut found = Vec::new();
    for problem in problems.iter().filter(is_refusal) {
        let code = match problem.code {
            "duplicate" => "same-name",
            _ => "refused",
        };
        let places = problem.also.iter().filter_map(|place| {
            let mut parts = place.rsplitn(3, ':');
            let (_, line, file) = (parts.next()?, parts.next()?, parts.next()?);
            Some((file.to_owned(), line.parse().ok()?))
        });
        let place = (problem.file.clone(), problem.line);
        for (file, line) in places.chain([place]) {
            let message = problem.message.clone();
            found.push((subject(emitted, &file, line), code, message));
        }
    }
    found
}

fn subject(emitted: &Emitted, file: &str, line: usize) -> Option<Subject> {
    let path = Path::new(file);
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let found = emitted.regions.iter().find(|region| {
        let (first, last) = region.lines;
        Path::new(&region.path) == path && (line == 0 || (first <= line && line <= last))
    });
    found.map(|region| region.subject)
}

fn whole(code: &'static str, message: &str) -> Entry {
    let source = Source::Address("rolecall.toml".to_owned());
    Entry::new(
        Class::Lost,
        code,
        source,
        "the directory that was written",
        message,
    )
}

fn entry(draft: &Draft, subject: Subject, code: &'static str, message: &str) -> Option<Entry> {
    Some(match subject {
        Subject::Role(at) => {
            let role = draft.roles.get(at)?;
            let what = format!("role `{}`", role.name);
            let why = format!("it is not imported: {message}");
            Entry::new(Class::Lost, code, role.source.clone(), what, why)
        }
        Subject::Policy(at) => {
            let policy = draft.policies.get(at)?;
            let what = format!("managed policy `{}`", policy.name);
            let why = format!("it is not imported: {message}");
            Entry::new(Class::Lost, code, policy.source.clone(), what, why)
        }
        Subject::Variable(at) => {
            let variable = draft.variables.get(at)?;
            let what = format!("variable `{}`, of {}", variable.name, variable.from);
            let why = format!("its default and its checks are not kept: {message}");
            let source = Source::Address(format!("var.{}", variable.name));
            Entry::new(Class::Weaker, "pattern", source, what, why)
        }
        Subject::Check(at) => {
            let check = draft.checks.get(at)?;
            let what = format!("the rule `{}`", check.message);
            let source = Source::Address("rolecall.toml".to_owned());
            let why = format!("it is not checked: {message}");
            Entry::new(Class::Weaker, "rule", source, what, why)
        }
    })
}

/// Takes out what is refused. A policy that is not there cannot be attached by its name either.
fn remove(draft: &mut Draft, subjects: &BTreeSet<Subject>) {
    fn keep<T>(items: &mut Vec<T>, is_refused: impl Fn(usize) -> bool) {
        let mut at = 0;
        items.retain(|_| {
            at += 1;
            !is_refused(at - 1)
        });
    }
    let mut gone: Vec<String> = Vec::new();
    for subject in subjects {
        match subject {
            Subject::Policy(at) => {
                gone.extend(
                    draft
                        .policies
                        .get(*at)
                        .map(|it| format!("local:{}", it.name)),
                );
            }
            Subject::Variable(at) => {
                if let Some(variable) = draft.variables.get_mut(*at) {
                    variable.default = None;
                    variable.pattern = None;
                    variable.one_of.clear();
                }
            }
            Subject::Role(_) | Subject::Check(_) => {}
        }
    }
    keep(&mut draft.roles, |at| subjects.contains(&Subject::Role(at)));
    keep(&mut draft.policies, |at| {
        subjects.contains(&Subject::Policy(at))
    });
    keep(&mut draft.checks, |at| {
        subjects.contains(&Subject::Check(at))
    });
    for role in &mut draft.roles {
        let Some(attached) = &mut role.managed_policies else {
            continue;
        };
        let before = attached.len();
        attached.retain(|Attached { policy, .. }| !gone.contains(policy));
        if attached.len() < before {
            if attached.is_empty() {
                role.managed_policies = None;
            } else {
                role.partial.managed_policies = true;
            }
        }
    }
}
