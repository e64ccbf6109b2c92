//! What differs, attribute by attribute, for people to read. Nothing here decides: the steps follow from the same states.
//!
//! On a resource that is created or deleted only what is not IAM's default is shown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::context::Context;
use super::mask::Masker;
use super::power;
use super::{Action, Attribute, AttributeDiff, DocumentDiff};
use crate::diff::is_system_tag;
use crate::diff::role::Spelling;
use crate::org::AccountId;
use crate::resource::Tags;
use crate::resource::managed_policy::LivePolicy;
use crate::resource::name::{IamPath, PolicyArn, PolicyName};
use crate::resource::policy::{Effect, PolicyDocument, StatementDiff};
use crate::resource::role::{DEFAULT_MAX_SESSION, LiveRole};
use crate::resource::secret::Secrets;
use crate::resource::step::Step;

/// Both sides of a resource; `None` where it does not exist.
#[derive(Debug)]
pub(super) struct Sides<'a, T> {
    pub(super) before: Option<&'a T>,
    pub(super) after: Option<&'a T>,
}

impl<T> Clone for Sides<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Sides<'_, T> {}

impl<T> Sides<'_, T> {
    fn values(self, value: impl Fn(&T) -> Value) -> (Value, Value) {
        (
            self.before.map_or(Value::Null, &value),
            self.after.map_or(Value::Null, &value),
        )
    }

    /// Whether to show an attribute: it differs, or it is not IAM's default where there is no other side.
    fn shows(self, differs: impl Fn(&T, &T) -> bool, is_default: impl Fn(&T) -> bool) -> bool {
        match (self.before, self.after) {
            (Some(before), Some(after)) => differs(before, after),
            (Some(one), None) | (None, Some(one)) => !is_default(one),
            (None, None) => false,
        }
    }
}

/// The differences of a role; `spelling` is what differs only in spelling.
pub(super) fn role(
    context: &Context<'_>,
    sides: Sides<'_, LiveRole>,
    spelling: &Spelling,
) -> Vec<AttributeDiff> {
    let secrets = &context.settings.secrets;
    let mut diffs = Vec::new();
    let mut push = |attribute: Attribute,
                    value: &dyn Fn(&LiveRole) -> Value,
                    is_default: &dyn Fn(&LiveRole) -> bool| {
        if sides.shows(|before, after| value(before) != value(after), is_default) {
            diffs.push(plain(attribute, sides.values(value), secrets));
        }
    };
    push(Attribute::Path, &|role| json!(role.path), &|role| {
        role.path == IamPath::default()
    });
    push(
        Attribute::ManagedPolicies,
        &|role| json!(role.managed_policies),
        &|role| role.managed_policies.is_empty(),
    );
    push(
        Attribute::PermissionsBoundary,
        &|role| json!(role.permissions_boundary),
        &|role| role.permissions_boundary.is_none(),
    );
    push(Attribute::MaxSessionDuration, &duration, &|role| {
        role.details
            .as_ref()
            .is_none_or(|details| details.max_session_duration == DEFAULT_MAX_SESSION)
    });
    push(Attribute::Description, &description, &|role| {
        description(role).as_str().is_none_or(str::is_empty)
    });
    push(Attribute::Tags, &|role| own(&role.tags), &|role| {
        role.tags.keys().all(|key| is_system_tag(key))
    });
    diffs.extend(trust(context, sides, spelling.trust.as_ref()));
    diffs.extend(inline_policies(sides, &spelling.inline_policies, secrets));
    for diff in &mut diffs {
        let (forth, back) = widens(context, diff.attribute, sides);
        diff.widens |= forth;
        diff.reverse_widens |= back;
    }
    diffs.sort_by_key(|diff| diff.attribute);
    diffs
}

fn description(role: &LiveRole) -> Value {
    json!(role.details.as_ref().map(|details| &details.description))
}

fn duration(role: &LiveRole) -> Value {
    json!(
        role.details
            .as_ref()
            .map(|details| details.max_session_duration)
    )
}

fn own(tags: &Tags) -> Value {
    json!(
        tags.iter()
            .filter(|(key, _)| !is_system_tag(key))
            .collect::<BTreeMap<_, _>>()
    )
}

