//! The plan of one account: it is read, asked about again as far as planning needs, and compared with what is desired.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::Survey;
use super::state::{self, Past};
use crate::aws::Reading;
use crate::desired::AccountDesired;
use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AwsError};
use crate::plan::{
    self, AccountPlan, Change, Extras, Intent, Memory, Needs, ResourceKind, Settings, Standings,
};
use crate::read::{Others, Reader, Scope, Wanted, WantedGrants};
use crate::resource::name::{PolicyArn, PolicyName, RoleName};
use crate::store::{Store, StoreError};

/// How long a living principal may look like a dead one.
const MOMENT: Duration = Duration::from_secs(1);

/// Plans accounts one by one, and holds what they share.
pub(super) struct Planner<R> {
    /// Reads the accounts.
    pub reader: R,
    /// What planning depends on.
    pub settings: Settings,
    /// Whether AWS's managed policies exist: the same in every account, so each is asked for once.
    existing: Mutex<BTreeMap<PolicyArn, Arc<OnceCell<bool>>>>,
    /// All of them, where one that does not exist is named.
    aws_policies: OnceCell<BTreeSet<PolicyArn>>,
    state: Option<Store>,
    /// What that tells of earlier runs.
    pub past: Past,
    /// Why the state cannot be read.
    damaged: OnceLock<StoreError>,
    /// The changes of a saved plan.
    pub saved: BTreeMap<AccountId, Vec<Change>>,
    /// How their resources are found.
    standings: Mutex<Standings>,
}

impl Planner<Reading> {
    /// A planner for the accounts of a survey.
    pub fn new(survey: &Survey, state: Option<&Store>) -> Self {
        Self {
            reader: survey.accounts.reading(),
            settings: survey.settings.clone(),
            existing: Mutex::default(),
            aws_policies: OnceCell::new(),
            state: state.cloned(),
            past: Past::default(),
            damaged: OnceLock::new(),
            saved: BTreeMap::new(),
            standings: Mutex::default(),
        }
    }
}

