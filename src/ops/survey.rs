//! What operations have in common: the desired state, the organization, and a way into its accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Error, Observer, Selection, Sources, wait};
use crate::aws::{self, Access, Accounts, Aws};
use crate::config::{self, Config, Expansion, Inputs, NarrowScope, Problems};
use crate::files::Disk;
use crate::lint;
use crate::org::{Account, AccountId, Caller, Organization};
use crate::plan::{self, Acceptance, Extras, Intent, RoleKey, Settings, Unmanaged};
use crate::resource::role::{Ensure, Role};

/// Everything a run knows before it reads an account.
pub struct Survey {
    /// The desired state as written.
    pub config: Config,
    /// The organization.
    pub organization: Organization,
    /// The part of it that the run is about.
    pub narrow: NarrowScope,
    /// The desired state over the organization.
    pub expansion: Expansion,
    /// The way into the accounts.
    pub accounts: Accounts,
    /// What the plan has to know.
    pub settings: Settings,
    /// What it is narrowed to.
    pub scope: plan::Scope,
    aws: Aws,
    /// The role that each account is entered by.
    roles: Arc<BTreeMap<AccountId, String>>,
}

/// Reads the desired state, without AWS.
///
/// # Errors
/// It has problems: all of them.
pub fn load(sources: &Sources) -> Result<Config, Error> {
    let inputs = Inputs {
        files: Arc::new(Disk),
        path: sources.config.clone(),
        vars: sources.vars.clone(),
        var_files: sources.var_files.clone(),
        env: sources.env.clone(),
    };
    Ok(config::load(&inputs)?)
}

impl Survey {
    /// Loads the desired state, walks the organization and expands the one over the other.
    pub async fn new(
        selection: &Selection,
        aws: aws::Settings,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        let config = load(&selection.sources)?;
        observer.problems(config.warnings());
        let connecting = Box::pin(Aws::connect(aws));
        let aws = wait("STS to identify the caller", observer, connecting).await?;
        // On the heap: the futures of all commands hold this one.
        let survey = Box::pin(Self::over(selection, config, aws, None, observer)).await?;
        let said = survey.config.warnings();
        let news = survey
            .expansion
            .warnings
            .iter()
            .filter(|warning| !said.contains(warning));
        observer.problems(&news.cloned().collect::<Vec<_>>());
        Ok(survey)
    }

    /// The same once more, as things are now. The caller's credentials are kept, and the sessions of the accounts unless
    /// they are entered otherwise.
    pub async fn again(
        &self,
        selection: &Selection,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        Box::pin(Self::over(
            selection,
            load(&selection.sources)?,
            self.aws.clone(),
            Some(self),
            observer,
        ))
        .await
    }

    /// The same over what is loaded and connected already; `earlier` is the survey to take sessions from.
    pub async fn over(
        selection: &Selection,
        config: Config,
        aws: Aws,
        earlier: Option<&Self>,
        observer: &dyn Observer,
    ) -> Result<Self, Error> {
        observer.secrets(config.secrets());
        let narrow = NarrowScope::parse(&selection.accounts, &selection.roles);
        let organization = walk(&aws, &config, &narrow, observer).await?;
        let expansion = config.expand(&organization, &narrow)?;
        observer.secrets(&expansion.desired.secrets);
        let roles = Arc::new(access_roles(&config, &organization)?);
        let settings = settings(selection, &config, &organization, &expansion, &roles);
        let same =
            |earlier: &&Self| earlier.config.digest() == config.digest() && earlier.roles == roles;
        let accounts = match earlier.filter(same) {
            Some(earlier) => earlier.accounts.clone(),
            None => aws.accounts(access(&config, Arc::clone(&roles))),
        };
        let scope = plan::Scope {
            accounts: selection.accounts.clone(),
            roles: selection.roles.clone(),
            prune: settings.extras == Extras::Remove,
        };
        Ok(Self {
            config,
            organization,
            narrow,
            expansion,
            accounts,
            settings,
            scope,
            aws,
            roles,
        })
    }

    /// The accounts to read: the targeted ones, and with prune or where all roles are looked at every active one in
    /// scope.
    pub fn to_read(&self) -> Vec<Account> {
        self.organization
            .accounts
            .values()
            .filter(|account| self.is_read(account))
            .cloned()
            .collect()
    }

    /// Whether an account is read in any case.
    pub fn is_read(&self, account: &Account) -> bool {
        let targeted = self.expansion.desired.accounts.contains_key(&account.id);
        let all =
            self.settings.extras == Extras::Remove || self.settings.unmanaged == Unmanaged::Listed;
        account.status.is_active() && (targeted || all && self.may_read(account))
    }

