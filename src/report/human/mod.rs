//! A plan as text that a reviewer reads.
//!
//! The gravest comes first: what destroys, what widens access, then the rest; equal changes once, with their
//! accounts. Then what could not be seen, what speaks against the plan, and one line that sums it up. It never says
//! that all is well of what it did not see.

pub(super) mod attribute;
mod document;
mod finding;
mod lines;
mod margin;
mod summary;

pub use summary::said as summary_line;

use std::io::{self, Write};

use super::group::{self, Group};
use super::style::{Page, Style, Tone, count};
use super::unread::{self, Accounts, Unread};
use crate::plan::{Action, Cause, Change, Plan};
use margin::{BODY, widens_mark};

/// Writes a plan.
pub fn plan(plan: &Plan, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(style, out);
    header(plan, &mut page)?;
    for group in group::groups(plan) {
        page.blank()?;
        change(&group, &mut page)?;
    }
    unread(plan, &mut page)?;
    skipped(plan, &mut page)?;
    finding::findings(plan, &mut page)?;
    page.blank()?;
    summary::summary(plan, &mut page)
}

fn header(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    let name = page.paint(Tone::Title, &plan.name);
    let rest = format!(
        " in organization {}, {}",
        plan.organization_id,
        count(plan.summary.accounts, "account")
    );
    let rest = page.paint(Tone::Plain, &rest);
    page.line(0, &format!("Plan for {name}{rest}"))
}

/// How an action looks and reads.
struct Look {
    symbol: &'static str,
    tone: Tone,
    phrase: &'static str,
}

fn look(change: &Change) -> Look {
    let (symbol, tone, phrase) = match change.action {
        _ if change.cosmetic => ("≈", Tone::Faint, "differs only in spelling"),
        Action::Create => ("+", Tone::Added, "will be created"),
        Action::Update => ("~", Tone::Changed, "will be updated"),
        Action::Replace => ("-/+", Tone::Removed, "will be replaced"),
        Action::Delete => ("-", Tone::Removed, "will be deleted"),
        Action::Adopt => ("→", Tone::Adopted, "will be adopted"),
    };
    Look {
        symbol,
        tone,
        phrase,
    }
}

fn change(group: &Group<'_>, page: &mut Page<'_>) -> io::Result<()> {
    headline(group, page)?;
    if group.accounts.len() > 1 {
        page.list(
            BODY,
            Tone::Plain,
            &group::shortened(&group.accounts, page.style.is_verbose()),
        )?;
    }
    page.prose(BODY, Tone::Faint, &reason(&group.change))?;
    attribute::attributes(&group.change, BODY, page)?;
    if page.style.is_verbose() {
        operations(&group.change, page)?;
    }
    Ok(())
}

/// Why a change is made, and who moved where that is known.
pub fn reason(change: &Change) -> String {
    let cause = match (change.cause, change.action, &change.rolled_back) {
        (Cause::Desired, Action::Create, _) => " (not applied yet)",
        // The reason says it.
        (Cause::Desired, Action::Delete | Action::Adopt, _) | (Cause::Unknown, ..) => "",
        (Cause::Desired, Action::Update | Action::Replace, _) => " (the file changed)",
        (Cause::Drift, _, Some(run)) => &format!(" (rolled back by run {run})"),
        (Cause::Both, _, Some(run)) => {
            &format!(" (rolled back by run {run}, and the file changed)")
        }
        (Cause::Drift, _, None) => " (changed by hand)",
        (Cause::Both, _, None) => " (both the file and the live resource changed)",
    };
    format!("{}{cause}", change.reason)
}

/// What differs in a change, attribute by attribute, for views that set it in a frame of their own.
pub fn differences(change: &Change, style: &Style) -> String {
    let mut out = Vec::new();
    // Writing to memory cannot fail.
    _ = attribute::attributes(change, 0, &mut Page::new(style, &mut out));
    String::from_utf8_lossy(&out).into_owned()
}

fn headline(group: &Group<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let Look {
        symbol,
        tone,
        phrase,
    } = look(&group.change);
    let (kind, name) = group.resource();
    let place = match group.accounts.as_slice() {
        [single] => single.to_string(),
        accounts => count(accounts.len(), "account"),
    };
    let steps = if group.steps == 0 {
        String::new()
    } else {
        format!(" ({})", count(group.steps, "step"))
    };
    let weight = if group.change.cosmetic {
        Tone::Faint
    } else {
        Tone::Title
    };
    let mut line = format!(
        "{}{} {} {}{}",
        " ".repeat((BODY - 3).saturating_sub(symbol.chars().count())),
        page.paint(tone, symbol),
        page.paint(weight, &format!("{kind} {name}")),
        page.paint(tone, phrase),
        page.paint(Tone::Plain, &format!(" in {place}")),
    );
    line += &page.paint(Tone::Faint, &steps);
    if group.widens() {
        line += &widens_mark(page);
    }
    page.line(0, &line)
}

/// The names of the writes. Their arguments may be sensitive and stay out.
fn operations(change: &Change, page: &mut Page<'_>) -> io::Result<()> {
    let items = group::operations(change);
    if items.is_empty() {
        return Ok(());
    }
    page.line(BODY, "steps")?;
    page.list(BODY + 2, Tone::Faint, &items)
}

pub(super) fn unread(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    let together = if page.style.is_verbose() {
        Accounts::Alone
    } else {
        Accounts::Together
    };
    let bundles = unread::unreadable(plan, together);
    if bundles.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let title = format!(
        "{} could not be read; nothing is planned there",
        count(total(&bundles), "account")
    );
    let title = page.paint(Tone::Alarm, &title);
    page.line(0, &title)?;
    for Unread { accounts, why } in bundles {
        page.list(
            2,
            Tone::Title,
            &group::shortened(&accounts, page.style.is_verbose()),
        )?;
        page.prose(4, Tone::Plain, &why)?;
    }
    Ok(())
}

fn total(bundles: &[Unread<'_>]) -> usize {
    bundles.iter().map(|bundle| bundle.accounts.len()).sum()
}

pub(super) fn skipped(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    let bundles = unread::skipped(plan);
    if bundles.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.line(0, &format!("{} skipped", count(total(&bundles), "account")))?;
    for Unread { accounts, why } in bundles {
        let mut items = group::shortened(&accounts, page.style.is_verbose());
        if let Some(first) = items.first_mut() {
            first.insert_str(0, &format!("{why}: "));
        }
        page.list(2, Tone::Faint, &items)?;
    }
    Ok(())
}
