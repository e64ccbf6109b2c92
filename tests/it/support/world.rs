//! An AWS to try a directory on: the sandbox or moto, both over HTTP, with an organization in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_iam::Client as Iam;
use rolecall::org::AccountId;
use rolecall::sandbox::Sandbox;
use rolecall::sandbox::world;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::cloud::{Built, Cloud};
use super::moto::Moto;
use super::served::Served;
use super::{Directory, Run, aws_env, rolecall, run};

/// An organization, and hands that change it behind rolecall's back.
pub struct World {
    env: Vec<(String, String)>,
    pub cloud: Cloud,
    pub built: Built,
    /// The id of the management account.
    pub management: String,
    runtime: Runtime,
    /// The sandbox, where it is one.
    pub sandbox: Option<Sandbox>,
    _served: Option<Served>,
    _moto: Option<Moto>,
}

impl World {
    /// In the sandbox.
    pub fn sandbox(units: &[&str], accounts: &[(&str, &str)]) -> Self {
        let runtime = Runtime::new().unwrap();
        let served = runtime.block_on(Served::new(world::World::generated(0, 0, 7)));
        let keys = served.sandbox.credentials();
        let (key, secret) = (
            keys.access_key_id().to_owned(),
            keys.secret_access_key().to_owned(),
        );
        let world = Self::at(
            runtime,
            None,
            &served.endpoint,
            [&key, &secret],
            units,
            accounts,
        );
        Self {
            sandbox: Some(served.sandbox.clone()),
            _served: Some(served),
            ..world
        }
    }

    /// On moto; none where it is not installed.
    pub fn moto(units: &[&str], accounts: &[(&str, &str)]) -> Option<Self> {
        let moto = Moto::start()?;
        let endpoint = moto.endpoint.clone();
        Some(Self::at(
            Runtime::new().unwrap(),
            Some(moto),
            &endpoint,
            ["testing", "testing"],
            units,
            accounts,
        ))
    }

    fn at(
        runtime: Runtime,
        moto: Option<Moto>,
        endpoint: &str,
        [key, secret]: [&str; 2],
        units: &[&str],
        accounts: &[(&str, &str)],
    ) -> Self {
        let (cloud, built, management) = runtime.block_on(async {
            let cloud = Cloud::new(endpoint, key, secret).await;
            let built = cloud.build(units, accounts).await;
            let management = cloud.account().await;
            (cloud, built, management)
        });
        Self {
            env: aws_env(endpoint, key, secret),
            cloud,
            built,
            management,
            runtime,
            sandbox: None,
            _served: None,
            _moto: moto,
        }
    }

    /// The id of an account, by its name.
    #[track_caller]
    pub fn id(&self, name: &str) -> &str {
        if name == "management" {
            &self.management
        } else {
            &self.built.accounts[name]
        }
    }

    /// Runs rolecall against this AWS.
    #[track_caller]
    pub fn rolecall(&self, args: &[&str]) -> Run {
        run(rolecall()
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value))))
    }

    /// Makes a principal of the sandbox who runs rolecall from here on, in an account that may read the organization.
    pub fn call_as(&mut self, account: &str, arn: &str) {
        let sandbox = self.sandbox.as_ref().unwrap();
        let id = AccountId::parse(self.id(account)).unwrap();
        sandbox.with(|world| world.organization.delegated_administrators.insert(id));
        let keys = sandbox.credentials_of(arn).unwrap();
        self.env = aws_env(
            &self.cloud.endpoint,
            keys.access_key_id(),
            keys.secret_access_key(),
        );
    }

    /// Waits for what a person does with the SDK.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// IAM of an account, by its name, as an administrator.
    pub fn iam(&self, name: &str) -> Iam {
        match name {
            "management" => self.cloud.own_iam(),
            member => self.wait(self.cloud.iam(self.id(member))),
        }
    }
}

/// A directory of `examples/`.
pub fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// A policy document as IAM's API gives it, which is percent-encoded.
#[track_caller]
pub fn document(text: &str) -> serde_json::Value {
    let decoded = percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .unwrap();
    serde_json::from_str(&decoded).unwrap_or_else(|error| panic!("{error}: {decoded}"))
}

/// A kit copied out of `examples/`, with answers to what it asks.
pub struct Kit {
    directory: Directory,
}

impl Kit {
    /// Copies `examples/NAME` and answers with the text of a file of variables.
    pub fn new(name: &str, answers: &str) -> Self {
        let directory = Directory(tempfile::tempdir().unwrap());
        copy(&example(name), directory.path());
        let kit = Self { directory };
        kit.answer(answers);
        kit
    }

    /// Answers anew.
    pub fn answer(&self, answers: &str) {
        self.directory.write("answers.toml", answers);
    }

    /// Adds a file of the user's own.
    pub fn write(&self, name: &str, text: &str) {
        self.directory.write(name, text);
    }

    /// Changes a file of the kit, in every place where `from` stands.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.directory.file(name)).unwrap();
        assert!(text.contains(from), "`{from}` is not in {name}");
        self.directory.write(name, &text.replace(from, to));
    }

    /// The arguments of a command on this directory.
    pub fn args(&self, command: &str, more: &[&str]) -> Vec<String> {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let mut args = vec![
            command.to_owned(),
            "-c".to_owned(),
            path(self.directory.path()),
        ];
        args.extend([
            "--var-file".to_owned(),
            path(&self.directory.file("answers.toml")),
        ]);
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    /// `rolecall validate`, which needs no AWS.
    #[track_caller]
    pub fn validate(&self, more: &[&str]) -> Run {
        run(rolecall().args(self.args("validate", more)))
    }

    /// Any command against an AWS.
    #[track_caller]
    pub fn run(&self, world: &World, command: &str, more: &[&str]) -> Run {
        let args = self.args(command, more);
        world.rolecall(&args.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The plan, as JSON.
    #[track_caller]
    pub fn plan(&self, world: &World, more: &[&str]) -> Value {
        self.run(world, "plan", &[more, &["--format", "json"]].concat())
            .exits(0)
            .json()
    }

    /// Applies, and asserts that a second plan has nothing to do.
    #[track_caller]
    pub fn apply(&self, world: &World, more: &[&str]) {
        self.run(world, "apply", &[more, &["--auto-approve"]].concat())
            .exits(0);
        let again = self.plan(world, more);
        assert_eq!(again["summary"]["steps"], 0, "{again:#}");
    }
}

/// Copies a directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The steps of a plan, per account.
pub fn steps(plan: &Value) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for account in plan["accounts"].as_array().unwrap() {
        for change in account["changes"].as_array().unwrap() {
            for step in change["steps"].as_array().unwrap() {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let step = (text(&change["address"]), text(&step["op"]));
                found.entry(text(&account["id"])).or_default().push(step);
            }
        }
    }
    found
}

/// How often each operation occurs among an account's steps.
pub fn operations(steps: &[(String, String)]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for (_, operation) in steps {
        *counts.entry(operation.as_str()).or_default() += 1;
    }
    counts
}
