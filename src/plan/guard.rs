//! Putting the accounts' plans together, and what speaks against the whole.

use std::collections::BTreeSet;

use super::{AccountPlan, Action, FORMAT, Finding, Header, Intent, Plan, Settings, Severity, Status, Summary, order};

/// Findings that no `--allow` overrides.
const NEVER_ALLOWED: &[&str] = &["foreign-owner", "protected-role"];

/// The guard on the share of what is owned begins above this many resources: one of three is no catastrophe.
const FEW: usize = 10;

/// Puts the plans of accounts together. Their order does not matter.
pub fn build(header: Header, settings: &Settings, mut accounts: Vec<AccountPlan>) -> Plan {
    accounts.sort_by_key(|account| account.id);
    order::across(&mut accounts, &settings.partition);
    let summary = summary(&accounts);
    let mut findings = whole(settings, &accounts, &summary);
    for account in &mut accounts {
        findings.append(&mut account.findings);
        (account.unchanged, account.owned, account.orphans, account.desired) = (0, 0, 0, 0);
    }
    for finding in &mut findings {
        finding.message = settings.secrets.mask(&finding.message);
    }
    sort(&mut findings);
    let Header { organization_id, created_at, desired_digest } = header;
    Plan {
        format: FORMAT.to_owned(),
        name: settings.name.clone(),
        organization_id,
        created_at,
        desired_digest,
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
    /// The same with more findings, as of the checks of the desired state.
    #[must_use]
    pub fn with_findings(mut self, more: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(more);
        sort(&mut self.findings);
        self
    }

    /// The stop findings that nobody allowed: neither when the plan was made nor in `extra`. Apply is refused while there
    /// is one.
    pub fn stops(&self, extra: &BTreeSet<String>) -> Vec<&Finding> {
        let allowed = |code: &String| {
            !NEVER_ALLOWED.contains(&code.as_str()) && (self.allowed.contains(code) || extra.contains(code))
        };
        self.findings.iter().filter(|one| one.severity == Severity::Stop && !allowed(&one.code)).collect()
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
fn whole(settings: &Settings, accounts: &[AccountPlan], summary: &Summary) -> Vec<Finding> {
    let owned: usize = accounts.iter().map(|account| account.owned).sum();
    let desired: usize = accounts.iter().map(|account| account.desired).sum();
    let guards = [
        deletes(settings, summary),
        change_percent(settings, summary, owned),
        empty_desired(settings, accounts, desired, owned),
        empty_organization(accounts),
        management_account(settings, accounts),
    ];
    guards.into_iter().flatten().collect()
}

fn stop(code: &str, message: String) -> Finding {
    Finding { code: code.to_owned(), severity: Severity::Stop, address: None, message }
}

fn deletes(settings: &Settings, summary: &Summary) -> Option<Finding> {
    let (count, limit) = (summary.delete + summary.replace, settings.limits.max_deletes);
    (count > limit).then(|| {
        stop(
            "deletes",
            format!(
                "the plan deletes {} and replaces {} resources, `max_deletes` is {limit}; \
                 allow it with `--allow deletes` if that is meant",
                summary.delete, summary.replace
            ),
        )
    })
}

fn change_percent(settings: &Settings, summary: &Summary, owned: usize) -> Option<Finding> {
    let count = summary.update + summary.replace + summary.delete;
    let limit = settings.limits.max_change_percent;
    let over = count.saturating_mul(100) > owned.saturating_mul(limit);
    (owned > FEW && over).then(|| {
        stop(
            "change-percent",
            format!(
                "the plan updates, replaces or deletes {count} of {owned} owned resources, `max_change_percent` is {limit}; \
                 allow it with `--allow change-percent` if that is meant"
            ),
        )
    })
}

fn empty_desired(settings: &Settings, accounts: &[AccountPlan], desired: usize, owned: usize) -> Option<Finding> {
    let read = accounts.iter().any(|account| account.status == Status::Read);
    (settings.intent == Intent::Converge && read && desired == 0 && owned > 0).then(|| {
        stop(
            "empty-desired",
            format!(
                "nothing is desired anywhere, and {owned} resources are ours; check that the right files were read"
            ),
        )
    })
}

fn empty_organization(accounts: &[AccountPlan]) -> Option<Finding> {
    accounts.is_empty().then(|| {
        stop("empty-organization", "no account is in the plan; check the targets and who is calling".to_owned())
    })
}

fn management_account(settings: &Settings, accounts: &[AccountPlan]) -> Option<Finding> {
    let id = settings.management_account;
    let reached = accounts.iter().any(|account| account.id == id && account.desired > 0);
    reached.then(|| Finding {
        severity: Severity::Warn,
        ..stop(
            "management-account",
            format!("targets reach the management account {id}, where service control policies do not apply; exclude it with `exclude = [{{ account = \"management\" }}]`"),
        )
    })
}
