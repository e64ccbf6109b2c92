//! The order of changes: what names something comes after it.
//!
//! Within an account policies come first, then roles, then attachments, then grants, then deletions of roles, then deletions of policies. A
//! grant to a role, or an attachment, comes after that role's own change. A role comes
//! after the policies it attaches, after a replaced policy was taken off it, and after the roles its trust policy names,
//! because IAM refuses a principal that does not exist. A policy is deleted after the roles that let go of it.
//!
//! Roles that trust each other cannot all be first. One of them is created with a trust policy that trusts no
//! principal, and its real one is the last step of its change: a second pass, once all it names exist
//! ([`Change::finish_after`]).

use std::collections::{BTreeMap, BTreeSet};

use super::{AccountPlan, Action, Change};
use crate::org::{AccountId, Partition};
use crate::resource::name::RoleName;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::step::Step;

/// A trust policy that trusts no principal, for a role whose principals do not exist yet.
const CLOSED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;

/// Orders the changes of one account and says of each what it comes after.
///
/// `roles` is how many roles there are and `quota` how many there may be: where new ones do not fit beside those that
/// go, deletions come first.
pub(super) fn within(
    mut changes: Vec<Change>,
    partition: &Partition,
    roles: usize,
    quota: usize,
) -> Vec<Change> {
    changes.sort_by_key(|change| (rank(change), change.address.clone()));
    let created = changes
        .iter()
        .filter(|change| change.action == Action::Create && is_role(change))
        .count();
    let full = created > 0 && roles + created > quota;
    let all: Vec<(String, Facts)> = changes
        .iter()
        .map(|change| (change.address.clone(), Facts::of(change, partition)))
        .collect();
    for (change, (own, facts)) in changes.iter_mut().zip(&all) {
        let before = all.iter().filter(|(address, other)| {
            if address == own {
                facts.trusts_itself()
            } else {
                comes_after(facts, other, full)
            }
        });
        change.after = before.map(|(address, _)| address.clone()).collect();
    }
    sort(changes)
}

/// What a change is about, going by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Role,
    Policy,
    Grant,
    Attachment,
}

pub(super) fn kind(change: &Change) -> Kind {
    match change.address.split('/').nth(1) {
        Some("role") => Kind::Role,
        Some("grant") => Kind::Grant,
        Some("attachment") => Kind::Attachment,
        _ => Kind::Policy,
    }
}

fn is_role(change: &Change) -> bool {
    kind(change) == Kind::Role
}

/// Where a change stands among those it does not wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    #[default]
    Policy,
    Role,
    Attachment,
    Grant,
    RoleDeletion,
    PolicyDeletion,
}

fn rank(change: &Change) -> Rank {
    match (kind(change), change.action) {
        (Kind::Policy, Action::Delete) => Rank::PolicyDeletion,
        (Kind::Policy, _) => Rank::Policy,
        (Kind::Role, Action::Delete) => Rank::RoleDeletion,
        (Kind::Role, _) => Rank::Role,
        (Kind::Grant, _) => Rank::Grant,
        (Kind::Attachment, _) => Rank::Attachment,
    }
}

/// What a change needs and provides.
#[derive(Default)]
struct Facts {
    rank: Rank,
    /// Whether it has writes at all.
    writes: bool,
    creates_role: bool,
    /// ARNs that exist once it is done.
    provides: BTreeSet<String>,
    /// ARNs of policies that it attaches or bounds by.
    attaches: BTreeSet<String>,
    /// ARNs of policies that it takes off roles.
    detaches: BTreeSet<String>,
    /// Whether it takes or changes a boundary, or deletes a role that may have one.
    unbinds: bool,
    /// ARNs of policies that it deletes.
    deletes: BTreeSet<String>,
    /// The roles it writes.
    roles: BTreeSet<String>,
    /// ARNs that trust policies it writes name.
    trusts: BTreeSet<String>,
}

impl Facts {
    fn of(change: &Change, partition: &Partition) -> Self {
        let account = change.address.split('/').next().unwrap_or_default();
        let mut facts = Self {
            rank: rank(change),
            writes: !change.steps.is_empty(),
            ..Self::default()
        };
        for step in &change.steps {
            facts.learn(step, account, partition);
        }
        facts
    }

