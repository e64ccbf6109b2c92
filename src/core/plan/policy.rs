//! What happens to each customer managed policy of an account.
//!
//! A policy's tags are not in the bulk read and cost a call each. They are read where a write is to be planned, where
//! the desired state writes tags, and for undesired policies where managed policies are to be removed; one that is
//! desired without tags and equal costs nothing and is taken for ours.
//!
//! IAM deletes no policy that is attached to anything, and it cannot move one to another path. So a policy that is
//! replaced is first taken off every role that this plan may write; the changes of these roles put the new one back.

use std::collections::BTreeSet;

use super::claim::{Claim, Subject, claim, prevent_destroy, stack_owned};
use super::context::Context;
use super::coverage::Coverage;
use super::disposition::Disposition;
use super::memory::Seen;
use super::planner::{Draft, Planner};
use super::show::{self, Sides};
use super::{Action, Attribute, Extras, Finding, quota, steps};
use crate::diff::policy::{Target, target};
use crate::diff::{Owner, owner};
use crate::resource::managed_policy::{LivePolicy, ManagedPolicy};
use crate::resource::policy::Difference;
use crate::resource::role::LiveRole;
use crate::resource::step::Step;

impl<'a> Planner<'a> {
    /// Plans every policy of the account.
    pub(super) fn plan_policies(&mut self) {
        let context = self.context;
        let keys: BTreeSet<&String> = context
            .desired
            .policies
            .keys()
            .chain(context.live.policies.keys())
            .collect();
        for key in keys {
            match (context.desired_policy(key), context.live.policies.get(key)) {
                (Some(desired), None) => self.create_policy(desired),
                (Some(desired), Some(live)) => self.existing_policy(desired, live),
                // A run about some roles cannot tell which policies are left over.
                (None, Some(live)) if context.settings.roles.is_empty() => self.extra_policy(live),
                (None, _) => {}
            }
            self.tally.desired += usize::from(context.desired_policy(key).is_some());
        }
    }

    fn create_policy(&mut self, desired: &ManagedPolicy) {
        let Target { policy: after, .. } = desired_target(self.context, desired, None);
        self.check_policy_size(&after);
        let sides = Sides {
            before: None,
            after: Some(&after),
        };
        let draft = Draft {
            reason: "not in the account".to_owned(),
            ..Draft::of(Action::Create, steps::create_policy(&after))
        };
        self.add_policy(sides, None, draft);
    }

    fn existing_policy(&mut self, desired: &ManagedPolicy, live: &LivePolicy) {
        let context = self.context;
        let address = context.policy_address(&live.name);
        let Some(action) = self.claim_policy(desired, live) else {
            return;
        };
        self.tally.owned += usize::from(action == Action::Update);
        let mut target = desired_target(context, desired, Some(live));
        let accepted = self.accepted_of_policy(live, &target.policy, action);
        for attribute in &accepted {
            leave(&mut target.policy, live, *attribute);
        }
        let moves = target.policy.path != live.path;
        if moves && action == Action::Adopt {
            self.say([adopt_path(live, &target.policy, &address)]);
            return;
        }
        let is_written = if moves {
            self.replace_policy(desired, live, target);
            true
        } else if target.policy == *live
            && target.spelling.is_none()
            && target.description.is_none()
        {
            self.tally.unchanged += 1;
            context.note(&address, Seen::Policy(live), &accepted, &mut self.tally);
            false
        } else {
            self.update_policy(live, &target, action, accepted)
        };
        if is_written && action == Action::Update {
            let what = format!("policy `{}`", live.name);
            self.say(context.never_made(&what, &address));
        }
    }

    /// Whether an existing policy is ours or taken over; says why where it may not be written.
    fn claim_policy(&mut self, desired: &ManagedPolicy, live: &LivePolicy) -> Option<Action> {
        let context = self.context;
        let address = context.policy_address(&live.name);
        let Some(tags) = &live.tags else {
            // Tags that no write depends on cost a call each, so one that is equal is taken for ours unread.
            if !needs_tags(desired, live) {
                return Some(Action::Update);
            }
            let message = format!(
                "the tags of policy `{}` were not read; plan again",
                live.name
            );
            self.say([Finding::stop("unread", &address, message)]);
            return None;
        };
        let subject = Subject {
            kind: "policy",
            name: live.name.as_str(),
            address: &address,
            tags,
        };
        match claim(context, &subject, desired.adopt) {
            Claim::Ours => Some(Action::Update),
            Claim::Adopt => Some(Action::Adopt),
            Claim::Refused(finding) => {
                self.say([finding]);
                None
            }
        }
    }

    /// The attributes whose difference is accepted. What is taken over has no record that could tell who moved.
    fn accepted_of_policy(
        &mut self,
        live: &LivePolicy,
        after: &LivePolicy,
        action: Action,
    ) -> BTreeSet<Attribute> {
        if action != Action::Update {
            return BTreeSet::new();
        }
        let context = self.context;
        let sides = Sides {
            before: Some(live),
            after: Some(after),
        };
        let diffs = show::policy(sides, None, None, &context.settings.secrets);
        let seen = (Seen::Policy(live), Seen::Policy(after));
        let address = context.policy_address(&live.name);
        context.accepted(&address, seen, diffs, &mut self.tally)
    }

    /// Plans the update of a policy that differs; says whether anything is written.
    fn update_policy(
        &mut self,
        live: &LivePolicy,
        target: &Target,
        action: Action,
        accepted: BTreeSet<Attribute>,
    ) -> bool {
        let steps = steps::update_policy(live, &target.policy);
        let is_written = !steps.is_empty();
        if is_written {
            self.check_policy_stack(live);
            self.check_policy_size(&target.policy);
        }
        let sides = Sides {
            before: Some(live),
            after: Some(&target.policy),
        };
        let draft = Draft {
            accepted,
            ..Draft::of(action, steps)
        };
        self.add_policy(sides, Some(target), draft);
        is_written
    }

