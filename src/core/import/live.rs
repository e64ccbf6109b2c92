//! What live IAM holds becomes what was [observed](super::observed): which roles and policies are imported, which are left
//! out and why.
//!
//! A stack's roles are recognized by the tag `aws:cloudformation:stack-name`. CloudFormation does not put its own tags on every
//! role that it makes, so a role without one may be a stack's all the same. Source: the issues 277, 1066 and 1966 of
//! aws-cloudformation/cloudformation-coverage-roadmap.

use std::collections::{BTreeMap, BTreeSet};

pub mod fold;
#[cfg(test)]
mod tests;

use super::observed::{Observed, ObservedAccount, ObservedPolicy, ObservedRole};
use super::report::{Class, Entry, Source};
use crate::diff::is_system_tag;
use crate::live::{AccountLive, LiveAccount};
use crate::org::{AccountId, Organization, glob};
use crate::plan::RoleKey;
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::PolicyArn;
use crate::resource::policy::{Effect, PolicyDocument};
use crate::resource::protected::known_owner;
use crate::resource::role::LiveRole;
use crate::resource::{OWNER_TAG, Tags};

/// The tag by which CloudFormation says which stack something belongs to.
const STACK: &str = "aws:cloudformation:stack-name";

/// The tag by which it says what that is called in the template.
const LOGICAL_ID: &str = "aws:cloudformation:logical-id";

/// What is imported of all that was read.
#[derive(Debug, Clone)]
pub struct Options {
    /// Globs over role names; where there are any, no other role is imported.
    pub roles: Vec<String>,
    /// Whether roles of one account that only services assume are imported.
    pub services: Services,
    /// What becomes of the roles of stacks.
    pub stacks: Stacks,
    /// Which customer managed policies are imported.
    pub policies: Policies,
    /// The name of the directory that is written. What it manages already is imported again.
    pub name: String,
    /// The roles that the import itself goes through.
    pub protected: BTreeSet<(AccountId, RoleKey)>,
}

/// Whether roles of one account that only services assume are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Services {
    /// They are.
    Include,
    /// They are left out.
    Leave,
}

/// What becomes of the roles of CloudFormation stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stacks {
    /// They are left out.
    Leave,
    /// They are imported as external: compared, and never written.
    External,
    /// They are imported and taken over.
    Adopt,
}

/// Which customer managed policies are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policies {
    /// Those that an imported role has attached, or as its boundary.
    Attached,
    /// All.
    All,
}

/// The roles that are imported, and what is said of the others.
#[derive(Debug, Default)]
pub struct Selection {
    roles: BTreeMap<AccountId, BTreeSet<RoleKey>>,
    policies: BTreeMap<AccountId, BTreeSet<String>>,
    entries: Vec<Entry>,
}

/// Why a role is left out.
struct Left {
    code: &'static str,
    why: String,
    hint: Option<&'static str>,
}

impl Left {
    fn filtered(why: impl Into<String>, hint: Option<&'static str>) -> Self {
        Self {
            code: "filtered",
            why: why.into(),
            hint,
        }
    }
}

/// Chooses among the roles and policies of the accounts that were read.
pub fn select(
    organization: &Organization,
    accounts: &BTreeMap<AccountId, AccountLive>,
    options: &Options,
) -> Selection {
    let mut selection = Selection::default();
    let spread = spread(accounts);
    for (id, live) in accounts {
        match live {
            AccountLive::Unreadable(error) => {
                let name = organization
                    .accounts
                    .get(id)
                    .map(|account| account.name.as_str());
                let what = format!("account {id} ({})", name.unwrap_or("?"));
                selection.entries.push(
                    Entry::new(
                        Class::Lost,
                        "unreadable",
                        Source::Address(id.to_string()),
                        what,
                        format!("it could not be read: {error}"),
                    )
                    .hint("nothing is known of it, so no target names it; import again once it can be read"),
                );
            }
            AccountLive::Read(live) => {
                for (key, role) in &live.roles {
                    match left(*id, role, options, &spread) {
                        None => _ = selection.roles.entry(*id).or_default().insert(key.clone()),
                        Some(left) => selection.entries.push(entry(*id, role, left)),
                    }
                }
                selection.choose_policies(*id, live, options.policies);
            }
        }
    }
    selection
}

/// In how many accounts there is a role of a name.
fn spread(accounts: &BTreeMap<AccountId, AccountLive>) -> BTreeMap<&str, usize> {
    let mut spread = BTreeMap::new();
    for live in accounts.values() {
        if let AccountLive::Read(live) = live {
            for key in live.roles.keys() {
                *spread.entry(key.as_str()).or_default() += 1;
            }
        }
    }
    spread
}

