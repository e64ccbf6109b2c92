//! What happens to each role of an account.

use std::collections::{BTreeMap, BTreeSet};

use super::account::Tally;
use super::claim::{Claim, Subject, claim, protected, stack_owned};
use super::context::Context;
use super::coverage::Coverage;
use super::fingerprint::{Purpose, of_role};
use super::memory::Seen;
use super::policy::Policies;
use super::show::{self, Sides};
use super::{Action, Attribute, Change, Extras, Finding, Watch, lints, quota, steps};
use crate::desired::needs_details;
use crate::diff::role::{Spelling, Target};
use crate::diff::{Owner, owner};
use crate::live::{LiveAccount, Quotas};
use crate::resource::name::PolicyArn;
use crate::resource::role::{Ensure, LiveRole, Mode, Role};
use crate::resource::step::Step;

/// What becomes of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// It is desired and not there.
    Missing(&'a Role),
    /// It is desired and managed by this directory.
    Ours(&'a Role, &'a LiveRole),
    /// It is desired, has no owner, and may be taken over.
    Adopted(&'a Role, &'a LiveRole),
    /// It goes, for this reason.
    Doomed(&'a LiveRole, &'static str),
    /// It is managed, no longer desired, and kept.
    Orphan(&'a LiveRole),
    /// It is external; it is compared.
    External(&'a Role, Option<&'a LiveRole>),
    /// It is left alone; where that is against the desired state, this says why.
    Left(Option<Finding>),
}

impl<'a> Standing<'a> {
    /// The live role, where the plan may take policies off it.
    pub(super) fn handled(&self) -> Option<&'a LiveRole> {
        match self {
            Self::Ours(_, live) | Self::Adopted(_, live) | Self::Doomed(live, _) => Some(live),
            Self::Missing(_) | Self::Orphan(_) | Self::External(..) | Self::Left(_) => None,
        }
    }
}

/// What becomes of every role in scope, by key.
pub(super) fn standings<'a>(context: &Context<'a>) -> BTreeMap<&'a str, Standing<'a>> {
    let keys: BTreeSet<&str> = context
        .desired
        .roles
        .keys()
        .chain(context.live.roles.keys())
        .map(String::as_str)
        .collect();
    keys.into_iter()
        .map(|key| (key, standing(context, key)))
        .collect()
}

fn standing<'a>(context: &Context<'a>, key: &str) -> Standing<'a> {
    match (context.desired_role(key), context.live_role(key)) {
        (None, None) => Standing::Left(None),
        (Some(desired), live) if desired.external => Standing::External(desired, live),
        (Some(desired), live) if let Some(why) = context.unwanted(desired) => {
            live.map_or(Standing::Left(None), |live| unwanted(context, live, why))
        }
        (Some(desired), None) if !desired.create => {
            let message = format!(
                "role `{}` does not exist in account {}, and `create = false` makes none: nothing is done there",
                desired.name, context.account.id
            );
            let address = context.role_address(&desired.name);
            Standing::Left(Some(Finding::warn("missing-role", &address, message)))
        }
        (Some(desired), None) => match protected(
            context,
            &desired.name,
            &desired.path.clone().unwrap_or_default(),
        ) {
            Some(finding) => Standing::Left(Some(finding)),
            None => Standing::Missing(desired),
        },
        (Some(desired), Some(live)) => wanted(context, desired, live),
        (None, Some(live)) => extra(context, live),
    }
}

fn subject<'a>(live: &'a LiveRole, address: &'a str) -> Subject<'a> {
    Subject {
        kind: "role",
        name: live.name.as_str(),
        address,
        tags: &live.tags,
    }
}

fn wanted<'a>(context: &Context<'a>, desired: &'a Role, live: &'a LiveRole) -> Standing<'a> {
    if let Some(finding) = protected(context, &live.name, &live.path) {
        return Standing::Left(Some(finding));
    }
    let address = context.role_address(&live.name);
    match claim(context, &subject(live, &address), desired.adopt) {
        Claim::Refused(finding) => Standing::Left(Some(finding)),
        Claim::Ours => Standing::Ours(desired, live),
        Claim::Adopt => match desired.path.as_ref().filter(|path| **path != live.path) {
            None => Standing::Adopted(desired, live),
            Some(path) => Standing::Left(Some(Finding::stop(
                "adopt-path",
                &address,
                format!(
                    "role `{}` has the path `{}`, but `{path}` is desired: adoption never replaces; set the live path, or remove `path`",
                    live.name, live.path
                ),
            ))),
        },
    }
}

