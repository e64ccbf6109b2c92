//! What happens to each attachment of an account: one policy on a role of another owner.
//!
//! The role is never made, and where it does not exist the plan stops. An inline policy is managed here by its name alone.
//! A managed one is a customer managed policy of this directory; one that is no longer desired is taken off where the
//! record says that this directory attached it, because anyone may attach a policy to a role of their own.

use std::collections::BTreeSet;

use super::claim::protected;
use super::context::Context;
use super::disposition::Disposition;
use super::memory::Seen;
use super::planner::{Draft, Planner};
use super::show::{self, Sides};
use super::{Action, Extras, Finding, Intent, quota};
use crate::diff::{Owner, owner};
use crate::live::Quotas;
use crate::resource::attachment::{Attachment, AttachmentId, Item, Placed};
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::{PolicyArn, PolicyName};
use crate::resource::policy::{Difference, PolicyDocument};
use crate::resource::role::{LiveRole, PolicyRef};
use crate::resource::step::Step;

/// A policy on a role of another owner, before and after.
#[derive(Clone, Copy)]
struct States<'a> {
    before: Option<Placed<'a>>,
    /// What the steps leave.
    after: Option<Placed<'a>>,
    /// What is shown as desired: after a change without steps, another spelling of what stays.
    shown: Option<Placed<'a>>,
}

impl<'a> Planner<'a> {
    /// Plans every attachment of the account.
    pub(super) fn plan_attachments(&mut self) {
        for desired in self.context.desired_attachments() {
            self.tally.desired += 1;
            self.wanted_attachment(desired);
        }
        for (role, id) in self.extra_attachments() {
            self.extra_attachment(role, &id);
        }
        self.check_attached_quotas();
    }

    fn wanted_attachment(&mut self, desired: &Attachment) {
        let context = self.context;
        let key = desired.id.role.key();
        let Some(role) = context
            .live_role(&key)
            .filter(|_| !matches!(self.roles.get(key.as_str()), Some(Disposition::Doomed(..))))
        else {
            self.say([missing(context, desired)]);
            return;
        };
        let id = AttachmentId {
            role: role.name.clone(),
            ..desired.id.clone()
        };
        let address = context.attachment_address(&id);
        if let Some(finding) = refused(context, role, &address) {
            self.say([finding]);
            return;
        }
        self.say(contested(context, role, &id, &address));
        let before = id.find(role);
        self.tally.owned += usize::from(before.is_some());
        let arn = wanted_arn(context, desired);
        let after = match (&arn, &desired.document) {
            (Some(arn), _) => Placed::Managed(arn),
            (None, Some(document)) => Placed::Inline(document),
            (None, None) => return,
        };
        let step = put(&id, after);
        let steps = match (before, after) {
            (Some(Placed::Managed(before)), Placed::Managed(after)) if before == after => {
                return self.unchanged_attachment(&address, role, &id);
            }
            (Some(Placed::Managed(before)), Placed::Managed(_)) => {
                // A policy that is replaced is taken off by its own change.
                let detach = (!self.policies.moves(before)).then(|| Step::DetachRolePolicy {
                    role: role.name.clone(),
                    arn: before.clone(),
                });
                [step].into_iter().chain(detach).collect()
            }
            (Some(Placed::Inline(before)), Placed::Inline(after)) => {
                match before.difference(after) {
                    Difference::None => return self.unchanged_attachment(&address, role, &id),
                    Difference::Cosmetic => Vec::new(),
                    Difference::Semantic => vec![step],
                }
            }
            _ => vec![step],
        };
        let states = States {
            before,
            after: if steps.is_empty() {
                before
            } else {
                Some(after)
            },
            shown: Some(after),
        };
        let (action, reason) = match before {
            Some(_) => (Action::Update, String::new()),
            None => (Action::Create, "not on the role".to_owned()),
        };
        let draft = Draft {
            address,
            reason,
            ..Draft::of(action, steps)
        };
        self.add_attachment(states, draft);
    }

    fn unchanged_attachment(&mut self, address: &str, role: &LiveRole, id: &AttachmentId) {
        self.tally.unchanged += 1;
        if let Some(placed) = id.find(role) {
            let seen = Seen::Attachment(placed);
            self.context
                .note(address, seen, &BTreeSet::new(), &mut self.tally);
        }
    }

