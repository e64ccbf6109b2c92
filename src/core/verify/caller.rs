//! The caller's half of access: whether a principal's own policies allow it to assume the role.
//!
//! A trust policy trusts a principal; whether they may assume the role is for their own account to say. Asked are the
//! users and roles of the organization that the desired trust names, and every principal that the directory grants
//! the role to. A principal that the trust names as part of its whole account is asked only where it is granted the
//! role: who else of that account should assume it is not declared anywhere.
//!
//! Source: IAM User Guide, "Cross-account policy evaluation logic".

use std::collections::{BTreeMap, BTreeSet};

use super::request::{Attempt, account_of, keys, principals, spelled};
use super::trust::{by, dead, in_the_right_way};
use super::{Check, Outcome, Probe, Setting, Subject};
use crate::evaluate::{Decision, Identity, Reach, Request, Voice, Why};
use crate::org::{AccountId, AwsError};
use crate::resource::Tags;
use crate::resource::grant::Principal;
use crate::resource::policy::PolicyDocument;

/// A principal of an account of the organization.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Caller {
    /// Its account.
    pub account: AccountId,
    /// Who it is there.
    pub principal: Principal,
}

/// A principal as it was read.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Its ARN.
    pub arn: String,
    /// What it holds.
    pub identity: Identity,
    /// Its tags.
    pub tags: Tags,
}

/// The users and roles that the desired trust names by themselves and that are in the organization.
pub fn named(setting: Setting<'_>, subject: Subject<'_>) -> BTreeSet<Caller> {
    let arns = principals(&subject.desired.trust)
        .filter(|(_, kind, _)| *kind == "AWS")
        .map(|(_, _, name)| name);
    let accounts = &setting.organization.accounts;
    arns.filter_map(caller_at)
        .filter(|caller| {
            accounts
                .get(&caller.account)
                .is_some_and(|account| account.status.is_active())
        })
        .collect()
}

/// The user or role at an ARN of IAM.
fn caller_at(arn: &str) -> Option<Caller> {
    let (kind, path) = arn.splitn(6, ':').nth(5)?.split_once('/')?;
    let principal = Principal::parse(kind, path.rsplit('/').next()?)?.ok()?;
    Some(Caller {
        account: account_of(arn)?,
        principal,
    })
}

/// Judges whether `caller`, as it was found, may assume the role.
pub fn check(
    setting: Setting<'_>,
    subject: Subject<'_>,
    caller: &Caller,
    found: Result<Option<&Holder>, &AwsError>,
) -> Check {
    let Caller { account, principal } = caller;
    let whom = format!(
        "{} `{}` of account {account}",
        principal.kind(),
        principal.name()
    );
    let (outcome, message) = match found {
        Err(error) => (
            Outcome::NotProvable,
            format!("cannot determine whether {whom} may assume it: {error}"),
        ),
        Ok(None) => (
            Outcome::Failed,
            format!(
                "{whom} cannot assume it: there is no such {}",
                principal.kind()
            ),
        ),
        Ok(Some(holder)) => match principal {
            Principal::Group(_) => Judge::new(setting, subject, caller, holder).group(&whom),
            Principal::User(_) | Principal::Role(_) => {
                Judge::new(setting, subject, caller, holder).both_sides()
            }
        },
    };
    Check::new(Probe::Caller, outcome, message)
}

struct Judge<'a> {
    subject: Subject<'a>,
    holder: &'a Holder,
    reach: fn(Decision) -> Reach,
    root: String,
    /// The way in that the desired trust leaves it.
    attempt: Option<Attempt>,
}

impl<'a> Judge<'a> {
    fn new(
        setting: Setting<'_>,
        subject: Subject<'a>,
        caller: &Caller,
        holder: &'a Holder,
    ) -> Self {
        let root = format!(
            "arn:{}:iam::{}:root",
            setting.organization.partition, caller.account
        );
        let goes_by = |name: &str| name == "*" || name == root || name == holder.arn;
        let statements = principals(&subject.desired.trust)
            .filter(|(_, kind, name)| *kind == "AWS" && goes_by(name));
        let mut attempts = statements.map(|(statement, _, _)| {
            let mut attempt = Attempt::meeting(setting, subject, "AWS", &holder.arn, statement);
            attempt.names.push(("AWS".to_owned(), root.clone()));
            attempt
                .context
                .extend(own_keys(&caller.principal, &holder.tags));
            attempt
        });
        let attempt = attempts.find_map(|attempt| in_the_right_way(subject, &attempt));
        let reach = if caller.account == subject.account.id {
            Reach::SameAccount
        } else {
            |_| Reach::CrossAccount
        };
        Self {
            subject,
            holder,
            reach,
            root,
            attempt,
        }
    }

