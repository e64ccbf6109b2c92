//! Logs on standard error, and traces to a collector where the standard variables of OpenTelemetry name one.
//!
//! A run is one trace: the run, the accounts it reads and writes, the changes, and every call to AWS, failed attempts
//! counted. Spans say accounts, addresses, operations, codes and request ids, never a document or a value. A collector
//! that fails changes nothing about the run. Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter" and
//! "Environment Variable Specification".

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::WithHttpConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::resource::{
    EnvResourceDetector, ResourceDetector, TelemetryResourceDetector,
};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter,
};
use tokio::runtime::Handle;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::resource::secret::{Discreet, Discretion, Secrets};
use crate::web::{Failure, Web};

/// How long a collector is waited for, and how long the end of a run is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Spans that may wait for the collector. An apply ends hundreds of calls a second, so the standard's 2,048 would
/// lose some.
const QUEUE: usize = 65_536;

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logs {
    /// As text.
    Plain,
    /// As text, colored.
    Colored,
    /// A line of JSON each.
    Json,
}

/// Where the run's spans go.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Telemetry {
    /// Begins to log, and to trace where a collector is named.
    ///
    /// `filter` says which logs are written; `ROLECALL_LOG` takes one of its own, such as `aws_smithy_runtime=trace`.
    /// Logs and traces hold nothing that `discretion` knows.
    pub fn start(logs: Logs, filter: &str, discretion: &Discretion) -> Self {
        discretion.learn(&passwords(|name| std::env::var(name).ok()));
        let filter =
            EnvFilter::try_from_env("ROLECALL_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
        let failure = Arc::<Mutex<Option<String>>>::default();
        let provider = match Wanted::find(|name| std::env::var(name).ok()) {
            Wanted::Nothing => None,
            Wanted::Traces => provider(&failure, discretion)
                .map_err(|error| note(&failure, error))
                .ok(),
            Wanted::Other(protocol) => {
                note(
                    &failure,
                    format!("only the protocol http/protobuf is supported, not `{protocol}`"),
                );
                None
            }
        };
        let writer = discretion.clone();
        let text = tracing_subscriber::fmt::layer()
            .with_writer(move || Discreet::new(io::stderr(), writer.clone()));
        let logs = match logs {
            Logs::Plain => text.with_ansi(false).boxed(),
            Logs::Colored => text.with_ansi(true).boxed(),
            Logs::Json => text.with_ansi(false).json().boxed(),
        };
        let traces = provider.as_ref().map(|provider| {
            let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("rolecall"));
            // The code's places and threads say nothing to who runs it.
            let layer = layer
                .with_location(false)
                .with_threads(false)
                .with_target(false);
            layer.with_filter(Targets::new().with_target("rolecall", LevelFilter::INFO))
        });
        // A second call, in tests that run commands in one process, changes nothing.
        _ = tracing_subscriber::registry()
            .with(logs.with_filter(filter))
            .with(traces)
            .try_init();
        Self { provider, failure }
    }

    /// The span of the whole run. It continues the trace that `TRACEPARENT` names.
    pub fn run(&self, command: &str) -> Span {
        let span = tracing::error_span!(
            "run",
            otel.name = format!("rolecall {command}"),
            exit = tracing::field::Empty
        );
        if self.provider.is_some() {
            let variables = ["traceparent", "tracestate"];
            let given = variables
                .map(|name| Some((name.to_owned(), std::env::var(name.to_uppercase()).ok()?)));
            let given: HashMap<String, String> = given.into_iter().flatten().collect();
            // Without one the run begins a trace of its own.
            _ = span.set_parent(TraceContextPropagator::new().extract(&given));
        }
        span
    }

    /// Sends what is left, and says why not everything was exported.
    pub async fn end(self) -> Option<String> {
        if let Some(provider) = self.provider {
            // It blocks until its own thread has sent everything.
            let ended =
                tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(PATIENCE)).await;
            if !matches!(ended, Ok(Ok(()))) {
                note(
                    &self.failure,
                    "not everything was exported in time".to_owned(),
                );
            }
        }
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// What the environment asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Traces,
    /// Traces in a protocol that is not spoken here.
    Other(String),
}

impl Wanted {
    /// An empty variable is an unset one, as the specification wants.
    fn find(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let either = |one: &str, other: &str| set(one).or_else(|| set(other));
        let disabled =
            set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let elsewhere = set("OTEL_TRACES_EXPORTER").is_some_and(|value| value != "otlp");
        if disabled
            || elsewhere
            || either(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            )
            .is_none()
        {
            return Self::Nothing;
        }
        match either(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ) {
            Some(protocol) if protocol != "http/protobuf" => Self::Other(protocol),
            _ => Self::Traces,
        }
    }
}

fn note(failure: &Mutex<Option<String>>, why: String) {
    failure
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert(why);
}

