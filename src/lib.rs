//! rolecall keeps the IAM roles of every account of an AWS organization as a desired-state directory says.
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
//! # The rooms, in reading order
//!
//! - [`org`]: the vocabulary: accounts, organizational units, selectors, errors of AWS.
//! - [`resource`]: policy documents (canonical on construction, so `==` is meaning), roles, managed policies, names,
//!   secrets, and [`Step`](resource::step::Step): one AWS write with all its arguments.
//! - [`config`]: TOML with spans, variables, expressions, checks, and the expansion over an organization.
//! - [`desired`], [`live`]: what each account should hold; what was seen there.
//! - [`diff`]: compares the two, field by field.
//! - [`lint`]: what speaks against a desired role, one rule per function, with stable codes.
//! - [`plan`]: changes with their steps in order, guards, fingerprints, the saved form.
//! - [`drift`]: the cause of each change: a manual change or the file; what is accepted, and who did it.
//! - [`read`]: the trait [`Reader`](read::Reader) and reading many accounts at once.
//! - [`execute`]: the trait [`Writer`](execute::Writer) and running a plan.
//! - [`store`]: the only opener of state: what was last converged, the record of each run, and the lease.
//! - [`files`]: reads and writes the files that a user or a configuration names.
//! - [`evaluate`]: what a policy allows.
//! - [`verify`]: what to try of a role, and what the answers prove.
//! - [`permissions`]: what the caller and the access role must be allowed, of the operations that `aws` calls by name.
//! - [`aws`]: the only home of the AWS SDK; implements `Reader` and `Writer`.
//! - [`notify`]: a word to a webhook once a run has ended.
//! - [`telemetry`]: logs, and traces to a collector. [`web`] is the HTTP of both of them.
//! - [`report`]: plans and runs as text and JSON, and progress.
//! - [`sandbox`]: an AWS in this process, for the demonstration, the tests and the benchmarks.
//! - [`commands`]: one file per command: load, call, report. [`cli`] is the command line, [`exit`] how a run ends.
//!
//! # What always holds
//!
//! - The pure rooms (`org resource evaluate desired live diff lint plan drift permissions verify`) have no clock, disk, network or terminal.
//! - Nothing without our mark is changed or deleted, except by adoption; what was not read is not touched.
//! - A plan is complete: every write is in it, in order; execute chooses nothing.
//! - To not write is to not be given a `Writer`: reading commands never hold one.
//! - A failed read is a value: such an account gets no change, ever.
//! - Sensitive values are masked where data for display is made, not where it is printed.
//!
//! `tests/it/tidy.rs` holds the house to this page.

pub mod aws;
pub mod cli;
pub mod commands;
pub mod config;
pub mod desired;
pub mod diff;
pub mod drift;
pub mod evaluate;
pub mod execute;
pub mod exit;
pub mod files;
pub mod lint;
pub mod live;
pub mod notify;
pub mod org;
pub mod permissions;
pub mod plan;
pub mod read;
pub mod report;
pub mod resource;
pub mod sandbox;
pub mod store;
pub mod telemetry;
pub mod verify;
pub mod web;
