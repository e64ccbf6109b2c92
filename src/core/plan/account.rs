//! The plan of one account, and what must be read for it beyond the bulk read.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::disposition::dispositions;
use super::planner::Planner;
use super::remark::{exists, newly_named};
use super::{
    AccountPlan, Action, Change, Extras, Finding, Memory, Reason, Settings, Status, Unmanaged,
    attachment, order, policy, principals, quota,
};
use crate::desired::{AccountDesired, needs_details};
use crate::diff::{Owner, owner};
use crate::lint;
use crate::live::{LiveAccount, Quotas};
use crate::org::{Account, AwsError};
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::PolicyArn;
use crate::resource::role::Ensure;

/// What the bulk read of an account leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Policies whose tags must be read before a write to them is planned; fills
    /// [`LivePolicy::tags`](crate::resource::managed_policy::LivePolicy::tags).
    pub policy_tags: BTreeSet<PolicyArn>,
    /// Policies that would be attached and may not exist; fills [`LiveAccount::known_policies`].
    pub managed_policies: BTreeSet<PolicyArn>,
    /// Whether something is beyond the documented default of a quota; fills [`LiveAccount::quotas`].
    pub quotas: bool,
    /// Whether a role is replaced whose description and duration must be kept; fills
    /// [`LiveRole::details`](crate::resource::role::LiveRole::details).
    pub details: bool,
}

impl Needs {
    /// Whether nothing is left open.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Plans one account that was read. With a memory of it the plan gives the cause of each difference.
///
/// # Guarantees
/// - Only resources with this directory's tag, and those that may be adopted, get a change; protected roles get none.
/// - The steps of a change are complete and in an order that IAM accepts: policies before roles, attach before detach
///   unless a quota requires the reverse.
/// - A change without steps is cosmetic, or the report of a resource that needs no write.
///
/// # Assumptions
/// - `live` was read whole for everything that `settings` puts in scope. An account that could not be read is never
///   passed here: an unread account is not an empty one.
/// - Tags of policies are in `live` for every policy that may be written.
pub fn plan_account(
    settings: &Settings,
    account: &Account,
    desired: Option<&AccountDesired>,
    live: &LiveAccount,
    memory: Option<&Memory>,
) -> AccountPlan {
    let nothing = AccountDesired::default();
    let context = Context {
        memory,
        ..Context::new(settings, account, desired.unwrap_or(&nothing), live)
    };
    let roles = dispositions(&context);
    let mut planner = Planner::new(&context, &roles);
    // What becomes of the policies decides what roles and attachments name, so they come first.
    planner.plan_policies();
    planner.plan_roles();
    planner.plan_attachments();
    planner.plan_grants();
    let mut tally = planner.tally;
    if settings.unmanaged == Unmanaged::Listed {
        tally.findings.extend(unmanaged(&context));
    }
    let quotas = live.quotas.unwrap_or_default();
    let (role_count, policy_count) = counts_after(live, &tally.changes);
    if adds(&tally.changes) {
        tally.findings.extend(quota::of_account(
            &context,
            role_count,
            policy_count,
            &quotas,
        ));
    }
    tally
        .findings
        .extend(principals::invalid(&context, &tally.changes));
    let changes = order::within(
        tally.changes,
        &settings.partition,
        live.roles.len(),
        quotas.roles,
    );
    let gone = memory
        .map(|memory| memory.gone(&changes, live))
        .unwrap_or_default();
    AccountPlan {
        changes,
        seen: tally.seen,
        gone,
        findings: tally.findings,
        unchanged: tally.unchanged,
        owned: tally.owned,
        orphans: tally.orphans,
        desired: tally.desired,
        ..empty(account, Status::Read, None)
    }
}

/// The findings on roles that no directory declares and that let in someone from outside the organization.
fn unmanaged(context: &Context<'_>) -> Vec<Finding> {
    let roles = context.live.roles.iter().filter(|(key, role)| {
        let nobodys = owner(&role.tags, &context.settings.name) == Owner::None;
        nobodys && !context.desired.roles.contains_key(*key) && context.settings.selects(&role.name)
    });
    let found = roles.filter_map(|(_, role)| {
        let outsiders = lint::outsiders(&context.settings.lints, &role.trust)?;
        let message = format!(
            "role `{}` is not managed by any directory and trusts {outsiders}; declare it with `adopt = true`, or have it deleted",
            role.name
        );
        Some(Finding::warn("unmanaged", &context.role_address(&role.name), message))
    });
    found.collect()
}

/// The plan of an account that could not be read: nothing is changed there.
pub fn unreadable(account: &Account, error: AwsError) -> AccountPlan {
    empty(account, Status::Unreadable, Some(Reason::Aws(error)))
}

/// The plan of an account that is left out, with the reason.
pub fn skipped(account: &Account, reason: String) -> AccountPlan {
    empty(account, Status::Skipped, Some(Reason::Text(reason)))
}

fn empty(account: &Account, status: Status, error: Option<Reason>) -> AccountPlan {
    AccountPlan {
        id: account.id,
        name: account.name.clone(),
        ou: account.ou.to_string(),
        status,
        error,
        changes: Vec::new(),
        findings: Vec::new(),
        unchanged: 0,
        owned: 0,
        orphans: 0,
        desired: 0,
        seen: BTreeMap::new(),
        gone: BTreeSet::new(),
    }
}

fn adds(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.action == Action::Create)
}

