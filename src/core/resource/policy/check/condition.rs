//! Condition operators and keys.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition" and "AWS global condition context keys".

use super::{Refusal, placeholder};
use crate::resource::policy::operator::Operator;

/// Keys whose last part is a name of the user's own, which may hold colons.
///
/// Source: AWS KMS Developer Guide, "kms:EncryptionContext:context-key".
const OPEN_KEYS: &[&str] = &["kms:encryptioncontext:"];

/// An operator of the documented list, exact in case.
pub(in crate::resource::policy) fn operator(name: &str) -> Option<Refusal> {
    if Operator::parse(name).is_some() {
        return None;
    }
    let hint = match Operator::nearest(name) {
        Some(_) if name.ends_with("NullIfExists") => {
            Some("`Null` does not take `IfExists`".to_owned())
        }
        meant => meant.map(|meant| format!("did you mean `{meant}`?")),
    };
    Some((format!("`{name}` is not a condition operator"), hint))
}

/// `prefix:name`, such as `aws:SourceArn`; the prefix of an OIDC provider's key is its host and path. What follows a `/`
/// in the name is a tag's key or the like, and may hold anything.
pub(in crate::resource::policy) fn key(key: &str) -> Option<Refusal> {
    // Letters that IAM refuses anywhere are told once.
    if placeholder(key).is_some() || key.chars().any(|c| c > '\u{ff}') {
        return None;
    }
    let refuse = |hint: &str| {
        Some((
            format!("`{key}` is not a condition key"),
            Some(hint.to_owned()),
        ))
    };
    if let Some((_, rest)) = key.split_once("://") {
        return refuse(&format!("leave out the scheme: `{rest}`"));
    }
    let Some((prefix, name)) = key
        .split_once(':')
        .filter(|(prefix, name)| !prefix.is_empty() && !name.is_empty())
    else {
        return refuse("write `prefix:name`, such as `aws:SourceArn` or `sts:ExternalId`");
    };
    let lower = key.to_ascii_lowercase();
    if OPEN_KEYS.iter().any(|open| lower.starts_with(open)) {
        return None;
    }
    let plain = |c: char, more: &str| c.is_ascii_alphanumeric() || more.contains(c);
    if let Some(bad) = prefix.chars().find(|c| !plain(*c, "-._/~%")) {
        return refuse(&format!("its prefix cannot hold `{}`", bad.escape_debug()));
    }
    let fixed = name.split('/').next().unwrap_or_default();
    if fixed.contains(':') {
        return refuse("it may have one colon only, after its prefix");
    }
    match fixed.chars().find(|c| !plain(*c, "-._")) {
        Some(bad) => refuse(&format!("its name cannot hold `{}`", bad.escape_debug())),
        None if fixed.is_empty() => refuse("its name is missing"),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_05_a_key_has_a_prefix_and_one_colon() {
        for good in [
            "aws:SourceArn",
            "aws:RequestTag/a:b",
            "aws:RequestTag/${aws:PrincipalTag/x}",
            "s3:ExistingObjectTag/x:y",
            "kms:EncryptionContext:aws:cloudtrail:arn",
            "kms:encryptioncontext:aws:s3:arn",
            "oidc.eks.us-east-1.amazonaws.com/id/AB12:sub",
            "accounts.google.com:google/organization_number",
            "token.actions.githubusercontent.com:repository_owner_id",
            "s3:x-amz-server-side-encryption",
            "saml:aud",
        ] {
            assert_eq!(key(good), None, "{good}");
        }
        for (bad, hint) in [
            (
                "https://oidc.eks.us-east-1.amazonaws.com/id/AB12:sub",
                "leave out the scheme: `oidc.eks.us-east-1.amazonaws.com/id/AB12:sub`",
            ),
            ("http://example.com:aud", "leave out the scheme"),
            ("a:b:c", "one colon"),
            ("aws:SourceArn:x", "one colon"),
            ("sub", "write `prefix:name`"),
            (":sub", "write `prefix:name`"),
            ("aws:", "write `prefix:name`"),
            ("aws:/x", "name is missing"),
            ("aws Source:Arn", "cannot hold ` `"),
            ("aws:Source Arn", "cannot hold ` `"),
        ] {
            let (message, said) = key(bad).expect(bad);
            assert!(message.contains(bad), "{message}");
            assert!(said.expect(bad).contains(hint), "{bad}");
        }
    }
}
