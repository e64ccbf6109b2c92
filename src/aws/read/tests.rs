//! Reading, against answers as IAM gives them.

use std::collections::BTreeSet;

use super::super::testing::{Asked, Fake, account, default, refusal, xml};
use super::*;
use crate::org::Partition;
use crate::read::{Others, Scope, WantedGrants};
use crate::resource::grant::{GrantState, Principal};
use crate::resource::name::{PolicyName, RoleName};
use crate::resource::policy::PolicyKind;

/// A trust policy as IAM sends it: percent-encoded once, with a plus sign, and a value that holds a `%3A` of its own.
const TRUST: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22\
    Principal%22%3A%7B%22AWS%22%3A%22arn%3Aaws%3Aiam%3A%3A111111111111%3Auser%2Fa+b%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole\
    %22%2C%22Condition%22%3A%7B%22StringEquals%22%3A%7B%22sts%3AExternalId%22%3A%22x%253Ay%22%7D%7D%7D%5D%7D";
const IDENTITY: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action\
    %22%3A%22s3%3AGet%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D";

fn role_detail(name: &str) -> String {
    format!(
        "<member><Path>/team/</Path><RoleName>{name}</RoleName><RoleId>AROA{name}</RoleId>\
         <Arn>arn:aws:iam::222222222222:role/team/{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
         <AssumeRolePolicyDocument>{TRUST}</AssumeRolePolicyDocument>\
         <InstanceProfileList><member><InstanceProfileName>ip</InstanceProfileName><Path>/</Path><Arn>x</Arn>\
         <InstanceProfileId>AIPA</InstanceProfileId><CreateDate>2026-01-01T00:00:00Z</CreateDate><Roles></Roles></member></InstanceProfileList>\
         <RolePolicyList><member><PolicyName>in</PolicyName><PolicyDocument>{IDENTITY}</PolicyDocument></member></RolePolicyList>\
         <AttachedManagedPolicies><member><PolicyName>SecurityAudit</PolicyName>\
         <PolicyArn>arn:aws:iam::aws:policy/SecurityAudit</PolicyArn></member></AttachedManagedPolicies>\
         <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
         <PermissionsBoundaryArn>arn:aws:iam::222222222222:policy/b</PermissionsBoundaryArn></PermissionsBoundary>\
         <Tags><member><Key>rolecall:managed-by</Key><Value>me</Value></member></Tags></member>"
    )
}

const POLICY: &str = "<PolicyName>P1</PolicyName><PolicyId>ANPA1</PolicyId><Arn>arn:aws:iam::222222222222:policy/x/P1</Arn>\
    <Path>/x/</Path><DefaultVersionId>v10</DefaultVersionId><AttachmentCount>2</AttachmentCount>\
    <PermissionsBoundaryUsageCount>1</PermissionsBoundaryUsageCount><IsAttachable>true</IsAttachable>";

fn versions(document: &str) -> String {
    format!(
        "<member><VersionId>v10</VersionId><IsDefaultVersion>true</IsDefaultVersion>{document}\
         <CreateDate>2026-01-02T00:00:00Z</CreateDate></member><member><VersionId>v9</VersionId>\
         <IsDefaultVersion>false</IsDefaultVersion><CreateDate>2026-01-01T00:00:00Z</CreateDate></member>"
    )
}

fn role(name: &str) -> String {
    format!(
        "<Path>/team/</Path><RoleName>{name}</RoleName><RoleId>AROA{name}</RoleId>\
         <Arn>arn:aws:iam::222222222222:role/team/{name}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
         <AssumeRolePolicyDocument>{TRUST}</AssumeRolePolicyDocument><Description>a + b</Description>\
         <MaxSessionDuration>7200</MaxSessionDuration>\
         <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
         <PermissionsBoundaryArn>arn:aws:iam::222222222222:policy/b</PermissionsBoundaryArn></PermissionsBoundary>\
         <Tags><member><Key>rolecall:managed-by</Key><Value>me</Value></member></Tags>"
    )
}

