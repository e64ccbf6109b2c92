//! A run report as text: what is not done and why, equal failures once, then one line of counts.

use std::io::{self, Write};

use super::group::{self, Sameness};
use super::style::{Page, Style, Tone, count};
use crate::execute::{ChangeResult, Outcome, RunReport, RunSummary, Wave};
use crate::org::AccountId;
use crate::plan::Action;

/// Whether a run did all that it was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It did.
    Whole,
    /// It did not: an account could not be read, say, or not everything was recorded.
    Part,
}

/// Writes what became of a run. What is done is listed with `-v` only.
pub fn run(
    report: &RunReport,
    extent: Extent,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Page::new(style, out);
    for (outcome, tone, title) in [
        (Outcome::Done, Tone::Added, "Done"),
        (
            Outcome::NotReached,
            Tone::Changed,
            "Not reached; the next apply continues from here",
        ),
        (
            Outcome::Stale,
            Tone::Changed,
            "Stale: changed since the plan was made, nothing was written; plan again",
        ),
        (Outcome::Failed, Tone::Removed, "Failed"),
    ] {
        if outcome != Outcome::Done || style.is_verbose() {
            section(report, outcome, tone, title, &mut page)?;
        }
    }
    summary(report, extent, &mut page)
}

/// Writes the waves of a rollout; nothing where there are none.
pub fn waves(waves: &[Wave], style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(style, out);
    if waves.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let title = page.paint(
        Tone::Title,
        &format!("Rollout in {}", count(waves.len(), "wave")),
    );
    page.line(0, &title)?;
    for (number, Wave { title, accounts }) in waves.iter().enumerate() {
        page.line(
            2,
            &format!(
                "{}. {title}: {}",
                number + 1,
                count(accounts.len(), "account")
            ),
        )?;
    }
    Ok(())
}

fn section(
    report: &RunReport,
    outcome: Outcome,
    tone: Tone,
    title: &str,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let results: Vec<&ChangeResult> = report
        .results
        .iter()
        .filter(|result| result.outcome == outcome)
        .collect();
    if results.is_empty() {
        return Ok(());
    }
    let title = page.paint(tone, title);
    page.line(0, &title)?;
    let bundles = if page.style.is_verbose() {
        results
            .into_iter()
            .map(|result| (vec![result], Sameness::Exact))
            .collect()
    } else {
        group::fold(
            results.into_iter(),
            |result| key(result, Sameness::Exact),
            |result| key(result, Sameness::Folded),
        )
    };
    for (members, sameness) in bundles {
        entry(&members, sameness, page)?;
    }
    page.blank()
}

fn entry(members: &[&ChangeResult], sameness: Sameness, page: &mut Page<'_>) -> io::Result<()> {
    let Some(first) = members.first() else {
        return Ok(());
    };
    let (resource, error) = (group::resource(&first.address), error_text(first, sameness));
    let name = match members {
        [single] => single.address.clone(),
        _ => format!("{} {}", resource.0, resource.1),
    };
    let place = if members.len() == 1 {
        String::new()
    } else {
        format!(" in {}", count(members.len(), "account"))
    };
    let action = page.paint(Tone::Faint, verb(first.action));
    let line = format!(
        "{} {action}{}",
        page.paint(Tone::Title, &name),
        page.paint(Tone::Plain, &place)
    );
    page.line(2, &line)?;
    if members.len() > 1 {
        let accounts: Vec<&str> = members
            .iter()
            .filter_map(|member| account(member))
            .collect();
        page.list(6, Tone::Faint, &group::shortened(&accounts, false))?;
    }
    page.prose(6, Tone::Plain, &error.unwrap_or_default())
}

fn account(result: &ChangeResult) -> Option<&str> {
    result.address.split_once('/').map(|(account, _)| account)
}

fn key(result: &ChangeResult, sameness: Sameness) -> (String, &'static str, Option<String>) {
    let (kind, name) = group::resource(&result.address);
    (
        format!("{kind}/{name}"),
        verb(result.action),
        error_text(result, sameness),
    )
}

/// The error; without what differs between the same error in two accounts, if so asked.
fn error_text(result: &ChangeResult, sameness: Sameness) -> Option<String> {
    let error = result.error.as_deref()?;
    let account = account(result).and_then(|id| AccountId::parse(id).ok());
    match (sameness, account) {
        (Sameness::Folded, Some(account)) => {
            let error = error
                .rsplit_once(" (request id ")
                .map_or(error, |(error, _)| error);
            Some(group::fold_text(error, account))
        }
        (Sameness::Exact, _) | (_, None) => Some(error.to_owned()),
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Adopt => "adopt",
    }
}

fn summary(report: &RunReport, extent: Extent, page: &mut Page<'_>) -> io::Result<()> {
    let RunSummary {
        done,
        failed,
        stale,
        not_reached,
    } = report.summary;
    let complete = extent == Extent::Whole && failed + stale + not_reached == 0;
    let (tone, title) = if complete {
        (Tone::Added, "Apply complete")
    } else {
        (Tone::Alarm, "Apply incomplete")
    };
    let text =
        format!("{title}: {done} done, {failed} failed, {stale} stale, {not_reached} not reached");
    let line = format!(
        "{} {}",
        page.paint(tone, &text),
        page.paint(Tone::Faint, &format!("(run {})", report.run))
    );
    page.line(0, &line)
}
