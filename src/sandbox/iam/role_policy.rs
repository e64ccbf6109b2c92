//! The policies of a role, user or group: inline, attached, and its permissions boundary.

use super::super::wire::{ApiError, Params, Xml};
use super::document::{self, Placement, check_identity, encoded, size};
use super::entity::{Iam, last_segment};
use super::holder::Holder;
use super::page::page;
use super::rules::{self, NAME_OF_POLICY};
use super::xml::text;

pub(super) fn put(iam: &mut Iam<'_>, params: &Params, holder: Holder) -> Result<Xml, ApiError> {
    let name = rules::name(params, "PolicyName", NAME_OF_POLICY)?;
    let text = document::parameter(params, "PolicyDocument")?;
    let mut held = holder.to_change(iam, params)?;
    check_identity(text, Placement::Inline, &iam.world.partition.0)?;
    let quota = match holder {
        Holder::Role => "RolePolicySizeQuota",
        Holder::User => "UserPolicySizeQuota",
        Holder::Group => "GroupPolicySizeQuota",
    };
    rules::within(&iam.state, quota, "PolicySize", size(text))?;
    held.inline.insert(name.to_owned(), text.to_owned());
    let most = rules::quota(&iam.state, quota);
    if held
        .inline
        .values()
        .map(|document| size(document))
        .sum::<usize>()
        > most
    {
        let (word, name) = (holder.word().to_lowercase(), held.name);
        let message = format!("Maximum policy size of {most} bytes exceeded for {word} {name}");
        return Err(ApiError::new(409, "LimitExceeded", message));
    }
    holder.put(iam, held);
    Ok(Xml::empty())
}

pub(super) fn get(iam: &mut Iam<'_>, params: &Params, holder: Holder) -> Result<Xml, ApiError> {
    let name = rules::name(params, "PolicyName", NAME_OF_POLICY)?;
    let held = holder.seen(iam, params)?;
    let document = held
        .inline
        .get(name)
        .ok_or_else(|| no_such_inline(holder, name))?;
    let member = match holder {
        Holder::Role => "RoleName",
        Holder::User => "UserName",
        Holder::Group => "GroupName",
    };
    let fields = vec![
        text(member, &held.name),
        text("PolicyName", name),
        ("PolicyDocument", Some(encoded(document))),
    ];
    Ok(Xml::Fields(fields))
}

pub(super) fn list(iam: &mut Iam<'_>, params: &Params, holder: Holder) -> Result<Xml, ApiError> {
    let held = holder.seen(iam, params)?;
    let page = page(
        iam,
        params,
        held.inline.keys().map(|name| (name.clone(), name)),
    )?;
    Ok(page.answer("PolicyNames", Xml::text))
}

pub(super) fn delete(iam: &mut Iam<'_>, params: &Params, holder: Holder) -> Result<Xml, ApiError> {
    let name = rules::name(params, "PolicyName", NAME_OF_POLICY)?;
    let mut held = holder.to_change(iam, params)?;
    held.inline
        .remove(name)
        .ok_or_else(|| no_such_inline(holder, name))?;
    holder.put(iam, held);
    Ok(Xml::empty())
}

fn no_such_inline(holder: Holder, name: &str) -> ApiError {
    let word = holder.word().to_lowercase();
    ApiError::no_such_entity(format!(
        "The {word} policy with name {name} cannot be found."
    ))
}

/// Attaching what is attached already is not an error, and changes nothing.
pub(super) fn attach(iam: &mut Iam<'_>, params: &Params, holder: Holder) -> Result<Xml, ApiError> {
    let arn = policy_arn(params, "PolicyArn")?;
    let mut held = holder.to_change(iam, params)?;
    if !exists(iam, arn) {
        return Err(ApiError::no_such_entity(format!(
            "Policy {arn} does not exist or is not attachable."
        )));
    }
    refuse_service_policy(arn)?;
    if held.attached.iter().any(|attached| attached == arn) {
        return Ok(Xml::empty());
    }
    let (quota, spoken) = match holder {
        Holder::Role => ("AttachedPoliciesPerRoleQuota", "PoliciesPerRole"),
        Holder::User => ("AttachedPoliciesPerUserQuota", "PoliciesPerUser"),
        Holder::Group => ("AttachedPoliciesPerGroupQuota", "PoliciesPerGroup"),
    };
    rules::within(&iam.state, quota, spoken, held.attached.len() + 1)?;
    held.attached.push(arn.to_owned());
    holder.put(iam, held);
    Ok(Xml::empty())
}