/// An account with roles `One` and `Two` and policy `P1`, in pages of which the second is empty.
fn iam(asked: &Asked) -> (u16, String) {
    let result = match (asked.operation.as_str(), asked.get("Marker")) {
        ("GetAccountAuthorizationDetails", "") => {
            assert_eq!((asked.get("Filter.member.1"), asked.get("Filter.member.2")), ("Role", "LocalManagedPolicy"));
            format!("<RoleDetailList>{}</RoleDetailList><IsTruncated>true</IsTruncated><Marker>2</Marker>", role_detail("One"))
        }
        ("GetAccountAuthorizationDetails", "2") => "<IsTruncated>true</IsTruncated><Marker>3</Marker>".to_owned(),
        ("GetAccountAuthorizationDetails", _) => {
            let document = format!("<Document>{IDENTITY}</Document>");
            format!(
                "<RoleDetailList>{}</RoleDetailList><Policies><member>{POLICY}<PolicyVersionList>{}</PolicyVersionList></member>\
                 </Policies><IsTruncated>false</IsTruncated>",
                role_detail("Two"),
                versions(&document)
            )
        }
        ("ListRoles", "") => format!(
            "<Roles><member>{}</member></Roles><IsTruncated>true</IsTruncated><Marker>2</Marker>",
            role("One")
        ),
        ("ListRoles", _) => format!("<Roles><member>{}</member></Roles><IsTruncated>false</IsTruncated>", role("Two")),
        ("GetRole", _) if asked.get("RoleName") == "none" => return refusal(404, "NoSuchEntity", "none"),
        ("GetRole", _) => format!("<Role>{}</Role>", role(asked.get("RoleName"))),
        ("ListAttachedRolePolicies", "") => {
            "<AttachedPolicies></AttachedPolicies><IsTruncated>true</IsTruncated><Marker>2</Marker>".to_owned()
        }
        ("ListAttachedRolePolicies", _) => "<AttachedPolicies><member><PolicyName>SecurityAudit</PolicyName>\
            <PolicyArn>arn:aws:iam::aws:policy/SecurityAudit</PolicyArn></member></AttachedPolicies>\
            <IsTruncated>false</IsTruncated>"
            .to_owned(),
        ("ListRolePolicies", _) => {
            "<PolicyNames><member>in</member></PolicyNames><IsTruncated>false</IsTruncated>".to_owned()
        }
        ("GetRolePolicy", _) => format!(
            "<RoleName>r</RoleName><PolicyName>in</PolicyName><PolicyDocument>{IDENTITY}</PolicyDocument>"
        ),
        ("ListInstanceProfilesForRole", _) => "<InstanceProfiles><member><InstanceProfileName>ip</InstanceProfileName>\
            <Path>/</Path><Arn>x</Arn><InstanceProfileId>AIPA</InstanceProfileId><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
            <Roles></Roles></member></InstanceProfiles><IsTruncated>false</IsTruncated>"
            .to_owned(),
        ("ListPolicies", _) => {
            assert_eq!(asked.get("Scope"), "Local");
            format!("<Policies><member>{POLICY}</member></Policies><IsTruncated>false</IsTruncated>")
        }
        ("GetPolicy", _) if asked.get("PolicyArn").ends_with("/none") => return refusal(404, "NoSuchEntity", "none"),
        ("GetPolicy", _) => format!(
            "<Policy>{POLICY}<Description>d</Description><Tags><member><Key>k</Key><Value>v</Value></member></Tags></Policy>"
        ),
        ("GetPolicyVersion", _) => {
            assert_eq!(asked.get("VersionId"), "v10");
            format!(
                "<PolicyVersion><Document>{IDENTITY}</Document><VersionId>v10</VersionId>\
                 <IsDefaultVersion>true</IsDefaultVersion></PolicyVersion>"
            )
        }
        ("ListPolicyVersions", _) => format!("<Versions>{}</Versions><IsTruncated>false</IsTruncated>", versions("")),
        ("ListPolicyTags", "") => {
            "<Tags><member><Key>a</Key><Value>1</Value></member></Tags><IsTruncated>true</IsTruncated><Marker>2</Marker>"
                .to_owned()
        }
        ("ListPolicyTags", _) => {
            "<Tags><member><Key>b</Key><Value>2</Value></member></Tags><IsTruncated>false</IsTruncated>".to_owned()
        }
        ("GetAccountSummary", _) => "<SummaryMap><entry><key>AttachedPoliciesPerRoleQuota</key><value>20</value></entry>\
            <entry><key>RolesQuota</key><value>5000</value></entry></SummaryMap>"
            .to_owned(),
        _ => return default(),
    };
    xml(&asked.operation, &result)
}

