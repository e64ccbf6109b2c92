//! What the caller and the access role must be allowed for one directory: no less, and no more than can be known
//! without AWS.
//!
//! Policies are made of [`Operation`]s, the names by which calls are made, each with what it is about. Names are
//! known and accounts are not, so ARNs hold `*` in place of the account. Where a path is not managed the live one may
//! be any.
//!
//! - A role or policy at a path that is written may have to be replaced: whatever is attached to it is removed and added back.
//! - Creating with tags takes the permission to tag as well (Service Authorization Reference, `CreateRole`, `CreatePolicy`).
//! - What is pruned has a name that it is unknown beforehand; its tag is a condition instead of a name.
//! - Every write to a role or policy has the mark as a condition, so that IAM itself refuses what lost it since it was read:
//!   `aws:ResourceTag` is a key of IAM's roles and policies, `aws:RequestTag` of what creates and tags them (Service
//!   Authorization Reference, IAM). Principals of grants and instance profiles have no ownership tag.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::desired::{AccountDesired, needs_details};
use crate::org::{AccountId, Partition};
use crate::resource::OWNER_TAG;
use crate::resource::attachment::{Attachment, Item};
use crate::resource::grant::Principal;
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::name::IamPath;
use crate::resource::operation::{Effect, Operation};
use crate::resource::role::{Ensure, Mode, PolicyRef, Role};

/// Which commands the permissions are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commands {
    /// `plan`, `drift`, `verify` and everything else that writes nothing.
    Reading,
    /// `apply` too.
    All,
}

/// What happens to resources that are managed and not desired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extras {
    /// They stay.
    Keep,
    /// They are deleted: `--prune`, `prune = true`, `destroy`.
    Remove,
}

/// Whether it is asked who changed what drifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// CloudTrail is not used.
    Left,
    /// It is: `drift --who`.
    Asked,
}

/// What the access role must be allowed is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The directory's `name`.
    pub name: &'a str,
    /// The partition of every ARN.
    pub partition: &'a Partition,
    /// What an account may have to hold, all accounts taken together.
    pub desired: &'a AccountDesired,
    /// The text in names that represents what depends on the account.
    pub stand_ins: &'a [&'a str],
    /// For which commands.
    pub commands: Commands,
    /// What happens to what is no longer desired.
    pub extras: Extras,
    /// Whether it is asked who did it.
    pub history: History,
}

/// What only the caller must be allowed.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// The organization's id, where it is known.
    pub organization: Option<&'a str>,
    /// The roles that accounts are entered by, each with its account's id where it is of one account alone.
    pub access_roles: BTreeSet<(Option<String>, String)>,
    /// Whether account tags are read.
    pub tags: Tags,
    /// The bucket and prefix of the state, where it is in one.
    pub state: Option<(String, String)>,
}

/// Whether account tags decide about anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// Account tags are read.
    Read,
    /// Account tags are not read.
    Unread,
}

/// What someone is allowed, to be put together and printed.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The resources of each action, and on which condition.
    actions: BTreeMap<(Condition, &'static str), BTreeSet<String>>,
}

/// On which condition something is allowed. The text is the directory's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    /// None.
    Always,
    /// The resource has this directory's tag.
    Marked(String),
    /// The resource has this directory's tag or none: it may be about to be adopted.
    NotForeign(String),
    /// The request tags a resource that is new, has no tag, or has the tag already.
    Marking(String),
}

impl Condition {
    /// As IAM writes it.
    fn to_value(&self) -> Option<Value> {
        let on_resource = format!("aws:ResourceTag/{OWNER_TAG}");
        Some(match self {
            Self::Always => return None,
            Self::Marked(mark) => json!({ "StringEquals": { on_resource: mark } }),
            Self::NotForeign(mark) => json!({ "StringEqualsIfExists": { on_resource: mark } }),
            Self::Marking(mark) => {
                let in_request = format!("aws:RequestTag/{OWNER_TAG}");
                json!({ "StringEquals": { in_request: mark }, "StringEqualsIfExists": { on_resource: mark } })
            }
        })
    }
}

