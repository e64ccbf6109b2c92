//! How a world starts: from an organization file, the demo's organization, or any number of accounts.
//!
//! A member account is born as Organizations creates one: with `OrganizationAccountAccessRole`, which trusts the
//! management account and may do everything. The management account has no such role; it has a user `admin`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::clock::Clock;
use super::cloudtrail::Trail;
use super::iam;
use super::ids::Ids;
use super::managed::{self, Managed};
use super::world::{
    AccountState, IamState, Lagged, OrganizationState, Permissions, RoleState, UnitState,
    UserState, World,
};
use rolecall_core::org::{AccountId, OuPath, Partition};

/// The role that Organizations makes in every account it creates.
pub const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";

/// The name of the management account's user, who may do everything.
pub const ADMIN_USER: &str = "admin";

/// An organization as its file describes it (`sandbox serve --org FILE`), in TOML.
///
/// ```toml
/// id = "o-exampleorgid"
/// ous = ["Workloads/Prod", "Security"]      # paths from the root; parents need no entry of their own
///
/// [management]
/// id = "111111111111"
/// name = "management"
///
/// [[account]]
/// name = "log-archive"
/// ou = "Security"                           # the root where it is left out
/// tags = { env = "prod" }
/// quotas = { AttachedPoliciesPerRoleQuota = 15 }   # as GetAccountSummary calls them
///
/// [[managed_policy]]                        # one more that AWS manages
/// name = "AmazonExampleServiceRolePolicy"
/// path = "/aws-service-role/"
/// document = { Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "s3:Get*", Resource = "*" }] }
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgSpec {
    /// `o-…`
    pub id: String,
    /// The partition; `aws` where it is left out.
    #[serde(default)]
    pub partition: Partition,
    /// Paths of organizational units from the root; parents come by themselves.
    #[serde(default)]
    pub ous: Vec<String>,
    /// The management account.
    pub management: AccountSpec,
    /// The member accounts.
    #[serde(default, rename = "account")]
    pub accounts: Vec<AccountSpec>,
    /// Policies that AWS manages beside those that every world has.
    #[serde(default, rename = "managed_policy")]
    pub managed_policies: Vec<ManagedSpec>,
    /// Where ids come from: the same seed and file give the same world.
    #[serde(default)]
    pub seed: u32,
}

/// One account of an organization file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    /// Its id; made up where it is left out.
    pub id: Option<AccountId>,
    /// Its name.
    pub name: String,
    /// The e-mail address of its root user; made up from its id where it is left out.
    pub email: Option<String>,
    /// The path of its unit; the root where it is left out.
    #[serde(default)]
    pub ou: String,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Its state; `ACTIVE` where it is left out.
    pub status: Option<String>,
    /// Quotas that differ from the documented defaults, by the name `GetAccountSummary` gives them.
    #[serde(default)]
    pub quotas: BTreeMap<String, usize>,
}

/// One AWS managed policy of an organization file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedSpec {
    /// Its name.
    pub name: String,
    /// Its path; `/` where it is left out.
    #[serde(default = "root_path")]
    pub path: String,
    /// Its document: a table, or JSON text.
    pub document: serde_json::Value,
}

fn root_path() -> String {
    "/".to_owned()
}

impl ManagedSpec {
    fn policy(&self) -> Managed {
        let text = self.document.as_str();
        Managed {
            name: self.name.clone().into(),
            path: self.path.clone().into(),
            document: text
                .map_or_else(|| self.document.to_string(), str::to_owned)
                .into(),
        }
    }
}

/// An organization that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidOrganization(String);

/// The states of an account, as `Account.State` of the Organizations API has them.
const STATES: [&str; 5] = [
    "PENDING_ACTIVATION",
    "ACTIVE",
    "SUSPENDED",
    "PENDING_CLOSURE",
    "CLOSED",
];

impl OrgSpec {
    /// Reads an organization file.
    pub fn parse(text: &str) -> Result<Self, InvalidOrganization> {
        toml::from_str(text).map_err(|error| InvalidOrganization(error.to_string()))
    }

