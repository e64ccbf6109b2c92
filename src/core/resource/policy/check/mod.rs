//! What IAM refuses in the strings of a document, one rule per function.
//!
//! Each answers the message and the hint, or nothing. A string with a placeholder left in it is reported once, by
//! [`texts`], and not measured further.

mod arn;
mod condition;
mod principal;

use serde_json::Value;

use super::json::child;
use super::operator::nearest;
use super::{DocumentProblem, PolicyKind};

pub(super) use arn::{is_partition, resource};
pub(super) use condition::{key, operator};
pub(super) use principal::{principal, unfit};

/// Message and hint.
type Refusal = (String, Option<String>);

/// Actions of STS that a trust policy can speak of.
const STS_ACTIONS: &[&str] = &[
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "sts:SetContext",
];

/// Actions of STS that have nothing to do with entering a role.
///
/// Source: Service Authorization Reference, "Actions defined by AWS Security Token Service".
const OTHER_STS_ACTIONS: &[&str] = &[
    "sts:AssumeRoot",
    "sts:DecodeAuthorizationMessage",
    "sts:GetAccessKeyInfo",
    "sts:GetCallerIdentity",
    "sts:GetFederationToken",
    "sts:GetServiceBearerToken",
    "sts:GetSessionToken",
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
    let is_of = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(text));
    if text.contains(['*', '?']) || is_of(STS_ACTIONS) {
        return None;
    }
    let message = format!("`{text}` is not an action of a trust policy");
    if is_of(OTHER_STS_ACTIONS) {
        let hint = format!(
            "STS has it, but a role is entered by {}",
            STS_ACTIONS.join(", ")
        );
        return Some((message, Some(hint)));
    }
    // STS may come to have more of them.
    let meant = nearest(text, STS_ACTIONS.iter().copied())?;
    Some((message, Some(format!("did you mean `{meant}`?"))))
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
