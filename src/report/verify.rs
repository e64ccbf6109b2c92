//! A verification as text: what failed and what cannot be proven, equal ones once; then each role in one line.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::group::{self, Sameness};
use super::style::{Page, Style, Tone, count};
use crate::org::AccountId;
use crate::verify::{Outcome, RoleResult, Summary, Verification, Warning};

/// Writes what was proven. Each probe that proved something is listed with `-v` only.
pub fn verification(
    verification: &Verification,
    style: &Style,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let mut page = Page::new(style, out);
    for (outcome, tone, title) in [
        (Outcome::Proven, Tone::Added, "Proven"),
        (Outcome::NotProvable, Tone::Changed, "Not provable"),
        (Outcome::Failed, Tone::Removed, "Failed"),
    ] {
        if outcome != Outcome::Proven || style.is_verbose() {
            section(verification, outcome, tone, title, &mut page)?;
        }
    }
    findings(verification, &mut page)?;
    unreadable(verification, &mut page)?;
    roles(verification, &mut page)?;
    summary(verification.summary, &mut page)
}

fn section(
    verification: &Verification,
    outcome: Outcome,
    tone: Tone,
    title: &str,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let results = verification
        .results
        .iter()
        .filter(|result| result.outcome == outcome);
    let results: Vec<&RoleResult> = results.collect();
    if results.is_empty() {
        return Ok(());
    }
    let title = page.paint(tone, title);
    page.line(0, &title)?;
    let bundles = group::fold(
        results.into_iter(),
        |result| key(result, Sameness::Exact),
        |result| key(result, Sameness::Folded),
    );
    for (members, sameness) in bundles {
        entry(&members, sameness, page)?;
    }
    page.blank()
}

fn entry(members: &[&RoleResult], sameness: Sameness, page: &mut Page<'_>) -> io::Result<()> {
    let Some(first) = members.first() else {
        return Ok(());
    };
    let name = match members {
        [single] => single.address.clone(),
        _ => format!("role {}", group::resource(&first.address).1),
    };
    let place = if members.len() == 1 {
        String::new()
    } else {
        format!(" in {}", count(members.len(), "account"))
    };
    let line = format!(
        "{}{}",
        page.paint(Tone::Title, &name),
        page.paint(Tone::Plain, &place)
    );
    page.line(2, &line)?;
    if members.len() > 1 {
        let accounts: Vec<&str> = members.iter().map(|member| account(member)).collect();
        page.list(
            6,
            Tone::Faint,
            &group::shortened(&accounts, page.style.is_verbose()),
        )?;
    }
    page.prose(6, Tone::Plain, &message(first, sameness))
}

fn key(result: &RoleResult, sameness: Sameness) -> (String, String) {
    (
        group::resource(&result.address).1.to_owned(),
        message(result, sameness),
    )
}

/// The message; without what differs between the same message in two accounts, if so asked.
fn message(result: &RoleResult, sameness: Sameness) -> String {
    match (sameness, AccountId::parse(account(result))) {
        (Sameness::Folded, Ok(account)) => {
            let text = result
                .message
                .rsplit_once(" (request id ")
                .map_or(result.message.as_str(), |(text, _)| text);
            group::fold_text(text, account)
        }
        _ => result.message.clone(),
    }
}

fn account(result: &RoleResult) -> &str {
    result.address.split('/').next().unwrap_or_default()
}

fn findings(verification: &Verification, page: &mut Page<'_>) -> io::Result<()> {
    if verification.findings.is_empty() {
        return Ok(());
    }
    let title = page.paint(Tone::Changed, "Findings");
    page.line(0, &title)?;
    for Warning {
        code,
        address,
        message,
        ..
    } in &verification.findings
    {
        let line = page.paint(Tone::Title, &format!("warn {code} {address}"));
        page.line(2, &line)?;
        page.prose(6, Tone::Plain, message)?;
    }
    page.blank()
}

fn unreadable(verification: &Verification, page: &mut Page<'_>) -> io::Result<()> {
    if verification.unreadable.is_empty() {
        return Ok(());
    }
    let title = page.paint(Tone::Removed, "Could not be read");
    page.line(0, &title)?;
    for account in &verification.unreadable {
        let name = page.paint(Tone::Title, &format!("{} ({})", account.name, account.id));
        page.line(2, &name)?;
        page.prose(6, Tone::Plain, &account.error)?;
    }
    page.blank()
}

/// The accounts that have a role of one name, and those where a probe of it failed or could not tell.
#[derive(Default)]
struct Row<'a> {
    all: BTreeSet<&'a str>,
    failed: BTreeSet<&'a str>,
    not_provable: BTreeSet<&'a str>,
}

/// One line for each role name: in how many of its accounts all of it is proven.
fn roles(verification: &Verification, page: &mut Page<'_>) -> io::Result<()> {
    let mut rows: BTreeMap<&str, Row<'_>> = BTreeMap::new();
    for result in &verification.results {
        let row = rows.entry(group::resource(&result.address).1).or_default();
        let account = account(result);
        row.all.insert(account);
        match result.outcome {
            Outcome::Proven => {}
            Outcome::Failed => _ = row.failed.insert(account),
            Outcome::NotProvable => _ = row.not_provable.insert(account),
        }
    }
    for (
        name,
        Row {
            all,
            failed,
            not_provable,
        },
    ) in &rows
    {
        let open = not_provable.difference(failed).count();
        let tone = match (failed.len(), open) {
            (0, 0) => Tone::Added,
            (0, _) => Tone::Changed,
            _ => Tone::Removed,
        };
        let mut parts = vec![format!(
            "proven in {} of {}",
            all.len() - failed.len() - open,
            count(all.len(), "account")
        )];
        parts.extend((!failed.is_empty()).then(|| format!("failed in {}", failed.len())));
        parts.extend((open > 0).then(|| format!("not provable in {open}")));
        let line = format!(
            "{} {}",
            page.paint(Tone::Title, name),
            page.paint(tone, &parts.join(", "))
        );
        page.line(0, &line)?;
    }
    if rows.is_empty() {
        Ok(())
    } else {
        page.blank()
    }
}

fn summary(summary: Summary, page: &mut Page<'_>) -> io::Result<()> {
    let Summary {
        accounts,
        unreadable,
        roles,
        proven,
        failed,
        not_provable,
    } = summary;
    let tone = if failed + unreadable == 0 {
        Tone::Added
    } else {
        Tone::Alarm
    };
    let unreadable = if unreadable == 0 {
        String::new()
    } else {
        format!(", {unreadable} of them could not be read")
    };
    let text = format!(
        "Verify: {} in {}{unreadable}: {proven} proven, {failed} failed, {not_provable} not provable",
        count(roles, "role"),
        count(accounts, "account"),
    );
    let text = page.paint(tone, &text);
    page.line(0, &text)
}
