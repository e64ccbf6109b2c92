//! Evaluating a role's live policies against what `[[role.expect]]` says they must and must not allow.
//!
//! A role may do what its policies allow and its boundary allows too. An action or resource with wildcards represents
//! everything it matches: it is allowed where one statement covers it whole and no Deny touches it, and not allowed
//! where no statement touches it.
//!
//! Source: IAM User Guide, "Policy evaluation logic" and "Permissions boundaries for IAM entities".

use std::collections::{BTreeMap, BTreeSet};

use super::request::{keys, spelled};
use super::{Check, Outcome, Probe, Setting, Subject};
use crate::evaluate::{Decision, Every, Identity, Request, Voice, Why};
use crate::resource::policy::PolicyDocument;
use crate::resource::role::Expectation;

/// Holds the policies of a role against its expectations: what is not as expected one by one, the rest counted.
pub fn check(setting: Setting<'_>, subject: Subject<'_>, policies: &Identity) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut met = 0;
    let mut all = 0;
    for expectation in &subject.desired.expect {
        let judge = Judge {
            context: context(setting, subject, expectation),
            policies,
        };
        let allow = expectation
            .allow
            .iter()
            .map(|(action, resource)| judge.allowed(action, resource));
        let deny = expectation
            .deny
            .iter()
            .map(|(action, resource)| judge.denied(action, resource));
        for found in allow.chain(deny) {
            all += 1;
            match found {
                Found::AsExpected => met += 1,
                Found::Not(message) => checks.push((Outcome::Failed, message)),
                Found::Unknown(message) => checks.push((Outcome::NotProvable, message)),
            }
        }
    }
    let place = format!(
        "role `{}` of account {}",
        subject.desired.name, subject.account.id
    );
    let mut checks: Vec<Check> = checks
        .into_iter()
        .map(|(outcome, message)| Check::new(Probe::Expect, outcome, format!("{message}: {place}")))
        .collect();
    if met > 0 {
        let message = format!("{met} of {all} expected permissions are as expected");
        checks.insert(0, Check::new(Probe::Expect, Outcome::Proven, message));
    }
    checks
}

/// The condition keys of a request: facts about the role's sessions, and what the expectation says.
pub fn context(
    setting: Setting<'_>,
    subject: Subject<'_>,
    expectation: &Expectation,
) -> BTreeMap<String, Vec<String>> {
    let facts = [
        ("aws:PrincipalArn", subject.live.arn.as_str()),
        ("aws:PrincipalAccount", subject.account.id.as_str()),
        ("aws:PrincipalOrgID", setting.organization.id.as_str()),
        ("aws:SecureTransport", "true"),
        ("aws:CurrentTime", setting.now),
    ];
    let mut context: BTreeMap<String, Vec<String>> = facts
        .into_iter()
        .map(|(key, value)| (key.to_ascii_lowercase(), vec![value.to_owned()]))
        .collect();
    context.extend(
        expectation
            .context
            .iter()
            .map(|(key, values)| (key.to_ascii_lowercase(), values.clone())),
    );
    context
}

enum Found {
    AsExpected,
    Not(String),
    Unknown(String),
}

struct Judge<'a> {
    context: BTreeMap<String, Vec<String>>,
    policies: &'a Identity,
}

