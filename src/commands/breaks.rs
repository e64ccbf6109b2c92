//! Which trust policies a replacement breaks: those that name the ARN that goes.
//!
//! They may be in any account, so where a role is replaced, which is rare, every account of the plan is read once more.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::org::{Account, Organization, Partition};
use crate::plan::{AccountPlan, Action, Attribute, Change, ResourceKind, Status};
use crate::read::{Reader, Scope, Wanted};
use crate::resource::step::Step;

/// Trusts named for one replacement; more are counted.
const NAMED: usize = 10;

/// Adds to the finding on each replaced role the roles that trust it and are not planned to stop.
pub async fn tell(
    reader: &impl Reader,
    organization: &Organization,
    parts: &mut [AccountPlan],
    at_once: usize,
) {
    let replaced = replaced(parts, &organization.partition);
    if replaced.is_empty() {
        return;
    }
    let rewritten: BTreeSet<&str> = parts
        .iter()
        .flat_map(|part| &part.changes)
        .filter(|change| rewrites(change))
        .map(|change| change.address.as_str())
        .collect();
    let read = parts.iter().filter(|part| part.status == Status::Read);
    let accounts: Vec<&Account> = read
        .filter_map(|part| organization.accounts.get(&part.id))
        .collect();
    let looks = accounts
        .into_iter()
        .map(|account| trusting(reader, account, &replaced));
    let found: Vec<(String, String)> = stream::iter(looks.collect::<Vec<_>>())
        .buffer_unordered(at_once)
        .flat_map(stream::iter)
        .collect()
        .await;
    let mut trusts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (replaced, trusting) in found
        .into_iter()
        .filter(|(_, trusting)| !rewritten.contains(trusting.as_str()))
    {
        trusts.entry(replaced).or_default().insert(trusting);
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
) -> Vec<(String, String)> {
    let wanted = Wanted {
        scope: Scope::All,
        details: false,
        grants: None,
    };
    let live = match reader.read(account, &wanted).await {
        Ok(live) => live,
        Err(error) => {
            tracing::debug!(account = %account.id, %error, "cannot determine which trust policies a replacement breaks in this account");
            return Vec::new();
        }
    };
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
    found
}
