//! The last line of a plan: what would be done, or that there is nothing to do where that was seen.

use std::io;

use crate::plan::{Plan, Severity, Summary};
use crate::report::style::{Page, Tone, count};

/// Writes the line.
pub fn summary(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    let (tone, text) = said(plan);
    let text = page.paint(tone, &text);
    page.line(0, &text)
}

/// What the line says, and how grave it is.
pub fn said(plan: &Plan) -> (Tone, String) {
    if has_changes(&plan.summary) {
        changes(&plan.summary)
    } else {
        nothing(plan)
    }
}

fn has_changes(summary: &Summary) -> bool {
    let Summary {
        create,
        update,
        replace,
        delete,
        adopt,
        ..
    } = summary;
    create + update + replace + delete + adopt > 0
}

fn changes(summary: &Summary) -> (Tone, String) {
    let Summary {
        create,
        update,
        replace,
        delete,
        adopt,
        unchanged,
        ..
    } = summary;
    let (accounts, steps) = (
        count(summary.accounts, "account"),
        count(summary.steps, "step"),
    );
    let also = also(summary);
    let also = if also.is_empty() {
        also
    } else {
        format!(", {also}")
    };
    let text = format!(
        "Plan: {create} to create, {update} to update, {replace} to replace, {delete} to delete, {adopt} to adopt, \
         {unchanged} unchanged in {accounts} ({steps}){also}"
    );
    (Tone::Title, text)
}

fn nothing(plan: &Plan) -> (Tone, String) {
    let Summary {
        accounts,
        unreadable,
        ..
    } = plan.summary;
    let also = also(&plan.summary);
    let also = if also.is_empty() {
        also
    } else {
        format!(" ({also})")
    };
    let total = count(accounts, "account");
    match accounts.saturating_sub(unreadable) {
        0 if accounts == 0 => (
            Tone::Title,
            "No changes: no account is targeted.".to_owned(),
        ),
        0 => (Tone::Alarm, format!("No account could be read{also}.")),
        read if unreadable > 0 => (
            Tone::Alarm,
            format!(
                "No changes in the {} that could be read{also}.",
                count(read, "account")
            ),
        ),
        _ if speaks_against(plan) => (
            Tone::Title,
            format!("No changes planned in {total}, but see the findings above{also}."),
        ),
        _ => (
            Tone::Added,
            format!("No changes. Live IAM of {total} matches the desired state{also}."),
        ),
    }
}

/// What else is worth a number.
fn also(summary: &Summary) -> String {
    let Summary {
        cosmetic,
        orphans,
        unreadable,
        ..
    } = *summary;
    let mut parts = Vec::new();
    if cosmetic > 0 {
        parts.push(format!("{cosmetic} cosmetic"));
    }
    if orphans > 0 {
        parts.push(count(orphans, "orphan"));
    }
    if unreadable > 0 {
        parts.push(format!("{} unreadable", count(unreadable, "account")));
    }
    parts.join(", ")
}

/// Whether a finding says that live is not as desired though nothing is planned.
fn speaks_against(plan: &Plan) -> bool {
    plan.findings
        .iter()
        .any(|finding| finding.severity == Severity::Stop || finding.code == "external")
}
