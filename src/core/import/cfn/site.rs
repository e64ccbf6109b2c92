//! Where the roles of a template go: the accounts of its stack, or those that a stack set deploys it to.

use super::super::draft::{Named, Selector};
use super::super::report::Source;
use super::expr::{Expr, Item};
use super::value::Loss;
use super::vars::{Asked, Use, VarKey};
use super::world::World;

/// Where the roles of a template go, and when.
#[derive(Debug, Clone)]
pub struct Site {
    /// The selectors.
    pub targets: Vec<Reach>,
    /// What is left out.
    pub exclude: Vec<Reach>,
    /// Whether the template is deployed at all.
    pub when: Expr,
    /// Whether it is deployed in several regions.
    pub many_regions: bool,
}

/// Accounts that are selected, with expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The management account.
    Management,
    /// The accounts of the stack, which are asked for.
    Asked,
    /// What the caller gives in place of the stack's accounts.
    Given,
    /// These accounts and units, where a condition holds.
    Some {
        /// The accounts.
        accounts: Option<Expr>,
        /// The organizational units.
        units: Option<Expr>,
        /// The condition.
        when: Expr,
    },
}

impl Site {
    /// The roles of a template go where this says.
    pub fn of(target: Reach) -> Self {
        Self {
            targets: vec![target],
            exclude: Vec::new(),
            when: Expr::Bool(true),
            many_regions: false,
        }
    }
}

impl World<'_> {
    /// Selectors as the desired state writes them.
    ///
    /// # Errors
    /// An expression in one cannot be written.
    pub fn selectors(&mut self, reaches: &[Reach], place: &Source) -> Result<Vec<Selector>, Loss> {
        let mut selectors = Vec::new();
        for reach in reaches {
            let selector = match reach {
                Reach::Management => Selector::accounts(["management"]),
                Reach::Given => {
                    selectors.extend(self.options.targets.iter().cloned());
                    continue;
                }
                Reach::Asked => {
                    let asked = Asked {
                        code: Some("accounts"),
                        place: place.clone(),
                        what: "the accounts that the stack is in".to_owned(),
                        why: "the ids of the accounts that have its roles".to_owned(),
                        hint: Some(
                            "--target 'account=ID' or --target 'ou=PATH' writes a selector instead"
                                .to_owned(),
                        ),
                        from: "the stack's accounts".to_owned(),
                        kind: "list",
                        value: None,
                        sensitive: false,
                    };
                    let accounts = self.ask(VarKey::Accounts, "stack_accounts", asked);
                    Selector {
                        account: self.names(&accounts, place)?,
                        ..Selector::default()
                    }
                }
                Reach::Some {
                    accounts,
                    units,
                    when,
                } => {
                    let mut names = |expr: &Option<Expr>| match expr {
                        Some(expr) => self.names(expr, place),
                        None => Ok(Vec::new()),
                    };
                    let (account, ou) = (names(accounts)?, names(units)?);
                    let when = self.when(when);
                    Selector { account, ou, when }
                }
            };
            selectors.push(selector);
        }
        Ok(selectors)
    }

    fn names(&mut self, expr: &Expr, place: &Source) -> Result<Vec<Named>, Loss> {
        let Expr::List(items) = expr else {
            return Ok(vec![self.template_of(expr, place, Use::Text)?.into()]);
        };
        let mut names = Vec::new();
        for item in items {
            let (Item::One(expr) | Item::All(expr)) = item;
            names.push(self.template_of(expr, place, Use::Text)?.into());
        }
        Ok(names)
    }
}
