//! Logs and traces through the binary: what a collector is told, and that one that fails changes nothing.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use rolecall::sandbox::faults::{Effect, Fault, Refusal, When};

use crate::support::listener::{Posted, listen};
use crate::support::served::Served;
use crate::support::{Directory, Run, run};

const SECRET: &str = "the-very-secret-id";

fn desired() -> Directory {
    Directory::new(&format!(
        r#"
name = "traced"
[vars]
external_id = {{ type = "string", sensitive = true, default = "{SECRET}" }}
[[role]]
name = "Vendor"
targets = [{{ account = "network" }}, {{ account = "data-prod" }}]
managed_policies = ["aws:SecurityAudit"]
[[role.trust]]
aws = ["999999999999"]
external_id = "{{{{ var.external_id }}}}"
"#
    ))
}

fn traced(
    served: &Served,
    desired: &Directory,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Run {
    run(served
        .command(desired, arguments)
        .envs(environment.iter().copied()))
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    };
    pairs
        .iter()
        .filter_map(|pair| Some((pair.key.clone(), text(pair)?)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_one_trace_of_accounts_changes_and_calls_and_tells_no_secret() {
    let (served, desired) = (Served::demo().await, desired());
    let (url, told) = listen(std::iter::repeat(200));
    let fault = Fault::of(
        "AttachRolePolicy",
        When::First(1),
        Effect::Refuse(Refusal::Throttling),
    );
    served.sandbox.fail(fault);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=platform"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
        ("TRACEPARENT", parent),
    ];
    traced(
        &served,
        &desired,
        &["apply", "--auto-approve"],
        &environment,
    )
    .exits(0);
    let posted: Vec<Posted> = told.try_iter().collect();
    assert!(!posted.is_empty(), "nothing was sent");
    let mut spans: Vec<Span> = Vec::new();
    for Posted { head, body } in &posted {
        assert!(
            head.starts_with("POST /v1/traces ") && head.contains("x-team: platform"),
            "{head}"
        );
        assert!(
            !body
                .windows(SECRET.len())
                .any(|part| part == SECRET.as_bytes()),
            "a secret is sent"
        );
        for part in ExportTraceServiceRequest::decode(body.as_slice())
            .unwrap()
            .resource_spans
        {
            let resource = attributes(&part.resource.unwrap().attributes);
            assert_eq!(
                (
                    &*resource["service.name"],
                    &*resource["deployment.environment"]
                ),
                ("rolecall", "test")
            );
            spans.extend(part.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
    }
    let by_id: BTreeMap<&[u8], &Span> = spans
        .iter()
        .map(|span| (span.span_id.as_slice(), span))
        .collect();
    let named = |name: &str| {
        spans
            .iter()
            .filter(|span| span.name == name)
            .collect::<Vec<_>>()
    };
    let above = |span: &Span| by_id[span.parent_span_id.as_slice()];
    let [root] = named("rolecall apply")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(
        root.trace_id,
        [
            0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80,
            0x31, 0x9c
        ]
    );
    assert!(
        spans.iter().all(|span| span.trace_id == root.trace_id),
        "one trace"
    );
    assert_eq!(attributes(&root.attributes)["exit"], "0");
    // Every call stands below what it is for, and says how often it was tried.
    let attachments = named("IAM.AttachRolePolicy");
    assert!(
        !attachments.is_empty(),
        "{:#?}",
        spans.iter().map(|span| &span.name).collect::<Vec<_>>()
    );
    let mut attempts = Vec::new();
    for call in &attachments {
        let (change, account) = (above(call), above(above(call)));
        let (call, change, account) = (
            attributes(&call.attributes),
            attributes(&change.attributes),
            attributes(&account.attributes),
        );
        assert_eq!(
            change["resource"],
            format!("{}/role/Vendor", account["account"])
        );
        assert_eq!(
            (&call["account"], &*call["rpc.method"]),
            (&account["account"], "AttachRolePolicy")
        );
        assert!(!call["aws.request_id"].is_empty());
        attempts.push(call["attempts"].clone());
    }
    attempts.sort_unstable();
    assert_eq!(attempts, ["1", "2"]);
    assert_eq!(named("plan account").len(), 2);
    let calls: u64 = served.sandbox.calls().values().sum();
    let told: u64 = spans
        .iter()
        .filter_map(|span| {
            attributes(&span.attributes)
                .get("attempts")?
                .parse::<u64>()
                .ok()
        })
        .sum();
    assert_eq!(told, calls, "every call is told of");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_fails_is_told_of_and_changes_nothing() {
    let (served, desired) = (Served::demo().await, desired());
    let (refusing, _told) = listen(std::iter::repeat(404));
    let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    for (environment, why) in [
        (vec![(endpoint, "http://127.0.0.1:9")], "cannot be reached"),
        (vec![(endpoint, refusing.as_str())], "HTTP status 404"),
        (
            vec![
                (endpoint, refusing.as_str()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ],
            "http/protobuf is supported, not `grpc`",
        ),
    ] {
        let run = traced(
            &served,
            &desired,
            &["plan", "--detailed-exitcode"],
            &environment,
        )
        .exits(2);
        run.says(&[
            "warning: not everything was exported to the OpenTelemetry collector",
            why,
            "2 to create",
        ]);
    }
    let off = [(endpoint, refusing.as_str()), ("OTEL_SDK_DISABLED", "true")];
    assert!(
        !traced(&served, &desired, &["plan"], &off)
            .exits(0)
            .text()
            .contains("collector")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_line_says_its_account_and_its_resource() {
    let (served, desired) = (Served::demo().await, desired());
    let log = served
        .rolecall(
            &desired,
            &["apply", "--auto-approve", "-vv", "--log-format", "json"],
        )
        .exits(0);
    let lines: Vec<serde_json::Value> = log
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let attached = lines
        .iter()
        .filter(|line| line["fields"]["operation"] == "AttachRolePolicy");
    let mut said: Vec<String> = attached.map(|line| line["spans"].to_string()).collect();
    said.sort_unstable();
    for (said, account) in said.iter().zip(["333333333331", "444444444443"]) {
        assert!(
            said.contains(account) && said.contains(&format!("{account}/role/Vendor")),
            "{said}"
        );
    }
    assert_eq!(said.len(), 2);
    assert!(!log.text().contains(SECRET));
}
