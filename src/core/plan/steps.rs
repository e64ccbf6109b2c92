//! The writes that turn one state of a resource into another, in an order without gaps in access.
//!
//! - The ownership tag comes first: what is adopted is managed before anything else of it changes.
//! - A new boundary is set before policies are attached, so that they never count without it; one that goes, goes last.
//! - Attach before detach and put before delete, so that no access is missing in between, unless the quota has no room
//!   for both.
//! - `UpdateRole` always carries both description and duration, because it resets what is left out.
//! - A role can only be deleted once it is in no instance profile and has no policies (IAM API, `DeleteRole`).

use std::collections::BTreeSet;

use crate::diff::is_system_tag;
use crate::live::Quotas;
use crate::resource::Tags;
use crate::resource::managed_policy::{LivePolicy, MAX_VERSIONS, PolicyVersion};
use crate::resource::name::PolicyName;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::{DEFAULT_MAX_SESSION, LiveRole};
use crate::resource::step::Step;

/// IAM keeps this many tags on one resource.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas".
const MAX_TAGS: usize = 50;

/// Creates a role with everything on it.
pub(super) fn create_role(after: &LiveRole) -> Vec<Step> {
    let details = after.details.as_ref();
    let create = Step::CreateRole {
        role: after.name.clone(),
        path: after.path.clone(),
        trust: after.trust.text().to_owned(),
        description: details
            .map(|details| details.description.clone())
            .filter(|text| !text.is_empty()),
        max_session_duration: details
            .map(|d| d.max_session_duration)
            .filter(|s| *s != DEFAULT_MAX_SESSION),
        permissions_boundary: after.permissions_boundary.clone(),
        tags: after
            .tags
            .iter()
            .filter(|(key, _)| !is_system_tag(key))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    };
    let attach = after
        .managed_policies
        .iter()
        .map(|arn| Step::AttachRolePolicy {
            role: after.name.clone(),
            arn: arn.clone(),
        });
    let put = after
        .inline_policies
        .keys()
        .filter_map(|name| put(after, name));
    // EC2 finds the role once it can do all that it may.
    let add = after
        .instance_profiles
        .iter()
        .map(|profile| Step::AddRoleToInstanceProfile {
            role: after.name.clone(),
            profile: profile.clone(),
        });
    std::iter::once(create)
        .chain(attach)
        .chain(put)
        .chain(add)
        .collect()
}

/// Deletes a role and what is attached to it.
pub(super) fn delete_role(before: &LiveRole) -> Vec<Step> {
    let role = &before.name;
    let profiles =
        before
            .instance_profiles
            .iter()
            .map(|profile| Step::RemoveRoleFromInstanceProfile {
                role: role.clone(),
                profile: profile.clone(),
            });
    let attached = before
        .managed_policies
        .iter()
        .map(|arn| Step::DetachRolePolicy {
            role: role.clone(),
            arn: arn.clone(),
        });
    let inline = before
        .inline_policies
        .keys()
        .map(|policy| Step::DeleteRolePolicy {
            role: role.clone(),
            policy: policy.clone(),
        });
    profiles
        .chain(attached)
        .chain(inline)
        .chain([Step::DeleteRole { role: role.clone() }])
        .collect()
}

/// Changes a role in place.
pub(super) fn update_role(before: &LiveRole, after: &LiveRole, quotas: &Quotas) -> Vec<Step> {
    let role = || before.name.clone();
    let mut steps = tag_role(before, after);
    if let Some(arn) = after
        .permissions_boundary
        .clone()
        .filter(|arn| Some(arn) != before.permissions_boundary.as_ref())
    {
        steps.push(Step::PutRolePermissionsBoundary { role: role(), arn });
    }
    if before.trust != after.trust {
        steps.push(Step::UpdateAssumeRolePolicy {
            role: role(),
            document: after.trust.text().to_owned(),
        });
    }
    if let Some(details) = after
        .details
        .as_ref()
        .filter(|details| Some(*details) != before.details.as_ref())
    {
        steps.push(Step::UpdateRole {
            role: role(),
            description: details.description.clone(),
            max_session_duration: details.max_session_duration,
        });
    }
    steps.extend(attach_and_detach(before, after, quotas));
    steps.extend(put_and_delete(before, after, quotas));
    if before.permissions_boundary.is_some() && after.permissions_boundary.is_none() {
        steps.push(Step::DeleteRolePermissionsBoundary { role: role() });
    }
    steps
}

fn tag_role(before: &LiveRole, after: &LiveRole) -> Vec<Step> {
    let set = changed_tags(&before.tags, &after.tags);
    let keys: BTreeSet<String> = before
        .tags
        .keys()
        .filter(|key| !after.tags.contains_key(*key))
        .cloned()
        .collect();
    let role = || before.name.clone();
    let own = before.tags.keys().filter(|key| !is_system_tag(key)).count();
    let full = own
        + set
            .keys()
            .filter(|key| !before.tags.contains_key(*key))
            .count()
        > MAX_TAGS;
    let tag = (!set.is_empty()).then(|| Step::TagRole {
        role: role(),
        tags: set,
    });
    let untag = (!keys.is_empty()).then(|| Step::UntagRole { role: role(), keys });
    in_order(tag.into_iter().collect(), untag.into_iter().collect(), full)
}

