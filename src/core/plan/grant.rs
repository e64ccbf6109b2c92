//! What happens to each grant of an account: one inline policy per principal.
//!
//! The policy's name alone makes a grant managed, so there is nothing to adopt and no owner to check. The principal
//! is never managed: it is not created, and where it does not exist the plan stops. A policy that is left on a
//! principal to whom nothing is granted any more is found where the read shows it: on every role, and with prune on
//! every user and group.

use std::collections::BTreeSet;

use super::claim::protected;
use super::context::Context;
use super::disposition::Disposition;
use super::memory::Seen;
use super::planner::{Draft, Planner};
use super::show::{self, Sides};
use super::{Action, Attribute, Extras, Finding, Intent};
use crate::resource::grant::{Grant, GrantState, LiveGrant, OutsideGrant, Principal};
use crate::resource::name::{IamPath, PolicyName};
use crate::resource::policy::{Difference, PolicyDocument};
use crate::resource::secret::Secrets;
use crate::resource::step::Step;

/// What becomes of a principal in this plan.
enum Fate {
    /// It is there, and stays.
    Stays,
    /// It is a role that this plan makes.
    Made,
    /// It is a role that this plan deletes.
    Goes,
    /// Whether it is there was not read.
    Unread,
    /// It is not there.
    Missing,
}

/// What keeps a grant from being planned.
enum Refusal {
    /// The plan stops.
    Stop(Finding),
    /// The grant is left as it is.
    Left(Finding),
}

