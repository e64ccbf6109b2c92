//! Organizations: what it holds, read and changed through its JSON API.
//!
//! The management account may do everything, a delegated administrator may read, and any other member may only ask
//! which organization it is in. Delegation is kept per account, not per service: whoever is registered for one
//! service is listed for every service. Source: Organizations API Reference.

mod read;
mod write;

use serde_json::{Value, json};

use super::wire::ApiError;
use super::world::World;
use rolecall_core::org::AccountId;

/// Seconds from the Unix epoch to the beginning of the world, 2026-01-01T00:00:00Z.
const BEGINNING: u64 = 1_767_225_600;

/// Performs one Organizations operation for a caller of `account`, or answers with the error AWS documents for it.
pub fn call(
    world: &mut World,
    account: AccountId,
    operation: &str,
    body: &[u8],
) -> Result<Value, ApiError> {
    let input = Input::parse(operation, body)?;
    if world.member(account).is_none() {
        let sentence = "Your account is not a member of an organization.";
        return Err(error("AWSOrganizationsNotInUseException", sentence));
    }
    if !allowed(world, account, operation) {
        return Err(error(
            "AccessDeniedException",
            "You don't have permissions to access this resource.",
        ));
    }
    match operation {
        "DescribeOrganization" => Ok(read::describe_organization(world)),
        "ListRoots" => read::list_roots(world, &input),
        "ListAccounts" => read::list_accounts(world, &input),
        "ListAccountsForParent" => read::list_accounts_for_parent(world, &input),
        "ListOrganizationalUnitsForParent" => read::list_units_for_parent(world, &input),
        "ListParents" => read::list_parents(world, &input),
        "ListChildren" => read::list_children(world, &input),
        "DescribeAccount" => read::describe_account(world, &input),
        "DescribeOrganizationalUnit" => read::describe_unit(world, &input),
        "DescribeCreateAccountStatus" => read::describe_create_account_status(world, &input),
        "ListTagsForResource" => read::list_tags_for_resource(world, &input),
        "ListDelegatedAdministrators" => read::list_delegated_administrators(world, &input),
        "TagResource" => write::tag_resource(world, &input),
        "UntagResource" => write::untag_resource(world, &input),
        "CreateOrganizationalUnit" => write::create_unit(world, &input),
        "CreateAccount" => write::create_account(world, &input),
        "RemoveAccountFromOrganization" => write::remove_account(world, &input),
        "UpdateOrganizationalUnit" => write::update_unit(world, &input),
        "MoveAccount" => write::move_account(world, &input),
        "CloseAccount" => write::close_account(world, &input),
        "RegisterDelegatedAdministrator" => write::register_delegated_administrator(world, &input),
        _ => Err(error("UnknownOperationException", "")),
    }
}

fn allowed(world: &World, account: AccountId, operation: &str) -> bool {
    let organization = &world.organization;
    let reads = operation.starts_with("List") || operation.starts_with("Describe");
    account == organization.management_account
        || operation == "DescribeOrganization"
        || (reads && organization.delegated_administrators.contains(&account))
}

fn error(code: &str, message: &str) -> ApiError {
    ApiError::new(400, code, message)
}

fn invalid(message: &str) -> ApiError {
    error("InvalidInputException", message)
}

/// The parameters of one call.
struct Input<'a> {
    operation: &'a str,
    value: Value,
}

impl<'a> Input<'a> {
    fn parse(operation: &'a str, body: &[u8]) -> Result<Self, ApiError> {
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

    fn get(&self, name: &str) -> Option<&str> {
        self.value.get(name)?.as_str()
    }

    fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name)
            .ok_or_else(|| invalid(&format!("You must provide a value for {name}.")))
    }

    fn account(&self, name: &str) -> Result<AccountId, ApiError> {
        AccountId::parse(self.require(name)?)
            .map_err(|_| invalid("You provided a value that does not match the required pattern."))
    }

    /// Cuts one page out of `items`, which come in ascending order of their ids.
    ///
    /// The token names the last id returned, so that what is added or removed between two pages shifts nothing.
    fn page<'w, T>(
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
fn listed(name: &str, (items, token): (Vec<Value>, Option<String>)) -> Value {
    let mut answer = json!({ name: items });
    if let (Some(token), Some(fields)) = (token, answer.as_object_mut()) {
        fields.insert("NextToken".to_owned(), token.into());
    }
    answer
}

/// Whether `id` is the root or a unit.
fn is_parent(world: &World, id: &str) -> bool {
    id == world.organization.root || world.organization.units.contains_key(id)
}

#[cfg(test)]
mod tests;
