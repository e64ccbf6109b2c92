//! The sandbox over HTTP in the test's own process: the binary talks to it, the test changes things behind its back.

use std::process::Command;
use std::time::Duration;

use rolecall::org::AccountId;
use rolecall::sandbox::Sandbox;
use rolecall::sandbox::serve::serve;
use rolecall::sandbox::world::World;

use tokio::sync::oneshot;

use super::{Directory, Run, listen, rolecall, run, servers};

/// A served sandbox. The server ends when this is dropped.
pub struct Served {
    pub sandbox: Sandbox,
    pub endpoint: String,
    _stop: oneshot::Sender<()>,
}

impl Served {
    pub async fn new(world: World) -> Self {
        let sandbox = Sandbox::new(world);
        let (listener, endpoint) = listen().await;
        let (stop, stopped) = oneshot::channel::<()>();
        servers().spawn(serve(sandbox.clone(), listener, async {
            _ = stopped.await;
        }));
        Self {
            sandbox,
            endpoint,
            _stop: stop,
        }
    }

    /// The demonstration's organization.
    pub async fn demo() -> Self {
        Self::new(World::demo()).await
    }

    /// The environment of its administrator.
    pub fn env(&self) -> Vec<(String, String)> {
        let credentials = self.sandbox.credentials();
        super::aws_env(
            &self.endpoint,
            credentials.access_key_id(),
            credentials.secret_access_key(),
        )
    }

    /// The binary, pointed here and at `desired`.
    pub fn command(&self, desired: &Directory, arguments: &[&str]) -> Command {
        let mut command = rolecall();
        command
            .envs(self.env())
            .args(arguments)
            .arg("-c")
            .arg(desired.path());
        command
    }

    /// Runs the binary to its end.
    #[track_caller]
    pub fn rolecall(&self, desired: &Directory, arguments: &[&str]) -> Run {
        run(&mut self.command(desired, arguments))
    }

    /// Does something in an account as a person would.
    #[track_caller]
    pub fn by_hand(&self, account: &str, operation: &str, params: &[(&str, &str)]) {
        let account = AccountId::parse(account).unwrap();
        self.sandbox
            .by_hand(account, operation, params)
            .unwrap_or_else(|error| panic!("{operation}: {error:?}"));
    }

    /// How often an IAM, STS or Organizations operation was called.
    pub fn count(&self, operation: &str) -> u64 {
        let calls = self.sandbox.calls();
        calls
            .iter()
            .filter(|(call, _)| call.operation == operation)
            .map(|(_, count)| count)
            .sum()
    }

    /// The operations that were called and change something, each as often as it was called.
    pub fn writes(&self) -> Vec<String> {
        let reads = [
            "Get",
            "List",
            "Describe",
            "Lookup",
            "Simulate",
            "AssumeRole",
        ];
        let calls = self.sandbox.calls();
        let writes = calls
            .iter()
            .filter(|(call, _)| !reads.iter().any(|read| call.operation.starts_with(read)));
        writes
            .flat_map(|(call, count)| {
                std::iter::repeat_n(call.operation.clone(), usize::try_from(*count).unwrap())
            })
            .collect()
    }

    /// Lets writes to IAM stay unseen for a while.
    pub fn lag(&self, lag: Duration) {
        self.sandbox.with(|world| world.lag = lag);
    }
}
