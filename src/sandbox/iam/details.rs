//! The whole account in one response: `GetAccountAuthorizationDetails` and `GetAccountSummary`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::wire::{ApiError, Params, Xml};
use super::super::world::{GroupState, PolicyState, RoleState, UserState};
use super::document::encoded;
use super::entity::Iam;
use super::holder::View;
use super::page::page;
use super::policy::{self, usages};
use super::principal::{group_fields, user_fields};
use super::profile;
use super::role::{boundary_field, identity};
use super::role_policy::attached_xml;
use super::rules::{self, QUOTAS};
use super::xml::{Field, text, wrap};

/// What the details tell of; a page may hold entities of every kind.
enum Detail<'a> {
    User(&'a UserState),
    Group(&'a GroupState),
    Role(&'a RoleState),
    Policy(String, Arc<PolicyState>),
}

/// Source: IAM API Reference, `GetAccountAuthorizationDetails`. Of a role it tells neither description nor maximum
/// session duration. It lists only those AWS managed policies that are in use.
pub(super) fn authorization_details(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let filter = filter(params)?;
    let usages = usages(iam, View::Seen);
    let page = page(iam, params, entries(iam, &filter, usages.keys().copied()))?;
    let [truncated, marker] = page.tail();
    let (mut users, mut groups, mut roles, mut policies) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for detail in page.items {
        match detail {
            Detail::User(user) => users.push(user_detail(iam, user)),
            Detail::Group(group) => groups.push(group_detail(iam, group)),
            Detail::Role(role) => roles.push(role_detail(iam, role)),
            Detail::Policy(arn, policy) => {
                let usage = usages.get(arn.as_str()).copied().unwrap_or_default();
                policies.push(policy::detail(&arn, &policy, usage));
            }
        }
    }
    Ok(Xml::Fields(vec![
        ("UserDetailList", Some(Xml::List(users))),
        ("GroupDetailList", Some(Xml::List(groups))),
        ("RoleDetailList", Some(Xml::List(roles))),
        ("Policies", Some(Xml::List(policies))),
        truncated,
        marker,
    ]))
}

/// The kinds that are asked for: all of them where none is named.
fn filter(params: &Params) -> Result<Vec<&str>, ApiError> {
    const KINDS: &[&str] = &[
        "User",
        "Role",
        "Group",
        "LocalManagedPolicy",
        "AWSManagedPolicy",
    ];
    let filter = params.list("Filter");
    if let Some(unknown) = filter.iter().find(|kind| !KINDS.contains(kind)) {
        let rule = format!(
            "satisfy constraint: [Member must satisfy enum value set: [{}]]",
            KINDS.join(", ")
        );
        return Err(rules::constraint("Filter", &format!("[{unknown}]"), &rule));
    }
    Ok(if filter.is_empty() {
        KINDS.to_vec()
    } else {
        filter
    })
}

/// Users, groups, roles, customer policies, AWS's policies, each by name.
fn entries<'a>(
    iam: &'a Iam<'_>,
    filter: &'a [&str],
    used: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = (String, Detail<'a>)> {
    let wants = |kind: &str| filter.contains(&kind);
    let (users, groups, roles) = (wants("User"), wants("Group"), wants("Role"));
    let (local, of_aws) = (wants("LocalManagedPolicy"), wants("AWSManagedPolicy"));
    let users = iam.state.users.iter().filter(move |_| users);
    let groups = iam.state.groups.iter().filter(move |_| groups);
    let roles = iam.seen_roles().filter(move |_| roles);
    let local = iam.seen_policies().filter(move |_| local);
    let of_aws: BTreeMap<_, _> = used
        .filter(|_| of_aws)
        .filter_map(|arn| iam.world.aws_managed(arn))
        .map(|policy| (format!("5 {}", policy.name), policy::of_aws(iam, policy)))
        .collect();
    users
        .map(|(key, user)| (format!("1 {key}"), Detail::User(user)))
        .chain(groups.map(|(key, group)| (format!("2 {key}"), Detail::Group(group))))
        .chain(roles.map(|(key, role)| (format!("3 {key}"), Detail::Role(role))))
        .chain(local.map(|(key, policy)| {
            (
                format!("4 {key}"),
                Detail::Policy(iam.policy_arn(policy), Arc::clone(policy)),
            )
        }))
        .chain(
            of_aws
                .into_iter()
                .map(|(key, (arn, policy))| (key, Detail::Policy(arn, policy))),
        )
}

fn inline(name: &'static str, policies: &BTreeMap<String, String>) -> Field {
    let policies = policies.iter().map(|(name, document)| {
        Xml::Fields(vec![
            text("PolicyName", name),
            ("PolicyDocument", Some(encoded(document))),
        ])
    });
    (name, Some(Xml::List(policies.collect())))
}

fn attached(arns: &[String]) -> Field {
    (
        "AttachedManagedPolicies",
        Some(Xml::List(
            arns.iter().map(|arn| attached_xml(arn)).collect(),
        )),
    )
}

fn user_detail(iam: &Iam<'_>, user: &UserState) -> Xml {
    let groups = user
        .groups
        .iter()
        .filter_map(|key| iam.state.groups.get(key))
        .map(|group| Xml::text(&group.name));
    let mut fields = user_fields(iam, user);
    fields.extend([
        inline("UserPolicyList", &user.inline),
        ("GroupList", Some(Xml::List(groups.collect()))),
        attached(&user.attached),
        boundary_field(user.boundary.as_deref()),
        rules::tags_field(&user.tags),
    ]);
    Xml::Fields(fields)
}

fn group_detail(iam: &Iam<'_>, group: &GroupState) -> Xml {
    let mut fields = group_fields(iam, group);
    fields.extend([
        inline("GroupPolicyList", &group.inline),
        attached(&group.attached),
    ]);
    Xml::Fields(fields)
}

fn role_detail(iam: &Iam<'_>, role: &RoleState) -> Xml {
    let key = role.name.to_ascii_lowercase();
    let profiles = iam
        .state
        .profiles
        .values()
        .filter(|profile| profile.role.as_ref() == Some(&key));
    let profiles = profiles.map(|profile| profile::listed(iam, profile));
    let mut fields = identity(iam, role);
    fields.extend([
        ("InstanceProfileList", Some(Xml::List(profiles.collect()))),
        inline("RolePolicyList", &role.inline),
        attached(&role.attached),
        boundary_field(role.boundary.as_deref()),
        rules::tags_field(&role.tags),
        ("RoleLastUsed", Some(Xml::empty())),
    ]);
    Xml::Fields(fields)
}

/// What the account holds and may hold. Source: IAM API Reference, `GetAccountSummary`.
#[expect(clippy::unnecessary_wraps, reason = "every operation may refuse")]
pub(super) fn summary(iam: &mut Iam<'_>, _: &Params) -> Result<Xml, ApiError> {
    let versions: usize = iam
        .seen_policies()
        .map(|(_, policy)| policy.versions.len())
        .sum();
    let counts = [
        ("AccountMFAEnabled", 1),
        ("Groups", iam.state.groups.len()),
        ("InstanceProfiles", iam.state.profiles.len()),
        ("Policies", iam.seen_policies().count()),
        ("PolicyVersionsInUse", versions),
        ("Roles", iam.seen_roles().count()),
        ("Users", iam.state.users.len()),
    ];
    let quotas = QUOTAS
        .iter()
        .map(|(name, _)| (*name, rules::quota(&iam.state, name)));
    let entries = counts.into_iter().chain(quotas).map(|(key, value)| {
        (
            "entry",
            Some(Xml::Fields(vec![text("key", key), text("value", value)])),
        )
    });
    Ok(wrap("SummaryMap", Xml::Fields(entries.collect())))
}