fn left(
    account: AccountId,
    role: &LiveRole,
    options: &Options,
    spread: &BTreeMap<&str, usize>,
) -> Option<Left> {
    let key = role.name.key();
    let protected = |why: &str| Left {
        code: "protected",
        why: format!("{why}; a plan never writes it"),
        hint: None,
    };
    if options.protected.contains(&(account, key.clone())) {
        return Some(protected("the import itself goes through it"));
    }
    if let Some(why) = known_owner(role.name.as_str(), role.path.as_str()) {
        return Some(protected(why));
    }
    let owner = role
        .tags
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(OWNER_TAG));
    if let Some((_, owner)) = owner.filter(|(_, owner)| **owner != options.name) {
        return Some(Left::filtered(
            format!("the directory `{owner}` manages it"),
            None,
        ));
    }
    let name = role.name.as_str();
    if !options.roles.is_empty() && !options.roles.iter().any(|pattern| glob(pattern, name)) {
        return Some(Left::filtered("no --role selects it", None));
    }
    if let (Some(stack), Stacks::Leave) = (role.tags.get(STACK), options.stacks) {
        return Some(Left::filtered(
            format!("the CloudFormation stack `{stack}` made it"),
            Some(
                "--stacks external imports such roles to compare them, --stacks adopt to take them over",
            ),
        ));
    }
    let alone = spread.get(key.as_str()).is_none_or(|count| *count < 2);
    let leaves = options.services == Services::Leave && options.roles.is_empty();
    (leaves && alone && trusts_services_alone(&role.trust)).then(|| {
        Left::filtered(
            "only services assume it, and one account alone has it",
            Some("--include services imports such roles"),
        )
    })
}

fn trusts_services_alone(trust: &PolicyDocument) -> bool {
    let mut allows = trust
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
        .peekable();
    allows.peek().is_some()
        && allows.all(|statement| {
            statement.principals.as_ref().is_some_and(|principals| {
                !principals.negated && principals.kinds.keys().all(|kind| kind == "Service")
            })
        })
}

fn source(account: AccountId, kind: &str, name: impl std::fmt::Display) -> Source {
    Source::Address(format!("{account}/{kind}/{name}"))
}

fn entry(account: AccountId, role: &LiveRole, left: Left) -> Entry {
    let entry = Entry::new(
        Class::Left,
        left.code,
        source(account, "role", &role.name),
        format!("role `{}`", role.name),
        left.why,
    );
    match left.hint {
        Some(hint) => entry.hint(hint),
        None => entry,
    }
}

impl Selection {
    fn choose_policies(&mut self, account: AccountId, live: &LiveAccount, which: Policies) {
        let roles = self.roles.get(&account).into_iter().flatten();
        let named: BTreeSet<&PolicyArn> = roles
            .filter_map(|key| live.roles.get(key))
            .flat_map(|role| {
                role.managed_policies
                    .iter()
                    .chain(&role.permissions_boundary)
            })
            .collect();
        let chosen = live
            .policies
            .iter()
            .filter(|(_, policy)| which == Policies::All || named.contains(&policy.arn))
            .map(|(key, _)| key.clone())
            .collect();
        self.policies.insert(account, chosen);
    }

    /// The policies whose tags decide whether they are imported, which the bulk read lacks.
    pub fn asks(&self, accounts: &BTreeMap<AccountId, AccountLive>) -> Vec<(AccountId, PolicyArn)> {
        let mut asks = Vec::new();
        for (id, keys) in &self.policies {
            if let Some(AccountLive::Read(live)) = accounts.get(id) {
                let policies = keys.iter().filter_map(|key| live.policies.get(key));
                let unread = policies.filter(|policy| policy.tags.is_none());
                asks.extend(unread.map(|policy| (*id, policy.arn.clone())));
            }
        }
        asks
    }

    /// What was chosen, as it was observed. Policies whose tags say that another owner manages them are only referred to.
    pub fn observe(
        mut self,
        organization: &Organization,
        accounts: &BTreeMap<AccountId, AccountLive>,
        options: &Options,
    ) -> (Observed, Vec<Entry>) {
        let mut observed = Observed {
            organization: Some(organization.id.clone()),
            management: Some(organization.management_account),
            accounts: BTreeMap::new(),
        };
        for (id, live) in accounts {
            let AccountLive::Read(live) = live else {
                continue;
            };
            let mut account = ObservedAccount {
                name: organization
                    .accounts
                    .get(id)
                    .map(|account| account.name.clone()),
                ..ObservedAccount::default()
            };
            let roles = self.roles.get(id).into_iter().flatten();
            for role in roles.filter_map(|key| live.roles.get(key)) {
                account
                    .roles
                    .extend(observed_role(*id, role, options, &mut self.entries));
            }
            let policies = self.policies.get(id).into_iter().flatten();
            for policy in policies.filter_map(|key| live.policies.get(key)) {
                account
                    .policies
                    .extend(observed_policy(*id, policy, options, &mut self.entries));
            }
            observed.accounts.insert(*id, account);
        }
        (observed, self.entries)
    }
}

