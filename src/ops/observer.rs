//! Who hears how an operation proceeds. What an observer does never changes the result.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Problem;
use crate::execute::Event;
use crate::org::AccountId;
use crate::resource::secret::Secrets;

/// How long nothing is said of something that takes long.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// News.
    Note,
    /// Something did not work, and the result is the same.
    Warning,
    /// Something failed, and the result shows it.
    Error,
    /// How to fix what the message before it said.
    Hint,
}

/// Hears how an operation proceeds.
pub trait Observer: Send + Sync {
    /// A part of the work begins, such as `Reading accounts`; without a total, what is done is only counted.
    fn phase(&self, title: &str, total: Option<u64>) -> Arc<dyn Phase>;

    /// Something worth saying at once.
    fn message(&self, level: Level, text: &str);

    /// The desired state is usable, but has these problems.
    fn problems(&self, problems: &[Problem]);

    /// From here on these values must not be shown.
    fn secrets(&self, secrets: &Secrets);

    /// Says [news](Level::Note).
    fn note(&self, text: &str) {
        self.message(Level::Note, text);
    }

    /// Says [what did not work](Level::Warning).
    fn warning(&self, text: &str) {
        self.message(Level::Warning, text);
    }

    /// Says [what failed](Level::Error).
    fn error(&self, text: &str) {
        self.message(Level::Error, text);
    }

    /// Says [how to fix it](Level::Hint).
    fn hint(&self, text: &str) {
        self.message(Level::Hint, text);
    }
}

/// A part of the work. Many tasks share it.
pub trait Phase: Send + Sync {
    /// One more thing is done that has no name worth a line.
    fn tick(&self);

    /// An account is done; `note` says how, and may be empty.
    fn account_done(&self, name: &str, id: AccountId, note: &str);

    /// Something failed; the result says it again.
    fn failure(&self, text: &str);

    /// Something happened in a run.
    fn event(&self, event: &Event);

    /// The part is over, whoever still shares it.
    fn finish(&self);
}

/// An observer that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn phase(&self, _: &str, _: Option<u64>) -> Arc<dyn Phase> {
        Arc::new(Self)
    }

    fn message(&self, _: Level, _: &str) {}

    fn problems(&self, _: &[Problem]) {}

    fn secrets(&self, _: &Secrets) {}
}

impl Phase for Silent {
    fn tick(&self) {}

    fn account_done(&self, _: &str, _: AccountId, _: &str) {}

    fn failure(&self, _: &str) {}

    fn event(&self, _: &Event) {}

    fn finish(&self) {}
}

/// Does `act`; where that takes long, says from time to time what is waited for.
pub async fn wait<T>(what: &str, observer: &dyn Observer, act: impl Future<Output = T>) -> T {
    let mut act = std::pin::pin!(act);
    loop {
        tokio::select! {
            biased;
            done = &mut act => return done,
            () = tokio::time::sleep(PATIENCE) => observer.note(&format!("still waiting for {what}")),
        }
    }
}
