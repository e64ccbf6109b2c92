//! Requests by pattern: whether all of those that an action and a resource with wildcards stand for are allowed, or none.
//!
//! A `*` of the question is no character: `b/*` is covered by `b/*` and not by `b/?`, and `NotResource` `b/secret/*`
//! leaves part of it out. All are allowed where one statement covers them whole and no Deny touches them; none is where
//! no Allow touches them, or one Deny covers them whole.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements": `Action`, `NotAction`, `Resource`, `NotResource`, and "Policy
//! evaluation logic".

use super::truth::Truth;
use super::{Identity, Request, Scene};
use crate::resource::policy::pattern::{Token, Variables, covers, may_overlap, tokens};
use crate::resource::policy::{Effect, Patterns, PolicyDocument, Statement};

/// What policies say to a set of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// All are allowed.
    Allowed,
    /// None is.
    Refused,
    /// Some may be and some may not, or it is not known.
    Mixed,
}

impl Identity {
    /// What its policies and its boundary say to every request that `request` stands for: `*` and `?` of its action and
    /// resource are wildcards.
    pub fn decide_every(&self, request: &Request) -> Every {
        let own = every(self.policies.iter().map(|(_, policy)| policy), request);
        let bounded = self
            .boundary
            .as_ref()
            .map_or(Every::Allowed, |boundary| every([boundary], request));
        match (own, bounded) {
            (Every::Refused, _) | (_, Every::Refused) => Every::Refused,
            (Every::Allowed, Every::Allowed) => Every::Allowed,
            _ => Every::Mixed,
        }
    }
}

fn every<'a>(policies: impl IntoIterator<Item = &'a PolicyDocument>, request: &Request) -> Every {
    let (mut allows, mut denies) = (Reach::default(), Reach::default());
    for policy in policies {
        if !policy.is_understood() {
            allows.touches = true;
            denies.touches = true;
        }
        let scene = Scene {
            request,
            version: policy.version(),
        };
        for statement in policy.statements() {
            let reach = match statement.effect {
                Effect::Allow => &mut allows,
                Effect::Deny => &mut denies,
            };
            let of_statement = scene.reach(statement);
            reach.covers |= of_statement.covers;
            reach.touches |= of_statement.touches;
        }
    }
    if denies.covers || !allows.touches {
        Every::Refused
    } else if allows.covers && !denies.touches {
        Every::Allowed
    } else {
        Every::Mixed
    }
}

/// How much of a set of requests statements speak of.
#[derive(Debug, Clone, Copy, Default)]
struct Reach {
    /// Surely of all.
    covers: bool,
    /// Of one, maybe.
    touches: bool,
}

impl Scene<'_> {
    fn reach(self, statement: &Statement) -> Reach {
        // Conditions do not depend on what is asked for, only on the context.
        let conditions = Truth::all(statement.conditions.iter().flat_map(|(operator, keys)| {
            keys.iter()
                .map(move |(key, values)| self.condition(operator, key, values))
        }));
        if conditions == Truth::No {
            return Reach::default();
        }
        let action = self.request.action.to_ascii_lowercase();
        let actions = self.of_patterns(&statement.actions, &action, Variables::Literal);
        let resources = statement
            .resources
            .as_ref()
            .map_or(Reach::default(), |resources| {
                self.of_patterns(resources, &self.request.resource, Variables::Read)
            });
        Reach {
            covers: conditions == Truth::Yes && actions.covers && resources.covers,
            touches: actions.touches && resources.touches,
        }
    }

    fn of_patterns(self, patterns: &Patterns, asked: &str, variables: Variables) -> Reach {
        let asked = tokens(asked, Variables::Literal);
        let one = |text: &String, test: &dyn Fn(&[Token], &[Token]) -> bool| match variables {
            Variables::Literal => Truth::from(test(&tokens(text, Variables::Literal), &asked)),
            Variables::Read => self.pattern(text, |pattern| test(pattern, &asked)),
        };
        let any = |test: &dyn Fn(&[Token], &[Token]) -> bool| {
            Truth::any(patterns.patterns.iter().map(|text| one(text, test)))
        };
        let covered = any(&covers);
        let touched = any(&may_overlap);
        if patterns.negated {
            Reach {
                covers: touched == Truth::No,
                touches: covered != Truth::Yes,
            }
        } else {
            Reach {
                covers: covered == Truth::Yes,
                touches: touched != Truth::No,
            }
        }
    }
}
