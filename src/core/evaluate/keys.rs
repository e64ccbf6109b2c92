//! Condition keys of the calls that enter a role: which kinds of callers have them, lack them or choose them.
//!
//! Sources: IAM User Guide, "AWS global condition context keys" (the "Availability" of each), "IAM and AWS STS condition
//! context keys".

#![allow(
    clippy::match_same_arms,
    clippy::single_match_else,
    clippy::unnested_or_patterns,
    reason = "a table of facts: a row for each, also where two say the same"
)]

use std::collections::{BTreeMap, BTreeSet};

use crate::resource::policy::PolicyDocument;
use crate::resource::policy::pattern::{Token, Variables, tokens};

/// What is known of a condition key of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// No such request has it.
    Absent,
    /// Every such request has it, with one of these values.
    OneOf(Vec<String>),
    /// A request has one of these values, or lacks the key.
    OneOfOrAbsent(Vec<String>),
    /// The caller chooses the value.
    Chosen,
    /// The caller chooses the value, or to leave the key out.
    ChosenOrAbsent,
    /// It is not known.
    Unknown,
}

/// Who asks, by the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A user, or the session of a role: `AssumeRole`.
    Principal,
    /// A service of AWS: `AssumeRole`.
    Service,
    /// Whoever holds a token of an OIDC provider: `AssumeRoleWithWebIdentity`.
    WebIdentity,
    /// Whoever holds an assertion of a SAML provider: `AssumeRoleWithSAML`.
    Saml,
}

impl Kind {
    /// The kind of a principal in a trust policy; `None` for one that enters no role.
    pub fn of(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "AWS" => Some(Self::Principal),
            "Service" => Some(Self::Service),
            "Federated" if name.contains(":saml-provider/") => Some(Self::Saml),
            "Federated" => Some(Self::WebIdentity),
            _ => None,
        }
    }

    /// The action by which it enters.
    pub fn action(self) -> &'static str {
        match self {
            Self::Principal | Self::Service => "sts:AssumeRole",
            Self::WebIdentity => "sts:AssumeRoleWithWebIdentity",
            Self::Saml => "sts:AssumeRoleWithSAML",
        }
    }

    fn is_federated(self) -> bool {
        matches!(self, Self::WebIdentity | Self::Saml)
    }
}

/// Keys that a request has together: each alternative are those it has.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) alternatives: &'static [&'static [&'static str]],
}

impl Group {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        let keys: BTreeSet<&str> = self
            .alternatives
            .iter()
            .copied()
            .flatten()
            .copied()
            .collect();
        keys.into_iter()
    }
}

/// A principal whose account is in no organization has neither.
const ORGANIZATION: Group = Group {
    alternatives: &[&[], &["aws:principalorgid", "aws:principalorgpaths"]],
};

/// A request comes from an address, or through a VPC endpoint, and then without the public address.
const NETWORK: Group = Group {
    alternatives: &[
        &["aws:sourceip"],
        &[
            "aws:sourcevpc",
            "aws:sourcevpcarn",
            "aws:sourcevpce",
            "aws:vpcsourceip",
            "aws:vpceaccount",
            "aws:vpceorgid",
            "aws:vpceorgpaths",
        ],
    ],
};

/// The groups of keys of a kind of caller.
pub(super) fn groups(kind: Kind) -> &'static [Group] {
    match kind {
        Kind::Principal => &[ORGANIZATION, NETWORK],
        Kind::WebIdentity | Kind::Saml => &[NETWORK],
        Kind::Service => &[],
    }
}

/// Keys that only the call of a service has: on whose behalf it comes.
pub(super) const SOURCE: &[&str] = &[
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceowner",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
];

/// The keys of [`SOURCE`] that a service's call surely lacks.
///
/// Source: Amazon EKS User Guide, "Create IAM role with trust policy required by EKS Pod Identity": restrict by session
/// tags. A condition on `aws:SourceArn` locks the pods out (awslabs/mountpoint-s3-csi-driver#781).
pub(super) fn never_sent(service: &str) -> &'static [&'static str] {
    match service {
        "pods.eks.amazonaws.com" => &["aws:sourcearn"],
        _ => &[],
    }
}

