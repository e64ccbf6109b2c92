//! What a role is to become.
//!
//! Tag keys of roles are case-insensitive and keep the case they were first written in (IAM User Guide, "Rules for
//! tagging in IAM and AWS STS"), so a tag that exists keeps its key and takes the new value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::is_system_tag;
use crate::org::Partition;
use crate::resource::name::{PolicyArn, PolicyName};
use crate::resource::policy::{Difference, PolicyDocument, PolicyKind};
use crate::resource::role::{DEFAULT_MAX_SESSION, LiveRole, Mode, PolicyRef, Role, RoleDetails};
use crate::resource::{OWNER_TAG, Tags};

/// How names in a role are resolved in its account.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The partition that bare account ids stand in.
    pub partition: &'a Partition,
    /// The directory whose tag the role should have; `None` for an external role.
    pub mark: Option<&'a str>,
    /// The ARN that a reference to a policy represents.
    pub policy: &'a dyn Fn(&PolicyRef) -> PolicyArn,
    /// The ARN of the live entity that has this unique id.
    pub principal: &'a dyn Fn(&str) -> Option<String>,
    /// The ARN of the role, should it be created at this path.
    pub role: &'a dyn Fn(&Role) -> String,
}

/// A role as it should be, and what differs from that only in spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The role as the steps leave it.
    pub role: LiveRole,
    /// Documents that are desired in another spelling than the one that stays.
    pub spelling: Spelling,
}

/// Documents that mean what is there and are spelled otherwise. They are shown and never written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spelling {
    /// The desired trust policy.
    pub trust: Option<PolicyDocument>,
    /// Desired inline policies.
    pub inline_policies: BTreeMap<PolicyName, PolicyDocument>,
}

/// The role that `desired` asks for, given the one that is there.
pub fn target(desired: &Role, live: Option<&LiveRole>, names: Names<'_>) -> Target {
    let Role {
        name,
        path,
        description: _,
        max_session_duration: _,
        trust: _,
        managed_policies: _,
        inline_policies: _,
        permissions_boundary,
        tags: _,
        manage: _,
        adopt: _,
        create: _,
        ensure: _,
        external: _,
        prevent_destroy: _,
        former_stack: _,
        expires: _,
        expect: _,
        origin: _,
    } = desired;
    let (trust, trust_spelling) = trust(desired, live, names);
    let (inline_policies, inline_spelling) = inline_policies(desired, live);
    let path = path
        .clone()
        .or_else(|| live.map(|live| live.path.clone()))
        .unwrap_or_default();
    let stays = live.filter(|live| live.path == path);
    let role = LiveRole {
        name: live.map_or(name, |live| &live.name).clone(),
        id: stays.map(|live| live.id.clone()).unwrap_or_default(),
        arn: stays.map_or_else(|| (names.role)(desired), |live| live.arn.clone()),
        path,
        details: details(desired, live),
        trust,
        managed_policies: managed_policies(desired, live, names),
        inline_policies,
        permissions_boundary: match permissions_boundary {
            None => live.and_then(|live| live.permissions_boundary.clone()),
            Some(boundary) => boundary.as_ref().map(names.policy),
        },
        tags: tags(desired, live, names.mark),
        // A role that is made again at another path is put back where EC2 finds it.
        instance_profiles: live
            .map(|live| live.instance_profiles.clone())
            .unwrap_or_default(),
    };
    Target {
        role,
        spelling: Spelling {
            trust: trust_spelling,
            inline_policies: inline_spelling,
        },
    }
}

fn trust(
    desired: &Role,
    live: Option<&LiveRole>,
    names: Names<'_>,
) -> (PolicyDocument, Option<PolicyDocument>) {
    let Some(live) = live else {
        return (desired.trust.clone(), None);
    };
    let additive = desired.manage.trust == Mode::Additive;
    let resolved = |document: &PolicyDocument| document.resolve_principals(names.principal);
    let wanted = if additive {
        live.trust.with_statements_of(&desired.trust)
    } else {
        desired.trust.clone()
    };
    match resolved(&live.trust).difference(&resolved(&wanted)) {
        // In additive management every spelling that is there stays.
        Difference::Cosmetic if additive => (live.trust.clone(), None),
        Difference::None => (live.trust.clone(), None),
        Difference::Cosmetic => (live.trust.clone(), Some(wanted)),
        Difference::Semantic if additive => {
            (beside_the_living(&live.trust, &desired.trust, names), None)
        }
        Difference::Semantic => (wanted, None),
    }
}

