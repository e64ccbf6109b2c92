//! IAM's operations.

use super::wire::{ApiError, Params, Xml};
use super::world::World;
use crate::org::AccountId;

/// Performs one IAM operation in `account`, or answers with the error AWS documents for it.
///
/// The answer is the content of `<OpResult>`. An operation that is not modelled is a clean `InvalidAction`.
pub fn call(world: &mut World, account: AccountId, operation: &str, params: &Params) -> Result<Xml, ApiError> {
    let _ = (world, account, params);
    Err(ApiError::new(400, "InvalidAction", format!("Could not find operation {operation} for version 2010-05-08")))
}
