//! What speaks against a plan: stop findings first, equal ones once.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::plan::{Finding, Plan, Severity};
use crate::report::group::{self, AccountName, Sameness};
use crate::report::style::{Page, Tone, count};

use super::BODY;

/// A finding and the account it is about.
#[derive(Clone, Copy)]
struct Located<'a> {
    account: Option<AccountName<'a>>,
    finding: &'a Finding,
}

impl Located<'_> {
    fn message(&self, sameness: Sameness) -> String {
        match (self.account, sameness) {
            (Some(account), Sameness::Folded) => group::fold_text(&self.finding.message, account.id),
            _ => self.finding.message.clone(),
        }
    }

    fn resource(&self) -> Option<(&str, &str)> {
        self.finding.address.as_deref().map(group::resource)
    }

    fn key(&self, sameness: Sameness) -> (Severity, String, Option<(String, String)>, String) {
        let resource = self.resource().map(|(kind, name)| (kind.to_owned(), name.to_owned()));
        (self.finding.severity, self.finding.code.clone(), resource, self.message(sameness))
    }
}

/// Writes the findings, and how to go on where apply is refused.
pub fn findings(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    if plan.findings.is_empty() {
        return Ok(());
    }
    let names: BTreeMap<&str, AccountName<'_>> = plan
        .accounts
        .iter()
        .map(|account| (account.id.as_str(), AccountName { id: account.id, name: &account.name }))
        .collect();
    let refused: BTreeSet<&str> = plan.stops(&BTreeSet::new()).into_iter().map(|stop| stop.code.as_str()).collect();
    let mut located: Vec<Located<'_>> = plan.findings.iter().map(|finding| locate(finding, &names)).collect();
    located.sort_by_key(|located| (located.finding.severity, !refused.contains(located.finding.code.as_str())));
    page.blank()?;
    let title = page.paint(Tone::Title, "Findings");
    page.line(0, &title)?;
    let bundles = group::fold(
        located.into_iter(),
        |located| located.key(Sameness::Exact),
        |located| located.key(Sameness::Folded),
    );
    for (members, sameness) in bundles {
        write(&members, sameness, &refused, page)?;
    }
    refusal(plan, &refused, page)
}

fn locate<'a>(finding: &'a Finding, names: &BTreeMap<&'a str, AccountName<'a>>) -> Located<'a> {
    let id = finding.address.as_deref().map(|address| address.split_once('/').map_or(address, |(id, _)| id));
    Located { account: id.and_then(|id| names.get(id).copied()), finding }
}

fn write(members: &[Located<'_>], sameness: Sameness, refused: &BTreeSet<&str>, page: &mut Page<'_>) -> io::Result<()> {
    let Some(first) = members.first() else { return Ok(()) };
    let (tone, word) = match first.finding.severity {
        Severity::Stop if refused.contains(first.finding.code.as_str()) => (Tone::Alarm, "stop"),
        Severity::Stop => (Tone::Changed, "allowed"),
        Severity::Warn => (Tone::Changed, "warn"),
    };
    let accounts: Vec<AccountName<'_>> = members.iter().filter_map(|member| member.account).collect();
    let resource = match first.resource() {
        Some((kind, name)) if !name.is_empty() => format!(" {kind} {name}"),
        Some(_) | None => String::new(),
    };
    let place = match accounts.as_slice() {
        [] => String::new(),
        [single] => format!(" in {single}"),
        many => format!(" in {}", count(many.len(), "account")),
    };
    let line = format!(
        "{} {}{}",
        page.paint(tone, word),
        page.paint(Tone::Title, &first.finding.code),
        page.paint(Tone::Plain, &format!("{resource}{place}")),
    );
    page.line(2, &line)?;
    if accounts.len() > 1 {
        page.list(BODY, Tone::Faint, &group::shortened(&accounts, page.style.is_verbose()))?;
    }
    page.prose(BODY, Tone::Plain, &first.message(sameness))
}

/// Says how to go on where apply is refused because of these codes.
fn refusal(plan: &Plan, refused: &BTreeSet<&str>, page: &mut Page<'_>) -> io::Result<()> {
    if refused.is_empty() {
        return Ok(());
    }
    let all: BTreeSet<String> = refused.iter().map(|code| (*code).to_owned()).collect();
    let never: BTreeSet<&str> = plan.stops(&all).into_iter().map(|stop| stop.code.as_str()).collect();
    let flags: Vec<String> = refused.difference(&never).map(|code| format!("--allow {code}")).collect();
    let accept = if flags.is_empty() { String::new() } else { format!(", or accept them with {}", flags.join(" ")) };
    let never: Vec<&str> = never.into_iter().collect();
    let firm = if never.is_empty() { String::new() } else { format!(" ({} cannot be allowed)", never.join(", ")) };
    let text = format!("Apply is refused while stop findings stand: mend them{accept}{firm}");
    page.blank()?;
    page.prose(2, Tone::Alarm, &text)
}
