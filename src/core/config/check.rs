//! IAM's rules for names, texts and numbers, one small function each.
//!
//! Sources: IAM API reference (the patterns of each parameter); IAM User Guide, IAM and AWS STS quotas, and Tagging IAM
//! resources; STS API, `AssumeRole`.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Span};
use semver::{Version, VersionReq};

use super::place::Place;
use super::problem::{Problem, Problems};
use super::tree::{Key, Node, Table, Value};
use crate::org::Partition;
use crate::resource::name::{IamPath, InvalidName, PolicyArn, PolicyName, shown};
use crate::resource::role::PolicyRef;
use crate::resource::{OWNER_TAG, Tags};

/// Characters of a managed policy; fixed.
pub const MANAGED_POLICY_SIZE: usize = 6144;

/// Characters of all inline policies of one role together; fixed.
pub const INLINE_POLICIES_SIZE: usize = 10240;

const MAX_TAGS: usize = 50;

/// Access policies of Amazon EKS, which look like managed policies and are none.
///
/// Source: Amazon EKS User Guide, Review access policy permissions.
const EKS_ACCESS_POLICIES: [&str; 6] = [
    "AmazonEKSAdminPolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSViewPolicy",
    "AmazonEKSSecretReaderPolicy",
];

/// The value, or a problem at `place`.
pub fn name<T>(
    parsed: Result<T, InvalidName>,
    place: &Place,
    problems: &mut Problems,
) -> Option<T> {
    match parsed {
        Ok(value) => Some(value),
        Err(error) => {
            problems.push(Problem::error("value", place, error.to_string()));
            None
        }
    }
}

/// A directory's `name`, which is the owner's mark.
pub fn directory_name(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.as_str()?;
    if !is_directory_name(text) {
        let message = format!("`{text}` is not a valid directory name");
        problems.push(
            Problem::error("value", &node.place, message).hint("use 1 to 64 of a-z, 0-9 and `-`"),
        );
        return None;
    }
    Some(text.to_owned())
}

/// Whether a directory can be called so.
pub fn is_directory_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 64 && text.chars().all(allowed)
}

/// Whether this version of rolecall may read a directory, by its `required_version`.
///
/// # Errors
/// Says which version is required. A requirement that cannot be read is among `problems`, and requires nothing.
pub fn required_version(
    required: Option<&(Key, Node)>,
    problems: &mut Problems,
) -> Result<(), Box<Problem>> {
    let Some((_, node)) = required else {
        return Ok(());
    };
    let written = match &node.value {
        Value::Template(_) => Err("it cannot contain an expression".to_owned()),
        _ => Ok(node.as_str().unwrap_or_default()),
    };
    let requirement = written.and_then(|text| {
        let read = VersionReq::parse(text).map_err(|error| error.to_string())?;
        Ok((text, read))
    });
    let (text, requirement) = match requirement {
        Ok(requirement) => requirement,
        Err(why) => {
            let message = format!("this is not a version requirement: {why}");
            let hint = "write it as Cargo does: \">=0.2, <1\"";
            problems.push(Problem::error("value", &node.place, message).hint(hint));
            return Ok(());
        }
    };
    let own = env!("CARGO_PKG_VERSION");
    if Version::parse(own).is_ok_and(|own| requirement.matches(&own)) {
        return Ok(());
    }
    let message = format!("this directory requires rolecall `{text}`, and this is rolecall {own}");
    let hint = "install a version that it allows, or change `required_version`";
    Err(Box::new(
        Problem::error("required-version", &node.place, message).hint(hint),
    ))
}

/// An organization's id.
///
/// Source: Organizations API, `Organization.Id`.
pub fn organization_id(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.as_str()?;
    let is_id = text.strip_prefix("o-").is_some_and(|rest| {
        (10..=32).contains(&rest.len())
            && rest
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    });
    if !is_id {
        let message = format!("`{text}` is not an organization id");
        let hint = "an organization id is `o-` and 10 to 32 lower-case letters or digits";
        problems.push(Problem::error("value", &node.place, message).hint(hint));
    }
    Some(text.to_owned())
}

/// A path.
pub fn path(table: &Table, problems: &mut Problems) -> Option<IamPath> {
    let node = table.get("path")?;
    name(IamPath::parse(node.as_str()?), &node.place, problems)
}

/// The path of a managed policy, which may hold less than that of a role.
pub fn policy_path(table: &Table, problems: &mut Problems) -> Option<IamPath> {
    let node = table.get("path")?;
    name(
        IamPath::parse_of_policy(node.as_str()?),
        &node.place,
        problems,
    )
}

