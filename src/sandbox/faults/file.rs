//! Faults as a file declares them.

use std::time::Duration;

use serde::Deserialize;

use super::{Effect, Fault, Moment, Refusal, When};
use crate::Sandbox;
use crate::wire::ApiError;
use rolecall_core::org::AccountId;

/// The effects that a file may name. There are two more: `delay`, which takes `delay_ms`, and `error`, which takes `code`,
/// `message` and `status`.
const EFFECTS: [(&str, Effect); 12] = [
    ("throttling", Effect::Refuse(Refusal::Throttling)),
    (
        "too-many-requests",
        Effect::Refuse(Refusal::TooManyRequests),
    ),
    ("internal-failure", Effect::Refuse(Refusal::InternalFailure)),
    (
        "service-unavailable",
        Effect::Refuse(Refusal::ServiceUnavailable),
    ),
    (
        "concurrent-modification",
        Effect::Refuse(Refusal::ConcurrentModification),
    ),
    ("access-denied", Effect::Refuse(Refusal::AccessDenied)),
    ("reset-before", Effect::Reset(Moment::Before)),
    ("reset-after", Effect::Reset(Moment::After)),
    ("fail-after", Effect::Fail),
    ("hang", Effect::Hang),
    ("truncate", Effect::Truncate),
    ("expire", Effect::Expire),
];

/// A file of faults: how slowly the world agrees with itself, and which calls go wrong.
///
/// ```
/// let text = r#"
/// stale_reads_ms = 2000          # reads do not see a write for so long
/// young_principals_ms = 3000     # no trust policy can name a role or user younger than this
///
/// [[fault]]
/// operation = "iam:Create*"      # a pattern, with or without the service; default any
/// account = "222222222222"       # default any
/// per_mille = 200                # with seed = N; or nth = N, or first = N; default every call
/// effect = "throttling"          # or another of the names that a wrong one is answered with
///
/// [[fault]]
/// operation = "CreateRole"
/// effect = "error"               # or one that refuses, such as access-denied, with a message of its own
/// code = "MalformedPolicyDocument"
/// message = "Invalid principal in policy: \"AWS\":\"x\""
/// status = 400                   # the default
/// "#;
/// assert!(rolecall_sandbox::faults::FaultFile::parse(text).is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct FaultFile {
    lag: Duration,
    youth: Duration,
    faults: Vec<Fault>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    stale_reads_ms: u64,
    #[serde(default)]
    young_principals_ms: u64,
    #[serde(default)]
    fault: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default = "any")]
    operation: String,
    account: Option<String>,
    nth: Option<u64>,
    first: Option<u64>,
    per_mille: Option<u16>,
    seed: Option<u32>,
    effect: String,
    delay_ms: Option<u64>,
    code: Option<String>,
    message: Option<String>,
    status: Option<u16>,
}

fn any() -> String {
    "*".to_owned()
}

impl FaultFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Text {
            stale_reads_ms,
            young_principals_ms,
            fault,
        } = toml::from_str(text).map_err(|error| error.to_string())?;
        Ok(Self {
            lag: Duration::from_millis(stale_reads_ms),
            youth: Duration::from_millis(young_principals_ms),
            faults: fault.iter().map(Entry::fault).collect::<Result<_, _>>()?,
        })
    }

    /// Makes `sandbox` go wrong as the file says, from now on.
    pub fn unleash(self, sandbox: &Sandbox) {
        sandbox.with(|world| (world.lag, world.youth) = (self.lag, self.youth));
        self.faults
            .into_iter()
            .for_each(|fault| sandbox.fail(fault));
    }
}

impl Entry {
    fn fault(&self) -> Result<Fault, String> {
        Ok(Fault {
            operation: self.operation.clone(),
            account: self
                .account
                .as_deref()
                .map(AccountId::parse)
                .transpose()
                .map_err(|error| error.to_string())?,
            when: self.when()?,
            effect: self.effect()?,
        })
    }

