//! Whether a caller's own policies allow its calls to IAM, Organizations and CloudTrail.
//!
//! Off unless it is asked for ([`Permissions::Enforced`]): whoever plays with a sandbox may do everything. STS holds
//! callers against their policies in any case.
//!
//! What a call is about follows from its parameters, as the Service Authorization Reference says: an entity by its ARN
//! where it is there, by the path and name it would have where it is not, and `*` for actions that know no resource.
//! Creating something with tags takes the permission to tag it. Not modelled: condition keys of IAM's own but for
//! `aws:ResourceTag`, `aws:RequestTag` and `aws:TagKeys`, service control policies, session policies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::caller::Caller;
use super::wire::{ApiError, Params};
use super::world::{IamState, Permissions, Session, World};
use rolecall_core::evaluate::Decision;

/// What a call is about: its ARN and its tags.
struct Subject {
    arn: String,
    tags: BTreeMap<String, String>,
}

/// Refuses a call to IAM that the caller's own policies do not allow.
pub fn iam(
    world: &World,
    session: &Session,
    operation: &str,
    params: &Params,
) -> Result<(), ApiError> {
    let mut operations = vec![operation];
    let tagged = !params.structs("Tags").is_empty();
    operations.extend(match operation {
        "CreateRole" if tagged => Some("TagRole"),
        "CreatePolicy" if tagged => Some("TagPolicy"),
        _ => None,
    });
    let subject = || iam_subject(world, session, operation, params);
    check(
        world,
        session,
        operations.iter().map(|name| format!("iam:{name}")),
        asked_tags(params),
        subject,
    )
    .map_err(|message| ApiError::new(403, "AccessDenied", message))
}

/// Refuses a call to Organizations that the caller's own policies do not allow.
pub fn organizations(
    world: &World,
    session: &Session,
    operation: &str,
    body: &[u8],
) -> Result<(), ApiError> {
    let subject = || Subject {
        arn: organizations_arn(world, body),
        tags: BTreeMap::new(),
    };
    check(
        world,
        session,
        [format!("organizations:{operation}")],
        BTreeMap::new(),
        subject,
    )
    .map_err(|message| ApiError::new(400, "AccessDeniedException", message))
}

/// Refuses a call to CloudTrail that the caller's own policies do not allow; what it looks up is narrowed by nothing.
pub fn cloudtrail(world: &World, session: &Session, operation: &str) -> Result<(), ApiError> {
    let subject = || Subject {
        arn: "*".to_owned(),
        tags: BTreeMap::new(),
    };
    check(
        world,
        session,
        [format!("cloudtrail:{operation}")],
        BTreeMap::new(),
        subject,
    )
    .map_err(|message| ApiError::new(400, "AccessDeniedException", message))
}

fn check(
    world: &World,
    session: &Session,
    actions: impl IntoIterator<Item = String>,
    asked: BTreeMap<String, Vec<String>>,
    subject: impl FnOnce() -> Subject,
) -> Result<(), String> {
    // An account's root may do everything in it.
    if world.permissions == Permissions::Ignored || session.arn.ends_with(":root") {
        return Ok(());
    }
    let Subject { arn, tags } = subject();
    let caller = Caller::of(world, session);
    let mut context = caller.context.clone();
    context.extend(asked);
    context.extend(
        tags.into_iter()
            .map(|(key, value)| (format!("aws:ResourceTag/{key}"), vec![value])),
    );
    for action in actions {
        if caller
            .own
            .decide(&caller.request(&action, &arn, &context))
            .0
            != Decision::Allow
        {
            return Err(format!(
                "User: {} is not authorized to perform: {action} on resource: {arn} because no identity-based policy \
                 allows the {action} action",
                session.arn
            ));
        }
    }
    Ok(())
}

