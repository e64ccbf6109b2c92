//! The findings of lints in a plan, or for a directory alone.
//!
//! They are about what is desired, so they stand whether or not an account could be read, and are made for all accounts
//! at once: that is where two roles with one external id meet.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Attribute, Change, Finding, ResourceKind, Settings, Severity};
use crate::desired::AccountDesired;
use crate::lint::{self, Level};
use crate::org::AccountId;
use crate::resource::secret::Secrets;

/// The id of the placeholder account: `{{ account.id }}` where there is no AWS.
const STAND_IN: &str = "000000000000";

/// What lints say about the desired roles in scope, for [`Plan::with_findings`](super::Plan::with_findings).
pub fn lints(settings: &Settings, desired: &BTreeMap<AccountId, AccountDesired>) -> Vec<Finding> {
    lint::run(desired, &settings.lints)
        .into_iter()
        .filter(|found| settings.selects(&found.role.name))
        .map(|found| Finding {
            code: found.code.to_owned(),
            severity: severity(found.level),
            address: Some(format!("{}/role/{}", found.account, found.role.name)),
            message: settings.secrets.mask(&found.message),
        })
        .collect()
}

/// What lints say about a directory without AWS: `stand_in` is what a placeholder account would have. Such
/// findings have no address, and their message says where the role is written.
pub fn lints_alone(
    settings: &lint::Settings,
    stand_in: &AccountDesired,
    secrets: &Secrets,
) -> Vec<Finding> {
    let account = AccountId::parse(STAND_IN).into_iter();
    let accounts = account.map(|account| (account, stand_in.clone())).collect();
    let findings: BTreeSet<Finding> = lint::run(&accounts, settings)
        .into_iter()
        .map(|found| Finding {
            code: found.code.to_owned(),
            severity: severity(found.level),
            address: None,
            message: secrets.mask(&format!("{}: {}", found.role.origin, found.message)),
        })
        .collect();
    findings.into_iter().collect()
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Stop => Severity::Stop,
        Level::Warn | Level::Off => Severity::Warn,
    }
}

/// The finding on a change that opens the trust policy of a role that exists.
pub(super) fn trust_widened(settings: &Settings, change: &Change) -> Option<Finding> {
    let exists = matches!(
        change.action,
        Action::Update | Action::Adopt | Action::Replace
    );
    let widens = change
        .diffs
        .iter()
        .any(|diff| diff.attribute == Attribute::Trust && diff.widens && !diff.cosmetic);
    let Some(ResourceKind::Role(name)) = change.resource().filter(|_| exists && widens) else {
        return None;
    };
    let (level, message) = lint::trust_widened(&settings.lints, &name)?;
    Some(Finding {
        code: lint::TRUST_WIDENED.to_owned(),
        severity: severity(level),
        address: Some(change.address.clone()),
        message,
    })
}
