//! Drift: the cause of each difference of a plan, and which differences are accepted.
//!
//! A plan says what differs between live IAM and the desired state, and who moved since the two were last alike. Where
//! the file moved alone the difference is pending: an apply is due, and nothing is wrong. Everything else is
//! drift, unless an `[[accept]]` speaks of it. What differs only in spelling is not drift at all.
//!
//! Only an attribute can be accepted. That a whole resource is gone cannot: it would accept what was never reviewed.

mod culprit;
pub mod who;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::Accept;
use crate::org::glob;
use crate::plan::{
    AccountPlan, Action, AttributeDiff, Cause, Change, Converged, Finding, Plan, Severity, Status,
    Watch,
};
use crate::resource::secret::Secrets;
use who::Who;

/// The version of drift's JSON.
pub const FORMAT: &str = "rolecall-drift/1";

/// The findings of a plan that say something about live IAM; the others are about applying it.
const TELLING: [&str; 7] = [
    "adopt-path",
    "dead-principal",
    "external",
    "foreign-owner",
    "orphan",
    "unmanaged",
    "unmanaged-permissions",
];

/// What became of a difference. The order is the one of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Someone changed live IAM.
    Hand,
    /// Someone changed live IAM, and the file changed.
    Both,
    /// A rollback changed live IAM, and the file was not changed with it.
    RolledBack,
    /// No one knows: nothing is on record.
    Unknown,
    /// Nothing is on record, and nothing of what is desired is there: it was never applied.
    Never,
    /// It is known and accepted for a while.
    Accepted,
    /// The file changed, and was not applied yet.
    Pending,
}

impl Standing {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Hand,
        Self::Both,
        Self::RolledBack,
        Self::Unknown,
        Self::Never,
        Self::Accepted,
        Self::Pending,
    ];

    /// Whether it is drift that needs attention.
    pub fn is_drift(self) -> bool {
        self <= Self::Never
    }

    fn of(change: &Change, cause: Cause, history: History) -> Self {
        match cause {
            Cause::Unknown if history == History::Never => Self::Never,
            Cause::Drift | Cause::Both if change.rolled_back.is_some() => Self::RolledBack,
            Cause::Drift => Self::Hand,
            Cause::Both => Self::Both,
            Cause::Unknown => Self::Unknown,
            Cause::Desired => Self::Pending,
        }
    }
}

/// One difference, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What became of it.
    pub standing: Standing,
    /// What accepts it.
    pub accept: Option<Accept>,
}

/// One resource's differences, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What became of the resource: its gravest difference.
    pub standing: Standing,
    /// One for each difference of the change.
    pub diffs: Vec<Judged>,
}

/// What differs, and whose doing it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The plan that would repair it, without what differs only in spelling and what speaks about applying only.
    pub plan: Plan,
    /// By address, one for each change of the plan.
    pub judgements: BTreeMap<String, Judgement>,
    /// The counts.
    pub summary: Summary,
    /// By address, who did it, of those that were asked about.
    pub who: BTreeMap<String, Who>,
}

/// The counts of a drift report: resources, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Summary {
    /// Active accounts: read or unreadable.
    pub accounts: usize,
    pub unreadable: usize,
    pub drift: usize,
    pub both: usize,
    pub rolled_back: usize,
    pub unknown: usize,
    /// Of those of unknown cause: what was never applied.
    #[serde(skip)]
    pub never: usize,
    pub accepted: usize,
    pub desired: usize,
    pub unchanged: usize,
    pub cosmetic: usize,
    pub orphans: usize,
}

impl Summary {
    /// Resources that need attention.
    pub fn drifted(&self) -> usize {
        self.drift + self.both + self.rolled_back + self.unknown
    }
}

/// Whether a run looks at everything that the directory is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The run covers the whole directory.
    Whole,
    /// It is narrowed: what an acceptance speaks of may be outside.
    Part,
}

/// Whether anything was ever applied, as far as the state knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// It holds no record.
    None,
    /// It holds no record, and nothing of what is desired is there.
    Never,
    /// It holds some.
    Some,
}

