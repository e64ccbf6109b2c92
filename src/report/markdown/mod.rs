//! A plan as a comment on a pull request: GitHub's and GitLab's Markdown.
//!
//! A summary table, then every change folded away, equal ones once with their accounts, what widens access first. A comment
//! takes 65,536 characters, so what does not fit loses its differences first, is counted then, and points to the artifact.
//! Nothing that comes from AWS or a file is Markdown, HTML, a mention or a link: see `escape`.

mod escape;
mod fit;

use std::collections::BTreeMap;
use std::io::{self, Write};

use self::escape::{code, fenced, prose};
use self::fit::{Entry, Fitted, length};
use super::finding::{self, Bundle, Weight};
use super::group::{self, AccountName, Group};
use super::human;
use super::style::{ColorChoice, Style, count};
use super::unread::{self, Accounts, Unread};
use crate::drift::Drift;
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
    let (_, summary) = human::summary_line(plan);
    out.write_all(comment(plan, ("plan for", &summary), secrets, LIMIT).as_bytes())
}

/// Writes what drifted, as the changes that would mend it.
pub fn drift(drift: &Drift, secrets: &Secrets, out: &mut dyn Write) -> io::Result<()> {
    let (_, summary) = super::drift::summary(&drift.summary);
    out.write_all(comment(&drift.plan, ("drift of", &summary), secrets, LIMIT).as_bytes())
}

fn comment(plan: &Plan, heading: (&str, &str), secrets: &Secrets, limit: usize) -> String {
    let says = Says { secrets };
    let mut text = says.head(plan, heading);
    let room = limit.saturating_sub(length(&text) + FOR_THE_END);
    let rest = says.rest(plan, room.min(FOR_THE_REST));
    let changes = says.changes(plan, room.saturating_sub(length(&rest.text)));
    text += &changes.text;
    text += &rest.text;
    text += &end(changes.add(rest));
    text
}

/// Everything that is said, with sensitive values masked.
struct Says<'a> {
    secrets: &'a Secrets,
}

