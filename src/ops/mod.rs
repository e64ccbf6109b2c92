//! The engine: what the commands do, without a command line and without a terminal.
//!
//! Options go in, an [`Observer`] hears how things proceed, and a value or an [`Error`] comes out. Nothing here prints,
//! reads the environment or knows a flag, so a command, the demonstration and a test use the same functions.

mod accounts;
pub mod apply;
mod callers;
mod checks;
pub mod drift;
mod error;
mod granted_roles;
mod history;
mod interruption;
mod observer;
mod options;
pub mod plan;
mod planner;
mod principals;
mod record;
mod resume;
mod rollback;
pub mod saved;
mod selectors;
pub mod state;
mod survey;
#[cfg(test)]
mod tests;
mod trusting;
mod verifier;
pub mod verify;

pub use accounts::each_account;
pub use checks::finding;
pub use error::Error;
pub use interruption::Interruption;
pub use observer::{Level, Observer, Phase, Silent, wait};
pub use options::{LeaseOptions, Selection, Sources};
pub use survey::{Survey, lints, load};
