//! Every AWS operation that is ever called, with the IAM action that allows it and what that action is about.
//!
//! This is the one table of them: no call is made but by one of these names, since errors, traces and the record of a run
//! are named by it, and the policies that `permissions` prints are made of it.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys" for IAM, AWS STS, AWS Organizations,
//! Amazon S3 and AWS CloudTrail.

use std::fmt;

/// What a permission can be narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing: the action takes `*` only.
    Everything,
    /// Roles.
    Role,
    /// Customer managed policies.
    Policy,
    /// Users.
    User,
    /// Groups.
    Group,
    /// Instance profiles.
    InstanceProfile,
    /// Roots and organizational units.
    Unit,
    /// Accounts of the organization.
    Account,
    /// Buckets.
    Bucket,
    /// Objects of a bucket.
    Object,
}

/// Whether an operation changes anything in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It tells.
    Read,
    /// It changes.
    Write,
}

macro_rules! operations {
    ($($name:ident $service:literal $action:literal $kind:ident $effect:ident)*) => {
        /// One operation of AWS's API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the operations are documented by AWS under these names")]
        pub enum Operation {
            $($name,)*
        }

        impl Operation {
            /// All of them.
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

            /// What a policy can narrow that action to.
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$name => Kind::$kind,)*
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
    GetCallerIdentity "sts" "GetCallerIdentity" Everything Read
    AssumeRole "sts" "AssumeRole" Role Read

    DescribeOrganization "organizations" "DescribeOrganization" Everything Read
    ListRoots "organizations" "ListRoots" Everything Read
    ListOrganizationalUnitsForParent "organizations" "ListOrganizationalUnitsForParent" Unit Read
    ListAccountsForParent "organizations" "ListAccountsForParent" Unit Read
    ListTagsForResource "organizations" "ListTagsForResource" Account Read

    GetObject "s3" "GetObject" Object Read
    ListObjectsV2 "s3" "ListBucket" Bucket Read
    PutObject "s3" "PutObject" Object Write

    LookupEvents "cloudtrail" "LookupEvents" Everything Read

    GetAccountAuthorizationDetails "iam" "GetAccountAuthorizationDetails" Everything Read
    GetAccountSummary "iam" "GetAccountSummary" Everything Read
    ListRoles "iam" "ListRoles" Everything Read
    GetRole "iam" "GetRole" Role Read
    ListAttachedRolePolicies "iam" "ListAttachedRolePolicies" Role Read
    ListRolePolicies "iam" "ListRolePolicies" Role Read
    GetRolePolicy "iam" "GetRolePolicy" Role Read
    ListInstanceProfilesForRole "iam" "ListInstanceProfilesForRole" Role Read
    SimulatePrincipalPolicy "iam" "SimulatePrincipalPolicy" Role Read
    ListPolicies "iam" "ListPolicies" Everything Read
    GetPolicy "iam" "GetPolicy" Policy Read
    GetPolicyVersion "iam" "GetPolicyVersion" Policy Read
    ListPolicyVersions "iam" "ListPolicyVersions" Policy Read
    ListPolicyTags "iam" "ListPolicyTags" Policy Read
    GetUser "iam" "GetUser" User Read
    GetUserPolicy "iam" "GetUserPolicy" User Read
    GetGroup "iam" "GetGroup" Group Read
    GetGroupPolicy "iam" "GetGroupPolicy" Group Read

    CreatePolicy "iam" "CreatePolicy" Policy Write
    CreatePolicyVersion "iam" "CreatePolicyVersion" Policy Write
    DeletePolicyVersion "iam" "DeletePolicyVersion" Policy Write
    TagPolicy "iam" "TagPolicy" Policy Write
    UntagPolicy "iam" "UntagPolicy" Policy Write
    DeletePolicy "iam" "DeletePolicy" Policy Write
    CreateRole "iam" "CreateRole" Role Write
    UpdateAssumeRolePolicy "iam" "UpdateAssumeRolePolicy" Role Write
    UpdateRole "iam" "UpdateRole" Role Write
    PutRolePermissionsBoundary "iam" "PutRolePermissionsBoundary" Role Write
    DeleteRolePermissionsBoundary "iam" "DeleteRolePermissionsBoundary" Role Write
    TagRole "iam" "TagRole" Role Write
    UntagRole "iam" "UntagRole" Role Write
    AttachRolePolicy "iam" "AttachRolePolicy" Role Write
    DetachRolePolicy "iam" "DetachRolePolicy" Role Write
    PutRolePolicy "iam" "PutRolePolicy" Role Write
    DeleteRolePolicy "iam" "DeleteRolePolicy" Role Write
    PutUserPolicy "iam" "PutUserPolicy" User Write
    DeleteUserPolicy "iam" "DeleteUserPolicy" User Write
    PutGroupPolicy "iam" "PutGroupPolicy" Group Write
    DeleteGroupPolicy "iam" "DeleteGroupPolicy" Group Write
    RemoveRoleFromInstanceProfile "iam" "RemoveRoleFromInstanceProfile" InstanceProfile Write
    DeleteRole "iam" "DeleteRole" Role Write
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
