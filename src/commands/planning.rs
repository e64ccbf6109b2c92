//! From a survey to a plan: accounts are read side by side, and each one's live state is dropped once its part stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::OnceCell;
use tracing::Instrument as _;

use super::places::{self, Places};
use super::survey::Survey;
use super::{Console, Stop, breaks, ledger, principals, resume, selectors};
use crate::aws::Reading;
use crate::config::{CheckFinding, Weight};
use crate::desired::{AccountDesired, Desired};
use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AwsError};
use crate::plan::{
    self, AccountPlan, Action, Change, Extras, Finding, Header, Intent, Memory, Needs, Plan,
    Records, ResourceKind, Settings, Severity, Standings,
};
use crate::read::{Others, Reader, Scope, Wanted, WantedGrants};
use crate::resource::grant::OutsideGrant;
use crate::resource::name::{PolicyArn, PolicyName, RoleName};
use crate::store::{Store, StoreError};

/// Accounts that are read at once, unless `--parallelism` says otherwise.
pub const READ_AT_ONCE: usize = 64;

/// How long a living principal may look like a dead one.
const MOMENT: Duration = Duration::from_secs(1);

/// Reads every account of the survey and plans it.
///
/// With a state the plan says who moved, and accounts on record are read though they are no longer targeted.
///
/// # Errors
/// The state cannot be read.
pub async fn plan(
    survey: &Survey,
    parallelism: Option<usize>,
    state: Option<&Store>,
    console: &Console,
) -> Result<Plan, Stop> {
    Ok(plan_beside(survey, parallelism, state, None, console)
        .await?
        .0)
}

/// As [`plan`]; says of the changes of a plan that was `saved` how their resources are found now.
///
/// # Errors
/// The state cannot be read.
pub async fn plan_beside(
    survey: &Survey,
    parallelism: Option<usize>,
    state: Option<&Store>,
    saved: Option<&Plan>,
    console: &Console,
) -> Result<(Plan, Standings), Stop> {
    let mut to_read = survey.to_read();
    let mut earlier = Past::default();
    if let Some(store) = state {
        let accounts = store.accounts().await?;
        if accounts.is_empty() {
            earlier.begun = resume::ever_begun(store).await?;
        } else {
            earlier.records = Records::Some;
        }
        to_read.extend(on_record(survey, store, accounts).await?);
    }
    let progress = Arc::new(console.progress());
    progress.phase("Reading accounts", Some(to_read.len() as u64));
    let shared = Arc::new(Shared {
        saved: claims(saved),
        past: earlier,
        ..Shared::new(survey, state)
    });
    let desired = &survey.expansion.desired;
    let at_once = parallelism.unwrap_or(READ_AT_ONCE);
    let places = places::find(
        &survey.accounts.reading(),
        &survey.organization,
        desired,
        at_once,
    )
    .await;
    let tasks = to_read.into_iter().map(|account| {
        let (shared, progress) = (Arc::clone(&shared), Arc::clone(&progress));
        let desired = desired
            .accounts
            .get(&account.id)
            .cloned()
            .map(|desired| places.settle_account(desired));
        async move {
            let fallback = account.clone();
            let span = tracing::error_span!("plan account", account = %account.id);
            let planned = async move { shared.plan_account(&account, desired.as_ref()).await };
            let task = tokio::spawn(planned.instrument(span));
            let part = task
                .await
                .unwrap_or_else(|broken| plan::unreadable(&fallback, internal(&fallback, &broken)));
            match &part.error {
                Some(error) => {
                    progress.failure(&format!("{}: {error}", part.name));
                    progress.tick();
                }
                None => progress.account_done(&part.name, part.id, &changes(&part)),
            }
            part
        }
    });
    let mut parts: Vec<AccountPlan> = stream::iter(tasks)
        .buffer_unordered(at_once)
        .collect()
        .await;
    progress.finish();
    let standings = match Arc::into_inner(shared) {
        Some(Shared {
            damaged, standings, ..
        }) => match damaged.into_inner() {
            Some(damaged) => return Err(damaged.into()),
            None => standings
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        },
        None => Standings::new(),
    };
    if let Some(store) = state {
        name_the_dead(&mut parts, store).await?;
    }
    breaks::tell(
        &survey.accounts.reading(),
        &survey.organization,
        &mut parts,
        at_once,
    )
    .await;
    let missing = principals::missing(
        &survey.accounts.reading(),
        &survey.organization,
        &parts,
        at_once,
    )
    .await;
    for (id, why) in &desired.skipped {
        if let Some(account) = survey.organization.accounts.get(id) {
            parts.push(plan::skipped(account, why.clone()));
        }
    }
    let settings = Settings {
        begun: begun(survey, &parts, state).await?,
        ..survey.settings.clone()
    };
    let plan = plan::build(header(survey), &settings, parts).with_findings(missing);
    let mut plan = checked(plan, survey, &places);
    for finding in &mut plan.findings {
        finding.message = settings.secrets.mask(&finding.message);
    }
    Ok((plan, standings))
}

