//! Which resources of the templates are imported, and what belongs together: a policy may be attached from its own side.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::super::report::{Class, Entry, Source};
use super::expr::{Expr, Fact};
use super::node::{Node, Value};
use super::refs::named_in;
use super::template::Resource;
use super::value::{Known, Loss, Val, ValKind};
use super::world::World;
use crate::resource::protected::known_owner;

/// A role that is imported.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its number among them.
    pub index: usize,
    /// Its template.
    pub env: usize,
    /// The resource.
    pub resource: Rc<Resource>,
    /// Its name.
    pub name: Expr,
    /// When it is there.
    pub condition: Expr,
}

/// A managed policy that is imported.
#[derive(Debug, Clone)]
pub struct KeptPolicy {
    /// Its template.
    pub env: usize,
    /// The resource.
    pub resource: Rc<Resource>,
    /// Its name.
    pub name: Expr,
    /// Its ARN.
    pub arn: Expr,
    /// When it is there.
    pub condition: Expr,
    /// Whether an imported role names it, or it names one.
    pub is_attached: bool,
}

/// A managed policy that attaches itself to a role.
#[derive(Debug, Clone)]
pub struct Side {
    role: usize,
    /// The policy's ARN.
    pub arn: Expr,
    /// When it does.
    pub condition: Expr,
    /// Where.
    pub place: Source,
}

/// An inline policy, before its document is written.
#[derive(Debug, Clone)]
pub struct Inlined {
    /// When it is there.
    pub known: Known,
    /// Its name.
    pub name: Result<Expr, Loss>,
    /// Its document.
    pub document: Result<Val, Loss>,
    /// Where it is.
    pub place: Source,
}

impl Inlined {
    /// An item of `Policies`, or the properties of a policy's resource.
    pub fn of(known: &Known, item: &Val) -> Self {
        let lost = |what: &str| match &item.kind {
            ValKind::Lost(loss) => loss.clone(),
            _ => item.wrong(what),
        };
        let name = item
            .get("PolicyName")
            .ok_or_else(|| lost("an inline policy without a name"));
        let document = item.get("PolicyDocument");
        let document = document.ok_or_else(|| lost("an inline policy without a document"));
        Self {
            known: known.clone(),
            name: name.and_then(|name| name.prune(known).text()),
            document: document.cloned(),
            place: item.place.clone(),
        }
    }
}

/// What is imported.
#[derive(Debug, Default)]
pub struct Plan {
    /// Roles.
    pub roles: Vec<Kept>,
    /// Managed policies.
    pub policies: Vec<KeptPolicy>,
    sides: Vec<Side>,
    inlined: Vec<(usize, Inlined)>,
    /// Templates that are not those of nested stacks: their resources are in one account.
    outer: BTreeSet<usize>,
}

impl Plan {
    /// The managed policies that attach themselves to a role.
    pub fn attached_to(&self, role: usize) -> Vec<Side> {
        let sides = self.sides.iter();
        sides.filter(|side| side.role == role).cloned().collect()
    }

    /// The inline policies that are put into a role from elsewhere.
    pub fn inlined_to(&self, role: usize) -> Vec<Inlined> {
        let inlined = self.inlined.iter().filter(|(of, _)| *of == role);
        inlined.map(|(_, policy)| policy.clone()).collect()
    }

    fn policies_of(&self, arn: &Expr, env: usize) -> impl Iterator<Item = &KeptPolicy> {
        let arn = with_partition(arn);
        let together =
            move |of: usize| of == env || (self.outer.contains(&of) && self.outer.contains(&env));
        self.policies
            .iter()
            .filter(move |policy| policy.arn == arn && together(policy.env))
    }

    /// The name of the imported policy of an ARN.
    pub fn local_name(&self, arn: &Expr, env: usize) -> Option<Expr> {
        self.policies_of(arn, env)
            .next()
            .map(|policy| policy.name.clone())
    }

    /// When the imported policy of an ARN is there; always, where it is not an imported one.
    pub fn condition_of(&self, arn: &Expr, env: usize) -> Expr {
        let conditions: Vec<Expr> = self
            .policies_of(arn, env)
            .map(|policy| policy.condition.clone())
            .collect();
        if conditions.is_empty() {
            return Expr::Bool(true);
        }
        Expr::any(conditions)
    }
}

