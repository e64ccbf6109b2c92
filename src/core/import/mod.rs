//! Desired state from what an organization has: a CloudFormation template, a Terraform state, live IAM.
//!
//! A source is read into a [`draft`]; [`emit`] makes files of it, and [`report`] says what was not taken over.
//! `CloudFormation` lowers to a draft by itself. What live IAM and a Terraform state hold is [`observed`] per account, and
//! folded: what is the same in many accounts becomes one resource with variables.

#![allow(
    clippy::doc_markdown,
    clippy::filter_map_next,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::items_after_statements,
    clippy::large_enum_variant,
    clippy::manual_is_multiple_of,
    clippy::manual_let_else,
    clippy::match_bool,
    clippy::match_same_arms,
    clippy::needless_pass_by_value,
    clippy::self_only_used_in_recursion,
    clippy::redundant_closure,
    clippy::redundant_closure_for_method_calls,
    clippy::return_self_not_must_use,
    clippy::similar_names,
    clippy::single_match,
    clippy::single_match_else,
    clippy::struct_excessive_bools,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    clippy::unnested_or_patterns,
    clippy::unused_self,
    clippy::wrong_self_convention,
    reason = "new code whose style is not settled yet; correctness lints hold"
)]

pub mod cfn;
pub mod check;
pub mod draft;
pub mod emit;
pub mod hand_over;
pub mod live;
pub mod observed;
pub mod report;
pub mod terraform;
