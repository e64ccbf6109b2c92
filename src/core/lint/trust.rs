//! Lints of trust policies: who can assume a role that should not, and who cannot that should.

use std::collections::BTreeSet;

use super::context::{
    Context, EXTERNAL_ID, allows, described, is_let_in, listed, named, names_everybody, principals,
    wanted,
};
use crate::evaluate::{Entrant, Key, Kind, MFA, federated, outsider, serving_stranger};
use crate::org::AccountId;
use crate::resource::policy::{PolicyDocument, Statement};

/// An id that no vendor agreed on with anybody.
const WRONG_ID: &str = "another-customers-id";

/// Services whose calls to STS carry no `aws:SourceArn` and no `aws:SourceAccount`, so that a condition on them would
/// lock the service out.
///
/// - `ec2`: an instance profile only ever gives a role to instances of its own account (Amazon EC2 User Guide, "IAM
///   roles for Amazon EC2").
/// - `eks`: the cluster role, which only a cluster of its account can be given (Amazon EKS User Guide, "Amazon EKS
///   cluster IAM role").
/// - `lambda`: `aws:SourceArn` applies only to policies where the function is the target, and a function is given a role
///   of its own account (AWS Lambda Developer Guide, "Using source function ARN to control function access behavior" and
///   "Defining Lambda function permissions with an execution role").
/// - `pods.eks`: Pod Identity tells clusters apart by session tags (Amazon EKS User Guide, "Create IAM role with trust
///   policy required by EKS Pod Identity").
/// - `vmie`: names itself by the external id `vmimport` (VM Import/Export User Guide, "Required service role").
const SEND_NO_SOURCE: &[&str] = &["ec2", "eks", "lambda", "pods.eks", "vmie"];

/// Everyone may assume the role.
pub(super) fn public_trust(context: &Context<'_>, said: &mut Vec<String>) {
    if !context.is_public {
        return;
    }
    let trust = &context.role.trust;
    let open = allows(trust)
        .any(|statement| names_everybody(statement) && statement.conditions.is_empty());
    let id = if wanted(trust, EXTERNAL_ID).next().is_some() {
        " (an external id is not a secret)"
    } else {
        ""
    };
    said.push(if open {
        "trusts everyone: its principal is `*` and no condition restricts it".to_owned()
    } else {
        format!(
            "trusts everyone: its principal is `*` and its conditions do not keep outsiders out{id}"
        )
    });
}

/// A machine of another organization gets in without saying on whose behalf.
///
/// Source: IAM User Guide, "The confused deputy problem". A role that requires MFA is for people, who are not deputies.
pub(super) fn no_external_id(context: &Context<'_>, said: &mut Vec<String>) {
    let trust = &context.role.trust;
    let gets_in = |arn: &String, account: &AccountId| {
        let machine = without_mfa(outsider(trust, arn, account.as_str()));
        let without = machine.clone().with(EXTERNAL_ID, Key::Absent);
        let with_another = machine.with(EXTERNAL_ID, Key::OneOf(vec![WRONG_ID.to_owned()]));
        is_let_in(&without, trust) || is_let_in(&with_another, trust)
    };
    let open = context
        .outsiders
        .iter()
        .filter(|(account, arns)| arns.iter().any(|arn| gets_in(arn, account)));
    let open: Vec<AccountId> = open.map(|(account, _)| *account).collect();
    if !open.is_empty() {
        let demand = if wanted(trust, EXTERNAL_ID).next().is_some() {
            "a definite external id"
        } else {
            "an external id"
        };
        said.push(format!(
            "trusts {} without {demand}",
            context.accounts(&open)
        ));
    }
}

fn without_mfa(caller: Entrant) -> Entrant {
    MFA.iter()
        .fold(caller, |caller, key| caller.with(key, Key::Absent))
}

