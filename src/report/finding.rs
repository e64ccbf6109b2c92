//! The findings of a plan, for every view: stop findings first, equal ones once with their accounts.

use std::collections::{BTreeMap, BTreeSet};

use super::group::{self, AccountName, Sameness};
use crate::plan::{Finding, Plan, Severity};

/// Equal findings and the accounts they are about.
#[derive(Debug, Clone)]
pub struct Bundle<'a> {
    /// How much it weighs now.
    pub weight: Weight,
    /// Its code.
    pub code: &'a str,
    /// Kind and name of the resource; `None` where it is about an account or the whole plan.
    pub resource: Option<(&'a str, &'a str)>,
    /// The accounts, in the plan's order; empty where it is about the whole plan.
    pub accounts: Vec<AccountName<'a>>,
    /// What, and how to fix it; with [`group::ACCOUNT`] for the id where the accounts' messages differ by that alone.
    pub message: String,
}

/// How much a finding weighs, given what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Apply is refused.
    Stop,
    /// Apply would be refused, and it was allowed.
    Allowed,
    /// It is shown.
    Warn,
}

impl Weight {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Allowed => "allowed",
            Self::Warn => "warn",
        }
    }
}

/// A finding and the account it is about.
#[derive(Clone, Copy)]
struct Located<'a> {
    account: Option<AccountName<'a>>,
    weight: Weight,
    finding: &'a Finding,
}

impl<'a> Located<'a> {
    fn message(&self, sameness: Sameness) -> String {
        match (self.account, sameness) {
            (Some(account), Sameness::Folded) => {
                group::fold_text(&self.finding.message, account.id)
            }
            _ => self.finding.message.clone(),
        }
    }

    fn resource(&self) -> Option<(&'a str, &'a str)> {
        self.finding
            .address
            .as_deref()
            .map(group::resource)
            .filter(|(_, name)| !name.is_empty())
    }

    fn key(&self, sameness: Sameness) -> (Severity, &'a str, Option<(&'a str, &'a str)>, String) {
        (
            self.finding.severity,
            self.finding.code.as_str(),
            self.resource(),
            self.message(sameness),
        )
    }
}

/// The findings of a plan, what refuses apply first.
pub fn bundles(plan: &Plan) -> Vec<Bundle<'_>> {
    let names: BTreeMap<&str, AccountName<'_>> = plan
        .accounts
        .iter()
        .map(|account| {
            (
                account.id.as_str(),
                AccountName {
                    id: account.id,
                    name: &account.name,
                },
            )
        })
        .collect();
    let refused = refused(plan);
    let mut located: Vec<Located<'_>> = plan
        .findings
        .iter()
        .map(|finding| locate(finding, &names, weight(finding, &refused)))
        .collect();
    located.sort_by_key(|located| located.weight);
    group::fold(
        located.into_iter(),
        |one| one.key(Sameness::Exact),
        |one| one.key(Sameness::Folded),
    )
    .into_iter()
    .filter_map(|(members, sameness)| bundle(&members, sameness))
    .collect()
}

fn bundle<'a>(members: &[Located<'a>], sameness: Sameness) -> Option<Bundle<'a>> {
    let first = members.first()?;
    Some(Bundle {
        weight: first.weight,
        code: &first.finding.code,
        resource: first.resource(),
        accounts: members.iter().filter_map(|member| member.account).collect(),
        message: first.message(sameness),
    })
}

fn locate<'a>(
    finding: &'a Finding,
    names: &BTreeMap<&'a str, AccountName<'a>>,
    weight: Weight,
) -> Located<'a> {
    let id = finding
        .address
        .as_deref()
        .map(|address| address.split_once('/').map_or(address, |(id, _)| id));
    Located {
        account: id.and_then(|id| names.get(id).copied()),
        weight,
        finding,
    }
}

fn weight(finding: &Finding, refused: &BTreeSet<&str>) -> Weight {
    match finding.severity {
        Severity::Stop if refused.contains(finding.code.as_str()) => Weight::Stop,
        Severity::Stop => Weight::Allowed,
        Severity::Warn => Weight::Warn,
    }
}

/// The codes for which apply is refused.
fn refused(plan: &Plan) -> BTreeSet<&str> {
    plan.stops(&BTreeSet::new())
        .into_iter()
        .map(|stop| stop.code.as_str())
        .collect()
}

/// Says how to continue if apply is blocked.
pub fn refusal(plan: &Plan) -> Option<String> {
    let refused = refused(plan);
    if refused.is_empty() {
        return None;
    }
    let all: BTreeSet<String> = refused.iter().map(|code| (*code).to_owned()).collect();
    let never: BTreeSet<&str> = plan
        .stops(&all)
        .into_iter()
        .map(|stop| stop.code.as_str())
        .collect();
    let flags: Vec<String> = refused
        .difference(&never)
        .map(|code| format!("--allow {code}"))
        .collect();
    let accept = if flags.is_empty() {
        String::new()
    } else {
        format!(", or override them with {}", flags.join(" "))
    };
    let never: Vec<&str> = never.into_iter().collect();
    let firm = if never.is_empty() {
        String::new()
    } else {
        format!(" ({} cannot be allowed)", never.join(", "))
    };
    Some(format!(
        "Apply is blocked by the stop findings. Fix them{accept}{firm}"
    ))
}
