//! `(Config, Organization)` becomes [`Desired`]: what each account should hold.
//!
//! An account differs from another only by the values of the expressions in a resource. So a resource is rendered once
//! for each set of values, and accounts with equal values share it: ten thousand accounts cost little more than one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::convert::{Converter, Documents, Together};
use super::load::{Kind, Names, Resource, check_duplicate};
use super::problem::{Problem, Problems, did_you_mean};
use super::render::{self, Scope};
use super::scope::NarrowScope;
use super::shape::{self, Stage};
use super::target::{self, TagMatching, Targeting};
use super::tree::{Node, Place};
use super::vars::Values;
use super::{Config, grant, schema, settings};
use crate::desired::{AccountDesired, Desired};
use crate::org::{Account, AccountId, Organization};
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::role::{Ensure, PolicyRef, Role};

/// What a desired state means for an organization.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// What each account should hold.
    pub desired: Desired,
    /// What is odd, and refuses nothing.
    pub warnings: Vec<Problem>,
    /// For each account, inactive ones included, the roles that target it and why.
    pub targeted_by: BTreeMap<AccountId, Vec<TargetedBy>>,
}

/// Why a role goes to an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct TargetedBy {
    /// The role's name; as written, where it holds expressions and the account is not active.
    pub role: Arc<str>,
    /// The selector that matched, as written: `ou = "Workloads"`, or `all`.
    pub selector: Arc<str>,
}

/// How many accounts a message names before it counts the rest.
const NAMED_ACCOUNTS: usize = 3;

impl Config {
    /// The accounts whose tags must be read before [`expand`](Self::expand): those that a selector with tags, or an
    /// expression that uses them, may be about. Empty where no tag counts.
    pub fn tag_candidates(&self, organization: &Organization, scope: &NarrowScope) -> BTreeSet<AccountId> {
        if scope.uses_tags() {
            return organization.accounts.keys().copied().collect();
        }
        let targetings = self.targetings(organization, &mut Problems::default());
        // What is granted to a principal in scope may be a role of an account out of it.
        let has_grants = self.resources.iter().any(|resource| resource.kind == Kind::Grant);
        let mut candidates = BTreeSet::new();
        for (resource, targeting) in self.resources.iter().zip(&targetings) {
            let selects = [&targeting.targets, &targeting.exclude].into_iter().flatten().any(Targeting::uses_tags);
            // A policy goes with the roles that name it, wherever these go.
            let about: Vec<&Targets> = match resource.kind {
                Kind::Policy if resource.uses_tags => targetings.iter().collect(),
                Kind::Role | Kind::Policy | Kind::Grant if selects || resource.uses_tags => vec![targeting],
                Kind::Role | Kind::Policy | Kind::Grant => continue,
            };
            candidates.extend(
                organization
                    .accounts
                    .values()
                    .filter(|account| has_grants || scope.has_account(account, organization))
                    .filter(|account| about.iter().any(|targets| targets.may_match(account, organization)))
                    .map(|account| account.id),
            );
        }
        candidates
    }

    /// Expands the desired state over the organization.
    ///
    /// # Errors
    /// Every problem that only shows with the organization at hand: another organization than the one meant, accounts
    /// and units that do not exist, variables without a value in some account, values that some rule refuses.
    pub fn expand(&self, organization: &Organization, scope: &NarrowScope) -> Result<Expansion, Problems> {
        let mut problems = Problems::default();
        if let Some(meant) = self.organization_id().filter(|meant| *meant != organization.id) {
            let message = format!("this is organization {}, and the directory is for {meant}", organization.id);
            let problem = Problem::elsewhere("organization", self.directory().display().to_string(), message);
            return Err(problem
                .hint("use the credentials of the right organization, or change organization.id")
                .into());
        }
        scope.check(organization, &mut problems);
        let own_values = self.own_values(organization, &mut problems);
        let targetings = self.targetings(organization, &mut problems);
        for targets in targetings.iter().flat_map(|targets| [&targets.targets, &targets.exclude]).flatten() {
            targets.check(organization, &mut problems);
        }
        let mut run = Run::new(self, organization, scope, own_values, targetings, problems);
        for account in organization.accounts.values().filter(|account| scope.has_account(account, organization)) {
            run.account(account);
        }
        run.grants();
        run.finish()
    }

