//! Where the roles are that are granted: only the live role shows the ARN of a role whose path is not set.
//!
//! Only the accounts of such roles are read for it. A role that is not there yet will be made at `/`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};

use super::principals::role_of;
use crate::desired::{AccountDesired, Desired};
use crate::org::{Account, AccountId, Organization};
use crate::read::{Reader, Scope, Wanted};
use crate::resource::grant::Grant;
use crate::resource::name::RoleName;

/// The live ARN of each granted role without written path, by its ARN at `/`; of accounts that could be read.
#[derive(Debug, Default)]
pub struct Places(BTreeMap<String, String>);

/// Reads where the granted roles are.
pub async fn find(
    reader: &impl Reader,
    organization: &Organization,
    desired: &Desired,
    parallelism: usize,
) -> Places {
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
    let looks = wanted
        .into_iter()
        .filter_map(|(id, roles)| Some(look(reader, active(&id)?, roles)));
    Places(
        stream::iter(looks)
            .buffer_unordered(parallelism)
            .flat_map(stream::iter)
            .collect()
            .await,
    )
}

async fn look(
    reader: &impl Reader,
    account: &Account,
    roles: BTreeMap<String, RoleName>,
) -> Vec<(String, String)> {
    let scope = Scope::Only {
        roles: roles.values().cloned().collect(),
        policies: BTreeSet::new(),
    };
    match reader
        .read(
            account,
            &Wanted {
                scope,
                details: false,
                grants: None,
            },
        )
        .await
    {
        Ok(live) => {
            let place = |(arn, name): (String, RoleName)| {
                let there = live
                    .roles
                    .get(&name.key())
                    .map_or_else(|| arn.clone(), |role| role.arn.clone());
                (arn, there)
            };
            roles.into_iter().map(place).collect()
        }
        Err(error) => {
            tracing::debug!(account = %account.id, %error, "cannot determine the paths of the granted roles");
            Vec::new()
        }
    }
}

impl Places {
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
            match self.0.get(&arn) {
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
