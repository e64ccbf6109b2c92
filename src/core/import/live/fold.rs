//! What many accounts hold becomes one desired state: equal roles are one role, and what differs between accounts becomes
//! variables.
//!
//! Roles of one name are a group; within it, those that mean the same are a class, and the largest class is the base. Any
//! other class becomes, in this order of preference,
//!
//! 1. values: where only leaves differ, each is a variable with a value in each account;
//! 2. items: where whole statements, attachments or inline policies differ, each has a `when` of its own;
//! 3. a variant: a `[[role]]` of its own, chosen by a variable.
//!
//! The result is the same whatever the order of accounts, roles and statements.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::class::{Class, classes};
use self::items::Varied;
use self::names::Names;
use self::reading::{Reading, groups};
use self::secret::{Secrets, Values};
use self::shape::Kind;
pub use self::targets::{Folding, Units};
use self::vary::{Made, vary};
use crate::import::draft::{AccountValues, Draft, Targets, Variable};
use crate::import::observed::Observed;
use crate::org::AccountId;

mod class;
mod items;
mod names;
mod reading;
mod secret;
mod shape;
mod targets;
mod vary;
mod write;

/// Folds what was observed into a draft called `name`.
pub fn fold(name: &str, observed: &Observed, folding: Folding<'_>) -> Draft {
    let mut names = Names::default();
    let mut secrets = Secrets::default();
    let reading = Reading::of(observed, folding.partition);
    let mut draft = Draft {
        name: name.to_owned(),
        organization: observed.organization.clone(),
        ..Draft::default()
    };
    let mut values = BTreeMap::new();
    for kind in [Kind::Role, Kind::Policy] {
        for group in groups(observed, &reading, kind).into_values() {
            let classes = classes(group, &reading, &mut secrets);
            let done = group_of(&classes, &mut names);
            let scope = Scope {
                observed,
                folding,
                classes: &classes,
            };
            scope.write(&done, &mut draft);
            collect(&mut values, &mut draft.variables, done);
        }
    }
    secrets.write(&mut draft, &mut values, &mut names);
    for (account, values) in values {
        let name = observed
            .accounts
            .get(&account)
            .and_then(|it| it.name.clone());
        draft
            .accounts
            .insert(account.to_string(), AccountValues { name, values });
    }
    draft
}

/// What one group became.
#[derive(Debug)]
pub(super) struct Folded {
    /// The resources, each with its `when`: the base first.
    parts: Vec<Part>,
    /// The variables that were made.
    variables: Vec<Made>,
}

#[derive(Debug)]
struct Part {
    varied: Varied,
    /// Where it is false, another part of the group is meant.
    when: Option<String>,
}

fn group_of(classes: &[Class], names: &mut Names) -> Folded {
    let Some((base, others)) = classes.split_first() else {
        return Folded {
            parts: Vec::new(),
            variables: Vec::new(),
        };
    };
    let stem = names.stem(&base.shape.name);
    let (varied, mut variables, rest) = vary(base, others, &stem, names);
    let mut parts = vec![Part { varied, when: None }];
    if !rest.is_empty() {
        let variant = names.variable(&format!("{stem}_variant"));
        let word = |at: usize| variant_word(at);
        let mut values = BTreeMap::new();
        for (at, class) in rest.iter().enumerate() {
            let chosen = Value::from(word(at + 1));
            values.extend(class.accounts.iter().map(|id| (*id, chosen.clone())));
            let when = format!("var.{variant} == '{}'", word(at + 1));
            let varied = Varied::plain(&class.shape);
            parts.push(Part {
                varied,
                when: Some(when),
            });
        }
        if let Some(base) = parts.first_mut() {
            base.when = Some(format!("var.{variant} == '{}'", word(0)));
        }
        let mut variable = Variable::new(
            variant,
            "string",
            format!("accounts whose `{}` is another one", base.shape.name),
        );
        variable.default = Some(word(0).into());
        variable.one_of = (0..=rest.len()).map(|at| word(at).into()).collect();
        variable.description = Some(format!("which `{}` an account has", base.shape.name));
        variables.push(Made { variable, values });
    }
    Folded { parts, variables }
}

/// `a`, …, `z`, `v27`, …
fn variant_word(at: usize) -> String {
    match u8::try_from(at).ok().filter(|at| *at < 26) {
        Some(at) => char::from(b'a' + at).to_string(),
        None => format!("v{}", at + 1),
    }
}

fn collect(values: &mut Values, variables: &mut Vec<Variable>, folded: Folded) {
    for made in folded.variables {
        for (account, value) in made.values {
            let of_account = values.entry(account).or_default();
            of_account.insert(made.variable.name.clone(), value);
        }
        variables.push(made.variable);
    }
}

/// A group with what is around it.
struct Scope<'a> {
    observed: &'a Observed,
    folding: Folding<'a>,
    classes: &'a [Class],
}

impl Scope<'_> {
    fn write(&self, folded: &Folded, draft: &mut Draft) {
        let accounts: BTreeSet<AccountId> = self
            .classes
            .iter()
            .flat_map(|class| class.accounts.iter().copied())
            .collect();
        for part in &folded.parts {
            let shape = &part.varied.shape;
            match shape.kind {
                Kind::Role => {
                    let targets = self.targets(&accounts);
                    draft
                        .roles
                        .push(write::role(&part.varied, targets, part.when.clone()));
                }
                Kind::Policy => {
                    let targets = shape.alone.then(|| self.targets(&accounts));
                    draft
                        .policies
                        .push(write::policy(&part.varied, targets, part.when.clone()));
                }
            }
        }
    }

    fn targets(&self, accounts: &BTreeSet<AccountId>) -> Targets {
        targets::targets(accounts, self.observed, self.folding)
    }
}
