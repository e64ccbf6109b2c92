//! Faults: which calls go wrong, when, and how.
//!
//! Chances come from a seed, so that a run that failed fails again. Most faults strike before the sandbox acts: the call
//! they hit has changed nothing. A fault with [`Moment::After`] strikes when it has, so that the answer alone is lost.

mod file;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Notify;

use super::gate::Call;
use super::ids::Ids;
use super::protocol::Service;
use super::wire::ApiError;
use rolecall_core::org::{AccountId, glob};

pub use file::FaultFile;

/// One rule of what goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The operation, or a pattern with `*`: `AttachRolePolicy`, `List*`, `sts:AssumeRole`, `organizations:*`.
    pub operation: String,
    /// The account, as [`Call::account`] has it; `None` for any.
    pub account: Option<AccountId>,
    /// Which of the calls that match.
    pub when: When,
    /// What happens to them.
    pub effect: Effect,
}

impl Fault {
    /// A fault of every call of `operation`, in any account, that `when` hits.
    pub fn of(operation: &str, when: When, effect: Effect) -> Self {
        Self {
            operation: operation.to_owned(),
            account: None,
            when,
            effect,
        }
    }
}

/// Which of the calls that match a fault it hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Every one.
    Always,
    /// The first so many.
    First(u64),
    /// Only the one with this number, counted from 1.
    Nth(u64),
    /// So many in a thousand, by a die with a seed.
    PerMille {
        /// Of a thousand calls, about how many.
        rate: u16,
        /// Where the die begins.
        seed: u32,
    },
}

/// Whether a fault strikes before the sandbox has acted or when it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened.
    Before,
    /// Only the answer is missing.
    After,
}

/// What happens to a call that a fault hits.
#[derive(Debug, Clone)]
pub enum Effect {
    /// It is answered with this error.
    Error(ApiError),
    /// It is answered with an error that each service calls by another name.
    Refuse(Refusal),
    /// Like [`Refuse`](Self::Refuse), in words of the fault's own.
    Say(Refusal, Arc<str>),
    /// It is done, and answered as if the service had failed.
    Fail,
    /// It is done, and answered late.
    Delay(Duration),
    /// The connection breaks.
    Reset(Moment),
    /// It is never answered, and nothing happens.
    Hang,
    /// It is done, and the answer ends in the middle.
    Truncate,
    /// The session that it is made with expires: this call and all later ones fail for that reason.
    Expire,
    /// It is never answered, and a test waiting for it is notified: the moment to kill the caller.
    Stop(Moment, Arc<Notify>),
}

/// Errors that any call may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Too many calls.
    Throttling,
    /// Too many calls, by status 429.
    TooManyRequests,
    /// The service failed.
    InternalFailure,
    /// The service is not there.
    ServiceUnavailable,
    /// Someone else changes the same thing.
    ConcurrentModification,
    /// Not allowed, by a service control policy, say.
    AccessDenied,
}

impl Refusal {
    /// The error as `service` names it.
    ///
    /// Source: the Common Errors pages of the API References of IAM, STS, Organizations and CloudTrail.
    pub fn of(self, service: Service) -> ApiError {
        let json = service.is_json();
        let (status, code, message) = match self {
            Self::Throttling if service == Service::CloudTrail => {
                (400, "ThrottlingException", "Rate exceeded")
            }
            Self::Throttling if json => (
                400,
                "TooManyRequestsException",
                "You have sent too many requests.",
            ),
            Self::Throttling => (400, "Throttling", "Rate exceeded"),
            Self::TooManyRequests => (429, "TooManyRequestsException", "Too Many Requests"),
            Self::InternalFailure if json => (500, "ServiceException", "Internal failure."),
            Self::InternalFailure => (500, "ServiceFailure", "Internal failure."),
            Self::ServiceUnavailable => (
                503,
                "ServiceUnavailable",
                "Service is temporarily unavailable.",
            ),
            Self::ConcurrentModification if json => (
                400,
                "ConcurrentModificationException",
                "The request failed because of another one. Try again.",
            ),
            Self::ConcurrentModification => (
                409,
                "ConcurrentModification",
                "The request was rejected because of another change at the same time.",
            ),
            Self::AccessDenied if json => {
                (400, "AccessDeniedException", "You don't have permissions.")
            }
            Self::AccessDenied => (
                403,
                "AccessDenied",
                "with an explicit deny in a service control policy",
            ),
        };
        ApiError::new(status, code, message)
    }

