//! Lints of what an outsider can do with a role.
//!
//! Only grants that are not narrower than they look count: on every resource of a kind, under no condition that limits
//! them to some. What AWS's managed policies hold is not known here, except for the three that are known to give all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::context::{Context, is_meant, listed};
use crate::org::AccountId;
use crate::resource::policy::pattern::{self, Token, Variables, segments};
use crate::resource::policy::{Effect, Patterns, PolicyDocument, Statement};
use crate::resource::role::{PolicyRef, Role};

/// AWS's managed policies that make an administrator, or what is one step from it.
const ADMIN_POLICIES: &[&str] = &["AdministratorAccess", "PowerUserAccess", "IAMFullAccess"];

/// Condition keys about the call, not about what it is done to.
const AMBIENT_KEYS: &[&str] = &[
    "aws:currenttime",
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:useragent",
];

/// How many ways to gain rights a message names.
const NAMED_WAYS: usize = 3;

/// The sets of actions that let their holder gain rights; `escalation.json` says where they are from.
pub(super) fn sets() -> &'static [BTreeSet<String>] {
    #[derive(serde::Deserialize, Default)]
    struct Data {
        sets: Vec<BTreeSet<String>>,
    }
    static DATA: LazyLock<Data> =
        LazyLock::new(|| serde_json::from_str(include_str!("escalation.json")).unwrap_or_default());
    &DATA.sets
}

/// Someone from outside becomes an administrator.
pub(super) fn admin_to_outsider(context: &Context<'_>, said: &mut Vec<String>) {
    let Some(who) = who(context) else { return };
    if let Some(what) = Powers::of(context).admin() {
        said.push(format!("makes {who} an administrator by {what}"));
    }
}

/// Someone from outside can give itself more rights than the role has.
pub(super) fn escalation(context: &Context<'_>, said: &mut Vec<String>) {
    let Some(who) = who(context) else { return };
    let powers = Powers::of(context);
    // Who is an administrator has nothing to gain.
    if powers.admin().is_some() {
        return;
    }
    let ways = powers.escalations();
    if ways.is_empty() {
        return;
    }
    let named: Vec<String> = ways
        .iter()
        .take(NAMED_WAYS)
        .map(|set| in_words(set))
        .collect();
    let more = match ways.len().saturating_sub(NAMED_WAYS) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    said.push(format!(
        "lets {who} escalate privileges: by {}{more}",
        named.join("; by ")
    ));
}

fn in_words(set: &BTreeSet<String>) -> String {
    listed(
        &set.iter()
            .map(|action| format!("`{action}`"))
            .collect::<Vec<_>>(),
    )
}

/// Those from outside who may assume the role, in words.
fn who(context: &Context<'_>) -> Option<String> {
    if context.is_public {
        return Some("everyone".to_owned());
    }
    let accounts: Vec<AccountId> = context.outsiders.keys().copied().collect();
    (!accounts.is_empty()).then(|| context.accounts(&accounts))
}

/// What a role may do.
struct Powers<'a> {
    role: &'a Role,
    documents: Vec<&'a PolicyDocument>,
    /// AWS's managed policies, by name.
    by_aws: Vec<&'a str>,
    /// What the boundary leaves: all where there is none, nothing where it is not known.
    boundary: Boundary<'a>,
}

enum Boundary<'a> {
    None,
    Known(&'a PolicyDocument),
    Unknown,
}

impl<'a> Powers<'a> {
    fn of(context: &Context<'a>) -> Self {
        let role = context.role;
        let document = |reference: &PolicyRef| {
            context
                .policies
                .iter()
                .find(|policy| is_meant(policy, reference))
                .map(|policy| &policy.document)
        };
        let references = || role.managed_policies.iter().flatten();
        Self {
            role,
            documents: references()
                .filter_map(document)
                .chain(role.inline_policies.iter().flat_map(BTreeMap::values))
                .collect(),
            by_aws: references().filter_map(by_aws).collect(),
            boundary: match role.permissions_boundary.iter().flatten().next() {
                None => Boundary::None,
                Some(reference) if by_aws(reference) == Some("AdministratorAccess") => {
                    Boundary::None
                }
                Some(reference) => document(reference).map_or(Boundary::Unknown, Boundary::Known),
            },
        }
    }

    /// What makes the role an administrator.
    fn admin(&self) -> Option<String> {
        let bounded = match self.boundary {
            Boundary::None => false,
            Boundary::Known(document) => !document.statements().iter().any(gives_all),
            Boundary::Unknown => true,
        };
        if bounded {
            return None;
        }
        if let Some(name) = self
            .by_aws
            .iter()
            .find(|name| ADMIN_POLICIES.contains(name))
        {
            return Some(format!("AWS managed policy `{name}`"));
        }
        let mut statements = self
            .documents
            .iter()
            .flat_map(|document| document.statements());
        let all = statements.find(|statement| gives_all(statement))?;
        let patterns: Vec<String> = all
            .actions
            .patterns
            .iter()
            .map(|one| format!("`{one}`"))
            .collect();
        let but = if all.actions.negated {
            "everything but "
        } else {
            ""
        };
        let is_denied = !all.actions.negated
            && self.denies("iam:putrolepolicy")
            && self.denies("iam:attachrolepolicy");
        (!is_denied).then(|| format!("allowing {but}{} on every resource", listed(&patterns)))
    }

