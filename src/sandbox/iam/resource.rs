//! The resources of identity policies: what `CreatePolicy` and `Put…Policy` answer to an ARN that is none.
//!
//! Sources: the sentences are IAM's own, as other projects recorded them; IAM User Guide, "IAM JSON policy elements:
//! Resource".

use super::super::wire::ApiError;
use super::rules::malformed;

/// What the resource part of an ARN of IAM begins with.
const KINDS: &str = "user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, \
                     sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/";

/// What lies in a region in Amazon S3.
const S3_REGIONAL: [&str; 6] = [
    "accesspoint/",
    "access-grants/",
    "async-request/",
    "job/",
    "storage-lens/",
    "storage-lens-group/",
];

/// Checks one resource of a policy in `partition`.
pub(super) fn check(resource: &str, partition: &str) -> Result<(), ApiError> {
    if resource == "*" {
        return Ok(());
    }
    let Some(rest) = resource.strip_prefix("arn:") else {
        return Err(malformed(format!(
            "Resource {resource} must be in ARN format or \"*\"."
        )));
    };
    let fields: Vec<&str> = rest.splitn(5, ':').collect();
    let field = |index: usize| fields.get(index).copied();
    let its_partition = field(0).unwrap_or_default();
    if its_partition != "*" && its_partition != partition {
        let [service, region, account, id] = [1, 2, 3, 4].map(|index| field(index).unwrap_or("*"));
        return Err(malformed(format!(
            "Partition \"{its_partition}\" is not valid for resource \"arn:{its_partition}:{service}:{region}:{account}:{id}\"."
        )));
    }
    let service = field(1).unwrap_or_default();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if service.is_empty() || !service.chars().all(plain) {
        return Err(malformed(
            "Resource vendor must be fully qualified and cannot contain regexes.",
        ));
    }
    if fields.len() < 5 && resource.contains("::") {
        return Err(malformed("The policy failed legacy parsing"));
    }
    let (region, id) = (field(2).unwrap_or_default(), field(4).unwrap_or("*"));
    let in_region = !region.is_empty() && !region.contains(['*', '?', '$']);
    match service {
        "iam" if in_region => Err(malformed(format!(
            "IAM resource {resource} cannot contain region information."
        ))),
        "iam" if id != "*" && !KINDS.split(", ").any(|kind| id.starts_with(kind)) => {
            Err(malformed(format!(
                "IAM resource path must either be \"*\" or start with {KINDS}."
            )))
        }
        "s3" if in_region
            && !id.starts_with(['*', '?', '$'])
            && !S3_REGIONAL.iter().any(|kind| id.starts_with(kind)) =>
        {
            Err(malformed(format!(
                "Resource {resource} can not contain region information."
            )))
        }
        _ => Ok(()),
    }
}