/// A role that exists and should not.
fn unwanted<'a>(context: &Context<'a>, live: &'a LiveRole, why: &'static str) -> Standing<'a> {
    let address = context.role_address(&live.name);
    if let Some(finding) = protected(context, &live.name, &live.path) {
        return Standing::Left(Some(finding));
    }
    match owner(&live.tags, &context.settings.name) {
        Owner::Us => Standing::Doomed(live, why),
        // `adopt` takes over, it never deletes.
        Owner::Nobody => Standing::Left(Some(Finding::stop(
            "adopt",
            &address,
            format!(
                "role `{}` has `ensure = \"absent\"`, but this directory does not manage it; rolecall deletes only roles it manages",
                live.name
            ),
        ))),
        Owner::Other(_) => match claim(context, &subject(live, &address), false) {
            Claim::Refused(finding) => Standing::Left(Some(finding)),
            Claim::Ours | Claim::Adopt => Standing::Left(None),
        },
    }
}

/// So many days before a role expires its plan says so.
const EXPIRES_SOON: i32 = 14;

/// A role that is not desired.
fn extra<'a>(context: &Context<'a>, live: &'a LiveRole) -> Standing<'a> {
    if owner(&live.tags, &context.settings.name) != Owner::Us {
        return Standing::Left(None);
    }
    match context.settings.extras {
        Extras::Keep => Standing::Orphan(live),
        Extras::Remove => match protected(context, &live.name, &live.path) {
            Some(finding) => Standing::Left(Some(finding)),
            None => Standing::Doomed(live, context.settings.intent.why_extras_go()),
        },
    }
}

/// Plans every role of the account.
pub(super) fn plan(
    context: &Context<'_>,
    standings: &BTreeMap<&str, Standing<'_>>,
    policies: &Policies,
    tally: &mut Tally,
) {
    for standing in standings.values() {
        let planned = one(context, standing, policies, tally);
        if let Some(change) = planned {
            tally
                .findings
                .extend(lints::trust_widened(context.settings, &change));
            tally.findings.extend(lints::refused(context, &change));
            tally.changes.push(change);
        }
    }
    tally.findings.extend(
        context
            .desired_roles()
            .filter_map(|desired| expires_soon(context, desired)),
    );
    if standings
        .values()
        .any(|standing| matches!(standing, Standing::Missing(_)))
    {
        say_rename(context, standings, tally);
    }
    let ours = |role: &&LiveRole| {
        context.settings.selects(&role.name)
            && owner(&role.tags, &context.settings.name) == Owner::Us
    };
    tally.owned += context.live.roles.values().filter(ours).count();
    tally.desired += context.desired_roles().count();
}

/// The finding on a role that is planned for deletion within days.
fn expires_soon(context: &Context<'_>, desired: &Role) -> Option<Finding> {
    let expires = desired
        .expires
        .filter(|_| desired.ensure == Ensure::Present && !desired.external)?;
    let left = context.settings.today.until(expires).ok()?.get_days();
    let days = if left == 1 {
        "day".to_owned()
    } else {
        format!("{left} days")
    };
    let message = format!(
        "role `{}` in account {} expires on {expires}, in {days}: from then on it is planned for deletion; set a later date to keep it",
        desired.name, context.account.id
    );
    (1..=EXPIRES_SOON)
        .contains(&left)
        .then(|| Finding::warn("expires", &context.role_address(&desired.name), message))
}

/// Says of each role that goes beside new ones that it may have been renamed, which IAM cannot do.
fn say_rename(context: &Context<'_>, standings: &BTreeMap<&str, Standing<'_>>, tally: &mut Tally) {
    const RENAME: &str = "; IAM cannot rename: under a new name it is a new role";
    for standing in standings.values() {
        let (Standing::Orphan(live) | Standing::Doomed(live, super::settings::LEFT)) = standing
        else {
            continue;
        };
        let address = context.role_address(&live.name);
        let findings = tally
            .findings
            .iter_mut()
            .filter(|finding| finding.code == "orphan");
        for finding in findings.filter(|finding| finding.address.as_ref() == Some(&address)) {
            finding.message += RENAME;
        }
        for change in tally
            .changes
            .iter_mut()
            .filter(|change| change.address == address)
        {
            change.reason += RENAME;
        }
    }
}

