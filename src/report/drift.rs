//! Drift as text: what was changed by hand comes first, what is accepted and what is only pending last.
//!
//! A plan says what an apply would do; here the signs are turned round and say what was done: `+` is live and not
//! desired, `-` is desired and gone. What is pending keeps the plan's signs.

mod reverse;

use std::collections::BTreeSet;
use std::io;

use super::finding::{self, Bundle};
use super::group::{self, Group};
use super::human::{self, attribute};
use super::style::{Page, Style, Tone, count};
use super::who::{self, Extent};
use crate::drift::{Drift, Standing, Summary};
use crate::plan::{Action, Change, Plan, differ};

/// The indent of what belongs to a headline.
const BODY: usize = 6;

/// Writes what drifted.
pub fn drift(drift: &Drift, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    let mut page = Page::new(style, out);
    let name = page.paint(Tone::Title, &drift.plan.name);
    let rest = format!(
        " in organization {}, {}",
        drift.plan.organization_id,
        count(drift.summary.accounts, "account")
    );
    let rest = page.paint(Tone::Plain, &rest);
    page.line(0, &format!("Drift of {name}{rest}"))?;
    for (standing, part) in parts(drift) {
        section(drift, standing, &part, &mut page)?;
    }
    human::unread(&drift.plan, &mut page)?;
    human::skipped(&drift.plan, &mut page)?;
    findings(&drift.plan, &mut page)?;
    page.blank()?;
    let (tone, text) = summary(&drift.summary);
    let text = page.paint(tone, &text);
    page.line(0, &text)
}

fn title(standing: Standing) -> (Tone, &'static str) {
    match standing {
        Standing::Hand => (
            Tone::Alarm,
            "Changed by hand (+ is live but not desired, - is desired but missing)",
        ),
        Standing::Both => (Tone::Alarm, "Changed by hand, and the file changed too"),
        Standing::RolledBack => (
            Tone::Alarm,
            "Rolled back, and the file was not changed (+ is live but not desired, - is desired but missing)",
        ),
        Standing::Unknown => (Tone::Alarm, "Differs, cause unknown: nothing is on record"),
        Standing::Never => (
            Tone::Adopted,
            "Never applied: nothing is on record, and none of it exists",
        ),
        Standing::Accepted => (Tone::Changed, "Accepted"),
        Standing::Pending => (Tone::Adopted, "Pending: desired, but not applied yet"),
    }
}

/// What became of a difference, in a few words.
pub(super) fn meaning(standing: Standing) -> &'static str {
    let (_, title) = title(standing);
    title.split_once(" (").map_or(title, |(meaning, _)| meaning)
}

fn section(drift: &Drift, standing: Standing, part: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    let groups = group::groups(part);
    if groups.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let (tone, text) = title(standing);
    let text = page.paint(tone, text);
    page.line(0, &text)?;
    for group in groups {
        change(&group, standing, page)?;
        if standing.is_drift() {
            answers(drift, &group, page)?;
        }
    }
    Ok(())
}

/// What drifted by what became of it, in order.
pub fn parts(drift: &Drift) -> Vec<(Standing, Plan)> {
    let judged = drift.judgements.values();
    let found = judged.flat_map(|one| {
        one.diffs
            .iter()
            .map(|diff| diff.standing)
            .chain([one.standing])
    });
    let found: BTreeSet<Standing> = found.collect();
    found
        .into_iter()
        .map(|standing| (standing, of_standing(drift, standing)))
        .collect()
}

/// The plan's changes as far as their differences are of one standing.
fn of_standing(drift: &Drift, standing: Standing) -> Plan {
    let mut plan = drift.plan.clone();
    for part in &mut plan.accounts {
        let changes = std::mem::take(&mut part.changes);
        part.changes = changes
            .into_iter()
            .filter_map(|change| only(drift, change, standing))
            .collect();
    }
    plan
}

fn only(drift: &Drift, mut change: Change, standing: Standing) -> Option<Change> {
    let judgement = drift.judgement(&change)?;
    if change.diffs.is_empty() {
        return (judgement.standing == standing).then_some(change);
    }
    let is_about_all = change.reason == differ(&change.diffs);
    let mut judged = judgement.diffs.iter();
    let mut words = Vec::new();
    change.diffs.retain(|diff| {
        let Some(judged) = judged.next().filter(|judged| judged.standing == standing) else {
            return false;
        };
        words.extend(judged.accept.as_ref().map(|accept| {
            format!(
                "{} until {}: {}",
                diff.attribute.name(),
                accept.until,
                accept.reason
            )
        }));
        true
    });
    if change.diffs.is_empty() {
        return None;
    }
    // What was left out keeps nothing apart that is equal otherwise.
    change.cause = change
        .diffs
        .first()
        .and_then(|diff| diff.cause)
        .unwrap_or(change.cause);
    change.diffs.iter_mut().for_each(|diff| diff.cause = None);
    if standing == Standing::Accepted {
        change.reason = words.join("; ");
    } else if is_about_all {
        change.reason = differ(&change.diffs);
    }
    Some(if keeps_signs(standing) {
        change
    } else {
        reverse::reversed(change)
    })
}

