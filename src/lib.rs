//! rolecall (skeleton).
#![allow(clippy::unimplemented)]

pub mod aws;
pub mod config;
pub mod desired;
pub mod diff;
pub mod evaluate;
pub mod execute;
pub mod live;
pub mod org;
pub mod plan;
pub mod read;
pub mod report;
pub mod resource;
pub mod sandbox;
