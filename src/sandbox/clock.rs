//! The clock of a world.

use std::time::Duration;

/// The clock of the sandbox.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// Moves by itself, with the clock of tokio, which tests can let jump.
    Wall(tokio::time::Instant),
    /// Moves when advanced.
    Manual(Duration),
}

impl Clock {
    /// Time since the world began.
    pub fn now(&self) -> Duration {
        match self {
            Self::Wall(start) => start.elapsed(),
            Self::Manual(now) => *now,
        }
    }
}
