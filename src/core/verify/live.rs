//! Assuming a role as the caller of rolecall: correctly, and in wrong ways that STS must refuse.
//!
//! Tried is only what the desired trust says of the caller; what the caller's own policies say is STS's to tell. A
//! refusal counts only where the right way works: whoever is never let in proves nothing by being refused.
//!
//! Source: STS API Reference, `AssumeRole`; IAM User Guide, "The confused deputy problem".

use super::request::{Attempt, EXTERNAL_ID, SESSION_NAME, WRONG_EXTERNAL_ID, facts, principals};
use super::{Check, Outcome, Probe, SessionName, Setting, Subject};
use crate::evaluate::Decision;
use crate::org::{AwsError, Caller};
use crate::resource::policy::Statement;
use crate::resource::policy::pattern::segments;

/// One `AssumeRole` to make. It may hold a secret, so it has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Try {
    /// What it proves.
    pub probe: Probe,
    /// The `ExternalId` to send.
    pub external_id: Option<String>,
    /// The `RoleSessionName` to send.
    pub session_name: String,
}

/// The tries of one role, the right one first.
#[derive(Clone, PartialEq, Eq)]
pub struct Tries {
    /// The one that must work.
    pub right: Try,
    /// Those that must be refused.
    pub wrong: Vec<Try>,
    /// Whether the live trust, as it was read, lets the right one in: a refusal may then be mere lag.
    pub let_in: bool,
}

/// Why a caller can assume no role at all; `None` where it can.
///
/// Source: STS API Reference, `AssumeRole`: "You cannot use AWS account root user credentials to call `AssumeRole`".
pub fn cannot_assume(caller: &Caller) -> Option<String> {
    caller
        .arn
        .ends_with(":root")
        .then(|| format!("`{}` is a root user, which cannot assume roles", caller.arn))
}

/// What to try as the caller of the run; the check that says why nothing can be.
///
/// Without `session` the name is the one that the trust demands, if it demands one.
pub fn tries(
    setting: Setting<'_>,
    subject: Subject<'_>,
    session: Option<&SessionName>,
) -> Result<Tries, Check> {
    let attempts: Vec<Attempt> = ways_in(setting, subject, session);
    let decided = |wanted| {
        let arn = &subject.live.arn;
        attempts
            .iter()
            .find(|attempt| attempt.decide(&subject.desired.trust, arn).0 == wanted)
    };
    let Some(attempt) = decided(Decision::Allow).or_else(|| decided(Decision::Undecided)) else {
        return Err(Check::new(
            Probe::LiveAllowed,
            Outcome::NotProvable,
            nobody_at_hand(setting, subject),
        ));
    };
    let external_id = attempt.get(EXTERNAL_ID).map(str::to_owned);
    let session_name = attempt.get(SESSION_NAME).unwrap_or_default().to_owned();
    let right = Try {
        probe: Probe::LiveAllowed,
        external_id: external_id.clone(),
        session_name,
    };
    let mut wrong = Vec::new();
    if external_id.is_some() {
        wrong.push(Try {
            probe: Probe::LiveNoExternalId,
            external_id: None,
            ..right.clone()
        });
        let external_id = Some(WRONG_EXTERNAL_ID.to_owned());
        wrong.push(Try {
            probe: Probe::LiveWrongExternalId,
            external_id,
            ..right.clone()
        });
    }
    let other = attempt.with(SESSION_NAME, Some(OTHER_SESSION.to_owned()));
    let refused = other.decide(&subject.desired.trust, &subject.live.arn).0;
    if refused == Decision::ImplicitDeny || refused == Decision::ExplicitDeny {
        let session_name = OTHER_SESSION.to_owned();
        wrong.push(Try {
            probe: Probe::LiveSessionName,
            session_name,
            ..right.clone()
        });
    }
    let let_in = attempt.decide(&subject.live.trust, &subject.live.arn).0 == Decision::Allow;
    Ok(Tries {
        right,
        wrong,
        let_in,
    })
}

const OTHER_SESSION: &str = "rolecall-verify-other";

/// What the answer to the right try proves: the ARN of the session, or why there is none.
pub fn judge_right(subject: Subject<'_>, answer: &Result<String, AwsError>) -> Check {
    let account = format!(":{}:assumed-role/", subject.account.id);
    let (outcome, message) = match answer {
        Ok(arn) if arn.contains(&account) => (
            Outcome::Proven,
            format!("STS accepted the caller as `{arn}`"),
        ),
        Ok(arn) => (
            Outcome::Failed,
            format!("STS accepted the caller, but as `{arn}`: is this really AWS?"),
        ),
        Err(error) => (Outcome::Failed, format!("STS refused the caller: {error}")),
    };
    Check::new(Probe::LiveAllowed, outcome, message)
}

