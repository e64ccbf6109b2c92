//! Reads the organization in one pass: roots, units and accounts, each with its path.
//!
//! `ListAccounts` would give the accounts without their units, so each parent is asked for its units and accounts.
//! Pages hold 20 entries at most and may be empty with more to come. `TooManyRequestsException` is common in large
//! organizations, so at most `PARALLEL` calls are under way and throttled ones back off. A delegated administrator
//! sees the same as the management account.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aws_sdk_organizations::types::{Account as Given, OrganizationalUnit};
use futures_util::stream::{self, FuturesUnordered, StreamExt, TryStreamExt};

use super::Aws;
use super::error::Call;
use super::retry::Lost;
use super::retry::Retries;
use super::trace::Trace;
use crate::org::{Account, AccountId, AccountStatus, AwsError, Organization, OuPath};
use crate::resource::Tags;
use crate::resource::operation::Operation;

/// Calls to Organizations at a time.
const PARALLEL: usize = 8;

/// A place in the tree.
#[derive(Debug, Clone)]
struct Place {
    /// `r-…` or `ou-…`
    id: String,
    path: OuPath,
    /// The ids from the root to here, this one last.
    parents: Vec<String>,
}

/// One listing that is still to be made.
enum Listing {
    Units(Place),
    Accounts(Place),
}

/// What one listing found.
enum Found {
    Units(Vec<Place>),
    Accounts(Vec<Account>),
}

impl Aws {
    /// Reads the organization: every root, unit and account, tags aside.
    ///
    /// `progress` gets the number of accounts found so far, whenever it grows.
    ///
    /// # Errors
    ///
    /// The caller's account does not belong to an organization, the caller may not read it, or a listing does not end.
    pub async fn organization(&self, progress: impl Fn(usize)) -> Result<Organization, AwsError> {
        let client = self.organizations();
        let (id, management_account) = describe(&client).await?;
        let mut organization = Organization {
            id,
            management_account,
            partition: self.partition().clone(),
            caller: self.caller().clone(),
            units: BTreeMap::new(),
            accounts: BTreeMap::new(),
        };
        let mut waiting = VecDeque::new();
        enqueue(roots(&client).await?, &mut organization, &mut waiting);
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < PARALLEL
                && let Some(listing) = waiting.pop_front()
            {
                running.push(list(&client, listing));
            }
            match running.next().await {
                None => return Ok(organization),
                Some(found) => match found? {
                    Found::Units(places) => enqueue(places, &mut organization, &mut waiting),
                    Found::Accounts(accounts) => {
                        organization
                            .accounts
                            .extend(accounts.into_iter().map(|account| (account.id, account)));
                        progress(organization.accounts.len());
                    }
                },
            }
        }
    }

    /// Reads the tags of `accounts`: one call each, or more where tags come in pages.
    pub async fn account_tags(
        &self,
        accounts: &BTreeSet<AccountId>,
    ) -> Result<BTreeMap<AccountId, Tags>, AwsError> {
        let client = &self.organizations();
        stream::iter(accounts.iter().copied())
            .map(|account| async move { Ok((account, tags_of(client, account).await?)) })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await
    }

    fn organizations(&self) -> aws_sdk_organizations::Client {
        let retries = Retries::unbounded("organizations");
        aws_sdk_organizations::Client::from_conf(
            aws_sdk_organizations::config::Builder::from(&self.base)
                .retry_partition(retries.partition.clone())
                .retry_classifier(retries.classifier(Lost::default()))
                .http_client(retries.paced(&self.base, None))
                .interceptor(Trace { account: None })
                .build(),
        )
    }
}

fn call(operation: Operation, resource: Option<&str>) -> Call<'_> {
    Call {
        account: None,
        operation,
        resource,
    }
}

/// The organization's id and its management account.
async fn describe(client: &aws_sdk_organizations::Client) -> Result<(String, AccountId), AwsError> {
    let call = call(Operation::DescribeOrganization, None);
    let answer = client
        .describe_organization()
        .send()
        .await
        .map_err(|error| explain(call.failed(&error)))?;
    let organization = call.required("Organization", answer.organization)?;
    let management = call.required("MasterAccountId", organization.master_account_id)?;
    Ok((
        call.required("Id", organization.id)?,
        account_id(call, &management)?,
    ))
}

