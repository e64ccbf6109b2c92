//! States and plans of Terraform and `OpenTofu` become a draft.
//!
//! A state says what is in each account, so it is [`observed`](super::observed) and folded like live IAM. What several
//! resources say of one role, its policies and attachments, is put together first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cfn;
use super::draft::{Draft, Selector};
use super::live::fold::{Folding, Units, fold};
use super::observed::{Observed, ObservedPolicy, ObservedRole};
use super::report::{Class, Entry, Source};
use crate::org::{AccountId, Partition};
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::protected::known_owner;
use account::Accounts;
use read::Instance;

mod account;
mod read;
#[cfg(test)]
mod tests;

/// What a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Accounts by the alias of a provider.
    pub accounts: BTreeMap<String, String>,
}

/// An import.
#[derive(Debug)]
pub struct Imported {
    /// The desired state.
    pub draft: Draft,
    /// What was not taken over as it is.
    pub entries: Vec<Entry>,
    /// The addresses of the resources that were, without indexes.
    pub addresses: Vec<String>,
}

/// Imports states: names of files, and their texts.
///
/// # Errors
/// The files that are not states, and why.
pub fn import(
    inputs: &[(String, String)],
    name: &str,
    options: &Options,
) -> Result<Imported, Vec<(String, String)>> {
    let (mut instances, mut wrong) = (Vec::new(), Vec::new());
    for (file, text) in inputs {
        match read::read(text) {
            Ok(found) => instances.extend(found),
            Err(why) => wrong.push((file.clone(), why)),
        }
    }
    let accounts = match Accounts::of(&instances, &options.accounts) {
        Ok(accounts) if wrong.is_empty() => accounts,
        Ok(_) => return Err(wrong),
        Err(why) => {
            wrong.push(("the command line".to_owned(), why));
            return Err(wrong);
        }
    };
    let mut reading = Reading {
        accounts,
        roles: BTreeMap::new(),
        policies: BTreeMap::new(),
        entries: Vec::new(),
        addresses: BTreeSet::new(),
    };
    reading.resources(&instances);
    let partition = reading.partition();
    let observed = reading.observed();
    let folding = Folding {
        organization: None,
        units: Units::Never,
        partition: &partition,
    };
    let mut draft = fold(name, &observed, folding);
    reading.stacks(&instances, &mut draft);
    Ok(Imported {
        draft,
        entries: reading.entries,
        addresses: reading.addresses.into_iter().collect(),
    })
}

/// A role, with what other resources add to it.
struct Role {
    role: ObservedRole,
    arn: String,
}

struct Reading {
    accounts: Accounts,
    /// By account and lower-cased name.
    roles: BTreeMap<(AccountId, String), Role>,
    policies: BTreeMap<(AccountId, String), ObservedPolicy>,
    entries: Vec<Entry>,
    addresses: BTreeSet<String>,
}

const NAMELESS: &str = "its name is not in the state, or only known once the plan is applied";

/// The types of AWS's IAM that are not imported.
fn is_other_iam(kind: &str) -> bool {
    kind.starts_with("aws_iam_")
}

impl Reading {
    fn note(&mut self, class: Class, code: &'static str, of: &Instance, why: impl Into<String>) {
        let source = Source::Address(of.address.clone());
        self.entries
            .push(Entry::new(class, code, source, &of.kind, why));
    }

    fn lose(&mut self, code: &'static str, of: &Instance, what: String, why: impl Into<String>) {
        let source = Source::Address(of.address.clone());
        self.entries
            .push(Entry::new(Class::Lost, code, source, what, why));
    }

