//! How much of a live resource a change is about: what the desired state manages there, and what its steps depend on.
//!
//! Everything else may move between the plan and the apply without making the change stale: tags of others, attributes
//! that are not written, statements and attachments that additive management leaves to others.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::digest::{sha256, statement};
use super::{Action, Attribute};
use crate::resource::OWNER_TAG;
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::policy::PolicyDocument;
use crate::resource::role::{Mode, Role};
use crate::resource::step::Step;

/// How much of an attribute counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Nothing of it.
    #[default]
    Nothing,
    /// These parts: keys of tags in lower case, ARNs, names of inline policies, digests of statements.
    Parts(BTreeSet<String>),
    /// All of it.
    Whole,
}

impl Extent {
    /// Whether the part of this name counts.
    pub(super) fn has(&self, part: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Parts(parts) => parts.contains(part),
            Self::Whole => true,
        }
    }

    fn when(counts: bool) -> Self {
        if counts { Self::Whole } else { Self::Nothing }
    }
}

/// What of a live resource a change is about. Its path, and that it exists, always count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The statements of the trust policy, or of the document of a policy.
    pub trust: Extent,
    /// Whether the steps write the trust policy as a whole, statements of others included.
    pub writes_trust: bool,
    /// Attached policies.
    pub managed_policies: Extent,
    /// Inline policies.
    pub inline_policies: Extent,
    /// Whether the inline policies that grants are count too: they go with the role.
    pub grants: bool,
    /// The permissions boundary.
    pub permissions_boundary: Extent,
    /// The description of a role.
    pub description: Extent,
    /// Its maximum session duration.
    pub max_session_duration: Extent,
    /// Tags, those of AWS aside.
    pub tags: Extent,
    /// The instance profiles that hold a role.
    pub instance_profiles: Extent,
    /// The stored versions of a policy.
    pub versions: Extent,
}

impl Coverage {
    /// All that could be written; with descriptions and durations where these were read.
    pub(super) fn whole(details: bool) -> Self {
        Self {
            trust: Extent::Whole,
            writes_trust: false,
            managed_policies: Extent::Whole,
            inline_policies: Extent::Whole,
            grants: false,
            permissions_boundary: Extent::Whole,
            description: Extent::when(details),
            max_session_duration: Extent::when(details),
            tags: Extent::Whole,
            instance_profiles: Extent::Nothing,
            versions: Extent::Nothing,
        }
    }

    /// What a change of a role is about. `desired` is the role that is asked for, where there is one.
    pub(super) fn of_role(
        desired: Option<&Role>,
        action: Action,
        details: bool,
        steps: &[Step],
    ) -> Self {
        let updates_details = steps
            .iter()
            .any(|step| matches!(step, Step::UpdateRole { .. }));
        // A policy that is replaced is taken off and put back, whether or not it is written.
        let moves_boundary = steps.iter().any(|step| {
            matches!(
                step,
                Step::PutRolePermissionsBoundary { .. }
                    | Step::DeleteRolePermissionsBoundary { .. }
            )
        });
        match (action, desired) {
            (Action::Delete, _) | (_, None) => Self {
                grants: true,
                // Who lost the mark is not ours to delete; other tags go with the role.
                tags: tags([]),
                instance_profiles: Extent::Whole,
                ..Self::whole(details)
            },
            // It is made again as it was: whatever moved in between would be lost.
            (Action::Replace, _) => Self {
                grants: true,
                instance_profiles: Extent::Whole,
                ..Self::whole(details)
            },
            (Action::Create | Action::Update | Action::Adopt, Some(desired)) => Self {
                trust: match desired.manage.trust {
                    Mode::Exclusive => Extent::Whole,
                    Mode::Additive => Extent::Parts(statements(&desired.trust).collect()),
                },
                writes_trust: steps
                    .iter()
                    .any(|step| matches!(step, Step::UpdateAssumeRolePolicy { .. })),
                managed_policies: match (&desired.managed_policies, desired.manage.managed_policies)
                {
                    (Some(_), Mode::Exclusive) => Extent::Whole,
                    _ => Extent::Parts(BTreeSet::new()),
                },
                inline_policies: match (&desired.inline_policies, desired.manage.inline_policies) {
                    (None, _) => Extent::Nothing,
                    (Some(_), Mode::Exclusive) => Extent::Whole,
                    (Some(wanted), Mode::Additive) => {
                        Extent::Parts(wanted.keys().map(ToString::to_string).collect())
                    }
                },
                grants: false,
                permissions_boundary: Extent::when(
                    desired.permissions_boundary.is_some() || moves_boundary,
                ),
                // One call writes both.
                description: Extent::when(
                    details && (desired.description.is_some() || updates_details),
                ),
                max_session_duration: Extent::when(
                    details && (desired.max_session_duration.is_some() || updates_details),
                ),
                tags: match (&desired.tags, desired.manage.tags) {
                    (Some(_), Mode::Exclusive) => Extent::Whole,
                    (written, _) => tags(written.iter().flat_map(|tags| tags.keys())),
                },
                instance_profiles: Extent::Nothing,
                versions: Extent::Nothing,
            },
        }
    }

    /// The same where these policies are attached by the desired state or by the steps, whoever attached others.
    pub(super) fn attaching<'a>(mut self, arns: impl Iterator<Item = &'a str>) -> Self {
        if let Extent::Parts(parts) = &mut self.managed_policies {
            parts.extend(arns.map(str::to_owned));
        }
        self
    }

    /// The same without attributes that the change leaves as they are.
    pub(super) fn without(mut self, attributes: &BTreeSet<Attribute>) -> Self {
        for attribute in attributes {
            let extent = match attribute {
                // It always counts.
                Attribute::Path => continue,
                Attribute::Trust | Attribute::Document => &mut self.trust,
                Attribute::ManagedPolicies => &mut self.managed_policies,
                Attribute::InlinePolicies => &mut self.inline_policies,
                Attribute::PermissionsBoundary => &mut self.permissions_boundary,
                Attribute::MaxSessionDuration => &mut self.max_session_duration,
                Attribute::Description => &mut self.description,
                // The mark counts.
                Attribute::Tags => {
                    self.tags = tags([]);
                    continue;
                }
            };
            *extent = Extent::Nothing;
        }
        self
    }

    /// What a change of a policy is about.
    pub(super) fn of_policy(
        desired: Option<&ManagedPolicy>,
        action: Action,
        steps: &[Step],
    ) -> Self {
        let counts_versions = steps.iter().any(|step| {
            matches!(
                step,
                Step::CreatePolicyVersion { .. } | Step::DeletePolicy { .. }
            )
        });
        Self {
            tags: match (action, desired) {
                (Action::Replace, _) => Extent::Whole,
                (Action::Delete, _) | (_, None) => tags([]),
                (_, Some(desired)) => tags(desired.tags.iter().flat_map(|tags| tags.keys())),
            },
            versions: Extent::when(counts_versions),
            ..Self::whole(false)
        }
    }
}

/// These keys of tags and the mark.
fn tags<'a>(keys: impl IntoIterator<Item = &'a String>) -> Extent {
    let keys = keys.into_iter().map(|key| key.to_lowercase());
    Extent::Parts(keys.chain([OWNER_TAG.to_lowercase()]).collect())
}

/// The digests of a document's statements.
pub(super) fn statements(document: &PolicyDocument) -> impl Iterator<Item = String> {
    document
        .statements()
        .iter()
        .map(|one| sha256(statement(one).to_string().as_bytes()))
}