/// Whether an existing role can do more by attributes other than documents, and whether it could by going back.
fn widens(
    context: &Context<'_>,
    attribute: Attribute,
    Sides { before, after }: Sides<'_, LiveRole>,
) -> (bool, bool) {
    let (Some(before), Some(after)) = (before, after) else {
        return (false, false);
    };
    match attribute {
        Attribute::ManagedPolicies => {
            let powers = |arns: &BTreeSet<PolicyArn>, others: &BTreeSet<PolicyArn>| {
                let powers = arns.difference(others).map(|arn| power::of(context, arn));
                powers.fold((false, false), |(allow, deny), power| {
                    (allow || power.allows, deny || power.denies)
                })
            };
            let (gains, guards) = powers(&after.managed_policies, &before.managed_policies);
            let (loses, unguards) = powers(&before.managed_policies, &after.managed_policies);
            (gains || unguards, loses || guards)
        }
        Attribute::PermissionsBoundary => (
            before.permissions_boundary.is_some(),
            after.permissions_boundary.is_some(),
        ),
        _ => (false, false),
    }
}

fn trust(
    context: &Context<'_>,
    sides: Sides<'_, LiveRole>,
    spelling: Option<&PolicyDocument>,
) -> Option<AttributeDiff> {
    let before = sides.before.map(|role| &role.trust);
    let after = sides.after.map(|role| &role.trust);
    document(
        Document {
            attribute: Attribute::Trust,
            home: Some(context.account.id),
            cosmetic: spelling.is_some(),
        },
        before,
        spelling.or(after),
        &context.settings.secrets,
    )
}

/// Which document it is.
struct Document {
    attribute: Attribute,
    /// The account that holds it, for a trust policy.
    home: Option<AccountId>,
    cosmetic: bool,
}

fn document(
    Document {
        attribute,
        home,
        cosmetic,
    }: Document,
    before: Option<&PolicyDocument>,
    after: Option<&PolicyDocument>,
    secrets: &Secrets,
) -> Option<AttributeDiff> {
    let value =
        |document: Option<&PolicyDocument>| document.map_or(Value::Null, PolicyDocument::to_value);
    let values = (value(before), value(after));
    let documents = match (before, after) {
        (Some(before), Some(after)) if before == after && !cosmetic => return None,
        (Some(before), Some(after)) => vec![DocumentDiff {
            policy: None,
            statements: before.statement_diffs_in(home, after),
        }],
        _ => Vec::new(),
    };
    Some(masked(attribute, cosmetic, values, documents, secrets))
}

type Documents = BTreeMap<PolicyName, PolicyDocument>;

fn inline_policies(
    sides: Sides<'_, LiveRole>,
    spelling: &Documents,
    secrets: &Secrets,
) -> Option<AttributeDiff> {
    let differs =
        |before: &LiveRole, after: &LiveRole| before.inline_policies != after.inline_policies;
    let semantic = sides.shows(differs, |role| role.inline_policies.is_empty());
    if !semantic && spelling.is_empty() {
        return None;
    }
    let mut values = sides.values(|role| inline_value(&role.inline_policies));
    let mut documents = Vec::new();
    if let (Some(before), Some(after)) = (sides.before, sides.after) {
        let mut shown = after.inline_policies.clone();
        shown.extend(spelling.clone());
        values.1 = inline_value(&shown);
        documents = inline_documents(&before.inline_policies, &shown);
    }
    Some(masked(
        Attribute::InlinePolicies,
        !semantic,
        values,
        documents,
        secrets,
    ))
}

fn inline_value(documents: &Documents) -> Value {
    json!(
        documents
            .iter()
            .map(|(name, document)| (name.as_str(), document.to_value()))
            .collect::<BTreeMap<_, _>>()
    )
}

fn inline_documents<'a>(before: &'a Documents, after: &'a Documents) -> Vec<DocumentDiff> {
    let names: std::collections::BTreeSet<&PolicyName> =
        before.keys().chain(after.keys()).collect();
    // A policy that is renamed, or whose statements move to another, gives no more than before. What stays as it is has
    // no say in that: somebody else may take it away.
    let changing = |of: &'a Documents, other: &Documents| {
        let documents = of.iter();
        let changing = documents.filter(|(name, document)| other.get(*name) != Some(*document));
        changing.map(|(_, document)| document).collect::<Vec<_>>()
    };
    let (all_before, all_after) = (changing(before, after), changing(after, before));
    let diff = |name: &PolicyName| {
        let statements = match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) => before.statement_diffs(after),
            (None, Some(after)) => statements(after, Presence::Added, &all_before),
            (Some(before), None) => statements(before, Presence::Removed, &all_after),
            (None, None) => Vec::new(),
        };
        DocumentDiff {
            policy: Some(name.to_string()),
            statements,
        }
    };
    names
        .into_iter()
        .map(diff)
        .filter(|diff| !diff.statements.is_empty())
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Added,
    Removed,
}

