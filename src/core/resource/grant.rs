//! Grants: the caller's half of cross-account access, as desired and as seen.
//!
//! A role's trust policy lets a principal of another account in, but that principal's own account must allow it too
//! (IAM User Guide, "Cross-account policy evaluation logic"). All that one directory grants to one principal is one
//! inline policy, known by its name ([`PolicyName::of_grants`]): inline policies carry no tag.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

use super::Origin;
use super::name::{GroupName, InvalidName, PolicyName, RoleName, UserName};
use super::policy::{PolicyDocument, PolicyKind};
use super::step::Step;
use crate::org::{AccountId, Partition};

/// Who can be let assume a role: a principal that holds inline policies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// A user.
    User(UserName),
    /// A group, for every user in it.
    Group(GroupName),
    /// A role.
    Role(RoleName),
}

impl Principal {
    /// Reads `kind` (`user`, `group` or `role`) and `name`; `None` where it is another kind.
    pub fn parse(kind: &str, name: &str) -> Option<Result<Self, InvalidName>> {
        match kind {
            "user" => Some(UserName::parse(name).map(Self::User)),
            "group" => Some(GroupName::parse(name).map(Self::Group)),
            "role" => Some(RoleName::parse(name).map(Self::Role)),
            _ => None,
        }
    }

    /// `user`, `group` or `role`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Group(_) => "group",
            Self::Role(_) => "role",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::User(name) => name.as_str(),
            Self::Group(name) => name.as_str(),
            Self::Role(name) => name.as_str(),
        }
    }

    /// The text in lower case: two principals with one key are the same to IAM.
    pub fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }

    /// The characters that IAM allows all inline policies of such a principal together.
    ///
    /// Source: IAM User Guide, "IAM and AWS STS quotas".
    pub fn inline_policies_size(&self) -> usize {
        match self {
            Self::User(_) => 2048,
            Self::Group(_) => 5120,
            Self::Role(_) => 10240,
        }
    }

    /// The write that gives it the inline policy.
    pub fn put(&self, policy: PolicyName, document: String) -> Step {
        match self.clone() {
            Self::User(user) => Step::PutUserPolicy {
                user,
                policy,
                document,
            },
            Self::Group(group) => Step::PutGroupPolicy {
                group,
                policy,
                document,
            },
            Self::Role(role) => Step::PutRolePolicy {
                role,
                policy,
                document,
            },
        }
    }

    /// The write that takes the inline policy from it.
    pub fn delete(&self, policy: PolicyName) -> Step {
        match self.clone() {
            Self::User(user) => Step::DeleteUserPolicy { user, policy },
            Self::Group(group) => Step::DeleteGroupPolicy { group, policy },
            Self::Role(role) => Step::DeleteRolePolicy { role, policy },
        }
    }
}

/// `user/log-reader`, as in the address of its grant.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind(), self.name())
    }
}

/// All that a directory grants to one principal of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who is let assume.
    pub principal: Principal,
    /// The ARNs of the roles; never empty.
    pub roles: BTreeSet<String>,
    /// Those of [`roles`](Self::roles) whose path is not written: the ARN has `/`, until the live role is looked at.
    pub unplaced: BTreeSet<String>,
    /// Where the first of them is written.
    pub origin: Origin,
}

impl Grant {
    /// The policy as JSON: `sts:AssumeRole` on exactly these roles.
    pub fn to_value(&self) -> Value {
        json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": self.roles }],
        })
    }

    /// The policy.
    pub fn document(&self, partition: &Partition) -> PolicyDocument {
        PolicyDocument::live(
            &self.to_value().to_string(),
            PolicyKind::Identity,
            partition,
        )
    }
}

/// A grant to a principal in an account outside the organization: someone there must write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideGrant {
    /// The account.
    pub account: AccountId,
    /// The grant.
    pub grant: Grant,
}

/// A principal as one read saw it, as far as a grant goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveGrant {
    /// The principal that is granted roles.
    pub principal: Principal,
    /// What it holds.
    pub state: GrantState,
}

/// What a principal holds of a directory's grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantState {
    /// There is no such principal.
    NoPrincipal,
    /// It is there and has no policy of that name.
    NoPolicy,
    /// It has this one.
    Granted(PolicyDocument),
}

impl GrantState {
    /// The policy, where there is one.
    pub fn document(&self) -> Option<&PolicyDocument> {
        match self {
            Self::Granted(document) => Some(document),
            Self::NoPrincipal | Self::NoPolicy => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_allows_assuming_exactly_its_roles() {
        let grant = Grant {
            principal: Principal::User(UserName::parse("log-reader").unwrap()),
            roles: [
                "arn:aws:iam::111111111111:role/b",
                "arn:aws:iam::111111111111:role/a",
            ]
            .map(str::to_owned)
            .into(),
            unplaced: BTreeSet::new(),
            origin: Origin::default(),
        };
        assert_eq!(
            grant.document(&Partition::default()).text(),
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],"Resource":["arn:aws:iam::111111111111:role/a","arn:aws:iam::111111111111:role/b"]}]}"#
        );
    }

    #[test]
    fn a_principal_is_read_back_from_its_text() {
        for (text, longest) in [("user/a+b", 64), ("group/Ops", 128), ("role/R", 64)] {
            let (kind, name) = text.split_once('/').unwrap();
            let principal = Principal::parse(kind, name).unwrap().unwrap();
            assert_eq!(
                (principal.to_string(), principal.key()),
                (text.to_owned(), text.to_ascii_lowercase())
            );
            assert!(
                Principal::parse(kind, &"x".repeat(longest))
                    .unwrap()
                    .is_ok()
            );
            assert!(
                Principal::parse(kind, &"x".repeat(longest + 1))
                    .unwrap()
                    .is_err()
            );
        }
        assert!(Principal::parse("policy", "p").is_none());
    }

    #[test]
    fn the_policy_of_a_directory_is_known_by_its_name() {
        let longest = PolicyName::of_grants(&"x".repeat(64));
        assert_eq!(PolicyName::parse(longest.as_str()), Ok(longest.clone()));
        assert!(longest.is_of_grants());
        assert_eq!(
            PolicyName::of_grants("vendor-roles").as_str(),
            "rolecall-vendor-roles-assume"
        );
        for other in ["rolecall-assumed", "assume", "Rolecall-x-assume"] {
            assert!(!PolicyName::parse(other).unwrap().is_of_grants(), "{other}");
        }
    }
}
