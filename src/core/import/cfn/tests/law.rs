//! The law of evaluation: with any parameters, account and partition, `CloudFormation`'s own way of evaluating a template and
//! the expansion of what was imported agree on every role.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::super::node::{Node, Origin, Value};
use super::super::read::read;
use super::*;
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::PolicyRef;

/// Evaluates a template as `CloudFormation` does, with every value at hand.
struct Concrete<'a> {
    template: &'a Node,
    parameters: &'a BTreeMap<String, Json>,
    account: &'a str,
    partition: &'a str,
}

fn text(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

impl Concrete<'_> {
    /// `None` where it is `AWS::NoValue`.
    fn eval(&self, node: &Node) -> Option<Json> {
        match &node.value {
            Value::Null => None,
            Value::Text(text) => Some(json!(text)),
            Value::List(items) => Some(items.iter().filter_map(|item| self.eval(item)).collect()),
            Value::Map(members) => match members.as_slice() {
                [(key, argument)] if key.text == "Ref" => {
                    self.reference(argument.as_text().unwrap())
                }
                [(key, argument)] if key.text.starts_with("Fn::") => self.call(&key.text, argument),
                members => {
                    let member = |(key, node): &(super::super::node::Key, Node)| {
                        Some((key.text.clone(), self.eval(node)?))
                    };
                    Some(Json::Object(members.iter().filter_map(member).collect()))
                }
            },
        }
    }

    fn reference(&self, name: &str) -> Option<Json> {
        Some(match name {
            "AWS::NoValue" => return None,
            "AWS::AccountId" => json!(self.account),
            "AWS::Partition" => json!(self.partition),
            "AWS::URLSuffix" if self.partition == "aws-cn" => json!("amazonaws.com.cn"),
            "AWS::URLSuffix" => json!("amazonaws.com"),
            name => match self.parameters.get(name) {
                Some(value) => value.clone(),
                None => self.attribute(name, "Ref"),
            },
        })
    }

    fn attribute(&self, logical: &str, attribute: &str) -> Json {
        let resource = self
            .template
            .get("Resources")
            .unwrap()
            .get(logical)
            .unwrap();
        let properties = resource.get("Properties").unwrap();
        let is_role = resource.get("Type").unwrap().as_text() == Some("AWS::IAM::Role");
        let name = if is_role {
            "RoleName"
        } else {
            "ManagedPolicyName"
        };
        let name = self.eval(properties.get(name).unwrap()).unwrap();
        if is_role && attribute == "Ref" {
            return name;
        }
        let word = if is_role { "role" } else { "policy" };
        json!(format!(
            "arn:{}:iam::{}:{word}/{}",
            self.partition,
            self.account,
            text(&name)
        ))
    }

    fn call(&self, name: &str, argument: &Node) -> Option<Json> {
        let items = argument.as_list().unwrap_or_default();
        let at = |index: usize| self.eval(&items[index]);
        Some(match name {
            "Fn::Sub" => {
                let (template, own) = match items {
                    [template, own] => (template.as_text().unwrap(), own.members()),
                    _ => (argument.as_text().unwrap(), &[] as &[_]),
                };
                let mut made = String::new();
                let mut rest = template;
                while let Some((before, after)) = rest.split_once("${") {
                    let (name, after) = after.split_once('}').unwrap();
                    made += before;
                    let piece = match (name.strip_prefix('!'), name.split_once('.')) {
                        (Some(literal), _) => format!("${{{literal}}}"),
                        (None, Some((logical, attribute))) => {
                            text(&self.attribute(logical, attribute))
                        }
                        (None, None) => {
                            let own = own.iter().find(|(key, _)| key.text == name);
                            let found = own
                                .map_or_else(|| self.reference(name), |(_, node)| self.eval(node));
                            text(&found.unwrap())
                        }
                    };
                    made += &piece;
                    rest = after;
                }
                json!(made + rest)
            }
            "Fn::Join" => {
                let list = at(1).unwrap();
                let list: Vec<String> = list.as_array().unwrap().iter().map(text).collect();
                json!(list.join(&text(&at(0).unwrap())))
            }
            "Fn::Split" => {
                let (delimiter, whole) = (text(&at(0).unwrap()), text(&at(1).unwrap()));
                whole.split(&delimiter).map(|part| json!(part)).collect()
            }
            "Fn::Select" => {
                let index: usize = text(&at(0).unwrap()).parse().unwrap();
                at(1).unwrap()[index].clone()
            }
            "Fn::If" => return at(if self.holds(&items[0]) { 1 } else { 2 }),
            "Fn::FindInMap" => {
                let map = self.template.get("Mappings").unwrap();
                let keys = [0, 1, 2].map(|index| text(&at(index).unwrap()));
                let found = keys.iter().try_fold(map, |map, key| map.get(key));
                return match found {
                    Some(found) => self.eval(found),
                    None => self.eval(items[3].get("DefaultValue").unwrap()),
                };
            }
            "Fn::GetAtt" => {
                let (logical, attribute) = argument.as_text().map_or_else(
                    || (items[0].as_text().unwrap(), items[1].as_text().unwrap()),
                    |text| text.split_once('.').unwrap(),
                );
                self.attribute(logical, attribute)
            }
            "Fn::Length" => json!(
                self.eval(argument)
                    .unwrap()
                    .as_array()
                    .unwrap()
                    .len()
                    .to_string()
            ),
            name => panic!("{name}"),
        })
    }

    fn holds(&self, node: &Node) -> bool {
        if let Some(name) = node.as_text() {
            return self.holds(self.template.get("Conditions").unwrap().get(name).unwrap());
        }
        let [(key, argument)] = node.members() else {
            panic!()
        };
        let items = argument.as_list().unwrap_or_default();
        match key.text.as_str() {
            "Condition" => self.holds(argument),
            "Fn::Equals" => {
                text(&self.eval(&items[0]).unwrap()) == text(&self.eval(&items[1]).unwrap())
            }
            "Fn::Not" => !self.holds(&items[0]),
            "Fn::And" => items.iter().all(|item| self.holds(item)),
            "Fn::Or" => items.iter().any(|item| self.holds(item)),
            name => panic!("{name}"),
        }
    }
}

