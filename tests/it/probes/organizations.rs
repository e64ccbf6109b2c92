//! Organizations: pages, moves, tags, creation and closure of accounts.

use aws_sdk_organizations::operation::list_accounts::ListAccountsOutput;
use aws_sdk_organizations::types::Tag;

use super::stage::{Stage, code};
use super::{Probe, probe};

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

impl Stage {
    /// A unit below `parent`, named after the account; its id.
    async fn unit(&self, parent: &str, name: &str) -> String {
        let name = format!("{name}-{}", self.account);
        let answer = self
            .cloud
            .organizations
            .create_organizational_unit()
            .parent_id(parent)
            .name(name)
            .send()
            .await;
        answer.unwrap().organizational_unit.unwrap().id.unwrap()
    }

    async fn move_account(&self, account: &str, source: &str, destination: &str) -> String {
        let moved = self.cloud.organizations.move_account().account_id(account);
        code(
            &moved
                .source_parent_id(source)
                .destination_parent_id(destination)
                .send()
                .await,
        )
    }

    async fn tag_account(&self, tags: Vec<Tag>) -> String {
        let tagged = self
            .cloud
            .organizations
            .tag_resource()
            .resource_id(&self.account)
            .set_tags(Some(tags));
        code(&tagged.send().await)
    }

    /// The account's tags as `key=value`, joined.
    async fn account_tags(&self) -> String {
        let answer = self
            .cloud
            .organizations
            .list_tags_for_resource()
            .resource_id(&self.account)
            .send()
            .await;
        let mut tags: Vec<String> = answer
            .unwrap()
            .tags()
            .iter()
            .map(|tag| format!("{}={}", tag.key, tag.value))
            .collect();
        tags.sort();
        tags.join(" ")
    }

    async fn close(&self) -> String {
        code(
            &self
                .cloud
                .organizations
                .close_account()
                .account_id(&self.account)
                .send()
                .await,
        )
    }

    /// A unit id of the right form that nothing has.
    fn no_unit(&self) -> String {
        format!("ou-{}-00000000", self.built.root.trim_start_matches("r-"))
    }

    /// An account as Organizations describes it.
    async fn described(&self) -> aws_sdk_organizations::types::Account {
        let answer = self
            .cloud
            .organizations
            .describe_account()
            .account_id(&self.account)
            .send()
            .await;
        answer.unwrap().account.unwrap()
    }
}

/// An account that no organization has.
const NOBODY: &str = "000000000001";

pub fn probes() -> Vec<Probe> {
    let mut probes = lists();
    probes.extend(moves());
    probes.extend(tags());
    probes.extend(lives());
    probes
}

