//! Laws over random documents: respelling one changes nothing, changing its meaning in any way is seen.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::org::Partition;

fn partition() -> Partition {
    Partition::default()
}

fn read(value: &Value, kind: PolicyKind) -> PolicyDocument {
    PolicyDocument::from_value(value, kind, &partition())
        .unwrap_or_else(|problems| panic!("{value}: {problems:?}"))
}

fn some<T: Clone + std::fmt::Debug + 'static>(
    of: &[T],
    least: usize,
) -> impl Strategy<Value = Vec<T>> + use<T> {
    prop::sample::subsequence(of.to_vec(), least..=of.len())
}

fn conditions() -> impl Strategy<Value = Value> {
    let operators = some(
        &[
            "StringEquals",
            "ForAnyValue:StringLike",
            "ArnLike",
            "Bool",
            "NumericLessThanEquals",
        ],
        0,
    );
    let keys = some(
        &["aws:PrincipalTag/Team", "sts:ExternalId", "aws:SourceIp"],
        1,
    );
    let values = some(&["true", "3600", "Value", "*", "${aws:username}"], 1);
    (operators, keys, values).prop_map(|(operators, keys, values)| {
        let block: Map<_, _> = keys
            .into_iter()
            .map(|key| (key.to_owned(), json!(values)))
            .collect();
        operators
            .into_iter()
            .map(|operator| (operator.to_owned(), Value::Object(block.clone())))
            .collect()
    })
}

fn statement(kind: PolicyKind) -> impl Strategy<Value = Value> {
    let resources = some(
        &[
            "arn:aws:s3:::Bucket/*",
            "arn:aws:s3:::b/${aws:username}",
            "arn:aws:iam::*:role/R",
        ],
        1,
    );
    let principals = some(
        &[
            "123456789012",
            "210987654321",
            "arn:aws:iam::123456789012:role/R",
            "*",
        ],
        1,
    );
    (any::<[bool; 3]>(), resources, principals, conditions()).prop_map(
        move |(flags, resources, principals, when)| {
            let [deny, not, both] = flags;
            let mut statement =
                json!({ "Effect": if deny { "Deny" } else { "Allow" }, "Condition": when });
            let actions = if both {
                json!(["sts:AssumeRole", "sts:TagSession"])
            } else {
                json!(["sts:AssumeRole"])
            };
            statement[if not { "NotAction" } else { "Action" }] = actions;
            match kind {
                PolicyKind::Trust => {
                    statement["Principal"] =
                        json!({ "AWS": principals, "Service": ["ec2.amazonaws.com"] });
                }
                PolicyKind::Identity => {
                    statement[if not { "NotResource" } else { "Resource" }] = json!(resources);
                }
            }
            statement
        },
    )
}

/// A document whose statements all differ, by an action of their own.
fn document() -> impl Strategy<Value = (PolicyKind, Value)> {
    prop_oneof![Just(PolicyKind::Trust), Just(PolicyKind::Identity)].prop_flat_map(|kind| {
        (prop::collection::vec(statement(kind), 1..4), any::<bool>()).prop_map(
            move |(mut statements, old)| {
                for (index, statement) in statements.iter_mut().enumerate() {
                    let own = json!(format!("sts:Own{index}"));
                    action_list(statement).push(own);
                }
                let version = if old { "2008-10-17" } else { "2012-10-17" };
                (kind, json!({ "Version": version, "Statement": statements }))
            },
        )
    })
}

fn action_list(statement: &mut Value) -> &mut Vec<Value> {
    let name = if statement.get("Action").is_some() {
        "Action"
    } else {
        "NotAction"
    };
    statement[name].as_array_mut().unwrap()
}

