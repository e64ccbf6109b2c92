//! Stacks in stacks, and stack sets: templates in a template. Their parameters are evaluated in the account of the outer
//! stack, and put in where the inner template uses them.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::report::{Class, Entry, Source};
use super::expr::{Expr, Fact};
use super::node::{Node, Origin, Value};
use super::parameter::Shape;
use super::read::read;
use super::site::{Reach, Site};
use super::template::{Resource, Template};
use super::value::{Known, Loss, Val, ValKind};
use super::world::{Env, Region, World};

/// How deep stacks may be in stacks.
const DEPTH: usize = 5;

impl World<'_> {
    /// Adds the templates that the template at an index holds, and theirs.
    pub fn nest(&mut self, env: usize, sites: &mut Vec<Site>, depth: usize) {
        let Some(template) = self.template(env) else {
            return;
        };
        for resource in &template.resources {
            match resource.kind.as_str() {
                "AWS::CloudFormation::StackSet" => self.stack_set(env, resource, sites, depth),
                "AWS::CloudFormation::Stack" | "AWS::Serverless::Application" => {
                    self.stack(env, resource, sites, depth);
                }
                _ => {}
            }
        }
    }

    /// The template in a resource.
    fn body(&mut self, env: usize, resource: &Resource, depth: usize) -> Result<Template, Loss> {
        let place = &resource.place;
        if depth >= DEPTH {
            let why = format!("it is in more than {DEPTH} templates");
            return Err(Loss::new("template-url", place, why));
        }
        if let Some(node) = resource.properties.get("TemplateBody") {
            return self.inline_body(env, node);
        }
        let asset = resource
            .node
            .get("Metadata")
            .and_then(|it| it.get("aws:asset:path"));
        let url = resource
            .properties
            .get("TemplateURL")
            .or_else(|| resource.properties.get("Location"));
        let written = url.map(|node| {
            if let Some(text) = node.as_text() {
                text.to_owned()
            } else {
                let sub = node.call("Fn::Sub");
                let sub =
                    sub.and_then(|it| it.as_text().or_else(|| it.as_list()?.first()?.as_text()));
                sub.map_or_else(
                    || {
                        let value = self.eval(env, node).text();
                        value.map(|expr| self.sample(&expr)).unwrap_or_default()
                    },
                    str::to_owned,
                )
            }
        });
        let keys = [
            written.as_deref(),
            asset.and_then(Node::as_text),
            Some(resource.logical.as_str()),
            written.as_deref().and_then(|url| url.rsplit('/').next()),
        ];
        let nested = &self.options.nested;
        let found = keys.into_iter().flatten().find_map(|key| nested.get(key));
        if let Some((name, text)) = found {
            let origin = Origin::File(name.as_str().into());
            let node = read(text, &origin).and_then(Template::new);
            return node.map_err(|error| Loss::new("template-url", &error.place, error.why));
        }
        let given: Vec<String> = match resource.properties.get("Parameters").map(|it| &it.value) {
            Some(Value::Map(members)) => members.iter().map(|(key, _)| key.text.clone()).collect(),
            Some(Value::List(items)) => items
                .iter()
                .filter_map(|item| item.get("ParameterKey")?.as_text())
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        let given = if given.is_empty() {
            String::new()
        } else {
            format!(", with the parameters {}", given.join(", "))
        };
        let url = written.unwrap_or_else(|| "?".to_owned());
        let why = format!("its template is at {url}{given}");
        let hint = format!("--nested '{url}=FILE' reads it from a file");
        Err(Loss::new("template-url", place, why).hint(hint))
    }

    fn inline_body(&mut self, env: usize, node: &Node) -> Result<Template, Loss> {
        let lost = |error: super::node::Unreadable| {
            Loss::new(
                "document",
                &error.place,
                format!("TemplateBody: {}", error.why),
            )
        };
        if matches!(&node.value, Value::Map(members) if members.iter().any(|(key, _)| key.text == "Resources"))
        {
            return Template::new(node.clone()).map_err(lost);
        }
        let text = match node.as_text() {
            Some(text) => text.to_owned(),
            None => {
                if let Expr::Text(text) = self.eval(env, node).text()? {
                    text
                } else {
                    let why = "TemplateBody is a text with expressions in it";
                    return Err(Loss::new("template-url", &node.place, why));
                }
            }
        };
        let origin = match (&node.place, node.block) {
            (Source::File { file, .. }, Some((line, indent))) => Origin::Block {
                file: file.clone(),
                line,
                indent,
            },
            (place, _) => Origin::At(place.clone()),
        };
        read(&text, &origin).and_then(Template::new).map_err(lost)
    }

    fn stack(&mut self, env: usize, resource: &Resource, sites: &mut Vec<Site>, depth: usize) {
        let title = format!("stack `{}`", resource.logical);
        let template = match self.body(env, resource, depth) {
            Ok(template) => template,
            Err(loss) => {
                return self.lose(&title, &loss, "; what IAM resources it holds is not known");
            }
        };
        let Some(condition) = self.when_of(env, resource, &title) else {
            return;
        };
        let mut site = sites
            .get(env)
            .cloned()
            .unwrap_or_else(|| Site::of(Reach::Asked));
        site.when = Expr::all([site.when, condition]);
        let mut given = BTreeMap::new();
        if let Some(node) = resource.properties.get("Parameters") {
            for (key, value) in node.members() {
                given.insert(key.text.clone(), self.eval(env, value));
            }
        }
        let account = self.account(env);
        let region = self.envs.get(env).map(|env| env.region.clone());
        let env = Env {
            parameters: bound(&template, given),
            template: Rc::new(template),
            account,
            region: region.unwrap_or(Region::Asked(None)),
            stack_name: None,
            is_nested: true,
            output_of: Some((env, resource.logical.clone())),
            copy_of: None,
        };
        self.nested(env, &site, sites, depth);
    }

    fn nested(&mut self, env: Env, site: &Site, sites: &mut Vec<Site>, depth: usize) {
        let index = self.add(env);
        sites.push(site.clone());
        self.nest(index, sites, depth + 1);
        self.copies(index, site, sites);
    }

    /// Adds a copy of the template at an index for each region, where several are given: for what has the region in its
    /// name.
    pub fn copies(&mut self, index: usize, site: &Site, sites: &mut Vec<Site>) {
        if self.options.regions.len() < 2 {
            return;
        }
        for region in self.options.regions.clone() {
            if let Some(env) = self.envs.get(index).cloned() {
                self.envs.push(Env {
                    region: Region::Fixed(region),
                    copy_of: Some(index),
                    output_of: None,
                    ..env
                });
                sites.push(site.clone());
            }
        }
    }

    fn when_of(&mut self, env: usize, resource: &Resource, title: &str) -> Option<Expr> {
        let Some(node) = resource.node.get("Condition") else {
            return Some(Expr::Bool(true));
        };
        match self.condition(env, node) {
            Ok(Expr::Bool(false)) => None,
            Ok(condition) => Some(condition),
            Err(loss) => {
                self.lose(title, &loss, "; its roles are not imported");
                None
            }
        }
    }

    fn stack_set(&mut self, env: usize, resource: &Resource, sites: &mut Vec<Site>, depth: usize) {
        let title = format!("stack set `{}`", resource.logical);
        let template = match self.body(env, resource, depth) {
            Ok(template) => template,
            Err(loss) => {
                return self.lose(&title, &loss, "; what IAM resources it holds is not known");
            }
        };
        let Some(condition) = self.when_of(env, resource, &title) else {
            return;
        };
        let mut given = BTreeMap::new();
        // What the outer template says of its account is said of the account of the stack, wherever it is used.
        let found = self.evaluate_outside(env, |world| {
            if let Some(node) = resource.properties.get("Parameters") {
                let value = world.eval(env, node);
                for (known, item) in value.items(&Known::default()) {
                    let key = item.get("ParameterKey").and_then(|key| key.text().ok());
                    let key = key.as_ref().and_then(Expr::as_text).map(str::to_owned);
                    if let (Some(key), Some(value)) = (key, item.get("ParameterValue")) {
                        given.insert(key, under(&known, value));
                    }
                }
            }
            world.site(env, resource, condition)
        });
        let (site, region) = match found {
            Ok(found) => found,
            Err(loss) => return self.lose(&title, &loss, "; its roles are not imported"),
        };
        let env = Env {
            parameters: bound(&template, given),
            template: Rc::new(template),
            account: Expr::Fact(Fact::AccountId),
            region: Region::Asked(region),
            stack_name: None,
            is_nested: true,
            output_of: None,
            copy_of: None,
        };
        self.nested(env, &site, sites, depth);
    }

    /// Evaluates something of a template as another account sees it.
    fn evaluate_outside<T>(&mut self, env: usize, then: impl FnOnce(&mut Self) -> T) -> T {
        let outside = self.stack_account();
        let swap = |world: &mut Self, account: Expr| {
            world.conditions.clear();
            world
                .envs
                .get_mut(env)
                .map(|env| std::mem::replace(&mut env.account, account))
        };
        let inside = swap(self, outside);
        let found = then(self);
        if let Some(inside) = inside {
            swap(self, inside);
        }
        found
    }

    /// The account that stack sets are made in.
    fn stack_account(&self) -> Expr {
        match self.options.stack_account.as_deref() {
            None | Some("management") => Expr::Fact(Fact::ManagementAccount),
            Some(id) => Expr::text(id),
        }
    }

    /// Where a stack set goes, and in which region, if it is one.
    fn site(
        &mut self,
        env: usize,
        resource: &Resource,
        condition: Expr,
    ) -> Result<(Site, Option<String>), Loss> {
        let place = &resource.place;
        let model = resource
            .properties
            .get("PermissionModel")
            .and_then(Node::as_text);
        let mut site = Site {
            targets: Vec::new(),
            exclude: Vec::new(),
            when: condition,
            many_regions: false,
        };
        // Source: CloudFormation User Guide, StackSets with service-managed permissions never deploy to the management account.
        if model == Some("SERVICE_MANAGED") {
            site.exclude.push(Reach::Management);
        }
        let mut regions: Vec<Expr> = Vec::new();
        let groups = match resource.properties.get("StackInstancesGroup") {
            Some(node) => self.eval(env, node).items(&Known::default()),
            None => Vec::new(),
        };
        let mut has_difference = false;
        for (known, group) in &groups {
            let when = known.condition();
            let lost = |value: &Val| match &value.kind {
                ValKind::Lost(loss) => Some(loss.clone()),
                _ => None,
            };
            if let Some(loss) = lost(group) {
                return Err(loss);
            }
            if let Some(value) = group.get("Regions") {
                regions.push(value.prune(known).texts()?);
            }
            let Some(targets) = group.get("DeploymentTargets") else {
                continue;
            };
            for (known, targets) in targets.branches(known) {
                let when = Expr::all([when.clone(), known.condition()]);
                has_difference |= Self::targets(&targets, &known, &when, &mut site)?;
            }
        }
        if has_difference && groups.len() > 1 {
            let why = "several groups of targets, one of which leaves accounts out";
            return Err(Loss::new("intrinsic", place, why));
        }
        if site.targets.is_empty() {
            // Its instances are made elsewhere.
            site.targets.push(Reach::Asked);
        }
        regions.sort();
        regions.dedup();
        let one = match regions.as_slice() {
            [] => None,
            [region] => {
                if let Some([region]) = region.as_texts().as_deref() {
                    Some((*region).to_owned())
                } else {
                    site.many_regions = true;
                    None
                }
            }
            _ => {
                site.many_regions = true;
                None
            }
        };
        Ok((site, one))
    }

    /// Adds what `DeploymentTargets` says; returns whether accounts are left out of it.
    fn targets(targets: &Val, known: &Known, when: &Expr, site: &mut Site) -> Result<bool, Loss> {
        let list = |name: &str| match targets.get(name) {
            None => Ok(None),
            Some(value) => {
                let value = value.prune(known);
                if value.is_missing() {
                    return Ok(None);
                }
                value.texts().map(Some)
            }
        };
        let (units, accounts) = (list("OrganizationalUnitIds")?, list("Accounts")?);
        if let Some(url) = targets
            .get("AccountsUrl")
            .filter(|value| !value.is_missing())
        {
            let why = "its accounts are listed in a file in S3";
            return Err(Loss::new("template-url", &url.place, why));
        }
        let filter = match targets.get("AccountFilterType") {
            None => Expr::text("NONE"),
            Some(value) => value.prune(known).with_default("NONE")?,
        };
        let is = |what: &str| Expr::equals(filter.clone(), Expr::text(what));
        let mut add = |accounts: Option<&Expr>, units: Option<&Expr>, holds: Expr| {
            let when = Expr::all([when.clone(), holds]);
            let is_empty =
                |expr: Option<&Expr>| matches!(expr, Some(Expr::List(items)) if items.is_empty());
            if when == Expr::Bool(false)
                || (accounts.is_none() && units.is_none())
                || is_empty(accounts)
            {
                return;
            }
            let reach = Reach::Some {
                accounts: accounts.cloned(),
                units: units.cloned(),
                when,
            };
            if !site.targets.contains(&reach) {
                site.targets.push(reach);
            }
        };
        let Some(units) = units.filter(|units| *units != Expr::list([])) else {
            add(accounts.as_ref(), None, Expr::Bool(true));
            return Ok(false);
        };
        let intersection = is("INTERSECTION");
        add(accounts.as_ref(), Some(&units), intersection.clone());
        add(None, Some(&units), Expr::negate(intersection));
        add(accounts.as_ref(), None, is("UNION"));
        let difference = is("DIFFERENCE");
        match (difference, accounts) {
            (Expr::Bool(false), _) | (_, None) => Ok(false),
            (difference, Some(accounts)) => {
                let left_out = within(&difference, accounts);
                let (mut all, mut other) = (Vec::new(), Vec::new());
                for reach in site.exclude.drain(..) {
                    match reach {
                        Reach::Management => all.push(Expr::text("management")),
                        reach => other.push(reach),
                    }
                }
                let mut items: Vec<_> = all.into_iter().map(super::expr::Item::One).collect();
                match left_out {
                    Expr::List(more) => items.extend(more),
                    expr => items.push(super::expr::Item::All(expr)),
                }
                other.push(Reach::Some {
                    accounts: Some(Expr::List(items)),
                    units: None,
                    when: Expr::Bool(true),
                });
                site.exclude = other;
                Ok(true)
            }
        }
    }

    /// An output of a stack in the stack; `None` where its template is not at hand.
    pub fn stack_output(&mut self, env: usize, resource: &Resource, output: &str) -> Option<Val> {
        let of = Some((env, resource.logical.clone()));
        let inner = self.envs.iter().position(|env| env.output_of == of)?;
        let name = output.strip_prefix("Outputs.")?;
        let template = self.template(inner)?;
        let value = template
            .section("Outputs")
            .iter()
            .find(|(key, _)| key.text == name)?
            .1
            .get("Value")?;
        Some(self.eval(inner, value))
    }

    /// Notes what is odd in a template.
    pub fn oddities(&mut self, env: usize) {
        let Some(template) = self.template(env) else {
            return;
        };
        for oddity in &template.oddities {
            let (class, code) = match oddity.lost {
                Some(code) => (Class::Lost, code),
                None => (Class::Left, "not-iam"),
            };
            self.note(class, code, &oddity.place, &oddity.what, oddity.why);
        }
        for (name, place) in &template.transforms {
            if name == "AWS::Include" {
                let loss = Loss::new(
                    "transform",
                    place,
                    "it is put in when the stack is deployed",
                );
                self.lose(
                    "what AWS::Include puts in",
                    &loss,
                    "; what IAM resources it holds is not known",
                );
            } else if !super::role::is_known_transform(name) {
                let what = format!("the macro {name}");
                let why = "it may change the template when the stack is deployed; the template was read as it is";
                let entry = Entry::new(Class::Weaker, "macro", place.clone(), what, why);
                self.entries.push(entry.hint(
                    "import what CloudFormation made: aws cloudformation get-template --stack-name NAME --template-stage Processed",
                ));
            }
        }
        for (key, _) in template.section("Outputs") {
            let why = "a desired state has no outputs; `rolecall output` prints ARNs";
            self.note(Class::Left, "output", &key.place, "an output", why);
        }
    }
}

