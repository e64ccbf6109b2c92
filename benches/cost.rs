//! What a run costs, beside the floor: the same calls with nothing around them, 64 in flight.
//!
//! `cargo bench --bench cost` runs the binary against the sandbox over HTTP, every call delayed by 50 ms, and prints
//! calls, wall time and peak memory of each act next to the floor's. Ratios count, not seconds: both sides run in the
//! same minute on the same machine. `ROLECALL_BENCH_ACCOUNTS` (200) and `ROLECALL_BENCH_LATENCY_MS` (50) change the work.
//!
//! The work: each account gets 5 roles, each with a trust that demands an external id, 2 AWS managed policies, 1
//! customer managed policy, 1 inline policy and 3 tags.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::format_push_string,
    clippy::duration_suboptimal_units,
    reason = "a benchmark that cannot measure ends with what went wrong"
)]

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_iam::types::{EntityType, Tag};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use futures_util::StreamExt;
use futures_util::stream;
use rolecall::sandbox::Sandbox;
use rolecall::sandbox::serve::serve;
use rolecall::sandbox::world::World;

const ROLES: usize = 5;
const IN_FLIGHT: usize = 64;
const AWS_MANAGED: [&str; 2] = [
    "arn:aws:iam::aws:policy/SecurityAudit",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
];

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["floor", "read"] => runtime.block_on(floor(false)),
        ["floor", "apply"] => runtime.block_on(floor(true)),
        _ => runtime.block_on(bench()),
    }
}

/// One measured child process.
struct Cost {
    calls: u64,
    wall: Duration,
    peak_kib: u64,
}

struct Stage {
    sandbox: Sandbox,
    env: Vec<(String, String)>,
}

impl Stage {
    async fn new(accounts: u32, latency: Duration) -> Self {
        let sandbox = Sandbox::new(World::generated(accounts, 6, 1));
        sandbox.set_latency(latency);
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(sandbox.clone(), listener, std::future::pending()));
        let credentials = sandbox.credentials();
        let env = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key()),
        ];
        let env = env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        Self { sandbox, env }
    }

    fn calls(&self) -> u64 {
        self.sandbox.calls().values().sum()
    }

    /// Runs a command to its end and measures it; its exit code must be `expect`.
    async fn measure(&self, command: &mut Command, expect: i32) -> Cost {
        let before = self.calls();
        let start = Instant::now();
        let mut child = command
            .envs(self.env.clone())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let status_file = format!("/proc/{}/status", child.id());
        let mut peak_kib = 0;
        let status = loop {
            peak_kib = peak_kib.max(peak(Path::new(&status_file)));
            match child.try_wait().expect("the child can be waited for") {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let wall = start.elapsed();
        if status.code() != Some(expect) {
            let mut said = String::new();
            std::io::Read::read_to_string(
                &mut child.stderr.take().expect("stderr is piped"),
                &mut said,
            )
            .expect("text");
            panic!("{command:?} ended with {status}:\n{said}");
        }
        Cost {
            calls: self.calls() - before,
            wall,
            peak_kib,
        }
    }
}

/// The high-water mark of a process's memory, in KiB; 0 where the system does not tell.
fn peak(status: &Path) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}

