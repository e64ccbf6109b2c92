//! The lint of trust in OIDC providers: whose tokens are accepted.
//!
//! A provider such as GitHub signs tokens for everyone, and the audience is the same for all of them: only the subject
//! tells whose a token is. Consumer providers and Cognito tell by the audience, which is the application's id.
//! Source: IAM User Guide, "Create a role for `OpenID` Connect federation".

use super::caller::{Caller, filled, is_wild, wanted};
use super::context::{Context, principals};
use crate::resource::policy::PolicyDocument;

const GITHUB: &str = "token.actions.githubusercontent.com";

/// Providers whose audience says which application a token is for.
const BY_AUDIENCE: &[&str] = &[
    "cognito-identity.amazonaws.com",
    "accounts.google.com",
    "graph.facebook.com",
    "www.amazon.com",
];

/// First claims of a GitHub subject that whoever runs a workflow anywhere can choose.
///
/// Source: GitHub Docs, "`OpenID` Connect reference", customizing the subject claims.
const CHOSEN: &[&str] = &[
    "workflow",
    "environment",
    "ref",
    "context",
    "head_ref",
    "base_ref",
    "event_name",
    "actor",
    "ref_type",
];

/// Tokens of others get in.
pub(super) fn oidc_open(context: &Context<'_>, said: &mut Vec<String>) {
    let trust = &context.role.trust;
    for provider in principals(trust, "Federated") {
        let Some(issuer) = issuer(provider) else {
            continue;
        };
        let why = if BY_AUDIENCE.contains(&issuer) {
            any_application(trust, provider, issuer)
        } else {
            any_subject(trust, provider, issuer)
        };
        said.extend(why.map(|why| format!("trusts `{issuer}` too widely: {why}")));
    }
}

/// The caller that a trust in an OIDC provider is meant for; `None` for a provider of another kind.
pub(super) fn expected<'a>(trust: &'a PolicyDocument, provider: &str) -> Option<Caller<'a>> {
    let issuer = issuer(provider)?;
    let caller = Caller::new(
        trust,
        "sts:AssumeRoleWithWebIdentity",
        "Federated",
        provider,
    );
    let claims = ["aud", "oaud", "sub", "app_id", "amr"]
        .map(|claim| format!("{issuer}:{claim}").to_lowercase());
    Some(claims.iter().fold(caller, |caller, key| {
        caller.with(key, wanted(trust, key).map(filled))
    }))
}

/// The host and path of an OIDC provider.
fn issuer(provider: &str) -> Option<&str> {
    match provider.split_once(":oidc-provider/") {
        Some((_, issuer)) => Some(issuer),
        None => (!provider.starts_with("arn:")).then_some(provider),
    }
}

fn any_application(trust: &PolicyDocument, provider: &str, issuer: &str) -> Option<String> {
    let caller = Caller::new(
        trust,
        "sts:AssumeRoleWithWebIdentity",
        "Federated",
        provider,
    );
    let claims =
        ["aud", "oaud", "sub", "app_id"].map(|claim| format!("{issuer}:{claim}").to_lowercase());
    let stranger = claims.iter().fold(caller, |caller, key| {
        caller.with(key, ["stranger".to_owned()])
    });
    stranger.is_let_in().then(|| {
        format!("`{issuer}:aud` is not restricted, so users of any application can assume it")
    })
}

fn any_subject(trust: &PolicyDocument, provider: &str, issuer: &str) -> Option<String> {
    let key = format!("{issuer}:sub").to_lowercase();
    let gets_in = |subject: &str| {
        expected(trust, provider)
            .is_some_and(|caller| caller.with(&key, [subject.to_owned()]).is_let_in())
    };
    let wide =
        |subject: &&str| too_wide(issuer, subject).is_some_and(|_| gets_in(&filled(subject)));
    if let Some(subject) = wanted(trust, &key).find(wide) {
        let why = too_wide(issuer, subject).unwrap_or_default();
        return Some(format!("subject `{subject}` {why}"));
    }
    gets_in("stranger").then(|| {
        format!("`{issuer}:sub` is not restricted, so every identity of the provider can assume it")
    })
}

/// Whom else a subject lets in than one identity; `None` where it is narrow enough.
fn too_wide(issuer: &str, subject: &str) -> Option<&'static str> {
    let fixed = subject.split(['*', '?']).next().unwrap_or_default();
    let (claim, value) = fixed.split_once(':').unwrap_or(("", fixed));
    if issuer == GITHUB {
        return github(claim, value, is_wild(subject));
    }
    if !is_wild(subject) {
        return None;
    }
    // EKS: system:serviceaccount:NAMESPACE:NAME
    if let Some(account) = fixed.strip_prefix("system:serviceaccount:") {
        return (!account.contains(':')).then_some("matches service accounts of other namespaces");
    }
    (!value.contains([':', '/', '|']))
        .then_some("ends in a wildcard before the first name is complete")
}

fn github(claim: &str, value: &str, wild: bool) -> Option<&'static str> {
    if CHOSEN.contains(&claim) {
        return Some("begins with a claim that any repository of GitHub can choose");
    }
    if !wild {
        return None;
    }
    match value.split_once('/') {
        None if value.contains(':') => None,
        None => Some("matches repositories of other organizations"),
        Some((_, repository)) => match repository.split_once(':') {
            None => Some("matches every repository of the organization"),
            Some((_, "")) => Some("matches every branch, tag and pull request of the repository"),
            Some(_) => None,
        },
    }
}
