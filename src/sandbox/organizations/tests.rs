#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

const MANAGEMENT: &str = "111111111111";
const MEMBER: &str = "444444444441";

fn id(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

#[track_caller]
fn ok(world: &mut World, operation: &str, input: &Value) -> Value {
    let management = world.organization.management_account;
    call(world, management, operation, input.to_string().as_bytes()).unwrap()
}

fn code(world: &mut World, caller: &str, operation: &str, input: &Value) -> String {
    match call(world, id(caller), operation, input.to_string().as_bytes()) {
        Ok(_) => String::new(),
        Err(error) => error.code,
    }
}

/// Every entry of a list, page by page, and how many pages there were.
fn all(world: &mut World, operation: &str, list: &str, mut input: Value) -> (Vec<Value>, usize) {
    let (mut entries, mut pages) = (Vec::new(), 0);
    loop {
        let page = ok(world, operation, &input);
        pages += 1;
        entries.extend(page[list].as_array().unwrap().clone());
        match page.get("NextToken") {
            Some(token) => input["NextToken"] = token.clone(),
            None => return (entries, pages),
        }
    }
}

fn unit(world: &World, name: &str) -> String {
    world
        .organization
        .units
        .iter()
        .find(|(_, unit)| unit.name == name)
        .unwrap()
        .0
        .clone()
}

#[test]
fn every_account_is_listed_once_over_pages_of_at_most_twenty() {
    for (accounts, asked, pages) in [
        (1, None, 1),
        (20, None, 1),
        (21, None, 2),
        (50, Some(20), 3),
        (50, Some(7), 8),
    ] {
        let mut world = World::generated(accounts, 5, 1);
        let input = asked.map_or(json!({}), |asked| json!({ "MaxResults": asked }));
        let (entries, seen) = all(&mut world, "ListAccounts", "Accounts", input);
        let ids: BTreeSet<&str> = entries
            .iter()
            .map(|account| account["Id"].as_str().unwrap())
            .collect();
        assert_eq!(
            (entries.len(), ids.len(), seen),
            (accounts as usize, accounts as usize, pages)
        );
    }
}

#[test]
fn a_small_page_size_of_the_world_beats_what_is_asked_for() {
    let mut world = World::demo();
    world.organization.page_size = 5;
    assert_eq!(
        all(
            &mut world,
            "ListAccounts",
            "Accounts",
            json!({ "MaxResults": 20 })
        )
        .1,
        3
    );
}

#[test]
fn an_account_made_between_two_pages_shifts_nobody() {
    let mut world = World::demo();
    let first = ok(&mut world, "ListAccounts", &json!({ "MaxResults": 6 }));
    let last = first["Accounts"][5]["Id"].as_str().unwrap().to_owned();
    let gone = id(first["Accounts"][1]["Id"].as_str().unwrap());
    world.accounts.remove(&gone);
    let second = ok(
        &mut world,
        "ListAccounts",
        &json!({ "NextToken": first["NextToken"] }),
    );
    let ids: Vec<&str> = second["Accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["Id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 6);
    assert!(ids.iter().all(|id| **id > *last));
}

#[test]
fn the_tree_is_the_same_from_above_and_from_below() {
    let mut world = World::generated(45, 7, 3);
    let root = world.organization.root.clone();
    assert_eq!(
        ok(&mut world, "ListRoots", &json!({}))["Roots"][0]["Id"],
        root.as_str()
    );
    let (mut waiting, mut accounts) = (vec![root.clone()], 0);
    let mut units = 0;
    while let Some(parent) = waiting.pop() {
        let input = json!({ "ParentId": parent, "MaxResults": 2 });
        for unit in all(
            &mut world,
            "ListOrganizationalUnitsForParent",
            "OrganizationalUnits",
            input.clone(),
        )
        .0
        {
            let unit = unit["Id"].as_str().unwrap().to_owned();
            assert_eq!(
                ok(&mut world, "ListParents", &json!({ "ChildId": unit }))["Parents"][0]["Id"],
                parent.as_str()
            );
            waiting.push(unit);
            units += 1;
        }
        let listed = all(
            &mut world,
            "ListAccountsForParent",
            "Accounts",
            input.clone(),
        )
        .0;
        let children = json!({ "ParentId": parent, "ChildType": "ACCOUNT" });
        assert_eq!(
            all(&mut world, "ListChildren", "Children", children)
                .0
                .len(),
            listed.len()
        );
        for account in listed {
            let above = ok(
                &mut world,
                "ListParents",
                &json!({ "ChildId": account["Id"] }),
            );
            let kind = if parent == root {
                "ROOT"
            } else {
                "ORGANIZATIONAL_UNIT"
            };
            assert_eq!(above["Parents"], json!([{ "Id": parent, "Type": kind }]));
            assert!(
                account["Paths"][0]
                    .as_str()
                    .unwrap()
                    .contains(&format!("/{parent}/"))
            );
            accounts += 1;
        }
    }
    assert_eq!((accounts, units), (45, 7));
}

#[test]
fn an_account_is_described_with_its_status_and_its_newer_state() {
    let mut world = World::demo();
    for (state, status) in [
        ("ACTIVE", "ACTIVE"),
        ("SUSPENDED", "SUSPENDED"),
        ("CLOSED", "SUSPENDED"),
        ("PENDING_CLOSURE", "PENDING_CLOSURE"),
    ] {
        state.clone_into(&mut world.accounts.get_mut(&id(MEMBER)).unwrap().status);
        let account = ok(
            &mut world,
            "DescribeAccount",
            &json!({ "AccountId": MEMBER }),
        )["Account"]
            .clone();
        assert_eq!(
            (&account["Status"], &account["State"]),
            (&json!(status), &json!(state))
        );
        assert_eq!(
            account["Arn"],
            "arn:aws:organizations::111111111111:account/o-rolecalldemo/444444444441"
        );
    }
    let organization = ok(&mut world, "DescribeOrganization", &json!({}))["Organization"].clone();
    assert_eq!(organization["MasterAccountId"], MANAGEMENT);
}

#[test]
fn every_refusal_has_the_documented_code() {
    let mut world = World::demo();
    let root = world.organization.root.clone();
    let (prod, dev) = (unit(&world, "Prod"), unit(&world, "Dev"));
    let moved = |source: &str, destination: &str| json!({ "AccountId": MEMBER, "SourceParentId": source, "DestinationParentId": destination });
    let tagged = |key: &str| json!({ "ResourceId": MEMBER, "Tags": [{ "Key": key, "Value": "" }] });
    let doubled = json!([{ "Key": "a", "Value": "" }, { "Key": "a", "Value": "b" }]);
    let many: Vec<Value> = (0..51)
        .map(|n| json!({ "Key": format!("k{n}"), "Value": "" }))
        .collect();
    for (operation, input, expect) in [
        (
            "DescribeAccount",
            json!({ "AccountId": "999999999999" }),
            "AccountNotFoundException",
        ),
        (
            "DescribeAccount",
            json!({ "AccountId": "9" }),
            "InvalidInputException",
        ),
        ("DescribeAccount", json!({}), "InvalidInputException"),
        (
            "ListAccounts",
            json!({ "MaxResults": 21 }),
            "InvalidInputException",
        ),
        (
            "ListAccounts",
            json!({ "MaxResults": 0 }),
            "InvalidInputException",
        ),
        (
            "ListAccounts",
            json!({ "NextToken": "ListRoots/x" }),
            "InvalidInputException",
        ),
        (
            "ListAccountsForParent",
            json!({ "ParentId": "ou-none-12345678" }),
            "ParentNotFoundException",
        ),
        (
            "ListOrganizationalUnitsForParent",
            json!({ "ParentId": MEMBER }),
            "ParentNotFoundException",
        ),
        (
            "ListParents",
            json!({ "ChildId": root }),
            "ChildNotFoundException",
        ),
        (
            "ListChildren",
            json!({ "ParentId": root, "ChildType": "USER" }),
            "InvalidInputException",
        ),
        (
            "DescribeOrganizationalUnit",
            json!({ "OrganizationalUnitId": root }),
            "OrganizationalUnitNotFoundException",
        ),
        (
            "DescribeCreateAccountStatus",
            json!({ "CreateAccountRequestId": "car-x" }),
            "CreateAccountStatusNotFoundException",
        ),
        (
            "ListTagsForResource",
            json!({ "ResourceId": "999999999999" }),
            "TargetNotFoundException",
        ),
        ("TagResource", tagged(""), "InvalidInputException"),
        ("TagResource", tagged("AWS:x"), "InvalidInputException"),
        (
            "TagResource",
            tagged(&"k".repeat(129)),
            "InvalidInputException",
        ),
        (
            "TagResource",
            json!({ "ResourceId": MEMBER, "Tags": doubled }),
            "InvalidInputException",
        ),
        (
            "TagResource",
            json!({ "ResourceId": MEMBER, "Tags": many }),
            "ConstraintViolationException",
        ),
        (
            "CreateOrganizationalUnit",
            json!({ "ParentId": root, "Name": "Workloads" }),
            "DuplicateOrganizationalUnitException",
        ),
        (
            "CreateOrganizationalUnit",
            json!({ "ParentId": "r-none", "Name": "x" }),
            "ParentNotFoundException",
        ),
        (
            "CreateOrganizationalUnit",
            json!({ "ParentId": root, "Name": "" }),
            "InvalidInputException",
        ),
        (
            "CreateAccount",
            json!({ "AccountName": "", "Email": "a@example.com" }),
            "InvalidInputException",
        ),
        (
            "CreateAccount",
            json!({ "AccountName": "a", "Email": "nobody" }),
            "InvalidInputException",
        ),
        (
            "MoveAccount",
            moved(&dev, &root),
            "SourceParentNotFoundException",
        ),
        (
            "MoveAccount",
            moved(&prod, "r-none"),
            "DestinationParentNotFoundException",
        ),
        (
            "MoveAccount",
            moved(&prod, &prod),
            "DuplicateAccountException",
        ),
        (
            "CloseAccount",
            json!({ "AccountId": MANAGEMENT }),
            "ConstraintViolationException",
        ),
        (
            "CloseAccount",
            json!({ "AccountId": "666666666662" }),
            "AccountAlreadyClosedException",
        ),
        (
            "RegisterDelegatedAdministrator",
            json!({ "AccountId": MANAGEMENT, "ServicePrincipal": "x.amazonaws.com" }),
            "ConstraintViolationException",
        ),
    ] {
        assert_eq!(
            code(&mut world, MANAGEMENT, operation, &input),
            expect,
            "{operation} {input}"
        );
    }
    assert_eq!(
        call(&mut world, id(MANAGEMENT), "ListRoots", b"[")
            .unwrap_err()
            .code,
        "SerializationException"
    );
}

#[test]
fn members_may_ask_for_the_organization_and_delegated_administrators_may_read() {
    let mut world = World::demo();
    let denied = "AccessDeniedException";
    let check = |world: &mut World, lists: &str, writes: &str| {
        assert_eq!(code(world, MEMBER, "DescribeOrganization", &json!({})), "");
        assert_eq!(code(world, MEMBER, "ListAccounts", &json!({})), lists);
        let tags = json!({ "ResourceId": MEMBER, "Tags": [] });
        assert_eq!(code(world, MEMBER, "TagResource", &tags), writes);
    };
    check(&mut world, denied, denied);
    let input = json!({ "AccountId": MEMBER, "ServicePrincipal": "access-analyzer.amazonaws.com" });
    ok(&mut world, "RegisterDelegatedAdministrator", &input);
    check(&mut world, "", denied);
    let listed = ok(&mut world, "ListDelegatedAdministrators", &json!({}));
    assert_eq!(listed["DelegatedAdministrators"][0]["Id"], MEMBER);
}

#[test]
fn a_created_account_can_be_entered_and_an_email_serves_once() {
    let mut world = World::demo();
    let mut create = |name: &str| {
        let input = json!({ "AccountName": name, "Email": "New@example.com", "Tags": [{ "Key": "env", "Value": "dev" }] });
        let begun = ok(&mut world, "CreateAccount", &input)["CreateAccountStatus"].clone();
        assert_eq!(begun["State"], "IN_PROGRESS");
        let input = json!({ "CreateAccountRequestId": begun["Id"] });
        ok(&mut world, "DescribeCreateAccountStatus", &input)["CreateAccountStatus"].clone()
    };
    let (first, second) = (create("first"), create("second"));
    assert_eq!(
        (&second["State"], &second["FailureReason"]),
        (&json!("FAILED"), &json!("EMAIL_ALREADY_EXISTS"))
    );
    assert_eq!(
        (&first["State"], &first["AccountName"]),
        (&json!("SUCCEEDED"), &json!("first"))
    );
    let account = &world.accounts[&id(first["AccountId"].as_str().unwrap())];
    assert_eq!(
        (account.parent.as_str(), account.tags["env"].as_str()),
        (world.organization.root.as_str(), "dev")
    );
    assert!(
        account
            .iam
            .roles
            .contains_key("organizationaccountaccessrole")
    );
}

#[test]
fn an_account_is_moved_tagged_and_closed() {
    let mut world = World::demo();
    let (prod, dev) = (unit(&world, "Prod"), unit(&world, "Dev"));
    let moved = json!({ "AccountId": MEMBER, "SourceParentId": prod, "DestinationParentId": dev });
    ok(&mut world, "MoveAccount", &moved);
    assert_eq!(world.accounts[&id(MEMBER)].parent, dev);
    for resource in [MEMBER.to_owned(), dev, world.organization.root.clone()] {
        let tags = json!({ "ResourceId": resource, "Tags": [{ "Key": "a", "Value": "1" }, { "Key": "b", "Value": "" }] });
        ok(&mut world, "TagResource", &tags);
        ok(
            &mut world,
            "UntagResource",
            &json!({ "ResourceId": resource, "TagKeys": ["a", "env", "team"] }),
        );
        let tags = ok(
            &mut world,
            "ListTagsForResource",
            &json!({ "ResourceId": resource }),
        );
        assert_eq!(tags["Tags"], json!([{ "Key": "b", "Value": "" }]));
    }
    ok(&mut world, "CloseAccount", &json!({ "AccountId": MEMBER }));
    let account = ok(
        &mut world,
        "DescribeAccount",
        &json!({ "AccountId": MEMBER }),
    );
    assert_eq!(account["Account"]["Status"], "SUSPENDED");
}

#[test]
fn units_nest_five_levels_deep() {
    let mut world = World::demo();
    let mut parent = world.organization.root.clone();
    for level in 1..=5 {
        let unit = ok(
            &mut world,
            "CreateOrganizationalUnit",
            &json!({ "ParentId": parent, "Name": format!("L{level}") }),
        );
        parent = unit["OrganizationalUnit"]["Id"]
            .as_str()
            .unwrap()
            .to_owned();
    }
    let input = json!({ "ParentId": parent, "Name": "L6" });
    assert_eq!(
        code(&mut world, MANAGEMENT, "CreateOrganizationalUnit", &input),
        "ConstraintViolationException"
    );
}

#[test]
fn a_unit_is_renamed_and_keeps_its_id_and_its_accounts() {
    let mut world = World::demo();
    let prod = unit(&world, "Prod");
    let renamed = ok(
        &mut world,
        "UpdateOrganizationalUnit",
        &json!({ "OrganizationalUnitId": prod, "Name": "Production" }),
    );
    assert_eq!(renamed["OrganizationalUnit"]["Name"], "Production");
    assert_eq!(renamed["OrganizationalUnit"]["Id"], prod.as_str());
    let input = json!({ "ParentId": prod });
    let (accounts, _) = all(&mut world, "ListAccountsForParent", "Accounts", input);
    assert_eq!(accounts.len(), 3);
    for (input, expect) in [
        (
            json!({ "OrganizationalUnitId": prod, "Name": "Dev" }),
            "DuplicateOrganizationalUnitException",
        ),
        (
            json!({ "OrganizationalUnitId": "ou-none-00000000", "Name": "X" }),
            "OrganizationalUnitNotFoundException",
        ),
        (
            json!({ "OrganizationalUnitId": prod, "Name": "" }),
            "InvalidInputException",
        ),
        (
            json!({ "OrganizationalUnitId": prod, "Name": "Production" }),
            "",
        ),
        (json!({ "OrganizationalUnitId": prod }), ""),
    ] {
        assert_eq!(
            code(&mut world, MANAGEMENT, "UpdateOrganizationalUnit", &input),
            expect,
            "{input}"
        );
    }
    let input = json!({ "OrganizationalUnitId": prod, "Name": "X" });
    assert_eq!(
        code(&mut world, MEMBER, "UpdateOrganizationalUnit", &input),
        "AccessDeniedException"
    );
}

#[test]
fn an_account_that_was_removed_is_listed_no_more() {
    let mut world = World::demo();
    let input = json!({ "AccountId": MEMBER });
    assert_eq!(
        code(&mut world, MEMBER, "RemoveAccountFromOrganization", &input),
        "AccessDeniedException"
    );
    ok(&mut world, "RemoveAccountFromOrganization", &input);
    let (accounts, _) = all(&mut world, "ListAccounts", "Accounts", json!({}));
    assert_eq!(accounts.len(), 11);
    for (operation, expect) in [
        ("DescribeAccount", "AccountNotFoundException"),
        ("RemoveAccountFromOrganization", "AccountNotFoundException"),
        ("CloseAccount", "AccountNotFoundException"),
    ] {
        assert_eq!(
            code(&mut world, MANAGEMENT, operation, &input),
            expect,
            "{operation}"
        );
    }
    let alone = code(&mut world, MEMBER, "DescribeOrganization", &json!({}));
    assert_eq!(alone, "AWSOrganizationsNotInUseException");
    // It is an account still, with all that it holds.
    assert!(
        world.accounts[&id(MEMBER)]
            .iam
            .roles
            .contains_key("organizationaccountaccessrole")
    );
    let input = json!({ "AccountId": MANAGEMENT });
    let refused = code(
        &mut world,
        MANAGEMENT,
        "RemoveAccountFromOrganization",
        &input,
    );
    assert_eq!(refused, "MasterCannotLeaveOrganizationException");
}
