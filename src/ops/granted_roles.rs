//! Where the roles are that are granted: only the live role shows the ARN of a role whose path is not set.
//!
//! Only the accounts of such roles are read for it. A role that is not there yet will be made at `/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::each_account;
use super::principals::role_of;
use crate::desired::{AccountDesired, Desired};
use crate::org::{Account, AccountId, AwsError, Organization};
use crate::read::{Reader, Wanted};
use crate::resource::grant::Grant;
use crate::resource::name::RoleName;

/// Where granted roles are.
#[derive(Debug, Default)]
pub struct GrantedRoles {
    /// The live ARN of each granted role without written path, by its ARN at `/`; of accounts that could be read.
    arns: BTreeMap<String, String>,
    /// Why the others could not.
    pub unread: Vec<AwsError>,
}

/// Reads where the granted roles are.
pub async fn find(
    reader: &impl Reader,
    organization: &Organization,
    desired: &Desired,
    parallelism: usize,
) -> GrantedRoles {
    let inside = desired
        .accounts
        .values()
        .flat_map(|account| account.grants.values().map(Arc::as_ref));
    let grants = inside.chain(desired.outside.iter().map(|outside| &outside.grant));
    let mut wanted: BTreeMap<AccountId, BTreeMap<String, RoleName>> = BTreeMap::new();
    for arn in grants.flat_map(|grant| &grant.unplaced) {
        if let Some((account, role)) = role_of(arn) {
            wanted.entry(account).or_default().insert(arn.clone(), role);
        }
    }
    let active = |id: &AccountId| {
        organization
            .accounts
            .get(id)
            .filter(|account| account.status.is_active())
    };
    let accounts = wanted
        .into_iter()
        .filter_map(|(id, roles)| Some((active(&id)?, roles)));
    let answers = each_account(accounts, parallelism, async |account, roles| {
        live_arns(reader, account, roles).await
    })
    .await;
    let mut found = GrantedRoles::default();
    for (_, answer) in answers {
        match answer {
            Ok(arns) => found.arns.extend(arns),
            Err(error) => found.unread.push(error),
        }
    }
    found
}

async fn live_arns(
    reader: &impl Reader,
    account: &Account,
    roles: BTreeMap<String, RoleName>,
) -> Result<Vec<(String, String)>, AwsError> {
    let live = reader
        .read(account, &Wanted::roles(roles.values().cloned()))
        .await?;
    let place = |(arn, name): (String, RoleName)| {
        let there = live
            .roles
            .get(&name.key())
            .map_or_else(|| arn.clone(), |role| role.arn.clone());
        (arn, there)
    };
    Ok(roles.into_iter().map(place).collect())
}

impl GrantedRoles {
    /// The account's desired state with the ARNs that were found.
    pub fn settle_account(&self, mut desired: AccountDesired) -> AccountDesired {
        for grant in desired
            .grants
            .values_mut()
            .filter(|grant| !grant.unplaced.is_empty())
        {
            *grant = Arc::new(self.settle(Grant::clone(grant)));
        }
        desired
    }

    /// A grant with the ARNs that were found.
    pub fn settle(&self, mut grant: Grant) -> Grant {
        for arn in std::mem::take(&mut grant.unplaced) {
            match self.arns.get(&arn) {
                Some(there) => {
                    grant.roles.remove(&arn);
                    grant.roles.insert(there.clone());
                }
                None => _ = grant.unplaced.insert(arn),
            }
        }
        grant
    }
}
