//! The command line: the only file that names clap.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help text, which shows no backticks"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub mod import;
pub mod manual;

pub use clap_complete::Shell;
pub use import::{CloudFormationArgs, ImportTo, TerraformArgs};

use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

/// Declarative IAM roles for every account of an AWS organization.
///
/// A directory of TOML files declares which roles each account should have; plan shows what differs from live IAM,
/// apply converges it account by account. AWS credentials, profiles, regions and endpoints come from the standard AWS
/// settings (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL, …).
#[derive(Debug, Parser)]
#[command(
    name = "rolecall",
    version,
    max_term_width = 110,
    after_help = EXIT_CODES,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to talk.
    #[command(flatten)]
    pub output: Output,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, or nothing to do
  1    error: bad input, wrong usage, no credentials, nothing could be read
  2    changes (plan --detailed-exitcode), drift, or a failed verification
  3    partial: an account could not be read or failed; the rest is done and reported
  4    refused: a guard, a stale plan, or a lease held by another run
  130  interrupted

`rolecall help` lists the guides: the desired state, drift, findings and their codes, pipelines, …
New here? `rolecall sandbox demo` shows the whole workflow without an AWS account.";

/// Flags of every command that say how to talk.
#[derive(Debug, Clone, Args)]
pub struct Output {
    /// When to use color; NO_COLOR is honoured
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN",
        help_heading = "Output"
    )]
    pub color: ColorChoice,
    /// Print only results and errors: no progress, no warnings about the desired state
    #[arg(long, global = true, help_heading = "Output")]
    pub quiet: bool,
    /// Show full documents and every account; twice for debug logs, three times for the SDK's logs
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// Format of logs on stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    pub log_format: LogFormat,
}

/// When to use color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Plain text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Format of data on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Plain text.
    Text,
    /// One JSON object.
    Json,
}

/// Format of a plan on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// Plain text.
    Text,
    /// One JSON object.
    Json,
    /// For a comment on a pull request, at most 65,000 characters.
    Markdown,
    /// One self-contained page for reviewers.
    Html,
}

/// Format of a saved plan on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// Plain text.
    Text,
    /// One JSON object.
    Json,
    /// For a comment on a pull request, at most 65,000 characters.
    Markdown,
}

