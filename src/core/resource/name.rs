//! Names of IAM entities and ARNs, valid by construction.
//!
//! IAM names are unique per account without regard to case, but ARNs compare with case. So names keep the
//! author's case and maps are keyed by [`RoleName::key`] and [`PolicyName::key`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::org::{AccountId, Partition};

/// Text that is not a valid name, path or ARN, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` {rule}")]
pub struct InvalidName {
    /// What was expected: `role name`, `policy ARN`, …
    pub what: &'static str,
    /// The offending text.
    pub text: String,
    /// The broken rule, as the end of a sentence.
    pub rule: String,
}

fn check_name(what: &'static str, text: &str, longest: usize) -> Result<(), InvalidName> {
    let fail = |rule: String| {
        Err(InvalidName {
            what,
            text: text.to_owned(),
            rule,
        })
    };
    if text.is_empty() {
        return fail("must not be empty".into());
    }
    if let Some(bad) = text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c)))
    {
        let bad = shown(bad);
        return fail(format!(
            "must not contain {bad}: letters, digits and _+=,.@- are allowed"
        ));
    }
    if text.len() > longest {
        return fail(format!(
            "has {} characters, {longest} are allowed",
            text.len()
        ));
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $what:literal, $longest:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Checks the characters and the length.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                check_name($what, text, $longest)?;
                Ok(Self(text.to_owned()))
            }

            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name in lower case: two names with one key are the same name to IAM.
            pub fn key(&self) -> String {
                self.0.to_ascii_lowercase()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

name_type!(
    /// A role's name: 1 to 64 of letters, digits and `_+=,.@-`.
    ///
    /// Source: IAM API, `roleNameType`.
    RoleName, "role name", 64
);
name_type!(
    /// A managed or inline policy's name: 1 to 128 of letters, digits and `_+=,.@-`.
    ///
    /// Source: IAM API, `policyNameType`.
    PolicyName, "policy name", 128
);
name_type!(
    /// A user's name: 1 to 64 of letters, digits and `_+=,.@-`.
    ///
    /// Source: IAM API, `userNameType`.
    UserName, "user name", 64
);
name_type!(
    /// A group's name: 1 to 128 of letters, digits and `_+=,.@-`.
    ///
    /// Source: IAM API, `groupNameType`.
    GroupName, "group name", 128
);

impl PolicyName {
    /// The inline policy by which the directory `name` lets a principal assume roles. A directory's name has at most
    /// 64 of
    /// `a-z`, `0-9` and `-`, so this is always a name.
    pub fn of_grants(name: &str) -> Self {
        Self(format!("rolecall-{name}-assume"))
    }

    /// Whether this is what [`of_grants`](Self::of_grants) makes of any directory.
    ///
    /// Inline policies carry no tag, so a grant is known by its name, and no directory removes another's.
    pub fn is_of_grants(&self) -> bool {
        self.0
            .strip_prefix("rolecall-")
            .and_then(|rest| rest.strip_suffix("-assume"))
            .is_some_and(is_directory)
    }

    /// The inline policy by which the directory `directory` attaches what it calls `name` to a role of another owner. The
    /// names of directories have no `.`, so it differs from those of every other directory.
    ///
    /// # Errors
    /// It has a character that policy names lack, or is too long together with the directory's name.
    pub fn of_attachment(directory: &str, name: &str) -> Result<Self, InvalidName> {
        Self::parse(name)?;
        Self::parse(&format!("rolecall-{directory}.{name}"))
    }

    /// The directory that attached this inline policy, going by its name.
    pub fn attached_by(&self) -> Option<&str> {
        let (directory, name) = self.0.strip_prefix("rolecall-")?.split_once('.')?;
        (is_directory(directory) && !name.is_empty()).then_some(directory)
    }

    /// Whether this inline policy is of a directory's grants or attachments. Every directory leaves those of all others
    /// alone, on roles whose inline policies it manages exclusively too.
    pub fn is_known_by_name(&self) -> bool {
        self.is_of_grants() || self.attached_by().is_some()
    }
}

fn is_directory(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// A path of a role or policy: `/`, or `/` segments `/`.
///
/// Source: IAM API, `pathType`: 1 to 512 characters, `/` or `/[!-~]+/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IamPath(String);

impl IamPath {
    /// Checks the slashes, the characters and the length.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let fail = |rule: String| {
            Err(InvalidName {
                what: "path",
                text: text.to_owned(),
                rule,
            })
        };
        if !text.starts_with('/') || !text.ends_with('/') {
            return fail("must begin and end with `/`".into());
        }
        if text.contains("//") {
            return fail("must not contain `//`".into());
        }
        if let Some(bad) = text.chars().find(|c| !('!'..='~').contains(c)) {
            return fail(format!("must not contain {}", shown(bad)));
        }
        if text.len() > 512 {
            return fail(format!("has {} characters, 512 are allowed", text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Checks the path of a managed policy: what is between its slashes holds letters, digits and `.,+@=_-`.
    ///
    /// Source: IAM API, `policyPathType`.
    pub fn parse_of_policy(text: &str) -> Result<Self, InvalidName> {
        let path = Self::parse(text)?;
        let allowed = |c: &char| c.is_ascii_alphanumeric() || "/.,+@=_-".contains(*c);
        match text.chars().find(|c| !allowed(c)) {
            Some(bad) => Err(InvalidName {
                what: "path of a policy",
                text: text.to_owned(),
                rule: format!("must not contain `{bad}`: letters, digits and .,+@=_- are allowed"),
            }),
            None => Ok(path),
        }
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for IamPath {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl fmt::Display for IamPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for IamPath {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<IamPath> for String {
    fn from(path: IamPath) -> Self {
        path.0
    }
}

/// Source: IAM API, `arnType`.
const LONGEST_ARN: usize = 2048;

/// The ARN of a managed policy, AWS's own (`arn:aws:iam::aws:policy/…`) or a customer's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PolicyArn(String);

impl PolicyArn {
    /// Checks the shape `arn:<partition>:iam::<account or aws>:policy/<path and name>`.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let fail = |rule: &str| {
            Err(InvalidName {
                what: "policy ARN",
                text: text.to_owned(),
                rule: rule.to_owned(),
            })
        };
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", partition, "iam", "", owner, resource] = parts.as_slice() else {
            return fail("must look like `arn:aws:iam::<account>:policy/<name>`");
        };
        if partition.is_empty() || !(owner == "aws" || AccountId::parse(owner).is_ok()) {
            return fail("must name a partition and a 12-digit account id or `aws`");
        }
        let Some(name) = resource
            .strip_prefix("policy/")
            .and_then(|rest| rest.rsplit('/').next())
        else {
            return fail("must name a policy: `policy/<name>`");
        };
        PolicyName::parse(name)?;
        if text.len() > LONGEST_ARN {
            return fail("is longer than the 2048 characters that are allowed");
        }
        Ok(Self(text.to_owned()))
    }

    /// The ARN of AWS's managed policy `name`, which may carry its path: `job-function/ViewOnlyAccess`.
    pub fn aws_managed(partition: &Partition, name: &str) -> Result<Self, InvalidName> {
        Self::parse(&format!("arn:{partition}:iam::aws:policy/{name}"))
    }

    /// The ARN of a customer managed policy.
    pub fn customer(
        partition: &Partition,
        account: AccountId,
        path: &IamPath,
        name: &PolicyName,
    ) -> Self {
        Self(format!("arn:{partition}:iam::{account}:policy{path}{name}"))
    }

    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The policy's name, without its path.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether AWS owns the policy.
    pub fn is_aws_managed(&self) -> bool {
        self.0.split(':').nth(4) == Some("aws")
    }

    /// The one of `others` whose name this one's is a slip of: of another path, in another case, with a letter wrong.
    pub fn nearest<'a>(&self, others: impl Iterator<Item = &'a Self>) -> Option<&'a Self> {
        let name = self.name().to_ascii_lowercase();
        let distance =
            |other: &Self| strsim::damerau_levenshtein(&name, &other.name().to_ascii_lowercase());
        let measured = others.map(|other| (distance(other), other));
        let near = measured.filter(|(distance, _)| *distance <= name.len() / 8);
        near.min_by_key(|(distance, other)| (*distance, other.as_str().len()))
            .map(|(_, other)| other)
    }

    /// The policy as a desired state names it: `aws:NAME` with its path, or the ARN of a customer managed one.
    pub fn reference(&self) -> String {
        match self.0.split_once("::aws:policy/") {
            Some((_, name)) => format!("aws:{name}"),
            None => self.0.clone(),
        }
    }

    /// Whether it can be attached to service-linked roles alone.
    pub fn is_for_service_linked_roles(&self) -> bool {
        self.is_aws_managed() && self.0.contains(":policy/aws-service-role/")
    }

    /// The account that owns a customer managed policy.
    pub fn account(&self) -> Option<AccountId> {
        self.0
            .split(':')
            .nth(4)
            .and_then(|id| AccountId::parse(id).ok())
    }
}

impl fmt::Display for PolicyArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PolicyArn {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PolicyArn> for String {
    fn from(arn: PolicyArn) -> Self {
        arn.0
    }
}

/// A character as a message names it.
pub(crate) fn shown(character: char) -> String {
    match character {
        ' ' => "a space".to_owned(),
        other => format!("`{}`", other.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_character_is_wrong() {
        assert!(RoleName::parse("a+b=c,d.e@f-g_h").is_ok());
        assert!(
            RoleName::parse("a b")
                .unwrap_err()
                .to_string()
                .contains("must not contain a space")
        );
        assert!(
            RoleName::parse(&"x".repeat(65))
                .unwrap_err()
                .to_string()
                .contains("65 characters, 64")
        );
        assert!(PolicyName::parse(&"x".repeat(128)).is_ok());
        assert_eq!(
            RoleName::parse("Ab").unwrap().key(),
            RoleName::parse("aB").unwrap().key()
        );
    }

    #[test]
    fn a_path_has_both_slashes() {
        assert!(IamPath::parse("/").is_ok() && IamPath::parse("/a/b/").is_ok());
        for bad in ["", "a/", "/a", "//", "/a b/"] {
            assert!(IamPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_policy_arn_knows_its_owner() {
        let aws = PolicyArn::parse("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess").unwrap();
        assert!(aws.is_aws_managed() && aws.name() == "ViewOnlyAccess");
        for bad in [
            "arn:aws:iam::aws:role/x",
            "arn:aws:iam::123:policy/x",
            "SecurityAudit",
            "arn:aws:iam::aws:policy/",
        ] {
            assert!(PolicyArn::parse(bad).is_err(), "{bad}");
        }
    }
}
