//! Everything in `rolecall.toml` that is not a resource: its name, how accounts are entered, rollout and limits.

use super::place::Place;
use super::problem::{Problem, Problems, did_you_mean};
use super::scope::{Found, Scope};
use super::tree::{Node, Table};
use super::vars::{Values, Variables};
use super::{check, render};
use crate::desired::Limits;
use crate::org::{Account, AccountId, AccountPattern, Organization};

/// What `[account.X]` says.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// The id or name it is written under.
    pub key: String,
    /// Where the table is.
    pub place: Place,
    /// Another role to enter it by.
    pub access_role: Option<Node>,
    /// Its own values of variables.
    pub values: Values,
}

/// How accounts are entered.
#[derive(Debug, Clone)]
pub struct Access {
    /// The session name of the assumed role.
    pub session_name: String,
    /// The external id of the access role.
    pub external_id: Option<String>,
    /// The role assumed where an account names no other.
    pub default_role: String,
    pub(super) per_account: Vec<(AccountSettings, Option<String>)>,
}

impl Access {
    /// Every role that accounts are entered by, with the id or name of the account that names it for itself.
    pub fn roles(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let own = self
            .per_account
            .iter()
            .filter_map(|(settings, role)| Some((Some(settings.key.as_str()), role.as_deref()?)));
        std::iter::once((None, self.default_role.as_str())).chain(own)
    }

    /// The role to assume in `account`.
    ///
    /// # Errors
    /// Where a `[account.NAME]` with a role of its own names more than one account, this one among them.
    pub fn role_for(
        &self,
        account: &Account,
        organization: &Organization,
    ) -> Result<String, Box<Problem>> {
        for (settings, role) in &self.per_account {
            if let Some(role) = role
                && may_mean(settings, account, organization)
                && resolve(settings, organization)? == account.id
            {
                return Ok(role.clone());
            }
        }
        Ok(self.default_role.clone())
    }
}

fn may_mean(settings: &AccountSettings, account: &Account, organization: &Organization) -> bool {
    let key = settings.key.as_str();
    key == account.id.as_str()
        || key == account.name
        || account.id == organization.management_account
}

/// The account that `[account.X]` means: by id, or by a name that exactly one account has.
pub fn resolve(
    settings: &AccountSettings,
    organization: &Organization,
) -> Result<AccountId, Box<Problem>> {
    let AccountSettings { key, place, .. } = settings;
    account_called(key, place, organization)
}

/// The account with this id, the management account, or the one account of this name.
pub fn account_called(
    key: &str,
    place: &Place,
    organization: &Organization,
) -> Result<AccountId, Box<Problem>> {
    let names = || {
        organization
            .accounts
            .values()
            .map(|account| account.name.as_str())
    };
    let problem = |message: String| Problem::error("account", place, message);
    if let Ok(id) = AccountId::parse(key) {
        if organization.accounts.contains_key(&id) {
            return Ok(id);
        }
        let ids = organization.accounts.keys().map(AccountId::as_str);
        let message = format!("account {id} is not in organization {}", organization.id);
        return Err(Box::new(
            problem(message).maybe_hint(did_you_mean(key, ids)),
        ));
    }
    if AccountPattern::parse(key) == AccountPattern::Management {
        return Ok(organization.management_account);
    }
    let found: Vec<&Account> = organization
        .accounts
        .values()
        .filter(|account| account.name == key)
        .collect();
    match found.as_slice() {
        [account] => Ok(account.id),
        [] => {
            let message = format!(
                "no account of organization {} is called `{key}`",
                organization.id
            );
            Err(Box::new(
                problem(message).maybe_hint(did_you_mean(key, names())),
            ))
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|account| account.id.as_str()).collect();
            let message = format!(
                "{} accounts are called `{key}`: {}",
                several.len(),
                ids.join(", ")
            );
            Err(Box::new(
                problem(message).hint("write the id instead of the name"),
            ))
        }
    }
}

/// Reads `[limits]`.
pub fn limits(table: &Table, problems: &mut Problems) -> Limits {
    let default = Limits::default();
    Limits {
        max_deletes: count(table, "max_deletes", 0, problems).unwrap_or(default.max_deletes),
        max_change_percent: count(table, "max_change_percent", 0, problems)
            .unwrap_or(default.max_change_percent),
    }
}

pub(super) fn count(
    table: &Table,
    key: &str,
    least: i64,
    problems: &mut Problems,
) -> Option<usize> {
    let node = table.get(key)?;
    let number = node.as_integer()?;
    if number < least {
        problems.push(Problem::error(
            "value",
            &node.place,
            format!("`{key}` must be at least {least}, not {number}"),
        ));
    }
    usize::try_from(number).ok()
}

type Rule = fn(&str, &Place, &mut Problems);

/// Reads `[organization]` and the roles of `[account.X]`.
pub fn access(
    organization: &Table,
    accounts: Vec<AccountSettings>,
    variables: &Variables,
    found: &Found,
    problems: &mut Problems,
) -> Access {
    let global = Scope::directory(&variables.effective(&Values::new())).hiding(variables, found);
    let mut text = |node: Option<&Node>, scope: &Scope, rule: Option<Rule>| -> Option<String> {
        let rendered =
            render::render_alone(node?, "the access to accounts", scope, variables, problems)?;
        let text = rendered.as_str()?;
        if let Some(rule) = rule {
            rule(text, &rendered.place, problems);
        }
        Some(text.to_owned())
    };
    let session_name = text(
        organization.get("session_name"),
        &global,
        Some(check::session_name),
    );
    let external_id = text(
        organization.get("external_id"),
        &global,
        Some(check::external_id),
    );
    let default_role = text(organization.get("access_role"), &global, None);
    let per_account = accounts
        .into_iter()
        .map(|settings| {
            let scope =
                Scope::directory(&variables.effective(&settings.values)).hiding(variables, found);
            let role = text(settings.access_role.as_ref(), &scope, None);
            (settings, role)
        })
        .collect();
    Access {
        session_name: session_name.unwrap_or_else(|| "rolecall".to_owned()),
        external_id,
        default_role: default_role.unwrap_or_else(|| "OrganizationAccountAccessRole".to_owned()),
        per_account,
    }
}