/// The statements of `live` and of `ours`, without principals that no longer exist: IAM refuses to store a document
/// that names one.
///
/// Source: IAM User Guide, "AWS JSON policy elements: Principal".
fn beside_the_living(
    live: &PolicyDocument,
    ours: &PolicyDocument,
    names: Names<'_>,
) -> PolicyDocument {
    let live = live.resolve_principals(names.principal);
    let dead = live.dead_principals();
    if dead.is_empty() {
        return live.with_statements_of(ours);
    }
    let mut value = live.to_value();
    let mut statements = match value.get_mut("Statement").map(Value::take) {
        Some(Value::Array(statements)) => statements,
        Some(statement) => vec![statement],
        None => Vec::new(),
    };
    statements.retain_mut(|statement| keep_living(statement, &dead));
    if statements.is_empty() {
        return ours.clone();
    }
    if let Some(slot) = value.get_mut("Statement") {
        *slot = Value::Array(statements);
    }
    PolicyDocument::live(&value.to_string(), PolicyKind::Trust, names.partition)
        .with_statements_of(ours)
}

/// Takes dead principals out of a statement; says whether any principal is left.
fn keep_living(statement: &mut Value, dead: &BTreeSet<String>) -> bool {
    let Some(kinds) = statement
        .get_mut("Principal")
        .and_then(Value::as_object_mut)
    else {
        return true;
    };
    let is_dead = |name: &Value| name.as_str().is_some_and(|name| dead.contains(name));
    let gone = match kinds.get_mut("AWS") {
        Some(Value::Array(names)) => {
            names.retain(|name| !is_dead(name));
            names.is_empty()
        }
        Some(name) => is_dead(name),
        None => false,
    };
    if gone {
        kinds.shift_remove("AWS");
    }
    !kinds.is_empty()
}

fn managed_policies(
    desired: &Role,
    live: Option<&LiveRole>,
    names: Names<'_>,
) -> BTreeSet<PolicyArn> {
    let there = || {
        live.map(|live| live.managed_policies.clone())
            .unwrap_or_default()
    };
    let Some(wanted) = &desired.managed_policies else {
        return there();
    };
    let wanted = wanted.iter().map(names.policy).collect();
    match desired.manage.managed_policies {
        Mode::Exclusive => wanted,
        Mode::Additive => there().into_iter().chain(wanted).collect(),
    }
}

type Documents = BTreeMap<PolicyName, PolicyDocument>;

fn inline_policies(desired: &Role, live: Option<&LiveRole>) -> (Documents, Documents) {
    let there = live
        .map(|live| live.inline_policies.clone())
        .unwrap_or_default();
    let Some(wanted) = &desired.inline_policies else {
        return (there, Documents::new());
    };
    let mut after = match desired.manage.inline_policies {
        Mode::Exclusive => there
            .iter()
            .filter(|(name, _)| name.is_known_by_name())
            .map(owned)
            .collect(),
        Mode::Additive => there.clone(),
    };
    let mut spelling = Documents::new();
    for (name, document) in wanted {
        let stays = there
            .get(name)
            .filter(|there| match there.difference(document) {
                Difference::None => true,
                Difference::Cosmetic => {
                    spelling.insert(name.clone(), document.clone());
                    true
                }
                Difference::Semantic => false,
            });
        after.insert(name.clone(), stays.unwrap_or(document).clone());
    }
    (after, spelling)
}

fn owned((name, document): (&PolicyName, &PolicyDocument)) -> (PolicyName, PolicyDocument) {
    (name.clone(), document.clone())
}

fn tags(desired: &Role, live: Option<&LiveRole>, mark: Option<&str>) -> Tags {
    let there = live.map(|live| live.tags.clone()).unwrap_or_default();
    let mut wanted = desired.tags.clone().unwrap_or_default();
    wanted.extend(mark.map(|name| (OWNER_TAG.to_owned(), name.to_owned())));
    let exclusive = desired.tags.is_some() && desired.manage.tags == Mode::Exclusive;
    let is_wanted = |key: &str| wanted.keys().any(|wanted| wanted.eq_ignore_ascii_case(key));
    let mut after: Tags = there
        .iter()
        .filter(|(key, _)| !exclusive || is_system_tag(key) || is_wanted(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    for (key, value) in wanted {
        let key = there
            .keys()
            .find(|there| there.eq_ignore_ascii_case(&key))
            .cloned()
            .unwrap_or(key);
        after.insert(key, value);
    }
    after
}

fn details(desired: &Role, live: Option<&LiveRole>) -> Option<RoleDetails> {
    let there = match live {
        Some(live) => live.details.clone()?,
        None => RoleDetails {
            description: String::new(),
            max_session_duration: DEFAULT_MAX_SESSION,
        },
    };
    Some(RoleDetails {
        description: desired.description.clone().unwrap_or(there.description),
        max_session_duration: desired
            .max_session_duration
            .unwrap_or(there.max_session_duration),
    })
}
