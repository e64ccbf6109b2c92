//! STS for callers without keys: `AssumeRoleWithWebIdentity` and `AssumeRoleWithSAML`.
//!
//! Tokens and assertions are believed: no signature is verified. What they say is held against the provider (it must be
//! in the role's account, and the audience among its client ids) and becomes the condition keys of the trust policy.
//! Source: STS API Reference, `AssumeRoleWithWebIdentity` and `AssumeRoleWithSAML`; IAM User Guide, "IAM and AWS STS
//! condition context keys", available keys for web identity federation and for SAML-based federation.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::base64;
use quick_xml::Reader;
use quick_xml::events::Event;
use rolecall_core::evaluate::{Decision, Principal, Request, evaluate};
use rolecall_core::org::Partition;
use rolecall_core::resource::issuer::{self, Read};
use rolecall_core::resource::policy::{PolicyDocument, PolicyKind};
use serde_json::{Map, Value};

use super::iam::BUILT_IN;
use super::keys::account_of;
use super::session::{check_duration, check_session_name, duration, open_session, role_at};
use super::wire::{ApiError, Params, Xml};
use super::world::{RoleState, World};

type Keys = BTreeMap<String, Vec<String>>;

fn invalid_token(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidIdentityToken", message)
}

/// `AssumeRoleWithWebIdentity`.
pub fn with_web_identity(world: &mut World, params: &Params) -> Result<Xml, ApiError> {
    let role_arn = params.require("RoleArn")?;
    let name = params.require("RoleSessionName")?;
    check_session_name(name)?;
    let seconds = duration(params)?;
    let claims = claims(params.require("WebIdentityToken")?)?;
    let claim = |name: &str| texts(claims.get(name)?).into_iter().next();
    let demanded = |name: &str| {
        claim(name).ok_or_else(|| invalid_token(format!("Missing a required claim: {name}")))
    };
    let (issuer, subject, audience) = (demanded("iss")?, demanded("sub")?, demanded("aud")?);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    if claims
        .get("exp")
        .and_then(Value::as_u64)
        .is_some_and(|expires| expires <= now)
    {
        return Err(ApiError::new(400, "ExpiredTokenException", "Token expired"));
    }
    let issuer = issuer.trim_start_matches("https://").to_owned();
    let provider = provider(world, role_arn, &issuer, &claims)?;
    let mut keys = web_keys(&issuer, &claims, &world.partition);
    keys.insert("sts:RoleSessionName".to_owned(), vec![name.to_owned()]);
    let role = enter(
        world,
        role_arn,
        "sts:AssumeRoleWithWebIdentity",
        &provider,
        keys,
    )?;
    check_duration(&role, false, seconds)?;
    let opened = open_session(world, &role, role_arn, name, seconds.unwrap_or(3600), None);
    Ok(with(
        opened,
        vec![
            ("SubjectFromWebIdentityToken", Some(Xml::Text(subject))),
            ("Audience", Some(Xml::Text(audience))),
            ("Provider", Some(Xml::Text(provider))),
        ],
    ))
}

/// What a JWT says.
fn claims(token: &str) -> Result<Map<String, Value>, ApiError> {
    let invalid = || invalid_token("The ID Token provided is not a valid JWT");
    let payload = token.split('.').nth(1).ok_or_else(invalid)?;
    let mut text = payload
        .trim_end_matches('=')
        .replace('-', "+")
        .replace('_', "/");
    text.extend(std::iter::repeat_n('=', (4 - text.len() % 4) % 4));
    let bytes = base64::decode(text).map_err(|_| invalid())?;
    serde_json::from_slice(&bytes).map_err(|_| invalid())
}

/// The provider by which the trust policy knows the issuer.
fn provider(
    world: &World,
    role_arn: &str,
    issuer: &str,
    claims: &Map<String, Value>,
) -> Result<String, ApiError> {
    if BUILT_IN.contains(&issuer) {
        return Ok(issuer.to_owned());
    }
    let account = account_of(role_arn)
        .ok_or_else(|| ApiError::validation(format!("{role_arn} is invalid")))?;
    let arn = format!(
        "arn:{}:iam::{account}:oidc-provider/{issuer}",
        world.partition
    );
    let known = world
        .accounts
        .get(&account)
        .and_then(|account| account.iam.providers.get(&arn));
    let message = format!("No OpenIDConnect provider found in your account for https://{issuer}");
    let client_ids = known.ok_or_else(|| invalid_token(message))?;
    let audiences = claims.get("aud").map(texts).unwrap_or_default();
    if audiences
        .iter()
        .any(|audience| client_ids.contains(audience))
    {
        return Ok(arn);
    }
    Err(invalid_token("Incorrect token audience"))
}