    fn resources(&mut self, instances: &[Instance]) {
        let (taken, aside): (Vec<&Instance>, Vec<&Instance>) =
            instances.iter().partition(|it| it.aside.is_none());
        for instance in aside {
            self.note(
                Class::Left,
                "not-iam",
                instance,
                instance.aside.unwrap_or_default(),
            );
        }
        for instance in &taken {
            match instance.kind.as_str() {
                "aws_iam_role" => self.role(instance),
                "aws_iam_policy" => self.policy(instance),
                _ => {}
            }
        }
        for instance in &taken {
            match instance.kind.as_str() {
                // Read before, or by itself.
                "aws_iam_role"
                | "aws_iam_policy"
                | "aws_iam_role_policies_exclusive"
                | "aws_cloudformation_stack_set"
                | "aws_cloudformation_stack"
                | "aws_cloudformation_stack_set_instance"
                | "aws_cloudformation_stack_instances" => {}
                "aws_iam_role_policy" => self.role_policy(instance),
                "aws_iam_role_policy_attachment" => {
                    let arns = instance.text("policy_arn").map(str::to_owned);
                    self.attach(instance, instance.text("role"), arns.into_iter().collect());
                }
                "aws_iam_role_policy_attachments_exclusive" => {
                    let arns = instance.texts("policy_arns").unwrap_or_default();
                    self.attach(instance, instance.text("role_name"), arns);
                }
                "aws_iam_policy_attachment" => {
                    let arn: Vec<String> = instance
                        .text("policy_arn")
                        .map(str::to_owned)
                        .into_iter()
                        .collect();
                    for role in instance.texts("roles").unwrap_or_default() {
                        self.attach(instance, Some(&role), arn.clone());
                    }
                    for others in ["users", "groups"] {
                        if instance
                            .texts(others)
                            .is_some_and(|names| !names.is_empty())
                        {
                            let why = format!("its {others} are not imported");
                            self.note(Class::Left, "iam-type", instance, why);
                        }
                    }
                }
                kind if is_other_iam(kind) => {
                    let why = "a desired state holds roles and their policies";
                    self.note(Class::Left, "iam-type", instance, why);
                }
                kind
                @ ("awscc_iam_role" | "awscc_iam_managed_policy" | "awscc_iam_role_policy") => {
                    let why = "resources of the provider awscc are not read; `rolecall import live` finds what they made";
                    self.lose("reference", instance, kind.to_owned(), why);
                }
                kind if kind.starts_with("awscc_iam_") => {
                    let why = "a desired state holds roles and their policies";
                    self.note(Class::Left, "iam-type", instance, why);
                }
                _ => self.note(
                    Class::Left,
                    "not-iam",
                    instance,
                    "it is not a resource of IAM",
                ),
            }
        }
        // What is listed as exclusive has its document elsewhere.
        for instance in taken
            .iter()
            .filter(|it| it.kind == "aws_iam_role_policies_exclusive")
        {
            self.exclusive_policies(instance);
        }
    }

    /// The account of a resource; where it is not certain, that is noted.
    fn account(
        &mut self,
        instance: &Instance,
        role: Option<&str>,
        what: &str,
    ) -> Option<AccountId> {
        match self.accounts.find(instance, role) {
            Ok(account) => Some(account),
            Err(possible) => {
                let possible: Vec<&str> = possible.iter().map(AccountId::as_str).collect();
                let why = if possible.is_empty() {
                    "nothing says which account it is in".to_owned()
                } else {
                    format!("it may be in any of the accounts {}", possible.join(", "))
                };
                let source = Source::Address(instance.address.clone());
                let entry = Entry::new(Class::Lost, "reference", source, what, why);
                self.entries
                    .push(entry.hint("--account ALIAS=ID gives the account of a provider's alias"));
                None
            }
        }
    }

