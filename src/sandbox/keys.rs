//! What follows from an access key and from an ARN alone.

use rolecall_core::org::AccountId;

/// The account of an IAM ARN: `arn:aws:iam::111122223333:role/x`.
pub fn account_of(arn: &str) -> Option<AccountId> {
    AccountId::parse(arn.split(':').nth(4)?).ok()
}

/// The secret that goes with an access key. Nothing checks it.
pub fn secret_key(key: &str) -> String {
    format!("sandbox/secret/of/{key}")
}

/// The token that goes with a temporary access key.
pub fn session_token(key: &str) -> String {
    format!("sandbox-session-token-of-{key}")
}
