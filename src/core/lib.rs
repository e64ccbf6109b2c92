//! What rolecall knows of IAM, without a clock, a disk, a network or a terminal: this crate has no dependency that could
//! reach one, and the files of a desired state come through [`config::Files`].
//!
//! - [`org`]: the vocabulary: accounts, organizational units, selectors, errors of AWS.
//! - [`resource`]: policy documents (canonical on construction, so `==` is meaning), roles, managed policies, names,
//!   secrets, and [`Step`](resource::step::Step): one AWS write with all its arguments.
//! - [`config`]: TOML with spans, variables, expressions, checks, and the expansion over an organization.
//! - [`import`]: desired state from what an organization has: CloudFormation templates, Terraform states, live IAM.
//! - [`desired`], [`live`]: what each account should hold; what was seen there.
//! - [`diff`]: compares the two, field by field.
//! - [`evaluate`]: what a policy allows.
//! - [`lint`]: findings about a desired role, one rule per function, with stable codes.
//! - [`plan`]: changes with their steps in order, guards, fingerprints, the saved form.
//! - [`drift`]: which differences of a plan were made manually and which by the files, and which are accepted.
//! - [`verify`]: what to try of a role, and what the answers prove.
//! - [`permissions`]: what the caller and the access role must be allowed.

pub mod config;
pub mod desired;
pub mod diff;
pub mod drift;
pub mod evaluate;
pub mod import;
pub mod lint;
pub mod live;
pub mod org;
pub mod permissions;
pub mod plan;
pub mod resource;
pub mod verify;
