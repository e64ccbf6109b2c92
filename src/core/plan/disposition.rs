//! What becomes of each role of an account, before any of its steps: who owns it, and whether it is desired.

use std::collections::{BTreeMap, BTreeSet};

use super::claim::{Claim, Subject, claim, protected};
use super::context::Context;
use super::{Extras, Finding};
use crate::diff::{Owner, owner};
use crate::resource::role::{LiveRole, Role};

/// What becomes of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Disposition<'a> {
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

impl<'a> Disposition<'a> {
    /// The live role, where the plan may take policies off it.
    pub(super) fn handled(&self) -> Option<&'a LiveRole> {
        match self {
            Self::Ours(_, live) | Self::Adopted(_, live) | Self::Doomed(live, _) => Some(live),
            Self::Missing(_) | Self::Orphan(_) | Self::External(..) | Self::Left(_) => None,
        }
    }
}

/// What becomes of every role in scope, by key.
pub(super) type Dispositions<'a> = BTreeMap<&'a str, Disposition<'a>>;

/// Says what becomes of every role in scope.
pub(super) fn dispositions<'a>(context: &Context<'a>) -> Dispositions<'a> {
    let keys: BTreeSet<&str> = context
        .desired
        .roles
        .keys()
        .chain(context.live.roles.keys())
        .map(String::as_str)
        .collect();
    keys.into_iter()
        .map(|key| (key, disposition_of(context, key)))
        .collect()
}

fn disposition_of<'a>(context: &Context<'a>, key: &str) -> Disposition<'a> {
    match (context.desired_role(key), context.live_role(key)) {
        (None, None) => Disposition::Left(None),
        (Some(desired), live) if desired.external => Disposition::External(desired, live),
        (Some(desired), live) if let Some(why) = context.unwanted(desired) => {
            live.map_or(Disposition::Left(None), |live| unwanted(context, live, why))
        }
        (Some(desired), None) if !desired.create => {
            let message = format!(
                "role `{}` does not exist in account {}, and `create = false` makes none: nothing is done there",
                desired.name, context.account.id
            );
            let address = context.role_address(&desired.name);
            Disposition::Left(Some(Finding::warn("missing-role", &address, message)))
        }
        (Some(desired), None) => match protected(
            context,
            &desired.name,
            &desired.path.clone().unwrap_or_default(),
        ) {
            Some(finding) => Disposition::Left(Some(finding)),
            None => Disposition::Missing(desired),
        },
        (Some(desired), Some(live)) => wanted(context, desired, live),
        (None, Some(live)) => extra(context, live),
    }
}

fn wanted<'a>(context: &Context<'a>, desired: &'a Role, live: &'a LiveRole) -> Disposition<'a> {
    if let Some(finding) = protected(context, &live.name, &live.path) {
        return Disposition::Left(Some(finding));
    }
    let address = context.role_address(&live.name);
    match claim(context, &subject(live, &address), desired.adopt) {
        Claim::Refused(finding) => Disposition::Left(Some(finding)),
        Claim::Ours => Disposition::Ours(desired, live),
        Claim::Adopt => match desired.path.as_ref().filter(|path| **path != live.path) {
            None => Disposition::Adopted(desired, live),
            Some(path) => Disposition::Left(Some(Finding::stop(
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
fn unwanted<'a>(context: &Context<'a>, live: &'a LiveRole, why: &'static str) -> Disposition<'a> {
    let address = context.role_address(&live.name);
    if let Some(finding) = protected(context, &live.name, &live.path) {
        return Disposition::Left(Some(finding));
    }
    match owner(&live.tags, &context.settings.name) {
        Owner::Us => Disposition::Doomed(live, why),
        // `adopt` takes over, it never deletes.
        Owner::None => Disposition::Left(Some(Finding::stop(
            "adopt",
            &address,
            format!(
                "role `{}` has `ensure = \"absent\"`, but this directory does not manage it; rolecall deletes only roles it manages",
                live.name
            ),
        ))),
        Owner::Other(_) => match claim(context, &subject(live, &address), false) {
            Claim::Refused(finding) => Disposition::Left(Some(finding)),
            Claim::Ours | Claim::Adopt => Disposition::Left(None),
        },
    }
}

/// A role that is not desired.
fn extra<'a>(context: &Context<'a>, live: &'a LiveRole) -> Disposition<'a> {
    if owner(&live.tags, &context.settings.name) != Owner::Us {
        return Disposition::Left(None);
    }
    match context.settings.extras {
        Extras::Keep => Disposition::Orphan(live),
        Extras::Remove => match protected(context, &live.name, &live.path) {
            Some(finding) => Disposition::Left(Some(finding)),
            None => Disposition::Doomed(live, context.settings.intent.why_extras_go()),
        },
    }
}

pub(super) fn subject<'a>(live: &'a LiveRole, address: &'a str) -> Subject<'a> {
    Subject {
        kind: "role",
        name: live.name.as_str(),
        address,
        tags: &live.tags,
    }
}