pub(super) fn detach(iam: &mut Iam<'_>, params: &Params, holder: Holder) -> Result<Xml, ApiError> {
    let arn = policy_arn(params, "PolicyArn")?;
    let mut held = holder.to_change(iam, params)?;
    let position = held.attached.iter().position(|attached| attached == arn);
    let position =
        position.ok_or_else(|| ApiError::no_such_entity(format!("Policy {arn} was not found.")))?;
    held.attached.remove(position);
    holder.put(iam, held);
    Ok(Xml::empty())
}

pub(super) fn list_attached(
    iam: &mut Iam<'_>,
    params: &Params,
    holder: Holder,
) -> Result<Xml, ApiError> {
    let prefix = rules::path_prefix(params)?;
    let mut attached = holder.seen(iam, params)?.attached;
    attached.retain(|arn| policy_path(arn).starts_with(prefix));
    attached.sort_by_key(|arn| sort_key(arn));
    let page = page(iam, params, attached.iter().map(|arn| (sort_key(arn), arn)))?;
    Ok(page.answer("AttachedPolicies", |arn| attached_xml(arn)))
}

fn sort_key(arn: &str) -> String {
    format!("{} {arn}", last_segment(arn).to_ascii_lowercase())
}

/// The path of a policy, out of its ARN.
fn policy_path(arn: &str) -> &str {
    let resource = arn
        .split_once(":policy")
        .map_or(arn, |(_, resource)| resource);
    resource
        .strip_suffix(last_segment(resource))
        .unwrap_or(resource)
}

/// One attached policy in an answer.
pub(super) fn attached_xml(arn: &str) -> Xml {
    Xml::Fields(vec![
        text("PolicyName", last_segment(arn)),
        text("PolicyArn", arn),
    ])
}

pub(super) fn put_boundary(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    params.require("PermissionsBoundary")?;
    let boundary = boundary(iam, params)?;
    let mut role = iam.role_to_change(params)?;
    role.boundary = boundary;
    iam.put_role(role);
    Ok(Xml::empty())
}

pub(super) fn delete_boundary(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let mut role = iam.role_to_change(params)?;
    role.boundary = None;
    iam.put_role(role);
    Ok(Xml::empty())
}

/// The parameter `PermissionsBoundary`: the ARN of a policy that exists.
pub(super) fn boundary(iam: &Iam<'_>, params: &Params) -> Result<Option<String>, ApiError> {
    if params.get("PermissionsBoundary").is_none() {
        return Ok(None);
    }
    let arn = policy_arn(params, "PermissionsBoundary")?;
    if exists(iam, arn) {
        refuse_service_policy(arn)?;
        return Ok(Some(arn.to_owned()));
    }
    Err(ApiError::no_such_entity(format!(
        "Scope ARN: {arn} does not exist or is not attachable."
    )))
}

/// A parameter that holds a policy's ARN: 20 to 2048 characters.
pub(super) fn policy_arn<'p>(params: &'p Params, parameter: &str) -> Result<&'p str, ApiError> {
    let arn = params.require(parameter)?;
    rules::length(parameter, arn, 20, 2048)?;
    if arn.starts_with("arn:") && arn.contains(":iam::") && arn.contains(":policy/") {
        return Ok(arn);
    }
    Err(ApiError::new(
        400,
        "InvalidInput",
        format!("ARN {arn} is not valid."),
    ))
}

/// Whether a policy can be attached: a customer managed one of this account, or one of AWS in this partition.
fn exists(iam: &Iam<'_>, arn: &str) -> bool {
    let of_aws = || {
        let policy = iam.world.aws_managed(arn);
        policy.is_some_and(|policy| policy.arn(&iam.world.partition.0) == arn)
    };
    iam.latest_policy(arn).is_some() || of_aws()
}

/// `PolicyNotAttachable` 400 for a policy that only service-linked roles have.
fn refuse_service_policy(arn: &str) -> Result<(), ApiError> {
    if arn.contains("::aws:policy/aws-service-role/") {
        let message = "Cannot attach a Service Role Policy to a Customer Role.";
        return Err(ApiError::new(400, "PolicyNotAttachable", message));
    }
    Ok(())
}
