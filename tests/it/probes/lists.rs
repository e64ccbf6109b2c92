//! Lists and `GetAccountAuthorizationDetails`: their pages, and what they leave out.

use std::sync::{Arc, Mutex};

use aws_sdk_iam::types::{EntityType, RoleDetail};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::stage::{POLICY, Stage, TRUST, code, tags};
use super::{Probe, probe};

const LIST_ROLES: &str = "IAM API Reference, ListRoles";
const DETAILS: &str = "IAM API Reference, GetAccountAuthorizationDetails";
const ROLE_DETAIL: &str = "IAM API Reference, RoleDetail";

/// Hears the answers as they came in, with the members that the SDK's types have no place for.
#[derive(Debug, Clone, Default)]
struct Overheard(Arc<Mutex<String>>);

impl Intercept for Overheard {
    fn name(&self) -> &'static str {
        "Overheard"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap();
        self.0
            .lock()
            .unwrap()
            .push_str(std::str::from_utf8(body).unwrap());
        Ok(())
    }
}

/// The sizes of pages and the names in them: `2+2+1`, each once or not.
fn paged(pages: &[Vec<String>], most: usize, expected: &[&str]) -> String {
    let mut names: Vec<&String> = pages.iter().flatten().collect();
    names.sort();
    let complete = names == expected;
    let short = pages.iter().all(|page| page.len() <= most);
    let length = if short {
        format!("at most {most}")
    } else {
        "pages too long".to_owned()
    };
    format!(
        "{length}, {}",
        if complete {
            "each once"
        } else {
            "not each once"
        }
    )
}

/// What is in the list of member names that `is_there` says.
fn presence(members: &[(&str, bool)]) -> String {
    let present: Vec<&str> = members
        .iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| *name)
        .collect();
    if present.is_empty() {
        "none".to_owned()
    } else {
        present.join(" ")
    }
}

impl Stage {
    /// A role `full` with one of everything.
    async fn full_role(&self) {
        let (edge, held) = (self.policy("edge").await, self.policy("held").await);
        let create = self
            .iam
            .create_role()
            .role_name("full")
            .path("/full/")
            .assume_role_policy_document(TRUST);
        let create = create
            .description("a description")
            .max_session_duration(7200)
            .permissions_boundary(edge);
        create.set_tags(Some(tags(1))).send().await.unwrap();
        self.put("full", "inline", POLICY).await;
        self.attach("full", &held).await;
        self.iam
            .create_instance_profile()
            .instance_profile_name("profile")
            .send()
            .await
            .unwrap();
        let add = self
            .iam
            .add_role_to_instance_profile()
            .instance_profile_name("profile")
            .role_name("full");
        add.send().await.unwrap();
    }

    /// The role `full` as the details of the account have it.
    async fn full_detail(&self) -> RoleDetail {
        let details = self
            .iam
            .get_account_authorization_details()
            .filter(EntityType::Role)
            .send()
            .await
            .unwrap();
        let roles = details.role_detail_list.unwrap();
        roles
            .into_iter()
            .find(|role| role.role_name.as_deref() == Some("full"))
            .unwrap()
    }
}

pub fn probes() -> Vec<Probe> {
    let mut probes = lists();
    probes.extend(details());
    probes
}

