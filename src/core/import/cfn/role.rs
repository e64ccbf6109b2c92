//! Roles of a template.

use serde_json::Value as Json;

use super::super::draft::{Attached, Inline, Partial, Role, Targets};
use super::super::report::{Class, Entry, Source};
use super::expr::{Expr, Fact, Item};
use super::lower::{Inlined, Kept, Plan};
use super::node::Node;
use super::policy::{About, VARIANTS};
use super::site::Site;
use super::template::Resource;
use super::value::{Known, Loss, Val, ValKind};
use super::vars::Use;
use super::world::World;

/// The attributes of a resource that are read, or say nothing of a role.
const ATTRIBUTES: [&str; 8] = [
    "Type",
    "Properties",
    "Condition",
    "DependsOn",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "CreationPolicy",
];

/// What a resource is tagged with where its conditions are decided so.
type TagCase = (Known, Vec<(String, String)>);

/// The properties of a role.
const PROPERTIES: [&str; 9] = [
    "AssumeRolePolicyDocument",
    "Description",
    "ManagedPolicyArns",
    "MaxSessionDuration",
    "Path",
    "PermissionsBoundary",
    "Policies",
    "RoleName",
    "Tags",
];

impl World<'_> {
    /// The roles that a kept resource makes: one, or one for each set of tags that its conditions make.
    pub fn role(&mut self, kept: &Kept, plan: &Plan, site: &Site) -> Vec<Role> {
        let resource = &kept.resource;
        let title = format!("role `{}`", resource.logical);
        self.unknown_properties(resource, &PROPERTIES, &title);
        let condition = Expr::all([site.when.clone(), kept.condition.clone()]);
        if condition == Expr::Bool(false) {
            return Vec::new();
        }
        let known = Known::given(&condition);
        let tags = match self.tags(kept.env, resource, &known) {
            Ok(cases) => cases,
            Err(loss) => {
                self.lose(
                    &format!("the tags of {title}"),
                    &loss,
                    "; they are not managed",
                );
                vec![(known, Vec::new())]
            }
        };
        let mut roles = Vec::new();
        for (case, tags) in tags {
            let all = Expr::all([condition.clone(), case.condition()]);
            match self.variant(kept, plan, site, &Known::given(&all), &title) {
                Ok(mut role) => {
                    role.tags = tags;
                    role.when = self.when(&all);
                    roles.push(role);
                }
                Err(loss) => {
                    self.lose(&title, &loss, "; the role is not imported");
                    return Vec::new();
                }
            }
        }
        roles
    }

    fn variant(
        &mut self,
        kept: &Kept,
        plan: &Plan,
        site: &Site,
        known: &Known,
        title: &str,
    ) -> Result<Role, Loss> {
        let Kept { env, resource, .. } = kept;
        let place = &resource.place;
        let template = self.template(*env);
        let prefix = template
            .as_ref()
            .map_or(resource.logical.as_str(), |it| it.plain(&resource.logical));
        let trust = match resource.properties.get("AssumeRolePolicyDocument") {
            Some(node) => {
                let value = self.eval(*env, node);
                let about = About {
                    title,
                    prefix,
                    is_trust: true,
                };
                self.document(&value, known, &about)?
            }
            None => return Err(self.without_trust(*env, place)),
        };
        let name = known.decide_all(&kept.name);
        let name = self.template_of(&name, place, Use::Name)?;
        let targets = Targets::Some(self.selectors(&site.targets, place)?);
        let exclude = self.selectors(&site.exclude, place)?;
        let mut partial = Partial::default();
        let managed = self.managed(kept, plan, known, title, &mut partial);
        let inline = self.inline(kept, plan, known, title, &mut partial);
        let path = match self.path(*env, resource)? {
            Expr::Text(path) if path == "/" => None,
            path => Some(self.template_of(&path, place, Use::Name)?),
        };
        let max_session_duration = self.duration(*env, resource, title);
        let description = self.optional(*env, resource, "Description", title, |_, expr| expr);
        let boundary = self.optional(*env, resource, "PermissionsBoundary", title, |_, expr| {
            Self::policy_ref(*env, plan, expr)
        });
        Ok(Role {
            source: place.clone(),
            name,
            path,
            description,
            max_session_duration,
            permissions_boundary: boundary,
            managed_policies: (!partial.managed_policies || !managed.is_empty()).then_some(managed),
            inline_policies: (!partial.inline_policies || !inline.is_empty()).then_some(inline),
            partial,
            trust,
            tags: Vec::new(),
            targets,
            exclude,
            when: None,
            external: false,
            prevent_destroy: is_retained(&resource.node),
            comments: Vec::new(),
        }
        .complete())
    }

    fn without_trust(&self, env: usize, place: &Source) -> Loss {
        let template = self.template(env);
        let macros: Vec<String> = template
            .iter()
            .flat_map(|it| &it.transforms)
            .filter(|(name, _)| !is_known_transform(name))
            .map(|(name, _)| name.clone())
            .collect();
        if macros.is_empty() {
            return Loss::new("document", place, "it has no AssumeRolePolicyDocument");
        }
        let why = format!(
            "it has no AssumeRolePolicyDocument, and the macro {} may make one",
            macros.join(", ")
        );
        Loss::new("macro", place, why).hint(
            "import what CloudFormation made: aws cloudformation get-template --stack-name NAME --template-stage Processed",
        )
    }

    /// A property that is left unwritten where it is lost, and empty where a branch lacks it.
    fn optional(
        &mut self,
        env: usize,
        resource: &Resource,
        name: &str,
        title: &str,
        then: impl FnOnce(&mut Self, Expr) -> Expr,
    ) -> Option<String> {
        let node = resource.properties.get(name)?;
        let value = self.eval(env, node);
        if value.is_missing() {
            return None;
        }
        let written = value.text().and_then(|expr| {
            let expr = then(self, expr);
            self.template_of(&expr, &value.place, Use::Text)
        });
        match written {
            Ok(written) => Some(written),
            Err(loss) => {
                self.lose(&format!("{name} of {title}"), &loss, "; it is not managed");
                None
            }
        }
    }

    fn duration(&mut self, env: usize, resource: &Resource, title: &str) -> Option<Json> {
        const DEFAULT: &str = "3600";
        let node = resource.properties.get("MaxSessionDuration")?;
        let value = self.eval(env, node);
        if value.is_missing() {
            return None;
        }
        let seconds = value.with_default(DEFAULT);
        let written = seconds.map(|expr| self.renderer().number(&expr));
        match written {
            Ok(written) => Some(written),
            Err(loss) => {
                self.lose(
                    &format!("MaxSessionDuration of {title}"),
                    &loss,
                    "; it is not managed",
                );
                None
            }
        }
    }

    fn managed(
        &mut self,
        kept: &Kept,
        plan: &Plan,
        known: &Known,
        title: &str,
        partial: &mut Partial,
    ) -> Vec<Attached> {
        let mut attached: Vec<Attached> = Vec::new();
        let mut found: Vec<(Expr, Result<Expr, Loss>, Source)> = Vec::new();
        if let Some(node) = kept.resource.properties.get("ManagedPolicyArns") {
            let value = self.eval(kept.env, node);
            for (known, item) in value.items(known) {
                let expr = item.one_or_many();
                found.push((known.condition(), expr, item.place.clone()));
            }
        }
        for side in plan.attached_to(kept.index) {
            let condition = known.decide(&side.condition);
            found.push((condition, Ok(side.arn.clone()), side.place.clone()));
        }
        for (condition, expr, place) in found {
            let written = expr.and_then(|expr| {
                let exists = plan.condition_of(&expr, kept.env);
                let condition = Expr::all([condition, known.decide(&exists)]);
                let policy = Self::policy_ref(kept.env, plan, expr);
                let policy = self.template_of(&policy, &place, Use::Text)?;
                Ok((condition, policy))
            });
            match written {
                Ok((Expr::Bool(false), _)) => {}
                Ok((condition, policy)) => {
                    let when = self.when(&condition);
                    let new = Attached { policy, when };
                    if !attached.contains(&new) {
                        attached.push(new);
                    }
                }
                Err(loss) => {
                    partial.managed_policies = true;
                    self.lose(
                        &format!("an attached policy of {title}"),
                        &loss,
                        "; its attached policies are not managed exclusively",
                    );
                }
            }
        }
        attached
    }

    fn inline(
        &mut self,
        kept: &Kept,
        plan: &Plan,
        known: &Known,
        title: &str,
        partial: &mut Partial,
    ) -> Vec<Inline> {
        let mut found: Vec<Inlined> = Vec::new();
        if let Some(node) = kept.resource.properties.get("Policies") {
            let value = self.eval(kept.env, node);
            for (known, item) in value.items(known) {
                found.push(Inlined::of(&known, &item));
            }
        }
        for side in plan.inlined_to(kept.index) {
            let condition = known.decide(&side.known.condition());
            let known = known.with(&condition, true);
            found.push(Inlined {
                known,
                ..side.clone()
            });
        }
        let mut inline = Vec::new();
        for found in found {
            let condition = found.known.condition();
            if condition == Expr::Bool(false) {
                continue;
            }
            match self.inline_policy(&found, kept, title) {
                Ok(policy) => {
                    let when = self.when(&condition);
                    inline.push(Inline { when, ..policy });
                }
                Err(loss) => {
                    partial.inline_policies = true;
                    self.lose(
                        &format!("an inline policy of {title}"),
                        &loss,
                        "; its inline policies are not managed exclusively",
                    );
                }
            }
        }
        inline
    }

    fn inline_policy(&mut self, found: &Inlined, kept: &Kept, title: &str) -> Result<Inline, Loss> {
        let name = found.name.clone()?;
        let document = found.document.clone()?;
        let about = About {
            title,
            prefix: &kept.resource.logical,
            is_trust: false,
        };
        let document = self.document(&document, &found.known.settled(), &about)?;
        let name = self.template_of(&name, &found.place, Use::Name)?;
        Ok(Inline {
            name,
            document,
            when: None,
        })
    }

    /// A managed policy as the desired state refers to it.
    pub fn policy_ref(env: usize, plan: &Plan, expr: Expr) -> Expr {
        if let Some(name) = plan.local_name(&expr, env) {
            return Expr::concat([Expr::text("local:"), name]);
        }
        match expr {
            Expr::If(condition, yes, no) => {
                let (yes, no) = (
                    Self::policy_ref(env, plan, *yes),
                    Self::policy_ref(env, plan, *no),
                );
                Expr::either(*condition, yes, no)
            }
            Expr::List(items) => Expr::List(
                items
                    .into_iter()
                    .map(|item| match item {
                        Item::One(expr) => Item::One(Self::policy_ref(env, plan, expr)),
                        Item::All(expr) => Item::All(Self::policy_ref(env, plan, expr)),
                    })
                    .collect(),
            ),
            expr => of_aws(&expr).unwrap_or(expr),
        }
    }

    /// The tags of a resource; where its conditions make several sets of them, each with what it assumes.
    pub fn tags(
        &mut self,
        env: usize,
        resource: &Resource,
        known: &Known,
    ) -> Result<Vec<TagCase>, Loss> {
        let mut cases = vec![(known.clone(), Vec::new())];
        let Some(node) = resource.properties.get("Tags") else {
            return Ok(cases);
        };
        let value = self.eval(env, node);
        self.add_tags(&value, &mut cases)?;
        Ok(cases)
    }

    fn add_tags(
        &mut self,
        value: &Val,
        cases: &mut Vec<(Known, Vec<(String, String)>)>,
    ) -> Result<(), Loss> {
        let mut next = Vec::new();
        for (known, tags) in cases.drain(..) {
            for (known, value) in value.branches(&known) {
                let mut inner = vec![(known, tags.clone())];
                match &value.kind {
                    ValKind::Missing => {}
                    ValKind::List(items) => {
                        for item in items {
                            self.add_tags(item, &mut inner)?;
                        }
                    }
                    ValKind::Map(_) => {
                        for (known, tags) in &mut inner {
                            let mut part = |name: &str| {
                                let part = value.get(name);
                                let part = part
                                    .ok_or_else(|| value.wrong("a tag without a Key or a Value"))?;
                                let expr = part.prune(known).text()?;
                                self.template_of(&expr, &part.place, Use::Text)
                            };
                            let tag = (part("Key")?, part("Value")?);
                            tags.push(tag);
                        }
                    }
                    ValKind::Lost(loss) => return Err(loss.clone()),
                    ValKind::Expr(_) | ValKind::If(..) => {
                        return Err(value.wrong("something that is not a tag"));
                    }
                }
                next.extend(inner);
            }
        }
        if next.len() > VARIANTS {
            let why = format!("their conditions make more than {VARIANTS} sets of them");
            return Err(Loss::new("intrinsic", &value.place, why));
        }
        *cases = next;
        Ok(())
    }

    /// Notes properties that are not read.
    pub fn unknown_properties(&mut self, resource: &Resource, known: &[&str], title: &str) {
        for (key, node) in resource.properties.members() {
            if known.contains(&key.text.as_str()) {
                continue;
            }
            let (code, why) = match key.text.as_str() {
                "Fn::Transform" => ("transform", "a macro makes it when the stack is deployed"),
                text if text.starts_with("Fn::") || text == "<<" => {
                    ("intrinsic", "it is made when the stack is deployed")
                }
                _ => ("refused", "IAM knows no such property"),
            };
            let what = format!("`{}` of {title}", key.text);
            _ = node;
            self.note(Class::Lost, code, &key.place, &what, why);
        }
        for (key, _) in resource.node.members() {
            if !ATTRIBUTES.contains(&key.text.as_str()) {
                let what = format!("`{}` of {title}", key.text);
                let why = "CloudFormation knows no such attribute of a resource";
                self.note(Class::Left, "not-iam", &key.place, &what, why);
            }
        }
    }

    /// Notes that something is lost.
    pub fn lose(&mut self, what: &str, loss: &Loss, effect: &str) {
        let Loss {
            code,
            place,
            why,
            hint,
        } = loss;
        let entry = Entry::new(
            Class::Lost,
            code,
            place.clone(),
            what,
            format!("{why}{effect}"),
        );
        self.entries.push(Entry {
            hint: hint.clone(),
            ..entry
        });
    }
}