    /// The roles on which something is left that is managed here and no longer desired.
    fn extra_attachments(&self) -> Vec<(&'a LiveRole, AttachmentId)> {
        let (context, roles) = (self.context, self.roles);
        // What is on a role that goes, goes with it; what a role of this directory has attached is that role's own.
        let is_anothers = |key: &str| {
            matches!(
                roles.get(key),
                Some(Disposition::Left(_) | Disposition::Orphan(_) | Disposition::External(..))
            )
        };
        let mut found = Vec::new();
        for (key, role) in &context.live.roles {
            if !context.settings.selects(&role.name)
                || matches!(roles.get(key.as_str()), Some(Disposition::Doomed(..)))
            {
                continue;
            }
            let id = |policy: Item| AttachmentId {
                role: role.name.clone(),
                policy,
            };
            let inline = role
                .inline_policies
                .keys()
                .filter(|name| name.attached_by() == Some(context.settings.name.as_str()))
                .map(|name| id(Item::Inline(name.clone())));
            let managed = role
                .managed_policies
                .iter()
                .filter(|arn| is_anothers(key) && !arn.is_aws_managed())
                .filter_map(|arn| {
                    Some((arn, id(Item::Managed(PolicyName::parse(arn.name()).ok()?))))
                })
                .filter(|(arn, id)| is_attached_here(context, arn, id))
                .map(|(_, id)| id);
            let desired = |id: &AttachmentId| context.desired.attachments.contains_key(&id.key());
            found.extend(
                inline
                    .chain(managed)
                    .filter(|id| !desired(id))
                    .map(|id| (role, id)),
            );
        }
        found
    }

    /// The roles of others that this plan takes the policy off, or puts it back on where it is replaced.
    pub(super) fn attachment_holders(&self, policy: &LivePolicy) -> Vec<&'a LiveRole> {
        let context = self.context;
        let is_it = |id: &AttachmentId| matches!(&id.policy, Item::Managed(name) if name.key() == policy.name.key());
        let desired = context
            .desired_attachments()
            .filter(|desired| is_it(&desired.id))
            .filter_map(|desired| context.live_role(&desired.id.role.key()))
            .filter(|role| role.managed_policies.contains(&policy.arn));
        let going = self
            .extra_attachments()
            .into_iter()
            .filter(|(_, id)| context.settings.extras == Extras::Remove && is_it(id))
            .map(|(role, _)| role);
        desired.chain(going).collect()
    }

    /// A policy that is left on a role.
    fn extra_attachment(&mut self, role: &LiveRole, id: &AttachmentId) {
        let context = self.context;
        let Some(before) = id.find(role) else { return };
        self.tally.owned += 1;
        let address = context.attachment_address(id);
        context.note_extra(&address, Seen::Attachment(before), &mut self.tally);
        let what = match &id.policy {
            Item::Managed(policy) => format!("policy `{policy}` on role `{}`", role.name),
            Item::Inline(policy) => format!("inline policy `{policy}` of role `{}`", role.name),
        };
        if context.settings.extras == Extras::Keep {
            self.tally.orphans += 1;
            let message = format!(
                "{what} in account {} was attached by this directory and is no longer desired; delete it with `--prune`",
                context.account.id
            );
            self.say([Finding::warn("orphan", &address, message)]);
            return;
        }
        if let Some(finding) = refused(context, role, &address) {
            self.say([finding]);
            return;
        }
        self.say(context.unrecorded(&what, &address));
        let role = role.name.clone();
        let step = match (&id.policy, before) {
            (Item::Inline(policy), _) => Step::DeleteRolePolicy {
                role,
                policy: policy.clone(),
            },
            (Item::Managed(_), Placed::Managed(arn)) => Step::DetachRolePolicy {
                role,
                arn: arn.clone(),
            },
            (Item::Managed(_), Placed::Inline(_)) => return,
        };
        let states = States {
            before: Some(before),
            after: None,
            shown: None,
        };
        let draft = Draft {
            address,
            reason: context.settings.intent.why_extras_go().to_owned(),
            ..Draft::of(Action::Delete, vec![step])
        };
        self.add_attachment(states, draft);
    }

    /// The findings on roles that would have too much with what is attached.
    fn check_attached_quotas(&mut self) {
        let context = self.context;
        let allowed = context.live.quotas.unwrap_or_default();
        let findings: Vec<Finding> = context
            .desired_attachments()
            .map(|desired| desired.id.role.key())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|key| context.live_role(&key))
            .flat_map(|role| beyond(context, role, &allowed))
            .collect();
        self.say(findings);
    }

    fn add_attachment(&mut self, states: States<'_>, draft: Draft<'_>) {
        let States {
            before,
            after,
            shown,
        } = states;
        let (old_document, new_document) = (document(before), document(shown));
        let (old_arn, new_arn) = (arn(before), arn(shown));
        let diffs = show::attachment(
            Sides {
                before: old_document.as_ref(),
                after: new_document.as_ref(),
            },
            Sides {
                before: old_arn.as_ref(),
                after: new_arn.as_ref(),
            },
            draft.steps.is_empty(),
            &self.context.settings.secrets,
        );
        self.add(Draft {
            diffs,
            before: before.map(Seen::Attachment),
            after: after.map(Seen::Attachment),
            ..draft
        });
    }
}

