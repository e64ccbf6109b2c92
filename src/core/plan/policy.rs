//! What happens to each customer managed policy of an account.
//!
//! A policy's tags are not in the bulk read and cost a call each. They are read where a write is to be planned, where
//! the desired state writes tags, and for undesired policies where managed policies are to be removed; one that is
//! desired without tags and equal costs nothing and is taken for ours.
//!
//! IAM deletes no policy that is attached to anything, and it cannot move one to another path. So a policy that is
//! replaced is first taken off every role that this plan may write; the changes of these roles put the new one back.

use std::collections::{BTreeMap, BTreeSet};

use super::account::Tally;
use super::claim::{Claim, Subject, claim, stack_owned};
use super::context::Context;
use super::coverage::Coverage;
use super::fingerprint::{Purpose, of_policy};
use super::memory::Seen;
use super::role::{Standing, prevent_destroy};
use super::show::{self, Sides};
use super::{Action, Attribute, Change, Extras, Finding, Watch, attachment, quota, steps};
use crate::diff::policy::{Target, target};
use crate::diff::{Owner, owner};
use crate::resource::managed_policy::{LivePolicy, ManagedPolicy};
use crate::resource::name::PolicyArn;
use crate::resource::policy::Difference;
use crate::resource::role::LiveRole;
use crate::resource::step::Step;

/// What the plan of the policies means for the roles.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// Policies that are replaced: the old ARN and the new one.
    moved: BTreeMap<PolicyArn, PolicyArn>,
    /// Policies that are deleted.
    deleted: BTreeSet<PolicyArn>,
}

impl Policies {
    /// Whether the policy is replaced.
    pub(super) fn moves(&self, arn: &PolicyArn) -> bool {
        self.moved.contains_key(arn)
    }

    /// The role as it is once replaced policies were taken off it.
    pub(super) fn once_moved(&self, live: &LiveRole) -> LiveRole {
        let mut role = live.clone();
        role.managed_policies
            .retain(|arn| !self.moved.contains_key(arn));
        role.permissions_boundary = role
            .permissions_boundary
            .filter(|arn| !self.moved.contains_key(arn));
        role
    }

    /// Names what is replaced by its new ARN, and takes off what is deleted.
    pub(super) fn settle(&self, after: &mut LiveRole) {
        let settled = |arn: &PolicyArn| self.moved.get(arn).unwrap_or(arn).clone();
        after.managed_policies = after
            .managed_policies
            .iter()
            .filter(|arn| !self.deleted.contains(*arn))
            .map(settled)
            .collect();
        after.permissions_boundary = after.permissions_boundary.as_ref().map(settled);
    }
}

/// Plans every policy of the account.
pub(super) fn plan(
    context: &Context<'_>,
    roles: &BTreeMap<&str, Standing<'_>>,
    tally: &mut Tally,
) -> Policies {
    let mut policies = Policies::default();
    let keys: BTreeSet<&String> = context
        .desired
        .policies
        .keys()
        .chain(context.live.policies.keys())
        .collect();
    for key in keys {
        match (context.desired_policy(key), context.live.policies.get(key)) {
            (Some(desired), None) => create(context, desired, tally),
            (Some(desired), Some(live)) => {
                existing(context, desired, live, roles, &mut policies, tally);
            }
            (None, Some(live)) if context.settings.roles.is_empty() => {
                extra(context, live, roles, &mut policies, tally);
            }
            (None, _) => {}
        }
        tally.desired += usize::from(context.desired_policy(key).is_some());
    }
    policies
}

/// What a desired policy is to become.
pub(super) fn desired_target(
    context: &Context<'_>,
    desired: &ManagedPolicy,
    live: Option<&LivePolicy>,
) -> Target {
    target(desired, live, &context.settings.name, &|desired| {
        context.policy_arn(desired, live)
    })
}

/// Whether the tags of this policy must be read: a write to it is to be planned, going by what the bulk read tells, or
/// its tags are written in the desired state, or it is to be adopted, which only its tags tell from one that is managed.
pub(super) fn needs_tags(desired: &ManagedPolicy, live: &LivePolicy) -> bool {
    needs_write(desired, live)
        || desired.adopt
        || desired.tags.as_ref().is_some_and(|tags| !tags.is_empty())
}

/// Whether a write to this policy is to be planned, going by what the bulk read tells.
fn needs_write(desired: &ManagedPolicy, live: &LivePolicy) -> bool {
    desired.path.as_ref().is_some_and(|path| *path != live.path)
        || live.document.difference(&desired.document) == Difference::Semantic
}

