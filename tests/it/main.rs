//! Every integration test, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::format_collect,
    reason = "what a test stands on fails the test"
)]

mod apply;
mod attachments;
mod browser;
mod cases;
mod circles;
mod clients;
mod doctor;
mod documents;
mod drift;
mod faults;
mod help;
mod hosted;
mod import;
mod import_live;
mod kit_cado;
mod kit_cloudtrail;
mod kit_cortex_xdr;
mod kit_cortex_xsiam;
mod language;
mod laws;
mod lease;
mod model;
mod moto;
mod negative;
mod ownership;
mod paths;
mod permissions;
mod pipelines;
mod principals;
mod probes;
mod readme;
mod release;
mod reports;
mod rollout;
mod saved;
mod schema;
mod secrets;
mod signals;
mod state;
#[allow(dead_code, reason = "not every test needs all of it")]
mod support;
mod telemetry;
mod terminal;
mod tidy;
mod traps;
mod verify;
mod watch;
mod who;
mod words;