fn document(placed: Option<Placed<'_>>) -> Option<PolicyDocument> {
    match placed {
        Some(Placed::Inline(document)) => Some(PolicyDocument::clone(document)),
        Some(Placed::Managed(_)) | None => None,
    }
}

fn arn(placed: Option<Placed<'_>>) -> Option<PolicyArn> {
    match placed {
        Some(Placed::Managed(arn)) => Some(arn.clone()),
        Some(Placed::Inline(_)) | None => None,
    }
}

/// The ARN that a managed policy is attached by.
fn wanted_arn(context: &Context<'_>, desired: &Attachment) -> Option<PolicyArn> {
    match &desired.id.policy {
        Item::Managed(name) => Some(
            desired
                .arn
                .clone()
                .unwrap_or_else(|| context.resolve(&PolicyRef::Local(name.clone()))),
        ),
        Item::Inline(_) => None,
    }
}

fn missing(context: &Context<'_>, desired: &Attachment) -> Finding {
    let message = format!(
        "role `{}` in account {} does not exist, or this plan deletes it, and the attachment at {} is to it; \
         make it first, or correct the name",
        desired.id.role, context.account.id, desired.origin
    );
    Finding::stop(
        "attachment-role",
        &context.attachment_address(&desired.id),
        message,
    )
}

/// Why nothing is ever written to this role.
fn refused(context: &Context<'_>, role: &LiveRole, address: &str) -> Option<Finding> {
    let finding = protected(context, &role.name, &role.path)?;
    Some(Finding {
        address: Some(address.to_owned()),
        ..finding
    })
}

/// The finding on a managed policy on a role that another directory manages: exclusive attachments there mean that its
/// next apply takes the policy off again. Inline policies of attachments are left alone by every directory.
fn contested(
    context: &Context<'_>,
    role: &LiveRole,
    id: &AttachmentId,
    address: &str,
) -> Option<Finding> {
    let (Item::Managed(policy), Owner::Other(other)) =
        (&id.policy, owner(&role.tags, &context.settings.name))
    else {
        return None;
    };
    let message = format!(
        "role `{}` in account {} is managed by `{other}`, which takes policy `{policy}` off again unless it has \
         `manage = {{ managed_policies = \"additive\" }}`; agree on one, or attach an inline policy, which it leaves alone",
        role.name, context.account.id
    );
    Some(Finding::warn("contested-role", address, message))
}

/// Whether this directory attached the policy, and it is still this directory's.
fn is_attached_here(context: &Context<'_>, arn: &PolicyArn, id: &AttachmentId) -> bool {
    if context.settings.intent == Intent::Restore {
        // The way back shows of a role only what the run attached.
        return true;
    }
    let policy = context.live.policies.get(&arn.name().to_ascii_lowercase());
    let is_anothers = policy
        .and_then(|policy| policy.tags.as_ref())
        .is_some_and(|tags| matches!(owner(tags, &context.settings.name), Owner::Other(_)));
    let address = context.attachment_address(id);
    let recorded = context
        .memory
        .is_some_and(|memory| memory.resources.contains_key(&address));
    recorded && !is_anothers
}

/// What a role would have too much of with all that is attached to it.
pub(super) fn beyond(context: &Context<'_>, role: &LiveRole, allowed: &Quotas) -> Vec<Finding> {
    let mut after = role.clone();
    for desired in context
        .desired_attachments()
        .filter(|desired| desired.id.role.key() == role.name.key())
    {
        after.managed_policies.extend(wanted_arn(context, desired));
        if let (Item::Inline(name), Some(document)) = (&desired.id.policy, &desired.document) {
            after.inline_policies.insert(name.clone(), document.clone());
        }
    }
    if after == *role {
        Vec::new()
    } else {
        quota::of_role(context, &after, allowed)
    }
}

fn put(id: &AttachmentId, after: Placed<'_>) -> Step {
    let role = id.role.clone();
    let (Item::Managed(policy) | Item::Inline(policy)) = &id.policy;
    match after {
        Placed::Inline(document) => Step::PutRolePolicy {
            role,
            policy: policy.clone(),
            document: document.text().to_owned(),
        },
        Placed::Managed(arn) => Step::AttachRolePolicy {
            role,
            arn: arn.clone(),
        },
    }
}
