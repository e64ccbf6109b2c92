//! The findings of a plan, as lines.

use std::io;

use super::margin::BODY;
use crate::plan::Plan;
use crate::report::finding::{Bundle, Weight, bundles, refusal};
use crate::report::group;
use crate::report::style::{Page, Tone, count};

/// Writes the findings, and how to continue if apply is blocked.
pub fn findings(plan: &Plan, page: &mut Page<'_>) -> io::Result<()> {
    if plan.findings.is_empty() {
        return Ok(());
    }
    page.blank()?;
    let title = page.paint(Tone::Title, "Findings");
    page.line(0, &title)?;
    for bundle in bundles(plan) {
        write(&bundle, page)?;
    }
    if let Some(text) = refusal(plan) {
        page.blank()?;
        page.prose(2, Tone::Alarm, &text)?;
    }
    Ok(())
}

fn write(bundle: &Bundle<'_>, page: &mut Page<'_>) -> io::Result<()> {
    let tone = match bundle.weight {
        Weight::Stop => Tone::Alarm,
        Weight::Allowed | Weight::Warn => Tone::Changed,
    };
    let resource = bundle
        .resource
        .map(|(kind, name)| format!(" {kind} {name}"))
        .unwrap_or_default();
    let place = match bundle.accounts.as_slice() {
        [] => String::new(),
        [single] => format!(" in {single}"),
        many => format!(" in {}", count(many.len(), "account")),
    };
    let line = format!(
        "{} {}{}",
        page.paint(tone, bundle.weight.word()),
        page.paint(Tone::Title, bundle.code),
        page.paint(Tone::Plain, &format!("{resource}{place}")),
    );
    page.line(2, &line)?;
    if bundle.accounts.len() > 1 {
        page.list(
            BODY,
            Tone::Faint,
            &group::shortened(&bundle.accounts, page.style.is_verbose()),
        )?;
    }
    page.prose(BODY, Tone::Plain, &bundle.message)
}
