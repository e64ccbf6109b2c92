//! Claims about plans, over a model of IAM that performs steps and refuses what IAM refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod attachments;
mod grants;
mod laws;
mod lints;
mod memory;
mod policies;
mod restore;
mod roles;
mod whole;
mod world;
