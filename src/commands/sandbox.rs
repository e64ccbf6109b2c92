//! `rolecall sandbox`: an AWS organization in this process.

use std::ffi::OsString;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpListener;

use super::signals::Signals;
use super::{Console, Stop, apply, drift, plan, verify};
use crate::aws;
use crate::cli::{
    DesiredArgs, DriftArgs, Format, LeaseArgs, NotifyArgs, PlanFormat, ReportArgs, RunArgs,
    ScopeArgs, StateArgs,
};
use crate::exit::Exit;
use crate::files;
use crate::org::AccountId;
use crate::report::style::{DEFAULT_WIDTH, Tone};
use crate::sandbox::Sandbox;
use crate::sandbox::build::OrgSpec;
use crate::sandbox::faults::FaultFile;
use crate::sandbox::serve as http;
use crate::sandbox::world::{Permissions, World};

/// The largest organization or fault file that is read.
const SANDBOX_FILE_LIMIT: u64 = 16 * files::MIB;

/// The quickstart, as it is in `examples/`: the demonstration needs no files.
const QUICKSTART: &[(&str, &str)] = &[
    (
        "rolecall.toml",
        include_str!("../../examples/quickstart/rolecall.toml"),
    ),
    (
        "vendor.toml",
        include_str!("../../examples/quickstart/vendor.toml"),
    ),
    (
        "policies/read-logs.json",
        include_str!("../../examples/quickstart/policies/read-logs.json"),
    ),
];

/// What to serve, and how.
pub struct Serve<'a> {
    /// The organization, or the demonstration's.
    pub org: Option<&'a Path>,
    /// The faults to inject.
    pub faults: Option<&'a Path>,
    /// Whether the callers' own policies are enforced.
    pub permissions: Permissions,
    /// The port on loopback; 0 picks a free one.
    pub port: u16,
    /// Where to write the environment variables, instead of standard output.
    pub env_file: Option<&'a Path>,
}

/// Serves a sandbox on loopback until it is interrupted.
pub async fn serve(options: Serve<'_>, console: &Console) -> Result<Exit, Stop> {
    let sandbox = sandbox(options.org, options.permissions)?;
    if let Some(path) = options.faults {
        let faults = FaultFile::parse(&text("faults", path)?);
        faults
            .map_err(|error| unusable("faults", path, &error))?
            .unleash(&sandbox);
    }
    let listener = listen(options.port).await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let mut exports = String::new();
    for (name, value) in env(&endpoint, &sandbox) {
        exports += &["export ", name, "=", &value, "\n"].concat();
    }
    if let Some(path) = options.env_file {
        files::write(path, exports.as_bytes(), 0o600).map_err(|error| {
            Stop::because(format!("cannot write `{}`: {error}", path.display()))
        })?;
    } else {
        let mut out = console.data();
        out.write_all(exports.as_bytes())?;
        out.flush()?;
    }
    let accounts = sandbox.with(|world| world.accounts.len());
    console.say(&format!(
        "serving an organization of {accounts} accounts on {endpoint}; Ctrl-C ends it"
    ));
    // A signal ends it, as every command.
    http::serve(sandbox, listener, std::future::pending()).await?;
    Ok(Exit::Done)
}

/// Runs a command, or the user's shell, with an environment in which AWS is a new sandbox, and ends as it does.
pub async fn run(
    org: Option<&Path>,
    permissions: Permissions,
    command: &[OsString],
) -> Result<Exit, Stop> {
    let sandbox = sandbox(org, permissions)?;
    let listener = listen(0).await?;
    let env = env(&format!("http://{}", listener.local_addr()?), &sandbox);
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let (program, arguments) = command.split_first().unwrap_or((&shell, &[]));
    let mut child = tokio::process::Command::new(program);
    // A profile, a session token or an endpoint of one service would lead past the sandbox, to the real AWS.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"AWS_") {
            child.env_remove(name);
        }
    }
    let proxied = std::env::var("NO_PROXY").unwrap_or_default();
    let mut child = child
        .args(arguments)
        .envs(env)
        // Not the profiles of the user either: `--profile` would be one of the real AWS.
        .envs([
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
        .env("NO_PROXY", format!("{proxied},127.0.0.1"))
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Stop::because(format!("cannot run `{}`: {error}", program.display())))?;
    tokio::select! {
        ended = child.wait() => {
            let status = ended?;
            // As shells do for a command that a signal ended.
            let signal = status.signal().map(|signal| signal + 128);
            let code = status.code().or(signal).and_then(|code| u8::try_from(code).ok());
            Ok(Exit::Command(code.unwrap_or(1)))
        }
        served = http::serve(sandbox, listener, std::future::pending()) => {
            served?;
            Ok(Exit::Error)
        }
    }
}