/// Says what to do where the account stands alone or is an ordinary member.
fn explain(error: AwsError) -> AwsError {
    let advice = match error.code.as_deref() {
        Some("AWSOrganizationsNotInUseException") => {
            "the caller's account does not belong to an organization; use credentials of the organization's management account or \
             of a delegated administrator"
        }
        Some("AccessDenied" | "AccessDeniedException") => {
            "reading the organization requires its management account or a delegated administrator"
        }
        _ => return error,
    };
    AwsError {
        message: format!("{} ({advice})", error.message),
        ..error
    }
}

async fn roots(client: &aws_sdk_organizations::Client) -> Result<Vec<Place>, AwsError> {
    let call = call(Operation::ListRoots, None);
    let mut places = Vec::new();
    let mut tokens = Tokens::of(call);
    let mut pages = client.list_roots().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(call.failed(&error)))?;
        for root in page.roots.unwrap_or_default() {
            let id = call.required("Id", root.id)?;
            places.push(Place {
                parents: vec![id.clone()],
                id,
                path: OuPath::default(),
            });
        }
        tokens.check(page.next_token)?;
    }
    Ok(places)
}

fn enqueue(places: Vec<Place>, organization: &mut Organization, waiting: &mut VecDeque<Listing>) {
    for place in places {
        organization
            .units
            .insert(place.id.clone(), place.path.clone());
        waiting.push_back(Listing::Units(place.clone()));
        waiting.push_back(Listing::Accounts(place));
    }
}

async fn list(client: &aws_sdk_organizations::Client, listing: Listing) -> Result<Found, AwsError> {
    match listing {
        Listing::Units(place) => units(client, &place).await.map(Found::Units),
        Listing::Accounts(place) => accounts(client, &place).await.map(Found::Accounts),
    }
}

async fn units(
    client: &aws_sdk_organizations::Client,
    parent: &Place,
) -> Result<Vec<Place>, AwsError> {
    let call = call(
        Operation::ListOrganizationalUnitsForParent,
        Some(&parent.id),
    );
    let mut places = Vec::new();
    let mut tokens = Tokens::of(call);
    let mut pages = client
        .list_organizational_units_for_parent()
        .parent_id(&parent.id)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call.failed(&error))?;
        for unit in page.organizational_units.unwrap_or_default() {
            places.push(place_of(call, unit, parent)?);
        }
        tokens.check(page.next_token)?;
    }
    Ok(places)
}

fn place_of(call: Call<'_>, unit: OrganizationalUnit, parent: &Place) -> Result<Place, AwsError> {
    let id = call.required("Id", unit.id)?;
    let path = parent.path.child(&call.required("Name", unit.name)?);
    let parents = parent.parents.iter().chain([&id]).cloned().collect();
    Ok(Place { id, path, parents })
}

async fn accounts(
    client: &aws_sdk_organizations::Client,
    parent: &Place,
) -> Result<Vec<Account>, AwsError> {
    let call = call(Operation::ListAccountsForParent, Some(&parent.id));
    let mut accounts = Vec::new();
    let mut tokens = Tokens::of(call);
    let mut pages = client
        .list_accounts_for_parent()
        .parent_id(&parent.id)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call.failed(&error))?;
        for account in page.accounts.unwrap_or_default() {
            accounts.push(account_of(call, account, parent)?);
        }
        tokens.check(page.next_token)?;
    }
    Ok(accounts)
}

fn account_of(call: Call<'_>, given: Given, parent: &Place) -> Result<Account, AwsError> {
    let status = status(&given);
    Ok(Account {
        id: account_id(call, &call.required("Id", given.id)?)?,
        name: given.name.unwrap_or_default(),
        email: given.email.unwrap_or_default(),
        status,
        ou: parent.path.clone(),
        parents: parent.parents.clone(),
        joined: given.joined_timestamp.map(|at| at.secs()),
        tags: None,
    })
}

/// `State` where it is there, else the older `Status`, which AWS retires.
///
/// Source: Organizations API Reference, `Account`.
fn status(given: &Given) -> AccountStatus {
    let state = given
        .state()
        .map(aws_sdk_organizations::types::AccountState::as_str);
    let status = given
        .status()
        .map(aws_sdk_organizations::types::AccountStatus::as_str);
    AccountStatus(state.or(status).unwrap_or("UNKNOWN").to_owned())
}