fn lists() -> Vec<Probe> {
    vec![
        probe(
            "accounts_come_in_pages_of_at_most_max_results",
            "at most 5, each once",
            "Organizations API Reference, ListAccounts",
            |s| async move {
                let pages = s
                    .cloud
                    .organizations
                    .list_accounts()
                    .into_paginator()
                    .page_size(5)
                    .send();
                let pages = pages.try_collect().await.unwrap();
                let longest = pages
                    .iter()
                    .map(|page| page.accounts().len())
                    .max()
                    .unwrap();
                let mut ids: Vec<&String> = pages
                    .iter()
                    .flat_map(ListAccountsOutput::accounts)
                    .filter_map(|account| account.id.as_ref())
                    .collect();
                let count = ids.len();
                ids.sort();
                ids.dedup();
                // All accounts that were built, and the management account.
                let complete = ids.len() == count && count > s.built.accounts.len();
                format!(
                    "at most {longest}, {}",
                    if complete {
                        "each once"
                    } else {
                        "not each once"
                    }
                )
            },
        ),
        probe(
            "more_than_20_accounts_per_page_are_refused",
            "InvalidInputException",
            "Organizations API Reference, ListAccounts",
            |s| async move {
                code(
                    &s.cloud
                        .organizations
                        .list_accounts()
                        .max_results(21)
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_next_token_that_was_never_given_is_refused",
            "InvalidInputException",
            "Organizations API Reference, ListAccounts",
            |s| async move {
                code(
                    &s.cloud
                        .organizations
                        .list_accounts()
                        .next_token("nonsense")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_member_account_may_not_list_accounts",
            "AccessDeniedException",
            "Organizations API Reference, ListAccounts",
            |s| async move {
                code(
                    &s.cloud
                        .organizations_of(&s.account)
                        .await
                        .list_accounts()
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_member_account_may_describe_its_organization",
            "ok",
            "Organizations API Reference, DescribeOrganization",
            |s| async move {
                code(
                    &s.cloud
                        .organizations_of(&s.account)
                        .await
                        .describe_organization()
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "an_unknown_account_cannot_be_described",
            "AccountNotFoundException",
            "Organizations API Reference, DescribeAccount",
            |s| async move {
                code(
                    &s.cloud
                        .organizations
                        .describe_account()
                        .account_id(NOBODY)
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "an_account_tells_its_path",
            "organization/root/account/",
            "Organizations API Reference, Account",
            |s| async move {
                let account = s.described().await;
                let path = account
                    .paths()
                    .join(" ")
                    .replace(&s.built.organization, "organization");
                path.replace(&s.built.root, "root")
                    .replace(&s.account, "account")
            },
        ),
        probe(
            "an_open_account_is_in_state_active",
            "ACTIVE",
            "Organizations API Reference, Account",
            |s| async move {
                s.described()
                    .await
                    .state
                    .map_or("absent".to_owned(), |state| state.as_str().to_owned())
            },
        ),
        probe(
            "the_parents_of_an_unknown_account_cannot_be_listed",
            "ChildNotFoundException",
            "Organizations API Reference, ListParents",
            |s| async move {
                code(
                    &s.cloud
                        .organizations
                        .list_parents()
                        .child_id(NOBODY)
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "the_accounts_of_an_unknown_unit_cannot_be_listed",
            "ParentNotFoundException",
            "Organizations API Reference, ListAccountsForParent",
            |s| async move {
                code(
                    &s.cloud
                        .organizations
                        .list_accounts_for_parent()
                        .parent_id(s.no_unit())
                        .send()
                        .await,
                )
            },
        ),
    ]
}

fn moves() -> Vec<Probe> {
    vec![
        probe(
            "an_account_moves",
            "ok",
            "Organizations API Reference, MoveAccount",
            |s| async move {
                let unit = s.unit(&s.built.root, "moves").await;
                let moved = s.move_account(&s.account, &s.built.root, &unit).await;
                let parents = s
                    .cloud
                    .organizations
                    .list_parents()
                    .child_id(&s.account)
                    .send()
                    .await
                    .unwrap();
                if parents.parents()[0].id.as_ref() == Some(&unit) {
                    moved
                } else {
                    "it did not move".to_owned()
                }
            },
        ),
        probe(
            "an_account_does_not_move_from_where_nothing_is",
            "SourceParentNotFoundException",
            "Organizations API Reference, MoveAccount",
            |s| async move {
                let unit = s.unit(&s.built.root, "source").await;
                s.move_account(&s.account, &s.no_unit(), &unit).await
            },
        ),
        probe(
            "an_account_does_not_move_to_where_nothing_is",
            "DestinationParentNotFoundException",
            "Organizations API Reference, MoveAccount",
            |s| async move {
                s.move_account(&s.account, &s.built.root, &s.no_unit())
                    .await
            },
        ),
        probe(
            "an_account_does_not_move_to_where_it_is",
            "DuplicateAccountException",
            "Organizations API Reference, MoveAccount",
            |s| async move {
                s.move_account(&s.account, &s.built.root, &s.built.root)
                    .await
            },
        ),
        probe(
            "an_unknown_account_does_not_move",
            "AccountNotFoundException",
            "Organizations API Reference, MoveAccount",
            |s| async move {
                let unit = s.unit(&s.built.root, "unknown").await;
                s.move_account(NOBODY, &s.built.root, &unit).await
            },
        ),
        probe(
            "two_units_of_one_parent_have_two_names",
            "DuplicateOrganizationalUnitException",
            "Organizations API Reference, CreateOrganizationalUnit",
            |s| async move {
                s.unit(&s.built.root, "twin").await;
                let create = s
                    .cloud
                    .organizations
                    .create_organizational_unit()
                    .parent_id(&s.built.root);
                code(&create.name(format!("twin-{}", s.account)).send().await)
            },
        ),
        probe(
            "a_unit_needs_a_parent",
            "ParentNotFoundException",
            "Organizations API Reference, CreateOrganizationalUnit",
            |s| async move {
                let create = s
                    .cloud
                    .organizations
                    .create_organizational_unit()
                    .parent_id(s.no_unit());
                code(&create.name("orphan").send().await)
            },
        ),
        probe(
            "a_unit_six_levels_deep_is_refused",
            "ConstraintViolationException",
            "Organizations API Reference, CreateOrganizationalUnit",
            |s| async move {
                let mut parent = s.built.root.clone();
                for level in 1..=5 {
                    parent = s.unit(&parent, &format!("level{level}")).await;
                }
                let create = s
                    .cloud
                    .organizations
                    .create_organizational_unit()
                    .parent_id(&parent);
                code(&create.name("level6").send().await)
            },
        ),
    ]
}

fn tags() -> Vec<Probe> {
    const PAGE: &str = "Organizations API Reference, TagResource";
    vec![
        probe(
            "an_account_keeps_its_tags",
            "env=prod",
            PAGE,
            |s| async move {
                s.tag_account(vec![tag("env", "dev"), tag("team", "web")])
                    .await;
                s.tag_account(vec![tag("env", "prod")]).await;
                let untag = s
                    .cloud
                    .organizations
                    .untag_resource()
                    .resource_id(&s.account)
                    .tag_keys("team");
                untag.send().await.unwrap();
                s.account_tags().await
            },
        ),
        probe(
            "tag_keys_of_accounts_differ_by_case",
            "Env=b env=a",
            "Organizations User Guide, Tagging AWS Organizations resources",
            |s| async move {
                s.tag_account(vec![tag("env", "a")]).await;
                s.tag_account(vec![tag("Env", "b")]).await;
                s.account_tags().await
            },
        ),
        probe(
            "an_unknown_account_cannot_be_tagged",
            "TargetNotFoundException",
            PAGE,
            |s| async move {
                code(
                    &s.cloud
                        .organizations
                        .tag_resource()
                        .resource_id(NOBODY)
                        .tags(tag("env", "prod"))
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "an_account_is_not_tagged_twice_with_one_key",
            "InvalidInputException",
            PAGE,
            |s| async move { s.tag_account(vec![tag("env", "a"), tag("env", "b")]).await },
        ),
        probe(
            "an_account_is_not_tagged_with_a_key_of_awss",
            "InvalidInputException",
            PAGE,
            |s| async move { s.tag_account(vec![tag("aws:env", "a")]).await },
        ),
        probe(
            "an_account_has_at_most_50_tags",
            "ConstraintViolationException",
            PAGE,
            |s| async move {
                s.tag_account(
                    (0..50)
                        .map(|number| tag(&format!("key{number}"), "value"))
                        .collect(),
                )
                .await;
                s.tag_account(vec![tag("one-more", "value")]).await
            },
        ),
    ]
}

fn lives() -> Vec<Probe> {
    vec![
        probe(
            "an_account_comes_about_after_the_answer",
            "IN_PROGRESS",
            "Organizations API Reference, CreateAccount",
            |s| async move {
                let create = s.cloud.organizations.create_account().account_name("later");
                let answer = create
                    .email(format!("later-{}@example.com", s.account))
                    .send()
                    .await
                    .unwrap();
                answer
                    .create_account_status
                    .unwrap()
                    .state
                    .unwrap()
                    .as_str()
                    .to_owned()
            },
        ),
        probe(
            "two_accounts_have_two_email_addresses",
            "EMAIL_ALREADY_EXISTS",
            "Organizations API Reference, CreateAccountStatus",
            |s| async move {
                let email = s.described().await.email.unwrap();
                let create = s
                    .cloud
                    .organizations
                    .create_account()
                    .account_name("twin")
                    .email(email);
                let status = create.send().await.unwrap().create_account_status.unwrap();
                let asked = s.cloud.organizations.describe_create_account_status();
                let answer = asked
                    .create_account_request_id(status.id.unwrap())
                    .send()
                    .await
                    .unwrap();
                let reason = answer.create_account_status.unwrap().failure_reason;
                reason.map_or("none".to_owned(), |reason| reason.as_str().to_owned())
            },
        ),
        probe(
            "a_creation_that_nobody_asked_for_cannot_be_described",
            "CreateAccountStatusNotFoundException",
            "Organizations API Reference, DescribeCreateAccountStatus",
            |s| async move {
                let asked = s.cloud.organizations.describe_create_account_status();
                code(
                    &asked
                        .create_account_request_id("car-00000000000000000000000000000000")
                        .send()
                        .await,
                )
            },
        ),
        probe(
            "a_closed_account_is_suspended",
            "SUSPENDED",
            "Organizations API Reference, CloseAccount",
            |s| async move {
                s.close().await;
                s.described().await.status.unwrap().as_str().to_owned()
            },
        ),
        probe(
            "a_closed_account_is_in_state_closed",
            "CLOSED",
            "Organizations User Guide, Monitor the state of your AWS accounts",
            |s| async move {
                s.close().await;
                s.described()
                    .await
                    .state
                    .map_or("absent".to_owned(), |state| state.as_str().to_owned())
            },
        ),
        probe(
            "an_account_is_closed_once",
            "AccountAlreadyClosedException",
            "Organizations API Reference, CloseAccount",
            |s| async move {
                s.close().await;
                s.close().await
            },
        ),
        probe(
            "the_management_account_cannot_be_closed",
            "ConstraintViolationException",
            "Organizations API Reference, CloseAccount",
            |s| async move {
                let management = s.cloud.account().await;
                code(
                    &s.cloud
                        .organizations
                        .close_account()
                        .account_id(management)
                        .send()
                        .await,
                )
            },
        ),
    ]
}
