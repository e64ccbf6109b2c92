//! `rolecall sandbox`: an AWS organization in this process.

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::signals::Signals;
use super::{Console, Stop, apply, drift, plan, verify};
use crate::aws;
use crate::cli::{
    DesiredArgs, DriftArgs, Format, LeaseArgs, NotifyArgs, PlanFormat, RunArgs, ScopeArgs,
    StateArgs,
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

/// Serves a sandbox on loopback until it is interrupted.
pub async fn serve(
    org: Option<&Path>,
    faults: Option<&Path>,
    permissions: Permissions,
    port: u16,
    console: &Console,
) -> Result<Exit, Stop> {
    let sandbox = Sandbox::new(World {
        permissions,
        ..world(org)?
    });
    if let Some(path) = faults {
        let faults = FaultFile::parse(&text("faults", path)?);
        faults
            .map_err(|error| unusable("faults", path, &error))?
            .unleash(&sandbox);
    }
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| Stop::because(format!("cannot listen on 127.0.0.1:{port}: {error}")))?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    let credentials = sandbox.credentials();
    let mut out = console.data();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", "us-east-1"),
        // What boto3 and version 1 of the CLI read.
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key()),
    ] {
        writeln!(out, "export {name}={value}")?;
    }
    out.flush()?;
    drop(out);
    let accounts = sandbox.with(|world| world.accounts.len());
    console.say(&format!(
        "serving an organization of {accounts} accounts on {endpoint}; Ctrl-C ends it"
    ));
    // A signal ends it, as every command.
    http::serve(sandbox, listener, std::future::pending()).await?;
    Ok(Exit::Done)
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
    demo.tell().await
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
        self.drift().await?;
        self.title("6. rolecall apply --auto-approve: repair")?;
        self.apply().await?;
        self.title("7. rolecall plan: as desired again")?;
        self.plan(Exit::Done).await?;
        self.title("8. rolecall verify: who can assume the roles, and who cannot")?;
        self.verify().await?;

        self.title("That is all. Your turn:")?;
        self.words(
            "  rolecall sandbox serve                # keeps such an organization running for you to try",
        )?;
        self.words(
            "  rolecall plan -c examples/quickstart  # with the variables it prints, or with your own AWS credentials",
        )?;
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