/// Every statement of a document that appears or goes as a whole. `others` are the documents on the other side.
fn statements(
    document: &PolicyDocument,
    presence: Presence,
    others: &[&PolicyDocument],
) -> Vec<StatementDiff> {
    let written = match document.to_value().get_mut("Statement").map(Value::take) {
        Some(Value::Array(statements)) => statements,
        Some(statement) => vec![statement],
        None => vec![document.to_value()],
    };
    let diff = |(index, value): (usize, Value)| {
        let effect = document
            .statements()
            .get(index)
            .map(|statement| statement.effect);
        let harmless = match presence {
            Presence::Added => Effect::Deny,
            Presence::Removed => Effect::Allow,
        };
        let widens = effect != Some(harmless) && !document.is_said_by(index, others);
        let (before, after) = match presence {
            Presence::Added => (None, Some(value)),
            Presence::Removed => (Some(value), None),
        };
        StatementDiff {
            before,
            after,
            widens,
            cosmetic: false,
        }
    };
    written.into_iter().enumerate().map(diff).collect()
}

/// The difference of a grant.
pub(super) fn grant(
    sides: Sides<'_, PolicyDocument>,
    cosmetic: bool,
    secrets: &Secrets,
) -> Vec<AttributeDiff> {
    let document_of = Document {
        attribute: Attribute::Document,
        home: None,
        cosmetic,
    };
    document(document_of, sides.before, sides.after, secrets)
        .into_iter()
        .collect()
}

/// The difference of an attachment: of its document, or of the ARN that is attached.
pub(super) fn attachment(
    documents: Sides<'_, PolicyDocument>,
    arns: Sides<'_, PolicyArn>,
    cosmetic: bool,
    secrets: &Secrets,
) -> Vec<AttributeDiff> {
    if documents.before.or(documents.after).is_some() {
        return grant(documents, cosmetic, secrets);
    }
    let list = |arn: &PolicyArn| json!([arn]);
    vec![plain(
        Attribute::ManagedPolicies,
        arns.values(list),
        secrets,
    )]
}

/// The differences of a policy; what is desired in another spelling, and a description that cannot change, are cosmetic.
pub(super) fn policy(
    sides: Sides<'_, LivePolicy>,
    spelling: Option<&PolicyDocument>,
    wanted_description: Option<&String>,
    secrets: &Secrets,
) -> Vec<AttributeDiff> {
    let mut diffs = Vec::new();
    let mut push = |attribute: Attribute,
                    value: &dyn Fn(&LivePolicy) -> Value,
                    is_default: &dyn Fn(&LivePolicy) -> bool| {
        if sides.shows(|before, after| value(before) != value(after), is_default) {
            diffs.push(plain(attribute, sides.values(value), secrets));
        }
    };
    push(Attribute::Path, &|policy| json!(policy.path), &|policy| {
        policy.path == IamPath::default()
    });
    push(
        Attribute::Tags,
        &|policy| json!(policy.tags.as_ref().map(own)),
        &|policy| {
            policy
                .tags
                .iter()
                .flatten()
                .all(|(key, _)| is_system_tag(key))
        },
    );
    match (sides.before, wanted_description) {
        (Some(before), Some(wanted)) => diffs.push(AttributeDiff {
            cosmetic: true,
            ..plain(
                Attribute::Description,
                (json!(before.description), json!(wanted)),
                secrets,
            )
        }),
        _ => {
            if let (None, Some(after)) = (sides.before, sides.after)
                && after
                    .description
                    .as_deref()
                    .is_some_and(|text| !text.is_empty())
            {
                diffs.push(plain(
                    Attribute::Description,
                    (Value::Null, json!(after.description)),
                    secrets,
                ));
            }
        }
    }
    let before = sides.before.map(|policy| &policy.document);
    let after = sides.after.map(|policy| &policy.document);
    let document_of = Document {
        attribute: Attribute::Document,
        home: None,
        cosmetic: spelling.is_some(),
    };
    diffs.extend(document(document_of, before, spelling.or(after), secrets));
    diffs.sort_by_key(|diff| diff.attribute);
    diffs
}

