//! Running a plan.

use std::future::Future;

use crate::org::{Account, AwsError};
use crate::resource::step::Step;

/// Somebody who can write. Not to write is not to be given one.
pub trait Writer: Sync {
    /// Performs one step, once; retries are the SDK's.
    fn write(&self, account: &Account, step: &Step) -> impl Future<Output = Result<(), AwsError>> + Send;
}
