//! `rolecall output`: the ARNs of converged roles, to hand to whoever assumes them.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;

use super::{Console, Error, options};
use crate::aws;
use crate::cli::{ListFormat, ScopeArgs};
use crate::diff::{Owner, owner};
use crate::exit::Exit;
use crate::live::LiveAccount;
use crate::ops::{Observer, Survey, each_account};
use crate::org::{Account, AccountId, AwsError};
use crate::read::{Reader as _, Wanted};
use crate::report;
use crate::report::output::{self, ExternalIds, Handout, Outsider, RoleRow};
use crate::resource::role::Role;
use crate::verify::trust;

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
) -> Result<Exit, Error> {
    let selection = options::selection(args);
    let survey = Survey::new(&selection, aws, console).await?;
    let read = read(&survey, selection.parallelism.unwrap_or(AT_ONCE), console).await;
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
async fn read<'a>(survey: &'a Survey, at_once: usize, observer: &dyn Observer) -> Vec<Read<'a>> {
    let reader = &survey.accounts.reading();
    let desired = survey.expansion.desired.accounts.keys();
    let accounts: Vec<(&Account, Wanted)> = desired
        .filter_map(|id| survey.organization.accounts.get(id))
        .filter(|account| survey.roles_in(account.id).next().is_some())
        .map(|account| {
            let names = survey.roles_in(account.id).map(|role| role.name.clone());
            (account, Wanted::roles(names))
        })
        .collect();
    let phase = observer.phase("Reading accounts", Some(accounts.len() as u64));
    let read = each_account(accounts, at_once, async |account, wanted| {
        let live = reader.read(account, &wanted).await;
        match &live {
            Ok(_) => phase.tick(),
            Err(error) => phase.failure(&format!("{} ({}): {error}", account.name, account.id)),
        }
        live
    })
    .await;
    phase.finish();
    read
}

fn handout(survey: &Survey, read: &[Read<'_>]) -> Handout {
    let mut rows = Vec::new();
    let mut outsiders: BTreeMap<AccountId, Vec<String>> = BTreeMap::new();
    for (account, live) in read {
        let Ok(live) = live else { continue };
        for role in survey.roles_in(account.id) {
            let Some(found) = live.roles.get(&role.name.key()) else {
                continue;
            };
            if owner(&found.tags, &survey.settings.name) != Owner::Us {
                continue;
            }
            for outsider in trust::accounts_of(&role.trust) {
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
