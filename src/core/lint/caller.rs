//! Sample callers that lints evaluate a trust policy for.
//!
//! Of a condition key that a caller may or may not have, such as a session tag, nothing is known, and the answer counts
//! as yes: who must stay out must be kept out whatever it brings. Keys of identity providers (`saml:aud`,
//! `…:sub`) are only there where they are set.

use crate::evaluate::{Decision, Principal, Request, evaluate};
use crate::resource::policy::PolicyDocument;
use crate::resource::policy::pattern::segments;

/// The account of a stranger. No one has it.
const STRANGER: &str = "000000000001";
const STRANGER_ARN: &str = "arn:aws:iam::000000000001:role/x";

/// Addresses all over the world that no caller uses: reserved ranges, at both ends.
const ANYWHERE: &[&str] = &["240.0.0.1", "0.0.0.1", "100::1", "fe00::1"];

/// Keys that tell where a caller belongs, what a stranger has there, and the part of a value that says so.
///
/// Source: IAM User Guide, "AWS global condition context keys".
const CALLER_KEYS: &[(&str, &str, Part)] = &[
    ("aws:principalarn", STRANGER_ARN, Part::Account),
    ("aws:principalaccount", STRANGER, Part::Whole),
    ("aws:principalorgid", "o-0000000001", Part::Whole),
    (
        "aws:principalorgpaths",
        "o-0000000001/r-0001/ou-0001-00000001/",
        Part::UpTo('/'),
    ),
    ("aws:userid", "AROA00000000000000001:x", Part::UpTo(':')),
    ("aws:sourcevpc", "vpc-00000001", Part::Whole),
    ("aws:sourcevpce", "vpce-00000001", Part::Whole),
    ("aws:principalisawsservice", "false", Part::Whole),
    ("aws:viaawsservice", "false", Part::Whole),
];

/// Keys that only a service's call has: on whose behalf it comes.
const SOURCE_KEYS: &[(&str, &str, Part)] = &[
    (
        "aws:sourcearn",
        "arn:aws:x:us-east-1:000000000001:x/x",
        Part::Account,
    ),
    ("aws:sourceaccount", STRANGER, Part::Whole),
    ("aws:sourceowner", STRANGER, Part::Whole),
    ("aws:sourceorgid", "o-0000000001", Part::Whole),
    (
        "aws:sourceorgpaths",
        "o-0000000001/r-0001/ou-0001-00000001/",
        Part::UpTo('/'),
    ),
];

/// Keys that neither a person nor a role brings by itself.
const SERVICE_KEYS: &[&str] = &[
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:calledvia",
];

/// The keys that tell of MFA.
pub(super) const MFA_KEYS: [&str; 2] = ["aws:multifactorauthpresent", "aws:multifactorauthage"];

/// The part of a value that says where it belongs; a wildcard elsewhere allows no caller from outside.
#[derive(Clone, Copy)]
enum Part {
    Whole,
    UpTo(char),
    /// The account of an ARN, or its name where it has no account.
    Account,
}

impl Part {
    fn of(self, value: &str) -> &str {
        match self {
            Self::Whole => value,
            Self::UpTo(end) => value.split(end).next().unwrap_or(value),
            Self::Account => match segments(value).as_slice() {
                [.., "", name] => name,
                [_, _, _, _, account, _] => account,
                _ => value,
            },
        }
    }
}

/// A call on its way to a trust policy.
#[derive(Clone)]
pub(super) struct Caller<'a> {
    trust: &'a PolicyDocument,
    request: Request,
}

impl<'a> Caller<'a> {
    /// A caller of whom only the name is known.
    pub(super) fn new(trust: &'a PolicyDocument, action: &str, kind: &str, name: &str) -> Self {
        let known = |key: &&String| key.starts_with("aws:") || key.starts_with("sts:");
        let unknown = trust
            .statements()
            .iter()
            .flat_map(|one| one.conditions.values())
            .flat_map(|keys| keys.keys());
        let request = Request {
            principal: Principal {
                names: vec![(kind.to_owned(), name.to_owned())],
            },
            action: action.to_owned(),
            unknown: unknown.filter(known).cloned().collect(),
            ..Request::default()
        };
        Self { trust, request }
    }

    /// Someone of an account that it is unknown.
    pub(super) fn stranger(trust: &'a PolicyDocument) -> Self {
        let mut caller = Self::new(trust, "sts:AssumeRole", "AWS", STRANGER_ARN).calling_directly();
        for (key, value, part) in CALLER_KEYS {
            caller = caller.foreign(key, value, *part);
        }
        caller.with(
            "aws:sourceip",
            ANYWHERE.iter().map(|address| (*address).to_owned()),
        )
    }

    /// Someone of another organization who goes by this ARN.
    pub(super) fn outsider(trust: &'a PolicyDocument, arn: &str, account: &str) -> Self {
        let mut caller = Self::new(trust, "sts:AssumeRole", "AWS", arn).calling_directly();
        for (key, value, part) in CALLER_KEYS
            .iter()
            .filter(|(key, ..)| key.starts_with("aws:principalorg"))
        {
            caller = caller.foreign(key, value, *part);
        }
        caller = caller.with("aws:principalaccount", [account.to_owned()]);
        if arn.ends_with(":root") {
            caller
        } else {
            caller.with("aws:principalarn", [arn.to_owned()])
        }
    }

    /// A service at work for a stranger.
    pub(super) fn service_for_stranger(trust: &'a PolicyDocument, service: &str) -> Self {
        let caller = Self::new(trust, "sts:AssumeRole", "Service", service);
        SOURCE_KEYS
            .iter()
            .fold(caller, |caller, (key, value, part)| {
                caller.foreign(key, value, *part)
            })
    }

    fn calling_directly(self) -> Self {
        let absent = SOURCE_KEYS
            .iter()
            .map(|(key, ..)| *key)
            .chain(SERVICE_KEYS.iter().copied());
        absent.fold(self, |caller, key| caller.with(key, []))
    }

    /// The same caller with these values of a key (in lower case); without the key where there are none.
    pub(super) fn with(mut self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.request.unknown.retain(|unknown| unknown != key);
        self.request
            .context
            .insert(key.to_owned(), values.into_iter().collect());
        self
    }

    /// A stranger's value of a key, and what a stranger can make match a wildcard in the part that matters.
    fn foreign(self, key: &str, value: &str, part: Part) -> Self {
        let wild = wanted(self.trust, key)
            .filter(|wanted| is_wild(part.of(wanted)))
            .map(filled);
        let values: Vec<String> = std::iter::once(value.to_owned()).chain(wild).collect();
        self.with(key, values)
    }

    /// Whether the trust policy lets the caller in, as far as is known.
    pub(super) fn is_let_in(&self) -> bool {
        matches!(
            evaluate(&[self.trust], &self.request),
            Decision::Allow | Decision::Undecided
        )
    }
}

/// The values that any statement asks a key (in lower case) for.
pub(super) fn wanted<'a>(trust: &'a PolicyDocument, key: &str) -> impl Iterator<Item = &'a str> {
    let conditions = trust
        .statements()
        .iter()
        .flat_map(|statement| statement.conditions.values());
    conditions
        .filter_map(move |keys| keys.get(key))
        .flatten()
        .map(String::as_str)
}

pub(super) fn is_wild(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// A text that a pattern matches.
pub(super) fn filled(pattern: &str) -> String {
    pattern.replace(['*', '?'], "x")
}
