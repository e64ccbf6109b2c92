//! What a page or a comment is about: a plan, or a drift, and its changes in order.
//!
//! A reviewer may stop before the end, so what widens access comes first, whatever else is destroyed further down. Of a
//! drift, what needs no attention comes last, whatever it widens: what is accepted, and what is only pending.

use super::group::{self, Group};
use super::who::{self, Extent};
use super::{drift as standing, human};
use crate::drift::{Drift, Standing};
use crate::plan::{Action, Change, Plan};

/// The command whose result it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// What an apply would do.
    Plan,
    /// What someone did.
    Drift,
}

impl View {
    /// The name of the command.
    pub fn command(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Drift => "drift",
        }
    }

    /// What stands before the name of the directory.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Plan => "plan for",
            Self::Drift => "drift of",
        }
    }
}

/// What the signs of a drift say.
pub const SIGNS: &str = "Signs: + is live but not desired, - is desired but missing; pending changes keep the signs of a plan.";

/// A plan or a drift, ready to be shown.
#[derive(Debug)]
pub struct Subject<'a> {
    /// Which of them.
    pub view: View,
    /// The plan, or the one that would repair the drift.
    pub plan: &'a Plan,
    /// One line that sums it up.
    pub summary: String,
    /// What changes, the gravest first.
    pub changes: Vec<Listed<'a>>,
}

/// Equal changes, and whose doing they are.
#[derive(Debug)]
pub struct Listed<'a> {
    /// The changes. Those of a drift are turned round, unless they are pending.
    pub group: Group<'a>,
    /// What became of them; nothing in a plan.
    pub standing: Option<Standing>,
    /// Who did it, where that was asked: a few lines for each answer.
    pub who: Vec<Vec<String>>,
}

impl<'a> Subject<'a> {
    /// A plan.
    pub fn of_plan(plan: &'a Plan) -> Self {
        let changes = group::groups(plan).into_iter().map(|group| Listed {
            group,
            standing: None,
            who: Vec::new(),
        });
        Self {
            view: View::Plan,
            plan,
            summary: human::summary_line(plan).1,
            changes: in_order(changes),
        }
    }

    /// A drift, given its parts by standing.
    pub fn of_drift(drift: &'a Drift, parts: &'a [(Standing, Plan)], extent: Extent) -> Self {
        let one = |standing: Standing, group: Group<'a>| {
            let who = if standing.is_drift() {
                who::answers(drift, &group, extent)
            } else {
                Vec::new()
            };
            Listed {
                group,
                standing: Some(standing),
                who,
            }
        };
        let listed = |(standing, part): &'a (Standing, Plan)| {
            group::groups(part)
                .into_iter()
                .map(move |group| one(*standing, group))
        };
        let changes = in_order(parts.iter().flat_map(listed));
        Self {
            view: View::Drift,
            plan: &drift.plan,
            summary: standing::summary(&drift.summary).1,
            changes,
        }
    }
}

fn in_order<'a>(changes: impl Iterator<Item = Listed<'a>>) -> Vec<Listed<'a>> {
    let mut changes: Vec<Listed<'a>> = changes.collect();
    changes.sort_by_key(|one| {
        let widens = one.group.widens();
        (
            !one.is_grave(),
            one.is_grave() && !widens,
            one.standing,
            !widens,
        )
    });
    changes
}

impl Listed<'_> {
    /// Whether it needs attention.
    pub fn is_grave(&self) -> bool {
        self.standing.is_none_or(Standing::is_drift)
    }

    /// What is done, in a word; of a drift, what was done, in a few.
    pub fn does(&self) -> &'static str {
        match self.standing {
            None => action(&self.group.change),
            Some(standing) => standing::look(&self.group.change, standing).2,
        }
    }

    /// What is said where access widens.
    pub fn widens(&self) -> Option<&'static str> {
        self.group.widens().then_some(match self.standing {
            None | Some(Standing::Pending | Standing::Never) => "widens access",
            Some(_) => "wider than desired",
        })
    }

    /// Why; whose doing it is follows from the standing, where there is one.
    pub fn reason(&self) -> String {
        match self.standing {
            None => human::reason(&self.group.change),
            Some(_) => self.group.change.reason.clone(),
        }
    }
}

/// What is done, with a word of its own for what changes in spelling alone.
fn action(change: &Change) -> &'static str {
    match change.action {
        _ if change.cosmetic => "cosmetic",
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Adopt => "adopt",
    }
}

/// A short name of a standing, and how it reads.
pub fn words(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Hand => ("hand", "changed by hand"),
        Standing::Both => ("both", "by hand and in the file"),
        Standing::RolledBack => ("rolled_back", "rolled back"),
        Standing::Unknown => ("unknown", "cause unknown"),
        Standing::Never => ("never", "never applied"),
        Standing::Accepted => ("accepted", "accepted"),
        Standing::Pending => ("pending", "pending"),
    }
}
