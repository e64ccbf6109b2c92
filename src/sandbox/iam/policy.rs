//! Managed policies: customer managed ones with their versions and tags, and AWS's, which can only be read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::managed::Managed;
use super::super::wire::{ApiError, Params, Xml};
use super::super::world::{PolicyState, PolicyVersionState};
use super::document::{self, Placement, check_identity, encoded, size};
use super::entity::{Iam, delete_conflict};
use super::holder::{Holder, View, entities};
use super::page::page;
use super::role_policy::policy_arn;
use super::rules::{self, KeyCase, NAME_OF_POLICY};
use super::xml::{Field, date, text, wrap};

/// How often a policy is attached, and how often it is a boundary.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    attached: usize,
    boundary: usize,
}

/// How every policy of the account is used, by ARN.
pub(super) fn usages<'a>(iam: &'a Iam<'_>, view: View) -> BTreeMap<&'a str, Usage> {
    let mut usages: BTreeMap<&str, Usage> = BTreeMap::new();
    for entity in entities(iam, view) {
        for arn in entity.attached {
            usages.entry(arn).or_default().attached += 1;
        }
        if let Some(arn) = entity.boundary {
            usages.entry(arn).or_default().boundary += 1;
        }
    }
    usages
}

/// An AWS managed policy as if it were of this account, with its ARN.
pub(super) fn of_aws(iam: &Iam<'_>, policy: &Managed) -> (String, Arc<PolicyState>) {
    let version = PolicyVersionState {
        id: "v1".to_owned(),
        document: policy.document.to_string(),
        created: Duration::ZERO,
    };
    let state = PolicyState {
        name: policy.name.to_string(),
        id: policy.id(),
        path: policy.path.to_string(),
        description: None,
        versions: vec![version],
        default_version: "v1".to_owned(),
        next_version: 2,
        tags: BTreeMap::new(),
        created: Duration::ZERO,
    };
    (policy.arn(&iam.world.partition.0), Arc::new(state))
}

/// The policy of the parameter `PolicyArn` as reads see it, with its ARN.
fn seen(iam: &Iam<'_>, params: &Params) -> Result<(String, Arc<PolicyState>), ApiError> {
    let arn = policy_arn(params, "PolicyArn")?;
    let of_aws = iam
        .world
        .aws_managed(arn)
        .map(|policy| of_aws(iam, policy))
        .filter(|(its_arn, _)| its_arn == arn);
    let of_customer = || {
        iam.seen_policy(arn)
            .map(|policy| (arn.to_owned(), Arc::clone(policy)))
    };
    of_aws.or_else(of_customer).ok_or_else(|| not_found(arn))
}

/// The truth about the customer managed policy of the parameter `PolicyArn`.
fn to_change(iam: &Iam<'_>, params: &Params) -> Result<PolicyState, ApiError> {
    let arn = policy_arn(params, "PolicyArn")?;
    if iam.world.aws_managed(arn).is_some() {
        return Err(ApiError::new(
            403,
            "AccessDenied",
            "Policy is outside your own account.",
        ));
    }
    iam.latest_policy(arn)
        .map(|policy| PolicyState::clone(policy))
        .ok_or_else(|| not_found(arn))
}

fn not_found(arn: &str) -> ApiError {
    ApiError::no_such_entity(format!("Policy {arn} was not found."))
}

/// The parameter `PolicyDocument`, checked as a managed policy.
fn managed_document(iam: &Iam<'_>, params: &Params) -> Result<String, ApiError> {
    let document = document::parameter(params, "PolicyDocument")?;
    check_identity(document, Placement::Managed, &iam.world.partition.0)?;
    rules::within(&iam.state, "PolicySizeQuota", "PolicySize", size(document))?;
    Ok(document.to_owned())
}

pub(super) fn create(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let name = rules::name(params, "PolicyName", NAME_OF_POLICY)?;
    let (path, description) = (rules::policy_path(params)?, rules::description(params)?);
    let mut tags = BTreeMap::new();
    rules::set_tags(&mut tags, params, KeyCase::Kept)?;
    let document = managed_document(iam, params)?;
    let living = iam
        .state
        .policies
        .iter()
        .filter(|(_, policy)| policy.latest().is_some());
    if living
        .clone()
        .any(|(key, _)| *key == name.to_ascii_lowercase())
    {
        let message =
            format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(ApiError::new(409, "EntityAlreadyExists", message));
    }
    rules::within(
        &iam.state,
        "PoliciesQuota",
        "PoliciesPerAccount",
        living.count() + 1,
    )?;
    let policy = PolicyState {
        name: name.to_owned(),
        id: iam.world.ids.unique("ANPA"),
        path,
        description,
        versions: vec![PolicyVersionState {
            id: "v1".to_owned(),
            document,
            created: iam.now,
        }],
        default_version: "v1".to_owned(),
        next_version: 2,
        tags,
        created: iam.now,
    };
    let answer = wrap(
        "Policy",
        whole(&iam.policy_arn(&policy), &policy, Usage::default()),
    );
    iam.put_policy(policy);
    Ok(answer)
}

