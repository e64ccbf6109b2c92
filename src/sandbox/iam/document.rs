//! Policy documents: their JSON, the grammar that both kinds share, and the rules of identity policies.
//!
//! Sources: IAM User Guide, Grammar of the IAM JSON policy language and the pages of each policy element. Identity
//! policies are kept as they were put. Trust policies have rules of their own, in `trust`.

use std::collections::BTreeSet;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::super::wire::{ApiError, Params, Xml};
use super::rules::{self, malformed};
use super::{condition, resource};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A document in an answer: percent-encoded by RFC 3986, so that a space is `%20` and `+` is `%2B`.
pub(super) fn encoded(document: &str) -> Xml {
    Xml::text(utf8_percent_encode(document, RESERVED))
}

/// Its size as quotas count it: characters without the white space between tokens. A blank within a string counts.
pub(super) fn size(document: &str) -> usize {
    let (mut within, mut escaped) = (false, false);
    let counts = |c: &char| {
        let is_quote = *c == '"' && !escaped;
        escaped = within && *c == '\\' && !escaped;
        within ^= is_quote;
        within || !c.is_whitespace()
    };
    document.chars().filter(counts).count()
}

/// The parameter that holds a document: the characters that `policyDocumentType` allows.
pub(super) fn parameter<'p>(params: &'p Params, name: &str) -> Result<&'p str, ApiError> {
    let document = params.require(name)?;
    if document.is_empty() {
        return Err(rules::constraint(
            name,
            document,
            "have length greater than or equal to 1",
        ));
    }
    if document.chars().count() > 131_072 {
        return Err(rules::constraint(
            name,
            "...",
            "have length less than or equal to 131072",
        ));
    }
    if document
        .chars()
        .all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FF}'))
    {
        return Ok(document);
    }
    Err(rules::constraint(
        name,
        document,
        r"satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u00FF]+",
    ))
}

/// JSON whose objects have no key twice.
pub(super) struct Strict(pub Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(object.into())
    }
}

/// Parses a document that must be a JSON object.
pub(super) fn object(text: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Strict(Value::Object(object))) => Some(object),
        _ => None,
    }
}

/// The members that a document has beside its statements are known.
pub(super) fn check_top(document: &Map<String, Value>) -> Result<(), ApiError> {
    match document
        .keys()
        .find(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
    {
        Some(key) => Err(malformed(format!("Unknown field {key}"))),
        None => Ok(()),
    }
}

/// The statements: one object or a list of them, not empty.
pub(super) fn statements(document: &Map<String, Value>) -> Option<Vec<&Map<String, Value>>> {
    let statements: Vec<_> = match document.get("Statement")? {
        Value::Object(statement) => vec![statement],
        Value::Array(list) => list.iter().map(Value::as_object).collect::<Option<_>>()?,
        _ => return None,
    };
    (!statements.is_empty()).then_some(statements)
}

/// The members of a statement are known.
pub(super) fn check_members(statement: &Map<String, Value>) -> Result<(), ApiError> {
    const MEMBERS: &[&str] = &[
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ];
    match statement
        .keys()
        .find(|key| !MEMBERS.contains(&key.as_str()))
    {
        Some(key) => Err(malformed(format!("Unknown field {key}"))),
        None => Ok(()),
    }
}

/// A string, or the strings of a list. `None` when it is anything else.
pub(super) fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Whether two statements have one `Sid`.
pub(super) fn repeats_sid(statements: &[&Map<String, Value>]) -> bool {
    let mut seen = BTreeSet::new();
    let mut sids = statements
        .iter()
        .filter_map(|statement| statement.get("Sid")?.as_str());
    !sids.all(|sid| sid.is_empty() || seen.insert(sid))
}

/// Where an identity policy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// Inside a role, user or group: `Version` must be its first member.
    Inline,
    /// As a managed policy.
    Managed,
}