fn sandbox(org: Option<&Path>, permissions: Permissions) -> Result<Sandbox, Stop> {
    Ok(Sandbox::new(World {
        permissions,
        ..world(org)?
    }))
}

async fn listen(port: u16) -> Result<TcpListener, Stop> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| Stop::because(format!("cannot listen on 127.0.0.1:{port}: {error}")))
}

/// The variables that point any AWS client at the sandbox.
fn env(endpoint: &str, sandbox: &Sandbox) -> [(&'static str, String); 5] {
    let credentials = sandbox.credentials();
    [
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        // What boto3 and version 1 of the CLI read.
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id().to_owned()),
        (
            "AWS_SECRET_ACCESS_KEY",
            credentials.secret_access_key().to_owned(),
        ),
    ]
}

fn world(org: Option<&Path>) -> Result<World, Stop> {
    let Some(path) = org else {
        return Ok(World::demo());
    };
    OrgSpec::parse(&text("organization", path)?)
        .and_then(|spec| World::new(&spec))
        .map_err(|error| unusable("organization", path, &error))
}

fn text(what: &str, path: &Path) -> Result<String, Stop> {
    let read = files::read_given(path, SANDBOX_FILE_LIMIT);
    read.and_then(|given| String::from_utf8(given.bytes).map_err(std::io::Error::other))
        .map_err(|error| {
            Stop::because(format!(
                "cannot read the {what} `{}`: {error}",
                path.display()
            ))
        })
}

