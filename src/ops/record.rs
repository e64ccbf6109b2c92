//! The record of what a run does, kept in the state while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::state::{AT_ONCE, host};
use super::{Error, Survey};
use crate::execute::{ChangeResult, Journal, Outcome, RunReport, Wave, WaveEvent};
use crate::live::LiveAccount;
use crate::org::{AccountId, AwsError};
use crate::plan::{self, Attribute, Change, Plan, RolledBack, Status};
use crate::resource::secret::Secrets;
use crate::resource::step::Step;
use crate::store::{Entry, ResourceRecord, RunHeader, RunLog, Store, StoreError};

/// The record of one run.
#[derive(Debug)]
pub struct Record {
    store: Store,
    log: RunLog,
    run: String,
    secrets: Secrets,
    /// The attributes of changes that are accepted as they are, by address.
    accepted: BTreeMap<String, BTreeSet<Attribute>>,
    kind: RunKind,
    so_far: Mutex<SoFar>,
}

/// Whether a run brings resources to the desired state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// It does, or deletes them.
    Converges,
    /// It brings back what another run found.
    RollsBack,
}

/// What is known of a run while it is running.
#[derive(Debug, Default)]
struct SoFar {
    /// The steps that were begun and not answered yet, by address: their number and operation.
    in_flight: BTreeMap<String, (usize, String)>,
    /// What became of the changes that have ended.
    ended: BTreeMap<String, ChangeResult>,
}

impl Record {
    /// Begins the record of a run, and takes note of what its plan found to be as desired.
    pub async fn begin(
        store: &Store,
        plan: &Plan,
        survey: &Survey,
        run: &str,
        (command, kind): (&str, RunKind),
    ) -> Result<Self, Error> {
        let header = RunHeader {
            run: run.to_owned(),
            who: survey
                .settings
                .secrets
                .mask(&survey.organization.caller.arn),
            host: host(),
            started_at: now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            desired_digest: plan.desired_digest.clone(),
            command: command.to_owned(),
            plan: plan.summary,
        };
        let log = store.begin(&header).await?;
        let secrets = &survey.settings.secrets;
        let unreadable = plan
            .accounts
            .iter()
            .filter(|part| part.status == Status::Unreadable);
        for part in unreadable {
            let error = part
                .error
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            log.note(Entry::Unreadable {
                account: part.id,
                error: secrets.mask(&error),
            });
        }
        Self::note(store, plan, run).await?;
        let (store, run) = (store.clone(), run.to_owned());
        let changes = plan.accounts.iter().flat_map(|part| &part.changes);
        let accepted = changes
            .filter(|change| !change.accepted.is_empty())
            .map(|change| (change.address.clone(), change.accepted.clone()));
        Ok(Self {
            store,
            log,
            run,
            secrets: secrets.clone(),
            accepted: accepted.collect(),
            kind,
            so_far: Mutex::default(),
        })
    }

    /// Takes note of what a plan found to be as desired, or gone.
    pub async fn note(store: &Store, plan: &Plan, run: &str) -> Result<(), Error> {
        let parts = plan
            .accounts
            .iter()
            .filter(|part| !part.seen.is_empty() || !part.gone.is_empty());
        let notes = parts.map(|part| async move {
            let mut record = store.account(part.id).await?;
            record
                .resources
                .retain(|address, _| !part.gone.contains(address));
            let seen = part
                .seen
                .iter()
                .map(|(address, seen)| (address.clone(), resource(seen.clone(), run)));
            record.resources.extend(seen);
            store.put_account(&record).await
        });
        stream::iter(notes.collect::<Vec<_>>())
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }

    /// Ends the record.
    pub async fn finish(&self, run: &RunReport) -> Result<(), StoreError> {
        self.log
            .append(Entry::RunFinished {
                summary: run.summary,
            })
            .await?;
        self.log.clone().close().await
    }