/// What a call says of tags, as condition keys: those it gives, and the keys of those it gives or takes away.
pub(super) fn asked_tags(params: &Params) -> BTreeMap<String, Vec<String>> {
    let given = params.structs("Tags");
    let given: Vec<(&str, &str)> = given
        .iter()
        .filter_map(|tag| Some((tag.get("Key")?, tag.get("Value").unwrap_or_default())))
        .collect();
    let keys = given
        .iter()
        .map(|(key, _)| (*key).to_owned())
        .chain(params.list("TagKeys").into_iter().map(str::to_owned));
    let keys: Vec<String> = keys.collect();
    let mut context: BTreeMap<String, Vec<String>> = given
        .iter()
        .map(|(key, value)| (format!("aws:RequestTag/{key}"), vec![(*value).to_owned()]))
        .collect();
    if !keys.is_empty() {
        context.insert("aws:TagKeys".to_owned(), keys);
    }
    context
}

/// Which entity a call to IAM is about.
fn iam_subject(world: &World, session: &Session, operation: &str, params: &Params) -> Subject {
    let none = IamState::default();
    let iam = world
        .accounts
        .get(&session.account)
        .map_or(&none, |account| &account.iam);
    let now = world.clock.now();
    let given = |name: &str| {
        params
            .get(name)
            .map(|value| (value.to_owned(), value.to_lowercase()))
    };
    let asked_path = params.get("Path").unwrap_or("/").to_owned();
    let arn = |kind: &str, path: &str, name: &str| {
        format!(
            "arn:{}:iam::{}:{kind}{path}{name}",
            world.partition, session.account
        )
    };
    let subject =
        |kind: &str, name: String, found: Option<(&String, &String, BTreeMap<String, String>)>| {
            match found {
                Some((path, name, tags)) => Subject {
                    arn: arn(kind, path, name),
                    tags,
                },
                None => Subject {
                    arn: arn(kind, &asked_path, &name),
                    tags: BTreeMap::new(),
                },
            }
        };
    if let Some((name, key)) = given("InstanceProfileName") {
        let found = iam
            .profiles
            .get(&key)
            .map(|found| (&found.path, &found.name, found.tags.clone()));
        return subject("instance-profile", name, found);
    }
    if let Some((name, key)) = given("RoleName") {
        let found = iam.roles.get(&key).and_then(|role| role.visible(now));
        return subject(
            "role",
            name,
            found.map(|found| (&found.path, &found.name, found.tags.clone())),
        );
    }
    if let Some((name, key)) = given("UserName") {
        let found = iam
            .users
            .get(&key)
            .map(|found| (&found.path, &found.name, found.tags.clone()));
        return subject("user", name, found);
    }
    if let Some((name, key)) = given("GroupName") {
        let found = iam
            .groups
            .get(&key)
            .map(|found| (&found.path, &found.name, BTreeMap::new()));
        return subject("group", name, found);
    }
    if let Some(arn) = params
        .get("PolicyArn")
        .or_else(|| params.get("PolicySourceArn"))
    {
        let key = arn.rsplit('/').next().unwrap_or_default().to_lowercase();
        let found = iam
            .policies
            .get(&key)
            .and_then(|policy| policy.visible(now));
        return Subject {
            arn: arn.to_owned(),
            tags: found.map(|found| found.tags.clone()).unwrap_or_default(),
        };
    }
    match given("PolicyName").filter(|_| operation == "CreatePolicy") {
        Some((name, _)) => subject("policy", name, None),
        None => Subject {
            arn: "*".to_owned(),
            tags: BTreeMap::new(),
        },
    }
}

/// Which part of the organization a call is about.
fn organizations_arn(world: &World, body: &[u8]) -> String {
    let input: Value = serde_json::from_slice(body).unwrap_or_default();
    let named = ["ParentId", "ResourceId", "AccountId"]
        .iter()
        .find_map(|name| input.get(name)?.as_str());
    let Some(id) = named else {
        return "*".to_owned();
    };
    let kind = match id.split('-').next() {
        Some("r") => "root",
        Some("ou") => "ou",
        _ => "account",
    };
    let organization = &world.organization;
    let (partition, management) = (&world.partition, organization.management_account);
    format!(
        "arn:{partition}:organizations::{management}:{kind}/{}/{id}",
        organization.id
    )
}