async fn tags_of(
    client: &aws_sdk_organizations::Client,
    account: AccountId,
) -> Result<Tags, AwsError> {
    let call = call(Operation::ListTagsForResource, Some(account.as_str()));
    let mut tags = Tags::new();
    let mut tokens = Tokens::of(call);
    let mut pages = client
        .list_tags_for_resource()
        .resource_id(account.as_str())
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| call.failed(&error))?;
        tags.extend(
            page.tags
                .unwrap_or_default()
                .into_iter()
                .map(|tag| (tag.key, tag.value)),
        );
        tokens.check(page.next_token)?;
    }
    Ok(tags)
}

/// The pages of a listing that were named so far.
struct Tokens<'a> {
    call: Call<'a>,
    seen: BTreeSet<String>,
}

impl<'a> Tokens<'a> {
    fn of(call: Call<'a>) -> Self {
        Self {
            call,
            seen: BTreeSet::new(),
        }
    }

    /// Refuses a page that was named before. The SDK stops without a word where a page names itself, and what is missing
    /// then must not look absent; where two name each other it never stops.
    fn check(&mut self, next: Option<String>) -> Result<(), AwsError> {
        match next {
            Some(token) if !token.is_empty() && !self.seen.insert(token.clone()) => Err(self
                .call
                .because("the listing does not end: its next page was already read")),
            _ => Ok(()),
        }
    }
}

