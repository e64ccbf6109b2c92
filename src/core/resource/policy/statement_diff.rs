//! What changed between two documents, statement by statement.
//!
//! Statements that are equal go first, then those that mean the same, then those of one `Sid`, then the most alike;
//! what is left came or went.

use std::collections::BTreeSet;

use serde_json::Value;

use super::meaning::Meaning;
use super::widening::widens;
use super::{Difference, Effect, PolicyDocument, Statement, StatementDiff};
use crate::org::AccountId;

/// Below this share of common parts two statements are not the same one changed.
const ALIKE: f64 = 0.3;

impl PolicyDocument {
    /// What changed, statement by statement: widening first, then narrowing, then cosmetic.
    ///
    /// A change of `Version` shows at the statements whose meaning depends on it, those with policy variables. A live
    /// document that is not understood is one change as a whole, taken for widening.
    pub fn statement_diffs(&self, after: &Self) -> Vec<StatementDiff> {
        self.statement_diffs_in(None, after)
    }

    /// Likewise for a document that this account holds: whom its trust names there needs no policy of its own.
    pub fn statement_diffs_in(&self, home: Option<AccountId>, after: &Self) -> Vec<StatementDiff> {
        if self.difference(after) == Difference::None {
            return Vec::new();
        }
        if !self.is_understood() || !after.is_understood() {
            let (before, after) = (Some(self.to_value()), Some(after.to_value()));
            return vec![StatementDiff {
                before,
                after,
                widens: true,
                cosmetic: false,
            }];
        }
        let mut diffs: Vec<_> = self
            .pairs(after)
            .into_iter()
            .filter_map(|pair| self.diff_of(after, pair, home))
            .collect();
        let (before_texts, after_texts) = (self.written_statements(), after.written_statements());
        let written = |texts: &[Value], index: Option<usize>| {
            index.and_then(|index| texts.get(index)).cloned()
        };
        diffs.sort_by_key(|(pair, widens, cosmetic)| {
            (
                *cosmetic,
                !widens,
                pair.after.is_none(),
                pair.after,
                pair.before,
            )
        });
        diffs
            .into_iter()
            .map(|(pair, widens, cosmetic)| StatementDiff {
                before: written(&before_texts, pair.before),
                after: written(&after_texts, pair.after),
                widens,
                cosmetic,
            })
            .collect()
    }

    /// Each statement of both documents once.
    fn pairs(&self, after: &Self) -> Vec<Pair> {
        let mut pairing = Pairing {
            before: self.statements().iter().enumerate().collect(),
            after: after.statements().iter().enumerate().collect(),
            pairs: Vec::new(),
        };
        pairing.pair_where(|before, after| before == after);
        pairing.pair_where(|before, after| before.meaning() == after.meaning());
        pairing.pair_where(|before, after| before.sid.is_some() && before.sid == after.sid);
        pairing.pair_alike();
        pairing.finish()
    }

    /// Judges a pair; `None` where nothing changed.
    fn diff_of(
        &self,
        after: &Self,
        pair: Pair,
        home: Option<AccountId>,
    ) -> Option<(Pair, bool, bool)> {
        let old = pair.before.and_then(|index| self.statements().get(index));
        let new = pair.after.and_then(|index| after.statements().get(index));
        let version_matters = self.version() != after.version()
            && old.into_iter().chain(new).any(Statement::uses_variables);
        if old == new && !version_matters {
            return None;
        }
        if version_matters {
            return Some((pair, true, false));
        }
        let cosmetic = match (old, new) {
            (Some(old), Some(new)) => old.meaning() == new.meaning(),
            (Some(gone), None) => after
                .statements()
                .iter()
                .any(|other| other.meaning() == gone.meaning()),
            (None, Some(come)) => self
                .statements()
                .iter()
                .any(|other| other.meaning() == come.meaning()),
            (None, None) => true,
        };
        let widens =
            !cosmetic && widens(old, new, home) && !self.made_up_for(after, (old, new), home);
        Some((pair, widens, cosmetic))
    }

    /// Whether other documents together say what one of its statements says: allow what it allows, deny what it denies.
    pub fn is_said_by(&self, index: usize, others: &[&Self]) -> bool {
        let Some(statement) = self.statements().get(index) else {
            return false;
        };
        let same = others
            .iter()
            .filter(|other| other.is_understood())
            .filter(|other| other.version() == self.version() || !statement.uses_variables());
        statement.is_covered_by(same.flat_map(|other| other.statements()), None)
    }

