//! `[[attachment]]`: one policy on a role that this directory does not declare.
//!
//! What belongs on a role of the directory is written in its `[[role]]`, which may manage its policies exclusively: an
//! attachment beside it would be taken off again.

use std::collections::BTreeSet;

use super::module::Instance;
use super::place::Place;
use super::problem::{Problem, Problems, did_you_mean};
use super::resource::{Kind, Resource};
use super::tree::Node;
use crate::desired::AccountDesired;
use crate::resource::attachment::{Attachment, Item};

/// The key of the customer managed policy that is attached.
pub(super) fn policy(attachment: &Attachment) -> Option<String> {
    match &attachment.id.policy {
        Item::Managed(name) => Some(name.key()),
        Item::Inline(_) => None,
    }
}

/// Reports attachments to roles that the directory declares in the same accounts, as far as literal names and targets
/// tell.
pub(super) fn check_roles(resources: &[Resource], instances: &[Instance], problems: &mut Problems) {
    let roles = resources
        .iter()
        .filter(|one| one.kind == Kind::Role && !is_external(one));
    let everywhere: BTreeSet<String> = roles
        .filter(|role| is_everywhere(role))
        .filter_map(|role| Some(role.literal_name()?.to_ascii_lowercase()))
        .collect();
    for one in resources.iter().filter(|one| one.kind == Kind::Attachment) {
        let Some(role) = one.node.as_table().and_then(|table| table.get("role")) else {
            continue;
        };
        if let Some(name) = role.as_str()
            && everywhere.contains(&name.to_ascii_lowercase())
        {
            let chain = instances
                .get(one.instance)
                .map(|instance| instance.chain.clone());
            problems.push(declared(name, &role.place).in_modules(&chain.unwrap_or_default()));
        }
    }
}

fn is_external(role: &Resource) -> bool {
    let external = role.node.as_table().and_then(|table| table.get("external"));
    external.is_some_and(|node| node.as_bool() != Some(false))
}

fn is_everywhere(role: &Resource) -> bool {
    let is_conditional = role
        .node
        .as_table()
        .is_some_and(|table| table.get("when").is_some());
    let targets = role.targets.as_ref().and_then(Node::as_str);
    !is_conditional && role.exclude.is_none() && targets == Some("all")
}

fn declared(role: &str, place: &Place) -> Problem {
    let message = format!(
        "role `{role}` is declared by this directory, and an attachment is for roles that are not"
    );
    let hint = "write the policy in the [[role]]: managed_policies, or [[role.inline_policy]]";
    Problem::error("reference", place, message).hint(hint)
}

/// What keeps an attachment from an account that holds these roles and attachments.
pub(super) fn misplaced(
    resource: &Resource,
    attachment: &Attachment,
    holds: &AccountDesired,
) -> Vec<Problem> {
    let place = resource
        .node
        .as_table()
        .and_then(|table| table.get("role"))
        .map_or(&resource.node.place, |node| &node.place);
    let role = &attachment.id.role;
    let is_declared = holds
        .roles
        .get(&role.key())
        .is_some_and(|role| !role.external);
    let mut problems: Vec<Problem> = is_declared
        .then(|| declared(role.as_str(), place))
        .into_iter()
        .collect();
    if let Some(first) = holds.attachments.get(&attachment.id.key()) {
        let (Item::Managed(policy) | Item::Inline(policy)) = &attachment.id.policy;
        let message = format!(
            "policy `{policy}` is attached to role `{role}` twice, first at {}",
            first.origin
        );
        let hint = "keep one of them, or give them targets that do not meet";
        problems.push(Problem::error("duplicate", place, message).hint(hint));
    }
    problems
}

/// The problem of an attached policy that the directory does not put in the account.
pub(super) fn without_policy(attachment: &Attachment, holds: &AccountDesired) -> Option<Problem> {
    let Item::Managed(policy) = &attachment.id.policy else {
        return None;
    };
    if holds.policies.contains_key(&policy.key()) {
        return None;
    }
    let message = format!(
        "policy `{policy}` is attached to role `{}`, and no [[policy]] of this directory makes it there",
        attachment.id.role
    );
    let known = holds.policies.values().map(|known| known.name.as_str());
    let hint = did_you_mean(policy.as_str(), known).unwrap_or_else(|| {
        format!(
            "write a [[policy]] named `{policy}`, or give the attachment the `when` that it has"
        )
    });
    let origin = attachment.origin.to_string();
    Some(Problem::elsewhere("reference", origin, message).hint(hint))
}
