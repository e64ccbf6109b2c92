//! Every AWS operation that is ever called, with the IAM action that allows it.
//!
//! This is the one table of them: no call is made but by one of these names, since errors, traces and the record of a run
//! are named by it, and the policies that `permissions` prints are made of it.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys" for IAM, AWS STS, AWS Organizations,
//! Amazon S3 and AWS CloudTrail.

use std::fmt;

/// Whether an operation changes anything in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It tells.
    Read,
    /// It changes.
    Write,
}

macro_rules! operations {
    ($($name:ident $service:literal $action:literal $effect:ident)*) => {
        /// One operation of AWS's API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the operations are documented by AWS under these names")]
        pub enum Operation {
            $($name,)*
        }

        impl Operation {
            /// Every operation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in the API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The action that a policy must allow for it.
            pub const fn action(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($service, ":", $action),)*
                }
            }

            /// Whether it changes anything.
            pub const fn effect(self) -> Effect {
                match self {
                    $(Self::$name => Effect::$effect,)*
                }
            }
        }
    };
}

operations! {
    GetCallerIdentity "sts" "GetCallerIdentity" Read
    AssumeRole "sts" "AssumeRole" Read

    DescribeOrganization "organizations" "DescribeOrganization" Read
    ListRoots "organizations" "ListRoots" Read
    ListOrganizationalUnitsForParent "organizations" "ListOrganizationalUnitsForParent" Read
    ListAccountsForParent "organizations" "ListAccountsForParent" Read
    ListTagsForResource "organizations" "ListTagsForResource" Read

    GetObject "s3" "GetObject" Read
    ListObjectsV2 "s3" "ListBucket" Read
    PutObject "s3" "PutObject" Write

    LookupEvents "cloudtrail" "LookupEvents" Read

    GetAccountAuthorizationDetails "iam" "GetAccountAuthorizationDetails" Read
    GetAccountSummary "iam" "GetAccountSummary" Read
    ListRoles "iam" "ListRoles" Read
    GetRole "iam" "GetRole" Read
    ListAttachedRolePolicies "iam" "ListAttachedRolePolicies" Read
    ListRolePolicies "iam" "ListRolePolicies" Read
    GetRolePolicy "iam" "GetRolePolicy" Read
    ListInstanceProfilesForRole "iam" "ListInstanceProfilesForRole" Read
    SimulatePrincipalPolicy "iam" "SimulatePrincipalPolicy" Read
    ListPolicies "iam" "ListPolicies" Read
    GetPolicy "iam" "GetPolicy" Read
    GetPolicyVersion "iam" "GetPolicyVersion" Read
    ListPolicyVersions "iam" "ListPolicyVersions" Read
    ListPolicyTags "iam" "ListPolicyTags" Read
    GetUser "iam" "GetUser" Read
    GetUserPolicy "iam" "GetUserPolicy" Read
    GetGroup "iam" "GetGroup" Read
    GetGroupPolicy "iam" "GetGroupPolicy" Read

    CreatePolicy "iam" "CreatePolicy" Write
    CreatePolicyVersion "iam" "CreatePolicyVersion" Write
    DeletePolicyVersion "iam" "DeletePolicyVersion" Write
    TagPolicy "iam" "TagPolicy" Write
    UntagPolicy "iam" "UntagPolicy" Write
    DeletePolicy "iam" "DeletePolicy" Write
    CreateRole "iam" "CreateRole" Write
    UpdateAssumeRolePolicy "iam" "UpdateAssumeRolePolicy" Write
    UpdateRole "iam" "UpdateRole" Write
    PutRolePermissionsBoundary "iam" "PutRolePermissionsBoundary" Write
    DeleteRolePermissionsBoundary "iam" "DeleteRolePermissionsBoundary" Write
    TagRole "iam" "TagRole" Write
    UntagRole "iam" "UntagRole" Write
    AttachRolePolicy "iam" "AttachRolePolicy" Write
    DetachRolePolicy "iam" "DetachRolePolicy" Write
    PutRolePolicy "iam" "PutRolePolicy" Write
    DeleteRolePolicy "iam" "DeleteRolePolicy" Write
    PutUserPolicy "iam" "PutUserPolicy" Write
    DeleteUserPolicy "iam" "DeleteUserPolicy" Write
    PutGroupPolicy "iam" "PutGroupPolicy" Write
    DeleteGroupPolicy "iam" "DeleteGroupPolicy" Write
    RemoveRoleFromInstanceProfile "iam" "RemoveRoleFromInstanceProfile" Write
    AddRoleToInstanceProfile "iam" "AddRoleToInstanceProfile" Write
    DeleteRole "iam" "DeleteRole" Write
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
