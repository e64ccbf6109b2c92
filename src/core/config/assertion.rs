//! `[[check]]`: your own rules, for each desired role, policy or attachment, or for the plan.
//!
//! The expressions of a check see `var`, `local`, `account`, `organization` and `partition` as everywhere, and
//!
//! | `for` | name | what it is |
//! |---|---|---|
//! | `role` | `role` | one desired role, see [`facts::ROLE`](super::facts::ROLE); one with `ensure = "absent"` is not checked |
//! | `policy` | `policy` | one desired customer managed policy, see [`facts::POLICY`](super::facts::POLICY) |
//! | `attachment` | `attachment` | one desired attachment to a role of another owner, see [`facts::ATTACHMENT`](super::facts::ATTACHMENT) |
//! | all three | `roles`, `policies` | everything the account should have |
//! | `plan` | `plan` | the plan as `plan --format json` prints it; no `account` |
//!
//! Beside minijinja's own filters and tests there is `is matches("regex")`: a text in which it is found, or a list with
//! such a text. `message` is a text with `{{ }}`, which sees the same.
//!
//! A check of a module looks at what the module and those within it hold, one of the root at everything. Checks over
//! roles and policies are judged account by account; without AWS they are judged for a placeholder account,
//! and a check that fails there is left alone where what it looks at depends on the account.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::expr::Template;
use super::lints::Lints;
use super::module::{Instance, Scopes};
use super::place::Place;
use super::problem::{Problem, Problems};
use super::render::{self, Failed};
use super::resource::Kind;
use super::scope::Scope;
use super::tree::{Node, Table, Value};
use crate::resource::secret::Secrets;

/// The code of a check that names none.
const CODE: &str = "check";

/// What a check or a lint of the desired state found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CheckFinding {
    /// The check's code.
    pub code: String,
    /// Whether the run is refused.
    pub severity: Weight,
    /// `<account-id>/role/<name>`; `None` for the plan, and without AWS.
    pub address: Option<String>,
    /// The check's message.
    pub message: String,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the variants are what they are called")]
pub enum Weight {
    Stop,
    Warn,
}

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Resource(Kind),
    Plan,
}

impl Subject {
    /// The names that its expressions may begin with.
    fn roots(self) -> &'static [&'static str] {
        match self {
            Self::Resource(Kind::Role) => &[
                "role",
                "roles",
                "policies",
                "var",
                "local",
                "account",
                "organization",
                "partition",
            ],
            Self::Resource(Kind::Policy) => &[
                "policy",
                "roles",
                "policies",
                "var",
                "local",
                "account",
                "organization",
                "partition",
            ],
            Self::Resource(Kind::Attachment) => &[
                "attachment",
                "roles",
                "policies",
                "var",
                "local",
                "account",
                "organization",
                "partition",
            ],
            // No check is for grants: `Check::read` knows no word for it.
            Self::Resource(Kind::Grant) => &[],
            Self::Plan => &["plan", "var", "local", "organization", "partition"],
        }
    }
}

/// One `[[check]]`.
#[derive(Debug)]
pub(super) struct Check {
    pub subject: Subject,
    pub code: String,
    weight: Weight,
    when: Option<(Arc<Template>, Place)>,
    assert: (Arc<Template>, Place),
    message: Node,
    place: Place,
    /// The directory it is written in.
    pub instance: usize,
    /// The names that `when` and `assert` use.
    uses: BTreeSet<String>,
    /// Whether equal resources may be judged otherwise in another account.
    varies: bool,
    /// Whether it asks for account tags.
    pub uses_tags: bool,
}

impl Check {
    pub fn read(
        node: &Node,
        index: usize,
        instance: &Instance,
        problems: &mut Problems,
    ) -> Option<Self> {
        let table = node.as_table()?;
        let subject = match table.get("for")?.as_str()? {
            "role" => Subject::Resource(Kind::Role),
            "policy" => Subject::Resource(Kind::Policy),
            "attachment" => Subject::Resource(Kind::Attachment),
            "plan" => Subject::Plan,
            _ => return None,
        };
        let declared = instance.variables.declared();
        super::tree::for_each_template(node, &mut |template, place| {
            template.check_names_among(subject.roots(), place, &declared, problems);
        });
        let (when, assert) = (condition(table, "when"), condition(table, "assert")?);
        let used = when
            .iter()
            .chain([&assert])
            .flat_map(|(template, _)| template.uses());
        Some(Self {
            subject,
            code: table
                .get("code")
                .and_then(Node::as_str)
                .unwrap_or(CODE)
                .to_owned(),
            weight: match table.get("severity").and_then(Node::as_str) {
                Some("warn") => Weight::Warn,
                _ => Weight::Stop,
            },
            uses: used.map(str::to_owned).collect(),
            varies: instance.varies(node),
            uses_tags: instance.uses_tags(node),
            when,
            assert,
            message: table.get("message")?.clone(),
            place: node.place.clone(),
            instance: index,
        })
    }