/// What the answer to a wrong try proves, where the right one worked.
pub fn judge_wrong(probe: Probe, answer: &Result<(), AwsError>) -> Check {
    let how = match probe {
        Probe::LiveNoExternalId => "without the external id",
        Probe::LiveWrongExternalId => "with a wrong external id",
        _ => "under another session name",
    };
    let (outcome, message) = match answer {
        Ok(()) => (Outcome::Failed, format!("STS accepted the caller {how}")),
        Err(error) if error.is("AccessDenied") => {
            (Outcome::Proven, format!("STS refused the caller {how}"))
        }
        Err(error) => (
            Outcome::NotProvable,
            format!("cannot determine whether STS refuses the caller {how}: {error}"),
        ),
    };
    Check::new(probe, outcome, message)
}

/// What a wrong try would prove where the right one was refused as well.
pub fn moot(wrong: &Try) -> Check {
    let message = "the correct request is refused as well, so a refusal proves nothing";
    Check::new(wrong.probe, Outcome::NotProvable, message)
}

/// The ways that the desired trust leaves to the caller, one for each principal that it goes by.
fn ways_in(
    setting: Setting<'_>,
    subject: Subject<'_>,
    session: Option<&SessionName>,
) -> Vec<Attempt> {
    let caller = &setting.organization.caller;
    let by_kind = principals(&subject.desired.trust)
        .filter(|(_, kind, name)| *kind == "AWS" && goes_by(caller, name));
    by_kind
        .map(|(statement, _, name)| way_in(setting, subject, session, statement, name))
        .collect()
}

fn way_in(
    setting: Setting<'_>,
    subject: Subject<'_>,
    session: Option<&SessionName>,
    statement: &Statement,
    name: &str,
) -> Attempt {
    let caller = &setting.organization.caller;
    let own = |name: &str| ("AWS".to_owned(), name.to_owned());
    let mut context = facts(setting, subject.account, "AWS", &caller.arn);
    if name.contains(":role/") {
        context.insert("aws:principalarn".to_owned(), vec![name.to_owned()]);
    }
    let root = format!(
        "arn:{}:iam::{}:root",
        setting.organization.partition, caller.account
    );
    let names = [caller.arn.as_str(), name, &root]
        .into_iter()
        .filter(|name| *name != "*")
        .map(own)
        .collect();
    let mut attempt = Attempt {
        names,
        action: "sts:AssumeRole",
        context,
    };
    if let Some(session) = session {
        attempt = attempt.with(SESSION_NAME, Some(session.as_str().to_owned()));
    }
    attempt.meet(statement, |key| key == EXTERNAL_ID || key == SESSION_NAME);
    let default = || vec![SessionName::default().as_str().to_owned()];
    attempt
        .context
        .entry(SESSION_NAME.to_owned())
        .or_insert_with(default);
    attempt
}

/// Whether the caller is who a trust names: itself, its account, its role. A session's ARN lacks the path of its role,
/// but a role's name is unique in its account.
fn goes_by(caller: &Caller, name: &str) -> bool {
    if name == "*" || name == caller.arn {
        return true;
    }
    let parts = segments(name);
    let (Some(account), Some(entity)) = (parts.get(4), parts.get(5)) else {
        return false;
    };
    let role = caller
        .arn
        .split_once(":assumed-role/")
        .and_then(|(_, session)| session.split('/').next());
    *account == caller.account.as_str()
        && (*entity == "root"
            || entity
                .strip_prefix("role/")
                .is_some_and(|path| path.rsplit('/').next() == role && role.is_some()))
}

