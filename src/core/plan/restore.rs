//! The way back: makes what a run found the desired state.
//!
//! Only what is still as the run left it is taken back; whatever was done to it since would be lost otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::fingerprint::is_as_left;
use super::mask::conceal;
use super::memory::remember;
use super::{Finding, ResourceKind, Settings};
use crate::desired::AccountDesired;
use crate::live::LiveAccount;
use crate::resource::attachment::{Attachment, AttachmentId, Item, Placed};
use crate::resource::grant::{Grant, Principal};
use crate::resource::managed_policy::ManagedPolicy;
use crate::resource::name::{IamPath, PolicyArn, PolicyName, RoleName};
use crate::resource::policy::{PolicyDocument, PolicyKind};
use crate::resource::role::{Ensure, LiveRole, Manage, Mode, PolicyRef, Role};
use crate::resource::secret::Secrets;
use crate::resource::{Origin, Tags};

/// A resource that a run wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The address of the resource.
    pub address: String,
    /// Its attributes as the run found them, `null` where it was not there; sensitive values are salted digests.
    pub before: Value,
    /// `sha256:…` of it as the run left it.
    pub expected: String,
    /// Whether description and duration are part of that.
    pub details: bool,
}

/// What an account is to hold so that a run is undone there.
#[derive(Debug, Default)]
pub struct WayBack {
    /// What the run found.
    pub desired: AccountDesired,
    /// What there is, of what is still as the run left it. Nothing else is touched.
    pub live: LiveAccount,
    /// What is left alone, and why.
    pub left: Vec<Finding>,
}

/// Finds the way back in one account. `live` holds the resources of `found`, with the tags of policies.
///
/// # Guarantees
/// - Only a resource that is still as the run left it is in the result. Everything else is left unchanged, with a finding
///   that says why.
/// - A value that is recorded as a digest is restored only if one of the current sensitive values matches it.
///
/// # Assumptions
/// - `found` is one run's record of this account, and `salt` the salt of that record.
pub fn way_back(settings: &Settings, found: &[Found], live: &LiveAccount, salt: &str) -> WayBack {
    let mut back = WayBack::default();
    back.live.known_policies.clone_from(&live.known_policies);
    back.live
        .similar_policies
        .clone_from(&live.similar_policies);
    for one in found {
        match take_back(settings, one, live, salt, &mut back) {
            Ok(()) => {}
            Err(why) => {
                let message = format!("`{}` {why}; it is left unchanged", one.address);
                back.left
                    .push(Finding::warn("left-alone", &one.address, message));
            }
        }
    }
    back
}

fn take_back(
    settings: &Settings,
    found: &Found,
    live: &LiveAccount,
    salt: &str,
    back: &mut WayBack,
) -> Result<(), String> {
    let Found {
        address,
        before,
        expected,
        details,
    } = found;
    if !is_as_left(address, *details, expected, live) {
        let now = remember(address, live, salt, &settings.secrets)
            .map(|now| conceal(&now.values, before, &Secrets::is_sealed, salt))
            .unwrap_or_default();
        return if is_as_found(before, &now) {
            Ok(())
        } else {
            Err("has changed since the run".to_owned())
        };
    }
    let before = settings
        .secrets
        .reveal(before.clone(), salt)
        .ok_or(
            "had a sensitive value that is not among the current ones, and a record keeps none in clear; give the value \
             that it had, for example with `--var`, to roll it back",
        )?;
    let damaged = || "cannot be restored from the record".to_owned();
    let was = Recorded {
        value: &before,
        settings,
    };
    match super::resource_at(address).ok_or_else(damaged)? {
        ResourceKind::Role(name) => {
            let key = name.key();
            if !before.is_null() {
                let role = was.role(name).ok_or_else(damaged)?;
                // A record knows nothing of instance profiles, and deletion took the role out of them.
                if !live.roles.contains_key(&key) && role.trust.text().contains("ec2.amazonaws.com")
                {
                    let message = format!(
                        "`{address}` is made again, but not put back into the instance profiles that held it: the record \
                         does not name them; `aws iam add-role-to-instance-profile` does"
                    );
                    back.left
                        .push(Finding::warn("left-alone", address, message));
                }
                back.desired.roles.insert(key.clone(), Arc::new(role));
            }
            back.live
                .roles
                .extend(live.roles.get(&key).map(|role| (key, role.clone())));
        }
        ResourceKind::Policy(name) => {
            let key = name.key();
            if !before.is_null() {
                back.desired
                    .policies
                    .insert(key.clone(), Arc::new(was.policy(name).ok_or_else(damaged)?));
            }
            back.live
                .policies
                .extend(live.policies.get(&key).map(|policy| (key, policy.clone())));
        }
        ResourceKind::Attachment(id) => {
            let key = id.key();
            if !before.is_null() {
                let attachment = was.attachment(&id).ok_or_else(damaged)?;
                back.desired.attachments.insert(key, Arc::new(attachment));
            }
            if let Some(role) = live.roles.get(&id.role.key()) {
                show_attached(role, &id, &mut back.live);
            }
        }
        ResourceKind::Grant(principal) => {
            let key = principal.key();
            if !before.is_null() {
                back.desired.grants.insert(
                    key.clone(),
                    Arc::new(was.grant(principal).ok_or_else(damaged)?),
                );
            }
            back.live
                .grants
                .extend(live.grants.get(&key).map(|grant| (key, grant.clone())));
        }
    }
    Ok(())
}