impl Role {
    /// Only what is written can be managed in part.
    fn complete(mut self) -> Self {
        self.partial.managed_policies &= self.managed_policies.is_some();
        self.partial.inline_policies &= self.inline_policies.is_some();
        self
    }
}

impl Known {
    /// A text without the branches that are excluded.
    fn decide_all(&self, expr: &Expr) -> Expr {
        match expr {
            Expr::If(condition, yes, no) => Expr::either(
                self.decide(condition),
                self.decide_all(yes),
                self.decide_all(no),
            ),
            expr => expr.clone(),
        }
    }
}

impl Val {
    /// Its text, with another one where it is missing.
    ///
    /// # Errors
    /// It is lost.
    pub fn with_default(&self, default: &str) -> Result<Expr, Loss> {
        match &self.kind {
            ValKind::Missing => Ok(Expr::text(default)),
            ValKind::If(condition, yes, no) => Ok(Expr::either(
                condition.clone(),
                yes.with_default(default)?,
                no.with_default(default)?,
            )),
            _ => self.text(),
        }
    }
}

/// Whether a resource stays when its stack goes.
pub fn is_retained(node: &Node) -> bool {
    node.get("DeletionPolicy").and_then(Node::as_text) == Some("Retain")
}

/// Macros of AWS that a template can be read without.
pub fn is_known_transform(name: &str) -> bool {
    name.starts_with("AWS::Serverless-")
        || ["AWS::LanguageExtensions", "AWS::CodeDeployBlueGreen"].contains(&name)
        || name.starts_with("AWS::SecretsManager-")
}

/// `aws:NAME`, where an expression is the ARN of a policy of AWS in the partition of the account.
fn of_aws(expr: &Expr) -> Option<Expr> {
    const PATH: &str = ":iam::aws:policy/";
    match expr {
        Expr::Text(text) => {
            let name = text.strip_prefix("arn:aws:iam::aws:policy/")?;
            Some(Expr::text(format!("aws:{name}")))
        }
        Expr::Concat(parts) => {
            let (path, rest) = match parts.as_slice() {
                [
                    Expr::Text(arn),
                    Expr::Fact(Fact::Partition),
                    Expr::Text(path),
                    rest @ ..,
                ] if arn == "arn:" => (path.strip_prefix(PATH)?, rest),
                [Expr::Text(text), rest @ ..] => {
                    (text.strip_prefix("arn:aws:iam::aws:policy/")?, rest)
                }
                _ => return None,
            };
            let first = Expr::text(format!("aws:{path}"));
            Some(Expr::concat(
                [first].into_iter().chain(rest.iter().cloned()),
            ))
        }
        _ => None,
    }
}