/// An ARN with the account's partition in place of `aws`.
fn with_partition(arn: &Expr) -> Expr {
    match arn {
        Expr::Concat(parts) => match parts.as_slice() {
            [Expr::Text(first), rest @ ..] if first == "arn:aws:iam::" => Expr::concat(
                [
                    Expr::text("arn:"),
                    Expr::Fact(Fact::Partition),
                    Expr::text(":iam::"),
                ]
                .into_iter()
                .chain(rest.iter().cloned()),
            ),
            _ => arn.clone(),
        },
        arn => arn.clone(),
    }
}

/// A role that a policy names.
enum Named {
    Kept(usize),
    Left,
    Outside(Expr),
}

/// Resources of IAM other than roles and their policies.
const OTHER_IAM: &[&str] = &[
    "AWS::IAM::AccessKey",
    "AWS::IAM::Group",
    "AWS::IAM::GroupPolicy",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::SAMLProvider",
    "AWS::IAM::ServerCertificate",
    "AWS::IAM::ServiceLinkedRole",
    "AWS::IAM::User",
    "AWS::IAM::UserPolicy",
    "AWS::IAM::UserToGroupAddition",
    "AWS::IAM::VirtualMFADevice",
];

impl World<'_> {
    /// Decides what is imported, and notes what is not.
    pub fn plan(&mut self) -> Plan {
        let mut plan = Plan {
            outer: (0..self.envs.len())
                .filter(|env| self.envs.get(*env).is_some_and(|env| !env.is_nested))
                .collect(),
            ..Plan::default()
        };
        let mut left: BTreeSet<(usize, String)> = BTreeSet::new();
        for env in 0..self.envs.len() {
            self.choose_roles(env, &mut plan, &mut left);
        }
        for env in 0..self.envs.len() {
            self.choose_policies(env, &mut plan, &left);
        }
        for env in 0..self.envs.len() {
            self.sides(env, &mut plan, &left);
        }
        self.attached(&mut plan);
        plan
    }

    fn resources(&self, env: usize) -> Vec<Rc<Resource>> {
        self.template(env)
            .map(|template| template.resources.clone())
            .unwrap_or_default()
    }

    fn choose_roles(&mut self, env: usize, plan: &mut Plan, left: &mut BTreeSet<(usize, String)>) {
        let resources = self.resources(env);
        let mut used = BTreeSet::new();
        for resource in &resources {
            let kind = resource.kind.as_str();
            let counts = ["AWS::IAM::", "AWS::CloudFormation::", "Custom::"];
            if !counts.iter().any(|prefix| kind.starts_with(prefix))
                && kind != "AWS::SSM::Parameter"
            {
                named_in(&resource.properties, &mut used);
            }
        }
        for resource in resources.iter().filter(|it| it.kind == "AWS::IAM::Role") {
            let logical = &resource.logical;
            let title = format!("role `{logical}`");
            let name = match self.role_name(env, resource) {
                Ok(name) => name,
                Err(loss) => {
                    self.lose(&title, &loss, "; the role is not imported");
                    left.insert((env, logical.clone()));
                    continue;
                }
            };
            if !self.is_here(env, &name, |world, base| {
                world.role_name(base, resource).ok()
            }) {
                continue;
            }
            let path = self.path(env, resource).unwrap_or_else(|_| Expr::text("/"));
            if let Some(why) = known_owner(&self.sample(&name), &self.sample(&path)) {
                let why = format!("{why}, so a plan would always refuse to write it");
                self.note(Class::Left, "protected", &resource.place, &title, &why);
                left.insert((env, logical.clone()));
                continue;
            }
            let wanted = &self.options.include;
            let is_wanted = wanted.contains("services") || wanted.contains(logical);
            if !is_wanted && used.contains(logical) && self.serves_only(env, resource) {
                let why = "only services assume it, and the stack's own resources use it";
                let entry = Entry::new(
                    Class::Left,
                    "stack-role",
                    resource.place.clone(),
                    &title,
                    why,
                );
                self.entries.push(entry.hint(format!(
                    "--include {logical} imports it, --include services all of these"
                )));
                left.insert((env, logical.clone()));
                continue;
            }
            match self.condition_on(env, resource) {
                Ok(condition) => plan.roles.push(Kept {
                    index: plan.roles.len(),
                    env,
                    resource: resource.clone(),
                    name,
                    condition,
                }),
                Err(loss) => {
                    self.lose(&title, &loss, "; the role is not imported");
                    left.insert((env, logical.clone()));
                }
            }
        }
    }

    /// When a resource is there.
    fn condition_on(&mut self, env: usize, resource: &Resource) -> Result<Expr, Loss> {
        match resource.node.get("Condition") {
            None => Ok(Expr::Bool(true)),
            Some(node) => self.condition(env, node),
        }
    }

    /// Whether only services may assume a role.
    fn serves_only(&mut self, env: usize, resource: &Resource) -> bool {
        let Some(node) = resource.properties.get("AssumeRolePolicyDocument") else {
            return false;
        };
        let value = self.eval(env, node);
        let mut kinds = BTreeSet::new();
        principals(&value, &mut kinds);
        kinds.len() == 1 && kinds.contains("Service")
    }

    fn choose_policies(&mut self, env: usize, plan: &mut Plan, left: &BTreeSet<(usize, String)>) {
        let resources = self.resources(env);
        // What only roles that are left out use is left out with them.
        let mut of_left = BTreeSet::new();
        let mut of_others = BTreeSet::new();
        for role in resources.iter().filter(|it| it.kind == "AWS::IAM::Role") {
            let named = if left.contains(&(env, role.logical.clone())) {
                &mut of_left
            } else {
                &mut of_others
            };
            named_in(&role.properties, named);
        }
        for resource in &resources {
            let title = format!("managed policy `{}`", resource.logical);
            if resource.kind != "AWS::IAM::ManagedPolicy" {
                continue;
            }
            let mut roles = BTreeSet::new();
            let own = resource.properties.get("Roles");
            own.inspect(|node| named_in(node, &mut roles));
            let is_left = |logical: &String| left.contains(&(env, logical.clone()));
            let hangs = of_left.contains(&resource.logical) || roles.iter().any(is_left);
            let stays = of_others.contains(&resource.logical) || !roles.iter().all(is_left);
            if hangs && !stays {
                let why = "only roles that are left out use it";
                self.note(Class::Left, "stack-role", &resource.place, &title, why);
                continue;
            }
            let found = self.policy_arn(env, resource).and_then(|arn| {
                let name = self.policy_name(env, resource)?;
                Ok((arn, name, self.condition_on(env, resource)?))
            });
            let original = |world: &mut Self, base: usize| world.policy_name(base, resource).ok();
            match found {
                Ok((_, name, _)) if !self.is_here(env, &name, original) => {}
                Ok((arn, name, condition)) => plan.policies.push(KeptPolicy {
                    env,
                    resource: resource.clone(),
                    name,
                    arn,
                    condition,
                    is_attached: false,
                }),
                Err(loss) => self.lose(&title, &loss, "; the policy is not imported"),
            }
        }
    }

    /// Policies that attach themselves.
    fn sides(&mut self, env: usize, plan: &mut Plan, left: &BTreeSet<(usize, String)>) {
        for resource in self.resources(env) {
            let (word, roles) = match resource.kind.as_str() {
                "AWS::IAM::ManagedPolicy" => ("managed policy", "Roles"),
                "AWS::IAM::Policy" => ("policy", "Roles"),
                "AWS::IAM::RolePolicy" => ("policy", "RoleName"),
                _ => continue,
            };
            let title = format!("{word} `{}`", resource.logical);
            for others in ["Users", "Groups"] {
                if let Some((key, _)) = resource.properties.member(others) {
                    let what = format!("{others} of {title}");
                    let why = "users and groups are not imported";
                    self.note(Class::Left, "iam-type", &key.place, &what, why);
                }
            }
            let Some(node) = resource.properties.get(roles) else {
                continue;
            };
            let condition = match self.condition_on(env, &resource) {
                Ok(condition) => condition,
                Err(loss) => {
                    self.lose(&title, &loss, "; it is not imported");
                    continue;
                }
            };
            let known = Known::default();
            let known = match &condition {
                Expr::Bool(true) => known,
                condition => known.with(condition, true),
            };
            for (known, named) in self.named_roles(env, node, &known, plan, left) {
                let named = match named {
                    Ok(named) => named,
                    Err(loss) => {
                        self.lose(
                            &format!("a role of {title}"),
                            &loss,
                            "; the policy is not in that role",
                        );
                        continue;
                    }
                };
                match named {
                    Named::Kept(role) => self.add_side(env, &resource, role, &known, plan),
                    Named::Left if word == "policy" => {
                        let why = "it is of a role that is left out";
                        self.note(Class::Left, "stack-role", &resource.place, &title, why);
                    }
                    Named::Left => {}
                    Named::Outside(name) => {
                        let name = self.describe(&name);
                        let why = format!(
                            "it adds to the role `{name}`, which these templates do not make"
                        );
                        let entry = Entry::new(
                            Class::Lost,
                            "fragment",
                            resource.place.clone(),
                            &title,
                            why,
                        );
                        self.entries.push(
                            entry.hint("import it together with the template that makes the role"),
                        );
                    }
                }
            }
        }
    }

    fn add_side(
        &mut self,
        env: usize,
        resource: &Rc<Resource>,
        role: usize,
        known: &Known,
        plan: &mut Plan,
    ) {
        if resource.kind == "AWS::IAM::ManagedPolicy" {
            if let Ok(arn) = self.policy_arn(env, resource) {
                plan.sides.push(Side {
                    role,
                    arn,
                    condition: known.condition(),
                    place: resource.place.clone(),
                });
            }
            return;
        }
        let properties = self.eval(env, &resource.properties);
        let inlined = Inlined {
            place: resource.place.clone(),
            ..Inlined::of(known, &properties)
        };
        plan.inlined.push((role, inlined));
    }

    /// The roles that a list names, and when.
    fn named_roles(
        &mut self,
        env: usize,
        node: &Node,
        known: &Known,
        plan: &Plan,
        left: &BTreeSet<(usize, String)>,
    ) -> Vec<(Known, Result<Named, Loss>)> {
        if let Value::List(items) = &node.value {
            let mut found = Vec::new();
            for item in items {
                found.extend(self.named_roles(env, item, known, plan, left));
            }
            return found;
        }
        if let Some([condition, yes, no]) = node.call("Fn::If").and_then(Node::as_list) {
            return match self.condition(env, condition).map(|it| known.decide(&it)) {
                Err(loss) => vec![(known.clone(), Err(loss))],
                Ok(Expr::Bool(true)) => self.named_roles(env, yes, known, plan, left),
                Ok(Expr::Bool(false)) => self.named_roles(env, no, known, plan, left),
                Ok(condition) => {
                    let mut found =
                        self.named_roles(env, yes, &known.with(&condition, true), plan, left);
                    found.extend(self.named_roles(
                        env,
                        no,
                        &known.with(&condition, false),
                        plan,
                        left,
                    ));
                    found
                }
            };
        }
        if let Some(logical) = node.call("Ref").and_then(Node::as_text) {
            let kept = |kept: &&Kept| kept.env == env && kept.resource.logical == logical;
            if let Some(kept) = plan.roles.iter().find(kept) {
                return vec![(known.clone(), Ok(Named::Kept(kept.index)))];
            }
            if left.contains(&(env, logical.to_owned())) {
                return vec![(known.clone(), Ok(Named::Left))];
            }
        }
        let value = self.eval(env, node);
        let mut found = Vec::new();
        for (known, value) in value.items(known) {
            found.push((known, self.by_name(env, &value, plan, left)));
        }
        found
    }

    fn by_name(
        &mut self,
        env: usize,
        value: &Val,
        plan: &Plan,
        left: &BTreeSet<(usize, String)>,
    ) -> Result<Named, Loss> {
        let name = value.text()?;
        let same = |kept: &&Kept| kept.name == name;
        let here = plan.roles.iter().filter(same).find(|kept| kept.env == env);
        let anywhere = || plan.roles.iter().find(same);
        if let Some(kept) = here.or_else(anywhere) {
            return Ok(Named::Kept(kept.index));
        }
        for (of, logical) in left {
            let resource = self
                .template(*of)
                .and_then(|it| it.resource(logical).cloned());
            if let Some(resource) = resource
                && self.role_name(*of, &resource).is_ok_and(|it| it == name)
            {
                return Ok(Named::Left);
            }
        }
        Ok(Named::Outside(name))
    }

    /// Notes which policies imported roles have: they go where these go.
    fn attached(&mut self, plan: &mut Plan) {
        let mut arns: Vec<(usize, Expr)> = Vec::new();
        for kept in plan.roles.clone() {
            for property in ["ManagedPolicyArns", "PermissionsBoundary"] {
                if let Some(node) = kept.resource.properties.get(property) {
                    let value = self.eval(kept.env, node);
                    for (_, item) in value.items(&Known::default()) {
                        arns.extend(item.text().ok().map(|arn| (kept.env, arn)));
                    }
                }
            }
            arns.extend(
                plan.attached_to(kept.index)
                    .into_iter()
                    .map(|side| (kept.env, side.arn)),
            );
        }
        for (env, arn) in arns {
            let arn = with_partition(&arn);
            let outer = &plan.outer;
            for policy in &mut plan.policies {
                let together =
                    policy.env == env || (outer.contains(&policy.env) && outer.contains(&env));
                policy.is_attached |= together && policy.arn == arn;
            }
        }
    }

    /// Notes the resources that are of no interest.
    pub fn others(&mut self, env: usize) {
        for resource in self.resources(env) {
            let kind = resource.kind.as_str();
            let place = &resource.place;
            let (code, why) = match kind {
                "AWS::IAM::Role"
                | "AWS::IAM::ManagedPolicy"
                | "AWS::IAM::Policy"
                | "AWS::IAM::RolePolicy"
                | "AWS::CloudFormation::StackSet"
                | "AWS::CloudFormation::Stack"
                | "AWS::Serverless::Application" => continue,
                kind if OTHER_IAM.contains(&kind) => {
                    ("iam-type", "a desired state holds roles and their policies")
                }
                kind if kind.ends_with("::MODULE") => {
                    let why = "a module makes its resources when the stack is deployed";
                    let loss = Loss::new("macro", place, why);
                    self.lose(kind, &loss, "; what IAM resources it holds is not known");
                    continue;
                }
                _ => ("not-iam", "it is not a resource of IAM"),
            };
            let makes_role =
                kind == "AWS::Serverless::Function" || kind == "AWS::Serverless::StateMachine";
            if makes_role && resource.properties.get("Role").is_none() {
                let what = format!("the role that SAM makes for `{}`", resource.logical);
                let why = "only the stack's own resource uses it";
                self.note(Class::Left, "stack-role", place, &what, why);
            }
            self.note(Class::Left, code, place, kind, why);
        }
    }
}

