//! A state as text and JSON: recorded resources, and runs.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::style::{Page, Style, Tone, columns, count};
use crate::execute::{Outcome, RunSummary};
use crate::plan::{Converged, Summary};
use crate::store::{Entry, Logged, ResourceRecord, RunOutline, RunRecord, Runs, StoreError};

/// The resources on record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct List {
    format: &'static str,
    resources: Vec<Listed>,
}

/// One resource on record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    address: String,
    run: String,
    converged_at: String,
    arn: Option<String>,
}

/// All of one resource's record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    format: &'static str,
    address: String,
    #[serde(flatten)]
    record: ResourceRecord,
}

/// The newest runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct History<'a> {
    format: &'static str,
    runs: &'a [RunOutline],
    unusable: Vec<Unusable<'a>>,
    more: usize,
}

/// A run whose record cannot be used.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Unusable<'a> {
    run: &'a str,
    error: String,
}

/// All of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordedRun {
    format: &'static str,
    #[serde(flatten)]
    record: RunRecord,
}

impl List {
    /// The resources with the version of their form.
    pub fn new(resources: Vec<Listed>) -> Self {
        Self {
            format: "rolecall-state-list/1",
            resources,
        }
    }
}

impl From<(String, ResourceRecord)> for Listed {
    fn from((address, record): (String, ResourceRecord)) -> Self {
        let ResourceRecord {
            converged_at,
            run,
            rollback: _,
            converged,
        } = record;
        Self {
            address,
            run,
            converged_at,
            arn: converged.arn,
        }
    }
}

impl Shown {
    /// The record with the version of its form.
    pub fn new(address: String, record: ResourceRecord) -> Self {
        Self {
            format: "rolecall-state-show/1",
            address,
            record,
        }
    }
}

impl<'a> History<'a> {
    /// The runs with the version of their form.
    pub fn new(
        Runs {
            outlines,
            unusable,
            more,
        }: &'a Runs,
    ) -> Self {
        let unusable = unusable
            .iter()
            .map(|(run, error)| Unusable {
                run,
                error: error.to_string(),
            })
            .collect();
        Self {
            format: "rolecall-history/1",
            runs: outlines,
            unusable,
            more: *more,
        }
    }
}

impl RecordedRun {
    /// The run with the version of its form.
    pub fn new(record: RunRecord) -> Self {
        Self {
            format: "rolecall-history-run/1",
            record,
        }
    }
}

/// Writes a line for each resource: which, by which run, when.
pub fn list(resources: &[Listed], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(style, out);
    let rows = resources.iter().map(|one| {
        [
            one.address.clone(),
            one.run.clone(),
            one.converged_at.clone(),
        ]
    });
    table(
        ["ADDRESS", "RUN", "CONVERGED"],
        &rows.collect::<Vec<_>>(),
        &mut page,
    )?;
    let accounts: BTreeSet<_> = resources
        .iter()
        .filter_map(|one| one.address.split('/').next())
        .collect();
    let (resources, accounts) = (
        count(resources.len(), "resource"),
        count(accounts.len(), "account"),
    );
    page.line(0, &format!("{resources} in {accounts}"))
}

/// Writes all that is on record of one resource.
pub fn show(shown: &Shown, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Shown {
        format: _,
        address,
        record,
    } = shown;
    let ResourceRecord {
        converged_at,
        run,
        rollback,
        converged:
            Converged {
                unique_id,
                arn,
                values,
                items: _,
            },
    } = record;
    let mut page = Page::new(style, out);
    let title = page.paint(Tone::Title, address);
    page.line(0, &title)?;
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".to_owned());
    let mut told = vec![
        ("converged", converged_at.clone()),
        ("run", run.clone()),
        ("arn", known(arn)),
        ("unique id", known(unique_id)),
    ];
    told.extend(rollback.as_ref().map(|rollback| {
        (
            "rolled back",
            format!("since then, by run {}", rollback.run),
        )
    }));
    facts(&told, &mut page)?;
    serde_json::to_string_pretty(values)?
        .lines()
        .try_for_each(|line| page.line(2, line))
}

/// Writes a line for each run, and how many older ones there are.
pub fn history(runs: &Runs, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let Runs {
        outlines,
        unusable,
        more,
    } = runs;
    let mut page = Page::new(style, out);
    let usable = outlines.iter().map(|RunOutline { header, finished }| {
        [
            header.run.clone(),
            header.started_at.clone(),
            header.command.clone(),
            planned(header.plan),
            ended(*finished),
            header.who.clone(),
        ]
    });
    let unusable = unusable.iter().map(|(run, error)| {
        let why = if matches!(error, StoreError::Damaged { .. }) {
            "damaged"
        } else {
            "cannot be read"
        };
        let unknown = String::new;
        [
            run.clone(),
            unknown(),
            unknown(),
            unknown(),
            why.to_owned(),
            unknown(),
        ]
    });
    let mut rows: Vec<_> = usable.chain(unusable).collect();
    // Ids begin with the time.
    rows.sort_by(|[one, ..], [other, ..]| other.cmp(one));
    table(
        ["RUN", "STARTED", "COMMAND", "PLANNED", "RESULT", "WHO"],
        &rows,
        &mut page,
    )?;
    let older = if *more == 0 {
        String::new()
    } else {
        format!("; {more} more, --limit shows them")
    };
    page.line(0, &(count(rows.len(), "run") + &older))
}