fn all(details: bool) -> Wanted {
    Wanted {
        scope: Scope::All,
        details,
        grants: None,
    }
}

fn only(roles: &[&str], policies: &[&str], details: bool) -> Wanted {
    let roles: BTreeSet<_> = roles
        .iter()
        .map(|name| RoleName::parse(name).unwrap())
        .collect();
    let policies: BTreeSet<_> = policies
        .iter()
        .map(|name| PolicyName::parse(name).unwrap())
        .collect();
    Wanted {
        scope: Scope::Only { roles, policies },
        details,
        grants: None,
    }
}

async fn read(fake: &Fake, wanted: &Wanted) -> Result<LiveAccount, AwsError> {
    fake.accounts()
        .await
        .reading()
        .read(&account("222222222222"), wanted)
        .await
}

#[tokio::test]
async fn both_ways_of_reading_see_the_same() {
    let fake = Fake::new(iam);
    let mut bulk = read(&fake, &all(true)).await.unwrap();
    assert_eq!(
        (
            fake.count("GetAccountAuthorizationDetails"),
            fake.count("ListRoles"),
            fake.log().len()
        ),
        (3, 2, 7)
    );
    let wanted = only(&["ONE", "Two", "none"], &["p1", "absent"], true);
    let accounts = fake.accounts().await;
    let single = accounts
        .within(&account("222222222222"), |iam| {
            let wanted = wanted.clone();
            async move { single::read(&iam, &wanted).await }
        })
        .await;
    let mut single = single.unwrap();
    // GetRole answers with the name it was asked for here, IAM with the one it stores.
    let one = single.roles.get_mut("one").unwrap();
    (one.name, one.id, one.arn) = (
        RoleName::parse("One").unwrap(),
        "AROAOne".into(),
        one.arn.replace("ONE", "One"),
    );
    // The bulk read tells neither of these.
    let policy = bulk.policies.get_mut("p1").unwrap();
    assert_eq!(
        (policy.description.take(), policy.tags.take()),
        (None, None)
    );
    let alone = single.policies.get_mut("p1").unwrap();
    assert_eq!(alone.description.take().as_deref(), Some("d"));
    assert_eq!(
        alone.tags.take(),
        Some(Tags::from([("k".to_owned(), "v".to_owned())]))
    );
    assert_eq!(bulk, single);
    assert_eq!(bulk.roles.len(), 2);
    let versions: Vec<_> = bulk.policies["p1"]
        .versions
        .iter()
        .map(|v| (v.id.as_str(), v.is_default))
        .collect();
    assert_eq!(versions, [("v10", true), ("v9", false)]);
    assert!(bulk.policies["p1"].versions[0].created > bulk.policies["p1"].versions[1].created);
}

#[tokio::test]
async fn documents_are_decoded_once_and_not_as_forms() {
    let live = read(&Fake::new(iam), &all(false)).await.unwrap();
    let trust = live.roles["one"].trust.text();
    assert!(
        trust.contains("user/a+b") && trust.contains("x%3Ay"),
        "{trust}"
    );
}

