//! `SimulatePrincipalPolicy`: what the policies of a user, group or role would say to actions on resources.
//!
//! Judged are the principal's own policies, those given with `PolicyInputList`, and the boundary: its own, or one given
//! with `PermissionsBoundaryPolicyInputList`. Resource policies are not: a simulation that brings one is refused.
//! Source: IAM API Reference, `SimulatePrincipalPolicy` and `EvaluationResult`.

use std::collections::{BTreeMap, BTreeSet};

use rolecall_core::evaluate::{Decision, Identity, Request, Voice, evaluate};
use rolecall_core::resource::policy::pattern::{Token, Variables, tokens};
use rolecall_core::resource::policy::{PolicyDocument, PolicyKind};

use super::super::caller::Held;
use super::super::wire::{ApiError, Params, Xml};
use super::document::{Placement, check_identity};
use super::entity::Iam;
use super::page::page;
use super::xml::text;

pub(super) fn principal_policy(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let source = params.require("PolicySourceArn")?;
    let account = iam.account.to_string();
    let own = source.split(':').nth(4) == Some(account.as_str());
    let held = Held::at(&iam.state, iam.now, source).filter(|_| own);
    let held = held
        .ok_or_else(|| ApiError::no_such_entity(format!("The entity {source} cannot be found.")))?;
    if params.get("ResourcePolicy").is_some() {
        return Err(ApiError::new(
            501,
            "NotImplemented",
            "the sandbox does not simulate resource policies",
        ));
    }
    let actions = params.list("ActionNames");
    if actions.is_empty() {
        params.require("ActionNames")?;
    }
    let identity = with_inputs(iam, held.identity(&iam.state, iam.now, iam.world), params)?;
    let context = context(params)?;
    let resources = Some(params.list("ResourceArns"))
        .filter(|arns| !arns.is_empty())
        .unwrap_or_else(|| vec!["*"]);
    let mut results = Vec::new();
    for action in actions {
        if !is_action(action) {
            return Err(ApiError::new(
                400,
                "InvalidInput",
                format!("Invalid Action name: {action}"),
            ));
        }
        for resource in &resources {
            let key = format!("{:06}", results.len());
            results.push((key, result(&identity, action, resource, &context)));
        }
    }
    let page = page(iam, params, results)?;
    Ok(page.answer("EvaluationResults", |result| result.clone()))
}

/// `service:Action`, without wildcards.
fn is_action(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 2 && parts.iter().all(|part| !part.is_empty()) && !text.contains(['*', '?'])
}

fn with_inputs(
    iam: &Iam<'_>,
    mut identity: Identity,
    params: &Params,
) -> Result<Identity, ApiError> {
    let read = |text: &&str| {
        check_identity(text, Placement::Inline, &iam.world.partition.0)?;
        Ok(PolicyDocument::live(
            text,
            PolicyKind::Identity,
            &iam.world.partition,
        ))
    };
    for (place, given) in params.list("PolicyInputList").iter().enumerate() {
        identity
            .policies
            .push((format!("PolicyInputList.{}", place + 1), read(given)?));
    }
    if let Some(given) = params.list("PermissionsBoundaryPolicyInputList").first() {
        identity.boundary = Some(read(given)?);
    }
    Ok(identity)
}

fn context(params: &Params) -> Result<BTreeMap<String, Vec<String>>, ApiError> {
    let entries = params.structs("ContextEntries");
    let entry = |entry: &Params| {
        let values = entry
            .list("ContextKeyValues")
            .into_iter()
            .map(str::to_owned)
            .collect();
        Ok((entry.require("ContextKeyName")?.to_owned(), values))
    };
    entries.iter().map(entry).collect()
}

fn result(
    identity: &Identity,
    action: &str,
    resource: &str,
    context: &BTreeMap<String, Vec<String>>,
) -> Xml {
    let request = Request {
        action: action.to_owned(),
        resource: resource.to_owned(),
        context: context.clone(),
        ..Request::default()
    };
    let (decision, voice) = identity.decide(&request);
    let word = match decision {
        Decision::Allow => "allowed",
        Decision::ExplicitDeny => "explicitDeny",
        Decision::ImplicitDeny | Decision::Undecided => "implicitDeny",
    };
    let missing = Xml::List(
        missing(identity, context)
            .into_iter()
            .map(Xml::Text)
            .collect(),
    );
    let matched = match &voice {
        Voice::Policy(why) => identity.policies.get(why.policy).map(|(name, _)| name),
        Voice::Boundary | Voice::None => None,
    };
    let matched = matched.map(|name| {
        let kind = match name.as_str() {
            name if name.starts_with("arn:") && name.contains(":iam::aws:") => "aws-managed",
            name if name.starts_with("arn:") => "user-managed",
            _ => "none",
        };
        Xml::Fields(vec![
            text("SourcePolicyId", name),
            text("SourcePolicyType", kind),
        ])
    });
    let mut fields = vec![
        text("EvalActionName", action),
        text("EvalResourceName", resource),
        text("EvalDecision", word),
        (
            "MatchedStatements",
            Some(Xml::List(matched.into_iter().collect())),
        ),
    ];
    let boundary = identity.boundary.as_ref().map(|boundary| {
        let allowed = evaluate(&[boundary], &request) == Decision::Allow;
        Xml::Fields(vec![text("AllowedByPermissionsBoundary", allowed)])
    });
    // Where resources were named, what is missing stands with each of them.
    if resource == "*" {
        fields.push(("MissingContextValues", Some(missing)));
    } else {
        let specific = Xml::Fields(vec![
            text("EvalResourceName", resource),
            text("EvalResourceDecision", word),
            ("MissingContextValues", Some(missing)),
        ]);
        fields.push(("ResourceSpecificResults", Some(Xml::List(vec![specific]))));
    }
    fields.push(("PermissionsBoundaryDecisionDetail", boundary));
    Xml::Fields(fields)
}

/// The condition keys that the policies ask for and the simulation was not given.
fn missing(identity: &Identity, context: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let documents = identity
        .policies
        .iter()
        .map(|(_, policy)| policy)
        .chain(&identity.boundary);
    let mut asked = BTreeSet::new();
    for statement in documents.flat_map(PolicyDocument::statements) {
        asked.extend(
            statement
                .conditions
                .values()
                .flat_map(BTreeMap::keys)
                .cloned(),
        );
        let values = statement
            .conditions
            .values()
            .flat_map(BTreeMap::values)
            .flatten();
        let texts = statement
            .resources
            .iter()
            .flat_map(|resources| &resources.patterns)
            .chain(values);
        asked.extend(
            texts
                .flat_map(|text| tokens(text, Variables::Read))
                .filter_map(|token| match token {
                    Token::Variable(variable) if !["*", "?", "$"].contains(&variable) => {
                        variable.split(',').next().map(|key| key.trim().to_owned())
                    }
                    Token::Variable(_) | Token::Char(_) | Token::Any | Token::One => None,
                }),
        );
    }
    asked.retain(|key| !context.keys().any(|given| given.eq_ignore_ascii_case(key)));
    asked
}
