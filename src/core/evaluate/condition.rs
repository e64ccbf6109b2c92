//! Conditions: one operator, one key, the values of the policy against those of the request.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Set operators for multivalued
//! context keys".

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::truth::Truth;
use super::{Scene, Values};
use crate::resource::policy::operator::{Comparison, Operator, Quantifier, Test};
use crate::resource::policy::pattern::{Token, matches};
use crate::resource::policy::value::{Network, compare_numbers, compare_times};

impl Scene<'_> {
    /// Whether the request meets `operator` on `key` with any of `wanted`.
    pub(super) fn condition(self, operator: &str, key: &str, wanted: &BTreeSet<String>) -> Truth {
        // IAM takes no other operators, so the effect of this one is unknown.
        let Some(operator) = Operator::parse(operator) else {
            return Truth::Maybe;
        };
        match self.values(key) {
            Values::Unknown => Truth::Maybe,
            values if operator.test == Test::Null => {
                let absent = if matches!(values, Values::Absent) {
                    "true"
                } else {
                    "false"
                };
                Truth::from(
                    wanted
                        .iter()
                        .any(|wanted| wanted.eq_ignore_ascii_case(absent)),
                )
            }
            Values::Absent => Truth::from(operator.passes_without_key()),
            // Under a set operator an empty string is a null data set.
            Values::Present(values)
                if operator.quantifier.is_some() && values.iter().all(String::is_empty) =>
            {
                Truth::from(operator.passes_without_key())
            }
            Values::Present(values) => {
                let mut each = values.iter().map(|value| {
                    let any = Truth::any(
                        wanted
                            .iter()
                            .map(|wanted| self.test(operator.test, value, wanted)),
                    );
                    if operator.negated { any.not() } else { any }
                });
                match (operator.quantifier, operator.negated) {
                    (Some(Quantifier::ForAllValues), _) | (None, true) => Truth::all(&mut each),
                    (Some(Quantifier::ForAnyValue), _) | (None, false) => Truth::any(&mut each),
                }
            }
        }
    }

    /// Whether one value of the request passes the test for one value of the policy.
    fn test(self, test: Test, value: &str, wanted: &str) -> Truth {
        match test {
            Test::StringEquals => self.pattern(wanted, |wanted| text(wanted) == value),
            Test::StringEqualsIgnoreCase => self.pattern(wanted, |wanted| {
                text(wanted).to_lowercase() == value.to_lowercase()
            }),
            Test::StringLike => self.pattern(wanted, |wanted| matches(wanted, value)),
            Test::Arn => self.pattern(wanted, |wanted| arn_matches(wanted, value)),
            Test::Numeric(comparison) => compares(comparison, compare_numbers(value, wanted)),
            Test::Date(comparison) => compares(comparison, compare_times(value, wanted)),
            Test::Bool | Test::Null => Truth::from(value.eq_ignore_ascii_case(wanted)),
            Test::Binary => Truth::from(value == wanted),
            Test::IpAddress => Truth::from(match (Network::parse(wanted), Network::parse(value)) {
                (Some(wanted), Some(value)) => wanted.contains(&value),
                _ => false,
            }),
        }
    }
}

fn compares(comparison: Comparison, order: Option<Ordering>) -> Truth {
    Truth::from(order.is_some_and(|order| match comparison {
        Comparison::Equals => order.is_eq(),
        Comparison::LessThan => order.is_lt(),
        Comparison::LessThanEquals => order.is_le(),
        Comparison::GreaterThan => order.is_gt(),
        Comparison::GreaterThanEquals => order.is_ge(),
    }))
}

/// The text of a pattern where `*` and `?` are characters like any other.
fn text(tokens: &[Token]) -> String {
    let char = |token: &Token| match token {
        Token::Char(char) => Some(*char),
        Token::Any => Some('*'),
        Token::One => Some('?'),
        Token::Variable(_) => None,
    };
    tokens.iter().filter_map(char).collect()
}

/// Each of the six parts of an ARN is matched by itself; `*` alone matches every ARN.
fn arn_matches(wanted: &[Token], value: &str) -> bool {
    let parts: Vec<&str> = value.splitn(6, ':').collect();
    let wanted: Vec<&[Token]> = wanted
        .splitn(6, |token| *token == Token::Char(':'))
        .collect();
    match wanted.as_slice() {
        [[Token::Any]] => parts.len() == 6,
        wanted => {
            wanted.len() == 6
                && parts.len() == 6
                && wanted
                    .iter()
                    .zip(parts)
                    .all(|(wanted, part)| matches(wanted, part))
        }
    }
}