/// The kinds of principals in a trust policy, in any branch.
fn principals(value: &Val, kinds: &mut BTreeSet<String>) {
    match &value.kind {
        ValKind::Map(members) => {
            for (key, member) in members {
                match key.as_text() {
                    Some("Principal" | "NotPrincipal") => kinds_of(member, kinds),
                    _ => principals(member, kinds),
                }
            }
        }
        ValKind::List(items) => items.iter().for_each(|item| principals(item, kinds)),
        ValKind::If(_, yes, no) => {
            principals(yes, kinds);
            principals(no, kinds);
        }
        ValKind::Lost(_) => _ = kinds.insert("?".to_owned()),
        ValKind::Missing | ValKind::Expr(_) => {}
    }
}

fn kinds_of(value: &Val, kinds: &mut BTreeSet<String>) {
    match &value.kind {
        ValKind::Map(members) => {
            kinds.extend(
                members
                    .iter()
                    .map(|(key, _)| key.as_text().unwrap_or("?").to_owned()),
            );
        }
        ValKind::If(_, yes, no) => {
            kinds_of(yes, kinds);
            kinds_of(no, kinds);
        }
        ValKind::Missing => {}
        ValKind::Expr(_) | ValKind::List(_) | ValKind::Lost(_) => _ = kinds.insert("?".to_owned()),
    }
}
