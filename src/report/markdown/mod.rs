//! A plan or a drift as a comment on a pull request or an issue: GitHub's and GitLab's Markdown.
//!
//! A summary table, then every change folded away, equal ones once with their accounts, what widens access first; of
//! a drift by what became of it, with the signs turned round: `+` is live and not desired, `-` is desired and gone. A
//! comment takes 65,536 characters, so what does not fit loses its differences first, is counted then, and points to
//! the artifact. Nothing that comes from AWS or a file is Markdown, HTML, a mention or a link: see `escape`.

mod escape;
mod fit;

use std::collections::BTreeMap;
use std::io::{self, Write};

use self::escape::{code, fenced, prose};
use self::fit::{Entry, Fitted, length};
use super::finding::{self, Bundle, Weight};
use super::group::{self, AccountName};
use super::human;
use super::style::{ColorChoice, Style, count};
use super::subject::{Listed, SIGNS, Subject, View, words};
use super::unread::{self, Accounts, Unread};
use super::who::Extent;
use crate::drift::{Drift, Standing};
use crate::plan::{Action, Change, Plan};
use crate::resource::secret::Secrets;

/// The most characters that a comment has.
pub const LIMIT: usize = 65_000;

/// What is kept for everything but changes, where there is so much.
const FOR_THE_REST: usize = 15_000;

/// What is kept for the last lines.
const FOR_THE_END: usize = 600;

/// Lines of one difference before it is cut.
const LINES: usize = 200;

/// Writes a plan; `secrets` are masked wherever they stand.
pub fn plan(plan: &Plan, secrets: &Secrets, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(comment(&Subject::of_plan(plan), &table(plan), secrets).as_bytes())
}

/// Writes what drifted, and whose doing it is; `secrets` are masked wherever they stand.
pub fn drift(drift: &Drift, secrets: &Secrets, out: &mut dyn Write) -> io::Result<()> {
    let parts = super::drift::parts(drift);
    out.write_all(
        comment(
            &Subject::of_drift(drift, &parts, Extent::Some),
            &standings(drift),
            secrets,
        )
        .as_bytes(),
    )
}

fn comment(subject: &Subject<'_>, table: &str, secrets: &Secrets) -> String {
    let says = Says {
        secrets,
        view: subject.view,
    };
    let mut text = says.head(subject, table);
    let room = LIMIT.saturating_sub(length(&text) + FOR_THE_END);
    let rest = says.rest(subject.plan, room.min(FOR_THE_REST));
    let changes = says.changes(subject, room.saturating_sub(length(&rest.text)));
    text += &changes.text;
    text += &rest.text;
    text += &end(changes.add(rest), subject.view);
    text
}

/// Everything that is said, with sensitive values masked.
struct Says<'a> {
    secrets: &'a Secrets,
    view: View,
}

