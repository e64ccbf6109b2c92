//! `[[grant]]`: which principals may assume a role, gathered into one policy for each of them.
//!
//! A grant is rendered for each account that its role lives in. The principals' accounts are others as a rule, so what is
//! granted is gathered over all of them before it is anybody's desired state.

use std::collections::{BTreeMap, BTreeSet};

use super::module::Instance;
use super::narrow::NarrowScope;
use super::place::Place;
use super::problem::{Problem, Problems, did_you_mean};
use super::resource::{Kind, Resource};
use super::tree::Node;
use super::{check, settings, target};
use crate::desired::Desired;
use crate::org::{AccountId, Organization, Partition};
use crate::resource::Origin;
use crate::resource::grant::{Grant, OutsideGrant, Principal};
use crate::resource::role::Role;

/// A grant as it is rendered for one account that its role lives in.
#[derive(Debug)]
pub(super) struct Written {
    /// The role's name.
    pub role: String,
    pub role_place: Place,
    pub to: Vec<Grantee>,
    pub origin: Origin,
}

impl Written {
    /// What each principal is granted, in a placeholder account.
    pub(super) fn to_anybody(&self) -> impl Iterator<Item = Grant> {
        let roles = BTreeSet::from([format!("arn:*:iam::*:role/{}", self.role)]);
        let grant = move |to: &Grantee| {
            let (principal, origin) = (to.principal.clone(), self.origin.clone());
            Grant {
                principal,
                roles: roles.clone(),
                unplaced: BTreeSet::new(),
                origin,
            }
        };
        self.to.iter().map(grant)
    }
}

/// One principal of a grant.
#[derive(Debug)]
pub(super) struct Grantee {
    /// Its account: an id, a name, or `management`.
    account: String,
    place: Place,
    principal: Principal,
}

/// Reads a rendered grant; `None` where a problem keeps it from being one.
pub(super) fn read(
    node: &Node,
    title: &str,
    origin: Origin,
    problems: &mut Problems,
) -> Option<Written> {
    let table = node.as_table()?;
    let role = table.get("role")?;
    let (key, to) = table.entry("to")?;
    if to.items().is_empty() {
        let problem = Problem::error("value", &key.place, format!("{title} has an empty `to`"));
        problems.push(problem.hint("to = [{ account = \"…\", user = \"…\" }]"));
    }
    let to: Vec<Option<Grantee>> = to
        .items()
        .iter()
        .map(|item| grantee(item, title, problems))
        .collect();
    Some(Written {
        role: role.as_str()?.to_owned(),
        role_place: role.place.clone(),
        to: to.into_iter().collect::<Option<_>>()?,
        origin,
    })
}

fn grantee(node: &Node, title: &str, problems: &mut Problems) -> Option<Grantee> {
    let table = node.as_table()?;
    let account = table.get("account")?;
    target::check_account_text(account.as_str()?, &account.place, problems);
    let kinds = ["user", "group", "role"];
    let written: Vec<(&str, &Node)> = kinds
        .into_iter()
        .filter_map(|kind| Some((kind, table.get(kind)?)))
        .collect();
    let [(kind, name)] = written.as_slice() else {
        let message = match written.len() {
            0 => format!("{title} names an account but no principal in it"),
            _ => format!("{title} names several principals in one table"),
        };
        problems.push(
            Problem::error("value", &node.place, message)
                .hint("each table needs exactly one of user, group and role"),
        );
        return None;
    };
    let text = name.as_str()?;
    if (*kind, text) == ("user", "root") {
        let message = format!("{title} is to the root user, which cannot assume roles");
        let hint = "create a user or role in that account and grant to it; a trust policy that names `…:root` means the whole account";
        problems.push(Problem::error("value", &name.place, message).hint(hint));
        return None;
    }
    let principal = check::name(Principal::parse(kind, text)?, &name.place, problems)?;
    Some(Grantee {
        account: account.as_str()?.to_owned(),
        place: account.place.clone(),
        principal,
    })
}