impl Condition {
    /// Keys of a request that meets it.
    fn context(&self) -> BTreeMap<String, Vec<String>> {
        let key = |of: &str| format!("aws:{of}Tag/{OWNER_TAG}");
        match self {
            Self::Always => BTreeMap::new(),
            Self::Marked(mark) | Self::NotForeign(mark) => {
                [(key("Resource"), vec![mark.clone()])].into()
            }
            Self::Marking(mark) => [
                (key("Request"), vec![mark.clone()]),
                (key("Resource"), vec![mark.clone()]),
            ]
            .into(),
        }
    }
}

/// Requests that a policy must allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The actions.
    pub actions: Vec<&'static str>,
    /// On what.
    pub resource: String,
    /// With which keys.
    pub context: BTreeMap<String, Vec<String>>,
}

impl Policy {
    fn allow(&mut self, operations: &[Operation], resources: &[String]) {
        self.allow_if(&Condition::Always, operations, resources);
    }

    fn allow_if(&mut self, condition: &Condition, operations: &[Operation], resources: &[String]) {
        for operation in operations {
            let key = (condition.clone(), operation.action());
            self.actions
                .entry(key)
                .or_default()
                .extend(resources.iter().cloned());
        }
    }

    /// Allows to hand these roles to EC2, which no call of its own does.
    ///
    /// Source: IAM API Reference, `AddRoleToInstanceProfile`.
    fn pass(&mut self, roles: &[String]) {
        self.actions
            .entry((Condition::Always, "iam:PassRole"))
            .or_default()
            .extend(roles.iter().cloned());
    }

    /// Allows what `other` does, too.
    pub fn extend(&mut self, other: &Self) {
        for (key, resources) in &other.actions {
            self.actions
                .entry(key.clone())
                .or_default()
                .extend(resources.iter().cloned());
        }
    }

    /// Leaves only what tells and changes nothing.
    fn reading(mut self) -> Self {
        let is_read = |action: &str| {
            Operation::ALL
                .iter()
                .any(|operation| operation.action() == action && operation.effect() == Effect::Read)
        };
        self.actions.retain(|(_, action), _| is_read(action));
        self
    }

    /// The actions on each set of resources.
    fn statements(&self) -> BTreeMap<(&Condition, Vec<&str>), Vec<&'static str>> {
        let mut statements: BTreeMap<_, Vec<&'static str>> = BTreeMap::new();
        for ((condition, action), resources) in &self.actions {
            statements
                .entry((condition, minimal(resources)))
                .or_default()
                .push(action);
        }
        statements
    }

    /// What to try in an account, to see whether a role has this policy: each statement on one of its resources.
    pub fn trials(&self, account: AccountId) -> Vec<Trial> {
        let statements = self.statements().into_iter();
        statements
            .map(|((condition, resources), actions)| {
                let resource = resources.first().copied().unwrap_or("*");
                Trial {
                    actions,
                    resource: match resource {
                        "*" => "*".to_owned(),
                        // Any account, and any name.
                        arn => arn
                            .replace("iam::*:", &format!("iam::{account}:"))
                            .replace('*', "x"),
                    },
                    context: condition.context(),
                }
            })
            .collect()
    }

    /// The policy document: actions on the same resources are one statement.
    pub fn to_value(&self) -> Value {
        let statements: Vec<Value> = self
            .statements()
            .into_iter()
            .map(|((condition, resources), actions)| {
                let mut statement =
                    json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
                if let (Some(condition), Some(fields)) =
                    (condition.to_value(), statement.as_object_mut())
                {
                    fields.insert("Condition".to_owned(), condition);
                }
                statement
            })
            .collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }
}

/// The resources without those that another one covers.
fn minimal(resources: &BTreeSet<String>) -> Vec<&str> {
    let covers = |wide: &String, narrow: &String| {
        wide != narrow
            && wide
                .strip_suffix('*')
                .is_some_and(|start| narrow.starts_with(start))
    };
    let kept = resources
        .iter()
        .filter(|one| !resources.iter().any(|other| covers(other, one)));
    kept.map(String::as_str).collect()
}