fn plain(attribute: Attribute, values: (Value, Value), secrets: &Secrets) -> AttributeDiff {
    masked(attribute, false, values, Vec::new(), secrets)
}

fn masked(
    attribute: Attribute,
    cosmetic: bool,
    (before, after): (Value, Value),
    mut documents: Vec<DocumentDiff>,
    secrets: &Secrets,
) -> AttributeDiff {
    let masker = Masker::new(secrets, &after);
    let shown = masker.live(&before, None);
    let shown = documents.iter().fold(shown, |shown, document| {
        with_statements(shown, &before, document, &masker)
    });
    for statement in documents
        .iter_mut()
        .flat_map(|document| &mut document.statements)
    {
        statement.before = statement
            .before
            .as_ref()
            .map(|value| masker.live(value, statement.after.as_ref()));
        statement.after = statement.after.as_ref().map(|value| masker.desired(value));
    }
    let widens = documents
        .iter()
        .flat_map(|document| &document.statements)
        .any(|statement| statement.widens);
    AttributeDiff {
        attribute,
        cosmetic,
        widens,
        reverse_widens: false,
        cause: None,
        before: shown,
        after: masker.desired(&after),
        documents,
    }
}

/// The whole of a live document as it is `shown`, with each statement that changes as it reads beside the one that
/// takes its place.
fn with_statements(
    mut shown: Value,
    before: &Value,
    document: &DocumentDiff,
    masker: &Masker<'_>,
) -> Value {
    let written = match &document.policy {
        Some(policy) => before.get(policy),
        None => Some(before),
    };
    let slot = match &document.policy {
        Some(policy) => shown.get_mut(policy),
        None => Some(&mut shown),
    };
    let (Some(written), Some(slot)) = (
        written.and_then(|value| value.get("Statement")),
        slot.and_then(|value| value.get_mut("Statement")),
    ) else {
        return shown;
    };
    let beside = |value: &Value| {
        let mut pairs = document.statements.iter();
        let pair = pairs.find(|statement| statement.before.as_ref() == Some(value))?;
        Some(masker.live(value, pair.after.as_ref()))
    };
    match (written, slot) {
        (Value::Array(written), Value::Array(slots)) => {
            for (value, slot) in written.iter().zip(slots) {
                *slot = beside(value).unwrap_or_else(|| slot.take());
            }
        }
        (value, slot) => *slot = beside(value).unwrap_or_else(|| slot.take()),
    }
    shown
}

/// The attributes that differ, in words: `trust policy and tags`.
pub(super) fn attributes(diffs: &[AttributeDiff]) -> String {
    let names: Vec<&str> = diffs.iter().map(|diff| words(diff.attribute)).collect();
    match names.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

fn words(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::Path => "path",
        Attribute::Trust => "trust policy",
        Attribute::Document => "document",
        Attribute::ManagedPolicies => "managed policies",
        Attribute::InlinePolicies => "inline policies",
        Attribute::PermissionsBoundary => "permissions boundary",
        Attribute::MaxSessionDuration => "maximum session duration",
        Attribute::Description => "description",
        Attribute::Tags => "tags",
    }
}

/// Why a change is made, where its maker has not said so already.
pub(super) fn reason(
    action: Action,
    said: String,
    diffs: &[AttributeDiff],
    steps: &[Step],
) -> String {
    if !said.is_empty() {
        return said;
    }
    let semantic: Vec<AttributeDiff> = diffs
        .iter()
        .filter(|diff| !diff.cosmetic)
        .cloned()
        .collect();
    match action {
        Action::Adopt => format!(
            "exists without an ownership tag and is taken over: {}",
            differ(&semantic)
        ),
        _ if steps.is_empty() => format!(
            "{} only in spelling or in what IAM cannot change",
            differ(diffs)
        ),
        _ => differ(&semantic),
    }
}

/// Says that these attributes differ.
pub fn differ(diffs: &[AttributeDiff]) -> String {
    let verb = if diffs.len() == 1 && !words_are_plural(diffs) {
        "differs"
    } else {
        "differ"
    };
    format!("{} {verb}", attributes(diffs))
}

fn words_are_plural(diffs: &[AttributeDiff]) -> bool {
    diffs
        .iter()
        .any(|diff| words(diff.attribute).ends_with('s'))
}
