//! The answers as the real SDK understands them.

use aws_sdk_iam::config::{BehaviorVersion, Region};
use aws_sdk_iam::types::{EntityType, PolicyScopeType, SummaryKeyType};

use super::accounts::furnished;
use super::*;
use crate::Sandbox;

fn client(test: Test) -> aws_sdk_iam::Client {
    let sandbox = Sandbox::new(test.world);
    let root = format!("arn:aws:iam::{A}:root");
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(sandbox.credentials_of(&root).unwrap())
        .http_client(sandbox.http_client())
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

#[tokio::test]
async fn the_sdk_reads_the_details_of_an_account() {
    let client = client(furnished());
    let mut pages = client
        .get_account_authorization_details()
        .max_items(2)
        .into_paginator()
        .send();
    let (mut roles, mut policies, mut users, mut groups) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        roles.extend(page.role_detail_list.unwrap_or_default());
        policies.extend(page.policies.unwrap_or_default());
        users.extend(page.user_detail_list.unwrap_or_default());
        groups.extend(page.group_detail_list.unwrap_or_default());
    }
    assert_eq!(
        (roles.len(), policies.len(), users.len(), groups.len()),
        (2, 2, 1, 1)
    );
    let role = &roles[1];
    assert_eq!(role.create_date().unwrap().secs(), 1_767_225_600);
    assert_eq!(decoded(role.assume_role_policy_document().unwrap()), EC2);
    assert_eq!(
        role.attached_managed_policies()[0].policy_name(),
        Some("AdministratorAccess")
    );
    assert_eq!(role.role_policy_list()[0].policy_name(), Some("i"));
    assert_eq!(role.instance_profile_list()[0].roles()[0].role_name(), "r");
    assert_eq!(role.tags()[0].value(), "");
    assert!(
        role.permissions_boundary()
            .unwrap()
            .permissions_boundary_arn()
            .unwrap()
            .ends_with(":policy/P")
    );
    assert_eq!(policies[0].policy_version_list().len(), 2);
    assert_eq!(policies[0].permissions_boundary_usage_count(), Some(1));
    assert_eq!(users[0].group_list(), ["G"]);
}

#[tokio::test]
async fn the_sdk_reads_lists_and_the_summary() {
    let client = client(furnished());
    let names =
        |names: Vec<Option<&str>>| names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let roles = client.list_roles().send().await.unwrap();
    assert_eq!(
        roles
            .roles()
            .iter()
            .map(aws_sdk_iam::types::Role::role_name)
            .collect::<Vec<_>>(),
        ["bare", "r"]
    );
    assert_eq!(roles.roles()[1].max_session_duration(), Some(7200));
    let role = client
        .get_role()
        .role_name("r")
        .send()
        .await
        .unwrap()
        .role
        .unwrap();
    assert_eq!(
        (role.description(), role.role_last_used().is_some()),
        (Some("d"), true)
    );
    let attached = client
        .list_attached_role_policies()
        .role_name("r")
        .send()
        .await
        .unwrap();
    assert_eq!(
        names(
            attached
                .attached_policies()
                .iter()
                .map(|policy| policy.policy_name())
                .collect()
        ),
        "AdministratorAccess"
    );
    let inline = client
        .list_role_policies()
        .role_name("r")
        .send()
        .await
        .unwrap();
    assert_eq!(inline.policy_names(), ["i"]);
    let inline = client
        .get_role_policy()
        .role_name("r")
        .policy_name("i")
        .send()
        .await
        .unwrap();
    assert_eq!(decoded(inline.policy_document()), READ);
    let policies = client
        .list_policies()
        .scope(PolicyScopeType::Local)
        .send()
        .await
        .unwrap();
    assert_eq!(
        names(
            policies
                .policies()
                .iter()
                .map(|policy| policy.policy_name())
                .collect()
        ),
        "P"
    );
    let arn = policies.policies()[0].arn().unwrap();
    let versions = client
        .list_policy_versions()
        .policy_arn(arn)
        .send()
        .await
        .unwrap();
    assert_eq!(
        names(
            versions
                .versions()
                .iter()
                .map(|version| version.version_id())
                .collect()
        ),
        "v2 v1"
    );
    let entities = client
        .list_entities_for_policy()
        .policy_arn(arn)
        .entity_filter(EntityType::Role);
    let entities = entities.send().await.unwrap();
    assert_eq!(
        names(
            entities
                .policy_roles()
                .iter()
                .map(|role| role.role_name())
                .collect()
        ),
        "r"
    );
    let group = client.get_group().group_name("G").send().await.unwrap();
    assert_eq!(group.users()[0].user_name(), "u");
    let summary = client
        .get_account_summary()
        .send()
        .await
        .unwrap()
        .summary_map
        .unwrap();
    assert_eq!(summary.get(&SummaryKeyType::Roles), Some(&2));
    assert_eq!(
        summary.get(&SummaryKeyType::AssumeRolePolicySizeQuota),
        Some(&2048)
    );
}

#[tokio::test]
async fn the_sdk_knows_the_errors_by_their_codes() {
    let client = client(furnished());
    let error = client
        .get_role()
        .role_name("nobody")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_no_such_entity_exception(), "{error:?}");
    let error = client
        .delete_role()
        .role_name("r")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_delete_conflict_exception(), "{error:?}");
    let create = client
        .create_role()
        .role_name("new")
        .assume_role_policy_document("{");
    let error = create.send().await.unwrap_err().into_service_error();
    assert!(error.is_malformed_policy_document_exception(), "{error:?}");
    assert_eq!(
        error.meta().message(),
        Some("This policy contains invalid Json")
    );
    let create = client
        .create_role()
        .role_name("R")
        .assume_role_policy_document(EC2);
    let error = create.send().await.unwrap_err().into_service_error();
    assert!(error.is_entity_already_exists_exception(), "{error:?}");
}