#[test]
fn a_document_that_is_not_encoded_is_left_alone() {
    let text = r#"{"Version":"2012-10-17","Statement":[],"Id":"x%3Ay"}"#;
    assert!(
        entity::document(text, PolicyKind::Identity, &Partition::default())
            .text()
            .contains("x%3Ay")
    );
}

#[tokio::test]
async fn only_what_was_asked_for_is_kept_and_details_only_where_wanted() {
    let fake = Fake::new(iam);
    let live = read(&fake, &only(&["tWO"], &[], false)).await.unwrap();
    assert_eq!(live.roles.keys().collect::<Vec<_>>(), ["two"]);
    assert!(live.policies.is_empty() && live.roles["two"].details.is_none());
    assert_eq!(fake.count("ListRoles"), 0);
}

#[tokio::test]
async fn a_role_that_only_one_listing_shows_is_read_by_itself() {
    let fake = Fake::new(|asked| match asked.operation.as_str() {
        "ListRoles" => xml(
            "ListRoles",
            &format!(
                "<Roles><member>{}</member></Roles><IsTruncated>false</IsTruncated>",
                role("New")
            ),
        ),
        "GetRole" if asked.get("RoleName") == "Two" => refusal(404, "NoSuchEntity", "gone"),
        _ => iam(asked),
    });
    let live = read(&fake, &all(true)).await.unwrap();
    assert_eq!(live.roles.keys().collect::<Vec<_>>(), ["new", "one"]);
    assert!(live.roles.values().all(|role| role.details.is_some()));
}

#[tokio::test]
async fn a_truncated_page_without_a_marker_is_no_listing() {
    let fake = Fake::new(|asked| match asked.operation.as_str() {
        "GetAccountAuthorizationDetails" => {
            xml(&asked.operation, "<IsTruncated>true</IsTruncated>")
        }
        _ => iam(asked),
    });
    let error = read(&fake, &all(false)).await.unwrap_err();
    assert_eq!(error.message, "the response has no `Marker`");
}

