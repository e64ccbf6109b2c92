//! What an attached policy does to a role: whether it allows, whether it denies.
//!
//! To detach a policy that denies is to widen access, and to attach one that does nothing else is not.
//! Source: IAM User Guide, "Policy evaluation logic": an explicit deny overrides any allow.

use super::context::Context;
use crate::resource::name::PolicyArn;
use crate::resource::policy::{Effect, PolicyDocument};

/// What a policy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Power {
    /// It allows something.
    pub(super) allows: bool,
    /// It denies something.
    pub(super) denies: bool,
}

/// AWS managed policies that deny, without paths, and whether they do nothing else.
///
/// Source: AWS Managed Policy Reference Guide, the documents of all policies that a customer's role can be given.
const DENYING: &[(&str, bool)] = &[
    ("AWSCertificateManagerPrivateCAPrivilegedUser", false),
    ("AWSCertificateManagerPrivateCAUser", false),
    ("AWSCleanRoomsFullAccessNoQuerying", false),
    ("AWSCompromisedKeyQuarantine", true),
    ("AWSCompromisedKeyQuarantineV2", true),
    ("AWSCompromisedKeyQuarantineV3", true),
    ("AWSDeepRacerDefaultMultiUserAccess", false),
    ("AWSDenyAll", true),
    ("AWSIAMIdentityCenterAllowListForIdentityContext", true),
    ("AWSLakeFormationDataAdmin", false),
    ("AWSPrivateCAPrivilegedUser", false),
    ("AWSPrivateCAUser", false),
    ("AWSQuickSetupManagedInstanceProfileExecutionPolicy", false),
    ("AWSTransformApplicationDeploymentPolicy", false),
    ("AmazonConnectReadOnlyAccess", false),
    ("AmazonDataZoneEnvironmentRolePermissionsBoundary", false),
    (
        "AmazonDataZoneSageMakerEnvironmentRolePermissionsBoundary",
        false,
    ),
    ("AmazonRedshiftDataFullAccess", false),
    ("AmazonSecurityLakePermissionsBoundary", false),
    ("AwsGlueSessionUserRestrictedNotebookPolicy", false),
    ("AwsGlueSessionUserRestrictedNotebookServiceRole", false),
    ("AwsGlueSessionUserRestrictedPolicy", false),
    ("AwsGlueSessionUserRestrictedServiceRole", false),
    ("CloudWatchOmniSpaceAccessPolicy", false),
    ("SageMakerStudioAdminIAMDefaultExecutionPolicy", false),
    ("SageMakerStudioAdminIAMPermissiveExecutionPolicy", false),
    ("SageMakerStudioProjectUserRolePermissionsBoundary", false),
    ("SageMakerStudioUserIAMDefaultExecutionPolicy", false),
    ("SageMakerStudioUserIAMPermissiveExecutionPolicy", false),
];

/// What a policy that a role of the account has or will have does. One that was not read may do both.
pub(super) fn of(context: &Context<'_>, arn: &PolicyArn) -> Power {
    let name = arn.name();
    if arn.is_aws_managed() {
        let denying = DENYING.iter().find(|(known, _)| *known == name);
        return Power {
            allows: denying.is_none_or(|(_, only)| !only),
            denies: denying.is_some(),
        };
    }
    let key = name.to_ascii_lowercase();
    let live = context.live.policies.get(&key);
    let desired = context
        .desired_policy(&key)
        .filter(|desired| context.policy_arn(desired, live) == *arn)
        .map(|desired| &desired.document);
    let live = live
        .filter(|live| live.arn == *arn)
        .map(|live| &live.document);
    let documents: Vec<&PolicyDocument> = desired.into_iter().chain(live).collect();
    let has = |effect| {
        documents.is_empty()
            || documents.iter().any(|document| {
                !document.is_understood()
                    || document
                        .statements()
                        .iter()
                        .any(|statement| statement.effect == effect)
            })
    };
    Power {
        allows: has(Effect::Allow),
        denies: has(Effect::Deny),
    }
}
