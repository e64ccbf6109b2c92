//! What one account holds, looked at as a whole: names that meet, and policies that are attached but left out.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::module::Instance;
use super::place::Place;
use super::problem::{Problem, Problems, twice};
use super::render;
use super::resource::{Kind, Resource};
use super::scope::Scope;
use crate::desired::AccountDesired;
use crate::resource::role::{Ensure, PolicyRef, Role};

/// Names of roles and policies: how each is written, where, and in which modules.
pub(super) type Names = BTreeMap<(Kind, String), (String, (Place, Arc<[String]>))>;

/// Reports a name that another resource of the kind has, in any case.
pub(super) fn check_duplicate(
    kind: Kind,
    name: &str,
    place: (Place, Arc<[String]>),
    names: &mut Names,
    problems: &mut Problems,
) {
    let key = (kind, name.to_ascii_lowercase());
    let Some((first, (first_place, modules))) = names.get(&key) else {
        names.insert(key, (name.to_owned(), place));
        return;
    };
    let (word, (place, _)) = (kind.word(), &place);
    let first_place = std::iter::once(first_place.to_string()).chain(modules.iter().cloned());
    let first_place = first_place.collect::<Vec<_>>().join(", ");
    problems.push(if first == name {
        twice(&format!("{word} `{name}`"), place, &first_place)
            .hint("keep one of them, or give them targets that do not meet")
    } else {
        let message =
            format!("{word} `{name}` and {word} `{first}` at {first_place} differ in case only");
        Problem::error("duplicate", place, message)
            .hint("IAM names are unique without regard to case: rename one, or give them targets that do not meet")
    });
}

/// A policy whose `when` is false.
#[derive(Debug)]
pub(super) struct LeftOut {
    name: String,
    place: Place,
    instance: usize,
}

/// Policies whose `when` is false, by their names in lower case.
pub(super) type LeftOuts = HashMap<String, LeftOut>;

/// A policy that is left out, by its key; `None` for a role, and where the name has no value either.
pub(super) fn left_out(resource: &Resource, scope: &Scope) -> Option<(String, LeftOut)> {
    let node = resource
        .node
        .as_table()?
        .get("name")
        .filter(|_| resource.kind == Kind::Policy)?;
    let built = render::build(node, &render::evaluate(node, scope).values)?;
    let name = built.as_str()?.to_owned();
    Some((
        name.to_ascii_lowercase(),
        LeftOut {
            name,
            place: node.place.clone(),
            instance: resource.instance,
        },
    ))
}

/// Reports the policies that a role names with `local:` and that a `when` leaves out.
pub(super) fn attached_but_left_out(
    role: &Role,
    holds: &AccountDesired,
    left_out: &LeftOuts,
    instances: &[Instance],
) -> Vec<Problem> {
    let missing = local_policies(role).filter(|key| !holds.policies.contains_key(key));
    let policy = |key: String| left_out.get(&key.to_ascii_lowercase());
    let problem = |policy: &LeftOut| {
        let message = format!(
            "policy `{}` is left out because its `when` is false, but role `{}` at {} attaches it",
            policy.name, role.name, role.origin
        );
        let chain = instances
            .get(policy.instance)
            .map(|instance| instance.chain.clone())
            .unwrap_or_default();
        Problem::error("reference", &policy.place, message)
            .hint(format!(
                "{{ policy = \"local:{}\", when = \"…\" }} attaches it under the same condition",
                policy.name
            ))
            .in_modules(&chain)
    };
    missing.filter_map(policy).map(problem).collect()
}

/// The keys of the customer managed policies that a role names with `local:`.
pub(super) fn local_policies(role: &Role) -> impl Iterator<Item = String> {
    let boundary = role.permissions_boundary.as_ref().and_then(Option::as_ref);
    let wanted = role.ensure == Ensure::Present;
    role.managed_policies
        .iter()
        .flatten()
        .chain(boundary)
        .filter(move |_| wanted)
        .filter_map(|reference| match reference {
            PolicyRef::Local(name) => Some(name.key()),
            PolicyRef::Arn(_) => None,
        })
}
