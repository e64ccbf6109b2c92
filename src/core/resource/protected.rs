//! Roles that AWS and other tools rely on: they are never written, and never imported.

use crate::org::glob;

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

/// Whose machinery a role of this name and path belongs to, as the end of a sentence.
pub fn known_owner(name: &str, path: &str) -> Option<&'static str> {
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
