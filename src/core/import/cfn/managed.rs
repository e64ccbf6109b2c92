//! Managed policies and rules of a template.

use super::super::draft::{Check, Policy, Targets, literal};
use super::super::report::Class;
use super::expr::Expr;
use super::lower::{KeptPolicy, Plan};
use super::node::Node;
use super::policy::About;
use super::role::is_retained;
use super::site::Site;
use super::value::{Known, Loss};
use super::vars::{Use, one_line};
use super::world::World;

/// The properties of a managed policy.
const PROPERTIES: [&str; 8] = [
    "Description",
    "Groups",
    "ManagedPolicyName",
    "Path",
    "PolicyDocument",
    "Roles",
    "Tags",
    "Users",
];

impl World<'_> {
    /// The policy that a kept resource makes.
    pub fn policy(&mut self, kept: &KeptPolicy, site: &Site) -> Option<Policy> {
        let title = format!("managed policy `{}`", kept.resource.logical);
        self.unknown_properties(&kept.resource, &PROPERTIES, &title);
        let condition = Expr::all([site.when.clone(), kept.condition.clone()]);
        if condition == Expr::Bool(false) {
            return None;
        }
        match self.policy_of(kept, site, &condition, &title) {
            Ok(policy) => Some(policy),
            Err(loss) => {
                self.lose(&title, &loss, "; the policy is not imported");
                None
            }
        }
    }

    fn policy_of(
        &mut self,
        kept: &KeptPolicy,
        site: &Site,
        condition: &Expr,
        title: &str,
    ) -> Result<Policy, Loss> {
        let KeptPolicy { env, resource, .. } = kept;
        let place = &resource.place;
        let known = Known::given(condition);
        let document = resource.properties.get("PolicyDocument");
        let missing = || Loss::new("document", place, "it has no PolicyDocument");
        let document = self.eval(*env, document.ok_or_else(missing)?);
        let about = About {
            title,
            prefix: &resource.logical,
            is_trust: false,
        };
        let document = self.document(&document, &known, &about)?;
        let name = self.template_of(&kept.name, place, Use::Name)?;
        let path = match self.path(*env, resource)? {
            Expr::Text(path) if path == "/" => None,
            path => Some(self.template_of(&path, place, Use::Name)?),
        };
        let description = match resource.properties.get("Description") {
            Some(node) => {
                let value = self.eval(*env, node);
                let text = value.text()?;
                Some(self.template_of(&text, place, Use::Text)?)
            }
            None => None,
        };
        let mut tags = self.tags(*env, resource, &known)?;
        let tags = if tags.len() == 1 {
            tags.remove(0).1
        } else {
            let why = "its tags depend on a condition";
            let loss = Loss::new("intrinsic", place, why);
            self.lose(
                &format!("the tags of {title}"),
                &loss,
                "; they are not managed",
            );
            Vec::new()
        };
        let (targets, exclude) = if kept.is_attached {
            (None, Vec::new())
        } else {
            let targets = Targets::Some(self.selectors(&site.targets, place)?);
            (Some(targets), self.selectors(&site.exclude, place)?)
        };
        Ok(Policy {
            source: place.clone(),
            name,
            path,
            description: description.filter(|text| !text.is_empty()),
            document,
            tags,
            targets,
            exclude,
            when: self.when(condition),
            prevent_destroy: is_retained(&resource.node),
            comments: Vec::new(),
        })
    }

    /// The rules of a template as checks, each judged once: of its first role.
    pub fn rules(&mut self, env: usize, plan: &Plan) -> Vec<Check> {
        let Some(template) = self.template(env) else {
            return Vec::new();
        };
        let mut checks = Vec::new();
        for (key, rule) in template.section("Rules") {
            let what = format!("rule `{}`", key.text);
            if template.is_cdk_version(&key.text) {
                let why = "it is about the CDK's bootstrap stack";
                self.note(Class::Left, "bootstrap", &key.place, &what, why);
                continue;
            }
            let Some(first) = plan.roles.iter().find(|kept| kept.env == env) else {
                let why = "no role of this template is imported";
                self.note(Class::Left, "not-iam", &key.place, &what, why);
                continue;
            };
            let when = match rule.get("RuleCondition") {
                Some(node) => self.condition(env, node),
                None => Ok(Expr::Bool(true)),
            };
            let assertions = rule.get("Assertions").and_then(Node::as_list);
            for assertion in assertions.unwrap_or_default() {
                let found = when.clone().and_then(|when| {
                    let assert = assertion.get("Assert");
                    let missing =
                        || Loss::new("rule", &key.place, "an assertion without an Assert");
                    Ok((when, self.condition(env, assert.ok_or_else(missing)?)?))
                });
                match found {
                    Ok((Expr::Bool(false), _) | (_, Expr::Bool(true))) => {}
                    Ok((when, assert)) => {
                        let name = match &first.name {
                            Expr::Text(name) => literal(name),
                            name => self.renderer().source(name, Use::Name),
                        };
                        let is_first = format!("role.name == ({name})");
                        let when = self.when(&when);
                        let when = when.map_or_else(
                            || is_first.clone(),
                            |when| format!("({when}) and {is_first}"),
                        );
                        let message = assertion
                            .get("AssertDescription")
                            .and_then(Node::as_text)
                            .map_or_else(|| format!("the {what} of the template"), one_line);
                        checks.push(Check {
                            when: Some(when),
                            assert: self.renderer().condition(&assert),
                            message: message.replace("{{", "{ {"),
                        });
                    }
                    Err(loss) => {
                        let why = format!("it is not checked: {}", loss.why);
                        self.note(Class::Weaker, "rule", &loss.place, &what, &why);
                    }
                }
            }
        }
        checks
    }
}
