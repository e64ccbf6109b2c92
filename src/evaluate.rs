//! What a policy allows: an evaluator of trust and identity policies. Pure.

use std::collections::BTreeMap;

use crate::resource::policy::PolicyDocument;

/// One request to be decided.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The caller, as in `aws:PrincipalArn`; for a session the ARN of its role. Empty for an anonymous caller.
    pub principal: Principal,
    /// `sts:AssumeRole`
    pub action: String,
    /// The resource's ARN; for a trust policy the role's.
    pub resource: String,
    /// Condition keys (any case) and their values; a key that is not here is absent from the request.
    pub context: BTreeMap<String, Vec<String>>,
    /// Keys of which it is not known whether the request has them.
    pub unknown: Vec<String>,
}

/// Who calls.
#[derive(Debug, Clone, Default)]
pub struct Principal {
    /// Every ARN or name the caller goes by, with its kind: `("AWS", "arn:aws:iam::1…:role/x")`, the session's
    /// ARN, the account's root ARN, `("Service", "lambda.amazonaws.com")`, `("Federated", "arn:…:oidc-provider/…")`.
    pub names: Vec<(String, String)>,
}

/// The answer of one set of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement speaks of it.
    ImplicitDeny,
    /// It depends on a condition key that is not known.
    Undecided,
}

/// Decides `request` by `policies` taken together.
pub fn evaluate(policies: &[&PolicyDocument], request: &Request) -> Decision {
    let _ = (policies, request);
    unimplemented!()
}
