//! Conditions: the operators, the shape of keys, and dates.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Condition operators"; the sentences are IAM's own, as other
//! projects recorded them.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::super::wire::ApiError;
use super::rules::malformed;

/// Known operators over keys with a vendor over scalars or lists of scalars.
pub(super) fn check(condition: &Value) -> Result<(), ApiError> {
    let syntax = || malformed("Syntax errors in policy.");
    for (operator, keys) in condition.as_object().ok_or_else(syntax)? {
        if !is_operator(operator) {
            return Err(malformed(format!("Invalid Condition type : {operator}")));
        }
        for (key, value) in keys.as_object().ok_or_else(syntax)? {
            check_key(key)?;
            let values = match value {
                Value::Array(list) => list.iter().collect(),
                value => vec![value],
            };
            if !values
                .iter()
                .all(|value| value.is_string() || value.is_boolean() || value.is_number())
            {
                return Err(syntax());
            }
            if is_about_dates(operator) && !values.into_iter().all(is_date) {
                return Err(malformed("The policy failed legacy parsing"));
            }
        }
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), ApiError> {
    let Some((vendor, name)) = key
        .split_once(':')
        .filter(|(vendor, name)| !vendor.is_empty() && !name.is_empty())
    else {
        return Err(malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        ));
    };
    // A tag's key or an encryption context may hold anything.
    let own = name.find('/').filter(|at| *at > 0);
    let fixed = own.map_or(name, |at| name.get(..at).unwrap_or(name));
    let is_context = vendor.eq_ignore_ascii_case("kms")
        && name.to_ascii_lowercase().starts_with("encryptioncontext:");
    if fixed.contains(':') || (fixed.contains('/') && !is_context) {
        return if is_context {
            Ok(())
        } else {
            Err(malformed("Actions/Condition can contain only one colon."))
        };
    }
    if vendor
        .chars()
        .any(|c| !(c.is_ascii_alphanumeric() || "-._/~%".contains(c)))
    {
        return Err(malformed(format!("Vendor {vendor} is not valid")));
    }
    Ok(())
}

fn is_about_dates(operator: &str) -> bool {
    let bare = operator.split_once(':').map_or(operator, |(_, bare)| bare);
    bare.starts_with("Date")
}

/// Seconds since 1970, or a day or time of ISO 8601.
fn is_date(value: &Value) -> bool {
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Number(number) => return number.as_i64().is_some_and(|seconds| seconds >= 0),
        _ => return false,
    };
    let month = (text.len() == 7).then(|| format!("{text}-01"));
    text.parse::<i64>().is_ok_and(|seconds| seconds >= 0)
        || text.parse::<Timestamp>().is_ok()
        || month.as_deref().unwrap_or(text).parse::<Date>().is_ok()
}

/// Operator names are case-sensitive. Source: IAM User Guide, Condition operators.
fn is_operator(name: &str) -> bool {
    const OPERATORS: &[&str] = &[
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
    ];
    if name == "Null" {
        return true;
    }
    let name = name
        .strip_prefix("ForAnyValue:")
        .or_else(|| name.strip_prefix("ForAllValues:"))
        .unwrap_or(name);
    OPERATORS.contains(&name.strip_suffix("IfExists").unwrap_or(name))
}