fn one(
    context: &Context<'_>,
    standing: &Standing<'_>,
    policies: &Policies,
    tally: &mut Tally,
) -> Option<Change> {
    match standing {
        Standing::Left(finding) => {
            tally.findings.extend(finding.clone());
            None
        }
        Standing::Orphan(live) => {
            tally.orphans += 1;
            context.note_extra(
                &context.role_address(&live.name),
                Seen::Role(live, &context.ids),
                tally,
            );
            tally.findings.push(orphan(context, live));
            None
        }
        Standing::External(desired, live) => {
            external(context, desired, *live, tally);
            None
        }
        Standing::Missing(desired) => Some(create(context, desired, tally)),
        Standing::Doomed(live, reason) => Some(delete(context, live, reason, policies, tally)),
        Standing::Ours(desired, live) | Standing::Adopted(desired, live) => {
            dead_principals(context, live, tally);
            if let Some(message) = unmanaged_permissions(desired, live) {
                let message = format!(
                    "role `{}` in account {} {message}",
                    live.name, context.account.id
                );
                let address = context.role_address(&live.name);
                tally
                    .findings
                    .push(Finding::warn("unmanaged-permissions", &address, message));
            }
            let action = if matches!(standing, Standing::Ours(..)) {
                Action::Update
            } else {
                Action::Adopt
            };
            update(context, desired, live, action, policies, tally)
        }
    }
}

fn orphan(context: &Context<'_>, live: &LiveRole) -> Finding {
    let message = format!(
        "role `{}` in account {} is managed by this directory but no longer declared; delete it with `--prune`",
        live.name, context.account.id
    );
    Finding::warn("orphan", &context.role_address(&live.name), message)
}

fn external(context: &Context<'_>, desired: &Role, live: Option<&LiveRole>, tally: &mut Tally) {
    let address = context.role_address(&desired.name);
    let say = |what: String| {
        let message = format!(
            "role `{}` in account {} is external and {what}",
            desired.name, context.account.id
        );
        Finding::warn("external", &address, message)
    };
    match (live, desired.ensure) {
        (None, Ensure::Absent) => tally.unchanged += 1,
        (None, Ensure::Present) => tally.findings.push(say("does not exist".to_owned())),
        (Some(_), Ensure::Absent) => tally.findings.push(say("still exists".to_owned())),
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
                tally.unchanged += 1;
            } else {
                tally
                    .findings
                    .push(say(format!("differs: {}", show::attributes(&diffs))));
            }
        }
    }
}

fn dead_principals(context: &Context<'_>, live: &LiveRole, tally: &mut Tally) {
    let resolved = live
        .trust
        .resolve_principals(&|id| context.ids.get(id).map(|arn| (*arn).to_owned()));
    for id in resolved.dead_principals() {
        let message = format!(
            "role `{}` in account {} trusts `{id}`, the id of a deleted role or user: a new one of the same name is not trusted until the trust policy is written again",
            live.name, context.account.id
        );
        let message = context.settings.secrets.mask(&message);
        tally.findings.push(Finding::warn(
            "dead-principal",
            &context.role_address(&live.name),
            message,
        ));
    }
}

