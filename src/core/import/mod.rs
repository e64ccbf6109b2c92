//! Desired state from what an organization has: a CloudFormation template, a Terraform state, live IAM.
//!
//! A source is read into a [`draft`]; [`emit`] makes files of it, and [`report`] says what was not taken over.
//! `CloudFormation` lowers to a draft by itself. What live IAM and a Terraform state hold is [`observed`] per account, and
//! folded: what is the same in many accounts becomes one resource with variables.

pub mod cfn;
pub mod check;
pub mod draft;
pub mod emit;
pub mod hand_over;
pub mod live;
pub mod observed;
pub mod report;
mod source;
pub mod terraform;
