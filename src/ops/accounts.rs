//! The same question to many accounts.

use futures_util::stream::{self, StreamExt as _};

use crate::org::{Account, AwsError};

/// Asks each account its question, `at_once` of them side by side; the answers are in order of account id.
///
/// A failed answer is a value like any other: no account is left out, and the caller decides what it means.
pub async fn each_account<'a, Q, T>(
    accounts: impl IntoIterator<Item = (&'a Account, Q)>,
    at_once: usize,
    ask: impl AsyncFn(&'a Account, Q) -> Result<T, AwsError>,
) -> Vec<(&'a Account, Result<T, AwsError>)> {
    let ask = &ask;
    let asked = accounts
        .into_iter()
        .map(|(account, question)| async move { (account, ask(account, question).await) });
    let mut answers: Vec<_> = stream::iter(asked.collect::<Vec<_>>())
        .buffer_unordered(at_once)
        .collect()
        .await;
    answers.sort_by_key(|(account, _)| account.id);
    answers
}