/// Every listing of IAM, alone and in a circle of two pages.
#[tokio::test]
async fn a_listing_that_comes_back_to_a_page_is_an_error_that_names_it() {
    let listings = [
        ("GetAccountAuthorizationDetails", all(false)),
        ("ListRoles", all(true)),
        ("ListAttachedRolePolicies", only(&["One"], &[], true)),
        ("ListRolePolicies", only(&["One"], &[], true)),
        ("ListInstanceProfilesForRole", only(&["One"], &[], true)),
        ("ListPolicies", only(&[], &["P1"], true)),
        ("ListPolicyVersions", only(&[], &["P1"], true)),
    ];
    for (listing, wanted) in listings {
        for next in [
            |_: &str| "1".to_owned(),
            |marker: &str| {
                if marker == "1" {
                    "2".to_owned()
                } else {
                    "1".to_owned()
                }
            },
        ] {
            let fake = Fake::new(move |asked| {
                let page = || {
                    format!(
                        "<IsTruncated>true</IsTruncated><Marker>{}</Marker>",
                        next(asked.get("Marker"))
                    )
                };
                let empty = |members: &str| format!("<{members}></{members}>{}", page());
                let result = match asked.operation.as_str() {
                    operation if operation != listing => return iam(asked),
                    "ListRoles" => empty("Roles"),
                    "ListRolePolicies" => empty("PolicyNames"),
                    "ListInstanceProfilesForRole" => empty("InstanceProfiles"),
                    _ => page(),
                };
                xml(&asked.operation, &result)
            });
            let (accounts, account, wanted) =
                (fake.accounts().await, account("222222222222"), &wanted);
            let read = match wanted.scope {
                Scope::All => {
                    accounts
                        .within(&account, |iam| async move {
                            Box::pin(bulk::read(&iam, wanted)).await
                        })
                        .await
                }
                Scope::Only { .. } => {
                    accounts
                        .within(&account, |iam| async move {
                            Box::pin(single::read(&iam, wanted)).await
                        })
                        .await
                }
            };
            let error = read.unwrap_err().to_string();
            let told = format!("account 222222222222: {listing}");
            assert!(
                error.starts_with(&told) && error.contains("the listing does not end"),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_large_account_read_again_is_read_entity_by_entity() {
    let fake = Fake::new(
        |asked| match (asked.operation.as_str(), asked.get("Marker")) {
            ("GetAccountAuthorizationDetails", marker) => {
                let page: usize = marker.parse().unwrap_or(0);
                let roles: String = (0..1000)
                    .map(|i| role_detail(&format!("r{}", page * 1000 + i)))
                    .collect();
                let more = if page < 5 {
                    format!(
                        "<IsTruncated>true</IsTruncated><Marker>{}</Marker>",
                        page + 1
                    )
                } else {
                    "<IsTruncated>false</IsTruncated>".to_owned()
                };
                xml(
                    &asked.operation,
                    &format!("<RoleDetailList>{roles}</RoleDetailList>{more}"),
                )
            }
            _ => iam(asked),
        },
    );
    let reading = fake.accounts().await.reading();
    let account = account("222222222222");
    let live = reading.read(&account, &all(false)).await.unwrap();
    assert_eq!(
        (
            live.roles.len(),
            fake.count("GetAccountAuthorizationDetails")
        ),
        (6000, 6)
    );
    let live = reading
        .read(&account, &only(&["r5999"], &[], false))
        .await
        .unwrap();
    assert_eq!(
        (
            live.roles.len(),
            fake.count("GetAccountAuthorizationDetails"),
            fake.count("GetRole")
        ),
        (1, 6, 1)
    );
    assert_eq!(fake.count("AssumeRole"), 1);
}

#[tokio::test]
async fn policies_and_quotas_are_told() {
    let reading = Fake::new(iam).accounts().await.reading();
    let (account, arn) = (account("222222222222"), |name: &str| {
        PolicyArn::parse(&format!("arn:aws:iam::222222222222:policy/{name}")).unwrap()
    });
    assert_eq!(reading.policy_exists(&account, &arn("P1")).await, Ok(true));
    assert_eq!(
        reading.policy_exists(&account, &arn("none")).await,
        Ok(false)
    );
    let tags = reading.policy_tags(&account, &arn("P1")).await.unwrap();
    assert_eq!(
        tags.into_iter().collect::<Vec<_>>(),
        [("a".into(), "1".into()), ("b".into(), "2".into())]
    );
    let quotas = reading.quotas(&account).await.unwrap();
    assert_eq!(
        quotas,
        Quotas {
            attached_policies_per_role: 20,
            roles: 5000,
            ..Quotas::default()
        }
    );
}

/// An account with the user `Ann` and the group `ops`, who hold the policy `g`, the user `bob`, who holds another,
/// and the role `One`; returned one by one or in bulk.
fn principals(asked: &Asked) -> (u16, String) {
    let operation = asked.operation.as_str();
    let policy = |kind: &str, name: &str| {
        xml(
            operation,
            &format!(
                "<{kind}Name>{name}</{kind}Name><PolicyName>g</PolicyName><PolicyDocument>{IDENTITY}</PolicyDocument>"
            ),
        )
    };
    let missing = || refusal(404, "NoSuchEntity", "not there");
    let user = "<Path>/</Path><UserName>bob</UserName><UserId>AIDA</UserId><Arn>a</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>";
    let inline = |name: &str| {
        format!(
            "<member><PolicyName>{name}</PolicyName><PolicyDocument>{IDENTITY}</PolicyDocument></member>"
        )
    };
    match (operation, asked.get("UserName"), asked.get("GroupName")) {
        ("GetUserPolicy", "ann", _) => policy("User", "Ann"),
        ("GetGroupPolicy", _, "ops") => policy("Group", "ops"),
        ("GetUser", "bob", _) => xml(operation, &format!("<User>{user}</User>")),
        (
            "GetUserPolicy" | "GetGroupPolicy" | "GetRolePolicy" | "GetUser" | "GetGroup"
            | "GetRole",
            _,
            _,
        ) => missing(),
        ("GetAccountAuthorizationDetails", _, _) => {
            let all =
                asked.get("Filter.member.3") == "User" && asked.get("Filter.member.4") == "Group";
            let users = format!(
                "<UserDetailList><member><UserName>Ann</UserName><UserPolicyList>{}{}</UserPolicyList></member>\
                 <member><UserName>bob</UserName><UserPolicyList>{}</UserPolicyList></member></UserDetailList>\
                 <GroupDetailList><member><GroupName>ops</GroupName><GroupPolicyList>{}</GroupPolicyList></member></GroupDetailList>",
                inline("other"),
                inline("g"),
                inline("G2"),
                inline("g")
            );
            let users = if all { users } else { String::new() };
            xml(
                operation,
                &format!(
                    "{users}<RoleDetailList>{}</RoleDetailList><IsTruncated>false</IsTruncated>",
                    role_detail("One")
                ),
            )
        }
        _ => default(),
    }
}

#[tokio::test]
async fn grants_are_read_with_as_few_calls_as_tell_them() {
    let wanted = |scope: Scope, principals: &[&str], others: Others| Wanted {
        scope,
        details: false,
        grants: Some(WantedGrants {
            policy: PolicyName::parse("g").unwrap(),
            principals: principals
                .iter()
                .map(|text| {
                    let (kind, name) = text.split_once('/').unwrap();
                    (
                        (*text).to_owned(),
                        Principal::parse(kind, name).unwrap().unwrap(),
                    )
                })
                .collect(),
            others,
        }),
    };
    let nothing = || Scope::Only {
        roles: BTreeSet::new(),
        policies: BTreeSet::new(),
    };
    let named = [
        "user/ann",
        "user/bob",
        "user/gone",
        "group/ops",
        "group/gone",
        "role/one",
        "role/gone",
    ];
    let all = [
        "group/gone -",
        "group/ops granted",
        "role/gone -",
        "role/one nothing",
        "user/ann granted",
        "user/bob nothing",
        "user/gone -",
    ];
    for (wanted, expect, calls) in [
        (wanted(Scope::All, &[], Others::Unseen), &[][..], 1),
        (wanted(Scope::All, &named, Others::All), &all, 1),
        // Users and groups one by one, and who holds no policy is looked for.
        (wanted(Scope::All, &named, Others::Unseen), &all, 1 + 5 + 3),
        (
            wanted(Scope::All, &[], Others::All),
            &["group/ops granted", "user/ann granted"],
            1,
        ),
        (
            wanted(nothing(), &["user/ann", "role/gone"], Others::All),
            &["role/gone -", "user/ann granted"],
            1 + 2,
        ),
        (wanted(nothing(), &[], Others::Unseen), &[], 0),
    ] {
        let fake = Fake::new(principals);
        let live = read(&fake, &wanted).await.unwrap();
        let shown = live.grants.iter().map(|(key, grant)| {
            let state = match &grant.state {
                GrantState::NoPrincipal => "-",
                GrantState::NoPolicy => "nothing",
                GrantState::Granted(document) => {
                    assert!(document.text().contains("s3:Get*"));
                    "granted"
                }
            };
            format!("{key} {state}")
        });
        assert_eq!(shown.collect::<Vec<_>>(), expect);
        // Who is calling, and entering.
        assert_eq!(fake.log().len() - 2, calls, "{:?}", fake.log());
    }
}
