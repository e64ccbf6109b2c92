//! Policy documents of a template.
//!
//! A branch that a table can say by an expression stays one: a text, a list. Where a whole statement, a principal or a key
//! of a condition is there or not, the statement is written once for each case, with a `when`.

use serde_json::{Map, Value as Json};

use super::super::draft::{Document, Statement, VERSION};
use super::super::report::{Class, Entry, Source};
use super::expr::{Expr, Item};
use super::node::{Node, Origin, Value};
use super::render::Renderer;
use super::value::{Known, Loss, Val, ValKind};
use super::vars::{Asked, Use, VarKey};
use super::world::World;

/// How many variants one statement or table may have.
pub const VARIANTS: usize = 8;

/// A `when` from which on a comment names the condition.
const LONG: usize = 256;

/// What a document is about.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// ``role `X` ``, for messages.
    pub title: &'a str,
    /// What variables are named after.
    pub prefix: &'a str,
    /// Whether it is a trust policy.
    pub is_trust: bool,
}

/// How far a value may be there or not by itself.
#[derive(Clone, Copy)]
enum Level {
    /// A map whose members are maps, so many levels deep.
    Map(usize),
    /// A text, or a list.
    Leaf,
}

impl World<'_> {
    /// A document, where some conditions are known.
    ///
    /// # Errors
    /// A part of it is lost: then it is lost whole.
    pub fn document(
        &mut self,
        value: &Val,
        known: &Known,
        about: &About<'_>,
    ) -> Result<Document, Loss> {
        let mut document = Document::default();
        let mut versions = Vec::new();
        for (known, value) in value.branches(known) {
            let value = match &value.kind {
                ValKind::Expr(text) => Self::parsed(text, &value.place)?,
                _ => value,
            };
            let members = match &value.kind {
                ValKind::Map(members) => members,
                ValKind::Missing => continue,
                ValKind::Lost(loss) => return Err(loss.clone()),
                _ => return Err(value.wrong("something that is not a policy document")),
            };
            let mut version = None;
            let mut is_there = false;
            for (key, member) in members {
                match key.as_text() {
                    Some("Version") => version = Some(Self::fixed(member, &known)?),
                    Some("Id") => document.id = Some(Self::fixed(member, &known)?),
                    Some("Statement") => {
                        is_there = true;
                        for (known, item) in member.items(&known) {
                            self.statement(&item, &known, about, &mut document)?;
                        }
                    }
                    _ => {
                        let key = self.sample(key);
                        return Err(member.wrong(&format!("`{key}`, which no policy document has")));
                    }
                }
            }
            if !is_there {
                return Err(value.wrong("no `Statement` in a policy document"));
            }
            versions.push((version, value.place.clone()));
        }
        if document.statements.is_empty() {
            return Err(value.wrong("a policy document without a statement"));
        }
        self.version(&mut document, &versions, about);
        Ok(document)
    }

    /// A document keeps its version where it can: in a file, or in tables, which have the newest.
    fn version(
        &mut self,
        document: &mut Document,
        versions: &[(Option<String>, Source)],
        about: &About<'_>,
    ) {
        let Some((first, place)) = versions.first() else {
            return;
        };
        document.version.clone_from(first);
        let is_one = versions.iter().all(|(version, _)| version == first);
        if is_one && (first.as_deref() == Some(VERSION) || !document.has_when()) {
            return;
        }
        if versions
            .iter()
            .any(|(version, _)| version.as_deref() != Some(VERSION))
        {
            let why = "its Version becomes 2012-10-17, because a document in a file knows no `when`; \
                       the meaning differs only where `${` is in it";
            let what = format!("a policy document of {}", about.title);
            self.note(Class::Weaker, "version", place, &what, why);
        }
        document.version = Some(VERSION.to_owned());
    }

    /// Notes something about what is imported.
    pub fn note(
        &mut self,
        class: Class,
        code: &'static str,
        place: &Source,
        what: &str,
        why: &str,
    ) {
        self.entries
            .push(Entry::new(class, code, place.clone(), what, why));
    }

    /// A text that must be constant here.
    fn fixed(value: &Val, known: &Known) -> Result<String, Loss> {
        let text = value.prune(known).text()?;
        let found = text.as_text().map(str::to_owned);
        found.ok_or_else(|| value.wrong("an expression where a constant must be"))
    }

    /// A document that is written as text: JSON, in which expressions may be.
    fn parsed(text: &Expr, place: &Source) -> Result<Val, Loss> {
        // Private characters stand for expressions while the text is parsed.
        const OPEN: char = '\u{f8f0}';
        const CLOSE: char = '\u{f8f1}';
        let parts = match text {
            Expr::Concat(parts) => parts.as_slice(),
            text => std::slice::from_ref(text),
        };
        let mut json = String::new();
        for (at, part) in parts.iter().enumerate() {
            if let Expr::Text(text) = part {
                json += text;
            } else {
                json.push(OPEN);
                json += &at.to_string();
                json.push(CLOSE);
            }
        }
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok();
        let node = super::read::read(&json, &Origin::At(place.clone())).ok();
        let node = node.filter(|node| is_json && matches!(node.value, Value::Map(_)));
        let Some(node) = node else {
            let why = "the text is not a policy document in JSON";
            return Err(Loss::new("document", place, why));
        };
        let restore = |text: &str| {
            let mut restored = Vec::new();
            let mut rest = text;
            while let Some((before, (at, after))) = rest
                .split_once(OPEN)
                .and_then(|(before, rest)| Some((before, rest.split_once(CLOSE)?)))
            {
                restored.push(Expr::text(before));
                restored.extend(at.parse().ok().and_then(|at: usize| parts.get(at).cloned()));
                rest = after;
            }
            restored.push(Expr::text(rest));
            Expr::concat(restored)
        };
        Ok(plain(&node, &restore))
    }

    fn statement(
        &mut self,
        value: &Val,
        known: &Known,
        about: &About<'_>,
        document: &mut Document,
    ) -> Result<(), Loss> {
        let members = match &value.kind {
            ValKind::Map(members) => members,
            ValKind::Lost(loss) => return Err(loss.clone()),
            _ => return Err(value.wrong("something that is not a statement")),
        };
        let mut cases: Vec<(Known, Vec<(Expr, Val)>)> = vec![(known.clone(), Vec::new())];
        for (key, member) in members {
            let level = match key.as_text() {
                Some("Principal" | "NotPrincipal") => Level::Map(1),
                Some("Condition") => Level::Map(2),
                _ => Level::Leaf,
            };
            cases = spread_member(cases, key, member, level)?;
        }
        for (known, members) in cases {
            let condition = known.condition();
            if condition == Expr::Bool(false) {
                continue;
            }
            let mut body = Map::new();
            for (key, member) in members {
                let name = self.key(&key, &member.place)?;
                let written = match name.as_str() {
                    "Principal" | "NotPrincipal" => self.principals(&member, &known)?,
                    "Condition" => self.conditions(&member, &known, about)?,
                    _ => self.leaf(&member, &known, Use::Text)?,
                };
                let is_empty = match name.as_str() {
                    "Condition" => written.as_object().is_some_and(Map::is_empty),
                    "Sid" => written == "",
                    _ => false,
                };
                if !is_empty {
                    body.insert(name, written);
                }
            }
            let when = self.when(&condition);
            let comment = when
                .as_ref()
                .filter(|when| when.len() >= LONG)
                .map(|_| format!("the condition is long: see {}", value.place));
            document.statements.push(Statement {
                when,
                comment,
                body,
            });
        }
        Ok(())
    }

    /// A condition as a `when`; none where it always holds.
    pub fn when(&mut self, condition: &Expr) -> Option<String> {
        match condition {
            Expr::Bool(true) => None,
            condition => Some(self.renderer().condition(condition)),
        }
    }

    /// Writes expressions.
    pub fn renderer(&mut self) -> Renderer<'_> {
        Renderer {
            variables: &mut self.variables,
        }
    }

    fn key(&mut self, key: &Expr, place: &Source) -> Result<String, Loss> {
        self.template_of(key, place, Use::Text)
    }

    /// An expression as the desired state writes it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn template_of(&mut self, expr: &Expr, place: &Source, of: Use) -> Result<String, Loss> {
        let expr = self.sayable(expr, place, "value", of);
        let written = self.renderer().template(&expr, of);
        written.map_err(|why| Loss::new("intrinsic", place, why))
    }

    /// A text or a list, as a member of a statement.
    fn leaf(&mut self, value: &Val, known: &Known, of: Use) -> Result<Json, Loss> {
        let expr = value.prune(known).one_or_many()?;
        self.json(&expr, &value.place, of)
    }

    fn json(&mut self, expr: &Expr, place: &Source, of: Use) -> Result<Json, Loss> {
        let Expr::List(items) = expr else {
            return self.template_of(expr, place, of).map(Json::from);
        };
        let mut list = Vec::new();
        for item in items {
            let (Item::One(expr) | Item::All(expr)) = item;
            list.push(Json::from(self.template_of(expr, place, of)?));
        }
        Ok(Json::Array(list))
    }

    /// An expression in which what cannot be said is a variable.
    fn sayable(&mut self, expr: &Expr, place: &Source, name: &str, of: Use) -> Expr {
        let Some(what) = expr.unsayable() else {
            return expr.clone();
        };
        match expr {
            Expr::If(condition, yes, no) => Expr::either(
                (**condition).clone(),
                self.sayable(yes, place, name, of),
                self.sayable(no, place, name, of),
            ),
            Expr::List(items) => Expr::List(
                items
                    .iter()
                    .map(|item| match item {
                        Item::One(expr) => Item::One(self.sayable(expr, place, name, of)),
                        Item::All(expr) => Item::All(self.sayable(expr, place, name, of)),
                    })
                    .collect(),
            ),
            _ => {
                use super::expr::Unsayable;
                let (code, why) = match what {
                    Unsayable::StackId => ("stack-id", "it is made of the stack's id"),
                    Unsayable::Base64 => ("base64", "it is encoded in base 64"),
                };
                let asked = Asked {
                    code: Some(code),
                    place: place.clone(),
                    what: format!("a text: {why}"),
                    why: "the value that it has in the deployed stack".to_owned(),
                    hint: None,
                    from: code.to_owned(),
                    kind: "string",
                    value: None,
                    sensitive: of == Use::ExternalId,
                };
                self.ask(
                    VarKey::Derived(place.clone()),
                    &format!("{name}_{code}"),
                    asked,
                )
            }
        }
    }

    fn principals(&mut self, value: &Val, known: &Known) -> Result<Json, Loss> {
        let members = match &value.kind {
            ValKind::Map(members) => members.clone(),
            ValKind::Lost(loss) => {
                return Err(Loss {
                    code: "principal",
                    ..loss.clone()
                }
                .keep(loss));
            }
            _ => return self.leaf(value, known, Use::Text),
        };
        let mut kinds = Map::new();
        for (key, value) in members {
            let expr = value.prune(known).one_or_many()?;
            let expr = match expr {
                Expr::List(items) => Expr::List(
                    items
                        .into_iter()
                        .map(|item| match item {
                            Item::One(expr) => Item::One(self.principal(expr)),
                            item @ Item::All(_) => item,
                        })
                        .collect(),
                ),
                expr => self.principal(expr),
            };
            let name = self.key(&key, &value.place)?;
            kinds.insert(name, self.json(&expr, &value.place, Use::Text)?);
        }
        Ok(Json::Object(kinds))
    }

    fn conditions(&mut self, value: &Val, known: &Known, about: &About<'_>) -> Result<Json, Loss> {
        let mut written = Map::new();
        let value = match &value.kind {
            ValKind::Expr(text) => Self::parsed(text, &value.place)?,
            _ => value.clone(),
        };
        let ValKind::Map(operators) = &value.kind else {
            return Err(lost_or(&value, "something that is not a condition"));
        };
        for (operator, block) in operators {
            let operator = self.key(operator, &block.place)?;
            let ValKind::Map(keys) = &block.kind else {
                return Err(lost_or(block, "something that is not a condition"));
            };
            let mut values = Map::new();
            for (key, value) in keys {
                let name = self.key(key, &value.place)?;
                let is_secret = about.is_trust
                    && name.eq_ignore_ascii_case("sts:ExternalId")
                    && operator.contains("String");
                let written = if is_secret {
                    let expr = value.prune(known).one_or_many()?;
                    let expr = self.external_id(&expr, &value.place, about);
                    self.json(&expr, &value.place, Use::ExternalId)?
                } else {
                    self.leaf(value, known, Use::Text)?
                };
                values.insert(name, written);
            }
            if !values.is_empty() {
                written.insert(operator, Json::Object(values));
            }
        }
        Ok(Json::Object(written))
    }

    /// An external id: a literal one is a secret, and so is what is asked in place of one.
    fn external_id(&mut self, expr: &Expr, place: &Source, about: &About<'_>) -> Expr {
        let name = format!("{}_external_id", about.prefix);
        match expr {
            Expr::Text(text) if text.chars().any(|c| c != '*') => {
                let asked = Asked {
                    code: None,
                    place: place.clone(),
                    what: String::new(),
                    why: String::new(),
                    hint: None,
                    from: format!("an external id of {}", about.title),
                    kind: "string",
                    value: Some(text.as_str().into()),
                    sensitive: true,
                };
                self.ask(VarKey::Secret(text.clone()), &name, asked)
            }
            Expr::List(items) => Expr::List(
                items
                    .iter()
                    .map(|item| match item {
                        Item::One(expr) => Item::One(self.external_id(expr, place, about)),
                        item @ Item::All(_) => item.clone(),
                    })
                    .collect(),
            ),
            Expr::If(condition, yes, no) => Expr::either(
                (**condition).clone(),
                self.external_id(yes, place, about),
                self.external_id(no, place, about),
            ),
            expr => self.sayable(expr, place, &name, Use::ExternalId),
        }
    }
}

