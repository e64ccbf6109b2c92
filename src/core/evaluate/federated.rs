//! Identities of OIDC and SAML providers: those whom a trust policy is meant for, and everyone else.
//!
//! What the claims of a token say is from the table of [issuers](crate::resource::issuer). A claim that IAM does not
//! read is absent from every request; one that holders choose takes whatever value is asked for; one that says who
//! someone is has another value for everyone else, unless the policy asks for it by a pattern that is too wide. A
//! claim of which nothing is known is whatever it takes.

use std::collections::BTreeSet;

use super::entrant::{Answer, Entrant, OTHER, conditions};

use super::keys::Key;
use super::keys::{Kind, mentioned};
use crate::org::Partition;
use crate::resource::issuer::{self, Customers, Issuer, Read, Says, Sent, Wide};
use crate::resource::policy::PolicyDocument;
use crate::resource::policy::pattern::segments;

/// How a trust policy lets more identities of a provider in than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Host and path of the issuer.
    pub url: String,
    /// What lets them in, as a sentence without full stop.
    pub why: String,
    /// Whether identities of other customers of a shared issuer get in.
    pub outsiders: Answer,
}

/// The partition that a provider's ARN is in; the commercial one where it is not an ARN.
pub fn partition_of(provider: &str) -> Partition {
    match segments(provider).as_slice() {
        ["arn", partition, ..] => Partition((*partition).to_owned()),
        _ => Partition::default(),
    }
}

/// Whoever a trust in a provider may be meant for.
pub fn expected(trust: &PolicyDocument, provider: &str) -> Option<Entrant> {
    #[expect(clippy::single_match_else, reason = "two kinds of providers")]
    match Kind::of("Federated", provider)? {
        Kind::Saml => Some(asserted(trust, provider)),
        _ => {
            let url = issuer::url_of(provider)?;
            Some(claiming(trust, provider, url, |_, sent| match sent {
                Sent::Always => Key::Chosen,
                Sent::Sometimes => Key::ChosenOrAbsent,
            }))
        }
    }
}

/// A holder of a token of the issuer at `url`, of whose claims `known` says what is known.
fn claiming(
    trust: &PolicyDocument,
    provider: &str,
    url: &str,
    known: impl Fn(&str, Sent) -> Key,
) -> Entrant {
    let (issuer, partition) = (issuer::issuer(url), partition_of(provider));
    let mut entrant = Entrant::new(Kind::WebIdentity, provider);
    for (key, claim) in claims(trust, url, issuer) {
        let known = match issuer.reads(&claim, &partition) {
            Read::Yes => known(&claim, issuer.sends(&claim)),
            Read::No => Key::Absent,
            Read::Unsure => match known(&claim, Sent::Sometimes) {
                Key::Chosen | Key::ChosenOrAbsent => Key::Unknown,
                known => known,
            },
        };
        entrant = entrant.with(&key, known);
    }
    entrant
}

/// The claims of the issuer at `url` that a trust policy asks for, each behind its condition key.
fn claims(trust: &PolicyDocument, url: &str, issuer: &Issuer) -> Vec<(String, String)> {
    let prefix = format!("{url}:").to_lowercase();
    let asked = mentioned(trust).into_iter().filter_map(|key| {
        let claim = key.strip_prefix(&prefix)?.to_owned();
        Some((key, claim))
    });
    let of_sts = issuer
        .identities()
        .filter(|claim| claim.starts_with("sts:"))
        .map(|claim| (claim.to_lowercase(), claim.to_lowercase()));
    asked.chain(of_sts).collect()
}

/// Customers of a shared issuer whom a trust policy cannot be meant for; `None` for an issuer of one customer, and for a
/// provider of another kind.
pub fn outsiders(trust: &PolicyDocument, provider: &str) -> Option<Entrant> {
    let url = issuer::url_of(provider)?;
    (issuer::issuer(url).customers == Customers::All)
        .then(|| someone_else(trust, provider, url, &|pattern| pattern.wide.outsiders))
}

/// How a trust policy lets more identities of an OIDC provider in than it is meant for; `None` where it does not, and
/// for a provider of another kind.
pub fn open(trust: &PolicyDocument, provider: &str) -> Option<Open> {
    let url = issuer::url_of(provider)?;
    let issuer = issuer::issuer(url);
    let ask = |admitted: &dyn Fn(&Pattern<'_>) -> bool| {
        someone_else(trust, provider, url, admitted).ask(trust)
    };
    if ask(&|_| true) == Answer::Refused {
        return None;
    }
    let wide = wide_patterns(trust, url, issuer);
    let cause = wide.iter().find(|cause| {
        ask(&|pattern| pattern.claim != cause.claim || pattern.text == cause.text)
            != Answer::Refused
            && ask(&|pattern| pattern.claim != cause.claim) == Answer::Refused
    });
    let why = match cause {
        Some(Pattern { claim, text, wide }) if *claim == "sub" => {
            format!("subject `{text}` {}", wide.why)
        }
        Some(Pattern { claim, text, wide }) => {
            format!("`{}` `{text}` {}", spelled(url, claim), wide.why)
        }
        None => unpinned(url, issuer),
    };
    let outsiders = match issuer.customers {
        Customers::All => ask(&|pattern| pattern.wide.outsiders),
        Customers::One => Answer::Refused,
    };
    Some(Open {
        url: url.to_owned(),
        why,
        outsiders,
    })
}

fn spelled(url: &str, claim: &str) -> String {
    if claim.starts_with("sts:") {
        claim.to_owned()
    } else {
        format!("{url}:{claim}")
    }
}