/// Judges a plan by what is accepted on this day.
///
/// # Guarantees
/// - A difference counts as accepted only if an `[[accept]]` in force names its address and its attribute; a resource
///   that is missing, or that should not exist, never does.
/// - Differences in spelling only, and findings about applying only, are dropped.
///
/// # Assumptions
/// - `plan` was made with the state's memory: without it every cause is unknown.
/// - `today` is the day in UTC.
pub fn judge(
    mut plan: Plan,
    accepts: &[Accept],
    today: Date,
    (scope, history): (Scope, History),
) -> Drift {
    let cosmetic = plan.summary.cosmetic;
    let history = match history {
        History::None if is_all_new(&plan) => History::Never,
        history => history,
    };
    for change in plan.accounts.iter_mut().flat_map(|part| &mut part.changes) {
        change
            .diffs
            .retain(|diff| !diff.cosmetic || change.cosmetic);
    }
    plan.accounts
        .iter_mut()
        .for_each(|part| part.changes.retain(|change| !change.cosmetic));
    plan.findings
        .retain(|finding| TELLING.contains(&finding.code.as_str()));
    let (in_force, over): (Vec<&Accept>, Vec<&Accept>) =
        accepts.iter().partition(|accept| today <= accept.until);
    let changes: Vec<&Change> = plan
        .accounts
        .iter()
        .flat_map(|part| &part.changes)
        .collect();
    let judgements: BTreeMap<String, Judgement> = changes
        .iter()
        .map(|change| {
            let judgement = judge_change(change, &in_force, history);
            (change.address.clone(), judgement)
        })
        .collect();
    let used = |accept: &Accept| {
        changes.iter().any(|change| {
            change
                .diffs
                .iter()
                .any(|diff| speaks_of(accept, change, diff))
        })
    };
    let idle = in_force
        .iter()
        .filter(|accept| scope == Scope::Whole && !used(accept) && was_read(accept, &plan));
    let said: Vec<Finding> = over
        .iter()
        .map(|accept| expired(accept))
        .chain(idle.map(|accept| idle_one(accept)))
        .collect();
    let summary = summary(&plan, &judgements, cosmetic);
    Drift {
        plan: plan.with_findings(said),
        judgements,
        summary,
        who: BTreeMap::new(),
    }
}

/// Whether nothing of what is desired is there yet.
fn is_all_new(plan: &Plan) -> bool {
    let mut changes = plan.accounts.iter().flat_map(|part| &part.changes);
    plan.summary.unchanged + plan.summary.orphans == 0
        && changes.all(|change| matches!(change.action, Action::Create | Action::Adopt))
}

fn speaks_of(accept: &Accept, change: &Change, diff: &AttributeDiff) -> bool {
    accept.attribute == diff.attribute.name() && glob(&accept.address, &change.address)
}

fn judge_change(change: &Change, accepts: &[&Accept], history: History) -> Judgement {
    let judge = |diff: &AttributeDiff| {
        let standing = Standing::of(change, diff.cause.unwrap_or(change.cause), history);
        let whole = matches!(change.action, Action::Create | Action::Delete);
        let accept = accepts
            .iter()
            .find(|accept| speaks_of(accept, change, diff));
        match accept.filter(|_| standing.is_drift() && !whole) {
            Some(accept) => Judged {
                standing: Standing::Accepted,
                accept: Some((*accept).clone()),
            },
            None => Judged {
                standing,
                accept: None,
            },
        }
    };
    let diffs: Vec<Judged> = change.diffs.iter().map(judge).collect();
    let gravest = diffs.iter().map(|judged| judged.standing).min();
    let standing = match gravest {
        // One attribute by hand and another in the file is the doing of both.
        Some(Standing::Hand) if diffs.iter().any(|one| one.standing == Standing::Pending) => {
            Standing::Both
        }
        Some(gravest) => gravest,
        None => Standing::of(change, change.cause, history),
    };
    Judgement { standing, diffs }
}

fn was_read(accept: &Accept, plan: &Plan) -> bool {
    let account = accept.address.split('/').next().unwrap_or_default();
    !plan
        .accounts
        .iter()
        .any(|part| part.status == Status::Unreadable && glob(account, part.id.as_str()))
}

fn expired(accept: &Accept) -> Finding {
    let Accept {
        address,
        attribute,
        until,
        origin,
        ..
    } = accept;
    said(format!(
        "the `[[accept]]` of `{attribute}` of `{address}` at {origin} ended on {until}; fix the difference, or set a later date"
    ))
}

fn idle_one(accept: &Accept) -> Finding {
    let Accept {
        address,
        attribute,
        origin,
        ..
    } = accept;
    said(format!(
        "the `[[accept]]` of `{attribute}` of `{address}` at {origin} matches no difference; remove it"
    ))
}

fn said(message: String) -> Finding {
    Finding {
        code: "accept".to_owned(),
        severity: Severity::Warn,
        address: None,
        message,
    }
}

fn summary(plan: &Plan, judgements: &BTreeMap<String, Judgement>, cosmetic: usize) -> Summary {
    let count = |standing| {
        judgements
            .values()
            .filter(|judgement| judgement.standing == standing)
            .count()
    };
    Summary {
        accounts: plan.summary.accounts,
        unreadable: plan.summary.unreadable,
        drift: count(Standing::Hand),
        both: count(Standing::Both),
        rolled_back: count(Standing::RolledBack),
        unknown: count(Standing::Unknown) + count(Standing::Never),
        never: count(Standing::Never),
        accepted: count(Standing::Accepted),
        desired: count(Standing::Pending),
        unchanged: plan.summary.unchanged,
        cosmetic,
        orphans: plan.summary.orphans,
    }
}

