//! What happens to each role of an account.

use std::collections::BTreeSet;

use super::claim::{prevent_destroy, stack_owned};
use super::context::Context;
use super::coverage::Coverage;
use super::disposition::{Disposition, subject};
use super::memory::Seen;
use super::planner::{Draft, Planner};
use super::remark::{
    exists, expires_soon, newly_named, orphan, profiles_lose, profiles_named, quotas, similar,
    unmanaged_permissions,
};
use super::settings::LEFT;
use super::show::{self, Sides};
use super::{Action, Attribute, Finding, lints, quota, steps};
use crate::desired::needs_details;
use crate::diff::role::{Spelling, Target};
use crate::diff::{Owner, owner};
use crate::resource::name::PolicyArn;
use crate::resource::role::{Ensure, LiveRole, Role};
use crate::resource::step::Step;

/// Both states of a role.
#[derive(Clone, Copy)]
struct States<'a> {
    before: Option<&'a LiveRole>,
    after: Option<&'a LiveRole>,
}

impl Planner<'_> {
    /// Plans every role of the account.
    pub(super) fn plan_roles(&mut self) {
        let (context, roles) = (self.context, self.roles);
        for disposition in roles.values() {
            self.plan_role(disposition);
        }
        self.say(
            context
                .desired_roles()
                .filter_map(|desired| expires_soon(context, desired)),
        );
        let ours = |role: &&LiveRole| {
            context.settings.selects(&role.name)
                && owner(&role.tags, &context.settings.name) == Owner::Us
        };
        self.tally.owned += context.live.roles.values().filter(ours).count();
        self.tally.desired += context.desired_roles().count();
    }

    fn plan_role(&mut self, disposition: &Disposition<'_>) {
        let context = self.context;
        match disposition {
            Disposition::Left(finding) => self.say(finding.clone()),
            Disposition::Orphan(live) => {
                self.tally.orphans += 1;
                let seen = Seen::Role(live, &context.ids);
                context.note_extra(&context.role_address(&live.name), seen, &mut self.tally);
                self.say([orphan(context, live, self.rename())]);
            }
            Disposition::External(desired, live) => self.compare_role(desired, *live),
            Disposition::Missing(desired) => self.create_role(desired),
            Disposition::Doomed(live, reason) => self.delete_role(live, reason),
            Disposition::Ours(desired, live) | Disposition::Adopted(desired, live) => {
                self.say_dead_principals(live);
                let address = context.role_address(&live.name);
                self.say(unmanaged_permissions(desired, live).map(|message| {
                    let message = format!(
                        "role `{}` in account {} {message}",
                        live.name, context.account.id
                    );
                    Finding::warn("unmanaged-permissions", &address, message)
                }));
                let action = if matches!(disposition, Disposition::Ours(..)) {
                    Action::Update
                } else {
                    Action::Adopt
                };
                self.update_role(desired, live, action);
            }
        }
    }

    /// What is said of a role that goes beside new ones: it may have been renamed, which IAM cannot do.
    fn rename(&self) -> &'static str {
        let is_missing =
            |disposition: &Disposition<'_>| matches!(disposition, Disposition::Missing(_));
        if self.roles.values().any(is_missing) {
            "; IAM cannot rename: under a new name it is a new role"
        } else {
            ""
        }
    }

    /// Compares an external role, of which nothing is written.
    fn compare_role(&mut self, desired: &Role, live: Option<&LiveRole>) {
        let context = self.context;
        let address = context.role_address(&desired.name);
        let say = |what: String| {
            let message = format!(
                "role `{}` in account {} is external and {what}",
                desired.name, context.account.id
            );
            Some(Finding::warn("external", &address, message))
        };
        let finding = match (live, desired.ensure) {
            (None, Ensure::Absent) => None,
            (None, Ensure::Present) => say("does not exist".to_owned()),
            (Some(_), Ensure::Absent) => say("still exists".to_owned()),
            (Some(live), Ensure::Present) => {
                let Target {
                    role: after,
                    spelling: _,
                } = context.target(desired, Some(live));
                let sides = Sides {
                    before: Some(live),
                    after: Some(&after),
                };
                let diffs = show::role(context, sides, &Spelling::default());
                if diffs.is_empty() {
                    None
                } else {
                    say(format!("differs: {}", show::attributes(&diffs)))
                }
            }
        };
        self.tally.unchanged += usize::from(finding.is_none());
        self.say(finding);
    }

    fn say_dead_principals(&mut self, live: &LiveRole) {
        let context = self.context;
        let resolved = live
            .trust
            .resolve_principals(&|id| context.ids.get(id).map(|arn| (*arn).to_owned()));
        for id in resolved.dead_principals() {
            let message = format!(
                "role `{}` in account {} trusts `{id}`, the id of a deleted role or user: a new one of the same name is not trusted until the trust policy is written again",
                live.name, context.account.id
            );
            let message = context.settings.secrets.mask(&message);
            self.say([Finding::warn(
                "dead-principal",
                &context.role_address(&live.name),
                message,
            )]);
        }
    }

    fn create_role(&mut self, desired: &Role) {
        let Target {
            role: after,
            spelling,
        } = self.context.target(desired, None);
        self.check_role(None, &after);
        let states = States {
            before: None,
            after: Some(&after),
        };
        let steps = steps::create_role(&after);
        let draft = Draft {
            reason: "not in the account".to_owned(),
            details: needs_details(desired),
            ..Draft::of(Action::Create, steps)
        };
        self.add_role(states, &spelling, draft);
    }

    fn delete_role(&mut self, live: &LiveRole, reason: &str) {
        let context = self.context;
        let address = context.role_address(&live.name);
        let desired = context.desired_role(&live.name.key());
        if desired.is_some_and(|desired| desired.prevent_destroy) {
            let name = live.name.as_str();
            self.say([prevent_destroy("role", name, &address, "delete")]);
        }
        let former = desired.and_then(|desired| desired.former_stack.as_deref());
        self.say(stack_owned(&subject(live, &address), former));
        // What the file names as absent is deleted by that name, whoever recorded it.
        if desired.is_none() {
            context.note_extra(&address, Seen::Role(live, &context.ids), &mut self.tally);
            self.say(context.unrecorded(&format!("role `{}`", live.name), &address));
        }
        self.say(profiles_lose(context, live, Action::Delete));
        let emptied = profiles_named(live, "; it leaves these instance profiles empty:");
        let renamed = if reason == LEFT { self.rename() } else { "" };
        let states = States {
            before: Some(live),
            after: None,
        };
        let steps = steps::delete_role(&self.policies.once_moved(live));
        let draft = Draft {
            reason: format!("{reason}{emptied}{renamed}"),
            ..Draft::of(Action::Delete, steps)
        };
        self.add_role(states, &Spelling::default(), draft);
    }

    fn update_role(&mut self, desired: &Role, live: &LiveRole, action: Action) {
        let context = self.context;
        let address = context.role_address(&live.name);
        // What was not read cannot be compared, and a role that is replaced would lose it.
        if needs_details(desired) && live.details.is_none() {
            let message = format!(
                "description and duration of role `{}` were not read; plan again",
                live.name
            );
            self.say([Finding::stop("unread", &address, message)]);
            return;
        }
        let Target {
            role: mut after,
            spelling,
        } = context.target(desired, Some(live));
        self.policies.settle(&mut after);
        let accepted = self.accepted_of_role(live, &after, action);
        for attribute in &accepted {
            leave(&mut after, live, *attribute);
        }
        if after == *live && spelling == Spelling::default() {
            self.tally.unchanged += 1;
            let seen = Seen::Role(live, &context.ids);
            context.note(&address, seen, &accepted, &mut self.tally);
            return;
        }
        let before = self.policies.once_moved(live);
        let draft = if after.path == live.path {
            let steps = steps::update_role(&before, &after, &quotas(context));
            Draft::of(action, steps)
        } else {
            let reason = self.replaced(desired, live, &after);
            let steps = [steps::delete_role(&before), steps::create_role(&after)].concat();
            Draft {
                reason,
                ..Draft::of(Action::Replace, steps)
            }
        };
        // A change that writes nothing needs no permission, and no quota can be in its way.
        if !draft.steps.is_empty() {
            self.check_role(Some(live), &after);
            let former = desired.former_stack.as_deref();
            self.say(stack_owned(&subject(live, &address), former));
            if action == Action::Update {
                let what = format!("role `{}`", live.name);
                self.say(context.never_made(&what, &address));
            }
        }
        let states = States {
            before: Some(live),
            after: Some(&after),
        };
        let draft = Draft {
            details: needs_details(desired),
            accepted,
            ..draft
        };
        self.add_role(states, &spelling, draft);
    }

    /// The attributes whose difference is accepted. What is taken over has no record that could tell who moved.
    fn accepted_of_role(
        &mut self,
        live: &LiveRole,
        after: &LiveRole,
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
        let seen = |role| Seen::Role(role, &context.ids);
        let diffs = show::role(context, sides, &Spelling::default());
        let address = context.role_address(&live.name);
        context.accepted(&address, (seen(live), seen(after)), diffs, &mut self.tally)
    }

    /// Why a role is replaced, with what that costs.
    fn replaced(&mut self, desired: &Role, live: &LiveRole, after: &LiveRole) -> String {
        let context = self.context;
        let address = context.role_address(&live.name);
        if desired.prevent_destroy {
            let name = live.name.as_str();
            self.say([prevent_destroy("role", name, &address, "replace")]);
        }
        let message = format!(
            "replacing role `{}` gives it another ARN and id: every policy elsewhere that names `{}` loses it \
             and must be written again for `{}`",
            live.name, live.arn, after.arn
        );
        self.say([Finding::warn("replace", &address, message)]);
        self.say(profiles_lose(context, live, Action::Replace));
        format!(
            "path is `{}`, but `{}` is desired, and IAM cannot rename{}",
            live.path,
            after.path,
            profiles_named(
                live,
                "; it is removed from, and added back to, the instance profiles"
            )
        )
    }

    /// Says what speaks against a role as it would be.
    fn check_role(&mut self, live: Option<&LiveRole>, after: &LiveRole) {
        let context = self.context;
        self.say(quota::of_role(context, after, &quotas(context)));
        for arn in newly_named(live, after)
            .into_iter()
            .filter(|arn| exists(context, arn) == Some(false))
        {
            let hint = match similar(context, arn) {
                Some(meant) => format!("did you mean `{}`?", meant.reference()),
                None => "fix the name".to_owned(),
            };
            let message = format!(
                "policy `{arn}` does not exist, but role `{}` in account {} attaches it; {hint}",
                after.name, context.account.id
            );
            let address = context.role_address(&after.name);
            self.say([Finding::stop("missing-policy", &address, message)]);
        }
    }

    fn add_role(&mut self, states: States<'_>, spelling: &Spelling, draft: Draft<'_>) {
        let context = self.context;
        let States { before, after } = states;
        let name = before
            .or(after)
            .map(|role| role.name.to_string())
            .unwrap_or_default();
        let desired = after.and_then(|after| context.desired_role(&after.name.key()));
        let seen = |role| Seen::Role(role, &context.ids);
        let change = Draft {
            address: context.role_address(name),
            diffs: show::role(context, Sides { before, after }, spelling),
            covers: covers(context, desired, &draft),
            before: before.map(seen),
            after: after.map(seen),
            ..draft
        }
        .into_change(context);
        self.say(lints::trust_widened(context.settings, &change));
        self.say(lints::refused(context, &change));
        self.tally.changes.push(change);
    }
}

