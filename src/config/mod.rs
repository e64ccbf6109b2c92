//! The desired state as its author wrote it, and how it becomes [`Desired`](crate::desired::Desired).
//!
//! Files become one tree in which everything knows its place ([`tree`]); the tree is checked against static tables
//! ([`schema`], [`shape`]) and its expressions are compiled ([`expr`]). For each account the expressions are evaluated
//! and the tree is rendered ([`render`]), and what was rendered becomes roles and policies.
//! Everything that is wrong is said at once ([`problem`]).

pub mod check;
pub mod document;
pub mod expr;
pub mod problem;
pub mod render;
pub mod schema;
pub mod settings;
pub mod shape;
pub mod source;
pub mod statement;
pub mod target;
pub mod tree;
pub mod vars;