impl Planner<'_> {
    /// Plans every grant of the account.
    pub(super) fn plan_grants(&mut self) {
        let context = self.context;
        let keys: BTreeSet<&String> = context
            .desired
            .grants
            .keys()
            .chain(context.live.grants.keys())
            .collect();
        for key in keys {
            match (
                context.desired.grants.get(key),
                context.live.grants.get(key),
            ) {
                (Some(desired), live) => {
                    self.tally.desired += 1;
                    self.wanted_grant(desired, live);
                }
                // A run about some roles cannot tell who lost all grants.
                (None, Some(live)) if context.settings.roles.is_empty() => self.extra_grant(live),
                (None, _) => {}
            }
        }
    }

    fn fate(&self, principal: &Principal, live: Option<&LiveGrant>) -> Fate {
        let disposition = match principal {
            Principal::Role(name) => self.roles.get(name.key().as_str()),
            Principal::User(_) | Principal::Group(_) => None,
        };
        match (disposition, live.map(|live| &live.state)) {
            (Some(Disposition::Missing(_)), _) => Fate::Made,
            (Some(Disposition::Doomed(..)), _) => Fate::Goes,
            (_, Some(GrantState::NoPolicy | GrantState::Granted(_))) => Fate::Stays,
            (_, Some(GrantState::NoPrincipal)) => Fate::Missing,
            (_, None) => Fate::Unread,
        }
    }

    fn wanted_grant(&mut self, desired: &Grant, live: Option<&LiveGrant>) {
        let before = live.and_then(|live| live.state.document());
        match self.refusal(desired, live) {
            // The plan stops, so what is managed there is not needed.
            Some(Refusal::Stop(finding)) => self.say([finding]),
            Some(Refusal::Left(finding)) => {
                self.tally.owned += usize::from(before.is_some());
                self.say([finding]);
            }
            None => {
                self.tally.owned += usize::from(before.is_some());
                let principal = live.map_or(&desired.principal, |live| &live.principal);
                self.write_grant(desired, principal, before);
            }
        }
    }

    /// What speaks against writing a grant to its principal.
    fn refusal(&self, desired: &Grant, live: Option<&LiveGrant>) -> Option<Refusal> {
        let context = self.context;
        let principal = live.map_or(&desired.principal, |live| &live.principal);
        let address = context.grant_address(principal);
        let (kind, name, account) = (principal.kind(), principal.name(), context.account.id);
        let missing = |why: &str| {
            let message = format!(
                "{kind} `{name}` in account {account} {why}, but the grant at {} names it; create it first, or fix the name",
                desired.origin
            );
            Refusal::Stop(Finding::stop("missing-principal", &address, message))
        };
        match self.fate(principal, live) {
            Fate::Missing => Some(missing("does not exist")),
            Fate::Goes => Some(missing("is deleted by this plan")),
            Fate::Unread => {
                let message =
                    format!("{kind} `{name}` in account {account} was not read; plan again");
                Some(Refusal::Stop(Finding::stop("unread", &address, message)))
            }
            Fate::Stays | Fate::Made => match desired.unplaced.first() {
                // To write what is known would take away what is not.
                Some(arn) => {
                    let message = unplaced(principal, arn);
                    Some(Refusal::Left(Finding::warn("unread", &address, message)))
                }
                None => refused(context, principal).map(Refusal::Stop),
            },
        }
    }

    /// Plans the policy of a principal that may be written.
    fn write_grant(
        &mut self,
        desired: &Grant,
        principal: &Principal,
        before: Option<&PolicyDocument>,
    ) {
        let context = self.context;
        let address = context.grant_address(principal);
        let after = desired.document(&context.settings.partition);
        let difference = before.map_or(Difference::Semantic, |before| before.difference(&after));
        let accepted = match before {
            Some(before) if difference == Difference::Semantic => {
                self.accepted_of_grant(&address, before, &after)
            }
            _ => BTreeSet::new(),
        };
        if let Some(before) = before
            && (difference == Difference::None || !accepted.is_empty())
        {
            self.tally.unchanged += 1;
            context.note(&address, Seen::Grant(before), &accepted, &mut self.tally);
            return;
        }
        let (action, reason) = match before {
            Some(_) => (Action::Update, String::new()),
            None => (Action::Create, reason(desired)),
        };
        let steps: Vec<Step> = (difference == Difference::Semantic)
            .then(|| put(context, principal, &after))
            .into_iter()
            .collect();
        if !steps.is_empty() {
            self.say(quota(context, principal, &after, &address));
            if action == Action::Update {
                let what = format!(
                    "inline policy `{}` of {} `{}`",
                    PolicyName::of_grants(&context.settings.name),
                    principal.kind(),
                    principal.name()
                );
                self.say(context.never_made(&what, &address));
            }
        }
        let sides = Sides {
            before,
            after: Some(&after),
        };
        let draft = Draft {
            reason,
            ..Draft::of(action, steps)
        };
        self.add_grant(principal, sides, draft);
    }

    /// The document, where it is accepted that what is granted differs.
    fn accepted_of_grant(
        &mut self,
        address: &str,
        before: &PolicyDocument,
        after: &PolicyDocument,
    ) -> BTreeSet<Attribute> {
        let context = self.context;
        let sides = Sides {
            before: Some(before),
            after: Some(after),
        };
        let diffs = show::grant(sides, false, &context.settings.secrets);
        let seen = (Seen::Grant(before), Seen::Grant(after));
        context.accepted(address, seen, diffs, &mut self.tally)
    }

    /// A policy that is left on a principal to whom nothing is granted.
    fn extra_grant(&mut self, live: &LiveGrant) {
        let context = self.context;
        let LiveGrant { principal, state } = live;
        let Some(before) = state.document() else {
            return;
        };
        // It goes with its role.
        if matches!(self.fate(principal, Some(live)), Fate::Goes) {
            return;
        }
        self.tally.owned += 1;
        let address = context.grant_address(principal);
        let policy = PolicyName::of_grants(&context.settings.name);
        context.note_extra(&address, Seen::Grant(before), &mut self.tally);
        if context.settings.extras == Extras::Keep {
            self.tally.orphans += 1;
            let message = format!(
                "{} `{}` in account {} still has `{policy}`, but no grant names it any more; delete it with `--prune`",
                principal.kind(),
                principal.name(),
                context.account.id
            );
            self.say([Finding::warn("orphan", &address, message)]);
            return;
        }
        if let Some(finding) = refused(context, principal) {
            self.say([finding]);
            return;
        }
        let what = format!(
            "inline policy `{policy}` of {} `{}`",
            principal.kind(),
            principal.name()
        );
        self.say(context.unrecorded(&what, &address));
        let reason = match context.settings.intent {
            Intent::Converge => "no grant names it any more",
            intent => intent.why_extras_go(),
        };
        let sides = Sides {
            before: Some(before),
            after: None,
        };
        let draft = Draft {
            reason: reason.to_owned(),
            ..Draft::of(Action::Delete, vec![principal.delete(policy)])
        };
        self.add_grant(principal, sides, draft);
    }

    fn add_grant(
        &mut self,
        principal: &Principal,
        sides: Sides<'_, PolicyDocument>,
        draft: Draft<'_>,
    ) {
        let context = self.context;
        let secrets = &context.settings.secrets;
        self.add(Draft {
            address: context.grant_address(principal),
            diffs: show::grant(sides, draft.steps.is_empty(), secrets),
            before: sides.before.map(Seen::Grant),
            after: sides.after.map(Seen::Grant),
            ..draft
        });
    }
}