/// What was done by hand and leaves nothing to write, so that no change of the plan shows it: a role that was deleted
/// and recreated to the letter, and a managed resource that now has another directory's tag.
pub fn overlooked(
    part: &AccountPlan,
    findings: &[Finding],
    remembered: &BTreeMap<String, Converged>,
) -> Vec<Change> {
    let again = part.seen.iter().filter_map(|(address, now)| {
        let (before, now) = (remembered.get(address)?.unique_id.as_ref()?, now.unique_id.as_ref()?);
        let reason = format!(
            "was deleted and recreated: its id is `{now}` and was `{before}`, so every policy that named the old one lost it"
        );
        (before != now).then(|| by_hand(address, reason))
    });
    let taken = findings
        .iter()
        .filter(|finding| matches!(finding.code.as_str(), "foreign-owner" | "adopt-path"));
    let taken = taken.filter_map(|finding| {
        let address = finding
            .address
            .as_ref()
            .filter(|address| remembered.contains_key(*address))?;
        // The finding says the rest.
        let reason = match finding.code.as_str() {
            "foreign-owner" => {
                "is no longer tagged as managed by this directory, but by another one"
            }
            _ => "lost its ownership tag, and has another path",
        };
        Some(by_hand(address, reason.to_owned()))
    });
    again.chain(taken).collect()
}

/// Whether [`overlooked`] may find something, given what is remembered.
pub fn may_overlook(part: &AccountPlan, findings: &[Finding]) -> bool {
    let here = format!("{}/", part.id);
    let taken = |finding: &Finding| matches!(finding.code.as_str(), "foreign-owner" | "adopt-path");
    !part.seen.is_empty()
        || findings
            .iter()
            .any(|one| taken(one) && one.address.as_ref().is_some_and(|at| at.starts_with(&here)))
}

fn by_hand(address: &str, reason: String) -> Change {
    Change {
        address: address.to_owned(),
        action: Action::Update,
        reason,
        cosmetic: false,
        cause: Cause::Drift,
        rolled_back: None,
        accepted: [].into(),
        fingerprint: String::new(),
        expected: String::new(),
        details: false,
        watch: Watch::default(),
        after: [].into(),
        finish_after: [].into(),
        diffs: Vec::new(),
        steps: Vec::new(),
    }
}

impl Drift {
    /// Whether another look found the same, and the same people behind it.
    pub fn is_same(&self, other: &Self) -> bool {
        let events = |drift: &Self| {
            drift
                .who
                .values()
                .map(|who| who.events.clone())
                .collect::<Vec<_>>()
        };
        let found = |drift: &Self| {
            (
                drift.plan.findings.clone(),
                drift.judgements.clone(),
                drift.summary,
                events(drift),
            )
        };
        self.plan.accounts == other.plan.accounts && found(self) == found(other)
    }

    /// How a change was judged.
    pub fn judgement(&self, change: &Change) -> Option<&Judgement> {
        self.judgements.get(&change.address)
    }

    /// The drift as `--format json` prints it: accounts, changes and differences as in a plan, each difference with its
    /// `cause` and with what accepts it, each change with `who` did it, `null` where
    /// no one asked. Sensitive values are masked.
    pub fn shown(&self, secrets: &Secrets) -> Value {
        let mut value = self.plan.shown(secrets);
        let accounts = value
            .get_mut("accounts")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten();
        for (shown, part) in accounts.zip(&self.plan.accounts) {
            let changes = shown
                .get_mut("changes")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten();
            for (shown, change) in changes.zip(&part.changes) {
                if let Some(judgement) = self.judgement(change) {
                    complete(shown, change, judgement, secrets);
                }
                if let Some(members) = shown.as_object_mut() {
                    members.insert(
                        "who".to_owned(),
                        json!(self.who.get(&change.address).map(Who::shown)),
                    );
                }
            }
        }
        if let Some(members) = value.as_object_mut() {
            members.insert("format".to_owned(), json!(FORMAT));
            members.insert("summary".to_owned(), json!(self.summary));
            members.shift_remove("allowed");
        }
        value
    }
}

fn complete(shown: &mut Value, change: &Change, judgement: &Judgement, secrets: &Secrets) {
    let diffs = shown
        .get_mut("diffs")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    for ((shown, diff), judged) in diffs.zip(&change.diffs).zip(&judgement.diffs) {
        let Some(members) = shown.as_object_mut() else {
            continue;
        };
        members.insert(
            "cause".to_owned(),
            json!(diff.cause.unwrap_or(change.cause)),
        );
        let accepted = judged
            .accept
            .as_ref()
            .map(|accept| json!({ "reason": secrets.mask(&accept.reason), "until": accept.until.to_string() }));
        members.insert("accepted".to_owned(), json!(accepted));
    }
    if let Some(members) = shown.as_object_mut() {
        members.insert(
            "accepted".to_owned(),
            json!(judgement.standing == Standing::Accepted),
        );
    }
}
