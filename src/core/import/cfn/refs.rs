//! `Ref` and `Fn::GetAtt`: parameters, pseudo parameters, and what other resources are called.
//!
//! Source: CloudFormation User Guide, Pseudo parameters reference; the return values of each resource type; Service
//! Authorization Reference, Resource types (for the ARNs).

use super::super::report::Source;
use super::expr::{Expr, Fact, Unsayable};
use super::node::Node;
use super::template::Resource;
use super::value::{Loss, Val, ValKind};
use super::vars::{Asked, VarKey};
use super::world::{Region, World};

/// What is known of a type of resources: how it is named, and what its ARN is.
struct Known {
    kind: &'static str,
    /// The property that names it.
    name: &'static str,
    /// What `Ref` gives.
    reference: Given,
    /// The attributes that are its name.
    names: &'static [&'static str],
    /// The attributes that are its ARN.
    arns: &'static [&'static str],
    /// Its ARN behind `arn:PARTITION:`, where `R` is the region, `A` the account and `N` the name.
    arn: &'static str,
}

/// What `Ref` gives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Name,
    Arn,
    Other,
}

const fn known(
    kind: &'static str,
    name: &'static str,
    reference: Given,
    names: &'static [&'static str],
    arn: &'static str,
) -> Known {
    Known {
        kind,
        name,
        reference,
        names,
        arns: &["Arn"],
        arn,
    }
}

const KNOWN: &[Known] = &[
    known("AWS::S3::Bucket", "BucketName", Given::Name, &[], "s3:::N"),
    Known {
        arns: &["Arn", "TopicArn"],
        ..known(
            "AWS::SNS::Topic",
            "TopicName",
            Given::Arn,
            &["TopicName"],
            "sns:R:A:N",
        )
    },
    known(
        "AWS::SQS::Queue",
        "QueueName",
        Given::Other,
        &["QueueName"],
        "sqs:R:A:N",
    ),
    known(
        "AWS::Lambda::Function",
        "FunctionName",
        Given::Name,
        &[],
        "lambda:R:A:function:N",
    ),
    known(
        "AWS::Serverless::Function",
        "FunctionName",
        Given::Name,
        &[],
        "lambda:R:A:function:N",
    ),
    known(
        "AWS::Logs::LogGroup",
        "LogGroupName",
        Given::Name,
        &[],
        "logs:R:A:log-group:N:*",
    ),
    known(
        "AWS::DynamoDB::Table",
        "TableName",
        Given::Name,
        &[],
        "dynamodb:R:A:table/N",
    ),
    known(
        "AWS::Events::EventBus",
        "Name",
        Given::Name,
        &["Name"],
        "events:R:A:event-bus/N",
    ),
];