pub(super) fn get(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (arn, policy) = seen(iam, params)?;
    let usage = usages(iam, View::Seen)
        .get(arn.as_str())
        .copied()
        .unwrap_or_default();
    Ok(wrap("Policy", whole(&arn, &policy, usage)))
}

pub(super) fn list(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let scope = rules::choice(params, "Scope", &["All", "AWS", "Local"])?.unwrap_or("All");
    let filter = rules::choice(
        params,
        "PolicyUsageFilter",
        &["PermissionsPolicy", "PermissionsBoundary"],
    )?;
    let prefix = rules::path_prefix(params)?;
    let only_attached = params.get("OnlyAttached") == Some("true");
    let usages = usages(iam, View::Seen);
    let usage = |arn: &str| usages.get(arn).copied().unwrap_or_default();
    let of_aws = iam
        .world
        .managed
        .iter()
        .filter(|_| scope != "Local")
        .map(|policy| of_aws(iam, policy));
    let customers = iam.seen_policies().filter(|_| scope != "AWS");
    let customers = customers.map(|(_, policy)| (iam.policy_arn(policy), Arc::clone(policy)));
    let mut policies: Vec<_> = of_aws
        .chain(customers)
        .filter(|(arn, policy)| {
            let Usage { attached, boundary } = usage(arn);
            let used = match filter {
                Some("PermissionsBoundary") => boundary > 0,
                Some(_) => attached > 0,
                None => !only_attached || attached > 0,
            };
            used && policy.path.starts_with(prefix)
        })
        .map(|(arn, policy)| {
            (
                format!("{} {arn}", policy.name.to_ascii_lowercase()),
                (arn, policy),
            )
        })
        .collect();
    policies.sort_by(|(one, _), (other, _)| one.cmp(other));
    let page = page(iam, params, policies)?;
    Ok(page.answer("Policies", |(arn, policy)| {
        Xml::Fields(summary(&arn, &policy, usage(&arn)))
    }))
}

pub(super) fn delete(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let policy = to_change(iam, params)?;
    if usages(iam, View::Latest).contains_key(iam.policy_arn(&policy).as_str()) {
        return Err(delete_conflict(
            "Cannot delete a policy attached to entities.",
        ));
    }
    if policy.versions.len() > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        ));
    }
    let key = policy.name.to_ascii_lowercase();
    if iam.world.lag.is_zero() {
        iam.state.policies.remove(&key);
    } else if let Some(entry) = iam.state.policies.get_mut(&key) {
        entry.set(iam.now, iam.world.lag, None);
    }
    Ok(Xml::empty())
}

pub(super) fn create_version(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut policy = to_change(iam, params)?;
    let document = managed_document(iam, params)?;
    let most = rules::quota(&iam.state, "VersionsPerPolicyQuota");
    if policy.versions.len() >= most {
        let message = format!(
            "A managed policy can have up to {most} versions. Before you create a new version, you must delete an existing version."
        );
        return Err(ApiError::new(409, "LimitExceeded", message));
    }
    let version = PolicyVersionState {
        id: format!("v{}", policy.next_version),
        document,
        created: iam.now,
    };
    policy.next_version += 1;
    if params.get("SetAsDefault") == Some("true") {
        policy.default_version.clone_from(&version.id);
    }
    let answer = wrap(
        "PolicyVersion",
        Xml::Fields(version_summary(&policy, &version)),
    );
    policy.versions.push(version);
    iam.put_policy(policy);
    Ok(answer)
}

pub(super) fn get_version(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (arn, policy) = seen(iam, params)?;
    let version = find_version(&arn, &policy, params)?;
    Ok(wrap("PolicyVersion", version_xml(&policy, version)))
}

/// The newest version comes first.
pub(super) fn list_versions(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (_, policy) = seen(iam, params)?;
    let key = |version: &PolicyVersionState| {
        let number = version.id.trim_start_matches('v').parse().unwrap_or(0);
        format!("{:010}", u32::MAX - number)
    };
    let page = page(
        iam,
        params,
        policy
            .versions
            .iter()
            .rev()
            .map(|version| (key(version), version)),
    )?;
    Ok(page.answer("Versions", |version| {
        Xml::Fields(version_summary(&policy, version))
    }))
}

pub(super) fn set_default_version(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut policy = to_change(iam, params)?;
    let arn = iam.policy_arn(&policy);
    let version = find_version(&arn, &policy, params)?.id.clone();
    policy.default_version = version;
    iam.put_policy(policy);
    Ok(Xml::empty())
}

pub(super) fn delete_version(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut policy = to_change(iam, params)?;
    let id = find_version(&iam.policy_arn(&policy), &policy, params)?
        .id
        .clone();
    if id == policy.default_version {
        return Err(delete_conflict(
            "Cannot delete the default version of a policy.",
        ));
    }
    policy.versions.retain(|version| version.id != id);
    iam.put_policy(policy);
    Ok(Xml::empty())
}

