//! Customer managed policies, as desired and as seen.

use super::name::{IamPath, PolicyArn, PolicyName};
use super::policy::PolicyDocument;
use super::{Origin, Tags};

/// IAM keeps this many versions of a managed policy; the next one needs one of them deleted.
///
/// Source: IAM User Guide, IAM and AWS STS quotas.
pub const MAX_VERSIONS: usize = 5;

/// A customer managed policy as the desired state wants it in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedPolicy {
    /// Its name.
    pub name: PolicyName,
    /// Its path; one that exists keeps its own where this is `None`, a new one gets `/`.
    pub path: Option<IamPath>,
    /// Its description, which IAM never changes after creation.
    pub description: Option<String>,
    /// What it allows.
    pub document: PolicyDocument,
    /// Its tags, the owner's mark aside; others' tags stay.
    pub tags: Option<Tags>,
    /// Whether a policy of this name that has no ownership tag may be taken over.
    pub adopt: bool,
    /// Whether a plan that deletes or replaces it is refused.
    pub prevent_destroy: bool,
    /// The CloudFormation stack that made it and has let go of it, by its name or a glob over that.
    pub former_stack: Option<String>,
    /// Where it is written.
    pub origin: Origin,
}

/// A customer managed policy as one read saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePolicy {
    /// Its ARN.
    pub arn: PolicyArn,
    /// Its name.
    pub name: PolicyName,
    /// Its path.
    pub path: IamPath,
    /// Its description where it was read; the bulk read lacks it.
    pub description: Option<String>,
    /// The document of its default version.
    pub document: PolicyDocument,
    /// All its versions.
    pub versions: Vec<PolicyVersion>,
    /// How many users, groups and roles it is attached to.
    pub attachments: u32,
    /// How many users and roles it is the boundary of.
    pub boundaries: u32,
    /// Its tags; `None` where they were not read.
    pub tags: Option<Tags>,
}

/// One stored version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// `v3`. Not sortable as text.
    pub id: String,
    /// When it was created, in seconds since 1970; the oldest non-default version is pruned first.
    pub created: i64,
    /// Whether it is in force.
    pub is_default: bool,
}
