//! What a customer managed policy is to become.
//!
//! Tag keys of policies are case-sensitive, unlike those of roles (IAM User Guide, "Rules for tagging in IAM and AWS
//! STS").

use crate::resource::OWNER_TAG;
use crate::resource::managed_policy::{LivePolicy, ManagedPolicy};
use crate::resource::name::PolicyArn;
use crate::resource::policy::{Difference, PolicyDocument};

/// A policy as it should be, and what differs from that only in spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The policy as the steps leave it. Its tags are unknown where the live ones were not read.
    pub policy: LivePolicy,
    /// The desired document, where it means what is there and is spelled otherwise.
    pub spelling: Option<PolicyDocument>,
    /// The desired description, where another is known: IAM never changes it.
    pub description: Option<String>,
}

/// The policy that `desired` asks for, given the one that is there. `arn` tells the ARN that it has at a path.
pub fn target(
    desired: &ManagedPolicy,
    live: Option<&LivePolicy>,
    mark: &str,
    arn: &dyn Fn(&ManagedPolicy) -> PolicyArn,
) -> Target {
    let ManagedPolicy {
        name,
        path,
        description,
        document,
        tags,
        adopt: _,
        prevent_destroy: _,
        former_stack: _,
        origin: _,
    } = desired;
    let wanted = tags
        .iter()
        .flatten()
        .map(|(key, value)| (key.clone(), value.clone()));
    let wanted = wanted.chain([(OWNER_TAG.to_owned(), mark.to_owned())]);
    let Some(live) = live else {
        let policy = LivePolicy {
            arn: arn(desired),
            name: name.clone(),
            path: path.clone().unwrap_or_default(),
            description: description.clone(),
            document: document.clone(),
            versions: Vec::new(),
            attachments: 0,
            boundaries: 0,
            tags: Some(wanted.collect()),
        };
        return Target {
            policy,
            spelling: None,
            description: None,
        };
    };
    let difference = live.document.difference(document);
    let mut policy = live.clone();
    policy.tags = live
        .tags
        .clone()
        .map(|there| there.into_iter().chain(wanted).collect());
    if difference == Difference::Semantic {
        policy.document = document.clone();
    }
    if let Some(path) = path.as_ref().filter(|path| **path != live.path) {
        policy.path = path.clone();
        policy.arn = arn(desired);
    }
    Target {
        policy,
        spelling: (difference == Difference::Cosmetic).then(|| document.clone()),
        description: description
            .clone()
            .filter(|wanted| live.description.as_ref().is_some_and(|is| is != wanted)),
    }
}