impl Says<'_> {
    fn code(&self, text: &str) -> String {
        code(&self.secrets.mask(text))
    }

    fn prose(&self, text: &str) -> String {
        prose(&self.secrets.mask(text))
    }

    fn head(&self, subject: &Subject<'_>, table: &str) -> String {
        let Subject {
            view,
            plan,
            summary,
            changes,
        } = subject;
        let note = match view {
            View::Plan => finding::refusal(plan)
                .map(|refusal| format!("> [!CAUTION]\n> {}\n\n", self.prose(&refusal))),
            View::Drift => (!changes.is_empty()).then(|| format!("{}\n\n", self.prose(SIGNS))),
        };
        format!(
            "### rolecall {} {} in {}\n\n**{}**\n\n{table}{}",
            view.heading(),
            self.code(&plan.name),
            self.code(&plan.organization_id),
            self.prose(summary),
            note.unwrap_or_default()
        )
    }

    fn changes(&self, subject: &Subject<'_>, room: usize) -> Fitted {
        let mut fitted = Fitted::default();
        for changes in subject.changes.chunk_by(|a, b| title(a) == title(b)) {
            let left = room.saturating_sub(length(&fitted.text));
            let title = match changes.first().map(title).unwrap_or_default() {
                OTHERS if changes.len() == subject.changes.len() => "Changes",
                title => title,
            };
            let entries = changes.iter().map(|one| self.change(one));
            fitted = fitted.add(fit::section(
                &format!("{title} ({})", changes.len()),
                entries,
                left,
            ));
        }
        fitted
    }

    fn change<'a>(&'a self, listed: &'a Listed<'a>) -> Entry<'a> {
        let group = &listed.group;
        let (kind, name) = group.resource();
        let resource = format!("{} {}", code(kind), self.code(name));
        let place = self.place(&group.accounts);
        let mark = listed
            .widens()
            .map(|words| format!(" ⚠️ <b>{words}</b>"))
            .unwrap_or_default();
        let (symbol, does) = (symbol(&group.change), listed.does());
        let line = match listed.standing {
            Some(standing) => {
                format!(
                    "{symbol} {resource} <b>{does}</b> in {place}{mark} ({})",
                    words(standing).1
                )
            }
            None if group.steps == 0 => {
                format!("{symbol} <b>{does}</b> {resource} in {place}{mark}")
            }
            None => format!(
                "{symbol} <b>{does}</b> {resource} in {place} ({}){mark}",
                count(group.steps, "step")
            ),
        };
        Entry {
            brief: format!("- {line}\n"),
            whole: Box::new(move || self.details(&line, listed)),
            accounts: group.accounts.len(),
            what: self.noun(),
        }
    }

    /// What an entry is called where it is counted.
    fn noun(&self) -> &'static str {
        match self.view {
            View::Plan => "change",
            View::Drift => "difference",
        }
    }

    fn details(&self, line: &str, listed: &Listed<'_>) -> String {
        let group = &listed.group;
        let accounts = match group.accounts.as_slice() {
            [_] => String::new(),
            many => format!("{}\n\n", self.accounts(many)),
        };
        let reason = self.prose(&listed.reason());
        let who: Vec<String> = listed
            .who
            .concat()
            .iter()
            .map(|line| format!("- {}", self.prose(line)))
            .collect();
        let who = if who.is_empty() {
            String::new()
        } else {
            format!("Who did it:\n\n{}\n\n", who.join("\n"))
        };
        let difference = difference(&group.change);
        let difference = if difference.is_empty() {
            String::new()
        } else {
            fenced("diff", &self.secrets.mask(&difference))
        };
        format!(
            "<details><summary>{line}</summary>\n\n{accounts}Reason: {reason}\n\n{who}{difference}\n</details>\n\n"
        )
    }

    /// What was not read, and what speaks against the plan.
    fn rest(&self, plan: &Plan, room: usize) -> Fitted {
        let unseen = match self.view {
            View::Plan => "nothing is planned there",
            View::Drift => "what drifted there is unknown",
        };
        let unreadable = unread::unreadable(plan, Accounts::Together);
        let skipped = unread::skipped(plan);
        let findings = finding::bundles(plan);
        let mut fitted = Fitted::default();
        let total =
            |bundles: &[Unread<'_>]| bundles.iter().map(|one| one.accounts.len()).sum::<usize>();
        for (title, bundles) in [
            (
                format!(
                    "🚫 {} could not be read; {unseen}",
                    count(total(&unreadable), "account")
                ),
                &unreadable,
            ),
            (
                format!("{} skipped", count(total(&skipped), "account")),
                &skipped,
            ),
        ] {
            let left = room.saturating_sub(length(&fitted.text));
            fitted = fitted.add(fit::section(
                &title,
                bundles.iter().map(|one| self.unread(one)),
                left,
            ));
        }
        let left = room.saturating_sub(length(&fitted.text));
        fitted.add(fit::section(
            &format!("Findings ({})", findings.len()),
            findings.iter().map(|one| self.finding(one)),
            left,
        ))
    }

    fn unread<'a>(&'a self, unread: &'a Unread<'a>) -> Entry<'a> {
        let brief = format!("- {}\n", self.accounts(&unread.accounts));
        let whole = format!("{}: {}\n", brief.trim_end(), self.prose(&unread.why));
        Entry {
            whole: Box::new(move || whole),
            brief,
            accounts: unread.accounts.len(),
            what: "account",
        }
    }

    fn finding<'a>(&'a self, bundle: &'a Bundle<'a>) -> Entry<'a> {
        let sign = match (self.view, bundle.weight) {
            // A drift is looked at and not applied: nothing stops it.
            (View::Drift, _) => "🔎",
            (View::Plan, Weight::Stop) => "🛑 <b>stop</b>",
            (View::Plan, Weight::Allowed) => "✔️ <b>allowed</b>",
            (View::Plan, Weight::Warn) => "⚠️ <b>warn</b>",
        };
        let resource = bundle
            .resource
            .map(|(kind, name)| format!(" {kind} {}", self.code(name)))
            .unwrap_or_default();
        let place = if bundle.accounts.is_empty() {
            String::new()
        } else {
            format!(" in {}", self.place(&bundle.accounts))
        };
        let line = format!("{sign} {}{resource}{place}", code(bundle.code));
        let accounts = if bundle.accounts.len() > 1 {
            format!(" ({})", self.accounts(&bundle.accounts))
        } else {
            String::new()
        };
        Entry {
            brief: format!("- {line}\n"),
            whole: Box::new(move || {
                format!("- {line}{accounts}: {}\n", self.prose(&bundle.message))
            }),
            accounts: bundle.accounts.len(),
            what: "finding",
        }
    }

    fn place(&self, accounts: &[AccountName<'_>]) -> String {
        match accounts {
            [single] => self.code(&single.to_string()),
            many => count(many.len(), "account"),
        }
    }

    fn accounts(&self, accounts: &[AccountName<'_>]) -> String {
        let items = group::shortened(accounts, false).into_iter().enumerate();
        // What counts the rest stands behind the last name.
        let item = |(n, item): (usize, String)| {
            accounts
                .get(n)
                .filter(|name| name.to_string() == item)
                .map_or(item.clone(), |_| self.code(&item))
        };
        items.map(item).collect::<Vec<_>>().join(", ")
    }
}

/// What changes stand under where others stand before them.
const OTHERS: &str = "Other changes";

/// What a change is under.
fn title(listed: &Listed<'_>) -> &'static str {
    match listed.standing {
        None if listed.group.widens() => "⚠️ Widens access",
        None => OTHERS,
        Some(_) if listed.group.widens() && listed.is_grave() => "⚠️ Access is wider than desired",
        Some(Standing::Hand) => "Changed by hand",
        Some(Standing::Both) => "Changed by hand, and the file changed too",
        Some(Standing::RolledBack) => "Rolled back, and the file was not changed",
        Some(Standing::Unknown) => "Differs, cause unknown: nothing is on record",
        Some(Standing::Accepted) => "Accepted",
        Some(Standing::Never) => "Never applied: nothing is on record, and none of it exists",
        Some(Standing::Pending) => "Pending: desired, but not applied yet",
    }
}

/// How many resources of which standing, by their kind; nothing where nothing differs.
fn standings(drift: &Drift) -> String {
    let mut rows: BTreeMap<&str, BTreeMap<Standing, usize>> = BTreeMap::new();
    for (address, judgement) in &drift.judgements {
        let (kind, _) = group::resource(address);
        *rows
            .entry(kind)
            .or_default()
            .entry(judgement.standing)
            .or_default() += 1;
    }
    // What is rare has no column where there is none.
    let is_rare = |standing: &Standing| matches!(standing, Standing::RolledBack | Standing::Never);
    let is_there = |standing: &Standing| rows.values().any(|row| row.contains_key(standing));
    let columns: Vec<Standing> = Standing::ALL
        .into_iter()
        .filter(|standing| !is_rare(standing) || is_there(standing))
        .collect();
    let titles: Vec<&str> = columns.iter().map(|one| words(*one).1).collect();
    let cells = |row: &BTreeMap<Standing, usize>| -> Vec<usize> {
        let count = |standing| row.get(standing).copied().unwrap_or(0);
        columns.iter().map(count).collect()
    };
    grid(&titles, rows.iter().map(|(kind, row)| (*kind, cells(row))))
}

/// How many changes of which kind, by kind of resource; nothing where nothing changes.
fn table(plan: &Plan) -> String {
    let mut rows: BTreeMap<&str, [usize; 6]> = BTreeMap::new();
    for change in plan.accounts.iter().flat_map(|account| &account.changes) {
        let (kind, _) = group::resource(&change.address);
        let column = match change.action {
            _ if change.cosmetic => 5,
            Action::Create => 0,
            Action::Update => 1,
            Action::Replace => 2,
            Action::Delete => 3,
            Action::Adopt => 4,
        };
        if let Some(cell) = rows.entry(kind).or_default().get_mut(column) {
            *cell += 1;
        }
    }
    grid(
        &["create", "update", "replace", "delete", "adopt", "cosmetic"],
        rows.into_iter().map(|(kind, cells)| (kind, cells.to_vec())),
    )
}

/// A table of counts; nothing where it has no rows.
fn grid<'a>(titles: &[&str], rows: impl Iterator<Item = (&'a str, Vec<usize>)>) -> String {
    let row = |(kind, cells): (&str, Vec<usize>)| {
        let cell = |n: usize| match n {
            0 => "·".to_owned(),
            n => format!("**{n}**"),
        };
        let cells: Vec<String> = cells.into_iter().map(cell).collect();
        format!("| {kind} | {} |\n", cells.join(" | "))
    };
    let rows: String = rows.map(row).collect();
    if rows.is_empty() {
        return rows;
    }
    format!(
        "| | {} |\n|---|{}\n{rows}\n",
        titles.join(" | "),
        "---:|".repeat(titles.len())
    )
}