/// Format of a list on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Plain text.
    Text,
    /// One JSON object.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a desired-state directory, or one of the shipped kits; existing files are never overwritten
    Init {
        /// The kit: cortex-xdr, cortex-xsiam, cado or cloudtrail; without it, a quickstart directory
        kit: Option<String>,
        /// Where to write it
        #[arg(long, default_value = ".", value_name = "DIR")]
        out: PathBuf,
    },
    /// Write desired state from what there is already; nothing in AWS is changed
    Import {
        /// From where.
        #[command(subcommand)]
        command: ImportCommand,
    },
    /// Check the desired state without calling AWS: syntax, references, documents, sizes
    Validate {
        /// The desired state.
        #[command(flatten)]
        desired: DesiredArgs,
        /// Format of the result
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Check what has to be right before the first plan: credentials, organization, access to each account, state
    Doctor {
        /// The accounts and roles in scope.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Where the state is.
        #[command(flatten)]
        state: StateArgs,
        /// Format of the result
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show what differs between the desired state and live IAM, and what apply would do
    Plan {
        /// What to plan.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Save the plan, to apply it exactly as reviewed; sensitive values are stored as salted digests
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Format of the plan
        #[arg(long, value_enum, default_value = "text")]
        format: PlanFormat,
        /// Reports in files.
        #[command(flatten)]
        reports: ReportArgs,
        /// Exit with 2 if the plan has changes
        #[arg(long)]
        detailed_exitcode: bool,
        /// Where it is remembered what was applied.
        #[command(flatten)]
        state: StateArgs,
        /// Whom to notify.
        #[command(flatten)]
        notify: NotifyArgs,
    },
    /// Print a saved plan, without calling AWS and without the variables it was made with
    Show {
        /// A plan saved by `plan --out`
        #[arg(value_name = "PLAN")]
        plan: PathBuf,
        /// Format of the plan
        #[arg(long, value_enum, default_value = "text")]
        format: ShowFormat,
    },
    /// Report what was changed by hand: compare live IAM with the desired state and with what was last applied
    Drift {
        /// What to look at, and how.
        #[command(flatten)]
        drift: DriftArgs,
    },
    /// Converge live IAM: make a plan, show it, ask, write, read back; or apply a saved plan
    Apply {
        /// A plan saved by `plan --out`; it is applied without asking again
        plan: Option<PathBuf>,
        /// Resume the last unfinished run; its completed changes must still be in place
        #[arg(long)]
        resume: bool,
        /// What to apply, and how.
        #[command(flatten)]
        run: RunArgs,
    },
    /// Delete everything this directory manages, after the same review and guards as apply
    Destroy {
        /// What to delete.
        #[command(flatten)]
        run: RunArgs,
    },
    /// Restore what a recorded run found, for resources that have not changed since
    Rollback {
        /// The run's id; `rolecall state history` lists them
        #[arg(value_name = "RUN")]
        of: String,
        /// Where, and how.
        #[command(flatten)]
        run: RunArgs,
    },
    /// List the accounts of the organization, and which roles target them and why
    Accounts {
        /// Which accounts.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Format of the list
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Prove that only the intended principals can assume the roles, and that the roles allow what they are for
    Verify {
        /// The accounts and roles in scope.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Evaluate live policies only; do not assume roles through STS
        #[arg(long)]
        offline: bool,
        /// The session name to assume roles with (default: the one that the trust requires, else rolecall-verify)
        #[arg(long, value_name = "NAME")]
        session_name: Option<String>,
        /// Do not check [[role.expect]]: what the roles can and cannot do
        #[arg(long, conflicts_with = "simulate")]
        skip_account_check: bool,
        /// Also check [[role.expect]] with iam:SimulatePrincipalPolicy
        #[arg(long)]
        simulate: bool,
        /// Format of the result
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Print the ARNs of the roles that exist and that this directory manages, to give to a vendor
    Output {
        /// The accounts and roles in scope.
        #[command(flatten)]
        scope: ScopeArgs,
        /// Format of the list
        #[arg(long, value_enum, default_value = "text")]
        format: ListFormat,
        /// Show external ids, including sensitive ones; the CSV gets a column for them
        #[arg(long)]
        show_sensitive: bool,
    },
    /// Print the JSON Schema of the desired state, for editors: `rolecall schema > rolecall.schema.json`
    Schema {
        /// Print every key with its meaning instead, as an annotated TOML file
        #[arg(long)]
        reference: bool,
    },
    /// Print shell completions: `source <(rolecall completions bash)`
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the man page
    Man {
        /// Write one page for each command and guide into this directory
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Print the least-privilege IAM policies that the caller and the access role need for this directory; does not
    /// call AWS
    Permissions {
        /// The desired state.
        #[command(flatten)]
        desired: DesiredArgs,
        /// Only what plan, drift and verify need
        #[arg(long)]
        read_only: bool,
        /// Also what --prune and destroy need
        #[arg(long)]
        prune: bool,
        /// Also what drift --who needs
        #[arg(long)]
        who: bool,
        /// The partition of the ARNs: aws, aws-cn, aws-us-gov
        #[arg(long, default_value = "aws", value_name = "NAME")]
        partition: String,
        /// Where the state is.
        #[command(flatten)]
        state: StateArgs,
        /// Format of the policies
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show what was applied, what runs did, and which run holds the lease
    State {
        /// What to do with it.
        #[command(subcommand)]
        command: StateCommand,
    },
    /// Print a guide (desired-state, findings, drift, …) or the help of a command; without arguments, list them
    Help {
        /// A guide or a command
        #[arg(value_name = "TOPIC")]
        topic: Vec<String>,
    },
    /// Run a simulated AWS organization in this process; no AWS account needed
    Sandbox {
        /// What to do with it.
        #[command(subcommand)]
        command: SandboxCommand,
    },
}

/// Where to import from.
#[derive(Debug, Subcommand)]
pub enum ImportCommand {
    /// From the roles that every account of the organization has now
    Live(LiveArgs),
    /// From CloudFormation templates, with the StackSets in them, or from a CDK app's cdk.out
    #[command(name = "cloudformation", visible_alias = "cfn")]
    CloudFormation(CloudFormationArgs),
    /// From Terraform or OpenTofu: state files, or what `show -json` prints of a state or a plan
    Terraform(TerraformArgs),
}

/// An import of live IAM.
#[derive(Debug, Clone, Args)]
pub struct LiveArgs {
    /// Only these accounts: an id, a name, a `*` glob, management, ou=PATH, tags.KEY=VALUE
    #[arg(long, value_name = "SELECTOR")]
    pub account: Vec<String>,
    /// Only roles whose names match, those of one account that only services assume among them
    #[arg(long, value_name = "GLOB")]
    pub role: Vec<String>,
    /// Also import what is left out otherwise
    #[arg(long, value_enum, value_name = "KIND")]
    pub include: Vec<Include>,
    /// What becomes of roles that a CloudFormation stack made
    #[arg(long, value_enum, default_value = "leave")]
    pub stacks: StackStyle,
    /// How accounts are named in targets
    #[arg(long, value_enum, default_value = "units")]
    pub targets: TargetStyle,
    /// Which customer managed policies are imported
    #[arg(long, value_enum, default_value = "attached")]
    pub policies: PolicyStyle,
    /// Where to write; no file that is there is overwritten
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub out: PathBuf,
    /// The name of the directory, its mark on everything it manages (default: the organization's id)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The role to enter each account by
    #[arg(
        long,
        value_name = "NAME",
        default_value = "OrganizationAccountAccessRole"
    )]
    pub access_role: String,
    /// The session name that CloudTrail shows
    #[arg(long, value_name = "NAME", default_value = "rolecall")]
    pub session_name: String,
    /// The external id that the trust of the access role demands
    #[arg(long, value_name = "ID")]
    pub external_id: Option<String>,
    /// Accounts at once
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub parallelism: usize,
    /// Format of the report on stdout; IMPORT.md has it as Markdown
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// What is left out of an import unless it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Include {
    /// Roles of one account that only services assume.
    Services,
}

/// What becomes of the roles of stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StackStyle {
    /// They are left out.
    Leave,
    /// They are compared and never written.
    External,
    /// They are taken over.
    Adopt,
}

/// How accounts are named in targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetStyle {
    /// By organizational units where all of their accounts are meant.
    Units,
    /// By their ids.
    Ids,
}

/// Which customer managed policies are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PolicyStyle {
    /// Those that an imported role has.
    Attached,
    /// All.
    All,
}

