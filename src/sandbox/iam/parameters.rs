//! The parameters of a call by their form alone: AWS holds them to its model before it looks at anything.
//!
//! Source: IAM API Reference, lengths and patterns of the parameters.

use super::super::wire::{ApiError, Params};
use super::{document, rules};

/// The longest name of a user that exists; a new one has at most as many characters as a role.
const NAME_OF_USER: usize = 128;

/// Refuses what breaks the form of a parameter that is given.
pub(super) fn check(operation: &str, params: &Params) -> Result<(), ApiError> {
    for (name, value) in &params.0 {
        match name.as_str() {
            "RoleName" => rules::name(params, name, rules::NAME_OF_ROLE).map(drop)?,
            "UserName" if operation == "CreateUser" => {
                rules::name(params, name, rules::NAME_OF_ROLE).map(drop)?;
            }
            "UserName" => rules::name(params, name, NAME_OF_USER).map(drop)?,
            "GroupName" | "PolicyName" | "InstanceProfileName" => {
                rules::name(params, name, rules::NAME_OF_POLICY).map(drop)?;
            }
            "PolicyDocument" | "AssumeRolePolicyDocument" => {
                document::parameter(params, name).map(drop)?;
            }
            "PolicyArn" | "PermissionsBoundary" => rules::length(name, value, 20, 2048)?,
            "VersionId" => version(value)?,
            "MaxItems" => rules::max_items(params).map(drop)?,
            "PathPrefix"
                if operation == "ListPolicies" || operation.starts_with("ListAttached") =>
            {
                rules::policy_path_of(name, value).map(drop)?;
            }
            "PathPrefix" => prefix(value)?,
            _ => {}
        }
    }
    for (index, tag) in params.structs("Tags").iter().enumerate() {
        rules::check_tag(
            index + 1,
            tag.get("Key").unwrap_or_default(),
            tag.get("Value").unwrap_or_default(),
        )?;
    }
    Ok(())
}

/// `v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`
fn version(id: &str) -> Result<(), ApiError> {
    let rest = id.strip_prefix('v').unwrap_or_default();
    let (digits, more) = rest.split_once('.').unwrap_or((rest, ""));
    let numbered = !digits.is_empty()
        && !digits.starts_with('0')
        && digits.chars().all(|c| c.is_ascii_digit());
    if numbered && more.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Ok(());
    }
    let rule = r"satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?";
    Err(rules::constraint("VersionId", id, rule))
}

/// `/[!-\u007F]*`
fn prefix(text: &str) -> Result<(), ApiError> {
    rules::length("PathPrefix", text, 1, 512)?;
    if text.starts_with('/') && text.chars().all(|c| ('!'..='\u{7f}').contains(&c)) {
        return Ok(());
    }
    Err(ApiError::validation(
        "The specified value for pathPrefix is invalid. It must begin with / and contain only alphanumeric characters and/or / characters.",
    ))
}
