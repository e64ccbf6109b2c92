//! Rules of IAM's parameters: names, paths, descriptions, durations, tags, and quotas.
//!
//! Sources: IAM API Reference (patterns and lengths of the parameters); IAM User Guide, IAM and STS quotas; IAM User
//! Guide, Tags for IAM resources.

use std::collections::{BTreeMap, BTreeSet};

use super::super::wire::{ApiError, Params, Xml};
use super::super::world::IamState;
use super::xml::text;

/// The longest name of a role, user in `roleNameType`, `existingUserNameType`.
pub(super) const NAME_OF_ROLE: usize = 64;
/// The longest name of a policy, group or instance profile.
pub(super) const NAME_OF_POLICY: usize = 128;

/// The name of a parameter as AWS's sentences spell it: `RoleName` is `roleName`.
fn spelled(parameter: &str) -> String {
    let mut letters = parameter.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}

/// `ValidationError`: `value` breaks `rule`.
pub(super) fn constraint(parameter: &str, value: &str, rule: &str) -> ApiError {
    ApiError::validation(format!(
        "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint: Member must {rule}",
        spelled(parameter)
    ))
}

/// `ValidationError` when `value` is too short or too long, in characters.
pub(super) fn length(
    parameter: &str,
    value: &str,
    shortest: usize,
    longest: usize,
) -> Result<(), ApiError> {
    let characters = value.chars().count();
    if characters < shortest {
        return Err(constraint(
            parameter,
            value,
            &format!("have length greater than or equal to {shortest}"),
        ));
    }
    if characters > longest {
        return Err(constraint(
            parameter,
            value,
            &format!("have length less than or equal to {longest}"),
        ));
    }
    Ok(())
}

/// A name: `[\w+=,.@-]+`.
pub(super) fn name<'p>(
    params: &'p Params,
    parameter: &str,
    longest: usize,
) -> Result<&'p str, ApiError> {
    let name = params.require(parameter)?;
    length(parameter, name, 1, longest)?;
    if name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
    {
        return Ok(name);
    }
    Err(ApiError::validation(format!(
        "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
        spelled(parameter)
    )))
}

/// The parameter `Path`: `/` or `/[!-~]+/`, 1 to 512 characters; `/` where it is not given.
pub(super) fn path(params: &Params) -> Result<String, ApiError> {
    let path = slashed(params)?;
    if path == "//" {
        return Err(wrong_path());
    }
    Ok(path)
}

fn slashed(params: &Params) -> Result<String, ApiError> {
    let path = params.get("Path").unwrap_or("/");
    length("Path", path, 1, 512)?;
    if path.starts_with('/')
        && path.ends_with('/')
        && path.chars().all(|c| ('!'..='~').contains(&c))
    {
        return Ok(path.to_owned());
    }
    Err(wrong_path())
}

fn wrong_path() -> ApiError {
    ApiError::validation(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
    )
}

/// The parameter `Path` of a policy.
pub(super) fn policy_path(params: &Params) -> Result<String, ApiError> {
    policy_path_of("Path", &slashed(params)?)
}

/// A parameter that is the path of a policy: `((/[A-Za-z0-9.,+@=_-]+)*)/`.
pub(super) fn policy_path_of(parameter: &str, path: &str) -> Result<String, ApiError> {
    length(parameter, path, 1, 512)?;
    let allowed = |segment: &str| {
        !segment.is_empty()
            && segment
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".,+@=_-".contains(c))
    };
    let inner = path
        .strip_prefix('/')
        .and_then(|inner| inner.strip_suffix('/'));
    if path == "/" || inner.is_some_and(|inner| inner.split('/').all(allowed)) {
        return Ok(path.to_owned());
    }
    Err(constraint(
        parameter,
        path,
        "satisfy regular expression pattern: ((/[A-Za-z0-9\\.,\\+@=_-]+)*)/",
    ))
}