/// The condition keys that IAM makes of a token: of the claims that it reads of this issuer, and no others.
fn web_keys(url: &str, claims: &Map<String, Value>, partition: &Partition) -> Keys {
    let issuer = issuer::issuer(url);
    let is_read = |claim: &str| issuer.reads(claim, partition) == Read::Yes;
    let mut keys: Keys = claims
        .iter()
        .filter(|(claim, _)| is_read(claim))
        .map(|(claim, value)| (format!("{url}:{claim}"), texts(value)))
        .collect();
    // The audience is the party that the token was issued to, where it names one.
    if let Some(audience) = claims.get("aud") {
        let party = claims.get("azp").unwrap_or(audience);
        keys.insert(format!("{url}:oaud"), texts(audience));
        keys.insert(format!("{url}:aud"), texts(party));
    }
    keys
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

/// `AssumeRoleWithSAML`.
pub fn with_saml(world: &mut World, params: &Params) -> Result<Xml, ApiError> {
    let (role_arn, provider) = (params.require("RoleArn")?, params.require("PrincipalArn")?);
    let seconds = duration(params)?;
    let assertion = Assertion::read(params.require("SAMLAssertion")?)?;
    let known = account_of(provider).and_then(|account| world.accounts.get(&account));
    if !known.is_some_and(|account| account.iam.providers.contains_key(provider)) {
        return Err(ApiError::new(
            400,
            "InvalidIdentityToken",
            "Specified provider doesn't exist",
        ));
    }
    if !assertion.names(role_arn, provider) {
        let message = "Response does not contain the required role and provider";
        return Err(ApiError::new(400, "InvalidIdentityToken", message));
    }
    let name = assertion
        .session_name
        .clone()
        .ok_or_else(|| invalid_token("RoleSessionName is required in AuthnResponse"))?;
    check_session_name(&name)?;
    let role = enter(
        world,
        role_arn,
        "sts:AssumeRoleWithSAML",
        provider,
        assertion.keys(),
    )?;
    check_duration(&role, false, seconds)?;
    let opened = open_session(world, &role, role_arn, &name, seconds.unwrap_or(3600), None);
    Ok(with(
        opened,
        vec![
            ("Subject", assertion.subject.map(Xml::Text)),
            ("SubjectType", assertion.subject_type.map(Xml::Text)),
            ("Issuer", assertion.issuer.map(Xml::Text)),
            ("Audience", assertion.recipient.map(Xml::Text)),
        ],
    ))
}

/// What an assertion says.
#[derive(Debug, Default)]
struct Assertion {
    issuer: Option<String>,
    subject: Option<String>,
    subject_type: Option<String>,
    recipient: Option<String>,
    session_name: Option<String>,
    /// `role ARN,provider ARN`, in either order.
    roles: Vec<String>,
}

impl Assertion {
    fn read(text: &str) -> Result<Self, ApiError> {
        let invalid = || invalid_token("Invalid SAML assertion");
        let bytes = base64::decode(text.trim()).map_err(|_| invalid())?;
        let xml = String::from_utf8(bytes).map_err(|_| invalid())?;
        let mut reader = Reader::from_str(&xml);
        let mut found = Self::default();
        let (mut element, mut attribute) = (String::new(), String::new());
        loop {
            match reader.read_event().map_err(|_| invalid())? {
                Event::Eof => return Ok(found),
                Event::Start(tag) | Event::Empty(tag) => {
                    tag.local_name().as_ref().clone_into(&mut element);
                    for part in tag.attributes().flatten() {
                        let value = part.value.clone().into_owned();
                        match (element.as_str(), part.key.as_ref()) {
                            ("Attribute", "Name") => attribute = value,
                            ("SubjectConfirmationData", "Recipient") => {
                                found.recipient = Some(value);
                            }
                            ("NameID", "Format") => {
                                found.subject_type = value.rsplit(':').next().map(str::to_owned);
                            }
                            _ => {}
                        }
                    }
                }
                Event::Text(text) => {
                    let text = text.trim().to_owned();
                    if !text.is_empty() {
                        found.take(&element, &attribute, text);
                    }
                }
                Event::End(_) => element.clear(),
                _ => {}
            }
        }
    }

    fn take(&mut self, element: &str, attribute: &str, text: String) {
        match (element, attribute) {
            ("Issuer", _) => self.issuer = Some(text),
            ("NameID", _) => self.subject = Some(text),
            ("AttributeValue", "https://aws.amazon.com/SAML/Attributes/Role") => {
                self.roles.push(text);
            }
            ("AttributeValue", "https://aws.amazon.com/SAML/Attributes/RoleSessionName") => {
                self.session_name = Some(text);
            }
            _ => {}
        }
    }

    fn names(&self, role: &str, provider: &str) -> bool {
        self.roles.iter().any(|pair| {
            let parts: Vec<&str> = pair.split(',').map(str::trim).collect();
            parts.contains(&role) && parts.contains(&provider)
        })
    }

    fn keys(&self) -> Keys {
        let Self {
            issuer,
            subject,
            subject_type,
            recipient,
            session_name,
            roles: _,
        } = self;
        let keys = [
            ("SAML:iss", issuer),
            ("SAML:sub", subject),
            ("SAML:sub_type", subject_type),
            ("SAML:aud", recipient),
            ("sts:RoleSessionName", session_name),
        ];
        keys.into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), vec![value.clone()?])))
            .collect()
    }
}

/// The role, if its trust policy lets in who comes from `provider` with `keys`.
fn enter(
    world: &World,
    role_arn: &str,
    action: &str,
    provider: &str,
    mut keys: Keys,
) -> Result<RoleState, ApiError> {
    let refused = || {
        ApiError::new(
            403,
            "AccessDenied",
            format!("Not authorized to perform {action}"),
        )
    };
    let role = role_at(world, role_arn).ok_or_else(refused)?;
    let trust = PolicyDocument::live(&role.trust, PolicyKind::Trust, &world.partition);
    keys.insert(
        "aws:FederatedProvider".to_owned(),
        vec![provider.to_owned()],
    );
    keys.insert("aws:SecureTransport".to_owned(), vec!["true".to_owned()]);
    let request = Request {
        principal: Principal {
            names: vec![("Federated".to_owned(), provider.to_owned())],
        },
        action: action.to_owned(),
        resource: role_arn.to_owned(),
        context: keys,
        unknown: Vec::new(),
    };
    if evaluate(&[&trust], &request) == Decision::Allow {
        Ok(role)
    } else {
        Err(refused())
    }
}

fn with(answer: Xml, more: Vec<(&'static str, Option<Xml>)>) -> Xml {
    match answer {
        Xml::Fields(fields) => Xml::Fields(fields.into_iter().chain(more).collect()),
        other @ (Xml::Text(_) | Xml::List(_)) => other,
    }
}