/// Keys of MFA.
pub const MFA: [&str; 2] = ["aws:multifactorauthpresent", "aws:multifactorauthage"];

/// The attributes of a SAML assertion that IAM reads.
///
/// Source: IAM User Guide, "Available keys for SAML-based AWS STS federation".
const SAML: &[&str] = &[
    "aud",
    "cn",
    "commonname",
    "doc",
    "eduorghomepageuri",
    "eduorgidentityauthnpolicyuri",
    "eduorglegalname",
    "eduorgsuperioruri",
    "eduorgwhitepagesuri",
    "edupersonaffiliation",
    "edupersonassurance",
    "edupersonentitlement",
    "edupersonnickname",
    "edupersonorgdn",
    "edupersonorgunitdn",
    "edupersonprimaryaffiliation",
    "edupersonprimaryorgunitdn",
    "edupersonprincipalname",
    "edupersonscopedaffiliation",
    "edupersontargetedid",
    "givenname",
    "iss",
    "mail",
    "name",
    "namequalifier",
    "organizationstatus",
    "primarygroupsid",
    "sub",
    "sub_type",
    "surname",
    "uid",
    "x500uniqueidentifier",
];

/// What is known of a key (in lower case) where nothing is known of the caller but its kind.
pub(super) fn known(kind: Kind, key: &str) -> Key {
    let of = |values: &[&str]| Key::OneOf(values.iter().map(|&value| value.to_owned()).collect());
    let (vendor, name) = key.split_once(':').unwrap_or(("", key));
    match (kind, vendor) {
        (_, "aws") => global(kind, name),
        (Kind::WebIdentity | Kind::Saml, "sts") if name == "externalid" => Key::Absent,
        (_, "sts") => match name {
            "rolesessionname" => Key::Chosen,
            "externalid" | "sourceidentity" | "transitivetagkeys" => Key::ChosenOrAbsent,
            _ => Key::Unknown,
        },
        // A session of a role keeps what its assertion or token said.
        (Kind::Principal, "saml") => Key::ChosenOrAbsent,
        (Kind::Saml, "saml") if name == "iss" || name == "aud" || name == "sub" => Key::Chosen,
        (Kind::Saml, "saml") if name == "sub_type" => {
            of(&["persistent", "transient", "emailAddress"])
        }
        (Kind::Saml, "saml") if SAML.contains(&name) => Key::ChosenOrAbsent,
        (Kind::Service | Kind::WebIdentity | Kind::Saml, "saml") => Key::Absent,
        (_, "iam" | "identitystore") => Key::Unknown,
        // A provider's key: a token brings those of its own issuer alone, and they are set where the issuer is known.
        (Kind::Service | Kind::WebIdentity | Kind::Saml, _) => Key::Absent,
        (Kind::Principal, _) => Key::Unknown,
    }
}