    fn both_sides(&self) -> (Outcome, String) {
        let (arn, live) = (&self.holder.arn, &self.subject.live.trust);
        let Some(attempt) = &self.attempt else {
            let message = format!(
                "`{arn}` cannot assume it: no statement of the desired trust is known to allow it"
            );
            return (Outcome::Failed, message);
        };
        let request = self.request(attempt, live);
        let (trust, why) = crate::evaluate::explain(&[live], &request);
        let naming =
            live.resolve_principals(&|name| (name == self.root).then(|| "no-principal".to_owned()));
        let reach = (self.reach)(crate::evaluate::evaluate(&[&naming], &request));
        let (own, voice) = self.holder.identity.decide(&request);
        match self.holder.identity.may_assume(trust, reach, &request) {
            Decision::Allow if own == Decision::Allow => (
                Outcome::Proven,
                format!(
                    "`{arn}` may assume it: {} allows it{}",
                    self.spoken(&voice),
                    let_in(why)
                ),
            ),
            Decision::Allow => (
                Outcome::Proven,
                format!(
                    "`{arn}` may assume it{}",
                    let_in(why).replacen(", and", ":", 1)
                ),
            ),
            Decision::Undecided => {
                let open = self.open(attempt, live);
                (
                    Outcome::NotProvable,
                    format!("cannot determine whether `{arn}` may assume it{open}"),
                )
            }
            Decision::ExplicitDeny | Decision::ImplicitDeny => (
                Outcome::Failed,
                format!(
                    "`{arn}` cannot assume it: {}",
                    self.refusal(trust, own, &voice, why)
                ),
            ),
        }
    }

    /// Whether whoever is in a group may assume it; a group itself is never a principal.
    fn group(&self, whom: &str) -> (Outcome, String) {
        let Some(attempt) = &self.attempt else {
            let message = format!(
                "users of {whom} cannot assume it: the desired trust does not allow their account"
            );
            return (Outcome::Failed, message);
        };
        let live = &self.subject.live.trust;
        let (own, voice) = self.holder.identity.decide(&self.request(attempt, live));
        match own {
            Decision::Allow => (
                Outcome::Proven,
                format!("{whom} may assume it: {} allows it", self.spoken(&voice)),
            ),
            Decision::Undecided => {
                let open = self.open(attempt, live);
                (
                    Outcome::NotProvable,
                    format!("cannot determine whether {whom} may assume it{open}"),
                )
            }
            Decision::ExplicitDeny | Decision::ImplicitDeny => (
                Outcome::Failed,
                format!(
                    "{whom} cannot assume it: {}",
                    self.refusal(Decision::Allow, own, &voice, None)
                ),
            ),
        }
    }

    fn refusal(&self, trust: Decision, own: Decision, voice: &Voice, why: Option<Why>) -> String {
        let role = &self.subject.live.arn;
        match (trust, own) {
            (Decision::ExplicitDeny, _) => format!("the live trust denies it{}", by(why)),
            (_, Decision::ExplicitDeny) => format!("{} denies it", self.spoken(voice)),
            (Decision::ImplicitDeny, _) => {
                format!(
                    "no statement of the live trust allows it{}",
                    dead(&self.subject.live.trust)
                )
            }
            _ if *voice == Voice::Boundary => {
                "its permissions boundary does not allow it".to_owned()
            }
            _ => format!(
                "no policy of its own allows `sts:AssumeRole` on `{role}`; a `[[grant]]` gives it one"
            ),
        }
    }

