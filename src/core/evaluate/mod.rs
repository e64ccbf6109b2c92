//! What a policy allows: an evaluator of trust and identity policies. Pure.
//!
//! An explicit deny wins, an allow comes second, and what no statement speaks of is denied. Where the request leaves a
//! condition key open, each part of a statement answers yes, no or maybe, and so does the whole.
//!
//! Source: IAM User Guide, "Policy evaluation logic".

mod condition;
mod entrant;
mod every;
pub mod federated;
mod identity;
mod keys;
mod stranger;
mod truth;
mod variable;
mod way;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::resource::policy::pattern::{self, Variables, segments};
use crate::resource::policy::{Effect, Patterns, PolicyDocument, Principals, Statement, Version};
pub use entrant::{Answer, Entrant};
pub use every::Every;
pub use identity::{Identity, Reach, Voice};
pub use keys::Key;
pub use keys::{Kind, MFA, mentioned, spelled};
pub use stranger::{member, outsider, serving_stranger, stranger};
use truth::Truth;
pub use way::{Obstacle, Way, expected, way};

/// One request to be decided.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The caller, as in `aws:PrincipalArn`; for a session the ARN of its role. Empty for an anonymous caller.
    pub principal: Principal,
    /// `sts:AssumeRole`
    pub action: String,
    /// The resource's ARN; for a trust policy the role's.
    pub resource: String,
    /// Condition keys (any case) and their values; a key that is not here, or has no value, is absent from the request.
    pub context: BTreeMap<String, Vec<String>>,
    /// Keys (any case) of which it is not known whether the request has them. What `context` says goes first.
    pub unknown: Vec<String>,
}

/// Who calls.
#[derive(Debug, Clone, Default)]
pub struct Principal {
    /// Every ARN or name the caller goes by, with its kind: `("AWS", "arn:aws:iam::1…:role/x")`, the session's
    /// ARN, the account's root ARN, `("Service", "lambda.amazonaws.com")`, `("Federated", "arn:…:oidc-provider/…")`.
    pub names: Vec<(String, String)>,
}

/// The answer of one set of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allow,
    /// A statement denies it.
    ExplicitDeny,
    /// No statement allows it, whatever the keys that are not known.
    ImplicitDeny,
    /// It may be allowed: that depends on a condition key that is not known, or on a document or condition operator
    /// that is not understood.
    Undecided,
}

/// The statement that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Its policy's place among those given.
    pub policy: usize,
    /// Its place in that policy; `None` where the policy is not understood.
    pub statement: Option<usize>,
    /// Its `Sid`.
    pub sid: Option<String>,
}

/// Decides `request` by `policies` taken together.
pub fn evaluate(policies: &[&PolicyDocument], request: &Request) -> Decision {
    explain(policies, request).0
}

/// Like [`evaluate`], and says which statement decided.
///
/// For [`Decision::Undecided`] that is the statement which would deny if it applied, else the one which would allow.
/// [`Decision::ImplicitDeny`] has none.
pub fn explain(policies: &[&PolicyDocument], request: &Request) -> (Decision, Option<Why>) {
    let (mut allow, mut deny) = (Verdict::default(), Verdict::default());
    for (index, policy) in policies.iter().enumerate() {
        if !policy.is_understood() {
            for verdict in [&mut allow, &mut deny] {
                verdict.raise(Truth::Maybe, || Why {
                    policy: index,
                    statement: None,
                    sid: None,
                });
            }
        }
        for (place, statement) in policy.statements().iter().enumerate() {
            let verdict = match statement.effect {
                Effect::Allow => &mut allow,
                Effect::Deny => &mut deny,
            };
            let truth = Scene {
                request,
                version: policy.version(),
            }
            .applies(statement);
            verdict.raise(truth, || Why {
                policy: index,
                statement: Some(place),
                sid: statement.sid.clone(),
            });
        }
    }
    match (allow.truth, deny.truth) {
        (_, Truth::Yes) => (Decision::ExplicitDeny, deny.why),
        (Truth::No, _) => (Decision::ImplicitDeny, None),
        (Truth::Yes, Truth::No) => (Decision::Allow, allow.why),
        (Truth::Yes | Truth::Maybe, Truth::Maybe) => (Decision::Undecided, deny.why),
        (Truth::Maybe, Truth::No) => (Decision::Undecided, allow.why),
    }
}

