//! What IAM takes in a document although it cannot work, and ARNs of another partition.
//!
//! Nothing here refuses a document by itself: its author is warned, because a guard that never applies looks like one
//! that does.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Variables and tags"; IAM Access Analyzer
//! policy check reference (invalid condition data type, missing brace in variable, empty variable, missing quote in
//! variable, variable unsupported in version).

use serde_json::Value;

use super::check::is_partition;
use super::json::child;
use super::operator::{Operator, Test};
use super::pattern::{Token, Variables, segments, tokens};
use super::value::{Network, is_number};
use super::{DocumentProblem, PolicyDocument, Version, service};
use crate::org::{AccountId, Partition};

impl PolicyDocument {
    /// What IAM takes and what still cannot work: a value that its operator never meets, a variable that nothing fills.
    /// With the `partition` of the run also what the ARNs in conditions say of it.
    pub fn doubts(&self, partition: Option<&Partition>) -> Vec<DocumentProblem> {
        doubts(self, partition)
    }

    /// The ARNs of resources and principals that lie in another partition than `partition`: IAM refuses them.
    pub fn misplaced(&self, partition: &Partition) -> Vec<DocumentProblem> {
        misplaced(self, partition)
    }
}

/// Message and hint.
type Doubt = (String, String);

/// A string of a document and its pointer.
type Text = (String, String);

pub(super) fn doubts(
    document: &PolicyDocument,
    partition: Option<&Partition>,
) -> Vec<DocumentProblem> {
    let version = document.version();
    let mut found = Vec::new();
    for (at, statement) in document.written_with_pointers() {
        for (at, text) in resources(&statement, &at) {
            found.extend(
                variables(&text, version)
                    .or_else(|| early_variable(&text))
                    .map(note(&at)),
            );
            found.extend(short_account(&text).map(note(&at)));
        }
        for (at, text) in principals(&statement, &at, "Service") {
            found.extend(unknown_service(&text).map(note(&at)));
        }
        for (operator, key, at, values) in conditions(&statement, &at) {
            found.extend(no_values(&values).map(note(&at)));
            for (at, text) in &values {
                let doubt = variables(text, version)
                    .or_else(|| wrong_type(&operator, text, version))
                    .or_else(|| literal_wildcard(&operator, text, version))
                    .or_else(|| foreign_value(&key, text, partition?));
                found.extend(doubt.map(note(at)));
            }
            found.extend(both(&operator, &values).map(note(&at)));
        }
    }
    found
}

fn note(at: &str) -> impl Fn(Doubt) -> DocumentProblem + use<'_> {
    move |(message, hint)| DocumentProblem {
        pointer: at.to_owned(),
        message,
        hint: Some(hint),
    }
}

/// The ARNs of resources and principals in another partition.
pub(super) fn misplaced(document: &PolicyDocument, partition: &Partition) -> Vec<DocumentProblem> {
    let mut found = Vec::new();
    for (at, statement) in document.written_with_pointers() {
        let principals = ["AWS", "Federated"].map(|kind| principals(&statement, &at, kind));
        for (at, text) in principals.into_iter().flatten() {
            found.extend(elsewhere(&text, partition).map(|other| {
                let message = format!(
                    "`{text}` is in partition `{other}`, and this organization is in `{partition}`: no trust crosses \
                     partitions"
                );
                note(&at)((message, "write `arn:{{ partition }}:…`".to_owned()))
            }));
        }
        for (at, text) in resources(&statement, &at) {
            found.extend(elsewhere(&text, partition).map(|other| {
                let message = format!(
                    "resource `{text}` is in partition `{other}`, and this organization is in `{partition}`: IAM \
                     refuses it"
                );
                note(&at)((message, "write `arn:{{ partition }}:…`".to_owned()))
            }));
        }
    }
    found
}

/// The partition of an ARN, where it is another one than `partition` and not a wildcard.
fn elsewhere<'t>(arn: &'t str, partition: &Partition) -> Option<&'t str> {
    let parts = segments(arn);
    let other = parts.get(1).filter(|_| parts.first() == Some(&"arn"))?;
    (*other != "*" && *other != partition.0).then_some(*other)
}

