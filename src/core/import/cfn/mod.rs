//! `CloudFormation` templates become a draft.
//!
//! `read` makes a tree of the text, `eval` evaluates its intrinsic functions, and what depends on parameters stays an
//! expression (`expr`, `render`). A template is gone through twice: what a variable is used for says what its type is and
//! whether it is sensitive, so the first time only looks.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::draft::{Draft, Role, Selector, Targets};
use super::report::{Class, Entry};
use expr::{Expr, Fact};
use node::{Origin, Unreadable};
pub use options::Options;
use site::{Reach, Site};
use template::Template;
use vars::Variables;
use world::{Env, Region, World};

mod eval;
mod expr;
mod json;
mod lower;
mod managed;
mod node;
mod options;
mod parameter;
mod policy;
mod read;
mod refs;
mod render;
mod role;
mod site;
mod stack;
mod template;
#[cfg(test)]
mod tests;
mod value;
mod vars;
mod world;

/// A template to import.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// What the user calls it.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The name of its stack, where it is known.
    pub stack_name: Option<String>,
    /// The account of its stack, where it is known.
    pub account: Option<String>,
    /// The region of its stack, where it is known.
    pub region: Option<String>,
}

/// Imports templates.
///
/// # Errors
/// What keeps a text from being read as a template.
pub fn import(inputs: &[Input], options: &Options) -> Result<(Draft, Vec<Entry>), Vec<Unreadable>> {
    let (mut templates, mut unreadable) = (Vec::new(), Vec::new());
    for input in inputs {
        let origin = Origin::File(input.file.as_str().into());
        match read::read(&input.text, &origin).and_then(Template::new) {
            Ok(template) => templates.push((input, Rc::new(template))),
            Err(error) => unreadable.push(error),
        }
    }
    if !unreadable.is_empty() {
        return Err(unreadable);
    }
    let mut looked = World::new(options, Variables::default());
    looked.draft(&templates);
    let mut variables = looked.variables;
    variables.decide();
    variables.forget_uses();
    let mut world = World::new(options, variables);
    let mut draft = world.draft(&templates);
    let (declared, entries) = world.variables.declare();
    draft.variables = declared;
    world.entries.extend(entries);
    world.unused_parameters();
    Ok((draft, world.entries))
}

