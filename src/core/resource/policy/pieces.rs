//! The pieces of a statement: one principal, action, resource and condition value each. All together speak of the same
//! requests, so a statement that was split or joined is covered piece by piece.

use std::collections::{BTreeMap, BTreeSet};

use super::operator::{Operator, Quantifier};
use super::{Patterns, Principals, Statement};

/// A statement of more pieces is taken as it is.
const MOST: usize = 256;

impl Statement {
    /// Whether others of its effect together speak of every request that this speaks of; sure where it says yes.
    pub(super) fn is_covered_by<'a>(
        &self,
        others: impl Iterator<Item = &'a Self> + Clone,
        home: Option<crate::org::AccountId>,
    ) -> bool {
        let others = others.filter(|other| other.effect == self.effect);
        let covered = |piece: &Self| others.clone().any(|other| other.covers(piece, home));
        covered(self) || self.pieces().iter().all(covered)
    }

    fn pieces(&self) -> Vec<Self> {
        let mut pieces = vec![self.clone()];
        let mut split = |of: &dyn Fn(&Self) -> Vec<Self>| {
            let finer: Vec<Self> = pieces.iter().flat_map(of).collect();
            if finer.len() <= MOST {
                pieces = finer;
            }
        };
        split(&|piece| {
            let each = each_principal(piece.principals.as_ref());
            let with = |principals| Self {
                principals,
                ..piece.clone()
            };
            each.into_iter().map(with).collect()
        });
        split(&|piece| {
            let with = |actions| Self {
                actions,
                ..piece.clone()
            };
            each_pattern(&piece.actions).into_iter().map(with).collect()
        });
        split(&|piece| {
            let Some(resources) = &piece.resources else {
                return vec![piece.clone()];
            };
            let with = |resources| Self {
                resources: Some(resources),
                ..piece.clone()
            };
            each_pattern(resources).into_iter().map(with).collect()
        });
        let conditions = self.conditions.iter();
        let any_of = conditions.filter(|(operator, _)| is_any_of(operator));
        let lists = any_of.flat_map(|(operator, keys)| {
            keys.iter()
                .map(move |(key, values)| (operator, key, values))
        });
        for (operator, key, values) in lists {
            // No value is no piece, but a condition with `IfExists` holds without values where the key is absent.
            if values.is_empty() {
                continue;
            }
            split(&|piece| {
                let with = |value: &String| {
                    let mut piece = piece.clone();
                    if let Some(keys) = piece.conditions.get_mut(operator) {
                        keys.insert(key.clone(), BTreeSet::from([value.clone()]));
                    }
                    piece
                };
                values.iter().map(with).collect()
            });
        }
        pieces
    }
}

/// What is listed is one or the other; what is left out is left out all at once.
fn each_pattern(patterns: &Patterns) -> Vec<Patterns> {
    if patterns.negated {
        return vec![patterns.clone()];
    }
    let one = |pattern: &String| Patterns {
        negated: false,
        patterns: BTreeSet::from([pattern.clone()]),
    };
    patterns.patterns.iter().map(one).collect()
}

fn each_principal(principals: Option<&Principals>) -> Vec<Option<Principals>> {
    match principals {
        Some(principals) if !principals.negated => {
            let kinds = principals.kinds.iter();
            let names = kinds.flat_map(|(kind, names)| names.iter().map(move |name| (kind, name)));
            let one = |(kind, name): (&String, &String)| {
                Some(Principals {
                    negated: false,
                    kinds: BTreeMap::from([(kind.clone(), BTreeSet::from([name.clone()]))]),
                })
            };
            names.map(one).collect()
        }
        other => vec![other.cloned()],
    }
}

/// Whether a condition holds where it holds with one of its values.
///
/// Source: IAM User Guide, "Conditions with multiple context keys or values": the values are joined by a logical OR, those of
/// a negated operator by a NOR.
fn is_any_of(operator: &str) -> bool {
    Operator::parse(operator).is_some_and(|operator| {
        !operator.negated && operator.quantifier != Some(Quantifier::ForAllValues)
    })
}
