//! What IAM demands of a trust policy in a shared issuer when it is written.
//!
//! `CreateRole` and `UpdateAssumeRolePolicy` fail where a statement lets identities of a shared issuer in without a
//! condition on the claim that tells customers apart, or with one that any value passes. A role that was written before
//! IAM demanded it continues to work until its trust policy is written again.
//!
//! Source: IAM User Guide, "Identity-provider controls for shared OIDC providers".

use super::{Issuer, issuer, key, url_of};
use crate::resource::policy::pattern::{Variables, matches, tokens};
use crate::resource::policy::{Effect, PolicyDocument, Statement};

/// A statement that IAM refuses to write.
#[derive(Debug, Clone)]
pub struct Missing {
    /// Its place in the document.
    pub statement: usize,
    /// The issuer's host and path.
    pub url: String,
    /// What is known of it.
    pub issuer: &'static Issuer,
}

impl Missing {
    /// The condition keys of which the statement must have one.
    pub fn keys(&self) -> Vec<String> {
        let spelled = |claim: &&str| {
            if claim.starts_with("sts:") {
                (*claim).to_owned()
            } else {
                format!("{}:{claim}", self.url)
            }
        };
        self.issuer.demanded().iter().map(spelled).collect()
    }
}

/// The statements of a trust policy that IAM refuses to write for what they do not ask a shared issuer's token.
pub fn missing(trust: &PolicyDocument) -> Vec<Missing> {
    let mut missing = Vec::new();
    let enters = |statement: &Statement| {
        let named = statement.actions.patterns.iter().any(|action| {
            let action = tokens(action, Variables::Literal);
            matches(&action, "sts:assumerolewithwebidentity")
        });
        statement.effect == Effect::Allow && named != statement.actions.negated
    };
    for (place, statement) in trust.statements().iter().enumerate() {
        let principals = statement
            .principals
            .iter()
            .filter(|principals| !principals.negated && enters(statement));
        let providers = principals
            .filter_map(|principals| principals.kinds.get("Federated"))
            .flatten();
        for url in providers.filter_map(|provider| url_of(provider)) {
            let issuer = issuer(url);
            let asked = |claim: &&str| asks_for(statement, &key(url, claim));
            if !issuer.demanded().is_empty() && !issuer.demanded().iter().any(asked) {
                missing.push(Missing {
                    statement: place,
                    url: url.to_owned(),
                    issuer,
                });
            }
        }
    }
    missing
}

/// Whether a condition of the statement asks for a key, and not for any value of it.
fn asks_for(statement: &Statement, key: &str) -> bool {
    statement.conditions.iter().any(|(operator, keys)| {
        let any = |value: &String| !value.is_empty() && value.chars().all(|char| char == '*');
        operator != "Null" && keys.get(key).is_some_and(|values| !values.iter().any(any))
    })
}