    /// The same error with a message of the fault's own.
    pub fn saying(self, service: Service, message: &str) -> ApiError {
        ApiError {
            message: message.to_owned(),
            ..self.of(service)
        }
    }
}

/// Every rule, with how often each was met and how often it struck.
#[derive(Debug, Default)]
pub struct Faults(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    fault: Fault,
    met: u64,
    struck: u64,
}

impl Faults {
    /// Adds a rule behind those there are.
    pub fn add(&mut self, fault: Fault) {
        self.0.push(Rule {
            fault,
            met: 0,
            struck: 0,
        });
    }

    /// What happens to `call`: the first rule that hits it decides, and every rule that matches counts it.
    pub fn strike(&mut self, call: &Call) -> Option<Effect> {
        let mut effect = None;
        for Rule { fault, met, struck } in &mut self.0 {
            let named = [
                call.operation.clone(),
                format!("{}:{}", call.service.prefix(), call.operation),
            ];
            let matches = named.iter().any(|name| glob(&fault.operation, name))
                && (fault.account.is_none() || fault.account == call.account);
            if matches {
                *met += 1;
                if effect.is_none() && fault.when.hits(*met) {
                    *struck += 1;
                    effect = Some(fault.effect.clone());
                }
            }
        }
        effect
    }

    /// How often each rule struck, in the order they were added.
    pub fn struck(&self) -> Vec<u64> {
        self.0.iter().map(|rule| rule.struck).collect()
    }
}

impl When {
    fn hits(self, number: u64) -> bool {
        match self {
            Self::Always => true,
            Self::First(count) => number <= count,
            Self::Nth(nth) => number == nth,
            Self::PerMille { rate, seed } => {
                Ids((u64::from(seed) << 32) + number).roll() % 1000 < u64::from(rate)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Service;

    fn hits(fault: &Fault, operation: &str, calls: usize) -> Vec<usize> {
        let mut faults = Faults::default();
        faults.add(fault.clone());
        let call = Call {
            service: Service::Iam,
            operation: operation.to_owned(),
            account: None,
        };
        (1..=calls)
            .filter(|_| faults.strike(&call).is_some())
            .collect()
    }

    fn fault(operation: &str, when: When) -> Fault {
        Fault::of(operation, when, Effect::Hang)
    }

    #[test]
    fn a_fault_hits_the_calls_it_names_and_no_others() {
        assert_eq!(hits(&fault("GetRole", When::Always), "GetRole", 2), [1, 2]);
        assert_eq!(
            hits(&fault("GetRole", When::Always), "GetRolePolicy", 2),
            [0; 0]
        );
        assert_eq!(hits(&fault("Get*", When::First(2)), "GetRole", 4), [1, 2]);
        assert_eq!(hits(&fault("*", When::Nth(3)), "GetRole", 4), [3]);
        let other = Fault {
            account: AccountId::parse("111111111111").ok(),
            ..fault("*", When::Always)
        };
        assert_eq!(hits(&other, "GetRole", 4), [0; 0]);
        assert_eq!(hits(&fault("iam:Get*", When::Always), "GetRole", 1), [1]);
        assert_eq!(hits(&fault("sts:*", When::Always), "GetRole", 4), [0; 0]);
    }

    #[test]
    fn the_first_rule_that_hits_decides_and_all_that_match_count() {
        let mut faults = Faults::default();
        faults.add(fault("GetRole", When::Nth(2)));
        faults.add(fault("Get*", When::First(2)));
        let call = Call {
            service: Service::Iam,
            operation: "GetRole".to_owned(),
            account: None,
        };
        let hits = (1..=3).filter(|_| faults.strike(&call).is_some()).count();
        assert_eq!((hits, faults.struck()), (2, vec![1, 1]));
    }

    #[test]
    fn chances_repeat_for_their_seed_and_come_about_as_often_as_asked() {
        let of = |seed| {
            hits(
                &fault("*", When::PerMille { rate: 100, seed }),
                "GetRole",
                10_000,
            )
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!((800..1200).contains(&of(1).len()), "{}", of(1).len());
    }
}