fn unpinned(url: &str, issuer: &Issuer) -> String {
    let key = spelled(url, issuer.tenancy);
    match (issuer.customers, issuer.tenancy) {
        (Customers::One, _) | (Customers::All, "sub") => {
            format!("`{key}` is not restricted, so every identity of the provider can assume it")
        }
        (Customers::All, _)
            if ["Google", "Amazon Cognito", "Login with Amazon", "Facebook"]
                .contains(&issuer.name) =>
        {
            format!("`{key}` is not restricted, so users of any application can assume it")
        }
        (Customers::All, _) => {
            format!(
                "`{key}` is not restricted, so identities of every customer of {} can assume it",
                issuer.name
            )
        }
    }
}

/// A value that a trust policy asks for of a claim that says who someone is, and whom it lets in besides.
struct Pattern<'a> {
    claim: &'static str,
    text: &'a str,
    wide: Wide,
}

/// The values asked for that are too wide.
fn wide_patterns<'a>(trust: &'a PolicyDocument, url: &str, issuer: &Issuer) -> Vec<Pattern<'a>> {
    let mut patterns = Vec::new();
    // The subject first: it is what people write.
    let mut claims: Vec<&'static str> = issuer.identities().collect();
    claims.sort_by_key(|claim| *claim != "sub");
    for claim in claims {
        let key = issuer::key(url, claim);
        let texts: BTreeSet<&String> = conditions(&key, &[trust])
            .flat_map(|(_, values)| values)
            .collect();
        patterns.extend(texts.into_iter().filter_map(|text| {
            let wide = if claim == "sub" {
                issuer.wide(text)
            } else {
                wide_claim(claim, text)
            };
            Some(Pattern {
                claim,
                text,
                wide: wide?,
            })
        }));
    }
    patterns
}

/// Whom a pattern of a claim other than the subject lets in.
fn wide_claim(claim: &str, text: &str) -> Option<Wide> {
    let fixed = issuer::fixed(text);
    let wide = |outsiders, why| Some(Wide { outsiders, why });
    match (claim, fixed.matches('/').count()) {
        _ if fixed.len() == text.len() => None,
        ("repository", 1..) | ("job_workflow_ref", 1) => {
            wide(false, "matches other repositories of the organization")
        }
        ("job_workflow_ref", 2..) => None,
        _ => wide(true, "matches other identities"),
    }
}

/// Whoever has a token of the issuer and is not meant: what says who someone is has another value, or one that a
/// pattern lets in.
fn someone_else(
    trust: &PolicyDocument,
    provider: &str,
    url: &str,
    admitted: &dyn Fn(&Pattern<'_>) -> bool,
) -> Entrant {
    let issuer = issuer::issuer(url);
    let patterns = wide_patterns(trust, url, issuer);
    claiming(trust, provider, url, |claim, sent| {
        match (issuer.says(claim), sent) {
            (Says::Who, sent) => {
                let let_in = patterns
                    .iter()
                    .filter(|pattern| {
                        pattern.claim.eq_ignore_ascii_case(claim) && admitted(pattern)
                    })
                    .map(|pattern| pattern.text.replace(['*', '?'], "x"));
                let values = std::iter::once(OTHER.to_owned()).chain(let_in).collect();
                match sent {
                    Sent::Always => Key::OneOf(values),
                    Sent::Sometimes => Key::OneOfOrAbsent(values),
                }
            }
            (Says::What, Sent::Always) => Key::Chosen,
            (Says::What, Sent::Sometimes) => Key::ChosenOrAbsent,
        }
    })
}

/// Where people sign in to AWS by SAML, by partition.
///
/// Source: AWS General Reference, "AWS Sign-In endpoints".
const SIGN_IN: &[(&str, &str)] = &[
    ("aws", "signin.aws.amazon.com"),
    ("aws-cn", "signin.amazonaws.cn"),
    ("aws-us-gov", "signin.amazonaws-us-gov.com"),
];

/// Whether an audience is that of another partition's sign-in, which no assertion here can have.
pub fn is_foreign_audience(partition: &Partition, audience: &str) -> bool {
    let host = audience
        .trim_start_matches("https://")
        .split('/')
        .next()
        .unwrap_or_default();
    let is_at = |sign_in: &str| {
        host.strip_suffix(sign_in)
            .is_some_and(|region| region.is_empty() || region.ends_with('.'))
    };
    SIGN_IN
        .iter()
        .any(|(other, sign_in)| *other != partition.0 && is_at(sign_in))
        && !SIGN_IN
            .iter()
            .any(|(own, sign_in)| *own == partition.0 && is_at(sign_in))
}

/// A holder of an assertion. The audience is where it was presented: the sign-in of the provider's partition.
fn asserted(trust: &PolicyDocument, provider: &str) -> Entrant {
    let partition = partition_of(provider);
    let entrant = Entrant::new(Kind::Saml, provider);
    let asked: Vec<String> = conditions("saml:aud", &[trust])
        .flat_map(|(_, values)| values)
        .cloned()
        .collect();
    let sign_in = SIGN_IN
        .iter()
        .find(|(own, _)| *own == partition.0)
        .map(|(_, host)| format!("https://{host}/saml"));
    if asked.iter().any(|value| value.contains("${")) || sign_in.is_none() {
        return entrant;
    }
    let possible = asked
        .into_iter()
        .map(|value| value.replace(['*', '?'], "x"))
        .filter(|value| !is_foreign_audience(&partition, value));
    entrant.with(
        "saml:aud",
        Key::OneOf(sign_in.into_iter().chain(possible).collect()),
    )
}
