//! An AWS in this process: IAM, STS, Organizations and CloudTrail's event history as AWS documents them.
//!
//! Many accounts, one organization, and trust that is enforced: whoever enters an account must be let in by the role's
//! trust policy and by its own. The real SDK talks to it through [`Sandbox::http_client`], anything else over HTTP
//! through [`serve`]. Calls to IAM and Organizations are held against the caller's own policies where the world says so
//! ([`world::Permissions`]). What it does not do: verify signatures and service control policies.

pub mod build;
mod caller;
pub mod clock;
pub mod cloudtrail;
mod connector;
mod enforce;
pub mod faults;
mod federated;
pub mod gate;
pub mod iam;
pub mod ids;
mod keys;
pub mod managed;
mod organizations;
pub mod protocol;
pub mod serve;
mod session;
mod sts;
pub mod wire;
pub mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;

use clock::Clock;
use faults::{Effect, Fault, Faults, Moment, Refusal};
use gate::Call;
use protocol::{Request, Response};
use rolecall_core::org::AccountId;
use wire::{ApiError, Params, Xml};
use world::{Session, World};

/// A running sandbox. Clones are the same sandbox.
#[derive(Debug, Clone)]
pub struct Sandbox {
    world: Arc<Mutex<World>>,
    traffic: Arc<Mutex<Traffic>>,
    /// The access key of the management account's user.
    admin: Arc<str>,
}

/// What went through, and what is to go wrong.
#[derive(Debug, Default)]
struct Traffic {
    requests: u64,
    calls: BTreeMap<Call, u64>,
    faults: Faults,
    latency: Duration,
    jitter: Duration,
}

impl Traffic {
    /// How long the call with this number takes: the latency, and by a die up to the jitter on top.
    fn delay(&self, number: u64) -> Duration {
        let share = u32::try_from(ids::Ids(number).roll() % 1000).unwrap_or_default();
        self.latency + self.jitter * share / 1000
    }
}

/// The connection broke; the caller cannot know whether the sandbox had acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by peer")]
pub struct ConnectionReset;

impl Sandbox {
    /// A sandbox around `world`.
    pub fn new(mut world: World) -> Self {
        let account = world.organization.management_account;
        let arn = format!(
            "arn:{}:iam::{account}:user/{}",
            world.partition,
            build::ADMIN_USER
        );
        let session = session_of(&world, &arn);
        let admin = session
            .map(|session| world.add_key("AKIA", session))
            .unwrap_or_default();
        Self {
            world: Arc::new(Mutex::new(world)),
            traffic: Arc::default(),
            admin: admin.into(),
        }
    }

    /// The keys of the management account's user `admin`, who may do everything there; the same at every call.
    ///
    /// They are good for nothing in a world that began without that user.
    pub fn credentials(&self) -> Credentials {
        credentials(&self.admin, None)
    }

    /// Keys for the user, the role (as a session named `sandbox`, for an hour) or the account root with this ARN.
    ///
    /// # Errors
    /// `NoSuchEntity` where there is no such user, role or account.
    pub fn credentials_of(&self, arn: &str) -> Result<Credentials, ApiError> {
        let mut world = self.lock();
        let session = session_of(&world, arn).ok_or_else(|| {
            ApiError::no_such_entity(format!("there is no user, role or account {arn}"))
        })?;
        let lifetime = session.expires.map(|_| SystemTime::now() + SESSION);
        let key = world.add_key(if lifetime.is_some() { "ASIA" } else { "AKIA" }, session);
        Ok(credentials(&key, lifetime))
    }

    /// Performs an IAM operation as a person in `account` would, past all policies, faults and counts. CloudTrail
    /// knows that person as the user `by-hand`.
    pub fn by_hand(
        &self,
        account: AccountId,
        operation: &str,
        params: &[(&str, &str)],
    ) -> Result<Xml, ApiError> {
        let params = params
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (params, mut world) = (Params(params.collect()), self.lock());
        let answer = iam::call(&mut world, account, operation, &params);
        cloudtrail::note_hand(
            &mut world,
            account,
            operation,
            &params,
            answer.as_ref().err(),
        );
        answer
    }

