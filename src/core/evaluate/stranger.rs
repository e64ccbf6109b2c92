//! Those whom a trust policy must keep out: someone of an account that no one knows, someone of another
//! organization, a service at work for a stranger.
//!
//! A stranger has a value of its own for each key that tells where a caller belongs, or what a wildcard in the part
//! that matters lets it have; it lacks what it may lack, and chooses what it may choose.

use super::entrant::{Entrant, conditions, meeting};

use super::keys::Key;
use super::keys::{Kind, SOURCE};
use crate::resource::policy::PolicyDocument;
use crate::resource::policy::operator::{Operator, Test};
use crate::resource::policy::pattern::{Variables, matches, segments, tokens};
use crate::resource::policy::value::Network;

/// The account of a stranger. No one has it.
const STRANGER: &str = "000000000001";
const STRANGER_ARN: &str = "arn:aws:iam::000000000001:role/x";

/// Addresses all over the world that no one calls from: reserved ranges, at both ends.
const ANYWHERE: &[&str] = &["240.0.0.1", "0.0.0.1", "100::1", "fe00::1"];

/// From this length on, a network is someone's: none of IPv4 that is larger than a /8, and none of IPv6 larger than
/// a /16, was ever given to one organization.
const OWNED: (u32, u32) = (8, 16);

/// Keys that tell where a caller belongs, what a stranger has there, and the part of a value that says so.
const CALLER: &[(&str, &str, Part)] = &[
    ("aws:principalarn", STRANGER_ARN, Part::Account),
    ("aws:principalaccount", STRANGER, Part::Whole),
    ("aws:userid", "AROA00000000000000001:x", Part::UpTo(':')),
];

/// Keys that tell to which organization it belongs, if any, and through which network it comes, if a private one.
const SOMETIMES: &[(&str, &str, Part)] = &[
    ("aws:principalorgid", "o-0000000001", Part::Whole),
    ("aws:principalorgpaths", ORG_PATH, Part::UpTo('/')),
    ("aws:sourcevpc", "vpc-00000001", Part::Whole),
    (
        "aws:sourcevpcarn",
        "arn:aws:ec2:us-east-1:000000000001:vpc/vpc-00000001",
        Part::Account,
    ),
    ("aws:sourcevpce", "vpce-00000001", Part::Whole),
    ("aws:vpceaccount", STRANGER, Part::Whole),
    ("aws:vpceorgid", "o-0000000001", Part::Whole),
    ("aws:vpceorgpaths", ORG_PATH, Part::UpTo('/')),
];

const ORG_PATH: &str = "o-0000000001/r-0001/ou-0001-00000001/";

/// The keys of [`SOURCE`] for a stranger.
const STRANGERS_SOURCE: &[(&str, &str, Part)] = &[
    (
        "aws:sourcearn",
        "arn:aws:x:us-east-1:000000000001:x/x",
        Part::Account,
    ),
    ("aws:sourceaccount", STRANGER, Part::Whole),
    ("aws:sourceowner", STRANGER, Part::Whole),
    ("aws:sourceorgid", "o-0000000001", Part::Whole),
    ("aws:sourceorgpaths", ORG_PATH, Part::UpTo('/')),
];

/// The part of a value that says where it belongs; a wildcard elsewhere lets no one in from outside.
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

/// Someone of an account that no one knows.
pub fn stranger(trust: &PolicyDocument) -> Entrant {
    let entrant = CALLER.iter().fold(
        Entrant::new(Kind::Principal, STRANGER_ARN),
        |entrant, (key, value, part)| {
            entrant.with(key, Key::OneOf(foreign(trust, key, value, *part)))
        },
    );
    let addresses = ANYWHERE
        .iter()
        .map(|address| (*address).to_owned())
        .chain(wide_networks(trust))
        .collect();
    elsewhere(trust, entrant).with("aws:sourceip", Key::OneOfOrAbsent(addresses))
}

/// Someone of another organization, or of none, who goes by this ARN.
pub fn outsider(trust: &PolicyDocument, arn: &str, account: &str) -> Entrant {
    let entrant = Entrant::new(Kind::Principal, arn)
        .with("aws:principalaccount", Key::OneOf(vec![account.to_owned()]));
    let entrant = ORGANIZATION
        .iter()
        .fold(entrant, |entrant, (key, value, part)| {
            entrant.with(key, Key::OneOfOrAbsent(foreign(trust, key, value, *part)))
        });
    let arns = if arn.ends_with(":root") {
        arns_in(trust, arn, account)
    } else {
        vec![arn.to_owned()]
    };
    entrant.with("aws:principalarn", Key::OneOf(arns))
}

