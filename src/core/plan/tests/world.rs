//! A model of one account's IAM for tests: it performs steps and refuses what IAM refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::{AccountDesired, Limits};
use crate::live::LiveAccount;
use crate::org::{Account, AccountId, AccountStatus, OuPath, Partition};
use crate::plan::*;
use crate::resource::grant::{GrantState, LiveGrant, Principal};
use crate::resource::managed_policy::{LivePolicy, ManagedPolicy, PolicyVersion};
use crate::resource::name::{IamPath, PolicyArn, PolicyName, RoleName};
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{Ensure, LiveRole, Manage, PolicyRef, Role, RoleDetails};
use crate::resource::secret::Secrets;
use crate::resource::step::Step;
use crate::resource::{Origin, Tags};

pub const OURS: &str = "vendor-roles";
pub const A: &str = "222222222222";
pub const MANAGEMENT: &str = "999999999999";

pub fn partition() -> Partition {
    Partition::default()
}

pub fn id(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

pub fn account(text: &str) -> Account {
    Account {
        id: id(text),
        name: format!("name-{text}"),
        email: String::new(),
        status: AccountStatus("ACTIVE".to_owned()),
        ou: OuPath("Workloads".to_owned()),
        parents: Vec::new(),
        joined: None,
        tags: None,
    }
}

pub fn settings() -> Settings {
    Settings {
        name: OURS.to_owned(),
        partition: partition(),
        management_account: id(MANAGEMENT),
        extras: Extras::Keep,
        allow: BTreeSet::new(),
        limits: Limits::default(),
        protected: BTreeSet::new(),
        roles: Vec::new(),
        lints: crate::lint::Settings::default(),
        secrets: Secrets::default(),
        intent: Intent::Converge,
        unmanaged: Unmanaged::Left,
        today: jiff::civil::date(2027, 1, 1),
        accepts: Vec::new(),
        begun: BTreeSet::new(),
    }
}

pub fn pruning() -> Settings {
    Settings {
        extras: Extras::Remove,
        ..settings()
    }
}

pub fn allowing(codes: &[&str]) -> Settings {
    Settings {
        allow: codes.iter().map(|code| (*code).to_owned()).collect(),
        ..settings()
    }
}

pub fn trust(principals: &[&str]) -> PolicyDocument {
    let statements: Vec<_> = principals
        .iter()
        .map(|one| serde_json::json!({"Effect": "Allow", "Principal": {"AWS": one}, "Action": "sts:AssumeRole"}))
        .collect();
    trust_of(&serde_json::json!({"Version": "2012-10-17", "Statement": statements}))
}

pub fn trust_of(value: &serde_json::Value) -> PolicyDocument {
    PolicyDocument::live(&value.to_string(), PolicyKind::Trust, &partition())
}

pub fn allow(action: &str) -> PolicyDocument {
    allow_on(action, "*")
}

pub fn allow_on(action: &str, resource: &str) -> PolicyDocument {
    let value = serde_json::json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]});
    PolicyDocument::live(&value.to_string(), PolicyKind::Identity, &partition())
}

pub fn policy_name(text: &str) -> PolicyName {
    PolicyName::parse(text).unwrap()
}

pub fn aws(name: &str) -> PolicyArn {
    PolicyArn::aws_managed(&partition(), name).unwrap()
}

pub fn local_arn(path: &str, name: &str) -> PolicyArn {
    PolicyArn::customer(
        &partition(),
        id(A),
        &IamPath::parse(path).unwrap(),
        &policy_name(name),
    )
}

pub fn aws_ref(name: &str) -> PolicyRef {
    PolicyRef::Arn(aws(name))
}

pub fn local(name: &str) -> PolicyRef {
    PolicyRef::Local(policy_name(name))
}

pub fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub fn role(name: &str) -> Role {
    Role {
        name: RoleName::parse(name).unwrap(),
        path: None,
        description: None,
        max_session_duration: None,
        trust: trust(&["111111111111"]),
        managed_policies: None,
        inline_policies: None,
        permissions_boundary: None,
        tags: None,
        manage: Manage::default(),
        adopt: false,
        create: true,
        ensure: Ensure::Present,
        external: false,
        prevent_destroy: false,
        former_stack: None,
        expires: None,
        expect: Vec::new(),
        origin: Origin::default(),
    }
}

