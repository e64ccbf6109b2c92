//! The principals that a trust policy may name, and the actions that let each of them in.
//!
//! Source: IAM User Guide, "AWS JSON policy elements: Principal".

use rolecall_core::org::{AccountId, glob};
use rolecall_core::resource::policy::service;
use serde_json::{Map, Value};

use super::super::wire::ApiError;
use super::document::strings;
use super::rules::malformed;

/// Issuers that IAM knows without a provider in the account.
pub const BUILT_IN: &[&str] = &[
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
];

/// The actions that a trust policy may speak of.
const ACTIONS: [&str; 6] = [
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
];

/// Whether an action, or a pattern of them, is one of a trust policy.
pub(super) fn is_trust_action(action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    action.starts_with("sts:") && ACTIONS.iter().any(|known| glob(&action, known))
}

/// A service principal is the lower-case host name of a service that exists.
pub(super) fn check_service(principal: &str) -> Result<(), ApiError> {
    const SUFFIXES: [&str; 8] = [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".amazonaws.eu",
        ".aws.internal",
        ".c2s.ic.gov",
        ".sc2s.sgov.gov",
        ".cloud.adc-e.uk",
        ".csp.hci.ic.gov",
    ];
    let host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    let known =
        SUFFIXES.iter().any(|suffix| principal.ends_with(suffix)) && service::is_known(principal);
    if known && principal.chars().all(host) {
        return Ok(());
    }
    Err(invalid_principal("SERVICE", principal))
}

/// The ARN of a provider of this account, or one of the web identity providers that need none.
pub(super) fn check_federated(
    principal: &str,
    account: AccountId,
    partition: &str,
) -> Result<(), ApiError> {
    if BUILT_IN.contains(&principal) {
        return Ok(());
    }
    let prefix = format!("arn:{partition}:iam::");
    let Some((its_account, provider)) = principal
        .strip_prefix(&prefix)
        .and_then(|rest| rest.split_once(':'))
    else {
        return Err(malformed(
            "Federated principals must be valid domain names or SAML metadata ARNs",
        ));
    };
    let named = provider
        .strip_prefix("oidc-provider/")
        .or_else(|| provider.strip_prefix("saml-provider/"))
        .is_some_and(|name| !name.is_empty() && !name.contains(':'));
    if named && its_account == account.as_str() {
        return Ok(());
    }
    Err(invalid_principal("FEDERATED", principal))
}

/// Whether what follows the account in an ARN of STS is a session: `assumed-role/ROLE/SESSION`, `federated-user/NAME`.
pub(super) fn is_session(resource: &str) -> bool {
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["assumed-role", role, session] => is_name(role) && is_name(session),
        ["federated-user", name] => is_name(name),
        _ => false,
    }
}

/// Whether `role/…` or `user/…` has a path and a name that an entity can have.
pub(super) fn is_entity(resource: &str) -> bool {
    let mut parts = resource.split('/').skip(1).collect::<Vec<_>>();
    let name = parts.pop().unwrap_or_default();
    is_name(name)
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic()))
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(allowed)
}

/// Each principal of a statement must have an action by which it comes in, where any is allowed.
pub(super) fn check_fit(statement: &Map<String, Value>) -> Result<(), ApiError> {
    let is_allow = statement
        .get("Effect")
        .is_some_and(|effect| effect == "Allow");
    let Some(actions) = statement
        .get("Action")
        .filter(|_| is_allow)
        .and_then(strings)
    else {
        return Ok(());
    };
    let allows = |way: &str| {
        actions
            .iter()
            .any(|action| glob(&action.to_ascii_lowercase(), way))
    };
    if ![
        "sts:assumerole",
        "sts:assumerolewithwebidentity",
        "sts:assumerolewithsaml",
    ]
    .iter()
    .any(|way| allows(way))
    {
        return Ok(());
    }
    let kinds = statement.get("Principal").and_then(Value::as_object);
    for (kind, named) in kinds.into_iter().flatten() {
        for principal in strings(named).unwrap_or_default() {
            let way = match kind.as_str() {
                "AWS" if principal == "*" => continue,
                "Federated" if principal.contains(":saml-provider/") => "sts:assumerolewithsaml",
                "Federated" => "sts:assumerolewithwebidentity",
                _ => "sts:assumerole",
            };
            if !allows(way) {
                return Err(malformed(format!(
                    "The actions of the policy are not valid for the principal \"{kind}\":\"{principal}\""
                )));
            }
        }
    }
    Ok(())
}

pub(super) fn invalid_principal(kind: &str, principal: &str) -> ApiError {
    malformed(format!(
        "Invalid principal in policy: \"{kind}\":\"{principal}\""
    ))
}