    /// Waits until the record cannot be kept any more, and says why.
    pub fn broken(&self) -> impl Future<Output = StoreError> + Send + 'static {
        self.log.clone().broken()
    }

    /// The report of a run that is given up while it is running, and the steps that got no response.
    ///
    /// The record gets no end: what was in flight may have been done.
    pub fn given_up(&self, plan: &Plan) -> (RunReport, Vec<String>) {
        let so_far = self.so_far();
        let changes = plan
            .accounts
            .iter()
            .flat_map(|part| &part.changes)
            .filter(|change| !change.steps.is_empty());
        let results = changes.map(|change| {
            let open = || {
                let error = match so_far.in_flight.get(&change.address) {
                    Some((step, op)) => format!(
                        "interrupted while step {} of {} ({op}) was in progress; apply again to finish",
                        step + 1,
                        change.steps.len()
                    ),
                    None => "interrupted before its end; apply again to finish".to_owned(),
                };
                let (address, action) = (change.address.clone(), change.action);
                ChangeResult { address, action, outcome: Outcome::NotReached, error: Some(error) }
            };
            so_far.ended.get(&change.address).cloned().unwrap_or_else(open)
        });
        let report = RunReport::new(self.run.clone(), results.collect());
        let in_flight = so_far
            .in_flight
            .iter()
            .map(|(address, (_, op))| format!("{op} of {address}"));
        (report, in_flight.collect())
    }

    /// Waits until what was noted is kept.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.log.clone().close().await
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, address: &str, live: &LiveAccount) -> Option<plan::Converged> {
        plan::remember(address, live, self.store.salt(), &self.secrets)
    }

    async fn keep(
        &self,
        account: AccountId,
        done: &[&str],
        live: &LiveAccount,
    ) -> Result<(), StoreError> {
        let mut record = self.store.account(account).await?;
        for address in done {
            let known = record.resources.remove(*address);
            let now = self.remember(address, live).map(|now| {
                let accepted = self.accepted.get(*address).cloned().unwrap_or_default();
                now.keeping(known.as_ref().map(|known| &known.converged), &accepted)
            });
            let kept = match self.kind {
                RunKind::Converges => now.map(|now| resource(now, &self.run)),
                // What was last as desired stays on record, so that the difference is not taken for the file's.
                RunKind::RollsBack => known
                    .or_else(|| Some(resource(now.clone()?, &self.run)))
                    .map(|known| ResourceRecord {
                        rollback: Some(RolledBack {
                            run: self.run.clone(),
                            left: now,
                        }),
                        ..known
                    }),
            };
            record
                .resources
                .extend(kept.map(|kept| ((*address).to_owned(), kept)));
        }
        self.store.put_account(&record).await
    }
}

fn resource(converged: plan::Converged, run: &str) -> ResourceRecord {
    ResourceRecord {
        converged_at: now(),
        run: run.to_owned(),
        rollback: None,
        converged,
    }
}

fn now() -> String {
    jiff::Timestamp::now()
        .round(jiff::Unit::Millisecond)
        .unwrap_or_default()
        .to_string()
}

impl Journal for Record {
    async fn found(
        &self,
        account: AccountId,
        changes: &[&Change],
        live: &LiveAccount,
    ) -> Result<(), String> {
        let record = self.store.account(account).await;
        let record = record.map_err(|error| error.to_string())?;
        let before = |change: &Change| {
            let known = record.resources.get(&change.address);
            let known = known.map(|record| &record.converged);
            plan::found(change, live, self.store.salt(), &self.secrets, known)
        };
        let entries = changes.iter().map(|change| Entry::ChangeStarted {
            address: change.address.clone(),
            action: change.action,
            before: before(change),
            expected: change.watch.leaves.clone(),
            details: change.details,
            steps: change.steps.len(),
        });
        let kept = try_join_all(entries.map(|entry| self.log.append(entry))).await;
        kept.map(drop).map_err(|error| error.to_string())
    }

    fn step(
        &self,
        address: &str,
        number: usize,
        step: &Step,
        answer: Option<Result<(), &AwsError>>,
    ) {
        let (address, step) = (address.to_owned(), (number, step.operation()));
        match answer {
            None => {
                _ = self
                    .so_far()
                    .in_flight
                    .insert(address.clone(), (number, step.1.to_string()));
            }
            Some(_) => _ = self.so_far().in_flight.remove(&address),
        }
        self.log.note(match answer {
            None => Entry::StepStarted {
                address,
                step: step.0,
                op: step.1.to_string(),
            },
            Some(answer) => {
                let error = answer
                    .err()
                    .map(|error| self.secrets.mask(&error.to_string()));
                Entry::StepFinished {
                    address,
                    step: step.0,
                    error,
                }
            }
        });
    }

    async fn ended(
        &self,
        account: AccountId,
        results: &[&ChangeResult],
        live: Option<&LiveAccount>,
    ) -> Result<(), String> {
        let ended = results
            .iter()
            .map(|result| (result.address.clone(), (*result).clone()));
        self.so_far().ended.extend(ended);
        let entries = results.iter().map(|result| Entry::ChangeFinished {
            address: result.address.clone(),
            outcome: result.outcome,
            error: result
                .error
                .as_deref()
                .map(|error| self.secrets.mask(error)),
        });
        try_join_all(entries.map(|entry| self.log.append(entry)))
            .await
            .map_err(|error| error.to_string())?;
        let done = results
            .iter()
            .filter(|result| result.outcome == Outcome::Done);
        let done: Vec<&str> = done.map(|result| result.address.as_str()).collect();
        match live {
            Some(live) if !done.is_empty() => self
                .keep(account, &done, live)
                .await
                .map_err(|error| error.to_string()),
            _ => Ok(()),
        }
    }

    fn wave(&self, number: usize, wave: &Wave, event: WaveEvent) {
        let accounts = wave.accounts.iter().copied().collect();
        match event {
            WaveEvent::Started => self.log.note(Entry::WaveStarted {
                wave: number,
                accounts,
            }),
            WaveEvent::Baking(_) => {}
            WaveEvent::Finished => self.log.note(Entry::WaveFinished {
                wave: number,
                accounts,
            }),
        }
    }
}
