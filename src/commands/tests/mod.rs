//! Whole runs over the sandbox: the real engine and the real SDK, in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod grants;

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::survey::Survey;
use super::{Console, Stop, planning};
use crate::aws;
use crate::cli::{self, DesiredArgs, ScopeArgs};
use crate::execute::{self, Patience, RunReport};
use crate::org::AccountId;
use crate::plan::Plan;
use crate::sandbox::Sandbox;
use crate::sandbox::world::World;

/// A directory of desired state, and the demo's organization.
struct Stage {
    directory: TempDir,
    sandbox: Sandbox,
    scope: ScopeArgs,
    console: Console,
}

impl Stage {
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = DesiredArgs { config: PathBuf::from(directory.path()), var: Vec::new(), var_file: Vec::new() };
        let scope = ScopeArgs {
            desired: config,
            account: Vec::new(),
            role: Vec::new(),
            prune: false,
            parallelism: None,
            allow: Vec::new(),
        };
        let output = cli::parse(["rolecall", "--quiet", "accounts"].map(Into::into)).unwrap().output;
        let stage = Self { directory, sandbox: Sandbox::new(World::demo()), scope, console: Console::new(&output) };
        stage.write(text);
        stage
    }

    /// Changes the desired state.
    fn write(&self, text: &str) {
        std::fs::write(self.directory.path().join("rolecall.toml"), text).unwrap();
    }

    /// Does something behind rolecall's back.
    fn by_hand(&self, account: &str, operation: &str, params: &[(&str, &str)]) -> String {
        let answer = self.sandbox.by_hand(AccountId::parse(account).unwrap(), operation, params);
        format!("{:?}", answer.unwrap())
    }

    /// How often an operation was called so far.
    fn count(&self, operation: &str) -> u64 {
        self.sandbox.calls().iter().filter(|(call, _)| call.operation == operation).map(|(_, count)| count).sum()
    }

    async fn survey(&self) -> Result<Survey, Stop> {
        let aws = aws::Settings {
            http: Some(self.sandbox.http_client()),
            endpoint: Some("http://sandbox.invalid".to_owned()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(self.sandbox.credentials()),
        };
        Survey::new(&self.scope, aws, &self.console).await
    }

    async fn plan(&self) -> Plan {
        planning::plan(&self.survey().await.unwrap(), None, &self.console).await
    }

    async fn apply(&self, plan: &Plan) -> RunReport {
        let survey = self.survey().await.unwrap();
        let settings = execute::Settings {
            run: "test".to_owned(),
            parallelism: 4,
            patience: Patience::default(),
            cancel: CancellationToken::new(),
        };
        let (writer, reader) = (Arc::new(survey.accounts.writing()), Arc::new(survey.accounts.reading()));
        execute::execute(plan, &survey.organization.accounts, writer, reader, &settings, Arc::new(|_| {})).await
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
