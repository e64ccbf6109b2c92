//! Converts the API's responses to the engine's types.
//!
//! Documents arrive percent-encoded (RFC 3986) and are decoded exactly once. They are not form data: `+` is a plus
//! sign, and a value may itself hold `%3A` and keeps it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types as api;
use percent_encoding::percent_decode_str;

use crate::aws::accounts::Iam;
use crate::aws::error::Call;
use crate::org::{AwsError, Partition};
use crate::resource::Tags;
use crate::resource::managed_policy::{LivePolicy, PolicyVersion};
use crate::resource::name::{IamPath, InvalidName, PolicyArn, PolicyName, RoleName};
use crate::resource::operation::Operation;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{DEFAULT_MAX_SESSION, LiveRole, RoleDetails};

/// A document of AWS's answer.
///
/// Text with a brace is not encoded: RFC 3986 leaves none. Some emulators answer so, and decoding it would change the
/// values in it.
pub(in crate::aws) fn document(
    text: &str,
    kind: PolicyKind,
    partition: &Partition,
) -> PolicyDocument {
    if text.contains('{') {
        return PolicyDocument::live(text, kind, partition);
    }
    PolicyDocument::live(
        &percent_decode_str(text).decode_utf8_lossy(),
        kind,
        partition,
    )
}

/// Tags by key.
pub(in crate::aws) fn tags(tags: Option<Vec<api::Tag>>) -> Tags {
    tags.unwrap_or_default()
        .into_iter()
        .map(|tag| (tag.key, tag.value))
        .collect()
}

/// A name of the answer, which must be one.
pub(in crate::aws) fn name<T>(
    call: Call<'_>,
    parsed: Result<T, InvalidName>,
) -> Result<T, AwsError> {
    parsed.map_err(|error| {
        call.because(format!(
            "the response has a name that IAM does not allow: {error}"
        ))
    })
}

/// The pages of one listing.
#[derive(Debug, Default)]
pub(in crate::aws) struct Pages {
    /// The markers of those that were asked for.
    asked: BTreeSet<String>,
}

impl Pages {
    /// The marker of the next page; `None` after the last.
    ///
    /// IAM says by `IsTruncated` whether more follows. A truncated page may be short, even empty. One that was read
    /// before would be read again for ever, and what is missing then must not look absent.
    pub fn next(
        &mut self,
        call: Call<'_>,
        truncated: bool,
        marker: Option<String>,
    ) -> Result<Option<String>, AwsError> {
        if !truncated {
            return Ok(None);
        }
        let marker = call.required("Marker", marker.filter(|marker| !marker.is_empty()))?;
        if self.asked.insert(marker.clone()) {
            Ok(Some(marker))
        } else {
            Err(call.because("the listing does not end: its next page was already read"))
        }
    }
}

/// `NoSuchEntity` is not a failed read: it means that nothing exists.
pub(in crate::aws) fn absent_is_none<T>(
    answer: Result<T, AwsError>,
) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is("NoSuchEntity") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Description and duration of a role, whichever call returned them.
pub(super) fn details(
    description: Option<String>,
    max_session_duration: Option<i32>,
) -> RoleDetails {
    RoleDetails {
        description: description.unwrap_or_default(),
        max_session_duration: max_session_duration
            .and_then(|seconds| u32::try_from(seconds).ok())
            .unwrap_or(DEFAULT_MAX_SESSION),
    }
}

