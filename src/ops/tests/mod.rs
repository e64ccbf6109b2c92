//! Whole runs over the sandbox: the real engine and the real SDK, in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod grants;
mod lease;
mod rounds;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tempfile::TempDir;

use super::{Error, Selection, Silent, Sources, Survey, plan};
use crate::aws;
use crate::execute::{
    self, ChangeResult, Doers, Event, Halt, Journal, Patience, RunReport, Wave, WaveEvent,
};
use crate::live::LiveAccount;
use crate::org::{AccountId, AwsError};
use crate::plan::{Change, Plan};
use crate::resource::step::Step;
use crate::sandbox::Sandbox;
use crate::sandbox::world::World;

/// Keeps no record.
struct NoJournal;

impl Journal for NoJournal {
    async fn found(&self, _: AccountId, _: &[&Change], _: &LiveAccount) -> Result<(), String> {
        Ok(())
    }

    fn step(&self, _: &str, _: usize, _: &Step, _: Option<Result<(), &AwsError>>) {}

    async fn ended(
        &self,
        _: AccountId,
        _: &[&ChangeResult],
        _: Option<&LiveAccount>,
    ) -> Result<(), String> {
        Ok(())
    }

    fn wave(&self, _: usize, _: &Wave, _: WaveEvent) {}
}

/// A directory of desired state, and the demo's organization.
struct Stage {
    directory: TempDir,
    sandbox: Sandbox,
    /// The way to it.
    http: SharedHttpClient,
    selection: Selection,
}

impl Stage {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let selection = Selection {
            sources: Sources {
                config: PathBuf::from(directory.path()),
                ..Sources::default()
            },
            ..Selection::default()
        };
        let sandbox = Sandbox::new(World::demo());
        let http = sandbox.http_client();
        let stage = Self {
            directory,
            sandbox,
            http,
            selection,
        };
        stage.write(text);
        stage
    }

    /// Changes the desired state.
    fn write(&self, text: &str) {
        std::fs::write(self.directory.path().join("rolecall.toml"), text).unwrap();
    }

    /// Does something behind rolecall's back.
    fn by_hand(&self, account: &str, operation: &str, params: &[(&str, &str)]) -> String {
        let answer = self
            .sandbox
            .by_hand(AccountId::parse(account).unwrap(), operation, params);
        format!("{:?}", answer.unwrap())
    }

    /// How often an operation was called so far.
    fn count(&self, operation: &str) -> u64 {
        self.sandbox
            .calls()
            .iter()
            .filter(|(call, _)| call.operation == operation)
            .map(|(_, count)| count)
            .sum()
    }

    async fn survey(&self) -> Result<Survey, Error> {
        let aws = aws::Settings {
            http: Some(self.http.clone()),
            endpoint: Some("http://sandbox.invalid".to_owned()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(self.sandbox.credentials()),
        };
        Survey::new(&self.selection, aws, &Silent).await
    }

    async fn plan(&self) -> Plan {
        plan::plan(&self.survey().await.unwrap(), None, None, &Silent)
            .await
            .unwrap()
    }

    async fn apply(&self, plan: &Plan) -> RunReport {
        self.roll_out(plan, |_| {}, |_| {}).await
    }

    /// Applies with other settings, and acts where something happens.
    async fn roll_out(
        &self,
        plan: &Plan,
        change: impl FnOnce(&mut execute::Settings),
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> RunReport {
        let survey = self.survey().await.unwrap();
        let mut settings = execute::Settings {
            run: "test".to_owned(),
            partition: survey.settings.partition.clone(),
            parallelism: 4,
            patience: Patience::default(),
            halt: Halt::default(),
            waves: Vec::new(),
            bake: Duration::ZERO,
            max_failures: None,
            finished: BTreeSet::new(),
        };
        change(&mut settings);
        let doers = Doers {
            writer: Arc::new(survey.accounts.writing(settings.halt.clone())),
            reader: Arc::new(survey.accounts.reading()),
            journal: Arc::new(NoJournal),
        };
        execute::execute(
            plan,
            &survey.organization.accounts,
            doers,
            &settings,
            Arc::new(on_event),
        )
        .await
    }

    /// Plans, applies, and plans again, which must find nothing; gives the first plan.
    #[track_caller]
    fn converges(&self) -> impl Future<Output = Plan> {
        let caller = std::panic::Location::caller();
        async move {
            let plan = self.plan().await;
            let run = self.apply(&plan).await;
            assert_eq!(run.summary.done, run.results.len(), "{caller}: {run:#?}");
            let again = self.plan().await;
            assert_eq!(again.summary.steps, 0, "{caller}: {again:#?}");
            plan
        }
    }
}
