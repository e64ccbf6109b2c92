//! `(Config, Organization)` becomes [`Desired`]: what each account should have.
//!
//! An account differs from another only by the values of the expressions in a resource. So a resource is rendered once
//! for each set of values, and accounts with equal values share it: ten thousand accounts cost little more than one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::assertion::{Address, CheckFinding, Held, Judge, Subject};
use super::convert::{Converter, Documents, Together};
use super::held::{
    LeftOuts, Names, attached_but_left_out, check_duplicate, left_out, local_policies,
};
use super::module::Scopes;
use super::narrow::NarrowScope;
use super::place::Place;
use super::problem::{Lack, Problem, Problems, did_you_mean};
use super::resource::{Kind, Resource};
use super::scope::{Found, Scope, jinja_values};
use super::shape::{self, Stage};
use super::target::{self, TagMatching, Targeting};
use super::tree::Node;
use super::vars::Values;
use super::{Config, attachment, facts, grant, render, schema, settings};
use crate::desired::{AccountDesired, Desired};
use crate::org::{Account, AccountId, Organization};
use crate::resource::attachment::Attachment;
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::role::{Ensure, Role};

/// What a desired state means for an organization.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// What each account should hold.
    pub desired: Desired,
    /// What is odd, and refuses nothing.
    pub warnings: Vec<Problem>,
    /// For each account, inactive ones included, the roles that target it and why.
    pub targeted_by: BTreeMap<AccountId, Vec<TargetedBy>>,
    /// What the `[[check]]`s over roles and policies found.
    pub findings: Vec<CheckFinding>,
    /// Selectors of targets that match no account.
    pub unmatched: Vec<Unmatched>,
}

