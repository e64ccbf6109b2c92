//! What `doctor` found: one line for each check, failures with what to do.

use std::io::{self, Write};

use serde::Serialize;

use super::style::{Page, Style, Tone, columns};

/// The version of the JSON.
pub const FORMAT: &str = "rolecall-doctor/1";

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it must be.
    Ok,
    /// AWS did not let it be checked, or doctor does not try it.
    Unknown,
    /// Not as it must be.
    Failed,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked: `caller`, `organization`, `account`, `permissions`, `clock`, `state`.
    pub check: &'static str,
    /// Of what: an account, the place of the state; empty where there is one only.
    pub subject: String,
    /// How it ended.
    pub health: Health,
    /// What was found.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// All checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doctor {
    /// [`FORMAT`].
    pub format: &'static str,
    /// In the order of a run: each needs those before it.
    pub checks: Vec<Check>,
}

impl Doctor {
    /// The checks with the version of their form.
    pub fn new(checks: Vec<Check>) -> Self {
        Self {
            format: FORMAT,
            checks,
        }
    }
}

/// Writes a line for each check, and below a failed one what to do.
pub fn table(doctor: &Doctor, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(style, out);
    let wide = |cell: fn(&Check) -> usize| doctor.checks.iter().map(cell).max().unwrap_or(0);
    let check_width = wide(|check| columns(check.check));
    let subject_width = wide(|check| columns(&check.subject));
    for check in &doctor.checks {
        let (mark, tone) = match check.health {
            Health::Ok => ("ok", Tone::Added),
            Health::Unknown => ("?", Tone::Changed),
            Health::Failed => ("FAILED", Tone::Alarm),
        };
        let mark = page.paint(tone, &format!("{mark:6}"));
        let (name, subject) = (check.check, &check.subject);
        let line = format!(
            "{mark}  {name:check_width$}  {subject:subject_width$}  {}",
            check.detail
        );
        page.line(0, line.trim_end())?;
        if let Some(hint) = &check.hint {
            page.prose(8, Tone::Faint, hint)?;
        }
    }
    let failed = doctor
        .checks
        .iter()
        .filter(|check| check.health == Health::Failed)
        .count();
    page.blank()?;
    let checks = super::style::count(doctor.checks.len(), "check");
    page.line(0, &format!("{checks}, {failed} failed"))
}
