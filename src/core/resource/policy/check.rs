//! What IAM refuses in the strings of a document, one rule per function.
//!
//! Each answers the message and the hint, or nothing. A string with a placeholder left in it is reported once, by
//! [`texts`], and not measured further.

use serde_json::Value;

use super::json::child;
use super::operator::{Operator, nearest};
use super::pattern::segments;
use super::principal::is_unique_id;
use super::{DocumentProblem, PolicyKind};
use crate::org::AccountId;

/// Message and hint.
type Refusal = (String, Option<String>);

/// Actions of STS that a trust policy can speak of, for suggestions.
const STS_ACTIONS: &[&str] = &[
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "sts:SetContext",
];

/// `service:name`, and in a trust policy one of STS.
pub(super) fn action(text: &str, kind: PolicyKind) -> Option<Refusal> {
    if placeholder(text).is_some() {
        return None;
    }
    let letters = |part: &str, more: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || more.contains(char))
    };
    let shaped = text == "*"
        || text.split_once(':').is_some_and(|(service, name)| {
            (service == "*" || letters(service, "-")) && letters(name, "*?-_")
        });
    if !shaped {
        let hint = "write `service:name`, such as `s3:GetObject` or `s3:Get*`";
        return Some((format!("`{text}` is not an action"), Some(hint.to_owned())));
    }
    (kind == PolicyKind::Trust)
        .then(|| trust_action(text))
        .flatten()
}

fn trust_action(text: &str) -> Option<Refusal> {
    let is_sts = text
        .get(..4)
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case("sts:"));
    if !is_sts {
        let hint = "a trust policy may contain only STS actions, such as `sts:AssumeRole`";
        return Some((
            format!("`{text}` is not an action of a trust policy"),
            Some(hint.to_owned()),
        ));
    }
    if text.contains(['*', '?'])
        || STS_ACTIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(text))
    {
        return None;
    }
    let meant = nearest(text, STS_ACTIONS.iter().copied())?;
    Some((
        format!("`{text}` is not an action of STS"),
        Some(format!("did you mean `{meant}`?")),
    ))
}

/// `*`, an ARN of six parts, or something that a wildcard or variable may make into one.
pub(super) fn resource(text: &str) -> Option<Refusal> {
    if text == "*" || text.starts_with("${") || placeholder(text).is_some() {
        return None;
    }
    let parts = segments(text);
    let open = text.contains(['*', '?']) || text.contains("${");
    if parts.first() != Some(&"arn") || (parts.len() < 6 && !open) {
        let hint = "write `*` or an ARN, such as `arn:aws:s3:::bucket/*`";
        return Some((format!("`{text}` is not a resource"), Some(hint.to_owned())));
    }
    let service = parts
        .get(2)
        .filter(|service| service.contains(['*', '?']) || service.contains("${"))?;
    let hint = "the service of a resource must be written out";
    Some((
        format!("`{service}` is not a service in resource `{text}`"),
        Some(hint.to_owned()),
    ))
}

/// A principal of `kind` by its own shape; unknown kinds are the caller's to report.
pub(super) fn principal(kind: &str, text: &str) -> Option<Refusal> {
    if placeholder(text).is_some() || (kind == "AWS" && text == "*") {
        return None;
    }
    if text.contains(['*', '?']) {
        let hint = "name principals in full; to match several, take their account's root and a condition `ArnLike` \
                    on `aws:PrincipalArn`";
        return Some((
            format!("the principal `{text}` has a wildcard, which IAM refuses"),
            Some(hint.to_owned()),
        ));
    }
    match kind {
        "AWS" => aws_principal(text),
        "Service" if !text.contains('.') || text.contains(':') => {
            let hint = "write the service's name, such as `ec2.amazonaws.com`";
            Some((
                format!("`{text}` is not a service principal"),
                Some(hint.to_owned()),
            ))
        }
        "Federated" if !text.starts_with("arn:") && !text.contains('.') => {
            let hint = "write the ARN of an OIDC or SAML provider of the role's account";
            Some((
                format!("`{text}` is not a federated principal"),
                Some(hint.to_owned()),
            ))
        }
        _ => None,
    }
}

fn aws_principal(text: &str) -> Option<Refusal> {
    if AccountId::parse(text).is_ok() || is_unique_id(text) {
        return None;
    }
    if let ["arn", _, "iam" | "sts", "", account, name] = segments(text).as_slice() {
        let kind = name.split('/').next().unwrap_or_default();
        let known = ["root", "user", "role", "assumed-role", "federated-user"].contains(&kind);
        if known
            && AccountId::parse(account).is_ok()
            && (*name == "root" || name.len() > kind.len() + 1)
        {
            return None;
        }
        if kind == "group" {
            let hint = "a group cannot be a principal; name its users, or the account";
            return Some((format!("`{text}` is a group"), Some(hint.to_owned())));
        }
    }
    let hint = if text.ends_with(".amazonaws.com") {
        "a service belongs under `Service`"
    } else if text.contains(":oidc-provider/") || text.contains(":saml-provider/") {
        "a provider belongs under `Federated`"
    } else {
        "write the ARN of a role or user, 12 digits of an account id, or `*`"
    };
    Some((
        format!("`{text}` is not an AWS principal"),
        Some(hint.to_owned()),
    ))
}

/// An operator of the documented list, exact in case.
pub(super) fn operator(name: &str) -> Option<Refusal> {
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

/// What is wrong with any string of the document, member names included: characters and placeholders.
pub(super) fn texts(document: &Value) -> Vec<DocumentProblem> {
    let mut problems = Vec::new();
    walk(document, "", &mut problems);
    problems
}

fn walk(value: &Value, at: &str, problems: &mut Vec<DocumentProblem>) {
    match value {
        Value::String(text) => problems.extend(text_problem(text, at)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{at}/{index}"), problems);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let at = child(at, name);
                problems.extend(text_problem(name, &at));
                walk(value, &at, problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// IAM takes tab, line feed, carriage return and U+0020 to U+00FF. Source: IAM API, `policyDocumentType`.
fn text_problem(text: &str, at: &str) -> Option<DocumentProblem> {
    let foreign = text
        .chars()
        .find(|char| !matches!(char, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'));
    let (message, hint) = match (foreign, placeholder(text)) {
        (Some(char), _) => {
            let code = u32::from(char);
            let message = format!(
                "`{}` (U+{code:04X}) is a character that IAM refuses",
                char.escape_debug()
            );
            (
                message,
                "IAM accepts only tabs, line ends and U+0020 to U+00FF".to_owned(),
            )
        }
        (None, Some(left)) => (
            format!("`{left}` is a placeholder left in the document"),
            "put the real value there".to_owned(),
        ),
        (None, None) => return None,
    };
    Some(DocumentProblem {
        pointer: at.to_owned(),
        message,
        hint: Some(hint),
    })
}

/// The first `<placeholder>` in `text`.
fn placeholder(text: &str) -> Option<&str> {
    let start = text.find('<')?;
    let rest = text.get(start..)?;
    let end = rest.find('>')?;
    let inner = rest.get(1..end)?;
    if inner.is_empty() || inner.contains('<') {
        placeholder(rest.get(1..)?)
    } else {
        rest.get(..=end)
    }
}
