//! A plan as text that a reviewer reads.
//!
//! The gravest comes first: what destroys, what widens access, then the rest; equal changes once, with their accounts. Then what
//! could not be seen, what speaks against the plan, and one line that sums it up. It never says that all is well of what it did
//! not see.

mod attribute;
mod document;
mod finding;
mod lines;
mod summary;

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::group::{self, AccountName, Group, Sameness};
use super::style::{Page, Style, Tone, count};
use crate::org::AwsError;
use crate::plan::{AccountPlan, Action, Cause, Change, Plan, Reason, Status};

/// The indent of what belongs to a headline; its symbol stands in front of it.
const BODY: usize = 6;

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
    let rest = format!(" in organization {}, {}", plan.organization_id, count(plan.summary.accounts, "account"));
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
        _ if change.cosmetic => ("≈", Tone::Faint, "differs in spelling alone"),
        Action::Create => ("+", Tone::Added, "will be created"),
        Action::Update => ("~", Tone::Changed, "will be updated"),
        Action::Replace => ("-/+", Tone::Removed, "will be replaced"),
        Action::Delete => ("-", Tone::Removed, "will be deleted"),
        Action::Adopt => ("→", Tone::Adopted, "will be adopted"),
    };
    Look { symbol, tone, phrase }
}

fn change(group: &Group<'_>, page: &mut Page<'_>) -> io::Result<()> {
    headline(group, page)?;
    if group.accounts.len() > 1 {
        page.list(BODY, Tone::Plain, &group::shortened(&group.accounts, page.style.is_verbose()))?;
    }
    let cause = match group.change.cause {
        Cause::Desired => " (the file changed)",
        Cause::Drift => " (changed by hand)",
        Cause::Both => " (both the file and the live resource changed)",
        Cause::Unknown => "",
    };
    page.prose(BODY, Tone::Faint, &format!("{}{cause}", group.change.reason))?;
    attribute::attributes(&group.change, BODY, page)?;
    if page.style.is_verbose() {
        operations(&group.change, page)?;
    }
    Ok(())
}

fn headline(group: &Group<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let Look { symbol, tone, phrase } = look(&group.change);
    let (kind, name) = group.resource();
    let place = match group.accounts.as_slice() {
        [single] => single.to_string(),
        accounts => count(accounts.len(), "account"),
    };
    let steps = if group.steps == 0 { String::new() } else { format!(" ({})", count(group.steps, "step")) };
    let weight = if group.change.cosmetic { Tone::Faint } else { Tone::Title };
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

/// What stands behind everything that widens access.
fn widens_mark(page: &Page<'_>) -> String {
    format!("  {}", page.paint(Tone::Alarm, "! widens access"))
}

/// The names of the writes, runs of equal ones counted. Their arguments may be sensitive and stay out.
fn operations(change: &Change, page: &mut Page<'_>) -> io::Result<()> {
    let mut runs: Vec<(&str, usize)> = Vec::new();
    for step in &change.steps {
        let op = step.operation().name();
        match runs.last_mut() {
            Some((last, times)) if *last == op => *times += 1,
            _ => runs.push((op, 1)),
        }
    }
    if runs.is_empty() {
        return Ok(());
    }
    let items: Vec<String> =
        runs.into_iter().map(|(op, times)| if times == 1 { op.to_owned() } else { format!("{op} ×{times}") }).collect();
    page.line(BODY, "steps")?;
    page.list(BODY + 2, Tone::Faint, &items)
}

fn with_status(plan: &Plan, status: Status) -> impl Iterator<Item = (AccountName<'_>, &AccountPlan)> {
    plan.accounts
        .iter()
        .filter(move |account| account.status == status)
        .map(|account| (AccountName { id: account.id, name: &account.name }, account))
}

/// The error of an account in words; the account is named beside it.
fn error_text(account: &AccountPlan) -> String {
    match &account.error {
        Some(Reason::Aws(error)) => AwsError { account: None, ..error.clone() }.to_string(),
        Some(Reason::Text(text)) => text.clone(),
        None => "no reason is known".to_owned(),
    }
}

/// Like [`error_text`], without what differs between the same error in two accounts.
fn folded_error_text(account: &AccountPlan) -> String {
    let text = match &account.error {
        Some(Reason::Aws(error)) => AwsError { account: None, request_id: None, ..error.clone() }.to_string(),
        Some(Reason::Text(_)) | None => error_text(account),
    };
    group::fold_text(&text, account.id)
}

fn unread(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    let accounts: Vec<_> = with_status(plan, Status::Unreadable).collect();
    if accounts.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let title = format!("{} could not be read, nothing is planned there", count(accounts.len(), "account"));
    let title = page.paint(Tone::Alarm, &title);
    page.line(0, &title)?;
    let bundles = if page.style.is_verbose() {
        accounts.into_iter().map(|account| (vec![account], Sameness::Exact)).collect()
    } else {
        group::fold(accounts.into_iter(), |(_, account)| error_text(account), |(_, account)| folded_error_text(account))
    };
    for (members, sameness) in bundles {
        let names: Vec<AccountName<'_>> = members.iter().map(|(name, _)| *name).collect();
        page.list(2, Tone::Title, &group::shortened(&names, page.style.is_verbose()))?;
        let text = members.first().map(|(_, account)| match sameness {
            Sameness::Exact => error_text(account),
            Sameness::Folded => folded_error_text(account),
        });
        page.prose(4, Tone::Plain, &text.unwrap_or_default())?;
    }
    Ok(())
}

fn skipped(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    let mut by_reason: BTreeMap<String, Vec<AccountName<'_>>> = BTreeMap::new();
    for (name, account) in with_status(plan, Status::Skipped) {
        by_reason.entry(error_text(account)).or_default().push(name);
    }
    if by_reason.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let total = by_reason.values().map(Vec::len).sum();
    page.line(0, &format!("{} skipped", count(total, "account")))?;
    for (reason, accounts) in by_reason {
        let mut items = group::shortened(&accounts, page.style.is_verbose());
        if let Some(first) = items.first_mut() {
            first.insert_str(0, &format!("{reason}: "));
        }
        page.list(2, Tone::Faint, &items)?;
    }
    Ok(())
}