/// The keys of an organization.
const ORGANIZATION: &[(&str, &str, Part)] = &[
    ("aws:principalorgid", "o-0000000001", Part::Whole),
    ("aws:principalorgpaths", ORG_PATH, Part::UpTo('/')),
];

/// Whoever a principal stands for that a trust policy names, of whom no more is known than where it is: a role or user
/// for itself, the root of an account for everyone in it.
pub fn member(trust: &PolicyDocument, arn: &str) -> Entrant {
    let entrant = Entrant::new(Kind::Principal, arn);
    let segments = segments(arn);
    let (Some(account), Some(name)) = (segments.get(4), segments.get(5)) else {
        return entrant;
    };
    let account_key = Key::OneOf(vec![(*account).to_owned()]);
    let entrant = entrant.with("aws:principalaccount", account_key);
    if name.starts_with("role/") || name.starts_with("user/") {
        entrant.with("aws:principalarn", Key::OneOf(vec![arn.to_owned()]))
    } else if *name == "root" {
        entrant.with("aws:principalarn", Key::OneOf(arns_in(trust, arn, account)))
    } else {
        entrant
    }
}

/// ARNs of an account that a trust policy may ask for, and one that it does not.
fn arns_in(trust: &PolicyDocument, root: &str, account: &str) -> Vec<String> {
    let is_there = |value: &String| {
        segments(value)
            .get(4)
            .is_some_and(|part| matches(&tokens(part, Variables::Literal), account))
    };
    let asked = conditions("aws:principalarn", &[trust])
        .flat_map(|(operator, values)| values.iter().map(move |value| (operator, value)))
        .filter(|(_, value)| is_there(value))
        .filter_map(|(operator, value)| {
            let test = Operator::parse(operator)?.test;
            meeting(test, &with_account(value, account))
                .into_iter()
                .next()
        });
    asked.chain([root.replace(":root", ":role/x")]).collect()
}

/// The ARN with this account, where it has a wildcard there.
fn with_account(arn: &str, account: &str) -> String {
    let mut parts = segments(arn);
    if let Some(part) = parts.get_mut(4) {
        *part = account;
    }
    parts.join(":")
}

fn elsewhere(trust: &PolicyDocument, entrant: Entrant) -> Entrant {
    SOMETIMES
        .iter()
        .fold(entrant, |entrant, (key, value, part)| {
            entrant.with(key, Key::OneOfOrAbsent(foreign(trust, key, value, *part)))
        })
}

/// A service at work for a stranger. Not every call of a service says on whose behalf it comes.
pub fn serving_stranger(trust: &PolicyDocument, service: &str) -> Entrant {
    debug_assert_eq!(STRANGERS_SOURCE.len(), SOURCE.len());
    STRANGERS_SOURCE.iter().fold(
        Entrant::new(Kind::Service, service),
        |entrant, (key, value, part)| {
            entrant.with(key, Key::OneOfOrAbsent(foreign(trust, key, value, *part)))
        },
    )
}

/// A stranger's values of a key: its own, and what it can make match a wildcard in the part that matters.
fn foreign(trust: &PolicyDocument, key: &str, value: &str, part: Part) -> Vec<String> {
    let wild = conditions(key, &[trust])
        .flat_map(|(_, values)| values)
        .filter(|wanted| part.of(wanted).contains(['*', '?']))
        .map(|wanted| wanted.replace(['*', '?'], "x"));
    std::iter::once(value.to_owned()).chain(wild).collect()
}

/// An address of each network asked for that is too large to be one organization's.
fn wide_networks(trust: &PolicyDocument) -> impl Iterator<Item = String> {
    let networks = conditions("aws:sourceip", &[trust]).filter(|(operator, _)| {
        Operator::parse(operator).is_some_and(|operator| operator.test == Test::IpAddress)
    });
    networks
        .flat_map(|(_, values)| values)
        .filter(|value| {
            Network::parse(value).is_some_and(|network| network.is_wider_than(OWNED.0, OWNED.1))
        })
        .filter_map(|value| value.split('/').next().map(str::to_owned))
}
