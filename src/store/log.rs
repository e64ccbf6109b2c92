//! Writing the record of a run while it is running.
//!
//! Making a line durable costs a disk a few milliseconds and a bucket some tens of them, whatever the number of lines. So
//! one task writes: what came in while it was writing goes into its next write together.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::backend::Backend;
use super::clock::{Clock, written};
use super::run::{Chain, Entry, Logged, RunHeader};
use super::{StoreError, key};
use crate::resource::secret::Digests;

/// Lines in one write at most.
const TOGETHER: usize = 4096;

/// The record of a run that is running. Clones write to the same record, in the order they are called.
///
/// Once a write has failed nothing is written any more, and every further call fails with the same error: what stands
/// in the record is a whole beginning of what happened.
#[derive(Debug, Clone)]
pub struct RunLog {
    sender: mpsc::UnboundedSender<Message>,
    /// How writing went so far.
    result: watch::Receiver<Result<(), StoreError>>,
    clock: Arc<dyn Clock>,
    digests: Arc<Digests>,
}

type Done = oneshot::Sender<Result<(), StoreError>>;

#[derive(Debug)]
struct Message {
    /// `None` only asks how it went so far.
    line: Option<Logged>,
    done: Option<Done>,
}

impl RunLog {
    /// Opens the record of a run: its header is durable when this returns.
    pub(super) async fn open(
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        digests: Arc<Digests>,
        header: &RunHeader,
    ) -> Result<Self, StoreError> {
        let mut file = File {
            log: key::log(&header.run),
            backend,
            chain: Chain::default(),
            parts: 0,
        };
        let first = file
            .chain
            .open(header)
            .map_err(|error| file.failed(error.to_string()))?;
        file.write(first).await?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let (tell, result) = watch::channel(Ok(()));
        tokio::spawn(file.write_all(receiver, tell));
        Ok(Self {
            sender,
            result,
            clock,
            digests,
        })
    }

    /// Records an entry. Returns once it is durable.
    ///
    /// # Errors
    /// It, or an entry before it, cannot be written.
    pub async fn append(&self, entry: Entry) -> Result<(), StoreError> {
        self.wait(Some(entry)).await
    }

    /// Records an entry with the next write, without waiting for it. Whether that succeeded is reported by whatever is
    /// called next, and by [`close`](Self::close).
    pub fn note(&self, entry: Entry) {
        // The writer ends only with the runtime.
        _ = self.sender.send(Message {
            line: Some(self.logged(entry)),
            done: None,
        });
    }

    /// Waits until everything recorded so far is durable.
    ///
    /// # Errors
    /// Something of it cannot be written.
    pub async fn close(self) -> Result<(), StoreError> {
        self.wait(None).await
    }

    /// Waits until something could not be written, and says why; for ever where everything is.
    pub async fn broken(mut self) -> StoreError {
        loop {
            if let Err(error) = &*self.result.borrow_and_update() {
                return error.clone();
            }
            if self.result.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn wait(&self, entry: Option<Entry>) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        let line = entry.map(|entry| self.logged(entry));
        self.sender
            .send(Message {
                line,
                done: Some(done),
            })
            .map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn logged(&self, mut entry: Entry) -> Logged {
        if let Some(address) = entry.address_mut() {
            *address = self.digests.hide(address);
        }
        Logged {
            at: written(self.clock.now()),
            entry,
        }
    }
}

/// The file or segments behind a record.
struct File {
    log: String,
    backend: Arc<dyn Backend>,
    chain: Chain,
    parts: u32,
}

impl File {
    /// Writes until every sender is gone.
    async fn write_all(
        mut self,
        mut receiver: mpsc::UnboundedReceiver<Message>,
        tell: watch::Sender<Result<(), StoreError>>,
    ) {
        let mut result = Ok(());
        let mut messages = Vec::new();
        while receiver.recv_many(&mut messages, TOGETHER).await > 0 {
            if result.is_ok() {
                result = self.write_lines(&messages).await;
                if let Err(error) = &result {
                    tracing::error!(%error, "the run can no longer be recorded");
                    _ = tell.send_replace(result.clone());
                }
            }
            for done in messages.drain(..).filter_map(|message| message.done) {
                // Whoever asked may have gone.
                _ = done.send(result.clone());
            }
        }
    }

    async fn write_lines(&mut self, messages: &[Message]) -> Result<(), StoreError> {
        let mut text = String::new();
        for line in messages.iter().filter_map(|message| message.line.as_ref()) {
            text += &self
                .chain
                .line(line)
                .map_err(|error| self.failed(error.to_string()))?;
        }
        if text.is_empty() {
            Ok(())
        } else {
            self.write(text).await
        }
    }

    async fn write(&mut self, text: String) -> Result<(), StoreError> {
        self.parts += 1;
        let written = self
            .backend
            .append(&self.log, self.parts, text.into_bytes())
            .await;
        written.map_err(|failure| StoreError::write(self.backend.place(&self.log), failure))
    }

    fn failed(&self, reason: String) -> StoreError {
        StoreError::Write {
            place: self.backend.place(&self.log),
            reason,
        }
    }
}
