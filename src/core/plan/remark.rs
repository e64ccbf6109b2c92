//! What is said of a role beside its change: that it expires, what it loses, which policies it names that are not there.

use std::collections::BTreeSet;

use super::context::Context;
use super::{Action, Finding};
use crate::live::{LiveAccount, Quotas};
use crate::resource::name::PolicyArn;
use crate::resource::role::{Ensure, LiveRole, Mode, Role};

/// So many days before a role expires its plan says so.
const EXPIRES_SOON: i32 = 14;

/// The finding on a role that is planned for deletion within days.
pub(super) fn expires_soon(context: &Context<'_>, desired: &Role) -> Option<Finding> {
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

/// The finding on a role that is managed and no longer declared; `renamed` says that it may have been renamed.
pub(super) fn orphan(context: &Context<'_>, live: &LiveRole, renamed: &str) -> Finding {
    let message = format!(
        "role `{}` in account {} is managed by this directory but no longer declared; delete it with `--prune`{renamed}",
        live.name, context.account.id
    );
    Finding::warn("orphan", &context.role_address(&live.name), message)
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

/// The instance profiles that hold a role, after `what`; nothing where none does.
pub(super) fn profiles_named(live: &LiveRole, what: &str) -> String {
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
pub(super) fn profiles_lose(
    context: &Context<'_>,
    live: &LiveRole,
    action: Action,
) -> Option<Finding> {
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

/// The policy that was probably meant: one of another path, or of a name in another case.
pub(super) fn similar<'a>(context: &Context<'a>, arn: &PolicyArn) -> Option<&'a PolicyArn> {
    let live: &'a LiveAccount = context.live;
    let local = || {
        let policies = live.policies.values().map(|policy| &policy.arn);
        arn.nearest(policies.filter(|other| other.account() == arn.account()))
    };
    live.similar_policies.get(arn).or_else(local)
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

pub(super) fn quotas(context: &Context<'_>) -> Quotas {
    context.live.quotas.unwrap_or_default()
}