/// The tags of `after` that `before` lacks or has with another value.
pub(super) fn changed_tags(before: &Tags, after: &Tags) -> Tags {
    let changed = after
        .iter()
        .filter(|(key, value)| before.get(*key) != Some(*value));
    changed
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// First what adds, unless there is no room: then first what removes.
fn in_order(adding: Vec<Step>, removing: Vec<Step>, full: bool) -> Vec<Step> {
    if full {
        [removing, adding].concat()
    } else {
        [adding, removing].concat()
    }
}

fn attach_and_detach(before: &LiveRole, after: &LiveRole, quotas: &Quotas) -> Vec<Step> {
    let role = || before.name.clone();
    let attach: Vec<Step> = (after.managed_policies.difference(&before.managed_policies))
        .map(|arn| Step::AttachRolePolicy {
            role: role(),
            arn: arn.clone(),
        })
        .collect();
    let detach = (before.managed_policies.difference(&after.managed_policies))
        .map(|arn| Step::DetachRolePolicy {
            role: role(),
            arn: arn.clone(),
        })
        .collect();
    let full = before.managed_policies.len() + attach.len() > quotas.attached_policies_per_role;
    in_order(attach, detach, full)
}

fn put_and_delete(before: &LiveRole, after: &LiveRole, quotas: &Quotas) -> Vec<Step> {
    let size = |role: &LiveRole, name: &PolicyName| {
        role.inline_policies
            .get(name)
            .map_or(0, PolicyDocument::size)
    };
    let mut names: Vec<&PolicyName> = after
        .inline_policies
        .iter()
        .filter(|(name, doc)| before.inline_policies.get(*name) != Some(*doc))
        .map(|(name, _)| name)
        .collect();
    let gone: Vec<&PolicyName> = before
        .inline_policies
        .keys()
        .filter(|name| !after.inline_policies.contains_key(*name))
        .collect();
    let sum_before: usize = before
        .inline_policies
        .keys()
        .map(|name| size(before, name))
        .sum();
    let growth: usize = names
        .iter()
        .map(|name| size(after, name).saturating_sub(size(before, name)))
        .sum();
    let full = sum_before + growth > quotas.inline_policies_size;
    if full {
        // What shrinks makes room for what grows.
        names.sort_by_key(|name| (size(after, name).saturating_sub(size(before, name)), *name));
    }
    let put = names
        .into_iter()
        .filter_map(|name| put(after, name))
        .collect();
    let delete = gone
        .into_iter()
        .map(|policy| Step::DeleteRolePolicy {
            role: before.name.clone(),
            policy: policy.clone(),
        })
        .collect();
    in_order(put, delete, full)
}

fn put(after: &LiveRole, name: &PolicyName) -> Option<Step> {
    let document = after.inline_policies.get(name)?.text().to_owned();
    Some(Step::PutRolePolicy {
        role: after.name.clone(),
        policy: name.clone(),
        document,
    })
}

/// Creates a policy.
pub(super) fn create_policy(after: &LivePolicy) -> Vec<Step> {
    vec![Step::CreatePolicy {
        name: after.name.clone(),
        path: after.path.clone(),
        description: after.description.clone().filter(|text| !text.is_empty()),
        document: after.document.text().to_owned(),
        tags: after
            .tags
            .iter()
            .flatten()
            .filter(|(k, _)| !is_system_tag(k))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    }]
}

/// Changes a policy in place. A sixth version needs the oldest one that is not in force deleted first.
pub(super) fn update_policy(before: &LivePolicy, after: &LivePolicy) -> Vec<Step> {
    let mut steps = Vec::new();
    let none = Tags::new();
    let tags = changed_tags(
        before.tags.as_ref().unwrap_or(&none),
        after.tags.as_ref().unwrap_or(&none),
    );
    if !tags.is_empty() {
        steps.push(Step::TagPolicy {
            arn: before.arn.clone(),
            tags,
        });
    }
    if before.document != after.document {
        if before.versions.len() >= MAX_VERSIONS {
            let oldest = stored(before)
                .into_iter()
                .min_by_key(|version| (version.created, version.id.len(), &version.id));
            steps.extend(oldest.map(|version| delete_version(before, version)));
        }
        let document = after.document.text().to_owned();
        steps.push(Step::CreatePolicyVersion {
            arn: before.arn.clone(),
            document,
        });
    }
    steps
}

/// Deletes a policy that is attached to nothing any more.
pub(super) fn delete_policy(before: &LivePolicy) -> Vec<Step> {
    let versions = stored(before)
        .into_iter()
        .map(|version| delete_version(before, version));
    versions
        .chain([Step::DeletePolicy {
            arn: before.arn.clone(),
        }])
        .collect()
}

/// The versions that are not in force; IAM deletes the other one with the policy.
fn stored(policy: &LivePolicy) -> Vec<&PolicyVersion> {
    policy
        .versions
        .iter()
        .filter(|version| !version.is_default)
        .collect()
}

fn delete_version(policy: &LivePolicy, version: &PolicyVersion) -> Step {
    Step::DeletePolicyVersion {
        arn: policy.arn.clone(),
        version: version.id.clone(),
    }
}