/// What the environment says to a collector alone: values of headers, the user and password in an address,
/// and both as HTTP says them.
fn passwords(variable: impl Fn(&str) -> Option<String>) -> Secrets {
    let mut secrets = Secrets::default();
    for kind in ["", "TRACES_"] {
        for header in variable(&format!("OTEL_EXPORTER_OTLP_{kind}HEADERS"))
            .unwrap_or_default()
            .split(',')
        {
            let value = header
                .split_once('=')
                .map(|(_, value)| value)
                .unwrap_or_default();
            secrets.insert(value);
            secrets.insert(&percent_encoding::percent_decode_str(value).decode_utf8_lossy());
        }
        let address = variable(&format!("OTEL_EXPORTER_OTLP_{kind}ENDPOINT")).unwrap_or_default();
        let authority = address
            .split_once("://")
            .and_then(|(_, rest)| rest.split('/').next())
            .unwrap_or_default();
        if let Some((user, _)) = authority.rsplit_once('@') {
            let decoded = percent_encoding::percent_decode_str(user)
                .decode_utf8_lossy()
                .into_owned();
            secrets.insert(user);
            secrets.insert(&STANDARD.encode(&decoded));
            secrets.insert(decoded.split_once(':').map_or("", |(_, password)| password));
            secrets.insert(&decoded);
        }
    }
    secrets
}

fn provider(
    failure: &Arc<Mutex<Option<String>>>,
    discretion: &Discretion,
) -> Result<SdkTracerProvider, String> {
    let collector = Collector {
        web: Arc::default(),
        runtime: Handle::current(),
        failure: Arc::clone(failure),
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .build();
    let mut batches = BatchConfigBuilder::default();
    if std::env::var_os("OTEL_BSP_MAX_QUEUE_SIZE").is_none() {
        batches = batches.with_max_queue_size(QUEUE);
    }
    let exporter = exporter.map_err(|error| error.to_string())?;
    let processor = BatchSpanProcessor::builder(Masked {
        exporter,
        discretion: discretion.clone(),
    });
    let processor = processor.with_batch_config(batches.build()).build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_resource(resource())
        .build())
}

/// Exports spans with sensitive values masked: the name of a role, which is in its address, may be one.
#[derive(Debug)]
struct Masked {
    exporter: opentelemetry_otlp::SpanExporter,
    discretion: Discretion,
}

impl SpanExporter for Masked {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        let secrets = self.discretion.secrets();
        if !secrets.is_empty() {
            for span in &mut batch {
                span.name = secrets.mask(&span.name).into();
                let events = span
                    .events
                    .events
                    .iter_mut()
                    .flat_map(|event| &mut event.attributes);
                for attribute in span.attributes.iter_mut().chain(events) {
                    if let opentelemetry::Value::String(text) = &attribute.value {
                        attribute.value = secrets.mask(text.as_str()).into();
                    }
                }
                if let opentelemetry::trace::Status::Error { description } = &mut span.status {
                    *description = secrets.mask(description).into();
                }
            }
        }
        self.exporter.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

fn resource() -> Resource {
    let detectors: [Box<dyn ResourceDetector>; 2] = [
        Box::new(TelemetryResourceDetector),
        Box::new(EnvResourceDetector::new()),
    ];
    let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder_empty()
        .with_service_name("rolecall")
        .with_attribute(version);
    let resource = resource.with_detectors(&detectors);
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name),
        _ => resource,
    }
    .build()
}

/// Carries what the exporter sends. The exporter has a thread of its own, and HTTP needs the runtime.
#[derive(Debug)]
struct Collector {
    web: Arc<Web>,
    runtime: Handle,
    failure: Arc<Mutex<Option<String>>>,
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (web, request) = (Arc::clone(&self.web), request.map(|body| body.to_vec()));
        let sent = self
            .runtime
            .spawn(async move { web.send(request, PATIENCE).await })
            .await;
        let answer = sent
            .unwrap_or(Err(Failure::Unreachable))
            .inspect_err(|failure| {
                note(&self.failure, failure.to_string());
            })?;
        if !answer.status().is_success() {
            note(
                &self.failure,
                format!("it answered with HTTP status {}", answer.status().as_u16()),
            );
        }
        Ok(answer.map(Bytes::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_sent_where_the_environment_names_a_collector() {
        let (endpoint, traces) = (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        );
        let (protocol, own) = (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        );
        let at = "http://127.0.0.1:4318";
        for (environment, expect) in [
            (vec![], Wanted::Nothing),
            (vec![(endpoint, "")], Wanted::Nothing),
            (vec![(endpoint, at)], Wanted::Traces),
            (vec![(traces, at)], Wanted::Traces),
            (
                vec![(endpoint, at), ("OTEL_SDK_DISABLED", "True")],
                Wanted::Nothing,
            ),
            (
                vec![(endpoint, at), ("OTEL_SDK_DISABLED", "false")],
                Wanted::Traces,
            ),
            (
                vec![(endpoint, at), ("OTEL_TRACES_EXPORTER", "none")],
                Wanted::Nothing,
            ),
            (
                vec![(endpoint, at), ("OTEL_TRACES_EXPORTER", "otlp")],
                Wanted::Traces,
            ),
            (
                vec![(endpoint, at), (protocol, "grpc")],
                Wanted::Other("grpc".to_owned()),
            ),
            (
                vec![(endpoint, at), (protocol, "grpc"), (own, "http/protobuf")],
                Wanted::Traces,
            ),
        ] {
            let find = |name: &str| {
                environment
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(Wanted::find(find), expect, "{environment:?}");
        }
    }
}