    /// The organization of the demo: twelve accounts in six units, one of them suspended.
    pub fn demo() -> Self {
        let account = |id: &str, name: &str, ou: &str, env: &str, team: &str| AccountSpec {
            id: AccountId::parse(id).ok(),
            name: name.to_owned(),
            ou: ou.to_owned(),
            tags: [("env", env), ("team", team)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            ..AccountSpec::default()
        };
        let mut accounts = vec![
            account(
                "222222222221",
                "log-archive",
                "Security",
                "prod",
                "security",
            ),
            account(
                "222222222222",
                "security-tooling",
                "Security",
                "prod",
                "security",
            ),
            account(
                "333333333331",
                "network",
                "Infrastructure",
                "prod",
                "platform",
            ),
            account(
                "333333333332",
                "shared-services",
                "Infrastructure",
                "prod",
                "platform",
            ),
            account(
                "444444444441",
                "payments-prod",
                "Workloads/Prod",
                "prod",
                "payments",
            ),
            account("444444444442", "web-prod", "Workloads/Prod", "prod", "web"),
            account(
                "444444444443",
                "data-prod",
                "Workloads/Prod",
                "prod",
                "data",
            ),
            account(
                "555555555551",
                "payments-dev",
                "Workloads/Dev",
                "dev",
                "payments",
            ),
            account("555555555552", "web-dev", "Workloads/Dev", "dev", "web"),
            account(
                "666666666661",
                "sandbox-ann",
                "Sandbox",
                "sandbox",
                "platform",
            ),
            account(
                "666666666662",
                "sandbox-old",
                "Sandbox",
                "sandbox",
                "platform",
            ),
        ];
        for gone in accounts
            .iter_mut()
            .filter(|account| account.name == "sandbox-old")
        {
            gone.status = Some("SUSPENDED".to_owned());
        }
        Self {
            id: "o-rolecalldemo".to_owned(),
            partition: Partition::default(),
            ous: [
                "Security",
                "Infrastructure",
                "Workloads/Prod",
                "Workloads/Dev",
                "Sandbox",
            ]
            .map(str::to_owned)
            .into(),
            management: account("111111111111", "management", "", "prod", "platform"),
            accounts,
            managed_policies: Vec::new(),
            seed: 1,
        }
    }

    /// An organization of `accounts` accounts, the management account included, spread over `ous` units.
    ///
    /// Every third unit is nested in the one before it; accounts have a tag `env` of `prod`, `dev` or `sandbox`.
    pub fn generated(accounts: u32, ous: u32, seed: u32) -> Self {
        let mut paths: Vec<String> = Vec::new();
        for n in 0..ous {
            let parent = paths
                .last()
                .filter(|_| n % 3 == 2)
                .map(|parent| format!("{parent}/"))
                .unwrap_or_default();
            paths.push(format!("{parent}Unit{n:03}"));
        }
        let member = |n: u32| AccountSpec {
            id: AccountId::parse(&format!("{:012}", 200_000_000_000_u64 + u64::from(n))).ok(),
            name: format!("account-{n:05}"),
            ou: paths
                .get(n as usize % paths.len().max(1))
                .cloned()
                .unwrap_or_default(),
            tags: BTreeMap::from([("env".to_owned(), environment(n).to_owned())]),
            ..AccountSpec::default()
        };
        Self {
            id: "o-generatedorg".to_owned(),
            partition: Partition::default(),
            management: AccountSpec {
                id: AccountId::parse("100000000000").ok(),
                name: "management".to_owned(),
                ..AccountSpec::default()
            },
            accounts: (1..accounts).map(member).collect(),
            managed_policies: Vec::new(),
            ous: paths,
            seed,
        }
    }
}

fn environment(n: u32) -> &'static str {
    match n % 3 {
        0 => "prod",
        1 => "dev",
        _ => "sandbox",
    }
}

impl World {
    /// The world of an organization file.
    ///
    /// # Errors
    /// The first thing in `spec` that Organizations would not allow.
    pub fn new(spec: &OrgSpec) -> Result<Self, InvalidOrganization> {
        check(spec)?;
        Ok(Self::build(spec))
    }

    /// The world of the demo.
    pub fn demo() -> Self {
        Self::build(&OrgSpec::demo())
    }

    /// A world of `accounts` accounts in `ous` units; see [`OrgSpec::generated`].
    pub fn generated(accounts: u32, ous: u32, seed: u32) -> Self {
        Self::build(&OrgSpec::generated(accounts, ous, seed))
    }