/// Whether a difference is shown as a plan shows it: an apply is due, and no one did anything.
fn keeps_signs(standing: Standing) -> bool {
    matches!(standing, Standing::Pending | Standing::Never)
}

/// How what became of a resource looks and reads.
pub(super) fn look(change: &Change, standing: Standing) -> (&'static str, Tone, &'static str) {
    match (keeps_signs(standing), change.action) {
        (true, Action::Create) => ("+", Tone::Added, "is to be created"),
        (true, Action::Update) => ("~", Tone::Changed, "is to be updated"),
        (true, Action::Replace) => ("±", Tone::Removed, "is to be replaced"),
        (true, Action::Delete) => ("-", Tone::Removed, "is to be deleted"),
        (true, Action::Adopt) => ("→", Tone::Adopted, "is to be adopted"),
        // What follows is turned round: a resource that would be created is gone.
        (_, Action::Delete) => ("-", Tone::Removed, "is missing"),
        (_, Action::Create) => ("+", Tone::Added, "exists but is not desired"),
        (_, Action::Update) => ("~", Tone::Changed, "differs"),
        (_, Action::Replace) => ("±", Tone::Removed, "has another path"),
        (_, Action::Adopt) => ("→", Tone::Changed, "lost its ownership tag"),
    }
}

fn change(group: &Group<'_>, standing: Standing, page: &mut Page<'_>) -> io::Result<()> {
    let (symbol, tone, phrase) = look(&group.change, standing);
    let (kind, name) = group.resource();
    let place = match group.accounts.as_slice() {
        [single] => single.to_string(),
        accounts => count(accounts.len(), "account"),
    };
    let mut line = format!(
        "{} {} {}{}",
        page.paint(tone, symbol),
        page.paint(Tone::Title, &format!("{kind} {name}")),
        page.paint(tone, phrase),
        page.paint(Tone::Plain, &format!(" in {place}")),
    );
    if group.widens() && !keeps_signs(standing) {
        line += "  ";
        line += &page.paint(Tone::Alarm, "! access is wider than desired");
    }
    page.line(2, &line)?;
    if group.accounts.len() > 1 {
        page.list(
            BODY,
            Tone::Plain,
            &group::shortened(&group.accounts, page.style.is_verbose()),
        )?;
    }
    page.prose(BODY, Tone::Faint, &group.change.reason)?;
    attribute::attributes(&group.change, BODY, page)
}

/// Who did it.
fn answers(drift: &Drift, group: &Group<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let extent = if page.style.is_verbose() {
        Extent::All
    } else {
        Extent::Some
    };
    for lines in who::answers(drift, group, extent) {
        let mut label = page.paint(Tone::Title, "who");
        for line in lines {
            page.entry(BODY, &label, 3, &line)?;
            "   ".clone_into(&mut label);
        }
    }
    Ok(())
}

fn findings(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    if plan.findings.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let title = page.paint(Tone::Title, "Findings");
    page.line(0, &title)?;
    for Bundle {
        code,
        message,
        accounts,
        ..
    } in finding::bundles(plan)
    {
        let code = page.paint(Tone::Changed, code);
        page.line(2, &code)?;
        page.prose(BODY, Tone::Plain, &message)?;
        page.list(
            BODY,
            Tone::Faint,
            &group::shortened(&accounts, page.style.is_verbose()),
        )?;
    }
    Ok(())
}

/// One line that sums a drift up, in its tone.
pub fn summary(summary: &Summary) -> (Tone, String) {
    let Summary {
        accounts,
        unreadable,
        drift,
        both,
        rolled_back,
        unknown,
        never,
        accepted,
        desired,
        ..
    } = *summary;
    let read = accounts.saturating_sub(unreadable);
    let mut parts = Vec::new();
    for (n, words) in [
        (drift, "changed by hand"),
        (both, "changed by hand and in the file"),
        (rolled_back, "rolled back"),
        (unknown.saturating_sub(never), "of unknown cause"),
        (never, "never applied"),
        (accepted, "accepted"),
        (desired, "pending"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {words}"));
        }
    }
    let unread = if unreadable > 0 {
        format!("; {} could not be read", count(unreadable, "account"))
    } else {
        String::new()
    };
    if read == 0 && unreadable > 0 {
        return (Tone::Alarm, "No account could be read.".to_owned());
    }
    let place = format!("{}{unread}", count(read, "account"));
    let said = parts.join(", ");
    match (summary.drifted(), said.is_empty()) {
        (0, true) if unreadable == 0 => (Tone::Added, format!("No drift in {place}.")),
        (0, true) => (Tone::Alarm, format!("No drift in {place}.")),
        (0, false) => (Tone::Title, format!("No drift in {place}: {said}.")),
        (_, _) => (Tone::Alarm, format!("Drift in {place}: {said}.")),
    }
}