/// Why a grant is left as it is.
fn unplaced(principal: &Principal, arn: &str) -> String {
    format!(
        "the grant to {} `{}` is left unchanged: the path of the role in `{arn}` is not set, and its account could not be read; set the role's `path`, or plan again",
        principal.kind(),
        principal.name()
    )
}

fn reason(desired: &Grant) -> String {
    match desired.roles.len() {
        1 => format!(
            "the {} is not allowed to assume 1 role",
            desired.principal.kind()
        ),
        n => format!(
            "the {} is not allowed to assume {n} roles",
            desired.principal.kind()
        ),
    }
}

fn put(context: &Context<'_>, principal: &Principal, document: &PolicyDocument) -> Step {
    principal.put(
        PolicyName::of_grants(&context.settings.name),
        document.text().to_owned(),
    )
}

/// Why nothing is ever written to this principal.
fn refused(context: &Context<'_>, principal: &Principal) -> Option<Finding> {
    let Principal::Role(name) = principal else {
        return None;
    };
    let path = context
        .live
        .roles
        .get(&name.key())
        .map_or_else(IamPath::default, |role| role.path.clone());
    let finding = protected(context, name, &path)?;
    Some(Finding {
        address: Some(context.grant_address(principal)),
        ..finding
    })
}

/// The finding on a document that is larger than all inline policies of such a principal may be together. What else it
/// holds is known of roles alone.
fn quota(
    context: &Context<'_>,
    principal: &Principal,
    after: &PolicyDocument,
    address: &str,
) -> Option<Finding> {
    let role = match principal {
        Principal::Role(name) => context.live.roles.get(&name.key()),
        Principal::User(_) | Principal::Group(_) => None,
    };
    let own = PolicyName::of_grants(&context.settings.name);
    let others = role
        .into_iter()
        .flat_map(|role| &role.inline_policies)
        .filter(|(name, _)| **name != own);
    let has = after.size() + others.map(|(_, document)| document.size()).sum::<usize>();
    let allowed = principal.inline_policies_size();
    let message = || {
        format!(
            "{} `{}` in account {} would have {has} characters of inline policies, {allowed} are allowed; \
             grant to a group or a role, which may have more, or grant fewer roles",
            principal.kind(),
            principal.name(),
            context.account.id
        )
    };
    (has > allowed).then(|| Finding::stop("quota", address, message()))
}

/// What must be handed to people outside the organization, where nothing can be written.
pub fn outside(outside: &[OutsideGrant], secrets: &Secrets) -> Vec<Finding> {
    outside
        .iter()
        .map(|outside| hand_over(outside, secrets))
        .collect()
}

fn hand_over(outside: &OutsideGrant, secrets: &Secrets) -> Finding {
    let OutsideGrant { account, grant } = outside;
    let roles = match grant.roles.iter().collect::<Vec<_>>().as_slice() {
        [arn] => format!("`{arn}`"),
        arns => format!("{} roles", arns.len()),
    };
    let message = format!(
        "account {account} is outside the organization, so nothing is written there; \
         to assume {roles}, {} `{}` must be given this policy by its owner:\n{}{}",
        grant.principal.kind(),
        grant.principal.name(),
        grant.to_value(),
        if grant.unplaced.is_empty() {
            ""
        } else {
            "\n(whether the role is at that path could not be read)"
        }
    );
    Finding::warn(
        "grant-outside",
        &format!("{account}/grant/{}", grant.principal),
        secrets.mask(&message),
    )
}
