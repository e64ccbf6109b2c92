//! An AWS in this process: IAM, STS and Organizations as AWS documents them.

pub mod build;
pub mod iam;
pub mod managed;
pub mod wire;
pub mod world;
