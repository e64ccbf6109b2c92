//! Which services AWS has, as far as that is known here.
//!
//! AWS publishes no list of service principals. What is known are the names by which its SDK calls services, and names
//! that its guides use in trust policies; a name with one of them as a part of its host is taken for a service.

/// Names of services, in lower case.
///
/// Source: botocore's service models (endpoint prefixes and signing names); the guides of the services.
const NAMES: &str = include_str!("services.txt");

/// Whether a service principal has the name of a known service in it: `ecs.application-autoscaling.amazonaws.com`.
pub fn is_known(principal: &str) -> bool {
    principal
        .split('.')
        .any(|part| NAMES.split_ascii_whitespace().any(|name| name == part))
}

/// The service principal that `principal` is probably a slip of.
pub fn nearest(principal: &str) -> Option<String> {
    let (first, rest) = principal.split_once('.')?;
    let meant = super::operator::nearest(first, NAMES.split_ascii_whitespace())?;
    Some(format!("{meant}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_in_every_form_of_their_name() {
        for service in [
            "ec2.amazonaws.com",
            "ec2.amazonaws.com.cn",
            "pods.eks.amazonaws.com",
            "ecs-tasks.amazonaws.com",
            "edgelambda.amazonaws.com",
            "rolesanywhere.amazonaws.com",
            "logs.eu-central-1.amazonaws.com",
            "ecs.application-autoscaling.amazonaws.com",
            "member.org.stacksets.cloudformation.amazonaws.com",
            "vpc-flow-logs.amazonaws.com",
            "states.us-gov-west-1.amazonaws.com",
            "delivery.logs.amazonaws.com",
            "spotfleet.amazonaws.com",
            "vmie.amazonaws.com",
        ] {
            assert!(is_known(service), "{service}");
        }
        assert!(!is_known("nosuch.amazonaws.com") && !is_known("ec3.amazonaws.com"));
        assert_eq!(
            nearest("lamda.amazonaws.com").as_deref(),
            Some("lambda.amazonaws.com")
        );
    }
}