    fn title(&self) -> String {
        format!("the check at {}", self.place)
    }

    /// What it has to say where `scope` is what it sees; `None` where it holds or does not apply.
    fn judge(&self, scope: &Scope) -> Result<Option<String>, Failed> {
        let is_true = |(template, place): &(Arc<Template>, Place), path: &str| match scope
            .eval(template, place)
        {
            Ok(value) => Ok(matches!(value, Value::Bool(true))),
            Err(failure) => Err(Failed {
                place: place.clone(),
                path: path.to_owned(),
                failure,
            }),
        };
        if let Some(when) = &self.when
            && !is_true(when, "when")?
        {
            return Ok(None);
        }
        if is_true(&self.assert, "assert")? {
            return Ok(None);
        }
        let Value::Template(template) = &self.message.value else {
            return Ok(self.message.as_str().map(str::to_owned));
        };
        match scope.eval(template, &self.message.place) {
            Ok(Value::String(text)) => Ok(Some(text)),
            Ok(value) => Ok(Some(
                Node {
                    value,
                    place: self.message.place.clone(),
                }
                .to_json()
                .to_string(),
            )),
            Err(failure) => Err(Failed {
                place: self.message.place.clone(),
                path: "message".to_owned(),
                failure,
            }),
        }
    }

    /// Whether it looks at all roles or policies at once.
    fn looks_around(&self) -> bool {
        self.uses
            .iter()
            .any(|name| ["roles", "policies"].contains(&root(name)))
    }

    /// Whether what it looks at depends on the placeholder account.
    fn is_unknown(&self, held: &Held, around: &Around<'_>, scope: &Scope) -> bool {
        let hangs = |template: &Template| scope.is_unknown(template);
        let member = |name: &String| match name.split_once('.') {
            Some((root, rest)) if root == held.kind.word() => held
                .unknown
                .contains(rest.split('.').next().unwrap_or_default()),
            _ => name == held.kind.word() && !held.unknown.is_empty(),
        };
        self.when
            .iter()
            .chain([&self.assert])
            .any(|(template, _)| hangs(template))
            || self.uses.iter().any(member)
            || around.unknown
    }

    /// The finding it makes, unless `[lints]` has turned its code off.
    fn finding(
        &self,
        lints: &Lints,
        address: Option<String>,
        message: String,
    ) -> Option<CheckFinding> {
        let severity = match lints.severities.get(&self.code).map(String::as_str) {
            Some("off") => return None,
            Some("warn") => Weight::Warn,
            Some("stop") => Weight::Stop,
            _ => self.weight,
        };
        Some(CheckFinding {
            code: self.code.clone(),
            severity,
            address,
            message,
        })
    }
}

fn root(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

fn condition(table: &Table, key: &str) -> Option<(Arc<Template>, Place)> {
    let node = table.get(key)?;
    let Value::Template(template) = &node.value else {
        return None;
    };
    Some((template.clone(), node.place.clone()))
}

/// A role, policy or attachment of one account, as checks see it.
pub(super) struct Held {
    pub kind: Kind,
    /// The directory it is written in.
    pub instance: usize,
    /// Equal for what is the same.
    pub identity: usize,
    pub value: minijinja::Value,
    /// Where it is: an address, or a title and its place where there is no account.
    pub address: Address,
    /// What of it depends on an account that is not known yet.
    pub unknown: BTreeSet<&'static str>,
}

/// All that one account holds and a check may look at.
struct Around<'a> {
    all: Vec<&'a Held>,
    /// Equal for what is the same; 0 where the check does not look at it.
    number: usize,
    /// Whether the check looks at something that depends on an account that is not known yet.
    unknown: bool,
    roles: minijinja::Value,
    policies: minijinja::Value,
}

pub(super) enum Address {
    Of(String),
    Title(String),
}

/// Judges the checks, account by account.
pub(super) struct Judge<'a> {
    checks: &'a [Check],
    instances: &'a [Instance],
    lints: &'a Lints,
    /// What a check said of a resource, and of those around it where it looks at them.
    said: HashMap<(usize, usize, usize), Option<String>>,
    /// A number for all that is around a resource, for those checks that look at it.
    arounds: HashMap<Vec<usize>, usize>,
    findings: Vec<CheckFinding>,
}

impl<'a> Judge<'a> {
    pub fn new(checks: &'a [Check], instances: &'a [Instance], lints: &'a Lints) -> Self {
        Self {
            checks,
            instances,
            lints,
            said: HashMap::new(),
            arounds: HashMap::new(),
            findings: Vec::new(),
        }
    }

    /// What was found, sensitive values masked, in order.
    pub fn into_findings(mut self, secrets: &Secrets) -> Vec<CheckFinding> {
        for finding in &mut self.findings {
            finding.message = secrets.mask(&finding.message);
        }
        self.findings.sort();
        self.findings.dedup();
        self.findings
    }