/// Another role has the same external id.
pub(super) fn shared_external_id(context: &Context<'_>, said: &mut Vec<String>) {
    let others = context.shared.others(context.role);
    let others: Vec<String> = others
        .values()
        .map(|role| described(&role.name, role))
        .collect();
    if !others.is_empty() {
        let word = if others.len() == 1 { "role" } else { "roles" };
        said.push(format!(
            "has the same external id as {word} {}",
            listed(&others)
        ));
    }
}

/// MFA is required of a caller that has none: whoever presents an external id, a service, an OIDC identity.
pub(super) fn mfa_on_machine(context: &Context<'_>, said: &mut Vec<String>) {
    let trust = &context.role.trust;
    if MFA.iter().all(|key| wanted(trust, key).next().is_none()) {
        return;
    }
    let machines: BTreeSet<String> = allows(trust)
        .flat_map(|statement| locked_out(trust, statement))
        .collect();
    let machines: Vec<String> = machines.into_iter().collect();
    if !machines.is_empty() {
        said.push(format!(
            "requires MFA of {}, which cannot use MFA and so cannot assume it",
            listed(&machines)
        ));
    }
}

/// The machines, in words, that a statement would let in if they had MFA.
fn locked_out(trust: &PolicyDocument, statement: &Statement) -> Vec<String> {
    let ids: Vec<String> = wanted(trust, EXTERNAL_ID).map(str::to_owned).collect();
    let has_id = statement
        .conditions
        .values()
        .any(|keys| keys.contains_key(EXTERNAL_ID));
    let presenting = |kind, name: &str| {
        let caller = Entrant::new(kind, name);
        if ids.is_empty() {
            caller
        } else {
            caller.with(EXTERNAL_ID, Key::OneOf(ids.clone()))
        }
    };
    // A session of a role has the key, and it is false; services and identity providers have none.
    let vendor = named(statement, "AWS")
        .next()
        .filter(|_| has_id)
        .map(|arn| {
            let caller = presenting(Kind::Principal, arn);
            let plain = without_mfa(caller.clone()).with(
                "aws:multifactorauthpresent",
                Key::OneOf(vec!["false".to_owned()]),
            );
            (
                caller,
                plain,
                "software that presents an external id".to_owned(),
            )
        });
    let services = named(statement, "Service").map(|service| {
        let caller = presenting(Kind::Service, service);
        (
            caller.clone(),
            without_mfa(caller),
            format!("service `{service}`"),
        )
    });
    let providers = named(statement, "Federated").filter_map(|provider| {
        let caller = federated::expected(trust, provider)?;
        Some((
            caller.clone(),
            without_mfa(caller),
            format!("identities of `{provider}`"),
        ))
    });
    vendor
        .into_iter()
        .chain(services)
        .chain(providers)
        .filter(|(caller, plain, _)| {
            is_let_in(&with_mfa(caller.clone()), trust) && !is_let_in(plain, trust)
        })
        .map(|(_, _, words)| words)
        .collect()
}

fn with_mfa(caller: Entrant) -> Entrant {
    caller
        .with(
            "aws:multifactorauthpresent",
            Key::OneOf(vec!["true".to_owned()]),
        )
        .with("aws:multifactorauthage", Key::OneOf(vec!["0".to_owned()]))
}

/// A service gets in on behalf of anybody.
///
/// Source: IAM User Guide, "The confused deputy problem", cross-service confused deputy prevention.
pub(super) fn confused_service(context: &Context<'_>, said: &mut Vec<String>) {
    let trust = &context.role.trust;
    let open: Vec<String> = principals(trust, "Service")
        .into_iter()
        .filter(|service| {
            !sends_no_source(service) && is_let_in(&serving_stranger(trust, service), trust)
        })
        .map(|service| format!("`{service}`"))
        .collect();
    if !open.is_empty() {
        let word = if open.len() == 1 {
            "service"
        } else {
            "services"
        };
        said.push(format!(
            "trusts {word} {} on behalf of any account",
            listed(&open)
        ));
    }
}

fn sends_no_source(service: &str) -> bool {
    let name = service
        .trim_end_matches(".cn")
        .trim_end_matches(".amazonaws.com");
    SEND_NO_SOURCE.contains(&name)
}
