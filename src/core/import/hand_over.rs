//! How the old owner of what is imported lets go of it without deleting it, as Markdown.

use std::fmt::Write as _;

use super::draft::Draft;
use super::report::{HandOver, Source};

/// Of `CloudFormation`.
///
/// Sources: `CloudFormation` User Guide, `DeletionPolicy` attribute; AWS CLI Command Reference, cloudformation
/// delete-stack-instances, `--retain-stacks`.
pub fn cloudformation(draft: &Draft) -> HandOver {
    let places = draft.roles.iter().map(|it| ("role", &it.name, &it.source));
    let policies = draft
        .policies
        .iter()
        .map(|it| ("policy", &it.name, &it.source));
    let mut list = String::new();
    for (word, name, source) in places.chain(policies) {
        // Writing to a string cannot fail.
        _ = writeln!(list, "- {word} `{name}`: {source}");
    }
    vec![
        "After the first apply, and before the stack goes: write `DeletionPolicy: Retain` and \
         `UpdateReplacePolicy: Retain` on each resource below, and on each `AWS::IAM::Policy` that belongs to one of these \
         roles; update the stack, then take the resources out of the template or delete the stack. What is retained stays as \
         it is."
            .to_owned(),
        list.trim_end().to_owned(),
        "Roles that a StackSet made: `aws cloudformation delete-stack-instances --stack-set-name NAME --retain-stacks …` \
         leaves the stacks, and so the roles, in the accounts; a StackSet with service-managed permissions needs automatic \
         deployment turned off first."
            .to_owned(),
        "As long as the stack is there, its tags `aws:cloudformation:*` are on what it made, and a plan that would change \
         such a role stops with `stack-owned`. If the tags stay once the stack has let go, write \
         `former_stack = \"STACK\"` on the role or policy."
            .to_owned(),
    ]
}

/// Of Terraform.
///
/// Source: Terraform documentation, `removed` block (Terraform 1.7, `OpenTofu` 1.7).
pub fn terraform(addresses: &[String]) -> HandOver {
    let mut blocks = String::from("```hcl\n");
    for address in addresses {
        _ = writeln!(
            blocks,
            "removed {{\n  from = {address}\n  lifecycle {{\n    destroy = false\n  }}\n}}"
        );
    }
    blocks += "```";
    vec![
        "After the first apply, take the resources out of the Terraform configuration and add these blocks: \
         `terraform apply` then forgets them and deletes nothing. A `removed` block names a whole resource, without its \
         index. `terraform state rm ADDRESS` does the same at once."
            .to_owned(),
        blocks,
    ]
}

/// The address of a whole resource: without the index of its instance.
pub fn without_index(source: &Source) -> Option<String> {
    match source {
        Source::Address(address) => Some(match address.rfind('[') {
            Some(at) if address.ends_with(']') => address.get(..at).unwrap_or(address).to_owned(),
            _ => address.clone(),
        }),
        Source::File { .. } => None,
    }
}
