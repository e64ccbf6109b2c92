//! Drift as numbers, in the text format of Prometheus, for a scrape or for `node_exporter`'s textfile collector.

use std::fmt::Write;

use crate::drift::Drift;
use crate::plan::Status;

/// How looking went.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rounds {
    /// Looks that came to an end.
    pub done: u64,
    /// Looks that did not: no credentials, a desired state with errors.
    pub failed: u64,
    /// When the last one that came to an end did, in seconds since 1970.
    pub ended_at: i64,
    /// How long it took, in seconds.
    pub took: f64,
}

/// The numbers of the last look at the directory `name`.
pub fn text(name: &str, drift: Option<&Drift>, rounds: Rounds) -> String {
    let mut out = String::new();
    let mut metric = |metric: &str, kind: &str, help: &str, values: &[(&str, &str, f64)]| {
        // Writing to a string cannot fail.
        _ = writeln!(out, "# HELP {metric} {help}\n# TYPE {metric} {kind}");
        for (label, value, number) in values {
            let label = if label.is_empty() {
                String::new()
            } else {
                format!(",{label}=\"{value}\"")
            };
            _ = writeln!(out, "{metric}{{name=\"{name}\"{label}}} {number}");
        }
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of resources and seconds are far below 2^52"
    )]
    let count = |n: usize| n as f64;
    if let Some(Drift { summary, plan, .. }) = drift {
        let causes = [
            ("drift", summary.drift),
            ("both", summary.both),
            ("rolled_back", summary.rolled_back),
            ("unknown", summary.unknown),
            ("accepted", summary.accepted),
            ("desired", summary.desired),
        ];
        let causes = causes.map(|(cause, n)| ("cause", cause, count(n)));
        metric(
            "rolecall_drift_resources",
            "gauge",
            "Resources that differ from the desired state, by cause.",
            &causes,
        );
        let skipped = plan
            .accounts
            .iter()
            .filter(|part| part.status == Status::Skipped)
            .count();
        let accounts = [
            ("read", summary.accounts.saturating_sub(summary.unreadable)),
            ("unreadable", summary.unreadable),
            ("skipped", skipped),
        ];
        let accounts = accounts.map(|(status, n)| ("status", status, count(n)));
        metric(
            "rolecall_drift_accounts",
            "gauge",
            "Accounts, by whether they could be read.",
            &accounts,
        );
        let findings = [("", "", count(plan.findings.len()))];
        metric(
            "rolecall_drift_findings",
            "gauge",
            "Findings about live IAM.",
            &findings,
        );
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of resources and seconds are far below 2^52"
    )]
    let (done, failed, at) = (
        rounds.done as f64,
        rounds.failed as f64,
        rounds.ended_at as f64,
    );
    let looks = [("outcome", "done", done), ("outcome", "failed", failed)];
    metric(
        "rolecall_drift_looks_total",
        "counter",
        "Checks of live IAM, by result.",
        &looks,
    );
    if rounds.done > 0 {
        metric(
            "rolecall_drift_last_look_timestamp_seconds",
            "gauge",
            "When the last check completed.",
            &[("", "", at)],
        );
        metric(
            "rolecall_drift_last_look_duration_seconds",
            "gauge",
            "How long it took.",
            &[("", "", rounds.took)],
        );
    }
    out
}
