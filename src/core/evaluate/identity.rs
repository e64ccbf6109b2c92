//! What an identity may do, and which roles it may assume: its own policies, its boundary, and the trust policy together.
//!
//! | | who must allow it |
//! |---|---|
//! | the role is in another account | the trust policy, and the caller's own policies |
//! | the role is in the same account, and its trust names the caller itself | the trust policy alone; the boundary too where the caller is a role |
//! | the role is in the same account, and its trust names the account | the trust policy, and the caller's own policies |
//!
//! An explicit deny on any side wins.
//! Source: IAM User Guide, "Cross-account policy evaluation logic", "Policy evaluation for requests within a single
//! account" and "Permissions boundaries for IAM entities".

use super::{Decision, Request, Why, evaluate, explain};
use crate::resource::policy::PolicyDocument;

/// The policies of a user, a group or a role.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Inline and attached ones, with their names; for a user those of its groups too.
    pub policies: Vec<(String, PolicyDocument)>,
    /// The permissions boundary; one whose policy is gone allows nothing.
    pub boundary: Option<PolicyDocument>,
}

/// Who decided what an identity may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voice {
    /// A statement of one of its policies.
    Policy(Why),
    /// Its boundary.
    Boundary,
    /// No policy speaks of it.
    None,
}

/// How a caller stands to the role that it wants to assume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// They are in different accounts.
    CrossAccount,
    /// They are in one account, and this is what the trust policy says to the caller by its own names alone.
    SameAccount(Decision),
}

impl Identity {
    /// What its policies and its boundary say together, and which of them said it.
    pub fn decide(&self, request: &Request) -> (Decision, Voice) {
        let policies: Vec<&PolicyDocument> =
            self.policies.iter().map(|(_, policy)| policy).collect();
        let (own, why) = explain(&policies, request);
        let voice = why.map_or(Voice::None, Voice::Policy);
        match (own, self.bounded(request)) {
            (Decision::ExplicitDeny, _) => (own, voice),
            (_, Decision::ExplicitDeny) => (Decision::ExplicitDeny, Voice::Boundary),
            (Decision::ImplicitDeny, _) | (_, Decision::Allow) => (own, voice),
            (_, bounded) => (bounded, Voice::Boundary),
        }
    }

    /// What the boundary alone says; one that is not there allows everything.
    fn bounded(&self, request: &Request) -> Decision {
        self.boundary
            .as_ref()
            .map_or(Decision::Allow, |boundary| evaluate(&[boundary], request))
    }

    /// Whether it may assume a role whose trust policy says `trust` to it.
    pub fn may_assume(&self, trust: Decision, reach: Reach, request: &Request) -> Decision {
        let (own, _) = self.decide(request);
        let named = match reach {
            Reach::SameAccount(named) if own != Decision::ExplicitDeny => {
                let is_role = request
                    .principal
                    .names
                    .iter()
                    .any(|(_, name)| name.contains(":role/"));
                if is_role {
                    both(named, self.bounded(request))
                } else {
                    named
                }
            }
            Reach::SameAccount(_) | Reach::CrossAccount => Decision::ImplicitDeny,
        };
        both(trust, either(own, named))
    }
}

/// What two sides say that must both allow.
fn both(one: Decision, other: Decision) -> Decision {
    use Decision::{Allow, ExplicitDeny, ImplicitDeny, Undecided};
    match (one, other) {
        (ExplicitDeny, _) | (_, ExplicitDeny) => ExplicitDeny,
        (ImplicitDeny, _) | (_, ImplicitDeny) => ImplicitDeny,
        (Undecided, _) | (_, Undecided) => Undecided,
        (Allow, Allow) => Allow,
    }
}

