//! Who did it, for a reader: equal results of many accounts once.

use super::group::{self, AccountName, Group, Sameness};
use super::style::count;
use crate::drift::Drift;
use crate::drift::who::Who;

/// How many different answers about one change are shown before the rest is counted.
const ANSWERS: usize = 10;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The first answers, and of each the first accounts.
    Some,
    /// Every answer and every account.
    All,
}

/// The answers about equal changes, a few lines each. An account is named where others got another answer.
pub fn answers(drift: &Drift, group: &Group<'_>, extent: Extent) -> Vec<Vec<String>> {
    let (kind, name) = group.resource();
    let told = group.accounts.iter().filter_map(|account| {
        let address = format!(
            "{}/{kind}/{}",
            account.id,
            name.replace(group::ACCOUNT, account.id.as_str())
        );
        Some((*account, drift.who.get(&address)?))
    });
    let folded = |(account, who): &(AccountName<'_>, &Who)| {
        who.lines()
            .iter()
            .map(|line| group::fold_text(line, account.id))
            .collect::<Vec<String>>()
    };
    let bundles = group::fold(told, |(_, who)| who.lines(), folded);
    let alone = bundles.len() == 1;
    let answer = |(members, sameness): &(Vec<(AccountName<'_>, &Who)>, Sameness)| {
        let first = members.first()?;
        let mut lines = if *sameness == Sameness::Folded {
            folded(first)
        } else {
            first.1.lines()
        };
        let accounts: Vec<AccountName<'_>> = members.iter().map(|(account, _)| *account).collect();
        if let Some(line) = lines.first_mut().filter(|_| !alone) {
            *line = format!(
                "{}: {line}",
                group::shortened(&accounts, extent == Extent::All).join(", ")
            );
        }
        Some(lines)
    };
    let shown = if extent == Extent::All {
        bundles.len()
    } else {
        ANSWERS
    };
    let more = bundles.len().checked_sub(shown).filter(|more| *more > 0);
    let more = more.map(|more| {
        vec![format!(
            "+ {} more; the JSON has all of them",
            count(more, "answer")
        )]
    });
    bundles
        .iter()
        .take(shown)
        .filter_map(answer)
        .chain(more)
        .collect()
}