async fn bench() {
    let accounts =
        u32::try_from(setting("ROLECALL_BENCH_ACCOUNTS", 200)).expect("a count of accounts");
    let latency = Duration::from_millis(setting("ROLECALL_BENCH_LATENCY_MS", 50));
    println!(
        "{accounts} accounts x {ROLES} roles, {latency:?} per call, floor with {IN_FLIGHT} in flight\n"
    );
    println!(
        "{:<12} {:>18} {:>8} {:>20} {:>8} {:>10} {:>10}",
        "act", "calls (floor)", "ratio", "wall (floor)", "ratio", "peak", "floor"
    );
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("rolecall.toml"), desired())
        .expect("the desired state is written");
    let rolecall = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolecall"));
        command
            .arg(arguments[0])
            .arg("-c")
            .arg(directory.path())
            .args(&arguments[1..])
            .arg("--quiet");
        command
    };
    let floor = |what: &str| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["floor", what]);
        command
    };
    let stage = Stage::new(accounts, latency).await;
    let apply = stage
        .measure(&mut rolecall(&["apply", "--auto-approve"]), 0)
        .await;
    let apply_floor = Stage::new(accounts, latency)
        .await
        .measure(&mut floor("apply"), 0)
        .await;
    row("apply", &apply, &apply_floor);
    let read_floor = stage.measure(&mut floor("read"), 0).await;
    let no_op = stage
        .measure(&mut rolecall(&["plan", "--detailed-exitcode"]), 0)
        .await;
    row("no-op plan", &no_op, &read_floor);
    meddle(&stage);
    let drifted = stage
        .measure(&mut rolecall(&["plan", "--detailed-exitcode"]), 2)
        .await;
    row("drift plan", &drifted, &read_floor);
    let drift = stage.measure(&mut rolecall(&["drift"]), 2).await;
    row("drift", &drift, &read_floor);
}

fn row(act: &str, cost: &Cost, floor: &Cost) {
    #[expect(clippy::cast_precision_loss, reason = "counts of calls are small")]
    let ratio = |a: u64, b: u64| a as f64 / b as f64;
    println!(
        "{act:<12} {:>18} {:>8.2} {:>20} {:>8.2} {:>6} MiB {:>6} MiB",
        format!("{} ({})", cost.calls, floor.calls),
        ratio(cost.calls, floor.calls),
        format!("{:.2?} ({:.2?})", cost.wall, floor.wall),
        cost.wall.as_secs_f64() / floor.wall.as_secs_f64(),
        cost.peak_kib / 1024,
        floor.peak_kib / 1024,
    );
}

/// Someone attaches a policy in every tenth account.
fn meddle(stage: &Stage) {
    let accounts: Vec<_> = stage
        .sandbox
        .with(|world| world.accounts.keys().copied().collect());
    for account in accounts.into_iter().step_by(10) {
        let params = [
            ("RoleName", "bench-0"),
            ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess"),
        ];
        // The management account is no target.
        _ = stage.sandbox.by_hand(account, "AttachRolePolicy", &params);
    }
}

fn desired() -> String {
    let mut text = "name = \"bench\"\n[limits]\nmax_change_percent = 100\n".to_owned();
    for n in 0..ROLES {
        text += &format!(
            r#"
[[policy]]
name = "bench-{n}"
[[policy.statement]]
actions = ["s3:GetObject"]
resources = ["arn:aws:s3:::bench-{n}/*"]

[[role]]
name = "bench-{n}"
managed_policies = ["aws:SecurityAudit", "aws:ReadOnlyAccess", "local:bench-{n}"]
tags = {{ team = "bench", index = "{n}", env = "test" }}
targets = "all"
exclude = [{{ account = "management" }}]
[[role.trust]]
aws = ["{{{{ organization.management_account }}}}"]
external_id = "external-{n}"
[[role.inline_policy]]
name = "inline"
[[role.inline_policy.statement]]
actions = ["sqs:ReceiveMessage"]
resources = ["*"]
"#
        );
    }
    text
}

