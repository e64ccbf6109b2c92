//! What to read of an account to see certain resources.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::ResourceKind;
use crate::read::{Others, Scope, Wanted, WantedGrants};
use crate::resource::name::PolicyName;

/// What to read to see `resources`; `grants` is the inline policy that the directory's grants are.
pub fn wanted(
    resources: impl IntoIterator<Item = ResourceKind>,
    grants: PolicyName,
    details: bool,
) -> Wanted {
    let (mut roles, mut policies, mut principals) =
        (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for resource in resources {
        match resource {
            ResourceKind::Role(name) => _ = roles.insert(name),
            ResourceKind::Policy(name) => _ = policies.insert(name),
            ResourceKind::Grant(principal) => _ = principals.insert(principal.key(), principal),
            ResourceKind::Attachment(id) => _ = roles.insert(id.role),
        }
    }
    Wanted {
        scope: Scope::Only { roles, policies },
        details,
        grants: Some(WantedGrants {
            policy: grants,
            principals,
            others: Others::Unseen,
        }),
    }
}
