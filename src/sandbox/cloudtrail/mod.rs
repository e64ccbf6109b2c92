//! CloudTrail: the event history of each account, as far as IAM fills it.
//!
//! Every write that IAM performed or refused is an event; reads, and what other services do, are not recorded. IAM is a
//! global service: its events are in the history of one region. Sources: CloudTrail API Reference, `LookupEvents`;
//! CloudTrail User Guide, "Global service events". What AWS does and this does not: events come at once and not up to
//! 15 minutes late, and the limit of two calls a second is not enforced.

mod record;

use serde_json::{Value, json};

use super::wire::{ApiError, Params};
use super::world::{Session, World};
pub use record::Trail;
use record::{By, Event, home};
use rolecall_core::org::AccountId;

/// Events of one page where nothing else is asked for, and at most.
const PAGE: usize = 50;

/// The person behind [`super::Sandbox::by_hand`].
const HAND: &str = "by-hand";

/// Takes note of a call to IAM that was answered with `error`, or done.
pub fn note(
    world: &mut World,
    (session, key): (&Session, &str),
    operation: &str,
    params: &Params,
    error: Option<&ApiError>,
) {
    let by = By {
        arn: session.arn.clone(),
        user_id: session.user_id.clone(),
        role_arn: session.role_arn.clone(),
        key: key.to_owned(),
        source: "127.0.0.1",
    };
    world
        .trail
        .note((session.account, world.clock), by, operation, params, error);
}

/// Takes note of what a person did in `account` past all policies: the user `by-hand`, from the address 203.0.113.7.
pub fn note_hand(
    world: &mut World,
    account: AccountId,
    operation: &str,
    params: &Params,
    error: Option<&ApiError>,
) {
    let by = By {
        arn: format!("arn:{}:iam::{account}:user/{HAND}", world.partition),
        user_id: "AIDABYHAND".to_owned(),
        role_arn: None,
        key: "AKIABYHAND".to_owned(),
        source: "203.0.113.7",
    };
    world
        .trail
        .note((account, world.clock), by, operation, params, error);
}

/// Performs one CloudTrail operation for a caller of `account` in `region`.
pub fn call(
    world: &World,
    account: AccountId,
    region: &str,
    operation: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    if operation != "LookupEvents" {
        return Err(error(
            "UnknownOperationException",
            "the sandbox supports only LookupEvents of CloudTrail",
        ));
    }
    let text = if body.is_empty() { b"{}" } else { body };
    let input: Value = serde_json::from_slice(text)
        .map_err(|_| error("SerializationException", "not a JSON object"))?;
    let question = Question::read(&input)?;
    let known = world
        .trail
        .newest_first(account)
        .filter(|_| region == home(&world.partition));
    let mut found = known
        .filter(|event| question.asks_for(world, event))
        .peekable();
    let (mut events, mut last) = (Vec::new(), 0);
    while let Some(event) = found.next_if(|_| events.len() < question.size) {
        last = event.number;
        events.push(event.told(&world.partition));
    }
    let token = found.peek().map(|_| last.to_string());
    Ok(match token {
        Some(token) => json!({ "Events": events, "NextToken": token }),
        None => json!({ "Events": events }),
    })
}

/// What one call asks.
struct Question {
    attribute: Option<(String, String)>,
    /// Seconds since 1970.
    start: Option<f64>,
    end: Option<f64>,
    size: usize,
    /// Only events before the one with this number.
    before: Option<u64>,
}

impl Question {
    fn read(input: &Value) -> Result<Self, ApiError> {
        let (start, end) = (time(input, "StartTime")?, time(input, "EndTime")?);
        if start.zip(end).is_some_and(|(start, end)| start > end) {
            return Err(error(
                "InvalidTimeRangeException",
                "The start time must be before the end time.",
            ));
        }
        if input
            .get("EventCategory")
            .is_some_and(|category| !category.is_null())
        {
            return Err(error(
                "InvalidEventCategoryException",
                "the sandbox has no Insights events",
            ));
        }
        let size = match input.get("MaxResults").filter(|size| !size.is_null()) {
            None => PAGE,
            Some(size) => match size.as_u64().and_then(|size| usize::try_from(size).ok()) {
                Some(size @ 1..=PAGE) => size,
                _ => {
                    return Err(error(
                        "InvalidMaxResultsException",
                        "MaxResults must be between 1 and 50.",
                    ));
                }
            },
        };
        let before = match input.get("NextToken").filter(|token| !token.is_null()) {
            None => None,
            Some(token) => Some(
                token
                    .as_str()
                    .and_then(|token| token.parse().ok())
                    .ok_or_else(|| {
                        error("InvalidNextTokenException", "The next token is not valid.")
                    })?,
            ),
        };
        Ok(Self {
            attribute: attribute(input)?,
            start,
            end,
            size,
            before,
        })
    }

    fn asks_for(&self, world: &World, event: &Event) -> bool {
        let is_named = |(key, value): &(String, String)| match key.as_str() {
            "ResourceName" => event
                .resources(&world.partition)
                .iter()
                .any(|(_, name)| name == value),
            "ResourceType" => event
                .resources(&world.partition)
                .iter()
                .any(|(kind, _)| kind == value),
            "EventId" => event.id() == *value,
            "EventName" => *event.operation == **value,
            "EventSource" => value == "iam.amazonaws.com",
            "ReadOnly" => value == "false",
            "Username" => event.by.name() == value,
            "AccessKeyId" => event.by.key == *value,
            _ => false,
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 are far below 2^52"
        )]
        let at = event.at as f64;
        self.before.is_none_or(|before| event.number < before)
            && self.start.is_none_or(|start| at >= start)
            && self.end.is_none_or(|end| at <= end)
            && self.attribute.as_ref().is_none_or(is_named)
    }
}

fn time(input: &Value, name: &str) -> Result<Option<f64>, ApiError> {
    match input.get(name).filter(|time| !time.is_null()) {
        None => Ok(None),
        Some(time) => time
            .as_f64()
            .map(Some)
            .ok_or_else(|| error("SerializationException", "a time is a number")),
    }
}

/// The attributes that events may be looked up by.
const ATTRIBUTES: [&str; 8] = [
    "AccessKeyId",
    "EventId",
    "EventName",
    "EventSource",
    "ReadOnly",
    "ResourceName",
    "ResourceType",
    "Username",
];

fn attribute(input: &Value) -> Result<Option<(String, String)>, ApiError> {
    let invalid = |message| error("InvalidLookupAttributesException", message);
    let attribute = match input
        .get("LookupAttributes")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        None | Some([]) => return Ok(None),
        Some([attribute]) => attribute,
        Some(_) => return Err(invalid("Only one lookup attribute is allowed.")),
    };
    let text = |name: &str| {
        attribute
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    match (text("AttributeKey"), text("AttributeValue")) {
        (Some(key), Some(value)) if ATTRIBUTES.contains(&key.as_str()) => Ok(Some((key, value))),
        _ => Err(invalid("The lookup attribute is not valid.")),
    }
}

fn error(code: &str, message: &str) -> ApiError {
    ApiError::new(400, code, message)
}

#[cfg(test)]
mod tests;