/// A stream of choices.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 40).unwrap() % sides
    }

    fn heads(&mut self) -> bool {
        self.below(2) == 0
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }

    fn recase(&mut self, text: &str) -> String {
        text.chars()
            .map(|c| {
                if self.heads() {
                    c.to_ascii_uppercase()
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect()
    }
}

/// Says the same in other words.
fn respell(value: &Value, member: &str, depth: usize, dice: &mut Dice) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, value)| {
                    let within = if member == "Condition" {
                        "Condition"
                    } else {
                        name
                    };
                    let value = respell(value, within, depth + 1, dice);
                    // A key of a condition stands four deep: statement, `Condition`, operator, key.
                    let is_key = member == "Condition" && depth == 3;
                    (
                        if is_key {
                            dice.recase(name)
                        } else {
                            name.clone()
                        },
                        value,
                    )
                })
                .collect();
            dice.shuffle(&mut members);
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => {
            let mut items: Vec<_> = items
                .iter()
                .map(|item| respell(item, member, depth, dice))
                .collect();
            if member != "Statement" && dice.heads() {
                items.push(items[0].clone());
            }
            dice.shuffle(&mut items);
            if items.len() == 1 && dice.heads() {
                items.remove(0)
            } else {
                Value::Array(items)
            }
        }
        Value::String(text) if member == "Action" || member == "NotAction" => {
            dice.recase(text).into()
        }
        Value::String(text) if member == "AWS" && text.len() == 12 && dice.heads() => {
            format!("arn:aws:iam::{text}:root").into()
        }
        Value::String(text) if member == "Condition" && text == "true" && dice.heads() => {
            Value::Bool(true)
        }
        Value::String(text) if member == "Condition" && text == "3600" && dice.heads() => {
            3600.into()
        }
        other => other.clone(),
    }
}

/// Changes the meaning of one statement, or of the whole by its version.
fn mutate(document: &mut Value, dice: &mut Dice) {
    // Without a policy variable both versions mean the same.
    if dice.below(9) == 0 && document.to_string().contains("${") {
        let version = if document["Version"] == "2012-10-17" {
            "2008-10-17"
        } else {
            "2012-10-17"
        };
        document["Version"] = version.into();
        return;
    }
    let statements = document["Statement"].as_array_mut().unwrap();
    let index = dice.below(statements.len());
    let statement = &mut statements[index];
    match dice.below(7) {
        0 => {
            statement["Effect"] = if statement["Effect"] == "Allow" {
                "Deny"
            } else {
                "Allow"
            }
            .into();
        }
        1 => action_list(statement).push("sts:SetContext".into()),
        2 => drop(action_list(statement).remove(0)),
        3 => *action_list(statement).last_mut().unwrap() = "sts:SetContext".into(),
        4 => {
            let (from, to) = if statement.get("Action").is_some() {
                ("Action", "NotAction")
            } else {
                ("NotAction", "Action")
            };
            let actions = statement.as_object_mut().unwrap().remove(from).unwrap();
            statement[to] = actions;
        }
        5 if statement.get("Principal").is_some() => {
            statement["Principal"]["AWS"][0] = "999999999999".into();
        }
        5 => {
            let name = if statement.get("Resource").is_some() {
                "Resource"
            } else {
                "NotResource"
            };
            let changed = statement[name][0]
                .as_str()
                .unwrap()
                .replace('R', "r")
                .replace("Bucket", "bucket");
            statement[name][0] = changed.replace("b/$", "B/$").into();
        }
        _ => mutate_condition(statement["Condition"].as_object_mut().unwrap(), dice),
    }
}

fn mutate_condition(condition: &mut Map<String, Value>, dice: &mut Dice) {
    let Some((operator, mut block)) = condition
        .iter()
        .next()
        .map(|(name, block)| (name.clone(), block.clone()))
    else {
        condition.insert("Null".to_owned(), json!({ "aws:k": "true" }));
        return;
    };
    let keys = block.as_object_mut().unwrap();
    match dice.below(4) {
        0 => drop(condition.remove(&operator)),
        1 => {
            condition.remove(&operator);
            condition.insert(format!("{operator}IfExists"), block);
        }
        2 => {
            keys.insert("aws:username".to_owned(), json!("x"));
            condition.insert(operator, block);
        }
        _ => {
            keys.values_mut()
                .next()
                .unwrap()
                .as_array_mut()
                .unwrap()
                .push("other".into());
            condition.insert(operator, block);
        }
    }
}