impl<R: Reader> Planner<R> {
    /// How the resources of the saved plan were found.
    ///
    /// # Errors
    /// The state could not be read.
    pub fn into_standings(self) -> Result<Standings, StoreError> {
        match self.damaged.into_inner() {
            Some(damaged) => Err(damaged),
            None => Ok(self
                .standings
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Reads an account and plans it.
    pub async fn plan_account(
        &self,
        account: &Account,
        desired: Option<&AccountDesired>,
    ) -> Result<AccountPlan, AwsError> {
        let memory = self.memory(account).await;
        let memory = memory.as_ref();
        let mut live = self
            .reader
            .read(account, &self.wanted(desired, memory))
            .await?;
        self.read_the_dead_again(account, desired, &mut live)
            .await?;
        let desired = desired.filter(|_| self.settings.intent != Intent::Destroy);
        self.complete(account, desired, &mut live, memory).await?;
        let claimed = self
            .saved
            .get(&account.id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let found = plan::standings(claimed, &live);
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(found);
        Ok(plan::plan_account(
            &self.settings,
            account,
            desired,
            &live,
            memory,
        ))
    }

    /// Reads trust policies again that name an id instead of an ARN: IAM may show that of a living principal for a
    /// moment.
    async fn read_the_dead_again(
        &self,
        account: &Account,
        desired: Option<&AccountDesired>,
        live: &mut LiveAccount,
    ) -> Result<(), AwsError> {
        let desired = desired.iter().flat_map(|desired| desired.roles.keys());
        let names_the_dead = desired
            .filter_map(|key| live.roles.get(key))
            .filter(|role| !role.trust.dead_principals().is_empty());
        let roles: BTreeSet<RoleName> = names_the_dead.map(|role| role.name.clone()).collect();
        if roles.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(MOMENT).await;
        let again = self.reader.read(account, &Wanted::roles(roles)).await?;
        for (key, seen) in again.roles {
            if let Some(role) = live.roles.get_mut(&key) {
                role.trust = seen.trust;
            }
        }
        Ok(())
    }

    /// Reads what the first read of an account leaves open.
    pub async fn complete(
        &self,
        account: &Account,
        desired: Option<&AccountDesired>,
        live: &mut LiveAccount,
        memory: Option<&Memory>,
    ) -> Result<(), AwsError> {
        // What was read may open further questions; each round answers all that are open.
        loop {
            let needs = plan::needs(&self.settings, account, desired, live, memory);
            if needs.is_empty() {
                return Ok(());
            }
            self.answer(account, needs, live).await?;
        }
    }

    async fn memory(&self, account: &Account) -> Option<Memory> {
        let memory = state::memory(self.state.as_ref()?, account, &self.past).await;
        memory.map_err(|error| self.damaged.set(error)).ok()
    }

    async fn answer(
        &self,
        account: &Account,
        needs: Needs,
        live: &mut LiveAccount,
    ) -> Result<(), AwsError> {
        let Needs {
            policy_tags,
            managed_policies,
            quotas,
            details,
        } = needs;
        for arn in policy_tags {
            let tags = self.reader.policy_tags(account, &arn).await?;
            if let Some(policy) = live.policies.values_mut().find(|policy| policy.arn == arn) {
                policy.tags = Some(tags);
            }
        }
        for arn in managed_policies {
            let exists = self.exists(account, &arn).await?;
            if !exists && arn.is_aws_managed() {
                let meant = arn
                    .nearest(self.aws_policies(account).await.iter())
                    .cloned();
                live.similar_policies
                    .extend(meant.map(|meant| (arn.clone(), meant)));
            }
            live.known_policies.insert(arn, exists);
        }
        if quotas {
            live.quotas = Some(self.reader.quotas(account).await?);
        }
        if details {
            let wanted = Wanted {
                details,
                ..Wanted::roles(live.roles.values().map(|role| role.name.clone()))
            };
            live.roles = self.reader.read(account, &wanted).await?.roles;
        }
        Ok(())
    }

    /// What to read: everything, for what is managed by this directory but no longer declared must be found; or,
    /// where `--role` names exact roles, those alone.
    fn wanted(&self, desired: Option<&AccountDesired>, memory: Option<&Memory>) -> Wanted {
        let details = desired.is_some_and(AccountDesired::needs_details);
        let named: Option<_> = self
            .settings
            .roles
            .iter()
            .map(|role| RoleName::parse(role).ok())
            .collect();
        let scope = match (named, self.settings.extras) {
            (Some(roles), Extras::Keep) if !self.settings.roles.is_empty() => {
                let policies = desired.iter().flat_map(|desired| desired.policies.values());
                Scope::Only {
                    roles,
                    policies: policies.map(|policy| policy.name.clone()).collect(),
                }
            }
            _ => Scope::All,
        };
        Wanted {
            scope,
            details,
            grants: Some(self.grants(desired, memory)),
        }
    }

    /// Which grants to read: those that are desired or on record, and with prune whatever users and groups are left with.
    fn grants(&self, desired: Option<&AccountDesired>, memory: Option<&Memory>) -> WantedGrants {
        let desired = desired.iter().flat_map(|desired| desired.grants.values());
        let addresses = memory.iter().flat_map(|memory| memory.resources.keys());
        let on_record = addresses.filter_map(|address| match plan::resource_at(address)? {
            ResourceKind::Grant(principal) => Some(principal),
            ResourceKind::Role(_) | ResourceKind::Policy(_) | ResourceKind::Attachment(_) => None,
        });
        let principals: BTreeMap<_, _> = desired
            .map(|grant| grant.principal.clone())
            .chain(on_record)
            .map(|principal| (principal.key(), principal))
            .collect();
        let prunes = self.settings.extras == Extras::Remove && self.settings.roles.is_empty();
        let others = if prunes { Others::All } else { Others::Unseen };
        WantedGrants {
            policy: PolicyName::of_grants(&self.settings.name),
            principals,
            others,
        }
    }

    /// The policies that AWS manages, asked for once in a run; they are only needed for a hint, so a refusal is not an error.
    async fn aws_policies(&self, account: &Account) -> &BTreeSet<PolicyArn> {
        let list = || async {
            self.reader
                .aws_policies(account)
                .await
                .unwrap_or_else(|error| {
                    tracing::debug!(%error, "which policies AWS manages is not known");
                    BTreeSet::new()
                })
        };
        self.aws_policies.get_or_init(list).await
    }

    async fn exists(&self, account: &Account, arn: &PolicyArn) -> Result<bool, AwsError> {
        if !arn.is_aws_managed() {
            return self.reader.policy_exists(account, arn).await;
        }
        let cell = {
            let mut existing = self.existing.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(existing.entry(arn.clone()).or_default())
        };
        cell.get_or_try_init(|| self.reader.policy_exists(account, arn))
            .await
            .copied()
    }
}