    /// A document in an attribute; why it is lost, where it cannot be read.
    fn document(instance: &Instance, name: &str) -> Result<Value, &'static str> {
        if instance.unknown.iter().any(|it| it == name) {
            return Err("it is only known once the plan is applied");
        }
        let text = instance.text(name).ok_or("it is missing")?;
        serde_json::from_str(text).map_err(|_| "it is not JSON")
    }

    fn role(&mut self, instance: &Instance) {
        let Some(name) = instance.text("name").map(str::to_owned) else {
            return self.lose("reference", instance, "a role".to_owned(), NAMELESS);
        };
        let what = format!("role `{name}`");
        let path = instance.text("path").unwrap_or("/").to_owned();
        if let Some(why) = known_owner(&name, &path) {
            let why = format!("{why}, so a plan would always refuse to write it");
            return self.note(Class::Left, "protected", instance, why);
        }
        let trust = match Self::document(instance, "assume_role_policy") {
            Ok(trust) => trust,
            Err(why) => {
                let why = format!("its trust policy is lost, so it is not imported: {why}");
                return self.lose("document", instance, what, why);
            }
        };
        let Some(account) = self.account(instance, None, &what) else {
            return;
        };
        let secret = |name: &str| instance.is_sensitive(name);
        let unknown = |name: &str| instance.unknown.iter().any(|it| it == name);
        let text = |reading: &mut Self, name: &str| {
            if secret(name) || unknown(name) {
                let why = if secret(name) {
                    "the state marks it as sensitive, so it is not managed"
                } else {
                    "it is only known once the plan is applied, so it is not managed"
                };
                reading.lose("document", instance, format!("`{name}` of {what}"), why);
                return None;
            }
            Some(instance.text(name).unwrap_or_default().to_owned())
        };
        let description = text(self, "description");
        let boundary = text(self, "permissions_boundary");
        let tags = if secret("tags_all") || secret("tags") {
            text(
                self,
                if secret("tags_all") {
                    "tags_all"
                } else {
                    "tags"
                },
            );
            BTreeMap::new()
        } else {
            tags(instance)
        };
        let duration = instance.attributes.get("max_session_duration");
        let duration = duration
            .and_then(Value::as_u64)
            .and_then(|it| u32::try_from(it).ok());
        let mut lacks_inline = false;
        let inline = self.inline(instance, &what, &mut lacks_inline);
        let mut sensitive = BTreeSet::new();
        if instance.is_sensitive("assume_role_policy") {
            sensitive.insert("trust".to_owned());
        }
        if instance.is_sensitive("inline_policy") {
            let names = inline.iter().flatten();
            sensitive.extend(names.map(|(name, _)| format!("inline/{name}")));
        }
        let key = (account, name.to_ascii_lowercase());
        if let Some(known) = self.roles.get(&key) {
            let why = format!("{} is the same role", known.role.source);
            return self.lose("same-name", instance, what, why);
        }
        self.addresses.insert(instance.whole.clone());
        let arn = instance.text("arn").map_or_else(
            || format!("arn:aws:iam::{account}:role{path}{name}"),
            str::to_owned,
        );
        self.roles.insert(
            key,
            Role {
                arn,
                role: ObservedRole {
                    source: Source::Address(instance.address.clone()),
                    name,
                    path,
                    description,
                    max_session_duration: duration,
                    permissions_boundary: boundary,
                    managed_policies: instance.texts("managed_policy_arns"),
                    inline_policies: inline,
                    lacks_managed: false,
                    lacks_inline,
                    trust,
                    tags,
                    group: None,
                    sensitive,
                    external: false,
                },
            },
        );
    }

    /// The inline policies that a role's own resource tells; `[{}]` means none.
    fn inline(
        &mut self,
        instance: &Instance,
        what: &str,
        lacks: &mut bool,
    ) -> Option<BTreeMap<String, Value>> {
        let blocks = instance.attributes.get("inline_policy")?.as_array()?;
        let mut policies = BTreeMap::new();
        for block in blocks {
            let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
            let (name, policy) = (text("name"), text("policy"));
            if name.is_empty() && policy.is_empty() {
                continue;
            }
            if let Ok(policy) = serde_json::from_str(policy) {
                policies.insert(name.to_owned(), policy);
            } else {
                *lacks = true;
                let what = format!("inline policy `{name}` of {what}");
                self.lose("document", instance, what, "it is not JSON");
            }
        }
        Some(policies)
    }

    fn policy(&mut self, instance: &Instance) {
        let Some(name) = instance.text("name").map(str::to_owned) else {
            return self.lose("reference", instance, "a policy".to_owned(), NAMELESS);
        };
        let what = format!("managed policy `{name}`");
        let is_secret = instance.is_sensitive("policy");
        let document = match Self::document(instance, "policy") {
            Ok(document) => document,
            Err(why) => {
                let why = format!("its document is lost, so it is not imported: {why}");
                return self.lose("document", instance, what, why);
            }
        };
        let Some(account) = self.account(instance, None, &what) else {
            return;
        };
        let key = (account, name.to_ascii_lowercase());
        if let Some(known) = self.policies.get(&key) {
            let why = format!("{} is the same policy", known.source);
            return self.lose("same-name", instance, what, why);
        }
        self.addresses.insert(instance.whole.clone());
        self.policies.insert(
            key,
            ObservedPolicy {
                source: Source::Address(instance.address.clone()),
                name,
                path: instance.text("path").unwrap_or("/").to_owned(),
                description: instance.text("description").map(str::to_owned),
                document,
                sensitive: is_secret,
                tags: tags(instance),
            },
        );
    }

    /// The role that a resource adds to; where there is none, that is noted.
    fn of_role(
        &mut self,
        instance: &Instance,
        role: Option<&str>,
        what: &str,
    ) -> Option<&mut Role> {
        let Some(role) = role else {
            let why = "the role is only known once the plan is applied";
            self.lose("reference", instance, what.to_owned(), why);
            return None;
        };
        // A module may give the ARN where the name is meant.
        let role = role.rsplit('/').next().unwrap_or(role).to_owned();
        let account = self.account(instance, Some(&role), what)?;
        let key = (account, role.to_ascii_lowercase());
        if !self.roles.contains_key(&key) {
            let why = format!(
                "it adds to the role `{role}` of account {account}, which these states do not have or which is lost"
            );
            self.lose("fragment", instance, what.to_owned(), why);
            return None;
        }
        self.addresses.insert(instance.whole.clone());
        self.roles.get_mut(&key)
    }

    fn role_policy(&mut self, instance: &Instance) {
        let name = instance.text("name").unwrap_or_default().to_owned();
        let what = format!("inline policy `{name}`");
        let is_secret = instance.is_sensitive("policy");
        let document = Self::document(instance, "policy");
        let Some(role) = self.of_role(instance, instance.text("role"), &what) else {
            return;
        };
        let policies = role.role.inline_policies.get_or_insert_default();
        match document {
            Ok(document) => {
                if is_secret {
                    role.role.sensitive.insert(format!("inline/{name}"));
                }
                let before = policies.insert(name, document.clone());
                let of = role.role.name.clone();
                if before.is_some_and(|before| !is_same(&before, &document)) {
                    let source = Source::Address(instance.address.clone());
                    let what = format!("{what} of role `{of}`");
                    let why =
                        "the role's own resource has another document for it; this one is imported";
                    self.entries
                        .push(Entry::new(Class::Weaker, "conflict", source, what, why));
                }
            }
            Err(why) => {
                policies.remove(&name);
                role.role.lacks_inline = true;
                let what = format!("{what} of role `{}`", role.role.name);
                self.lose("document", instance, what, why);
            }
        }
    }

    fn exclusive_policies(&mut self, instance: &Instance) {
        let names = instance.texts("policy_names").unwrap_or_default();
        let what = "the exclusive inline policies of a role".to_owned();
        let Some(role) = self.of_role(instance, instance.text("role_name"), &what) else {
            return;
        };
        let known = role.role.inline_policies.get_or_insert_default();
        let missing: Vec<String> = names
            .into_iter()
            .filter(|name| !known.contains_key(name))
            .collect();
        let of = role.role.name.clone();
        role.role.lacks_inline |= !missing.is_empty();
        for name in missing {
            let what = format!("inline policy `{name}` of role `{of}`");
            let why = "it is listed as exclusive, and no resource has its document";
            self.lose("reference", instance, what, why);
        }
    }

    fn attach(&mut self, instance: &Instance, role: Option<&str>, arns: Vec<String>) {
        let what = match arns.first() {
            Some(arn) => format!("the attachment of `{arn}`"),
            None => "the attachments of a role".to_owned(),
        };
        let is_unknown = instance
            .unknown
            .iter()
            .any(|it| it.starts_with("policy_arn"));
        let Some(role) = self.of_role(instance, role, &what) else {
            return;
        };
        let attached = role.role.managed_policies.get_or_insert_default();
        for arn in arns {
            if !attached.contains(&arn) {
                attached.push(arn);
            }
        }
        if is_unknown {
            role.role.lacks_managed = true;
            let what = format!("an attached policy of role `{}`", role.role.name);
            let why = "its ARN is only known once the plan is applied";
            self.lose("reference", instance, what, why);
        }
    }

    fn partition(&self) -> Partition {
        let mut arns = self.roles.values().map(|role| role.arn.as_str());
        let partition = arns.find_map(|arn| arn.split(':').nth(1));
        partition.map_or_else(Partition::default, |text| Partition(text.to_owned()))
    }

    fn observed(&self) -> Observed {
        let mut observed = Observed::default();
        for ((account, _), Role { role, .. }) in &self.roles {
            let seen = observed.accounts.entry(*account).or_default();
            seen.roles.push(role.clone());
        }
        for ((account, _), policy) in &self.policies {
            let seen = observed.accounts.entry(*account).or_default();
            seen.policies.push(policy.clone());
        }
        observed
    }

    /// Templates in the state: their roles are those of `CloudFormation`.
    fn stacks(&mut self, instances: &[Instance], draft: &mut Draft) {
        for instance in instances.iter().filter(|it| it.aside.is_none()) {
            let is_set = instance.kind == "aws_cloudformation_stack_set";
            if !is_set && instance.kind != "aws_cloudformation_stack" {
                continue;
            }
            let Some(body) = instance.text("template_body") else {
                let url = instance.text("template_url").unwrap_or("?");
                let why =
                    format!("its template is at {url}; what IAM resources it holds is not known");
                self.lose("template-url", instance, instance.kind.clone(), why);
                continue;
            };
            let name = instance.text("name").map(str::to_owned);
            let targets = if is_set {
                set_targets(instance, instances)
            } else {
                let account =
                    self.account(instance, None, &format!("stack `{}`", instance.address));
                let Some(account) = account else { continue };
                vec![Selector::accounts([account.as_str()])]
            };
            let parameters = instance
                .attributes
                .get("parameters")
                .and_then(Value::as_object);
            let given = parameters.into_iter().flatten();
            let options = cfn::Options {
                parameters: given
                    .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                    .collect(),
                resolve: true,
                targets,
                ..cfn::Options::default()
            };
            let input = cfn::Input {
                file: instance.address.clone(),
                text: body.to_owned(),
                stack_name: name,
                ..cfn::Input::default()
            };
            match cfn::import(&[input], &options) {
                Ok((inner, entries)) => {
                    self.entries.extend(entries);
                    self.join(instance, inner, draft);
                }
                Err(problems) => {
                    for problem in problems {
                        self.lose("document", instance, instance.kind.clone(), problem.why);
                    }
                }
            }
        }
    }

    fn join(&mut self, instance: &Instance, inner: Draft, draft: &mut Draft) {
        let clash = inner
            .variables
            .iter()
            .find(|new| draft.variables.iter().any(|it| it.name == new.name));
        if let Some(clash) = clash {
            let why = format!(
                "its variable `{}` is also one of another resource: import the template by itself",
                clash.name
            );
            return self.lose("reference", instance, instance.kind.clone(), why);
        }
        let Draft {
            variables,
            policies,
            roles,
            checks,
            ..
        } = inner;
        draft.variables.extend(variables);
        draft.policies.extend(policies);
        draft.roles.extend(roles);
        draft.checks.extend(checks);
    }
}