/// The parameter `PathPrefix` of a list; `/` where it is not given.
pub(super) fn path_prefix(params: &Params) -> Result<&str, ApiError> {
    let prefix = params.get("PathPrefix").unwrap_or("/");
    length("PathPrefix", prefix, 1, 512)?;
    if prefix.starts_with('/') {
        return Ok(prefix);
    }
    Err(ApiError::validation(
        "The specified value for pathPrefix is invalid. It must begin with / and contain only alphanumeric characters and/or / characters.",
    ))
}

/// The parameter `Description`: up to 1000 characters of ASCII and Latin-1.
pub(super) fn description(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(description) = params.get("Description") else {
        return Ok(None);
    };
    length("Description", description, 0, 1000)?;
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{A1}'..='\u{FF}');
    if description.chars().all(allowed) {
        return Ok(Some(description.to_owned()));
    }
    let rule =
        r"satisfy regular expression pattern: [\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*";
    Err(constraint("Description", description, rule))
}

/// A whole number between two bounds.
fn number(
    params: &Params,
    parameter: &str,
    least: u32,
    most: u32,
) -> Result<Option<u32>, ApiError> {
    let Some(value) = params.get(parameter) else {
        return Ok(None);
    };
    let number: u32 = value.parse().map_err(|_| {
        ApiError::new(
            400,
            "MalformedInput",
            format!("Could not parse '{value}' as a number for {parameter}"),
        )
    })?;
    if number < least {
        return Err(constraint(
            parameter,
            value,
            &format!("have value greater than or equal to {least}"),
        ));
    }
    if number > most {
        return Err(constraint(
            parameter,
            value,
            &format!("have value less than or equal to {most}"),
        ));
    }
    Ok(Some(number))
}

/// The parameter `MaxSessionDuration` in seconds: an hour where it is not given.
pub(super) fn max_session_duration(params: &Params) -> Result<u32, ApiError> {
    Ok(number(params, "MaxSessionDuration", 3600, 43200)?.unwrap_or(3600))
}

/// The parameter `MaxItems`: 1 to 1000, 100 where it is not given.
pub(super) fn max_items(params: &Params) -> Result<usize, ApiError> {
    let items = number(params, "MaxItems", 1, 1000)?.unwrap_or(100);
    Ok(usize::try_from(items).unwrap_or(usize::MAX))
}

/// One of the words that an enumeration allows.
pub(super) fn choice<'p>(
    params: &'p Params,
    parameter: &str,
    words: &[&str],
) -> Result<Option<&'p str>, ApiError> {
    match params.get(parameter) {
        Some(word) if !words.contains(&word) => Err(constraint(
            parameter,
            word,
            &format!("satisfy enum value set: [{}]", words.join(", ")),
        )),
        word => Ok(word),
    }
}

/// Whether two tag keys that differ in case alone are one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyCase {
    /// On roles and users.
    Ignored,
    /// On policies and instance profiles.
    Kept,
}

impl KeyCase {
    fn fold(self, key: &str) -> String {
        match self {
            Self::Ignored => key.to_lowercase(),
            Self::Kept => key.to_owned(),
        }
    }
}

const TAGS: usize = 50;

/// Sets the tags of the parameter `Tags`. A key that is there already, by the rule of `case`, is replaced.
pub(super) fn set_tags(
    tags: &mut BTreeMap<String, String>,
    params: &Params,
    case: KeyCase,
) -> Result<(), ApiError> {
    let wanted = params.structs("Tags");
    if wanted.len() > TAGS {
        return Err(constraint(
            "Tags",
            "[...]",
            &format!("have length less than or equal to {TAGS}"),
        ));
    }
    let mut seen = BTreeSet::new();
    for (index, tag) in wanted.iter().enumerate() {
        let (key, value) = (tag.require("Key")?, tag.require("Value")?);
        check_tag(index + 1, key, value)?;
        if !seen.insert(case.fold(key)) {
            let message =
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(ApiError::new(400, "InvalidInput", message));
        }
        tags.retain(|old, _| case.fold(old) != case.fold(key));
        tags.insert(key.to_owned(), value.to_owned());
    }
    if tags.len() > TAGS {
        return Err(ApiError::new(
            409,
            "LimitExceeded",
            "The number of tags has reached the maximum limit.",
        ));
    }
    Ok(())
}

