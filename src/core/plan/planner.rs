//! The doer that plans one account: what all of its kinds of resources look at and add to.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::coverage::Coverage;
use super::disposition::Dispositions;
use super::fingerprint::{Purpose, absent, of_attachment, of_grant, of_policy, of_role};
use super::memory::Seen;
use super::tally::Tally;
use super::{Action, Attribute, AttributeDiff, Change, Finding, Watch, show};
use crate::resource::name::PolicyArn;
use crate::resource::role::LiveRole;
use crate::resource::step::Step;

/// Plans one account, kind by kind: policies first, because what becomes of them decides what the roles name.
pub(super) struct Planner<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) roles: &'a Dispositions<'a>,
    pub(super) policies: Policies,
    pub(super) tally: Tally,
}

impl<'a> Planner<'a> {
    pub(super) fn new(context: &'a Context<'a>, roles: &'a Dispositions<'a>) -> Self {
        Self {
            context,
            roles,
            policies: Policies::default(),
            tally: Tally::default(),
        }
    }

    /// Adds a finding, where there is one.
    pub(super) fn say(&mut self, finding: impl IntoIterator<Item = Finding>) {
        self.tally.findings.extend(finding);
    }

    /// Adds the change that a draft becomes.
    pub(super) fn add(&mut self, draft: Draft<'_>) {
        let change = draft.into_change(self.context);
        self.tally.changes.push(change);
    }
}

/// What the plan of the policies means for the roles.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// Policies that are replaced: the old ARN and the new one.
    pub(super) moved: BTreeMap<PolicyArn, PolicyArn>,
    /// Policies that are deleted.
    pub(super) deleted: BTreeSet<PolicyArn>,
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

/// What a change is made of.
pub(super) struct Draft<'a> {
    pub(super) address: String,
    pub(super) action: Action,
    /// Empty where the diffs say it.
    pub(super) reason: String,
    /// The resource as it is; `None` where it does not exist.
    pub(super) before: Option<Seen<'a>>,
    /// The resource as the steps leave it.
    pub(super) after: Option<Seen<'a>>,
    pub(super) diffs: Vec<AttributeDiff>,
    /// What of the resource the change is about.
    pub(super) covers: Coverage,
    /// Whether description and duration of a role are looked at.
    pub(super) details: bool,
    /// Attributes that are left as they are.
    pub(super) accepted: BTreeSet<Attribute>,
    pub(super) steps: Vec<Step>,
}

impl Draft<'_> {
    /// A draft of which only the steps are known yet.
    pub(super) fn of(action: Action, steps: Vec<Step>) -> Self {
        Self {
            address: String::new(),
            action,
            reason: String::new(),
            before: None,
            after: None,
            diffs: Vec::new(),
            covers: Coverage::default(),
            details: false,
            accepted: BTreeSet::new(),
            steps,
        }
    }

    /// Adds what follows from both states: who moved, and the fingerprints by which apply sees that neither moved since.
    pub(super) fn into_change(self, context: &Context<'_>) -> Change {
        let Self {
            address,
            action,
            reason,
            before,
            after,
            mut diffs,
            covers,
            details,
            accepted,
            steps,
        } = self;
        let covers = covers.without(&accepted);
        let cause = context.blame(&address, action, (before, after), &mut diffs);
        Change {
            action,
            reason: show::reason(action, reason, &diffs, &steps),
            cosmetic: steps.is_empty(),
            cause,
            rolled_back: context.rolled_back(&address, cause, before),
            accepted,
            address,
            fingerprint: fingerprint(before, &covers, Purpose::Seen),
            expected: fingerprint(after, &covers, Purpose::Expected),
            details,
            watch: Watch {
                found: fingerprint(before, &covers, Purpose::Written),
                // What a later run compares is all of the resource, whatever this change is about.
                leaves: fingerprint(after, &Coverage::whole(details), Purpose::Expected),
                covers,
            },
            after: BTreeSet::new(),
            finish_after: BTreeSet::new(),
            diffs,
            steps,
        }
    }
}

fn fingerprint(seen: Option<Seen<'_>>, covers: &Coverage, purpose: Purpose) -> String {
    match seen {
        None => absent(),
        Some(Seen::Role(role, ids)) => of_role(Some(role), ids, covers, purpose),
        Some(Seen::Policy(policy)) => of_policy(Some(policy), covers, purpose),
        Some(Seen::Grant(document)) => of_grant(Some(document)),
        Some(Seen::Attachment(placed)) => of_attachment(Some(placed)),
    }
}