/// What the caller must be allowed to find the accounts, enter them and keep the state.
pub fn caller(entry: &Entry<'_>, scope: Scope<'_>) -> Policy {
    use Operation::{
        AssumeRole, DescribeOrganization, GetObject, ListAccountsForParent, ListObjectsV2,
        ListOrganizationalUnitsForParent, ListRoots, ListTagsForResource, PutObject,
    };
    let partition = scope.partition;
    let mut policy = Policy::default();
    policy.allow(&[DescribeOrganization, ListRoots], &["*".to_owned()]);
    let organization = entry.organization.unwrap_or("*");
    let within = |kind: &str| format!("arn:{partition}:organizations::*:{kind}/{organization}/*");
    policy.allow(
        &[ListOrganizationalUnitsForParent, ListAccountsForParent],
        &[within("root"), within("ou")],
    );
    if entry.tags == Tags::Read {
        policy.allow(&[ListTagsForResource], &[within("account")]);
    }
    for (account, role) in &entry.access_roles {
        let account = account.as_deref().unwrap_or("*");
        let role = role.trim_start_matches('/');
        policy.allow(
            &[AssumeRole],
            &[format!("arn:{partition}:iam::{account}:role/{role}")],
        );
    }
    if let Some((bucket, prefix)) = &entry.state {
        let bucket = format!("arn:{partition}:s3:::{bucket}");
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        policy.allow(&[GetObject, PutObject], &[format!("{bucket}/{prefix}*")]);
        // Narrowed to a prefix, it would make S3 answer `AccessDenied` for an object that is not there yet.
        policy.allow(&[ListObjectsV2], &[bucket]);
    }
    of(policy, scope.commands)
}

/// What must be allowed inside an account: to its access role, and to the caller in its own.
pub fn access_role(scope: Scope<'_>) -> Policy {
    let mut policy = Policy::default();
    policy.allow(
        &[Operation::GetAccountAuthorizationDetails],
        &["*".to_owned()],
    );
    for role in scope.desired.roles.values() {
        scope.read_role(role, &mut policy);
        scope.write_role(role, &mut policy);
    }
    for managed in scope.desired.policies.values() {
        scope.policy(managed, &mut policy);
    }
    for grant in scope.desired.grants.values() {
        scope.grant(&grant.principal, &mut policy);
    }
    for attachment in scope.desired.attachments.values() {
        scope.attachment(attachment, &mut policy);
    }
    if !scope.desired.roles.is_empty() || !scope.desired.policies.is_empty() {
        // Asked only where a documented default would be exceeded.
        policy.allow(&[Operation::GetAccountSummary], &["*".to_owned()]);
    }
    if scope.extras == Extras::Remove {
        scope.prune(&mut policy);
    }
    if scope.history == History::Asked {
        policy.allow(&[Operation::LookupEvents], &["*".to_owned()]);
    }
    of(policy, scope.commands)
}

fn of(policy: Policy, commands: Commands) -> Policy {
    if commands == Commands::Reading {
        policy.reading()
    } else {
        policy
    }
}

/// Reading one role by itself.
const ROLE_READS: &[Operation] = &[
    Operation::GetRole,
    Operation::ListAttachedRolePolicies,
    Operation::ListRolePolicies,
    Operation::GetRolePolicy,
    Operation::ListInstanceProfilesForRole,
];

/// Reading one policy by itself.
const POLICY_READS: &[Operation] = &[
    Operation::GetPolicy,
    Operation::GetPolicyVersion,
    Operation::ListPolicyVersions,
    Operation::ListPolicyTags,
];

/// Taking everything off a role, and deleting it.
const ROLE_REMOVAL: &[Operation] = &[
    Operation::DetachRolePolicy,
    Operation::DeleteRolePolicy,
    Operation::DeleteRole,
];

