//! Principals that IAM will refuse in a trust that is about to be written, as far as the account alone tells.
//!
//! Only documents in the steps are looked at: in a trust that is there already, IAM has taken every principal.
//! Source: IAM User Guide, "AWS JSON policy elements: Principal".

use super::context::Context;
use super::{Change, Finding};
use crate::resource::policy::pattern::segments;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::step::Step;

/// A finding for each principal that cannot be named in a planned trust.
pub(super) fn invalid(context: &Context<'_>, changes: &[Change]) -> Vec<Finding> {
    let written = changes.iter().flat_map(|change| {
        change.steps.iter().filter_map(move |step| match step {
            Step::CreateRole { trust: text, .. }
            | Step::UpdateAssumeRolePolicy { document: text, .. } => {
                Some((change.address.as_str(), text))
            }
            _ => None,
        })
    });
    let mut findings = Vec::new();
    for (address, text) in written {
        let trust = PolicyDocument::live(text, PolicyKind::Trust, &context.settings.partition);
        let providers = trust.federated_principals();
        let foreign = providers
            .iter()
            .filter_map(|provider| foreign_provider(context, provider));
        let dead = trust.dead_principals();
        let unknown = dead
            .iter()
            .filter(|id| !context.ids.contains_key(id.as_str()))
            .map(|id| unknown_id(context, id));
        findings.extend(
            foreign
                .chain(unknown)
                .map(|message| Finding::stop("invalid-principal", address, message)),
        );
    }
    findings
}

fn foreign_provider(context: &Context<'_>, provider: &str) -> Option<String> {
    let own = context.account.id;
    let &["arn", partition, "iam", "", account, resource] = segments(provider).as_slice() else {
        return None;
    };
    (account != own.as_str()).then(|| {
        format!(
            "the trust policy names `{provider}`, a provider of account {account}: a role can trust the providers of \
             its own account alone; write `arn:{partition}:iam::{{{{ account.id }}}}:{resource}`"
        )
    })
}

fn unknown_id(context: &Context<'_>, id: &str) -> String {
    format!(
        "the trust policy names `{id}`, which is the unique id of no role in account {}: IAM refuses the id of a role or \
         user that is gone; write the ARN of one that exists",
        context.account.id
    )
}
