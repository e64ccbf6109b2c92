//! Someone on the way to a role, with all the ways in which such a request may look.
//!
//! Of each condition key that a trust policy asks for it matters what kind of caller can lack it or choose it: a key
//! that a caller may lack is tried absent and present, one that it chooses with what is asked for and with something
//! else. What cannot be known stays open, and so does the answer.
//!
//! Sources: IAM User Guide, "AWS global condition context keys", "IAM and AWS STS condition context keys".

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{self, Group, Key, Kind};
use super::{Decision, Principal, Request, evaluate};
use crate::resource::policy::PolicyDocument;
use crate::resource::policy::operator::{Operator, Test};

/// What a trust policy says to all the requests that someone may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It refuses each of them.
    Refused,
    /// It may let one in: that depends on what cannot be known.
    Unsure,
    /// It lets one in.
    LetIn,
}

/// Someone on the way to a role.
#[derive(Debug, Clone)]
pub struct Entrant {
    kind: Kind,
    names: Vec<(String, String)>,
    action: &'static str,
    role: String,
    /// What is known of keys (in lower case) beyond what their kind says.
    keys: BTreeMap<String, Key>,
}

/// Requests are listed one by one up to this many; beyond, the keys of most values are left open.
const REQUESTS: usize = 2048;

/// Values of a chosen key that are tried.
const VALUES: usize = 32;

/// A value that no policy asks for.
pub(super) const OTHER: &str = "rolecall-other";

/// The state of some keys in one request; `None` where the key is absent.
type State = Vec<(String, Option<Vec<String>>)>;

impl Entrant {
    /// Someone of this kind who goes by one name.
    pub fn new(kind: Kind, name: &str) -> Self {
        let of = match kind {
            Kind::Principal => "AWS",
            Kind::Service => "Service",
            Kind::WebIdentity | Kind::Saml => "Federated",
        };
        let (key, known) = match kind {
            Kind::Principal => ("aws:principalisawsservice", vec!["false".to_owned()]),
            Kind::Service => ("aws:principalservicename", vec![name.to_owned()]),
            Kind::WebIdentity | Kind::Saml => ("aws:federatedprovider", vec![name.to_owned()]),
        };
        Self {
            kind,
            names: vec![(of.to_owned(), name.to_owned())],
            action: kind.action(),
            role: String::new(),
            keys: [(key.to_owned(), Key::OneOf(known))].into(),
        }
    }

    /// The same, of whose key (in lower case) this is known.
    #[must_use]
    pub fn with(mut self, key: &str, known: Key) -> Self {
        self.keys.insert(key.to_owned(), known);
        self
    }

    /// The same, who goes by another name as well.
    #[must_use]
    pub fn also(mut self, kind: &str, name: &str) -> Self {
        self.names.push((kind.to_owned(), name.to_owned()));
        self
    }

    /// The same on the way to the role with this ARN.
    #[must_use]
    pub fn to(mut self, role: &str) -> Self {
        role.clone_into(&mut self.role);
        self
    }

    /// What is known of a key.
    pub fn key(&self, key: &str) -> Key {
        self.keys
            .get(key)
            .cloned()
            .unwrap_or_else(|| keys::known(self.kind, key))
    }

    /// What `trust` says.
    pub fn ask(&self, trust: &PolicyDocument) -> Answer {
        let decided =
            self.requests(&[trust])
                .into_iter()
                .map(|request| match evaluate(&[trust], &request) {
                    Decision::Allow => Answer::LetIn,
                    Decision::Undecided => Answer::Unsure,
                    Decision::ExplicitDeny | Decision::ImplicitDeny => Answer::Refused,
                });
        decided.max().unwrap_or(Answer::Refused)
    }

    /// Every request that may be decided otherwise than another by one of `trusts`.
    pub fn requests(&self, trusts: &[&PolicyDocument]) -> Vec<Request> {
        let mentioned: BTreeSet<String> = trusts
            .iter()
            .flat_map(|trust| keys::mentioned(trust))
            .collect();
        let mut open = BTreeSet::new();
        let mut dimensions = Vec::new();
        let mut grouped = BTreeSet::new();
        for group in keys::groups(self.kind) {
            let members: Vec<&String> = group
                .keys()
                .filter_map(|key| mentioned.get(key))
                .filter(|key| self.key(key) != Key::Unknown)
                .collect();
            if !members.is_empty() {
                dimensions.push(self.joint(group, &members, trusts));
                grouped.extend(members.into_iter().cloned());
            }
        }
        for key in mentioned.difference(&grouped) {
            match self.states(key, trusts) {
                Some(states) => dimensions.push(
                    states
                        .into_iter()
                        .map(|state| vec![(key.clone(), state)])
                        .collect(),
                ),
                None => _ = open.insert(key.clone()),
            }
        }
        self.product(dimensions, open)
    }

