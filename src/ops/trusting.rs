//! Which trust policies a replacement breaks: those that name the ARN that goes.
//!
//! They may be in any account, so where a role is replaced, which is rare, every account of the plan is read once more.

use std::collections::{BTreeMap, BTreeSet};

use super::each_account;
use crate::org::{Account, AwsError, Organization, Partition};
use crate::plan::{AccountPlan, Action, Attribute, Change, ResourceKind, Status};
use crate::read::{Reader, Wanted};
use crate::resource::step::Step;

/// Trusts named for one replacement; more are counted.
const NAMED: usize = 10;

/// Adds to the finding on each replaced role the roles that trust it and are not planned to stop. Gives the accounts whose
/// trust policies could not be read.
pub async fn name_trusting_roles(
    reader: &impl Reader,
    organization: &Organization,
    parts: &mut [AccountPlan],
    at_once: usize,
) -> Vec<AwsError> {
    let replaced = replaced(parts, &organization.partition);
    if replaced.is_empty() {
        return Vec::new();
    }
    let rewritten: BTreeSet<&str> = parts
        .iter()
        .flat_map(|part| &part.changes)
        .filter(|change| rewrites(change))
        .map(|change| change.address.as_str())
        .collect();
    let read = parts.iter().filter(|part| part.status == Status::Read);
    let accounts = read.filter_map(|part| Some((organization.accounts.get(&part.id)?, ())));
    let answers = each_account(accounts, at_once, async |account, ()| {
        trusting(reader, account, &replaced).await
    })
    .await;
    let mut trusts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut unread = Vec::new();
    for (_, answer) in answers {
        match answer {
            Ok(found) => {
                let kept = found
                    .into_iter()
                    .filter(|(_, trusting)| !rewritten.contains(trusting.as_str()));
                for (replaced, trusting) in kept {
                    trusts.entry(replaced).or_default().insert(trusting);
                }
            }
            Err(error) => unread.push(error),
        }
    }
    let findings = parts
        .iter_mut()
        .flat_map(|part| &mut part.findings)
        .filter(|finding| finding.code == "replace");
    for finding in findings {
        if let Some(trusting) = finding
            .address
            .as_ref()
            .and_then(|address| trusts.get(address))
        {
            finding.message += &named(trusting);
        }
    }
    unread
}

fn named(trusting: &BTreeSet<String>) -> String {
    let shown: Vec<String> = trusting
        .iter()
        .take(NAMED)
        .map(|address| format!("`{address}`"))
        .collect();
    let more = match trusting.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("; it is trusted by {}{more}", shown.join(", "))
}

/// The address of each replaced role by the ARN that goes.
fn replaced(parts: &[AccountPlan], partition: &Partition) -> BTreeMap<String, String> {
    let changes = parts
        .iter()
        .flat_map(|part| part.changes.iter().map(move |change| (part.id, change)));
    let arn = |change: &Change| {
        let Some(ResourceKind::Role(name)) = change.resource() else {
            return None;
        };
        let path = change
            .diffs
            .iter()
            .find(|diff| diff.attribute == Attribute::Path)?
            .before
            .as_str()?
            .to_owned();
        Some((path, name))
    };
    let replaced = changes.filter(|(_, change)| change.action == Action::Replace);
    replaced
        .filter_map(|(account, change)| {
            let (path, name) = arn(change)?;
            Some((
                format!("arn:{partition}:iam::{account}:role{path}{name}"),
                change.address.clone(),
            ))
        })
        .collect()
}

fn rewrites(change: &Change) -> bool {
    change.action == Action::Delete
        || change.steps.iter().any(|step| {
            matches!(
                step,
                Step::UpdateAssumeRolePolicy { .. } | Step::CreateRole { .. }
            )
        })
}

/// Address of each replaced role with the address of a role in `account` that trusts it.
async fn trusting(
    reader: &impl Reader,
    account: &Account,
    replaced: &BTreeMap<String, String>,
) -> Result<Vec<(String, String)>, AwsError> {
    let live = reader.read(account, &Wanted::everything()).await?;
    let mut found = Vec::new();
    for role in live.roles.values() {
        let names = role.trust.aws_principals();
        let broken = replaced.iter().filter(|(arn, _)| names.contains(*arn));
        found.extend(broken.map(|(_, address)| {
            (
                address.clone(),
                format!("{}/role/{}", account.id, role.name),
            )
        }));
    }
    Ok(found)
}
