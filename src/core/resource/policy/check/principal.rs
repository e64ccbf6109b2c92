//! Who a trust policy may name, and by what action each of them comes in.
//!
//! Source: IAM User Guide, "AWS JSON policy elements: Principal" and "IAM and AWS STS condition context keys"; IAM Access
//! Analyzer policy check reference, "Mismatched action for principal".

use std::collections::BTreeSet;

use super::arn::is_partition;
use super::{Refusal, placeholder};
use crate::org::AccountId;
use crate::resource::name::RoleName;
use crate::resource::policy::pattern::{self, Variables, segments};
use crate::resource::policy::principal::{Federation, federation, is_unique_id};
use crate::resource::policy::{Patterns, Principals};

/// What the host names of services end in, by partition.
///
/// Source: botocore, `partitions.json`; `aws.internal` is of services that only AWS calls.
const SERVICE_SUFFIXES: &[&str] = &[
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
    ".aws.internal",
];

/// A principal of `kind` by its own shape; unknown kinds are the caller's to report.
pub(in crate::resource::policy) fn principal(kind: &str, text: &str) -> Option<Refusal> {
    if placeholder(text).is_some() || (kind == "AWS" && text == "*") {
        return None;
    }
    if text.contains(['*', '?']) {
        let hint = "name principals in full; to match several, take their account's root and a condition `ArnLike` \
                    on `aws:PrincipalArn`";
        let message = format!("the principal `{text}` has a wildcard, which IAM refuses");
        return Some((message, Some(hint.to_owned())));
    }
    let (what, hint) = match kind {
        "AWS" => ("an AWS principal", aws(text)?),
        "Service" => ("a service principal", service(text)?),
        "Federated" => ("a federated principal", federated(text)?),
        _ => return None,
    };
    Some((format!("`{text}` is not {what}"), Some(hint)))
}

/// How to write what is not an AWS principal.
fn aws(text: &str) -> Option<String> {
    if AccountId::parse(text).is_ok() || is_unique_id(text) {
        return None;
    }
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        return Some(format!(
            "an account id has 12 digits, this one has {}",
            text.len()
        ));
    }
    if SERVICE_SUFFIXES.iter().any(|suffix| text.ends_with(suffix)) && !text.starts_with("arn:") {
        return Some("a service belongs under `Service`".to_owned());
    }
    let &["arn", partition, service, region, account, name] = segments(text).as_slice() else {
        return Some(
            "write the ARN of a role or user, 12 digits of an account id, or `*`".to_owned(),
        );
    };
    if !["iam", "sts"].contains(&service) {
        return Some(
            "write the ARN of a role, user, session or root: `arn:PARTITION:iam::ACCOUNT:…`"
                .to_owned(),
        );
    }
    if !is_partition(partition) {
        return Some(format!(
            "`{partition}` is not a partition; write `arn:{{{{ partition }}}}:…`"
        ));
    }
    if !region.is_empty() {
        return Some(format!("IAM and STS have no region: leave out `{region}`"));
    }
    if AccountId::parse(account).is_err() {
        return Some(format!(
            "`{account}` is not an account id, which has 12 digits"
        ));
    }
    let (kind, rest) = name.split_once('/').unwrap_or((name, ""));
    match (service, kind) {
        ("iam", "root") if name == "root" => None,
        ("iam", "role" | "user") => is_path_and_name(rest).then_some(()).map_or_else(
            || Some(format!("`{rest}` is not the path and name of a {kind}")),
            |()| None,
        ),
        ("sts", "assumed-role") => match rest.split_once('/') {
            Some((role, session)) if is_name(role) && is_name(session) => None,
            _ => {
                Some("a session is `assumed-role/ROLE/SESSION`, without the role's path".to_owned())
            }
        },
        ("sts", "federated-user") => {
            (!is_name(rest)).then(|| "write `federated-user/NAME`".to_owned())
        }
        ("iam", "assumed-role" | "federated-user") => Some(format!(
            "write `arn:{partition}:sts::{account}:{name}`: sessions are of STS"
        )),
        ("sts", "role" | "user" | "root") => Some(format!(
            "write `arn:{partition}:iam::{account}:{name}`: that is of IAM"
        )),
        ("iam", "group") => {
            Some("a group cannot be a principal; name its users, or the account".to_owned())
        }
        ("iam", "oidc-provider" | "saml-provider") => {
            Some("a provider belongs under `Federated`".to_owned())
        }
        _ => Some("write the ARN of a role, user, session or root".to_owned()),
    }
}

/// A name of a role, user or session: they share their characters and their length.
fn is_name(text: &str) -> bool {
    RoleName::parse(text).is_ok()
}