/// The strongest answer of the statements of one effect, and whose it was.
#[derive(Default)]
struct Verdict {
    truth: Truth,
    why: Option<Why>,
}

impl Verdict {
    fn raise(&mut self, truth: Truth, why: impl FnOnce() -> Why) {
        if truth > self.truth {
            self.truth = truth;
            self.why = Some(why());
        }
    }
}

/// A request before a document of one version.
#[derive(Clone, Copy)]
struct Scene<'a> {
    request: &'a Request,
    version: Version,
}

/// What the request says of a condition key.
enum Values<'a> {
    Present(&'a [String]),
    Absent,
    Unknown,
}

impl<'a> Scene<'a> {
    fn applies(self, statement: &Statement) -> Truth {
        let Statement {
            sid: _,
            effect: _,
            principals,
            actions,
            resources,
            conditions,
        } = statement;
        // A statement that names neither principals nor resources belongs to no kind of policy and speaks of nothing.
        let whom = match (principals, resources) {
            (Some(principals), _) => Truth::from(self.principal(principals)),
            (None, resources) => Truth::from(resources.is_some()),
        };
        let parts: [&dyn Fn() -> Truth; 3] = [
            &|| Truth::from(self.action(actions)),
            &|| {
                resources
                    .as_ref()
                    .map_or(Truth::Yes, |resources| self.resource(resources))
            },
            &|| {
                Truth::all(conditions.iter().flat_map(|(operator, keys)| {
                    keys.iter()
                        .map(move |(key, values)| self.condition(operator, key, values))
                }))
            },
        ];
        parts.iter().fold(whom, |truth, part| {
            if truth == Truth::No {
                truth
            } else {
                truth.and(part())
            }
        })
    }

    fn principal(self, principals: &Principals) -> bool {
        let named = principals.kinds.iter().any(|(kind, patterns)| {
            // Everyone, callers without credentials included.
            (kind == "AWS" && patterns.contains("*"))
                || self.request.principal.names.iter().any(|(own, name)| {
                    own == kind
                        && (patterns.contains(name)
                            || (kind == "AWS" && patterns.contains(&root_of(name))))
                })
        });
        named != principals.negated
    }

    /// Actions match in any case and know no variables.
    fn action(self, actions: &Patterns) -> bool {
        let action = self.request.action.to_ascii_lowercase();
        let mut patterns = actions
            .patterns
            .iter()
            .map(|text| pattern::tokens(text, Variables::Literal));
        patterns.any(|pattern| pattern::matches(&pattern, &action)) != actions.negated
    }

    /// A `*` of a resource goes beyond colons, as the last one of a part of an ARN does in IAM.
    ///
    /// Of a `NotResource` with a variable that has no value IAM says both that the variable matches nothing and that the
    /// statement may become invalid, so the result is unknown.
    fn resource(self, resources: &Patterns) -> Truth {
        let without = if resources.negated {
            Truth::Maybe
        } else {
            Truth::No
        };
        let matches = |text: &String| {
            self.pattern_or(text, without, |pattern| {
                pattern::matches(pattern, &self.request.resource)
            })
        };
        let named = Truth::any(resources.patterns.iter().map(matches));
        if resources.negated {
            named.not()
        } else {
            named
        }
    }

    /// The values of a condition key, which is the same in any case.
    fn values(self, key: &str) -> Values<'a> {
        let context = &self.request.context;
        let same = |other: &str| other.eq_ignore_ascii_case(key);
        let found = context.get(key).or_else(|| {
            context
                .iter()
                .find_map(|(other, values)| same(other).then_some(values))
        });
        match found {
            Some(values) if !values.is_empty() => Values::Present(values),
            None if self.request.unknown.iter().any(|other| same(other)) => Values::Unknown,
            _ => Values::Absent,
        }
    }
}

/// The root ARN of the account that `name` belongs to; empty where it is not an ARN of IAM or STS.
fn root_of(name: &str) -> String {
    match segments(name).as_slice() {
        ["arn", partition, "iam" | "sts", _, account, _] => {
            format!("arn:{partition}:iam::{account}:root")
        }
        _ => String::new(),
    }
}
