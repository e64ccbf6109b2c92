//! What happens to each grant of an account: one inline policy per principal.
//!
//! The policy's name alone makes a grant managed, so there is nothing to adopt and no owner to check. The principal
//! is never managed: it is not created, and where it does not exist the plan stops. A policy that is left on a
//! principal to whom nothing is granted any more is found where the read shows it: on every role, and with prune on
//! every user and group.

use std::collections::{BTreeMap, BTreeSet};

use super::account::Tally;
use super::claim::protected;
use super::context::Context;
use super::fingerprint::of_grant;
use super::memory::Seen;
use super::role::Standing;
use super::show::{self, Sides};
use super::{Action, Attribute, Change, Extras, Finding, Intent, Watch};
use crate::resource::grant::{Grant, GrantState, LiveGrant, OutsideGrant, Principal};
use crate::resource::name::{IamPath, PolicyName};
use crate::resource::policy::{Difference, PolicyDocument};
use crate::resource::secret::Secrets;
use crate::resource::step::Step;

/// Plans every grant of the account.
pub(super) fn plan(context: &Context<'_>, roles: &BTreeMap<&str, Standing<'_>>, tally: &mut Tally) {
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
                tally.desired += 1;
                wanted(context, desired, live, roles, tally);
            }
            // A run about some roles cannot tell who lost all grants.
            (None, Some(live)) if context.settings.roles.is_empty() => {
                extra(context, live, roles, tally);
            }
            (None, _) => {}
        }
    }
}

/// What becomes of a principal in this plan.
enum Fate {
    Stays,
    /// It is a role that this plan makes.
    Made,
    /// It is a role that this plan deletes.
    Goes,
    Unread,
    Missing,
}

fn fate(
    principal: &Principal,
    live: Option<&LiveGrant>,
    roles: &BTreeMap<&str, Standing<'_>>,
) -> Fate {
    let standing = match principal {
        Principal::Role(name) => roles.get(name.key().as_str()),
        Principal::User(_) | Principal::Group(_) => None,
    };
    match (standing, live.map(|live| &live.state)) {
        (Some(Standing::Missing(_)), _) => Fate::Made,
        (Some(Standing::Doomed(..)), _) => Fate::Goes,
        (_, Some(GrantState::NoPolicy | GrantState::Granted(_))) => Fate::Stays,
        (_, Some(GrantState::NoPrincipal)) => Fate::Missing,
        (_, None) => Fate::Unread,
    }
}

fn wanted(
    context: &Context<'_>,
    desired: &Grant,
    live: Option<&LiveGrant>,
    roles: &BTreeMap<&str, Standing<'_>>,
    tally: &mut Tally,
) {
    let principal = live.map_or(&desired.principal, |live| &live.principal);
    let address = context.grant_address(principal);
    let (kind, name, account) = (principal.kind(), principal.name(), context.account.id);
    let refuse = |code: &str, message: String| Finding::stop(code, &address, message);
    let missing = |why: &str| {
        let message = format!(
            "{kind} `{name}` in account {account} {why}, but the grant at {} names it; create it first, or fix the name",
            desired.origin
        );
        refuse("missing-principal", message)
    };
    let refusal = match fate(principal, live, roles) {
        Fate::Stays | Fate::Made => {
            if let Some(arn) = desired.unplaced.first() {
                tally.owned +=
                    usize::from(live.is_some_and(|live| live.state.document().is_some()));
                tally
                    .findings
                    .push(Finding::warn("unread", &address, unplaced(principal, arn)));
                return;
            }
            refused(context, principal)
        }
        Fate::Missing => Some(missing("does not exist")),
        Fate::Goes => Some(missing("is deleted by this plan")),
        Fate::Unread => Some(refuse(
            "unread",
            format!("{kind} `{name}` in account {account} was not read; plan again"),
        )),
    };
    if refusal.is_some() {
        tally.findings.extend(refusal);
        return;
    }
    let before = live.and_then(|live| live.state.document());
    tally.owned += usize::from(before.is_some());
    let after = desired.document(&context.settings.partition);
    let difference = before.map(|before| before.difference(&after));
    let (action, steps) = match difference {
        Some(Difference::None) => {
            tally.unchanged += 1;
            if let Some(before) = before {
                context.note(&address, Seen::Grant(before), &BTreeSet::new(), tally);
            }
            return;
        }
        Some(Difference::Semantic)
            if let Some(before) = before
                && is_accepted(context, &address, before, &after, tally) =>
        {
            tally.unchanged += 1;
            let accepted = [Attribute::Document].into();
            context.note(&address, Seen::Grant(before), &accepted, tally);
            return;
        }
        Some(Difference::Cosmetic) => (Action::Update, Vec::new()),
        Some(Difference::Semantic) => (Action::Update, vec![put(context, principal, &after)]),
        None => (Action::Create, vec![put(context, principal, &after)]),
    };
    if !steps.is_empty() {
        tally
            .findings
            .extend(quota(context, principal, &after, &address));
        if action == Action::Update {
            let what = format!(
                "inline policy `{}` of {kind} `{name}`",
                PolicyName::of_grants(&context.settings.name)
            );
            tally.findings.extend(context.never_made(&what, &address));
        }
    }
    let reason = if action == Action::Create {
        reason(desired)
    } else {
        String::new()
    };
    tally.changes.push(change(
        context,
        principal,
        Sides {
            before,
            after: Some(&after),
        },
        Draft {
            action,
            reason,
            steps,
        },
    ));
}

