//! What plan, apply and accounts have in common: the desired state, the organization, and a way into its accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::{Console, Stop};
use crate::aws::{self, Access, Accounts, Aws};
use crate::cli::{DesiredArgs, ScopeArgs};
use crate::config::{self, Config, Expansion, Inputs, NarrowScope, Problems};
use crate::files::Disk;
use crate::lint;
use crate::org::{Account, AccountId, Caller, Organization};
use crate::plan::{self, Acceptance, Extras, Intent, RoleKey, Settings, Unmanaged};

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
pub fn load(args: &DesiredArgs) -> Result<Config, Stop> {
    let env = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| key.starts_with("ROLECALL_VAR_"))
        .collect();
    let inputs = Inputs {
        files: Arc::new(Disk),
        path: args.config.clone(),
        vars: args.var.clone(),
        var_files: var_files(args),
        env,
    };
    Ok(config::load(&inputs)?)
}

/// The files of variables: those of the environment, so that a pipeline names them once, and then those of the command.
pub fn var_files(args: &DesiredArgs) -> Vec<PathBuf> {
    let listed = std::env::var_os("ROLECALL_VAR_FILE").unwrap_or_default();
    std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .chain(args.var_file.iter().cloned())
        .collect()
}

impl Survey {
    /// Loads the desired state, walks the organization and expands the one over the other.
    pub async fn new(
        args: &ScopeArgs,
        aws: aws::Settings,
        console: &Console,
    ) -> Result<Self, Stop> {
        let config = load(&args.desired)?;
        console.warnings(config.warnings());
        let aws = console
            .wait("STS to identify the caller", Box::pin(Aws::connect(aws)))
            .await?;
        // On the heap: the futures of all commands hold this one.
        let survey = Box::pin(Self::over(args, config, aws, None, console)).await?;
        let said = survey.config.warnings();
        let news = survey
            .expansion
            .warnings
            .iter()
            .filter(|warning| !said.contains(warning));
        console.warnings(&news.cloned().collect::<Vec<_>>());
        Ok(survey)
    }

    /// The same once more, as things are now. The caller's credentials are kept, and the sessions of the accounts unless
    /// they are entered otherwise.
    pub async fn again(&self, args: &ScopeArgs, console: &Console) -> Result<Self, Stop> {
        Box::pin(Self::over(
            args,
            load(&args.desired)?,
            self.aws.clone(),
            Some(self),
            console,
        ))
        .await
    }

    /// The same over what is loaded and connected already; `earlier` is the survey to take sessions from.
    pub async fn over(
        args: &ScopeArgs,
        config: Config,
        aws: Aws,
        earlier: Option<&Self>,
        console: &Console,
    ) -> Result<Self, Stop> {
        console.conceal(config.secrets());
        let narrow = NarrowScope::parse(&args.account, &args.role);
        let organization = walk(&aws, &config, &narrow, console).await?;
        let expansion = config.expand(&organization, &narrow)?;
        console.conceal(&expansion.desired.secrets);
        let roles = Arc::new(access_roles(&config, &organization)?);
        let settings = settings(args, &config, &organization, &expansion, &roles);
        let same =
            |earlier: &&Self| earlier.config.digest() == config.digest() && earlier.roles == roles;
        let accounts = match earlier.filter(same) {
            Some(earlier) => earlier.accounts.clone(),
            None => aws.accounts(access(&config, Arc::clone(&roles))),
        };
        let scope = plan::Scope {
            accounts: args.account.clone(),
            roles: args.role.clone(),
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
    console: &Console,
) -> Result<Organization, Stop> {
    let progress = console.progress();
    progress.phase("Reading the organization", None);
    let walked = console
        .wait(
            "Organizations to list the accounts",
            aws.organization(|_| progress.tick()),
        )
        .await;
    progress.finish();
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
) -> Result<BTreeMap<AccountId, String>, Stop> {
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
    args: &ScopeArgs,
    config: &Config,
    organization: &Organization,
    expansion: &Expansion,
    roles: &BTreeMap<AccountId, String>,
) -> Settings {
    Settings {
        name: config.name().to_owned(),
        partition: organization.partition.clone(),
        management_account: organization.management_account,
        extras: if args.prune || config.rollout().prune {
            Extras::Remove
        } else {
            Extras::Keep
        },
        allow: args.allow.iter().cloned().collect(),
        limits: config.limits(),
        protected: protected(&organization.caller, roles),
        roles: args.role.clone(),
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