/// Where the instances of a stack set say that it goes.
fn set_targets(set: &Instance, instances: &[Instance]) -> Vec<Selector> {
    let name = set.text("name");
    let is_of = |it: &&Instance| {
        it.aside.is_none()
            && it.kind.starts_with("aws_cloudformation_stack")
            && it.text("stack_set_name") == name
    };
    let mut selectors: Vec<Selector> = Vec::new();
    for instance in instances.iter().filter(is_of) {
        let targets = instance.attributes.get("deployment_targets");
        let targets = targets.and_then(Value::as_array).and_then(|it| it.first());
        let texts = |of: Option<&Value>, name: &str| -> Vec<String> {
            let items = of.and_then(|it| it.get(name)).and_then(Value::as_array);
            let items = items.into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let units = texts(targets, "organizational_unit_ids");
        let mut accounts = texts(targets, "accounts");
        accounts.extend(instance.texts("accounts").unwrap_or_default());
        accounts.extend(
            instance
                .text("account_id")
                .filter(|_| units.is_empty())
                .map(str::to_owned),
        );
        let selector = Selector {
            account: if units.is_empty() {
                accounts.into_iter().map(Into::into).collect()
            } else {
                Vec::new()
            },
            ou: units.into_iter().map(Into::into).collect(),
            when: None,
        };
        let is_empty = selector.account.is_empty() && selector.ou.is_empty();
        if !is_empty && !selectors.contains(&selector) {
            selectors.push(selector);
        }
    }
    selectors
}

/// The tags of a resource, default tags of the provider included.
fn tags(instance: &Instance) -> BTreeMap<String, String> {
    let all = instance
        .attributes
        .get("tags_all")
        .filter(|tags| tags.is_object());
    let tags = all.or_else(|| instance.attributes.get("tags"));
    let tags = tags.and_then(Value::as_object).into_iter().flatten();
    tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Whether two documents mean the same.
fn is_same(one: &Value, other: &Value) -> bool {
    let read = |value: &Value| {
        PolicyDocument::live(
            &value.to_string(),
            PolicyKind::Identity,
            &Partition::default(),
        )
    };
    read(one) == read(other)
}
