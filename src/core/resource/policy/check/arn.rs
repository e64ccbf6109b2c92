//! ARNs as the resources of an identity policy name them.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Resource" and "Identify AWS resources with Amazon Resource Names
//! (ARNs)"; what `CreatePolicy` answers to each malformed ARN.

use super::{Refusal, placeholder};
use crate::resource::policy::pattern::segments;

/// What an ARN of IAM may begin with after its account, as `CreatePolicy` lists it.
const IAM_KINDS: &[&str] = &[
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// Resources of Amazon S3 that lie in a region; buckets and objects do not.
///
/// Source: Service Authorization Reference, "Resource types defined by Amazon S3".
const S3_REGIONAL: &[&str] = &[
    "accesspoint/",
    "access-grants/",
    "async-request/",
    "job/",
    "storage-lens/",
    "storage-lens-group/",
];

/// `*`, or an ARN whose last fields may be left off: AWS completes them with `*`.
pub(in crate::resource::policy) fn resource(text: &str) -> Option<Refusal> {
    if text == "*" || placeholder(text).is_some() {
        return None;
    }
    let (message, hint) = broken(text)?;
    Some((message, Some(hint)))
}

fn broken(text: &str) -> Option<(String, String)> {
    if text.contains(char::is_control) {
        let message = format!(
            "resource `{}` has a line break or tab in it",
            text.escape_debug()
        );
        return Some((message, "write the ARN on one line".to_owned()));
    }
    let parts = segments(text);
    let &["arn", partition, service, ref rest @ ..] = parts.as_slice() else {
        let hint = "write `*` or an ARN, such as `arn:aws:s3:::bucket/*`";
        return Some((format!("`{text}` is not a resource"), hint.to_owned()));
    };
    if partition != "*" && !is_partition(partition) {
        let message = format!("`{partition}` is not a partition in resource `{text}`");
        return Some((
            message,
            "write `arn:{{ partition }}:…`, or `*` for any".to_owned(),
        ));
    }
    if let Some(found) = wrong_service(service, text) {
        return Some(found);
    }
    if rest.len() < 3 && text.contains("::") {
        let message = format!("resource `{text}` is an ARN without an end");
        let hint = "write all six parts, or leave all off that follow the last one that counts";
        return Some((message, hint.to_owned()));
    }
    let region = rest.first().copied().unwrap_or_default();
    let resource = rest.get(2).copied()?;
    let named = !region.is_empty() && !is_open(region);
    match service {
        "iam" if named => Some(regional("IAM", region, text)),
        "s3" if named && !is_regional(resource) => {
            Some(regional("a bucket of Amazon S3", region, text))
        }
        "iam" if !is_iam(resource) => {
            let message = format!("`{resource}` is not a resource of IAM in `{text}`");
            Some((
                message,
                format!("write `*`, or begin with one of {}", IAM_KINDS.join(", ")),
            ))
        }
        _ => None,
    }
}

fn wrong_service(service: &str, text: &str) -> Option<(String, String)> {
    if service.is_empty() {
        let hint = "write `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`; only region and account may be empty";
        return Some((
            format!("resource `{text}` names no service"),
            hint.to_owned(),
        ));
    }
    let message = format!("`{service}` is not a service in resource `{text}`");
    if is_open(service) {
        return Some((
            message,
            "the service of a resource must be written out".to_owned(),
        ));
    }
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if service.chars().all(is_plain) {
        return None;
    }
    let lower = service.to_ascii_lowercase();
    let hint = if lower != service && lower.chars().all(is_plain) {
        format!("write `{lower}`: ARNs are case-sensitive")
    } else {
        "a service is named by lower-case letters, digits and `-`".to_owned()
    };
    Some((message, hint))
}

fn regional(what: &str, region: &str, text: &str) -> (String, String) {
    let message = format!("{what} has no region, and resource `{text}` names `{region}`");
    (message, "leave the region empty".to_owned())
}

/// Whether a wildcard or a variable may make something else of a part.
fn is_open(part: &str) -> bool {
    part.contains(['*', '?']) || part.contains("${")
}

fn is_regional(resource: &str) -> bool {
    resource.starts_with(['*', '?', '$'])
        || S3_REGIONAL.iter().any(|kind| resource.starts_with(kind))
}

fn is_iam(resource: &str) -> bool {
    resource == "*" || IAM_KINDS.iter().any(|kind| resource.starts_with(kind))
}

/// Whether AWS may have a partition of this name: `aws`, `aws-cn`, `aws-us-gov`.
pub(in crate::resource::policy) fn is_partition(text: &str) -> bool {
    text == "aws"
        || text.strip_prefix("aws-").is_some_and(|rest| {
            !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        })
}