    /// Whether other statements make up for a change that widens when seen alone: what is now allowed was allowed
    /// before, and what was denied is denied now.
    fn made_up_for(
        &self,
        after: &Self,
        (old, new): (Option<&Statement>, Option<&Statement>),
        home: Option<AccountId>,
    ) -> bool {
        let covered = |statement: Option<&Statement>, effect: Effect, others: &[Statement]| {
            statement
                .filter(|statement| statement.effect == effect)
                .is_none_or(|statement| statement.is_covered_by(others.iter(), home))
        };
        self.version() == after.version()
            && covered(new, Effect::Allow, self.statements())
            && covered(old, Effect::Deny, after.statements())
    }
}

/// The places of a statement in the two documents.
#[derive(Debug, Clone, Copy)]
struct Pair {
    before: Option<usize>,
    after: Option<usize>,
}

type Placed<'a> = (usize, &'a Statement);

struct Pairing<'a> {
    before: Vec<Placed<'a>>,
    after: Vec<Placed<'a>>,
    pairs: Vec<Pair>,
}

impl Pairing<'_> {
    fn pair_where(&mut self, same: impl Fn(&Statement, &Statement) -> bool) {
        let (after, pairs) = (&mut self.after, &mut self.pairs);
        self.before.retain(|(index, statement)| {
            let Some(found) = after.iter().position(|(_, other)| same(statement, other)) else {
                return true;
            };
            let (other, _) = after.remove(found);
            pairs.push(Pair {
                before: Some(*index),
                after: Some(other),
            });
            false
        });
    }

    /// Pairs the most alike first.
    fn pair_alike(&mut self) {
        let parts = |placed: &[Placed]| {
            placed
                .iter()
                .map(|(index, s)| (*index, parts(&s.meaning())))
                .collect::<Vec<_>>()
        };
        let (before, after) = (parts(&self.before), parts(&self.after));
        let mut scores: Vec<(f64, usize, usize)> = Vec::new();
        for (old, old_parts) in &before {
            scores.extend(
                after
                    .iter()
                    .map(|(new, new_parts)| (likeness(old_parts, new_parts), *old, *new)),
            );
        }
        scores.retain(|(score, ..)| *score >= ALIKE);
        scores.sort_by(|(a, ..), (b, ..)| b.total_cmp(a));
        for (_, old, new) in scores {
            let free = |placed: &[Placed], index| placed.iter().any(|(other, _)| *other == index);
            if free(&self.before, old) && free(&self.after, new) {
                self.before.retain(|(index, _)| *index != old);
                self.after.retain(|(index, _)| *index != new);
                self.pairs.push(Pair {
                    before: Some(old),
                    after: Some(new),
                });
            }
        }
    }

    fn finish(mut self) -> Vec<Pair> {
        self.pairs.extend(self.before.iter().map(|(index, _)| Pair {
            before: Some(*index),
            after: None,
        }));
        self.pairs.extend(self.after.iter().map(|(index, _)| Pair {
            before: None,
            after: Some(*index),
        }));
        self.pairs
    }
}

/// The share of parts that two statements have in common.
fn likeness(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let size = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
    size(a.intersection(b).count()) / size(a.union(b).count())
}

