//! What a plan or a drift says to those who wrote the files: each finding and each drifted resource at its file and line.

use std::fmt::Write as _;

use super::drift::meaning;
use super::finding::{Weight, bundles};
use super::group::{self, AccountName};
use super::style::count;
use super::subject::Subject;
use crate::resource::Origin;
use crate::resource::secret::Secrets;

/// How much a remark weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Apply is refused, or live IAM drifted.
    Error,
    /// It should be looked at.
    Warning,
    /// It was allowed.
    Note,
}

/// One finding, or one resource that drifted, and where the desired state writes what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The code of the finding; `drift` for what drifted.
    pub code: String,
    /// How much it weighs.
    pub level: Level,
    /// The resource, its accounts and what is wrong, sensitive values masked.
    pub text: String,
    /// The address of the resource in the first account, or nothing for the whole plan.
    pub address: Option<String>,
    /// Where it is written; the start of the main file for what is not declared anywhere.
    pub origin: Origin,
}

/// Where to find the things that remarks are about.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The declaration of the resource at an address.
    pub of: &'a dyn Fn(&str) -> Option<Origin>,
    /// The main file.
    pub main: &'a str,
}

/// The remarks about a plan or a drift, the gravest first.
pub fn remarks(subject: &Subject<'_>, places: Places<'_>, secrets: &Secrets) -> Vec<Remark> {
    let place = |resource: Option<(&str, &str)>, accounts: &[AccountName<'_>]| {
        let address = accounts.first().map(|account| match resource {
            Some((kind, name)) => format!("{}/{kind}/{name}", account.id),
            None => account.id.to_string(),
        });
        let origin = address.as_deref().and_then(places.of);
        let main = || Origin {
            file: places.main.to_owned(),
            line: 1,
        };
        (address, origin.unwrap_or_else(main))
    };
    let remark = |code: &str, level, resource, accounts: &[AccountName<'_>], said: &str| {
        let (address, origin) = place(resource, accounts);
        Remark {
            code: code.to_owned(),
            level,
            text: secrets.mask(&(about(resource, accounts) + said)),
            address: address.map(|address| secrets.mask(&address)),
            origin,
        }
    };
    let drifted = subject.changes.iter().filter_map(|listed| {
        let standing = listed.standing.filter(|standing| standing.is_drift())?;
        let said = format!("{}: {}", meaning(standing), listed.group.change.reason);
        let (resource, accounts) = (listed.group.resource(), &listed.group.accounts);
        Some(remark(
            "drift",
            Level::Error,
            Some(resource),
            accounts,
            &said,
        ))
    });
    let found = bundles(subject.plan).into_iter().map(|bundle| {
        let level = match bundle.weight {
            Weight::Stop => Level::Error,
            Weight::Warn => Level::Warning,
            Weight::Allowed => Level::Note,
        };
        remark(
            bundle.code,
            level,
            bundle.resource,
            &bundle.accounts,
            &bundle.message,
        )
    });
    drifted.chain(found).collect()
}

/// `role X in prod (222222222222): `
fn about(resource: Option<(&str, &str)>, accounts: &[AccountName<'_>]) -> String {
    let mut text = String::new();
    if let Some((kind, name)) = resource {
        // Writing to a `String` cannot fail.
        _ = write!(text, "{kind} {name}");
    }
    let listed = group::shortened(accounts, false).join(", ");
    let place = match accounts.len() {
        0 => String::new(),
        1 => format!("in {listed}"),
        many => format!("in {} ({listed})", count(many, "account")),
    };
    let gap = if text.is_empty() || place.is_empty() {
        ""
    } else {
        " "
    };
    text = text + gap + &place;
    if text.is_empty() { text } else { text + ": " }
}