/// A selector of a resource's targets that matches no account: the resource may have been elsewhere because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// `role`, `policy` or `grant`.
    pub kind: &'static str,
    /// The name of the resource; `None` where it holds expressions.
    pub name: Option<String>,
    /// The selector as written.
    pub selector: Arc<str>,
    /// What it is of, and where that is written: `role `X` at roles.toml:4`.
    pub of: String,
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
    pub fn tag_candidates(
        &self,
        organization: &Organization,
        scope: &NarrowScope,
    ) -> BTreeSet<AccountId> {
        if scope.uses_tags() || self.rollout.uses_tags() {
            return organization.accounts.keys().copied().collect();
        }
        let found = Found::new(self.secrets.clone());
        let targetings = self.targetings(organization, &found, &mut Problems::default());
        // What is granted to a principal in scope may be a role of an account out of it.
        let has_grants = self
            .resources
            .iter()
            .any(|resource| resource.kind == Kind::Grant);
        let judged = self.checks.iter().any(|check| check.uses_tags);
        let mut candidates = BTreeSet::new();
        for (resource, targeting) in self.resources.iter().zip(&targetings) {
            let selects = [&targeting.targets, &targeting.exclude]
                .into_iter()
                .flatten()
                .any(Targeting::uses_tags);
            // A policy goes with the roles that name it, wherever these go.
            let about: Vec<&Targets> = match resource.kind {
                Kind::Policy if resource.uses_tags => targetings.iter().collect(),
                Kind::Role | Kind::Policy | Kind::Attachment
                    if selects || resource.uses_tags || judged =>
                {
                    vec![targeting]
                }
                Kind::Grant if selects || resource.uses_tags => vec![targeting],
                Kind::Role | Kind::Policy | Kind::Grant | Kind::Attachment => continue,
            };
            candidates.extend(
                organization
                    .accounts
                    .values()
                    .filter(|account| has_grants || scope.has_account(account, organization))
                    .filter(|account| {
                        about
                            .iter()
                            .any(|targets| targets.may_match(account, organization))
                    })
                    .map(|account| account.id),
            );
        }
        candidates
    }

    /// Expands the desired state over the organization.
    ///
    /// # Guarantees
    /// - Either every account in `scope` has everything that is declared for it, or this is an error: no account is
    ///   expanded in part.
    /// - All problems are returned at once, the same problem of many accounts once with its accounts.
    /// - Nothing outside `scope` is in the result; that it is left out does not make it an orphan.
    ///
    /// # Assumptions
    /// - `organization` is complete, with the tags of accounts if the directory uses them.
    ///
    /// # Errors
    /// Every problem that only shows with the organization at hand: another organization than the one meant, accounts
    /// and units that do not exist, variables without a value in some account, values that some rule refuses.
    pub fn expand(
        &self,
        organization: &Organization,
        scope: &NarrowScope,
    ) -> Result<Expansion, Problems> {
        let mut problems = Problems::default();
        if let Some(meant) = self
            .organization_id()
            .filter(|meant| *meant != organization.id)
        {
            let message = format!(
                "this is organization {}, but the directory is for {meant}",
                organization.id
            );
            let problem = Problem::elsewhere(
                "organization",
                self.directory().display().to_string(),
                message,
            );
            return Err(problem
                .hint("use the credentials of the right organization, or change organization.id")
                .into());
        }
        scope.check(organization, &mut problems);
        self.rollout.check(organization, &mut problems);
        let own_values = self.own_values(organization, &mut problems);
        let found = Found::new(self.secrets.clone());
        let targetings = self.targetings(organization, &found, &mut problems);
        for targets in targetings
            .iter()
            .flat_map(|targets| [&targets.targets, &targets.exclude])
            .flatten()
        {
            targets.check(organization, &mut problems);
        }
        let unmatched = self.unmatched(&targetings, organization);
        let mut run = Run::new(
            self,
            organization,
            scope,
            own_values,
            (targetings, found),
            problems,
        );
        for account in organization
            .accounts
            .values()
            .filter(|account| scope.has_account(account, organization))
        {
            run.account(account);
        }
        run.grants();
        run.expansion.unmatched = unmatched;
        run.finish()
    }

    fn unmatched(&self, targetings: &[Targets], organization: &Organization) -> Vec<Unmatched> {
        let resources = self.resources.iter().zip(targetings);
        let found = resources.flat_map(|(resource, targets)| {
            let selectors = targets
                .targets
                .iter()
                .flat_map(|targets| targets.unmatched(organization));
            selectors.map(|selector| Unmatched {
                kind: match resource.kind {
                    Kind::Role => "role",
                    Kind::Attachment => "attachment",
                    Kind::Policy => "policy",
                    Kind::Grant => "grant",
                },
                name: resource.literal_name().map(str::to_owned),
                selector,
                of: format!("{} at {}", resource.title, resource.node.place),
            })
        });
        found.collect()
    }

    /// The values that accounts have of their own.
    fn own_values(
        &self,
        organization: &Organization,
        problems: &mut Problems,
    ) -> BTreeMap<AccountId, &Values> {
        let mut found: BTreeMap<AccountId, (&Values, &Place)> = BTreeMap::new();
        for account in &self.accounts {
            match settings::resolve(account, organization) {
                Err(problem) => problems.push(*problem),
                Ok(id) => {
                    if let Some((_, first)) = found.insert(id, (&account.values, &account.place)) {
                        let message = format!("account {id} has two tables, the first at {first}");
                        problems.push(
                            Problem::error("duplicate", &account.place, message).hint("merge them"),
                        );
                    }
                }
            }
        }
        found
            .into_iter()
            .map(|(id, (values, _))| (id, values))
            .collect()
    }

    /// What expressions see where no account is looked at.
    fn scopes(&self, organization: &Organization, found: &Found) -> Scopes {
        let values = self
            .instances
            .first()
            .map(|root| root.variables.effective(&Values::new()))
            .unwrap_or_default();
        let root = Scope::organization(&jinja_values(&values), organization);
        Scopes::new(&self.instances, &root.hiding_of(&self.instances, found))
    }

    fn targetings(
        &self,
        organization: &Organization,
        found: &Found,
        problems: &mut Problems,
    ) -> Vec<Targets> {
        let scopes = self.scopes(organization, found);
        let mut read = |resource: &Resource, node: Option<&Node>, key: &str| {
            let (scope, instance) = (
                scopes.get(resource.instance)?,
                self.instances.get(resource.instance)?,
            );
            let mut found = Problems::default();
            let mut node = render::render_alone(
                node?,
                &resource.title,
                scope,
                &instance.variables,
                &mut found,
            );
            let targeting = node.as_mut().and_then(|node| {
                let kind = resource
                    .kind
                    .schema()
                    .keys
                    .iter()
                    .find(|known| known.name == key)?
                    .kind;
                shape::check(node, &kind, key, Stage::Rendered, &mut found);
                target::targets(node, &mut found)
            });
            problems.extend(found.in_modules(&instance.chain));
            targeting
        };
        self.resources
            .iter()
            .map(|resource| Targets {
                targets: read(
                    resource,
                    resource.targets.as_ref(),
                    resource.kind.targets_key(),
                ),
                exclude: read(resource, resource.exclude.as_ref(), "exclude"),
            })
            .collect()
    }

    /// Judges the `[[check]]`s over the plan; `plan` gives it as its JSON shows it, and is asked only where there are
    /// any.
    pub fn plan_checks(
        &self,
        plan: impl FnOnce() -> serde_json::Value,
        organization: &Organization,
    ) -> Vec<CheckFinding> {
        if !self
            .checks
            .iter()
            .any(|check| check.subject == Subject::Plan)
        {
            return Vec::new();
        }
        let mut judge = Judge::new(&self.checks, &self.instances, &self.lints);
        let found = Found::new(self.secrets.clone());
        judge.plan(&plan(), &self.scopes(organization, &found));
        judge.into_findings(&found.secrets())
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
        let excluded = self.exclude.as_ref().is_some_and(|exclude| {
            exclude
                .matching(account, organization, TagMatching::Exact)
                .is_some()
        });
        if excluded {
            None
        } else {
            targets.matching(account, organization, TagMatching::Exact)
        }
    }

    fn may_match(&self, account: &Account, organization: &Organization) -> bool {
        let targets = self.targets.as_ref();
        targets.is_some_and(|targets| {
            targets
                .matching(account, organization, TagMatching::Possible)
                .is_some()
        })
    }
}