/// What is known of a global condition key, `name` without `aws:`.
fn global(kind: Kind, name: &str) -> Key {
    let of = |values: &[&str]| Key::OneOf(values.iter().map(|&value| value.to_owned()).collect());
    let whole = format!("aws:{name}");
    if SOURCE.contains(&whole.as_str()) {
        return match kind {
            Kind::Service => Key::ChosenOrAbsent,
            _ => Key::Absent,
        };
    }
    if MFA.contains(&whole.as_str()) {
        return match (kind, name) {
            // Long-term keys know no MFA, so their requests lack the key.
            (Kind::Principal, "multifactorauthpresent") => {
                Key::OneOfOrAbsent(vec!["true".to_owned(), "false".to_owned()])
            }
            (Kind::Principal, _) => Key::ChosenOrAbsent,
            _ => Key::Absent,
        };
    }
    match (kind, name) {
        (_, "securetransport") => of(&["true"]),
        (_, "sourceip" | "sourcevpc" | "sourcevpcarn" | "sourcevpce" | "vpcsourceip")
        | (_, "vpceaccount" | "vpceorgid" | "vpceorgpaths")
            if kind != Kind::Service =>
        {
            Key::ChosenOrAbsent
        }
        (Kind::Principal, "principalarn" | "principalaccount" | "userid") => Key::Chosen,
        (Kind::Principal, "principaltype") => {
            of(&["AssumedRole", "User", "Account", "FederatedUser"])
        }
        (Kind::Principal, "principalorgid" | "principalorgpaths" | "username") => {
            Key::ChosenOrAbsent
        }
        (Kind::Principal, "viaawsservice") => of(&["false"]),
        (
            Kind::Principal,
            "principalservicename"
            | "principalservicenameslist"
            | "calledvia"
            | "calledviafirst"
            | "calledvialast",
        ) => Key::Absent,
        (Kind::Principal, "principalisawsservice") => of(&["false"]),
        (Kind::Principal, "federatedprovider" | "sourceidentity") => Key::ChosenOrAbsent,
        (Kind::Service, "principalisawsservice") => of(&["true"]),
        (Kind::Service, "principalorgid" | "principalorgpaths" | "username") => Key::Absent,
        (Kind::Service, name) if name.starts_with("principaltag/") => Key::Absent,
        (kind, name) if kind.is_federated() && name.starts_with("principal") => Key::Absent,
        (kind, "userid" | "username" | "viaawsservice" | "sourceidentity")
        | (kind, "calledvia" | "calledviafirst" | "calledvialast")
            if kind.is_federated() =>
        {
            Key::Absent
        }
        (Kind::Principal, name) if name.starts_with("principaltag/") => Key::ChosenOrAbsent,
        (Kind::Principal | Kind::WebIdentity | Kind::Saml, name)
            if name == "tagkeys" || name.starts_with("requesttag/") =>
        {
            Key::ChosenOrAbsent
        }
        (_, "requestedregion") => Key::Chosen,
        (_, "useragent" | "referer") => Key::ChosenOrAbsent,
        _ => Key::Unknown,
    }
}

/// Every condition key that a document asks for, in conditions and as a variable, in lower case.
pub fn mentioned(document: &PolicyDocument) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for statement in document.statements() {
        let values = statement
            .conditions
            .values()
            .flat_map(BTreeMap::values)
            .flatten();
        let texts = statement
            .resources
            .iter()
            .flat_map(|resources| &resources.patterns)
            .chain(values);
        for token in texts.flat_map(|text| tokens(text, Variables::Read)) {
            if let Token::Variable(variable) = token
                && !["*", "?", "$"].contains(&variable)
            {
                let key = variable.split_once(',').map_or(variable, |(key, _)| key);
                found.insert(key.trim().to_ascii_lowercase());
            }
        }
        found.extend(
            statement
                .conditions
                .values()
                .flat_map(BTreeMap::keys)
                .cloned(),
        );
    }
    found
}

/// A key in the case AWS writes it, for the ones a user meets most.
pub fn spelled(key: &str) -> &str {
    const KNOWN: &[&str] = &[
        "sts:ExternalId",
        "sts:RoleSessionName",
        "sts:SourceIdentity",
        "aws:MultiFactorAuthPresent",
        "aws:MultiFactorAuthAge",
        "aws:PrincipalAccount",
        "aws:PrincipalArn",
        "aws:PrincipalIsAWSService",
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:PrincipalTag",
        "aws:PrincipalType",
        "aws:SourceAccount",
        "aws:SourceArn",
        "aws:SourceIp",
        "aws:SourceOrgID",
        "aws:SourceVpc",
        "aws:SourceVpce",
        "aws:CurrentTime",
        "aws:RequestedRegion",
        "aws:userid",
        "aws:username",
    ];
    KNOWN
        .iter()
        .find(|known| known.eq_ignore_ascii_case(key))
        .copied()
        .unwrap_or(key)
}