/// Reports grants whose role is nowhere in the directory, as far as literal names show it.
pub(super) fn check_roles(resources: &[Resource], instances: &[Instance], problems: &mut Problems) {
    let roles: Option<BTreeSet<&str>> = resources
        .iter()
        .filter(|one| one.kind == Kind::Role)
        .map(Resource::literal_name)
        .collect();
    let Some(roles) = roles else { return };
    for grant in resources.iter().filter(|one| one.kind == Kind::Grant) {
        let Some(role) = grant.node.as_table().and_then(|table| table.get("role")) else {
            continue;
        };
        if let Some(name) = role.as_str().filter(|name| !roles.contains(name)) {
            let chain = instances
                .get(grant.instance)
                .map(|instance| instance.chain.clone())
                .unwrap_or_default();
            problems
                .push(unknown_role(name, &role.place, roles.iter().copied()).in_modules(&chain));
        }
    }
}

/// The problem of a role that is not in the directory.
pub(super) fn unknown_role<'a>(
    name: &str,
    place: &Place,
    roles: impl IntoIterator<Item = &'a str>,
) -> Problem {
    let message =
        format!("`{name}` is not a role of this directory, and only its roles can be granted");
    Problem::error("reference", place, message).maybe_hint(did_you_mean(name, roles))
}

/// The problem of a role that is in the directory and not in the account the grant is about.
pub(super) fn not_here(written: &Written) -> Problem {
    let message = format!(
        "role `{}` is granted in an account that it does not target",
        written.role
    );
    let hint = "`in` must select accounts among the role's targets; give the grant the same `when` as the role";
    Problem::error("reference", &written.role_place, message).hint(hint)
}

/// Everything that is granted, by who it is granted to.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    grants: BTreeMap<(AccountId, String), Grant>,
}

impl Ledger {
    /// Lets everyone that `written` names assume `role`, which lives in the account `home`.
    ///
    /// A role whose path is not written is taken to be at `/` until the live one is looked at.
    pub(super) fn add(
        &mut self,
        written: &Written,
        role: &Role,
        home: AccountId,
        organization: &Organization,
        problems: &mut Problems,
    ) {
        let arn = role_arn(role, home, &organization.partition);
        for Grantee {
            account,
            place,
            principal,
        } in &written.to
        {
            let account = match AccountId::parse(account) {
                Ok(id) => id,
                Err(_) => match settings::account_called(account, place, organization) {
                    Ok(id) => id,
                    Err(problem) => {
                        // A grant of a role in many accounts says it once.
                        if !problems.iter().any(|known| *known == *problem) {
                            problems.push(*problem);
                        }
                        continue;
                    }
                },
            };
            let new = || Grant {
                principal: principal.clone(),
                roles: BTreeSet::new(),
                unplaced: BTreeSet::new(),
                origin: written.origin.clone(),
            };
            let grant = self
                .grants
                .entry((account, principal.key()))
                .or_insert_with(new);
            grant.roles.insert(arn.clone());
            grant
                .unplaced
                .extend(role.path.is_none().then(|| arn.clone()));
        }
    }

    /// Makes what was gathered desired, as far as it is in scope: a principal whose account is, and to whom a role in
    /// scope is granted. Its policy names all its roles even so.
    pub(super) fn settle(
        self,
        narrow: &NarrowScope,
        organization: &Organization,
        desired: &mut Desired,
    ) {
        for ((id, key), grant) in self.grants {
            let name = |arn: &String| {
                arn.rsplit('/')
                    .next()
                    .is_some_and(|name| narrow.has_role(name))
            };
            if !grant.roles.iter().any(name) {
                continue;
            }
            match organization.accounts.get(&id) {
                None if narrow.accounts.is_empty() => {
                    desired.outside.push(OutsideGrant { account: id, grant });
                }
                Some(account) if !narrow.has_account(account, organization) => {}
                Some(account) if account.status.is_active() => {
                    desired
                        .accounts
                        .entry(id)
                        .or_default()
                        .grants
                        .insert(key, grant.into());
                }
                Some(account) => _ = desired.skipped.insert(id, account.status.to_string()),
                None => {}
            }
        }
    }
}

fn role_arn(role: &Role, account: AccountId, partition: &Partition) -> String {
    let path = role.path.clone().unwrap_or_default();
    format!("arn:{partition}:iam::{account}:role{path}{}", role.name)
}