    fn build(spec: &OrgSpec) -> Self {
        // Seeds lie far apart, so that the ids of two worlds do not meet.
        let mut ids = Ids(u64::from(spec.seed) << 32);
        let suffix = ids.lower(4);
        let root = format!("r-{suffix}");
        let mut units = BTreeMap::new();
        let mut by_path = BTreeMap::from([(String::new(), root.clone())]);
        for path in &spec.ous {
            add_units(path, &suffix, &mut ids, &mut units, &mut by_path);
        }
        let management_account = spec.management.id.unwrap_or_else(|| ids.account());
        let organization = OrganizationState {
            id: spec.id.clone(),
            management_account,
            root: root.clone(),
            units,
            delegated_administrators: BTreeSet::new(),
            page_size: 20,
            root_tags: BTreeMap::new(),
            requests: BTreeMap::new(),
        };
        let mut world = Self {
            partition: spec.partition.clone(),
            organization,
            accounts: BTreeMap::new(),
            managed: managed::ALL
                .iter()
                .cloned()
                .chain(spec.managed_policies.iter().map(ManagedSpec::policy))
                .collect(),
            keys: BTreeMap::new(),
            // Everything that a world begins with is there from the first moment.
            clock: Clock::Manual(Duration::ZERO),
            lag: Duration::ZERO,
            youth: Duration::ZERO,
            sts_lag: Duration::ZERO,
            permissions: Permissions::Ignored,
            ids,
            trail: Trail::default(),
        };
        let placed = |account: &AccountSpec| by_path.get(&account.ou).unwrap_or(&root).clone();
        let management = AccountState::of(
            &spec.management,
            management_account,
            placed(&spec.management),
        );
        world.accounts.insert(management_account, management);
        world.add_admin();
        for account in &spec.accounts {
            let id = account.id.unwrap_or_else(|| world.unused_account_id());
            world
                .accounts
                .insert(id, AccountState::of(account, id, placed(account)));
            world.add_access_role(id, ACCESS_ROLE);
        }
        world.clock = Clock::Wall(tokio::time::Instant::now());
        world
    }

    /// An account id that no account has.
    pub fn unused_account_id(&mut self) -> AccountId {
        loop {
            let id = self.ids.account();
            if !self.accounts.contains_key(&id) {
                return id;
            }
        }
    }

    /// Makes the role through which the management account enters `account`; the rest of it is Organizations' doing.
    pub fn add_access_role(&mut self, account: AccountId, name: &str) {
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"sts:AssumeRole"}}]}}"#,
            self.root_arn(self.organization.management_account)
        );
        let role = RoleState {
            name: name.to_owned(),
            id: self.ids.unique("AROA"),
            path: "/".to_owned(),
            description: None,
            max_session_duration: 3600,
            trust,
            inline: BTreeMap::new(),
            attached: vec![self.administrator_access()],
            boundary: None,
            tags: BTreeMap::new(),
            created: self.clock.now(),
        };
        let (now, lag) = (role.created, self.lag);
        if let Some(account) = self.accounts.get_mut(&account) {
            let mut state = Lagged::default();
            state.set(now, lag, Some(Arc::new(role)));
            account.iam.roles.insert(name.to_lowercase(), state);
        }
    }

    fn add_admin(&mut self) {
        let user = UserState {
            name: ADMIN_USER.to_owned(),
            id: self.ids.unique("AIDA"),
            path: "/".to_owned(),
            attached: vec![self.administrator_access()],
            ..UserState::default()
        };
        if let Some(account) = self.accounts.get_mut(&self.organization.management_account) {
            account.iam.users.insert(ADMIN_USER.to_owned(), user);
        }
    }

    fn administrator_access(&self) -> String {
        format!("arn:{}:iam::aws:policy/AdministratorAccess", self.partition)
    }
}

impl AccountState {
    /// The account that `spec` describes, its IAM still empty.
    fn of(spec: &AccountSpec, id: AccountId, parent: String) -> Self {
        Self {
            name: spec.name.clone(),
            email: spec
                .email
                .clone()
                .unwrap_or_else(|| format!("aws+{id}@example.com")),
            status: spec.status.clone().unwrap_or_else(|| "ACTIVE".to_owned()),
            parent,
            tags: spec.tags.clone(),
            iam: IamState {
                quotas: spec.quotas.clone(),
                ..IamState::default()
            },
        }
    }
}

/// Adds the unit at `path` and its parents.
fn add_units(
    path: &str,
    suffix: &str,
    ids: &mut Ids,
    units: &mut BTreeMap<String, UnitState>,
    by_path: &mut BTreeMap<String, String>,
) {
    let mut at = OuPath::default();
    for name in path.split('/') {
        let parent = by_path.get(&at.0).cloned().unwrap_or_default();
        at = at.child(name);
        if !by_path.contains_key(&at.0) {
            let id = format!("ou-{suffix}-{}", ids.lower(8));
            units.insert(
                id.clone(),
                UnitState {
                    name: name.to_owned(),
                    parent,
                    tags: BTreeMap::new(),
                },
            );
            by_path.insert(at.0.clone(), id);
        }
    }
}