const TEMPLATE: &str = include_str!("law.yaml");

#[derive(Debug, Clone)]
struct Given {
    text: BTreeMap<String, String>,
    account: String,
    partition: String,
}

fn given() -> impl Strategy<Value = Given> {
    let mode = prop::sample::select(vec!["deep", "flat", "vault"]);
    let flag = prop::sample::select(vec!["true", "false"]);
    let name = prop::sample::select(vec!["", "north", "a-b"]);
    let arn = prop::sample::select(vec!["", "kms:eu-north-1:600000000001:key/1"]);
    let number = prop::sample::select(vec!["3600", "7200", "43200"]);
    let list = prop::collection::vec("60000000000[1-9]", 0..3);
    let partition = prop::sample::select(vec!["aws", "aws-cn", "aws-us-gov"]);
    let account = prop::sample::select(vec!["700000000001", "700000000002"]);
    (mode, flag, name, arn, number, list, partition, account).prop_map(
        |(mode, flag, name, arn, number, list, partition, account)| Given {
            text: [
                ("Mode", mode.to_owned()),
                ("Flag", flag.to_owned()),
                ("Site", name.to_owned()),
                (
                    "Key",
                    // An ARN of another partition is refused where the policy is used.
                    if arn.is_empty() {
                        String::new()
                    } else {
                        format!("arn:{partition}:{arn}")
                    },
                ),
                ("Seconds", number.to_owned()),
                ("Guests", list.join(",")),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
            account: account.to_owned(),
            partition: partition.to_owned(),
        },
    )
}

fn agrees(given: &Given) {
    let done = of(TEMPLATE);
    assert!(done.said(Class::Lost).is_empty(), "{:#?}", done.entries);
    let mut vars: Vec<(String, String)> = given
        .text
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.clone()))
        .collect();
    vars.push(("stack_accounts".to_owned(), given.account.clone()));
    let desired = match done.expand(&vars, &given.account, &given.partition) {
        Ok(desired) => desired,
        Err(problems) => panic!("{given:?}\n{problems}\n{}", done.files["roles.toml"]),
    };
    let template = read(TEMPLATE, &Origin::File("t".into())).unwrap();
    let parameters: BTreeMap<String, Json> = given
        .text
        .iter()
        .map(|(name, value)| {
            let items = || {
                value
                    .split(',')
                    .filter(|item| !item.is_empty())
                    .map(|item| json!(item))
            };
            let value = if name == "Guests" {
                items().collect()
            } else {
                json!(value)
            };
            (name.clone(), value)
        })
        .collect();
    let concrete = Concrete {
        template: &template,
        parameters: &parameters,
        account: &given.account,
        partition: &given.partition,
    };
    let partition = Partition(given.partition.clone());
    let mut seen = BTreeSet::new();
    for (key, resource) in template.get("Resources").unwrap().members() {
        let is_role = resource.get("Type").unwrap().as_text() == Some("AWS::IAM::Role");
        if !is_role
            || resource
                .get("Condition")
                .is_some_and(|it| !concrete.holds(it))
        {
            continue;
        }
        let properties = concrete.eval(resource.get("Properties").unwrap()).unwrap();
        let of = |name: &str| properties.get(name).cloned();
        let name = text(&of("RoleName").unwrap());
        let role = desired.roles.get(&name.to_ascii_lowercase());
        let Some(role) = role else {
            panic!("{}: no role {name}, {given:?}", key.text)
        };
        assert!(seen.insert(name.to_ascii_lowercase()), "{name} twice");
        let document =
            |value: &Json, kind| PolicyDocument::live(&value.to_string(), kind, &partition);
        let trust = document(&of("AssumeRolePolicyDocument").unwrap(), PolicyKind::Trust);
        assert!(
            role.trust == trust,
            "trust of {name}, {given:?}\n{}\n{}",
            role.trust.text(),
            trust.text()
        );
        let inline: BTreeMap<String, PolicyDocument> = of("Policies")
            .and_then(|it| it.as_array().cloned())
            .unwrap_or_default()
            .iter()
            .map(|it| {
                (
                    text(&it["PolicyName"]),
                    document(&it["PolicyDocument"], PolicyKind::Identity),
                )
            })
            .collect();
        let found = role.inline_policies.clone().unwrap();
        let found: BTreeMap<String, PolicyDocument> = found
            .into_iter()
            .map(|(name, document)| (name.to_string(), document))
            .collect();
        assert!(
            found == inline,
            "inline policies of {name}, {given:?}\n{found:#?}\n{inline:#?}"
        );
        let arn = |policy: &PolicyRef| match policy {
            PolicyRef::Arn(arn) => arn.to_string(),
            PolicyRef::Local(name) => format!(
                "arn:{}:iam::{}:policy/{name}",
                given.partition, given.account
            ),
        };
        let managed: BTreeSet<String> = of("ManagedPolicyArns")
            .and_then(|it| it.as_array().cloned())
            .unwrap_or_default()
            .iter()
            .map(text)
            .collect();
        let found: BTreeSet<String> = role.managed_policies.iter().flatten().map(arn).collect();
        assert_eq!(found, managed, "attached policies of {name}, {given:?}");
        let boundary = role
            .permissions_boundary
            .as_ref()
            .and_then(Option::as_ref)
            .map(arn);
        assert_eq!(
            boundary,
            of("PermissionsBoundary").as_ref().map(text),
            "boundary of {name}"
        );
        let duration = of("MaxSessionDuration").map_or(3600, |it| text(&it).parse().unwrap());
        assert_eq!(
            role.max_session_duration.unwrap_or(3600),
            duration,
            "duration of {name}"
        );
        let tags: Map<String, Json> = of("Tags")
            .and_then(|it| it.as_array().cloned())
            .unwrap_or_default()
            .iter()
            .map(|tag| (text(&tag["Key"]), tag["Value"].clone()))
            .collect();
        assert_eq!(
            json!(role.tags.clone().unwrap_or_default()),
            Json::Object(tags),
            "tags of {name}"
        );
    }
    assert_eq!(seen, desired.roles.keys().cloned().collect(), "{given:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn evaluation_and_expansion_agree(given in given()) {
        agrees(&given);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_ends_in_an_error_or_an_import(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let input = Input { file: "x".to_owned(), text, ..Input::default() };
        _ = import(&[input], &Options::default());
    }

    #[test]
    fn a_template_with_a_piece_gone_or_moved_ends_too(at in any::<prop::sample::Index>(), length in 1_usize..80, to in any::<prop::sample::Index>()) {
        let mut chars: Vec<char> = TEMPLATE.chars().collect();
        let at = at.index(chars.len());
        let end = (at + length).min(chars.len());
        let piece: Vec<char> = chars.drain(at..end).collect();
        let to = to.index(chars.len());
        chars.splice(to..to, piece);
        let input = Input { file: "x".to_owned(), text: chars.into_iter().collect(), ..Input::default() };
        if let Ok((mut draft, _)) = import(&[input], &Options::default()) {
            "test".clone_into(&mut draft.name);
            let (_, entries) = check(&mut draft);
            for entry in entries {
                prop_assert!(!entry.what.contains("the directory that was written"), "{entry:?}");
            }
        }
    }
}