/// A condition on an ARN that no request of this partition has.
fn foreign_value(key: &str, text: &str, partition: &Partition) -> Option<Doubt> {
    let other = elsewhere(text, partition).filter(|other| is_partition(other))?;
    let message = format!(
        "`{text}` is in partition `{other}`, and this organization is in `{partition}`: no value of `{key}` is like it"
    );
    Some((message, "write `arn:{{ partition }}:…`".to_owned()))
}

/// An account id of too few or too many digits.
fn short_account(resource: &str) -> Option<Doubt> {
    let account = *segments(resource).get(4)?;
    let digits = !account.is_empty() && account.chars().all(|c| c.is_ascii_digit());
    (digits && AccountId::parse(account).is_err()).then(|| {
        let message = format!("`{account}` is not an account id in resource `{resource}`");
        (message, "an account id has 12 digits".to_owned())
    })
}

fn unknown_service(principal: &str) -> Option<Doubt> {
    if service::is_known(principal) {
        return None;
    }
    let hint = match service::nearest(principal) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "look its name up in the service's guide; IAM refuses one that does not exist"
            .to_owned(),
    };
    Some((
        format!("no service is known by the name `{principal}`"),
        hint,
    ))
}

/// A variable that is broken, or that the document's version takes for plain text.
fn variables(text: &str, version: Version) -> Option<Doubt> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let Some((variable, behind)) = after.split_once('}') else {
            let message = format!("`{text}` begins a variable and does not end it");
            return Some((
                message,
                "write `${KEY}`; for the characters themselves `${$}{`".to_owned(),
            ));
        };
        if version == Version::V2008 {
            let message = format!("`${{{variable}}}` is plain text under version 2008-10-17");
            return Some((message, "write \"Version\": \"2012-10-17\"".to_owned()));
        }
        if let Some(hint) = broken_variable(variable) {
            return Some((format!("`${{{variable}}}` is not a policy variable"), hint));
        }
        rest = behind;
    }
    None
}

fn broken_variable(variable: &str) -> Option<String> {
    if ["*", "?", "$"].contains(&variable) {
        return None;
    }
    let (key, default) = variable
        .split_once(',')
        .map_or((variable, None), |(key, rest)| (key, Some(rest)));
    let (key, default) = (key.trim(), default.map(str::trim));
    let quoted = |text: &str| text.len() >= 2 && text.starts_with('\'') && text.ends_with('\'');
    if default.is_some_and(|default| !quoted(default)) {
        return Some(format!(
            "write the default in single quotes: `${{{key}, 'none'}}`"
        ));
    }
    if key.starts_with("AWS::") {
        return Some(
            "that is CloudFormation's: write `{{ account.id }}` or `{{ partition }}`".to_owned(),
        );
    }
    super::check::key(key)
        .map(|_| "write a condition key with its prefix, such as `${aws:username}`".to_owned())
}

/// A variable stands for something only behind the fifth colon of an ARN.
fn early_variable(resource: &str) -> Option<Doubt> {
    let parts = segments(resource);
    let early = parts.iter().take(5).find(|part| part.contains("${"))?;
    let message = format!(
        "`{early}` stands before the last part of resource `{resource}`, where IAM fills no variable"
    );
    Some((message, "write the value, or `*`".to_owned()))
}

/// A list without values: no request meets it.
fn no_values(values: &[Text]) -> Option<Doubt> {
    values.is_empty().then(|| {
        let message = "the condition has no value, so nothing is equal to any of them".to_owned();
        (
            message,
            "write a value, or leave the condition out".to_owned(),
        )
    })
}

/// A value that its operator cannot read.
fn wrong_type(operator: &str, text: &str, version: Version) -> Option<Doubt> {
    let kind = Operator::parse(operator)?.test;
    let open = version == Version::V2012 && text.contains("${");
    let (is_right, hint) = match kind {
        Test::Bool | Test::Null => (
            text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
            "write `true` or `false`",
        ),
        Test::Numeric(_) => (is_number(text), "write a number"),
        Test::IpAddress => (
            Network::parse(text).is_some(),
            "write an address or a range such as `203.0.113.0/24` or `2001:db8::/32`",
        ),
        Test::Arn => (
            open || is_arn_pattern(text),
            "write an ARN of six parts, or `*`",
        ),
        Test::Binary => (is_base64(text), "write it in base64"),
        Test::Date(_) | Test::StringEquals | Test::StringEqualsIgnoreCase | Test::StringLike => {
            return None;
        }
    };
    if is_right {
        return None;
    }
    let message = if open {
        format!("`{operator}` takes no variable, and nothing is equal to `{text}`")
    } else {
        format!("`{operator}` cannot read `{text}`, so no value is equal to it")
    };
    Some((message, hint.to_owned()))
}

