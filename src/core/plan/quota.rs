//! Checks IAM's quotas.
//!
//! Source: IAM User Guide, "IAM and AWS STS quotas". Sizes leave white space out.

use super::Finding;
use super::context::Context;
use crate::live::Quotas;
use crate::resource::managed_policy::LivePolicy;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::LiveRole;

/// What a role would have too much of.
pub(super) fn of_role(context: &Context<'_>, after: &LiveRole, quotas: &Quotas) -> Vec<Finding> {
    let address = context.role_address(&after.name);
    let inline: usize = after
        .inline_policies
        .values()
        .map(PolicyDocument::size)
        .sum();
    let mut findings = Vec::new();
    let mut check = |what: &str, has: usize, allowed: usize| {
        if has > allowed {
            let message = format!(
                "role `{}` would have {has} {what}, {allowed} are allowed in account {}; \
                 remove some, or ask AWS for a higher quota",
                after.name, context.account.id
            );
            findings.push(Finding::stop("quota", &address, message));
        }
    };
    check(
        "managed policies",
        after.managed_policies.len(),
        quotas.attached_policies_per_role,
    );
    check(
        "characters of trust policy",
        after.trust.size(),
        quotas.trust_policy_size,
    );
    check(
        "characters of inline policies",
        inline,
        quotas.inline_policies_size,
    );
    findings
}

/// What a policy would have too much of.
pub(super) fn of_policy(
    context: &Context<'_>,
    after: &LivePolicy,
    quotas: &Quotas,
) -> Vec<Finding> {
    let (has, allowed) = (after.document.size(), quotas.managed_policy_size);
    if has <= allowed {
        return Vec::new();
    }
    let message = format!(
        "policy `{}` would have {has} characters, {allowed} are allowed; split it",
        after.name
    );
    vec![Finding::stop(
        "quota",
        &context.policy_address(&after.name),
        message,
    )]
}

/// What the account would have too much of.
pub(super) fn of_account(
    context: &Context<'_>,
    roles: usize,
    policies: usize,
    quotas: &Quotas,
) -> Vec<Finding> {
    let counts = [
        ("roles", roles, quotas.roles),
        ("customer managed policies", policies, quotas.policies),
    ];
    let over = counts.into_iter().filter(|(_, has, allowed)| has > allowed);
    let finding = |(what, has, allowed)| Finding {
        address: None,
        ..Finding::stop(
            "quota",
            "",
            format!(
                "account {} would have {has} {what}, {allowed} are allowed; ask AWS for a higher quota",
                context.account.id
            ),
        )
    };
    over.map(finding).collect()
}