pub fn policy(name: &str) -> ManagedPolicy {
    ManagedPolicy {
        name: policy_name(name),
        path: None,
        description: None,
        document: allow("s3:GetObject"),
        tags: None,
        adopt: false,
        prevent_destroy: false,
        former_stack: None,
        origin: Origin::default(),
    }
}

pub fn desire(roles: &[Role], policies: &[ManagedPolicy]) -> AccountDesired {
    AccountDesired {
        roles: roles
            .iter()
            .map(|role| (role.name.key(), Arc::new(role.clone())))
            .collect(),
        policies: policies
            .iter()
            .map(|policy| (policy.name.key(), Arc::new(policy.clone())))
            .collect(),
        grants: BTreeMap::new(),
        attachments: BTreeMap::new(),
    }
}

/// A live role without an owner.
pub fn live_role(name: &str) -> LiveRole {
    let name = RoleName::parse(name).unwrap();
    LiveRole {
        id: format!(
            "AROA{:0>17}",
            name.as_str()
                .to_ascii_uppercase()
                .replace(|c: char| !c.is_ascii_alphanumeric(), "0")
        ),
        arn: format!("arn:aws:iam::{A}:role/{name}"),
        name,
        path: IamPath::default(),
        details: Some(RoleDetails {
            description: String::new(),
            max_session_duration: 3600,
        }),
        trust: trust(&["111111111111"]),
        managed_policies: BTreeSet::new(),
        inline_policies: BTreeMap::new(),
        permissions_boundary: None,
        tags: Tags::new(),
        instance_profiles: BTreeSet::new(),
    }
}

pub fn live_policy(name: &str) -> LivePolicy {
    LivePolicy {
        arn: local_arn("/", name),
        name: policy_name(name),
        path: IamPath::default(),
        description: None,
        document: allow("s3:GetObject"),
        versions: vec![PolicyVersion {
            id: "v1".to_owned(),
            created: 1,
            is_default: true,
        }],
        attachments: 0,
        boundaries: 0,
        tags: Some(Tags::new()),
    }
}

pub fn marked(mut role: LiveRole) -> LiveRole {
    role.tags
        .insert(crate::resource::OWNER_TAG.to_owned(), OURS.to_owned());
    role
}

pub fn marked_policy(mut policy: LivePolicy) -> LivePolicy {
    policy.tags = Some(tags(&[(crate::resource::OWNER_TAG, OURS)]));
    policy
}

pub fn live(roles: &[LiveRole], policies: &[LivePolicy]) -> LiveAccount {
    let mut live = LiveAccount {
        roles: roles
            .iter()
            .map(|role| (role.name.key(), role.clone()))
            .collect(),
        policies: policies
            .iter()
            .map(|policy| (policy.name.key(), policy.clone()))
            .collect(),
        ..LiveAccount::default()
    };
    count(&mut live);
    live
}

fn count(live: &mut LiveAccount) {
    for policy in live.policies.values_mut() {
        let attached = live
            .roles
            .values()
            .filter(|role| role.managed_policies.contains(&policy.arn))
            .count();
        let bound = live
            .roles
            .values()
            .filter(|role| role.permissions_boundary.as_ref() == Some(&policy.arn))
            .count();
        policy.attachments = policy.attachments.max(u32::try_from(attached).unwrap());
        policy.boundaries = policy.boundaries.max(u32::try_from(bound).unwrap());
    }
}

