//! `rolecall state`: recorded resources, runs, and a lease that was left behind.
//!
//! A local state is looked at without calling AWS: whose it is is in it, and its name must be the directory's.

use std::io::Write;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{Console, Error, options};
use crate::aws;
use crate::cli::{Format, RecordArgs, StateCommand};
use crate::config::{self, Files, Identity};
use crate::exit::Exit;
use crate::files::Disk;
use crate::ops::{Interruption, state};
use crate::org::AccountId;
use crate::report;
use crate::report::state::{Listed, Shown};
use crate::store::{Holder, LeaseError, Runs, Store, Unlock, Unlocked, Waiting};

/// Records read at once.
const AT_ONCE: usize = 16;

/// Shows or unlocks a state.
pub async fn run(
    command: &StateCommand,
    aws: aws::Settings,
    interruption: &Interruption,
    console: &Console,
) -> Result<Exit, Error> {
    match command {
        StateCommand::List { record, format } => {
            list(open(record, aws, console).await?, *format, console).await
        }
        StateCommand::Show {
            address,
            record,
            format,
        } => show(open(record, aws, console).await?, address, *format, console).await,
        StateCommand::History {
            run: None,
            limit,
            record,
            format,
        } => history(open(record, aws, console).await?, *limit, *format, console).await,
        StateCommand::History {
            run: Some(run),
            limit: _,
            record,
            format,
        } => one_run(open(record, aws, console).await?, run, *format, console).await,
        StateCommand::Unlock { record, force } => {
            let unlock = if *force { Unlock::Any } else { Unlock::Expired };
            let store = interruption
                .unless_requested(Box::pin(open(record, aws, console)))
                .await?;
            self::unlock(store, unlock, interruption, console).await
        }
    }
}

/// The state of a directory. Where there is none yet this is said, and there is nothing to show.
///
/// Of the desired state only the name is needed, so its errors and missing variables are not in the way of looking at
/// what was applied.
async fn open(
    args: &RecordArgs,
    aws: aws::Settings,
    console: &Console,
) -> Result<Option<Store>, Error> {
    let Identity {
        name,
        organization_id,
        directory,
    } = config::identify(
        &(Arc::new(Disk) as Arc<dyn Files>),
        &args.desired.config,
        &options::var_files(&args.desired),
        args.name.as_deref(),
    )
    .map_err(|why| {
        let hint = "pass it with --name: `rolecall state list --name vendor-roles`";
        Error::with_hint(format!("cannot determine whose state to open: {why}"), hint)
    })?;
    let backend = state::place(args.state.state.as_deref(), &directory, aws).await?;
    let shown = backend.place("");
    let store = Store::inspect(backend, &name, organization_id.as_deref()).await?;
    if store.is_none() {
        console.say(&format!(
            "there is no state in `{shown}` yet: nothing was applied from here"
        ));
    }
    Ok(store)
}

async fn list(store: Option<Store>, format: Format, console: &Console) -> Result<Exit, Error> {
    let mut resources = Vec::new();
    if let Some(store) = store {
        let accounts = store.accounts().await?;
        let records = futures_util::stream::iter(accounts).map(|account| store.account(account));
        let records: Vec<_> = records.buffered(AT_ONCE).try_collect().await?;
        resources = records
            .into_iter()
            .flat_map(|record| record.resources)
            .map(Listed::from)
            .collect();
    }
    let mut out = console.data();
    match format {
        Format::Text => report::state::list(&resources, &console.out, &mut out)?,
        Format::Json => console.json(&report::state::List::new(resources))?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

async fn show(
    store: Option<Store>,
    address: &str,
    format: Format,
    console: &Console,
) -> Result<Exit, Error> {
    let nothing = || {
        Error::with_hint(
            format!("there is no record of `{address}`"),
            "`rolecall state list` lists the recorded resources",
        )
    };
    let account = address
        .split('/')
        .next()
        .and_then(|account| AccountId::parse(account).ok());
    let (Some(store), Some(account)) = (store, account) else {
        return Err(nothing());
    };
    let resource = store
        .account(account)
        .await?
        .resources
        .remove(address)
        .ok_or_else(nothing)?;
    let shown = Shown::new(address.to_owned(), resource);
    let mut out = console.data();
    match format {
        Format::Text => report::state::show(&shown, &console.out, &mut out)?,
        Format::Json => console.json(&shown)?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

async fn history(
    store: Option<Store>,
    limit: u32,
    format: Format,
    console: &Console,
) -> Result<Exit, Error> {
    let runs = match store {
        Some(store) => {
            store
                .runs(usize::try_from(limit).unwrap_or(usize::MAX))
                .await?
        }
        None => Runs::default(),
    };
    let mut out = console.data();
    match format {
        Format::Text => report::state::history(&runs, &console.out, &mut out)?,
        Format::Json => console.json(&report::state::History::new(&runs))?,
    }
    out.flush()?;
    for (_, error) in &runs.unusable {
        console.error(&error.to_string());
    }
    if let Some(hint) = runs.unusable.iter().find_map(|(_, error)| error.hint()) {
        console.hint(hint);
    }
    Ok(if runs.unusable.is_empty() {
        Exit::Done
    } else {
        Exit::Partial
    })
}

async fn one_run(
    store: Option<Store>,
    run: &str,
    format: Format,
    console: &Console,
) -> Result<Exit, Error> {
    let Some(store) = store else {
        return Err(Error::because(format!("there is no run `{run}`")));
    };
    let record = store.run(run).await?;
    let mut out = console.data();
    match format {
        Format::Text => report::state::run(&record, &console.out, &mut out)?,
        Format::Json => console.json(&report::state::RecordedRun::new(record))?,
    }
    out.flush()?;
    Ok(Exit::Done)
}

async fn unlock(
    store: Option<Store>,
    unlock: Unlock,
    interruption: &Interruption,
    console: &Console,
) -> Result<Exit, Error> {
    let Some(store) = store else {
        return Ok(Exit::Done);
    };
    let place = store.place();
    let waiting = Waiting {
        tell: &|wait| console.say(&wait.to_string()),
        halt: &interruption.halt,
    };
    let unlocked = store
        .unlock(unlock, waiting)
        .await
        .map_err(|error| match error {
            LeaseError::Halted => Error::interrupted(),
            LeaseError::Store(error) => error.into(),
            held @ LeaseError::Held { .. } => Error::because(held.to_string()),
        })?;
    Ok(match unlocked {
        Unlocked::Free => {
            console.say(&format!("no run holds the state `{place}`"));
            Exit::Done
        }
        Unlocked::Taken(holder) => {
            console.say(&format!(
                "unlocked the state `{place}`; it was held by {holder}"
            ));
            Exit::Done
        }
        Unlocked::Held(holder) => {
            console.error(&format!("the state `{place}` is held by {holder}"));
            console.hint(&way_out(&holder));
            Exit::Refused
        }
    })
}

fn way_out(
    Holder {
        host, pid, until, ..
    }: &Holder,
) -> String {
    match until {
        None => format!("the lock of a state directory ends only with its process: stop process {pid} on {host}"),
        Some(_) => {
            "if that run is gone, its lease expires by itself and this command says so; --force removes it immediately, and a run that is still alive stops at its next renewal"
                .to_owned()
        }
    }
}