/// The changes of a saved plan, by account.
fn claims(saved: Option<&Plan>) -> BTreeMap<AccountId, Vec<Change>> {
    saved
        .iter()
        .flat_map(|plan| &plan.accounts)
        .map(|part| (part.id, part.changes.clone()))
        .collect()
}

/// What an unfinished run of the same desired state began. It is asked for only where the limits would stop the plan.
async fn begun(
    survey: &Survey,
    parts: &[AccountPlan],
    state: Option<&Store>,
) -> Result<BTreeSet<String>, Stop> {
    let command = match survey.settings.intent {
        Intent::Converge => "apply",
        Intent::Destroy => "destroy",
        Intent::Restore => return Ok(BTreeSet::new()),
    };
    match state {
        Some(store) if plan::exceeds_limits(&survey.settings, parts) => {
            resume::begun(store, command, &survey.expansion.desired.digest).await
        }
        _ => Ok(BTreeSet::new()),
    }
}

/// Says of dead principals which roles they were, as far as the state knows.
async fn name_the_dead(parts: &mut [AccountPlan], store: &Store) -> Result<(), StoreError> {
    let findings = parts.iter_mut().flat_map(|part| &mut part.findings);
    let mut dead = findings
        .filter(|finding| finding.code == "dead-principal")
        .peekable();
    if dead.peek().is_none() {
        return Ok(());
    }
    let names = ledger::names(store).await?;
    for finding in dead {
        let known = names
            .iter()
            .filter(|(id, _)| finding.message.contains(&format!("`{id}`")));
        let known: Vec<String> = known
            .map(|(id, arn)| format!("; `{id}` was `{arn}`"))
            .collect();
        finding.message += &known.concat();
    }
    Ok(())
}

/// What a plan made now says about itself.
pub fn header(survey: &Survey) -> Header {
    Header {
        organization_id: survey.organization.id.clone(),
        created_at: jiff::Timestamp::now()
            .round(jiff::Unit::Second)
            .unwrap_or_default()
            .to_string(),
        desired_digest: survey.expansion.desired.digest.clone(),
        scope: survey.scope.clone(),
    }
}

/// Active accounts in scope that have managed resources as far as the state knows, and that are not targeted.
async fn on_record(
    survey: &Survey,
    store: &Store,
    known: Vec<AccountId>,
) -> Result<Vec<Account>, StoreError> {
    let mut accounts = Vec::new();
    for id in known {
        let Some(account) = survey
            .organization
            .accounts
            .get(&id)
            .filter(|account| survey.may_read(account))
        else {
            continue;
        };
        if !survey.is_read(account) && !store.account(id).await?.resources.is_empty() {
            accounts.push(account.clone());
        }
    }
    Ok(accounts)
}