/// What to do with the state.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// List the recorded resources, with the run that last converged each and when
    List {
        /// The state to read.
        #[command(flatten)]
        record: RecordArgs,
        /// Format of the list
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show the record of one resource
    Show {
        /// The address, as plans and `state list` print it: 222222222222/role/NAME
        address: String,
        /// The state to read.
        #[command(flatten)]
        record: RecordArgs,
        /// Format of the record
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// List runs, newest first; or show what one of them did
    History {
        /// A run's id
        run: Option<String>,
        /// How many runs to list
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// The state to read.
        #[command(flatten)]
        record: RecordArgs,
        /// Format of the list
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show which run holds the lease, and remove the lease if it is no longer renewed
    Unlock {
        /// The state to read.
        #[command(flatten)]
        record: RecordArgs,
        /// Remove it even if its run may be alive; the lock of a state directory ends only with its process
        #[arg(long)]
        force: bool,
    },
}

/// What to do with the sandbox.
#[derive(Debug, Subcommand)]
pub enum SandboxCommand {
    /// Show the whole workflow, unattended: plan, apply, plan again, a change by hand, drift, apply, verify
    Demo,
    /// Serve the sandbox on loopback for any AWS client, and print the environment variables to export
    Serve {
        /// The organization to serve, as TOML: accounts with quotas, units, AWS managed policies; without it, a demo
        /// organization
        #[arg(long, value_name = "FILE")]
        org: Option<PathBuf>,
        /// Faults to inject, as TOML: one fault table each, with operation ("iam:Create*"), account, nth, first or
        /// per_mille and seed, and effect (throttling, reset-after, hang, expire, error, …), with message and code;
        /// stale_reads_ms, young_principals_ms
        #[arg(long, value_name = "FILE")]
        faults: Option<PathBuf>,
        /// The port on 127.0.0.1; 0 picks a free one
        #[arg(long, default_value_t = 0, value_name = "N")]
        port: u16,
        /// Enforce the callers' own policies: a call that none of them allows is denied
        #[arg(long)]
        enforce: bool,
        /// Write the environment variables to this file, once the sandbox listens
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
    },
    /// Run a command, or a shell, whose AWS clients use a new sandbox; ends with the command's exit code
    Run {
        /// The organization to serve, as TOML; without it, a demo organization
        #[arg(long, value_name = "FILE")]
        org: Option<PathBuf>,
        /// Enforce the callers' own policies: a call that none of them allows is denied
        #[arg(long)]
        enforce: bool,
        /// The command and its arguments (default: the shell in SHELL)
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<std::ffi::OsString>,
    },
}

/// Where the desired state is, and its inputs.
#[derive(Debug, Clone, Args)]
pub struct DesiredArgs {
    /// The desired state: a directory with a rolecall.toml, or one file
    #[arg(
        short,
        long,
        default_value = ".",
        value_name = "PATH",
        env = "ROLECALL_CONFIG"
    )]
    pub config: PathBuf,
    /// Set a variable; overrides every other source. Also ROLECALL_VAR_NAME
    #[arg(long, value_name = "NAME=VALUE")]
    pub var: Vec<String>,
    /// Set variables from a TOML file; a later file wins. Files listed in ROLECALL_VAR_FILE come first
    #[arg(long, value_name = "FILE")]
    pub var_file: Vec<PathBuf>,
}

