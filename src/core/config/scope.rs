//! What expressions see: the names that have a value, which of them are sensitive, and which depend on an account that is
//! not known yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Object, ValueKind};

use super::eval::{Failure, Verdict, to_jinja};
use super::expr::{ROOTS, Template, declared_name};
use super::place::Place;
use super::tree::Value;
use super::vars::Values;
use crate::org::{Account, Organization};
use crate::resource::secret::{Secrets, is_short};

/// What locals without a value lack, by `local.NAME`.
pub type Lacks = BTreeMap<String, Failure>;

/// What represents the text of an account that is not known yet.
pub const STAND_IN: &str = "stand-in";

/// The id that represents an account's that is not known yet.
const STAND_IN_ID: &str = "000000000000";

/// Every text that represents one that is not known yet.
pub const STAND_INS: &[&str] = &[
    STAND_IN_ID,
    "stand-in@example.com",
    "o-standinstandin",
    STAND_IN,
];

/// What expressions see.
#[derive(Debug, Clone)]
pub struct Scope {
    context: minijinja::Value,
    knowledge: Knowledge,
    /// Variables whose values depend on the account or the organization.
    live: Arc<BTreeSet<String>>,
    /// Variables whose values are sensitive.
    sensitive: Arc<BTreeSet<String>>,
    /// What was made of sensitive values so far.
    pub(super) found: Found,
    /// Why some locals have no value.
    lacks: Arc<Lacks>,
}

/// The sensitive values of a run, for every scope of it to add what its expressions made of them.
#[derive(Debug, Clone, Default)]
pub struct Found(Arc<Mutex<Secrets>>);

impl Found {
    /// Begins with these.
    pub fn new(secrets: Secrets) -> Self {
        Self(Arc::new(Mutex::new(secrets)))
    }

    /// All there are by now.
    pub fn secrets(&self) -> Secrets {
        self.with(|secrets| secrets.clone())
    }

    /// Adds these.
    pub fn add(&self, others: &Secrets) {
        self.with(|secrets| secrets.extend(others));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Secrets) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether the account and the organization are real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knowledge {
    Real,
    StandIn,
}

/// The tags of an account that is not known yet: every one has a value.
#[derive(Debug)]
struct AnyTag;

impl Object for AnyTag {
    fn get_value(self: &Arc<Self>, _key: &minijinja::Value) -> Option<minijinja::Value> {
        Some(STAND_IN.into())
    }
}

/// Values as expressions see them.
pub fn jinja_values(values: &Values) -> minijinja::Value {
    values
        .iter()
        .map(|(name, value)| (name.clone(), to_jinja(value)))
        .collect::<BTreeMap<_, _>>()
        .into()
}

type Pairs<'a> = BTreeMap<&'a str, minijinja::Value>;

impl Scope {
    /// Variables alone.
    pub fn directory(values: &Values) -> Self {
        Self::new(
            Pairs::from([("var", jinja_values(values))]),
            Knowledge::Real,
        )
    }

    /// Variables and the organization.
    pub fn organization(values: &minijinja::Value, organization: &Organization) -> Self {
        Self::new(organization_pairs(values, organization), Knowledge::Real)
    }

    /// The context of an account, with everything that expressions may name.
    pub fn account(
        values: &minijinja::Value,
        account: &Account,
        organization: &Organization,
    ) -> Self {
        let tags: BTreeMap<String, String> = account.tags.clone().unwrap_or_default();
        let account = Pairs::from([
            ("id", account.id.as_str().into()),
            ("name", account.name.as_str().into()),
            ("email", account.email.as_str().into()),
            ("ou", account.ou.0.as_str().into()),
            ("tags", tags.into()),
        ]);
        let mut pairs = organization_pairs(values, organization);
        pairs.insert("account", account.into());
        Self::new(pairs, Knowledge::Real)
    }

    /// Variables, and stand-ins for the account and the organization.
    pub fn stand_in(values: &Values) -> Self {
        let account = Pairs::from([
            ("id", STAND_IN_ID.into()),
            ("name", STAND_IN.into()),
            ("email", "stand-in@example.com".into()),
            ("ou", STAND_IN.into()),
            ("tags", minijinja::Value::from_object(AnyTag)),
        ]);
        let organization = Pairs::from([
            ("id", "o-standinstandin".into()),
            ("management_account", STAND_IN_ID.into()),
        ]);
        let pairs = Pairs::from([
            ("var", jinja_values(values)),
            ("account", account.into()),
            ("organization", organization.into()),
            ("partition", "aws".into()),
        ]);
        Self::new(pairs, Knowledge::StandIn)
    }

    fn new(pairs: Pairs<'_>, knowledge: Knowledge) -> Self {
        let (live, sensitive, found) = (Arc::default(), Arc::default(), Found::default());
        Self {
            context: pairs.into(),
            knowledge,
            live,
            sensitive,
            found,
            lacks: Arc::default(),
        }
    }