/// Adds what lints say, and what the desired state's own checks do: over roles and policies, and over the plan.
fn checked(plan: Plan, survey: &Survey, places: &Places) -> Plan {
    if survey.settings.intent == Intent::Destroy {
        let kept = kept(&plan, &survey.expansion.desired);
        return plan.with_findings(kept);
    }
    let whole = survey.config.plan_checks(
        || plan.shown(&survey.settings.secrets),
        &survey.organization,
    );
    let found = survey.expansion.findings.iter().cloned().chain(whole);
    let desired = &survey.expansion.desired;
    let settle = |outside: &OutsideGrant| OutsideGrant {
        grant: places.settle(outside.grant.clone()),
        ..outside.clone()
    };
    let outside: Vec<OutsideGrant> = desired.outside.iter().map(settle).collect();
    let lints = plan::lints(&survey.settings, &desired.accounts);
    let selectors = selectors::findings(&plan, survey);
    plan.with_findings(
        found
            .map(finding)
            .chain(lints)
            .chain(selectors)
            .chain(plan::outside(&outside, &desired.secrets)),
    )
}

/// The findings on what is destroyed although it must never be deleted.
fn kept(plan: &Plan, desired: &Desired) -> Vec<Finding> {
    let deletions = plan
        .accounts
        .iter()
        .flat_map(|part| part.changes.iter().map(move |change| (part.id, change)));
    let found = deletions
        .filter(|(_, change)| change.action == Action::Delete)
        .filter_map(|(account, change)| {
            let held = desired.accounts.get(&account)?;
            let (kind, name, kept) = match change.resource()? {
                ResourceKind::Role(name) => (
                    "role",
                    name.to_string(),
                    held.roles.get(&name.key())?.prevent_destroy,
                ),
                ResourceKind::Policy(name) => (
                    "policy",
                    name.to_string(),
                    held.policies.get(&name.key())?.prevent_destroy,
                ),
                ResourceKind::Grant(_) | ResourceKind::Attachment(_) => return None,
            };
            kept.then(|| plan::prevent_destroy(kind, &name, &change.address, "delete"))
        });
    found.collect()
}

/// What a check found, as a plan says it.
pub fn finding(found: CheckFinding) -> Finding {
    let CheckFinding {
        code,
        severity,
        address,
        message,
    } = found;
    let severity = match severity {
        Weight::Stop => Severity::Stop,
        Weight::Warn => Severity::Warn,
    };
    Finding {
        code,
        severity,
        address,
        message,
    }
}

fn internal(account: &Account, broken: &tokio::task::JoinError) -> AwsError {
    AwsError {
        account: Some(account.id),
        operation: "reading the account".to_owned(),
        resource: None,
        code: None,
        message: format!("internal error: {broken}"),
        request_id: None,
    }
}

fn changes(part: &AccountPlan) -> String {
    match part
        .changes
        .iter()
        .filter(|change| !change.cosmetic)
        .count()
    {
        0 => "as desired".to_owned(),
        1 => "1 change".to_owned(),
        n => format!("{n} changes"),
    }
}

/// What a state tells of earlier runs.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// Whether it holds records.
    pub records: Records,
    /// Where it holds none: the addresses that runs began to write.
    pub begun: BTreeSet<String>,
}

/// What the plans of all accounts share.
pub struct Shared<R> {
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
    past: Past,
    /// Why the state cannot be read.
    damaged: OnceLock<StoreError>,
    /// The changes of a saved plan.
    saved: BTreeMap<AccountId, Vec<Change>>,
    /// How their resources are found.
    standings: Mutex<Standings>,
}

impl Shared<Reading> {
    /// What the plans of a survey share.
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

impl<R: Reader> Shared<R> {
    async fn plan_account(
        &self,
        account: &Account,
        desired: Option<&AccountDesired>,
    ) -> AccountPlan {
        match self.try_plan(account, desired).await {
            Ok(part) => part,
            Err(error) => plan::unreadable(account, error),
        }
    }

    async fn try_plan(
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
        let scope = Scope::Only {
            roles,
            policies: BTreeSet::new(),
        };
        let again = self
            .reader
            .read(
                account,
                &Wanted {
                    scope,
                    details: false,
                    grants: None,
                },
            )
            .await?;
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
        let memory = ledger::memory(self.state.as_ref()?, account, &self.past).await;
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
            let scope = Scope::Only {
                roles: live.roles.values().map(|role| role.name.clone()).collect(),
                policies: BTreeSet::new(),
            };
            let again = self
                .reader
                .read(
                    account,
                    &Wanted {
                        scope,
                        details,
                        grants: None,
                    },
                )
                .await?;
            live.roles = again.roles;
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