impl World<'_> {
    /// `Ref`
    ///
    /// # Errors
    /// Nothing is called so.
    pub fn reference(&mut self, env: usize, name: &str, place: &Source) -> Result<Val, Loss> {
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return self.pseudo(env, pseudo, place);
        }
        let parameter = self.envs.get(env).and_then(|env| env.parameters.get(name));
        if let Some(value) = parameter.cloned() {
            if let ValKind::Expr(expr) = &value.kind {
                self.spend(expr.size(), place)?;
            }
            return Ok(Val {
                place: place.clone(),
                ..value
            });
        }
        self.attribute(env, name, None, place)
    }

    fn pseudo(&mut self, env: usize, name: &str, place: &Source) -> Result<Val, Loss> {
        let expr = match name {
            "NoValue" => return Ok(Val::new(place, ValKind::Missing)),
            "AccountId" => self.account(env),
            "Partition" => Expr::Fact(Fact::Partition),
            "Region" => self.region(env, place),
            "StackName" => self.stack_name(env, place),
            "StackId" => Expr::Unsayable(Unsayable::StackId),
            "URLSuffix" => {
                let china = Expr::equals(Expr::Fact(Fact::Partition), Expr::text("aws-cn"));
                Expr::either(
                    china,
                    Expr::text("amazonaws.com.cn"),
                    Expr::text("amazonaws.com"),
                )
            }
            name => {
                let why = format!("only the deployed stack knows `AWS::{name}`");
                return Err(Loss::new("reference", place, why));
            }
        };
        Ok(Val::expr(place, expr))
    }

    fn region(&mut self, env: usize, place: &Source) -> Expr {
        let default = match self.envs.get(env).map(|env| env.region.clone()) {
            Some(Region::Fixed(region)) => return Expr::text(region),
            Some(Region::Asked(default)) => default,
            None => None,
        };
        let asked = Asked {
            code: Some("region"),
            place: place.clone(),
            what: "the region of the stack".to_owned(),
            why: "the region, as AWS::Region is".to_owned(),
            hint: Some("--region REGION gives it".to_owned()),
            from: "AWS::Region".to_owned(),
            kind: "string",
            value: default.clone().map(Into::into),
            sensitive: false,
        };
        self.ask(VarKey::Region(default), "region", asked)
    }

    fn stack_name(&mut self, env: usize, place: &Source) -> Expr {
        let name = self.envs.get(env).and_then(|env| env.stack_name.clone());
        let asked = Asked {
            code: Some("stack-name"),
            place: place.clone(),
            what: "the name of the stack".to_owned(),
            why: "the name of the stack".to_owned(),
            hint: Some("--stack-name NAME gives it".to_owned()),
            from: "AWS::StackName".to_owned(),
            kind: "string",
            value: name.map(Into::into),
            sensitive: false,
        };
        self.ask(VarKey::StackName(env), "stack_name", asked)
    }

    /// `Fn::GetAtt`, or `Ref` where `attribute` is `None`, of a resource.
    ///
    /// # Errors
    /// There is no such resource.
    pub fn attribute(
        &mut self,
        env: usize,
        logical: &str,
        attribute: Option<&str>,
        place: &Source,
    ) -> Result<Val, Loss> {
        self.spend(1, place)?;
        self.descend(place, |world| {
            let template = world.template(env);
            let resource = template.as_ref().and_then(|it| it.resource(logical));
            match resource {
                Some(resource) => world.of_resource(env, resource, attribute, place),
                None if attribute.is_some() && world.is_parameter(env, logical) => {
                    let why = format!("`{logical}` is a parameter, which has no attributes");
                    Err(Loss::new("reference", place, why))
                }
                None => {
                    let why = format!("there is no parameter or resource `{logical}`");
                    Err(Loss::new("reference", place, why))
                }
            }
        })
    }

    fn is_parameter(&self, env: usize, name: &str) -> bool {
        self.envs
            .get(env)
            .is_some_and(|env| env.parameters.contains_key(name))
    }

    fn of_resource(
        &mut self,
        env: usize,
        resource: &Resource,
        attribute: Option<&str>,
        place: &Source,
    ) -> Result<Val, Loss> {
        let text = |expr: Expr| Ok(Val::expr(place, expr));
        let kind = resource.kind.as_str();
        match (kind, attribute) {
            ("AWS::IAM::Role", None) => text(self.role_name(env, resource)?),
            ("AWS::IAM::Role", Some("Arn")) => text(self.role_arn(env, resource)?),
            ("AWS::IAM::ManagedPolicy", None | Some("PolicyArn")) => {
                text(self.policy_arn(env, resource)?)
            }
            ("AWS::IAM::InstanceProfile" | "AWS::IAM::User" | "AWS::IAM::Group", None) => {
                text(self.iam_name(env, resource)?)
            }
            ("AWS::IAM::InstanceProfile" | "AWS::IAM::User" | "AWS::IAM::Group", Some("Arn")) => {
                let name = self.iam_name(env, resource)?;
                let path = self.path(env, resource)?;
                let word = match kind {
                    "AWS::IAM::InstanceProfile" => "instance-profile",
                    "AWS::IAM::User" => "user",
                    _ => "group",
                };
                text(self.iam_arn(env, word, [path, name]))
            }
            ("AWS::IAM::OIDCProvider", None | Some("Arn")) => {
                match self.property(env, resource, "Url")? {
                    Some(Expr::Text(url)) => {
                        let host = url.strip_prefix("https://").unwrap_or(&url);
                        let host = Expr::text(host.trim_end_matches('/'));
                        text(self.iam_arn(env, "oidc-provider/", [host, Expr::text("")]))
                    }
                    Some(Expr::Concat(mut parts)) => {
                        if let Some(Expr::Text(first)) = parts.first_mut()
                            && let Some(rest) = first.strip_prefix("https://")
                        {
                            *first = rest.to_owned();
                        }
                        let host = Expr::concat(parts);
                        text(self.iam_arn(env, "oidc-provider/", [host, Expr::text("")]))
                    }
                    _ => text(self.asked(env, resource, attribute, place)),
                }
            }
            ("AWS::IAM::SAMLProvider", None | Some("Arn")) => {
                match self.property(env, resource, "Name")? {
                    Some(name) => text(self.iam_arn(env, "saml-provider/", [name, Expr::text("")])),
                    None => text(self.asked(env, resource, attribute, place)),
                }
            }
            ("Custom::AWSCDKCfnJson", Some("Value")) => match resource.properties.get("Value") {
                Some(node) => Ok(self.eval(env, node)),
                None => text(self.asked(env, resource, attribute, place)),
            },
            ("AWS::CloudFormation::Stack", Some(output)) if output.starts_with("Outputs.") => {
                match self.stack_output(env, resource, output) {
                    Some(value) => Ok(value),
                    None => text(self.asked(env, resource, attribute, place)),
                }
            }
            _ => self.other(env, resource, attribute, place).and_then(text),
        }
    }

    /// What is known of a resource that is not one of IAM.
    fn other(
        &mut self,
        env: usize,
        resource: &Resource,
        attribute: Option<&str>,
        place: &Source,
    ) -> Result<Expr, Loss> {
        let Some(known) = KNOWN.iter().find(|known| known.kind == resource.kind) else {
            return Ok(self.asked(env, resource, attribute, place));
        };
        let Some(name) = self.property(env, resource, known.name)? else {
            return Ok(self.asked(env, resource, attribute, place));
        };
        let given = match attribute {
            None => known.reference,
            Some(attribute) if known.names.contains(&attribute) => Given::Name,
            Some(attribute) if known.arns.contains(&attribute) => Given::Arn,
            Some(_) => Given::Other,
        };
        match given {
            Given::Name => Ok(name),
            Given::Other => Ok(self.asked(env, resource, attribute, place)),
            Given::Arn => {
                let mut parts = vec![
                    Expr::text("arn:"),
                    Expr::Fact(Fact::Partition),
                    Expr::text(":"),
                ];
                for (at, field) in known.arn.split(':').enumerate() {
                    if at > 0 {
                        parts.push(Expr::text(":"));
                    }
                    match field {
                        "R" => parts.push(self.region(env, place)),
                        "A" => parts.push(self.account(env)),
                        field => match field.strip_suffix('N') {
                            Some(before) => {
                                parts.push(Expr::text(before));
                                parts.push(name.clone());
                            }
                            None => parts.push(Expr::text(field)),
                        },
                    }
                }
                Ok(Expr::concat(parts))
            }
        }
    }

    /// A variable for an attribute that only the deployed stack knows.
    fn asked(
        &mut self,
        env: usize,
        resource: &Resource,
        attribute: Option<&str>,
        place: &Source,
    ) -> Expr {
        let template = self.template(env);
        let plain = template
            .as_ref()
            .map_or(resource.logical.as_str(), |it| it.plain(&resource.logical));
        let word = match attribute {
            None => "id".to_owned(),
            Some("Arn") => "arn".to_owned(),
            Some(other) => other.replace('.', "_"),
        };
        let written = attribute.map_or_else(
            || format!("!Ref {}", resource.logical),
            |attribute| format!("{}.{attribute}", resource.logical),
        );
        let asked = Asked {
            code: Some("attribute"),
            place: place.clone(),
            what: format!("`{written}`, an attribute of the {}", resource.kind),
            why: "the value that it has in the deployed stack".to_owned(),
            hint: None,
            from: written,
            kind: "string",
            value: None,
            sensitive: false,
        };
        let key = VarKey::Attribute(
            env,
            resource.logical.clone(),
            attribute.unwrap_or_default().to_owned(),
        );
        self.ask(key, &format!("{plain}_{word}"), asked)
    }

    /// A property that is one text; `None` where it is missing, in some branch at least.
    ///
    /// # Errors
    /// It is lost.
    pub fn property(
        &mut self,
        env: usize,
        resource: &Resource,
        name: &str,
    ) -> Result<Option<Expr>, Loss> {
        match resource.properties.get(name) {
            None => Ok(None),
            Some(node) => {
                let value = self.eval(env, node);
                if value.may_be_missing() {
                    return Ok(None);
                }
                value.text().map(Some)
            }
        }
    }

    /// The name of a role; a variable where CloudFormation made it up.
    ///
    /// # Errors
    /// It is lost.
    pub fn role_name(&mut self, env: usize, resource: &Resource) -> Result<Expr, Loss> {
        self.name_of(env, resource, "RoleName", "role")
    }

    /// The name of a managed policy; a variable where CloudFormation made it up.
    ///
    /// # Errors
    /// It is lost.
    pub fn policy_name(&mut self, env: usize, resource: &Resource) -> Result<Expr, Loss> {
        self.name_of(env, resource, "ManagedPolicyName", "managed policy")
    }

    fn iam_name(&mut self, env: usize, resource: &Resource) -> Result<Expr, Loss> {
        let (property, word) = match resource.kind.as_str() {
            "AWS::IAM::InstanceProfile" => ("InstanceProfileName", "instance profile"),
            "AWS::IAM::User" => ("UserName", "user"),
            _ => ("GroupName", "group"),
        };
        self.name_of(env, resource, property, word)
    }

    fn name_of(
        &mut self,
        env: usize,
        resource: &Resource,
        property: &str,
        word: &str,
    ) -> Result<Expr, Loss> {
        let logical = &resource.logical;
        if let Some(name) = self.options.role_names.get(logical) {
            return Ok(Expr::text(name));
        }
        let value = match resource.properties.get(property) {
            Some(node) => self.eval(env, node),
            None => Val::new(&resource.place, ValKind::Missing),
        };
        if !value.may_be_missing() {
            return value.text();
        }
        let template = self.template(env);
        let plain = template
            .as_ref()
            .map_or(logical.as_str(), |it| it.plain(logical));
        let asked = Asked {
            code: Some("name"),
            place: resource.place.clone(),
            what: format!("{word} `{logical}` has no {property}"),
            why: format!(
                "the name it has (tag aws:cloudformation:logical-id = {logical}), or --role-name {logical}=NAME"
            ),
            hint: None,
            from: format!("{word} `{logical}`"),
            kind: "string",
            value: None,
            sensitive: false,
        };
        let key = VarKey::Name(env, logical.clone());
        let made_up = self.ask(key, &format!("{plain}_name"), asked);
        named(&value, &made_up)
    }

    /// The path of a role, user or policy.
    ///
    /// # Errors
    /// It is lost.
    pub fn path(&mut self, env: usize, resource: &Resource) -> Result<Expr, Loss> {
        match resource.properties.get("Path") {
            None => Ok(Expr::text("/")),
            Some(node) => named(&self.eval(env, node), &Expr::text("/")),
        }
    }

    fn role_arn(&mut self, env: usize, resource: &Resource) -> Result<Expr, Loss> {
        let (path, name) = (self.path(env, resource)?, self.role_name(env, resource)?);
        Ok(self.iam_arn(env, "role", [path, name]))
    }

    /// The ARN of a managed policy.
    ///
    /// # Errors
    /// Its name or its path is lost.
    pub fn policy_arn(&mut self, env: usize, resource: &Resource) -> Result<Expr, Loss> {
        let (path, name) = (self.path(env, resource)?, self.policy_name(env, resource)?);
        Ok(self.iam_arn(env, "policy", [path, name]))
    }

    fn iam_arn(&mut self, env: usize, word: &str, [path, name]: [Expr; 2]) -> Expr {
        Expr::concat([
            Expr::text("arn:"),
            Expr::Fact(Fact::Partition),
            Expr::text(":iam::"),
            self.account(env),
            Expr::text(format!(":{word}")),
            path,
            name,
        ])
    }

    /// What a role's `RoleId` stands for as a principal: IAM shows the role's ARN.
    ///
    /// Source: IAM User Guide, AWS JSON policy elements: Principal, IAM role principals.
    pub fn principal(&mut self, expr: Expr) -> Expr {
        let Some(VarKey::Attribute(env, logical, attribute)) = self.key_of(&expr).cloned() else {
            return expr;
        };
        let template = self.template(env);
        match template.as_ref().and_then(|it| it.resource(&logical)) {
            Some(role) if role.kind == "AWS::IAM::Role" && attribute == "RoleId" => {
                self.role_arn(env, role).unwrap_or(expr)
            }
            _ => expr,
        }
    }
}

