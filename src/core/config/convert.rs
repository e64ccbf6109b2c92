//! Converts rendered tables to roles and policies.
//!
//! Types were checked before ([`shape`](super::shape)), so a value of a wrong type is only left out here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::check::{self, KeyCase};
use super::place::Place;
use super::problem::{Problem, Problems, Severity};
use super::scope::STAND_INS;
use super::tree::{Node, Table, Value};
use super::vars::is_arn;
use super::{statement, without};
use crate::org::Partition;
use crate::resource::Origin;
use crate::resource::attachment::{Attachment, AttachmentId, Item};
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::name::{PolicyName, RoleName};
use crate::resource::policy::{DocumentProblem, PolicyDocument, PolicyKind, Version};
use crate::resource::role::{Ensure, Expectation, Manage, Mode, PolicyRef, Role};

/// Documents by their text, each with what is doubtful about it: those equal in many roles and accounts are parsed and
/// kept once.
pub type Documents = HashMap<(Purpose, String), (PolicyDocument, Vec<DocumentProblem>)>;

/// What a document is for, as a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are what they are called")]
pub enum Purpose {
    Trust,
    Inline,
    Managed,
}

/// Whether every condition is decided, so that what is there is all that will be there together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Together {
    /// Every condition is known.
    Known,
    /// A condition depends on an account that is not known yet.
    Unknown,
}

/// What a conversion works with.
pub struct Converter<'a> {
    /// The partition; not known without AWS.
    pub partition: Option<&'a Partition>,
    /// The documents so far.
    pub documents: &'a mut Documents,
    /// How the resource is called in messages.
    pub title: &'a str,
    /// Whether sums over what a role holds can be judged.
    pub together: Together,
    /// What is wrong.
    pub problems: Problems,
}