    /// The values that accounts have of their own.
    fn own_values(&self, organization: &Organization, problems: &mut Problems) -> BTreeMap<AccountId, &Values> {
        let mut found: BTreeMap<AccountId, (&Values, &Place)> = BTreeMap::new();
        for account in &self.accounts {
            match settings::resolve(account, organization) {
                Err(problem) => problems.push(*problem),
                Ok(id) => {
                    if let Some((_, first)) = found.insert(id, (&account.values, &account.place)) {
                        let message = format!("account {id} has two tables, the first at {first}");
                        problems.push(Problem::error("duplicate", &account.place, message).hint("make them one"));
                    }
                }
            }
        }
        found.into_iter().map(|(id, (values, _))| (id, values)).collect()
    }

    fn targetings(&self, organization: &Organization, problems: &mut Problems) -> Vec<Targets> {
        let values = render::jinja_values(&self.variables.effective(&Values::new()));
        let scope = Scope::organization(&values, organization);
        let mut read = |resource: &Resource, node: Option<&Node>, key: &str| {
            let mut node = render::render_alone(node?, &resource.title, &scope, &self.variables, problems)?;
            let kind = resource.kind.schema().keys.iter().find(|known| known.name == key)?.kind;
            shape::check(&mut node, &kind, key, Stage::Rendered, problems);
            target::targets(&node, &resource.title, problems)
        };
        self.resources
            .iter()
            .map(|resource| Targets {
                targets: read(resource, resource.targets.as_ref(), resource.kind.targets_key()),
                exclude: read(resource, resource.exclude.as_ref(), "exclude"),
            })
            .collect()
    }
}

/// Where a resource goes.
struct Targets {
    targets: Option<Targeting>,
    exclude: Option<Targeting>,
}

impl Targets {
    /// The selector by which it goes to `account`.
    fn matching(&self, account: &Account, organization: &Organization) -> Option<Arc<str>> {
        let targets = self.targets.as_ref()?;
        let excluded = self
            .exclude
            .as_ref()
            .is_some_and(|exclude| exclude.matching(account, organization, TagMatching::Exact).is_some());
        if excluded { None } else { targets.matching(account, organization, TagMatching::Exact) }
    }

    fn may_match(&self, account: &Account, organization: &Organization) -> bool {
        let targets = self.targets.as_ref();
        targets.is_some_and(|targets| targets.matching(account, organization, TagMatching::Possible).is_some())
    }
}

/// A resource as one set of values makes it.
#[derive(Debug, Clone)]
enum Made {
    Role(Arc<Role>),
    Policy(Arc<ManagedPolicy>),
    Grant(Arc<grant::Written>),
    /// Its `when` is false.
    Nothing,
    /// It cannot be made.
    Broken(Arc<[Problem]>),
}

/// What one account adds to what all see.
struct Here<'a> {
    account: &'a Account,
    scope: Option<Scope>,
}

struct Run<'a> {
    config: &'a Config,
    organization: &'a Organization,
    narrow: &'a NarrowScope,
    values: minijinja::Value,
    own_values: BTreeMap<AccountId, &'a Values>,
    targetings: Vec<Targets>,
    documents: Documents,
    /// Resources that are the same everywhere, by index.
    constant: HashMap<usize, Made>,
    /// Resources by index and values.
    varying: HashMap<(usize, String), Made>,
    problems: Problems,
    /// Problems that some accounts have, with these accounts.
    in_accounts: Vec<(Problem, BTreeSet<AccountId>)>,
    /// The names of the roles in scope, each kept once.
    seen_roles: BTreeSet<Arc<str>>,
    expansion: Expansion,
}

