//! A caller as policies see it: its names, its own policies, and the condition keys of its requests.
//!
//! Source: IAM User Guide, AWS JSON policy elements: Principal; AWS global condition context keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{IamState, Session, World};
use rolecall_core::evaluate::{Identity, Principal, Request};
use rolecall_core::resource::policy::{PolicyDocument, PolicyKind};

/// A caller as policies see it.
#[derive(Debug)]
pub struct Caller {
    /// The names that are the caller's alone: its ARN, its role's or user's, and that one's unique id.
    names: Vec<String>,
    /// The account's root ARN, which every identity of the account goes by.
    pub root: String,
    /// Condition keys.
    pub context: BTreeMap<String, Vec<String>>,
    /// What it holds.
    pub own: Identity,
}

/// What a user, group or role holds, whichever it is.
#[derive(Debug, Default)]
pub struct Held {
    id: String,
    inline: Vec<(String, String)>,
    attached: Vec<String>,
    boundary: Option<String>,
    tags: BTreeMap<String, String>,
}

impl Caller {
    /// The caller behind `session`. A user or role that is gone has no policies left.
    pub fn of(world: &World, session: &Session) -> Self {
        let principal_arn = session.role_arn.as_ref().unwrap_or(&session.arn);
        let unique_id = session.user_id.split(':').next().unwrap_or_default();
        let iam = world
            .accounts
            .get(&session.account)
            .map(|account| &account.iam);
        let now = world.clock.now();
        let found = iam
            .and_then(|iam| Held::at(iam, now, principal_arn).filter(|held| held.id == unique_id));
        let held = found.unwrap_or_default();
        Self {
            names: vec![
                session.arn.clone(),
                principal_arn.clone(),
                unique_id.to_owned(),
            ],
            root: world.root_arn(session.account),
            context: context(world, session, principal_arn, &held),
            own: iam
                .map(|iam| held.identity(iam, now, world))
                .unwrap_or_default(),
        }
    }

    /// The caller's wish to do `action` to `resource`, to be held against policies.
    pub fn request(
        &self,
        action: &str,
        resource: &str,
        context: &BTreeMap<String, Vec<String>>,
    ) -> Request {
        let names = self
            .names
            .iter()
            .chain([&self.root])
            .map(|name| ("AWS".to_owned(), name.clone()));
        Request {
            principal: Principal {
                names: names.collect(),
            },
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: context.clone(),
            unknown: Vec::new(),
        }
    }
}

impl Held {
    /// What the user, group or role at `arn` holds.
    pub fn at(iam: &IamState, now: Duration, arn: &str) -> Option<Self> {
        let (kind, path) = arn
            .split_once(":iam::")?
            .1
            .split_once(':')?
            .1
            .split_once('/')?;
        let name = path.rsplit('/').next()?.to_lowercase();
        match kind {
            "role" => {
                let role = iam.roles.get(&name)?.visible(now)?;
                Some(Self {
                    id: role.id.clone(),
                    inline: named(&role.inline),
                    attached: role.attached.clone(),
                    boundary: role.boundary.clone(),
                    tags: role.tags.clone(),
                })
            }
            "user" => {
                let user = iam.users.get(&name)?;
                let groups = || user.groups.iter().filter_map(|group| iam.groups.get(group));
                let inline = groups().flat_map(|group| named(&group.inline));
                Some(Self {
                    id: user.id.clone(),
                    inline: named(&user.inline).into_iter().chain(inline).collect(),
                    attached: user
                        .attached
                        .iter()
                        .chain(groups().flat_map(|group| &group.attached))
                        .cloned()
                        .collect(),
                    boundary: user.boundary.clone(),
                    tags: user.tags.clone(),
                })
            }
            "group" => {
                let group = iam.groups.get(&name)?;
                let (inline, attached) = (named(&group.inline), group.attached.clone());
                Some(Self {
                    id: group.id.clone(),
                    inline,
                    attached,
                    ..Self::default()
                })
            }
            _ => None,
        }
    }

    /// The documents of it all.
    pub fn identity(&self, iam: &IamState, now: Duration, world: &World) -> Identity {
        let document =
            |text: &str| PolicyDocument::live(text, PolicyKind::Identity, &world.partition);
        let managed = |arn: &String| managed_text(world, iam, now, arn).map(|text| document(&text));
        let inline = self
            .inline
            .iter()
            .map(|(name, text)| (name.clone(), document(text)));
        let attached = self
            .attached
            .iter()
            .filter_map(|arn| Some((arn.clone(), managed(arn)?)));
        Identity {
            policies: inline.chain(attached).collect(),
            // A boundary that is gone allows nothing.
            boundary: self
                .boundary
                .as_ref()
                .map(|arn| managed(arn).unwrap_or_else(|| document("{}"))),
        }
    }
}

fn named(inline: &BTreeMap<String, String>) -> Vec<(String, String)> {
    inline
        .iter()
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect()
}

/// The document in force of the managed policy at `arn`.
fn managed_text(world: &World, iam: &IamState, now: Duration, arn: &str) -> Option<String> {
    if let Some(managed) = world.aws_managed(arn) {
        return Some(managed.document.to_string());
    }
    let name = arn.rsplit('/').next()?.to_lowercase();
    let policy = iam.policies.get(&name)?.visible(now)?;
    let version = policy
        .versions
        .iter()
        .find(|version| version.id == policy.default_version)?;
    Some(version.document.clone())
}

fn context(
    world: &World,
    session: &Session,
    principal_arn: &str,
    held: &Held,
) -> BTreeMap<String, Vec<String>> {
    let mut context = BTreeMap::new();
    let mut set = |key: &str, value: String| context.insert(key.to_owned(), vec![value]);
    set("aws:PrincipalArn", principal_arn.to_owned());
    set("aws:PrincipalAccount", session.account.to_string());
    set("aws:userid", session.user_id.clone());
    set("aws:SecureTransport", "true".to_owned());
    set(
        "aws:CurrentTime",
        jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
    );
    if let Some(account) = world.member(session.account) {
        set("aws:PrincipalOrgID", world.organization.id.clone());
        set(
            "aws:PrincipalOrgPaths",
            format!("{}/", world.organization.id_path(&account.parent)),
        );
    }
    for (key, value) in &held.tags {
        set(&format!("aws:PrincipalTag/{key}"), value.clone());
    }
    if session.role_arn.is_some() {
        set("aws:PrincipalType", "AssumedRole".to_owned());
        // Temporary credentials tell whether MFA stood behind them; long-term keys never do.
        set("aws:MultiFactorAuthPresent", "false".to_owned());
    } else if let Some((_, name)) = session.arn.split_once(":user/") {
        set("aws:PrincipalType", "User".to_owned());
        set(
            "aws:username",
            name.rsplit('/').next().unwrap_or_default().to_owned(),
        );
    } else {
        set("aws:PrincipalType", "Account".to_owned());
    }
    context
}