/// What a statement consists of, to tell how alike two are.
fn parts(meaning: &Meaning) -> BTreeSet<String> {
    let Meaning {
        effect,
        principals,
        actions,
        resources,
        conditions,
    } = meaning;
    let mut parts = BTreeSet::from([format!("{effect:?}")]);
    parts.extend(
        actions
            .patterns
            .iter()
            .map(|action| format!("action {action}")),
    );
    parts.extend(
        resources
            .iter()
            .flat_map(|resources| &resources.patterns)
            .map(|resource| format!("on {resource}")),
    );
    for (kind, names) in principals.iter().flat_map(|principals| &principals.kinds) {
        parts.extend(names.iter().map(|name| format!("{kind} {name}")));
    }
    parts.extend(conditions.iter().map(|(_, key, _)| format!("if {key}")));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::Partition;
    use crate::resource::policy::PolicyKind;

    /// What a diff says of each statement, by action: `widens s3:Get -> s3:*`.
    fn diffs(before: &str, after: &str) -> Vec<String> {
        let read = |statements: &str| {
            let text = match statements.strip_prefix("2012 ") {
                Some(statements) => {
                    format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
                }
                None => format!(r#"{{"Statement":[{statements}]}}"#),
            };
            let document = PolicyDocument::live(&text, PolicyKind::Identity, &Partition::default());
            assert!(document.is_understood(), "{text}");
            document
        };
        let side = |value: &Option<Value>| {
            value
                .as_ref()
                .map_or("none".to_owned(), |value| value["Action"].to_string())
        };
        let told = |diff: &StatementDiff| {
            let word = match (diff.widens, diff.cosmetic) {
                (true, false) => "widens",
                (false, false) => "narrows",
                (false, true) => "cosmetic",
                (true, true) => "nonsense",
            };
            format!("{word} {} -> {}", side(&diff.before), side(&diff.after)).replace('"', "")
        };
        read(before)
            .statement_diffs(&read(after))
            .iter()
            .map(told)
            .collect()
    }

    fn allow(action: &str) -> String {
        format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"*"}}"#)
    }

    fn deny(action: &str) -> String {
        allow(action).replace("Allow", "Deny")
    }

    fn with_sid(sid: &str, statement: &str) -> String {
        statement.replacen('{', &format!(r#"{{"Sid":"{sid}","#), 1)
    }

    #[test]
    fn each_change_is_told_once_and_the_widening_first() {
        let (get, all, deny) = (allow("s3:Get"), allow("s3:*"), deny("iam:*"));
        let named = with_sid("X", &get);
        let rows: &[(String, String, &[&str])] = &[
            (format!("{get},{deny}"), format!("{deny},{get}"), &[]),
            (get.clone(), all.clone(), &["widens s3:Get -> s3:*"]),
            (all.clone(), get.clone(), &["narrows s3:* -> s3:Get"]),
            (
                get.clone(),
                format!("{get},{deny}"),
                &["narrows none -> iam:*"],
            ),
            (
                format!("{get},{deny}"),
                get.clone(),
                &["widens iam:* -> none"],
            ),
            (get.clone(), named.clone(), &["cosmetic s3:Get -> s3:Get"]),
            (
                format!("{get},{get}"),
                get.clone(),
                &["cosmetic s3:Get -> none"],
            ),
            (
                format!("{named},{}", allow("ec2:Run")),
                format!("{get},{}", allow("ec2:*")),
                &["widens ec2:Run -> ec2:*", "cosmetic s3:Get -> s3:Get"],
            ),
            (
                with_sid("X", &get),
                with_sid("X", &deny),
                &["narrows s3:Get -> iam:*"],
            ),
        ];
        for (before, after, expect) in rows {
            assert_eq!(diffs(before, after), *expect, "{before} to {after}");
        }
    }

    #[test]
    fn what_another_statement_allowed_or_denies_anyway_does_not_widen() {
        let (get, all) = (allow("s3:Get"), allow("s3:*"));
        assert_eq!(
            diffs(&all, &format!("{all},{get}")),
            ["narrows none -> s3:Get"]
        );
        let (some, every) = (deny("iam:Get"), deny("iam:*"));
        assert_eq!(
            diffs(&format!("{some},{every}"), &every),
            ["narrows iam:Get -> none"]
        );
        assert_eq!(
            diffs(&format!("{get},{every}"), &format!("{get},{some}")),
            ["widens iam:* -> iam:Get"]
        );
    }

    fn of(effect: &str, actions: &str, more: &str) -> String {
        format!(r#"{{"Effect":"{effect}","Action":{actions},"Resource":"*"{more}}}"#)
    }

    fn widening(before: &str, after: &str) -> bool {
        diffs(before, after)
            .iter()
            .any(|it| it.starts_with("widens"))
    }

    #[test]
    fn statements_that_are_joined_or_split_widen_nothing() {
        let both = r#"["s3:Get","s3:Put"]"#;
        let condition = |operator: &str, values: &str| {
            format!(r#","Condition":{{"{operator}":{{"aws:PrincipalTag/t":{values}}}}}"#)
        };
        for effect in ["Allow", "Deny"] {
            let of = |actions: &str, more: &str| self::of(effect, actions, more);
            let apart =
                |more: &str| format!("{},{}", of(r#""s3:Get""#, more), of(r#""s3:Put""#, more));
            let by_value = |operator: &str| {
                format!(
                    "{},{}",
                    of(r#""s3:Get""#, &condition(operator, r#""a""#)),
                    of(r#""s3:Get""#, &condition(operator, r#""b""#))
                )
            };
            let joined = |operator: &str| of(r#""s3:Get""#, &condition(operator, r#"["a","b"]"#));
            let mut same = vec![(apart(""), of(both, ""))];
            for operator in [
                "StringEquals",
                "StringLike",
                "StringEqualsIfExists",
                "ForAnyValue:StringEquals",
            ] {
                same.push((by_value(operator), joined(operator)));
            }
            let like = condition("StringLike", r#"["a","b"]"#);
            let equals = condition("StringEquals", r#"["b","a"]"#);
            same.push((of(both, &like), apart(&equals)));
            for (one, other) in same {
                assert!(!widening(&one, &other), "{one} to {other}");
                assert!(!widening(&other, &one), "{other} to {one}");
            }
            // Two exclusions are no list of exclusions, and all of several values are not each of them.
            for operator in ["StringNotEquals", "ForAllValues:StringEquals"] {
                let (apart, joined) = (by_value(operator), joined(operator));
                assert!(
                    widening(&apart, &joined) || widening(&joined, &apart),
                    "{effect} {operator}"
                );
            }
            let more = of(r#"["s3:Get","s3:Put","s3:List"]"#, "");
            let (wide, narrow) = if effect == "Allow" {
                (more, apart(""))
            } else {
                (apart(""), more)
            };
            assert!(widening(&narrow, &wide));
        }
    }

    /// `IfExists` holds where the key is absent, whatever is listed.
    #[test]
    fn a_condition_that_lists_nothing_is_not_nothing() {
        let when = |operator: &str| {
            let condition = format!(r#","Condition":{{"{operator}":{{"k":[]}}}}"#);
            of("Allow", r#""s3:Put""#, &condition)
        };
        for operator in [
            "StringEqualsIfExists",
            "StringLikeIfExists",
            "NumericEqualsIfExists",
            "ForAnyValue:StringEqualsIfExists",
            "StringNotEquals",
            "ForAllValues:StringEquals",
        ] {
            assert!(widening(&allow("s3:Get"), &when(operator)), "{operator}");
            assert!(!widening(&allow("s3:*"), &when(operator)), "{operator}");
        }
    }

    #[test]
    fn a_pattern_without_a_wildcard_is_that_text() {
        let when = |operator: &str, value: &str| {
            of(
                "Allow",
                r#""s3:Get""#,
                &format!(r#","Condition":{{"{operator}":{{"k":"{value}"}}}}"#),
            )
        };
        for (like, equals) in [
            ("StringLike", "StringEquals"),
            ("StringNotLikeIfExists", "StringNotEqualsIfExists"),
            ("ForAnyValue:StringLike", "ForAnyValue:StringEquals"),
        ] {
            let (like, equals) = (when(like, "v"), when(equals, "v"));
            assert!(!widening(&like, &equals), "{like} to {equals}");
            assert!(!widening(&equals, &like), "{equals} to {like}");
        }
        for value in ["v*", "v?", "${aws:username}"] {
            assert_eq!(
                diffs(&when("StringEquals", value), &when("StringLike", value)),
                ["widens s3:Get -> s3:Get"],
                "{value}",
            );
        }
    }

    #[test]
    fn a_version_shows_where_variables_are() {
        let variable = allow("s3:Get").replace(r#""*""#, r#""arn:aws:s3:::b/${aws:username}""#);
        let both = format!("{},{variable}", allow("ec2:Run"));
        assert_eq!(
            diffs(&both, &format!("2012 {both}")),
            ["widens s3:Get -> s3:Get"]
        );
    }

    #[test]
    fn a_document_that_is_not_understood_is_one_change() {
        let read = |text| PolicyDocument::live(text, PolicyKind::Identity, &Partition::default());
        let (before, after) = (
            read("{"),
            read(&format!(r#"{{"Statement":{}}}"#, allow("s3:Get"))),
        );
        let diffs = before.statement_diffs(&after);
        assert_eq!(diffs.len(), 1);
        assert_eq!(diffs[0].before, Some(Value::String("{".to_owned())));
        assert!(diffs[0].widens && !diffs[0].cosmetic);
        assert!(before.statement_diffs(&before.clone()).is_empty());
    }
}
