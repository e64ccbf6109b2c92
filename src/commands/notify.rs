//! `--notify`: reports to a webhook how a run ended. It never changes the result.

use serde_json::Value;

use super::{Console, Error};
use crate::cli::Secret;
use crate::exit::Exit;
use crate::notify;
use crate::ops::Survey;
use crate::report::notice::{self, Run};

/// Posts what `notice` makes of the run, where a webhook is given.
pub async fn post(
    webhook: Option<&Secret>,
    (command, exit): (&str, Exit),
    survey: &Survey,
    notice: impl FnOnce(Run<'_>) -> Value,
    console: &Console,
) {
    let Some(url) = webhook else { return };
    let run = Run {
        command,
        name: &survey.settings.name,
        organization_id: &survey.organization.id,
        exit: exit.code(),
        secrets: &survey.settings.secrets,
    };
    send(url, &notice(run), console).await;
}

/// Posts that a run ended before its work was done, where a webhook is given.
pub async fn stopped(webhook: Option<&Secret>, command: &str, stop: &Error, console: &Console) {
    if let (Some(url), Some(why)) = (webhook, stop.summary()) {
        send(
            url,
            &notice::stopped(command, stop.exit().code(), &why, &console.concealed()),
            console,
        )
        .await;
    }
}

async fn send(url: &Secret, notice: &Value, console: &Console) {
    if let Err(failure) = Box::pin(notify::post(url.secret(), notice)).await {
        console.say(&format!(
            "warning: could not notify the webhook of --notify: {failure}"
        ));
    }
}