fn nobody_at_hand(setting: Setting<'_>, subject: Subject<'_>) -> String {
    let mut names: Vec<&str> = principals(&subject.desired.trust)
        .map(|(_, _, name)| name)
        .collect();
    names.dedup();
    let shown: Vec<String> = names
        .iter()
        .take(3)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if names.len() > shown.len() {
        " and others"
    } else {
        ""
    };
    let caller = &setting.organization.caller.arn;
    format!(
        "none of the available identities may assume it: it trusts {}{more}, and the caller is `{caller}`",
        shown.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, trust};
    use super::*;

    fn probes(
        desired: &str,
        caller: &str,
        session: Option<&str>,
    ) -> Vec<(Probe, Option<String>, String)> {
        let mut bench = Bench::new(desired, desired);
        bench.organization.caller.arn = caller.to_owned();
        let session = session.map(|name| SessionName::parse(name).unwrap());
        match tries(bench.setting(), bench.subject(), session.as_ref()) {
            Ok(Tries { right, wrong, .. }) => [vec![right], wrong]
                .concat()
                .into_iter()
                .map(|call| (call.probe, call.external_id, call.session_name))
                .collect(),
            Err(_) => Vec::new(),
        }
    }

    #[test]
    fn only_whom_the_trust_means_tries_to_enter() {
        let user = "arn:aws:iam::111111111111:user/ops";
        let session = "arn:aws:sts::111111111111:assumed-role/Admin/me";
        for (principal, caller, expect) in [
            ("111111111111", user, true),
            ("111111111111", session, true),
            ("arn:aws:iam::111111111111:user/ops", user, true),
            ("arn:aws:iam::111111111111:user/other", user, false),
            ("arn:aws:iam::111111111111:role/a/path/Admin", session, true),
            ("arn:aws:iam::111111111111:role/Admin2", session, false),
            ("arn:aws:iam::222222222222:role/Admin", session, false),
            ("222222222222", user, false),
            ("*", user, true),
        ] {
            let tried =
                !probes(&trust(&format!(r#""AWS":"{principal}""#), ""), caller, None).is_empty();
            assert_eq!(tried, expect, "{principal} {caller}");
        }
    }

    #[test]
    fn each_thing_the_trust_pins_is_tried_otherwise() {
        let caller = "arn:aws:iam::111111111111:user/ops";
        let pinned =
            r#""StringEquals":{"sts:ExternalId":"right-id","sts:RoleSessionName":"log-reader"}"#;
        let document = trust(r#""AWS":"111111111111""#, pinned);
        let (right, wrong) = (
            Some("right-id".to_owned()),
            Some(WRONG_EXTERNAL_ID.to_owned()),
        );
        assert_eq!(
            probes(&document, caller, None),
            [
                (Probe::LiveAllowed, right.clone(), "log-reader".to_owned()),
                (Probe::LiveNoExternalId, None, "log-reader".to_owned()),
                (Probe::LiveWrongExternalId, wrong, "log-reader".to_owned()),
                (Probe::LiveSessionName, right, OTHER_SESSION.to_owned()),
            ]
        );
        assert_eq!(probes(&document, caller, Some("somebody")), []);
        let free = trust(r#""AWS":"111111111111""#, "");
        assert_eq!(
            probes(&free, caller, Some("me")),
            [(Probe::LiveAllowed, None, "me".to_owned())]
        );
    }

    #[test]
    fn root_assumes_nothing() {
        let mut caller = Bench::new("{}", "{}").organization.caller;
        assert_eq!(cannot_assume(&caller), None);
        caller.arn = "arn:aws:iam::111111111111:root".to_owned();
        let why = cannot_assume(&caller).unwrap();
        assert!(
            why.contains("root") && why.contains("cannot assume"),
            "{why}"
        );
    }

    #[test]
    fn an_answer_proves_what_it_says_and_no_more() {
        let bench = Bench::new("{}", "{}");
        let error = |code: &str| AwsError {
            account: None,
            operation: "AssumeRole".to_owned(),
            resource: None,
            code: Some(code.to_owned()),
            message: String::new(),
            request_id: None,
        };
        let session = |account: &str| {
            Ok(format!(
                "arn:aws:sts::{account}:assumed-role/X/rolecall-verify"
            ))
        };
        for (answer, expect) in [
            (session("111111111111"), Outcome::Proven),
            (session("222222222222"), Outcome::Failed),
            (Err(error("AccessDenied")), Outcome::Failed),
        ] {
            assert_eq!(
                judge_right(bench.subject(), &answer).outcome,
                expect,
                "{answer:?}"
            );
        }
        for (answer, expect) in [
            (Ok(()), Outcome::Failed),
            (Err(error("AccessDenied")), Outcome::Proven),
            (Err(error("Throttling")), Outcome::NotProvable),
        ] {
            assert_eq!(
                judge_wrong(Probe::LiveNoExternalId, &answer).outcome,
                expect,
                "{answer:?}"
            );
        }
    }
}