impl Scope<'_> {
    fn marked(&self) -> Condition {
        Condition::Marked(self.name.to_owned())
    }

    fn marking(&self) -> Condition {
        Condition::Marking(self.name.to_owned())
    }

    fn arn(&self, kind: &str, rest: &str) -> String {
        let text = self
            .stand_ins
            .iter()
            .fold(rest.to_owned(), |text, stand_in| {
                text.replace(stand_in, "*")
            });
        format!("arn:{}:iam::*:{kind}{text}", self.partition)
    }

    /// At this path, or wherever it is.
    fn at(&self, kind: &str, path: Option<&str>, name: &str) -> Vec<String> {
        match path {
            Some(path) => vec![self.arn(kind, &format!("{path}{name}"))],
            None => self.anywhere(kind, name),
        }
    }

    fn anywhere(&self, kind: &str, name: &str) -> Vec<String> {
        vec![
            self.arn(kind, &format!("/{name}")),
            self.arn(kind, &format!("/*/{name}")),
        ]
    }

    fn all(&self, kind: &str) -> Vec<String> {
        vec![self.arn(kind, "/*")]
    }

    /// Whether a policy is in the directory at a path that is written, so that it may have to move there.
    fn moves(&self, policy: Option<&PolicyRef>) -> bool {
        let moves = |policy: &ManagedPolicy| policy.path.is_some();
        match policy {
            None => self.desired.policies.values().any(|policy| moves(policy)),
            Some(PolicyRef::Local(name)) => self
                .desired
                .policies
                .get(&name.key())
                .is_some_and(|policy| moves(policy)),
            Some(PolicyRef::Arn(arn)) => self
                .desired
                .policies
                .get(&arn.name().to_ascii_lowercase())
                .is_some_and(|policy| moves(policy)),
        }
    }

    fn read_role(&self, role: &Role, policy: &mut Policy) {
        let here = self.anywhere("role", role.name.as_str());
        policy.allow(ROLE_READS, &here);
        // What is deleted is recorded with its details.
        if needs_details(role)
            || role.path.is_some()
            || role.ensure == Ensure::Absent
            || role.expires.is_some()
        {
            policy.allow(&[Operation::ListRoles], &["*".to_owned()]);
        }
        let named = role
            .managed_policies
            .iter()
            .flatten()
            .chain(role.permissions_boundary.iter().flatten());
        for reference in named {
            self.read_named(role, reference, policy);
        }
        let callers: Vec<String> = role.trust.aws_principals().into_iter().collect();
        for caller in callers
            .iter()
            .filter_map(|arn| arn.split_once(":role/"))
            .map(|(_, path)| path)
        {
            policy.allow(ROLE_READS, &[self.arn("role", &format!("/{caller}"))]);
        }
        let named = callers
            .iter()
            .any(|arn| arn.contains(":role/") || arn.contains(":user/"));
        let unknown =
            role.managed_policies.is_none() || role.manage.managed_policies == Mode::Additive;
        if named || (unknown && !role.expect.is_empty()) {
            self.read_any_policy(policy);
        }
        if !role.expect.is_empty() {
            policy.allow(&[Operation::SimulatePrincipalPolicy], &here);
        }
    }

    /// What `verify` weighs: the documents of policies that someone else chose.
    fn read_any_policy(&self, policy: &mut Policy) {
        let everywhere = [
            self.all("policy"),
            vec![format!("arn:{}:iam::aws:policy/*", self.partition)],
        ]
        .concat();
        policy.allow(
            &[Operation::GetPolicy, Operation::GetPolicyVersion],
            &everywhere,
        );
    }

    /// Whether a policy that a role names exists, and for `verify` what it says.
    fn read_named(&self, role: &Role, reference: &PolicyRef, policy: &mut Policy) {
        let arns = match reference {
            PolicyRef::Local(name) if self.desired.policies.contains_key(&name.key()) => return,
            PolicyRef::Local(name) => self.anywhere("policy", name.as_str()),
            PolicyRef::Arn(arn) => {
                let text = arn.as_str().splitn(6, ':').nth(5).unwrap_or_default();
                let account = if arn.is_aws_managed() { "aws" } else { "*" };
                let text = self
                    .stand_ins
                    .iter()
                    .fold(text.to_owned(), |text, stand_in| {
                        text.replace(stand_in, "*")
                    });
                vec![format!("arn:{}:iam::{account}:{text}", self.partition)]
            }
        };
        policy.allow(&[Operation::GetPolicy], &arns);
        if !role.expect.is_empty() {
            policy.allow(&[Operation::GetPolicyVersion], &arns);
        }
    }

    fn write_role(&self, role: &Role, policy: &mut Policy) {
        if role.external {
            return;
        }
        let anywhere = self.anywhere("role", role.name.as_str());
        if role.ensure == Ensure::Absent || role.expires.is_some() || role.path.is_some() {
            policy.allow_if(&self.marked(), ROLE_REMOVAL, &anywhere);
            policy.allow(
                &[Operation::RemoveRoleFromInstanceProfile],
                &self.all("instance-profile"),
            );
        }
        if role.ensure == Ensure::Absent {
            return;
        }
        let here = self.at(
            "role",
            role.path.as_ref().map(IamPath::as_str),
            role.name.as_str(),
        );
        if role.path.is_some() {
            policy.allow(
                &[Operation::AddRoleToInstanceProfile],
                &self.all("instance-profile"),
            );
            policy.pass(&here);
        }
        policy.allow_if(
            &self.marking(),
            &[Operation::CreateRole, Operation::TagRole],
            &here,
        );
        policy.allow_if(&self.marked(), &self.role_writes(role), &here);
        if role.adopt {
            policy.allow_if(
                &Condition::NotForeign(self.name.to_owned()),
                &self.writes_before_adoption(role),
                &here,
            );
        }
    }

    /// What may be written to a role before it is given the mark: a policy of this directory that is deleted or moves is
    /// taken off it first, and where it has as many tags as IAM keeps, some must go before one is added.
    fn writes_before_adoption(&self, role: &Role) -> Vec<Operation> {
        let policies_go = self.extras == Extras::Remove || self.moves(None);
        let writes = [
            (Operation::DetachRolePolicy, policies_go),
            (Operation::DeleteRolePermissionsBoundary, self.moves(None)),
            (
                Operation::UntagRole,
                role.tags.is_some() && role.manage.tags == Mode::Exclusive,
            ),
        ];
        writes
            .into_iter()
            .filter(|(_, needed)| *needed)
            .map(|(operation, _)| operation)
            .collect()
    }

    fn role_writes(&self, role: &Role) -> Vec<Operation> {
        use Operation::{
            AttachRolePolicy, DeleteRolePermissionsBoundary, DeleteRolePolicy, DetachRolePolicy,
            PutRolePermissionsBoundary, PutRolePolicy, TagRole, UntagRole, UpdateAssumeRolePolicy,
            UpdateRole,
        };
        let replaced = role.path.is_some();
        let attached = role.managed_policies.as_ref();
        let inline = role.inline_policies.as_ref();
        let boundary = role.permissions_boundary.as_ref();
        let exclusive = |mode: Mode| mode == Mode::Exclusive;
        let moved = match attached {
            Some(names) if exclusive(role.manage.managed_policies) => {
                names.iter().any(|name| self.moves(Some(name)))
            }
            _ => self.moves(None),
        };
        let writes = [
            (TagRole, true),
            (UpdateAssumeRolePolicy, true),
            (
                UntagRole,
                role.tags.is_some() && exclusive(role.manage.tags),
            ),
            (UpdateRole, needs_details(role)),
            (
                AttachRolePolicy,
                replaced || moved || attached.is_some_and(|names| !names.is_empty()),
            ),
            (
                DetachRolePolicy,
                moved || attached.is_some() && exclusive(role.manage.managed_policies),
            ),
            (
                PutRolePolicy,
                replaced || inline.is_some_and(|policies| !policies.is_empty()),
            ),
            (
                DeleteRolePolicy,
                inline.is_some() && exclusive(role.manage.inline_policies),
            ),
            (
                PutRolePermissionsBoundary,
                boundary.is_some_and(Option::is_some),
            ),
            (
                DeleteRolePermissionsBoundary,
                boundary
                    .is_some_and(|name| name.as_ref().is_none_or(|name| self.moves(Some(name)))),
            ),
        ];
        writes
            .into_iter()
            .filter(|(_, needed)| *needed)
            .map(|(operation, _)| operation)
            .collect()
    }

    fn policy(&self, managed: &ManagedPolicy, policy: &mut Policy) {
        let anywhere = self.anywhere("policy", managed.name.as_str());
        policy.allow(POLICY_READS, &anywhere);
        policy.allow(&[Operation::ListPolicies], &["*".to_owned()]);
        let path = managed.path.as_ref().map(IamPath::as_str);
        let here = self.at("policy", path, managed.name.as_str());
        policy.allow_if(
            &self.marking(),
            &[Operation::CreatePolicy, Operation::TagPolicy],
            &here,
        );
        let marked = self.marked();
        policy.allow_if(
            &marked,
            &[Operation::TagPolicy, Operation::CreatePolicyVersion],
            &here,
        );
        policy.allow_if(
            &marked,
            &[Operation::DeletePolicyVersion],
            if path.is_some() { &anywhere } else { &here },
        );
        if path.is_some() {
            policy.allow_if(&marked, &[Operation::DeletePolicy], &anywhere);
        }
    }

    fn grant(&self, principal: &Principal, policy: &mut Policy) {
        let here = self.anywhere(principal.kind(), principal.name());
        let (read, look, put) = grant_operations(principal);
        policy.allow(&[read, look, put], &here);
        if matches!(principal, Principal::Role(_)) {
            policy.allow(ROLE_READS, &here);
        }
        self.read_any_policy(policy);
    }

    /// One policy on a role that carries no tag of this directory.
    fn attachment(&self, attachment: &Attachment, policy: &mut Policy) {
        let here = self.anywhere("role", attachment.id.role.as_str());
        policy.allow(ROLE_READS, &here);
        let writes = match attachment.id.policy {
            Item::Inline(_) => [Operation::PutRolePolicy, Operation::DeleteRolePolicy],
            Item::Managed(_) => [Operation::AttachRolePolicy, Operation::DetachRolePolicy],
        };
        policy.allow(&writes, &here);
        self.read_any_policy(policy);
    }

    /// What is no longer desired: of these the names are not known.
    fn prune(&self, policy: &mut Policy) {
        use Operation::{
            DeleteGroupPolicy, DeletePolicy, DeletePolicyVersion, DeleteRolePermissionsBoundary,
            DeleteRolePolicy, DeleteUserPolicy, GetGroup, GetGroupPolicy, GetUser, GetUserPolicy,
            ListPolicies, ListRoles, RemoveRoleFromInstanceProfile,
        };
        policy.allow(ROLE_READS, &self.all("role"));
        policy.allow(POLICY_READS, &self.all("policy"));
        policy.allow(&[ListPolicies, ListRoles], &["*".to_owned()]);
        policy.allow_if(&self.marked(), ROLE_REMOVAL, &self.all("role"));
        policy.allow_if(
            &self.marked(),
            &[DeleteRolePermissionsBoundary],
            &self.all("role"),
        );
        policy.allow_if(
            &self.marked(),
            &[DeletePolicy, DeletePolicyVersion],
            &self.all("policy"),
        );
        policy.allow(
            &[RemoveRoleFromInstanceProfile],
            &self.all("instance-profile"),
        );
        // Grants have no tag: the name of an inline policy makes them managed, which is not part of any ARN.
        policy.allow(&[DeleteRolePolicy], &self.all("role"));
        policy.allow(
            &[GetUser, GetUserPolicy, DeleteUserPolicy],
            &self.all("user"),
        );
        policy.allow(
            &[GetGroup, GetGroupPolicy, DeleteGroupPolicy],
            &self.all("group"),
        );
    }
}

/// Reading a grant, looking whether its principal is there, and writing it.
fn grant_operations(principal: &Principal) -> (Operation, Operation, Operation) {
    match principal {
        Principal::User(_) => (
            Operation::GetUserPolicy,
            Operation::GetUser,
            Operation::PutUserPolicy,
        ),
        Principal::Group(_) => (
            Operation::GetGroupPolicy,
            Operation::GetGroup,
            Operation::PutGroupPolicy,
        ),
        Principal::Role(_) => (
            Operation::GetRolePolicy,
            Operation::GetRole,
            Operation::PutRolePolicy,
        ),
    }
}