/// Where the state is.
#[derive(Debug, Clone, Args)]
pub struct StateArgs {
    /// The state: a directory, or s3://bucket/prefix (default: state/ beside the configuration)
    #[arg(long, value_name = "URL", env = "ROLECALL_STATE")]
    pub state: Option<String>,
}

/// A look at what drifted. It writes nothing to AWS.
#[derive(Debug, Clone, Args)]
pub struct DriftArgs {
    /// What to look at.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Also list the roles that no directory manages and that trust a principal outside the organization; reads every
    /// active account
    #[arg(long)]
    pub unmanaged: bool,
    /// Look up in CloudTrail who changed each drifted resource: user, time, source address and event id of the last
    /// changes. Needs cloudtrail:LookupEvents in each account; without it the report says so
    #[arg(long)]
    pub who: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value = "text")]
    pub format: PlanFormat,
    /// Reports in files.
    #[command(flatten)]
    pub reports: ReportArgs,
    /// Check again at this interval, in one process, until interrupted: 5m. Text is printed when it differs from the
    /// last report, JSON as one line for each check
    #[arg(long, value_name = "INTERVAL", value_parser = interval)]
    pub watch: Option<Duration>,
    /// With --watch: stop after this many checks
    #[arg(long, value_name = "N", requires = "watch", value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: Option<u64>,
    /// With --watch: the address to serve /healthz and /metrics (Prometheus) on
    #[arg(
        long,
        value_name = "ADDR",
        requires = "watch",
        default_value = "127.0.0.1:9464"
    )]
    pub listen: SocketAddr,
    /// Write metrics to this file after each check, for node_exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
    /// Where it is remembered what was applied.
    #[command(flatten)]
    pub state: StateArgs,
    /// Whom to notify.
    #[command(flatten)]
    pub notify: NotifyArgs,
}

/// The same result in files, whatever is printed. AWS is read once.
#[derive(Debug, Clone, Default, Args)]
pub struct ReportArgs {
    /// Also write the result to this file, as one JSON object
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub json: Option<PathBuf>,
    /// Also write it to this file, as Markdown for a pull request
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub markdown: Option<PathBuf>,
    /// Also write it to this file, as one self-contained page
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
    /// Also write its findings to this file, as SARIF for code scanning
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub sarif: Option<PathBuf>,
}

/// Whom to notify of how a run ended.
#[derive(Debug, Clone, Default, Args)]
pub struct NotifyArgs {
    /// Post a JSON summary to this webhook (Slack or any other) when the run ends; the URL is never shown
    #[arg(
        long,
        value_name = "URL",
        env = "ROLECALL_NOTIFY",
        hide_env_values = true
    )]
    pub notify: Option<Secret>,
}

/// A value that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The value.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// How two runs on one state are kept apart.
#[derive(Debug, Clone, Copy, Args)]
pub struct LeaseArgs {
    /// How long a lease in a bucket lasts unless renewed; it is renewed after every third of that
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = lease)]
    pub lease: Duration,
    /// How long to wait for another run to end
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub lock_timeout: Duration,
}

/// A run that writes.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// What it is about.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Apply without asking
    #[arg(long)]
    pub auto_approve: bool,
    /// Never read from the terminal; without --auto-approve nothing is applied
    #[arg(long)]
    pub no_input: bool,
    /// Format of the run report
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Where the run is recorded.
    #[command(flatten)]
    pub state: StateArgs,
    /// Whom to notify.
    #[command(flatten)]
    pub notify: NotifyArgs,
    /// How other runs are kept away.
    #[command(flatten)]
    pub lease: LeaseArgs,
}

/// The desired state, and where its state is.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// The desired state. Its variables are not needed, but may be given.
    #[command(flatten)]
    pub desired: DesiredArgs,
    /// The `name` of the directory, if it cannot be read from the directory itself
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Its state.
    #[command(flatten)]
    pub state: StateArgs,
}