impl Says<'_> {
    fn code(&self, text: &str) -> String {
        code(&self.secrets.mask(text))
    }

    fn prose(&self, text: &str) -> String {
        prose(&self.secrets.mask(text))
    }

    fn head(&self, plan: &Plan, (title, summary): (&str, &str)) -> String {
        let organization = self.code(&plan.organization_id);
        let refusal = finding::refusal(plan)
            .map(|refusal| format!("> [!CAUTION]\n> {}\n\n", self.prose(&refusal)))
            .unwrap_or_default();
        format!(
            "### rolecall {title} {} in {organization}\n\n**{}**\n\n{}{refusal}",
            self.code(&plan.name),
            self.prose(summary),
            table(plan)
        )
    }

    fn changes(&self, plan: &Plan, room: usize) -> Fitted {
        let (widening, others): (Vec<Group<'_>>, Vec<Group<'_>>) =
            group::groups(plan).into_iter().partition(Group::widens);
        let section = |title: &str, groups: &[Group<'_>], room| {
            fit::section(title, groups.iter().map(|group| self.change(group)), room)
        };
        let first = section(&format!("⚠️ Widens access ({})", widening.len()), &widening, room);
        let title = if widening.is_empty() { "Changes" } else { "Other changes" };
        let second = section(&format!("{title} ({})", others.len()), &others, room.saturating_sub(length(&first.text)));
        first.add(second)
    }

    fn change<'a>(&'a self, group: &'a Group<'a>) -> Entry<'a> {
        let (kind, name) = group.resource();
        let steps = if group.steps == 0 { String::new() } else { format!(" ({})", count(group.steps, "step")) };
        let mark = if group.widens() { " ⚠️ <b>widens access</b>" } else { "" };
        let (symbol, action) = action(&group.change);
        let place = self.place(&group.accounts);
        let line = format!("{symbol} <b>{action}</b> {} {} in {place}{steps}{mark}", code(kind), self.code(name));
        Entry {
            brief: format!("- {line}\n"),
            whole: Box::new(move || self.details(&line, group)),
            accounts: group.accounts.len(),
            what: "change",
        }
    }

    fn details(&self, line: &str, group: &Group<'_>) -> String {
        let accounts = match group.accounts.as_slice() {
            [_] => String::new(),
            many => format!("{}\n\n", self.accounts(many)),
        };
        let reason = self.prose(&human::reason(&group.change));
        let difference = fenced("diff", &self.secrets.mask(&difference(&group.change)));
        format!("<details><summary>{line}</summary>\n\n{accounts}Reason: {reason}\n\n{difference}\n</details>\n\n")
    }

    /// What was not read, and what speaks against the plan.
    fn rest(&self, plan: &Plan, room: usize) -> Fitted {
        let unreadable = unread::unreadable(plan, Accounts::Together);
        let skipped = unread::skipped(plan);
        let findings = finding::bundles(plan);
        let mut fitted = Fitted::default();
        let total = |bundles: &[Unread<'_>]| bundles.iter().map(|one| one.accounts.len()).sum::<usize>();
        for (title, bundles) in [
            (
                format!("🚫 {} could not be read, nothing is planned there", count(total(&unreadable), "account")),
                &unreadable,
            ),
            (format!("{} skipped", count(total(&skipped), "account")), &skipped),
        ] {
            let left = room.saturating_sub(length(&fitted.text));
            fitted = fitted.add(fit::section(&title, bundles.iter().map(|one| self.unread(one)), left));
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
        Entry { whole: Box::new(move || whole), brief, accounts: unread.accounts.len(), what: "account" }
    }

    fn finding<'a>(&'a self, bundle: &'a Bundle<'a>) -> Entry<'a> {
        let sign = match bundle.weight {
            Weight::Stop => "🛑 <b>stop</b>",
            Weight::Allowed => "✔️ <b>allowed</b>",
            Weight::Warn => "⚠️ <b>warn</b>",
        };
        let resource = bundle.resource.map(|(kind, name)| format!(" {kind} {}", self.code(name))).unwrap_or_default();
        let place =
            if bundle.accounts.is_empty() { String::new() } else { format!(" in {}", self.place(&bundle.accounts)) };
        let line = format!("{sign} {}{resource}{place}", code(bundle.code));
        let accounts =
            if bundle.accounts.len() > 1 { format!(" ({})", self.accounts(&bundle.accounts)) } else { String::new() };
        Entry {
            brief: format!("- {line}\n"),
            whole: Box::new(move || format!("- {line}{accounts}: {}\n", self.prose(&bundle.message))),
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
            accounts.get(n).filter(|name| name.to_string() == item).map_or(item.clone(), |_| self.code(&item))
        };
        items.map(item).collect::<Vec<_>>().join(", ")
    }
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
    if rows.is_empty() {
        return String::new();
    }
    let row = |(kind, cells): (&str, [usize; 6])| {
        let cells = cells.map(|n| if n == 0 { "·".to_owned() } else { format!("**{n}**") });
        format!("| {kind} | {} |\n", cells.join(" | "))
    };
    let rows: String = rows.into_iter().map(row).collect();
    format!(
        "| | create | update | replace | delete | adopt | cosmetic |\n|---|---:|---:|---:|---:|---:|---:|\n{rows}\n"
    )
}

fn action(change: &Change) -> (&'static str, &'static str) {
    match change.action {
        _ if change.cosmetic => ("≈", "cosmetic"),
        Action::Create => ("➕", "create"),
        Action::Update => ("✏️", "update"),
        Action::Replace => ("♻️", "replace"),
        Action::Delete => ("➖", "delete"),
        Action::Adopt => ("🤝", "adopt"),
    }
}

/// The difference as a `diff` block colours it: the sign of a line is its first character.
fn difference(change: &Change) -> String {
    let style = Style { width: usize::from(u16::MAX), ..Style::new(ColorChoice::Never, false, false) };
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
    let rest = || format!("… {} more; all of them are in the artifact of this run", count(cut, "line"));
    signed.into_iter().take(LINES).chain((cut > 0).then(rest)).collect::<Vec<_>>().join("\n")
}

fn sign_first(line: &str) -> String {
    let rest = line.trim_start();
    let indent = line.len() - rest.len();
    match rest.split_at_checked(1) {
        Some((sign @ ("+" | "-"), rest)) if rest.starts_with(' ') => format!("{sign}{:indent$}{rest}", ""),
        _ => format!(" {line}"),
    }
}

/// What did not fit, and where it is.
fn end(fitted: Fitted) -> String {
    let Fitted { text: _, shortened, omitted } = fitted;
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
    format!(
        "> [!NOTE]\n> This does not fit into a comment: {}. The whole plan is in the artifact of this run \
         (`rolecall plan --format html`).\n",
        said.join(", ")
    )
}

#[cfg(test)]
mod tests;
