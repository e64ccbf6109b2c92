//! Issuers of OIDC identities: which claims of their tokens IAM reads, what each claim says, and which of them a trust
//! policy must ask for.
//!
//! A shared issuer signs tokens for all customers of its vendor, so a trust policy must ask for a claim that tells
//! them apart. The issuer of a tenant has one customer, whose name is part of its URL. An issuer that is not in the
//! table is taken for one of a tenant.
//!
//! Sources: IAM User Guide, "Identity-provider controls for shared OIDC providers" (what IAM demands) and "Available
//! keys for AWS OIDC federation"; Service Authorization Reference, condition keys of `AssumeRoleWithWebIdentity` (what
//! IAM reads). What a claim says is from the documentation of the vendor, named at each entry.

mod demand;
mod subject;
mod table;

use crate::org::Partition;
pub use demand::{Missing, missing};
pub use subject::{Wide, fixed};
pub use table::issuer;

/// What a claim says of the identity behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Who it is: no identity of another customer has the same value.
    Who,
    /// What the holder of the token chose, or what many tokens have in common.
    What,
}

/// Whether a token has a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Every token of the issuer has it.
    Always,
    /// Some tokens lack it.
    Sometimes,
}

/// Whether IAM makes a condition key of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// The documentation lists the key.
    Yes,
    /// It does not: a request never has the key.
    No,
    /// The documentation does not tell.
    Unsure,
}

/// Whose identities an issuer signs tokens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Customers {
    /// Those of every customer of the vendor.
    All,
    /// Those of the one that its URL names.
    One,
}

/// A claim of an issuer's tokens. The name is the part of the condition key behind the issuer, or a whole key of STS.
#[derive(Debug, Clone, Copy)]
struct Claim {
    name: &'static str,
    says: Says,
    sent: Sent,
}

/// An issuer, or several with the same rules.
#[derive(Debug)]
pub struct Issuer {
    /// The vendor's name.
    pub name: &'static str,
    /// Whose identities it knows.
    pub customers: Customers,
    /// Hosts and paths, with wildcards.
    urls: &'static [&'static str],
    claims: &'static [Claim],
    /// The claims of which IAM demands one when a trust policy is written; none where it demands nothing.
    demanded: &'static [&'static str],
    /// The claim that tells customers apart.
    pub tenancy: &'static str,
    /// Whom a subject lets in besides one identity.
    wide: fn(&str) -> Option<Wide>,
    /// Whether the table knows it.
    is_known: bool,
}

/// The host and path of an OIDC provider that a trust policy names; `None` for a provider of another kind.
pub fn url_of(provider: &str) -> Option<&str> {
    match provider.split_once(":oidc-provider/") {
        Some((_, url)) => Some(url),
        None => (!provider.starts_with("arn:")).then_some(provider),
    }
}

impl Issuer {
    /// Whether IAM makes a condition key of the claim, in that partition.
    pub fn reads(&self, claim: &str, partition: &Partition) -> Read {
        let Some(known) = self.claim(claim) else {
            return if self.is_known {
                Read::No
            } else {
                Read::Unsure
            };
        };
        // Claims of one vendor came in January 2026, to commercial Regions; the owner's id is younger than the User
        // Guide's first list of them.
        if is_common(known.name) || (partition.0 == "aws" && known.name != "repository_owner_id") {
            Read::Yes
        } else {
            Read::Unsure
        }
    }

    /// What a claim says; of one that is not known, nothing.
    pub fn says(&self, claim: &str) -> Says {
        self.claim(claim).map_or(Says::What, |claim| claim.says)
    }

    /// Whether a token has the claim.
    pub fn sends(&self, claim: &str) -> Sent {
        self.claim(claim)
            .map_or(Sent::Sometimes, |claim| claim.sent)
    }

    /// The claims that say who it is.
    pub fn identities(&self) -> impl Iterator<Item = &'static str> {
        self.claims
            .iter()
            .filter(|claim| claim.says == Says::Who)
            .map(|claim| claim.name)
    }

    /// The claims of which a trust policy must ask for one, or IAM refuses to write it; none where it need not.
    pub fn demanded(&self) -> &'static [&'static str] {
        self.demanded
    }

    /// Whom a subject, which may have wildcards, lets in besides one identity.
    pub fn wide(&self, subject: &str) -> Option<Wide> {
        (self.wide)(subject)
    }

    fn claim(&self, name: &str) -> Option<&'static Claim> {
        let same = |claim: &&Claim| claim.name.eq_ignore_ascii_case(name);
        self.claims.iter().find(same)
    }
}

/// Whether the claim is one that IAM reads of every issuer, or a key of STS.
fn is_common(claim: &str) -> bool {
    [
        "sub", "aud", "oaud", "amr", "email", "app_id", "user_id", "id",
    ]
    .contains(&claim)
        || claim.starts_with("sts:")
}

/// The condition key of a claim, in lower case.
pub fn key(url: &str, claim: &str) -> String {
    if claim.starts_with("sts:") {
        claim.to_lowercase()
    } else {
        format!("{url}:{claim}").to_lowercase()
    }
}

#[cfg(test)]
mod tests;
