//! Who owns a resource, and whether this directory may write it.
//!
//! Nothing without this directory's tag is ever written, except by adoption; what has another directory's tag is never
//! touched.

use super::Finding;
use super::context::Context;
use crate::diff::{Owner, owner};
use crate::org::glob;
use crate::resource::OWNER_TAG;
use crate::resource::Tags;
use crate::resource::name::{IamPath, RoleName};

/// Whether we may write a resource that exists.
pub(super) enum Claim {
    /// It is managed by this directory.
    Ours,
    /// It has no owner, and may be taken over.
    Adopt,
    /// We may not, and this is why.
    Refused(Finding),
}

/// A role or policy, for messages.
pub(super) struct Subject<'a> {
    /// `role` or `policy`.
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    pub(super) address: &'a str,
    pub(super) tags: &'a Tags,
}

/// Whether the desired state may write `subject`. `adopt` is what it says about resources without an owner.
pub(super) fn claim(context: &Context<'_>, subject: &Subject<'_>, adopt: bool) -> Claim {
    let Subject {
        kind,
        name,
        address,
        tags,
    } = subject;
    let account = context.account.id;
    match owner(tags, &context.settings.name) {
        Owner::Us => Claim::Ours,
        Owner::Nobody if adopt || context.settings.allows("adopt") => Claim::Adopt,
        Owner::Nobody => Claim::Refused(Finding::stop(
            "adopt",
            address,
            format!(
                "{kind} `{name}` exists in account {account} without the tag `rolecall:managed-by`; set `adopt = true` to take it over, or choose another name"
            ),
        )),
        Owner::Other(other) => Claim::Refused(Finding::stop(
            "foreign-owner",
            address,
            format!(
                "{kind} `{name}` in account {account} belongs to `{other}`, according to its tag `{OWNER_TAG}`"
            ),
        )),
    }
}

/// The finding on a change to something that a CloudFormation stack made.
pub(super) fn stack_owned(subject: &Subject<'_>) -> Option<Finding> {
    let Subject {
        kind,
        name,
        address,
        tags,
    } = subject;
    let stack = tags.get("aws:cloudformation:stack-name")?;
    let message = format!(
        "{kind} `{name}` belongs to the CloudFormation stack `{stack}`: a change made here would be drift there; change the stack, or set `external = true`"
    );
    Some(Finding::stop("stack-owned", address, message))
}

/// Why a role is never written: someone else's machinery depends on it, or the run itself does.
pub(super) fn protected(context: &Context<'_>, name: &RoleName, path: &IamPath) -> Option<Finding> {
    let own = (context.account.id, name.key());
    let why = if context.settings.protected.contains(&own) {
        "this run itself uses it"
    } else {
        known_owner(name.as_str(), path.as_str())?
    };
    let message = format!(
        "role `{name}` in account {} is protected: {why}; rolecall never writes it, so remove it from the desired state",
        context.account.id
    );
    Some(Finding::stop(
        "protected-role",
        &context.role_address(name),
        message,
    ))
}

/// Roles that AWS and well-known tools make and rely on, by name, without regard to case.
const KNOWN: &[(&str, &str)] = &[
    ("awsservicerolefor*", "it is service-linked"),
    ("awsreservedsso_*", "IAM Identity Center created it"),
    ("awscontroltower*", "AWS Control Tower relies on it"),
    ("aws-controltower-*", "AWS Control Tower relies on it"),
    (
        "organizationaccountaccessrole",
        "it is how the account is accessed",
    ),
    ("stacksets-exec-*", "CloudFormation StackSets rely on it"),
    (
        "awscloudformationstackset*",
        "CloudFormation StackSets rely on it",
    ),
    (
        "awsaftexecution",
        "Account Factory for Terraform relies on it",
    ),
    (
        "awsaftservice",
        "Account Factory for Terraform relies on it",
    ),
    ("awsaccelerator-*", "Landing Zone Accelerator relies on it"),
    ("cdk-*-role-*", "the AWS CDK's bootstrap stack created it"),
];

fn known_owner(name: &str, path: &str) -> Option<&'static str> {
    if path.starts_with("/aws-service-role/") {
        return Some("it is service-linked");
    }
    if path.starts_with("/aws-reserved/") {
        return Some("IAM Identity Center created it");
    }
    let name = name.to_ascii_lowercase();
    if path.starts_with("/service-role/") && name.starts_with("aws-quicksight-") {
        return Some("Amazon QuickSight relies on it");
    }
    KNOWN
        .iter()
        .find(|(pattern, _)| glob(pattern, &name))
        .map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_rely_on_is_known() {
        for (name, path, expect) in [
            ("AWSServiceRoleForSupport", "/", true),
            ("Any", "/aws-service-role/support.amazonaws.com/", true),
            (
                "AWSReservedSSO_Admin_0123456789abcdef",
                "/aws-reserved/sso.amazonaws.com/",
                true,
            ),
            ("AWSControlTowerExecution", "/", true),
            ("aws-controltower-ConfigRecorderRole", "/", true),
            ("OrganizationAccountAccessRole", "/", true),
            ("stacksets-exec-0123", "/", true),
            ("AWSCloudFormationStackSetExecutionRole", "/", true),
            ("cdk-hnb659fds-deploy-role-1-eu-west-1", "/", true),
            ("aws-quicksight-service-role-v0", "/service-role/", true),
            ("aws-quicksight-service-role-v0", "/", false),
            ("CadoResponseRole", "/", false),
            ("my-cdk-role", "/", false),
        ] {
            assert_eq!(known_owner(name, path).is_some(), expect, "{name} {path}");
        }
    }
}