    /// Says where a policy that is written is a CloudFormation stack's.
    fn check_policy_stack(&mut self, live: &LivePolicy) {
        let context = self.context;
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
        self.say(subject.and_then(|subject| stack_owned(&subject, former)));
    }

    fn check_policy_size(&mut self, after: &LivePolicy) {
        let quotas = self.context.live.quotas.unwrap_or_default();
        self.say(quota::of_policy(self.context, after, &quotas));
    }

    fn replace_policy(&mut self, desired: &ManagedPolicy, live: &LivePolicy, target: Target) {
        let address = self.context.policy_address(&live.name);
        self.check_policy_stack(live);
        if desired.prevent_destroy {
            let name = live.name.as_str();
            self.say([prevent_destroy("policy", name, &address, "replace")]);
        }
        let mut after = target.policy;
        after.description = desired.description.clone().or(after.description);
        // A boundary that goes for a moment is a moment without bounds, so it is never taken off unasked.
        let holders = self.holders(live);
        self.say(in_use(live, &address, holders.len(), 0));
        self.check_policy_size(&after);
        let detach = holders.iter().map(|role| Step::DetachRolePolicy {
            role: role.name.clone(),
            arn: live.arn.clone(),
        });
        let unbind = self
            .bound(live)
            .map(|role| Step::DeleteRolePermissionsBoundary {
                role: role.name.clone(),
            });
        let steps = detach
            .chain(unbind)
            .chain(steps::delete_policy(live))
            .chain(steps::create_policy(&after))
            .collect();
        self.policies
            .moved
            .insert(live.arn.clone(), after.arn.clone());
        let reason = format!(
            "path is `{}`, but `{}` is desired, and IAM cannot rename",
            live.path, after.path
        );
        let sides = Sides {
            before: Some(live),
            after: Some(&after),
        };
        let draft = Draft {
            reason,
            ..Draft::of(Action::Replace, steps)
        };
        self.add_policy(sides, None, draft);
    }

    /// The roles this plan takes the policy off: those that it may write, and those that it attached the policy to.
    fn holders(&self, live: &LivePolicy) -> Vec<&'a LiveRole> {
        self.roles
            .values()
            .filter_map(Disposition::handled)
            .filter(|role| role.managed_policies.contains(&live.arn))
            .chain(self.attachment_holders(live))
            .collect()
    }

    /// The roles this plan may write that the policy is the boundary of.
    fn bound(&self, live: &LivePolicy) -> impl Iterator<Item = &'a LiveRole> {
        self.roles
            .values()
            .filter_map(Disposition::handled)
            .filter(|role| role.permissions_boundary.as_ref() == Some(&live.arn))
    }

    /// A policy that is not desired.
    fn extra_policy(&mut self, live: &LivePolicy) {
        let context = self.context;
        let tags = live.tags.as_ref();
        if tags.is_none_or(|tags| owner(tags, &context.settings.name) != Owner::Us) {
            return;
        }
        self.tally.owned += 1;
        let address = context.policy_address(&live.name);
        context.note_extra(&address, Seen::Policy(live), &mut self.tally);
        // IAM would refuse to delete what a declared role still names.
        let referred = context.is_referred_to(&live.name.key());
        if referred || context.settings.extras == Extras::Keep {
            self.tally.orphans += 1;
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
            self.say([Finding::warn("orphan", &address, message)]);
            return;
        }
        self.check_policy_stack(live);
        self.say(context.unrecorded(&format!("policy `{}`", live.name), &address));
        let released = self
            .bound(live)
            .filter(|role| self.releases_boundary(role))
            .count();
        self.say(in_use(live, &address, self.holders(live).len(), released));
        self.policies.deleted.insert(live.arn.clone());
        let draft = Draft {
            reason: context.settings.intent.why_extras_go().to_owned(),
            ..Draft::of(Action::Delete, steps::delete_policy(live))
        };
        let sides = Sides {
            before: Some(live),
            after: None,
        };
        self.add_policy(sides, None, draft);
    }

    /// Whether the plan gives this role another boundary, or deletes it.
    fn releases_boundary(&self, role: &LiveRole) -> bool {
        let key = role.name.key();
        match self.roles.get(key.as_str()) {
            Some(Disposition::Doomed(..)) => true,
            // It does not name this policy: then it would still be referred to.
            _ => self
                .context
                .desired_role(&key)
                .is_some_and(|desired| desired.permissions_boundary.is_some()),
        }
    }

    fn add_policy(
        &mut self,
        sides: Sides<'_, LivePolicy>,
        target: Option<&Target>,
        draft: Draft<'_>,
    ) {
        let context = self.context;
        let spelling = target.and_then(|target| target.spelling.as_ref());
        let description = target.and_then(|target| target.description.as_ref());
        let name = sides
            .before
            .or(sides.after)
            .map(|policy| policy.name.to_string())
            .unwrap_or_default();
        let desired = sides
            .after
            .and_then(|after| context.desired_policy(&after.name.key()));
        self.add(Draft {
            address: context.policy_address(name),
            diffs: show::policy(sides, spelling, description, &context.settings.secrets),
            covers: Coverage::of_policy(desired, draft.action, &draft.steps),
            before: sides.before.map(Seen::Policy),
            after: sides.after.map(Seen::Policy),
            ..draft
        });
    }
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