    /// Looks at the world, or changes it.
    pub fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut self.lock())
    }

    /// Moves a clock that is moved by hand; the wall's goes its own way.
    pub fn advance(&self, by: Duration) {
        if let Clock::Manual(now) = &mut self.lock().clock {
            *now += by;
        }
    }

    /// How many calls of each kind came in, faults included.
    pub fn calls(&self) -> BTreeMap<Call, u64> {
        self.traffic().calls.clone()
    }

    /// Makes calls that match `fault` go wrong from now on.
    pub fn fail(&self, fault: Fault) {
        self.traffic().faults.add(fault);
    }

    /// How often each fault struck, in the order they were added.
    pub fn struck(&self) -> Vec<u64> {
        self.traffic().faults.struck()
    }

    /// Lets every call take `latency`.
    pub fn set_latency(&self, latency: Duration) {
        self.traffic().latency = latency;
    }

    /// Lets every call take up to `jitter` longer, another time each, so that answers overtake each other.
    pub fn set_jitter(&self, jitter: Duration) {
        self.traffic().jitter = jitter;
    }

    /// Answers one request.
    ///
    /// # Errors
    /// Where a fault breaks the connection.
    pub async fn answer(&self, request: &Request) -> Result<Response, ConnectionReset> {
        let incoming = gate::read(&self.lock(), request);
        let (effect, delay, request_id) = {
            let mut traffic = self.traffic();
            traffic.requests += 1;
            *traffic.calls.entry(incoming.call.clone()).or_default() += 1;
            let number = traffic.requests;
            (
                traffic.faults.strike(&incoming.call),
                traffic.delay(number),
                request_id(number),
            )
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let service = incoming.call.service;
        let act = || gate::answer(&mut self.lock(), incoming.clone(), request_id.clone());
        let refuse = |error| gate::refuse(&incoming, error, request_id.clone());
        match effect {
            None => Ok(act()),
            Some(Effect::Error(error)) => Ok(refuse(error)),
            Some(Effect::Refuse(refusal)) => Ok(refuse(refusal.of(service))),
            Some(Effect::Say(refusal, message)) => Ok(refuse(refusal.saying(service, &message))),
            Some(Effect::Fail) => {
                act();
                Ok(refuse(Refusal::InternalFailure.of(service)))
            }
            Some(Effect::Delay(delay)) => {
                let answer = act();
                tokio::time::sleep(delay).await;
                Ok(answer)
            }
            Some(Effect::Reset(moment)) => {
                if moment == Moment::After {
                    act();
                }
                Err(ConnectionReset)
            }
            Some(Effect::Hang) => std::future::pending().await,
            Some(Effect::Truncate) => Ok(act().cut()),
            Some(Effect::Expire) => Ok(gate::expire(&mut self.lock(), request, request_id)),
            Some(Effect::Stop(moment, told)) => {
                if moment == Moment::After {
                    act();
                }
                told.notify_one();
                std::future::pending().await
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the session of a role lasts that [`Sandbox::credentials_of`] opens.
const SESSION: Duration = Duration::from_hours(1);

fn session_of(world: &World, arn: &str) -> Option<Session> {
    let id = keys::account_of(arn)?;
    let account = world.accounts.get(&id)?;
    let (_, entity) = arn.split_once(&format!(":{id}:"))?;
    let lasting = |user_id| Session {
        account: id,
        arn: arn.to_owned(),
        user_id,
        role_arn: None,
        expires: None,
    };
    if entity == "root" {
        return Some(lasting(id.to_string()));
    }
    let (kind, path) = entity.split_once('/')?;
    let name = path.rsplit('/').next()?.to_lowercase();
    match kind {
        "user" => account
            .iam
            .users
            .get(&name)
            .map(|user| lasting(user.id.clone())),
        "role" => account.iam.roles.get(&name)?.latest().map(|role| Session {
            account: id,
            arn: format!(
                "arn:{}:sts::{id}:assumed-role/{}/sandbox",
                world.partition, role.name
            ),
            user_id: format!("{}:sandbox", role.id),
            role_arn: Some(arn.to_owned()),
            expires: Some(world.clock.now() + SESSION),
        }),
        _ => None,
    }
}

fn credentials(key: &str, expires: Option<SystemTime>) -> Credentials {
    let token = expires.map(|_| keys::session_token(key));
    let secret = keys::secret_key(key);
    Credentials::new(key, secret, token, expires, "sandbox")
}

/// A request id that looks like AWS's.
fn request_id(number: u64) -> String {
    uuid::Uuid::from_u64_pair(number.wrapping_mul(0x9E37_79B9_7F4A_7C15), number).to_string()
}

#[cfg(test)]
mod tests;