/// The calls of the work with nothing around them, so that their number and time are known.
async fn floor(apply: bool) {
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .http_client(http)
        .load()
        .await;
    let organizations = aws_sdk_organizations::Client::new(&config);
    let sts = aws_sdk_sts::Client::new(&config);
    sts.get_caller_identity().send().await.expect("an identity");
    let management = organizations
        .describe_organization()
        .send()
        .await
        .expect("an organization")
        .organization
        .expect("one")
        .master_account_id;
    let management = management.expect("a management account");
    let roots = organizations
        .list_roots()
        .send()
        .await
        .expect("roots")
        .roots
        .expect("roots");
    let mut parents: Vec<String> = roots.into_iter().filter_map(|root| root.id).collect();
    let mut accounts = Vec::new();
    while !parents.is_empty() {
        let walked: Vec<(Vec<String>, Vec<String>)> = stream::iter(parents)
            .map(|parent| walk(&organizations, parent))
            .buffer_unordered(IN_FLIGHT)
            .collect()
            .await;
        parents = Vec::new();
        for (units, members) in walked {
            parents.extend(units);
            accounts.extend(members);
        }
    }
    let members = accounts
        .into_iter()
        .filter(|account| *account != management);
    stream::iter(members)
        .for_each_concurrent(IN_FLIGHT, |account| {
            let (config, sts) = (&config, &sts);
            async move {
                let iam = enter(config, sts, &account).await;
                let filter = [EntityType::Role, EntityType::LocalManagedPolicy];
                let read = iam
                    .get_account_authorization_details()
                    .set_filter(Some(filter.to_vec()))
                    .max_items(1000);
                read.send().await.expect("the account is read");
                if apply {
                    for n in 0..ROLES {
                        write(&iam, &account, n).await;
                    }
                }
            }
        })
        .await;
}

async fn walk(
    client: &aws_sdk_organizations::Client,
    parent: String,
) -> (Vec<String>, Vec<String>) {
    let units = async {
        let pages = client
            .list_organizational_units_for_parent()
            .parent_id(&parent)
            .into_paginator()
            .send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.expect("units");
        pages
            .into_iter()
            .flat_map(|page| page.organizational_units.unwrap_or_default())
            .filter_map(|unit| unit.id)
            .collect()
    };
    let accounts = async {
        let pages = client
            .list_accounts_for_parent()
            .parent_id(&parent)
            .into_paginator()
            .send();
        let pages = pages
            .collect::<Result<Vec<_>, _>>()
            .await
            .expect("accounts");
        pages
            .into_iter()
            .flat_map(|page| page.accounts.unwrap_or_default())
            .filter_map(|account| account.id)
            .collect()
    };
    tokio::join!(units, accounts)
}

async fn enter(
    config: &SdkConfig,
    sts: &aws_sdk_sts::Client,
    account: &str,
) -> aws_sdk_iam::Client {
    let arn = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let answer = sts
        .assume_role()
        .role_arn(arn)
        .role_session_name("floor")
        .send()
        .await
        .expect("the account is entered");
    let session = answer.credentials.expect("credentials");
    let credentials = Credentials::new(
        session.access_key_id,
        session.secret_access_key,
        Some(session.session_token),
        None,
        "floor",
    );
    aws_sdk_iam::Client::from_conf(
        aws_sdk_iam::config::Builder::from(config)
            .credentials_provider(credentials)
            .build(),
    )
}

async fn write(iam: &aws_sdk_iam::Client, account: &str, n: usize) {
    const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;
    let name = format!("floor-{n}");
    let tags =
        ["a", "b", "c", "d"].map(|key| Tag::builder().key(key).value("x").build().expect("a tag"));
    iam.create_policy()
        .policy_name(&name)
        .policy_document(DOCUMENT)
        .send()
        .await
        .expect("a policy");
    let role = iam
        .create_role()
        .role_name(&name)
        .assume_role_policy_document(TRUST)
        .set_tags(Some(tags.to_vec()));
    role.send().await.expect("a role");
    let own = format!("arn:aws:iam::{account}:policy/{name}");
    for arn in AWS_MANAGED.into_iter().chain([own.as_str()]) {
        iam.attach_role_policy()
            .role_name(&name)
            .policy_arn(arn)
            .send()
            .await
            .expect("an attachment");
    }
    iam.put_role_policy()
        .role_name(&name)
        .policy_name("inline")
        .policy_document(DOCUMENT)
        .send()
        .await
        .expect("a policy");
}