fn unusable(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Stop {
    Stop::because(format!(
        "cannot use the {what} `{}`: {error}",
        path.display()
    ))
}

/// Tells the whole story in one go: plan, apply, plan, a change by hand, plan, apply, plan, verify.
pub async fn demo(signals: &Signals, console: &Console) -> Result<Exit, Stop> {
    let directory = tempfile::tempdir()?;
    for (name, text) in QUICKSTART {
        let path = directory.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    let scope = scope(directory.path().to_owned());
    let demo = Demo {
        sandbox: Sandbox::new(World::demo()),
        scope,
        signals,
        console,
    };
    Box::pin(demo.tell()).await
}

fn scope(config: PathBuf) -> ScopeArgs {
    ScopeArgs {
        desired: DesiredArgs {
            config,
            var: Vec::new(),
            var_file: Vec::new(),
        },
        account: Vec::new(),
        role: Vec::new(),
        prune: false,
        parallelism: None,
        allow: Vec::new(),
    }
}

struct Demo<'a> {
    sandbox: Sandbox,
    scope: ScopeArgs,
    signals: &'a Signals,
    console: &'a Console,
}

impl Demo<'_> {
    async fn tell(&self) -> Result<Exit, Stop> {
        let accounts = self.sandbox.with(|world| world.accounts.len());
        self.title(&format!(
            "An AWS organization of {accounts} accounts, in this process"
        ))?;
        self.words(
            "The desired state is examples/quickstart: an audit role in every member account, and a vendor's role",
        )?;
        self.words(
            "where the logs are. Everything below is the real engine and the real AWS SDK; only AWS is not real.",
        )?;

        self.title("1. rolecall plan: what would change?")?;
        self.plan(Exit::Changes).await?;
        self.title("2. rolecall apply --auto-approve: converge")?;
        self.apply().await?;
        self.title("3. rolecall plan: nothing is left to do")?;
        self.plan(Exit::Done).await?;

        self.title("4. Someone changes three things by hand")?;
        self.meddle()?;
        self.title("5. rolecall drift --who: what changed, and who changed it")?;
        Box::pin(self.drift()).await?;
        self.title("6. rolecall apply --auto-approve: repair")?;
        self.apply().await?;
        self.title("7. rolecall plan: as desired again")?;
        self.plan(Exit::Done).await?;
        self.title("8. rolecall verify: who can assume the roles, and who cannot")?;
        self.verify().await?;

        self.title("That is all. Your turn:")?;
        self.words(
            "  rolecall sandbox run -- bash          # a shell in which AWS is such an organization",
        )?;
        self.words("  rolecall plan -c examples/quickstart  # in that shell")?;
        Ok(Exit::Done)
    }

    fn title(&self, text: &str) -> Result<(), Stop> {
        let mut out = self.console.data();
        let style = &self.console.out;
        let rule = "─".repeat(
            style
                .width
                .min(DEFAULT_WIDTH)
                .saturating_sub(text.chars().count() + 4),
        );
        writeln!(
            out,
            "\n{} {} {}",
            style.paint(Tone::Faint, "──"),
            style.paint(Tone::Title, text),
            style.paint(Tone::Faint, &rule)
        )?;
        Ok(out.flush()?)
    }

    fn words(&self, text: &str) -> Result<(), Stop> {
        let mut out = self.console.data();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    fn aws(&self) -> aws::Settings {
        aws::Settings {
            http: Some(self.sandbox.http_client()),
            // In process: the name is never looked up.
            endpoint: Some("http://sandbox.invalid".to_owned()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(self.sandbox.credentials()),
        }
    }

    async fn plan(&self, expected: Exit) -> Result<(), Stop> {
        let state = StateArgs { state: None };
        let options = plan::Options {
            out: None,
            format: PlanFormat::Text,
            reports: ReportArgs::default(),
            detailed_exitcode: true,
            state,
            notify: NotifyArgs::default(),
        };
        expect(
            expected,
            plan::run(&self.scope, &options, self.aws(), self.console).await?,
        )
    }

    async fn drift(&self) -> Result<(), Stop> {
        let args = DriftArgs {
            scope: self.scope.clone(),
            unmanaged: false,
            who: true,
            format: PlanFormat::Text,
            reports: ReportArgs::default(),
            watch: None,
            rounds: None,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            metrics_file: None,
            state: StateArgs { state: None },
            notify: NotifyArgs::default(),
        };
        expect(
            Exit::Changes,
            drift::run(&args, self.aws(), self.console).await?,
        )
    }

    async fn apply(&self) -> Result<(), Stop> {
        let args = RunArgs {
            scope: self.scope.clone(),
            auto_approve: true,
            no_input: true,
            format: Format::Text,
            state: StateArgs { state: None },
            notify: NotifyArgs::default(),
            lease: LeaseArgs {
                lease: Duration::from_mins(1),
                lock_timeout: Duration::ZERO,
            },
        };
        let (what, resume) = (apply::What::Desired, apply::Resume::No);
        expect(
            Exit::Done,
            apply::run(what, resume, &args, self.aws(), self.signals, self.console).await?,
        )
    }

    async fn verify(&self) -> Result<(), Stop> {
        let (sts, judges) = (verify::Sts::Ask, verify::Judges::Evaluation);
        let options = verify::Options {
            sts,
            session_name: None,
            judges,
            format: Format::Text,
        };
        expect(
            Exit::Done,
            verify::run(&self.scope, &options, self.aws(), self.console).await?,
        )
    }

    fn meddle(&self) -> Result<(), Stop> {
        let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"sts:AssumeRole"}]}"#;
        let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
        let trust = [("RoleName", "VendorLogReader"), ("PolicyDocument", open)];
        let attachment = [("RoleName", "SecurityAudit"), ("PolicyArn", admin)];
        let tag = [("RoleName", "SecurityAudit"), ("TagKeys.member.1", "team")];
        let acts = [
            (
                "222222222221",
                "UpdateAssumeRolePolicy",
                trust,
                "log-archive: the vendor's role loses its external id",
            ),
            (
                "444444444441",
                "AttachRolePolicy",
                attachment,
                "payments-prod: AdministratorAccess on the audit role",
            ),
            (
                "444444444442",
                "UntagRole",
                tag,
                "web-prod: a tag is removed",
            ),
        ];
        for (account, operation, params, words) in acts {
            let account =
                AccountId::parse(account).map_err(|error| Stop::because(error.to_string()))?;
            self.sandbox
                .by_hand(account, operation, &params)
                .map_err(|error| {
                    Stop::because(format!("{operation}: {}: {}", error.code, error.message))
                })?;
            self.words(&format!("  {operation:<24}{words}"))?;
        }
        Ok(())
    }
}

/// The demonstration demonstrates nothing when an act ends otherwise than it says.
fn expect(expected: Exit, got: Exit) -> Result<(), Stop> {
    if expected == got {
        Ok(())
    } else {
        Err(Stop::because(format!(
            "the demo failed: exit code {} instead of {}",
            got.code(),
            expected.code()
        )))
    }
}
