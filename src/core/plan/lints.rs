//! The findings of lints in a plan, or for a directory alone.
//!
//! They are about what is desired, so they stand whether or not an account could be read, and are made for all accounts
//! at once: that is where two roles with one external id meet.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::{Action, Attribute, Change, Finding, ResourceKind, Settings, Severity};
use crate::desired::AccountDesired;
use crate::lint::{self, Level};
use crate::org::AccountId;
use crate::resource::issuer;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::Ensure;
use crate::resource::secret::Secrets;
use crate::resource::step::Step;

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
    let words = lint::run(&accounts, settings)
        .into_iter()
        .map(|found| Finding {
            code: found.code.to_owned(),
            severity: severity(found.level),
            address: None,
            message: secrets.mask(&format!("{}: {}", found.role.origin, found.message)),
        });
    let roles = stand_in
        .roles
        .values()
        .filter(|role| role.ensure == Ensure::Present && !role.external);
    let refused = roles.flat_map(|role| {
        let message = |missing| {
            let message = unclaimed(&role.name.to_string(), &missing);
            secrets.mask(&format!("{}: {message}", role.origin))
        };
        let findings = issuer::missing(&role.trust)
            .into_iter()
            .map(move |missing| Finding {
                code: CODE.to_owned(),
                severity: Severity::Warn,
                address: None,
                message: message(missing),
            });
        findings.collect::<Vec<_>>()
    });
    let findings: BTreeSet<Finding> = words.chain(refused).collect();
    findings.into_iter().collect()
}

/// The code of a trust policy that IAM refuses to write for what it does not ask a shared issuer's token.
const CODE: &str = "oidc-claim";

fn unclaimed(role: &str, missing: &issuer::Missing) -> String {
    let keys: Vec<String> = missing
        .keys()
        .iter()
        .map(|key| format!("`{key}`"))
        .collect();
    format!(
        "IAM refuses to write the trust policy of role `{role}`: statement {} trusts `{}`, an issuer that all customers \
         of {} share, without a condition on {}; add one that does not match every value",
        missing.statement + 1,
        missing.url,
        missing.issuer.name,
        keys.join(" or ")
    )
}

/// The findings on a trust policy that is to be written and that IAM will refuse.
pub(super) fn refused(context: &Context<'_>, change: &Change) -> Vec<Finding> {
    let Some(ResourceKind::Role(name)) = change.resource() else {
        return Vec::new();
    };
    let written = change.steps.iter().find_map(|step| match step {
        Step::CreateRole { trust, .. } => Some(trust),
        Step::UpdateAssumeRolePolicy { document, .. } => Some(document),
        _ => None,
    });
    let Some(text) = written else {
        return Vec::new();
    };
    let trust = PolicyDocument::live(text, PolicyKind::Trust, &context.settings.partition);
    let finding = |missing: issuer::Missing| Finding {
        code: CODE.to_owned(),
        severity: Severity::Stop,
        address: Some(change.address.clone()),
        message: context
            .settings
            .secrets
            .mask(&unclaimed(&name.to_string(), &missing)),
    };
    issuer::missing(&trust).into_iter().map(finding).collect()
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