/// A role of the bulk read. Its details come from elsewhere.
pub(super) fn role(iam: &Iam, given: api::RoleDetail) -> Result<LiveRole, AwsError> {
    let call = iam.call(
        Operation::GetAccountAuthorizationDetails,
        given.role_name.as_deref(),
    );
    let trust = call.required(
        "AssumeRolePolicyDocument",
        given.assume_role_policy_document.as_deref(),
    )?;
    let mut inline_policies = BTreeMap::new();
    for policy in given.role_policy_list.unwrap_or_default() {
        let policy_name = call.required("PolicyName", policy.policy_name)?;
        let text = call.required("PolicyDocument", policy.policy_document)?;
        let document = document(&text, PolicyKind::Identity, &iam.partition);
        inline_policies.insert(name(call, PolicyName::parse(&policy_name))?, document);
    }
    Ok(LiveRole {
        name: name(
            call,
            RoleName::parse(&call.required("RoleName", given.role_name.clone())?),
        )?,
        id: call.required("RoleId", given.role_id.clone())?,
        arn: call.required("Arn", given.arn.clone())?,
        path: name(
            call,
            IamPath::parse(&call.required("Path", given.path.clone())?),
        )?,
        details: None,
        trust: document(trust, PolicyKind::Trust, &iam.partition),
        managed_policies: attached(call, given.attached_managed_policies)?,
        inline_policies,
        permissions_boundary: boundary(call, given.permissions_boundary)?,
        tags: tags(given.tags),
        instance_profiles: profiles(given.instance_profile_list),
    })
}

/// The ARNs of attached policies.
pub(super) fn attached(
    call: Call<'_>,
    policies: Option<Vec<api::AttachedPolicy>>,
) -> Result<BTreeSet<PolicyArn>, AwsError> {
    let policies = policies.unwrap_or_default().into_iter();
    policies
        .map(|policy| {
            name(
                call,
                PolicyArn::parse(&call.required("PolicyArn", policy.policy_arn)?),
            )
        })
        .collect()
}

/// The ARN of a boundary. Its documented type field is not what AWS sends, so it is not checked.
pub(in crate::aws) fn boundary(
    call: Call<'_>,
    boundary: Option<api::AttachedPermissionsBoundary>,
) -> Result<Option<PolicyArn>, AwsError> {
    let arn = boundary.and_then(|boundary| boundary.permissions_boundary_arn);
    arn.map(|arn| name(call, PolicyArn::parse(&arn)))
        .transpose()
}

/// The names of instance profiles.
pub(super) fn profiles(profiles: Option<Vec<api::InstanceProfile>>) -> BTreeSet<String> {
    profiles
        .unwrap_or_default()
        .into_iter()
        .map(|profile| profile.instance_profile_name)
        .collect()
}

/// A customer managed policy of the bulk read. Its name is taken from its ARN, which every answer has.
pub(super) fn policy(iam: &Iam, given: api::ManagedPolicyDetail) -> Result<LivePolicy, AwsError> {
    let call = iam.call(
        Operation::GetAccountAuthorizationDetails,
        given.arn.as_deref(),
    );
    let stored = given.policy_version_list.unwrap_or_default();
    let default = stored.iter().find(|version| version.is_default_version);
    let text = call
        .required("PolicyVersionList", default)?
        .document
        .as_deref();
    let arn = name(
        call,
        PolicyArn::parse(&call.required("Arn", given.arn.clone())?),
    )?;
    Ok(LivePolicy {
        name: name(call, PolicyName::parse(arn.name()))?,
        arn,
        path: name(call, IamPath::parse(&call.required("Path", given.path)?))?,
        description: given.description,
        document: document(
            call.required("Document", text)?,
            PolicyKind::Identity,
            &iam.partition,
        ),
        versions: versions(call, &stored)?,
        attachments: count(given.attachment_count),
        boundaries: count(given.permissions_boundary_usage_count),
        tags: None,
    })
}

/// All versions of a policy.
pub(super) fn versions(
    call: Call<'_>,
    stored: &[api::PolicyVersion],
) -> Result<Vec<PolicyVersion>, AwsError> {
    let version = |version: &api::PolicyVersion| {
        Ok(PolicyVersion {
            id: call.required("VersionId", version.version_id.clone())?,
            created: call.required("CreateDate", version.create_date)?.secs(),
            is_default: version.is_default_version,
        })
    };
    stored.iter().map(version).collect()
}

/// A count of the API, which is never negative.
pub(super) fn count(given: Option<i32>) -> u32 {
    given
        .and_then(|count| u32::try_from(count).ok())
        .unwrap_or_default()
}
