//! What is wrong with a desired state: all of it at once, each with its place and the way to fix it.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::place::{File, Place};
use crate::resource::secret::Secrets;

/// Whether a problem refuses the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are what they are called")]
pub enum Severity {
    Error,
    Warning,
}

/// A variable without a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The variable, with the accounts it has no value in.
    pub variable: String,
    /// What needs it.
    pub needed_by: String,
}

/// One thing wrong, and where.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// Whether it refuses the run.
    pub severity: Severity,
    /// A stable name of its kind: `syntax`, `unknown-key`, `type`, …
    pub code: &'static str,
    /// The file, or `--var` and the like where the value came from the command line.
    pub file: String,
    /// One-based; 0 where no line is to blame.
    pub line: usize,
    /// One-based, in characters; 0 where no column is to blame.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// How to fix it.
    pub hint: Option<String>,
    /// The modules it is in, innermost first: `in module kits/cado, from rolecall.toml:12`.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub modules: Arc<[String]>,
    /// Other places with the same problem, `file:line:column`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// What has no value, and who needs it: one value fixes all problems that lack the same.
    #[serde(skip)]
    pub lacks: Option<Lack>,
    /// What to say below the underlined text.
    #[serde(skip)]
    pub label: Option<String>,
    /// The bytes to underline.
    #[serde(skip)]
    pub span: Range<usize>,
    /// The file to show them from; `None` where it must not be shown.
    #[serde(skip)]
    pub source: Option<Arc<File>>,
}

impl Problem {
    /// An error at `place`.
    pub fn error(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self::at(Severity::Error, code, place, message.into())
    }

    /// A warning at `place`.
    pub fn warning(code: &'static str, place: &Place, message: impl Into<String>) -> Self {
        Self::at(Severity::Warning, code, place, message.into())
    }

    /// An error with no line to blame: a file that cannot be read, a wrong `--var`.
    pub fn elsewhere(
        code: &'static str,
        file: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            file: file.into(),
            line: 0,
            column: 0,
            message: message.into(),
            hint: None,
            modules: Arc::default(),
            also: Vec::new(),
            lacks: None,
            label: None,
            span: 0..0,
            source: None,
        }
    }

    fn at(severity: Severity, code: &'static str, place: &Place, message: String) -> Self {
        let (line, column) = place.line_column();
        Self {
            severity,
            line,
            column,
            span: place.start..place.end,
            source: Some(place.file.clone()),
            ..Self::elsewhere(code, place.file.name.clone(), message)
        }
    }

    /// The same with a way to fix it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same with a hint where there is one.
    #[must_use]
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    /// The same, said of a module.
    #[must_use]
    pub fn in_modules(self, modules: &Arc<[String]>) -> Self {
        if self.modules.is_empty() {
            Self {
                modules: modules.clone(),
                ..self
            }
        } else {
            self
        }
    }

    /// The same, because this variable has no value.
    #[must_use]
    pub fn lacks(self, variable: &str, needed_by: &str) -> Self {
        let lack = Lack {
            variable: variable.to_owned(),
            needed_by: needed_by.to_owned(),
        };
        Self {
            lacks: Some(lack),
            ..self
        }
    }

    /// The same with a word below the underlined text.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self {
            label: Some(label.into()),
            ..self
        }
    }

    /// The same without its source line, which holds a sensitive value.
    #[must_use]
    pub fn hide_source(self) -> Self {
        Self {
            source: None,
            ..self
        }
    }

    /// Where it is, in a file.
    pub fn place(&self) -> Option<Place> {
        let file = self.source.clone()?;
        Some(Place {
            file,
            start: self.span.start,
            end: self.span.end,
        })
    }

    /// Whether it is about exactly one of these places.
    pub fn is_at(&self, places: &Places) -> bool {
        self.place().is_some_and(|place| places.holds(&place))
    }

    /// A number that is the same for problems that say the same.
    pub(super) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (
            &self.code,
            &self.file,
            self.line,
            self.column,
            &self.message,
        )
            .hash(&mut hasher);
        hasher.finish()
    }

    /// Whether `other` says the same of the same place, whichever use of a module it is in.
    fn says(&self, other: &Self) -> bool {
        let Self {
            severity,
            code,
            file,
            line,
            column,
            message,
            hint,
            modules: _,
            also,
            lacks,
            label,
            span,
            source,
        } = self;
        (severity, code, file, line, column)
            == (
                &other.severity,
                &other.code,
                &other.file,
                &other.line,
                &other.column,
            )
            && (message, hint, also, lacks)
                == (&other.message, &other.hint, &other.also, &other.lacks)
            && (label, span, source) == (&other.label, &other.span, &other.source)
    }

    /// The text a person reads: the message, the source line underlined, the hint.
    pub fn render(&self, renderer: &Renderer) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&self.message).id(self.code));
        if let Some((line, begins)) = self.shown() {
            let underlined = self.underlined(line, begins);
            let underlined = AnnotationKind::Primary
                .span(underlined)
                .label(self.label.as_deref());
            let snippet = Snippet::source(line).line_start(self.line).path(&self.file);
            group = group.element(snippet.annotation(underlined));
        } else if self.line > 0 {
            group = group.element(
                Origin::path(&self.file)
                    .line(self.line)
                    .char_column(self.column),
            );
        } else {
            group = group.element(Origin::path(&self.file));
        }
        for module in self.modules.iter() {
            group = group.element(Level::NOTE.message(module));
        }
        if !self.also.is_empty() {
            group = group.element(
                Level::NOTE.message(format!("also needed at {}", self.also.join(", at "))),
            );
        }
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.with_name("hint").message(hint));
        }
        renderer.render(&[group])
    }

    /// The source line that is shown, and where it begins; none of a file that may hold what its reader must not see.
    fn shown(&self) -> Option<(&str, usize)> {
        Some(
            self.source
                .as_ref()
                .filter(|file| file.is_shown)?
                .line_at(self.span.start),
        )
    }

    /// The span within its first line, on character boundaries: a whole table would fill the screen.
    fn underlined(&self, line: &str, begins: usize) -> Range<usize> {
        let within = |at: usize| at.saturating_sub(begins).min(line.len());
        let start = (0..=within(self.span.start))
            .rev()
            .find(|at| line.is_char_boundary(*at))
            .unwrap_or(0);
        let end = within(self.span.end).max(start);
        start
            ..(end..=line.len())
                .find(|at| line.is_char_boundary(*at))
                .unwrap_or(start)
    }
}

