//! Who owns a resource, and whether this directory may write it.
//!
//! Nothing without this directory's tag is ever written, except by adoption; what has another directory's tag is never
//! touched.

use super::Finding;
use super::context::Context;
use crate::diff::{Owner, owner};
use crate::org::glob;
use crate::resource::name::{IamPath, RoleName};
use crate::resource::protected::known_owner;
use crate::resource::{OWNER_TAG, Tags};

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
        Owner::None if adopt || context.settings.allows("adopt") => Claim::Adopt,
        Owner::None => Claim::Refused(Finding::stop(
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

/// The finding on a change to something that a CloudFormation stack made, unless that is the stack `former`, which the
/// desired state says has let go of it.
///
/// Only AWS can remove tags that begin with `aws:`, and deleting a stack leaves them on what its deletion policy
/// retains, so the tag alone does not tell whether there still is such a stack. Source: CloudFormation User Guide, "Resource
/// tag": "The aws: prefix is reserved for AWS use […] you can't update or delete the tag".
pub(super) fn stack_owned(subject: &Subject<'_>, former: Option<&str>) -> Option<Finding> {
    let Subject {
        kind,
        name,
        address,
        tags,
    } = subject;
    let stack = tags.get("aws:cloudformation:stack-name")?;
    if former.is_some_and(|former| glob(former, stack)) {
        return None;
    }
    let message = format!(
        "{kind} `{name}` belongs to the CloudFormation stack `{stack}`: a change made here would be drift there; change the stack, \
         or set `external = true`; if the stack no longer manages it, set `former_stack = \"{stack}\"`"
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

/// The finding on the deletion or replacement of what must never be deleted.
pub fn prevent_destroy(kind: &str, name: &str, address: &str, verb: &str) -> Finding {
    let message = format!(
        "the plan would {verb} {kind} `{name}`, but `prevent_destroy` is set; remove it first"
    );
    Finding::stop("prevent-destroy", address, message)
}
