//! The only room that uses the AWS SDK: the caller's identity, access to accounts, reading and writing them.
//!
//! Nothing here decides anything: reading answers what was asked, writing performs one [`Step`](crate::resource::step::Step)
//! with one call. Every failure is an [`AwsError`](crate::org::AwsError) that names account, operation and resource.
//!
//! Three of the SDK's defaults fail healthy accounts when a run spans an organization, so [`session`] and [`accounts`]
//! replace them: each client would open its own connection pool, all clients of a process would share one budget of
//! retries, and a cache of 64 identities would evict at random.

pub mod accounts;
mod body;
pub mod bucket;
mod credentials;
mod error;
mod guard;
mod http;
mod lost;
pub mod organization;
mod pace;
pub mod principal;
pub mod probe;
pub mod read;
mod retry;
pub mod session;
mod step;
#[cfg(test)]
mod testing;
mod trace;
pub mod trail;
pub mod write;

pub use accounts::{Access, Accounts};
pub use bucket::Bucket;
pub use probe::Probing;
pub use read::Reading;
pub use session::{Aws, Settings};
pub use write::Writing;