/// A variable without a value, the hint that says so, and the modules it is in.
type Lacking = (String, Option<String>, Arc<[String]>);

/// Places, to be asked which of them are among them.
#[derive(Debug, Clone, Default)]
pub struct Places(HashSet<(usize, usize, usize)>);

impl Places {
    /// Adds one.
    pub fn insert(&mut self, place: &Place) {
        self.0.insert(Self::key(place));
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is among them.
    pub fn holds(&self, place: &Place) -> bool {
        self.0.contains(&Self::key(place))
    }

    fn key(place: &Place) -> (usize, usize, usize) {
        (Arc::as_ptr(&place.file) as usize, place.start, place.end)
    }
}

/// How many problems are printed before the rest is counted.
pub const SHOWN: usize = 100;

/// The problems of a run.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// Where in the list problems of one hash are.
    known: HashMap<u64, Vec<usize>>,
    errors: usize,
}

impl PartialEq for Problems {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Problems {
    /// Adds one, unless the same is known. A module that is used twice is blamed once.
    pub fn push(&mut self, problem: Problem) {
        let alike = self.known.entry(problem.hash()).or_default();
        if !alike
            .iter()
            .any(|at| self.list.get(*at).is_some_and(|known| known.says(&problem)))
        {
            alike.push(self.list.len());
            self.errors += usize::from(problem.severity == Severity::Error);
            self.list.push(problem);
        }
    }

    /// Whether there is any error.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// The first problems, errors before warnings where there are too many, and how many more there are.
    pub fn shown(&self) -> (Vec<&Problem>, usize) {
        first(&self.list)
    }

    /// The same with every sensitive value masked.
    #[must_use]
    pub fn masked(self, secrets: &Secrets) -> Self {
        let mut masked = Self::default();
        let mask = |text: Option<String>| text.map(|text| secrets.mask(&text));
        for mut problem in self.list {
            problem.message = secrets.mask(&problem.message);
            (problem.hint, problem.label) = (mask(problem.hint), mask(problem.label));
            if problem
                .shown()
                .is_some_and(|(line, _)| secrets.occurs_in(line))
            {
                problem.source = None;
            }
            masked.push(problem);
        }
        masked
    }