pub(super) fn check_tag(position: usize, key: &str, value: &str) -> Result<(), ApiError> {
    length(&format!("tags.{position}.member.key"), key, 1, 128)?;
    length(&format!("tags.{position}.member.value"), value, 0, 256)?;
    // \p{L}, \p{Z} and \p{N}, and these signs.
    let allowed = |c: char| {
        c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
    };
    for (member, text) in [("key", key), ("value", value)] {
        if !text.chars().all(allowed) {
            let pattern = r"satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+";
            return Err(constraint(
                &format!("tags.{position}.member.{member}"),
                text,
                pattern,
            ));
        }
        if text.to_lowercase().starts_with("aws:") {
            let message = "aws: prefixed tag key names are not allowed for external use.";
            return Err(ApiError::new(400, "InvalidInput", message));
        }
    }
    Ok(())
}

/// Removes the tags of the parameter `TagKeys`; a missing key is not an error.
pub(super) fn remove_tags(tags: &mut BTreeMap<String, String>, params: &Params, case: KeyCase) {
    let keys: BTreeSet<String> = params
        .list("TagKeys")
        .into_iter()
        .map(|key| case.fold(key))
        .collect();
    tags.retain(|key, _| !keys.contains(&case.fold(key)));
}

/// One tag in an answer.
pub(super) fn tag_xml(key: &str, value: &str) -> Xml {
    Xml::Fields(vec![text("Key", key), text("Value", value)])
}

/// The member `Tags` of an entity; left out where it has none.
pub(super) fn tags_field(tags: &BTreeMap<String, String>) -> (&'static str, Option<Xml>) {
    (
        "Tags",
        (!tags.is_empty()).then(|| {
            Xml::List(
                tags.iter()
                    .map(|(key, value)| tag_xml(key, value))
                    .collect(),
            )
        }),
    )
}

/// The default quotas, by the names of `GetAccountSummary`.
pub(super) const QUOTAS: &[(&str, usize)] = &[
    ("AccessKeysPerUserQuota", 2),
    ("AssumeRolePolicySizeQuota", 2048),
    ("AttachedPoliciesPerGroupQuota", 10),
    ("AttachedPoliciesPerRoleQuota", 10),
    ("AttachedPoliciesPerUserQuota", 10),
    ("GroupPolicySizeQuota", 5120),
    ("GroupsPerUserQuota", 10),
    ("GroupsQuota", 300),
    ("InstanceProfilesQuota", 1000),
    ("PoliciesQuota", 1500),
    ("PolicySizeQuota", 6144),
    ("PolicyVersionsInUseQuota", 10000),
    ("RolePolicySizeQuota", 10240),
    ("RolesQuota", 1000),
    ("ServerCertificatesQuota", 20),
    ("SigningCertificatesPerUserQuota", 2),
    ("UserPolicySizeQuota", 2048),
    ("UsersQuota", 5000),
    ("VersionsPerPolicyQuota", 5),
];

/// Whether `GetAccountSummary` tells a quota of this name.
pub fn is_quota(name: &str) -> bool {
    QUOTAS.iter().any(|(known, _)| *known == name)
}

/// A quota of this account.
pub(super) fn quota(state: &IamState, name: &str) -> usize {
    let default = || {
        QUOTAS
            .iter()
            .find(|(quota, _)| *quota == name)
            .map_or(usize::MAX, |(_, value)| *value)
    };
    state.quotas.get(name).copied().unwrap_or_else(default)
}

/// `LimitExceeded` when `used` is more than the quota `name` allows. AWS's sentence calls the quota `spoken`.
pub(super) fn within(
    state: &IamState,
    name: &str,
    spoken: &str,
    used: usize,
) -> Result<(), ApiError> {
    let quota = quota(state, name);
    if used <= quota {
        return Ok(());
    }
    Err(ApiError::new(
        409,
        "LimitExceeded",
        format!("Cannot exceed quota for {spoken}: {quota}"),
    ))
}

/// `MalformedPolicyDocument` 400.
pub(super) fn malformed(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "MalformedPolicyDocument", message)
}