    /// The same with more names.
    #[must_use]
    pub fn with<const N: usize>(&self, names: [(&'static str, minijinja::Value); N]) -> Self {
        let known = ROOTS
            .into_iter()
            .filter_map(|name| Some((name, self.context.get_attr(name).ok()?)));
        let mut pairs: Pairs<'_> = known.filter(|(_, value)| !value.is_undefined()).collect();
        pairs.extend(names);
        Self {
            context: pairs.into(),
            ..self.clone()
        }
    }

    /// The same where these variables depend on the account or the organization.
    pub(super) fn with_live(self, live: &Arc<BTreeSet<String>>) -> Self {
        Self {
            live: live.clone(),
            ..self
        }
    }

    /// The same where these variables are sensitive; what expressions make of them is added to `found`.
    pub(super) fn with_sensitive(self, sensitive: &Arc<BTreeSet<String>>, found: &Found) -> Self {
        Self {
            sensitive: sensitive.clone(),
            found: found.clone(),
            ..self
        }
    }

    /// The same with these variables instead, and no locals.
    pub(super) fn with_values(&self, values: &Values) -> Self {
        let nothing = minijinja::Value::from(BTreeMap::<String, minijinja::Value>::new());
        Self {
            lacks: Arc::default(),
            ..self.with([("var", jinja_values(values)), ("local", nothing)])
        }
    }

    /// Notes why the local that expressions call `name` has no value.
    pub(super) fn note_lack(&mut self, name: String, failure: Failure) {
        Arc::make_mut(&mut self.lacks).insert(name, failure);
    }

    /// What went wrong, where a local without a value is to blame: what went wrong with that.
    fn blame_locals(&self, failure: Failure) -> Failure {
        let mut missing = Vec::new();
        for name in failure.missing {
            match declared_name(&name).and_then(|local| self.lacks.get(local)) {
                Some(lack) if lack.missing.is_empty() => return lack.clone(),
                Some(lack) => missing.extend(lack.missing.iter().cloned()),
                None => missing.push(name),
            }
        }
        missing.dedup();
        Failure { missing, ..failure }
    }

    /// The value of a template. What an expression makes of a sensitive value is noted as one.
    ///
    /// # Errors
    /// Why it has none.
    pub fn eval(&self, template: &Template, place: &Place) -> Result<Value, Failure> {
        let evaluated = template.eval(&self.context, place, &mut |names, value| {
            if names.iter().any(|name| self.is_sensitive(name)) {
                self.found.with(|found| note(value, found))
            } else if !template.is_condition()
                && names.iter().any(|name| self.holds_sensitive(name))
            {
                Verdict::Masked
            } else {
                Verdict::Kept
            }
        });
        match evaluated {
            Ok((value, is_bound)) => {
                if let Value::String(text) = &value
                    && is_bound
                {
                    self.found.with(|found| found.insert(text));
                }
                Ok(value)
            }
            // What went wrong may be said in words of the value.
            Err(failure) if template.uses().any(|name| self.is_sensitive(name)) => Err(Failure {
                message:
                    "it cannot be evaluated; the reason is hidden because the value is sensitive"
                        .to_owned(),
                ..self.blame_locals(failure)
            }),
            Err(failure) => Err(self.blame_locals(failure)),
        }
    }

    /// Whether the value of a dotted name is sensitive.
    fn is_sensitive(&self, name: &str) -> bool {
        match declared_name(name) {
            Some(declared) => self.sensitive.contains(declared),
            None => ["var", "local"].contains(&name) && !self.sensitive.is_empty(),
        }
    }

    /// Whether something sensitive is in the value of a dotted name: in the roles and policies that a check looks at.
    fn holds_sensitive(&self, name: &str) -> bool {
        if ROOTS.contains(&name.split('.').next().unwrap_or_default()) {
            return false;
        }
        let value = name
            .split('.')
            .try_fold(self.context.clone(), |value, step| value.get_attr(step));
        self.found
            .with(|found| !found.is_empty() && value.is_ok_and(|value| holds(&value, found)))
    }

    /// Whether its account and organization stand for any.
    pub fn stands_in(&self) -> bool {
        self.knowledge == Knowledge::StandIn
    }

    /// Whether the template depends on an account or an organization that is not known yet.
    pub fn is_unknown(&self, template: &Template) -> bool {
        let hangs = |name: &str| match declared_name(name) {
            Some(declared) => self.live.contains(declared),
            None if ["var", "local"].contains(&name) => !self.live.is_empty(),
            None => name.starts_with("account") || name.starts_with("organization"),
        };
        self.stands_in() && template.uses().any(hangs)
    }
}

/// Notes every text and number of a value that was made of a sensitive one, and says whether one of them is too short to
/// be recognized within a longer text. A boolean reveals nothing by itself.
fn note(value: &minijinja::Value, found: &mut Secrets) -> Verdict {
    match value.kind() {
        ValueKind::String | ValueKind::Number => {
            let text = value.to_string();
            if !STAND_INS.contains(&text.as_str()) {
                found.insert(&text);
            }
            if is_short(&text) {
                Verdict::Bound
            } else {
                Verdict::Kept
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            // The items of a list are never part of a longer text.
            value
                .try_iter()
                .into_iter()
                .flatten()
                .for_each(|item| _ = note(&item, found));
            Verdict::Kept
        }
        _ => Verdict::Kept,
    }
}

/// Whether a text in a value holds one of `found`. Keys of maps are looked at, too.
fn holds(value: &minijinja::Value, found: &Secrets) -> bool {
    match (value.kind(), value.as_str()) {
        (_, Some(text)) => found.holds(text),
        (ValueKind::Map, _) => value.try_iter().into_iter().flatten().any(|key| {
            holds(&key, found) || value.get_item(&key).is_ok_and(|item| holds(&item, found))
        }),
        (ValueKind::Seq | ValueKind::Iterable, _) => value
            .try_iter()
            .into_iter()
            .flatten()
            .any(|item| holds(&item, found)),
        _ => false,
    }
}

fn organization_pairs<'a>(values: &minijinja::Value, organization: &Organization) -> Pairs<'a> {
    let about = Pairs::from([
        ("id", organization.id.as_str().into()),
        (
            "management_account",
            organization.management_account.as_str().into(),
        ),
    ]);
    Pairs::from([
        ("var", values.clone()),
        ("organization", about.into()),
        ("partition", organization.partition.0.as_str().into()),
    ])
}