    fn learn(&mut self, step: &Step, account: &str, partition: &Partition) {
        let arn = |kind: &str, path: &dyn std::fmt::Display, name: &dyn std::fmt::Display| {
            format!("arn:{partition}:iam::{account}:{kind}{path}{name}")
        };
        match step {
            Step::CreatePolicy { name, path, .. } => {
                _ = self.provides.insert(arn("policy", path, name));
            }
            Step::CreatePolicyVersion { arn, .. } => _ = self.provides.insert(arn.to_string()),
            Step::DeletePolicy { arn } => _ = self.deletes.insert(arn.to_string()),
            Step::CreateRole {
                role,
                path,
                trust,
                permissions_boundary,
                ..
            } => {
                self.creates_role = true;
                self.provides.insert(arn("role", path, role));
                self.trusts.extend(principals(trust, partition));
                self.attaches
                    .extend(permissions_boundary.iter().map(ToString::to_string));
            }
            Step::UpdateAssumeRolePolicy { document, .. } => {
                self.trusts.extend(principals(document, partition));
            }
            Step::PutRolePermissionsBoundary { arn, .. } => {
                self.unbinds = true;
                self.attaches.insert(arn.to_string());
            }
            Step::DeleteRolePermissionsBoundary { .. } | Step::DeleteRole { .. } => {
                self.unbinds = true;
            }
            Step::AttachRolePolicy { arn, .. } => _ = self.attaches.insert(arn.to_string()),
            Step::DetachRolePolicy { arn, .. } => _ = self.detaches.insert(arn.to_string()),
            Step::DeletePolicyVersion { .. }
            | Step::TagPolicy { .. }
            | Step::UntagPolicy { .. }
            | Step::UpdateRole { .. }
            | Step::TagRole { .. }
            | Step::UntagRole { .. }
            | Step::PutRolePolicy { .. }
            | Step::DeleteRolePolicy { .. }
            | Step::PutUserPolicy { .. }
            | Step::DeleteUserPolicy { .. }
            | Step::PutGroupPolicy { .. }
            | Step::DeleteGroupPolicy { .. }
            | Step::RemoveRoleFromInstanceProfile { .. }
            | Step::AddRoleToInstanceProfile { .. } => {}
        }
        self.roles.extend(role_of(step).map(RoleName::key));
    }

    fn trusts_itself(&self) -> bool {
        self.creates_role && !self.trusts.is_disjoint(&self.provides)
    }
}

fn role_of(step: &Step) -> Option<&RoleName> {
    match step {
        Step::CreateRole { role, .. }
        | Step::UpdateAssumeRolePolicy { role, .. }
        | Step::UpdateRole { role, .. }
        | Step::PutRolePermissionsBoundary { role, .. }
        | Step::DeleteRolePermissionsBoundary { role }
        | Step::TagRole { role, .. }
        | Step::UntagRole { role, .. }
        | Step::AttachRolePolicy { role, .. }
        | Step::DetachRolePolicy { role, .. }
        | Step::PutRolePolicy { role, .. }
        | Step::DeleteRolePolicy { role, .. }
        | Step::RemoveRoleFromInstanceProfile { role, .. }
        | Step::AddRoleToInstanceProfile { role, .. }
        | Step::DeleteRole { role } => Some(role),
        Step::CreatePolicy { .. }
        | Step::CreatePolicyVersion { .. }
        | Step::DeletePolicyVersion { .. }
        | Step::TagPolicy { .. }
        | Step::UntagPolicy { .. }
        | Step::DeletePolicy { .. }
        | Step::PutUserPolicy { .. }
        | Step::DeleteUserPolicy { .. }
        | Step::PutGroupPolicy { .. }
        | Step::DeleteGroupPolicy { .. } => None,
    }
}

fn principals(document: &str, partition: &Partition) -> BTreeSet<String> {
    PolicyDocument::live(document, PolicyKind::Trust, partition).aws_principals()
}

/// Whether a change must wait for another.
fn comes_after(change: &Facts, other: &Facts, full: bool) -> bool {
    if !change.writes || !other.writes {
        return false;
    }
    match (change.rank, other.rank) {
        // A policy takes a replaced one off a role before that role's own change; the role then attaches the new one.
        (Rank::Role | Rank::Attachment | Rank::RoleDeletion, Rank::Policy) => {
            !change.attaches.is_disjoint(&other.provides) || !change.roles.is_disjoint(&other.roles)
        }
        (Rank::Role, Rank::Role) => {
            other.creates_role && !change.trusts.is_disjoint(&other.provides)
        }
        (Rank::Role, Rank::RoleDeletion) => full && change.creates_role,
        // Writes to one role go one after another.
        (Rank::Attachment, Rank::Role) | (Rank::Grant, Rank::Role | Rank::Attachment) => {
            !change.roles.is_disjoint(&other.roles)
        }
        (Rank::PolicyDeletion, Rank::Role | Rank::Attachment | Rank::RoleDeletion) => {
            !change.deletes.is_disjoint(&other.detaches) || other.unbinds
        }
        _ => false,
    }
}

