//! `--notify`: tells a webhook how a run ended. It never changes how it ends.

use serde_json::Value;

use super::Console;
use super::survey::Survey;
use crate::cli::NotifyArgs;
use crate::exit::Exit;
use crate::notify;
use crate::report::notice::Run;

/// Posts what `notice` makes of the run, where a webhook is given.
pub async fn post(
    args: &NotifyArgs,
    (command, exit): (&str, Exit),
    survey: &Survey,
    notice: impl FnOnce(Run<'_>) -> Value,
    console: &Console,
) {
    let Some(url) = &args.notify else { return };
    let run = Run {
        command,
        name: &survey.settings.name,
        organization_id: &survey.organization.id,
        exit: exit.code(),
        secrets: &survey.settings.secrets,
    };
    if let Err(failure) = Box::pin(notify::post(url.secret(), &notice(run))).await {
        console.say(&format!("warning: the webhook of --notify was not told: {failure}"));
    }
}