fn create(context: &Context<'_>, desired: &ManagedPolicy, tally: &mut Tally) {
    let Target { policy: after, .. } = desired_target(context, desired, None);
    tally.findings.extend(quota::of_policy(
        context,
        &after,
        &context.live.quotas.unwrap_or_default(),
    ));
    let steps = steps::create_policy(&after);
    let draft = Draft {
        action: Action::Create,
        reason: "not in the account".to_owned(),
        accepted: BTreeSet::new(),
        steps,
    };
    tally.changes.push(change(
        context,
        Sides {
            before: None,
            after: Some(&after),
        },
        None,
        draft,
    ));
}

fn existing(
    context: &Context<'_>,
    desired: &ManagedPolicy,
    live: &LivePolicy,
    roles: &BTreeMap<&str, Standing<'_>>,
    policies: &mut Policies,
    tally: &mut Tally,
) {
    let address = context.policy_address(&live.name);
    let target = desired_target(context, desired, Some(live));
    let action = match &live.tags {
        None if needs_tags(desired, live) => {
            let message = format!(
                "the tags of policy `{}` were not read; plan again",
                live.name
            );
            tally
                .findings
                .push(Finding::stop("unread", &address, message));
            return;
        }
        None => Action::Update,
        Some(tags) => {
            let subject = Subject {
                kind: "policy",
                name: live.name.as_str(),
                address: &address,
                tags,
            };
            match claim(context, &subject, desired.adopt) {
                Claim::Ours => Action::Update,
                Claim::Adopt => Action::Adopt,
                Claim::Refused(finding) => {
                    tally.findings.push(finding);
                    return;
                }
            }
        }
    };
    tally.owned += usize::from(action == Action::Update);
    let mut target = target;
    let accepted = match action {
        Action::Update => {
            let sides = Sides {
                before: Some(live),
                after: Some(&target.policy),
            };
            let diffs = show::policy(sides, None, None, &context.settings.secrets);
            let seen = (Seen::Policy(live), Seen::Policy(&target.policy));
            context.accepted(&address, seen, diffs, tally)
        }
        _ => BTreeSet::new(),
    };
    for attribute in &accepted {
        leave(&mut target.policy, live, *attribute);
    }
    let change = match (action, target.policy.path == live.path) {
        (Action::Adopt, false) => {
            tally
                .findings
                .push(adopt_path(live, &target.policy, &address));
            return;
        }
        (_, false) => Some(replace(
            context, desired, live, target, roles, policies, tally,
        )),
        (_, true) => update(context, live, &target, (action, &accepted), tally),
    };
    if action == Action::Update && change.as_ref().is_some_and(|change| !change.cosmetic) {
        let what = format!("policy `{}`", live.name);
        tally.findings.extend(context.never_made(&what, &address));
    }
    if let Some(change) = change {
        tally.changes.push(change);
    } else {
        tally.unchanged += 1;
        context.note(&address, Seen::Policy(live), &accepted, tally);
    }
}

/// Leaves an attribute of a policy as it is.
fn leave(after: &mut LivePolicy, live: &LivePolicy, attribute: Attribute) {
    match attribute {
        Attribute::Path => {
            after.path.clone_from(&live.path);
            after.arn.clone_from(&live.arn);
        }
        Attribute::Document => after.document = live.document.clone(),
        Attribute::Tags => after.tags.clone_from(&live.tags),
        // IAM never changes a description, and a policy has none of the others.
        Attribute::Description
        | Attribute::Trust
        | Attribute::ManagedPolicies
        | Attribute::InlinePolicies
        | Attribute::PermissionsBoundary
        | Attribute::MaxSessionDuration => {}
    }
}

fn adopt_path(live: &LivePolicy, after: &LivePolicy, address: &str) -> Finding {
    let message = format!(
        "policy `{}` has the path `{}`, but `{}` is desired: adoption never replaces; set the live path, or remove `path`",
        live.name, live.path, after.path
    );
    Finding::stop("adopt-path", address, message)
}