/// Performs the steps of all changes in order, second passes last; says what IAM would refuse.
pub fn run(live: &LiveAccount, plan: &AccountPlan) -> Result<LiveAccount, String> {
    let mut world = live.clone();
    let created = created(plan);
    let mut clock = 1000;
    let pass = |change: &Change| change.steps.len() - usize::from(!change.finish_after.is_empty());
    let first = plan
        .changes
        .iter()
        .flat_map(|change| &change.steps[..pass(change)]);
    let second = plan
        .changes
        .iter()
        .flat_map(|change| &change.steps[pass(change)..]);
    for step in first.chain(second) {
        clock += 1;
        perform(&mut world, step, clock, &created)
            .map_err(|refusal| format!("{step:?}: {refusal}"))?;
    }
    Ok(world)
}

fn ensure(holds: bool, refusal: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(refusal.to_owned())
    }
}

fn find<'a>(world: &'a mut LiveAccount, role: &RoleName) -> Result<&'a mut LiveRole, String> {
    world
        .roles
        .get_mut(&role.key())
        .ok_or_else(|| format!("NoSuchEntity: {role}"))
}

fn find_policy<'a>(
    world: &'a mut LiveAccount,
    arn: &PolicyArn,
) -> Result<&'a mut LivePolicy, String> {
    world
        .policies
        .values_mut()
        .find(|policy| policy.arn == *arn)
        .ok_or_else(|| format!("NoSuchEntity: {arn}"))
}

/// The ARNs of roles that a plan creates.
pub fn created(plan: &AccountPlan) -> BTreeSet<String> {
    let arn = |step: &Step| match step {
        Step::CreateRole { role, path, .. } => Some(format!("arn:aws:iam::{A}:role{path}{role}")),
        _ => None,
    };
    plan.changes
        .iter()
        .flat_map(|change| &change.steps)
        .filter_map(arn)
        .collect()
}

/// Refuses a principal that is deleted or that the plan has not created yet; others may exist for all we know.
fn check_trust(
    world: &LiveAccount,
    text: &str,
    created: &BTreeSet<String>,
) -> Result<PolicyDocument, String> {
    let document = PolicyDocument::live(text, PolicyKind::Trust, &partition());
    for named in document.aws_principals() {
        let there = !created.contains(&named) || world.roles.values().any(|role| role.arn == named);
        ensure(
            there && !named.starts_with("AROA"),
            &format!("Invalid principal {named}"),
        )?;
    }
    ensure(!document.statements().is_empty(), "MalformedPolicyDocument")?;
    Ok(document)
}

fn attach(world: &mut LiveAccount, arn: &PolicyArn) -> Result<(), String> {
    if arn.is_aws_managed() {
        Ok(())
    } else {
        find_policy(world, arn).map(|policy| policy.attachments += 1)
    }
}

fn bind(
    world: &mut LiveAccount,
    old: Option<&PolicyArn>,
    new: Option<&PolicyArn>,
) -> Result<(), String> {
    if let Some(arn) = old.filter(|arn| !arn.is_aws_managed()) {
        find_policy(world, arn)?.boundaries -= 1;
    }
    match new.filter(|arn| !arn.is_aws_managed()) {
        Some(arn) => find_policy(world, arn).map(|policy| policy.boundaries += 1),
        None => Ok(()),
    }
}

/// Gives a user or group the policy of its grants, or takes it.
fn grant(
    world: &mut LiveAccount,
    principal: &Principal,
    document: Option<&String>,
) -> Result<(), String> {
    let found = world
        .grants
        .get_mut(&principal.key())
        .ok_or_else(|| format!("NoSuchEntity: {principal}"))?;
    ensure(
        found.state != GrantState::NoPrincipal,
        "NoSuchEntity: principal",
    )?;
    ensure(
        document.is_some() || found.state.document().is_some(),
        "NoSuchEntity: inline",
    )?;
    found.state = match document {
        Some(text) => GrantState::Granted(PolicyDocument::live(
            text,
            PolicyKind::Identity,
            &partition(),
        )),
        None => GrantState::NoPolicy,
    };
    Ok(())
}