impl<'a> Run<'a> {
    fn new(
        config: &'a Config,
        organization: &'a Organization,
        narrow: &'a NarrowScope,
        own_values: BTreeMap<AccountId, &'a Values>,
        targetings: Vec<Targets>,
        problems: Problems,
    ) -> Self {
        let desired = Desired {
            name: config.name.clone(),
            digest: config.digest.clone(),
            secrets: config.secrets.clone(),
            ..Desired::default()
        };
        Self {
            config,
            organization,
            narrow,
            values: render::jinja_values(&config.variables.effective(&Values::new())),
            own_values,
            targetings,
            documents: Documents::new(),
            constant: HashMap::new(),
            varying: HashMap::new(),
            problems,
            in_accounts: Vec::new(),
            seen_roles: BTreeSet::new(),
            expansion: Expansion { desired, warnings: Vec::new(), targeted_by: BTreeMap::new() },
        }
    }

    fn account(&mut self, account: &'a Account) {
        let config = self.config;
        let mut here = Here { account, scope: None };
        let mut holds = AccountDesired::default();
        let mut names = Names::new();
        let mut is_target = false;
        for (index, resource) in config.resources.iter().enumerate().filter(|(_, found)| found.kind == Kind::Role) {
            if resource.literal_name().is_some_and(|name| !self.narrow.has_role(name)) {
                continue;
            }
            let Some(selector) = self.matching(index, account) else { continue };
            let made = if account.status.is_active() { self.make(index, resource, &mut here) } else { Made::Nothing };
            let role = if let Made::Role(role) = &made { Some(role) } else { None };
            let name = role.map_or_else(|| resource.written_name(), |role| role.name.to_string());
            if role.is_some() && !self.narrow.has_role(&name) {
                continue;
            }
            is_target = true;
            let because = TargetedBy { role: self.see(&name), selector };
            self.expansion.targeted_by.entry(account.id).or_default().push(because);
            if let Some(role) = role {
                self.duplicate(resource, &name, account, &mut names);
                holds.roles.insert(role.name.key(), role.clone());
            }
        }
        is_target |= self.policies(&mut here, &mut holds, &mut names);
        if is_target && account.status.is_active() {
            self.expansion.desired.accounts.insert(account.id, holds);
        } else if is_target {
            self.expansion.desired.skipped.insert(account.id, account.status.to_string());
        }
    }

    /// Adds the policies of an account: those that its roles name, and those that target it themselves.
    fn policies(&mut self, here: &mut Here<'a>, holds: &mut AccountDesired, names: &mut Names) -> bool {
        let config = self.config;
        let account = here.account;
        let needed: BTreeSet<String> = holds.roles.values().flat_map(|role| local_policies(role)).collect();
        let mut is_target = false;
        for (index, resource) in config.resources.iter().enumerate().filter(|(_, found)| found.kind == Kind::Policy) {
            // A run about some roles is about their policies, not about those that go somewhere by themselves.
            let targeted = self.narrow.roles.is_empty() && self.matching(index, account).is_some();
            is_target |= targeted;
            let may_be_needed = resource.literal_name().is_none_or(|name| needed.contains(&name.to_ascii_lowercase()));
            if !account.status.is_active() || !(targeted || (may_be_needed && !needed.is_empty())) {
                continue;
            }
            if let Made::Policy(policy) = self.make(index, resource, here)
                && (targeted || needed.contains(&policy.name.key()))
            {
                self.duplicate(resource, policy.name.as_str(), account, names);
                holds.policies.insert(policy.name.key(), policy);
            }
        }
        is_target
    }