fn update(
    context: &Context<'_>,
    live: &LivePolicy,
    target: &Target,
    (action, accepted): (Action, &BTreeSet<Attribute>),
    tally: &mut Tally,
) -> Option<Change> {
    if target.policy == *live && target.spelling.is_none() && target.description.is_none() {
        return None;
    }
    let steps = steps::update_policy(live, &target.policy);
    if !steps.is_empty() {
        check(context, live, tally);
        tally.findings.extend(quota::of_policy(
            context,
            &target.policy,
            &context.live.quotas.unwrap_or_default(),
        ));
    }
    let sides = Sides {
        before: Some(live),
        after: Some(&target.policy),
    };
    Some(change(
        context,
        sides,
        Some(target),
        Draft {
            action,
            reason: String::new(),
            accepted: accepted.clone(),
            steps,
        },
    ))
}

fn check(context: &Context<'_>, live: &LivePolicy, tally: &mut Tally) {
    let former = context
        .desired_policy(&live.name.key())
        .and_then(|desired| desired.former_stack.as_deref());
    let address = context.policy_address(&live.name);
    let subject = live.tags.as_ref().map(|tags| Subject {
        kind: "policy",
        name: live.name.as_str(),
        address: &address,
        tags,
    });
    tally
        .findings
        .extend(subject.and_then(|subject| stack_owned(&subject, former)));
}

fn replace(
    context: &Context<'_>,
    desired: &ManagedPolicy,
    live: &LivePolicy,
    target: Target,
    roles: &BTreeMap<&str, Standing<'_>>,
    policies: &mut Policies,
    tally: &mut Tally,
) -> Change {
    let address = context.policy_address(&live.name);
    check(context, live, tally);
    if desired.prevent_destroy {
        tally.findings.push(prevent_destroy(
            "policy",
            live.name.as_str(),
            &address,
            "replace",
        ));
    }
    let mut after = target.policy;
    after.description = desired.description.clone().or(after.description);
    // A boundary that goes for a moment is a moment without bounds, so it is never taken off unasked.
    tally.findings.extend(in_use(
        live,
        &address,
        holders(context, live, roles).count(),
        0,
    ));
    tally.findings.extend(quota::of_policy(
        context,
        &after,
        &context.live.quotas.unwrap_or_default(),
    ));
    let detach = holders(context, live, roles).map(|role| Step::DetachRolePolicy {
        role: role.name.clone(),
        arn: live.arn.clone(),
    });
    let unbind = bound(live, roles).map(|role| Step::DeleteRolePermissionsBoundary {
        role: role.name.clone(),
    });
    let steps = detach
        .chain(unbind)
        .chain(steps::delete_policy(live))
        .chain(steps::create_policy(&after))
        .collect();
    policies.moved.insert(live.arn.clone(), after.arn.clone());
    let reason = format!(
        "path is `{}`, but `{}` is desired, and IAM cannot rename",
        live.path, after.path
    );
    let sides = Sides {
        before: Some(live),
        after: Some(&after),
    };
    change(
        context,
        sides,
        None,
        Draft {
            action: Action::Replace,
            reason,
            accepted: BTreeSet::new(),
            steps,
        },
    )
}

/// The roles this plan takes the policy off: those that it may write, and those that it attached the policy to.
fn holders<'b>(
    context: &'b Context<'_>,
    live: &'b LivePolicy,
    roles: &'b BTreeMap<&str, Standing<'_>>,
) -> impl Iterator<Item = &'b LiveRole> {
    roles
        .values()
        .filter_map(Standing::handled)
        .filter(|role| role.managed_policies.contains(&live.arn))
        .chain(attachment::holders(context, live, roles))
}

/// The roles this plan may write that the policy is the boundary of.
fn bound<'b>(
    live: &'b LivePolicy,
    roles: &'b BTreeMap<&str, Standing<'_>>,
) -> impl Iterator<Item = &'b LiveRole> {
    roles
        .values()
        .filter_map(Standing::handled)
        .filter(|role| role.permissions_boundary.as_ref() == Some(&live.arn))
}

/// The finding on deleting a policy that is in use beyond what this plan takes it off.
fn in_use(
    live: &LivePolicy,
    address: &str,
    attachments: usize,
    boundaries: usize,
) -> Option<Finding> {
    let more = |count: u32, handled: usize| {
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .saturating_sub(handled)
    };
    let (attached, bounds) = (
        more(live.attachments, attachments),
        more(live.boundaries, boundaries),
    );
    let message = match (attached, bounds) {
        (0, 0) => return None,
        (attached, 0) => {
            format!(
                "is attached to {attached} more users, groups or roles that this directory does not manage"
            )
        }
        (_, bounds) => format!("is the permissions boundary of {bounds} users or roles"),
    };
    let message = format!(
        "policy `{}` {message}: IAM does not delete a policy that is in use; detach it there first",
        live.arn
    );
    Some(Finding::stop("policy-in-use", address, message))
}