    /// The states of keys that go together.
    fn joint(&self, group: &Group, members: &[&String], trusts: &[&PolicyDocument]) -> Vec<State> {
        let mut states: Vec<State> = Vec::new();
        for alternative in group.alternatives {
            let mut partial: Vec<State> = vec![Vec::new()];
            for key in members {
                let present = alternative.contains(&key.as_str());
                let of_key: Vec<_> = self
                    .states(key, trusts)
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|state| state.is_some() == present)
                    .collect();
                partial = partial
                    .iter()
                    .flat_map(|before| {
                        of_key.iter().map(|state| {
                            let mut state_of_all = before.clone();
                            state_of_all.push(((*key).clone(), state.clone()));
                            state_of_all
                        })
                    })
                    .collect();
            }
            states.extend(partial);
        }
        states.dedup();
        states
    }

    /// The states of one key; `None` where nothing is known of it.
    fn states(&self, key: &str, trusts: &[&PolicyDocument]) -> Option<Vec<Option<Vec<String>>>> {
        let each = |values: Vec<String>| values.into_iter().map(|value| Some(vec![value]));
        let chosen = || {
            let asked = asked(key, trusts)?;
            let several = is_set(key, trusts).then(|| Some(asked.clone()));
            Some(each(asked).chain(several).collect::<Vec<_>>())
        };
        match self.key(key) {
            Key::Absent => Some(vec![None]),
            Key::OneOf(values) => Some(each(values).collect()),
            Key::OneOfOrAbsent(values) => Some(each(values).chain([None]).collect()),
            Key::Chosen => chosen(),
            Key::ChosenOrAbsent => {
                chosen().map(|states| states.into_iter().chain([None]).collect())
            }
            Key::Unknown => None,
        }
    }

    fn product(&self, mut dimensions: Vec<Vec<State>>, mut open: BTreeSet<String>) -> Vec<Request> {
        dimensions.sort_by_key(Vec::len);
        while dimensions
            .iter()
            .map(Vec::len)
            .fold(1, usize::saturating_mul)
            > REQUESTS
        {
            let left_out = dimensions.pop().unwrap_or_default();
            open.extend(left_out.into_iter().flatten().map(|(key, _)| key));
        }
        let mut contexts: Vec<BTreeMap<String, Vec<String>>> = vec![BTreeMap::new()];
        for states in &dimensions {
            contexts = contexts
                .iter()
                .flat_map(|context| {
                    states.iter().map(|state| {
                        let mut context = context.clone();
                        // A key without values is absent, also where it would be open.
                        context.extend(state.iter().map(|(key, values)| {
                            (key.clone(), values.clone().unwrap_or_default())
                        }));
                        context
                    })
                })
                .collect();
        }
        let request = |context| Request {
            principal: Principal {
                names: self.names.clone(),
            },
            action: self.action.to_owned(),
            resource: self.role.clone(),
            context,
            unknown: open.iter().cloned().collect(),
        };
        contexts.into_iter().map(request).collect()
    }
}

/// Whether a condition takes several values of the key together.
fn is_set(key: &str, trusts: &[&PolicyDocument]) -> bool {
    conditions(key, trusts)
        .any(|(operator, _)| Operator::parse(operator).is_some_and(|one| one.quantifier.is_some()))
}

/// The values to try of a key that the caller chooses: what any condition asks for, and something else. `None` where a
/// condition asks for the value of another key, or for something that cannot be made up.
fn asked(key: &str, trusts: &[&PolicyDocument]) -> Option<Vec<String>> {
    let mut values: BTreeSet<String> = BTreeSet::new();
    // What passes one pattern may meet another one, so each is filled in a second way.
    let several = conditions(key, trusts).count() > 1;
    for (operator, wanted) in conditions(key, trusts) {
        let operator = Operator::parse(operator)?;
        for wanted in wanted {
            if is_variable(wanted) {
                return None;
            }
            values.extend(meeting(operator.test, wanted));
            if several && matches!(operator.test, Test::StringLike | Test::Arn) {
                values.insert(wanted.replace('*', OTHER).replace('?', "y"));
            }
        }
    }
    values.insert(OTHER.to_owned());
    (values.len() <= VALUES).then(|| values.into_iter().collect())
}

/// Whether a value holds a policy variable other than those for the characters themselves.
pub(super) fn is_variable(value: &str) -> bool {
    value.split("${").skip(1).any(|rest| {
        !["*}", "?}", "$}"]
            .iter()
            .any(|plain| rest.starts_with(plain))
    })
}

/// Values around what a test asks for: some that pass, some that do not. Values of requests hold no `*` and no `?`, so
/// what only such a one would pass is left out.
pub(super) fn meeting(test: Test, wanted: &str) -> Vec<String> {
    let plain = |value: &str| {
        if value.contains(['*', '?']) {
            Vec::new()
        } else {
            vec![value.to_owned()]
        }
    };
    match test {
        Test::StringLike | Test::Arn => vec![wanted.replace(['*', '?'], "x")],
        Test::StringEquals | Test::StringEqualsIgnoreCase | Test::Binary => plain(wanted),
        Test::Bool => vec!["true".to_owned(), "false".to_owned()],
        Test::IpAddress => vec![wanted.split('/').next().unwrap_or_default().to_owned()],
        Test::Numeric(_) => match wanted.trim().parse::<i64>() {
            Ok(number) => [number.saturating_sub(1), number, number.saturating_add(1)]
                .map(|number| number.to_string())
                .to_vec(),
            Err(_) => plain(wanted),
        },
        Test::Date(_) => vec![
            "1970-01-02T00:00:00Z".to_owned(),
            wanted.to_owned(),
            "9999-12-31T00:00:00Z".to_owned(),
        ],
        Test::Null => Vec::new(),
    }
}

/// The conditions on a key: operator and values.
pub(super) fn conditions<'a>(
    key: &str,
    trusts: &[&'a PolicyDocument],
) -> impl Iterator<Item = (&'a str, &'a BTreeSet<String>)> + use<'a> {
    let statements = trusts.iter().flat_map(|trust| trust.statements());
    let found: Vec<_> = statements
        .flat_map(|statement| &statement.conditions)
        .filter_map(|(operator, keys)| Some((operator.as_str(), keys.get(key)?)))
        .collect();
    found.into_iter()
}
