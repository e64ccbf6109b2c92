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
mod clients;
mod moto;
mod negative;
mod probes;
#[allow(dead_code, reason = "not every test needs all of it")]
mod support;
mod terminal;
mod tidy;
mod verify;
