//! The accounts that a plan did not read, and why, for every view: equal reasons once with their accounts.

use std::collections::BTreeMap;

use super::group::{self, AccountName, Sameness};
use crate::org::AwsError;
use crate::plan::{AccountPlan, Plan, Reason, Status};

/// Accounts with one reason.
#[derive(Debug, Clone)]
pub struct Unread<'a> {
    /// The accounts, in the plan's order; never empty.
    pub accounts: Vec<AccountName<'a>>,
    /// Why; the account is named beside it.
    pub why: String,
}

/// Whether accounts with the same reason are shown together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// Accounts with the same reason are shown together.
    Together,
    /// Each account is shown alone, with the whole error.
    Alone,
}

/// The accounts that could not be read.
pub fn unreadable(plan: &Plan, together: Accounts) -> Vec<Unread<'_>> {
    let accounts = with_status(plan, Status::Unreadable);
    let bundles = match together {
        Accounts::Alone => accounts
            .map(|account| (vec![account], Sameness::Exact))
            .collect(),
        Accounts::Together => group::fold(
            accounts,
            |(_, account)| error_text(account),
            |(_, account)| folded_error_text(account),
        ),
    };
    bundles
        .into_iter()
        .map(|(members, sameness)| {
            let why = members.first().map(|(_, account)| match sameness {
                Sameness::Exact => error_text(account),
                Sameness::Folded => folded_error_text(account),
            });
            Unread {
                accounts: members.iter().map(|(name, _)| *name).collect(),
                why: why.unwrap_or_default(),
            }
        })
        .collect()
}

/// The accounts that are not active, by reason.
pub fn skipped(plan: &Plan) -> Vec<Unread<'_>> {
    let mut by_reason: BTreeMap<String, Vec<AccountName<'_>>> = BTreeMap::new();
    for (name, account) in with_status(plan, Status::Skipped) {
        by_reason.entry(error_text(account)).or_default().push(name);
    }
    by_reason
        .into_iter()
        .map(|(why, accounts)| Unread { accounts, why })
        .collect()
}

fn with_status(
    plan: &Plan,
    status: Status,
) -> impl Iterator<Item = (AccountName<'_>, &AccountPlan)> {
    plan.accounts
        .iter()
        .filter(move |account| account.status == status)
        .map(|account| {
            (
                AccountName {
                    id: account.id,
                    name: &account.name,
                },
                account,
            )
        })
}

/// The error of an account in words.
fn error_text(account: &AccountPlan) -> String {
    match &account.error {
        Some(Reason::Aws(error)) => AwsError {
            account: None,
            ..error.clone()
        }
        .to_string(),
        Some(Reason::Text(text)) => text.clone(),
        None => "no reason was given".to_owned(),
    }
}

/// Like [`error_text`], without what differs between the same error in two accounts.
fn folded_error_text(account: &AccountPlan) -> String {
    let text = match &account.error {
        Some(Reason::Aws(error)) => AwsError {
            account: None,
            request_id: None,
            ..error.clone()
        }
        .to_string(),
        Some(Reason::Text(_)) | None => error_text(account),
    };
    group::fold_text(&text, account.id)
}
