//! Builds the plan from the accounts' plans, and checks it as a whole.

use std::collections::BTreeSet;

use super::{
    AccountPlan, Action, FORMAT, Finding, Header, Intent, Plan, Settings, Severity, Status,
    Summary, order,
};

/// Findings that no `--allow` overrides.
const NEVER_ALLOWED: &[&str] = &["foreign-owner", "protected-role"];

/// The guard on the share of what is owned begins above this many resources: one of three is not a disaster.
const FEW: usize = 10;

/// Puts the plans of accounts together. Their order does not matter.
///
/// # Guarantees
/// - The same accounts, in any order, make the same plan.
/// - A role that another planned trust policy names is created first, across accounts; a cycle takes two passes.
/// - Sensitive values are masked in every message. Findings are sorted, the gravest first, and none is there twice.
///
/// # Assumptions
/// - Each account is in `accounts` once, including those that are skipped or could not be read: guards count them.
pub fn build(header: Header, settings: &Settings, mut accounts: Vec<AccountPlan>) -> Plan {
    accounts.sort_by_key(|account| account.id);
    order::across(&mut accounts, &settings.partition);
    let summary = summary(&accounts);
    let mut findings = whole(settings, &accounts);
    for account in &mut accounts {
        findings.append(&mut account.findings);
        (
            account.unchanged,
            account.owned,
            account.orphans,
            account.desired,
        ) = (0, 0, 0, 0);
    }
    for finding in &mut findings {
        finding.message = settings.secrets.mask(&finding.message);
    }
    sort(&mut findings);
    let Header {
        organization_id,
        created_at,
        desired_digest,
        scope,
    } = header;
    Plan {
        format: FORMAT.to_owned(),
        name: settings.name.clone(),
        organization_id,
        created_at,
        desired_digest,
        scope,
        accounts,
        findings,
        allowed: settings.allow.clone(),
        summary,
    }
}

fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|one, other| {
        (one.severity, &one.code, &one.address).cmp(&(other.severity, &other.code, &other.address))
    });
    findings.dedup();
}

impl Plan {
    /// Counts the changes and steps again, once some were taken out.
    pub(super) fn recount(&mut self) {
        let Summary {
            unchanged, orphans, ..
        } = self.summary;
        self.summary = Summary {
            unchanged,
            orphans,
            ..summary(&self.accounts)
        };
    }

    /// The same with more findings, as of the checks of the desired state.
    #[must_use]
    pub fn with_findings(mut self, more: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(more);
        sort(&mut self.findings);
        self
    }

    /// The stop findings that were not allowed: neither when the plan was made nor in `extra`. Apply is refused while
    /// there is one.
    pub fn stops(&self, extra: &BTreeSet<String>) -> Vec<&Finding> {
        let allowed = |code: &String| {
            !NEVER_ALLOWED.contains(&code.as_str())
                && (self.allowed.contains(code) || extra.contains(code))
        };
        self.findings
            .iter()
            .filter(|one| one.severity == Severity::Stop && !allowed(&one.code))
            .collect()
    }
}

fn summary(accounts: &[AccountPlan]) -> Summary {
    let mut summary = Summary::default();
    for account in accounts {
        summary.accounts += usize::from(account.status != Status::Skipped);
        summary.unreadable += usize::from(account.status == Status::Unreadable);
        summary.unchanged += account.unchanged;
        summary.orphans += account.orphans;
        for change in &account.changes {
            summary.steps += change.steps.len();
            *match change.action {
                _ if change.cosmetic => &mut summary.cosmetic,
                Action::Create => &mut summary.create,
                Action::Update => &mut summary.update,
                Action::Replace => &mut summary.replace,
                Action::Delete => &mut summary.delete,
                Action::Adopt => &mut summary.adopt,
            } += 1;
        }
    }
    summary
}

/// What speaks against the plan as a whole.
fn whole(settings: &Settings, accounts: &[AccountPlan]) -> Vec<Finding> {
    let owned: usize = accounts.iter().map(|account| account.owned).sum();
    let desired: usize = accounts.iter().map(|account| account.desired).sum();
    let guards = [
        deletes(settings, accounts),
        change_percent(settings, accounts, owned),
        empty_desired(settings, accounts, desired, owned),
        empty_organization(accounts),
        management_account(settings, accounts),
    ];
    guards.into_iter().flatten().collect()
}