/// Sorts by what each change comes after; the order given decides among equals. Breaks cycles of trust.
fn sort(changes: Vec<Change>) -> Vec<Change> {
    let mut sorted: Vec<Change> = Vec::with_capacity(changes.len());
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut waiting = changes;
    while !waiting.is_empty() {
        let ready = waiting
            .iter()
            .position(|change| change.after.is_subset(&done));
        // Nothing is ready: roles trust each other. One of them is created first, with a trust policy that trusts no
        // principal, because IAM refuses a policy that names a role that does not exist; its real policy is written
        // once the others are there. Until then it is closed rather than open.
        let mut next = waiting.remove(ready.unwrap_or_else(|| circular(&waiting)));
        if ready.is_none() {
            let missing: BTreeSet<String> = next.after.difference(&done).cloned().collect();
            next.after.retain(|address| done.contains(address));
            finish_after(&mut next, missing);
        }
        done.insert(next.address.clone());
        sorted.push(next);
    }
    sorted
}

/// The first change that waits for itself. Only creations of roles are waited for in a circle.
fn circular(waiting: &[Change]) -> usize {
    let edges = waiting
        .iter()
        .map(|change| (change.address.clone(), change.after.clone()))
        .collect();
    let waits_for_itself = |change: &Change| {
        change
            .after
            .iter()
            .any(|other| reaches(&edges, other, &change.address))
    };
    waiting
        .iter()
        .position(waits_for_itself)
        .unwrap_or_default()
}

/// Lets a new role begin with a trust policy that trusts no principal, and get its real one once `missing` are done.
fn finish_after(change: &mut Change, missing: BTreeSet<String>) {
    if change.finish_after.is_empty() {
        let finish = close(&mut change.steps);
        change.steps.extend(finish);
    }
    change.finish_after.extend(missing);
}

fn close(steps: &mut [Step]) -> Option<Step> {
    steps.iter_mut().find_map(|step| match step {
        Step::CreateRole { role, trust, .. } => {
            let document = std::mem::replace(trust, CLOSED.to_owned());
            Some(Step::UpdateAssumeRolePolicy {
                role: role.clone(),
                document,
            })
        }
        _ => None,
    })
}

/// Adds to each change the changes in other accounts that create a role its trust policy names.
///
/// Where accounts wait for each other, the role that closes the circle is finished in a second pass.
pub(super) fn across(accounts: &mut [AccountPlan], partition: &Partition) {
    let mut makers: BTreeMap<String, String> = BTreeMap::new();
    let mut trusts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for change in accounts
        .iter()
        .flat_map(|account| &account.changes)
        .filter(|change| is_role(change))
    {
        let facts = Facts::of(change, partition);
        if facts.creates_role {
            makers.extend(
                facts
                    .provides
                    .into_iter()
                    .map(|arn| (arn, change.address.clone())),
            );
        }
        trusts.insert(change.address.clone(), facts.trusts);
    }
    if makers.is_empty() {
        return;
    }
    let mut edges: BTreeMap<String, BTreeSet<String>> = accounts
        .iter()
        .flat_map(|account| &account.changes)
        .map(|change| (change.address.clone(), change.after.clone()))
        .collect();
    for (address, named) in trusts {
        let others: BTreeSet<String> = named
            .iter()
            .filter_map(|arn| makers.get(arn))
            .filter(|maker| !same_account(maker, &address))
            .cloned()
            .collect();
        if others.is_empty() {
            continue;
        }
        let (circular, plain): (BTreeSet<_>, BTreeSet<_>) = others
            .into_iter()
            .partition(|maker| reaches(&edges, maker, &address));
        edges
            .entry(address.clone())
            .or_default()
            .extend(plain.iter().cloned());
        if let Some(change) = find(accounts, &address) {
            change.after.extend(plain);
            if !circular.is_empty() {
                finish_after(change, circular);
            }
        }
    }
}

fn same_account(one: &str, other: &str) -> bool {
    one.split('/').next() == other.split('/').next()
}

/// Whether the change `from` waits, directly or not, for `to`.
fn reaches(edges: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(address) = open.pop() {
        if address == to {
            return true;
        }
        if seen.insert(address) {
            open.extend(edges.get(address).into_iter().flatten().map(String::as_str));
        }
    }
    false
}

fn find<'a>(accounts: &'a mut [AccountPlan], address: &str) -> Option<&'a mut Change> {
    let id = AccountId::parse(address.split('/').next()?).ok()?;
    let index = accounts
        .binary_search_by_key(&id, |account| account.id)
        .ok()?;
    accounts
        .get_mut(index)?
        .changes
        .iter_mut()
        .find(|change| change.address == address)
}