/// A list, empty where a condition does not hold.
fn within(condition: &Expr, list: Expr) -> Expr {
    match condition {
        Expr::Bool(true) => list,
        condition => {
            let list = match list {
                Expr::If(inner, yes, _) if *inner == *condition => *yes,
                list => list,
            };
            Expr::either(condition.clone(), list, Expr::list([]))
        }
    }
}

/// A value where conditions hold; elsewhere it is missing.
fn under(known: &Known, value: &Val) -> Val {
    match known.condition() {
        Expr::Bool(true) => value.clone(),
        condition => Val::new(
            &value.place,
            ValKind::If(
                condition,
                Box::new(value.clone()),
                Box::new(Val::new(&value.place, ValKind::Missing)),
            ),
        ),
    }
}

/// The values of the parameters that a template has; a text for a list is split.
fn bound(template: &Template, mut given: BTreeMap<String, Val>) -> BTreeMap<String, Val> {
    let mut bound = BTreeMap::new();
    for parameter in &template.parameters {
        let Some(value) = given
            .remove(&parameter.name)
            .filter(|value| !value.is_missing())
        else {
            continue;
        };
        let expr = value
            .one_or_many()
            .map(|expr| match (parameter.shape, expr) {
                (Shape::List, Expr::Text(text)) => {
                    let items = super::parameter::split_list(&text);
                    Expr::list(items.map(Expr::text))
                }
                (Shape::List, expr) if !expr.is_list() => Expr::split(expr, ","),
                (Shape::Text | Shape::Number, expr) if expr.is_list() => Expr::join(expr, ","),
                (_, expr) => expr,
            });
        let value = match expr {
            Ok(expr) => Val::expr(&value.place, expr),
            Err(loss) => Val::lost(loss),
        };
        bound.insert(parameter.name.clone(), value);
    }
    bound
}