    /// `its policy `P`, statement 1,`
    fn spoken(&self, voice: &Voice) -> String {
        match voice {
            Voice::Policy(Why {
                policy, statement, ..
            }) => {
                let name = self
                    .holder
                    .identity
                    .policies
                    .get(*policy)
                    .map_or("", |(name, _)| name);
                match statement {
                    Some(place) => format!("statement {} of its policy `{name}`", place + 1),
                    None => format!("its policy `{name}`"),
                }
            }
            Voice::Boundary => "its permissions boundary".to_owned(),
            Voice::None => "none of its policies".to_owned(),
        }
    }

    fn documents<'b>(
        &'b self,
        live: &'b PolicyDocument,
    ) -> impl Iterator<Item = &'b PolicyDocument> {
        let Identity { policies, boundary } = &self.holder.identity;
        policies
            .iter()
            .map(|(_, policy)| policy)
            .chain(boundary)
            .chain([live])
    }

    /// The keys of which nothing is known. The tags of a principal were read with it, so it has no others.
    fn open_keys(&self, attempt: &Attempt, live: &PolicyDocument) -> BTreeSet<String> {
        let keys = self
            .documents(live)
            .flat_map(|document| attempt.open_keys(document));
        keys.filter(|key| !key.starts_with("aws:principaltag/"))
            .collect()
    }

    fn request(&self, attempt: &Attempt, live: &PolicyDocument) -> Request {
        attempt.request(&self.subject.live.arn, self.open_keys(attempt, live))
    }

    fn open(&self, attempt: &Attempt, live: &PolicyDocument) -> String {
        let asked: BTreeSet<String> = self.documents(live).flat_map(keys).collect();
        let open: Vec<String> = self
            .open_keys(attempt, live)
            .iter()
            .map(|key| format!("`{}`", spelled(key)))
            .collect();
        if asked.is_empty() || open.is_empty() {
            ": a policy cannot be evaluated".to_owned()
        } else {
            format!(": it may depend on {}", open.join(", "))
        }
    }
}

/// The condition keys that a principal brings by being who it is.
fn own_keys(principal: &Principal, tags: &Tags) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = tags
        .iter()
        .map(|(key, value)| {
            (
                format!("aws:principaltag/{}", key.to_ascii_lowercase()),
                vec![value.clone()],
            )
        })
        .collect();
    let mut set = |key: &str, value: &str| _ = keys.insert(key.to_owned(), vec![value.to_owned()]);
    match principal {
        Principal::User(name) => {
            set("aws:principaltype", "User");
            set("aws:username", name.as_str());
        }
        Principal::Role(_) => set("aws:principaltype", "AssumedRole"),
        Principal::Group(_) => {}
    }
    keys
}

