//! The AWS principals of a document, and the unique ids that stand in for them.
//!
//! IAM keeps a role or user in a trust policy by unique id and shows its ARN as long as it lives; afterwards reads show
//! the bare `AROA…` or `AIDA…`, and a new principal of the same name is not trusted.
//! Source: IAM User Guide, "AWS JSON policy elements: Principal".

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::check::is_partition;
use super::pattern::segments;
use super::{Body, PolicyDocument, compact};
use crate::org::AccountId;

/// How the identities of a provider come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Federation {
    /// With a token: `sts:AssumeRoleWithWebIdentity`.
    Oidc,
    /// With an assertion: `sts:AssumeRoleWithSAML`.
    Saml,
}

/// Providers of web identities that a trust policy names by their host; no account makes them.
///
/// Source: IAM User Guide, "AWS JSON policy elements: Principal", OIDC federated principals; AWS GovCloud (US) User Guide
/// and Amazon Web Services in China, Amazon Cognito.
const WEB_IDENTITIES: &[&str] = &[
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "cognito-identity-us-gov.amazonaws.com",
    "cognito-identity.cn-north-1.amazonaws.com.cn",
    "graph.facebook.com",
    "www.amazon.com",
];

/// What kind of provider a federated principal is; `None` where IAM refuses it.
pub fn federation(provider: &str) -> Option<Federation> {
    if WEB_IDENTITIES.contains(&provider) {
        return Some(Federation::Oidc);
    }
    let &["arn", partition, "iam", "", account, resource] = segments(provider).as_slice() else {
        return None;
    };
    if !is_partition(partition) || AccountId::parse(account).is_err() {
        return None;
    }
    let (kind, name) = resource.split_once('/')?;
    let all = |more: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    match kind {
        "oidc-provider" if name.contains('.') && all("-._/~%") => Some(Federation::Oidc),
        "saml-provider" if (1..=128).contains(&name.len()) && all("-._") => Some(Federation::Saml),
        _ => None,
    }
}

/// Whether `text` is the unique id of a role or user.
pub fn is_unique_id(text: &str) -> bool {
    (text.starts_with("AROA") || text.starts_with("AIDA"))
        && (16..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

impl PolicyDocument {
    /// The principals of kind `AWS` in any statement, canonical (root ARNs, role and user ARNs, `*`, unique ids).
    pub fn aws_principals(&self) -> BTreeSet<String> {
        self.principals_of("AWS")
    }

    /// The federated principals in any statement.
    pub fn federated_principals(&self) -> BTreeSet<String> {
        self.principals_of("Federated")
    }

    fn principals_of(&self, kind: &str) -> BTreeSet<String> {
        let principals = self
            .statements()
            .iter()
            .filter_map(|statement| statement.principals.as_ref());
        principals
            .filter_map(|principals| principals.kinds.get(kind))
            .flatten()
            .cloned()
            .collect()
    }

    /// The principals that are bare unique ids of deleted entities: `AROA…`, `AIDA…`.
    pub fn dead_principals(&self) -> BTreeSet<String> {
        self.aws_principals()
            .into_iter()
            .filter(|principal| is_unique_id(principal))
            .collect()
    }

    /// The same document with each `AWS` principal that `resolve` knows replaced, where the id of a live entity shows.
    #[must_use]
    pub fn resolve_principals(&self, resolve: &dyn Fn(&str) -> Option<String>) -> Self {
        let Some(body) = &self.body else {
            return self.clone();
        };
        if !self
            .aws_principals()
            .iter()
            .any(|principal| resolve(principal).is_some())
        {
            return self.clone();
        }
        let mut body: Body = (**body).clone();
        let principals = body
            .statements
            .iter_mut()
            .filter_map(|statement| statement.principals.as_mut());
        for names in principals.filter_map(|principals| principals.kinds.get_mut("AWS")) {
            *names = names
                .iter()
                .map(|name| resolve(name).unwrap_or_else(|| name.clone()))
                .collect();
        }
        let mut value = self.to_value();
        resolve_written(&mut value, resolve);
        Self {
            text: compact(&value).into(),
            body: Some(Arc::new(body)),
        }
    }
}

fn resolve_written(document: &mut Value, resolve: &dyn Fn(&str) -> Option<String>) {
    let statements = match document.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().collect(),
        Some(statement) => vec![statement],
        None => Vec::new(),
    };
    for statement in statements {
        for name in ["Principal", "NotPrincipal"] {
            let names = match statement
                .get_mut(name)
                .and_then(|principal| principal.get_mut("AWS"))
            {
                Some(Value::Array(names)) => names.iter_mut().collect(),
                Some(name) => vec![name],
                None => Vec::new(),
            };
            for name in names {
                if let Some(resolved) = name.as_str().and_then(resolve) {
                    *name = Value::String(resolved);
                }
            }
        }
    }
}
