//! Intrinsic functions.
//!
//! Source: CloudFormation User Guide, Intrinsic function reference.

use super::super::report::Source;
use super::expr::{Expr, Item, Unsayable};
use super::node::{Key, Node, Value};
use super::value::{Loss, Val, ValKind};
use super::vars::{Asked, VarKey};
use super::world::{Export, World};

impl World<'_> {
    /// Evaluates a node of the template at an index.
    pub fn eval(&mut self, env: usize, node: &Node) -> Val {
        let found = self
            .spend(1, &node.place)
            .and_then(|()| self.descend(&node.place, |world| world.eval_node(env, node)));
        found.unwrap_or_else(Val::lost)
    }

    fn eval_node(&mut self, env: usize, node: &Node) -> Result<Val, Loss> {
        let place = &node.place;
        match &node.value {
            Value::Null => Ok(Val::new(place, ValKind::Missing)),
            Value::Text(text) => Ok(Val::expr(place, self.resolved(text, place))),
            Value::List(items) => {
                let items = items.iter().map(|item| self.eval(env, item)).collect();
                Ok(Val::new(place, ValKind::List(items)))
            }
            Value::Map(members) => match members.as_slice() {
                [(key, argument)] if key.text == "Ref" || key.text.starts_with("Fn::") => {
                    self.call(env, key, argument)
                }
                members => {
                    for (key, _) in members {
                        if key.text.starts_with("Fn::") || key.text == "<<" {
                            return Err(unknown(&key.text, &key.place));
                        }
                    }
                    let members = members
                        .iter()
                        .map(|(key, value)| (Expr::text(&key.text), self.eval(env, value)));
                    Ok(Val::new(place, ValKind::Map(members.collect())))
                }
            },
        }
    }

    fn call(&mut self, env: usize, key: &Key, argument: &Node) -> Result<Val, Loss> {
        let place = &key.place;
        let text = |expr: Expr| Ok(Val::expr(place, expr));
        match key.text.as_str() {
            "Ref" => match argument.as_text() {
                Some(name) => self.reference(env, name, place),
                None => Err(Loss::new("intrinsic", place, "`Ref` takes a name")),
            },
            "Fn::Sub" => self.sub(env, argument, place).and_then(text),
            "Fn::Join" => {
                let [delimiter, list] = arguments(argument, "Fn::Join")?;
                let delimiter = self.constant(env, delimiter)?;
                let list = self.eval(env, list);
                // A text where a list must be is that list of one item.
                text(Expr::join(list.texts()?, &delimiter))
            }
            "Fn::Split" => {
                let [delimiter, whole] = arguments(argument, "Fn::Split")?;
                let delimiter = self.constant(env, delimiter)?;
                if delimiter.is_empty() {
                    return Err(Loss::new(
                        "intrinsic",
                        place,
                        "`Fn::Split` needs a delimiter",
                    ));
                }
                let whole = self.eval(env, whole).text()?;
                text(Expr::split(whole, &delimiter))
            }
            "Fn::Select" => {
                let [index, list] = arguments(argument, "Fn::Select")?;
                let index = self.constant(env, index)?;
                let Ok(index) = index.trim().parse::<usize>() else {
                    let why = format!("`Fn::Select` by `{index}`, which is not an index");
                    return Err(Loss::new("intrinsic", place, why));
                };
                let list = self.eval(env, list).texts()?;
                let found = Expr::index(list, index);
                let why = || format!("`Fn::Select`: the list has no item {index}");
                text(found.ok_or_else(|| Loss::new("intrinsic", place, why()))?)
            }
            "Fn::If" => {
                let [condition, yes, no] = arguments(argument, "Fn::If")?;
                let condition = self.condition(env, condition)?;
                match condition {
                    Expr::Bool(true) => Ok(self.eval(env, yes)),
                    Expr::Bool(false) => Ok(self.eval(env, no)),
                    condition => {
                        let (yes, no) = (self.eval(env, yes), self.eval(env, no));
                        let kind = ValKind::If(condition, Box::new(yes), Box::new(no));
                        Ok(Val::new(place, kind))
                    }
                }
            }
            "Fn::FindInMap" => self.find_in_map(env, argument, place),
            "Fn::GetAtt" => {
                let (logical, attribute) = self.attribute_name(env, argument, place)?;
                self.attribute(env, &logical, Some(&attribute), place)
            }
            "Fn::ImportValue" => self.import_value(env, argument, place),
            "Fn::Base64" => {
                self.eval(env, argument).text()?;
                text(Expr::Unsayable(Unsayable::Base64))
            }
            "Fn::Length" => {
                let list = self.eval(env, argument).texts()?;
                match list {
                    Expr::List(items) if items.iter().all(|it| matches!(it, Item::One(_))) => {
                        text(Expr::text(items.len().to_string()))
                    }
                    list => text(Expr::Length(Box::new(list))),
                }
            }
            // A document as text is read as a document, so it can stay one.
            "Fn::ToJsonString" => Ok(self.eval(env, argument)),
            "Fn::Transform" => {
                let name = argument.get("Name").and_then(Node::as_text);
                let name =
                    name.map_or_else(|| "a macro".to_owned(), |name| format!("the macro {name}"));
                let loss = unknown("Fn::Transform", place);
                let why = format!("{name} makes it when the stack is deployed");
                Err(Loss { why, ..loss })
            }
            name => Err(unknown(name, place)),
        }
    }

    /// A constant text.
    fn constant(&mut self, env: usize, node: &Node) -> Result<String, Loss> {
        let expr = self.eval(env, node).text()?;
        let why = "this must be a constant";
        let text = expr.as_text().map(str::to_owned);
        text.ok_or_else(|| Loss::new("intrinsic", &node.place, why))
    }

    /// A text whose dynamic references become variables.
    fn resolved(&mut self, text: &str, place: &Source) -> Expr {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, (reference, after))) = rest
            .split_once("{{resolve:")
            .and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
        {
            parts.push(Expr::text(before));
            parts.push(self.dynamic(reference, place));
            rest = after;
        }
        parts.push(Expr::text(rest));
        Expr::concat(parts)
    }

    fn dynamic(&mut self, reference: &str, place: &Source) -> Expr {
        let (service, name) = reference.split_once(':').unwrap_or((reference, reference));
        let is_secret = service != "ssm";
        let asked = Asked {
            code: Some(if is_secret { "secret" } else { "ssm" }),
            place: place.clone(),
            what: format!("the dynamic reference `{{{{resolve:{reference}}}}}`"),
            why: "the value that it has".to_owned(),
            hint: None,
            from: format!("resolve:{reference}"),
            kind: "string",
            value: None,
            sensitive: is_secret,
        };
        self.ask(VarKey::Resolve(reference.to_owned()), name, asked)
    }

    fn sub(&mut self, env: usize, argument: &Node, place: &Source) -> Result<Expr, Loss> {
        let (text, own) = match &argument.value {
            Value::Text(text) => (text.as_str(), &[] as &[(Key, Node)]),
            Value::List(items) => match items.as_slice() {
                [text] => (text.as_text().unwrap_or_default(), &[] as &[(Key, Node)]),
                [text, own] if text.as_text().is_some() => {
                    (text.as_text().unwrap_or_default(), own.members())
                }
                _ => {
                    return Err(Loss::new(
                        "intrinsic",
                        place,
                        "`Fn::Sub` takes a text and a map",
                    ));
                }
            },
            _ => {
                return Err(Loss::new(
                    "intrinsic",
                    place,
                    "`Fn::Sub` takes a text and a map",
                ));
            }
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, (name, after))) = rest
            .split_once("${")
            .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            parts.push(self.resolved(before, place));
            let part = if let Some(literal) = name.strip_prefix('!') {
                Expr::text(format!("${{{literal}}}"))
            } else if let Some((_, node)) = own.iter().find(|(key, _)| key.text == name) {
                self.eval(env, node).text()?
            } else {
                self.substituted(env, name, place)?
            };
            parts.push(part);
            rest = after;
        }
        parts.push(self.resolved(rest, place));
        Ok(Expr::concat(parts))
    }

    fn substituted(&mut self, env: usize, name: &str, place: &Source) -> Result<Expr, Loss> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || ":._".contains(c);
        let name = name.trim();
        if name.is_empty() || !name.chars().all(is_name) {
            return Ok(Expr::text(format!("${{{name}}}")));
        }
        match name.split_once('.') {
            Some((logical, attribute)) => {
                self.attribute(env, logical, Some(attribute), place)?.text()
            }
            None => self.reference(env, name, place)?.text(),
        }
    }

    fn attribute_name(
        &mut self,
        env: usize,
        argument: &Node,
        place: &Source,
    ) -> Result<(String, String), Loss> {
        let wrong = || {
            Loss::new(
                "intrinsic",
                place,
                "`Fn::GetAtt` takes a name and an attribute",
            )
        };
        match &argument.value {
            Value::Text(text) => {
                let (logical, attribute) = text.split_once('.').ok_or_else(wrong)?;
                Ok((logical.to_owned(), attribute.to_owned()))
            }
            Value::List(items) => {
                let [logical, attributes @ ..] = items.as_slice() else {
                    return Err(wrong());
                };
                let logical = self.constant(env, logical)?;
                let mut names = Vec::new();
                for attribute in attributes {
                    names.push(self.constant(env, attribute)?);
                }
                if names.is_empty() {
                    return Err(wrong());
                }
                Ok((logical, names.join(".")))
            }
            Value::Null | Value::Map(_) => Err(wrong()),
        }
    }

    fn find_in_map(&mut self, env: usize, argument: &Node, place: &Source) -> Result<Val, Loss> {
        let items = argument.as_list().unwrap_or_default();
        let ([map, first, second], rest) = match items {
            [map, first, second, rest @ ..] => ([map, first, second], rest),
            _ => {
                return Err(Loss::new(
                    "intrinsic",
                    place,
                    "`Fn::FindInMap` takes three names",
                ));
            }
        };
        let map = self.constant(env, map)?;
        let template = self.template(env);
        let rows = template.as_ref().and_then(|it| {
            it.section("Mappings")
                .iter()
                .find(|(key, _)| key.text == map)
        });
        let Some((_, rows)) = rows else {
            let why = format!("there is no mapping `{map}`");
            return Err(Loss::new("reference", place, why));
        };
        let first = self.eval(env, first).text()?;
        let second = self.eval(env, second).text()?;
        let default = match rest.first().and_then(|node| node.get("DefaultValue")) {
            Some(node) => Some(self.eval(env, node).one_or_many()?),
            None => None,
        };
        let rows: Vec<(String, &Node)> = rows
            .members()
            .iter()
            .map(|(key, node)| (key.text.clone(), node))
            .collect();
        let missing = || {
            let why = format!("the mapping `{map}` has no such keys");
            Loss::new("intrinsic", place, why)
        };
        let found = self.lookup(&rows, &first, default.as_ref(), &mut |world, row| {
            let cells: Vec<(String, &Node)> = row
                .members()
                .iter()
                .map(|(key, node)| (key.text.clone(), node))
                .collect();
            world.lookup(&cells, &second, default.as_ref(), &mut |world, cell| {
                world.eval(env, cell).one_or_many().ok()
            })
        });
        self.spend(found.as_ref().map_or(0, Expr::size), place)?;
        found.map(|expr| Val::expr(place, expr)).ok_or_else(missing)
    }

    /// What rows hold for a key, as far as the key can be.
    fn lookup(
        &mut self,
        rows: &[(String, &Node)],
        key: &Expr,
        default: Option<&Expr>,
        value: &mut dyn FnMut(&mut Self, &Node) -> Option<Expr>,
    ) -> Option<Expr> {
        match key {
            Expr::Text(key) => match rows.iter().find(|(name, _)| name == key) {
                Some((_, node)) => value(self, node),
                None => default.cloned(),
            },
            Expr::If(condition, yes, no) => {
                let yes = self.lookup(rows, yes, default, value)?;
                let no = self.lookup(rows, no, default, value)?;
                Some(Expr::either((**condition).clone(), yes, no))
            }
            key => {
                let allowed = self.allowed(key);
                let is_possible = |name: &String| allowed.is_empty() || allowed.contains(name);
                let mut entries = Vec::new();
                for (name, node) in rows.iter().filter(|(name, _)| is_possible(name)) {
                    if let Some(found) = value(self, node) {
                        entries.push((name.clone(), found));
                    }
                }
                if entries.is_empty() {
                    return default.cloned();
                }
                Some(Expr::Lookup {
                    entries,
                    key: Box::new(key.clone()),
                    default: default.cloned().map(Box::new),
                })
            }
        }
    }

    /// The only values that an expression may have; none where that is not known.
    fn allowed(&self, expr: &Expr) -> Vec<String> {
        let Some(VarKey::Parameter(env, name)) = self.key_of(expr) else {
            return Vec::new();
        };
        let template = self.envs.get(*env).map(|env| &env.template);
        template
            .and_then(|it| it.parameters.iter().find(|it| it.name == *name))
            .map(|it| it.allowed.clone())
            .unwrap_or_default()
    }

    fn import_value(&mut self, env: usize, argument: &Node, place: &Source) -> Result<Val, Loss> {
        let name = self.eval(env, argument).text()?;
        if let Some(export) = self.exported(&name) {
            return Ok(self.eval(export.env, &export.value));
        }
        let written = match (&name, argument.call("Fn::Sub").unwrap_or(argument)) {
            (Expr::Text(name), _) => name.clone(),
            (_, node) => node
                .as_text()
                .map_or_else(|| self.sample(&name), str::to_owned),
        };
        let asked = Asked {
            code: Some("export"),
            place: place.clone(),
            what: format!("the export `{written}` of another stack"),
            why: "the value that it has".to_owned(),
            hint: Some("aws cloudformation list-exports".to_owned()),
            from: format!("export `{written}`"),
            kind: "string",
            value: None,
            sensitive: false,
        };
        let expr = self.ask(VarKey::Export(name), &written, asked);
        Ok(Val::expr(place, expr))
    }

    /// What one of the templates exports under a name.
    fn exported(&mut self, name: &Expr) -> Option<Export> {
        let text = self.settled(name);
        self.exports.clone().into_iter().find(|export| {
            let known = match export.name.as_text() {
                Some(known) => Expr::text(known),
                None => match self.eval(export.env, &export.name).text() {
                    Ok(known) => known,
                    Err(_) => return false,
                },
            };
            known == *name || (text.is_some() && self.settled(&known) == text)
        })
    }

    /// Evaluates a condition: the name of one, or what one is made of.
    ///
    /// # Errors
    /// It is not known, or of a kind that cannot be evaluated.
    pub fn condition(&mut self, env: usize, node: &Node) -> Result<Expr, Loss> {
        self.spend(1, &node.place)?;
        self.descend(&node.place, |world| match &node.value {
            Value::Text(name) => world.named(env, name, &node.place),
            Value::Map(members) => match members.as_slice() {
                [(key, argument)] => world.condition_call(env, key, argument),
                _ => Err(Loss::new(
                    "intrinsic",
                    &node.place,
                    "this is not a condition",
                )),
            },
            Value::Null | Value::List(_) => Err(Loss::new(
                "intrinsic",
                &node.place,
                "this is not a condition",
            )),
        })
    }

    fn named(&mut self, env: usize, name: &str, place: &Source) -> Result<Expr, Loss> {
        let key = (env, name.to_owned());
        if let Some(known) = self.conditions.get(&key).cloned() {
            self.spend(known.as_ref().map_or(1, Expr::size), place)?;
            return known;
        }
        let template = self.template(env);
        let found = template.as_ref().and_then(|it| {
            it.section("Conditions")
                .iter()
                .find(|(key, _)| key.text == name)
        });
        let found = if let Some((_, node)) = found {
            self.condition(env, node)
        } else {
            let why = format!("condition `{name}` is not defined");
            Err(Loss::new("reference", place, why))
        };
        self.conditions.insert(key, found.clone());
        found
    }

    fn condition_call(&mut self, env: usize, key: &Key, argument: &Node) -> Result<Expr, Loss> {
        let several = |world: &mut Self| {
            let items = argument.as_list().unwrap_or_default();
            items
                .iter()
                .map(|item| world.condition(env, item))
                .collect::<Result<Vec<_>, _>>()
        };
        match key.text.as_str() {
            "Condition" => self.condition(env, argument),
            "Fn::Equals" => {
                let [left, right] = arguments(argument, "Fn::Equals")?;
                let left = self.eval(env, left).text()?;
                let right = self.eval(env, right).text()?;
                if left.unsayable().or(right.unsayable()).is_some() {
                    let why = "a condition on what only the deployed stack knows";
                    return Err(Loss::new("intrinsic", &key.place, why));
                }
                Ok(Expr::equals(left, right))
            }
            "Fn::Not" => match argument.as_list() {
                Some([condition]) => Ok(Expr::negate(self.condition(env, condition)?)),
                Some(_) => Err(Loss::new(
                    "intrinsic",
                    &key.place,
                    "`Fn::Not` takes one condition",
                )),
                None => Ok(Expr::negate(self.condition(env, argument)?)),
            },
            "Fn::And" => Ok(Expr::all(several(self)?)),
            "Fn::Or" => Ok(Expr::any(several(self)?)),
            "Fn::Contains" => {
                let [list, item] = arguments(argument, "Fn::Contains")?;
                let list = self.eval(env, list).texts()?;
                let item = self.eval(env, item).text()?;
                if let (Some(list), Some(item)) = (list.as_texts(), item.as_text()) {
                    return Ok(Expr::Bool(list.contains(&item)));
                }
                Ok(Expr::Contains(Box::new(list), Box::new(item)))
            }
            name => Err(unknown(name, &key.place)),
        }
    }
}

