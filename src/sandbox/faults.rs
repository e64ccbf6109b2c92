//! Faults: which calls go wrong, when, and how.
//!
//! Chances come from a seed, so that a run that failed fails again. A fault strikes before the sandbox acts: the call
//! it hits has changed nothing.

use super::gate::Call;
use super::wire::ApiError;
use super::world::Ids;
use crate::org::{AccountId, glob};

/// One rule of what goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The operation, or a pattern with `*`: `AttachRolePolicy`, `List*`.
    pub operation: String,
    /// The account, as [`Call::account`] has it; `None` for any.
    pub account: Option<AccountId>,
    /// Which of the calls that match.
    pub when: When,
    /// What happens to them.
    pub effect: Effect,
}

/// Which of the calls that match a fault it hits.
#[derive(Debug, Clone, Copy)]
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

/// What happens to a call that a fault hits.
#[derive(Debug, Clone)]
pub enum Effect {
    /// It is answered with an error.
    Error(ApiError),
    /// The connection breaks.
    Reset,
}

/// Every rule, with how often each was met.
#[derive(Debug, Default)]
pub struct Faults(Vec<(Fault, u64)>);

impl Faults {
    /// Adds a rule behind those there are.
    pub fn add(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    /// What happens to `call`: the first rule that hits it decides, and every rule that matches counts it.
    pub fn strike(&mut self, call: &Call) -> Option<Effect> {
        let mut effect = None;
        for (fault, met) in &mut self.0 {
            let matches =
                glob(&fault.operation, &call.operation) && (fault.account.is_none() || fault.account == call.account);
            if matches {
                *met += 1;
                if effect.is_none() && fault.when.hits(*met) {
                    effect = Some(fault.effect.clone());
                }
            }
        }
        effect
    }
}

impl When {
    fn hits(self, number: u64) -> bool {
        match self {
            Self::Always => true,
            Self::First(count) => number <= count,
            Self::Nth(nth) => number == nth,
            Self::PerMille { rate, seed } => Ids((u64::from(seed) << 32) + number).roll() % 1000 < u64::from(rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::protocol::Service;

    fn hits(fault: &Fault, operation: &str, calls: usize) -> Vec<usize> {
        let mut faults = Faults::default();
        faults.add(fault.clone());
        let call = Call { service: Service::Iam, operation: operation.to_owned(), account: None };
        (1..=calls).filter(|_| faults.strike(&call).is_some()).collect()
    }

    fn fault(operation: &str, when: When) -> Fault {
        Fault { operation: operation.to_owned(), account: None, when, effect: Effect::Reset }
    }

    #[test]
    fn a_fault_hits_the_calls_it_names_and_no_others() {
        assert_eq!(hits(&fault("GetRole", When::Always), "GetRole", 2), [1, 2]);
        assert_eq!(hits(&fault("GetRole", When::Always), "GetRolePolicy", 2), [0; 0]);
        assert_eq!(hits(&fault("Get*", When::First(2)), "GetRole", 4), [1, 2]);
        assert_eq!(hits(&fault("*", When::Nth(3)), "GetRole", 4), [3]);
        let other = Fault { account: AccountId::parse("111111111111").ok(), ..fault("*", When::Always) };
        assert_eq!(hits(&other, "GetRole", 4), [0; 0]);
    }

    #[test]
    fn chances_repeat_for_their_seed_and_come_about_as_often_as_asked() {
        let of = |seed| hits(&fault("*", When::PerMille { rate: 100, seed }), "GetRole", 10_000);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!((800..1200).contains(&of(1).len()), "{}", of(1).len());
    }
}