    /// Gathers what is granted, over all accounts: a principal's one policy names the roles of accounts out of scope too.
    fn grants(&mut self) {
        let (config, organization) = (self.config, self.organization);
        let mut ledger = grant::Ledger::default();
        for (index, resource) in config.resources.iter().enumerate().filter(|(_, found)| found.kind == Kind::Grant) {
            for account in organization.accounts.values().filter(|account| account.status.is_active()) {
                if self.matching(index, account).is_none() {
                    continue;
                }
                let mut here = Here { account, scope: None };
                if let Made::Grant(written) = self.make(index, resource, &mut here)
                    && let Some(role) = self.granted_role(&written, &mut here)
                {
                    ledger.add(&written, &role, account.id, organization, &mut self.problems);
                }
            }
        }
        ledger.settle(self.narrow, organization, &mut self.expansion.desired);
    }

    /// The role of a grant, as it is in one account.
    fn granted_role(&mut self, written: &grant::Written, here: &mut Here<'a>) -> Option<Arc<Role>> {
        let config = self.config;
        let mut is_broken = false;
        for (index, resource) in config.resources.iter().enumerate().filter(|(_, found)| found.kind == Kind::Role) {
            if resource.literal_name().is_some_and(|name| name != written.role)
                || self.matching(index, here.account).is_none()
            {
                continue;
            }
            match self.make(index, resource, here) {
                Made::Role(role) if role.name.as_str() == written.role && role.ensure == Ensure::Present => {
                    return Some(role);
                }
                // What keeps it from being one has been said.
                Made::Broken(_) => is_broken = true,
                Made::Role(_) | Made::Policy(_) | Made::Grant(_) | Made::Nothing => {}
            }
        }
        if !is_broken {
            let names: Vec<String> = config.roles().map(Resource::written_name).collect();
            let is_known = names.contains(&written.role);
            let unknown = || grant::unknown_role(&written.role, &written.role_place, names.iter().map(String::as_str));
            self.note(if is_known { grant::not_here(written) } else { unknown() }, here.account.id);
        }
        None
    }