fn check(spec: &OrgSpec) -> Result<(), InvalidOrganization> {
    let refuse = |what: String| Err(InvalidOrganization(what));
    let id = spec.id.strip_prefix("o-").unwrap_or_default();
    if !(10..=32).contains(&id.len())
        || !id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    {
        return refuse(format!(
            "`{}` is not an organization id: it must be `o-` and 10 to 32 of a-z and 0-9",
            spec.id
        ));
    }
    for policy in &spec.managed_policies {
        check_managed(policy)?;
    }
    let mut paths = BTreeSet::from([String::new()]);
    for path in &spec.ous {
        if path
            .split('/')
            .any(|name| name.is_empty() || name.chars().count() > 128)
        {
            return refuse(format!(
                "`{path}` is not a path of organizational units: it must be names joined by `/`"
            ));
        }
        if path.split('/').count() > 5 {
            return refuse(format!(
                "ou `{path}` is deeper than the five levels that Organizations allows"
            ));
        }
        let mut at = OuPath::default();
        for name in path.split('/') {
            at = at.child(name);
            paths.insert(at.0.clone());
        }
    }
    if spec
        .management
        .status
        .as_deref()
        .is_some_and(|status| status != "ACTIVE")
    {
        return refuse("the management account must be ACTIVE".to_owned());
    }
    let (mut ids, mut emails) = (BTreeSet::new(), BTreeSet::new());
    for account in std::iter::once(&spec.management).chain(&spec.accounts) {
        check_account(account, &paths)?;
        if let Some(id) = account.id.filter(|id| !ids.insert(*id)) {
            return refuse(format!("two accounts have the id `{id}`"));
        }
        if let Some(email) = account
            .email
            .as_ref()
            .filter(|email| !emails.insert(email.to_lowercase()))
        {
            return refuse(format!("two accounts have the e-mail address `{email}`"));
        }
    }
    Ok(())
}

fn check_managed(policy: &ManagedSpec) -> Result<(), InvalidOrganization> {
    let refuse = |why: &str| {
        Err(InvalidOrganization(format!(
            "managed policy `{}`: {why}",
            policy.name
        )))
    };
    let Managed {
        name,
        path,
        document,
    } = policy.policy();
    let known = managed::ALL
        .iter()
        .any(|known| known.name == name && known.path == path);
    match serde_json::from_str(&document) {
        _ if name.is_empty() => refuse("it needs a name"),
        _ if !path.starts_with('/') || !path.ends_with('/') => {
            refuse("its path must begin and end with `/`")
        }
        _ if known => refuse("every sandbox has it"),
        Ok(serde_json::Value::Object(_)) => Ok(()),
        _ => refuse("its document must be a table, or the text of a JSON object"),
    }
}

