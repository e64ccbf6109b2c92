//! One `Step` is one AWS write with all its arguments; nothing is left to choose.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Tags;
use super::name::{GroupName, IamPath, PolicyArn, PolicyName, RoleName, UserName};
use super::operation::Operation;

/// One write to IAM, named as the API operation it is.
///
/// Documents are the JSON text that is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op")]
#[allow(missing_docs, reason = "the fields are the API's own parameters")]
pub enum Step {
    CreatePolicy {
        name: PolicyName,
        path: IamPath,
        description: Option<String>,
        document: String,
        tags: Tags,
    },
    CreatePolicyVersion {
        arn: PolicyArn,
        document: String,
    },
    DeletePolicyVersion {
        arn: PolicyArn,
        version: String,
    },
    TagPolicy {
        arn: PolicyArn,
        tags: Tags,
    },
    UntagPolicy {
        arn: PolicyArn,
        keys: BTreeSet<String>,
    },
    DeletePolicy {
        arn: PolicyArn,
    },
    CreateRole {
        role: RoleName,
        path: IamPath,
        trust: String,
        description: Option<String>,
        max_session_duration: Option<u32>,
        permissions_boundary: Option<PolicyArn>,
        tags: Tags,
    },
    UpdateAssumeRolePolicy {
        role: RoleName,
        document: String,
    },
    /// Always carries both: an omitted duration would be reset to one hour.
    UpdateRole {
        role: RoleName,
        description: String,
        max_session_duration: u32,
    },
    PutRolePermissionsBoundary {
        role: RoleName,
        arn: PolicyArn,
    },
    DeleteRolePermissionsBoundary {
        role: RoleName,
    },
    TagRole {
        role: RoleName,
        tags: Tags,
    },
    UntagRole {
        role: RoleName,
        keys: BTreeSet<String>,
    },
    AttachRolePolicy {
        role: RoleName,
        arn: PolicyArn,
    },
    DetachRolePolicy {
        role: RoleName,
        arn: PolicyArn,
    },
    PutRolePolicy {
        role: RoleName,
        policy: PolicyName,
        document: String,
    },
    DeleteRolePolicy {
        role: RoleName,
        policy: PolicyName,
    },
    PutUserPolicy {
        user: UserName,
        policy: PolicyName,
        document: String,
    },
    DeleteUserPolicy {
        user: UserName,
        policy: PolicyName,
    },
    PutGroupPolicy {
        group: GroupName,
        policy: PolicyName,
        document: String,
    },
    DeleteGroupPolicy {
        group: GroupName,
        policy: PolicyName,
    },
    RemoveRoleFromInstanceProfile {
        role: RoleName,
        profile: String,
    },
    AddRoleToInstanceProfile {
        role: RoleName,
        profile: String,
    },
    DeleteRole {
        role: RoleName,
    },
}

impl Step {
    /// The API operation.
    pub fn operation(&self) -> Operation {
        match self {
            Self::CreatePolicy { .. } => Operation::CreatePolicy,
            Self::CreatePolicyVersion { .. } => Operation::CreatePolicyVersion,
            Self::DeletePolicyVersion { .. } => Operation::DeletePolicyVersion,
            Self::TagPolicy { .. } => Operation::TagPolicy,
            Self::UntagPolicy { .. } => Operation::UntagPolicy,
            Self::DeletePolicy { .. } => Operation::DeletePolicy,
            Self::CreateRole { .. } => Operation::CreateRole,
            Self::UpdateAssumeRolePolicy { .. } => Operation::UpdateAssumeRolePolicy,
            Self::UpdateRole { .. } => Operation::UpdateRole,
            Self::PutRolePermissionsBoundary { .. } => Operation::PutRolePermissionsBoundary,
            Self::DeleteRolePermissionsBoundary { .. } => Operation::DeleteRolePermissionsBoundary,
            Self::TagRole { .. } => Operation::TagRole,
            Self::UntagRole { .. } => Operation::UntagRole,
            Self::AttachRolePolicy { .. } => Operation::AttachRolePolicy,
            Self::DetachRolePolicy { .. } => Operation::DetachRolePolicy,
            Self::PutRolePolicy { .. } => Operation::PutRolePolicy,
            Self::DeleteRolePolicy { .. } => Operation::DeleteRolePolicy,
            Self::PutUserPolicy { .. } => Operation::PutUserPolicy,
            Self::DeleteUserPolicy { .. } => Operation::DeleteUserPolicy,
            Self::PutGroupPolicy { .. } => Operation::PutGroupPolicy,
            Self::DeleteGroupPolicy { .. } => Operation::DeleteGroupPolicy,
            Self::RemoveRoleFromInstanceProfile { .. } => Operation::RemoveRoleFromInstanceProfile,
            Self::AddRoleToInstanceProfile { .. } => Operation::AddRoleToInstanceProfile,
            Self::DeleteRole { .. } => Operation::DeleteRole,
        }
    }

    /// The JSON text that it sends, with the name of its parameter.
    pub fn document(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::CreateRole { trust, .. } => Some(("trust", trust)),
            Self::CreatePolicy { document, .. }
            | Self::CreatePolicyVersion { document, .. }
            | Self::UpdateAssumeRolePolicy { document, .. }
            | Self::PutRolePolicy { document, .. }
            | Self::PutUserPolicy { document, .. }
            | Self::PutGroupPolicy { document, .. } => Some(("document", document)),
            Self::DeletePolicyVersion { .. }
            | Self::TagPolicy { .. }
            | Self::UntagPolicy { .. }
            | Self::DeletePolicy { .. }
            | Self::UpdateRole { .. }
            | Self::PutRolePermissionsBoundary { .. }
            | Self::DeleteRolePermissionsBoundary { .. }
            | Self::TagRole { .. }
            | Self::UntagRole { .. }
            | Self::AttachRolePolicy { .. }
            | Self::DetachRolePolicy { .. }
            | Self::DeleteRolePolicy { .. }
            | Self::DeleteUserPolicy { .. }
            | Self::DeleteGroupPolicy { .. }
            | Self::RemoveRoleFromInstanceProfile { .. }
            | Self::AddRoleToInstanceProfile { .. }
            | Self::DeleteRole { .. } => None,
        }
    }
}