fn is_path_and_name(text: &str) -> bool {
    let (path, name) = text.rsplit_once('/').unwrap_or(("", text));
    let is_path = path.is_empty() && !text.starts_with('/')
        || path
            .split('/')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic()));
    is_path && is_name(name)
}

/// How to write what is not a service principal.
fn service(text: &str) -> Option<String> {
    let example = || "write the service's name, such as `ec2.amazonaws.com`".to_owned();
    if !text.contains('.') || text.contains([':', '/']) {
        return Some(example());
    }
    let lower = text.to_ascii_lowercase();
    if lower != text {
        return Some(format!("write `{lower}`: services are named in lower case"));
    }
    if text
        .chars()
        .any(|c| !(c.is_ascii_alphanumeric() || "-._".contains(c)))
        || text.split('.').any(str::is_empty)
    {
        return Some(example());
    }
    if SERVICE_SUFFIXES.iter().any(|suffix| text.ends_with(suffix)) {
        return None;
    }
    let first = text.split('.').next().unwrap_or_default();
    Some(format!(
        "a service's name ends in `.amazonaws.com`; did you mean `{first}.amazonaws.com`?"
    ))
}

/// How to write what is not a federated principal.
fn federated(text: &str) -> Option<String> {
    if federation(text).is_some() {
        return None;
    }
    let plain = text
        .split_once("://")
        .map(|(_, host)| host.trim_end_matches('/'));
    if let Some(host) = plain {
        let host = host.rsplit_once("://").map_or(host, |(_, host)| host);
        return Some(format!(
            "leave out the scheme: `arn:{{{{ partition }}}}:iam::{{{{ account.id }}}}:oidc-provider/{host}`"
        ));
    }
    let hint = match segments(text).as_slice() {
        ["arn", partition, "iam", "", account, _] if is_partition(partition) => {
            if AccountId::parse(account).is_err() {
                format!("`{account}` is not an account id, which has 12 digits")
            } else {
                "an identity provider is `oidc-provider/HOST` or `saml-provider/NAME`".to_owned()
            }
        }
        ["arn", partition, "iam", "", ..] if !is_partition(partition) => {
            format!("`{partition}` is not a partition; write `arn:{{{{ partition }}}}:…`")
        }
        _ => "write the ARN of an OIDC or SAML provider of the role's account: \
              `arn:{{ partition }}:iam::{{ account.id }}:oidc-provider/HOST`"
            .to_owned(),
    };
    Some(hint)
}

/// The three ways into a role.
const WAYS: [&str; 3] = [
    "sts:assumerole",
    "sts:assumerolewithwebidentity",
    "sts:assumerolewithsaml",
];

/// What is wrong with an Allow that names principals which none of its actions lets in.
///
/// Actions that go along with each way, such as `sts:TagSession`, fit everybody.
pub(in crate::resource::policy) fn unfit(
    principals: &Principals,
    actions: &Patterns,
) -> Option<Refusal> {
    if principals.negated || actions.negated {
        return None;
    }
    let patterns: Vec<_> = actions
        .patterns
        .iter()
        .map(|text| pattern::tokens(text, Variables::Literal))
        .collect();
    let allowed: BTreeSet<&str> = WAYS
        .into_iter()
        .filter(|way| {
            patterns
                .iter()
                .any(|pattern| pattern::matches(pattern, way))
        })
        .collect();
    if allowed.is_empty() {
        return None;
    }
    let named = principals
        .kinds
        .iter()
        .flat_map(|(kind, names)| names.iter().map(move |name| (kind.as_str(), name.as_str())));
    let unfit = |(kind, name): (&str, &str)| {
        let (way, written) = way_of(kind, name)?;
        (!allowed.contains(way)).then(|| {
            let message =
                format!("no action of the statement lets `{name}` in: it comes by `{written}`");
            (
                message,
                Some(format!(
                    "allow `{written}`, in a statement of its own where others differ"
                )),
            )
        })
    };
    let mut named = named;
    named.find_map(unfit)
}

/// By what action a principal assumes a role; `None` where it may be any.
fn way_of(kind: &str, name: &str) -> Option<(&'static str, &'static str)> {
    let [plain, web, saml] = WAYS;
    match (kind, name) {
        ("AWS", "*") => None,
        ("Federated", provider) => Some(match federation(provider)? {
            Federation::Oidc => (web, "sts:AssumeRoleWithWebIdentity"),
            Federation::Saml => (saml, "sts:AssumeRoleWithSAML"),
        }),
        _ => Some((plain, "sts:AssumeRole")),
    }
}