fn let_in(why: Option<Why>) -> String {
    format!(", and the trust allows it{}", by(why))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{Bench, trust};
    use super::*;
    use crate::org::Partition;
    use crate::resource::policy::PolicyKind;
    use Outcome::{Failed, NotProvable, Proven};

    const ROLE: &str = "arn:aws:iam::111111111111:role/X";
    const READER: &str = "arn:aws:iam::222222222222:user/reader";

    fn policy(effect: &str, resource: &str, condition: &str) -> PolicyDocument {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"sts:AssumeRole","Resource":"{resource}","Condition":{{{condition}}}}}]}}"#
        );
        PolicyDocument::live(&text, PolicyKind::Identity, &Partition::default())
    }

    fn holder(
        arn: &str,
        policies: Vec<PolicyDocument>,
        boundary: Option<PolicyDocument>,
    ) -> Holder {
        let policies = policies
            .into_iter()
            .map(|policy| ("own".to_owned(), policy))
            .collect();
        Holder {
            arn: arn.to_owned(),
            identity: Identity { policies, boundary },
            tags: [("Team".to_owned(), "sec".to_owned())].into(),
        }
    }

    #[track_caller]
    fn assert_judged(document: &str, holder: &Holder, expect: Outcome, words: &str) {
        let bench = Bench::new(document, document);
        let caller = caller_at(&holder.arn).unwrap();
        let check = check(bench.setting(), bench.subject(), &caller, Ok(Some(holder)));
        assert_eq!(
            (check.probe, check.outcome),
            (Probe::Caller, expect),
            "{}",
            check.message
        );
        assert!(check.message.contains(words), "{}", check.message);
    }

    #[test]
    fn a_user_of_another_account_needs_both_halves() {
        let account = trust(r#""AWS":"222222222222""#, "");
        let allow = || policy("Allow", ROLE, "");
        assert_judged(
            &account,
            &holder(READER, vec![allow()], None),
            Proven,
            "statement 1 of its policy `own` allows it",
        );
        assert_judged(
            &account,
            &holder(READER, vec![], None),
            Failed,
            "no policy of its own allows `sts:AssumeRole`",
        );
        assert_judged(
            &account,
            &holder(
                READER,
                vec![policy("Allow", &ROLE.replace("/X", "/Y"), "")],
                None,
            ),
            Failed,
            "no policy",
        );
        assert_judged(
            &account,
            &holder(READER, vec![allow(), policy("Deny", "*", "")], None),
            Failed,
            "denies it",
        );
        assert_judged(
            &account,
            &holder(READER, vec![allow()], Some(policy("Allow", "arn:x", ""))),
            Failed,
            "boundary",
        );
        let vpc = r#""StringEquals":{"aws:SourceVpc":"vpc-1"}"#;
        assert_judged(
            &account,
            &holder(READER, vec![policy("Allow", ROLE, vpc)], None),
            NotProvable,
            "`aws:SourceVpc`",
        );
        let other = trust(r#""AWS":"333333333333""#, "");
        assert_judged(
            &other,
            &holder(READER, vec![allow()], None),
            Failed,
            "desired trust",
        );
    }

    #[test]
    fn what_the_trust_demands_is_met_and_what_the_principal_is_is_known() {
        let id = trust(
            &format!(r#""AWS":"{READER}""#),
            r#""StringEquals":{"sts:ExternalId":"id-1"},"Bool":{"aws:MultiFactorAuthPresent":"true"}"#,
        );
        let team = r#""StringEquals":{"aws:PrincipalTag/team":"sec","aws:username":"reader"}"#;
        assert_judged(
            &id,
            &holder(READER, vec![policy("Allow", "*", team)], None),
            Proven,
            "may assume it",
        );
        let other = r#""StringEquals":{"aws:PrincipalTag/other":"sec"}"#;
        assert_judged(
            &id,
            &holder(READER, vec![policy("Allow", "*", other)], None),
            Failed,
            "no policy",
        );
    }

    #[test]
    fn in_one_account_a_trust_that_names_the_user_is_enough() {
        let own = "arn:aws:iam::111111111111:user/ops";
        let nothing = || holder(own, vec![], None);
        assert_judged(
            &trust(&format!(r#""AWS":"{own}""#), ""),
            &nothing(),
            Proven,
            "may assume it: the trust allows it",
        );
        assert_judged(
            &trust(r#""AWS":"111111111111""#, ""),
            &nothing(),
            Failed,
            "no policy of its own",
        );
    }

    #[test]
    fn who_is_not_there_or_cannot_be_read_proves_nothing_good() {
        let document = trust(&format!(r#""AWS":"{READER}""#), "");
        let bench = Bench::new(&document, &document);
        let caller = caller_at(READER).unwrap();
        let gone = check(bench.setting(), bench.subject(), &caller, Ok(None));
        assert_eq!(gone.outcome, Failed);
        assert!(gone.message.contains("no such user"), "{}", gone.message);
        let error = AwsError {
            account: None,
            operation: "GetUser".to_owned(),
            resource: None,
            code: Some("AccessDenied".to_owned()),
            message: String::new(),
            request_id: None,
        };
        assert_eq!(
            check(bench.setting(), bench.subject(), &caller, Err(&error)).outcome,
            NotProvable
        );
    }

    #[test]
    fn whom_the_trust_names_and_is_at_hand_is_asked() {
        let names = r#""AWS":["222222222222","arn:aws:iam::222222222222:role/a/b/R","arn:aws:iam::333333333333:user/u","arn:aws:iam::999999999999:role/far","arn:aws:sts::222222222222:assumed-role/R/s"]"#;
        let document = trust(names, "");
        let bench = Bench::new(&document, &document);
        let asked: Vec<String> = named(bench.setting(), bench.subject())
            .into_iter()
            .map(|caller| caller.principal.to_string())
            .collect();
        assert_eq!(asked, ["role/R", "user/u"]);
    }
}