    /// Whether any check asks what only the account tells.
    pub fn needs_account(&self) -> bool {
        self.checks.iter().any(|check| check.varies)
    }

    /// Whether there is any check over roles or policies.
    pub fn has_work(&self) -> bool {
        self.checks
            .iter()
            .any(|check| check.subject != Subject::Plan)
    }

    /// Judges what one account holds.
    pub fn account(&mut self, holds: &[Held], scopes: &Scopes, problems: &mut Problems) {
        let checks = self.checks;
        for (index, check) in checks.iter().enumerate() {
            let Subject::Resource(kind) = check.subject else {
                continue;
            };
            let around: Vec<&Held> = holds
                .iter()
                .filter(|held| self.is_within(held.instance, check.instance))
                .collect();
            let around = self.around(check, &around);
            for held in around.all.iter().filter(|held| held.kind == kind) {
                match self.judge(index, check, held, &around, scopes) {
                    Ok(said) => self
                        .findings
                        .extend(said.and_then(|text| self.finding(check, held, text))),
                    Err(found) => problems.extend(found),
                }
            }
        }
    }

    /// What is around the resources of one account, as a check sees it.
    fn around<'h>(&mut self, check: &Check, all: &[&'h Held]) -> Around<'h> {
        let mut around = Around {
            all: all.to_vec(),
            number: 0,
            unknown: false,
            roles: minijinja::Value::UNDEFINED,
            policies: minijinja::Value::UNDEFINED,
        };
        if check.looks_around() {
            let next = self.arounds.len() + 1;
            let identities = all.iter().map(|held| held.identity).collect();
            around.number = *self.arounds.entry(identities).or_insert(next);
            around.unknown = all.iter().any(|held| !held.unknown.is_empty());
            let of = |kind: Kind| {
                all.iter()
                    .filter(move |held| held.kind == kind)
                    .map(|held| held.value.clone())
            };
            (around.roles, around.policies) =
                (of(Kind::Role).collect(), of(Kind::Policy).collect());
        }
        around
    }

    fn judge(
        &mut self,
        index: usize,
        check: &Check,
        held: &Held,
        around: &Around<'_>,
        scopes: &Scopes,
    ) -> Result<Option<String>, Vec<Problem>> {
        let key = (index, held.identity, around.number);
        if let Some(said) = self.said.get(&key).filter(|_| !check.varies) {
            return Ok(said.clone());
        }
        let Some(scope) = scopes.get(check.instance) else {
            return Ok(None);
        };
        let own = (held.kind.word(), held.value.clone());
        let seen = if check.looks_around() {
            scope.with([
                own,
                ("roles", around.roles.clone()),
                ("policies", around.policies.clone()),
            ])
        } else {
            scope.with([own])
        };
        let said = match check.judge(&seen) {
            Ok(None) => None,
            Ok(Some(_)) | Err(_) if check.is_unknown(held, around, scope) => None,
            Ok(said) => said,
            Err(failed) => return Err(self.explain(check, &failed)),
        };
        self.said.insert(key, said.clone());
        Ok(said)
    }

    fn explain(&self, check: &Check, failed: &Failed) -> Vec<Problem> {
        let Some(instance) = self.instances.get(check.instance) else {
            return Vec::new();
        };
        let problems = render::explain(failed, &check.title(), &instance.variables);
        problems
            .into_iter()
            .map(|problem| problem.in_modules(&instance.chain))
            .collect()
    }

    fn finding(&self, check: &Check, held: &Held, message: String) -> Option<CheckFinding> {
        match &held.address {
            Address::Of(address) => check.finding(self.lints, Some(address.clone()), message),
            Address::Title(title) => {
                check.finding(self.lints, None, format!("{message} ({title})"))
            }
        }
    }

    /// Whether one directory is the other, or in it as a module.
    fn is_within(&self, instance: usize, outer: usize) -> bool {
        let parent = |at: &usize| self.instances.get(*at).and_then(|found| found.parent);
        std::iter::successors(Some(instance), parent).any(|found| found == outer)
    }

    /// Judges the plan. A check that cannot be judged is a stop, too: it is unknown whether it holds.
    pub fn plan(&mut self, plan: &serde_json::Value, scopes: &Scopes) {
        for check in self
            .checks
            .iter()
            .filter(|check| check.subject == Subject::Plan)
        {
            let Some(scope) = scopes.get(check.instance) else {
                continue;
            };
            let seen = scope.with([(
                "plan",
                minijinja::Value::from(minijinja::value::Serde(plan)),
            )]);
            let said = check.judge(&seen).unwrap_or_else(|failed| {
                let problems = self.explain(check, &failed);
                let texts: Vec<&str> = problems
                    .iter()
                    .map(|problem| problem.message.as_str())
                    .collect();
                Some(format!("cannot be evaluated: {}", texts.join("; ")))
            });
            self.findings
                .extend(said.and_then(|message| check.finding(self.lints, None, message)));
        }
    }
}