fn stop(code: &str, message: String) -> Finding {
    Finding {
        code: code.to_owned(),
        severity: Severity::Stop,
        address: None,
        message,
    }
}

/// How many changes the limits count.
#[derive(Debug, Default)]
struct Counted {
    updates: usize,
    replaces: usize,
    deletes: usize,
    /// Left out, because an unfinished run began them.
    begun: usize,
}

impl Counted {
    fn of(settings: &Settings, accounts: &[AccountPlan]) -> Self {
        let mut counted = Self::default();
        let changes = accounts
            .iter()
            .flat_map(|account| &account.changes)
            .filter(|change| !change.cosmetic);
        for change in changes {
            *match change.action {
                Action::Create | Action::Adopt => continue,
                _ if settings.begun.contains(&change.address) => &mut counted.begun,
                Action::Update => &mut counted.updates,
                Action::Replace => &mut counted.replaces,
                Action::Delete => &mut counted.deletes,
            } += 1;
        }
        counted
    }

    /// What is said of those left out.
    fn besides(&self) -> String {
        match self.begun {
            0 => String::new(),
            n => format!(", besides {n} that an unfinished run started"),
        }
    }
}

/// Whether the plan does more than a limit allows, whoever began it.
pub fn exceeds_limits(settings: &Settings, accounts: &[AccountPlan]) -> bool {
    let owned = accounts.iter().map(|account| account.owned).sum();
    deletes(settings, accounts).is_some() || change_percent(settings, accounts, owned).is_some()
}

fn deletes(settings: &Settings, accounts: &[AccountPlan]) -> Option<Finding> {
    let counted = Counted::of(settings, accounts);
    let Counted {
        updates: _,
        replaces,
        deletes,
        begun: _,
    } = counted;
    let limit = settings.limits.max_deletes;
    (deletes + replaces > limit).then(|| {
        stop(
            "deletes",
            format!(
                "the plan deletes {deletes} and replaces {replaces} resources{}; `max_deletes` is {limit}; \
                 allow it with `--allow deletes` if this is intended",
                counted.besides()
            ),
        )
    })
}

fn change_percent(settings: &Settings, accounts: &[AccountPlan], owned: usize) -> Option<Finding> {
    let counted = Counted::of(settings, accounts);
    let Counted {
        updates,
        replaces,
        deletes,
        begun: _,
    } = counted;
    let count = updates + replaces + deletes;
    let limit = settings.limits.max_change_percent;
    let over = count.saturating_mul(100) > owned.saturating_mul(limit);
    (owned > FEW && over).then(|| {
        stop(
            "change-percent",
            format!(
                "the plan updates, replaces or deletes {count} of {owned} managed resources{}; \
                 `max_change_percent` is {limit}; allow it with `--allow change-percent` if this is intended",
                counted.besides()
            ),
        )
    })
}

fn empty_desired(
    settings: &Settings,
    accounts: &[AccountPlan],
    desired: usize,
    owned: usize,
) -> Option<Finding> {
    let read = accounts
        .iter()
        .any(|account| account.status == Status::Read);
    (settings.intent == Intent::Converge && read && desired == 0 && owned > 0).then(|| {
        stop(
            "empty-desired",
            format!(
                "the desired state is empty, but this directory still manages {}; \
                 check that the right files were read",
                match owned {
                    1 => "1 resource".to_owned(),
                    n => format!("{n} resources"),
                }
            ),
        )
    })
}

fn empty_organization(accounts: &[AccountPlan]) -> Option<Finding> {
    accounts.is_empty().then(|| {
        stop(
            "empty-organization",
            "the plan covers no account; check the targets and the caller's credentials".to_owned(),
        )
    })
}

fn management_account(settings: &Settings, accounts: &[AccountPlan]) -> Option<Finding> {
    let id = settings.management_account;
    let reached = accounts
        .iter()
        .any(|account| account.id == id && account.desired > 0);
    reached.then(|| Finding {
        severity: Severity::Warn,
        ..stop(
            "management-account",
            format!("targets reach the management account {id}, where service control policies do not apply; exclude it with `exclude = [{{ account = \"management\" }}]`"),
        )
    })
}