/// Shows of a role of another owner what the run attached to it, and nothing that could be taken for this directory's. A
/// role that the run wrote itself is shown whole.
fn show_attached(role: &LiveRole, id: &AttachmentId, live: &mut LiveAccount) {
    let shown = live
        .roles
        .entry(role.name.key())
        .or_insert_with(|| LiveRole {
            managed_policies: BTreeSet::new(),
            inline_policies: BTreeMap::new(),
            tags: Tags::new(),
            ..role.clone()
        });
    match (id.find(role), &id.policy) {
        (Some(Placed::Managed(arn)), _) => _ = shown.managed_policies.insert(arn.clone()),
        (Some(Placed::Inline(document)), Item::Inline(name)) => {
            shown.inline_policies.insert(name.clone(), document.clone());
        }
        (Some(Placed::Inline(_)) | None, _) => {}
    }
}

/// Attributes that are not always read; unread, they are `null`.
const OPTIONAL: [&str; 3] = ["description", "max_session_duration", "tags"];

/// Whether a resource is as it is recorded, as far as it was read then and now.
fn is_as_found(before: &Value, now: &Value) -> bool {
    let (Some(before), Some(now)) = (before.as_object(), now.as_object()) else {
        return before == now;
    };
    before.iter().all(|(attribute, was)| {
        let now = now.get(attribute).unwrap_or(&Value::Null);
        was == now || OPTIONAL.contains(&attribute.as_str()) && (was.is_null() || now.is_null())
    })
}

/// A resource's attributes as they are recorded.
struct Recorded<'a> {
    value: &'a Value,
    settings: &'a Settings,
}

impl Recorded<'_> {
    fn text(&self, attribute: &str) -> Option<&str> {
        self.value.get(attribute)?.as_str()
    }

    fn path(&self) -> Option<IamPath> {
        IamPath::parse(self.text("path")?).ok()
    }

    fn tags(&self) -> Option<Tags> {
        serde_json::from_value(self.value.get("tags")?.clone()).ok()
    }

    fn document(&self, value: &Value, kind: PolicyKind) -> PolicyDocument {
        PolicyDocument::live(&value.to_string(), kind, &self.settings.partition)
    }

    fn role(&self, name: RoleName) -> Option<Role> {
        let attached: BTreeSet<PolicyArn> =
            serde_json::from_value(self.value.get("managed_policies")?.clone()).ok()?;
        let inline: BTreeMap<PolicyName, Value> =
            serde_json::from_value(self.value.get("inline_policies")?.clone()).ok()?;
        let boundary: Option<PolicyArn> =
            serde_json::from_value(self.value.get("permissions_boundary")?.clone()).ok()?;
        let inline = inline
            .into_iter()
            .filter(|(name, _)| !name.is_known_by_name());
        Some(Role {
            name,
            path: Some(self.path()?),
            description: self.text("description").map(str::to_owned),
            max_session_duration: self
                .value
                .get("max_session_duration")?
                .as_u64()
                .and_then(|n| u32::try_from(n).ok()),
            trust: self.document(self.value.get("trust")?, PolicyKind::Trust),
            managed_policies: Some(attached.into_iter().map(PolicyRef::Arn).collect()),
            inline_policies: Some(
                inline
                    .map(|(name, value)| (name, self.document(&value, PolicyKind::Identity)))
                    .collect(),
            ),
            permissions_boundary: Some(boundary.map(PolicyRef::Arn)),
            tags: Some(self.tags()?),
            manage: Manage {
                tags: Mode::Exclusive,
                ..Manage::default()
            },
            adopt: false,
            create: true,
            ensure: Ensure::Present,
            external: false,
            prevent_destroy: false,
            former_stack: None,
            expires: None,
            expect: Vec::new(),
            origin: Origin::default(),
        })
    }

    fn policy(&self, name: PolicyName) -> Option<ManagedPolicy> {
        Some(ManagedPolicy {
            name,
            path: Some(self.path()?),
            description: self.text("description").map(str::to_owned),
            document: self.document(self.value.get("document")?, PolicyKind::Identity),
            tags: self.tags(),
            adopt: false,
            prevent_destroy: false,
            former_stack: None,
            origin: Origin::default(),
        })
    }

    fn attachment(&self, id: &AttachmentId) -> Option<Attachment> {
        let (document, arn) = match &id.policy {
            Item::Managed(_) => {
                let arn = self.value.pointer("/managed_policies/0")?.as_str()?;
                (None, Some(PolicyArn::parse(arn).ok()?))
            }
            Item::Inline(_) => {
                let document = self.value.get("document")?;
                (Some(self.document(document, PolicyKind::Identity)), None)
            }
        };
        Some(Attachment {
            id: id.clone(),
            document,
            arn,
            origin: Origin::default(),
        })
    }

    fn grant(&self, principal: Principal) -> Option<Grant> {
        let roles = self.value.pointer("/document/Statement/0/Resource")?;
        let roles = serde_json::from_value(roles.clone()).ok()?;
        // A record holds the ARNs as they were.
        Some(Grant {
            principal,
            roles,
            unplaced: BTreeSet::new(),
            origin: Origin::default(),
        })
    }
}
