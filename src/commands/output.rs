//! `rolecall output`: the ARNs of converged roles, to hand to whoever assumes them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use serde_json::json;

use super::survey::Survey;
use super::{Console, Stop};
use crate::aws;
use crate::cli::{ListFormat, ScopeArgs};
use crate::desired::AccountDesired;
use crate::diff::{Owner, owner};
use crate::exit::Exit;
use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AwsError};
use crate::read::{Reader, Scope, Wanted};
use crate::report;
use crate::report::output::{self, ExternalIds, Handout, Outsider, RoleRow};
use crate::resource::role::{Ensure, Role};
use crate::verify::{self, trust};

/// Accounts that are read at once, unless `--parallelism` says otherwise.
const AT_ONCE: usize = 64;

/// Whether sensitive values are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitive {
    /// As they are: `--show-sensitive`.
    Shown,
    /// As `(sensitive)`.
    Masked,
}

impl Sensitive {
    /// Reads the flag.
    pub fn new(show_sensitive: bool) -> Self {
        if show_sensitive {
            Self::Shown
        } else {
            Self::Masked
        }
    }
}

/// Lists the roles in scope that exist and are managed.
pub async fn run(
    args: &ScopeArgs,
    format: ListFormat,
    sensitive: Sensitive,
    aws: aws::Settings,
    console: &Console,
) -> Result<Exit, Stop> {
    let survey = Survey::new(args, aws, console).await?;
    let read = read(
        &survey,
        args.parallelism.map_or(AT_ONCE, usize::from),
        console,
    )
    .await;
    let mut ending = Exit::Done;
    if read.iter().any(|(_, live)| live.is_err()) {
        ending = if read.iter().any(|(_, live)| live.is_ok()) {
            Exit::Partial
        } else {
            Exit::Error
        };
    }
    let handout = handout(&survey, &read);
    let (mut out, external_ids): (Box<dyn Write>, _) = match sensitive {
        Sensitive::Shown => (Box::new(console.bare()), ExternalIds::Column),
        Sensitive::Masked => (Box::new(console.data()), ExternalIds::Left),
    };
    match (format, sensitive) {
        (ListFormat::Text, _) => output::text(&handout, &console.out, &mut out)?,
        (ListFormat::Json, Sensitive::Shown) => report::json::write(&handout, &mut out)?,
        (ListFormat::Json, Sensitive::Masked) => console.json(&handout)?,
        (ListFormat::Csv, _) => output::csv(&handout, external_ids, &mut out)?,
    }
    out.flush()?;
    Ok(ending)
}

type Read<'a> = (&'a Account, Result<LiveAccount, AwsError>);

/// Reads the desired roles of every account in scope, in order of account.
async fn read<'a>(survey: &'a Survey, at_once: usize, console: &Console) -> Vec<Read<'a>> {
    let reader = &survey.accounts.reading();
    let desired = survey.expansion.desired.accounts.iter();
    let accounts: Vec<(&Account, BTreeSet<_>)> = desired
        .filter_map(|(id, desired)| Some((survey.organization.accounts.get(id)?, desired)))
        .map(|(account, desired)| {
            (
                account,
                roles(survey, desired)
                    .map(|role| role.name.clone())
                    .collect(),
            )
        })
        .filter(|(_, roles): &(_, BTreeSet<_>)| !roles.is_empty())
        .collect();
    let progress = &console.progress();
    progress.phase("Reading accounts", Some(accounts.len() as u64));
    let tasks = accounts.into_iter().map(|(account, roles)| async move {
        let wanted = Wanted {
            scope: Scope::Only {
                roles,
                policies: BTreeSet::new(),
            },
            details: false,
            grants: None,
        };
        let live = reader.read(account, &wanted).await;
        match &live {
            Ok(_) => progress.tick(),
            Err(error) => progress.failure(&format!("{} ({}): {error}", account.name, account.id)),
        }
        (account, live)
    });
    let mut read: Vec<Read<'a>> = stream::iter(tasks)
        .buffer_unordered(at_once)
        .collect()
        .await;
    progress.finish();
    read.sort_by_key(|(account, _)| account.id);
    read
}

/// The roles of an account that should exist and are in scope.
fn roles<'a>(
    survey: &'a Survey,
    desired: &'a AccountDesired,
) -> impl Iterator<Item = &'a Arc<Role>> {
    let in_scope = |role: &&Arc<Role>| {
        role.ensure == Ensure::Present && survey.narrow.has_role(role.name.as_str())
    };
    desired.roles.values().filter(in_scope)
}

fn handout(survey: &Survey, read: &[Read<'_>]) -> Handout {
    let mut rows = Vec::new();
    let mut outsiders: BTreeMap<AccountId, Vec<String>> = BTreeMap::new();
    for (account, live) in read {
        let (Ok(live), Some(desired)) = (live, survey.expansion.desired.accounts.get(&account.id))
        else {
            continue;
        };
        for role in roles(survey, desired) {
            let Some(found) = live.roles.get(&role.name.key()) else {
                continue;
            };
            if owner(&found.tags, &survey.settings.name) != Owner::Us {
                continue;
            }
            for outsider in verify::accounts_of(&role.trust) {
                if !survey.organization.accounts.contains_key(&outsider) {
                    outsiders
                        .entry(outsider)
                        .or_default()
                        .push(found.arn.clone());
                }
            }
            rows.push(row(account, role, &found.arn));
        }
    }
    rows.sort_by(|a, b| (&a.role, a.account_id).cmp(&(&b.role, b.account_id)));
    let outsiders = outsiders
        .into_iter()
        .map(|(account_id, arns)| outsider(account_id, &arns));
    Handout::new(rows, outsiders.collect())
}

fn row(account: &Account, role: &Role, arn: &str) -> RoleRow {
    RoleRow {
        role: role.name.to_string(),
        account_id: account.id,
        account_name: account.name.clone(),
        arn: arn.to_owned(),
        alias: format!("{} ({})", account.name, account.id),
        external_ids: trust::external_ids(&role.trust).into_iter().collect(),
    }
}

/// The half of the access that only the other account can write.
fn outsider(account_id: AccountId, arns: &[String]) -> Outsider {
    let resource = if let [arn] = arns {
        json!(arn)
    } else {
        json!(arns)
    };
    let statement =
        json!({ "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": resource });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    Outsider {
        account_id,
        policy,
        roles: arns.len(),
    }
}