fn find_version<'s>(
    arn: &str,
    policy: &'s PolicyState,
    params: &Params,
) -> Result<&'s PolicyVersionState, ApiError> {
    let id = params.require("VersionId")?;
    let missing = || {
        ApiError::no_such_entity(format!(
            "Policy {arn} version {id} does not exist or is not attachable."
        ))
    };
    policy
        .versions
        .iter()
        .find(|version| version.id == id)
        .ok_or_else(missing)
}

pub(super) fn tag(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut policy = to_change(iam, params)?;
    rules::set_tags(&mut policy.tags, params, KeyCase::Kept)?;
    iam.put_policy(policy);
    Ok(Xml::empty())
}

pub(super) fn untag(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut policy = to_change(iam, params)?;
    rules::remove_tags(&mut policy.tags, params, KeyCase::Kept);
    iam.put_policy(policy);
    Ok(Xml::empty())
}

pub(super) fn list_tags(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let (_, policy) = seen(iam, params)?;
    let page = page(
        iam,
        params,
        policy
            .tags
            .iter()
            .map(|(key, value)| (key.clone(), (key, value))),
    )?;
    Ok(page.answer("Tags", |(key, value)| rules::tag_xml(key, value)))
}

/// Without `PolicyUsageFilter` both uses are returned.
pub(super) fn list_entities(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    const KINDS: &[&str] = &[
        "User",
        "Role",
        "Group",
        "LocalManagedPolicy",
        "AWSManagedPolicy",
    ];
    let (arn, _) = seen(iam, params)?;
    let kind = rules::choice(params, "EntityFilter", KINDS)?;
    let usage = rules::choice(
        params,
        "PolicyUsageFilter",
        &["PermissionsPolicy", "PermissionsBoundary"],
    )?;
    let prefix = rules::path_prefix(params)?;
    let using = entities(iam, View::Seen).filter(|entity| {
        let attached = usage != Some("PermissionsBoundary") && entity.attached.contains(&arn);
        let boundary = usage != Some("PermissionsPolicy") && entity.boundary == Some(arn.as_str());
        (attached || boundary)
            && kind.is_none_or(|kind| kind == entity.holder.word())
            && entity.path.starts_with(prefix)
    });
    let key = |word: &str, name: &str| format!("{word} {}", name.to_ascii_lowercase());
    let page = page(
        iam,
        params,
        using.map(|entity| (key(entity.holder.word(), entity.name), entity)),
    )?;
    let list = |holder: Holder, name: &'static str, id: &'static str| {
        let entities = page.items.iter().filter(|entity| entity.holder == holder);
        Some(Xml::List(
            entities
                .map(|entity| Xml::Fields(vec![text(name, entity.name), text(id, entity.id)]))
                .collect(),
        ))
    };
    let mut fields = vec![
        ("PolicyGroups", list(Holder::Group, "GroupName", "GroupId")),
        ("PolicyRoles", list(Holder::Role, "RoleName", "RoleId")),
        ("PolicyUsers", list(Holder::User, "UserName", "UserId")),
    ];
    fields.extend(page.tail());
    Ok(Xml::Fields(fields))
}

/// What lists tell of a policy. Source: IAM API Reference, `ListPolicies`: neither description nor tags.
fn summary(arn: &str, policy: &PolicyState, usage: Usage) -> Vec<Field> {
    let updated = policy
        .versions
        .iter()
        .map(|version| version.created)
        .max()
        .unwrap_or(policy.created);
    vec![
        text("PolicyName", &policy.name),
        text("PolicyId", &policy.id),
        text("Arn", arn),
        text("Path", &policy.path),
        text("DefaultVersionId", &policy.default_version),
        text("AttachmentCount", usage.attached),
        text("PermissionsBoundaryUsageCount", usage.boundary),
        text("IsAttachable", true),
        text("CreateDate", date(policy.created)),
        text("UpdateDate", date(updated)),
    ]
}

fn whole(arn: &str, policy: &PolicyState, usage: Usage) -> Xml {
    let mut fields = summary(arn, policy, usage);
    fields.push(("Description", policy.description.as_ref().map(Xml::text)));
    fields.push(rules::tags_field(&policy.tags));
    Xml::Fields(fields)
}

/// What `GetAccountAuthorizationDetails` tells of a policy: every version with its document, no tags.
pub(super) fn detail(arn: &str, policy: &PolicyState, usage: Usage) -> Xml {
    let versions = policy
        .versions
        .iter()
        .rev()
        .map(|version| version_xml(policy, version));
    let mut fields = summary(arn, policy, usage);
    fields.push(("Description", policy.description.as_ref().map(Xml::text)));
    fields.push(("PolicyVersionList", Some(Xml::List(versions.collect()))));
    Xml::Fields(fields)
}

fn version_summary(policy: &PolicyState, version: &PolicyVersionState) -> Vec<Field> {
    vec![
        text("VersionId", &version.id),
        text("IsDefaultVersion", version.id == policy.default_version),
        text("CreateDate", date(version.created)),
    ]
}

fn version_xml(policy: &PolicyState, version: &PolicyVersionState) -> Xml {
    let mut fields = version_summary(policy, version);
    fields.push(("Document", Some(encoded(&version.document))));
    Xml::Fields(fields)
}
