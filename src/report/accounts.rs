//! The accounts of an organization, and which roles target them and why.

use std::io::{self, Write};

use serde::Serialize;

use super::style::{Page, Style, Tone, columns, count};
use crate::org::{AccountId, AccountStatus, OuPath};

/// The version of the accounts' JSON.
pub const FORMAT: &str = "rolecall-accounts/1";

/// All accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accounts {
    /// [`FORMAT`].
    pub format: &'static str,
    /// One for each account, in order of id.
    pub accounts: Vec<AccountRow>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountRow {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Where it stands; empty at the root.
    pub ou: OuPath,
    /// What Organizations says of it.
    pub status: AccountStatus,
    /// The roles that target it, by name.
    pub roles: Vec<Targeting>,
}

/// A role that targets an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Targeting {
    /// The role's name.
    pub role: String,
    /// Which of its targets selects the account: `ou = "Workloads"`.
    pub why: String,
}

impl Accounts {
    /// The accounts with the version of their form.
    pub fn new(accounts: Vec<AccountRow>) -> Self {
        Self {
            format: FORMAT,
            accounts,
        }
    }
}

/// Writes a table: a line for each account, and one for each further role.
pub fn table(accounts: &Accounts, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(style, out);
    let rows: Vec<[String; 4]> = accounts.accounts.iter().map(cells).collect();
    let titles = ["ACCOUNT", "NAME", "OU", "STATUS"].map(str::to_owned);
    let widths = rows.iter().chain([&titles]).fold([0; 4], wider);
    let title = line(&titles, widths, "ROLES");
    let title = page.paint(Tone::Title, &title);
    page.line(0, &title)?;
    for (account, cells) in accounts.accounts.iter().zip(&rows) {
        row(account, cells, widths, &mut page)?;
    }
    page.blank()?;
    let targeted = accounts
        .accounts
        .iter()
        .filter(|account| !account.roles.is_empty())
        .count();
    page.line(
        0,
        &format!(
            "{}, {targeted} targeted",
            count(accounts.accounts.len(), "account")
        ),
    )
}

fn cells(account: &AccountRow) -> [String; 4] {
    let AccountRow {
        id,
        name,
        ou,
        status,
        roles: _,
    } = account;
    let ou = if ou.0.is_empty() {
        "(root)".to_owned()
    } else {
        ou.0.clone()
    };
    [id.to_string(), name.clone(), ou, status.to_string()]
}

fn wider(widths: [usize; 4], cells: &[String; 4]) -> [usize; 4] {
    let [a, b, c, d] = widths;
    let [id, name, ou, status] = cells;
    [
        a.max(columns(id)),
        b.max(columns(name)),
        c.max(columns(ou)),
        d.max(columns(status)),
    ]
}

fn line(cells: &[String; 4], widths: [usize; 4], last: &str) -> String {
    let [a, b, c, d] = widths;
    let [id, name, ou, status] = cells;
    format!("{id:a$}  {name:b$}  {ou:c$}  {status:d$}  {last}")
        .trim_end()
        .to_owned()
}

fn row(
    account: &AccountRow,
    cells: &[String; 4],
    widths: [usize; 4],
    page: &mut Page<'_>,
) -> io::Result<()> {
    let tone = if account.status.is_active() {
        Tone::Plain
    } else {
        Tone::Faint
    };
    let mut roles = account
        .roles
        .iter()
        .map(|targeting| format!("{} ({})", targeting.role, targeting.why));
    let first = page.paint(
        tone,
        &line(cells, widths, &roles.next().unwrap_or_default()),
    );
    page.line(0, &first)?;
    for role in roles {
        let further = page.paint(tone, &line(&Default::default(), widths, &role));
        page.line(0, &further)?;
    }
    Ok(())
}
