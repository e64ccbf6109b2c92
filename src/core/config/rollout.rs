//! `[rollout]`: how apply proceeds through the accounts.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::check::duration;
use super::problem::{Problem, Problems};
use super::settings::count;
use super::target::{self, TagMatching, Targeting};
use super::tree::{Node, Table};
use crate::org::{Account, AccountId, Budget, Organization};

/// One wave of a rollout.
#[derive(Debug, Clone)]
pub enum Wave {
    /// The accounts of a selector that no wave before it took.
    Selector(Targeting),
    /// This share, in percent, of the accounts that no wave before it took.
    Percent(u8),
    /// All that are left.
    All,
}

/// How apply goes through the accounts.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Whether what is managed by this directory but no longer declared is deleted.
    pub prune: bool,
    /// Accounts at once.
    pub parallelism: Option<usize>,
    /// Failed accounts past which no further one is started, as written.
    pub max_failures: Option<Budget>,
    /// The waves, in order; empty: all at once.
    pub waves: Vec<Wave>,
    /// How long to wait between waves.
    pub bake: SignedDuration,
}

impl Rollout {
    /// How many accounts may fail. Where nothing is written, waves are for finding out whether the next one is safe, so
    /// then it is none; without waves one account has nothing to say about another.
    pub fn budget(&self) -> Option<Budget> {
        self.max_failures
            .or((!self.waves.is_empty()).then_some(Budget::Count(0)))
    }

    /// Whether account tags decide about a wave.
    pub(super) fn uses_tags(&self) -> bool {
        self.waves
            .iter()
            .any(|wave| matches!(wave, Wave::Selector(targeting) if targeting.uses_tags()))
    }

    /// Reports selectors that name or match nothing.
    pub(super) fn check(&self, organization: &Organization, problems: &mut Problems) {
        for wave in &self.waves {
            if let Wave::Selector(targeting) = wave {
                targeting.check(organization, problems);
            }
        }
    }

    /// The accounts of each wave, with what selects them, of those in `accounts`. What no wave takes is in none.
    ///
    /// A percentage takes at least one account, in an order that is the same in every run and has nothing to do with age
    /// or name: the digest of the id.
    pub fn resolve(
        &self,
        accounts: &BTreeSet<AccountId>,
        organization: &Organization,
    ) -> Vec<(String, BTreeSet<AccountId>)> {
        let mut rest: Vec<&Account> = accounts
            .iter()
            .filter_map(|id| organization.accounts.get(id))
            .collect();
        rest.sort_by_key(|account| Sha256::digest(account.id.as_str()));
        let waves = self.waves.iter().map(|wave| {
            let taken: Vec<&Account> = match wave {
                Wave::All => std::mem::take(&mut rest),
                Wave::Percent(percent) => {
                    let share = (rest.len() * usize::from(*percent)).div_ceil(100);
                    rest.drain(..share.min(rest.len())).collect()
                }
                Wave::Selector(targeting) => {
                    let matches = |account: &&Account| {
                        targeting
                            .matching(account, organization, TagMatching::Exact)
                            .is_some()
                    };
                    let (taken, left) = rest.iter().copied().partition(matches);
                    rest = left;
                    taken
                }
            };
            (
                wave.title(),
                taken.into_iter().map(|account| account.id).collect(),
            )
        });
        waves.collect()
    }
}

impl Wave {
    /// What selects it, in a word.
    fn title(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Percent(percent) => format!("{percent} %"),
            Self::Selector(Targeting { selectors }) => selectors
                .iter()
                .flatten()
                .map(|written| written.text.to_string())
                .collect::<Vec<_>>()
                .join(" or "),
        }
    }
}

/// Reads `[rollout]`.
pub fn rollout(table: &Table, problems: &mut Problems) -> Rollout {
    Rollout {
        prune: table
            .get("prune")
            .and_then(Node::as_bool)
            .unwrap_or_default(),
        parallelism: count(table, "parallelism", 1, problems),
        max_failures: table
            .get("max_failures")
            .and_then(|node| budget(node, problems)),
        waves: table
            .get("waves")
            .and_then(Node::as_array)
            .map(|waves| {
                waves
                    .iter()
                    .filter_map(|node| wave(node, problems))
                    .collect()
            })
            .unwrap_or_default(),
        bake: table
            .get("bake")
            .and_then(|node| duration(node, "bake", problems))
            .unwrap_or_default(),
    }
}

fn budget(node: &Node, problems: &mut Problems) -> Option<Budget> {
    let found = match node.as_str() {
        None => node
            .as_integer()
            .and_then(|number| usize::try_from(number).ok())
            .map(Budget::Count),
        Some(text) => text
            .strip_suffix('%')
            .and_then(|text| text.trim().parse().ok())
            .filter(|percent| *percent <= 100)
            .map(Budget::Percent),
    };
    if found.is_none() {
        let problem = Problem::error(
            "value",
            &node.place,
            "`max_failures` must be a count or a percentage",
        );
        problems.push(problem.hint("max_failures = 3, or max_failures = \"5%\""));
    }
    found
}

fn wave(node: &Node, problems: &mut Problems) -> Option<Wave> {
    let Some(table) = node.as_table() else {
        return Some(Wave::All);
    };
    let Some(percent) = table.get("percent") else {
        return target::parse(std::slice::from_ref(node), problems).map(Wave::Selector);
    };
    if table.entries.len() > 1 {
        problems.push(Problem::error(
            "value",
            &node.place,
            "a wave is a selector or a `percent`, not both",
        ));
    }
    let share = percent
        .as_integer()
        .and_then(|number| u8::try_from(number).ok());
    let share = share.filter(|share| (1..=100).contains(share));
    if share.is_none() {
        problems.push(Problem::error(
            "value",
            &percent.place,
            "`percent` must be from 1 to 100",
        ));
    }
    share.map(Wave::Percent)
}
