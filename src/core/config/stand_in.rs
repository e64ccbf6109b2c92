//! The desired state without AWS: expanded once for a placeholder account, and everything that comes out is
//! checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::assertion::{Address, Held, Judge};
use super::convert::{Converter, Documents, Together};
use super::held::{LeftOuts, Names, attached_but_left_out, check_duplicate, left_out};
use super::module::{Instance, Scopes};
use super::problem::{Places, Problem, Problems};
use super::resource::{Kind, Resource};
use super::scope::{Found, Scope};
use super::settings::AccountSettings;
use super::shape::{self, Stage};
use super::tree::{Node, Value, for_each_template};
use super::vars::Values;
use super::{attachment, facts, grant, render, schema, target};
use crate::desired::AccountDesired;
use crate::resource::attachment::Attachment;
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::role::{Ensure, Role};

/// The expansion for a placeholder account.
pub(super) struct StandIn<'a> {
    /// The directory's name.
    directory: &'a str,
    instances: &'a [Instance],
    scopes: Scopes,
    documents: Documents,
    /// Names by the targets of what has them: with other targets a name may be used again.
    names: BTreeMap<String, Names>,
    holds: AccountDesired,
    held: Vec<Held>,
    left_out: LeftOuts,
    /// Roles with a condition that depends on the account: what they attach is not known for sure.
    unsure: BTreeSet<String>,
}

