//! Routes a request: the caller, its account, and the service that responds.
//!
//! Source: AWS General Reference, Common errors; IAM API Reference, Common Error Types; Organizations API Reference,
//! Common Error Types. The JSON services name the same refusals differently and with another status.

use rolecall_core::org::AccountId;

use super::keys::{account_of, session_token};
use super::protocol::{Request, Response, Service, json_answer, xml_answer};
use super::wire::{ApiError, Params};
use super::world::{Session, World};
use super::{cloudtrail, enforce, federated, iam, organizations, sts};

/// What a request asks, and of whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// The operation, such as `AttachRolePolicy`; empty where the request names none.
    pub operation: String,
    /// The account it acts in: the caller's, and for `AssumeRole` the role's. `None` for a caller without identity.
    pub account: Option<AccountId>,
}

/// One request, understood as far as it can be.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// What it asks.
    pub call: Call,
    params: Params,
    body: Vec<u8>,
    region: String,
    /// The access key id.
    key: String,
    caller: Result<Session, Refusal>,
}

/// Why a caller has no identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Missing,
    Unknown,
    Expired,
    Closed,
}

/// Reads a request: the call, and who makes it.
pub fn read(world: &World, request: &Request) -> Incoming {
    let service = match (request.credential(), request.target.is_some()) {
        (Some((_, service)), _) => service,
        (None, true) => Service::Organizations,
        (None, false) => Service::Sts,
    };
    let caller = identify(world, request);
    let params = if service.is_json() {
        Params::default()
    } else {
        request.params()
    };
    let operation = if service.is_json() {
        request.json_operation()
    } else {
        params.get("Action")
    };
    let entered = (service == Service::Sts)
        .then(|| params.get("RoleArn").and_then(account_of))
        .flatten();
    let call = Call {
        service,
        operation: operation.unwrap_or_default().to_owned(),
        account: entered.or(caller.as_ref().ok().map(|session| session.account)),
    };
    let key = request
        .credential()
        .map(|(key, _)| key.to_owned())
        .unwrap_or_default();
    Incoming {
        call,
        params,
        body: request.body.clone(),
        region: request.region().to_owned(),
        key,
        caller,
    }
}

/// Performs the call of a request.
pub fn answer(world: &mut World, incoming: Incoming, request_id: String) -> Response {
    let Incoming {
        call: Call {
            service,
            operation,
            account: _,
        },
        params,
        body,
        region,
        key,
        caller,
    } = incoming;
    match service {
        Service::Organizations => {
            let outcome = caller.map_err(Refusal::in_json).and_then(|session| {
                enforce::organizations(world, &session, &operation, &body)?;
                organizations::call(world, session.account, &operation, &body)
            });
            json_answer(outcome, request_id)
        }
        Service::CloudTrail => {
            let outcome = caller.map_err(Refusal::in_json).and_then(|session| {
                enforce::cloudtrail(world, &session, &operation)?;
                cloudtrail::call(world, session.account, &region, &operation, &body)
            });
            json_answer(outcome, request_id)
        }
        Service::Iam | Service::Sts | Service::Other => {
            let outcome = match caller {
                // Federated callers have no keys yet.
                Err(Refusal::Missing) if operation == "AssumeRoleWithWebIdentity" => {
                    federated::with_web_identity(world, &params)
                }
                Err(Refusal::Missing) if operation == "AssumeRoleWithSAML" => {
                    federated::with_saml(world, &params)
                }
                Err(refusal) => Err(refusal.in_xml()),
                Ok(session) => match service {
                    Service::Iam => {
                        let outcome = enforce::iam(world, &session, &operation, &params)
                            .and_then(|()| iam::call(world, session.account, &operation, &params));
                        cloudtrail::note(
                            world,
                            (&session, &key),
                            &operation,
                            &params,
                            outcome.as_ref().err(),
                        );
                        outcome
                    }
                    Service::Sts => sts::call(world, &session, &operation, &params),
                    Service::Organizations | Service::CloudTrail | Service::Other => {
                        let message =
                            "the sandbox supports only IAM, STS, Organizations and CloudTrail";
                        Err(ApiError::new(400, "InvalidAction", message))
                    }
                },
            };
            xml_answer(service, &operation, outcome, request_id)
        }
    }
}

/// An answer that refuses a call without performing it.
pub fn refuse(incoming: &Incoming, error: ApiError, request_id: String) -> Response {
    let Call {
        service,
        operation,
        account: _,
    } = &incoming.call;
    if service.is_json() {
        json_answer(Err(error), request_id)
    } else {
        xml_answer(*service, operation, Err(error), request_id)
    }
}

/// Lets the session behind a request end at this moment, and answers as to any expired session. Keys that are good for
/// ever are not touched.
pub fn expire(world: &mut World, request: &Request, request_id: String) -> Response {
    let now = world.clock.now();
    let session = request
        .credential()
        .and_then(|(key, _)| world.keys.get_mut(key));
    if let Some(expires) = session.and_then(|session| session.expires.as_mut()) {
        *expires = now;
    }
    let incoming = read(world, request);
    answer(world, incoming, request_id)
}

fn identify(world: &World, request: &Request) -> Result<Session, Refusal> {
    let (key, _) = request.credential().ok_or(Refusal::Missing)?;
    let session = world.keys.get(key).ok_or(Refusal::Unknown)?;
    if session.expires.is_some() && request.token.as_deref() != Some(session_token(key).as_str()) {
        return Err(Refusal::Unknown);
    }
    if session
        .expires
        .is_some_and(|expires| expires <= world.clock.now())
    {
        return Err(Refusal::Expired);
    }
    let account = world
        .accounts
        .get(&session.account)
        .ok_or(Refusal::Unknown)?;
    // The keys of a user go with the user.
    if session.arn.contains(":user/")
        && !account
            .iam
            .users
            .values()
            .any(|user| user.id == session.user_id)
    {
        return Err(Refusal::Unknown);
    }
    if account.status == "ACTIVE" {
        Ok(session.clone())
    } else {
        Err(Refusal::Closed)
    }
}

impl Refusal {
    fn in_xml(self) -> ApiError {
        match self {
            Self::Missing => ApiError::new(
                403,
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ),
            Self::Unknown => ApiError::new(
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            ),
            Self::Expired => ApiError::new(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            ),
            Self::Closed => ApiError::new(403, "AccessDenied", "Access Denied"),
        }
    }

    fn in_json(self) -> ApiError {
        let ApiError { message, .. } = self.in_xml();
        match self {
            Self::Missing => ApiError::new(400, "MissingAuthenticationTokenException", message),
            Self::Unknown => ApiError::new(400, "UnrecognizedClientException", message),
            Self::Expired => ApiError::new(400, "ExpiredTokenException", message),
            Self::Closed => ApiError::new(400, "AccessDeniedException", message),
        }
    }
}