/// A description: at most 1000 characters of those IAM allows.
pub fn description(table: &Table, problems: &mut Problems) -> Option<String> {
    let node = table.get("description")?;
    let text = node.as_str()?;
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        let message = format!(
            "the description contains `{bad}` (U+{:04X}), which IAM refuses",
            u32::from(bad)
        );
        let hint = "use Latin-1 characters only, with plain quotes and hyphens instead of typographic ones";
        problems.push(Problem::error("value", &node.place, message).hint(hint));
    }
    let length = text.chars().count();
    if length > 1000 {
        let message = format!("the description has {length} characters, 1000 are allowed");
        problems.push(Problem::error("value", &node.place, message));
    }
    Some(text.to_owned())
}

/// A role's maximum session duration, in seconds.
pub fn max_session_duration(table: &Table, problems: &mut Problems) -> Option<u32> {
    let node = table.get("max_session_duration")?;
    let seconds = duration(node, "max_session_duration", problems)?.as_secs();
    let refuse = |bound: &str| {
        let message = format!("max_session_duration is {seconds} seconds, {bound}");
        Problem::error("value", &node.place, message)
            .hint("write \"1h\" to \"12h\", or 3600 to 43200 seconds")
    };
    if seconds < 3600 {
        problems.push(refuse("it must be at least 3600 (1 hour)"));
    } else if seconds > 43200 {
        problems.push(refuse("it must be at most 43200 (12 hours)"));
    }
    u32::try_from(seconds).ok()
}

/// A day: TOML's date, or a text such as `2027-06-30`.
pub fn date(table: &Table, key: &str, problems: &mut Problems) -> Option<Date> {
    let node = table.get(key)?;
    let date = match &node.value {
        Value::Datetime(text) | Value::String(text) => text
            .parse()
            .ok()
            .filter(|_| text.len() == "2027-06-30".len()),
        _ => None,
    };
    if date.is_none() {
        let problem = Problem::error("value", &node.place, format!("`{key}` is not a date"));
        problems.push(problem.hint(format!("{key} = 2027-06-30")));
    }
    date
}

/// An external id: 2 to 1224 of the characters STS allows.
pub fn external_id(text: &str, place: &Place, problems: &mut Problems) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    let length = text.chars().count();
    if !(2..=1224).contains(&length) {
        let message = format!("an external id has 2 to 1224 characters, this one has {length}");
        problems.push(Problem::error("value", place, message));
    }
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        let bad = shown(bad);
        let message = format!(
            "an external id cannot contain {bad}: letters, digits and _+=,.@:/- are allowed"
        );
        problems.push(Problem::error("value", place, message));
    }
}

/// A session name.
pub fn session_name(text: &str, place: &Place, problems: &mut Problems) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    let length = text.chars().count();
    if !(2..=64).contains(&length) || !text.chars().all(allowed) {
        let message = format!("`{text}` is not a valid session name");
        let hint = format!("2 to 64 letters, digits and _+=,.@-; this one has {length} characters");
        problems.push(Problem::error("value", place, message).hint(hint));
    }
}

/// Whether keys that differ in case only are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyCase {
    /// They are: tags of roles.
    Folded,
    /// They are two: tags of managed policies.
    Exact,
}

/// The tags of a resource.
pub fn tags(table: &Table, case: KeyCase, problems: &mut Problems) -> Option<Tags> {
    let node = table.get("tags")?;
    let written = node.as_table()?;
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut tags = Tags::new();
    for (key, value) in &written.entries {
        check_tag_key(&key.text, &key.place, problems);
        let folded = if case == KeyCase::Folded {
            key.text.to_lowercase()
        } else {
            key.text.clone()
        };
        if let Some(first) = seen.insert(folded, &key.text) {
            let message = format!(
                "the tag keys `{first}` and `{}` differ only in case, and IAM treats them as the same key",
                key.text
            );
            problems.push(Problem::error("duplicate", &key.place, message));
        }
        if let Some(text) = value.as_str() {
            check_tag_text("value", text, 256, &value.place, problems);
            tags.insert(key.text.clone(), text.to_owned());
        }
    }
    if tags.len() >= MAX_TAGS {
        let message = format!(
            "{} tags: {} are allowed besides the ownership tag",
            tags.len(),
            MAX_TAGS - 1
        );
        problems.push(Problem::error("quota", &node.place, message));
    }
    Some(tags)
}

fn check_tag_key(key: &str, place: &Place, problems: &mut Problems) {
    if key.eq_ignore_ascii_case(OWNER_TAG) {
        let problem = Problem::error(
            "value",
            place,
            format!("the tag `{OWNER_TAG}` cannot be set here"),
        );
        problems.push(problem.hint("it is set from the `name` of the directory"));
    }
    if key.is_empty() {
        problems.push(Problem::error("value", place, "a tag key cannot be empty"));
    }
    check_tag_text("key", key, 128, place, problems);
}