/// Writes what one run did, in order.
pub fn run(record: &RunRecord, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let RunRecord {
        header,
        entries,
        finished,
    } = record;
    let mut page = Page::new(style, out);
    let title = page.paint(Tone::Title, &format!("{} {}", header.command, header.run));
    page.line(0, &title)?;
    let facts_of_it = [
        ("who", header.who.clone()),
        ("host", header.host.clone()),
        ("started", header.started_at.clone()),
        ("rolecall", header.version.clone()),
        ("desired", header.desired_digest.clone()),
        ("planned", planned(header.plan)),
    ];
    facts(&facts_of_it, &mut page)?;
    page.blank()?;
    for Logged { at, entry } in entries {
        let (tone, text) = line(entry);
        let line = format!(
            "{}  {}",
            page.paint(Tone::Faint, at),
            page.paint(tone, &text)
        );
        page.line(2, &line)?;
    }
    if !finished {
        let cut = page.paint(
            Tone::Alarm,
            "the record ends here: the run was cut short, or is still running",
        );
        page.line(2, &cut)?;
    }
    Ok(())
}

fn line(entry: &Entry) -> (Tone, String) {
    let because = |error: &Option<String>| {
        error
            .as_ref()
            .map(|error| format!(": {error}"))
            .unwrap_or_default()
    };
    match entry {
        Entry::ChangeStarted {
            address,
            action,
            before: _,
            expected: _,
            details: _,
            steps,
        } => (
            Tone::Title,
            format!("{} {address}: {}", word(action), count(*steps, "step")),
        ),
        Entry::StepStarted { address, step, op } => {
            (Tone::Plain, format!("{address} step {}: {op}", step + 1))
        }
        Entry::StepFinished {
            address,
            step,
            error: None,
        } => (Tone::Plain, format!("{address} step {} done", step + 1)),
        Entry::StepFinished {
            address,
            step,
            error,
        } => (
            Tone::Removed,
            format!("{address} step {} failed{}", step + 1, because(error)),
        ),
        Entry::ChangeFinished {
            address,
            outcome,
            error,
        } => {
            let tone = if *outcome == Outcome::Done {
                Tone::Added
            } else {
                Tone::Removed
            };
            (
                tone,
                format!("{address} {}{}", word(outcome), because(error)),
            )
        }
        Entry::Unreadable { account, error } => (
            Tone::Removed,
            format!("account {account} could not be read and was left out: {error}"),
        ),
        Entry::WaveStarted { wave, accounts } => (
            Tone::Plain,
            format!(
                "wave {} begins: {}",
                wave + 1,
                count(accounts.len(), "account")
            ),
        ),
        Entry::WaveFinished { wave, accounts } => (
            Tone::Plain,
            format!(
                "wave {} ended: {}",
                wave + 1,
                count(accounts.len(), "account")
            ),
        ),
        Entry::RunFinished { summary } => {
            (Tone::Title, format!("ended: {}", ended(Some(*summary))))
        }
    }
}

/// A word of ours as it is in JSON: `create`, `not_reached`.
fn word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.as_ref()
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
        .replace('_', " ")
}

fn planned(plan: Summary) -> String {
    let Summary {
        create,
        update,
        replace,
        delete,
        adopt,
        ..
    } = plan;
    let parts = [
        (create, "create"),
        (update, "update"),
        (replace, "replace"),
        (delete, "delete"),
        (adopt, "adopt"),
    ];
    counts(&parts).unwrap_or_else(|| "nothing".to_owned())
}

fn ended(finished: Option<RunSummary>) -> String {
    let Some(RunSummary {
        done,
        failed,
        stale,
        not_reached,
    }) = finished
    else {
        return "not finished".to_owned();
    };
    let parts = [
        (done, "done"),
        (failed, "failed"),
        (stale, "stale"),
        (not_reached, "not reached"),
    ];
    counts(&parts).unwrap_or_else(|| "nothing to do".to_owned())
}

/// `3 create, 1 update`, without what there is none of.
fn counts(parts: &[(usize, &str)]) -> Option<String> {
    let parts: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn facts(facts: &[(&str, String)], page: &mut Page<'_>) -> io::Result<()> {
    let width = facts
        .iter()
        .map(|(name, _)| columns(name))
        .max()
        .unwrap_or_default();
    for (name, value) in facts {
        let line = format!(
            "{}  {}",
            page.paint(Tone::Faint, &format!("{name:width$}")),
            page.paint(Tone::Plain, value)
        );
        page.line(2, &line)?;
    }
    Ok(())
}

/// Writes rows below their titles; the last column is as wide as it is. Nothing where there are no rows.
fn table<const N: usize>(
    titles: [&str; N],
    rows: &[[String; N]],
    page: &mut Page<'_>,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let titles = titles.map(str::to_owned);
    let mut widths = titles.each_ref().map(|title| columns(title));
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let title = page.paint(Tone::Title, &line(&titles));
    page.line(0, &title)?;
    for row in rows {
        let row = page.paint(Tone::Plain, &line(row));
        page.line(0, &row)?;
    }
    page.blank()
}