/// Sees the grants of roles as the bulk read does.
pub fn see_grants(world: &mut LiveAccount) {
    world
        .grants
        .retain(|_, grant| !matches!(grant.principal, Principal::Role(_)));
    for role in world.roles.values() {
        let state = match role.inline_policies.get(&PolicyName::of_grants(OURS)) {
            Some(document) => GrantState::Granted(document.clone()),
            None => GrantState::NoPolicy,
        };
        let principal = Principal::Role(role.name.clone());
        world
            .grants
            .insert(principal.key(), LiveGrant { principal, state });
    }
}

fn perform(
    world: &mut LiveAccount,
    step: &Step,
    clock: i64,
    created: &BTreeSet<String>,
) -> Result<(), String> {
    match step {
        Step::CreatePolicy {
            name,
            path,
            description,
            document,
            tags,
        } => {
            ensure(
                !world.policies.contains_key(&name.key()),
                "EntityAlreadyExists",
            )?;
            let policy = LivePolicy {
                arn: PolicyArn::customer(&partition(), id(A), path, name),
                path: path.clone(),
                description: description.clone(),
                document: PolicyDocument::live(document, PolicyKind::Identity, &partition()),
                tags: Some(tags.clone()),
                ..live_policy(name.as_str())
            };
            world.policies.insert(name.key(), policy);
        }
        Step::CreatePolicyVersion { arn, document } => {
            let policy = find_policy(world, arn)?;
            ensure(policy.versions.len() < 5, "LimitExceeded: versions")?;
            policy
                .versions
                .iter_mut()
                .for_each(|version| version.is_default = false);
            policy.versions.push(PolicyVersion {
                id: format!("v{clock}"),
                created: clock,
                is_default: true,
            });
            policy.document = PolicyDocument::live(document, PolicyKind::Identity, &partition());
        }
        Step::DeletePolicyVersion { arn, version } => {
            let policy = find_policy(world, arn)?;
            ensure(
                policy
                    .versions
                    .iter()
                    .any(|one| one.id == *version && !one.is_default),
                "DeleteConflict: version",
            )?;
            policy.versions.retain(|one| one.id != *version);
        }
        Step::TagPolicy { arn, tags } => {
            find_policy(world, arn)?
                .tags
                .get_or_insert_default()
                .extend(tags.clone());
        }
        Step::UntagPolicy { arn, keys } => {
            find_policy(world, arn)?
                .tags
                .get_or_insert_default()
                .retain(|key, _| !keys.contains(key));
        }
        Step::DeletePolicy { arn } => {
            let policy = find_policy(world, arn)?;
            ensure(
                policy.attachments == 0 && policy.boundaries == 0,
                "DeleteConflict: attached",
            )?;
            ensure(policy.versions.len() == 1, "DeleteConflict: versions")?;
            let key = policy.name.key();
            world.policies.remove(&key);
        }
        Step::CreateRole {
            role,
            path,
            trust,
            description,
            max_session_duration,
            permissions_boundary,
            tags,
        } => {
            ensure(
                !world.roles.contains_key(&role.key()),
                "EntityAlreadyExists",
            )?;
            let trust = check_trust(world, trust, created)?;
            bind(world, None, permissions_boundary.as_ref())?;
            let created = LiveRole {
                id: format!("AROA{clock:0>17}"),
                arn: format!("arn:aws:iam::{A}:role{path}{role}"),
                path: path.clone(),
                details: Some(RoleDetails {
                    description: description.clone().unwrap_or_default(),
                    max_session_duration: max_session_duration.unwrap_or(3600),
                }),
                trust,
                permissions_boundary: permissions_boundary.clone(),
                tags: tags.clone(),
                ..live_role(role.as_str())
            };
            world.roles.insert(role.key(), created);
        }
        Step::UpdateAssumeRolePolicy { role, document } => {
            let document = check_trust(world, document, created)?;
            find(world, role)?.trust = document;
        }
        Step::UpdateRole {
            role,
            description,
            max_session_duration,
        } => {
            find(world, role)?.details = Some(RoleDetails {
                description: description.clone(),
                max_session_duration: *max_session_duration,
            });
        }
        Step::PutRolePermissionsBoundary { role, arn } => {
            let old = find(world, role)?.permissions_boundary.replace(arn.clone());
            bind(world, old.as_ref(), Some(arn))?;
        }
        Step::DeleteRolePermissionsBoundary { role } => {
            let old = find(world, role)?.permissions_boundary.take();
            ensure(old.is_some(), "NoSuchEntity: boundary")?;
            bind(world, old.as_ref(), None)?;
        }
        Step::TagRole { role, tags } => {
            let role = find(world, role)?;
            for (key, value) in tags {
                role.tags
                    .retain(|there, _| !there.eq_ignore_ascii_case(key));
                role.tags.insert(key.clone(), value.clone());
            }
            ensure(role.tags.len() <= 50, "LimitExceeded: tags")?;
        }
        Step::UntagRole { role, keys } => {
            find(world, role)?.tags.retain(|key, _| !keys.contains(key));
            ensure(
                !keys.iter().any(|key| key.starts_with("aws:")),
                "InvalidInput: system tag",
            )?;
        }
        Step::AttachRolePolicy { role, arn } => {
            attach(world, arn)?;
            let role = find(world, role)?;
            ensure(role.managed_policies.insert(arn.clone()), "attached twice")?;
            ensure(
                role.managed_policies.len() <= 10,
                "LimitExceeded: PoliciesPerRole",
            )?;
        }
        Step::DetachRolePolicy { role, arn } => {
            let held = find(world, role)?.managed_policies.remove(arn);
            ensure(held, "NoSuchEntity: attachment")?;
            if !arn.is_aws_managed() {
                find_policy(world, arn)?.attachments -= 1;
            }
        }
        Step::PutRolePolicy {
            role,
            policy,
            document,
        } => {
            let role = find(world, role)?;
            let document = PolicyDocument::live(document, PolicyKind::Identity, &partition());
            role.inline_policies.insert(policy.clone(), document);
            let sum: usize = role
                .inline_policies
                .values()
                .map(PolicyDocument::size)
                .sum();
            ensure(sum <= 10240, "LimitExceeded: inline")?;
            see_grants(world);
        }
        Step::DeleteRolePolicy { role, policy } => {
            ensure(
                find(world, role)?.inline_policies.remove(policy).is_some(),
                "NoSuchEntity: inline",
            )?;
            see_grants(world);
        }
        Step::PutUserPolicy {
            user,
            policy: _,
            document,
        } => {
            grant(world, &Principal::User(user.clone()), Some(document))?;
        }
        Step::DeleteUserPolicy { user, policy: _ } => {
            grant(world, &Principal::User(user.clone()), None)?;
        }
        Step::PutGroupPolicy {
            group,
            policy: _,
            document,
        } => {
            grant(world, &Principal::Group(group.clone()), Some(document))?;
        }
        Step::DeleteGroupPolicy { group, policy: _ } => {
            grant(world, &Principal::Group(group.clone()), None)?;
        }
        Step::RemoveRoleFromInstanceProfile { role, profile } => {
            ensure(
                find(world, role)?.instance_profiles.remove(profile),
                "NoSuchEntity: profile",
            )?;
        }
        Step::AddRoleToInstanceProfile { role, profile } => {
            let taken = world
                .roles
                .values()
                .any(|other| other.instance_profiles.contains(profile));
            ensure(!taken, "LimitExceeded: InstanceSessionsPerInstanceProfile")?;
            find(world, role)?.instance_profiles.insert(profile.clone());
        }
        Step::DeleteRole { role } => {
            let there = find(world, role)?;
            let free = there.managed_policies.is_empty()
                && there.inline_policies.is_empty()
                && there.instance_profiles.is_empty();
            ensure(free, "DeleteConflict")?;
            let boundary = there.permissions_boundary.take();
            let (arn, unique) = (there.arn.clone(), there.id.clone());
            world.roles.remove(&role.key());
            bind(world, boundary.as_ref(), None)?;
            // Who trusted it now names a dead id.
            for other in world.roles.values_mut() {
                other.trust = other
                    .trust
                    .resolve_principals(&|one| (one == arn).then(|| unique.clone()));
            }
        }
    }
    Ok(())
}
