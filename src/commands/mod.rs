//! One file per command: arguments become options, `ops` does the work, `report` shows it.

mod accounts;
mod apply;
mod console;
mod doctor;
mod drift;
mod help;
mod import;
mod init;
mod manual;
mod notify;
mod options;
mod output;
mod permissions;
mod plan;
mod reports;
mod sandbox;
mod shell;
mod show;
mod signals;
mod state;
mod validate;
mod verify;
mod watch;
mod writing;

pub use crate::ops::Error;
pub use console::Console;

use tracing::Instrument as _;

use crate::aws;
use crate::cli::{Cli, Command, SandboxCommand, StateCommand};
use crate::exit::Exit;
use crate::ops::apply::{Resume, What};
use crate::ops::{self, Interruption};
use crate::permissions::{Commands, Extras, History};
use crate::resource::secret::Discretion;
use crate::sandbox::world::Permissions;
use signals::Work;

/// Runs one command and says how it ended.
pub async fn run(cli: Cli) -> Exit {
    let discretion = Discretion::default();
    let telemetry = console::start_logging(&cli.output, &discretion);
    let console = Console::new(&cli.output, discretion);
    let (command, webhook, work) = (cli.command.name(), cli.command.notify(), work(&cli.command));
    let watches = matches!(&cli.command, Command::Drift { drift } if drift.watch.is_some());
    let interruption = signals::watch(work, &console);
    let span = telemetry.run(command);
    let performed =
        Box::pin(perform(cli.command, &interruption, &console)).instrument(span.clone());
    let outcome = match work {
        Work::Reads | Work::Hosts => interruption.unless_requested(performed).await,
        Work::Writes => performed.await,
    };
    let exit = match outcome {
        Ok(exit) => exit,
        Err(stop) => {
            let exit = console.stop(&stop);
            // Only a signal ends a watch: it needs no message.
            if !(watches && exit == Exit::Interrupted) {
                notify::stopped(webhook.notify.as_ref(), command, &stop, &console).await;
            }
            exit
        }
    };
    span.record("exit", exit.code());
    drop(span);
    if let Some(why) = telemetry.end().await {
        console.say(&format!(
            "warning: not everything was exported to the OpenTelemetry collector: {why}"
        ));
    }
    exit
}

fn permissions_of(enforce: bool) -> Permissions {
    if enforce {
        Permissions::Enforced
    } else {
        Permissions::Ignored
    }
}

/// What a signal may cut short, and what it may not.
fn work(command: &Command) -> Work {
    match command {
        Command::Apply { .. }
        | Command::Destroy { .. }
        | Command::Rollback { .. }
        | Command::State {
            command: StateCommand::Unlock { .. },
        } => Work::Writes,
        Command::Sandbox {
            command: SandboxCommand::Run { .. },
        } => Work::Hosts,
        _ => Work::Reads,
    }
}

async fn perform(
    command: Command,
    interruption: &Interruption,
    console: &Console,
) -> Result<Exit, Error> {
    let aws = aws::Settings::default();
    match command {
        Command::Init { kit, out } => init::run(kit.as_deref(), &out, console),
        Command::Import { command } => import::run(&command, aws, console).await,
        Command::Doctor {
            scope,
            state,
            format,
        } => Box::pin(doctor::run(&scope, &state, format, aws, console)).await,
        Command::Show { plan, format } => show::run(&plan, format, console),
        Command::Validate { desired, format } => validate::run(&desired, format, console),
        Command::Plan {
            scope,
            out,
            format,
            reports,
            detailed_exitcode,
            state,
            notify,
        } => {
            plan::run(
                &scope,
                &plan::Options {
                    out,
                    format,
                    reports,
                    detailed_exitcode,
                    state,
                    notify,
                },
                aws,
                console,
            )
            .await
        }
        Command::Drift { drift } => {
            reports::check(
                &drift.reports,
                ("--metrics-file", drift.metrics_file.as_ref()),
            )?;
            match drift.watch {
                Some(every) => Box::pin(watch::run(&drift, every, aws, console)).await,
                None => Box::pin(drift::run(&drift, aws, console)).await,
            }
        }
        Command::Apply { plan, resume, run } => {
            apply::apply(plan.as_deref(), resume, &run, aws, interruption, console).await
        }
        Command::Destroy { run } => {
            apply::run(What::Destroy, Resume::No, &run, aws, interruption, console).await
        }
        Command::Rollback { of, run } => {
            let what = What::Rollback(&of);
            apply::run(what, Resume::No, &run, aws, interruption, console).await
        }
        Command::Accounts { scope, format } => accounts::run(&scope, format, aws, console).await,
        Command::Verify {
            scope,
            offline,
            session_name,
            skip_account_check,
            simulate,
            format,
        } => {
            let options = ops::verify::Options {
                sts: verify::sts(offline),
                session_name: session_name.as_deref(),
                judges: verify::judges(skip_account_check, simulate),
                parallelism: scope.parallelism.map(usize::from),
            };
            verify::run(&scope, &options, format, aws, console).await
        }
        Command::Output {
            scope,
            format,
            show_sensitive,
        } => {
            output::run(
                &scope,
                format,
                output::Sensitive::new(show_sensitive),
                aws,
                console,
            )
            .await
        }
        Command::Schema { reference: false } => manual::schema(console),
        Command::Schema { reference: true } => manual::reference(console),
        Command::Help { topic } => help::run(&topic, console),
        Command::Completions { shell } => manual::completions(shell, console),
        Command::Man { out } => manual::man(out.as_deref(), console),
        Command::Permissions {
            desired,
            read_only,
            prune,
            who,
            partition,
            state,
            format,
        } => {
            let commands = if read_only {
                Commands::Reading
            } else {
                Commands::All
            };
            let extras = if prune { Extras::Remove } else { Extras::Keep };
            let history = if who { History::Asked } else { History::Left };
            let options = permissions::Options {
                commands,
                extras,
                history,
                partition,
                state,
                format,
            };
            permissions::run(&desired, &options, console)
        }
        Command::State { command } => state::run(&command, aws, interruption, console).await,
        Command::Sandbox {
            command: SandboxCommand::Demo,
        } => Box::pin(sandbox::demo(interruption, console)).await,
        Command::Sandbox {
            command:
                SandboxCommand::Serve {
                    org,
                    faults,
                    enforce,
                    port,
                    env_file,
                },
        } => {
            let options = sandbox::Serve {
                org: org.as_deref(),
                faults: faults.as_deref(),
                permissions: permissions_of(enforce),
                port,
                env_file: env_file.as_deref(),
            };
            sandbox::serve(options, console).await
        }
        Command::Sandbox {
            command:
                SandboxCommand::Run {
                    org,
                    enforce,
                    command,
                },
        } => sandbox::run(org.as_deref(), permissions_of(enforce), &command).await,
    }
}