/// What is said of the permissions that a role of this directory has through attributes that are not set; `None`
/// where it has none. An attribute that is expressly additive is meant to hold what others put there.
pub fn unmanaged_permissions(desired: &Role, live: &LiveRole) -> Option<String> {
    let mut parts = Vec::new();
    let names = |names: Vec<String>| {
        names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if desired.managed_policies.is_none() && desired.manage.managed_policies == Mode::Exclusive {
        let attached: Vec<String> = live
            .managed_policies
            .iter()
            .map(ToString::to_string)
            .collect();
        parts.extend(
            (!attached.is_empty()).then(|| format!("the attached policies {}", names(attached))),
        );
    }
    if desired.inline_policies.is_none() && desired.manage.inline_policies == Mode::Exclusive {
        let inline = live
            .inline_policies
            .keys()
            .filter(|name| !name.is_known_by_name())
            .map(ToString::to_string)
            .collect();
        let inline: Vec<String> = inline;
        parts
            .extend((!inline.is_empty()).then(|| format!("the inline policies {}", names(inline))));
    }
    let keys = match (
        desired.managed_policies.is_none(),
        desired.inline_policies.is_none(),
    ) {
        (true, true) => "`managed_policies` and `inline_policy` are",
        (true, false) => "`managed_policies` is",
        (false, _) => "`inline_policy` is",
    };
    (!parts.is_empty()).then(|| {
        format!(
            "has {}, but {keys} not set, so they are not managed; set what the role should have, `[]` for none, or `manage` them as \"additive\" to leave them to others",
            parts.join(" and ")
        )
    })
}

fn create(context: &Context<'_>, desired: &Role, tally: &mut Tally) -> Change {
    let Target {
        role: after,
        spelling,
    } = context.target(desired, None);
    check(context, None, &after, tally);
    let states = States {
        before: None,
        after: Some(&after),
    };
    let steps = steps::create_role(&after);
    change(
        context,
        states,
        &spelling,
        Draft {
            action: Action::Create,
            reason: "not in the account".to_owned(),
            details: needs_details(desired),
            accepted: BTreeSet::new(),
            steps,
        },
    )
}

fn delete(
    context: &Context<'_>,
    live: &LiveRole,
    reason: &str,
    policies: &Policies,
    tally: &mut Tally,
) -> Change {
    let address = context.role_address(&live.name);
    let desired = context.desired_role(&live.name.key());
    if desired.is_some_and(|desired| desired.prevent_destroy) {
        tally.findings.push(prevent_destroy(
            "role",
            live.name.as_str(),
            &address,
            "delete",
        ));
    }
    let former = desired.and_then(|desired| desired.former_stack.as_deref());
    tally
        .findings
        .extend(stack_owned(&subject(live, &address), former));
    // What the file names as absent is deleted by that name, whoever recorded it.
    if desired.is_none() {
        context.note_extra(&address, Seen::Role(live, &context.ids), tally);
        tally
            .findings
            .extend(context.unrecorded(&format!("role `{}`", live.name), &address));
    }
    tally
        .findings
        .extend(profiles_lose(context, live, Action::Delete));
    let steps = steps::delete_role(&policies.once_moved(live));
    let states = States {
        before: Some(live),
        after: None,
    };
    let emptied = profiles_named(live, "; it leaves these instance profiles empty:");
    change(
        context,
        states,
        &Spelling::default(),
        Draft {
            action: Action::Delete,
            reason: format!("{reason}{emptied}"),
            details: false,
            accepted: BTreeSet::new(),
            steps,
        },
    )
}

/// The finding on the deletion or replacement of what must never be deleted.
pub fn prevent_destroy(kind: &str, name: &str, address: &str, verb: &str) -> Finding {
    let message = format!(
        "the plan would {verb} {kind} `{name}`, but `prevent_destroy` is set; remove it first"
    );
    Finding::stop("prevent-destroy", address, message)
}

fn update(
    context: &Context<'_>,
    desired: &Role,
    live: &LiveRole,
    action: Action,
    policies: &Policies,
    tally: &mut Tally,
) -> Option<Change> {
    let address = context.role_address(&live.name);
    if needs_details(desired) && live.details.is_none() {
        let message = format!(
            "description and duration of role `{}` were not read; plan again",
            live.name
        );
        tally
            .findings
            .push(Finding::stop("unread", &address, message));
        return None;
    }
    let Target {
        role: mut after,
        spelling,
    } = context.target(desired, Some(live));
    policies.settle(&mut after);
    let accepted = match action {
        Action::Update => {
            let sides = Sides {
                before: Some(live),
                after: Some(&after),
            };
            let seen = |role| Seen::Role(role, &context.ids);
            let diffs = show::role(context, sides, &Spelling::default());
            context.accepted(&address, (seen(live), seen(&after)), diffs, tally)
        }
        _ => BTreeSet::new(),
    };
    for attribute in &accepted {
        leave(&mut after, live, *attribute);
    }
    if after == *live && spelling == Spelling::default() {
        tally.unchanged += 1;
        context.note(&address, Seen::Role(live, &context.ids), &accepted, tally);
        return None;
    }
    let before = policies.once_moved(live);
    let states = States {
        before: Some(live),
        after: Some(&after),
    };
    let details = needs_details(desired);
    let draft = if after.path == live.path {
        let steps = steps::update_role(&before, &after, &quotas(context));
        Draft {
            action,
            reason: String::new(),
            details,
            accepted: BTreeSet::new(),
            steps,
        }
    } else {
        let reason = replaced(context, desired, live, &after, tally);
        let steps = [steps::delete_role(&before), steps::create_role(&after)].concat();
        Draft {
            action: Action::Replace,
            reason,
            details,
            accepted: BTreeSet::new(),
            steps,
        }
    };
    if !draft.steps.is_empty() {
        check(context, Some(live), &after, tally);
        tally.findings.extend(stack_owned(
            &subject(live, &address),
            desired.former_stack.as_deref(),
        ));
        if action == Action::Update {
            let what = format!("role `{}`", live.name);
            tally.findings.extend(context.never_made(&what, &address));
        }
    }
    Some(change(
        context,
        states,
        &spelling,
        Draft { accepted, ..draft },
    ))
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

fn replaced(
    context: &Context<'_>,
    desired: &Role,
    live: &LiveRole,
    after: &LiveRole,
    tally: &mut Tally,
) -> String {
    let address = context.role_address(&live.name);
    if desired.prevent_destroy {
        tally.findings.push(prevent_destroy(
            "role",
            live.name.as_str(),
            &address,
            "replace",
        ));
    }
    let message = format!(
        "replacing role `{}` gives it another ARN and id: every policy elsewhere that names `{}` loses it \
         and must be written again for `{}`",
        live.name, live.arn, after.arn
    );
    tally
        .findings
        .push(Finding::warn("replace", &address, message));
    tally
        .findings
        .extend(profiles_lose(context, live, Action::Replace));
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

/// The instance profiles that hold a role, after `what`; nothing where none does.
fn profiles_named(live: &LiveRole, what: &str) -> String {
    let names: Vec<String> = live
        .instance_profiles
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("{what} {}", names.join(", "))
    }
}

/// What EC2 loses where a role is taken out of its instance profiles; `None` where it is in none.
///
/// Source: IAM API Reference, `RemoveRoleFromInstanceProfile`: applications on instances that run with the role may break.
fn profiles_lose(context: &Context<'_>, live: &LiveRole, action: Action) -> Option<Finding> {
    let profiles = profiles_named(live, "the instance profiles");
    if profiles.is_empty() {
        return None;
    }
    let (name, account) = (&live.name, context.account.id);
    let message = if action == Action::Replace {
        format!(
            "replacing role `{name}` in account {account} takes it out of {profiles} and puts the new role back: EC2 \
             instances that run with it have no credentials in between, and those they hold lose their permissions"
        )
    } else {
        format!(
            "deleting role `{name}` in account {account} takes it out of {profiles}, which stay and are empty: EC2 \
             instances that run with it lose their credentials, and new ones get none; give them another profile first"
        )
    };
    let address = context.role_address(name);
    Some(Finding::warn("instance-profile", &address, message))
}

/// What speaks against a role as it would be.
fn check(context: &Context<'_>, live: Option<&LiveRole>, after: &LiveRole, tally: &mut Tally) {
    tally
        .findings
        .extend(quota::of_role(context, after, &quotas(context)));
    for arn in newly_named(live, after)
        .into_iter()
        .filter(|arn| exists(context, arn) == Some(false))
    {
        let hint = match similar(context, arn) {
            Some(meant) => format!("did you mean `{}`?", meant.reference()),
            None => "correct the name".to_owned(),
        };
        let message = format!(
            "policy `{arn}` does not exist, but role `{}` in account {} attaches it; {hint}",
            after.name, context.account.id
        );
        tally.findings.push(Finding::stop(
            "missing-policy",
            &context.role_address(&after.name),
            message,
        ));
    }
}

/// The policy that was probably meant: one of another path, or of a name in another case.
fn similar<'a>(context: &Context<'a>, arn: &PolicyArn) -> Option<&'a PolicyArn> {
    let live: &'a LiveAccount = context.live;
    let local = || {
        let policies = live.policies.values().map(|policy| &policy.arn);
        arn.nearest(policies.filter(|other| other.account() == arn.account()))
    };
    live.similar_policies.get(arn).or_else(local)
}

