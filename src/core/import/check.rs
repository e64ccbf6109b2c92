//! Whether what an import writes is a desired state: it is loaded before it is written, and expanded over the organization
//! where that is known.
//!
//! What rolecall's own rules refuse is taken out again and reported, so that what is written always loads. Variables without
//! a value have none yet, and what depends on them is not judged here.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::draft::{Attached, Draft, Variable};
use super::emit::{Emitted, Region, SECRETS, Subject, emit};
use super::report::{Class, Entry, Source};
use crate::config::{Inputs, Memory, NarrowScope, Problem, Problems, Severity, load};
use crate::org::Organization;

/// Where the files are while they are loaded.
const ROOT: &str = "/import";

/// The files of a draft without what is refused, with what is to be said about that.
pub fn check(draft: &mut Draft, organization: Option<&Organization>) -> (Emitted, Vec<Entry>) {
    let (mut enbudget, mut budget) = (Vec::new(), TRIES);
    loop {
        let emitted = emit(draft);
        let refused = refused(&emitted, organization);
        if refused.is_empty() {
            return (emitted, enbudget);
        }
        let asked = defaults(draft, &emitted, &refused, organization, &mut budget);
        if !asked.is_empty() {
            enbudget.extend(asked);
            continue;
        }
        let mut subjects = BTreeSet::new();
        for refusal in refused {
            if let Some(subject) = refusal.subject {
                if subjects.insert(subject) {
                    enbudget.extend(entry(draft, subject, &refusal));
                }
            } else {
                enbudget.push(whole(&refusal));
            }
        }
        if subjects.is_empty() {
            return (emitted, enbudget);
        }
        remove(draft, &subjects);
    }
}

/// Something that a desired state cannot have.
#[derive(Debug, Clone)]
struct Refused {
    /// What is to blame.
    subject: Option<Subject>,
    code: &'static str,
    message: String,
    hint: Option<String>,
    /// The line that it is on, as it was written.
    line: String,
}

fn refused(emitted: &Emitted, organization: Option<&Organization>) -> Vec<Refused> {
    let Err(problems) = attempt(emitted, organization) else {
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
            found.push(Refused {
                subject: subject(emitted, &file, line),
                code,
                message: problem.message.replace(&format!("{ROOT}/"), ""),
                hint: problem.hint.clone(),
                line: line_of(emitted, &file, line),
            });
        }
    }
    found
}

fn attempt(emitted: &Emitted, organization: Option<&Organization>) -> Result<(), Problems> {
    let mut files = Memory::default();
    let root = Path::new(ROOT);
    for file in &emitted.files {
        files.write(root.join(&file.path), file.text.as_str());
    }
    let mut inputs = Inputs::new(Arc::new(files), root);
    if emitted.files.iter().any(|file| file.path == SECRETS) {
        inputs.var_files.push(root.join(SECRETS));
    }
    let config = load(&inputs)?;
    match organization {
        Some(organization) => config
            .expand(organization, &NarrowScope::default())
            .map(drop),
        None => Ok(()),
    }
}

fn line_of(emitted: &Emitted, file: &str, line: usize) -> String {
    let path = written_path(file);
    let file = emitted.files.iter().find(|it| Path::new(&it.path) == path);
    let mut lines = file.into_iter().flat_map(|file| file.text.lines());
    let found = line.checked_sub(1).and_then(|before| lines.nth(before));
    found.unwrap_or_default().to_owned()
}

fn subject(emitted: &Emitted, file: &str, line: usize) -> Option<Subject> {
    let path = written_path(file);
    let found = emitted.regions.iter().find(|region| {
        let (first, last) = region.lines;
        Path::new(&region.path) == path && (line == 0 || (first <= line && line <= last))
    });
    found.map(|region| region.subject)
}

