//! Every integration test, in one binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "what a test stands on fails the test"
)]

mod clients;
mod kit_cado;
mod kit_cortex_xdr;
mod moto;
mod probes;
#[allow(dead_code, reason = "not every test needs all of it")]
mod support;
mod tidy;
