//! Roles, users and groups as holders of policies: what is the same for all three.

use std::collections::BTreeMap;

use super::super::wire::{ApiError, Params};
use super::entity::Iam;

/// Which kind of entity an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Role,
    User,
    Group,
}

/// The policies of one holder.
pub(super) struct Held {
    /// Its name.
    pub name: String,
    /// Inline policies by name.
    pub inline: BTreeMap<String, String>,
    /// ARNs of attached policies, oldest first.
    pub attached: Vec<String>,
}

impl Holder {
    /// How sentences and quotas name the kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// What a read sees of the holder that `params` name.
    pub fn seen(self, iam: &Iam<'_>, params: &Params) -> Result<Held, ApiError> {
        let (name, inline, attached) = match self {
            Self::Role => {
                let role = iam.seen_role(params)?;
                (&role.name, &role.inline, &role.attached)
            }
            Self::User => {
                let user = iam.user(params)?;
                (&user.name, &user.inline, &user.attached)
            }
            Self::Group => {
                let group = iam.group(params)?;
                (&group.name, &group.inline, &group.attached)
            }
        };
        Ok(Held {
            name: name.clone(),
            inline: inline.clone(),
            attached: attached.clone(),
        })
    }

    /// The truth about the holder that `params` name, to be changed.
    pub fn to_change(self, iam: &Iam<'_>, params: &Params) -> Result<Held, ApiError> {
        match self {
            Self::Role => {
                let role = iam.role_to_change(params)?;
                Ok(Held {
                    name: role.name,
                    inline: role.inline,
                    attached: role.attached,
                })
            }
            Self::User | Self::Group => self.seen(iam, params),
        }
    }

    /// Writes back what [`to_change`](Self::to_change) gave.
    pub fn put(self, iam: &mut Iam<'_>, held: Held) {
        let Held {
            name,
            inline,
            attached,
        } = held;
        let key = name.to_ascii_lowercase();
        match self {
            Self::Role => {
                let role = iam
                    .state
                    .roles
                    .get(&key)
                    .and_then(|role| role.latest())
                    .map(|role| role.as_ref().clone());
                if let Some(mut role) = role {
                    (role.inline, role.attached) = (inline, attached);
                    iam.put_role(role);
                }
            }
            Self::User => {
                if let Some(user) = iam.state.users.get_mut(&key) {
                    (user.inline, user.attached) = (inline, attached);
                }
            }
            Self::Group => {
                if let Some(group) = iam.state.groups.get_mut(&key) {
                    (group.inline, group.attached) = (inline, attached);
                }
            }
        }
    }
}

/// Whether to look at what reads see or at the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Seen,
    Latest,
}

/// One role, user or group of the account.
pub(super) struct Entity<'a> {
    pub holder: Holder,
    pub name: &'a str,
    pub id: &'a str,
    pub path: &'a str,
    pub attached: &'a [String],
    pub boundary: Option<&'a str>,
}

/// Every group, role and user of the account.
pub(super) fn entities<'a>(iam: &'a Iam<'_>, view: View) -> impl Iterator<Item = Entity<'a>> {
    let groups = iam.state.groups.values().map(|group| Entity {
        holder: Holder::Group,
        name: &group.name,
        id: &group.id,
        path: &group.path,
        attached: &group.attached,
        boundary: None,
    });
    let roles = iam.state.roles.values().filter_map(move |role| {
        let role = match view {
            View::Seen => role.visible(iam.now),
            View::Latest => role.latest(),
        }?;
        Some(Entity {
            holder: Holder::Role,
            name: &role.name,
            id: &role.id,
            path: &role.path,
            attached: &role.attached,
            boundary: role.boundary.as_deref(),
        })
    });
    let users = iam.state.users.values().map(|user| Entity {
        holder: Holder::User,
        name: &user.name,
        id: &user.id,
        path: &user.path,
        attached: &user.attached,
        boundary: user.boundary.as_deref(),
    });
    groups.chain(roles).chain(users)
}
