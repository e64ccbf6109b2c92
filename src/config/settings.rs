//! Everything in `rolecall.toml` that is no resource: its name, how accounts are entered, rollout and limits.

use jiff::{SignedDuration, Span};

use super::check;
use super::problem::{Problem, Problems, did_you_mean};
use super::render::{self, Scope};
use super::target::{self, Targeting};
use super::tree::{Node, Place, Table, Value};
use super::vars::{Values, Variables};
use crate::org::{Account, AccountId, AccountPattern, Organization};

/// Guards against large changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A plan that deletes or replaces more is refused.
    pub max_deletes: usize,
    /// A plan that changes more of what is owned, in percent, is refused.
    pub max_change_percent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_deletes: 10, max_change_percent: 30 }
    }
}

/// A count, or a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// This many.
    Count(usize),
    /// This many of a hundred.
    Percent(u8),
}

/// One wave of a rollout.
#[derive(Debug, Clone)]
pub enum Wave {
    /// The accounts of a selector.
    Selector(Targeting),
    /// This share, in percent, of the accounts that no wave before it took.
    Percent(u8),
    /// All that are left.
    All,
}

/// How apply goes through the accounts.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Whether what is ours and no longer desired is deleted.
    pub prune: bool,
    /// Accounts at once.
    pub parallelism: Option<usize>,
    /// Failed accounts past which no further one is started.
    pub max_failures: Budget,
    /// The waves, in order; empty: all at once.
    pub waves: Vec<Wave>,
    /// How long to wait between waves.
    pub bake: SignedDuration,
}

/// What `[account.X]` says.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// The id or name it is written under.
    pub key: String,
    /// Where.
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
    /// The role to assume in `account`.
    ///
    /// # Errors
    /// Where a `[account.NAME]` with a role of its own names more than one account, this one among them.
    pub fn role_for(&self, account: &Account, organization: &Organization) -> Result<String, Box<Problem>> {
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
    key == account.id.as_str() || key == account.name || account.id == organization.management_account
}

/// The account that `[account.X]` means: by id, or by a name that exactly one account has.
pub fn resolve(settings: &AccountSettings, organization: &Organization) -> Result<AccountId, Box<Problem>> {
    let AccountSettings { key, place, .. } = settings;
    account_called(key, place, organization)
}

/// The account with this id, the management account, or the one account of this name.
pub fn account_called(key: &str, place: &Place, organization: &Organization) -> Result<AccountId, Box<Problem>> {
    let names = || organization.accounts.values().map(|account| account.name.as_str());
    let problem = |message: String| Problem::error("account", place, message);
    if let Ok(id) = AccountId::parse(key) {
        if organization.accounts.contains_key(&id) {
            return Ok(id);
        }
        let ids = organization.accounts.keys().map(AccountId::as_str);
        let message = format!("account {id} is not in organization {}", organization.id);
        return Err(Box::new(problem(message).maybe_hint(did_you_mean(key, ids))));
    }
    if AccountPattern::parse(key) == AccountPattern::Management {
        return Ok(organization.management_account);
    }
    let found: Vec<&Account> = organization.accounts.values().filter(|account| account.name == key).collect();
    match found.as_slice() {
        [account] => Ok(account.id),
        [] => {
            let message = format!("no account of organization {} is called `{key}`", organization.id);
            Err(Box::new(problem(message).maybe_hint(did_you_mean(key, names()))))
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|account| account.id.as_str()).collect();
            let message = format!("{} accounts are called `{key}`: {}", several.len(), ids.join(", "));
            Err(Box::new(problem(message).hint("write the id instead of the name")))
        }
    }
}

/// Reads `[limits]`.
pub fn limits(table: &Table, problems: &mut Problems) -> Limits {
    let default = Limits::default();
    Limits {
        max_deletes: count(table, "max_deletes", 0, problems).unwrap_or(default.max_deletes),
        max_change_percent: count(table, "max_change_percent", 0, problems).unwrap_or(default.max_change_percent),
    }
}

