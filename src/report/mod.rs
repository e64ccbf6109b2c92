//! Views of plans and runs for people and machines.
//!
//! A view decides nothing and calls nothing: it gets a value, a [`Style`](style::Style) and somewhere to write. Data
//! goes to the writer the caller names (standard output), progress to another (standard error). A writer that fails,
//! such as a closed pipe, is an `Err` for the caller, never a panic.

pub mod accounts;
pub mod doctor;
pub mod drift;
pub mod finding;
pub mod github;
pub mod group;
pub mod html;
pub mod human;
pub mod json;
pub mod markdown;
pub mod metrics;
pub mod notice;
pub mod output;
pub mod progress;
pub mod remark;
pub mod run;
pub mod sarif;
pub mod state;
pub mod style;
pub mod subject;
pub mod unread;
pub mod verify;
pub mod who;

#[cfg(test)]
mod tests;
