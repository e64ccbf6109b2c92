//! `rolecall permissions`: the policies that the caller and the access role need for this directory.

use std::collections::BTreeSet;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use super::{Console, Stop, survey};
use crate::cli::{DesiredArgs, Format, StateArgs};
use crate::config::Config;
use crate::config::scope::STAND_INS;
use crate::exit::Exit;
use crate::org::{AccountId, Partition};
use crate::permissions::{self, Commands, Entry, Extras, History, Policy, Scope, Tags};
use crate::store::backend::Location;

/// What the permissions are to be for.
#[derive(Debug)]
pub struct Options {
    /// Whether to leave out what only `apply` needs.
    pub commands: Commands,
    /// Whether to add what `--prune` and `destroy` need.
    pub extras: Extras,
    /// Whether to add what `drift --who` needs.
    pub history: History,
    /// The partition of every ARN.
    pub partition: String,
    /// Where the state is.
    pub state: StateArgs,
    /// How to print them.
    pub format: Format,
}

/// Prints the policies.
pub fn run(args: &DesiredArgs, options: &Options, console: &Console) -> Result<Exit, Stop> {
    let config = survey::load(args)?;
    console.conceal(config.secrets());
    console.warnings(config.warnings());
    let extras = if config.rollout().prune {
        Extras::Remove
    } else {
        options.extras
    };
    let partition = Partition(options.partition.clone());
    let scope = Scope {
        name: config.name(),
        partition: &partition,
        desired: config.stand_in(),
        stand_ins: STAND_INS,
        commands: options.commands,
        extras,
        history: options.history,
    };
    let access_role = permissions::access_role(scope);
    let mut caller = permissions::caller(&entry(&config, &options.state)?, scope);
    // Pruning reads every account, the caller's own among them.
    let own = extras == Extras::Remove || config.takes_in_management();
    if own {
        caller.extend(&access_role);
    }
    print(
        &config,
        [&caller, &access_role],
        own,
        options.format,
        console,
    )?;
    Ok(Exit::Done)
}

/// What the access role needs for this directory, without `--prune`.
pub fn of_access_role(config: &Config, partition: &Partition) -> Policy {
    permissions::access_role(Scope {
        name: config.name(),
        partition,
        desired: config.stand_in(),
        stand_ins: STAND_INS,
        commands: Commands::All,
        extras: if config.rollout().prune {
            Extras::Remove
        } else {
            Extras::Keep
        },
        history: History::Left,
    })
}

fn entry<'a>(config: &'a Config, state: &StateArgs) -> Result<Entry<'a>, Stop> {
    let access_roles: BTreeSet<(Option<String>, String)> = config
        .access()
        .roles()
        .map(|(account, role)| {
            (
                account
                    .filter(|key| AccountId::parse(key).is_ok())
                    .map(str::to_owned),
                role.to_owned(),
            )
        })
        .collect();
    let state = match Location::parse(state.state.as_deref(), config.directory())? {
        Location::S3 { bucket, prefix } => Some((bucket, prefix)),
        Location::Directory(_) => None,
    };
    let tags = if config.reads_account_tags() {
        Tags::Read
    } else {
        Tags::Unread
    };
    Ok(Entry {
        organization: config.organization_id(),
        access_roles,
        tags,
        state,
    })
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Said {
    format: &'static str,
    caller: Value,
    access_role: Value,
}

fn print(
    config: &Config,
    [caller, access_role]: [&Policy; 2],
    own: bool,
    format: Format,
    console: &Console,
) -> Result<(), Stop> {
    let (caller, access_role) = (caller.to_value(), access_role.to_value());
    let mut out = console.data();
    match format {
        Format::Json => {
            let said = Said {
                format: "rolecall-permissions/1",
                caller,
                access_role,
            };
            console.json(&said)?;
        }
        Format::Text => {
            let roles: BTreeSet<&str> = config.access().roles().map(|(_, role)| role).collect();
            let roles = roles.into_iter().collect::<Vec<_>>().join(", ");
            writeln!(
                out,
                "The caller, in the management account or as a delegated administrator:\n"
            )?;
            writeln!(out, "{caller:#}")?;
            writeln!(out, "\nThe access role, {roles}, in each member account:\n")?;
            writeln!(out, "{access_role:#}")?;
            if !own {
                console.hint(
                    "if a target selects the caller's own account by id, name or organizational unit, give the caller the second policy too",
                );
            }
        }
    }
    Ok(out.flush()?)
}