fn account_id(call: Call<'_>, text: &str) -> Result<AccountId, AwsError> {
    AccountId::parse(text).map_err(|error| call.because(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::testing::{Asked, Fake, default};
    use super::*;

    fn json(text: &str) -> (u16, String) {
        (200, text.to_owned())
    }

    /// root (a, and b on page two after an empty page) > Work > Prod (c, suspended by its newer state)
    fn tree(asked: &Asked) -> (u16, String) {
        match (
            asked.operation.as_str(),
            asked.get("ParentId"),
            asked.get("NextToken"),
        ) {
            ("DescribeOrganization", ..) => {
                json(r#"{"Organization": {"Id": "o-example", "MasterAccountId": "111111111111"}}"#)
            }
            ("ListRoots", ..) => json(r#"{"Roots": [{"Id": "r-ab12"}]}"#),
            ("ListOrganizationalUnitsForParent", "r-ab12", "") => {
                json(r#"{"OrganizationalUnits": [], "NextToken": "u2"}"#)
            }
            ("ListOrganizationalUnitsForParent", "r-ab12", "u2") => {
                json(r#"{"OrganizationalUnits": [{"Id": "ou-ab12-11111111", "Name": "Work"}]}"#)
            }
            ("ListOrganizationalUnitsForParent", "ou-ab12-11111111", _) => {
                json(r#"{"OrganizationalUnits": [{"Id": "ou-ab12-22222222", "Name": "Prod"}]}"#)
            }
            ("ListAccountsForParent", "r-ab12", "") => json(
                r#"{"Accounts": [{"Id": "111111111111", "Name": "a", "Email": "a@example.com", "State": "ACTIVE"}], "NextToken": "a2"}"#,
            ),
            ("ListAccountsForParent", "r-ab12", "a2") => {
                json(r#"{"Accounts": [], "NextToken": "a3"}"#)
            }
            ("ListAccountsForParent", "r-ab12", "a3") => {
                json(r#"{"Accounts": [{"Id": "000000000002", "Name": "b", "Status": "ACTIVE"}]}"#)
            }
            ("ListAccountsForParent", "ou-ab12-22222222", _) => json(
                r#"{"Accounts": [{"Id": "000000000003", "Name": "c", "Status": "ACTIVE", "State": "PENDING_CLOSURE"}]}"#,
            ),
            ("ListOrganizationalUnitsForParent" | "ListAccountsForParent", ..) => json("{}"),
            _ => default(),
        }
    }

    #[tokio::test]
    async fn one_walk_finds_every_account_and_its_place() {
        let throttled = AtomicUsize::new(0);
        let fake = Fake::new(move |asked| {
            if asked.operation == "ListAccountsForParent"
                && throttled.fetch_add(1, Ordering::Relaxed) == 0
            {
                return (
                    400,
                    r#"{"__type": "TooManyRequestsException", "Message": "slow down"}"#.to_owned(),
                );
            }
            tree(asked)
        });
        let found = Mutex::new(Vec::new());
        let organization = fake
            .aws()
            .await
            .organization(|n| found.lock().unwrap().push(n))
            .await
            .unwrap();
        assert_eq!(
            (organization.id.as_str(), organization.partition.0.as_str()),
            ("o-example", "aws-cn")
        );
        let seen: Vec<_> = organization
            .accounts
            .values()
            .map(|account| {
                format!(
                    "{} {} {} {} {:?}",
                    account.id, account.name, account.status, account.ou, account.parents
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                r#"000000000002 b ACTIVE  ["r-ab12"]"#,
                r#"000000000003 c PENDING_CLOSURE Work/Prod ["r-ab12", "ou-ab12-11111111", "ou-ab12-22222222"]"#,
                r#"111111111111 a ACTIVE  ["r-ab12"]"#,
            ]
        );
        assert_eq!(
            organization.units["ou-ab12-22222222"],
            OuPath("Work/Prod".to_owned())
        );
        assert_eq!(found.into_inner().unwrap().last(), Some(&3));
    }

    #[tokio::test]
    async fn a_listing_that_repeats_a_token_is_no_listing() {
        for (operation, member) in [
            ("ListRoots", "Roots"),
            ("ListOrganizationalUnitsForParent", "OrganizationalUnits"),
            ("ListAccountsForParent", "Accounts"),
        ] {
            // A page that names itself, and two that name each other.
            for other in ["a", "b"] {
                let fake = Fake::new(move |asked| {
                    if asked.operation != operation {
                        return tree(asked);
                    }
                    let next = if asked.get("NextToken") == "a" {
                        other
                    } else {
                        "a"
                    };
                    json(&format!(r#"{{"{member}": [], "NextToken": "{next}"}}"#))
                });
                let error = fake.aws().await.organization(|_| {}).await.unwrap_err();
                assert!(error.message.contains("does not end"), "{error}");
                assert!(fake.count(operation) < 20, "{operation}");
            }
        }
        let fake = Fake::new(
            |asked| match (asked.operation.as_str(), asked.get("NextToken")) {
                ("ListTagsForResource", "a") => json(r#"{"Tags": [], "NextToken": "b"}"#),
                ("ListTagsForResource", _) => json(r#"{"Tags": [], "NextToken": "a"}"#),
                _ => tree(asked),
            },
        );
        let wanted = [AccountId::parse("111111111111").unwrap()].into();
        let error = fake.aws().await.account_tags(&wanted).await.unwrap_err();
        assert!(
            error.operation == "ListTagsForResource" && error.message.contains("does not end"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn an_account_that_stands_alone_is_told_what_to_do() {
        let fake = Fake::new(|asked| {
            match asked.operation.as_str() {
            "DescribeOrganization" => (
                400,
                r#"{"__type": "AWSOrganizationsNotInUseException", "Message": "Your account is not a member of an organization."}"#
                    .to_owned(),
            ),
            _ => default(),
        }
        });
        let error = fake.aws().await.organization(|_| {}).await.unwrap_err();
        assert!(
            error.is("AWSOrganizationsNotInUseException")
                && error.message.contains("does not belong to an organization"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn tags_come_in_pages() {
        let fake = Fake::new(|asked| {
            match (
                asked.operation.as_str(),
                asked.get("ResourceId"),
                asked.get("NextToken"),
            ) {
                ("ListTagsForResource", "000000000002", "") => {
                    json(r#"{"Tags": [{"Key": "env", "Value": "prod"}], "NextToken": "t2"}"#)
                }
                ("ListTagsForResource", "000000000002", _) => {
                    json(r#"{"Tags": [{"Key": "team", "Value": "a+b"}]}"#)
                }
                ("ListTagsForResource", ..) => json(r#"{"Tags": []}"#),
                _ => default(),
            }
        });
        let ids = ["000000000002", "000000000003"].map(|id| AccountId::parse(id).unwrap());
        let tags = fake.aws().await.account_tags(&ids.into()).await.unwrap();
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            tags[&ids[0]],
            Tags::from([tag("env", "prod"), tag("team", "a+b")])
        );
        assert!(tags[&ids[1]].is_empty());
    }
}
