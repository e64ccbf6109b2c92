//! A plan or a drift in all its forms but text: on standard output, in files, and as annotations of a pull request.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Console, Error};
use crate::cli::{PlanFormat, ReportArgs};
use crate::config::MAIN_FILE;
use crate::drift::Drift;
use crate::files;
use crate::ops::Survey;
use crate::plan::{self, Plan};
use crate::report::remark::{Places, Remark, remarks};
use crate::report::subject::Subject;
use crate::report::who::Extent;
use crate::report::{self, github, sarif};

/// What is reported.
#[derive(Clone, Copy)]
pub enum Report<'a> {
    /// What an apply would do.
    Plan(&'a Plan),
    /// What someone did.
    Drift(&'a Drift),
}

/// A form that masks what it shows where it makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One object, pretty.
    Json,
    /// A comment.
    Markdown,
    /// A page.
    Html,
    /// A log of findings.
    Sarif,
}

impl Form {
    /// The form that a format is; none for text, which the console masks.
    pub fn of(format: PlanFormat) -> Option<Self> {
        match format {
            PlanFormat::Text => None,
            PlanFormat::Json => Some(Self::Json),
            PlanFormat::Markdown => Some(Self::Markdown),
            PlanFormat::Html => Some(Self::Html),
        }
    }
}

/// Checks that no two results go to one file; `other` is the flag and the file of what is not a report.
///
/// # Errors
/// Names the flags and the file.
pub fn check(args: &ReportArgs, other: (&str, Option<&PathBuf>)) -> Result<(), Error> {
    let named = [
        other,
        ("--json", args.json.as_ref()),
        ("--markdown", args.markdown.as_ref()),
        ("--html", args.html.as_ref()),
        ("--sarif", args.sarif.as_ref()),
    ];
    let mut flags: BTreeMap<&PathBuf, &str> = BTreeMap::new();
    for (flag, path) in named {
        let Some(path) = path else { continue };
        if let Some(first) = flags.insert(path, flag) {
            let message = format!("{first} and {flag} both name `{}`", path.display());
            return Err(Error::with_hint(
                message,
                "write each result to a file of its own",
            ));
        }
    }
    Ok(())
}

impl Report<'_> {
    /// Writes one form.
    pub fn write(self, form: Form, survey: &Survey, out: &mut dyn Write) -> io::Result<()> {
        let secrets = &survey.settings.secrets;
        let trusts = || {
            plan::trusts(
                &survey.settings,
                &survey.expansion.desired,
                &survey.organization,
            )
        };
        match (form, self) {
            (Form::Json, Self::Plan(plan)) => report::json::write(&plan.shown(secrets), out),
            (Form::Json, Self::Drift(drift)) => report::json::write(&drift.shown(secrets), out),
            (Form::Markdown, Self::Plan(plan)) => report::markdown::plan(plan, secrets, out),
            (Form::Markdown, Self::Drift(drift)) => report::markdown::drift(drift, secrets, out),
            (Form::Html, Self::Plan(plan)) => report::html::plan(plan, &trusts(), secrets, out),
            (Form::Html, Self::Drift(drift)) => report::html::drift(drift, &trusts(), secrets, out),
            (Form::Sarif, _) => sarif::write(&self.remarks(survey), self.plan(), secrets, out),
        }
    }

    /// Writes the files that were asked for. One that cannot be written does not keep the others from being written.
    pub fn save(self, args: &ReportArgs, survey: &Survey) -> Result<(), Error> {
        let wanted = [
            (&args.json, Form::Json),
            (&args.markdown, Form::Markdown),
            (&args.html, Form::Html),
            (&args.sarif, Form::Sarif),
        ];
        let mut failed = Vec::new();
        for (path, form) in wanted {
            let Some(path) = path else { continue };
            if let Err(error) = self.save_one(path, form, survey) {
                failed.push(format!("cannot write `{}`: {error}", path.display()));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(Error::because(failed.join("\n")))
    }

    fn save_one(self, path: &Path, form: Form, survey: &Survey) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.write(form, survey, &mut bytes)?;
        // Sensitive values are masked in it, and whoever publishes it is often another user.
        files::write(path, &bytes, 0o644)
    }

    /// In a step of GitHub Actions, shows the findings beside the lines they are about.
    pub fn annotate(self, survey: &Survey, console: &Console) {
        if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
            return;
        }
        let mut commands = Vec::new();
        // Writing to memory cannot fail.
        _ = github::annotations(&self.remarks(survey), &mut commands);
        console.annotate(&String::from_utf8_lossy(&commands));
    }

    fn plan(&self) -> &Plan {
        match self {
            Self::Plan(plan) => plan,
            Self::Drift(drift) => &drift.plan,
        }
    }

    fn remarks(self, survey: &Survey) -> Vec<Remark> {
        let desired = &survey.expansion.desired;
        let main = survey.config.directory().join(MAIN_FILE);
        let main = main
            .strip_prefix("./")
            .unwrap_or(&main)
            .display()
            .to_string();
        let places = Places {
            of: &|address| desired.origin(address).cloned(),
            main: &main,
        };
        let secrets = &survey.settings.secrets;
        match self {
            Self::Plan(plan) => remarks(&Subject::of_plan(plan), places, secrets),
            Self::Drift(drift) => {
                let parts = report::drift::parts(drift);
                let subject = Subject::of_drift(drift, &parts, Extent::Some);
                remarks(&subject, places, secrets)
            }
        }
    }
}