proptest! {
    #[test]
    fn a_respelled_document_is_no_difference((kind, document) in document(), seed in any::<u64>()) {
        let mut respelled = respell(&document, "", 0, &mut Dice(seed));
        let (a, b) = (read(&document, kind), read(&respelled, kind));
        prop_assert_eq!(a.difference(&b), Difference::None, "{} {}", a.text(), b.text());
        prop_assert!(a.statement_diffs(&b).is_empty());
        if let Some(statement) = respelled["Statement"].as_array_mut().and_then(|statements| statements.first_mut()) {
            statement["Sid"] = "Named".into();
            let c = read(&respelled, kind);
            prop_assert_eq!(a.difference(&c), Difference::Cosmetic);
            prop_assert!(a.statement_diffs(&c).iter().all(|diff| diff.cosmetic && !diff.widens));
        }
    }

    #[test]
    fn a_change_of_meaning_is_seen((kind, document) in document(), seed in any::<u64>()) {
        let mut changed = document.clone();
        let mut dice = Dice(seed);
        mutate(&mut changed, &mut dice);
        let (a, b) = (read(&document, kind), read(&respell(&changed, "", 0, &mut dice), kind));
        prop_assert_eq!(a.difference(&b), Difference::Semantic, "{} {}", a.text(), b.text());
        prop_assert_eq!(b.difference(&a), Difference::Semantic);
        if a.version() == b.version() {
            prop_assert!(a.statement_diffs(&b).iter().any(|diff| !diff.cosmetic));
        }
    }

    #[test]
    fn the_text_reads_back((kind, document) in document(), seed in any::<u64>()) {
        let a = read(&respell(&document, "", 0, &mut Dice(seed)), kind);
        let b = PolicyDocument::parse(a.text(), kind, &partition());
        let b = b.unwrap_or_else(|problems| panic!("{}: {problems:?}", a.text()));
        prop_assert_eq!(a.difference(&b), Difference::None);
        prop_assert_eq!(a.text(), b.text());
        prop_assert_eq!(&a, &PolicyDocument::live(a.text(), kind, &partition()));
    }

    #[test]
    fn ours_are_there_after_they_are_added((kind, a) in document(), (_, b) in document()) {
        let [a, b] = [a, b].map(|value| PolicyDocument::live(&value.to_string(), kind, &partition()));
        let merged = a.with_statements_of(&b);
        let has = |statement: &Statement| merged.statements().iter().any(|other| other.meaning() == statement.meaning());
        prop_assert!(a.statements().iter().chain(b.statements()).all(has));
        prop_assert_eq!(&merged.with_statements_of(&b), &merged);
        prop_assert_eq!(&PolicyDocument::live(merged.text(), kind, &partition()), &merged);
    }

    #[test]
    fn no_text_makes_reading_panic(text in ".*", bytes in "[\\[\\]{}:,\" a-c0-9$*<>]{0,40}", (kind, document) in document(), cut in 0..200_usize) {
        let mut cut_off: String = document.to_string().chars().take(cut).collect();
        cut_off.push_str(&bytes);
        for text in [text, bytes, cut_off] {
            let live = PolicyDocument::live(&text, kind, &partition());
            prop_assert_eq!(live.difference(&live.clone()), Difference::None);
            let other = PolicyDocument::live(&document.to_string(), kind, &partition());
            let _ = (live.statement_diffs(&other), other.with_statements_of(&live), live.with_statements_of(&other));
            let _ = PolicyDocument::parse(&text, kind, &partition());
        }
    }
}