/// A text, with another one where it is missing.
fn named(value: &Val, otherwise: &Expr) -> Result<Expr, Loss> {
    match &value.kind {
        ValKind::Missing => Ok(otherwise.clone()),
        ValKind::If(condition, yes, no) => Ok(Expr::either(
            condition.clone(),
            named(yes, otherwise)?,
            named(no, otherwise)?,
        )),
        _ => value.text(),
    }
}

/// The logical ids that a node names, by `Ref`, `Fn::GetAtt` and `Fn::Sub`.
pub fn named_in(node: &Node, found: &mut std::collections::BTreeSet<String>) {
    use super::node::Value;
    match &node.value {
        Value::Null | Value::Text(_) => {}
        Value::List(items) => items.iter().for_each(|item| named_in(item, found)),
        Value::Map(members) => {
            for (key, value) in members {
                let first = |text: &str| text.split('.').next().unwrap_or_default().to_owned();
                match key.text.as_str() {
                    "Ref" => found.extend(value.as_text().map(str::to_owned)),
                    "Fn::GetAtt" => {
                        let text = value.as_text();
                        let text = text.or_else(|| value.as_list()?.first()?.as_text());
                        found.extend(text.map(first));
                    }
                    "Fn::Sub" => {
                        let text = value.as_text();
                        let text = text.or_else(|| value.as_list()?.first()?.as_text());
                        let mut rest = text.unwrap_or_default();
                        while let Some((name, after)) = rest
                            .split_once("${")
                            .and_then(|(_, rest)| rest.split_once('}'))
                        {
                            found.insert(first(name));
                            rest = after;
                        }
                        named_in(value, found);
                    }
                    _ => named_in(value, found),
                }
            }
        }
    }
}