fn check_account(
    account: &AccountSpec,
    paths: &BTreeSet<String>,
) -> Result<(), InvalidOrganization> {
    let AccountSpec {
        id: _,
        name,
        email: _,
        ou,
        tags: _,
        status,
        quotas,
    } = account;
    if let Some(unknown) = quotas.keys().find(|name| !iam::is_quota(name)) {
        return Err(InvalidOrganization(format!(
            "account `{name}`: `{unknown}` is not a quota that `GetAccountSummary` tells"
        )));
    }
    if name.is_empty() || name.chars().count() > 50 {
        return Err(InvalidOrganization(format!(
            "`{name}` is not an account name: it must be 1 to 50 characters"
        )));
    }
    if !paths.contains(ou) {
        return Err(InvalidOrganization(format!(
            "account `{name}`: there is no `{ou}` in `ous`"
        )));
    }
    match status {
        Some(status) if !STATES.contains(&status.as_str()) => Err(InvalidOrganization(format!(
            "account `{name}`: `{status}` is not one of {}",
            STATES.join(", ")
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_has_twelve_accounts_in_six_units_and_one_is_suspended() {
        assert_eq!(check(&OrgSpec::demo()), Ok(()));
        let world = World::demo();
        assert_eq!(
            (world.accounts.len(), world.organization.units.len()),
            (12, 6)
        );
        assert_eq!(
            world
                .accounts
                .values()
                .filter(|account| account.status == "SUSPENDED")
                .count(),
            1
        );
        assert!(
            world
                .accounts
                .values()
                .any(|account| account.name == "log-archive")
        );
    }

    #[test]
    fn a_generated_world_has_the_size_asked_for_and_repeats_for_its_seed() {
        for (accounts, ous) in [(1, 0), (2, 1), (500, 17)] {
            assert_eq!(check(&OrgSpec::generated(accounts, ous, 7)), Ok(()));
            let world = World::generated(accounts, ous, 7);
            assert_eq!(
                (world.accounts.len(), world.organization.units.len()),
                (accounts as usize, ous as usize)
            );
        }
        let ids = |seed| {
            World::generated(20, 4, seed)
                .organization
                .units
                .into_keys()
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
    }

    #[test]
    fn member_accounts_are_born_with_the_access_role_and_the_management_account_is_not() {
        let world = World::demo();
        for (id, account) in &world.accounts {
            let member = *id != world.organization.management_account;
            assert_eq!(
                account
                    .iam
                    .roles
                    .contains_key("organizationaccountaccessrole"),
                member,
                "{id}"
            );
        }
    }

    #[test]
    fn an_organization_file_is_read_whole() {
        let text = r#"
            id = "o-exampleorgid"
            ous = ["Workloads/Prod", "Security"]
            [management]
            id = "111111111111"
            name = "management"
            [[account]]
            name = "log-archive"
            ou = "Security"
            tags = { env = "prod" }
            [[account]]
            id = "006742885340"
            name = "web"
            email = "web@example.com"
            ou = "Workloads"
            status = "PENDING_CLOSURE"
            quotas = { AttachedPoliciesPerRoleQuota = 15 }
            [[managed_policy]]
            name = "AmazonExampleRolePolicy"
            path = "/aws-service-role/"
            document = { Version = "2012-10-17", Statement = [] }
        "#;
        let world = World::new(&OrgSpec::parse(text).unwrap()).unwrap();
        let arn = "arn:aws:iam::aws:policy/aws-service-role/AmazonExampleRolePolicy";
        let policy = world.aws_managed(arn).unwrap();
        assert_eq!(
            policy.document,
            r#"{"Statement":[],"Version":"2012-10-17"}"#
        );
        assert_eq!(world.organization.units.len(), 3);
        let web = world
            .accounts
            .get(&AccountId::parse("006742885340").unwrap())
            .unwrap();
        assert_eq!(
            (web.email.as_str(), web.status.as_str()),
            ("web@example.com", "PENDING_CLOSURE")
        );
        assert_eq!(web.iam.quotas["AttachedPoliciesPerRoleQuota"], 15);
        let unit = world.organization.units.get(&web.parent).unwrap();
        assert_eq!(
            (unit.name.as_str(), &unit.parent),
            ("Workloads", &world.organization.root)
        );
    }

    #[test]
    fn what_organizations_would_not_allow_is_refused() {
        let file = |head: &str, accounts: &str| {
            format!("{head}\n[management]\nid = '111111111111'\nname = 'm'\n{accounts}")
        };
        let id = "id = 'o-exampleorgid'";
        for (text, says) in [
            (file("id = 'o-short'", ""), "is not an organization id"),
            (
                file(id, "[[account]]\nname = 'a'\nou = 'Nope'"),
                "there is no `Nope`",
            ),
            (
                file(id, "[[account]]\nname = 'a'\nid = '111111111111'"),
                "two accounts have the id",
            ),
            (file(id, "[[account]]\nname = 'a'\nid = '11'"), "12 digits"),
            (
                file(id, "[[account]]\nname = 'a'\nquotas = { RoleQuota = 1 }"),
                "`RoleQuota` is not a quota",
            ),
            (
                file(id, "[[managed_policy]]\nname = 'P'\ndocument = '[]'"),
                "text of a JSON object",
            ),
            (
                file(
                    id,
                    "[[managed_policy]]\nname = 'P'\npath = 'x'\ndocument = '{}'",
                ),
                "begin and end with `/`",
            ),
            (
                file(
                    id,
                    "[[managed_policy]]\nname = 'SecurityAudit'\ndocument = '{}'",
                ),
                "every sandbox has it",
            ),
            (file(id, "[[account]]\nname = ''"), "is not an account name"),
            (
                file(id, "[[account]]\nname = 'a'\nstatus = 'GONE'"),
                "is not one of",
            ),
            (
                file(id, "[[account]]\nname = 'a'\nstatsu = 'ACTIVE'"),
                "unknown field",
            ),
            (
                file(&format!("{id}\nous = ['a//b']"), ""),
                "names joined by",
            ),
            (
                file(&format!("{id}\nous = ['a/b/c/d/e/f']"), ""),
                "five levels",
            ),
            (
                file(
                    id,
                    "[[account]]\nname = 'a'\nemail = 'x@y.z'\n[[account]]\nname = 'b'\nemail = 'X@y.z'",
                ),
                "two accounts have the e-mail",
            ),
        ] {
            let error = OrgSpec::parse(&text)
                .and_then(|spec| World::new(&spec))
                .unwrap_err();
            assert!(error.to_string().contains(says), "{says}: {error}");
        }
    }
}