    /// The same, said of a module.
    #[must_use]
    pub fn in_modules(self, modules: &Arc<[String]>) -> Self {
        let list = self
            .list
            .into_iter()
            .map(|problem| problem.in_modules(modules))
            .collect();
        Self { list, ..self }
    }

    /// All of them, in order of file, line and column.
    pub fn sorted(mut self) -> Vec<Problem> {
        self.sort();
        self.list
    }

    /// The problems, in the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// `Err` with everything, sorted, where there is an error; else the warnings.
    pub fn into_result(mut self) -> Result<Vec<Problem>, Self> {
        self.sort();
        self.fold();
        if self.has_errors() {
            Err(self)
        } else {
            Ok(self.list)
        }
    }

    /// Makes one problem of all that one value would fix.
    fn fold(&mut self) {
        let mut folded: Vec<Problem> = Vec::with_capacity(self.list.len());
        let mut lacking: HashMap<Lacking, usize> = HashMap::new();
        for problem in std::mem::take(&mut self.list) {
            let Some(lack) = &problem.lacks else {
                folded.push(problem);
                continue;
            };
            let key = (
                lack.variable.clone(),
                problem.hint.clone(),
                problem.modules.clone(),
            );
            if let Some(known) = lacking.get(&key).and_then(|at| folded.get_mut(*at)) {
                let place = format!("{}:{}:{}", problem.file, problem.line, problem.column);
                match known.also.len().cmp(&SHOWN) {
                    Ordering::Less => known.also.push(format!("{place} by {}", lack.needed_by)),
                    Ordering::Equal => known.also.push("…".to_owned()),
                    Ordering::Greater => {}
                }
                self.errors -= usize::from(problem.severity == Severity::Error);
            } else {
                lacking.insert(key, folded.len());
                folded.push(problem);
            }
        }
        self.list = folded;
        self.known.clear();
    }

    /// The text a person reads.
    pub fn render(&self, color: Color) -> String {
        render(&self.list, color)
    }

    fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            (&a.file, a.line, a.column, &a.message).cmp(&(&b.file, b.line, b.column, &b.message))
        });
    }
}

/// Problems in their order, underlined in the source, as a person reads them; of more than [`SHOWN`] the first.
pub fn render(problems: &[Problem], color: Color) -> String {
    let renderer = match color {
        Color::Plain => Renderer::plain(),
        Color::Styled => Renderer::styled(),
    };
    let (shown, more) = first(problems);
    let texts = shown.into_iter().map(|problem| problem.render(&renderer));
    let more = (more > 0).then(|| format!("… and {more} more problems"));
    texts.chain(more).collect::<Vec<_>>().join("\n\n")
}

/// The first [`SHOWN`] problems, errors before warnings where there are more, and how many more there are.
pub fn first(problems: &[Problem]) -> (Vec<&Problem>, usize) {
    let mut all: Vec<&Problem> = problems.iter().collect();
    if all.len() > SHOWN {
        all.sort_by_key(|problem| problem.severity);
        all.truncate(SHOWN);
    }
    let more = problems.len() - all.len();
    (all, more)
}

/// Whether rendered text carries colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// No escape codes.
    Plain,
    /// With the escape codes of a terminal.
    Styled,
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        let mut problems = Self::default();
        problems.push(problem);
        problems
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl Extend<Problem> for Problems {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Color::Plain))
    }
}

impl std::error::Error for Problems {}

/// The known word that `text` was probably meant to be.
pub fn did_you_mean<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let folded = text.to_lowercase();
    let length = folded.chars().count();
    known
        .into_iter()
        .filter_map(|word| {
            let folded_word = word.to_lowercase();
            let word_length = folded_word.chars().count();
            let allowed = (word_length / 3).max(1);
            // Words are at least as far apart as their lengths, which costs nothing to compare: a file may hold 100,000
            // unknown keys.
            if word_length.abs_diff(length) > allowed {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&folded_word, &folded);
            (distance <= allowed).then_some((distance, word))
        })
        .min()
        .map(|(_, word)| format!("did you mean `{word}`?"))
}

pub(super) fn twice(what: &str, place: &Place, first: &impl std::fmt::Display) -> Problem {
    Problem::error(
        "duplicate",
        place,
        format!("{what} is defined twice, first at {first}"),
    )
    .hint("keep one of them")
}
