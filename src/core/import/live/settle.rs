//! A draft is tried before it is written: what the desired state's own rules refuse is taken out and said to be lost.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::config::files::Memory;
use crate::config::{self, Inputs, NarrowScope, Problem, Problems, Severity};
use crate::import::draft::Draft;
use crate::import::emit::{Emitted, SECRETS, Subject, emit};
use crate::import::report::{Class, Entry, Source};
use crate::org::Organization;

/// Where the files lie while they are tried.
const PLACE: &str = "/import";

/// The files of a draft that loads and expands over the organization, what it is by then, and what was taken out of it.
///
/// # Errors
/// Problems that no role, policy or variable of the draft is to blame for.
pub fn settle(
    mut draft: Draft,
    organization: &Organization,
) -> Result<(Draft, Emitted, Vec<Entry>), Problems> {
    let mut lost = Vec::new();
    loop {
        let emitted = emit(&draft);
        let Err(problems) = attempt(&emitted, organization) else {
            return Ok((draft, emitted, lost));
        };
        let errors = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error);
        let blamed: Vec<(Subject, &Problem)> = errors
            .filter_map(|problem| Some((subject(&emitted, problem)?, problem)))
            .filter(|(subject, _)| matches!(subject, Subject::Role(_) | Subject::Policy(_)))
            .collect();
        if blamed.is_empty() {
            return Err(problems);
        }
        lost.extend(
            blamed
                .iter()
                .map(|(subject, problem)| entry(&draft, *subject, problem)),
        );
        let subjects: BTreeSet<Subject> = blamed.into_iter().map(|(subject, _)| subject).collect();
        for subject in subjects.into_iter().rev() {
            match subject {
                Subject::Role(at) => drop(draft.roles.remove(at)),
                Subject::Policy(at) => drop(draft.policies.remove(at)),
                Subject::Variable(_) | Subject::Check(_) => {}
            }
        }
    }
}

fn attempt(emitted: &Emitted, organization: &Organization) -> Result<(), Problems> {
    let mut files = Memory::default();
    let place = Path::new(PLACE);
    for file in &emitted.files {
        files.write(place.join(&file.path), file.text.as_bytes());
    }
    let mut inputs = Inputs::new(Arc::new(files), place);
    if emitted.files.iter().any(|file| file.path == SECRETS) {
        inputs.var_files.push(place.join(SECRETS));
    }
    let config = config::load(&inputs)?;
    config
        .expand(organization, &NarrowScope::default())
        .map(drop)
}

/// What is to blame for a problem, by the line it is on.
fn subject(emitted: &Emitted, problem: &Problem) -> Option<Subject> {
    let path = plain(Path::new(&problem.file).strip_prefix(PLACE).ok()?);
    let of_line = |region: &&crate::import::emit::Region| {
        Path::new(&region.path) == path && (region.lines.0..=region.lines.1).contains(&problem.line)
    };
    emitted
        .regions
        .iter()
        .find(of_line)
        .map(|region| region.subject)
}

/// A path without `..`: a document is named relative to the file that names it.
fn plain(path: &Path) -> PathBuf {
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

fn entry(draft: &Draft, subject: Subject, problem: &Problem) -> Entry {
    let (source, what) = match subject {
        Subject::Role(at) => draft
            .roles
            .get(at)
            .map(|role| (role.source.clone(), format!("role `{}`", role.name))),
        Subject::Policy(at) => draft
            .policies
            .get(at)
            .map(|policy| (policy.source.clone(), format!("policy `{}`", policy.name))),
        Subject::Variable(_) | Subject::Check(_) => None,
    }
    .unwrap_or_else(|| (Source::Address(String::new()), String::new()));
    let why = format!("a desired state cannot have it: {}", problem.message);
    let entry = Entry::new(Class::Lost, "refused", source, what, why);
    match &problem.hint {
        Some(hint) => entry.hint(hint.clone()),
        None => entry,
    }
}