/// How many roles, and how many policies at most, there will be: roles that go may go first, policies go last.
fn counts_after(live: &LiveAccount, changes: &[Change]) -> (usize, usize) {
    let count = |kind: order::Kind, action: Action| {
        changes
            .iter()
            .filter(|change| change.action == action && order::kind(change) == kind)
            .count()
    };
    let roles = live.roles.len() + count(order::Kind::Role, Action::Create);
    let roles = roles.saturating_sub(count(order::Kind::Role, Action::Delete));
    (
        roles,
        live.policies.len() + count(order::Kind::Policy, Action::Create),
    )
}

/// What must be read of an account, after the bulk read, before it can be planned.
pub fn needs(
    settings: &Settings,
    account: &Account,
    desired: Option<&AccountDesired>,
    live: &LiveAccount,
    memory: Option<&Memory>,
) -> Needs {
    let nothing = AccountDesired::default();
    let context = Context {
        memory,
        ..Context::new(settings, account, desired.unwrap_or(&nothing), live)
    };
    let mut needs = Needs {
        policy_tags: policy_tags(&context),
        ..Needs::default()
    };
    let present = context
        .desired_roles()
        .filter(|role| role.ensure == Ensure::Present && !role.external);
    for desired in present {
        let there = context.live_role(&desired.name.key());
        if there.is_none() && !desired.create {
            continue;
        }
        let after = context.target(desired, there).role;
        let new = newly_named(there, &after).into_iter();
        needs
            .managed_policies
            .extend(new.filter(|arn| exists(&context, arn).is_none()).cloned());
        needs.quotas |= there != Some(&after)
            && !quota::of_role(&context, &after, &Quotas::default()).is_empty();
        let replaced = there.is_some_and(|there| {
            there.path != after.path && owner(&there.tags, &settings.name) == Owner::Us
        });
        needs.details |= there.is_some_and(|there| there.details.is_none())
            && (replaced || needs_details(desired));
    }
    let holders = context
        .desired_attachments()
        .filter_map(|attachment| context.live_role(&attachment.id.role.key()));
    for role in holders {
        needs.quotas |= !attachment::beyond(&context, role, &Quotas::default()).is_empty();
    }
    let new_roles = context
        .desired_roles()
        .filter(|role| context.live_role(&role.name.key()).is_none())
        .count();
    let new_policies = context
        .desired
        .policies
        .keys()
        .filter(|key| !live.policies.contains_key(*key))
        .count();
    needs.quotas |= new_roles > 0 && live.roles.len() + new_roles > Quotas::default().roles;
    needs.quotas |=
        new_policies > 0 && live.policies.len() + new_policies > Quotas::default().policies;
    needs.quotas &= live.quotas.is_none();
    needs
}

/// Whether the tags of a policy that is not desired are read: with prune of each, otherwise of those on record, which
/// are orphans as long as they have the tag.
fn is_looked_at(context: &Context<'_>, live: &LivePolicy) -> bool {
    let on_record = |memory: &Memory| {
        memory
            .resources
            .contains_key(&context.policy_address(&live.name))
    };
    context.settings.extras == Extras::Remove || context.memory.is_some_and(on_record)
}

fn policy_tags(context: &Context<'_>) -> BTreeSet<PolicyArn> {
    let unread = context
        .live
        .policies
        .iter()
        .filter(|(_, live)| live.tags.is_none());
    let wanted = unread.filter(|(key, live)| match context.desired_policy(key) {
        Some(desired) => policy::needs_tags(desired, live),
        None => context.settings.roles.is_empty() && is_looked_at(context, live),
    });
    wanted.map(|(_, live)| live.arn.clone()).collect()
}