    /// The desired roles of an account that should exist and are in scope.
    pub fn roles_in(&self, account: AccountId) -> impl Iterator<Item = &Arc<Role>> {
        let desired = self.expansion.desired.accounts.get(&account);
        desired
            .into_iter()
            .flat_map(|desired| desired.roles.values())
            .filter(|role| {
                role.ensure == Ensure::Present && self.narrow.has_role(role.name.as_str())
            })
    }

    /// Whether an account is active and in scope.
    pub fn may_read(&self, account: &Account) -> bool {
        account.status.is_active() && self.narrow.has_account(account, &self.organization)
    }
}

/// Walks the organization, and reads the tags of those accounts whose tags decide something.
async fn walk(
    aws: &Aws,
    config: &Config,
    narrow: &NarrowScope,
    observer: &dyn Observer,
) -> Result<Organization, Error> {
    let phase = observer.phase("Reading the organization", None);
    let walking = aws.organization(|_| phase.tick());
    let walked = wait("Organizations to list the accounts", observer, walking).await;
    phase.finish();
    let mut organization = walked?;
    let candidates = config.tag_candidates(&organization, narrow);
    let tags = aws.account_tags(&candidates).await?;
    for (id, tags) in tags {
        if let Some(account) = organization.accounts.get_mut(&id) {
            account.tags = Some(tags);
        }
    }
    Ok(organization)
}

/// The role that each account is entered by.
fn access_roles(
    config: &Config,
    organization: &Organization,
) -> Result<BTreeMap<AccountId, String>, Error> {
    let roles = organization.accounts.values().map(|account| {
        let role = config
            .access()
            .role_for(account, organization)
            .map_err(|problem| Problems::from(*problem))?;
        Ok((account.id, role))
    });
    roles.collect()
}

fn access(config: &Config, roles: Arc<BTreeMap<AccountId, String>>) -> Access {
    let written = config.access();
    let default = written.default_role.clone();
    Access {
        role_for: Box::new(move |account| roles.get(&account.id).unwrap_or(&default).clone()),
        session_name: written.session_name.clone(),
        external_id: written.external_id.clone(),
    }
}

fn settings(
    selection: &Selection,
    config: &Config,
    organization: &Organization,
    expansion: &Expansion,
    roles: &BTreeMap<AccountId, String>,
) -> Settings {
    Settings {
        name: config.name().to_owned(),
        partition: organization.partition.clone(),
        management_account: organization.management_account,
        extras: if selection.prune || config.rollout().prune {
            Extras::Remove
        } else {
            Extras::Keep
        },
        allow: selection.allow.iter().cloned().collect(),
        limits: config.limits(),
        protected: protected(&organization.caller, roles),
        roles: selection.roles.clone(),
        lints: lints(config, Some(organization)),
        secrets: expansion.desired.secrets.clone(),
        intent: Intent::Converge,
        unmanaged: Unmanaged::Left,
        accepts: accepts(config),
        begun: BTreeSet::new(),
        today: today(),
    }
}

/// The differences that are accepted today.
fn accepts(config: &Config) -> Vec<Acceptance> {
    let today = today();
    let in_force = config
        .accepts()
        .iter()
        .filter(|accept| today <= accept.until);
    in_force
        .map(|accept| Acceptance {
            address: accept.address.clone(),
            attribute: accept.attribute.clone(),
            reason: accept.reason.clone(),
            until: accept.until,
            origin: accept.origin.clone(),
        })
        .collect()
}

fn today() -> jiff::civil::Date {
    let now = jiff::Timestamp::now();
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// How much lints weigh, and who belongs to the organization where it is known.
pub fn lints(config: &Config, organization: Option<&Organization>) -> lint::Settings {
    let members = organization.map(|organization| organization.accounts.keys().copied().collect());
    lint::Settings::new(
        &config.lints().severities,
        &config.lints().known_accounts,
        members,
    )
}

/// The roles that the run itself goes through: none of them may be changed by it.
fn protected(
    caller: &Caller,
    roles: &BTreeMap<AccountId, String>,
) -> BTreeSet<(AccountId, RoleKey)> {
    let name = |role: &str| role.rsplit('/').next().unwrap_or(role).to_ascii_lowercase();
    let mut protected: BTreeSet<(AccountId, RoleKey)> = roles
        .iter()
        .filter(|(account, _)| **account != caller.account)
        .map(|(account, role)| (*account, name(role)))
        .collect();
    // arn:aws:sts::111111111111:assumed-role/NAME/SESSION
    if let Some((_, session)) = caller.arn.split_once(":assumed-role/")
        && let Some((role, _)) = session.split_once('/')
    {
        protected.insert((caller.account, name(role)));
    }
    protected
}