fn lists() -> Vec<Probe> {
    vec![
        probe(
            "roles_come_in_pages_of_at_most_max_items",
            "at most 2, each once",
            LIST_ROLES,
            |s| async move {
                for number in 1..=5 {
                    let create = s
                        .iam
                        .create_role()
                        .role_name(format!("role{number}"))
                        .path("/five/");
                    create
                        .assume_role_policy_document(TRUST)
                        .send()
                        .await
                        .unwrap();
                }
                let pages = s
                    .iam
                    .list_roles()
                    .path_prefix("/five/")
                    .into_paginator()
                    .page_size(2)
                    .send();
                let pages = pages.try_collect().await.unwrap();
                let name = |page: &aws_sdk_iam::operation::list_roles::ListRolesOutput| {
                    page.roles
                        .iter()
                        .map(|role| role.role_name.clone())
                        .collect()
                };
                let pages: Vec<Vec<String>> = pages.iter().map(name).collect();
                paged(&pages, 2, &["role1", "role2", "role3", "role4", "role5"])
            },
        ),
        probe(
            "more_than_1000_items_per_page_are_refused",
            "ValidationError",
            LIST_ROLES,
            |s| async move { code(&s.iam.list_roles().max_items(1001).send().await) },
        ),
        probe(
            "a_path_prefix_that_nothing_has_lists_nothing",
            "0",
            LIST_ROLES,
            |s| async move {
                s.role("probe").await;
                s.iam
                    .list_roles()
                    .path_prefix("/nothing/")
                    .send()
                    .await
                    .unwrap()
                    .roles
                    .len()
                    .to_string()
            },
        ),
        probe(
            "listed_roles_leave_out_what_is_documented",
            "description duration",
            LIST_ROLES,
            |s| async move {
                s.full_role().await;
                let role = s
                    .iam
                    .list_roles()
                    .path_prefix("/full/")
                    .send()
                    .await
                    .unwrap()
                    .roles
                    .remove(0);
                presence(&[
                    ("description", role.description.is_some()),
                    ("duration", role.max_session_duration == Some(7200)),
                    ("boundary", role.permissions_boundary.is_some()),
                    ("last-used", role.role_last_used.is_some()),
                    ("tags", role.tags.is_some()),
                ])
            },
        ),
        probe(
            "inline_policies_come_in_pages_of_at_most_max_items",
            "at most 2, each once",
            "IAM API Reference, ListRolePolicies",
            |s| async move {
                s.role("probe").await;
                for name in ["a", "b", "c"] {
                    s.put("probe", name, POLICY).await;
                }
                let pages = s
                    .iam
                    .list_role_policies()
                    .role_name("probe")
                    .into_paginator()
                    .page_size(2)
                    .send();
                let pages = pages.try_collect().await.unwrap();
                let pages: Vec<Vec<String>> =
                    pages.into_iter().map(|page| page.policy_names).collect();
                paged(&pages, 2, &["a", "b", "c"])
            },
        ),
        probe(
            "attached_policies_come_in_pages_of_at_most_max_items",
            "at most 2, each once",
            "IAM API Reference, ListAttachedRolePolicies",
            |s| async move {
                s.role("probe").await;
                for name in ["a", "b", "c"] {
                    s.attach("probe", &s.policy(name).await).await;
                }
                let list = s
                    .iam
                    .list_attached_role_policies()
                    .role_name("probe")
                    .into_paginator()
                    .page_size(2);
                let pages = list.send().try_collect().await.unwrap();
                let pages: Vec<Vec<String>> = pages
                    .into_iter()
                    .map(|page| page.attached_policies.unwrap_or_default())
                    .map(|page| {
                        page.into_iter()
                            .filter_map(|policy| policy.policy_name)
                            .collect()
                    })
                    .collect();
                paged(&pages, 2, &["a", "b", "c"])
            },
        ),
        probe(
            "tags_come_in_pages_of_at_most_max_items",
            "at most 2, each once",
            "IAM API Reference, ListRoleTags",
            |s| async move {
                let create = s
                    .iam
                    .create_role()
                    .role_name("probe")
                    .assume_role_policy_document(TRUST);
                create.set_tags(Some(tags(3))).send().await.unwrap();
                let mut pages: Vec<Vec<String>> = Vec::new();
                let mut marker = None;
                loop {
                    let list = s
                        .iam
                        .list_role_tags()
                        .role_name("probe")
                        .max_items(2)
                        .set_marker(marker);
                    let page = list.send().await.unwrap();
                    pages.push(page.tags.into_iter().map(|tag| tag.key).collect());
                    marker = page.marker;
                    if !page.is_truncated {
                        return paged(&pages, 2, &["key0", "key1", "key2"]);
                    }
                }
            },
        ),
        probe(
            "listed_policies_leave_out_description_and_tags",
            "none",
            "IAM API Reference, ListPolicies",
            |s| async move {
                let create = s
                    .iam
                    .create_policy()
                    .policy_name("probe")
                    .policy_document(POLICY);
                create
                    .description("a description")
                    .set_tags(Some(tags(1)))
                    .send()
                    .await
                    .unwrap();
                let list = s
                    .iam
                    .list_policies()
                    .scope("Local".into())
                    .send()
                    .await
                    .unwrap();
                let policy = list.policies.unwrap().remove(0);
                presence(&[
                    ("description", policy.description.is_some()),
                    ("tags", policy.tags.is_some()),
                ])
            },
        ),
        probe(
            "a_policy_that_is_read_tells_description_and_tags",
            "description tags",
            "IAM API Reference, GetPolicy",
            |s| async move {
                let create = s
                    .iam
                    .create_policy()
                    .policy_name("probe")
                    .policy_document(POLICY);
                let arn = create
                    .description("a description")
                    .set_tags(Some(tags(1)))
                    .send()
                    .await
                    .unwrap();
                let arn = arn.policy.unwrap().arn.unwrap();
                let policy = s
                    .iam
                    .get_policy()
                    .policy_arn(arn)
                    .send()
                    .await
                    .unwrap()
                    .policy
                    .unwrap();
                presence(&[
                    ("description", policy.description.is_some()),
                    ("tags", policy.tags.is_some()),
                ])
            },
        ),
        probe(
            "the_profiles_of_a_role_are_listed",
            "profile",
            "IAM API Reference, ListInstanceProfilesForRole",
            |s| async move {
                s.full_role().await;
                let list = s
                    .iam
                    .list_instance_profiles_for_role()
                    .role_name("full")
                    .send()
                    .await
                    .unwrap();
                let names: Vec<&str> = list
                    .instance_profiles
                    .iter()
                    .map(|profile| profile.instance_profile_name.as_str())
                    .collect();
                names.join(" ")
            },
        ),
        probe(
            "a_policy_has_at_most_five_versions_by_quota",
            "5",
            "IAM API Reference, GetAccountSummary",
            |s| async move {
                let summary = s
                    .iam
                    .get_account_summary()
                    .send()
                    .await
                    .unwrap()
                    .summary_map
                    .unwrap_or_default();
                summary
                    .get(&"VersionsPerPolicyQuota".into())
                    .map_or("absent".to_owned(), ToString::to_string)
            },
        ),
    ]
}

