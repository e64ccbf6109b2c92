//! `rolecall accounts`: the accounts, and which roles target them and why.

use std::io::Write;

use super::{Console, Error, options};
use crate::aws;
use crate::cli::{Format, ScopeArgs};
use crate::exit::Exit;
use crate::ops::Survey;
use crate::org::AccountId;
use crate::report::accounts::{self, AccountRow, Accounts, Targeting};

/// Lists the accounts of the organization.
pub async fn run(
    args: &ScopeArgs,
    format: Format,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Error> {
    let survey = Survey::new(&options::selection(args), aws, console).await?;
    let accounts = Accounts::new(rows(&survey));
    let mut out = console.data();
    match format {
        Format::Text => accounts::table(&accounts, &console.out, &mut out)?,
        Format::Json => console.json(&accounts)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn rows(survey: &Survey) -> Vec<AccountRow> {
    let accounts = survey.organization.accounts.values();
    accounts
        .filter(|account| survey.narrow.has_account(account, &survey.organization))
        .map(|account| AccountRow {
            id: account.id,
            name: account.name.clone(),
            ou: account.ou.clone(),
            status: account.status.clone(),
            roles: targeting(survey, account.id),
        })
        .collect()
}

fn targeting(survey: &Survey, account: AccountId) -> Vec<Targeting> {
    let targeted = survey
        .expansion
        .targeted_by
        .get(&account)
        .into_iter()
        .flatten();
    targeted
        .map(|by| Targeting {
            role: by.role.to_string(),
            why: by.selector.to_string(),
        })
        .collect()
}