fn is_arn_pattern(text: &str) -> bool {
    let parts = segments(text);
    text == "*"
        || (parts.len() == 6
            && parts
                .first()
                .is_some_and(|first| *first == "arn" || first.contains('*')))
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && digits
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+/".contains(c))
}

/// `true` and `false` at once: the condition says nothing.
fn both(operator: &str, values: &[Text]) -> Option<Doubt> {
    let test = Operator::parse(operator)?.test;
    let has = |word: &str| {
        values
            .iter()
            .any(|(_, text)| text.eq_ignore_ascii_case(word))
    };
    (matches!(test, Test::Bool | Test::Null) && has("true") && has("false")).then(|| {
        let message =
            format!("`{operator}` has both `true` and `false`, of which one always holds");
        (message, "keep one".to_owned())
    })
}

/// A wildcard where the operator knows none.
fn literal_wildcard(operator: &str, text: &str, version: Version) -> Option<Doubt> {
    let (like, hint) = match Operator::parse(operator)?.test {
        Test::StringEquals => (operator.replace("Equals", "Like"), ""),
        Test::StringEqualsIgnoreCase => (
            operator.replace("EqualsIgnoreCase", "Like"),
            ", and mind that it tells upper from lower case",
        ),
        _ => return None,
    };
    let read = if version == Version::V2012 {
        Variables::Read
    } else {
        Variables::Literal
    };
    let wild = tokens(text, read)
        .into_iter()
        .find_map(|token| match token {
            Token::Any => Some('*'),
            Token::One => Some('?'),
            Token::Char(_) | Token::Variable(_) => None,
        })?;
    let message = format!(
        "`{operator}` does not support wildcards: `{text}` is compared literally, with its `{wild}`"
    );
    Some((message, format!("did you mean `{like}`{hint}?")))
}

/// The strings of a member, one or a list.
fn texts(value: Option<&Value>, at: &str) -> Vec<Text> {
    let text = |value: &Value, at: String| match value {
        Value::String(text) => Some((at, text.clone())),
        Value::Bool(_) | Value::Number(_) => Some((at, value.to_string())),
        _ => None,
    };
    match value {
        Some(Value::Array(items)) => {
            let each = items.iter().enumerate();
            each.filter_map(|(index, item)| text(item, format!("{at}/{index}")))
                .collect()
        }
        Some(value) => text(value, at.to_owned()).into_iter().collect(),
        None => Vec::new(),
    }
}

fn resources(statement: &Value, at: &str) -> Vec<Text> {
    let members = ["Resource", "NotResource"];
    members
        .iter()
        .flat_map(|member| texts(statement.get(*member), &child(at, member)))
        .collect()
}

fn principals(statement: &Value, at: &str, kind: &str) -> Vec<Text> {
    let named = statement
        .get("Principal")
        .and_then(|principal| principal.get(kind));
    texts(named, &child(&child(at, "Principal"), kind))
}

/// Operator, key, its pointer, and the values.
fn conditions(statement: &Value, at: &str) -> Vec<(String, String, String, Vec<Text>)> {
    let at = child(at, "Condition");
    let operators = statement.get("Condition").and_then(Value::as_object);
    let each = operators
        .into_iter()
        .flatten()
        .flat_map(|(operator, keys)| {
            let at = child(&at, operator);
            keys.as_object()
                .into_iter()
                .flatten()
                .map(move |(key, values)| {
                    let at = child(&at, key);
                    (
                        operator.clone(),
                        key.clone(),
                        at.clone(),
                        texts(Some(values), &at),
                    )
                })
        });
    each.collect()
}