/// The path of a file as it is written, without `..`: a document is named relative to the file that names it.
fn written_path(file: &str) -> PathBuf {
    let path = Path::new(file);
    let path = path.strip_prefix(ROOT).unwrap_or(path);
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// How often a draft is tried with another value in the place of a default.
const TRIES: usize = 400;

/// Values of which one is right in most places.
const SAMPLES: [&str; 5] = [
    "import-sample",
    "arn:aws:iam::600000000000:role/import-sample",
    "arn:aws:iam::aws:policy/import-sample",
    "/import-sample/",
    "600000000000",
];

/// A sample as a value of a variable; `None` where the variable takes others only.
fn sampled(variable: &Variable, sample: &str) -> Option<Value> {
    if !variable.one_of.is_empty() || variable.pattern.is_some() {
        return None;
    }
    match variable.kind {
        "string" => Some(sample.into()),
        "list" => Some(vec![sample].into()),
        "integer" => Some(3600.into()),
        _ => None,
    }
}

/// Takes away the defaults with which a resource is refused, and says so: a source proposes them, often as an empty text
/// that is to be filled in, and what is in use is another value. Nothing is taken away that does not help: where no value
/// does, the resource is lost.
fn defaults(
    draft: &mut Draft,
    emitted: &Emitted,
    refused: &[Refused],
    organization: Option<&Organization>,
    budget: &mut usize,
) -> Vec<Entry> {
    let mut enbudget = Vec::new();
    let mut now = refused.to_vec();
    for refusal in refused.iter().filter(|it| it.code == "refused") {
        let Some(subject @ (Subject::Role(_) | Subject::Policy(_))) = refusal.subject else {
            continue;
        };
        if !enbudget.is_empty() {
            now = self::refused(&emit(draft), organization);
        }
        if !now
            .iter()
            .any(|it| (it.subject, &it.message) == (refusal.subject, &refusal.message))
        {
            continue;
        }
        let Some((at, variable)) = blamed(
            draft,
            &text_of(emitted, subject),
            (refusal, &now),
            organization,
            budget,
        ) else {
            continue;
        };
        let title = match subject {
            Subject::Policy(at) => draft.policies.get(at).map(|it| it.name.as_str()),
            Subject::Role(at) => draft.roles.get(at).map(|it| it.name.as_str()),
            Subject::Variable(_) | Subject::Check(_) => None,
        };
        let source = variable.declared.clone();
        let source = source.unwrap_or_else(|| Source::Address(variable.name.clone()));
        let why = format!(
            "give var.{} the value that it has in the deployed stack; with its default, `{}` is refused: {}",
            variable.name,
            title.unwrap_or_default(),
            refusal.message
        );
        enbudget.push(Entry::new(
            Class::Ask,
            "default",
            source,
            &variable.from,
            why,
        ));
        set(draft, at, None);
    }
    enbudget
}

/// The variable whose default is to blame for a refusal: with another value in its place, there is none.
fn blamed<'a>(
    draft: &'a Draft,
    text: &str,
    (refusal, all): (&Refused, &[Refused]),
    organization: Option<&Organization>,
    budget: &mut usize,
) -> Option<(usize, &'a Variable)> {
    let used = |text: &str| -> Vec<(usize, &'a Variable)> {
        let variables = draft.variables.iter().enumerate();
        let used = variables
            .filter(|(_, it)| it.declared.is_some() && it.has_value() && names(text, &it.name));
        used.collect()
    };
    let of_line = used(&refusal.line);
    let used = if of_line.is_empty() {
        used(text)
    } else {
        of_line
    };
    let mut helps = |at: usize, value: Option<Value>| {
        let Some(left) = budget.checked_sub(1) else {
            return false;
        };
        *budget = left;
        let mut tried = draft.clone();
        set(&mut tried, at, value);
        let after = refused(&emit(&tried), organization);
        let of_subject = |of: &[Refused], said: &dyn Fn(&str) -> bool| {
            let of = of.iter().filter(|it| it.subject == refusal.subject);
            of.filter(|it| said(&it.message)).count()
        };
        let is_same = |message: &str| message == refusal.message;
        // A sample that is wrong elsewhere is told of there.
        let is_of_sample = |message: &str| SAMPLES.iter().any(|it| message.contains(it));
        of_subject(&after, &is_same) < of_subject(all, &is_same)
            && of_subject(&after, &is_of_sample) <= of_subject(all, &is_of_sample)
    };
    for (at, variable) in &used {
        let mut values = SAMPLES.iter().filter_map(|it| sampled(variable, it));
        if values.any(|value| helps(*at, Some(value))) {
            return Some((*at, variable));
        }
    }
    // What has no value is not judged, so that alone says the least.
    let mut open = used.iter().filter(|(_, it)| sampled(it, "").is_none());
    open.find(|(at, _)| helps(*at, None)).copied()
}

/// Gives a variable another default, or none.
fn set(draft: &mut Draft, at: usize, value: Option<Value>) {
    if let Some(variable) = draft.variables.get_mut(at) {
        variable.secret = None;
        variable.default = value;
    }
}

/// All that is written of a subject.
fn text_of(emitted: &Emitted, subject: Subject) -> String {
    let mut text = String::new();
    let of_subject = |region: &&Region| region.subject == subject;
    for Region { path, lines, .. } in emitted.regions.iter().filter(of_subject) {
        let (first, last) = *lines;
        let file = emitted.files.iter().find(|file| file.path == *path);
        let all = file.into_iter().flat_map(|file| file.text.lines());
        for line in all.take(last).skip(first.saturating_sub(1)) {
            text += line;
            text.push('\n');
        }
    }
    text
}

/// Whether a text uses a variable.
fn names(text: &str, variable: &str) -> bool {
    let written = format!("var.{variable}");
    text.match_indices(&written).any(|(at, _)| {
        let next = text
            .get(at + written.len()..)
            .and_then(|it| it.chars().next());
        !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
    })
}

fn whole(refused: &Refused) -> Entry {
    let source = Source::Address("rolecall.toml".to_owned());
    Entry::new(
        Class::Lost,
        refused.code,
        source,
        "the directory that was written",
        &refused.message,
    )
}

fn entry(draft: &Draft, subject: Subject, refused: &Refused) -> Option<Entry> {
    let Refused { code, message, .. } = refused;
    let entry = match subject {
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
    };
    Some(match &refused.hint {
        Some(hint) => entry.hint(hint.clone()),
        None => entry,
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