/// What expressions see in every instance, for a placeholder account; says what is wrong with inputs.
pub(super) fn scopes(
    instances: &mut [Instance],
    accounts: &[AccountSettings],
    found: &Found,
    problems: &mut Problems,
) -> Scopes {
    let mut values = instances
        .first()
        .map(|root| root.variables.effective(&Values::new()))
        .unwrap_or_default();
    for (name, value) in accounts.iter().flat_map(|account| &account.values) {
        values.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let root = Scope::stand_in(&values);
    let scopes = Scopes::new(instances, &root.hiding_of(instances, found));
    problems.extend(scopes.problems.iter().map(|(_, problem)| problem.clone()));
    for (index, input) in &scopes.refused {
        if let Some(instance) = instances.get_mut(*index) {
            instance.variables.faulty.insert(input.clone());
        }
    }
    scopes
}

impl<'a> StandIn<'a> {
    pub fn new(directory: &'a str, instances: &'a [Instance], scopes: Scopes) -> Self {
        Self {
            directory,
            instances,
            scopes,
            documents: Documents::new(),
            names: BTreeMap::new(),
            holds: AccountDesired::default(),
            held: Vec::new(),
            left_out: LeftOuts::new(),
            unsure: BTreeSet::new(),
        }
    }

    /// Expands the resources and judges the checks; returns what the account would hold.
    pub fn try_out(
        mut self,
        resources: &[Resource],
        judge: &mut Judge<'_>,
        problems: &mut Problems,
    ) -> AccountDesired {
        let mut all = Problems::default();
        for resource in resources {
            let mut found = Problems::default();
            self.resource(resource, &mut found);
            let chain = self
                .instances
                .get(resource.instance)
                .map(|instance| instance.chain.clone());
            all.extend(found.in_modules(&chain.unwrap_or_default()));
        }
        for role in self
            .holds
            .roles
            .values()
            .filter(|role| !self.unsure.contains(&role.name.key()))
        {
            all.extend(attached_but_left_out(
                role,
                &self.holds,
                &self.left_out,
                self.instances,
            ));
        }
        grant::check_roles(resources, self.instances, &mut all);
        attachment::check_roles(resources, self.instances, &mut all);
        judge.account(&self.held, &self.scopes, &mut all);
        // What was wrong before it was rendered has been said, and better.
        let mut known = Places::default();
        problems
            .iter()
            .filter_map(Problem::place)
            .for_each(|place| known.insert(&place));
        problems.extend(
            all.sorted()
                .into_iter()
                .filter(|problem| !problem.is_at(&known)),
        );
        self.holds
    }

    fn resource(&mut self, resource: &Resource, problems: &mut Problems) {
        let (Some(scope), Some(instance)) = (
            self.scopes.get(resource.instance),
            self.instances.get(resource.instance),
        ) else {
            return;
        };
        let variables = &instance.variables;
        let mut targets = Some(String::new());
        for node in [&resource.targets, &resource.exclude] {
            let rendered = node.as_ref().map(|node| {
                render::render_alone(node, &resource.title, scope, variables, problems)
            });
            let text = rendered.map(|rendered| {
                let mut node = rendered?;
                check_targets(&mut node, resource, problems);
                Some(node.to_json().to_string())
            });
            targets = match text {
                None => targets.map(|targets| targets + "-"),
                Some(text) => targets.zip(text).map(|(targets, text)| targets + &text),
            };
        }
        let mut evaluation = render::evaluate(&resource.node, scope);
        for failed in &evaluation.failures {
            problems.extend(render::explain(failed, &resource.title, variables));
            evaluation.unknown.insert(&failed.place);
        }
        let is_whole = evaluation.failures.is_empty();
        // Without the value of a condition it is unknown what is there, and what is missing needs no further message.
        if evaluation
            .failures
            .iter()
            .any(|failed| failed.path.rsplit('.').next() == Some("when"))
        {
            return;
        }
        let Some(mut rendered) = render::build(&resource.node, &evaluation.values) else {
            self.left_out
                .extend(left_out(resource, scope).filter(|_| is_whole));
            return;
        };
        let unknown = unknown_members(&resource.node, scope);
        let mut converter = Converter {
            partition: None,
            documents: &mut self.documents,
            title: &resource.title,
            together: if evaluation.unknown_condition {
                Together::Unknown
            } else {
                Together::Known
            },
            problems: Problems::default(),
        };
        let kind = schema::Type::Table(resource.kind.schema());
        shape::check(
            &mut rendered,
            &kind,
            resource.kind.word(),
            Stage::Rendered,
            &mut converter.problems,
        );
        let made = match resource.kind {
            Kind::Role => converter
                .role(&rendered, resource.origin.clone())
                .map(Made::Role),
            Kind::Policy => converter
                .policy(&rendered, resource.origin.clone())
                .map(Made::Policy),
            // Which ARNs it grants is only known with the organization at hand.
            Kind::Grant => {
                let written = grant::read(
                    &rendered,
                    &resource.title,
                    resource.origin.clone(),
                    &mut converter.problems,
                );
                written.map(Made::Grant)
            }
            Kind::Attachment => converter
                .attachment(&rendered, self.directory, resource.origin.clone())
                .map(Made::Attachment),
        };
        let found = converter.problems;
        problems.extend(
            found
                .into_iter()
                .filter(|problem| !problem.is_at(&evaluation.unknown)),
        );
        if let Some(name) = rendered.as_table().and_then(|table| table.get("name"))
            && let Some(text) = name.as_str()
            && resource.kind != Kind::Attachment
            && !evaluation.unknown.holds(&name.place)
            // Whether two meet in an account that one of them is left out of is known there.
            && !is_unsure(&resource.node, scope)
            && let Some(targets) = targets
        {
            let place = (name.place.clone(), instance.chain.clone());
            let key = (resource.kind, text.to_ascii_lowercase());
            let meets = |other: &str| other == targets || [other, &targets].contains(&EVERYWHERE);
            let known = self
                .names
                .iter()
                .find(|(other, names)| meets(other) && names.contains_key(&key))
                .map(|(other, _)| other.clone());
            let names = self.names.entry(known.unwrap_or(targets)).or_default();
            check_duplicate(resource.kind, text, place, names, problems);
        }
        if evaluation.unknown_condition
            && let Some(Made::Role(role)) = &made
        {
            self.unsure.insert(role.name.key());
        }
        if let Some(made) = made.filter(|_| is_whole) {
            self.hold(resource, made, unknown);
        }
    }

    fn hold(&mut self, resource: &Resource, made: Made, unknown: BTreeSet<&'static str>) {
        let (value, is_desired) = match &made {
            Made::Grant(_) => (minijinja::Value::UNDEFINED, false),
            Made::Role(role) => (facts::role(role), role.ensure == Ensure::Present),
            Made::Policy(policy) => (facts::policy(policy), true),
            Made::Attachment(attachment) => (facts::attachment(attachment), true),
        };
        if is_desired {
            let address = Address::Title(format!("{} at {}", resource.title, resource.origin));
            let identity = self.held.len();
            self.held.push(Held {
                kind: resource.kind,
                instance: resource.instance,
                identity,
                value,
                address,
                unknown,
            });
        }
        match made {
            Made::Role(role) => insert(&mut self.holds.roles, role.name.key(), role),
            Made::Policy(policy) => insert(&mut self.holds.policies, policy.name.key(), policy),
            Made::Attachment(attachment) => {
                let key = attachment.id.key();
                insert(&mut self.holds.attachments, key, attachment);
            }
            Made::Grant(written) => {
                let grants = written
                    .to_anybody()
                    .map(|grant| (grant.principal.key(), Arc::new(grant)));
                self.holds.grants.extend(grants);
            }
        }
    }
}

/// The targets, as text, of what goes to every account: it meets whatever goes anywhere.
const EVERYWHERE: &str = "\"all\"-";

/// Adds a resource; of one name there may be several, for accounts that are not the same.
fn insert<T>(held: &mut BTreeMap<String, Arc<T>>, mut key: String, resource: T) {
    while held.contains_key(&key) {
        // No name has a quote in it.
        key.push('\'');
    }
    held.insert(key, Arc::new(resource));
}

/// Whether the resource has a `when` that depends on the account.
fn is_unsure(node: &Node, scope: &Scope) -> bool {
    let when = node.as_table().and_then(|table| table.get("when"));
    when.is_some_and(
        |when| matches!(&when.value, Value::Template(template) if scope.is_unknown(template)),
    )
}

enum Made {
    Role(Role),
    Policy(ManagedPolicy),
    Grant(grant::Written),
    Attachment(Attachment),
}

/// What of a resource depends on the account, as the expressions of checks call it. A text that depends on it in part is
/// known well enough, names and paths aside.
fn unknown_members(node: &Node, scope: &Scope) -> BTreeSet<&'static str> {
    let mut members = BTreeSet::new();
    for (key, node) in node.as_table().into_iter().flat_map(|table| &table.entries) {
        let seen: &[&'static str] = match key.text.as_str() {
            "name" => &["name"],
            "role" => &["role"],
            "policy" => &["policy"],
            "path" => &["path"],
            "description" => &["description"],
            "max_session_duration" => &["max_session_duration"],
            "managed_policies" => &["managed_policies"],
            "inline_policy" => &["inline_policies"],
            "permissions_boundary" => &["permissions_boundary"],
            "tags" => &["tags"],
            "trust" => &["trust", "trusted_accounts"],
            "document" | "statement" | "without" => &["document", "statements", "actions"],
            _ => continue,
        };
        let exact = ["name", "path", "role", "policy"].contains(&key.text.as_str());
        for_each_template(node, &mut |template, _| {
            if scope.is_unknown(template) && (exact || template.is_whole()) {
                members.extend(seen);
            }
        });
    }
    members
}

fn check_targets(node: &mut Node, resource: &Resource, problems: &mut Problems) {
    let name = resource.kind.targets_key();
    let known = resource
        .kind
        .schema()
        .keys
        .iter()
        .find(|key| key.name == name);
    shape::check(
        node,
        &known.map_or(schema::Type::Any, |key| key.kind),
        name,
        Stage::Rendered,
        problems,
    );
    target::targets(node, problems);
}