/// A policy that is not desired.
fn extra(
    context: &Context<'_>,
    live: &LivePolicy,
    roles: &BTreeMap<&str, Standing<'_>>,
    policies: &mut Policies,
    tally: &mut Tally,
) {
    if live
        .tags
        .as_ref()
        .is_none_or(|tags| owner(tags, &context.settings.name) != Owner::Us)
    {
        return;
    }
    tally.owned += 1;
    let address = context.policy_address(&live.name);
    context.note_extra(&address, Seen::Policy(live), tally);
    let referred = context.is_referred_to(&live.name.key());
    if referred || context.settings.extras == Extras::Keep {
        tally.orphans += 1;
        let hint = if referred {
            "a declared role still uses it"
        } else {
            "delete it with `--prune`"
        };
        let account = context.account.id;
        let message = format!(
            "policy `{}` in account {account} is managed by this directory but no longer declared; {hint}",
            live.name
        );
        tally
            .findings
            .push(Finding::warn("orphan", &address, message));
        return;
    }
    check(context, live, tally);
    tally
        .findings
        .extend(context.unrecorded(&format!("policy `{}`", live.name), &address));
    let released = bound(live, roles)
        .filter(|role| releases_boundary(context, roles, role))
        .count();
    tally.findings.extend(in_use(
        live,
        &address,
        holders(context, live, roles).count(),
        released,
    ));
    policies.deleted.insert(live.arn.clone());
    let draft = Draft {
        action: Action::Delete,
        reason: context.settings.intent.why_extras_go().to_owned(),
        accepted: BTreeSet::new(),
        steps: steps::delete_policy(live),
    };
    tally.changes.push(change(
        context,
        Sides {
            before: Some(live),
            after: None,
        },
        None,
        draft,
    ));
}

/// Whether the plan gives this role another boundary, or deletes it.
fn releases_boundary(
    context: &Context<'_>,
    roles: &BTreeMap<&str, Standing<'_>>,
    role: &LiveRole,
) -> bool {
    let key = role.name.key();
    match roles.get(key.as_str()) {
        Some(Standing::Doomed(..)) => true,
        // It does not name this policy: then it would still be referred to.
        _ => context
            .desired_role(&key)
            .is_some_and(|desired| desired.permissions_boundary.is_some()),
    }
}

struct Draft {
    action: Action,
    /// Empty where the diffs say it.
    reason: String,
    /// Attributes that are left as they are.
    accepted: BTreeSet<Attribute>,
    steps: Vec<Step>,
}

fn change(
    context: &Context<'_>,
    sides: Sides<'_, LivePolicy>,
    target: Option<&Target>,
    draft: Draft,
) -> Change {
    let Draft {
        action,
        reason,
        accepted,
        steps,
    } = draft;
    let spelling = target.and_then(|target| target.spelling.as_ref());
    let description = target.and_then(|target| target.description.as_ref());
    let mut diffs = show::policy(sides, spelling, description, &context.settings.secrets);
    let name = sides
        .before
        .or(sides.after)
        .map(|policy| policy.name.to_string())
        .unwrap_or_default();
    let address = context.policy_address(name);
    let desired = sides
        .after
        .and_then(|after| context.desired_policy(&after.name.key()));
    let covers = Coverage::of_policy(desired, action, &steps).without(&accepted);
    let seen = (
        sides.before.map(Seen::Policy),
        sides.after.map(Seen::Policy),
    );
    let cause = context.blame(&address, action, seen, &mut diffs);
    Change {
        action,
        reason: show::reason(action, reason, &diffs, &steps),
        cosmetic: steps.is_empty(),
        cause,
        rolled_back: context.rolled_back(&address, cause, seen.0),
        accepted,
        address,
        fingerprint: of_policy(sides.before, &covers, Purpose::Seen),
        expected: of_policy(sides.after, &covers, Purpose::Expected),
        details: false,
        watch: Watch {
            found: of_policy(sides.before, &covers, Purpose::Written),
            leaves: of_policy(sides.after, &Coverage::whole(false), Purpose::Expected),
            covers,
        },
        after: BTreeSet::new(),
        finish_after: BTreeSet::new(),
        diffs,
        steps,
    }
}