/// Checks an identity policy.
pub(super) fn check_identity(
    text: &str,
    placement: Placement,
    partition: &str,
) -> Result<(), ApiError> {
    let syntax = || malformed("Syntax errors in policy.");
    let document = object(text).ok_or_else(syntax)?;
    check_top(&document)?;
    if !document
        .get("Version")
        .is_none_or(|version| version == "2012-10-17" || version == "2008-10-17")
    {
        return Err(syntax());
    }
    // Source: the sentence that `CreatePolicy` answers; inline policies of the older version are still taken.
    if placement == Placement::Managed
        && document
            .get("Version")
            .is_none_or(|version| version != "2012-10-17")
    {
        return Err(malformed(
            "Policy document must be version 2012-10-17 or greater.",
        ));
    }
    let statements = statements(&document).ok_or_else(syntax)?;
    for statement in &statements {
        check_identity_statement(statement, partition)?;
    }
    if repeats_sid(&statements) {
        return Err(malformed(
            "Statement IDs (SID) in a single policy must be unique.",
        ));
    }
    let late_version = document
        .keys()
        .position(|key| key == "Version")
        .is_some_and(|position| position > 0);
    if placement == Placement::Inline && late_version {
        return Err(malformed("The policy failed legacy parsing"));
    }
    Ok(())
}

fn check_identity_statement(
    statement: &Map<String, Value>,
    partition: &str,
) -> Result<(), ApiError> {
    let syntax = || malformed("Syntax errors in policy.");
    check_members(statement)?;
    match statement
        .get("Effect")
        .and_then(Value::as_str)
        .ok_or_else(syntax)?
    {
        "Allow" | "Deny" => {}
        effect if ["allow", "deny"].contains(&effect.to_ascii_lowercase().as_str()) => {
            return Err(malformed("The policy failed legacy parsing"));
        }
        _ => return Err(syntax()),
    }
    if statement.contains_key("Principal") || statement.contains_key("NotPrincipal") {
        return Err(malformed("Policy document should not specify a principal."));
    }
    if let Some(sid) = statement.get("Sid")
        && !sid
            .as_str()
            .ok_or_else(syntax)?
            .chars()
            .all(|c| c.is_ascii_alphanumeric())
    {
        let message = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*";
        return Err(malformed(message));
    }
    for action in patterns(
        statement,
        "Action",
        "NotAction",
        "Policy statement must contain actions.",
    )? {
        check_action(action)?;
    }
    for resource in patterns(
        statement,
        "Resource",
        "NotResource",
        "Policy statement must contain resources.",
    )? {
        resource::check(resource, partition)?;
    }
    statement.get("Condition").map_or(Ok(()), condition::check)
}

/// The strings of one of two members that exclude each other; `absent` is said when there are none.
fn patterns<'v>(
    statement: &'v Map<String, Value>,
    member: &str,
    negated: &str,
    absent: &str,
) -> Result<Vec<&'v str>, ApiError> {
    let syntax = || malformed("Syntax errors in policy.");
    let value = match (statement.get(member), statement.get(negated)) {
        (Some(_), Some(_)) => return Err(syntax()),
        (Some(value), None) | (None, Some(value)) => value,
        (None, None) => return Err(malformed(absent)),
    };
    let patterns = strings(value).ok_or_else(syntax)?;
    if patterns.is_empty() {
        Err(malformed(absent))
    } else {
        Ok(patterns)
    }
}

fn check_action(action: &str) -> Result<(), ApiError> {
    match action.split(':').collect::<Vec<_>>().as_slice() {
        ["*"] | ["*", _] => Ok(()),
        [_] => Err(malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        )),
        [vendor, _]
            if vendor.is_empty()
                || vendor
                    .chars()
                    .any(|c| !(c.is_ascii_alphanumeric() || "-.".contains(c))) =>
        {
            Err(malformed(format!("Vendor {vendor} is not valid")))
        }
        [_, _] => Ok(()),
        _ => Err(malformed("Actions/Condition can contain only one colon.")),
    }
}
