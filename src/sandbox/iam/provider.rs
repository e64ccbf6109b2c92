//! Identity providers: whose tokens and assertions an account's roles may trust.
//!
//! Source: IAM API Reference, `CreateOpenIDConnectProvider`, `CreateSAMLProvider` and their kin. Thumbprints, keys and
//! metadata are taken and not looked at.

use super::super::wire::{ApiError, Params, Xml};
use super::entity::Iam;
use super::rules::{self, NAME_OF_POLICY};
use super::xml::{text, wrap};

pub(super) fn create_oidc(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let url = params.require("Url")?;
    let issuer = url
        .strip_prefix("https://")
        .filter(|issuer| !issuer.is_empty())
        .ok_or_else(|| ApiError::validation("Invalid Open ID Connect Provider URL"))?;
    let arn = format!(
        "arn:{}:iam::{}:oidc-provider/{issuer}",
        iam.world.partition, iam.account
    );
    let client_ids = params
        .list("ClientIDList")
        .into_iter()
        .map(str::to_owned)
        .collect();
    create(
        iam,
        arn,
        client_ids,
        &format!("Provider with url {url} already exists."),
    )
    .map(|arn| wrap("OpenIDConnectProviderArn", Xml::Text(arn)))
}

pub(super) fn create_saml(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let name = rules::name(params, "Name", NAME_OF_POLICY)?;
    params.require("SAMLMetadataDocument")?;
    let arn = format!(
        "arn:{}:iam::{}:saml-provider/{name}",
        iam.world.partition, iam.account
    );
    create(
        iam,
        arn,
        Vec::new(),
        &format!("SAMLProvider {name} already exists."),
    )
    .map(|arn| wrap("SAMLProviderArn", Xml::Text(arn)))
}

fn create(
    iam: &mut Iam<'_>,
    arn: String,
    client_ids: Vec<String>,
    exists: &str,
) -> Result<String, ApiError> {
    if iam.state.providers.contains_key(&arn) {
        return Err(ApiError::new(409, "EntityAlreadyExists", exists));
    }
    iam.state.providers.insert(arn.clone(), client_ids);
    Ok(arn)
}

pub(super) fn delete(iam: &mut Iam<'_>, params: &Params) -> Result<Xml, ApiError> {
    let arn = params
        .get("OpenIDConnectProviderArn")
        .or_else(|| params.get("SAMLProviderArn"))
        .unwrap_or_default();
    let missing =
        || ApiError::no_such_entity(format!("The identity provider {arn} cannot be found."));
    iam.state
        .providers
        .remove(arn)
        .map(|_| Xml::empty())
        .ok_or_else(missing)
}

pub(super) fn list(iam: &mut Iam<'_>, kind: &str, name: &'static str) -> Xml {
    let arns = iam.state.providers.keys().filter(|arn| arn.contains(kind));
    wrap(
        name,
        Xml::List(
            arns.map(|arn| Xml::Fields(vec![text("Arn", arn)]))
                .collect(),
        ),
    )
}