    /// The sets of actions that it has.
    fn escalations(&self) -> Vec<&'static BTreeSet<String>> {
        let given: Vec<Grant<'_>> = self.documents.iter().flat_map(|one| grants(one)).collect();
        let bounds: Option<Vec<Grant<'_>>> = match self.boundary {
            Boundary::None => None,
            Boundary::Known(document) => Some(grants(document)),
            Boundary::Unknown => Some(Vec::new()),
        };
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        let mut has = |action: &String, set: &BTreeSet<String>| {
            let key = action.to_ascii_lowercase();
            let may =
                |grants: &[Grant<'_>]| grants.iter().any(|grant| grant.gives(&key, set, self.role));
            let may = || {
                may(&given)
                    && bounds.as_ref().is_none_or(|bounds| may(bounds))
                    && !self.denies(&key)
            };
            // Which service a role may be passed to is for each set to ask.
            if key == "iam:passrole" {
                may()
            } else {
                *known.entry(key.clone()).or_insert_with(may)
            }
        };
        sets()
            .iter()
            .filter(|set| set.iter().all(|action| has(action, set)))
            .collect()
    }

    /// Whether an action is denied outright.
    fn denies(&self, action: &str) -> bool {
        let bound = if let Boundary::Known(document) = self.boundary {
            Some(document)
        } else {
            None
        };
        let mut statements = self
            .documents
            .iter()
            .copied()
            .chain(bound)
            .flat_map(PolicyDocument::statements);
        statements.any(|statement| {
            statement.effect == Effect::Deny
                && statement.conditions.is_empty()
                && is_everything(statement.resources.as_ref())
                && Actions::of(&statement.actions).contain(action)
        })
    }
}

fn by_aws(reference: &PolicyRef) -> Option<&str> {
    match reference {
        PolicyRef::Arn(arn) if arn.is_aws_managed() => Some(arn.name()),
        PolicyRef::Arn(_) | PolicyRef::Local(_) => None,
    }
}

/// Whether a statement allows all, all of IAM, or all but some, everywhere.
fn gives_all(statement: &Statement) -> bool {
    let all = statement
        .actions
        .patterns
        .iter()
        .any(|one| ["*", "*:*", "iam:*"].contains(&one.as_str()));
    statement.effect == Effect::Allow
        && (all || statement.actions.negated)
        && is_everything(statement.resources.as_ref())
        && limits(statement).next().is_none()
}

fn is_everything(resources: Option<&Patterns>) -> bool {
    resources.is_some_and(|resources| !resources.negated && resources.patterns.contains("*"))
}

/// The condition keys of a statement that limit what it is about.
fn limits(statement: &Statement) -> impl Iterator<Item = &str> {
    let keys = statement
        .conditions
        .values()
        .flat_map(BTreeMap::keys)
        .map(String::as_str);
    keys.filter(|key| !AMBIENT_KEYS.contains(key))
}

/// A list of actions, patterns taken apart once.
struct Actions<'a> {
    actions: &'a Patterns,
    wild: Vec<Vec<Token<'a>>>,
}

impl<'a> Actions<'a> {
    fn of(actions: &'a Patterns) -> Self {
        let wild = actions
            .patterns
            .iter()
            .filter(|one| one.contains(['*', '?']));
        Self {
            actions,
            wild: wild
                .map(|one| pattern::tokens(one, Variables::Literal))
                .collect(),
        }
    }

    /// Whether an action, in lower case, is meant.
    fn contain(&self, action: &str) -> bool {
        let named = self.actions.patterns.contains(action)
            || self.wild.iter().any(|one| pattern::matches(one, action));
        named != self.actions.negated
    }
}

/// What one statement gives.
struct Grant<'a> {
    statement: &'a Statement,
    actions: Actions<'a>,
}

fn grants(document: &PolicyDocument) -> Vec<Grant<'_>> {
    let allows = document
        .statements()
        .iter()
        .filter(|statement| statement.effect == Effect::Allow);
    allows
        .map(|statement| Grant {
            statement,
            actions: Actions::of(&statement.actions),
        })
        .collect()
}

impl Grant<'_> {
    /// Whether it gives an action, as a member of a set, in a way that can be used.
    fn gives(&self, action: &str, set: &BTreeSet<String>, role: &Role) -> bool {
        self.actions.contain(action)
            && limits(self.statement).all(|key| key == "iam:passedtoservice" && self.passes_to(set))
            && self.statement.resources.as_ref().is_some_and(|resources| {
                resources.negated
                    || resources
                        .patterns
                        .iter()
                        .any(|one| is_wide(one) || is_itself(action, one, role))
            })
    }

    /// Whether a role may be passed to a service of which the set has an action.
    fn passes_to(&self, set: &BTreeSet<String>) -> bool {
        let conditions = self
            .statement
            .conditions
            .iter()
            .filter(|(operator, _)| !operator.contains("Not"));
        let mut services = conditions
            .filter_map(|(_, keys)| keys.get("iam:passedtoservice"))
            .flatten();
        let prefixes: Vec<&str> = set
            .iter()
            .filter_map(|action| action.split(':').next())
            .collect();
        services.any(|service| {
            service.starts_with('*')
                || prefixes
                    .iter()
                    .any(|prefix| *prefix != "iam" && service.starts_with(prefix))
        })
    }
}

/// Whether a resource pattern covers every resource of some kind: `*`, `arn:aws:iam::*:role/*`.
fn is_wide(resource: &str) -> bool {
    match segments(resource).as_slice() {
        [.., name] => {
            let name = name.split_once(['/', ':']).map_or(*name, |(_, name)| name);
            name.contains('*') && name.chars().all(|char| "*/:".contains(char))
        }
        [] => false,
    }
}

/// Whether an action on roles may be done to the role itself.
fn is_itself(action: &str, resource: &str, role: &Role) -> bool {
    let on_roles =
        action.starts_with("iam:") && action.contains("role") && action != "iam:passrole";
    let own = format!("role{}{}", role.path.clone().unwrap_or_default(), role.name);
    let name = segments(resource).pop().unwrap_or_default();
    on_roles && pattern::matches(&pattern::tokens(name, Variables::Read), &own)
}