fn quotas(context: &Context<'_>) -> Quotas {
    context.live.quotas.unwrap_or_default()
}

/// The policies that `after` has, attached or as its boundary, and the live role has not.
pub(super) fn newly_named<'b>(
    live: Option<&LiveRole>,
    after: &'b LiveRole,
) -> BTreeSet<&'b PolicyArn> {
    let attached = after
        .managed_policies
        .iter()
        .filter(|arn| live.is_none_or(|live| !live.managed_policies.contains(*arn)));
    let boundary = after.permissions_boundary.iter();
    attached
        .chain(
            boundary.filter(|arn| {
                live.is_none_or(|live| live.permissions_boundary.as_ref() != Some(*arn))
            }),
        )
        .collect()
}

/// Whether a policy exists or will once the account's policies are written; `None` where it was not asked.
pub(super) fn exists(context: &Context<'_>, arn: &PolicyArn) -> Option<bool> {
    let key = arn.name().to_ascii_lowercase();
    let live = context.live.policies.get(&key);
    let desired = context
        .desired_policy(&key)
        .map(|desired| context.policy_arn(desired, live));
    let known = desired.as_ref() == Some(arn)
        || live.is_some_and(|live| live.arn == *arn)
        || context
            .live
            .roles
            .values()
            .any(|role| role.managed_policies.contains(arn));
    if known {
        Some(true)
    } else {
        context.live.known_policies.get(arn).copied()
    }
}