fn details() -> Vec<Probe> {
    vec![
        probe(
            "the_details_of_a_role_are_whole",
            "trust inline attached boundary tags profile",
            ROLE_DETAIL,
            |s| async move {
                s.full_role().await;
                let role = s.full_detail().await;
                let boundary = role
                    .permissions_boundary
                    .as_ref()
                    .and_then(|boundary| boundary.permissions_boundary_arn());
                presence(&[
                    ("trust", role.assume_role_policy_document.is_some()),
                    (
                        "inline",
                        role.role_policy_list()[0].policy_name() == Some("inline"),
                    ),
                    (
                        "attached",
                        role.attached_managed_policies()[0].policy_name() == Some("held"),
                    ),
                    ("boundary", boundary == Some(s.arn("policy/edge").as_str())),
                    ("tags", role.tags().len() == 1),
                    (
                        "profile",
                        role.instance_profile_list()[0].instance_profile_name() == "profile",
                    ),
                ])
            },
        ),
        probe(
            "the_details_of_a_role_leave_out_description_and_duration",
            "none",
            ROLE_DETAIL,
            |s| async move {
                let create = s
                    .iam
                    .create_role()
                    .role_name("probe")
                    .assume_role_policy_document(TRUST);
                create
                    .description("a description")
                    .max_session_duration(7200)
                    .send()
                    .await
                    .unwrap();
                let heard = Overheard::default();
                let call = s
                    .iam
                    .get_account_authorization_details()
                    .filter(EntityType::Role)
                    .customize();
                call.interceptor(heard.clone()).send().await.unwrap();
                let body = heard.0.lock().unwrap().clone();
                assert!(body.contains("<RoleName>probe</RoleName>"), "{body}");
                presence(&[
                    ("description", body.contains("<Description>")),
                    ("duration", body.contains("<MaxSessionDuration>")),
                ])
            },
        ),
        probe(
            "details_come_in_pages_of_at_most_max_items",
            "at most 2, each once",
            DETAILS,
            |s| async move {
                for number in 1..=4 {
                    s.role(&format!("role{number}")).await;
                }
                let pages = s
                    .iam
                    .get_account_authorization_details()
                    .filter(EntityType::Role)
                    .into_paginator();
                let pages = pages.page_size(2).send().try_collect().await.unwrap();
                let pages: Vec<Vec<String>> = pages
                    .iter()
                    .map(|page| {
                        page.role_detail_list()
                            .iter()
                            .filter_map(|role| role.role_name.clone())
                            .collect()
                    })
                    .collect();
                paged(
                    &pages,
                    2,
                    &[
                        "OrganizationAccountAccessRole",
                        "role1",
                        "role2",
                        "role3",
                        "role4",
                    ],
                )
            },
        ),
        probe(
            "details_tell_only_what_is_asked_for",
            "policies",
            DETAILS,
            |s| async move {
                s.role("probe").await;
                s.policy("probe").await;
                let call = s
                    .iam
                    .get_account_authorization_details()
                    .filter(EntityType::LocalManagedPolicy);
                let details = call.send().await.unwrap();
                presence(&[
                    ("users", !details.user_detail_list().is_empty()),
                    ("groups", !details.group_detail_list().is_empty()),
                    ("roles", !details.role_detail_list().is_empty()),
                    ("policies", details.policies().len() == 1),
                ])
            },
        ),
        probe(
            "details_tell_every_version_of_a_policy",
            "v1 v2(default)",
            "IAM API Reference, ManagedPolicyDetail",
            |s| async move {
                let arn = s.policy("probe").await;
                let create = s
                    .iam
                    .create_policy_version()
                    .policy_arn(arn)
                    .policy_document(POLICY);
                create.set_as_default(true).send().await.unwrap();
                let call = s
                    .iam
                    .get_account_authorization_details()
                    .filter(EntityType::LocalManagedPolicy);
                let details = call.send().await.unwrap();
                let versions = details.policies()[0]
                    .policy_version_list()
                    .iter()
                    .filter(|one| one.document.is_some());
                let mut versions: Vec<String> = versions
                    .map(|one| {
                        format!(
                            "{}{}",
                            one.version_id().unwrap(),
                            ["", "(default)"][usize::from(one.is_default_version)]
                        )
                    })
                    .collect();
                versions.sort();
                versions.join(" ")
            },
        ),
        probe(
            "details_tell_how_a_policy_is_used",
            "1 attached, 1 boundary",
            "IAM API Reference, ManagedPolicyDetail",
            |s| async move {
                s.full_role().await;
                let call = s
                    .iam
                    .get_account_authorization_details()
                    .filter(EntityType::LocalManagedPolicy);
                let details = call.send().await.unwrap();
                let find = |name| {
                    details
                        .policies()
                        .iter()
                        .find(|policy| policy.policy_name() == Some(name))
                };
                let attached = find("held")
                    .and_then(|policy| policy.attachment_count)
                    .unwrap_or_default();
                let boundary =
                    find("edge").and_then(|policy| policy.permissions_boundary_usage_count);
                let boundary = boundary.unwrap_or_default();
                format!("{attached} attached, {boundary} boundary")
            },
        ),
    ]
}