impl Judge<'_> {
    fn allowed(&self, action: &str, resource: &str) -> Found {
        let what = format!("`{action}` on `{resource}`");
        let every = if is_wild(action, resource) {
            self.policies.decide_every(&self.request(action, resource))
        } else {
            Every::Mixed
        };
        let (decision, why) = self.decide(&one_of(action), &one_of(resource));
        match (every, decision) {
            (Every::Allowed, _) => Found::AsExpected,
            (_, Decision::ExplicitDeny) => Found::Not(format!("{what} is denied by {why}")),
            (_, Decision::ImplicitDeny) => Found::Not(format!("{what} is not allowed by {why}")),
            (_, Decision::Undecided) => Found::Unknown(format!(
                "cannot determine whether {what} is allowed{}",
                self.open()
            )),
            (Every::Refused | Every::Mixed, Decision::Allow) if is_wild(action, resource) => {
                Found::Unknown(format!(
                    "{what} is allowed in part: no statement allows all of it, or a Deny may take some away"
                ))
            }
            (Every::Refused | Every::Mixed, Decision::Allow) => Found::AsExpected,
        }
    }

    fn denied(&self, action: &str, resource: &str) -> Found {
        let what = format!("`{action}` on `{resource}`");
        let every = if is_wild(action, resource) {
            self.policies.decide_every(&self.request(action, resource))
        } else {
            Every::Mixed
        };
        let (decision, why) = self.decide(&one_of(action), &one_of(resource));
        match (every, decision) {
            (Every::Refused, _) => Found::AsExpected,
            (_, Decision::Allow) => Found::Not(format!("{what} is allowed by {why}")),
            (_, Decision::Undecided) => Found::Unknown(format!(
                "cannot determine whether {what} is refused{}",
                self.open()
            )),
            (Every::Allowed | Every::Mixed, _) if is_wild(action, resource) => {
                Found::Unknown(format!("part of {what} may be allowed"))
            }
            (Every::Allowed | Every::Mixed, _) => Found::AsExpected,
        }
    }

    /// What policies and boundary say together, and which of them said it.
    fn decide(&self, action: &str, resource: &str) -> (Decision, String) {
        let (decision, voice) = self.policies.decide(&self.request(action, resource));
        let words = match voice {
            Voice::Policy(Why { policy, .. }) => self
                .policies
                .policies
                .get(policy)
                .map_or_else(String::new, |(name, _)| format!("policy `{name}`")),
            Voice::Boundary => "the permissions boundary".to_owned(),
            Voice::None => "any policy".to_owned(),
        };
        (decision, words)
    }

    fn request(&self, action: &str, resource: &str) -> Request {
        Request {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context: self.context.clone(),
            unknown: self.open_keys().into_iter().collect(),
            ..Request::default()
        }
    }

    fn documents(&self) -> impl Iterator<Item = &PolicyDocument> {
        self.policies
            .policies
            .iter()
            .map(|(_, document)| document)
            .chain(&self.policies.boundary)
    }

    fn open_keys(&self) -> BTreeSet<String> {
        self.documents()
            .flat_map(keys)
            .filter(|key| !self.context.contains_key(key))
            .collect()
    }

    fn open(&self) -> String {
        let keys: Vec<String> = self
            .open_keys()
            .iter()
            .map(|key| format!("`{}`", spelled(key)))
            .collect();
        if keys.is_empty() {
            ": a policy cannot be evaluated".to_owned()
        } else {
            format!(
                ": it may depend on {}; set them in `context`",
                keys.join(", ")
            )
        }
    }
}

/// One of the texts that a pattern stands for.
fn one_of(pattern: &str) -> String {
    pattern.replace(['*', '?'], "x")
}