impl Converter<'_> {
    /// Makes a role of a rendered table; `None` where a problem keeps it from being one.
    pub fn role(&mut self, node: &Node, origin: Origin) -> Option<Role> {
        let table = node.as_table()?;
        let name = written_name(table).and_then(|(text, place)| {
            check::name(RoleName::parse(text), place, &mut self.problems)
        });
        let path = check::path(table, &mut self.problems);
        let description = check::description(table, &mut self.problems);
        let max_session_duration = check::max_session_duration(table, &mut self.problems);
        let trust = self.trust(table);
        let managed_policies = self.managed_policies(table);
        let inline_policies = self.inline_policies(table);
        let permissions_boundary = self.boundary(table);
        let tags = check::tags(table, KeyCase::Folded, &mut self.problems);
        Some(Role {
            name: name?,
            path,
            description,
            max_session_duration,
            trust: trust?,
            managed_policies,
            inline_policies,
            permissions_boundary,
            tags,
            manage: table
                .get("manage")
                .and_then(Node::as_table)
                .map(manage)
                .unwrap_or_default(),
            adopt: flag(table, "adopt"),
            create: table.get("create").and_then(Node::as_bool).unwrap_or(true),
            ensure: match table.get("ensure").and_then(Node::as_str) {
                Some("absent") => Ensure::Absent,
                _ => Ensure::Present,
            },
            external: flag(table, "external"),
            prevent_destroy: flag(table, "prevent_destroy"),
            former_stack: text_of(table, "former_stack"),
            expires: check::date(table, "expires", &mut self.problems),
            expect: expectations(table, self.title, &mut self.problems),
            origin,
        })
    }

    /// Makes a customer managed policy of a rendered table; `None` where a problem keeps it from being one.
    pub fn policy(&mut self, node: &Node, origin: Origin) -> Option<ManagedPolicy> {
        let table = node.as_table()?;
        let name = written_name(table).and_then(|(text, place)| {
            check::name(PolicyName::parse(text), place, &mut self.problems)
        });
        let path = check::policy_path(table, &mut self.problems);
        let description = check::description(table, &mut self.problems);
        let tags = check::tags(table, KeyCase::Exact, &mut self.problems);
        let title = self.title.to_owned();
        let document = self.identity(node, table, &title, Purpose::Managed);
        let size = document
            .as_ref()
            .map(PolicyDocument::size)
            .unwrap_or_default();
        if size > check::MANAGED_POLICY_SIZE {
            let limit = check::MANAGED_POLICY_SIZE;
            let message =
                format!("{title}: its document has {size} characters, {limit} are allowed");
            let hint = "split it into several policies; this quota cannot be raised";
            self.problems
                .push(Problem::error("quota", document_place(node, table), message).hint(hint));
        }
        Some(ManagedPolicy {
            name: name?,
            path,
            description,
            document: document?,
            tags,
            adopt: flag(table, "adopt"),
            prevent_destroy: flag(table, "prevent_destroy"),
            former_stack: text_of(table, "former_stack"),
            origin,
        })
    }

    /// Makes an attachment of a rendered table, for the directory of this name; `None` where a problem keeps it from being one.
    pub fn attachment(
        &mut self,
        node: &Node,
        directory: &str,
        origin: Origin,
    ) -> Option<Attachment> {
        let table = node.as_table()?;
        let role = table.get("role")?;
        let role = check::name(
            RoleName::parse(role.as_str()?),
            &role.place,
            &mut self.problems,
        );
        let inline = ["name", "document", "statement", "without"];
        let inline = inline.into_iter().find_map(|key| table.entry(key));
        let (policy, document) = match (table.get("policy"), inline) {
            (Some(_), Some((key, _))) => {
                let message = format!(
                    "{} has both a `policy` and `{}` of an inline policy",
                    self.title, key.text
                );
                let hint = "one policy in each [[attachment]]";
                self.problems
                    .push(Problem::error("duplicate", &key.place, message).hint(hint));
                return None;
            }
            (None, None) => {
                let message = format!("{} attaches nothing", self.title);
                let hint =
                    "policy = \"local:NAME\", or name = \"…\" with [[attachment.statement]] tables";
                self.problems
                    .push(Problem::error("missing-key", &node.place, message).hint(hint));
                return None;
            }
            (Some(policy), None) => (self.attached(policy)?, None),
            (None, Some(_)) => {
                let name = self.inline_name(node, table, directory);
                let title = format!("the inline policy of {}", self.title);
                let document = self.identity(node, table, &title, Purpose::Inline)?;
                if document.size() > check::INLINE_POLICIES_SIZE {
                    let limit = check::INLINE_POLICIES_SIZE;
                    let message = format!(
                        "{title} has {} characters, {limit} are allowed",
                        document.size()
                    );
                    let hint = "make it a [[policy]] and attach that; this quota cannot be raised";
                    self.problems.push(
                        Problem::error("quota", document_place(node, table), message).hint(hint),
                    );
                }
                (Item::Inline(name?), Some(document))
            }
        };
        Some(Attachment {
            id: AttachmentId {
                role: role?,
                policy,
            },
            document,
            arn: None,
            origin,
        })
    }

    /// The policy that an attachment names. Only one of the directory's own can be distinguished from what others attached.
    fn attached(&mut self, node: &Node) -> Option<Item> {
        match check::policy_reference(node, self.partition, &mut self.problems)? {
            PolicyRef::Local(name) => Some(Item::Managed(name)),
            PolicyRef::Arn(arn) => {
                let message = format!(
                    "{} cannot attach `{arn}`: nothing would tell later that this directory attached it",
                    self.title
                );
                let hint = "attach a [[policy]] of this directory, which carries its tag, or write an inline policy";
                self.problems
                    .push(Problem::error("value", &node.place, message).hint(hint));
                None
            }
        }
    }

    fn inline_name(&mut self, node: &Node, table: &Table, directory: &str) -> Option<PolicyName> {
        let Some((text, place)) = written_name(table) else {
            let message = format!("the inline policy of {} has no `name`", self.title);
            let hint = format!("name = \"logs\"; IAM shows it as rolecall-{directory}.logs");
            self.problems
                .push(Problem::error("missing-key", &node.place, message).hint(hint));
            return None;
        };
        check::name(
            PolicyName::of_attachment(directory, text),
            place,
            &mut self.problems,
        )
    }

    fn trust(&mut self, table: &Table) -> Option<PolicyDocument> {
        let (key, node) = table.entry("trust")?;
        let document = match &node.value {
            Value::Array(items) if items.is_empty() => {
                let message = format!("{}: its trust has no statement", self.title);
                self.problems.push(
                    Problem::error("value", &key.place, message)
                        .hint("name who may assume the role"),
                );
                return None;
            }
            Value::Array(items) => {
                for (text, place) in items
                    .iter()
                    .filter_map(|item| item.as_table()?.get("external_id"))
                    .flat_map(Node::strings)
                {
                    check::external_id(text, place, &mut self.problems);
                }
                statement::trust_document(node, self.title, &mut self.problems)
            }
            Value::Table(_) => node.clone(),
            _ => return None,
        };
        self.document(&document, Purpose::Trust)
    }

    /// The document of a policy: its statements, or the file it names.
    fn identity(
        &mut self,
        node: &Node,
        table: &Table,
        title: &str,
        purpose: Purpose,
    ) -> Option<PolicyDocument> {
        let mut document = match (table.get("document"), table.entry("statement")) {
            (Some(_), Some((key, _))) => {
                let message = format!("{title} has both a `document` and statements");
                self.problems.push(
                    Problem::error("duplicate", &key.place, message).hint("keep one of them"),
                );
                return None;
            }
            (Some(document), None) => match &document.value {
                Value::Table(_) => document.clone(),
                // It could not be read, and that has been said.
                _ => return None,
            },
            (None, Some((key, statements))) if statements.items().is_empty() => {
                let problem = Problem::error(
                    "value",
                    &key.place,
                    format!("{title} has no statement left"),
                );
                self.problems.push(
                    problem.hint("a policy needs a statement: give the policy itself a `when`"),
                );
                return None;
            }
            (None, Some((_, statements))) => statement::identity_document(statements),
            (None, None) => {
                let problem = Problem::error(
                    "missing-key",
                    &node.place,
                    format!("{title} has no statement"),
                );
                self.problems
                    .push(problem.hint("add [[….statement]] tables, or document = \"file.json\""));
                return None;
            }
        };
        if let Some(without) = table.get("without") {
            let before = self.problems.errors();
            without::apply(&mut document, without, title, &mut self.problems);
            if self.problems.errors() > before {
                return None;
            }
        }
        self.document(&document, purpose)
    }

    fn document(&mut self, node: &Node, purpose: Purpose) -> Option<PolicyDocument> {
        let value = node.to_json();
        let key = (purpose, value.to_string());
        if let Some((document, doubts)) = self.documents.get(&key).cloned() {
            self.tell(node, &doubts, Severity::Warning);
            return Some(document);
        }
        let kind = match purpose {
            Purpose::Trust => PolicyKind::Trust,
            Purpose::Inline | Purpose::Managed => PolicyKind::Identity,
        };
        let partition = self.partition.cloned().unwrap_or_default();
        let read = PolicyDocument::from_value(&value, kind, &partition);
        let refused = match &read {
            Ok(document) => self.refused(document, purpose),
            Err(found) => found.clone(),
        };
        self.tell(node, &refused, Severity::Error);
        let document = read.ok().filter(|_| refused.is_empty())?;
        let doubts = self.doubts(&document);
        self.tell(node, &doubts, Severity::Warning);
        self.documents.insert(key, (document.clone(), doubts));
        Some(document)
    }

    /// What IAM refuses of a document where it stands, in the partition of the run.
    fn refused(&self, document: &PolicyDocument, purpose: Purpose) -> Vec<DocumentProblem> {
        let partition = self
            .partition
            .map(|partition| document.misplaced(partition));
        let mut refused = partition.unwrap_or_default();
        // Inline policies and trusts of the older version are still taken.
        if purpose == Purpose::Managed && document.version() == Version::V2008 {
            refused.push(DocumentProblem {
                pointer: "/Version".to_owned(),
                message: "a managed policy must be of version 2012-10-17".to_owned(),
                hint: Some(
                    "write \"Version\": \"2012-10-17\"; without it a document is of 2008-10-17"
                        .to_owned(),
                ),
            });
        }
        refused
    }

    fn doubts(&self, document: &PolicyDocument) -> Vec<DocumentProblem> {
        let mut doubts = document.doubts(self.partition);
        // Two values that are not known yet may be alike, and different ones later.
        let stands_in =
            self.partition.is_none() && STAND_INS.iter().any(|text| document.text().contains(text));
        if !stands_in {
            doubts.extend(document.contradictions());
        }
        doubts
    }

    fn tell(&mut self, node: &Node, found: &[DocumentProblem], severity: Severity) {
        for DocumentProblem {
            pointer,
            message,
            hint,
        } in found
        {
            let message = format!("{}: {message}", self.title);
            let place = node.place_of(pointer);
            let problem = match severity {
                Severity::Error => Problem::error("document", &place, message),
                Severity::Warning => Problem::warning("document", &place, message),
            };
            self.problems.push(problem.maybe_hint(hint.clone()));
        }
    }

    fn managed_policies(&mut self, table: &Table) -> Option<BTreeSet<PolicyRef>> {
        let items = table.get("managed_policies")?.as_array()?;
        let mut references = BTreeSet::new();
        for item in items {
            let named = item
                .as_table()
                .and_then(|table| table.get("policy"))
                .unwrap_or(item);
            references.extend(check::policy_reference(
                named,
                self.partition,
                &mut self.problems,
            ));
        }
        Some(references)
    }

    #[expect(
        clippy::option_option,
        reason = "not written, none, and one are three things"
    )]
    fn boundary(&mut self, table: &Table) -> Option<Option<PolicyRef>> {
        let node = table.get("permissions_boundary")?;
        if node.as_str() == Some("") {
            return Some(None);
        }
        check::policy_reference(node, self.partition, &mut self.problems).map(Some)
    }

    fn inline_policies(&mut self, table: &Table) -> Option<BTreeMap<PolicyName, PolicyDocument>> {
        let (key, node) = table.entry("inline_policy")?;
        let mut policies = BTreeMap::new();
        let mut places: BTreeMap<PolicyName, &Place> = BTreeMap::new();
        for item in node.as_array()? {
            let Some(inline) = item.as_table() else {
                continue;
            };
            let name = written_name(inline).and_then(|(text, place)| {
                check::name(PolicyName::parse(text), place, &mut self.problems)
            });
            let title = format!(
                "inline policy `{}` of {}",
                inline
                    .get("name")
                    .and_then(Node::as_str)
                    .unwrap_or_default(),
                self.title
            );
            let document = self.identity(item, inline, &title, Purpose::Inline);
            let Some(name) = name else { continue };
            if let Some(first) = places.insert(name.clone(), &item.place) {
                let message = format!("{title} is defined twice, first at {first}");
                self.problems
                    .push(Problem::error("duplicate", &item.place, message));
            }
            policies.extend(document.map(|document| (name, document)));
        }
        let size: usize = policies.values().map(PolicyDocument::size).sum();
        if size > check::INLINE_POLICIES_SIZE && self.together == Together::Known {
            let limit = check::INLINE_POLICIES_SIZE;
            let message = format!(
                "{}: its inline policies have {size} characters together, {limit} are allowed",
                self.title
            );
            let hint = "move some of them to [[policy]]; this quota cannot be raised";
            self.problems
                .push(Problem::error("quota", &key.place, message).hint(hint));
        }
        Some(policies)
    }
}