/// Reads `[rollout]`.
pub fn rollout(table: &Table, problems: &mut Problems) -> Rollout {
    Rollout {
        prune: table.get("prune").and_then(Node::as_bool).unwrap_or_default(),
        parallelism: count(table, "parallelism", 1, problems),
        max_failures: table.get("max_failures").and_then(|node| budget(node, problems)).unwrap_or(Budget::Count(0)),
        waves: table
            .get("waves")
            .and_then(Node::as_array)
            .map(|waves| waves.iter().filter_map(|node| wave(node, problems)).collect())
            .unwrap_or_default(),
        bake: table.get("bake").and_then(|node| duration(node, "bake", problems)).unwrap_or_default(),
    }
}

fn count(table: &Table, key: &str, least: i64, problems: &mut Problems) -> Option<usize> {
    let node = table.get(key)?;
    let number = node.as_integer()?;
    if number < least {
        problems.push(Problem::error("value", &node.place, format!("`{key}` must be at least {least}, not {number}")));
    }
    usize::try_from(number).ok()
}

fn budget(node: &Node, problems: &mut Problems) -> Option<Budget> {
    let found = match node.as_str() {
        None => node.as_integer().and_then(|number| usize::try_from(number).ok()).map(Budget::Count),
        Some(text) => text
            .strip_suffix('%')
            .and_then(|text| text.trim().parse().ok())
            .filter(|percent| *percent <= 100)
            .map(Budget::Percent),
    };
    if found.is_none() {
        let problem = Problem::error("value", &node.place, "`max_failures` must be a count or a share");
        problems.push(problem.hint("max_failures = 3, or max_failures = \"5%\""));
    }
    found
}

fn wave(node: &Node, problems: &mut Problems) -> Option<Wave> {
    let Some(table) = node.as_table() else { return Some(Wave::All) };
    let Some(percent) = table.get("percent") else {
        return target::parse(std::slice::from_ref(node), problems).map(Wave::Selector);
    };
    if table.entries.len() > 1 {
        problems.push(Problem::error("value", &node.place, "a wave is a selector or a `percent`, not both"));
    }
    let share = percent.as_integer().and_then(|number| u8::try_from(number).ok());
    let share = share.filter(|share| (1..=100).contains(share));
    if share.is_none() {
        problems.push(Problem::error("value", &percent.place, "`percent` must be from 1 to 100"));
    }
    share.map(Wave::Percent)
}

/// Reads a duration: `"1h"`, `"90m"`, or a number of seconds.
pub fn duration(node: &Node, name: &str, problems: &mut Problems) -> Option<SignedDuration> {
    let found = match &node.value {
        Value::String(text) => match text.trim().parse::<i64>() {
            Ok(seconds) => Some(SignedDuration::from_secs(seconds)),
            // A day is 24 hours here: nothing is counted on a calendar.
            Err(_) => text
                .parse::<Span>()
                .ok()
                .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()),
        },
        _ => node.as_integer().map(SignedDuration::from_secs),
    };
    let found = found.filter(|duration| !duration.is_negative());
    if found.is_none() {
        let message = format!("`{name}` is no duration");
        let hint = format!("{name} = \"1h\", {name} = \"90m\", or a number of seconds");
        problems.push(Problem::error("value", &node.place, message).hint(hint));
    }
    found
}

type Rule = fn(&str, &Place, &mut Problems);

/// Reads `[organization]` and the roles of `[account.X]`.
pub fn access(
    organization: &Table,
    accounts: Vec<AccountSettings>,
    variables: &Variables,
    problems: &mut Problems,
) -> Access {
    let global = Scope::directory(&variables.effective(&Values::new()));
    let mut text = |node: Option<&Node>, scope: &Scope, rule: Option<Rule>| -> Option<String> {
        let rendered = render::render_alone(node?, "the access to accounts", scope, variables, problems)?;
        let text = rendered.as_str()?;
        if let Some(rule) = rule {
            rule(text, &rendered.place, problems);
        }
        Some(text.to_owned())
    };
    let session_name = text(organization.get("session_name"), &global, Some(check::session_name));
    let external_id = text(organization.get("external_id"), &global, Some(check::external_id));
    let default_role = text(organization.get("access_role"), &global, None);
    let per_account = accounts
        .into_iter()
        .map(|settings| {
            let scope = Scope::directory(&variables.effective(&settings.values));
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
