//! Proves who can enter the roles of a survey, and what the roles allow.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::callers::Callers;
use super::verifier::Verifier;
pub use super::verifier::{Judges, Sts};
use super::{Error, Observer, Survey};
use crate::resource::role::Role;
use crate::verify::{SessionName, Setting, Verification, live, trust};

/// What is verified.
#[derive(Debug)]
pub struct Options<'a> {
    /// Whether STS is asked.
    pub sts: Sts,
    /// The session name to enter roles by.
    pub session_name: Option<&'a str>,
    /// Who judges `[[role.expect]]`.
    pub judges: Judges,
    /// Accounts at once.
    pub parallelism: Option<usize>,
}

/// Verifies the roles in scope.
///
/// # Errors
/// The session name cannot be one, or the caller cannot assume roles.
pub async fn verify(
    survey: &Survey,
    options: &Options<'_>,
    observer: &dyn Observer,
) -> Result<Verification, Error> {
    let session = session(options.session_name)?;
    if let Some(why) =
        live::cannot_assume(&survey.organization.caller).filter(|_| options.sts == Sts::Asked)
    {
        return Err(Error::with_hint(
            why,
            "run as a user or a role, or verify with --offline",
        ));
    }
    let principals = trusted(survey);
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let verifier = Verifier {
        name: survey.config.name(),
        setting: Setting {
            organization: &survey.organization,
            principals: &principals,
            now: &now,
        },
        sts: options.sts,
        judges: options.judges,
        session,
        reader: survey.accounts.reading(),
        probing: survey.accounts.probing(),
        callers: Callers::new(survey),
        began: Instant::now(),
    };
    Ok(verifier.verify(survey, options.parallelism, observer).await)
}

/// The session name to enter roles by.
///
/// # Errors
/// It cannot be one.
pub fn session(name: Option<&str>) -> Result<Option<SessionName>, Error> {
    let session = name.map(SessionName::parse).transpose();
    session.map_err(|error| Error::because(error.to_string()))
}

/// Every principal that a role of the directory trusts.
fn trusted(survey: &Survey) -> BTreeSet<(String, String)> {
    let roles = survey
        .expansion
        .desired
        .accounts
        .values()
        .flat_map(|account| account.roles.values());
    // Most accounts share their roles, so each document is looked at once.
    let trusts: BTreeMap<&str, &Role> = roles
        .map(|role| (role.trust.text(), role.as_ref()))
        .collect();
    trusts
        .values()
        .flat_map(|role| trust::principals_of(&role.trust))
        .collect()
}