fn document_place<'a>(node: &'a Node, table: &'a Table) -> &'a Place {
    table
        .entry("document")
        .or_else(|| table.entry("statement"))
        .map_or(&node.place, |(key, _)| &key.place)
}

fn written_name(table: &Table) -> Option<(&str, &Place)> {
    let node = table.get("name")?;
    node.as_str().map(|text| (text, &node.place))
}

fn flag(table: &Table, key: &str) -> bool {
    table.get(key).and_then(Node::as_bool).unwrap_or_default()
}

fn text_of(table: &Table, key: &str) -> Option<String> {
    table.get(key).and_then(Node::as_str).map(str::to_owned)
}

fn manage(table: &Table) -> Manage {
    let mode = |key: &str, default: Mode| match table.get(key).and_then(Node::as_str) {
        Some("exclusive") => Mode::Exclusive,
        Some("additive") => Mode::Additive,
        _ => default,
    };
    let default = Manage::default();
    Manage {
        trust: mode("trust", default.trust),
        managed_policies: mode("managed_policies", default.managed_policies),
        inline_policies: mode("inline_policies", default.inline_policies),
        tags: mode("tags", default.tags),
    }
}

fn expectations(table: &Table, title: &str, problems: &mut Problems) -> Vec<Expectation> {
    let mut expectations = Vec::new();
    for node in table
        .get("expect")
        .and_then(Node::as_array)
        .unwrap_or_default()
    {
        let Some(written) = node.as_table() else {
            continue;
        };
        let allow = requests(written.get("allow"), "*?", title, problems);
        let deny = requests(written.get("deny"), "", title, problems);
        if written.get("allow").or(written.get("deny")).is_none() {
            let message = format!("{title}: this `expect` has neither `allow` nor `deny`");
            problems.push(Problem::error("missing-key", &node.place, message).hint(EXPECTATION));
        }
        let context = written
            .get("context")
            .and_then(Node::as_table)
            .into_iter()
            .flat_map(|table| &table.entries);
        let values = |node: &Node| node.items().iter().map(text).collect();
        let context = context
            .map(|(key, node)| (key.text.clone(), values(node)))
            .collect();
        expectations.push(Expectation {
            allow,
            deny,
            context,
        });
    }
    expectations
}