fn check_tag_text(what: &str, text: &str, longest: usize, place: &Place, problems: &mut Problems) {
    // IAM's own class is \p{L}\p{Z}\p{N}_.:/=+-@: letters, separators and digits of any script.
    let allowed = |c: char| {
        c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
    };
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        let message = format!("the tag {what} `{text}` contains {}", shown(bad));
        problems.push(
            Problem::error("value", place, message)
                .hint("letters, digits, spaces and _.:/=+-@ are allowed"),
        );
    }
    let length = text.chars().count();
    if length > longest {
        let message = format!("the tag {what} has {length} characters, {longest} are allowed");
        problems.push(Problem::error("value", place, message));
    }
    if text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
    {
        let message = format!("the tag {what} `{text}` begins with `aws:`, which belongs to AWS");
        problems.push(Problem::error("value", place, message));
    }
}

/// A reference to a managed policy: `aws:NAME`, `local:NAME`, or an ARN. Without AWS the partition is not known.
pub fn policy_reference(
    node: &Node,
    partition: Option<&Partition>,
    problems: &mut Problems,
) -> Option<PolicyRef> {
    let text = node.as_str()?;
    let place = &node.place;
    let reference = if let Some(local) = text.strip_prefix("local:") {
        PolicyRef::Local(name(PolicyName::parse(local), place, problems)?)
    } else if let Some(managed) = text.strip_prefix("aws:") {
        PolicyRef::Arn(name(
            PolicyArn::aws_managed(&partition.cloned().unwrap_or_default(), managed),
            place,
            problems,
        )?)
    } else if text.starts_with("arn:") && !text.contains(":eks::") {
        PolicyRef::Arn(name(PolicyArn::parse(text), place, problems)?)
    } else {
        let message = format!("`{text}` is not a reference to a managed policy");
        let hint = format!(
            "write aws:{text} for AWS's policy, local:{text} for a policy of the account, or an ARN"
        );
        let problem = Problem::error("value", place, message);
        problems.push(match eks_access_policy(text) {
            Some(problem_text) => Problem::error("value", place, problem_text),
            None if text.is_empty() => problem.hint("aws:NAME, local:NAME or an ARN"),
            None => problem.hint(hint),
        });
        return None;
    };
    if let PolicyRef::Arn(arn) = &reference {
        check_attachable(arn, place, problems);
        check_arn(arn, text, partition, place, problems);
    }
    Some(reference)
}

/// AWS keeps these policies for roles that services make for themselves.
///
/// Source: IAM API, `AttachRolePolicy`, `PolicyNotAttachable`.
fn check_attachable(arn: &PolicyArn, place: &Place, problems: &mut Problems) {
    if arn.is_for_service_linked_roles() {
        let message = format!(
            "policy `{}` is for service-linked roles alone: it can be neither attached nor a boundary",
            arn.name()
        );
        let hint = "a service-linked role is made by its service; give this role a policy without `aws-service-role/`";
        problems.push(Problem::error("value", place, message).hint(hint));
    }
}

fn check_arn(
    arn: &PolicyArn,
    text: &str,
    partition: Option<&Partition>,
    place: &Place,
    problems: &mut Problems,
) {
    if let Some(message) = arn
        .is_aws_managed()
        .then(|| eks_access_policy(arn.name()))
        .flatten()
    {
        problems.push(
            Problem::error("value", place, message)
                .hint("associate it with an access entry of the cluster"),
        );
    }
    let written = arn.as_str().split(':').nth(1).unwrap_or_default();
    if let Some(partition) =
        partition.filter(|partition| text.starts_with("arn:") && written != partition.0)
    {
        let message = format!(
            "`{text}` is in partition `{written}`, but this organization is in `{partition}`"
        );
        problems.push(Problem::error("value", place, message).hint("write arn:{{ partition }}:…"));
    }
}

fn eks_access_policy(text: &str) -> Option<String> {
    let name = text.rsplit(['/', ':']).next().unwrap_or_default();
    (EKS_ACCESS_POLICIES.contains(&name) || text.contains(":eks::"))
        .then(|| format!("`{name}` is an EKS access policy, not an IAM policy"))
}

/// Reads a duration: `"1h"`, `"90m"`, or a number of seconds.
pub fn duration(node: &Node, name: &str, problems: &mut Problems) -> Option<SignedDuration> {
    let found = match &node.value {
        Value::String(text) => match text.trim().parse::<i64>() {
            Ok(seconds) => Some(SignedDuration::from_secs(seconds)),
            // A day is 24 hours here: nothing is counted on a calendar.
            Err(_) => text.parse::<Span>().ok().and_then(|span| {
                span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())
                    .ok()
            }),
        },
        _ => node.as_integer().map(SignedDuration::from_secs),
    };
    let found = found.filter(|duration| !duration.is_negative());
    if found.is_none() {
        let message = format!("`{name}` is not a duration");
        let hint = format!("{name} = \"1h\", {name} = \"90m\", or a number of seconds");
        problems.push(Problem::error("value", &node.place, message).hint(hint));
    }
    found
}