impl Loss {
    /// A principal that a macro makes is lost for the macro's reason.
    fn keep(self, of: &Self) -> Self {
        if of.code == "intrinsic" {
            self
        } else {
            of.clone()
        }
    }
}

fn lost_or(value: &Val, what: &str) -> Loss {
    match &value.kind {
        ValKind::Lost(loss) => loss.clone(),
        _ => value.wrong(what),
    }
}

/// A node in which nothing is a function.
fn plain(node: &Node, text: &dyn Fn(&str) -> Expr) -> Val {
    let kind = match &node.value {
        Value::Null => ValKind::Missing,
        Value::Text(written) => ValKind::Expr(text(written)),
        Value::List(items) => ValKind::List(items.iter().map(|item| plain(item, text)).collect()),
        Value::Map(members) => ValKind::Map(
            members
                .iter()
                .map(|(key, value)| (text(&key.text), plain(value, text)))
                .collect(),
        ),
    };
    Val::new(&node.place, kind)
}

type Case = (Known, Vec<(Expr, Val)>);

/// Adds a member to each case; a case in which it may be there or not becomes two.
fn spread_member(
    cases: Vec<Case>,
    key: &Expr,
    member: &Val,
    level: Level,
) -> Result<Vec<Case>, Loss> {
    let mut next = Vec::new();
    for (known, members) in cases {
        for (known, value) in spread(member, &known, level)? {
            let mut members = members.clone();
            members.extend(value.map(|value| (key.clone(), value)));
            next.push((known, members));
        }
    }
    if next.len() > VARIANTS {
        let why = format!("its conditions make more than {VARIANTS} variants of it");
        return Err(Loss::new("intrinsic", &member.place, why));
    }
    Ok(next)
}

/// The cases of a value: `None` where it is not there.
fn spread(value: &Val, known: &Known, level: Level) -> Result<Vec<(Known, Option<Val>)>, Loss> {
    let splits = match level {
        Level::Map(_) => true,
        Level::Leaf => value.may_be_missing(),
    };
    let branches = if splits {
        value.branches(known)
    } else {
        vec![(known.clone(), value.clone())]
    };
    let mut cases = Vec::new();
    for (known, value) in branches {
        match (&value.kind, level) {
            (ValKind::Missing, _) => cases.push((known, None)),
            (ValKind::Map(members), Level::Map(depth)) => {
                let inner = match depth.checked_sub(1) {
                    Some(depth) if depth > 0 => Level::Map(depth),
                    _ => Level::Leaf,
                };
                let mut inside: Vec<Case> = vec![(known, Vec::new())];
                for (key, member) in members {
                    inside = spread_member(inside, key, member, inner)?;
                }
                for (known, members) in inside {
                    // A block in which nothing is left says nothing.
                    let is_left = !members.is_empty();
                    let map = Val::new(&value.place, ValKind::Map(members));
                    cases.push((known, is_left.then_some(map)));
                }
            }
            _ => cases.push((known, Some(value))),
        }
    }
    Ok(cases)
}