/// A resource as one set of values makes it.
#[derive(Debug, Clone)]
enum Made {
    Role(Arc<Role>),
    Policy(Arc<ManagedPolicy>),
    Grant(Arc<grant::Written>),
    Attachment(Arc<Attachment>),
    /// Its `when` is false.
    Nothing,
    /// It cannot be made.
    Broken(Arc<[Problem]>),
}

/// What one account adds to what all see.
struct Here<'a> {
    account: &'a Account,
    scopes: Option<Scopes>,
    held: Vec<Held>,
    left_out: LeftOuts,
}

impl<'a> Here<'a> {
    fn new(account: &'a Account) -> Self {
        Self {
            account,
            scopes: None,
            held: Vec::new(),
            left_out: LeftOuts::new(),
        }
    }
}

struct Run<'a> {
    config: &'a Config,
    organization: &'a Organization,
    narrow: &'a NarrowScope,
    values: minijinja::Value,
    /// What expressions see that do not look at the account.
    scopes: Scopes,
    judge: Judge<'a>,
    /// Roles and policies as checks see them, by what they are.
    facts: HashMap<usize, minijinja::Value>,
    own_values: BTreeMap<AccountId, &'a Values>,
    targetings: Vec<Targets>,
    found: Found,
    documents: Documents,
    /// Resources that are the same everywhere, by index.
    constant: HashMap<usize, Made>,
    /// Resources by index and values.
    varying: HashMap<(usize, String), Made>,
    problems: Problems,
    /// Problems that some accounts have, with these accounts.
    in_accounts: Vec<(Problem, BTreeSet<AccountId>)>,
    /// Where among them those of one hash are.
    noted: HashMap<u64, Vec<usize>>,
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
        (targetings, found): (Vec<Targets>, Found),
        problems: Problems,
    ) -> Self {
        let desired = Desired {
            name: config.name.clone(),
            digest: config.digest.clone(),
            ..Desired::default()
        };
        let root = config.instances.first();
        let values = root
            .map(|root| root.variables.effective(&Values::new()))
            .unwrap_or_default();
        let scopes = config.scopes(organization, &found);
        found.add(&scopes.secrets);
        let mut problems = problems;
        let constant = scopes.problems.iter().filter(|(varies, _)| !varies);
        problems.extend(constant.map(|(_, problem)| problem.clone()));
        Self {
            config,
            organization,
            narrow,
            values: jinja_values(&values),
            scopes,
            judge: Judge::new(&config.checks, &config.instances, &config.lints),
            facts: HashMap::new(),
            own_values,
            targetings,
            found,
            documents: Documents::new(),
            constant: HashMap::new(),
            varying: HashMap::new(),
            problems,
            in_accounts: Vec::new(),
            noted: HashMap::new(),
            seen_roles: BTreeSet::new(),
            expansion: Expansion {
                desired,
                warnings: Vec::new(),
                targeted_by: BTreeMap::new(),
                findings: Vec::new(),
                unmatched: Vec::new(),
            },
        }
    }

    fn account(&mut self, account: &'a Account) {
        let config = self.config;
        let mut here = Here::new(account);
        let mut holds = AccountDesired::default();
        let mut names = Names::new();
        let mut is_target = false;
        for (index, resource) in config
            .resources
            .iter()
            .enumerate()
            .filter(|(_, found)| found.kind == Kind::Role)
        {
            // `--role` first: a literal name out of scope needs no expression to be evaluated, whose variables may be unset.
            // A name that an expression makes is checked again once it is known.
            if resource
                .literal_name()
                .is_some_and(|name| !self.narrow.has_role(name))
            {
                continue;
            }
            let Some(selector) = self.matching(index, account) else {
                continue;
            };
            // A suspended account is not expanded, but still listed as targeted, so that `accounts` and the plan can say
            // why it is skipped.
            let made = if account.status.is_active() {
                self.make(index, resource, &mut here)
            } else {
                Made::Nothing
            };
            let role = if let Made::Role(role) = &made {
                Some(role)
            } else {
                None
            };
            let name = role.map_or_else(|| resource.written_name(), |role| role.name.to_string());
            if role.is_some() && !self.narrow.has_role(&name) {
                continue;
            }
            is_target = true;
            let because = TargetedBy {
                role: self.see(&name),
                selector,
            };
            self.expansion
                .targeted_by
                .entry(account.id)
                .or_default()
                .push(because);
            if let Some(role) = role {
                self.duplicate(resource, &name, account, &mut names);
                holds.roles.insert(role.name.key(), role.clone());
                if role.ensure == Ensure::Present {
                    let (identity, address) = (
                        Arc::as_ptr(role) as usize,
                        format!("{}/role/{name}", account.id),
                    );
                    self.hold(resource, identity, address, || facts::role(role), &mut here);
                }
            }
        }
        is_target |= self.attachments(&mut here, &mut holds);
        is_target |= self.policies(&mut here, &mut holds, &mut names);
        self.check(&mut here, &holds);
        if is_target && account.status.is_active() {
            self.expansion.desired.accounts.insert(account.id, holds);
        } else if is_target {
            self.expansion
                .desired
                .skipped
                .insert(account.id, account.status.to_string());
        }
    }

    /// Adds what is attached to roles of other owners in an account.
    fn attachments(&mut self, here: &mut Here<'a>, holds: &mut AccountDesired) -> bool {
        let (config, account) = (self.config, here.account);
        let mut is_target = false;
        let attachments = config.resources.iter().enumerate();
        for (index, resource) in attachments.filter(|(_, one)| one.kind == Kind::Attachment) {
            let Some(selector) = self.matching(index, account) else {
                continue;
            };
            let made = if account.status.is_active() {
                self.make(index, resource, here)
            } else {
                Made::Nothing
            };
            let Made::Attachment(attachment) = made else {
                is_target |= !account.status.is_active();
                continue;
            };
            let role = attachment.id.role.as_str();
            if !self.narrow.has_role(role) {
                continue;
            }
            is_target = true;
            let because = TargetedBy {
                role: self.see(role),
                selector,
            };
            let targeted = self.expansion.targeted_by.entry(account.id).or_default();
            if !targeted.contains(&because) {
                targeted.push(because);
            }
            for problem in attachment::misplaced(resource, &attachment, holds) {
                self.note(problem.in_modules(&self.chain(resource)), account.id);
            }
            let address = format!("{}/attachment/{}", account.id, attachment.id);
            let identity = Arc::as_ptr(&attachment) as usize;
            self.hold(
                resource,
                identity,
                address,
                || facts::attachment(&attachment),
                here,
            );
            holds.attachments.insert(attachment.id.key(), attachment);
        }
        is_target
    }

    /// Adds the policies of an account: those that its roles name, and those that target it themselves.
    fn policies(
        &mut self,
        here: &mut Here<'a>,
        holds: &mut AccountDesired,
        names: &mut Names,
    ) -> bool {
        let config = self.config;
        let account = here.account;
        let needed: BTreeSet<String> = holds
            .roles
            .values()
            .flat_map(|role| local_policies(role))
            .chain(
                holds
                    .attachments
                    .values()
                    .filter_map(|one| attachment::policy(one)),
            )
            .collect();
        // A run about some roles is about their policies, not about those that go somewhere by themselves.
        let by_itself = self.narrow.roles.is_empty();
        let policies = config.resources.iter().enumerate();
        let (targeted, others): (Vec<_>, Vec<_>) = policies
            .filter(|(_, found)| found.kind == Kind::Policy)
            .partition(|(index, _)| self.matching(*index, account).is_some());
        let is_target = by_itself && !targeted.is_empty();
        // Of several policies of one name, the one whose targets take in the account is meant there.
        let mut meant = BTreeSet::new();
        let ordered = targeted.into_iter().map(|found| (found, true));
        for ((index, resource), matches) in
            ordered.chain(others.into_iter().map(|found| (found, false)))
        {
            let targeted = by_itself && matches;
            let may_be_needed = resource
                .literal_name()
                .is_none_or(|name| needed.contains(&name.to_ascii_lowercase()));
            if !account.status.is_active() || !(targeted || (may_be_needed && !needed.is_empty())) {
                continue;
            }
            match self.make(index, resource, here) {
                Made::Policy(policy)
                    if !matches
                        && resource.targets.is_some()
                        && meant.contains(&policy.name.key()) => {}
                Made::Policy(policy) if targeted || needed.contains(&policy.name.key()) => {
                    meant.extend(matches.then(|| policy.name.key()));
                    self.duplicate(resource, policy.name.as_str(), account, names);
                    let address = format!("{}/policy/{}", account.id, policy.name);
                    self.hold(
                        resource,
                        Arc::as_ptr(&policy) as usize,
                        address,
                        || facts::policy(&policy),
                        here,
                    );
                    holds.policies.insert(policy.name.key(), policy);
                }
                Made::Nothing => {
                    let scopes = here
                        .scopes
                        .as_ref()
                        .filter(|_| resource.varies)
                        .unwrap_or(&self.scopes);
                    let left_out = scopes
                        .get(resource.instance)
                        .and_then(|scope| left_out(resource, scope));
                    here.left_out.extend(left_out);
                }
                Made::Policy(_)
                | Made::Role(_)
                | Made::Grant(_)
                | Made::Attachment(_)
                | Made::Broken(_) => {}
            }
        }
        is_target
    }

    /// Gathers what is granted, over all accounts: a principal's one policy names the roles of accounts out of scope too.
    fn grants(&mut self) {
        let (config, organization) = (self.config, self.organization);
        let mut ledger = grant::Ledger::default();
        for (index, resource) in config
            .resources
            .iter()
            .enumerate()
            .filter(|(_, found)| found.kind == Kind::Grant)
        {
            for account in organization
                .accounts
                .values()
                .filter(|account| account.status.is_active())
            {
                if self.matching(index, account).is_none() {
                    continue;
                }
                let mut here = Here::new(account);
                if let Made::Grant(written) = self.make(index, resource, &mut here)
                    && let Some(role) = self.granted_role(resource, &written, &mut here)
                {
                    ledger.add(
                        &written,
                        &role,
                        account.id,
                        organization,
                        &mut self.problems,
                    );
                }
            }
        }
        ledger.settle(self.narrow, organization, &mut self.expansion.desired);
    }

    /// The role of a grant, as it is in one account.
    fn granted_role(
        &mut self,
        grant: &Resource,
        written: &grant::Written,
        here: &mut Here<'a>,
    ) -> Option<Arc<Role>> {
        let config = self.config;
        let mut is_broken = false;
        for (index, resource) in config
            .resources
            .iter()
            .enumerate()
            .filter(|(_, found)| found.kind == Kind::Role)
        {
            if resource
                .literal_name()
                .is_some_and(|name| name != written.role)
                || self.matching(index, here.account).is_none()
            {
                continue;
            }
            match self.make(index, resource, here) {
                Made::Role(role)
                    if role.name.as_str() == written.role && role.ensure == Ensure::Present =>
                {
                    return Some(role);
                }
                // What keeps it from being one has been said.
                Made::Broken(_) => is_broken = true,
                Made::Role(_)
                | Made::Policy(_)
                | Made::Grant(_)
                | Made::Attachment(_)
                | Made::Nothing => {}
            }
        }
        if !is_broken {
            let names: Vec<String> = config.roles().map(Resource::written_name).collect();
            let is_known = names.contains(&written.role);
            let unknown = || {
                grant::unknown_role(
                    &written.role,
                    &written.role_place,
                    names.iter().map(String::as_str),
                )
            };
            let problem = if is_known {
                grant::not_here(written)
            } else {
                unknown()
            };
            self.note(problem.in_modules(&self.chain(grant)), here.account.id);
        }
        None
    }

    /// Notes a role or policy of the account for the checks.
    fn hold(
        &mut self,
        resource: &Resource,
        identity: usize,
        address: String,
        facts: impl FnOnce() -> minijinja::Value,
        here: &mut Here<'a>,
    ) {
        if self.judge.has_work() {
            let value = self.facts.entry(identity).or_insert_with(facts).clone();
            let (kind, instance, address) =
                (resource.kind, resource.instance, Address::Of(address));
            here.held.push(Held {
                kind,
                instance,
                identity,
                value,
                address,
                unknown: BTreeSet::new(),
            });
        }
    }

    /// Looks at what an account holds as a whole.
    fn check(&mut self, here: &mut Here<'a>, holds: &AccountDesired) {
        for role in holds.roles.values() {
            for problem in
                attached_but_left_out(role, holds, &here.left_out, &self.config.instances)
            {
                self.note(problem, here.account.id);
            }
        }
        for attachment in holds.attachments.values() {
            if let Some(problem) = attachment::without_policy(attachment, holds) {
                self.note(problem, here.account.id);
            }
        }
        if here.held.is_empty() {
            return;
        }
        let mut found = Problems::default();
        if self.judge.needs_account() {
            self.account_scopes(here);
        }
        self.judge.account(
            &here.held,
            here.scopes.as_ref().unwrap_or(&self.scopes),
            &mut found,
        );
        for problem in found {
            self.note(problem, here.account.id);
        }
    }

    /// Evaluates what expressions see in this account, once.
    fn account_scopes(&mut self, here: &mut Here<'a>) {
        if here.scopes.is_some() {
            return;
        }
        let (account, root) = (here.account, self.config.instances.first());
        let own = self.own_values.get(&account.id).zip(root);
        let own = own.map(|(own, root)| jinja_values(&root.variables.effective(own)));
        let root = Scope::account(
            own.as_ref().unwrap_or(&self.values),
            account,
            self.organization,
        );
        let root = root.hiding_of(&self.config.instances, &self.found);
        let scopes = Scopes::new(&self.config.instances, &root);
        for (_, problem) in scopes.problems.iter().filter(|(varies, _)| *varies) {
            self.note(problem.clone(), account.id);
        }
        self.found.add(&scopes.secrets);
        here.scopes = Some(scopes);
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
        self.targetings
            .get(index)?
            .matching(account, self.organization)
    }

    /// Two literal names that are one have been found without AWS; names with expressions in them meet here.
    fn duplicate(&mut self, resource: &Resource, name: &str, account: &Account, names: &mut Names) {
        let Some(node) = resource.node.as_table().and_then(|table| table.get("name")) else {
            return;
        };
        let mut found = Problems::default();
        let chain = self.chain(resource);
        check_duplicate(
            resource.kind,
            name,
            (node.place.clone(), chain.clone()),
            names,
            &mut found,
        );
        for problem in found.in_modules(&chain) {
            self.note(problem, account.id);
        }
    }

    fn make(&mut self, index: usize, resource: &Resource, here: &mut Here<'a>) -> Made {
        if resource.varies {
            return self.make_varying(index, resource, here);
        }
        if let Some(made) = self.constant.get(&index) {
            return made.clone();
        }
        let Some(scope) = self.scopes.get(resource.instance) else {
            return Made::Nothing;
        };
        let evaluation = render::evaluate(&resource.node, scope);
        let made = self.build(resource, &evaluation);
        if let Made::Broken(found) = &made {
            self.problems.extend(found.iter().cloned());
        }
        self.constant.insert(index, made.clone());
        made
    }

    fn make_varying(&mut self, index: usize, resource: &Resource, here: &mut Here<'a>) -> Made {
        let account = here.account;
        self.account_scopes(here);
        let Some(scope) = here
            .scopes
            .as_ref()
            .and_then(|scopes| scopes.get(resource.instance))
        else {
            return Made::Nothing;
        };
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
            let Some(instance) = self.config.instances.get(resource.instance) else {
                return Made::Nothing;
            };
            let explain = |failed| render::explain(failed, &resource.title, &instance.variables);
            let found = evaluation.failures.iter().flat_map(explain);
            return Made::Broken(
                found
                    .map(|problem| problem.in_modules(&instance.chain))
                    .collect(),
            );
        }
        let Some(mut node) = render::build(&resource.node, &evaluation.values) else {
            return Made::Nothing;
        };
        let mut converter = Converter {
            partition: Some(&self.organization.partition),
            documents: &mut self.documents,
            title: &resource.title,
            together: Together::Known,
            problems: Problems::default(),
        };
        let kind = schema::Type::Table(resource.kind.schema());
        shape::check(
            &mut node,
            &kind,
            resource.kind.word(),
            Stage::Rendered,
            &mut converter.problems,
        );
        let made = match resource.kind {
            Kind::Role => converter
                .role(&node, resource.origin.clone())
                .map(|role| Made::Role(Arc::new(role))),
            Kind::Policy => converter
                .policy(&node, resource.origin.clone())
                .map(|policy| Made::Policy(Arc::new(policy))),
            Kind::Grant => grant::read(
                &node,
                &resource.title,
                resource.origin.clone(),
                &mut converter.problems,
            )
            .map(|written| Made::Grant(Arc::new(written))),
            Kind::Attachment => converter
                .attachment(&node, &self.config.name, resource.origin.clone())
                .map(|attachment| Made::Attachment(Arc::new(attachment))),
        };
        let found = converter.problems.in_modules(&self.chain(resource));
        match made {
            Some(made) if !found.has_errors() => {
                // Warnings name no account: what is doubtful is so in each.
                self.problems.extend(found);
                made
            }
            _ => Made::Broken(found.sorted().into()),
        }
    }

    /// The modules that a resource is in.
    fn chain(&self, resource: &Resource) -> Arc<[String]> {
        self.config
            .instances
            .get(resource.instance)
            .map(|instance| instance.chain.clone())
            .unwrap_or_default()
    }

    fn note(&mut self, problem: Problem, account: AccountId) {
        let alike = self.noted.entry(problem.hash()).or_default();
        let known = alike.iter().find(|at| {
            self.in_accounts
                .get(**at)
                .is_some_and(|(known, _)| *known == problem)
        });
        if let Some((_, accounts)) = known.and_then(|at| self.in_accounts.get_mut(*at)) {
            accounts.insert(account);
        } else {
            alike.push(self.in_accounts.len());
            self.in_accounts.push((problem, BTreeSet::from([account])));
        }
    }

    fn finish(mut self) -> Result<Expansion, Problems> {
        for (problem, accounts) in std::mem::take(&mut self.in_accounts) {
            let within = format!(" (in {})", fold(&accounts));
            let lacks = problem.lacks.clone().map(|lack| Lack {
                variable: lack.variable + &within,
                ..lack
            });
            self.problems.push(Problem {
                message: format!("{}{within}", problem.message),
                lacks,
                ..problem
            });
        }
        for pattern in &self.narrow.roles {
            if !self
                .seen_roles
                .iter()
                .any(|name| crate::org::glob(pattern, name))
            {
                let known: Vec<String> = self.config.roles().map(Resource::written_name).collect();
                let hint = did_you_mean(pattern, known.iter().map(String::as_str));
                let message = format!(
                    "no role of this directory matches `{pattern}` in the accounts of this run"
                );
                self.problems
                    .push(Problem::elsewhere("selector", "--role", message).maybe_hint(hint));
            }
        }
        let secrets = self.found.secrets();
        self.expansion.findings = self.judge.into_findings(&secrets);
        self.expansion.warnings = self.problems.masked(&secrets).into_result()?;
        self.expansion.desired.secrets = secrets;
        Ok(self.expansion)
    }
}

/// `account 111111111111`, or the first few and how many more.
fn fold(accounts: &BTreeSet<AccountId>) -> String {
    let named: Vec<&str> = accounts
        .iter()
        .take(NAMED_ACCOUNTS)
        .map(AccountId::as_str)
        .collect();
    let word = if accounts.len() == 1 {
        "account"
    } else {
        "accounts"
    };
    let more = match accounts.len().saturating_sub(NAMED_ACCOUNTS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{word} {}{more}", named.join(", "))
}