impl World<'_> {
    fn draft(&mut self, templates: &[(&Input, Rc<Template>)]) -> Draft {
        let mut sites = Vec::new();
        for (input, template) in templates {
            let is_outer = template
                .resources
                .iter()
                .any(|it| it.kind == "AWS::CloudFormation::StackSet");
            let site = Site::of(self.stack_target(input, is_outer));
            let region = match self.options.regions.as_slice() {
                [region] => Some(region.clone()),
                _ => input.region.clone(),
            };
            let index = self.add(Env {
                template: template.clone(),
                parameters: BTreeMap::new(),
                account: Expr::Fact(Fact::AccountId),
                region: Region::Asked(region),
                stack_name: input.stack_name.clone(),
                is_nested: false,
                output_of: None,
                copy_of: None,
            });
            sites.push(site.clone());
            self.nest(index, &mut sites, 0);
            self.copies(index, &site, &mut sites);
        }
        self.lower(&sites)
    }

    /// Where the roles of a template go that no stack set holds.
    fn stack_target(&self, input: &Input, is_outer: bool) -> Reach {
        let account = |id: &str| Reach::Some {
            accounts: Some(Expr::list([Expr::text(id)])),
            units: None,
            when: Expr::Bool(true),
        };
        if !self.options.targets.is_empty() {
            return Reach::Given;
        }
        match (self.options.stack_account.as_deref(), &input.account) {
            (Some("management"), _) => Reach::Management,
            (Some(id), _) => account(id),
            (None, Some(id)) => account(id),
            (None, None) if is_outer => Reach::Management,
            (None, None) => Reach::Asked,
        }
    }

    fn lower(&mut self, sites: &[Site]) -> Draft {
        let plan = self.plan();
        let mut draft = Draft::default();
        let asked = Site::of(Reach::Asked);
        for kept in &plan.roles {
            let site = sites.get(kept.env).unwrap_or(&asked);
            if site.many_regions && self.has_region(&kept.name) {
                let why = "the region is in its name, and its stack set has several regions";
                let title = format!("role `{}`", kept.resource.logical);
                let entry = Entry::new(
                    Class::Lost,
                    "per-region",
                    kept.resource.place.clone(),
                    title,
                    why,
                );
                self.entries.push(
                    entry.hint("--region REGION, once for each region, makes a copy for each"),
                );
                continue;
            }
            for role in self.role(kept, &plan, site) {
                let is_nested = self.envs.get(kept.env).is_some_and(|env| env.is_nested);
                self.add_role(role, is_nested, &mut draft);
            }
        }
        for kept in &plan.policies {
            let site = sites.get(kept.env).unwrap_or(&asked);
            let policy = self.policy(kept, site);
            let same = |known: &super::draft::Policy| {
                policy.as_ref().is_some_and(|new| {
                    known.name == new.name
                        && known.when == new.when
                        && known.document == new.document
                })
            };
            if !draft.policies.iter().any(same) {
                draft.policies.extend(policy);
            }
        }
        for env in 0..self.envs.len() {
            let is_copy = self.envs.get(env).is_some_and(|env| env.copy_of.is_some());
            if !is_copy {
                let rules = self.rules(env, &plan);
                draft.checks.extend(rules);
                self.others(env);
                self.oddities(env);
            }
        }
        draft
    }

    /// Adds a role. Its twin of another template is the same role in more accounts, where the two are equal.
    fn add_role(&mut self, mut role: Role, is_nested: bool, draft: &mut Draft) {
        let twin = |known: &&mut Role| known.name.eq_ignore_ascii_case(&role.name);
        let Some(known) = draft.roles.iter_mut().find(twin) else {
            draft.roles.push(role);
            return;
        };
        if let Some(joined) = joined(known, &role) {
            *known = joined;
            return;
        }
        let is_alone = known.when.is_none() && role.when.is_none();
        if is_alone && known.targets == role.targets && known.exclude == role.exclude {
            let what = format!("role `{}`", role.name);
            let why = format!(
                "{} has a role of this name in the same accounts",
                known.source
            );
            self.note(Class::Lost, "same-name", &role.source, &what, &why);
            return;
        }
        // Two literal names are taken for a mistake, unless the accounts tell them apart.
        if is_nested && !role.name.contains("account.id") {
            role.name += "{{ '' if account.id else '' }}";
        }
        draft.roles.push(role);
    }

    fn unused_parameters(&mut self) {
        for (name, place) in self.variables.unused() {
            let what = format!("parameter `{name}`");
            let is_cdk = self
                .envs
                .iter()
                .any(|env| env.template.is_cdk_version(&name));
            let (code, why) = if is_cdk {
                ("bootstrap", "it is about the CDK's bootstrap stack")
            } else {
                ("unused-parameter", "nothing that is imported uses it")
            };
            self.note(Class::Left, code, &place, &what, why);
        }
    }
}

/// One role for two that are equal but for their accounts.
fn joined(first: &Role, second: &Role) -> Option<Role> {
    if first.when.is_some() || second.when.is_some() {
        return None;
    }
    let (Targets::Some(targets), Targets::Some(more)) = (&first.targets, &second.targets) else {
        return None;
    };
    let management = Selector::accounts(["management"]);
    let has_management = targets.contains(&management) || more.contains(&management);
    let exclude = |role: &Role| {
        let exclude = role.exclude.iter();
        let kept = exclude.filter(|it| !has_management || **it != management);
        kept.cloned().collect::<Vec<_>>()
    };
    if exclude(first) != exclude(second) {
        return None;
    }
    let same = Role {
        source: first.source.clone(),
        targets: first.targets.clone(),
        exclude: first.exclude.clone(),
        ..second.clone()
    };
    if format!("{same:?}") != format!("{first:?}") {
        return None;
    }
    let mut targets = targets.clone();
    for selector in more {
        if !targets.contains(selector) {
            targets.push(selector.clone());
        }
    }
    Some(Role {
        targets: Targets::Some(targets),
        exclude: exclude(first),
        ..first.clone()
    })
}
