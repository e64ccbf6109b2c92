//! What a webhook receives about a run: a `text` that Slack shows, and the summary for whoever reads JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::drift::summary;
use crate::drift::Drift;
use crate::execute::{Outcome, RunReport};
use crate::plan::{Cause, Change, Plan};
use crate::resource::secret::Secrets;

/// The version of a notice's JSON.
pub const FORMAT: &str = "rolecall-notice/1";

/// What holds words of the program and never a value.
const WORDS: [&str; 7] = [
    "action",
    "attributes",
    "cause",
    "command",
    "format",
    "outcome",
    "standing",
];

/// How many resources the text names before it counts the rest.
const NAMED: usize = 10;

/// What a run is about, and how it ended.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The command.
    pub command: &'a str,
    /// The directory's name.
    pub name: &'a str,
    /// The organization.
    pub organization_id: &'a str,
    /// The exit code.
    pub exit: u8,
    /// What is never shown.
    pub secrets: &'a Secrets,
}

impl Run<'_> {
    /// The notice of a drift.
    pub fn drift(self, drift: &Drift) -> Value {
        let drifted = drift.plan.accounts.iter().flat_map(|part| &part.changes);
        let drifted: Vec<&Change> = drifted
            .filter(|one| {
                drift
                    .judgement(one)
                    .is_some_and(|found| found.standing.is_drift())
            })
            .collect();
        let who = |change: &&Change| drift.who.get(&change.address);
        let lines = drifted.iter().map(|change| {
            let by = who(change).and_then(|who| who.events.first());
            let by = by
                .map(|event| format!(" ({}, {})", event.user, event.operation))
                .unwrap_or_default();
            format!("{}: {}{by}", change.address, attributes(change))
        });
        let mut told = changes(&drifted);
        for (told, change) in told.as_array_mut().into_iter().flatten().zip(&drifted) {
            if let (Some(members), Some(who)) = (told.as_object_mut(), who(change)) {
                members.insert("who".to_owned(), who.shown());
            }
        }
        self.notice(
            &summary(&drift.summary).1,
            lines,
            &json!(drift.summary),
            &told,
        )
    }

    /// The notice of a plan.
    pub fn plan(self, plan: &Plan) -> Value {
        let all = plan
            .accounts
            .iter()
            .flat_map(|part| &part.changes)
            .filter(|change| !change.cosmetic);
        let all: Vec<&Change> = all.collect();
        let sum = plan.summary;
        let said = format!(
            "{} to create, {} to update, {} to replace, {} to delete, {} to adopt; {} of {} accounts could not be read.",
            sum.create,
            sum.update,
            sum.replace,
            sum.delete,
            sum.adopt,
            sum.unreadable,
            sum.accounts
        );
        let lines = all.iter().map(|change| {
            format!(
                "{} {}",
                json!(change.action).as_str().unwrap_or_default(),
                change.address
            )
        });
        self.notice(&said, lines, &json!(sum), &changes(&all))
    }

    /// The notice of a run that wrote.
    pub fn applied(self, run: &RunReport) -> Value {
        let sum = run.summary;
        let said = format!(
            "{} done, {} failed, {} stale, {} not reached.",
            sum.done, sum.failed, sum.stale, sum.not_reached
        );
        let undone = run
            .results
            .iter()
            .filter(|result| result.outcome != Outcome::Done);
        let lines = undone.map(|one| {
            format!(
                "{}: {}",
                one.address,
                one.error.as_deref().unwrap_or("not done")
            )
        });
        self.notice(&said, lines, &json!(sum), &json!(run.results))
    }

    fn notice(
        self,
        said: &str,
        lines: impl Iterator<Item = String>,
        summary: &Value,
        changes: &Value,
    ) -> Value {
        let Self {
            command,
            name,
            organization_id,
            exit,
            secrets,
        } = self;
        let mut text = format!("rolecall {command}: {name} in {organization_id}: {said}");
        let lines: Vec<String> = lines.collect();
        for line in lines.iter().take(NAMED) {
            // Writing to a string cannot fail.
            _ = write!(text, "\n• {line}");
        }
        if lines.len() > NAMED {
            _ = write!(text, "\n• and {} more", lines.len() - NAMED);
        }
        let notice = json!({
            "text": escaped(&secrets.mask(&text)), "format": FORMAT, "command": command, "name": name,
            "organization_id": organization_id, "exit_code": exit, "summary": summary, "changes": changes,
        });
        secrets.mask_texts(&notice, &WORDS)
    }
}

/// The notice of a run that ended before its work was done, perhaps before anything was known of it.
pub fn stopped(command: &str, exit: u8, why: &str, secrets: &Secrets) -> Value {
    let why = secrets.mask(why);
    let text = format!("rolecall {command}: error: {why}");
    json!({ "text": escaped(&text), "format": FORMAT, "command": command, "exit_code": exit, "error": why })
}

/// Slack's own three characters. Source: Slack API, Formatting text for app surfaces.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn attributes(change: &Change) -> String {
    let names: Vec<&str> = change
        .diffs
        .iter()
        .map(|diff| diff.attribute.name())
        .collect();
    let by = match change.cause {
        Cause::Drift => "by hand",
        Cause::Both => "by hand and in the file",
        Cause::Unknown => "by an unknown actor",
        Cause::Desired => "in the file",
    };
    if names.is_empty() {
        change.reason.clone()
    } else {
        format!("{} {by}", names.join(", "))
    }
}

fn changes(changes: &[&Change]) -> Value {
    let one = |change: &&Change| {
        let attributes: Vec<&str> = change
            .diffs
            .iter()
            .map(|diff| diff.attribute.name())
            .collect();
        json!({ "address": change.address, "action": change.action, "cause": change.cause, "attributes": attributes })
    };
    changes.iter().map(one).collect()
}
