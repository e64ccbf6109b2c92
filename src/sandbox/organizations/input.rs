//! What a call says, and the refusals that every operation shares.

use rolecall_core::org::AccountId;
use serde_json::{Value, json};

use crate::wire::ApiError;
use crate::world::World;

/// Seconds from the Unix epoch to the beginning of the world, 2026-01-01T00:00:00Z.
pub(super) const BEGINNING: u64 = 1_767_225_600;

pub(super) fn error(code: &str, message: &str) -> ApiError {
    ApiError::new(400, code, message)
}

pub(super) fn invalid(message: &str) -> ApiError {
    error("InvalidInputException", message)
}

/// The parameters of one call.
pub(super) struct Input<'a> {
    operation: &'a str,
    pub(super) value: Value,
}

impl<'a> Input<'a> {
    pub(super) fn parse(operation: &'a str, body: &[u8]) -> Result<Self, ApiError> {
        // An operation without parameters may come without a body.
        let text = if body.is_empty() { b"{}" } else { body };
        match serde_json::from_slice(text) {
            Ok(value @ Value::Object(_)) => Ok(Self { operation, value }),
            _ => Err(error(
                "SerializationException",
                "the body is not a JSON object",
            )),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.value.get(name)?.as_str()
    }

    pub(super) fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name)
            .ok_or_else(|| invalid(&format!("You must provide a value for {name}.")))
    }

    pub(super) fn account(&self, name: &str) -> Result<AccountId, ApiError> {
        AccountId::parse(self.require(name)?)
            .map_err(|_| invalid("You provided a value that does not match the required pattern."))
    }

    /// Cuts one page out of `items`, which come in ascending order of their ids.
    ///
    /// The token names the last id returned, so that what is added or removed between two pages shifts nothing.
    pub(super) fn page<'w, T>(
        &self,
        world: &World,
        items: impl Iterator<Item = (&'w str, T)>,
        render: impl Fn(&str, T) -> Value,
    ) -> Result<(Vec<Value>, Option<String>), ApiError> {
        let size = match self.value.get("MaxResults") {
            None | Some(Value::Null) => world.organization.page_size,
            Some(asked) => match asked.as_u64().and_then(|asked| usize::try_from(asked).ok()) {
                Some(asked @ 1..=20) => asked.min(world.organization.page_size),
                _ => {
                    return Err(invalid(
                        "You specified a value for MaxResults that is not between 1 and 20.",
                    ));
                }
            },
        };
        let after = match self.get("NextToken") {
            None => "",
            Some(token) => token
                .strip_prefix(self.operation)
                .and_then(|rest| rest.strip_prefix('/'))
                .ok_or_else(|| invalid("You specified a NextToken that is not valid."))?,
        };
        let mut rest = items.skip_while(|(id, _)| *id <= after).peekable();
        let (mut page, mut last) = (Vec::new(), after);
        while let Some((id, item)) = rest.next_if(|_| page.len() < size.max(1)) {
            page.push(render(id, item));
            last = id;
        }
        let token = rest.peek().map(|_| format!("{}/{last}", self.operation));
        Ok((page, token))
    }
}

/// The answer of a list: `{"Accounts": […], "NextToken": "…"}`, without the token on the last page.
pub(super) fn listed(name: &str, (items, token): (Vec<Value>, Option<String>)) -> Value {
    let mut answer = json!({ name: items });
    if let (Some(token), Some(fields)) = (token, answer.as_object_mut()) {
        fields.insert("NextToken".to_owned(), token.into());
    }
    answer
}

/// Whether `id` is the root or a unit.
pub(super) fn is_parent(world: &World, id: &str) -> bool {
    id == world.organization.root || world.organization.units.contains_key(id)
}