/// What two sides say of which one is enough, a deny aside.
fn either(one: Decision, other: Decision) -> Decision {
    use Decision::{Allow, ExplicitDeny, ImplicitDeny, Undecided};
    match (one, other) {
        (ExplicitDeny, _) | (_, ExplicitDeny) => ExplicitDeny,
        (Allow, Undecided | Allow | ImplicitDeny) | (Undecided | ImplicitDeny, Allow) => Allow,
        (Undecided, _) | (_, Undecided) => Undecided,
        (ImplicitDeny, ImplicitDeny) => ImplicitDeny,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Principal;
    use super::*;
    use crate::org::Partition;
    use crate::resource::policy::PolicyKind;
    use Decision::{Allow, ExplicitDeny, ImplicitDeny, Undecided};

    const ROLE: &str = "arn:aws:iam::111111111111:role/R";

    fn document(effect: &str, condition: &str) -> PolicyDocument {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Action":"sts:AssumeRole","Resource":"{ROLE}","Condition":{{{condition}}}}}]}}"#
        );
        PolicyDocument::live(&text, PolicyKind::Identity, &Partition::default())
    }

    fn says(word: &str) -> Option<PolicyDocument> {
        match word {
            "allow" => Some(document("Allow", "")),
            "deny" => Some(document("Deny", "")),
            "maybe" => Some(document(
                "Allow",
                r#""StringEquals":{"aws:SourceVpc":"vpc-1"}"#,
            )),
            "nothing" => Some(document(
                "Allow",
                r#""Bool":{"aws:SecureTransport":"false"}"#,
            )),
            _ => None,
        }
    }

    fn request(caller: &str) -> Request {
        Request {
            principal: Principal {
                names: vec![("AWS".to_owned(), caller.to_owned())],
            },
            action: "sts:AssumeRole".to_owned(),
            resource: ROLE.to_owned(),
            context: [("aws:SecureTransport".to_owned(), vec!["true".to_owned()])].into(),
            unknown: vec!["aws:SourceVpc".to_owned()],
        }
    }

    fn identity(own: &str, boundary: &str) -> Identity {
        Identity {
            policies: says(own)
                .map(|policy| ("P".to_owned(), policy))
                .into_iter()
                .collect(),
            boundary: says(boundary),
        }
    }

    #[test]
    fn a_boundary_takes_away_and_never_gives() {
        for (own, boundary, expect, by_boundary) in [
            ("allow", "", Allow, false),
            ("allow", "allow", Allow, false),
            ("allow", "nothing", ImplicitDeny, true),
            ("allow", "deny", ExplicitDeny, true),
            ("allow", "maybe", Undecided, true),
            ("maybe", "", Undecided, false),
            ("maybe", "nothing", ImplicitDeny, true),
            ("", "allow", ImplicitDeny, false),
            ("", "deny", ExplicitDeny, true),
            ("deny", "allow", ExplicitDeny, false),
        ] {
            let (decision, voice) =
                identity(own, boundary).decide(&request("arn:aws:iam::111111111111:user/u"));
            assert_eq!(
                (decision, voice == Voice::Boundary),
                (expect, by_boundary),
                "{own} {boundary}"
            );
        }
    }

    #[test]
    fn who_must_allow_it_depends_on_where_the_caller_is() {
        let (user, role) = (
            "arn:aws:iam::111111111111:user/u",
            "arn:aws:iam::111111111111:role/r",
        );
        let same = Reach::SameAccount;
        for (caller, own, boundary, trust, reach, expect) in [
            (user, "allow", "", Allow, Reach::CrossAccount, Allow),
            (user, "", "", Allow, Reach::CrossAccount, ImplicitDeny),
            (user, "maybe", "", Allow, Reach::CrossAccount, Undecided),
            (
                user,
                "allow",
                "",
                ImplicitDeny,
                Reach::CrossAccount,
                ImplicitDeny,
            ),
            (user, "allow", "", Undecided, Reach::CrossAccount, Undecided),
            (user, "deny", "", Allow, Reach::CrossAccount, ExplicitDeny),
            (
                user,
                "allow",
                "nothing",
                Allow,
                Reach::CrossAccount,
                ImplicitDeny,
            ),
            (user, "", "", Allow, same(Allow), Allow),
            (user, "", "", Allow, same(Undecided), Undecided),
            (user, "", "", Allow, same(ImplicitDeny), ImplicitDeny),
            (user, "allow", "", Allow, same(ImplicitDeny), Allow),
            (user, "deny", "", Allow, same(Allow), ExplicitDeny),
            (user, "", "nothing", Allow, same(Allow), Allow),
            (role, "", "nothing", Allow, same(Allow), ImplicitDeny),
            (role, "", "allow", Allow, same(Allow), Allow),
            (role, "", "deny", Allow, same(Allow), ExplicitDeny),
        ] {
            let found = identity(own, boundary).may_assume(trust, reach, &request(caller));
            assert_eq!(
                found, expect,
                "{caller} {own} {boundary} {trust:?} {reach:?}"
            );
        }
    }
}