    fn effect(&self) -> Result<Effect, String> {
        let refuse = |why: &str| Err(why.to_owned());
        let name = self.effect.as_str();
        match (name, self.delay_ms) {
            ("delay", Some(delay)) => return Ok(Effect::Delay(Duration::from_millis(delay))),
            ("delay", None) | (_, Some(_)) => {
                return refuse("`delay_ms` goes with the effect `delay`");
            }
            _ => {}
        }
        match (name, &self.code, &self.message, self.status) {
            ("error", Some(code), Some(message), status) => Ok(Effect::Error(ApiError::new(
                status.unwrap_or(400),
                code,
                message.as_str(),
            ))),
            ("error", ..) => refuse("the effect `error` takes `code` and `message`, and `status`"),
            (_, None, None, None) => named(name),
            (_, None, Some(message), None) => match named(name)? {
                Effect::Refuse(refusal) => Ok(Effect::Say(refusal, message.as_str().into())),
                _ => refuse("`message` goes with an effect that answers an error"),
            },
            _ => refuse("`code` and `status` go with the effect `error`"),
        }
    }

    fn when(&self) -> Result<When, String> {
        match (self.nth, self.first, self.per_mille, self.seed) {
            (None, None, None, None) => Ok(When::Always),
            (Some(nth), None, None, None) => Ok(When::Nth(nth)),
            (None, Some(first), None, None) => Ok(When::First(first)),
            (None, None, Some(rate), seed) => Ok(When::PerMille {
                rate,
                seed: seed.unwrap_or_default(),
            }),
            _ => Err(
                "a fault takes one of `nth`, `first` and `per_mille`; `seed` goes with `per_mille`"
                    .to_owned(),
            ),
        }
    }
}

fn named(name: &str) -> Result<Effect, String> {
    let found = EFFECTS
        .iter()
        .find(|(its_name, _)| *its_name == name)
        .map(|(_, effect)| effect.clone());
    let names = || EFFECTS.map(|(name, _)| name).join(", ");
    found.ok_or_else(|| {
        format!(
            "`{name}` is not an effect; the effects are {}, delay, error",
            names()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_goes_wrong_where_and_when() {
        for (_, effect) in EFFECTS {
            assert!(!matches!(
                effect,
                Effect::Delay(_) | Effect::Error(_) | Effect::Stop(..)
            ));
        }
        let rule = |text: &str| {
            FaultFile::parse(&format!("[[fault]]\n{text}")).map(|mut file| file.faults.remove(0))
        };
        let fault = rule("account = \"111111111111\"\nnth = 3\neffect = \"reset-after\"").unwrap();
        assert_eq!((fault.operation.as_str(), fault.when), ("*", When::Nth(3)));
        assert_eq!(fault.account.unwrap().as_str(), "111111111111");
        assert!(matches!(fault.effect, Effect::Reset(Moment::After)));
        let fault = rule(
            "operation = \"sts:Get*\"\nper_mille = 20\nseed = 7\neffect = \"delay\"\ndelay_ms = 5",
        )
        .unwrap();
        assert_eq!(
            (fault.operation.as_str(), fault.when),
            ("sts:Get*", When::PerMille { rate: 20, seed: 7 })
        );
        assert!(matches!(fault.effect, Effect::Delay(delay) if delay == Duration::from_millis(5)));
        let fault =
            rule("effect = \"error\"\ncode = \"Odd\"\nmessage = \"so it is\"\nstatus = 409")
                .unwrap();
        let Effect::Error(error) = fault.effect else {
            panic!("{:?}", fault.effect)
        };
        assert_eq!(
            (error.status, error.code.as_str(), error.message.as_str()),
            (409, "Odd", "so it is")
        );
        let fault = rule("effect = \"access-denied\"\nmessage = \"no: x\"").unwrap();
        assert!(
            matches!(fault.effect, Effect::Say(Refusal::AccessDenied, said) if *said == *"no: x")
        );
        for (wrong, expect) in [
            (
                "effect = \"error\"\ncode = \"x\"",
                "takes `code` and `message`",
            ),
            ("effect = \"hang\"\nmessage = \"x\"", "`message` goes with"),
            (
                "effect = \"throttling\"\ncode = \"x\"",
                "`code` and `status` go with",
            ),
            (
                "effect = \"explode\"",
                "`explode` is not an effect; the effects are throttling, ",
            ),
            ("effect = \"hang\"\nnth = 1\nfirst = 2", "one of `nth`"),
            ("effect = \"hang\"\nseed = 1", "one of `nth`"),
            ("effect = \"delay\"", "`delay_ms` goes with"),
            ("effect = \"hang\"\ndelay_ms = 1", "`delay_ms` goes with"),
            ("effect = \"hang\"\naccount = \"1\"", "account"),
            ("effect = \"hang\"\nwhen = 1", "unknown field `when`"),
        ] {
            let error = rule(wrong).unwrap_err();
            assert!(error.contains(expect), "{wrong}: {error}");
        }
    }
}
