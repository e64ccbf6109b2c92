//! The lint of trust in OIDC providers: whose tokens are accepted.
//!
//! A provider such as GitHub signs tokens for everyone, and the audience is the same for all of them: only the claims
//! that say whose a token is keep others out. Which these are is in the table of
//! [issuers](crate::resource::issuer); who gets in is asked of [`federated`].

use super::context::{Context, principals};
use crate::evaluate::federated;

/// Tokens of others get in.
pub(super) fn oidc_open(context: &Context<'_>, said: &mut Vec<String>) {
    let trust = &context.role.trust;
    let open = principals(trust, "Federated")
        .into_iter()
        .filter_map(|provider| federated::open(trust, provider));
    said.extend(open.map(|open| format!("trusts `{}` too widely: {}", open.url, open.why)));
}
