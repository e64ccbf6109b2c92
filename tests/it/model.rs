//! AWS's own model of IAM and STS holds a length, a pattern or an enumeration for each thing that they are asked. What
//! rolecall lets a user write is held to each of them, and so is what the sandbox takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use regex::Regex;
use rolecall::resource::operation::Operation;
use rolecall::sandbox::Sandbox;
use rolecall::sandbox::protocol::Request;
use rolecall::sandbox::world::World;
use serde::Deserialize;

use crate::support::moto::{missing, python};
use crate::support::{Directory, rolecall, run};

/// One rule of the model.
#[derive(Debug, Clone, Deserialize)]
struct Constraint {
    operation: String,
    member: String,
    shape: String,
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    min: Option<usize>,
    max: Option<usize>,
    pattern: Option<String>,
    #[serde(rename = "enum", default)]
    words: Vec<String>,
}

/// The model's rules for every operation of IAM and STS that is ever called. The other services are asked for what they
/// themselves named; nothing of it is written by a user.
fn constraints() -> Option<Vec<Constraint>> {
    let of_service = |operation: &&Operation| {
        let service = operation.action().split(':').next().unwrap_or_default();
        ["iam", "sts"].contains(&service)
    };
    let names = Operation::ALL.iter().filter(of_service).map(|operation| {
        let service = operation.action().split(':').next().unwrap();
        format!("{service}:{}", operation.name())
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/model.py");
    let output = Command::new(python()).arg(script).args(names).output();
    match output {
        Ok(output) if output.status.success() => {
            Some(serde_json::from_slice(&output.stdout).unwrap())
        }
        _ => {
            missing("botocore");
            None
        }
    }
}

/// The pattern as Rust spells it: whole texts, code points in braces, and `\w` of ASCII, as in Java.
fn pattern(text: &str) -> Regex {
    let points = Regex::new(r"\\u([0-9A-Fa-f]{4})").unwrap();
    let text = points
        .replace_all(text, r"\x{$1}")
        .replace("\\w", "0-9A-Za-z_")
        .replace("\\/", "/");
    Regex::new(&format!("^(?:{text})$")).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Letters that a pattern may or may not take.
const LETTERS: &[char] = &[
    'a', 'Z', '0', '_', '+', '=', ',', '.', '@', '-', ':', '/', ' ', '!', '*', '?', '"', '<', '~',
    '\t', '\n', '\u{7f}', '\u{a0}', 'é', 'ÿ', 'Ā', '—', '漢', '🙂',
];

impl Constraint {
    /// A text that the rules take, of about this length.
    fn good(&self, length: usize) -> String {
        let ends: (&str, &str) = match self.shape.as_str() {
            "pathType" | "policyPathType" => ("/", "/"),
            "pathPrefixType" => ("/", ""),
            "arnType" if self.member.ends_with("RoleArn") || self.member.ends_with("SourceArn") => {
                ("arn:aws:iam::333333333331:role/", "")
            }
            "arnType" => ("arn:aws:iam::aws:policy/", ""),
            "policyDocumentType"
            | "sessionPolicyDocumentType"
            | "unrestrictedSessionPolicyDocumentType" => {
                return format!(
                    "{DOCUMENT_BEGIN}{}{DOCUMENT_END}",
                    "x".repeat(length.saturating_sub(DOCUMENT_BEGIN.len() + DOCUMENT_END.len()))
                );
            }
            "policyVersionIdType" => ("v1", ""),
            "serialNumberType" => ("arn:aws:iam::111111111111:mfa/", ""),
            _ => ("", ""),
        };
        let (begin, end) = ends;
        if self.shape.starts_with('p') && self.shape.to_lowercase().contains("path") && length <= 2
        {
            return "/".to_owned();
        }
        format!(
            "{begin}{}{end}",
            "x".repeat(
                length
                    .saturating_sub(begin.len() + end.len())
                    .max(usize::from(begin.is_empty() || begin == "/"))
            )
        )
    }

    /// Texts that break one rule each, with the rule.
    fn bad(&self) -> Vec<(String, String)> {
        let mut bad = Vec::new();
        if self.kind == "integer" {
            bad.extend(
                self.min
                    .filter(|min| *min > 0)
                    .map(|min| ((min - 1).to_string(), format!("at least {min}"))),
            );
            bad.extend(
                self.max
                    .map(|max| ((max + 1).to_string(), format!("at most {max}"))),
            );
            return bad;
        }
        if !self.words.is_empty() {
            bad.push(("Nonsense".to_owned(), "one of the words".to_owned()));
            return bad;
        }
        if let Some(min) = self.min.filter(|min| *min > 0) {
            bad.push(("x".repeat(min - 1), format!("at least {min} characters")));
        }
        if let Some(max) = self.max {
            bad.push((self.good(max + 1), format!("at most {max} characters")));
        }
        if let Some(text) = &self.pattern {
            let regex = pattern(text);
            let sample = self.good(self.min.unwrap_or_default().max(40));
            for letter in LETTERS {
                let mut other = sample.clone();
                // Before the last character: a path must still end in its slash.
                let last = other.pop().unwrap();
                other.push(*letter);
                other.push(last);
                if !regex.is_match(&other) {
                    bad.push((other, format!("no {letter:?}: {text}")));
                }
            }
        }
        bad
    }

    /// Texts that keep every rule, at the edges.
    fn fine(&self) -> Vec<String> {
        if self.kind == "integer" {
            return [self.min, self.max]
                .into_iter()
                .flatten()
                .map(|bound| bound.to_string())
                .collect();
        }
        if !self.words.is_empty() {
            return self.words.clone();
        }
        let mut fine: Vec<String> = [self.min.filter(|min| *min > 0), self.max]
            .into_iter()
            .flatten()
            .map(|length| self.good(length))
            .collect();
        if let Some(text) = &self.pattern {
            let regex = pattern(text);
            let sample = self.good(self.min.unwrap_or_default().max(40));
            for letter in LETTERS {
                let mut other = sample.clone();
                let last = other.pop().unwrap();
                other.push(*letter);
                other.push(last);
                if regex.is_match(&other) {
                    fine.push(other);
                }
            }
        }
        fine
    }
}

/// Whether a list of exemptions has the member, the structure around it (`Structure.*`), or it in this operation.
fn is_exempt(exemptions: &[(&str, &str)], constraint: &Constraint) -> bool {
    let whole = format!("{} {}", constraint.operation, constraint.member);
    exemptions.iter().any(|(member, _)| {
        *member == constraint.member
            || *member == whole
            || member
                .strip_suffix('*')
                .is_some_and(|around| format!("{}.", constraint.member).starts_with(around))
    })
}

const DOCUMENT_BEGIN: &str = r#"{"Version":"2012-10-17","Id":""#;
const DOCUMENT_END: &str = r#"","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;

/// What rolecall never sends, so that nobody can write it wrongly.
const NOT_SENT: &[(&str, &str)] = &[
    ("Marker", "it comes from the answer before"),
    ("MaxItems", "a constant"),
    ("Scope", "a constant"),
    ("PolicyUsageFilter", "not sent"),
    ("OnlyAttached", "not sent"),
    ("PathPrefix", "not sent"),
    ("Filter.member.1", "a constant"),
    ("VersionId", "it comes from `ListPolicyVersions`"),
    ("MaxSigninSessionDuration", "not sent"),
    ("TagKeys.member.1", "only keys that are there are removed"),
    ("TagKeys", "only keys that are there are removed"),
    (
        "InstanceProfileName",
        "it comes from `ListInstanceProfilesForRole`",
    ),
    ("DurationSeconds", "a constant"),
    ("SerialNumber", "not sent"),
    ("TokenCode", "not sent"),
    ("SourceIdentity", "not sent"),
    ("Policy", "not sent"),
    ("PolicyArns.member.1.arn", "not sent"),
    ("ProvidedContexts", "not sent"),
    ("ProvidedContexts.member.1.ProviderArn", "not sent"),
    ("ProvidedContexts.member.1.ContextAssertion", "not sent"),
    ("TransitiveTagKeys", "not sent"),
    ("TransitiveTagKeys.member.1", "not sent"),
    ("RoleArn", "made of an account id and a role's name"),
    ("PolicySourceArn", "the ARN of a role as AWS told it"),
    ("PolicyInputList.member.1", "not sent"),
    ("PermissionsBoundaryPolicyInputList.member.1", "not sent"),
    (
        "ActionNames.member.1",
        "an expectation, which has a stricter form",
    ),
    (
        "ResourceArns.member.1",
        "an expectation, which has a stricter form",
    ),
    ("PolicyExclusionList.*", "not sent"),
    ("MinimumSessionTokenSize", "not sent"),
    ("ResourcePolicy", "not sent"),
    ("ResourceOwner", "not sent"),
    ("CallerArn", "not sent"),
    ("ResourceHandlingOption", "not sent"),
    (
        "ContextEntries.member.1.ContextKeyName",
        "what the simulation is asked is an expectation's context",
    ),
    ("ContextEntries.member.1.ContextKeyType", "a constant"),
    (
        "Tags",
        "the list is counted, see `tags` in the configuration",
    ),
];

/// Where rolecall is stricter than the model on purpose.
const STRICTER: &[(&str, &str)] = &[
    (
        "existingUserNameType",
        "no user is made with more than 64 characters",
    ),
    (
        "policyDescriptionType",
        "the model has no pattern; IAM answers as for a role's description",
    ),
    (
        "pathType",
        "no `//`: IAM's own console cannot show such a path",
    ),
    ("tagKeyType", "`aws:` belongs to AWS"),
    ("tagValueType", "`aws:` belongs to AWS"),
    (
        "policyDocumentType",
        "a document must be one, and quotas are far below the model's length",
    ),
    ("arnType", "it must be the ARN of a policy"),
];

/// A directory in which a user wrote `value` where the shape is used; `None` where no user writes it.
fn written(constraint: &Constraint, value: &str) -> Option<Directory> {
    let quoted = toml::Value::String(value.to_owned()).to_string();
    let trust = "[[role.trust]]\naws = \"111111111111\"\n";
    let role = |rest: &str| {
        format!("name = \"model\"\n[[role]]\nname = \"R\"\ntargets = \"all\"\n{rest}\n{trust}")
    };
    let policy = |rest: &str| {
        format!(
            "name = \"model\"\n[[policy]]\n{rest}\ntargets = \"all\"\n[[policy.statement]]\nactions = [\"s3:*\"]\nresources = [\"*\"]\n"
        )
    };
    let text = match constraint.shape.as_str() {
        "roleNameType" => {
            format!("name = \"model\"\n[[role]]\nname = {quoted}\ntargets = \"all\"\n{trust}")
        }
        "policyNameType" => policy(&format!("name = {quoted}")),
        "existingUserNameType" | "groupNameType" => {
            let key = if constraint.shape == "groupNameType" {
                "group"
            } else {
                "user"
            };
            role("")
                + &format!(
                    "[[grant]]\nrole = \"R\"\nin = {{ account = \"222222222222\" }}\nto = [{{ account = \"111111111111\", {key} = {quoted} }}]\n"
                )
        }
        "pathType" => role(&format!("path = {quoted}")),
        "policyPathType" => policy(&format!("name = \"P\"\npath = {quoted}")),
        "arnType" => role(&format!("managed_policies = [{quoted}]")),
        "roleDescriptionType" => role(&format!("description = {quoted}")),
        "policyDescriptionType" => policy(&format!("name = \"P\"\ndescription = {quoted}")),
        "roleMaxSessionDurationType" => role(&format!("max_session_duration = {value}")),
        "tagKeyType" => role(&format!("tags = {{ {quoted} = \"x\" }}")),
        "tagValueType" => role(&format!("tags = {{ k = {quoted} }}")),
        "externalIdType" => format!(
            "name = \"model\"\n[[role]]\nname = \"R\"\ntargets = \"all\"\n{trust}external_id = {quoted}\n"
        ),
        "roleSessionNameType" => {
            format!("name = \"model\"\n[organization]\nsession_name = {quoted}\n")
        }
        "policyDocumentType" => {
            let desired = "name = \"model\"\n[[role]]\nname = \"R\"\ntargets = \"all\"\ninline_policy = [{ name = \"p\", document = \"p.json\" }]\n".to_owned() + trust;
            return Some(Directory::of(&[
                ("rolecall.toml", &desired),
                ("p.json", value),
            ]));
        }
        _ => return None,
    };
    Some(Directory::new(&text))
}

#[test]
fn what_a_user_writes_is_held_to_the_model() {
    let Some(constraints) = constraints() else {
        return;
    };
    let mut known: BTreeMap<String, Constraint> = BTreeMap::new();
    let mut wrong = Vec::new();
    for constraint in constraints {
        if is_exempt(NOT_SENT, &constraint) {
            continue;
        }
        known.entry(constraint.shape.clone()).or_insert(constraint);
    }
    assert!(known.len() > 10, "{known:?}");
    for constraint in known.values() {
        for (value, rule) in constraint.bad() {
            let Some(desired) = written(constraint, &value) else {
                wrong.push(format!(
                    "{constraint:?} is neither written by anybody nor in NOT_SENT"
                ));
                break;
            };
            let done = run(rolecall().arg("validate").arg("-c").arg(desired.path()));
            if done.code != 1 {
                wrong.push(format!("{}: `{value}` is taken ({rule})", constraint.shape));
            }
        }
        let is_stricter = STRICTER.iter().any(|(shape, _)| *shape == constraint.shape);
        for value in constraint.fine().into_iter().filter(|_| !is_stricter) {
            let Some(desired) = written(constraint, &value) else {
                break;
            };
            let done = run(rolecall().arg("validate").arg("-c").arg(desired.path()));
            if done.code == 1 {
                wrong.push(format!(
                    "{}: `{value}` is refused: {}",
                    constraint.shape,
                    done.text()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the sandbox does not look at, with the reason.
const NOT_LOOKED_AT: &[(&str, &str)] = &[
    ("Marker", "one of another sandbox is refused as such"),
    ("MaxSigninSessionDuration", "not modelled"),
    (
        "SerialNumber",
        "nobody in the sandbox has an MFA device: any is refused",
    ),
    (
        "TokenCode",
        "nobody in the sandbox has an MFA device: any is refused",
    ),
    ("Policy", "session policies are not modelled"),
    (
        "PolicyArns.member.1.arn",
        "session policies are not modelled",
    ),
    (
        "sts:AssumeRole Tags.member.1.Key",
        "session tags are not modelled",
    ),
    (
        "sts:AssumeRole Tags.member.1.Value",
        "session tags are not modelled",
    ),
    ("ProvidedContexts", "not modelled"),
    ("ProvidedContexts.member.1.ProviderArn", "not modelled"),
    ("ProvidedContexts.member.1.ContextAssertion", "not modelled"),
    ("Tags", "the list is counted in a test of the sandbox"),
    ("TagKeys", "the list is counted by nobody"),
    ("TagKeys.member.1", "a key that is not there is no error"),
    ("TransitiveTagKeys", "not modelled"),
    ("TransitiveTagKeys.member.1", "not modelled"),
    ("PolicyExclusionList.*", "not modelled"),
    ("MinimumSessionTokenSize", "not modelled"),
    ("ResourcePolicy", "not modelled"),
    ("ResourceOwner", "not modelled"),
    ("CallerArn", "not modelled"),
    ("ResourceHandlingOption", "not modelled"),
    ("ContextEntries.member.1.ContextKeyName", "not modelled"),
    ("ContextEntries.member.1.ContextKeyType", "not modelled"),
    (
        "PermissionsBoundaryPolicyInputList.member.1",
        "read as a document",
    ),
    ("PolicyInputList.member.1", "read as a document"),
    (
        "ActionNames.member.1",
        "it must be an action, which is stricter",
    ),
    ("ResourceArns.member.1", "not modelled"),
    (
        "PolicySourceArn",
        "it must name somebody, which is stricter",
    ),
];

/// What a call needs beside the member that is looked at.
fn parameters(operation: &str, constraints: &[Constraint]) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = [
        ("RoleName", "R"),
        ("UserName", "u"),
        ("GroupName", "g"),
        ("PolicyName", "p"),
        ("PolicyArn", "arn:aws:iam::aws:policy/SecurityAudit"),
        (
            "PermissionsBoundary",
            "arn:aws:iam::aws:policy/SecurityAudit",
        ),
        ("VersionId", "v1"),
        ("InstanceProfileName", "x"),
        (
            "RoleArn",
            "arn:aws:iam::333333333331:role/OrganizationAccountAccessRole",
        ),
        ("RoleSessionName", "session"),
        ("PolicySourceArn", "arn:aws:iam::111111111111:user/admin"),
        ("ActionNames.member.1", "s3:GetObject"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"sts:AssumeRole"}}"#;
    let document = format!("{DOCUMENT_BEGIN}{DOCUMENT_END}");
    let is_trust = operation == "iam:UpdateAssumeRolePolicy";
    parameters.insert(
        "PolicyDocument".to_owned(),
        if is_trust { trust.to_owned() } else { document },
    );
    parameters.insert("AssumeRolePolicyDocument".to_owned(), trust.to_owned());
    let used = |name: &String| {
        constraints
            .iter()
            .any(|one| one.operation == operation && one.member == *name && one.required)
    };
    parameters.retain(|name, _| used(name));
    parameters
}

/// Status and body of the sandbox's answer.
async fn ask(
    sandbox: &Sandbox,
    operation: &str,
    parameters: &BTreeMap<String, String>,
) -> (u16, String) {
    let (service, name) = operation.split_once(':').unwrap();
    let version = if service == "iam" {
        "2010-05-08"
    } else {
        "2011-06-15"
    };
    let mut body = format!("Action={name}&Version={version}");
    for (name, value) in parameters {
        _ = write!(body, "&{name}=");
        for byte in value.bytes() {
            _ = write!(body, "%{byte:02X}");
        }
    }
    let key = sandbox.credentials().access_key_id().to_owned();
    let request = Request {
        authorization: Some(format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=x"
        )),
        body: body.into_bytes(),
        ..Request::default()
    };
    let answer = sandbox.answer(&request).await.unwrap();
    (answer.status, answer.body)
}

#[tokio::test]
async fn what_the_sandbox_takes_is_held_to_the_model() {
    let Some(constraints) = constraints() else {
        return;
    };
    let sandbox = Sandbox::new(World::demo());
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for constraint in &constraints {
        if is_exempt(NOT_LOOKED_AT, constraint) || constraint.kind == "list" {
            continue;
        }
        looked_at += 1;
        let base = parameters(&constraint.operation, &constraints);
        let with = |value: &str| {
            let mut parameters = base.clone();
            if let Some(tag) = constraint.member.strip_suffix(".Key") {
                parameters.insert(format!("{tag}.Value"), "x".to_owned());
            } else if let Some(tag) = constraint.member.strip_suffix(".Value") {
                parameters.insert(format!("{tag}.Key"), "k".to_owned());
            }
            parameters.insert(constraint.member.clone(), value.to_owned());
            parameters
        };
        for (value, rule) in constraint.bad() {
            let (status, body) = ask(&sandbox, &constraint.operation, &with(&value)).await;
            let refused = status == 400
                && ["ValidationError", "InvalidInput", "MalformedPolicyDocument"]
                    .iter()
                    .any(|code| body.contains(code));
            if !refused {
                wrong.push(format!(
                    "{} {}: `{value}` is taken ({rule}): {body}",
                    constraint.operation, constraint.member
                ));
            }
        }
        for value in constraint.fine() {
            let (_, body) = ask(&sandbox, &constraint.operation, &with(&value)).await;
            // What is fine by its form may be another's, gone or too large, but it is no malformed call.
            let too_long = body.contains("exceeds the MaxSessionDuration set for this role");
            if body.contains("ValidationError") && !too_long {
                wrong.push(format!(
                    "{} {}: `{value}` is refused: {body}",
                    constraint.operation, constraint.member
                ));
            }
        }
    }
    assert!(looked_at > 50, "{looked_at}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