/// Leaves an attribute of a role as it is.
fn leave(after: &mut LiveRole, live: &LiveRole, attribute: Attribute) {
    match attribute {
        Attribute::Path => {
            after.path.clone_from(&live.path);
            after.arn.clone_from(&live.arn);
            after.id.clone_from(&live.id);
        }
        Attribute::Trust => after.trust = live.trust.clone(),
        Attribute::ManagedPolicies => after.managed_policies.clone_from(&live.managed_policies),
        Attribute::InlinePolicies => after.inline_policies.clone_from(&live.inline_policies),
        Attribute::PermissionsBoundary => {
            after
                .permissions_boundary
                .clone_from(&live.permissions_boundary);
        }
        Attribute::MaxSessionDuration => {
            if let (Some(after), Some(live)) = (&mut after.details, &live.details) {
                after.max_session_duration = live.max_session_duration;
            }
        }
        Attribute::Description => {
            if let (Some(after), Some(live)) = (&mut after.details, &live.details) {
                after.description.clone_from(&live.description);
            }
        }
        Attribute::Tags => after.tags.clone_from(&live.tags),
        // A role has none.
        Attribute::Document => {}
    }
}

/// What of the live role a change is about.
fn covers(context: &Context<'_>, desired: Option<&Role>, draft: &Draft<'_>) -> Coverage {
    let wanted: BTreeSet<PolicyArn> = desired
        .iter()
        .flat_map(|desired| desired.managed_policies.iter().flatten())
        .map(|reference| context.resolve(reference))
        .collect();
    let attached = draft.steps.iter().filter_map(|step| match step {
        Step::AttachRolePolicy { arn, .. } | Step::DetachRolePolicy { arn, .. } => Some(arn),
        _ => None,
    });
    let arns: BTreeSet<String> = wanted
        .iter()
        .chain(attached)
        .map(ToString::to_string)
        .collect();
    Coverage::of_role(desired, draft.action, draft.details, &draft.steps)
        .attaching(arns.iter().map(String::as_str))
}