/// The arguments of a function.
fn arguments<'a, const N: usize>(node: &'a Node, name: &str) -> Result<[&'a Node; N], Loss> {
    let items: Vec<&Node> = node.as_list().unwrap_or_default().iter().collect();
    let wrong = || {
        Loss::new(
            "intrinsic",
            &node.place,
            format!("`{name}` takes {N} arguments"),
        )
    };
    items.try_into().map_err(|_| wrong())
}

/// A function that only CloudFormation can evaluate.
fn unknown(name: &str, place: &Source) -> Loss {
    const PROCESSED: &str = "import what CloudFormation made: aws cloudformation get-template --stack-name NAME \
                             --template-stage Processed";
    match name {
        "Fn::Transform" => Loss::new(
            "transform",
            place,
            "a macro makes it when the stack is deployed",
        )
        .hint(PROCESSED),
        "<<" => Loss::new(
            "intrinsic",
            place,
            "a merge key of YAML, which CloudFormation does not read",
        ),
        name if name.starts_with("Fn::ForEach") => Loss::new(
            "intrinsic",
            place,
            format!("`{name}` makes it when the stack is deployed"),
        )
        .hint(PROCESSED),
        name => Loss::new(
            "intrinsic",
            place,
            format!("`{name}` cannot be evaluated before the stack is deployed"),
        ),
    }
}