/// Whether it is accepted that what is granted differs.
fn is_accepted(
    context: &Context<'_>,
    address: &str,
    before: &PolicyDocument,
    after: &PolicyDocument,
    tally: &mut Tally,
) -> bool {
    let sides = Sides {
        before: Some(before),
        after: Some(after),
    };
    let diffs = show::grant(sides, false, &context.settings.secrets);
    let seen = (Seen::Grant(before), Seen::Grant(after));
    !context.accepted(address, seen, diffs, tally).is_empty()
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

/// A policy that is left on a principal to whom nothing is granted.
fn extra(
    context: &Context<'_>,
    live: &LiveGrant,
    roles: &BTreeMap<&str, Standing<'_>>,
    tally: &mut Tally,
) {
    let LiveGrant { principal, state } = live;
    let Some(before) = state.document() else {
        return;
    };
    // It goes with its role.
    if matches!(fate(principal, Some(live), roles), Fate::Goes) {
        return;
    }
    tally.owned += 1;
    let address = context.grant_address(principal);
    let policy = PolicyName::of_grants(&context.settings.name);
    context.note_extra(&address, Seen::Grant(before), tally);
    if context.settings.extras == Extras::Keep {
        tally.orphans += 1;
        let message = format!(
            "{} `{}` in account {} still has `{policy}`, but no grant names it any more; delete it with `--prune`",
            principal.kind(),
            principal.name(),
            context.account.id
        );
        tally
            .findings
            .push(Finding::warn("orphan", &address, message));
        return;
    }
    if let Some(finding) = refused(context, principal) {
        tally.findings.push(finding);
        return;
    }
    let what = format!(
        "inline policy `{policy}` of {} `{}`",
        principal.kind(),
        principal.name()
    );
    tally.findings.extend(context.unrecorded(&what, &address));
    let draft = Draft {
        action: Action::Delete,
        reason: match context.settings.intent {
            Intent::Converge => "no grant names it any more".to_owned(),
            intent => intent.why_extras_go().to_owned(),
        },
        steps: vec![principal.delete(policy)],
    };
    tally.changes.push(change(
        context,
        principal,
        Sides {
            before: Some(before),
            after: None,
        },
        draft,
    ));
}

struct Draft {
    action: Action,
    /// Empty where the diffs say it.
    reason: String,
    steps: Vec<Step>,
}

fn change(
    context: &Context<'_>,
    principal: &Principal,
    sides: Sides<'_, PolicyDocument>,
    draft: Draft,
) -> Change {
    let Draft {
        action,
        reason,
        steps,
    } = draft;
    let mut diffs = show::grant(sides, steps.is_empty(), &context.settings.secrets);
    let address = context.grant_address(principal);
    let seen = (sides.before.map(Seen::Grant), sides.after.map(Seen::Grant));
    let cause = context.blame(&address, action, seen, &mut diffs);
    Change {
        action,
        reason: show::reason(action, reason, &diffs, &steps),
        cosmetic: steps.is_empty(),
        cause,
        rolled_back: context.rolled_back(&address, cause, seen.0),
        accepted: BTreeSet::new(),
        address,
        fingerprint: of_grant(sides.before),
        expected: of_grant(sides.after),
        details: false,
        watch: Watch {
            found: of_grant(sides.before),
            leaves: of_grant(sides.after),
            ..Watch::default()
        },
        after: BTreeSet::new(),
        finish_after: BTreeSet::new(),
        diffs,
        steps,
    }
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