const EXPECTATION: &str = "allow = [\"s3:GetObject on arn:aws:s3:::bucket/*\"]";

/// Actions and the resources they are done on.
///
/// To be allowed `kms:ReEncrypt*` is to be allowed all of it. To be refused it proves nothing of any one action in it,
/// so `deny` takes no `wildcards`.
fn requests(
    node: Option<&Node>,
    wildcards: &str,
    title: &str,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let mut requests = Vec::new();
    for (text, place) in node.map(Node::strings).unwrap_or_default() {
        let request = text
            .split_once(" on ")
            .map(|(action, resource)| (action.trim(), resource.trim()));
        let is_action = |action: &str| {
            let name = |text: &str, also: &str| {
                !text.is_empty()
                    && text
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '-' || also.contains(c))
            };
            action
                .split_once(':')
                .is_some_and(|(service, action)| name(service, "") && name(action, wildcards))
        };
        match request {
            Some((action, resource))
                if is_action(action) && (resource == "*" || is_arn(resource)) =>
            {
                requests.push((action.to_owned(), resource.to_owned()));
            }
            _ => {
                let message = format!(
                    "{title} cannot expect `{text}`: it must be one action on one resource"
                );
                problems.push(Problem::error("value", place, message).hint(EXPECTATION));
            }
        }
    }
    requests
}

/// A condition value as text.
fn text(node: &Node) -> String {
    node.as_str()
        .map_or_else(|| node.to_json().to_string(), str::to_owned)
}
