//! Every integration test, in one binary.

mod moto;
mod support;
mod tidy;
