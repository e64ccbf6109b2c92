//! Applying: a plan is made, shown and approved while no other run on the same state can write, and then written.

mod judgement;
mod run;
mod task;
mod write;

pub use judgement::What;
pub use run::{Context, Operator, Options, Resume, run};