#[derive(Clone, Copy)]
struct States<'a> {
    before: Option<&'a LiveRole>,
    after: Option<&'a LiveRole>,
}

struct Draft {
    action: Action,
    /// Empty where the diffs say it.
    reason: String,
    details: bool,
    /// Attributes that are left as they are.
    accepted: BTreeSet<Attribute>,
    steps: Vec<Step>,
}

fn change(context: &Context<'_>, states: States<'_>, spelling: &Spelling, draft: Draft) -> Change {
    let States { before, after } = states;
    let Draft {
        action,
        reason,
        details,
        accepted,
        steps,
    } = draft;
    let mut diffs = show::role(context, Sides { before, after }, spelling);
    let name = before
        .or(after)
        .map(|role| role.name.to_string())
        .unwrap_or_default();
    let desired = after.and_then(|after| context.desired_role(&after.name.key()));
    let covers = covers(context, desired, action, details, &steps).without(&accepted);
    let address = context.role_address(name);
    let seen = |role| Seen::Role(role, &context.ids);
    let of = |role: Option<&LiveRole>, covers: &Coverage, purpose: Purpose| {
        of_role(role, &context.ids, covers, purpose)
    };
    let sides = (before.map(seen), after.map(seen));
    let cause = context.blame(&address, action, sides, &mut diffs);
    Change {
        action,
        reason: show::reason(action, reason, &diffs, &steps),
        cosmetic: steps.is_empty(),
        cause,
        rolled_back: context.rolled_back(&address, cause, before.map(seen)),
        accepted,
        address,
        fingerprint: of(before, &covers, Purpose::Seen),
        expected: of(after, &covers, Purpose::Expected),
        details,
        watch: Watch {
            found: of(before, &covers, Purpose::Written),
            leaves: of(after, &Coverage::whole(details), Purpose::Expected),
            covers,
        },
        after: BTreeSet::new(),
        finish_after: BTreeSet::new(),
        diffs,
        steps,
    }
}

/// What of the live role a change is about.
fn covers(
    context: &Context<'_>,
    desired: Option<&Role>,
    action: Action,
    details: bool,
    steps: &[Step],
) -> Coverage {
    let wanted: BTreeSet<PolicyArn> = desired
        .iter()
        .flat_map(|desired| desired.managed_policies.iter().flatten())
        .map(|reference| context.resolve(reference))
        .collect();
    let attached = steps.iter().filter_map(|step| match step {
        Step::AttachRolePolicy { arn, .. } | Step::DetachRolePolicy { arn, .. } => Some(arn),
        _ => None,
    });
    let arns: BTreeSet<String> = wanted
        .iter()
        .chain(attached)
        .map(ToString::to_string)
        .collect();
    Coverage::of_role(desired, action, details, steps).attaching(arns.iter().map(String::as_str))
}