fn not_understood(account: AccountId, kind: &str, name: &str, what: String) -> Entry {
    Entry::new(
        Class::Lost,
        "document",
        source(account, kind, name),
        what,
        "its document is not one that IAM documents, so what it allows is not known",
    )
    .hint("correct it in IAM and import again")
}

fn observed_role(
    account: AccountId,
    role: &LiveRole,
    options: &Options,
    entries: &mut Vec<Entry>,
) -> Option<ObservedRole> {
    let name = role.name.as_str();
    if !role.trust.is_understood() {
        entries.push(not_understood(
            account,
            "role",
            name,
            format!("the trust policy of role `{name}`"),
        ));
        return None;
    }
    let mut inline = BTreeMap::new();
    let mut lacks_inline = false;
    for (policy, document) in &role.inline_policies {
        if policy.is_known_by_name() {
            continue;
        }
        if document.is_understood() {
            inline.insert(policy.to_string(), document.to_value());
        } else {
            lacks_inline = true;
            let what = format!("inline policy `{policy}` of role `{name}`");
            entries.push(not_understood(account, "role", name, what));
        }
    }
    let details = role.details.as_ref();
    Some(ObservedRole {
        source: source(account, "role", name),
        name: name.to_owned(),
        path: role.path.to_string(),
        description: details.map(|details| details.description.clone()),
        max_session_duration: details.map(|details| details.max_session_duration),
        permissions_boundary: Some(
            role.permissions_boundary
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
        ),
        managed_policies: Some(
            role.managed_policies
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
        inline_policies: Some(inline),
        lacks_managed: false,
        lacks_inline,
        trust: role.trust.to_value(),
        tags: own(&role.tags),
        group: stack_set(&role.tags),
        sensitive: BTreeSet::new(),
        external: role.tags.contains_key(STACK) && options.stacks == Stacks::External,
    })
}

fn observed_policy(
    account: AccountId,
    policy: &LivePolicy,
    options: &Options,
    entries: &mut Vec<Entry>,
) -> Option<ObservedPolicy> {
    let name = policy.name.as_str();
    let tags = policy.tags.clone().unwrap_or_default();
    let owner = tags
        .iter()
        .find(|(key, _)| *key == OWNER_TAG)
        .map(|(_, owner)| owner)
        .filter(|owner| **owner != options.name);
    let why = match (owner, tags.get(STACK)) {
        (Some(owner), _) => Some(format!("the directory `{owner}` manages it")),
        (None, Some(stack)) if options.stacks != Stacks::Adopt => {
            Some(format!("the CloudFormation stack `{stack}` made it"))
        }
        _ => None,
    };
    if let Some(why) = why {
        let why = format!("{why}; roles that have it name it by its ARN");
        let what = format!("policy `{name}`");
        entries.push(Entry::new(
            Class::Left,
            "filtered",
            source(account, "policy", name),
            what,
            why,
        ));
        return None;
    }
    if !policy.document.is_understood() {
        entries.push(not_understood(
            account,
            "policy",
            name,
            format!("policy `{name}`"),
        ));
        return None;
    }
    Some(ObservedPolicy {
        sensitive: false,
        source: source(account, "policy", name),
        name: name.to_owned(),
        path: policy.path.to_string(),
        // IAM never changes a description, and the bulk read lacks it.
        description: None,
        document: policy.document.to_value(),
        tags: own(&tags),
    })
}

/// Tags that a person wrote, the ownership tag aside.
fn own(tags: &Tags) -> BTreeMap<String, String> {
    let is_own = |key: &str| !is_system_tag(key) && !key.eq_ignore_ascii_case(OWNER_TAG);
    tags.iter()
        .filter(|(key, _)| is_own(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The `StackSet` that made a role and what it is called there, which is the same in every account while its name is not.
///
/// A stack of a `StackSet` is called `StackSet-NAME-` and a UUID. Source: CloudFormation User Guide, "`StackSets` concepts".
fn stack_set(tags: &Tags) -> Option<String> {
    const UUID: usize = 36;
    let stack = tags.get(STACK)?.strip_prefix("StackSet-")?;
    let end = stack.len().checked_sub(UUID + 1)?;
    let name = stack.get(..end)?;
    Some(format!("{name}/{}", tags.get(LOGICAL_ID)?))
}
