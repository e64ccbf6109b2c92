//! Attachments: one policy on a role of another owner, as desired and as seen.
//!
//! Of such a role exactly this policy is managed. An inline policy is known by its name
//! ([`PolicyName::of_attachment`]), because inline policies carry no tag; a managed one is a customer managed policy of
//! the same directory, which carries the directory's tag.

use std::fmt;

use serde_json::{Value, json};

use super::Origin;
use super::name::{PolicyArn, PolicyName, RoleName};
use super::policy::PolicyDocument;
use super::role::LiveRole;

/// Which policy on which role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachmentId {
    /// The role.
    pub role: RoleName,
    /// The policy.
    pub policy: Item,
}

/// How the policy is on the role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A customer managed policy, by its name.
    Managed(PolicyName),
    /// An inline policy, by its name.
    Inline(PolicyName),
}

impl AttachmentId {
    /// Reads `PlatformRole/managed/Reader`; `None` where it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (role, rest) = text.split_once('/')?;
        let (kind, policy) = rest.split_once('/')?;
        let policy = PolicyName::parse(policy).ok()?;
        Some(Self {
            role: RoleName::parse(role).ok()?,
            policy: match kind {
                "managed" => Item::Managed(policy),
                "inline" => Item::Inline(policy),
                _ => return None,
            },
        })
    }

    /// Two attachments with one key are the same to IAM, which tells inline policies apart by the case of their names.
    pub fn key(&self) -> String {
        match &self.policy {
            Item::Managed(_) => self.to_string().to_ascii_lowercase(),
            Item::Inline(name) => format!("{}/inline/{name}", self.role.key()),
        }
    }

    /// What of this is on the role.
    pub fn find<'a>(&self, role: &'a LiveRole) -> Option<Placed<'a>> {
        match &self.policy {
            Item::Inline(name) => role.inline_policies.get(name).map(Placed::Inline),
            Item::Managed(name) => role
                .managed_policies
                .iter()
                .find(|arn| !arn.is_aws_managed() && arn.name().eq_ignore_ascii_case(name.as_str()))
                .map(Placed::Managed),
        }
    }
}

/// `PlatformRole/managed/Reader`, as in the address of the attachment.
impl fmt::Display for AttachmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, policy) = match &self.policy {
            Item::Managed(policy) => ("managed", policy),
            Item::Inline(policy) => ("inline", policy),
        };
        write!(f, "{}/{kind}/{policy}", self.role)
    }
}

/// A policy as it is on a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed<'a> {
    /// An attached managed policy.
    Managed(&'a PolicyArn),
    /// An inline policy.
    Inline(&'a PolicyDocument),
}

impl Placed<'_> {
    /// It in words of the plan's JSON: `managed_policies` or `document`.
    pub fn to_value(self) -> Value {
        match self {
            Self::Managed(arn) => json!({ "managed_policies": [arn] }),
            Self::Inline(document) => json!({ "document": document.to_value() }),
        }
    }
}

/// An attachment as the desired state wants it in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Which policy on which role.
    pub id: AttachmentId,
    /// What an inline policy allows; `None` for a managed one.
    pub document: Option<PolicyDocument>,
    /// The ARN of a managed policy where it is known by more than its name, from a record.
    pub arn: Option<PolicyArn>,
    /// Where it is written.
    pub origin: Origin,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_is_read_back_from_its_text() {
        for text in ["Platform+1/managed/Reader", "R/inline/rolecall-us.logs"] {
            let id = AttachmentId::parse(text).unwrap();
            assert_eq!(id.to_string(), text);
        }
        for text in [
            "R",
            "R/inline",
            "R/other/X",
            "/inline/x",
            "R/inline/a/b",
            "R/inline/",
        ] {
            assert_eq!(AttachmentId::parse(text), None, "{text}");
        }
        assert_eq!(
            AttachmentId::parse("r/MANAGED/x"),
            None,
            "the kind is a word"
        );
        let key = |text: &str| AttachmentId::parse(text).unwrap().key();
        assert_eq!(key("R/managed/X"), key("r/managed/x"));
        assert_eq!(key("R/inline/X"), key("r/inline/X"));
        assert_ne!(key("R/inline/X"), key("R/inline/x"), "IAM keeps both");
    }

    #[test]
    fn the_inline_policy_of_an_attachment_is_known_by_its_name() {
        let name = PolicyName::of_attachment("vendor-roles", "logs").unwrap();
        assert_eq!(name.as_str(), "rolecall-vendor-roles.logs");
        assert_eq!(name.attached_by(), Some("vendor-roles"));
        assert!(name.is_known_by_name() && !name.is_of_grants());
        let odd = PolicyName::of_attachment("x", "a.b-assume").unwrap();
        assert_eq!(odd.attached_by(), Some("x"));
        assert!(!odd.is_of_grants());
        assert!(PolicyName::of_attachment(&"x".repeat(64), &"y".repeat(55)).is_err());
        for other in [
            "rolecall-x-assume",
            "rolecall-.x",
            "rolecall-x.",
            "Rolecall-x.y",
            "rolecall-X.y",
        ] {
            assert_eq!(
                PolicyName::parse(other).unwrap().attached_by(),
                None,
                "{other}"
            );
        }
    }
}