/// Whether more than one request is meant.
pub fn is_wild(action: &str, resource: &str) -> bool {
    action.contains(['*', '?']) || resource.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use super::*;
    use crate::org::Partition;
    use crate::resource::policy::PolicyKind;
    use Outcome::{Failed, NotProvable, Proven};

    fn document(statements: &str) -> PolicyDocument {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        PolicyDocument::live(&text, PolicyKind::Identity, &Partition::default())
    }

    fn pairs(texts: &[&str]) -> Vec<(String, String)> {
        texts
            .iter()
            .map(|text| text.split_once(" on ").unwrap())
            .map(|(a, r)| (a.to_owned(), r.to_owned()))
            .collect()
    }

    #[track_caller]
    fn outcomes(policies: &Identity, allow: &[&str], deny: &[&str]) -> Vec<(Outcome, String)> {
        let mut bench = Bench::new("{}", "{}");
        bench.desired.expect = vec![Expectation {
            allow: pairs(allow),
            deny: pairs(deny),
            context: BTreeMap::new(),
        }];
        let checks = check(bench.setting(), bench.subject(), policies);
        checks
            .into_iter()
            .map(|check| (check.outcome, check.message))
            .collect()
    }

    const READ: &str =
        r#"{"Effect":"Allow","Action":["s3:Get*","s3:ListBucket"],"Resource":"arn:aws:s3:::b/*"}"#;
    const ANY: &str = r#"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#;
    const NO_KEYS: &str =
        r#"{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/keys/*"}"#;
    const TAGGED: &str = r#"{"Effect":"Allow","Action":"sqs:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"x"}}}"#;

    #[test]
    fn each_expectation_is_held_against_the_policies() {
        let policies = Identity {
            policies: vec![(
                "P".to_owned(),
                document(&[READ, ANY, NO_KEYS, TAGGED].join(",")),
            )],
            boundary: None,
        };
        for (allow, deny, expect) in [
            ("s3:GetObject on arn:aws:s3:::b/x", "", Proven),
            ("S3:GETOBJECT on arn:aws:s3:::b/x", "", Proven),
            ("s3:GetObject on arn:aws:s3:::b/keys/x", "", Failed),
            ("s3:PutObject on arn:aws:s3:::b/x", "", Failed),
            ("s3:GetObject on *", "", Failed),
            ("s3:Get* on arn:aws:s3:::b/*", "", NotProvable),
            ("ec2:CreateSnapshot on *", "", Proven),
            (
                "sqs:SendMessage on arn:aws:sqs:us-east-1:1:q",
                "",
                NotProvable,
            ),
            ("", "s3:PutObject on arn:aws:s3:::b/x", Proven),
            ("", "s3:GetObject on arn:aws:s3:::b/x", Failed),
            ("", "iam:* on *", Proven),
            ("", "s3:* on *", NotProvable),
            ("", "ec2:RunInstances on *", Failed),
        ] {
            let one = |text| {
                if str::is_empty(text) {
                    Vec::new()
                } else {
                    vec![text]
                }
            };
            let found = outcomes(&policies, &one(allow), &one(deny));
            assert_eq!(found.len(), 1, "{allow}{deny}: {found:?}");
            assert_eq!(found[0].0, expect, "{allow}{deny}: {found:?}");
        }
    }

    /// An expectation with wildcards stands for all that it matches.
    #[test]
    fn an_expectation_with_wildcards_is_proven_of_all_that_it_matches() {
        let allow = |more: &str| format!(r#"{{"Effect":"Allow",{more}}}"#);
        let deny = |more: &str| format!(r#"{{"Effect":"Deny",{more}}}"#);
        let all = allow(r#""Action":"s3:*","Resource":"*""#);
        let b = r#""Action":"s3:*","Resource":"arn:aws:s3:::b/*""#;
        let get = "s3:GetObject on arn:aws:s3:::b/*";
        let any = "s3:* on arn:aws:s3:::b/x";
        for (statements, allowed, denied, expect) in [
            // `b/ok/x` is not denied.
            (
                format!(
                    "{all},{}",
                    deny(r#""Action":"s3:GetObject","NotResource":"arn:aws:s3:::b/ok/*""#)
                ),
                "",
                get,
                NotProvable,
            ),
            // `b/secret/x` is not allowed.
            (
                allow(r#""Action":"s3:*","NotResource":"arn:aws:s3:::b/secret/*""#),
                get,
                "",
                NotProvable,
            ),
            (
                allow(r#""Action":"s3:*","NotResource":"arn:aws:s3:::c/*""#),
                get,
                "",
                Proven,
            ),
            (
                allow(r#""NotAction":"s3:Put*","Resource":"*""#),
                any,
                "",
                NotProvable,
            ),
            (
                allow(r#""NotAction":"iam:*","Resource":"*""#),
                any,
                "",
                Proven,
            ),
            (
                allow(r#""Action":"s3:*","Resource":"arn:aws:s3:::b/?""#),
                get,
                "",
                NotProvable,
            ),
            (
                allow(r#""Action":"s3:*","Resource":"arn:aws:s3:::b/${*}""#),
                get,
                "",
                Failed,
            ),
            (
                allow(r#""Action":"s3:GetObject?","Resource":"*""#),
                "s3:GetObject* on *",
                "",
                NotProvable,
            ),
            (allow(b), get, "", Proven),
            (allow(b), "", get, Failed),
            (format!("{all},{}", deny(b)), "", get, Proven),
            (
                format!("{all},{}", deny(b)),
                "",
                "s3:GetObject on arn:aws:s3:::*",
                Failed,
            ),
            (
                format!("{all},{}", deny(r#""NotAction":"s3:Get*","Resource":"*""#)),
                "",
                "s3:Put* on *",
                Proven,
            ),
            (
                allow(r#""Action":"sqs:*","Resource":"arn:aws:sqs""#),
                "",
                "sqs:SendMessage on arn:aws:sqs:us-east-1:1:q",
                Failed,
            ),
            (
                allow(r#""Action":"sqs:*","Resource":"arn:aws:sqs:us-east-1""#),
                "sqs:* on arn:aws:sqs:us-east-1:1:*",
                "",
                Proven,
            ),
        ] {
            let policies = Identity {
                policies: vec![("P".to_owned(), document(&statements))],
                boundary: None,
            };
            let one = |text: &'static str| {
                if text.is_empty() {
                    Vec::new()
                } else {
                    vec![text]
                }
            };
            let found = outcomes(&policies, &one(allowed), &one(denied));
            assert_eq!(
                found[0].0, expect,
                "{statements} {allowed}{denied}: {found:?}"
            );
        }
    }

    #[test]
    fn a_boundary_limits_all_that_an_expectation_matches() {
        let bounded = |boundary: &str| Identity {
            policies: vec![("P".to_owned(), document(ANY))],
            boundary: Some(document(boundary)),
        };
        let some =
            r#"{"Effect":"Allow","Action":"ec2:*","NotResource":"arn:aws:ec2:::instance/*"}"#;
        let all = &["ec2:Run* on *"][..];
        assert_eq!(outcomes(&bounded(some), all, &[])[0].0, NotProvable);
        assert_eq!(outcomes(&bounded(ANY), all, &[])[0].0, Proven);
        assert_eq!(outcomes(&bounded(READ), &[], all)[0].0, Proven);
    }

    #[test]
    fn a_boundary_takes_away_and_one_that_is_gone_takes_all() {
        let policies = |boundary: &str| Identity {
            policies: vec![("P".to_owned(), document(ANY))],
            boundary: Some(document(boundary)),
        };
        let asked = ["ec2:RunInstances on *"];
        assert_eq!(outcomes(&policies(ANY), &asked, &[])[0].0, Proven);
        for boundary in [READ, ""] {
            let found = outcomes(&policies(boundary), &asked, &[]);
            assert_eq!(found[0].0, Failed, "{found:?}");
            assert!(found[0].1.contains("the permissions boundary"), "{found:?}");
        }
    }

    #[test]
    fn a_failure_names_action_role_and_account_and_the_rest_is_counted() {
        let policies = Identity {
            policies: vec![("P".to_owned(), document(ANY))],
            boundary: None,
        };
        let found = outcomes(
            &policies,
            &[
                "ec2:CreateSnapshot on *",
                "s3:GetObject on *",
                "ec2:RunInstances on *",
            ],
            &[],
        );
        assert_eq!(
            found[0],
            (
                Proven,
                "2 of 3 expected permissions are as expected".to_owned()
            )
        );
        assert_eq!(found[1].0, Failed);
        for part in ["s3:GetObject", "role `X`", "account 111111111111"] {
            assert!(found[1].1.contains(part), "{found:?}");
        }
    }
}
