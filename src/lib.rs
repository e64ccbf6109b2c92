//! rolecall keeps the IAM roles of every account of an AWS organization in line with a desired-state directory.
//!
//! # Bird's eye
//!
//! A directory of TOML files says which roles and policies each account should hold. `plan` reads the organization and
//! live IAM and says what differs; `apply` converges it, account by account, and reads back what it wrote.
//!
//! ```text
//! files ─ config::load ─▶ Config ─┐
//! Organizations ─ aws ─▶ Organization ─┴─ expand ─▶ Desired ─┐
//! IAM of each account ─ aws as Reader ─▶ LiveAccount ────────┴─ plan_account ─▶ AccountPlan
//! all AccountPlans ─ plan::build (guards) ─▶ Plan ─▶ report, saved form
//! Plan ─ execute (Writer, Reader) ─▶ recheck ─▶ steps ─▶ read back ─▶ RunReport ─▶ exit code
//!            └─ Journal ─▶ store: what was found, each step, what was converged ─▶ blame, resume, rollback
//! ```
//!
//! # The rooms
//!
//! The workspace holds the walls: [`rolecall_core`] (`src/core`) has what needs no network, disk, clock or terminal, and
//! no dependency that could reach one; [`rolecall_sandbox`] (`src/sandbox`) is an AWS in this process, for the
//! demonstration, the tests and the benchmarks. Their rooms are also named from here. This crate has the rest:
//!
//! - [`read`]: the trait [`Reader`](read::Reader) and reading many accounts at once.
//! - [`execute`]: the trait [`Writer`](execute::Writer) and running a plan.
//! - [`store`]: the only opener of state: what was last converged, the record of each run, and the lease.
//! - [`files`]: reads and writes the files that a user or a configuration names.
//! - [`aws`]: the only home of the AWS SDK; implements `Reader` and `Writer`.
//! - [`notify`]: notifies a webhook once a run has ended.
//! - [`telemetry`]: logs, and traces to a collector. [`web`] is the HTTP of both of them.
//! - [`report`]: plans and runs as text and JSON, and progress.
//! - [`ops`]: the engine: survey, plan, apply, drift, verify. Options go in, an [`Observer`](ops::Observer) hears how
//!   things proceed, values come out; it prints nothing and parses no arguments.
//! - [`commands`]: one file per command: arguments become options, `ops` works, `report` shows the result. [`cli`] is the
//!   command line, [`exit`] how a run ends.
//!
//! # What always holds
//!
//! - Nothing without the ownership tag is changed or deleted, except by adoption; what was not read is not touched.
//! - A plan is complete: every write is in it, in order; execute chooses nothing.
//! - To not write is to not be given a `Writer`: reading commands never hold one.
//! - A failed read is a value: such an account gets no change, ever.
//! - Sensitive values are masked where data for display is made, not where it is printed.
//!
//! Rooms name each other in one direction, and so do the files within a room: `tests/it/tidy.rs` and `tests/it/circles.rs`
//! hold the house to this page.

pub use rolecall_core::{
    config, desired, diff, drift, evaluate, import, lint, live, org, permissions, plan, resource,
    verify,
};
pub use rolecall_sandbox as sandbox;

pub mod aws;
pub mod cli;
pub mod commands;
pub mod execute;
pub mod exit;
pub mod files;
pub mod notify;
pub mod ops;
pub mod read;
pub mod report;
pub mod store;
pub mod telemetry;
pub mod web;