/// The desired state, and which part of it a run is about.
#[derive(Debug, Clone, Args)]
pub struct ScopeArgs {
    /// The desired state.
    #[command(flatten)]
    pub desired: DesiredArgs,
    /// Only these accounts: an id, a name, a glob over names, `management`, `ou=PATH` or `tags.KEY=VALUE`
    #[arg(long, value_name = "SELECTOR")]
    pub account: Vec<String>,
    /// Only roles of this name, or matching this glob
    #[arg(long, value_name = "NAME")]
    pub role: Vec<String>,
    /// Delete what this directory manages but no longer declares
    #[arg(long)]
    pub prune: bool,
    /// Number of accounts in parallel (default: 64 for reading, 16 for applying)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub parallelism: Option<u16>,
    /// Override stop findings with this code
    #[arg(long, value_name = "CODE")]
    pub allow: Vec<String>,
}

impl Command {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init { .. } => "init",
            Self::Import { .. } => "import",
            Self::Validate { .. } => "validate",
            Self::Doctor { .. } => "doctor",
            Self::Plan { .. } => "plan",
            Self::Show { .. } => "show",
            Self::Drift { .. } => "drift",
            Self::Apply { .. } => "apply",
            Self::Destroy { .. } => "destroy",
            Self::Rollback { .. } => "rollback",
            Self::Accounts { .. } => "accounts",
            Self::Verify { .. } => "verify",
            Self::Output { .. } => "output",
            Self::Schema { .. } => "schema",
            Self::Help { .. } => "help",
            Self::Completions { .. } => "completions",
            Self::Man { .. } => "man",
            Self::Permissions { .. } => "permissions",
            Self::State { .. } => "state",
            Self::Sandbox { .. } => "sandbox",
        }
    }

    /// Whom to notify of how it ended.
    pub fn notify(&self) -> NotifyArgs {
        match self {
            Self::Plan { notify, .. } => notify.clone(),
            Self::Drift { drift } => drift.notify.clone(),
            Self::Apply { run, .. } | Self::Destroy { run } | Self::Rollback { run, .. } => {
                run.notify.clone()
            }
            _ => NotifyArgs::default(),
        }
    }
}

/// Reads the command line. Wrong usage ends with 1, not clap's own 2, which means that changes are present.
///
/// # Errors
/// The text to print, whether it goes to stdout (help, version), and nothing else to do.
pub fn parse(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<_> = args.into_iter().collect();
    Cli::try_parse_from(&args).map_err(|answer| {
        // clap answers `--version` before it knows the other flags.
        if answer.kind() == ErrorKind::DisplayVersion && asks_for_more(&args) {
            // clap takes texts for as long as the program runs.
            let version: &'static str = Box::leak(build().into_boxed_str());
            let command = Cli::command().long_version(version);
            let shown = command.try_get_matches_from(["rolecall", "--version"]);
            shown.err().unwrap_or(answer)
        } else {
            answer
        }
    })
}

fn asks_for_more(args: &[std::ffi::OsString]) -> bool {
    args.iter().filter_map(|arg| arg.to_str()).any(|arg| {
        let shorts = arg.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        arg == "--verbose" || shorts.is_some_and(|shorts| shorts.contains('v'))
    })
}

/// The version and what it was built from, one fact a line, as rustc prints them. Releases set the commit.
fn build() -> String {
    format!(
        "{}\ncommit: {}\ncommit-date: {}\nhost: {}-{}",
        env!("CARGO_PKG_VERSION"),
        option_env!("ROLECALL_COMMIT").unwrap_or("unknown"),
        option_env!("ROLECALL_COMMIT_DATE").unwrap_or("unknown"),
        std::env::consts::ARCH,
        std::env::consts::OS,
    )
}

/// A duration such as `90s`, `5m` or `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text
        .parse::<jiff::SignedDuration>()
        .map_err(|error| error.to_string())?;
    Duration::try_from(parsed).map_err(|_| "a duration must not be negative".to_owned())
}

/// Who looks without a pause asks AWS for being throttled.
fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => {
            Err("the interval must be greater than zero, for example `5m`".to_owned())
        }
        interval => Ok(interval),
    }
}

/// A lease shorter than a second could not be renewed in time.
fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if lease < Duration::from_secs(1) {
        Err("a lease must last at least one second".to_owned())
    } else {
        Ok(lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_lease_lasts_a_second_at_least() {
        assert_eq!(lease("60s"), Ok(Duration::from_mins(1)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert!(lease("0s").is_err() && duration("-1s").is_err() && duration("soon").is_err());
    }
}