fn symbol(change: &Change) -> &'static str {
    match change.action {
        _ if change.cosmetic => "≈",
        Action::Create => "➕",
        Action::Update => "✏️",
        Action::Replace => "♻️",
        Action::Delete => "➖",
        Action::Adopt => "🤝",
    }
}

/// The difference as a `diff` block colours it: the sign of a line is its first character.
fn difference(change: &Change) -> String {
    let style = Style {
        width: usize::from(u16::MAX),
        ..Style::new(ColorChoice::Never, false, false)
    };
    let text = human::differences(change, &style);
    let signed: Vec<String> = text
        .lines()
        .map(|line| match change.action {
            Action::Create => format!("+ {line}"),
            Action::Delete => format!("- {line}"),
            Action::Update | Action::Replace | Action::Adopt => sign_first(line),
        })
        .collect();
    let cut = signed.len().saturating_sub(LINES);
    let rest = || {
        format!(
            "… {} more; all of them are in the artifact of this run",
            count(cut, "line")
        )
    };
    signed
        .into_iter()
        .take(LINES)
        .chain((cut > 0).then(rest))
        .collect::<Vec<_>>()
        .join("\n")
}

fn sign_first(line: &str) -> String {
    let rest = line.trim_start();
    let indent = line.len() - rest.len();
    match rest.split_at_checked(1) {
        Some((sign @ ("+" | "-"), rest)) if rest.starts_with(' ') => {
            format!("{sign}{:indent$}{rest}", "")
        }
        _ => format!(" {line}"),
    }
}

/// What did not fit, and where it is.
fn end(fitted: Fitted, view: View) -> String {
    let Fitted {
        text: _,
        shortened,
        omitted,
    } = fitted;
    let mut said: Vec<String> = omitted
        .iter()
        .map(|(what, (n, accounts))| match *what {
            "account" => format!("{} of this kind", count(*accounts, what)),
            _ => format!("{} in {}", count(*n, what), count(*accounts, "account")),
        })
        .map(|what| format!("**{what}** not shown"))
        .collect();
    if shortened > 0 {
        said.push(format!("**{}** without details", count(shortened, "line")));
    }
    if said.is_empty() {
        return String::new();
    }
    let whole = view.command();
    format!(
        "> [!NOTE]\n> This does not fit into a comment: {}. The whole {whole} is in the artifact of this run \
         (`rolecall {whole} --format html`).\n",
        said.join(", ")
    )
}

#[cfg(test)]
mod tests;