    /// The name, kept once for all accounts.
    fn see(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.seen_roles.get(name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.seen_roles.insert(name.clone());
        name
    }

    fn matching(&self, index: usize, account: &Account) -> Option<Arc<str>> {
        self.targetings.get(index)?.matching(account, self.organization)
    }

    /// Two literal names that are one have been found without AWS; names with expressions in them meet here.
    fn duplicate(&mut self, resource: &Resource, name: &str, account: &Account, names: &mut Names) {
        let Some(node) = resource.node.as_table().and_then(|table| table.get("name")) else { return };
        let mut found = Problems::default();
        check_duplicate(resource.kind, name, &node.place, names, &mut found);
        for problem in &found {
            self.note(problem.clone(), account.id);
        }
    }

    fn make(&mut self, index: usize, resource: &Resource, here: &mut Here<'a>) -> Made {
        if resource.varies {
            return self.make_varying(index, resource, here);
        }
        if let Some(made) = self.constant.get(&index) {
            return made.clone();
        }
        let scope = Scope::organization(&self.values, self.organization);
        let evaluation = render::evaluate(&resource.node, &scope);
        let made = self.build(resource, &evaluation);
        if let Made::Broken(found) = &made {
            self.problems.extend(found.iter().cloned());
        }
        self.constant.insert(index, made.clone());
        made
    }

    fn make_varying(&mut self, index: usize, resource: &Resource, here: &mut Here<'a>) -> Made {
        let account = here.account;
        let scope = here.scope.get_or_insert_with(|| match self.own_values.get(&account.id) {
            Some(own) => {
                let values = render::jinja_values(&self.config.variables.effective(own));
                Scope::account(&values, account, self.organization)
            }
            None => Scope::account(&self.values, account, self.organization),
        });
        let evaluation = render::evaluate(&resource.node, scope);
        let key = (index, render::signature(&evaluation.values));
        let made = if !evaluation.failures.is_empty() {
            self.build(resource, &evaluation)
        } else if let Some(made) = self.varying.get(&key) {
            made.clone()
        } else {
            let made = self.build(resource, &evaluation);
            self.varying.insert(key, made.clone());
            made
        };
        if let Made::Broken(found) = &made {
            for problem in found.iter() {
                self.note(problem.clone(), account.id);
            }
        }
        made
    }

    fn build(&mut self, resource: &Resource, evaluation: &render::Evaluation) -> Made {
        if !evaluation.failures.is_empty() {
            let explain = |failed| render::explain(failed, &resource.title, &self.config.variables);
            return Made::Broken(evaluation.failures.iter().flat_map(explain).collect());
        }
        let Some(mut node) = render::build(&resource.node, &evaluation.values) else { return Made::Nothing };
        let mut converter = Converter {
            partition: Some(&self.organization.partition),
            documents: &mut self.documents,
            title: &resource.title,
            together: Together::Known,
            problems: Problems::default(),
        };
        let kind = schema::Type::Table(resource.kind.schema());
        shape::check(&mut node, &kind, resource.kind.word(), Stage::Rendered, &mut converter.problems);
        let made = match resource.kind {
            Kind::Role => converter.role(&node, resource.origin.clone()).map(|role| Made::Role(Arc::new(role))),
            Kind::Policy => {
                converter.policy(&node, resource.origin.clone()).map(|policy| Made::Policy(Arc::new(policy)))
            }
            Kind::Grant => grant::read(&node, &resource.title, resource.origin.clone(), &mut converter.problems)
                .map(|written| Made::Grant(Arc::new(written))),
        };
        match made {
            Some(made) if !converter.problems.has_errors() => made,
            _ => Made::Broken(converter.problems.sorted().into()),
        }
    }

    fn note(&mut self, problem: Problem, account: AccountId) {
        match self.in_accounts.iter_mut().find(|(known, _)| *known == problem) {
            Some((_, accounts)) => {
                accounts.insert(account);
            }
            None => self.in_accounts.push((problem, BTreeSet::from([account]))),
        }
    }

    fn finish(mut self) -> Result<Expansion, Problems> {
        for (problem, accounts) in std::mem::take(&mut self.in_accounts) {
            let message = format!("{} (in {})", problem.message, fold(&accounts));
            self.problems.push(Problem { message, ..problem });
        }
        for pattern in &self.narrow.roles {
            if !self.seen_roles.iter().any(|name| crate::org::glob(pattern, name)) {
                let known: Vec<String> = self.config.roles().map(Resource::written_name).collect();
                let hint = did_you_mean(pattern, known.iter().map(String::as_str));
                let message = format!("no role of this directory matches `{pattern}` in the accounts of this run");
                self.problems.push(Problem::elsewhere("selector", "--role", message).maybe_hint(hint));
            }
        }
        self.expansion.warnings = self.problems.masked(&self.config.secrets).into_result()?;
        Ok(self.expansion)
    }
}

/// The keys of the customer managed policies that a role names with `local:`.
fn local_policies(role: &Role) -> impl Iterator<Item = String> {
    let boundary = role.permissions_boundary.as_ref().and_then(Option::as_ref);
    let wanted = role.ensure == Ensure::Present;
    role.managed_policies.iter().flatten().chain(boundary).filter(move |_| wanted).filter_map(|reference| {
        match reference {
            PolicyRef::Local(name) => Some(name.key()),
            PolicyRef::Arn(_) => None,
        }
    })
}

/// `account 111111111111`, or the first few and how many more.
fn fold(accounts: &BTreeSet<AccountId>) -> String {
    let named: Vec<&str> = accounts.iter().take(NAMED_ACCOUNTS).map(AccountId::as_str).collect();
    let word = if accounts.len() == 1 { "account" } else { "accounts" };
    let more = match accounts.len().saturating_sub(NAMED_ACCOUNTS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{word} {}{more}", named.join(", "))
}
